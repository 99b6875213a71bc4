"""
What was asked of the simulated Kubernetes API, and its control pages under ``/_demo/kubernetes/``: faults and calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from aiohttp import web

from exporter.demo.kubernetes_faults import KubernetesFaults
from exporter.demo.pages import add_faults, add_json


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
    add_faults(app, "/_demo/kubernetes/faults", faults)
    add_json(app, "/_demo/kubernetes/calls", lambda: [asdict(call) for call in list(calls)])
