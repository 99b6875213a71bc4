"""
What the Describe operations tell of EBS: which are asked and how often, and the families their facts become.

A table, nothing else; needed fields and pages are those of aws-facts 3.2, intervals those of design.md 6.2.
"""

from __future__ import annotations

from exporter.model import Family
from exporter.services.base import gauge, info
from exporter.services.claims import CLAIM, claim_info
from exporter.services.ebs_rows import FAST_SNAPSHOT
from exporter.services.reader import Operation

_VOLUME = (
    "VolumeId",
    "VolumeType",
    "State",
    "AvailabilityZone",
    "Encrypted",
    "KmsKeyId",
    "MultiAttachEnabled",
    "SnapshotId",
    "Size",
    "Iops",
    "Throughput",
    "CreateTime",
    "Attachments.InstanceId",
    "Attachments.Device",
    "Attachments.State",
    "Attachments.DeleteOnTermination",
    "Attachments.AttachTime",
    "Tags{}",
)
_STATUS = (
    "VolumeId",
    "VolumeStatus.Status",
    "VolumeStatus.Details.Name",
    "VolumeStatus.Details.Status",
    "Events.EventType",
)
_MODIFICATION = (
    "VolumeId",
    "ModificationState",
    "OriginalVolumeType",
    "TargetVolumeType",
    "Progress",
    "StartTime",
    "EndTime",
)
_INSTANCE = (
    "ReservationId",
    "Instances.InstanceId",
    "Instances.InstanceType",
    "Instances.Placement.AvailabilityZone",
    "Instances.State.Name",
    "Instances.Tags{}",
)
_TYPE = (
    "InstanceType",
    "BareMetal",
    "Hypervisor",
    "EbsInfo.EbsOptimizedInfo",
    "EbsInfo.MaximumEbsAttachments",
    "EbsInfo.AttachmentLimitType",
)

VOLUMES = Operation("ec2", "DescribeVolumes", 300, "ec2:DescribeVolumes", "Volumes", fields=_VOLUME, page_size=200)
STATUS = Operation(
    "ec2", "DescribeVolumeStatus", 300, "ec2:DescribeVolumeStatus", "VolumeStatuses", fields=_STATUS, page_size=200
)
MODIFICATIONS = Operation(
    "ec2",
    "DescribeVolumesModifications",
    300,
    "ec2:DescribeVolumesModifications",
    "VolumesModifications",
    fields=_MODIFICATION,
    page_size=200,
)
SNAPSHOTS = Operation(
    "ec2",
    "DescribeSnapshots",
    3600,
    "ec2:DescribeSnapshots",
    "Snapshots",
    fields=("SnapshotId", "VolumeId", "StartTime", "State"),
    page_size=200,
)
INSTANCES = Operation(
    "ec2", "DescribeInstances", 3600, "ec2:DescribeInstances", "Reservations", fields=_INSTANCE, page_size=200
)
INSTANCE_TYPES = Operation(
    "ec2", "DescribeInstanceTypes", 86400, "ec2:DescribeInstanceTypes", "InstanceTypes", fields=_TYPE
)
FAST_RESTORES = Operation(
    "ec2",
    "DescribeFastSnapshotRestores",
    3600,
    "ec2:DescribeFastSnapshotRestores",
    "FastSnapshotRestores",
    fields=("SnapshotId", "AvailabilityZone"),
    page_size=200,
    needed_by=FAST_SNAPSHOT.name,
)

VOLUME_INFO = info(
    "aws_ebs_volume_info",
    "What the volume is: DescribeVolumes' words for what may change.",
    (
        "volume_id",
        "volume_type",
        "state",
        "availability_zone",
        "encrypted",
        "kms_key_id",
        "multi_attach",
        "snapshot_id",
    ),
)
ENCRYPTED = gauge("aws_ebs_volume_encrypted", "1 where the volume is encrypted at rest, else 0.", ("volume_id",))
SIZE = gauge("aws_ebs_volume_size_bytes", "Size of the volume.", ("volume_id",))
IOPS = gauge(
    "aws_ebs_volume_provisioned_iops",
    "Operations a second the volume is provisioned for; the baseline of gp2.",
    ("volume_id",),
)
THROUGHPUT = gauge(
    "aws_ebs_volume_provisioned_throughput_bytes_per_second",
    "Throughput a gp3 volume is provisioned for.",
    ("volume_id",),
)
CREATED = gauge("aws_ebs_volume_created_timestamp_seconds", "When the volume was made, unix seconds.", ("volume_id",))
ATTACHMENT_INFO = info(
    "aws_ebs_volume_attachment_info",
    "To which instance the volume is attached, and how that stands.",
    ("volume_id", "instance_id", "device", "state", "delete_on_termination"),
)
ATTACHMENT_START = gauge(
    "aws_ebs_volume_attachment_start_timestamp_seconds",
    "When attaching began (AttachTime), unix seconds, with how the attachment stands now.",
    ("volume_id", "instance_id", "state"),
)
STATUS_STATE = gauge(
    "aws_ebs_volume_status",
    "1 for what DescribeVolumeStatus says of the volume, 0 for what it does not.",
    ("volume_id", "status"),
)
STATUS_CHECK = info(
    "aws_ebs_volume_status_check_info",
    "Each check of the volume's status, such as io-enabled and io-performance.",
    ("volume_id", "check", "status"),
)
STATUS_EVENT = info(
    "aws_ebs_volume_status_event_info",
    "Events AWS reports of the volume, such as potential-data-inconsistency.",
    ("volume_id", "event_type"),
)
MODIFICATION_INFO = info(
    "aws_ebs_volume_modification_info",
    "The newest modification of the volume: its state and the types it goes between.",
    ("volume_id", "state", "original_volume_type", "target_volume_type"),
)
MODIFICATION_PROGRESS = gauge(
    "aws_ebs_volume_modification_progress_ratio", "How far the newest modification is.", ("volume_id",)
)
MODIFICATION_START = gauge(
    "aws_ebs_volume_modification_start_timestamp_seconds",
    "When the newest modification began, unix seconds.",
    ("volume_id", "state"),
)
MODIFICATION_END = gauge(
    "aws_ebs_volume_modification_end_timestamp_seconds",
    "When the newest modification was completed or failed, unix seconds.",
    ("volume_id",),
)
LAST_SNAPSHOT = gauge(
    "aws_ebs_volume_last_snapshot_timestamp_seconds",
    "When the newest completed own snapshot of the volume was begun, unix seconds.",
    ("volume_id",),
)
NEWEST_SNAPSHOT = gauge(
    "aws_ebs_volume_newest_snapshot_start_timestamp_seconds",
    "When the newest own snapshot of the volume, of whatever state, was begun, unix seconds.",
    ("volume_id", "snapshot_id", "state"),
)
INSTANCE_INFO = info(
    "aws_ebs_instance_info",
    "The instance that holds volumes.",
    ("instance_id", "instance_type", "availability_zone", "state", "nitro", "attachment_limit_type"),
)
BASELINE_IOPS = gauge(
    "aws_ebs_instance_baseline_iops", "Operations a second the instance can sustain on EBS.", ("instance_id",)
)
MAXIMUM_IOPS = gauge(
    "aws_ebs_instance_maximum_iops", "Operations a second the instance can reach on EBS.", ("instance_id",)
)
BASELINE_THROUGHPUT = gauge(
    "aws_ebs_instance_baseline_throughput_bytes_per_second",
    "Throughput the instance can sustain on EBS.",
    ("instance_id",),
)
MAXIMUM_THROUGHPUT = gauge(
    "aws_ebs_instance_maximum_throughput_bytes_per_second",
    "Throughput the instance can reach on EBS.",
    ("instance_id",),
)
ATTACHMENT_LIMIT = gauge(
    "aws_ebs_instance_attachment_limit", "Volumes that may be attached to the instance.", ("instance_id",)
)
CLAIM_INFO = claim_info(
    "aws_ebs_volume_persistentvolumeclaim_info",
    "The persistent volume that names the volume, and the claim bound to it; where Kubernetes is not known, what the "
    "CSI driver's tags say it was made for.",
    ("volume_id",),
)
ORPHANED = info(
    "aws_ebs_volume_orphaned_info",
    "A volume a CSI driver made for this cluster that no persistent volume names and nobody uses, and what for as its "
    "tags say. Clusters that do not write their id on volumes cannot be told apart.",
    ("volume_id", *CLAIM[:-1]),
)
MISSING = claim_info(
    "aws_ebs_volume_missing_info",
    "A persistent volume of this cluster whose volume does not exist.",
    ("volume_id",),
)

OPERATIONS: tuple[Operation, ...] = (
    VOLUMES,
    STATUS,
    MODIFICATIONS,
    SNAPSHOTS,
    INSTANCES,
    INSTANCE_TYPES,
    FAST_RESTORES,
)

FAMILIES: tuple[Family, ...] = (
    VOLUME_INFO,
    ENCRYPTED,
    SIZE,
    IOPS,
    THROUGHPUT,
    CREATED,
    ATTACHMENT_INFO,
    ATTACHMENT_START,
    STATUS_STATE,
    STATUS_CHECK,
    STATUS_EVENT,
    MODIFICATION_INFO,
    MODIFICATION_PROGRESS,
    MODIFICATION_START,
    MODIFICATION_END,
    LAST_SNAPSHOT,
    NEWEST_SNAPSHOT,
    INSTANCE_INFO,
    BASELINE_IOPS,
    MAXIMUM_IOPS,
    BASELINE_THROUGHPUT,
    MAXIMUM_THROUGHPUT,
    ATTACHMENT_LIMIT,
    CLAIM_INFO,
    ORPHANED,
    MISSING,
)
