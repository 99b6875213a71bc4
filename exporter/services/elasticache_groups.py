"""
What AWS says of replication groups, of clusters that stand alone and of serverless caches (aws-facts 3.5). Pure: items
in, findings out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.model import Asset, Family, Resource
from exporter.services.base import Findings, seconds_of, text_of
from exporter.services.elasticache_facts import (
    CLUSTER_AT_REST,
    CLUSTER_AUTH,
    CLUSTER_AVAILABLE,
    CLUSTER_BACKUPS,
    CLUSTER_CREATED,
    CLUSTER_IN_TRANSIT,
    CLUSTER_LOGS,
    CLUSTER_MINOR,
    CLUSTER_NODES,
    CLUSTER_RETENTION,
    CLUSTER_TLS_ONLY,
    ECPU_LIMIT,
    ECPU_MINIMUM,
    GROUP_AT_REST,
    GROUP_AUTH,
    GROUP_AVAILABLE,
    GROUP_BACKUPS,
    GROUP_CREATED,
    GROUP_FAILOVER,
    GROUP_GLOBAL,
    GROUP_IN_TRANSIT,
    GROUP_LABELS,
    GROUP_LOGS,
    GROUP_MEMBERS,
    GROUP_MINOR,
    GROUP_MULTI_AZ,
    GROUP_PENDING,
    GROUP_RESHARDING,
    GROUP_RETENTION,
    GROUP_SHARDS,
    GROUP_TLS_ONLY,
    GROUP_USER_GROUPS,
    SERVERLESS_AVAILABLE,
    SERVERLESS_BACKUPS,
    SERVERLESS_CREATED,
    SERVERLESS_LABELS,
    SERVERLESS_RETENTION,
    SHARD_AVAILABLE,
    SHARD_INFO,
    SHARD_MEMBERS,
    STORAGE_LIMIT,
    STORAGE_MINIMUM,
)
from exporter.services.elasticache_kinds import GROUP, SERVERLESS, SHARD
from exporter.services.elasticache_nodes import group_facts, pending
from exporter.services.items import Item

_DAY = 86400
_GB = 1e9  # see STORAGE_LIMIT
_LOGS = ("slow-log", "engine-log")


@dataclass(frozen=True, slots=True)
class _Posture:
    """The families of what a group and a lone cluster have in common."""

    available: Family
    created: Family
    at_rest: Family
    in_transit: Family
    tls_only: Family
    auth: Family
    minor: Family
    backups: Family
    retention: Family
    logs: Family


_OF_GROUP = _Posture(
    GROUP_AVAILABLE, GROUP_CREATED, GROUP_AT_REST, GROUP_IN_TRANSIT, GROUP_TLS_ONLY, GROUP_AUTH, GROUP_MINOR,
    GROUP_BACKUPS, GROUP_RETENTION, GROUP_LOGS,
)  # fmt: skip
_OF_CLUSTER = _Posture(
    CLUSTER_AVAILABLE, CLUSTER_CREATED, CLUSTER_AT_REST, CLUSTER_IN_TRANSIT, CLUSTER_TLS_ONLY, CLUSTER_AUTH,
    CLUSTER_MINOR, CLUSTER_BACKUPS, CLUSTER_RETENTION, CLUSTER_LOGS,
)  # fmt: skip


def say_group(
    found: Findings, family: Family, group: Item, arn: str, tags: Mapping[str, str], keys: Sequence[str]
) -> None:
    """A replication group with its shards. *family* is the info family with the labels of the tag *keys* wanted."""
    group_id = group["ReplicationGroupId"]
    where = (group_id,)
    facts = group_facts(group)
    described = (
        text_of(group.get("Engine")),
        text_of(group.get("Status")),
        text_of(group.get("CacheNodeType")),
        text_of(group.get("ClusterEnabled")),
        text_of(group.get("ClusterMode")),
        text_of(group.get("MultiAZ")),
        text_of(group.get("AutomaticFailover")),
        text_of(group.get("DataTiering")),
        text_of(facts.get("durability")),
        text_of(group.get("TransitEncryptionMode")),
        text_of(group.get("StorageEncryptionType")),
        text_of(group.get("KmsKeyId")),
        text_of(group.get("NetworkType")),
        text_of(group.get("SnapshotWindow")),
    )
    found.say(family, (*where, *described, *(tags.get(key, "") for key in keys)), 1)
    _posture(found, _OF_GROUP, where, group, group.get("Status"), "ReplicationGroupCreateTime")
    found.say(GROUP_MULTI_AZ, where, _is(group.get("MultiAZ"), "enabled"))
    found.say(GROUP_FAILOVER, where, _is(group.get("AutomaticFailover"), "enabled"))
    found.say(GROUP_USER_GROUPS, where, _count(group, "UserGroupIds"))
    found.say(GROUP_MEMBERS, where, _count(group, "MemberClusters"))
    found.say(GROUP_SHARDS, where, _count(group, "NodeGroups"))
    migration = ((group.get("PendingModifiedValues") or {}).get("Resharding") or {}).get("SlotMigration") or {}
    progress = migration.get("ProgressPercentage")
    found.say(GROUP_RESHARDING, where, None if progress is None else progress / 100)
    for change, target in pending(group):
        found.say(GROUP_PENDING, (*where, change, target), 1)
    datastore = group.get("GlobalReplicationGroupInfo") or {}
    if datastore.get("GlobalReplicationGroupId"):
        role = text_of(datastore.get("GlobalReplicationGroupMemberRole"))
        found.say(GROUP_GLOBAL, (*where, text_of(datastore["GlobalReplicationGroupId"]), role), 1)
    found.resources.append(Resource(GROUP, found.scope, where, facts, tags))
    for shard in group.get("NodeGroups") or ():
        shard_id, status = text_of(shard.get("NodeGroupId")), shard.get("Status")
        found.say(SHARD_INFO, (group_id, shard_id, text_of(status), text_of(shard.get("Slots"))), 1)
        found.say(SHARD_AVAILABLE, (group_id, shard_id), _is(status, "available"))
        found.say(SHARD_MEMBERS, (group_id, shard_id), _count(shard, "NodeGroupMembers"))
        found.resources.append(Resource(SHARD, found.scope, (group_id, shard_id), facts, tags))
    key = text_of(group.get("KmsKeyId"))
    found.assets.append(Asset(arn, "elasticache_replication_group", GROUP_LABELS, where, key))


def say_cluster(found: Findings, family: Family, cluster: Item, tags: Mapping[str, str], keys: Sequence[str]) -> None:
    """A cluster that stands alone. *family* is the info family with the labels of the tag *keys* wanted."""
    where = (cluster["CacheClusterId"],)
    described = (
        text_of(cluster.get("Engine")),
        text_of(cluster.get("EngineVersion")),
        text_of(cluster.get("CacheClusterStatus")),
        text_of(cluster.get("CacheNodeType")),
        text_of((cluster.get("CacheParameterGroup") or {}).get("CacheParameterGroupName")),
        text_of(cluster.get("TransitEncryptionMode")),
        text_of(cluster.get("NetworkType")),
        text_of(cluster.get("SnapshotWindow")),
    )
    found.say(family, (*where, *described, *(tags.get(key, "") for key in keys)), 1)
    _posture(found, _OF_CLUSTER, where, cluster, cluster.get("CacheClusterStatus"), "CacheClusterCreateTime")
    found.say(CLUSTER_NODES, where, _count(cluster, "CacheNodes"))


def say_serverless(
    found: Findings, family: Family, cache: Item, arn: str, tags: Mapping[str, str], keys: Sequence[str]
) -> None:
    """A serverless cache. *family* is the info family with the labels of the tag *keys* wanted."""
    where = (cache["ServerlessCacheName"],)
    described = (
        text_of(cache.get("Engine")),
        text_of(cache.get("MajorEngineVersion")),
        text_of(cache.get("FullEngineVersion")),
        text_of(cache.get("Status")).lower(),  # documented in capitals, seen in small letters
        text_of(cache.get("StorageEncryptionType")),
        text_of(cache.get("KmsKeyId")),
        text_of(cache.get("UserGroupId")),
        text_of(cache.get("DailySnapshotTime")),
        text_of(cache.get("NetworkType")),
    )
    found.say(family, (*where, *described, *(tags.get(key, "") for key in keys)), 1)
    found.say(SERVERLESS_AVAILABLE, where, _is(cache.get("Status"), "available"))
    found.say(SERVERLESS_CREATED, where, seconds_of(cache.get("CreateTime")))
    limits = cache.get("CacheUsageLimits") or {}
    storage, ecpus = limits.get("DataStorage") or {}, limits.get("ECPUPerSecond") or {}
    for limit, value in ((STORAGE_LIMIT, storage.get("Maximum")), (STORAGE_MINIMUM, storage.get("Minimum"))):
        found.say(limit, where, None if value is None else value * _GB)
    found.say(ECPU_LIMIT, where, ecpus.get("Maximum"))
    found.say(ECPU_MINIMUM, where, ecpus.get("Minimum"))
    _retention(found, SERVERLESS_BACKUPS, SERVERLESS_RETENTION, where, cache)
    engine = {"engine": text_of(cache["Engine"])} if cache.get("Engine") else {}
    found.resources.append(Resource(SERVERLESS, found.scope, where, engine, tags))
    key = text_of(cache.get("KmsKeyId"))
    found.assets.append(Asset(arn, "elasticache_serverless", SERVERLESS_LABELS, where, key))


def _posture(
    found: Findings, families: _Posture, where: tuple[str, ...], item: Item, status: object, created: str
) -> None:
    found.say(families.available, where, _is(status, "available"))
    found.say(families.created, where, seconds_of(item.get(created)))
    found.say(families.at_rest, where, item.get("AtRestEncryptionEnabled"))
    tls, mode = item.get("TransitEncryptionEnabled"), item.get("TransitEncryptionMode")
    found.say(families.in_transit, where, tls)
    found.say(families.tls_only, where, False if tls is False else _is(mode, "required"))
    found.say(families.auth, where, item.get("AuthTokenEnabled"))
    found.say(families.minor, where, item.get("AutoMinorVersionUpgrade"))
    _retention(found, families.backups, families.retention, where, item)
    if item.get("LogDeliveryConfigurations") is not None:
        active = {log.get("LogType") for log in item["LogDeliveryConfigurations"] if log.get("Status") == "active"}
        for log_type in _LOGS:
            found.say(families.logs, (*where, log_type), log_type in active)


def _retention(found: Findings, backups: Family, retention: Family, where: tuple[str, ...], item: Item) -> None:
    days = item.get("SnapshotRetentionLimit")
    found.say(backups, where, None if days is None else days > 0)
    found.say(retention, where, None if days is None else days * _DAY)


def _is(value: object, word: str) -> bool | None:
    """Whether AWS says *word*, in whatever letters; None where it says nothing."""
    return None if value in (None, "") else str(value).lower() == word


def _count(item: Item, name: str) -> int | None:
    return None if item.get(name) is None else len(item[name])
