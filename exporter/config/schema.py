"""
The JSON schema (draft 2020-12) of the configuration file, for editors and for the chart. Pure.

It takes whatever the program takes: a section, list or mapping may have no value, and a value may hold a variable. It
refuses what has the wrong shape: unknown keys, wrong types, words that are none of the choices, numbers out of range,
texts of another form. What lies between keys (`across` of a section), in a regular expression or in a duration in
words is for ``check`` to say.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import DictSchema

from exporter.config.leaves import OR_VARIABLE
from exporter.config.tree import Config


class _Schema(GenerateJsonSchema):
    """As pydantic makes it, but without words that say nothing, and strict about keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """Never: a key is its own title."""
        return False

    def dict_schema(self, schema: DictSchema) -> JsonSchemaValue:
        """A mapping whose every key is held to its form; pydantic's takes anything under a key of another form."""
        keys = self.generate_inner(schema["keys_schema"])
        keys = {word: value.removesuffix(OR_VARIABLE) if word == "pattern" else value for word, value in keys.items()}
        values = self.generate_inner(schema["values_schema"])
        return {"type": "object", "propertyNames": keys, "additionalProperties": values}


def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of the file."""
    found: dict[str, Any] = _open(Config.model_json_schema(schema_generator=_Schema))
    return found


def _open(schema: Any) -> Any:
    """*schema* with sections, lists and mappings that may have no value."""
    if isinstance(schema, list):
        return [_open(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    for word, value in schema.items():
        if word in ("properties", "$defs"):  # names of our own, which may be words of schemas too
            out[word] = {name: _open(each) for name, each in value.items()}
        elif word in ("default", "enum"):
            out[word] = value
        elif word == "type" and value in ("object", "array"):
            out[word] = [value, "null"]
        else:
            out[word] = _open(value)
    return out
