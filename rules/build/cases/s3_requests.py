"""What the alerts about requests and replication of S3 must do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from rules.build.cases.s3_world import INFO, LABELS, OTHERS, OWNED, WHAT, case, fact, there
from rules.build.cases.shapes import Reading, S, Variant, between, step

_requests = partial(fact, "requests_per_second", filter_id="EntireBucket")
_failed = partial(fact, "server_errors_per_second", filter_id="EntireBucket")
_refused = partial(fact, "client_errors_per_second", filter_id="EntireBucket")
_latency = partial(fact, "first_byte_latency_seconds", filter_id="EntireBucket")
_REPLICA = {"destination_bucket": "acme-replica", "rule_id": "all"}
_lag = partial(fact, "replication_latency_seconds", destination_bucket="acme-replica", rule_id="all")
_lost = partial(fact, "replication_failed_operations", destination_bucket="acme-replica", rule_id="all")


def _on_other_pod(series: S) -> S:
    return replace(series, labels={**series.labels, "pod": "exporter-b"})


CASES = [
    case(
        alert="AwsS3ServerErrors",
        severity="critical",
        # Three of ten requests fail: 5 % of the last 20 minutes after four of them.
        series=[INFO, _requests(50), _failed(step(60, 0, 15), good=step(60, 0, 0.7))],
        fires_at=63,
        keeps=15,
        summary="Bucket acme-loki: S3 fails 5.7% of its requests",
        description=f"S3 answered 5.7% of the requests to {WHAT} with 5xx in the last 20 minutes: what it stores waits on local "
        "disks until they are full. Look at ObservabilityS3RequestsFailing and ObservabilityS3SlowDown (503 is too many "
        "requests for one prefix), at AWS's health page, and at the free space of the claims of that program.",
        variants={
            "a bucket of nobody in the stack": Variant(fires=False, series=[OTHERS]),
            "4 % burn a month's budget": Variant(fires=True, series=[_failed(step(60, 0, 2))], at=95),
            "4 % for half an hour do not": Variant(fires=False, series=[_failed(step(60, 0, 2))], at=85),
            "1.5 % burn it": Variant(fires=True, series=[_failed(0.75)], at=95),
            "1.4 % do not": Variant(fires=False, series=[_failed(0.7)], at=95),
            "1.2 % now, more in the hour": Variant(fires=False, series=[_failed(step(70, 2, 0.6))], at=115),
            "1.9 % now, 1.1 % in the hour": Variant(fires=False, series=[_failed(step(60, 0.3, 0.95))], at=95),
            "4 % an hour ago": Variant(fires=False, series=[_failed(between(0, 60, 2, 0))], at=98),
            "a blip of two minutes": Variant(fires=False, series=[_failed(between(60, 62, 15, 0))], at=75),
            "a few of few": Variant(fires=False, series=[_requests(0.1), _failed(step(60, 0, 0.009))], at=90),
            "some of few": Variant(fires=True, series=[_requests(0.1), _failed(step(60, 0, 0.011))], at=90),
            "one of two filters": Variant(
                fires=True,
                series=[
                    _requests(50),
                    _failed(step(60, 0, 15)),
                    fact("requests_per_second", 50, filter_id="index"),
                    fact("server_errors_per_second", 0, filter_id="index"),
                ],
            ),
            "no requests": Variant(fires=False, series=[_requests(0), _failed(1)]),
        },
    ),
    case(
        alert="AwsS3ServerErrorsSlow",
        severity="warning",
        series=[INFO, _requests(10), _failed(step(60, 0, 2), good=0)],
        fires_at=75,
        waits=10,
        keeps=60,
        summary="Bucket acme-loki: S3 fails 1.7% of its requests",
        description=f"S3 answered 1.7% of the requests to {WHAT} with 5xx. Clients retry, so this is slowness first and loss "
        "later. See which requests fail: the bucket's dashboard, and 503 SlowDown in the clients' logs.",
        variants={
            "a bucket of nobody in the stack": Variant(
                fires=True, series=[OTHERS], labels={**OWNED, "bucket_component": ""}
            ),
            "0.32 % for six hours": Variant(fires=True, series=[_failed(0.032)], at=150),
            "0.28 % for six hours": Variant(fires=False, series=[_failed(0.028)], at=150),
            "0.27 % of six hours, 0.6 % of the last": Variant(
                fires=False, series=[_failed(step(300, 0.02, 0.06))], at=365
            ),
            "0.4 % of six hours, 0.25 % of the last": Variant(
                fires=False, series=[_failed(step(200, 0.05, 0.025))], at=340
            ),
            # Two minutes in which half of the requests fail: 5.1 % of twenty minutes, less than 0.3 % of six hours.
            "a burst": Variant(fires=True, series=[_failed(between(365, 367, 5.4, 0))], at=381),
            "some of few": Variant(fires=True, series=[_requests(0.1), _failed(0.012)], at=150),
            "nothing in the last hour": Variant(fires=False, series=[_failed(between(0, 60, 0.2, 0.027))], at=260),
            "a few of few": Variant(fires=False, series=[_requests(0.1), _failed(0.009)], at=150),
            "the last hour only": Variant(fires=False, series=[_failed(step(300, 0, 0.04))], at=370),
        },
    ),
    case(
        alert="AwsS3ClientErrors",
        severity="warning",
        series=[INFO, _requests(10), _refused(step(40, 0, 1), good=0.48)],
        fires_at=60,
        waits=10,
        keeps=30,
        summary="Bucket acme-loki: S3 refuses 10% of its requests",
        description=f"S3 refused 10% of the requests to {WHAT} with 4xx in the last 20 minutes. 403 is a lost permission, a "
        "changed bucket policy or a disabled key; 404 is a client that asks for what is not there. See which: the clients' "
        "logs, or CloudTrail's S3 data events.",
        variants={
            "a bucket of nobody in the stack": Variant(
                fires=True, series=[OTHERS], labels={**OWNED, "bucket_component": ""}
            ),
            "5.4 %": Variant(fires=True, series=[_refused(0.54)]),
            "a few of few": Variant(fires=False, series=[_requests(0.1), _refused(0.009)]),
            "some of few": Variant(fires=True, series=[_requests(0.1), _refused(0.011)]),
        },
    ),
    case(
        alert="AwsS3FirstByteLatencyHigh",
        severity="warning",
        series=[INFO, _requests(20), _latency(step(20, 0.1, 0.55), good=0.45)],
        fires_at=110,
        waits=30,
        keeps=30,
        summary="Bucket acme-loki: first bytes take 550ms",
        description=f"S3 needs 550ms to begin an answer from {WHAT}, in every 20 minutes of the last hour: queries that read it "
        "are slow. Look for 503 SlowDown, for objects under one prefix, and for clients in another region.",
        variants={
            "one slow minute": Variant(fires=False, series=[_latency(between(50, 51, 3, 0.1))]),
            "few requests": Variant(fires=False, series=[_requests(0.9)]),
            "few under each of two filters": Variant(
                fires=False, series=[_requests(0.9), fact("requests_per_second", 0.9, filter_id="index")]
            ),
            "few requests, many to other buckets": Variant(
                fires=False, series=[INFO, *there(INFO), _requests(0.9), *there(_requests(9))]
            ),
            "enough requests": Variant(fires=True, series=[_requests(1.1)]),
        },
    ),
    case(
        alert="AwsS3ReplicationLagging",
        severity="warning",
        series=[INFO, _lag(step(10, 30, 1000), good=850)],
        labels={**OWNED, **_REPLICA},
        fires_at=40,
        waits=30,
        keeps=30,
        summary="Bucket acme-loki: its replica is 17m 0s behind",
        description=f"{WHAT} is replicated to acme-replica by rule all, which is 17m 0s behind. What is not there yet would be "
        "lost with this region. Look for a burst of writes, for failed operations, and for a key that the replication role "
        "may not use.",
        variants={"one slow minute": Variant(fires=False, series=[_lag(between(10, 11, 2000, 30))])},
    ),
    case(
        alert="AwsS3ReplicationFailing",
        severity="warning",
        series=[INFO, _lost(step(10, 0, 3), good=0)],
        labels={**OWNED, **_REPLICA},
        fires_at=10,
        keeps=60,
        summary="Bucket acme-loki: objects are not replicated",
        description=f"3 operations a minute of {WHAT} could not be replicated to acme-replica (rule all). S3 does not try again: "
        "those objects miss in the replica until S3 Batch Replication is run. Check the replication role, the destination's "
        "policy and its key.",
        variants={
            "one minute is enough": Variant(fires=True, series=[_lost(between(5, 6, 1, 0))]),
            "an hour after it is out of sight": Variant(fires=False, series=[_lost(between(5, 6, 1, 0))], at=90),
        },
    ),
]

READINGS: list[Reading] = [
    Reading(
        name="requests are means of 20 minutes",
        series=[INFO, _requests(step(10, 30, 10))],
        expr="max by (bucket) (filter:aws_s3_requests:per_second)",
        at=19,
        samples={'{bucket="acme-loki"}': 20},
    ),
    Reading(
        name="server_errors are means of 20 minutes",
        series=[INFO, _failed(step(10, 3, 1))],
        expr="max by (bucket) (filter:aws_s3_server_errors:per_second)",
        at=19,
        samples={'{bucket="acme-loki"}': 2},
    ),
    Reading(
        name="client_errors are means of 20 minutes",
        series=[INFO, _refused(step(10, 6, 2))],
        expr="max by (bucket) (filter:aws_s3_client_errors:per_second)",
        at=19,
        samples={'{bucket="acme-loki"}': 4},
    ),
    Reading(
        name="the worst filter stands for the bucket",
        series=[
            INFO,
            _requests(10),
            _failed(1),
            fact("requests_per_second", 2, filter_id="index"),
            fact("server_errors_per_second", 0.5, filter_id="index"),
        ],
        expr="bucket:aws_s3_server_errors:ratio20m",
        at=5,
        samples={f"bucket:aws_s3_server_errors:ratio20m{{{LABELS}}}": 0.25},
    ),
    *(
        Reading(
            name=f"errors over requests of {window}, when fewer requests come and more fail",
            series=[INFO, _requests(step(400, 30, 10)), _failed(step(400, 1, 4))],
            expr=f"round(bucket:aws_s3_server_errors:ratio{window}, 0.001)",
            at=440,
            samples={f"{{{LABELS}}}": share},
        )
        for window, share in (("1h", 0.127), ("6h", 0.044))
    ),
    Reading(
        name="the worst filter stands for the bucket's refused requests",
        series=[
            INFO,
            _requests(10),
            _refused(1),
            fact("requests_per_second", 2, filter_id="index"),
            fact("client_errors_per_second", 0.5, filter_id="index"),
        ],
        expr="bucket:aws_s3_client_errors:ratio20m + bucket:aws_s3_client_errors:per_second",
        at=5,
        samples={f"{{{LABELS}}}": 1.25},
    ),
    Reading(
        name="the slowest filter stands for the bucket",
        series=[INFO, _latency(0.2), fact("first_byte_latency_seconds", 0.3, filter_id="index")],
        expr="bucket:aws_s3_first_byte_latency:seconds",
        at=5,
        samples={f"bucket:aws_s3_first_byte_latency:seconds{{{LABELS}}}": 0.3},
    ),
    Reading(
        name="two pods say the same of a replica",
        series=[INFO, _lag(60), _on_other_pod(_lag(60)), _lost(2), _on_other_pod(_lost(2))],
        expr="replication:aws_s3_replication_latency:seconds + replication:aws_s3_replication_failed_operations:max",
        at=5,
        samples={f'{{{LABELS}, destination_bucket="acme-replica", rule_id="all"}}': 62},
    ),
    Reading(
        name="errors of a day ago are not in the ratio of six hours",
        series=[INFO, _requests(10), _failed(between(0, 30, 5, 0))],
        expr="bucket:aws_s3_server_errors:ratio6h",
        at=440,
        samples={f"bucket:aws_s3_server_errors:ratio6h{{{LABELS}}}": 0},
    ),
]
