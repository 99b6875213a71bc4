"""
What a pass asks: rows × resources × cursors × now × budget → `Plan`. Pure.

GetMetricData bills the metric, whatever the window: so each is asked as rarely as its interval says, and then for
everything since its cursor.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from exporter.aws import prices
from exporter.clock import floor_to
from exporter.cloudwatch.cursors import LONGEST_ESSENTIAL_SILENCE, LONGEST_SILENCE, SILENT_PASSES
from exporter.cloudwatch.grid import Grid
from exporter.model import MetricRow, Plan, Query, Tier, Window

FIRST_PERIODS = 5
"""Periods a first window looks back at least: CloudWatch may be some minutes late (aws-facts 7)."""

LONGEST_FIRST = 72 * 3600
"""Seconds a first window looks back at most; what is published once a day is found in it (aws-facts 7)."""

LOOKBACK = 3600
"""Seconds a window looks back at most, by default: older values are outlived anyway where they are scraped."""

_ORDER = (Tier.ESSENTIAL, Tier.STANDARD, Tier.ON_REQUEST)


def ready_until(row: MetricRow, now: float) -> int:
    """
    The end of the newest period of *row* that CloudWatch has finished.

    Args:
        row: uses its period and delay, both in seconds.

        now: unix seconds.

    Returns:
        Unix seconds, a multiple of the period, never later than now - delay.
    """
    return floor_to(now - row.delay, row.period)


def window_of(row: MetricRow, every: int, cursor: int, now: float, lookback: int = LOOKBACK) -> Window | None:
    """
    What a query of *row* asks now.

    Args:
        every: seconds between two questions.

        cursor: the end of the newest period received, unix seconds; 0 where none ever was.

        lookback: seconds the window may look back at most; never less than the first window's.

    Returns:
        From the cursor to the newest finished period; None where nothing has finished since.
    """
    end = ready_until(row, now)
    reach = max(every, min(FIRST_PERIODS * row.period, LONGEST_FIRST))
    first = end - floor_to(reach, row.period)
    oldest = end - floor_to(max(lookback, reach), row.period)
    start = max(cursor, oldest) if cursor else first
    return Window(start, end, row.period) if start < end else None


def tier_of(query: Query) -> Tier:
    """The most important tier among the query's rows."""
    return min((row.tier for row in query.rows), key=_ORDER.index)


def billable(query: Query) -> int:
    """What CloudWatch counts for the query, in metrics."""
    return prices.billable(len(query.rows))


def plan(
    grid: Grid,
    now: float,
    *,
    deferred: Collection[Tier] = (),
    lookback: int = LOOKBACK,
) -> Plan:
    """
    The queries of *grid* that are due at *now* (unix seconds), by the window each has to ask.

    Args:
        deferred: tiers that the budget leaves out.

        lookback: see `window_of`.
    """
    windows: dict[Window, list[Query]] = {}
    left_out: dict[tuple[Tier, str], int] = {}
    count = 0
    cursors = grid.cursors
    for query in grid.queries:
        row = query.rows[0]
        if not _due(grid, query, now):
            continue
        if deferred and tier_of(query) in deferred:
            key = (tier_of(query), "budget")
            left_out[key] = left_out.get(key, 0) + 1
            continue
        window = window_of(row, query.every, cursors.heard[query.slot], now, lookback)
        if window is not None:
            windows.setdefault(window, []).append(query)
            count += billable(query)
    return Plan(windows, left_out, count, prices.dollars(count))


def interval_of(grid: Grid, query: Query) -> int:
    """Seconds between two questions of *query* as things stand: longer where it never was answered."""
    if grid.cursors.silent[query.slot] <= SILENT_PASSES:  # nearly all of them, each pass
        return query.every
    longest = LONGEST_ESSENTIAL_SILENCE if tier_of(query) is Tier.ESSENTIAL else LONGEST_SILENCE
    return grid.cursors.interval(query.slot, query.every, longest)


def _due(grid: Grid, query: Query, now: float) -> bool:
    """Its turn has come; or what it waited for at its last turn was not there, and it is time to look again."""
    row, slot, cursors = query.rows[0], query.slot, grid.cursors
    ready = ready_until(row, now)
    if ready - cursors.asked[slot] >= interval_of(grid, query):
        return True
    return bool(row.retry) and cursors.heard[slot] < ready and now - cursors.tried[slot] >= row.retry


def projected(grid: Grid) -> dict[Tier, float]:
    """
    Dollars a month that asking all of *grid* at its intervals costs, by tier, silence taken into account.

    What is looked for again until it is there is reckoned to be found half-way through its period.
    """
    cost: dict[Tier, float] = {}
    for query in grid.queries:
        every = interval_of(grid, query)
        retry = query.rows[0].retry
        if retry:
            every = min(every, 2 * retry)
        tier = tier_of(query)
        cost[tier] = cost.get(tier, 0.0) + prices.dollars_per_month(billable(query), every)
    return cost


def beyond_budget(cost: Mapping[Tier, float], budget: float | None) -> frozenset[Tier]:
    """
    The tiers to leave out so that what remains costs at most *budget* dollars a month: least important first, the
    essential ones never.
    """
    left_out: set[Tier] = set()
    if budget is None:
        return frozenset()
    for tier in (Tier.ON_REQUEST, Tier.STANDARD):
        if sum(dollars for each, dollars in cost.items() if each not in left_out) <= budget:
            break
        left_out.add(tier)
    return frozenset(left_out)
