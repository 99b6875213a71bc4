"""
One block in the store, with what was learnt of it: how many values it has, and until when which of them are shown.

A block never changes, so each of its columns is looked through once, in C and a stretch at a time; what is left of it
where something is outlived is made once for as long as it stays so. Pure.
"""

from __future__ import annotations

import math
import operator
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import compress

from exporter.model import Block

_STRETCH = 16384
"""Values looked at in one go: about 1 ms."""


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is left of a block from one second to another."""

    block: Block | None
    live: int
    first: float
    last: int | None

    def holds(self, now: float) -> bool:
        """Whether it is what is left at *now*."""
        return now >= self.first and (self.last is None or now <= self.last)


class Kept:
    """
    A block and what is known of it.

    Raises:
        ValueError: its columns differ in length.
    """

    __slots__ = ("_earliest", "_learnt", "_live", "_rest", "block")

    def __init__(self, block: Block) -> None:
        count = len(block.values)
        ends = block.ends
        if len(block.labels) != count or (not isinstance(ends, int) and len(ends) != count):
            raise ValueError(
                f"a block of {block.family.name} has {count} values for {len(block.labels)} label sets"
                + ("" if isinstance(ends, int) else f" and {len(ends)} ends")
            )
        self.block = block
        self._learnt = False
        self._live = 0
        self._earliest: float = ends if isinstance(ends, int) else math.inf
        self._rest: _Rest | None = None

    def prolong(self, at: float | None, shown_at: float) -> bool:
        """
        Take the block as true at *at* (None: at its own instant), where it has one instant for all values.

        Returns:
            Whether what is shown of it at *shown_at*, unix seconds, is another thing thereby.
        """
        if not isinstance(self.block.ends, int):
            return False
        before = shown_at <= self._last
        self._earliest = self.block.ends if at is None else at
        return before != (shown_at <= self._last)

    def learning(self) -> Iterator[None]:
        """Look through the columns, pausing every millisecond; nothing to do where that was done before."""
        if self._learnt:
            return
        values, ends = self.block.values, self.block.ends
        live, earliest = 0, self._earliest
        for start in range(0, len(values), _STRETCH):
            part = values[start : start + _STRETCH]
            here = _live(part)
            live += here
            if here and not isinstance(ends, int):
                its = ends[start : start + _STRETCH]
                first = min(its if here == len(part) else compress(its, _is_live(part)))
                earliest = min(earliest, first)
            yield
        self._live = live
        if not isinstance(ends, int):
            self._earliest = earliest
        self._learnt = True

    def shown(self, now: float) -> Block | None:
        """The block, less what is outlived at *now* (unix seconds); None where nothing is left."""
        return self._left(now).block

    def live_at(self, now: float) -> int:
        """How many values `shown` has."""
        return self._left(now).live

    def last_second(self, now: float) -> int | None:
        """The last unix second at which all that is shown at *now* still is; None where nothing is shown."""
        return self._left(now).last

    @property
    def _last(self) -> float:
        """The last second at which all of it is shown."""
        return self._earliest + self.block.span

    def _left(self, now: float) -> _Rest:
        for _ in self.learning():
            pass
        if not self._live:
            return _Rest(None, 0, now, None)
        if now <= self._last:
            return _Rest(self.block, self._live, now, int(self._last))
        ends = self.block.ends
        if isinstance(ends, int):
            return _Rest(None, 0, now, None)
        if self._rest is None or not self._rest.holds(now):
            self._rest = _rest(self.block, ends, now)
        return self._rest


def _rest(block: Block, ends: array[int], now: float) -> _Rest:
    """What is left of a block of which something is outlived at *now*."""
    oldest = now - block.span
    values = block.values[:]
    for index in compress(range(len(values)), map(oldest.__gt__, ends)):
        values[index] = math.nan
    live = _live(values)
    if not live:
        return _Rest(None, 0, now, None)
    return _Rest(replace(block, values=values), live, now, min(compress(ends, _is_live(values))) + block.span)


def _is_live(values: array[float]) -> Iterable[bool]:
    """One boolean a value: only NaN differs from itself."""
    return map(operator.eq, values, values)


def _live(values: array[float]) -> int:
    total = sum(values)
    if total == total:  # noqa: PLR0124 - a sum with a NaN in it is NaN, and this way costs half of the other
        return len(values)
    return len(values) - sum(map(math.isnan, values))
