"""
What ElastiCache's Describe operations tell: which are asked and how often, and the families their facts become.

A table, nothing else; fields and pages are those of aws-facts 3.5 and 3.6, intervals those of design.md 6.2. What AWS
does not say is absent, never 0. Levels: a node (`aws_elasticache_node_`), a replication group
(`aws_elasticache_replication_group_`), a cluster that stands alone, outside any group (`aws_elasticache_cluster_`), and
a serverless cache (`aws_elasticache_serverless_`). What is true of a group is said of the group, not of each member.
"""

from __future__ import annotations

from exporter.model import Family
from exporter.services.base import gauge, info
from exporter.services.elasticache_events import CLASSES
from exporter.services.elasticache_kinds import NODE_LABELS
from exporter.services.reader import Operation

_API = "elasticache"
_FAST = 60


_GONE = frozenset(
    {
        "CacheClusterNotFound",
        "CacheParameterGroupNotFound",
        "ReplicationGroupNotFoundFault",
        "ServerlessCacheNotFoundFault",
    }
)


def _operation(
    name: str,
    every: int,
    result: str,
    page_size: int | None = 50,
    *,
    paged: bool = True,
    absent: frozenset[str] = frozenset(),
    fields: tuple[str, ...] = (),
) -> Operation:
    action = f"elasticache:{name}"
    return Operation(_API, name, every, action, result, fields, paged, page_size, absent, on=("*",))


_SNAPSHOT = (
    "SnapshotName",
    "SnapshotStatus",
    "CacheClusterId",
    "ReplicationGroupId",
    "NodeSnapshots.SnapshotCreateTime",
)
_PARAMETER = ("ParameterName", "ParameterValue")

CLUSTERS = _operation("DescribeCacheClusters", _FAST, "CacheClusters", 100)
GROUPS = _operation("DescribeReplicationGroups", _FAST, "ReplicationGroups", 100)
SERVERLESS_CACHES = _operation("DescribeServerlessCaches", 300, "ServerlessCaches")
EVENTS = _operation("DescribeEvents", _FAST, "Events", 100)
SNAPSHOTS = _operation("DescribeSnapshots", 3600, "Snapshots", fields=_SNAPSHOT)
SERVERLESS_SNAPSHOTS = _operation("DescribeServerlessCacheSnapshots", 3600, "ServerlessCacheSnapshots")
UPDATE_ACTIONS = _operation("DescribeUpdateActions", 3600, "UpdateActions")
PARAMETERS = _operation("DescribeCacheParameters", 3600, "Parameters", 100, absent=_GONE, fields=_PARAMETER)
TAGS = _operation("ListTagsForResource", 3600, "TagList", None, paged=False, absent=_GONE)
SCALABLE_TARGETS = Operation(
    "application-autoscaling",
    "DescribeScalableTargets",
    3600,
    "application-autoscaling:DescribeScalableTargets",
    "ScalableTargets",
    page_size=50,
    on=("*",),
)

OPERATIONS: tuple[Operation, ...] = (
    CLUSTERS,
    GROUPS,
    SERVERLESS_CACHES,
    EVENTS,
    SNAPSHOTS,
    SERVERLESS_SNAPSHOTS,
    UPDATE_ACTIONS,
    PARAMETERS,
    TAGS,
    SCALABLE_TARGETS,
)

GROUP_LABELS = ("replication_group_id",)
CLUSTER_LABELS = ("cache_cluster_id",)
SERVERLESS_LABELS = ("serverless_cache",)
SHARD_LABELS = ("replication_group_id", "node_group_id")
EITHER_LABELS = ("replication_group_id", "cache_cluster_id")
"""Of what is a group's or a cluster's: the other one is ``""``."""

# ---- the node ------------------------------------------------------------------------------------------------------

NODE_INFO = info(
    "aws_elasticache_node_info",
    "What the node is: DescribeCacheClusters' words for what may change; tags are the group's.",
    (
        *NODE_LABELS,
        "engine",
        "engine_version",
        "node_type",
        "cluster_status",
        "node_status",
        "availability_zone",
        "parameter_group",
        "parameter_group_status",
        "subnet_group",
        "network_type",
        "maintenance_window",
    ),
)
NODE_AVAILABLE = gauge("aws_elasticache_node_available", "1 where AWS calls the node available, else 0.", NODE_LABELS)
NODE_CREATED = gauge(
    "aws_elasticache_node_created_timestamp_seconds", "When the node was made, unix seconds.", NODE_LABELS
)
NODE_ROLE = info(
    "aws_elasticache_node_role_info",
    "Role in its shard, primary or replica; AWS says it with cluster mode disabled only (else see is_primary).",
    (*NODE_LABELS, "role"),
)
NODE_SHARD = info("aws_elasticache_node_shard_info", "The shard the node belongs to.", (*NODE_LABELS, "node_group_id"))

# ---- the replication group, and the cluster that stands alone ------------------------------------------------------

GROUP_INFO = info(
    "aws_elasticache_replication_group_info",
    "What the group is: DescribeReplicationGroups' words for what may change; durability is the one in effect.",
    (
        *GROUP_LABELS,
        "engine",
        "status",
        "node_type",
        "cluster_enabled",
        "cluster_mode",
        "multi_az",
        "automatic_failover",
        "data_tiering",
        "durability",
        "transit_encryption_mode",
        "storage_encryption_type",
        "kms_key_id",
        "network_type",
        "snapshot_window",
    ),
)
CLUSTER_INFO = info(
    "aws_elasticache_cluster_info",
    "A cluster outside any replication group.",
    (
        *CLUSTER_LABELS,
        "engine",
        "engine_version",
        "status",
        "node_type",
        "parameter_group",
        "transit_encryption_mode",
        "network_type",
        "snapshot_window",
    ),
)
SERVERLESS_INFO = info(
    "aws_elasticache_serverless_info",
    "What the serverless cache is: DescribeServerlessCaches' words for what may change.",
    (
        *SERVERLESS_LABELS,
        "engine",
        "major_engine_version",
        "full_engine_version",
        "status",
        "storage_encryption_type",
        "kms_key_id",
        "user_group_id",
        "daily_snapshot_time",
        "network_type",
    ),
)


def _pair(name: str, text: str) -> tuple[Family, Family]:
    """One fact of a group and of a cluster that stands alone."""
    return (
        gauge(f"aws_elasticache_replication_group_{name}", text.format("group"), GROUP_LABELS),
        gauge(f"aws_elasticache_cluster_{name}", text.format("cluster"), CLUSTER_LABELS),
    )


GROUP_AVAILABLE, CLUSTER_AVAILABLE = _pair(
    "available", "1 where AWS calls the {0} available, 0 for any other status (snapshotting and modifying, too)."
)
GROUP_CREATED, CLUSTER_CREATED = _pair("created_timestamp_seconds", "When the {0} was made, unix seconds.")
GROUP_AT_REST, CLUSTER_AT_REST = _pair("at_rest_encryption_enabled", "1 where the {0}'s data is encrypted at rest.")
GROUP_IN_TRANSIT, CLUSTER_IN_TRANSIT = _pair("transit_encryption_enabled", "1 where the {0} speaks TLS.")
GROUP_TLS_ONLY, CLUSTER_TLS_ONLY = _pair(
    "transit_encryption_required",
    "1 where the {0} speaks nothing but TLS (mode required), 0 where it need not; absent where AWS does not say.",
)
GROUP_AUTH, CLUSTER_AUTH = _pair("auth_token_enabled", "1 where the {0} wants a password (AUTH).")
GROUP_MINOR, CLUSTER_MINOR = _pair(
    "auto_minor_version_upgrade_enabled", "1 where minor versions of the {0}'s engine are upgraded by AWS."
)
GROUP_BACKUPS, CLUSTER_BACKUPS = _pair(
    "backups_enabled", "1 where the {0} has automatic snapshots (a retention above 0)."
)
GROUP_RETENTION, CLUSTER_RETENTION = _pair(
    "snapshot_retention_seconds", "How long automatic snapshots of the {0} are kept; 0 where none are made."
)
GROUP_LAST_SNAPSHOT, CLUSTER_LAST_SNAPSHOT = _pair(
    "last_snapshot_timestamp_seconds",
    "When the newest available snapshot of the {0} was begun (its first part), unix seconds.",
)
GROUP_LOGS = gauge(
    "aws_elasticache_replication_group_log_delivery_active",
    "1 where the log (slow-log, engine-log) is being delivered, else 0.",
    (*GROUP_LABELS, "log_type"),
)
CLUSTER_LOGS = gauge(
    "aws_elasticache_cluster_log_delivery_active",
    "1 where the log (slow-log, engine-log) is being delivered, else 0.",
    (*CLUSTER_LABELS, "log_type"),
)
GROUP_PENDING = info(
    "aws_elasticache_replication_group_pending_modification_info",
    "A change that waits for its window or is under way (PendingModifiedValues, in snake_case), and what it leads "
    "to, empty where that is more than a word.",
    (*GROUP_LABELS, "change", "target"),
)
NODE_PENDING = info(
    "aws_elasticache_node_pending_modification_info",
    "A change of the node's cluster that waits for its window or is under way (PendingModifiedValues, in snake_case), "
    "and what it leads to.",
    (*NODE_LABELS, "change", "target"),
)
CLUSTER_NODES = gauge("aws_elasticache_cluster_nodes", "Nodes of the cluster.", CLUSTER_LABELS)
GROUP_MULTI_AZ = gauge(
    "aws_elasticache_replication_group_multi_az_enabled", "1 where Multi-AZ is enabled.", GROUP_LABELS
)
GROUP_FAILOVER = gauge(
    "aws_elasticache_replication_group_automatic_failover_enabled",
    "1 where automatic failover is enabled, 0 where it is not, or not yet.",
    GROUP_LABELS,
)
GROUP_USER_GROUPS = gauge(
    "aws_elasticache_replication_group_user_groups", "User groups (RBAC) of the group.", GROUP_LABELS
)
GROUP_MEMBERS = gauge("aws_elasticache_replication_group_members", "Nodes of the group.", GROUP_LABELS)
GROUP_SHARDS = gauge("aws_elasticache_replication_group_shards", "Shards of the group.", GROUP_LABELS)
GROUP_RESHARDING = gauge(
    "aws_elasticache_replication_group_resharding_progress_ratio",
    "How far the slots' migration is that is under way.",
    GROUP_LABELS,
)
GROUP_GLOBAL = info(
    "aws_elasticache_replication_group_global_datastore_info",
    "The Global Datastore the group belongs to, and its role there.",
    (*GROUP_LABELS, "global_replication_group_id", "role"),
)
SHARD_INFO = info(
    "aws_elasticache_replication_group_shard_info", "A shard of the group.", (*SHARD_LABELS, "status", "slots")
)
SHARD_AVAILABLE = gauge(
    "aws_elasticache_replication_group_shard_available",
    "1 where AWS calls the shard available, else 0.",
    SHARD_LABELS,
)
SHARD_MEMBERS = gauge("aws_elasticache_replication_group_shard_members", "Nodes of the shard.", SHARD_LABELS)

# ---- the serverless cache ------------------------------------------------------------------------------------------


def _serverless(name: str, text: str) -> Family:
    return gauge(f"aws_elasticache_serverless_{name}", text, SERVERLESS_LABELS)


SERVERLESS_AVAILABLE = _serverless("available", "1 where AWS calls the cache available, else 0.")
SERVERLESS_CREATED = _serverless("created_timestamp_seconds", "When the cache was made, unix seconds.")
# AWS's unit is "GB" and whether that is decimal is not confirmed (aws-facts 8). Decimal is the smaller of the two, so
# that a forecast is early rather than late.
STORAGE_LIMIT = _serverless(
    "data_storage_limit_bytes", "Most data the cache may hold, where that is limited (AWS's GB read as 10^9 bytes)."
)
STORAGE_MINIMUM = _serverless(
    "data_storage_minimum_bytes", "Data that is paid for in any case, where set (AWS's GB read as 10^9 bytes)."
)
ECPU_LIMIT = _serverless("ecpu_limit_per_second", "Most ECPUs a second the cache may use, where that is limited.")
ECPU_MINIMUM = _serverless("ecpu_minimum_per_second", "ECPUs a second the cache is scaled for in any case, where set.")
SERVERLESS_BACKUPS = _serverless("backups_enabled", "1 where the cache has automatic snapshots (a retention above 0).")
SERVERLESS_RETENTION = _serverless(
    "snapshot_retention_seconds", "How long automatic snapshots of the cache are kept; 0 where none are made."
)
SERVERLESS_LAST_SNAPSHOT = _serverless(
    "last_snapshot_timestamp_seconds", "When the newest completed snapshot of the cache was begun, unix seconds."
)

# ---- parameters, updates, events, scaling --------------------------------------------------------------------------

PARAMETER_INFO = info(
    "aws_elasticache_parameter_group_info",
    "A parameter group in use. Only allkeys-* evicts whatever there is; volatile-* evicts keys that will expire.",
    ("parameter_group", "maxmemory_policy", "cluster_enabled"),
)
RESERVED_MEMORY = gauge(
    "aws_elasticache_parameter_group_reserved_memory_ratio",
    "Share of a node's memory that is kept from data (reserved-memory-percent).",
    ("parameter_group",),
)
MAX_CLIENTS = gauge(
    "aws_elasticache_parameter_group_connections_limit",
    "Connections a node takes (maxclients).",
    ("parameter_group",),
)
UPDATE_INFO = info(
    "aws_elasticache_update_action_info",
    "A service update that is neither complete nor not-applicable, and how that stands.",
    (
        *EITHER_LABELS,
        "service_update",
        "severity",
        "update_type",
        "update_status",
        "action_status",
        "sla_met",
        "nodes_updated",
    ),
)
UPDATE_APPLY_BY = gauge(
    "aws_elasticache_update_action_apply_by_timestamp_seconds",
    "Until when AWS recommends to apply the service update, unix seconds.",
    (*EITHER_LABELS, "service_update"),
)
EVENT = gauge(
    "aws_elasticache_event_timestamp_seconds",
    "When the newest event of its class happened to the source (a serverless snapshot's to its cache), unix seconds: "
    f"of the last 24 hours at a start, kept for the 14 days that AWS keeps events. Classes: {', '.join(CLASSES)}.",
    ("source_type", "source", "event"),
)
SCALING_MINIMUM = gauge(
    "aws_elasticache_scalable_target_minimum_capacity",
    "Fewest NodeGroups, Replicas or Nodes that auto scaling leaves.",
    (*EITHER_LABELS, "scalable_dimension"),
)
SCALING_MAXIMUM = gauge(
    "aws_elasticache_scalable_target_maximum_capacity",
    "Most NodeGroups, Replicas or Nodes that auto scaling makes.",
    (*EITHER_LABELS, "scalable_dimension"),
)
SCALING_SUSPENDED = gauge(
    "aws_elasticache_scalable_target_suspended",
    "1 where scaling of that kind (dynamic_in, dynamic_out, scheduled) is suspended.",
    (*EITHER_LABELS, "scalable_dimension", "scaling"),
)

# fmt: off
FAMILIES: tuple[Family, ...] = (
    NODE_INFO, NODE_AVAILABLE, NODE_CREATED, NODE_ROLE, NODE_SHARD, NODE_PENDING,
    GROUP_INFO, GROUP_AVAILABLE, GROUP_CREATED, GROUP_AT_REST, GROUP_IN_TRANSIT, GROUP_TLS_ONLY, GROUP_AUTH,
    GROUP_USER_GROUPS, GROUP_MINOR, GROUP_MULTI_AZ, GROUP_FAILOVER, GROUP_BACKUPS, GROUP_RETENTION,
    GROUP_LAST_SNAPSHOT, GROUP_LOGS, GROUP_PENDING, GROUP_MEMBERS, GROUP_SHARDS, GROUP_RESHARDING, GROUP_GLOBAL,
    SHARD_INFO, SHARD_AVAILABLE, SHARD_MEMBERS,
    CLUSTER_INFO, CLUSTER_AVAILABLE, CLUSTER_CREATED, CLUSTER_NODES, CLUSTER_AT_REST, CLUSTER_IN_TRANSIT,
    CLUSTER_TLS_ONLY, CLUSTER_AUTH, CLUSTER_MINOR, CLUSTER_BACKUPS, CLUSTER_RETENTION, CLUSTER_LAST_SNAPSHOT,
    CLUSTER_LOGS,
    SERVERLESS_INFO, SERVERLESS_AVAILABLE, SERVERLESS_CREATED, STORAGE_LIMIT, STORAGE_MINIMUM, ECPU_LIMIT,
    ECPU_MINIMUM, SERVERLESS_BACKUPS, SERVERLESS_RETENTION, SERVERLESS_LAST_SNAPSHOT,
    PARAMETER_INFO, RESERVED_MEMORY, MAX_CLIENTS, UPDATE_INFO, UPDATE_APPLY_BY, EVENT,
    SCALING_MINIMUM, SCALING_MAXIMUM, SCALING_SUSPENDED,
)
# fmt: on
