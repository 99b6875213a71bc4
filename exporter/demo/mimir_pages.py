"""
Pages of the simulated remote-write receiver for people and tests: queries as Mimir answers them, and the control pages
under ``/_demo/``: state, requests, refusals, faults.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from aiohttp import web

from exporter.demo.mimir_checks import Refusal
from exporter.demo.mimir_faults import MIMIR_KINDS, MimirFaults
from exporter.demo.mimir_query import QueryError, instant, matrix, parse
from exporter.demo.mimir_store import Tenant
from exporter.demo.pages import add_faults, add_json, json_answer

TENANT_HEADER = "X-Scope-OrgID"
_SHOWN = ("content-type", "content-encoding", "user-agent", "x-prometheus-remote-write-version")


@dataclass(slots=True)
class MimirRequest:
    """
    One request that was made.

    `status` is 0 until it is answered, and for ever when it never was; `ended` is None until then, or until its client
    left. `at` is the receiver's time in unix seconds, `began` and `ended` are monotonic. `headers` have lower-case
    names. `size` is the body's as sent, `message` that of the message in it, in bytes; `series`, `samples` and
    `metadata` are counts; `text` is what it was told.
    """

    method: str
    path: str
    tenant: str
    headers: Mapping[str, str]
    at: float
    began: float
    size: int = 0
    message: int = 0
    series: int = 0
    samples: int = 0
    metadata: int = 0
    status: int = 0
    text: str = ""
    faults: tuple[str, ...] = field(default=())
    ended: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The request as the control pages show it: of its headers only those that hold no secret."""
        shown = {name: value for name, value in self.headers.items() if name in _SHOWN}
        names = [name for name in self.__dataclass_fields__ if name != "headers"]
        return {name: getattr(self, name) for name in names} | {"headers": shown}


class _Receiver(Protocol):
    """What the pages need of the server."""

    faults: MimirFaults
    url: str

    @property
    def requests(self) -> Sequence[MimirRequest]: ...
    @property
    def refusals(self) -> Sequence[Refusal]: ...
    @property
    def tenants(self) -> Mapping[str, Tenant]: ...
    def now(self) -> float: ...


class MimirPages:
    """
    The pages of one server.

    Args:
        server: whose.
    """

    def __init__(self, server: _Receiver) -> None:
        self._server = server

    def add_to(self, app: web.Application) -> None:
        """Put the pages on *app*."""
        for prefix in ("/prometheus", ""):
            for method in ("GET", "POST"):
                app.router.add_route(method, f"{prefix}/api/v1/query", self._query)
                app.router.add_route(method, f"{prefix}/api/v1/query_range", self._range)
            app.router.add_get(f"{prefix}/api/v1/metadata", self._metadata)
        server = self._server
        add_json(app, "/_demo/state", self._state)
        add_json(app, "/_demo/requests", lambda: [each.as_dict() for each in server.requests])
        add_json(app, "/_demo/refusals", lambda: [each._asdict() for each in server.refusals])
        add_faults(app, "/_demo/faults", server.faults)
        for path in ("/_demo/", "/_demo", "/"):
            app.router.add_get(path, self._page)

    # --- queries ---------------------------------------------------------------------------------------------------

    async def _query(self, request: web.Request) -> web.Response:
        words = await _words(request)
        try:
            matchers = parse(words.get("query", ""))
            at = _instant(words["time"]) if words.get("time") else self._server.now()
        except QueryError as error:
            return _bad(error)
        return _good(instant(self._tenant(request), matchers, at))

    async def _range(self, request: web.Request) -> web.Response:
        words = await _words(request)
        try:
            matchers = parse(words.get("query", ""))
            start, end, step = _instant(words.get("start", "")), _instant(words.get("end", "")), words.get("step", "")
            found = matrix(self._tenant(request), matchers, start, end, _number(step.removesuffix("s")))
        except QueryError as error:
            return _bad(error)
        return _good(found)

    async def _metadata(self, request: web.Request) -> web.Response:
        tenant = self._named(request)
        each = sorted(tenant.metadata.values()) if tenant else []
        return _good({item.family: [{"type": item.kind, "help": item.help, "unit": item.unit}] for item in each})

    def _tenant(self, request: web.Request) -> Any:
        tenant = self._named(request)
        return tenant.all_series() if tenant else []

    def _named(self, request: web.Request) -> Tenant | None:
        """The tenant of the header; without one, where Mimir has a 401 for people, the only tenant there is."""
        tenants = self._server.tenants
        name = request.headers.get(TENANT_HEADER)
        if name is None and len(tenants) == 1:
            return next(iter(tenants.values()))
        return tenants.get(name or "")

    # --- control ---------------------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        tenants = {
            name: {
                "series": each.active,
                "samples": each.count(),
                "newest": each.newest,
                "repeats": each.repeats,
                "families": len(each.metadata),
            }
            for name, each in self._server.tenants.items()
        }
        server = self._server
        return {
            "now": server.now(),
            "tenants": tenants,
            "requests": len(server.requests),
            "refusals": len(server.refusals),
        }

    async def _page(self, _: web.Request) -> web.Response:
        state, url = self._state(), self._server.url
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{each['series']} series</td><td>{each['samples']} samples</td></tr>"
            for name, each in state["tenants"].items()
        )
        kinds = "".join(
            f"<tr><td><code>{name}</code></td><td>{html.escape(text)}</td></tr>" for name, text in MIMIR_KINDS.items()
        )
        text = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Simulated Mimir</title>
<style>body{{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}
td{{padding:.1em 1em .1em 0}}</style>
<h1>Simulated Mimir</h1>
<p>Takes remote write 1.0 at <code>{url}/api/v1/push</code>; {state["requests"]} requests, {state["refusals"]}
refusals.</p>
<table>{rows or "<tr><td>No tenant has written yet.</td></tr>"}</table>
<h2>Queries</h2><p>A plain selector: <code>curl -H '{TENANT_HEADER}: tenant' \
'{url}/prometheus/api/v1/query?query=storage_exporter_build_info'</code>, also <code>query_range</code> and
<code>metadata</code>.</p>
<h2>Pages</h2><p><a href="/_demo/state">state</a>, <a href="/_demo/requests">requests</a>,
<a href="/_demo/refusals">refusals</a>, <a href="/_demo/faults">faults</a></p>
<h2>Faults</h2><p><code>POST /_demo/faults {{"match": {{"tenant": null, "series": null}}, "kind": "error-503",
"count": 1, "after": 0, "options": {{}}}}</code>; <code>DELETE /_demo/faults</code> ends them all.</p>
<table>{kinds}</table></html>
"""
        return web.Response(text=text, content_type="text/html")


async def _words(request: web.Request) -> dict[str, str]:
    form = await request.post() if request.method == "POST" else {}
    return {**request.query, **{name: value for name, value in form.items() if isinstance(value, str)}}


def _instant(text: str) -> float:
    """Unix seconds of a stamp as Prometheus takes it: a number, or RFC 3339."""
    try:
        return datetime.fromisoformat(text).timestamp() if "T" in text else _number(text)
    except ValueError:
        raise QueryError(f"{text!r} is no instant") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise QueryError(f"{text!r} is no number") from None


def _good(data: object) -> web.Response:
    return json_answer({"status": "success", "data": data})


def _bad(error: QueryError) -> web.Response:
    return json_answer({"status": "error", "errorType": "bad_data", "error": str(error)}, 400)
