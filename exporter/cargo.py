"""
What the passes of one service in one scope bring that is to be sent: collected, written into requests, kept on disk.

A datapoint goes out once, in the order of its series. The cursors of what was asked move when the requests that hold
it are on disk, not before: what is lost on the way there is asked again. How requests look is `remote.wire`'s, how they
are kept `remote.outbox`'s; which of the datapoints are new is decided here.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Protocol

from exporter.cloudwatch.grid import Grid
from exporter.cloudwatch.nouns import Batch, Group
from exporter.cloudwatch.shipped import Ended
from exporter.cloudwatch.taking import Add, Taken, leave, move
from exporter.model import Fold, MetricRow
from exporter.remote.frames import Frame
from exporter.remote.whole import whole
from exporter.remote.wire import STALE, Encoder, Series

POINTS = 250_000
"""Datapoints that are collected before they are written down: 4 MB, a second and a half of AWS's quota."""

STOPPED = 5
"""Periods that a series may be behind the others of its family, beside its interval, without having stopped."""


class Way(Protocol):
    """What is needed of the outbox."""

    async def append(self, lane: str, frames: Sequence[Frame]) -> None:
        """Keep *frames*, after all that the lane has; raises `OutboxError` and keeps none where that cannot be."""
        ...


@dataclass(frozen=True, slots=True)
class Shipping:
    """
    Where cargo goes.

    Args:
        way: the outbox.

        external: labels that go on every series that has none of that name.

        lane: by account, region and label set.

        marks: how far each series had come when the program started.

        any_order: whether the receiver takes samples older than its newest.

        handed: how far another replica had come: scope → family → end of the newest period, unix seconds.

        reached: told how far this one has come, likewise.
    """

    way: Way
    external: Sequence[tuple[str, str]]
    lane: Callable[[str, str, bytes], str]
    marks: Mapping[str, Mapping[bytes, int]]
    any_order: bool = False
    handed: Mapping[tuple[str, str], Mapping[str, int]] = field(default_factory=dict)
    reached: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)


_Item = tuple[MetricRow, int, int, Sequence[int], Sequence[float]]
"""
The datapoints of one series: the row, the places of its column and of its label set in that, ends and values. A plain
tuple, for there are a hundred thousand.
"""


@dataclass(slots=True)
class _Load:
    """What is collected until it is written down, of one generation."""

    items: dict[bytes, list[_Item]] = field(default_factory=dict)
    together: dict[tuple[int, int], dict[int, float]] = field(default_factory=dict)
    moves: list[tuple[Batch, Taken, float]] = field(default_factory=list)
    points: int = 0


class Cargo:
    """
    What is to be sent of one service in one scope.

    Args:
        shipping: where it goes.

        account_id: of the scope.

        region: of the scope.
    """

    def __init__(self, shipping: Shipping, account_id: str, region: str) -> None:
        self._shipping = shipping
        self._scope = (account_id, region)
        self._encoder = Encoder(dict(shipping.external))
        self._grid = Grid((), (), lambda _: False)
        self._ended: dict[tuple[str, bytes], Ended] = {}
        self._load = _Load()
        self._turn = asyncio.Lock()

    @property
    def full(self) -> bool:
        """Whether it is time to write down what there is."""
        return self._load.points >= POINTS

    def resume(self, grid: Grid) -> None:
        """Let what is new in *grid* go on where an earlier run of the program, or another replica, had come to."""
        grid.resume(self._shipping.marks, self._shipping.handed.get(self._scope, {}))

    def turn_to(self, grid: Grid) -> None:
        """Collect for *grid* from now on; the series that ended with the one before are told to have ended."""
        self._grid = grid
        self._ended |= {(each.name, each.labels): each for each in grid.shipped.ended}
        grid.shipped.ended.clear()

    def end(self, grid: Grid, now: float) -> None:
        """All series of *grid* have ended: nobody asks them any more. *now* in unix seconds."""
        nothing = Grid((), (), lambda _: False)
        nothing.take_over(grid, now)
        self.turn_to(nothing)

    # ---- collect -----------------------------------------------------------------------------------------------

    def of(self, group: Group, statistic: int) -> Add | None:
        """As `taking.Points`: every datapoint of what has a use for its own stamps."""
        row, column = group.rows[statistic], group.columns[statistic]
        if row.held:
            return None
        offset, places = self._grid.offset(group, statistic), self._grid.places(column)
        if places is not None:
            return self._worst(row, column, offset, places)
        shipped, labels, items = self._grid.shipped, self._grid.labels(column), self._load.items
        until, load, any_order = shipped.until[column], self._load, self._shipping.any_order
        cuts: dict[tuple[int, int], tuple[Sequence[int], Sequence[int]]] = {}

        def add(member: int, ends: Sequence[int], values: Sequence[float]) -> None:
            index = offset + member
            if ends[0] <= until[index]:
                late = list(shipped.missing(column, index, ends, row.period)) if any_order else []
                new = bisect_right(ends, until[index])
                if new == len(ends) and not late:
                    return
                if late:
                    ends = [*(ends[place] for place in late), *ends[new:]]
                    values = [*(values[place] for place in late), *values[new:]]
                else:
                    # One list for all cut alike, as before. The whole one is held, or its id would be another's.
                    key = (id(ends), new)
                    values = values[new:]
                    ends = (cuts.get(key) or cuts.setdefault(key, (ends, ends[new:])))[1]
            load.points += len(ends)
            items.setdefault(labels[index], []).append((row, column, index, ends, values))

        return add

    def _worst(self, row: MetricRow, column: int, offset: int, places: dict[int, int]) -> Add:
        """Several series that are shown as one: of each period the worst value."""
        load, worst = self._load, min if row.fold is Fold.MIN else max

        def add(member: int, ends: Sequence[int], values: Sequence[float]) -> None:
            load.points += len(ends)
            known = load.together.setdefault((column, places[offset + member]), {})
            for end, value in zip(ends, values, strict=True):
                known[end] = worst(value, known.get(end, value))

        return add

    def note(self, batch: Batch, taken: Taken, now: float) -> None:
        """The datapoints of *batch* have been collected; its cursors move when they are written down."""
        self._load.moves.append((batch, taken, now))

    # ---- write down --------------------------------------------------------------------------------------------

    async def ship(self) -> None:
        """
        Write down what was collected, and move the cursors; to its end, also where the pass is cancelled meanwhile.

        Raises:
            OutboxError: where it cannot be kept; then the cursors stay, and it is asked again.
        """
        async with self._turn:
            load, self._load = self._load, _Load()
            if load.moves or self._ended:
                # What is on disk has to be known here, or it would be asked again and go out twice.
                await whole(self._ship(load, self._grid, tuple(self._ended.values())))

    async def _ship(self, load: _Load, grid: Grid, ended: Sequence[Ended]) -> None:
        self._put_together(load, grid)
        # In a thread: a hundred thousand series are a tenth of a second.
        frames = await asyncio.to_thread(self._frames, load, ended)
        kept = await asyncio.gather(
            *(self._shipping.way.append(lane, made) for lane, (made, _) in frames.items()), return_exceptions=True
        )
        failures = []
        for (_, items), outcome in zip(frames.values(), kept, strict=True):
            if isinstance(outcome, BaseException):
                failures.append(outcome)
            else:
                self._wrote(grid, items)
        if failures:
            for batch, taken, now in load.moves:
                leave(grid, batch, taken, now)
            raise failures[0]
        for each in ended:
            self._ended.pop((each.name, each.labels), None)
        for batch, taken, now in load.moves:
            move(grid, batch, taken, now)

    def _put_together(self, load: _Load, grid: Grid) -> None:
        for (column, index), known in load.together.items():
            row = grid.row(column)
            until = grid.shipped.until[column][index]
            ends = sorted(known)
            late = set(grid.shipped.missing(column, index, ends, row.period)) if self._shipping.any_order else ()
            ends = [end for place, end in enumerate(ends) if end > until or place in late]
            if ends:
                item = (row, column, index, ends, [known[end] for end in ends])
                load.items.setdefault(grid.labels(column)[index], []).append(item)

    def _frames(self, load: _Load, ended: Sequence[Ended]) -> dict[str, tuple[list[Frame], list[_Item]]]:
        """Lane → finished requests, and the series they hold. A resource's series stand together: they shrink best."""
        series: dict[str, list[Series]] = {}
        items: dict[str, list[_Item]] = {}
        lane_of, scope = self._shipping.lane, self._scope
        for labels, each in load.items.items():
            lane = lane_of(*scope, labels)
            series.setdefault(lane, []).extend(
                [Series(row.family.name, labels, ends, values) for row, _, _, ends, values in each]
            )
            items.setdefault(lane, []).extend(each)
        for name, labels, until in ended:
            # Right behind the last one: what comes back later has later stamps.
            series.setdefault(lane_of(*scope, labels), []).append(Series(name, labels, (until + 1,), (STALE,)))
        found = {}
        for lane, all_of_it in series.items():
            made = [
                Frame(body.data, body.samples, body.oldest, body.newest, _marks(all_of_it[body.start : body.stop]))
                for body in self._encoder.bodies(all_of_it)
            ]
            found[lane] = (made, items.get(lane, []))
        return found

    def _wrote(self, grid: Grid, items: Sequence[_Item]) -> None:
        shipped = grid.shipped
        if self._shipping.any_order:
            for row, column, index, ends, _ in items:
                shipped.wrote_some(column, index, ends, row.period)
        else:
            for _, column, index, ends, _ in items:
                shipped.wrote(column, index, ends)
        reached = self._shipping.reached.setdefault(self._scope, {})
        for column, row in {column: row for row, column, *_ in items}.items():
            reached[row.family.name] = shipped.common(column, row.every + STOPPED * row.period)


def _marks(series: Sequence[Series]) -> list[tuple[bytes, tuple[tuple[str, int], ...]]]:
    """How far each series comes with its datapoints in *series*, those of a label set together."""
    found: list[tuple[bytes, tuple[tuple[str, int], ...]]] = []
    last: tuple[tuple[str, int], ...] = ()
    for labels, together in groupby(series, key=itemgetter(1)):
        # A series that has ended keeps the mark of its last datapoint.
        reached = tuple([(each.name, each.ends[-1]) for each in together if each.values[-1] == each.values[-1]])
        if reached != last:
            last = reached
        if last:
            found.append((labels, last))  # nearly always the very same object: it is written once
    return found
