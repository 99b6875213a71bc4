"""
Sizes of S3 buckets: one value a day and bucket, 24 to 48 hours old when it comes. Nobody is paged for them.

They are compared with a day and two days ago, never with `rate`. A day's value may come hours later than the day before,
so growth has to stand for longer than that.
"""

from __future__ import annotations

from rules.build.first import first
from rules.build.identity import ACCOUNT, listed
from rules.build.model import Group, Record, Threshold
from rules.build.s3_buckets import WHAT, B, alert, owned
from rules.build.words import BUCKET

SIZE = "bucket:aws_s3_size:bytes"
GROWTH = "bucket:aws_s3_size:delta1d"
USUAL = "bucket:aws_s3_size:delta1d_avg14d"
SPREAD = "bucket:aws_s3_size:delta1d_stddev14d"
OBJECTS = "bucket:aws_s3_objects:count"

_HISTORY = f"count_over_time({GROWTH}[14d:1d] offset 1d) >= 7"

GROUP = Group(
    topic="sizes",
    interval="5m",
    rules=[
        Record(name=SIZE, expr=f"sum by ({B}) ({first('aws_s3_bucket_size_bytes')})"),
        Record(name=OBJECTS, expr=first("aws_s3_bucket_objects")),
        Record(name="account:aws_s3_size:bytes", expr=f"sum by ({listed(ACCOUNT)}) ({SIZE})"),
        Record(name=GROWTH, expr=f"{SIZE} - ({SIZE} offset 1d)"),
        # A week at least: before that nothing is known of what is usual.
        Record(name=USUAL, expr=f"avg_over_time({GROWTH}[14d:1d] offset 1d) and {_HISTORY}"),
        Record(name=SPREAD, expr=f"stddev_over_time({GROWTH}[14d:1d] offset 1d) and {_HISTORY}"),
        alert(
            name="AwsS3BucketGrowthAnomaly",
            severity="warning",
            expr=owned(f"""
                round(
                  {GROWTH} > $share * {SIZE}
                  and ({GROWTH} - {USUAL}) / clamp_min({SPREAD}, $floor) > $deviations
                  or
                  {GROWTH} > $doubled * ({SIZE} offset 1d) and {GROWTH} > $least,
                  1e8)
            """),
            wait="6h",
            keep="1h",
            thresholds={
                "floor": Threshold(1e9, "bytes", "least deviation that is taken as usual"),
                "deviations": Threshold(4, "count", "standard deviations above the mean growth of 14 days"),
                "share": Threshold(0.05, "ratio", "growth of a day over the bucket's size"),
                "doubled": Threshold(1, "ratio", "growth of a day over yesterday's size, whatever is usual"),
                "least": Threshold(1e11, "bytes", "growth of a day, whatever is usual"),
            },
            summary=f"{BUCKET}: grew by {{{{ $value | humanize1024 }}}}B in a day",
            description=f"""
                {WHAT} grew by {{{{ $value | humanize1024 }}}}B between the last two daily values, far more than on other days
                (they are a day or two old). Look who writes, for noncurrent versions and for uploads that were never
                completed: `aws s3api list-multipart-uploads --bucket {{{{ $labels.bucket }}}}`.
            """,
        ),
        alert(
            name="AwsS3BucketShrankSharply",
            severity="warning",
            expr=owned(f"""
                round({SIZE} < $left * ({SIZE} offset 2d), 1e8) and on ({B}) ({SIZE} offset 2d) > $size
            """),
            wait="1h",
            keep="1h",
            thresholds={
                "left": Threshold(0.7, "ratio", "size over the size two days ago"),
                "size": Threshold(1e10, "bytes", "size two days ago"),
            },
            summary=f"{BUCKET}: lost more than a quarter of its bytes",
            description=f"""
                {WHAT} has {{{{ $value | humanize1024 }}}}B left, far less than two days ago. The deletion was a day or two ago
                and may go on: look at lifecycle rules first, then at retention settings and CloudTrail. `aws s3api
                get-bucket-lifecycle-configuration --bucket {{{{ $labels.bucket }}}}`.
            """,
        ),
        alert(
            name="AwsS3StorageMetricsStale",
            severity="warning",
            expr=owned(f"round(time() - max by ({B}) (aws_s3_bucket_newest_datapoint_timestamp_seconds) > $age, 3600)"),
            wait="1h",
            keep="1h",
            thresholds={"age": Threshold(3 * 86400, "seconds", "age of the newest daily value")},
            summary=f"{BUCKET}: no size for {{{{ $value | humanizeDuration }}}}",
            description=f"""
                CloudWatch's newest daily value of {WHAT} is {{{{ $value | humanizeDuration }}}} old; usual is up to two days.
                Growth and shrinking are not seen meanwhile. A bucket that was emptied has no values any more: then this ends
                by itself.
            """,
        ),
    ],
)
