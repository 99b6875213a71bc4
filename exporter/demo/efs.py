"""EFS in its REST-JSON dialect (aws-facts 3.3): paths, page sizes and errors as the EFS API Reference gives them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import orjson

from exporter.demo.metrics import last_sync
from exporter.demo.nouns import AccessPoint, FileSystem, MountTarget, Tags
from exporter.demo.wire import EFS, Reply, Request, Tweaks, WireError, cut_page, refusal
from exporter.demo.world import World

VERSION = "/2015-02-01"

_ROUTES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (operation, re.compile(VERSION + pattern + "/?"))
    for operation, pattern in (
        ("DescribeReplicationConfigurations", "/file-systems/replication-configurations"),
        ("DescribeLifecycleConfiguration", "/file-systems/(?P<id>[^/]+)/lifecycle-configuration"),
        ("DescribeBackupPolicy", "/file-systems/(?P<id>[^/]+)/backup-policy"),
        ("DescribeFileSystemPolicy", "/file-systems/(?P<id>[^/]+)/policy"),
        ("DescribeFileSystems", "/file-systems"),
        ("DescribeMountTargets", "/mount-targets"),
        ("DescribeAccessPoints", "/access-points"),
        ("ListTagsForResource", "/resource-tags/(?P<id>.+)"),
    )
)


def operation_of(request: Request) -> str:
    """The operation a request means, ``""`` when none does."""
    if request.method != "GET":
        return ""
    return next((name for name, pattern in _ROUTES if pattern.fullmatch(request.path)), "")


def handle(world: World, request: Request, operation: str, tweaks: Tweaks) -> Reply:
    """
    The answer to one EFS call.

    Raises:
        WireError: as AWS would answer.
    """
    handler = _HANDLERS.get(operation)
    if handler is None:
        raise refusal(EFS, "unknown-operation")
    pattern = dict(_ROUTES)[operation].fullmatch(request.path)
    identity = unquote(pattern["id"]) if pattern and "id" in pattern.groupdict() else ""
    body = handler(world, request.parameters, identity, tweaks)
    return Reply(200, "application/json", orjson.dumps({name: part for name, part in body.items() if part is not None}))


Body = dict[str, Any]


def _system(world: World, identity: str) -> FileSystem:
    identity = identity.rsplit("/", 1)[-1]
    found = next((item for item in world.file_systems() if item.file_system_id == identity), None)
    if found is None:
        raise WireError("FileSystemNotFound", f"File system '{identity}' does not exist.", 404)
    return found


def _size(given: dict[str, str], name: str) -> int:
    value = given.get(name)
    if value is None:
        return 100
    if not value.isdigit() or not int(value):
        raise WireError("BadRequest", f"invalid {name}: {value}")
    return min(100, int(value))


def _tags(tags: Tags) -> list[Body]:
    return [{"Key": key, "Value": value} for key, value in tags]


def _file_systems(world: World, given: dict[str, str], _: str, tweaks: Tweaks) -> Body:
    wanted = given.get("FileSystemId")
    systems = [_system(world, wanted)] if wanted else world.file_systems()
    if "CreationToken" in given:
        systems = [item for item in systems if item.token == given["CreationToken"]]
    shown, marker = cut_page(systems, given.get("Marker"), _size(given, "MaxItems"), tweaks, code="BadRequest")
    return {
        "Marker": given.get("Marker"),
        "FileSystems": [_file_system(world, item) for item in shown],
        "NextMarker": marker,
    }


def _file_system(world: World, system: FileSystem) -> Body:
    now = world.now()
    sizes = system.sizes(now)
    body: Body = {
        "OwnerId": world.account_id,
        "CreationToken": system.token,
        "FileSystemId": system.file_system_id,
        "FileSystemArn": _arn(world, "file-system", system.file_system_id),
        "CreationTime": system.created,
        "LifeCycleState": system.state,
        "Name": system.name,
        "NumberOfMountTargets": len(system.mount_targets),
        "SizeInBytes": {
            "Value": sizes["Total"],
            "Timestamp": float(now // 3600 * 3600),
            "ValueInIA": sizes.get("IA", 0),
            "ValueInStandard": sizes["Standard"],
            "ValueInArchive": sizes.get("Archive", 0),
        },
        "PerformanceMode": system.performance_mode,
        "Encrypted": system.encrypted,
        "KmsKeyId": system.kms_key_id or None,
        "ThroughputMode": system.throughput_mode,
        "ProvisionedThroughputInMibps": system.provisioned_mibps,
        "AvailabilityZoneName": system.zone or None,
        "AvailabilityZoneId": system.zone_id or None,
        "Tags": _tags(system.tags),
        "FileSystemProtection": {"ReplicationOverwriteProtection": "ENABLED"},
    }
    return {name: part for name, part in body.items() if part is not None}


def _arn(world: World, kind: str, identity: str) -> str:
    return f"arn:aws:elasticfilesystem:{world.region}:{world.account_id}:{kind}/{identity}"


def _mount_targets(world: World, given: dict[str, str], _: str, tweaks: Tweaks) -> Body:
    pairs = [(system, item) for system in world.file_systems() for item in system.mount_targets]
    if "FileSystemId" in given:
        system = _system(world, given["FileSystemId"])
        pairs = [(system, item) for item in system.mount_targets]
    elif "MountTargetId" in given:
        pairs = [pair for pair in pairs if pair[1].mount_target_id == given["MountTargetId"]]
        if not pairs:
            raise WireError("MountTargetNotFound", f"Mount target '{given['MountTargetId']}' does not exist.", 404)
    elif "AccessPointId" in given:
        system, _point = _access_point(world, given["AccessPointId"])
        pairs = [(system, item) for item in system.mount_targets]
    else:
        raise WireError("BadRequest", "One of FileSystemId, MountTargetId or AccessPointId must be given.")
    # "This number is automatically set to 10 … if MaxItems is not given" and pages of at most 100 (EFS API Reference).
    size = _size(given, "MaxItems") if "MaxItems" in given else 10
    shown, marker = cut_page(pairs, given.get("Marker"), size, tweaks, code="BadRequest")
    return {
        "Marker": given.get("Marker"),
        "MountTargets": [_mount_target(world, *pair) for pair in shown],
        "NextMarker": marker,
    }


def _mount_target(world: World, system: FileSystem, target: MountTarget) -> Body:
    return {
        "OwnerId": world.account_id,
        "MountTargetId": target.mount_target_id,
        "FileSystemId": system.file_system_id,
        "SubnetId": target.subnet_id,
        "LifeCycleState": target.state_at(world.now()),
        "IpAddress": target.address,
        "NetworkInterfaceId": target.interface_id,
        "AvailabilityZoneId": target.zone_id,
        "AvailabilityZoneName": target.zone,
        "VpcId": "vpc-0a1b2c3d4e5f60718",
    }


def _access_point(world: World, identity: str) -> tuple[FileSystem, AccessPoint]:
    identity = identity.rsplit("/", 1)[-1]
    for system in world.file_systems():
        for item in system.access_points:
            if item.access_point_id == identity and item.created <= world.now() < item.deleted:
                return system, item
    raise WireError("AccessPointNotFound", f"Access point '{identity}' does not exist.", 404)


def _access_points(world: World, given: dict[str, str], _: str, tweaks: Tweaks) -> Body:
    if "AccessPointId" in given:
        pairs = [_access_point(world, given["AccessPointId"])]
    else:
        wanted = given.get("FileSystemId")
        systems = [_system(world, wanted)] if wanted else world.file_systems()
        now = world.now()
        pairs = [
            (system, item) for system in systems for item in system.access_points if item.created <= now < item.deleted
        ]
    shown, token = cut_page(pairs, given.get("NextToken"), _size(given, "MaxResults"), tweaks, code="BadRequest")
    return {"AccessPoints": [_access_point_body(world, *pair) for pair in shown], "NextToken": token}


def _access_point_body(world: World, system: FileSystem, point: AccessPoint) -> Body:
    body: Body = {
        "ClientToken": point.client_token,
        "Name": point.name or None,
        "Tags": _tags(point.tags),
        "AccessPointId": point.access_point_id,
        "AccessPointArn": _arn(world, "access-point", point.access_point_id),
        "FileSystemId": system.file_system_id,
        "PosixUser": {"Uid": point.uid, "Gid": point.gid},
        "RootDirectory": {
            "Path": point.path,
            "CreationInfo": {"OwnerUid": point.uid, "OwnerGid": point.gid, "Permissions": "700"},
        },
        "OwnerId": world.account_id,
        "LifeCycleState": point.state,
    }
    return {name: part for name, part in body.items() if part is not None}


def _lifecycle(world: World, _given: dict[str, str], identity: str, _: Tweaks) -> Body:
    return {"LifecyclePolicies": [{name: rule} for name, rule in _system(world, identity).lifecycle]}


def _backup(world: World, _given: dict[str, str], identity: str, _: Tweaks) -> Body:
    status = _system(world, identity).backup
    if status is None:
        raise WireError("PolicyNotFound", f"Backup policy for file system '{identity}' does not exist.", 404)
    return {"BackupPolicy": {"Status": status}}


def _policy(world: World, _given: dict[str, str], identity: str, _: Tweaks) -> Body:
    system = _system(world, identity)
    if not system.tls_only:
        raise WireError("PolicyNotFound", f"File system '{identity}' has no policy.", 404)
    # As the console writes it for "Enforce in-transit encryption for all clients".
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "*",
        "Resource": _arn(world, "file-system", system.file_system_id),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Version": "2012-10-17", "Id": "efs-policy", "Statement": [statement]}
    return {"FileSystemId": system.file_system_id, "Policy": orjson.dumps(policy).decode()}


def _replication(world: World, given: dict[str, str], _: str, tweaks: Tweaks) -> Body:
    wanted = given.get("FileSystemId")
    systems = [_system(world, wanted)] if wanted else world.file_systems()
    replicated = [item for item in systems if item.replication]
    if wanted and not replicated:
        raise WireError("ReplicationNotFound", f"Replication for file system '{wanted}' does not exist.", 404)
    shown, token = cut_page(replicated, given.get("NextToken"), _size(given, "MaxResults"), tweaks, code="BadRequest")
    return {"Replications": [_replication_body(world, item) for item in shown], "NextToken": token}


def _replication_body(world: World, system: FileSystem) -> Body:
    replication = system.replication
    destination: Body = {}
    if replication:
        destination = {
            "Status": replication.status,
            "FileSystemId": replication.destination_id,
            "Region": replication.region,
            "LastReplicatedTimestamp": float(last_sync(system, world.now())),
            "OwnerId": world.account_id,
        }
    arn = _arn(world, "file-system", system.file_system_id)
    return {
        "SourceFileSystemId": system.file_system_id,
        "SourceFileSystemRegion": world.region,
        "SourceFileSystemArn": arn,
        "OriginalSourceFileSystemArn": arn,
        "CreationTime": system.created + 3600,
        "SourceFileSystemOwnerId": world.account_id,
        "Destinations": [destination],
    }


def _list_tags(world: World, given: dict[str, str], identity: str, tweaks: Tweaks) -> Body:
    name = identity.rsplit("/", 1)[-1]
    tags = _access_point(world, name)[1].tags if name.startswith("fsap-") else _system(world, name).tags
    shown, token = cut_page(_tags(tags), given.get("NextToken"), _size(given, "MaxResults"), tweaks, code="BadRequest")
    return {"Tags": shown, "NextToken": token}


_HANDLERS: dict[str, Callable[[World, dict[str, str], str, Tweaks], Body]] = {
    "DescribeFileSystems": _file_systems,
    "DescribeMountTargets": _mount_targets,
    "DescribeAccessPoints": _access_points,
    "DescribeLifecycleConfiguration": _lifecycle,
    "DescribeBackupPolicy": _backup,
    "DescribeFileSystemPolicy": _policy,
    "DescribeReplicationConfigurations": _replication,
    "ListTagsForResource": _list_tags,
}
