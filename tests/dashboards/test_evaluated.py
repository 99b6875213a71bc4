"""
Every query of the dashboards, put to a real Prometheus that holds what the real exporter delivered, rules evaluated.

A world costs half a minute of a processor, so each is made in one test, which tells all that it finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboards import reading
from tests.dashboards.absent import ABSENT, LEADING_NOWHERE, Absent
from tests.dashboards.checks import EXCEPTIONS, shipped
from tests.dashboards.evaluating import (
    Answer,
    answers,
    broken_rows,
    changed,
    crowded,
    empty,
    namesakes,
    numberless,
    refused,
    unnamed,
)
from tests.dashboards.held import PUSHED, SCRAPED, WINDOW, Held, held, values
from tests.dashboards.linting import PREFIX
from tests.dashboards.renamed import renamed
from tests.dashboards.truths import Seen, untrue

pytestmark = pytest.mark.binary

DOCUMENTS = shipped().documents
OF_PODS = {(PREFIX + each.uid, each.panel) for each in EXCEPTIONS if each.check == "scrapers"}
"""Panels that show each replica."""

VARIABLES = {(each["uid"], name) for each in DOCUMENTS for name in reading.names(each)}


def _asked(world: Held) -> list[Answer]:
    return [each for document in DOCUMENTS for each in answers(world, document)]


def _wrong(found: list[Answer]) -> Iterator[str]:
    """What holds of answers in whatever way the series came."""
    for check in (refused, unnamed, namesakes, crowded, numberless):
        yield from check(found)
    yield from broken_rows(DOCUMENTS, [each for each in found if _panel(each) not in LEADING_NOWHERE])


def _panel(answer: Answer) -> tuple[str, str]:
    return answer.asked.uid.removeprefix(PREFIX), answer.asked.panel


def _missing(found: list[Answer], delivery: str) -> Iterator[str]:
    """Queries without an answer whose condition is not absent; and with one, though it is said to be."""
    absent = {
        key
        for key, (_, there) in ABSENT.items()
        if delivery not in there and (PREFIX + key.uid, key.panel) not in VARIABLES
    }
    there = {Absent(uid.removeprefix(PREFIX), panel, ref) for uid, panel, ref in empty(found)}
    yield from (f"{' / '.join(key)}: nothing" for key in sorted(there - absent))
    if delivery == "scrape":
        yield from (f"{' / '.join(key)}: there is something, or no such query" for key in sorted(absent - there))


def _without_values(world: Held) -> Iterator[str]:
    """Variables without a value, with those before them at each of their own first values."""
    for document in DOCUMENTS:
        before: dict[str, str] = {}
        for each in reading.variables(document):
            if each["type"] != "query":
                continue
            selector, label = reading.values_of(each)
            for chosen in ({}, before):
                found = values(world, reading.filled(selector, chosen, WINDOW), label)
                key = Absent(document["uid"].removeprefix(PREFIX), each["name"], "")
                if not found and key not in ABSENT:
                    yield f"{document['uid']}: {each['name']} has no value with {chosen}"
            before = {**before, **({each["name"]: found[0]} if found else {})}


def _tell(found: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(found))


def test_scraped(tmp_path: Path) -> None:
    """
    Every query is answered, every variable has values, names and links are whole, numbers are those of the world. A
    second replica changes no answer. A label that the rules call otherwise is seen.
    """
    with held(tmp_path, SCRAPED) as world:
        found = _asked(world)
        wrong = _tell(_wrong(found))
        wrong += _tell(_missing(found, "scrape"))
        wrong += _tell(_without_values(world))
        wrong += _tell(untrue(world, Seen(found)))
        world.second_replica()
        wrong += _tell(changed(found, _asked(world), OF_PODS))
        wrong += renamed(world, tmp_path)
    assert wrong == [], "\n".join(wrong)


def test_pushed(tmp_path: Path) -> None:
    """Where the exporter pushes, queries are answered as well, and those about pushing show something."""
    with held(tmp_path, PUSHED) as world:
        found = _asked(world)
        wrong = _tell(_wrong(found))
        pushing = {key for key, (_, there) in ABSENT.items() if "push" in there}
        there = {Absent(uid.removeprefix(PREFIX), panel, ref) for uid, panel, ref in empty(found)}
        wrong += [f"{' / '.join(key)}: nothing" for key in sorted(there & pushing)]
    assert wrong == [], "\n".join(wrong)
