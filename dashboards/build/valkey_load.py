"""Rows about Valkey's nodes at work: roles and replication, load, what clients log, host and network."""

from __future__ import annotations

from dashboards.build.panels import Logs, Query, Row, Series, State, Timeline
from dashboards.build.thresholds import high, low, number
from dashboards.build.valkey_terms import (
    BY_NODE,
    ENGINE_LIMIT,
    LAG_LIMIT,
    LOGIN_LIMIT,
    LOGINS,
    PACKETS_LIMIT,
    engines,
    group,
    newest,
)

_HELD_BACK = group("node:aws_elasticache_network_allowance_exceeded:per_second")
_NODE = "{{cache_cluster_id}}"
_APPLICATIONS = '{namespace=~".+", namespace!~"kube-system|loki|mimir|tempo|grafana|monitoring|observability|lgtm"}'
_CLIENT_WORDS = (
    "OOM command not allowed when used memory|READONLY You can't write against a read only|CLUSTERDOWN|"
    "MASTERDOWN Link with MASTER is down|max number of clients reached|is loading the dataset in memory|"
    "NOREPLICAS Not enough good replicas|NOAUTH Authentication required|WRONGPASS |NOPERM |MISCONF |"
    r"dial tcp \S+:6379: |E(?:CONNREFUSED|TIMEDOUT|HOSTUNREACH) \S+:6379|connecting to \S+:6379|"
    r"Unable to connect to \S+:6379|It was not possible to connect to the redis server|"
    r"lookup \S+\.cache\.amazonaws\.com"
)
_ENGINE_WORDS = (
    "(?i)Background saving error|Can't save in background: fork|Connection with (?:primary|master) lost|"
    "(?:PRIMARY|MASTER) timeout|overcoming of output buffer limits|Out Of Memory allocating|as failing|"
    r"Cluster state changed: fail|Possible SECURITY ATTACK detected|SYNC failed\. BGSAVE|"
    "Asynchronous AOF fsync is taking too long|Failover auth granted|configEpoch"
)


def rows() -> list[Row]:
    """In reading order."""
    return [
        Row(title="Roles and replication", panels=_roles()),
        Row(title="Load", panels=_load()),
        Row(title="What clients and engines log", panels=_logs()),
        Row(title="Host and network", panels=_host(), folded=True),
    ]


def _roles() -> list[Timeline | Series]:
    primary = group("node:aws_elasticache_is_primary:newest")
    dead = group("node:aws_elasticache_dead:info")
    return [
        Timeline(
            title="Who is primary",
            says=(
                "A band a node: primary, replica, or silent (it publishes nothing, or AWS calls it unavailable). A "
                "failover is where two bands change colour at once. Good: one primary a shard, no red."
            ),
            queries=[Query(f"max by ({BY_NODE}) (-1 * {dead} or on ({BY_NODE}) {primary})", _NODE)],
            states=[State(1, "primary", "blue"), State(0, "replica", "green"), State(-1, "silent", "red")],
            height=9,
        ),
        Series(
            title="Replication lag",
            says="How far each replica is behind its primary. Good: under a second; what is missing is lost in a failover.",
            unit="s",
            queries=[Query(group("node:aws_elasticache_replication_lag:seconds"), _NODE)],
            limit=LAG_LIMIT,
        ),
        Series(
            title="Link to the primary",
            says="Share of 19 minutes for which a replica's link to its primary was in sync. Good: 100 %.",
            unit="percentunit",
            queries=[Query(group("node:aws_elasticache_primary_link_healthy:ratio"), _NODE)],
            limit=low(warning=number("AwsElastiCachePrimaryLinkDown", "healthy", of="ratio")),
            least=0,
            most=1,
        ),
    ]


def _load() -> list[Series]:
    return [
        Series(
            title="Engine CPU",
            says="Use of the one thread that runs commands. Good: under the lines; more vCPUs do not help, more shards do.",
            unit="percentunit",
            queries=[Query(group("node:aws_elasticache_engine_cpu_utilization:ratio"), _NODE)],
            limit=ENGINE_LIMIT,
            least=0,
            most=1,
        ),
        Series(
            title="Host CPU",
            says=(
                "Use of all vCPUs of the host. The lower line is the alert's for hosts with 2 vCPUs, the upper for "
                "larger ones. High here and low at the engine: TLS, snapshots or too small a node."
            ),
            unit="percentunit",
            queries=[Query(engines(group("node:aws_elasticache_cpu_utilization:ratio")), _NODE)],
            limit=high(
                warning=number("AwsElastiCacheHostCpuHigh", "two_cpus", of="ratio"),
                critical=number("AwsElastiCacheHostCpuHigh", "more_cpus", of="ratio"),
            ),
            least=0,
            most=1,
        ),
        Series(
            title="Connections against their limit",
            says="Clients connected, and dashed how many may be (maxclients), on a logarithmic axis. Good: far below.",
            unit="short",
            queries=[
                Query(group("node:aws_elasticache_connections:max"), _NODE),
                Query(f"min({group('node:aws_elasticache_connections_limit:count')})", "limit", "limit"),
            ],
            log=True,
            width=8,
            quiet=True,
            height=7,
        ),
        Series(
            title="Connections used of the limit",
            says="Clients connected, of how many may be. Good: under the line; at 100 % new clients are rejected.",
            unit="percentunit",
            queries=[Query(group("node:aws_elasticache_connections_utilization:ratio"), _NODE)],
            limit=high(warning=number("AwsElastiCacheConnectionsNearLimit", "usage", of="ratio")),
            least=0,
            most=1,
            width=8,
            quiet=True,
            height=7,
        ),
        Series(
            title="Connections rejected",
            says="Clients refused a second because of that limit. Good: none.",
            unit="cps",
            queries=[Query(group("node:aws_elasticache_rejected_connections:per_second"), _NODE)],
            limit=high(critical=number("AwsElastiCacheConnectionsRejected", "rejected", of="per_second")),
            width=8,
            quiet=True,
            height=7,
        ),
        Series(
            title="Latency of reads and writes (p99)",
            says="How long the slowest hundredth of commands takes in the engine, without the network. Good: flat, under 1 ms.",
            unit="s",
            queries=[
                Query(newest("aws_elasticache_node_read_latency_p99_seconds", "19m"), f"{_NODE} reads"),
                Query(newest("aws_elasticache_node_write_latency_p99_seconds", "19m"), f"{_NODE} writes"),
            ],
            width=8,
            quiet=True,
            height=7,
        ),
        Series(
            title="Failed logins",
            says="Logins that fail a second. Good: none; after a rotation of passwords they name the forgotten client.",
            unit="cps",
            queries=[Query(LOGINS, "{{cache_cluster_id}}{{serverless_cache}}")],
            limit=LOGIN_LIMIT,
            width=8,
            quiet=True,
            height=7,
        ),
        Series(
            title="Commands that failed",
            says=(
                "Commands that ended with an error a second. Good: few and steady. Many on a node that was primary until "
                "now: clients still write to it."
            ),
            unit="cps",
            queries=[Query(group("node:aws_elasticache_errors:per_second"), _NODE)],
            limit=high(warning=number("AwsElastiCacheClientsOnOldPrimary", "errors", of="per_second")),
            width=8,
            quiet=True,
            height=7,
        ),
    ]


def _logs() -> list[Logs]:
    return [
        Logs(
            title="Clients of Valkey",
            says=(
                "What applications log about their Valkey: full (OOM), written to a replica (READONLY), refused, not "
                "reached. Good: nothing."
            ),
            expr=f"{_APPLICATIONS} |~ `{_CLIENT_WORDS}` !~ `count_over_time|storage-exporter/blob`",
            width=14,
            height=9,
        ),
        Logs(
            title="Engine log of ElastiCache",
            says="Where log delivery is on: replication, memory, saving, failovers. Good: nothing but rare notices.",
            expr=f'{{job=~".*elasticache.*"}} |~ `{_ENGINE_WORDS}`',
            width=10,
            height=9,
        ),
    ]


def _host() -> list[Series]:
    return [
        Series(
            title="Network allowance exceeded",
            says=(
                "Packets a second delayed or dropped since the host used its bandwidth, packets, tracked connections or "
                "link-local allowance. Good: none; clients see it as latency."
            ),
            unit="pps",
            queries=[
                Query(f"max by (allowance) ({_HELD_BACK})", "worst node, {{allowance}}", "area"),
                Query(f"{_HELD_BACK} > 0", f"{_NODE} {{{{allowance}}}}"),
            ],
            limit=PACKETS_LIMIT,
        ),
        Series(
            title="Use of the network baseline",
            says="Traffic in and out, of the bandwidth that the instance has for ever. Over 100 % it spends credits.",
            unit="percentunit",
            queries=[
                Query(engines(newest("aws_elasticache_node_network_baseline_in_usage_ratio", "19m")), f"{_NODE} in"),
                Query(engines(newest("aws_elasticache_node_network_baseline_out_usage_ratio", "19m")), f"{_NODE} out"),
            ],
            least=0,
        ),
        Series(
            title="Swap used",
            says="Memory of the engine on the host's disk: each touch of it is slow. Good: under the line.",
            unit="bytes",
            queries=[Query(engines(group("node:aws_elasticache_swap_usage:bytes")), _NODE)],
            limit=high(warning=number("AwsElastiCacheSwapping", "swap", of="bytes")),
            width=8,
            quiet=True,
            height=7,
        ),
        Series(
            title="Freeable memory of the host",
            says="What the host could still give. Good: steady; near 0 a snapshot or a resync cannot fork and swaps.",
            unit="bytes",
            queries=[Query(engines(group("node:aws_elasticache_freeable_memory:bytes")), _NODE)],
            least=0,
            width=8,
            quiet=True,
            height=7,
        ),
        Series(
            title="Traffic management",
            says=(
                "Share of 20 minutes in which ElastiCache slowed clients down to keep the engine alive. Good: 0 %. "
                "Else the node is too small for its commands."
            ),
            unit="percentunit",
            queries=[Query(group("node:aws_elasticache_traffic_management:ratio20m"), _NODE)],
            limit=high(warning=number("AwsElastiCacheTrafficManagementActive", "bad_minutes", of="ratio")),
            least=0,
            most=1,
            width=8,
            quiet=True,
            height=7,
        ),
    ]
