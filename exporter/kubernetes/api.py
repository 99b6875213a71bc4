"""
The Kubernetes API by aiohttp: lists in pages, watches, and the three verbs a Lease needs.

One request is asked once (twice where new credentials may help) and is over by its time; whatever goes wrong is one of
the classes of `faults`. When to ask again is for `reflector` and the elector. Objects are handed on as the bytes they
came in: what is kept of them is for those who ask.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import msgspec
from yarl import URL

from exporter.clock import Clock
from exporter.kubernetes.faults import (
    Asked,
    GoneError,
    KubernetesError,
    MalformedError,
    TimedOutError,
    TooLargeError,
    UnreachableError,
    from_answer,
    from_status,
    from_trouble,
)
from exporter.kubernetes.server import Server
from exporter.kubernetes.wire import (
    EVENTS,
    LISTS,
    MOST_OF_AN_ANSWER,
    OBJECTS,
    STATUSES,
    Event,
    List,
    T,
    decoded,
    keen_socket,
    lines,
    read,
)

_MOST_OF_AN_ERROR = 64 * 1024
_REREAD = 60.0
"""Seconds between two looks at the cluster's authority because its certificate does not verify."""

Observed = Callable[[str, str, str, float], None]
"""
Told of every request: its verb and kind (as roles spell them), ``ok`` or the error's code, and the seconds it took. A
watch is told of when it opens, and again with a code where it fails later.
"""


@dataclass(frozen=True, slots=True)
class Page:
    """
    A part of a list.

    Args:
        items: each object's JSON; they hold the page's bytes for as long as one of them is held.

        version: of the whole list, to watch from.

        first: whether the list begins here. It may do so twice: what came before is then void.
    """

    items: list[msgspec.Raw]
    version: str
    first: bool


class Api:
    """
    A client of one API server; use it as an async context manager.

    Args:
        server: where and who.

        user_agent: such as ``storage-exporter/0.1.0``.

        clock: for what `observed` is told.

        observed: see `Observed`.

        grace: seconds a watch may go on beyond the time it was asked for: the server ends it, we where it does not.
    """

    def __init__(
        self,
        server: Server,
        *,
        user_agent: str,
        clock: Clock,
        observed: Observed | None = None,
        grace: float = 10.0,
    ) -> None:
        self._server = server
        self._host = urlsplit(server.url).netloc
        self._headers = {"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"}
        self._clock = clock
        self._observed = observed or (lambda _verb, _kind, _code, _seconds: None)
        self._grace = grace
        self._session: aiohttp.ClientSession | None = None
        self._reread = float("-inf")

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # A watch holds a connection of its own, for each kind; nothing here asks for more than a few beside them.
            connector=aiohttp.TCPConnector(limit=0, socket_factory=keen_socket),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
            # The environment's proxies are for `server` to choose; aiohttp would add a password from ~/.netrc.
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # ---- many objects -----------------------------------------------------------------------------------------------

    async def pages(
        self,
        path: str,
        limit: int = 500,
        *,
        timeout: float = 60.0,  # noqa: ASYNC109 - of each page
    ) -> AsyncGenerator[Page, None]:
        """
        The list of a collection, page by page, so that it is never in memory as a whole.

        No resourceVersion is asked for. 0 would be cheaper for the server (any state its cache has), but API servers
        then ignore the limit and send everything at once, and the state may be older than one already seen. Without
        it the list is of now, in pages, and goes on from one page to the next at the version of the first.

        Args:
            path: of the collection.

            limit: objects a page; fewer are asked for where they are too large.

            timeout: seconds for each page.

        Raises:
            KubernetesError: where there is no whole list. The rest of a list that is too old begins it anew, once.
        """
        asked = Asked("list", path)
        more, first, again = "", True, True
        while True:
            try:
                listed = await self._page(asked, limit, more, timeout)
            except TooLargeError:
                if limit == 1:
                    raise
                limit = max(1, limit // 8)
                continue
            except GoneError:
                if not (more and again):
                    raise
                more, first, again = "", True, False
                continue
            if listed.metadata.continue_ and listed.metadata.continue_ == more:
                raise MalformedError(f"{asked}: the list does not go on: two pages name the same next one")
            more = listed.metadata.continue_
            page = Page(listed.items or [], listed.metadata.resource_version, first)
            first = False
            del listed
            yield page
            del page  # or it would be held while the next one comes in
            if not more:
                return

    async def _page(self, asked: Asked, limit: int, more: str, seconds: float) -> List:
        query = {"limit": str(limit)} | ({"continue": more} if more else {})
        listed = await self._whole(asked, "GET", query, None, seconds, LISTS.decode)
        if not listed.kind.endswith("List") or not listed.metadata.resource_version:
            raise MalformedError(f"{asked}: the answer is a {listed.kind[:50]!r} and no list with a version")
        return listed

    @contextlib.asynccontextmanager
    async def watch(
        self,
        path: str,
        version: str,
        seconds: float,
        *,
        timeout: float = 30.0,  # noqa: ASYNC109 - until it is open
    ) -> AsyncIterator[AsyncGenerator[Event, None]]:
        """
        What happens to a collection from *version* on; ``async with`` it, then ``async for`` its events.

        Within, the watch is open: the server has accepted it. It ends when the server ends it, which it is asked to do
        after *seconds*; bookmarks are asked for.

        Args:
            path: of the collection.

            version: of a `Page` or an event.

            seconds: for how long; at least 1.

            timeout: seconds until it is open.

        Raises:
            KubernetesError: on entering or from the events; `GoneError` where the version is too old.
        """
        asked = Asked("watch", path)
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, round(seconds))),
        }

        response: aiohttp.ClientResponse | None = None

        async def opened() -> aiohttp.ClientResponse:
            nonlocal response
            response = await self._open(asked, "GET", query, None)
            return response

        try:
            accepted = await self._within(asked, timeout, opened)
            async with contextlib.aclosing(self._events(asked, accepted, seconds)) as events:
                yield events
        finally:
            if response is not None:  # also where the time was over just then
                response.close()

    async def _events(
        self, asked: Asked, response: aiohttp.ClientResponse, seconds: float
    ) -> AsyncGenerator[Event, None]:
        began = self._clock.monotonic()
        until = asyncio.get_running_loop().time() + seconds + self._grace
        try:
            with self._named(asked, seconds + self._grace):
                async with contextlib.aclosing(lines(asked, response.content, until)) as stream:
                    async for line in stream:
                        event = decoded(asked, EVENTS.decode, line)
                        if event.type == "ERROR":
                            status = decoded(asked, STATUSES.decode, event.object)
                            raise from_status(asked, status.code, status.message)
                        yield event
        except KubernetesError as error:
            self._observed(asked.verb, asked.kind, error.code, self._clock.monotonic() - began)
            raise

    # ---- one object -------------------------------------------------------------------------------------------------

    async def get(self, path: str, *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109 - for the whole answer
        """The object at *path*. Raises `KubernetesError`, `NotFoundError` where there is none."""
        return await self._whole(Asked("get", path), "GET", {}, None, timeout, OBJECTS.decode)

    async def create(self, path: str, body: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
        """Put a new object into the collection at *path*. Raises `KubernetesError`, `ConflictError` where it exists."""
        data = msgspec.json.encode(body)
        return await self._whole(Asked("create", path), "POST", {}, data, timeout, OBJECTS.decode)

    async def replace(self, path: str, body: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
        """
        Put *body* in the place of the object at *path*, if that is still at the body's resourceVersion. Raises
        `KubernetesError`, `ConflictError` where another was first.
        """
        data = msgspec.json.encode(body)
        return await self._whole(Asked("update", path), "PUT", {}, data, timeout, OBJECTS.decode)

    # ---- a request --------------------------------------------------------------------------------------------------

    async def _whole(
        self,
        asked: Asked,
        method: str,
        query: Mapping[str, str],
        data: bytes | None,
        seconds: float,
        decode: Callable[[bytes], T],
    ) -> T:
        """The answer to one request, read to its end."""

        async def answer() -> T:
            response = await self._open(asked, method, query, data)
            try:
                return decoded(asked, decode, await read(asked, response, MOST_OF_AN_ANSWER))
            finally:
                response.close()  # what was read to its end has given its connection back before

        return await self._within(asked, seconds, answer)

    async def _within(self, asked: Asked, seconds: float, work: Callable[[], Awaitable[T]]) -> T:
        began, code = self._clock.monotonic(), "cancelled"
        try:
            with self._named(asked, seconds):
                async with asyncio.timeout(seconds):
                    done = await work()
            code = "ok"
        except KubernetesError as error:
            code = error.code
            raise
        else:
            return done
        finally:
            if code != "cancelled":
                self._observed(asked.verb, asked.kind, code, self._clock.monotonic() - began)

    async def _open(
        self, asked: Asked, method: str, query: Mapping[str, str], data: bytes | None
    ) -> aiohttp.ClientResponse:
        """An answer of success whose body has not been read."""
        if self._session is None:
            raise UnreachableError(f"{asked}: the connections are closed")
        headers = self._headers if data is None else self._headers | {"Content-Type": "application/json"}
        renewed = False
        while True:
            who = await self._server.credentials.headers()
            try:
                response = await self._session.request(
                    method,
                    URL(f"{self._server.url}{asked.path}", encoded=True).with_query(query),
                    headers={**headers, **who},
                    data=data,
                    allow_redirects=False,
                    ssl=self._server.context or True,
                    proxy=self._server.proxy,
                    server_hostname=self._server.server_name,
                )
            except aiohttp.ClientConnectorCertificateError:
                await self._trust_anew()
                raise
            if response.status in {200, 201}:
                return response
            try:
                if response.status == 401 and not renewed and await self._server.credentials.renew(who):
                    renewed = True
                    continue
                with contextlib.suppress(TooLargeError, aiohttp.ClientError, OSError):
                    body = b""
                    body = await read(asked, response, _MOST_OF_AN_ERROR)
                raise from_answer(asked, response.status, response.headers, body)
            finally:
                response.close()

    async def _trust_anew(self) -> None:
        now = self._clock.monotonic()
        if now - self._reread >= _REREAD:
            self._reread = now
            await self._server.reread_authorities()

    @contextlib.contextmanager
    def _named(self, asked: Asked, seconds: float) -> Iterator[None]:
        # Without the cause: what aiohttp raises holds the request, and that the token.
        try:
            yield
        except TimeoutError:
            raise TimedOutError(f"{asked}: no whole answer from {self._host} within {seconds:.1f} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise from_trouble(asked, self._host, error) from None
