"""In what an expression counts: seconds, bytes, a ratio; by the families' units, the recordings' names and the tree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rules.build import first
from tests.dashboards.labels import parse
from tests.rules.expressions import bare, is_number, kind, op

UNITS: Mapping[str, frozenset[str]] = {
    "seconds": frozenset({"s", "dtdurations", "dtdhms", "clocks"}),
    "bytes": frozenset({"bytes", "decbytes"}),
    "bytes_per_second": frozenset({"Bps", "binBps"}),
    "ratio": frozenset({"percentunit"}),
    "iops": frozenset({"iops", "ops"}),
    "per_second": frozenset({"ops", "iops", "reqps", "rps", "wps", "cps", "eps", "mps", "recps", "rowsps", "pps"}),
    "dollars": frozenset({"currencyUSD"}),
    "quotient": frozenset({"percentunit", "none", "short"}),
    "count": frozenset({"none", "short", "sishort", "locale"}),
}
"""Grafana's units of each."""

_RECORDED = (
    (r"bytes_per_second", "bytes_per_second"),
    (r"(seconds|eta).*", "seconds"),
    (r"ratio.*", "ratio"),
    (r"bytes", "bytes"),
    (r"dollars.*", "dollars"),
    (r"per_second", "per_second"),
    (r"count", "count"),
)
_SAME = frozenset(
    """
    abs avg_over_time ceil clamp_max clamp_min delta floor increase label_join label_replace last_over_time
    max_over_time min_over_time predict_linear quantile_over_time round sort sort_desc stddev_over_time clamp
    """.split()  # noqa: SIM905 - a list of words
)
_KEEPING = frozenset({"max", "min", "avg", "sum", "topk", "bottomk", "quantile", "stddev"})
_PER_SECOND = {"bytes": "bytes_per_second", "count": "per_second", "seconds": "ratio"}


@dataclass
class Dimensions:
    """
    Args:
        expressions: those of the recordings, by name.
    """

    expressions: Mapping[str, str]
    _known: dict[str, str] = field(default_factory=dict)

    def of(self, node: Any) -> str:
        """One of `UNITS`, "" where it is not known."""
        inner = bare(node)
        match kind(inner):
            case "VectorSelector":
                return self.named(inner.name or "")
            case "MatrixSelector":
                return self.of(inner.vector_selector)
            case "SubqueryExpr" | "UnaryExpr":
                return self.of(inner.expr)
            case "AggregateExpr":
                return self.of(inner.expr) if op(inner) in _KEEPING else "count" if op(inner) == "count" else ""
            case "Call":
                return self._call(inner)
            case "BinaryExpr":
                return self._binary(inner)
        return ""

    def named(self, name: str) -> str:
        """Of a recording or a family."""
        if name in self._known:
            return self._known[name]
        self._known[name] = ""  # where it reads itself
        found = ""
        if name in first.families():
            unit = str(first.family(name)["unit"])
            found = {"ops_per_second": "per_second"}.get(unit, unit if unit in UNITS else "")
        elif name in self.expressions:
            last = name.rpartition(":")[2]
            said = next((what for pattern, what in _RECORDED if re.fullmatch(pattern, last)), "")
            found = said or self.of(parse(self.expressions[name]))
        self._known[name] = found
        return found

    def _call(self, node: Any) -> str:
        name = node.func.name
        inner = next((each for each in node.args if kind(each) not in {"NumberLiteral", "StringLiteral"}), None)
        if inner is None:
            return ""
        if name in _SAME:
            return self.of(inner)
        if name in {"rate", "irate"}:
            return _PER_SECOND.get(self.of(inner), "")
        return ""

    def _binary(self, node: Any) -> str:
        left, right = self.of(node.lhs), self.of(node.rhs)
        match op(node):
            case "and" | "or" | "unless" | ">" | "<" | ">=" | "<=" | "==" | "!=":
                return left
            case "+" | "-":
                return left if left == right or is_number(node.rhs) else ""
            case "/":
                return "quotient" if left == right and left else ""
            case "*":
                return left if self._is_one(node.rhs) else right if self._is_one(node.lhs) else ""
        return ""

    def _is_one(self, node: Any) -> bool:
        inner = bare(node)
        if kind(inner) == "AggregateExpr":
            return self._is_one(inner.expr) or op(inner) == "group"
        return kind(inner) == "VectorSelector" and str(inner.name).endswith((":info", "_info"))
