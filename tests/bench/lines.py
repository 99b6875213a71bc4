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
    """The objects that come in on stdin, until it ends."""
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while line := await reader.readline():
            yield orjson.loads(line)
    finally:
        transport.close()
