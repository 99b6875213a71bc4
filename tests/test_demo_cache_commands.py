"""The commands of caches on the simulated CloudWatch: every family AWS names, on nodes and serverless caches."""

from __future__ import annotations

import pytest

from exporter.demo import World
from tests.demo_worlds import NOW, world

NODE = {"CacheClusterId": "sessions-001", "CacheNodeId": "0001"}
CLUSTER = {"CacheClusterId": "sessions-001"}
SERVERLESS = {"clusterId": "web-fragments"}

# ElastiCache User Guide, "Metrics for Valkey and Redis OSS" and "Serverless cache metrics"
BOTH = [
    "ClusterBased",
    "EvalBased",
    "GeoSpatialBased",
    "GetType",
    "HashBased",
    "HyperLogLogBased",
    "KeyBased",
    "ListBased",
    "PubSubBased",
    "SetBased",
    "SetType",
    "SortedSetBased",
    "StreamBased",
    "StringBased",
]
PAIR = ["JsonBased", "JsonBasedGet", "JsonBasedSet", "NonKeyType", "SearchBased", "SearchBasedGet", "SearchBasedSet"]
NODES_ONLY = ["ClusterBased", "SearchBased", "SearchBasedGet", "SearchBasedSet"]


def _points(asked: World, metric: str, given: dict[str, str]) -> list[tuple[int, float]]:
    pairs = frozenset(given.items())
    return asked.points("AWS/ElastiCache", metric, pairs, "Sum", 60, NOW - 900, NOW)


@pytest.mark.parametrize("family", [*BOTH, *PAIR])
def test_a_node_counts_every_family(family: str) -> None:
    """Each family has a count a minute, under the cluster as well but for those of the pair only (aws-facts 1.5.1)."""
    asked = world()
    counted = dict(_points(asked, f"{family}Cmds", NODE))
    whole = dict(_points(asked, f"{family}Cmds", CLUSTER))
    assert counted
    assert bool(whole) is (family not in PAIR)
    assert all(whole[stamp] == counted[stamp] for stamp in whole.keys() & counted.keys())


@pytest.mark.parametrize("family", [*BOTH, *PAIR])
def test_a_latency_is_there_where_commands_ran(family: str) -> None:
    """In just the minutes with a command of the family, and never 0."""
    asked = world()
    busy = [stamp for stamp, value in _points(asked, f"{family}Cmds", NODE) if value > 0]
    told = _points(asked, f"{family}CmdsLatency", NODE)
    shown = {stamp for stamp, _ in told} & {stamp for stamp, _ in _points(asked, f"{family}Cmds", NODE)}
    assert shown <= set(busy)
    assert len(shown) >= len(busy) - 2  # the two metrics are not equally late
    assert all(value > 0 for _, value in told)


@pytest.mark.parametrize("family", [*BOTH, *PAIR])
def test_a_serverless_cache_counts_commands_and_their_ecpus(family: str) -> None:
    """Each family but those of nodes has both; a command needs an ECPU at least; there is no CPU time."""
    asked = world()
    counted = dict(_points(asked, f"{family}Cmds", SERVERLESS))
    units = dict(_points(asked, f"{family}CmdsECPUs", SERVERLESS))
    assert bool(counted) is bool(units) is (family not in NODES_ONLY)
    assert all(units[stamp] >= counted[stamp] for stamp in counted.keys() & units.keys())
    assert _points(asked, f"{family}CmdsLatency", SERVERLESS) == []


@pytest.mark.parametrize("metric", ["SearchNumberOfIndexes", "SearchTotalIndexedDocuments", "SearchUsedMemoryBytes"])
def test_nobody_searches(metric: str) -> None:
    """A node without an index says 0, under the pair only; Memcached says nothing."""
    asked = world()
    assert {value for _, value in _points(asked, metric, NODE)} == {0.0}
    assert _points(asked, metric, CLUSTER) == []
    assert _points(asked, metric, {"CacheClusterId": "page-fragments", "CacheNodeId": "0001"}) == []
