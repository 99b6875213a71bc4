"""Service updates of the caches, as DescribeUpdateActions gives them: one for each cache and update. Pure."""

from __future__ import annotations

from exporter.demo.cache_shapes import Tree
from exporter.demo.caches import Cache, CacheNode, UpdateAction
from exporter.demo.wire import iso
from exporter.demo.world import World


def update_actions(world: World, *, with_nodes: bool) -> list[Tree]:
    """The update actions there are, by cache; with the state of each node when *with_nodes*."""
    return [
        _action(world, cache, update, with_nodes=with_nodes)
        for cache in world.caches()
        for update in cache.updates
        if update.released <= world.now()
    ]


def _action(world: World, cache: Cache, update: UpdateAction, *, with_nodes: bool) -> Tree:
    members = cache.members(world.now())
    changed = update.released + 86_400
    tree: Tree = {
        "ReplicationGroupId": cache.name if cache.grouped else None,
        "CacheClusterId": None if cache.grouped else cache.name,
        "ServiceUpdateName": update.name,
        "ServiceUpdateReleaseDate": iso(update.released),
        "ServiceUpdateSeverity": update.severity,
        "ServiceUpdateStatus": update.update_status,
        "ServiceUpdateRecommendedApplyByDate": iso(update.apply_by),
        "ServiceUpdateType": update.update_type,
        "UpdateActionAvailableDate": iso(update.released),
        "UpdateActionStatus": update.status,
        "NodesUpdated": f"{update.updated}/{len(members)}",
        "UpdateActionStatusModifiedDate": iso(changed),
        "SlaMet": update.sla_met,
        "EstimatedUpdateTime": "30 minutes per node",
        "Engine": cache.engine,
    }
    if with_nodes:
        states = {
            (node.cluster_id, node.node_id): "complete" if number < update.updated else "not-applied"
            for number, node in enumerate(members)
        }
        if cache.grouped:
            tree["NodeGroupUpdateStatus"] = [
                {
                    "NodeGroupId": shard,
                    "NodeGroupMemberUpdateStatus": [
                        {"CacheClusterId": node.cluster_id, **_node(node, states, changed)}
                        for node in members
                        if node.shard == shard
                    ],
                }
                for shard in cache.shards()
            ]
        else:
            tree["CacheNodeUpdateStatus"] = [_node(node, states, changed) for node in members]
    return tree


def _node(node: CacheNode, states: dict[tuple[str, str], str], changed: float) -> Tree:
    return {
        "CacheNodeId": node.node_id,
        "NodeUpdateStatus": states[node.cluster_id, node.node_id],
        "NodeUpdateInitiatedBy": "customer",
        "NodeUpdateStatusModifiedDate": iso(changed),
    }
