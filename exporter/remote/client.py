"""
One request to the receiver of remote write and its whole answer, by aiohttp.

Keep-alive, one deadline for the whole exchange, no redirects. What an answer means is for `replies`, when to try again
for `sender`. Nothing here raises for what a receiver answers, only where there is no answer or nothing may be sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

import aiohttp
from yarl import URL

from exporter import logs
from exporter.clock import Clock
from exporter.config.delivery import Push
from exporter.connections import FencedConnector, proxy_for
from exporter.errors import UnansweredError, UnsentError
from exporter.remote.identity import Identity
from exporter.remote.replies import Reply, seconds_of

_LONGEST_TEXT = 2048
_LONGEST_ANSWER = 65536
"""Bytes of an answer that are read so that its connection can be used again."""

_KEPT = 30.0
"""Seconds a connection is kept: less than any receiver or load balancer in between keeps it."""


class Told(Protocol):
    """Who is told of requests."""

    def posted(self, code: str) -> None:
        """A request ended: its HTTP status, or the code of an `UnansweredError`."""
        ...

    def failed(self) -> None:
        """It did not end with success."""
        ...


class Client:
    """
    The process's connections to the receiver; use it as an async context manager.

    Args:
        push: where to, and who we are.

        user_agent: such as ``storage-exporter/0.1.0``.

        clock: for Retry-After given as a date.

        permitted: whether this replica may send, looked at right before anything is sent.

        told: of every request.

        environ: of the process, for its proxy; None for the real one.
    """

    def __init__(
        self,
        push: Push,
        *,
        user_agent: str,
        clock: Clock,
        permitted: Callable[[], bool],
        told: Told,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._url = URL(push.url)
        self._host = self._url.host or push.url
        self._seconds = float(push.timeout)
        self._identity = Identity(push, clock)
        self._headers = {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
            "User-Agent": user_agent,
        }
        self._clock = clock
        self._permitted = permitted
        self._told = told
        self._proxy = proxy_for(push.url, os.environ if environ is None else environ)
        self._lines: dict[bool, _Line] = {}

    async def __aenter__(self) -> Self:
        """
        Read what says who we are.

        Raises:
            ConfigError: where a file cannot be used.
        """
        await self._identity.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lines, self._lines = self._lines, {}
        for line in lines.values():
            await line.close()

    async def post(self, body: bytes, tenant: str, *, fenced: bool = True) -> Reply:
        """
        Send one finished request.

        Args:
            body: a WriteRequest, compressed.

            tenant: for ``X-Scope-OrgID``, ``""`` for none.

            fenced: whether it may be sent only while it is permitted.

        Raises:
            UnansweredError: where no whole answer came within the time.
            UnsentError: where it may not be sent (any more); nothing was.
        """
        if fenced and not self._permitted():
            raise _unsent()
        await self._identity.refresh()
        headers = self._identity.headers
        reply = await self._counted(body, tenant, headers, fenced=fenced)
        if reply.status == 401 and await self._identity.renew(headers):
            reply = await self._counted(body, tenant, self._identity.headers, fenced=fenced)
        return reply

    async def _counted(self, body: bytes, tenant: str, headers: Mapping[str, str], *, fenced: bool) -> Reply:
        whole = {**self._headers, **headers, **({"X-Scope-OrgID": tenant} if tenant else {})}
        try:
            reply = await self._exchange(body, whole, fenced=fenced)
        except UnansweredError as error:
            self._told.posted(error.code)
            self._told.failed()
            raise
        self._told.posted(str(reply.status))
        if not 200 <= reply.status < 300:
            self._told.failed()
        return reply

    async def _exchange(self, body: bytes, headers: Mapping[str, str], *, fenced: bool) -> Reply:
        status: int | None = None
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._line(fenced=fenced) as session,
                session.post(
                    self._url, data=body, headers=headers, allow_redirects=False, proxy=self._proxy
                ) as response,
            ):
                status = response.status
                retry_after = seconds_of(response.headers.get("Retry-After", ""), self._clock.time())
                return Reply(status, await _text(response), retry_after)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            if status is not None and 200 <= status < 300:
                return Reply(status)  # it has the request, however its words went astray
            raise self._unanswered(error) from error

    def _unanswered(self, error: Exception) -> UnansweredError:
        host = self._host
        if isinstance(error, TimeoutError):
            hint = "is it overloaded, or does a firewall swallow the packets?"
            return UnansweredError("timeout", f"no whole answer from {host} within {self._seconds:g} s; {hint}")
        if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
            hint = "name its authority by delivery.push.tls.ca_file, or use the name its certificate holds"
            return UnansweredError("tls", f"TLS with {host} failed: {_brief(error)}; {hint}")
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return UnansweredError("name", f"the name {host} is not known; correct the host of delivery.push.url")
        hint = "does the receiver run there, and on this port?"
        return UnansweredError("connection", f"{host}: {_brief(error)}; {hint}")

    @contextlib.asynccontextmanager
    async def _line(self, *, fenced: bool) -> AsyncIterator[aiohttp.ClientSession]:
        """The session for one request: of the certificates in force."""
        line = self._lines.get(fenced)
        if line is None or line.context is not self._identity.context:
            context = self._identity.context
            fresh = self._lines[fenced] = _Line(context, self._permitted if fenced else _always)
            if line is not None:
                await line.retire()
            line = fresh
        async with line.used() as session:
            yield session


class _Line:
    """A session of one context for TLS, closed when it is retired and nobody uses it any more."""

    def __init__(self, context: ssl.SSLContext | None, permitted: Callable[[], bool]) -> None:
        self.context = context
        self._users = 0
        self._retired = False
        self._session = aiohttp.ClientSession(
            connector=FencedConnector(context, permitted, _unsent, keepalive_timeout=_KEPT),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
            skip_auto_headers=("Accept", "Accept-Encoding"),
            trust_env=False,  # the proxy is chosen by ourselves; aiohttp would add a password from ~/.netrc
        )

    @contextlib.asynccontextmanager
    async def used(self) -> AsyncIterator[aiohttp.ClientSession]:
        self._users += 1
        try:
            yield self._session
        finally:
            self._users -= 1
            if self._retired and not self._users:
                await self.close()

    async def retire(self) -> None:
        self._retired = True
        if not self._users:
            await self.close()

    async def close(self) -> None:
        await self._session.close()


async def _text(response: aiohttp.ClientResponse) -> str:
    """The beginning of an answer; its rest is read too where it is short."""
    begun, size = b"", 0
    while part := await response.content.readany():
        size += len(part)
        if len(begun) < _LONGEST_TEXT:
            begun += part
        if size > _LONGEST_ANSWER:
            response.close()
            break
    return begun[:_LONGEST_TEXT].decode(errors="replace")


def _always() -> bool:
    return True


def _unsent() -> UnsentError:
    return UnsentError("not_leading", "this replica does not lead any more, so nothing is sent")


def _brief(error: Exception) -> str:
    line = str(error).strip().partition("\n")[0]
    return logs.redact(line[:300]) or type(error).__name__
