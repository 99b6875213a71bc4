"""
The troubles of caches, for the table of `scenarios`. All happen to the cache ``sessions``. Pure.

Each changes the estate it is given and says what the curves shall do.
"""

from __future__ import annotations

import math

from exporter.demo.caches import failed_over
from exporter.demo.curves import Effects
from exporter.demo.estate import Estate

SCENARIOS: dict[str, str] = {
    "valkey-failover": "the primary of sessions dies; for a minute writes meet READONLY, then a replica is primary",
    "valkey-memory": "the memory of sessions fills from 50 to 100 % in 30 minutes, then it evicts",
    "silent-node": "the replica sessions-002 publishes nothing any more, though it is listed as available",
    "valkey-saturated": "the engine of sessions runs at 100 %, its traffic is managed, its network allowance exceeded",
}
"""Name and one line for people, by name."""

CACHE = "sessions"


def apply(name: str, start: float, estate: Estate) -> Effects:
    """The effects on the curves once a scenario of caches began at *start*; *estate* is changed in place."""
    cache = estate.caches.get(CACHE)
    if cache is None:
        return Effects()
    if name == "valkey-failover":
        estate.caches[CACHE] = failed_over(cache, cache.shards()[0], start)
        return Effects()
    if name == "valkey-memory":
        return Effects(filling={CACHE: start})
    if name == "silent-node":
        return Effects(silent={f"{CACHE}-002": (start, math.inf)})
    return Effects(saturated={CACHE: (start, math.inf)})
