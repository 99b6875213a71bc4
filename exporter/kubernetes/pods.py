"""What is kept of pods: which claims they use, and which of them are a CSI driver's. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from exporter.kubernetes.kinds import Skipped
from exporter.kubernetes.records import Pod
from exporter.kubernetes.shapes import Metadata, Shape, Text, Texts, name_of, own, read, word
from exporter.kubernetes.volumes import EBS_DRIVER, EFS_DRIVER, S3_DRIVER

_PLUGINS = {"ebs-plugin": EBS_DRIVER, "efs-plugin": EFS_DRIVER, "s3-plugin": S3_DRIVER}
"""The container that is the driver; the others of its pod are Kubernetes' own (aws-facts 6.5)."""

_APPS = {
    "aws-ebs-csi-driver": EBS_DRIVER,
    "aws-efs-csi-driver": EFS_DRIVER,
    "aws-mountpoint-s3-csi-driver": S3_DRIVER,
}
_NAME = "app.kubernetes.io/name"
_VERSION = "app.kubernetes.io/version"
_TAG = re.compile(r"(?:.*/)?[^/:@]+:([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})(?:@.*)?")
"""Of an image: behind the last colon that follows the last slash (a registry may have a port), before a digest."""


class Owner(Shape):
    """One of ``metadata.ownerReferences``"""

    kind: Text = None
    name: Text = None
    controller: bool | None = None


class PodMetadata(Metadata):
    """``metadata`` of a pod"""

    labels: Texts = None
    owner_references: list[Owner] | None = None


class ClaimSource(Shape):
    """``persistentVolumeClaim`` of a pod's volume"""

    claim_name: Text = None


class PodVolume(Shape):
    """One of ``spec.volumes``; an ephemeral one has a claim that is named after pod and volume"""

    name: Text = None
    persistent_volume_claim: ClaimSource | None = None
    ephemeral: dict[str, Any] | None = None


class Container(Shape):
    """One of ``spec.containers``"""

    name: Text = None
    image: Text = None


class PodSpec(Shape):
    """``spec`` of a pod"""

    node_name: Text = None
    volumes: list[PodVolume] | None = None
    containers: list[Container] | None = None


class PodCondition(Shape):
    """One of ``status.conditions``"""

    type: Text = None
    status: Text = None


class PodStatus(Shape):
    """``status`` of a pod"""

    phase: Text = None
    conditions: list[PodCondition] | None = None


class PodShape(Shape):
    """Pod"""

    metadata: PodMetadata | None = None
    spec: PodSpec | None = None
    status: PodStatus | None = None


_DECODER = msgspec.json.Decoder(PodShape)


def keep_pod(raw: bytes) -> Pod:
    """
    A pod that uses claims or is a CSI driver's.

    Raises:
        Skipped: it is malformed, or neither.
    """
    seen = read(_DECODER, raw)
    name = name_of(seen.metadata)
    metadata, spec, status = seen.metadata or PodMetadata(), seen.spec or PodSpec(), seen.status or PodStatus()
    claims = _claims(name, spec.volumes or ())
    driver, version = _driver(metadata.labels or {}, spec.containers or ())
    if not claims and not driver:
        raise Skipped("irrelevant")
    owner = next((each for each in metadata.owner_references or () if each.controller), Owner())
    return Pod(
        namespace=word(metadata.namespace),
        name=name,
        node=word(spec.node_name),
        phase=word(status.phase),
        owner_kind=word(owner.kind),
        owner_name=own(owner.name),
        claims=claims,
        ready=any(each.type == "Ready" and each.status == "True" for each in status.conditions or ())
        and metadata.deletion_timestamp is None,
        driver=driver,
        component=_component((metadata.labels or {}).get("app", ""), owner.kind) if driver else "",
        version=version,
    )


def _claims(pod: str, volumes: Sequence[PodVolume]) -> tuple[str, ...]:
    names = [
        own(volume.persistent_volume_claim.claim_name)
        if volume.persistent_volume_claim is not None
        else f"{pod}-{volume.name}"
        for volume in volumes
        if volume.persistent_volume_claim is not None or (volume.ephemeral is not None and volume.name)
    ]
    return tuple(dict.fromkeys(name for name in names if name))


def _driver(labels: dict[str, str], containers: Sequence[Container]) -> tuple[str, str]:
    """The CSI driver the pod is a part of, and its version: the tag of the image, else the chart's label."""
    plugin = next((each for each in containers if each.name in _PLUGINS), None)
    driver = _PLUGINS[plugin.name or ""] if plugin is not None else _APPS.get(labels.get(_NAME, ""), "")
    if not driver:
        return "", ""
    tag = _TAG.fullmatch((plugin.image or "") if plugin is not None else "")
    return driver, word(tag[1]) if tag else word(labels.get(_VERSION))


def _component(app: str, owner: Text) -> Literal["controller", "node"]:
    """By the charts' label ``app`` (``ebs-csi-controller``, ``efs-csi-node``), else by what made the pod."""
    if "-controller" in app:
        return "controller"
    return "node" if "-node" in app or owner == "DaemonSet" else "controller"
