"""
EFS: file systems with their throughput mode and metered sizes, mount targets, access points, lifecycle, backup policy
and replication (aws-facts 3.3). What CloudWatch publishes is the table in `efs_rows`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence

from exporter.model import Asset, Fact, Family, Inventory, MetricRow, Resource, Scope, Target
from exporter.services.base import (
    NOTHING,
    Findings,
    Found,
    Member,
    Wishes,
    seconds_of,
    tags_of,
    text_of,
    unhurried,
    with_tags,
)
from exporter.services.claims import pin
from exporter.services.efs_claims import Joins
from exporter.services.efs_facts import (
    ACCESS_POINT_COUNT,
    ACCESS_POINT_INFO,
    ACCESS_POINTS,
    BACKUP,
    BACKUP_ENABLED,
    CREATED,
    ENCRYPTED,
    FAMILIES,
    FILE_SYSTEMS,
    INFO,
    LIFECYCLE,
    LIFECYCLE_INFO,
    METERED_AT,
    METERED_SIZE,
    MOUNT_TARGET_AVAILABLE,
    MOUNT_TARGET_INFO,
    MOUNT_TARGETS,
    OPERATIONS,
    POLICY,
    PROVISIONED,
    REPLICATED_AT,
    REPLICATION_INFO,
    REPLICATIONS,
    TLS_ONLY,
    TRANSITION,
)
from exporter.services.efs_rows import FILE_SYSTEM, NEWEST_DATAPOINT, REPLICATION, ROWS, STORAGE_CLASS, TOTAL
from exporter.services.items import Item
from exporter.services.policies import requires_tls
from exporter.services.reader import Answer, Operation, Reader

MIB = 1024**2
NFS_PORT = 2049

_TRANSITIONS = (("IA", "TransitionToIA"), ("Archive", "TransitionToArchive"))
_METERED = (("Standard", "ValueInStandard"), ("IA", "ValueInIA"), ("Archive", "ValueInArchive"))


class Efs:
    """EFS in one scope."""

    name = "efs"
    rows: tuple[MetricRow, ...] = ROWS
    operations: tuple[Operation, ...] = OPERATIONS
    families: tuple[Family, ...] = FAMILIES
    members: tuple[Member, ...] = (Member(NEWEST_DATAPOINT, frozenset({FILE_SYSTEM.name})),)

    arns: tuple[str, ...] = (
        "arn:{partition}:elasticfilesystem:*:*:file-system/*",
        "arn:{partition}:elasticfilesystem:*:*:access-point/*",
    )
    follows = False

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._last: Found = NOTHING
        self._info = with_tags(INFO, wishes.tags)
        self._access_point = with_tags(ACCESS_POINT_INFO, wishes.tags)

    async def discover(self, reader: Reader, scope: Scope) -> Inventory:
        """File systems, their storage classes and replications as resources, everything else as samples."""
        listed, replications = await asyncio.gather(reader.read(FILE_SYSTEMS), reader.read(REPLICATIONS))
        said = Findings(scope, self._wishes.constant)
        chosen = [
            item
            for item in (listed.items if listed else ())
            if self._wishes.pick(item["FileSystemId"], tags_of(item)) and item.get("LifeCycleState") != "deleted"
        ]
        asked = (MOUNT_TARGETS, ACCESS_POINTS, LIFECYCLE, BACKUP, POLICY)
        answers = await asyncio.gather(*(self._about(reader, item["FileSystemId"], asked) for item in chosen))
        joins = Joins(self._wishes.claims())
        pinned: set[str] = set()
        access_points = 0
        async for item, (targets, points, lifecycle, backup, policy) in unhurried(zip(chosen, answers, strict=True)):
            transitions = _transitions(lifecycle)
            file_system_id = item["FileSystemId"]
            if joins.pins(file_system_id, points, self._wishes.pinned):
                pinned.add(file_system_id)
            self._file_system(said, item, transitions, pinned=file_system_id in pinned)
            if transitions is not None:
                said.say(
                    LIFECYCLE_INFO,
                    (
                        file_system_id,
                        transitions.get("TransitionToIA", ""),
                        transitions.get("TransitionToArchive", ""),
                        transitions.get("TransitionToPrimaryStorageClass", ""),
                    ),
                    1,
                )
                for storage_class, key in _TRANSITIONS:
                    said.say(TRANSITION, (file_system_id, storage_class), _after(transitions.get(key, "")))
            if backup is not None:
                enabled = any(each.get("Status") == "ENABLED" for each in backup.items)
                said.say(BACKUP_ENABLED, (file_system_id,), 1 if enabled else 0)
            if policy is not None:
                strict = any(requires_tls(text_of(each.get("Policy"))) for each in policy.items)
                said.say(TLS_ONLY, (file_system_id,), 1 if strict else 0)
            _mount_targets(said, file_system_id, text_of(item.get("Name")), targets)
            access_points += self._access_points(said, file_system_id, points)
            joins.say(said, file_system_id, points)
        _replications(said, {item["FileSystemId"]: item for item in chosen}, replications, pinned)
        counts = {"file-system": len(chosen), "access-point": access_points} if listed is not None else {}
        known = listed is not None and all(targets is not None for targets, *_ in answers)
        claims = joins.counts(said) if listed is not None else {}
        found = self._last = await said.settle(self._last)
        return Inventory(
            found.resources,
            found.samples,
            counts,
            dict(reader.failures),
            found.assets,
            found.targets if known else None,
            claims=claims,
        )

    async def _about(
        self, reader: Reader, file_system_id: str, operations: Sequence[Operation]
    ) -> Sequence[Answer | None]:
        """One answer an operation, about one file system."""
        parameters = {"FileSystemId": file_system_id}
        return await asyncio.gather(
            *(reader.read(operation, parameters, key=file_system_id) for operation in operations)
        )

    def _file_system(self, found: Findings, item: Item, transitions: Mapping[str, str] | None, *, pinned: bool) -> None:
        """Say the file system, which a claim may pin."""
        file_system_id, tags = item["FileSystemId"], tags_of(item)
        arn, key = text_of(item.get("FileSystemArn")), text_of(item.get("KmsKeyId"))
        found.assets.append(Asset(arn, "efs_file_system", ("file_system_id",), (file_system_id,), key))
        described = (
            text_of(item.get("Name")),
            text_of(item.get("ThroughputMode")),
            text_of(item.get("PerformanceMode")),
            text_of(item.get("LifeCycleState")),
            text_of(item.get("Encrypted")),
            text_of(item.get("KmsKeyId")),
            text_of(item.get("AvailabilityZoneName")),
            text_of((item.get("FileSystemProtection") or {}).get("ReplicationOverwriteProtection")),
        )
        found.say(self._info, (file_system_id, *described, *(tags.get(key, "") for key in self._wishes.tags)), 1)
        found.say(ENCRYPTED, (file_system_id,), item.get("Encrypted"))
        provisioned = item.get("ProvisionedThroughputInMibps")
        found.say(PROVISIONED, (file_system_id,), None if provisioned is None else provisioned * MIB)
        size = item.get("SizeInBytes") or {}
        for storage_class, member_name in _METERED:
            found.say(METERED_SIZE, (file_system_id, storage_class), size.get(member_name))
        found.say(METERED_AT, (file_system_id,), seconds_of(size.get("Timestamp")))
        found.say(CREATED, (file_system_id,), seconds_of(item.get("CreationTime")))
        facts: dict[str, Fact] = {
            "throughput_mode": text_of(item.get("ThroughputMode")),
            "performance_mode": text_of(item.get("PerformanceMode")),
            **pin(pinned=pinned),
        }
        found.resources.append(Resource(FILE_SYSTEM, found.scope, (file_system_id,), facts, tags))
        found.resources.append(Resource(TOTAL, found.scope, (file_system_id, "Total"), facts, tags))
        for storage_class in _storage_classes(size, transitions):
            found.resources.append(Resource(STORAGE_CLASS, found.scope, (file_system_id, storage_class), facts, tags))

    def _access_points(self, found: Findings, file_system_id: str, answer: Answer | None) -> int:
        """Say the access points and how many there are; the number is also returned (0 where it is not known)."""
        if answer is None:
            return 0
        for item in answer.items:
            tags, user = tags_of(item), item.get("PosixUser") or {}
            described = (
                text_of(item.get("AccessPointId")),
                text_of(item.get("Name")),
                text_of((item.get("RootDirectory") or {}).get("Path")),
                text_of(item.get("ClientToken")),
                text_of(user.get("Uid")),
                text_of(user.get("Gid")),
                text_of(item.get("LifeCycleState")),
            )
            wanted = (tags.get(key, "") for key in self._wishes.tags)
            found.say(self._access_point, (file_system_id, *described, *wanted), 1)
        found.say(ACCESS_POINT_COUNT, (file_system_id,), len(answer.items))
        return len(answer.items)


def _transitions(lifecycle: Answer | None) -> dict[str, str] | None:
    """The lifecycle policies as one mapping (AWS gives one key a policy); None where they are not known."""
    if lifecycle is None:
        return None
    return {key: text_of(value) for policy in lifecycle.items for key, value in policy.items()}


def _after(rule: str) -> int | None:
    """Seconds of a rule such as ``AFTER_30_DAYS``; None where there is none, or none that is a time."""
    found = re.fullmatch(r"AFTER_(\d+)_DAYS?", rule)
    return int(found[1]) * 86400 if found else None


def _storage_classes(size: Item, transitions: Mapping[str, str] | None) -> list[str]:
    """The classes that can hold something: those with bytes or with a policy that moves bytes there."""
    rules = transitions or {}
    classes = ["Standard"]
    if size.get("ValueInIA") or "TransitionToIA" in rules:
        classes += ["IA", "IASizeOverhead"]
    if size.get("ValueInArchive") or "TransitionToArchive" in rules:
        classes += ["Archive", "ArchiveSizeOverhead"]
    return classes


def _mount_targets(found: Findings, file_system_id: str, name: str, answer: Answer | None) -> None:
    for item in answer.items if answer else ():
        zone, state = text_of(item.get("AvailabilityZoneName")), text_of(item.get("LifeCycleState"))
        found.say(MOUNT_TARGET_AVAILABLE, (file_system_id, zone), 1 if state == "available" else 0)
        described = (text_of(item.get("MountTargetId")), text_of(item.get("SubnetId")), text_of(item.get("IpAddress")))
        found.say(MOUNT_TARGET_INFO, (file_system_id, zone, *described, state), 1)
        target_id, _, address = described
        if address:
            labels = (
                ("account_id", found.scope.account_id),
                ("region", found.scope.region),
                ("file_system_id", file_system_id),
                ("availability_zone", zone),
                ("__meta_storage_exporter_file_system_name", name),
                ("__meta_storage_exporter_mount_target_id", target_id),
                ("__meta_storage_exporter_state", state),
            )
            found.targets.append(Target(f"{address}:{NFS_PORT}", labels))


def _replications(found: Findings, chosen: Mapping[str, Item], answer: Answer | None, pinned: Collection[str]) -> None:
    """Replications whose source is a chosen file system; AWS lists them at their destination too."""
    for item in answer.items if answer else ():
        source = text_of(item.get("SourceFileSystemId"))
        if source not in chosen or item.get("SourceFileSystemRegion", found.scope.region) != found.scope.region:
            continue
        for destination in item.get("Destinations") or ():
            target = text_of(destination.get("FileSystemId"))
            found.say(
                REPLICATION_INFO,
                (source, target, text_of(destination.get("Region")), text_of(destination.get("Status"))),
                1,
            )
            found.say(REPLICATED_AT, (source, target), seconds_of(destination.get("LastReplicatedTimestamp")))
            pins = pin(pinned=source in pinned)
            found.resources.append(Resource(REPLICATION, found.scope, (source, target), pins, tags_of(chosen[source])))
