"""
ElastiCache: nodes, replication groups, clusters that stand alone and serverless caches, with their events, snapshots,
parameters, updates and scaling (aws-facts 3.5, 3.6). What CloudWatch publishes is the table in `elasticache_rows`.

Topology comes from the Describe operations, never from tags or ListMetrics (pains.md 13). An operation that cannot be
read costs its own facts only: without DescribeReplicationGroups the nodes are known and their roles are not; without
DescribeCacheClusters the groups still name their nodes.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.errors import DeniedError
from exporter.model import Family, Inventory, MetricRow, Scope, Target
from exporter.services.base import (
    NOTHING,
    Findings,
    Found,
    Member,
    Wishes,
    partition_of,
    tags_of,
    text_of,
    unhurried,
    with_tags,
)
from exporter.services.elasticache_events import Key, remember
from exporter.services.elasticache_facts import (
    CLUSTER_INFO,
    CLUSTERS,
    EVENT,
    EVENTS,
    FAMILIES,
    GROUP_INFO,
    GROUPS,
    NODE_INFO,
    OPERATIONS,
    PARAMETERS,
    SCALABLE_TARGETS,
    SERVERLESS_CACHES,
    SERVERLESS_INFO,
    SERVERLESS_SNAPSHOTS,
    SNAPSHOTS,
    TAGS,
    UPDATE_ACTIONS,
)
from exporter.services.elasticache_groups import say_cluster, say_group, say_serverless
from exporter.services.elasticache_kinds import NODE, SERVERLESS
from exporter.services.elasticache_more import (
    OPEN,
    say_parameters,
    say_scaling,
    say_serverless_snapshots,
    say_snapshots,
    say_updates,
)
from exporter.services.elasticache_nodes import (
    NodeKey,
    Owner,
    auth_of,
    clusters_from,
    group_facts,
    lone_asset,
    node_resources,
    nodes_of,
    say_node,
    say_serverless_target,
    say_target,
    seats_of,
)
from exporter.services.elasticache_rows import NODE_NEWEST_DATAPOINT, ROWS, SERVERLESS_NEWEST_DATAPOINT
from exporter.services.items import Item
from exporter.services.reader import Answer, Operation, Reader

_DAY_OF_EVENTS = 1440  # minutes; read at the first pass and every hour, so that no outage of ours loses an event
_FEWEST_MINUTES = 15
_HOUR = 3600
_TOGETHER = 20  # caches said before the event loop has its turn; each has dozens of facts
_FAST = 60
_LISTINGS = (CLUSTERS, SERVERLESS_CACHES)


@dataclass(slots=True)
class _Seen:
    """What the listings say now."""

    scope: Scope
    clusters: list[Item]
    groups: list[Item]
    caches: list[Item]
    group_of: dict[str, str] = field(default_factory=dict)
    arns: dict[str, str] = field(default_factory=dict)
    """Group, lone cluster or serverless cache, each by its `_owner` name → ARN."""
    settled: set[str] = field(default_factory=set)
    """Owners that AWS calls available: of others it may refuse to list tags."""


class ElastiCache:
    """ElastiCache in one scope."""

    name = "elasticache"
    rows: tuple[MetricRow, ...] = ROWS
    operations: tuple[Operation, ...] = OPERATIONS
    families: tuple[Family, ...] = FAMILIES
    members: tuple[Member, ...] = (
        Member(NODE_NEWEST_DATAPOINT, frozenset({NODE.name})),
        Member(SERVERLESS_NEWEST_DATAPOINT, frozenset({SERVERLESS.name})),
    )

    arns: tuple[str, ...] = ("*",)
    follows = False

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._node = with_tags(NODE_INFO, wishes.tags)
        self._group = with_tags(GROUP_INFO, wishes.tags)
        self._cluster = with_tags(CLUSTER_INFO, wishes.tags)
        self._serverless = with_tags(SERVERLESS_INFO, wishes.tags)
        self._last: Found = NOTHING
        self._tags: dict[str, Mapping[str, str]] = {}
        self._events: dict[Key, int] = {}
        self._was_up: set[NodeKey] = set()
        self._denied: set[str] = set()

    async def discover(self, reader: Reader, scope: Scope) -> Inventory:
        """Nodes, groups, shards and serverless caches as resources, everything else as samples."""
        clusters, groups, caches, snapshots, cache_snapshots, updates, scaling, *events = await asyncio.gather(
            reader.read(CLUSTERS, {"ShowCacheNodeInfo": True}),
            reader.read(GROUPS),
            reader.read(SERVERLESS_CACHES),
            reader.read(SNAPSHOTS),
            reader.read(SERVERLESS_SNAPSHOTS),
            reader.read(UPDATE_ACTIONS, {"UpdateActionStatus": list(OPEN)}),
            reader.read(SCALABLE_TARGETS, {"ServiceNamespace": "elasticache"}),
            reader.read(EVENTS, {"Duration": _minutes(reader)}, key="recent"),
            reader.read(EVENTS, {"Duration": _DAY_OF_EVENTS}, key="day", every=_HOUR),
        )
        seen = _seen(scope, clusters, groups, caches)
        await self._learn_tags(reader, seen)
        chosen = {owner for owner in seen.arns if self._wishes.pick(owner[1:], self._tags.get(owner, {}))}
        said = Findings(scope, self._wishes.constant)
        await self._say_nodes(said, seen, chosen, known=clusters is not None)
        async for group in unhurried(seen.groups, _TOGETHER):
            if (owner := "g" + group["ReplicationGroupId"]) in chosen:
                tags = self._tags.get(owner, {})
                say_group(said, self._group, group, seen.arns[owner], tags, self._wishes.tags)
        async for cache in unhurried(seen.caches, _TOGETHER):
            if (owner := "s" + cache["ServerlessCacheName"]) in chosen:
                tags = self._tags.get(owner, {})
                say_serverless(said, self._serverless, cache, seen.arns[owner], tags, self._wishes.tags)
                say_serverless_target(said, cache)
        await self._say_parameters(reader, said, seen, chosen)
        self._say_rest(said, seen, chosen, (snapshots, cache_snapshots, updates, scaling))
        self._say_events(said, seen, chosen, events, reader.now)
        found = self._last = await said.settle(self._last)
        return Inventory(
            found.resources,
            found.samples,
            _counts(found, chosen, clusters=clusters, groups=groups, caches=caches),
            dict(reader.failures),
            found.assets,
            self._targets(reader, found, clusters, caches),
            reader.waiting,
        )

    # ---- reading ----

    async def _learn_tags(self, reader: Reader, seen: _Seen) -> None:
        """
        The tags of each owner. They decide what is selected, so the last ones known are kept for as long as the owner
        lives, whatever happens to the operation. While AWS changes something it may refuse to list its tags.
        """

        async def learn(owner: str, arn: str) -> None:
            settled = owner in seen.settled
            if settled or owner not in self._tags:
                key, every = (arn, None) if settled else (f"{arn} in change", _FAST)
                answer = await reader.read(TAGS, {"ResourceName": arn}, key=key, every=every, may_wait=True)
                if answer is not None:
                    self._tags[owner] = tags_of({"Tags": answer.items})

        await asyncio.gather(*(learn(owner, arn) for owner, arn in sorted(seen.arns.items())))
        self._tags = {owner: tags for owner, tags in self._tags.items() if owner in seen.arns}

    async def _say_parameters(self, reader: Reader, found: Findings, seen: _Seen, chosen: Collection[str]) -> None:
        names = sorted(
            {
                text_of((cluster.get("CacheParameterGroup") or {}).get("CacheParameterGroupName"))
                for cluster in seen.clusters
                if _owner(cluster) in chosen
            }
            - {""}
        )
        answers = await asyncio.gather(
            *(reader.read(PARAMETERS, {"CacheParameterGroupName": name}, key=name, may_wait=True) for name in names)
        )
        for name, answer in zip(names, answers, strict=True):
            if answer is not None and answer.items:
                say_parameters(found, name, answer.items)

    # ---- saying ----

    async def _say_nodes(self, found: Findings, seen: _Seen, chosen: Collection[str], *, known: bool) -> None:
        """Nodes of what is chosen; where the clusters are not *known*, as far as the groups name them."""
        seats = seats_of(seen.groups)
        groups = {group["ReplicationGroupId"]: group for group in seen.groups}
        up: set[NodeKey] = set()
        async for cluster in unhurried(seen.clusters, _TOGETHER):
            if (name := _owner(cluster)) not in chosen:
                continue
            group_id = text_of(cluster.get("ReplicationGroupId"))
            source = groups.get(group_id, {}) if group_id else cluster
            tags = self._tags.get(name, {})
            owner = Owner(group_id, group_facts(source), tags, auth_of(source))
            for node in nodes_of(cluster):
                place = (cluster["CacheClusterId"], text_of(node.get("CacheNodeId")))
                seat = seats.get(place)
                if node.get("CacheNodeStatus", "available") != "creating" or place in self._was_up:
                    up.add(place)
                node_resources(found, cluster, node, owner, seat, published=place in up)
                if known:
                    say_node(found, self._node, cluster, node, owner, seat, self._wishes.tags)
                    say_target(found, cluster, node, owner, seat)
            if known and not group_id:
                say_cluster(found, self._cluster, cluster, tags, self._wishes.tags)
                lone_asset(found, cluster, seen.arns[name])
        self._was_up = up

    def _say_rest(
        self, found: Findings, seen: _Seen, chosen: Collection[str], answers: Sequence[Answer | None]
    ) -> None:
        snapshots, cache_snapshots, updates, scaling = (answer.items if answer else () for answer in answers)

        def wanted(group_id: str, cluster_id: str) -> bool:
            return (
                _owner({"ReplicationGroupId": group_id or seen.group_of.get(cluster_id), "CacheClusterId": cluster_id})
                in chosen
            )

        say_snapshots(found, snapshots, seen.group_of, _named("g", chosen), _named("c", chosen))
        say_serverless_snapshots(found, cache_snapshots, _named("s", chosen))
        say_updates(found, updates, wanted)
        say_scaling(found, scaling, wanted)

    def _say_events(
        self, found: Findings, seen: _Seen, chosen: Collection[str], answers: Sequence[Answer | None], now: int
    ) -> None:
        """The newest event of each class; also of what is gone already, but not of what is not selected."""
        for answer in answers:
            self._events = remember(self._events, answer.items if answer else (), now)
        hidden = {owner for owner in seen.arns if owner not in chosen}
        for (source_type, source, event), at in sorted(self._events.items()):
            if _source_owner(seen, source_type, source) not in hidden:
                found.say(EVENT, (source_type, source, event), at)

    def _targets(
        self, reader: Reader, found: Found, clusters: Answer | None, caches: Answer | None
    ) -> tuple[Target, ...] | None:
        """
        The addresses, or None while they are not known. What we may not list at all is no reason to withhold the rest:
        it will not be known later either.
        """
        answers = dict(zip(_LISTINGS, (clusters, caches), strict=True))
        for operation, answer in answers.items():
            if answer is not None:
                self._denied.discard(operation.name)
            elif isinstance(reader.failures.get(operation.name), DeniedError):
                self._denied.add(operation.name)
        unknown = {operation.name for operation, answer in answers.items() if answer is None}
        return None if unknown - self._denied or len(unknown) == len(answers) else found.targets


def _seen(scope: Scope, clusters: Answer | None, groups: Answer | None, caches: Answer | None) -> _Seen:
    """The listings in order, with who owns what."""
    listed = groups.items if groups else []
    living = [item for item in clusters.items if item.get("CacheClusterStatus") != "deleted"] if clusters else None
    seen = _Seen(
        scope,
        sorted(clusters_from(listed) if living is None else living, key=lambda item: str(item["CacheClusterId"])),
        sorted(listed, key=lambda item: str(item["ReplicationGroupId"])),
        sorted(caches.items if caches else [], key=lambda item: str(item["ServerlessCacheName"])),
    )
    for group in seen.groups:
        seen.group_of.update(dict.fromkeys(group.get("MemberClusters") or (), group["ReplicationGroupId"]))
        _own(seen, "g" + group["ReplicationGroupId"], group, "Status")
    for cluster in seen.clusters:
        group_id = text_of(cluster.get("ReplicationGroupId"))
        if not group_id:
            _own(seen, _owner(cluster), cluster, "CacheClusterStatus")
            continue
        seen.group_of[cluster["CacheClusterId"]] = group_id
        if "g" + group_id not in seen.arns:  # DescribeReplicationGroups does not answer, or not yet
            _own(seen, "g" + group_id, {}, "Status")
    for cache in seen.caches:
        _own(seen, "s" + cache["ServerlessCacheName"], cache, "Status")
    return seen


def _own(seen: _Seen, owner: str, item: Item, status: str) -> None:
    kinds = {"g": "replicationgroup", "c": "cluster", "s": "serverlesscache"}
    region, account_id = seen.scope.region, seen.scope.account_id
    arn = f"arn:{partition_of(region)}:elasticache:{region}:{account_id}:{kinds[owner[0]]}:{owner[1:]}"
    seen.arns[owner] = text_of(item.get("ARN")) or arn
    if text_of(item.get(status, "available")).lower() == "available":
        seen.settled.add(owner)


def _owner(cluster: Mapping[str, object]) -> str:
    """Who owns a cluster's nodes, for one map of all owners: ``g`` and the group, or ``c`` and the cluster itself."""
    group_id = text_of(cluster.get("ReplicationGroupId"))
    return "g" + group_id if group_id else "c" + text_of(cluster.get("CacheClusterId"))


def _source_owner(seen: _Seen, source_type: str, source: str) -> str:
    match source_type:
        case "replication-group":
            return "g" + source
        case "cache-cluster":
            return _owner({"ReplicationGroupId": seen.group_of.get(source), "CacheClusterId": source})
        case "serverless-cache" | "serverless-cache-snapshot":
            return "s" + source
        case _:
            return ""


def _named(kind: str, owners: Collection[str]) -> frozenset[str]:
    return frozenset(owner[1:] for owner in owners if owner[0] == kind)


def _minutes(reader: Reader) -> int:
    """How far back the frequent look at events goes: over three of its intervals."""
    return max(_FEWEST_MINUTES, math.ceil(3 * reader.interval(EVENTS) / 60))


def _counts(
    found: Found,
    chosen: Collection[str],
    *,
    clusters: Answer | None,
    groups: Answer | None,
    caches: Answer | None,
) -> dict[str, int]:
    """How many there are of what is known."""
    kinds = (
        ("node", found.samples.number(NODE_INFO), clusters),
        ("replication-group", len(_named("g", chosen)), groups),
        ("serverless-cache", len(_named("s", chosen)), caches),
    )
    return {name: number for name, number, answer in kinds if answer is not None}
