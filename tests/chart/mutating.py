"""
Changes of one line of a template, each of which somebody may have made by mistake: a line that is gone, a guard that is
always or never true, another constant, a boolean turned round, a value that is no longer read.

Only makes them; tests/chart/mutants.py says which are caught.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_COMMENT = re.compile(r"\{\{-?\s*/\*.*?\*/\s*-?\}\}", re.DOTALL)
_STRUCTURE = re.compile(r"\{\{-?\s*(if|else|end|range|with|define|block)\b")
_GUARD = re.compile(r"(\{\{-?\s*(?:else )?if )(.+?)(\s*-?\}\})")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_READ = re.compile(r"(?:\$|\$root)?\.Values\.([\w.]+)|\$values\.([\w.]+)")
_KEY = re.compile(r"^(\s*(?:- )?)([A-Za-z][\w./-]*)(:)(?=\s|$)")
_WORD = re.compile(r"(: |^\s*- )([A-Za-z0-9][\w./-]*)\s*$")
_NUMBER = re.compile(r"(?<![\w.\"/:-])(\d+)(?![\w.\"/%-])")
_TURNS = (
    (re.compile(r"\btrue\b"), "false"),
    (re.compile(r"\bfalse\b"), "true"),
    (re.compile(r"(?<=[({ ])eq (?=[\"(.$\w])"), "ne "),
    (re.compile(r"(?<=[({ ])ne (?=[\"(.$\w])"), "eq "),
    (re.compile(r"(?<=[({ ])gt (?=[\"(.$\w])"), "le "),
    (re.compile(r"(?<=[({ ])lt (?=[\"(.$\w])"), "ge "),
    (re.compile(r"(?<=[({ ])ge (?=[\"(.$\w])"), "lt "),
    (re.compile(r"(?<=[({ ])le (?=[\"(.$\w])"), "gt "),
    (re.compile(r"(?<=[({ ])and (?=[\"(.$\w])"), "or "),
    (re.compile(r"(?<=[({ ])or (?=[\"(.$\w])"), "and "),
    (re.compile(r"(?<=[({ ])not (?=[\"(.$\w])"), ""),
)


@dataclass(frozen=True)
class Mutant:
    """A template with one line changed: *line* counts from 1, *change* says what became of it."""

    file: str
    line: int
    change: str
    before: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.change}: {self.before.strip()[:110]}"


def mutants(file: str, text: str, values: Mapping[str, Any]) -> list[Mutant]:
    """
    Every mutant of a template.

    Args:
        file: its name within the folder of templates.

        values: of the chart by default; a mutant may hold one of them fixed.

    Returns:
        In order of lines; no two with the same text, none that is the template itself.
    """
    lines = text.splitlines(keepends=True)
    passed = _comments(text)
    made: dict[str, Mutant] = {}
    for number, line in enumerate(lines, 1):
        if number in passed or not line.strip() or line.strip().startswith("#"):
            continue
        if _prose(file, line):
            continue
        for change, new in _changes(line, values):
            whole = "".join([*lines[: number - 1], new, *lines[number:]])
            if whole != text:
                made.setdefault(whole, Mutant(file, number, change, line, whole))
    return list(made.values())


def _comments(text: str) -> set[int]:
    """Numbers of the lines that are nothing but a template's comment."""
    found: set[int] = set()
    for match in _COMMENT.finditer(text):
        first, last = text.count("\n", 0, match.start()) + 1, text.count("\n", 0, match.end()) + 1
        found.update(range(first, last + 1))
    return found


def _prose(file: str, line: str) -> bool:
    """Whether a line of the notes is a sentence: how it is put is no behaviour. A command (four spaces) is."""
    return "notes" in file.lower() and "{{" not in line and not line.startswith("    ")


def _changes(line: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not _STRUCTURE.search(line):
        yield "line deleted", ""
    for match in _GUARD.finditer(line):
        for word in ("true", "false"):
            yield f"guard {word}", _put(line, match.start(2), word, match.end(2))
    if "fail " in line:  # its words are a message
        return
    for pattern, word in _TURNS:
        for match in pattern.finditer(line):
            yield f"{match[0].strip()} turned", _put(line, match.start(), word, match.end())
    yield from _constants(line)
    for match in _READ.finditer(line):
        fixed = _fixed(match[1] or match[2], values)
        if fixed is not None:
            yield f"{match[0]} not read", _put(line, match.start(), fixed, match.end())


def _constants(line: str) -> Iterator[tuple[str, str]]:
    """Another text, number, key or word. Not the name of a template: one that is not there is told by helm."""
    for match in _TEXT.finditer(line):
        opened = line[: match.start()].rpartition("(")[2].rpartition("{{")[2]
        if "include" not in opened and match[1].strip():
            yield f'"{match[1][:30]}" is another', _put(line, match.end(1), "x", match.end(1))
    for match in _NUMBER.finditer(line):
        # One column more is no other YAML, and of a list two less is none either; four less is.
        other = max(int(match[0]) - 4, 0) if line[: match.start()].endswith("indent ") else int(match[0]) + 1
        yield f"{match[0]} is another", _put(line, match.start(), str(other), match.end())
    key, word = _KEY.match(line), _WORD.search(line.rstrip("\n"))
    if key and not _STRUCTURE.search(line):
        yield f"key {key[2]} is another", _put(line, key.end(2), "x", key.end(2))
    if word and word[2] not in {"true", "false"} and not word[2].isdigit():
        yield f"{word[2]} is another", _put(line, word.end(2), "x", word.end(2))


def _put(line: str, start: int, text: str, end: int) -> str:
    return f"{line[:start]}{text}{line[end:]}"


def _fixed(path: str, values: Mapping[str, Any]) -> str | None:
    """The default of a scalar as a literal of templates; None: it is none."""
    at: Any = values
    for part in path.split("."):
        if not isinstance(at, Mapping) or part not in at:
            return None
        at = at[part]
    if isinstance(at, bool):
        return str(at).lower()
    if isinstance(at, int):
        return str(at)
    return f'"{at}"' if isinstance(at, str) else None
