"""
The LogQL rules as data, their fixtures of real log lines, and what a fixture says of a rule.

A fixture is ``tests/rules/logs/<Alert>.yaml``:

    severity, component, for    what the rule must say
    labels                      of the stream that the lines are in; `by`: those that the alert carries
    fires                       when lines are written so that the alert fires: "3@2 1@10" is three lines two minutes
                                ago and one ten minutes ago
    quiet                       when lines are written so that it does not
    match                       lines; each alone, written as any of `fires` says, fires with the labels in `found`
    noise                       lines that do not, however often; `labels` where they are in another stream
    also_from, not_from         labels of other streams, from which the first line of `match` does and does not count
    cases                       where more than one kind of line plays: `lines` with their `when`, `fires` the labels
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.rules.logql import Compare, Expr, Query, Range, SetOf, Sum, parse
from tests.rules.logql_run import Line, evaluate

ROOT = Path(__file__).resolve().parent.parent.parent
RULES = ROOT / "rules" / "loki"
LOGS = Path(__file__).resolve().parent / "logs"


@dataclass(frozen=True)
class Rule:
    """An alert of `rules/loki/`."""

    alert: str
    file: str
    group: str
    text: str
    expr: Expr
    wait: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True)
class Said:
    """A line of a fixture: its text, the labels of its stream, and the labels that the alert takes from it."""

    text: str
    labels: Mapping[str, str]
    found: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""


@dataclass(frozen=True)
class Case:
    """Lines of several kinds, and the labels with which the alert then fires, None where it does not."""

    name: str
    lines: tuple[tuple[Said, str], ...]
    fires: Mapping[str, str] | None


@dataclass(frozen=True)
class Fixture:
    """What lines an alert is held to; see the module's text."""

    severity: str
    component: str
    wait: str
    by: tuple[str, ...]
    fires: tuple[str, ...]
    quiet: tuple[str, ...]
    match: tuple[Said, ...]
    noise: tuple[Said, ...]
    also_from: tuple[Said, ...]
    not_from: tuple[Said, ...]
    cases: tuple[Case, ...]


def rules() -> list[Rule]:
    """All of them, in the order of the files."""
    found: list[Rule] = []
    for path in sorted(RULES.glob("*.yaml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            found += [_rule(path.stem, group["name"], each) for each in group["rules"]]
    return found


def _rule(file: str, group: str, raw: Mapping[str, Any]) -> Rule:
    text = raw["expr"]
    return Rule(raw["alert"], file, group, text, parse(text), raw["for"], raw["labels"], raw["annotations"])


@cache
def fixture(alert: str) -> Fixture:
    """What is said of *alert*."""
    raw = yaml.safe_load((LOGS / f"{alert}.yaml").read_text(encoding="utf-8"))
    stream = raw["labels"]

    def said(each: Any) -> Said:
        if isinstance(each, str):
            return Said(each.rstrip("\n"), stream)
        labels = {k: v for k, v in (stream | each.get("labels", {})).items() if v}
        return Said(each["line"].rstrip("\n"), labels, each.get("found", {}), each.get("summary", ""))

    match = tuple(said(each) for each in raw.get("match", []))
    elsewhere = {
        key: tuple(
            Said(match[0].text, {k: v for k, v in (match[0].labels | labels).items() if v}, match[0].found)
            for labels in raw.get(key, [])
        )
        for key in ("also_from", "not_from")
    }
    cases = tuple(
        Case(each["name"], tuple((said(line), line["when"]) for line in each["lines"]), each["fires"])
        for each in raw.get("cases", [])
    )
    return Fixture(
        raw["severity"],
        raw["component"],
        raw["for"],
        tuple(raw["by"]),
        tuple(raw.get("fires", [])),
        tuple(raw.get("quiet", [])),
        match,
        tuple(said(each) for each in raw.get("noise", [])),
        elsewhere["also_from"],
        elsewhere["not_from"],
        cases,
    )


def written(said: Said, when: str) -> list[Line]:
    """The line as often as *when* says: ``3@2 1@10.5`` is three times two minutes ago, and once."""
    lines = []
    for part in when.split():
        count, minutes = part.split("@")
        lines += [Line(said.labels, said.text, -60.0 * float(minutes))] * int(count)
    return lines


def expected(fixture: Fixture, said: Said) -> dict[str, str]:
    """The labels with which the alert fires over *said*."""
    return {name: said.labels[name] for name in fixture.by if name in said.labels} | dict(said.found)


def faults(rule: Rule, fixture: Fixture) -> Iterator[str]:
    """Say what of the fixture does not hold for the rule."""
    for name, has, wants in (
        ("severity", rule.labels.get("severity"), fixture.severity),
        ("component", rule.labels.get("component"), fixture.component),
        ("project", rule.labels.get("project"), "storage-exporter"),
        ("source", rule.labels.get("source"), "logs"),
        ("for", rule.wait, fixture.wait),
    ):
        if has != wants:
            yield f"{name} is {has}, not {wants}"
    for said in (*fixture.match, *fixture.also_from):
        for when in fixture.fires:
            yield from _held(rule, f"{said.text!r} as {when!r}", written(said, when), expected(fixture, said))
        for when in fixture.quiet:
            yield from _held(rule, f"{said.text!r} as {when!r}", written(said, when), None)
    for said in (*fixture.noise, *fixture.not_from):
        for when in fixture.fires:
            yield from _held(rule, f"noise {said.text!r} of {said.labels} as {when!r}", written(said, when), None)
    for case in fixture.cases:
        lines = [line for said, when in case.lines for line in written(said, when)]
        yield from _held(rule, f"case {case.name!r}", lines, case.fires)


def _held(rule: Rule, what: str, lines: Sequence[Line], wants: Mapping[str, str] | None) -> Iterator[str]:
    try:
        fired = [dict(labels) for labels in evaluate(rule.expr, lines)]
    except ValueError as error:
        yield f"{what}: {error}"
        return
    if fired != ([] if wants is None else [dict(wants)]):
        yield f"{what}: fires as {fired}, not as {wants}"


def parts(tree: Expr) -> Iterator[Expr]:
    """The tree and everything in it."""
    yield tree
    match tree:
        case Sum() | Compare():
            yield from parts(tree.inner)
        case SetOf():
            yield from parts(tree.left)
            yield from parts(tree.right)


def queries(tree: Expr) -> list[Query]:
    """The different queries of a tree."""
    return list(dict.fromkeys(part.query for part in parts(tree) if isinstance(part, Range)))


def thresholds(text: str) -> dict[str, float]:
    """The named numbers of an expression, by the convention of all rules here: a comment at the end of the line."""
    found = re.findall(r"(-?[0-9.]+(?:[eE][+-]?[0-9]+)?)[ ]*# ([a-z][a-z0-9_]*)$", text, re.MULTILINE)
    return {name: float(number) for number, name in found}
