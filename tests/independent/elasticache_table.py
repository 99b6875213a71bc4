"""
What every CloudWatch family of ElastiCache must be made of, written by hand from aws-facts 1.5, 1.7 and 4.4.

As in `table`: names, labels, folds and intervals are the interface, the rest is AWS's documentation. Nodes are asked
under the pair {CacheClusterId, CacheNodeId}, which is safe for every metric. Which families of commands there are is
from the ElastiCache User Guide ("Metrics for Valkey and Redis OSS", "Serverless cache metrics"). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.independent.metric import Condition, Facts, metrics_of

ENGINES = ("valkey", "redis")


def _since(major: int, minor: int) -> Condition:
    """Valkey of that version at least."""

    def holds(facts: Facts) -> bool:
        version = [int(part) for part in str(facts["version"]).split(".")[:2]]
        return facts["engine"] == "valkey" and version >= [major, minor]

    return holds


CONDITIONS: Mapping[str, Condition] = {
    "engine": lambda facts: facts["engine"] in ENGINES,
    "burstable": lambda facts: str(facts["type"]).startswith(("cache.t3.", "cache.t4g.")),
    "tiered": lambda facts: bool(facts["tiered"]),
    "replicated": lambda facts: bool(facts["replicated"]),
    "no-primary": lambda facts: facts["role"] != "primary",
    "no-replica": lambda facts: facts["role"] != "replica",
    "durable": lambda facts: facts["durability"] in ("async", "sync"),
    "secondary": lambda facts: str(facts["global_role"]).lower() == "secondary",
    "valkey-9.0": _since(9, 0),
    "valkey-9.1": _since(9, 1),
}

DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "cache-node": ("CacheClusterId", "CacheNodeId"),
    "cache-tier": ("CacheClusterId", "CacheNodeId", "Tier"),
    "cache-group": ("ReplicationGroupId",),
    "cache-shard": ("ReplicationGroupId", "NodeGroupId"),
    "serverless-cache": ("clusterId",),
}

NODE = ("replication_group_id", "cache_cluster_id", "cache_node_id")
GROUP = ("replication_group_id",)
CLUSTER = ("cache_cluster_id",)
SHARD = ("replication_group_id", "node_group_id")
SERVERLESS = ("serverless_cache",)
EITHER = ("replication_group_id", "cache_cluster_id")

LABELS: Mapping[str, tuple[str, ...]] = {
    "cache-node": NODE,
    "cache-tier": (*NODE, "tier"),
    "cache-group": GROUP,
    "cache-shard": SHARD,
    "serverless-cache": SERVERLESS,
}

TIERS = ("Memory", "SSD")
"""Values of the dimension Tier (aws-facts 1.5.1)."""

_TABLE = """
# aws-facts 1.5.3: what tells that a cache is in trouble
cache-node AWS/ElastiCache aws_elasticache_node_
memory_usage_ratio                      DatabaseMemoryUsagePercentage Maximum percent newest 60 60 essential engine
memory_usage_counted_for_evict_ratio    DatabaseMemoryUsageCountedForEvictPercentage Maximum percent newest 60 900 standard engine
engine_cpu_utilization_ratio            EngineCPUUtilization    Average percent mean   60 60  essential engine
is_primary                              IsMaster                Maximum as-is   newest 60 60  essential engine
replication_lag_seconds                 ReplicationLag          Maximum as-is   max    60 60  essential engine replicated no-primary
evictions_per_second                    Evictions               Sum     sum     mean   60 60  essential engine
connections                             CurrConnections         Maximum as-is   max    60 60  essential engine
rejected_connections_per_second         RejectedConnections     Sum     sum     mean   60 60  essential engine
traffic_management_active               TrafficManagementActive Maximum as-is   mean   60 60  essential engine

# aws-facts 1.5.2: the host
cpu_utilization_ratio                   CPUUtilization          Average percent mean   60 900 standard
freeable_memory_bytes                   FreeableMemory          Minimum as-is   min    60 900 standard
swap_usage_bytes                        SwapUsage               Maximum as-is   max    60 900 standard
network_in_bytes_per_second             NetworkBytesIn          Sum     sum     mean   60 900 standard
network_out_bytes_per_second            NetworkBytesOut         Sum     sum     mean   60 900 standard
network_bandwidth_in_allowance_exceeded_per_second  NetworkBandwidthInAllowanceExceeded Sum sum mean 60 900 standard
network_bandwidth_out_allowance_exceeded_per_second NetworkBandwidthOutAllowanceExceeded Sum sum mean 60 900 standard
network_packets_allowance_exceeded_per_second       NetworkPacketsPerSecondAllowanceExceeded Sum sum mean 60 900 standard
network_conntrack_allowance_exceeded_per_second     NetworkConntrackAllowanceExceeded Sum sum mean 60 900 standard
network_link_local_allowance_exceeded_per_second    NetworkLinkLocalAllowanceExceeded Sum sum mean 60 900 standard
network_baseline_in_usage_ratio         NetworkBaselineUsageInPercentage     Average percent mean 60 900 standard
network_baseline_out_usage_ratio        NetworkBaselineUsageOutPercentage    Average percent mean 60 900 standard
network_in_packets_per_second           NetworkPacketsIn        Sum     sum     mean   60 900 on-request
network_out_packets_per_second          NetworkPacketsOut       Sum     sum     mean   60 900 on-request
network_in_peak_bytes_per_second        NetworkMaxBytesIn       Maximum as-is   max    60 900 on-request
network_out_peak_bytes_per_second       NetworkMaxBytesOut      Maximum as-is   max    60 900 on-request
network_in_peak_packets_per_second      NetworkMaxPacketsIn     Maximum as-is   max    60 900 on-request
network_out_peak_packets_per_second     NetworkMaxPacketsOut    Maximum as-is   max    60 900 on-request
network_baseline_in_peak_usage_ratio    NetworkBaselineMaxUsageInPercentage  Maximum percent max 60 900 on-request
network_baseline_out_peak_usage_ratio   NetworkBaselineMaxUsageOutPercentage Maximum percent max 60 900 on-request
cpu_credit_balance_seconds              CPUCreditBalance Minimum vcpu-minutes newest 300 900 standard burstable
cpu_credit_usage_seconds_per_second     CPUCreditUsage   Sum     sum-vcpu-minutes mean 300 900 on-request burstable

# aws-facts 1.5.3: memory and keys
used_memory_bytes                       BytesUsedForCache       Maximum as-is   newest 60 900 standard   engine
items                                   CurrItems               Maximum as-is   newest 60 900 standard   engine
memory_fragmentation_ratio              MemoryFragmentationRatio Average as-is  mean   60 900 standard   engine
capacity_usage_ratio                    DatabaseCapacityUsagePercentage Maximum percent newest 60 900 standard engine if:tiered
capacity_usage_counted_for_evict_ratio  DatabaseCapacityUsageCountedForEvictPercentage Maximum percent newest 60 900 on-request engine if:tiered
dataset_memory_bytes                    UsedMemoryDataset       Maximum as-is   newest 60 900 on-request engine
allocator_fragmentation_bytes           AllocatorFragmentationBytes Maximum as-is newest 60 900 on-request engine
allocator_fragmentation_ratio           AllocatorFragmentationRatio Maximum as-is newest 60 900 on-request engine
major_page_faults_per_second            MajorPageFaults         Sum     sum     mean   60 900 on-request engine
volatile_items                          CurrVolatileItems       Maximum as-is   newest 60 900 on-request engine
reclaimed_per_second                    Reclaimed               Sum     sum     mean   60 900 on-request engine
items_with_volatile_fields              CurrItemsWithVolatileFields Maximum as-is newest 60 900 on-request valkey-9.0
reclaimed_fields_per_second             ReclaimedFields         Sum     sum     mean   60 900 on-request valkey-9.0
active_defrag_hits_per_second           ActiveDefragHits        Sum     sum     mean   60 900 on-request engine
keys_tracked                            KeysTracked             Maximum as-is   newest 60 900 on-request engine
db0_average_ttl_seconds                 DB0AverageTTL           Maximum ms      newest 60 900 on-request engine if:no-replica
disk_read_bytes_per_second              BytesReadFromDisk       Sum     sum     mean   60 900 on-request engine tiered
disk_written_bytes_per_second           BytesWrittenToDisk      Sum     sum     mean   60 900 on-request engine tiered
disk_read_items_per_second              NumItemsReadFromDisk    Sum     sum     mean   60 900 on-request engine tiered
disk_written_items_per_second           NumItemsWrittenToDisk   Sum     sum     mean   60 900 on-request engine tiered

# aws-facts 1.5.3: clients and their commands
hits_per_second                         CacheHits               Sum     sum     mean   60 900 standard   engine
misses_per_second                       CacheMisses             Sum     sum     mean   60 900 standard   engine
new_connections_per_second              NewConnections          Sum     sum     mean   60 900 standard   engine
blocked_connections                     BlockedConnections      Maximum as-is   max    60 900 on-request engine
errors_per_second                       ErrorCount              Sum     sum     mean   60 900 standard   engine
read_latency_seconds                    SuccessfulReadRequestLatency  Average us max   60 900 standard   engine
read_latency_p99_seconds                SuccessfulReadRequestLatency  p99     us max   60 900 standard   engine
read_latency_p50_seconds                SuccessfulReadRequestLatency  p50     us max   60 900 on-request engine
read_latency_maximum_seconds            SuccessfulReadRequestLatency  Maximum us max   60 900 on-request engine
write_latency_seconds                   SuccessfulWriteRequestLatency Average us max   60 900 standard   engine
write_latency_p99_seconds               SuccessfulWriteRequestLatency p99     us max   60 900 standard   engine
write_latency_p50_seconds               SuccessfulWriteRequestLatency p50     us max   60 900 on-request engine
write_latency_maximum_seconds           SuccessfulWriteRequestLatency Maximum us max   60 900 on-request engine
commands_per_second                     ProcessedCommands       Sum     sum     mean   60 900 on-request engine
pubsub_channels                         PubSubChannels          Maximum as-is   max    60 900 on-request engine
pubsub_shard_channels                   PubSubShardChannels     Maximum as-is   max    60 900 on-request engine
search_indexes                          SearchNumberOfIndexes   Maximum as-is   newest 60 900 on-request engine
search_documents                        SearchTotalIndexedDocuments Maximum as-is newest 60 900 on-request engine
search_memory_bytes                     SearchUsedMemoryBytes   Maximum as-is   newest 60 900 on-request engine
authentication_failures_per_second      AuthenticationFailures  Sum     sum     mean   60 900 standard   engine
command_authorization_failures_per_second CommandAuthorizationFailures Sum sum  mean   60 900 on-request engine
key_authorization_failures_per_second   KeyAuthorizationFailures Sum    sum     mean   60 900 on-request engine
channel_authorization_failures_per_second ChannelAuthorizationFailures Sum sum  mean   60 900 on-request engine
database_authorization_failures_per_second DatabaseAuthorizationFailures Sum sum mean  60 900 on-request valkey-9.1
iam_authentication_expirations_per_second IamAuthenticationExpirations Sum sum  mean   60 900 on-request engine
iam_authentication_throttling_per_second IamAuthenticationThrottling Sum sum    mean   60 900 on-request engine

# aws-facts 1.5.3: copies
save_in_progress                        SaveInProgress          Maximum as-is   mean   60 900 standard   engine
primary_link_healthy                    MasterLinkHealthStatus  Minimum as-is   mean   60 900 standard   engine
replication_bytes                       ReplicationBytes        Maximum as-is   max    60 900 on-request engine replicated
global_replication_lag_seconds          GlobalDatastoreReplicationLag Maximum as-is max 60 900 standard  engine secondary
durability_lag_seconds                  DurabilityLag           Maximum ms      max    60 900 standard   engine durable
durability_buffer_exceeded_errors_per_second DurabilityBufferExceededErrorCount Sum sum mean 60 900 on-request engine durable

# aws-facts 1.5.1: by tier, and what exists for groups and shards
cache-tier AWS/ElastiCache aws_elasticache_node_tier_
used_bytes                              BytesUsedForCache       Maximum as-is   newest 60 900 on-request
items                                   CurrItems               Maximum as-is   newest 60 900 on-request
cache-group AWS/ElastiCache aws_elasticache_replication_group_
engine_cpu_utilization_ratio            EngineCPUUtilization    Average percent mean   60 900 on-request
memory_usage_counted_for_evict_ratio    DatabaseMemoryUsageCountedForEvictPercentage Maximum percent newest 60 900 on-request
capacity_usage_counted_for_evict_ratio  DatabaseCapacityUsageCountedForEvictPercentage Maximum percent newest 60 900 on-request
cache-shard AWS/ElastiCache aws_elasticache_replication_group_shard_
engine_cpu_utilization_ratio            EngineCPUUtilization    Average percent mean   60 900 on-request
memory_usage_counted_for_evict_ratio    DatabaseMemoryUsageCountedForEvictPercentage Maximum percent newest 60 900 on-request
capacity_usage_counted_for_evict_ratio  DatabaseCapacityUsageCountedForEvictPercentage Maximum percent newest 60 900 on-request

# aws-facts 1.5.4
serverless-cache AWS/ElastiCache aws_elasticache_serverless_
used_bytes                              BytesUsedForCache       Maximum as-is   newest 60 60  essential
ecpus_per_second                        ElastiCacheProcessingUnits Sum  sum     mean   60 60  essential
throttled_commands_per_second           ThrottledCmds           Sum     sum     mean   60 60  essential
connections                             CurrConnections         Maximum as-is   max    60 60  essential
evictions_per_second                    Evictions               Sum     sum     mean   60 60  essential
commands_per_second                     TotalCmdsCount          Sum     sum     mean   60 900 standard
read_latency_seconds                    SuccessfulReadRequestLatency  Average us max   60 900 standard
read_latency_p99_seconds                SuccessfulReadRequestLatency  p99     us max   60 900 standard
write_latency_seconds                   SuccessfulWriteRequestLatency Average us max   60 900 standard
write_latency_p99_seconds               SuccessfulWriteRequestLatency p99     us max   60 900 standard
hits_per_second                         CacheHits               Sum     sum     mean   60 900 standard
misses_per_second                       CacheMisses             Sum     sum     mean   60 900 standard
new_connections_per_second              NewConnections          Sum     sum     mean   60 900 standard
items                                   CurrItems               Maximum as-is   newest 60 900 standard
volatile_items                          CurrVolatileItems       Maximum as-is   newest 60 900 on-request
network_in_bytes_per_second             NetworkBytesIn          Sum     sum     mean   60 900 standard
network_out_bytes_per_second            NetworkBytesOut         Sum     sum     mean   60 900 standard
authentication_failures_per_second      AuthenticationFailures  Sum     sum     mean   60 900 standard
key_authorization_failures_per_second   KeyAuthorizationFailures Sum    sum     mean   60 900 on-request
command_authorization_failures_per_second CommandAuthorizationFailures Sum sum  mean   60 900 on-request
iam_authentication_expirations_per_second IamAuthenticationExpirations Sum sum  mean   60 900 on-request
iam_authentication_throttling_per_second IamAuthenticationThrottling Sum sum    mean   60 900 on-request
"""  # noqa: E501

_COMMANDS: Mapping[str, str] = {
    "read": "GetType",
    "write": "SetType",
    "eval": "EvalBased",
    "geospatial": "GeoSpatialBased",
    "hash": "HashBased",
    "hyperloglog": "HyperLogLogBased",
    "json": "JsonBased",
    "json_read": "JsonBasedGet",
    "json_write": "JsonBasedSet",
    "key": "KeyBased",
    "list": "ListBased",
    "keyless": "NonKeyType",
    "pubsub": "PubSubBased",
    "set": "SetBased",
    "sorted_set": "SortedSetBased",
    "stream": "StreamBased",
    "string": "StringBased",
}
_OF_NODES: Mapping[str, str] = {
    "cluster": "ClusterBased",
    "search": "SearchBased",
    "search_read": "SearchBasedGet",
    "search_write": "SearchBasedSet",
}
"""Families of commands: our word → how CloudWatch's names begin; some are told of nodes only."""


def _commands() -> Iterator[str]:
    """The table of all command families: how often, and how long (nodes) or how dear (serverless)."""
    yield "cache-node AWS/ElastiCache aws_elasticache_node_"
    for name, family in {**_COMMANDS, **_OF_NODES}.items():
        yield f"{name}_commands_per_second {family}Cmds Sum sum mean 60 900 on-request engine"
        yield f"{name}_commands_latency_seconds {family}CmdsLatency Average us max 60 900 on-request engine"
    yield "serverless-cache AWS/ElastiCache aws_elasticache_serverless_"
    for name, family in _COMMANDS.items():
        yield f"{name}_commands_per_second {family}Cmds Sum sum mean 60 900 on-request"
        yield f"{name}_commands_ecpus_per_second {family}CmdsECPUs Sum sum mean 60 900 on-request"


METRICS = metrics_of(_TABLE, CONDITIONS) + metrics_of("\n".join(_commands()), CONDITIONS)
"""The lines of both tables."""

_BOTH: Mapping[str, tuple[str, ...]] = {
    "available": (),
    "created_timestamp_seconds": (),
    "at_rest_encryption_enabled": (),
    "transit_encryption_enabled": (),
    "transit_encryption_required": (),
    "auth_token_enabled": (),
    "auto_minor_version_upgrade_enabled": (),
    "backups_enabled": (),
    "snapshot_retention_seconds": (),
    "last_snapshot_timestamp_seconds": (),
    "log_delivery_active": ("log_type",),
}
"""Facts of a replication group and of a cluster that stands alone, and their labels beside its own."""

INVENTORY: Mapping[str, tuple[str, ...]] = {
    "aws_elasticache_node_info": (
        *(*NODE, "engine", "engine_version", "node_type", "cluster_status", "node_status", "availability_zone"),
        *("parameter_group", "parameter_group_status", "subnet_group", "network_type", "maintenance_window"),
    ),
    "aws_elasticache_node_available": NODE,
    "aws_elasticache_node_created_timestamp_seconds": NODE,
    "aws_elasticache_node_role_info": (*NODE, "role"),
    "aws_elasticache_node_shard_info": (*NODE, "node_group_id"),
    "aws_elasticache_node_pending_modification_info": (*NODE, "change", "target"),
    "aws_elasticache_node_newest_datapoint_timestamp_seconds": NODE,
    "aws_elasticache_replication_group_info": (
        *(*GROUP, "engine", "status", "node_type", "cluster_enabled", "cluster_mode", "multi_az", "automatic_failover"),
        *("data_tiering", "durability", "transit_encryption_mode", "storage_encryption_type", "kms_key_id"),
        *("network_type", "snapshot_window"),
    ),
    **{f"aws_elasticache_replication_group_{name}": (*GROUP, *more) for name, more in _BOTH.items()},
    **{f"aws_elasticache_cluster_{name}": (*CLUSTER, *more) for name, more in _BOTH.items()},
    "aws_elasticache_replication_group_user_groups": GROUP,
    "aws_elasticache_replication_group_multi_az_enabled": GROUP,
    "aws_elasticache_replication_group_automatic_failover_enabled": GROUP,
    "aws_elasticache_replication_group_pending_modification_info": (*GROUP, "change", "target"),
    "aws_elasticache_replication_group_members": GROUP,
    "aws_elasticache_replication_group_shards": GROUP,
    "aws_elasticache_replication_group_resharding_progress_ratio": GROUP,
    "aws_elasticache_replication_group_global_datastore_info": (*GROUP, "global_replication_group_id", "role"),
    "aws_elasticache_replication_group_shard_info": (*SHARD, "status", "slots"),
    "aws_elasticache_replication_group_shard_available": SHARD,
    "aws_elasticache_replication_group_shard_members": SHARD,
    "aws_elasticache_cluster_info": (
        *(*CLUSTER, "engine", "engine_version", "status", "node_type", "parameter_group", "transit_encryption_mode"),
        *("network_type", "snapshot_window"),
    ),
    "aws_elasticache_cluster_nodes": CLUSTER,
    "aws_elasticache_serverless_info": (
        *(*SERVERLESS, "engine", "major_engine_version", "full_engine_version", "status", "storage_encryption_type"),
        *("kms_key_id", "user_group_id", "daily_snapshot_time", "network_type"),
    ),
    "aws_elasticache_serverless_available": SERVERLESS,
    "aws_elasticache_serverless_created_timestamp_seconds": SERVERLESS,
    "aws_elasticache_serverless_data_storage_limit_bytes": SERVERLESS,
    "aws_elasticache_serverless_data_storage_minimum_bytes": SERVERLESS,
    "aws_elasticache_serverless_ecpu_limit_per_second": SERVERLESS,
    "aws_elasticache_serverless_ecpu_minimum_per_second": SERVERLESS,
    "aws_elasticache_serverless_backups_enabled": SERVERLESS,
    "aws_elasticache_serverless_snapshot_retention_seconds": SERVERLESS,
    "aws_elasticache_serverless_last_snapshot_timestamp_seconds": SERVERLESS,
    "aws_elasticache_serverless_newest_datapoint_timestamp_seconds": SERVERLESS,
    "aws_elasticache_parameter_group_info": ("parameter_group", "maxmemory_policy", "cluster_enabled"),
    "aws_elasticache_parameter_group_reserved_memory_ratio": ("parameter_group",),
    "aws_elasticache_parameter_group_connections_limit": ("parameter_group",),
    "aws_elasticache_update_action_info": (
        *(*EITHER, "service_update", "severity", "update_type", "update_status", "action_status", "sla_met"),
        "nodes_updated",
    ),
    "aws_elasticache_update_action_apply_by_timestamp_seconds": (*EITHER, "service_update"),
    "aws_elasticache_event_timestamp_seconds": ("source_type", "source", "event"),
    "aws_elasticache_scalable_target_minimum_capacity": (*EITHER, "scalable_dimension"),
    "aws_elasticache_scalable_target_maximum_capacity": (*EITHER, "scalable_dimension"),
    "aws_elasticache_scalable_target_suspended": (*EITHER, "scalable_dimension", "scaling"),
}
"""Families that are not one CloudWatch metric: name → labels after account_id and region."""
