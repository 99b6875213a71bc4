"""
Scrapers, a process of their own: `python -m tests.bench.scraper URL SCRAPERS PAUSE`.

Each asks for the page with gzip over a connection it keeps, reads it and throws it away still compressed, pauses and
asks again, until stdin ends or says anything; then the latencies of all of them are said in a line of JSON (seconds).
"""

from __future__ import annotations

import asyncio
import sys
import time
from urllib.parse import urlsplit

from tests.bench.lines import each_line, say


class Scraper(asyncio.Protocol):
    """One connection; ``first`` and ``total`` are the latencies of its scrapes, ``size`` the bytes of the last body."""

    def __init__(self, host: str) -> None:
        self._request = f"GET /metrics HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip\r\n\r\n".encode()
        self._transport: asyncio.Transport | None = None
        self._whole: asyncio.Future[None] | None = None
        self._begun = 0.0
        self._waiting = b""
        self._chunk = 0
        self._body = False
        self.first: list[float] = []
        self.total: list[float] = []
        self.size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._whole is not None and not self._whole.done():
            self._whole.set_exception(error or ConnectionError("closed in the middle of a page"))

    async def scrape(self) -> None:
        """One scrape, noted."""
        assert self._transport is not None
        self._whole = asyncio.get_running_loop().create_future()
        self._body, self._chunk, self._waiting, self.size = False, 0, b"", 0
        self._begun = time.perf_counter()
        self._transport.write(self._request)
        await self._whole
        self.total.append(time.perf_counter() - self._begun)

    def data_received(self, data: bytes) -> None:
        """Walk over the chunks (RFC 9112, 7.1) without keeping them."""
        if not self._body and not self._waiting:
            self.first.append(time.perf_counter() - self._begun)
        view = self._waiting + data if self._waiting else data
        self._waiting = b""
        at = 0
        if not self._body:
            end = view.find(b"\r\n\r\n")
            if end < 0:
                self._waiting = view
                return
            head = view[:end].lower()
            if b" 200 " not in head[:20] or b"content-encoding: gzip" not in head or b"chunked" not in head:
                raise ValueError(f"no page as expected: {head!r}")
            self._body, at = True, end + 4
        while at < len(view):
            if self._chunk:
                step = min(self._chunk, len(view) - at)
                self._chunk -= step
                at += step
                continue
            end = view.find(b"\r\n", at)
            if end < 0 or (view[at:end] == b"0" and len(view) < end + 4):
                self._waiting = view[at:]
                return
            length = int(view[at:end], 16)
            if not length:
                assert self._whole is not None
                self._whole.set_result(None)
                return
            self.size += length
            self._chunk, at = length + 2, end + 2


async def _main(url: str, scrapers: int, pause: float) -> None:
    place = urlsplit(url)
    loop = asyncio.get_running_loop()
    made: list[Scraper] = []
    stop = asyncio.Event()

    async def one() -> None:
        _, scraper = await loop.create_connection(lambda: Scraper(place.netloc), place.hostname or "", place.port or 80)
        made.append(scraper)
        while not stop.is_set():  # a scrape under way is finished: one broken off would be a fault to the exporter
            await scraper.scrape()
            await asyncio.sleep(pause)

    async with asyncio.TaskGroup() as group:
        for _ in range(scrapers):
            group.create_task(one())
        say({"ready": True})
        async for _ in each_line():
            break
        stop.set()
    say(
        {
            "first": [each for scraper in made for each in scraper.first],
            "total": [each for scraper in made for each in scraper.total],
            "size": max(scraper.size for scraper in made),
        }
    )


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
