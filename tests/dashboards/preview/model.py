"""A committed dashboard as what is to be drawn: panels with their places, and how each of their fields looks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COLOURS: Mapping[str, str] = {
    "green": "#73BF69",
    "yellow": "#FADE2A",
    "orange": "#FF9830",
    "red": "#F2495C",
    "blue": "#5794F2",
    "purple": "#B877D9",
    "text": "#CCCCDC",
    "gray": "#808080",
    "transparent": "transparent",
}
"""Grafana's names in its dark theme."""


def colour(name: str) -> str:
    """A colour's name as CSS has it."""
    return COLOURS.get(name, name)


@dataclass(frozen=True)
class Target:
    """A query: its letter, its text, how it is asked (`range`, `instant`) and its legend."""

    ref: str
    expr: str
    legend: str
    instant: bool


@dataclass(frozen=True)
class Link:
    """A link; *new* opens beside."""

    title: str
    url: str
    new: bool


@dataclass(frozen=True)
class Look:
    """
    How a field looks: what holds for all fields of a panel with the overrides that match this one.

    Args:
        properties: by Grafana's names, `custom` flat as ``custom.width``.
    """

    properties: Mapping[str, Any]

    def of(self, name: str, default: Any = None) -> Any:
        """A property."""
        found = self.properties.get(name)
        return default if found is None else found

    @property
    def unit(self) -> str:
        """Its id."""
        return str(self.of("unit", ""))

    @property
    def steps(self) -> list[tuple[float, str]]:
        """From which value on which colour holds."""
        found = self.of("thresholds", {}).get("steps", [])
        return [(-math.inf if each.get("value") is None else float(each["value"]), each["color"]) for each in found]

    @property
    def links(self) -> list[Link]:
        """Of its values."""
        return [Link(each["title"], each["url"], bool(each.get("targetBlank"))) for each in self.of("links", [])]

    def by_threshold(self, value: float | None) -> str:
        """The name of the colour of a value; of none the first."""
        found = "text"
        for least, name in self.steps:
            if least == -math.inf or (value is not None and value >= least):
                found = name
        return found

    def mapped(self, value: float | str | None) -> tuple[str | None, str | None]:
        """The word in place of a value and its colour, each None where nothing is said."""
        for each in self.of("mappings", []):
            result = _matching(each, value)
            if result is not None:
                return result.get("text") or None, result.get("color") or None
        return None, None


def _matching(mapping: Mapping[str, Any], value: float | str | None) -> Mapping[str, Any] | None:
    options = mapping["options"]
    found: Mapping[str, Any] | None = None
    match mapping["type"]:
        case "value":
            text = value if isinstance(value, str) else None if value is None else f"{value:g}"
            found = options.get(text)
        case "range" if isinstance(value, float):
            least, most = options.get("from"), options.get("to")
            if (least is None or value >= least) and (most is None or value <= most):
                found = options["result"]
        case "special":
            if options["match"] == "empty" and value == "":
                return dict(options["result"])
            none = value is None or (isinstance(value, float) and math.isnan(value))
            if options["match"] in {"null", "nan", "null+nan"} and none:
                found = options["result"]
        case _:
            pass
    return found


@dataclass(frozen=True)
class Panel:
    """
    A panel.

    Args:
        place: x, y, width, height in the grid.

        source: its JSON.
    """

    number: int
    kind: str
    title: str
    says: str
    place: tuple[int, int, int, int]
    targets: Sequence[Target]
    links: Sequence[Link]
    source: Mapping[str, Any]

    @property
    def options(self) -> Mapping[str, Any]:
        """Of the kind."""
        found: Mapping[str, Any] = self.source.get("options", {})
        return found

    @property
    def span(self) -> str:
        """Its own range, such as ``24h``; "" for the dashboard's."""
        return str(self.source.get("timeFrom") or "")

    def look(self, *names: str, ref: str = "") -> Look:
        """
        How a field looks.

        Args:
            names: its own and the one that is shown.

            ref: the letter of its query.
        """
        config = self.source.get("fieldConfig", {})
        found = _flat(config.get("defaults", {}))
        for each in config.get("overrides", []):
            matcher = each["matcher"]
            if (matcher["id"] == "byName" and matcher["options"] in names) or (
                matcher["id"] == "byFrameRefID" and matcher["options"] == ref
            ):
                found |= {one["id"]: one["value"] for one in each["properties"]}
        return Look(found)


def _flat(defaults: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in defaults.items() if key != "custom"}
    return found | {f"custom.{key}": value for key, value in defaults.get("custom", {}).items()}


@dataclass(frozen=True)
class Variable:
    """A variable: the label of what metric its values are, unless it is a data source."""

    name: str
    title: str
    kind: str
    label: str = ""
    metric: str = ""
    many: bool = False
    hidden: bool = False


@dataclass(frozen=True)
class Mark:
    """An annotation: a query whose series mark instants."""

    name: str
    expr: str
    title: str
    text: str
    colour: str
    shown: bool


@dataclass(frozen=True)
class Board:
    """A dashboard; *rows* and *panels* stand in their places, folded rows opened."""

    uid: str
    title: str
    says: str
    since: str
    variables: Sequence[Variable]
    links: Sequence[Link]
    marks: Sequence[Mark]
    rows: Sequence[tuple[str, int, bool]] = field(default_factory=tuple)
    panels: Sequence[Panel] = field(default_factory=tuple)

    @property
    def height(self) -> int:
        """Rows of the grid."""
        ends = [panel.place[1] + panel.place[3] for panel in self.panels] + [top + 1 for _, top, _ in self.rows]
        return max(ends, default=0)


def read(path: Path) -> Board:
    """The dashboard of a file."""
    return board(json.loads(path.read_text(encoding="utf-8")))


def board(document: Mapping[str, Any]) -> Board:
    """A dashboard from its JSON."""
    rows, panels = _opened(document.get("panels") or [])
    return Board(
        uid=document["uid"],
        title=document["title"],
        says=document.get("description", ""),
        since=document.get("time", {}).get("from", "now-6h"),
        variables=list(_variables(document.get("templating", {}).get("list", []))),
        links=_links(document.get("links", [])),
        marks=list(_marks(document.get("annotations", {}).get("list", []))),
        rows=rows,
        panels=panels,
    )


def _opened(given: Sequence[Mapping[str, Any]]) -> tuple[list[tuple[str, int, bool]], list[Panel]]:
    rows: list[tuple[str, int, bool]] = []
    panels: list[Panel] = []
    lower = 0
    for each in given:
        if each["type"] != "row":
            panels.append(_panel(each, lower))
            continue
        top = each["gridPos"]["y"]
        rows.append((each.get("title", ""), top + lower, bool(each.get("collapsed"))))
        inside = each.get("panels") or []
        panels += [_panel(panel, lower) for panel in inside]
        if each.get("collapsed"):
            ends = [panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in inside]
            lower += max(0, max(ends, default=top + 1) - top - 1)
    return rows, panels


def _panel(given: Mapping[str, Any], lower: int) -> Panel:
    place = given["gridPos"]
    return Panel(
        number=given["id"],
        kind=given["type"],
        title=given.get("title", ""),
        says=given.get("description", ""),
        place=(place["x"], place["y"] + lower, place["w"], place["h"]),
        targets=[_target(each) for each in given.get("targets", [])],
        links=_links(given.get("links") or []),
        source=given,
    )


def _target(given: Mapping[str, Any]) -> Target:
    return Target(given["refId"], given["expr"], given.get("legendFormat", ""), bool(given.get("instant")))


def _links(given: Sequence[Mapping[str, Any]]) -> list[Link]:
    return [Link(each["title"], each.get("url") or "", bool(each.get("targetBlank"))) for each in given]


_HIDDEN = 2
"""How Grafana says that a variable is not shown."""


def _variables(given: Sequence[Mapping[str, Any]]) -> Iterator[Variable]:
    for each in given:
        label = metric = ""
        if each["type"] == "query":
            text = each["query"]["query"] if isinstance(each["query"], Mapping) else each["query"]
            metric, _, label = text.removeprefix("label_values(").removesuffix(")").rpartition(",")
        yield Variable(
            each["name"],
            each.get("label") or each["name"],
            each["type"],
            label.strip(),
            metric.strip(),
            bool(each.get("includeAll")),
            each.get("hide") == _HIDDEN,
        )


def _marks(given: Sequence[Mapping[str, Any]]) -> Iterator[Mark]:
    for each in given:
        if expr := each.get("expr"):
            yield Mark(
                each["name"],
                expr,
                each.get("titleFormat", ""),
                each.get("textFormat", ""),
                each.get("iconColor", "blue"),
                bool(each.get("enable")),
            )
