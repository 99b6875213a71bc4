"""
A receiver of remote write that takes everything, a process of its own: `python -m tests.bench.sink`.

It says its ``url`` in a line of JSON and keeps bodies as they come. Whatever it is asked then, it says what has come
since the last time: ``requests``, ``bytes``, and the ``series`` and ``samples`` that protobuf's own classes find.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from tests.bench.lines import each_line, say
from tests.write_request import decode


class _Kept:
    """Bodies that came."""

    def __init__(self) -> None:
        self._bodies: list[bytes] = []

    async def take(self, request: web.Request) -> web.Response:
        """The answer to one request."""
        self._bodies.append(await request.read())
        return web.Response(status=204)

    def told(self) -> dict[str, Any]:
        """What came since this was asked for the last time."""
        bodies, self._bodies = self._bodies, []
        found = [decode(body).timeseries for body in bodies]
        return {
            "requests": len(bodies),
            "bytes": sum(map(len, bodies)),
            "series": sum(map(len, found)),
            "samples": sum(len(each.samples) for series in found for each in series),
        }


async def _main() -> None:
    kept = _Kept()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/api/v1/push", kept.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        say({"url": f"http://{host}:{port}/api/v1/push"})
        async for _ in each_line():
            say(kept.told())
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_main())
