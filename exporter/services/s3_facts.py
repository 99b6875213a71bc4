"""
What S3's own operations tell of a bucket: which are asked and how often, and the families their facts become.

A table, nothing else. Operations, absence and IAM actions (which are not named as the operations) are those of
aws-facts 3.4. A code for "there is none" is an answer; of a bucket that is gone (``NoSuchBucket``) nothing is known.
"""

from __future__ import annotations

from exporter.model import Family
from exporter.services.base import gauge, info
from exporter.services.claims import claim_info
from exporter.services.reader import Operation
from exporter.services.s3_rows import STORAGE

HOURLY = 3600
COMPONENT_EVERY = 900
"""Seconds between two readings of a bucket that a part of the observability stack lives on (design.md 6.2)."""

_GONE = frozenset({"NoSuchBucket"})


def _of_bucket(name: str, action: str, *absent: str, every: int = HOURLY) -> Operation:
    return Operation("s3", name, every, f"s3:{action}", paged=False, absent=frozenset(absent), gone=_GONE)


BUCKETS = Operation("s3", "ListBuckets", 300, "s3:ListAllMyBuckets", "Buckets", page_size=1000, on=("*",))
LOCATION = _of_bucket("GetBucketLocation", "GetBucketLocation", every=86400)
TAGGING = _of_bucket("GetBucketTagging", "GetBucketTagging", "NoSuchTagSet")
VERSIONING = _of_bucket("GetBucketVersioning", "GetBucketVersioning")
ENCRYPTION = _of_bucket(
    "GetBucketEncryption", "GetEncryptionConfiguration", "ServerSideEncryptionConfigurationNotFoundError"
)
LIFECYCLE = _of_bucket("GetBucketLifecycleConfiguration", "GetLifecycleConfiguration", "NoSuchLifecycleConfiguration")
PUBLIC_ACCESS = _of_bucket("GetPublicAccessBlock", "GetBucketPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration")
POLICY_STATUS = _of_bucket("GetBucketPolicyStatus", "GetBucketPolicyStatus", "NoSuchBucketPolicy")
POLICY = _of_bucket("GetBucketPolicy", "GetBucketPolicy", "NoSuchBucketPolicy")
LOGGING = _of_bucket("GetBucketLogging", "GetBucketLogging")
REPLICATION_RULES = _of_bucket(
    "GetBucketReplication", "GetReplicationConfiguration", "ReplicationConfigurationNotFoundError"
)
METRICS = Operation(
    "s3",
    "ListBucketMetricsConfigurations",
    HOURLY,
    "s3:GetMetricsConfiguration",
    "MetricsConfigurationList",
    gone=_GONE,
)
STORAGE_TYPES = Operation(
    "cloudwatch",
    "ListMetrics",
    6 * 3600,
    "cloudwatch:ListMetrics",
    "Metrics",
    fields=("Dimensions.Name", "Dimensions.Value"),
    needed_by=STORAGE.name,
    on=("*",),
)

OPERATIONS: tuple[Operation, ...] = (
    BUCKETS,
    LOCATION,
    TAGGING,
    VERSIONING,
    ENCRYPTION,
    LIFECYCLE,
    PUBLIC_ACCESS,
    POLICY_STATUS,
    POLICY,
    LOGGING,
    REPLICATION_RULES,
    METRICS,
    STORAGE_TYPES,
)

_BUCKET = ("bucket",)
_LIFECYCLE_RULE = ("bucket", "rule_id", "prefix", "filter")

BUCKET_INFO = info(
    "aws_s3_bucket_info",
    "What the bucket is: versioning (enabled, suspended, never), MFA delete (enabled, disabled), the rest in S3's "
    "words; empty where they are not known.",
    (
        "bucket",
        "bucket_component",
        "versioning",
        "mfa_delete",
        "encryption",
        "kms_key_id",
        "bucket_key_enabled",
        "logging_target_bucket",
    ),
)
CREATED = gauge("aws_s3_bucket_created_timestamp_seconds", "When the bucket was made, unix seconds.", _BUCKET)
VERSIONING_ENABLED = gauge(
    "aws_s3_bucket_versioning_enabled", "1 where versioning is enabled; 0 where it is suspended or never was.", _BUCKET
)
ENCRYPTION_ENABLED = gauge(
    "aws_s3_bucket_encryption_enabled", "1 where new objects are encrypted by default, else 0.", _BUCKET
)
PUBLIC = gauge("aws_s3_bucket_public", "1 where the bucket's policy makes it public, 0 where none does.", _BUCKET)
TLS_ONLY = gauge(
    "aws_s3_bucket_transit_encryption_required",
    "1 where the bucket's policy denies everybody everything without TLS, 0 where it does not or there is none.",
    _BUCKET,
)
PUBLIC_ACCESS_BLOCKED = gauge(
    "aws_s3_bucket_public_access_blocked",
    "1 where all four settings of the bucket's own public access block are on, else 0; the account's are not in it.",
    _BUCKET,
)
PUBLIC_ACCESS_SETTING = gauge(
    "aws_s3_bucket_public_access_block_setting",
    "Each setting of the bucket's own public access block (block_public_acls, …): 1 where it is on, else 0.",
    ("bucket", "setting"),
)
LOGGING_ENABLED = gauge("aws_s3_bucket_logging_enabled", "1 where server access logs are written, else 0.", _BUCKET)
REPLICATION_ENABLED = gauge(
    "aws_s3_bucket_replication_enabled", "1 where at least one replication rule is enabled, else 0.", _BUCKET
)
REPLICATION_RULE_INFO = info(
    "aws_s3_bucket_replication_rule_info",
    "A replication rule: where to (the region only of buckets of this account), and whether it has metrics.",
    (
        "bucket",
        "rule_id",
        "destination_bucket",
        "destination_region",
        "status",
        "storage_class",
        "metrics_enabled",
        "time_control_enabled",
    ),
)
LIFECYCLE_RULES = gauge(
    "aws_s3_bucket_lifecycle_rules", "Enabled lifecycle rules of the bucket, 0 where there are none.", _BUCKET
)
LIFECYCLE_RULE_INFO = info(
    "aws_s3_bucket_lifecycle_rule_info",
    "A lifecycle rule, enabled or not: for what it holds (prefix, and in `filter` tag:key=value, size>bytes, "
    "size<bytes, with commas; both empty for all).",
    (*_LIFECYCLE_RULE, "status", "expired_object_delete_marker"),
)
LIFECYCLE_EXPIRATION = gauge(
    "aws_s3_bucket_lifecycle_expiration_seconds",
    "Age at which an enabled rule expires objects.",
    _LIFECYCLE_RULE,
)
LIFECYCLE_EXPIRATION_DATE = gauge(
    "aws_s3_bucket_lifecycle_expiration_timestamp_seconds",
    "From when on an enabled rule expires objects, unix seconds, where it names a date.",
    _LIFECYCLE_RULE,
)
LIFECYCLE_NONCURRENT = gauge(
    "aws_s3_bucket_lifecycle_noncurrent_expiration_seconds",
    "Time after which an enabled rule removes a version that is no more current.",
    _LIFECYCLE_RULE,
)
LIFECYCLE_NEWER_VERSIONS = gauge(
    "aws_s3_bucket_lifecycle_newer_noncurrent_versions",
    "Noncurrent versions that an enabled rule keeps whatever their age.",
    _LIFECYCLE_RULE,
)
LIFECYCLE_ABORT = gauge(
    "aws_s3_bucket_lifecycle_abort_incomplete_seconds",
    "Age at which an enabled rule aborts incomplete multipart uploads.",
    _LIFECYCLE_RULE,
)
LIFECYCLE_TRANSITION = gauge(
    "aws_s3_bucket_lifecycle_transition_seconds",
    "Age at which an enabled rule moves objects to a storage class.",
    (*_LIFECYCLE_RULE, "storage_class"),
)
LIFECYCLE_SHORTEST = gauge(
    "aws_s3_bucket_lifecycle_shortest_expiration_seconds",
    "The shortest age at which any enabled rule expires objects, whatever it holds for; absent where none does.",
    _BUCKET,
)
METRICS_CONFIGURATIONS = gauge(
    "aws_s3_bucket_metrics_configurations",
    "Metrics configurations of the bucket; without one CloudWatch tells nothing of its requests.",
    _BUCKET,
)
METRICS_CONFIGURATION_INFO = info(
    "aws_s3_bucket_metrics_configuration_info",
    "A metrics configuration: its id is the filter_id of the requests' metrics; what it counts as in lifecycle rules.",
    ("bucket", "filter_id", "prefix", "filter"),
)
CLAIM_INFO = claim_info(
    "aws_s3_bucket_persistentvolumeclaim_info",
    "A persistent volume that mounts the bucket (Mountpoint for S3), and the claim bound to it.",
    _BUCKET,
)

FAMILIES: tuple[Family, ...] = (
    BUCKET_INFO,
    CREATED,
    VERSIONING_ENABLED,
    ENCRYPTION_ENABLED,
    PUBLIC,
    TLS_ONLY,
    PUBLIC_ACCESS_BLOCKED,
    PUBLIC_ACCESS_SETTING,
    LOGGING_ENABLED,
    REPLICATION_ENABLED,
    REPLICATION_RULE_INFO,
    LIFECYCLE_RULES,
    LIFECYCLE_RULE_INFO,
    LIFECYCLE_EXPIRATION,
    LIFECYCLE_EXPIRATION_DATE,
    LIFECYCLE_NONCURRENT,
    LIFECYCLE_NEWER_VERSIONS,
    LIFECYCLE_ABORT,
    LIFECYCLE_TRANSITION,
    LIFECYCLE_SHORTEST,
    METRICS_CONFIGURATIONS,
    METRICS_CONFIGURATION_INFO,
    CLAIM_INFO,
)
