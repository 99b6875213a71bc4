"""
Whether a caller's credentials are right, by the header ``Authorization``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping


def knows(authorization: str, basic: Mapping[str, str], bearer: Collection[str]) -> bool:
    """
    Whether *authorization* shows one of those there are, or there are none.

    Args:
        authorization: the header's value.

        basic: user to password.

        bearer: tokens.
    """
    if not basic and not bearer:
        return True
    scheme, _, shown = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return shown in bearer
    try:
        user, colon, password = base64.b64decode(shown, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return scheme.lower() == "basic" and bool(colon) and basic.get(user) == password
