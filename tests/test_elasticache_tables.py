"""The tables of ElastiCache: every metric AWS documents, once, and which resources each row is asked of."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from exporter.model import MetricRow, Resource, ResourceKind, Scope, Tier
from exporter.naming import METRIC_NAME
from exporter.services.elasticache_facts import FAMILIES, OPERATIONS
from exporter.services.elasticache_kinds import GROUP, NODE, NODE_TIER, SERVERLESS, SHARD, version_of
from exporter.services.elasticache_rows import NODE_NEWEST_DATAPOINT, ROWS, SERVERLESS_NEWEST_DATAPOINT

SCOPE = Scope("123456789012", "eu-west-1")


def names(text: str) -> list[str]:
    return text.split()


# aws-facts 1.5.2, 1.5.3 and 1.5.4, from the ElastiCache User Guide, without CacheHitRate (aws-facts 8)
HOST = names("""
CPUUtilization FreeableMemory SwapUsage NetworkBytesIn NetworkBytesOut NetworkPacketsIn NetworkPacketsOut
NetworkBandwidthInAllowanceExceeded NetworkBandwidthOutAllowanceExceeded NetworkPacketsPerSecondAllowanceExceeded
NetworkConntrackAllowanceExceeded NetworkLinkLocalAllowanceExceeded NetworkMaxBytesIn NetworkMaxBytesOut
NetworkMaxPacketsIn NetworkMaxPacketsOut NetworkBaselineUsageInPercentage NetworkBaselineUsageOutPercentage
NetworkBaselineMaxUsageInPercentage NetworkBaselineMaxUsageOutPercentage CPUCreditBalance CPUCreditUsage
""")
ENGINE = names("""
EngineCPUUtilization DatabaseMemoryUsagePercentage DatabaseMemoryUsageCountedForEvictPercentage
DatabaseCapacityUsagePercentage DatabaseCapacityUsageCountedForEvictPercentage BytesUsedForCache UsedMemoryDataset
AllocatorFragmentationBytes AllocatorFragmentationRatio MajorPageFaults MemoryFragmentationRatio CurrConnections
NewConnections RejectedConnections BlockedConnections CurrItems CurrVolatileItems Evictions Reclaimed CacheHits
CacheMisses ReplicationLag ReplicationBytes IsMaster MasterLinkHealthStatus GlobalDatastoreReplicationLag SaveInProgress
TrafficManagementActive SuccessfulReadRequestLatency SuccessfulWriteRequestLatency ErrorCount AuthenticationFailures
CommandAuthorizationFailures KeyAuthorizationFailures ChannelAuthorizationFailures DatabaseAuthorizationFailures
IamAuthenticationExpirations IamAuthenticationThrottling ProcessedCommands PubSubChannels PubSubShardChannels
CurrItemsWithVolatileFields ReclaimedFields DurabilityLag DurabilityBufferExceededErrorCount ActiveDefragHits
KeysTracked DB0AverageTTL BytesReadFromDisk BytesWrittenToDisk NumItemsReadFromDisk NumItemsWrittenToDisk
SearchNumberOfIndexes SearchTotalIndexedDocuments SearchUsedMemoryBytes
""")
COMMANDS = names("""
GetTypeCmds SetTypeCmds EvalBasedCmds GeoSpatialBasedCmds HashBasedCmds HyperLogLogBasedCmds JsonBasedCmds
JsonBasedGetCmds JsonBasedSetCmds KeyBasedCmds ListBasedCmds NonKeyTypeCmds PubSubBasedCmds SetBasedCmds
SortedSetBasedCmds StreamBasedCmds StringBasedCmds
""")
NODE_COMMANDS = [*COMMANDS, "ClusterBasedCmds", "SearchBasedCmds", "SearchBasedGetCmds", "SearchBasedSetCmds"]
OF_SERVERLESS = names("""
BytesUsedForCache ElastiCacheProcessingUnits ThrottledCmds TotalCmdsCount SuccessfulReadRequestLatency
SuccessfulWriteRequestLatency CacheHits CacheMisses CurrConnections NewConnections CurrItems CurrVolatileItems Evictions
NetworkBytesIn NetworkBytesOut AuthenticationFailures KeyAuthorizationFailures CommandAuthorizationFailures
IamAuthenticationExpirations IamAuthenticationThrottling
""")
SCALING = {
    "EngineCPUUtilization",
    "DatabaseMemoryUsageCountedForEvictPercentage",
    "DatabaseCapacityUsageCountedForEvictPercentage",
}
DOCUMENTED: dict[ResourceKind, set[str]] = {
    NODE: {*HOST, *ENGINE, *NODE_COMMANDS, *(f"{name}Latency" for name in NODE_COMMANDS)},
    NODE_TIER: {"BytesUsedForCache", "CurrItems"},
    GROUP: SCALING,
    SHARD: SCALING,
    SERVERLESS: {*OF_SERVERLESS, *COMMANDS, *(f"{name}ECPUs" for name in COMMANDS)},
}


@pytest.mark.parametrize("kind", DOCUMENTED, ids=lambda kind: kind.name)
def test_every_documented_metric_and_no_other(kind: ResourceKind) -> None:
    """The rows of a kind are AWS's names, letter for letter: none forgotten, none made up."""
    assert {row.source for row in ROWS if row.kind is kind} == DOCUMENTED[kind]


def test_names_are_unique_and_well_formed() -> None:
    """No family twice, neither as a row nor as a fact, and all of the prefix of their level."""
    prefixes = {
        NODE: "aws_elasticache_node_",
        NODE_TIER: "aws_elasticache_node_tier_",
        GROUP: "aws_elasticache_replication_group_",
        SHARD: "aws_elasticache_replication_group_shard_",
        SERVERLESS: "aws_elasticache_serverless_",
    }
    for row in ROWS:
        assert row.family.name.startswith(prefixes[row.kind]), row.family.name
        assert row.family.labels == ("account_id", "region", *row.kind.labels)
    all_names = [each.name for each in (*FAMILIES, *(row.family for row in ROWS))]
    all_names += [NODE_NEWEST_DATAPOINT.name, SERVERLESS_NEWEST_DATAPOINT.name]
    assert len(set(all_names)) == len(all_names)
    assert all(METRIC_NAME.match(name) for name in all_names)


def test_units() -> None:
    """Base units: percentages are ratios, micro- and milliseconds seconds, sums rates; nothing else is scaled."""
    for row in ROWS:
        name, unit = row.family.name, row.family.unit
        if "Percentage" in row.source or "Utilization" in row.source:
            assert (row.scale, unit) == (0.01, "ratio"), name
        elif "Latency" in row.source:
            assert (row.scale, unit) == (1e-6, "seconds"), name
        elif row.source in {"DurabilityLag", "DB0AverageTTL"}:
            assert (row.scale, unit) == (1e-3, "seconds"), name
        elif row.source.startswith("CPUCredit"):
            assert (row.scale, row.period) == (60, 300), name
        else:
            assert row.scale == 1, name
        assert row.per_second == (row.statistic == "Sum"), name
        assert name.endswith("_per_second") or not row.per_second, name


def test_what_is_asked_every_minute_is_little() -> None:
    """Each of these costs $0.438 a month and node (incidents.md 2.2): eight for a node, five for a serverless cache."""
    essential = [row for row in ROWS if row.tier is Tier.ESSENTIAL]
    assert {row.every for row in essential} == {60}
    assert {row.source for row in essential if row.kind is NODE} == {
        "DatabaseMemoryUsagePercentage",
        "EngineCPUUtilization",
        "IsMaster",
        "ReplicationLag",
        "Evictions",
        "CurrConnections",
        "RejectedConnections",
        "TrafficManagementActive",
    }
    assert len([row for row in essential if row.kind is SERVERLESS]) == 5
    assert {row.kind for row in essential} == {NODE, SERVERLESS}


def node(**facts: Any) -> Resource:
    known = {
        "replication_group_id": "sessions",
        "engine": "valkey",
        "engine_version": "8.0.1",
        "node_type": "cache.r7g.large",
        "role": "replica",
        "alone": False,
        "data_tiering": False,
    }
    return Resource(NODE, SCOPE, ("sessions-001", "0001"), {k: v for k, v in {**known, **facts}.items() if v != ...})


def asked(resource: Resource, source: str) -> bool:
    rows = [row for row in ROWS if row.kind is resource.kind and row.source == source]
    assert rows
    answers = {row.applies(resource) for row in rows}
    assert len(answers) == 1, source
    return answers.pop()


APPLIES: list[tuple[str, dict[str, Any], bool]] = [
    ("ReplicationLag", {}, True),
    ("ReplicationLag", {"role": "primary"}, False),
    ("ReplicationLag", {"role": ...}, True),  # cluster mode enabled: AWS does not say
    ("ReplicationLag", {"role": ..., "alone": True}, False),
    ("ReplicationLag", {"role": ..., "alone": ...}, True),  # DescribeReplicationGroups did not answer
    ("ReplicationLag", {"replication_group_id": "", "role": ..., "alone": ...}, False),
    ("ReplicationBytes", {"role": "primary"}, True),
    ("ReplicationBytes", {"replication_group_id": ""}, False),
    ("DB0AverageTTL", {}, False),
    ("DB0AverageTTL", {"role": "primary"}, True),
    ("DB0AverageTTL", {"role": ...}, True),
    ("CPUCreditBalance", {}, False),
    ("CPUCreditBalance", {"node_type": "cache.t4g.small"}, True),
    ("CPUCreditUsage", {"node_type": "cache.t3.micro"}, True),
    ("CPUCreditUsage", {"node_type": "cache.t2.micro"}, False),  # AWS publishes none for T2
    ("CPUCreditUsage", {"node_type": ...}, True),
    ("DatabaseCapacityUsagePercentage", {}, False),
    ("DatabaseCapacityUsagePercentage", {"data_tiering": True}, True),
    ("BytesReadFromDisk", {"data_tiering": ..., "node_type": "cache.r6gd.xlarge"}, True),
    ("BytesReadFromDisk", {"data_tiering": ...}, False),
    ("NumItemsWrittenToDisk", {"data_tiering": True}, True),
    ("DurabilityLag", {}, False),
    ("DurabilityLag", {"durability": "async"}, True),
    ("DurabilityBufferExceededErrorCount", {"durability": "disabled"}, False),
    ("GlobalDatastoreReplicationLag", {}, False),
    ("GlobalDatastoreReplicationLag", {"global_role": "PRIMARY"}, False),
    ("GlobalDatastoreReplicationLag", {"global_role": "SECONDARY"}, True),
    ("DatabaseAuthorizationFailures", {}, False),
    ("DatabaseAuthorizationFailures", {"engine_version": "9.1.0"}, True),
    ("DatabaseAuthorizationFailures", {"engine_version": ...}, True),
    ("CurrItemsWithVolatileFields", {"engine_version": "9.0"}, True),
    ("ReclaimedFields", {"engine": "redis", "engine_version": "7.1"}, False),
    ("UsedMemoryDataset", {"engine": "redis", "engine_version": "3.2.10"}, False),
    ("UsedMemoryDataset", {"engine": "redis", "engine_version": "5.0.6"}, True),
    ("PubSubShardChannels", {"engine": "redis", "engine_version": "6.x"}, False),
    ("PubSubShardChannels", {"engine_version": "7.2.6"}, True),
    ("Evictions", {"engine": "memcached"}, False),
    ("SetTypeCmds", {"engine": "memcached"}, False),
    ("FreeableMemory", {"engine": "memcached"}, True),
    ("NetworkBytesIn", {"engine": "memcached"}, True),
]


@pytest.mark.parametrize(("source", "facts", "expected"), APPLIES)
def test_applies(source: str, facts: dict[str, Any], expected: bool) -> None:
    """A row is asked where AWS can publish it, and where what would decide that is not known."""
    assert asked(node(**facts), source) is expected


def test_a_serverless_memcached_has_no_commands_of_valkey() -> None:
    """Bytes, units and connections it has; Valkey's commands and users it has not."""
    cache = Resource(SERVERLESS, SCOPE, ("pages",), {"engine": "memcached"})
    assert asked(cache, "BytesUsedForCache")
    assert not asked(cache, "HashBasedCmdsECPUs")
    assert not asked(cache, "AuthenticationFailures")
    assert asked(Resource(SERVERLESS, SCOPE, ("carts",), {"engine": "valkey"}), "HashBasedCmdsECPUs")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7.2.6", (7, 2, 6)), ("8.0", (8, 0)), ("6.x", (6,)), ("10.1", (10, 1)), ("", ()), ("unknown", ())],
)
def test_version_of(text: str, expected: tuple[int, ...]) -> None:
    """Numbers compare as numbers, and what is none ends the version."""
    assert version_of(text) == expected


@pytest.mark.parametrize("row", [row for row in ROWS if row.sparse], ids=lambda row: row.family.name)
def test_sparse_rows_are_of_things_that_may_not_happen(row: MetricRow) -> None:
    """Only latencies of requests and what few caches have at all: everything else is published every minute."""
    assert row.source.endswith("Latency") or row.source.startswith(("Iam", "DurabilityBuffer")), row.source
    assert row.tier is not Tier.ESSENTIAL


LIMITS = {
    "DescribeSnapshots": (20, 50),
    "DescribeServerlessCacheSnapshots": (1, 50),
    "DescribeScalableTargets": (1, 50),
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_operations_are_botocores(operation: Any) -> None:
    """Every operation exists, holds its items where we look, is paged as botocore pages it, within AWS's page sizes."""
    session = botocore.session.get_session()
    model = session.get_service_model(operation.api).operation_model(operation.name)
    assert model.output_shape is not None
    assert operation.result in model.output_shape.members
    client = session.create_client(
        operation.api, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    name = "".join("_" + each.lower() if each.isupper() else each for each in operation.name).lstrip("_")
    assert client.can_paginate(name) is operation.paged
    if operation.paged:
        least, most = LIMITS.get(operation.name, (20, 100))
        assert least <= operation.page_size <= most
    prefix = "application-autoscaling" if operation.api == "application-autoscaling" else "elasticache"
    assert operation.action == f"{prefix}:{operation.name}"
    assert operation.on == ("*",)
