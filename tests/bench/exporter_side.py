"""
The exporter's process: `python -m tests.bench.exporter_side CONFIG`.

The program as it is (`app.App`: web server, scheduler, collectors, aiohttp), but for its clock, which the runner moves.
It takes commands on stdin (`_Side.do`), answers each with what it cost, and ends when stdin does. Whatever is known of
the program's insides is in `_Insides`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from exporter.app import App, read_config
from exporter.aws import prices
from exporter.model import Snapshot
from tests.bench.clock import HeldClock
from tests.bench.estate import NOW
from tests.bench.lines import each_line, say

_QUIET = 0.4
"""Seconds without work after which everything that ends late, such as rendering, is through."""

_STEP = 0.1
_NO_WORK = 0.003
"""CPU seconds in one step that are no work: looking at the clock."""

_WATCH = 0.002
"""Seconds the watcher of the event loop sleeps."""


class _Insides:
    """All that is used of `App` beside its public face."""

    def __init__(self, app: App) -> None:
        self._app = app

    @property
    def jobs(self) -> int:
        """How many jobs there are."""
        engine = self._app._engine
        return len(engine.feeds) if engine is not None else 0

    @property
    def page(self) -> object:
        """The rendered page that is served now; another object after the next rendering."""
        return self._app._publisher.page

    def snapshot(self, now: float) -> Snapshot:
        return self._app.store.snapshot(now)


class _Stalls:
    """A task that sleeps two milliseconds and notes by how much it woke late."""

    def __init__(self) -> None:
        self.late: list[float] = []

    async def watch(self) -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(_WATCH)
            self.late.append(time.perf_counter() - begun - _WATCH)

    def said(self) -> dict[str, float]:
        late = sorted(self.late) or [0.0]

        def at(share: float) -> float:
            return 1000 * late[min(len(late) - 1, int(share * len(late)))]

        return {"p50": at(0.5), "p99": at(0.99), "longest": 1000 * late[-1], "looks": float(len(late))}


class _Side:
    """What the runner asks for."""

    def __init__(self, app: App, clock: HeldClock) -> None:
        self._clock = clock
        self._insides = _Insides(app)

    async def do(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """
        One command.

        ``settle``: wait for the passes under way. ``sweep``: jump by `seconds`, wait for all passes it wakes; with
        `watch` also look how late the loop is; with `busy` (somebody scrapes) do not wait for quiet after it. ``turn``:
        jump to the next turn of a job. ``idle``: `seconds` of real time; with `passes` every job runs once in it, at an
        instant at which it has run. ``cpu``, ``memory``. ``snapshot``: pickled to `path`; its number of series.
        """
        match command["do"]:
            case "settle":
                return await self._spent(0.0)
            case "sweep":
                flags = {name: bool(command.get(name)) for name in ("watch", "busy")}
                return await self._spent(command["seconds"], **flags)
            case "turn":
                seconds = self._clock.next_turn()
                return {"seconds": seconds, **await self._spent(seconds)}
            case "idle":
                return await self._idle(command["seconds"], passes=command["passes"])
            case "cpu":
                return {"cpu": time.process_time()}
            case "memory":
                return _memory()
            case "snapshot":
                return _pickled(self._insides.snapshot(self._clock.time()), Path(command["path"]))
            case unknown:
                return {"error": f"no such command: {unknown}"}

    async def _spent(self, seconds: float, *, watch: bool = False, busy: bool = False) -> dict[str, Any]:
        """
        What a jump costs: ``wall`` and ``passes`` (CPU) until the last pass is through, ``cpu`` until all that follows
        it is, ``rendered`` the seconds until the page was there that shows it.
        """
        stalls = _Stalls()
        async with _beside(stalls.watch() if watch else None):
            wall, cpu = time.perf_counter(), time.process_time()
            if seconds:
                self._clock.jump(seconds)
                await asyncio.sleep(0)
            while not self._insides.jobs:
                await asyncio.sleep(_STEP)  # right after the start
            await self._clock.all_asleep(self._insides.jobs)
            passes, walled = time.process_time() - cpu, time.perf_counter() - wall
            if watch:
                # The last renderings belong to the sweep; the quiet after them does not.
                await asyncio.sleep(_QUIET)
        rendered = 0.0 if busy else await self._quiet(wall)
        return {
            "wall": walled,
            "passes": passes,
            "cpu": time.process_time() - cpu,
            "rendered": rendered,
            "now": self._clock.time(),
            **({"stalls": stalls.said()} if watch else {}),
        }

    async def _quiet(self, begun: float) -> float:
        """Wait until nothing works; seconds from *begun* on until the page was rendered for the last time."""
        page, at, quiet = self._insides.page, time.perf_counter(), 0.0
        while quiet < _QUIET:
            before = time.process_time()
            await asyncio.sleep(_STEP)
            quiet = quiet + _STEP if time.process_time() - before < _NO_WORK else 0.0
            if self._insides.page is not page:
                page, at = self._insides.page, time.perf_counter()
        return at - begun

    async def _idle(self, seconds: float, *, passes: bool) -> dict[str, Any]:
        cpu, wall = time.process_time(), time.perf_counter()
        if passes:
            self._clock.wake_all()
        await asyncio.sleep(seconds)
        return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


@contextlib.asynccontextmanager
async def _beside(work: Any) -> AsyncIterator[None]:
    """A coroutine that runs meanwhile, or None."""
    task = asyncio.create_task(work) if work is not None else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _pickled(snapshot: Snapshot, path: Path) -> dict[str, Any]:
    path.write_bytes(pickle.dumps(snapshot))
    return {"series": snapshot.series}


def _memory() -> dict[str, Any]:
    """Resident bytes now and at most, as the kernel counts them (proc(5))."""
    pairs = (line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    status = {name: value.strip() for name, value in pairs}
    return {name: int(status[key].split()[0]) * 1024 for name, key in (("rss", "VmRSS"), ("peak", "VmHWM"))}


async def _main(path: str) -> None:
    clock = HeldClock(NOW)
    config = read_config(path, os.environ)
    # A pace over AWS's own is there to measure work: its quota of datapoints would make waiting of it.
    faster = config.limits.get_metric_data_per_second / prices.REQUESTS_PER_SECOND
    prices.DATAPOINTS_PER_SECOND = int(prices.DATAPOINTS_PER_SECOND * max(1.0, faster))
    app = App(config, read=lambda: config, source=path, environ=os.environ, clock=clock)
    listening: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(app.run(lambda host, port: listening.set_result((host, port))))
    running.add_done_callback(lambda ended: listening.done() or listening.cancel())
    try:
        host, port = await listening
    except asyncio.CancelledError:
        await running  # and say why
        raise
    side = _Side(app, clock)
    say({"url": f"http://{host}:{port}", "cpu": time.process_time()})
    async for command in each_line():
        say(await side.do(command))
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
