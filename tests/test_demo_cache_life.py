"""Caches of the simulated AWS in time and place: they come and go, fail over, tell of it; other regions have theirs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.demo import DemoServer, World, WorldClock, run_in_thread
from exporter.demo.cache_rows import alone, pair
from exporter.demo.caches import ServerlessCache
from exporter.demo.estate import Estate
from tests.demo_caches import clusters, groups
from tests.demo_clients import NOW, client, refused


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with run_in_thread(World(1, WorldClock(NOW))) as running:
        second = Estate(caches=pair(1, region="ap-southeast-1"))
        running.add_world(World(1, running.world.now, estate=second, region="ap-southeast-1"))
        yield running


@pytest.fixture(scope="module")
def cache(server: DemoServer) -> Iterator[Any]:
    made = client(server, "elasticache")
    yield made
    made.close()


@pytest.fixture
def moved() -> Iterator[tuple[DemoServer, Any]]:
    """A server of its own, whose world a test may change."""
    with run_in_thread(World(1, WorldClock(NOW))) as running:
        made = client(running, "elasticache")
        yield running, made
        made.close()


# --- events ----------------------------------------------------------------------------------------------------------


def test_events_of_a_span(cache: Any) -> None:
    """The last hour unless told otherwise; by duration in minutes, or from and to; newest first; never over 14 days."""
    assert cache.describe_events()["Events"] == []
    day = cache.describe_events(Duration=24 * 60)["Events"]
    assert day
    assert [item["Date"] for item in day] == sorted((item["Date"] for item in day), reverse=True)
    start, end = datetime(2026, 8, 22, 19, 5, tzinfo=UTC), datetime(2026, 8, 22, 19, 15, tzinfo=UTC)
    (item,) = cache.describe_events(StartTime=start, EndTime=end)["Events"]
    assert (item["SourceIdentifier"], item["SourceType"]) == ("sessions-002", "cache-cluster")
    assert "Snapshot succeeded" in item["Message"]
    kept = cache.describe_events(Duration=10_000_000)["Events"]
    assert min(part["Date"] for part in kept).timestamp() >= NOW - 14 * 86_400


def test_events_of_a_source(cache: Any) -> None:
    """By kind, or by kind and name; a name alone is refused."""
    chosen = {"SourceType": "cache-cluster", "Duration": 24 * 60}
    only = cache.describe_events(SourceIdentifier="sessions-002", **chosen)["Events"]
    assert {item["SourceIdentifier"] for item in only} == {"sessions-002"}
    assert cache.describe_events(SourceType="serverless-cache", Duration=24 * 60)["Events"] == []
    assert refused(lambda: cache.describe_events(SourceIdentifier="sessions-002")) == (
        "InvalidParameterCombination",
        400,
    )


# --- life and other worlds -------------------------------------------------------------------------------------------


def test_a_snapshot_under_way(moved: tuple[DemoServer, Any]) -> None:
    """In the first minutes of its window a snapshot is `creating`."""
    server, cache = moved
    server.world.now = WorldClock(datetime(2026, 8, 23, 19, 3, tzinfo=UTC).timestamp())
    answer = cache.describe_snapshots(CacheClusterId="sessions-002")["Snapshots"]
    assert [item["SnapshotStatus"] for item in answer].count("creating") == 1


def test_caches_come_and_go(moved: tuple[DemoServer, Any]) -> None:
    """A cache is creating, then available, then gone; a node too, and AWS tells of it in events."""
    server, cache = moved
    world = server.world
    world.add_cache(alone("fresh", "cache.m7g.large", created=NOW - 60))
    world.add_cache(ServerlessCache("fresh-serverless", NOW - 60))
    world.add_cache_node("sessions", "sessions-004", NOW - 60)
    found = clusters(cache)
    assert found["fresh"]["CacheClusterStatus"] == found["sessions-004"]["CacheClusterStatus"] == "creating"
    assert "CacheNodes" not in found["fresh"]
    world.now = WorldClock(NOW + 600)
    found = clusters(cache)
    assert found["fresh"]["CacheClusterStatus"] == found["sessions-004"]["CacheClusterStatus"] == "available"
    assert len(groups(cache)["sessions"]["MemberClusters"]) == 4
    messages = {(item["SourceIdentifier"], item["Message"]) for item in cache.describe_events()["Events"]}
    assert ("fresh", "Cache cluster created") in messages
    world.delete_cache("fresh")
    world.delete_cache("fresh-serverless")
    world.delete_cache_node("sessions-004")
    assert "fresh" not in clusters(cache)
    assert "sessions-004" not in groups(cache)["sessions"]["MemberClusters"]
    assert len(cache.describe_serverless_caches()["ServerlessCaches"]) == 2


def test_a_failover_moves_roles_and_tells_of_it(moved: tuple[DemoServer, Any]) -> None:
    """The group is modifying, then another node is primary; the old one comes back as a replica."""
    server, cache = moved
    server.world.fail_over("sessions", at=NOW - 90)
    item = groups(cache)["sessions"]
    roles = {part["CacheClusterId"]: part["CurrentRole"] for part in item["NodeGroups"][0]["NodeGroupMembers"]}
    assert roles == {"sessions-001": "replica", "sessions-002": "primary", "sessions-003": "replica"}
    assert item["Status"] == "modifying"
    assert clusters(cache)["sessions-001"]["CacheClusterStatus"] == "rebooting cluster nodes"
    told = cache.describe_events(SourceType="replication-group", SourceIdentifier="sessions")["Events"]
    assert [part["Message"] for part in told] == [
        "Failover from primary node sessions-001 to replica node sessions-002 completed"
    ]
    server.world.now = WorldClock(NOW + 600)
    assert groups(cache)["sessions"]["Status"] == "available"
    assert clusters(cache)["sessions-001"]["CacheClusterStatus"] == "available"
    told = cache.describe_events(SourceType="cache-cluster", SourceIdentifier="sessions-001")["Events"]
    assert [part["Message"] for part in told] == [
        "Finished recovery for cache nodes 0001",
        "Recovering cache nodes 0001",
    ]


def test_other_regions_have_caches_of_their_own(server: DemoServer) -> None:
    """The second region has the secondary of the Global Datastore and a node, and keys and hosts of its own."""
    other = client(server, "elasticache", region_name="ap-southeast-1")
    found = groups(other)
    assert found["sessions"]["GlobalReplicationGroupInfo"] == {
        "GlobalReplicationGroupId": "erpgt-sessions-global",
        "GlobalReplicationGroupMemberRole": "SECONDARY",
    }
    assert found["sessions"]["KmsKeyId"].startswith("arn:aws:kms:ap-southeast-1:")
    assert ".apse1.cache.amazonaws.com" in clusters(other)["edge"]["CacheNodes"][0]["Endpoint"]["Address"]
    other.close()
    empty = client(server, "elasticache", region_name="us-east-1")
    assert empty.describe_cache_clusters()["CacheClusters"] == []
    empty.close()
