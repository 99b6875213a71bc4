"""
A second way from AWS to series: plain boto3, and nothing of the exporter.

It asks as a person with boto3 and AWS's documentation would: every page of every Describe operation, one query a metric
and resource, and from the answers computes what `/metrics` must show after a first pass at an instant: the fold of
`tables` over a window that ends with the newest period older than the delay (design.md 6.2). What is about CloudWatch
stands in the tables; what Describe tells (aws-facts 3.2 to 3.6) in a reader for each service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.independent import ebs_reader, efs_reader, elasticache_reader, protection_reader, s3_reader
from tests.independent.comparing import Series
from tests.independent.place import Place, Wanted
from tests.independent.points import Question, ask, first_question, folded
from tests.independent.tables import LABELS, METRICS

SERVICES: Mapping[str, Callable[[Place], None]] = {
    "ebs": ebs_reader.read,
    "efs": efs_reader.read,
    "s3": s3_reader.read,
    "elasticache": elasticache_reader.read,
    "protection": protection_reader.read,  # the last: it asks about what the others found
}

NEWEST = {
    "volume": "aws_ebs_volume_newest_datapoint_timestamp_seconds",
    "attachment": "aws_ebs_volume_newest_datapoint_timestamp_seconds",
    "file-system": "aws_efs_file_system_newest_datapoint_timestamp_seconds",
    "cache-node": "aws_elasticache_node_newest_datapoint_timestamp_seconds",
    "serverless-cache": "aws_elasticache_serverless_newest_datapoint_timestamp_seconds",
    "bucket": "aws_s3_bucket_newest_datapoint_timestamp_seconds",
    "bucket-storage": "aws_s3_bucket_newest_datapoint_timestamp_seconds",
    "component-filter": "aws_s3_bucket_filter_newest_datapoint_timestamp_seconds",
    "other-filter": "aws_s3_bucket_filter_newest_datapoint_timestamp_seconds",
}
"""How old the newest datapoint is, where one silent resource matters (design.md 6.1): by subject."""

ONLY_PINNED = ("volume", "attachment")
"""Of these it matters where they are pinned."""


class Reader:
    """
    One reading of everything.

    Args:
        now: the instant both sides read at, unix seconds.

        wanted: what is configured.
    """

    def __init__(self, now: float, wanted: Wanted) -> None:
        self.now = now
        self.wanted = wanted
        self.series: Series = {}
        self.places = [Place(scope, now, wanted, self.series) for scope in wanted.scopes]

    def close(self) -> None:
        for place in self.places:
            place.close()

    def read(self) -> Series:
        """All series a first pass must show."""
        for place in self.places:
            self._describe(place)
            self._cloudwatch(place)
        return self.series

    def read_what_cannot_be(self) -> list[str]:
        """What CloudWatch has of the metrics that the tables say do not exist: nothing, if the tables are right."""
        found: list[str] = []
        for place in self.places:
            self._describe(place)
            questions = self._questions(place, possible=False)
            answers = zip(questions, ask(place.client, questions), strict=True)
            found += [f"{each.metric.metric} of {each.subject.dimensions}" for each, points in answers if points]
        return found

    def _describe(self, place: Place) -> None:
        for name, read in SERVICES.items():
            if name in self.wanted.services:
                read(place)

    def _questions(self, place: Place, *, possible: bool) -> list[Question]:
        """What is wanted, of what the tables say can (or cannot) exist."""
        return [
            first_question(metric, subject, self.now)
            for metric in METRICS
            for subject in place.subjects
            if metric.subject == subject.kind
            and metric.tier in self.wanted.tiers
            and metric.may_exist(subject.facts) is possible
            and (metric.is_wanted(subject.facts) or not possible)
        ]

    def _cloudwatch(self, place: Place) -> None:
        questions = self._questions(place, possible=True)
        answers = list(zip(questions, ask(place.client, questions), strict=True))
        for (kind, family, labels), value in folded(answers, self.now).items():
            place.put(family, dict(zip(LABELS[kind], labels, strict=True)), value)
        newest: dict[tuple[str, tuple[str, ...]], int] = {}
        for question, points in answers:
            kind, subject = question.subject.kind, question.subject
            if points and kind in NEWEST and (subject.pinned or kind not in ONLY_PINNED):
                key = NEWEST[kind], subject.labels[:1] if kind == "bucket-storage" else subject.labels
                newest[key] = max(newest.get(key, 0), max(points) + question.metric.period)
        for (name, labels), end in newest.items():
            place.say(name, labels, end)
