"""Volumes and nodes at their limits: throttled, saturated, slow, and where the load grows to."""

from __future__ import annotations

from rules.build import words
from rules.build.ebs_flow import flow, instance_limits, source, volume_limits
from rules.build.ebs_words import (
    AWS_VOLUME,
    COOLDOWN,
    NODE,
    NODE_DASHBOARD,
    PROVISIONED,
    RAISE,
    Rules,
    lasted,
    owned_instance,
)
from rules.build.identity import INSTANCE, VOLUME, listed
from rules.build.model import Alert, Group, Record, Threshold
from rules.build.owners import owned_volume

_V = listed(VOLUME)
_I = listed(INSTANCE)
_VL = f"{_V}, limit"
_LIMIT = '{{ if eq $labels.limit "iops" }}IOPS{{ else }}throughput{{ end }}'
_SHORT, _LONG = "volume:aws_ebs_limit_exceeded:ratio5m", "volume:aws_ebs_limit_exceeded:ratio"
_FORECAST = "volume:aws_ebs_utilization:p95_6h"

_THROTTLED: Rules = (
    *volume_limits(),
    Alert(
        name="AwsEbsVolumeThrottled",
        severity="critical",
        component="ebs",
        # Two windows: it is so now, and it was not only a moment. What is pushed in bursts has the long window alone.
        expr=owned_volume(f"round({_SHORT}, 0.01) >= $now and {_LONG} >= $lately or round({_LONG}, 0.01) >= $mostly"),
        thresholds={
            "now": Threshold(0.5, "ratio", "share of the last 5 minutes in which the limit was exceeded"),
            "lately": Threshold(0.25, "ratio", "and of the last 19 minutes (5 minutes)"),
            "mostly": Threshold(0.5, "ratio", "or this share of the last 19 minutes, however the last 5 were"),
        },
        keep="10m",
        summary=f"{words.VOLUME}: throttled at its {_LIMIT} limit",
        description=f"""
            {words.VOLUME_USER}, wants more {_LIMIT} than it has, {{{{ humanizePercentage $value }}}} of the time;
            reads and writes wait.{PROVISIONED} {RAISE}{COOLDOWN}
        """,
        dashboard=words.VOLUME_DASHBOARD,
        console=words.VOLUME_CONSOLE,
    ),
    Alert(
        name="AwsEbsVolumeThrottledSometimes",
        severity="warning",
        component="ebs",
        expr=owned_volume(f"round(avg_over_time({_LONG}[6h]), 0.01) >= $share and {_LONG} offset 1h"),
        thresholds={"share": Threshold(0.1, "ratio", "share of the last 6 hours in which the limit was exceeded")},
        keep="30m",
        summary=f"{words.VOLUME}: throttled at its {_LIMIT} limit again and again",
        description=f"""
            {words.VOLUME_USER}, wanted more {_LIMIT} than it has in {{{{ humanizePercentage $value }}}} of the last
            6 hours.{PROVISIONED} Averages hide it; users feel it. {RAISE}{COOLDOWN}
        """,
        dashboard=words.VOLUME_DASHBOARD,
        console=words.VOLUME_CONSOLE,
    ),
)

_FLOW: Rules = (
    *flow(),
    source(),
    Record(name="volume:aws_ebs_latency:max", expr=f"max by ({_V}) (volume:aws_ebs_latency:seconds)"),
    Alert(
        name="AwsEbsVolumeSaturated",
        severity="warning",
        component="ebs",
        expr=owned_volume(
            f"{lasted('volume:aws_ebs_utilization:max', '>= $utilization', 30)} unless on ({_V}) {_LONG} "
            f"unless on ({_V}) volume:aws_ebs_burst_balance:ratio > 0"
        ),
        thresholds={"utilization": Threshold(0.9, "ratio", "operations or throughput against what is provisioned")},
        keep="15m",
        summary=f"{words.VOLUME}: near what the volume is provisioned for",
        description=f"""
            {words.VOLUME_USER}, has been at {{{{ humanizePercentage $value }}}} of its IOPS or throughput for half an
            hour. AWS's exceeded checks are not known of it, so it may be throttled already. Raise it online: aws ec2
            modify-volume {AWS_VOLUME} --iops or --throughput, or --volume-type gp3.{COOLDOWN}
        """,
        dashboard=words.VOLUME_DASHBOARD,
        console=words.VOLUME_CONSOLE,
    ),
    Alert(
        name="AwsEbsVolumeLatencyHigh",
        severity="warning",
        component="ebs",
        expr=owned_volume(
            f"{lasted('volume:aws_ebs_latency:max', '>= $latency', 45, nearest='0.001')} "
            f"and volume:aws_ebs_ops:per_second >= $ops "
            f'unless on ({_V}) aws_ebs_volume_info{{volume_type=~"st1|sc1|standard"}}'
        ),
        thresholds={
            "latency": Threshold(0.02, "seconds", "that a read or a write takes, for 45 minutes without a pause"),
            "ops": Threshold(10, "iops", "below so many operations a second the mean says nothing"),
        },
        keep="15m",
        summary=f"{words.VOLUME}: reads or writes are slow",
        description=f"""
            {words.VOLUME_USER}, takes {{{{ humanizeDuration $value }}}} for a read or a write, for 45 minutes now; SSD
            volumes take less than 5ms. Look first whether the volume or its node is throttled, then whether AWS reports it degraded:
            aws ec2 describe-volume-status --region {{{{ $labels.region }}}} --volume-ids {{{{ $labels.volume_id }}}}.
        """,
        dashboard=words.VOLUME_DASHBOARD,
        console=words.VOLUME_CONSOLE,
    ),
)

_INSTANCES: Rules = (
    instance_limits(),
    Alert(
        name="AwsEbsInstanceThrottled",
        severity="warning",
        component="ebs",
        expr=owned_instance(lasted("instance:aws_ebs_limit_exceeded:ratio", ">= $share", 15)),
        thresholds={"share": Threshold(0.3, "ratio", "share of the last 19 minutes in which the limit was exceeded")},
        keep="15m",
        summary=f"{NODE}: throttled at the {_LIMIT} its instance type allows on EBS",
        description="""
            {{ $labels.instance_id }} wanted more EBS {{ if eq $labels.limit "iops" }}IOPS{{ else
            }}throughput{{ end }} than its type allows in {{ humanizePercentage $value }} of the last 19 minutes. All of
            its volumes wait; a bigger volume does not help. Move one busy pod to another node, then take a larger
            instance type.
        """,
        dashboard=NODE_DASHBOARD,
        console=words.INSTANCE_CONSOLE,
    ),
)

_GROWING: Rules = (
    Record(name=_FORECAST, expr="quantile_over_time(0.95, volume:aws_ebs_utilization:max[6h])"),
    Alert(
        name="AwsEbsVolumeSaturationForecast",
        severity="info",
        component="ebs",
        # The offset: three days of history at least.
        expr=owned_volume(
            f"round(predict_linear({_FORECAST}[7d], 1209600), 0.01) >= $forecast and "
            f"{_FORECAST} >= $level and {_FORECAST} offset 3d "
            f"unless on ({_V}) volume:aws_ebs_burst_balance:ratio > 0"
        ),
        thresholds={
            "forecast": Threshold(0.9, "ratio", "utilization of the busy hours in 14 days, as the last 7 days go"),
            "level": Threshold(0.6, "ratio", "and it is at least so high now"),
        },
        summary=f"{words.VOLUME}: will outgrow what the volume is provisioned for",
        description=f"""
            {words.VOLUME_USER}, will be at {{{{ humanizePercentage $value }}}} of its IOPS or throughput in the busy
            hours two weeks from now, if it grows as in the last 7 days. Plan a larger one: aws ec2 modify-volume
            {AWS_VOLUME}, online.
        """,
        dashboard=words.VOLUME_DASHBOARD,
        console=words.VOLUME_CONSOLE,
    ),
)

GROUPS = (
    Group(topic="throttled", rules=_THROTTLED),
    Group(topic="flow", rules=_FLOW),
    Group(topic="instances", rules=_INSTANCES),
    Group(topic="forecast", rules=_GROWING, interval="5m"),
)
