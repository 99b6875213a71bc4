"""
When jobs run, and the one wrapper that measures every job.

A job runs on a grid of its interval, each at a phase of its own so that scopes do not ask all at once; a pass has a
deadline; a pass that would overlap the next one makes that one be missed, counted, not queued. A job that fails is run
again at its next turn: nothing a job does ends the loop.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from exporter import logs
from exporter.clock import Clock
from exporter.errors import ExporterError
from exporter.model import Scope
from exporter.telemetry import Telemetry
from exporter.watchdog import Expectations

_LOG = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run of a job went: whether it read everything, and whose AWS it read (None where that is not known)."""

    ok: bool
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """
    Something done again and again.

    Args:
        name: unique.

        aws_service: on whose behalf, ``""`` for none.

        interval: seconds between two runs.

        deadline: seconds one run may take.

        run: does it once.
    """

    name: str
    aws_service: str
    interval: int
    deadline: float
    run: Callable[[], Awaitable[Outcome]]


def phase(name: str, interval: int) -> float:
    """Seconds into the interval at which the job of that *name* runs: the same in every process, spread over jobs."""
    return zlib.crc32(name.encode()) % (interval * 1000) / 1000


def next_turn(now: float, interval: int, offset: float) -> float:
    """The first instant after *now* on the grid of *interval* seconds shifted by *offset*."""
    return ((now - offset) // interval + 1) * interval + offset


class Scheduler:
    """
    Runs jobs until cancelled.

    Args:
        telemetry: where runs are measured.

        clock: time.

        expectations: told by when each job is to begin and to end a pass; its own where None.

    ``finished`` names the jobs that have run at least once, ``living`` those that will run again, ``errors`` what ended
    the last run of a job before it was through.
    """

    def __init__(self, telemetry: Telemetry, clock: Clock, expectations: Expectations | None = None) -> None:
        self._telemetry = telemetry
        self._expectations = expectations or Expectations(clock)
        self._clock = clock
        self._once = logs.Once(_LOG, 3600, clock.monotonic)
        self._scopes: dict[str, Scope | None] = {}
        self.finished: set[str] = set()
        self.living: set[str] = set()
        self.errors: dict[str, Exception] = {}
        self._ended = asyncio.Condition()

    async def forever(self, job: Job, after: Collection[str] = ()) -> None:
        """Run *job* now, or as soon as the jobs named in *after* have run once, and then at each of its turns."""
        offset = phase(job.name, job.interval)
        self.living.add(job.name)
        try:
            async with self._ended:
                await self._ended.wait_for(lambda: self.finished.issuperset(after))
            while True:
                started = self._clock.time()
                # asyncio.timeout only asks a pass to end; one that does not heed it would hold its job for ever.
                overdue = f"a pass did not end, though its deadline of {job.deadline:g} s is over"
                self._expectations.expect(job.name, overdue, job.deadline)
                await self.once(job)
                now = self._clock.time()
                turn = next_turn(started, job.interval, offset)
                while turn <= now:
                    # The run took longer than its interval: what it should have asked meanwhile is asked by the next,
                    # whose windows start where this one's ended.
                    self._telemetry.job_missed(job.name, job.aws_service, self._scopes.get(job.name))
                    turn += job.interval
                self._expectations.expect(job.name, "the next pass did not begin at its turn", turn - now, by=turn)
                await self._clock.sleep(turn - now)
        finally:
            self._expectations.over(job.name)
            self.living.discard(job.name)

    def forget(self, name: str) -> None:
        """A job of that *name* is no more: neither are its measurements."""
        self.finished.discard(name)
        self._scopes.pop(name, None)
        self._telemetry.forget_job(name)

    async def once(self, job: Job) -> bool:
        """
        One run of *job*, measured; whether it read everything.

        Whatever it raises is logged here and ends with this run; cancellation goes on.
        """
        begun = self._clock.monotonic()
        ok = False
        self.errors.pop(job.name, None)
        try:
            async with asyncio.timeout(job.deadline) as limit:
                outcome = await job.run()
            ok = outcome.ok and not limit.expired()
            if self._scopes.get(job.name) != outcome.scope:
                self._telemetry.forget_job(job.name)  # what was said before it was known whose AWS this is
            self._scopes[job.name] = outcome.scope
            if limit.expired():  # it was asked to end and went on: too long all the same
                raise TimeoutError  # noqa: TRY301 - told below as any pass that took too long
            self._once.forget(job.name)
        except TimeoutError as error:
            self._failed(job, f"did not end within {job.deadline:g} s; what it had by then is kept", error)
        except ExporterError as error:
            self._failed(job, str(error), error)
        except Exception as error:  # noqa: BLE001 - a fault of ours in one job must not take down the others
            self._failed(job, f"a fault of the exporter itself: {logs.describe(error)}", error)
        self.finished.add(job.name)
        self._telemetry.job_finished(
            job.name,
            job.aws_service,
            self._scopes.get(job.name),
            ok=ok,
            seconds=self._clock.monotonic() - begun,
            at=self._clock.time(),
            interval=job.interval,
        )
        async with self._ended:
            self._ended.notify_all()
        return ok

    def _failed(self, job: Job, text: str, error: Exception) -> None:
        self.errors[job.name] = error
        self._once.log(
            job.name,
            "error",
            "job_failed",
            f"job {job.name}: {text}",
            job=job.name,
            aws_service=job.aws_service or None,
            scope=self._scopes.get(job.name),
            error=error,
        )
