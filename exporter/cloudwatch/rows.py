"""
Which rows are in force, and how often each is asked: the table of a service under the configuration's wishes. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

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


def choose(
    rows: Sequence[MetricRow], tiers: Collection[Tier], wishes: Mapping[str, RowWish], covered: Collection[str]
) -> tuple[ActiveRow, ...]:
    """
    The rows to ask: those of the *tiers* and those wished for by name, without those that a free source covers.

    Args:
        rows: a service's table.

        tiers: those that are on.

        wishes: by CloudWatch's metric name or by our family name; the family's word goes before the metric's.

        covered: names of the free sources that are scraped.
    """
    chosen = []
    for row in rows:
        by_metric, by_family = wishes.get(row.source, RowWish()), wishes.get(row.family.name, RowWish())
        enabled = by_family.enabled if by_family.enabled is not None else by_metric.enabled
        every = by_family.every or by_metric.every or row.every
        # A row wished for by name is wanted even where its tier is off or a free source has it too.
        wanted = enabled if enabled is not None else row.tier in tiers and row.covered_by not in covered
        if wanted:
            chosen.append(ActiveRow(row, every))
    return tuple(chosen)


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
