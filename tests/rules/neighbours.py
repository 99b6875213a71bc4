"""
What others show of the demo's cluster: kube-state-metrics and the kubelets, as much as our rules ask for.

Pages are text, as a scrape gets them, and functions of the world and an instant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from exporter.demo import World
from exporter.demo.kubernetes_claims import host
from exporter.demo.kubernetes_objects import objects
from exporter.demo.nouns import GIB

NOTICED = 40.0
"""Seconds until a node that is silent is no more ready: kube-controller-manager's grace period."""

REMOVED = 120.0
"""Seconds after the end of its instance until a node is taken out of the cluster."""

STATE_METRICS = {
    "job": "kube-state-metrics",
    "namespace": "monitoring",
    "service": "kube-state-metrics",
    "pod": "kube-state-metrics-7c9f6b8d5-p4q8z",
    "container": "kube-state-metrics",
    "endpoint": "http",
    "instance": "10.20.1.7:8080",
}
KUBELET = {"job": "kubelet", "metrics_path": "/metrics", "endpoint": "https-metrics", "service": "kubelet"}
"""Labels of the targets."""

_EIB = float(8 * 2**60)
_INODES = 13_107_200
_UNITS = {"Gi": GIB, "Ti": 1024 * GIB, "Mi": GIB // 1024}


def state_metrics(world: World, at: float) -> str:
    """kube-state-metrics: whether nodes are ready."""
    return "".join(_conditions(world, at))


def _conditions(world: World, at: float) -> Iterator[str]:
    for node in sorted(world.estate.instances.values(), key=lambda item: item.name):
        if not node.launched <= at < node.terminated + REMOVED:
            continue
        state = "unknown" if at >= node.stopping + NOTICED else "true"
        for status in ("true", "false", "unknown"):
            labels = f'node="{host(world, node)}",condition="Ready",status="{status}"'
            yield f"kube_node_status_condition{{{labels}}} {int(state == status)}\n"


def kubelet(world: World, at: float) -> str:
    """Every kubelet: how full the volumes of its pods are; one that is silent is left out."""
    return "".join(_stats(world, at))


def _stats(world: World, at: float) -> Iterator[str]:
    nodes = {host(world, item): item for item in world.estate.instances.values() if item.launched <= at < item.stopping}
    found = objects(world, at)
    sizes = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): item["status"].get("capacity", {}).get("storage", "")
        for item in found["persistentvolumeclaims"]
    }
    shared = {
        (item["spec"]["claimRef"]["namespace"], item["spec"]["claimRef"]["name"])
        for item in found["persistentvolumes"]
        if "ReadWriteMany" in item["spec"]["accessModes"]
    }
    for pod in found["pods"]:
        namespace, node = pod["metadata"]["namespace"], pod["spec"].get("nodeName", "")
        if node not in nodes or pod["status"]["phase"] != "Running":
            continue
        for volume in pod["spec"]["volumes"]:
            key = (namespace, volume.get("persistentVolumeClaim", {}).get("claimName", ""))
            if not sizes.get(key):
                continue
            size = _EIB if key in shared else float(_bytes(sizes[key]))
            used = 2.0e9 if key in shared else size * _share(world, key[1], at)
            labels = f'namespace="{namespace}",persistentvolumeclaim="{key[1]}",node="{node}",instance="{node}:10250"'
            for name, value in (
                ("capacity_bytes", size),
                ("used_bytes", used),
                ("available_bytes", size - used),
                ("inodes", _INODES),
                ("inodes_used", 41_000),
                ("inodes_free", _INODES - 41_000),
            ):
                yield f"kubelet_volume_stats_{name}{{{labels}}} {value!r}\n"


def _share(world: World, claim: str, at: float) -> float:
    """How full a claim is: half, with the rhythm of a day, and a little more each day."""
    (dice, *_) = world.curves.chance(f"fill|{claim}", 0)
    return 0.35 + 0.3 * dice + 0.01 * math.sin(2 * math.pi * at / 86_400)


def _bytes(quantity: str) -> int:
    return int(quantity[:-2]) * _UNITS[quantity[-2:]]
