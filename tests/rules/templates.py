"""
Annotations as Prometheus 2.42 renders them: as much of Go's text/template as rules use, and no more.

What it does not know it refuses, so that a test never reads a text that Prometheus would not have made. promtool holds
the texts themselves; this is for pages that were made by a stepper.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.rules.humanized import FUNCTIONS, Element, printed, true

Query = Callable[[str], Sequence[Element]]
"""An instant query."""

_ACTION = re.compile(r"\{\{(-\s)?\s*(.*?)\s*(\s-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<word>[$.]?[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
    | (?P<mark>:=|=|[|(),.$])
    )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


class TemplateError(Exception):
    """The text is wrong, or uses something that is not known here."""


class _Labels(dict[str, str]):
    """A label that is not there is empty."""

    def __missing__(self, key: str) -> str:
        return ""


@dataclass
class _Node:
    """A text, an action, or a block (`if`, `with`, `range`) with what it holds."""

    kind: str
    words: str = ""
    body: list[_Node] = field(default_factory=list)
    other: list[_Node] = field(default_factory=list)


def element(metric: Mapping[str, str], value: float) -> Element:
    """What ``query`` gives, one of them."""
    return Element(Labels=_Labels(metric), Value=value)


def render(text: str, labels: Mapping[str, str], value: float, query: Query) -> str:
    """
    The text of one alert.

    Args:
        text: of an annotation or label.

        labels: of the alert's element, ``$labels``.

        value: ``$value``.

        query: for ``query "…"``.

    Raises:
        TemplateError: it is wrong, or beyond what is known here.
    """
    nodes, ending = _Parser(text).nodes()
    if ending:
        raise TemplateError(f"{ending!r} ends nothing: {text}")
    known = _Labels(labels)
    dot = {"Labels": known, "Value": value}
    try:
        return "".join(_shown(nodes, _Scope({"$labels": known, "$value": value, "$": dot}, dot, query)))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise TemplateError(f"{error!r}: {text}") from error


class _Parser:
    def __init__(self, text: str) -> None:
        self._pieces = list(_pieces(text))
        self._next = 0

    def nodes(self) -> tuple[list[_Node], str]:
        """What comes up to an ``else`` or ``end``, which is taken too, or up to the end of the text."""
        nodes: list[_Node] = []
        while self._next < len(self._pieces):
            piece = self._pieces[self._next]
            self._next += 1
            first = piece.words.split(None, 1)[0] if piece.words.split() else ""
            if piece.kind == "text":
                nodes.append(piece)
            elif first in {"if", "with", "range"}:
                nodes.append(self._block(piece.words))
            elif first in {"else", "end"}:
                return nodes, piece.words
            elif not first.startswith("/*"):
                nodes.append(piece)
        return nodes, ""

    def _block(self, words: str) -> _Node:
        kind, _, condition = words.partition(" ")
        body, ending = self.nodes()
        other: list[_Node] = []
        if ending == "else":
            other, ending = self.nodes()
        elif ending.startswith("else "):  # whose end is that of the whole chain
            return _Node(kind, condition, body, [self._block(ending.removeprefix("else "))])
        if ending != "end":
            raise TemplateError(f"{words!r} has no end")
        return _Node(kind, condition, body, other)


def _pieces(text: str) -> Iterator[_Node]:
    end, trim = 0, False
    for found in _ACTION.finditer(text):
        yield _text(text[end : found.start()], left=trim, right=bool(found[1]))
        yield _Node("action", " ".join(found[2].split()) if '"' not in found[2] else found[2])
        end, trim = found.end(), bool(found[3])
    yield _text(text[end:], left=trim, right=False)


def _text(text: str, *, left: bool, right: bool) -> _Node:
    if "{{" in text or "}}" in text:
        raise TemplateError(f"braces do not fit together: {text}")
    text = text.lstrip() if left else text
    return _Node("text", text.rstrip() if right else text)


@dataclass
class _Scope:
    names: dict[str, Any]
    dot: Any
    query: Query

    def within(self, dot: Any, more: Mapping[str, Any]) -> _Scope:
        """What stands in a block; names that it declares end with it."""
        return _Scope({**self.names, **more}, dot, self.query)


def _shown(nodes: Sequence[_Node], scope: _Scope) -> Iterator[str]:
    for node in nodes:
        if node.kind == "text":
            yield node.words
            continue
        names, value = _evaluated(node.words, scope)
        if node.kind == "action":
            if names:
                scope.names[names[0]] = value
            else:
                yield printed(value)
        elif node.kind == "range":
            yield from _ranged(node, names, value, scope)
        elif true(value):
            inner = scope.within(value if node.kind == "with" else scope.dot, dict.fromkeys(names, value))
            yield from _shown(node.body, inner)
        else:
            yield from _shown(node.other, scope.within(scope.dot, dict.fromkeys(names, value)))


def _ranged(node: _Node, names: Sequence[str], values: Sequence[Any], scope: _Scope) -> Iterator[str]:
    for place, each in enumerate(values):
        known = dict(zip(names, (place, each) if len(names) > 1 else (each,), strict=False))
        yield from _shown(node.body, scope.within(each, known))
    if not values:
        yield from _shown(node.other, scope)


def _evaluated(words: str, scope: _Scope) -> tuple[list[str], Any]:
    """The value of a pipeline, and the names it is given: none, one, or two of a range (place and value)."""
    tokens = list(_tokens(words))
    names: list[str] = []
    for count, mark in ((1, ":="), (1, "="), (3, ":=")):
        if tokens[count : count + 1] == [("mark", mark)]:
            names = [text for kind, text in tokens[:count] if kind == "word"]
            tokens = tokens[count + 1 :]
            break
    value, rest = _pipeline(tokens, scope)
    if rest:
        raise TemplateError(f"{rest[0][1]!r} is not expected: {words}")
    return names, value


def _tokens(words: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(words.rstrip()):
        found = _TOKEN.match(words, at)
        if found is None:
            raise TemplateError(f"{words[at:]!r} is not known here")
        yield str(found.lastgroup), found[str(found.lastgroup)]
        at = found.end()


def _pipeline(tokens: list[tuple[str, str]], scope: _Scope) -> tuple[Any, list[tuple[str, str]]]:
    value: Any = None
    before: list[Any] = []
    while True:
        value, tokens = _command(tokens, scope, before)
        if not tokens or tokens[0] != ("mark", "|"):
            return value, tokens
        before, tokens = [value], tokens[1:]


def _command(tokens: list[tuple[str, str]], scope: _Scope, before: list[Any]) -> tuple[Any, list[tuple[str, str]]]:
    """One command with its arguments, the value before it in the pipeline being the last of them."""
    function: Callable[..., Any] | None = None
    values: list[Any] = []
    while tokens and tokens[0] not in {("mark", "|"), ("mark", ")")}:
        kind, text = tokens[0]
        if kind == "word" and text[0] not in "$." and text not in {"true", "false"}:
            if values or function is not None:
                raise TemplateError(f"{text}: a function among arguments is not known here")
            function, tokens = _function(text, scope), tokens[1:]
            continue
        value, tokens = _operand(tokens, scope)
        values.append(value)
    values += before
    if function is not None:
        return function(*values), tokens
    if len(values) != 1:
        raise TemplateError("a command is empty, or a value has arguments")
    return values[0], tokens


def _function(name: str, scope: _Scope) -> Callable[..., Any]:
    if name == "query":
        return scope.query
    if name not in FUNCTIONS:
        raise TemplateError(f"the function {name} is not known here")
    return FUNCTIONS[name]


def _operand(tokens: list[tuple[str, str]], scope: _Scope) -> tuple[Any, list[tuple[str, str]]]:
    (kind, text), rest = tokens[0], tokens[1:]
    if kind == "string":
        raw = text[1:-1]
        return raw if text[0] == "`" else re.sub(r"\\(.)", lambda found: _ESCAPES[found[1]], raw), rest
    if kind == "number":
        return float(text) if set(text) & set(".eE") else int(text), rest
    if (kind, text) == ("mark", "("):
        value, rest = _pipeline(rest, scope)
        if rest[:1] != [("mark", ")")]:
            raise TemplateError("a parenthesis has no end")
        rest = rest[1:]
        if rest and rest[0][0] == "word" and rest[0][1].startswith("."):
            value, rest = _fields(value, rest[0][1][1:]), rest[1:]
        return value, rest
    if text in {"true", "false"}:
        return text == "true", rest
    if text in {".", "$"}:
        return scope.dot if text == "." else scope.names["$"], rest
    first, _, others = text.partition(".") if text[0] == "$" else ("", "", text[1:])
    value = scope.names[first] if first else scope.dot
    return _fields(value, others) if others else value, rest


def _fields(value: Any, names: str) -> Any:
    for name in names.split("."):
        value = value[name]
    return value
