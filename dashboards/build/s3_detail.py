"""S3, further down the page: requests, replication, the observability stack's buckets."""

from __future__ import annotations

from dashboards.build import s3_settings
from dashboards.build.links import runbook
from dashboards.build.panels import Logs, Query, Row, Series
from dashboards.build.queries import most
from dashboards.build.s3_terms import B, chosen, stack
from dashboards.build.thresholds import high, low, number

DAY, HOURS = "24h", "6h"
"""What is looked at by the minute needs its own range beside 90 days of daily values."""

_STACK = (
    '{namespace=~"loki|mimir|tempo|grafana|monitoring|observability|lgtm",namespace=~"$namespace",'
    'container!="storage-exporter",cluster=~"$cluster"}'
)
_QUOTED = '!~ `count_over_time|query"?[=:]|storage-exporter/blob`'


def rows() -> list[Row]:
    """The rows."""
    return [_requests(), _observability(), s3_settings.settings(), _replication(), s3_settings.owners()]


def _requests() -> Row:
    p99 = most(f"last_over_time({chosen('aws_s3_bucket_first_byte_latency_p99_seconds')}[20m])", B)
    return Row(
        title="Requests in 24 hours (only of buckets with a metrics configuration)",
        panels=[
            Series(
                title="Requests",
                says="Requests a second by bucket and filter. A sudden 0 of a busy bucket is a client that lost it.",
                unit="reqps",
                span=DAY,
                queries=[Query(chosen("filter:aws_s3_requests:per_second"), "{{bucket}} {{filter_id}}")],
                least=0,
                empty="No bucket here has a metrics configuration.",
            ),
            Series(
                title="Server errors (5xx)",
                says="Share of the requests that S3 failed, over 20 minutes and six hours. Good: near 0. Red line: pages.",
                unit="percentunit",
                span=DAY,
                queries=[
                    Query(chosen("bucket:aws_s3_server_errors:ratio20m"), "{{bucket}} (20 min)"),
                    Query(chosen("bucket:aws_s3_server_errors:ratio6h"), "{{bucket}} (6 h)", "forecast"),
                ],
                limit=high(
                    warning=number("AwsS3ServerErrorsSlow", "burn", of="ratio"),
                    critical=number("AwsS3ServerErrors", "share", of="ratio"),
                ),
                least=0,
                links=[runbook("AwsS3ServerErrors")],
                empty="No bucket here has a metrics configuration.",
            ),
            Series(
                title="Refused requests (4xx)",
                says="Share of the requests that S3 refused in 20 minutes: 403 is a lost permission, 404 may be normal.",
                unit="percentunit",
                span=DAY,
                queries=[Query(chosen("bucket:aws_s3_client_errors:ratio20m"), "{{bucket}}")],
                limit=high(warning=number("AwsS3ClientErrors", "share", of="ratio")),
                least=0,
                links=[runbook("AwsS3ClientErrors")],
                empty="No bucket here has a metrics configuration.",
            ),
            Series(
                title="Time to the first byte",
                says="Mean of the slowest minute, and (dotted) what 99 % stay within. Good: mean below the line.",
                unit="s",
                span=DAY,
                queries=[
                    Query(chosen("bucket:aws_s3_first_byte_latency:seconds"), "{{bucket}}"),
                    Query(p99, "{{bucket}} (99 %)", "forecast"),
                ],
                limit=high(warning=number("AwsS3FirstByteLatencyHigh", "seconds", of="seconds")),
                least=0,
                links=[runbook("AwsS3FirstByteLatencyHigh")],
                empty="No bucket here has a metrics configuration.",
            ),
        ],
    )


def _observability() -> Row:
    who = "{{namespace}}/{{job}}"
    unshipped = stack("job:observability_oldest_unshipped_block:timestamp")
    return Row(
        title="The stack's own buckets in 24 hours, as Mimir, Loki and Tempo see them",
        panels=[
            Series(
                title="Failed requests of the stack to S3",
                says="Share of the clients' own requests that failed in 5 minutes. Good: 0. Above the line data waits on disks.",
                unit="percentunit",
                span=DAY,
                height=6,
                queries=[Query(stack("job:observability_s3_failures:ratio5m"), f"{who} {{{{program}}}}")],
                limit=high(critical=number("ObservabilityS3RequestsFailing", "share", of="ratio")),
                least=0,
                links=[runbook("ObservabilityS3RequestsFailing")],
                empty="The stack's own metrics are not here.",
            ),
            Series(
                title="Refused and slowed down",
                says="403 a second (identity or permission lost) and 503 SlowDown a second. Good: 0.",
                unit="reqps",
                span=DAY,
                height=6,
                queries=[
                    Query(stack("job:observability_s3_denied:rate5m"), f"{who} refused"),
                    Query(stack("job:observability_s3_slowdown:rate5m"), f"{who} slowed down"),
                ],
                limit=high(
                    warning=number("ObservabilityS3Denied", "denied", of="per_second"),
                    critical=number("ObservabilityS3SlowDown", "slowed", of="per_second"),
                ),
                least=0,
                links=[runbook("ObservabilityS3Denied")],
                empty="Nothing tells of refusals.",
            ),
            Series(
                title="Requests of the stack to S3",
                says="What each client asks a second, by its own count. Good: steady.",
                unit="reqps",
                span=DAY,
                height=6,
                queries=[Query(stack("job:observability_s3_requests:rate5m"), f"{who} {{{{program}}}}")],
                least=0,
                empty="The stack's own metrics are not here.",
            ),
            Series(
                title="Oldest block that is not in the bucket",
                says="Age of the oldest block that an ingester has not shipped. Good: below the line; above it is lost with its disk.",
                unit="s",
                span=DAY,
                height=6,
                queries=[Query(f"time() - {unshipped}", who)],
                limit=high(critical=number("ObservabilityBlocksNotShipped", "age", of="seconds")),
                least=0,
                links=[runbook("ObservabilityBlocksNotShipped")],
                empty="Every block is shipped, or Mimir's metrics are not here.",
            ),
            Series(
                title="Failed writes to the bucket",
                says="Writes a second that failed, by namespace. Good: 0. While it lasts the claims beside fill up.",
                unit="reqps",
                span=DAY,
                height=6,
                queries=[Query(stack("namespace:observability_flush_failures:rate15m"), "{{namespace}}")],
                limit=high(warning=number("ObservabilityFlushFailingDiskFilling", "failures", of="per_second")),
                least=0,
                links=[runbook("ObservabilityFlushFailingDiskFilling")],
                empty="The stack's own metrics are not here.",
            ),
            Series(
                title="Claims of the stack: time until full",
                says="At the pace of 30 minutes. No line: not filling. Below the line there is half a day or less.",
                unit="s",
                span=DAY,
                height=6,
                queries=[
                    Query(
                        stack("claim:observability_volume:seconds_to_full"), "{{namespace}}/{{persistentvolumeclaim}}"
                    )
                ],
                limit=low(critical=number("ObservabilityFlushFailingDiskFilling", "time", of="seconds")),
                log=True,
                links=[runbook("ObservabilityFlushFailingDiskFilling")],
                empty="No claim of the stack fills up.",
            ),
            Logs(
                title="What the stack says of its buckets",
                span=HOURS,
                says="Writes that fail and data that is lost, in the words of Mimir, Loki and Tempo. Good: nothing.",
                expr=(
                    f"{_STACK} |~ `failed to flush|failed to upload|error writing object|shipping failed|"
                    f"to synchronize TSDB blocks|POSSIBLE DATA LOSS|no space left on device|SlowDown` {_QUOTED}"
                ),
                width=12,
                links=[runbook("ObservabilityObjectStoreFailing")],
            ),
            Logs(
                title="Refusals of S3 and KMS, in the stack's logs",
                span=HOURS,
                says="A lost identity, a changed policy, a disabled key. Good: nothing.",
                expr=(
                    f"{_STACK} |~ `\\bAccessDenied|Access Denied|InvalidAccessKeyId|ExpiredToken|KMS\\.\\w+Exception|"
                    f"NoSuchBucket` {_QUOTED}"
                ),
                width=12,
                links=[runbook("ObservabilityObjectStoreDenied")],
            ),
        ],
    )


def _replication() -> Row:
    legend = "{{bucket}} to {{destination_bucket}}"
    pending = most(
        f"last_over_time({chosen('aws_s3_bucket_replication_pending_bytes')}[20m])", B, "destination_bucket", "rule_id"
    )
    return Row(
        title="Replication in 24 hours",
        panels=[
            Series(
                title="Replica is behind by",
                says="The slowest minute of each rule. Good: below the line. What is newer would be lost with the region.",
                unit="s",
                span=DAY,
                queries=[Query(chosen("replication:aws_s3_replication_latency:seconds"), legend)],
                limit=high(warning=number("AwsS3ReplicationLagging", "seconds", of="seconds")),
                least=0,
                width=8,
                links=[runbook("AwsS3ReplicationLagging")],
                empty="No replication rule here has metrics.",
            ),
            Series(
                title="Not replicated",
                says="In the worst minute. Good: 0. S3 does not try again: run S3 Batch Replication.",
                unit="none",
                span=DAY,
                queries=[Query(chosen("replication:aws_s3_replication_failed_operations:max"), legend)],
                least=0,
                width=8,
                links=[runbook("AwsS3ReplicationFailing")],
                empty="No replication rule here has metrics.",
            ),
            Series(
                title="Bytes that wait to be replicated",
                says="Good: falls back to 0 after each burst of writes.",
                unit="bytes",
                span=DAY,
                queries=[Query(pending, legend)],
                least=0,
                width=8,
                empty="No replication rule here has metrics.",
            ),
        ],
    )
