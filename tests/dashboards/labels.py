"""What labels a query of a dashboard leaves: the rules' inference, and the aggregations that only dashboards use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.rules import expressions
from tests.rules.expressions import Inference, Labels, op

PICKING = frozenset({"topk", "bottomk"})
"""Aggregations that pick series and leave them as they are."""


@cache
def parse(expr: str) -> Any:
    """The tree of an expression; every check asks for the same ones."""
    return expressions.parse(expr)


@cache
def selectors(expr: str) -> list[tuple[Any, tuple[Any, ...]]]:
    """Every vector selector of an expression, with what is above it."""
    return [
        (node, above) for node, above in expressions.walk(parse(expr)) if expressions.kind(node) == "VectorSelector"
    ]


@dataclass
class Seen(Inference):
    """The labels an expression leaves, `topk` and `count_values` included."""

    def _aggregate(self, node: Any) -> Labels:
        if op(node) in PICKING and node.modifier is None:
            return self.of(node.expr)
        left = super()._aggregate(node)
        if op(node) == "count_values" and left is not None:
            return left | {node.param.val}
        return left


def leaves(expr: str, recordings: Mapping[str, Labels]) -> tuple[Labels, list[str]]:
    """The labels of the result, None where they are not known, and labels that are asked for where they cannot be."""
    seen = Seen(recordings)
    return seen.of(parse(expr)), seen.faults


def alert_labels(rules: list[dict[str, Any]], known: Mapping[str, Labels]) -> frozenset[str]:
    """The labels that ``ALERTS`` has: those of any alert."""
    found = {"alertname", "alertstate"}
    for rule in rules:
        if "alert" in rule:
            found |= (Inference(known).of(parse(rule["expr"])) or frozenset()) | set(rule["labels"])
    return frozenset(found)
