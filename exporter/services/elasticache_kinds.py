"""
What CloudWatch publishes for in ElastiCache, and which rows such a thing can have (aws-facts 1.5).

Levels stay apart: a node's series never stand beside its group's. A node is always asked for under the pair
{CacheClusterId, CacheNodeId}: every node metric is published under it, some under nothing else (aws-facts 1.5.1).
`{ReplicationGroupId, Role}` is left out: AWS does not say how it spells the roles there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from exporter.model import Fold, MetricRow, Resource, ResourceKind, Tier
from exporter.services.base import gauge

NAMESPACE = "AWS/ElastiCache"
NODE_LABELS = ("replication_group_id", "cache_cluster_id", "cache_node_id")
"""A node's identity; the group is ``""`` for a cluster that stands alone."""

_PAIR = (("CacheClusterId", "cache_cluster_id"), ("CacheNodeId", "cache_node_id"))
NODE = ResourceKind("elasticache-node", "elasticache", NAMESPACE, _PAIR, NODE_LABELS)
NODE_TIER = ResourceKind(
    "elasticache-node-tier", "elasticache", NAMESPACE, (*_PAIR, ("Tier", "tier")), (*NODE_LABELS, "tier")
)
GROUP = ResourceKind(
    "elasticache-replication-group",
    "elasticache",
    NAMESPACE,
    (("ReplicationGroupId", "replication_group_id"),),
    ("replication_group_id",),
)
SHARD = ResourceKind(
    "elasticache-shard",
    "elasticache",
    NAMESPACE,
    (("ReplicationGroupId", "replication_group_id"), ("NodeGroupId", "node_group_id")),
    ("replication_group_id", "node_group_id"),
)
SERVERLESS = ResourceKind(  # clusterId with a small c: ServerlessCacheName is no dimension (aws-facts 1.5.1)
    "elasticache-serverless", "elasticache", NAMESPACE, (("clusterId", "serverless_cache"),), ("serverless_cache",)
)

TIERS = ("Memory", "SSD")
"""Where a data-tiering node keeps its items, as the dimension `Tier` spells it."""


# ---- which rows a resource can have --------------------------------------------------------------------------------
# A fact that discovery could not learn is missing: then the row is asked rather than lost.


def engine(resource: Resource) -> bool:
    """Valkey or Redis OSS, as far as is known: Memcached has the host's rows only."""
    return resource.facts.get("engine", "valkey") in {"valkey", "redis"}


def may_be_replica(resource: Resource) -> bool:
    """Not known to be a primary, and not the only node of its shard: only replicas lag."""
    facts = resource.facts
    replicated = engine(resource) and bool(facts.get("replication_group_id", True))
    return replicated and facts.get("role") != "primary" and not facts.get("alone", False)


def may_be_primary(resource: Resource) -> bool:
    """Not known to be a replica."""
    return engine(resource) and resource.facts.get("role") != "replica"


def replicated(resource: Resource) -> bool:
    """A member of a replication group with more than one node in its shard."""
    facts = resource.facts
    return engine(resource) and bool(facts.get("replication_group_id", True)) and not facts.get("alone", False)


def burstable(resource: Resource) -> bool:
    """``cache.t3`` and ``cache.t4g``: CPU credits are published for these only, not for T2 (aws-facts 1.5.2)."""
    node_type = str(resource.facts.get("node_type", ""))
    return not node_type or node_type.startswith(("cache.t3.", "cache.t4g."))


def data_tiering(resource: Resource) -> bool:
    """A node that keeps items on disk too; where the group's word is missing, the type that can (r6gd)."""
    can = str(resource.facts.get("node_type", "")).startswith("cache.r6gd.")
    return engine(resource) and bool(resource.facts.get("data_tiering", can))


def durable(resource: Resource) -> bool:
    """A node of a group whose durability is in effect; asked only where AWS says so, for few have it."""
    return resource.facts.get("durability") in {"async", "sync"}


def global_secondary(resource: Resource) -> bool:
    """A node of a Global Datastore's secondary group."""
    return str(resource.facts.get("global_role", "")).lower() == "secondary"


def command_engine(resource: Resource) -> bool:
    """A serverless cache with Valkey's or Redis OSS's commands and users."""
    return engine(resource)


def version_of(text: str) -> tuple[int, ...]:
    """``"7.2.6"`` → (7, 2, 6); what is no number ends it (``"6.x"`` → (6,)), so an unknown version is ``()``."""
    found = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def since(valkey: tuple[int, ...], redis: tuple[int, ...] | None) -> Callable[[Resource], bool]:
    """
    From a version of Valkey and one of Redis OSS on (None: never on Redis OSS). A version that is not known, or only
    in part, counts as new enough.
    """

    def new_enough(resource: Resource) -> bool:
        if not engine(resource):
            return False
        least = redis if resource.facts.get("engine") == "redis" else valkey
        has = version_of(str(resource.facts.get("engine_version", "")))
        return least is not None and (not has or has[: len(least)] >= least[: len(has)])

    return new_enough


def row(  # one line a row in the tables
    kind: ResourceKind, source: str, statistic: str, name: str, text: str, tier: Tier, every: int, **more: Any
) -> MetricRow:
    """A row of a table: its help names where it comes from."""
    help_text = f"{text} Source: {kind.namespace} {source} ({statistic})."
    return MetricRow(kind, source, statistic, gauge(name, help_text, kind.labels), tier, every, **more)


# ---- what many rows have in common ---------------------------------------------------------------------------------

ESSENTIAL = (Tier.ESSENTIAL, 60)
STANDARD = (Tier.STANDARD, 900)
ASKED = (Tier.ON_REQUEST, 900)
MICROSECOND = 1e-6
MILLISECOND = 1e-3
CREDIT = 60.0
"""One CPU credit is one vCPU at full use for a minute: seconds."""

RATE: dict[str, Any] = {"per_second": True, "fold": Fold.MEAN}
LEVEL: dict[str, Any] = {"scale": 0.01, "fold": Fold.NEWEST}
LOAD: dict[str, Any] = {"scale": 0.01, "fold": Fold.MEAN}
SLOWEST: dict[str, Any] = {"scale": MICROSECOND, "fold": Fold.MAX, "sparse": True}
"""Requests' latencies: no such request, no datapoint."""
