"""
Remote write for as long as the program runs: the outbox, the way to the receiver, and who sends when.

Datapoints wait on disk (`remote.outbox`) and are sent by whoever leads (`remote.sender`); what has no stamps of its own
is written from the newest snapshot (`remote.shipping`). A new term goes on where the last one stopped, unless another
replica led in between: what is still on disk from before then has been sent by that one, or can be no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter import __version__, logs
from exporter.cargo import Shipping
from exporter.clock import Clock
from exporter.cloudwatch.plan import LOOKBACK
from exporter.config import Config, Push
from exporter.kubernetes.families import FAMILIES as KUBERNETES_FAMILIES
from exporter.model import Family, Snapshot
from exporter.own_metrics import OwnFamily
from exporter.remote import handover
from exporter.remote.client import Client
from exporter.remote.outbox import Outbox
from exporter.remote.sender import Sender
from exporter.remote.shipping import Holder
from exporter.remote.tenants import Tenants
from exporter.remote.wire import Encoder
from exporter.remote_telemetry import RemoteTelemetry
from exporter.services.registry import SERVICES
from exporter.settings import sections
from exporter.telemetry import Telemetry

_LOG = logs.logger(__name__)

USER_AGENT = f"storage-exporter/{__version__}"

_MEASURED = 5.0
"""Seconds between two looks at what waits."""

_DRAINED = 0.5
"""Seconds between two looks at whether what an earlier configuration left has been sent."""


@dataclass(frozen=True, slots=True)
class Values:
    """
    What has no stamps of its own, and who may send it.

    Args:
        take: the newest snapshot, at an instant in unix seconds.

        leads: whether this replica shows what AWS says.

        permitted: whether it may send that at this moment: the fence.
    """

    take: Callable[[float], Awaitable[Snapshot]]
    leads: Callable[[], bool]
    permitted: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class _Source:
    """What `Holder` writes."""

    values: Values
    telemetry: Telemetry
    config: Config
    outbox: Outbox
    tenants: Tenants

    async def take(self, now: float) -> Snapshot:
        """The newest values."""
        return await self.values.take(now)

    def own_families(self) -> Sequence[OwnFamily]:
        """What the exporter says of itself."""
        return self.telemetry.own_families()

    def families(self) -> Iterator[Family]:
        """All that may be written, datapoints too."""
        for name in sections(self.config):
            service = SERVICES[name]
            yield from service.families
            yield from (one.family for one in service.members)
            yield from {row.family.name: row.family for row in service.rows}.values()
        yield from KUBERNETES_FAMILIES

    def leads(self) -> bool:
        """Whether this replica shows what AWS says."""
        return self.values.leads()

    def waiting_since(self, tenant: str) -> float | None:
        """Since when something waits for *tenant*, unix seconds."""
        return self.outbox.since_in(lane for lane in self.outbox.lanes if self.tenants.tenant_of_lane(lane) == tenant)


class Pushing:
    """
    The sending of one process.

    Args:
        push: the configuration.

        outbox: open.

        sender: to the receiver.

        holder: of what has no stamps.

        tenants: whose what is.

        clock: time.

        telemetry: told what waits.

        shipping: for those who collect.

        marks: of it, read anew at each term.

        handed: of it, likewise.
    """

    def __init__(
        self,
        push: Push,
        outbox: Outbox,
        sender: Sender,
        holder: Holder,
        tenants: Tenants,
        clock: Clock,
        telemetry: RemoteTelemetry,
        shipping: Shipping,
        marks: dict[str, dict[bytes, int]],
        handed: dict[handover.Scope, dict[str, int]],
    ) -> None:
        self.shipping = shipping
        self._push = push
        self._outbox = outbox
        self._sender = sender
        self._holder = holder
        self._tenants = tenants
        self._clock = clock
        self._telemetry = telemetry
        self._marks = marks
        self._handed = handed
        self._begun = clock.monotonic()

    @property
    def summary(self) -> str:
        """How things stand, for people."""
        waiting = self._outbox.requests
        state = f"{waiting} requests ({self._outbox.waiting} bytes) wait" if waiting else "nothing waits"
        return f"to {self._push.url}; {state}"

    async def run(self) -> None:
        """Write what has no stamps, and measure, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._holder.run())
            group.create_task(self._measure())

    # ---- a term of leadership ----------------------------------------------------------------------------------

    def notes(self) -> dict[str, str]:
        """What the next leader should know, as annotations of the Lease: what the receiver has of each family."""
        text = handover.text_of(handover.before(self.shipping.reached, self._outbox.oldest))
        return {handover.ANNOTATION: text} if text else {}

    async def begin(self, *, others_sent: bool, noted: str = "") -> None:
        """
        Begin a term: before anything is collected or sent.

        Args:
            others_sent: whether another replica led since the last one.

            noted: what the last leader noted, whoever that was.
        """
        superseded = 0
        if others_sent and not self._push.out_of_order:
            superseded = await self._outbox.discard("superseded")
            if superseded:
                text = f"another replica has led since: {superseded} samples that waited on disk are its to send"
                logs.log(_LOG, "info", "outbox_superseded", text)
        if others_sent:
            self._holder.forget()  # what ended meanwhile was for that one to end
        self._begun = self._clock.monotonic()
        self._marks.clear()
        if not superseded:  # else our own disk says more than the receiver has
            self._marks.update(await self._outbox.marks())
        self._handed.clear()
        if others_sent or not self._marks:  # what is on our own disk says it better
            self._handed.update(handover.reached_of(noted, self._clock.time()))
        self.shipping.reached.clear()

    async def send(self) -> None:
        """Send what waits on disk, in order, until cancelled."""
        current = self._tenants.lanes()
        left = [lane for lane in self._outbox.lanes if lane not in current and await self._outbox.head(lane)]
        if left:  # of other tenants, or another concurrency: series must not overtake themselves
            draining = asyncio.create_task(self._sender.run(left))
            try:
                while not draining.done() and any([await self._outbox.head(lane) for lane in left]):
                    await self._clock.sleep(_DRAINED)
            finally:
                draining.cancel()
                await asyncio.gather(draining, return_exceptions=True)
        await self._sender.run(current)

    async def _measure(self) -> None:
        while True:
            outbox, now = self._outbox, self._clock.time()
            self._telemetry.waiting(outbox.waiting, outbox.requests, oldest=outbox.oldest, since=outbox.since, now=now)
            if self._clock.monotonic() - self._begun > max(LOOKBACK, self._push.lookback):
                self._marks.clear()  # no window looks back to where they are of use
                self._handed.clear()
            await self._clock.sleep(_MEASURED)


class _Kept:
    """What the outbox tells goes into the metrics."""

    def __init__(self, telemetry: RemoteTelemetry) -> None:
        self._telemetry = telemetry

    def dropped(self, reason: str, samples: int) -> None:
        """Samples were given up."""
        self._telemetry.dropped(reason, samples)

    def failed(self) -> None:
        """Requests could not be kept."""
        self._telemetry.keeping_failed()


@contextlib.asynccontextmanager
async def pushing(
    config: Config, push: Push, telemetry: Telemetry, clock: Clock, values: Values, environ: Mapping[str, str]
) -> AsyncIterator[Pushing]:
    """
    What *config* wants pushed, ready to be run; nothing is sent before that.

    Args:
        config: the whole configuration.

        push: its part of this.

        telemetry: where it is measured.

        clock: time.

        values: what has no stamps of its own.

        environ: the environment, for the pod's name.

    Raises:
        OutboxError: where the directory cannot be used.
    """
    told = RemoteTelemetry(telemetry, push.outbox.max_bytes)
    tenants = Tenants(push.tenant, push.tenants, push.concurrency)
    external = tuple(push.external_labels.items())
    outbox = Outbox(
        Path(push.outbox.path),
        max_bytes=push.outbox.max_bytes,
        max_age=push.outbox.max_age,
        keep_marks=push.lookback + 86_400,
        clock=clock,
        told=_Kept(told),
    )
    client = Client(push, user_agent=USER_AGENT, clock=clock, permitted=values.permitted, told=told)
    await outbox.open()
    try:
        async with client:
            sender = Sender(client, outbox, clock, told, tenants.tenant_of_lane, values.permitted)
            source = _Source(values, telemetry, config, outbox, tenants)
            replica = environ.get("POD_NAME") or socket.gethostname()
            holder = Holder(
                Encoder(dict(external)),
                tenants,
                replica,
                source=source,
                deliver=sender.deliver,
                every=push.held_every,
                clock=clock,
            )
            marks: dict[str, dict[bytes, int]] = {}
            handed: dict[handover.Scope, dict[str, int]] = {}
            shipping = Shipping(
                outbox,
                external,
                lambda account_id, region, labels: tenants.lane(tenants.of(account_id, region), labels),
                marks,
                push.out_of_order,
                handed,
            )
            waiting = f", where {outbox.requests} requests wait" if outbox.requests else ""
            text = f"datapoints go to {push.url} by way of {push.outbox.path}{waiting}"
            logs.log(_LOG, "info", "pushing", text)
            yield Pushing(push, outbox, sender, holder, tenants, clock, told, shipping, marks, handed)
    finally:
        await outbox.close()
