"""
Objects of a cluster as its API sends them, with all the noise that nobody reads; and what is kept of them.

Every maker takes `more`: a mapping laid over the object, deep, where None takes a field away.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from exporter.facts import Facts
from exporter.kubernetes.facts import Said
from exporter.kubernetes.kinds import Skipped
from exporter.kubernetes.objects import KINDS, kinds
from exporter.naming import labels_of

Object = dict[str, Any]

MADE = "2026-01-02T03:04:05Z"
MADE_AT = 1767323045
LATER = "2026-02-02T03:04:05Z"
LATER_AT = 1770001445
VOLUME_ID = "vol-0123456789abcdef0"
GIB = 1024**3


def laid_over(base: Any, more: Mapping[str, Any]) -> Any:
    """*base* with *more* laid over it, mapping by mapping; None takes a field away."""
    made = copy.deepcopy(base)
    for key, value in more.items():
        if value is None:
            made.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(made.get(key), dict):
            made[key] = laid_over(made[key], value)
        else:
            made[key] = copy.deepcopy(value)
    return made


def metadata(name: str, **more: Any) -> Object:
    """Metadata with what an API server adds: managed fields, finalizers, a resource version."""
    fields: Object = {"f:metadata": {"f:annotations": {".": {}, "f:a": {}}, "f:finalizers": {".": {}, 'v:"x"': {}}}}
    managed = [
        {
            "apiVersion": "v1",
            "fieldsType": "FieldsV1",
            "fieldsV1": {**fields, "f:spec": {f"f:field{number}": {".": {}} for number in range(12)}},
            "manager": manager,
            "operation": "Update",
            "time": MADE,
        }
        for manager in ("kube-controller-manager", "csi-provisioner")
    ]
    made: Object = {
        "name": name,
        "uid": f"uid-of-{name}",
        "resourceVersion": "812345678",
        "creationTimestamp": MADE,
        "finalizers": ["kubernetes.io/pv-protection"],
        "managedFields": managed,
    }
    return {**made, **more}


def volume(name: str = "pvc-1", handle: str = VOLUME_ID, claim: str = "data-postgres-0", **more: Any) -> Object:
    """A PersistentVolume as the EBS driver's provisioner makes it, bound to *claim* in ``billing``."""
    term = {
        "matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["ap-southeast-3a"]}]
    }
    base = {
        "metadata": metadata(
            name,
            annotations={
                "pv.kubernetes.io/provisioned-by": "ebs.csi.aws.com",
                "volume.kubernetes.io/provisioner-deletion-secret-name": "",
            },
        ),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "100Gi"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": claim,
                "namespace": "billing",
                "resourceVersion": "812345670",
                "uid": f"uid-of-{claim}",
            },
            "csi": {
                "driver": "ebs.csi.aws.com",
                "fsType": "ext4",
                "volumeAttributes": {"storage.kubernetes.io/csiProvisionerIdentity": "1767-3842-ebs.csi.aws.com"},
                "volumeHandle": handle,
            },
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "gp3-sc",
            "volumeMode": "Filesystem",
        },
        "status": {"lastPhaseTransitionTime": MADE, "phase": "Bound"},
    }
    return dict(laid_over(base, more))


def claim(name: str = "data-postgres-0", volume_name: str = "pvc-1", **more: Any) -> Object:
    """A PersistentVolumeClaim in ``billing``, bound to *volume_name*."""
    base = {
        "metadata": metadata(
            name,
            namespace="billing",
            labels={"app.kubernetes.io/name": "postgres", "app.kubernetes.io/instance": "billing"},
            annotations={
                "pv.kubernetes.io/bind-completed": "yes",
                "volume.kubernetes.io/storage-provisioner": "ebs.csi.aws.com",
                "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"spec": {"x": "y" * 400}}),
            },
        ),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "100Gi"}},
            "storageClassName": "gp3-sc",
            "volumeMode": "Filesystem",
            "volumeName": volume_name,
        },
        "status": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "100Gi"}, "phase": "Bound"},
    }
    return dict(laid_over(base, more))


def storage_class(name: str = "gp3-sc", **more: Any) -> Object:
    """A StorageClass of the EBS driver."""
    base = {
        "metadata": metadata(name, annotations={"storageclass.kubernetes.io/is-default-class": "true"}),
        "provisioner": "ebs.csi.aws.com",
        "parameters": {"type": "gp3", "csi.storage.k8s.io/fstype": "ext4", "encrypted": "true"},
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
    }
    return dict(laid_over(base, more))


def attachment(name: str = "csi-1", volume_name: str = "pvc-1", **more: Any) -> Object:
    """A VolumeAttachment to ``node-a1``, attached."""
    base = {
        "metadata": metadata(name, annotations={"csi.alpha.kubernetes.io/node-id": "i-0123456789abcdef0"}),
        "spec": {
            "attacher": "ebs.csi.aws.com",
            "nodeName": "node-a1",
            "source": {"persistentVolumeName": volume_name},
        },
        "status": {"attached": True, "attachmentMetadata": {"devicePath": "/dev/xvdaa"}},
    }
    return dict(laid_over(base, more))


def node(name: str = "node-a1", drivers: Sequence[Object] | None = None) -> Object:
    """A CSINode with the EBS and the EFS driver and one of somebody else's."""
    usual = (
        {
            "name": "ebs.csi.aws.com",
            "nodeID": "i-0123456789abcdef0",
            "topologyKeys": ["topology.ebs.csi.aws.com/zone"],
            "allocatable": {"count": 25},
        },
        {"name": "efs.csi.aws.com", "nodeID": "i-0123456789abcdef0", "topologyKeys": None},
        {"name": "nfs.csi.k8s.io", "nodeID": name, "topologyKeys": None},
    )
    return {"metadata": metadata(name), "spec": {"drivers": list(usual if drivers is None else drivers)}}


def driver(name: str = "ebs.csi.aws.com", **more: Any) -> Object:
    """A CSIDriver."""
    base = {
        "metadata": metadata(name),
        "spec": {
            "attachRequired": True,
            "fsGroupPolicy": "ReadWriteOnceWithFSType",
            "podInfoOnMount": False,
            "storageCapacity": False,
            "volumeLifecycleModes": ["Persistent"],
        },
    }
    return dict(laid_over(base, more))


def pod(name: str = "postgres-0", claims: Iterable[str] = ("data-postgres-0",), **more: Any) -> Object:
    """A Pod in ``billing`` of a StatefulSet, on ``node-a1``, that uses *claims* beside other volumes."""
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "postgres", "controller": True, "uid": "u"}
    base = {
        "metadata": metadata(name, namespace="billing", labels={"app": "postgres"}, ownerReferences=[owner]),
        "spec": {
            "containers": [{"name": "postgres", "image": "postgres:17", "env": [{"name": "A", "value": "b"}] * 9}],
            "nodeName": "node-a1",
            "volumes": [
                {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
                *({"name": each, "persistentVolumeClaim": {"claimName": each}} for each in claims),
            ],
        },
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }
    return dict(laid_over(base, more))


def driver_pod(name: str = "ebs-csi-node-x", app: str = "ebs-csi-node", **more: Any) -> Object:
    """A Pod of the EBS driver on a node."""
    image = "123456789012.dkr.ecr.ap-southeast-3.amazonaws.com:443/ebs-csi-driver/aws-ebs-csi-driver:v1.42.0"
    base = pod(
        name,
        (),
        metadata={"namespace": "kube-system", "labels": {"app": app, "app.kubernetes.io/name": "aws-ebs-csi-driver"}},
        spec={"containers": [{"name": "liveness-probe", "image": "x:v2"}, {"name": "ebs-plugin", "image": image}]},
    )
    return dict(laid_over(base, more))


MAKERS: dict[str, Callable[..., Object]] = {
    "persistentvolumes": volume,
    "persistentvolumeclaims": claim,
    "storageclasses": storage_class,
    "volumeattachments": attachment,
    "csinodes": node,
    "csidrivers": driver,
    "pods": pod,
}


def kept(kind: str, thing: Any, annotations: Sequence[str] = ()) -> Any:
    """What is kept of the object *thing*."""
    (one,) = kinds([kind], lambda key: key in annotations)
    return one.keep(json.dumps(thing).encode())


def state_of(annotations: Sequence[str] = (), /, **lists: Iterable[Any] | None) -> dict[str, dict[str, Any] | None]:
    """The state of a cluster of these objects, as a reflector keeps it; kinds that are not named are not known."""
    state: dict[str, dict[str, Any] | None] = dict.fromkeys(KINDS)
    for kind, things in lists.items():
        if things is None:
            continue
        records: dict[str, Any] = {}
        for thing in things:
            try:
                record = kept(kind, thing, annotations)
            except Skipped:
                continue
            place = thing["metadata"].get("namespace")
            records[f"{place}/{record.name}" if place else record.name] = record
        state[kind] = records
    return state


# ---- what is said of them

Series = dict[str, list[tuple[dict[str, str], float]]]


def series(facts: Facts) -> Series:
    """Family, without its prefix → labels and value of each series."""
    assert facts.twice() == []
    return {
        block.family.name.removeprefix("kubernetes_"): [
            (labels_of(labels), value) for labels, value in zip(block.labels, block.values, strict=True)
        ]
        for block in facts.blocks(1)
    }


async def say(state: Mapping[str, Any], said: Said | None = None) -> Series:
    """What is said of *state*."""
    return series(await (said or Said()).facts(state, {}, ()))


def bare(facts: Series, family: str) -> list[float]:
    """The values of a family."""
    return [value for _, value in facts.get(family, [])]


def column(facts: Series, family: str, *labels: str) -> list[tuple[str, ...]]:
    """Some labels of each series of a family."""
    return [tuple(found[label] for label in labels) for found, _ in facts.get(family, [])]


# ---- any objects at all

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["8Ei", "1e999999", "-1", MADE, "0001-01-01T00:00:00Z", "9999-99-99T99:99:99Z", "\n", '"'])
    | st.sampled_from([VOLUME_ID, "fs-1::fsap-2", "aws://a/vol-01234567", "Bound", "Released", "efs.csi.aws.com"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _places(thing: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ()
    return [path, *(place for key, value in inner for place in _places(value, (*path, key)))]


@st.composite
def strange(draw: st.DrawFn, kind: str) -> Any:
    """An object of *kind* in which a few things are other than they should be, or gone."""
    thing = draw(st.sampled_from([MAKERS[kind](), driver_pod() if kind == "pods" else MAKERS[kind]()]))
    thing["metadata"].pop("managedFields")
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.sampled_from(_places(thing)))
        value = draw(json_values)
        if not place:
            return value
        inner = thing
        for key in place[:-1]:
            inner = inner[key]
        if draw(st.booleans()):
            inner[place[-1]] = value
        else:
            del inner[place[-1]]
    return thing
