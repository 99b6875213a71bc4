"""
The control pages under ``/_demo/``: clock, scenario, faults, calls. Unsigned, for people and tests on this machine.

Bodies are JSON; the first page is for a browser.
"""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from exporter.demo.clock import WorldClock
from exporter.demo.faults import KINDS, Faults
from exporter.demo.scenarios import SCENARIOS
from exporter.demo.world import World

Handler = Callable[[web.Request], Awaitable[web.Response]]


class ControlError(Exception):
    """A request of a person or test that cannot be done; the text says why."""


class ControlPages:
    """
    The pages of one server.

    Args:
        world: whose clock and scenario they set.

        faults: the rules they change.

        calls: what was asked, oldest first.

        identities: who asked it, and whether two did at once.
    """

    def __init__(
        self,
        world: World,
        faults: Faults,
        calls: Callable[[], list[dict[str, Any]]],
        identities: Callable[[], dict[str, Any]],
    ) -> None:
        self._world, self._faults, self._calls, self._identities = world, faults, calls, identities

    def add_to(self, app: web.Application) -> None:
        """Put the pages on *app*."""
        for path, handler, methods in (
            ("/_demo/clock", self._clock, ("GET", "POST")),
            ("/_demo/scenario", self._scenario, ("GET", "POST")),
            ("/_demo/faults", self._rules, ("GET", "POST", "DELETE")),
            ("/_demo/calls", self._asked, ("GET",)),
            ("/_demo/identities", self._who, ("GET",)),
        ):
            for method in methods:
                app.router.add_route(method, path, _json(handler))
        app.router.add_get("/_demo/", self._page)
        app.router.add_get("/_demo", self._page)

    async def _clock(self, request: web.Request) -> Any:
        if request.method == "POST":
            given = await _body(request)
            if not isinstance(self._world.now, WorldClock):
                raise ControlError("the clock of this world cannot be set")
            self._world.now.set(given.get("at"), given.get("speed"))
        return _clock(self._world)

    async def _scenario(self, request: web.Request) -> Any:
        if request.method == "POST":
            given = await _body(request)
            self._world.scenario(str(given.get("name")), given.get("start"))
        name, start = self._world.active
        return {"name": name, "start": start, "scenarios": SCENARIOS}

    async def _rules(self, request: web.Request) -> Any:
        if request.method == "DELETE":
            self._faults.clear()
        if request.method == "POST":
            given = await request.json()
            for item in given if isinstance(given, list) else [given]:
                self._faults.add_from(item)
        return [rule.as_dict() for rule in self._faults.rules()]

    async def _asked(self, _: web.Request) -> Any:
        return self._calls()

    async def _who(self, _: web.Request) -> Any:
        return self._identities()

    async def _page(self, _: web.Request) -> web.Response:
        text = _page(self._world, self._faults, len(self._calls()))
        return web.Response(text=text, content_type="text/html")


def _json(handler: Callable[[web.Request], Awaitable[Any]]) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        try:
            return web.Response(body=orjson.dumps(await handler(request)), content_type="application/json")
        except (ControlError, ValueError, TypeError) as error:
            return web.Response(status=400, body=orjson.dumps({"error": str(error)}), content_type="application/json")

    return answer


async def _body(request: web.Request) -> dict[str, Any]:
    given = await request.json()
    if not isinstance(given, dict):
        raise ControlError("the body must be a JSON object")
    return given


def _clock(world: World) -> dict[str, Any]:
    now = world.now()
    speed = world.now.speed if isinstance(world.now, WorldClock) else None
    return {"now": now, "utc": datetime.fromtimestamp(now, UTC).isoformat(), "speed": speed}


def _page(world: World, faults: Faults, calls: int) -> str:
    clock = _clock(world)
    table = _table({f"{name} (now)" if name == world.active[0] else name: text for name, text in SCENARIOS.items()})
    lines = (html.escape(orjson.dumps(rule.as_dict()).decode()) for rule in faults.rules())
    rules = "".join(f"<li><code>{line}</code></li>" for line in lines)
    kinds = _table(KINDS)
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Simulated AWS</title>
<style>body{{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}
td{{padding:.1em 1em .1em 0}}</style>
<h1>Simulated AWS</h1>
<p>EC2 (EBS), EFS, S3, ElastiCache, CloudWatch and STS of account {world.account_id} in {world.region}, for any AWS
client that signs its requests. {len(world.volumes())} volumes, {len(world.instances())} instances,
{len(world.file_systems())} file systems, {len(world.buckets())} buckets,
{len(world.caches())} caches; {calls} calls answered.</p>
<h2>Clock</h2><p>{clock["utc"]} ({clock["now"]:.0f}), speed {clock["speed"]}. Set it:
<code>POST /_demo/clock {{"at": unix seconds or null for real time, "speed": 0 stands still}}</code></p>
<h2>Scenario</h2><table>{table}</table><p>Choose: <code>POST /_demo/scenario {{"name": "volume-stalled"}}</code></p>
<h2>Faults</h2><ul>{rules or "<li>none</li>"}</ul>
<p><code>POST /_demo/faults {{"match": {{"service": "ec2", "operation": "DescribeVolumes"}}, "kind": "denied",
"count": 1, "after": 0, "options": {{}}}}</code>; <code>DELETE /_demo/faults</code> ends them all.</p>
<table>{kinds}</table>
<h2>Calls</h2><p><a href="/_demo/calls">/_demo/calls</a>, <a href="/_demo/identities">/_demo/identities</a></p></html>
"""


def _table(rows: Mapping[str, str]) -> str:
    return "".join(f"<tr><td><code>{name}</code></td><td>{html.escape(text)}</td></tr>" for name, text in rows.items())
