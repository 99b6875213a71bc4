"""
The work of caches, minute by minute: commands, memory, connections, network.

As in `curves` each value is a function of (seed, resource, minute). Values of one node agree with each other: hits and
misses are the reads, items follow from the bytes, evictions come only once memory is full, CPU follows the commands.
What is published of it is the business of `cache_metrics`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.demo.cache_snapshots import saving
from exporter.demo.caches import Cache, CacheLoad, CacheNode, ServerlessCache
from exporter.demo.curves import MINUTE, Curves, Effects
from exporter.demo.nouns import GIB

FILL_SECONDS = 1800
_CACHE_LIMIT = 200_000
_QUANTILES = 100


@dataclass(frozen=True, slots=True)
class NodeMinute:
    """One minute of a node: counts, bytes, microseconds; `memory` is percent of maxmemory; flags are 0 or 1."""

    primary: bool
    reads: int
    writes: int
    hits: int
    misses: int
    others: int
    errors: int
    new_connections: int
    connections: int
    memory: float
    used: int
    items: int
    volatile: int
    evictions: int
    reclaimed: int
    engine_cpu: float
    bytes_in: int
    bytes_out: int
    lag: float
    read_us: float
    write_us: float
    saturated: bool
    readonly: bool
    saving: bool
    on_disk: int = 0
    disk_items: int = 0
    disk_reads: int = 0
    throttled: int = 0
    age: float = 0.0

    @property
    def commands(self) -> int:
        """All commands of the minute."""
        return self.reads + self.writes + self.others


@dataclass(slots=True)
class CacheCurves:
    """The curves of caches over those of the world, whose seed, day and effects they share."""

    curves: Curves
    _known: dict[tuple[str, str, int], NodeMinute] = field(default_factory=dict)

    @property
    def effects(self) -> Effects:
        """What the scenario does."""
        return self.curves.effects

    def node(self, cache: Cache, node: CacheNode, minute: int) -> NodeMinute:
        """The minute of a node that starts at *minute* (unix seconds), whether or not it is published."""
        key = (node.cluster_id, node.node_id, minute)
        known = self._known.get(key)
        if known is None:
            if len(self._known) > _CACHE_LIMIT:
                self._known.clear()
            known = self._known[key] = self._node(cache, node, minute)
        return known

    def _level(self, cache: Cache, shard: str, minute: int) -> float:
        """Percent of maxmemory in use."""
        started = self.effects.filling.get(cache.name)
        if started is not None and minute >= started:
            return min(100.0, 50.0 + 50.0 * (minute - started) / FILL_SECONDS)
        slow = self.curves.chance(f"{cache.name}|{shard}|level", minute // 21_600)[0]
        wave = 0.04 * (self.curves.day(minute, 1.0) - 1.0)
        return min(100.0, 100.0 * cache.load.level * (1.0 + wave + 0.02 * (slow - 0.5)))

    def _node(self, cache: Cache, node: CacheNode, minute: int) -> NodeMinute:
        load, kind = cache.load, cache.type
        dice = self.curves.chance(f"{node.cluster_id}|{node.node_id}", minute)
        primary = cache.leads(node, minute)
        saturated = Effects.during(self.effects.saturated, cache.name, minute)
        readonly = bool(node.shard) and cache.headless(node.shard, minute)
        rate = _rate(self.curves.day(minute, load.swing), dice) * (6.0 if saturated else 1.0)
        idle = dice[7] < load.idle_share
        peers = sum(item.publishes(minute) for item in cache.nodes if item.shard == node.shard) or 1
        share = 1.0 if peers == 1 else 0.6 if primary else 0.4 / (peers - 1)
        reads = 0 if idle else round(load.reads * rate * share * MINUTE)
        writes = 0 if idle or readonly else round(load.writes * rate * MINUTE * (0.95 + 0.1 * dice[1]))
        hits = round(reads * min(1.0, load.hits * (0.98 + 0.04 * dice[2])))
        memory = self._level(cache, node.shard, minute)
        used = int(memory / 100.0 * cache.maxmemory)
        items = int(used * 0.82 / load.item)
        full = memory >= 100.0 and primary
        evicts = full and cache.evicts
        refused = round(load.writes * rate * MINUTE * 0.9) if readonly or (full and not evicts) else 0
        allowance = kind.network * MINUTE
        bytes_out = reads * load.item + (writes * load.item * (peers - 1) if primary else 0) + 40_000
        busy = min(100.0, 1.2 + 100.0 * (reads * 9.0 + writes * 14.0) / (MINUTE * 1e6) * 4.0 + 0.6 * dice[3])
        is_saving = saving(cache, node, minute)
        slow = 30.0 if saturated else 1.0
        tiered = int(kind.ssd * load.level * 0.5) if cache.data_tiering else 0
        return NodeMinute(
            primary=primary,
            reads=reads,
            writes=writes,
            hits=hits,
            misses=reads - hits,
            others=20 + round(6 * dice[4]),
            errors=refused,
            new_connections=round(load.clients * 0.1 * dice[5]) + (load.clients if readonly else 0),
            connections=5 + round(load.clients * (0.9 + 0.2 * dice[6])),
            memory=memory,
            used=used,
            items=items,
            volatile=int(items * load.volatile),
            evictions=round(load.writes * MINUTE * 0.9 * (0.9 + 0.2 * dice[1])) if evicts else 0,
            reclaimed=round(writes * load.volatile * 0.6 * (0.9 + 0.2 * dice[2])) if primary else 0,
            engine_cpu=100.0 if saturated else busy,
            bytes_in=round(min(allowance * 1.1, writes * load.item * 1.05 + reads * 60.0 + 30_000)),
            bytes_out=round(min(allowance * 1.1, bytes_out)),
            lag=(2.5 + dice[0]) * (4.0 if saturated else 1.0) if is_saving or saturated else 0.001 + 0.006 * dice[0],
            read_us=(150.0 + 60.0 * dice[3]) * slow,
            write_us=(190.0 + 80.0 * dice[4]) * slow,
            saturated=saturated,
            readonly=readonly,
            saving=is_saving,
            on_disk=tiered,
            disk_items=int(tiered * 0.9 / load.item),
            disk_reads=round(reads * 0.05) if cache.data_tiering else 0,
            age=minute - cache.created,
        )

    def serverless(self, cache: ServerlessCache, minute: int) -> NodeMinute:
        """One minute of a serverless cache; `memory` is 0, `throttled` counts commands above the ECPU limit."""
        load = cache.load
        dice = self.curves.chance(f"serverless|{cache.name}", minute)
        rate = _rate(self.curves.day(minute, load.swing), dice)
        reads, writes = round(load.reads * rate * MINUTE), round(load.writes * rate * MINUTE)
        hits = round(reads * min(1.0, load.hits * (0.98 + 0.04 * dice[2])))
        used = int(load.level * GIB * (1.0 + 0.05 * (self.curves.day(minute, 1.0) - 1.0)))
        limit = cache.data_maximum * 1_000_000_000
        items = int(min(used, limit or used) * 0.85 / load.item)
        return NodeMinute(
            primary=True,
            reads=reads,
            writes=writes,
            hits=hits,
            misses=reads - hits,
            others=0,
            errors=0,
            new_connections=round(load.clients * 0.1 * dice[5]),
            connections=load.clients + round(4 * dice[6]),
            memory=0.0,
            used=min(used, limit or used),
            items=items,
            volatile=int(items * load.volatile),
            evictions=round(writes * 0.5) if limit and used >= limit else 0,
            reclaimed=0,
            engine_cpu=0.0,
            bytes_in=writes * load.item + reads * 60,
            bytes_out=reads * load.item,
            lag=0.0,
            read_us=420.0 + 90.0 * dice[3],
            write_us=510.0 + 120.0 * dice[4],
            saturated=False,
            readonly=False,
            saving=False,
            throttled=max(0, round(ecpus(load, reads, writes) - cache.ecpu_maximum * MINUTE))
            if cache.ecpu_maximum
            else 0,
        )


def ecpus(load: CacheLoad, reads: int, writes: int) -> float:
    """ECPUs of the commands: one per kilobyte moved, one at least (ElastiCache pricing)."""
    return (reads + writes) * max(1.0, load.item / 1024)


def _rate(day: float, dice: tuple[float, ...]) -> float:
    return max(0.02, day) * (0.9 + 0.2 * dice[0])


def spread(middle: float) -> tuple[float, ...]:
    """A hundred latencies around *middle* (the median), with a tail of slow ones, ascending."""
    return tuple(middle * (0.55 + 0.9 * place + 4.0 * place**24) for place in _PLACES)


_PLACES = tuple((number + 0.5) / _QUANTILES for number in range(_QUANTILES))
