"""Overview: a block a service, the age of the data, the money, the exporter's errors."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.build.links import Link, to
from dashboards.build.panels import Bars, Logs, Query, Series, Stat, State, Timeline
from dashboards.build.queries import where
from dashboards.build.thresholds import TIME_LEFT, Limit, high, number
from dashboards.build.volumes import by_id

_CLUSTER = ("cluster",)


def services() -> tuple[Stat, ...]:
    """Four blocks side by side, six columns each: how many and how busy, the soonest end and how much."""
    blocks = (_ebs(), _efs(), _s3(), _valkey())
    upper = [stat for block in blocks for stat in block[:2]]
    lower = [stat for block in blocks for stat in block[2:]]
    return (*upper, *lower)


def _stat(
    title: str,
    says: str,
    unit: str,
    expr: str,
    link: Link,
    limit: Limit | None = None,
    states: Sequence[State] = (),
    empty: str = "–",
    decimals: int = 0,
) -> Stat:
    return Stat(
        title=title,
        says=says,
        unit=unit,
        queries=(Query(expr),),
        leads=(link,),
        limit=limit,
        states=states,
        empty=empty,
        decimals=decimals,
        width=3,
        height=3,
    )


def _ebs() -> tuple[Stat, ...]:
    link = to("ebs-fleet", title="EBS fleet")
    return (
        _stat(
            "EBS volumes",
            "Volumes that are known here. Good is what you expect.",
            "none",
            f"count({by_id(where('aws_ebs_volume_info'))})",
            link,
        ),
        _stat(
            "EBS busiest",
            "The volume that is closest to its provisioned operations or throughput. Good is below the alert's number.",
            "percentunit",
            f"max({where('volume:aws_ebs_utilization:max')})",
            link,
            high(warning=number("AwsEbsVolumeSaturated", "utilization", of="ratio")),
        ),
        _stat(
            "EBS burst ends in",
            "The soonest end of a burst balance. Good is that none falls.",
            "s",
            f"min({where('volume:aws_ebs_burst_balance:eta_seconds')})",
            link,
            TIME_LEFT,
            (State(None, "none falls", "green"),),
            empty="none falls",
            decimals=1,
        ),
        _stat(
            "EBS provisioned",
            "Bytes of all volumes, used or not. Good is what you expect to pay for.",
            "bytes",
            f"sum({by_id(where('aws_ebs_volume_size_bytes'))})",
            link,
            decimals=1,
        ),
    )


def _efs() -> tuple[Stat, ...]:
    link = to("efs", title="EFS")
    ends = f"{where('filesystem:aws_efs_burst_credits:seconds_to_zero_30m')}"
    return (
        _stat(
            "EFS file systems",
            "File systems that are known here. Good is what you expect.",
            "none",
            f"count(group by (account_id, region, file_system_id) ({where('filesystem:aws_efs_owner:info')}))",
            link,
        ),
        _stat(
            "EFS busiest",
            "The file system that is closest to the throughput it may do now. Good is below the alert's number.",
            "percentunit",
            f"max({where('filesystem:aws_efs_throughput_utilization:ratio')})",
            link,
            high(warning=number("AwsEfsThroughputSaturated", "utilization", of="ratio")),
        ),
        _stat(
            "EFS credits end",
            "The soonest end of burst credits, as the last 30 minutes went. Good is that none falls, or days.",
            "s",
            f"min({ends})",
            link,
            TIME_LEFT,
            (State(None, "none falls", "green"),),
            empty="none falls",
            decimals=1,
        ),
        _stat(
            "EFS stored",
            "Bytes in all file systems and storage classes. Good is a slow change.",
            "bytes",
            f"sum({where('filesystem:aws_efs_storage:bytes')})",
            link,
            decimals=1,
        ),
    )


def _s3() -> tuple[Stat, ...]:
    link = to("s3", title="S3")
    return (
        _stat(
            "S3 buckets",
            "Buckets that are known here. Good is what you expect.",
            "none",
            f"count(group by (account_id, region, bucket) ({where('bucket:aws_s3_owner:info')}))",
            link,
        ),
        _stat(
            "S3 errors, worst",
            "The bucket with the highest share of server errors in the last hour. Good is 0 %.",
            "percentunit",
            f"max({where('bucket:aws_s3_server_errors:ratio1h')})",
            link,
            high(critical=number("AwsS3ServerErrors", "burn_hour", of="ratio")),
            (State(0, "none", "green"), State(None, "not measured", "gray")),
            empty="not measured",
            decimals=1,
        ),
        _stat(
            "S3 grew in a day",
            "By how much all buckets together grew from one daily value to the next. Good is the usual.",
            "bytes",
            f"sum(last_over_time({where('bucket:aws_s3_size:delta1d')}[1d]))",
            link,
            empty="one day known",
            decimals=1,
        ),
        _stat(
            "S3 stored",
            "Bytes in all buckets and storage classes, a value a day. Good is a slow change.",
            "bytes",
            f"sum({where('account:aws_s3_size:bytes')})",
            link,
            decimals=1,
        ),
    )


def _valkey() -> tuple[Stat, ...]:
    link = to("valkey", title="Valkey")
    groups = f"group by (account_id, region, replication_group_id) ({where('node:aws_elasticache_owner:info')})"
    serverless = f"group by (account_id, region, serverless_cache) ({where('aws_elasticache_serverless_info')})"
    node = "cluster, account_id, region, replication_group_id, cache_cluster_id, cache_node_id"
    used = f"max by ({node}) (last_over_time({where('aws_elasticache_node_used_memory_bytes')}[19m]))"
    return (
        _stat(
            "Valkey caches",
            "Replication groups, single nodes and serverless caches. Good is what you expect.",
            "none",
            f"count({groups} or {serverless})",
            link,
        ),
        _stat(
            "Valkey fullest",
            "The node or serverless cache with the least memory left. Good is below the alert's number.",
            "percentunit",
            f"max({where('node:aws_elasticache_data_usage:ratio')} or "
            f"{where('serverless:aws_elasticache_data_usage:ratio')})",
            link,
            high(
                warning=number("AwsElastiCacheMemoryHigh", "usage", of="ratio"),
                critical=number("AwsElastiCacheMemoryFull", "usage", of="ratio"),
            ),
        ),
        _stat(
            "Valkey full in",
            "The soonest time at which a node is full, as the last hour went; those that may evict any key are left out.",
            "s",
            f"min({where('node:aws_elasticache_data_usage:seconds_to_full_1h')} unless on ({node}) "
            f"{where('node:aws_elasticache_evicts_any_key:info')})",
            link,
            TIME_LEFT,
            (State(None, "none fills", "green"),),
            empty="none fills",
            decimals=1,
        ),
        _stat(
            "Valkey in memory",
            "Bytes in all nodes, replicas counted as well, and in serverless caches. Good is a slow change.",
            "bytes",
            f"sum({used} or {where('serverless:aws_elasticache_used:bytes')})",
            link,
            decimals=1,
        ),
    )


def ages() -> tuple[Timeline | Series, ...]:
    """How old the newest datapoint of each service is."""
    age = f"max by (aws_service) ({where('service:storage_exporter_data_age:seconds')})"
    limit = f"max by (aws_service) ({where('storage_exporter_data_age_limit_seconds')})"
    late = number("StorageExporterDataStale", "late_age", of="seconds")
    return (
        Timeline(
            title="Is the data fresh?",
            says=(
                "A band a service: fresh, older than its limit, or also older than an hour. Good is green from end to "
                "end; a gap means that nothing came at all."
            ),
            queries=(Query(f"({age} > bool {limit}) * (1 + ({age} > bool {late:g}))", "{{aws_service}}"),),
            states=(
                State(0, "fresh", "green"),
                State(1, "older than its limit", "orange"),
                State(2, "over an hour old", "red"),
            ),
            width=12,
            height=7,
        ),
        Series(
            title="Age of the newest datapoint, of what is allowed",
            says=(
                "How old the newest value of each service is, over the age from which the exporter calls it late; S3 has "
                "values by the day. Good is under 100 %."
            ),
            unit="percentunit",
            queries=(Query(f"{age} / on (aws_service) {limit}", "{{aws_service}}"),),
            limit=high(critical=1.0),
            least=0,
            width=12,
            height=7,
        ),
    )


def spent(window: str) -> str:
    """Dollars a month as the last *window* (``1h`` or ``1d``) went, one series a cluster."""
    return where(f"cluster:storage_exporter_cost:dollars_per_month_{window}", place=_CLUSTER)


def money() -> tuple[Series | Bars, ...]:
    """What asking AWS costs."""
    budget = where("storage_exporter_aws_budget_dollars_per_month", place=_CLUSTER)
    planned = where("storage_exporter_aws_projected_dollars_per_month")
    more = to("exporter", title="Exporter")
    return (
        Series(
            title="A month of AWS's API",
            says=(
                "What a month costs if it goes on as the last hour or day, against the budget where one is set. Good is "
                "below the red line; the first hour after a start is dear."
            ),
            unit="currencyUSD",
            queries=(
                Query(f"sum({spent('1h')})", "as the last hour"),
                Query(f"sum({spent('1d')})", "as the last day"),
                Query(f"sum(max by (cluster) ({budget}))", "budget", look="limit"),
            ),
            links=(more,),
            width=14,
        ),
        Bars(
            title="What the plan costs a month",
            says="What each service's part of the present plan costs in a month. Good is no surprise.",
            unit="currencyUSD",
            decimals=2,
            queries=(
                Query(
                    f"sort_desc(sum by (aws_service) (max by (cluster, account_id, region, aws_service, tier) ({planned})))",
                    "{{aws_service}}",
                ),
            ),
            links=(more,),
            width=10,
        ),
    )


def errors() -> tuple[Series | Logs, ...]:
    """What goes wrong inside the exporter."""
    # Answers that say only that something is not set up.
    harmless = "NoSuch.+|.+NotFound.*"
    bad = where("storage_exporter_aws_errors_total", also=f'code!~"{harmless}"')
    unset = where("storage_exporter_aws_errors_total", also=f'code=~"{harmless}"')
    return (
        Series(
            title="Errors of AWS's API",
            says="Requests that failed, by AWS's code. Good is only the dotted line; throttling that passes is harmless.",
            unit="ops",
            queries=(
                Query(f"sum by (aws_service, code) (rate({bad}[$__rate_interval]))", "{{aws_service}} {{code}}"),
                Query(f"sum(rate({unset}[$__rate_interval]))", "not set up (harmless)", look="forecast"),
            ),
            width=8,
            height=9,
        ),
        Logs(
            title="What the exporter logs as errors and warnings",
            says="Its own lines of the levels error and warning. Good is silence.",
            expr='{container="storage-exporter"} |~ `"level":"(?:error|warning)"`',
            width=16,
            height=9,
        ),
    )
