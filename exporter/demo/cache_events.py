"""
What DescribeEvents tells of the caches, newest first, derived from their lives.

Texts of failover and recovery are those of the ElastiCache User Guide, "Testing Multi-AZ with automatic failover";
those of creation those of the AWS CLI's examples. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from exporter.demo.cache_snapshots import SNAPSHOT_SECONDS, snapshots
from exporter.demo.caches import Cache, CacheEvent, CacheNode, ServerlessCache
from exporter.demo.world import World

KEPT_DAYS = 14
"""How long AWS keeps events."""


def cache_events(world: World) -> list[CacheEvent]:
    """Every event up to now, newest first; those of caches that are gone too."""
    found: list[CacheEvent] = []
    for cache in world.estate.caches.values():
        found += [*cache.events, *_of_nodes(cache), *_of_failovers(cache), *_of_snapshots(cache, world.now())]
    for item in world.estate.serverless_caches.values():
        found += [*item.events, *_of_serverless(item)]
    return sorted((item for item in found if item.at <= world.now()), key=lambda item: (-item.at, item.source_id))


def _of_nodes(cache: Cache) -> Iterator[CacheEvent]:
    for node in cache.nodes:
        ready = node.created + node.takes
        yield _at_node(node, ready, f"Added cache node {node.node_id} in availability zone {node.zone}")
        if node.node_id == "0001":
            yield _at_node(node, ready + 1, "Cache cluster created")
        if node.deleted < float("inf"):
            yield _at_node(node, node.deleted, f"Removed cache node {node.node_id}")
        for begin, end in node.outages:
            yield _at_node(node, begin + 20, f"Recovering cache nodes {node.node_id}")
            yield _at_node(node, end, f"Finished recovery for cache nodes {node.node_id}")
    if cache.grouped:
        yield CacheEvent(cache.created + 301, cache.name, "replication-group", "Replication group created")


def _at_node(node: CacheNode, at: float, message: str) -> CacheEvent:
    return CacheEvent(at, node.cluster_id, "cache-cluster", message)


def _of_failovers(cache: Cache) -> Iterator[CacheEvent]:
    for at, shard, cluster_id in cache.primaries:
        old = cache.primary(shard, at - 1)
        if old and old != cluster_id:
            message = f"Failover from primary node {old} to replica node {cluster_id} completed"
            yield CacheEvent(at, cache.name, "replication-group", message)
            yield CacheEvent(at, cluster_id, "cache-cluster", message)


def _of_snapshots(cache: Cache, now: float) -> Iterator[CacheEvent]:
    if not cache.retention:
        return
    for item in snapshots(replace(cache, retention=KEPT_DAYS), now):  # told of longer than kept
        for shard in cache.shards() or [""]:
            source = cache.snapshot_source(shard, item.started)
            message = f"Snapshot succeeded for snapshot with ID '{item.name}' of node 0001"
            if item.automated and source:
                yield CacheEvent(item.started + SNAPSHOT_SECONDS, source, "cache-cluster", message)


def _of_serverless(cache: ServerlessCache) -> Iterator[CacheEvent]:
    yield CacheEvent(
        cache.created + cache.takes, cache.name, "serverless-cache", f"Cache {cache.name} is created and ready to use."
    )
    if cache.deleted < float("inf"):
        yield CacheEvent(cache.deleted, cache.name, "serverless-cache", f"Cache {cache.name} was deleted.")
