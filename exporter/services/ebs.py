"""
EBS: volumes with their limits, attachments, modifications, status, snapshots, and the instances that hold them.

What CloudWatch publishes is the table in `ebs_rows`; here is what the Describe operations tell (aws-facts 3.2). Full
listings come every five minutes; every minute only what is in trouble or in motion is asked, by filters of the server,
and laid over the last full listing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from exporter.model import Asset, Fact, Family, Inventory, MetricRow, Resource, Scope
from exporter.services.base import (
    Findings,
    Found,
    Made,
    Member,
    Part,
    Wishes,
    partition_of,
    seconds_of,
    tags_of,
    text_of,
    together,
    unhurried,
    with_tags,
)
from exporter.services.claims import pin
from exporter.services.ebs_claims import Judge, Owners, say_claims, say_missing, say_orphaned
from exporter.services.ebs_facts import (
    ATTACHMENT_INFO,
    ATTACHMENT_LIMIT,
    ATTACHMENT_START,
    BASELINE_IOPS,
    BASELINE_THROUGHPUT,
    CLAIM_INFO,
    CREATED,
    ENCRYPTED,
    FAMILIES,
    FAST_RESTORES,
    INSTANCE_INFO,
    INSTANCE_TYPES,
    INSTANCES,
    IOPS,
    MAXIMUM_IOPS,
    MAXIMUM_THROUGHPUT,
    MODIFICATIONS,
    OPERATIONS,
    SIZE,
    SNAPSHOTS,
    STATUS,
    THROUGHPUT,
    VOLUME_INFO,
    VOLUMES,
)
from exporter.services.ebs_lists import is_ill, say_modifications, say_snapshots, say_statuses, times
from exporter.services.ebs_rows import (
    ATTACHMENT,
    FAST_SNAPSHOT,
    GIB,
    INSTANCE,
    NEWEST_DATAPOINT,
    ROWS,
    VOLUME,
)
from exporter.services.ebs_sizes import Sized, sized_by
from exporter.services.items import Item
from exporter.services.reader import Answer, Operation, Reader

MIB = 1024**2
_PER_FILTER = 200  # values a filter takes (EC2 API, filtering)
_PER_TYPES = 100  # instance types a call takes
_FAST = 60  # seconds between two looks at what is in motion or in trouble (design.md 6.2)

_IN_MOTION = ("attaching", "detaching", "busy")
_HOLDING = frozenset({"attached", "detaching", "busy"})  # states in which CloudWatch publishes


_PARTS = (
    "volumes",
    "claims",
    "orphaned",
    "missing",
    "statuses",
    "modifications",
    "snapshots",
    "instances",
    "restores",
)


class Ebs:
    """EBS in one scope."""

    name = "ebs"
    rows: tuple[MetricRow, ...] = ROWS
    operations: tuple[Operation, ...] = OPERATIONS
    families: tuple[Family, ...] = FAMILIES
    members: tuple[Member, ...] = (
        Member(NEWEST_DATAPOINT, frozenset({VOLUME.name, ATTACHMENT.name}), pinned_only=True),
    )

    arns: tuple[str, ...] = ("*",)
    follows = False

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._info = with_tags(VOLUME_INFO, wishes.tags)
        self._moving: frozenset[str] = frozenset()
        self._newer: dict[
            str, tuple[int, Item | None]
        ] = {}  # volume → as seen by a fast look: (when, what; None: gone)
        self._instances: dict[str, Item] = {}
        self._types: dict[str, Item] = {}
        self._judge = Judge(wishes.pinned)
        self._present: Made[dict[str, Item]] = Made()
        self._volumes: Made[dict[str, Item]] = Made()
        self._ids: Made[frozenset[str]] = Made()
        self._holders: Made[list[str]] = Made()
        self._living: Made[dict[str, Item]] = Made()
        self._names: Made[list[str]] = Made()
        self._sizes: Made[dict[str, Sized]] = Made()
        self._ill: Made[frozenset[str]] = Made()
        self._parts = {name: Part() for name in _PARTS}
        self._whole: Made[Found] = Made()

    async def discover(self, reader: Reader, scope: Scope) -> Inventory:
        """Volumes, attachments and instances as resources, everything else as samples."""
        before = self._wishes.claims()
        listed, moving, statuses, troubled, modifications, snapshots = await asyncio.gather(
            reader.read(VOLUMES),
            reader.read(VOLUMES, _filtered("attachment.status", _IN_MOTION), key="in motion", every=_FAST),
            reader.read(STATUS),
            reader.read(
                STATUS, _filtered("volume-status.status", ("impaired", "warning")), key="in trouble", every=_FAST
            ),
            reader.read(MODIFICATIONS),
            reader.read(SNAPSHOTS, {"OwnerIds": ["self"]}),
        )
        newer = await self._look_again(reader, listed, moving)
        listing = listed.items if listed is not None else None
        present = self._present.of((listing, *newer), lambda: self._current(listing or ()))
        volumes = self._volumes.of((present,), lambda: self._selected(present))
        await asyncio.sleep(0)  # each of these is a few milliseconds where there are thousands and something changed
        holders = self._holders.of(
            (volumes,), lambda: sorted({link["InstanceId"] for item in volumes.values() for link in _links(item)})
        )
        await asyncio.sleep(0)
        sized = await self._size(reader, holders)
        restores = await self._fast_restores(reader)
        self._judge.note(listed, before, reader.now)
        owners = await self._judge.judge(self._wishes.claims(), present, volumes, scope.region)
        found = await self._said(
            scope,
            (volumes, sized, holders, owners),
            (statuses, self._trouble(statuses, troubled), modifications, snapshots, restores),
        )
        counts = {"volume": len(volumes), "instance": len(holders)} if listed is not None else {}
        claims = {owners.source: found.samples.number(CLAIM_INFO)} if listed is not None else {}
        return Inventory(found.resources, found.samples, counts, dict(reader.failures), found.assets, claims=claims)

    async def _said(
        self,
        scope: Scope,
        known: tuple[Mapping[str, Item], Mapping[str, Sized], Sequence[str], Owners],
        answers: tuple[Answer | None, Sequence[Item] | None, Answer | None, Answer | None, Answer | None],
    ) -> Found:
        """Everything, part by part; a part of which nothing has changed since the last pass is not said again."""
        volumes, sized, holders, owners = known
        statuses, trouble, modifications, snapshots, restores = (
            answer.items if isinstance(answer, Answer) else answer for answer in answers
        )
        ids = self._ids.of((volumes,), lambda: frozenset(volumes))

        async def say_volumes(found: Findings) -> None:
            alike: dict[tuple[tuple[str, Fact], ...], dict[str, Fact]] = {}
            async for item in unhurried(volumes.values()):
                self._volume(found, item, sized, alike, pinned=item["VolumeId"] in owners.pinned)

        async def say_instances(found: Findings) -> None:
            async for instance_id in unhurried(holders):
                self._instance(found, instance_id, sized.get(instance_id))

        async def say_restores(found: Findings) -> None:
            for item in restores or ():
                where = (text_of(item.get("SnapshotId")), text_of(item.get("AvailabilityZone")))
                found.resources.append(Resource(FAST_SNAPSHOT, found.scope, where))

        said = (
            ("volumes", (volumes, sized, owners.pinned), say_volumes),
            ("claims", (volumes, owners.claims), lambda found: say_claims(found, volumes, owners.claims)),
            ("orphaned", (owners.orphaned,), lambda found: say_orphaned(found, owners.orphaned)),
            ("missing", (owners.missing,), lambda found: say_missing(found, owners.missing)),
            ("statuses", (ids, statuses, trouble), lambda found: say_statuses(found, ids, statuses or (), trouble)),
            ("modifications", (ids, modifications), lambda found: say_modifications(found, ids, modifications or ())),
            ("snapshots", (ids, snapshots), lambda found: say_snapshots(found, ids, snapshots or ())),
            ("instances", (holders, sized, self._instances), say_instances),
            ("restores", (restores,), say_restores),
        )
        parts = [
            await self._parts[name].said(basis, say, Findings(scope, self._wishes.constant))
            for name, basis, say in said
        ]
        return self._whole.of(parts, lambda: together(parts))

    # ---- reading ----

    async def _look_again(self, reader: Reader, listed: Answer | None, moving: Answer | None) -> list[object]:
        """Lay what was seen since the last full listing over it (`_newer`), and say what that is made of."""
        now_moving = frozenset(item["VolumeId"] for item in moving.items) if moving else self._moving
        if moving is not None:
            for item in moving.items:
                self._newer[item["VolumeId"]] = (moving.at, item)
        # What moved at the last look and does no more has arrived somewhere: see where, now, not at the next listing.
        for chunk in _chunks(sorted(self._moving - now_moving), _PER_FILTER):
            settled = await reader.read(
                VOLUMES, _filtered("volume-id", chunk), key="settled " + ",".join(chunk), every=_FAST
            )
            if settled is None:
                now_moving |= frozenset(chunk)  # ask again at the next pass
                continue
            seen = {item["VolumeId"]: item for item in settled.items}
            self._newer.update({volume_id: (settled.at, seen.get(volume_id)) for volume_id in chunk})
        self._moving = now_moving
        since = listed.at if listed is not None else 0
        self._newer = {key: entry for key, entry in self._newer.items() if entry[0] > since}
        return [each for volume_id, (_, item) in self._newer.items() for each in (volume_id, item)]

    def _current(self, listing: Sequence[Item]) -> dict[str, Item]:
        """The last full listing with what was seen since laid over it."""
        current = {item["VolumeId"]: item for item in listing}
        for volume_id, (_, newer) in self._newer.items():
            if newer is None:
                current.pop(volume_id, None)
            else:
                current[volume_id] = newer
        return current

    def _selected(self, present: dict[str, Item]) -> dict[str, Item]:
        """The volumes the configuration selects; *present* itself where those are all."""
        chosen = {key: item for key, item in present.items() if self._wishes.pick(key, tags_of(item))}
        return present if len(chosen) == len(present) else chosen

    async def _size(self, reader: Reader, holders: Sequence[str]) -> dict[str, Sized]:
        """The EBS side of the instances' types; an instance of which nothing could be learned is left out."""
        told: list[Sequence[Item]] = []
        for chunk in _chunks(holders, _PER_FILTER):
            answer = await reader.read(INSTANCES, _filtered("instance-id", chunk), key=",".join(chunk))
            told += [answer.items] if answer is not None else []
        self._instances = self._living.of((holders, *told), lambda: self._learn(holders, told))
        names = self._names.of(
            (self._instances,),
            lambda: sorted({text_of(item.get("InstanceType")) for item in self._instances.values()} - {""}),
        )
        types: list[Sequence[Item]] = []
        for chunk in _chunks(names, _PER_TYPES):
            answer = await reader.read(INSTANCE_TYPES, {"InstanceTypes": list(chunk)}, key=",".join(chunk))
            types += [answer.items] if answer is not None else []
        return self._sizes.of((self._instances, *types), lambda: self._measure(types))

    def _learn(self, holders: Sequence[str], told: Sequence[Sequence[Item]]) -> dict[str, Item]:
        """The instances among *holders*, by id: as AWS has *told*, else as they were last known."""
        known = dict(self._instances)
        for reservation in chain.from_iterable(told):
            known.update({item["InstanceId"]: item for item in reservation.get("Instances") or ()})
        return {key: known[key] for key in holders if key in known}

    def _measure(self, told: Sequence[Sequence[Item]]) -> dict[str, Sized]:
        """What each instance's type gives it, by the instance's id; types are kept as they were last known."""
        self._types.update({item["InstanceType"]: item for item in chain.from_iterable(told)})
        sized = {name: sized_by(item) for name, item in self._types.items()}
        named = {key: text_of(item.get("InstanceType")) for key, item in self._instances.items()}
        return {key: sized[name] for key, name in named.items() if name in sized}

    def _trouble(self, full: Answer | None, troubled: Answer | None) -> Sequence[Item] | None:
        """The volumes in trouble, where a fast look knows better than the last full listing; None where it does not."""
        if troubled is None or (full is not None and troubled.at <= full.at):
            return None
        if full is None:
            return troubled.items
        ill = self._ill.of((full.items,), lambda: frozenset(each["VolumeId"] for each in full.items if is_ill(each)))
        return troubled.items if troubled.items or ill else None

    async def _fast_restores(self, reader: Reader) -> Answer | None:
        if FAST_SNAPSHOT.name not in self._wishes.kinds:
            return None
        return await reader.read(FAST_RESTORES, _filtered("state", ("enabled", "optimizing", "enabling")))

    # ---- saying ----

    def _volume(
        self,
        found: Findings,
        item: Item,
        sized: Mapping[str, Sized],
        alike: dict[tuple[tuple[str, Fact], ...], dict[str, Fact]],
        *,
        pinned: bool,
    ) -> None:
        """Say a volume, which its claim may pin. *alike* holds the facts of those before it: most have the same."""
        volume_id = item["VolumeId"]
        tags = tags_of(item)
        described = (
            text_of(item.get("VolumeType")),
            text_of(item.get("State")),
            text_of(item.get("AvailabilityZone")),
            text_of(item.get("Encrypted")),
            text_of(item.get("KmsKeyId")),
            text_of(item.get("MultiAttachEnabled")),
            text_of(item.get("SnapshotId")),
        )
        found.say(self._info, (volume_id, *described, *(tags.get(key, "") for key in self._wishes.tags)), 1)
        found.say(ENCRYPTED, (volume_id,), item.get("Encrypted"))
        found.say(SIZE, (volume_id,), times(item.get("Size"), GIB))
        found.say(IOPS, (volume_id,), item.get("Iops"))
        found.say(THROUGHPUT, (volume_id,), times(item.get("Throughput"), MIB))
        found.say(CREATED, (volume_id,), seconds_of(item.get("CreateTime")))
        account_id, region = found.scope.account_id, found.scope.region
        arn = f"arn:{partition_of(region)}:ec2:{region}:{account_id}:volume/{volume_id}"
        found.assets.append(Asset(arn, "ebs_volume", ("volume_id",), (volume_id,), text_of(item.get("KmsKeyId"))))
        links = _links(item)
        for link in links:
            state = text_of(link.get("State"))
            where = (volume_id, link["InstanceId"])
            found.say(
                ATTACHMENT_INFO,
                (*where, text_of(link.get("Device")), state, text_of(link.get("DeleteOnTermination"))),
                1,
            )
            found.say(ATTACHMENT_START, (*where, state), seconds_of(link.get("AttachTime")))
        holding = [link["InstanceId"] for link in links if text_of(link.get("State")) in _HOLDING]
        if not holding:
            return  # CloudWatch publishes nothing for a detached volume, and asking is billed all the same
        facts: dict[str, Fact] = {
            "volume_type": text_of(item.get("VolumeType")),
            "size_gib": int(item.get("Size") or 0),
            "multi_attach": bool(item.get("MultiAttachEnabled")) or len(holding) > 1,
            **pin(pinned=pinned),
        }
        learnt = {each: sized[each].facts if each in sized else {} for each in holding}
        kinds = {known["nitro"] for known in learnt.values() if "nitro" in known}
        of_volume = {**facts, "nitro": True in kinds} if kinds else facts
        of_volume = alike.setdefault(tuple(of_volume.items()), of_volume)
        found.resources.append(Resource(VOLUME, found.scope, (volume_id,), of_volume, tags))
        for instance_id, known in learnt.items():
            both = {**facts, **known}
            both = alike.setdefault(tuple(both.items()), both)
            found.resources.append(Resource(ATTACHMENT, found.scope, (instance_id, volume_id), both, tags))

    def _instance(self, found: Findings, instance_id: str, sized: Sized | None) -> None:
        item = self._instances.get(instance_id)
        facts = sized.facts if sized else {}
        found.resources.append(Resource(INSTANCE, found.scope, (instance_id,), facts, tags_of(item) if item else {}))
        if item is None:
            return
        described = (
            text_of(item.get("InstanceType")),
            text_of((item.get("Placement") or {}).get("AvailabilityZone")),
            text_of((item.get("State") or {}).get("Name")),
            text_of(facts.get("nitro")),
            sized.limit_type if sized else "",
        )
        found.say(INSTANCE_INFO, (instance_id, *described), 1)
        for family in (BASELINE_IOPS, MAXIMUM_IOPS, BASELINE_THROUGHPUT, MAXIMUM_THROUGHPUT, ATTACHMENT_LIMIT):
            found.say(family, (instance_id,), sized.limits.get(family.name) if sized else None)


def _filtered(name: str, values: Sequence[str]) -> dict[str, object]:
    return {"Filters": [{"Name": name, "Values": list(values)}]}


def _links(item: Item) -> list[Item]:
    """A volume's attachments that name an instance (those to Fargate tasks name none)."""
    return [link for link in item.get("Attachments") or () if link.get("InstanceId")]


def _chunks(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (values[start : start + size] for start in range(0, len(values), size))
