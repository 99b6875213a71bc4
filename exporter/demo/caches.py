"""
What ElastiCache's part of the account is made of: caches with their nodes and roles, each with its life in time. Pure.

A `Cache` is what a person makes: a replication group, or a cache cluster that stands alone. Its nodes, and who of them
is primary when, are instants; what AWS would call the state at an instant follows from them. Rows of the estate are in
`cache_rows`, what a cache does in `cache_curves`, how it is written in `elasticache`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from exporter.demo.nouns import GENESIS, GIB, NEVER, Tags

PORT = 6379
FAILOVER_SECONDS = 60
RECOVERY_SECONDS = 300
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class NodeType:
    """A cache node type: vCPUs, `maxmemory` before reserving and RAM (bytes), SSD (bytes), network (bytes per s)."""

    name: str
    vcpus: int
    memory: int
    network: float
    ssd: int = 0

    @property
    def burstable(self) -> bool:
        """Whether it has CPU credits (T3 and T4g)."""
        return self.name.startswith(("cache.t3.", "cache.t4g."))


NODE_TYPES = {
    item.name: item
    for item in (
        NodeType("cache.t4g.micro", 2, 536_870_912, 8e6),
        NodeType("cache.m7g.large", 2, 6_854_542_746, 117e6),
        NodeType("cache.r7g.large", 2, 14_037_181_030, 117e6),
        NodeType("cache.r7g.xlarge", 4, 28_261_849_702, 234e6),
        NodeType("cache.r6gd.xlarge", 4, 28_261_849_702, 156e6, 99 * GIB),
    )
}
"""The node types of the estate, by name."""


@dataclass(frozen=True, slots=True)
class CacheLoad:
    """
    The ordinary work of one shard (or of a serverless cache).

    `reads` and `writes` per second, `item` bytes per item, `level` the part of maxmemory in use (0-1; for a serverless
    cache GiB), `hits` the hit rate (0-1), `clients` connections, `volatile` the part of items with a TTL.
    """

    reads: float = 400.0
    writes: float = 120.0
    item: int = 900
    level: float = 0.45
    hits: float = 0.93
    clients: int = 24
    volatile: float = 0.7
    swing: float = 0.5
    idle_share: float = 0.0


@dataclass(frozen=True, slots=True)
class CacheNode:
    """
    One node. For Valkey each is a cache cluster of its own with node id 0001; `shard` is its node group, ``""`` alone.

    `outages` are the spans in which it is down: it publishes nothing then.
    """

    cluster_id: str
    zone: str
    created: float
    node_id: str = "0001"
    shard: str = ""
    takes: float = 300.0
    deleting: float = NEVER
    deleted: float = NEVER
    outages: tuple[tuple[float, float], ...] = ()

    def exists(self, at: float) -> bool:
        """Whether AWS lists it at *at*."""
        return self.created <= at < self.deleted

    def down(self, at: float) -> bool:
        """Whether it is in an outage at *at*."""
        return any(begin <= at < end for begin, end in self.outages)

    def publishes(self, minute: float) -> bool:
        """Whether the node works at *minute*, so that there are datapoints."""
        return self.created + self.takes <= minute < self.deleted and not self.down(minute)

    def state(self, at: float) -> str:
        """AWS's word for the node at *at*."""
        if at < self.created + self.takes:
            return "creating"
        if at >= self.deleting:
            return "deleting"
        return "rebooting" if self.down(at) else "available"


@dataclass(frozen=True, slots=True)
class ScalingTarget:
    """A target of Application Auto Scaling; `dimension` is ``NodeGroups`` or ``Replicas``."""

    dimension: str
    least: int
    most: int
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class UpdateAction:
    """A service update for a cache; `updated` nodes are done; `apply_by` in unix seconds."""

    name: str
    severity: str
    status: str
    released: float
    apply_by: float
    updated: int = 0
    sla_met: str = "n/a"
    update_type: str = "security-update"
    update_status: str = "available"


@dataclass(frozen=True, slots=True)
class CacheEvent:
    """One event as DescribeEvents gives it; `source_type` such as ``cache-cluster``, `at` in unix seconds."""

    at: float
    source_id: str
    source_type: str
    message: str


@dataclass(frozen=True, slots=True)
class LogDelivery:
    """Where a log goes: `kind` ``slow-log`` or ``engine-log``, `target` a log group or, with `firehose`, a stream."""

    kind: str
    target: str
    firehose: bool = False
    format: str = "json"
    status: str = "active"
    message: str = ""


@dataclass(frozen=True, slots=True)
class Cache:
    """
    A replication group (`grouped`) or a cache cluster alone; instants in unix seconds.

    `primaries` are (from when, shard, cluster id); `slots` (shard, slots) where cluster mode is enabled (`sharded`).
    `parameters` are those its parameter group has changed. `busy` are (from, until, AWS's status). An empty string
    means that AWS leaves the member out.
    """

    name: str
    node_type: str
    created: float
    nodes: tuple[CacheNode, ...]
    engine: str = "valkey"
    version: str = "8.0.1"
    parameter_group: str = "default.valkey8"
    parameters: tuple[tuple[str, str], ...] = ()
    grouped: bool = True
    sharded: bool = False
    description: str = " "
    primaries: tuple[tuple[float, str, str], ...] = ()
    slots: tuple[tuple[str, str], ...] = ()
    automatic_failover: str = "disabled"
    multi_az: str = "disabled"
    at_rest: bool = False
    kms_key_id: str = ""
    transit: bool = False
    transit_mode: str = ""
    auth_token: bool = False
    auth_modified: float = 0.0
    user_groups: tuple[str, ...] = ()
    data_tiering: bool = False
    durability: str = "default"
    retention: int = 0
    snapshot_window: str = ""
    maintenance: str = "sun:18:00-sun:19:00"
    logs: tuple[LogDelivery, ...] = ()
    pending: tuple[tuple[str, str], ...] = ()
    global_id: str = ""
    global_role: str = ""
    scaling: tuple[ScalingTarget, ...] = ()
    updates: tuple[UpdateAction, ...] = ()
    events: tuple[CacheEvent, ...] = ()
    busy: tuple[tuple[float, float, str], ...] = ()
    manual_snapshots: tuple[tuple[str, float], ...] = ()
    tags: Tags = ()
    load: CacheLoad = CacheLoad()
    deleting: float = NEVER
    deleted: float = NEVER

    @property
    def type(self) -> NodeType:
        """Facts of its node type."""
        return NODE_TYPES[self.node_type]

    @property
    def maxmemory(self) -> int:
        """What data may take on a node, bytes: `reserved-memory-percent` (25 usually) of its memory is reserved."""
        reserved = int(dict(self.parameters).get("reserved-memory-percent", "25"))
        return self.type.memory * (100 - reserved) // 100

    @property
    def evicts(self) -> bool:
        """Whether its `maxmemory-policy` is another than ``noeviction``."""
        return dict(self.parameters).get("maxmemory-policy") != "noeviction"

    @property
    def keeps_data(self) -> bool:
        """Whether the engine is Valkey or Redis OSS, not Memcached."""
        return self.engine != "memcached"

    @property
    def durable(self) -> bool:
        """Whether durability is on."""
        return self.durability in {"async", "sync"}

    def exists(self, at: float) -> bool:
        """Whether AWS lists it at *at*."""
        return self.created <= at < self.deleted

    def state(self, at: float) -> str:
        """AWS's word for the state of the whole at *at*."""
        if at < self.created + 300:
            return "creating"
        if at >= self.deleting:
            return "deleting"
        return next((word for begin, end, word in self.busy if begin <= at < end), "available")

    def members(self, at: float) -> list[CacheNode]:
        """Its nodes at *at*."""
        return [item for item in self.nodes if item.exists(at)] if self.exists(at) else []

    def shards(self) -> list[str]:
        """The node groups, in order; none when it stands alone."""
        return sorted({item.shard for item in self.nodes if item.shard})

    def primary(self, shard: str, at: float) -> str:
        """The cluster id of a shard's primary at *at*, ``""`` when there is none."""
        chosen = [(since, cluster_id) for since, group, cluster_id in self.primaries if group == shard and since <= at]
        return max(chosen)[1] if chosen else ""

    def leads(self, node: CacheNode, at: float) -> bool:
        """Whether *node* takes writes at *at*: the primary of its shard, or a node alone."""
        return not node.shard or self.primary(node.shard, at) == node.cluster_id

    def headless(self, shard: str, at: float) -> bool:
        """Whether the shard's primary is down at *at*, so that clients are refused with READONLY."""
        lead = self.primary(shard, at)
        return any(item.down(at) for item in self.nodes if (item.shard, item.cluster_id) == (shard, lead))

    def snapshot_source(self, shard: str, at: float) -> str:
        """The node that snapshots are taken of: a replica where there is one."""
        members = [item for item in self.nodes if item.shard == shard and item.exists(at)]
        replicas = [item for item in members if not self.leads(item, at)]
        return (replicas or members)[0].cluster_id if members else ""


@dataclass(frozen=True, slots=True)
class ServerlessCache:
    """A serverless cache; limits 0 where AWS leaves them out (GB; ECPU per second), instants in unix seconds."""

    name: str
    created: float
    engine: str = "valkey"
    major: str = "8"
    full: str = "8.0"
    description: str = " "
    data_maximum: int = 0
    data_minimum: int = 0
    ecpu_maximum: int = 0
    ecpu_minimum: int = 0
    kms_key_id: str = ""
    user_group: str = ""
    retention: int = 0
    snapshot_time: str = ""
    tags: Tags = ()
    load: CacheLoad = CacheLoad(level=2.0)
    events: tuple[CacheEvent, ...] = ()
    takes: float = 120.0
    deleting: float = NEVER
    deleted: float = NEVER

    def exists(self, at: float) -> bool:
        """Whether DescribeServerlessCaches knows it at *at*."""
        return self.created <= at < self.deleted

    def publishes(self, minute: float) -> bool:
        """Whether there are datapoints at *minute*."""
        return self.created + self.takes <= minute < self.deleted

    def state(self, at: float) -> str:
        """AWS's word for the state at *at*, in the lower case that is seen on the wire."""
        if at < self.created + self.takes:
            return "creating"
        return "deleting" if at >= self.deleting else "available"


def failed_over(cache: Cache, shard: str, at: float, *, takes: float = FAILOVER_SECONDS) -> Cache:
    """
    The cache whose primary of *shard* dies at *at*: down for five minutes, a replica is primary *takes* seconds later.

    A shard without a replica has the same primary again when it is back.
    """
    old = cache.primary(shard, at)
    others = [
        item for item in cache.members(at) if item.shard == shard and item.cluster_id != old and not item.down(at)
    ]
    back = at + max(RECOVERY_SECONDS, takes)
    nodes = tuple(
        replace(item, outages=(*item.outages, (at, back))) if item.cluster_id == old and item.shard == shard else item
        for item in cache.nodes
    )
    primaries = (*cache.primaries, (at + takes, shard, others[0].cluster_id)) if others else cache.primaries
    busy = (*cache.busy, (at, back, "modifying"))
    return replace(cache, nodes=nodes, primaries=primaries, busy=busy)


def host(seed: int, *parts: str) -> str:
    """The six letters and digits of the host names of one account and region."""
    number = int.from_bytes(hashlib.blake2b(f"{seed}|cache|{'|'.join(parts)}".encode(), digest_size=8).digest())
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(letters[number // 36**place % 36] for place in range(6))


def short_region(region: str) -> str:
    """A region as ElastiCache's host names shorten it: ``ap-southeast-3`` is ``apse3``."""
    area, *_, place, number = region.split("-")
    sides = {"southeast": "se", "northeast": "ne", "southwest": "sw", "northwest": "nw", "central": "c"}
    return f"{area}{sides.get(place, place[0])}{number}"


ALWAYS = GENESIS + 5 * _DAY
"""When what has always been there was made (unix seconds)."""
