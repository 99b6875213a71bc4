"""values.schema.json: the shape of values.yaml, the tables of `shapes`, and the program's own schema for ``config``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from helm.build import program, shapes
from helm.build.entries import Leaf, Section, ValuesError

DRAFT = "http://json-schema.org/draft-07/schema#"


def schema(values: Section) -> dict[str, Any]:
    """
    The whole schema.

    Raises:
        ValuesError: a table of `shapes` names a key that values.yaml has not, or a list or mapping is in none.
    """
    _all_known(shapes.LEAVES, {leaf.name for leaf in values.leaves()})
    _all_known([*shapes.SECTIONS, *shapes.OPEN], _sections(values))
    return {"$schema": DRAFT, "title": "Values of the chart storage-exporter", **_section(values)}


def text(values: Section) -> str:
    """What stands in the file."""
    return json.dumps(schema(values), indent=1, ensure_ascii=False) + "\n"


def _all_known(names: Iterable[str], known: set[str]) -> None:
    if unknown := sorted(set(names) - known):
        raise ValuesError(
            f"{', '.join(unknown)}: in helm/build/shapes.py, but not in values.yaml; remove one or add the other"
        )


def _sections(section: Section) -> set[str]:
    below = [_sections(entry) for entry in section.entries if isinstance(entry, Section)]
    return {".".join(section.path)}.union(*below) - {""}


def _section(section: Section) -> dict[str, Any]:
    """
    Keys that are there, and no other.

    Every key that has a default is required: Helm merges the defaults in before it looks, so one is missing only where
    somebody set it to null, and then the templates would have nothing to read.
    """
    name = ".".join(section.path)
    properties = {entry.path[-1]: _entry(entry) for entry in section.entries}
    return {
        "type": "object",
        "additionalProperties": name in shapes.OPEN,
        "required": list(properties),
        "properties": properties,
        **shapes.SECTIONS.get(name, {}),
    }


def _entry(entry: Leaf | Section) -> dict[str, Any]:
    described = {"description": entry.text} if entry.text else {}
    if isinstance(entry, Section):
        return {**described, **_section(entry)}
    if entry.path == ("config",):
        return {**program.schema(), **described, "default": entry.default}
    return {**(shapes.LEAVES.get(entry.name) or _of(entry)), **described, "default": entry.default}


def _of(leaf: Leaf) -> dict[str, Any]:
    """The type of the default, which says enough for switches and texts."""
    kinds = {bool: "boolean", str: "string"}
    if type(leaf.default) not in kinds:
        raise ValuesError(f"{leaf.name}: say in helm/build/shapes.py what it may be")
    return {"type": kinds[type(leaf.default)]}
