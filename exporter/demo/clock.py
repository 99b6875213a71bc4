"""The world's time: real, shifted, faster, or standing still. The one place of the demo's world that reads a clock."""

from __future__ import annotations

import time
from collections.abc import Callable


class WorldClock:
    """
    The world's time: real, shifted, faster, or standing still.

    Args:
        at: unix seconds to start from; None for the real time.

        speed: seconds of the world per real second; 0 stands still.

        wall: the real clock, unix seconds.
    """

    def __init__(
        self, at: float | None = None, speed: float | None = None, wall: Callable[[], float] = time.time
    ) -> None:
        self._wall = wall
        self.set(at, speed)

    def __call__(self) -> float:
        """The world's instant, unix seconds."""
        return self._base + (self._wall() - self._since) * self.speed

    def set(self, at: float | None = None, speed: float | None = None) -> None:
        """Put the clock at *at* (None: the real time); it runs at *speed* (None: 1 at real time, 0 at a set one)."""
        self._since = self._wall()
        self._base = self._since if at is None else float(at)
        self.speed = (1.0 if at is None else 0.0) if speed is None else float(speed)

    def advance(self, seconds: float) -> None:
        """Move the clock on by *seconds*, at the same speed."""
        self.set(self() + seconds, self.speed)
