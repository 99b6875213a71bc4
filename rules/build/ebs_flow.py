"""What volumes do, against what they are provisioned for: limits exceeded, operations, throughput, latency, and from where it is known."""

from __future__ import annotations

from collections.abc import Mapping

from rules.build import nvme
from rules.build.first import duration, first, identity_of, span
from rules.build.identity import VOLUME, listed
from rules.build.model import Record

_V = listed(VOLUME)
LIMITS = {"iops": ("iops_exceeded", "exceeded_iops"), "throughput": ("throughput_exceeded", "exceeded_tp")}
"""Limit to the ends of CloudWatch's family and of the driver's counter."""

LONG = duration(span("aws_ebs_volume_iops_exceeded"))
"""The longer window of the exceeded checks: the row's own span, so both sources are counted over the same time."""


def _recent(name: str) -> str:
    """
    The share of bad minutes of the last five, where they are known: a scrape shows the mean of a pass for as long as it
    stands. Of pushed minutes too few are there yet, and the longer window alone speaks.
    """
    identity, info = identity_of(name)
    kept = listed(identity)
    read = f"{name}[5m]"
    return (
        f"sum by ({kept}) (sum_over_time({read})) / (sum by ({kept}) (count_over_time({read})) >= 4)"
        f" and on ({kept}) {info}"
    )


def by_label(label: str, parts: Mapping[str, str]) -> str:
    """Expressions of one kind as one, told apart by *label*; without it the first would hide the others."""
    return "\nor\n".join(f'label_replace({expr}, "{label}", "{value}", "", "")' for value, expr in parts.items())


def volume_limits() -> list[Record]:
    """Shares of time in which a limit of the volume was exceeded, in a short and a long window, by ``limit``."""
    return [
        Record(
            name="volume:aws_ebs_limit_exceeded:ratio5m",
            expr=by_label(
                "limit",
                {
                    limit: nvme.first_of(
                        nvme.worst(f"aws_ebs_csi_{counter}_seconds_total"), _recent(f"aws_ebs_volume_{family}")
                    )
                    for limit, (family, counter) in LIMITS.items()
                },
            ),
        ),
        Record(
            name="volume:aws_ebs_limit_exceeded:ratio",
            expr=by_label(
                "limit",
                {
                    limit: nvme.first_of(
                        nvme.worst(f"aws_ebs_csi_{counter}_seconds_total", LONG), first(f"aws_ebs_volume_{family}")
                    )
                    for limit, (family, counter) in LIMITS.items()
                },
            ),
        ),
    ]


def instance_limits() -> Record:
    """Shares of time in which a limit of the instance was exceeded, by ``limit``. CloudWatch's rows are on request."""
    return Record(
        name="instance:aws_ebs_limit_exceeded:ratio",
        expr=by_label(
            "limit",
            {
                limit: nvme.first_of(
                    nvme.of_instance(f"max by (instance_id) (rate(aws_ebs_csi_ec2_{counter}_seconds_total[{LONG}]))"),
                    first(f"aws_ebs_instance_{family}"),
                )
                for limit, (family, counter) in LIMITS.items()
            },
        ),
    )


def flow() -> list[Record]:
    """Operations, bytes, latency and utilization of volumes."""
    return [
        Record(name="volume:aws_ebs_ops:per_second", expr=_both("ops", "ops_per_second")),
        Record(name="volume:aws_ebs_throughput:bytes_per_second", expr=_both("bytes", "bytes_per_second")),
        Record(
            name="volume:aws_ebs_iops_utilization:ratio",
            expr=f"volume:aws_ebs_ops:per_second / on ({_V}) (max by ({_V}) (aws_ebs_volume_provisioned_iops) > 0)",
        ),
        Record(
            name="volume:aws_ebs_throughput_utilization:ratio",
            expr=f"volume:aws_ebs_throughput:bytes_per_second / on ({_V}) "
            f"(max by ({_V}) (aws_ebs_volume_provisioned_throughput_bytes_per_second) > 0)",
        ),
        Record(
            name="volume:aws_ebs_utilization:max",
            expr=f"""
                max by ({_V}) (
                  label_replace(volume:aws_ebs_iops_utilization:ratio, "limit", "iops", "", "")
                  or label_replace(volume:aws_ebs_throughput_utilization:ratio, "limit", "throughput", "", "")
                )
            """,
        ),
        Record(
            name="volume:aws_ebs_latency:seconds",
            expr=by_label(
                "direction",
                {
                    direction: nvme.first_of(
                        nvme.mean(f"aws_ebs_csi_{direction}_seconds_total", f"aws_ebs_csi_{direction}_ops_total"),
                        first(f"aws_ebs_volume_{direction}_latency_seconds"),
                    )
                    for direction in ("read", "write")
                },
            ),
        ),
    ]


def source() -> Record:
    """From where the numbers of a volume come: ``source`` is nvme or cloudwatch."""
    scraped = nvme.of_volume("group by (volume_id) (rate(aws_ebs_csi_read_ops_total[5m]))")
    told = f"(group by ({_V}) (volume:aws_ebs_ops:per_second) unless {scraped})"
    return Record(name="volume:aws_ebs_source:info", expr=by_label("source", {"nvme": scraped, "cloudwatch": told}))


def _both(counter: str, family: str) -> str:
    """Reads and writes together; a volume on Xen tells only of what there was."""
    parts = by_label(
        "direction",
        {direction: first(f"aws_ebs_volume_{direction}_{family}") for direction in ("read", "write")},
    )
    counters = (f"aws_ebs_csi_{direction}_{counter}_total" for direction in ("read", "write"))
    return nvme.first_of(nvme.total(*counters), f"sum by ({_V}) ({parts})")
