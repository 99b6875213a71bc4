"""
The HTTP server: what was rendered before goes out as it is, and a request never waits for more than bytes.

It knows nothing of AWS or of jobs: page, health and reload are functions it was given. How it serves (TLS, users,
headers) comes from the web configuration file, which is looked at again every few seconds, so that a renewed
certificate or a new password is in force without a restart; a bad file changes nothing and is named in the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import orjson
from aiohttp import hdrs, web

from exporter import landing, logs, webconfig
from exporter.deflate import last
from exporter.doorman import Doorman
from exporter.errors import ConfigError
from exporter.exposition import Format, Rendered, content_type, negotiate, weight_of
from exporter.model import Target
from exporter.webconfig import WebConfig

_LOG = logs.logger(__name__)

WRITE_SIZE = 1 << 18
"""Bytes in one write: few large ones hold the loop least (performance.md 3.3)."""

_WRITES = 4
"""Writes in one go: about 1 ms."""

_SLOWEST = 60.0
"""Seconds in which a client must have taken a page; one that hangs must not hold it for ever."""

_SHUTDOWN = 5.0
"""Seconds that open requests get at the end."""

_Check = Callable[[], tuple[bool, str]]
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

DISCOVERED = ("efs", "elasticache")
"""Services whose addresses others may want to probe."""


async def _no_plan(_form: str) -> str | None:
    return None


class SelfMetrics(Protocol):
    """What is used of `telemetry.Telemetry`."""

    def render(self, openmetrics: bool) -> bytes:  # noqa: FBT001 - its signature
        """The exporter's own metrics; OpenMetrics ends with ``# EOF``."""
        ...


class Web:
    """
    The server.

    Args:
        host: to listen on, ``""`` for every address of the machine.

        port: 0 for any free one.

        config_file: the web configuration file, None for plain HTTP without users.

        page: the newest rendered snapshot, None before there is one.

        telemetry: the exporter's own metrics, added to each page.

        ready: whether it is, and why not.

        healthy: whether it is, and why not.

        reload: reads the configuration again; returns its faults, none where it is in force.

        landing: facts for the landing page, heading to text.

        targets: addresses for the probes of others by service, None before they are known.

        plan: the bill as ``json`` or ``text``, None before it is known.

        recheck: seconds between two looks at the web configuration file.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        config_file: str | Path | None,
        page: Callable[[], Rendered | None],
        telemetry: SelfMetrics,
        ready: _Check,
        healthy: _Check,
        reload: Callable[[], Awaitable[list[str]]],
        landing: Callable[[], Mapping[str, str]],
        targets: Callable[[str], Sequence[Target] | None] = lambda _: (),
        plan: Callable[[str], Awaitable[str | None]] = _no_plan,
        recheck: float = 10.0,
    ) -> None:
        self._host = host
        self._port = port
        self._file = None if config_file is None else Path(config_file)
        self._page = page
        self._telemetry = telemetry
        self._ready = ready
        self._reload = reload
        self._landing = landing
        self._targets = targets
        self._plan = plan
        self._recheck = recheck
        self._config = WebConfig()
        self._faults: list[str] = []
        self._writing: dict[Format, asyncio.Task[tuple[bytes, bytes]]] = {}
        self._refreshing = asyncio.Lock()
        self._doorman = Doorman({})
        self._socket: socket.socket | None = None
        self._site: web.SockSite | None = None
        self._watching: asyncio.Task[None] | None = None
        self._runner = web.AppRunner(
            self._application(ready, healthy), access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN
        )

    async def start(self) -> tuple[str, int]:
        """
        Listen.

        Returns:
            The address: host and port.

        Raises:
            `ConfigError`: the web configuration file is bad. OSError: the address cannot be had.
        """
        try:
            if self._file is not None:
                await self._read(self._file)
            self._socket = await _bind(self._host, self._port)
            await self._runner.setup()
            await self._listen()
        except BaseException:
            await self.stop()
            raise
        if self._file is not None:
            self._watching = asyncio.create_task(self._watch(), name="web configuration")
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    async def stop(self) -> None:
        """Stop listening, let open requests end for some seconds, close."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        await self._runner.cleanup()
        if self._socket is not None:
            self._socket.close()

    async def refresh(self) -> list[str]:
        """
        Put the web configuration file in force if it or a file it names has changed.

        Returns:
            Its faults, one text each; empty where it is in force.
        """
        if self._file is None:
            return []
        async with self._refreshing:
            # After a fault every look reads all of it: what mends it may be a file that was not there to be watched.
            now = await asyncio.to_thread(webconfig.digest, self._config.files)
            if not self._faults and now == self._config.digest:
                return []
            before = self._config
            try:
                await self._read(self._file)
            except ConfigError as error:
                faults = [f"{error.source}: {fault}" for fault in error.faults]
                if faults != self._faults:
                    logs.log(_LOG, "error", "web_config_failed", f"the web configuration in force stays: {error}")
                self._faults = faults
                return faults
            self._faults = []
            if (before.tls, self._config.tls) != (None, None):
                await self._listen()
            logs.log(_LOG, "info", "web_config_read", f"{self._file} is in force")
            return []

    # ---- listening -----------------------------------------------------------------------------------------------

    async def _read(self, path: Path) -> None:
        self._config = await asyncio.to_thread(webconfig.load, path)
        self._doorman = Doorman(self._config.users)

    async def _listen(self) -> None:
        """Take connections by the configuration in force; the socket stays, so that none is refused meanwhile."""
        if self._socket is None:
            return
        before = self._site
        self._site = web.SockSite(self._runner, self._socket.dup(), ssl_context=self._config.tls)
        await self._site.start()
        if before is not None:
            await before.stop()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._recheck)
            await self.refresh()

    # ---- answering -----------------------------------------------------------------------------------------------

    def _application(self, ready: _Check, healthy: _Check) -> web.Application:
        application = web.Application(middlewares=[self._guard])
        application.on_response_prepare.append(_sign)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/", self._front)
        application.router.add_get("/-/plan", self._planned)
        application.router.add_get("/-/healthy", _state(healthy))
        application.router.add_get("/-/ready", _state(ready))
        for service in DISCOVERED:
            application.router.add_get(f"/-/sd/{service}", self._discovery(service))
        for method in (hdrs.METH_POST, hdrs.METH_PUT):
            application.router.add_route(method, "/-/reload", self._reloading)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Users and headers of the web configuration; a fault of ours is a 500 without its insides."""
        if not await self._doorman.admits(request.headers.get(hdrs.AUTHORIZATION, "")):
            return web.Response(
                status=401, text="Unauthorized\n", headers={hdrs.WWW_AUTHENTICATE: "Basic", **self._config.headers}
            )
        try:
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(self._config.headers)
            raise
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 - a request must not see a traceback, nor end the server
            logs.log(_LOG, "error", "request_failed", f"{request.method} {request.path} failed", error=error)
            return web.Response(status=500, text="Internal error; the log says more\n", headers=self._config.headers)
        if not response.prepared:
            response.headers.update(self._config.headers)
        return response

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        """The newest page and, after it, the exporter's own metrics as they are now."""
        form = negotiate(request.headers.get(hdrs.ACCEPT, ""))
        page = self._page() or Rendered()
        zipped = _takes_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, ""))
        headers = {hdrs.CONTENT_TYPE: content_type(form), hdrs.VARY: "Accept, Accept-Encoding", **self._config.headers}
        if zipped:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        response = web.StreamResponse(headers=headers)
        try:
            async with asyncio.timeout(_SLOWEST):
                if request.method == hdrs.METH_HEAD:
                    await response.prepare(request)
                else:
                    # They are written while the page goes out.
                    own = self._own(form)
                    await response.prepare(request)
                    for count, piece in enumerate(_together(page.gzip_open(form) if zipped else page.plain(form)), 1):
                        await response.write(piece)
                        if not count % _WRITES:
                            await asyncio.sleep(0)  # a socket that takes everything at once must not hold the loop
                    tail, deflated = await own
                    await response.write(page.gzip_end(form, tail, deflated) if zipped else tail)
                await response.write_eof()
        except TimeoutError:
            # The client does not read; it must not hold a page for ever.
            _abort(request)
        except OSError:
            raise  # the client has gone
        except Exception as error:  # noqa: BLE001 - half a page is out: only its end can tell that it is not whole
            logs.log(_LOG, "error", "request_failed", f"{request.method} {request.path} failed", error=error)
            _abort(request)
        return response

    def _own(self, form: Format) -> Awaitable[tuple[bytes, bytes]]:
        """
        The exporter's own metrics, as text and deflated, as they are from now on.

        prometheus_client takes some 10 ms for 1,000 of them, so they are written in a thread, and once for all who
        ask meanwhile; none of these takes it from the others by going away.
        """
        writing = self._writing.get(form)
        if writing is None:
            writing = asyncio.create_task(asyncio.to_thread(_write, self._telemetry, form))
            writing.add_done_callback(lambda _: self._writing.pop(form))
            self._writing[form] = writing
        return asyncio.shield(writing)

    def _discovery(self, service: str) -> _Handler:
        """Targets as Prometheus's http_sd wants them; 503 before they are known, for an empty list drops them all."""

        async def answer(_request: web.Request) -> web.Response:
            targets = self._targets(service)
            if targets is None:
                return web.Response(
                    status=503, text=f"the addresses of {service} are not known here; {self._ready()[1]}\n"
                )
            groups = [{"targets": [each.address], "labels": dict(each.labels)} for each in targets]
            return web.Response(body=orjson.dumps(groups), content_type="application/json")

        return answer

    async def _planned(self, request: web.Request) -> web.Response:
        """The bill as JSON; as text for who names that and not JSON."""
        accepted = request.headers.get(hdrs.ACCEPT, "")
        form = "text" if "text/plain" in accepted and "json" not in accepted else "json"
        text = await self._plan(form)
        if text is None:
            return web.Response(status=503, text=f"no service knows here what there is; {self._ready()[1]}\n")
        kind = "text/plain" if form == "text" else "application/json"
        return web.Response(text=text, content_type=kind, charset="utf-8", headers={hdrs.VARY: "Accept"})

    async def _reloading(self, _request: web.Request) -> web.Response:
        faults = [*await self._reload(), *await self.refresh()]
        if faults:
            return web.Response(status=500, text="".join(f"{fault}\n" for fault in faults))
        return web.Response(text="reloaded\n")

    async def _front(self, _request: web.Request) -> web.Response:
        return web.Response(text=landing.page(self._landing()), content_type="text/html", charset="utf-8")


async def _sign(_request: web.Request, response: web.StreamResponse) -> None:
    """Name the server, rather than the versions of its libraries."""
    response.headers[hdrs.SERVER] = "storage-exporter"


def _state(check: _Check) -> _Handler:
    async def answer(_request: web.Request) -> web.Response:
        good, text = check()
        return web.Response(status=200 if good else 503, text=f"{text}\n")

    return answer


def _write(telemetry: SelfMetrics, form: Format) -> tuple[bytes, bytes]:
    tail = telemetry.render(form == "openmetrics")
    return tail, last(tail)


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _together(pieces: Iterable[bytes]) -> Iterator[bytes | memoryview]:
    """The same bytes in writes of at most `WRITE_SIZE`; what is joined is little, what is large is not copied."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        if size + len(piece) > WRITE_SIZE:
            if waiting:
                yield b"".join(waiting)
            waiting, size = [], 0
        if len(piece) > WRITE_SIZE:
            whole = memoryview(piece)
            yield from (whole[start : start + WRITE_SIZE] for start in range(0, len(piece), WRITE_SIZE))
        else:
            waiting.append(piece)
            size += len(piece)
    if size:
        yield b"".join(waiting)


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header admits gzip: what it says of gzip counts, else what it says of ``*``."""
    weights = {}
    for choice in accepted.split(","):
        name, _, parameters = choice.partition(";")
        key, _, value = parameters.partition("=")
        weights[name.strip().lower()] = weight_of(value.strip()) if key.strip().lower() == "q" else 1.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0


async def _bind(host: str, port: int) -> socket.socket:
    """
    A listening socket; ``""`` takes every address, IPv6 and IPv4 where the machine has both.

    Raises:
        OSError: naming the address that cannot be had.
    """
    loop = asyncio.get_running_loop()
    wanted = host or ("::" if socket.has_dualstack_ipv6() else "0.0.0.0")  # noqa: S104 - a scraper comes from anywhere
    try:
        found = await loop.getaddrinfo(wanted, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        dual = not host and family == socket.AF_INET6
        return socket.create_server(address[:2], family=family, dualstack_ipv6=dual)
    except OSError as error:
        raise OSError(f"cannot listen on {host or '*'}:{port} (web.listen): {error.strerror or error}") from error
