"""S3: every bucket with its settings, how it grows, whether requests fail, and the observability stack's own buckets."""

from __future__ import annotations

from dashboards.build import s3_detail
from dashboards.build.alert_board import firing
from dashboards.build.links import BUCKET_CONSOLE, runbook, to
from dashboards.build.page import Change, Page, Variable
from dashboards.build.panels import PLACE_KEYS, Column, Key, Panel, Query, Row, Series, Stat, State, Table
from dashboards.build.queries import most, where
from dashboards.build.s3_terms import CLOSED, COMPONENT, OWNER, PLAIN, B, chosen, owned, retention
from dashboards.build.thresholds import high, number

SIZE = chosen("bucket:aws_s3_size:bytes")
OBJECTS = chosen("bucket:aws_s3_objects:count")
GROWTH = chosen("bucket:aws_s3_size:delta1d")
USUAL = chosen("bucket:aws_s3_size:delta1d_avg14d")
SPREAD = chosen("bucket:aws_s3_size:delta1d_stddev14d")
EXPIRY = chosen("bucket:aws_s3_lifecycle_expiry:seconds")
PUBLIC = chosen("bucket:aws_s3_public:bool")
VERSIONED = chosen("bucket:aws_s3_versioning:bool")
BACKUP = chosen("bucket:aws_s3_last_backup:timestamp")
NEWEST = most(chosen("aws_s3_bucket_newest_datapoint_timestamp_seconds"), B)
FLOOR = number("AwsS3BucketGrowthAnomaly", "floor", of="bytes")

STALE = high(warning=number("AwsS3StorageMetricsStale", "age", of="seconds"))
FAILING = high(
    warning=number("AwsS3ServerErrorsSlow", "burn", of="ratio"),
    critical=number("AwsS3ServerErrors", "share", of="ratio"),
)
REFUSED = high(warning=number("AwsS3ClientErrors", "share", of="ratio"))
LAGGING = high(warning=number("AwsS3ReplicationLagging", "seconds", of="seconds"))
OLD = high(warning=number("AwsS3BackupTooOld", "max_age", of="seconds"))
BAND = 3
"""Standard deviations on each side of the mean in which most days lie."""


def _stats() -> list[Panel]:
    return [
        Stat(
            title="Buckets",
            says="Buckets that the exporter knows here.",
            unit="none",
            queries=[Query(f"count({chosen(OWNER)})")],
            width=2,
        ),
        Stat(
            title="Stored",
            says="All classes, noncurrent versions and unfinished uploads included; a day or two old.",
            unit="bytes",
            queries=[Query(f"sum({SIZE})")],
            decimals=1,
            width=3,
        ),
        Stat(
            title="Growth of a day",
            says="All chosen buckets, between the last two daily values. Needs two days of data.",
            unit="bytes",
            queries=[Query(f"sum({GROWTH})")],
            decimals=1,
            empty="not known yet",
            width=3,
        ),
        Stat(
            title="Server errors",
            says="Share of requests that S3 failed (5xx) in 20 minutes, at the worst bucket. Good: near 0.",
            unit="percentunit",
            queries=[Query(f"max({chosen('bucket:aws_s3_server_errors:ratio20m')})")],
            limit=FAILING,
            decimals=2,
            empty="not measured",
            width=3,
        ),
        Stat(
            title="Refused requests",
            says="Share of requests that S3 refused (4xx) in 20 minutes, at the worst bucket. Good: below 5 %.",
            unit="percentunit",
            queries=[Query(f"max({chosen('bucket:aws_s3_client_errors:ratio20m')})")],
            limit=REFUSED,
            decimals=2,
            empty="not measured",
            width=3,
        ),
        Stat(
            title="Public buckets",
            says="Buckets whose policy makes them public. Good: none, or only those that are meant to be.",
            unit="none",
            queries=[Query(f"sum({PUBLIC})")],
            limit=high(critical=1),
            states=(State(0, "none", "green"),),
            width=3,
        ),
        Stat(
            title="Deleted too early",
            says="Buckets whose lifecycle expires objects sooner than their data must be kept. Good: none.",
            unit="none",
            queries=[Query(f"count({owned(EXPIRY)} < {retention()}) or 0 * count({chosen(OWNER)})")],
            limit=high(critical=1),
            states=(State(0, "none", "green"),),
            width=3,
        ),
        Stat(
            title="Oldest daily value",
            says="Age of the sizes shown here, at the bucket that waits longest. Usual: one to two days.",
            unit="s",
            queries=[Query(f"max(time() - {NEWEST})")],
            limit=STALE,
            decimals=1,
            width=4,
        ),
    ]


def _encryption() -> str:
    """2 where the default is a KMS key, 1 where it is S3's own, 0 where there is none."""
    kms = chosen("aws_s3_bucket_info", 'encryption=~"aws:kms.*"')
    return f"2 * group by ({B}) ({kms}) or on ({B}) {most(chosen('aws_s3_bucket_encryption_enabled'), B)}"


def _each() -> Table:
    def column(expr: str) -> str:
        return owned(f"({expr})")

    return Table(
        title="Every bucket",
        says="One line a bucket, the largest on top. Click the name to see it alone, or open it in the AWS console.",
        keys=[
            *PLACE_KEYS,
            Key(
                label="bucket",
                name="Bucket",
                links=[to("s3", "bucket", title="Only this one"), BUCKET_CONSOLE],
                width=290,
            ),
            COMPONENT,
        ],
        columns=[
            Column(
                name="Size", expr=column(f"{SIZE} or on ({B}) 0 * {chosen(OWNER)}"), unit="bytes", decimals=1, width=90
            ),
            Column(name="Objects", expr=column(OBJECTS), unit="short", decimals=1, width=90),
            Column(name="A day", expr=column(GROWTH), unit="bytes", decimals=1, width=85),
            Column(name="Deletes after", expr=column(EXPIRY), unit="s", decimals=1, width=110),
            Column(name="Versions", expr=column(VERSIONED), states=PLAIN, width=80),
            Column(name="Public", expr=column(PUBLIC), states=CLOSED, width=75),
            Column(
                name="Encrypted",
                expr=column(_encryption()),
                states=(State(0, "no", "red"), State(1, "S3's key", "text"), State(2, "KMS", "green")),
                width=90,
            ),
            Column(name="Backup", expr=column(f"time() - {BACKUP}"), unit="s", limit=OLD, decimals=1, width=90),
            Column(name="Value's age", expr=column(f"time() - {NEWEST}"), unit="s", limit=STALE, decimals=1, width=100),
        ],
        sort="-Size",
        empty="No bucket is known here.",
        height=8,
    )


def _sizes() -> Row:
    daily = f"last_over_time({chosen('aws_s3_bucket_size_bytes')}[76h])"
    by_class = f"sum by (storage_type) ({most(daily, B, 'storage_type')})"
    legend = "{{bucket}}"
    return Row(
        title="How it grows",
        panels=[
            Series(
                title="Size by bucket",
                says="One value a day, a day or two old. Good: as before. A steep fall may be a lifecycle rule.",
                unit="bytes",
                queries=[Query(SIZE, legend, "steps")],
                connect=True,
                table=True,
                least=0,
                width=24,
                height=9,
                links=[runbook("AwsS3BucketShrankSharply"), to("capacity", title="Capacity and cost")],
            ),
            Series(
                title="Size by class",
                says="All chosen buckets by storage class. Good: old data moves on. Choose one bucket above to see its own.",
                unit="bytes",
                queries=[Query(by_class, "{{storage_type}}", "steps")],
                connect=True,
                stacked=True,
                least=0,
            ),
            Series(
                title="Growth of a day, and what is usual",
                says=(
                    f"Dotted: mean of 14 days ± {BAND} standard deviations, known after a week. Good: inside the band. "
                    "Choose one bucket above to read it."
                ),
                unit="bytes",
                queries=[
                    Query(GROWTH, legend, "steps"),
                    Query(f"{USUAL} + {BAND} * {SPREAD}", f"{legend} usual at most", "forecast"),
                    Query(f"{USUAL} - {BAND} * {SPREAD}", f"{legend} usual at least", "forecast"),
                ],
                connect=True,
                empty="Not known before two daily values.",
            ),
            Series(
                title="How unusual the growth is",
                says=(
                    "Standard deviations (of at least 1 GB) above the mean growth of 14 days. Good: below the line. "
                    "Above it a program writes far more than it did."
                ),
                unit="none",
                queries=[Query(f"({GROWTH} - {USUAL}) / clamp_min({SPREAD}, {FLOOR:.0f})", legend, "steps")],
                limit=high(warning=number("AwsS3BucketGrowthAnomaly", "deviations", of="count")),
                connect=True,
                links=[runbook("AwsS3BucketGrowthAnomaly")],
                empty="Not known before a week of daily values.",
            ),
            Series(
                title="Age of the daily value",
                says="How old the newest size of each bucket is. Usual: up to two days. Above the line it is missing.",
                unit="s",
                queries=[Query(f"time() - {NEWEST}", legend)],
                limit=STALE,
                least=0,
                links=[runbook("AwsS3StorageMetricsStale")],
            ),
            Series(
                title="Objects",
                says="Number of objects with old versions and parts of unfinished uploads, one value a day.",
                unit="short",
                queries=[Query(OBJECTS, legend, "steps")],
                connect=True,
                table=True,
                least=0,
                width=24,
            ),
        ],
    )


def _changes() -> list[Change]:
    return [
        Change(
            name="Versioning off",
            expr=f"{VERSIONED} == 0 and ({VERSIONED} offset 1h) == 1",
            title="Versioning of {{bucket}} was turned off",
            text="What is overwritten or deleted from now on is gone.",
            colour="orange",
        ),
        Change(
            name="Made public",
            expr=f"{PUBLIC} == 1 and ({PUBLIC} offset 1h) == 0",
            title="{{bucket}} was opened to everybody",
            colour="red",
        ),
        Change(
            name="Lifecycle",
            expr=f"{EXPIRY} != ({EXPIRY} offset 1h) or {EXPIRY} unless {EXPIRY} offset 1h and on ({B}) {OWNER} offset 1h",
            title="Lifecycle of {{bucket}} was changed",
            text="Look at 'Lifecycle against what must be kept'.",
            colour="purple",
        ),
    ]


def page() -> Page:
    """The dashboard."""
    alerts = firing(
        "Alerts that fire for these buckets",
        "Alerts about S3, backups of buckets, and the stack's own use of S3. Good: nothing. Click a name for the runbook.",
        'component="s3",bucket=~"$bucket|"',
        'bucket!="",bucket=~"$bucket"',
        'component="observability",namespace=~"$namespace|"',
        height=5,
        empty="nothing fires for these buckets",
    )
    return Page(
        uid="s3",
        title="S3",
        says="Every bucket with its settings, how it grows, whether requests fail, and the stack's own buckets.",
        variables=[
            Variable(name="bucket", title="Bucket", metric=where(OWNER)),
            Variable(
                name="namespace",
                title="Stack's namespace",
                metric=where("job:observability_s3_requests:rate5m", place=("cluster",)),
            ),
        ],
        changes=_changes(),
        rows=[Row(title="Is it well?", panels=[*_stats(), alerts, _each()]), _sizes(), *s3_detail.rows()],
        since="now-90d",
        refresh="5m",
    )
