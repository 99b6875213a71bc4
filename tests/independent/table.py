"""
What every CloudWatch family of EBS and EFS must be made of, written by hand from aws-facts 1.1, 1.2, 1.3, 1.7 and 4.3.

Family names, labels, folds and intervals are the interface (design.md 6.1 to 6.3); what AWS publishes, under which
dimensions, in which unit and for which resources comes from AWS's documentation. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.independent.metric import Condition, Facts, metrics_of


def _bucket(facts: Facts) -> bool:
    """
    A burst bucket of which AWS tells: gp2, st1, sc1 (aws-facts 1.1). Where the baseline exceeds the burst ceiling the
    metric is not published on Nitro and reads 100 elsewhere; baselines and ceilings are those of aws-facts 4.2.
    """
    kind, size = facts["type"], facts["size_gib"]
    if kind == "gp2":
        exceeds = 3 * size > 3000
    elif kind == "st1":
        exceeds = 40 * size / 1024 > min(500, 250 * size / 1024)
    elif kind == "sc1":
        exceeds = min(192, 12 * size / 1024) > min(250, 80 * size / 1024)
    else:
        return False
    return not (exceeds and facts["nitro"])


CONDITIONS: Mapping[str, Condition] = {
    "nitro": lambda facts: bool(facts["nitro"]),
    "virtual": lambda facts: not facts["metal"],
    "unshared": lambda facts: not facts["multi_attach"],
    "checks": lambda facts: facts["type"] != "standard" and not facts["multi_attach"],
    "io1-io2": lambda facts: facts["type"] in ("io1", "io2"),
    "bucket": _bucket,
    "bursts": lambda facts: bool(facts["bursts"]),
    "bursting": lambda facts: facts["throughput_mode"] == "bursting",
    "general-purpose": lambda facts: facts["performance_mode"] == "generalPurpose",
}

DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "volume": ("VolumeId",),
    "attachment": ("InstanceId", "VolumeId"),
    "instance": ("InstanceId",),
    "fast-restore": ("SnapshotId", "AvailabilityZone"),
    "file-system": ("FileSystemId",),
    "storage-class": ("FileSystemId", "StorageClass"),
    "all-classes": ("FileSystemId", "StorageClass"),
    "replication": ("FileSystemId", "DestinationFileSystemId"),
}
"""The exact dimension set of a subject's metrics."""

LABELS: Mapping[str, tuple[str, ...]] = {
    "volume": ("volume_id",),
    "attachment": ("volume_id",),
    "instance": ("instance_id",),
    "fast-restore": ("snapshot_id", "availability_zone"),
    "file-system": ("file_system_id",),
    "storage-class": ("file_system_id", "storage_class"),
    "all-classes": ("file_system_id",),
    "replication": ("file_system_id", "destination_file_system_id"),
}
"""The labels of a subject's families after account_id and region (design.md 6.1); a pair's metrics are the volume's."""

STORAGE_CLASSES = ("Standard", "IA", "IASizeOverhead", "Archive", "ArchiveSizeOverhead")
"""All StorageClass values but `Total` (aws-facts 1.3)."""

_TABLE = """
# aws-facts 1.1: AWS/EBS under {VolumeId}
volume AWS/EBS aws_ebs_volume_
read_bytes_per_second         VolumeReadBytes               Sum     sum     mean   60  900 standard
write_bytes_per_second        VolumeWriteBytes              Sum     sum     mean   60  900 standard
read_ops_per_second           VolumeReadOps                 Sum     sum     mean   60  900 standard
write_ops_per_second          VolumeWriteOps                Sum     sum     mean   60  900 standard
read_time_seconds_per_second  VolumeTotalReadTime           Sum     sum     mean   60  900 on-request unshared
write_time_seconds_per_second VolumeTotalWriteTime          Sum     sum     mean   60  900 on-request unshared
idle_ratio                    VolumeIdleTime                Sum     sum     mean   60  900 on-request unshared
queue_length                  VolumeQueueLength             Average as-is   mean   60  900 on-request
delivered_iops_ratio          VolumeThroughputPercentage    Average percent mean   60  900 on-request io1-io2 unshared
consumed_ops_per_second       VolumeConsumedReadWriteOps    Sum     sum     mean   60  900 on-request io1-io2
burst_balance_ratio           BurstBalance                  Minimum percent newest 60  900 standard   bucket

# aws-facts 1.1: AWS/EBS under {InstanceId, VolumeId}
attachment AWS/EBS aws_ebs_volume_
read_latency_seconds          VolumeAvgReadLatency          Average ms      max    60  900 standard   nitro
write_latency_seconds         VolumeAvgWriteLatency         Average ms      max    60  900 standard   nitro
average_ops_per_second        VolumeAvgIOPS                 Average as-is   mean   60  900 on-request nitro
average_bytes_per_second      VolumeAvgThroughput           Average KiB/s   mean   60  900 on-request nitro
iops_exceeded                 VolumeIOPSExceededCheck       Maximum as-is   mean   60  900 standard   nitro checks
throughput_exceeded           VolumeThroughputExceededCheck Maximum as-is   mean   60  900 standard   nitro checks
stalled_io                    VolumeStalledIOCheck          Maximum as-is   mean   60  300 essential  nitro

# aws-facts 1.1, other metrics
fast-restore AWS/EBS aws_ebs_fast_snapshot_restore_
credit_limit                  FastSnapshotRestoreCreditsBucketSize Average as-is   newest 60  900 on-request
credit_balance                FastSnapshotRestoreCreditsBalance Average as-is   newest 60  900 on-request

# aws-facts 1.2: AWS/EC2 under {InstanceId}; five minutes is what basic monitoring gives
instance AWS/EC2 aws_ebs_instance_
read_ops_per_second           EBSReadOps                    Sum     sum     mean   300 900 on-request nitro virtual
write_ops_per_second          EBSWriteOps                   Sum     sum     mean   300 900 on-request nitro virtual
read_bytes_per_second         EBSReadBytes                  Sum     sum     mean   300 900 on-request nitro virtual
write_bytes_per_second        EBSWriteBytes                 Sum     sum     mean   300 900 on-request nitro virtual
io_balance_ratio              EBSIOBalance%                 Minimum percent newest 300 900 on-request bursts
byte_balance_ratio            EBSByteBalance%               Minimum percent newest 300 900 on-request bursts
iops_exceeded                 InstanceEBSIOPSExceededCheck  Maximum as-is   mean   60  900 on-request nitro virtual
throughput_exceeded           InstanceEBSThroughputExceededCheck Maximum as-is   mean   60  900 on-request nitro virtual
status_check_failed           StatusCheckFailed             Maximum as-is   mean   60  900 on-request
instance_check_failed         StatusCheckFailed_Instance    Maximum as-is   mean   60  900 on-request
system_check_failed           StatusCheckFailed_System      Maximum as-is   mean   60  900 on-request
attached_ebs_check_failed     StatusCheckFailed_AttachedEBS Maximum as-is   mean   60  60  essential  nitro

# aws-facts 1.3: AWS/EFS under {FileSystemId}; Sum is bytes, SampleCount operations, and the minute's Sum of
# ClientConnections is the mean number of clients (4.1)
file-system AWS/EFS aws_efs_file_system_
burst_credit_balance_bytes            BurstCreditBalance   Minimum     as-is   newest 60  60  essential  bursting
permitted_throughput_bytes_per_second PermittedThroughput  Average     as-is   newest 60  60  essential
metered_io_bytes_per_second           MeteredIOBytes       Sum         sum     mean   60  60  essential
io_limit_ratio                        PercentIOLimit       Average     percent mean   60  60  essential  general-purpose
client_connections                    ClientConnections    Sum         as-is   mean   60  60  essential
total_io_bytes_per_second             TotalIOBytes         Sum         sum     mean   60  900 on-request
total_io_ops_per_second               TotalIOBytes         SampleCount sum     mean   60  900 on-request
data_read_io_bytes_per_second         DataReadIOBytes      Sum         sum     mean   60  900 on-request
data_read_io_ops_per_second           DataReadIOBytes      SampleCount sum     mean   60  900 on-request
data_write_io_bytes_per_second        DataWriteIOBytes     Sum         sum     mean   60  900 on-request
data_write_io_ops_per_second          DataWriteIOBytes     SampleCount sum     mean   60  900 on-request
metadata_io_bytes_per_second          MetadataIOBytes      Sum         sum     mean   60  900 on-request
metadata_io_ops_per_second            MetadataIOBytes      SampleCount sum     mean   60  900 on-request
metadata_read_io_bytes_per_second     MetadataReadIOBytes  Sum         sum     mean   60  900 on-request
metadata_read_io_ops_per_second       MetadataReadIOBytes  SampleCount sum     mean   60  900 on-request
metadata_write_io_bytes_per_second    MetadataWriteIOBytes Sum         sum     mean   60  900 on-request
metadata_write_io_ops_per_second      MetadataWriteIOBytes SampleCount sum     mean   60  900 on-request

# aws-facts 1.3: every 15 minutes, by storage class; AWS's own total apart from the classes
storage-class AWS/EFS aws_efs_file_system_
size_bytes                            StorageBytes         Average     as-is   newest 900 900 standard
all-classes AWS/EFS aws_efs_file_system_
total_size_bytes                      StorageBytes         Average     as-is   newest 900 900 on-request

# aws-facts 1.3: only with replication
replication AWS/EFS aws_efs_file_system_
time_since_last_sync_seconds          TimeSinceLastSync    Maximum     as-is   newest 60  900 standard
"""

METRICS = metrics_of(_TABLE, CONDITIONS)

CLAIM = "persistentvolume", "persistentvolumeclaim", "namespace", "storageclass"

INVENTORY: Mapping[str, tuple[str, ...]] = {
    # DescribeVolumes
    "aws_ebs_volume_info": (
        *("volume_id", "volume_type", "state", "availability_zone", "encrypted", "kms_key_id"),
        *("multi_attach", "snapshot_id"),
    ),
    "aws_ebs_volume_encrypted": ("volume_id",),
    "aws_ebs_volume_size_bytes": ("volume_id",),
    "aws_ebs_volume_provisioned_iops": ("volume_id",),
    "aws_ebs_volume_provisioned_throughput_bytes_per_second": ("volume_id",),
    "aws_ebs_volume_created_timestamp_seconds": ("volume_id",),
    "aws_ebs_volume_attachment_info": ("volume_id", "instance_id", "device", "state", "delete_on_termination"),
    "aws_ebs_volume_attachment_start_timestamp_seconds": ("volume_id", "instance_id", "state"),
    # DescribeVolumeStatus
    "aws_ebs_volume_status": ("volume_id", "status"),
    "aws_ebs_volume_status_check_info": ("volume_id", "check", "status"),
    "aws_ebs_volume_status_event_info": ("volume_id", "event_type"),
    # DescribeVolumesModifications
    "aws_ebs_volume_modification_info": ("volume_id", "state", "original_volume_type", "target_volume_type"),
    "aws_ebs_volume_modification_progress_ratio": ("volume_id",),
    "aws_ebs_volume_modification_start_timestamp_seconds": ("volume_id", "state"),
    "aws_ebs_volume_modification_end_timestamp_seconds": ("volume_id",),
    # DescribeSnapshots
    "aws_ebs_volume_last_snapshot_timestamp_seconds": ("volume_id",),
    "aws_ebs_volume_newest_snapshot_start_timestamp_seconds": ("volume_id", "snapshot_id", "state"),
    # DescribeInstances, DescribeInstanceTypes
    "aws_ebs_instance_info": (
        *("instance_id", "instance_type", "availability_zone", "state", "nitro", "attachment_limit_type"),
    ),
    "aws_ebs_instance_baseline_iops": ("instance_id",),
    "aws_ebs_instance_maximum_iops": ("instance_id",),
    "aws_ebs_instance_baseline_throughput_bytes_per_second": ("instance_id",),
    "aws_ebs_instance_maximum_throughput_bytes_per_second": ("instance_id",),
    "aws_ebs_instance_attachment_limit": ("instance_id",),
    # DescribeFileSystems
    "aws_efs_file_system_info": (
        *("file_system_id", "name", "throughput_mode", "performance_mode", "state", "encrypted", "kms_key_id"),
        *("availability_zone", "replication_overwrite_protection"),
    ),
    "aws_efs_file_system_encrypted": ("file_system_id",),
    "aws_efs_file_system_provisioned_throughput_bytes_per_second": ("file_system_id",),
    "aws_efs_file_system_metered_size_bytes": ("file_system_id", "storage_class"),
    "aws_efs_file_system_metered_size_timestamp_seconds": ("file_system_id",),
    "aws_efs_file_system_created_timestamp_seconds": ("file_system_id",),
    # the other Describe operations of EFS
    "aws_efs_mount_target_available": ("file_system_id", "availability_zone"),
    "aws_efs_mount_target_info": (
        *("file_system_id", "availability_zone", "mount_target_id", "subnet_id", "ip_address", "state"),
    ),
    "aws_efs_file_system_access_points": ("file_system_id",),
    "aws_efs_access_point_info": (
        *("file_system_id", "access_point_id", "name", "path", "client_token", "uid", "gid", "state"),
    ),
    "aws_efs_file_system_lifecycle_info": (
        *("file_system_id", "transition_to_ia", "transition_to_archive", "transition_to_primary_storage_class"),
    ),
    "aws_efs_file_system_lifecycle_transition_seconds": ("file_system_id", "storage_class"),
    "aws_efs_file_system_transit_encryption_required": ("file_system_id",),
    "aws_efs_file_system_backup_enabled": ("file_system_id",),
    "aws_efs_file_system_replication_info": (
        *("file_system_id", "destination_file_system_id", "destination_region", "status"),
    ),
    "aws_efs_file_system_last_replicated_timestamp_seconds": ("file_system_id", "destination_file_system_id"),
    # the claim behind it: from Kubernetes, or as far as the CSI drivers write it on what they make (aws-facts 6.4)
    "aws_ebs_volume_persistentvolumeclaim_info": ("volume_id", *CLAIM),
    "aws_efs_access_point_persistentvolumeclaim_info": ("file_system_id", "access_point_id", *CLAIM),
    # how old the newest datapoint is, where one silent resource matters
    "aws_ebs_volume_newest_datapoint_timestamp_seconds": ("volume_id",),
    "aws_efs_file_system_newest_datapoint_timestamp_seconds": ("file_system_id",),
}
"""Families that are not one CloudWatch metric: name → labels after account_id and region."""

OF_KUBERNETES: Mapping[str, tuple[str, ...]] = {
    "aws_ebs_volume_orphaned_info": ("volume_id", *CLAIM[:3]),
    "aws_ebs_volume_missing_info": ("volume_id", *CLAIM),
    "aws_efs_access_point_missing_info": ("file_system_id", "access_point_id", *CLAIM),
    "aws_efs_file_system_persistentvolumeclaim_info": ("file_system_id", "path", *CLAIM),
    "aws_s3_bucket_persistentvolumeclaim_info": ("bucket", *CLAIM),
}
"""The same of families that AWS alone can say nothing of."""
