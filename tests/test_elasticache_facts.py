"""What ElastiCache's answers become: items as botocore gives them in, samples, assets and targets out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.model import Asset, Scope
from exporter.services.base import Findings
from exporter.services.elasticache_facts import CLUSTER_INFO, GROUP_INFO, NODE_INFO, SERVERLESS_INFO
from exporter.services.elasticache_groups import say_cluster, say_group, say_serverless
from exporter.services.elasticache_more import (
    say_parameters,
    say_scaling,
    say_serverless_snapshots,
    say_snapshots,
    say_updates,
)
from exporter.services.elasticache_nodes import Owner, say_node

SCOPE = Scope("123456789012", "eu-west-1")
T = 1_790_000_000
Said = dict[tuple[str, ...], float]


def when(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def said(found: Findings) -> Said:
    """(family without ``aws_elasticache_``, labels without account and region) → value; no series twice."""
    samples: Said = {}
    for sample in found.samples:
        assert len(sample.labels) == len(sample.family.labels), sample.family.name
        key = (sample.family.name.removeprefix("aws_elasticache_"), *sample.labels[2:])
        assert key not in samples, key
        samples[key] = sample.value
    return samples


def without_info(samples: Said) -> Said:
    return {key: value for key, value in samples.items() if not key[0].endswith("_info")}


GROUP: dict[str, Any] = {
    "ReplicationGroupId": "sessions",
    "Status": "available",
    "MemberClusters": ["sessions-001", "sessions-002"],
    "NodeGroups": [
        {
            "NodeGroupId": "0001",
            "Status": "available",
            "Slots": "0-16383",
            "NodeGroupMembers": [
                {"CacheClusterId": "sessions-001", "CacheNodeId": "0001", "CurrentRole": "primary"},
                {"CacheClusterId": "sessions-002", "CacheNodeId": "0001", "CurrentRole": "replica"},
            ],
        }
    ],
    "AutomaticFailover": "enabled",
    "MultiAZ": "enabled",
    "SnapshotRetentionLimit": 7,
    "TransitEncryptionEnabled": True,
    "TransitEncryptionMode": "required",
    "AtRestEncryptionEnabled": True,
    "KmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/k",
    "AuthTokenEnabled": False,
    "UserGroupIds": ["shop"],
    "AutoMinorVersionUpgrade": True,
    "ReplicationGroupCreateTime": when(T),
    "LogDeliveryConfigurations": [
        {"LogType": "slow-log", "Status": "active"},
        {"LogType": "engine-log", "Status": "error"},
    ],
    "DataTiering": "disabled",
    "Durability": "default",
    "EffectiveDurability": "async",
    "PendingModifiedValues": {
        "Resharding": {"SlotMigration": {"ProgressPercentage": 25.0}},
        "AuthTokenStatus": "SETTING",
    },
    "GlobalReplicationGroupInfo": {
        "GlobalReplicationGroupId": "ldgnf-sessions",
        "GlobalReplicationGroupMemberRole": "PRIMARY",
    },
}


def test_a_group_with_everything() -> None:
    """Posture as 0 and 1, counts, limits in base units; key and identity for those who protect data."""
    found = Findings(SCOPE)
    say_group(found, GROUP_INFO, GROUP, "arn:group", {"team": "web"}, ())
    samples = said(found)
    assert without_info(samples) == {
        ("replication_group_available", "sessions"): 1,
        ("replication_group_created_timestamp_seconds", "sessions"): T,
        ("replication_group_at_rest_encryption_enabled", "sessions"): 1,
        ("replication_group_transit_encryption_enabled", "sessions"): 1,
        ("replication_group_transit_encryption_required", "sessions"): 1,
        ("replication_group_auth_token_enabled", "sessions"): 0,
        ("replication_group_auto_minor_version_upgrade_enabled", "sessions"): 1,
        ("replication_group_backups_enabled", "sessions"): 1,
        ("replication_group_snapshot_retention_seconds", "sessions"): 7 * 86400,
        ("replication_group_log_delivery_active", "sessions", "slow-log"): 1,
        ("replication_group_log_delivery_active", "sessions", "engine-log"): 0,
        ("replication_group_multi_az_enabled", "sessions"): 1,
        ("replication_group_automatic_failover_enabled", "sessions"): 1,
        ("replication_group_user_groups", "sessions"): 1,
        ("replication_group_members", "sessions"): 2,
        ("replication_group_shards", "sessions"): 1,
        ("replication_group_resharding_progress_ratio", "sessions"): 0.25,
        ("replication_group_shard_available", "sessions", "0001"): 1,
        ("replication_group_shard_members", "sessions", "0001"): 2,
    }
    assert ("replication_group_pending_modification_info", "sessions", "auth_token_status", "SETTING") in samples
    assert ("replication_group_pending_modification_info", "sessions", "resharding", "") in samples
    assert ("replication_group_global_datastore_info", "sessions", "ldgnf-sessions", "PRIMARY") in samples
    assert ("replication_group_shard_info", "sessions", "0001", "available", "0-16383") in samples
    assert [resource.id for resource in found.resources] == [("sessions",), ("sessions", "0001")]
    assert found.assets == [
        Asset(
            "arn:group",
            "elasticache_replication_group",
            ("replication_group_id",),
            ("sessions",),
            "arn:aws:kms:eu-west-1:123456789012:key/k",
        )
    ]


@pytest.mark.parametrize(
    ("say", "item"),
    [
        (lambda found, item: say_group(found, GROUP_INFO, item, "arn", {}, ()), {"ReplicationGroupId": "a"}),
        (lambda found, item: say_cluster(found, CLUSTER_INFO, item, {}, ()), {"CacheClusterId": "a"}),
        (lambda found, item: say_serverless(found, SERVERLESS_INFO, item, "arn", {}, ()), {"ServerlessCacheName": "a"}),
        (
            lambda found, item: say_node(
                found, NODE_INFO, item, {"CacheNodeId": "0001"}, Owner("", {}, {}, ""), None, ()
            ),
            {"CacheClusterId": "a"},
        ),
    ],
    ids=["group", "cluster", "serverless", "node"],
)
def test_what_aws_does_not_say_is_absent(say: Any, item: dict[str, Any]) -> None:
    """An item with nothing but its name says that it is there, and no 0 is made up."""
    found = Findings(SCOPE)
    say(found, item)
    assert without_info(said(found)) == {}
    assert len(found.samples) == 1


@pytest.mark.parametrize(
    ("changes", "family", "expected"),
    [
        ({"Status": "snapshotting"}, "available", 0),
        ({"TransitEncryptionMode": "preferred"}, "transit_encryption_required", 0),
        ({"TransitEncryptionEnabled": False, "TransitEncryptionMode": None}, "transit_encryption_required", 0),
        ({"TransitEncryptionMode": None}, "transit_encryption_required", None),
        ({"SnapshotRetentionLimit": 0}, "backups_enabled", 0),
        ({"SnapshotRetentionLimit": 0}, "snapshot_retention_seconds", 0),
        ({"AutomaticFailover": "enabling"}, "automatic_failover_enabled", 0),
        ({"AutomaticFailover": "disabling"}, "automatic_failover_enabled", 0),
        ({"MultiAZ": "disabled"}, "multi_az_enabled", 0),
        ({"PendingModifiedValues": {}}, "resharding_progress_ratio", None),
        ({"UserGroupIds": []}, "user_groups", 0),
    ],
)
def test_posture(changes: dict[str, Any], family: str, expected: float | None) -> None:
    """Each fact alone: 0 is what AWS says, None what it does not say."""
    found = Findings(SCOPE)
    say_group(found, GROUP_INFO, {**GROUP, **changes}, "arn", {}, ())
    assert said(found).get((f"replication_group_{family}", "sessions")) == expected


CACHE: dict[str, Any] = {
    "ServerlessCacheName": "carts",
    "Status": "AVAILABLE",
    "Engine": "valkey",
    "CacheUsageLimits": {
        "DataStorage": {"Maximum": 10, "Minimum": 1, "Unit": "GB"},
        "ECPUPerSecond": {"Maximum": 5000, "Minimum": 1000},
    },
    "SnapshotRetentionLimit": 5,
    "CreateTime": when(T),
    "UserGroupId": "shop",
    "Endpoint": {"Address": "carts.serverless.euw1.cache.amazonaws.com", "Port": 6379},
}


def test_a_serverless_cache() -> None:
    """Limits in bytes and per second, the status in whatever letters."""
    found = Findings(SCOPE)
    say_serverless(found, SERVERLESS_INFO, CACHE, "arn:cache", {}, ())
    assert without_info(said(found)) == {
        ("serverless_available", "carts"): 1,
        ("serverless_created_timestamp_seconds", "carts"): T,
        ("serverless_data_storage_limit_bytes", "carts"): 10e9,
        ("serverless_data_storage_minimum_bytes", "carts"): 1e9,
        ("serverless_ecpu_limit_per_second", "carts"): 5000,
        ("serverless_ecpu_minimum_per_second", "carts"): 1000,
        ("serverless_backups_enabled", "carts"): 1,
        ("serverless_snapshot_retention_seconds", "carts"): 5 * 86400,
    }


@pytest.mark.parametrize(
    "limits",
    [None, {}, {"DataStorage": {"Unit": "GB"}}, {"ECPUPerSecond": {}}],
    ids=["none", "empty", "no maximum", "no units"],
)
def test_a_serverless_cache_without_limits_has_none(limits: Any) -> None:
    """No maximum is no limit, never a limit of 0."""
    found = Findings(SCOPE)
    say_serverless(found, SERVERLESS_INFO, {**CACHE, "CacheUsageLimits": limits}, "arn", {}, ())
    assert not [key for key in said(found) if "limit" in key[0] or "minimum" in key[0]]


def test_snapshots_belong_to_their_owner() -> None:
    """The newest complete one counts, from the beginning of its oldest part; a node's snapshot is its group's."""

    def snapshot(status: str, *starts: int, **owner: str) -> dict[str, Any]:
        return {
            "SnapshotStatus": status,
            "NodeSnapshots": [{"SnapshotCreateTime": when(start)} for start in starts],
            **owner,
        }

    found = Findings(SCOPE)
    say_snapshots(
        found,
        [
            snapshot("available", T, T - 30, ReplicationGroupId="carts"),
            snapshot("available", T - 9000, ReplicationGroupId="carts"),
            snapshot("creating", T + 600, ReplicationGroupId="carts"),
            snapshot("failed", T + 700, ReplicationGroupId="carts"),
            snapshot("restoring", T - 60, CacheClusterId="sessions-002"),
            snapshot("available", T - 90, CacheClusterId="alone"),
            snapshot("available", T - 10, CacheClusterId="long-gone"),
            snapshot("available", T - 10, ReplicationGroupId="not-selected"),
            {"SnapshotStatus": "available", "ReplicationGroupId": "carts"},
        ],
        {"sessions-002": "sessions"},
        frozenset({"carts", "sessions"}),
        frozenset({"alone"}),
    )
    assert said(found) == {
        ("replication_group_last_snapshot_timestamp_seconds", "carts"): T - 30,
        ("replication_group_last_snapshot_timestamp_seconds", "sessions"): T - 60,
        ("cluster_last_snapshot_timestamp_seconds", "alone"): T - 90,
    }


def test_snapshots_of_serverless_caches() -> None:
    """The newest complete one of each cache of interest."""

    def snapshot(status: str, at: int, name: str) -> dict[str, Any]:
        return {
            "Status": status,
            "CreateTime": when(at),
            "ServerlessCacheConfiguration": {"ServerlessCacheName": name},
        }

    found = Findings(SCOPE)
    items = [snapshot("available", T, "a"), snapshot("AVAILABLE", T + 5, "a"), snapshot("creating", T + 9, "a")]
    say_serverless_snapshots(found, [*items, snapshot("available", T, "other")], frozenset({"a"}))
    assert said(found) == {("serverless_last_snapshot_timestamp_seconds", "a"): T + 5}


def test_updates_that_are_not_over() -> None:
    """Open ones with what AWS says of them; those done or not wanted are left out."""

    def update(status: str, **owner: str) -> dict[str, Any]:
        return {
            "ServiceUpdateName": "security-1",
            "ServiceUpdateSeverity": "important",
            "ServiceUpdateType": "security-update",
            "ServiceUpdateStatus": "available",
            "ServiceUpdateRecommendedApplyByDate": when(T),
            "UpdateActionStatus": status,
            "SlaMet": "no",
            "NodesUpdated": "1/3",
            **owner,
        }

    found = Findings(SCOPE)
    items = [
        update("in-progress", ReplicationGroupId="sessions"),
        update("complete", ReplicationGroupId="carts"),
        update("not-applied", CacheClusterId="alone"),
        update("not-applied", CacheClusterId="hidden"),
    ]
    say_updates(found, items, lambda group, cluster: cluster != "hidden")
    assert said(found) == {
        (
            "update_action_info", "sessions", "", "security-1", "important", "security-update", "available",
            "in-progress", "no", "1/3",
        ): 1,
        ("update_action_apply_by_timestamp_seconds", "sessions", "", "security-1"): T,
        (
            "update_action_info", "", "alone", "security-1", "important", "security-update", "available",
            "not-applied", "no", "1/3",
        ): 1,
        ("update_action_apply_by_timestamp_seconds", "", "alone", "security-1"): T,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"maxmemory-policy": "allkeys-lru", "reserved-memory-percent": "25", "maxclients": "65000"},
            {
                ("parameter_group_info", "p", "allkeys-lru", ""): 1,
                ("parameter_group_reserved_memory_ratio", "p"): 0.25,
                ("parameter_group_connections_limit", "p"): 65000,
            },
        ),
        (
            {"maxmemory-policy": "noeviction", "cluster-enabled": "yes", "reserved-memory-percent": "-"},
            {("parameter_group_info", "p", "noeviction", "yes"): 1},
        ),
    ],
)
def test_parameters(values: dict[str, str], expected: Said) -> None:
    """The policy as a label, numbers as numbers, what is no number not at all."""
    found = Findings(SCOPE)
    items = [{"ParameterName": name, "ParameterValue": value} for name, value in values.items()]
    say_parameters(found, "p", [*items, {"ParameterName": "timeout"}])
    assert said(found) == expected


def test_scalable_targets() -> None:
    """By what they scale; a target of something else is not ours."""
    found = Findings(SCOPE)
    suspended = {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": False}
    items: list[dict[str, Any]] = [
        {
            "ResourceId": "replication-group/carts",
            "ScalableDimension": "elasticache:replication-group:NodeGroups",
            "MinCapacity": 2,
            "MaxCapacity": 6,
            "SuspendedState": suspended,
        },
        {"ResourceId": "replication-group/hidden", "ScalableDimension": "elasticache:replication-group:Replicas"},
        {
            "ResourceId": "cache-cluster/pages",
            "ScalableDimension": "elasticache:cache-cluster:Nodes",
            "MinCapacity": 1,
            "MaxCapacity": 3,
        },
        {"ResourceId": "table/x", "ScalableDimension": "dynamodb:table:ReadCapacityUnits", "MinCapacity": 1},
    ]
    say_scaling(found, items, lambda group, _: group != "hidden")
    assert said(found) == {
        ("scalable_target_minimum_capacity", "carts", "", "NodeGroups"): 2,
        ("scalable_target_maximum_capacity", "carts", "", "NodeGroups"): 6,
        ("scalable_target_suspended", "carts", "", "NodeGroups", "dynamic_in"): 1,
        ("scalable_target_suspended", "carts", "", "NodeGroups", "dynamic_out"): 0,
        ("scalable_target_minimum_capacity", "", "pages", "Nodes"): 1,
        ("scalable_target_maximum_capacity", "", "pages", "Nodes"): 3,
    }
