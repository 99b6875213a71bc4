"""The program running in this process, with its address, its configuration file and the simulated AWS it reads."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from exporter.app import App, read_config
from exporter.clock import FixedClock
from exporter.config import Config
from exporter.config_file import ConfigFile
from exporter.demo import DemoServer, World, WorldClock
from tests.calls import remember
from tests.harness import T


class Running:
    """A running App with its address and configuration file."""

    def __init__(self, app: App, url: str, file: Path, server: DemoServer, session: aiohttp.ClientSession) -> None:
        self.app = app
        self.url = url
        self.file = file
        self.server = server
        self.session = session

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.session.get(self.url + path, headers=headers) as answer:
            return answer.status, await answer.text()

    async def reload(self) -> tuple[int, str]:
        async with self.session.post(self.url + "/-/reload") as answer:
            return answer.status, await answer.text()

    async def until(self, holds: Callable[[str], bool], path: str = "/metrics") -> str:
        """The first answer of which *holds* is true; gives up after two minutes."""
        async with asyncio.timeout(120):
            while not holds(text := (await self.get(path))[1]):
                await asyncio.sleep(0.05)
        return text


@contextlib.asynccontextmanager
async def running(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    text: str = "",
    *,
    before: Callable[[DemoServer], Awaitable[None]] | None = None,
    every: float = 0,
    deadline: str = "30s",
) -> AsyncIterator[Running]:
    """
    The program with configuration *text*; *before* is called with the simulated AWS before it starts.

    Args:
        every: seconds between two looks at the file, 0 for none.

        deadline: of a call; what is throttled takes as long.
    """
    file = tmp_path / "config.yaml"
    limits = f"{{deadline: {deadline}, pass_deadline: 60s, describe_per_second: 1000}}"
    base = f"web: {{listen: '127.0.0.1:0'}}\nlog: {{level: error}}\nlimits: {limits}\n"
    file.write_text(base + text)
    world = World(1, WorldClock(at=T))
    async with DemoServer(world) as server, aiohttp.ClientSession() as session:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        if before is not None:
            await before(server)

        def read() -> Config:
            return read_config(str(file), os.environ)

        watched = ConfigFile(str(file), read)
        app = App(
            watched.read(),
            read=watched.read,
            source=str(file),
            environ=os.environ,
            clock=FixedClock(T),
            file=watched if every else None,
            every=every,
        )
        address: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(app.run(lambda host, port: address.set_result((host, port))))
        async with asyncio.timeout(60):
            host, port = await address
        try:
            yield Running(app, f"http://{host}:{port}", file, server, session)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            remember(server.calls)


def has(*names: str) -> Callable[[str], bool]:
    return lambda text: all(f"\n{name}{{" in text for name in names)
