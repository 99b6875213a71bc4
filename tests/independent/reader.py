"""
A second way from AWS to series: plain boto3, and nothing of the exporter.

It asks as a person with boto3 and AWS's documentation would: every page of every Describe operation, one query a metric
and resource, and from the answers computes what `/metrics` must show after a first pass at an instant: the fold of
`table` over a window that ends with the newest period older than the delay (design.md 6.2). What is about CloudWatch
stands in `table`; here is what Describe tells (aws-facts 3.2 and 3.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

from tests.independent.comparing import Series
from tests.independent.points import Question, Subject, ask, first_question, folded
from tests.independent.table import INVENTORY, LABELS, METRICS, STORAGE_CLASSES

Item = Mapping[str, Any]

GIB, MIB, MEGABYTE = 2**30, 2**20, 10**6
VOLUME_STATUSES = ("ok", "warning", "impaired", "insufficient-data")
ATTACHED = ("attached", "detaching", "busy")  # the states of an attachment that exists


@dataclass(frozen=True)
class Wanted:
    """What the configuration wants; *pins* are tag key → value of what is asked every minute."""

    tiers: tuple[str, ...] = ("essential", "standard")
    cluster: str = ""
    tags: tuple[str, ...] = ()
    pins: Mapping[str, str] = field(default_factory=dict)


class Reader:
    """
    One reading of everything.

    Args:
        now: the instant both sides read at, unix seconds.

        wanted: what is configured.
    """

    def __init__(self, now: float, wanted: Wanted) -> None:
        self.now = now
        self.wanted = wanted
        self.series: Series = {}
        self.subjects: list[Subject] = []
        session = boto3.session.Session()
        self._clients: dict[str, Any] = {
            "ec2": session.client("ec2"),
            "efs": session.client("efs"),
            "cloudwatch": session.client("cloudwatch"),
            "sts": session.client("sts"),
        }
        self._region = session.region_name or ""
        self._account = self._clients["sts"].get_caller_identity()["Account"]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def read(self) -> Series:
        """All series a first pass must show."""
        self._ebs()
        self._efs()
        self._cloudwatch()
        return self.series

    def read_what_cannot_be(self) -> list[str]:
        """What CloudWatch has of the metrics that the table says do not exist: nothing, if the table is right."""
        self._ebs()
        self._efs()
        questions = self._questions(possible=False)
        answers = zip(questions, ask(self._clients["cloudwatch"], questions), strict=True)
        return [f"{each.metric.metric} of {each.subject.dimensions}" for each, points in answers if points]

    # --- writing down ----------------------------------------------------------------------------------------------

    def _say(self, name: str, values: Sequence[str], value: float, tags: Mapping[str, str] | None = None) -> None:
        labels = dict(zip(INVENTORY[name], values, strict=True))
        if tags is not None:
            labels |= {"tag_" + re.sub(r"[^a-z0-9_]", "_", key.lower()): tags.get(key, "") for key in self.wanted.tags}
        self._put(name, labels, value)

    def _put(self, name: str, labels: Mapping[str, str], value: float) -> None:
        everywhere = {"account_id": self._account, "region": self._region}
        if self.wanted.cluster:
            everywhere["cluster"] = self.wanted.cluster
        key = name, frozenset({**everywhere, **labels}.items())
        if key in self.series:
            raise AssertionError(f"{key} was read twice")
        self.series[key] = float(value)

    def _all(self, service: str, operation: str, key: str, **parameters: Any) -> Iterator[Item]:
        for page in self._clients[service].get_paginator(operation).paginate(**parameters):
            yield from page[key]

    def _pinned(self, tags: Mapping[str, str]) -> bool:
        return any(tags.get(key) == value for key, value in self.wanted.pins.items())

    # --- EBS -------------------------------------------------------------------------------------------------------

    def _ebs(self) -> None:
        volumes = {item["VolumeId"]: item for item in self._all("ec2", "describe_volumes", "Volumes")}
        hosts = self._instances({part["InstanceId"] for item in volumes.values() for part in item["Attachments"]})
        for volume_id, item in volumes.items():
            self._volume(volume_id, item, hosts)
        for item in self._all("ec2", "describe_volume_status", "VolumeStatuses"):
            if item["VolumeId"] in volumes:
                self._volume_status(item["VolumeId"], item)
        self._modifications(volumes)
        self._snapshots(volumes)
        if "on-request" in self.wanted.tiers:
            for item in self._all("ec2", "describe_fast_snapshot_restores", "FastSnapshotRestores"):
                where = item["SnapshotId"], item["AvailabilityZone"]
                self.subjects.append(Subject("fast-restore", where, where, {}))

    def _volume(self, volume_id: str, item: Item, hosts: Mapping[str, Mapping[str, Any]]) -> None:
        tags = tags_of(item)
        described = (
            *(item["VolumeType"], item["State"], item["AvailabilityZone"], yes_no(item["Encrypted"])),
            *(item.get("KmsKeyId", ""), yes_no(item["MultiAttachEnabled"]), item.get("SnapshotId", "")),
        )
        self._say("aws_ebs_volume_info", (volume_id, *described), 1, tags)
        self._say("aws_ebs_volume_size_bytes", (volume_id,), item["Size"] * GIB)
        if "Iops" in item:
            self._say("aws_ebs_volume_provisioned_iops", (volume_id,), item["Iops"])
        if "Throughput" in item:
            name = "aws_ebs_volume_provisioned_throughput_bytes_per_second"
            self._say(name, (volume_id,), item["Throughput"] * MIB)
        self._say("aws_ebs_volume_created_timestamp_seconds", (volume_id,), unix(item["CreateTime"]))
        for part in item["Attachments"]:
            host, state = part["InstanceId"], part["State"]
            last = yes_no(part["DeleteOnTermination"])
            self._say("aws_ebs_volume_attachment_info", (volume_id, host, part["Device"], state, last), 1)
            name = "aws_ebs_volume_attachment_start_timestamp_seconds"
            self._say(name, (volume_id, host, state), unix(part["AttachTime"]))
        held_by = [part["InstanceId"] for part in item["Attachments"] if part["State"] in ATTACHED]
        if not held_by:
            return  # published "only while the volume is attached" (aws-facts 1.1)
        facts = {
            "type": item["VolumeType"],
            "size_gib": item["Size"],
            "multi_attach": item["MultiAttachEnabled"],
            "nitro": any(hosts[host]["nitro"] for host in held_by),
        }
        self.subjects.append(Subject("volume", (volume_id,), (volume_id,), facts, self._pinned(tags)))
        for host in held_by:
            pair = {**facts, "nitro": hosts[host]["nitro"]}
            self.subjects.append(Subject("attachment", (host, volume_id), (volume_id,), pair, self._pinned(tags)))

    def _volume_status(self, volume_id: str, item: Item) -> None:
        for status in VOLUME_STATUSES:
            said = item["VolumeStatus"]["Status"] == status
            self._say("aws_ebs_volume_status", (volume_id, status), 1 if said else 0)
        for check in item["VolumeStatus"]["Details"]:
            self._say("aws_ebs_volume_status_check_info", (volume_id, check["Name"], check["Status"]), 1)
        for event in {event["EventType"] for event in item.get("Events", ())}:
            self._say("aws_ebs_volume_status_event_info", (volume_id, event), 1)

    def _modifications(self, volumes: Mapping[str, Item]) -> None:
        found = self._all("ec2", "describe_volumes_modifications", "VolumesModifications")
        for volume_id, item in newest_by_volume(found, volumes).items():
            state = item["ModificationState"]
            types = item["OriginalVolumeType"], item["TargetVolumeType"]
            self._say("aws_ebs_volume_modification_info", (volume_id, state, *types), 1)
            self._say("aws_ebs_volume_modification_progress_ratio", (volume_id,), item["Progress"] / 100)
            start, end = "modification_start", "modification_end"
            self._say(f"aws_ebs_volume_{start}_timestamp_seconds", (volume_id, state), unix(item["StartTime"]))
            if "EndTime" in item:
                self._say(f"aws_ebs_volume_{end}_timestamp_seconds", (volume_id,), unix(item["EndTime"]))

    def _snapshots(self, volumes: Mapping[str, Item]) -> None:
        own = list(self._all("ec2", "describe_snapshots", "Snapshots", OwnerIds=["self"]))
        for volume_id, item in newest_by_volume(own, volumes).items():
            name = "aws_ebs_volume_newest_snapshot_start_timestamp_seconds"
            self._say(name, (volume_id, item["SnapshotId"], item["State"]), unix(item["StartTime"]))
        done = (item for item in own if item["State"] == "completed")
        for volume_id, item in newest_by_volume(done, volumes).items():
            self._say("aws_ebs_volume_last_snapshot_timestamp_seconds", (volume_id,), unix(item["StartTime"]))

    def _instances(self, holding: set[str]) -> dict[str, Mapping[str, Any]]:
        """Say what limits the instances that hold volumes have; returns what matters to metrics, by instance."""
        known: dict[str, Mapping[str, Any]] = {}
        types = {item["InstanceType"]: item for item in self._all("ec2", "describe_instance_types", "InstanceTypes")}
        for reservation in self._all("ec2", "describe_instances", "Reservations"):
            for item in reservation["Instances"]:
                if item["InstanceId"] in holding:
                    known[item["InstanceId"]] = self._instance(item, types[item["InstanceType"]])
        return known

    def _instance(self, item: Item, kind: Item) -> Mapping[str, Any]:
        instance_id = item["InstanceId"]
        metal = kind["BareMetal"]
        nitro = metal or kind["Hypervisor"] == "nitro"  # bare metal runs on the Nitro cards without the hypervisor
        ebs, limits = kind["EbsInfo"], kind["EbsInfo"]["EbsOptimizedInfo"]
        described = (
            *(item["InstanceType"], item["Placement"]["AvailabilityZone"], item["State"]["Name"], yes_no(nitro)),
            ebs["AttachmentLimitType"],
        )
        self._say("aws_ebs_instance_info", (instance_id, *described), 1)
        self._say("aws_ebs_instance_attachment_limit", (instance_id,), ebs["MaximumEbsAttachments"])
        for level in ("Baseline", "Maximum"):
            prefix = f"aws_ebs_instance_{level.lower()}"
            self._say(f"{prefix}_iops", (instance_id,), limits[f"{level}Iops"])
            throughput = limits[f"{level}ThroughputInMBps"] * MEGABYTE  # decimal (aws-facts 3.2)
            self._say(f"{prefix}_throughput_bytes_per_second", (instance_id,), throughput)
        facts = {"nitro": nitro, "metal": metal, "bursts": limits["MaximumIops"] > limits["BaselineIops"]}
        pinned = self._pinned(tags_of(item))
        self.subjects.append(Subject("instance", (instance_id,), (instance_id,), facts, pinned))
        return facts

    # --- EFS -------------------------------------------------------------------------------------------------------

    def _efs(self) -> None:
        systems = {item["FileSystemId"]: item for item in self._all("efs", "describe_file_systems", "FileSystems")}
        for system_id, item in systems.items():
            self._file_system(system_id, item)
            self._mount_targets(system_id)
            self._access_points(system_id)
            self._policies(system_id)
        try:
            found = list(self._all("efs", "describe_replication_configurations", "Replications"))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ReplicationNotFound":
                raise
            found = []
        for item in found:
            if item["SourceFileSystemId"] in systems:
                self._replication(item, self._pinned(tags_of(systems[item["SourceFileSystemId"]])))

    def _file_system(self, system_id: str, item: Item) -> None:
        tags = tags_of(item)
        described = (
            *(item.get("Name", ""), item["ThroughputMode"], item["PerformanceMode"], item["LifeCycleState"]),
            *(yes_no(item["Encrypted"]), item.get("KmsKeyId", ""), item.get("AvailabilityZoneName", "")),
            item["FileSystemProtection"]["ReplicationOverwriteProtection"],
        )
        self._say("aws_efs_file_system_info", (system_id, *described), 1, tags)
        self._say("aws_efs_file_system_created_timestamp_seconds", (system_id,), unix(item["CreationTime"]))
        if "ProvisionedThroughputInMibps" in item:
            name = "aws_efs_file_system_provisioned_throughput_bytes_per_second"
            self._say(name, (system_id,), item["ProvisionedThroughputInMibps"] * MIB)
        size = item["SizeInBytes"]
        for storage_class in ("Standard", "IA", "Archive"):
            name = "aws_efs_file_system_metered_size_bytes"
            self._say(name, (system_id, storage_class), size[f"ValueIn{storage_class}"])
        if "Timestamp" in size:
            self._say("aws_efs_file_system_metered_size_timestamp_seconds", (system_id,), unix(size["Timestamp"]))
        facts = {"throughput_mode": item["ThroughputMode"], "performance_mode": item["PerformanceMode"]}
        own, pinned = (system_id,), self._pinned(tags)
        self.subjects.append(Subject("file-system", own, own, facts, pinned))
        self.subjects.append(Subject("all-classes", (system_id, "Total"), own, facts, pinned))
        for storage_class in STORAGE_CLASSES:
            pair = system_id, storage_class
            self.subjects.append(Subject("storage-class", pair, pair, facts, pinned))

    def _mount_targets(self, system_id: str) -> None:
        for item in self._all("efs", "describe_mount_targets", "MountTargets", FileSystemId=system_id):
            zone, state = item["AvailabilityZoneName"], item["LifeCycleState"]
            self._say("aws_efs_mount_target_available", (system_id, zone), 1 if state == "available" else 0)
            described = item["MountTargetId"], item["SubnetId"], item["IpAddress"], state
            self._say("aws_efs_mount_target_info", (system_id, zone, *described), 1)

    def _access_points(self, system_id: str) -> None:
        found = list(self._all("efs", "describe_access_points", "AccessPoints", FileSystemId=system_id))
        self._say("aws_efs_file_system_access_points", (system_id,), len(found))
        for item in found:
            described = (
                *(item["AccessPointId"], item.get("Name", ""), item["RootDirectory"]["Path"], item["ClientToken"]),
                *(str(item["PosixUser"]["Uid"]), str(item["PosixUser"]["Gid"]), item["LifeCycleState"]),
            )
            self._say("aws_efs_access_point_info", (system_id, *described), 1, tags_of(item))

    def _policies(self, system_id: str) -> None:
        answer = self._clients["efs"].describe_lifecycle_configuration(FileSystemId=system_id)
        rules: dict[str, str] = {key: value for policy in answer["LifecyclePolicies"] for key, value in policy.items()}
        keys = "TransitionToIA", "TransitionToArchive", "TransitionToPrimaryStorageClass"
        self._say("aws_efs_file_system_lifecycle_info", (system_id, *(rules.get(key, "") for key in keys)), 1)
        try:
            backup = self._clients["efs"].describe_backup_policy(FileSystemId=system_id)["BackupPolicy"]["Status"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "PolicyNotFound":
                raise
            backup = "none"
        self._say("aws_efs_file_system_backup_enabled", (system_id,), 1 if backup == "ENABLED" else 0)

    def _replication(self, item: Item, pinned: bool) -> None:
        for place in item["Destinations"]:
            pair = item["SourceFileSystemId"], place["FileSystemId"]
            self._say("aws_efs_file_system_replication_info", (*pair, place["Region"], place["Status"]), 1)
            if "LastReplicatedTimestamp" in place:
                name = "aws_efs_file_system_last_replicated_timestamp_seconds"
                self._say(name, pair, unix(place["LastReplicatedTimestamp"]))
            self.subjects.append(Subject("replication", pair, pair, {}, pinned))

    # --- CloudWatch ------------------------------------------------------------------------------------------------

    def _questions(self, *, possible: bool) -> list[Question]:
        """What is wanted, of what the table says can (or cannot) exist."""
        return [
            first_question(metric, subject, self.now)
            for metric in METRICS
            for subject in self.subjects
            if metric.subject == subject.kind
            and metric.tier in self.wanted.tiers
            and metric.may_exist(subject.facts) is possible
        ]

    def _cloudwatch(self) -> None:
        questions = self._questions(possible=True)
        answers = list(zip(questions, ask(self._clients["cloudwatch"], questions), strict=True))
        for (kind, family, labels), value in folded(answers, self.now).items():
            self._put(family, dict(zip(LABELS[kind], labels, strict=True)), value)
        newest: dict[tuple[str, str], int] = {}
        for question, points in answers:
            subject = question.subject
            thing = {"volume": "ebs_volume", "attachment": "ebs_volume", "file-system": "efs_file_system"}.get(
                subject.kind
            )
            if points and thing and (thing == "efs_file_system" or subject.pinned):
                key = thing, subject.labels[0]
                newest[key] = max(newest.get(key, 0), max(points) + question.metric.period)
        for (thing, own), end in newest.items():
            self._say(f"aws_{thing}_newest_datapoint_timestamp_seconds", (own,), end)


def newest_by_volume(items: Iterable[Item], volumes: Mapping[str, Item]) -> dict[str, Item]:
    """The newest begun of *items* for each of *volumes* that has one."""
    ordered = sorted(items, key=lambda item: unix(item["StartTime"]))
    return {item["VolumeId"]: item for item in ordered if item["VolumeId"] in volumes}


def tags_of(item: Item) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in item.get("Tags", [])}


def yes_no(value: bool) -> str:
    return "true" if value else "false"


def unix(instant: datetime) -> int:
    return int(instant.timestamp())
