"""How Kubernetes writes sizes and instants, as bytes and unix seconds. Pure; what is absurd is None, never an error."""

from __future__ import annotations

import math
import re
from datetime import datetime
from fractions import Fraction
from functools import lru_cache

_QUANTITY = re.compile(r"\+?([0-9]{0,30})(?:\.([0-9]{0,30}))?(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?[0-9]{1,2}))?")
_BINARY = {letter + "i": 1024**power for power, letter in enumerate("KMGTPE", 1)}
_DECIMAL = {
    letter: Fraction(10) ** power for letter, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)
}
_LARGEST = 2**80
"""Bytes beyond which a size is no size. EFS says 8 EiB, which is 2^63."""

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)


def bytes_of(quantity: object) -> int | None:
    """
    Bytes of a Kubernetes quantity, exactly; what is no whole number is rounded up, as Kubernetes does.

    Args:
        quantity: such as ``100Gi``, ``1.5G``, ``128974848``, ``1e3`` or ``100m``; a JSON number too.

    Returns:
        None for what is none: another type, another text, a negative or impossibly large size.
    """
    if not isinstance(quantity, str | int | float):
        return None
    text = quantity if isinstance(quantity, str) else repr(quantity)
    return _bytes(text) if len(text) <= 64 else None


@lru_cache(maxsize=1024)  # most volumes have one of few sizes: they share the number too
def _bytes(text: str) -> int | None:
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    whole, part, suffix, exponent = found.groups(default="")
    if not whole and not part:
        return None
    number = Fraction(int(whole + part or "0"), 10 ** len(part))
    if exponent:
        number *= Fraction(10) ** int(exponent)
    elif suffix:
        number *= _BINARY.get(suffix) or _DECIMAL[suffix]
    return math.ceil(number) if number <= _LARGEST else None


def instant_of(text: str | None) -> int | None:
    """Whole unix seconds of an RFC 3339 instant, fraction or not; None for any other text, and before 1970."""
    if text is None or not _INSTANT.fullmatch(text):
        return None
    try:
        seconds = math.floor(datetime.fromisoformat(text).timestamp())
    except ValueError:  # the 30th of February
        return None
    return seconds if seconds > 0 else None  # Go's zero time is the year 1
