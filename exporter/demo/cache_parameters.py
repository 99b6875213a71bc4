"""Parameters of cache parameter groups, as DescribeCacheParameters gives them (ElastiCache User Guide). Pure."""

from __future__ import annotations

from typing import Any

from exporter.demo.caches import NODE_TYPES, Cache

# name, value, type, allowed values, modifiable, change type
_VALKEY: tuple[tuple[str, str, str, str, bool, str], ...] = (
    ("acllog-max-len", "128", "integer", "1-10000", True, "immediate"),
    ("activedefrag", "no", "string", "yes,no", True, "immediate"),
    ("activerehashing", "yes", "string", "yes,no", True, "requires-reboot"),
    ("appendfsync", "everysec", "string", "always,everysec,no", False, "immediate"),
    ("appendonly", "no", "string", "yes,no", False, "immediate"),
    ("client-output-buffer-limit-normal-hard-limit", "0", "integer", "0-", True, "immediate"),
    ("client-output-buffer-limit-pubsub-hard-limit", "33554432", "integer", "0-", True, "immediate"),
    ("close-on-replica-write", "yes", "string", "yes,no", True, "immediate"),
    ("cluster-enabled", "no", "string", "yes,no", False, "requires-reboot"),
    ("databases", "16", "integer", "1-1200000", True, "requires-reboot"),
    ("hash-max-listpack-entries", "512", "integer", "0-", True, "immediate"),
    ("lazyfree-lazy-eviction", "yes", "string", "yes,no", False, "immediate"),
    ("lfu-decay-time", "1", "integer", "0-", True, "immediate"),
    ("lfu-log-factor", "10", "integer", "1-", True, "immediate"),
    ("maxclients", "65000", "integer", "1-65000", False, "requires-reboot"),
    (
        "maxmemory-policy",
        "volatile-lru",
        "string",
        "volatile-lru,allkeys-lru,volatile-lfu,allkeys-lfu,volatile-random,allkeys-random,volatile-ttl,noeviction",
        True,
        "immediate",
    ),
    ("maxmemory-samples", "3", "integer", "1-", True, "immediate"),
    ("min-replicas-max-lag", "10", "integer", "0-", True, "immediate"),
    ("min-replicas-to-write", "0", "integer", "0-", True, "immediate"),
    ("notify-keyspace-events", "", "string", "", True, "immediate"),
    ("proto-max-bulk-len", "536870912", "integer", "1048576-536870912", True, "immediate"),
    ("repl-backlog-size", "1048576", "integer", "16384-", True, "immediate"),
    ("replica-lazy-flush", "yes", "string", "yes,no", False, "immediate"),
    ("reserved-memory-percent", "25", "integer", "0-100", True, "immediate"),
    ("slowlog-log-slower-than", "10000", "integer", "-", True, "immediate"),
    ("slowlog-max-len", "128", "integer", "0-", True, "immediate"),
    ("tcp-keepalive", "300", "integer", "0-", True, "immediate"),
    ("timeout", "0", "integer", "0,20-", True, "immediate"),
)
_MEMCACHED: tuple[tuple[str, str, str, str, bool, str], ...] = (
    ("binding_protocol", "auto", "string", "auto,binary,ascii", True, "requires-reboot"),
    ("chunk_size", "48", "integer", "1-1024", True, "requires-reboot"),
    ("max_item_size", "1048576", "integer", "1024-1073741824", True, "requires-reboot"),
    ("maxconns_fast", "0", "boolean", "0,1", True, "requires-reboot"),
    ("memcached_connections_overhead", "100", "integer", "0-9999999", True, "requires-reboot"),
)


def parameters_of(cache: Cache) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The parameters of a cache's group, and those whose value depends on the node type."""
    changed = dict(cache.parameters)
    if cache.sharded:
        changed["cluster-enabled"] = "yes"
    rows = _VALKEY if cache.keeps_data else _MEMCACHED
    plain = [
        {
            "ParameterName": name,
            "ParameterValue": changed.get(name, value),
            "Description": f"{name} of the engine",
            "Source": "user" if name in changed and name != "cluster-enabled" else "system",
            "DataType": kind,
            "AllowedValues": allowed or None,
            "IsModifiable": modifiable,
            "MinimumEngineVersion": cache.version.rsplit(".", 1)[0],
            "ChangeType": change,
        }
        for name, value, kind, allowed, modifiable, change in rows
    ]
    specific = {
        "ParameterName": "maxmemory" if cache.keeps_data else "max_cache_memory",
        "Description": "The maximum memory of a node",
        "Source": "system",
        "DataType": "integer",
        "AllowedValues": "1-",
        "IsModifiable": False,
        "MinimumEngineVersion": cache.version.rsplit(".", 1)[0],
        "CacheNodeTypeSpecificValues": [
            {"CacheNodeType": item.name, "Value": str(item.memory if cache.keeps_data else item.memory >> 20)}
            for item in NODE_TYPES.values()
        ],
        "ChangeType": "immediate",
    }
    return plain, [specific]
