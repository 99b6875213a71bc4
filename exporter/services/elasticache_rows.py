"""
What CloudWatch publishes about ElastiCache, as rows (aws-facts 1.5.2, 1.5.3; sources there): here the nodes' rows that
are asked unless the configuration says otherwise. What is asked on request is in `elasticache_rows_asked`, commands
and serverless caches are in `elasticache_rows_more`. Tables, nothing else.

A minute of a node is one sample (aws-facts 1.5.1), so a statistic says how minutes are put together, no more. Nothing
is read as zero when it is missing: a node that died publishes nothing either.

Left out: `CacheHitRate`, whose scale AWS's own words contradict (aws-facts 8): hits and misses say it. Memcached's own
metrics: a cache that keeps nothing.
"""

from __future__ import annotations

from functools import partial

from exporter.model import Fold, MetricRow
from exporter.services.base import member
from exporter.services.elasticache_kinds import (
    CREDIT,
    ESSENTIAL,
    LEVEL,
    LOAD,
    MILLISECOND,
    NODE,
    RATE,
    SERVERLESS,
    SLOWEST,
    STANDARD,
    burstable,
    data_tiering,
    durable,
    engine,
    global_secondary,
    may_be_replica,
    row,
)
from exporter.services.elasticache_rows_asked import ASKED_ROWS
from exporter.services.elasticache_rows_more import COMMAND_ROWS, SERVERLESS_ROWS

_host = partial(row, NODE)
_node = partial(row, NODE, applies=engine)

_ESSENTIAL_ROWS: tuple[MetricRow, ...] = (
    _node(
        "DatabaseMemoryUsagePercentage", "Maximum", "aws_elasticache_node_memory_usage_ratio",
        "used_memory as a share of maxmemory.", *ESSENTIAL, **LEVEL,
    ),
    _node(
        "EngineCPUUtilization", "Average", "aws_elasticache_node_engine_cpu_utilization_ratio",
        "Use of the engine's thread; the measure for nodes of 4 vCPUs and more.", *ESSENTIAL, **LOAD,
    ),
    _node(
        "IsMaster", "Maximum", "aws_elasticache_node_is_primary",
        "1 where the node was the primary of its shard in the newest minute, else 0.", *ESSENTIAL, fold=Fold.NEWEST,
    ),
    _node(
        "ReplicationLag", "Maximum", "aws_elasticache_node_replication_lag_seconds",
        "How far the replica was behind its primary in the worst minute.", *ESSENTIAL,
        fold=Fold.MAX, applies=may_be_replica,
    ),
    _node(
        "Evictions", "Sum", "aws_elasticache_node_evictions_per_second",
        "Keys evicted a second to stay under maxmemory.", *ESSENTIAL, **RATE,
    ),
    _node(
        "CurrConnections", "Maximum", "aws_elasticache_node_connections",
        "Client connections, without replicas'; 4 to 6 are ElastiCache's own.", *ESSENTIAL, fold=Fold.MAX,
    ),
    _node(
        "RejectedConnections", "Sum", "aws_elasticache_node_rejected_connections_per_second",
        "Connections refused a second because maxclients was reached.", *ESSENTIAL, **RATE,
    ),
    _node(
        "TrafficManagementActive", "Maximum", "aws_elasticache_node_traffic_management_active",
        "Share of minutes in which ElastiCache held traffic back: the node may be too small.", *ESSENTIAL,
        fold=Fold.MEAN,
    ),
)  # fmt: skip

_STANDARD_ROWS: tuple[MetricRow, ...] = (
    _host(
        "CPUUtilization", "Average", "aws_elasticache_node_cpu_utilization_ratio",
        "Use of the whole host's CPU; the measure for nodes of 2 vCPUs or less.", *STANDARD, **LOAD,
    ),
    _host(
        "FreeableMemory", "Minimum", "aws_elasticache_node_freeable_memory_bytes",
        "Memory of the host that can be freed, at the least.", *STANDARD, fold=Fold.MIN,
    ),
    _host(
        "SwapUsage", "Maximum", "aws_elasticache_node_swap_usage_bytes",
        "Swap in use on the host, at the most.", *STANDARD, fold=Fold.MAX,
    ),
    _host(
        "NetworkBytesIn", "Sum", "aws_elasticache_node_network_in_bytes_per_second",
        "Bytes the host received a second.", *STANDARD, **RATE,
    ),
    _host(
        "NetworkBytesOut", "Sum", "aws_elasticache_node_network_out_bytes_per_second",
        "Bytes the host sent a second.", *STANDARD, **RATE,
    ),
    _host(
        "NetworkBandwidthInAllowanceExceeded", "Sum",
        "aws_elasticache_node_network_bandwidth_in_allowance_exceeded_per_second",
        "Packets queued or dropped a second because inbound bandwidth exceeded the instance's.", *STANDARD, **RATE,
    ),
    _host(
        "NetworkBandwidthOutAllowanceExceeded", "Sum",
        "aws_elasticache_node_network_bandwidth_out_allowance_exceeded_per_second",
        "Packets queued or dropped a second because outbound bandwidth exceeded the instance's.", *STANDARD, **RATE,
    ),
    _host(
        "NetworkPacketsPerSecondAllowanceExceeded", "Sum",
        "aws_elasticache_node_network_packets_allowance_exceeded_per_second",
        "Packets queued or dropped a second because their number exceeded the instance's.", *STANDARD, **RATE,
    ),
    _host(
        "NetworkConntrackAllowanceExceeded", "Sum",
        "aws_elasticache_node_network_conntrack_allowance_exceeded_per_second",
        "Packets dropped a second because tracked connections exceeded the instance's.", *STANDARD, **RATE,
    ),
    _host(
        "NetworkLinkLocalAllowanceExceeded", "Sum",
        "aws_elasticache_node_network_link_local_allowance_exceeded_per_second",
        "Packets dropped a second because traffic to link-local services exceeded the instance's.",
        *STANDARD, **RATE,
    ),
    _host(
        "NetworkBaselineUsageInPercentage", "Average", "aws_elasticache_node_network_baseline_in_usage_ratio",
        "Inbound bandwidth as a share of the instance's baseline.", *STANDARD, **LOAD,
    ),
    _host(
        "NetworkBaselineUsageOutPercentage", "Average", "aws_elasticache_node_network_baseline_out_usage_ratio",
        "Outbound bandwidth as a share of the instance's baseline.", *STANDARD, **LOAD,
    ),
    _host(
        "CPUCreditBalance", "Minimum", "aws_elasticache_node_cpu_credit_balance_seconds",
        "Time for which one vCPU can be used fully on the credits left (T3, T4g).", *STANDARD,
        scale=CREDIT, fold=Fold.NEWEST, period=300, applies=burstable,
    ),
    _node(
        "BytesUsedForCache", "Maximum", "aws_elasticache_node_used_memory_bytes",
        "Bytes the engine has allocated for all purposes (used_memory).", *STANDARD, fold=Fold.NEWEST,
    ),
    _node(
        "DatabaseMemoryUsageCountedForEvictPercentage", "Maximum",
        "aws_elasticache_node_memory_usage_counted_for_evict_ratio",
        "As memory usage, without overhead and client buffers: what makes the engine evict.", *STANDARD, **LEVEL,
    ),
    _node("CurrItems", "Maximum", "aws_elasticache_node_items", "Keys.", *STANDARD, fold=Fold.NEWEST),
    _node(
        "CacheHits", "Sum", "aws_elasticache_node_hits_per_second", "Lookups a second that found a key.",
        *STANDARD, **RATE,
    ),
    _node(
        "CacheMisses", "Sum", "aws_elasticache_node_misses_per_second", "Lookups a second that found no key.",
        *STANDARD, **RATE,
    ),
    _node(
        "NewConnections", "Sum", "aws_elasticache_node_new_connections_per_second",
        "Connections accepted a second.", *STANDARD, **RATE,
    ),
    _node(
        "ErrorCount", "Sum", "aws_elasticache_node_errors_per_second", "Commands that failed a second.",
        *STANDARD, **RATE,
    ),
    _node(
        "AuthenticationFailures", "Sum", "aws_elasticache_node_authentication_failures_per_second",
        "Failed attempts to authenticate a second.", *STANDARD, **RATE,
    ),
    _node(
        "SuccessfulReadRequestLatency", "Average", "aws_elasticache_node_read_latency_seconds",
        "Mean time of a successful read in the slowest minute, inside the server.", *STANDARD, **SLOWEST,
    ),
    _node(
        "SuccessfulReadRequestLatency", "p99", "aws_elasticache_node_read_latency_p99_seconds",
        "The 99th percentile of successful reads in the slowest minute.", *STANDARD, **SLOWEST,
    ),
    _node(
        "SuccessfulWriteRequestLatency", "Average", "aws_elasticache_node_write_latency_seconds",
        "Mean time of a successful write in the slowest minute, inside the server.", *STANDARD, **SLOWEST,
    ),
    _node(
        "SuccessfulWriteRequestLatency", "p99", "aws_elasticache_node_write_latency_p99_seconds",
        "The 99th percentile of successful writes in the slowest minute.", *STANDARD, **SLOWEST,
    ),
    _node(
        "SaveInProgress", "Maximum", "aws_elasticache_node_save_in_progress",
        "Share of minutes in which a background save ran (snapshot, sync).", *STANDARD, fold=Fold.MEAN,
    ),
    _node(
        "MemoryFragmentationRatio", "Average", "aws_elasticache_node_memory_fragmentation_ratio",
        "Resident memory over used memory; below 1 the host swaps.", *STANDARD, fold=Fold.MEAN,
    ),
    _node(
        "MasterLinkHealthStatus", "Minimum", "aws_elasticache_node_primary_link_healthy",
        "Share of minutes in which the node was in sync with its source (online migration).", *STANDARD,
        fold=Fold.MEAN,
    ),
    _node(
        "DatabaseCapacityUsagePercentage", "Maximum", "aws_elasticache_node_capacity_usage_ratio",
        "Memory and disk in use as a share of both (data tiering; elsewhere it equals memory usage).", *STANDARD,
        **LEVEL, applies=data_tiering,
    ),
    _node(
        "DurabilityLag", "Maximum", "aws_elasticache_node_durability_lag_seconds",
        "Age of the oldest acknowledged write that is not yet durable; near 10 s writes are refused.", *STANDARD,
        scale=MILLISECOND, fold=Fold.MAX, applies=durable,
    ),
    # Under which dimensions it is published is not in AWS's list; the page says per node.
    _node(
        "GlobalDatastoreReplicationLag", "Maximum", "aws_elasticache_node_global_replication_lag_seconds",
        "How far a secondary region's primary was behind the primary region's in the worst minute.", *STANDARD,
        fold=Fold.MAX, applies=global_secondary,
    ),
)  # fmt: skip

ROWS: tuple[MetricRow, ...] = (*_ESSENTIAL_ROWS, *_STANDARD_ROWS, *ASKED_ROWS, *COMMAND_ROWS, *SERVERLESS_ROWS)

NODE_NEWEST_DATAPOINT = member(
    NODE, "End of the newest period CloudWatch has told of this node, unix seconds.", "aws_elasticache_node"
)
SERVERLESS_NEWEST_DATAPOINT = member(
    SERVERLESS,
    "End of the newest period CloudWatch has told of this serverless cache, unix seconds.",
    "aws_elasticache_serverless",
)
