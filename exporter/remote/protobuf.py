"""
The part of protobuf's encoding that remote write needs: varints, fields with a length, and the fields of a message that
somebody else wrote. Pure; no message is known here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT = 0
FIXED64 = 1
DELIMITED = 2
_FIXED32 = 5
_FIXED = {FIXED64: 8, _FIXED32: 4}

_LONGEST = 10
"""Bytes of a varint of 64 bits."""

_ALL = (1 << 64) - 1

_BYTES = tuple(bytes((number,)) for number in range(0x80))


def varint(number: int) -> bytes:
    """*number* as a varint; a negative one as its two's complement of 64 bits, as ``int64`` has it."""
    if 0 <= number <= 0x7F:
        return _BYTES[number]
    number &= _ALL
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


def delimited(field: int, content: bytes) -> bytes:
    """A field that has a length: text, bytes or a message."""
    return varint(field << 3 | DELIMITED) + varint(len(content)) + content


def number_at(data: bytes, at: int, end: int) -> tuple[int, int]:
    """
    The varint that begins at *at*, and where it ends.

    Raises:
        ValueError: where it is not complete before *end*, or longer than 64 bits.
    """
    number = shift = 0
    for place in range(at, min(end, at + _LONGEST)):
        byte = data[place]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & _ALL, place + 1
        shift += 7
    raise ValueError(f"the number at byte {at} {'never ends' if end - at >= _LONGEST else 'is cut off'}")


def fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """
    The fields of the message that lies in *data* from *at* to *end*, in the order in which they stand.

    Yields:
        Number and wire type of each, where it begins (with its tag), and where its content begins and ends: of a
        `DELIMITED` one without its length, of others the number itself.

    Raises:
        ValueError: where the bytes are no message.
    """
    while at < end:
        begin = at
        tag, at = number_at(data, at, end)
        number, kind = tag >> 3, tag & 7
        if not number:
            raise ValueError(f"field 0 at byte {begin}")
        if kind == DELIMITED:
            length, at = number_at(data, at, end)
            after = at + length
        elif kind == VARINT:
            _, after = number_at(data, at, end)
        elif kind in _FIXED:
            after = at + _FIXED[kind]
        else:
            raise ValueError(f"wire type {kind} at byte {begin}")
        if after > end:
            raise ValueError(f"field {number} at byte {begin} is cut off: it ends at {after}, what holds it at {end}")
        yield number, kind, begin, at, after
        at = after


def double_at(data: bytes, at: int) -> float:
    """The ``double`` in the eight bytes from *at* on, every bit of it."""
    value: float = struct.unpack_from("<d", data, at)[0]
    return value


def signed(number: int) -> int:
    """What a varint means where the field is an ``int64``."""
    return number - (1 << 64) if number >> 63 else number
