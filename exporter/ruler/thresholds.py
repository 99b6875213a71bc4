"""
Numbers in expressions that a configuration may change: those before a comment at the end of a line.

    aws_efs_utilization:ratio > 0.9  # utilization

is the threshold ``utilization``. Nothing else of an expression is ever replaced. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAMED = re.compile(
    r"(?<![\w.)\]])(?P<number>-?[0-9.]+(?:[eE][+-]?[0-9]+)?)(?P<between>[ ]*# (?P<name>[a-z][a-z0-9_]*))$", re.MULTILINE
)


def named(expr: str) -> list[tuple[str, float]]:
    """Names and numbers of the thresholds in an expression, in its order."""
    return [(found["name"], float(found["number"])) for found in _NAMED.finditer(expr) if _is_number(found["number"])]


def replaced(expr: str, values: Mapping[str, float]) -> str:
    """The expression with other numbers for the thresholds that *values* names."""

    def put(found: re.Match[str]) -> str:
        value = values.get(found["name"])
        return found[0] if value is None or not _is_number(found["number"]) else spelled(value) + found["between"]

    return _NAMED.sub(put, expr)


def spelled(value: float) -> str:
    """A number as PromQL and LogQL read it back."""
    return repr(value).removesuffix(".0")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
