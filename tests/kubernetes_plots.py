"""The scenes that the README's expressions are asked about, and what others than the exporter show in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exporter.demo import KubernetesServer, World, WorldClock
from exporter.demo.kubernetes_claims import EBS, EFS, host
from exporter.demo.kubernetes_metadata import instant
from exporter.demo.nouns import GENESIS
from tests.harness import T, parsed
from tests.kubernetes_scenes import EVERYTHING, NAMESPACE, Plot, Scene
from tests.prometheus import Sample

GIB = 2**30
FIRST, SECOND = "storage-exporter-0", "storage-exporter-1"
FARGATE = "fargate-ip-10-20-9-9.ap-southeast-3.compute.internal"
LOST_POINT = "fsap-0123456789abcdef0"

Object = Mapping[str, Any]


# ---- what is done to the cluster


def keep_a_copy(world: World) -> None:
    """A volume that was kept when its claim went, and has its tags still."""
    tags = dict(world.volume("data-postgres-0").tags)
    world.add_volume("kept-copy", size=200, tags=tuple(tags.items()), at=GENESIS)


def deny_kinds(api: KubernetesServer, world: World) -> None:
    """No permission for some of the kinds, so that the tags count."""
    keep_a_copy(world)
    for kind in ("persistentvolumes", "csinodes", "pods"):
        api.deny(kind)


def deny_leases(api: KubernetesServer, _world: World) -> None:
    """No permission for Leases."""
    api.deny("leases")


def by_hand(api: KubernetesServer, world: World) -> None:
    """What the demo has not, each a trap for some expression."""
    cluster, now = api.cluster, world.now()
    keydb = world.volume("data-keydb-0").claim
    assert keydb is not None
    cluster.patch("persistentvolumes", keydb.persistentvolume, {"spec": {"csi": {"fsType": "xfs"}}})
    quorum, postgres = world.volume("quorum").volume_id, world.volume("data-postgres-0").volume_id
    system = next(item.file_system_id for item in world.file_systems() if item.name == "eks_production")
    for name, claim, driver, handle, phase in (
        ("quorum", "databases/quorum", EBS, quorum, "Bound"),
        ("postgres-again", "", EBS, postgres, "Available"),
        ("typing-error", "", EBS, "vol-typing-error", "Available"),
        ("lost-share", "web/lost-share", EFS, f"{system}::{LOST_POINT}", "Bound"),
        ("old-share", "web/old-share", EFS, f"{system}:/old", "Released"),
        ("old-redo", "databases/old-redo", EBS, world.volume("redo").volume_id, "Released"),
    ):
        cluster.put("persistentvolumes", _volume(name, claim, driver, handle, phase, now - 86400))
        if phase == "Bound":
            cluster.put("persistentvolumeclaims", _claim(claim, name, "Bound", now - 86400))
    cluster.put("persistentvolumeclaims", _claim("databases/data-fresh-0", "", "Pending", now - 60))
    cluster.patch("persistentvolumeclaims", "web/media-assets", {"metadata": {"deletionTimestamp": instant(now - 600)}})
    for node, attached in (("node-a1", True), ("node-a2", False)):
        where = host(world, world.instance(node))
        cluster.put("volumeattachments", _attachment(f"quorum-{node}", where, "quorum", now - 500, attached=attached))
    cluster.put("csinodes", {"metadata": {"name": FARGATE}, "spec": {"drivers": []}})
    cluster.patch("csinodes", host(world, world.instance("node-c1")), {"spec": {"drivers": []}})
    pods = [item["metadata"]["name"] for item in cluster.objects("pods")]
    for name in [name for name in pods if name.startswith("ebs-csi-controller-")]:
        cluster.delete("pods", f"kube-system/{name}")
    older = next(name for name in pods if name.startswith("ebs-csi-node-"))
    containers = [{"name": "ebs-plugin", "image": "registry.office.example/aws-ebs-csi-driver:v1.41.0"}]
    cluster.patch("pods", f"kube-system/{older}", {"spec": {"containers": containers}})


def _volume(name: str, claim: str, driver: str, handle: str, phase: str, made: float) -> Object:
    namespace, _, claimed = claim.partition("/")
    reference = {"claimRef": {"namespace": namespace, "name": claimed, "uid": f"uid-of-{claimed}"}} if claim else {}
    return {
        "metadata": {"name": name, "creationTimestamp": instant(made)},
        "spec": {
            "capacity": {"storage": "20Gi"},
            "csi": {"driver": driver, "volumeHandle": handle},
            "storageClassName": "gp3-sc" if driver == EBS else "",
            "persistentVolumeReclaimPolicy": "Retain",
            **reference,
        },
        "status": {"phase": phase},
    }


def _claim(key: str, volume: str, phase: str, made: float) -> Object:
    namespace, _, name = key.partition("/")
    return {
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": f"uid-of-{name}",
            "creationTimestamp": instant(made),
            "annotations": {"volume.kubernetes.io/storage-provisioner": EBS},
        },
        "spec": {"storageClassName": "gp3-sc", "volumeName": volume, "resources": {"requests": {"storage": "20Gi"}}},
        "status": {"phase": phase, "capacity": {"storage": "20Gi"}},
    }


def _attachment(name: str, node: str, volume: str, made: float, *, attached: bool) -> Object:
    return {
        "metadata": {"name": name, "creationTimestamp": instant(made)},
        "spec": {"attacher": EBS, "nodeName": node, "source": {"persistentVolumeName": volume}},
        "status": {"attached": attached},
    }


PLOTS = (
    Plot("quiet", replicas=(FIRST, SECOND)),
    Plot("attach-stuck", "attach-stuck"),
    Plot("node-loss", "node-loss", since=250),
    Plot("claim-terminating", "claim-terminating"),  # and kube-state-metrics is down
    Plot("csi-driver-missing", "csi-driver-missing"),
    Plot("volume-gone", "volume-gone"),
    Plot("volume-orphaned", "volume-orphaned"),
    Plot("by-hand", arrange=by_hand, shows=(*EVERYTHING, 'reason="malformed_handle"')),  # and zone c has no ready node
    Plot("no-lease", arrange=deny_leases, leads=False, shows=("\nstorage_exporter_lease_failures_total{",)),
    Plot(
        "shard-0-lost",  # what is left is the other shard, which has the account
        replicas=(SECOND,),
        config={"shards": {"total": 2}, "scopes": [{"regions": ["ap-southeast-3"]}]},
        shows=(),
    ),
    Plot("denied", arrange=deny_kinds, known=4, shows=("\nkubernetes_persistentvolumeclaim_info{",)),
)
NOT_READY = {"node-loss": {"node-a1"}, "by-hand": {"node-c1", "node-c2"}}


# ---- what Prometheus has of a scene


def scraped(scene: Scene) -> Iterator[Sample]:
    """The samples at the end of a scene, as the README's configuration of the scraper makes them."""
    for pod, page in scene.pages.items():
        target = {"job": "storage-exporter", "instance": f"{pod}:9116", "pod": pod, "namespace": NAMESPACE}
        for (name, labels), value in parsed(page).items():
            found = target | dict(labels)  # honor_labels
            if name.startswith(("aws_", "kubernetes_")):
                found |= {"instance": "storage-exporter", "pod": "storage-exporter"}
            if name == "storage_exporter_lease_failures_total":
                yield Sample(scene.at - 240, name, found, 0)
            yield Sample(scene.at, name, found, value)
    world = World(1, WorldClock(at=T))
    if scene.plot.name != "claim-terminating":
        yield from _of_states(scene, world)
    yield from _of_nodes(scene, world)


def _of_states(scene: Scene, world: World) -> Iterator[Sample]:
    """kube-state-metrics."""
    target = {"job": "kube-state-metrics", "instance": "10.20.0.9:8080"}
    nodes = {item.name: host(world, item) for item in world.estate.instances.values()} | {"fargate": FARGATE}
    for name, node in nodes.items():
        for status in ("true", "false", "unknown"):
            labels = {"node": node, "condition": "Ready", "status": status}
            holds = status == ("unknown" if name in NOT_READY.get(scene.plot.name, ()) else "true")
            yield Sample(scene.at, "kube_node_status_condition", target | labels, float(holds))
    kind = {"node": FARGATE, "label_eks_amazonaws_com_compute_type": "fargate"}
    yield Sample(scene.at, "kube_node_labels", target | kind, 1)
    for claim, team in (("data-postgres-0", "payments"), ("data-postgres-1", "payments"), ("data-mysql-0", "office")):
        labels = {"namespace": "databases", "persistentvolumeclaim": claim, "label_team": team}
        yield Sample(scene.at, "kube_persistentvolumeclaim_labels", target | labels, 1)


def _of_nodes(scene: Scene, world: World) -> Iterator[Sample]:
    """The kubelet, and the node plugin of the EBS CSI driver."""
    for name, namespace, claim, used in (
        ("node-a1", "databases", "data-postgres-0", 50),
        ("node-a2", "databases", "data-cassandra-0", 100),
        ("node-a1", "build", "jenkins-home", 3),
        ("node-b1", "build", "jenkins-home", 3),
    ):
        target = {"job": "kubelet", "node": host(world, world.instance(name))}
        labels = {"namespace": namespace, "persistentvolumeclaim": claim}
        yield Sample(scene.at, "kubelet_volume_stats_used_bytes", target | labels, used * GIB)
    target = {"job": "ebs-csi-node", "namespace": "kube-system", "pod": "ebs-csi-node-x7k2p"}
    for volume in ("data-postgres-0", "root-node-a1"):
        ids = {"volume_id": world.volume(volume).volume_id, "instance_id": world.instance("node-a1").instance_id}
        for what, a_minute in (("exceeded_iops_seconds", 6.0), ("read_seconds", 3.0), ("read_ops", 6000.0)):
            for minute in range(6):
                at = scene.at - 300 + 60 * minute
                yield Sample(at, f"aws_ebs_csi_{what}_total", target | ids, 1000 + a_minute * minute)


def names() -> Mapping[str, str]:
    """Ids to the names that the demo's tables have for them."""
    world = World(1, WorldClock(at=T))
    keep_a_copy(world)
    return {
        **{item.volume_id: item.name for item in world.estate.volumes.values()},
        **{item.instance_id: item.name for item in world.estate.instances.values()},
        **{host(world, item): item.name for item in world.estate.instances.values()},
        **{item.file_system_id: item.name for item in world.file_systems()},
        **{
            point.access_point_id: point.claim.name if point.claim else point.name
            for item in world.file_systems()
            for point in item.access_points
        },
    }
