"""What the simulated AWS publishes of caches: dimension sets, absences, coherence, scenarios (aws-facts 1.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from exporter.demo import World, WorldClock, run_in_thread
from exporter.demo.cache_rows import pair
from exporter.demo.estate import Estate
from tests.demo_caches import SPACE, of, read, values, words
from tests.demo_clients import NOW, client, query
from tests.demo_worlds import points, world

# --- dimension sets --------------------------------------------------------------------------------------------------

HOST_BOTH = words(
    "CPUUtilization FreeableMemory SwapUsage NetworkBytesIn NetworkBytesOut NetworkPacketsIn "
    "NetworkPacketsOut NetworkBandwidthInAllowanceExceeded NetworkBandwidthOutAllowanceExceeded "
    "NetworkPacketsPerSecondAllowanceExceeded NetworkConntrackAllowanceExceeded "
    "NetworkLinkLocalAllowanceExceeded"
)
HOST_PAIR = words(
    "NetworkMaxBytesIn NetworkMaxBytesOut NetworkMaxPacketsIn NetworkMaxPacketsOut "
    "NetworkBaselineUsageInPercentage NetworkBaselineUsageOutPercentage "
    "NetworkBaselineMaxUsageInPercentage NetworkBaselineMaxUsageOutPercentage"
)
ENGINE_BOTH = words(
    "EngineCPUUtilization DatabaseMemoryUsagePercentage BytesUsedForCache MemoryFragmentationRatio "
    "CurrConnections NewConnections CurrItems Evictions Reclaimed CacheHits CacheMisses CacheHitRate "
    "ReplicationBytes IsMaster MasterLinkHealthStatus SaveInProgress AuthenticationFailures "
    "CommandAuthorizationFailures KeyAuthorizationFailures ActiveDefragHits KeysTracked DB0AverageTTL "
    "GetTypeCmds SetTypeCmds GetTypeCmdsLatency SetTypeCmdsLatency StringBasedCmds StringBasedCmdsLatency "
    "HashBasedCmds StreamBasedCmds EvalBasedCmds"
)
ENGINE_PAIR = words(
    "DatabaseMemoryUsageCountedForEvictPercentage DatabaseCapacityUsagePercentage CurrVolatileItems "
    "ErrorCount DatabaseCapacityUsageCountedForEvictPercentage SuccessfulReadRequestLatency "
    "SuccessfulWriteRequestLatency TrafficManagementActive ChannelAuthorizationFailures "
    "BlockedConnections RejectedConnections ProcessedCommands MajorPageFaults UsedMemoryDataset "
    "AllocatorFragmentationBytes AllocatorFragmentationRatio PubSubChannels PubSubShardChannels "
    "NonKeyTypeCmds JsonBasedCmds SearchBasedCmds"
)


@pytest.mark.parametrize("metric", [*HOST_BOTH, *ENGINE_BOTH])
def test_most_node_metrics_are_published_twice(metric: str) -> None:
    """Under the cluster and under the pair, with the same values; never under other dimensions."""
    asked = world()
    paired, lone = (dict(read(asked, metric, of("sessions-001", paired=kind))) for kind in (True, False))
    shared = paired.keys() & lone.keys()
    assert len(shared) >= 11
    assert [paired[stamp] for stamp in shared] == [lone[stamp] for stamp in shared]
    for strange in ({"CacheNodeId": "0001"}, {"ReplicationGroupId": "sessions", "CacheNodeId": "0001"}, {}):
        assert read(asked, metric, strange) == []
    assert read(asked, metric, of("sessions-001", node_id="0002")) == []


@pytest.mark.parametrize("metric", [*HOST_PAIR, *ENGINE_PAIR])
def test_some_node_metrics_are_published_under_the_pair_only(metric: str) -> None:
    """Under `{CacheClusterId}` alone they give nothing."""
    asked = world()
    assert read(asked, metric, of("sessions-001"))
    assert read(asked, metric, of("sessions-001", paired=False)) == []


@pytest.mark.parametrize("shard", [None, "0002"])
def test_three_metrics_are_published_of_groups(shard: str | None) -> None:
    """Those made for auto scaling, over all nodes; engine CPU also by role; no other."""
    asked = world()
    given = {"ReplicationGroupId": "catalog", **({"NodeGroupId": shard} if shard else {})}
    for metric in (
        "EngineCPUUtilization",
        "DatabaseMemoryUsageCountedForEvictPercentage",
        "DatabaseCapacityUsageCountedForEvictPercentage",
    ):
        assert set(values(asked, metric, given, "SampleCount")) == {2.0 if shard else 6.0}
    assert set(values(asked, "EngineCPUUtilization", {**given, "Role": "Primary"}, "SampleCount")) == {
        1.0 if shard else 3.0
    }
    assert values(asked, "DatabaseMemoryUsagePercentage", given) == []
    assert values(asked, "CurrItems", given) == []
    assert values(asked, "EngineCPUUtilization", {**given, "NodeGroupId": "0009"}) == []


def test_data_tiering_has_a_tier() -> None:
    """Memory and SSD apart for two metrics, disk metrics beside them; nothing of it elsewhere."""
    asked = world()
    for metric in ("BytesUsedForCache", "CurrItems"):
        for paired in (True, False):
            tiers = [values(asked, metric, of("profiles-001", paired=paired, Tier=tier)) for tier in ("Memory", "SSD")]
            assert all(tiers)
            assert tiers[0][0] < tiers[1][0]
            assert values(asked, metric, of("sessions-001", paired=paired, Tier="Memory")) == []
    assert values(asked, "EngineCPUUtilization", of("profiles-001", Tier="Memory")) == []
    for metric in ("BytesReadFromDisk", "BytesWrittenToDisk", "NumItemsReadFromDisk", "NumItemsWrittenToDisk"):
        assert values(asked, metric, of("profiles-001"), "Sum")
        assert values(asked, metric, of("sessions-001"), "Sum") == []
    capacity = values(asked, "DatabaseCapacityUsagePercentage", of("profiles-001"))
    assert capacity[0] != pytest.approx(values(asked, "DatabaseMemoryUsagePercentage", of("profiles-001"))[0], abs=1)


SERVERLESS = words(
    "BytesUsedForCache ElastiCacheProcessingUnits ThrottledCmds TotalCmdsCount "
    "SuccessfulReadRequestLatency SuccessfulWriteRequestLatency CacheHits CacheMisses CacheHitRate "
    "CurrConnections NewConnections CurrItems CurrVolatileItems Evictions NetworkBytesIn NetworkBytesOut "
    "AuthenticationFailures KeyAuthorizationFailures CommandAuthorizationFailures "
    "IamAuthenticationExpirations IamAuthenticationThrottling StringBasedCmds StringBasedCmdsECPUs "
    "HashBasedCmds HashBasedCmdsECPUs"
)

NOT_SERVERLESS = words(
    "CPUUtilization EngineCPUUtilization DatabaseMemoryUsagePercentage ReplicationLag FreeableMemory "
    "SwapUsage NetworkBandwidthOutAllowanceExceeded TrafficManagementActive"
)


def test_serverless_metrics_have_a_dimension_of_their_own() -> None:
    """`clusterId` only; what AWS does not publish there is absent."""
    asked = world()
    given = {"clusterId": "web-fragments"}
    for metric in SERVERLESS:
        assert values(asked, metric, given), metric
        for strange in (
            {"ServerlessCacheName": "web-fragments"},
            of("web-fragments"),
            of("web-fragments", paired=False),
        ):
            assert values(asked, metric, strange) == []
    for metric in NOT_SERVERLESS:
        assert values(asked, metric, given) == []


# --- absences --------------------------------------------------------------------------------------------------------


def test_replication_lag_is_of_replicas() -> None:
    """And IsMaster is 1 on primaries; a node alone is one, without any replication metric."""
    asked = world()
    for name, primary in (("sessions-001", True), ("sessions-002", False), ("catalog-0002-001", True)):
        assert bool(values(asked, "ReplicationLag", of(name))) is not primary
        assert set(values(asked, "IsMaster", of(name))) == {float(primary)}
    assert set(values(asked, "IsMaster", of("feature-flags"))) == {1.0}
    for metric in ("ReplicationLag", "ReplicationBytes", "MasterLinkHealthStatus"):
        assert values(asked, metric, of("feature-flags")) == []


def test_credits_are_of_burstable_nodes_every_five_minutes() -> None:
    """t4g has them at 300 s, and nothing between; others have none."""
    asked = world()
    for metric in ("CPUCreditBalance", "CPUCreditUsage"):
        assert values(asked, metric, of("dev-sandbox-001"))
        stamps = [stamp for stamp, _ in points(asked, metric, of("dev-sandbox-001"), space=SPACE, back=1800)]
        assert stamps
        assert all(stamp % 300 == 0 for stamp in stamps)
        assert values(asked, metric, of("sessions-001")) == []


def test_command_latencies_need_commands() -> None:
    """A family without commands counts 0 and has no latency; an idle minute has none either."""
    asked = world()
    assert set(values(asked, "StreamBasedCmds", of("sessions-001"), "Sum")) == {0.0}
    assert values(asked, "StreamBasedCmdsLatency", of("sessions-001")) == []
    given = of("dev-sandbox-001")
    idle = [stamp for stamp, value in read(asked, "GetTypeCmds", given, "Sum", 7200) if value == 0]
    busy = [stamp for stamp, value in read(asked, "GetTypeCmds", given, "Sum", 7200) if value > 0]
    assert len(idle) > 10
    told = {stamp for stamp, _ in read(asked, "GetTypeCmdsLatency", given, "Average", 7200)}
    assert told.isdisjoint(idle)
    assert len(told & set(busy)) >= len(busy) - 2


def test_metrics_that_need_a_feature() -> None:
    """Durability, IAM users, Valkey 9, a Global Datastore's second region."""
    asked = world()
    there = {
        "DurabilityLag": ("catalog-0001-001", "sessions-001"),
        "DurabilityBufferExceededErrorCount": ("catalog-0001-001", "sessions-001"),
        "IamAuthenticationThrottling": ("catalog-0001-001", "sessions-001"),
        "CurrItemsWithVolatileFields": ("catalog-0001-001", "sessions-001"),
    }
    for metric, (yes, no) in there.items():
        assert values(asked, metric, of(yes)), metric
        assert values(asked, metric, of(no)) == []
    assert values(asked, "GlobalDatastoreReplicationLag", of("sessions-001")) == []
    second = World(1, WorldClock(NOW), estate=Estate(caches=pair(1)), region="ap-southeast-1")
    assert values(second, "GlobalDatastoreReplicationLag", of("sessions-001"))
    assert values(second, "GlobalDatastoreReplicationLag", of("edge")) == []


def test_memcached_has_the_host_only() -> None:
    """Both nodes have host metrics of their own; `{CacheClusterId}` is both; no metric of Valkey's engine is there."""
    asked = world()
    for node_id in ("0001", "0002"):
        assert values(asked, "CPUUtilization", of("page-fragments", node_id=node_id))
        for metric in ("EngineCPUUtilization", "DatabaseMemoryUsagePercentage", "IsMaster", "CurrConnections"):
            assert values(asked, metric, of("page-fragments", node_id=node_id)) == []
    assert set(values(asked, "CPUUtilization", of("page-fragments", paired=False), "SampleCount")) == {2.0}


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["CPUUtilization", "BytesUsedForCache", "CacheHits", "CurrConnections"])
def test_a_minute_is_a_single_sample(metric: str) -> None:
    """Average, Minimum, Maximum and Sum of a minute are equal; five minutes hold five samples."""
    asked = world()
    given = of("sessions-002")
    folds = [read(asked, metric, given, stat) for stat in ("Average", "Minimum", "Maximum", "Sum")]
    assert folds[0]
    assert all(fold == folds[0] for fold in folds)
    assert points(asked, metric, given, "SampleCount", space=SPACE, period=300)[0][1] == 5.0
    assert values(asked, metric, given, "p99") == []


def test_latencies_have_percentiles() -> None:
    """p0 <= p50 <= p99 <= p100 = Maximum, over a minute and over five; a strange percentile gives nothing."""
    asked = world()
    for given in (of("sessions-001"), {"clusterId": "web-fragments"}):
        for period in (60, 300):
            stats = ("p0", "p50", "p99", "p100", "Maximum", "Average")
            low, middle, high, top, maximum, mean = (
                points(asked, "SuccessfulReadRequestLatency", given, stat, space=SPACE, period=period)[0][1]
                for stat in stats
            )
            assert low < middle < mean < high < top == maximum
    assert values(asked, "SuccessfulReadRequestLatency", of("sessions-001"), "p101") == []


@pytest.mark.parametrize("name", ["sessions-001", "catalog-0003-002", "legacy-queue-001", "dev-sandbox-001"])
def test_values_of_a_node_agree(name: str) -> None:
    """Memory follows the percentage, hits and misses are the reads, nothing is evicted, five connections at least."""
    asked = world()
    given = of(name)
    most = asked.cache(name).maxmemory
    percent = dict(read(asked, "DatabaseMemoryUsagePercentage", given))
    used = dict(read(asked, "BytesUsedForCache", given))
    shared = percent.keys() & used.keys()
    assert len(shared) > 8
    for stamp in shared:
        assert used[stamp] == pytest.approx(percent[stamp] / 100 * most, rel=1e-6)
        assert 0 < percent[stamp] < 100
    hits, misses, gets = (dict(read(asked, name, given, "Sum")) for name in ("CacheHits", "CacheMisses", "GetTypeCmds"))
    for stamp in hits.keys() & misses.keys() & gets.keys():
        assert hits[stamp] + misses[stamp] == gets[stamp]
    assert set(values(asked, "Evictions", given, "Sum")) == {0.0}
    assert min(values(asked, "CurrConnections", given)) >= 5
    assert all(0 < value < 100 for value in values(asked, "EngineCPUUtilization", given))
    assert all(value > 0 for value in values(asked, "FreeableMemory", given))


def test_the_same_question_has_the_same_answer() -> None:
    """Values are a function of seed, resource and minute: neither order nor another world changes them."""
    first, second = world(), world()
    read(second, "NetworkBytesOut", of("catalog-0001-001"), "Sum", 3600)
    assert read(first, "CacheHits", of("sessions-001"), "Sum") == read(second, "CacheHits", of("sessions-001"), "Sum")
    assert read(first, "CacheHits", of("sessions-001"), "Sum") != read(
        world(seed=2), "CacheHits", of("sessions-001"), "Sum"
    )


def test_a_new_node_publishes_once_it_is_there() -> None:
    """Nothing before it is available, nothing after it is gone."""
    asked = world(NOW + 3600)
    asked.add_cache_node("sessions", "sessions-004", NOW, takes=300)
    asked.delete_cache_node("sessions-004", NOW + 1800)
    stamps = [stamp for stamp, _ in read(asked, "CPUUtilization", of("sessions-004"), "Average", 7200)]
    assert (stamps[0], stamps[-1]) == (NOW + 300, NOW + 1740)


# --- over the wire ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cloudwatch() -> Iterator[Any]:
    with run_in_thread(World(1, WorldClock(NOW))) as running:
        made = client(running, "cloudwatch")
        yield made
        made.close()


def test_percentiles_and_emptiness_over_the_wire(cloudwatch: Any) -> None:
    """GetMetricData answers p50 and p99, and an empty Complete result where AWS has no such metric."""
    asked = [
        query("a", SPACE, "SuccessfulReadRequestLatency", of("sessions-001"), "p50"),
        query("b", SPACE, "SuccessfulReadRequestLatency", of("sessions-001"), "p99"),
        query("c", SPACE, "SuccessfulReadRequestLatency", of("sessions-001", paired=False), "p99"),
        query("d", SPACE, "ElastiCacheProcessingUnits", {"clusterId": "web-fragments"}),
    ]
    results = cloudwatch.get_metric_data(MetricDataQueries=asked, StartTime=NOW - 900, EndTime=NOW)["MetricDataResults"]
    found = {item["Id"]: item["Values"] for item in results}
    assert all(low < high for low, high in zip(found["a"], found["b"], strict=False))
    assert found["a"]
    assert found["c"] == []
    assert found["d"]
    assert {item["StatusCode"] for item in results} == {"Complete"}


def test_list_metrics_names_the_dimension_sets(cloudwatch: Any) -> None:
    """ListMetrics is how a client learns the dimension of serverless caches; it lists only what exists."""
    listed = [
        item for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace=SPACE) for item in page["Metrics"]
    ]
    sets = {tuple(part["Name"] for part in item["Dimensions"]) for item in listed}
    assert sets == {
        ("CacheClusterId",),
        ("CacheClusterId", "CacheNodeId"),
        ("CacheClusterId", "Tier"),
        ("CacheClusterId", "CacheNodeId", "Tier"),
        ("ReplicationGroupId",),
        ("NodeGroupId", "ReplicationGroupId"),
        ("ReplicationGroupId", "Role"),
        ("NodeGroupId", "ReplicationGroupId", "Role"),
        ("clusterId",),
    }
    units = [item for item in listed if item["MetricName"] == "ElastiCacheProcessingUnits"]
    assert {item["Dimensions"][0]["Value"] for item in units} == {"web-fragments", "events-buffer"}
    lag = {
        part["Value"]
        for item in listed
        if item["MetricName"] == "ReplicationLag"
        for part in item["Dimensions"]
        if part["Name"] == "CacheClusterId"
    }
    assert not lag & {"sessions-001", "feature-flags", "page-fragments"}
