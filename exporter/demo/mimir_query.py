"""
Queries of the simulated remote-write receiver: a plain selector, at one instant or at the steps of a range. Pure.

No functions and no operators: whoever wants PromQL asks a Prometheus. An instant takes the newest sample of the five
minutes before it, unless that is a staleness marker.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from exporter.demo.mimir_store import Series
from exporter.demo.mimir_wire import is_stale

LOOK_BACK = 300.0
MOST_STEPS = 11_000
_SELECTOR = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(?:\{(.*)\})?\s*", re.DOTALL)
_MATCHER = re.compile(r"""\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*""")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


class QueryError(ValueError):
    """A query that cannot be answered; the text says why."""


class Matcher(NamedTuple):
    """One condition on a label; a label that a series has not is ``""``."""

    name: str
    operator: str
    value: str

    def holds(self, value: str) -> bool:
        """Whether a label's value is wanted."""
        found = bool(re.fullmatch(self.value, value)) if "~" in self.operator else value == self.value
        return found != self.operator.startswith("!")


def parse(text: str) -> list[Matcher]:
    """
    The conditions of a selector such as ``up{job="x"}``.

    Raises:
        QueryError: it is no plain selector.
    """
    found = _SELECTOR.fullmatch(text)
    if found is None or not (found[1] or found[2]):
        raise QueryError(f'{text!r} is no plain selector; only such as up{{job="x"}} are answered here')
    matchers = [Matcher("__name__", "=", found[1])] if found[1] else []
    rest = (found[2] or "").strip()
    while rest:
        each = _MATCHER.match(rest)
        if each is None or (each.end() < len(rest) and rest[each.end()] != ","):
            raise QueryError(f"{text!r} is no plain selector: the conditions end at {rest[:40]!r}")
        value = re.sub(r"\\(.)", lambda escaped: _ESCAPED.get(escaped[1], escaped[1]), each[3][1:-1])
        if "~" in each[2]:
            _check(value)
        matchers.append(Matcher(each[1], each[2], value))
        rest = rest[each.end() + 1 :].strip()
    return matchers


def _check(expression: str) -> None:
    try:
        re.compile(expression)
    except re.error as error:
        raise QueryError(f"{expression!r} is no regular expression: {error}") from None


def select(series: Iterable[Series], matchers: list[Matcher]) -> Iterator[Series]:
    """The series that all *matchers* want."""
    for each in series:
        labels = dict(each.labels)
        if all(matcher.holds(labels.get(matcher.name, "")) for matcher in matchers):
            yield each


def instant(series: Iterable[Series], matchers: list[Matcher], at: float) -> dict[str, Any]:
    """The data of the answer to an instant query at *at* (unix seconds)."""
    result = []
    for each in select(series, matchers):
        value = _value(each, at)
        if value is not None:
            result.append({"metric": dict(each.labels), "value": [at, spell(value)]})
    return {"resultType": "vector", "result": result}


def matrix(series: Iterable[Series], matchers: list[Matcher], start: float, end: float, step: float) -> dict[str, Any]:
    """
    The data of the answer to a range query.

    Args:
        series: to choose from.

        matchers: which.

        start: the first instant, unix seconds.

        end: the last one at most.

        step: seconds between two.

    Raises:
        QueryError: the range makes no sense or has too many steps.
    """
    if not step > 0 or not 0 <= end - start < step * MOST_STEPS:
        raise QueryError(f"start, end and step must be a range of at most {MOST_STEPS} steps")
    instants = [start + step * number for number in range(int((end - start) / step) + 1)]
    result = []
    for each in select(series, matchers):
        values = [(at, _value(each, at)) for at in instants]
        shown = [[at, spell(value)] for at, value in values if value is not None]
        if shown:
            result.append({"metric": dict(each.labels), "values": shown})
    return {"resultType": "matrix", "result": result}


def _value(series: Series, at: float) -> float | None:
    found = series.up_to(math.floor(at * 1000), round(LOOK_BACK * 1000))
    return None if found is None or is_stale(found.value) else found.value


def spell(value: float) -> str:
    """A value as Prometheus's answers have it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
