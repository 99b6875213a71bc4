"""
The cluster whose volumes the demo's account holds, as Kubernetes objects: a function of the world and an instant. Pure.

Each kind is made in a module of its own (`kubernetes_volumes`, `kubernetes_nodes`, `kubernetes_pods`) from the rows of
`kubernetes_claims`. Only the main account and region have a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping

from exporter.demo import kubernetes_nodes as nodes
from exporter.demo import kubernetes_volumes as volumes
from exporter.demo.kubernetes_claims import holdings
from exporter.demo.kubernetes_kinds import Object
from exporter.demo.kubernetes_pods import pods
from exporter.demo.kubernetes_store import Cluster
from exporter.demo.world import World


def objects(world: World, at: float) -> Mapping[str, list[Object]]:
    """Kind (plural) to the objects that exist at *at* (unix seconds); Leases are nobody's but their holders'."""
    held = holdings(world, at)
    return {
        "persistentvolumes": volumes.persistent_volumes(world, held),
        "persistentvolumeclaims": volumes.persistent_volume_claims(world, held, at),
        "storageclasses": nodes.storage_classes(world),
        "volumeattachments": nodes.volume_attachments(world, held, at),
        "csinodes": nodes.csi_nodes(world, at),
        "csidrivers": nodes.csi_drivers(world),
        "pods": pods(world, held, at),
    }


def cluster_of(world: World) -> Cluster:
    """The cluster of a world, which it follows: its clock, its scenario, and changes made by hand."""
    return Cluster(lambda: objects(world, world.now()), now=world.now)
