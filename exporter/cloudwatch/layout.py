"""
How the resources of an inventory fall into groups and columns. Pure.

Resources that can have the same rows share everything that is the same for them: the tuple of resources, their label
sets. So the cost of a generation grows with resources and with rows, hardly with their product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from exporter.aws import prices
from exporter.cloudwatch.nouns import Group
from exporter.cloudwatch.rows import PINNED_EVERY, ActiveRow
from exporter.model import MetricRow, Resource, Tier, always
from exporter.naming import label_set

_ORDER = tuple(Tier)


class Laid(NamedTuple):
    """A row's column: ``start`` and ``stop`` among the series; labels and what is merged, as `Grid` keeps them."""

    row: MetricRow
    start: int
    stop: int
    labels: tuple[bytes, ...]
    merged: tuple[tuple[int, ...], ...] | None


@dataclass(slots=True)
class _Share:
    """Some resources of a kind that are asked alike, and what is made of them once."""

    places: tuple[int, ...]
    resources: tuple[Resource, ...]
    pinned: bool
    region: str


class Layout:
    """
    The groups and columns of *resources* under *rows*; the arguments are those of `Grid`.

    ``queries`` and ``series`` are how many of each there are.
    """

    def __init__(
        self,
        resources: Sequence[Resource],
        rows: Sequence[ActiveRow],
        pinned: Callable[[Resource], bool],
        constant: Sequence[tuple[str, str]],
    ) -> None:
        self.groups: list[Group] = []
        self.columns: list[Laid] = []
        self.duplicates: list[Resource] = []
        self.queries = 0
        self.series = 0
        by_kind: dict[str, list[Resource]] = {}
        known: set[tuple[str, tuple[str, ...]]] = set()
        for resource in resources:
            key = (resource.kind.name, resource.id)
            if key in known:
                self.duplicates.append(resource)
                continue
            known.add(key)
            by_kind.setdefault(resource.kind.name, []).append(resource)
        for kind, active in _by_kind(rows).items():
            self._add(_Kind(by_kind.get(kind, ()), pinned, constant), active)

    def _add(self, kind: _Kind, active: Sequence[ActiveRow]) -> None:
        """Add the columns and groups of one kind's rows."""
        found: list[tuple[_Share, list[int]]] = []  # what will be a group, and which of *active* it has
        having: list[list[int]] = [[] for _ in active]  # row → which of *found* have it
        for numbers in _by_source(active).values():
            for share, places in kind.split([active[number].row for number in numbers]):
                chosen = [numbers[place] for place in places]
                for number in chosen:
                    having[number].append(len(found))
                found.append((share, chosen))
        laid: dict[tuple[int, int], tuple[int, int]] = {}  # (row, group to be) → (first series, column)
        for number, one in enumerate(active):
            start = self.series
            for index in having[number]:
                laid[number, index] = (self.series, len(self.columns))
                self.series += len(found[index][0].places)
            labels, merged = kind.labels(one.row.family.labels, [found[index][0] for index in having[number]])
            self.columns.append(Laid(one.row, start, self.series, labels, merged))
        for index, (share, chosen) in enumerate(found):
            asked = tuple(active[number].row for number in chosen)
            # All statistics of a metric travel together, at the interval of its fastest row in force.
            every = min(one.every for one in active if one.row.source == asked[0].source)
            self.groups.append(
                Group(
                    rows=asked,
                    resources=share.resources,
                    every=max(asked[0].period, min(every, PINNED_EVERY)) if share.pinned else every,
                    tier=min((row.tier for row in asked), key=_ORDER.index),
                    pinned=share.pinned,
                    region=share.region,
                    billable=prices.billable(len(asked)),
                    slot=self.queries,
                    series=tuple(laid[number, index][0] for number in chosen),
                    columns=tuple(laid[number, index][1] for number in chosen),
                    around=tuple(_around(row) for row in asked),
                )
            )
            self.queries += len(share.places)


class _Kind:
    """The resources of one kind, and what has been made of them."""

    def __init__(
        self,
        resources: Sequence[Resource],
        pinned: Callable[[Resource], bool],
        constant: Sequence[tuple[str, str]],
    ) -> None:
        self._resources = tuple(resources)
        self._constant = tuple(name for name, _ in constant), tuple(text for _, text in constant)
        self._alike = [(pinned(resource), resource.published_in) for resource in resources]
        self._splits: dict[tuple[object, ...], list[tuple[_Share, tuple[int, ...]]]] = {}
        self._labels: dict[tuple[object, ...], tuple[tuple[bytes, ...], tuple[tuple[int, ...], ...] | None]] = {}
        self._rendered: dict[tuple[str, ...], list[bytes]] = {}

    def split(self, rows: Sequence[MetricRow]) -> list[tuple[_Share, tuple[int, ...]]]:
        """Who has which of *rows*: shares of the resources, and the places of their rows. Nobody has none."""
        key = tuple(row.applies for row in rows)
        if key not in self._splits:
            answers = [
                [True] * len(self._resources) if one is always else [bool(one(each)) for each in self._resources]
                for one in key
            ]
            shares: dict[tuple[object, ...], list[int]] = {}
            for place, signature in enumerate(zip(self._alike, *answers, strict=True)):
                shares.setdefault(signature, []).append(place)
            self._splits[key] = [
                (self._share(tuple(places), *self._alike[places[0]]), having)
                for signature, places in shares.items()
                if (having := tuple(number for number, has in enumerate(signature[1:]) if has))
            ]
        return self._splits[key]

    def _share(self, places: tuple[int, ...], pinned: bool, region: str) -> _Share:  # noqa: FBT001 - a pair taken apart
        if len(places) == len(self._resources):
            return _Share(places, self._resources, pinned, region)
        resources = tuple(self._resources[place] for place in places)
        return _Share(places, resources, pinned, region)

    def labels(
        self, names: tuple[str, ...], shares: Sequence[_Share]
    ) -> tuple[tuple[bytes, ...], tuple[tuple[int, ...], ...] | None]:
        """The label sets of the series of *shares*, one after another; see `Laid` for the two results."""
        key = (names, *(share.places for share in shares))
        if key not in self._labels:
            every = self._render(names)
            shown = [every[place] for share in shares for place in share.places]
            together: dict[bytes, list[int]] = {}
            for place, label in enumerate(shown):
                together.setdefault(label, []).append(place)
            merged = None if len(together) == len(shown) else tuple(map(tuple, together.values()))
            self._labels[key] = tuple(together), merged
        return self._labels[key]

    def _render(self, names: tuple[str, ...]) -> list[bytes]:
        if names not in self._rendered:
            all_names = (*self._constant[0], *names)
            self._rendered[names] = [
                label_set(all_names, (*self._constant[1], *resource.label_values())) for resource in self._resources
            ]
        return self._rendered[names]


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


def _around(row: MetricRow) -> tuple[bytes, bytes]:
    """What stands before the dimensions in a member of ``MetricDataQueries``, and after them up to the id."""
    before = {"Namespace": row.kind.namespace, "MetricName": row.source}
    after = {"Period": row.period, "Stat": row.statistic}
    return (
        b'{"MetricStat":{"Metric":%b,"Dimensions":' % orjson.dumps(before)[:-1],
        b'},%b,"ReturnData":true,"Id":"' % orjson.dumps(after)[1:],
    )
