"""
The metadata of the demo's Kubernetes objects. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from exporter.demo.kubernetes_kinds import Object
from exporter.demo.nouns import uuid_of
from exporter.demo.world import World

_TOLD = ("labels", "annotations", "finalizers", "ownerReferences")


def instant(at: float) -> str:
    """An instant as Kubernetes writes it, in whole seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def metadata(
    world: World,
    kind: str,
    name: str,
    made: float,
    *,
    namespace: str = "",
    uid: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    finalizers: Sequence[str] = (),
    owner: Object | None = None,
) -> Object:
    """
    The metadata of an object made at *made* (unix seconds); what changes when it is stored is not there yet.

    Args:
        kind: plural.

        uid: made of the name and *made* when ``""``.

        owner: `owned_by` another object.
    """
    uid = uid or uuid_of(world.seed, f"{kind}|{namespace}/{name}|{made:.0f}")
    found: Object = {"name": name, "uid": uid, "creationTimestamp": instant(made)}
    given = (
        ("namespace", namespace),
        ("labels", dict(labels or {})),
        ("annotations", dict(annotations or {})),
        ("finalizers", list(finalizers)),
        ("ownerReferences", [owner] if owner else []),
    )
    return found | {field: value for field, value in given if value}


def owned_by(world: World, api_version: str, kind: str, name: str, namespace: str = "") -> Object:
    """The reference to an object's owner."""
    uid = uuid_of(world.seed, f"{kind}|{namespace}/{name}")
    owner: Object = {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid}
    return owner if kind == "Node" else {**owner, "controller": True, "blockOwnerDeletion": True}


def dying(item: Object, at: float, grace: int = 0) -> Object:
    """The object once somebody asked for its deletion at *at* (unix seconds), which a finalizer holds up."""
    ended = {"deletionTimestamp": instant(at), "deletionGracePeriodSeconds": grace}
    return {**item, "metadata": {**item["metadata"], **ended}}


def managed(item: Mapping[str, Any], api_version: str, at: str) -> list[Object]:
    """``metadata.managedFields`` of an object: who set which fields, a noise that is larger than much of the object."""
    told = {name: value for name, value in item["metadata"].items() if name in _TOLD}
    fields = {name: value for name, value in item.items() if name not in {"apiVersion", "kind", "status"}}
    entry = {"operation": "Update", "apiVersion": api_version, "time": at, "fieldsType": "FieldsV1"}
    found = [{"manager": "kube-controller-manager", **entry, "fieldsV1": _fields({**fields, "metadata": told})}]
    if "status" in item:
        status = {"fieldsV1": _fields({"status": item["status"]}), "subresource": "status"}
        found.append({"manager": "kube-controller-manager", **entry, **status})
    return found


def _fields(value: Any) -> Object:
    if isinstance(value, Mapping):
        return {f"f:{name}": _fields(each) for name, each in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], str):
        return {".": {}, **{f'v:"{each}"': {} for each in value}}
    return {}
