"""
Whose each EBS volume is; which volumes are left of claims that are gone, and which persistent volumes have none. Pure.

A full listing is minutes old while Kubernetes is of now, and what is made or deleted goes through both, one after the
other. So what the one misses it must have missed already when the other was read, or every volume that is deleted with
its claim would be an orphan until the next listing (`Judge`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from exporter.model import Claim, Claims
from exporter.services.base import Findings, Made, seconds_of, tags_of, text_of, unhurried
from exporter.services.claims import (
    KUBERNETES,
    TAGS,
    by_tags,
    clusters_of,
    could_be_listed,
    is_provisioned,
    words,
)
from exporter.services.ebs_facts import CLAIM_INFO, MISSING, ORPHANED
from exporter.services.items import Item
from exporter.services.reader import Answer

Volumes = Mapping[str, Item]
"""By volume id, as DescribeVolumes tells of them."""

YOUNG = 300
"""Seconds of a volume's life in which nobody names it yet: a persistent volume is made after its volume."""

_PASSING = frozenset({"creating", "deleting", "deleted"})  # states of a volume that is not there yet, or no more


@dataclass(frozen=True, slots=True)
class Owners:
    """
    What Kubernetes says of a scope's volumes. Each field is the same object while nothing in it has changed.

    Args:
        claims: of all volumes, wherever they are.

        pinned: volumes whose claim pins them.

        orphaned: volume id → whose it was, as its tags say.

        missing: volume id → the claim that has no volume any more.
    """

    claims: Claims
    pinned: frozenset[str]
    orphaned: Mapping[str, Claim]
    missing: Mapping[str, Claim]

    @property
    def source(self) -> str:
        """Where claims are known from."""
        return KUBERNETES if self.claims.known else TAGS


class Judge:
    """
    Holds the volumes of one scope against the claims of a cluster.

    Args:
        pinned: whether what belongs to a claim is asked every minute.
    """

    def __init__(self, pinned: Callable[[Claim], bool]) -> None:
        self._pins = pinned
        self._listed: Answer | None = None
        self._strays: frozenset[str] = frozenset()
        self._pinned: Made[frozenset[str]] = Made()
        self._orphaned: Made[dict[str, Claim]] = Made()
        self._missing: Made[dict[str, Claim]] = Made()

    def note(self, listed: Answer | None, before: Claims, now: int) -> None:
        """
        Look at a full listing when it is new.

        Args:
            listed: DescribeVolumes of everything, as it is known now.

            before: the claims as they were before this pass asked AWS anything.

            now: unix seconds, the beginning of the pass.
        """
        if listed is not self._listed:
            # One that an earlier reader left is older than these claims, and proves nothing against them.
            fresh = listed is not None and listed.at >= now
            self._strays = strays(listed.items, before, listed.at) if listed is not None and fresh else frozenset()
            self._listed = listed

    async def judge(self, claims: Claims, present: Volumes, volumes: Volumes, region: str) -> Owners:
        """
        What to say of the volumes now. Yields to the event loop.

        Args:
            claims: as Kubernetes says now.

            present: all volumes of the scope, selected or not, those seen since the last full listing with them.

            volumes: those that are selected.

            region: the scope's.
        """
        listed, among = self._listed, self._strays
        pinned = self._pinned.of(
            (claims, volumes),
            lambda: frozenset(key for key, claim in _known(claims).items() if key in volumes and self._pins(claim)),
        )
        await asyncio.sleep(0)  # each of these is a few milliseconds where there are thousands and something changed
        lost = self._orphaned.of((claims, present, volumes, among), lambda: orphaned(among, claims, present, volumes))
        await asyncio.sleep(0)
        gone = self._missing.of((claims, present, listed), lambda: missing(claims, present, listed, region))
        return Owners(claims, pinned, lost, gone)


def strays(listing: Sequence[Item], claims: Claims, at: int) -> frozenset[str]:
    """
    Volumes a driver made, of a certain age, that nobody uses and no persistent volume names.

    Args:
        listing: all volumes.

        claims: as they were before it was made.

        at: unix seconds at which it was made.
    """
    if not claims.known:
        return frozenset()
    return frozenset(
        item["VolumeId"]
        for item in listing
        if item["VolumeId"] not in claims.volumes
        and _is_idle(item)
        and 0 < (seconds_of(item.get("CreateTime")) or 0) <= at - YOUNG
        and is_provisioned(tags_of(item))
    )


def orphaned(among: Collection[str], claims: Claims, present: Volumes, volumes: Volumes) -> dict[str, Claim]:
    """
    The volumes of our cluster that no persistent volume names; the arguments are those of `Judge.judge`.

    Which clusters are ours is learnt from the volumes that our persistent volumes name. Where there is none of them
    here, this is not where our cluster is, and nothing can be said of anything.

    Args:
        among: those that were `strays` when all were listed.

    Returns:
        Volume id → whose it was, as its tags say.
    """
    idle = [key for key in sorted(among) if key in volumes and key not in claims.volumes and _is_idle(volumes[key])]
    ours = [tags_of(present[key]) for key in claims.volumes if key in present] if idle and claims.known else []
    if not ours:
        return {}
    clusters = frozenset[str]().union(*(clusters_of(tags, owned=True) for tags in ours))
    candidates = {key: tags_of(volumes[key]) for key in idle}
    return {key: by_tags(tags) or Claim("") for key, tags in candidates.items() if clusters_of(tags) <= clusters}


def missing(claims: Claims, present: Volumes, listed: Answer | None, region: str) -> dict[str, Claim]:
    """
    The persistent volumes whose volume should be here and is not; the arguments are those of `Judge.judge`.

    Args:
        listed: the full listing. What has gone since will be missed in the next, if it is still claimed then.

    Returns:
        Volume id → its claim.
    """
    if listed is None or not claims.known:
        return {}
    unseen = {key: claim for key, claim in claims.volumes.items() if key not in present}
    if not unseen or len(unseen) == len(claims.volumes):  # nothing of ours is here: our cluster is elsewhere
        return {}
    there = {item["VolumeId"] for item in listed.items}
    return {
        key: claim for key, claim in unseen.items() if key not in there and could_be_listed(claim, region, listed.at)
    }


# ---- saying ---------------------------------------------------------------------------------------------------------


async def say_claims(found: Findings, volumes: Volumes, claims: Claims) -> None:
    """The claim of each volume that has one: as Kubernetes says, else as the driver's tags do."""
    async for volume_id, item in unhurried(volumes.items()):
        claim = claims.volumes.get(volume_id) if claims.known else by_tags(tags_of(item))
        if claim is not None:
            found.say(CLAIM_INFO, (volume_id, *words(claim)), 1)


async def say_orphaned(found: Findings, lost: Mapping[str, Claim]) -> None:
    """Volumes that are left over, with whose they were."""
    async for volume_id, claim in unhurried(lost.items()):
        found.say(ORPHANED, (volume_id, *words(claim)[:-1]), 1)


async def say_missing(found: Findings, gone: Mapping[str, Claim]) -> None:
    """Persistent volumes whose volume is gone."""
    async for volume_id, claim in unhurried(gone.items()):
        found.say(MISSING, (volume_id, *words(claim)), 1)


def _known(claims: Claims) -> Mapping[str, Claim]:
    return claims.volumes if claims.known else {}


def _is_idle(item: Item) -> bool:
    return not item.get("Attachments") and text_of(item.get("State")) not in _PASSING
