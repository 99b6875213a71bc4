"""What the alerts about serverless caches must do."""

from __future__ import annotations

from rules.build.cases.elasticache_world import (
    ANY,
    LIMIT,
    PLACE,
    SERVERLESS,
    SERVERLESS_INFO,
    case,
    fresh,
    scattered,
    silent_from,
)
from rules.build.cases.shapes import Case, Reading, S, Variant, between, step

_USED = "aws_elasticache_serverless_used_bytes"
_ECPUS = "aws_elasticache_serverless_ecpus_per_second"
_THROTTLED = "aws_elasticache_serverless_throttled_commands_per_second"
_AVAILABLE = "aws_elasticache_serverless_available"
_NEWEST = "aws_elasticache_serverless_newest_datapoint_timestamp_seconds"
_CREATED = "aws_elasticache_serverless_created_timestamp_seconds"
_EVENT = "aws_elasticache_event_timestamp_seconds"
_SLOT = {**PLACE, "source_type": "serverless-cache", "source": "fragments", "event": "slot-limit"}
_BYTES = S("aws_elasticache_serverless_data_storage_limit_bytes", SERVERLESS, 10_000_000_000)
_RATE = S("aws_elasticache_serverless_ecpu_limit_per_second", SERVERLESS, 5000)
_MODIFY = (
    "Raise the limit: aws elasticache modify-serverless-cache --region ap-southeast-3 --serverless-cache-name fragments"
    " --cache-usage-limits"
)


def _status(word: str) -> S:
    return S(SERVERLESS_INFO.name, {**SERVERLESS, "status": word})


CASES: list[Case] = [
    case(
        "AwsElastiCacheServerlessDataNearLimit",
        "critical",
        series=[SERVERLESS_INFO, _BYTES, S(_USED, SERVERLESS, step(20, 5e9, 9.2e9), step(20, 5e9, 8.9e9))],
        fires_at=24,
        keeps=10,
        labels=SERVERLESS,
        summary="Serverless cache fragments: 92% of its data limit is used",
        description="It holds 9.2GB, 92% of its limit. At the limit it evicts keys with a TTL, and where there are none"
        f" writes fail with OOM. {_MODIFY} 'DataStorage={{Maximum=GIGABYTES,Unit=GB}}'. Then look for keys without a TTL.",
        variants={
            "it has no limit": Variant(fires=False, drop=[_BYTES.name]),
            "its limit is nought": Variant(fires=False, series=[S(_BYTES.name, SERVERLESS, 0)]),
            "it comes and goes": Variant(
                fires=False, series=[S(_USED, SERVERLESS, scattered((11, 15), 27, 9.2e9, 5e9))], at=30
            ),
        },
    ),
    case(
        "AwsElastiCacheServerlessThrottled",
        "critical",
        series=[
            SERVERLESS_INFO,
            _RATE,
            S(_ECPUS, SERVERLESS, 5000),
            S(_THROTTLED, SERVERLESS, step(20, 0, 1.15), step(20, 0, 0.9)),
        ],
        fires_at=32,
        keeps=10,
        labels=SERVERLESS,
        summary="Serverless cache fragments: throttles 1 commands a second",
        description="Commands wait or fail, because the load grew faster than the cache can scale (it doubles in 10 to 12"
        " minutes) or reached its ECPU limit (used: 1.0 of 1). Slow the callers down, and see which job or deploy began."
        f" {_MODIFY} 'ECPUPerSecond={{Maximum=NUMBER}}'.",
        variants={
            "for three minutes": Variant(fires=False, series=[S(_THROTTLED, SERVERLESS, between(24, 26, 20, 0))]),
            "it comes and goes": Variant(
                fires=False, series=[S(_THROTTLED, SERVERLESS, scattered((5, 6), 28, 20, 0))], at=34
            ),
        },
    ),
    case(
        "AwsElastiCacheServerlessUnavailable",
        "critical",
        series=[_status("create-failed"), S(_AVAILABLE, SERVERLESS, step(20, 1, 0), between(20, 22, 0, 1))],
        fires_at=22,
        keeps=10,
        labels=SERVERLESS,
        summary="Serverless cache fragments: not available",
        description="AWS calls it not available, and it is not being made, changed or deleted. See why: aws elasticache"
        " describe-serverless-caches --region ap-southeast-3 --serverless-cache-name fragments. An unusable KMS key and a"
        " failed creation are usual causes.",
        variants={
            "it is being made": Variant(fires=False, series=[_status("creating")]),
            "it is being changed": Variant(fires=False, series=[_status("modifying")]),
            "it is being deleted": Variant(fires=False, series=[_status("DELETING")]),
            "it is back": Variant(fires=False, series=[S(_AVAILABLE, SERVERLESS, between(12, 14, 0, 1))]),
            "it was away before": Variant(
                fires=False, series=[S(_AVAILABLE, SERVERLESS, lambda minute: float(minute not in {5, 6, 22}))]
            ),
            "it comes and goes": Variant(
                fires=True, series=[S(_AVAILABLE, SERVERLESS, lambda minute: float(minute not in {14, 18, 22}))]
            ),
        },
    ),
    case(
        "AwsElastiCacheServerlessSilent",
        "critical",
        series=[
            SERVERLESS_INFO,
            LIMIT,
            ANY,
            S(_NEWEST, SERVERLESS, silent_from(17), fresh),
            S(_AVAILABLE, SERVERLESS, 1),
        ],
        fires_at=25,
        waits=1,
        keeps=15,
        labels=SERVERLESS,
        summary="Serverless cache fragments: silent for 8m 0s",
        description="It has published nothing for 8m 0s, though AWS calls it available and other caches report. Ask it"
        " from a pod: valkey-cli -h ENDPOINT -p 6379 --tls PING. No answer: open a case with AWS, and let its clients go"
        " to what is behind the cache.",
        variants={
            "AWS knows that it is down": Variant(
                fires=False, series=[S(_AVAILABLE, SERVERLESS, 0), _status("create-failed")]
            ),
            "AWS does not say": Variant(fires=True, drop=[_AVAILABLE]),
            "it has just come back": Variant(fires=False, series=[S(_AVAILABLE, SERVERLESS, step(16, 0, 1))]),
            "it came back a while ago": Variant(fires=True, series=[S(_AVAILABLE, SERVERLESS, step(14, 0, 1))]),
            "CloudWatch is late as a whole": Variant(
                fires=False, series=[S(ANY.name, ANY.labels, lambda minute: minute * 60 - 360, stays=True)]
            ),
            "it is being made": Variant(fires=False, series=[_status("creating")]),
            "it is being deleted": Variant(fires=False, series=[_status("deleting")]),
            "it is being changed": Variant(fires=True, series=[_status("modifying")]),
            "it is new": Variant(fires=False, series=[S(_CREATED, SERVERLESS, 15 * 60)]),
            "it is no longer new": Variant(fires=True, series=[S(_CREATED, SERVERLESS, 5 * 60)]),
            "rows are asked every five minutes": Variant(
                fires=False, series=[S(LIMIT.name, LIMIT.labels, 540, stays=True)]
            ),
            "it is four hours silent": Variant(
                fires=True,
                series=[S(_NEWEST, SERVERLESS, lambda minute: 17 * 60 if minute < 18 else None)],
                at=17 + 240,
            ),
        },
    ),
    case(
        "AwsElastiCacheServerlessEcpuNearLimit",
        "warning",
        series=[SERVERLESS_INFO, _RATE, S(_ECPUS, SERVERLESS, step(20, 3000, 4300), step(20, 3000, 3900))],
        fires_at=33,
        keeps=15,
        labels=SERVERLESS,
        summary="Serverless cache fragments: 86% of its ECPU limit is used",
        description="It uses 4300 ECPUs a second. At the limit commands are throttled. Look which commands cost most"
        f" (dashboard). {_MODIFY} 'ECPUPerSecond={{Maximum=NUMBER}}'.",
        variants={
            "it has no limit": Variant(fires=False, drop=[_RATE.name]),
            "its limit is nought": Variant(fires=False, series=[S(_RATE.name, SERVERLESS, 0)]),
            "it comes and goes": Variant(
                fires=False, series=[S(_ECPUS, SERVERLESS, scattered((5, 13), 28, 4300, 3000))], at=36
            ),
        },
    ),
    case(
        "AwsElastiCacheServerlessSlotNearLimit",
        "warning",
        series=[SERVERLESS_INFO, S(_EVENT, _SLOT, step(20, None, 17 * 60), -7200)],
        fires_at=20,
        keeps=15,
        labels=SERVERLESS,
        summary="Serverless cache fragments: a slot nears its limit of 32 GB",
        description="AWS said 3m 0s ago that one hash slot holds nearly the 32 GB that it may. Writes to its keys will"
        " fail, whatever room the cache has. Which one: aws elasticache describe-events --region ap-southeast-3"
        " --source-type serverless-cache --source-identifier fragments --duration 1440. Split the keys that share a"
        " {hash tag}, or the one key that is so large.",
        variants={
            "something else happened": Variant(
                fires=False, series=[S(_EVENT, {**_SLOT, "event": "modified"}, 17 * 60)]
            ),
            "it happened to a cache that is gone": Variant(
                fires=False, series=[S(_EVENT, {**_SLOT, "source": "gone"}, 17 * 60)]
            ),
            "two hours later": Variant(fires=True, series=[S(_EVENT, _SLOT, 0)], at=119),
            "later than that": Variant(fires=False, series=[S(_EVENT, _SLOT, 0)], at=136),
        },
    ),
]

READINGS: list[Reading] = []
