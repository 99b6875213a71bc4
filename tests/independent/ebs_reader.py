"""What Describe tells of EBS (aws-facts 3.2): volumes and the instances that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.independent.place import GIB, MEGABYTE, MIB, Holding, Item, Place, tags_of, unix, yes_no
from tests.independent.points import Subject

VOLUME_STATUSES = ("ok", "warning", "impaired", "insufficient-data")
ATTACHED = ("attached", "detaching", "busy")  # the states of an attachment that exists


def read(place: Place) -> None:
    """Say what Describe tells, and note what CloudWatch is to be asked about."""
    volumes = {item["VolumeId"]: item for item in place.all("ec2", "describe_volumes", "Volumes")}
    hosts = _instances(place, {part["InstanceId"] for item in volumes.values() for part in item["Attachments"]})
    for volume_id, item in volumes.items():
        _volume(place, volume_id, item, hosts)
    for item in place.all("ec2", "describe_volume_status", "VolumeStatuses"):
        if item["VolumeId"] in volumes:
            _volume_status(place, item["VolumeId"], item)
    _modifications(place, volumes)
    _snapshots(place, volumes)
    if "on-request" in place.wanted.tiers:
        for item in place.all("ec2", "describe_fast_snapshot_restores", "FastSnapshotRestores"):
            where = item["SnapshotId"], item["AvailabilityZone"]
            place.subjects.append(Subject("fast-restore", where, where, {}))


def _volume(place: Place, volume_id: str, item: Item, hosts: Mapping[str, Mapping[str, Any]]) -> None:
    tags = tags_of(item)
    described = (
        *(item["VolumeType"], item["State"], item["AvailabilityZone"], yes_no(item["Encrypted"])),
        *(item.get("KmsKeyId", ""), yes_no(item["MultiAttachEnabled"]), item.get("SnapshotId", "")),
    )
    place.say("aws_ebs_volume_info", (volume_id, *described), 1, tags)
    arn = f"arn:aws:ec2:{place.region}:{place.account}:volume/{volume_id}"
    place.holdings.append(Holding("ebs_volume", (volume_id,), item.get("KmsKeyId", ""), arn))
    place.say("aws_ebs_volume_encrypted", (volume_id,), 1 if item["Encrypted"] else 0)
    place.say("aws_ebs_volume_size_bytes", (volume_id,), item["Size"] * GIB)
    if "Iops" in item:
        place.say("aws_ebs_volume_provisioned_iops", (volume_id,), item["Iops"])
    if "Throughput" in item:
        name = "aws_ebs_volume_provisioned_throughput_bytes_per_second"
        place.say(name, (volume_id,), item["Throughput"] * MIB)
    place.say("aws_ebs_volume_created_timestamp_seconds", (volume_id,), unix(item["CreateTime"]))
    made_for = {
        key: tags.get(f"kubernetes.io/created-for/{key}", "") for key in ("pv/name", "pvc/name", "pvc/namespace")
    }
    if made_for["pv/name"]:
        place.say("aws_ebs_volume_persistentvolumeclaim_info", (volume_id, *made_for.values(), ""), 1)
    for part in item["Attachments"]:
        host, state = part["InstanceId"], part["State"]
        last = yes_no(part["DeleteOnTermination"])
        place.say("aws_ebs_volume_attachment_info", (volume_id, host, part["Device"], state, last), 1)
        name = "aws_ebs_volume_attachment_start_timestamp_seconds"
        place.say(name, (volume_id, host, state), unix(part["AttachTime"]))
    held_by = [part["InstanceId"] for part in item["Attachments"] if part["State"] in ATTACHED]
    if not held_by:
        return  # published "only while the volume is attached" (aws-facts 1.1)
    facts = {
        "type": item["VolumeType"],
        "size_gib": item["Size"],
        "multi_attach": item["MultiAttachEnabled"],
        "nitro": any(hosts[host]["nitro"] for host in held_by),
    }
    place.subjects.append(Subject("volume", (volume_id,), (volume_id,), facts, place.pinned(tags)))
    for host in held_by:
        pair = {**facts, "nitro": hosts[host]["nitro"]}
        place.subjects.append(Subject("attachment", (host, volume_id), (volume_id,), pair, place.pinned(tags)))


def _volume_status(place: Place, volume_id: str, item: Item) -> None:
    for status in VOLUME_STATUSES:
        said = item["VolumeStatus"]["Status"] == status
        place.say("aws_ebs_volume_status", (volume_id, status), 1 if said else 0)
    for check in item["VolumeStatus"]["Details"]:
        place.say("aws_ebs_volume_status_check_info", (volume_id, check["Name"], check["Status"]), 1)
    for event in {event["EventType"] for event in item.get("Events", ())}:
        place.say("aws_ebs_volume_status_event_info", (volume_id, event), 1)


def _modifications(place: Place, volumes: Mapping[str, Item]) -> None:
    found = place.all("ec2", "describe_volumes_modifications", "VolumesModifications")
    for volume_id, item in newest_by_volume(found, volumes).items():
        state = item["ModificationState"]
        types = item["OriginalVolumeType"], item["TargetVolumeType"]
        place.say("aws_ebs_volume_modification_info", (volume_id, state, *types), 1)
        place.say("aws_ebs_volume_modification_progress_ratio", (volume_id,), item["Progress"] / 100)
        start, end = "modification_start", "modification_end"
        place.say(f"aws_ebs_volume_{start}_timestamp_seconds", (volume_id, state), unix(item["StartTime"]))
        if "EndTime" in item:
            place.say(f"aws_ebs_volume_{end}_timestamp_seconds", (volume_id,), unix(item["EndTime"]))


def _snapshots(place: Place, volumes: Mapping[str, Item]) -> None:
    own = list(place.all("ec2", "describe_snapshots", "Snapshots", OwnerIds=["self"]))
    for volume_id, item in newest_by_volume(own, volumes).items():
        name = "aws_ebs_volume_newest_snapshot_start_timestamp_seconds"
        place.say(name, (volume_id, item["SnapshotId"], item["State"]), unix(item["StartTime"]))
    done = (item for item in own if item["State"] == "completed")
    for volume_id, item in newest_by_volume(done, volumes).items():
        place.say("aws_ebs_volume_last_snapshot_timestamp_seconds", (volume_id,), unix(item["StartTime"]))


def _instances(place: Place, holding: set[str]) -> dict[str, Mapping[str, Any]]:
    """Say what limits the instances that hold volumes have; returns what matters to metrics, by instance."""
    known: dict[str, Mapping[str, Any]] = {}
    types = {item["InstanceType"]: item for item in place.all("ec2", "describe_instance_types", "InstanceTypes")}
    for reservation in place.all("ec2", "describe_instances", "Reservations"):
        for item in reservation["Instances"]:
            if item["InstanceId"] in holding:
                known[item["InstanceId"]] = _instance(place, item, types[item["InstanceType"]])
    return known


def _instance(place: Place, item: Item, kind: Item) -> Mapping[str, Any]:
    instance_id = item["InstanceId"]
    metal = kind["BareMetal"]
    nitro = metal or kind["Hypervisor"] == "nitro"  # bare metal runs on the Nitro cards without the hypervisor
    ebs, limits = kind["EbsInfo"], kind["EbsInfo"]["EbsOptimizedInfo"]
    described = (
        *(item["InstanceType"], item["Placement"]["AvailabilityZone"], item["State"]["Name"], yes_no(nitro)),
        ebs["AttachmentLimitType"],
    )
    place.say("aws_ebs_instance_info", (instance_id, *described), 1)
    place.say("aws_ebs_instance_attachment_limit", (instance_id,), ebs["MaximumEbsAttachments"])
    for level in ("Baseline", "Maximum"):
        prefix = f"aws_ebs_instance_{level.lower()}"
        place.say(f"{prefix}_iops", (instance_id,), limits[f"{level}Iops"])
        throughput = limits[f"{level}ThroughputInMBps"] * MEGABYTE  # decimal (aws-facts 3.2)
        place.say(f"{prefix}_throughput_bytes_per_second", (instance_id,), throughput)
    facts = {"nitro": nitro, "metal": metal, "bursts": limits["MaximumIops"] > limits["BaselineIops"]}
    pinned = place.pinned(tags_of(item))
    place.subjects.append(Subject("instance", (instance_id,), (instance_id,), facts, pinned))
    return facts


def newest_by_volume(items: Iterable[Item], volumes: Mapping[str, Item]) -> dict[str, Item]:
    """The newest begun of *items* for each of *volumes* that has one."""
    ordered = sorted(items, key=lambda item: unix(item["StartTime"]))
    return {item["VolumeId"]: item for item in ordered if item["VolumeId"] in volumes}
