"""
Rows of ElastiCache's nodes, replication groups and shards that are asked on request only (aws-facts 1.5.2, 1.5.3).

A table, nothing else. Groups and shards have three metrics, made for auto scaling (aws-facts 1.5.1).
"""

from __future__ import annotations

from functools import partial

from exporter.model import Fold, MetricRow, ResourceKind
from exporter.services.elasticache_kinds import (
    ASKED,
    CREDIT,
    GROUP,
    LEVEL,
    LOAD,
    MILLISECOND,
    NODE,
    NODE_TIER,
    RATE,
    SHARD,
    SLOWEST,
    burstable,
    data_tiering,
    durable,
    engine,
    may_be_primary,
    replicated,
    row,
    since,
)

_host = partial(row, NODE)
_node = partial(row, NODE, applies=engine)


def _scaling(kind: ResourceKind, prefix: str, whose: str) -> tuple[MetricRow, ...]:
    """The three rows of a group or of a shard."""
    return (
        row(
            kind, "EngineCPUUtilization", "Average", f"{prefix}_engine_cpu_utilization_ratio",
            f"Use of the engines' threads over the {whose}.", *ASKED, **LOAD,
        ),
        row(
            kind, "DatabaseMemoryUsageCountedForEvictPercentage", "Maximum",
            f"{prefix}_memory_usage_counted_for_evict_ratio",
            f"Memory usage that counts for eviction over the {whose}.", *ASKED, **LEVEL,
        ),
        row(
            kind, "DatabaseCapacityUsageCountedForEvictPercentage", "Maximum",
            f"{prefix}_capacity_usage_counted_for_evict_ratio",
            f"Capacity usage that counts for eviction over the {whose}.", *ASKED, **LEVEL,
        ),
    )  # fmt: skip


ASKED_ROWS: tuple[MetricRow, ...] = (
    _host(
        "NetworkPacketsIn", "Sum", "aws_elasticache_node_network_in_packets_per_second",
        "Packets the host received a second.", *ASKED, **RATE,
    ),
    _host(
        "NetworkPacketsOut", "Sum", "aws_elasticache_node_network_out_packets_per_second",
        "Packets the host sent a second.", *ASKED, **RATE,
    ),
    # The busiest second inside the minute: AWS's value is a second's already.
    _host(
        "NetworkMaxBytesIn", "Maximum", "aws_elasticache_node_network_in_peak_bytes_per_second",
        "Bytes received in the busiest second.", *ASKED, fold=Fold.MAX,
    ),
    _host(
        "NetworkMaxBytesOut", "Maximum", "aws_elasticache_node_network_out_peak_bytes_per_second",
        "Bytes sent in the busiest second.", *ASKED, fold=Fold.MAX,
    ),
    _host(
        "NetworkMaxPacketsIn", "Maximum", "aws_elasticache_node_network_in_peak_packets_per_second",
        "Packets received in the busiest second.", *ASKED, fold=Fold.MAX,
    ),
    _host(
        "NetworkMaxPacketsOut", "Maximum", "aws_elasticache_node_network_out_peak_packets_per_second",
        "Packets sent in the busiest second.", *ASKED, fold=Fold.MAX,
    ),
    _host(
        "NetworkBaselineMaxUsageInPercentage", "Maximum", "aws_elasticache_node_network_baseline_in_peak_usage_ratio",
        "Inbound bandwidth of the busiest second as a share of the instance's baseline.", *ASKED,
        scale=0.01, fold=Fold.MAX,
    ),
    _host(
        "NetworkBaselineMaxUsageOutPercentage", "Maximum",
        "aws_elasticache_node_network_baseline_out_peak_usage_ratio",
        "Outbound bandwidth of the busiest second as a share of the instance's baseline.", *ASKED,
        scale=0.01, fold=Fold.MAX,
    ),
    _host(
        "CPUCreditUsage", "Sum", "aws_elasticache_node_cpu_credit_usage_seconds_per_second",
        "vCPUs paid for with credits, at full use (T3, T4g).", *ASKED,
        scale=CREDIT, per_second=True, fold=Fold.MEAN, period=300, applies=burstable,
    ),
    _node(
        "UsedMemoryDataset", "Maximum", "aws_elasticache_node_dataset_memory_bytes",
        "Bytes of keys and values, as the engine estimates them.", *ASKED, fold=Fold.NEWEST,
        applies=since((7, 2), (4, 0)),
    ),
    _node(
        "AllocatorFragmentationBytes", "Maximum", "aws_elasticache_node_allocator_fragmentation_bytes",
        "Bytes lost to fragmentation that active defragmentation can win back.", *ASKED, fold=Fold.NEWEST,
    ),
    _node(
        "AllocatorFragmentationRatio", "Maximum", "aws_elasticache_node_allocator_fragmentation_ratio",
        "Fragmentation that active defragmentation can win back; 1 is none.", *ASKED, fold=Fold.NEWEST,
    ),
    _node(
        "MajorPageFaults", "Sum", "aws_elasticache_node_major_page_faults_per_second",
        "Page faults a second that had to read from disk.", *ASKED, **RATE,
    ),
    _node(
        "BlockedConnections", "Maximum", "aws_elasticache_node_blocked_connections",
        "Clients that wait in a blocking command.", *ASKED, fold=Fold.MAX,
    ),
    _node(
        "CurrVolatileItems", "Maximum", "aws_elasticache_node_volatile_items",
        "Keys that will expire; with none of them volatile-* policies evict nothing.", *ASKED, fold=Fold.NEWEST,
    ),
    _node(
        "Reclaimed", "Sum", "aws_elasticache_node_reclaimed_per_second", "Keys that expired a second.",
        *ASKED, **RATE,
    ),
    _node(
        "ReplicationBytes", "Maximum", "aws_elasticache_node_replication_bytes",
        "Bytes the primary sends to its replicas, as AWS counts them in a minute.", *ASKED, fold=Fold.MAX,
        applies=replicated,
    ),
    _node(
        "SuccessfulReadRequestLatency", "p50", "aws_elasticache_node_read_latency_p50_seconds",
        "The median of successful reads in the slowest minute.", *ASKED, **SLOWEST,
    ),
    _node(
        "SuccessfulReadRequestLatency", "Maximum", "aws_elasticache_node_read_latency_maximum_seconds",
        "The slowest successful read.", *ASKED, **SLOWEST,
    ),
    _node(
        "SuccessfulWriteRequestLatency", "p50", "aws_elasticache_node_write_latency_p50_seconds",
        "The median of successful writes in the slowest minute.", *ASKED, **SLOWEST,
    ),
    _node(
        "SuccessfulWriteRequestLatency", "Maximum", "aws_elasticache_node_write_latency_maximum_seconds",
        "The slowest successful write.", *ASKED, **SLOWEST,
    ),
    _node(
        "CommandAuthorizationFailures", "Sum", "aws_elasticache_node_command_authorization_failures_per_second",
        "Commands refused a second because the user may not run them.", *ASKED, **RATE,
    ),
    _node(
        "KeyAuthorizationFailures", "Sum", "aws_elasticache_node_key_authorization_failures_per_second",
        "Commands refused a second because the user may not touch the key.", *ASKED, **RATE,
    ),
    _node(
        "ChannelAuthorizationFailures", "Sum", "aws_elasticache_node_channel_authorization_failures_per_second",
        "Commands refused a second because the user may not use the channel.", *ASKED, **RATE,
    ),
    _node(
        "DatabaseAuthorizationFailures", "Sum", "aws_elasticache_node_database_authorization_failures_per_second",
        "Commands refused a second because the user may not use the database.", *ASKED, **RATE,
        applies=since((9, 1), None),
    ),
    _node(
        "IamAuthenticationExpirations", "Sum", "aws_elasticache_node_iam_authentication_expirations_per_second",
        "Connections authenticated by IAM that expired a second.", *ASKED, **RATE, sparse=True,
    ),
    _node(
        "IamAuthenticationThrottling", "Sum", "aws_elasticache_node_iam_authentication_throttling_per_second",
        "Authentications by IAM that were throttled a second.", *ASKED, **RATE, sparse=True,
    ),
    _node(
        "PubSubChannels", "Maximum", "aws_elasticache_node_pubsub_channels",
        "Channels with a subscriber, without sharded ones.", *ASKED, fold=Fold.MAX,
    ),
    _node(
        "PubSubShardChannels", "Maximum", "aws_elasticache_node_pubsub_shard_channels",
        "Sharded channels with a subscriber.", *ASKED, fold=Fold.MAX, applies=since((7, 2), (7, 0)),
    ),
    _node(
        "CurrItemsWithVolatileFields", "Maximum", "aws_elasticache_node_items_with_volatile_fields",
        "Keys with hash fields that will expire.", *ASKED, fold=Fold.NEWEST, applies=since((9, 0), None),
    ),
    _node(
        "ReclaimedFields", "Sum", "aws_elasticache_node_reclaimed_fields_per_second",
        "Hash fields that expired a second.", *ASKED, **RATE, applies=since((9, 0), None),
    ),
    _node(
        "DurabilityBufferExceededErrorCount", "Sum",
        "aws_elasticache_node_durability_buffer_exceeded_errors_per_second",
        "Writes refused a second because too much was not yet durable.", *ASKED, **RATE, applies=durable,
        sparse=True,
    ),
    _node(
        "ActiveDefragHits", "Sum", "aws_elasticache_node_active_defrag_hits_per_second",
        "Values that active defragmentation moved a second.", *ASKED, **RATE,
    ),
    _node(
        "KeysTracked", "Maximum", "aws_elasticache_node_keys_tracked",
        "Keys tracked for client-side caching, as AWS counts them.", *ASKED, fold=Fold.NEWEST,
    ),
    _node(
        "DB0AverageTTL", "Maximum", "aws_elasticache_node_db0_average_ttl_seconds",
        "Mean time to live of the keys of database 0; replicas do not know it.", *ASKED,
        scale=MILLISECOND, fold=Fold.NEWEST, applies=may_be_primary,
    ),
    _node(
        "DatabaseCapacityUsageCountedForEvictPercentage", "Maximum",
        "aws_elasticache_node_capacity_usage_counted_for_evict_ratio",
        "As capacity usage, of what is counted for eviction.", *ASKED, **LEVEL, applies=data_tiering,
    ),
    _node(
        "BytesReadFromDisk", "Sum", "aws_elasticache_node_disk_read_bytes_per_second",
        "Bytes read from disk a second (data tiering).", *ASKED, **RATE, applies=data_tiering,
    ),
    _node(
        "BytesWrittenToDisk", "Sum", "aws_elasticache_node_disk_written_bytes_per_second",
        "Bytes written to disk a second (data tiering).", *ASKED, **RATE, applies=data_tiering,
    ),
    _node(
        "NumItemsReadFromDisk", "Sum", "aws_elasticache_node_disk_read_items_per_second",
        "Items read from disk a second (data tiering).", *ASKED, **RATE, applies=data_tiering,
    ),
    _node(
        "NumItemsWrittenToDisk", "Sum", "aws_elasticache_node_disk_written_items_per_second",
        "Items written to disk a second (data tiering).", *ASKED, **RATE, applies=data_tiering,
    ),
    row(
        NODE_TIER, "BytesUsedForCache", "Maximum", "aws_elasticache_node_tier_used_bytes",
        "Bytes used in memory and on disk (data tiering).", *ASKED, fold=Fold.NEWEST,
    ),
    row(
        NODE_TIER, "CurrItems", "Maximum", "aws_elasticache_node_tier_items",
        "Items in memory and on disk (data tiering).", *ASKED, fold=Fold.NEWEST,
    ),
    *_scaling(GROUP, "aws_elasticache_replication_group", "replication group"),
    *_scaling(SHARD, "aws_elasticache_replication_group_shard", "shard"),
)  # fmt: skip
