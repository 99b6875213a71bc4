"""CloudWatch's part of the second way: windows, GetMetricData through plain boto3, and the fold of a first pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.independent.metric import Metric
from tests.independent.tables import DIMENSIONS

PINNED = 60
"""Seconds between two passes about a pinned resource (design.md 6.3)."""

MOST_QUERIES = 500
"""Of one GetMetricData request (aws-facts 2.1)."""


@dataclass(frozen=True)
class Subject:
    """
    Something CloudWatch has metrics of: the values of its dimensions and labels, in the table's order.

    Args:
        published_in: the region whose CloudWatch has the metrics, "" for that of the thing itself.
    """

    kind: str
    dimensions: tuple[str, ...]
    labels: tuple[str, ...]
    facts: Mapping[str, Any]
    pinned: bool = False
    published_in: str = ""


@dataclass(frozen=True)
class Question:
    """One metric of one subject over ``[start, end)``, unix seconds."""

    metric: Metric
    subject: Subject
    start: int
    end: int

    def query(self, name: str) -> Mapping[str, Any]:
        """As GetMetricData wants it."""
        pairs = zip(DIMENSIONS[self.metric.subject], self.subject.dimensions, strict=True)
        of = {
            "Namespace": self.metric.namespace,
            "MetricName": self.metric.metric,
            "Dimensions": [{"Name": dimension, "Value": value} for dimension, value in pairs],
        }
        return {"Id": name, "MetricStat": {"Metric": of, "Period": self.metric.period, "Stat": self.metric.statistic}}


def first_question(metric: Metric, subject: Subject, now: float) -> Question:
    """What a first pass reads: the interval, at least five periods, up to the newest finished period."""
    end = int(now - metric.delay) // metric.period * metric.period
    return Question(metric, subject, end - metric.look_back(PINNED if subject.pinned else metric.every), end)


def ask(client: Callable[[str, str], Any], questions: Sequence[Question]) -> list[dict[int, float]]:
    """The datapoints of each question, in its order: start of the period → CloudWatch's value."""
    found: list[dict[int, float]] = [{} for _ in questions]
    where = [(each.subject.published_in, each.start, each.end) for each in questions]
    for region, first, last in sorted(set(where)):
        pages = client("cloudwatch", region).get_paginator("get_metric_data")
        inside = [number for number, each in enumerate(where) if each == (region, first, last)]
        start, end = datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC)
        for begin in range(0, len(inside), MOST_QUERIES):
            queries = [questions[number].query(f"m{number}") for number in inside[begin : begin + MOST_QUERIES]]
            for page in pages.paginate(MetricDataQueries=queries, StartTime=start, EndTime=end):
                for result in page["MetricDataResults"]:
                    stamps = (int(stamp.timestamp()) for stamp in result["Timestamps"])
                    found[int(result["Id"][1:])].update(zip(stamps, result["Values"], strict=True))
    return found


def fold(metric: Metric, points: Mapping[int, float], periods: int) -> float:
    """The one value of a pass: of the datapoints that are there, in the family's unit."""
    values = [value * metric.multiply for _, value in sorted(points.items())]
    if metric.sparse:
        values += [0.0] * (periods - len(values))
    if metric.per_second:
        return sum(values) / (len(values) * metric.period)
    if metric.fold == "mean":
        return sum(values) / len(values)
    return {"max": max(values), "min": min(values), "newest": values[-1]}[metric.fold]


def folded(
    answers: Iterable[tuple[Question, Mapping[int, float]]], now: float
) -> dict[tuple[str, str, tuple[str, ...]], float]:
    """(subject's kind, family, label values) → the value shown at *now*; of several attachments the worst."""
    shown: dict[tuple[str, str, tuple[str, ...]], float] = {}
    for question, points in answers:
        metric, subject = question.metric, question.subject
        newest = question.end if metric.sparse else max(points, default=0) + metric.period
        if (points or metric.sparse) and newest >= now - metric.span:  # what is older is outlived
            key = subject.kind, metric.family, subject.labels
            value = fold(metric, points, (question.end - question.start) // metric.period)
            shown[key] = max(value, shown.get(key, value))
    return shown
