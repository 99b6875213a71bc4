"""ElastiCache of the simulated AWS over its wire, read by plain boto3: shapes, pages, filters, errors, life."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exporter.demo import DemoServer, World, WorldClock, run_in_thread
from exporter.demo.nouns import uuid_of
from exporter.demo.tables import AWKWARD_TAGS
from tests.demo_caches import clusters, groups
from tests.demo_clients import NOW, client, refused

ARN = "arn:aws:elasticache:ap-southeast-3:123456789012"
KEY = f"arn:aws:kms:ap-southeast-3:123456789012:key/{uuid_of(1, 'elasticache-key')}"


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with run_in_thread(World(1, WorldClock(NOW))) as running:
        yield running


@pytest.fixture(scope="module")
def cache(server: DemoServer) -> Iterator[Any]:
    made = client(server, "elasticache")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _calm(server: DemoServer) -> None:
    server.faults.clear()


# --- shapes ----------------------------------------------------------------------------------------------------------


def test_every_node_is_a_cache_cluster(cache: Any) -> None:
    """Valkey's nodes each are a cluster with the node 0001; Memcached is one cluster of two nodes."""
    found = clusters(cache)
    assert len(found) == 16
    for name, item in found.items():
        nodes = [node["CacheNodeId"] for node in item["CacheNodes"]]
        assert nodes == (["0001", "0002"] if name == "page-fragments" else ["0001"])
        assert item["NumCacheNodes"] == len(nodes)
        assert item["CacheClusterStatus"] == "available"
        assert item["ARN"] == f"{ARN}:cluster:{name}"
        assert item["CacheParameterGroup"]["CacheParameterGroupName"]
        assert all(node["CustomerAvailabilityZone"].startswith("ap-southeast-3") for node in item["CacheNodes"])
    assert {item["Engine"] for item in found.values()} == {"valkey", "memcached"}


def test_nodes_are_shown_on_request_only(cache: Any) -> None:
    """Without ShowCacheNodeInfo there are no nodes in the answer."""
    answer = cache.describe_cache_clusters()["CacheClusters"]
    assert [item.get("CacheNodes") for item in answer] == [None] * 16


def test_clusters_outside_of_groups(cache: Any) -> None:
    """The filter leaves the node alone and Memcached."""
    answer = cache.describe_cache_clusters(ShowCacheClustersNotInReplicationGroups=True)["CacheClusters"]
    assert [item["CacheClusterId"] for item in answer] == ["feature-flags", "page-fragments"]
    assert all("ReplicationGroupId" not in item for item in answer)


def test_a_node_alone_without_any_encryption(cache: Any) -> None:
    """No group, no encryption, no authentication."""
    item = clusters(cache, CacheClusterId="feature-flags")["feature-flags"]
    names = ("AtRestEncryptionEnabled", "TransitEncryptionEnabled", "AuthTokenEnabled")
    assert [item[name] for name in names] == [False] * 3
    assert "TransitEncryptionMode" not in item
    assert "AuthTokenLastModifiedDate" not in item


def test_a_group_with_everything(cache: Any) -> None:
    """Cluster mode disabled: roles, endpoints, Multi-AZ, the customer's key, the token, snapshots, logs, datastore."""
    item = groups(cache)["sessions"]
    assert (item["MultiAZ"], item["AutomaticFailover"], item["ClusterEnabled"]) == ("enabled", "enabled", False)
    assert (item["AtRestEncryptionEnabled"], item["KmsKeyId"], item["StorageEncryptionType"]) == (True, KEY, "sse-kms")
    assert (item["TransitEncryptionEnabled"], item["TransitEncryptionMode"]) == (True, "required")
    assert item["AuthTokenEnabled"]
    assert item["AuthTokenLastModifiedDate"].year == 2026
    assert (item["SnapshotRetentionLimit"], item["SnapshotWindow"]) == (7, "19:00-20:00")
    assert item["SnapshottingClusterId"] == "sessions-002"
    assert item["GlobalReplicationGroupInfo"]["GlobalReplicationGroupMemberRole"] == "PRIMARY"
    assert item["MemberClusters"] == ["sessions-001", "sessions-002", "sessions-003"]
    assert "ConfigurationEndpoint" not in item
    (shard,) = item["NodeGroups"]
    assert [part["CurrentRole"] for part in shard["NodeGroupMembers"]] == ["primary", "replica", "replica"]
    assert shard["PrimaryEndpoint"]["Address"].startswith("master.sessions.")
    assert shard["ReaderEndpoint"]["Address"].startswith("replica.sessions.")
    assert shard["PrimaryEndpoint"]["Port"] == 6379
    assert shard["PrimaryEndpoint"]["Address"].endswith(".apse3.cache.amazonaws.com")
    kinds = {part["LogType"]: part for part in item["LogDeliveryConfigurations"]}
    assert kinds["slow-log"]["DestinationDetails"]["CloudWatchLogsDetails"]["LogGroup"]
    assert kinds["engine-log"]["DestinationDetails"]["KinesisFirehoseDetails"]["DeliveryStream"]


def test_a_group_with_shards(cache: Any) -> None:
    """Cluster mode enabled: three shards of two with slots, a configuration endpoint, no CurrentRole."""
    item = groups(cache)["catalog"]
    assert (item["ClusterEnabled"], item["ClusterMode"], item["UserGroupIds"]) == (True, "enabled", ["catalog-users"])
    assert (item["Durability"], item["EffectiveDurability"]) == ("async", "async")
    assert [part["NodeGroupId"] for part in item["NodeGroups"]] == ["0001", "0002", "0003"]
    assert [part["Slots"] for part in item["NodeGroups"]] == ["0-5461", "5462-10922", "10923-16383"]
    members = [member for part in item["NodeGroups"] for member in part["NodeGroupMembers"]]
    assert len(members) == 6
    assert not any("CurrentRole" in member for member in members)
    assert item["ConfigurationEndpoint"]["Address"].startswith("clustercfg.catalog.")


def test_weak_tiered_and_small_groups(cache: Any) -> None:
    """One without failover, with `preferred` encryption and an error in its logs; one on SSD; one small node."""
    found = groups(cache)
    weak, tiered, small = found["legacy-queue"], found["profiles"], found["dev-sandbox"]
    assert (weak["MultiAZ"], weak["AutomaticFailover"]) == ("disabled", "disabled")
    assert (weak["TransitEncryptionMode"], weak["AtRestEncryptionEnabled"]) == ("preferred", False)
    assert weak["PendingModifiedValues"] == {"AuthTokenStatus": "SETTING"}
    assert weak["LogDeliveryConfigurations"][0]["Status"] == "error"
    assert (tiered["DataTiering"], tiered["CacheNodeType"]) == ("enabled", "cache.r6gd.xlarge")
    assert (small["CacheNodeType"], len(small["MemberClusters"])) == ("cache.t4g.micro", 1)
    assert small["StorageEncryptionType"] == "sse-elasticache"


def test_serverless_caches_with_and_without_limits(cache: Any) -> None:
    """Limits are there where they were set, and left out where not."""
    answer = cache.describe_serverless_caches()["ServerlessCaches"]
    found = {item["ServerlessCacheName"]: item for item in answer}
    assert found["web-fragments"]["CacheUsageLimits"] == {
        "DataStorage": {"Maximum": 10, "Minimum": 1, "Unit": "GB"},
        "ECPUPerSecond": {"Maximum": 5000, "Minimum": 1000},
    }
    assert "CacheUsageLimits" not in found["events-buffer"]
    assert (found["web-fragments"]["KmsKeyId"], found["web-fragments"]["Status"]) == (KEY, "available")
    assert ".serverless.apse3." in found["web-fragments"]["Endpoint"]["Address"]
    assert found["web-fragments"]["ReaderEndpoint"]["Port"] == 6379
    assert len(found["web-fragments"]["SubnetIds"]) == 3
    assert found["web-fragments"]["SecurityGroupIds"]


def test_tags_survive_the_wire(cache: Any) -> None:
    """Quotes, newlines, markup and Unicode arrive as they are, by ARN of any kind of resource."""
    for kind, name in (("replicationgroup", "catalog"), ("cluster", "catalog-0002-001")):
        tags = cache.list_tags_for_resource(ResourceName=f"{ARN}:{kind}:{name}")["TagList"]
        assert {(item["Key"], item["Value"]) for item in tags} >= set(AWKWARD_TAGS)
    tags = cache.list_tags_for_resource(ResourceName=f"{ARN}:serverlesscache:web-fragments")["TagList"]
    assert {"Key": "team", "Value": "web"} in tags
    assert cache.list_tags_for_resource(ResourceName=f"{ARN}:cluster:dev-sandbox-001")["TagList"] == []
    tags = cache.list_tags_for_resource(ResourceName=f"{ARN}:snapshot:sessions-before-upgrade")["TagList"]
    assert {"Key": "Name", "Value": "sessions"} in tags


# --- snapshots, updates, parameters ----------------------------------------------------------------------------------


def test_snapshots(cache: Any) -> None:
    """One a day while it is kept, and one by hand; a sharded group's has one node snapshot for each shard."""
    answer = cache.describe_snapshots()["Snapshots"]
    assert len(answer) == 7 + 1 + 3 + 1 + 2
    (manual,) = cache.describe_snapshots(SnapshotSource="user")["Snapshots"]
    assert (manual["SnapshotName"], manual["SnapshotSource"]) == ("sessions-before-upgrade", "manual")
    sharded = cache.describe_snapshots(ReplicationGroupId="catalog")["Snapshots"]
    assert [len(item["NodeSnapshots"]) for item in sharded] == [3, 3, 3]
    newest = max(part["SnapshotCreateTime"] for item in sharded for part in item["NodeSnapshots"])
    assert newest == datetime(2026, 8, 22, 18, tzinfo=UTC)
    of_node = cache.describe_snapshots(CacheClusterId="sessions-002", SnapshotSource="system")["Snapshots"]
    assert len(of_node) == 7
    assert {item["SnapshotStatus"] for item in of_node} == {"available"}
    named = cache.describe_snapshots(SnapshotName="sessions-before-upgrade")["Snapshots"]
    assert [item["NodeSnapshots"][0]["CacheSize"].endswith(" MB") for item in named] == [True]


def test_serverless_snapshots(cache: Any) -> None:
    """Five of one cache; the size is a string of bytes, the end is stated."""
    found = cache.describe_serverless_cache_snapshots(ServerlessCacheName="web-fragments")["ServerlessCacheSnapshots"]
    assert len(found) == 5
    for item in found:
        assert (item["SnapshotType"], item["Status"]) == ("automated", "available")
        assert int(item["BytesUsedForCache"]) > 2**30
        assert item["ExpiryTime"] - item["CreateTime"] == timedelta(days=5)
    assert cache.describe_serverless_cache_snapshots(SnapshotType="manual")["ServerlessCacheSnapshots"] == []


def test_update_actions(cache: Any) -> None:
    """One for each cache that has one, filtered by its members; nodes on request."""
    found = cache.describe_update_actions(ShowNodeLevelUpdateStatus=True)["UpdateActions"]
    by_name = {item.get("ReplicationGroupId") or item["CacheClusterId"]: item for item in found}
    assert set(by_name) == {"catalog", "feature-flags", "sessions"}
    sessions = by_name["sessions"]
    assert (sessions["NodesUpdated"], sessions["SlaMet"], sessions["UpdateActionStatus"]) == (
        "1/3",
        "no",
        "in-progress",
    )
    states = [part["NodeUpdateStatus"] for part in sessions["NodeGroupUpdateStatus"][0]["NodeGroupMemberUpdateStatus"]]
    assert states == ["complete", "not-applied", "not-applied"]
    assert by_name["feature-flags"]["CacheNodeUpdateStatus"][0]["NodeUpdateStatus"] == "complete"
    plain = cache.describe_update_actions(ReplicationGroupIds=["catalog"])["UpdateActions"]
    assert [("NodeGroupUpdateStatus" in item, item["SlaMet"]) for item in plain] == [(False, "n/a")]
    assert len(cache.describe_update_actions(UpdateActionStatus=["complete", "in-progress"])["UpdateActions"]) == 2
    assert cache.describe_update_actions(ServiceUpdateName="another")["UpdateActions"] == []


def test_parameters(cache: Any) -> None:
    """The policy and the reserve of each group, over pages; maxmemory by node type once."""
    pages = list(
        cache.get_paginator("describe_cache_parameters").paginate(
            CacheParameterGroupName="legacy-queue-valkey7", PaginationConfig={"PageSize": 20}
        )
    )
    assert [len(page["Parameters"]) for page in pages] == [20, 8]
    assert [len(page["CacheNodeTypeSpecificParameters"]) for page in pages] == [1, 0]
    values = {item["ParameterName"]: item["ParameterValue"] for page in pages for item in page["Parameters"]}
    assert (values["maxmemory-policy"], values["reserved-memory-percent"]) == ("noeviction", "30")
    own = cache.describe_cache_parameters(CacheParameterGroupName="legacy-queue-valkey7", Source="user")["Parameters"]
    assert {item["ParameterName"] for item in own} == {"maxmemory-policy", "reserved-memory-percent"}
    usual = cache.describe_cache_parameters(CacheParameterGroupName="default.valkey8")["Parameters"]
    assert {item["ParameterName"]: item["ParameterValue"] for item in usual}["maxmemory-policy"] == "volatile-lru"
    sizes = pages[0]["CacheNodeTypeSpecificParameters"][0]["CacheNodeTypeSpecificValues"]
    assert {"CacheNodeType": "cache.t4g.micro", "Value": "536870912"} in sizes


# --- pages, errors, faults -------------------------------------------------------------------------------------------

PAGED = [
    ("describe_cache_clusters", "CacheClusters", {}, 16),
    ("describe_replication_groups", "ReplicationGroups", {}, 5),
    ("describe_serverless_caches", "ServerlessCaches", {}, 2),
    ("describe_snapshots", "Snapshots", {}, 14),
    ("describe_serverless_cache_snapshots", "ServerlessCacheSnapshots", {}, 5),
    ("describe_update_actions", "UpdateActions", {}, 3),
    ("describe_events", "Events", {"Duration": 3 * 24 * 60}, 18),
]


@pytest.mark.parametrize(("operation", "member", "given", "number"), PAGED)
def test_pages_hold_everything_once(
    server: DemoServer, cache: Any, operation: str, member: str, given: dict[str, Any], number: int
) -> None:
    """Small pages, followed by Marker or NextToken, give what one page gives."""
    whole = getattr(cache, operation)(**given)[member]
    server.faults.add("small-pages", service="elasticache", size=2)
    pages = list(cache.get_paginator(operation).paginate(**given))
    assert [item for page in pages for item in page[member]] == whole
    assert len(whole) == number
    assert len(pages) == -(-number // 2)


def test_page_sizes_are_checked(cache: Any) -> None:
    """MaxRecords is 20 to 100, to 50 for snapshots; MaxResults to 50; a marker must be one of ours."""
    assert len(cache.describe_serverless_caches(MaxResults=1)["ServerlessCaches"]) == 1
    for call in (
        lambda: cache.describe_cache_clusters(MaxRecords=19),
        lambda: cache.describe_replication_groups(MaxRecords=101),
        lambda: cache.describe_snapshots(MaxRecords=51),
        lambda: cache.describe_serverless_caches(MaxResults=51),
        lambda: cache.describe_cache_clusters(Marker="nonsense"),
    ):
        assert refused(call) == ("InvalidParameterValue", 400)


def test_what_is_not_found(cache: Any) -> None:
    """Each kind of resource has its own code (aws-facts 3.5)."""
    for call, code in (
        (lambda: cache.describe_cache_clusters(CacheClusterId="none"), "CacheClusterNotFound"),
        (lambda: cache.describe_replication_groups(ReplicationGroupId="none"), "ReplicationGroupNotFoundFault"),
        (
            lambda: cache.describe_replication_groups(ReplicationGroupId="feature-flags"),
            "ReplicationGroupNotFoundFault",
        ),
        (lambda: cache.describe_serverless_caches(ServerlessCacheName="none"), "ServerlessCacheNotFoundFault"),
        (lambda: cache.describe_serverless_cache_snapshots(ServerlessCacheName="none"), "ServerlessCacheNotFoundFault"),
        (lambda: cache.describe_snapshots(SnapshotName="none"), "SnapshotNotFoundFault"),
        (lambda: cache.describe_cache_parameters(CacheParameterGroupName="none"), "CacheParameterGroupNotFound"),
        (lambda: cache.list_tags_for_resource(ResourceName=f"{ARN}:cluster:none"), "CacheClusterNotFound"),
        (
            lambda: cache.list_tags_for_resource(ResourceName=f"{ARN}:replicationgroup:x"),
            "ReplicationGroupNotFoundFault",
        ),
        (lambda: cache.list_tags_for_resource(ResourceName=f"{ARN}:serverlesscache:x"), "ServerlessCacheNotFoundFault"),
    ):
        assert refused(call) == (code, 404)
    assert refused(lambda: cache.list_tags_for_resource(ResourceName="sessions")) == ("InvalidARN", 400)


def test_modelled_exceptions(cache: Any) -> None:
    """The codes are those botocore makes its own exceptions of."""
    with pytest.raises(cache.exceptions.CacheClusterNotFoundFault):
        cache.describe_cache_clusters(CacheClusterId="none")
    with pytest.raises(cache.exceptions.ServerlessCacheNotFoundFault):
        cache.describe_serverless_caches(ServerlessCacheName="none")


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle-400", "Throttling", 400),
        ("throttle-503", "Throttling", 503),
        ("error-500", "InternalFailure", 500),
        ("denied", "AccessDenied", 403),
        ("expired", "ExpiredToken", 403),
        ("unknown-operation", "InvalidAction", 400),
    ],
)
def test_faults_as_the_query_dialect_spells_them(
    server: DemoServer, cache: Any, kind: str, code: str, status: int
) -> None:
    """A rule by the name of the service hits its operation and no other."""
    server.faults.add(kind, service="valkey", operation="DescribeCacheClusters")
    assert refused(cache.describe_cache_clusters) == (code, status)
    assert cache.describe_replication_groups()["ReplicationGroups"]


def test_an_account_with_nothing(server: DemoServer, cache: Any) -> None:
    """The fault `empty` answers like an account without caches."""
    server.faults.add("empty", service="elasticache")
    assert cache.describe_cache_clusters()["CacheClusters"] == []
    assert cache.describe_serverless_caches()["ServerlessCaches"] == []


def test_an_operation_that_is_not_there(cache: Any) -> None:
    """What the simulation does not have is refused as AWS refuses an unknown action."""
    assert refused(cache.describe_users) == ("InvalidAction", 400)
