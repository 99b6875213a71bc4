"""
What is kept of the cluster's objects, kind by kind: from the API's JSON to a slim record. Pure.

Nothing an object holds raises anything but `Skipped`. A field that makes no sense is as if it were not there; without a
name, or in another shape than the API's, an object is malformed. Classes and pods have modules of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import msgspec

from exporter.kubernetes import shapes
from exporter.kubernetes.amounts import bytes_of, instant_of
from exporter.kubernetes.classes import keep_class
from exporter.kubernetes.failures import reason_of
from exporter.kubernetes.kinds import Kind, Skipped
from exporter.kubernetes.pods import keep_pod
from exporter.kubernetes.records import (
    CsiDriver,
    CsiNode,
    Failure,
    NodeDriver,
    PersistentVolume,
    PersistentVolumeClaim,
    VolumeAttachment,
)
from exporter.kubernetes.shapes import Storage, Text, name_of, own, read, word
from exporter.kubernetes.volumes import DRIVERS, EBS_DRIVER, Unnamed, Volume, instance, volume_in_tree, volume_of

_ZONES = (
    "topology.kubernetes.io/zone",
    "topology.ebs.csi.aws.com/zone",
    "failure-domain.beta.kubernetes.io/zone",
)
_CLASS = "volume.beta.kubernetes.io/storage-class"
"""Where the class stood before there was a field; Kubernetes still believes it first."""

_PROVISIONERS = ("volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner")
_NOTHING: Mapping[str, str] = MappingProxyType({})

_VOLUME = msgspec.json.Decoder(shapes.Volume)
_CLAIM = msgspec.json.Decoder(shapes.Claim)
_ATTACHMENT = msgspec.json.Decoder(shapes.Attachment)
_NODE = msgspec.json.Decoder(shapes.Node)
_DRIVER = msgspec.json.Decoder(shapes.Driver)


# ---- volumes


def keep_volume(raw: bytes) -> PersistentVolume:
    """
    A persistent volume of an AWS driver, also where its handle names nothing.

    Raises:
        Skipped: it is malformed, or another driver's.
    """
    seen = read(_VOLUME, raw)
    name = name_of(seen.metadata)
    metadata = seen.metadata or shapes.AnnotatedMetadata()
    spec, status = seen.spec or shapes.VolumeSpec(), seen.status or shapes.VolumeStatus()
    driver, named, fstype = _source(spec)
    if named is Unnamed.OTHER_DRIVER:
        raise Skipped(named.value)
    claim = spec.claim_ref or shapes.Reference()
    return PersistentVolume(
        name=name,
        driver=driver,
        named=named,
        storageclass=word((metadata.annotations or {}).get(_CLASS) or spec.storage_class_name),
        reclaim_policy=word(spec.persistent_volume_reclaim_policy),
        fstype=word(fstype),
        zone=_zone(spec.node_affinity),
        volume_attributes_class=word(spec.volume_attributes_class_name),
        phase=word(status.phase),
        claim_namespace=word(claim.namespace),
        claim_name=own(claim.name),
        claim_uid=own(claim.uid),
        capacity=_size(spec.capacity),
        created=instant_of(metadata.creation_timestamp),
        deleted=instant_of(metadata.deletion_timestamp),
        phase_since=instant_of(status.last_phase_transition_time),
    )


def _source(spec: shapes.VolumeSpec) -> tuple[str, Volume | Unnamed, Text]:
    """The driver that serves a volume, what it names there, and its file system's type."""
    if spec.csi is not None:
        csi, driver = spec.csi, word(spec.csi.driver)
        attributes = csi.volume_attributes or _NOTHING
        return driver, volume_of(driver, csi.volume_handle or "", attributes, spec.mount_options or ()), csi.fs_type
    if spec.aws_elastic_block_store is not None:
        block = spec.aws_elastic_block_store
        return EBS_DRIVER, volume_in_tree(block.volume_id or ""), block.fs_type
    return "", Unnamed.OTHER_DRIVER, None


def _zone(affinity: shapes.Affinity | None) -> str:
    """The one zone that every term of *affinity* leaves, ``""`` where that is none or several."""
    selector = affinity.required if affinity is not None else None
    possible: set[str] = set()
    for term in (selector.node_selector_terms or ()) if selector is not None else ():
        wanted = [
            set(expression.values or ())
            for expression in term.match_expressions or ()
            if expression.key in _ZONES and expression.operator == "In"
        ]
        if not wanted:
            return ""
        possible |= set.intersection(*wanted)
    return word(possible.pop()) if len(possible) == 1 else ""


def _size(storage: Storage | None) -> int | None:
    return bytes_of(storage.storage) if storage is not None else None


# ---- claims


def keep_claim(raw: bytes, annotations: Callable[[str], bool]) -> PersistentVolumeClaim:
    """
    A claim, whosever.

    Args:
        raw: its JSON.

        annotations: which keys of its annotations are kept.

    Raises:
        Skipped: it is malformed.
    """
    seen = read(_CLAIM, raw)
    name = name_of(seen.metadata)
    metadata = seen.metadata or shapes.AnnotatedMetadata()
    spec, status = seen.spec or shapes.ClaimSpec(), seen.status or shapes.ClaimStatus()
    noted = metadata.annotations or _NOTHING
    resizing = status.allocated_resource_statuses
    return PersistentVolumeClaim(
        namespace=word(metadata.namespace),
        name=name,
        uid=own(metadata.uid),
        volume=own(spec.volume_name),
        storageclass=word(noted.get(_CLASS) or spec.storage_class_name),
        provisioner=word(next((noted[key] for key in _PROVISIONERS if key in noted), "")),
        access_mode=word(",".join(sorted(set(spec.access_modes or ())))),
        volume_mode=word(spec.volume_mode),
        volume_attributes_class=word(spec.volume_attributes_class_name),
        phase=word(status.phase),
        requested=_size(spec.resources.requests if spec.resources is not None else None),
        capacity=_size(status.capacity),
        created=instant_of(metadata.creation_timestamp),
        deleted=instant_of(metadata.deletion_timestamp),
        conditions=_conditions(status.conditions or ()),
        resize_status=_text(resizing.storage if resizing is not None else None) or word(status.resize_status),
        annotations=_wanted(noted, annotations),
    )


def _conditions(conditions: Sequence[shapes.Condition]) -> tuple[tuple[str, int | None], ...]:
    true = {word(each.type): instant_of(each.last_transition_time) for each in conditions if each.status == "True"}
    true.pop("", None)
    return tuple(sorted(true.items()))


def _text(value: object) -> str:
    return word(value) if isinstance(value, str) else ""


def _wanted(noted: Mapping[str, str], annotations: Callable[[str], bool]) -> Mapping[str, str]:
    return {key: value for key, value in noted.items() if annotations(key)} or _NOTHING


# ---- attachments, nodes, drivers


def keep_attachment(raw: bytes) -> VolumeAttachment:
    """
    The attachment of a volume of an AWS driver.

    Raises:
        Skipped: it is malformed, or another driver's.
    """
    seen = read(_ATTACHMENT, raw)
    name = name_of(seen.metadata)
    metadata = seen.metadata or shapes.Metadata()
    spec, status = seen.spec or shapes.AttachmentSpec(), seen.status or shapes.AttachmentStatus()
    driver = word(spec.attacher)
    if driver not in DRIVERS:
        raise Skipped(Unnamed.OTHER_DRIVER.value)
    source = spec.source or shapes.Source()
    named = _source(source.inline_volume_spec)[1] if source.inline_volume_spec is not None else Unnamed.OTHER_DRIVER
    return VolumeAttachment(
        name=name,
        driver=driver,
        node=word(spec.node_name),
        volume=own(source.persistent_volume_name),
        volume_id=named.volume_id if isinstance(named, Volume) else "",
        attached=status.attached is True,
        created=instant_of(metadata.creation_timestamp),
        deleted=instant_of(metadata.deletion_timestamp),
        attach_error=_failure(status.attach_error),
        detach_error=_failure(status.detach_error),
    )


def _failure(trouble: shapes.Trouble | None) -> Failure | None:
    if trouble is None:
        return None
    return Failure(word(reason_of(trouble.message or "")), instant_of(trouble.time))


def keep_node(raw: bytes) -> CsiNode:
    """
    A node with its AWS drivers, also where it has none.

    Raises:
        Skipped: it is malformed.
    """
    seen = read(_NODE, raw)
    name = name_of(seen.metadata)
    drivers: dict[str, NodeDriver] = {}
    for each in (seen.spec.drivers or ()) if seen.spec is not None else ():
        driver = word(each.name)
        if driver in DRIVERS:
            limit = each.allocatable.count if each.allocatable is not None else None
            sane = limit if limit is not None and 0 <= limit < 2**31 else None
            drivers.setdefault(driver, NodeDriver(driver, instance(each.node_id or ""), sane))
    return CsiNode(name, tuple(drivers[driver] for driver in sorted(drivers)))


def keep_driver(raw: bytes) -> CsiDriver:
    """
    An AWS driver.

    Raises:
        Skipped: it is malformed, or another one.
    """
    seen = read(_DRIVER, raw)
    name = name_of(seen.metadata)
    if name not in DRIVERS:
        raise Skipped(Unnamed.OTHER_DRIVER.value)
    spec = seen.spec or shapes.DriverSpec()
    return CsiDriver(
        name=name,
        attach_required=spec.attach_required is not False,
        storage_capacity=spec.storage_capacity is True,
        fs_group_policy=word(spec.fs_group_policy),
    )


# ---- all kinds

_STORAGE = "/apis/storage.k8s.io/v1"

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("persistentvolumes", "/api/v1/persistentvolumes", keep_volume),
        Kind(
            "persistentvolumeclaims",
            "/api/v1/persistentvolumeclaims",
            partial(keep_claim, annotations=lambda _: False),
        ),
        Kind("storageclasses", f"{_STORAGE}/storageclasses", keep_class),
        Kind("volumeattachments", f"{_STORAGE}/volumeattachments", keep_attachment),
        Kind("csinodes", f"{_STORAGE}/csinodes", keep_node),
        Kind("csidrivers", f"{_STORAGE}/csidrivers", keep_driver),
        Kind("pods", "/api/v1/pods", keep_pod),
    )
}
"""All kinds that can be watched, by name."""

DEFAULT = ("persistentvolumes", "persistentvolumeclaims", "storageclasses", "volumeattachments", "csinodes")
"""Those that are watched where nobody says otherwise: pods are many, and a privilege of their own."""


def kinds(wanted: Collection[str], annotations: Callable[[str], bool]) -> tuple[Kind, ...]:
    """
    The kinds that are *wanted*, in the order of `KINDS`.

    Args:
        wanted: names of kinds.

        annotations: which keys of claims' annotations are kept.

    Raises:
        ValueError: one of them is no kind.
    """
    unknown = sorted(set(wanted) - set(KINDS))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no such kind; there are {', '.join(KINDS)}")
    claims = replace(KINDS["persistentvolumeclaims"], keep=partial(keep_claim, annotations=annotations))
    return tuple(claims if name == claims.name else kind for name, kind in KINDS.items() if name in wanted)
