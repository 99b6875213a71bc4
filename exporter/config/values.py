"""
The values of a configuration that are more than text or number, and how any value is shown in a message. Pure.
"""

from __future__ import annotations

import difflib
import hmac
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

HIDDEN = "<hidden>"
"""What is printed in the place of a secret."""

_SHOWN = 80  # characters of a wrong value that a message repeats
_LARGEST = 10**18  # numbers beyond this are not printed: Python refuses to print some of them at all


class Secret:
    """
    A text that prints as ``<hidden>`` wherever it is printed; `reveal` is the one way to the text itself.

    Two secrets are equal when their texts are.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: for a request header, never for a log line, a metric or a message."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    def __str__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        ours, theirs = (text.encode("utf-8", "surrogatepass") for text in (self._text, other._text))
        return hmac.compare_digest(ours, theirs)

    def __hash__(self) -> int:
        return hash((Secret, self._text))


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression (Python's) that has to match the *whole* value: ``prod`` does not match ``production``."""

    pattern: str

    def matches(self, text: str) -> bool:
        """Whether the whole of *text* matches."""
        return re.fullmatch(self.pattern, text) is not None


class Expanded(str):
    """
    A value that environment variables were put into.

    Messages show `template` (what the file says) and not the value, which may be a secret in the wrong place. Number
    and switch readers take such a text for what it spells, since a variable is always text.
    """

    __slots__ = ("template",)
    template: str

    def __new__(cls, value: str, template: str) -> Self:
        """The text *value*, shown as *template*."""
        self = super().__new__(cls, value)
        self.template = template
        return self


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """``" (did you mean 'x'?)"`` with the choice nearest to *word*, whatever the case of letters, or ``""``."""
    spelled = {choice.lower().replace("_", "-"): choice for choice in choices}
    near = difflib.get_close_matches(word.lower().replace("_", "-"), list(spelled), n=1)
    return f" (did you mean '{spelled[near[0]]}'?)" if near else ""


def show(value: object) -> str:
    """*value* as a message may repeat it: short, in YAML's words, variables unexpanded, lists and mappings unopened."""
    if isinstance(value, Expanded):
        value = value.template
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value!r}" if -_LARGEST < value < _LARGEST or not math.isfinite(value) else "a number of that size"
    if isinstance(value, str):
        text = value if len(value) <= _SHOWN else f"{value[: _SHOWN - 1]}…"
        return "'" + "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text) + "'"
    if isinstance(value, Mapping):
        return "a mapping (keys with values)"
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"
