"""The caches of a world: reading them at an instant, and changing them by hand. A part of `world.World`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exporter.demo.caches import Cache, CacheNode, ServerlessCache, failed_over

if TYPE_CHECKING:
    from exporter.demo.estate import Estate


class CacheWorld:
    """What `World` knows of ElastiCache; `estate` and `_base` are the world's own."""

    if TYPE_CHECKING:
        estate: Estate
        _base: Estate

        def _at(self, at: float | None) -> float: ...

        def _rebuild(self) -> None: ...

    def caches(self, at: float | None = None) -> list[Cache]:
        """The replication groups and lone clusters there are, by name."""
        instant = self._at(at)
        return sorted((item for item in self.estate.caches.values() if item.exists(instant)), key=lambda it: it.name)

    def cache(self, name: str) -> Cache:
        """One cache by its name or the id of one of its nodes, whatever its state. KeyError if none."""
        known = self.estate.caches
        if name in known:
            return known[name]
        for item in known.values():
            if any(node.cluster_id == name for node in item.nodes):
                return item
        raise KeyError(name)

    def cache_node(self, cluster_id: str, node_id: str = "0001") -> CacheNode:
        """One node, whatever its state. KeyError if none."""
        for node in self.cache(cluster_id).nodes:
            if (node.cluster_id, node.node_id) == (cluster_id, node_id):
                return node
        raise KeyError(cluster_id)

    def serverless_caches(self, at: float | None = None) -> list[ServerlessCache]:
        """The serverless caches there are, by name."""
        instant = self._at(at)
        found = (item for item in self.estate.serverless_caches.values() if item.exists(instant))
        return sorted(found, key=lambda item: item.name)

    def serverless_cache(self, name: str) -> ServerlessCache:
        """One serverless cache, whatever its state. KeyError if none."""
        return self.estate.serverless_caches[name]

    # --- changes by hand -------------------------------------------------------------------------------------------

    def _own_cache(self, name: str) -> Cache:
        return self._base.caches[self.cache(name).name]

    def add_cache(self, cache: Cache | ServerlessCache) -> None:
        """Put a cache into the account, or another one in the place of the same name."""
        if isinstance(cache, Cache):
            self._base.caches[cache.name] = cache
        else:
            self._base.serverless_caches[cache.name] = cache
        self._rebuild()

    def update_cache(self, name: str, **fields: Any) -> Cache:
        """Change fields of a cache as if they had always been so."""
        self.add_cache(replace(self._own_cache(name), **fields))
        return self.cache(name)

    def update_serverless_cache(self, name: str, **fields: Any) -> ServerlessCache:
        """Change fields of a serverless cache as if they had always been so."""
        self.add_cache(replace(self._base.serverless_caches[name], **fields))
        return self.serverless_cache(name)

    def delete_cache(self, name: str, at: float | None = None) -> None:
        """Delete a cache of either kind; AWS does not know it from that instant."""
        instant = self._at(at)
        if name in self._base.serverless_caches:
            self.update_serverless_cache(name, deleting=instant, deleted=instant)
            return
        own = self._own_cache(name)
        nodes = tuple(replace(node, deleted=min(node.deleted, instant)) for node in own.nodes)
        self.add_cache(replace(own, nodes=nodes, deleting=instant, deleted=instant))

    def add_cache_node(self, name: str, cluster_id: str, at: float | None = None, **fields: Any) -> CacheNode:
        """Add a node to a cache, made at *at* (now); *fields* of `CacheNode` (shard, zone, takes, node_id)."""
        own = self._own_cache(name)
        first = own.nodes[0]
        given: dict[str, Any] = {"zone": first.zone, "shard": first.shard, **fields}
        node = CacheNode(cluster_id, created=self._at(at), **given)
        self.add_cache(replace(own, nodes=(*own.nodes, node)))
        return node

    def delete_cache_node(self, cluster_id: str, at: float | None = None, *, node_id: str = "0001") -> None:
        """Take a node away at *at* (now)."""
        instant, own = self._at(at), self._own_cache(cluster_id)
        nodes = tuple(
            replace(node, deleting=instant, deleted=instant)
            if (node.cluster_id, node.node_id) == (cluster_id, node_id)
            else node
            for node in own.nodes
        )
        self.add_cache(replace(own, nodes=nodes))

    def fail_over(self, name: str, shard: str = "0001", at: float | None = None, *, takes: float = 60.0) -> Cache:
        """Let the primary of a shard die at *at* (now); a replica is primary *takes* seconds later."""
        self.add_cache(failed_over(self._own_cache(name), shard, self._at(at), takes=takes))
        return self.cache(name)
