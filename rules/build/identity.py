"""The identity labels of each level (design.md 6.1), and which info family says that a resource lives."""

from __future__ import annotations

from collections.abc import Iterable

CLUSTER = "cluster"
_ACCOUNT = (CLUSTER, "account_id", "region")

ACCOUNT = _ACCOUNT
VOLUME = (*_ACCOUNT, "volume_id")
INSTANCE = (*_ACCOUNT, "instance_id")
FILE_SYSTEM = (*_ACCOUNT, "file_system_id")
MOUNT_TARGET = (*_ACCOUNT, "file_system_id", "availability_zone")
BUCKET = (*_ACCOUNT, "bucket")
NODE = (*_ACCOUNT, "replication_group_id", "cache_cluster_id", "cache_node_id")
GROUP = (*_ACCOUNT, "replication_group_id")
CACHE_CLUSTER = (*_ACCOUNT, "cache_cluster_id")
SERVERLESS = (*_ACCOUNT, "serverless_cache")
KEY = (*_ACCOUNT, "key_id")
SERVICE = (*_ACCOUNT, "aws_service")
CLAIM = (CLUSTER, "namespace", "persistentvolumeclaim")

IDENTITIES = {
    "aws_ebs_volume_": (VOLUME, "aws_ebs_volume_info"),
    "aws_ebs_instance_": (INSTANCE, "aws_ebs_instance_info"),
    "aws_efs_file_system_": (FILE_SYSTEM, "aws_efs_file_system_info"),
    "aws_efs_mount_target_": (FILE_SYSTEM, "aws_efs_file_system_info"),
    "aws_s3_bucket_": (BUCKET, "aws_s3_bucket_info"),
    "aws_elasticache_node_": (NODE, "aws_elasticache_node_info"),
    "aws_elasticache_replication_group_": (GROUP, "aws_elasticache_replication_group_info"),
    "aws_elasticache_serverless_": (SERVERLESS, "aws_elasticache_serverless_info"),
}
"""Prefix of a family to identity and info."""


def listed(labels: Iterable[str]) -> str:
    """Labels as ``by`` and ``on`` want them."""
    return ", ".join(labels)
