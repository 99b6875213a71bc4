"""
The program in a process of its own whose time is a test's: `python -m tests.push_process CONFIG CLOCK`.

As `storage-exporter run`, but for the clock: that is a file, which the test writes and the simulated AWS goes by too.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from exporter import logs
from exporter.app import App, read_config
from exporter.config import Config

_MOMENT = 1.0
_LOOK = 0.1
"""Real seconds between two looks at a time that may have been set meanwhile."""


class SharedTime:
    """
    The time in *file*: it stood at an instant when the real clock stood at another, and runs at a speed since.

    A `Clock` for the exporter, and unix seconds where it is called, for the simulated servers.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, int] = (0, 0)
        self._at = self._since = self._speed = 0.0

    def __call__(self) -> float:
        """The instant, unix seconds."""
        status = self._file.stat()
        if (seen := (status.st_mtime_ns, status.st_ino)) != self._seen:
            self._at, self._since, self._speed = json.loads(self._file.read_bytes())
            self._seen = seen
        return self._at + (time.time() - self._since) * self._speed

    time = __call__

    @property
    def speed(self) -> float:
        """Its seconds a real second; 0 stands still."""
        self()
        return self._speed

    def set(self, at: float, speed: float) -> None:
        """It is *at* now, and goes on at *speed*, for everybody who reads the file."""
        made = self._file.with_suffix(".new")
        made.write_text(json.dumps([at, time.time(), speed]))
        made.replace(self._file)

    def advance(self, seconds: float) -> None:
        """Jump ahead."""
        self.set(self() + seconds, self._speed)

    def monotonic(self) -> float:
        """The machine's own: calls take real time."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds* of this time; a moment also passes while it stands, for whoever keeps a pace."""
        until, moment = self() + seconds, time.monotonic() + seconds
        while (left := until - self()) > 0:
            if not self._speed and seconds <= _MOMENT and time.monotonic() >= moment:
                return
            await asyncio.sleep(min(left / (self._speed or 1.0), _LOOK))


def main(path: str, clock: str) -> None:
    """Run until stopped."""

    def read() -> Config:
        return read_config(path, os.environ)

    config = read()
    logs.configure(config.log.format, config.log.level)
    app = App(config, read=read, source=path, environ=os.environ, clock=SharedTime(Path(clock)))
    asyncio.run(app.run())


if __name__ == "__main__":
    main(*sys.argv[1:])
