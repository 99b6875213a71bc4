"""The dashboards' lint of how values look: units, and thresholds that are the alerts' own."""

from __future__ import annotations

import ast
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.models import units as sdk

import dashboards.build
from dashboards.build.thresholds import TIME_LEFT
from tests.dashboards import reading
from tests.dashboards.dimensions import UNITS, Dimensions
from tests.dashboards.labels import parse, selectors
from tests.dashboards.linting import Boards, Check, Fault

BUILD = Path(dashboards.build.__file__).parent
KNOWN = {unit for hint in typing.get_type_hints(sdk).values() for unit in typing.get_args(hint)}
"""The units that Grafana has."""

ONE = 1.0
_LIBRARY = frozenset({"fields", "links", "models", "page", "panels", "queries", "tables", "thresholds", "writing"})
_LEFT = {value for value, _ in TIME_LEFT.steps() if value is not None}


@dataclass(frozen=True)
class Shown:
    """
    What a panel shows in one way.

    Args:
        what: a column, or the letter of a query; "" for all of a panel.

        unit: Grafana's.

        steps: where colours change.

        exprs: PromQL.

        words: whether words stand in place of values.
    """

    what: str
    unit: str
    steps: tuple[float, ...]
    exprs: tuple[str, ...]
    words: bool


def shown(panel: reading.Document) -> Iterator[Shown]:
    """A panel's values: a table's by column; of others those of the panel, and those of queries with their own unit."""
    queries = {each["refId"]: each["expr"] for each in panel.get("targets", [])}
    if panel["type"] == "table":
        for column in reading.columns(panel):
            steps = _steps(column.properties.get("thresholds"))
            words = _words(column.properties.get("mappings"))
            unit = column.properties.get("unit", "none")
            # A column of which nothing is said is hidden.
            if column.properties and "unit" in column.properties:
                yield Shown(column.name, unit, steps, (queries.get(column.ref, ""),), words)
        return
    defaults = panel["fieldConfig"]["defaults"]
    own = {}
    for override in panel["fieldConfig"]["overrides"]:
        for each in override["properties"]:
            if each["id"] == "unit":
                own[override["matcher"]["options"]] = each["value"]
    words = _words(defaults.get("mappings"))
    plain = tuple(expr for ref, expr in queries.items() if ref not in own)
    yield Shown("", defaults.get("unit", ""), _steps(defaults.get("thresholds")), plain, words)
    for ref, unit in own.items():
        yield Shown(ref, unit, (), (queries[ref],), words)


def _words(mappings: Sequence[Mapping[str, Any]] | None) -> bool:
    """Whether words stand in place of numbers, not only of nothing."""
    return any(each["type"] != "special" for each in mappings or [])


def _steps(thresholds: Mapping[str, Any] | None) -> tuple[float, ...]:
    return tuple(each["value"] for each in (thresholds or {}).get("steps", []) if each["value"] is not None)


def units(boards: Boards) -> Iterator[Fault]:
    """Every value has a unit that Grafana knows, the one in which the query counts."""
    dimensions = _dimensions(boards)
    for uid, panel in boards.panels():
        if panel["type"] in {"text", "logs"}:
            continue
        for each in shown(panel):
            if each.unit not in KNOWN:
                yield Fault(uid, panel["title"], f"{each.what} has the unit {each.unit!r}, which Grafana does not know")
            for expr in each.exprs:
                counted = dimensions.of(parse(reading.for_tree(expr)))
                if counted and not each.words and each.unit not in UNITS[counted]:
                    yield Fault(uid, panel["title"], f"{each.what} counts in {counted}, shown as {each.unit}: {expr}")


def thresholds(boards: Boards) -> Iterator[Fault]:
    """
    Colours change at a number of an alert that is about the same: in the unit shown, and one that reads what the panel
    reads; or at the time that is left before something runs out; or at one: the first of what there
    should be none of, or all of what is allowed.
    """
    for uid, panel in boards.panels():
        if panel["type"] in {"text", "logs"}:
            continue
        for each in shown(panel):
            read = {name for expr in each.exprs for name in _below(boards, reading.for_tree(expr))}
            for value in each.steps:
                if value in _LEFT and each.unit in UNITS["seconds"]:
                    continue
                if value == ONE and each.unit in UNITS["count"] | UNITS["ratio"]:
                    continue
                fitting = _alerts_with(boards, value, each.unit)
                if not any(read & _of_alert(boards, alert) for alert in fitting):
                    why = f"{sorted(fitting)} are about something else" if fitting else "no alert has it in that unit"
                    yield Fault(uid, panel["title"], f"{each.what} changes colour at {value:g} {each.unit}: {why}")
            if list(each.steps) != sorted(each.steps):
                yield Fault(uid, panel["title"], f"{each.what}: the steps do not rise: {each.steps}")


def _alerts_with(boards: Boards, value: float, unit: str) -> set[str]:
    return {
        alert
        for alert, given in boards.thresholds.items()
        for entry in given.values()
        if float(entry["value"]) == value and unit in UNITS.get(entry["unit"], frozenset())
    }


def _of_alert(boards: Boards, alert: str) -> set[str]:
    expressions = (rule["expr"] for rule in boards.rules if rule.get("alert") == alert)
    return {name for expr in expressions for name in _below(boards, expr)}


def _below(boards: Boards, expr: str) -> set[str]:
    """The metrics that an expression reads, and what those are made of; without those that only say who is who."""
    made = {rule["record"]: rule["expr"] for rule in boards.rules if "record" in rule}
    found: set[str] = set()
    ahead = [expr]
    while ahead:
        for node, _ in selectors(ahead.pop()):
            name = node.name or ""
            if name in found or name.endswith((":info", "_info")):
                continue
            found.add(name)
            ahead += [made[name]] if name in made else []
    return found


def _dimensions(boards: Boards) -> Dimensions:
    return Dimensions({rule["record"]: rule["expr"] for rule in boards.rules if "record" in rule})


def bare_numbers(folder: Path = BUILD) -> Iterator[tuple[str, int, str]]:
    """Limits in the dashboards' modules that are written as numbers: module, line and text."""
    for module, call in _limits(folder):
        given = [*call.args, *(each.value for each in call.keywords)]
        if any(_number(each) for each in given):
            yield module, call.lineno, ast.unparse(call)


def _number(node: ast.expr) -> bool:
    """Whether it is a number that is only written; that there is one at all is let pass, and so is a multiple."""
    inner = list(ast.walk(node))
    if any(isinstance(each, ast.Call) and _called(each) == "number" for each in inner):
        return False
    found = [each.value for each in inner if isinstance(each, ast.Constant)]
    return any(isinstance(value, int | float) and value != ONE for value in found)


def unread_units(folder: Path = BUILD) -> Iterator[tuple[str, int, str]]:
    """Limits whose ``number`` does not say in which unit it is wanted."""
    for module, call in _limits(folder):
        for node in ast.walk(call):
            bare = isinstance(node, ast.Call) and _called(node) == "number" and len(node.args) < 3
            if isinstance(node, ast.Call) and bare and "of" not in {each.arg for each in node.keywords}:
                yield module, node.lineno, ast.unparse(node)


def _limits(folder: Path) -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(folder.glob("*.py")):
        if path.stem not in _LIBRARY:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and _called(node) in {"high", "low", "Limit"}:
                    yield path.stem, node


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else re.sub(r"^.*\.", "", ast.unparse(node.func))


VALUES: tuple[Check, ...] = (units, thresholds)
