"""
What the lists that name volumes say of them: status, modifications, snapshots. Pure: items in, findings out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from exporter.services.base import Findings, seconds_of, text_of, unhurried
from exporter.services.ebs_facts import (
    LAST_SNAPSHOT,
    MODIFICATION_END,
    MODIFICATION_INFO,
    MODIFICATION_PROGRESS,
    MODIFICATION_START,
    NEWEST_SNAPSHOT,
    STATUS_CHECK,
    STATUS_EVENT,
    STATUS_STATE,
)
from exporter.services.items import Item

_STATUSES = ("ok", "warning", "impaired", "insufficient-data")


async def say_statuses(
    found: Findings, ids: Collection[str], full: Sequence[Item], trouble: Sequence[Item] | None
) -> None:
    """Status of each volume: a fast look says which are in trouble now, so the listing's others no more are."""
    current = {item["VolumeId"]: item for item in full}
    if trouble is not None:
        bad = {item["VolumeId"]: item for item in trouble}
        for volume_id, item in current.items():
            if volume_id not in bad and is_ill(item):
                current[volume_id] = {"VolumeId": volume_id, "VolumeStatus": {"Status": "ok"}}
        current.update(bad)
    async for volume_id in unhurried(sorted(current.keys() & ids)):
        item = current[volume_id]
        status = _status_of(item)
        for name in _STATUSES:
            found.say(STATUS_STATE, (volume_id, name), 1 if status == name else 0)
        details = (item.get("VolumeStatus") or {}).get("Details") or ()
        for check in sorted({(text_of(each.get("Name")), text_of(each.get("Status"))) for each in details}):
            found.say(STATUS_CHECK, (volume_id, *check), 1)
        for event in sorted({text_of(each.get("EventType")) for each in item.get("Events") or ()}):
            found.say(STATUS_EVENT, (volume_id, event), 1)


async def say_modifications(found: Findings, ids: Collection[str], items: Sequence[Item]) -> None:
    """The newest modification of each volume."""
    newest: dict[str, Item] = {}
    async for item in unhurried(items):
        other = newest.get(item["VolumeId"])
        if other is None or (seconds_of(item.get("StartTime")) or 0) > (seconds_of(other.get("StartTime")) or 0):
            newest[item["VolumeId"]] = item
    for volume_id in sorted(newest.keys() & ids):
        item = newest[volume_id]
        state = text_of(item.get("ModificationState"))
        types = (text_of(item.get("OriginalVolumeType")), text_of(item.get("TargetVolumeType")))
        found.say(MODIFICATION_INFO, (volume_id, state, *types), 1)
        found.say(MODIFICATION_PROGRESS, (volume_id,), times(item.get("Progress"), 0.01))
        found.say(MODIFICATION_START, (volume_id, state), seconds_of(item.get("StartTime")))
        found.say(MODIFICATION_END, (volume_id,), seconds_of(item.get("EndTime")))


async def say_snapshots(found: Findings, ids: Collection[str], items: Sequence[Item]) -> None:
    """The newest snapshot of each volume, and the newest that is complete."""
    newest: dict[str, tuple[int, Item]] = {}
    completed: dict[str, int] = {}
    async for item in unhurried(items):
        volume_id, start = text_of(item.get("VolumeId")), seconds_of(item.get("StartTime"))
        if volume_id not in ids or start is None:
            continue
        if volume_id not in newest or start > newest[volume_id][0]:
            newest[volume_id] = (start, item)
        if item.get("State") == "completed":
            completed[volume_id] = max(start, completed.get(volume_id, start))
    async for volume_id, (start, item) in unhurried(sorted(newest.items(), key=lambda entry: entry[0])):
        found.say(NEWEST_SNAPSHOT, (volume_id, text_of(item.get("SnapshotId")), text_of(item.get("State"))), start)
        found.say(LAST_SNAPSHOT, (volume_id,), completed.get(volume_id))


def _status_of(item: Item) -> str:
    return text_of((item.get("VolumeStatus") or {}).get("Status"))


def is_ill(item: Item) -> bool:
    """Whether the status of the item's volume is one of those that need somebody."""
    return _status_of(item) in {"impaired", "warning"}


def times(value: float | None, factor: float) -> float | None:
    """*value* in our unit; None where there is none."""
    return None if value is None else value * factor
