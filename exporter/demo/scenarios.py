"""
The named troubles the demo can be put into, as changes of the estate's lives and of its curves.

Each is a function of (start, estate): what is seen at an instant depends on that instant alone. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from exporter.demo import cache_scenarios, claim_scenarios, work_scenarios
from exporter.demo.curves import Effects
from exporter.demo.estate import Estate, attachment
from exporter.demo.nouns import NEVER, FileSystem, Instance, Load, Volume, leave

STALL_SECONDS = 480
_FAILING, _SWOLLEN, _OPENED = (f"officeless-{name}-production" for name in ("mimir", "loki-chunks", "uploads"))

SCENARIOS: dict[str, str] = {
    "quiet": "an ordinary day: office-hours rhythm, nothing broken",
    "efs-credits": "eks_production spends its burst credits in about four hours, then falls to its baseline throughput",
    "ebs-saturated": "the volume of data-postgres-0 runs at its IOPS limit: exceeded checks, latency up",
    "volume-stalled": "the volume of data-postgres-0 completes no I/O for eight minutes; its status is impaired",
    "ebs-degraded": "the volume of data-postgres-0 is slower than it should be for an hour; its status is a warning",
    "attach-stuck": "the volume of data-mongodb-0 leaves node-a1 and stays `attaching` on node-a2",
    "node-loss": "node-a1 goes; its volumes detach and come up on node-a2 six minutes later",
    "cloudwatch-late": "CloudWatch publishes two hours late",
    "kms-disabled": "the key of the file systems is disabled; an hour later its deletion in seven days is scheduled",
    "backup-failed": "every backup of AWS Backup fails from now on",
    "s3-errors": "S3 fails three of ten requests to officeless-mimir-production, and is slow",
    "s3-growth": "officeless-loki-chunks-production becomes ten times as large within a day",
    "bucket-public": "somebody opens officeless-uploads-production to everybody",
    "volume-lifecycle": "a volume appears after 1 minute, attaches, detaches after 30 and is deleted after 45",
    **cache_scenarios.SCENARIOS,
    **claim_scenarios.SCENARIOS,
    **work_scenarios.SCENARIOS,
}
"""Name and one line for people, by name."""

Identify = Callable[[str], str]
"""A volume's name to its id."""

LATE_SECONDS = 7200.0
"""How late CloudWatch is in `cloudwatch-late`."""


def apply(name: str, start: float, estate: Estate, identify: Identify) -> tuple[Estate, Effects]:
    """
    The estate and the effects on the curves once a scenario runs.

    Args:
        name: of `SCENARIOS`.

        start: unix seconds.

        estate: is not changed.

        identify: a volume name to a volume id that is always the same.

    Raises:
        ValueError: there is no such scenario.
    """
    if name not in SCENARIOS:
        msg = f"no scenario {name!r}; there are: {', '.join(SCENARIOS)}"
        raise ValueError(msg)
    changed = estate.copy()
    if name in cache_scenarios.SCENARIOS:
        return changed, cache_scenarios.apply(name, start, changed)
    if name in work_scenarios.SCENARIOS:
        return changed, work_scenarios.apply(name, start, changed, identify)
    if name in claim_scenarios.SCENARIOS:
        claim_scenarios.apply(name, start, changed)
    act = _ACTS.get(name)
    return changed, (act(changed, start, identify) if act else None) or Effects()


def _bursting(estate: Estate) -> list[FileSystem]:
    return [item for item in estate.file_systems.values() if item.throughput_mode == "bursting"]


def _volume(estate: Estate, name: str) -> Volume | None:
    return next((item for item in estate.volumes.values() if item.name == name), None)


def _node(estate: Estate, name: str) -> Instance | None:
    return next((item for item in estate.instances.values() if item.name == name), None)


def _stick(estate: Estate, start: float, _: Identify) -> None:
    volume, target = _volume(estate, "data-mongodb-0"), _node(estate, "node-a2")
    if volume and target:
        left = leave(volume, start, 30)
        stuck = replace(attachment(target, 40, start + 60), attached=NEVER)
        estate.volumes[volume.volume_id] = replace(left, attachments=(*left.attachments, stuck))


def _lose_node(estate: Estate, start: float, _: Identify) -> None:
    lost, target = _node(estate, "node-a1"), _node(estate, "node-a2")
    if not lost or not target:
        return
    estate.instances[lost.instance_id] = replace(lost, stopping=start, terminated=start + 90)
    for number, volume in enumerate(list(estate.volumes.values())):
        if not any(item.instance_id == lost.instance_id and item.until > start for item in volume.attachments):
            continue
        left = leave(volume, start + 60, 240, lost.instance_id)
        if volume.name.startswith("root-"):
            left = replace(leave(volume, start + 60, 30), deleting=start + 90, deleted=start + 120)
        elif not volume.multi_attach:
            moved = attachment(target, 40 + number, start + 360)
            left = replace(left, attachments=(*left.attachments, moved))
        estate.volumes[volume.volume_id] = left


def _live_and_die(estate: Estate, start: float, identify: Identify) -> None:
    node = _node(estate, "node-b1")
    if not node:
        return
    volume = Volume(
        identify("data-batch-0"),
        "data-batch-0",
        "gp3",
        50,
        3000,
        125,
        node.zone,
        node.zone_id,
        start + 60,
        (attachment(node, 50, start + 90),),
        (("Name", "data-batch-0"), ("team", "data")),
        load=Load(40, 60),
        ready=start + 70,
        deleting=start + 2670,
        deleted=start + 2700,
    )
    estate.volumes[volume.volume_id] = leave(volume, start + 1800, 20)


def _throttle(estate: Estate, start: float, _: Identify) -> Effects | None:
    postgres = _volume(estate, "data-postgres-0")
    return Effects(throttled={postgres.volume_id: (start, math.inf)}) if postgres else None


def _stall(estate: Estate, start: float, _: Identify) -> Effects | None:
    postgres = _volume(estate, "data-postgres-0")
    return Effects(stalled={postgres.volume_id: (start, start + STALL_SECONDS)}) if postgres else None


def _degrade(estate: Estate, start: float, _: Identify) -> Effects | None:
    postgres = _volume(estate, "data-postgres-0")
    return Effects(degraded={postgres.volume_id: (start, start + 3600)}) if postgres else None


def _drain(estate: Estate, start: float, _: Identify) -> Effects:
    return Effects(drained={item.file_system_id: start for item in _bursting(estate)})


def _be_late(_estate: Estate, start: float, _: Identify) -> Effects:
    return Effects(late=(start, math.inf, LATE_SECONDS))


def _disable_key(estate: Estate, start: float, _: Identify) -> None:
    for key in [item for item in estate.keys.values() if item.alias == "alias/officeless-efs"]:
        estate.keys[key.key_id] = replace(key, disabled=start, doomed=start + 3600)


def _fail_backups(estate: Estate, start: float, _: Identify) -> None:
    for arn, plan in list(estate.backups.items()):
        estate.backups[arn] = replace(plan, ends="FAILED", failing=min(plan.failing, start))


def _fail_requests(_estate: Estate, start: float, _: Identify) -> Effects:
    return Effects(failing={_FAILING: (start, math.inf)})


def _swell(_estate: Estate, start: float, _: Identify) -> Effects:
    return Effects(swollen={_SWOLLEN: start})


def _open_bucket(estate: Estate, start: float, _: Identify) -> None:
    if _OPENED in estate.buckets:
        estate.buckets[_OPENED] = replace(estate.buckets[_OPENED], opened=start)


_ACTS: Mapping[str, Callable[[Estate, float, Identify], Effects | None]] = {
    "efs-credits": _drain,
    "ebs-saturated": _throttle,
    "volume-stalled": _stall,
    "ebs-degraded": _degrade,
    "cloudwatch-late": _be_late,
    "attach-stuck": _stick,
    "node-loss": _lose_node,
    "kms-disabled": _disable_key,
    "backup-failed": _fail_backups,
    "s3-errors": _fail_requests,
    "s3-growth": _swell,
    "bucket-public": _open_bucket,
    "volume-lifecycle": _live_and_die,
}
"""What each scenario does to the estate (in place) and to the curves; ``quiet`` does nothing."""
