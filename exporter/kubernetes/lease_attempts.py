"""
The requests of an election: look at the Lease, write it where that is right, let go of it.

Whatever an API or its client does here (hang, reset, answer with HTML or another object, raise what no client should)
is one attempt that failed. What may be written when is decided in `lease_record`; when to try, and what follows for the
work of the leader, in `lease`.
"""

from __future__ import annotations

import asyncio
import enum
import math
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from exporter import logs
from exporter.clock import Clock
from exporter.kubernetes.lease_record import (
    UNREADABLE,
    Candidate,
    Record,
    Sight,
    Timing,
    UnreadableError,
    creating,
    held,
    look,
    may_take,
    note_in,
    read,
    released,
    replacing,
)

_LOG = logs.logger(__name__)

_PARTS = 2
"""A request may take this part of the renew deadline: one that hangs must leave time for another attempt."""

_UNANSWERED = 3
"""
Writes in a row that failed, though the Lease can be read and is ours, after which a candidate stands back for two
durations. They may be done and only their answers lost (or be sent again by the client's HTTP, and then conflict with
themselves): it would hold the Lease for ever, keep the others away, and never lead.
"""

_PAUSE = 0.2
"""Seconds between two attempts to release: there is not the time for a whole retry period."""


class LeaseApi(Protocol):
    """The verbs of a Lease. Whatever class a failure is of, its ``code`` says ``not_found`` or ``conflict``."""

    async def get(self, path: str, *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109 - handed on to the client
        """Read the object at *path*."""
        ...

    async def create(self, path: str, body: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
        """Create *body* in the collection at *path*; conflict where there is one of that name."""
        ...

    async def replace(self, path: str, body: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
        """Put *body* in the place of the object at *path*; conflict unless its resourceVersion is the newest."""
        ...


class Watcher(Protocol):
    """Who is told how the election goes: telemetry."""

    def leader(self, leads: bool) -> None:  # noqa: FBT001 - what is told is this one fact
        """This process begins or ceases to lead."""
        ...

    def transition(self) -> None:
        """This process begins to lead: one term more."""
        ...

    def renewed(self, seconds: float) -> None:
        """The Lease was written, by a request that took so long."""
        ...

    def failed(self, code: str) -> None:
        """An attempt failed; *code* is the error's own, or ``timeout`` or ``error``."""
        ...


class Result(enum.Enum):
    """How an attempt went."""

    HELD = "held"
    """The Lease was written: it is ours until `Attempts.until`."""

    OTHERS = "others"
    """It is another's, or not to be taken now."""

    FAILED = "failed"
    """It was not read or not written. Whether a write was lost on its way there or back is not known."""


class Attempts:
    """
    One candidate's view of one Lease.

    Args:
        api: of the cluster.

        namespace: of the Lease.

        name: of the Lease.

        identity: of this pod.

        timing: of the election.

        clock: its monotonic time decides; its other time is only written down.

        told: who is told.

    ``until`` is the monotonic instant up to which the last write that succeeded lets its writer lead, ``seen`` whether
    the Lease was ever read or written, ``names`` what log lines about it say, ``notes`` what is written beside it for
    the next holder, when it is renewed or released: what the last one wrote can be read until then. It must not raise.
    """

    def __init__(
        self, api: LeaseApi, *, namespace: str, name: str, identity: str, timing: Timing, clock: Clock, told: Watcher
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._leases}/{name}"
        self._me = Candidate(identity, uuid.uuid4().hex)
        self._timing = timing
        self._clock = clock
        self._told = told
        self._once = logs.Once(_LOG, 3600, clock.monotonic)
        self._sight: Sight | None = None
        self._written = False
        self._unanswered = 0
        self._back_at = -math.inf
        self.names: dict[str, Any] = {"lease": f"{namespace}/{name}", "identity": identity}
        self.until = -math.inf
        self.seen = False
        self.notes: Callable[[], Mapping[str, str]] = dict

    def noted(self, name: str) -> str:
        """What the last holder noted under *name*, ``""`` for nothing."""
        return note_in(self._sight.record, name) if self._sight is not None and self._sight.present else ""

    @property
    def leader_identity(self) -> str:
        """Who held the Lease when it was last seen; ``""`` where nobody did, or that is not known."""
        if self._sight is None or not self._sight.present or self._sight.record.holder == UNREADABLE:
            return ""
        return self._sight.record.holder

    async def attempt(self, by: float, *, leading: bool, standing: bool = True) -> Result:
        """
        One look at the Lease, and a write where it is ours to write.

        Args:
            by: the monotonic instant at which all of it is over.

            leading: it is to be renewed, not to be won.

            standing: it may be won; else this is just a look.
        """
        try:
            record = await self._get(by)
            self._see(record)
            own = record is not None and record.of(self._me)
            if not own:
                self._unanswered = 0
            if leading:
                if record is not None and not own:
                    return Result.OTHERS
            elif not (standing and self._may_take()):
                return Result.OTHERS
            await self._write(record, by, leading=leading)
        except Exception as error:  # noqa: BLE001 - see the module's text
            self._failed(error)
            return Result.FAILED
        return Result.HELD

    async def release(self, seconds: float) -> None:
        """Empty the Lease if it is ours, so that nobody has to wait for it to run out; takes at most *seconds*."""
        by = self._clock.monotonic() + seconds
        error: Exception | None = None
        while self._written and self._clock.monotonic() < by:
            try:
                record = await self._get(by)
                if record is not None and record.of(self._me):
                    body = replacing(record, released(record, self._clock.time()), self._me, self.notes())
                    self._see(await self._put(body, by))
                    logs.log(_LOG, "info", "lease_released", "the Lease is free for others", **self.names)
                self._written = False
            except Exception as failure:  # noqa: BLE001 - see the module's text
                # Also a conflict is tried again: a renewal that was given up may have arrived late.
                error = failure
                await self._clock.sleep(_PAUSE)
        if self._written:
            said = "the Lease could not be released; others wait until it runs out"
            logs.log(_LOG, "warning", "lease_not_released", said, error=error, **self.names)

    def _may_take(self) -> bool:
        now = self._clock.monotonic()
        if self._unanswered >= _UNANSWERED:
            self._unanswered = 0
            self._back_at = now + 2 * self._timing.duration
            said = "the Lease can be read, but not written so that it is known; this process lets others try first"
            logs.log(_LOG, "warning", "lease_stands_back", said, **self.names)
        return now >= self._back_at and may_take(self._sight, self._me, self._timing, now)

    async def _write(self, record: Record | None, by: float, *, leading: bool) -> None:
        """Create the Lease, or write it in the place of *record*, with ourselves as its holder."""
        known = self._sight.record if self._sight is not None else None
        spec = held(known, self._me, self._timing, self._clock.time(), leading=leading)
        self._written = True
        self._unanswered += 1
        sent = self._clock.monotonic()
        if record is None:
            body = creating(self._name, self._namespace, spec, self._me)
            written = await self._ask(lambda seconds: self._api.create(self._leases, body, timeout=seconds), by)
        else:
            notes = self.notes() if leading else {}
            written = await self._put(replacing(record, spec, self._me, notes), by)
        if not written.of(self._me):
            raise UnreadableError("the answer to a write is not what was written")
        self._unanswered = 0
        self.until = sent + self._timing.renew_deadline
        self._see(written)
        self._told.renewed(self._clock.monotonic() - sent)

    async def _get(self, by: float) -> Record | None:
        """The Lease; None where there is none."""
        try:
            return await self._ask(lambda seconds: self._api.get(self._path, timeout=seconds), by)
        except Exception as error:
            if _code(error) == "not_found":
                return None
            raise

    async def _put(self, body: Mapping[str, Any], by: float) -> Record:
        return await self._ask(lambda seconds: self._api.replace(self._path, body, timeout=seconds), by)

    async def _ask(self, request: Callable[[float], Awaitable[dict[str, Any]]], by: float) -> Record:
        """What *request* answers; it is told how long it may take, and held to that."""
        seconds = min(by - self._clock.monotonic(), self._timing.renew_deadline / _PARTS)
        if seconds <= 0:
            raise TimeoutError("the time for the attempt is over")
        cancelled = _cancelled()
        try:
            async with asyncio.timeout(seconds):
                return read(await request(seconds))
        except asyncio.CancelledError:
            if _cancelled() > cancelled:
                raise
            raise ConnectionError("the request was cancelled, though nobody here did that") from None

    def _see(self, record: Record | None) -> None:
        """Remember what an answer that has just come says."""
        before = self.leader_identity
        self._sight = look(self._sight, record, self._clock.monotonic())
        self.seen = self.seen or record is not None
        holder = self.leader_identity
        if holder not in ("", before):
            logs.log(_LOG, "info", "lease_holder", "the Lease has another holder", holder=holder, **self.names)

    def _failed(self, error: Exception) -> None:
        code = _code(error)
        if code == "conflict":  # no fault: another was faster, and the next look shows who
            logs.log(_LOG, "debug", "lease_round_lost", "another wrote the Lease first", **self.names)
            return
        self._told.failed(code)
        said = "the Lease could not be read or written; another attempt follows at every retry period"
        self._once.log(code, "warning", "lease_attempt_failed", said, code=code, error=error, **self.names)


def _cancelled() -> int:
    """How often the running task was asked to end."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _code(error: Exception) -> str:
    """A short word for *error*: a label's value."""
    code = getattr(error, "code", "")
    if isinstance(code, str) and code:
        return code
    return "timeout" if isinstance(error, TimeoutError) else "error"
