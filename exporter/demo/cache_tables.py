"""
The metrics of one cache node, by name: what each is in a minute, for which caches it exists (aws-facts 1.5.2, 1.5.3).

`BOTH` is published under `{CacheClusterId}` and under `{CacheClusterId, CacheNodeId}`, `PAIR` under the latter only.
Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exporter.demo.cache_curves import NodeMinute, spread
from exporter.demo.caches import Cache
from exporter.demo.curves import MINUTE
from exporter.demo.metrics import Datum

Value = Callable[[NodeMinute, Cache], float | None]


def _always(_: Cache) -> bool:
    return True


def _tiered(cache: Cache) -> bool:
    return cache.data_tiering


def _durable(cache: Cache) -> bool:
    return cache.durable


def _iam(cache: Cache) -> bool:
    return bool(cache.user_groups)


def _replicated(cache: Cache) -> bool:
    return cache.grouped and len(cache.nodes) > 1


def _secondary(cache: Cache) -> bool:
    return cache.global_role == "SECONDARY"


def _from_version(number: float) -> Callable[[Cache], bool]:
    def there(cache: Cache) -> bool:
        return float(".".join(cache.version.split(".")[:2])) >= number

    return there


@dataclass(frozen=True, slots=True)
class Row:
    """One metric: its value in a minute (None: not published), whether a cache has it, whether Memcached does too."""

    value: Value
    exists: Callable[[Cache], bool] = _always
    host: bool = False
    samples: Callable[[NodeMinute], tuple[float, ...] | None] | None = None

    def datum(self, minute: NodeMinute, cache: Cache) -> Datum | None:
        """The datapoint, of one sample but for the request latencies."""
        if self.samples is not None:
            found = self.samples(minute)
            return Datum.of_many(found) if found else None
        value = self.value(minute, cache)
        return None if value is None else Datum.of(float(value))


def _host(value: Value) -> Row:
    return Row(value, host=True)


def _zero(_: NodeMinute, __: Cache) -> float:
    return 0.0


def _cpu(minute: NodeMinute, cache: Cache) -> float:
    return min(100.0, minute.engine_cpu / cache.type.vcpus * 1.15 + 1.5)


def _fragmentation(minute: NodeMinute, _: Cache) -> float:
    return 1.06 + 0.04 * (minute.items % 7) / 7.0


def _exceeded(minute: NodeMinute, cache: Cache) -> float:
    """Packets over the allowance: some once the network is full, and while traffic is managed."""
    over = minute.bytes_out - cache.type.network * MINUTE
    return max(0.0, over / 1460.0) + (240.0 if minute.saturated else 0.0)


def _free(minute: NodeMinute, cache: Cache) -> float:
    return float(max(60_000_000, int(cache.type.memory * 1.06) - minute.used))


def _baseline_in(minute: NodeMinute, cache: Cache) -> float:
    return 100.0 * minute.bytes_in / MINUTE / cache.type.network


def _baseline_out(minute: NodeMinute, cache: Cache) -> float:
    return 100.0 * minute.bytes_out / MINUTE / cache.type.network


def _capacity(minute: NodeMinute, cache: Cache) -> float:
    if not cache.data_tiering:
        return minute.memory
    return 100.0 * (minute.used + minute.on_disk) / (cache.maxmemory + cache.type.ssd)


HOST: Mapping[str, Row] = {
    "CPUUtilization": _host(_cpu),
    "FreeableMemory": _host(_free),
    "SwapUsage": _host(lambda m, _: 0.0 if m.memory < 99.0 else 48_000_000.0),
    "NetworkBytesIn": _host(lambda m, _: m.bytes_in),
    "NetworkBytesOut": _host(lambda m, _: m.bytes_out),
    "NetworkPacketsIn": _host(lambda m, _: m.commands + m.bytes_in // 1460),
    "NetworkPacketsOut": _host(lambda m, _: m.commands + m.bytes_out // 1460),
    "NetworkBandwidthInAllowanceExceeded": _host(_zero),
    "NetworkBandwidthOutAllowanceExceeded": _host(_exceeded),
    "NetworkPacketsPerSecondAllowanceExceeded": _host(lambda m, _: 90.0 if m.saturated else 0.0),
    "NetworkConntrackAllowanceExceeded": _host(_zero),
    "NetworkLinkLocalAllowanceExceeded": _host(_zero),
}

FAMILIES: Mapping[str, Callable[[NodeMinute], int]] = {
    "ClusterBased": lambda _: 0,
    "EvalBased": lambda m: m.writes // 50,
    "GeoSpatialBased": lambda _: 0,
    "HashBased": lambda m: m.reads // 4 + m.writes // 5,
    "HyperLogLogBased": lambda _: 0,
    "KeyBased": lambda m: m.writes // 3,
    "ListBased": lambda m: m.writes // 20,
    "PubSubBased": lambda m: m.others // 10,
    "SetBased": lambda m: m.reads // 40,
    "SortedSetBased": lambda m: m.reads // 20,
    "StreamBased": lambda _: 0,
    "StringBased": lambda m: m.reads // 2 + m.writes // 2,
    "GetType": lambda m: m.reads,
    "SetType": lambda m: m.writes,
}
"""Commands of each family in a minute; families overlap, as they do at AWS."""

PAIR_FAMILIES: Mapping[str, Callable[[NodeMinute], int]] = {
    "JsonBased": lambda _: 0,
    "JsonBasedGet": lambda _: 0,
    "JsonBasedSet": lambda _: 0,
    "SearchBased": lambda _: 0,
    "SearchBasedGet": lambda _: 0,
    "SearchBasedSet": lambda _: 0,
    "NonKeyType": lambda m: m.others,
}
"""The families whose metrics are published under the pair only; nobody here runs JSON or Search."""


def _family(count: Callable[[NodeMinute], int]) -> tuple[Row, Row]:
    """The rows of a family: its commands, and their CPU time, which is absent when there were none."""

    def latency(minute: NodeMinute, _: Cache) -> float | None:
        calls = count(minute)
        return 4.0 + (minute.read_us % 7.0) + min(3.0, calls / 20_000.0) if calls else None

    return Row(lambda m, _: count(m)), Row(latency)


def _families(table: Mapping[str, Callable[[NodeMinute], int]]) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for name, count in table.items():
        rows[f"{name}Cmds"], rows[f"{name}CmdsLatency"] = _family(count)
    return rows


ENGINE: Mapping[str, Row] = {
    "EngineCPUUtilization": Row(lambda m, _: m.engine_cpu),
    "DatabaseMemoryUsagePercentage": Row(lambda m, _: m.memory),
    "BytesUsedForCache": Row(lambda m, _: m.used),
    "MemoryFragmentationRatio": Row(_fragmentation),
    "CurrConnections": Row(lambda m, _: m.connections),
    "NewConnections": Row(lambda m, _: m.new_connections),
    "CurrItems": Row(lambda m, _: m.items),
    "Evictions": Row(lambda m, _: m.evictions),
    "Reclaimed": Row(lambda m, _: m.reclaimed),
    "CacheHits": Row(lambda m, _: m.hits),
    "CacheMisses": Row(lambda m, _: m.misses),
    "CacheHitRate": Row(lambda m, _: 100.0 * m.hits / m.reads if m.reads else None),
    "ReplicationLag": Row(lambda m, _: None if m.primary else m.lag, _replicated),
    "ReplicationBytes": Row(lambda m, c: c.load.writes * c.load.item * m.age, _replicated),
    "IsMaster": Row(lambda m, _: float(m.primary)),
    "MasterLinkHealthStatus": Row(lambda m, _: float(m.primary or not m.readonly), _replicated),
    "GlobalDatastoreReplicationLag": Row(lambda m, _: 0.4 + m.lag if m.primary else None, _secondary),
    "SaveInProgress": Row(lambda m, _: float(m.saving)),
    "AuthenticationFailures": Row(_zero),
    "CommandAuthorizationFailures": Row(_zero),
    "KeyAuthorizationFailures": Row(_zero),
    "DatabaseAuthorizationFailures": Row(_zero, _from_version(9.1)),
    "CurrItemsWithVolatileFields": Row(lambda m, _: m.items // 40, _from_version(9.0)),
    "ReclaimedFields": Row(lambda m, _: m.reclaimed // 30, _from_version(9.0)),
    "ActiveDefragHits": Row(_zero),
    "KeysTracked": Row(_zero),
    "DB0AverageTTL": Row(lambda m, c: 1_800_000.0 * c.load.volatile if m.primary else 0.0),
    "BytesReadFromDisk": Row(lambda m, c: m.disk_reads * c.load.item, _tiered),
    "BytesWrittenToDisk": Row(lambda m, c: m.writes // 10 * c.load.item, _tiered),
    "NumItemsReadFromDisk": Row(lambda m, _: m.disk_reads, _tiered),
    "NumItemsWrittenToDisk": Row(lambda m, _: m.writes // 10, _tiered),
    **_families(FAMILIES),
}

BOTH: Mapping[str, Row] = {**HOST, **ENGINE}
"""Under ``{CacheClusterId}`` and ``{CacheClusterId, CacheNodeId}``."""

PAIR: Mapping[str, Row] = {
    "NetworkMaxBytesIn": _host(lambda m, _: m.bytes_in / MINUTE * 2.5),
    "NetworkMaxBytesOut": _host(lambda m, _: m.bytes_out / MINUTE * 2.5),
    "NetworkMaxPacketsIn": _host(lambda m, _: (m.commands + m.bytes_in // 1460) / MINUTE * 2.5),
    "NetworkMaxPacketsOut": _host(lambda m, _: (m.commands + m.bytes_out // 1460) / MINUTE * 2.5),
    "NetworkBaselineUsageInPercentage": _host(_baseline_in),
    "NetworkBaselineUsageOutPercentage": _host(_baseline_out),
    "NetworkBaselineMaxUsageInPercentage": _host(lambda m, c: 2.5 * _baseline_in(m, c)),
    "NetworkBaselineMaxUsageOutPercentage": _host(lambda m, c: 2.5 * _baseline_out(m, c)),
    "MajorPageFaults": Row(lambda m, _: 0.0 if m.memory < 99.0 else 12.0),
    "DatabaseMemoryUsageCountedForEvictPercentage": Row(lambda m, _: 0.985 * m.memory if m.memory < 100 else 100.0),
    "DatabaseCapacityUsagePercentage": Row(_capacity),
    "DatabaseCapacityUsageCountedForEvictPercentage": Row(lambda m, c: 0.985 * _capacity(m, c)),
    "UsedMemoryDataset": Row(lambda m, _: int(0.94 * m.used)),
    "AllocatorFragmentationBytes": Row(lambda m, c: int((_fragmentation(m, c) - 1.0) * m.used)),
    "AllocatorFragmentationRatio": Row(_fragmentation),
    "CurrVolatileItems": Row(lambda m, _: m.volatile),
    "RejectedConnections": Row(_zero),
    "BlockedConnections": Row(_zero),
    "ProcessedCommands": Row(lambda m, _: m.commands),
    "PubSubChannels": Row(lambda _, __: 2.0),
    "PubSubShardChannels": Row(_zero),
    "ErrorCount": Row(lambda m, _: m.errors),
    "ChannelAuthorizationFailures": Row(_zero),
    "IamAuthenticationExpirations": Row(_zero, _iam),
    "IamAuthenticationThrottling": Row(_zero, _iam),
    "TrafficManagementActive": Row(lambda m, _: float(m.saturated)),
    "SuccessfulReadRequestLatency": Row(_zero, samples=lambda m: spread(m.read_us) if m.reads else None),
    "SuccessfulWriteRequestLatency": Row(
        _zero, samples=lambda m: spread(m.write_us) if m.writes and m.primary else None
    ),
    "DurabilityLag": Row(lambda m, _: 3.0 + 1000.0 * m.lag if m.primary else None, _durable),
    "DurabilityBufferExceededErrorCount": Row(_zero, _durable),
    "SearchNumberOfIndexes": Row(_zero),
    "SearchTotalIndexedDocuments": Row(_zero),
    "SearchUsedMemoryBytes": Row(_zero),
    **_families(PAIR_FAMILIES),
}
"""Under ``{CacheClusterId, CacheNodeId}`` only."""

TIERED: Mapping[str, tuple[Value, Value]] = {
    "BytesUsedForCache": (lambda m, _: m.used, lambda m, _: m.on_disk),
    "CurrItems": (lambda m, _: m.items, lambda m, _: m.disk_items),
}
"""With the dimension `Tier`: in ``Memory``, on ``SSD``; data tiering only."""
