"""
When what has no stamps of its own is written: at every instant of a grid, from a snapshot, past the outbox.

Stamps are on the grid, so that a second writer repeats and does not disagree; nothing is written for an instant that
lies before the start, which another process may have written. While requests wait in the outbox for longer than an
interval nothing is written: values of now could make the receiver refuse what waits as too old. What is written is
`held`'s and `own`'s matter, how it is delivered `sender`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from exporter import logs
from exporter.clock import Clock, floor_to
from exporter.errors import ExporterError
from exporter.model import Family, Snapshot
from exporter.own_metrics import OwnFamily
from exporter.remote.endings import Piece
from exporter.remote.held import Held
from exporter.remote.own import Own, metas
from exporter.remote.runs import STAMPS
from exporter.remote.tenants import Tenants
from exporter.remote.wire import Body, Encoder, Meta

_LOG = logs.logger(__name__)

METADATA_EVERY = 300
"""Seconds between two writes of types, helps and units."""

_STRETCH = 0.001
"""Seconds that are worked before others have their turn."""

_FUTURE = 600
"""Seconds by which a stamp may be ahead of a receiver's clock, as a rule; beyond, it was refused."""

_SAID_EVERY = 3600
"""Seconds between two log lines of one kind."""


class Deliver(Protocol):
    """One attempt to get a body to a tenant: whether the receiver has it now."""

    async def __call__(self, body: bytes, tenant: str, *, fenced: bool, samples: int) -> bool:
        """False or an `ExporterError` where it has not, or may not have."""
        ...


class Source(Protocol):
    """Where what is written comes from."""

    async def take(self, now: float) -> Snapshot:
        """What is there and has no stamps of its own, at *now*."""
        ...

    def own_families(self) -> Sequence[OwnFamily]:
        """What the exporter says of itself."""
        ...

    def families(self) -> Iterable[Family]:
        """Every family that is written, by whichever way, for the metadata."""
        ...

    def leads(self) -> bool:
        """Whether this replica writes facts, or only what it says of itself."""
        ...

    def waiting_since(self, tenant: str) -> float | None:
        """When what has waited longest for *tenant* came into the outbox, unix seconds; None where nothing waits."""
        ...


class Holder:
    """
    Writes at every instant of the grid.

    Args:
        encoder: of the bodies.

        tenants: whose is what.

        replica: this one's name, a label of what the exporter says of itself.

        source: of what is written.

        deliver: of the sender.

        every: seconds between two instants.

        clock: its wall time makes the stamps.
    """

    def __init__(
        self,
        encoder: Encoder,
        tenants: Tenants,
        replica: str,
        *,
        source: Source,
        deliver: Deliver,
        every: int,
        clock: Clock,
    ) -> None:
        self._encoder = encoder
        self._tenants = tenants
        self._source = source
        self._deliver = deliver
        self._every = every
        self._clock = clock
        self._held = Held(encoder, tenants.of_labels)
        self._own = Own(encoder, tenants.of_labels, replica)
        self._described: dict[tuple[str, bool], float] = {}
        self._once = logs.Once(_LOG, _SAID_EVERY, clock.monotonic)

    async def run(self) -> None:
        """Write at every instant from now on, for good."""
        last = self._grid()
        while True:
            at = self._grid()
            if last - at > _FUTURE:
                self._once.log(
                    "clock",
                    "warning",
                    "clock_went_back",
                    f"the clock went back by {last - at} s: what was stamped later may be in the receiver's way until "
                    "then; check the time service of the node",
                )
                last = at
            if at > last:
                last = at
                await self.write(at)
            else:
                now = self._clock.time()
                await self._clock.sleep(min(float(self._every), max(0.001, last + self._every - now)))

    async def write(self, at: int) -> None:
        """
        Write once; what cannot be delivered is left to the next time.

        Args:
            at: the stamp, unix seconds; later than that of the last write.
        """
        leads = self._source.leads()
        if not leads:
            self._held.forget()
        if at not in STAMPS:
            self._once.log("stamp", "warning", "clock_not_set", f"nothing is pushed: the clock says {at} s since 1970")
            return
        out = set(self._behind()) if leads else set()
        own = self._source.own_families()
        await self._ship(self._own.write(own, at, out), self._own.taken, out, fenced=False)
        await self._metadata(metas(own), out, fenced=False)
        if leads and not out.issuperset(self._tenants.names()):
            snapshot = await self._source.take(self._clock.time())
            await self._ship(self._held.write(snapshot, at, out), self._held.taken, out, fenced=True)
            described = (Meta(each.name, each.type, each.help, each.unit) for each in self._source.families())
            await self._metadata(described, out, fenced=True)

    def forget(self) -> None:
        """A term has ended: what was written in it is another's to go on with, or to end."""
        self._held.forget()

    def _grid(self) -> int:
        return floor_to(self._clock.time(), self._every)

    def _behind(self) -> Iterator[str]:
        """The tenants for whom something waits in the outbox for longer than an interval."""
        now = self._clock.time()
        for tenant in self._tenants.names():
            since = self._source.waiting_since(tenant)
            if since is None or now - since <= self._every:
                self._once.forget(f"behind {tenant}")
                continue
            yield tenant
            self._once.log(
                f"behind {tenant}",
                "info",
                "held_values_skipped",
                "inventory, daily values and the exporter's own metrics are not pushed until the receiver has taken "
                "what waits in the outbox; the sender's lines say why it does not",
                tenant=tenant,
            )

    async def _ship(
        self, pieces: Iterator[Piece | None], taken: Callable[[Piece], None], out: set[str], *, fenced: bool
    ) -> None:
        """
        Deliver *pieces* one after another.

        Args:
            out: tenants to whom nothing more is written this time; grows by those where something could not be
                delivered, for each further attempt may take as long again.
        """
        until = time.perf_counter() + _STRETCH
        for piece in pieces:
            if piece is not None:
                if await self._delivered(piece.body, piece.tenant, fenced=fenced):
                    taken(piece)
                else:
                    out.add(piece.tenant)
            if time.perf_counter() >= until:
                await asyncio.sleep(0)
                until = time.perf_counter() + _STRETCH

    async def _metadata(self, families: Iterable[Meta], out: set[str], *, fenced: bool) -> None:
        """Tell the tenants that are not *out* what the families are, where they were not told for a while."""
        now = self._clock.monotonic()
        due = [
            tenant
            for tenant in self._tenants.names()
            if tenant not in out and now - self._described.get((tenant, fenced), -METADATA_EVERY) >= METADATA_EVERY
        ]
        if not due:
            return
        body = self._encoder.metadata(families)
        for tenant in due:
            if await self._delivered(body, tenant, fenced=fenced):
                self._described[tenant, fenced] = now

    async def _delivered(self, body: Body, tenant: str, *, fenced: bool) -> bool:
        try:
            return await self._deliver(body.data, tenant, fenced=fenced, samples=body.samples)
        except ExporterError as error:
            logs.log(_LOG, "debug", "held_values_not_delivered", "the next write repeats them", error=error)
            return False
