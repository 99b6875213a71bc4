"""
The schema of ``config:``, from the program's own model, in the words that Helm's validator understands.

That validator knows draft-07: what stands beside a reference is ignored there, and every level of choices adds a line
to the message. So each section is written out where it stands. What lies between keys is left to the program (`check`,
which the chart's test runs) and to the templates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exporter import config

_LITERAL = {("Delivery", "mode")}
"""Choices that the templates have to know when they are rendered: no variable."""


def schema() -> dict[str, Any]:
    """The whole file, never null as a key of the chart; a section of it without a value is an empty one."""
    whole = config.json_schema()
    sections = whole.pop("$defs")
    return {**_section("", whole, sections), "type": "object"}


def _section(name: str, schema: Mapping[str, Any], sections: Mapping[str, Any]) -> dict[str, Any]:
    made = {key: value for key, value in schema.items() if key not in ("properties", "title")}
    made["properties"] = {
        key: _value(_known(value) if (name, key) in _LITERAL else value, sections)
        for key, value in schema["properties"].items()
    }
    return made


def _known(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A choice of words without the place for a variable."""
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    (words,) = [each for each in schema["anyOf"] if "enum" in each]
    return {**words, **rest}


def _value(schema: Mapping[str, Any], sections: Mapping[str, Any]) -> dict[str, Any]:
    """One value, with nothing but what it is made of."""
    made = {key: _part(key, value, sections) for key, value in schema.items() if key != "$ref"}
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix("#/$defs/")
        return {**_section(name, sections[name], sections), **made}
    if len(made.get("anyOf", ())) == 1:
        return {**made.pop("anyOf")[0], **made}
    return made


def _part(key: str, value: Any, sections: Mapping[str, Any]) -> Any:
    if key == "anyOf":
        return _choices([_value(each, sections) for each in value])
    if key in ("items", "additionalProperties", "propertyNames") and isinstance(value, Mapping):
        return _value(value, sections)
    return value


def _choices(choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """No null beside a section, which may be null by itself."""
    nullable = any("null" in each["type"] for each in choices if isinstance(each["type"], list))
    return [each for each in choices if not (nullable and each == {"type": "null"})]
