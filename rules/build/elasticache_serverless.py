"""Rules about serverless caches: near their limits, throttled, not available, silent."""

from __future__ import annotations

from rules.build import words
from rules.build.elasticache_nodes import LIMIT
from rules.build.elasticache_terms import (
    ACCOUNTS,
    CACHES,
    SERVERLESS_CONSOLE,
    SERVERLESS_INFO,
    minutes_of,
    number_now,
)
from rules.build.first import first
from rules.build.identity import SERVERLESS
from rules.build.model import Alert, Group, Record, Threshold

USED = "serverless:aws_elasticache_used:bytes"
USED_RATIO = "serverless:aws_elasticache_data_usage:ratio"
ECPUS = "serverless:aws_elasticache_ecpus:per_second"
ECPU_RATIO = "serverless:aws_elasticache_ecpu_utilization:ratio"
THROTTLED = "serverless:aws_elasticache_throttled_commands:per_second"
UNAVAILABLE = "serverless:aws_elasticache_unavailable:max"
NEWEST = "serverless:aws_elasticache_newest_datapoint:timestamp_seconds"
AGE = "serverless:aws_elasticache_datapoint_age:seconds"

_RAISE = (
    "Raise the limit: aws elasticache modify-serverless-cache --region {{ $labels.region }} "
    "--serverless-cache-name {{ $labels.serverless_cache }} --cache-usage-limits"
)
_COMING_OR_GOING = f'{SERVERLESS_INFO}{{status=~"(?i)creating|deleting|modifying"}}'

SERVERLESS_GROUP = Group(
    topic="serverless",
    rules=[
        Record(name=USED, expr=first("aws_elasticache_serverless_used_bytes")),
        Record(
            name=USED_RATIO,
            expr=f"{USED} / (max by ({CACHES}) (aws_elasticache_serverless_data_storage_limit_bytes) > 0)",
        ),
        Record(name=ECPUS, expr=first("aws_elasticache_serverless_ecpus_per_second")),
        Record(
            name=ECPU_RATIO,
            expr=f"{ECPUS} / (max by ({CACHES}) (aws_elasticache_serverless_ecpu_limit_per_second) > 0)",
        ),
        Record(name=THROTTLED, expr=first("aws_elasticache_serverless_throttled_commands_per_second")),
        Record(
            name=UNAVAILABLE,
            expr=f"1 - min by ({CACHES}) (aws_elasticache_serverless_available) unless on ({CACHES}) {_COMING_OR_GOING}",
        ),
        Record(
            name=NEWEST,
            expr=f"""
                max by ({CACHES}) (aws_elasticache_serverless_newest_datapoint_timestamp_seconds)
                and on ({CACHES}) {SERVERLESS_INFO}
            """,
        ),
        # As for nodes: an exporter that began after the cache fell silent has no datapoint of it.
        Record(
            name=AGE,
            expr=f"""
                time() - max_over_time({NEWEST}[6h])
                and on ({CACHES}) {SERVERLESS_INFO}
                unless on ({CACHES}) {SERVERLESS_INFO}{{status=~"(?i)creating|deleting"}}
                unless on ({CACHES}) (time() - max by ({CACHES}) (aws_elasticache_serverless_created_timestamp_seconds) < 900)
            """,
        ),
        Alert(
            name="AwsElastiCacheServerlessDataNearLimit",
            severity="critical",
            component="elasticache",
            expr=minutes_of(USED_RATIO, "> bool $usage", 10, CACHES, "0.01"),
            thresholds={
                "usage": Threshold(0.9, "ratio", "data stored of the most that the cache may hold"),
                "minutes": Threshold(5, "count", "minutes of the last 10 in which it held so much"),
            },
            keep="10m",
            summary=f"{words.SERVERLESS}: {{{{ $value | humanizePercentage }}}} of its data limit is used",
            description=f"""
                It holds {number_now(USED, SERVERLESS, "humanize", "1000000")}B, {{{{ $value | humanizePercentage }}}} of its limit.
                At the limit it evicts keys with a TTL, and where there are none writes fail with OOM.
                {_RAISE} 'DataStorage={{Maximum=GIGABYTES,Unit=GB}}'. Then look for keys without a TTL.
            """,
            dashboard=words.SERVERLESS_DASHBOARD,
            console=SERVERLESS_CONSOLE,
        ),
        Alert(
            name="AwsElastiCacheServerlessThrottled",
            severity="critical",
            component="elasticache",
            expr=minutes_of(THROTTLED, "> bool $commands", 15, CACHES),
            thresholds={
                "commands": Threshold(1, "per_second", "commands throttled a second, mean of 5 minutes"),
                "minutes": Threshold(8, "count", "minutes of the last 15 in which so many were throttled"),
            },
            keep="10m",
            summary=f'{words.SERVERLESS}: throttles {{{{ printf "%.0f" $value }}}} commands a second',
            description=f"""
                Commands wait or fail, because the load grew faster than the cache can scale (it doubles in 10 to 12
                minutes) or reached its ECPU limit{{{{ with printf "{ECPU_RATIO}{{cluster='%s',account_id='%s',region='%s',serverless_cache='%s'}}" $labels.cluster
                $labels.account_id $labels.region $labels.serverless_cache | query }}}} (used:
                {{{{ . | first | value | printf "%.1f" }}}} of 1){{{{ end }}}}. Slow the callers down, and see which
                job or deploy began. {_RAISE} 'ECPUPerSecond={{Maximum=NUMBER}}'.
            """,
            dashboard=words.SERVERLESS_DASHBOARD,
            console=SERVERLESS_CONSOLE,
        ),
        Alert(
            name="AwsElastiCacheServerlessUnavailable",
            severity="critical",
            component="elasticache",
            expr=f"sum_over_time(last_over_time({UNAVAILABLE}[2m])[10m:1m]) >= $minutes and on ({CACHES}) ({UNAVAILABLE} == 1)",
            thresholds={"minutes": Threshold(3, "count", "minutes of the last 10 in which it was not available")},
            keep="10m",
            summary=f"{words.SERVERLESS}: not available",
            description="""
                AWS calls it not available, and it is not being made, changed or deleted. See why: aws elasticache
                describe-serverless-caches --region {{ $labels.region }} --serverless-cache-name
                {{ $labels.serverless_cache }}. An unusable KMS key and a failed creation are usual causes.
            """,
            dashboard=words.SERVERLESS_DASHBOARD,
            console=SERVERLESS_CONSOLE,
        ),
        Alert(
            name="AwsElastiCacheServerlessSilent",
            severity="critical",
            component="elasticache",
            expr=f"""
                round({AGE}, 60)
                and on ({CACHES}) ({AGE} - on ({ACCOUNTS}) group_left () {LIMIT} > $over)
                unless on ({CACHES}) (max_over_time({UNAVAILABLE}[10m]) == 1)
            """,
            thresholds={"over": Threshold(60, "seconds", "age of its newest datapoint above the exporter's limit")},
            wait="1m",
            keep="15m",
            summary=f"{words.SERVERLESS}: silent for {{{{ $value | humanizeDuration }}}}",
            description="""
                It has published nothing for {{ $value | humanizeDuration }}, though AWS calls it available and other
                caches report. Ask it from a pod: valkey-cli -h ENDPOINT -p 6379 --tls PING. No answer: open a case with
                AWS, and let its clients go to what is behind the cache.
            """,
            dashboard=words.SERVERLESS_DASHBOARD,
            console=SERVERLESS_CONSOLE,
        ),
        Alert(
            name="AwsElastiCacheServerlessEcpuNearLimit",
            severity="warning",
            component="elasticache",
            expr=minutes_of(ECPU_RATIO, "> bool $usage", 15, CACHES, "0.01"),
            thresholds={
                "usage": Threshold(0.8, "ratio", "ECPUs used a second of the most that are allowed, mean of 5 minutes"),
                "minutes": Threshold(10, "count", "minutes of the last 15 in which so many were used"),
            },
            keep="15m",
            summary=f"{words.SERVERLESS}: {{{{ $value | humanizePercentage }}}} of its ECPU limit is used",
            description=f"""
                It uses {number_now(ECPUS, SERVERLESS, 'printf "%.0f"', "1")} ECPUs a second. At the limit commands are
                throttled. Look which commands cost most (dashboard). {_RAISE} 'ECPUPerSecond={{Maximum=NUMBER}}'.
            """,
            dashboard=words.SERVERLESS_DASHBOARD,
            console=SERVERLESS_CONSOLE,
        ),
        Alert(
            name="AwsElastiCacheServerlessSlotNearLimit",
            severity="warning",
            component="elasticache",
            expr=f"""
                label_replace(
                  round(time() - max by ({ACCOUNTS}, source) (
                    aws_elasticache_event_timestamp_seconds{{event="slot-limit"}}
                  ), 60) < $recent,
                  "serverless_cache", "$1", "source", "(.+)"
                )
                * on ({CACHES}) group_left () group by ({CACHES}) ({SERVERLESS_INFO})
            """,
            thresholds={"recent": Threshold(7200, "seconds", "time since AWS said so")},
            keep="15m",
            summary=f"{words.SERVERLESS}: a slot nears its limit of 32 GB",
            description="""
                AWS said {{ $value | humanizeDuration }} ago that one hash slot holds nearly the 32 GB that it may. Writes to
                its keys will fail, whatever room the cache has. Which one: aws elasticache describe-events --region
                {{ $labels.region }} --source-type serverless-cache --source-identifier {{ $labels.serverless_cache }}
                --duration 1440. Split the keys that share a {hash tag}, or the one key that is so large.
            """,
            dashboard=words.SERVERLESS_DASHBOARD,
            console=SERVERLESS_CONSOLE,
        ),
    ],
)
