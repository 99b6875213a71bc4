"""EBS fleet: attachments, the instances' limits, and the health of the CSI driver."""

from __future__ import annotations

from dashboards.build.links import INSTANCE_CONSOLE, VOLUME_CONSOLE, to
from dashboards.build.panels import PLACE_KEYS, Bars, Column, Key, Logs, Query, Row, Series, Stat, State, Table
from dashboards.build.queries import where
from dashboards.build.thresholds import high, number
from dashboards.build.volumes import by_id, joined, of_row

_CLUSTER = ("cluster",)
_EBS = 'csi_driver="ebs.csi.aws.com"'
_BASELINE = "aws_ebs_instance_baseline_throughput_bytes_per_second"
_VOLUME = to("ebs-volume", "volume_id", title="Open the volume")


def rows() -> tuple[Row, ...]:
    """The rows in reading order."""
    return (
        Row(title="Attachments and the CSI driver", panels=(*_driver(), _waiting(), _errors(), _lines())),
        Row(title="Instances", panels=(_instances(), _limits()), folded=True),
    )


def _driver() -> tuple[Stat | Series, ...]:
    pods = where("kubernetes_csi_driver_pods", place=_CLUSTER, also=_EBS)
    ready = where("kubernetes_csi_driver_ready_pods", place=_CLUSTER, also=_EBS)
    by_part = "max by (cluster, component, version)"
    missing = where("node:kubernetes_csi_driver_missing:timestamp_seconds", place=_CLUSTER, also=_EBS)
    down = where("driver:kubernetes_csi_controller_down:timestamp_seconds", place=_CLUSTER, also=_EBS)
    unready = where("driver:kubernetes_csi_unready_pods:count", place=_CLUSTER, also=_EBS)
    return (
        Stat(
            title="Driver's controller",
            says="Whether a pod of the controller is ready: without it nothing is attached, made or resized.",
            unit="none",
            queries=(Query(f"count({down}) or 0 * count({pods})"),),
            states=(State(0, "ready", "green"), State(1, "down", "red", upto=99), State(None, "not known", "gray")),
            empty="not known",
            height=8,
            width=3,
        ),
        Stat(
            title="Pods not ready",
            says="Pods of the driver's controller and nodes that are not ready. Good is none.",
            unit="none",
            queries=(Query(f"sum({unready})"),),
            limit=high(warning=1),
            states=(State(0, "none", "green"),),
            empty="not known",
            height=8,
            width=3,
        ),
        Stat(
            title="Nodes without",
            says="Ready nodes on which the driver has not registered: their pods get no volume. Good is none.",
            unit="none",
            queries=(Query(f"count({missing}) or 0 * count({pods})"),),
            limit=high(critical=1),
            states=(State(0, "none", "green"),),
            empty="not known",
            height=8,
            width=3,
        ),
        Series(
            title="Driver's pods",
            says="Ready pods of the driver by part and version against all. Good is that both lines of a part meet.",
            unit="none",
            queries=(
                Query(f"sum by (component) ({by_part} ({ready}))", "{{component}} ready"),
                Query(f"sum by (component) ({by_part} ({pods}))", "{{component}} wanted", look="limit"),
            ),
            least=0,
            width=15,
        ),
    )


def _waiting() -> Table:
    return Table(
        title="Attaching or detaching for long",
        says=(
            "Volumes that are between two states, and for how long. Good is nothing or seconds; after ten minutes "
            "somebody is paged."
        ),
        keys=(
            Key(label="persistentvolumeclaim", name="Claim", links=(_VOLUME,), width=180),
            Key(label="namespace", name="Namespace", width=95),
            Key(label="node", name="Node", width=110),
            Key(label="volume_id", name="Volume", links=(_VOLUME, VOLUME_CONSOLE), width=185),
            Key(label="workload"),
            Key(label="availability_zone"),
            Key(label="volume_type"),
            *PLACE_KEYS,
        ),
        columns=(
            Column(
                name="For",
                expr=of_row(where("volume:storage_attachment_unfinished:seconds")),
                unit="s",
                decimals=0,
                limit=high(
                    warning=number("StorageAttachmentSlow", "seconds", of="seconds"),
                    critical=number("StorageAttachmentStuck", "seconds", of="seconds"),
                ),
            ),
        ),
        sort="-For",
        empty="no volume is being attached or detached",
        width=12,
        height=7,
    )


def _errors() -> Table:
    keys = ("node", "operation", "persistentvolume", "reason", "volume_id")
    failed = where("kubernetes_volumeattachment_error_timestamp_seconds", place=_CLUSTER)
    return Table(
        title="What Kubernetes could not attach or detach",
        says="The last error of each attachment that has not succeeded since, with AWS's reason. Good is nothing.",
        keys=(
            Key(label="volume_id", name="Volume", links=(_VOLUME,), width=185),
            Key(label="node", name="Node", width=120),
            Key(label="operation", name="Operation", width=80),
            Key(label="reason", name="Reason", width=180),
            Key(label="persistentvolume"),
        ),
        columns=(
            Column(
                name="Failed",
                expr=f"1000 * max by ({', '.join(keys)}) ({failed})",
                unit="dateTimeFromNow",
                width=110,
            ),
        ),
        empty="no attachment fails",
        width=12,
        height=7,
    )


def _lines() -> Logs:
    return Logs(
        title="Errors of the EBS CSI driver",
        says="Error and warning lines of the driver's controller and node pods. Good is silence.",
        expr=(
            '{namespace="kube-system", container="ebs-plugin"} |~ `^[EW][0-9]{4} |Could not|api error|level=error` '
            "!= `code = Aborted`"
        ),
        height=8,
    )


def _instances() -> Table:
    keys = ("account_id", "availability_zone", "cluster", "instance_id", "instance_type", "node", "region")
    on = "* on (cluster, account_id, region, instance_id) group_left ()"
    row = f"group by ({', '.join(keys)}) ({where('instance:aws_ebs_owner:info')})"
    row = f'label_replace({row}, "node", "$1", "node", "([^.]+)[.].*")'
    by = "max by (cluster, account_id, region, instance_id)"
    volumes = (
        "count by (cluster, account_id, region, instance_id) (group by (cluster, account_id, region, instance_id, "
        f"volume_id) ({where('aws_ebs_volume_attachment_info')}))"
    )

    def column(name: str, expr: str, width: int, unit: str = "none") -> Column:
        return Column(name=name, expr=f"{row} {on} ({expr})", unit=unit, decimals=0, width=width)

    used = f"{volumes} / {by} ({where('aws_ebs_instance_attachment_limit')})"
    return Table(
        title="Instances",
        says=(
            "Instances that hold volumes: volumes attached, volumes that may be, and what the instance can sustain on "
            "EBS (IOPS, bytes a second). Good is free slots on every node; without one its next pod with a volume waits."
        ),
        keys=(
            Key(label="node", name="Node", width=120),
            Key(label="instance_id", name="Instance", links=(INSTANCE_CONSOLE,), width=165),
            Key(label="instance_type", name="Type", width=95),
            Key(label="availability_zone"),
            *PLACE_KEYS,
        ),
        columns=(
            column("Volumes", volumes, 70),
            column("May hold", f"{by} ({where('aws_ebs_instance_attachment_limit')})", 75),
            column("Slots used", used, 80, "percentunit"),
            column("IOPS", f"{by} ({where('aws_ebs_instance_baseline_iops')})", 85, "iops"),
            column(
                "Bytes",
                f"{by} ({where(_BASELINE)})",
                95,
                "binBps",
            ),
            Column(
                name="At limit",
                expr=f"{row} {on} {by} ({where('instance:aws_ebs_limit_exceeded:ratio')})",
                unit="percentunit",
                decimals=0,
                limit=high(warning=number("AwsEbsInstanceThrottled", "share", of="ratio")),
                width=70,
            ),
        ),
        sort="-Slots used",
        empty="no instance with volumes",
        width=16,
        height=9,
    )


def _limits() -> Bars:
    by = "cluster, account_id, region, instance_id"
    attached = f"group by ({by}, volume_id) ({where('aws_ebs_volume_attachment_info')})"

    def share(recording: str, baseline: str) -> str:
        used = f"sum by ({by}) ({attached} {joined()} {by_id(where(recording))})"
        return f"{used} / max by ({by}) ({where(baseline)})"

    operations = share("volume:aws_ebs_ops:per_second", "aws_ebs_instance_baseline_iops")
    throughput = share("volume:aws_ebs_throughput:bytes_per_second", _BASELINE)
    both = f'label_replace({operations}, "of", "IOPS", "", "") or label_replace({throughput}, "of", "bytes", "", "")'
    return Bars(
        title="Instances against their own EBS limits",
        says=(
            "The ten largest shares of what an instance can sustain on EBS, over all its volumes. Good is below 100 %: "
            "above it the instance slows all its volumes as soon as its balance is spent."
        ),
        unit="percentunit",
        decimals=0,
        queries=(Query(f"sort_desc(topk(10, max by (instance_id, of) ({both})))", "{{instance_id}} {{of}}"),),
        most=1,
        width=8,
        height=9,
    )
