"""What the alerts about burst credits and throughput must do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from rules.build.cases.efs_world import CLAIMS, CONSOLE, DASHBOARD, FILE_SYSTEM, INFO, NAMED, REMEDY, SIZE, WORLD, info
from rules.build.cases.shapes import Case, Reading, S, Values, Variant, between, ramp, step

MINUTE = 5e9
"""Bytes of credits that go in a minute of the bad worlds."""


def credits(bad: Values | float, good: Values | float | None = None) -> S:  # noqa: A001
    """The balance."""
    return S("aws_efs_file_system_burst_credit_balance_bytes", FILE_SYSTEM, bad=bad, good=good)


def permitted(bad: Values | float, good: Values | float | None = None) -> S:
    """What it may move in a second."""
    return S("aws_efs_file_system_permitted_throughput_bytes_per_second", FILE_SYSTEM, bad=bad, good=good)


def metered(bad: Values | float, good: Values | float | None = None) -> S:
    """What it moves in a second."""
    return S("aws_efs_file_system_metered_io_bytes_per_second", FILE_SYSTEM, bad=bad, good=good)


BURST = permitted(104857600)
_case = partial(Case, component="efs", labels=NAMED, dashboard=DASHBOARD, console=CONSOLE)


def late_drain(start: float) -> Values:
    """Full for five hours, then going."""
    return ramp(300, start, -MINUTE)


def rhythm(yesterday: float) -> Values:
    """A balance that went down and is filled once a day; at minute 1570 it is 9.52e11."""
    return lambda minute: yesterday if minute < 200 else 1.5e12 - 4e8 * (minute - 200)


def slower(minute: int) -> float:
    """Fast for an hour, then slowly: from then on six hours say one day and 30 minutes 6.6 days."""
    return 1.6e12 - 1.2e9 * min(minute, 60) - 1.61e8 * max(minute - 60, 0)


SLOW = _case(
    alert="AwsEfsBurstCreditsExhaustingSlow",
    severity="warning",
    # Three days are 4320 minutes: left at minute 70.
    series=[*WORLD, credits(ramp(0, 1.7558e12, -4e8), good=ramp(0, 1.9e12, -4e8))],
    fires_at=130,
    waits=60,
    keeps=120,
    summary="File system eks_production: burst credits end in 2d 23h 0m 0s",
    description="fs-0a1: 1.55TiB of burst credits are left, less than a day ago, and go in 2d 23h 0m 0s at the pace "
    f"of the last 6 hours; then it may move only 9.766MiB/s. {CLAIMS}{REMEDY}",
    variants={
        "the last 30 minutes are quiet": Variant(
            fires=False, series=[credits(ramp(0, 1.7558e12, -4e8, least=1.7126e12))]
        ),
        "the last 30 minutes say 6.6 days": Variant(fires=True, series=[credits(slower)]),
        "credits that do not count": Variant(fires=False, series=[info("provisioned")]),
    },
)
RHYTHM = {
    "as every day": Variant(fires=False, series=[credits(rhythm(1e12))], at=1570),
    "less than yesterday": Variant(fires=True, series=[credits(rhythm(1.05e12))], at=1570),
}

CASES = [
    _case(
        alert="AwsEfsBurstCreditsExhaustingFast",
        severity="critical",
        series=[*WORLD, credits(step(20, 4e11, 1e11), good=ramp(0, 6e11, -MINUTE))],
        fires_at=22,
        waits=2,
        keeps=30,
        summary="File system eks_production: burst credits end in 11m 0s",
        description="fs-0a1: 93.13GiB of burst credits are left and go in 11m 0s at this pace; then it may move only "
        f"9.766MiB/s. {CLAIMS}{REMEDY}",
        variants={
            "less than an hour is left": Variant(fires=True, series=[credits(ramp(0, 4.2e11, -MINUTE))], at=27),
            "more than an hour is left": Variant(fires=False, series=[credits(ramp(0, 4.2e11, -MINUTE))], at=23),
            "nine minutes are no slope": Variant(fires=False, series=[credits(ramp(0, 3e11, -MINUTE))], at=11),
            "ten minutes are a slope": Variant(fires=True, series=[credits(ramp(0, 3e11, -MINUTE))], at=12),
            "four hours are left and six hours agree": Variant(
                fires=True, series=[credits(ramp(0, 1.5e12, -MINUTE))], at=65
            ),
            "more than four hours are left": Variant(fires=False, series=[credits(ramp(0, 1.65e12, -MINUTE))], at=65),
            "six hours say 24.4 hours": Variant(fires=False, series=[credits(late_drain(1.2e12))], at=375),
            "six hours say a day": Variant(fires=True, series=[credits(late_drain(1.2e12))], at=379),
            "a small balance at more than half of full speed": Variant(
                fires=True, series=[credits(3.2e11), BURST, metered(5.6e7)], at=8
            ),
            "a small balance at less than half of full speed": Variant(
                fires=False, series=[credits(3.2e11), BURST, metered(4.9e7)], at=30
            ),
            "a balance for more than an hour of full speed": Variant(
                fires=False, series=[credits(3.6e11), BURST, metered(9e7)], at=30
            ),
            "credits that do not count": Variant(fires=False, series=[info("elastic")], at=30),
            "credits that come back": Variant(fires=False, series=[credits(ramp(0, 1e11, MINUTE))], at=30),
        },
    ),
    SLOW,
    # Once more with a point every five minutes: a day of them tells a daily rhythm from a drain.
    replace(SLOW, step=5, variants=RHYTHM),
    _case(
        alert="AwsEfsBurstCreditsLow",
        severity="warning",
        # Full speed takes 104,857,600 - 10,240,000 bytes a second off the balance: 3,276 seconds.
        series=[*WORLD, BURST, credits(step(5, 9e11, 3.1e11), good=3.6e11)],
        fires_at=20,
        waits=15,
        keeps=60,
        summary="File system eks_production: burst credits would last 55m 0s at full speed",
        description="fs-0a1: 288.7GiB of burst credits are left: 55m 0s at full speed, then it may move only 9.766MiB/s. "
        f"{CLAIMS}{REMEDY}",
        variants={
            "a small file system has the smallest baseline": Variant(
                fires=False,
                series=[
                    S("aws_efs_file_system_metered_size_bytes", {**FILE_SYSTEM, "storage_class": "Standard"}, bad=1e9),
                    credits(3.8e11),
                ],
            ),
            "a baseline of 1 MiB a second": Variant(
                fires=True,
                series=[
                    S("aws_efs_file_system_metered_size_bytes", {**FILE_SYSTEM, "storage_class": "Standard"}, bad=1e9),
                    credits(3.7e11),
                ],
            ),
            "other storage classes give no baseline": Variant(
                fires=True,
                series=[
                    SIZE,
                    S("aws_efs_file_system_metered_size_bytes", {**FILE_SYSTEM, "storage_class": "IA"}, bad=9e12),
                ],
            ),
            "credits that do not count": Variant(fires=False, series=[info("elastic")]),
        },
    ),
    _case(
        alert="AwsEfsBurstCreditsDepleted",
        severity="critical",
        series=[*WORLD, credits(step(10, 4e11, 9.6e9), good=1.04e10)],
        fires_at=12,
        waits=2,
        keeps=15,
        summary="File system eks_production: burst credits are used up",
        description="fs-0a1: 8.941GiB of burst credits are left: it may move 9.766MiB/s and no more until it rests. "
        f"{CLAIMS}{REMEDY}",
        variants={
            "nothing is left": Variant(fires=True, series=[credits(step(10, 4e11, 0))]),
            "exactly the threshold": Variant(fires=True, series=[credits(step(10, 4e11, 1e10))]),
            "credits that do not count": Variant(fires=False, series=[info("elastic")]),
        },
    ),
    _case(
        alert="AwsEfsPermittedThroughputCollapsed",
        severity="critical",
        # The mean of five minutes is 0.8 of the baseline in the minute of the fall already.
        series=[*WORLD, metered(9e6, good=7.9e6), permitted(step(10, 104857600, 10240000), good=10240000)],
        fires_at=11,
        waits=1,
        keeps=15,
        summary="File system eks_production: throttled now, throughput fell to the baseline",
        description=f"fs-0a1: it may move only 9.766MiB/s and uses 88% of that: I/O of its clients waits now. {CLAIMS}{REMEDY}",
        variants={
            "a tenth above the baseline is not the baseline": Variant(
                fires=False, series=[permitted(step(10, 104857600, 11.5e6)), metered(11.4e6)]
            ),
            "nearly the baseline": Variant(fires=True, series=[permitted(step(10, 104857600, 11.1e6)), metered(11e6)]),
            "provisioned throughput is no baseline": Variant(fires=False, series=[info("provisioned")]),
            "idle": Variant(fires=False, series=[metered(1e5)]),
        },
    ),
    _case(
        alert="AwsEfsThroughputSaturated",
        severity="warning",
        # From 0.62 to 0.99 of 100 MiB/s: the mean of 30 minutes is 0.8 seventeen minutes later.
        series=[*WORLD, BURST, metered(step(30, 6.551e7, 1.04e8), good=8.2e7)],
        fires_at=62,
        waits=15,
        keeps=30,
        summary="File system eks_production: uses 98% of its throughput",
        description="fs-0a1: over the last 30 minutes it moved 98% of the 100MiB/s it may. Above 80 % AWS advises "
        f"elastic or more provisioned throughput. {CLAIMS}{REMEDY}",
        variants={
            "a mode without credits": Variant(fires=True, series=[info("provisioned")]),
            "no work any more": Variant(fires=False, series=[metered(between(0, 35, 1e8, None))], at=90),
            "one backup of ten minutes": Variant(fires=False, series=[metered(between(30, 40, 1.04e8, 6e7))], at=62),
        },
    ),
]

_END = float("inf")

READINGS: list[Reading] = [
    Reading(
        name="balances that are not told now, of file systems that differ in one label",
        series=[
            replace(each, labels={**each.labels, **there})
            for each in (INFO, credits(lambda minute: 5e9 if minute < 8 else float("inf") if minute == 8 else None))
            for there in ({}, {"cluster": "c"}, {"account_id": "2"}, {"region": "r"}, {"file_system_id": "fs-9"})
        ],
        expr="count(filesystem:aws_efs_burst_credits:bytes)",
        at=11,
        samples={"{}": 5},
    ),
    Reading(
        # Told until minute 2 and held for 19 more; nothing is known of minutes 22 to 27.
        name="a slope has ten minutes behind it where something was known half an hour ago",
        series=[
            INFO,
            credits(lambda minute: 9e9 - 1e8 * minute if minute < 3 or minute >= 28 else _END if minute == 3 else None),
        ],
        expr="count(filesystem:aws_efs_burst_credits:deriv30m)",
        at=37,
        samples={"{}": 1},
    ),
    Reading(
        name="a balance that is not told now is the last that was",
        series=[
            INFO,
            credits(lambda minute: 1e9 * (minute + 1) if minute < 8 else float("inf") if minute == 8 else None),
        ],
        expr="filesystem:aws_efs_burst_credits:bytes",
        at=11,
        samples={
            'filesystem:aws_efs_burst_credits:bytes{account_id="123456789012", cluster="production", '
            'file_system_id="fs-0a1", region="ap-southeast-3"}': 8e9
        },
    ),
    Reading(
        name="the baseline of 200 GiB",
        series=[INFO, SIZE],
        expr="filesystem:aws_efs_baseline_throughput:bytes_per_second",
        at=5,
        samples={
            'filesystem:aws_efs_baseline_throughput:bytes_per_second{account_id="123456789012", cluster="production", '
            'file_system_id="fs-0a1", region="ap-southeast-3"}': 10240000
        },
    ),
    Reading(
        name="no baseline where credits do not count",
        series=[info("elastic"), SIZE],
        expr="filesystem:aws_efs_baseline_throughput:bytes_per_second",
        at=5,
        samples={},
    ),
    Reading(
        name="metered over permitted, of the last five minutes",
        series=[INFO, permitted(1e8), metered(step(10, 2e7, 7e7))],
        expr="filesystem:aws_efs_throughput_utilization:ratio",
        at=12,
        samples={
            'filesystem:aws_efs_throughput_utilization:ratio{account_id="123456789012", cluster="production", '
            'file_system_id="fs-0a1", region="ap-southeast-3"}': 0.45
        },
    ),
]
