"""
What CloudWatch publishes about S3, as rows (aws-facts 1.4). A table, nothing else.

Three lanes: the size and number of objects once a day; requests by the minute, where the bucket has a metrics
configuration; replication by the minute, where the rule has metrics. Only failed replication is read as zero when it is
missing: AWS publishes it for failures alone (aws-facts 7). A minute without a request has no datapoint either, but so
has a CloudWatch that is late, hence rates are over the minutes that had such requests.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from exporter.model import Absent, Family, Fold, MetricRow, ResourceKind, Tier
from exporter.services.base import gauge, member

_REQUESTS = (("BucketName", "bucket"), ("FilterId", "filter_id"))
_RULE = (("SourceBucket", "bucket"), ("DestinationBucket", "destination_bucket"), ("RuleId", "rule_id"))

STORAGE = ResourceKind(
    "s3-bucket-storage",
    "s3",
    "AWS/S3",
    (("BucketName", "bucket"), ("StorageType", "storage_type")),
    ("bucket", "storage_type"),
)
BUCKET = ResourceKind("s3-bucket", "s3", "AWS/S3", (("BucketName", "bucket"), ("StorageType", "")), ("bucket",))
COMPONENT_FILTER = ResourceKind("s3-component-filter", "s3", "AWS/S3", _REQUESTS, ("bucket", "filter_id"))
FILTER = ResourceKind("s3-filter", "s3", "AWS/S3", _REQUESTS, ("bucket", "filter_id"))
REPLICATION = ResourceKind("s3-replication", "s3", "AWS/S3", _RULE, ("bucket", "destination_bucket", "rule_id"))
REPLICATION_SOURCE = ResourceKind(  # apart, for AWS publishes it in the region of the source
    "s3-replication-source", "s3", "AWS/S3", _RULE, ("bucket", "destination_bucket", "rule_id")
)

STANDARD_STORAGE = "StandardStorage"
ALL_STORAGE_TYPES = "AllStorageTypes"

_DAY = 86400
_ESSENTIAL = (Tier.ESSENTIAL, 60)
_STANDARD = (Tier.STANDARD, 900)
_ASKED = (Tier.ON_REQUEST, 900)


def _family(kind: ResourceKind, source: str, statistic: str, name: str, text: str) -> Family:
    return gauge(name, f"{text} Source: {kind.namespace} {source} ({statistic}).", kind.labels)


def _row(
    kind: ResourceKind, source: str, statistic: str, name: str, text: str, tier: Tier, every: int, **more: Any
) -> MetricRow:
    return MetricRow(kind, source, statistic, _family(kind, source, statistic, name, text), tier, every, **more)


_daily: dict[str, Any] = {
    "tier": Tier.STANDARD, "every": _DAY, "period": _DAY, "delay": 4 * 3600, "retry": 4 * 3600, "fold": Fold.NEWEST,
}  # fmt: skip
_rate: dict[str, Any] = {"per_second": True, "fold": Fold.MEAN}
_mean: dict[str, Any] = {"fold": Fold.MEAN}
_worst: dict[str, Any] = {"scale": 0.001, "fold": Fold.MAX}
_minutely = partial(_row, delay=180, sparse=True)

# (metric, statistic, family, what it says, (tier, every) elsewhere, (tier, every) of a component's bucket, the rest)
_REQUEST_METRICS: tuple[tuple[str, str, str, str, tuple[Tier, int], tuple[Tier, int], dict[str, Any]], ...] = (
    ("5xxErrors", "Average", "aws_s3_bucket_server_errors_ratio",
     "Share of a minute's requests that S3 failed (5xx).", _STANDARD, _ESSENTIAL, _mean),
    ("5xxErrors", "Sum", "aws_s3_bucket_server_errors_per_second",
     "Requests a second that S3 failed (5xx).", _STANDARD, _ESSENTIAL, _rate),
    ("4xxErrors", "Average", "aws_s3_bucket_client_errors_ratio",
     "Share of a minute's requests that S3 refused (4xx).", _STANDARD, _ESSENTIAL, _mean),
    ("4xxErrors", "Sum", "aws_s3_bucket_client_errors_per_second",
     "Requests a second that S3 refused (4xx).", _STANDARD, _ESSENTIAL, _rate),
    ("AllRequests", "Sum", "aws_s3_bucket_requests_per_second",
     "Requests of all kinds a second.", _STANDARD, _ESSENTIAL, _rate),
    ("FirstByteLatency", "Average", "aws_s3_bucket_first_byte_latency_seconds",
     "Mean time to the first byte of an answer in the slowest minute.", _STANDARD, _STANDARD, _worst),
    ("FirstByteLatency", "p99", "aws_s3_bucket_first_byte_latency_p99_seconds",
     "Time to the first byte that 99 % of requests stay within, in the slowest minute.", _STANDARD, _STANDARD, _worst),
    ("FirstByteLatency", "Maximum", "aws_s3_bucket_first_byte_latency_max_seconds",
     "Longest time to the first byte of an answer.", _STANDARD, _STANDARD, _worst),
    ("TotalRequestLatency", "Average", "aws_s3_bucket_request_latency_seconds",
     "Mean time from a request's first byte to its answer's last in the slowest minute.",
     _STANDARD, _STANDARD, _worst),
    ("TotalRequestLatency", "p99", "aws_s3_bucket_request_latency_p99_seconds",
     "Time that 99 % of requests stay within, in the slowest minute.", _STANDARD, _STANDARD, _worst),
    ("TotalRequestLatency", "Maximum", "aws_s3_bucket_request_latency_max_seconds",
     "Longest time of a request.", _STANDARD, _STANDARD, _worst),
    ("GetRequests", "Sum", "aws_s3_bucket_get_requests_per_second",
     "GET requests for objects a second.", _ASKED, _ASKED, _rate),
    ("PutRequests", "Sum", "aws_s3_bucket_put_requests_per_second",
     "PUT requests for objects a second.", _ASKED, _ASKED, _rate),
    ("DeleteRequests", "Sum", "aws_s3_bucket_delete_requests_per_second",
     "DELETE requests for objects a second.", _ASKED, _ASKED, _rate),
    ("HeadRequests", "Sum", "aws_s3_bucket_head_requests_per_second",
     "HEAD requests a second.", _ASKED, _ASKED, _rate),
    ("PostRequests", "Sum", "aws_s3_bucket_post_requests_per_second",
     "POST requests a second.", _ASKED, _ASKED, _rate),
    ("SelectRequests", "Sum", "aws_s3_bucket_select_requests_per_second",
     "SELECT requests a second.", _ASKED, _ASKED, _rate),
    ("ListRequests", "Sum", "aws_s3_bucket_list_requests_per_second",
     "Requests a second that list the bucket.", _ASKED, _ASKED, _rate),
    ("BytesDownloaded", "Sum", "aws_s3_bucket_downloaded_bytes_per_second",
     "Bytes of answers' bodies a second.", _ASKED, _ASKED, _rate),
    ("BytesUploaded", "Sum", "aws_s3_bucket_uploaded_bytes_per_second",
     "Bytes of requests' bodies a second.", _ASKED, _ASKED, _rate),
    ("SelectBytesScanned", "Sum", "aws_s3_bucket_select_scanned_bytes_per_second",
     "Bytes a second that SELECT requests read.", _ASKED, _ASKED, _rate),
    ("SelectBytesReturned", "Sum", "aws_s3_bucket_select_returned_bytes_per_second",
     "Bytes a second that SELECT requests gave back.", _ASKED, _ASKED, _rate),
)  # fmt: skip


def _request_rows() -> tuple[MetricRow, ...]:
    """
    Each request metric twice, under one family: for a component's bucket and for others.

    A component's come first: they are asked more often, so an interval the configuration wants is held against theirs.
    """
    component, other = [], []
    for source, statistic, name, text, elsewhere, of_component, more in _REQUEST_METRICS:
        family = _family(FILTER, source, statistic, name, text)
        rest: dict[str, Any] = {"delay": 180, "sparse": True, **more}
        component.append(MetricRow(COMPONENT_FILTER, source, statistic, family, *of_component, **rest))
        other.append(MetricRow(FILTER, source, statistic, family, *elsewhere, **rest))
    return (*component, *other)


ROWS: tuple[MetricRow, ...] = (
    _row(
        STORAGE, "BucketSizeBytes", "Average", "aws_s3_bucket_size_bytes",
        "Bytes in a storage type, noncurrent versions and incomplete uploads included; a day old.", **_daily,
    ),
    _row(
        BUCKET, "NumberOfObjects", "Average", "aws_s3_bucket_objects",
        "Objects with noncurrent versions, delete markers and parts of incomplete uploads; a day old.", **_daily,
    ),
    *_request_rows(),
    _minutely(
        REPLICATION, "ReplicationLatency", "Maximum", "aws_s3_bucket_replication_latency_seconds",
        "How far the destination is behind the source.", *_STANDARD, fold=Fold.MAX,
    ),
    _minutely(
        REPLICATION, "BytesPendingReplication", "Maximum", "aws_s3_bucket_replication_pending_bytes",
        "Bytes that wait to be replicated.", *_STANDARD, fold=Fold.MAX,
    ),
    _minutely(
        REPLICATION, "OperationsPendingReplication", "Maximum", "aws_s3_bucket_replication_pending_operations",
        "Operations that wait to be replicated.", *_STANDARD, fold=Fold.MAX,
    ),
    _minutely(
        REPLICATION_SOURCE, "OperationsFailedReplication", "Sum", "aws_s3_bucket_replication_failed_operations",
        "Operations a minute that could not be replicated, in the worst minute.", *_STANDARD,
        fold=Fold.MAX, absent=Absent.ZERO,
    ),
)  # fmt: skip

NEWEST_DAILY = member(
    BUCKET,
    "End of the newest day whose values CloudWatch has told of this bucket, unix seconds.",
    "aws_s3_bucket",
)
NEWEST_REQUEST = member(
    FILTER,
    "End of the newest period in which CloudWatch tells of requests under this filter, unix seconds.",
    "aws_s3_bucket_filter",
)
