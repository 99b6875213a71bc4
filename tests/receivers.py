"""
Receivers of remote write for tests, by the rules of Prometheus's head block: a whole request or the good part of it.

A model of samples and answers, and a server over it. Independent of what sends: the server reads bodies with protobuf.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from exporter.clock import Clock, SystemClock
from exporter.config.delivery import Push
from exporter.errors import UnansweredError
from exporter.remote.client import Client
from exporter.remote.wire import Row, Sample, write
from tests.aws_wire import serving
from tests.write_request import samples_of

BODY = write([Row(b"\n\x0f\n\x08__name__\x12\x03one", (Sample(1_000, 1.5),))])
"""A request of one sample of a series `one`."""

Key = Any
Points = list[tuple[int, float]]

PROMETHEUS = {
    "out_of_order": "out of order sample",
    "duplicate": "duplicate sample for timestamp",
    "too_old": "out of bounds",
    "future": "out of bounds: timestamp is too far in the future",
    "limits": "label value too long",
    "invalid": "invalid labels",
}
MIMIR = {
    "out_of_order": "the sample was rejected (err-mimir-sample-out-of-order)",
    "duplicate": "the sample was rejected (err-mimir-sample-duplicate-timestamp)",
    "too_old": "the sample was rejected (err-mimir-sample-timestamp-too-old)",
    "future": "the sample was rejected (err-mimir-too-far-in-future)",
    "limits": "the series was rejected (err-mimir-max-series-per-user)",
    "invalid": "the series was rejected (err-mimir-label-invalid)",
}


@dataclass
class Receiver:
    """
    What it has and what it takes.

    Args:
        whole: whether one bad sample makes it refuse a whole request, as Prometheus does; else as Mimir.

        named: whether it names its errors by Mimir's ids.

        oldest: stamps before it are too old.

        latest: stamps after it are in the future.

        bad: series that are refused for what they are, with the reason.
    """

    whole: bool
    named: bool = False
    oldest: int = -(2**60)
    latest: int = 2**60
    bad: dict[Key, str] = field(default_factory=dict)
    has: dict[Key, Points] = field(default_factory=dict)
    requests: int = 0

    def wrong(self, key: Key, at: int, value: float, points: Points) -> str:
        """Why a sample cannot be stored behind *points*, ``""`` where it can."""
        if key in self.bad:
            return self.bad[key]
        if at < self.oldest:
            return "too_old"
        if at > self.latest:
            return "future"
        if points and at < points[-1][0]:
            return "out_of_order"
        if points and at == points[-1][0] and bits(value) != bits(points[-1][1]):
            return "duplicate"
        return ""

    def take(self, request: Mapping[Key, Points]) -> str:
        """Store what is good, all or nothing where `whole`; the reason of the first that is not."""
        self.requests += 1
        first = ""
        staged: dict[Key, Points] = {}
        for key, samples in request.items():
            points = staged[key] = list(self.has.get(key, ()))
            for at, value in samples:
                if reason := self.wrong(key, at, value, points):
                    first = first or reason
                elif not points or at > points[-1][0]:
                    points.append((at, value))
        if not (self.whole and first):
            self.has.update({key: points for key, points in staged.items() if points})
        return first

    def words(self, reason: str) -> str:
        """What it says of a refusal."""
        return (MIMIR if self.named else PROMETHEUS)[reason]


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


@dataclass
class Server:
    """A `Receiver` for each tenant over HTTP; `meddle` answers in its place where it answers anything."""

    make: Callable[[], Receiver]
    url: str = ""
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    tenants: dict[str, Receiver] = field(default_factory=dict)
    meddle: Callable[[int], web.Response | None] = lambda _: None

    def tenant(self, name: str = "") -> Receiver:
        return self.tenants.setdefault(name, self.make())

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append(request)
        self.bodies.append(body)
        meddled = self.meddle(len(self.requests))
        if meddled is not None:
            return meddled
        receiver = self.tenant(request.headers.get("X-Scope-OrgID", ""))
        reason = receiver.take(samples_of(body))
        if reason:
            return web.Response(status=400, text=f"{receiver.words(reason)}\n")
        return web.Response(status=204)


@asynccontextmanager
async def receiving(make: Callable[[], Receiver], **site: Any) -> AsyncIterator[Server]:
    """A server on loopback."""
    server = Server(make)
    async with serving(server.answer, **site) as url:
        server.url = f"{url}/api/v1/push"
        yield server


class Counts:
    """Who is told what becomes of requests and samples."""

    def __init__(self) -> None:
        self.codes: Counter[str] = Counter()
        self.failures = 0
        self.retries = 0
        self.taken = 0
        self.size = 0
        self.at = 0.0
        self.lost: Counter[str] = Counter()

    def posted(self, code: str) -> None:
        self.codes[code] += 1

    def failed(self) -> None:
        self.failures += 1

    def retried(self) -> None:
        self.retries += 1

    def sent(self, samples: int, size: int, at: float) -> None:
        self.taken += samples
        self.size += size
        self.at = at

    def dropped(self, reason: str, samples: int) -> None:
        self.lost[reason] += samples


def pushing(url: str, **more: Any) -> Push:
    """A configuration of pushing."""
    return Push.model_validate({"url": url, "timeout": 20, **more})


def client_of(
    push: Push,
    *,
    counts: Counts | None = None,
    clock: Clock | None = None,
    permitted: Callable[[], bool] = lambda: True,
    environ: Mapping[str, str] | None = None,
) -> Client:
    """A client by *push*."""
    return Client(
        push,
        user_agent="storage-exporter/0",
        clock=clock or SystemClock(),
        permitted=permitted,
        told=counts or Counts(),
        environ=environ or {},
    )


def prometheus() -> Receiver:
    """One that has nothing yet."""
    return Receiver(whole=True)


async def failure(url: str, **more: object) -> UnansweredError:
    """What a request to *url* fails with, and that it was counted."""
    counts = Counts()
    async with client_of(pushing(url, **more), counts=counts) as client:
        with pytest.raises(UnansweredError) as caught:
            await client.post(BODY, "")
    assert counts.codes == {caught.value.code: 1}
    assert counts.failures == 1
    return caught.value
