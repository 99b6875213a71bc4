"""EBS volume and claim: space and backups, logs, the instance under it, and what is rarely needed."""

from __future__ import annotations

from dashboards.build import ebs_volume_instance
from dashboards.build.ebs_volume_parts import V, of_claim
from dashboards.build.links import INSTANCE_CONSOLE, KEY_CONSOLE
from dashboards.build.panels import PLACE_KEYS, Column, Key, Logs, Query, Row, Series, Stat, State, Table
from dashboards.build.queries import where
from dashboards.build.thresholds import high, low, number
from dashboards.build.volumes import by_id

_HOURS = 4
_EBS = 'aws_service="ebs"'


def rows() -> tuple[Row, ...]:
    """The rows in reading order."""
    return (
        Row(title="Space in the claim's file system", panels=(_space(), _full(), _resize(), _inodes())),
        Row(title="Backups and modifications", panels=(_backup(), _jobs(), _modification(), _progress())),
        Row(title="What the CSI driver and Kubernetes say of it", panels=(_driver(), _events())),
        Row(title="The instance it is attached to", panels=ebs_volume_instance.panels(), folded=True),
        Row(title="What is rarely needed", panels=(_key(), _attachments(), _age()), folded=True),
    )


def _space() -> Series:
    capacity = of_claim("claim:kubelet_capacity:bytes")
    ahead = of_claim("claim:kubelet_available:bytes", f"predict_linear({{}}[6h], {_HOURS * 3600})")
    return Series(
        title="Used space",
        says=(
            "Bytes used in the file system, its size, and the use in four hours if it goes on as in the last six. Good "
            "is a dotted line that stays away from the red one."
        ),
        unit="bytes",
        queries=(
            Query(f"{capacity} - {of_claim('claim:kubelet_available:bytes')}", "used", look="area"),
            Query(f"clamp_min({capacity} - {ahead}, 0)", f"used in {_HOURS} h", look="forecast"),
            Query(capacity, "size", look="limit"),
        ),
        width=12,
    )


def _full() -> Stat:
    hour, days = of_claim("claim:kubelet_full:eta20m_seconds"), of_claim("claim:kubelet_full:eta6h_seconds")
    return Stat(
        title="Full in",
        says=(
            "Time until the file system is full, as the last 20 minutes and the last six hours went. Good is more than "
            "two days, or not filling."
        ),
        unit="s",
        decimals=1,
        queries=(Query(hour, "as of 20 min"), Query(days, "as of 6 h")),
        limit=low(
            warning=number("StorageClaimFillingUp", "within", of="seconds"),
            critical=number("StorageClaimFullWithinHour", "within", of="seconds"),
        ),
        states=(State(None, "not filling", "green"),),
        empty="not filling",
        height=8,
    )


def _resize() -> Stat:
    asked = of_claim("kubernetes_persistentvolumeclaim_requested_bytes")
    has = of_claim("kubernetes_persistentvolumeclaim_capacity_bytes")
    return Stat(
        title="Asked and given",
        says=(
            "Size that the claim asks for and size that it has. Good is the same; a difference that stays is a resize "
            "that does not end."
        ),
        unit="bytes",
        queries=(
            Query(asked, "asked"),
            Query(has, "given"),
            Query(by_id(where("aws_ebs_volume_size_bytes", V)), "volume"),
        ),
        empty="no claim",
        height=8,
    )


def _inodes() -> Stat:
    return Stat(
        title="Free inodes",
        says="Free share of the file system's inodes: at zero no file can be made though bytes are free.",
        unit="percentunit",
        decimals=0,
        queries=(Query(of_claim("claim:kubelet_inodes_free:ratio")),),
        limit=low(critical=number("StorageClaimInodesFull", "free", of="ratio")),
        states=(State(None, "not told", "gray"),),
        empty="not told",
        height=8,
    )


def _backup() -> Series:
    return Series(
        title="Age of the newest backup",
        says=(
            "Age of the newest recovery point of AWS Backup or own snapshot. Good is a saw that falls back below the "
            "line each day."
        ),
        unit="s",
        queries=(Query(f"time() - {by_id(where('volume:aws_ebs_last_backup:timestamp', V))}", "age"),),
        limit=high(warning=number("AwsEbsVolumeBackupTooOld", "max_age", of="seconds")),
        empty="no backup of this volume is known",
        width=9,
        height=6,
    )


def _jobs() -> Stat:
    return Stat(
        title="Failed jobs",
        says="Jobs of AWS Backup for this volume that ended badly in the last day. Good is none.",
        unit="none",
        queries=(Query(by_id(where("aws_ebs_volume_failed_backup_jobs", V))),),
        limit=high(warning=number("AwsBackupJobsFailing", "jobs", of="count")),
        states=(State(0, "none", "green"),),
        empty="not told",
        height=6,
        width=3,
    )


def _modification() -> Table:
    keys = ("volume_id", "state", "original_volume_type", "target_volume_type")
    row = f"max by ({', '.join(keys)}) ({where('aws_ebs_volume_modification_info', V)})"

    def when(family: str) -> str:
        told = f"max by (volume_id) ({where(family, V)})"
        return f"{row} * on (volume_id) group_left () (1000 * {told})"

    return Table(
        title="Newest modification",
        says=(
            "The last change of size, type, IOPS or throughput. Good is completed; AWS allows the next one after six "
            "hours."
        ),
        keys=(
            Key(label="volume_id"),
            Key(
                label="state",
                name="State",
                texts={
                    "completed": ("completed", "green"),
                    "optimizing": ("optimizing: usable, slower", "blue"),
                    "modifying": ("modifying", "orange"),
                    "failed": ("failed", "red"),
                },
            ),
            Key(label="original_volume_type", name="From"),
            Key(label="target_volume_type", name="To"),
        ),
        columns=(
            Column(
                name="Begun",
                expr=when("aws_ebs_volume_modification_start_timestamp_seconds"),
                unit="dateTimeAsIso",
                width=160,
            ),
            Column(
                name="Ended",
                expr=when("aws_ebs_volume_modification_end_timestamp_seconds"),
                unit="dateTimeAsIso",
                width=160,
            ),
        ),
        empty="never modified, as far as AWS remembers",
        width=9,
        height=6,
    )


def _progress() -> Stat:
    return Stat(
        title="Modified so far",
        says="How far the newest modification is. Good is 100 %.",
        unit="percentunit",
        decimals=0,
        queries=(Query(by_id(where("aws_ebs_volume_modification_progress_ratio", V))),),
        states=(State(1, "done", "green"),),
        empty="no modification",
        width=3,
        height=6,
    )


def _driver() -> Logs:
    return Logs(
        title="The EBS CSI driver about this volume",
        says=(
            "Lines of the driver's controller and node pods that name the volume. Good is few, and no error that comes "
            "again and again."
        ),
        expr='{namespace="kube-system", container="ebs-plugin"} |= `$volume_id`',
        width=12,
        height=9,
    )


def _events() -> Logs:
    return Logs(
        title="Kubernetes' events and kubelet about this claim",
        says=(
            "Events and journal lines that name the volume or its persistent volume. Good is none; FailedMount and "
            "FailedAttachVolume say why a pod does not start."
        ),
        expr=(
            '{job=~"loki.source.kubernetes_events|integrations/kubernetes/eventhandler|.*journal.*"} '
            "|~ `$volume_id|$persistentvolume` "
            "|~ `(?i)volume|mount|attach|resize|I/O error`"
        ),
        width=12,
        height=9,
    )


def _key() -> Table:
    keys = ("account_id", "cluster", "key_id", "region")
    on_key = "on (cluster, account_id, region, key_id)"
    key = f"group by ({', '.join(keys)}) ({where('aws_ebs_volume_kms_key_info', V)})"

    def of_key(family: str, times: int = 1) -> str:
        return f"{times} * {key} * {on_key} max by ({', '.join(keys)}) ({where(family)})"

    return Table(
        title="Key that encrypts it",
        says="Without its key a volume cannot be attached again. Good is enabled and no deletion date.",
        keys=(
            Key(label="key_id", name="Key", links=(KEY_CONSOLE,), width=310),
            *PLACE_KEYS,
        ),
        columns=(
            Column(
                name="State",
                expr=of_key("aws_kms_key_enabled"),
                states=(State(1, "enabled", "green"), State(0, "cannot be used", "red")),
                width=95,
            ),
            Column(
                name="Deleted at",
                expr=of_key("aws_kms_key_deletion_timestamp_seconds", times=1000),
                unit="dateTimeAsIso",
                width=155,
            ),
            Column(name="Resources", expr=of_key("aws_kms_key_resources"), decimals=0, width=90),
        ),
        empty="not encrypted, or the key is not known",
        width=12,
        height=6,
    )


def _attachments() -> Table:
    keys = ("volume_id", "instance_id", "region", "device", "state")
    info = f"max by ({', '.join(keys)}) ({where('aws_ebs_volume_attachment_info', V)})"
    since = f"max by (volume_id, instance_id) ({where('aws_ebs_volume_attachment_start_timestamp_seconds', V)})"
    return Table(
        title="Attachments",
        says="Where the volume is attached, as EC2 says. Good is one instance and the state attached.",
        keys=(
            Key(label="volume_id"),
            Key(label="instance_id", name="Instance", links=(INSTANCE_CONSOLE,)),
            Key(label="region"),
            Key(label="device", name="Device"),
            Key(label="state", name="State", texts={"attached": ("attached", "green"), "busy": ("busy", "red")}),
        ),
        columns=(
            Column(
                name="Since",
                expr=f"{info} * on (volume_id, instance_id) group_left () (1000 * {since})",
                unit="dateTimeAsIso",
                width=160,
            ),
        ),
        empty="not attached",
        width=12,
        height=6,
    )


def _age() -> Table:
    newest = f"max({where('service:storage_exporter_data_age:seconds', also=_EBS)})"
    return Table(
        title="Where these numbers come from",
        says=(
            "Whether operations and latency come from the CSI driver's own counters or from CloudWatch, and how old the "
            "newest datapoint of CloudWatch is. Good is a few minutes."
        ),
        keys=(
            Key(
                label="source",
                name="Read from",
                texts={"nvme": ("the driver's counters", "green"), "cloudwatch": ("CloudWatch", "blue")},
            ),
        ),
        columns=(
            Column(
                name="Age of CloudWatch's",
                expr=f"max by (source) ({where('volume:aws_ebs_source:info', V)}) * scalar({newest})",
                unit="s",
                decimals=0,
            ),
        ),
        empty="no datapoint of this volume",
        width=12,
        height=6,
    )
