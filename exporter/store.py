"""
The newest values of every job, and the immutable snapshot that exposition reads.

Jobs replace their own blocks whole and know nothing of each other; what is left to this module is what only the whole
can tell: values that are outlived, series that two jobs have both, families that two jobs understand differently, and
the limit on all of them. Columns stay columns: a block is copied only where something in it must not be shown. What
was learnt of a block is kept as long as the block is, and what a snapshot made of blocks as long as the next one is
made of the same, so that only what is new is looked through, and what did not change comes out as the same object.
Pure but for `wait_changed` and `take`; to be used from one event loop.
"""

from __future__ import annotations

import asyncio
import math
import operator
import time
from array import array
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import compress, islice

from exporter.kept import Kept
from exporter.model import Block, Family, Snapshot

OnDrop = Callable[[str, int, str], None]
"""Told of what was left out: reason (``conflict``, ``duplicate``, ``limit``), how many series, one of them."""

_STRETCH = 0.001
"""Seconds that `take` works before it lets others."""

_LABELS = 8192
"""Label sets looked at in one go: less than 1 ms."""


class Store:
    """
    Blocks by job.

    Args:
        max_series: how many values a snapshot may have.

        on_drop: told at each snapshot what was left out of it.
    """

    def __init__(self, max_series: int, on_drop: OnDrop) -> None:
        self.max_series = max_series
        self.version = 0
        self._on_drop = on_drop
        self._jobs: dict[str, tuple[Kept, ...]] = {}
        self._changed = asyncio.Event()
        self._shown_at = -math.inf
        self._memory = _Memory()

    def put(self, job: str, blocks: Sequence[Block], at: float | None = None) -> None:
        """
        Replace everything *job* has by *blocks*, which nobody may change from now on.

        The very blocks it has already change nothing: they live on, and what is shown stays as it is.

        Args:
            job: its name.

            blocks: of any families.

            at: unix seconds at which the blocks whose ``ends`` is one instant for all are known to be true, in its
                place; so what is said again, pass after pass, can be the very same block. None leaves their own.

        Raises:
            ValueError: columns of a block differ in length; what the job had before stays.
        """
        before = self._jobs.get(job, ())
        known = {kept.block: kept for kept in before}
        after = tuple([known.get(block) or Kept(block) for block in blocks])
        changed = len(before) != len(after) or not all(map(operator.is_, before, after))
        for kept in after:
            # One that the last snapshot left out as outlived is shown again, though it is the same.
            changed |= kept.prolong(at, self._shown_at)
        self._jobs[job] = after
        if changed:
            self._touch()

    def remove(self, job: str) -> None:
        """Forget everything *job* has."""
        if self._jobs.pop(job, None) is not None:
            self._touch()

    def snapshot(self, now: float) -> Snapshot:
        """
        What may be shown at *now* (unix seconds).

        Within a family the job that sorts first has the word: it fixes type, unit and labels, and its series stand
        where another job has the same ones. Over the limit, what sorts last is left out, so that the rest stays the
        same from one snapshot to the next.
        """
        making = self._making(now)
        while True:
            try:
                next(making)
            except StopIteration as made:
                snapshot: Snapshot = made.value
                return snapshot

    async def take(self, now: float) -> Snapshot:
        """The same, of what there is when it is called, made a millisecond at a time: a scrape need not wait for it."""
        making = self._making(now)
        until = time.perf_counter() + _STRETCH
        while True:
            try:
                next(making)
            except StopIteration as made:
                snapshot: Snapshot = made.value
                return snapshot
            if time.perf_counter() >= until:
                await asyncio.sleep(0)
                until = time.perf_counter() + _STRETCH

    def next_expiry(self, now: float) -> float | None:
        """The first whole unix second after *now* at which a value shown at *now* is outlived; None for none."""
        lasts = (kept.last_second(now) for kept in self._all())
        return min((float(last + 1) for last in lasts if last is not None), default=None)

    async def wait_changed(self, after_version: int) -> int:
        """Return the version as soon as it is beyond *after_version* (at once where it already is)."""
        while self.version <= after_version:
            await self._changed.wait()
        return self.version

    def _touch(self) -> None:
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def _all(self) -> Iterator[Kept]:
        for job in sorted(self._jobs):
            yield from self._jobs[job]

    def _making(self, now: float) -> Generator[None, None, Snapshot]:
        """Make a snapshot, pausing every fraction of a millisecond."""
        self._shown_at = max(now, self._shown_at)
        before, memory = self._memory, _Memory()
        families: dict[str, list[Block]] = {}
        live: dict[Block, int] = {}
        for kept in tuple(self._all()):
            yield from kept.learning()
            block = kept.shown(now)
            if block is not None:
                families.setdefault(block.family.name, []).append(block)
                live[block] = kept.live_at(now)
        shown: list[tuple[Family, tuple[Block, ...]]] = []
        room = self.max_series
        beyond = 0
        example = ""
        for name in sorted(families):
            yield
            agreeing = tuple(self._agreeing(families[name], live))
            blocks: list[Block] = []
            for block in (yield from self._distinct(agreeing, live, before, memory)):
                count = live[block]
                if count > room:
                    beyond += count - room
                    example = example or _name_one(block, _first_live(block.values, room))
                    if room:
                        blocks.append(memory.cut(block, room, before))
                    room = 0
                elif count:
                    blocks.append(block)
                    room -= count
            if blocks:
                shown.append((blocks[0].family, tuple(blocks)))
        if beyond:
            self._on_drop("limit", beyond, example)
        self._memory = memory
        return Snapshot(at=now, families=tuple(shown), series=self.max_series - room)

    def _agreeing(self, blocks: Sequence[Block], live: dict[Block, int]) -> Iterator[Block]:
        """Those of one family's blocks that mean the family of the first."""
        meant = _meaning(blocks[0].family)
        for block in blocks:
            if _meaning(block.family) == meant:
                yield block
            else:
                self._on_drop("conflict", live[block], _name_one(block, _first_live(block.values, 0)))

    def _distinct(
        self, blocks: tuple[Block, ...], live: dict[Block, int], before: _Memory, memory: _Memory
    ) -> Generator[None, None, Sequence[Block]]:
        """One family's blocks with each series only once, the first one's."""
        if not (yield from memory.overlap(blocks, before)):
            return blocks
        found = before.distinct.get(blocks)
        if found is None:
            found = yield from _only_once(blocks)
        memory.distinct[blocks] = found
        distinct, twice, example = found
        live.update({fresh: live[block] - n for fresh, block, n in zip(distinct, blocks, twice, strict=True)})
        if example:
            self._on_drop("duplicate", sum(twice), example)
        return distinct


_Distinct = tuple[tuple[Block, ...], tuple[int, ...], str]
"""Blocks without the series that were there before, how many each has lost, and one of those."""


class _Memory:
    """
    What a snapshot made of blocks, for the next one. It lives until that is made, and so do the blocks and lists.

    Blocks of many families share the label list of their resources, so whether something occurs twice is remembered
    by the lists' identities: one answer serves every family over the same lists, for as long as the lists are used.
    """

    def __init__(self) -> None:
        self.distinct: dict[tuple[Block, ...], _Distinct] = {}
        self._cuts: dict[tuple[Block, int], Block] = {}
        self._overlaps: dict[tuple[int, ...], tuple[Sequence[Sequence[bytes]], bool]] = {}

    def overlap(self, blocks: Sequence[Block], before: _Memory) -> Generator[None, None, bool]:
        """Whether any label set occurs twice in or between *blocks*, with or without a value."""
        key = tuple([id(block.labels) for block in blocks])
        known = self._overlaps.get(key) or before._overlaps.get(key)
        if known is None:
            together: set[bytes] = set()
            for block in blocks:
                for start in range(0, len(block.labels), _LABELS):
                    together.update(block.labels[start : start + _LABELS])
                    yield
            # The lists are kept with the answer: while they live, no other list has their identities.
            lists = [block.labels for block in blocks]
            known = lists, len(together) < sum(map(len, lists))
        self._overlaps[key] = known
        return known[1]

    def cut(self, block: Block, room: int, before: _Memory) -> Block:
        """*block* after its first *room* values that are there, the rest cut off."""
        key = (block, room)
        found = self._cuts[key] = before._cuts.get(key) or _first(block, room)
        return found


def _only_once(blocks: Sequence[Block]) -> Generator[None, None, _Distinct]:
    taken: set[bytes] = set()
    distinct = []
    lost = []
    example = ""
    for block in blocks:
        twice = []
        for index, label in compress(enumerate(block.labels), _is_live(block.values)):
            if label in taken:
                twice.append(index)
            taken.add(label)
            if not index % _LABELS:
                yield
        lost.append(len(twice))
        if twice:
            example = example or _name_one(block, twice[0])
            values = block.values[:]
            for index in twice:
                values[index] = math.nan
            block = replace(block, values=values)  # noqa: PLW2901 - the same block, less what is there already
        distinct.append(block)
    return tuple(distinct), tuple(lost), example


def _is_live(values: array[float]) -> Iterable[bool]:
    """One boolean a value: only NaN differs from itself."""
    return map(operator.eq, values, values)


def _first(block: Block, count: int) -> Block:
    """*block* cut after its first *count* values that are there."""
    stop = _first_live(block.values, count)
    ends = block.ends if isinstance(block.ends, int) else block.ends[:stop]
    return replace(block, labels=block.labels[:stop], values=block.values[:stop], ends=ends)


def _first_live(values: array[float], skip: int) -> int:
    """The index of the value after *skip* values that are there; the number of values where there is none."""
    return next(islice(compress(range(len(values)), _is_live(values)), skip, None), len(values))


def _meaning(family: Family) -> tuple[object, ...]:
    """What two jobs must agree on to write one family."""
    return (family.type, family.unit, family.labels)


def _name_one(block: Block, index: int) -> str:
    return block.family.name + bytes(block.labels[index]).decode("utf-8", "replace")
