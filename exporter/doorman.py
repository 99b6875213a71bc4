"""
Who may read: HTTP basic authentication against bcrypt hashes.

A hash takes tens of milliseconds on purpose, so it is computed in a thread, once a password: what was right before is
known by a keyed digest. An unknown user costs as much as a known one with a wrong password.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping

import bcrypt

_KEPT = 256
_LONGEST = 72  # bytes of a password bcrypt looks at; newer releases refuse longer ones


class Doorman:
    """
    Checks Authorization headers.

    Args:
        users: bcrypt hashes by name; empty where everyone may read.
    """

    def __init__(self, users: Mapping[str, bytes]) -> None:
        self._users = users
        # Two digits of a hash are its cost: a name nobody has is made to take as long as the slowest.
        self._decoy = max(users.values(), key=lambda hashed: hashed[4:6], default=b"")
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, bool] = OrderedDict()
        self._checking = asyncio.Semaphore(2)  # guessing must not take the machine

    async def admits(self, authorization: str) -> bool:
        """Whether the header names a user with the right password."""
        if not self._users:
            return True
        pair = _pair(authorization)
        if pair is None:
            return False
        name, password = pair
        digest = hmac.new(self._key, f"{name}\0".encode() + password, hashlib.sha256).digest()
        known = self._known.get(digest)
        if known is None:
            hashed = self._users.get(name, self._decoy)
            async with self._checking:
                right = await asyncio.to_thread(_right, password, hashed)
            known = right and name in self._users
            self._known[digest] = known
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return known


def _pair(authorization: str) -> tuple[str, bytes] | None:
    """(user, password) of a basic Authorization header, None where it is none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _right(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:_LONGEST], hashed)
    except ValueError:
        return False
