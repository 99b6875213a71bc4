"""
The simulated remote-write receiver on one loopback port: HTTP, headers, credentials, tenants, faults,
requests.

What a request says is read in `mimir_wire`, judged in `mimir_checks` and kept in `mimir_store`. It has two manners: as
Mimir it stores what is good of a request and answers 400 for the rest, as Prometheus (`atomic`) nothing of it. It
imports nothing of the exporter.
"""

from __future__ import annotations

import asyncio
import re
import ssl as tls
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from aiohttp import web

from exporter.demo.callers import knows
from exporter.demo.mimir_checks import Limits, Refusal, Verdict, judge
from exporter.demo.mimir_faults import MimirFault, MimirFaults
from exporter.demo.mimir_pages import TENANT_HEADER, MimirPages, MimirRequest
from exporter.demo.mimir_store import Tenant, text_of
from exporter.demo.mimir_wire import Metadata, WireError, WriteRequest, decode, decompress
from exporter.demo.outages import BAD_GATEWAY, BrokenOffError, break_off, wait_out
from exporter.demo.threads import Serving, in_thread

ANONYMOUS = "anonymous"
"""The tenant of a receiver without tenants, as Mimir calls it."""

PUSH_PATHS = ("/api/v1/push", "/api/v1/write")
KEPT_REQUESTS = 50_000
_LARGEST = 100 * 2**20
_SWEEP = 60.0
_TENANT = re.compile(r"[A-Za-z0-9!\-_.*'()]{1,150}")
_AGENT = re.compile(r"[^\s/]+/\S+.*")


class MimirServer(Serving):
    """
    The simulated receiver; use it as an async context manager.

    Args:
        now: its clock, unix seconds; that of the demo's world, or the real one.

        host: address to listen on.

        port: 0 for any free one; once started it stays the same, so that `stop` and `start` are an outage.

        atomic: as Prometheus: of a request with something wrong nothing is stored. Else as Mimir.

        multitenant: whether a request must name its tenant; None: as Mimir must, as Prometheus need not.

        limits: what a tenant may send.

        out_of_order_window: seconds, in place of that of *limits*.

        basic: user to password, and

        bearer: tokens; with either a request must show one of them. Both may be changed while it runs.

        allowed: tenants that may write; None for all. May be changed while it runs.

        keep: seconds of samples that are kept behind the tenant's newest; None for all.

        ssl: speaks TLS when given.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.time,
        host: str = "127.0.0.1",
        port: int = 0,
        atomic: bool = False,
        multitenant: bool | None = None,
        limits: Limits | None = None,
        out_of_order_window: float | None = None,
        basic: Mapping[str, str] | None = None,
        bearer: Collection[str] = (),
        allowed: Collection[str] | None = None,
        keep: float | None = None,
        ssl: tls.SSLContext | None = None,
    ) -> None:
        self.limits = limits or Limits()
        if out_of_order_window is not None:
            self.limits = replace(self.limits, out_of_order=out_of_order_window)
        self.faults = MimirFaults()
        self.atomic = atomic
        self.multitenant = not atomic if multitenant is None else multitenant
        self.basic: dict[str, str] = dict(basic or {})
        self.bearer: set[str] = set(bearer)
        self.allowed: set[str] | None = None if allowed is None else set(allowed)
        self.url = ""
        self._now, self._host, self._port, self._ssl, self._keep = now, host, port, ssl, keep
        self._tenants: dict[str, Tenant] = {}
        self._requests: deque[MimirRequest] = deque(maxlen=KEPT_REQUESTS)
        self._refusals: list[Refusal] = []
        self._swept = 0.0
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()

    # --- for those who use it --------------------------------------------------------------------------------------

    def now(self) -> float:
        """Its time, unix seconds."""
        return self._now()

    @property
    def push_url(self) -> str:
        """Where to write."""
        return f"{self.url}{PUSH_PATHS[self.atomic]}"

    @property
    def requests(self) -> list[MimirRequest]:
        """What was written, or tried to, oldest first."""
        return list(self._requests)

    @property
    def refusals(self) -> list[Refusal]:
        """
        All that was wrong with what was written, oldest first: its headers, tenants, encoding, series and samples.

        Faults and wrong credentials are not in it; of an atomic request only the first wrong thing is.
        """
        return list(self._refusals)

    @property
    def tenants(self) -> dict[str, Tenant]:
        """Those that have written."""
        return dict(self._tenants)

    def clear(self) -> None:
        """Forget requests and refusals; what is stored stays."""
        self._requests.clear()
        self._refusals.clear()

    def series(self, tenant: str = ANONYMOUS) -> dict[frozenset[tuple[str, str]], list[tuple[int, float]]]:
        """
        What a tenant has stored: labels, the name among them, to samples (milliseconds, value), oldest first.

        `mimir_wire.is_stale` tells a staleness marker from another NaN.
        """
        kept = self._tenants.get(tenant)
        return {frozenset(labels): samples for labels, samples in kept.samples().items()} if kept else {}

    def metadata(self, tenant: str = ANONYMOUS) -> dict[str, Metadata]:
        """What a tenant has said about its families, by their names."""
        kept = self._tenants.get(tenant)
        return dict(kept.metadata) if kept else {}

    async def start(self) -> None:
        """Listen; `url` says where."""
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        app = web.Application(client_max_size=_LARGEST)
        MimirPages(self).add_to(app)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True, auto_decompress=False
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, ssl_context=self._ssl).start()
        host, self._port = self._runner.addresses[0][:2]
        self.url = f"http{'s' if self._ssl else ''}://{host}:{self._port}"

    async def stop(self) -> None:
        """Stop listening; requests that hang are let go. What is stored stays."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # --- one request -----------------------------------------------------------------------------------------------

    async def _answer(self, incoming: web.Request) -> web.StreamResponse:
        began = time.monotonic()
        headers: dict[str, str] = {}
        for name, value in incoming.headers.items():
            lower = name.lower()
            headers[lower] = f"{headers[lower]},{value}" if lower in headers else value
        tenant = headers.get(TENANT_HEADER.lower(), "") if self.multitenant else ANONYMOUS
        done = MimirRequest(incoming.method, incoming.path, tenant, headers, self.now(), began)
        self._requests.append(done)
        body = await incoming.read()
        done.size = len(body)
        request = _read(body, done)
        texts = (text_of(each.labels) for each in request.series) if isinstance(request, WriteRequest) else ()
        rules = self.faults.take(tenant, texts)
        done.faults = tuple(rule.kind for rule in rules)
        late = [rule for rule in rules if rule.options.get("applied")]
        try:
            response = await self._suffer(incoming, done, [rule for rule in rules if rule not in late])
            if response is None:
                self._admit(done)
                if isinstance(request, _RefusedError):
                    raise request
                response = self._store(request, done, rules)
                response = await self._suffer(incoming, done, late) or response
        except asyncio.CancelledError:  # the client left
            done.ended = time.monotonic()
            raise
        except BrokenOffError:
            done.ended = time.monotonic()
            return web.Response(status=503)  # nobody receives it
        except _RefusedError as error:
            if error.reason:
                self._refusals.append(Refusal(error.reason))
            response = web.Response(status=error.status, text=f"{error}\n", headers=error.headers)
        done.status, done.ended = response.status, time.monotonic()
        done.text = (response.text or "").strip()
        return response

    async def _suffer(
        self, incoming: web.Request, done: MimirRequest, rules: Sequence[MimirFault]
    ) -> web.Response | None:
        """Wait, refuse or break the connection as the rules say; None when the request goes on."""
        for rule in rules:
            if rule.kind in {"hang", "slow"}:
                await wait_out(rule, rule.seconds(60 if rule.kind == "hang" else 1), self._stopping)
            elif rule.kind in {"reset", "down"}:
                break_off(incoming, reset=rule.kind == "reset")
                raise BrokenOffError
            elif response := _trouble(rule, done):
                return response
        return None

    def _admit(self, done: MimirRequest) -> None:
        """
        Look at everything but the body.

        Raises:
            _RefusedError: something is wrong with it.
        """
        headers = done.headers
        if done.path not in PUSH_PATHS:
            raise _RefusedError(404, "", "404 page not found")
        if done.method != "POST":
            raise _RefusedError(405, "", "Method Not Allowed", {"Allow": "POST"})
        if not knows(headers.get("authorization", ""), self.basic, self.bearer):
            raise _RefusedError(401, "", "Unauthorized", {"WWW-Authenticate": 'Basic realm="mimir"'})
        if not done.tenant:
            raise _RefusedError(401, "tenant", "no org id")
        if not _TENANT.fullmatch(done.tenant) or done.tenant in {".", ".."}:
            raise _RefusedError(400, "tenant", "the tenant id is too long or has a character that is not supported")
        if self.allowed is not None and done.tenant not in self.allowed:
            raise _RefusedError(403, "", f"user={done.tenant}: may not write here")
        media, _, parameter = headers.get("content-type", "").replace(" ", "").partition(";")
        if media != "application/x-protobuf" or parameter not in {"", "proto=prometheus.WriteRequest"}:
            raise _RefusedError(415, "content-type", "expected application/x-protobuf as content-type")
        if headers.get("content-encoding") != "snappy":
            raise _RefusedError(415, "content-encoding", "only snappy is acceptable as content-encoding")
        if not headers.get("x-prometheus-remote-write-version", "").startswith("0.1."):
            raise _RefusedError(400, "version-header", "X-Prometheus-Remote-Write-Version must be 0.1.0")
        if not _AGENT.fullmatch(headers.get("user-agent", "")):
            raise _RefusedError(400, "user-agent", "User-Agent must name a program and its version")

    def _store(self, request: WriteRequest, done: MimirRequest, rules: Sequence[MimirFault]) -> web.Response:
        """Store what may be stored, and say what may not."""
        spoilers = [rule for rule in rules if rule.kind == "series-400"]

        def spoils(text: str) -> str:
            reasons = (rule.options.get("reason", _SPOILED) for rule in spoilers if rule.hits_series(text))
            return str(next(reasons, ""))

        tenant = self._tenants.get(done.tenant) or Tenant(done.tenant)
        with tenant.lock:
            verdict = judge(request, tenant, self.limits, self.now(), spoils)
            if not (self.atomic and verdict.first):
                verdict.store(tenant)
                self._tenants[done.tenant] = tenant
        self._sweep()
        return self._said(verdict, done.tenant)

    def _said(self, verdict: Verdict, tenant: str) -> web.Response:
        self._refusals += verdict.refusals[:1] if self.atomic else verdict.refusals
        if verdict.first is None:
            return web.Response(status=204 if self.atomic else 200)
        text = verdict.first.text(tenant, prometheus=self.atomic, window=self.limits.out_of_order)
        return web.Response(status=400, text=f"{text}\n")

    def _sweep(self) -> None:
        """Drop what is older than is kept, once a minute."""
        if self._keep is None or self.now() - self._swept < _SWEEP:
            return
        self._swept = self.now()
        for tenant in self._tenants.values():
            if tenant.newest is not None:
                tenant.forget(tenant.newest - round(self._keep * 1000))


_SPOILED = "err-mimir-max-series-per-user"


class _RefusedError(Exception):
    """A request that is refused as a whole; `reason` is ``""`` where that is not the fault of what was written."""

    def __init__(self, status: int, reason: str, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.reason, self.headers = status, reason, headers


def _read(body: bytes, done: MimirRequest) -> WriteRequest | _RefusedError:
    """What the body says, noted in *done*; or why it says nothing."""
    try:
        request = decode(decompress(body, _LARGEST))
    except OverflowError as error:
        limit = "err-mimir-distributor-max-write-message-size"
        return _RefusedError(413, limit, f"the message of {error} bytes is larger than {_LARGEST} ({limit})")
    except WireError as error:
        return _RefusedError(400, "snappy" if str(error).startswith("snappy") else "protobuf", str(error))
    done.message, done.series, done.metadata = request.size, len(request.series), len(request.metadata)
    done.samples = sum(len(each.samples) for each in request.series)
    return request


def _trouble(rule: MimirFault, done: MimirRequest) -> web.Response | None:
    """The answer of a fault that is one, None where it does not concern this request."""
    options, kind = rule.options, rule.kind
    if kind == "too-many-429":
        after = options.get("date") or options.get("seconds", 1)
        headers = {} if after is None else {"Retry-After": str(after)}
        return web.Response(status=429, text="the request rate of the tenant is exceeded\n", headers=headers)
    if kind == "error-503":
        headers = {"Retry-After": str(options["seconds"])} if "seconds" in options else {}
        return web.Response(status=503, text="no ingester is there\n", headers=headers)
    if kind == "html-502":
        return web.Response(status=502, body=BAD_GATEWAY, content_type="text/html")
    if kind == "redirect":
        return web.Response(status=308, headers={"Location": str(options.get("location", "/elsewhere"))})
    if kind == "too-large-413":
        if done.size <= int(options.get("bytes", 0)):
            return None
        return web.Response(status=413, text="the body is too large\n")
    if kind in _PLAIN:
        status, text = _PLAIN[kind]
        return web.Response(status=status, text=f"{options.get('text', text)}\n")
    return None


_PLAIN = {
    "error-500": (500, "something went wrong"),
    "unauthorized": (401, "Unauthorized"),
    "forbidden": (403, "the tenant is not yours"),
    "not-found": (404, "404 page not found"),
    "bad-request-400": (400, "the request is bad"),
}


@contextmanager
def run_mimir_in_thread(**options: Any) -> Iterator[MimirServer]:
    """
    A running server on a loop and thread of its own, for synchronous tests and for clients in other processes.

    Args:
        options: of `MimirServer`.
    """
    with in_thread(MimirServer(**options), "demo-mimir") as server:
        yield server
