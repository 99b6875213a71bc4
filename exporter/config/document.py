"""
A YAML text as plain data, with the line of every value, and every mistake of the text at once.

YAML's surprises are closed here: a key given twice is a fault and not a silent winner; ``yes``, ``off``, ``012`` and
``1:30`` stay the text they look like (numbers and switches are read as in YAML 1.2); an alias that contains itself or
multiplies without end is refused. What keys mean is left to `reading`. No message repeats a value, for it may be a
secret. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from exporter.errors import Fault

Path = tuple[str | int, ...]
"""The way from the top of the file to a value: keys, and indices of lists."""

_MOST_VALUES = 100_000  # after aliases are followed; a real file has some hundreds
_DEEPEST = 40  # levels; the tree has nine
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PREFIX = "tag:yaml.org,2002:"
_RESOLVERS = (  # tag, form, the characters it may start with; YAML 1.1 reads each of these the same way
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,17})", "-+0123456789"),
    ("float", r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+][0-9]{1,3})?", "-+0123456789"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("merge", r"<<", "<"),
)


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """The table PyYAML wants: by the first character of a value, the tags it may have ("" is the empty value)."""
    table: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for tag, form, starts in _RESOLVERS:
        for start in starts:
            table.setdefault("" if start == "\0" else start, []).append((_PREFIX + tag, re.compile(f"(?:{form})\\Z")))
    return table


class _Resolve(yaml.resolver.Resolver):
    yaml_implicit_resolvers = _resolvers()


class Loader(_Resolve, yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2's idea of numbers and switches; `read` looks for keys given twice."""


class Dumper(_Resolve, yaml.SafeDumper):
    """Writes what `Loader` reads back: quotes exactly what would otherwise not be text. Never writes aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Every value in full: an effective configuration is read by people."""
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Text in double quotes where it is not all printable: else some line breaks would be read back as spaces."""
        style = None if text.isprintable() else '"'
        return self.represent_scalar(_PREFIX + "str", text, style=style)


Dumper.add_representer(str, Dumper.represent_text)


@dataclass(slots=True)
class Document:
    """What a text holds: plain data, the line of each value (from 1), and what is wrong with the text itself."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[tuple[Path, str]] = field(default_factory=list)


class TooLargeError(Exception):
    """Nesting or aliases without end."""


def read(text: str) -> Document:
    """
    The data of one YAML document.

    Returns:
        A document; with `faults` where keys are given twice or values have a form no configuration needs. Of those the
        first one given is kept, so that the rest of the file can still be checked.

    Raises:
        `yaml.YAMLError`: the text is not YAML (see `problem`). `TooLargeError`, `RecursionError`: it is nested too
        deeply, or its aliases multiply without end.
    """
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        document = Document()
        if node is not None:
            document.data = _Builder(document, loader).build(node, (), ())
        return document
    finally:
        loader.dispose()


_PLAIN = (  # words of PyYAML's messages, and what they mean to a person
    (
        "undefined alias",
        "a value that starts with * is an alias in YAML, and no anchor has that name; put it in quotes",
    ),
    ("duplicate anchor", "the same &anchor is given twice; rename one, or put the value in quotes"),
    ("cannot start any token", "no value may start with this character (a tab, @, ` or %); use spaces, or quotes"),
    ("another document", "a second document begins here (---); keep one"),
    ("mapping values are not allowed", "a second ': ' in one line; put the value in quotes, or mend the indentation"),
    ("could not find expected ':'", "a key without a ':' after it; add it, or mend the indentation"),
    ("expected <block end>", "the indentation does not fit the lines above; mend it"),
    ("expected ',' or", "a list or mapping is not closed before this place; add ] or }, or a comma"),
    ("special characters", "a control character, which YAML does not allow; remove it"),
)


def problem(error: yaml.YAMLError, text: str) -> Fault:
    """What makes *text* no YAML, with line and column, and without repeating its content."""
    said = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    if isinstance(error, yaml.reader.ReaderError):
        where = f"{place(text, error.position)}: "
    # a quotation of more than one character may be a secret
    shown = re.sub(r"'([^']*)'", lambda quoted: quoted[0] if len(quoted[1]) < 2 else "'…'", said)
    plain = f"{shown}; look for a missing quote, bracket or indentation at or before this place"
    return Fault("", f"{where}not valid YAML: {next((means for words, means in _PLAIN if words in said), plain)}")


def place(text: str, offset: int) -> str:
    """Line and column (from 1) of the character at *offset*, in words."""
    before = text[:offset]
    return f"line {before.count(chr(10)) + 1}, column {offset - before.rfind(chr(10))}"


def spell(path: Path) -> str:
    """*path* as a person would write it: ``services.ebs.tiers[1]``, unusual keys in ``["…"]``."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        elif _BARE.fullmatch(part):
            out += f".{part}" if out else part
        else:
            plain = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in part[:120])
            out += f'["{plain}"]'
    return out


class _Builder:
    """Turns YAML's nodes into plain data; aliases are followed, and counted."""

    def __init__(self, document: Document, loader: Loader) -> None:
        self.document = document
        self.loader = loader
        self.values = 0

    def build(self, node: yaml.Node, path: Path, above: tuple[int, ...]) -> Any:
        self.values += 1
        if self.values > _MOST_VALUES or len(path) > _DEEPEST or id(node) in above:
            raise TooLargeError
        self.document.lines[path] = node.start_mark.line + 1
        above = (*above, id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, above)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index), above) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        kind = node.tag.removeprefix(_PREFIX)
        text: str = node.value
        try:
            if kind == "bool":
                return {"true": True, "false": False}[text.lower()]
            if kind in ("int", "float"):
                return int(text) if kind == "int" else float(text)
        except (ValueError, KeyError):
            self.document.faults.append(
                (path, "the value is not what its tag (the word after !!) says; remove the tag")
            )
            return None
        if kind == "null":
            return None
        if kind not in ("str", "merge"):
            self.document.faults.append((path, "a value that starts with ! is a tag in YAML; put it in quotes"))
        return text

    def _mapping(self, node: yaml.MappingNode, path: Path, above: tuple[int, ...]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        inherited: list[tuple[yaml.Node, yaml.Node]] = []
        first: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == _PREFIX + "merge":
                inherited.extend(self._merged(value, path, above))
            elif not isinstance(key, yaml.ScalarNode):
                self.document.faults.append(
                    (path, f"the key on line {line} is a list or a mapping; a key has to be text")
                )
            elif key.value in first:
                twice = f"is given twice, on line {first[key.value]} and on line {line}; keep one"
                self.document.faults.append(((*path, key.value), twice))
            else:
                first[key.value] = line
                out[key.value] = self.build(value, (*path, key.value), above)
                self.document.lines[*path, key.value] = line
        for key, value in inherited:  # a mapping's own keys win over what << brings, and the first << over the next
            if isinstance(key, yaml.ScalarNode) and key.value not in out:
                out[key.value] = self.build(value, (*path, key.value), above)
        return out

    def _merged(self, node: yaml.Node, path: Path, above: tuple[int, ...]) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, yaml.MappingNode) or id(source) in above:
                self.document.faults.append((path, "<< has to be followed by another mapping, such as *anchor"))
                continue
            above_source = (*above, id(source))
            if len(above_source) > _DEEPEST:
                raise TooLargeError
            yield from (pair for pair in source.value if pair[0].tag != _PREFIX + "merge")
            for key, value in source.value:
                if key.tag == _PREFIX + "merge":
                    yield from self._merged(value, path, above_source)
