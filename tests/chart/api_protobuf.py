"""The one body helm sends as protobuf: the Secret its releases are kept in. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

MAGIC = b"k8s\x00"
_METADATA = {1: "name", 2: "generateName", 3: "namespace", 5: "uid", 6: "resourceVersion"}


def decoded(body: bytes) -> dict[str, Any]:
    """
    The object in a body of ``application/vnd.kubernetes.protobuf``.

    Raises:
        ValueError: it is of another kind than Secret, Namespace or DeleteOptions.
    """
    if not body.startswith(MAGIC):
        raise ValueError("no protobuf of Kubernetes")
    envelope = dict(_fields(body[len(MAGIC) :]))
    about = {number: value.decode() for number, value in _fields(envelope[1])}
    found: dict[str, Any] = {"apiVersion": about[1], "kind": about[2]}
    if found["kind"] == "DeleteOptions":
        return found
    if found["kind"] not in {"Secret", "Namespace"}:
        raise ValueError(f"protobuf of kind {found['kind']}")
    for number, value in _fields(envelope[2]):
        if number == 1:
            found["metadata"] = _metadata(value)
        elif found["kind"] == "Secret" and number == 2:
            key, data = _pair(value)
            found.setdefault("data", {})[key] = base64.b64encode(data).decode()
        elif found["kind"] == "Secret" and number == 3:
            found["type"] = value.decode()
    return found


def _metadata(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, value in _fields(body):
        if number in _METADATA and value:
            found[_METADATA[number]] = value.decode()
        elif number in {11, 12}:
            key, text = _pair(value)
            found.setdefault("labels" if number == 11 else "annotations", {})[key] = text.decode()
    return found


def _pair(body: bytes) -> tuple[str, bytes]:
    entry = dict(_fields(body))
    return entry.get(1, b"").decode(), entry.get(2, b"")


def _fields(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each field; numbers among the values are passed over."""
    position = 0
    while position < len(body):
        tag, position = _number(body, position)
        if tag & 7 == 0:
            _, position = _number(body, position)
        elif tag & 7 == 2:
            length, position = _number(body, position)
            yield tag >> 3, body[position : position + length]
            position += length
        else:
            raise ValueError(f"wire type {tag & 7}")


def _number(body: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
