"""Commands and answers between the benchmark's processes: a JSON object a line, in on stdin, out on stdout."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson


def say(what: Mapping[str, Any]) -> None:
    """One line on stdout, at once."""
    os.write(sys.stdout.fileno(), orjson.dumps(what) + b"\n")


async def each_line() -> AsyncIterator[dict[str, Any]]:
    """
    The objects that come in on stdin, until it ends.

    Where it ends while a command is at work, whoever gave it is gone, and so is this process, at once: it must not go
    on measuring for nobody.
    """
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    at_work = False

    async def read() -> bytes:
        line = await reader.readline()
        if not line and at_work:
            os._exit(1)
        return line

    coming = asyncio.create_task(read())
    try:
        while line := await coming:
            coming, at_work = asyncio.create_task(read()), True
            yield orjson.loads(line)
            at_work = False
    finally:
        coming.cancel()
        transport.close()
