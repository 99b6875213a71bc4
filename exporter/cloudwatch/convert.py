"""
Datapoints → values: units, seconds, stamps, and the fold of a pass into the one value `/metrics` shows. Pure.

CloudWatch stamps a datapoint with the start of its period; from here on it carries the end (design.md 6.2). What each
answer means is said by `points` and `fold`; `taking` does the same for whole answers at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from exporter.model import Absent, Fold, MetricRow, Window

SETTLED = 3
"""Periods after which a datapoint that CloudWatch still does not have is taken to be none."""


@dataclass(frozen=True, slots=True)
class Points:
    """
    What arrived of one row: *ends* (unix seconds, strictly ascending) with one of *values* (our unit) each.

    *refused*: datapoints that could not be used (no number, outside the window, twice).
    """

    ends: tuple[int, ...]
    values: tuple[float, ...]
    refused: int = 0


def factor(row: MetricRow) -> tuple[float, float]:
    """
    (multiplier, divisor) from CloudWatch's value to ours.

    A hundredth is divided by 100 rather than multiplied by 0.01: 57 percent is 0.57 and nothing beside it.
    """
    seconds = float(row.period) if row.per_second else 1.0
    if row.scale < 1:
        return 1.0, seconds * round(1 / row.scale)
    return row.scale, seconds


def points(row: MetricRow, starts: Sequence[float], values: Sequence[float | str | None], window: Window) -> Points:
    """
    The datapoints that lie in *window*, in our unit, stamped with their ends, oldest first.

    Args:
        row: what they are of.

        starts: unix seconds at which their periods start, in the order received.

        values: one a start, in CloudWatch's unit.

        window: what was asked.
    """
    multiplier, divisor = factor(row)
    taken: dict[int, float] = {}
    refused = 0
    for start, value in zip(starts, values, strict=True):
        # AWS JSON spells what is no number as a string: "NaN", "Infinity" (performance.md 1.5).
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")
        ours = number * multiplier / divisor  # which may be more than a float holds
        end = int(start) + row.period if isfinite(start) else window.start
        if not isfinite(ours) or not window.start < end <= window.end or end in taken:
            refused += 1
            continue
        taken[end] = ours
    ends = tuple(sorted(taken))
    return Points(ends, tuple(taken[end] for end in ends), refused)


def fold(row: MetricRow, found: Points, window: Window) -> tuple[float, int] | None:
    """
    The one value of a pass and the end of its newest period (unix seconds); None where nothing is known.

    Where the row says that absence is zero, every period of the window without a datapoint counts as one of zero.
    """
    values = found.values
    if row.absent is Absent.ZERO:
        missing = window.points - len(values)
        if not values:
            return (0.0, window.end) if window.points else None
        newest = window.end
        total, count = sum(values), len(values) + missing
        zero = (0.0,) if missing else ()
        by_zero = {
            Fold.MEAN: total / count,
            Fold.MAX: max((*values, *zero)),
            Fold.MIN: min((*values, *zero)),
            Fold.NEWEST: values[-1] if found.ends[-1] == window.end else 0.0,
        }
        return by_zero[row.fold], newest
    if not values:
        return None
    match row.fold:
        case Fold.MEAN:
            value = sum(values) / len(values)
        case Fold.MAX:
            value = max(values)
        case Fold.MIN:
            value = min(values)
        case Fold.NEWEST:
            value = values[-1]
    return value, found.ends[-1]


def filled(row: MetricRow, found: Points, window: Window) -> Points:
    """
    *found* with a zero for each period of *window* without a datapoint, where the row says that absence is zero.

    A period counts as one without a datapoint when a later one has one, or after `SETTLED` further periods: what is
    written cannot be taken back.
    """
    if row.absent is not Absent.ZERO:
        return found
    newest = max(found.ends[-1] if found.ends else 0, window.end - SETTLED * row.period)
    known = dict(zip(found.ends, found.values, strict=True))
    ends = tuple(range(window.start + row.period, newest + 1, row.period))
    return Points(ends, tuple(known.get(end, 0.0) for end in ends), found.refused)
