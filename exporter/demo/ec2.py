"""
EC2 in its own dialect, form in and XML out (aws-facts 3.2): what an exporter of EBS asks, with filters and pages.

Limits of a page are those AWS enforces: at least 5 items, ids and a page size exclude each other where the API
Reference says so. An unknown filter or id is an error, as there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exporter.demo.ec2_instances import instance_types, instances, regions, zones
from exporter.demo.ec2_lists import Given, Values, by_id, filtered, page, tag_set
from exporter.demo.nouns import Snapshot, Volume, uuid_of
from exporter.demo.wire import EC2, REQUEST_ID, XML_HEAD, Reply, Request, Tweaks, iso, namespace, numbered, refusal, xml
from exporter.demo.world import World


def handle(world: World, request: Request, operation: str, tweaks: Tweaks) -> Reply:
    """
    The answer to one EC2 call.

    Raises:
        WireError: as AWS would answer.
    """
    handler = _HANDLERS.get(operation)
    if handler is None:
        raise refusal(EC2, "unknown-operation", operation=operation)
    body = {"requestId": REQUEST_ID, **handler(world, request.parameters, tweaks)}
    text = f'{XML_HEAD}<{operation}Response xmlns="{namespace(EC2)}">{xml(body)}</{operation}Response>'
    return Reply(200, "text/xml;charset=UTF-8", text.encode())


# --- volumes ---------------------------------------------------------------------------------------------------------


def _volume_filters(world: World) -> dict[str, Values]:
    now = world.now()
    return {
        "volume-id": lambda item: [item.volume_id],
        "status": lambda item: [item.state(now)],
        "volume-type": lambda item: [item.type],
        "availability-zone": lambda item: [item.zone],
        "size": lambda item: [str(item.size)],
        "encrypted": lambda item: [str(item.encrypted).lower()],
        "multi-attach-enabled": lambda item: [str(item.multi_attach).lower()],
        "snapshot-id": lambda item: [item.snapshot_id],
        "attachment.status": lambda item: [held.state(now) or "" for held in item.held(now)],
        "attachment.instance-id": lambda item: [held.instance_id for held in item.held(now)],
        "attachment.device": lambda item: [held.device for held in item.held(now)],
    }


def _volumes(world: World, given: Given, tweaks: Tweaks) -> dict[str, Any]:
    found = by_id(world.volumes(), given, "VolumeId", lambda item: item.volume_id, "InvalidVolume.NotFound", "volume")
    found = filtered(found, given, _volume_filters(world), lambda item: item.tags)
    shown, token = page(found, given, tweaks, ids="VolumeId")
    return {"volumeSet": [_volume(world, item) for item in shown], "nextToken": token}


def _volume(world: World, volume: Volume) -> dict[str, Any]:
    now = world.now()
    return {
        "volumeId": volume.volume_id,
        "size": volume.size,
        "snapshotId": volume.snapshot_id,
        "availabilityZone": volume.zone,
        "availabilityZoneId": volume.zone_id,
        "status": volume.state(now),
        "createTime": iso(volume.created),
        "attachmentSet": [
            {
                "volumeId": volume.volume_id,
                "instanceId": item.instance_id,
                "device": item.device,
                "status": item.state(now),
                "attachTime": iso(item.since),
                "deleteOnTermination": item.delete_on_termination,
            }
            for item in volume.held(now)
        ],
        "tagSet": tag_set(volume.tags),
        "volumeType": volume.type,
        "iops": volume.iops or None,
        "encrypted": volume.encrypted,
        "kmsKeyId": f"arn:aws:kms:{world.region}:{world.account_id}:key/{uuid_of(world.seed, 'ebs-key')}"
        if volume.encrypted
        else None,
        "multiAttachEnabled": volume.multi_attach,
        "throughput": volume.throughput or None,
    }


def _status_item(world: World, volume: Volume) -> dict[str, Any]:
    status, performance = world.volume_status(volume)
    details = [{"name": "io-enabled", "status": "passed"}]
    if volume.type in {"io1", "io2", "gp3"}:
        details.append({"name": "io-performance", "status": performance})
    events = actions = None
    if performance != "normal":
        events = [
            {
                "eventId": f"evol-{volume.volume_id[4:]}",
                "eventType": f"io-performance:{performance}",
                "description": f"The I/O performance of the volume is {performance}.",
                "notBefore": iso(world.now() // 60 * 60 - 300),
            }
        ]
    hosts = [item for item in volume.held(world.now()) if item.state(world.now()) == "attached"]
    return {
        "volumeId": volume.volume_id,
        "availabilityZone": volume.zone,
        "availabilityZoneId": volume.zone_id,
        "volumeStatus": {"status": status, "details": details},
        "eventsSet": events,
        "actionsSet": actions,
        "attachmentStatuses": [{"instanceId": item.instance_id, "ioPerformance": performance} for item in hosts] or None
        if volume.multi_attach
        else None,
    }


def _volume_status(world: World, given: Given, tweaks: Tweaks) -> dict[str, Any]:
    found = by_id(world.volumes(), given, "VolumeId", lambda item: item.volume_id, "InvalidVolume.NotFound", "volume")
    found = [item for item in found if item.state(world.now()) in {"available", "in-use", "error"}]
    found = filtered(
        found,
        given,
        {
            "volume-status.status": lambda item: [world.volume_status(item)[0]],
            "volume-status.details-status": lambda item: ["passed", world.volume_status(item)[1]],
            "volume-status.details-name": lambda _: ["io-enabled", "io-performance"],
            "availability-zone": lambda item: [item.zone],
        },
    )
    shown, token = page(found, given, tweaks, ids="VolumeId")
    return {"volumeStatusSet": [_status_item(world, item) for item in shown], "nextToken": token}


def _modifications(world: World, given: Given, tweaks: Tweaks) -> dict[str, Any]:
    changed = [item for item in world.volumes() if item.modification is not None]
    changed = by_id(
        changed,
        given,
        "VolumeId",
        lambda item: item.volume_id,
        "InvalidVolumeModification.NotFound",
        "modification for volume",
    )
    changed = filtered(
        changed,
        given,
        {
            "volume-id": lambda item: [item.volume_id],
            "modification-state": lambda item: [item.modification.state],
        },
    )
    shown, token = page(changed, given, tweaks, ids="VolumeId", least=1, most=500)
    return {"volumeModificationSet": [_modification(world, item) for item in shown], "nextToken": token}


def _modification(world: World, volume: Volume) -> dict[str, Any]:
    change = volume.modification
    if change is None:
        return {}
    start = change.start(world.now())
    return {
        "volumeId": volume.volume_id,
        "modificationState": change.state,
        **{f"target{name}": value for name, value in change.target},
        **{f"original{name}": value for name, value in change.original},
        "progress": change.progress,
        "startTime": iso(start),
        "endTime": iso(start + change.duration) if change.state in {"completed", "failed"} else None,
    }


# --- snapshots -------------------------------------------------------------------------------------------------------


def _snapshots(world: World, given: Given, tweaks: Tweaks) -> dict[str, Any]:
    owners = {world.account_id if owner == "self" else owner for owner in numbered(given, "Owner")}
    found = [item for item in world.snapshots() if not owners or item.owner_id in owners]
    found = by_id(found, given, "SnapshotId", lambda item: item.snapshot_id, "InvalidSnapshot.NotFound", "snapshot")
    found = filtered(
        found,
        given,
        {
            "snapshot-id": lambda item: [item.snapshot_id],
            "volume-id": lambda item: [item.volume_id],
            "status": lambda item: [item.state],
            "owner-id": lambda item: [item.owner_id],
            "storage-tier": lambda item: [item.tier],
            "start-time": lambda item: [iso(item.started)],
        },
        lambda item: item.tags,
    )
    shown, token = page(found, given, tweaks, ids="SnapshotId")
    return {"snapshotSet": [_snapshot(item) for item in shown], "nextToken": token}


def _snapshot(item: Snapshot) -> dict[str, Any]:
    return {
        "snapshotId": item.snapshot_id,
        "volumeId": item.volume_id,
        "status": item.state,
        "startTime": iso(item.started),
        "completionTime": None if item.completed is None else iso(item.completed),
        "progress": item.progress,
        "ownerId": item.owner_id,
        "volumeSize": item.size,
        "description": item.description,
        "encrypted": item.encrypted,
        "storageTier": item.tier,
        "fullSnapshotSizeInBytes": item.full_size_bytes,
        "tagSet": tag_set(item.tags),
    }


def _fast_restores(world: World, given: Given, tweaks: Tweaks) -> dict[str, Any]:
    found = filtered(
        world.estate.fast_restores,
        given,
        {
            "state": lambda item: [item.state],
            "snapshot-id": lambda item: [item.snapshot_id],
            "availability-zone": lambda item: [item.zone],
        },
    )
    shown, token = page(found, given, tweaks, least=0, most=200)
    return {
        "fastSnapshotRestoreSet": [
            {
                "snapshotId": item.snapshot_id,
                "availabilityZone": item.zone,
                "availabilityZoneId": item.zone_id,
                "state": item.state,
                "ownerId": world.account_id,
                "enabledTime": iso(item.enabled),
            }
            for item in shown
        ],
        "nextToken": token,
    }


_HANDLERS: dict[str, Callable[[World, Given, Tweaks], dict[str, Any]]] = {
    "DescribeVolumes": _volumes,
    "DescribeVolumeStatus": _volume_status,
    "DescribeVolumesModifications": _modifications,
    "DescribeSnapshots": _snapshots,
    "DescribeFastSnapshotRestores": _fast_restores,
    "DescribeInstances": instances,
    "DescribeInstanceTypes": instance_types,
    "DescribeRegions": regions,
    "DescribeAvailabilityZones": zones,
}
