"""Patches as Kubernetes applies them: JSON merge patches, and strategic ones that know which lists are maps. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

_KEYS: Mapping[str, str] = {
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "secrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""Field of a list of objects to the key that its objects are known by; lists of other names are replaced."""

_SETS = frozenset({"finalizers"})
_PORTS = {"containers": "containerPort", "initContainers": "containerPort", "Service": "port"}
_ORDER, _REMOVE = "$setElementOrder/", "$deleteFromPrimitiveList/"
_WORDS = (_ORDER, _REMOVE, "$patch", "$retainKeys")


def merged(old: Any, patch: Any) -> Any:
    """RFC 7386: null takes a field away, objects are merged, everything else is replaced."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    found = dict(old) if isinstance(old, dict) else {}
    for field, value in patch.items():
        if value is None:
            found.pop(field, None)
        else:
            found[field] = merged(found.get(field), value)
    return found


def strategic(old: Any, patch: Any, parent: str) -> Any:
    """
    A strategic merge patch.

    Args:
        parent: the kind of the object, or the list it is in.

    Raises:
        ValueError: the patch has a directive this does not know.
    """
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    unknown = [field for field in patch if field.startswith("$") and not field.startswith(_WORDS)]
    if unknown or patch.get("$patch", "replace") != "replace":
        raise ValueError(f"directives {unknown or patch['$patch']}")
    found = _kept(old if isinstance(old, dict) and "$patch" not in patch else {}, patch)
    for field, value in patch.items():
        if field.startswith("$"):
            continue
        if value is None:
            found.pop(field, None)
        elif isinstance(value, list):
            found[field] = _list(found.get(field) or [], value, field, parent)
        else:
            found[field] = strategic(found.get(field), value, parent if field in {"spec", "template"} else field)
    for field, order in _said(patch, _ORDER):
        found[field] = _ordered(found.get(field) or [], order, _key(field, parent))
    return found


def _kept(old: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """What of the old object the patch does not take away by its directives."""
    found = {field: value for field, value in old.items() if field in patch.get("$retainKeys", old)}
    for field, gone in _said(patch, _REMOVE):
        found[field] = [each for each in found.get(field) or [] if each not in gone]
    return found


def _said(patch: dict[str, Any], directive: str) -> Iterator[tuple[str, Any]]:
    """Field and value of each directive of a sort."""
    for field, value in patch.items():
        if field.startswith(directive):
            yield field.removeprefix(directive), value


def _key(field: str, parent: str) -> str:
    return _PORTS.get(parent, "") if field == "ports" else _KEYS.get(field, "")


def _list(old: list[Any], patch: list[Any], field: str, parent: str) -> list[Any]:
    if field in _SETS:
        return [*old, *(each for each in patch if each not in old)]
    key = _key(field, parent)
    if not key:
        return copy.deepcopy(patch)
    if {"$patch": "replace"} in patch:
        return [each for each in patch if each != {"$patch": "replace"}]
    found = {each.get(key): each for each in old}
    for each in patch:
        if each.get("$patch") == "delete":
            found.pop(each[key], None)
        else:
            found[each[key]] = strategic(found.get(each[key]), each, field)
    return list(found.values())


def _ordered(items: list[Any], order: list[Any], key: str) -> list[Any]:
    """In the order given; what it does not name stays behind what it stood behind, as far as that can be."""
    names = [each[key] if isinstance(each, dict) else each for each in order]

    def place(item: Any) -> int:
        name = item.get(key) if isinstance(item, dict) else item
        return names.index(name) if name in names else len(names)

    return sorted(items, key=place)
