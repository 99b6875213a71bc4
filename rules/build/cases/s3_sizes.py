"""What the alerts about sizes of S3 buckets must do: an hour a step, for their values come once a day."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from rules.build.cases.s3_world import INFO, LABELS, OTHERS, OWNED, WHAT, case, fact
from rules.build.cases.shapes import Reading, S, Values, Variant, step

DAY = 1440
_size = partial(fact, "size_bytes", storage_type="StandardStorage")
_case = partial(case, step=60)


def growing(last: float, start: float = 1e12, day: float = 2e10, wobble: float = 1e9, days: int = 10) -> Values:
    """*day* more each day, a little less and more by turns; *last* more on day *days*, and as usual then."""

    def at(minute: int) -> float:
        now = minute // DAY
        usual = sum(day + (wobble if number % 2 else -wobble) for number in range(1, min(now, days - 1) + 1))
        return start + usual + (last if now >= days else 0) + day * max(now - days, 0)

    return at


CASES = [
    _case(
        alert="AwsS3BucketGrowthAnomaly",
        severity="warning",
        # A day brings 2e10 +- 1e9; the tenth brings 9e10, 7.6 % of what is there.
        series=[INFO, _size(growing(9e10), good=growing(2.2e10))],
        fires_at=10 * DAY + 360,
        waits=360,
        keeps=60,
        summary="Bucket acme-loki: grew by 83.82GiB in a day",
        description=f"{WHAT} grew by 83.82GiB between the last two daily values, far more than on other days (they are a day or two "
        "old). Look who writes, for noncurrent versions and for uploads that were never completed: `aws s3api "
        "list-multipart-uploads --bucket acme-loki`.",
        variants={
            "a bucket of nobody in the stack": Variant(
                fires=True, series=[OTHERS], labels={**OWNED, "bucket_component": ""}
            ),
            "little of much": Variant(fires=False, series=[_size(growing(9e10, start=2e12))]),
            "3.7 of the least deviations": Variant(
                fires=False, series=[_size(growing(4.7e9, start=5e9, day=1e9, wobble=1e7))]
            ),
            "4.3 of the least deviations": Variant(
                fires=True, series=[_size(growing(5.3e9, start=5e9, day=1e9, wobble=1e7))]
            ),
            "days differ as much": Variant(fires=False, series=[_size(growing(9e10, wobble=1.9e10))]),
            "nothing is known of what is usual": Variant(
                fires=False, series=[_size(growing(9e10, days=6))], at=6 * DAY + 360
            ),
            "a week is known": Variant(fires=True, series=[_size(growing(9e10, days=9))], at=9 * DAY + 360),
            "twice as large, and nothing is known": Variant(
                fires=True, series=[_size(growing(1.05e12, days=2))], at=2 * DAY + 360
            ),
            "not quite twice as large": Variant(
                fires=False, series=[_size(growing(0.98e12, days=2))], at=2 * DAY + 360
            ),
            "twice as large and small": Variant(
                fires=False, series=[_size(growing(0.95e11, start=1e10, day=2e9, days=2))], at=2 * DAY + 360
            ),
            "twice as large and not small": Variant(
                fires=True, series=[_size(growing(1.05e11, start=1e10, day=2e9, days=2))], at=2 * DAY + 360
            ),
            "a day's value came five hours late": Variant(
                fires=False,
                series=[
                    _size(
                        lambda minute: (
                            1e11
                            + 2e10 * (minute - (300 if minute < 10 * DAY + 300 and minute >= 10 * DAY else 0)) // DAY
                        )
                    )
                ],
                at=10 * DAY + 420,
            ),
        },
    ),
    _case(
        alert="AwsS3BucketShrankSharply",
        severity="warning",
        series=[INFO, _size(step(3 * DAY, 1e12, 6.6e11), good=step(3 * DAY, 1e12, 7.4e11))],
        fires_at=3 * DAY + 60,
        waits=60,
        keeps=60,
        summary="Bucket acme-loki: lost more than a quarter of its bytes",
        description=f"{WHAT} has 614.7GiB left, far less than two days ago. The deletion was a day or two ago and may go on: look "
        "at lifecycle rules first, then at retention settings and CloudTrail. `aws s3api get-bucket-lifecycle-configuration "
        "--bucket acme-loki`.",
        variants={
            "a small bucket": Variant(fires=False, series=[_size(step(3 * DAY, 9e9, 1e9))]),
            "not a small bucket": Variant(fires=True, series=[_size(step(3 * DAY, 1.1e10, 1e9))]),
            "over two days": Variant(
                fires=True,
                series=[_size(lambda minute: 1e12 - 1.7e11 * max(minute // DAY - 1, 0))],
            ),
            "bytes that move to another storage type": Variant(
                fires=False,
                series=[
                    _size(step(3 * DAY, 1e12, 5e11)),
                    fact("size_bytes", step(3 * DAY, 1e10, 5e11), storage_type="StandardIAStorage"),
                ],
            ),
        },
    ),
    _case(
        alert="AwsS3StorageMetricsStale",
        severity="warning",
        # The clock of a test begins at 0: what is newest is from then.
        series=[INFO, fact("newest_datapoint_timestamp_seconds", 0, good=lambda minute: 60.0 * minute - 2.7 * 86400)],
        fires_at=3 * DAY + 120,
        waits=60,
        keeps=60,
        summary="Bucket acme-loki: no size for 3d 2h 0m 0s",
        description=f"CloudWatch's newest daily value of {WHAT} is 3d 2h 0m 0s old; usual is up to two days. Growth and shrinking "
        "are not seen meanwhile. A bucket that was emptied has no values any more: then this ends by itself.",
    ),
]


def _quicker(minute: int) -> float:
    """A day's growth is a gigabyte more than that of the day before."""
    return 1e12 + 1e9 * (minute // DAY) * (minute // DAY + 1) / 2


def _young(series: S) -> S:
    """The same of a bucket that is known from the fourth day on."""

    def values(minute: int) -> float | None:
        return None if minute < 4 * DAY else series.bad(minute) if callable(series.bad) else series.bad

    return replace(series, labels={**series.labels, "bucket": "young"}, bad=values)


_USUAL = {"avg14d": 4.5e9, "stddev14d": 2.291e9}

READINGS: list[Reading] = [
    Reading(
        # Eight days are known of the bucket, four of another.
        name="what is usual is the growth of the days before yesterday's value",
        series=[INFO, _size(_quicker), _young(INFO), _young(_size(_quicker))],
        expr=" or ".join(
            f'round(label_replace(bucket:aws_s3_size:delta1d_{what}, "of", "{what}", "", ""), 1e6)' for what in _USUAL
        ),
        at=9 * DAY + 720,
        step=60,
        samples={f'{{{LABELS}, of="{what}"}}': value for what, value in _USUAL.items()},
    ),
    Reading(
        name="all storage types are one size",
        series=[INFO, _size(3e11), fact("size_bytes", 1e11, storage_type="GlacierStorage")],
        expr="bucket:aws_s3_size:bytes",
        at=60,
        step=60,
        samples={f"bucket:aws_s3_size:bytes{{{LABELS}}}": 4e11},
    ),
    Reading(
        name="buckets of an account are one sum",
        series=[INFO, _size(3e11)],
        expr="account:aws_s3_size:bytes",
        at=60,
        step=60,
        samples={
            'account:aws_s3_size:bytes{account_id="123456789012", cluster="production", region="ap-southeast-3"}': 3e11
        },
    ),
    Reading(
        name="objects",
        series=[INFO, fact("objects", 7)],
        expr="bucket:aws_s3_objects:count",
        at=60,
        step=60,
        samples={f"bucket:aws_s3_objects:count{{{LABELS}}}": 7},
    ),
]
