"""
PersistentVolumes and PersistentVolumeClaims of the demo's cluster. Pure.
"""

from __future__ import annotations

from exporter.demo.claim_scenarios import TERMINATING
from exporter.demo.kubernetes_claims import EBS, GROWN, IN_TREE, Holding, host, under
from exporter.demo.kubernetes_kinds import Object
from exporter.demo.kubernetes_metadata import dying, instant, metadata
from exporter.demo.world import World

_PROTECTED = "kubernetes.io/pv-protection"
_ATTACHED = "external-attacher/ebs-csi-aws-com"


def persistent_volumes(world: World, holdings: list[Holding]) -> list[Object]:
    """The volumes of those claims that have one."""
    return [_volume(world, item) for item in holdings if item.phase != "Pending"]


def persistent_volume_claims(world: World, holdings: list[Holding], at: float) -> list[Object]:
    """The claims at *at* (unix seconds); that of a released volume is gone."""
    found = []
    for holding in holdings:
        if holding.phase == "Released":
            continue
        item = _claim(world, holding, at)
        if holding.claim == TERMINATING and under(world, "claim-terminating", at):
            item = dying(item, world.active[1])
        found.append(item)
    return found


def _volume(world: World, holding: Holding) -> Object:
    annotations = {}
    if holding.provisioner:
        annotations["pv.kubernetes.io/provisioned-by"] = holding.provisioner
    if holding.provisioner == EBS:
        annotations |= dict.fromkeys(
            (
                "volume.kubernetes.io/provisioner-deletion-secret-name",
                "volume.kubernetes.io/provisioner-deletion-secret-namespace",
            ),
            "",
        )
    labels = {}
    if holding.provisioner == IN_TREE:
        annotations["pv.kubernetes.io/migrated-to"] = EBS
        labels = {"topology.kubernetes.io/region": world.region, "topology.kubernetes.io/zone": holding.zone}
    spec: Object = {
        "capacity": {"storage": holding.size},
        **holding.source,
        "accessModes": list(holding.modes),
        "claimRef": {
            "kind": "PersistentVolumeClaim",
            "namespace": holding.namespace,
            "name": holding.claim,
            "uid": holding.uid,
            "apiVersion": "v1",
            "resourceVersion": "981",
        },
        "persistentVolumeReclaimPolicy": holding.policy,
        "volumeMode": "Filesystem",
    }
    if holding.storageclass:
        spec["storageClassName"] = holding.storageclass
    if holding.zone:
        within = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [holding.zone]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [within]}]}}
    return {
        "metadata": metadata(
            world,
            "persistentvolumes",
            holding.volume,
            holding.made,
            labels=labels,
            annotations=annotations,
            finalizers=(_PROTECTED, _ATTACHED) if holding.disk else (_PROTECTED,),
        ),
        "spec": spec,
        "status": {"phase": holding.phase, "lastPhaseTransitionTime": instant(holding.made + 1)},
    }


def _claim(world: World, holding: Holding, at: float) -> Object:
    bound = holding.phase == "Bound"
    annotations = dict(holding.annotations)
    if holding.provisioner:
        annotations["volume.beta.kubernetes.io/storage-provisioner"] = holding.provisioner
        annotations["volume.kubernetes.io/storage-provisioner"] = holding.provisioner
    if bound:
        annotations |= dict.fromkeys(("pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"), "yes")
        hosts = {item.instance_id: item for item in world.estate.instances.values()}
        first = holding.disk.attachments[:1] if holding.disk else ()
        if first and first[0].instance_id in hosts:
            annotations["volume.kubernetes.io/selected-node"] = host(world, hosts[first[0].instance_id])
    spec: Object = {
        "accessModes": list(holding.modes),
        "resources": {"requests": {"storage": holding.size}},
        "storageClassName": holding.storageclass,
        "volumeMode": "Filesystem",
    }
    status: Object = {"phase": holding.phase}
    if bound:
        spec["volumeName"] = holding.volume
        status |= {"accessModes": list(holding.modes), "capacity": {"storage": holding.usable}}
        if holding.usable != holding.size:
            status |= _growing(holding, at)
    return {
        "metadata": metadata(
            world,
            "persistentvolumeclaims",
            holding.claim,
            holding.claimed,
            namespace=holding.namespace,
            uid=holding.uid,
            labels={"app.kubernetes.io/name": holding.workload, **dict(holding.labels)},
            annotations=annotations,
            finalizers=("kubernetes.io/pvc-protection",),
        ),
        "spec": spec,
        "status": status,
    }


def _growing(holding: Holding, at: float) -> Object:
    """The volume has its new size, the file system waits for its node."""
    change = holding.disk.modification if holding.disk and holding.claim == GROWN else None
    since = change.start(at) if change else holding.made
    condition = {
        "type": "FileSystemResizePending",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": instant(since),
        "message": "Waiting for user to (re-)start a pod to finish file system resize of volume on node.",
    }
    return {
        "conditions": [condition],
        "allocatedResources": {"storage": holding.size},
        "allocatedResourceStatuses": {"storage": "NodeResizePending"},
    }
