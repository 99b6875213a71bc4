"""What the recordings about volumes say that no alert pins down: their sources, their spans, what they are bound to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rules.build.cases.ebs_limits import BANDWIDTH, PROVISIONED, THROUGHPUT, check, flow, minutes
from rules.build.cases.ebs_world import INFO, INSTANCE, NODE_INFO, VOLUME, driver
from rules.build.cases.shapes import Reading, S, flat, step
from rules.build.cases.twins import TWIN

_ID = 'account_id="123456789012", cluster="production", region="ap-southeast-3", volume_id="vol-0a1"'
_BOTH = [
    INFO,
    PROVISIONED,
    BANDWIDTH,
    driver("read_ops_total", 120_000),
    driver("write_ops_total", 60_000),
    driver("read_bytes_total", 6e9),
    driver("write_bytes_total", 3e9),
    driver("read_seconds_total", 240),
    driver("write_seconds_total", 90),
    *flow(read_ops=7, write_ops=7, read_bytes=7, write_bytes=7),
    S("aws_ebs_volume_read_latency_seconds", VOLUME, bad=7),
]
_CLOUDWATCH = [
    INFO,
    S("aws_ebs_volume_read_ops_per_second", VOLUME, bad=lambda minute: 13 if minute % 2 else 2),
    S("aws_ebs_volume_read_bytes_per_second", VOLUME, bad=lambda minute: 76 if minute % 2 else 65),
    *flow(write_ops=8, write_bytes=80),
    S("aws_ebs_volume_read_latency_seconds", VOLUME, bad=lambda minute: 0.004 if minute == 3 else 0.002),
    S("aws_ebs_volume_write_latency_seconds", VOLUME, bad=0.005),
]
_HALTED = [
    INFO,
    driver("read_ops_total", 120_000, 8),
    driver("write_ops_total", 60_000, 8),
    driver("read_bytes_total", 6e9, 8),
    driver("write_bytes_total", 3e9, 8),
]
_QUICKER = [
    INFO,
    driver("read_ops_total", 120_000),
    driver("read_seconds_total", 240, 8),
    driver("write_ops_total", 60_000),
    driver("write_seconds_total", 90, 8),
]
_COUNTERS = ("read_ops", "write_ops", "read_bytes", "write_bytes", "read_seconds", "write_seconds")
_ELSEWHERE = [
    replace(each, labels={**each.labels, "volume_id": "vol-0z9"})
    for each in (
        *(driver(f"{name}_total", 60) for name in _COUNTERS),
        driver("exceeded_iops_seconds_total", 1),
        driver("exceeded_tp_seconds_total", 1),
    )
]
_FIRST = {
    "volume:aws_ebs_ops:per_second": [*flow(read_ops=7, write_ops=8)],
    "volume:aws_ebs_throughput:bytes_per_second": [*flow(read_bytes=7, write_bytes=8)],
    "volume:aws_ebs_latency:seconds": [
        S(f"aws_ebs_volume_{way}_latency_seconds", VOLUME, bad=0.01) for way in ("read", "write")
    ],
    "volume:aws_ebs_limit_exceeded:ratio": [
        S(f"aws_ebs_volume_{limit}_exceeded", VOLUME, bad=0.5) for limit in ("iops", "throughput")
    ],
    "volume:aws_ebs_burst_balance:ratio": [S("aws_ebs_volume_burst_balance_ratio", VOLUME, bad=0.5)],
    "instance:aws_ebs_limit_exceeded:ratio": [
        S(f"aws_ebs_instance_{limit}_exceeded", INSTANCE, bad=0.5) for limit in ("iops", "throughput")
    ],
}
"""First recordings and what they read of CloudWatch; all of these rows are asked every 900 s."""
_BOUND = {
    **_FIRST,
    "volume:aws_ebs_limit_exceeded:ratio5m": _FIRST["volume:aws_ebs_limit_exceeded:ratio"],
    "volume:aws_ebs_stalled_io:ratio20m": [S("aws_ebs_volume_stalled_io", VOLUME, bad=1)],
    "instance:aws_ebs_attached_check_failed:ratio20m": [
        S("aws_ebs_instance_attached_ebs_check_failed", INSTANCE, bad=1)
    ],
}


def _until(series: Sequence[S], minute: int) -> list[S]:
    """Nothing comes from the minute on."""
    return [replace(each, bad=minutes(flat(float(each.bad)), minute)) for each in series if not callable(each.bad)]


def _pausing(way: str) -> S:
    """Operations complete each minute but from minute 20 to 23."""
    return replace(
        driver(f"{way}_ops_total", 0), bad=lambda minute: float(minute if minute < 20 else max(20, minute - 3))
    )


def _inventory(series: Sequence[S]) -> S:
    """What says that the resource of the series lives."""
    return INFO if "volume_id" in series[0].labels else NODE_INFO


_PUSHED = [INFO, check(THROUGHPUT, minutes(step(21, 0, 1), 28))]


def _reading(source: str, series: list[S], name: str, value: float, label: str = "", at: int = 10) -> Reading:
    """A recording has the value, but for what floating point loses; no series but this one."""
    labels = ", ".join(sorted([*_ID.split(", "), *([label] if label else [])]))
    selector = f"{name}{{{label}}}" if label else name
    return Reading(
        name=f"{selector} comes from {source}",
        series=series,
        expr=f"abs({selector} - {value!r}) < bool {value * 1e-6!r}",
        at=at,
        samples={f"{{{labels}}}": 1},
    )


READINGS = [
    *(
        _reading("the driver", _BOTH, f"volume:aws_ebs_{name}", value, label)
        for name, value, label in (
            ("ops:per_second", 3000, ""),
            ("throughput:bytes_per_second", 1.5e8, ""),
            ("iops_utilization:ratio", 0.25, ""),
            ("throughput_utilization:ratio", 1.5e8 / 524288000, ""),
            ("utilization:max", 1.5e8 / 524288000, ""),
            ("latency:seconds", 0.002, 'direction="read"'),
            ("latency:seconds", 0.0015, 'direction="write"'),
            ("latency:max", 0.002, ""),
            ("source:info", 1, 'source="nvme"'),
        )
    ),
    *(
        _reading("CloudWatch", _CLOUDWATCH, f"volume:aws_ebs_{name}", value, label)
        for name, value, label in (
            ("ops:per_second", 15, ""),
            ("throughput:bytes_per_second", 150, ""),
            ("latency:seconds", 0.004, 'direction="read"'),
            ("latency:seconds", 0.005, 'direction="write"'),
            ("latency:max", 0.005, ""),
            ("source:info", 1, 'source="cloudwatch"'),
        )
    ),
    *(
        _reading("the driver, which counted no more for two of five minutes", _HALTED, f"volume:aws_ebs_{name}", value)
        for name, value in (
            ("ops:per_second", 1800),
            ("throughput:bytes_per_second", 0.9e8),
        )
    ),
    *(
        _reading(
            "the driver, in its window",
            [INFO, driver(f"{counter}_seconds_total", 60, at - 2), driver(f"{counter}_seconds_total", 15, instance="i-b")],
            f"volume:aws_ebs_limit_exceeded:{window}",
            value,
            f'limit="{limit}"',
            at,
        )
        for limit, counter in (("iops", "exceeded_iops"), ("throughput", "exceeded_tp"))
        for window, value, at in (("ratio5m", 0.6, 10), ("ratio", 17 / 19, 30))
    ),
    Reading(
        name="three minutes in which the driver saw operations wait and none complete count for twenty",
        series=[INFO, replace(driver("volume_queue_length", 0), bad=4), *(_pausing(way) for way in ("read", "write"))],
        expr="volume:aws_ebs_stalled_io:ratio20m",
        at=40,
        samples={f"volume:aws_ebs_stalled_io:ratio20m{{{_ID}}}": 0.15},
    ),
    Reading(
        name="what the driver and AWS's status said more than twenty minutes ago counts no more",
        series=[
            INFO,
            replace(driver("volume_queue_length", 0), bad=4),
            *(_pausing(way) for way in ("read", "write")),
            S(
                "aws_ebs_volume_status_check_info",
                {**VOLUME, "check": "io-performance", "status": "stalled"},
                bad=lambda minute: 1 if 15 <= minute < 25 else None,
            ),
        ],
        expr="volume:aws_ebs_stalled_io:ratio20m",
        at=55,
        samples={f"volume:aws_ebs_stalled_io:ratio20m{{{_ID}}}": 0},
    ),
    *(
        _reading("the driver, five minutes", _QUICKER, "volume:aws_ebs_latency:seconds", value, f'direction="{way}"')
        for way, value in (("read", 0.0012), ("write", 0.0009))
    ),
    *(
        Reading(
            name=f"{name} comes from CloudWatch, though the driver tells of another volume",
            series=[INFO, replace(INFO, labels={**INFO.labels, "volume_id": "vol-0z9"}), *_ELSEWHERE, *series],
            expr=f'max({name}{{volume_id="vol-0a1"}}) >= bool 0',
            at=25,
            samples={"{}": 1},
        )
        for name, series in (
            *(each for each in _BOUND.items() if "volume_id" in each[1][0].labels),
            ("volume:aws_ebs_source:info", _FIRST["volume:aws_ebs_ops:per_second"]),
        )
    ),
    *(
        Reading(
            name=f"{name} holds for its row's span, 19 minutes",
            series=[_inventory(series), *_until(series, 10)],
            expr=f"sum({name})",
            at=27,
            samples={"{}": value},
        )
        for (name, series), value in zip(_FIRST.items(), (15, 15, 0.02, 1, 0.5, 1), strict=True)
    ),
    *(
        Reading(
            name=f"{name} ends after its row's span",
            series=[_inventory(series), *_until(series, 10)],
            expr=name,
            at=30,
            samples={},
        )
        for name, series in _FIRST.items()
    ),
    *(
        Reading(
            name=f"{name} is gone with its resource, though another of the same id lives elsewhere",
            series=[
                *series,
                *(
                    replace(_inventory(series), labels={**_inventory(series).labels, key: other})
                    for key, other in TWIN.items()
                    if key in _inventory(series).labels
                ),
            ],
            expr=name,
            at=25,
            samples={},
        )
        for name, series in _BOUND.items()
    ),
    *(
        Reading(
            name=f"{name} is the same where two pods show it",
            series=[
                _inventory(series),
                *series,
                *(replace(each, labels={**each.labels, "pod": "exporter-z"}) for each in series),
            ],
            expr=f"max({name})",
            at=25,
            samples={"{}": value},
        )
        for (name, series), value in zip(_BOUND.items(), (15, 15, 0.01, 0.5, 0.5, 0.5, 0.5, 1, 1), strict=True)
    ),
    Reading(
        name="a volume whose PersistentVolume nobody claims is not in the namespace of the exporter's own target",
        series=[INFO, S("aws_ebs_volume_persistentvolumeclaim_info", {**VOLUME, "persistentvolume": "pvc-1"})],
        expr="volume:aws_ebs_owner:info",
        at=5,
        samples={
            f'volume:aws_ebs_owner:info{{{_ID}, availability_zone="ap-southeast-3a", volume_type="gp3"}}': 1
        },
    ),
    Reading(
        name="a volume that the driver tells of does not come from CloudWatch",
        series=_BOTH, expr="count(volume:aws_ebs_source:info)", at=10, samples={"{}": 1},
    ),
    Reading(
        name="minutes pushed in a burst: three of the last five are no share of five",
        series=_PUSHED, expr="volume:aws_ebs_limit_exceeded:ratio5m", at=30, samples={},
    ),
    Reading(
        name="minutes pushed in a burst: seven of the 17 that are known of the last 19 are bad",
        series=_PUSHED, expr="round(volume:aws_ebs_limit_exceeded:ratio, 0.01)", at=30,
        samples={f'{{{_ID.replace("region", "limit=" + chr(34) + "throughput" + chr(34) + ", region")}}}': 0.41},
    ),
]  # fmt: skip
