"""What a StorageClass asks its driver for, by the parameters of aws-facts 6.3. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from exporter.kubernetes import shapes
from exporter.kubernetes.records import StorageClass
from exporter.kubernetes.shapes import name_of, read, word
from exporter.kubernetes.volumes import DRIVERS, file_system, served_by

GP3_IOPS = 3000
GP3_THROUGHPUT = 125
"""MiB a second: what every gp3 volume has that asks for nothing else (aws-facts 4.2)."""

_FSTYPE = "csi.storage.k8s.io/fstype"
_IS_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_DECODER = msgspec.json.Decoder(shapes.Class)


def keep_class(raw: bytes) -> StorageClass:
    """
    A StorageClass of any provisioner.

    Raises:
        Skipped: it is malformed.
    """
    seen = read(_DECODER, raw)
    name = name_of(seen.metadata)
    provisioner = word(seen.provisioner)
    parameters = seen.parameters or {}
    annotations = (seen.metadata.annotations if seen.metadata is not None else None) or {}
    service = DRIVERS.get(served_by(provisioner))
    # The EBS driver does not care for the case of its keys; the one for the file system belongs to the provisioner.
    ebs = {key.lower(): value for key, value in parameters.items()} if service == "ebs" else {}
    efs = parameters if service == "efs" else {}
    volume_type = (word(ebs.get("type")) or "gp3") if service == "ebs" else ""
    return StorageClass(
        name=name,
        provisioner=provisioner,
        volume_type=volume_type,
        fstype=word(parameters.get(_FSTYPE) or ebs.get("fstype")) or ("ext4" if service == "ebs" else ""),
        provisioning_mode=word(efs.get("provisioningMode")),
        file_system_id=file_system(efs.get("fileSystemId", "")),
        encrypted=_boolean(ebs.get("encrypted")) if service == "ebs" else "",
        reclaim_policy=word(seen.reclaim_policy) or "Delete",
        volume_binding_mode=word(seen.volume_binding_mode) or "Immediate",
        iops=_iops(volume_type, ebs),
        throughput=_throughput(volume_type, ebs),
        allow_expansion=seen.allow_volume_expansion is True,
        default=any(annotations.get(key) == "true" for key in _IS_DEFAULT),
    )


def _iops(volume_type: str, parameters: Mapping[str, str]) -> int | None:
    if volume_type not in {"gp3", "io1", "io2"} or "iopspergb" in parameters:
        return None
    if "iops" in parameters:
        return _number(parameters["iops"])
    return GP3_IOPS if volume_type == "gp3" else None


def _throughput(volume_type: str, parameters: Mapping[str, str]) -> int | None:
    if volume_type != "gp3":
        return None
    mebibytes = _number(parameters["throughput"]) if "throughput" in parameters else GP3_THROUGHPUT
    return None if mebibytes is None else mebibytes * 1024**2


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _boolean(text: str | None) -> str:
    return "true" if text == "true" else "false"
