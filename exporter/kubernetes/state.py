"""What is known of the cluster, as reflectors keep it, and how one goes over it without haste. Pure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from exporter.kubernetes.records import (
    CsiDriver,
    CsiNode,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    StorageClass,
    VolumeAttachment,
)

T = TypeVar("T")

State = Mapping[str, Mapping[str, Any] | None]
"""Kind → key (``namespace/name`` or ``name``) → record; None for a kind that is not known. It changes in place."""

TOGETHER = 100
"""Objects that are worked on before the event loop has its turn: one to two milliseconds."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is known at one instant, by key; None for a kind that is not known."""

    volumes: Mapping[str, PersistentVolume] | None
    claims: Mapping[str, PersistentVolumeClaim] | None
    classes: Mapping[str, StorageClass] | None
    attachments: Mapping[str, VolumeAttachment] | None
    nodes: Mapping[str, CsiNode] | None
    drivers: Mapping[str, CsiDriver] | None
    pods: Mapping[str, Pod] | None


def cluster_of(state: State) -> Cluster:
    """*state* as it is now, which what happens later does not change."""
    kinds = (
        "persistentvolumes",
        "persistentvolumeclaims",
        "storageclasses",
        "volumeattachments",
        "csinodes",
        "csidrivers",
        "pods",
    )
    return Cluster(*(None if (records := state.get(kind)) is None else dict(records) for kind in kinds))


def each_of(records: Mapping[str, T] | None) -> list[T]:
    """The records in the order of their keys, so that a new listing in another order says the same."""
    return [records[key] for key in sorted(records)] if records is not None else []


async def unhurried(items: Iterable[T]) -> AsyncIterator[T]:
    """*items* one by one; after every `TOGETHER` of them the event loop has its turn."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % TOGETHER:
            await asyncio.sleep(0)
