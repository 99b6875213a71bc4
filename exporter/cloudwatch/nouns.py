"""
What is asked of CloudWatch, said in columns: a group of queries, a part of it, a request, a pass. Pure.

A query is one metric of one resource with every statistic asked of it, because that is what CloudWatch bills. A hundred
thousand of them are a hundred groups: an object a query would cost more memory than everything else (performance.md 5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.model import MetricRow, Resource, Scope, Tier, Window


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """
    The queries of one CloudWatch metric that are asked alike: one a resource, all of one kind and interval.

    Args:
        rows: one a statistic; all share source, period and delay.

        resources: one a query.

        every: seconds between two questions, after pins and overrides.

        tier: the most important of its rows'.

        pinned: whether a pin sets the interval.

        region: whose CloudWatch has the metric; ``""`` for the scope's own.

        billable: what CloudWatch counts for one of its queries, in metrics.

        slot: the place of its first query among the generation's; the others follow.

        series: the place of the first query's value among the generation's, one a row; the others follow.

        columns: the places of the rows' columns among the generation's.

        around: what stands before and after the dimensions in a member of ``MetricDataQueries``, one pair a row.
    """

    rows: tuple[MetricRow, ...]
    resources: tuple[Resource, ...]
    every: int
    tier: Tier
    pinned: bool
    region: str
    billable: int
    slot: int
    series: tuple[int, ...]
    columns: tuple[int, ...]
    around: tuple[tuple[bytes, bytes], ...]

    def __len__(self) -> int:
        return len(self.resources)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some queries of a group: *members* are their places in it, ascending."""

    group: Group
    members: Sequence[int]

    @property
    def size(self) -> int:
        """Members of ``MetricDataQueries``: one a query and statistic."""
        return len(self.members) * len(self.group.rows)

    @property
    def billable(self) -> int:
        """What CloudWatch counts for it, in metrics."""
        return len(self.members) * self.group.billable


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """
    One GetMetricData request: at most 500 members and 100,800 datapoints, one window, one scope.

    Its members are numbered part after part, and within a part statistic after statistic.
    """

    scope: Scope
    window: Window
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Members of ``MetricDataQueries``."""
        return sum(part.size for part in self.parts)

    @property
    def billable(self) -> int:
        """What CloudWatch counts for it, in metrics."""
        return sum(part.billable for part in self.parts)


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What one pass asks.

    Args:
        windows: the queries that are due, by the window each has to ask; what matters most stands first.

        deferred: how many queries were due and are not asked, by (tier, reason).

        billable: what CloudWatch will count for it, in metrics.

        dollars: what it costs.
    """

    windows: Mapping[Window, Sequence[Part]]
    deferred: Mapping[tuple[Tier, str], int]
    billable: int
    dollars: float
