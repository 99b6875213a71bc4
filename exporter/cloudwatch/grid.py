"""
One generation: every query a service has in a scope, and the newest value of each of its series, in columns. Pure.

A generation belongs to one inventory. When the inventory changes a new one is built beside it, takes over standing and
values, and is swapped in whole (performance.md 5); answers still under way hold on to their own. How resources fall
into groups is in `layout`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan

from exporter.cloudwatch.cursors import (
    LONGEST_ESSENTIAL_SILENCE,
    LONGEST_SILENCE,
    REMEMBERED,
    SILENT_PASSES,
    Cursors,
)
from exporter.cloudwatch.layout import Layout
from exporter.cloudwatch.nouns import Group
from exporter.cloudwatch.rows import ActiveRow
from exporter.cloudwatch.shipped import Shipped
from exporter.model import Block, Fold, MetricRow, Resource, Tier


@dataclass(slots=True)
class _Column:
    """
    The series of one row: ``values[start:stop]`` of the generation.

    ``labels``: their label sets, one a series, or fewer where several series are shown as one: ``merged`` then has the
    places in the column of each that is shown.  ``newest``: the end of the newest period in it. ``block``: as it was
    last shown, None where something was written since.
    """

    row: MetricRow
    start: int
    stop: int
    labels: tuple[bytes, ...]
    merged: tuple[tuple[int, ...], ...] | None
    newest: int = 0
    block: Block | None = None

    @property
    def name(self) -> str:
        """Of its family."""
        return self.row.family.name


class Grid:
    """
    All queries of a generation, with their values.

    Args:
        resources: of one service in one scope.

        rows: those in force.

        pinned: whether a resource is asked every minute.

        constant: labels that every series carries before its own.

    ``groups`` holds the queries, ``cursors`` where each stands, ``values`` and ``ends`` the newest value of each series
    and the end of its period (unix seconds), ``duplicates`` the resources that were there twice, ``shipped`` up to
    where each series was written out for a receiver.
    """

    def __init__(
        self,
        resources: Sequence[Resource],
        rows: Sequence[ActiveRow],
        pinned: Callable[[Resource], bool],
        constant: Sequence[tuple[str, str]] = (),
    ) -> None:
        layout = Layout(resources, rows, pinned, constant)
        self.duplicates: list[Resource] = layout.duplicates
        self.groups: list[Group] = layout.groups
        self._columns = [_Column(*each) for each in layout.columns]
        self.values = array("d", [nan]) * layout.series
        self.ends = array("I", bytes(4 * layout.series))
        self.cursors = Cursors(layout.queries)
        self.shipped = Shipped(self._columns)
        self._departed: dict[tuple[str, ...], int] = {}  # what was here before → the end of the newest period it had

    def __len__(self) -> int:
        """How many queries there are."""
        return len(self.cursors)

    def take_over(self, old: Grid, now: float = 0.0) -> None:
        """
        Carry standing and values of *old* over to what is still there.

        Args:
            now: unix seconds; how far they had come is remembered for an hour of those that are there no more, for a
                volume that is detached and attached again has datapoints from before.
        """
        before: dict[tuple[str, str], list[Group]] = {}
        for group in old.groups:
            before.setdefault(_about(group), []).append(group)
        for group in self.groups:
            for was in before.get(_about(group), ()):
                self._take_group(group, old, was)
        self._departed = {key: end for key, end in old._departed.items() if end > now - REMEMBERED}
        self._part(old, now)
        self._come_back()
        self.shipped.take_over(old.shipped, now - REMEMBERED)
        for column in self._columns:
            column.newest = max(self.ends[column.start : column.stop], default=0)

    def _take_group(self, group: Group, old: Grid, was: Group) -> None:
        places = {row.family.name: first for row, first in zip(was.rows, was.series, strict=True)}
        shared = [
            (first, places[row.family.name])
            for row, first in zip(group.rows, group.series, strict=True)
            if row.family.name in places
        ]
        for here, there, count in _matches(group.resources, was.resources):
            self.cursors.carry(group.slot + here, old.cursors, was.slot + there, count)
            for first, earlier in shared:
                stretch = slice(earlier + there, earlier + there + count)
                self.values[first + here : first + here + count] = old.values[stretch]
                self.ends[first + here : first + here + count] = old.ends[stretch]
            if any(self.cursors.silent[group.slot + here : group.slot + here + count]):
                for number in range(count):
                    # What changed is given another chance to speak.
                    if group.resources[here + number].facts != was.resources[there + number].facts:
                        self.cursors.silent[group.slot + here + number] = 0

    def _part(self, old: Grid, now: float) -> None:
        """Remember how far the queries of *old* had come that are not here."""
        here: dict[tuple[str, str], set[tuple[str, ...]]] = {}
        for group in self.groups:
            here.setdefault(_about(group), set()).update(resource.id for resource in group.resources)
        for group in old.groups:
            about = _about(group)
            left = here.get(about, set())
            for member, resource in enumerate(group.resources):
                end = old.cursors.heard[group.slot + member]
                if resource.id not in left and end > now - REMEMBERED and old.cursors.spoke[group.slot + member]:
                    self._departed[(*about, *resource.id)] = end

    def _come_back(self) -> None:
        """Let queries that were here before go on where they had come to."""
        if not self._departed:
            return
        for group in self.groups:
            about = _about(group)
            for member, resource in enumerate(group.resources):
                end = self._departed.pop((*about, *resource.id), 0)
                if end and not self.cursors.heard[group.slot + member]:
                    self.cursors.cut_short(group.slot + member, end)

    def resume(self, marks: Mapping[str, Mapping[bytes, int]], least: Mapping[str, int] = {}) -> None:
        """
        Let what stands nowhere yet go on where others had come to; a query, where the series of it furthest behind is.

        Args:
            marks: an earlier run of the program: family → label set → end of the newest period written, unix seconds.

            least: another replica, with every series it had: family → end.
        """
        if not marks and not least:
            return
        self.shipped.resume(marks, least)
        for group in self.groups:
            untils = [self._untils(group, number) for number in range(len(group.rows))]
            for member, ends in enumerate(zip(*untils, strict=True)):
                slot = group.slot + member
                if not self.cursors.heard[slot] and all(ends):
                    self.cursors.cut_short(slot, min(ends))

    def _untils(self, group: Group, number: int) -> Sequence[int]:
        """Up to where the series of one row of *group* were written, one a member."""
        column, first = group.columns[number], group.series[number]
        until, places = self.shipped.until[column], self.places(column)
        start = first - self._columns[column].start
        if places is None:
            return until[start : start + len(group)]
        return [until[places[start + member]] for member in range(len(group))]

    def row(self, column: int) -> MetricRow:
        """What *column* is of."""
        return self._columns[column].row

    def labels(self, column: int) -> tuple[bytes, ...]:
        """The label sets of the series that *column* shows."""
        return self._columns[column].labels

    def offset(self, group: Group, number: int) -> int:
        """The place in its column of the first series of one row of *group*; the others follow."""
        return group.series[number] - self._columns[group.columns[number]].start

    def places(self, column: int) -> dict[int, int] | None:
        """Place in *column* → which of its label sets it is shown under; None where each has its own."""
        merged = self._columns[column].merged
        if merged is None:
            return None
        return {place: index for index, together in enumerate(merged) for place in together}

    # ---- how often ----

    def interval(self, group: Group, member: int) -> int:
        """Seconds between two questions of a member as things stand: longer where it never was answered."""
        if self.cursors.silent[group.slot + member] <= SILENT_PASSES:
            return group.every
        longest = LONGEST_ESSENTIAL_SILENCE if group.tier is Tier.ESSENTIAL else LONGEST_SILENCE
        return self.cursors.interval(group.slot + member, group.every, longest)

    def backed_off(self, group: Group) -> list[int]:
        """The members that are asked less often because they never spoke."""
        silent = self.cursors.silent[group.slot : group.slot + len(group)]
        if max(silent, default=0) <= SILENT_PASSES:
            return []
        return [member for member, passes in enumerate(silent) if passes > SILENT_PASSES]

    # ---- values ----

    def put(self, series: int, column: int, value: float, end: int) -> None:
        """Note *value*, whose newest period ends at *end* (unix seconds), unless a newer one is there."""
        if end >= self.ends[series]:
            self.values[series] = value
            self.ends[series] = end
            self.written(column, end)

    def written(self, column: int, end: int) -> None:
        """Something was written into *column*, the newest period of it ending at *end* (unix seconds)."""
        touched = self._columns[column]
        touched.block = None
        touched.newest = max(end, touched.newest)

    def blocks(self, *, held: bool = False) -> list[Block]:
        """
        The newest values, a block a family; values never received are NaN. The same object until one is written.

        Args:
            held: only those without a use for their own stamps.
        """
        shown = []
        for column in self._columns:
            if column.labels and (column.row.held or not held):
                if column.block is None:
                    column.block = Block(column.row.family, column.labels, *self._values(column), column.row.span)
                shown.append(column.block)
        return shown

    def _values(self, column: _Column) -> tuple[array[float], array[int]]:
        values, ends = self.values[column.start : column.stop], self.ends[column.start : column.stop]
        if column.merged is None:
            return values, ends
        shown, until = array("d"), array("I")
        worst = min if column.row.fold is Fold.MIN else max
        for places in column.merged:
            newest = max(ends[place] for place in places)
            # An attachment that no longer answers must not hide one that does.
            fresh = [values[p] for p in places if values[p] == values[p] and ends[p] > newest - column.row.span]
            shown.append(worst(fresh) if fresh else nan)
            until.append(newest)
        return shown, until

    def newest(self, groups: Iterable[Group]) -> int:
        """The end of the newest period any of *groups* has received, unix seconds; 0 where none has."""
        return max((self._columns[column].newest for group in groups for column in group.columns), default=0)

    def newest_each(self, group: Group) -> array[int]:
        """The end of the newest period of each member, unix seconds; 0 where none has come."""
        newest, *others = (self.ends[first : first + len(group)] for first in group.series)
        for other in others:
            newest = array("I", map(max, newest, other))
        return newest


def _about(group: Group) -> tuple[str, str]:
    """What a group's queries are about, the same in every generation."""
    return group.rows[0].kind.name, group.rows[0].source


def _matches(new: Sequence[Resource], old: Sequence[Resource]) -> Iterator[tuple[int, int, int]]:
    """(place in *new*, place in *old*, length) of the stretches that are about the same resources in the same order."""
    places = {resource.id: place for place, resource in enumerate(old)}
    here = 0
    while here < len(new):
        there = places.get(new[here].id)
        if there is None:
            here += 1
            continue
        count = 1
        while here + count < len(new) and there + count < len(old) and new[here + count].id == old[there + count].id:
            count += 1
        yield here, there, count
        here += count
