"""ElastiCache against moto's server, an AWS somebody else wrote: every value equals what was put through boto3."""

from __future__ import annotations

import math
import time
from typing import Any

from tests.moto_aws import REGION, client, moto, once, put, values_of

__all__ = ["moto"]

LACKING = {
    "DescribeServerlessCaches",
    "DescribeServerlessCacheSnapshots",
    "DescribeEvents",
    "DescribeUpdateActions",
    "DescribeScalableTargets",
}
"""What moto 5 does not have; it has no parameter groups in use and no nodes' endpoints either."""

CONFIG = (
    "tags: [team]\n"
    "services:\n"
    "  ebs: {enabled: false}\n"
    "  efs: {enabled: false}\n"
    "  s3: {enabled: false}\n"
    "  protection: {enabled: false}\n"
    "  elasticache:\n"
    "    tiers: [essential, standard, on-request]\n"
    "    rows:\n"
) + "".join(
    f"      aws_elasticache_node_{what}_latency_{percentile}_seconds: {{enabled: false}}\n"
    for what in ("read", "write")
    for percentile in ("p50", "p99")  # moto breaks a whole request off at a percentile
)
KEY = f"arn:aws:kms:{REGION}:123456789012:key/11111111-2222-3333-4444-555555555555"


class Estate:
    """Two replication groups (one sharded), two lone clusters and datapoints, all made through boto3."""

    def __init__(self, url: str) -> None:
        self.cloudwatch, caches = client(url, "cloudwatch"), client(url, "elasticache")
        caches.create_replication_group(
            ReplicationGroupId="sessions",
            ReplicationGroupDescription="kept for a day",
            ReplicasPerNodeGroup=1,
            AutomaticFailoverEnabled=True,
            MultiAZEnabled=True,
            Engine="valkey",
            CacheNodeType="cache.r7g.large",
            SnapshotRetentionLimit=7,
            TransitEncryptionEnabled=True,
            TransitEncryptionMode="required",
            AtRestEncryptionEnabled=True,
            KmsKeyId=KEY,
            Tags=[{"Key": "team", "Value": 'pay"ments\\\n€'}],
        )
        caches.create_replication_group(
            ReplicationGroupId="carts",
            ReplicationGroupDescription="sharded",
            NumNodeGroups=2,
            ReplicasPerNodeGroup=1,
            ClusterMode="enabled",
            CacheNodeType="cache.t4g.small",
        )
        members = [("sessions", f"sessions-00{number}") for number in (1, 2)]
        members += [("carts", f"carts-000{shard}-001") for shard in (1, 2)]
        for group, cluster in members:
            caches.create_cache_cluster(
                CacheClusterId=cluster, ReplicationGroupId=group, Engine="redis", CacheNodeType="cache.r7g.large"
            )
        caches.create_cache_cluster(
            CacheClusterId="alone",
            Engine="redis",
            EngineVersion="7.1",
            CacheNodeType="cache.t4g.small",
            SnapshotRetentionLimit=3,
            Tags=[{"Key": "team", "Value": "lone"}],
        )
        caches.create_cache_cluster(
            CacheClusterId="plain", Engine="memcached", NumCacheNodes=2, CacheNodeType="cache.t4g.small"
        )
        self.newest = int(time.time()) // 60 * 60 - 180

    def put(self, metric: str, dimensions: dict[str, str], values: list[float], unit: str, step: int = 60) -> None:
        """One datapoint a period, the last in the newest finished one."""
        last = self.newest // step * step - (step if step > 60 else 0)
        put(self.cloudwatch, ("AWS/ElastiCache", metric), dimensions, values, last, period=step, unit=unit)


def test_once_against_moto(moto: str, tmp_path: Any) -> None:
    """Facts and datapoints come back as they were put, each level apart; what moto lacks fails alone and is named."""
    estate = Estate(moto)
    primary = {"CacheClusterId": "sessions-001", "CacheNodeId": "0001"}
    shard_primary = {"CacheClusterId": "carts-0002-001", "CacheNodeId": "0001"}
    alone = {"CacheClusterId": "alone", "CacheNodeId": "0001"}
    say = estate.put
    say("DatabaseMemoryUsagePercentage", primary, [41.0, 42.5], "Percent")
    say("EngineCPUUtilization", primary, [10.0, 20.0, 60.0], "Percent")
    say("EngineCPUUtilization", {"ReplicationGroupId": "carts"}, [10.0, 50.0], "Percent")
    say("EngineCPUUtilization", {"ReplicationGroupId": "carts", "NodeGroupId": "0002"}, [70.0], "Percent")
    say("EngineCPUUtilization", {"CacheClusterId": "sessions-001"}, [99.0], "Percent")  # the level that we do not ask
    say("IsMaster", primary, [0.0, 1.0], "Count")
    say("IsMaster", shard_primary, [1.0, 0.0], "Count")
    say("ReplicationLag", primary, [3.0], "Seconds")  # a primary's: never asked
    say("ReplicationLag", shard_primary, [0.002, 0.25, 0.001], "Seconds")
    say("Evictions", primary, [600.0, 0.0, 66.0], "Count")
    say("CurrConnections", primary, [10.0, 300.0, 20.0], "Count")
    say("TrafficManagementActive", primary, [0.0, 1.0, 0.0, 0.0], "None")
    say("FreeableMemory", primary, [5e9, 3e9, 4e9], "Bytes")
    say("SuccessfulReadRequestLatency", primary, [150.0, 420.0], "Microseconds")
    say("HashBasedCmdsLatency", primary, [12.0, 8.0], "Microseconds")
    say("HashBasedCmds", primary, [120.0, 240.0], "Count")
    say("NetworkBandwidthOutAllowanceExceeded", alone, [30.0, 0.0], "Count")
    say("CPUCreditBalance", alone, [100.0, 90.0], "Count", 300)

    code, answer, stderr = once(moto, tmp_path, config=CONFIG)

    values = values_of(answer, "aws_elasticache_")

    scope = {"account_id": "123456789012", "region": REGION, "cache_node_id": "0001"}
    node = {**scope, "replication_group_id": "sessions", "cache_cluster_id": "sessions-001"}
    sharded = {**scope, "replication_group_id": "carts", "cache_cluster_id": "carts-0002-001"}
    lone = {**scope, "replication_group_id": "", "cache_cluster_id": "alone"}
    sessions, carts = {"replication_group_id": "sessions"}, {"replication_group_id": "carts"}
    expected: list[tuple[str, dict[str, str], float]] = [
        ("node_memory_usage_ratio", node, 0.425),
        ("node_engine_cpu_utilization_ratio", node, 0.3),
        ("node_is_primary", node, 1),
        ("node_is_primary", sharded, 0),
        ("node_replication_lag_seconds", sharded, 0.25),
        ("node_evictions_per_second", node, 666 / 3 / 60),
        ("node_connections", node, 300),
        ("node_traffic_management_active", node, 0.25),
        ("node_freeable_memory_bytes", node, 3e9),
        ("node_read_latency_seconds", node, 420e-6),
        ("node_read_latency_maximum_seconds", node, 420e-6),
        ("node_hash_commands_latency_seconds", node, 12e-6),
        ("node_hash_commands_per_second", node, 3),
        ("node_network_bandwidth_out_allowance_exceeded_per_second", lone, 0.25),
        ("node_cpu_credit_balance_seconds", lone, 5400),
        ("replication_group_engine_cpu_utilization_ratio", carts, 0.3),
        ("replication_group_shard_engine_cpu_utilization_ratio", {**carts, "node_group_id": "0002"}, 0.7),
        ("replication_group_members", sessions, 2),
        ("replication_group_shards", carts, 2),
        ("replication_group_shard_members", {**carts, "node_group_id": "0001"}, 2),
        ("replication_group_multi_az_enabled", sessions, 1),
        ("replication_group_multi_az_enabled", carts, 0),
        ("replication_group_automatic_failover_enabled", sessions, 1),
        ("replication_group_at_rest_encryption_enabled", sessions, 1),
        ("replication_group_transit_encryption_required", sessions, 1),
        ("replication_group_transit_encryption_required", carts, 0),
        ("replication_group_auth_token_enabled", carts, 0),
        ("replication_group_backups_enabled", sessions, 1),
        ("replication_group_backups_enabled", carts, 0),
        ("replication_group_snapshot_retention_seconds", sessions, 7 * 86400),
        ("replication_group_log_delivery_active", {**sessions, "log_type": "slow-log"}, 0),
        ("cluster_snapshot_retention_seconds", {"cache_cluster_id": "alone"}, 3 * 86400),
        ("node_role_info", {**node, "role": "primary"}, 1),
        ("node_role_info", {"cache_cluster_id": "sessions-002", "role": "replica"}, 1),
        ("node_shard_info", {**node, "node_group_id": "0001"}, 1),
        ("replication_group_info", {**sessions, "kms_key_id": KEY, "tag_team": 'pay"ments\\\n€'}, 1),
        ("node_info", {**node, "node_type": "cache.r7g.large", "tag_team": 'pay"ments\\\n€'}, 1),
        ("node_info", {**lone, "engine_version": "7.1", "tag_team": "lone"}, 1),
        ("cluster_info", {"cache_cluster_id": "plain", "engine": "memcached"}, 1),
    ]
    for name, labels, value in expected:
        found = values(name, **labels)
        assert len(found) == 1, (name, labels, found)
        assert math.isclose(found[0], value, rel_tol=1e-12), (name, found, value)

    newest = values("node_newest_datapoint_timestamp_seconds", **node)
    assert newest == [estate.newest + 60]
    # Nobody said these, so nobody shows them.
    assert values("node_replication_lag_seconds", **node) == []
    assert values("node_memory_usage_ratio", **lone) == []
    assert values("node_role_info", **sharded) == []  # cluster mode enabled: AWS does not tell roles
    assert values("cluster_nodes", cache_cluster_id="plain") == []
    assert values("replication_group_last_snapshot_timestamp_seconds") == []

    failed = {each["operation"] for each in answer["failures"]}
    assert failed == LACKING
    assert code == 1
    for operation in failed:
        assert f": {operation}: " in stderr
