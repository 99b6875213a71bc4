"""
From the outbox to the receiver: in order, one request at a time in each lane, for as long as it takes.

What cannot be taken now waits, without limit in time; what is refused is taken apart (`refusals`); what is rejected is
given up, counted and said, and the rest goes on. Nothing a receiver answers ends a lane, and no lane holds another.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from exporter import logs
from exporter.backoff import Backoff
from exporter.clock import Clock
from exporter.errors import UnansweredError, UnsentError
from exporter.remote import refusals
from exporter.remote.client import Client
from exporter.remote.outbox import Outbox
from exporter.remote.refusals import Placed, Refused, place, refused_by
from exporter.remote.replies import Reply, advice, meaning
from exporter.remote.wire import Row, labels_of_row, read, write

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds before the next attempt, doubled from the first to the longest; each a quarter more or less."""

_LOOK = 1.0
"""Seconds between two looks at whether this replica may send."""

_VARYING = re.compile(r'\d+|"[^"]*"|\{.*\}')
"""What differs from one text of a receiver to the next that says the same."""

_LOG = logs.logger(__name__)


class Told(Protocol):
    """Who is told of what becomes of samples."""

    def retried(self) -> None:
        """A request repeats one that the receiver could not take then."""
        ...

    def sent(self, samples: int, size: int, at: float) -> None:
        """The receiver accepted so many samples in so many bytes, at that instant."""
        ...

    def dropped(self, reason: str, samples: int) -> None:
        """So many were given up."""
        ...


Send = Callable[[bytes], Awaitable[Reply]]
"""Sends one request until there is an answer that is not a wish to wait."""


class _OutageError(Exception):
    """The receiver cannot take it now, and who sends does not wait."""


class Sender:
    """
    Empties the outbox.

    Args:
        client: to post with.

        outbox: to empty.

        clock: the time.

        told: of what becomes of samples.

        tenant_of: the tenant of a lane.

        permitted: whether this replica may send.

        jitter: from 0 to 1, by chance.
    """

    def __init__(
        self,
        client: Client,
        outbox: Outbox,
        clock: Clock,
        told: Told,
        tenant_of: Callable[[str], str],
        permitted: Callable[[], bool],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._outbox = outbox
        self._clock = clock
        self._told = told
        self._tenant_of = tenant_of
        self._permitted = permitted
        self._jitter = jitter
        self._once = logs.Once(_LOG, 3600.0, clock.monotonic)
        self._waiting: set[str] = set()

    async def run(self, lanes: Sequence[str]) -> None:
        """Send what is in *lanes*, and what comes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for lane in lanes:
                group.create_task(self._lane(lane), name=f"remote-write {lane}")

    async def deliver(self, body: bytes, tenant: str, *, fenced: bool = True, samples: int = 0) -> bool:
        """
        Send one body that is in no outbox, at once or not at all.

        Args:
            body: a finished request.

            tenant: whose.

            fenced: whether only the leader may send it.

            samples: how many are in it.

        Returns:
            Whether the receiver has what is good of it. False after an outage, a rejection, or where it may not be
            sent.
        """

        async def once(data: bytes) -> Reply:
            reply = await self._client.post(data, tenant, fenced=fenced)
            if meaning(reply) == "wait":
                self._say_waiting(tenant, reply)
                raise _OutageError
            return reply

        try:
            return await self._deliver(body, samples, tenant, once)
        except UnsentError:
            return False
        except UnansweredError as error:
            self._say_waiting(tenant, error)
            return False
        except _OutageError:
            return False

    # ---- a lane -----------------------------------------------------------------------------------------------------

    async def _lane(self, lane: str) -> None:
        tenant, pace = self._tenant_of(lane), Backoff(FIRST_PAUSE, LONGEST_PAUSE, self._jitter)
        while True:
            try:
                await self._next(lane, tenant, pace)
            except UnsentError:
                await self._clock.sleep(_LOOK)
            except Exception as error:  # noqa: BLE001 - a mistake of ours, or a bad disk, must not end what ships
                text = f"lane {lane}: {logs.describe(error)}; it is tried again"
                self._once.log(f"lane {lane}", "error", "remote_write_lane_failed", text, error=error)
                await self._clock.sleep(pace.next())

    async def _next(self, lane: str, tenant: str, pace: Backoff) -> None:
        """One attempt at the lane's oldest frame, which is looked up each time: it may be dropped while we wait."""
        while not self._permitted():
            await self._clock.sleep(_LOOK)
        head = await self._outbox.wait(lane)

        async def patient(data: bytes) -> Reply:
            return await self._patient(data, tenant, pace)

        reply = await self._attempt(head.body, tenant, pace)
        if reply is None:
            self._told.retried()
            return
        accepted = await self._settle(reply, head.body, head.samples, tenant, patient)
        await self._outbox.done(lane, head)
        if accepted:
            pace.reset()
        else:
            # A wrong token or tenant is put right by a person; the whole backlog is not thrown at it within seconds.
            await self._clock.sleep(pace.next())

    async def _patient(self, body: bytes, tenant: str, pace: Backoff) -> Reply:
        """The answer to a part of a frame, whenever it comes."""
        while (reply := await self._attempt(body, tenant, pace)) is None:
            self._told.retried()
        pace.reset()
        return reply

    async def _attempt(self, body: bytes, tenant: str, pace: Backoff) -> Reply | None:
        """One request; None where the receiver cannot take it now, after the pause for that."""
        try:
            reply = await self._client.post(body, tenant)
        except UnansweredError as error:
            self._say_waiting(tenant, error)
            await self._clock.sleep(pace.next())
            return None
        if meaning(reply) == "wait":
            self._say_waiting(tenant, reply)
            await self._clock.sleep(pace.next() if reply.retry_after is None else pace.asked(reply.retry_after))
            return None
        self._say_well(tenant)
        return reply

    # ---- one body ---------------------------------------------------------------------------------------------------

    async def _deliver(self, body: bytes, samples: int, tenant: str, send: Send) -> bool:
        reply = await send(body)
        self._say_well(tenant)
        return await self._settle(reply, body, samples, tenant, send)

    async def _settle(self, reply: Reply, body: bytes, samples: int, tenant: str, send: Send) -> bool:
        """Do what the *reply* asks for; False where the whole was rejected."""
        what = meaning(reply)
        if what == "taken":
            self._told.sent(samples, len(body), self._clock.time())
            return True
        if what == "split":
            try:
                rows = await asyncio.to_thread(read, body)
            except ValueError as error:
                self._give_up("invalid", samples, f"a request of ours cannot be read ({error}); please report this")
                return True
            if any(row.samples for row in rows):
                await self._place(rows, tenant, send)
                return True
        self._give_up(f"rejected_{reply.status}", samples, advice(reply), status=reply.status, tenant=tenant or None)
        return False

    async def _place(self, rows: Sequence[Row], tenant: str, send: Send) -> None:
        size = 0

        async def post(part: Sequence[Row]) -> Refused | None:
            nonlocal size
            data = write(part)
            reply = await send(data)
            if meaning(reply) == "taken":
                size += len(data)
                return None
            return refused_by(reply)

        placed = await place(rows, post)
        if placed.sent:
            self._told.sent(placed.sent, size, self._clock.time())
        for reason, count in placed.dropped.items():
            self._told.dropped(reason, count)
            self._say_dropped(placed, reason, count, tenant)

    # ---- what is said -----------------------------------------------------------------------------------------------

    def _say_dropped(self, placed: Placed, reason: str, count: int, tenant: str) -> None:
        example = placed.examples[reason]
        text = (
            f"the receiver refused {count} samples of a request as {reason} and has the rest; one is of "
            f"{_spelled(example.labels)}"
        )
        if placed.whole:
            text += f"; {placed.whole} were given up unseen, after {refusals.MOST} requests"
        self._once.log(
            f"dropped {reason}",
            "warning",
            "remote_write_dropped",
            text,
            reason=reason,
            samples=count,
            stamp=example.at // 1000,
            said=example.refused.text or None,
            tenant=tenant or None,
        )

    def _give_up(self, reason: str, samples: int, text: str, **fields: object) -> None:
        self._told.dropped(reason, samples)
        key = f"{reason} {_VARYING.sub('', text)}"
        text = f"a request of {samples} samples is given up: {text}"
        self._once.log(key, "error", "remote_write_rejected", text, reason=reason, **fields)

    def _say_waiting(self, tenant: str, why: Reply | UnansweredError) -> None:
        code, text = (str(why.status), advice(why)) if isinstance(why, Reply) else (why.code, str(why))
        text = f"{text}; the outbox waits"
        if self._once.log(
            f"waiting {tenant}", "warning", "remote_write_waiting", text, code=code, tenant=tenant or None
        ):
            self._waiting.add(tenant)

    def _say_well(self, tenant: str) -> None:
        """Say that a fault that was said is over; one that comes and goes is not said each time."""
        if tenant in self._waiting:
            self._waiting.discard(tenant)
            text = "the receiver answers again"
            logs.log(_LOG, "info", "remote_write_recovered", text, tenant=tenant or None)


def _spelled(labels: bytes) -> str:
    """A series as PromQL writes it."""
    pairs = labels_of_row(Row(labels, ()))
    name = pairs.pop("__name__", "")
    return name + "{" + ", ".join(f'{key}="{value}"' for key, value in pairs.items()) + "}"
