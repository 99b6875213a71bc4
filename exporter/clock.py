"""
Time as an argument, so that a test can hold it still.

Three readings are kept apart: `time` (unix seconds, what CloudWatch and people speak), `monotonic` (seconds that
never jump, for intervals and deadlines) and `sleep`. Pure but for `SystemClock`, the one place that reads the
machine's clock.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What the program needs to know about time."""

    def time(self) -> float:
        """The instant now, unix seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed instant; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds* (at once for zero or less)."""
        ...


class SystemClock:
    """The machine's own clock."""

    def time(self) -> float:
        """The instant now, unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since boot or another fixed instant."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the event loop."""
        await asyncio.sleep(max(0.0, seconds))


class FixedClock:
    """
    A clock whose wall time stands where it was put, while intervals still pass.

    For one pass at a chosen instant: golden files, the independent reader, `demo --at`. Calls still need real time to
    reach a server, so `monotonic` and `sleep` are the machine's.

    Args:
        at: unix seconds.
    """

    def __init__(self, at: float) -> None:
        self.at = at

    def time(self) -> float:
        """Where the clock was put, unix seconds."""
        return self.at

    def monotonic(self) -> float:
        """Seconds of the machine's own monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the event loop for real."""
        await asyncio.sleep(max(0.0, seconds))


def floor_to(instant: float, step: int) -> int:
    """The newest multiple of *step* seconds that is not later than *instant* (unix seconds)."""
    return int(instant // step) * step
