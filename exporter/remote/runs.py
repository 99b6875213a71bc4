"""
Columns as encoded runs of series, in which a new stamp is all that a new write of the same values needs. Pure.

What is kept of a series is four references: to its head (tag, length, labels before the name, the name), to the rest of
its labels, to its value and to the stamp. Heads are shared by all series of a family whose labels have one length,
labels by all families of a resource, values by all that are equal; so little is kept beside the references, and one
stamp after another is put in by one strided copy. Written resource by resource, since neighbours with equal labels
compress to half (performance.md 4).
"""

from __future__ import annotations

import math
import operator
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress
from typing import TypeVar

import cramjam

from exporter.model import Block
from exporter.remote.protobuf import delimited, varint
from exporter.remote.wire import Body

STAMPS = range((1 << 35) // 1000 + 1, (1 << 42) // 1000 + 1)
"""Unix seconds whose milliseconds are a varint of six bytes: from February 1971 until May 2109."""

SERIES = 2000
"""Series of a body, at most."""

_RUN = SERIES // 2
"""Series of a run: what is encoded anew where one of its values changed, and about 1 ms of it."""

_TIMESERIES = b"\x0a"
_LABEL = 1
_SAMPLE = 18
_VALUE = 12
_VALUE_AT = 3
_BLANK = b"\x12\x10\x09" + bytes(8) + b"\x10"
"""A sample up to its stamp, its value left zero: tag and length, tag and value, the stamp's tag."""

_PARTS = 4
"""Pieces of a series: head, labels, value, stamp."""

T = TypeVar("T")

Key = tuple[bytes, int]
"""What the head of a series hangs on beside its name: the labels before that, and the bytes of all labels but that."""


class Rows:
    """
    The encoded label sets that the blocks of a group share.

    Args:
        labels: the very object that the blocks have; held, so that its identity names no other.
    """

    __slots__ = ("afters", "keys", "labels", "tenants")

    def __init__(self, labels: Sequence[bytes]) -> None:
        self.labels = labels
        self.afters: list[bytes] = []
        self.keys: list[Key] = []
        self.tenants: dict[str, Sequence[int]] = {}

    def add(self, halves: tuple[bytes, bytes], tenant: str, seen: dict[Key, Key]) -> None:
        """Take the next label set: encoded, before and after the name, and whose it is."""
        before, after = halves
        key = before, len(before) + len(after)
        indexes = self.tenants.setdefault(tenant, [])
        if isinstance(indexes, list):
            indexes.append(len(self.keys))
        self.keys.append(seen.setdefault(key, key))
        self.afters.append(after)

    def settle(self) -> None:
        """Nothing more is added."""
        if len(self.tenants) == 1:
            self.tenants = dict.fromkeys(self.tenants, range(len(self.keys)))

    def parts(self, families: int) -> Iterator[tuple[str, Sequence[int]]]:
        """Tenants and indexes of their label sets, as many at a time as make one run of that many families."""
        step = max(1, _RUN // families)
        for tenant, indexes in self.tenants.items():
            for start in range(0, len(indexes), step):
                yield tenant, indexes[start : start + step]


class Heads(dict[Key, bytes]):
    """What stands before the labels that follow the name, of the series of one family."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = delimited(_LABEL, delimited(1, b"__name__") + delimited(2, name.encode()))

    def __missing__(self, key: Key) -> bytes:
        before, size = key
        length = varint(size + len(self._name) + _SAMPLE)
        return self.setdefault(key, _TIMESERIES + length + before + self._name)


class Run:
    """
    Some label sets of some blocks, encoded but for the stamp.

    Args:
        rows: of all the blocks.

        indexes: which of them.

        blocks: one a family.

        heads: one a block.

        seen: values that are shared, bounded by whoever has them.
    """

    __slots__ = ("_pieces", "series")

    def __init__(
        self,
        rows: Rows,
        indexes: Sequence[int],
        blocks: Sequence[Block],
        heads: Sequence[Heads],
        seen: dict[bytes, bytes],
    ) -> None:
        afters, keys = _chosen(rows.afters, indexes), _chosen(rows.keys, indexes)
        stride = _PARTS * len(blocks)
        pieces = [b""] * (stride * len(indexes))
        there = [True] * (len(blocks) * len(indexes))
        for number, (block, table) in enumerate(zip(blocks, heads, strict=True)):
            values = _column(block.values, indexes)
            first = _PARTS * number
            pieces[first::stride] = [table[key] for key in keys]
            pieces[first + 1 :: stride] = afters
            pieces[first + 2 :: stride] = [seen.setdefault(each, each) for each in _samples(values)]
            if math.isnan(sum(values)):
                there[number :: len(blocks)] = map(operator.eq, values, values)
        self.series = sum(there)
        if self.series < len(there):
            pieces = list(compress(pieces, chain.from_iterable(zip(*[there] * _PARTS, strict=True))))
        self._pieces = pieces

    def stamped(self, stamp: bytes) -> bytes:
        """The series with their stamp, as they stand in a WriteRequest."""
        self._pieces[_PARTS - 1 :: _PARTS] = [stamp] * self.series
        return b"".join(self._pieces)


def same(indexes: Sequence[int], old: Block, new: Block) -> bool:
    """Whether two blocks with the same label sets have the same values there, every bit of them."""
    return _column(old.values, indexes).tobytes() == _column(new.values, indexes).tobytes()


def body(runs: Iterable[Run], at: int) -> Body:
    """
    A body of some runs.

    Args:
        runs: at least one series.

        at: the stamp of all of them, one of `STAMPS`.
    """
    stamp = varint(1000 * at)
    data = b"".join([run.stamped(stamp) for run in runs])
    series = sum(run.series for run in runs)
    return Body(bytes(cramjam.snappy.compress_raw(data)), series, series, at, at, 0, series)


def _chosen(column: list[T], indexes: Sequence[int]) -> list[T]:
    if isinstance(indexes, range):
        return column[indexes.start : indexes.stop]
    return [column[index] for index in indexes]


def _column(values: array[float], indexes: Sequence[int]) -> array[float]:
    if isinstance(indexes, range):
        return values[indexes.start : indexes.stop]
    return array("d", [values[index] for index in indexes])


def _samples(values: array[float]) -> list[bytes]:
    """Each value's sample up to its stamp."""
    raw = values.tobytes()
    if sys.byteorder == "big":
        raw = struct.pack(f"<{len(values)}d", *values)
    buffer = bytearray(_BLANK * len(values))
    for byte in range(8):
        buffer[_VALUE_AT + byte :: _VALUE] = raw[byte::8]
    whole = bytes(buffer)
    return [whole[start : start + _VALUE] for start in range(0, len(whole), _VALUE)]
