"""
EBS fleet: all volumes, the worst first. `ebs_fleet_tables` has the inventory, `ebs_fleet_csi` attachments and the CSI
driver.
"""

from __future__ import annotations

from dashboards.build import ebs_fleet_csi, ebs_fleet_tables
from dashboards.build.alert_board import firing
from dashboards.build.page import Change, Page
from dashboards.build.panels import Bars, Query, Row, Series, Stat, State, Table, Timeline
from dashboards.build.queries import where
from dashboards.build.thresholds import high, low, number
from dashboards.build.volumes import by_id, exceeded, named, status

_SAYS = (
    "All EBS volumes of the clusters: which hang, which are at their limits, which run out of burst, which are not "
    "attached, not backed up or forgotten. A row leads to its volume."
)
_STALLED = number("AwsEbsVolumeStalledIO", "bad_minutes", of="ratio")
_SOMETIMES = number("AwsEbsVolumeThrottledSometimes", "share", of="ratio")
_MOSTLY = number("AwsEbsVolumeThrottled", "mostly", of="ratio")
_SATURATED = number("AwsEbsVolumeSaturated", "utilization", of="ratio")
_BURST = number("AwsEbsBurstBalanceLow", "level", of="ratio")
_SLOW = number("AwsEbsVolumeLatencyHigh", "latency", of="seconds")
_NONE = State(0, "none", "green")


def page() -> Page:
    """The dashboard."""
    return Page(
        uid="ebs-fleet",
        title="EBS fleet",
        says=_SAYS,
        rows=(
            Row(title="Are the volumes well?", panels=(*_words(), _alerts())),
            Row(title="The worst now", panels=_worst()),
            Row(title="Every volume", panels=(ebs_fleet_tables.volumes(),)),
            Row(title="How it went", panels=_course()),
            *ebs_fleet_csi.rows(),
            *ebs_fleet_tables.inventory(),
        ),
        changes=_changes(),
    )


def _count(title: str, says: str, bad: str, colour_from: float = 1, *, page_it: bool = False) -> Stat:
    """How many volumes are in a bad way; 0 where the inventory is there and none is."""
    return Stat(
        title=title,
        says=says,
        unit="none",
        queries=(Query(f"count({bad}) or 0 * count({where('aws_ebs_volume_info')})"),),
        limit=high(critical=colour_from) if page_it else high(warning=colour_from),
        states=(_NONE,),
        empty="no data",
        width=3,
    )


def _words() -> tuple[Stat, ...]:
    unfinished = where("volume:storage_attachment_unfinished:seconds")
    slow = number("StorageAttachmentSlow", "seconds", of="seconds")
    old = number("AwsEbsVolumeBackupTooOld", "max_age", of="seconds")
    lagging = f"time() - {by_id(where('volume:aws_ebs_last_backup:timestamp'))} > {old:g}"
    return (
        Stat(
            title="How many",
            says="Volumes that the exporter knows here. Good is what you expect.",
            unit="none",
            queries=(Query(f"count(group by (account_id, region, volume_id) ({where('aws_ebs_volume_info')}))"),),
            empty="no data",
            width=3,
        ),
        _count(
            "Hanging",
            "Volumes on which operations do not complete: their workloads hang. Good is none.",
            f"{by_id(where('volume:aws_ebs_stalled_io:ratio20m'))} >= {_STALLED:g}",
            page_it=True,
        ),
        _count(
            "Impaired",
            "Volumes of which AWS's own check says warning or impaired. Good is none.",
            f"{status()} >= 2",
            page_it=True,
        ),
        _count(
            "At their limit",
            "Volumes whose workload wanted more than is provisioned in a good part of the last 20 minutes.",
            f"{exceeded()} >= {_SOMETIMES:g}",
        ),
        _count(
            "Slow",
            "Volumes whose mean latency is above the alert's number. Good is none, busy hours aside.",
            f"{by_id(where('volume:aws_ebs_latency:max'))} > {_SLOW:g} and "
            f"{by_id(where('volume:aws_ebs_ops:per_second'))} >= {number('AwsEbsVolumeLatencyHigh', 'ops'):g}",
        ),
        Stat(
            title="Burst ends in",
            says="The soonest end of a burst balance, as the last 30 minutes went. Good is that none falls.",
            unit="s",
            decimals=1,
            queries=(Query(f"min({where('volume:aws_ebs_burst_balance:eta_seconds')})"),),
            limit=low(
                warning=24 * number("AwsEbsBurstBalanceExhausting", "eta", of="seconds"),
                critical=number("AwsEbsBurstBalanceExhausting", "eta", of="seconds"),
            ),
            states=(State(None, "none falls", "green"),),
            empty="none falls",
            width=3,
        ),
        _count(
            "Attaching long",
            "Volumes whose attaching or detaching takes longer than minutes: their pods do not start. Good is none.",
            f"{by_id(unfinished)} > {slow:g}",
            page_it=True,
        ),
        _count(
            "Backup too old",
            "Volumes that have been backed up, but not for two days. Good is none.",
            lagging,
        ),
    )


def _alerts() -> Table:
    return firing(
        "What fires here",
        "Alerts of volumes, claims, attachments, drivers and nodes, and for how long within the last day they fired. Good is nothing; each leads to its runbook.",
        'component=~"ebs|claims|nodes"',
        height=6,
        empty="nothing fires for volumes, claims and nodes",
    )


def _worst() -> tuple[Bars, ...]:
    return (
        Bars(
            title="Closest to their provisioned limits",
            says=(
                "The ten volumes that use the largest share of their operations or throughput now. Good is below the "
                "orange."
            ),
            unit="percentunit",
            decimals=0,
            queries=(
                Query(f"sort_desc(topk(10, {named(by_id(where('volume:aws_ebs_utilization:max')))}))", "{{short}}"),
            ),
            limit=high(warning=_SATURATED),
            most=1,
            width=8,
            height=9,
        ),
        Bars(
            title="At a limit, share of the last 20 minutes",
            says=(
                "The ten volumes that most often wanted more than is provisioned. Good is empty: nobody waits for the "
                "limit."
            ),
            unit="percentunit",
            decimals=0,
            queries=(Query(f"sort_desc(topk(10, {named(exceeded() + ' > 0')}))", "{{short}}"),),
            limit=high(warning=_SOMETIMES, critical=_MOSTLY),
            most=1,
            empty="no volume was at its limit",
            width=8,
            height=9,
        ),
        Bars(
            title="Burst balances under 50 %",
            says=(
                "gp2, st1 and sc1 volumes that have spent half of their burst bucket, the emptiest first. Good is "
                "empty; at zero a volume falls to its baseline."
            ),
            unit="percentunit",
            decimals=0,
            queries=(
                Query(
                    "sort("
                    + named(
                        f"{by_id(where('volume:aws_ebs_burst_balance:ratio'))} < "
                        f"{number('AwsEbsBurstBalanceExhausting', 'level', of='ratio'):g}"
                    )
                    + ")",
                    "{{short}}",
                ),
            ),
            limit=low(warning=_BURST),
            most=1,
            empty="no balance is under 50 %",
            width=8,
            height=9,
        ),
    )


def _course() -> tuple[Series | Timeline, ...]:
    used = by_id(where("volume:aws_ebs_utilization:max"))
    latency = by_id(where("volume:aws_ebs_latency:max"))
    stalled = by_id(where("volume:aws_ebs_stalled_io:ratio20m"))
    return (
        Series(
            title="Utilisation over all volumes",
            says=(
                "How much of their provisioned operations and throughput the volumes use: the busiest one, the one "
                "that nineteen of twenty stay below, and the middle. Good is a busiest below the line."
            ),
            unit="percentunit",
            queries=(
                Query(f"max({used})", "busiest"),
                Query(f"quantile(0.95, {used})", "95 %"),
                Query(f"quantile(0.5, {used})", "middle"),
            ),
            limit=high(warning=_SATURATED),
            least=0,
            width=8,
        ),
        Series(
            title="Latency over all volumes",
            says=(
                "Mean time of an operation: the slowest volume, the one that nineteen of twenty stay below, and the "
                "middle. A rise of all at once is AWS's or the nodes', of one the volume's."
            ),
            unit="s",
            queries=(
                Query(f"max({latency})", "slowest"),
                Query(f"quantile(0.95, {latency})", "95 %"),
                Query(f"quantile(0.5, {latency})", "middle"),
            ),
            limit=high(warning=_SLOW),
            log=True,
            width=8,
        ),
        Series(
            title="Operations and throughput of all volumes",
            says="What all volumes do together. Good is the usual course of the day; a fall to nothing is an outage.",
            unit="iops",
            queries=(
                Query(f"sum({by_id(where('volume:aws_ebs_ops:per_second'))})", "operations"),
                Query(
                    f"sum({by_id(where('volume:aws_ebs_throughput:bytes_per_second'))})",
                    "throughput",
                    look="right",
                    unit="binBps",
                ),
            ),
            width=8,
        ),
        Timeline(
            title="Stalled I/O",
            says=(
                "Volumes on which operations did not complete, as the last 20 minutes were. Good is an empty panel; a "
                "volume stands here only while it stalls."
            ),
            queries=(Query(named(f"1 + ({stalled} >= bool {_STALLED:g}) and {stalled} > 0"), "{{name}}"),),
            states=(State(1, "briefly", "orange"), State(2, "stalled", "red")),
            empty="no operation stalled",
            width=12,
            height=7,
        ),
        Timeline(
            title="AWS's check",
            says="Volumes of which AWS says warning or impaired. Good is an empty panel.",
            queries=(Query(named(f"{status()} >= 2"), "{{name}}"),),
            states=(State(2, "warning", "orange"), State(3, "impaired", "red")),
            empty="AWS says nothing bad of any volume",
            width=12,
            height=7,
        ),
    )


def _changes() -> tuple[Change, ...]:
    going_on = where("aws_ebs_volume_modification_info", also='state=~"modifying|failed"')
    started = where("aws_ebs_volume_attachment_start_timestamp_seconds")
    return (
        Change(
            name="Modifications",
            expr=f"group by (volume_id, state, original_volume_type, target_volume_type) ({going_on})",
            title="Modification: {{state}}",
            text="{{volume_id}} from {{original_volume_type}} to {{target_volume_type}}",
            colour="purple",
        ),
        Change(
            name="AWS's events",
            expr=f"group by (volume_id, event_type) ({where('aws_ebs_volume_status_event_info')})",
            title="AWS reports {{event_type}}",
            text="{{volume_id}}",
            colour="orange",
        ),
        Change(
            name="Attachments",
            expr=f"count by (instance_id) (time() - max by (volume_id, instance_id) ({started}) < 600)",
            title="Volumes came to {{instance_id}}",
            colour="blue",
            shown=False,
        ),
    )
