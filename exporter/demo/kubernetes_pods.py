"""
Pods of the demo's cluster: those that use the claims, and those of the CSI drivers. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.demo.claim_scenarios import BARE_NODE
from exporter.demo.kubernetes_claims import Holding, host, under
from exporter.demo.kubernetes_kinds import Object
from exporter.demo.kubernetes_metadata import instant, metadata, owned_by
from exporter.demo.nouns import GENESIS, Instance
from exporter.demo.tables import DAY
from exporter.demo.world import World

EBS_VERSION, EFS_VERSION = "v1.42.0", "v2.1.7"
_MADE = GENESIS + 11 * DAY
_REGISTRY = "registry.office.example"

_SIDECARS = {
    "csi-provisioner": "csi-provisioner:v5.2.0",
    "csi-attacher": "csi-attacher:v4.8.1",
    "csi-snapshotter": "csi-snapshotter:v8.2.1",
    "csi-resizer": "csi-resizer:v1.13.2",
    "volumemodifier": "volume-modifier-for-k8s:v0.5.1",
    "node-driver-registrar": "csi-node-driver-registrar:v2.13.0",
    "csi-driver-registrar": "csi-node-driver-registrar:v2.13.0",
}
_EBS, _EFS = f"aws-ebs-csi-driver:{EBS_VERSION}", f"aws-efs-csi-driver:{EFS_VERSION}"
# name, label app.kubernetes.io/name, whether on every node, its containers
_DRIVERS: tuple[tuple[str, str, bool, Mapping[str, str]], ...] = (
    (
        "ebs-csi-controller",
        "aws-ebs-csi-driver",
        False,
        {
            "ebs-plugin": _EBS,
            **{
                name: _SIDECARS[name]
                for name in ("csi-provisioner", "csi-attacher", "csi-snapshotter", "csi-resizer", "volumemodifier")
            },
            "liveness-probe": "livenessprobe:v2.15.0",
        },
    ),
    (
        "ebs-csi-node",
        "aws-ebs-csi-driver",
        True,
        {
            "ebs-plugin": _EBS,
            "node-driver-registrar": _SIDECARS["node-driver-registrar"],
            "liveness-probe": "livenessprobe:v2.15.0",
        },
    ),
    (
        "efs-csi-controller",
        "aws-efs-csi-driver",
        False,
        {
            "efs-plugin": _EFS,
            "csi-provisioner": _SIDECARS["csi-provisioner"],
            "liveness-probe": "livenessprobe:v2.14.0",
        },
    ),
    (
        "efs-csi-node",
        "aws-efs-csi-driver",
        True,
        {
            "efs-plugin": _EFS,
            "csi-driver-registrar": _SIDECARS["csi-driver-registrar"],
            "liveness-probe": "livenessprobe:v2.14.0",
        },
    ),
)


@dataclass(frozen=True, slots=True)
class _Pod:
    """A pod; `owner` is (kind, name), `claims` are of its namespace, `node` is None while it waits for one."""

    namespace: str
    name: str
    owner: tuple[str, str]
    made: float
    node: Instance | None
    images: Mapping[str, str]
    claims: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    phase: str = "Running"
    broken: bool = False


def pods(world: World, holdings: list[Holding], at: float) -> list[Object]:
    """The pods at *at* (unix seconds)."""
    nodes = [item for item in world.estate.instances.values() if item.launched <= at < item.terminated]
    nodes.sort(key=lambda item: item.name)
    made = [_of_disk(world, item, at) for item in holdings if item.disk is not None and item.phase == "Bound"]
    if nodes:
        made += [each for item in holdings if item.disk is None for each in _of_share(item, nodes)]
        made += _of_drivers(world, nodes, at)
    return [_object(world, item) for item in made]


def _of_disk(world: World, holding: Holding, at: float) -> _Pod:
    """A StatefulSet's pod, where its volume is or is on its way to."""
    disk = holding.disk
    there = [item for item in (disk.attachments if disk else ()) if item.since <= at]
    newest = max(there, key=lambda item: item.since) if there else None
    node = world.estate.instances.get(newest.instance_id) if newest and at < newest.detaching else None
    ready = newest is not None and node is not None and at >= newest.attached
    moved = disk is not None and newest is not None and newest is not disk.attachments[0]
    workload = holding.workload
    return _Pod(
        holding.namespace,
        workload,
        ("StatefulSet", workload.rpartition("-")[0] or workload),
        newest.since - 2 if newest and moved else holding.claimed,
        node,
        {workload.rpartition("-")[0] or workload: "server:1"},
        (holding.claim,),
        (("statefulset.kubernetes.io/pod-name", workload),),
        "Running" if ready else "Pending",
    )


def _of_share(holding: Holding, nodes: list[Instance]) -> list[_Pod]:
    """Two pods of a Deployment share each of these claims; a Job has long used one."""
    if holding.phase != "Bound":
        return []
    workload, claims = holding.workload, (holding.claim,)
    template = _digest(holding.key, 10)
    replicas = f"{workload}-{template}"
    placed = sorted(nodes, key=lambda node: _digest(f"{replicas}|{node.name}", 16))
    found = [
        _Pod(
            holding.namespace,
            f"{replicas}-{_digest(f'{replicas}|{number}|{node.name}', 5)}",
            ("ReplicaSet", replicas),
            _MADE + 60 * number,
            node,
            {workload: "server:1"},
            claims,
            (("pod-template-hash", template),),
        )
        for number, node in enumerate(placed[:2])
    ]
    if holding.claim == "airflow-logs":
        job = "airflow-cleanup-29123400"
        labels = (("batch.kubernetes.io/job-name", job),)
        image = {"cleanup": "cleanup:1"}
        found.append(
            _Pod(
                *(holding.namespace, f"{job}-{_digest(placed[0].name, 5)}", ("Job", job), _MADE, placed[0], image),
                *(claims, labels, "Succeeded"),
            )
        )
    return found


def _of_drivers(world: World, nodes: list[Instance], at: float) -> list[_Pod]:
    lost = under(world, "csi-driver-missing", at)
    found: list[_Pod] = []
    for name, part_of, everywhere, images in _DRIVERS:
        owner = ("DaemonSet", name) if everywhere else ("ReplicaSet", f"{name}-{_digest(name, 10)}")
        found += [
            _Pod(
                "kube-system",
                f"{owner[1]}-{_digest(f'{name}|{node.name}', 5)}",
                owner,
                node.launched + 30,
                node,
                images,
                (),
                (("app", name), ("app.kubernetes.io/name", part_of)),
                broken=lost and name == "ebs-csi-node" and node.name == BARE_NODE,
            )
            for node in (nodes if everywhere else nodes[-2:])
        ]
    return found


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def _object(world: World, pod: _Pod) -> Object:
    kind, owner = pod.owner
    api_version = "batch/v1" if kind == "Job" else "apps/v1"
    volumes: list[Object] = [
        {"name": f"claim-{number}", "persistentVolumeClaim": {"claimName": claim}}
        for number, claim in enumerate(pod.claims)
    ]
    mounts = [{"name": item["name"], "mountPath": f"/data/{number}"} for number, item in enumerate(volumes)]
    projected = {"name": "kube-api-access", "projected": {"defaultMode": 420, "sources": [{"configMap": _TRUST}]}}
    spec: Object = {
        "containers": [
            {
                "name": name,
                "image": f"{_REGISTRY}/{image}",
                "imagePullPolicy": "IfNotPresent",
                "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
                "volumeMounts": mounts,
            }
            for name, image in pod.images.items()
        ],
        "volumes": [*volumes, projected],
        "restartPolicy": "Never" if kind == "Job" else "Always",
        "serviceAccountName": "default",
    }
    if pod.node is not None:
        spec["nodeName"] = host(world, pod.node)
    return {
        "metadata": metadata(
            world,
            "pods",
            pod.name,
            pod.made,
            namespace=pod.namespace,
            labels=dict(pod.labels),
            owner=owned_by(world, api_version, kind, owner, pod.namespace),
        ),
        "spec": spec,
        "status": _status(pod),
    }


_TRUST = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}


def _status(pod: _Pod) -> Object:
    ready = pod.phase == "Running" and not pod.broken
    since = instant(pod.made + 15)
    conditions = {
        "PodScheduled": pod.node is not None,
        "Initialized": pod.node is not None,
        "ContainersReady": ready,
        "Ready": ready,
    }
    found: Object = {
        "phase": pod.phase,
        "qosClass": "Burstable",
        "conditions": [
            {"type": name, "status": str(true), "lastProbeTime": None, "lastTransitionTime": since}
            for name, true in conditions.items()
        ],
    }
    if pod.node is not None:
        found |= {"hostIP": pod.node.address, "startTime": instant(pod.made)}
        found["containerStatuses"] = [
            {
                "name": name,
                "image": f"{_REGISTRY}/{image}",
                "imageID": f"{_REGISTRY}/{image.partition(':')[0]}@sha256:{_digest(image, 64)}",
                "ready": ready,
                "started": ready,
                "restartCount": 7 if pod.broken else 0,
                "state": _state(pod, since),
            }
            for name, image in pod.images.items()
        ]
    return found


def _state(pod: _Pod, since: str) -> Object:
    if pod.broken:
        return {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}
    if pod.phase == "Succeeded":
        return {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": since, "finishedAt": since}}
    return {"running": {"startedAt": since}} if pod.phase == "Running" else {"waiting": {"reason": "ContainerCreating"}}
