"""
What the Describe operations tell of EFS: which are asked and how often, and the families their facts become.

A table, nothing else; fields and pages are those of aws-facts 3.3, intervals those of design.md 6.2.
"""

from __future__ import annotations

from typing import Any

from exporter.model import Family
from exporter.services.base import gauge, info
from exporter.services.claims import claim_info
from exporter.services.reader import Operation

_FAST = 60
_NONE = frozenset({"PolicyNotFound", "ReplicationNotFound", "FileSystemNotFound"})
_GONE = frozenset({"FileSystemNotFound", "MountTargetNotFound", "AccessPointNotFound"})


def _operation(name: str, every: int, result: str, **more: Any) -> Operation:
    return Operation("efs", name, every, f"elasticfilesystem:{name}", result, **more)


_FILE_SYSTEM = (
    "FileSystemId",
    "FileSystemArn",
    "Name",
    "ThroughputMode",
    "PerformanceMode",
    "LifeCycleState",
    "Encrypted",
    "KmsKeyId",
    "AvailabilityZoneName",
    "FileSystemProtection.ReplicationOverwriteProtection",
    "ProvisionedThroughputInMibps",
    "SizeInBytes",
    "CreationTime",
    "Tags{}",
)
_ACCESS_POINT = (
    "AccessPointId",
    "Name",
    "RootDirectory.Path",
    "ClientToken",
    "PosixUser.Uid",
    "PosixUser.Gid",
    "LifeCycleState",
    "Tags{}",
)
_MOUNT_TARGET = ("MountTargetId", "AvailabilityZoneName", "LifeCycleState", "SubnetId", "IpAddress")

FILE_SYSTEMS = _operation("DescribeFileSystems", 300, "FileSystems", fields=_FILE_SYSTEM, page_size=100)
MOUNT_TARGETS = _operation(
    "DescribeMountTargets", _FAST, "MountTargets", fields=_MOUNT_TARGET, page_size=100, absent=_GONE
)
ACCESS_POINTS = _operation(
    "DescribeAccessPoints", 300, "AccessPoints", fields=_ACCESS_POINT, page_size=100, absent=_GONE
)
LIFECYCLE = _operation("DescribeLifecycleConfiguration", 3600, "LifecyclePolicies", paged=False, absent=_NONE)
BACKUP = _operation("DescribeBackupPolicy", 3600, "BackupPolicy", paged=False, absent=_NONE)
POLICY = _operation("DescribeFileSystemPolicy", 3600, "", paged=False, absent=_NONE)
REPLICATIONS = _operation("DescribeReplicationConfigurations", 300, "Replications", absent=_NONE)

_FS = ("file_system_id",)
INFO = info(
    "aws_efs_file_system_info",
    "What the file system is: DescribeFileSystems' words for what may change.",
    (
        "file_system_id",
        "name",
        "throughput_mode",
        "performance_mode",
        "state",
        "encrypted",
        "kms_key_id",
        "availability_zone",
        "replication_overwrite_protection",
    ),
)
PROVISIONED = gauge(
    "aws_efs_file_system_provisioned_throughput_bytes_per_second",
    "Throughput the file system is provisioned for (provisioned mode).",
    _FS,
)
METERED_SIZE = gauge(
    "aws_efs_file_system_metered_size_bytes",
    "Metered bytes in a storage class, about an hour old.",
    ("file_system_id", "storage_class"),
)
METERED_AT = gauge(
    "aws_efs_file_system_metered_size_timestamp_seconds", "When the size was metered, unix seconds.", _FS
)
CREATED = gauge("aws_efs_file_system_created_timestamp_seconds", "When the file system was made, unix seconds.", _FS)
ACCESS_POINT_COUNT = gauge("aws_efs_file_system_access_points", "Access points of the file system.", _FS)
BACKUP_ENABLED = gauge(
    "aws_efs_file_system_backup_enabled", "1 where the file system's own backup policy is enabled, else 0.", _FS
)
ENCRYPTED = gauge("aws_efs_file_system_encrypted", "1 where the file system is encrypted at rest, else 0.", _FS)
TLS_ONLY = gauge(
    "aws_efs_file_system_transit_encryption_required",
    "1 where the file system's policy denies everybody everything without TLS, 0 where it does not or there is none.",
    _FS,
)
TRANSITION = gauge(
    "aws_efs_file_system_lifecycle_transition_seconds",
    "Time without access after which files move to a storage class (IA, Archive).",
    ("file_system_id", "storage_class"),
)
LIFECYCLE_INFO = info(
    "aws_efs_file_system_lifecycle_info",
    "When files move between storage classes; empty where they do not.",
    ("file_system_id", "transition_to_ia", "transition_to_archive", "transition_to_primary_storage_class"),
)
MOUNT_TARGET_AVAILABLE = gauge(
    "aws_efs_mount_target_available",
    "1 where the zone's mount target is available, else 0.",
    ("file_system_id", "availability_zone"),
)
MOUNT_TARGET_INFO = info(
    "aws_efs_mount_target_info",
    "The mount target of a zone.",
    ("file_system_id", "availability_zone", "mount_target_id", "subnet_id", "ip_address", "state"),
)
ACCESS_POINT_INFO = info(
    "aws_efs_access_point_info",
    "The access point: the CSI driver makes one a claim and writes the PersistentVolume's name as client token.",
    ("file_system_id", "access_point_id", "name", "path", "client_token", "uid", "gid", "state"),
)
REPLICATION_INFO = info(
    "aws_efs_file_system_replication_info",
    "Where the file system is replicated to, and how that stands.",
    ("file_system_id", "destination_file_system_id", "destination_region", "status"),
)
REPLICATED_AT = gauge(
    "aws_efs_file_system_last_replicated_timestamp_seconds",
    "Everything written before this instant is in the replica, unix seconds.",
    ("file_system_id", "destination_file_system_id"),
)
ACCESS_POINT_CLAIM = claim_info(
    "aws_efs_access_point_persistentvolumeclaim_info",
    "A persistent volume that names the access point, and the claim bound to it; where Kubernetes is not known, the "
    "persistent volume that the CSI driver made it for.",
    ("file_system_id", "access_point_id"),
)
FILE_SYSTEM_CLAIM = claim_info(
    "aws_efs_file_system_persistentvolumeclaim_info",
    "A persistent volume that names the file system without an access point (with a path, empty for its root), and the "
    "claim bound to it.",
    ("file_system_id", "path"),
)
ACCESS_POINT_MISSING = claim_info(
    "aws_efs_access_point_missing_info",
    "A persistent volume on this file system whose access point does not exist.",
    ("file_system_id", "access_point_id"),
)

OPERATIONS: tuple[Operation, ...] = (
    FILE_SYSTEMS,
    MOUNT_TARGETS,
    ACCESS_POINTS,
    LIFECYCLE,
    BACKUP,
    POLICY,
    REPLICATIONS,
)

FAMILIES: tuple[Family, ...] = (
    INFO,
    PROVISIONED,
    METERED_SIZE,
    METERED_AT,
    CREATED,
    ACCESS_POINT_COUNT,
    BACKUP_ENABLED,
    ENCRYPTED,
    TLS_ONLY,
    TRANSITION,
    LIFECYCLE_INFO,
    MOUNT_TARGET_AVAILABLE,
    MOUNT_TARGET_INFO,
    ACCESS_POINT_INFO,
    REPLICATION_INFO,
    REPLICATED_AT,
    ACCESS_POINT_CLAIM,
    FILE_SYSTEM_CLAIM,
    ACCESS_POINT_MISSING,
)
