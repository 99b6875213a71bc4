"""A receiver on loopback, a clock that passes the time at once, and what `shipping` asks for: for its tests."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from exporter.errors import ExporterError
from exporter.model import Block, Family, Snapshot
from exporter.naming import label_set
from exporter.own_metrics import OwnFamily
from exporter.remote.shipping import Holder
from exporter.remote.tenants import Tenants
from exporter.remote.wire import Encoder
from tests.write_request import bits, decode, samples_of

START = 1_700_000_050.0
FIRST = 1_700_000_100
"""The first instant of a grid of 60 s after `START`."""

EVERY = 60
ONE, TWO = "111111111111", "222222222222"
PATIENCE = 60.0


class Ticking:
    """A clock that passes the time it is asked to sleep at once, and stands still at *until*."""

    def __init__(self, at: float = START, until: float = math.inf) -> None:
        self.at = at
        self.until = until
        self.slept = 0
        self.passed = 0.0
        self.standing = asyncio.Event()

    def time(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept += 1
        if self.at + seconds > self.until:
            self.standing.set()
            await asyncio.Event().wait()
        self.at += seconds
        self.passed += seconds
        await asyncio.sleep(0)


class Jumping(Ticking):
    """Is set to another time, as is *until*, after some sleeps: seconds by their number."""

    def __init__(self, jumps: dict[int, float]) -> None:
        super().__init__()
        self._jumps = jumps

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        jump = self._jumps.get(self.slept, 0.0)
        self.at += jump
        self.until += jump


class Receiver:
    """Takes what is posted, but for the tenants to whom it is down."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.posts = 0
        self.down: set[str] = set()
        self.metadata_down = False
        self.address = ""

    async def _post(self, request: web.Request) -> web.Response:
        tenant = request.headers.get("X-Scope-OrgID", "")
        self.posts += 1
        body = await request.read()
        if tenant in self.down or (self.metadata_down and decode(body).metadata):
            return web.Response(status=503)
        self.got.append((tenant, body))
        return web.Response(status=204)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Receiver]:
        app = web.Application()
        app.router.add_post("/push", self._post)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        self.address = f"http://127.0.0.1:{port}/push"
        try:
            yield self
        finally:
            await runner.cleanup()

    def samples(self, tenant: str = "") -> dict[str, list[tuple[int, int]]]:
        """Unix seconds and bits of what arrived, by metric name and id, in the order of arrival."""
        found: dict[str, list[tuple[int, int]]] = {}
        for whose, body in self.got:
            for labels, points in samples_of(body).items() if whose == tenant else ():
                said = dict(labels)
                name = said["__name__"] + said.get("id", "")
                found.setdefault(name, []).extend((stamp // 1000, bits(value)) for stamp, value in points)
        return found

    def metadata(self, tenant: str = "") -> list[str]:
        """The families that were described, in the order of arrival."""
        bodies = [body for whose, body in self.got if whose == tenant]
        return [each.metric_family_name for body in bodies for each in decode(body).metadata]


class FencedError(ExporterError):
    """This replica may not send."""


@dataclass
class World:
    """What the holder asks for, set by the test."""

    receiver: Receiver
    session: aiohttp.ClientSession
    clock: Ticking
    facts: dict[str, dict[str, float]] = field(default_factory=lambda: {"aws_a": {"1": 1.0}})
    own: dict[str, float] = field(default_factory=lambda: {"storage_exporter_up": 1.0})
    leading: bool = True
    fence: bool = False
    since: dict[str, float] = field(default_factory=dict)
    taken: list[float] = field(default_factory=list)

    async def take(self, now: float) -> Snapshot:
        self.taken.append(now)
        blocks = [block(name, values) for name, values in sorted(self.facts.items())]
        return Snapshot(now, tuple((each.family, (each,)) for each in blocks), len(blocks))

    def own_families(self) -> Sequence[OwnFamily]:
        return [OwnFamily(name, "gauge", "help", "", [({}, value)]) for name, value in self.own.items()]

    def families(self) -> Iterable[Family]:
        return [Family("aws_a", "Help.", ("id",)), Family("aws_cloudwatch_bytes", "Help.", ("id",), unit="bytes")]

    def leads(self) -> bool:
        return self.leading

    def waiting_since(self, tenant: str) -> float | None:
        return self.since.get(tenant)

    async def deliver(self, body: bytes, tenant: str, *, fenced: bool, samples: int) -> bool:
        assert samples == sum(map(len, samples_of(body).values()))
        if fenced and self.fence:
            raise FencedError("another leads")
        async with self.session.post(self.receiver.address, data=body, headers={"X-Scope-OrgID": tenant}) as answer:
            return answer.status == 204

    def holder(self, tenants: Tenants | None = None) -> Holder:
        return Holder(
            Encoder({"env": "e"}),
            tenants or Tenants(None, {}),
            "pod-0",
            source=self,
            deliver=self.deliver,
            every=EVERY,
            clock=self.clock,
        )


def block(name: str, values: dict[str, float]) -> Block:
    names = ("account_id", "region", "id")
    labels = tuple(label_set(names, (ONE if each < "5" else TWO, "eu-west-1", each)) for each in values)
    return Block(Family(name, "", names), labels, array("d", values.values()), 0, 900)


async def run_until(world: World, holder: Holder, until: float) -> None:
    """Let the holder run until its clock stands still at *until*."""
    world.clock.until = until
    world.clock.standing.clear()
    running = asyncio.create_task(holder.run())
    standing = asyncio.create_task(world.clock.standing.wait())
    done, _ = await asyncio.wait({running, standing}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    running.cancel()
    standing.cancel()
    await asyncio.gather(running, standing, return_exceptions=True)
    assert done == {standing}


def instants(count: int, first: int = FIRST) -> list[int]:
    return [first + EVERY * n for n in range(count)]
