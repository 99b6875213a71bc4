"""
The XML of a bucket's settings, element by element in the order and spelling of the S3 API Reference. Pure.

A tree is a list of (element, content); content None leaves the element out, so what AWS leaves out is not there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeAlias

from exporter.demo.buckets import (
    Bucket,
    Filter,
    LifecycleRule,
    MetricsConfiguration,
    PublicAccessBlock,
    ReplicationRule,
)
from exporter.demo.nouns import Tags
from exporter.demo.tables import ACCOUNT
from exporter.demo.wire import iso, text

Content: TypeAlias = "str | int | bool | Tree | None"
Tree: TypeAlias = Sequence[tuple[str, Content]]


def render(content: Content) -> str:
    """The XML of a tree or of character data."""
    if isinstance(content, bool):
        return "true" if content else "false"
    if content is None or isinstance(content, str | int):
        return text("" if content is None else str(content))
    return "".join(f"<{name}>{render(part)}</{name}>" for name, part in content if part is not None)


def owner_id(account_id: str) -> str:
    """The canonical user id of an account, always the same."""
    return hashlib.sha256(account_id.encode()).hexdigest()


def _status(*, enabled: bool) -> str:
    return "Enabled" if enabled else "Disabled"


def tags(of: Tags) -> Tree:
    """The elements ``Tag``."""
    return [("Tag", [("Key", key), ("Value", value)]) for key, value in of]


def _filter(of: Filter) -> Tree:
    """One condition stands alone, several stand in ``And``, none makes an empty element."""
    parts: Tree = [
        ("Prefix", of.prefix),
        *tags(of.tags),
        ("ObjectSizeGreaterThan", of.larger_than),
        ("ObjectSizeLessThan", of.smaller_than),
    ]
    return [("And", parts)] if of.parts > 1 else parts


def location(bucket: Bucket) -> Content:
    """The region as text; none in us-east-1."""
    return None if bucket.region == "us-east-1" else bucket.region


def versioning(bucket: Bucket) -> Tree:
    """Empty where versioning was never enabled."""
    mfa = None if bucket.mfa_delete is None else _status(enabled=bucket.mfa_delete)
    return [("Status", bucket.versioning), ("MfaDelete", mfa)]


def encryption(bucket: Bucket) -> Tree:
    """Always one rule: every bucket is encrypted, with AES256 at least."""
    of = bucket.encryption
    default: Tree = [("SSEAlgorithm", of.algorithm), ("KMSMasterKeyID", of.kms_key_id or None)]
    return [("Rule", [("ApplyServerSideEncryptionByDefault", default), ("BucketKeyEnabled", of.bucket_key)])]


def logging(bucket: Bucket) -> Tree:
    """Empty where access logs are off."""
    if bucket.logging is None:
        return []
    return [("LoggingEnabled", [("TargetBucket", bucket.logging.bucket), ("TargetPrefix", bucket.logging.prefix)])]


def access_block(block: PublicAccessBlock) -> Tree:
    """The four flags."""
    return [
        ("BlockPublicAcls", block.block_acls),
        ("IgnorePublicAcls", block.ignore_acls),
        ("BlockPublicPolicy", block.block_policy),
        ("RestrictPublicBuckets", block.restrict_buckets),
    ]


def metrics_configuration(of: MetricsConfiguration) -> Tree:
    """One metrics configuration; of a whole bucket it has no ``Filter``."""
    return [("Id", of.filter_id), ("Filter", _filter(of.filter) if of.filter.parts else None)]


def _transitions(element: str, days: str, given: tuple[tuple[int, str], ...]) -> Tree:
    return [(element, [(days, after), ("StorageClass", to)]) for after, to in given]


def lifecycle_rule(rule: LifecycleRule) -> Tree:
    """One rule, with the actions it has."""
    expires = rule.days is not None or rule.date is not None or rule.delete_markers
    expiration: Tree = [
        ("Date", None if rule.date is None else iso(rule.date)),
        ("Days", rule.days),
        ("ExpiredObjectDeleteMarker", rule.delete_markers or None),
    ]
    noncurrent: Tree = [("NoncurrentDays", rule.noncurrent_days), ("NewerNoncurrentVersions", rule.newer_noncurrent)]
    return [
        ("ID", rule.rule_id),
        ("Prefix", rule.filter.prefix or "") if rule.legacy else ("Filter", _filter(rule.filter)),
        ("Status", _status(enabled=rule.enabled)),
        *_transitions("Transition", "Days", rule.transitions),
        ("Expiration", expiration if expires else None),
        *_transitions("NoncurrentVersionTransition", "NoncurrentDays", rule.noncurrent_transitions),
        ("NoncurrentVersionExpiration", None if rule.noncurrent_days is None else noncurrent),
        (
            "AbortIncompleteMultipartUpload",
            None if rule.abort_days is None else [("DaysAfterInitiation", rule.abort_days)],
        ),
    ]


def replication(bucket: Bucket) -> Tree:
    """The role and the rules."""
    rules = [("Rule", _replication_rule(rule)) for rule in bucket.replication]
    return [("Role", f"arn:aws:iam::{ACCOUNT}:role/s3-replication"), *rules]


def _replication_rule(rule: ReplicationRule) -> Tree:
    quarter: Tree = [("Minutes", 15)]
    on = _status(enabled=True)
    destination: Tree = [
        ("Bucket", f"arn:aws:s3:::{rule.destination}"),
        ("StorageClass", rule.storage_class or None),
        ("ReplicationTime", [("Status", on), ("Time", quarter)] if rule.time_control else None),
        ("Metrics", [("Status", on), ("EventThreshold", quarter if rule.time_control else None)])
        if rule.metrics
        else ("Metrics", None),
    ]
    return [
        ("ID", rule.rule_id),
        ("Priority", rule.priority),
        ("Filter", _filter(rule.filter)),
        ("Status", _status(enabled=rule.enabled)),
        ("DeleteMarkerReplication", [("Status", _status(enabled=rule.delete_markers))]),
        ("Destination", destination),
    ]
