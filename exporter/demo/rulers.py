"""
Simulated rulers of Mimir, Cortex and Loki on one loopback port: the HTTP API that keeps groups of rules by namespace.

What a group may be is in `ruler_groups`. Nothing is evaluated. It imports nothing of the exporter.
"""

from __future__ import annotations

import asyncio
import ssl as tls
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import yaml
from aiohttp import web

from exporter.demo.callers import knows
from exporter.demo.outages import BAD_GATEWAY, BrokenOffError, break_off, wait_out
from exporter.demo.ruler_groups import BadGroupError, Judge, Kept, RulerKind, plain_judge, read
from exporter.demo.rules import Rule, Rules
from exporter.demo.threads import Serving, in_thread

RULER_PREFIXES: Mapping[RulerKind, str] = {
    "mimir": "/prometheus/config/v1/rules",
    "cortex": "/api/v1/rules",
    "loki": "/loki/api/v1/rules",
}
RULER_FAULTS: dict[str, str] = {
    "error-500": "HTTP 500, with `text`",
    "error-503": "HTTP 503, with Retry-After where `seconds` are given",
    "html-502": "the HTML of a load balancer, HTTP 502",
    "too-many-429": "HTTP 429 with Retry-After of `seconds` (1)",
    "sign-in": "HTTP 200 with a page to sign in on",
    "other-api": "HTTP 200 with JSON that is about something else",
    "redirect": "HTTP 302 to `location`",
    "forbidden": "HTTP 403",
    "echo-400": "HTTP 400 that repeats the caller's headers",
    "too-large-413": "HTTP 413",
    "reset": "the connection is reset before an answer",
    "down": "the connection is closed before an answer",
    "hang": "no answer for `seconds` (60), or until the client leaves",
}


@dataclass(slots=True, kw_only=True)
class RulerFault(Rule):
    """One rule of trouble; `method` chooses requests, None all."""

    method: str | None = None

    def match(self) -> Mapping[str, str | None]:
        """What chooses requests."""
        return {"method": self.method}


class RulerFaults(Rules[RulerFault]):
    """The list of rules of trouble; may be changed from another thread while the server answers."""

    def __init__(self) -> None:
        super().__init__(RULER_FAULTS)

    def add(
        self, kind: str, *, method: str | None = None, count: int | None = None, after: int = 0, **options: Any
    ) -> RulerFault:
        """
        Add a rule.

        Raises:
            ValueError: there is no such kind of fault.
        """
        return self.put(
            kind,
            lambda number: RulerFault(
                number=number, kind=kind, method=method, count=count, after=after, options=options
            ),
        )


@dataclass(slots=True)
class RulerRequest:
    """One request that came in: what was asked, and what was answered."""

    method: str
    path: str
    tenant: str
    headers: Mapping[str, str]
    body: str
    status: int = 0
    text: str = ""


@dataclass(slots=True)
class RulerLimits:
    """What a tenant may have; 0: as much as it likes."""

    rules_per_group: int = 20
    groups: int = 70


class RulerServer(Serving):
    """
    A simulated ruler; use it as an async context manager.

    Args:
        kind: whose manners it has.

        prefix: path of its API; None for the usual one of its kind.

        multitenant: whether a request must name its tenant.

        host, port: where to listen; 0 for any free port, which stays the same once started.

        judge: says what is wrong with an expression; None for what can be told without a parser.

        limits: None for Mimir's defaults, none at all for the others.

        basic, bearer: user to password, and tokens; with either a request must show one of them.

        long_spans: durations in answers as Go writes them (``5m0s``).

        empty_ok: a namespace that is not there is an empty answer, not a 404.

        read_only: as Loki with rules in files: nothing can be set or deleted.

        ssl: speaks TLS when given.
    """

    def __init__(
        self,
        kind: RulerKind = "mimir",
        *,
        prefix: str | None = None,
        multitenant: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
        judge: Judge | None = None,
        limits: RulerLimits | None = None,
        basic: Mapping[str, str] | None = None,
        bearer: Collection[str] = (),
        long_spans: bool = False,
        empty_ok: bool = False,
        read_only: bool = False,
        ssl: tls.SSLContext | None = None,
    ) -> None:
        self.kind: RulerKind = kind
        self.prefix = prefix or RULER_PREFIXES[kind]
        self.multitenant = multitenant
        self.judge = judge or plain_judge(kind)
        self.limits = limits or (RulerLimits() if kind == "mimir" else RulerLimits(0, 0))
        self.faults = RulerFaults()
        self.requests: list[RulerRequest] = []
        self.url = ""
        self._basic, self._bearer, self._ssl = dict(basic or {}), set(bearer), ssl
        self._long_spans, self._empty_ok, self._read_only = long_spans, empty_ok, read_only
        self._host, self._port = host, port
        self._tenants: dict[str, dict[str, dict[str, Kept]]] = {}
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()

    # --- for those who use it --------------------------------------------------------------------------------------

    @property
    def anonymous(self) -> str:
        """The tenant where there are none."""
        return "anonymous" if self.kind == "mimir" else "fake"

    def groups(self, tenant: str | None = None) -> dict[str, list[dict[str, Any]]]:
        """What a tenant (None: that of a ruler without tenants) has: namespace to groups, as the API gives them."""
        kept = self._tenants.get(self.anonymous if tenant is None else tenant, {})
        return {
            namespace: [group.given(long_spans=self._long_spans) for group in groups.values()]
            for namespace, groups in kept.items()
        }

    def changes(self) -> list[RulerRequest]:
        """The requests that would change something, refused ones too, oldest first."""
        return [request for request in self.requests if request.method != "GET"]

    def put(self, namespace: str, group: Mapping[str, Any], tenant: str | None = None) -> None:
        """Have a group that somebody else has set."""
        kept = read(yaml.safe_dump(dict(group)).encode(), self.kind, lambda _: "")
        self._of(self.anonymous if tenant is None else tenant).setdefault(namespace, {})[kept.name] = kept

    async def start(self) -> None:
        """Listen; `url` says where."""
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, ssl_context=self._ssl).start()
        host, self._port = self._runner.addresses[0][:2]
        self.url = f"http{'s' if self._ssl else ''}://{host}:{self._port}"

    async def stop(self) -> None:
        """Stop listening; requests that hang are let go. What is kept stays."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # --- one request -----------------------------------------------------------------------------------------------

    async def _answer(self, incoming: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in incoming.headers.items()}
        tenant = headers.get("x-scope-orgid", "") if self.multitenant else self.anonymous
        body = await incoming.read()
        done = RulerRequest(incoming.method, incoming.rel_url.raw_path, tenant, headers, body.decode(errors="replace"))
        self.requests.append(done)
        rules = self.faults.hits(lambda rule: rule.method in {None, incoming.method})
        try:
            response = await self._suffer(incoming, done, rules) or self._done(done, body)
        except BrokenOffError:
            return web.Response(status=503)  # nobody receives it
        done.status, done.text = response.status, (response.text or "").strip()
        return response

    async def _suffer(
        self, incoming: web.Request, done: RulerRequest, rules: Sequence[RulerFault]
    ) -> web.Response | None:
        for rule in rules:
            if rule.kind == "hang":
                await wait_out(rule, float(rule.options.get("seconds", 60)), self._stopping)
            elif rule.kind in {"reset", "down"}:
                break_off(incoming, reset=rule.kind == "reset")
                raise BrokenOffError
            else:
                return _trouble(rule, done)
        return None

    def _done(self, done: RulerRequest, body: bytes) -> web.Response:
        if not knows(done.headers.get("authorization", ""), self._basic, self._bearer):
            return _said(401, "Unauthorized")
        under = done.path.removeprefix(self.prefix)
        if under == done.path or (under and not under.startswith("/")):
            return _said(404, "404 page not found")
        if not done.tenant:
            return _said(401, "no org id")
        parts = [unquote(part) for part in under.strip("/").split("/") if part]
        has = self._of(done.tenant)
        if done.method == "GET" and len(parts) < 2:
            return self._listed(has, parts)
        if done.method in {"POST", "DELETE"} and self._read_only:
            return _said(500, f"{done.method} unsupported in rule local store")
        if done.method == "POST" and len(parts) == 1:
            return self._set(has, parts[0], body)
        if done.method == "DELETE" and len(parts) in (1, 2):
            return _deleted(has, parts)
        return _said(405, "Method Not Allowed")

    def _of(self, tenant: str) -> dict[str, dict[str, Kept]]:
        return self._tenants.setdefault(tenant, {})

    def _listed(self, has: Mapping[str, Mapping[str, Kept]], parts: Sequence[str]) -> web.Response:
        found = {
            namespace: [group.given(long_spans=self._long_spans) for group in groups.values()]
            for namespace, groups in has.items()
            if not parts or namespace == parts[0]
        }
        if not found and not self._empty_ok:
            return _said(404, "no rule groups found")
        return web.Response(text=yaml.safe_dump(found), content_type="application/yaml")

    def _set(self, has: dict[str, dict[str, Kept]], namespace: str, body: bytes) -> web.Response:
        try:
            group = read(body, self.kind, self.judge)
        except BadGroupError as error:
            return _said(400, str(error))
        most, actual = self.limits.rules_per_group, len(group.data["rules"])
        if most and actual > most:
            return _said(400, f"per-user rules per rule group limit (limit: {most} actual: {actual}) exceeded")
        most = self.limits.groups
        actual = sum(len(groups) for groups in has.values()) + (group.name not in has.get(namespace, {}))
        if most and actual > most:
            return _said(400, f"per-user rule groups limit (limit: {most} actual: {actual}) exceeded")
        has.setdefault(namespace, {})[group.name] = group
        return _accepted()


def _deleted(has: dict[str, dict[str, Kept]], parts: Sequence[str]) -> web.Response:
    namespace, *group = parts
    if namespace not in has or (group and group[0] not in has[namespace]):
        return _said(404, "group does not exist" if group else "group namespace does not exist")
    if group:
        del has[namespace][group[0]]
    if not group or not has[namespace]:
        del has[namespace]
    return _accepted()


def _trouble(rule: RulerFault, done: RulerRequest) -> web.Response:
    options = rule.options
    seconds = {"Retry-After": str(options["seconds"])} if "seconds" in options else {}
    if rule.kind == "html-502":
        return web.Response(status=502, body=BAD_GATEWAY, content_type="text/html")
    if rule.kind == "sign-in":
        return web.Response(text="<html><body><form>Sign in</form></body></html>", content_type="text/html")
    if rule.kind == "other-api":
        return web.json_response({"status": "ok"})
    if rule.kind == "redirect":
        return web.Response(status=302, headers={"Location": str(options.get("location", "/login"))})
    if rule.kind == "echo-400":
        return _said(400, "; ".join(f"{name}={value}" for name, value in done.headers.items()))
    if rule.kind == "too-many-429":
        return _said(429, "too many requests", {"Retry-After": str(options.get("seconds", 1))})
    status, text = _PLAIN[rule.kind]
    return _said(status, str(options.get("text", text)), seconds)


_PLAIN = {
    "error-500": (500, "something went wrong"),
    "error-503": (503, "the ruler is not ready"),
    "forbidden": (403, "the tenant is not yours"),
    "too-large-413": (413, "the body is too large"),
}


def _said(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers=headers)


def _accepted() -> web.Response:
    return web.json_response({"status": "success", "data": None, "errorType": "", "error": ""}, status=202)


@contextmanager
def run_ruler_in_thread(kind: RulerKind = "mimir", **options: Any) -> Iterator[RulerServer]:
    """
    A running server on a loop and thread of its own, for synchronous tests and for clients in other processes.

    Args:
        options: of `RulerServer`.
    """
    with in_thread(RulerServer(kind, **options), f"demo-ruler-{kind}") as server:
        yield server
