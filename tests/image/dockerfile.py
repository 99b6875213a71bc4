"""The Dockerfile as far as tests read it: its instructions by stage, with build arguments put in."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.tools import ROOT

FILE = ROOT / "Dockerfile"
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-+?])([^}]*))?\}|\$(\w+)")


class MissingError(Exception):
    """A build argument that must be given is not."""


@dataclass
class Stage:
    """What stands after one FROM."""

    base: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all_of(self, instruction: str) -> list[str]:
        """What stands behind each *instruction*, in order."""
        return [text for name, text in self.instructions if name == instruction]

    def last(self, instruction: str) -> Any:
        """What the last *instruction* says; a list where it has the exec form."""
        text = self.all_of(instruction)[-1]
        return json.loads(text) if text.startswith("[") else text

    def pairs(self, instruction: str) -> dict[str, str]:
        """The names and values of ENV or LABEL."""
        words = [word for text in self.all_of(instruction) for word in shlex.split(text)]
        return dict(word.split("=", 1) for word in words)

    def copies(self) -> list[tuple[list[str], dict[str, str]]]:
        """The paths of each COPY, destination last, and its flags."""
        found = []
        for text in self.all_of("COPY"):
            words = text.split()
            flags = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
            found.append(([word for word in words if not word.startswith("--")], flags))
        return found


def stages(arguments: Mapping[str, str], text: str | None = None) -> list[Stage]:
    """
    The stages of a Dockerfile, ours when *text* is None.

    Args:
        arguments: the build arguments that are given.

    Raises:
        MissingError: one of them is asked for by ``${NAME:?text}`` and is not given; the text says what.
    """
    found: list[Stage] = []
    defaults: dict[str, str] = {}
    known: dict[str, str] = {}
    for name, rest in _lines(FILE.read_text() if text is None else text):
        if name == "FROM":
            base, *more = _put_in(rest, {**defaults, **_given(defaults, arguments)}).split()
            found.append(Stage(base, more[1] if more else ""))
            known = {}
        elif name == "ARG":
            key, _, default = rest.partition("=")
            inherited = defaults if found else {}
            value = arguments.get(key, default or inherited.get(key, ""))
            (known if found else defaults)[key] = value
        else:
            found[-1].instructions.append((name, _put_in(rest, known) if name in {"ENV", "LABEL"} else rest))
    return found


def final(**arguments: str) -> Stage:
    """The stage that is the image."""
    return stages({"BASE_DIGEST": "sha256:" + "0" * 64, **arguments})[-1]


def _given(defaults: Mapping[str, str], arguments: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in arguments.items() if name in defaults}


def _lines(text: str) -> list[tuple[str, str]]:
    """Each instruction with all that belongs to it."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", kept)
    split = [line.strip().split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(name.upper(), rest.strip()) for name, rest in split]


def _put_in(text: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name, kind, word = match[1] or match[4], match[2], match[3]
        found = values.get(name, "")
        if kind == "?" and not found:
            raise MissingError(f"{name}: {word}")
        return word if (kind == "-" and not found) or (kind == "+" and found) else found

    return _VARIABLE.sub(value, text)
