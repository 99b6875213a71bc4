"""
The newest values of every job, and the immutable snapshot that exposition reads.

Jobs replace their own blocks whole and know nothing of each other; what is left to this module is what only the whole
can tell: values that are outlived, series that two jobs have both, families that two jobs understand differently, and
the limit on all of them. Columns stay columns: a block is copied only where something in it must not be shown. Pure
but for `wait_changed`; to be used from one event loop.
"""

from __future__ import annotations

import asyncio
import math
import operator
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress

from exporter.model import Block, Family, Snapshot

OnDrop = Callable[[str, int, str], None]
"""Told of what was left out: reason (``conflict``, ``duplicate``, ``limit``), how many series, one of them."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A block with what is worth knowing of it without reading its columns again."""

    block: Block
    live: int
    earliest: int

    @property
    def last_second(self) -> int:
        """The last unix second at which all of it may be shown."""
        return self.earliest + self.block.span


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
        self._jobs: dict[str, tuple[_Kept, ...]] = {}
        self._changed = asyncio.Event()

    def put(self, job: str, blocks: Sequence[Block], at: int | None = None) -> None:
        """
        Replace everything *job* has by *blocks*, which nobody may change from now on.

        Args:
            at: unix seconds of which what is held (``ends`` is one instant for all) is known to be true, in place of
                that instant; None leaves it.

        Raises:
            ValueError: columns of a block differ in length; what the job had before stays.
        """
        held = [
            replace(block, ends=at) if at is not None and isinstance(block.ends, int) else block for block in blocks
        ]
        self._jobs[job] = tuple(kept for kept in map(_keep, held) if kept.live)
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
        families: dict[str, list[Block]] = {}
        for kept in self._all():
            block = kept.block if now <= kept.last_second else _unexpired(kept.block, now)
            if block is not None:
                families.setdefault(block.family.name, []).append(block)
        seen = _Overlaps()
        shown: list[tuple[Family, tuple[Block, ...]]] = []
        room = self.max_series
        beyond = 0
        example = ""
        for name in sorted(families):
            blocks: list[Block] = []
            for block in self._distinct(self._agreeing(families[name]), seen):
                live = _live(block.values)
                if live > room:
                    beyond += live - room
                    example = example or _name_one(block, _first_live(block.values, room))
                    cut, live = _first(block, room), room
                else:
                    cut = block
                room -= live
                if live:
                    blocks.append(cut)
            if blocks:
                shown.append((blocks[0].family, tuple(blocks)))
        if beyond:
            self._on_drop("limit", beyond, example)
        return Snapshot(at=now, families=tuple(shown), series=self.max_series - room)

    def next_expiry(self, now: float) -> float | None:
        """The first whole unix second after *now* at which a value shown at *now* is outlived; None for none."""
        lasts = (kept.last_second if kept.last_second >= now else _next_last(kept.block, now) for kept in self._all())
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

    def _all(self) -> Iterator[_Kept]:
        for job in sorted(self._jobs):
            yield from self._jobs[job]

    def _agreeing(self, blocks: Sequence[Block]) -> list[Block]:
        """Those of one family's blocks that mean the family of the first."""
        meant = _meaning(blocks[0].family)
        agreeing = []
        for block in blocks:
            if _meaning(block.family) == meant:
                agreeing.append(block)
            else:
                self._on_drop("conflict", _live(block.values), _name_one(block, _first_live(block.values, 0)))
        return agreeing

    def _distinct(self, blocks: Sequence[Block], seen: _Overlaps) -> Sequence[Block]:
        """One family's blocks with each series only once, the first one's."""
        if not seen.any(blocks):
            return blocks
        taken: set[bytes] = set()
        distinct = []
        dropped = 0
        example = ""
        for block in blocks:
            values = block.values
            twice = []
            for index, (label, value) in enumerate(zip(block.labels, values, strict=True)):
                if math.isnan(value):
                    continue
                if label in taken:
                    twice.append(index)
                taken.add(label)
            if twice:
                dropped += len(twice)
                example = example or _name_one(block, twice[0])
                values = values[:]
                for index in twice:
                    values[index] = math.nan
                block = replace(block, values=values)  # noqa: PLW2901 - the same block, less what is there already
            distinct.append(block)
        if dropped:
            self._on_drop("duplicate", dropped, example)
        return distinct


class _Overlaps:
    """
    Whether blocks may have a series twice; one answer serves every family over the same lists of labels.

    Blocks of many families share the label list of their resources, so the lists' identities are what is remembered.
    It lives as long as one snapshot is made, and so do the lists.
    """

    def __init__(self) -> None:
        self._answers: dict[tuple[int, ...], bool] = {}

    def any(self, blocks: Sequence[Block]) -> bool:
        """Whether any label set occurs twice in or between *blocks*, with or without a value."""
        key = tuple(id(block.labels) for block in blocks)
        answer = self._answers.get(key)
        if answer is None:
            together: set[bytes] = set()
            for block in blocks:
                together.update(block.labels)
            answer = self._answers[key] = len(together) < sum(len(block.labels) for block in blocks)
        return answer


def _keep(block: Block) -> _Kept:
    count = len(block.values)
    ends = block.ends
    if len(block.labels) != count or (not isinstance(ends, int) and len(ends) != count):
        raise ValueError(
            f"a block of {block.family.name} has {count} values for {len(block.labels)} label sets"
            + ("" if isinstance(ends, int) else f" and {len(ends)} ends")
        )
    live = _live(block.values)
    if isinstance(ends, int):
        return _Kept(block, live, ends)
    shown = ends if live == count else compress(ends, _is_live(block.values))
    return _Kept(block, live, min(shown, default=0))


def _is_live(values: array[float]) -> Iterable[bool]:
    """One boolean a value: only NaN differs from itself."""
    return map(operator.eq, values, values)


def _live(values: array[float]) -> int:
    return len(values) - sum(map(math.isnan, values))


def _unexpired(block: Block, now: float) -> Block | None:
    """*block* with what is outlived at *now* masked; None where nothing is left. Some of it is outlived."""
    ends = block.ends
    if isinstance(ends, int):
        return None
    oldest = now - block.span
    values = array("d", (v if end >= oldest else math.nan for v, end in zip(block.values, ends, strict=True)))
    return replace(block, values=values) if _live(values) else None


def _next_last(block: Block, now: float) -> int | None:
    """The last second of the value that is outlived next after *now*; None where all are."""
    ends = block.ends
    if isinstance(ends, int):
        return None
    oldest = now - block.span
    first = min((end for end in compress(ends, _is_live(block.values)) if end >= oldest), default=None)
    return None if first is None else first + block.span


def _first(block: Block, count: int) -> Block:
    """*block* cut after its first *count* values that are there."""
    stop = _first_live(block.values, count)
    ends = block.ends if isinstance(block.ends, int) else block.ends[:stop]
    return replace(block, labels=block.labels[:stop], values=block.values[:stop], ends=ends)


def _first_live(values: array[float], skip: int) -> int:
    """The index of the value after *skip* values that are there; the number of values where there is none."""
    for index, value in enumerate(values):
        if not math.isnan(value):
            if not skip:
                return index
            skip -= 1
    return len(values)


def _meaning(family: Family) -> tuple[object, ...]:
    """What two jobs must agree on to write one family."""
    return (family.type, family.unit, family.labels)


def _name_one(block: Block, index: int) -> str:
    return block.family.name + bytes(block.labels[index]).decode("utf-8", "replace")
