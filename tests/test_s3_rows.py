"""The table of S3's rows, against what AWS says of its metrics (aws-facts 1.4)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter.cloudwatch.rows import RowWish, faults_of, longest_every
from exporter.model import Absent, Fold, MetricRow, Resource, Scope, Tier
from exporter.services.s3 import S3
from exporter.services.s3_facts import FAMILIES
from exporter.services.s3_rows import BUCKET, COMPONENT_FILTER, FILTER, REPLICATION, REPLICATION_SOURCE, ROWS, STORAGE

SUMS = {
    "AllRequests", "GetRequests", "PutRequests", "DeleteRequests", "HeadRequests", "PostRequests", "SelectRequests",
    "ListRequests", "BytesDownloaded", "BytesUploaded", "SelectBytesScanned", "SelectBytesReturned",
}  # fmt: skip
"""Request metrics whose only useful statistic is Sum."""
REQUESTS = SUMS | {"4xxErrors", "5xxErrors", "FirstByteLatency", "TotalRequestLatency"}
FAR = {"ReplicationLatency", "BytesPendingReplication", "OperationsPendingReplication"}


def _of(where: Callable[[MetricRow], bool]) -> list[MetricRow]:
    return [row for row in ROWS if where(row)]


def test_every_metric_aws_publishes_is_in_the_table() -> None:
    """Under the dimensions AWS publishes it under; whoever misses one of them gets nothing, and pays."""
    by_kind = {
        kind.name: {row.source for row in ROWS if row.kind == kind}
        for kind in (STORAGE, BUCKET, FILTER, COMPONENT_FILTER, REPLICATION, REPLICATION_SOURCE)
    }
    assert by_kind == {
        "s3-bucket-storage": {"BucketSizeBytes"},
        "s3-bucket": {"NumberOfObjects"},
        "s3-filter": REQUESTS,
        "s3-component-filter": REQUESTS,
        "s3-replication": FAR,
        "s3-replication-source": {"OperationsFailedReplication"},
    }
    dimensions = {kind: [name for name, _ in kind.dimensions] for kind in {row.kind for row in ROWS}}
    assert dimensions[STORAGE] == dimensions[BUCKET] == ["BucketName", "StorageType"]
    assert dimensions[FILTER] == dimensions[COMPONENT_FILTER] == ["BucketName", "FilterId"]
    assert dimensions[REPLICATION] == dimensions[REPLICATION_SOURCE] == ["SourceBucket", "DestinationBucket", "RuleId"]


def test_statistics_are_those_that_mean_something() -> None:
    """Each request counts 0 or 1 of an error, so the average is the rate; counts and bytes are sums, over the time."""
    asked: dict[str, set[str]] = {}
    for row in ROWS:
        asked.setdefault(row.source, set()).add(row.statistic)
    assert all(asked[source] == {"Sum"} for source in SUMS | {"OperationsFailedReplication"})
    assert asked["4xxErrors"] == asked["5xxErrors"] == {"Average", "Sum"}
    assert asked["FirstByteLatency"] == asked["TotalRequestLatency"] == {"Average", "p99", "Maximum"}
    assert all(asked[source] == {"Maximum"} for source in FAR)
    for row in _of(lambda row: row.kind in {FILTER, COMPONENT_FILTER}):
        assert row.per_second == (row.statistic == "Sum"), row.family.name
        assert row.family.name.endswith("_per_second") == row.per_second
        assert row.scale == (0.001 if row.source.endswith("Latency") else 1.0)
        assert row.fold is (Fold.MAX if row.source.endswith("Latency") else Fold.MEAN)
        assert row.family.name.endswith("_ratio") == (row.source in {"4xxErrors", "5xxErrors"} and not row.per_second)


def test_a_family_has_the_same_meaning_whoever_is_asked_for_it() -> None:
    """Buckets of components are asked more often, and shown under the very same family."""
    component = {row.family.name: row for row in _of(lambda row: row.kind == COMPONENT_FILTER)}
    others = {row.family.name: row for row in _of(lambda row: row.kind == FILTER)}
    assert component.keys() == others.keys()
    for name, row in component.items():
        other = others[name]
        assert row.family is other.family
        assert (row.source, row.statistic, row.fold, row.scale, row.per_second) == (
            other.source, other.statistic, other.fold, other.scale, other.per_second,
        )  # fmt: skip
    fast = {row.source for row in component.values() if (row.tier, row.every) == (Tier.ESSENTIAL, 60)}
    assert fast == {"4xxErrors", "5xxErrors", "AllRequests"}
    slow = {row.source for row in others.values() if (row.tier, row.every) == (Tier.STANDARD, 900)}
    assert slow == fast | {"FirstByteLatency", "TotalRequestLatency"}
    assert all(row.tier is Tier.ON_REQUEST for row in others.values() if row.source not in slow)


def test_only_failed_replication_is_zero_when_it_is_missing() -> None:
    """AWS publishes it for failures alone; everything else that is missing may be late."""
    assert {row.source for row in ROWS if row.absent is Absent.ZERO} == {"OperationsFailedReplication"}


def test_daily_values_are_held_over_a_day_that_comes_late() -> None:
    """The newest day is up to two days old when the next comes, and is looked for every four hours until then."""
    daily = _of(lambda row: row.kind in {STORAGE, BUCKET})
    for row in daily:
        assert (row.period, row.every, row.delay, row.retry) == (86400, 86400, 4 * 3600, 4 * 3600)
        assert row.fold is Fold.NEWEST
        assert row.span >= 72 * 3600
        assert not row.sparse
    assert all(row.sparse and row.delay == 180 and row.period == 60 for row in ROWS if row not in daily)


def test_an_interval_is_held_against_the_shorter_span() -> None:
    """What a configuration wants of a family holds for both its rows, so the fast one decides what is too long."""
    name = "aws_s3_bucket_server_errors_ratio"
    row = next(row for row in ROWS if row.family.name == name)
    assert faults_of(ROWS, {name: RowWish(longest_every(row))}, "rows") == []
    assert len(faults_of(ROWS, {name: RowWish(900)}, "rows")) == 1


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.kind.name}-{row.family.name}")
def test_labels_are_those_of_the_resource(row: MetricRow) -> None:
    """A family's labels are account, region and its kind's; a resource can always say them."""
    assert row.family.labels == ("account_id", "region", *row.kind.labels)
    resource = Resource(row.kind, Scope("123456789012", "eu-west-1"), tuple(name for name, _ in row.kind.dimensions))
    assert len(resource.label_values()) == len(row.family.labels)
    assert f"AWS/S3 {row.source} ({row.statistic})" in row.family.help


def test_names_are_unique_and_of_one_level() -> None:
    """One family, one meaning: no fact has the name of a value, and all are of the bucket."""
    names = [family.name for family in FAMILIES] + [member.family.name for member in S3.members]
    names += {row.family.name for row in ROWS}
    assert len(names) == len(set(names))
    assert all(name.startswith("aws_s3_bucket_") for name in names)
