"""
What is asked about keys and backups, how often, and the families the answers become (aws-facts 3.6).

A table, nothing else. The families of a level are made for each level of things that hold data, so that a rule joins
them with the level's own families by its identity labels alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from exporter.model import Family, Labels
from exporter.services.base import gauge, info
from exporter.services.reader import Operation

DESCRIBE_KEY = Operation(
    "kms",
    "DescribeKey",
    300,
    "kms:DescribeKey",
    "KeyMetadata",
    paged=False,
    absent=frozenset({"NotFoundException"}),
    on=("arn:{partition}:kms:*:*:key/*",),
)
PROTECTED = Operation(
    "backup",
    "ListProtectedResources",
    3600,
    "backup:ListProtectedResources",
    "Results",
    fields=("ResourceArn", "LastBackupTime"),
    page_size=200,
)
JOBS = Operation(
    "backup",
    "ListBackupJobs",
    3600,
    "backup:ListBackupJobs",
    "BackupJobs",
    fields=("BackupJobId", "ResourceType", "State", "ResourceArn"),
    page_size=200,
)

OPERATIONS: tuple[Operation, ...] = (DESCRIBE_KEY, PROTECTED, JOBS)

USABLE = ("Enabled", "Updating")
"""States in which a key encrypts and decrypts (AWS KMS Developer Guide, "Key states of AWS KMS keys")."""

BAD_ENDS = ("ABORTED", "EXPIRED", "FAILED", "PARTIAL")
"""How a backup job ends that leaves less than was wanted (AWS Backup API Reference, BackupJob)."""

JOBS_OVER = 24 * 3600
"""Seconds over which bad ends are counted."""

LEVELS: Mapping[str, Labels] = {
    "ebs_volume": ("volume_id",),
    "efs_file_system": ("file_system_id",),
    "s3_bucket": ("bucket",),
    "elasticache_replication_group": ("replication_group_id",),
    "elasticache_serverless": ("serverless_cache",),
}
"""Levels of things that hold data, with their identity labels after account_id and region (design.md 6.1)."""

BY_BACKUP = ("ebs_volume", "efs_file_system", "s3_bucket")
"""Levels that AWS Backup can protect; caches have snapshots of their own."""

_THINGS = {
    "ebs_volume": "volume",
    "efs_file_system": "file system",
    "s3_bucket": "bucket",
    "elasticache_replication_group": "replication group",
    "elasticache_serverless": "serverless cache",
}

_KEY = ("key_id",)
KEY_INFO = info(
    "aws_kms_key_info",
    "A key that something here is encrypted with: DescribeKey's words for what may change; state NotFound where KMS "
    "does not know it any more.",
    ("key_id", "arn", "state", "manager", "origin", "key_spec", "multi_region"),
)
KEY_ENABLED = gauge(
    "aws_kms_key_enabled",
    "Whether the key can be used (state Enabled or Updating: 1), or what it encrypts is about to stop working (0).",
    _KEY,
)
KEY_DELETION = gauge(
    "aws_kms_key_deletion_timestamp_seconds", "When the key will be deleted, where that is pending, unix seconds.", _KEY
)
KEY_MATERIAL_EXPIRY = gauge(
    "aws_kms_key_material_expiry_timestamp_seconds", "When imported key material expires, unix seconds.", _KEY
)
KEY_CREATED = gauge("aws_kms_key_created_timestamp_seconds", "When the key was made, unix seconds.", _KEY)
KEY_RESOURCES = gauge(
    "aws_kms_key_resources", "How many resources of a level are encrypted with the key.", ("key_id", "resource_level")
)
FAILED_JOBS = gauge(
    "aws_backup_failed_jobs",
    "AWS Backup jobs made in the last 24 hours that ended badly, by how and for which type of resource.",
    ("resource_type", "state"),
)


def _by_level(levels: tuple[str, ...], build: Callable[[str, Labels], Family]) -> Mapping[str, Family]:
    return {level: build(level, LEVELS[level]) for level in levels}


KEY_OF = _by_level(
    tuple(LEVELS),
    lambda level, labels: info(
        f"aws_{level}_kms_key_info",
        f"With which key the {_THINGS[level]} is encrypted: joins aws_kms_key_… by key_id.",
        (*labels, "key_id"),
    ),
)
PROTECTED_BY = _by_level(
    BY_BACKUP,
    lambda level, labels: gauge(
        f"aws_{level}_backup_protected",
        f"Whether AWS Backup has ever made a recovery point of the {_THINGS[level]} that it still knows.",
        labels,
    ),
)
LAST_BACKUP = _by_level(
    BY_BACKUP,
    lambda level, labels: gauge(
        f"aws_{level}_last_backup_timestamp_seconds",
        f"When AWS Backup last made a recovery point of the {_THINGS[level]}, unix seconds.",
        labels,
    ),
)
FAILED_OF = _by_level(
    BY_BACKUP,
    lambda level, labels: gauge(
        f"aws_{level}_failed_backup_jobs",
        f"AWS Backup jobs of the {_THINGS[level]} made in the last 24 hours that ended badly.",
        labels,
    ),
)

FAMILIES: tuple[Family, ...] = (
    KEY_INFO,
    KEY_ENABLED,
    KEY_DELETION,
    KEY_MATERIAL_EXPIRY,
    KEY_CREATED,
    KEY_RESOURCES,
    FAILED_JOBS,
    *KEY_OF.values(),
    *PROTECTED_BY.values(),
    *LAST_BACKUP.values(),
    *FAILED_OF.values(),
)
