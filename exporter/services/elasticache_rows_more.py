"""
Rows of the commands a node runs and of serverless caches (ElastiCache User Guide, "Metrics for Valkey and Redis OSS"
and "Metrics and events for Valkey and Redis OSS serverless caches"; aws-facts 1.5.3, 1.5.4). A table, nothing else.

Commands are counted from `commandstats`; their latency is the engine's CPU time without any waiting, and it is absent
for a minute in which no such command ran.
"""

from __future__ import annotations

from functools import partial

from exporter.model import Fold, MetricRow
from exporter.services.elasticache_kinds import (
    ASKED,
    ESSENTIAL,
    NODE,
    RATE,
    SERVERLESS,
    SLOWEST,
    STANDARD,
    command_engine,
    engine,
    row,
)

# (CloudWatch's prefix, our words, what they are)
_FAMILIES = (
    ("GetTypeCmds", "read_commands", "Read commands"),
    ("SetTypeCmds", "write_commands", "Write commands"),
    ("EvalBasedCmds", "eval_commands", "Commands that run scripts"),
    ("GeoSpatialBasedCmds", "geospatial_commands", "Commands on places"),
    ("HashBasedCmds", "hash_commands", "Commands on hashes"),
    ("HyperLogLogBasedCmds", "hyperloglog_commands", "Commands on HyperLogLogs"),
    ("JsonBasedCmds", "json_commands", "Commands on JSON"),
    ("JsonBasedGetCmds", "json_read_commands", "Read commands on JSON"),
    ("JsonBasedSetCmds", "json_write_commands", "Write commands on JSON"),
    ("KeyBasedCmds", "key_commands", "Commands on keys of any type"),
    ("ListBasedCmds", "list_commands", "Commands on lists"),
    ("NonKeyTypeCmds", "keyless_commands", "Commands on no key"),
    ("PubSubBasedCmds", "pubsub_commands", "Commands of pub/sub"),
    ("SetBasedCmds", "set_commands", "Commands on sets"),
    ("SortedSetBasedCmds", "sorted_set_commands", "Commands on sorted sets"),
    ("StreamBasedCmds", "stream_commands", "Commands on streams"),
    ("StringBasedCmds", "string_commands", "Commands on strings"),
)
_NODE_FAMILIES = (
    *_FAMILIES,
    ("ClusterBasedCmds", "cluster_commands", "Commands on the cluster"),
    ("SearchBasedCmds", "search_commands", "Search commands"),
    ("SearchBasedGetCmds", "search_read_commands", "Search commands that read"),
    ("SearchBasedSetCmds", "search_write_commands", "Search commands that write"),
)

_node = partial(row, NODE, applies=engine)
_serverless = partial(row, SERVERLESS)
_commanded = partial(row, SERVERLESS, applies=command_engine)


def _commands(source: str, name: str, what: str) -> tuple[MetricRow, ...]:
    prefix = f"aws_elasticache_node_{name}"
    return (
        _node(source, "Sum", f"{prefix}_per_second", f"{what} a second.", *ASKED, **RATE),
        _node(
            f"{source}Latency", "Average", f"{prefix}_latency_seconds",
            f"{what}: CPU time of one in the slowest minute.", *ASKED, **SLOWEST,
        ),
    )  # fmt: skip


def _cost(source: str, name: str, what: str) -> tuple[MetricRow, ...]:
    prefix = f"aws_elasticache_serverless_{name}"
    return (
        _commanded(source, "Sum", f"{prefix}_per_second", f"{what} a second.", *ASKED, **RATE),
        _commanded(
            f"{source}ECPUs", "Sum", f"{prefix}_ecpus_per_second", f"{what}: ECPUs they use a second.", *ASKED, **RATE
        ),
    )


COMMAND_ROWS: tuple[MetricRow, ...] = (
    _node(
        "ProcessedCommands", "Sum", "aws_elasticache_node_commands_per_second", "Commands processed a second.",
        *ASKED, **RATE,
    ),
    *(each for family in _NODE_FAMILIES for each in _commands(*family)),
    _node(
        "SearchNumberOfIndexes", "Maximum", "aws_elasticache_node_search_indexes", "Search indexes.",
        *ASKED, fold=Fold.NEWEST,
    ),
    _node(
        "SearchTotalIndexedDocuments", "Maximum", "aws_elasticache_node_search_documents", "Keys in search indexes.",
        *ASKED, fold=Fold.NEWEST,
    ),
    _node(
        "SearchUsedMemoryBytes", "Maximum", "aws_elasticache_node_search_memory_bytes",
        "Bytes that search indexes use.", *ASKED, fold=Fold.NEWEST,
    ),
)  # fmt: skip

SERVERLESS_ROWS: tuple[MetricRow, ...] = (
    _serverless(
        "BytesUsedForCache", "Maximum", "aws_elasticache_serverless_used_bytes",
        "Bytes of data: compare with the data storage limit.", *ESSENTIAL, fold=Fold.NEWEST,
    ),
    _serverless(
        "ElastiCacheProcessingUnits", "Sum", "aws_elasticache_serverless_ecpus_per_second",
        "ECPUs used a second: compare with the ECPU limit.", *ESSENTIAL, **RATE,
    ),
    _serverless(
        "ThrottledCmds", "Sum", "aws_elasticache_serverless_throttled_commands_per_second",
        "Commands throttled a second because load grew faster than the cache, or past its limit.", *ESSENTIAL, **RATE,
    ),
    _serverless(
        "CurrConnections", "Maximum", "aws_elasticache_serverless_connections", "Client connections.",
        *ESSENTIAL, fold=Fold.MAX,
    ),
    _serverless(
        "Evictions", "Sum", "aws_elasticache_serverless_evictions_per_second", "Keys evicted a second.",
        *ESSENTIAL, **RATE,
    ),
    _serverless(
        "TotalCmdsCount", "Sum", "aws_elasticache_serverless_commands_per_second", "Commands run a second.",
        *STANDARD, **RATE,
    ),
    _serverless(
        "SuccessfulReadRequestLatency", "Average", "aws_elasticache_serverless_read_latency_seconds",
        "Mean time of a successful read in the slowest minute.", *STANDARD, **SLOWEST,
    ),
    _serverless(
        "SuccessfulReadRequestLatency", "p99", "aws_elasticache_serverless_read_latency_p99_seconds",
        "The 99th percentile of successful reads in the slowest minute.", *STANDARD, **SLOWEST,
    ),
    _serverless(
        "SuccessfulWriteRequestLatency", "Average", "aws_elasticache_serverless_write_latency_seconds",
        "Mean time of a successful write in the slowest minute.", *STANDARD, **SLOWEST,
    ),
    _serverless(
        "SuccessfulWriteRequestLatency", "p99", "aws_elasticache_serverless_write_latency_p99_seconds",
        "The 99th percentile of successful writes in the slowest minute.", *STANDARD, **SLOWEST,
    ),
    _serverless(
        "CacheHits", "Sum", "aws_elasticache_serverless_hits_per_second", "Lookups a second that found a key.",
        *STANDARD, **RATE,
    ),
    _serverless(
        "CacheMisses", "Sum", "aws_elasticache_serverless_misses_per_second", "Lookups a second that found no key.",
        *STANDARD, **RATE,
    ),
    _serverless(
        "NewConnections", "Sum", "aws_elasticache_serverless_new_connections_per_second",
        "Connections accepted a second.", *STANDARD, **RATE,
    ),
    _serverless(
        "CurrItems", "Maximum", "aws_elasticache_serverless_items", "Keys.", *STANDARD, fold=Fold.NEWEST,
    ),
    _serverless(
        "NetworkBytesIn", "Sum", "aws_elasticache_serverless_network_in_bytes_per_second",
        "Bytes received a second.", *STANDARD, **RATE,
    ),
    _serverless(
        "NetworkBytesOut", "Sum", "aws_elasticache_serverless_network_out_bytes_per_second",
        "Bytes sent a second.", *STANDARD, **RATE,
    ),
    _commanded(
        "AuthenticationFailures", "Sum", "aws_elasticache_serverless_authentication_failures_per_second",
        "Failed attempts to authenticate a second.", *STANDARD, **RATE,
    ),
    _commanded(
        "CurrVolatileItems", "Maximum", "aws_elasticache_serverless_volatile_items", "Keys that will expire.",
        *ASKED, fold=Fold.NEWEST,
    ),
    _commanded(
        "KeyAuthorizationFailures", "Sum", "aws_elasticache_serverless_key_authorization_failures_per_second",
        "Commands refused a second because the user may not touch the key.", *ASKED, **RATE,
    ),
    _commanded(
        "CommandAuthorizationFailures", "Sum",
        "aws_elasticache_serverless_command_authorization_failures_per_second",
        "Commands refused a second because the user may not run them.", *ASKED, **RATE,
    ),
    _commanded(
        "IamAuthenticationExpirations", "Sum",
        "aws_elasticache_serverless_iam_authentication_expirations_per_second",
        "Connections authenticated by IAM that expired a second.", *ASKED, **RATE, sparse=True,
    ),
    _commanded(
        "IamAuthenticationThrottling", "Sum", "aws_elasticache_serverless_iam_authentication_throttling_per_second",
        "Authentications by IAM that were throttled a second.", *ASKED, **RATE, sparse=True,
    ),
    *(each for family in _FAMILIES for each in _cost(*family)),
)  # fmt: skip
