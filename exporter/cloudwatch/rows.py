"""
Which rows are in force, and how often each is asked: the table of a service under the configuration's wishes. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.errors import Fault
from exporter.model import MetricRow, Tier

PINNED_EVERY = 60
"""Seconds between two questions about a pinned resource (design.md 6.3)."""


@dataclass(frozen=True, slots=True)
class RowWish:
    """What the configuration says of a row: *every* in seconds, or whether it is on at all; None says nothing."""

    every: int | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class ActiveRow:
    """A row in force and the seconds between two questions."""

    row: MetricRow
    every: int


def longest_every(row: MetricRow) -> int:
    """The longest interval, in seconds, with which a value of *row* never goes stale before the next one comes."""
    return row.span - row.delay - row.period


def why_not(
    row: MetricRow, tiers: Collection[Tier], wishes: Mapping[str, RowWish], covered: Collection[str]
) -> str | None:
    """
    Why *row* is not asked; None where it is. The arguments are those of `choose`.

    Returns:
        ``disabled`` by the configuration, ``covered`` by a free source, or ``tier``: its tier is off.
    """
    enabled = _wish(row, wishes).enabled
    if enabled is not None:  # a row wished for by name is wanted even where its tier is off or a free source has it too
        return None if enabled else "disabled"
    if row.covered_by in covered and not row.witness:
        return "covered"
    return None if row.tier in tiers else "tier"


def reasons(
    rows: Sequence[MetricRow], tiers: Collection[Tier], wishes: Mapping[str, RowWish], covered: Collection[str]
) -> dict[tuple[str, str], str]:
    """(kind's name, CloudWatch's metric) → `why_not`, of the metrics of which no row is asked."""
    found: dict[tuple[str, str], str] = {}
    asked: set[tuple[str, str]] = set()
    for row in rows:
        key = (row.kind.name, row.source)
        reason = why_not(row, tiers, wishes, covered)
        if reason is None:
            asked.add(key)
        else:
            found.setdefault(key, reason)
    return {key: reason for key, reason in found.items() if key not in asked}


def choose(
    rows: Sequence[MetricRow], tiers: Collection[Tier], wishes: Mapping[str, RowWish], covered: Collection[str]
) -> tuple[ActiveRow, ...]:
    """
    The rows to ask: those of the *tiers* and those wished for by name, without those that a free source covers. What
    is only a witness beside such a source is asked less often, and its values stand for that much longer.

    Args:
        rows: a service's table.

        tiers: those that are on.

        wishes: by CloudWatch's metric name or by our family name; the family's word goes before the metric's.

        covered: names of the free sources that are scraped.
    """
    chosen = []
    for row in rows:
        if why_not(row, tiers, wishes, covered) is not None:
            continue
        wish = _wish(row, wishes)
        if row.witness and row.covered_by in covered and wish.enabled is None:
            chosen.append(ActiveRow(replace(row, every=row.witness), wish.every or row.witness))
        else:
            chosen.append(ActiveRow(row, wish.every or row.every))
    return tuple(chosen)


def _wish(row: MetricRow, wishes: Mapping[str, RowWish]) -> RowWish:
    by_metric, by_family = wishes.get(row.source, RowWish()), wishes.get(row.family.name, RowWish())
    enabled = by_family.enabled if by_family.enabled is not None else by_metric.enabled
    return RowWish(by_family.every or by_metric.every, enabled)


def faults_of(rows: Sequence[MetricRow], wishes: Mapping[str, RowWish], path: str) -> list[Fault]:
    """
    What is wrong with wishes of rows, one fault each, under the dotted *path*: an interval that is no multiple of the
    metric's period would split periods, one that is too long would let values go stale between two questions.
    """
    faults = []
    for name, wish in wishes.items():
        meant = [row for row in rows if name in {row.source, row.family.name}]
        if wish.every is None or not meant:
            continue
        row = min(meant, key=longest_every)  # a metric may have several rows, and a family two: the strictest counts
        where = f"{path}.{name}.every"
        if wish.every < row.period or wish.every % row.period:
            text = f"{wish.every}s is no multiple of the {row.period}s at which AWS publishes {row.source}"
            faults.append(Fault(where, text))
        elif wish.every > longest_every(row):
            text = (
                f"{wish.every}s is longer than {longest_every(row)}s: {row.family.name} would go stale "
                f"before the next one comes (rules read them over {row.span}s)"
            )
            faults.append(Fault(where, text))
    return faults
