"""
What the outbox says of itself: what was lost, and what could not be done. Each once an hour.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from exporter import logs
from exporter.clock import Clock
from exporter.remote.disk import next_step
from exporter.remote.segments import Recovered

_LOG = logs.logger(__name__)
_HOUR = 3600.0


class Told(Protocol):
    """Who counts."""

    def dropped(self, reason: str, samples: int) -> None:
        """Samples are lost: ``max_bytes``, ``max_age``, ``disk_full``, ``corrupt``, or what `discard` was told."""
        ...

    def failed(self) -> None:
        """Frames could not be kept."""
        ...


class Notices:
    """
    Log lines and counts.

    Args:
        path: the outbox.

        clock: for how long something was said before.

        count: told of every drop: reason, samples.
    """

    def __init__(self, path: Path, clock: Clock, count: Callable[[str, int], None]) -> None:
        self._path = path
        self._count = count
        self._once = logs.Once(_LOG, _HOUR, clock.monotonic)

    def dropped(self, lane: str, reason: str, samples: int) -> None:
        """Samples that waited are lost."""
        self._count(reason, samples)
        self._once.log(
            f"dropped {reason}",
            "warning",
            "outbox_dropped",
            f"outbox {self._path}: samples that waited were dropped: {reason}",
            lane=lane,
            reason=reason,
            samples=samples,
        )

    def recovered(self, found: Recovered) -> None:
        """A lane was found on disk; whether anything of it was lost."""
        if not found.cut:
            return
        if found.lost_frames:
            self._count("corrupt", found.lost_samples)
        logs.log(
            _LOG,
            "warning",
            "outbox_cut",
            f"outbox {self._path}: {found.cut}: removed with all behind it in its lane; it is asked for again",
            lane=found.name,
            frames=found.lost_frames,
            samples=found.lost_samples,
        )

    def unwell(self, what: str, error: OSError) -> None:
        """Something could not be done; the outbox goes on without."""
        self._once.log(
            what,
            "warning",
            "outbox_unwell",
            f"cannot {what} the outbox {self._path}: {next_step(error)}",
            error=error,
        )
