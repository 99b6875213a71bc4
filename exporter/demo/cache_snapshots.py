"""Snapshots of caches, derived from their windows: one a day, and those made by hand. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from exporter.demo.caches import Cache, CacheNode, ServerlessCache

SNAPSHOT_SECONDS = 600
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class CacheSnapshot:
    """A snapshot of a cache or serverless cache as it stands when asked for; `started` in unix seconds."""

    name: str
    source: str
    started: float
    status: str
    automated: bool
    expires: float | None = None


def snapshots(cache: Cache | ServerlessCache, at: float) -> list[CacheSnapshot]:
    """Automated snapshots (one a day at the window's start, kept `retention` days) and manual ones, oldest first."""
    made = []
    window = cache.snapshot_window if isinstance(cache, Cache) else cache.snapshot_time
    manual = cache.manual_snapshots if isinstance(cache, Cache) else ()
    if cache.retention and window:
        offset = _offset(window)
        newest = (min(at, cache.deleted) - offset) // _DAY * _DAY + offset
        for number in range(cache.retention):
            started = newest - number * _DAY
            if started >= cache.created:
                stamp = _stamp(started)
                status = "available" if at >= started + SNAPSHOT_SECONDS else "creating"
                made.append(
                    CacheSnapshot(
                        f"automatic.{cache.name}-{stamp}",
                        cache.name,
                        started,
                        status,
                        automated=True,
                        expires=started + cache.retention * _DAY,
                    )
                )
    made += [CacheSnapshot(name, cache.name, since, "available", automated=False) for name, since in manual]
    return sorted((item for item in made if item.started <= at), key=lambda item: item.started)


def _stamp(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d-%H-%M")


def saving(cache: Cache, node: CacheNode, minute: float) -> bool:
    """Whether a snapshot of this node runs in the minute."""
    if not cache.retention or not cache.snapshot_window:
        return False
    if cache.snapshot_source(node.shard, minute) != node.cluster_id:
        return False
    return (minute - _offset(cache.snapshot_window)) % _DAY < SNAPSHOT_SECONDS


def _offset(window: str) -> int:
    """The second of the day (UTC) at which a window such as ``19:00-20:00`` begins."""
    return int(window[:2]) * 3600 + int(window[3:5]) * 60
