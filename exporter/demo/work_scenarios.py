"""
A zone that is lost, calls that AWS refuses, and a day on which people work, for the table of `scenarios`. Pure.

What a scenario does to calls is said in the words of the control pages' faults; `server` follows them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from exporter.demo.caches import FAILOVER_SECONDS, Cache
from exporter.demo.curves import Effects
from exporter.demo.estate import Estate, attachment
from exporter.demo.nouns import NEVER, Attachment, Volume, leave

SCENARIOS: dict[str, str] = {
    "zone-loss": "zone a is lost: its nodes, mount targets and cache nodes; its volumes stay `detaching`, out of reach",
    "throttled": "AWS throttles every GetMetricData and every Describe call of the main region",
    "denied": "the exporter may not call GetMetricData any more in the main region; it still may describe",
    "busy-day": "nothing is broken: node-b2 is replaced, backups read, CloudWatch is half an hour late for a while",
}
"""Name and one line for people, by name."""

REFUSALS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "throttled": [
        {"match": {"service": name}, "kind": "throttle-400"} for name in ("cloudwatch", "ec2", "efs", "valkey")
    ],
    "denied": [{"match": {"service": "cloudwatch", "operation": "GetMetricData"}, "kind": "denied"}],
}
"""Scenario to the faults that hold while it runs, as the control pages speak them."""

LOST_LETTER = "a"
NODE_GONE = 300.0
"""Seconds until the instances of a lost zone are given up."""

REPLACED, REPLACING = "node-b2", "node-b3"
DRAIN, LAST = 900.0, 1200.0
"""The new node is there at the start; the old one is drained and then ended so many seconds later."""

BACKUP = (3600.0, 4800.0)
LATE = (5400.0, 7200.0)
LATE_SECONDS = 1800.0
"""Seconds after the start between which backups read and CloudWatch is late; and how late it is."""

_COPIED = ("data-postgres-0", "data-postgres-1", "data-mysql-0")


def apply(name: str, start: float, estate: Estate, identify: Callable[[str], str]) -> Effects:
    """The effects on the curves once a scenario began at *start*; *estate* is changed in place."""
    if name == "zone-loss":
        return _lose_zone(estate, start)
    if name == "busy-day":
        _replace_node(estate, start, identify)
        copied = [item.volume_id for item in estate.volumes.values() if item.name in _COPIED]
        copied += [item.file_system_id for item in estate.file_systems.values() if item.name == "eks_production"]
        begin, end = (start + offset for offset in BACKUP)
        late = (start + LATE[0], start + LATE[1], LATE_SECONDS)
        return Effects(copied=dict.fromkeys(copied, (begin, end)), late=late)
    return Effects()


def _lose_zone(estate: Estate, start: float) -> Effects:
    zones = {item.zone for item in estate.instances.values() if item.zone.endswith(LOST_LETTER)}
    lost = {item.instance_id for item in estate.instances.values() if item.zone in zones}
    for instance_id in lost:
        node = estate.instances[instance_id]
        estate.instances[instance_id] = replace(node, stopping=start, terminated=start + NODE_GONE)
    dark = {}
    for volume in [item for item in estate.volumes.values() if item.zone in zones and item.exists(start)]:
        ended = tuple(_cut_off(item, start) for item in volume.attachments)
        estate.volumes[volume.volume_id] = replace(volume, attachments=ended)
        dark[volume.volume_id] = (start, math.inf)
    for system in list(estate.file_systems.values()):
        targets = tuple(replace(item, failed=start) if item.zone in zones else item for item in system.mount_targets)
        estate.file_systems[system.file_system_id] = replace(system, mount_targets=targets)
    for cache in list(estate.caches.values()):
        estate.caches[cache.name] = _without(cache, zones, start)
    silent = {item.file_system_id: (start, math.inf) for item in estate.file_systems.values() if item.zone in zones}
    return Effects(stalled=dark, silent=silent)


def _cut_off(item: Attachment, start: float) -> Attachment:
    """The attachment to a node that is gone: given up with it, and never let go by AWS."""
    if item.until <= start:
        return item
    return replace(item, detaching=min(item.detaching, start + NODE_GONE), until=NEVER, dark=start)


def _without(cache: Cache, zones: set[str], start: float) -> Cache:
    """The cache whose nodes of *zones* are down; a primary among them is followed by a replica elsewhere."""
    nodes = tuple(
        replace(item, outages=(*item.outages, (start, math.inf))) if item.zone in zones else item
        for item in cache.nodes
    )
    primaries = list(cache.primaries)
    for shard in cache.shards():
        members = [item for item in nodes if item.shard == shard and item.exists(start)]
        first = cache.primary(shard, start)
        left = [item for item in members if item.zone not in zones]
        if left and any(item.cluster_id == first and item.zone in zones for item in members):
            primaries.append((start + FAILOVER_SECONDS, shard, left[0].cluster_id))
    return replace(cache, nodes=nodes, primaries=tuple(primaries))


def _replace_node(estate: Estate, start: float, identify: Callable[[str], str]) -> None:
    """A new node comes, the volumes of the old one move to it one after the other, the old one is ended."""
    old = next((item for item in estate.instances.values() if item.name == REPLACED), None)
    if old is None:
        return
    address = f"{old.address.rpartition('.')[0]}.12"
    names = tuple((key, value.replace(REPLACED, REPLACING)) for key, value in old.tags)
    instance_id = f"i{identify(REPLACING)[3:]}"
    new = replace(old, instance_id=instance_id, name=REPLACING, launched=start, address=address, tags=names)
    estate.instances[instance_id] = new
    estate.instances[old.instance_id] = replace(old, stopping=start + LAST, terminated=start + LAST + 90)
    moved: list[Volume] = []
    for volume in estate.volumes.values():
        if not any(item.instance_id == old.instance_id and item.until > start for item in volume.attachments):
            continue
        if volume.name.startswith("root-"):
            left = leave(volume, start + LAST + 30, 30)
            moved.append(replace(left, deleting=start + LAST + 90, deleted=start + LAST + 120))
            root = attachment(new, 0, start, root=True)
            name = f"root-{REPLACING}"
            tags = tuple((key, value.replace(REPLACED, REPLACING)) for key, value in volume.tags)
            fresh = {"volume_id": identify(name), "name": name, "created": start, "attachments": (root,), "tags": tags}
            moved.append(replace(volume, **fresh))  # type: ignore[arg-type]
            continue
        begin = start + DRAIN + 40 * len(moved)
        left = leave(volume, begin, 8)
        coming = attachment(new, 40 + len(moved), begin + 15)
        moved.append(replace(left, attachments=(*left.attachments, coming)))
    estate.volumes.update((item.volume_id, item) for item in moved)
