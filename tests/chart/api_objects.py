"""The objects of the stand-in API server: how they come, change and go, and what Kubernetes refuses. No HTTP here."""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.chart.api_kinds import Kind

Object = dict[str, Any]

_SUBDOMAIN = re.compile(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$")
_LABEL = re.compile(r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")
_PATH = re.compile(r"^[^/%]+$")
_VALUE = re.compile(r"^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$")
_KEY = re.compile(r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")
_OURS = ("uid", "resourceVersion", "creationTimestamp", "generation")
_RELEASE = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")
SIZE = 1 << 20
"""Bytes of values a ConfigMap or Secret may hold."""


class RefusedError(Exception):
    """A request that is refused, in the API's own words."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


@dataclass(frozen=True)
class Event:
    """A change."""

    version: int
    word: str
    kind: Kind
    item: Object


class Objects:
    """
    What exists; versions grow with each change.

    Args:
        namespaces: that are there from the first.
    """

    def __init__(self, *namespaces: str) -> None:
        self._items: dict[str, dict[tuple[str, str], Object]] = {}
        self.version = 1
        self.events: list[Event] = []
        self.namespaces = {"default", "kube-system", *namespaces}

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """
        One object.

        Raises:
            RefusedError: there is none.
        """
        if kind.kind == "Namespace" and name in self.namespaces:
            return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        found = self._items.get(kind.plural, {}).get((namespace, name))
        if found is None:
            raise RefusedError(404, "NotFound", f'{kind.called} "{name}" not found')
        return found

    def all(self, kind: Kind, namespace: str = "") -> list[Object]:
        """The objects of a kind, of one namespace or all."""
        found = sorted(self._items.get(kind.plural, {}).items())
        return [item for (of, _), item in found if namespace in {"", of}]

    def everything(self) -> Iterator[Object]:
        """Every object, but for namespaces that were there from the first."""
        for items in list(self._items.values()):  # lists, for a test asks from another thread than the server's
            yield from list(items.values())

    def create(self, kind: Kind, namespace: str, item: Object) -> Object:
        """Store a new object. Raises `RefusedError`."""
        made = _pruned(item)
        _check(kind, namespace, made)
        name = made["metadata"]["name"]
        if kind.namespaced and namespace not in self.namespaces:
            raise RefusedError(404, "NotFound", f'namespaces "{namespace}" not found')
        if (namespace, name) in self._items.get(kind.plural, {}):
            raise RefusedError(409, "AlreadyExists", f'{kind.called} "{name}" already exists')
        if kind.kind == "Namespace":
            self.namespaces.add(name)
        if kind.kind == "Service":
            made.setdefault("spec", {}).setdefault("clusterIP", f"10.100.0.{len(self.all(kind)) + 10}")
        made["metadata"] |= {
            "uid": str(uuid.uuid4()),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "generation": 1,
            **({"namespace": namespace} if namespace else {}),
        }
        return self._put("ADDED", kind, namespace, made)

    def update(self, kind: Kind, namespace: str, name: str, item: Object) -> Object:
        """Replace an object; nothing happens where nothing would change. Raises `RefusedError`."""
        old, new = self.get(kind, namespace, name), _pruned(item)
        _check(kind, namespace, new)
        version = new["metadata"].get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            why = "the object has been modified; please apply your changes to the latest version and try again"
            raise RefusedError(409, "Conflict", f'Operation cannot be fulfilled on {kind.called} "{name}": {why}')
        new["metadata"] |= {field: old["metadata"][field] for field in _OURS}
        if new["metadata"]["name"] != name:
            raise RefusedError(400, "BadRequest", "the name of the object does not match the name on the URL")
        if namespace:
            new["metadata"]["namespace"] = namespace
        if kind.kind == "Service":
            new["spec"].setdefault("clusterIP", old["spec"]["clusterIP"])
        _unchanged(kind, old, new)
        if new == old:
            return old
        if new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] += 1
        return self._put("MODIFIED", kind, namespace, new)

    def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Take an object away, and what it owns. Raises `RefusedError`."""
        gone = self.get(kind, namespace, name)
        self._put("DELETED", kind, namespace, copy.deepcopy(gone))
        del self._items[kind.plural][namespace, name]
        for items in self._items.values():
            owned = [key for key, item in items.items() if _owner(item) == gone["metadata"]["uid"]]
            for key in owned:
                del items[key]

    def _put(self, word: str, kind: Kind, namespace: str, item: Object) -> Object:
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        self._items.setdefault(kind.plural, {})[namespace, item["metadata"]["name"]] = item
        self.events.append(Event(self.version, word, kind, item))
        return item


def plain(item: Mapping[str, Any]) -> Object:
    """An object as a manifest has it: without what the server and helm themselves put to it."""
    found: Object = _pruned({field: value for field, value in item.items() if field != "status"})
    metadata = found["metadata"]
    for field in _OURS:
        metadata.pop(field, None)
    for where, names in (("annotations", _RELEASE), ("labels", ("app.kubernetes.io/managed-by",))):
        kept = {name: value for name, value in metadata.pop(where, {}).items() if name not in names}
        metadata |= {where: kept} if kept else {}
    if found["kind"] == "Service" and found["spec"].get("clusterIP") != "None":
        found["spec"].pop("clusterIP", None)
    return found


def _pruned(value: Any) -> Any:
    """Without fields that are null, which the API does not keep."""
    if isinstance(value, dict):
        return {field: _pruned(each) for field, each in value.items() if each is not None}
    return [_pruned(each) for each in value] if isinstance(value, list) else value


def _owner(item: Object) -> str:
    return "".join(each["uid"] for each in item["metadata"].get("ownerReferences", []))


def _invalid(kind: Kind, name: str, field: str, why: str) -> RefusedError:
    return RefusedError(422, "Invalid", f'{kind.kind}.{kind.group} "{name}" is invalid: {field}: {why}')


def _check(kind: Kind, namespace: str, item: Object) -> None:
    if (item.get("apiVersion"), item.get("kind")) != (kind.group_version, kind.kind):
        given = f"{item.get('apiVersion')} {item.get('kind')}"
        raise RefusedError(
            400, "BadRequest", f"{given} in the body is not {kind.group_version} {kind.kind} of the path"
        )
    metadata = item.get("metadata") or {}
    name = metadata.get("name", "")
    pattern = {"Service": _LABEL, "Namespace": _LABEL}.get(kind.kind, _SUBDOMAIN)
    limit = 52 if kind.kind == "StatefulSet" else 63 if kind.kind == "Job" else 253
    if kind.group == "rbac.authorization.k8s.io":
        pattern = _PATH
    if not pattern.match(name) or len(name) > limit:
        raise _invalid(kind, name, "metadata.name", f"Invalid value: {name!r}")
    if metadata.get("namespace", namespace) != namespace:
        why = "the namespace of the provided object does not match the namespace sent on the request"
        raise RefusedError(400, "BadRequest", why)
    for key, value in (metadata.get("labels") or {}).items():
        if not _KEY.match(key) or not isinstance(value, str) or not _VALUE.match(value):
            raise _invalid(kind, name, "metadata.labels", f"Invalid value: {key}: {value!r}")
    for key, value in (metadata.get("annotations") or {}).items():
        if not _KEY.match(key) or not isinstance(value, str):
            raise _invalid(kind, name, "metadata.annotations", f"Invalid value: {key}: {value!r}")
    if kind.kind in {"ConfigMap", "Secret"}:
        size = sum(len(str(value)) for value in (item.get("data") or {}).values())
        if (size * 3 // 4 if kind.kind == "Secret" else size) > SIZE:
            raise _invalid(kind, name, "data", f"Too long: may not be more than {SIZE} bytes")
    _selected(kind, name, item)


def _selected(kind: Kind, name: str, item: Object) -> None:
    """A workload whose selector does not match its own pods is refused."""
    if kind.group != "apps":
        return
    spec = item.get("spec") or {}
    wanted = (spec.get("selector") or {}).get("matchLabels") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if not wanted or wanted.items() - labels.items():
        why = f"Invalid value: {wanted}: `selector` does not match template `labels`"
        raise _invalid(kind, name, "spec.template.metadata.labels", why)


def _unchanged(kind: Kind, old: Object, new: Object) -> None:
    """What never changes has not."""
    name = old["metadata"]["name"]
    for path in kind.fixed:
        if _at(old, path) != _at(new, path):
            raise _invalid(kind, name, path, f"Invalid value: {_at(new, path)}: field is immutable")
    if kind.free:
        kept = [{k: v for k, v in (each.get("spec") or {}).items() if k not in kind.free} for each in (old, new)]
        if kept[0] != kept[1] and not (kind.kind == "Pod" and _images(kept[0]) == _images(kept[1])):
            allowed = ", ".join(f"'{field}'" for field in kind.free)
            why = f"Forbidden: updates to {kind.kind.lower()} spec for fields other than {allowed} are forbidden"
            raise _invalid(kind, name, "spec", why)
    if old.get("immutable") and any(old.get(field) != new.get(field) for field in ("data", "immutable")):
        raise _invalid(kind, name, "data", "Forbidden: field is immutable when `immutable` is set")


def _images(spec: Object) -> Object:
    """A pod's spec but for its images, which may change."""
    found = copy.deepcopy(spec)
    for container in found.get("containers", []):
        container.pop("image", None)
    return found


def _at(item: Any, path: str) -> Any:
    for step in path.split("."):
        item = item.get(step) if isinstance(item, dict) else None
    return item
