"""What a soak has shown: one line a check, each true or false with the numbers it rests on. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

from tests.soak.run import Told, memory_growth
from tests.soak.shown import WHOLE

MEMORY_SHARE, MEMORY_KIB = 0.08, 8 * 1024
"""By how much the median may be larger at the end: this share, or this much where that is more (threads of a hang)."""

LATEST = 1800
"""Seconds (of the world) by which a metric's newest question may lie back: its interval, its delay, some passes."""


@dataclass(frozen=True)
class Check:
    """One check: what, whether it holds, and the numbers."""

    name: str
    holds: bool
    says: str


def checks(told: Told) -> Iterator[Check]:
    """All of them, in the order of the table."""
    yield _memory(told)
    yield _lost(told)
    yield _late(told)
    yield _values(told)
    yield _visible(told)
    stalls = told.page.get(("storage_exporter_event_loop_stalls_total", frozenset()), math.nan)
    lag = told.page.get(("storage_exporter_event_loop_lag_seconds", frozenset()), math.nan)
    yield Check("event loop", stalls == 0, f"{stalls:g} stalls; longest lag of the last minute {lag:.3f} s")
    yield Check(
        "health",
        told.healthy == "healthy" and not told.unhealthy,
        f"{told.healthy!r} at the end, {len(told.unhealthy)} times otherwise{_some(told.unhealthy)}",
    )
    yield Check("scrapes", told.slowest < 2, f"{told.scrapes}, slowest {told.slowest:.3f} s")
    yield _log(told)
    yield Check("end", told.code == 0, f"exit code {told.code} after SIGTERM")


def table(told: Told) -> Iterator[str]:
    """Each fault and what showed it."""
    yield f"{'fault':<23} {'at':<12} {'hit':>5}  shown by"
    for each in sorted(told.troubles, key=lambda trouble: trouble.kind):
        found = each.evidence()
        if each.kind in WHOLE:
            found = ["(answered whole)", *found]
        elif not each.hit:
            found = ["(no call came by)"]
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        yield f"{each.kind:<23} {each.service:<12} {each.hit:>5}  {', '.join(found[:4]) or 'NOTHING'}{more}"


def _memory(told: Told) -> Check:
    early, late = memory_growth(told.memory)
    allowed = max(early * MEMORY_SHARE, MEMORY_KIB)
    return Check(
        "memory",
        late - early <= allowed,
        f"median {early / 1024:.1f} MiB, then {late / 1024:.1f} MiB, of {len(told.memory)} samples; "
        f"{allowed / 1024:.1f} MiB more are allowed",
    )


def _lost(told: Told) -> Check:
    lost = told.taken.lost(told.forgiven, told.moved)
    return Check(
        "no lost datapoint",
        not lost and told.taken.datapoints > 0,
        f"{told.taken.datapoints} datapoints of {told.taken.followed} metrics, {len(lost)} with a hole; "
        f"{len(told.moved)} volumes that moved are left out{_some(lost)}",
    )


def _late(told: Told) -> Check:
    assert told.world is not None
    alive = {item.volume_id for item in told.world.volumes(told.end) if item.held(told.end)}
    alive &= {item.volume_id for item in told.world.volumes(told.end - LATEST) if item.held(told.end - LATEST)}
    alive -= told.moved  # paired with where they were, they are not asked any more
    alive |= {item.instance_id for item in told.world.instances(told.end)}
    alive |= {item.file_system_id for item in told.world.file_systems(told.end)}
    late = told.taken.late(told.end - LATEST, alive)
    return Check("up to date", not late, f"{len(late)} metrics are behind{_some(late)}")


def _values(told: Told) -> Check:
    """Facts, and the newest value where the fold is the newest, are the world's."""
    assert told.world is not None
    here = ("region", told.world.region)
    size, credit = "aws_ebs_volume_size_bytes", "aws_efs_file_system_burst_credit_balance_bytes"
    page = {
        (name, dict(labels).get("volume_id") or dict(labels).get("file_system_id", "")): value
        for (name, labels), value in told.page.items()
        if here in labels
    }
    settled = told.end - 600  # a full discovery is made every five minutes
    volumes = [item for item in told.world.volumes(told.end) if item.created < settled]
    wrong = [
        f"{volume.volume_id}: {page.get((size, volume.volume_id))}"
        for volume in volumes
        if page.get((size, volume.volume_id)) != volume.size * 2**30
    ]
    gone = {name for metric, name in page if metric == size} - {item.volume_id for item in told.world.volumes(settled)}
    wrong += sorted(f"{name}: deleted and still there" for name in gone - {item.volume_id for item in volumes})
    systems = [system for system in told.world.file_systems(told.end) if (credit, system.file_system_id) in page]
    for system in systems:
        dimension = frozenset({("FileSystemId", system.file_system_id)})
        points = told.world.points(
            "AWS/EFS", "BurstCreditBalance", dimension, "Average", 60, told.end - 900, told.end, told.end
        )
        shown = page[credit, system.file_system_id]
        if not any(math.isclose(shown, value, rel_tol=1e-9) for _, value in points):
            wrong.append(f"{system.file_system_id}: burst credits {shown}")
    return Check(
        "values",
        not wrong and bool(volumes) and bool(systems),
        f"{len(volumes)} volumes' sizes, {len(systems)} file systems' credits; {len(wrong)} wrong{_some(wrong)}",
    )


def _visible(told: Told) -> Check:
    broken = [each for each in told.troubles if each.kind not in WHOLE and each.hit]
    unseen = [f"{each.kind} at {each.service}" for each in broken if not each.evidence()]
    return Check(
        "every fault shows", not unseen, f"{len(broken)} that broke something, {len(unseen)} unseen{_some(unseen)}"
    )


def _log(told: Told) -> Check:
    odd = []
    for line in told.log:
        try:
            said = json.loads(line)
        except ValueError:
            odd.append(line)
            continue
        if "fault of the exporter itself" in said["msg"] or (said["event"] == "library" and said["level"] == "error"):
            odd.append(line)
    return Check("log", not odd, f"{len(told.log)} lines, {len(odd)} unexpected{_some(odd)}")


def _some(what: list[str]) -> str:
    return "".join(f"\n      {text[:300]}" for text in what[:5])
