"""EBS volume and claim: the instance under the volume, its limits and the volumes beside."""

from __future__ import annotations

from dashboards.build.ebs_volume_parts import OF_INSTANCE, of_instance
from dashboards.build.links import VOLUME_CONSOLE, to
from dashboards.build.panels import PLACE_KEYS, Column, Key, Query, Series, Table
from dashboards.build.queries import where
from dashboards.build.thresholds import high, number
from dashboards.build.volumes import ID, by_id, joined
from dashboards.build.volumes import rows as names

_BASELINE = "aws_ebs_instance_baseline_throughput_bytes_per_second"


def panels() -> tuple[Series | Table, ...]:
    """What its instance can do, and who else is on it."""

    def used(recording: str) -> str:
        ids = "cluster, account_id, region, volume_id, instance_id"
        there = f"group by ({ids}) ({where('aws_ebs_volume_attachment_info')} {OF_INSTANCE})"
        return f"sum by (instance_id) ({there} {joined()} {by_id(where(recording))})"

    def lately(family: str) -> str:
        return f"max by (instance_id) (last_over_time({where(family)}[27m]) {OF_INSTANCE})"

    operations = used("volume:aws_ebs_ops:per_second")
    throughput = used("volume:aws_ebs_throughput:bytes_per_second")
    exceeded = where("instance:aws_ebs_limit_exceeded:ratio")
    return (
        Series(
            title="Operations of all volumes of the instance",
            says=(
                "Operations over all attached volumes against what the instance can sustain and can reach for a while. "
                "Good is below the baseline: above it the instance spends its balance."
            ),
            unit="iops",
            queries=(
                Query(operations, "all volumes of {{instance_id}}", look="area"),
                Query(of_instance("aws_ebs_instance_baseline_iops"), "sustained", look="limit"),
                Query(of_instance("aws_ebs_instance_maximum_iops"), "reached for a while", look="limit"),
            ),
            width=8,
        ),
        Series(
            title="Throughput of all volumes of the instance",
            says=(
                "Bytes over all attached volumes against what the instance can sustain and can reach for a while. Good "
                "is below the baseline."
            ),
            unit="binBps",
            queries=(
                Query(throughput, "all volumes of {{instance_id}}", look="area"),
                Query(of_instance(_BASELINE), "sustained", look="limit"),
                Query(
                    of_instance("aws_ebs_instance_maximum_throughput_bytes_per_second"),
                    "reached for a while",
                    look="limit",
                ),
            ),
            width=8,
        ),
        Series(
            title="Is the instance the limit?",
            says=(
                "How much of what the instance can sustain its volumes use, how often it was the limit itself, and "
                "what is left of its balances (dotted). Good is below 100 % used, 0 % exceeded, full balances."
            ),
            unit="percentunit",
            queries=(
                Query(f"{operations} / {of_instance('aws_ebs_instance_baseline_iops')}", "operations used"),
                Query(f"{throughput} / {of_instance(_BASELINE)}", "bytes used"),
                Query(f"max by (instance_id, limit) ({exceeded} {OF_INSTANCE})", "{{limit}} exceeded"),
                Query(lately("aws_ebs_instance_io_balance_ratio"), "operations left", look="forecast"),
                Query(lately("aws_ebs_instance_byte_balance_ratio"), "bytes left", look="forecast"),
                Query(of_instance("instance:aws_ebs_attached_check_failed:ratio20m"), "volumes out of reach"),
            ),
            limit=high(warning=number("AwsEbsInstanceThrottled", "share", of="ratio")),
            least=0,
            width=8,
        ),
        _neighbours(),
    )


def _neighbours() -> Table:
    attached = f"{where('aws_ebs_volume_attachment_info')} {OF_INSTANCE}"
    labels = ("namespace", "persistentvolumeclaim", *ID)
    row = f"({names(*labels)} and on ({', '.join(ID)}) ({attached}))"

    def column(name: str, recording: str, unit: str) -> Column:
        return Column(name=name, expr=f"{row} {joined()} {by_id(where(recording))}", unit=unit, decimals=1)

    return Table(
        title="Neighbours on the instance",
        says=(
            "All volumes attached to the same instance: one that takes everything slows the others down. Good is no "
            "neighbour at its limit."
        ),
        keys=(
            Key(label="persistentvolumeclaim", name="Claim"),
            Key(label="namespace", name="Namespace"),
            Key(label="volume_id", name="Volume", links=(to("ebs-volume", "volume_id"), VOLUME_CONSOLE)),
            *PLACE_KEYS,
        ),
        columns=(
            column("Size", "aws_ebs_volume_size_bytes", "bytes"),
            column("Operations", "volume:aws_ebs_ops:per_second", "iops"),
            column("Throughput", "volume:aws_ebs_throughput:bytes_per_second", "binBps"),
            column("Utilisation", "volume:aws_ebs_utilization:max", "percentunit"),
        ),
        sort="-Operations",
        empty="not attached",
        height=7,
    )
