"""
The format of the outbox: a frame in bytes, and the record of how far a lane was sent. Pure.

A frame is a head of fixed size, the marks, the body. The head has a checksum of its own and those of the two others, so
its sizes can be trusted before what they speak of is read, and marks can be read without the body.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from exporter.remote import marks as marking

_MAGIC = b"sxF1"
_HEADER = struct.Struct("<4sIIQqqdII")
_RECORD = struct.Struct("<4sQQQ")
_RECORD_MAGIC = b"sxD1"
_SEAL = struct.Struct("<I")

HEADER_BYTES = _HEADER.size + _SEAL.size
"""How long a frame's head is."""

SLOT_BYTES = 64
"""One of the two places of a lane's record, which are written in turn: one is always whole."""

RECORD_BYTES = 2 * SLOT_BYTES


class Frame(NamedTuple):
    """
    A body on its way to disk.

    Args:
        body: a finished request.

        samples: how many it has.

        oldest: stamp of its oldest sample, unix seconds.

        newest: stamp of its newest sample, unix seconds.

        marks: label sets, each with its families and the end of the newest point of each in this body, unix seconds.
    """

    body: bytes
    samples: int
    oldest: int
    newest: int
    marks: Sequence[tuple[bytes, marking.Ends]]


class Header(NamedTuple):
    """What the head of a frame says: the sizes and checksums of its two parts, what it has, when it was appended."""

    marks: int
    body: int
    samples: int
    oldest: int
    newest: int
    at: float
    marks_sum: int
    body_sum: int

    @property
    def size(self) -> int:
        """Bytes of the whole frame."""
        return HEADER_BYTES + self.marks + self.body


class Position(NamedTuple):
    """A place in a lane: the number of a segment, and the byte in it."""

    segment: int
    offset: int


def pack(frame: Frame, at: float) -> tuple[Header, bytes]:
    """A frame in bytes, with what its head says; *at* is when it is appended, unix seconds."""
    marks = marking.pack(marking.shared(frame.marks))
    body = bytes(frame.body)
    sums = zlib.crc32(marks), zlib.crc32(body)
    header = Header(len(marks), len(body), frame.samples, frame.oldest, frame.newest, at, *sums)
    return header, _sealed(_HEADER.pack(_MAGIC, *header)) + marks + body


def pack_marks(marks: bytes) -> bytes:
    """A frame that has packed marks and nothing else."""
    return _sealed(_HEADER.pack(_MAGIC, len(marks), 0, 0, 0, 0, 0.0, zlib.crc32(marks), zlib.crc32(b""))) + marks


def read_header(data: bytes) -> Header | None:
    """The head of a frame from its `HEADER_BYTES`; None where they are none."""
    head = _opened(data[:HEADER_BYTES], HEADER_BYTES)
    if head is None or not head.startswith(_MAGIC):
        return None
    return Header(*_HEADER.unpack(head)[1:])


def pack_record(position: Position, count: int) -> bytes:
    """What a lane's slot number ``count % 2`` holds: everything before *position* is done; *count* only ever grows."""
    return _sealed(_RECORD.pack(_RECORD_MAGIC, count, *position))


def read_record(data: bytes) -> tuple[Position, int] | None:
    """The newer one of a lane's two slots that is whole, and its count; None where neither is."""
    found: tuple[Position, int] | None = None
    for start in (0, SLOT_BYTES):
        record = _opened(data[start : start + _RECORD.size + _SEAL.size], _RECORD.size + _SEAL.size)
        if record is None or not record.startswith(_RECORD_MAGIC):
            continue
        _, count, segment, offset = _RECORD.unpack(record)
        if found is None or count > found[1]:
            found = Position(segment, offset), count
    return found


def _sealed(data: bytes) -> bytes:
    return data + _SEAL.pack(zlib.crc32(data))


def _opened(data: bytes, size: int) -> bytes | None:
    """*data* without its checksum; None where it is cut or wrong."""
    inner = data[: -_SEAL.size]
    if len(data) != size or zlib.crc32(inner) != _SEAL.unpack(data[-_SEAL.size :])[0]:
        return None
    return inner
