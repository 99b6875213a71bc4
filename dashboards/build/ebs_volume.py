"""
EBS volume and claim: one volume from every side. `ebs_volume_io` has the rows about operations, `ebs_volume_rest` those
about space, backups, logs and the instance.
"""

from __future__ import annotations

from dashboards.build import ebs_volume_io, ebs_volume_rest
from dashboards.build.alert_board import alerts, firing
from dashboards.build.ebs_volume_parts import (
    ATTACHED,
    OF_CLAIM,
    OF_INSTANCE,
    OF_VOLUME,
    V,
    of_claim,
)
from dashboards.build.links import INSTANCE_CONSOLE, VOLUME_CONSOLE
from dashboards.build.page import Change, Page, Variable
from dashboards.build.panels import PLACE_KEYS, Column, Key, Query, Row, Stat, State, Table
from dashboards.build.queries import where
from dashboards.build.thresholds import high, low, number
from dashboards.build.volumes import ID, SOMETIMES, STATUS, WHO, by_id, exceeded, joined, owner, status

_SAYS = (
    "One volume and the claim on it: is it well, is it at a limit, will it run out, is there a backup, and what was "
    "changed. Choose the claim or the volume above."
)

STALLED = number("AwsEbsVolumeStalledIO", "bad_minutes", of="ratio")
THROTTLED = number("AwsEbsVolumeThrottled", "now", of="ratio")
SOMETIMES_THROTTLED = number("AwsEbsVolumeThrottledSometimes", "share", of="ratio")


def page() -> Page:
    """The dashboard."""
    return Page(
        uid="ebs-volume",
        title="EBS volume and claim",
        says=_SAYS,
        variables=(
            Variable(name="namespace", title="Namespace", metric=where("volume:aws_ebs_owner:info")),
            Variable(
                name="persistentvolumeclaim", title="Claim", metric=where("volume:aws_ebs_owner:info", "namespace")
            ),
            Variable(
                name="volume_id",
                title="Volume",
                metric=where("volume:aws_ebs_owner:info", "namespace", "persistentvolumeclaim"),
                many=False,
            ),
            # Events and kubelet know the volume by this name only.
            Variable(
                name="persistentvolume",
                title="Persistent volume",
                metric=where("aws_ebs_volume_persistentvolumeclaim_info", V),
                many=False,
                hidden=True,
            ),
        ),
        rows=(
            Row(title="Is $volume_id well?", panels=(*_words(), _identity(), _alerts())),
            *ebs_volume_io.rows(),
            *ebs_volume_rest.rows(),
        ),
        changes=_changes(),
    )


def _words() -> tuple[Stat, ...]:
    return (
        Stat(
            title="AWS's check",
            says="What AWS's own status check says of the volume. Good is ok; impaired means that I/O may be stopped.",
            unit="none",
            queries=(Query(status(V)),),
            states=STATUS,
            width=3,
        ),
        Stat(
            title="I/O completes",
            says=(
                "Whether operations complete, over the last 20 minutes. Good is yes; no means that the workload hangs "
                "in I/O and the volume must be recovered."
            ),
            unit="none",
            queries=(Query(by_id(where("volume:aws_ebs_stalled_io:ratio20m", V))),),
            states=(
                State(0, "yes", "green"),
                State(SOMETIMES, "stalled briefly", "orange", upto=STALLED - 0.0001),
                State(STALLED, "no: stalled", "red", upto=1),
                State(None, "not told", "gray"),
            ),
            width=3,
        ),
        Stat(
            title="At its limit",
            says=(
                "Share of the last 20 minutes in which the workload asked for more operations or throughput than the "
                "volume may do. Good is never or a few percent."
            ),
            unit="percentunit",
            decimals=0,
            queries=(Query(exceeded(V)),),
            limit=high(warning=SOMETIMES_THROTTLED, critical=THROTTLED),
            states=(State(0, "never", "green"), State(None, "not told", "gray")),
            width=3,
        ),
        Stat(
            title="Utilisation",
            says=(
                "Operations or throughput now against what is provisioned, the higher of both. Good is below the "
                "orange; at 100 % the volume makes the workload wait."
            ),
            unit="percentunit",
            decimals=0,
            queries=(Query(by_id(where("volume:aws_ebs_utilization:max", V))),),
            limit=high(warning=number("AwsEbsVolumeSaturated", "utilization", of="ratio")),
            states=(State(None, "not told", "gray"),),
            spark=True,
            width=3,
        ),
        Stat(
            title="Latency",
            says="Mean time of an operation, the slower of reads and writes. Good for SSD is a few milliseconds.",
            unit="s",
            decimals=1,
            queries=(Query(by_id(where("volume:aws_ebs_latency:max", V))),),
            limit=high(warning=number("AwsEbsVolumeLatencyHigh", "latency", of="seconds")),
            states=(State(None, "no operations", "gray"),),
            spark=True,
            width=3,
        ),
        Stat(
            title="Burst balance",
            says="What is left in the burst bucket of a gp2, st1 or sc1 volume. Good is 100 %; other types have none.",
            unit="percentunit",
            decimals=0,
            queries=(Query(by_id(where("volume:aws_ebs_burst_balance:ratio", V))),),
            limit=low(warning=number("AwsEbsBurstBalanceLow", "level", of="ratio")),
            states=(State(None, "no bucket", "gray"),),
            empty="no bucket",
            width=3,
        ),
        Stat(
            title="Free in the claim",
            says=(
                "Free share of the file system on the claim, as kubelet sees it. Good is more than a quarter; the red "
                "number pages."
            ),
            unit="percentunit",
            decimals=0,
            queries=(Query(of_claim("claim:kubelet_available:ratio")),),
            limit=low(critical=number("StorageClaimFull", "free", of="ratio")),
            states=(State(None, "not told", "gray"),),
            empty="not told",
            width=3,
        ),
        Stat(
            title="Last backup",
            says="How long ago the newest backup or snapshot was made. Good is less than two days.",
            unit="s",
            decimals=1,
            queries=(Query(f"time() - {by_id(where('volume:aws_ebs_last_backup:timestamp', V))}"),),
            limit=high(warning=number("AwsEbsVolumeBackupTooOld", "max_age", of="seconds")),
            states=(State(None, "no backup", "orange"),),
            empty="no backup",
            width=3,
        ),
    )


def _identity() -> Table:
    # One row an attachment (io2 may have several), and one where there is none.
    attached = f"group by ({', '.join(ID)}, instance_id) ({ATTACHED})"
    types = f"group by (cluster, account_id, region, instance_id, instance_type) ({where('aws_ebs_instance_info')})"
    on_instance = "on (cluster, account_id, region, instance_id)"
    where_it_is = f"({attached} * {on_instance} group_left (instance_type) {types} or {on_instance} {attached})"
    known = f"group by ({', '.join((*WHO, *ID))}) ({owner(V)})"
    rows = f"({where_it_is} {joined(*WHO)} {known} or on ({', '.join(ID)}) {known})"
    rows = f'label_replace({rows}, "node", "$1", "node", "([^.]+)[.].*")'

    def column(name: str, family: str, unit: str, width: int, states: tuple[State, ...] = ()) -> Column:
        return Column(
            name=name, expr=f"{rows} {joined()} {by_id(where(family, V))}", unit=unit, states=states, width=width
        )

    return Table(
        title="Who it is",
        says=(
            "The claim on the volume, what uses it and where it is. A claim with several workloads shows none; a "
            "volume without a claim belongs to a node or to nobody."
        ),
        keys=(
            Key(label="persistentvolumeclaim", name="Claim", width=165),
            Key(label="namespace", name="Namespace", width=100),
            Key(label="workload", name="Workload", width=180),
            Key(label="node", name="Node", width=115),
            Key(label="availability_zone", name="Zone", width=120),
            Key(label="instance_id", name="Instance", links=(INSTANCE_CONSOLE,), width=170),
            Key(label="instance_type", name="Its type", width=90),
            Key(label="volume_id", name="Volume", links=(VOLUME_CONSOLE,), width=190),
            Key(label="volume_type", name="Type", width=45),
            *PLACE_KEYS,
        ),
        columns=(
            column("Size", "aws_ebs_volume_size_bytes", "bytes", 70),
            column(
                "Encr.",
                "aws_ebs_volume_encrypted",
                "none",
                65,
                (State(1, "yes", "green"), State(0, "no", "orange")),
            ),
            column(
                "State",
                "volume:aws_ebs_unattached:bool",
                "none",
                75,
                (State(0, "attached", "green"), State(1, "not attached", "orange")),
            ),
        ),
        empty="no such volume in the inventory",
        height=3,
    )


def _alerts() -> Table:
    return firing(
        "What fires for it",
        "Alerts of the volume, its claim and its instance, and for how long within the last day. Good is nothing; each leads to its runbook.",
        scopes=(OF_VOLUME, OF_CLAIM, OF_INSTANCE),
        height=5,
        empty="nothing fires for this volume, its claim or its instance",
    )


def _changes() -> tuple[Change, ...]:
    ended = f"max by (volume_id) ({where('aws_ebs_volume_modification_end_timestamp_seconds', V)})"
    lately = f"(time() - {ended} < 900)"
    completed = where("aws_ebs_volume_modification_info", V, also='state="completed"')
    by_state = "group by (volume_id, state, original_volume_type, target_volume_type)"
    started = where("aws_ebs_volume_attachment_start_timestamp_seconds", V)
    going_on = where("aws_ebs_volume_modification_info", V, also='state=~"modifying|optimizing|failed"')
    bad = alerts('severity=~"critical|warning"')
    pods = where("kubernetes_pod_persistentvolumeclaim_info", place=("cluster",))
    by = "cluster, namespace, persistentvolumeclaim, pod_name"
    new = f"group by ({by}) ({pods}) unless group by ({by}) ({pods} offset 10m)"
    # Where nothing was known ten minutes ago, everything would be new.
    known = f"and on (cluster) group by (cluster) ({pods} offset 10m)"
    return (
        Change(
            name="New pods on the claim",
            expr=f"{new} {known} {OF_CLAIM}",
            title="New pod {{namespace}}/{{pod_name}}",
            text="A rollout, a restart or a move to another node",
            colour="green",
        ),
        Change(
            name="Modifications",
            expr=f"{by_state} ({going_on}) or ({by_state} ({completed}) and on (volume_id) {lately})",
            title="Modification: {{state}}",
            text="{{volume_id}} from {{original_volume_type}} to {{target_volume_type}}",
            colour="purple",
        ),
        Change(
            name="Attachments",
            expr=f"time() - max by (volume_id, instance_id) ({started}) < 900",
            title="Attached to {{instance_id}}",
            text="{{volume_id}} came to this instance: its pod moved or the node is new",
            colour="blue",
        ),
        Change(
            name="AWS's events",
            expr=f"group by (volume_id, event_type) ({where('aws_ebs_volume_status_event_info', V)})",
            title="AWS reports {{event_type}}",
            text="{{volume_id}}",
            colour="orange",
        ),
        Change(
            name="Alerts",
            expr=f"max by (alertname, severity) ({bad} {OF_VOLUME})",
            title="{{alertname}} ({{severity}})",
            colour="red",
            shown=False,
        ),
    )
