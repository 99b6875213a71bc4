"""
The shape of the cluster's objects as the API sends them, as far as anybody reads it, and how they are decoded. Pure.

Other fields are passed over without making objects of them (`managedFields` alone are half of what the API sends).
Every field may be absent or null, whatever the API's documents promise.
"""

from __future__ import annotations

import sys
from typing import Any, TypeVar

import msgspec
from msgspec import field

from exporter.kubernetes.kinds import Skipped

LONGEST_NAME = 253
"""Characters of a name or a word: what the API allows for a name."""

T = TypeVar("T")

Text = str | None
Texts = dict[str, str] | None


class Shape(msgspec.Struct, rename="camel", gc=False):
    """What all of them have in common: names are the API's, in camel case."""


class Metadata(Shape):
    """``metadata``"""

    name: Text = None
    namespace: Text = None
    uid: Text = None
    creation_timestamp: Text = None
    deletion_timestamp: Text = None


class AnnotatedMetadata(Metadata):
    """``metadata`` of a kind whose annotations are read."""

    annotations: Texts = None


class Storage(Shape):
    """A list of resources, of which there is one: ``{"storage": "10Gi"}``."""

    storage: Any = None


# ---- volumes


class Csi(Shape):
    """``spec.csi`` of a volume"""

    driver: Text = None
    volume_handle: Text = None
    fs_type: Text = None
    volume_attributes: Texts = None


class BlockStore(Shape):
    """``spec.awsElasticBlockStore``, from before CSI"""

    volume_id: Text = field(default=None, name="volumeID")
    fs_type: Text = None


class Reference(Shape):
    """``spec.claimRef``"""

    namespace: Text = None
    name: Text = None
    uid: Text = None


class Expression(Shape):
    """One condition on a node's labels"""

    key: Text = None
    operator: Text = None
    values: list[str] | None = None


class Term(Shape):
    """Conditions that hold together"""

    match_expressions: list[Expression] | None = None


class Selector(Shape):
    """Terms of which one must hold"""

    node_selector_terms: list[Term] | None = None


class Affinity(Shape):
    """``spec.nodeAffinity``"""

    required: Selector | None = None


class VolumeSpec(Shape):
    """``spec`` of a volume"""

    csi: Csi | None = None
    aws_elastic_block_store: BlockStore | None = None
    capacity: Storage | None = None
    claim_ref: Reference | None = None
    storage_class_name: Text = None
    persistent_volume_reclaim_policy: Text = None
    mount_options: list[str] | None = None
    node_affinity: Affinity | None = None
    volume_attributes_class_name: Text = None


class VolumeStatus(Shape):
    """``status`` of a volume"""

    phase: Text = None
    last_phase_transition_time: Text = None


class Volume(Shape):
    """PersistentVolume"""

    metadata: AnnotatedMetadata | None = None
    spec: VolumeSpec | None = None
    status: VolumeStatus | None = None


# ---- claims


class Resources(Shape):
    """``spec.resources``"""

    requests: Storage | None = None


class ClaimSpec(Shape):
    """``spec`` of a claim"""

    access_modes: list[str] | None = None
    resources: Resources | None = None
    storage_class_name: Text = None
    volume_attributes_class_name: Text = None
    volume_mode: Text = None
    volume_name: Text = None


class Condition(Shape):
    """One of ``status.conditions``"""

    type: Text = None
    status: Text = None
    last_transition_time: Text = None


class ClaimStatus(Shape):
    """``status`` of a claim; *resize_status* is what *allocated_resource_statuses* was until Kubernetes 1.27"""

    phase: Text = None
    capacity: Storage | None = None
    conditions: list[Condition] | None = None
    allocated_resource_statuses: Storage | None = None
    resize_status: Text = None


class Claim(Shape):
    """PersistentVolumeClaim"""

    metadata: AnnotatedMetadata | None = None
    spec: ClaimSpec | None = None
    status: ClaimStatus | None = None


# ---- classes, attachments, nodes, drivers


class Class(Shape):
    """StorageClass"""

    metadata: AnnotatedMetadata | None = None
    provisioner: Text = None
    parameters: Texts = None
    reclaim_policy: Text = None
    volume_binding_mode: Text = None
    allow_volume_expansion: bool | None = None


class Source(Shape):
    """``spec.source`` of an attachment"""

    persistent_volume_name: Text = None
    inline_volume_spec: VolumeSpec | None = None


class AttachmentSpec(Shape):
    """``spec`` of an attachment"""

    attacher: Text = None
    node_name: Text = None
    source: Source | None = None


class Trouble(Shape):
    """``status.attachError``"""

    time: Text = None
    message: Text = None


class AttachmentStatus(Shape):
    """``status`` of an attachment"""

    attached: bool | None = None
    attach_error: Trouble | None = None
    detach_error: Trouble | None = None


class Attachment(Shape):
    """VolumeAttachment"""

    metadata: Metadata | None = None
    spec: AttachmentSpec | None = None
    status: AttachmentStatus | None = None


class Allocatable(Shape):
    """``allocatable`` of a driver on a node"""

    count: int | None = None


class DriverOfNode(Shape):
    """One of ``spec.drivers`` of a node"""

    name: Text = None
    node_id: Text = field(default=None, name="nodeID")
    allocatable: Allocatable | None = None


class NodeSpec(Shape):
    """``spec`` of a node as CSI sees it"""

    drivers: list[DriverOfNode] | None = None


class Node(Shape):
    """CSINode"""

    metadata: Metadata | None = None
    spec: NodeSpec | None = None


class DriverSpec(Shape):
    """``spec`` of a driver"""

    attach_required: bool | None = None
    storage_capacity: bool | None = None
    fs_group_policy: Text = None


class Driver(Shape):
    """CSIDriver"""

    metadata: Metadata | None = None
    spec: DriverSpec | None = None


# ---- reading them


def read(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    """
    The object in *raw*.

    Raises:
        Skipped: it is no JSON, or not of that shape.
    """
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # ValueError: bytes that are no UTF-8
        raise Skipped("malformed") from None


def name_of(metadata: Metadata | None) -> str:
    """
    The object's name.

    Raises:
        Skipped: it has none, or one the API would not allow for its length.
    """
    name = metadata.name if metadata is not None else None
    if not name or len(name) > LONGEST_NAME:
        raise Skipped("malformed")
    return name


def word(text: Text) -> str:
    """*text*, which many objects have in common: the same string for all. ``""`` where it is none, or a document."""
    return sys.intern(text) if text and len(text) <= LONGEST_NAME else ""


def own(text: Text) -> str:
    """*text*, which few objects have in common, such as a name or uid. ``""`` where it is none, or a document."""
    return text if text and len(text) <= LONGEST_NAME else ""
