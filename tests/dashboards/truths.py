"""
What panels show against what is true of the simulated world, by number. Each truth is written from what the panel says
it shows, never from its query or the recordings below it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.demo.cache_curves import CacheCurves
from exporter.demo.nouns import GIB, NEVER, FileSystem, Volume
from tests.dashboards.evaluating import Answer
from tests.dashboards.held import Held
from tests.rules.scene import MINUTE

LATE = 4 * MINUTE
"""Seconds that a datapoint of CloudWatch is behind, at most, where nothing holds it up."""


@dataclass(frozen=True)
class Seen:
    """Answers by dashboard and panel."""

    answers: Sequence[Answer]

    def last(self, uid: str, panel: str, legend: str = "") -> list[tuple[Answer, Mapping[str, str], float]]:
        """The last value of each series, with what was chosen; of all a panel's queries, or of those with a legend."""
        return [
            (each, labels, course[-1][1])
            for each in self.answers
            if (each.asked.uid, each.asked.panel) == (f"storage-exporter-{uid}", panel)
            and legend in {"", each.asked.legend}
            for labels, course in each.series
        ]

    def number(self, uid: str, panel: str) -> float:
        """Of a panel that shows one number."""
        found = self.last(uid, panel)
        return found[0][2] if len(found) == 1 else math.nan

    def by(self, uid: str, panel: str, label: str) -> dict[str, float]:
        """Of a panel that shows one for each value of a label."""
        return {labels.get(label, ""): value for _, labels, value in self.last(uid, panel)}


Shown = float | Mapping[str, float]
Truth = Callable[[Held, Seen], tuple[Shown, Shown, float]]
"""What is shown, what is true, and by how much (relative) they may differ."""


def volumes(held: Held) -> list[Volume]:
    """Those that there are, each once."""
    return list({each.volume_id: each for each in held.world.volumes(held.now)}.values())


def ebs_count(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """How many volumes."""
    return seen.number("ebs-fleet", "How many"), len(volumes(held)), 0


def ebs_types(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """How many volumes of each type."""
    return seen.by("ebs-fleet", "Volumes by type", "volume_type"), Counter(each.type for each in volumes(held)), 0


def ebs_bytes(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """Bytes that are provisioned."""
    return seen.number("overview", "EBS provisioned"), sum(each.size for each in volumes(held)) * GIB, 0


def ebs_unattached(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """Bytes of volumes that nothing holds."""
    loose = [each for each in volumes(held) if each.state(held.now) == "available"]
    return seen.number("capacity", "Unattached"), sum(each.size for each in loose) * GIB, 0


def ebs_iops(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """The operations a second that each chosen volume was given; st1 and sc1 have none."""
    shown = seen.last("ebs-volume", "Operations a second", "provisioned")
    lines = {each.chosen["volume_id"]: value for each, _, value in shown}
    return lines, {name: held.world.volume(name).iops for name in lines} or {"no volume": 1}, 0


def ebs_backup(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """Seconds since the newest snapshot that is whole, of each chosen volume."""
    shown = seen.last("ebs-volume", "Age of the newest backup")
    ages = {each.chosen["volume_id"]: value for each, _, value in shown}
    newest: dict[str, float] = defaultdict(float)
    for snapshot in held.world.snapshots(held.now):
        if snapshot.state == "completed":
            newest[snapshot.volume_id] = max(newest[snapshot.volume_id], snapshot.started)
    return ages, {name: held.now - newest[name] for name in ages} or {"no volume": 1}, 0.05


def _bursting(held: Held) -> list[FileSystem]:
    return [each for each in held.world.file_systems(held.now) if each.throughput_mode == "bursting"]


def _credits(held: Held, system: FileSystem, before: float) -> float:
    minute = int((held.now - before) // MINUTE * MINUTE)
    return held.world.curves.files(system, minute).credits


def efs_credits(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """Bytes of burst credits that the poorest file system has."""
    return seen.number("efs", "Credits left"), min(_credits(held, each, LATE) for each in _bursting(held)), 0.03


def _end_of_credits(held: Held) -> float:
    ends = []
    for each in _bursting(held):
        now, before = _credits(held, each, LATE), _credits(held, each, LATE + 30 * MINUTE)
        ends.append(now / (before - now) * 30 * MINUTE if before > now else NEVER)
    return min(ends)


def efs_end(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """Seconds until the first file system's credits are gone, as the last half hour went."""
    return seen.number("efs", "Credits end in"), _end_of_credits(held), 0.1


def first_to_end(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """What runs out first are those credits: nothing else in this world fills up so soon."""
    return seen.number("overview", "Runs out first"), _end_of_credits(held), 0.15


def s3_bytes(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """Bytes in all buckets, as of one of the last two midnights."""
    yesterday = sum(sum(each.sizes(held.now - 86_400).values()) for each in held.world.buckets(held.now))
    return seen.number("s3", "Stored"), yesterday, 0.005


def s3_growth(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """Bytes by which all buckets grew in a day."""
    grown = sum(each.growth for each in held.world.buckets(held.now))
    return seen.number("s3", "Growth of a day"), grown, 0.05


def s3_buckets(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """How many buckets of the region."""
    return seen.number("overview", "S3 buckets"), len(held.world.buckets(held.now)), 0


def caches(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """How many replication groups and serverless caches."""
    groups = [each for each in held.world.caches(held.now) if each.keeps_data]
    return seen.number("overview", "Valkey caches"), len(groups) + len(held.world.serverless_caches(held.now)), 0


def fullest(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """The share of its memory that the fullest node has in use."""
    minute = int((held.now - LATE) // MINUTE * MINUTE)
    curves = CacheCurves(held.world.curves)
    used = [
        curves.node(cache, node, minute).memory / 100
        for cache in held.world.caches(held.now)
        if cache.keeps_data
        for node in cache.members(held.now)
        if node.publishes(minute)
    ]
    return seen.number("valkey", "Fullest node"), max(used), 0.03


def pages(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """How many alerts wake somebody now."""
    return seen.number("overview", "Pages"), _firing(held, "critical"), 0


def tickets(held: Held, seen: Seen) -> tuple[Shown, Shown, float]:
    """How many alerts are tickets now."""
    return seen.number("overview", "Tickets"), _firing(held, "warning"), 0


def _firing(held: Held, severity: str) -> int:
    return sum(each.label("severity") == severity for each in held.firing)


TRUTHS: tuple[Truth, ...] = (
    ebs_count, ebs_types, ebs_bytes, ebs_unattached, ebs_iops, ebs_backup, efs_credits, efs_end, first_to_end,
    s3_bytes, s3_growth, s3_buckets, caches, fullest, pages, tickets,
)  # fmt: skip


def untrue(held: Held, seen: Seen, truths: Sequence[Truth] = TRUTHS) -> Iterator[str]:
    """What a panel shows otherwise than it is."""
    for truth in truths:
        shown, true, by = truth(held, seen)
        mine = shown if isinstance(shown, Mapping) else {"": shown}
        theirs = true if isinstance(true, Mapping) else {"": true}
        same = mine.keys() == theirs.keys() and all(
            math.isclose(mine[key], theirs[key], rel_tol=max(by, 1e-9)) for key in mine
        )
        if not same:
            yield f"{truth.__name__}: shows {shown}, it is {true}"
