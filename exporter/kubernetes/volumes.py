"""
Which AWS resource a persistent volume names: the grammars of the drivers' handles (aws-facts 6.2). Pure.

An id comes out only where it stands in the handle letter for letter and is well formed; what it belongs to is for
`claims`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Literal

import msgspec

Service = Literal["ebs", "efs", "s3"]

EBS_DRIVER = "ebs.csi.aws.com"
EBS_IN_TREE = "kubernetes.io/aws-ebs"
"""The provisioner of volumes from before CSI. Since Kubernetes 1.25 `EBS_DRIVER` serves them."""

EBS_AUTO_DRIVER = "ebs.csi.eks.amazonaws.com"
"""Of EKS Auto Mode."""

EFS_DRIVER = "efs.csi.aws.com"
S3_DRIVER = "s3.csi.aws.com"
"""Mountpoint for Amazon S3."""

DRIVERS: Mapping[str, Service] = {EBS_DRIVER: "ebs", EBS_AUTO_DRIVER: "ebs", EFS_DRIVER: "efs", S3_DRIVER: "s3"}

_VOLUME = re.compile(r"vol-(?:[0-9a-f]{8}|[0-9a-f]{17})")
_IN_TREE = re.compile(r"(?:aws://[a-z0-9-]*/)?(vol-.*)")
# EFS ids have 8 or 17 digits today and may have up to 40 (its API's own pattern); its driver takes shorter ones.
_FILE_SYSTEM = re.compile(r"fs-[0-9a-f]{1,40}")
_ACCESS_POINT = re.compile(r"fsap-[0-9a-f]{1,40}")
# Old buckets of us-east-1 have capitals, underscores and up to 255 characters.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,254}")
_INSTANCE = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")
_LONGEST_PATH = 4096


class Volume(msgspec.Struct, frozen=True, gc=False):
    """
    What a persistent volume names in AWS.

    Args:
        service: whose it is; says which of the others are set.

        volume_id: of an EBS volume.

        file_system_id: of an EFS file system.

        access_point_id: of the access point in it, ``""`` where the handle names none.

        path: below the root of the file system or of the access point, as it is written; ``""`` for none.

        bucket: its name.
    """

    service: Service
    volume_id: str = ""
    file_system_id: str = ""
    access_point_id: str = ""
    path: str = ""
    bucket: str = ""


class Unnamed(StrEnum):
    """Why a persistent volume names no AWS resource; a label's value."""

    OTHER_DRIVER = "other_driver"
    MALFORMED_HANDLE = "malformed_handle"
    TWO_ACCESS_POINTS = "two_access_points"
    NO_BUCKET = "no_bucket"


def served_by(provisioner: str) -> str:
    """The AWS CSI driver that serves volumes of *provisioner*, ``""`` where none does."""
    name = EBS_DRIVER if provisioner == EBS_IN_TREE else provisioner
    return name if name in DRIVERS else ""


def volume_of(
    driver: str, handle: str, attributes: Mapping[str, str], mount_options: Sequence[str] = ()
) -> Volume | Unnamed:
    """
    What a persistent volume of a CSI driver names, or why it names nothing.

    Args:
        driver: ``spec.csi.driver``.

        handle: ``spec.csi.volumeHandle``.

        attributes: ``spec.csi.volumeAttributes``.

        mount_options: ``spec.mountOptions``.
    """
    match DRIVERS.get(driver):
        case "ebs":
            return Volume("ebs", volume_id=handle) if _VOLUME.fullmatch(handle) else Unnamed.MALFORMED_HANDLE
        case "efs":
            return _efs(handle, attributes, mount_options)
        case "s3":
            bucket = attributes.get("bucketName", "")  # or the ARN of an access point, which names no bucket
            return Volume("s3", bucket=bucket) if _BUCKET.fullmatch(bucket) else Unnamed.NO_BUCKET
    return Unnamed.OTHER_DRIVER


def volume_in_tree(volume_id: str) -> Volume | Unnamed:
    """What ``spec.awsElasticBlockStore.volumeID`` names: ``aws://zone/vol-…``, ``aws:///vol-…`` or ``vol-…``."""
    found = _IN_TREE.fullmatch(volume_id)
    return volume_of(EBS_DRIVER, found[1], {}) if found else Unnamed.MALFORMED_HANDLE


def file_system(text: str) -> str:
    """*text* where it is the id of an EFS file system, else ``""``."""
    return text if _FILE_SYSTEM.fullmatch(text) else ""


def instance(text: str) -> str:
    """*text* where it is the id of an EC2 instance, else ``""``: what drivers call a node is their own matter."""
    return text if _INSTANCE.fullmatch(text) else ""


def _efs(handle: str, attributes: Mapping[str, str], mount_options: Sequence[str]) -> Volume | Unnamed:
    """``fs[:path[:access point[:…]]]``; older manifests name path and access point beside the handle."""
    system, path, point, *_ = *handle.split(":"), "", ""
    named = {option[12:] for option in mount_options if option.lower().startswith("accesspoint=")} | {point}
    named.discard("")
    path = path or next((value for key, value in attributes.items() if key.lower() == "path"), "")
    if not file_system(system) or len(path) > _LONGEST_PATH or not all(map(_ACCESS_POINT.fullmatch, named)):
        return Unnamed.MALFORMED_HANDLE
    if len(named) > 1:
        return Unnamed.TWO_ACCESS_POINTS
    return Volume("efs", file_system_id=system, access_point_id="".join(named), path=path)
