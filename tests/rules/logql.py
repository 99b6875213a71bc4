"""
Reads LogQL metric queries into a tree: exactly the subset that `rules/loki/` uses, everything else is refused.

Loki itself is not at hand here, and a LogQL alert that nobody ran matches nothing. `logql_run` evaluates the tree.
Whether a whole query is LogQL at all is for Grafana's own grammar to say (`tools/logql`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

COMPARISONS = (">", ">=", "<", "<=", "==", "!=")
SETS = ("and", "unless", "or")


class LogQLError(ValueError):
    """Not in the subset; the message says where."""


@dataclass(frozen=True)
class Matcher:
    """``name op "value"``, of a stream selector or as a filter by label."""

    name: str
    op: str
    value: str


@dataclass(frozen=True)
class LineFilter:
    """``|= != |~ !~`` and what a line is searched for."""

    op: str
    text: str


@dataclass(frozen=True)
class Json:
    """``| json label="field"``: single fields by name."""

    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Regexp:
    """``| regexp `(?P<label>…)```."""

    pattern: str


@dataclass(frozen=True)
class LabelFormat:
    """``| label_format name=`{{ or .a .b }}```: the first of some labels that is there."""

    name: str
    sources: tuple[str, ...]


Stage = LineFilter | Json | Regexp | LabelFormat | Matcher


@dataclass(frozen=True)
class Query:
    """A stream selector and what its lines go through."""

    selector: tuple[Matcher, ...]
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class Range:
    """``count_over_time(query [seconds] offset …)`` or ``absent_over_time``."""

    function: str
    query: Query
    seconds: float
    offset: float


@dataclass(frozen=True)
class Sum:
    """``sum by (labels) (…)``."""

    by: tuple[str, ...]
    inner: Range


@dataclass(frozen=True)
class Compare:
    """``expression op number``, with the name of the number where a comment at the line's end gives one."""

    inner: Expr
    op: str
    number: float
    name: str


@dataclass(frozen=True)
class SetOf:
    """``left and|unless|or [on (labels)] right``."""

    op: str
    left: Expr
    right: Expr
    on: tuple[str, ...] | None


Expr = Range | Sum | Compare | SetOf

_TOKEN = re.compile(
    r"""
    (?P<space>\s+) | (?P<comment>\#[^\n]*)
    | (?P<string>`[^`]*` | "(?:[^"\\\n]|\\.)*")
    | (?P<duration>\d+[smhd](?![a-z0-9])) | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign>\|=|\|~|!=|!~|=~|==|>=|<=|[|{}()\[\],=<>])
    """,
    re.VERBOSE,
)
_TEMPLATE = re.compile(r"\{\{ (?:or )?((?:\.[a-z_]+ )+)\}\}")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_THRESHOLD = re.compile(r"# ([a-z][a-z0-9_]*)$")
# What Go's regular expressions do not have, and what means another thing there.
_NOT_IN_GO = re.compile(r"\(\?[=!<>#(]|\(\?P[=>]|\\[1-9]|[*+?}]\+|\[\[:|\\[ZGKNRXh]|(?<!^)\(\?[a-z]+\)")


def go_regexp(text: str) -> re.Pattern[str]:
    """Compile what Go would take alike."""
    if found := _NOT_IN_GO.search(text):
        raise LogQLError(f"regular expression {text!r}: {found[0]!r} is not Go's")
    try:
        return re.compile(text, re.ASCII)
    except re.error as error:
        raise LogQLError(f"regular expression {text!r}: {error}") from None


def parse(text: str) -> Expr:
    """Read one metric query; raises `LogQLError` for all that is not in the subset."""
    parser = _Parser(text)
    tree = parser.expression()
    parser.end()
    return tree


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._scan()
        self._next = 0

    def _scan(self) -> list[_Token]:
        tokens, at = [], 0
        while at < len(self._text):
            found = _TOKEN.match(self._text, at)
            if found is None:
                raise LogQLError(f"at {at}: {self._text[at : at + 20]!r} is nothing known")
            if found.lastgroup not in {"space", "comment"}:
                tokens.append(_Token(found.lastgroup or "", found[0], at))
            at = found.end()
        return tokens

    # ---- tokens ----

    def _peek(self) -> _Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else _Token("end", "", len(self._text))

    def _take(self, *texts: str, kind: str = "") -> str:
        token = self._peek()
        if (texts and token.text not in texts) or (kind and token.kind != kind) or token.kind == "end":
            raise LogQLError(f"at {token.at}: {token.text or 'the end'!r} stands where {texts or kind} should")
        self._next += 1
        return token.text

    def _skip(self, text: str) -> bool:
        if self._peek().text == text and self._peek().kind != "string":
            self._next += 1
            return True
        return False

    def end(self) -> None:
        if self._peek().kind != "end":
            raise LogQLError(f"at {self._peek().at}: {self._peek().text!r} is too much")

    # ---- vectors: `or` binds least, then `and` and `unless`, then comparisons ----

    def expression(self) -> Expr:
        left = self._both()
        while self._skip("or"):
            left = SetOf("or", left, self._both(), None)
        return left

    def _both(self) -> Expr:
        left = self._compared()
        while self._peek().text in {"and", "unless"}:
            op = self._take()
            on = self._names() if self._skip("on") else None
            left = SetOf(op, left, self._compared(), on)
        return left

    def _compared(self) -> Expr:
        inner = self._vector()
        if self._peek().text not in COMPARISONS:
            return inner
        op = self._take()
        token = self._peek()
        number = float(self._take(kind="number"))
        line_end = self._text.find("\n", token.at)
        line = self._text[token.at : line_end if line_end >= 0 else len(self._text)]
        named = _THRESHOLD.search(line)
        return Compare(inner, op, number, named[1] if named else "")

    def _vector(self) -> Expr:
        if self._skip("("):
            inner = self.expression()
            self._take(")")
            return inner
        if self._peek().text != "sum":
            return self._range()
        self._take("sum")
        self._take("by")
        by = self._names()
        self._take("(")
        inner_range = self._range()
        self._take(")")
        return Sum(by, inner_range)

    def _range(self) -> Range:
        function = self._take("count_over_time", "absent_over_time")
        self._take("(")
        query = Query(self._selector(), tuple(self._stages()))
        self._take("[")
        seconds = self._duration()
        self._take("]")
        offset = self._duration() if self._skip("offset") else 0.0
        self._take(")")
        return Range(function, query, seconds, offset)

    # ---- logs ----

    def _selector(self) -> tuple[Matcher, ...]:
        self._take("{")
        matchers = [self._matcher()]
        while self._skip(","):
            matchers.append(self._matcher())
        self._take("}")
        return tuple(matchers)

    def _matcher(self) -> Matcher:
        matcher = Matcher(self._take(kind="name"), self._take("=", "!=", "=~", "!~"), self._string())
        if matcher.op in {"=~", "!~"}:
            go_regexp(matcher.value)
        return matcher

    def _stages(self) -> Sequence[Stage]:
        stages: list[Stage] = []
        while self._peek().text != "[":
            op = self._take("|=", "!=", "|~", "!~", "|")
            if op == "|":
                stages.append(self._stage())
                continue
            text = self._string()
            if op.endswith("~"):
                go_regexp(text)
            stages.append(LineFilter(op, text))
        return stages

    def _stage(self) -> Stage:
        if self._skip("json"):
            fields = [self._field()]
            while self._skip(","):
                fields.append(self._field())
            return Json(tuple(fields))
        if self._skip("regexp"):
            pattern = self._string()
            if not go_regexp(pattern).groupindex:
                raise LogQLError(f"regexp {pattern!r} names no group, which Loki refuses")
            return Regexp(pattern)
        if self._skip("label_format"):
            name = self._take(kind="name")
            self._take("=")
            found = _TEMPLATE.fullmatch(template := self._string())
            if found is None:
                raise LogQLError(f"template {template!r} is not in the subset")
            return LabelFormat(name, tuple(part.removeprefix(".") for part in found[1].split()))
        return self._matcher()

    def _field(self) -> tuple[str, str]:
        name = self._take(kind="name")
        self._take("=")
        return name, self._string()

    # ---- small things ----

    def _names(self) -> tuple[str, ...]:
        self._take("(")
        names = [self._take(kind="name")]
        while self._skip(","):
            names.append(self._take(kind="name"))
        self._take(")")
        return tuple(names)

    def _duration(self) -> float:
        text = self._take(kind="duration")
        return float(text[:-1]) * _SECONDS[text[-1]]

    def _string(self) -> str:
        text = self._take(kind="string")
        if text.startswith("`"):
            return text[1:-1]
        if "\\" in text:
            raise LogQLError(f"{text}: write what needs a backslash between backticks")
        return text[1:-1]
