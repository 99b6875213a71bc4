"""
What every CloudWatch family of S3 must be made of, written by hand from aws-facts 1.4, 1.7, 4.5 and 7.

As in `table`: names, labels, folds and intervals are the interface, the rest is AWS's documentation. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.independent.metric import metrics_of

DAILY_DELAY = 14_400
REQUESTS_DELAY = 180
REPLICATION_DELAY = 180
"""Seconds until a day, or a minute, is read; part of the interface."""

DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "bucket-storage": ("BucketName", "StorageType"),
    "bucket": ("BucketName", "StorageType"),
    "component-filter": ("BucketName", "FilterId"),
    "other-filter": ("BucketName", "FilterId"),
    "bucket-replication": ("SourceBucket", "DestinationBucket", "RuleId"),
    "bucket-replication-source": ("SourceBucket", "DestinationBucket", "RuleId"),
}

BUCKET = ("bucket",)
_FILTER = ("bucket", "filter_id")
_RULE = ("bucket", "destination_bucket", "rule_id")
_LIFECYCLE = ("bucket", "rule_id", "prefix", "filter")

LABELS: Mapping[str, tuple[str, ...]] = {
    "bucket-storage": ("bucket", "storage_type"),
    "bucket": BUCKET,
    "component-filter": _FILTER,
    "other-filter": _FILTER,
    "bucket-replication": _RULE,
    "bucket-replication-source": _RULE,
}

ALL_STORAGE_TYPES = "AllStorageTypes"
"""The StorageType of NumberOfObjects."""

STORAGE_TYPES = (
    "StandardStorage",
    *(f"IntelligentTiering{tier}Storage" for tier in ("FA", "IA", "AA", "AIA", "DAA")),
    *("IntAAObjectOverhead", "IntAAS3ObjectOverhead", "IntDAAObjectOverhead", "IntDAAS3ObjectOverhead"),
    *("StandardIAStorage", "StandardIASizeOverhead", "StandardIAObjectOverhead"),
    *("OneZoneIAStorage", "OneZoneIASizeOverhead"),
    "ReducedRedundancyStorage",
    *("GlacierInstantRetrievalStorage", "GlacierIRSizeOverhead"),
    *("GlacierStorage", "GlacierStagingStorage", "GlacierObjectOverhead", "GlacierS3ObjectOverhead"),
    *("DeepArchiveStorage", "DeepArchiveStagingStorage", "DeepArchiveObjectOverhead", "DeepArchiveS3ObjectOverhead"),
    "ExpressOneZoneStorage",
)
"""All StorageType values of BucketSizeBytes (aws-facts 1.4)."""

_DAILY = """
bucket-storage AWS/S3 aws_s3_bucket_
size_bytes                 BucketSizeBytes Average as-is newest 86400 86400 standard
bucket AWS/S3 aws_s3_bucket_
objects                    NumberOfObjects Average as-is newest 86400 86400 standard
"""


def _requests(subject: str, urgent: str) -> Iterator[str]:
    """The table of requests for one kind of filter; *urgent* is interval and tier of what tells of trouble."""
    yield f"{subject} AWS/S3 aws_s3_bucket_"
    yield from (
        f"server_errors_ratio      5xxErrors Average as-is mean 60 {urgent}",
        f"server_errors_per_second 5xxErrors Sum     sum   mean 60 {urgent}",
        f"client_errors_ratio      4xxErrors Average as-is mean 60 {urgent}",
        f"client_errors_per_second 4xxErrors Sum     sum   mean 60 {urgent}",
        f"requests_per_second      AllRequests Sum   sum   mean 60 {urgent}",
    )
    for name, metric in (("first_byte_latency", "FirstByteLatency"), ("request_latency", "TotalRequestLatency")):
        yield f"{name}_seconds     {metric} Average ms max 60 900 standard"
        yield f"{name}_p99_seconds {metric} p99     ms max 60 900 standard"
        yield f"{name}_max_seconds {metric} Maximum ms max 60 900 standard"
    for kind in ("Get", "Put", "Delete", "Head", "Post", "Select", "List"):
        yield f"{kind.lower()}_requests_per_second {kind}Requests Sum sum mean 60 900 on-request"
    for name, metric in (
        ("downloaded", "BytesDownloaded"),
        ("uploaded", "BytesUploaded"),
        ("select_scanned", "SelectBytesScanned"),
        ("select_returned", "SelectBytesReturned"),
    ):
        yield f"{name}_bytes_per_second {metric} Sum sum mean 60 900 on-request"


_REPLICATION = """
bucket-replication AWS/S3 aws_s3_bucket_
replication_latency_seconds    ReplicationLatency           Maximum as-is max 60 900 standard
replication_pending_bytes      BytesPendingReplication      Maximum as-is max 60 900 standard
replication_pending_operations OperationsPendingReplication Maximum as-is max 60 900 standard
bucket-replication-source AWS/S3 aws_s3_bucket_
replication_failed_operations  OperationsFailedReplication  Sum     as-is max 60 900 standard zero
"""

METRICS = (
    *metrics_of(_DAILY, {}, DAILY_DELAY),
    *metrics_of("\n".join(_requests("component-filter", "60 essential")), {}, REQUESTS_DELAY),
    *metrics_of("\n".join(_requests("other-filter", "900 standard")), {}, REQUESTS_DELAY),
    *metrics_of(_REPLICATION, {}, REPLICATION_DELAY),
)

INVENTORY: Mapping[str, tuple[str, ...]] = {
    "aws_s3_bucket_info": (
        *("bucket", "bucket_component", "versioning", "mfa_delete", "encryption", "kms_key_id", "bucket_key_enabled"),
        "logging_target_bucket",
    ),
    "aws_s3_bucket_created_timestamp_seconds": BUCKET,
    "aws_s3_bucket_versioning_enabled": BUCKET,
    "aws_s3_bucket_encryption_enabled": BUCKET,
    "aws_s3_bucket_transit_encryption_required": BUCKET,
    "aws_s3_bucket_public": BUCKET,
    "aws_s3_bucket_public_access_blocked": BUCKET,
    "aws_s3_bucket_public_access_block_setting": ("bucket", "setting"),
    "aws_s3_bucket_logging_enabled": BUCKET,
    "aws_s3_bucket_replication_enabled": BUCKET,
    "aws_s3_bucket_replication_rule_info": (
        *("bucket", "rule_id", "destination_bucket", "destination_region", "status", "storage_class"),
        *("metrics_enabled", "time_control_enabled"),
    ),
    "aws_s3_bucket_lifecycle_rules": BUCKET,
    "aws_s3_bucket_lifecycle_rule_info": (*_LIFECYCLE, "status", "expired_object_delete_marker"),
    "aws_s3_bucket_lifecycle_expiration_seconds": _LIFECYCLE,
    "aws_s3_bucket_lifecycle_expiration_timestamp_seconds": _LIFECYCLE,
    "aws_s3_bucket_lifecycle_noncurrent_expiration_seconds": _LIFECYCLE,
    "aws_s3_bucket_lifecycle_newer_noncurrent_versions": _LIFECYCLE,
    "aws_s3_bucket_lifecycle_abort_incomplete_seconds": _LIFECYCLE,
    "aws_s3_bucket_lifecycle_transition_seconds": (*_LIFECYCLE, "storage_class"),
    "aws_s3_bucket_lifecycle_shortest_expiration_seconds": BUCKET,
    "aws_s3_bucket_metrics_configurations": BUCKET,
    "aws_s3_bucket_metrics_configuration_info": ("bucket", "filter_id", "prefix", "filter"),
    "aws_s3_bucket_newest_datapoint_timestamp_seconds": BUCKET,
    "aws_s3_bucket_filter_newest_datapoint_timestamp_seconds": _FILTER,
}
"""Families that are not one CloudWatch metric: name → labels after account_id and region."""
