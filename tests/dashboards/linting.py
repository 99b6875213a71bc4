"""
Our own lint of the dashboards: the rules of Grafana's dashboard-linter, and what it does not look at. Each check is a
function from all dashboards to faults; here stand what the checks are given, the checks of shape, and what is let pass.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

from tests.dashboards import reading
from tests.dashboards.labels import alert_labels
from tests.dashboards.reading import Document
from tests.rules.expressions import Labels, recording_labels

PREFIX = "storage-exporter-"
PROMETHEUS = {"type": "prometheus", "uid": "${prometheus_datasource}"}
LOKI = {"type": "loki", "uid": "${loki_datasource}"}
SOURCES = {"prometheus_datasource": "Prometheus data source", "loki_datasource": "Loki data source"}
COLUMNS = 24


class Fault(NamedTuple):
    """What is wrong, and where: a dashboard's uid and the title of a panel (or variable, or mark)."""

    uid: str
    panel: str
    text: str


@dataclass(frozen=True)
class Boards:
    """
    What is looked at.

    Args:
        documents: the dashboards.

        rules: those of Mimir, recordings and alerts.

        thresholds: ``rules/thresholds.yaml``.

        log_rules: those of Loki.
    """

    documents: list[Document]
    rules: list[dict[str, Any]]
    thresholds: Mapping[str, Mapping[str, Mapping[str, Any]]]
    log_rules: list[dict[str, Any]]

    @cached_property
    def recordings(self) -> dict[str, Labels]:
        """Labels of every recording, and of a ruler's own; None where they are not known."""
        return _recordings(json.dumps(self.rules, sort_keys=True))

    def panels(self) -> Iterator[tuple[str, Document]]:
        """Every panel with its dashboard's uid."""
        for document in self.documents:
            for panel in reading.panels(document):
                yield document["uid"], panel


@cache
def _recordings(rules: str) -> dict[str, Labels]:
    given = json.loads(rules)
    known, _ = recording_labels(given)
    alerts = alert_labels(given, known)
    return {**known, "ALERTS": alerts, "ALERTS_FOR_STATE": alerts - {"alertstate"}}


Check = Callable[[Boards], Iterator[Fault]]


def twice(found: Iterable[Any]) -> list[Any]:
    """What is there more than once."""
    return sorted(each for each, number in Counter(found).items() if number > 1)


def unique(boards: Boards) -> Iterator[Fault]:
    """Uids and titles of dashboards, ids and titles of panels, letters of queries: each once."""
    for what in ("uid", "title"):
        for each in twice(document[what] for document in boards.documents):
            yield Fault(each, "", f"two dashboards have the {what} {each}")
    for document in boards.documents:
        uid = document["uid"]
        if not re.fullmatch(rf"{PREFIX}[a-z0-9-]+", uid):
            yield Fault(uid, "", f"the uid does not begin with {PREFIX}")
        every = [*reading.rows(document), *reading.panels(document)]
        for number in twice(panel.get("id") for panel in every):
            yield Fault(uid, "", f"two panels have the id {number}")
        yield from (Fault(uid, panel["title"], "it has no id") for panel in every if not panel.get("id"))
        for title in twice(panel["title"] for panel in reading.panels(document)):
            yield Fault(uid, title, "two panels have this title")
        for name in twice(reading.names(document)):
            yield Fault(uid, name, "two variables have this name")
        for panel in reading.panels(document):
            for letter in twice(target["refId"] for target in panel.get("targets", [])):
                yield Fault(uid, panel["title"], f"two queries have the letter {letter}")


def placed(boards: Boards) -> Iterator[Fault]:
    """Panels lie in 24 columns, none over another, in the order in which they are read."""
    for document in boards.documents:
        top = document.get("panels", [])
        for group in (top, *(row.get("panels", []) for row in top if row["type"] == "row")):
            yield from _overlaps(document["uid"], group)
        if not top:
            yield Fault(document["uid"], "", "it has no panel")


def _overlaps(uid: str, panels: list[Document]) -> Iterator[Fault]:
    taken: dict[tuple[int, int], str] = {}
    before = (0, -1)
    for panel in panels:
        place = panel["gridPos"]
        if place["w"] < 1 or place["h"] < 1 or place["x"] < 0 or place["x"] + place["w"] > COLUMNS:
            yield Fault(uid, panel["title"], f"it stands beyond the page: {place}")
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        if over := {taken[cell] for cell in cells & taken.keys()}:
            yield Fault(uid, panel["title"], f"it lies over {sorted(over)}")
        taken |= dict.fromkeys(cells, str(panel["title"]))
        if (place["y"], place["x"]) <= before:
            yield Fault(uid, panel["title"], "it stands before a panel that is listed earlier")
        before = (place["y"], place["x"])


def described(boards: Boards) -> Iterator[Fault]:
    """Every panel has a title and says in whole sentences what good looks like; so has every dashboard."""
    for document in boards.documents:
        if not document.get("description") or not document.get("title"):
            yield Fault(document["uid"], "", "no title or no description")
    for uid, panel in boards.panels():
        said = panel.get("description") or ""
        if not panel.get("title"):
            yield Fault(uid, "", f"panel {panel.get('id')} has no title")
        if len(said) < 30 or not said.endswith("."):
            yield Fault(uid, panel["title"], f"the description says too little, or has no full stop: {said!r}")
        elif len(said) > 400:
            yield Fault(uid, panel["title"], f"the description has {len(said)} letters: nobody reads that at night")
        if re.match(r"[a-z]+\b", said):
            yield Fault(uid, panel["title"], f"the description does not begin as a sentence does: {said!r}")


def fixed(boards: Boards) -> Iterator[Fault]:
    """Not to be edited, tagged, of a schema that Grafana from 10 on reads, with no id of somebody's database."""
    for document in boards.documents:
        for key, wanted in (("editable", False), ("schemaVersion", 41), ("tags", ["storage-exporter"])):
            if document.get(key) != wanted:
                yield Fault(document["uid"], "", f"{key} is {document.get(key)}, not {wanted}")
        if "id" in document:
            yield Fault(document["uid"], "", "it has an id")


def sources(boards: Boards) -> Iterator[Fault]:
    """A variable a data source, by its usual name and label; everything is asked through it."""
    for document in boards.documents:
        uid = document["uid"]
        there = {each["name"]: each for each in reading.variables(document) if each["type"] == "datasource"}
        for name, each in there.items():
            if SOURCES.get(name) != each.get("label") or each["query"] != name.removesuffix("_datasource"):
                yield Fault(uid, name, f"a data source called {name}, {each.get('label')!r}, of {each['query']}")
        if "prometheus_datasource" not in there:
            yield Fault(uid, "", "no prometheus_datasource")
        if list(reading.logs(document)) and "loki_datasource" not in there:
            yield Fault(uid, "", "panels of logs without loki_datasource")
        for each in (*document["annotations"]["list"], *reading.variables(document)):
            if each.get("type") != "datasource" and each.get("datasource") != PROMETHEUS:
                yield Fault(uid, each["name"], f"it asks {each.get('datasource')}")
        for panel in reading.panels(document):
            wanted = None if panel["type"] == "text" else LOKI if panel["type"] == "logs" else PROMETHEUS
            for place, given in (("", panel), *((target["refId"], target) for target in panel.get("targets", []))):
                if given.get("datasource") != wanted:
                    yield Fault(uid, panel["title"], f"{place} asks {given.get('datasource')}, not {wanted}")


def targets(boards: Boards) -> Iterator[Fault]:
    """A panel asks something, once each, and nothing empty; panels of a moment ask of a moment."""
    for uid, panel in boards.panels():
        given = panel.get("targets", [])
        if panel["type"] == "text":
            if given or not panel["options"]["content"].strip():
                yield Fault(uid, panel["title"], "a text that asks, or says nothing")
            continue
        if not given or not all(target.get("expr", "").strip() for target in given):
            yield Fault(uid, panel["title"], "it asks nothing")
        for expr in twice(target.get("expr") for target in given):
            yield Fault(uid, panel["title"], f"it asks twice for {expr}")
        for target in given:
            if target["datasource"]["type"] == "loki":
                continue
            moment = panel["type"] in {"table", "bargauge"}
            over = panel["type"] in {"timeseries", "state-timeline"}
            if target["instant"] == target["range"] or (moment and target["range"]) or (over and target["instant"]):
                yield Fault(uid, panel["title"], f"{target['refId']} of a {panel['type']} is instant or over a range")
            if (panel["type"] == "table") != (target.get("format") == "table"):
                yield Fault(uid, panel["title"], f"{target['refId']} has the format {target.get('format')}")


def variables(boards: Boards) -> Iterator[Fault]:
    """Values are those of now, everything is everything; each reads only variables before it, and is used."""
    for document in boards.documents:
        uid = document["uid"]
        before: set[str] = set()
        for each in reading.variables(document):
            if each["type"] == "query":
                if each["refresh"] != 2:
                    yield Fault(uid, each["name"], f"refresh is {each['refresh']}, not 2 (when the time changes)")
                if not each.get("label"):
                    yield Fault(uid, each["name"], "it has no label")
                if each["multi"] != each["includeAll"] or (each["multi"] and each.get("allValue") != ".*"):
                    yield Fault(uid, each["name"], "several values without all, or all is not .*")
                try:
                    selector, _ = reading.values_of(each)
                except ValueError as error:
                    yield Fault(uid, each["name"], str(error))
                    continue
                if unknown := set(reading.used(selector)) - before:
                    yield Fault(uid, each["name"], f"it uses {sorted(unknown)}, which stand not before it")
            before.add(each["name"])
        asked = [one.expr for one in (*reading.asked(document), *reading.logs(document))]
        asked += [str(each["query"]) for each in reading.variables(document)]
        of = set(reading.used(" ".join(asked)))
        for name in sorted(of - before):
            yield Fault(uid, name, "it is used and not there")
        for name in sorted(before - of - SOURCES.keys()):
            yield Fault(uid, name, "nothing uses this variable")


SHAPE: tuple[Check, ...] = (unique, placed, described, fixed, sources, targets, variables)
