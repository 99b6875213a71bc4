"""
What a pass asks: rows × resources × cursors × now × budget → `Plan`. Pure.

GetMetricData bills the metric, whatever the window: so each is asked as rarely as its interval says, and then for
everything since its cursor.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from exporter.aws import prices
from exporter.clock import floor_to
from exporter.cloudwatch.cursors import LONGEST_WINDOW
from exporter.cloudwatch.grid import Grid
from exporter.cloudwatch.nouns import Group, Part, Plan
from exporter.model import MetricRow, Tier, Window

FIRST_PERIODS = 5
"""Periods a first window looks back at least: CloudWatch may be some minutes late (aws-facts 7)."""

LONGEST_FIRST = 72 * 3600
"""Seconds a first window looks back at most; what is published once a day is found in it (aws-facts 7)."""

LOOKBACK = 3600
"""Seconds a window looks back at most, by default: older values are outlived anyway where they are scraped."""

_ORDER = tuple(Tier)


@dataclass(frozen=True, slots=True)
class Back:
    """
    How far windows look back; seconds but for the last.

    Args:
        most: a window's length, where it has fallen behind; never less than a first window's.

        first: a first window's length, at least.

        again: periods before the cursor that are asked again, for a receiver that takes them in any order.

        taken: before now; what is older the receiver does not take, so it is not asked. 0 for no such bound.
    """

    most: int = LOOKBACK
    first: int = 0
    again: int = 0
    taken: int = 0


SCRAPED = Back()
"""Where only the newest value counts."""


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


def window_of(row: MetricRow, every: int, cursor: int, now: float, back: Back = SCRAPED) -> Window | None:
    """
    What a query of *row* asks now.

    Args:
        every: seconds between two questions.

        cursor: the end of the newest period received, unix seconds; 0 where none ever was.

        back: how far it may look back.

    Returns:
        From the cursor to the newest finished period, its oldest `LONGEST_WINDOW` periods where it is longer; None
        where nothing has finished since.
    """
    end = ready_until(row, now)
    reach = max(every, min(FIRST_PERIODS * row.period, LONGEST_FIRST))
    oldest = end - floor_to(max(back.most, reach), row.period)
    if not cursor:
        start = end - floor_to(max(back.first, reach), row.period)
    elif cursor < end:
        start = max(cursor - back.again * row.period, oldest)
    else:
        return None
    if back.taken and not row.held:
        start = max(start, floor_to(now - back.taken, row.period))
    return Window(start, min(end, start + LONGEST_WINDOW * row.period), row.period) if start < end else None


def plan(
    grid: Grid,
    now: float,
    *,
    deferred: Collection[Tier] = (),
    back: Back = SCRAPED,
) -> Plan:
    """
    The queries of *grid* that are due at *now* (unix seconds), by the window each has to ask, most important first.

    What has fallen behind comes after all that has not: an hour of datapoints must not delay what is new elsewhere.

    Args:
        deferred: tiers that the budget leaves out.

        back: how far windows may look back.
    """
    windows: dict[Window, list[Part]] = {}
    behind: dict[Window, list[Part]] = {}
    left_out: dict[tuple[Tier, str], int] = {}
    count = 0
    for group in sorted(grid.groups, key=lambda group: _ORDER.index(group.tier)):
        members = due(grid, group, now)
        if not members:
            continue
        if group.tier in deferred:
            key = (group.tier, "budget")
            left_out[key] = left_out.get(key, 0) + len(members)
            continue
        for window, part in _by_window(grid, group, members, now, back):
            late = window.end - window.start > group.every + FIRST_PERIODS * window.period
            (behind if late and window not in windows else windows).setdefault(window, []).append(part)
            count += part.billable
    for window, parts in behind.items():
        windows.setdefault(window, []).extend(parts)
    return Plan(windows, left_out, count, prices.dollars(count))


def due(grid: Grid, group: Group, now: float) -> Sequence[int]:
    """
    The members of *group* to be asked at *now* (unix seconds), ascending: those whose turn has come, and those whose
    last turn did not bring what they waited for, where it is time to look again.
    """
    row, cursors = group.rows[0], grid.cursors
    ready = ready_until(row, now)
    whose = slice(group.slot, group.slot + len(group))
    asked = cursors.asked[whose]
    last = ready - group.every
    members: Sequence[int]
    if max(asked) <= last:  # columns are compared whole: nearly always all of a group stand alike
        members = range(len(group))
    elif min(asked) > last:
        members = ()
    else:
        members = [member for member, end in enumerate(asked) if end <= last]
    silent = set(grid.backed_off(group)) if members else ()
    if silent:
        members = [
            member
            for member in members
            if member not in silent or ready - asked[member] >= grid.interval(group, member)
        ]
    if row.retry and len(members) < len(group):
        again = {
            member
            for member, (heard, tried) in enumerate(zip(cursors.heard[whose], cursors.tried[whose], strict=True))
            if heard < ready and now - tried >= row.retry
        }
        members = sorted(again.union(members))
    return members


def _by_window(
    grid: Grid, group: Group, members: Sequence[int], now: float, back: Back
) -> Iterator[tuple[Window, Part]]:
    """*members* of *group* by the window each has to ask; those with nothing to ask are left out."""
    row, heard = group.rows[0], grid.cursors.heard[group.slot : group.slot + len(group)]
    lowest = min(heard)
    if lowest == max(heard):  # all stand alike
        window = window_of(row, group.every, lowest, now, back)
        if window is not None:
            yield window, Part(group, members)
        return
    found: dict[int, list[int]] = {}
    for member in members:
        found.setdefault(heard[member], []).append(member)
    together: dict[Window, list[int]] = {}
    for cursor, each in found.items():
        window = window_of(row, group.every, cursor, now, back)
        if window is not None:
            together.setdefault(window, []).extend(each)
    for window, each in together.items():
        yield window, Part(group, sorted(each))


def projected(grid: Grid) -> dict[Tier, float]:
    """
    Dollars a month that asking all of *grid* at its intervals costs, by tier, silence taken into account.

    What is looked for again until it is there is reckoned to be found half-way through its period.
    """
    cost: dict[Tier, float] = {}
    for group in grid.groups:
        silent = grid.backed_off(group)
        retry = group.rows[0].retry
        intervals = [grid.interval(group, member) for member in silent]
        dollars = sum(
            count * prices.dollars_per_month(group.billable, min(every, 2 * retry) if retry else every)
            for every, count in ((group.every, len(group) - len(silent)), *((each, 1) for each in intervals))
        )
        cost[group.tier] = cost.get(group.tier, 0.0) + dollars
    return cost
