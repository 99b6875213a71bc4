"""All that stands between points and a receiver, for tests of the sender: an outbox, a client, a server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from exporter.remote.frames import Frame
from exporter.remote.outbox import Outbox
from exporter.remote.sender import Sender
from exporter.remote.wire import Encoder, Series
from tests.aws_wire import serving
from tests.kubernetes_side import HurriedClock, until
from tests.receivers import Counts, Points, Receiver, Server, client_of, pushing, receiving

Labels = frozenset[tuple[str, str]]
Truth = dict[Labels, Points]

KINDS = pytest.mark.parametrize("whole", [True, False], ids=["Prometheus", "Mimir"])


def named(index: int) -> Labels:
    return frozenset({("__name__", "aws_thing"), ("volume_id", f"vol-{index}")})


def window(start: int, samples: int = 5, series: int = 20) -> tuple[bytes, Truth]:
    """A body of some series in a window of a minute each, and what it says."""
    ends = [start + 60 * each for each in range(samples)]
    columns = [[float(index * 1000 + end) for end in ends] for index in range(series)]
    given = [
        Series("aws_thing", f'{{volume_id="vol-{index}"}}'.encode(), ends, column)
        for index, column in enumerate(columns)
    ]
    [body] = Encoder().bodies(given)
    truth = {
        named(index): [(1000 * end, value) for end, value in zip(ends, column, strict=True)]
        for index, column in enumerate(columns)
    }
    return body.data, truth


def joined(*truths: Truth) -> Truth:
    """The samples of several windows, oldest first."""
    whole: Truth = {}
    for truth in truths:
        for labels, points in truth.items():
            whole.setdefault(labels, []).extend(points)
    return whole


def frame(body: bytes, samples: int = 100, at: int = 1_800_000_000) -> Frame:
    return Frame(body, samples, at, at, ())


@asynccontextmanager
async def keeping(folder: Path, clock: Any, counts: Counts) -> AsyncIterator[Outbox]:
    """An outbox in *folder*."""
    outbox = Outbox(folder / "outbox", max_bytes=2**26, max_age=10**9, keep_marks=10**9, clock=clock, told=counts)
    await outbox.open()
    try:
        yield outbox
    finally:
        await outbox.close()


class Scene:
    """An outbox, a client and a sender, with what they have told."""

    def __init__(self, server: Server, outbox: Outbox, clock: HurriedClock, counts: Counts, sender: Sender) -> None:
        self.server = server
        self.outbox = outbox
        self.clock = clock
        self.counts = counts
        self.sender = sender

    async def put(self, *bodies: bytes, lane: str = "") -> None:
        await self.outbox.append(lane, [frame(body) for body in bodies])

    async def empty(self) -> None:
        """Return when nothing waits."""
        await until(lambda: self.outbox.requests == 0, "an empty outbox")


@asynccontextmanager
async def scene(
    folder: Path,
    *,
    whole: bool = True,
    lanes: tuple[str, ...] = ("",),
    permitted: Callable[[], bool] = lambda: True,
    running: bool = True,
    url: str | None = None,
    prepare: Callable[[Server], object] = lambda _: None,
    **push: Any,
) -> AsyncIterator[Scene]:
    """A receiver and all that sends to it; `lanes` are tenants."""
    clock, counts = HurriedClock(), Counts()
    async with (
        receiving(lambda: Receiver(whole, named=not whole)) as server,
        keeping(folder, clock, counts) as outbox,
        client_of(pushing(url or server.url, **push), counts=counts, clock=clock, permitted=permitted) as client,
    ):
        prepare(server)
        sender = Sender(client, outbox, clock, counts, lambda lane: lane, permitted, jitter=lambda: 1.0)
        task = asyncio.create_task(sender.run(lanes if running else ()))
        try:
            yield Scene(server, outbox, clock, counts, sender)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def answering(answers: Iterator[web.Response | None]) -> Callable[[Server], None]:
    """Let the server answer by a list before it takes anything."""

    def prepare(server: Server) -> None:
        server.meddle = lambda _: next(answers, None)

    return prepare


@asynccontextmanager
async def receiving_by(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    async with serving(answer) as url:
        yield url
