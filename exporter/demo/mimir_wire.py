"""
What a remote-write request says (protocol 1.0): a snappy block around a protobuf message, read by hand.

Knows the messages by their field numbers alone and nothing of what a receiver thinks of them; `mimir_checks` does.
Fields it does not know (exemplars, histograms) are passed over, as protobuf asks. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cramjam

STALE_BITS = 0x7FF0_0000_0000_0002
"""The NaN that says: this series ends here."""

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_TYPES = ("unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")

Labels = tuple[tuple[str, str], ...]
"""Names and values in the order they were sent; what is not UTF-8 is in surrogates (PEP 383)."""


class WireError(ValueError):
    """The bytes are no such request; the text says where they stop making sense."""


class Sample(NamedTuple):
    """One value; `at` in milliseconds since 1970."""

    at: int
    value: float


class TimeSeries(NamedTuple):
    """One series of a request."""

    labels: Labels
    samples: list[Sample]


class Metadata(NamedTuple):
    """What is said about a metric family; `kind` as Prometheus spells it, such as ``gauge``."""

    family: str
    kind: str
    help: str
    unit: str


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """One request; `size` is that of the message in bytes, before it was compressed."""

    series: list[TimeSeries]
    metadata: list[Metadata]
    size: int


def bits_of(value: float) -> int:
    """The 64 bits of a value, by which one NaN is told from another."""
    return int.from_bytes(struct.pack(">d", value), "big")


def is_stale(value: float) -> bool:
    """Whether a value is the staleness marker; any other NaN is a value."""
    return bits_of(value) == STALE_BITS


def decompress(data: bytes, limit: int) -> bytes:
    """
    The message in a snappy block.

    Args:
        data: the block, without framing.

        limit: bytes the message may have.

    Raises:
        WireError: it is no snappy block. OverflowError: the message is larger than *limit*; it is not unpacked.
    """
    try:
        size, _ = _varint(data, 0)
    except WireError:
        raise WireError("snappy: corrupt input") from None
    if size > limit:
        raise OverflowError(size)
    try:
        return bytes(cramjam.snappy.decompress_raw(data))
    except cramjam.DecompressionError:
        raise WireError("snappy: corrupt input") from None


def decode(message: bytes) -> WriteRequest:
    """
    Read a WriteRequest.

    Raises:
        WireError: it is none.
    """
    series, metadata = [], []
    for number, value in _fields(message):
        if number == 1:
            series.append(_series(_bytes(value)))
        elif number == 3:
            metadata.append(_metadata(_bytes(value)))
    return WriteRequest(series, metadata, len(message))


def _series(message: bytes) -> TimeSeries:
    labels, samples = [], []
    for number, value in _fields(message):
        if number == 1:
            labels.append(_label(_bytes(value)))
        elif number == 2:
            samples.append(_sample(_bytes(value)))
    return TimeSeries(tuple(labels), samples)


@lru_cache(maxsize=100_000)  # the pairs of one request are nearly all those of the last
def _label(message: bytes) -> tuple[str, str]:
    name = text = b""
    for number, value in _fields(message):
        if number == 1:
            name = _bytes(value)
        elif number == 2:
            text = _bytes(value)
    return _text(name), _text(text)


def _sample(message: bytes) -> Sample:
    at, number_bits = 0, b"\0" * 8
    for number, value in _fields(message):
        if number == 1:
            number_bits = _bytes(value)
            if len(number_bits) != 8:
                raise WireError("proto: wrong wireType for field Value of a sample")
        elif number == 2:
            at = _signed(_whole(value))
    return Sample(at, struct.unpack("<d", number_bits)[0])


def _metadata(message: bytes) -> Metadata:
    kind, texts = 0, {2: b"", 4: b"", 5: b""}
    for number, value in _fields(message):
        if number == 1:
            kind = _whole(value)
        elif number in texts:
            texts[number] = _bytes(value)
    spelled = _TYPES[kind] if kind < len(_TYPES) else str(kind)
    return Metadata(_text(texts[2]), spelled, _text(texts[4]), _text(texts[5]))


# --- protobuf's own shapes --------------------------------------------------------------------------------------------


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Number and value of each field: a whole number for a varint, else the bytes."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if not number:
            raise WireError("proto: illegal tag 0")
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _LENGTH:
            length, at = _varint(message, at)
        elif kind in {_FIXED64, _FIXED32}:
            length = 8 if kind == _FIXED64 else 4
        else:
            raise WireError(f"proto: illegal wireType {kind}")
        if at + length > end:
            raise WireError("unexpected EOF")
        yield number, message[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A varint of at most 64 bits that begins at *at*, and where it ends."""
    if at < len(data) and data[at] < 0x80:
        return data[at], at + 1
    value = shift = 0
    while True:
        if at >= len(data):
            raise WireError("unexpected EOF")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise WireError("proto: integer overflow")
    return value & 0xFFFF_FFFF_FFFF_FFFF, at


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _bytes(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise WireError("proto: wrong wireType 0 for a field that has a length")
    return value


def _whole(value: bytes | int) -> int:
    if not isinstance(value, int):
        raise WireError("proto: wrong wireType for a field that is a whole number")
    return value


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
