"""Which datapoints the exporter was given, by what the simulated AWS answered; and which it never was."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from exporter.demo import World
from exporter.demo.metric_queries import Query
from exporter.demo.metrics import Dimensions
from exporter.demo.server import Call

Key = tuple[str, str, Dimensions, str, int]
"""Namespace, metric, dimensions, statistic, period in seconds."""

NOTHING = frozenset({"hang", "cut", "truncated", "malformed", "internal-error", "forbidden-result", "empty"})
"""Kinds of faults after which an answer with status 200 gave nothing."""

SHARE = 4
"""One in so many metrics is followed."""


@dataclass(slots=True)
class _Standing:
    got: set[int] = field(default_factory=set)
    first: float = 0.0
    last: float = 0.0
    asked: float = 0.0


class Taken:
    """
    What was given of each metric that is followed.

    Args:
        worlds: that the simulated AWS serves.

        slack: seconds of the world that an answer may take to be made once it is about to be, which is written down:
            what became visible meanwhile was given.
    """

    def __init__(self, worlds: Sequence[World], slack: float = 0.0) -> None:
        self._worlds = worlds
        self._slack = slack
        self._known: dict[Key, _Standing] = {}

    def note(self, calls: Iterable[Call]) -> None:
        """
        Take down *calls*. To be called before the world changes: what was seen is what is visible by its present state.
        """
        for call in calls:
            if call.request is None or call.status != 200:
                continue
            for query in call.request.queries:
                if query.period < 3600 and _followed(query):
                    self._one(call, query, call.request.start, call.request.end, call.request.descending)

    def _one(self, call: Call, query: Query, start: float, end: float, descending: bool) -> None:
        key = (query.namespace, query.metric, query.dimensions, query.stat, query.period)
        stamps = self._stamps(key, start, end, call.answered + self._slack)
        if NOTHING & set(call.faults):
            return
        assert call.request is not None
        if "partial-data-no-token" in call.faults or ("partial-data" in call.faults and call.request.token is None):
            stamps = sorted(stamps, reverse=descending)[: len(stamps) // 2]
        at = self._known.setdefault(key, _Standing(first=start))
        at.got.update(stamps)
        at.first = min(at.first, start)
        at.last = max(at.last, end)
        at.asked = call.answered

    def _stamps(self, key: Key, start: float, end: float, at: float) -> list[int]:
        namespace, metric, dimensions, stat, period = key
        for world in self._worlds:
            found = world.points(namespace, metric, dimensions, stat, period, start, end, at)
            if found:
                return [stamp for stamp, _ in found]
        return []

    @property
    def followed(self) -> int:
        """How many metrics (and statistics) are followed."""
        return len(self._known)

    @property
    def datapoints(self) -> int:
        """How many datapoints of them were given."""
        return sum(len(each.got) for each in self._known.values())

    def lost(self, forgiven: Sequence[tuple[float, float]], moved: Iterable[str] = ()) -> list[str]:
        """
        Datapoints that could be seen when their metric was last asked, and were never in an answer.

        Args:
            forgiven: stretches (unix seconds) in which AWS itself said that there is nothing there.

            moved: ids of resources that were detached or gone for a time, and are not asked then, by design.
        """
        found, names = [], set(moved)
        for key, at in self._known.items():
            if not names.isdisjoint(value for _, value in key[2]):
                continue
            there = self._stamps(key, at.first, at.last, at.asked)
            missing = sorted(stamp for stamp in there if stamp not in at.got and not _in(stamp, forgiven))
            if missing:
                of = ",".join(f"{name}={value}" for name, value in sorted(key[2]))
                found.append(f"{key[0]} {key[1]} {key[3]} {of}: {len(missing)} of {len(there)}, first {missing[0]}")
        return found

    def late(self, before: float, alive: Iterable[str]) -> list[str]:
        """Metrics of *alive* resources (ids) whose newest answered window ends before *before* (unix seconds)."""
        names = set(alive)
        return [
            f"{key[1]} {key[3]} {sorted(key[2])}: asked up to {at.last:.0f}"
            for key, at in self._known.items()
            if at.last < before and names.issuperset(value for _, value in key[2])
        ]


def _followed(query: Query) -> bool:
    return zlib.crc32(repr((query.metric, sorted(query.dimensions))).encode()) % SHARE == 0


def _in(stamp: float, stretches: Sequence[tuple[float, float]]) -> bool:
    return any(start <= stamp < end for start, end in stretches)
