"""
Requests and replication of S3 buckets, as CloudWatch counts them.

AWS recommends 4xxErrors and 5xxErrors over 5 % in 15 of 15 minutes, and OperationsFailedReplication over 0 in 5 of 5:
AwsS3ClientErrors, AwsS3ServerErrors with AwsS3ServerErrorsSlow, and AwsS3ReplicationFailing. Errors are divided by
requests over the whole window, not averaged by the minute, so a quiet minute with one failure weighs what it is.
Requests are counted only where the bucket has a metrics configuration; where it has none all of this is silent.
"""

from __future__ import annotations

from rules.build.first import first
from rules.build.model import Group, Record, Threshold
from rules.build.s3_buckets import WHAT, B, alert, owned
from rules.build.words import BUCKET

REQUESTS = "filter:aws_s3_requests:per_second"
SERVER_ERRORS = "filter:aws_s3_server_errors:per_second"
CLIENT_ERRORS = "filter:aws_s3_client_errors:per_second"
SERVER_RATIO = "bucket:aws_s3_server_errors:ratio20m"
SERVER_RATIO_1H = "bucket:aws_s3_server_errors:ratio1h"
SERVER_RATIO_6H = "bucket:aws_s3_server_errors:ratio6h"
CLIENT_RATIO = "bucket:aws_s3_client_errors:ratio20m"
SERVER_RATE = "bucket:aws_s3_server_errors:per_second"
CLIENT_RATE = "bucket:aws_s3_client_errors:per_second"
LATENCY = "bucket:aws_s3_first_byte_latency:seconds"
REPLICATION_LAG = "replication:aws_s3_replication_latency:seconds"
REPLICATION_FAILED = "replication:aws_s3_replication_failed_operations:max"

_FAILING = Threshold(0.01, "per_second", "failing requests a second, mean of 20 minutes (12 in all)")


def _over(errors: str, window: str) -> str:
    """The worst filter's share of failing requests in a longer window."""
    return f"max by ({B}) (avg_over_time({errors}[{window}]) / (avg_over_time({REQUESTS}[{window}]) > 0))"


_RECORDS = [
    Record(name=REQUESTS, expr=first("aws_s3_bucket_requests_per_second")),
    Record(name=SERVER_ERRORS, expr=first("aws_s3_bucket_server_errors_per_second")),
    Record(name=CLIENT_ERRORS, expr=first("aws_s3_bucket_client_errors_per_second")),
    # Filters of a bucket may overlap, so they are not added up: the worst stands for the bucket.
    Record(name=SERVER_RATE, expr=f"max by ({B}) ({SERVER_ERRORS})"),
    Record(name=CLIENT_RATE, expr=f"max by ({B}) ({CLIENT_ERRORS})"),
    Record(name=SERVER_RATIO, expr=f"max by ({B}) ({SERVER_ERRORS} / ({REQUESTS} > 0))"),
    Record(name=SERVER_RATIO_1H, expr=_over(SERVER_ERRORS, "1h")),
    Record(name=SERVER_RATIO_6H, expr=_over(SERVER_ERRORS, "6h")),
    Record(name=CLIENT_RATIO, expr=f"max by ({B}) ({CLIENT_ERRORS} / ({REQUESTS} > 0))"),
    Record(name=LATENCY, expr=f"max by ({B}) ({first('aws_s3_bucket_first_byte_latency_seconds')})"),
]

REQUEST_GROUP = Group(
    topic="requests",
    rules=[
        *_RECORDS,
        alert(
            name="AwsS3ServerErrors",
            severity="critical",
            expr=owned(
                f"""
                    round(
                      ({SERVER_RATIO} > $share or ({SERVER_RATIO} > $burn and {SERVER_RATIO_1H} > $burn_hour))
                      and {SERVER_RATE} > $failing, 0.001)
                """,
                'bucket_component!=""',
            ),
            keep="15m",
            thresholds={
                "share": Threshold(0.05, "ratio", "of the requests of 20 minutes that S3 failed"),
                "burn": Threshold(0.0144, "ratio", "of the requests of 20 minutes, where the last hour agrees"),
                "burn_hour": Threshold(0.0144, "ratio", "of the requests of an hour (2 % of a month's 99.9 %)"),
                "failing": _FAILING,
            },
            summary=f"{BUCKET}: S3 fails {{{{ $value | humanizePercentage }}}} of its requests",
            description=f"""
                S3 answered {{{{ $value | humanizePercentage }}}} of the requests to {WHAT} with 5xx in the last 20 minutes:
                what it stores waits on local disks until they are full. Look at ObservabilityS3RequestsFailing and
                ObservabilityS3SlowDown (503 is too many requests for one prefix), at AWS's health page, and at the free
                space of the claims of that program.
            """,
        ),
        alert(
            name="AwsS3ServerErrorsSlow",
            severity="warning",
            expr=owned(f"""
                round(
                  (({SERVER_RATIO_6H} > $burn and {SERVER_RATIO_1H} > $burn_hour) or {SERVER_RATIO} > $share)
                  and {SERVER_RATE} > $failing, 0.0001)
            """),
            wait="10m",
            keep="1h",
            thresholds={
                "share": Threshold(0.05, "ratio", "of the requests of 20 minutes that S3 failed"),
                "burn": Threshold(0.003, "ratio", "of the requests of six hours"),
                "burn_hour": Threshold(0.003, "ratio", "of the requests of an hour"),
                "failing": _FAILING,
            },
            summary=f"{BUCKET}: S3 fails {{{{ $value | humanizePercentage }}}} of its requests",
            description=f"""
                S3 answered {{{{ $value | humanizePercentage }}}} of the requests to {WHAT} with 5xx. Clients retry, so this is
                slowness first and loss later. See which requests fail: the bucket's dashboard, and 503 SlowDown in the
                clients' logs.
            """,
        ),
        alert(
            name="AwsS3ClientErrors",
            severity="warning",
            expr=owned(f"round({CLIENT_RATIO} > $share and {CLIENT_RATE} > $failing, 0.001)"),
            wait="10m",
            keep="30m",
            thresholds={
                "share": Threshold(0.05, "ratio", "of the requests of 20 minutes that S3 refused"),
                "failing": Threshold(0.01, "per_second", "refused requests a second, mean of 20 minutes (12 in all)"),
            },
            summary=f"{BUCKET}: S3 refuses {{{{ $value | humanizePercentage }}}} of its requests",
            description=f"""
                S3 refused {{{{ $value | humanizePercentage }}}} of the requests to {WHAT} with 4xx in the last 20 minutes. 403
                is a lost permission, a changed bucket policy or a disabled key; 404 is a client that asks for what is not
                there. See which: the clients' logs, or CloudTrail's S3 data events.
            """,
        ),
        alert(
            name="AwsS3FirstByteLatencyHigh",
            severity="warning",
            # The recording is the slowest minute of 20: within an hour at least three of them must be slow.
            expr=owned(f"""
                round(min_over_time({LATENCY}[1h]) > $seconds, 0.01) and on ({B}) max by ({B}) ({REQUESTS}) > $requests
            """),
            wait="30m",
            keep="30m",
            thresholds={
                "seconds": Threshold(0.5, "seconds", "mean time to the first byte in the slowest minute of each 20"),
                "requests": Threshold(1, "per_second", "requests a second"),
            },
            summary=f"{BUCKET}: first bytes take {{{{ $value | humanizeDuration }}}}",
            description=f"""
                S3 needs {{{{ $value | humanizeDuration }}}} to begin an answer from {WHAT}, in every 20 minutes of the last
                hour: queries that read it are slow. Look for 503 SlowDown, for objects under one prefix, and for clients in
                another region.
            """,
        ),
    ],
)

REPLICATION_GROUP = Group(
    topic="replication",
    rules=[
        Record(name=REPLICATION_LAG, expr=first("aws_s3_bucket_replication_latency_seconds")),
        Record(name=REPLICATION_FAILED, expr=first("aws_s3_bucket_replication_failed_operations")),
        alert(
            name="AwsS3ReplicationLagging",
            severity="warning",
            expr=owned(f"round({REPLICATION_LAG} > $seconds, 60)"),
            # One slow minute is seen for 20.
            wait="30m",
            keep="30m",
            thresholds={
                "seconds": Threshold(900, "seconds", "how far the destination is behind, in the slowest minute")
            },
            summary=f"{BUCKET}: its replica is {{{{ $value | humanizeDuration }}}} behind",
            description=f"""
                {WHAT} is replicated to {{{{ $labels.destination_bucket }}}} by rule {{{{ $labels.rule_id }}}}, which is
                {{{{ $value | humanizeDuration }}}} behind. What is not there yet would be lost with this region. Look for a
                burst of writes, for failed operations, and for a key that the replication role may not use.
            """,
        ),
        alert(
            name="AwsS3ReplicationFailing",
            severity="warning",
            expr=owned(f"round({REPLICATION_FAILED}) > $operations"),
            keep="1h",
            thresholds={"operations": Threshold(0, "count", "operations that failed in the worst minute")},
            summary=f"{BUCKET}: objects are not replicated",
            description=f"""
                {{{{ printf "%.0f" $value }}}} operations a minute of {WHAT} could not be replicated to
                {{{{ $labels.destination_bucket }}}} (rule {{{{ $labels.rule_id }}}}). S3 does not try again: those objects miss
                in the replica until S3 Batch Replication is run. Check the replication role, the destination's policy and
                its key.
            """,
        ),
    ],
)
