"""A clock for the exporter that stands still until it is told to jump: what is due, and when, is the runner's."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass

_JOBS = "exporter.scheduler"
"""Whoever sleeps there waits for the next turn of a job."""


@dataclass(slots=True, eq=False)
class _Sleeper:
    due: float
    done: asyncio.Future[None]


class HeldClock:
    """
    Wall time that moves only by `jump`; the monotonic reading goes on by itself and jumps along.

    A job that waits for its turn is woken by a jump that reaches it, never by real time. Everything else that sleeps (a
    call's turn at the token bucket, a repetition) sleeps as long as it says, for AWS answers in real time.

    Args:
        at: unix seconds.
    """

    def __init__(self, at: float) -> None:
        self._at = at
        self._jumped = 0.0
        self._jobs: set[_Sleeper] = set()
        self._changed = asyncio.Event()

    def time(self) -> float:
        """Where the clock stands, unix seconds."""
        return self._at

    def monotonic(self) -> float:
        """The machine's own monotonic clock and all jumps."""
        return time.monotonic() + self._jumped

    async def sleep(self, seconds: float) -> None:
        """Sleep for real; a job until a jump reaches its turn."""
        if sys._getframe(1).f_globals.get("__name__") != _JOBS:
            await asyncio.sleep(max(0.0, seconds))
            return
        sleeper = _Sleeper(self._at + seconds, asyncio.get_running_loop().create_future())
        self._jobs.add(sleeper)
        self._changed.set()
        try:
            await sleeper.done
        finally:
            self._jobs.discard(sleeper)

    def jump(self, seconds: float) -> int:
        """Move on by *seconds* and wake the jobs whose turn has come; how many those are."""
        self._at += seconds
        self._jumped += seconds
        return self._wake(self._at)

    def wake_all(self) -> int:
        """Let every job run now, whenever its turn would be."""
        return self._wake(float("inf"))

    def next_turn(self) -> float:
        """Seconds until the next turn of a job."""
        return max(0.0, min(sleeper.due for sleeper in self._jobs) - self._at)

    async def all_asleep(self, jobs: int) -> None:
        """Return when *jobs* jobs wait for a turn."""
        while len(self._jobs) < jobs:
            self._changed.clear()
            await self._changed.wait()

    def _wake(self, until: float) -> int:
        due = [sleeper for sleeper in self._jobs if sleeper.due <= until]
        for sleeper in due:
            self._jobs.discard(sleeper)
            if not sleeper.done.done():
                sleeper.done.set_result(None)
        return len(due)
