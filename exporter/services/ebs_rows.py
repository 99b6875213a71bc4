"""
What CloudWatch publishes about EBS, as rows (aws-facts 1.1 and 1.2; sources there). A table, nothing else.

Nothing in it is read as zero when it is missing: a volume's datapoints also stay away while it is young, detached, or
while CloudWatch is late, and a zero would hide each of these (aws-facts 1.7).
`SnapshotCopyBytesTransferred` is left out: under which dimensions it is published is not confirmed.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from exporter.model import Fold, MetricRow, Resource, ResourceKind, Tier
from exporter.services.base import gauge, member

VOLUME = ResourceKind("ebs-volume", "ebs", "AWS/EBS", (("VolumeId", "volume_id"),), ("volume_id",))
ATTACHMENT = ResourceKind(
    "ebs-attachment", "ebs", "AWS/EBS", (("InstanceId", ""), ("VolumeId", "volume_id")), ("volume_id",)
)
INSTANCE = ResourceKind("ebs-instance", "ebs", "AWS/EC2", (("InstanceId", "instance_id"),), ("instance_id",))
FAST_SNAPSHOT = ResourceKind(
    "ebs-fast-snapshot-restore",
    "ebs",
    "AWS/EBS",
    (("SnapshotId", "snapshot_id"), ("AvailabilityZone", "availability_zone")),
    ("snapshot_id", "availability_zone"),
)

NVME = "ebs-nvme"
"""The EBS CSI driver's own NVMe counters, free where they are scraped (incidents.md 3)."""

GIB = 1024**3
_GP2_BURST_CEILING_GIB = 1000
_ST1_BURST_CEILING_GIB = 12800


# ---- which rows a resource can have --------------------------------------------------------------------------------
# A fact that discovery could not learn is missing: then the row is asked rather than lost.


def nitro(resource: Resource) -> bool:
    """On a Nitro instance, as far as is known."""
    return resource.facts.get("nitro", True) is True


def single(resource: Resource) -> bool:
    """Not a Multi-Attach volume: AWS keeps no times for those."""
    return not resource.facts.get("multi_attach", False)


def nitro_checked(resource: Resource) -> bool:
    """Nitro, and of a type and attachment for which AWS runs the exceeded checks."""
    return nitro(resource) and single(resource) and resource.facts.get("volume_type") != "standard"


def provisioned_iops(resource: Resource) -> bool:
    """io1 and io2."""
    return resource.facts.get("volume_type") in {"io1", "io2"}


def provisioned_iops_single(resource: Resource) -> bool:
    """io1 and io2 that are not Multi-Attach."""
    return provisioned_iops(resource) and single(resource)


def bursting(resource: Resource) -> bool:
    """
    Has a burst bucket AWS tells of: gp2, st1 and sc1. Where the baseline is above the burst ceiling the bucket never
    empties; on Nitro nothing is published then, elsewhere it reads 100 (aws-facts 1.1).
    """
    size = float(resource.facts.get("size_gib", 0))
    on_nitro = resource.facts.get("nitro") is True
    match resource.facts.get("volume_type"):
        case "gp2":
            return size <= _GP2_BURST_CEILING_GIB or not on_nitro
        case "st1":
            return size <= _ST1_BURST_CEILING_GIB or not on_nitro
        case "sc1":
            return True
        case _:
            return False


def burstable_instance(resource: Resource) -> bool:
    """An instance type whose EBS maximum is above its baseline: only those have a balance."""
    return resource.facts.get("burstable", True) is True


def nitro_virtual(resource: Resource) -> bool:
    """Nitro and no metal."""
    return nitro(resource) and not resource.facts.get("bare_metal", False)


def _row(  # one line a row in the tables below
    kind: ResourceKind, source: str, statistic: str, name: str, text: str, tier: Tier, every: int, **more: Any
) -> MetricRow:
    help_text = f"{text} Source: {kind.namespace} {source} ({statistic})."
    return MetricRow(kind, source, statistic, gauge(name, help_text, kind.labels), tier, every, **more)


_volume = partial(_row, VOLUME)
_pair = partial(_row, ATTACHMENT, applies=nitro)
_node = partial(_row, INSTANCE)
_STANDARD = (Tier.STANDARD, 900)
_ASKED = (Tier.ON_REQUEST, 900)
_rate: dict[str, Any] = {"per_second": True, "fold": Fold.MEAN}
_five: dict[str, Any] = {"per_second": True, "fold": Fold.MEAN, "period": 300, "applies": nitro_virtual}

ROWS: tuple[MetricRow, ...] = (
    # The volume: published under {VolumeId} while it is attached.
    _volume(
        "VolumeReadBytes", "Sum", "aws_ebs_volume_read_bytes_per_second",
        "Bytes read from the volume a second.", *_STANDARD, **_rate, covered_by=NVME,
    ),
    _volume(
        "VolumeWriteBytes", "Sum", "aws_ebs_volume_write_bytes_per_second",
        "Bytes written to the volume a second.", *_STANDARD, **_rate, covered_by=NVME,
    ),
    _volume(
        "VolumeReadOps", "Sum", "aws_ebs_volume_read_ops_per_second",
        "Read operations completed a second.", *_STANDARD, **_rate, covered_by=NVME,
    ),
    _volume(
        "VolumeWriteOps", "Sum", "aws_ebs_volume_write_ops_per_second",
        "Write operations completed a second.", *_STANDARD, **_rate, covered_by=NVME,
    ),
    _volume(
        "VolumeTotalReadTime", "Sum", "aws_ebs_volume_read_time_seconds_per_second",
        "Seconds that completed reads took, a second; above 1 when they overlap.", *_ASKED, **_rate,
        applies=single, covered_by=NVME,
    ),
    _volume(
        "VolumeTotalWriteTime", "Sum", "aws_ebs_volume_write_time_seconds_per_second",
        "Seconds that completed writes took, a second; above 1 when they overlap.", *_ASKED, **_rate,
        applies=single, covered_by=NVME,
    ),
    _volume(
        "VolumeIdleTime", "Sum", "aws_ebs_volume_idle_ratio",
        "Share of time without any read or write submitted.", *_ASKED, **_rate, applies=single, covered_by=NVME,
    ),
    _volume(
        "VolumeQueueLength", "Average", "aws_ebs_volume_queue_length",
        "Operations waiting to complete.", *_ASKED, fold=Fold.MEAN, covered_by=NVME,
    ),
    _volume(
        "VolumeThroughputPercentage", "Average", "aws_ebs_volume_delivered_iops_ratio",
        "Operations delivered as a share of those provisioned (io1, io2).", *_ASKED,
        fold=Fold.MEAN, scale=0.01, applies=provisioned_iops_single,
    ),
    _volume(
        "VolumeConsumedReadWriteOps", "Sum", "aws_ebs_volume_consumed_ops_per_second",
        "Operations consumed a second in units of 256 KiB (io1, io2).", *_ASKED, **_rate, applies=provisioned_iops,
    ),
    _volume(
        "BurstBalance", "Minimum", "aws_ebs_volume_burst_balance_ratio",
        "What is left in the burst bucket (gp2, st1, sc1).", *_STANDARD,
        fold=Fold.NEWEST, scale=0.01, applies=bursting,
    ),
    # The attachment: published under {InstanceId, VolumeId} only, shown as the volume's.
    _pair(
        "VolumeStalledIOCheck", "Maximum", "aws_ebs_volume_stalled_io",
        "Share of minutes in which an operation could not complete.", Tier.ESSENTIAL, 300, fold=Fold.MEAN,
        covered_by=NVME, witness=900,
    ),
    _pair(
        "VolumeAvgReadLatency", "Average", "aws_ebs_volume_read_latency_seconds",
        "Mean time of a read in the slowest minute; 0 when there was none.", *_STANDARD,
        fold=Fold.MAX, scale=0.001, covered_by=NVME,
    ),
    _pair(
        "VolumeAvgWriteLatency", "Average", "aws_ebs_volume_write_latency_seconds",
        "Mean time of a write in the slowest minute; 0 when there was none.", *_STANDARD,
        fold=Fold.MAX, scale=0.001, covered_by=NVME,
    ),
    _pair(
        "VolumeIOPSExceededCheck", "Maximum", "aws_ebs_volume_iops_exceeded",
        "Share of minutes in which more operations were asked than are provisioned.", *_STANDARD,
        fold=Fold.MEAN, applies=nitro_checked, covered_by=NVME,
    ),
    _pair(
        "VolumeThroughputExceededCheck", "Maximum", "aws_ebs_volume_throughput_exceeded",
        "Share of minutes in which more throughput was asked than is provisioned.", *_STANDARD,
        fold=Fold.MEAN, applies=nitro_checked, covered_by=NVME,
    ),
    _pair(
        "VolumeAvgIOPS", "Average", "aws_ebs_volume_average_ops_per_second",
        "Operations a second as AWS averages them.", *_ASKED, fold=Fold.MEAN, covered_by=NVME,
    ),
    _pair(
        "VolumeAvgThroughput", "Average", "aws_ebs_volume_average_bytes_per_second",
        "Bytes a second as AWS averages them.", *_ASKED, fold=Fold.MEAN, scale=1024.0, covered_by=NVME,
    ),
    # The instance that holds volumes.
    _node(
        "StatusCheckFailed_AttachedEBS", "Maximum", "aws_ebs_instance_attached_ebs_check_failed",
        "Share of minutes in which an attached volume was out of reach or could not complete operations.",
        Tier.ESSENTIAL, 60, fold=Fold.MEAN, applies=nitro,
    ),
    _node(
        "StatusCheckFailed", "Maximum", "aws_ebs_instance_status_check_failed",
        "Share of minutes in which any status check of the instance failed.", *_ASKED, fold=Fold.MEAN,
    ),
    _node(
        "StatusCheckFailed_Instance", "Maximum", "aws_ebs_instance_instance_check_failed",
        "Share of minutes in which the instance's own check failed.", *_ASKED, fold=Fold.MEAN,
    ),
    _node(
        "StatusCheckFailed_System", "Maximum", "aws_ebs_instance_system_check_failed",
        "Share of minutes in which the check of AWS's system under the instance failed.", *_ASKED, fold=Fold.MEAN,
    ),
    _node(
        "InstanceEBSIOPSExceededCheck", "Maximum", "aws_ebs_instance_iops_exceeded",
        "Share of minutes in which more operations were asked than the instance can do on EBS.", *_ASKED,
        fold=Fold.MEAN, applies=nitro_virtual, covered_by=NVME,
    ),
    _node(
        "InstanceEBSThroughputExceededCheck", "Maximum", "aws_ebs_instance_throughput_exceeded",
        "Share of minutes in which more throughput was asked than the instance can do on EBS.", *_ASKED,
        fold=Fold.MEAN, applies=nitro_virtual, covered_by=NVME,
    ),
    # Basic monitoring publishes these every five minutes, detailed every minute: five minutes serve both.
    _node(
        "EBSReadOps", "Sum", "aws_ebs_instance_read_ops_per_second",
        "Read operations a second over all attached volumes.", *_ASKED, **_five,
    ),
    _node(
        "EBSWriteOps", "Sum", "aws_ebs_instance_write_ops_per_second",
        "Write operations a second over all attached volumes.", *_ASKED, **_five,
    ),
    _node(
        "EBSReadBytes", "Sum", "aws_ebs_instance_read_bytes_per_second",
        "Bytes read a second over all attached volumes.", *_ASKED, **_five,
    ),
    _node(
        "EBSWriteBytes", "Sum", "aws_ebs_instance_write_bytes_per_second",
        "Bytes written a second over all attached volumes.", *_ASKED, **_five,
    ),
    _node(
        "EBSIOBalance%", "Minimum", "aws_ebs_instance_io_balance_ratio",
        "What is left of the operations the instance may burst on EBS.", *_ASKED,
        fold=Fold.NEWEST, scale=0.01, period=300, applies=burstable_instance,
    ),
    _node(
        "EBSByteBalance%", "Minimum", "aws_ebs_instance_byte_balance_ratio",
        "What is left of the throughput the instance may burst on EBS.", *_ASKED,
        fold=Fold.NEWEST, scale=0.01, period=300, applies=burstable_instance,
    ),
    # Fast snapshot restore, where it is enabled.
    _row(
        FAST_SNAPSHOT, "FastSnapshotRestoreCreditsBucketSize", "Average", "aws_ebs_fast_snapshot_restore_credit_limit",
        "Volumes that the full bucket would create at full speed.", *_ASKED, fold=Fold.NEWEST,
    ),
    _row(
        FAST_SNAPSHOT, "FastSnapshotRestoreCreditsBalance", "Average", "aws_ebs_fast_snapshot_restore_credit_balance",
        "Volumes that can be created at full speed now.", *_ASKED, fold=Fold.NEWEST,
    ),
)  # fmt: skip

NEWEST_DATAPOINT = member(
    VOLUME, "End of the newest period CloudWatch has told of this pinned volume, unix seconds.", "aws_ebs_volume"
)
