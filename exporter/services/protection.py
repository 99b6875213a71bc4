"""
Protection: the keys that what was found here is encrypted with, and the backups AWS Backup makes of it.

It discovers nothing of its own: it follows the other services and asks about what they found (`Wishes.neighbours`), so
only keys in use are asked. A disabled key or a backup that silently fails is known here hours before anything breaks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain

from exporter.model import Asset, Family, Inventory, MetricRow, Scope
from exporter.services.base import (
    Findings,
    Found,
    Made,
    Member,
    Part,
    Wishes,
    partition_of,
    seconds_of,
    text_of,
    together,
    unhurried,
)
from exporter.services.items import Item
from exporter.services.protection_facts import (
    BAD_ENDS,
    DESCRIBE_KEY,
    FAILED_JOBS,
    FAILED_OF,
    FAMILIES,
    JOBS,
    JOBS_OVER,
    KEY_CREATED,
    KEY_DELETION,
    KEY_ENABLED,
    KEY_INFO,
    KEY_MATERIAL_EXPIRY,
    KEY_OF,
    KEY_RESOURCES,
    LAST_BACKUP,
    OPERATIONS,
    PROTECTED,
    PROTECTED_BY,
    USABLE,
)
from exporter.services.reader import Answer, Operation, Reader

GONE = "NotFound"
"""What we call the state of a key that AWS does not know (any more), although something is encrypted with it."""


class Protection:
    """Keys and backups in one scope."""

    name = "protection"
    rows: tuple[MetricRow, ...] = ()
    operations: tuple[Operation, ...] = OPERATIONS
    families: tuple[Family, ...] = FAMILIES
    members: tuple[Member, ...] = ()
    arns: tuple[str, ...] = ("*",)
    follows = True

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._assets: tuple[Asset, ...] = ()
        self._names: Made[list[str]] = Made()
        self._parts = (Part(), Part(), Part())
        self._whole: Made[Found] = Made()

    async def discover(self, reader: Reader, scope: Scope) -> Inventory:
        """Everything as samples: nothing here is CloudWatch's."""
        assets = tuple(self._wishes.neighbours(scope))
        assets = self._assets = self._assets if assets == self._assets else assets
        names = self._names.of((assets,), lambda: _key_names(assets, scope))
        (protected, jobs), keys = await asyncio.gather(_backups(reader), _keys(reader, names))
        told = [answer.items if answer is not None else None for answer in keys.values()]
        ended = jobs if jobs is not None else (None,)
        said = (
            ((assets, names, *told), lambda found: _say_keys(found, assets, keys)),
            ((assets, protected and protected.items), lambda found: _say_backups(found, assets, protected)),
            ((assets, *ended), lambda found: _say_jobs(found, assets, jobs)),
        )
        parts = [
            await part.said(basis, say, Findings(scope, self._wishes.constant))
            for part, (basis, say) in zip(self._parts, said, strict=True)
        ]
        found = self._whole.of(parts, lambda: together(parts))
        counts = {"key": len({key_id_of(name, answer) for name, answer in keys.items() if answer is not None})}
        if protected is not None:
            counts["protected-resource"] = len(protected.items)
        return Inventory((), found.samples, counts, dict(reader.failures), waiting=reader.waiting)


# ---- keys -----------------------------------------------------------------------------------------------------------


def key_arn(name: str, scope: Scope) -> str:
    """A key as every service may name it (ARN, id, alias) → its ARN, so that one key is asked once."""
    if name.startswith("arn:"):
        return name
    resource = name if name.startswith("alias/") else f"key/{name}"
    return f"arn:{partition_of(scope.region)}:kms:{scope.region}:{scope.account_id}:{resource}"


def key_id_of(arn: str, answer: Answer) -> str:
    """AWS's id of the key, or the ARN's last part where AWS knows no such key."""
    return text_of(answer.items[0].get("KeyId")) if answer.items else arn.rpartition("/")[2]


def _key_names(assets: Sequence[Asset], scope: Scope) -> list[str]:
    """The ARNs of the keys in use, sorted; most of many assets share a few."""
    return sorted({key_arn(name, scope) for name in {asset.kms_key for asset in assets} if name})


async def _keys(reader: Reader, names: Sequence[str]) -> dict[str, Answer | None]:
    """What AWS says of each key in use, by ARN; None where it is not known."""
    answers = await asyncio.gather(
        *(reader.read(DESCRIBE_KEY, {"KeyId": name}, key=name, may_wait=True) for name in names)
    )
    return dict(zip(names, answers, strict=True))


async def _say_keys(found: Findings, assets: Sequence[Asset], keys: Mapping[str, Answer | None]) -> None:
    users: dict[tuple[str, str], int] = {}
    said: set[str] = set()
    async for asset in unhurried(assets):
        arn = key_arn(asset.kms_key, found.scope) if asset.kms_key else ""
        answer = keys.get(arn)
        if answer is None or (not answer.items and ":alias/" in arn):
            continue  # not known; or a default key that AWS makes at its first use and has not made yet
        key_id = key_id_of(arn, answer)
        if key_id not in said:
            said.add(key_id)
            _say_key(found, key_id, arn, answer.items[0] if answer.items else None)
        users[key_id, asset.level] = users.get((key_id, asset.level), 0) + 1
        if asset.level in KEY_OF:
            found.say(KEY_OF[asset.level], (*asset.identity, key_id), 1)
    for (key_id, level), count in sorted(users.items()):
        found.say(KEY_RESOURCES, (key_id, level), count)


def _say_key(found: Findings, key_id: str, arn: str, item: Item | None) -> None:
    if item is None:
        found.say(KEY_INFO, (key_id, arn, GONE, "", "", "", ""), 1)
        found.say(KEY_ENABLED, (key_id,), 0)
        return
    state = text_of(item.get("KeyState"))
    described = (
        text_of(item.get("Arn")),
        state,
        text_of(item.get("KeyManager")),
        text_of(item.get("Origin")),
        text_of(item.get("KeySpec")),
        text_of(item.get("MultiRegion")),
    )
    found.say(KEY_INFO, (key_id, *described), 1)
    found.say(KEY_ENABLED, (key_id,), 1 if state in USABLE else 0)
    found.say(KEY_DELETION, (key_id,), seconds_of(item.get("DeletionDate")))
    found.say(KEY_MATERIAL_EXPIRY, (key_id,), seconds_of(item.get("ValidTo")))
    found.say(KEY_CREATED, (key_id,), seconds_of(item.get("CreationDate")))


# ---- backups --------------------------------------------------------------------------------------------------------


async def _backups(reader: Reader) -> tuple[Answer | None, list[list[Item]] | None]:
    """What AWS Backup protects, and the jobs of the last day by how badly they ended; None where that is not known."""
    since = datetime.fromtimestamp(reader.now - JOBS_OVER, UTC)
    protected, *ended = await asyncio.gather(
        reader.read(PROTECTED),
        *(reader.read(JOBS, {"ByState": state, "ByCreatedAfter": since}, key=state) for state in BAD_ENDS),
    )
    known = [answer.items for answer in ended if answer is not None]
    if len(known) < len(BAD_ENDS):
        return protected, None
    return protected, known


async def _say_backups(found: Findings, assets: Sequence[Asset], protected: Answer | None) -> None:
    if protected is None:
        return
    known = {text_of(item.get("ResourceArn")): item for item in protected.items}
    async for asset in unhurried(assets):
        if asset.level in PROTECTED_BY:
            item = known.get(asset.arn)
            found.say(PROTECTED_BY[asset.level], asset.identity, 1 if item is not None else 0)
            if item is not None:
                found.say(LAST_BACKUP[asset.level], asset.identity, seconds_of(item.get("LastBackupTime")))


async def _say_jobs(found: Findings, assets: Sequence[Asset], jobs: Sequence[Sequence[Item]] | None) -> None:
    if jobs is None:
        return
    by_type: dict[tuple[str, str], int] = {}
    by_arn: dict[str, int] = {}
    async for job in unhurried(chain.from_iterable(jobs)):
        kind = (text_of(job.get("ResourceType")), text_of(job.get("State")))
        by_type[kind] = by_type.get(kind, 0) + 1
        arn = text_of(job.get("ResourceArn"))
        by_arn[arn] = by_arn.get(arn, 0) + 1
    for kind, count in sorted(by_type.items()):
        found.say(FAILED_JOBS, kind, count)
    async for asset in unhurried(assets):
        if asset.level in FAILED_OF:
            found.say(FAILED_OF[asset.level], asset.identity, by_arn.get(asset.arn, 0))
