"""
A process that fills and empties an outbox until it is killed: ``python -m tests.outbox_child DIRECTORY``.

It goes on where marks say that it was, and writes a line for everything that has happened: ``kept LANE SERIAL``,
``handed LANE SERIAL``, ``done LANE SERIAL``.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys
from pathlib import Path

from exporter.remote.outbox import Outbox
from tests.outbox_side import MB, frame, mark, outbox, serial_of

LANES = ("a", "b")


def say(what: str, lane: str, serial: int) -> None:
    os.write(1, f"{what} {lane} {serial}\n".encode())


async def fill(box: Outbox, lane: str, chance: random.Random) -> None:
    """Append small batches for ever, with never more than some dozens waiting."""
    serials = itertools.count(1 + (await mark(box, lane) or 0))
    while True:
        batch = list(itertools.islice(serials, chance.randrange(1, 6)))
        await box.append(lane, [frame(serial, lane, size=chance.randrange(10, 20_000)) for serial in batch])
        say("kept", lane, batch[-1])
        while box.requests > 25:
            await asyncio.sleep(0)


async def empty(box: Outbox, lane: str) -> None:
    """Take frames for ever."""
    while True:
        head = await box.wait(lane)
        serial = serial_of(head)
        say("handed", lane, serial)
        await box.done(lane, head)
        say("done", lane, serial)


async def main(path: Path) -> None:
    box = outbox(path, max_bytes=2 * MB)
    await box.open()
    chance = random.Random(os.getpid())
    async with asyncio.TaskGroup() as group:
        for lane in LANES:
            group.create_task(fill(box, lane, chance))
            group.create_task(empty(box, lane))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
