"""
What asking CloudWatch costs, by metric and kind of resource: lines, totals, and what a change would save. Pure.

Nothing here has an entry a resource: a bill of a hundred thousand queries is as long as the table of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from exporter.aws import prices
from exporter.cloudwatch.cursors import SILENT_PASSES
from exporter.cloudwatch.grid import Grid
from exporter.cloudwatch.layout import Layout
from exporter.cloudwatch.nouns import Group
from exporter.cloudwatch.plan import due, ready_until
from exporter.cloudwatch.rows import ActiveRow
from exporter.model import MetricRow, Resource, Scope, Tier

FLAT = 300
"""Seconds between two questions of the comparison: everything alike, as exporters with one interval a job ask."""

HOUR = 3600


@dataclass(frozen=True, slots=True)
class Line:
    """
    One metric of one kind of resource in one scope, asked at one interval.

    Args:
        scope: whose AWS.

        service: the service module.

        kind: the resource kind's name.

        metric: CloudWatch's name.

        tier: the most important of its statistics'.

        every: seconds between two questions.

        period: seconds; how finely AWS publishes it.

        pinned: whether a pin sets the interval.

        resources: how many are asked about.

        billable: metrics that CloudWatch counts each time all of them are asked.

        per_hour: metrics it counts in an hour, those that never answer asked less often.

        covered: the part of *per_hour* that a free source would spare, where it is not scraped yet; by its name.

        due: how many could be asked now.

        next_due: when the next of the others can be, unix seconds; None where there are no others.

        silent: how many are asked less often because they never answered.
    """

    scope: Scope
    service: str
    kind: str
    metric: str
    tier: Tier
    every: int
    period: int
    pinned: bool
    resources: int
    billable: int
    per_hour: float
    covered: tuple[str, float] = ("", 0.0)
    due: int = 0
    next_due: int | None = None
    silent: int = 0

    @property
    def dollars(self) -> float:
        """Dollars a month."""
        return month(self.per_hour)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A metric that resources have and that is not asked: ``covered`` by a free source, its ``tier`` off, ``disabled``.

    *per_hour* is what its interval in the table would come to, in metrics.
    """

    scope: Scope
    service: str
    kind: str
    metric: str
    tier: Tier
    reason: str
    resources: int
    per_hour: float


@dataclass(frozen=True, slots=True)
class Requests:
    """
    An operation of discovery that is billed by the request.

    Args:
        account_id: whose.

        service: the service module that asks.

        api: botocore's name of the API.

        operation: as AWS spells it.

        per_hour: requests an hour.
    """

    account_id: str
    service: str
    api: str
    operation: str
    per_hour: float

    @property
    def per_month(self) -> float:
        """Requests a month."""
        return self.per_hour * prices.month_seconds / HOUR

    @property
    def dollars(self) -> float:
        """Dollars a month at the list price, what is free not taken off."""
        return self.per_month * prices.request_dollars(self.api, self.operation)


@dataclass(frozen=True, slots=True)
class Bill:
    """
    What one service in one scope costs.

    Args:
        lines: what is asked.

        left_out: what could be.

        flat: dollars a month for every metric its resources have, each asked every `FLAT` seconds.

        requests: what its discovery is billed for.
    """

    lines: tuple[Line, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    flat: float = 0.0
    requests: tuple[Requests, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """Something that could be changed, and what it adds to the bill in dollars a month (less than 0: it saves)."""

    what: str
    dollars: float
    note: str = ""


def month(per_hour: float) -> float:
    """Dollars a month for so many metrics an hour."""
    return per_hour * prices.GET_METRIC_DATA_DOLLARS * prices.month_seconds / HOUR


def lines_of(grid: Grid, scope: Scope, service: str, now: float) -> tuple[Line, ...]:
    """The lines of a generation as they stand at *now* (unix seconds), most important and dearest first."""
    found: dict[tuple[object, ...], Line] = {}
    for group in grid.groups:
        if not len(group):
            continue
        line = _line(grid, group, scope, service, now)
        key = (line.kind, line.metric, line.tier, line.every, line.pinned)
        found[key] = _together(found[key], line) if key in found else line
    order = tuple(Tier)
    return tuple(sorted(found.values(), key=lambda line: (order.index(line.tier), -line.per_hour, line.metric)))


def _line(grid: Grid, group: Group, scope: Scope, service: str, now: float) -> Line:
    silent = grid.backed_off(group)
    intervals = [effective(group.rows[0], grid.interval(group, member)) for member in silent]
    often = (len(group) - len(silent)) / effective(group.rows[0], group.every)
    per_hour = HOUR * group.billable * (often + sum(1 / every for every in intervals))
    ready, after = _standing(grid, group, now)
    return Line(
        scope,
        service,
        group.rows[0].kind.name,
        group.rows[0].source,
        group.tier,
        group.every,
        group.rows[0].period,
        group.pinned,
        len(group),
        len(group) * group.billable,
        per_hour,
        _spared(group, per_hour),
        ready,
        after,
        len(silent),
    )


def effective(row: MetricRow, every: int) -> float:
    """Seconds between two questions: what is looked for until it is there is found half-way through its period."""
    return min(every, 2 * row.retry) if row.retry else every


def _standing(grid: Grid, group: Group, now: float) -> tuple[int, int | None]:
    """How many members of *group* are due, and when the next of the others is (unix seconds)."""
    members = due(grid, group, now)
    if len(members) == len(group):
        return len(members), None
    row, asked = group.rows[0], grid.cursors.asked
    ready, waiting = set(members), []
    for member in range(len(group)):
        if member not in ready:
            every = group.every
            if grid.cursors.silent[group.slot + member] > SILENT_PASSES:
                every = grid.interval(group, member)
            waiting.append(asked[group.slot + member] + every)
    # A question is due once a whole period has ended beyond it, and its delay is over.
    earliest = -(-min(waiting) // row.period) * row.period + row.delay
    return len(members), max(earliest, ready_until(row, now))


def _spared(group: Group, per_hour: float) -> tuple[str, float]:
    """What the free source that covers all rows of *group* would spare; nothing where there is none."""
    names = {row.covered_by for row in group.rows}
    name = names.pop() if len(names) == 1 else ""
    if not name or group.pinned:
        return "", 0.0
    witness = max(row.witness for row in group.rows)
    left = len(group) * group.billable * HOUR / witness if witness else 0.0
    return name, max(0.0, per_hour - left)


def _together(one: Line, other: Line) -> Line:
    """Two groups that differ only in which of the statistics their resources have, or in where they are published."""
    soonest = [each for each in (one.next_due, other.next_due) if each is not None]
    return Line(
        one.scope,
        one.service,
        one.kind,
        one.metric,
        one.tier,
        one.every,
        one.period,
        one.pinned,
        one.resources + other.resources,
        one.billable + other.billable,
        one.per_hour + other.per_hour,
        (one.covered[0] or other.covered[0], one.covered[1] + other.covered[1]),
        one.due + other.due,
        min(soonest, default=None),
        one.silent + other.silent,
    )


def bill_of(
    grid: Grid,
    resources: Sequence[Resource],
    rows: Sequence[MetricRow],
    reasons: Mapping[tuple[str, str], str],
    scope: Scope,
    service: str,
    now: float,
) -> Bill:
    """
    The whole bill of a service in a scope.

    Args:
        grid: the generation in force.

        resources: those it was made of.

        rows: the service's whole table.

        reasons: why not, of the metrics that are not asked: (kind, metric) → `rows.why_not`.

        now: unix seconds.
    """
    everything = Layout(resources, [ActiveRow(row, row.every) for row in rows], lambda _: False, ()).groups
    asked = {(group.rows[0].kind.name, group.rows[0].source) for group in grid.groups}
    left: dict[tuple[str, str], LeftOut] = {}
    flat = 0
    for group in everything:
        row = group.rows[0]
        flat += len(group) * group.billable
        key = (row.kind.name, row.source)
        if key not in asked and key in reasons:
            before = left.get(key)
            count = len(group) + (before.resources if before else 0)
            often = len(group) * group.billable * HOUR / effective(row, group.every)
            per_hour = often + (before.per_hour if before else 0.0)
            left[key] = LeftOut(scope, service, *key, group.tier, reasons[key], count, per_hour)
    return Bill(lines_of(grid, scope, service, now), tuple(left.values()), prices.dollars_per_month(flat, FLAT))


def requests_dollars(requests: Iterable[Requests]) -> float:
    """Dollars a month of *requests*, the free ones of each account taken off."""
    found: dict[tuple[str, str], list[Requests]] = {}
    for each in requests:
        found.setdefault((each.account_id, each.api), []).append(each)
    total = 0.0
    for (_, api), same in found.items():
        count = sum(each.per_month for each in same)
        charged = max(0.0, count - prices.free_requests(api)) / count if count else 0.0
        total += charged * sum(each.dollars for each in same)
    return total


def by_tier(lines: Iterable[Line]) -> dict[Tier, float]:
    """Dollars a month by tier."""
    total = dict.fromkeys(Tier, 0.0)
    for line in lines:
        total[line.tier] += line.dollars
    return total


def changes(lines: Sequence[Line], left_out: Sequence[LeftOut]) -> list[Change]:
    """
    What could be asked less or more often, and what that changes.

    Longer intervals than the table's are shown for what the table is worth: the configuration refuses those with which
    values would go stale between two questions.
    """
    found: list[Change] = []
    for tier in reversed(tuple(Tier)):
        mine = [line for line in lines if line.tier is tier]
        if mine:
            found.append(Change(f"without {tier.value}", -sum(line.dollars for line in mine), "services.*.tiers"))
    for tier in Tier:
        mine = [line for line in lines if line.tier is tier]
        if mine:
            half = -sum(line.dollars for line in mine) / 2
            found.append(Change(f"{tier.value} half as often", half, "its values would go stale in between"))
    fast = [line for line in lines if line.every < FLAT and line.tier is Tier.ESSENTIAL]
    if fast:
        saved = sum(line.dollars * (1 - line.every / FLAT) for line in fast)
        found.append(
            Change(f"essential every {FLAT} s at most", -saved, "values would go stale in between; pages come later")
        )
    slow = [line for line in lines if line.every > FLAT and line.tier is Tier.STANDARD and line.period <= FLAT]
    if slow:
        added = sum(line.dollars * (line.every / FLAT - 1) for line in slow)
        found.append(Change(f"standard every {FLAT} s", added, "services.*.rows.<metric>.every"))
    asked = [each for each in left_out if each.reason == "tier"]
    if asked:
        names = ", ".join(tier.value for tier in Tier if any(each.tier is tier for each in asked))
        found.append(Change(f"also {names}", month(sum(each.per_hour for each in asked)), "services.*.tiers"))
    spared: dict[str, float] = {}
    for line in lines:
        name, per_hour = line.covered
        if name and per_hour:
            spared[name] = spared.get(name, 0.0) + month(per_hour)
    found += [Change(f"with {name} scraped", -dollars, f"covered: [{name}]") for name, dollars in spared.items()]
    pinned = [line for line in lines if line.pinned]
    if pinned:
        found.append(Change("all that is pinned", sum(line.dollars for line in pinned), "part of the total: pins"))
    return found
