"""Valkey (ElastiCache): the page and its first screen. The rows below are in ``valkey_load`` and so on."""

from __future__ import annotations

from dashboards.build import valkey_estate, valkey_load, valkey_serverless
from dashboards.build.alert_board import firing
from dashboards.build.page import Change, Page
from dashboards.build.panels import Query, Row, Series, Stat, State, Table
from dashboards.build.queries import where
from dashboards.build.thresholds import high, number
from dashboards.build.valkey_terms import (
    BY_NODE,
    ENGINE_LIMIT,
    ETA_LIMIT,
    LAG_LIMIT,
    LOGIN_LIMIT,
    LOGINS,
    PACKETS_LIMIT,
    REPLICAS,
    THROTTLED_LIMIT,
    USAGE,
    USAGE_LIMIT,
    VARIABLES,
    group,
    known,
    serverless,
    soon,
    stores,
)

_PRIMARY = group("node:aws_elasticache_is_primary:newest")
_FAST = "node:aws_elasticache_data_usage:seconds_to_full_10m"
_SLOW = "node:aws_elasticache_data_usage:seconds_to_full_1h"
_NEVER = -1.0
_SERVICE = 'aws_service="elasticache"'


def page() -> Page:
    """The dashboard."""
    return Page(
        uid="valkey",
        title="Valkey (ElastiCache)",
        says=(
            "Valkey and Redis on ElastiCache: who is primary, what fills up and when, what is refused or lost. "
            "Choose a replication group or a serverless cache above."
        ),
        variables=VARIABLES,
        changes=_changes(),
        rows=[
            Row(title="Is it well?", panels=[*_stats(), _firing()]),
            Row(title="Memory", panels=_memory()),
            valkey_estate.nodes(),
            *valkey_load.rows(),
            valkey_serverless.row(),
            *valkey_estate.rows(),
        ],
    )


def _stats() -> list[Stat]:
    return [
        Stat(
            title="Shards without a primary",
            says="Shards that take no writes. Good: none. Else see Roles below: a failover takes a minute, not more.",
            unit="short",
            queries=[Query(f"sum({group('shard:aws_elasticache_primaries_alive:count')} == bool 0)")],
            states=[State(0, "all have one", "green")],
            limit=high(critical=1),
            empty="no data",
            height=3,
        ),
        Stat(
            title="Nodes not alive",
            says="Nodes that AWS calls unavailable, or that publish nothing. Good: none.",
            unit="short",
            queries=[Query(known(f"count({group('node:aws_elasticache_dead:info')})", _PRIMARY, 0))],
            states=[State(0, "all alive", "green")],
            limit=high(critical=1),
            empty="no data",
            height=3,
        ),
        Stat(
            title="Fullest node",
            says="Memory used by data on the fullest node, of what it may use. At 100 % it evicts keys or refuses writes.",
            unit="percentunit",
            queries=[Query(f"max({USAGE})")],
            limit=USAGE_LIMIT,
            decimals=0,
            empty="no data",
            height=3,
        ),
        Stat(
            title="First one full in",
            says=(
                "Time until the first node that may not evict is full, at the pace of the last 10 minutes (of those "
                "that are over half full) or of the last hour. Good: it does not fill."
            ),
            unit="s",
            queries=[Query(known(f"min({soon()} or {soon(slow=True)})", USAGE, _NEVER))],
            states=[State(_NEVER, "does not fill", "green")],
            limit=ETA_LIMIT,
            empty="no data",
            height=3,
        ),
        Stat(
            title="Unwanted evictions",
            says="Keys lost a second where the policy protects keys without a TTL. Good: none. Caches may evict.",
            unit="cps",
            queries=[
                Query(
                    known(
                        f"max({stores(group('node:aws_elasticache_evictions:per_second'))})",
                        group("node:aws_elasticache_evictions:per_second"),
                        0,
                    )
                )
            ],
            states=[State(0, "none", "green")],
            limit=high(warning=number("AwsElastiCacheEvictions", "evictions", of="per_second")),
            empty="no data",
            height=3,
        ),
        Stat(
            title="Age of the data",
            says="Age of the newest datapoint of CloudWatch. What stands here is as old as this. Good: under 5 minutes.",
            unit="s",
            queries=[Query(f"max({where('service:storage_exporter_data_age:seconds', also=_SERVICE)})")],
            limit=high(warning=number("StorageExporterCloudWatchLate", "age", of="seconds")),
            decimals=0,
            empty="no data",
            height=3,
        ),
        Stat(
            title="Busiest engine",
            says="Use of the engine's one main thread on the busiest node. At 100 % all commands wait.",
            unit="percentunit",
            queries=[Query(f"max({group('node:aws_elasticache_engine_cpu_utilization:ratio')})")],
            limit=ENGINE_LIMIT,
            decimals=0,
            empty="no data",
            height=3,
        ),
        Stat(
            title="Clients refused",
            says="Connections refused a second because a node has as many as it may. Good: none.",
            unit="cps",
            queries=[Query(f"max({group('node:aws_elasticache_rejected_connections:per_second')})")],
            states=[State(0, "none", "green")],
            limit=high(critical=number("AwsElastiCacheConnectionsRejected", "rejected", of="per_second")),
            empty="no data",
            height=3,
        ),
        Stat(
            title="Worst lag",
            says="By how much the worst replica is behind its primary: so much is lost if the primary dies now.",
            unit="s",
            queries=[Query(f"max({group('node:aws_elasticache_replication_lag:seconds')})")],
            limit=LAG_LIMIT,
            decimals=1,
            empty="no replica",
            height=3,
        ),
        Stat(
            title="Logins that fail",
            says="Logins that fail a second, on nodes and serverless caches. Good: none; a rotated password shows here.",
            unit="cps",
            queries=[Query(f"max({LOGINS})")],
            states=[State(0, "none", "green")],
            limit=LOGIN_LIMIT,
            empty="no data",
            height=3,
        ),
        Stat(
            title="Network held back",
            says="Packets a second that the instances' network allowances delayed or dropped. Good: none.",
            unit="pps",
            queries=[Query(f"max({group('node:aws_elasticache_network_allowance_exceeded:per_second')})")],
            states=[State(0, "none", "green")],
            limit=PACKETS_LIMIT,
            empty="no data",
            height=3,
        ),
        Stat(
            title="Serverless throttled",
            says="Commands a second that serverless caches slow down or refuse. Good: none.",
            unit="cps",
            queries=[Query(f"max({serverless('serverless:aws_elasticache_throttled_commands:per_second')})")],
            states=[State(0, "none", "green")],
            limit=THROTTLED_LIMIT,
            empty="no serverless cache",
            height=3,
        ),
    ]


def _firing() -> Table:
    return firing(
        "Firing now",
        "Alerts about what is chosen above, pages first, and for how long each fired within a day. Good: none. A name leads to its runbook.",
        'component="elasticache",replication_group_id=~"$replication_group_id|",serverless_cache=~"$serverless_cache|"',
        height=5,
        empty="nothing fires for these caches",
    )


def _memory() -> list[Series]:
    return [
        Series(
            title="Memory used, now and in 4 hours",
            says=(
                "Of what data may use (maxmemory; with data tiering memory and SSD), and dotted where it will be in 4 "
                "hours at the pace of the last 6. Good: dots under the lines. At 100 % keys are evicted or writes fail."
            ),
            unit="percentunit",
            queries=[
                Query(USAGE, "{{cache_cluster_id}}"),
                Query(
                    f"clamp(predict_linear({USAGE}[6h], 4 * 3600), 0, 1) unless on ({BY_NODE}) {REPLICAS}",
                    "{{cache_cluster_id}} in 4 h",
                    "forecast",
                ),
            ],
            limit=USAGE_LIMIT,
            least=0,
            most=1,
        ),
        Series(
            title="Time to full",
            says=(
                "How long until a primary is full at its pace of the last 10 minutes and of the last hour. No line: it "
                "does not fill, has over 30 days, or is a cache that may evict any key. Good: no line, or far up."
            ),
            unit="s",
            queries=[
                Query(stores(f"({group(_FAST)} < {30 * 86400})"), "{{cache_cluster_id}} at the pace of 10 min"),
                Query(
                    stores(f"({group(_SLOW)} < {30 * 86400})"), "{{cache_cluster_id}} at the pace of 1 h", "forecast"
                ),
            ],
            limit=ETA_LIMIT,
            log=True,
            empty="Nothing is seen to fill up within 30 days.",
        ),
        Series(
            title="Evictions of stores",
            says=(
                "Keys a second lost where the policy spares keys without a TTL (volatile-…, noeviction). Good: none: a "
                "store that evicts loses what somebody wanted to keep."
            ),
            unit="cps",
            queries=[Query(stores(group("node:aws_elasticache_evictions:per_second")), "{{cache_cluster_id}}")],
            limit=high(warning=number("AwsElastiCacheEvictions", "evictions", of="per_second")),
            width=8,
            height=7,
        ),
        Series(
            title="Evictions of caches",
            says=(
                "Keys a second that caches with a policy allkeys-… gave up for newer ones. That is their way of life; "
                "look at the hit ratio beside it. Good: steady."
            ),
            unit="cps",
            queries=[
                Query(
                    f"{group('node:aws_elasticache_evictions:per_second')} and on ({BY_NODE}) "
                    f"{group('node:aws_elasticache_evicts_any_key:info')}",
                    "{{cache_cluster_id}}",
                )
            ],
            empty="No cache here may evict any key.",
            width=8,
            height=7,
        ),
        Series(
            title="Hit ratio",
            says=(
                "Lookups that found a key, by group; dashed where the alert begins, from its usual course of a day. "
                "Good: no sudden fall. What misses goes to the database behind."
            ),
            unit="percentunit",
            queries=[
                Query(group(_HITS), "{{replication_group_id}}"),
                Query(
                    f"{number('AwsElastiCacheHitRatioDropped', 'of_usual'):g} "
                    f"* avg_over_time({group(_HITS)}[1d] offset 1h)",
                    "{{replication_group_id}}: alert below",
                    "limit",
                ),
            ],
            least=0,
            most=1,
            width=8,
            height=7,
        ),
    ]


_HITS = "replication_group:aws_elasticache_hit:ratio"


def _changes() -> list[Change]:
    primary = _PRIMARY
    return [
        Change(
            name="Failovers",
            expr=f"({primary} == 1) and on ({BY_NODE}) (last_over_time({primary}[2m] offset 2m) == 0)",
            title="{{cache_cluster_id}} became primary",
            text="A failover in {{replication_group_id}}",
            colour="red",
        ),
        Change(
            name="Events of ElastiCache",
            # Marked when the exporter reads of it, within minutes; what it finds at its start is older than that.
            expr=f"({valkey_estate.events()} > time() - 1800) unless ({valkey_estate.events()} == {valkey_estate.events('offset 5m')})",
            title="{{event}}: {{source}}",
            colour="purple",
            shown=False,
        ),
    ]
