"""What the alerts about settings of S3 buckets must do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from rules.build.cases.s3_world import BUCKET, INFO, LABELS, OTHERS, OWNED, WHAT, case, fact, info, there
from rules.build.cases.shapes import Reading, S, Variant, between, step

DAY = 86400.0
_expiry = partial(fact, "lifecycle_shortest_expiration_seconds")
_public = partial(fact, "public")
_versioning = partial(fact, "versioning_enabled")


def _rule(prefix: str = "") -> S:
    labels = {"rule_id": "cleanup", "prefix": prefix}
    return S("aws_s3_bucket_lifecycle_expiration_seconds", {**BUCKET, **labels}, bad=step(5, None, 30 * DAY))


def _of(component: str, days: float, fires: bool) -> Variant:  # noqa: FBT001
    labels, bucket = {**OWNED, "bucket_component": component}, info(component)
    return Variant(fires=fires, series=[bucket, *there(bucket), _expiry(step(5, None, days * DAY))], labels=labels)


def _between(component: str, low: float, high: float) -> dict[str, Variant]:
    """Data of *component* are kept longer than *low* days and not longer than *high*."""
    return {
        f"{component} after {low} days": _of(component, low, fires=True),
        f"{component} after {high} days": _of(component, high, fires=False),
    }


_date = partial(fact, "lifecycle_expiration_timestamp_seconds", rule_id="end", prefix="")

PUBLIC = case(
    alert="AwsS3BucketPublic",
    severity="critical",
    series=[OTHERS, _public(step(30, 0, 1), good=0)],
    labels=BUCKET,
    fires_at=30,
    keeps=15,
    summary="Bucket acme-loki: is open to everybody",
    description="The policy of acme-loki makes it public. Close it now, ask later: `aws s3api put-public-access-block --bucket "
    "acme-loki --public-access-block-configuration "
    "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true`. Then see in "
    "CloudTrail who changed the policy and in access logs who read.",
    variants={
        "a website": Variant(
            fires=False, series=[OTHERS, *there(OTHERS), _public(1), *there(_public(0)), *there(INFO)]
        ),
        "a website that is called a component": Variant(fires=False, series=[info("website"), _public(1)]),
        "a bucket of the stack": Variant(fires=True, series=[INFO, _public(1)], labels=OWNED),
    },
)

CASES = [
    case(
        alert="AwsS3LifecycleShorterThanRetention",
        severity="critical",
        series=[INFO, _rule("fake/"), _expiry(step(5, None, 30 * DAY), good=31 * DAY)],
        fires_at=6,
        waits=1,
        keeps=15,
        summary="Bucket acme-loki: lifecycle deletes data after 30d 0h 0m 0s",
        description=f"A lifecycle rule deletes objects of {WHAT} after 30d 0h 0m 0s, sooner than the data must be kept; S3 begins "
        "within a day. Rules: cleanup (prefix fake/) Look at it now and disable the rule: `aws s3api "
        "get-bucket-lifecycle-configuration --bucket acme-loki`. If it is meant, declare the retention in this alert's "
        "thresholds.",
        variants={
            **_between("loki", 30, 32),
            **_between("mimir", 394, 396),
            **_between("mimir-blocks", 394, 396),
            **_between("tempo", 13, 15),
            **_between("mimir-ruler", 3649, 3651),
            **_between("mimir-alertmanager", 3649, 3651),
            **_between("loki-ruler", 3649, 3651),
            **_between("uploads", 0.9, 1),
            "a bucket of nobody": Variant(fires=False, series=[OTHERS, _expiry(1)]),
            "a date in less than a week": Variant(
                fires=True, series=[_date(6.5 * DAY)], drop=["aws_s3_bucket_lifecycle_shortest_expiration_seconds"]
            ),
            "a date in more than a week": Variant(
                fires=False, series=[_date(7.5 * DAY)], drop=["aws_s3_bucket_lifecycle_shortest_expiration_seconds"]
            ),
            "a date and an age": Variant(fires=True, series=[_date(5 * DAY), _expiry(9000 * DAY)]),
        },
    ),
    case(
        alert="AwsS3LifecycleShortened",
        severity="warning",
        step=5,
        series=[INFO, _rule(), _expiry(step(1500, 400 * DAY, 390 * DAY), good=400 * DAY)],
        fires_at=1505,
        waits=5,
        keeps=60,
        summary="Bucket acme-loki: lifecycle now deletes after 390d 0h 0m 0s",
        description=f"Since less than a day a lifecycle rule deletes objects of {WHAT} after 390d 0h 0m 0s; before it was later or "
        "never. Rules: cleanup If nobody meant that, disable the rule today: `aws s3api get-bucket-lifecycle-configuration "
        "--bucket acme-loki`.",
        variants={
            "the first rule": Variant(fires=True, series=[_expiry(step(1500, None, 390 * DAY))]),
            "a rule of a bucket that was not there": Variant(
                fires=False,
                series=[
                    S("aws_s3_bucket_info", {**BUCKET, "bucket_component": "loki-chunks"}, bad=step(1500, None, 1)),
                    _expiry(step(1500, None, 390 * DAY)),
                ],
            ),
            "it was not known for a while a day ago": Variant(
                fires=False, series=[_expiry(between(40, 90, None, 390 * DAY))], at=1505
            ),
            "it was known three hours before, not in the hour": Variant(
                fires=True, series=[_expiry(between(100, 290, None, 390 * DAY))], at=1700
            ),
            "a longer one": Variant(fires=False, series=[_expiry(step(1500, 390 * DAY, 400 * DAY))]),
            "a bucket of nobody": Variant(fires=False, series=[OTHERS]),
            "a day later": Variant(fires=False, series=[_expiry(step(60, 400 * DAY, 390 * DAY))], at=1600),
        },
    ),
    PUBLIC,
    # Once more with a point an hour: for a week it is known that it was closed.
    replace(
        PUBLIC,
        step=60,
        series=[OTHERS, _public(step(1440, 0, 1), good=0)],
        fires_at=1440,
        variants={
            "opened within the week": Variant(fires=True, at=8 * 1440 - 120),
            "open for a week": Variant(fires=False, at=8 * 1440 + 120),
        },
    ),
    case(
        alert="AwsS3BucketVersioningOff",
        severity="warning",
        series=[info("", "suspended"), _versioning(step(10, 1, 0), good=1)],
        labels=BUCKET,
        fires_at=25,
        waits=15,
        keeps=60,
        summary="Bucket acme-loki: versioning was turned off",
        description="Versioning of acme-loki is suspended: what is overwritten or deleted from now on is gone. If nobody meant "
        "that: `aws s3api put-bucket-versioning --bucket acme-loki --versioning-configuration Status=Enabled`.",
        variants={
            "it never was on": Variant(fires=False, series=[info("", "never"), _versioning(0)]),
            "it was turned off long ago": Variant(
                fires=False,
                series=[
                    info("", "suspended"),
                    *there(info("", "enabled")),
                    _versioning(0),
                    *there(_versioning(1)),
                ],
            ),
            "a bucket of the stack": Variant(
                fires=True,
                series=[info("mimir-blocks", "suspended"), _versioning(0)],
                labels={**BUCKET, "bucket_component": "mimir-blocks"},
            ),
            "a bucket of the stack that never had it": Variant(
                fires=False, series=[info("mimir-blocks", "never"), _versioning(0)]
            ),
        },
    ),
]


READINGS: list[Reading] = [
    Reading(
        name="one owner a bucket, also where two are said",
        series=[
            info("loki-chunks"),
            info("loki"),
            *(
                S("aws_s3_bucket_info", {**BUCKET, **there, "bucket_component": "tempo"})
                for there in ({"account_id": "2"}, {"region": "r"}, {"cluster": "c"}, {"bucket": "b"})
            ),
        ],
        expr="count by (bucket_component) (bucket:aws_s3_owner:info)",
        at=5,
        samples={"{}": 1, '{bucket_component="tempo"}': 4},
    ),
    Reading(
        name="the shortest of two expiries",
        series=[INFO, _expiry(5), _date(60)],
        expr="bucket:aws_s3_lifecycle_expiry:seconds",
        at=5,
        samples={f"bucket:aws_s3_lifecycle_expiry:seconds{{{LABELS}}}": 0},
    ),
]
