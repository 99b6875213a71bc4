"""Cache nodes: where they sit, where they listen, what waits for them; items as botocore gives them in."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.model import Asset
from exporter.services.base import Findings
from exporter.services.elasticache_facts import NODE_INFO
from exporter.services.elasticache_nodes import (
    Owner,
    Seat,
    auth_of,
    clusters_from,
    lone_asset,
    node_resources,
    nodes_of,
    pending,
    say_node,
    say_serverless_target,
    say_target,
    seats_of,
)
from tests.test_elasticache_facts import CACHE, SCOPE, T, said, when, without_info

CLUSTER: dict[str, Any] = {
    "CacheClusterId": "sessions-001",
    "ReplicationGroupId": "sessions",
    "Engine": "valkey",
    "EngineVersion": "8.0.1",
    "CacheNodeType": "cache.r7g.large",
    "CacheClusterStatus": "modifying",
    "TransitEncryptionEnabled": True,
    "CacheParameterGroup": {"CacheParameterGroupName": "default.valkey8", "ParameterApplyStatus": "in-sync"},
    "PendingModifiedValues": {
        "EngineVersion": "8.1.0",
        "CacheNodeIdsToRemove": ["0002", "0003"],
        "NumCacheNodes": None,
    },
    "CacheNodes": [
        {
            "CacheNodeId": "0001",
            "CacheNodeStatus": "available",
            "CacheNodeCreateTime": when(T),
            "CustomerAvailabilityZone": "eu-west-1a",
            "Endpoint": {"Address": "sessions-001.x.euw1.cache.amazonaws.com", "Port": 6379},
        }
    ],
}


def test_a_node_with_its_place() -> None:
    """Identity first, then what may change; role and shard apart; tags as the configuration wants them."""
    owner = Owner("sessions", {"data_tiering": True}, {"team": "web", "Name": "x"}, "users")
    seat = Seat("0001", "primary", alone=False)
    found, node = Findings(SCOPE), CLUSTER["CacheNodes"][0]
    node_resources(found, CLUSTER, node, owner, seat, published=True)
    say_node(found, NODE_INFO, CLUSTER, node, owner, seat, ())
    where = ("sessions", "sessions-001", "0001")
    assert without_info(said(found)) == {
        ("node_available", *where): 1,
        ("node_created_timestamp_seconds", *where): T,
    }
    samples = said(found)
    assert ("node_role_info", *where, "primary") in samples
    assert ("node_shard_info", *where, "0001") in samples
    assert ("node_pending_modification_info", *where, "engine_version", "8.1.0") in samples
    assert ("node_pending_modification_info", *where, "cache_node_ids_to_remove", "0002,0003") in samples
    assert [(one.kind.name, one.id) for one in found.resources] == [
        ("elasticache-node", ("sessions-001", "0001")),
        ("elasticache-node-tier", ("sessions-001", "0001", "Memory")),
        ("elasticache-node-tier", ("sessions-001", "0001", "SSD")),
    ]
    first = found.resources[0]
    assert first.label_values() == ("123456789012", "eu-west-1", *where)
    assert first.facts == {
        "replication_group_id": "sessions",
        "data_tiering": True,
        "engine": "valkey",
        "engine_version": "8.0.1",
        "node_type": "cache.r7g.large",
        "alone": False,
        "role": "primary",
    }


def test_targets_of_nodes_and_serverless_caches() -> None:
    """Address and port, identity labels, and what a probe has to know; nothing where nobody listens."""
    found = Findings(SCOPE)
    owner = Owner("sessions", {}, {}, "token")
    say_target(found, CLUSTER, CLUSTER["CacheNodes"][0], owner, Seat("0001", "replica", alone=False))
    say_target(found, CLUSTER, {"CacheNodeId": "0001", "CacheNodeStatus": "creating"}, owner, None)
    say_serverless_target(found, CACHE)
    say_serverless_target(found, {"ServerlessCacheName": "young"})
    assert [(one.address, dict(one.labels)) for one in found.targets] == [
        (
            "sessions-001.x.euw1.cache.amazonaws.com:6379",
            {
                "account_id": "123456789012",
                "region": "eu-west-1",
                "replication_group_id": "sessions",
                "cache_cluster_id": "sessions-001",
                "cache_node_id": "0001",
                "__meta_storage_exporter_tls": "true",
                "__meta_storage_exporter_engine": "valkey",
                "__meta_storage_exporter_role": "replica",
                "__meta_storage_exporter_auth": "token",
            },
        ),
        (
            "carts.serverless.euw1.cache.amazonaws.com:6379",
            {
                "account_id": "123456789012",
                "region": "eu-west-1",
                "serverless_cache": "carts",
                "__meta_storage_exporter_tls": "true",
                "__meta_storage_exporter_engine": "valkey",
                "__meta_storage_exporter_role": "",
                "__meta_storage_exporter_auth": "users",
            },
        ),
    ]


def test_seats_and_clusters_from_groups() -> None:
    """Where nodes sit; and which nodes there are when only the groups tell."""
    members = [("sessions-001", "primary"), ("sessions-002", "replica")]
    replicated = {
        "ReplicationGroupId": "sessions",
        "NodeGroups": [
            {
                "NodeGroupId": "0001",
                "NodeGroupMembers": [
                    {"CacheClusterId": name, "CacheNodeId": "0001", "CurrentRole": role} for name, role in members
                ],
            }
        ],
    }
    assert seats_of([replicated]) == {
        ("sessions-001", "0001"): Seat("0001", "primary", alone=False),
        ("sessions-002", "0001"): Seat("0001", "replica", alone=False),
    }
    sharded = {
        "ReplicationGroupId": "carts",
        "NodeGroups": [
            {"NodeGroupId": "0002", "NodeGroupMembers": [{"CacheClusterId": "carts-0002-001", "CacheNodeId": "0001"}]}
        ],
    }
    assert seats_of([sharded]) == {("carts-0002-001", "0001"): Seat("0002", "", alone=True)}
    assert [(one["CacheClusterId"], one["ReplicationGroupId"]) for one in clusters_from([replicated, sharded])] == [
        ("sessions-001", "sessions"),
        ("sessions-002", "sessions"),
        ("carts-0002-001", "carts"),
    ]


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        ({"Engine": "valkey", "CacheNodes": [{"CacheNodeId": "0001"}]}, ["0001"]),
        ({"Engine": "memcached", "CacheNodes": [{"CacheNodeId": "0001"}, {"CacheNodeId": "0003"}]}, ["0001", "0003"]),
        ({"Engine": "valkey", "CacheClusterStatus": "available"}, ["0001"]),
        ({"Engine": "valkey", "CacheClusterStatus": "creating"}, []),
        ({"Engine": "memcached", "CacheClusterStatus": "available"}, []),
    ],
)
def test_nodes_of(cluster: dict[str, Any], expected: list[str]) -> None:
    """The nodes AWS lists; the one of a cluster of Valkey that is up, where it lists none."""
    assert [node["CacheNodeId"] for node in nodes_of(cluster)] == expected


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"AuthTokenEnabled": True, "UserGroupIds": ["x"]}, "token"),
        ({"AuthTokenEnabled": False, "UserGroupIds": ["x"]}, "users"),
        ({"AuthTokenEnabled": False, "UserGroupIds": []}, "none"),
        ({}, ""),
    ],
)
def test_auth_of(item: dict[str, Any], expected: str) -> None:
    """What AWS says of passwords and users; nothing where it says nothing."""
    assert auth_of(item) == expected


def test_pending_of_nothing() -> None:
    """Empty members are no changes."""
    assert list(pending({})) == []
    assert list(pending({"PendingModifiedValues": {"EngineVersion": None, "LogDeliveryConfigurations": []}})) == []
    assert list(pending({"PendingModifiedValues": {"TransitEncryptionEnabled": False}})) == [
        ("transit_encryption_enabled", "false")
    ]


def test_lone_assets() -> None:
    """A cluster of Valkey outside any group is its node; Memcached keeps nothing worth a backup."""
    found = Findings(SCOPE)
    lone_asset(found, {**CLUSTER, "CacheClusterId": "alone", "ReplicationGroupId": None}, "arn:alone")
    lone_asset(found, {**CLUSTER, "CacheClusterId": "pages", "Engine": "memcached"}, "arn:pages")
    labels = ("replication_group_id", "cache_cluster_id", "cache_node_id")
    identity = ("", "alone", "0001")
    assert found.assets == [Asset("arn:alone", "elasticache_node", labels, identity, "")]
