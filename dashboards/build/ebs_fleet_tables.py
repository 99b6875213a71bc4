"""EBS fleet: the table of every volume, and what is there, unused or not backed up."""

from __future__ import annotations

from dashboards.build.links import VOLUME_CONSOLE, to
from dashboards.build.panels import PLACE_KEYS, Bars, Column, Key, Query, Row, Table
from dashboards.build.queries import where
from dashboards.build.thresholds import Limit, high, low, number
from dashboards.build.volumes import ID, by_id, exceeded, of_row

_VOLUME = to("ebs-volume", "volume_id", title="Open the volume")
_SIZE = by_id(where("aws_ebs_volume_size_bytes"))
_BACKUP = number("AwsEbsVolumeBackupTooOld", "max_age", of="seconds")


def _keys(*shown: str, claim: int = 170) -> tuple[Key, ...]:
    """Keys of a row of `volumes.KEYS`; those not in *shown* are hidden; the claim's column has *claim* pixels."""
    words = {
        "persistentvolumeclaim": "Claim",
        "namespace": "Namespace",
        "workload": "Workload",
        "node": "Node",
        "availability_zone": "Zone",
        "volume_type": "Type",
        "volume_id": "Volume",
    }
    links = {"persistentvolumeclaim": (_VOLUME,), "volume_id": (_VOLUME, VOLUME_CONSOLE)}
    order = (*shown, *(each for each in words if each not in shown), "cluster", "account_id", "region")
    widths = {"persistentvolumeclaim": claim, "namespace": 95, "workload": 140, "node": 120, "volume_type": 45}
    widths["volume_id"] = 190
    return tuple(
        Key(
            label=each,
            name=words[each] if each in shown else "",
            links=links.get(each, ()) if each in shown else (),
            width=widths.get(each),
        )
        for each in order
    )


def volumes() -> Table:
    """Every volume: who it is, what it does against what it may do."""

    def column(name: str, recording: str, unit: str, width: int, limit: Limit | None = None) -> Column:
        return _value(name, where(recording), unit, width, limit)

    saturated = high(warning=number("AwsEbsVolumeSaturated", "utilization", of="ratio"))
    throttled = high(
        warning=number("AwsEbsVolumeThrottledSometimes", "share", of="ratio"),
        critical=number("AwsEbsVolumeThrottled", "mostly", of="ratio"),
    )
    slow = high(warning=number("AwsEbsVolumeLatencyHigh", "latency", of="seconds"))
    spent = low(warning=number("AwsEbsBurstBalanceLow", "level", of="ratio"))
    age = f"time() - {where('volume:aws_ebs_last_backup:timestamp')}"
    return Table(
        title="Volumes",
        says=(
            "Every volume with the claim on it, the busiest first: operations and bytes a second, as shares of what is "
            "provisioned, and how often it was at its limit. Click the claim or the volume for its page."
        ),
        keys=_keys("persistentvolumeclaim", "namespace", "workload", "node", "volume_type", "volume_id"),
        columns=(
            column("Size", "aws_ebs_volume_size_bytes", "bytes", 70),
            column("IOPS", "volume:aws_ebs_ops:per_second", "iops", 75),
            column("IOPS %", "volume:aws_ebs_iops_utilization:ratio", "percentunit", 60, saturated),
            column("Bytes", "volume:aws_ebs_throughput:bytes_per_second", "binBps", 85),
            column("Bytes %", "volume:aws_ebs_throughput_utilization:ratio", "percentunit", 62, saturated),
            _value("At limit", exceeded(), "percentunit", 60, throttled),
            column("Latency", "volume:aws_ebs_latency:max", "s", 75, slow),
            column("Burst", "volume:aws_ebs_burst_balance:ratio", "percentunit", 55, spent),
            _value("Backup", age, "s", 85, high(warning=_BACKUP)),
        ),
        sort="-IOPS %",
        empty="no volume here",
        height=14,
    )


def _value(name: str, expr: str, unit: str, width: int, limit: Limit | None = None) -> Column:
    """A value by volume as a column of its row."""
    digits = {"percentunit": 0, "iops": 0, "bytes": 0, "none": 0}.get(unit, 1)
    return Column(name=name, expr=of_row(expr), unit=unit, limit=limit, decimals=digits, width=width)


def inventory() -> tuple[Row, ...]:
    """What is there, what is unused and what is not backed up."""
    return (
        Row(title="Backups", panels=(_backups(), _without())),
        Row(title="What is there, and what nobody uses", panels=(_types(), _sizes(), _unattached(), _orphaned())),
    )


def _backups() -> Table:
    kept = by_id(where("volume:aws_ebs_last_backup:timestamp"))
    failed = f"{by_id(where('aws_ebs_volume_failed_backup_jobs'))} and {kept}"
    return Table(
        title="Oldest backups",
        says=(
            "How long ago each backed-up volume was last backed up, by AWS Backup or an own snapshot. Good is less "
            "than two days; jobs failed today should be none."
        ),
        keys=_keys("persistentvolumeclaim", "namespace", "volume_id", claim=200),
        columns=(
            _value("Age", f"time() - {kept}", "s", 90, high(warning=_BACKUP)),
            _value("Jobs failed", failed, "none", 90, high(warning=number("AwsBackupJobsFailing", "jobs", of="count"))),
        ),
        sort="-Age",
        empty="no volume has ever been backed up",
        width=12,
        height=9,
    )


def _without() -> Table:
    claimed = where("volume:aws_ebs_claim:info", also='persistentvolumeclaim!=""')
    of_nobody = f"unless {by_id(where('volume:aws_ebs_last_backup:timestamp'))}"
    created = by_id(where("aws_ebs_volume_created_timestamp_seconds"))
    return Table(
        title="Claims on volumes without any backup",
        says=(
            "Volumes with a claim that neither AWS Backup nor a snapshot has ever kept, the oldest first. Good is only "
            "what can be lost."
        ),
        keys=_keys("persistentvolumeclaim", "namespace", "volume_id", claim=200),
        columns=(
            _value("Exists for", f"(time() - {created} and on ({', '.join(ID)}) {claimed}) {of_nobody}", "s", 100),
            _value("Size", f"({_SIZE} and on ({', '.join(ID)}) {claimed}) {of_nobody}", "bytes", 80),
        ),
        sort="-Exists for",
        empty="every claim has a backup",
        width=12,
        height=9,
    )


def _types() -> Bars:
    return Bars(
        title="Volumes by type",
        says="How many volumes there are of each type. Good is no standard, and gp3 in place of gp2.",
        unit="none",
        decimals=0,
        queries=(Query("sort_desc(count by (volume_type) (" + _BY_TYPE + "))", "{{volume_type}}"),),
        width=6,
    )


_BY_TYPE = f"group by (account_id, region, volume_id, volume_type) ({where('volume:aws_ebs_owner:info')})"


def _sizes() -> Bars:
    types = f"group by (cluster, account_id, region, volume_id, volume_type) ({where('volume:aws_ebs_owner:info')})"
    on = "on (cluster, account_id, region, volume_id)"
    return Bars(
        title="Bytes by type",
        says="How much is provisioned of each type, used or not. Good is what you expect to pay for.",
        unit="bytes",
        decimals=1,
        queries=(Query(f"sort_desc(sum by (volume_type) ({types} * {on} group_left () {_SIZE}))", "{{volume_type}}"),),
        width=6,
    )


def _unattached() -> Table:
    unattached = f"{by_id(where('volume:aws_ebs_unattached:bool'))} == 1"
    created = by_id(where("aws_ebs_volume_created_timestamp_seconds"))
    return Table(
        title="Volumes that nothing is attached to",
        says=(
            "Paid for and unused, the largest first. Good is none, or those kept on purpose: look at the claim before "
            "you delete one."
        ),
        keys=_keys("persistentvolumeclaim", "namespace", "volume_type", "volume_id", claim=165),
        columns=(
            _value("Size", f"{_SIZE} and ({unattached})", "bytes", 80),
            _value("Exists for", f"time() - {created} and ({unattached})", "s", 100),
        ),
        sort="-Size",
        empty="every volume is attached",
        width=12,
    )


def _orphaned() -> Table:
    keys = ("account_id", "cluster", "namespace", "persistentvolumeclaim", "region", "volume_id")
    orphaned = f"group by ({', '.join(keys)}) ({where('aws_ebs_volume_orphaned_info')})"
    on = "* on (cluster, account_id, region, volume_id) group_left ()"
    created = by_id(where("aws_ebs_volume_created_timestamp_seconds"))
    return Table(
        title="Volumes that the driver made and no claim has",
        says=(
            "Made for a claim of this cluster that is gone; no persistent volume names them. Good is none: keep a "
            "snapshot, then delete."
        ),
        keys=(
            Key(label="volume_id", name="Volume", links=(_VOLUME, VOLUME_CONSOLE)),
            Key(label="persistentvolumeclaim", name="Was claim"),
            Key(label="namespace", name="In namespace"),
            *PLACE_KEYS,
        ),
        columns=(
            Column(name="Size", expr=f"{orphaned} {on} {_SIZE}", unit="bytes", decimals=0),
            Column(name="Exists for", expr=f"{orphaned} {on} (time() - {created})", unit="s", decimals=0),
        ),
        sort="-Size",
        empty="none is orphaned",
        height=5,
    )
