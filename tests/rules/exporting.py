"""The program on a stepped clock, in this process: beside a simulated AWS and Kubernetes, scraped or pushing."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exporter import exposition
from exporter.app import App
from exporter.demo import DemoServer, KubernetesServer, World, cluster_of
from tests.calls import remember
from tests.harness import config_of
from tests.rules.stepped import SteppedClock

CLUSTER = "demo"
_HOLDER = "Holder.run"
_STARTING = "the start"
_NEVER = 3600.0


@dataclass
class Ground:
    """What the exporter reads: the simulated servers, and the time they share with it."""

    clock: SteppedClock
    world: World
    aws: DemoServer
    kubernetes: KubernetesServer
    folder: Path
    exporters: list[Exporter] = field(default_factory=list)

    async def move(self, until: float) -> None:
        """Let it become *until*; every pass that was due has ended."""
        self.kubernetes.cluster.refresh()
        await self.clock.move(until, self._jobs)
        for each in self.exporters:
            await each.sent()

    async def leap(self, until: float) -> None:
        """Let it become *until* at once, as if nothing had run meanwhile; then every job makes a pass."""
        await self.clock.leap(until, self._jobs)
        await self.move(until)

    def _jobs(self) -> list[str]:
        return [job for each in self.exporters for job in each.jobs()]


@contextlib.asynccontextmanager
async def ground(
    world: World, clock: SteppedClock, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Ground]:
    """The servers, and AWS's variables leading there."""
    async with DemoServer(world) as aws, KubernetesServer(cluster_of(world), tick=_NEVER) as kubernetes:
        for name, value in aws.environment().items():
            monkeypatch.setenv(name, value)
        try:
            yield Ground(clock, world, aws, kubernetes, folder)
        finally:
            remember(aws.calls)


class Exporter:
    """A running program; `pod` is the name of its pod."""

    def __init__(self, app: App, pod: str, url: str, session: aiohttp.ClientSession, *, pushes: bool) -> None:
        self.app, self.pod, self.url = app, pod, url
        self._session, self._pushes = session, pushes

    def jobs(self) -> set[str]:
        """Those that must rest before time goes on."""
        living = self.app.scheduler.living or {_STARTING}
        return living | ({_HOLDER} if self._pushes else set())

    async def page(self, at: float) -> str:
        """What a scrape gets at *at* once everything is rendered, without waiting for that."""
        shown = await self.app.store.take(at)
        own = self.app.telemetry.render(openmetrics=False)
        return (exposition.plain(shown) + own).decode()

    async def sent(self) -> None:
        """
        Return when nothing waits to be pushed.

        A new pod looks back over hours of which the receiver has most, and refuses them one by one: on a busy machine
        that takes minutes.
        """
        if not self._pushes:
            return
        async with asyncio.timeout(600):
            while True:
                async with self._session.get(self.url) as answer:
                    if "nothing waits" in await answer.text():
                        return
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def exporter(
    at: Ground, pod: str, *, push: str = "", more: Mapping[str, Any] | None = None
) -> AsyncIterator[Exporter]:
    """
    The program as *pod*, with a first pass behind it; what it does not do for others ends with it.

    Args:
        at: what it reads.

        pod: name of its pod.

        push: where it pushes, ``""`` for where it is scraped.

        more: sections of its configuration, beside the usual ones.
    """
    token = at.folder / "token"
    await asyncio.to_thread(token.write_text, at.kubernetes.token, encoding="ascii")
    sections: dict[str, Any] = {
        "cluster": CLUSTER,
        "web": {"listen": "127.0.0.1:0"},
        "log": {"level": "error"},
        "kubernetes": {
            "url": at.kubernetes.url,
            "token_file": str(token),
            "pods": True,
            "csi_drivers": True,
            "leader_election": False,
        },
        **(more or {}),
    }
    sections["limits"] = {
        "get_metric_data_per_second": 1000,
        "deadline": "300s",
        "pass_deadline": "600s",
        **sections.get("limits", {}),
    }
    if push:
        kept = {"path": str(at.folder / f"outbox-{pod}")}
        sections["delivery"] = {"mode": "push", "push": {"url": push, "outbox": kept, "held_every": 60}}
    config = config_of(**sections)
    environ = {**os.environ, "POD_NAME": pod}
    app = App(config, read=lambda: config, source="the test", environ=environ, clock=at.clock)
    address: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(app.run(lambda host, port: address.set_result((host, port))), name=f"app of {pod}")
    async with aiohttp.ClientSession() as session:
        try:
            either: set[asyncio.Future[Any]] = {task, address}
            await asyncio.wait(either, timeout=60, return_when=asyncio.FIRST_COMPLETED)
            assert not task.done(), task.exception()
            host, port = address.result()
            made = Exporter(app, pod, f"http://{host}:{port}", session, pushes=bool(push))
            at.exporters.append(made)
            await at.move(at.clock.time())
            yield made
        finally:
            at.exporters = [each for each in at.exporters if each.app is not app]
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
