"""
What CSI drivers say in the demo's cluster: classes, drivers, what each node can hold, and every attachment. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from exporter.demo.claim_scenarios import BARE_NODE
from exporter.demo.kubernetes_claims import EBS, EFS, IN_TREE, NFS, S3, Holding, host, under
from exporter.demo.kubernetes_kinds import Object
from exporter.demo.kubernetes_metadata import dying, instant, metadata, owned_by
from exporter.demo.nouns import GENESIS, Attachment, Instance
from exporter.demo.tables import DAY
from exporter.demo.world import World

PATIENCE = 120.0
"""Seconds an attachment may take before the driver says that it failed; it goes on trying."""

_MADE = GENESIS + DAY
_GONE = 60.0
_MIGRATED = "kubernetes.io/aws-ebs,kubernetes.io/azure-disk,kubernetes.io/cinder,kubernetes.io/gce-pd"


def storage_classes(world: World) -> list[Object]:
    """gp3-sc is the one claims get that do not ask; gp2 is the one every EKS cluster came with."""
    systems = [item for item in world.estate.file_systems.values() if item.name == "eks_production"]
    parameters = {
        "type": "gp3",
        "iops": "3000",
        "throughput": "125",
        "encrypted": "true",
        "csi.storage.k8s.io/fstype": "ext4",
    }
    found = [
        _class(world, "gp3-sc", EBS, parameters, default=True),
        _class(world, "gp2", IN_TREE, {"type": "gp2", "fsType": "ext4"}, expandable=False),
        _class(world, "nfs-office", NFS, {"server": "nfs.office.example", "share": "/export"}, waits=False),
    ]
    for system in systems:
        shared = {
            "provisioningMode": "efs-ap",
            "fileSystemId": system.file_system_id,
            "directoryPerms": "700",
            "gidRangeStart": "50000",
            "gidRangeEnd": "51000",
        }
        found.append(_class(world, "efs", EFS, shared, waits=False, expandable=False))
    return found


def _class(
    world: World,
    name: str,
    provisioner: str,
    parameters: dict[str, str],
    *,
    default: bool = False,
    waits: bool = True,
    expandable: bool = True,
) -> Object:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    found: Object = {
        "metadata": metadata(world, "storageclasses", name, _MADE, annotations=annotations),
        "provisioner": provisioner,
        "parameters": parameters,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer" if waits else "Immediate",
    }
    return {**found, "allowVolumeExpansion": True} if expandable else found


def csi_drivers(world: World) -> list[Object]:
    """The drivers that are installed; the file systems' need no attachment."""
    found = []
    for name in (EBS, EFS, S3):
        block = name == EBS
        spec = {
            "attachRequired": block,
            "podInfoOnMount": name == S3,
            "volumeLifecycleModes": ["Persistent"],
            "storageCapacity": False,
            "fsGroupPolicy": "ReadWriteOnceWithFSType",
            "requiresRepublish": name == S3,
            "seLinuxMount": False,
        }
        item = {"metadata": metadata(world, "csidrivers", name, _MADE), "spec": spec}
        found.append(item)
    return found


def csi_nodes(world: World, at: float) -> list[Object]:
    """A node's entry lasts until a minute after its instance."""
    lost = under(world, "csi-driver-missing", at)
    return [
        _node(world, item, lost=lost and item.name == BARE_NODE)
        for item in sorted(world.estate.instances.values(), key=lambda item: item.instance_id)
        if item.launched <= at < item.terminated + _GONE
    ]


def limit(instance: Instance) -> int:
    """How many volumes the driver puts on an instance: its root volume has a place, and two interfaces where shared."""
    return instance.type.attachments - (3 if instance.type.attachment_limit_type == "shared" else 1)


def _node(world: World, instance: Instance, *, lost: bool) -> Object:
    name = host(world, instance)
    block = {
        "name": EBS,
        "nodeID": instance.instance_id,
        "topologyKeys": ["kubernetes.io/os", "topology.ebs.csi.aws.com/zone", "topology.kubernetes.io/zone"],
        "allocatable": {"count": limit(instance)},
    }
    shared = {"name": EFS, "nodeID": instance.instance_id, "topologyKeys": None}
    buckets = {"name": S3, "nodeID": name, "topologyKeys": None}
    return {
        "metadata": metadata(
            world,
            "csinodes",
            name,
            instance.launched + 20,
            annotations={"storage.alpha.kubernetes.io/migrated-plugins": _MIGRATED},
            owner=owned_by(world, "v1", "Node", name),
        ),
        "spec": {"drivers": [shared, buckets] if lost else [block, shared, buckets]},
    }


def volume_attachments(world: World, holdings: list[Holding], at: float) -> list[Object]:
    """The attachments of the claims' volumes: Kubernetes asks for them, so that it knows of none but its own."""
    return [
        _attachment(world, holding, each, at)
        for holding in holdings
        if holding.phase == "Bound"
        for each in _asked(world, holding, at)
    ]


def _asked(world: World, holding: Holding, at: float) -> Iterator[Attachment]:
    if holding.disk is None:
        return
    for each in holding.disk.attachments:
        if each.instance_id in world.estate.instances and each.since <= at < each.until:
            yield each


def _attachment(world: World, holding: Holding, each: Attachment, at: float) -> Object:
    node = host(world, world.estate.instances[each.instance_id])
    text = f"{holding.volume}{EBS}{node}"
    name = f"csi-{hashlib.sha256(text.encode()).hexdigest()}"
    attached = at >= each.attached
    status: Object = {"attached": attached}
    volume_id = holding.disk.volume_id if holding.disk else ""
    if attached:
        status["attachmentMetadata"] = {"devicePath": each.device}
    elif at >= each.since + PATIENCE:
        why = f'attachment of disk "{volume_id}" failed, expected device to be attached but was attaching'
        status["attachError"] = {
            "time": instant(each.since + PATIENCE),
            "message": "rpc error: code = Internal desc = "
            f'Could not attach volume "{volume_id}" to node "{each.instance_id}": {why}',
        }
    if at >= each.detaching + PATIENCE:
        status["detachError"] = {
            "time": instant(each.detaching + PATIENCE),
            "message": "rpc error: code = Internal desc = "
            f'Could not detach volume "{volume_id}" from node "{each.instance_id}": timed out waiting for it',
        }
    item: Object = {
        "metadata": metadata(
            world,
            "volumeattachments",
            name,
            each.since,
            annotations={"csi.alpha.kubernetes.io/node-id": each.instance_id},
            finalizers=("external-attacher/ebs-csi-aws-com",),
        ),
        "spec": {"attacher": EBS, "nodeName": node, "source": {"persistentVolumeName": holding.volume}},
        "status": status,
    }
    return dying(item, each.detaching) if at >= each.detaching else item
