"""
Whether the program gets on: a thread that watches the event loop turn, and what each part is to have done by when.

A loop that is stuck cannot answer a probe, which then times out: that is what makes `/-/healthy` fail. It cannot say
why either; so a thread of its own logs where the loop's thread stands, once a stall, and counts it. A loop that turns
while a part of the program does not is what `Expectations` is for: `/-/healthy` names what is overdue.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

from exporter import logs
from exporter.clock import Clock
from exporter.telemetry import Telemetry

_LOG = logs.logger(__name__)

STALLED = 15.0
"""Seconds without a turn of the loop that are a stall: longer than a probe waits, shorter than three of them take."""

BEAT = 1.0
"""
Seconds between two beats; a stall of the loop that is shorter may fall between them and not be seen. Each wakes a
process that has nothing else to do, and that is most of what an idle one costs (tests/bench/PROFILE.md).
"""

_LOOKS = 5
"""Looks of the thread in the time that makes a stall."""

WINDOW = 60.0
"""
Seconds over which the longest lag is shown. Not "since the last scrape": of two scrapers, the first would take away
what the second has not seen.
"""

GRACE = 30.0
"""Seconds after which what should have happened is overdue."""

STUTTER = 5.0
"""A lag of the loop, in seconds, after which everything gets a new grace: nothing could happen meanwhile."""

ALIVE = 600.0
"""
Seconds between two lines that say the program runs. It may have nothing else to say for days; an alert on its silence
(rules/loki/exporter.yaml) and on a log that does not arrive needs them.
"""

_DEEPEST = 40


@dataclass(frozen=True, slots=True)
class _Expected:
    what: str
    due: float
    by: float


class Expectations:
    """
    What each part of the program is to do next, and by when. To be used from the event loop.

    Args:
        clock: its monotonic reading and its wall time.

        grace: seconds by which anything may be late.
    """

    def __init__(self, clock: Clock, grace: float = GRACE) -> None:
        self._clock = clock
        self._grace = grace
        self._expected: dict[str, _Expected] = {}
        self._resumed = -math.inf

    def expect(self, name: str, what: str, seconds: float, *, by: float = -math.inf) -> None:
        """
        Replace what is expected of *name*.

        Args:
            name: of a job or another part.

            what: what is wrong once it is overdue, for people.

            seconds: within which it is to happen.

            by: unix seconds before which it is not overdue either, for what waits for a time of day: that clock may
                be set, and a simulated one stands still.
        """
        due = self._clock.monotonic() + seconds + self._grace
        self._expected[name] = _Expected(what, due, by + self._grace)

    def over(self, name: str) -> None:
        """Nothing is expected of *name* any more."""
        self._expected.pop(name, None)

    def resumed(self) -> None:
        """The loop turns again: whatever was due meanwhile gets the grace once more."""
        self._resumed = self._clock.monotonic()

    def overdue(self) -> list[str]:
        """What should have happened and did not: ``name: what``, by name."""
        now, wall = self._clock.monotonic(), self._clock.time()
        excused = self._resumed + self._grace
        return [
            f"{name}: {each.what}"
            for name, each in sorted(self._expected.items())
            if now > max(each.due, excused) and wall > each.by
        ]


class Longest:
    """
    The largest of the values noted in the last `WINDOW` seconds, give or take a sixth of them. Pure.

    Args:
        window: seconds.
    """

    def __init__(self, window: float = WINDOW) -> None:
        self._step = window / 6
        self._slots: deque[tuple[int, float]] = deque(maxlen=7)  # six whole ones and the one being filled

    def note(self, now: float, value: float) -> float:
        """Note *value* at *now* (seconds, never going back); the largest there is."""
        slot = int(now // self._step)
        if self._slots and self._slots[-1][0] == slot:
            value = max(value, self._slots.pop()[1])
        self._slots.append((slot, value))
        while self._slots[0][0] < slot - 6:
            self._slots.popleft()
        return max(each for _, each in self._slots)


class Watchdog:
    """
    Watches one event loop from a thread of its own.

    Args:
        telemetry: where lag and stalls are measured.

        expectations: told when the loop turns again.

        stalled: seconds without a turn that are a stall.

        alive: seconds between two lines that say so.
    """

    def __init__(
        self, telemetry: Telemetry, expectations: Expectations, stalled: float = STALLED, alive: float = ALIVE
    ) -> None:
        self._telemetry = telemetry
        self._expectations = expectations
        self._stalled = stalled
        self._alive = alive
        self._say_at = math.inf
        self._longest = Longest()
        self._shown = -1.0
        self._lock = threading.Lock()
        self._due = math.inf
        self._told_of = math.nan
        self._handle: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the running loop meanwhile."""
        loop, ended = asyncio.get_running_loop(), threading.Event()
        self._telemetry.loop_stalled(0)
        self._say_at = time.monotonic() + self._alive
        self._beat(loop)
        watcher = threading.Thread(
            target=self._watch, args=(threading.get_ident(), ended), name="watchdog", daemon=True
        )
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join(1.0)  # it may be waiting for a log that nobody reads
            if self._handle is not None:
                self._handle.cancel()

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        """One turn of the loop, and the next one ordered."""
        now = time.monotonic()
        lag = max(0.0, now - self._due)
        longest = self._longest.note(now, lag)
        if longest != self._shown:
            self._shown = longest
            self._telemetry.loop_lag(longest)
        if lag > STUTTER:
            self._expectations.resumed()
        if lag > self._stalled:
            self._tell(self._due, None)  # also where the thread got no turn itself
            logs.log(_LOG, "warning", "loop_turns", f"the event loop turns again, after {lag:.1f} s")
        if now >= self._say_at:
            self._say_at = now + self._alive
            logs.log(_LOG, "info", "alive", "this replica runs: its event loop turns")
        self._due = now + BEAT
        self._handle = loop.call_later(BEAT, self._beat, loop)

    def _watch(self, thread: int, ended: threading.Event) -> None:
        """The thread: look now and then whether the beat that is due came."""
        while not ended.wait(self._stalled / _LOOKS):
            due = self._due
            if time.monotonic() - due > self._stalled:
                self._tell(due, sys._current_frames().get(thread))  # noqa: SLF001 - documented, and the only way

    def _tell(self, due: float, frame: FrameType | None) -> None:
        """Count and log the stall that began at *due*, once."""
        with self._lock:
            if self._told_of == due:
                return
            self._told_of = due
        # Counted first: where the loop is stuck in writing a log line, this thread's line is stuck as well.
        self._telemetry.loop_stalled(1)
        stack = "".join(traceback.format_stack(frame, _DEEPEST)) if frame is not None else None
        logs.log(
            _LOG,
            "error",
            "loop_stalled",
            f"the event loop has not turned for {time.monotonic() - due:.0f} s: nothing is answered, nothing is read. "
            + ("Where it stands is in `stack`" if stack else "Where it stood is not known: no thread got its turn"),
            stack=stack,
        )
