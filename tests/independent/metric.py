"""
A CloudWatch family of the witness, and the reading of the tables written by hand. Pure.

The witness imports nothing of the exporter and must stay so, also where the exporter's rows would be handy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Facts = Mapping[str, Any]
"""What Describe says of the thing a metric is about; the readers fill it."""

Condition = Callable[[Facts], bool]

DELAY = 120
"""Seconds after the end of a period until it is read (aws-facts 7: complete after one to three minutes)."""

DAY = 86_400


@dataclass(frozen=True)
class Metric:
    """
    A family and where its values come from.

    Args:
        family: name at `/metrics`.

        subject: the kind of thing, which decides the dimensions and labels.

        namespace: CloudWatch's, as are `metric` and `statistic`.

        multiply: factor from CloudWatch's unit to the family's.

        per_second: whether the datapoint is a sum over `period` seconds.

        fold: mean, max, min or newest of one pass's points.

        every: seconds between two passes.

        delay: seconds after the end of a period until it is read.

        sparse: whether a period without a datapoint means zero.

        exists: what must all hold of the subject for AWS to publish it.

        wanted: what must all hold besides for it to be worth its price; the families' help texts say so.
    """

    family: str
    subject: str
    namespace: str
    metric: str
    statistic: str
    multiply: float
    per_second: bool
    fold: str
    period: int
    every: int
    delay: int
    tier: str
    sparse: bool
    exists: tuple[Condition, ...]
    wanted: tuple[Condition, ...]

    @property
    def service(self) -> str:
        return self.family.split("_")[1]

    @property
    def span(self) -> int:
        """Seconds after which a value is too old to be shown (design.md 6.2, "Life")."""
        return self.every + self.delay + 2 * self.period

    def look_back(self, every: int) -> int:
        """Seconds that a first pass reads, asked each *every* seconds: daily values for 72 hours (aws-facts 7)."""
        return 3 * DAY if self.period == DAY else max(min(every, self.every), 5 * self.period)

    def may_exist(self, facts: Facts) -> bool:
        return all(condition(facts) for condition in self.exists)

    def is_wanted(self, facts: Facts) -> bool:
        return all(condition(facts) for condition in self.wanted)


UNITS: Mapping[str, tuple[float, bool]] = {
    "as-is": (1.0, False),
    "percent": (1 / 100, False),
    "ms": (1 / 1000, False),
    "us": (1 / 1_000_000, False),
    "KiB/s": (1024.0, False),
    "vcpu-minutes": (60.0, False),
    "sum": (1.0, True),
    "sum-vcpu-minutes": (60.0, True),
}
"""CloudWatch's unit → factor to the base unit, and whether it is a sum over the period."""


def metrics_of(text: str, conditions: Mapping[str, Condition], delay: int = DELAY) -> tuple[Metric, ...]:
    """
    The metrics of a table.

    A line of three words (subject, namespace, prefix of the families) begins a part; a line of a part is ``name metric
    statistic unit fold period every tier`` and the names of *conditions*: plain ones for AWS to publish it, ``if:``
    ones for it to be wanted; and ``zero`` where a period without a datapoint means zero. ``#`` begins a comment.
    """
    found: list[Metric] = []
    subject = namespace = prefix = ""
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) == 3:
            subject, namespace, prefix = words
            continue
        name, metric, statistic, unit, fold, period, every, tier, *conditioned = words
        exists = [word for word in conditioned if word != "zero" and not word.startswith("if:")]
        multiply, per_second = UNITS[unit]
        found.append(
            Metric(
                prefix + name,
                subject,
                namespace,
                metric,
                statistic,
                multiply,
                per_second,
                fold,
                int(period),
                int(every),
                delay,
                tier,
                "zero" in conditioned,
                tuple(conditions[word] for word in exists),
                tuple(conditions[word[3:]] for word in conditioned if word.startswith("if:")),
            )
        )
    return tuple(found)
