"""
Requests of the simulated Kubernetes API as they were understood, and bodies as they are written. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from exporter.demo.kubernetes_access import Request, request_of
from exporter.demo.kubernetes_kinds import RESOURCES, Object, Resource
from exporter.demo.kubernetes_selectors import value_at
from exporter.demo.kubernetes_status import ApiError, bad_request
from exporter.demo.kubernetes_store import Page

_VERBS = {"POST": "create", "PUT": "update", "DELETE": "delete", "PATCH": "patch"}
_TRUE = frozenset({"1", "t", "true", "T", "TRUE", "True"})


@dataclass(frozen=True, slots=True)
class Ask:
    """
    A request: `kind` is None for paths that are no objects', `name` and `namespace` ``""`` where there is none.
    `request` is the same as authorization sees it.
    """

    verb: str
    path: str
    request: Request
    kind: Resource | None = None
    namespace: str = ""
    name: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def resource(self) -> str:
        """The kind's plural, or ``""``."""
        return self.kind.name if self.kind else ""

    def flag(self, name: str) -> bool:
        """A boolean of the query."""
        return self.query.get(name, "") in _TRUE

    def number(self, name: str) -> int:
        """
        A number of the query, 0 where there is none.

        Raises:
            `ApiError`: 400, it is none.
        """
        text = self.query.get(name) or "0"
        if not (text.isascii() and text.isdigit()):
            raise bad_request(f'{name}: Invalid value: "{text}"')
        return int(text)


def asked(method: str, path: str, query: Mapping[str, str]) -> Ask:
    """What a request asks for."""
    found = request_of(method, path, query)
    kind = RESOURCES.get(found.resource) if found.version == "v1" and not found.subresource else None
    if kind is None or kind.group != found.group or (found.namespace and not kind.namespaced):
        return Ask(_VERBS.get(method, "get"), path.rstrip("/"), found, query=query)
    name = "" if found.verb in {"list", "watch", "deletecollection"} else found.name
    return Ask(found.verb, path, found, kind, found.namespace, name, query)


def single(kind: Resource, item: Any) -> Any:
    """An object as it is given alone: with its version and kind. What is no object is given as it is."""
    if not isinstance(item, dict) or "metadata" not in item:
        return item
    return {"kind": kind.kind, "apiVersion": kind.api_version, **item}


def listed(kind: Resource, page: Page, *, selected: bool) -> Object:
    """A page as a list object; how many are left is not said of a selection."""
    metadata: Object = {"resourceVersion": str(page.version)}
    if page.token:
        metadata["continue"] = page.token
        if not selected:
            metadata["remainingItemCount"] = page.remaining
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": page.items}


def event(kind: Resource, word: str, item: Any) -> bytes:
    """A line of a watch."""
    return orjson.dumps({"type": word, "object": single(kind, item)}) + b"\n"


def bookmark(kind: Resource, version: int) -> bytes:
    """A line that only says how far the watch has come; its object has nothing but the version."""
    item = {"metadata": {"resourceVersion": str(version), "creationTimestamp": None}}
    return event(kind, "BOOKMARK", item)


def failure(error: ApiError) -> bytes:
    """The last line of a watch that failed after it began."""
    return orjson.dumps({"type": "ERROR", "object": error.status()}) + b"\n"


def table(kind: Resource, items: list[Any], metadata: Mapping[str, Any], now: float) -> Object:
    """Objects as rows for people, as ``kubectl get`` asks for them; *now* (unix seconds) makes their ages."""
    columns = [("Name", "name", "metadata.name"), *((title, "", path) for title, path in kind.columns)]
    columns.append(("Age", "", "metadata.creationTimestamp"))
    definitions = [
        {"name": title, "type": "string", "format": form, "description": title, "priority": 0}
        for title, form, _ in columns
    ]
    rows = [
        {
            "cells": [*(_cell(value_at(item, path)) for _, _, path in columns[:-1]), _age(item, now)],
            "object": {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": value_at(item, "metadata") or {},
            },
        }
        for item in items
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": dict(metadata),
        "columnDefinitions": definitions,
        "rows": rows,
    }


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return "" if value is None else str(value)


def _age(item: Any, now: float) -> str:
    made = value_at(item, "metadata.creationTimestamp")
    if not isinstance(made, str):
        return "<unknown>"
    seconds = max(0, int(now - datetime.fromisoformat(made).timestamp()))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
