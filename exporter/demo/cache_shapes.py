"""
Caches as ElastiCache's XML shapes them: one tree per resource, with the member names of the API Reference.

Lists are written by `write`, which knows how ElastiCache names the items of each list (the API's model; a client finds
nothing under another name). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exporter.demo import cache_rows
from exporter.demo.cache_snapshots import CacheSnapshot
from exporter.demo.caches import (
    PORT,
    Cache,
    CacheNode,
    LogDelivery,
    ServerlessCache,
    host,
    short_region,
)
from exporter.demo.wire import iso, xml
from exporter.demo.world import World

Tree = dict[str, Any]
MEMCACHED_PORT = 11211

_ITEMS = {
    "CacheClusters": "CacheCluster",
    "CacheNodes": "CacheNode",
    "CacheSecurityGroups": "CacheSecurityGroup",
    "CacheNodeIdsToReboot": "CacheNodeId",
    "ReplicationGroups": "ReplicationGroup",
    "MemberClusters": "ClusterId",
    "NodeGroups": "NodeGroup",
    "NodeGroupMembers": "NodeGroupMember",
    "LogDeliveryConfigurations": "LogDeliveryConfiguration",
    "SecurityGroupIds": "SecurityGroupId",
    "SubnetIds": "SubnetId",
    "Snapshots": "Snapshot",
    "NodeSnapshots": "NodeSnapshot",
    "ServerlessCacheSnapshots": "ServerlessCacheSnapshot",
    "UpdateActions": "UpdateAction",
    "NodeGroupUpdateStatus": "NodeGroupUpdateStatus",
    "NodeGroupMemberUpdateStatus": "NodeGroupMemberUpdateStatus",
    "CacheNodeUpdateStatus": "CacheNodeUpdateStatus",
    "Events": "Event",
    "Parameters": "Parameter",
    "CacheNodeTypeSpecificParameters": "CacheNodeTypeSpecificParameter",
    "CacheNodeTypeSpecificValues": "CacheNodeTypeSpecificValue",
    "TagList": "Tag",
}


def write(tree: Any, item: str = "member") -> str:
    """The XML of a tree; the items of a list under the name the API gives them, ``member`` where it gives none."""
    if isinstance(tree, Mapping):
        return "".join(
            f"<{name}>{write(part, _ITEMS.get(name, 'member'))}</{name}>"
            for name, part in tree.items()
            if part is not None
        )
    if isinstance(tree, list | tuple):
        return "".join(f"<{item}>{write(part)}</{item}>" for part in tree)
    return xml(tree)


def arn(world: World, kind: str, name: str) -> str:
    """The ARN of a resource; `kind` such as ``cluster``, ``replicationgroup``, ``serverlesscache``."""
    return f"arn:aws:elasticache:{world.region}:{world.account_id}:{kind}:{name}"


def _place(world: World) -> tuple[str, str]:
    return host(world.seed, world.account_id, world.region), f"{short_region(world.region)}.cache.amazonaws.com"


def _endpoint(address: str, port: int = PORT) -> Tree:
    return {"Address": address, "Port": port}


def node_address(world: World, cache: Cache, node: CacheNode) -> str:
    """The host name of one node."""
    letters, domain = _place(world)
    if not cache.grouped or not cache.transit or cache.transit_mode == "preferred":
        return f"{node.cluster_id}.{letters}.{node.node_id}.{domain}"
    if cache.sharded:
        return f"{node.cluster_id}.{cache.name}.{letters}.{domain}"
    return f"{node.cluster_id}.{cache.name}.{letters}.{domain}"


def _role_endpoints(world: World, cache: Cache) -> tuple[str, str]:
    """Primary and reader endpoint of a group with cluster mode disabled."""
    letters, domain = _place(world)
    if cache.transit and cache.transit_mode == "required":
        return f"master.{cache.name}.{letters}.{domain}", f"replica.{cache.name}.{letters}.{domain}"
    return f"{cache.name}.{letters}.ng.0001.{domain}", f"{cache.name}-ro.{letters}.ng.0001.{domain}"


def _configuration(world: World, cache: Cache) -> Tree | None:
    letters, domain = _place(world)
    if not cache.keeps_data:
        return _endpoint(f"{cache.name}.{letters}.cfg.{domain}", MEMCACHED_PORT)
    return _endpoint(f"clustercfg.{cache.name}.{letters}.{domain}") if cache.sharded else None


def _logs(logs: tuple[LogDelivery, ...]) -> list[Tree]:
    return [
        {
            "LogType": item.kind,
            "DestinationType": "kinesis-firehose" if item.firehose else "cloudwatch-logs",
            "DestinationDetails": {"KinesisFirehoseDetails": {"DeliveryStream": item.target}}
            if item.firehose
            else {"CloudWatchLogsDetails": {"LogGroup": item.target}},
            "LogFormat": item.format,
            "Status": item.status,
            "Message": item.message or None,
        }
        for item in logs
    ]


def cluster(world: World, cache: Cache, nodes: list[CacheNode], *, with_nodes: bool) -> Tree:
    """
    One cache cluster: a node of Valkey, or all nodes of a Memcached cluster.

    Args:
        nodes: of the same cluster id.

        with_nodes: ShowCacheNodeInfo.
    """
    now, first = world.now(), nodes[0]
    states = {item.state(now) for item in nodes}
    busy = cache.state(now)
    state = next((word for word in ("creating", "deleting") if states == {word}), busy)
    if "rebooting" in states:
        state = "rebooting cluster nodes"
    security, _ = cache_rows.network(world.seed, world.account_id, world.region)
    port = PORT if cache.keeps_data else MEMCACHED_PORT
    made = state != "creating"
    shown = [
        {
            "CacheNodeId": item.node_id,
            "CacheNodeStatus": item.state(now),
            "CacheNodeCreateTime": iso(item.created),
            "Endpoint": _endpoint(node_address(world, cache, item), port),
            "ParameterGroupStatus": "in-sync",
            "CustomerAvailabilityZone": item.zone,
        }
        for item in nodes
    ]
    return {
        "CacheClusterId": first.cluster_id,
        "ConfigurationEndpoint": None if cache.keeps_data else _configuration(world, cache),
        "ClientDownloadLandingPage": f"https://console.aws.amazon.com/elasticache/home?region={world.region}"
        "#client-download:",
        "CacheNodeType": cache.node_type,
        "Engine": cache.engine,
        "EngineVersion": cache.version,
        "CacheClusterStatus": state,
        "NumCacheNodes": len(nodes),
        "PreferredAvailabilityZone": first.zone if len({item.zone for item in nodes}) == 1 else "Multiple",
        "CacheClusterCreateTime": iso(first.created) if made else None,
        "PreferredMaintenanceWindow": cache.maintenance,
        "PendingModifiedValues": dict(cache.pending),
        "CacheSecurityGroups": [],
        "CacheParameterGroup": {
            "CacheParameterGroupName": cache.parameter_group,
            "ParameterApplyStatus": "in-sync",
            "CacheNodeIdsToReboot": [],
        },
        "CacheSubnetGroupName": "production",
        "CacheNodes": shown if with_nodes and made else None,
        "AutoMinorVersionUpgrade": True,
        "SecurityGroups": [{"SecurityGroupId": security, "Status": "active"}],
        "ReplicationGroupId": cache.name if cache.grouped else None,
        "SnapshotRetentionLimit": _retention(cache, first, now) if cache.keeps_data else None,
        "SnapshotWindow": cache.snapshot_window or None,
        "AuthTokenEnabled": cache.auth_token,
        "AuthTokenLastModifiedDate": iso(cache.auth_modified) if cache.auth_token else None,
        "TransitEncryptionEnabled": cache.transit,
        "AtRestEncryptionEnabled": cache.at_rest,
        "ARN": arn(world, "cluster", first.cluster_id),
        "ReplicationGroupLogDeliveryEnabled": bool(cache.grouped and cache.logs),
        "LogDeliveryConfigurations": [] if cache.grouped else _logs(cache.logs),
        "NetworkType": "ipv4",
        "IpDiscovery": "ipv4",
        "TransitEncryptionMode": cache.transit_mode or None,
    }


def _retention(cache: Cache, node: CacheNode, now: float) -> int:
    """Of a group, only the node that snapshots are taken of says how long they are kept."""
    taken = not cache.grouped or cache.snapshot_source(node.shard, now) == node.cluster_id
    return cache.retention if taken else 0


def replication_group(world: World, cache: Cache) -> Tree:
    """One replication group; `CurrentRole` only where cluster mode is disabled (aws-facts 3.5)."""
    now = world.now()
    members = cache.members(now)
    world_info: Tree = {}
    if cache.global_id:
        world_info = {
            "GlobalReplicationGroupId": cache.global_id,
            "GlobalReplicationGroupMemberRole": cache.global_role,
        }
    source = cache.snapshot_source(cache.shards()[0], now) if cache.retention and not cache.sharded else None
    return {
        "ReplicationGroupId": cache.name,
        "Description": cache.description,
        "GlobalReplicationGroupInfo": world_info,
        "Status": cache.state(now),
        "PendingModifiedValues": dict(cache.pending),
        "MemberClusters": sorted(item.cluster_id for item in members),
        "NodeGroups": [_node_group(world, cache, shard, members) for shard in cache.shards()],
        "SnapshottingClusterId": source,
        "AutomaticFailover": cache.automatic_failover,
        "MultiAZ": cache.multi_az,
        "ConfigurationEndpoint": _configuration(world, cache),
        "SnapshotRetentionLimit": cache.retention,
        "SnapshotWindow": cache.snapshot_window or None,
        "ClusterEnabled": cache.sharded,
        "CacheNodeType": cache.node_type,
        "AuthTokenEnabled": cache.auth_token,
        "AuthTokenLastModifiedDate": iso(cache.auth_modified) if cache.auth_token else None,
        "TransitEncryptionEnabled": cache.transit,
        "AtRestEncryptionEnabled": cache.at_rest,
        "KmsKeyId": cache.kms_key_id or None,
        "StorageEncryptionType": "sse-kms" if cache.kms_key_id else "sse-elasticache" if cache.at_rest else "none",
        "ARN": arn(world, "replicationgroup", cache.name),
        "UserGroupIds": list(cache.user_groups) or None,
        "LogDeliveryConfigurations": _logs(cache.logs),
        "ReplicationGroupCreateTime": iso(cache.created),
        "DataTiering": "enabled" if cache.data_tiering else "disabled",
        "AutoMinorVersionUpgrade": True,
        "NetworkType": "ipv4",
        "IpDiscovery": "ipv4",
        "TransitEncryptionMode": cache.transit_mode or None,
        "ClusterMode": "enabled" if cache.sharded else "disabled",
        "Engine": cache.engine,
        "Durability": cache.durability,
        "EffectiveDurability": cache.durability if cache.durable else "disabled",
    }


def _node_group(world: World, cache: Cache, shard: str, members: list[CacheNode]) -> Tree:
    now = world.now()
    primary, reader = _role_endpoints(world, cache)
    state = cache.state(now)
    return {
        "NodeGroupId": shard,
        "Status": state,
        "PrimaryEndpoint": None if cache.sharded else _endpoint(primary),
        "ReaderEndpoint": None if cache.sharded else _endpoint(reader),
        "Slots": dict(cache.slots).get(shard),
        "NodeGroupMembers": [
            {
                "CacheClusterId": item.cluster_id,
                "CacheNodeId": item.node_id,
                "ReadEndpoint": None if cache.sharded else _endpoint(node_address(world, cache, item)),
                "PreferredAvailabilityZone": item.zone,
                "CurrentRole": None if cache.sharded else "primary" if cache.leads(item, now) else "replica",
            }
            for item in members
            if item.shard == shard
        ],
    }


def serverless(world: World, cache: ServerlessCache) -> Tree:
    """One serverless cache; limits that were not set are left out."""
    letters, domain = _place(world)
    security, subnets = cache_rows.network(world.seed, world.account_id, world.region)
    limits: Tree = {}
    if cache.data_maximum or cache.data_minimum:
        limits["DataStorage"] = {
            "Maximum": cache.data_maximum or None,
            "Minimum": cache.data_minimum or None,
            "Unit": "GB",
        }
    if cache.ecpu_maximum or cache.ecpu_minimum:
        limits["ECPUPerSecond"] = {"Maximum": cache.ecpu_maximum or None, "Minimum": cache.ecpu_minimum or None}
    address = f"{cache.name}-{letters}.serverless.{domain}"
    ready = cache.state(world.now()) != "creating"
    return {
        "ServerlessCacheName": cache.name,
        "Description": cache.description,
        "CreateTime": iso(cache.created),
        "Status": cache.state(world.now()),
        "Engine": cache.engine,
        "MajorEngineVersion": cache.major,
        "FullEngineVersion": cache.full,
        "CacheUsageLimits": limits or None,
        "KmsKeyId": cache.kms_key_id or None,
        "StorageEncryptionType": "sse-kms" if cache.kms_key_id else "sse-elasticache",
        "SecurityGroupIds": [security],
        "Endpoint": _endpoint(address) if ready else None,
        "ReaderEndpoint": _endpoint(address) if ready else None,
        "ARN": arn(world, "serverlesscache", cache.name),
        "UserGroupId": cache.user_group or None,
        "SubnetIds": list(subnets),
        "SnapshotRetentionLimit": cache.retention,
        "DailySnapshotTime": cache.snapshot_time or None,
        "NetworkType": "ipv4",
        "ConnectionType": "vpc",
    }


def snapshot(world: World, cache: Cache, item: CacheSnapshot) -> Tree:
    """One snapshot of a replication group or cluster: a node snapshot for each shard."""
    started = item.started
    sources = [cache.snapshot_source(shard, started) for shard in cache.shards() or [""]]
    nodes = {node.cluster_id: node for node in cache.nodes}
    size = int(cache.load.level * cache.maxmemory / 2**20)
    first = nodes.get(sources[0]) or cache.nodes[0]
    whole = cache.grouped and cache.sharded
    return {
        "SnapshotName": item.name,
        "ReplicationGroupId": cache.name if whole else None,
        "ReplicationGroupDescription": cache.description if whole else None,
        "CacheClusterId": None if whole else first.cluster_id,
        "SnapshotStatus": item.status,
        "SnapshotSource": "automated" if item.automated else "manual",
        "CacheNodeType": cache.node_type,
        "Engine": cache.engine,
        "EngineVersion": cache.version,
        "NumCacheNodes": 1,
        "PreferredAvailabilityZone": None if whole else first.zone,
        "CacheClusterCreateTime": None if whole else iso(first.created),
        "PreferredMaintenanceWindow": cache.maintenance,
        "Port": PORT,
        "CacheParameterGroupName": cache.parameter_group,
        "CacheSubnetGroupName": "production",
        "AutoMinorVersionUpgrade": True,
        "SnapshotRetentionLimit": cache.retention,
        "SnapshotWindow": cache.snapshot_window or None,
        "NumNodeGroups": len(cache.shards()) if whole else None,
        "AutomaticFailover": cache.automatic_failover if whole else None,
        "NodeSnapshots": [
            {
                "CacheClusterId": name,
                "NodeGroupId": nodes[name].shard if whole and name in nodes else None,
                "CacheNodeId": "0001",
                "CacheSize": f"{size} MB",
                "CacheNodeCreateTime": iso(nodes[name].created) if name in nodes else None,
                "SnapshotCreateTime": iso(started),
            }
            for name in sources
        ],
        "KmsKeyId": cache.kms_key_id or None,
        "ARN": arn(world, "snapshot", item.name),
        "DataTiering": "enabled" if cache.data_tiering else "disabled",
    }


def serverless_snapshot(world: World, cache: ServerlessCache, item: CacheSnapshot) -> Tree:
    """One snapshot of a serverless cache; its size is a string, as AWS has it."""
    return {
        "ServerlessCacheSnapshotName": item.name,
        "ARN": arn(world, "serverlesscachesnapshot", item.name),
        "KmsKeyId": cache.kms_key_id or None,
        "SnapshotType": "automated" if item.automated else "manual",
        "Status": item.status,
        "CreateTime": iso(item.started),
        "ExpiryTime": iso(item.expires) if item.expires else None,
        "BytesUsedForCache": str(int(cache.load.level * 2**30)),
        "ServerlessCacheConfiguration": {
            "ServerlessCacheName": cache.name,
            "Engine": cache.engine,
            "MajorEngineVersion": cache.major,
        },
    }
