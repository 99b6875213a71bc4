"""The caches of the cases: one group of two nodes, one node alone, one serverless cache, and what they are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from math import inf
from typing import Any

from rules.build.cases.shapes import Case, S, Values

PLACE = {"cluster": "production", "account_id": "123456789012", "region": "ap-southeast-3"}
GROUP = {**PLACE, "replication_group_id": "sessions"}
NODE = {**GROUP, "cache_cluster_id": "sessions-001", "cache_node_id": "0001"}
OTHER = {**GROUP, "cache_cluster_id": "sessions-002", "cache_node_id": "0001"}
ALONE = {**PLACE, "replication_group_id": "", "cache_cluster_id": "flags", "cache_node_id": "0001"}
SERVERLESS = {**PLACE, "serverless_cache": "fragments"}
SHARD = {**GROUP, "node_group_id": "0001"}
ZONE = {"availability_zone": "ap-southeast-3a"}

_KIND = {
    "engine": "valkey",
    "node_type": "cache.r7g.large",
    "cluster_status": "available",
    "node_status": "available",
    "parameter_group": "sessions-valkey8",
    **ZONE,
}


def info(labels: Mapping[str, str] = NODE, **other: str) -> S:
    """A node's info; *other* labels differ from the usual."""
    return S("aws_elasticache_node_info", {**_KIND, **labels, **other})


def policy(name: str) -> S:
    """What the nodes' parameter group does when memory is full."""
    return S(
        "aws_elasticache_parameter_group_info",
        {**PLACE, "parameter_group": "sessions-valkey8", "maxmemory_policy": name},
        stays=True,
    )


def primary(labels: Mapping[str, str] = NODE, values: Values | float = 1) -> S:
    """Whether a node is the primary."""
    return S("aws_elasticache_node_is_primary", labels, values)


INFO = info()
POLICY = policy("volatile-lru")
GROUP_INFO = S("aws_elasticache_replication_group_info", {**GROUP, "status": "available"})
SERVERLESS_INFO = S("aws_elasticache_serverless_info", {**SERVERLESS, "status": "available"})
SEAT = S("aws_elasticache_node_shard_info", {**NODE, "node_group_id": "0001"})
OTHER_SEAT = S("aws_elasticache_node_shard_info", {**OTHER, "node_group_id": "0001"})

_DASHBOARD = "/d/storage-exporter-valkey?var-cluster=production&var-account_id=123456789012&var-region=ap-southeast-3"
_HOME = "https://ap-southeast-3.console.aws.amazon.com/elasticache/home?region=ap-southeast-3#/valkey"


def fresh(minute: int) -> float:
    """When the newest datapoint of a cache that reports is from."""
    return minute * 60 - 180


def silent_from(at: int) -> Values:
    """The same of one whose last datapoint ends at minute *at*."""
    return lambda minute: min(minute * 60 - 180, at * 60)


LIMIT = S("storage_exporter_data_age_limit_seconds", {**PLACE, "aws_service": "elasticache"}, 300, stays=True)
ANY = S(
    "storage_exporter_newest_datapoint_timestamp_seconds", {**PLACE, "aws_service": "elasticache"}, fresh, stays=True
)


def scattered(first: tuple[int, int], again: int, bad: float, good: float) -> Values:
    """Bad from minute *first[0]* until before *first[1]*, and again from minute *again* on."""
    return lambda minute: bad if first[0] <= minute < first[1] or minute >= again else good


def away(start: int, end: int) -> S:
    """The node's info, which is not there from minute *start* until before *end*."""
    return S(INFO.name, INFO.labels, lambda minute: inf if minute == start else None if start < minute < end else 1)


def _siblings(series: Iterable[S]) -> Iterator[S]:
    """The same of two more nodes that are well: another of the group, and another of the same cluster."""
    for each in series:
        if "cache_cluster_id" in each.labels:
            well = each if each.good is None else replace(each, bad=each.good)
            cluster = each.labels["cache_cluster_id"]
            yield replace(well, labels={**each.labels, "cache_cluster_id": f"{cluster}-sibling"})
            yield replace(well, labels={**each.labels, "cache_node_id": "0009"})


def case(alert: str, severity: str, /, **more: Any) -> Case:
    """A case about the node NODE, or whatever `labels` say; a node has siblings that are well."""
    labels = more.pop("labels", {**NODE, **ZONE})
    if "cache_node_id" in labels:
        more["series"] = [*more["series"], *_siblings(more["series"])]
    group = labels.get("replication_group_id", "")
    kind = "serverless_cache" if "serverless_cache" in labels else "replication_group_id"
    words = {
        "dashboard": f"{_DASHBOARD}&var-{kind}={labels.get(kind, '')}",
        "console": _HOME if "serverless_cache" in labels else f"{_HOME}/{group}",
    }
    return Case(alert=alert, severity=severity, component="elasticache", labels=labels, **{**words, **more})
