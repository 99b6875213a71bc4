"""
Evaluates the trees of `logql` over a handful of log lines, as Loki would at one instant.
"""

from __future__ import annotations

import functools
import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.rules.logql import (
    Compare,
    Expr,
    Json,
    LabelFormat,
    LineFilter,
    Matcher,
    Query,
    Range,
    Regexp,
    SetOf,
    Stage,
    Sum,
    go_regexp,
)

Labels = tuple[tuple[str, str], ...]
Vector = dict[Labels, float]

_ERROR = "__error__"
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Line:
    """A line of a stream: its labels, its text, and when it was written, in seconds (0 is now)."""

    labels: Mapping[str, str]
    text: str
    at: float


_compiled = functools.lru_cache(maxsize=4096)(go_regexp)


def evaluate(tree: Expr, lines: Iterable[Line], at: float = 0.0) -> Vector:
    """Return the elements of the vector that *tree* is at *at*, by their labels; a label without a value is none."""
    lines = list(lines)
    match tree:
        case Range():
            return _range(tree, lines, at)
        case Sum():
            sums: Vector = {}
            for labels, value in _range(tree.inner, lines, at).items():
                key = _only(labels, tree.by)
                sums[key] = sums.get(key, 0.0) + value
            return sums
        case Compare():
            test = _COMPARE[tree.op]
            return {key: value for key, value in evaluate(tree.inner, lines, at).items() if test(value, tree.number)}
        case SetOf():
            return _set(tree, evaluate(tree.left, lines, at), evaluate(tree.right, lines, at))


def selects(selector: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether a stream with these *labels* is selected."""
    return all(_matches(matcher, labels.get(matcher.name, "")) for matcher in selector)


def takes_streams_without_labels(selector: Sequence[Matcher]) -> bool:
    """Whether a stream without labels would be selected: Loki refuses such a selector, and all rules with it."""
    return all(_matches(matcher, "") for matcher in selector)


def pipeline(query: Query, line: Line) -> dict[str, str] | None:
    """The labels with which *line* comes out of the query, None where it does not."""
    if not selects(query.selector, line.labels):
        return None
    labels = dict(line.labels)
    for stage in query.stages:
        if not _passes(stage, line, labels):
            return None
    return labels


def _range(tree: Range, lines: Sequence[Line], at: float) -> Vector:
    end = at - tree.offset
    counts: Vector = {}
    seen: dict[tuple[int, str], dict[str, str] | None] = {}
    for line in lines:
        if not end - tree.seconds < line.at <= end:
            continue
        same = (id(line.labels), line.text)
        if same not in seen:
            seen[same] = pipeline(tree.query, line)
        labels = seen[same]
        if labels is not None:
            if labels.get(_ERROR):
                raise ValueError(f"Loki fails the query: {labels[_ERROR]} of a line that no filter on {_ERROR} drops")
            key = _only(labels.items(), sorted(labels))
            counts[key] = counts.get(key, 0.0) + 1
    if tree.function == "absent_over_time":
        equal = {m.name: m.value for m in tree.query.selector if m.op == "="}
        return {} if counts else {_only(equal.items(), sorted(equal)): 1.0}
    return counts


def _set(tree: SetOf, left: Vector, right: Vector) -> Vector:
    def key(labels: Labels) -> Labels:
        return labels if tree.on is None else _only(labels, tree.on)

    there = {key(labels) for labels in right}
    if tree.op == "and":
        return {labels: value for labels, value in left.items() if key(labels) in there}
    if tree.op == "unless":
        return {labels: value for labels, value in left.items() if key(labels) not in there}
    return left | {labels: value for labels, value in right.items() if labels not in left}


def _only(labels: Iterable[tuple[str, str]], names: Sequence[str]) -> Labels:
    return tuple(sorted((name, value) for name, value in labels if name in names and value))


def _passes(stage: Stage, line: Line, labels: dict[str, str]) -> bool:
    """Whether the line goes on; *labels* take what the stage finds."""
    match stage:
        case LineFilter(op, text):
            found = text in line.text if op.endswith("=") else _compiled(text).search(line.text) is not None
            return found == op.startswith("|")
        case Matcher():
            return _matches(stage, labels.get(stage.name, ""))
        case LabelFormat(name, sources):
            labels[name] = next((labels[source] for source in sources if labels.get(source)), "")
        case Regexp(pattern):
            if found_at := _compiled(pattern).search(line.text):
                _extract(line, labels, {k: v or "" for k, v in found_at.groupdict().items()})
        case Json(fields):
            members = _members(line.text)
            if members is None:
                labels[_ERROR] = "JSONParserErr"
            else:
                _extract(line, labels, {name: _text(members.get(field)) for name, field in fields})
    return True


def _extract(line: Line, labels: dict[str, str], found: Mapping[str, str]) -> None:
    """A label of the stream wins: what was found under its name becomes ``<name>_extracted``."""
    for name, value in found.items():
        labels[f"{name}_extracted" if name in line.labels else name] = value


def _members(text: str) -> dict[str, object] | None:
    try:
        read = json.loads(text)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _matches(matcher: Matcher, value: str) -> bool:
    if matcher.op in {"=", "!="}:
        return (value == matcher.value) == (matcher.op == "=")
    full = re.fullmatch(_compiled(matcher.value), value) is not None
    return full == (matcher.op == "=~")
