"""
Whose each volume is: from what the cluster holds to the `Claims` that the services join. Pure.

A claim's name stands beside a volume only while both sides say so. A released volume keeps the name of the claim it
had; were that believed, a claim made anew under the same name would have two volumes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from exporter.kubernetes.records import PersistentVolume, PersistentVolumeClaim
from exporter.kubernetes.state import State, cluster_of, each_of, unhurried
from exporter.kubernetes.volumes import Unnamed, Volume
from exporter.model import NO_CLAIMS, Claim, Claims

HANDLE_TWICE = "handle_twice"
"""Why a volume is left out: another one names the same EBS volume, and EBS volumes belong to one."""


def bound_to(
    volume: PersistentVolume, claims: Mapping[str, PersistentVolumeClaim] | None
) -> tuple[str, str, PersistentVolumeClaim | None]:
    """
    The claim that *volume* is truly bound to.

    Args:
        volume: a persistent volume.

        claims: all claims by ``namespace/name``, None where they are not known: then the volume is believed.

    Returns:
        namespace, name, and the claim itself where it is known; ``""`` and ``""`` for a volume that is not bound.
    """
    namespace, name = volume.claim_namespace, volume.claim_name
    if not name or volume.phase not in {"", "Bound"}:
        return "", "", None
    if claims is None:
        return namespace, name, None
    claim = claims.get(f"{namespace}/{name}")
    if claim is None or not agree(volume, claim):
        return "", "", None
    return namespace, name, claim


def agree(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether *volume* is bound to *claim* of that name: by uid, else because the claim names the volume."""
    if volume.claim_uid:  # the claim learns of its volume a moment later
        return claim.uid == volume.claim_uid and (not claim.volume or claim.volume == volume.name)
    return claim.volume == volume.name


Whose = tuple[Claims, Mapping[str, int]]
"""Whose each volume is, and how many persistent volumes of AWS drivers are left out of that, by reason."""


def claims_of(state: State) -> Whose:
    """
    Whose each volume is, at once. The same cluster gives the same claims in the same order.

    Args:
        state: what is known of the cluster.
    """
    if state.get("persistentvolumes") is None:
        return NO_CLAIMS, {}
    cluster = cluster_of(state)
    gathered = _Gathered(cluster.claims)
    for volume in each_of(cluster.volumes):
        gathered.take(volume)
    return gathered.whole()


async def gather(state: State) -> Whose:
    """What `claims_of` says of *state* as it is at the call; the event loop has its turn meanwhile."""
    if state.get("persistentvolumes") is None:
        return NO_CLAIMS, {}
    cluster = cluster_of(state)
    gathered = _Gathered(cluster.claims)
    async for volume in unhurried(each_of(cluster.volumes)):
        gathered.take(volume)
    return gathered.whole()


class _Gathered:
    """The claims of the volumes that were taken so far."""

    def __init__(self, claims: Mapping[str, PersistentVolumeClaim] | None) -> None:
        self._claims = claims
        self._left_out: Counter[str] = Counter()
        self._blocks: dict[str, tuple[PersistentVolume, Claim]] = {}
        self._points: dict[str, list[Claim]] = {}
        self._systems: dict[str, list[Claim]] = {}
        self._buckets: dict[str, list[Claim]] = {}

    def take(self, volume: PersistentVolume) -> None:
        named = volume.named
        if isinstance(named, Unnamed):
            self._left_out[named.value] += 1
            return
        claim = _claim(volume, named, self._claims)
        if named.service == "ebs":
            other = self._blocks.get(named.volume_id)
            if other is not None:
                self._left_out[HANDLE_TWICE] += 1
            if other is None or _rank(volume, claim) > _rank(*other):
                self._blocks[named.volume_id] = volume, claim
        elif named.service == "s3":
            self._buckets.setdefault(named.bucket, []).append(claim)
        elif named.access_point_id:
            self._points.setdefault(named.access_point_id, []).append(claim)
        else:
            self._systems.setdefault(named.file_system_id, []).append(claim)

    def whole(self) -> Whose:
        volumes = {volume_id: claim for volume_id, (_, claim) in self._blocks.items()}
        return Claims(volumes, self._points, self._systems, self._buckets, known=True), self._left_out


def renewed(before: Claims, now: Claims) -> Claims:
    """*now*, or *before* where it says the same: what is joined to it need not be joined again."""
    same = (
        before.known == now.known
        and before.volumes == now.volumes
        and before.access_points == now.access_points
        and before.file_systems == now.file_systems
        and before.buckets == now.buckets
    )
    return before if same else now


def _claim(volume: PersistentVolume, named: Volume, claims: Mapping[str, PersistentVolumeClaim] | None) -> Claim:
    namespace, name, claim = bound_to(volume, claims)
    return Claim(
        persistentvolume=volume.name,
        persistentvolumeclaim=name,
        namespace=namespace,
        storageclass=volume.storageclass,
        zone=volume.zone,
        path=named.path,
        annotations=claim.annotations if claim is not None else {},
        created=int(volume.created or 0),
        file_system_id=named.file_system_id,
    )


def _rank(volume: PersistentVolume, claim: Claim) -> tuple[bool, int]:
    """Which of two volumes with one handle counts: the one that is bound, then the newer; else the first by name."""
    return claim.persistentvolumeclaim != "", volume.created or 0
