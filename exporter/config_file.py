"""
The configuration's file, watched: what it holds now against what was last read of it.

A ConfigMap or Secret reaches a pod by a symbolic link that is swapped, up to two minutes late, and with times that say
nothing; so the content is compared (chart.md 2.4). What is read means is for `config`, putting it in force for `app`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from exporter import logs
from exporter.clock import Clock
from exporter.config import Config

_LOG = logs.logger(__name__)

EVERY = 15.0
"""Seconds between two looks."""

SETTLED = 1.0
"""Seconds a new content has to stand: an editor empties a file before it fills it, and an empty file is a good one."""

_LONG_GONE = 3
"""Looks in a row without a file after which that is said: the moment of a swap is none of it."""


class ConfigFile:
    """
    One file.

    Args:
        path: of the file. Only a plain file, or a link to one, is ever looked at: a pipe can be read once.

        load: reads it, raising `ConfigError`.
    """

    def __init__(self, path: str, load: Callable[[], Config]) -> None:
        self.path = path
        self._load = load
        self._last: bytes | None = None

    def read(self) -> Config:
        """What it means, as `load` says; also where that is refused, the content counts as read."""
        # Before it is loaded: a change in between is then seen by the next look, rather than by none.
        self._last = self.content()
        return self._load()

    def content(self) -> bytes | None:
        """The digest of what it holds, None where there is no plain file that can be read."""
        path = Path(self.path)
        try:
            return hashlib.sha256(path.read_bytes()).digest() if path.is_file() else None
        except (OSError, ValueError):  # ValueError: a name no file can have
            return None

    def differs(self, content: bytes) -> bool:
        """Whether *content* (a digest) is other than what was last read."""
        return content != self._last


async def watch(file: ConfigFile, reload: Callable[[], Awaitable[object]], clock: Clock, every: float = EVERY) -> None:
    """
    Call *reload*, which calls `ConfigFile.read`, whenever the file holds something new; for good.

    A content that is refused is refused once. A file that is gone changes nothing, and is told of when it stays away.

    Args:
        every: seconds between two looks.
    """
    gone = 0
    while True:
        await clock.sleep(every)
        content = await asyncio.to_thread(file.content)
        if content is None:
            gone += 1
            if gone == _LONG_GONE:
                text = f"{file.path} cannot be read; the configuration in force stays until it can"
                logs.log(_LOG, "warning", "config_file_gone", text)
            continue
        gone = 0
        if not file.differs(content):
            continue
        await clock.sleep(min(SETTLED, every))
        if await asyncio.to_thread(file.content) != content:
            continue
        try:
            await reload()
        except Exception as error:  # noqa: BLE001 - nothing a file holds may end the program
            text = f"{file.path} could not be put in force: {type(error).__name__}; the configuration in force stays"
            logs.log(_LOG, "error", "reload_failed", text)
