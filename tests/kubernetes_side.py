"""What the tests of the Kubernetes client share: a clock that hurries, small servers, a client, patience."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from exporter.clock import Clock, SystemClock
from exporter.kubernetes.api import Api, Observed
from exporter.kubernetes.server import Nobody, Server, find
from tests.serving import Authority

AGENT = "storage-exporter/1.2.3"
VOLUMES = "/api/v1/persistentvolumes"
SECRET = "eyJhbGciOi-not-a-real-one"
PATIENCE = 60.0
"""Seconds a test waits for what must come; a loaded machine is slow, not wrong."""

FAULTS = {
    "error-500": "server_error",
    "html-502": "server_error",
    "reset": "unreachable",
    "down": "unreachable",
    "hang": "timeout",
    "unauthorized": "unauthorized",
    "forbidden": "forbidden",
    "too-many-429": "throttled",
    "gone-410": "gone",
    "malformed": "malformed",
    "truncated": "malformed",
    "cut": "unreachable",
}
"""The simulated API's faults of any request, and the code each of them has."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HurriedClock:
    """Real time, but pauses are over almost at once; ``pauses`` says how long they should have been."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(min(seconds, 0.005))


class Bearer:
    """One token for ever."""

    tls = None

    def __init__(self, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}"}

    async def headers(self) -> dict[str, str]:
        return self._headers

    async def renew(self, used: object) -> bool:
        return False


@dataclass
class Where:
    """What a configuration says of the API."""

    url: str | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    kubeconfig: str | None = None
    context: str | None = None


@asynccontextmanager
async def answering(
    handler: Handler, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """A server that gives every request to *handler*; its url."""
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0, ssl_context=tls).start()
        port = runner.addresses[0][1]
        yield f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw(reply: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """A server that is given every connection as it is; its url."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reply(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


def plain(url: str) -> Server:
    """A server that wants no credentials."""
    return Server(url, Nobody(), "the test")


@asynccontextmanager
async def client(
    to: str | Server | Where, *, clock: Clock | None = None, observed: Observed | None = None, grace: float = 10.0
) -> AsyncIterator[Api]:
    """A client of a server, by its url, or as it is found by a configuration."""
    clock = clock or SystemClock()
    if isinstance(to, Where):
        to = await find(to, {}, clock)
    server = plain(to) if isinstance(to, str) else to
    async with Api(server, user_agent=AGENT, clock=clock, observed=observed, grace=grace) as api:
        yield api


async def until(condition: Callable[[], bool], what: str = "") -> None:
    """Return when *condition* holds."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{what or condition} does not come to be") from None


async def looked_for(where: Where, environ: Mapping[str, str] | None = None, **more: Any) -> Server:
    return await find(where, environ or {}, more.pop("clock", SystemClock()), **more)


async def listed(server: Server | Where) -> int:
    """How many volumes the API lists to us."""
    async with client(server) as api:
        return sum([len(page.items) async for page in api.pages(VOLUMES)])


def served_by(authority: Authority, name: str = "api", *, client_ca: Path | None = None) -> ssl.SSLContext:
    """A server's context with a certificate of *authority*; it takes clients of *client_ca* only."""
    authority.issue(name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.folder / f"{name}.crt", authority.folder / f"{name}.key")
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def written(folder: Path, content: Mapping[str, Any] | str, name: str = "config") -> str:
    path = folder / name
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(dict(content)))
    return str(path)


def kubeconfig(url: str, user: Mapping[str, Any] | None, **cluster: Any) -> dict[str, Any]:
    """A kubeconfig with one context."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "billing"}}],
        "clusters": [{"name": "c", "cluster": {"server": url, **cluster}}],
        "users": [{"name": "u", "user": user}] if user is not None else [],
    }
