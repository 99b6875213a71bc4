"""What a real Prometheus answers to the dashboards' queries, and what is wrong with the answers."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.dashboards import reading
from tests.dashboards.held import WINDOW, Held, Result, instant, over, values
from tests.dashboards.linting_links import BY_ROW, where_to
from tests.dashboards.reading import Asked, Document
from tests.prometheus import RefusedError

MOST = 200
"""Series that a panel may have: more nobody can tell apart, and a browser draws them slowly."""

CHOICES = 3
"""Values of a variable that has exactly one, with which the dashboard is asked at the least."""

_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True)
class Answer:
    """
    What came back.

    Args:
        asked: the query.

        chosen: the values of variables that have exactly one.

        series: what there is.

        refused: Prometheus' words, "" where it answered.
    """

    asked: Asked
    chosen: Mapping[str, str]
    series: Sequence[Result] = ()
    refused: str = ""

    @property
    def where(self) -> str:
        """For people."""
        chosen = f" with {dict(self.chosen)}" if self.chosen else ""
        return f"{self.asked.uid} / {self.asked.panel} / {self.asked.ref}{chosen}"

    def name(self, labels: Mapping[str, str]) -> str:
        """What a series is called."""
        return _LABEL.sub(lambda found: labels.get(found[1], ""), self.asked.legend)


def choices(held: Held, document: Document) -> list[dict[str, str]]:
    """
    Values for the variables that have exactly one: of the first what alerts are about, then all; of those after it the
    first value beside it, "" where there is none.
    """
    single = [each for each in reading.variables(document) if each["type"] == "query" and not each["multi"]]
    if not single:
        return [{}]
    name, every = single[0]["name"], _values(held, single[0], {})
    troubled = [each.label(name) for each in held.alerts if each.label(name) in every]
    found = []
    for value in dict.fromkeys([*troubled, *every]):
        chosen = {name: value}
        for other in single[1:]:
            chosen[other["name"]] = next(iter(_values(held, other, chosen)), "")
        found.append(chosen)
    return found


def _values(held: Held, variable: Document, chosen: Mapping[str, str]) -> list[str]:
    selector, label = reading.values_of(variable)
    return values(held, reading.filled(selector, chosen, WINDOW), label)


def answers(held: Held, document: Document) -> list[Answer]:
    """
    All queries of a dashboard. Those that depend on a variable with exactly one value with a few of its values; with
    more, as long as there is nothing to see.
    """
    found = []
    chosen = choices(held, document)
    for one in reading.asked(document):
        depends = set(reading.used(one.expr)) & chosen[0].keys() if chosen else set()
        seen = False
        for number, values_ in enumerate(chosen if depends else chosen[:1]):
            if number < CHOICES or not seen:
                found.append(answer(held, one, values_))
                seen = seen or bool(found[-1].series)
    return found


def answer(held: Held, one: Asked, chosen: Mapping[str, str]) -> Answer:
    """One query: at the end, or where there is nothing, at the end of an earlier trouble."""
    expr = reading.filled(one.expr, chosen, WINDOW)
    try:
        if one.how == "range":
            return Answer(one, chosen, over(held, expr))
        found = (instant(held, expr, at) for at in reversed(held.moments))
        return Answer(one, chosen, next((each for each in found if each), []))
    except RefusedError as error:
        return Answer(one, chosen, refused=str(error))


# ---- what is wrong ------------------------------------------------------------------------------------------------


def refused(found: Sequence[Answer]) -> Iterator[str]:
    """Prometheus answers."""
    yield from (f"{each.where}: {each.refused}" for each in found if each.refused)


def empty(found: Sequence[Answer]) -> set[tuple[str, str, str]]:
    """Queries without any series, for whatever is chosen: uid, panel, letter."""
    there: dict[tuple[str, str, str], bool] = defaultdict(bool)
    for each in found:
        there[(each.asked.uid, each.asked.panel, each.asked.ref)] |= bool(each.series) or bool(each.refused)
    return {key for key, any_ in there.items() if not any_}


def unnamed(found: Sequence[Answer]) -> Iterator[str]:
    """Every series has one of the labels by which it is called (some are called one way or another)."""
    for each in found:
        for labels, _ in each.series:
            if each.asked.labels and not any(labels.get(name) for name in each.asked.labels):
                yield f"{each.where}: the legend shows {each.asked.labels}, a series has {dict(labels)}"


def namesakes(found: Sequence[Answer]) -> Iterator[str]:
    """No two series of a panel are called the same."""
    panels: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for each in found:
        if each.asked.kind in {"table", "annotation"}:
            continue
        key = (each.asked.uid, each.asked.panel, str(dict(each.chosen)))
        panels[key] += [each.name(labels) for labels, _ in each.series]
    for key, names in panels.items():
        if twice := [name for name, number in Counter(names).items() if number > 1]:
            yield f"{' / '.join(key)}: several series are called {twice[:3]}"


def crowded(found: Sequence[Answer]) -> Iterator[str]:
    """A panel has not more series (or rows) than can be told apart."""
    panels: Counter[tuple[str, str, str]] = Counter()
    for each in found:
        key = (each.asked.uid, each.asked.panel, str(dict(each.chosen)))
        rows = each.asked.kind == "table"
        panels[key] = max(panels[key], len(each.series)) if rows else panels[key] + len(each.series)
    yield from (f"{' / '.join(key)}: {number} series" for key, number in panels.items() if number > MOST)


def numberless(found: Sequence[Answer]) -> Iterator[str]:
    """What is shown as of now is a number."""
    for each in found:
        if each.asked.kind != "annotation":
            for labels, course in each.series:
                if not math.isfinite(course[-1][1]):
                    yield f"{each.where}: {course[-1][1]} of {dict(labels)}"


def broken_rows(documents: Sequence[Document], found: Sequence[Answer]) -> Iterator[str]:
    """
    A row has all that one of its links needs (of several, some are for other kinds of rows); where it names its
    dashboard itself, that is there, with what it sets.
    """
    there = {document["uid"]: document for document in documents}
    panels = {(uid, panel["title"]): panel for uid in there for panel in reading.panels(there[uid])}
    for each in found:
        panel = panels.get((each.asked.uid, each.asked.panel))
        if panel is None or panel["type"] != "table":
            continue
        urls = {url for url, row in where_to(panel) if row}
        for labels, _ in each.series:
            if urls and not any(_leads(there, url, labels) for url in urls):
                yield f"{each.where}: a row leads nowhere: {dict(labels)}"


def _leads(there: Mapping[str, Document], url: str, labels: Mapping[str, str]) -> bool:
    needed = re.findall(r"fields\.(\w+)\}", url)
    if not all(labels.get(name) for name in needed):
        return False
    if not (by_row := BY_ROW.fullmatch(url)):
        return True
    target = there.get(f"storage-exporter-{labels[by_row[1]]}")
    sets = re.findall(r"var-(\w+)=", labels.get(by_row[2], ""))
    return target is not None and set(sets) <= set(reading.names(target))


def changed(before: Sequence[Answer], after: Sequence[Answer], but: Collection[tuple[str, str]]) -> Iterator[str]:
    """Queries whose last values are others than before, or that are refused now; *but* are dashboards' panels."""
    for one, other in zip(before, after, strict=True):
        if (one.asked.uid, one.asked.panel) in but:
            continue
        if other.refused and not one.refused:
            yield f"{one.where}: {other.refused}"
        elif (mine := _last(one)) != (theirs := _last(other)):
            differ = sorted(str(key) for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key))
            yield f"{one.where}: {len(differ)} series differ, such as {differ[0]}"


def _last(given: Answer) -> dict[frozenset[tuple[str, str]], str]:
    return {frozenset(labels.items()): f"{course[-1][1]:.9g}" for labels, course in given.series}
