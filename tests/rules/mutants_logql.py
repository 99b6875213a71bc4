"""
How much of the LogQL rules their fixtures hold: changes one thing at a time and asks whether a fixture notices.

    python -m tests.rules.mutants_logql      prints what nobody noticed; exit code 1 below 95 %
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

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
)
from tests.rules.loki_rules import Rule, faults, fixture, queries, rules

ENOUGH = 0.95

_COMPARISONS = {">": ("<", ">="), ">=": ("<", ">"), "<": (">", "<="), "<=": (">", "<"), "==": ("!=",), "!=": ("==",)}
_FILTERS = {"|=": "!=", "!=": "|=", "|~": "!~", "!~": "|~"}
_MATCHERS = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
_SETS = {"and": ("or", "unless"), "unless": ("or", "and"), "or": ("and", "unless")}


def mutants(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """The rule with one thing changed, and what that is. A query that stands twice is changed in both places."""
    for what, expr in _trees(rule.expr):
        yield what, replace(rule, expr=expr)
    for query in queries(rule.expr):
        for what, other in _queries(query):
            yield what, replace(rule, expr=_swapped(rule.expr, query, other))
    others = {"critical": "warning", "warning": "critical"}
    severity = rule.labels["severity"]
    yield f"severity {others[severity]}", replace(rule, labels={**rule.labels, "severity": others[severity]})
    yield "for 1h", replace(rule, wait="1h")


def caught(rule: Rule) -> bool:
    """Whether the fixture of the rule's name finds fault with it."""
    return next(faults(rule, fixture(rule.alert)), None) is not None


def fewer_alternatives(pattern: str) -> list[str]:
    """The regular expression without one of its alternatives, at any depth, each in turn."""
    found: list[str] = []
    starts, bars = [0], [[-1]]
    in_class = escaped = False

    def close(end: int) -> None:
        start, marks = starts.pop(), bars.pop()
        marks = [start - 1, *marks[1:], end]
        for left, right in pairwise(marks):
            if len(marks) > 2:
                first = left == start - 1
                cut = pattern[: left + 1] + pattern[right + 1 :] if first else pattern[:left] + pattern[right:]
                found.append(cut)

    for at, sign in enumerate(pattern):
        if escaped:
            escaped = False
        elif sign == "\\":
            escaped = True
        elif in_class:
            in_class = sign != "]"
        elif sign == "[":
            in_class = True
        elif sign == "(":
            inner = pattern[at + 1 :]
            opening = len(inner) - len(inner.removeprefix("?:"))
            starts.append(at + 1 + opening)
            bars.append([-1])
        elif sign == "|":
            bars[-1].append(at)
        elif sign == ")":
            close(at)
    close(len(pattern))
    return found


def _trees(tree: Expr) -> Iterator[tuple[str, Expr]]:
    """The tree with one thing changed that is not in a query."""
    match tree:
        case Compare():
            yield from _comparisons(tree)
        case SetOf():
            yield from _sets(tree)
        case Sum(by, span):
            for label in by:
                yield f"by without {label}", replace(tree, by=_without(by, label))
            for what, one in _ranges(span):
                yield what, replace(tree, inner=one)
        case Range():
            yield from _ranges(tree)


def _comparisons(tree: Compare) -> Iterator[tuple[str, Expr]]:
    for other in _COMPARISONS[tree.op]:
        if not (other == ">=" and tree.number == 0):  # of a count above none that is no change
            yield f"{tree.name}: {other}", replace(tree, op=other)
    for number in (tree.number + 1, tree.number - 1):
        if number >= 0:
            yield f"{tree.name}: {number}", replace(tree, number=number)
    for what, one in _trees(tree.inner):
        yield what, replace(tree, inner=one)


def _sets(tree: SetOf) -> Iterator[tuple[str, Expr]]:
    for other in _SETS[tree.op]:
        yield f"{tree.op} -> {other}", replace(tree, op=other)
    for label in tree.on or ():
        yield f"on without {label}", replace(tree, on=_without(tree.on or (), label))
    for what, one in _trees(tree.left):
        yield f"left {what}", replace(tree, left=one)
    for what, one in _trees(tree.right):
        yield f"right {what}", replace(tree, right=one)


def _ranges(tree: Range) -> Iterator[tuple[str, Range]]:
    for factor in (0.5, 2.0):
        yield f"range x{factor}", replace(tree, seconds=tree.seconds * factor)
        if tree.offset:
            yield f"offset x{factor}", replace(tree, offset=tree.offset * factor)


def _queries(query: Query) -> Iterator[tuple[str, Query]]:
    for at, matcher in enumerate(query.selector):
        for what, matchers in _matchers(matcher):
            yield what, replace(query, selector=(*query.selector[:at], *matchers, *query.selector[at + 1 :]))
    for at, stage in enumerate(query.stages):
        for what, stages in _stages(stage):
            yield what, replace(query, stages=(*query.stages[:at], *stages, *query.stages[at + 1 :]))


def _stages(stage: Stage) -> Iterator[tuple[str, tuple[Stage, ...]]]:
    """What may stand in the place of one stage."""
    match stage:
        case Matcher():
            yield from _matchers(stage)
            return
        case LineFilter(op, text):
            yield f"{_FILTERS[op]} {text}", (LineFilter(_FILTERS[op], text),)
            for less in fewer_alternatives(text) if op.endswith("~") else ():
                yield f"{op} {less}", (LineFilter(op, less),)
        case Regexp(pattern):
            for less in fewer_alternatives(pattern):
                yield f"regexp {less}", (Regexp(less),)
        case LabelFormat(name, sources):
            for source in sources:
                yield f"label_format without {source}", (LabelFormat(name, _without(sources, source)),)
        case Json(fields):
            for field in fields:
                yield f"json without {field}", (Json(tuple(each for each in fields if each != field)),)
    yield f"without {stage}", ()


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(each for each in names if each != name)


def _matchers(matcher: Matcher) -> Iterator[tuple[str, tuple[Matcher, ...]]]:
    yield f"without {matcher}", ()
    other = _MATCHERS[matcher.op]
    yield f"{matcher.name}{other}{matcher.value}", (replace(matcher, op=other),)
    if matcher.op.endswith("~"):
        for less in fewer_alternatives(matcher.value):
            yield f"{matcher.name}{matcher.op}{less}", (replace(matcher, value=less),)


def _swapped(tree: Expr, old: Query, new: Query) -> Expr:
    match tree:
        case Range():
            return replace(tree, query=new) if tree.query == old else tree
        case Sum(_, inner):
            return replace(tree, inner=replace(inner, query=new)) if inner.query == old else tree
        case Compare(inner_expr, _, _, _):
            return replace(tree, inner=_swapped(inner_expr, old, new))
        case SetOf():
            return replace(tree, left=_swapped(tree.left, old, new), right=_swapped(tree.right, old, new))


def main() -> int:
    """Print the survivors and the share that was caught."""
    tried = found = 0
    for rule in rules():
        for what, mutant in mutants(rule):
            tried += 1
            if caught(mutant):
                found += 1
            else:
                sys.stdout.write(f"{rule.alert}: {what}\n")
    share = found / tried
    sys.stdout.write(f"logql: {found} of {tried} mutants are caught ({share:.1%})\n")
    return 0 if share >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
