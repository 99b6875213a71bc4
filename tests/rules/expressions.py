"""
What PromQL expressions of the pack read, join and leave: by promql-parser's tree, without a server.

Labels are inferred from the exporter's families and the recordings' own expressions; of somebody else's metrics nothing
is known (None), so nothing is held against them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import promql_parser as promql

from rules.build import first

TARGET = frozenset({"job", "instance", "pod", "container", "endpoint", "service", "replica"})
"""Labels that a scrape or a pushing replica puts on."""

Labels = frozenset[str] | None

_SETS = {"and", "or", "unless"}
_COMPARISONS = {">", "<", ">=", "<=", "==", "!="}


def op(node: Any) -> str:
    """The operator or aggregation of a node, as it is written."""
    return str(node.op).lower()


def kind(node: Any) -> str:
    """The type of a node."""
    return type(node).__name__


def children(node: Any) -> list[Any]:
    """The parts of a node that are expressions."""
    match kind(node):
        case "BinaryExpr":
            return [node.lhs, node.rhs]
        case "AggregateExpr":
            return [each for each in (node.param, node.expr) if each is not None]
        case "Call":
            return list(node.args)
        case "ParenExpr" | "UnaryExpr" | "SubqueryExpr":
            return [node.expr]
        case "MatrixSelector":
            return [node.vector_selector]
    return []


def walk(node: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every node with those above it, outermost first."""
    yield node, above
    for child in children(node):
        yield from walk(child, (*above, node))


def parse(expr: str) -> Any:
    """The tree of an expression."""
    return promql.parse(expr)


def selectors(expr: str) -> list[tuple[Any, tuple[Any, ...]]]:
    """Every vector selector of an expression, with what is above it."""
    return [(node, above) for node, above in walk(parse(expr)) if kind(node) == "VectorSelector"]


def bare(node: Any) -> Any:
    """Without parentheses."""
    while kind(node) == "ParenExpr":
        node = node.expr
    return node


def is_number(node: Any) -> bool:
    """Whether it is a scalar."""
    inner = bare(node)
    if kind(inner) == "UnaryExpr":
        return is_number(inner.expr)
    if kind(inner) == "BinaryExpr":
        return is_number(inner.lhs) and is_number(inner.rhs)
    return kind(inner) == "NumberLiteral" or (kind(inner) == "Call" and inner.func.name in {"time", "scalar", "pi"})


def is_comparison(node: Any) -> bool:
    """Whether it filters by a comparison."""
    inner = bare(node)
    return kind(inner) == "BinaryExpr" and op(inner) in _COMPARISONS


@dataclass
class Inference:
    """
    The labels an expression leaves.

    Args:
        recordings: name to the labels that are known of it.

    ``faults`` are labels that are asked for where they cannot be.
    """

    recordings: Mapping[str, Labels]
    faults: list[str] = field(default_factory=list)

    def of(self, node: Any) -> Labels:
        """The labels of a node's result."""
        match kind(node):
            case "VectorSelector":
                return self._selector(node)
            case "MatrixSelector":
                return self.of(node.vector_selector)
            case "ParenExpr" | "UnaryExpr" | "SubqueryExpr":
                return self.of(node.expr)
            case "AggregateExpr":
                return self._aggregate(node)
            case "Call":
                return self._call(node)
            case "BinaryExpr":
                return self._binary(node)
        return frozenset()

    def _selector(self, node: Any) -> Labels:
        name = node.name or ""
        if name in first.families():
            known: Labels = frozenset(first.labels_of(name)) | TARGET
        else:
            known = self.recordings.get(name)
        for matcher in node.matchers.matchers:
            self._ask(matcher.name, known, f"{name}{{{matcher.name}…}}")
        return known

    def _ask(self, label: str, known: Labels, where: str) -> None:
        if known is not None and label not in known and label != "__name__":
            self.faults.append(f"{where}: there is no label {label}; there are {sorted(known)}")

    def _aggregate(self, node: Any) -> Labels:
        inner = self.of(node.expr)
        if node.modifier is None:
            return frozenset()
        labels = frozenset(node.modifier.labels)
        if "Exclude" in str(node.modifier.type) or "without" in str(node.modifier):
            return None if inner is None else inner - labels
        for label in labels:
            self._ask(label, inner, f"{op(node)} by")
        return labels if inner is None else labels & inner

    def _call(self, node: Any) -> Labels:
        name = node.func.name
        if name in {"vector", "time", "scalar"}:
            for each in node.args:
                self.of(each)
            return frozenset()
        inner = next(
            (self.of(each) for each in node.args if kind(each) not in {"NumberLiteral", "StringLiteral"}), None
        )
        if name in {"label_replace", "label_join"}:
            if name == "label_replace" and node.args[3].val:
                self._ask(node.args[3].val, inner, name)
            return None if inner is None else inner | {node.args[1].val}
        return inner

    def _binary(self, node: Any) -> Labels:
        left, right = self.of(node.lhs), self.of(node.rhs)
        if is_number(node.lhs):
            return right
        if is_number(node.rhs):
            return left
        how = node.modifier
        on = frozenset(how.matching.labels) if how and how.matching else None
        ignoring = how is not None and how.matching is not None and "gnor" in str(how).lower()
        if on is not None and not ignoring:
            for label in on:
                self._ask(label, left, f"on, left of {op(node)}")
                self._ask(label, right, f"on, right of {op(node)}")
        if op(node) == "or":
            return None if left is None or right is None else left | right
        if op(node) in _SETS:
            return left
        card = str(how.card) if how else ""
        if "ManyToOne" in card or "OneToMany" in card:
            many, one = (left, right) if "ManyToOne" in card else (right, left)
            extra = frozenset(how.group_labels or ())
            for label in extra:
                self._ask(label, one, "group_left or group_right")
            return None if many is None else many | extra
        if on is not None and not ignoring:
            return on if left is None else on & left
        return left


def recording_labels(rules: list[dict[str, Any]]) -> tuple[dict[str, Labels], list[str]]:
    """Labels of every recording, in whatever order the files stand; and faults found on the way."""
    records = {rule["record"]: rule for rule in rules if "record" in rule}
    known: dict[str, Labels] = {}
    for _ in range(len(records) + 1):
        before = dict(known)
        for name, rule in records.items():
            known[name] = Inference(known).of(parse(rule["expr"]))
            if known[name] is not None:
                known[name] = known[name] | frozenset(rule.get("labels", {}))  # type: ignore[operator]
        if known == before:
            break
    faults = []
    for name, rule in records.items():
        inference = Inference(known)
        inference.of(parse(rule["expr"]))
        faults += [f"{name}: {fault}" for fault in inference.faults]
    return known, faults
