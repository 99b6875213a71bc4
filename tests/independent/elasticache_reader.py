"""What ElastiCache tells of nodes, replication groups, single clusters and serverless caches (aws-facts 3.5, 3.6)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.independent.elasticache_table import TIERS
from tests.independent.metric import DAY
from tests.independent.place import GIGABYTE, Holding, Item, Place, tags_of, unix, yes_no
from tests.independent.points import Subject

DONE_UPDATES = ("complete", "not-applicable")
"""Of an update action: nothing is left to do."""

LOGS = ("slow-log", "engine-log")

EVENT_TEXTS = (
    # how the text begins, what else it says, our class (which is interface)
    ("Test Failover API called for node group", "", "failover-started"),
    ("Failover from", " to replica node ", "failover-complete"),
    ("Recovering cache nodes", "", "node-recovery-started"),
    ("Finished recovery for cache nodes", "", "node-recovery-complete"),
    ("Removed cache node", "", "node-removed"),
    ("Snapshot succeeded for snapshot with ID", "", "snapshot-complete"),
    ("Cache ", "is created and", "created"),
    ("Cache ", "was deleted.", "deleted"),
    ("Slot", "is using more than", "slot-limit"),
)


def read(place: Place) -> None:
    """Say what Describe tells, and note what CloudWatch is to be asked about."""
    clusters = list(place.all("elasticache", "describe_cache_clusters", "CacheClusters", ShowCacheNodeInfo=True))
    groups = {
        item["ReplicationGroupId"]: item
        for item in place.all("elasticache", "describe_replication_groups", "ReplicationGroups")
    }
    tags = {arn: _tags(place, arn) for arn in (item["ARN"] for item in (*groups.values(), *clusters))}
    for name, item in groups.items():
        _group(place, name, item, tags[item["ARN"]])
    for item in clusters:
        group = groups.get(item.get("ReplicationGroupId", ""))
        own = tags[group["ARN"] if group else item["ARN"]]
        if group is None:
            _alone(place, item, own)
        for node in item.get("CacheNodes", ()):
            _node(place, item, node, group, own)
    for item in place.all("elasticache", "describe_serverless_caches", "ServerlessCaches"):
        _serverless(place, item)
    _snapshots(place, clusters, groups)
    _parameter_groups(place, {item["CacheParameterGroup"]["CacheParameterGroupName"] for item in clusters})
    _updates(place)
    _events(place)
    _scaling(place)


def _tags(place: Place, arn: str) -> dict[str, str]:
    return tags_of(place.client("elasticache").list_tags_for_resource(ResourceName=arn), "TagList")


def _node(place: Place, item: Item, node: Item, group: Item | None, tags: Mapping[str, str]) -> None:
    own = item.get("ReplicationGroupId", ""), item["CacheClusterId"], node["CacheNodeId"]
    described = (
        *(item["Engine"], item["EngineVersion"], item["CacheNodeType"], item["CacheClusterStatus"]),
        *(node["CacheNodeStatus"], node.get("CustomerAvailabilityZone", "")),
        *(item["CacheParameterGroup"]["CacheParameterGroupName"], node.get("ParameterGroupStatus", "")),
        *(item.get("CacheSubnetGroupName", ""), item.get("NetworkType", "")),
        item.get("PreferredMaintenanceWindow", ""),
    )
    place.say("aws_elasticache_node_info", (*own, *described), 1, tags)
    place.say("aws_elasticache_node_available", own, 1 if node["CacheNodeStatus"] == "available" else 0)
    place.say("aws_elasticache_node_created_timestamp_seconds", own, unix(node["CacheNodeCreateTime"]))
    for change, target in _pending(item):
        place.say("aws_elasticache_node_pending_modification_info", (*own, change, target), 1)
    shard, member = _place_in(group, item["CacheClusterId"], node["CacheNodeId"])
    if shard:
        place.say("aws_elasticache_node_shard_info", (*own, shard["NodeGroupId"]), 1)
    if member.get("CurrentRole"):
        place.say("aws_elasticache_node_role_info", (*own, member["CurrentRole"]), 1)
    of_group = group or {}
    facts = {
        "engine": item["Engine"],
        "version": item["EngineVersion"],
        "type": item["CacheNodeType"],
        "tiered": of_group.get("DataTiering") == "enabled",
        "role": member.get("CurrentRole", ""),
        "replicated": len(shard.get("NodeGroupMembers", ())) > 1,
        "durability": of_group.get("EffectiveDurability", ""),
        "global_role": of_group.get("GlobalReplicationGroupInfo", {}).get("GlobalReplicationGroupMemberRole", ""),
    }
    pinned = place.pinned(tags)
    place.subjects.append(Subject("cache-node", own[1:], own, facts, pinned))
    if facts["tiered"]:
        for tier in TIERS:
            place.subjects.append(Subject("cache-tier", (*own[1:], tier), (*own, tier), facts, pinned))


def _place_in(group: Item | None, cluster: str, node: str) -> tuple[Item, Item]:
    """The shard and the membership of a node, empty where there is none."""
    for shard in group.get("NodeGroups", ()) if group else ():
        for member in shard.get("NodeGroupMembers", ()):
            if (member["CacheClusterId"], member["CacheNodeId"]) == (cluster, node):
                return shard, member
    return {}, {}


def _pending(item: Item) -> Iterator[tuple[str, str]]:
    """What PendingModifiedValues holds: a change, and its target where that is a word, a number or a list of words."""
    for key, target in item.get("PendingModifiedValues", {}).items():
        change = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()
        if isinstance(target, bool):
            yield change, yes_no(target)
        elif isinstance(target, list):
            yield change, ",".join(target)
        else:
            yield change, "" if isinstance(target, dict) else str(target)


# --- groups, and clusters that stand alone ---------------------------------------------------------------------------


def _common(place: Place, level: str, name: str, item: Item, status: str, created: datetime | None) -> None:
    """What groups and single clusters have both."""
    prefix = f"aws_elasticache_{level}"
    place.say(f"{prefix}_available", (name,), 1 if status == "available" else 0)
    if created:
        place.say(f"{prefix}_created_timestamp_seconds", (name,), unix(created))
    for fact, key in (
        ("at_rest_encryption_enabled", "AtRestEncryptionEnabled"),
        ("transit_encryption_enabled", "TransitEncryptionEnabled"),
        ("auth_token_enabled", "AuthTokenEnabled"),
        ("auto_minor_version_upgrade_enabled", "AutoMinorVersionUpgrade"),
    ):
        if key in item:
            place.say(f"{prefix}_{fact}", (name,), 1 if item[key] else 0)
    # That TLS is on says nothing of clients without it, where AWS does not tell the mode.
    if not item.get("TransitEncryptionEnabled", True) or "TransitEncryptionMode" in item:
        only = item.get("TransitEncryptionMode") == "required"
        place.say(f"{prefix}_transit_encryption_required", (name,), 1 if only else 0)
    _retention(place, prefix, name, item)
    active = {log["LogType"] for log in item.get("LogDeliveryConfigurations", ()) if log["Status"] == "active"}
    for log in LOGS:
        place.say(f"{prefix}_log_delivery_active", (name, log), 1 if log in active else 0)


def _retention(place: Place, prefix: str, name: str, item: Item) -> None:
    if "SnapshotRetentionLimit" in item:
        days = item["SnapshotRetentionLimit"]
        place.say(f"{prefix}_backups_enabled", (name,), 1 if days > 0 else 0)
        place.say(f"{prefix}_snapshot_retention_seconds", (name,), days * DAY)


def _alone(place: Place, item: Item, tags: Mapping[str, str]) -> None:
    name = item["CacheClusterId"]
    described = (
        *(item["Engine"], item["EngineVersion"], item["CacheClusterStatus"], item["CacheNodeType"]),
        *(item["CacheParameterGroup"]["CacheParameterGroupName"], item.get("TransitEncryptionMode", "")),
        *(item.get("NetworkType", ""), item.get("SnapshotWindow", "")),
    )
    place.say("aws_elasticache_cluster_info", (name, *described), 1, tags)
    place.say("aws_elasticache_cluster_nodes", (name,), item["NumCacheNodes"])
    _common(place, "cluster", name, item, item["CacheClusterStatus"], item.get("CacheClusterCreateTime"))


def _group(place: Place, name: str, item: Item, tags: Mapping[str, str]) -> None:
    prefix, own = "aws_elasticache_replication_group", (name,)
    described = (
        *(item.get("Engine", ""), item["Status"], item.get("CacheNodeType", ""), yes_no(item["ClusterEnabled"])),
        *(item.get("ClusterMode", ""), item.get("MultiAZ", ""), item["AutomaticFailover"]),
        *(item.get("DataTiering", ""), item.get("EffectiveDurability", ""), item.get("TransitEncryptionMode", "")),
        *(item.get("StorageEncryptionType", ""), item.get("KmsKeyId", ""), item.get("NetworkType", "")),
        item.get("SnapshotWindow", ""),
    )
    place.say(f"{prefix}_info", (name, *described), 1, tags)
    _common(place, "replication_group", name, item, item["Status"], item.get("ReplicationGroupCreateTime"))
    place.say(f"{prefix}_automatic_failover_enabled", own, 1 if item["AutomaticFailover"] == "enabled" else 0)
    if "MultiAZ" in item:
        place.say(f"{prefix}_multi_az_enabled", own, 1 if item["MultiAZ"] == "enabled" else 0)
    if "UserGroupIds" in item:
        place.say(f"{prefix}_user_groups", own, len(item["UserGroupIds"]))
    place.say(f"{prefix}_members", own, len(item.get("MemberClusters", ())))
    shards = item.get("NodeGroups", ())
    place.say(f"{prefix}_shards", own, len(shards))
    for change, target in _pending(item):
        place.say(f"{prefix}_pending_modification_info", (name, change, target), 1)
    moving = item.get("PendingModifiedValues", {}).get("Resharding")
    if moving:
        place.say(f"{prefix}_resharding_progress_ratio", own, moving["SlotMigration"]["ProgressPercentage"] / 100)
    world = item.get("GlobalReplicationGroupInfo", {})
    if world.get("GlobalReplicationGroupId"):
        role = world["GlobalReplicationGroupMemberRole"]
        place.say(f"{prefix}_global_datastore_info", (name, world["GlobalReplicationGroupId"], role), 1)
    pinned = place.pinned(tags)
    place.subjects.append(Subject("cache-group", own, own, {}, pinned))
    for shard in shards:
        pair = name, shard["NodeGroupId"]
        place.say(f"{prefix}_shard_info", (*pair, shard["Status"], shard.get("Slots", "")), 1)
        place.say(f"{prefix}_shard_available", pair, 1 if shard["Status"] == "available" else 0)
        place.say(f"{prefix}_shard_members", pair, len(shard.get("NodeGroupMembers", ())))
        place.subjects.append(Subject("cache-shard", pair, pair, {}, pinned))
    place.holdings.append(Holding("elasticache_replication_group", own, item.get("KmsKeyId", ""), item["ARN"]))


# --- serverless ------------------------------------------------------------------------------------------------------


def _serverless(place: Place, item: Item) -> None:
    name, prefix = item["ServerlessCacheName"], "aws_elasticache_serverless"
    tags = _tags(place, item["ARN"])
    described = (
        *(item["Engine"], item.get("MajorEngineVersion", ""), item.get("FullEngineVersion", ""), item["Status"]),
        *(item.get("StorageEncryptionType", ""), item.get("KmsKeyId", ""), item.get("UserGroupId", "")),
        *(item.get("DailySnapshotTime", ""), item.get("NetworkType", "")),
    )
    place.say(f"{prefix}_info", (name, *described), 1, tags)
    place.say(f"{prefix}_available", (name,), 1 if item["Status"].lower() == "available" else 0)
    place.say(f"{prefix}_created_timestamp_seconds", (name,), unix(item["CreateTime"]))
    limits = item.get("CacheUsageLimits", {})
    for family, part, key, factor in (
        ("data_storage_limit_bytes", "DataStorage", "Maximum", GIGABYTE),
        ("data_storage_minimum_bytes", "DataStorage", "Minimum", GIGABYTE),
        ("ecpu_limit_per_second", "ECPUPerSecond", "Maximum", 1),
        ("ecpu_minimum_per_second", "ECPUPerSecond", "Minimum", 1),
    ):
        if key in limits.get(part, {}):
            place.say(f"{prefix}_{family}", (name,), limits[part][key] * factor)
    _retention(place, prefix, name, item)
    facts = {"engine": item["Engine"]}
    place.subjects.append(Subject("serverless-cache", (name,), (name,), facts, place.pinned(tags)))
    place.holdings.append(Holding("elasticache_serverless", (name,), item.get("KmsKeyId", ""), item["ARN"]))


# --- snapshots, parameters, updates, events, scaling -----------------------------------------------------------------


def _snapshots(place: Place, clusters: Iterable[Item], groups: Mapping[str, Item]) -> None:
    group_of = {item["CacheClusterId"]: item.get("ReplicationGroupId", "") for item in clusters}
    newest: dict[tuple[str, str], int] = {}
    for item in place.all("elasticache", "describe_snapshots", "Snapshots"):
        group = item.get("ReplicationGroupId") or group_of.get(item.get("CacheClusterId", ""), "")
        level, name = ("replication_group", group) if group else ("cluster", item.get("CacheClusterId", ""))
        known = groups if group else group_of
        if item["SnapshotStatus"] == "available" and name in known and item["NodeSnapshots"]:
            begun = min(unix(part["SnapshotCreateTime"]) for part in item["NodeSnapshots"])
            newest[level, name] = max(begun, newest.get((level, name), 0))
    caches = {
        labels[0] for kind, labels in ((each.kind, each.labels) for each in place.subjects) if "serverless" in kind
    }
    for item in place.all("elasticache", "describe_serverless_cache_snapshots", "ServerlessCacheSnapshots"):
        name = item["ServerlessCacheConfiguration"]["ServerlessCacheName"]
        if item["Status"].lower() == "available" and name in caches:
            begun = unix(item["CreateTime"])
            newest["serverless", name] = max(begun, newest.get(("serverless", name), 0))
    for (level, name), begun in newest.items():
        place.say(f"aws_elasticache_{level}_last_snapshot_timestamp_seconds", (name,), begun)


def _parameter_groups(place: Place, names: Iterable[str]) -> None:
    for name in names:
        found = place.all("elasticache", "describe_cache_parameters", "Parameters", CacheParameterGroupName=name)
        values: dict[str, Any] = {item["ParameterName"]: item.get("ParameterValue", "") for item in found}
        prefix = "aws_elasticache_parameter_group"
        described = values.get("maxmemory-policy", ""), values.get("cluster-enabled", "")
        place.say(f"{prefix}_info", (name, *described), 1)
        if values.get("reserved-memory-percent"):
            place.say(f"{prefix}_reserved_memory_ratio", (name,), float(values["reserved-memory-percent"]) / 100)
        if values.get("maxclients"):
            place.say(f"{prefix}_connections_limit", (name,), float(values["maxclients"]))


def _updates(place: Place) -> None:
    prefix = "aws_elasticache_update_action"
    for item in place.all("elasticache", "describe_update_actions", "UpdateActions"):
        if item["UpdateActionStatus"] in DONE_UPDATES:
            continue
        own = item.get("ReplicationGroupId", ""), item.get("CacheClusterId", ""), item["ServiceUpdateName"]
        described = (
            *(item.get("ServiceUpdateSeverity", ""), item.get("ServiceUpdateType", "")),
            *(item.get("ServiceUpdateStatus", ""), item["UpdateActionStatus"], item.get("SlaMet", "")),
            item.get("NodesUpdated", ""),
        )
        place.say(f"{prefix}_info", (*own, *described), 1)
        if "ServiceUpdateRecommendedApplyByDate" in item:
            until = unix(item["ServiceUpdateRecommendedApplyByDate"])
            place.say(f"{prefix}_apply_by_timestamp_seconds", own, until)


def _events(place: Place) -> None:
    start, end = datetime.fromtimestamp(place.now - DAY, UTC), datetime.fromtimestamp(place.now, UTC)
    newest: dict[tuple[str, str, str], int] = {}
    for item in place.all("elasticache", "describe_events", "Events", StartTime=start, EndTime=end):
        key = item["SourceType"], item["SourceIdentifier"], event_class(item["Message"])
        newest[key] = max(unix(item["Date"]), newest.get(key, 0))
    for key, instant in newest.items():
        place.say("aws_elasticache_event_timestamp_seconds", key, instant)


def _scaling(place: Place) -> None:
    prefix = "aws_elasticache_scalable_target"
    service = {"ServiceNamespace": "elasticache"}
    for item in place.all("application-autoscaling", "describe_scalable_targets", "ScalableTargets", **service):
        kind, _, name = item["ResourceId"].partition("/")
        target = (name, "") if kind == "replication-group" else ("", name)
        own = *target, item["ScalableDimension"].rpartition(":")[2]
        place.say(f"{prefix}_minimum_capacity", own, item["MinCapacity"])
        place.say(f"{prefix}_maximum_capacity", own, item["MaxCapacity"])
        for scaling, key in (
            ("dynamic_in", "DynamicScalingInSuspended"),
            ("dynamic_out", "DynamicScalingOutSuspended"),
            ("scheduled", "ScheduledScalingSuspended"),
        ):
            if key in item.get("SuspendedState", {}):
                place.say(f"{prefix}_suspended", (*own, scaling), 1 if item["SuspendedState"][key] else 0)


def event_class(message: str) -> str:
    """The class of an event's text (TestFailover, DescribeEvents; aws-facts 1.5.4), which must be a known one."""
    for start, rest, name in EVENT_TEXTS:
        if message.startswith(start) and rest in message:
            return name
    raise AssertionError(f"what is {message!r}?")
