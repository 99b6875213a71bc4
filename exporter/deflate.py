"""
Deflate (RFC 1951) in parts that can be set one after another, by whatever does it fastest here. Pure.
"""

from __future__ import annotations

import zlib
from typing import Protocol

try:
    from isal import isal_zlib as _isal
except ImportError:  # no wheel for this platform
    _isal = None  # type: ignore[assignment]


class _Squeeze(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self, mode: int = ..., /) -> bytes: ...


class _Inflate(Protocol):
    @property
    def unconsumed_tail(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Codec(Protocol):
    """What is used of `zlib` and of `isal_zlib`, which does the same several times faster."""

    DEFLATED: int
    Z_FULL_FLUSH: int

    def compressobj(self, level: int, method: int, wbits: int, /) -> _Squeeze:
        """A fresh compressor; negative *wbits* for bare deflate."""
        ...

    def decompressobj(self, wbits: int, /) -> _Inflate:
        """What takes such a compressor's bytes apart again."""
        ...

    def crc32(self, data: bytes, value: int, /) -> int:
        """The checksum of *data* after bytes whose checksum is *value*."""
        ...


FASTEST: Codec = _isal or zlib
"""`isal_zlib` where it is installed, else `zlib`."""


def deflate(text: bytes, codec: Codec = FASTEST, level: int = 1) -> bytes:
    """Deflate blocks of *text* that end on a byte boundary and need nothing before them (RFC 1951)."""
    squeeze = codec.compressobj(level, codec.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(text) + squeeze.flush(codec.Z_FULL_FLUSH)


def last(text: bytes, codec: Codec = FASTEST) -> bytes:
    """Deflate blocks of *text* that end a stream."""
    squeeze = codec.compressobj(1, codec.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(text) + squeeze.flush()
