"""
What else AWS says of caches: snapshots, service updates, parameter groups, auto scaling. Pure: items in, findings out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from exporter.model import Family
from exporter.services.base import Findings, seconds_of, text_of
from exporter.services.elasticache_facts import (
    CLUSTER_LAST_SNAPSHOT,
    GROUP_LAST_SNAPSHOT,
    MAX_CLIENTS,
    PARAMETER_INFO,
    RESERVED_MEMORY,
    SCALING_MAXIMUM,
    SCALING_MINIMUM,
    SCALING_SUSPENDED,
    SERVERLESS_LAST_SNAPSHOT,
    UPDATE_APPLY_BY,
    UPDATE_INFO,
)
from exporter.services.items import Item

COMPLETE = frozenset({"available", "restoring", "copying"})
"""Statuses of a snapshot that is all there: it can be restored or copied, or is being (aws-facts 3.5)."""

OPEN = ("not-applied", "waiting-to-start", "in-progress", "stopping", "stopped", "scheduling", "scheduled")
"""Statuses of an update action that is not over."""

_SUSPENSIONS = (
    ("dynamic_in", "DynamicScalingInSuspended"),
    ("dynamic_out", "DynamicScalingOutSuspended"),
    ("scheduled", "ScheduledScalingSuspended"),
)


def say_snapshots(
    found: Findings,
    items: Iterable[Item],
    group_of: Mapping[str, str],
    groups: frozenset[str],
    clusters: frozenset[str],
) -> None:
    """
    The newest completed snapshot of each group and lone cluster.

    A snapshot of a group with cluster mode disabled may name the node it was taken of and no group.

    Args:
        found: where it is said.

        items: of DescribeSnapshots.

        group_of: cluster → its group.

        groups: those of interest.

        clusters: those of interest that stand alone.
    """
    newest: dict[tuple[Family, str], int] = {}
    for item in items:
        at = _began(item)
        if at is None or item.get("SnapshotStatus") not in COMPLETE:
            continue
        cluster_id = text_of(item.get("CacheClusterId"))
        group_id = text_of(item.get("ReplicationGroupId")) or group_of.get(cluster_id, "")
        if group_id in groups:
            key = (GROUP_LAST_SNAPSHOT, group_id)
        elif not group_id and cluster_id in clusters:
            key = (CLUSTER_LAST_SNAPSHOT, cluster_id)
        else:
            continue
        newest[key] = max(at, newest.get(key, at))
    for (family, owner), at in sorted(newest.items(), key=lambda entry: (entry[0][0].name, entry[0][1])):
        found.say(family, (owner,), at)


def say_serverless_snapshots(found: Findings, items: Iterable[Item], caches: frozenset[str]) -> None:
    """The newest completed snapshot of each serverless cache of interest."""
    newest: dict[str, int] = {}
    for item in items:
        name = text_of((item.get("ServerlessCacheConfiguration") or {}).get("ServerlessCacheName"))
        at = seconds_of(item.get("CreateTime"))
        if at is not None and name in caches and text_of(item.get("Status")).lower() in COMPLETE:
            newest[name] = max(at, newest.get(name, at))
    for name, at in sorted(newest.items()):
        found.say(SERVERLESS_LAST_SNAPSHOT, (name,), at)


def say_updates(found: Findings, items: Iterable[Item], wanted: Callable[[str, str], bool]) -> None:
    """Service updates that are not over, of what is *wanted* (by group and cluster, one of them ``""``)."""
    for item in items:
        where = (text_of(item.get("ReplicationGroupId")), text_of(item.get("CacheClusterId")))
        if item.get("UpdateActionStatus") not in OPEN or not wanted(*where):
            continue
        update = (*where, text_of(item.get("ServiceUpdateName")))
        described = (
            text_of(item.get("ServiceUpdateSeverity")),
            text_of(item.get("ServiceUpdateType")),
            text_of(item.get("ServiceUpdateStatus")),
            text_of(item.get("UpdateActionStatus")),
            text_of(item.get("SlaMet")),
            text_of(item.get("NodesUpdated")),
        )
        found.say(UPDATE_INFO, (*update, *described), 1)
        found.say(UPDATE_APPLY_BY, update, seconds_of(item.get("ServiceUpdateRecommendedApplyByDate")))


def say_parameters(found: Findings, parameter_group: str, items: Iterable[Item]) -> None:
    """What a parameter group (items of DescribeCacheParameters) means for memory and connections."""
    values = {text_of(item.get("ParameterName")): text_of(item.get("ParameterValue")) for item in items}
    described = (values.get("maxmemory-policy", ""), values.get("cluster-enabled", ""))
    found.say(PARAMETER_INFO, (parameter_group, *described), 1)
    reserved = _number(values.get("reserved-memory-percent"))
    found.say(RESERVED_MEMORY, (parameter_group,), None if reserved is None else reserved / 100)
    found.say(MAX_CLIENTS, (parameter_group,), _number(values.get("maxclients")))


def say_scaling(found: Findings, items: Iterable[Item], wanted: Callable[[str, str], bool]) -> None:
    """Scalable targets (`replication-group/<id>`, `cache-cluster/<id>`) of what is *wanted*."""
    for item in items:
        kind, _, name = text_of(item.get("ResourceId")).partition("/")
        where = (name, "") if kind == "replication-group" else ("", name) if kind == "cache-cluster" else ("", "")
        if where == ("", "") or not wanted(*where):
            continue
        target = (*where, text_of(item.get("ScalableDimension")).rpartition(":")[2])
        found.say(SCALING_MINIMUM, target, item.get("MinCapacity"))
        found.say(SCALING_MAXIMUM, target, item.get("MaxCapacity"))
        for scaling, member in _SUSPENSIONS:
            found.say(SCALING_SUSPENDED, (*target, scaling), (item.get("SuspendedState") or {}).get(member))


def _began(item: Item) -> int | None:
    """When the oldest part of a snapshot was begun: all that was written before is in it."""
    parts = [seconds_of(part.get("SnapshotCreateTime")) for part in item.get("NodeSnapshots") or ()]
    return min((at for at in parts if at is not None), default=None)


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
