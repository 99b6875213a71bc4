"""Events of ElastiCache: which class a text is of, and what is remembered. The texts are AWS's (sources there)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.services.elasticache_events import CLASSES, KEPT, class_of, remember, source_of

T = 1_790_000_000

TEXTS = [
    # API Reference, TestFailover: before and since 2024
    ("Test Failover API called for node group 0001", "failover-started"),
    ("Failover from master node sessions-001 to replica node sessions-002 completed", "failover-complete"),
    ("Failover from primary node sessions-001 to replica node sessions-002 completed", "failover-complete"),
    ("Recovering cache nodes 0001", "node-recovery-started"),
    ("Finished recovery for cache nodes 0001", "node-recovery-complete"),
    # API Reference, DescribeEvents
    (
        "Snapshot succeeded for snapshot with ID 'cr-bkup' of replication group with ID 'clustered-redis'",
        "snapshot-complete",
    ),
    ("Added cache node 0001 in availability zone us-east-1e", "node-added"),
    ("Cache cluster created", "created"),
    # User Guide, Event Notifications and Amazon SNS: texts
    ("Finished modifying number of nodes from 2 to 3", "scaling-complete"),
    ("Failed to modify number of nodes from 2 to 3 due to insufficient free IP addresses", "node-addition-failed"),
    ("Updated parameter maxmemory-policy to allkeys-lru", "modified"),
    ("Updated to use a CacheParameterGroup default.valkey8", "modified"),
    ("Failed to create the cache cluster due to incompatible network state", "creation-failed"),
    ("Succeeded applying modification to cache node type to cache.r7g.large.", "scaling-complete"),
    ("Failed applying modification to cache node type to cache.r7g.large.", "scaling-failed"),
    ("Applied change to security group", "modified"),
    ("Cache node 0001 shutdown", "node-restarted"),
    ("Cache node 0001 restarted", "node-restarted"),
    ("Cache cluster deleted", "deleted"),
    ("Failover to replica node sessions-002 completed", "failover-complete"),
    (
        (
            "The replacement for Cache Cluster ID: a, Node ID: 0001 scheduled during the maintenance window from Start "
            "Time: x, End Time: y has been canceled"
        ),
        "maintenance-canceled",
    ),
    (
        (
            "The replacement in maintenance window for node with Cache Cluster ID: a, Node ID: 0001 has re-scheduled "
            "from Previous Start Time: x, Previous End Time: y to New Start Time: z, New End Time: w"
        ),
        "maintenance-rescheduled",
    ),
    (
        (
            "The node with Cache Cluster ID: a, Node ID: 0001 is scheduled for replacement during the maintenance "
            "window from Start Time: x, End Time: y"
        ),
        "maintenance-scheduled",
    ),
    ("Removed cache nodes 0002", "node-removed"),
    ("Snapshot succeeded for snapshot with ID 's' of cache cluster with ID 'c'", "snapshot-complete"),
    ("Snapshot failed for snapshot with ID 's' of cache cluster with ID 'c'", "snapshot-failed"),
    ("Service update is available for cache node 0001.", "service-update"),
    # … and SNS names
    ("ElastiCache:AddCacheNodeComplete : sessions", "node-added"),
    ("ElastiCache:AddCacheNodeFailed : sessions", "node-addition-failed"),
    ("ElastiCache:CacheClusterParametersChanged : sessions", "modified"),
    ("ElastiCache:CacheClusterProvisioningComplete sessions-0001-005", "created"),
    ("ElastiCache:CacheClusterProvisioningFailed : sessions", "creation-failed"),
    ("ElastiCache:CacheClusterScalingComplete : sessions", "scaling-complete"),
    ("ElastiCache:CacheClusterScalingFailed : sessions", "scaling-failed"),
    ("ElastiCache:CacheClusterSecurityGroupModified : sessions", "modified"),
    ("ElastiCache:CacheNodeReplaceStarted : sessions", "node-recovery-started"),
    ("ElastiCache:CacheNodeReplaceComplete : sessions", "node-recovery-complete"),
    ("ElastiCache:CacheNodesRebooted : sessions", "node-restarted"),
    ("ElastiCache:CertificateRenewalComplete", "certificate-renewed"),
    ("ElastiCache:CreateReplicationGroupComplete : sessions", "created"),
    ("ElastiCache:DeleteCacheClusterComplete : sessions", "deleted"),
    ("ElastiCache:FailoverComplete : sessions", "failover-complete"),
    ("ElastiCache:ReplicationGroupIncreaseReplicaCountStarted : sessions-0003-004", "scaling-started"),
    ("ElastiCache:ReplicationGroupIncreaseReplicaCountFinished : sessions-0001-005", "scaling-complete"),
    ("ElastiCache:NodeReplacementCanceled : sessions", "maintenance-canceled"),
    ("ElastiCache:NodeReplacementRescheduled : sessions", "maintenance-rescheduled"),
    ("ElastiCache:NodeReplacementScheduled : sessions", "maintenance-scheduled"),
    ("ElastiCache:RemoveCacheNodeComplete : sessions", "node-removed"),
    ("ElastiCache:ReplicationGroupScalingComplete : sessions", "scaling-complete"),
    ("ElastiCache:ReplicationGroupScalingFailed : sessions", "scaling-failed"),
    ("ElastiCache:ServiceUpdateAvailableForNode : sessions", "service-update"),
    ("ElastiCache:SnapshotComplete : sessions", "snapshot-complete"),
    ("SnapshotFailed : sessions", "snapshot-failed"),
    # User Guide, serverless events
    ("Cache carts is created and ready to use.", "created"),
    ("Cache carts is created and data was restored from snapshot. Your cache is ready to use.", "created"),
    ("Failed to create cache carts. Insufficient free IP addresses to create VPC endpoint.", "creation-failed"),
    (
        "Failed to create cache carts.\nData restoration from snapshot failed because failed to retrieve file from S3.",
        "creation-failed",
    ),
    ("SecurityGroups updated for the cache carts.", "modified"),
    ("Tags updated for the cache carts.", "modified"),
    ("Limits updated for the cache carts.", "modified"),
    ("An update to the cache carts failed. SecurityGroups update failed.", "modification-failed"),
    ("A limit update to the cache carts failed because the cache was deleted.", "modification-failed"),
    ("A limit update to the cache carts failed due to invalid configuration.", "modification-failed"),
    ("Cache carts was deleted.", "deleted"),
    ("Slot 10 is using more than 90% of the per-slot limit of 32 GB.", "slot-limit"),
    ("Snapshot nightly created for cache carts.", "snapshot-complete"),
    (
        (
            "Failed to create snapshot for cache carts.\nSnapshot nightly creation failed with Customer Managed Key k "
            "because Customer Managed Key is disabled"
        ),
        "snapshot-failed",
    ),
    (
        (
            "Failed to export snapshot for cache carts.\nCould not export snapshot to bucket b because ElastiCache "
            "does not have permissions to the bucket."
        ),
        "snapshot-failed",
    ),
    ("Failed to copy snapshot nightly.\nCould not copy snapshot 'a' to snapshot 'b'", "snapshot-failed"),
    # the same said shorter
    ("Replication group created", "created"),
    ("Replication group deleted", "deleted"),
    ("Cache carts created", "created"),
    ("Snapshot succeeded for snapshot with ID 'automatic.sessions' of node 0001", "snapshot-complete"),
    # what nobody documented
    ("Failed to do something new", "failure"),
    ("Something new happened", "other"),
    ("", "other"),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS, ids=[text[:60] for text, _ in TEXTS])
def test_class_of(text: str, expected: str) -> None:
    """Each of AWS's texts has its class, and none of those meant to be known is left to `other`."""
    assert class_of(text) == expected


def test_every_class_has_a_text() -> None:
    """No class without one of AWS's texts, and the classes are the label's whole range."""
    assert {expected for _, expected in TEXTS} == set(CLASSES)


def event(at: int | None, source: str, message: str, kind: str = "cache-cluster") -> dict[str, Any]:
    item: dict[str, Any] = {"SourceIdentifier": source, "SourceType": kind, "Message": message}
    return item if at is None else {**item, "Date": datetime.fromtimestamp(at, UTC)}


def test_newest_of_each_class_stays() -> None:
    """The newest of a class of a source counts, whatever the order; other classes and sources stand beside it."""
    first = remember(
        {},
        [
            event(T - 50, "a", "Recovering cache nodes 0001"),
            event(T - 90, "a", "Recovering cache nodes 0001"),
            event(T - 40, "b", "Recovering cache nodes 0001"),
            event(T - 30, "a", "Finished recovery for cache nodes 0001"),
            event(None, "a", "Cache cluster deleted"),
        ],
        T,
    )
    assert first == {
        ("cache-cluster", "a", "node-recovery-started"): T - 50,
        ("cache-cluster", "b", "node-recovery-started"): T - 40,
        ("cache-cluster", "a", "node-recovery-complete"): T - 30,
    }
    again = remember(first, [event(T - 60, "a", "Recovering cache nodes 0001")], T)
    assert again == first


def test_events_end_when_aws_forgets_them() -> None:
    """Fourteen days, to the second."""
    known = {("cache-cluster", "a", "created"): T - KEPT, ("cache-cluster", "b", "created"): T - KEPT - 1}
    assert remember(known, [], T) == {("cache-cluster", "a", "created"): T - KEPT}


def test_a_daily_snapshot_makes_no_daily_series() -> None:
    """Events of a serverless cache's snapshots are the cache's, where the text names it."""
    kind = "serverless-cache-snapshot"
    assert source_of(event(T, "nightly-1", "Snapshot nightly-1 created for cache carts.", kind)) == "carts"
    assert source_of(event(T, "nightly-1", "Failed to copy snapshot nightly-1.", kind)) == "nightly-1"
    assert source_of(event(T, "carts", "Cache carts was deleted.", "serverless-cache")) == "carts"
