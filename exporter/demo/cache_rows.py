"""
The caches of the estate: every shape ElastiCache has, once. Pure: the same seed gives the same ids for ever.

A reader who wants another cache adds a row here. `pair` makes two caches for another region or account.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from exporter.demo.caches import (
    ALWAYS,
    Cache,
    CacheLoad,
    CacheNode,
    LogDelivery,
    ScalingTarget,
    ServerlessCache,
    UpdateAction,
)
from exporter.demo.nouns import GENESIS, Tags, identifier, uuid_of
from exporter.demo.tables import ACCOUNT, AWKWARD_TAGS, DAY, REGION

GLOBAL_DATASTORE = "erpgt-sessions-global"
SECURITY_UPDATE = "elasticache-20260701-valkey"
_SLOTS = ("0-5461", "5462-10922", "10923-16383")


def key_arn(seed: int, account: str = ACCOUNT, region: str = REGION) -> str:
    """The customer's key that caches are encrypted with."""
    return f"arn:aws:kms:{region}:{account}:key/{uuid_of(seed, 'elasticache-key')}"


def group(name: str, node_type: str, *, replicas: int = 0, shards: int = 0, region: str = REGION, **more: Any) -> Cache:
    """
    A replication group in its usual form.

    Args:
        replicas: of each shard.

        shards: 0 for cluster mode disabled.

        more: fields of `Cache` that shall differ.
    """
    created = float(more.pop("created", ALWAYS))
    nodes, primaries, slots = [], [], []
    for number in range(1, max(1, shards) + 1):
        shard = f"{number:04}"
        for order in range(1, replicas + 2):
            cluster_id = f"{name}-{shard}-{order:03}" if shards else f"{name}-{order:03}"
            letter = "abc"[(number + order - 2) % 3]
            nodes.append(CacheNode(cluster_id, f"{region}{letter}", created, shard=shard))
        primaries.append((created, shard, nodes[-replicas - 1].cluster_id))
        if shards:
            slots.append((shard, _SLOTS[number - 1] if shards == 3 else _slots(number - 1, shards)))
    given: dict[str, Any] = {"primaries": tuple(primaries), "slots": tuple(slots), "sharded": bool(shards), **more}
    return Cache(name, node_type, created, tuple(nodes), **given)


def _slots(number: int, shards: int) -> str:
    begin, end = 16384 * number // shards, 16384 * (number + 1) // shards - 1
    return f"{begin}-{end}"


def alone(name: str, node_type: str, *, nodes: int = 1, region: str = REGION, **more: Any) -> Cache:
    """A cache cluster without replication group, with *nodes* nodes (more than one: Memcached)."""
    created = float(more.pop("created", ALWAYS))
    made = tuple(
        CacheNode(name, f"{region}{'abc'[number % 3]}", created, f"{number + 1:04}") for number in range(nodes)
    )
    return Cache(name, node_type, created, made, grouped=False, **more)


def mission(seed: int) -> tuple[dict[str, Cache], dict[str, ServerlessCache]]:
    """The caches and serverless caches of the estate, by name."""
    return _named(_caches(seed)), {item.name: item for item in _serverless(seed)}


def _named(caches: Iterable[Cache]) -> dict[str, Cache]:
    return {item.name: item for item in caches}


def _caches(seed: int) -> list[Cache]:
    team: Tags = (("team", "web"), ("data-classification", "confidential"), ("Name", "sessions"))
    update = UpdateAction(SECURITY_UPDATE, "important", "not-applied", GENESIS + 545 * DAY, GENESIS + 620 * DAY)
    return [
        alone(
            "feature-flags",
            "cache.m7g.large",
            load=CacheLoad(90, 4, 300, 0.08, 0.99, 9, 0.1),
            tags=(("Name", "feature-flags"),),
            updates=(
                UpdateAction(SECURITY_UPDATE, "important", "complete", update.released, update.apply_by, 1, "yes"),
            ),
        ),
        group(
            "sessions",
            "cache.r7g.large",
            replicas=2,
            description="Sessions of the web shop",
            automatic_failover="enabled",
            multi_az="enabled",
            at_rest=True,
            kms_key_id=key_arn(seed),
            transit=True,
            transit_mode="required",
            auth_token=True,
            auth_modified=GENESIS + 400 * DAY,
            retention=7,
            snapshot_window="19:00-20:00",
            maintenance="sun:21:00-sun:22:00",
            logs=(
                LogDelivery("slow-log", "/aws/elasticache/sessions/slow"),
                LogDelivery("engine-log", "elasticache-engine", firehose=True, format="text"),
            ),
            global_id=GLOBAL_DATASTORE,
            global_role="PRIMARY",
            updates=(
                UpdateAction(update.name, update.severity, "in-progress", update.released, update.apply_by, 1, "no"),
            ),
            manual_snapshots=(("sessions-before-upgrade", GENESIS + 500 * DAY),),
            tags=team,
            load=CacheLoad(2400, 700, 1400, 0.52, 0.94, 180, 0.95),
        ),
        group(
            "catalog",
            "cache.r7g.xlarge",
            replicas=1,
            shards=3,
            version="9.0.1",
            parameter_group="default.valkey9.cluster.on",
            description="Catalogue and prices",
            automatic_failover="enabled",
            multi_az="enabled",
            at_rest=True,
            kms_key_id=key_arn(seed),
            transit=True,
            transit_mode="required",
            user_groups=("catalog-users",),
            durability="async",
            retention=3,
            snapshot_window="18:00-19:00",
            scaling=(ScalingTarget("NodeGroups", 3, 6), ScalingTarget("Replicas", 1, 3)),
            updates=(update,),
            tags=(("Name", "catalog"), ("team", "search"), *AWKWARD_TAGS),
            load=CacheLoad(5200, 600, 2200, 0.61, 0.88, 140, 0.4),
        ),
        group(
            "legacy-queue",
            "cache.m7g.large",
            replicas=1,
            version="7.2.6",
            parameter_group="legacy-queue-valkey7",
            parameters=(("maxmemory-policy", "noeviction"), ("reserved-memory-percent", "30")),
            description="Queues of the old shop",
            transit=True,
            transit_mode="preferred",
            retention=1,
            snapshot_window="20:00-21:00",
            logs=(
                LogDelivery(
                    "slow-log",
                    "/aws/elasticache/legacy",
                    status="error",
                    message="The log group does not exist.",
                ),
            ),
            pending=(("AuthTokenStatus", "SETTING"),),
            tags=(("Name", "legacy-queue"), ("team", "office")),
            load=CacheLoad(300, 500, 600, 0.72, 0.6, 60, 0.2),
        ),
        group(
            "dev-sandbox",
            "cache.t4g.micro",
            at_rest=True,
            transit=True,
            transit_mode="required",
            load=CacheLoad(6, 3, 500, 0.3, 0.7, 3, 0.5, 0.8, 0.35),
        ),
        group(
            "profiles",
            "cache.r6gd.xlarge",
            replicas=1,
            description="Profiles, the cold ones on disk",
            automatic_failover="enabled",
            multi_az="disabled",
            at_rest=True,
            transit=True,
            transit_mode="required",
            data_tiering=True,
            user_groups=("profiles-users",),
            retention=2,
            snapshot_window="17:30-18:30",
            tags=(("Name", "profiles"), ("rpo", "24h")),
            load=CacheLoad(900, 200, 3600, 0.66, 0.9, 70, 0.1),
        ),
        alone(
            "page-fragments",
            "cache.m7g.large",
            nodes=2,
            engine="memcached",
            version="1.6.22",
            parameter_group="default.memcached1.6",
            tags=(("Name", "page-fragments"),),
            load=CacheLoad(500, 150, 4000, 0.6, 0.85, 40),
        ),
    ]


def _serverless(seed: int) -> list[ServerlessCache]:
    return [
        ServerlessCache(
            "web-fragments",
            ALWAYS,
            description="Fragments of pages",
            data_minimum=1,
            data_maximum=10,
            ecpu_minimum=1000,
            ecpu_maximum=5000,
            kms_key_id=key_arn(seed),
            user_group="web-fragments-users",
            retention=5,
            snapshot_time="16:00",
            tags=(("Name", "web-fragments"), ("team", "web")),
            load=CacheLoad(1500, 250, 2048, 3.5, 0.9, 60),
        ),
        ServerlessCache("events-buffer", ALWAYS + DAY, load=CacheLoad(200, 900, 700, 1.2, 0.5, 20)),
    ]


def pair(
    seed: int, account: str = ACCOUNT, region: str = "ap-southeast-1", *, names: tuple[str, str] = ("sessions", "edge")
) -> dict[str, Cache]:
    """
    Two caches for another region or account: the secondary of the estate's Global Datastore, and a node alone.

    Give the result to `Estate(caches=…)` or merge it into one.
    """
    second = group(
        names[0],
        "cache.r7g.large",
        replicas=1,
        region=region,
        description="Sessions of the web shop, second region",
        automatic_failover="enabled",
        multi_az="enabled",
        at_rest=True,
        kms_key_id=key_arn(seed, account, region),
        transit=True,
        transit_mode="required",
        global_id=GLOBAL_DATASTORE,
        global_role="SECONDARY",
        tags=(("Name", names[0]),),
        load=CacheLoad(300, 700, 1400, 0.5, 0.95, 30, 0.95),
    )
    return _named((second, alone(names[1], "cache.m7g.large", region=region, tags=(("Name", names[1]),))))


def network(seed: int, account: str, region: str) -> tuple[str, tuple[str, ...]]:
    """The security group and the subnets of the caches of one account and region."""
    place = f"cache|{account}|{region}"
    return identifier("sg", seed, place), tuple(identifier("subnet", seed, f"{place}|{letter}") for letter in "abc")
