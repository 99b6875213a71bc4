"""Cases: volumes and nodes at their limits, from the driver's counters and from CloudWatch, and where both disagree."""

from __future__ import annotations

from dataclasses import replace

from rules.build.cases.ebs_world import (
    ATTACHED,
    INFO,
    INSTANCE,
    NODE,
    NODE_CONSOLE,
    NODE_EFS,
    NODE_INFO,
    NODE_NAME,
    NODE_PAGE,
    OWNED,
    OWNER,
    POD,
    USER,
    VOLUME,
    VOLUME_CONSOLE,
    VOLUME_PAGE,
    WORLD,
    driver,
    info,
)
from rules.build.cases.shapes import Case, S, Values, Variant, between, step

IOPS, THROUGHPUT = "aws_ebs_volume_iops_exceeded", "aws_ebs_volume_throughput_exceeded"
NVME = "exceeded_iops_seconds_total"
PROVISIONED = S("aws_ebs_volume_provisioned_iops", VOLUME, bad=12000, stays=True)
BANDWIDTH = S("aws_ebs_volume_provisioned_throughput_bytes_per_second", VOLUME, bad=500 * 1048576, stays=True)
CHANGED = S(
    "aws_ebs_volume_modification_start_timestamp_seconds", {**VOLUME, "state": "completed"}, bad=-3600, stays=True
)
_AWS = "aws ec2 modify-volume --region ap-southeast-3 --volume-id vol-0a1"
_SIX_HOURS = "After a change AWS refuses the next one for 6 hours."


def check(name: str, values: Values | float, good: Values | float | None = None) -> S:
    """A check of the volume: the share of bad minutes."""
    return S(name, VOLUME, bad=values, good=good)


def minutes(values: Values, until: int) -> Values:
    """*values*, of which those from minute *until* on have not been pushed yet."""
    return lambda minute: values(minute) if minute < until else None


def flow(**per_second: float) -> list[S]:
    """CloudWatch's rates of the volume, such as ``read_ops=10``."""
    return [S(f"aws_ebs_volume_{name}_per_second", VOLUME, bad=value) for name, value in per_second.items()]


_THROTTLED = Case(
    alert="AwsEbsVolumeThrottled",
    severity="critical",
    component="ebs",
    # 33 of 60 seconds each minute, against 28.
    series=[
        *WORLD,
        PROVISIONED,
        CHANGED,
        replace(driver(NVME, 33, start=20), good=driver(NVME, 28.2, start=20).bad),
    ],
    fires_at=29,
    among=False,  # the driver's counters know no cluster: a volume of that id elsewhere would be the same volume
    keeps=10,
    labels={**OWNER, "limit": "iops"},
    summary="Claim databases/data-postgres-0: throttled at its IOPS limit",
    description=f"{USER}, wants more IOPS than it has, 55% of the time; reads and writes wait. It is provisioned for "
    f"12000 IOPS. Raise it online, nothing restarts: {_AWS} --iops 24000 (gp2: --volume-type gp3 first). It was "
    "changed less than 6 hours ago; AWS allows the next change in 4h 31m 0s.",
    dashboard=VOLUME_PAGE,
    console=VOLUME_CONSOLE,
    variants={
        "all the time, by the driver: five minutes": Variant(
            fires=True, series=[driver(NVME, 60, start=20)], at=25
        ),
        "all the time, by the driver: four minutes": Variant(
            fires=False, series=[driver(NVME, 60, start=20)], at=24
        ),
        "for four minutes": Variant(fires=False, series=[driver(NVME, 60, 24, start=20)], at=25),
        "six minutes, ten minutes ago": Variant(fires=False, series=[driver(NVME, 60, 16, start=10)], at=36),
        "the driver says no, CloudWatch says yes": Variant(
            fires=False, series=[driver(NVME, 0), check(IOPS, 1)], at=30
        ),
        "the driver says yes, CloudWatch says no": Variant(
            fires=True, series=[driver(NVME, 60, start=20), check(IOPS, 0)], at=25
        ),
        "the driver's scrape has ended and CloudWatch says yes": Variant(
            fires=True,
            series=[
                replace(driver(NVME, 0), bad=lambda minute: 0 if minute < 2 else None),
                check(IOPS, step(20, 0, 1)),
            ],
            at=30,
        ),
        "by the driver of the worse of two nodes": Variant(
            fires=True, series=[driver(NVME, 60, start=20), driver(NVME, 0, instance="i-0b2")], at=25
        ),
        "each of two nodes for a third of the time": Variant(
            fires=False, series=[driver(NVME, 20), driver(NVME, 20, instance="i-0b2")], at=40
        ),
        "two scrapes of one driver are one": Variant(
            fires=False,
            series=[
                driver(NVME, 20, start=20),
                replace(driver(NVME, 20, start=20), labels={**driver(NVME, 20).labels, "job": "again"}),
            ],
            at=40,
        ),
        "throughput, by the driver": Variant(
            fires=True, series=[driver("exceeded_tp_seconds_total", 60, start=20)], drop=[f"aws_ebs_csi_{NVME}"],
            at=25, labels={"limit": "throughput"},
        ),
        "throughput, by the driver: four minutes": Variant(
            fires=False,
            series=[driver("exceeded_tp_seconds_total", 60, start=20)],
            drop=[f"aws_ebs_csi_{NVME}"],
            at=24,
        ),
        "the instance's limit is another alert's": Variant(
            fires=False, series=[driver("ec2_exceeded_iops_seconds_total", 60)], drop=[f"aws_ebs_csi_{NVME}"], at=40
        ),
    },
)  # fmt: skip

_BY_CLOUDWATCH = Case(
    alert="AwsEbsVolumeThrottled",
    severity="critical",
    component="ebs",
    # Asked every 900 s and scraped: the share of the pass's minutes stands until the next pass.
    series=[
        *WORLD,
        BANDWIDTH,
        check(THROUGHPUT, lambda minute: 0 if minute < 20 else 0.7 if minute < 35 else 1, good=between(20, 35, 0.45, 0.3)),
    ],
    fires_at=27,
    keeps=10,
    labels={**OWNER, "limit": "throughput"},
    summary="Claim databases/data-postgres-0: throttled at its throughput limit",
    description=f"{USER}, wants more throughput than it has, 70% of the time; reads and writes wait. It is provisioned "
    f"for 500 MiB/s. Raise it online, nothing restarts: {_AWS} --throughput 1000 (gp2: --volume-type gp3 first). "
    f"{_SIX_HOURS}",
    dashboard=VOLUME_PAGE,
    console=VOLUME_CONSOLE,
    variants={
        "asked every minute, bad for five": Variant(
            fires=True, series=[check(THROUGHPUT, step(20, 0, 1))], at=24
        ),
        "asked every minute, bad for four": Variant(
            fires=False, series=[check(THROUGHPUT, step(20, 0, 1))], at=23
        ),
        "asked every minute, bad for three": Variant(
            fires=False, series=[check(THROUGHPUT, between(20, 23, 1, 0))], at=24
        ),
        "five of 15 minutes, folded": Variant(fires=False, series=[check(THROUGHPUT, between(20, 35, 0.33, 0))], at=35),
        "pushed in a burst of 15: ten of the last 20 minutes": Variant(
            fires=True, series=[check(THROUGHPUT, minutes(step(18, 0, 1), 28))], at=30
        ),
        "pushed in a burst of 15: the same, a quarter of an hour old": Variant(
            fires=True, series=[check(THROUGHPUT, minutes(step(18, 0, 1), 28))], at=39
        ),
        "too seldom known for the short window, half of the time": Variant(
            fires=True, series=[check(THROUGHPUT, lambda minute: None if minute % 2 else 0.52)], at=30
        ),
        "too seldom known for the short window, less than half": Variant(
            fires=False, series=[check(THROUGHPUT, lambda minute: None if minute % 2 else 0.47)], at=30
        ),
        "the other limit": Variant(
            fires=True, series=[check(IOPS, step(20, 0, 1))], drop=[THROUGHPUT], at=24, labels={"limit": "iops"}
        ),
    },
)  # fmt: skip

_SOMETIMES = Case(
    alert="AwsEbsVolumeThrottledSometimes",
    severity="warning",
    component="ebs",
    step=5,
    series=[*WORLD, PROVISIONED, check(IOPS, 0.11, good=0.09)],
    fires_at=60,
    keeps=30,
    labels={**OWNER, "limit": "iops"},
    summary="Claim databases/data-postgres-0: throttled at its IOPS limit again and again",
    description=f"{USER}, wanted more IOPS than it has in 11% of the last 6 hours. It is provisioned for 12000 IOPS. "
    f"Averages hide it; users feel it. Raise it online, nothing restarts: {_AWS} --iops 24000 (gp2: --volume-type gp3 "
    f"first). {_SIX_HOURS}",
    dashboard=VOLUME_PAGE,
    console=VOLUME_CONSOLE,
    variants={
        "two bad hours, four hours ago": Variant(
            fires=True, series=[check(IOPS, between(0, 120, 0.4, 0))], at=360
        ),
        "one of them more than six hours ago": Variant(
            fires=False, series=[check(IOPS, between(0, 120, 0.4, 0))], at=465
        ),
        "known for half an hour": Variant(
            fires=False, series=[check(IOPS, step(60, None, 1))], at=115
        ),
    },
)  # fmt: skip

_SATURATED = Case(
    alert="AwsEbsVolumeSaturated",
    severity="warning",
    component="ebs",
    series=[
        *WORLD,
        PROVISIONED,
        S("aws_ebs_volume_read_ops_per_second", VOLUME, bad=6000, good=5500),
        S("aws_ebs_volume_write_ops_per_second", VOLUME, bad=5040),
    ],
    fires_at=29,
    keeps=15,
    labels=OWNER,
    summary="Claim databases/data-postgres-0: near what the volume is provisioned for",
    description=f"{USER}, has been at 92% of its IOPS or throughput for half an hour. AWS's exceeded checks are not "
    f"known of it, so it may be throttled already. Raise it online: {_AWS} --iops or --throughput, or --volume-type "
    f"gp3. {_SIX_HOURS}",
    dashboard=VOLUME_PAGE,
    console=VOLUME_CONSOLE,
    variants={
        "an exceeded check is known": Variant(fires=False, series=[check(THROUGHPUT, 0)]),
        "it has burst credits": Variant(fires=False, series=[S("aws_ebs_volume_burst_balance_ratio", VOLUME, bad=0.3)]),
        "its burst credits are gone": Variant(
            fires=True, series=[S("aws_ebs_volume_burst_balance_ratio", VOLUME, bad=0)]
        ),
        "only throughput is near": Variant(
            fires=True,
            series=[BANDWIDTH, *flow(read_ops=10, write_ops=0, read_bytes=4e8, write_bytes=8.5e7)],
        ),
        "only writes are known": Variant(
            fires=True,
            series=flow(write_ops=11040), drop=["aws_ebs_volume_read_ops_per_second"],
        ),
        "the driver says less": Variant(
            fires=False, series=[driver("read_ops_total", 60), driver("write_ops_total", 60)]
        ),
        "it was provisioned for more before": Variant(
            fires=True, series=[replace(PROVISIONED, bad=step(15, 24000, 12000))], at=48
        ),
        "it was provisioned for more for a minute": Variant(
            fires=False, series=[replace(PROVISIONED, bad=between(35, 36, 24000, 12000))], at=60
        ),
        "nothing is known of what is provisioned": Variant(fires=False, drop=[PROVISIONED.name]),
    },
)  # fmt: skip

_LATENCY = "aws_ebs_volume_write_latency_seconds"
_SLOW = Case(
    alert="AwsEbsVolumeLatencyHigh",
    severity="warning",
    component="ebs",
    series=[
        *WORLD,
        *flow(read_ops=3.5, write_ops=7),
        S("aws_ebs_volume_read_latency_seconds", VOLUME, bad=0.001),
        S(_LATENCY, VOLUME, bad=0.0212, good=0.0188),
    ],
    fires_at=44,
    keeps=15,
    labels=OWNER,
    summary="Claim databases/data-postgres-0: reads or writes are slow",
    description=f"{USER}, takes 21ms for a read or a write, for 45 minutes now; SSD volumes take less than 5ms. Look first whether the "
    "volume or its node is throttled, then whether AWS reports it degraded: aws ec2 describe-volume-status --region "
    "ap-southeast-3 --volume-ids vol-0a1.",
    dashboard=VOLUME_PAGE,
    console=VOLUME_CONSOLE,
    variants={
        "hardly used": Variant(fires=False, series=flow(write_ops=6)),
        "a hard disk": Variant(fires=False, series=[info("st1")]),
        "gp2": Variant(fires=True, series=[info("gp2")]),
        "one slow minute in a pass": Variant(fires=False, series=[S(_LATENCY, VOLUME, bad=between(0, 15, 0.05, 0.001))]),
        "slow for 45 minutes, quick before": Variant(fires=True, series=[S(_LATENCY, VOLUME, bad=step(15, 0.001, 0.05))], at=62),
        "quick for some minutes, half an hour ago": Variant(
            fires=False, series=[S(_LATENCY, VOLUME, bad=between(40, 65, 0.001, 0.05))], at=90
        ),
        "reads are slow": Variant(
            fires=True, series=[S("aws_ebs_volume_read_latency_seconds", VOLUME, bad=0.03)], drop=[_LATENCY]
        ),
        "the driver says quick": Variant(
            fires=False,
            series=[
                *(driver(f"{way}_{what}", much) for way in ("read", "write") for what, much in
                  (("ops_total", 1000), ("seconds_total", 10))),
            ],
        ),
        "the driver says slow, CloudWatch nothing": Variant(
            fires=True,
            series=[
                *(driver(f"{way}_{what}", much) for way in ("read", "write") for what, much in
                  (("ops_total", 1000), ("seconds_total", 22))),
            ],
            drop=[_LATENCY, "aws_ebs_volume_read_latency_seconds", "aws_ebs_volume_read_ops_per_second",
                  "aws_ebs_volume_write_ops_per_second"],
            at=47,
        ),
    },
)  # fmt: skip

_CHECKED = "aws_ebs_instance_iops_exceeded"
_NODE = Case(
    alert="AwsEbsInstanceThrottled",
    severity="warning",
    component="ebs",
    series=[NODE_INFO, NODE_NAME, NODE_EFS, INFO, S(_CHECKED, INSTANCE, bad=0.32, good=0.28)],
    fires_at=14,
    keeps=15,
    labels={**NODE, "limit": "iops"},
    summary="Node node-a1: throttled at the IOPS its instance type allows on EBS",
    description="i-0a1 wanted more EBS IOPS than its type allows in 32% of the last 19 minutes. All of its volumes "
    "wait; a bigger volume does not help. Move one busy pod to another node, then take a larger instance type.",
    dashboard=NODE_PAGE,
    console=NODE_CONSOLE,
    variants={
        "throughput, on request": Variant(
            fires=True,
            series=[S("aws_ebs_instance_throughput_exceeded", INSTANCE, bad=0.32)],
            drop=[_CHECKED],
            labels={"limit": "throughput"},
        ),
        "by the driver, of one of its volumes": Variant(
            fires=True,
            series=[driver("ec2_exceeded_iops_seconds_total", 20), driver("ec2_exceeded_tp_seconds_total", 1)],
            drop=[_CHECKED],
            at=35,
        ),
        "throughput, by the driver": Variant(
            fires=True,
            series=[driver("ec2_exceeded_tp_seconds_total", 20)],
            drop=[_CHECKED],
            at=35,
            labels={"limit": "throughput"},
        ),
        "the driver says no": Variant(fires=False, series=[driver("ec2_exceeded_iops_seconds_total", 0)], at=25),
        "the driver says seldom": Variant(
            fires=False, series=[driver("ec2_exceeded_iops_seconds_total", 15)], drop=[_CHECKED], at=35
        ),
        "the volume's own limit is another alert's": Variant(
            fires=False, series=[driver(NVME, 60)], drop=[_CHECKED], at=25
        ),
    },
)

_HOUR = 60


def _growing(name: str, at_first: float, an_hour: float, good: float) -> S:
    """A rate that grows by so much an hour."""
    return S(
        name, VOLUME,
        bad=lambda minute: round(at_first + an_hour * minute / _HOUR, 6),
        good=lambda minute: round(at_first + good * minute / _HOUR, 6),
    )  # fmt: skip


_FORECAST = Case(
    alert="AwsEbsVolumeSaturationForecast",
    severity="info",
    component="ebs",
    step=6 * _HOUR,
    series=[
        INFO, OWNED, POD, ATTACHED, PROVISIONED,
        S("aws_ebs_volume_read_ops_per_second", VOLUME, bad=3600),
        _growing("aws_ebs_volume_write_ops_per_second", 3600, 8.95, 7.9),
    ],
    fires_at=72 * _HOUR,
    labels=OWNER,
    summary="Claim databases/data-postgres-0: will outgrow what the volume is provisioned for",
    description=f"{USER}, will be at 90% of its IOPS or throughput in the busy hours two weeks from now, if it grows "
    f"as in the last 7 days. Plan a larger one: {_AWS}, online.",
    dashboard=VOLUME_PAGE,
    console=VOLUME_CONSOLE,
    variants={
        "from little": Variant(
            fires=False, series=[_growing("aws_ebs_volume_write_ops_per_second", 2500, 12, 0)]
        ),
        "from little, later": Variant(
            fires=True, series=[_growing("aws_ebs_volume_write_ops_per_second", 2500, 14, 0)], at=102 * _HOUR
        ),
        "it grew eight days ago": Variant(
            fires=False,
            series=[S("aws_ebs_volume_write_ops_per_second", VOLUME,
                      bad=lambda minute: 3600 + 20 * min(minute / _HOUR, 48))],
            at=228 * _HOUR,
        ),
        "it has burst credits": Variant(fires=False, series=[S("aws_ebs_volume_burst_balance_ratio", VOLUME, bad=0.3)]),
    },
)  # fmt: skip

CASES = [_THROTTLED, _BY_CLOUDWATCH, _SOMETIMES, _SATURATED, _SLOW, _NODE, _FORECAST]
