"""
Parts of the control pages under ``/_demo/``: a page of JSON, and the page of a server's rules of trouble.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson
from aiohttp import web

from exporter.demo.rules import Rule


class _Faults(Protocol):
    def add_from(self, given: Mapping[str, Any], /) -> Rule: ...
    def clear(self) -> None: ...
    def rules(self) -> list[Any]: ...


def json_answer(found: object, status: int = 200) -> web.Response:
    """*found* as JSON."""
    return web.Response(status=status, body=orjson.dumps(found), content_type="application/json")


def add_json(app: web.Application, path: str, found: Callable[[], object]) -> None:
    """Put a page on *app* that shows what *found* answers at that moment."""

    async def answer(_: web.Request) -> web.Response:
        return json_answer(found())

    app.router.add_get(path, answer)


def add_faults(app: web.Application, path: str, faults: _Faults) -> None:
    """Put the page of the rules on *app*: GET shows them, POST adds one or a list of them, DELETE ends them all."""

    async def rules(request: web.Request) -> web.Response:
        try:
            if request.method == "DELETE":
                faults.clear()
            if request.method == "POST":
                given = await request.json()
                for item in given if isinstance(given, list) else [given]:
                    faults.add_from(item)
        except (ValueError, TypeError, AttributeError) as error:
            return json_answer({"error": str(error)}, 400)
        return json_answer([rule.as_dict() for rule in faults.rules()])

    for method in ("GET", "POST", "DELETE"):
        app.router.add_route(method, path, rules)
