"""README.md of the chart: the prose of README.head.md, then every value with its type, default and text."""

from __future__ import annotations

import json
from typing import Any

from helm.build import shapes
from helm.build.entries import Leaf, Section

_KINDS = {
    "array": "list",
    "object": "map",
    "boolean": "switch",
    "integer": "number",
    "number": "number",
    "string": "text",
}
_WIDE = 100


def text(values: Section, head: str) -> str:
    """The whole page."""
    rows = [
        "## Values",
        "",
        "Every key, closed: a key that is not here is refused, with its name.",
        "",
        "| Key | Type | Default | |",
        "|---|---|---|---|",
        *(_row(leaf) for leaf in values.leaves()),
    ]
    return head.rstrip() + "\n\n" + "\n".join(rows) + "\n"


def _row(leaf: Leaf) -> str:
    said = _cell(leaf.text).replace("<", "&lt;")  # outside of code it would be a tag
    return f"| `{leaf.name}` | {kind(leaf)} | {_default(leaf.default)} | {said} |"


def kind(leaf: Leaf) -> str:
    """What is written: the words themselves where there are few, else list, map, number, switch or text."""
    shape = shapes.LEAVES.get(leaf.name, {})
    if allowed := [f"`{word}`" for word in shape.get("enum", ()) if word]:
        return ", ".join(allowed)
    for name, known in (
        ("quantity", shapes.QUANTITY),
        ("duration", shapes.DURATION),
        ("number or share", shapes.COUNT_OR_SHARE),
    ):
        if shape is known:
            return name
    by_default = {bool: "boolean", int: "integer", list: "array", dict: "object"}.get(type(leaf.default), "string")
    return _KINDS[str(shape.get("type", by_default))]


def _default(value: Any) -> str:
    if value == "":
        return '`""`'
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(shown) > _WIDE:
        return "see values.yaml"
    return f"`{_cell(shown)}`"


def _cell(shown: str) -> str:
    """What stands in one cell of a table."""
    return shown.replace("|", "\\|")
