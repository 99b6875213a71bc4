"""
Rules about what a cache node has to do: its engine, its host, its connections, its network, its replicas' lag, its hits.

AWS recommends alarms on EngineCPUUtilization above 90 % (here a warning at 80 and a page at 95 %), CPUUtilization at
90 % divided by the vCPUs (AwsElastiCacheHostCpuHigh: the node type tells), CurrConnections and ReplicationLag without
numbers; and to watch failed authentications, swap, allowances and TrafficManagementActive. Left out: CPU credits
(a host without them is slow, which CPU shows), and command latencies, whose good values only their owner knows.
"""

from __future__ import annotations

from rules.build import words
from rules.build.elasticache_terms import (
    ACCOUNTS,
    GROUPS,
    NODE_IN,
    NODE_INFO,
    NODES,
    TWO_CPUS,
    minutes_of,
    number_now,
    owned,
)
from rules.build.first import counted, first
from rules.build.identity import NODE
from rules.build.model import Alert, Group, Record, Threshold

ENGINE = "node:aws_elasticache_engine_cpu_utilization:ratio"
HOST = "node:aws_elasticache_cpu_utilization:ratio"
CONNECTIONS = "node:aws_elasticache_connections:max"
CONNECTIONS_LIMIT = "node:aws_elasticache_connections_limit:count"
CONNECTIONS_USED = "node:aws_elasticache_connections_utilization:ratio"
REJECTED = "node:aws_elasticache_rejected_connections:per_second"
LAG = "node:aws_elasticache_replication_lag:seconds"
LINK = "node:aws_elasticache_primary_link_healthy:ratio"
SWAP = "node:aws_elasticache_swap_usage:bytes"
FREEABLE = "node:aws_elasticache_freeable_memory:bytes"
THROTTLED = "node:aws_elasticache_network_allowance_exceeded:per_second"
MANAGED = "node:aws_elasticache_traffic_management:ratio20m"
REFUSED = "node:aws_elasticache_authentication_failures:per_second"
REFUSED_SERVERLESS = "serverless:aws_elasticache_authentication_failures:per_second"
HITS = "node:aws_elasticache_hits:per_second"
MISSES = "node:aws_elasticache_misses:per_second"
HIT_RATIO = "replication_group:aws_elasticache_hit:ratio"

_ALLOWANCES = ("bandwidth_in", "bandwidth_out", "packets", "conntrack", "link_local")
_MAXIMUM = 65_000
"""Connections a node takes where its parameters are not known (ElastiCache's own maximum)."""


def _allowance(name: str) -> str:
    row = first(f"aws_elasticache_node_network_{name}_allowance_exceeded_per_second")
    return f'label_replace({row}, "allowance", "{name}", "", "")'


ENGINE_GROUP = Group(
    topic="engine",
    rules=[
        Record(name=ENGINE, expr=first("aws_elasticache_node_engine_cpu_utilization_ratio")),
        Alert(
            name="AwsElastiCacheEngineCpuSaturated",
            severity="critical",
            component="elasticache",
            expr=owned(minutes_of(ENGINE, "> bool $usage", 10, nearest="0.01")),
            thresholds={
                "usage": Threshold(0.95, "ratio", "use of the engine's thread, mean of 5 minutes"),
                "minutes": Threshold(5, "count", "minutes of the last 10 in which it was so high"),
            },
            keep="10m",
            summary=f"{words.CACHE_NODE}: engine at {{{{ $value | humanizePercentage }}}} CPU",
            description=f"""
                The engine of {NODE_IN} has no time left: commands queue, clients time out. Find the expensive commands:
                valkey-cli SLOWLOG GET 25. Stop what began last (a job, KEYS, a big Lua script), send reads to replicas, or add shards.
            """,
            dashboard=words.CACHE_DASHBOARD,
            console=words.CACHE_GROUP_CONSOLE,
        ),
        Alert(
            name="AwsElastiCacheEngineCpuHigh",
            severity="warning",
            component="elasticache",
            expr=owned(minutes_of(ENGINE, "> bool $usage", 15, nearest="0.01")),
            thresholds={
                "usage": Threshold(0.8, "ratio", "use of the engine's thread, mean of 5 minutes"),
                "minutes": Threshold(10, "count", "minutes of the last 15 in which it was so high"),
            },
            keep="15m",
            summary=f"{words.CACHE_NODE}: engine at {{{{ $value | humanizePercentage }}}} CPU",
            description=f"""
                The engine of {NODE_IN} is close to its limit, which is one thread for commands: a larger node of the
                same family does not help, more shards or replicas do. Look for expensive commands first: valkey-cli
                SLOWLOG GET 25.
            """,
            dashboard=words.CACHE_DASHBOARD,
            console=words.CACHE_GROUP_CONSOLE,
        ),
    ],
)

CONNECTIONS_GROUP = Group(
    topic="connections",
    rules=[
        Record(name=CONNECTIONS, expr=first("aws_elasticache_node_connections")),
        Record(
            name=CONNECTIONS_LIMIT,
            expr=f"""
                max by ({NODES}) (
                  group by ({NODES}, parameter_group) ({NODE_INFO})
                  * on ({ACCOUNTS}, parameter_group) group_left ()
                  max by ({ACCOUNTS}, parameter_group) (aws_elasticache_parameter_group_connections_limit)
                )
                or on ({NODES})
                {_MAXIMUM} * group by ({NODES}) ({NODE_INFO})
            """,
        ),
        Record(name=CONNECTIONS_USED, expr=f"{CONNECTIONS} / ({CONNECTIONS_LIMIT} > 0)"),
        Record(name=REJECTED, expr=first("aws_elasticache_node_rejected_connections_per_second")),
        Alert(
            name="AwsElastiCacheConnectionsRejected",
            severity="critical",
            component="elasticache",
            expr=owned(minutes_of(REJECTED, "> bool $rejected", 10)),
            thresholds={
                "rejected": Threshold(0.1, "per_second", "connections refused a second, mean of 5 minutes"),
                "minutes": Threshold(6, "count", "minutes of the last 10 in which so many were refused"),
            },
            keep="10m",
            summary=f"{words.CACHE_NODE}: refuses clients, maxclients is reached",
            description=f"""
                {NODE_IN} refuses {{{{ printf "%.1f" $value }}}} connections a second: all
                {number_now(CONNECTIONS_LIMIT, NODE, 'printf "%.0f"', "1")} are in use. See who holds them:
                valkey-cli CLIENT LIST. Restart the application that leaks, or free them: CONFIG SET is not allowed here,
                so set timeout (300) in the parameter group; it works at once.
            """,
            dashboard=words.CACHE_DASHBOARD,
            console=words.CACHE_GROUP_CONSOLE,
        ),
        Alert(
            name="AwsElastiCacheConnectionsNearLimit",
            severity="warning",
            component="elasticache",
            expr=owned(minutes_of(CONNECTIONS_USED, "> bool $usage", 15, nearest="0.01")),
            thresholds={
                "usage": Threshold(0.8, "ratio", "connections in use of those that the node takes"),
                "minutes": Threshold(10, "count", "minutes of the last 15 in which so many were in use"),
            },
            keep="15m",
            summary=f"{words.CACHE_NODE}: {{{{ $value | humanizePercentage }}}} of its connections are in use",
            description=f"""
                {NODE_IN} has {number_now(CONNECTIONS, NODE, 'printf "%.0f"', "1")} connections of
                {number_now(CONNECTIONS_LIMIT, NODE, 'printf "%.0f"', "1")}. When none is left, new clients are refused.
                See who holds them: valkey-cli CLIENT LIST; a client without a pool, or one that does not close, is the
                usual cause.
            """,
            dashboard=words.CACHE_DASHBOARD,
            console=words.CACHE_GROUP_CONSOLE,
        ),
    ],
)

HOSTS_GROUP = Group(
    topic="hosts",
    rules=[
        Record(name=HOST, expr=first("aws_elasticache_node_cpu_utilization_ratio")),
        Record(name=SWAP, expr=first("aws_elasticache_node_swap_usage_bytes")),
        Record(name=FREEABLE, expr=first("aws_elasticache_node_freeable_memory_bytes")),
        Record(name=THROTTLED, expr=" or ".join(_allowance(name) for name in _ALLOWANCES)),
        Record(name=MANAGED, expr=counted("aws_elasticache_node_traffic_management_active")),
        Alert(
            name="AwsElastiCacheHostCpuHigh",
            severity="warning",
            component="elasticache",
            expr=owned(
                f"""
                round(
                  ({HOST} > $two_cpus and on ({NODES}) {NODE_INFO}{{node_type=~"{TWO_CPUS}"}})
                  or
                  {HOST} > $more_cpus,
                  0.01
                )
                """
            ),
            thresholds={
                "two_cpus": Threshold(0.45, "ratio", "CPU of a host of two vCPUs (90 % of one), mean of 15 minutes"),
                "more_cpus": Threshold(0.9, "ratio", "CPU of any host, mean of 15 minutes"),
            },
            keep="20m",
            summary=f"{words.CACHE_NODE}: host at {{{{ $value | humanizePercentage }}}} CPU",
            description=f"""
                The host of {NODE_IN} has been at {{{{ $value | humanizePercentage }}}} for 15 minutes. On two vCPUs 45 %
                is what one engine thread can use: it is full. Compare with the engine's CPU on the dashboard. If
                that is low, it is TLS, snapshots or many new connections; else use a larger node or more shards.
            """,
            dashboard=words.CACHE_DASHBOARD,
            console=words.CACHE_GROUP_CONSOLE,
        ),
        Alert(
            name="AwsElastiCacheSwapping",
            severity="warning",
            component="elasticache",
            expr=owned(f"{SWAP} > $swap and on ({NODES}) ({SWAP} > on ({NODES}) {FREEABLE})"),
            thresholds={"swap": Threshold(3e8, "bytes", "swap in use on the host at the least")},
            keep="20m",
            summary=f"{words.CACHE_NODE}: swaps {{{{ $value | humanize1024 }}}}B",
            description=f"""
                The host of {NODE_IN} swaps more than it has free memory
                ({number_now(FREEABLE, NODE, "humanize1024", "1048576")}B). Latency becomes erratic, and a snapshot may
                fail. Raise reserved-memory-percent in the parameter group (25, for small nodes 30 to 50), or use a
                larger node.
            """,
            dashboard=words.CACHE_DASHBOARD,
            console=words.CACHE_GROUP_CONSOLE,
        ),
        Alert(
            name="AwsElastiCacheNetworkThrottled",
            severity="warning",
            component="elasticache",
            expr=owned(f"{THROTTLED} > $packets"),
            thresholds={
                "packets": Threshold(0.5, "per_second", "packets queued or dropped a second, mean of 15 minutes")
            },
            keep="20m",
            summary=f"{words.CACHE_NODE}: network allowance {{{{ $labels.allowance }}}} exceeded",
            description=f"""
                {{{{ printf "%.1f" $value }}}} packets a second of {NODE_IN} are queued or dropped because its instance
                may not send or receive more ({{{{ $labels.allowance }}}}). Clients see slow answers and timeouts. Look
                for large values (valkey-cli --bigkeys) and hot keys; else use a larger node or more replicas.
            """,
            dashboard=words.CACHE_DASHBOARD,
            console=words.CACHE_GROUP_CONSOLE,
        ),
        Alert(
            name="AwsElastiCacheTrafficManagementActive",
            severity="warning",
            component="elasticache",
            expr=owned(f"round({MANAGED} >= $bad_minutes, 0.01)"),
            thresholds={
                "bad_minutes": Threshold(0.5, "ratio", "share of the last 20 minutes in which traffic was held back")
            },
            keep="15m",
            summary=f"{words.CACHE_NODE}: ElastiCache holds its traffic back",
            description=f"""
                In {{{{ $value | humanizePercentage }}}} of the last 20 minutes more commands came to {NODE_IN} than its
                engine could do, and ElastiCache slowed the clients to keep it alive. Send fewer or cheaper commands
                (valkey-cli SLOWLOG GET 25), or use a larger node or more shards.
            """,
            dashboard=words.CACHE_DASHBOARD,
            console=words.CACHE_GROUP_CONSOLE,
        ),
    ],
)

CLIENTS_GROUP = Group(
    topic="clients",
    rules=[
        Record(name=LAG, expr=first("aws_elasticache_node_replication_lag_seconds")),
        Record(name=LINK, expr=first("aws_elasticache_node_primary_link_healthy")),
        Record(name=REFUSED, expr=first("aws_elasticache_node_authentication_failures_per_second")),
        Record(name=REFUSED_SERVERLESS, expr=first("aws_elasticache_serverless_authentication_failures_per_second")),
        Record(name=HITS, expr=first("aws_elasticache_node_hits_per_second")),
        Record(name=MISSES, expr=first("aws_elasticache_node_misses_per_second")),
        Record(
            name=HIT_RATIO,
            expr=f"""
                sum by ({GROUPS}) ({HITS}{{replication_group_id!=""}})
                / (
                  sum by ({GROUPS}) ({HITS}{{replication_group_id!=""}})
                  + sum by ({GROUPS}) ({MISSES}{{replication_group_id!=""}}) > 10
                )
            """,
        ),
        Alert(
            name="AwsElastiCacheReplicationLagHigh",
            severity="warning",
            component="elasticache",
            expr=owned(minutes_of(LAG, "> bool $lag", 15)),
            thresholds={
                "lag": Threshold(10, "seconds", "how far the replica was behind in the worst of 5 minutes"),
                "minutes": Threshold(10, "count", "minutes of the last 15 in which it was so far behind"),
            },
            keep="15m",
            summary=f'{words.CACHE_NODE}: replica is {{{{ printf "%.0f" $value }}}}s behind its primary',
            description=f"""
                {NODE_IN} is {{{{ printf "%.0f" $value }}}} seconds behind: reads from it are old, and a failover to it
                loses what it has not got. Look at the writes and the network of the primary, and whether a snapshot is
                running (SaveInProgress). If writes are the cause, use more shards or a larger node.
            """,
            dashboard=words.CACHE_DASHBOARD,
            console=words.CACHE_GROUP_CONSOLE,
        ),
        Alert(
            name="AwsElastiCachePrimaryLinkDown",
            severity="warning",
            component="elasticache",
            expr=owned(f"round({LINK} < $healthy, 0.01)"),
            thresholds={
                "healthy": Threshold(0.5, "ratio", "share of 15 minutes in which the node was in sync with its source")
            },
            keep="20m",
            summary=f"{words.CACHE_NODE}: not in sync with its source",
            description=f"""
                {NODE_IN} was in sync with its source in {{{{ $value | humanizePercentage }}}} of the last 15 minutes only.
                Its data is old, and it should not become primary. See the engine log (Connection with primary lost, full
                resync) and, in a migration, whether the source can be reached.
            """,
            dashboard=words.CACHE_DASHBOARD,
            console=words.CACHE_GROUP_CONSOLE,
        ),
        Alert(
            name="AwsElastiCacheAuthenticationFailures",
            severity="warning",
            component="elasticache",
            expr=f"({owned(f'{REFUSED} > $failures')}) or {REFUSED_SERVERLESS} > $failures_serverless",
            thresholds={
                "failures": Threshold(0.1, "per_second", "failed logins a second at a node, mean of 15 minutes"),
                "failures_serverless": Threshold(0.1, "per_second", "the same at a serverless cache"),
            },
            keep="20m",
            summary=f"{{{{ if $labels.serverless_cache }}}}{words.SERVERLESS}{{{{ else }}}}{words.CACHE_NODE}{{{{ end }}}}: clients fail to log in",
            description="""
                {{ printf "%.1f" $value }} logins a second fail. Either a client has an old password (was one rotated?
                search the logs for WRONGPASS and NOAUTH), or somebody tries. See from where: valkey-cli ACL LOG shows
                address and user. Repair the client's secret and restart it.
            """,
            dashboard=words.ANY_CACHE_DASHBOARD,
        ),
        Alert(
            name="AwsElastiCacheHitRatioDropped",
            severity="info",
            component="elasticache",
            expr=f"round({HIT_RATIO}, 0.01) and on ({GROUPS}) ({HIT_RATIO} / (avg_over_time({HIT_RATIO}[1d] offset 1h) > 0) < $of_usual)",
            thresholds={"of_usual": Threshold(0.7, "ratio", "hit ratio now over that of the day before")},
            keep="30m",
            summary=f"{words.CACHE_GROUP}: hit ratio fell to {{{{ $value | humanizePercentage }}}}",
            description="""
                {{ $value | humanizePercentage }} of lookups find a key, usually
                much more: the database behind it gets the rest. Was the cache emptied (failover, FLUSHALL, evictions), or did a deploy change keys or TTLs?
            """,
            dashboard=words.CACHE_DASHBOARD,
            console=words.CACHE_GROUP_CONSOLE,
        ),
    ],
)
"""The cache's clients and replicas."""
