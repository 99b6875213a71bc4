"""
Rule files evaluated at instants of a test's choosing, against a real Prometheus: it has the samples and the engine, we
have its rule manager's part.

At each instant every rule is asked by an instant query; what recordings give is written back with that stamp, alerts
live as Prometheus has them live (`states`). A rule sees what rules before it have recorded at the same instant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from exporter.remote.wire import STALE
from tests.rules.pipelined import Answer, Pipelines
from tests.rules.rows import head, row
from tests.rules.states import Alert, Labels, States

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_ASIDE = re.compile(r"""#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""")


def seconds(duration: str) -> float:
    """A duration as rule files have it, ``""`` is 0."""
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)(ms|[smhdwy])", duration or ""))


@dataclass
class Rule:
    """A rule as it stands in its file, with what it has shown so far."""

    group: str
    interval: float
    record: str
    alert: str
    expr: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    states: States
    uses: frozenset[str]
    level: int = 0
    due: float = 0.0
    query: bytes = b""
    shown: set[bytes] = field(default_factory=set)
    heads: dict[Any, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """An alert became pending, firing or resolved at an instant."""

    at: float
    alert: Alert
    state: str


class RefusedRuleError(Exception):
    """Prometheus would not evaluate a rule, or two of its results are the same series."""


def load(paths: Iterable[Path]) -> list[Rule]:
    """
    The rules of *paths*, in their order, each with the level at which all it needs has been recorded.

    Recordings of a later group are seen as they were the time before.
    """
    rules: list[Rule] = []
    levels: dict[str, int] = {}
    for path in paths:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for given in group["rules"]:
                rule = _rule(group, given)
                rule.level = max((levels[name] + 1 for name in rule.uses & levels.keys()), default=0)
                if rule.record:
                    levels[rule.record] = max(rule.level, levels.get(rule.record, 0))
                rules.append(rule)
    return rules


def feeding(rules: Sequence[Rule], severities: Sequence[str]) -> list[Rule]:
    """The alerts of some severities and the recordings that they, and what they read, read."""
    wanted = {rule.alert for rule in rules if rule.alert and rule.labels.get("severity") in severities}
    found: set[str] = set()
    while wanted - found:
        found |= wanted
        wanted = {name for rule in rules if (rule.record or rule.alert) in found for name in rule.uses}
    return [rule for rule in rules if (rule.record or rule.alert) in found]


def _rule(group: Mapping[str, Any], given: Mapping[str, Any]) -> Rule:
    return Rule(
        group["name"],
        seconds(group.get("interval", "1m")),
        given.get("record", ""),
        given.get("alert", ""),
        given["expr"],
        given.get("labels") or {},
        given.get("annotations") or {},
        States(seconds(given.get("for", "")), seconds(given.get("keep_firing_for", ""))),
        frozenset(_WORD.findall(_ASIDE.sub(" ", given["expr"]))),
    )


class Stepper:
    """
    Evaluates *rules* at instants that only grow.

    Args:
        ways: to the Prometheus that has the samples.

        rules: from `load`; they are this stepper's from now on.

        lenient: go on where a rule cannot be evaluated, as Prometheus does, and keep what it said.

    ``changes`` are all changes of alerts so far, ``refused`` what was said of rules, by the name of what they make.
    """

    def __init__(self, ways: Pipelines, rules: Sequence[Rule], *, lenient: bool = False) -> None:
        self._ways = ways
        self._lenient = lenient
        self.rules = rules
        self.changes: list[Change] = []
        self.refused: dict[str, str] = {}
        self._alerting: set[bytes] = set()
        for rule in rules:
            rule.query = ways.query(rule.expr)

    def step(self, at: float) -> list[Change]:
        """
        Evaluate what is due at *at*, unix seconds; the changes of alerts.

        Raises:
            RefusedRuleError: a rule could not be evaluated.
        """
        due = [rule for rule in self.rules if at >= rule.due]
        changes: list[Change] = []
        for level in sorted({rule.level for rule in due}):
            rules = [rule for rule in due if rule.level == level]
            rows: list[bytes] = []
            for rule, answer in zip(rules, self._ways.ask([rule.query for rule in rules], at), strict=True):
                rule.due = at + rule.interval - 0.5
                try:
                    found = _vector(rule, answer)
                    if rule.record:
                        rows += _recorded(rule, found, at)
                    else:
                        changes += [Change(at, each, each.state) for each in _alerted(rule, found, at)]
                except RefusedRuleError as error:
                    if not self._lenient:
                        raise
                    self.refused[rule.record or rule.alert] = str(error)
            self._ways.write(rows)
        self._ways.write(self._alerts(at))
        self.changes += changes
        return changes

    def active(self) -> list[Alert]:
        """The alerts that are pending or firing."""
        return [each for rule in self.rules if rule.alert for each in rule.states.active()]

    def firing(self) -> list[tuple[Rule, Alert]]:
        """The alerts that are firing, with their rules."""
        return [
            (rule, each) for rule in self.rules if rule.alert for each in rule.states.active() if each.state == "firing"
        ]

    def _alerts(self, at: float) -> list[bytes]:
        """``ALERTS``, which rules may ask for."""
        heads = {head({"__name__": "ALERTS", "alertstate": each.state, **dict(each.labels)}) for each in self.active()}
        rows = [row(start, 1.0, at) for start in heads]
        rows += [row(start, STALE, at) for start in self._alerting - heads]
        self._alerting = heads
        return rows


def _vector(rule: Rule, answer: Answer) -> list[tuple[Mapping[str, str], float]]:
    said = json.loads(answer.body)
    if said["status"] != "success":
        raise RefusedRuleError(f"{rule.group}: {rule.record or rule.alert}: {said['error']}: {rule.expr}")
    data = said["data"]
    if data["resultType"] == "scalar":
        return [({}, float(data["result"][1]))]
    return [(each["metric"], float(each["value"][1])) for each in data["result"]]


def _recorded(rule: Rule, found: Sequence[tuple[Mapping[str, str], float]], at: float) -> list[bytes]:
    rows, shown = [], set()
    for metric, value in found:
        key = tuple(metric.items())
        start = rule.heads.get(key)
        if start is None:
            start = rule.heads[key] = head({**metric, **rule.labels, "__name__": rule.record})
        if start in shown:
            raise RefusedRuleError(f"{rule.group}: {rule.record}: twice the same series {metric}")
        shown.add(start)
        rows.append(row(start, value, at))
    rows += [row(start, STALE, at) for start in rule.shown - shown]
    rule.shown = shown
    return rows


def _alerted(rule: Rule, found: Sequence[tuple[Mapping[str, str], float]], at: float) -> list[Alert]:
    elements = [(labels_of(rule, metric), value) for metric, value in found]
    try:
        return rule.states.evaluated(elements, at)
    except ValueError as error:
        raise RefusedRuleError(f"{rule.group}: {rule.alert}: {error}") from error


def labels_of(rule: Rule, metric: Mapping[str, str]) -> Labels:
    """The labels of the alert that a result of its rule's expression is."""
    labels = {**metric, **rule.labels, "alertname": rule.alert}
    labels.pop("__name__", None)
    return tuple(sorted((name, value) for name, value in labels.items() if value))
