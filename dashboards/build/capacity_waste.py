"""Capacity: volumes that are larger or faster than they need to be, and what nobody uses."""

from __future__ import annotations

from dashboards.build.capacity_terms import FILES, UNATTACHED, VOLUME_SIZE, F, V, of_claims, owned
from dashboards.build.efs_terms import named
from dashboards.build.links import FILE_SYSTEM_CONSOLE, VOLUME_CONSOLE, runbook, to
from dashboards.build.panels import PLACE_KEYS, Column, Key, Row, State, Table
from dashboards.build.queries import most, where

FREE_IOPS = 3000
FREE_THROUGHPUT = 125 * 2**20
"""What every gp3 volume has without paying for it."""

IDLE = 0.4
"""Busy hours below this share of what is provisioned: half of it would do."""

ROOM = 1.5
"""What is left for growth above the busy hours where a smaller number is proposed."""

_LABELS = ("namespace", "persistentvolumeclaim", "volume_type")
_VOLUME = (
    *PLACE_KEYS,
    Key(label="namespace", name="Namespace", width=120),
    Key(
        label="persistentvolumeclaim",
        name="Claim",
        links=[to("ebs-volume", "volume_id", title="Open the volume")],
        width=210,
    ),
    Key(
        label="volume_id",
        name="Volume",
        links=[to("ebs-volume", "volume_id", title="Open the volume"), VOLUME_CONSOLE],
        width=195,
    ),
    Key(label="volume_type", name="Type", width=60),
)


def row() -> Row:
    """The row."""
    return Row(title="Too large, or used by nobody", panels=[_oversized(), _unattached(), _released(), _unmounted()])


def _oversized() -> Table:
    iops = most(where("aws_ebs_volume_provisioned_iops"), V)
    throughput = most(where("aws_ebs_volume_provisioned_throughput_bytes_per_second"), V)
    busy = f"max_over_time({where('volume:aws_ebs_utilization:p95_6h')}[7d])"
    operations = f"quantile_over_time(0.95, {where('volume:aws_ebs_ops:per_second')}[7d])"
    moved = f"quantile_over_time(0.95, {where('volume:aws_ebs_throughput:bytes_per_second')}[7d])"
    paid = f"({iops} > {FREE_IOPS} or {throughput} > {FREE_THROUGHPUT})"
    # What gp2 and the hard disks have comes with their size: nothing is saved by changing it alone.
    settable = where("volume:aws_ebs_owner:info", also='volume_type=~"gp3|io1|io2"')
    chosen = f"({busy} < {IDLE:g} and on ({V}) {paid} and on ({V}) {settable})"

    def column(expr: str) -> str:
        return owned(f"{expr} and on ({V}) {chosen}", *_LABELS)

    def enough(used: str, free: int, now: str) -> str:
        wanted = f"clamp_min({ROOM:g} * {used}, {free})"
        return column(f"({wanted} < {now} or on ({V}) {now})")

    return Table(
        title="Faster than it needs to be",
        says=(
            f"Volumes with more than {FREE_IOPS} IOPS or 125 MiB/s (free with gp3) whose busiest hours of 7 days stay below "
            f"{IDLE:.0%} of it. 'Enough' leaves half again as room. Change: aws ec2 modify-volume, online."
        ),
        keys=_VOLUME,
        columns=[
            Column(name="Busy hours", expr=owned(chosen, *_LABELS), unit="percentunit", decimals=0, width=95),
            Column(name="IOPS", expr=column(iops), unit="iops", decimals=1, width=100),
            Column(name="used (p95)", expr=column(operations), unit="iops", decimals=1, width=95),
            Column(name="IOPS enough", expr=enough(operations, FREE_IOPS, iops), unit="iops", decimals=1, width=95),
            Column(name="Throughput", expr=column(throughput), unit="binBps", decimals=0, width=100),
            Column(name="moved (p95)", expr=column(moved), unit="binBps", decimals=1, width=105),
            Column(
                name="MiB/s enough",
                expr=enough(moved, FREE_THROUGHPUT, throughput),
                unit="binBps",
                decimals=0,
                width=100,
            ),
        ],
        sort="Busy hours",
        empty="Every volume with paid IOPS or throughput needs it.",
        height=8,
    )


def _unattached() -> Table:
    orphaned = f"group by ({V}) ({where('volume:aws_ebs_orphaned:timestamp_seconds')})"

    def column(expr: str) -> str:
        return owned(f"({expr}) and on ({V}) {UNATTACHED}", *_LABELS, "availability_zone")

    return Table(
        title="Volumes that are attached to nothing",
        says=(
            "Paid for and unused now. Orphaned: made by a CSI driver and no persistent volume names it any more. Take a "
            "snapshot before you delete one."
        ),
        keys=[*_VOLUME, Key(label="availability_zone", name="Zone", width=135)],
        columns=[
            Column(name="Size", expr=column(VOLUME_SIZE), unit="bytes", decimals=1, width=90),
            Column(
                name="Orphaned",
                expr=column(f"{orphaned} or on ({V}) 0 * {VOLUME_SIZE}"),
                states=(State(0, "no", "text"), State(1, "yes", "orange")),
                width=90,
            ),
            Column(
                name="Backup",
                expr=column(f"time() - {where('volume:aws_ebs_last_backup:timestamp')}"),
                unit="s",
                decimals=1,
                width=100,
            ),
            Column(
                name="Age",
                expr=column(f"time() - {most(where('aws_ebs_volume_created_timestamp_seconds'), V)}"),
                unit="s",
                decimals=1,
                width=100,
            ),
        ],
        sort="-Size",
        empty="Every volume is attached.",
        links=[runbook("AwsEbsVolumeUnattached")],
        height=6,
    )


def _released() -> Table:
    known = "kubernetes_persistentvolume_info"
    info = (
        f"(group by (cluster, namespace, persistentvolumeclaim, persistentvolume) "
        f"({of_claims('kubernetes_persistentvolume_released_info')}) "
        f"* on (cluster, persistentvolume) group_left (volume_id) "
        f"group by (cluster, persistentvolume, volume_id) ({where(known, place=('cluster',))}))"
    )

    def column(expr: str) -> str:
        return f"{info} * on (cluster, persistentvolume) group_left () {most(expr, 'cluster', 'persistentvolume')}"

    since = where(
        "kubernetes_persistentvolume_phase_transition_timestamp_seconds", also='phase="Released"', place=("cluster",)
    )
    return Table(
        title="Released persistent volumes",
        says="Their claims are gone, their data is kept (Retain) and paid for. Good: none that nobody remembers.",
        keys=[
            Key(label="cluster"),
            Key(label="namespace", name="Was in", width=110),
            Key(label="persistentvolumeclaim", name="Was claim", width=150),
            Key(label="persistentvolume", name="Persistent volume", width=160),
            Key(
                label="volume_id",
                name="EBS volume",
                links=[to("ebs-volume", "volume_id", title="Open the volume")],
                width=195,
            ),
        ],
        columns=[
            Column(
                name="Size",
                expr=column(where("kubernetes_persistentvolume_capacity_bytes", place=("cluster",))),
                unit="bytes",
                decimals=1,
                width=90,
            ),
            Column(name="Since", expr=column(f"time() - {since}"), unit="s", decimals=1, width=95),
        ],
        sort="-Size",
        empty="No persistent volume is released.",
        width=14,
        height=6,
    )


def _unmounted() -> Table:
    unused = f"(max_over_time({where('filesystem:aws_efs_client_connections:sum')}[7d]) == 0)"
    return Table(
        title="File systems without a client for 7 days",
        says="EFS that nobody mounted in the time that is known, a week at most. Good: none.",
        keys=[
            *PLACE_KEYS,
            Key(
                label="file_system_name",
                name="File system",
                links=[to("efs", "file_system_id", title="Open it"), FILE_SYSTEM_CONSOLE],
            ),
            Key(label="file_system_id", name="Id", links=[FILE_SYSTEM_CONSOLE]),
        ],
        columns=[
            Column(
                name="Stored",
                expr=named(f"({FILES} and on ({F}) {unused})"),
                unit="bytes",
                decimals=1,
                width=100,
            )
        ],
        sort="-Stored",
        empty="Every file system has clients.",
        links=[runbook("AwsEfsUnused")],
        width=10,
        height=6,
    )
