"""
One generation: every query a service has in a scope, and the newest value of each of its series, in columns. Pure.

A generation belongs to one inventory. When the inventory changes a new one is built beside it, takes over standing and
values, and is swapped in whole (performance.md 5); answers still under way hold on to their own.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import nan

import orjson

from exporter.cloudwatch.cursors import Cursors
from exporter.cloudwatch.rows import PINNED_EVERY, ActiveRow
from exporter.model import Block, Fold, MetricRow, Query, Resource
from exporter.naming import label_set

Key = tuple[str, tuple[str, ...], str]
"""What a query is about, over generations: kind, resource id, CloudWatch metric."""


@dataclass(frozen=True, slots=True)
class _Column:
    """The series of one row: ``values[start:stop]`` of the generation, one a label set, or several merged into one."""

    row: MetricRow
    start: int
    stop: int
    labels: tuple[bytes, ...]
    merged: tuple[tuple[int, ...], ...] | None


class Grid:
    """
    All queries of a generation, with their values.

    Args:
        resources: of one service in one scope.

        rows: those in force.

        pinned: whether a resource is asked every minute.

        constant: labels that every series carries before its own.
    """

    def __init__(
        self,
        resources: Sequence[Resource],
        rows: Sequence[ActiveRow],
        pinned: Callable[[Resource], bool],
        constant: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._constant = tuple(name for name, _ in constant), tuple(value for _, value in constant)
        by_kind: dict[str, list[Resource]] = {}
        known: set[tuple[str, tuple[str, ...]]] = set()
        self.duplicates: list[Resource] = []
        for resource in resources:
            if (resource.kind.name, resource.id) in known:
                self.duplicates.append(resource)
                continue
            known.add((resource.kind.name, resource.id))
            by_kind.setdefault(resource.kind.name, []).append(resource)
        self.queries: list[Query] = []
        self._columns: list[_Column] = []
        self._pinned = {id(resource) for each in by_kind.values() for resource in each if pinned(resource)}
        size = 0
        for kind, active in _by_kind(rows).items():
            size = self._add_kind(by_kind.get(kind, ()), active, size)
        self.values = array("d", [nan]) * size
        self.ends = array("q", bytes(8 * size))
        self.cursors = Cursors(len(self.queries))

    def _add_kind(self, resources: Sequence[Resource], active: Sequence[ActiveRow], size: int) -> int:
        """Add the columns and queries of one kind's rows; *size* is the number of series before, returned after."""
        places: dict[tuple[int, int], int] = {}  # (row, resource) → series
        for number, one in enumerate(active):
            having = [index for index, resource in enumerate(resources) if one.row.applies(resource)]
            places.update({(number, index): size + place for place, index in enumerate(having)})
            names = (*self._constant[0], *one.row.family.labels)
            shown = [label_set(names, (*self._constant[1], *resources[index].label_values())) for index in having]
            self._columns.append(_column(one.row, size, shown))
            size += len(having)
        for source, numbers in _by_source(active).items():
            every = min(active[number].every for number in numbers)
            for index, resource in enumerate(resources):
                having = [number for number in numbers if (number, index) in places]
                if having:
                    asked = tuple(active[number].row for number in having)
                    self.queries.append(
                        Query(
                            resource=resource,
                            rows=asked,
                            every=_interval(every, asked[0].period, pinned=id(resource) in self._pinned),
                            slot=len(self.queries),
                            series=tuple(places[number, index] for number in having),
                            body=tuple(_member(resource, source, row) for row in asked),
                        )
                    )
        return size

    def key(self, query: Query) -> Key:
        """What *query* is about, the same in every generation."""
        return (query.resource.kind.name, query.resource.id, query.rows[0].source)

    def take_over(self, old: Grid) -> None:
        """Carry standing and values of *old* over to what is still there."""
        before = {old.key(query): query for query in old.queries}
        for query in self.queries:
            was = before.get(self.key(query))
            if was is None:
                continue
            same = was.resource.facts == query.resource.facts
            self.cursors.carry(query.slot, old.cursors, was.slot, changed=not same)
            places = {row.family.name: series for row, series in zip(was.rows, was.series, strict=True)}
            for row, series in zip(query.rows, query.series, strict=True):
                source = places.get(row.family.name)
                if source is not None:
                    self.values[series] = old.values[source]
                    self.ends[series] = old.ends[source]

    def is_pinned(self, resource: Resource) -> bool:
        """Whether the resource of this generation is asked every minute."""
        return id(resource) in self._pinned

    def put(self, series: int, value: float, end: int) -> None:
        """Note *value*, whose newest period ends at *end* (unix seconds), unless a newer one is there."""
        if end >= self.ends[series]:
            self.values[series] = value
            self.ends[series] = end

    def blocks(self) -> list[Block]:
        """The newest values, a block a family; values never received are NaN."""
        return [
            Block(column.row.family, column.labels, *self._values(column), column.row.span)
            for column in self._columns
            if column.labels
        ]

    def _values(self, column: _Column) -> tuple[array[float], array[int]]:
        values, ends = self.values[column.start : column.stop], self.ends[column.start : column.stop]
        if column.merged is None:
            return values, ends
        shown, until = array("d"), array("q")
        worst = min if column.row.fold is Fold.MIN else max
        for places in column.merged:
            newest = max(ends[place] for place in places)
            # An attachment that no longer answers must not hide one that does.
            fresh = [values[p] for p in places if values[p] == values[p] and ends[p] > newest - column.row.span]
            shown.append(worst(fresh) if fresh else nan)
            until.append(newest)
        return shown, until

    def newest(self, queries: Iterable[Query]) -> int:
        """The end of the newest period any of *queries* has received, unix seconds; 0 where none has."""
        return max((self.ends[series] for query in queries for series in query.series), default=0)


def _by_kind(rows: Sequence[ActiveRow]) -> dict[str, list[ActiveRow]]:
    found: dict[str, list[ActiveRow]] = {}
    for one in rows:
        found.setdefault(one.row.kind.name, []).append(one)
    return found


def _by_source(active: Sequence[ActiveRow]) -> dict[str, list[int]]:
    """CloudWatch metric → places of its rows in *active*: the statistics that travel together."""
    found: dict[str, list[int]] = {}
    for number, one in enumerate(active):
        found.setdefault(one.row.source, []).append(number)
    return found


def _interval(every: int, period: int, *, pinned: bool) -> int:
    return max(period, min(every, PINNED_EVERY)) if pinned else every


def _column(row: MetricRow, start: int, shown: Sequence[bytes]) -> _Column:
    places: dict[bytes, list[int]] = {}
    for place, labels in enumerate(shown):
        places.setdefault(labels, []).append(place)
    if len(places) == len(shown):
        return _Column(row, start, start + len(shown), tuple(shown), None)
    merged = tuple(tuple(each) for each in places.values())
    return _Column(row, start, start + len(shown), tuple(places), merged)


def _member(resource: Resource, source: str, row: MetricRow) -> bytes:
    """A member of ``MetricDataQueries`` without its opening brace and id (aws-facts 2.4)."""
    dimensions = [
        {"Name": name, "Value": value} for (name, _), value in zip(resource.kind.dimensions, resource.id, strict=True)
    ]
    metric = {"Namespace": resource.kind.namespace, "MetricName": source, "Dimensions": dimensions}
    stat = {"Metric": metric, "Period": row.period, "Stat": row.statistic}
    return orjson.dumps({"MetricStat": stat, "ReturnData": True})[1:]
