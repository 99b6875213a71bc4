"""
Label and field selectors of the simulated Kubernetes API. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from exporter.demo.kubernetes_kinds import Resource
from exporter.demo.kubernetes_status import bad_request

Match = Callable[[Any], bool]
"""Whether an object is selected."""

_SET = re.compile(r"^([^\s!=,()]+)\s+(in|notin)\s*\(([^()]*)\)$")
_PAIR = re.compile(r"^([^\s!=,()]+)\s*(==|=|!=)\s*([^\s,()]*)$")
_EXISTS = re.compile(r"^(!?)\s*([^\s!=,()]+)$")
_FIELDS = {"pods": {"spec.nodeName", "status.phase", "spec.serviceAccountName", "spec.restartPolicy"}}


def everything(_: Any) -> bool:
    """Select all."""
    return True


def selection(kind: Resource, labels: str, fields: str) -> Match:
    """
    What the two selectors of a request select together; `everything` itself where they are empty.

    Raises:
        `ApiError`: 400, a selector is not one, or the kind cannot be selected by a field.
    """
    wanted = [_label(term) for term in _terms(labels)] + [_field(kind, term) for term in _terms(fields)]
    if not wanted:
        return everything
    return lambda item: isinstance(item, dict) and all(one(item) for one in wanted)


def value_at(item: Any, path: str) -> Any:
    """The field at a dotted path; None where there is none."""
    for step in path.split("."):
        item = item.get(step) if isinstance(item, dict) else None
    return item


def _terms(text: str) -> list[str]:
    return [term.strip() for term in re.split(r",(?![^(]*\))", text) if term.strip()]


def _label(term: str) -> Match:
    def of(item: Any) -> dict[str, str]:
        return value_at(item, "metadata.labels") or {}

    if found := _SET.match(term):
        key, word, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        return (
            (lambda item: of(item).get(key) in values) if word == "in" else lambda item: of(item).get(key) not in values
        )
    if found := _PAIR.match(term):
        key, sign, value = found.groups()
        return (lambda item: of(item).get(key) != value) if sign == "!=" else lambda item: of(item).get(key) == value
    if found := _EXISTS.match(term):
        absent, key = found.groups()
        return lambda item: (key in of(item)) is not bool(absent)
    raise bad_request(f"unable to parse requirement: {term!r}")


def _field(kind: Resource, term: str) -> Match:
    found = _PAIR.match(term)
    if found is None:
        raise bad_request(f"invalid field selector: {term!r}")
    path, sign, value = found.groups()
    if path not in {"metadata.name", "metadata.namespace"} | _FIELDS.get(kind.name, set()):
        raise bad_request(f'field label not supported: "{path}"')
    return lambda item: ((value_at(item, path) or "") == value) is (sign != "!=")
