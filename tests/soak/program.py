"""
The exporter as `run` makes it, in a process of its own, but in the time of a world that runs faster.

Only *when* passes are made follows the world; deadlines, pauses and the pace stay real seconds.
Arguments: configuration file, real and world's unix seconds at the start, world seconds a second.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

from exporter import logs
from exporter.app import App, read_config
from exporter.clock import SystemClock
from exporter.scheduler import Scheduler


class WorldTime(SystemClock):
    """
    The world's time of day; all else is real.

    Args:
        wall: real unix seconds at the start.

        world: the world's then.

        speed: world seconds a second.
    """

    def __init__(self, wall: float, world: float, speed: float) -> None:
        self._wall, self._world, self.speed = wall, world, speed

    def time(self) -> float:
        """The world's instant, unix seconds."""
        return self._world + (time.time() - self._wall) * self.speed


class Turns(WorldTime):
    """The scheduler's: a minute between two passes is one of the world's."""

    async def sleep(self, seconds: float) -> None:
        """Sleep *seconds* of the world's."""
        await asyncio.sleep(max(0.0, seconds / self.speed))


async def main(path: str, wall: float, world: float, speed: float) -> None:
    """Run until SIGTERM; the port goes to stdout."""
    config = read_config(path, os.environ)
    logs.configure(config.log.format, config.log.level)
    app = App(
        config,
        read=lambda: read_config(path, os.environ),
        source=path,
        environ=os.environ,
        clock=WorldTime(wall, world, speed),
    )
    app.scheduler = Scheduler(app.telemetry, Turns(wall, world, speed), app.expectations)

    def started(_host: str, port: int) -> None:
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()

    await app.run(started)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(float, sys.argv[2:5])))
