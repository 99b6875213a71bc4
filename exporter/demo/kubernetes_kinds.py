"""
The kinds of objects the simulated Kubernetes API serves, and what its discovery says of them. Pure; a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
"""An object as JSON has it, without ``apiVersion`` and ``kind``, as in the items of a list."""

VERSION: Mapping[str, str] = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.5-eks-5d4a308",
    "gitCommit": "a8b2a4a7e6a1b6a3d65cf0d3e0aa5b5c1b4c9d7e",
    "gitTreeState": "clean",
    "buildDate": "2025-06-24T04:51:09Z",
    "goVersion": "go1.23.9",
    "compiler": "gc",
    "platform": "linux/amd64",
}
"""What ``/version`` says; the form is that of EKS."""


@dataclass(frozen=True, slots=True)
class Resource:
    """
    One kind of object.

    `name` is the plural of paths and rules, `columns` the ones ``kubectl get`` prints beside name and age: title to the
    dotted path of a field.
    """

    name: str
    kind: str
    group: str
    namespaced: bool
    short: tuple[str, ...]
    columns: tuple[tuple[str, str], ...] = ()
    writable: bool = False

    @property
    def api_version(self) -> str:
        """The group and version, such as ``v1`` or ``storage.k8s.io/v1``."""
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def verbs(self) -> tuple[str, ...]:
        """What discovery says can be done."""
        reads = ("get", "list", "watch")
        return ("create", "delete", *reads, "update") if self.writable else reads

    @property
    def path(self) -> str:
        """Of the collection in the whole cluster."""
        return f"{'/apis' if self.group else '/api'}/{self.api_version}/{self.name}"


STORAGE, COORDINATION = "storage.k8s.io", "coordination.k8s.io"

RESOURCES: Mapping[str, Resource] = {
    item.name: item
    for item in (
        Resource(
            "persistentvolumes",
            "PersistentVolume",
            "",
            namespaced=False,
            short=("pv",),
            columns=(
                ("Capacity", "spec.capacity.storage"),
                ("Access Modes", "spec.accessModes"),
                ("Reclaim Policy", "spec.persistentVolumeReclaimPolicy"),
                ("Status", "status.phase"),
                ("Claim Namespace", "spec.claimRef.namespace"),
                ("Claim", "spec.claimRef.name"),
                ("StorageClass", "spec.storageClassName"),
            ),
        ),
        Resource(
            "persistentvolumeclaims",
            "PersistentVolumeClaim",
            "",
            namespaced=True,
            short=("pvc",),
            columns=(
                ("Status", "status.phase"),
                ("Volume", "spec.volumeName"),
                ("Capacity", "status.capacity.storage"),
                ("Access Modes", "status.accessModes"),
                ("StorageClass", "spec.storageClassName"),
            ),
        ),
        Resource(
            "pods",
            "Pod",
            "",
            namespaced=True,
            short=("po",),
            columns=(("Status", "status.phase"), ("Node", "spec.nodeName")),
        ),
        Resource(
            "storageclasses",
            "StorageClass",
            STORAGE,
            namespaced=False,
            short=("sc",),
            columns=(
                ("Provisioner", "provisioner"),
                ("ReclaimPolicy", "reclaimPolicy"),
                ("VolumeBindingMode", "volumeBindingMode"),
                ("AllowVolumeExpansion", "allowVolumeExpansion"),
            ),
        ),
        Resource(
            "volumeattachments",
            "VolumeAttachment",
            STORAGE,
            namespaced=False,
            short=(),
            columns=(
                ("Attacher", "spec.attacher"),
                ("PV", "spec.source.persistentVolumeName"),
                ("Node", "spec.nodeName"),
                ("Attached", "status.attached"),
            ),
        ),
        Resource("csinodes", "CSINode", STORAGE, namespaced=False, short=()),
        Resource(
            "csidrivers",
            "CSIDriver",
            STORAGE,
            namespaced=False,
            short=(),
            columns=(("AttachRequired", "spec.attachRequired"), ("PodInfoOnMount", "spec.podInfoOnMount")),
        ),
        Resource(
            "leases",
            "Lease",
            COORDINATION,
            namespaced=True,
            short=(),
            columns=(("Holder", "spec.holderIdentity"),),
            writable=True,
        ),
    )
}
"""Every kind, by its plural."""


def discovery(path: str, server: str) -> Object | None:
    """
    What the API says of itself at *path*; None where there is nothing.

    Args:
        path: such as ``/apis``, without a slash at its end.

        server: host and port it is reached at.
    """
    if path == "/version":
        return dict(VERSION)
    if path == "/api":
        addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": server}]
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}
    groups = [_group(name) for name in (STORAGE, COORDINATION)]
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    for group in groups:
        if path == f"/apis/{group['name']}":
            return {"kind": "APIGroup", "apiVersion": "v1", **group}
        if path == f"/apis/{group['name']}/v1":
            return _resources(group["name"])
    return _resources("") if path == "/api/v1" else None


def _group(name: str) -> Object:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resources(group: str) -> Object:
    listed = [
        {
            "name": item.name,
            "singularName": item.kind.lower(),
            "namespaced": item.namespaced,
            "kind": item.kind,
            "verbs": list(item.verbs),
            **({"shortNames": list(item.short)} if item.short else {}),
        }
        for item in RESOURCES.values()
        if item.group == group
    ]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/v1" if group else "v1",
        "resources": listed,
    }
