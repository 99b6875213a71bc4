"""A time that a test moves minute by minute, for the exporter and the simulated AWS it reads, in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import time
from collections.abc import Callable, Iterable

from exporter.engine import PASS_EVERY
from exporter.scheduler import next_turn, phase

_SAME = 1e-3
"""Seconds by which two sums of the same instants may differ."""

_LATE = 0.002
"""
Seconds by which a turn is late, as timers are: so much after it that the next one is another, whatever sums are off.
"""

_LOOK = 0.002
"""Real seconds between two looks at whether everybody rests."""

_PATIENCE = 300.0
"""Real seconds within which everybody must rest again."""


_Sleep = tuple[float, int, str, asyncio.Future[None]]


class SteppedClock:
    """
    Stands where it was put, until it is moved. A `Clock` for the exporter, unix seconds where it is called.

    The jobs of the scheduler wait for their turn of this time alone. Everybody else, who waits for AWS or keeps a pace,
    also gets on in real time, which passes *hurry* times as fast for them.

    Args:
        at: unix seconds.

        hurry: seconds of pauses and deadlines that pass in a real one.
    """

    def __init__(self, at: float, hurry: float = 1.0) -> None:
        self._at, self._hurry = at, hurry
        self._moved = 0.0
        self._turns: list[_Sleep] = []
        self._others: list[_Sleep] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        """The instant, unix seconds."""
        return self._at

    __call__ = time

    def monotonic(self) -> float:
        """Seconds that passed, by jumps and for real."""
        return time.monotonic() * self._hurry + self._moved

    async def sleep(self, seconds: float) -> None:
        """Wait for a turn of this time, or for a moment of it or of the real one."""
        task = asyncio.current_task()
        name = task.get_name() if task is not None else ""
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sleep = (self._at + seconds, next(self._numbers), name, reached)
        turn = next_turn(self._at, PASS_EVERY, phase(name, PASS_EVERY))
        if abs(self._at + seconds - turn) < _SAME:
            sleep = (turn + _LATE, *sleep[1:])
            heapq.heappush(self._turns, sleep)
            await reached
            return
        heapq.heappush(self._others, (*sleep[:2], getattr(task and task.get_coro(), "__qualname__", ""), reached))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reached, max(0.0, seconds) / self._hurry)

    def hasten(self, hurry: float) -> None:
        """From now on pauses and deadlines pass *hurry* times as fast."""
        self._moved += time.monotonic() * (self._hurry - hurry)
        self._hurry = hurry

    def resting(self) -> set[str]:
        """Names of the jobs that wait for their turn, and of the functions of other tasks that sleep."""
        sleeps = (*self._turns, *self._others)
        return {name for due, _, name, future in sleeps if not future.done() and due > self._at}

    async def move(self, until: float, jobs: Callable[[], Iterable[str]]) -> None:
        """
        Let it become *until*, turn after turn.

        Args:
            until: unix seconds, not before now.

            jobs: names of the tasks that must rest before time goes on.
        """
        await self.rest(jobs)
        while self._turns and self._turns[0][0] <= until:
            self._jump(max(self._turns[0][0], self._at))
            self._wake(self._turns)
            await self.rest(jobs)
        self._jump(until)
        await self.rest(jobs)

    async def leap(self, until: float, jobs: Callable[[], Iterable[str]]) -> None:
        """Let it become *until* at once: turns on the way are missed, and each job has one at the end."""
        await self.rest(jobs)
        self._jump(until)
        self._wake(self._turns)
        await self.rest(jobs)

    async def rest(self, jobs: Callable[[], Iterable[str]]) -> None:
        """Return when every job waits for its turn."""
        end = time.monotonic() + _PATIENCE
        await asyncio.sleep(0)
        while True:
            wanted = set(jobs())
            if wanted <= self.resting():
                return
            if time.monotonic() > end:
                message = f"at {self._at:.0f} still at work after {_PATIENCE:g} s: {sorted(wanted - self.resting())}"
                raise TimeoutError(message)
            await asyncio.sleep(_LOOK)

    def _jump(self, at: float) -> None:
        self._moved += at - self._at
        self._at = at
        self._wake(self._others)

    def _wake(self, sleeps: list[_Sleep]) -> None:
        """Those whose instant has come; who has left is forgotten."""
        while sleeps and (sleeps[0][0] <= self._at or sleeps[0][3].done()):
            future = heapq.heappop(sleeps)[3]
            if not future.done():
                future.set_result(None)
