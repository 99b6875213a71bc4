"""
What every section of the configuration is: strict, frozen, and able to say what its keys may not be together. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from exporter.config.document import Path
from exporter.config.values import HIDDEN, Regex, Secret, show

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

Wrong = tuple[Path, str]
"""A fault a section found: the path below the section, and the message."""


def _items(value: Any) -> Any:
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return tuple(value)
    kind = "a mapping (keys with values)" if isinstance(value, Mapping) else "a single value"
    raise ValueError(
        f"is {kind}, but a list belongs here; write it as [first, second] or as lines that start with '- '"
    )


def _entries(value: Any, keys: str = "") -> Any:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    raise ValueError(f"is {_kind(value)}, but keys with values belong here{keys}")


def _kind(value: object) -> str:
    """What *value* is, without showing it: what stands in the place of a section may hold a secret."""
    return "a list" if isinstance(value, list | tuple) else "a single value"


Many = Annotated[tuple[T, ...], BeforeValidator(_items)]
"""A list in the file (a key without a value is an empty one), a tuple in the program."""


class _Distinct:
    """Says in the JSON schema what `repeats` finds."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The list's schema, with items that differ."""
        return {**handler(core), "uniqueItems": True}


Distinct = Annotated[tuple[T, ...], BeforeValidator(_items), _Distinct()]
"""As `Many`, of a section whose `across` refuses what is given twice (`repeats`)."""

Map = Annotated[Mapping[K, V], BeforeValidator(_entries)]
"""Keys with values, in the order of the file."""


class Node(BaseModel):
    """A section: unknown keys are refused, values are of the very type, nothing changes after reading."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _section(cls, value: Any) -> Any:
        return value if isinstance(value, cls) else _entries(value, f" ({', '.join(cls.model_fields)})")

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:  # noqa: ARG003 - most sections have no such rule
        """
        Faults that lie between keys of this section.

        Args:
            section: what the file gives, variables filled in, with types not yet checked: a rule has to look before it
                trusts.
        """
        return iter(())

    def plain(self) -> Any:
        """The section as plain data, secrets as ``<hidden>``."""
        return _plain(self)


def _plain(value: Any) -> Any:
    if isinstance(value, Node):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Secret):
        return HIDDEN
    if isinstance(value, Regex):
        return value.pattern
    return str(value) if isinstance(value, str) else value  # a member of a StrEnum as its text


def mapping_in(section: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The mapping that *section* has under *key*; empty where there is none (the wrong type is said elsewhere)."""
    value = section.get(key)
    return value if isinstance(value, Mapping) else {}


def list_in(section: Mapping[str, Any], key: str) -> list[Any]:
    """The list that *section* has under *key*; empty where there is none (the wrong type is said elsewhere)."""
    value = section.get(key)
    return value if isinstance(value, list) else []


def repeats(section: Mapping[str, Any], key: str) -> Iterator[Wrong]:
    """A fault for each text in the list under *key* that an earlier one equals."""
    items = list_in(section, key)
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        if isinstance(item, str) and seen.setdefault(item, index) != index:
            yield (key, index), f"{show(item)} is given twice (first as {key}[{seen[item]}]); remove one"
