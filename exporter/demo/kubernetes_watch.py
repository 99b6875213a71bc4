"""
One watch of the simulated Kubernetes API: changes as lines, bookmarks, and the troubles that strike in mid-stream.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress

from aiohttp import web

from exporter.demo.kubernetes_faults import KubernetesFault
from exporter.demo.kubernetes_kinds import Resource
from exporter.demo.kubernetes_selectors import Match
from exporter.demo.kubernetes_status import ApiError, expired
from exporter.demo.kubernetes_store import Cluster, Event
from exporter.demo.kubernetes_wire import Ask, bookmark, event, failure

LONGEST = 1800.0
"""Seconds a watch lasts, and up to twice of it, when the caller does not say."""

_NONSENSE = b'{"type":"ADDED","object":<html>this is {not} the answer\n'
_BREAKING = frozenset({"malformed", "truncated", "cut", "silent"})


class Watch:
    """
    One watch.

    Args:
        cluster: whose changes it tells.

        kind: of the objects.

        ask: the request.

        match: which objects are told of.

        rules: the faults that hit it.

        bookmarks: seconds between bookmarks.
    """

    def __init__(
        self,
        cluster: Cluster,
        kind: Resource,
        ask: Ask,
        match: Match,
        rules: Sequence[KubernetesFault],
        bookmarks: float,
    ) -> None:
        self._cluster, self._kind, self._ask, self._match = cluster, kind, ask, match
        self._rules = [rule for rule in rules if rule.kind in _BREAKING]
        self._gone = any(rule.kind == "gone-410" for rule in rules)
        self._bookmarks = bookmarks if ask.flag("allowWatchBookmarks") else None
        self._seconds = float(ask.number("timeoutSeconds") or LONGEST * random.uniform(1, 2))  # noqa: S311
        self._position = ask.number("resourceVersion")
        self._prefix = f"{ask.namespace}/" if ask.namespace else ""
        self._told = 0
        self._ended = False
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something changed, or the watch has ended."""
        self._wake.set()

    def end(self) -> None:
        """Let the answer end as it properly does when its time is over."""
        self._ended = True
        self._wake.set()

    async def run(self, incoming: web.Request) -> web.StreamResponse:
        """Answer until the time is over, the caller leaves, or a fault ends it."""
        stream = web.StreamResponse(headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"})
        await stream.prepare(incoming)
        loop = asyncio.get_running_loop()
        until = loop.time() + self._seconds
        following = loop.time() + self._bookmarks if self._bookmarks is not None else until
        try:
            if self._gone:
                raise expired("too old resource version: the simulated history is lost")
            await self._begin(stream, incoming)
            while not self._ended and (now := loop.time()) < until:
                self._wake.clear()
                await self._changes(stream, incoming)
                if now >= following and self._bookmarks is not None:
                    await stream.write(bookmark(self._kind, self._position))
                    following = now + self._bookmarks
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), max(0.0, min(until, following) - loop.time()))
        except ApiError as error:
            await stream.write(failure(error))
        except _BrokenOffError:
            pass
        return stream

    async def _begin(self, stream: web.StreamResponse, incoming: web.Request) -> None:
        await self._break(stream, incoming)
        if self._position:
            return
        page = self._cluster.page(self._kind, self._ask.namespace, self._match)
        for item in page.items:
            await self._tell(stream, incoming, "ADDED", item)
        self._position = page.version

    async def _changes(self, stream: web.StreamResponse, incoming: web.Request) -> None:
        events, self._position = self._cluster.since(self._kind.name, self._position)
        for change in events:
            for word, item in self._words(change):
                await self._tell(stream, incoming, word, item)

    def _words(self, change: Event) -> Iterator[tuple[str, object]]:
        """What a change is to this watch: an object that begins or ceases to match comes or goes."""
        if not change.key.startswith(self._prefix):
            return
        before = change.before is not None and self._match(change.before)
        after = change.object is not None and self._match(change.object)
        if after:
            yield ("MODIFIED" if before else "ADDED"), change.object
        elif before:
            yield "DELETED", _at(change.object or change.before, change.version)

    async def _tell(self, stream: web.StreamResponse, incoming: web.Request, word: str, item: object) -> None:
        await stream.write(event(self._kind, word, item))
        self._told += 1
        await self._break(stream, incoming)

    async def _break(self, stream: web.StreamResponse, incoming: web.Request) -> None:
        """Do what the rules say, once so many events were told."""
        for rule in [rule for rule in self._rules if self._told >= int(rule.options.get("events", 0))]:
            self._rules.remove(rule)
            if rule.kind == "malformed":
                await stream.write(_NONSENSE)
                continue
            if rule.kind == "silent":
                await self._stay_silent(rule.seconds(60))
            else:
                line = bookmark(self._kind, self._position)
                await stream.write(line[: len(line) // 2])
                if rule.kind == "cut" and incoming.transport is not None:
                    incoming.transport.close()
            raise _BrokenOffError

    async def _stay_silent(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not self._ended and loop.time() < until:
            self._wake.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.0, until - loop.time()))


class _BrokenOffError(Exception):
    """A fault has ended the answer."""


def _at(item: object, version: int) -> object:
    """A deleted object as it is told: as it last was, with the version of its deletion."""
    if not isinstance(item, dict) or not isinstance(item.get("metadata"), dict):
        return item
    return {**item, "metadata": {**item["metadata"], "resourceVersion": str(version)}}
