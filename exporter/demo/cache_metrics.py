"""
What CloudWatch has of caches: which metrics under which dimensions, at which period (aws-facts 1.5).

Absence is a fact here: replication lag of a primary, command latencies of a minute without such commands, credits of a
node that has none, engine metrics of Memcached, and whatever is asked under other dimensions than AWS publishes.
Sources: ElastiCache User Guide, "Host-Level Metrics", "Metrics for Valkey and Redis OSS", serverless metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from exporter.demo.cache_curves import CacheCurves, NodeMinute, ecpus, spread
from exporter.demo.cache_tables import BOTH, FAMILIES, PAIR, PAIR_FAMILIES, TIERED, Row
from exporter.demo.caches import Cache, CacheNode, ServerlessCache
from exporter.demo.curves import MINUTE, Curves, Effects
from exporter.demo.estate import Estate
from exporter.demo.metrics import Datum, Dimensions, Source

NAMESPACE = "AWS/ElastiCache"
CREDITS = ("CPUCreditUsage", "CPUCreditBalance")
GROUP = (
    "EngineCPUUtilization",
    "DatabaseMemoryUsageCountedForEvictPercentage",
    "DatabaseCapacityUsageCountedForEvictPercentage",
)
"""Under ``{ReplicationGroupId}`` and ``{ReplicationGroupId, NodeGroupId}``, engine CPU with `Role` as well."""

_NOT_SERVERLESS = frozenset({"ClusterBased", "SearchBased", "SearchBasedGet", "SearchBasedSet"})
_SERVERLESS_FAMILIES = {
    name: count for name, count in {**FAMILIES, **PAIR_FAMILIES}.items() if name not in _NOT_SERVERLESS
}
_CREDITS_MOST = 288.0
ServerlessValue = Callable[[NodeMinute, ServerlessCache], float | None]


def _units(minute: NodeMinute, cache: ServerlessCache) -> float:
    wanted = ecpus(cache.load, minute.reads, minute.writes)
    return min(wanted, cache.ecpu_maximum * MINUTE) if cache.ecpu_maximum else wanted


def _family(name: str) -> dict[str, ServerlessValue]:
    count = _SERVERLESS_FAMILIES[name]
    return {
        f"{name}Cmds": lambda m, _: count(m),
        f"{name}CmdsECPUs": lambda m, c: count(m) * max(1.0, c.load.item / 1024),
    }


SERVERLESS: Mapping[str, ServerlessValue] = {
    "BytesUsedForCache": lambda m, _: m.used,
    "ElastiCacheProcessingUnits": _units,
    "ThrottledCmds": lambda m, _: m.throttled,
    "TotalCmdsCount": lambda m, _: m.commands,
    "CacheHits": lambda m, _: m.hits,
    "CacheMisses": lambda m, _: m.misses,
    "CacheHitRate": lambda m, _: 100.0 * m.hits / m.reads if m.reads else None,
    "CurrConnections": lambda m, _: m.connections,
    "NewConnections": lambda m, _: m.new_connections,
    "CurrItems": lambda m, _: m.items,
    "CurrVolatileItems": lambda m, _: m.volatile,
    "Evictions": lambda m, _: m.evictions,
    "NetworkBytesIn": lambda m, _: m.bytes_in,
    "NetworkBytesOut": lambda m, _: m.bytes_out,
    "AuthenticationFailures": lambda _, __: 0.0,
    "KeyAuthorizationFailures": lambda _, __: 0.0,
    "CommandAuthorizationFailures": lambda _, __: 0.0,
    "IamAuthenticationExpirations": lambda _, c: 0.0 if c.user_group else None,
    "IamAuthenticationThrottling": lambda _, c: 0.0 if c.user_group else None,
    **{metric: value for name in _SERVERLESS_FAMILIES for metric, value in _family(name).items()},
}
"""Under ``{clusterId}``, beside the two request latencies."""

LATENCIES: Mapping[str, Callable[[NodeMinute], tuple[int, float]]] = {
    "SuccessfulReadRequestLatency": lambda m: (m.reads, m.read_us),
    "SuccessfulWriteRequestLatency": lambda m: (m.writes, m.write_us),
}


class CachePublisher:
    """
    What is published of the caches of one estate.

    Args:
        estate: the resources with their lives.

        curves: those of the world.
    """

    def __init__(self, estate: Estate, curves: Curves) -> None:
        self.estate = estate
        self.curves = CacheCurves(curves)

    # --- which there are -------------------------------------------------------------------------------------------

    def source(self, namespace: str, metric: str, dimensions: Dimensions) -> Source | None:
        """The metric under exactly these dimensions, or None when AWS has no such metric."""
        if namespace != NAMESPACE:
            return None
        given = dict(dimensions)
        names = frozenset(given)
        if names == {"clusterId"}:
            found = self.estate.serverless_caches.get(given["clusterId"])
            return self._serverless(found, metric) if found else None
        if "ReplicationGroupId" in names:
            group = self.estate.caches.get(given["ReplicationGroupId"])
            return self._group(group, metric, given) if group is not None and group.grouped else None
        if "CacheClusterId" in names and names <= {"CacheClusterId", "CacheNodeId", "Tier"}:
            return self._cluster(metric, given)
        return None

    def catalog(self) -> Iterator[tuple[str, str, Dimensions]]:
        """Every (namespace, metric, dimensions) there ever was, to be asked by `source`."""
        for cache in self.estate.caches.values():
            for node in cache.nodes:
                own, pair = _dimensions(node)
                if node.node_id == "0001":
                    yield from ((NAMESPACE, metric, own) for metric in (*BOTH, *CREDITS))
                yield from ((NAMESPACE, metric, pair) for metric in (*BOTH, *PAIR, *CREDITS))
                for metric in TIERED if cache.data_tiering else ():
                    for tier in ("Memory", "SSD"):
                        yield NAMESPACE, metric, own | {("Tier", tier)}
                        yield NAMESPACE, metric, pair | {("Tier", tier)}
            yield from _of_group(cache)
        for item in self.estate.serverless_caches.values():
            own = frozenset({("clusterId", item.name)})
            yield from ((NAMESPACE, metric, own) for metric in (*SERVERLESS, *LATENCIES))

    def _nodes(self, cluster_id: str) -> tuple[Cache, list[CacheNode]] | None:
        for cache in self.estate.caches.values():
            nodes = [node for node in cache.nodes if node.cluster_id == cluster_id]
            if nodes:
                return cache, nodes
        return None

    # --- nodes -----------------------------------------------------------------------------------------------------

    def _cluster(self, metric: str, given: Mapping[str, str]) -> Source | None:
        found = self._nodes(given["CacheClusterId"])
        if found is None:
            return None
        cache, nodes = found
        paired = "CacheNodeId" in given
        nodes = [node for node in nodes if not paired or node.node_id == given["CacheNodeId"]]
        if not nodes:
            return None
        if "Tier" in given:
            return self._tier(cache, nodes[0], metric, given["Tier"])
        if metric in CREDITS:
            return self._credits(cache, nodes[0], metric)
        row = BOTH.get(metric) or (PAIR.get(metric) if paired else None)
        if row is None or not row.exists(cache) or not (cache.keeps_data or row.host):
            return None
        return Source(MINUTE, lambda minute: _merged(self._datum(cache, node, row, minute) for node in nodes))

    def _published(self, node: CacheNode, minute: int) -> bool:
        silent = Effects.during(self.curves.effects.silent, node.cluster_id, minute)
        return node.publishes(minute) and not silent

    def _datum(self, cache: Cache, node: CacheNode, row: Row, minute: int) -> Datum | None:
        if not self._published(node, minute):
            return None
        return row.datum(self.curves.node(cache, node, minute), cache)

    def _tier(self, cache: Cache, node: CacheNode, metric: str, tier: str) -> Source | None:
        if not cache.data_tiering or metric not in TIERED or tier not in {"Memory", "SSD"}:
            return None
        row = Row(TIERED[metric][tier == "SSD"])
        return Source(MINUTE, lambda minute: self._datum(cache, node, row, minute))

    def _credits(self, cache: Cache, node: CacheNode, metric: str) -> Source | None:
        if not cache.type.burstable:
            return None

        def at(start: int) -> Datum | None:
            if not self._published(node, start):
                return None
            cpu = BOTH["CPUUtilization"]
            minutes = [self.curves.node(cache, node, start + MINUTE * number) for number in range(5)]
            used = sum(float(cpu.value(item, cache) or 0.0) * cache.type.vcpus / 100.0 for item in minutes)
            return Datum.of(used if metric == CREDITS[0] else max(0.0, _CREDITS_MOST - 12.0 * used))

        return Source(5 * MINUTE, at)

    # --- groups ----------------------------------------------------------------------------------------------------

    def _group(self, cache: Cache, metric: str, given: Mapping[str, str]) -> Source | None:
        if metric not in GROUP or not set(given) <= {"ReplicationGroupId", "NodeGroupId", "Role"}:
            return None
        role, shard = given.get("Role"), given.get("NodeGroupId")
        if (role is not None and (metric != GROUP[0] or role not in {"Primary", "Replica"})) or (
            shard is not None and shard not in cache.shards()
        ):
            return None
        row = BOTH.get(metric) or PAIR[metric]

        def at(minute: int) -> Datum | None:
            chosen = [
                node
                for node in cache.nodes
                if shard in {None, node.shard} and (role is None or cache.leads(node, minute) is (role == "Primary"))
            ]
            return _merged(self._datum(cache, node, row, minute) for node in chosen)

        return Source(MINUTE, at)

    # --- serverless ------------------------------------------------------------------------------------------------

    def _serverless(self, cache: ServerlessCache, metric: str) -> Source | None:
        if metric in LATENCIES:
            return Source(MINUTE, lambda minute: self._latency(cache, metric, minute))
        value = SERVERLESS.get(metric)
        if value is None:
            return None

        def at(minute: int) -> Datum | None:
            if not cache.publishes(minute):
                return None
            number = value(self.curves.serverless(cache, minute), cache)
            return None if number is None else Datum.of(float(number))

        return Source(MINUTE, at)

    def _latency(self, cache: ServerlessCache, metric: str, minute: int) -> Datum | None:
        if not cache.publishes(minute):
            return None
        calls, middle = LATENCIES[metric](self.curves.serverless(cache, minute))
        return Datum.of_many(spread(middle)) if calls else None


def _dimensions(node: CacheNode) -> tuple[Dimensions, Dimensions]:
    """The two dimension sets of a node: of its cluster, and of the pair."""
    own = ("CacheClusterId", node.cluster_id)
    return frozenset({own}), frozenset({own, ("CacheNodeId", node.node_id)})


def _of_group(cache: Cache) -> Iterator[tuple[str, str, Dimensions]]:
    if not cache.grouped:
        return
    whole = ("ReplicationGroupId", cache.name)
    for metric in GROUP:
        roles: tuple[str | None, ...] = (None, "Primary", "Replica") if metric == GROUP[0] else (None,)
        for shard in (None, *cache.shards()):
            for role in roles:
                given = {whole} | ({("NodeGroupId", shard)} if shard else set())
                yield NAMESPACE, metric, frozenset(given | ({("Role", role)} if role else set()))


def _merged(data: Iterable[Datum | None]) -> Datum | None:
    """One datapoint of those of several nodes."""
    known = [item for item in data if item is not None]
    if len(known) < 2:
        return known[0] if known else None
    lows = [item.low for item in known if item.low is not None]
    highs = [item.high for item in known if item.high is not None]
    return Datum(sum(item.total for item in known), sum(item.count for item in known), min(lows), max(highs))
