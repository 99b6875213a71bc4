"""ElastiCache over the simulated AWS: what fails costs its own facts only, and what changes is followed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from exporter.config import Config
from exporter.demo import World, WorldClock
from exporter.demo.caches import CacheLoad, ServerlessCache
from exporter.engine import Feed
from exporter.model import Target
from exporter.services.elasticache_facts import FAMILIES, OPERATIONS
from exporter.services.registry import SERVICES
from tests.harness import Line, Series, T, config_of, limits_for, line

DAY = 86400
OTHERS = {name: {"enabled": False} for name in SERVICES if name != "elasticache"}
FACTS = frozenset(family.name for family in FAMILIES)
NODE = "aws_elasticache_node_"
GROUP = "aws_elasticache_replication_group_"

# What is only known from one operation: families by the beginning of their names. Groups are known from their nodes,
# too, so that their snapshots, updates and scaling stay when DescribeReplicationGroups does not answer.
COSTS: dict[str, tuple[str, ...]] = {
    "DescribeCacheClusters": (f"{NODE}info", f"{NODE}available", f"{NODE}created", f"{NODE}role", f"{NODE}shard",
                              f"{NODE}pending", "aws_elasticache_cluster_", "aws_elasticache_parameter_group_"),
    "DescribeReplicationGroups": (GROUP, f"{NODE}role_info", f"{NODE}shard_info"),
    "DescribeServerlessCaches": ("aws_elasticache_serverless_",),
    "DescribeEvents": ("aws_elasticache_event_",),
    "DescribeSnapshots": (f"{GROUP}last_snapshot", "aws_elasticache_cluster_last_snapshot"),
    "DescribeServerlessCacheSnapshots": ("aws_elasticache_serverless_last_snapshot",),
    "DescribeUpdateActions": ("aws_elasticache_update_action_",),
    "DescribeCacheParameters": ("aws_elasticache_parameter_group_",),
    "ListTagsForResource": (),
    "DescribeScalableTargets": ("aws_elasticache_scalable_target_",),
}  # fmt: skip
KEPT = {"DescribeReplicationGroups": (f"{GROUP}last_snapshot",)}


def configured(kind: str = "", **sections: object) -> Config:
    """ElastiCache alone, in no hurry to spare the API, where *kind* befalls calls."""
    given: dict[str, object] = {"limits": {**limits_for(kind), "describe_per_second": 1000}}
    services = {**OTHERS, "elasticache": sections.pop("elasticache", {})}
    return config_of(**given, services=services, **sections)


FACTS_ONLY: dict[str, object] = {"tiers": []}
"""Nothing is asked of CloudWatch: what is tested is discovery, over days of the made-up clock."""


@contextlib.asynccontextmanager
async def caches(
    monkeypatch: pytest.MonkeyPatch, config: Config | None = None, world: World | None = None
) -> AsyncIterator[Line]:
    async with line(monkeypatch, world=world, config=config or configured()) as over:
        yield over


def facts(over: Line) -> Series:
    """The series that Describe operations tell."""
    return {key: value for key, value in over.series().items() if key[0] in FACTS}


def begins(name: str, prefixes: tuple[str, ...]) -> bool:
    return bool(prefixes) and name.startswith(prefixes)


def asked_of(over: Line, metric: str) -> set[str]:
    """The cache clusters of which CloudWatch was asked *metric*."""
    return {
        dict(query.dimensions)["CacheClusterId"]
        for call in over.asked()
        if call.request is not None
        for query in call.request.queries
        if query.metric == metric and "CacheClusterId" in dict(query.dimensions)
    }


def labelled(over: Line, name: str, *wanted: str) -> set[tuple[str, ...]]:
    """The values of some labels of a family's series."""
    return {tuple(dict(own)[each] for each in wanted) for each, own in over.series() if each == name}


def targets(feeds: dict[str, Feed]) -> tuple[Target, ...] | None:
    """The addresses for probes, None where they are not known."""
    collector = feeds["elasticache"].collector
    assert collector is not None
    return collector.targets


@pytest.mark.parametrize("operation", [each.name for each in OPERATIONS])
async def test_an_operation_that_is_denied_costs_its_own_facts(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that lacks one action: everything else is as it would be, and the one is named."""
    async with caches(monkeypatch) as right:
        await right.run(T)
        good = facts(right)
    async with caches(monkeypatch) as over:
        over.server.faults.add("denied", operation=operation)
        feeds = await over.run(T)
        assert set(feeds["elasticache"].report.failures) == {operation}
        lost = {key for key in good if begins(key[0], COSTS[operation]) and not begins(key[0], KEPT.get(operation, ()))}
        assert bool(lost) == bool(COSTS[operation])
        assert facts(over) == {key: value for key, value in good.items() if key not in lost}
        if operation != "DescribeServerlessCaches":
            assert asked_of(over, "EngineCPUUtilization") >= {"sessions-001", "catalog-0003-002"}


@pytest.mark.parametrize("kind", ["throttle-400", "hang", "truncated", "denied"])
async def test_what_is_known_stays_while_an_operation_fails(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One operation after the other fails when it is due: its last good answer serves, nothing else is touched."""
    async with caches(monkeypatch, configured(kind, elasticache=FACTS_ONLY)) as over:
        at = T
        for operation in OPERATIONS:
            await over.run(at)
            before = {key for key in facts(over) if "event_" not in key[0]}
            over.server.faults.add(kind, operation=operation.name, seconds=30)
            feeds = await over.run(at + operation.every)
            assert set(feeds["elasticache"].report.failures) == {operation.name}
            assert {key for key in facts(over) if "event_" not in key[0]} == before, operation.name
            over.server.faults.clear()
            at += 2 * operation.every + 3600
            feeds = await over.run(at)
            assert feeds["elasticache"].report.ok, operation.name


async def test_without_the_groups_every_node_is_asked_for_its_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    """Roles that are not known cost a question, not a metric."""
    async with caches(monkeypatch) as over:
        over.server.faults.add("denied", operation="DescribeReplicationGroups")
        await over.run(T)
        assert asked_of(over, "ReplicationLag") >= {"sessions-001", "sessions-002", "catalog-0001-001"}
        assert "feature-flags" not in asked_of(over, "ReplicationLag")  # outside any group


async def test_only_what_can_exist_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows by role, engine and node type: money is spent where there can be an answer."""
    config = configured(elasticache={"tiers": ["essential", "standard", "on-request"]})
    async with caches(monkeypatch, config) as over:
        await over.run(T)
        lag = asked_of(over, "ReplicationLag")
        assert {"sessions-002", "sessions-003", "catalog-0001-001", "catalog-0001-002"} <= lag
        assert lag.isdisjoint({"sessions-001", "dev-sandbox-001", "feature-flags", "page-fragments"})
        assert asked_of(over, "CPUCreditBalance") == {"dev-sandbox-001"}
        assert asked_of(over, "BytesReadFromDisk") == {"profiles-001", "profiles-002"}
        assert {each[:7] for each in asked_of(over, "DurabilityLag")} == {"catalog"}
        assert {each[:7] for each in asked_of(over, "CurrItemsWithVolatileFields")} == {"catalog"}  # Valkey 9
        assert asked_of(over, "GlobalDatastoreReplicationLag") == set()  # ours is the primary region
        assert "page-fragments" not in asked_of(over, "EngineCPUUtilization")
        assert "page-fragments" in asked_of(over, "CPUUtilization")
        tiers = {
            dict(query.dimensions).get("Tier")
            for call in over.asked()
            if call.request is not None
            for query in call.request.queries
            if query.metric == "CurrItems"
        }
        assert tiers == {None, "Memory", "SSD"}


async def test_a_failover_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Roles move at the next pass, the old primary is asked for its lag, and the event says when it was."""
    async with caches(monkeypatch) as over:
        over.server.world.fail_over("sessions", at=T + 30, takes=60)
        await over.run(T)
        roles = labelled(over, f"{NODE}role_info", "cache_cluster_id", "role")
        assert {("sessions-001", "primary"), ("sessions-002", "replica")} <= roles
        assert "sessions-001" not in asked_of(over, "ReplicationLag")
        await over.run(T + 60)  # the primary is down, nobody leads yet
        assert over.value(f"{NODE}available", cache_cluster_id="sessions-001") == 0
        over.server.clear_calls()
        await over.run(T + 120)  # another one leads: the old primary is a replica now, up or not
        assert "sessions-001" in asked_of(over, "ReplicationLag")
        assert "sessions-002" not in asked_of(over, "ReplicationLag")
        await over.run(T + 420)
        roles = labelled(over, f"{NODE}role_info", "cache_cluster_id", "role")
        assert {("sessions-001", "replica"), ("sessions-002", "primary")} <= roles
        event = "aws_elasticache_event_timestamp_seconds"
        assert over.value(event, source="sessions", event="failover-complete") == T + 90
        assert over.value(event, source="sessions-001", event="node-recovery-started") == T + 50
        assert over.value(f"{NODE}available", cache_cluster_id="sessions-001") == 1


async def test_events_are_kept_when_aws_lists_them_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the hours that are read, through an outage of the operation, until AWS itself would forget them."""
    async with caches(monkeypatch, configured(elasticache=FACTS_ONLY)) as over:
        over.server.world.fail_over("sessions", at=T - 600)
        await over.run(T)
        event = "aws_elasticache_event_timestamp_seconds"
        assert over.value(event, source="sessions", event="failover-complete") == T - 540
        over.server.faults.add("denied", operation="DescribeEvents")
        await over.run(T + 7200)
        assert over.value(event, source="sessions", event="failover-complete") == T - 540
        over.server.faults.clear()
        await over.run(T + 2 * DAY)  # the day that is read again begins later
        assert over.value(event, source="sessions", event="failover-complete") == T - 540
        await over.run(T + 14 * DAY)
        assert over.value(event, source="sessions", event="failover-complete") is None


async def test_an_outage_of_ours_loses_no_event_of_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event of twenty hours ago is known from the first pass on."""
    async with caches(monkeypatch, configured(elasticache=FACTS_ONLY)) as over:
        over.server.world.fail_over("catalog", "0002", at=T - 20 * 3600)
        await over.run(T)
        event = "aws_elasticache_event_timestamp_seconds"
        assert over.value(event, source="catalog", event="failover-complete") == T - 20 * 3600 + 60


async def test_nodes_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node is listed at once, asked when it is up, and gone at the pass after its end."""
    async with caches(monkeypatch) as over:
        world = over.server.world
        world.add_cache_node("sessions", "sessions-004", at=T - 60, shard="0001", takes=300)
        await over.run(T)
        assert over.value(f"{NODE}available", cache_cluster_id="sessions-004") is None  # it has no node yet
        assert over.value(f"{GROUP}members", replication_group_id="sessions") == 4
        assert "sessions-004" not in asked_of(over, "EngineCPUUtilization")
        await over.run(T + 300)
        assert over.value(f"{NODE}available", cache_cluster_id="sessions-004") == 1
        assert "sessions-004" in asked_of(over, "EngineCPUUtilization")
        world.delete_cache_node("sessions-004", at=T + 360)
        over.server.clear_calls()
        await over.run(T + 420)
        assert not [
            key for key in over.series() if key[0].startswith(NODE) and ("cache_cluster_id", "sessions-004") in key[1]
        ]
        assert "sessions-004" not in asked_of(over, "EngineCPUUtilization")
        assert over.value("aws_elasticache_event_timestamp_seconds", source="sessions-004", event="node-removed")


async def test_groups_and_serverless_caches_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is deleted ends at the next listing, with its nodes, tags and targets; the rest is untouched."""
    async with caches(monkeypatch, configured(elasticache=FACTS_ONLY)) as over:
        await over.run(T)
        before = {name for (name,) in labelled(over, f"{GROUP}info", "replication_group_id")}
        over.server.world.delete_cache("legacy-queue", at=T + 30)
        over.server.world.delete_cache("web-fragments", at=T + 30)
        over.server.world.add_cache(ServerlessCache("fresh", T + 40, load=CacheLoad(level=1.0), takes=10))
        feeds = await over.run(T + 300)
        after = {name for (name,) in labelled(over, f"{GROUP}info", "replication_group_id")}
        assert after == before - {"legacy-queue"}
        caches_now = {name for (name,) in labelled(over, "aws_elasticache_serverless_info", "serverless_cache")}
        assert caches_now == {"events-buffer", "fresh"}
        assert feeds["elasticache"].report.ok
        found = targets(feeds)
        assert found is not None
        assert not [each for each in found if "legacy-queue" in each.address]
        assert [each for each in found if ("serverless_cache", "fresh") in each.labels]


async def test_limits_of_serverless_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a maximum there is no limit; one that is set later shows, one that is taken away ends."""
    limit = "aws_elasticache_serverless_data_storage_limit_bytes"
    ecpus = "aws_elasticache_serverless_ecpu_limit_per_second"
    async with caches(monkeypatch, configured(elasticache=FACTS_ONLY)) as over:
        await over.run(T)
        assert over.value(limit, serverless_cache="web-fragments") == 10e9
        assert over.value(limit, serverless_cache="events-buffer") is None
        assert over.value(ecpus, serverless_cache="events-buffer") is None
        world = over.server.world
        world.update_serverless_cache("events-buffer", data_maximum=5, ecpu_maximum=3000)
        world.update_serverless_cache("web-fragments", data_maximum=0, ecpu_maximum=0)
        await over.run(T + 300)
        assert over.value(limit, serverless_cache="events-buffer") == 5e9
        assert over.value(ecpus, serverless_cache="events-buffer") == 3000
        assert over.value(limit, serverless_cache="web-fragments") is None


async def test_pages_of_one_item_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every paginated operation is read to its end."""
    async with caches(monkeypatch) as one:
        await one.run(T)
        good, calls = one.series(), len(one.server.calls)
    async with caches(monkeypatch, configured()) as over:
        over.server.faults.add("small-pages", size=1, service="elasticache")
        over.server.faults.add("small-pages", size=1, service="application-autoscaling")
        feeds = await over.run(T)
        assert feeds["elasticache"].report.ok
        assert over.series() == good
        assert len(over.server.calls) > calls + 50


async def test_a_selection_by_tags_outlives_the_tags_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups, serverless caches, their nodes and events as selected; tags once known decide for as long as it lives."""
    config = configured(elasticache={**FACTS_ONLY, "select": {"tags": {"team": "web"}}}, tags=["team"])
    async with caches(monkeypatch, config) as over:
        await over.run(T)
        chosen = {("sessions",)}
        assert labelled(over, f"{GROUP}info", "replication_group_id") == chosen
        assert labelled(over, f"{NODE}info", "replication_group_id", "tag_team") == {("sessions", "web")}
        assert labelled(over, "aws_elasticache_serverless_info", "serverless_cache") == {("web-fragments",)}
        sources = {source for (source,) in labelled(over, "aws_elasticache_event_timestamp_seconds", "source")}
        assert sources
        assert all(source.startswith(("sessions", "web-fragments")) for source in sources)
        assert not labelled(over, "aws_elasticache_cluster_info", "cache_cluster_id")
        over.server.faults.add("denied", operation="ListTagsForResource")
        for number in range(1, 5):
            await over.run(T + 3 * 3600 * number)
        assert labelled(over, f"{GROUP}info", "replication_group_id", "tag_team") == {("sessions", "web")}


async def test_targets_wait_for_what_will_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a listing hangs nothing is said of addresses; what may never be listed withholds nothing."""
    async with caches(monkeypatch, configured("hang", elasticache=FACTS_ONLY)) as over:
        over.server.faults.add("hang", operation="DescribeServerlessCaches", seconds=30)
        feeds = await over.run(T)
        assert targets(feeds) is None
        over.server.faults.clear()
        over.server.faults.add("denied", operation="DescribeServerlessCaches")
        for number in range(1, 4):  # the refusal is not asked anew each minute
            found = targets(await over.run(T + 60 * number))
            assert found is not None
            nodes = {dict(each.labels).get("cache_cluster_id") for each in found}
            assert {"sessions-001", "catalog-0003-002", "feature-flags"} <= nodes
            assert len({each.address for each in found}) == len(found) == 17
        sessions = next(dict(each.labels) for each in found or () if "sessions-001" in each.address)
        assert sessions["__meta_storage_exporter_tls"] == "true"
        assert sessions["__meta_storage_exporter_auth"] == "token"
        assert sessions["__meta_storage_exporter_role"] == "primary"


async def test_an_account_without_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing there is no failure, no question and no series."""
    async with caches(monkeypatch, world=World.empty(1, WorldClock(at=T))) as over:
        feeds = await over.run(T)
        assert feeds["elasticache"].report.ok
        assert over.asked() == []
        assert not [name for name in over.names() if name.startswith("aws_elasticache_")]
        assert targets(feeds) == ()


async def test_a_node_that_falls_silent_is_told_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that dies publishes nothing: its newest datapoint stays where it was while the others' go on."""
    newest = f"{NODE}newest_datapoint_timestamp_seconds"
    async with caches(monkeypatch) as over:
        world = over.server.world
        nodes = world.cache("sessions").nodes
        dead = [replace(each, outages=((T, T + DAY),)) if each.cluster_id == "sessions-003" else each for each in nodes]
        world.update_cache("sessions", nodes=tuple(dead))
        for number in range(16):
            await over.run(T + 60 * number)
        assert over.value(newest, cache_cluster_id="sessions-003") == T
        assert over.value(newest, cache_cluster_id="sessions-002") == T + 15 * 60 - 120
        assert over.value(f"{NODE}memory_usage_ratio", cache_cluster_id="sessions-003") is None  # outlived
        assert over.value(f"{NODE}memory_usage_ratio", cache_cluster_id="sessions-002") is not None
        assert {len(values) for values in (labelled(over, newest, "cache_cluster_id", "cache_node_id"),)} == {17}
        assert labelled(over, "aws_elasticache_serverless_newest_datapoint_timestamp_seconds", "serverless_cache") == {
            ("events-buffer",),
            ("web-fragments",),
        }


async def test_levels_stand_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sum over a family counts nothing twice: nodes, groups and shards have families of their own (pains.md 13)."""
    config = configured(elasticache={"tiers": ["essential", "standard", "on-request"]})
    async with caches(monkeypatch, config) as over:
        await over.run(T)
        cpu = "engine_cpu_utilization_ratio"
        engines = {
            place for place in labelled(over, f"{NODE}info", "cache_cluster_id", "engine") if place[1] == "valkey"
        }
        assert labelled(over, f"{NODE}{cpu}", "cache_cluster_id") == {(name,) for name, _ in engines}
        assert labelled(over, f"{GROUP}{cpu}", "replication_group_id") == labelled(
            over, f"{GROUP}info", "replication_group_id"
        )
        assert labelled(over, f"{GROUP}shard_{cpu}", "replication_group_id", "node_group_id") == labelled(
            over, f"{GROUP}shard_info", "replication_group_id", "node_group_id"
        )
        for name, own in over.series():
            if name.startswith(NODE):
                assert {"replication_group_id", "cache_cluster_id", "cache_node_id"} <= {label for label, _ in own}


async def test_lag_moves_with_the_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is a replica has a lag, whoever leads has none: the values change places with the roles."""
    lag, primary = f"{NODE}replication_lag_seconds", f"{NODE}is_primary"
    async with caches(monkeypatch) as over:
        await over.run(T)
        assert {name for (name,) in labelled(over, lag, "cache_cluster_id") if name.startswith("sess")} == {
            "sessions-002",
            "sessions-003",
        }
        assert over.value(primary, cache_cluster_id="sessions-001") == 1
        over.server.world.fail_over("sessions", at=T + 60, takes=60)
        for number in range(1, 16):
            await over.run(T + 60 * number)
        assert over.value(primary, cache_cluster_id="sessions-001") == 0
        assert over.value(primary, cache_cluster_id="sessions-002") == 1
        assert {name for (name,) in labelled(over, lag, "cache_cluster_id") if name.startswith("sess")} == {
            "sessions-001",
            "sessions-003",
        }
