"""A dashboard's queries, put to a Prometheus: variables chosen, spans filled in, series named by their legends."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.dashboards.preview.model import Board, Mark, Panel, Target, Variable
from tests.prometheus import Prometheus, RefusedError

MOST = 10_000
"""Points that Prometheus gives a series in one answer."""


@dataclass(frozen=True)
class Line:
    """
    A series.

    Args:
        labels: of it.

        points: instants (unix seconds) and values, ascending.

        name: of the legend.

        ref: the letter of its query.
    """

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]
    name: str = ""
    ref: str = ""


class Source(Protocol):
    """What answers queries."""

    def instant(self, expr: str, at: float) -> list[Line]:
        """Each series at an instant."""

    def span(self, expr: str, start: float, end: float, step: float) -> list[Line]:
        """Each series over time."""

    def values(self, label: str, metric: str, at: float) -> list[str]:
        """The values of a label at an instant, sorted."""


class Server:
    """A running Prometheus as a source."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    def instant(self, expr: str, at: float) -> list[Line]:
        """Each series at an instant; refusals pass through."""
        return [Line(each.labels, [(at, each.value)]) for each in self._prometheus.ask(expr, at)]

    def span(self, expr: str, start: float, end: float, step: float) -> list[Line]:
        """Each series over time, asked piece by piece."""
        found: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        while start <= end:
            last = min(end, start + (MOST - 1) * step)
            data = self._prometheus.get(
                "/api/v1/query_range", query=expr, start=str(start), end=str(last), step=str(step)
            )
            for each in data["result"]:
                points = found.setdefault(tuple(sorted(each["metric"].items())), [])
                points += [(float(at), float(value)) for at, value in each["values"]]
            start = last + step
        return [Line(dict(labels), points) for labels, points in found.items()]

    def values(self, label: str, metric: str, at: float) -> list[str]:
        """The values of a label of what is there at an instant."""
        found = {each.labels.get(label, "") for each in self._prometheus.ask(metric, at)}
        return sorted(found - {""}, key=str.lower)

    def oldest(self, expr: str, start: float, end: float) -> float:
        """Unix seconds of the first point of a query within a span, to five minutes; its end where there is none."""
        firsts = [line.points[0][0] for line in self.span(expr, start, end, 300.0)]
        return min(firsts, default=end)


@dataclass(frozen=True)
class Window:
    """
    The time that is shown.

    Args:
        start, end: unix seconds.

        step: seconds between two points.

        leap: seconds that our scenes leave out at a time, which is no gap in what they tell.
    """

    start: float
    end: float
    step: float
    leap: float = 0.0

    @property
    def gap(self) -> float:
        """Seconds without a point after which a line is not drawn on."""
        return max(self.step * 1.5, self.leap)


@dataclass
class Answer:
    """What came of a panel's queries: series by the queries' letters, and what went wrong."""

    lines: dict[str, list[Line]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def all(self) -> list[Line]:
        """The series of all queries, in their order."""
        return [line for lines in self.lines.values() for line in lines]


@dataclass(frozen=True)
class Choice:
    """The value of a variable: in queries, and shown."""

    value: str
    text: str


class Desk:
    """
    Asks for one dashboard.

    Args:
        source: answers.

        board: the dashboard.

        windows: what is shown of a range such as ``now-6h``.

        wanted: values of variables that are not left to choose.
    """

    def __init__(
        self, source: Source, board: Board, windows: Callable[[str], Window], wanted: Mapping[str, str] | None = None
    ) -> None:
        self.source = source
        self.board = board
        self._windows = functools.cache(windows)
        self.window = self._windows(board.since)
        self.chosen: dict[str, Choice] = {}
        for each in board.variables:
            self.chosen[each.name] = self._choose(each, (wanted or {}).get(each.name, ""))

    def _choose(self, variable: Variable, wanted: str) -> Choice:
        if variable.kind == "datasource":
            return Choice("", "Loki" if "loki" in variable.name else "Mimir")
        if wanted:
            return Choice(wanted, wanted)
        if variable.many:
            return Choice(".*", "All")
        there = self.source.values(variable.label, self.filled(variable.metric), self.window.end)
        # What an alert spoke of meanwhile is worth more to look at than what stands first.
        length = self.window.end - self.window.start
        alarms = self.source.instant(f'max_over_time(ALERTS{{alertstate="firing"}}[{length:.0f}s])', self.window.end)
        alarms.sort(key=lambda line: line.labels.get("severity") != "critical")
        alarmed = [line.labels.get(variable.label, "") for line in alarms]
        first = next((each for each in alarmed if each in there), there[0] if there else "")
        return Choice(first, first or "–")

    def shown(self, panel: Panel) -> Window:
        """The time that a panel shows: the dashboard's, or its own."""
        return self._windows(f"now-{panel.span}") if panel.span else self.window

    def filled(self, text: str, labels: Mapping[str, str] | None = None, window: Window | None = None) -> str:
        """
        A text with what Grafana puts in place of its variables.

        Args:
            text: a query or an address.

            labels: of the row or the series that a link belongs to.

            window: of a panel with its own time.
        """
        span = window or self.window
        step = span.step
        known = {
            "__rate_interval": f"{max(step + 60, 240):.0f}s",
            "__interval": f"{step:.0f}s",
            "__range": f"{span.end - span.start:.0f}s",
            "__range_s": f"{span.end - span.start:.0f}",
            "__from": f"{span.start * 1000:.0f}",
            "__to": f"{span.end * 1000:.0f}",
            "__url_time_range": f"from={span.start * 1000:.0f}&to={span.end * 1000:.0f}",
            **{name: choice.value for name, choice in self.chosen.items()},
        }

        def replace(found: re.Match[str]) -> str:
            name, _, form = (found["braced"] or found["plain"]).partition(":")
            if form == "queryparam":
                choice = self.chosen.get(name)
                return f"var-{name}={'$__all' if choice and choice.value == '.*' else choice.value if choice else ''}"
            for start in ("__data.fields.", "__field.labels."):
                if name.startswith(start):
                    return (labels or {}).get(name.removeprefix(start), "")
            return known.get(name, found[0])

        return re.sub(r"\$\{(?P<braced>[^}]+)\}|\$(?P<plain>\w+)", replace, text)

    def answer(self, panel: Panel) -> Answer:
        """All queries of a panel."""
        found = Answer()
        for target in panel.targets:
            try:
                lines = self._ask(target, self.shown(panel))
            except RefusedError as error:
                found.wrong.append(f"{target.ref}: {error}")
                lines = []
            names = legends(target, lines)
            found.lines[target.ref] = [
                Line(line.labels, line.points, name, target.ref) for line, name in zip(lines, names, strict=True)
            ]
        return found

    @staticmethod
    def nothing() -> Answer:
        """Of a panel without queries to a Prometheus."""
        return Answer()

    def _ask(self, target: Target, window: Window) -> list[Line]:
        expr = self.filled(target.expr, window=window)
        if target.instant:
            return self.source.instant(expr, window.end)
        return self.source.span(expr, window.start, window.end, window.step)

    def marks(self) -> Iterator[tuple[Mark, str, float, float]]:
        """Annotations that are switched on: the mark, its words, from when to when."""
        for mark in self.board.marks:
            if not mark.shown:
                continue
            step = self.window.step
            for line in self.source.span(self.filled(mark.expr), self.window.start, self.window.end, step):
                words = " – ".join(filter(None, (lettered(mark.title, line.labels), lettered(mark.text, line.labels))))
                for start, end in runs([at for at, value in line.points if value and not math.isnan(value)], step):
                    yield mark, words, start, end


def runs(instants: Sequence[float], step: float) -> list[tuple[float, float]]:
    """First and last of instants that follow each other without a gap."""
    found: list[tuple[float, float]] = []
    for at in instants:
        if found and at - found[-1][1] <= step * 1.5:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found


def lettered(text: str, labels: Mapping[str, str]) -> str:
    """A legend with its labels; one that is not there is left as Grafana leaves it, empty."""
    return re.sub(r"\{\{\s*(.+?)\s*\}\}", lambda found: labels.get(found[1], ""), text)


def legends(target: Target, lines: Sequence[Line]) -> list[str]:
    """The names of a query's series."""
    if target.legend and target.legend != "__auto":
        return [lettered(target.legend, line.labels) for line in lines]
    if len(lines) == 1:
        return [lines[0].labels.get("__name__", "") or _labelled(lines[0].labels) or target.expr]
    same = set.intersection(*(set(line.labels.items()) for line in lines)) if lines else set()
    return [_labelled(dict(set(line.labels.items()) - same)) or target.expr for line in lines]


def _labelled(labels: Mapping[str, str]) -> str:
    plain = {name: value for name, value in labels.items() if name != "__name__"}
    if len(plain) == 1:
        return next(iter(plain.values()))
    return ", ".join(f"{name}={value}" for name, value in sorted(plain.items()))
