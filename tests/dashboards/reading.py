"""
The committed dashboards as documents: their panels, queries, variables and the columns of their tables. What is said of
them stands elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.tools import ROOT

FOLDER = ROOT / "dashboards"
Document = dict[str, Any]

RATE, RANGE, INTERVAL = "7m7s", "11m11s", "13m13s"
"""What Grafana's own variables become where only the tree is looked at: durations that nobody writes."""

_TREE = {"$__rate_interval": RATE, "$__range": RANGE, "$__interval": INTERVAL}
_VARIABLE = re.compile(r"\$\{([a-zA-Z_]\w*)(?::\w+)?\}|\$([a-zA-Z_]\w*)")
_VALUES = re.compile(r"label_values\((.*),\s*(\w+)\)", re.DOTALL)
_LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True)
class Asked:
    """
    A query of a panel or an annotation.

    Args:
        uid: of the dashboard.

        panel: its title, or the annotation's name.

        ref: its letter.

        expr: as it is written.

        how: ``range`` or ``instant``.

        legend: as it is written.

        kind: of the panel, or ``annotation``.
    """

    uid: str
    panel: str
    ref: str
    expr: str
    how: str
    legend: str
    kind: str

    @property
    def tree(self) -> str:
        """The expression with durations where Grafana has variables, for a parser."""
        return for_tree(self.expr)

    @property
    def labels(self) -> list[str]:
        """Those that the legend names."""
        return _LEGEND.findall(self.legend)


@dataclass(frozen=True)
class Value:
    """
    A value's column of a table.

    Args:
        name: the heading.

        ref: the letter of its query.

        properties: what the panel says of it, by id.
    """

    name: str
    ref: str
    properties: Mapping[str, Any]


def committed() -> list[Document]:
    """All dashboards, by name of file."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]


def panels(document: Document) -> Iterator[Document]:
    """Those that show something, also in folded rows."""
    for panel in document.get("panels", []):
        if panel["type"] == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def rows(document: Document) -> Iterator[Document]:
    """The headings."""
    yield from (panel for panel in document.get("panels", []) if panel["type"] == "row")


def variables(document: Document) -> list[Document]:
    """In their order."""
    found: list[Document] = document["templating"]["list"]
    return found


def names(document: Document) -> list[str]:
    """Of the variables."""
    return [str(each["name"]) for each in variables(document)]


def values_of(variable: Document) -> tuple[str, str]:
    """
    The selector and the label that a variable's values are asked by.

    Raises:
        ValueError: it is no ``label_values(selector, label)``.
    """
    found = _VALUES.fullmatch(str(variable["query"]["query"]))
    if found is None:
        raise ValueError(f"{variable['name']}: {variable['query']['query']!r} is no label_values(selector, label)")
    return found[1], found[2]


def asked(document: Document) -> Iterator[Asked]:
    """All PromQL of panels and annotations."""
    uid = document["uid"]
    for panel in panels(document):
        for target in panel.get("targets", []):
            if target["datasource"]["type"] == "prometheus":
                how = "instant" if target["instant"] else "range"
                legend = target.get("legendFormat", "")
                yield Asked(uid, panel["title"], target["refId"], target["expr"], how, legend, panel["type"])
    for mark in document["annotations"]["list"]:
        legend = f"{mark.get('titleFormat', '')} {mark.get('textFormat', '')}"
        yield Asked(uid, mark["name"], "", mark["expr"], "range", legend, "annotation")


def logs(document: Document) -> Iterator[Asked]:
    """All LogQL."""
    for panel in panels(document):
        for target in panel.get("targets", []):
            if target["datasource"]["type"] == "loki":
                yield Asked(
                    document["uid"], panel["title"], target["refId"], target["expr"], "range", "", panel["type"]
                )


def for_tree(expr: str) -> str:
    """With durations for Grafana's variables, the dashboard's own left where they stand."""
    for name, duration in _TREE.items():
        expr = expr.replace(name, duration)
    return expr


def used(text: str) -> list[str]:
    """The variables that a text uses, Grafana's own left out."""
    found = [one or other for one, other in _VARIABLE.findall(text)]
    return [name for name in found if not name.startswith("__")]


def filled(text: str, values: Mapping[str, str], window: int) -> str:
    """
    A query as Grafana sends it.

    Args:
        text: as it is written.

        values: of variables; those that are missing are everything.

        window: seconds of the dashboard's range.
    """
    own = {"__rate_interval": "5m", "__range": f"{window}s", "__interval": "1m", "__auto": "1m"}

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return own[name] if name in own else values.get(name, ".*")

    return _VARIABLE.sub(value, text)


def keys(panel: Document) -> list[str]:
    """The labels that are columns of a table."""
    return [name for name in _organized(panel)["indexByName"] if not name.startswith("Value")]


def headings(panel: Document) -> dict[str, str]:
    """Heading to label or value of a table's columns."""
    renamed = _organized(panel)["renameByName"]
    return {renamed.get(name, name): name for name in _organized(panel)["indexByName"]}


def columns(panel: Document) -> list[Value]:
    """The values of a table, in their order."""
    said: dict[str, dict[str, Any]] = {}
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["id"] == "byName":
            of = said.setdefault(override["matcher"]["options"], {})
            of.update({each["id"]: each["value"] for each in override["properties"]})
    return [
        Value(heading, name.removeprefix("Value").removeprefix(" #") or "A", said.get(heading, {}))
        for heading, name in headings(panel).items()
        if name.startswith("Value")
    ]


def _organized(panel: Document) -> Document:
    found: Document = next(each["options"] for each in panel["transformations"] if each["id"] == "organize")
    return found
