"""
What the simulated Kubernetes API asks of a Lease before it stores it. Pure.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from exporter.demo.kubernetes_kinds import Object, Resource
from exporter.demo.kubernetes_status import bad_request, invalid

_MICROTIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$")
_NAME = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")
_FIELDS = {
    "holderIdentity": str,
    "leaseDurationSeconds": int,
    "acquireTime": str,
    "renewTime": str,
    "leaseTransitions": int,
    "strategy": str,
    "preferredHolder": str,
}


def admitted(kind: Resource, body: bytes, namespace: str, name: str = "") -> Object:
    """
    The Lease in a request's body, if it may be stored; times are kept as they are written.

    Args:
        namespace: of the path.

        name: of the path of an update, which needs a resource version as well; ``""`` for a creation, which must not
            have one.

    Raises:
        `ApiError`: 400 or 422.
    """
    item = _read(kind, body)
    metadata = item.get("metadata")
    if not isinstance(metadata, dict):
        raise invalid(kind, name, "metadata.name", "Required value: name or generateName is required")
    if metadata.get("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    given = metadata.get("name") or ""
    if name and given != name:
        raise bad_request(f"the name of the object ({given or 'empty'}) does not match the name on the URL ({name})")
    if not isinstance(given, str) or not _NAME.match(given):
        raise invalid(kind, str(given), "metadata.name", f"Invalid value: {given!r}: a lowercase RFC 1123 subdomain")
    version = metadata.get("resourceVersion") or ""
    if name and not version:
        raise invalid(kind, name, "metadata.resourceVersion", "Invalid value: 0x0: must be specified for an update")
    if not name and version:
        raise bad_request("resourceVersion should not be set on objects to be created")
    if not isinstance(version, str) or (version and not version.isdigit()):
        raise invalid(kind, given, "metadata.resourceVersion", f"Invalid value: {version!r}")
    spec = item.get("spec") or {}
    _check(kind, given, spec)
    return {"metadata": {**metadata, "namespace": namespace}, "spec": {k: v for k, v in spec.items() if v is not None}}


def _read(kind: Resource, body: bytes) -> Object:
    try:
        item: Any = orjson.loads(body)
    except ValueError:
        raise bad_request("the object provided is unrecognized: it is not JSON") from None
    if not isinstance(item, dict):
        raise bad_request("the object provided is unrecognized: it is not an object")
    wanted = {"apiVersion": kind.api_version, "kind": kind.kind}
    for field, value in wanted.items():
        if item.get(field, value) != value:
            raise bad_request(f"the {field} in the data ({item[field]}) does not match the expected one ({value})")
    return item


def _check(kind: Resource, name: str, spec: Any) -> None:
    if not isinstance(spec, dict):
        raise bad_request("Lease in version v1 cannot be handled: spec is not an object")
    for field, value in spec.items():
        wanted = _FIELDS.get(field)
        if wanted is not None and value is not None and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise bad_request(f"Lease in version v1 cannot be handled: spec.{field} is not of type {wanted.__name__}")
    for field in ("acquireTime", "renewTime"):
        if spec.get(field) is not None and not _MICROTIME.match(spec[field]):
            raise bad_request(
                f'Lease in version v1 cannot be handled: spec.{field}: parsing time "{spec[field]}" as '
                '"2006-01-02T15:04:05.000000Z07:00": cannot parse'
            )
    if spec.get("leaseDurationSeconds") is not None and spec["leaseDurationSeconds"] <= 0:
        raise invalid(kind, name, "spec.leaseDurationSeconds", "Invalid value: must be greater than 0")
    if spec.get("leaseTransitions") is not None and spec["leaseTransitions"] < 0:
        raise invalid(kind, name, "spec.leaseTransitions", "Invalid value: must be greater than or equal to 0")
