"""
What was asked of the simulated Kubernetes API, and its control pages under ``/_demo/kubernetes/``: faults and calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

import orjson
from aiohttp import web

from exporter.demo.kubernetes_faults import KubernetesFaults


@dataclass(slots=True)
class KubernetesCall:
    """
    One request; `status` is 0 and `ended` None until it was answered, for a watch until its answer begins.

    `kind` is the plural or ``""``, `user` ``""`` when nobody knows the token; instants are real unix seconds.
    """

    verb: str
    kind: str
    namespace: str
    name: str
    user: str
    path: str
    query: Mapping[str, str]
    user_agent: str
    at: float
    status: int = 0
    ended: float | None = None
    faults: tuple[str, ...] = field(default=())


def add_pages(app: web.Application, faults: KubernetesFaults, calls: Iterable[KubernetesCall]) -> None:
    """Put the pages on *app*: bodies are JSON, nobody needs a token."""

    async def rules(request: web.Request) -> web.Response:
        try:
            if request.method == "DELETE":
                faults.clear()
            if request.method == "POST":
                given = await request.json()
                for item in given if isinstance(given, list) else [given]:
                    faults.add_from(item)
        except (ValueError, TypeError, AttributeError) as error:
            return web.Response(status=400, body=orjson.dumps({"error": str(error)}), content_type="application/json")
        body = orjson.dumps([rule.as_dict() for rule in faults.rules()])
        return web.Response(body=body, content_type="application/json")

    async def asked(_: web.Request) -> web.Response:
        body = orjson.dumps([asdict(call) for call in list(calls)])
        return web.Response(body=body, content_type="application/json")

    for method in ("GET", "POST", "DELETE"):
        app.router.add_route(method, "/_demo/kubernetes/faults", rules)
    app.router.add_get("/_demo/kubernetes/calls", asked)
