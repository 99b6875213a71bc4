"""
Up to where each series of a generation has been written out for a receiver, and what it still lacks. Pure.

A receiver takes the datapoints of a series in the order of their stamps, so what is not newer than the newest written
is left out; where it takes them in any order, what was missing then may follow. Series are told apart by how they are
shown: two attachments of one volume make one series.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

LOOKED_BACK = 64
"""Periods before the newest written one of which it is known whether they were missing."""


class Shown(Protocol):
    """A column of `Grid`, as far as this module looks at it."""

    @property
    def name(self) -> str:
        """Of the family."""
        ...

    @property
    def labels(self) -> tuple[bytes, ...]:
        """The label sets of its series."""
        ...


class Ended(NamedTuple):
    """A series that is no more: its family, its label set, and the end of its newest period, unix seconds."""

    name: str
    labels: bytes
    until: int


class Shipped:
    """
    How far the series of *columns* have come.

    ``until``: for each column one entry a label set, the end of the newest period written, unix seconds; 0 for none.
    ``ended``: the series of the generation before that are not here.
    """

    __slots__ = ("_columns", "_gone", "_holes", "ended", "until")

    def __init__(self, columns: Sequence[Shown]) -> None:
        self._columns = columns
        self.until = [array("I", bytes(4 * len(column.labels))) for column in columns]
        self.ended: list[Ended] = []
        self._holes: dict[tuple[int, int], int] = {}  # (column, label set) → bit n: the nth period before is missing
        self._gone: dict[tuple[str, bytes], int] = {}

    # ---- from one generation to the next -----------------------------------------------------------------------

    def take_over(self, old: Shipped, since: float) -> None:
        """
        Go on where *old* stands.

        Args:
            since: unix seconds; series that ended are remembered while their newest period is younger, for they may
                come back and must not go back in time then.
        """
        before = {column.name: number for number, column in enumerate(old._columns) if any(old.until[number])}
        self._gone = {key: end for key, end in old._gone.items() if end > since}
        for number, column in enumerate(self._columns):
            was = before.pop(column.name, None)
            if was is not None:
                self._take_column(number, old, was, since)
        for left in before.values():
            self._end(old._columns[left], old.until[left], frozenset(), since)
        if self._gone:
            self._come_back()

    def _take_column(self, number: int, old: Shipped, was: int, since: float) -> None:
        labels, earlier = self._columns[number].labels, old._columns[was].labels
        if labels is earlier or labels == earlier:
            self.until[number][:] = old.until[was]
            for (column, index), mask in old._holes.items():
                if column == was:
                    self._holes[number, index] = mask
            return
        places = {label: index for index, label in enumerate(earlier)}
        until = self.until[number]
        for index, label in enumerate(labels):
            place = places.get(label)
            if place is not None:
                until[index] = old.until[was][place]
                if lacking := old._holes.get((was, place)):
                    self._holes[number, index] = lacking
        self._end(old._columns[was], old.until[was], frozenset(labels), since)

    def _end(self, column: Shown, until: Sequence[int], here: frozenset[bytes], since: float) -> None:
        for label, end in zip(column.labels, until, strict=True):
            if end and label not in here:
                self.ended.append(Ended(column.name, label, end))
                if end > since:
                    self._gone[column.name, label] = end

    def _come_back(self) -> None:
        for column, until in zip(self._columns, self.until, strict=True):
            for index, label in enumerate(column.labels):
                if not until[index]:
                    until[index] = self._gone.pop((column.name, label), 0)

    def resume(self, marks: Mapping[str, Mapping[bytes, int]], least: Mapping[str, int] = {}) -> None:
        """
        Go on where others had come to, with what stands nowhere yet.

        Args:
            marks: an earlier run of the program: family → label set → end, unix seconds.

            least: another replica, with every series it had: family → end.
        """
        for column, until in zip(self._columns, self.until, strict=True):
            known, all_have = marks.get(column.name, {}), least.get(column.name, 0)
            for index, label in enumerate(column.labels if known or all_have else ()):
                if not until[index]:
                    until[index] = max(known.get(label, 0), all_have)

    def common(self, number: int, behind: int) -> int:
        """
        Up to where all series of a column were written that have not stopped; 0 where none was.

        Args:
            behind: seconds that one may be behind the newest of them without having stopped.
        """
        until = self.until[number]
        newest = max(until, default=0)
        return min((end for end in until if end >= newest - behind), default=0) if newest else 0

    # ---- datapoints --------------------------------------------------------------------------------------------

    def missing(self, column: int, index: int, ends: Sequence[int], period: int) -> Iterator[int]:
        """The places in *ends* of what is not newer than the newest written, and was missing then."""
        mask = self._holes.get((column, index), 0)
        newest = self.until[column][index]
        for place in range(bisect_right(ends, newest) if mask else 0):
            back = (newest - ends[place]) // period
            if back < LOOKED_BACK and mask >> back & 1:
                yield place

    def wrote(self, column: int, index: int, ends: Sequence[int]) -> None:
        """Note that *ends* are written, all newer than what was before; nobody asks what is missing."""
        self.until[column][index] = max(ends[-1], self.until[column][index])

    def wrote_some(self, column: int, index: int, ends: Sequence[int], period: int) -> None:
        """The same, where what is missing may follow; *ends* may hold what was."""
        newest = self.until[column][index]
        key = (column, index)
        mask = self._holes.get(key, 0)
        latest = max(newest, ends[-1])
        begin = newest or ends[0] - period
        moved = (latest - begin) // period
        # Everything after the newest written is missing until it is among the ends; so is what was missing before.
        mask = mask << moved | (1 << min(moved, LOOKED_BACK)) - 1
        for end in ends:
            mask &= ~(1 << (latest - end) // period)
        mask &= (1 << LOOKED_BACK) - 1
        self.until[column][index] = latest
        if mask:
            self._holes[key] = mask
        else:
            self._holes.pop(key, None)
