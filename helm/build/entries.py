"""
values.yaml as data: every documented key with its default and its text, and the sections that hold them.

A key under a comment that begins with ``-- `` is a leaf, whatever its default is, unless keys in it have such comments
too; any other key is a section and must hold keys. What a value may be is in `shapes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str, ...]


class ValuesError(Exception):
    """values.yaml, or a table beside it, holds what nothing can be built of; the text names the key."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A key that users set: its path, the default as plain data, and its text on one line."""

    path: Path
    default: Any
    text: str

    @property
    def name(self) -> str:
        """The path as users write it."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Section:
    """Keys that belong together; the text is empty where values.yaml says nothing about them."""

    path: Path
    text: str
    entries: tuple[Leaf | Section, ...]

    def leaves(self) -> Iterator[Leaf]:
        """All that stand in it, in the order of the file."""
        for entry in self.entries:
            if isinstance(entry, Leaf):
                yield entry
            else:
                yield from entry.leaves()


def read(text: str) -> Section:
    """
    The whole of a values.yaml.

    Raises:
        ValuesError: a key is neither documented nor a section.
    """
    node = yaml.compose(text, yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        raise ValuesError("values.yaml holds no keys")
    return _section(node, (), "", text.splitlines())


def _section(node: yaml.MappingNode, path: Path, text: str, lines: list[str]) -> Section:
    entries: list[Leaf | Section] = []
    for key, value in node.value:
        here = (*path, str(key.value))
        comment = _comment(lines, key)
        keys = isinstance(value, yaml.MappingNode) and bool(value.value)
        if comment.startswith("-- ") and not (keys and _documented(value.value[0][0], lines)):
            entries.append(Leaf(here, yaml.SafeLoader("").construct_document(value), comment.removeprefix("-- ")))
        elif keys:
            entries.append(_section(value, here, comment.removeprefix("-- "), lines))
        else:
            raise ValuesError(f"{'.'.join(here)}: has no text; write a comment that begins with '# -- ' above it")
    return Section(path, text, tuple(entries))


def _documented(key: yaml.Node, lines: list[str]) -> bool:
    return _comment(lines, key).startswith("-- ")


def _comment(lines: list[str], key: yaml.Node) -> str:
    """The comment right above *key*, on one line; a line that begins with ``-- `` is its first."""
    found: list[str] = []
    indent = key.start_mark.column
    for above in reversed(lines[: key.start_mark.line]):
        if not above.startswith(" " * indent + "#"):
            break
        found.insert(0, above[indent:].lstrip("#").strip())
        if found[0].startswith("-- "):
            break
    return " ".join(found)
