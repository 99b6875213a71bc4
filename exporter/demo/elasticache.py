"""
ElastiCache in its query dialect, version 2015-02-02: pages, filters and errors as its API Reference gives them.

Trees of resources are made in `cache_shapes`; what exists is the world's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from exporter.demo import cache_shapes
from exporter.demo.cache_events import KEPT_DAYS, cache_events
from exporter.demo.cache_parameters import parameters_of
from exporter.demo.cache_shapes import Tree
from exporter.demo.cache_snapshots import snapshots
from exporter.demo.cache_updates import update_actions
from exporter.demo.caches import Cache, CacheNode
from exporter.demo.wire import (
    ELASTICACHE,
    REQUEST_ID,
    XML_HEAD,
    Reply,
    Request,
    Tweaks,
    WireError,
    cut_page,
    iso,
    namespace,
    refusal,
)
from exporter.demo.world import World

T = TypeVar("T")
Given = Mapping[str, str]
VERSION = "2015-02-02"


def handle(world: World, request: Request, operation: str, tweaks: Tweaks) -> Reply:
    """
    The answer to one ElastiCache call.

    Raises:
        WireError: as AWS would answer.
    """
    handler = _HANDLERS.get(operation)
    if handler is None:
        raise refusal(ELASTICACHE, "unknown-operation", operation=operation)
    tree = handler(world, request.parameters, tweaks)
    body = (
        f'{XML_HEAD}<{operation}Response xmlns="{namespace(ELASTICACHE)}"><{operation}Result>'
        f"{cache_shapes.write(tree)}</{operation}Result><ResponseMetadata><RequestId>{REQUEST_ID}</RequestId>"
        f"</ResponseMetadata></{operation}Response>"
    )
    return Reply(200, "text/xml", body.encode())


def _flag(given: Given, name: str) -> bool:
    return given.get(name, "false").lower() == "true"


def _page(
    items: Sequence[T], given: Given, tweaks: Tweaks, *, least: int = 20, most: int = 100, serverless: bool = False
) -> tuple[list[T], str | None]:
    size_name, token_name = ("MaxResults", "NextToken") if serverless else ("MaxRecords", "Marker")
    size = given.get(size_name)
    if size is not None and not (size.isdigit() and least <= int(size) <= most):
        raise WireError("InvalidParameterValue", f"Invalid value for {size_name}: must be between {least} and {most}.")
    return cut_page(items, given.get(token_name), int(size) if size else most, tweaks, code="InvalidParameterValue")


def _numbered(given: Given, name: str) -> list[str]:
    """A list of the query protocol: ``<name>.member.1`` or ``<name>.<item>.1``, in order."""
    found = [key for key in given if key.startswith(name + ".") and key.rpartition(".")[2].isdigit()]
    return [given[key] for key in sorted(found, key=lambda key: int(key.rpartition(".")[2]))]


def _clusters_of(world: World) -> dict[str, tuple[Cache, list[CacheNode]]]:
    """The cache clusters AWS lists, by id."""
    found: dict[str, tuple[Cache, list[CacheNode]]] = {}
    for cache in world.caches():
        for node in cache.members(world.now()):
            found.setdefault(node.cluster_id, (cache, []))[1].append(node)
    return dict(sorted(found.items()))


def _no_cluster(name: str) -> WireError:
    return WireError("CacheClusterNotFound", f"CacheCluster not found: {name}", 404)


def _no_group(name: str) -> WireError:
    return WireError("ReplicationGroupNotFoundFault", f"ReplicationGroup {name} not found.", 404)


def _no_serverless(name: str) -> WireError:
    return WireError("ServerlessCacheNotFoundFault", f"ServerlessCache {name} not found.", 404)


def _clusters(world: World, given: Given, tweaks: Tweaks) -> Tree:
    found = _clusters_of(world)
    wanted = given.get("CacheClusterId", "").lower()
    if wanted:
        if wanted not in found:
            raise _no_cluster(wanted)
        found = {wanted: found[wanted]}
    if _flag(given, "ShowCacheClustersNotInReplicationGroups"):
        found = {name: item for name, item in found.items() if not item[0].grouped}
    shown, marker = _page(list(found.values()), given, tweaks)
    with_nodes = _flag(given, "ShowCacheNodeInfo")
    return {
        "Marker": marker,
        "CacheClusters": [cache_shapes.cluster(world, cache, nodes, with_nodes=with_nodes) for cache, nodes in shown],
    }


def _groups(world: World, given: Given, tweaks: Tweaks) -> Tree:
    found = [item for item in world.caches() if item.grouped]
    wanted = given.get("ReplicationGroupId", "").lower()
    if wanted:
        found = [item for item in found if item.name == wanted]
        if not found:
            raise _no_group(wanted)
    shown, marker = _page(found, given, tweaks)
    return {"Marker": marker, "ReplicationGroups": [cache_shapes.replication_group(world, item) for item in shown]}


def _serverless(world: World, given: Given, tweaks: Tweaks) -> Tree:
    found = world.serverless_caches()
    wanted = given.get("ServerlessCacheName", "").lower()
    if wanted:
        found = [item for item in found if item.name == wanted]
        if not found:
            raise _no_serverless(wanted)
    shown, token = _page(found, given, tweaks, least=1, most=50, serverless=True)
    return {"NextToken": token, "ServerlessCaches": [cache_shapes.serverless(world, item) for item in shown]}


def _snapshots(world: World, given: Given, tweaks: Tweaks) -> Tree:
    now = world.now()
    found = [(cache, item) for cache in world.caches() for item in snapshots(cache, now)]
    group, cluster, name = (given.get(key, "") for key in ("ReplicationGroupId", "CacheClusterId", "SnapshotName"))
    source = {"system": True, "user": False}.get(given.get("SnapshotSource", ""))
    if group:
        found = [(cache, item) for cache, item in found if cache.grouped and cache.name == group]
    if cluster:
        found = [(cache, item) for cache, item in found if cluster in {node.cluster_id for node in cache.nodes}]
    if source is not None:
        found = [(cache, item) for cache, item in found if item.automated is source]
    if name:
        found = [(cache, item) for cache, item in found if item.name == name]
        if not found:
            raise WireError("SnapshotNotFoundFault", f"Snapshot {name} not found.", 404)
    shown, marker = _page(found, given, tweaks, most=50)
    return {"Marker": marker, "Snapshots": [cache_shapes.snapshot(world, cache, item) for cache, item in shown]}


def _serverless_snapshots(world: World, given: Given, tweaks: Tweaks) -> Tree:
    now = world.now()
    found = [(cache, item) for cache in world.serverless_caches() for item in snapshots(cache, now)]
    wanted, name = given.get("ServerlessCacheName", ""), given.get("ServerlessCacheSnapshotName", "")
    kind = given.get("SnapshotType", "all").lower()
    if wanted:
        if wanted not in {item.name for item in world.serverless_caches()}:
            raise _no_serverless(wanted)
        found = [(cache, item) for cache, item in found if cache.name == wanted]
    if name:
        found = [(cache, item) for cache, item in found if item.name == name]
        if not found:
            raise WireError("ServerlessCacheSnapshotNotFoundFault", f"ServerlessCacheSnapshot {name} not found.", 404)
    if kind != "all":
        found = [(cache, item) for cache, item in found if item.automated is (kind == "automated")]
    shown, token = _page(found, given, tweaks, least=1, most=50, serverless=True)
    trees = [cache_shapes.serverless_snapshot(world, cache, item) for cache, item in shown]
    return {"NextToken": token, "ServerlessCacheSnapshots": trees}


def _updates(world: World, given: Given, tweaks: Tweaks) -> Tree:
    found = update_actions(world, with_nodes=_flag(given, "ShowNodeLevelUpdateStatus"))
    for parameter, key in (
        ("ReplicationGroupIds", "ReplicationGroupId"),
        ("CacheClusterIds", "CacheClusterId"),
        ("UpdateActionStatus", "UpdateActionStatus"),
        ("ServiceUpdateStatus", "ServiceUpdateStatus"),
    ):
        wanted = _numbered(given, parameter)
        if wanted:
            found = [item for item in found if item.get(key) in wanted]
    for parameter in ("ServiceUpdateName", "Engine"):
        if given.get(parameter):
            found = [item for item in found if item[parameter] == given[parameter]]
    shown, marker = _page(found, given, tweaks, least=10, most=50)
    return {"Marker": marker, "UpdateActions": shown}


def _events(world: World, given: Given, tweaks: Tweaks) -> Tree:
    now = world.now()
    end = _instant(given, "EndTime", now)
    duration = given.get("Duration", "60")
    if not duration.isdigit():
        raise WireError("InvalidParameterValue", f"Invalid value for Duration: {duration}")
    if "Duration" in given and "StartTime" in given:
        start = _instant(given, "StartTime", now)
        end = min(end, start + int(duration) * 60)
    else:
        start = _instant(given, "StartTime", end - int(duration) * 60)
    if start > end:
        raise WireError("InvalidParameterValue", "StartTime must be before EndTime.")
    source_id, source_type = given.get("SourceIdentifier"), given.get("SourceType")
    if source_id and not source_type:
        raise WireError("InvalidParameterCombination", "SourceType is required with SourceIdentifier.")
    found = [
        {
            "SourceIdentifier": item.source_id,
            "SourceType": item.source_type,
            "Message": item.message,
            "Date": iso(item.at),
        }
        for item in cache_events(world)
        if max(start, now - KEPT_DAYS * 86_400) <= item.at <= min(end, now)
        and source_id in {None, "", item.source_id}
        and source_type in {None, "", item.source_type}
    ]
    shown, marker = _page(found, given, tweaks)
    return {"Marker": marker, "Events": shown}


def _instant(given: Given, name: str, otherwise: float) -> float:
    value = given.get(name)
    if not value:
        return otherwise
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        raise WireError("InvalidParameterValue", f"Invalid value for {name}: {value}") from None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _parameters(world: World, given: Given, tweaks: Tweaks) -> Tree:
    name = given.get("CacheParameterGroupName", "")
    if not name:
        raise WireError("InvalidParameterValue", "CacheParameterGroupName is required.")
    known = {item.parameter_group: item for item in world.caches()}
    if name not in known:
        raise WireError("CacheParameterGroupNotFound", f"CacheParameterGroup {name} not found.", 404)
    plain, specific = parameters_of(known[name])
    source = given.get("Source")
    if source:
        plain = [item for item in plain if item["Source"] == source]
        specific = [item for item in specific if item["Source"] == source]
    shown, marker = _page(plain, given, tweaks)
    first = not given.get("Marker")
    return {
        "Marker": marker,
        "Parameters": shown,
        "CacheNodeTypeSpecificParameters": specific if first else [],
    }


def _tags(world: World, given: Given, _: Tweaks) -> Tree:
    parts = given.get("ResourceName", "").split(":", 6)
    if len(parts) != 7 or parts[:3] != ["arn", "aws", "elasticache"]:
        raise WireError("InvalidARN", f"{given.get('ResourceName', '')} is not a valid ARN.")
    kind, name = parts[5], parts[6]
    mine = parts[3:5] == [world.region, world.account_id]
    if kind == "serverlesscache":
        serverless = {item.name: item for item in world.serverless_caches()} if mine else {}
        if name not in serverless:
            raise _no_serverless(name)
        tags = serverless[name].tags
    elif kind == "cluster":
        clusters = _clusters_of(world) if mine else {}
        if name not in clusters:
            raise _no_cluster(name)
        tags = clusters[name][0].tags
    elif kind == "replicationgroup":
        groups = {item.name: item for item in world.caches() if item.grouped} if mine else {}
        if name not in groups:
            raise _no_group(name)
        tags = groups[name].tags
    elif kind == "snapshot":
        owners = {item.name: cache for cache in world.caches() for item in snapshots(cache, world.now())}
        if not mine or name not in owners:
            raise WireError("SnapshotNotFoundFault", f"Snapshot {name} not found.", 404)
        tags = owners[name].tags
    else:
        raise WireError("InvalidARN", f"The resource type {kind} is not known.")
    return {"TagList": [{"Key": key, "Value": value} for key, value in tags]}


_HANDLERS: dict[str, Callable[[World, Given, Tweaks], dict[str, Any]]] = {
    "DescribeCacheClusters": _clusters,
    "DescribeReplicationGroups": _groups,
    "DescribeServerlessCaches": _serverless,
    "DescribeSnapshots": _snapshots,
    "DescribeServerlessCacheSnapshots": _serverless_snapshots,
    "DescribeUpdateActions": _updates,
    "DescribeEvents": _events,
    "DescribeCacheParameters": _parameters,
    "ListTagsForResource": _tags,
}
