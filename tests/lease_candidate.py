"""
A candidate in a process of its own: ``python -m tests.lease_candidate URL NAME FILE``.

Each line of FILE is an act of the leader, by the machine's monotonic clock, which all processes share: ``led`` while
`valid` held, ``idle`` once for each time that it did not. The instant is read before `valid` is asked: a process may be
stopped between the two, and what it was allowed to do then it does later.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

from exporter.kubernetes.lease import Elector
from tests.lease_model import Witness
from tests.lease_side import Standing


async def act(elector: Elector, file: Path) -> None:
    """Act until cancelled."""
    with file.open("a", buffering=1) as lines:
        while True:
            at = time.monotonic()
            lines.write(f"{'led' if elector.valid() else 'idle'} {at}\n")
            await asyncio.sleep(0.005)


async def main(url: str, name: str, file: Path) -> None:
    """Stand until asked to end."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    standing = Standing(url, name, Witness(), work=lambda: act(standing.elector, file))
    async with standing:
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
