"""
What our rules keep to beyond what a ruler asks for: limits, names, labels, annotations, thresholds. Pure.

What expressions mean is proven by the tests of the rules; here is what can be seen without understanding them, so that
`rules check` can say it of an edited copy, too.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from exporter.config.rules import SEVERITIES
from exporter.errors import Fault
from exporter.ruler import thresholds
from exporter.ruler.shapes import LANGUAGES, MOST_GROUPS, MOST_RULES, File, Group, Language, Pack, Rule, Threshold
from exporter.ruler.spans import milliseconds

PROJECT = "storage-exporter"
RUNBOOKS = "https://github.com/officeless/storage-exporter/blob/main/rules/README.md"
"""The page of the runbooks, where no other is configured."""

_LONGEST_INTERVAL = 300_000  # a query looks back 5 minutes, so a recording made less often has gaps
_ALERT = re.compile(r"[A-Z][A-Za-z0-9]*", re.ASCII)
_RECORD = re.compile(r"[a-z_][a-z0-9_]*:[a-z0-9_]+(?::[a-zA-Z0-9_]+)?", re.ASCII)
_LABEL = re.compile(r"(?!__)[A-Za-z_]\w*", re.ASCII)
_TOPIC = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*", re.ASCII)
_DASHBOARD = re.compile(r"/d/storage-exporter-[a-z0-9-]+(?:\?\S.*)?")


def faults(pack: Pack) -> list[Fault]:
    """All that is against a convention, file by file."""
    found = [fault for file in pack.files for fault in _of_file(file)]
    for language in LANGUAGES:
        groups = pack.groups(language)
        counted = Counter(group.name for group in groups)
        found += [
            Fault(language, f"{name}: {number} groups have this name; a ruler keeps one of them")
            for name, number in counted.items()
            if number > 1
        ]
        found.extend(too_many(language, groups))
    return found + list(_of_thresholds(pack))


def too_many(language: str, groups: Iterable[Group]) -> Iterator[Fault]:
    """Where *groups* are over the limits a ruler of Mimir has by default."""
    counted = list(groups)
    if len(counted) > MOST_GROUPS:
        yield Fault(language, f"has {len(counted)} groups; Mimir takes {MOST_GROUPS} of a tenant")
    for group in counted:
        if len(group.rules) > MOST_RULES:
            yield Fault(language, f"{group.name} has {len(group.rules)} rules; Mimir takes {MOST_RULES} in a group")


def _of_file(file: File) -> Iterator[Fault]:
    begins = f"{PROJECT}.{file.name}."
    for group in file.groups:
        where = f"{file.path}: {group.name}"
        if not group.name.startswith(begins) or not _TOPIC.fullmatch(group.name.removeprefix(begins)):
            yield Fault(where, f"a group of this file is called {begins}<topic>")
        interval = milliseconds(group.interval)
        if not interval or interval > _LONGEST_INTERVAL:
            yield Fault(where, f"interval {group.interval!r} is no duration up to 5m")
        for rule in group.rules:
            yield from (Fault(f"{where}: {rule.name}", said) for said in _of_rule(rule, file.language))


def _of_rule(rule: Rule, language: Language) -> Iterator[str]:
    if not rule.expr.strip():
        yield "has no expression"
    elif language == "loki" and rule.expr[0].isspace():
        yield "the expression begins with a space or an empty line, which Loki stores and cannot read back"
    for key, value in (("for", rule.lasting), ("keep_firing_for", rule.keep_firing_for)):
        if value and milliseconds(value) is None:
            yield f"{key} {value!r} is no duration"
    if bad := [name for name in rule.labels if not _LABEL.fullmatch(name)]:
        yield f"{', '.join(bad)}: not names of labels"
    if rule.kind == "record":
        if not _RECORD.fullmatch(rule.name):
            yield "a recording is called level:metric:operation, in small letters"
        return
    if not _ALERT.fullmatch(rule.name):
        yield "an alert is called like AwsEbsVolumeThrottled"
    if rule.severity not in SEVERITIES:
        yield f"the label severity is {rule.severity!r}; it has to be one of {', '.join(SEVERITIES)}"
    if rule.labels.get("project") != PROJECT:
        yield f"the label project has to be {PROJECT}"
    if not rule.labels.get("component"):
        yield "has no label component"
    yield from _of_annotations(rule)


def _of_annotations(rule: Rule) -> Iterator[str]:
    given = rule.annotations
    asked = ("summary", "description", "runbook_url", *(["dashboard_url"] if rule.severity != "none" else []))
    if missing := [name for name in asked if not given.get(name, "").strip()]:
        yield f"has no annotation {', '.join(missing)}"
    if "message" in given:
        yield "the annotation message is not used; write summary and description"
    if "\n" in given.get("summary", "").strip():
        yield "the annotation summary has more than one line"
    runbook = f"{RUNBOOKS}#{rule.name.lower()}"
    if given.get("runbook_url", runbook) != runbook:
        yield f"the annotation runbook_url has to be {runbook}"
    if not _DASHBOARD.fullmatch(given.get("dashboard_url", "/d/storage-exporter-x")):
        yield "the annotation dashboard_url has to be a path such as /d/storage-exporter-efs?var-region=…"


def _of_thresholds(pack: Pack) -> Iterator[Fault]:
    """The table and the expressions have the same thresholds, and the same numbers."""
    found: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for rule in pack.alerts():
        found[rule.name] += thresholds.named(rule.expr)
    for alert, table in pack.thresholds.items():
        if alert not in found:
            yield Fault("thresholds.yaml", f"{alert}: there is no such alert")
            continue
        names = {name for name, _ in found[alert]}
        for name in table:
            if name not in names:
                yield Fault("thresholds.yaml", f"{alert}: {name} is nowhere in the expression (number  # {name})")
    for alert, numbers in found.items():
        yield from (
            Fault("thresholds.yaml", f"{alert}: {said}") for said in _told(numbers, pack.thresholds.get(alert, {}))
        )


def _told(numbers: Iterable[tuple[str, float]], table: Mapping[str, Threshold]) -> Iterator[str]:
    for name, number in dict.fromkeys(numbers):
        if name not in table:
            yield f"{name} is missing; the expression has it"
        elif table[name].value != number:
            yield f"{name} is {table[name].value:g}, but {number:g} in the expression"
