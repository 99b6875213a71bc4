"""The families about keys and backups and their labels, which are interface (aws-facts 3.6). Pure."""

from __future__ import annotations

from collections.abc import Mapping

LEVELS: Mapping[str, tuple[str, ...]] = {
    "ebs_volume": ("volume_id",),
    "efs_file_system": ("file_system_id",),
    "s3_bucket": ("bucket",),
    "elasticache_replication_group": ("replication_group_id",),
    "elasticache_serverless": ("serverless_cache",),
}
"""What holds data: level → its identity labels (design.md 6.1)."""

BACKED_UP = ("ebs_volume", "efs_file_system", "s3_bucket")
"""What AWS Backup can back up."""

INVENTORY: Mapping[str, tuple[str, ...]] = {
    "aws_kms_key_info": ("key_id", "arn", "state", "manager", "origin", "key_spec", "multi_region"),
    "aws_kms_key_enabled": ("key_id",),
    "aws_kms_key_deletion_timestamp_seconds": ("key_id",),
    "aws_kms_key_material_expiry_timestamp_seconds": ("key_id",),
    "aws_kms_key_created_timestamp_seconds": ("key_id",),
    "aws_kms_key_resources": ("key_id", "resource_level"),
    "aws_backup_failed_jobs": ("resource_type", "state"),
    **{f"aws_{level}_kms_key_info": (*labels, "key_id") for level, labels in LEVELS.items()},
    **{f"aws_{level}_backup_protected": LEVELS[level] for level in BACKED_UP},
    **{f"aws_{level}_last_backup_timestamp_seconds": LEVELS[level] for level in BACKED_UP},
    **{f"aws_{level}_failed_backup_jobs": LEVELS[level] for level in BACKED_UP},
}
