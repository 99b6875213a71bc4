"""
Election of one leader by a Lease: when a candidate tries, and the work that only the leader does.

Leadership and work end together, whichever ends first. However long the process was stopped or its loop was stuck,
`Elector.valid` is right at the moment it is asked: it looks at the monotonic clock, not at what a task found earlier.
(Of a machine that is suspended as a whole, whose monotonic clock stands still with it, nobody inside can know.)
What a candidate may do about the Lease it sees is decided in `lease_record`, the requests stand in `lease_attempts`.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from exporter import logs
from exporter.clock import Clock
from exporter.kubernetes.lease_attempts import Attempts, LeaseApi, Result, Watcher
from exporter.kubernetes.lease_record import JITTER, Timing

__all__ = ["GRACE", "Elector", "LeaseApi", "Timing", "Watcher"]

_LOG = logs.logger(__name__)

GRACE = 5.0
"""Seconds the work has to end once leadership is over, and again the Lease to be released."""

_LEAST = 0.001
"""Seconds a wait takes at least, so that a timer that is early does not make the loop spin."""

_LONGEST_BACK_OFF = 4
"""Durations of the Lease after which a process whose work keeps ending stands again at the latest."""


class Elector:
    """
    One candidate for a Lease.

    Args:
        api: of the cluster.

        namespace: of the Lease.

        name: of the Lease.

        identity: of this pod: its name with its UID, so that no other has it.

        timing: the same for all candidates.

        clock: its monotonic time decides; its other time is only written down.

        told: who is told.

        jitter: numbers from 0 to 1.

        grace: seconds the work has to end once leadership is over.

    ``term`` is how often this process has begun to lead, ``identity`` who it is.
    """

    def __init__(
        self,
        api: LeaseApi,
        *,
        namespace: str,
        name: str,
        identity: str,
        timing: Timing,
        clock: Clock,
        told: Watcher,
        jitter: Callable[[], float] = random.random,
        grace: float = GRACE,
    ) -> None:
        self._attempts = Attempts(
            api, namespace=namespace, name=name, identity=identity, timing=timing, clock=clock, told=told
        )
        self._timing = timing
        self._clock = clock
        self._told = told
        self._jitter = jitter
        self._grace = grace
        self._leading = False
        self._asked = False
        self._failures = 0
        self._not_before = -math.inf
        self._working: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[Result] | None = None
        self.term = 0
        self.identity = identity

    @property
    def seen(self) -> bool:
        """Whether the Lease was ever read or written."""
        return self._attempts.seen

    @property
    def leader_identity(self) -> str:
        """Who held the Lease when it was last seen; ``""`` where nobody did, or that is not known."""
        return self._attempts.leader_identity

    def noted(self, name: str) -> str:
        """What the last holder noted beside the Lease under *name*, an annotation; ``""`` for nothing."""
        return self._attempts.noted(name)

    def note(self, notes: Callable[[], Mapping[str, str]]) -> None:
        """Have *notes*, annotations by name, written beside the Lease while this process has it; must not raise."""
        self._attempts.notes = notes

    def valid(self) -> bool:
        """
        Whether this process leads at this moment: the fence, to be asked before whatever only a leader may do.

        Costs a look at the clock, and may be asked in any thread.
        """
        return self._leading and self._clock.monotonic() < self._attempts.until

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """
        Stand for election until cancelled, and do *work* whenever elected.

        Leadership ends with the work: where that returns or raises, the Lease is released, others get their chance,
        and a new term may begin after a pause. The work ends with leadership: it is cancelled, and no new term begins
        before it has ended. When cancelled, this ends the work, releases the Lease if the work did end, and goes.

        Args:
            work: goes on until cancelled; asks `valid` before each of its acts.
        """
        try:
            while True:
                if not self._forget_work() and self._working is not None:
                    self._working.cancel()  # it may have lost the first one on its way
                if await self._win():
                    await self._serve(work)
                await self._clock.sleep(self._pause())
        finally:
            if await self._stop():
                await self._attempts.release(self._grace)

    async def _win(self) -> bool:
        """Look at the Lease and take it where that is right; whether this process may lead now."""
        now = self._clock.monotonic()
        standing = self._working is None and now >= self._not_before
        result = await self._attempts.attempt(now + self._timing.renew_deadline, leading=False, standing=standing)
        # The process may have been stopped since the request was sent.
        return result is Result.HELD and self._left() > 0

    async def _serve(self, work: Callable[[], Awaitable[None]]) -> None:
        """One term: from the Lease just won until leadership or the work is over, and what follows from that."""
        self._leading, self._asked = True, False
        self.term += 1
        begun = self._clock.monotonic()
        self._told.leader(True)  # noqa: FBT003
        self._told.transition()
        self._say("info", "lease_acquired", "this process leads")
        self._working = working = asyncio.create_task(_do(work), name="work of the leader")
        self._keeping = keeping = asyncio.create_task(self._keep(), name="renewal of the Lease")
        while self.valid() and not working.done() and not keeping.done():
            # The keeper ends at the deadline too, but only if the API's client heeds that its time is over.
            await asyncio.wait(
                {working, keeping}, timeout=max(_LEAST, self._left()), return_when=asyncio.FIRST_COMPLETED
            )
        # Work that ends because the fence has fallen does as it should.
        by_itself = working.done() and self.valid() and not keeping.done()
        self._step_down()
        if by_itself:
            await self._resign(_failure(working), self._clock.monotonic() - begun)
            return
        others = keeping.done() and _failure(keeping) is None and keeping.result() is Result.OTHERS
        why = "another holds the Lease" if others else "the Lease could not be renewed within the deadline"
        self._say("warning", "lease_lost", f"this process leads no more, since {why}; its work is ended")
        await self._stop()

    async def _keep(self) -> Result:
        """Renew the Lease until that is not possible any more; what was found last."""
        while True:
            await self._clock.sleep(min(self._pause(), self._left()))
            if self._left() <= 0:
                return Result.FAILED
            if await self._attempts.attempt(self._attempts.until, leading=True) is Result.OTHERS:
                return Result.OTHERS

    async def _resign(self, error: BaseException | None, lasted: float) -> None:
        """The work ended by itself: let another process lead, which may fare better, before trying again."""
        longest = _LONGEST_BACK_OFF * self._timing.duration
        self._failures = 1 if lasted > longest else self._failures + 1
        pause = min(longest, self._timing.retry_period * 2.0 ** min(self._failures, 30))
        said = f"the work of the leader ended by itself; another may lead, this process stands again in {pause:g} s"
        self._say("error", "leader_work_ended", said, error)
        self._working = None
        await self._stop()
        self._not_before = self._clock.monotonic() + pause
        await self._attempts.release(self._grace)

    async def _stop(self) -> bool:
        """Let leadership end, and with it the work; whether the work did end."""
        self._step_down()
        tasks = {task for task in (self._working, self._keeping) if task is not None}
        if not self._asked:
            self._asked = True
            for task in tasks:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self._grace)
        self._keeping = None
        if self._forget_work():
            return True
        said = f"the work of the leader did not end within {self._grace:g} s of being cancelled; until it does this"
        self._say("error", "leader_work_stuck", f"{said} process does not stand again. Restart the pod if that lasts")
        return False

    def _step_down(self) -> None:
        """From this moment on nothing more is done as the leader."""
        if self._leading:
            self._leading = False
            self._told.leader(False)  # noqa: FBT003

    def _forget_work(self) -> bool:
        """Whether no work is left."""
        if self._working is not None and self._working.done():
            error = _failure(self._working)
            if error is not None:
                self._say("warning", "leader_work_fault", "the work of the leader failed while it was ended", error)
            self._working = None
        return self._working is None

    def _left(self) -> float:
        """Seconds until the fence falls."""
        return self._attempts.until - self._clock.monotonic()

    def _pause(self) -> float:
        """Seconds to the next attempt."""
        return self._timing.retry_period * (1 + (JITTER - 1) * self._jitter())

    def _say(self, level: str, event: str, said: str, error: BaseException | None = None) -> None:
        logs.log(_LOG, level, event, said, error=error, term=self.term, **self._attempts.names)


async def _do(work: Callable[[], Awaitable[None]]) -> None:
    await work()


def _failure(task: asyncio.Task[Any]) -> BaseException | None:
    """What ended *task*, which is done; None where it returned or was cancelled."""
    return None if task.cancelled() else task.exception()
