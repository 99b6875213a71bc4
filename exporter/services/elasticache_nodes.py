"""
Cache nodes: what they are, where they sit, where they listen (aws-facts 3.5). Pure: items in, findings out.

Roles are AWS's word for groups with cluster mode disabled; with cluster mode enabled only `is_primary` tells them. A
node that is alone in its shard can be no replica, whatever the mode.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.model import Asset, Fact, Family, Resource, Target
from exporter.services.base import Findings, seconds_of, text_of
from exporter.services.elasticache_facts import (
    NODE_AVAILABLE,
    NODE_CREATED,
    NODE_PENDING,
    NODE_ROLE,
    NODE_SHARD,
)
from exporter.services.elasticache_kinds import NODE, NODE_TIER, TIERS
from exporter.services.items import Item

NodeKey = tuple[str, str]
"""Cluster and node id."""

_META = "__meta_storage_exporter_"


@dataclass(frozen=True, slots=True)
class Seat:
    """A node's place in its group: its shard, its role (``""`` where AWS does not say), whether it is alone there."""

    node_group_id: str
    role: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Owner:
    """
    What a node belongs to: a replication group, or the cluster itself where that stands alone.

    Args:
        group_id: ``""`` for a cluster that stands alone.

        facts: what the group says that rows of its nodes select on.

        tags: AWS's, of the group or of the cluster.

        auth: ``token``, ``users``, ``none``, or ``""`` where it is not known.
    """

    group_id: str
    facts: Mapping[str, Fact]
    tags: Mapping[str, str]
    auth: str


def seats_of(groups: Sequence[Item]) -> dict[NodeKey, Seat]:
    """Where each node of *groups* (items of DescribeReplicationGroups) sits."""
    return {
        (member["CacheClusterId"], text_of(member.get("CacheNodeId"))): Seat(
            text_of(shard.get("NodeGroupId")),
            text_of(member.get("CurrentRole")),
            len(shard.get("NodeGroupMembers") or ()) == 1,
        )
        for group in groups
        for shard in group.get("NodeGroups") or ()
        for member in shard.get("NodeGroupMembers") or ()
    }


def group_facts(group: Item) -> dict[str, Fact]:
    """What a group's item says that its nodes' rows select on; what it does not say is missing."""
    facts: dict[str, Fact] = {}
    if group.get("DataTiering"):
        facts["data_tiering"] = group["DataTiering"] == "enabled"
    durability = group.get("EffectiveDurability") or group.get("Durability")
    if durability:
        facts["durability"] = text_of(durability)
    role = (group.get("GlobalReplicationGroupInfo") or {}).get("GlobalReplicationGroupMemberRole")
    if role:
        facts["global_role"] = text_of(role)
    return facts


def auth_of(item: Item) -> str:
    """How clients prove who they are: ``token``, ``users``, ``none``, or ``""`` where AWS does not say."""
    if item.get("AuthTokenEnabled"):
        return "token"
    if item.get("UserGroupIds"):
        return "users"
    return "none" if item.get("AuthTokenEnabled") is False else ""


def nodes_of(cluster: Item) -> Sequence[Item]:
    """
    A cluster's nodes. Where an answer lists none although the cluster is up, it is the one that a cluster of Valkey or
    Redis OSS has, 0001 (aws-facts 1.5.1), of which nothing else is known.
    """
    if cluster.get("CacheNodes") or cluster.get("Engine") == "memcached":
        return cluster.get("CacheNodes") or ()
    return () if cluster.get("CacheClusterStatus") in {"creating", "restore-failed"} else ({"CacheNodeId": "0001"},)


def clusters_from(groups: Sequence[Item]) -> list[Item]:
    """
    Clusters as far as groups name them, for a time in which DescribeCacheClusters does not answer: enough to ask
    CloudWatch, with nothing of what only that operation says.
    """
    return [
        {
            "CacheClusterId": member["CacheClusterId"],
            "ReplicationGroupId": group["ReplicationGroupId"],
            "Engine": group.get("Engine"),
            "CacheNodeType": group.get("CacheNodeType"),
            "CacheNodes": [{"CacheNodeId": member.get("CacheNodeId")}],
        }
        for group in groups
        for shard in group.get("NodeGroups") or ()
        for member in shard.get("NodeGroupMembers") or ()
    ]


def node_resources(
    found: Findings, cluster: Item, node: Item, owner: Owner, seat: Seat | None, *, published: bool
) -> None:
    """
    The node as something CloudWatch is asked about. One that was never up publishes nothing (*published* False), and
    asking is billed all the same.
    """
    if not published:
        return
    facts: dict[str, Fact] = {"replication_group_id": owner.group_id, **owner.facts}
    for name, member in (("engine", "Engine"), ("engine_version", "EngineVersion"), ("node_type", "CacheNodeType")):
        if cluster.get(member):
            facts[name] = text_of(cluster[member])
    if seat is not None:
        facts["alone"] = seat.alone
        if seat.role:
            facts["role"] = seat.role
    where = (cluster["CacheClusterId"], text_of(node.get("CacheNodeId")))
    found.resources.append(Resource(NODE, found.scope, where, facts, owner.tags))
    if owner.facts.get("data_tiering"):
        for tier in TIERS:
            found.resources.append(Resource(NODE_TIER, found.scope, (*where, tier), facts, owner.tags))


def say_node(
    found: Findings,
    family: Family,
    cluster: Item,
    node: Item,
    owner: Owner,
    seat: Seat | None,
    tags: Sequence[str],
) -> None:
    """What AWS says of a node. *family* is the info family with the labels of the *tags* wanted."""
    where = (owner.group_id, cluster["CacheClusterId"], text_of(node.get("CacheNodeId")))
    parameters = cluster.get("CacheParameterGroup") or {}
    described = (
        text_of(cluster.get("Engine")),
        text_of(cluster.get("EngineVersion")),
        text_of(cluster.get("CacheNodeType")),
        text_of(cluster.get("CacheClusterStatus")),
        text_of(node.get("CacheNodeStatus")),
        text_of(node.get("CustomerAvailabilityZone") or cluster.get("PreferredAvailabilityZone")),
        text_of(parameters.get("CacheParameterGroupName")),
        text_of(node.get("ParameterGroupStatus") or parameters.get("ParameterApplyStatus")),
        text_of(cluster.get("CacheSubnetGroupName")),
        text_of(cluster.get("NetworkType")),
        text_of(cluster.get("PreferredMaintenanceWindow")),
    )
    found.say(family, (*where, *described, *(owner.tags.get(key, "") for key in tags)), 1)
    status = node.get("CacheNodeStatus")
    found.say(NODE_AVAILABLE, where, None if status is None else status == "available")
    found.say(NODE_CREATED, where, seconds_of(node.get("CacheNodeCreateTime")))
    if seat is not None:
        found.say(NODE_SHARD, (*where, seat.node_group_id), 1)
        found.say(NODE_ROLE, (*where, seat.role), 1 if seat.role else None)
    for change, target in pending(cluster):
        found.say(NODE_PENDING, (*where, change, target), 1)


def say_target(found: Findings, cluster: Item, node: Item, owner: Owner, seat: Seat | None) -> None:
    """Where the node listens, for probes; nothing while it listens nowhere."""
    endpoint = node.get("Endpoint") or {}
    if not endpoint.get("Address"):
        return
    tls = cluster.get("TransitEncryptionEnabled")
    labels = (
        ("account_id", found.scope.account_id),
        ("region", found.scope.region),
        ("replication_group_id", owner.group_id),
        ("cache_cluster_id", cluster["CacheClusterId"]),
        ("cache_node_id", text_of(node.get("CacheNodeId"))),
        (f"{_META}tls", text_of(tls)),
        (f"{_META}engine", text_of(cluster.get("Engine"))),
        (f"{_META}role", seat.role if seat else ""),
        (f"{_META}auth", owner.auth),
    )
    found.targets.append(Target(f"{endpoint['Address']}:{endpoint.get('Port')}", labels))


def say_serverless_target(found: Findings, cache: Item) -> None:
    """Where the serverless cache listens; it always speaks TLS (ElastiCache User Guide, "in-transit encryption")."""
    endpoint = cache.get("Endpoint") or {}
    if not endpoint.get("Address"):
        return
    labels = (
        ("account_id", found.scope.account_id),
        ("region", found.scope.region),
        ("serverless_cache", cache["ServerlessCacheName"]),
        (f"{_META}tls", "true"),
        (f"{_META}engine", text_of(cache.get("Engine"))),
        (f"{_META}role", ""),
        (f"{_META}auth", "users" if cache.get("UserGroupId") else "none"),
    )
    found.targets.append(Target(f"{endpoint['Address']}:{endpoint.get('Port')}", labels))


def lone_asset(found: Findings, cluster: Item, arn: str) -> None:
    """
    A cluster outside any group as something that holds data: its one node. Memcached keeps nothing worth a backup, and
    which key such a cluster is encrypted with AWS does not say.
    """
    nodes = nodes_of(cluster)
    if cluster.get("Engine") == "memcached" or not nodes:
        return
    identity = ("", cluster["CacheClusterId"], text_of(nodes[0].get("CacheNodeId")))
    found.assets.append(Asset(arn, "elasticache_node", NODE.labels, identity, ""))


def pending(item: Item) -> Iterator[tuple[str, str]]:
    """``PendingModifiedValues`` as (change, target): scalars with their value, lists joined, the rest without."""
    for name, value in sorted((item.get("PendingModifiedValues") or {}).items()):
        if value is None or (isinstance(value, str | Mapping | Sequence) and not value):
            continue
        if not isinstance(value, str) and isinstance(value, Sequence) and all(isinstance(each, str) for each in value):
            target = ",".join(value)
        else:
            target = "" if not isinstance(value, str) and isinstance(value, Mapping | Sequence) else text_of(value)
        yield re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower(), target
