"""
What is kept of the cluster's objects: flat, frozen, no more than somebody reads. Values only.

Texts are ``""`` and numbers None where the object does not say. Instants are unix seconds, sizes bytes. The garbage
collector does not look into records (``gc=False``): none can be part of a cycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from exporter.kubernetes.volumes import Unnamed, Volume


class PersistentVolume(msgspec.Struct, frozen=True, gc=False):
    """
    A volume of an AWS driver.

    Args:
        driver: the CSI driver that serves it, also for a volume from before CSI.

        named: what it names in AWS, or why nothing.

        zone: the one availability zone its node affinity confines it to.

        claim_namespace, claim_name, claim_uid: its ``claimRef``, which stays when the claim is gone.

        phase_since: when it came into its phase (Kubernetes 1.28 and later).
    """

    name: str
    driver: str
    named: Volume | Unnamed
    storageclass: str
    reclaim_policy: str
    fstype: str
    zone: str
    volume_attributes_class: str
    phase: str
    claim_namespace: str
    claim_name: str
    claim_uid: str
    capacity: int | None
    created: int | None
    deleted: int | None
    phase_since: int | None


class PersistentVolumeClaim(msgspec.Struct, frozen=True, gc=False):
    """
    A claim.

    Args:
        volume: name of the persistent volume it is bound to.

        provisioner: who was asked to make its volume (an annotation of the controller's).

        access_mode: all it asks for, with commas between.

        requested: bytes asked for.

        capacity: bytes it really has.

        conditions: those that are true, each with the instant it became so.

        resize_status: how a resize stands, such as ``NodeResizePending``.

        annotations: those somebody looks at.
    """

    namespace: str
    name: str
    uid: str
    volume: str
    storageclass: str
    provisioner: str
    access_mode: str
    volume_mode: str
    volume_attributes_class: str
    phase: str
    requested: int | None
    capacity: int | None
    created: int | None
    deleted: int | None
    conditions: tuple[tuple[str, int | None], ...]
    resize_status: str
    annotations: Mapping[str, str]


class StorageClass(msgspec.Struct, frozen=True, gc=False):
    """
    A class of any provisioner: claims of foreign ones are told apart by it.

    Args:
        iops: what a volume of it is provisioned with; None where that depends on its size or does not exist.

        throughput: bytes a second; None where volumes of it have none of their own.

        encrypted: ``true``, ``false``, or ``""`` where the driver knows no such parameter.

        default: whether claims that name no class get this one.
    """

    name: str
    provisioner: str
    volume_type: str
    fstype: str
    provisioning_mode: str
    file_system_id: str
    encrypted: str
    reclaim_policy: str
    volume_binding_mode: str
    iops: int | None
    throughput: int | None
    allow_expansion: bool
    default: bool


class Failure(msgspec.Struct, frozen=True, gc=False):
    """An attempt that failed: a code or a short word for why, and when."""

    reason: str
    at: int | None


class VolumeAttachment(msgspec.Struct, frozen=True, gc=False):
    """
    That a volume shall be attached to a node, and how that stands.

    Args:
        volume: name of the persistent volume, ``""`` for one that a pod names itself.

        volume_id: EBS's, of such a volume only.
    """

    name: str
    driver: str
    node: str
    volume: str
    volume_id: str
    attached: bool
    created: int | None
    deleted: int | None
    attach_error: Failure | None
    detach_error: Failure | None


class NodeDriver(msgspec.Struct, frozen=True, gc=False):
    """A driver as it has registered with a node; *instance_id* is EC2's, *limit* the volumes it can attach."""

    name: str
    instance_id: str
    limit: int | None


class CsiNode(msgspec.Struct, frozen=True, gc=False):
    """A node, and the AWS drivers that have registered with it, each once."""

    name: str
    drivers: tuple[NodeDriver, ...]


class CsiDriver(msgspec.Struct, frozen=True, gc=False):
    """An AWS driver as it is installed in the cluster."""

    name: str
    attach_required: bool
    storage_capacity: bool
    fs_group_policy: str


class Pod(msgspec.Struct, frozen=True, gc=False):
    """
    A pod that uses claims, or is one of a driver's.

    Args:
        claims: names of the claims it uses, each once.

        driver: the CSI driver it is a part of, ``""`` for none; *component* and *version* are that part's.
    """

    namespace: str
    name: str
    node: str
    phase: str
    owner_kind: str
    owner_name: str
    claims: tuple[str, ...]
    ready: bool
    driver: str
    component: Literal["", "controller", "node"]
    version: str
