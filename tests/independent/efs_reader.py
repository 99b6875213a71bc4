"""What Describe tells of EFS (aws-facts 3.3)."""

from __future__ import annotations

import re

from botocore.exceptions import ClientError

from tests.independent.metric import DAY
from tests.independent.place import MIB, Holding, Item, Place, asked, requires_tls, tags_of, unix, yes_no
from tests.independent.points import Subject
from tests.independent.table import STORAGE_CLASSES


def read(place: Place) -> None:
    """Say what Describe tells, and note what CloudWatch is to be asked about."""
    systems = {item["FileSystemId"]: item for item in place.all("efs", "describe_file_systems", "FileSystems")}
    for system_id, item in systems.items():
        _file_system(place, system_id, item)
        _mount_targets(place, system_id)
        _access_points(place, system_id)
        _policies(place, system_id)
    for item in _replications(place):
        if item["SourceFileSystemId"] in systems:
            _replication(place, item, place.pinned(tags_of(systems[item["SourceFileSystemId"]])))


def _file_system(place: Place, system_id: str, item: Item) -> None:
    tags = tags_of(item)
    described = (
        *(item.get("Name", ""), item["ThroughputMode"], item["PerformanceMode"], item["LifeCycleState"]),
        *(yes_no(item["Encrypted"]), item.get("KmsKeyId", ""), item.get("AvailabilityZoneName", "")),
        item["FileSystemProtection"]["ReplicationOverwriteProtection"],
    )
    place.say("aws_efs_file_system_info", (system_id, *described), 1, tags)
    place.holdings.append(Holding("efs_file_system", (system_id,), item.get("KmsKeyId", ""), item["FileSystemArn"]))
    place.say("aws_efs_file_system_encrypted", (system_id,), 1 if item["Encrypted"] else 0)
    place.say("aws_efs_file_system_created_timestamp_seconds", (system_id,), unix(item["CreationTime"]))
    if "ProvisionedThroughputInMibps" in item:
        name = "aws_efs_file_system_provisioned_throughput_bytes_per_second"
        place.say(name, (system_id,), item["ProvisionedThroughputInMibps"] * MIB)
    size = item["SizeInBytes"]
    for storage_class in ("Standard", "IA", "Archive"):
        name = "aws_efs_file_system_metered_size_bytes"
        place.say(name, (system_id, storage_class), size[f"ValueIn{storage_class}"])
    if "Timestamp" in size:
        place.say("aws_efs_file_system_metered_size_timestamp_seconds", (system_id,), unix(size["Timestamp"]))
    facts = {"throughput_mode": item["ThroughputMode"], "performance_mode": item["PerformanceMode"]}
    own, pinned = (system_id,), place.pinned(tags)
    place.subjects.append(Subject("file-system", own, own, facts, pinned))
    place.subjects.append(Subject("all-classes", (system_id, "Total"), own, facts, pinned))
    for storage_class in STORAGE_CLASSES:
        pair = system_id, storage_class
        place.subjects.append(Subject("storage-class", pair, pair, facts, pinned))


def _mount_targets(place: Place, system_id: str) -> None:
    for item in place.all("efs", "describe_mount_targets", "MountTargets", FileSystemId=system_id):
        zone, state = item["AvailabilityZoneName"], item["LifeCycleState"]
        place.say("aws_efs_mount_target_available", (system_id, zone), 1 if state == "available" else 0)
        described = item["MountTargetId"], item["SubnetId"], item["IpAddress"], state
        place.say("aws_efs_mount_target_info", (system_id, zone, *described), 1)


def _access_points(place: Place, system_id: str) -> None:
    found = list(place.all("efs", "describe_access_points", "AccessPoints", FileSystemId=system_id))
    place.say("aws_efs_file_system_access_points", (system_id,), len(found))
    for item in found:
        described = (
            *(item["AccessPointId"], item.get("Name", ""), item["RootDirectory"]["Path"], item["ClientToken"]),
            *(str(item["PosixUser"]["Uid"]), str(item["PosixUser"]["Gid"]), item["LifeCycleState"]),
        )
        place.say("aws_efs_access_point_info", (system_id, *described), 1, tags_of(item))
        if "efs.csi.aws.com/cluster" in tags_of(item) and item["ClientToken"].startswith("pvc-"):
            labels = system_id, item["AccessPointId"], item["ClientToken"], "", "", ""
            place.say("aws_efs_access_point_persistentvolumeclaim_info", labels, 1)


def _policies(place: Place, system_id: str) -> None:
    answer = place.client("efs").describe_lifecycle_configuration(FileSystemId=system_id)
    rules: dict[str, str] = {key: value for policy in answer["LifecyclePolicies"] for key, value in policy.items()}
    keys = "TransitionToIA", "TransitionToArchive", "TransitionToPrimaryStorageClass"
    place.say("aws_efs_file_system_lifecycle_info", (system_id, *(rules.get(key, "") for key in keys)), 1)
    for storage_class in ("IA", "Archive"):
        if found := re.fullmatch(r"AFTER_(\d+)_DAYS?", rules.get(f"TransitionTo{storage_class}", "")):
            name = "aws_efs_file_system_lifecycle_transition_seconds"
            place.say(name, (system_id, storage_class), int(found[1]) * DAY)
    policy = asked(place.client("efs").describe_file_system_policy, "PolicyNotFound", FileSystemId=system_id)
    required = policy is not None and requires_tls(policy["Policy"], "elasticfilesystem")
    place.say("aws_efs_file_system_transit_encryption_required", (system_id,), 1 if required else 0)
    backup = asked(place.client("efs").describe_backup_policy, "PolicyNotFound", FileSystemId=system_id)
    enabled = backup is not None and backup["BackupPolicy"]["Status"] == "ENABLED"
    place.say("aws_efs_file_system_backup_enabled", (system_id,), 1 if enabled else 0)


def _replications(place: Place) -> list[Item]:
    try:
        return list(place.all("efs", "describe_replication_configurations", "Replications"))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ReplicationNotFound":
            raise
        return []


def _replication(place: Place, item: Item, pinned: bool) -> None:
    for target in item["Destinations"]:
        pair = item["SourceFileSystemId"], target["FileSystemId"]
        place.say("aws_efs_file_system_replication_info", (*pair, target["Region"], target["Status"]), 1)
        if "LastReplicatedTimestamp" in target:
            name = "aws_efs_file_system_last_replicated_timestamp_seconds"
            place.say(name, pair, unix(target["LastReplicatedTimestamp"]))
        place.subjects.append(Subject("replication", pair, pair, {}, pinned))
