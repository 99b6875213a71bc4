"""Cases: burst credits, changes that do not end, volumes nobody uses."""

from __future__ import annotations

from rules.build.cases.ebs_world import (
    ATTACHED,
    OWNED,
    OWNER,
    POD,
    USER,
    VOLUME,
    VOLUME_CONSOLE,
    VOLUME_PAGE,
    WORLD,
    info,
)
from rules.build.cases.shapes import Case, S, Values, Variant, between, flat, ramp, step

BALANCE = "aws_ebs_volume_burst_balance_ratio"
START = "aws_ebs_volume_modification_start_timestamp_seconds"
_GP3 = (
    "Change it to gp3, which has no credits, online: aws ec2 modify-volume --region ap-southeast-3 --volume-id vol-0a1 "
    "--volume-type gp3."
)


def _balance(values: Values | float, **more: str) -> S:
    return S(BALANCE, {**VOLUME, **more}, bad=values)


def _stairs(minute: int) -> float:
    """What is asked every 15 minutes, as a scrape shows it."""
    return round(0.49 - 0.12 * (minute // 15), 9)


def _change(state: str, start: float, good: float | None = None) -> S:
    return S(START, {**VOLUME, "state": state}, bad=start, good=good)


_AVAILABLE, _IN_USE = info(state="available"), info(state="in-use")

CASES = [
    Case(
        alert="AwsEbsBurstBalanceExhausting",
        severity="critical",
        component="ebs",
        series=[*WORLD, S(BALANCE, VOLUME, bad=ramp(0, 0.49, -0.008), good=ramp(0, 0.49, -0.005))],
        fires_at=7,
        keeps=15,
        labels=OWNER,
        summary="Claim databases/data-postgres-0: burst credits end within the hour",
        description=f"{USER}, has used up its burst credits in about 54m 0s. Then it falls to its baseline. {_GP3}",
        dashboard=VOLUME_PAGE,
        console=VOLUME_CONSOLE,
        variants={
            "asked every 15 minutes": Variant(fires=True, series=[_balance(_stairs)], at=40),
            "fast, and half is left": Variant(fires=False, series=[_balance(ramp(0, 0.62, -0.02))], at=6),
            "fast, and less than half is left": Variant(fires=True, series=[_balance(ramp(0, 0.62, -0.02))], at=7),
            "little is left and it rises": Variant(fires=False, series=[_balance(ramp(0, 0.1, 0.01))]),
            "fast for long, slower for half an hour": Variant(
                fires=False,
                series=[_balance(lambda minute: 0.8 - 0.01 * min(minute, 35) - 0.001 * max(minute - 35, 0))],
                at=66,
            ),
            "slow for long, faster for a quarter of an hour": Variant(
                fires=False, series=[_balance(ramp(25, 0.45, -0.008))], at=38
            ),
            "a dead pod shows more": Variant(
                fires=True,
                series=[_balance(ramp(0, 0.49, -0.008)), _balance(lambda m: 0.9 if m < 1 else None, pod="x")],
                at=12,
            ),
        },
    ),
    Case(
        alert="AwsEbsBurstBalanceLow",
        severity="warning",
        component="ebs",
        series=[*WORLD, S(BALANCE, VOLUME, bad=0.19, good=0.21)],
        fires_at=29,
        keeps=30,
        labels=OWNER,
        summary="Claim databases/data-postgres-0: few burst credits are left",
        description=f"{USER}, has 19% of its burst credits left, for half an hour at least. At 0% it runs at its "
        f"baseline. {_GP3}",
        dashboard=VOLUME_PAGE,
        console=VOLUME_CONSOLE,
        variants={
            "for twenty minutes": Variant(fires=False, series=[_balance(step(15, 0.3, 0.1))], at=35),
            "more in between": Variant(fires=False, series=[_balance(between(20, 21, 0.3, 0.1))], at=49),
            "for half an hour": Variant(fires=True, series=[_balance(step(15, 0.3, 0.1))], at=47),
        },
    ),
    Case(
        alert="AwsEbsVolumeModificationStuck",
        severity="warning",
        component="ebs",
        series=[*WORLD, _change("modifying", 1200 - 21600, 1200 - 19000)],
        fires_at=20,
        keeps=15,
        labels={**OWNER, "state": "modifying"},
        summary="Claim databases/data-postgres-0: a change of the volume does not end",
        description=f"{USER}, was to be changed 6h 0m 0s ago; the change is modifying. See why: aws ec2 "
        "describe-volumes-modifications --region ap-southeast-3 --volume-ids vol-0a1. AWS allows the next change "
        "6 hours after the last began.",
        dashboard=VOLUME_PAGE,
        console=VOLUME_CONSOLE,
        variants={
            "optimizing": Variant(fires=False, series=[_change("optimizing", 1200 - 21600)]),
            "failed of late": Variant(fires=True, series=[_change("failed", -160000)], labels={"state": "failed"}),
            "failed at once": Variant(fires=True, series=[_change("failed", 0)], at=0, labels={"state": "failed"}),
            "failed long ago": Variant(fires=False, series=[_change("failed", -180000)]),
            "completed": Variant(fires=False, series=[_change("completed", -30000)]),
        },
    ),
    Case(
        alert="AwsEbsVolumeUnattached",
        severity="info",
        component="ebs",
        step=360,
        series=[
            S(_AVAILABLE.name, _AVAILABLE.labels, bad=1, good=flat(None)),
            S(_IN_USE.name, _IN_USE.labels, bad=flat(None), good=1),
            OWNED,
            POD,
            ATTACHED,
        ],
        fires_at=168 * 60,
        labels=OWNER,
        summary="Claim databases/data-postgres-0: attached to nothing for a week",
        description="vol-0a1 in ap-southeast-3a is paid for and unused since 7 days or more. If nobody needs it: take "
        "a snapshot, then aws ec2 delete-volume --region ap-southeast-3 --volume-id vol-0a1. A claim of a workload "
        "scaled to zero is meant to wait; silence it.",
        dashboard=VOLUME_PAGE,
        console=VOLUME_CONSOLE,
        variants={
            "an orphan, which is listed as one": Variant(
                fires=False, series=[S("aws_ebs_volume_orphaned_info", VOLUME)]
            ),
            "attached again": Variant(
                fires=False,
                series=[
                    S(_AVAILABLE.name, _AVAILABLE.labels, bad=lambda minute: 1 if minute < 168 * 60 else None),
                    S(_IN_USE.name, _IN_USE.labels, bad=lambda minute: 1 if minute >= 168 * 60 else None),
                ],
            ),
            "attached for some hours of the week": Variant(
                fires=False,
                series=[
                    S(_AVAILABLE.name, _AVAILABLE.labels, bad=lambda m: None if 60 * 60 <= m < 66 * 60 else 1),
                    S(_IN_USE.name, _IN_USE.labels, bad=lambda m: 1 if 60 * 60 <= m < 66 * 60 else None),
                ],
                at=204 * 60,
            ),
            "attached before": Variant(
                fires=True,
                series=[
                    S(_AVAILABLE.name, _AVAILABLE.labels, bad=lambda m: None if 18 * 60 <= m < 24 * 60 else 1),
                    S(_IN_USE.name, _IN_USE.labels, bad=lambda m: 1 if 18 * 60 <= m < 24 * 60 else None),
                ],
                at=204 * 60,
            ),
        },
    ),
]
