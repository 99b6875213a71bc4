"""Selectors and labels that the panels about Valkey share."""

from __future__ import annotations

from dashboards.build.page import Variable
from dashboards.build.queries import where
from dashboards.build.thresholds import high, low, number
from rules.build.identity import GROUP, NODE, SERVERLESS, listed

BY_NODE = listed(NODE)
BY_GROUP = listed(GROUP)
BY_SERVERLESS = listed(SERVERLESS)

VARIABLES = (
    Variable(
        name="replication_group_id", title="Replication group", metric=where("aws_elasticache_replication_group_info")
    ),
    Variable(name="serverless_cache", title="Serverless cache", metric=where("aws_elasticache_serverless_info")),
)


def group(name: str, also: str = "") -> str:
    """A metric of the chosen replication groups, their shards or nodes; with all of them also of nodes without one."""
    return where(name, "replication_group_id", also=also)


def serverless(name: str, also: str = "") -> str:
    """A metric of the chosen serverless caches."""
    return where(name, "serverless_cache", also=also)


def newest(name: str, span: str = "5m", also: str = "") -> str:
    """
    The newest value a node, of a family that no rule records.

    Args:
        name: of the family.

        span: how far to look back: the age at which the value ends (exporter/METRICS.md).

        also: further matchers.
    """
    return f"max by ({BY_NODE}) (last_over_time({group(name, also)}[{span}]))"


REPLICAS = f"({group('node:aws_elasticache_is_primary:newest')} == 0)"
"""Nodes that hold a copy only: what fills or evicts there is said of their primary."""

CACHES = group("node:aws_elasticache_evicts_any_key:info")
"""Nodes whose policy may evict any key: to be full is their way of life."""


def stores(expr: str) -> str:
    """What of *expr* is about primaries that may not lose keys, as the alerts on memory have it."""
    return f"({expr} unless on ({BY_NODE}) {CACHES} unless on ({BY_NODE}) {REPLICAS})"


def engines(expr: str) -> str:
    """What of *expr* is about Valkey and Redis: Memcached's nodes report of their hosts too."""
    memcached = group("aws_elasticache_node_info", 'engine="memcached"')
    return f"{expr} unless on ({BY_NODE}) group by ({BY_NODE}) ({memcached})"


def known(expr: str, of: str, otherwise: float) -> str:
    """
    *expr* without labels, or *otherwise* where it has no value though *of* has: so "nothing to say" is not taken for
    "nothing known".
    """
    return f"{expr} or {otherwise:g} * group({of})"


USAGE_LIMIT = high(
    warning=number("AwsElastiCacheMemoryHigh", "usage", of="ratio"),
    critical=number("AwsElastiCacheMemoryFull", "usage", of="ratio"),
)
ETA_LIMIT = low(
    warning=number("AwsElastiCacheMemoryExhaustionPredicted", "eta", of="seconds"),
    critical=number("AwsElastiCacheMemoryExhausting", "eta", of="seconds"),
)
ENGINE_LIMIT = high(
    warning=number("AwsElastiCacheEngineCpuHigh", "usage", of="ratio"),
    critical=number("AwsElastiCacheEngineCpuSaturated", "usage", of="ratio"),
)
LAG_LIMIT = high(warning=number("AwsElastiCacheReplicationLagHigh", "lag", of="seconds"))
LOGIN_LIMIT = high(warning=number("AwsElastiCacheAuthenticationFailures", "failures", of="per_second"))
PACKETS_LIMIT = high(warning=number("AwsElastiCacheNetworkThrottled", "packets", of="per_second"))
THROTTLED_LIMIT = high(critical=number("AwsElastiCacheServerlessThrottled", "commands", of="per_second"))

USAGE = group("node:aws_elasticache_data_usage:ratio")
LOGINS = (
    f"{group('node:aws_elasticache_authentication_failures:per_second')} or "
    f"{serverless('serverless:aws_elasticache_authentication_failures:per_second')}"
)


def soon(*, slow: bool = False) -> str:
    """The time to full of stores at their pace of ten minutes (or an hour), where the alert on it looks at it."""
    recording = "node:aws_elasticache_data_usage:seconds_to_full_" + ("1h" if slow else "10m")
    alert = "AwsElastiCacheMemoryExhaustionPredicted" if slow else "AwsElastiCacheMemoryExhausting"
    used = number(alert, "usage", of="ratio")
    return stores(f"({group(recording)} and on ({BY_NODE}) {USAGE} > {used:g})")
