"""
What a configuration makes of the rules: alerts and files left out, severities, durations, numbers, labels, addresses.

The rules stay data: a number is replaced where its comment names it, an annotation where it begins as ours do. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from exporter.config import Alert, Rules, did_you_mean, show, spell_seconds
from exporter.config.document import Path
from exporter.config.node import list_in, mapping_in
from exporter.ruler import thresholds
from exporter.ruler.conventions import RUNBOOKS
from exporter.ruler.shapes import LANGUAGES, File, Group, Pack, Rule, Threshold

Wrong = tuple[Path, str]


def applied(pack: Pack, rules: Rules) -> Pack:
    """The pack as *rules* want it. A group without rules, and a file without groups, is gone."""
    files = []
    for file in pack.files:
        if not _left_out(file, rules.files):
            groups = tuple(group for each in file.groups if (group := _group(each, rules)).rules)
            if groups:
                files.append(replace(file, groups=groups))
    return Pack(tuple(files), pack.thresholds)


def _left_out(file: File, wanted: Mapping[str, Any]) -> bool:
    one, both = wanted.get(f"{file.language}/{file.name}"), wanted.get(file.name)
    return (both if one is None else one) is False


def _group(group: Group, rules: Rules) -> Group:
    kept = (rule for rule in group.rules if rule.name not in rules.disable)
    return replace(group, rules=tuple(rule if rule.kind == "record" else _alert(rule, rules) for rule in kept))


def _alert(rule: Rule, rules: Rules) -> Rule:
    own = rules.alerts.get(rule.name) or Alert()
    severity = {} if own.severity is None else {"severity": str(own.severity)}
    return replace(
        rule,
        expr=thresholds.replaced(rule.expr, own.thresholds),
        lasting=_span(own.lasting, rule.lasting),
        keep_firing_for=_span(own.keep_firing_for, rule.keep_firing_for),
        labels={**rule.labels, **rules.labels, **own.labels, **severity},
        annotations={name: _address(name, text, rules) for name, text in rule.annotations.items()},
    )


def _span(seconds: int | None, shipped: str) -> str:
    if seconds is None:
        return shipped
    return spell_seconds(seconds) if seconds else ""


def _address(name: str, text: str, rules: Rules) -> str:
    if name == "runbook_url" and rules.runbook_url is not None and text.startswith(RUNBOOKS):
        return str(rules.runbook_url) + text.removeprefix(RUNBOOKS)
    if name == "dashboard_url" and rules.grafana_url is not None and text.startswith("/"):
        return rules.grafana_url.rstrip("/") + text
    return text


def wrong(pack: Pack, data: Mapping[str, Any]) -> Iterator[Wrong]:
    """
    What the section ``rules`` of a configuration asks of the pack and cannot have.

    Args:
        data: the whole configuration as plain data, with types not yet checked.
    """
    section = mapping_in(data, "rules")
    yield from ((("rules", *path), message) for path, message in _wrong(pack, section))


def _wrong(pack: Pack, section: Mapping[str, Any]) -> Iterator[Wrong]:
    alerts = {rule.name for rule in pack.alerts()}
    for index, name in enumerate(list_in(section, "disable")):
        if isinstance(name, str) and name not in alerts:
            yield ("disable", index), _unknown("alert", name, alerts)
    files = {spelled for file in pack.files for spelled in (file.name, f"{file.language}/{file.name}")}
    for name in mapping_in(section, "files"):
        if name not in files:
            yield ("files", name), f"{_unknown('file', name, files)}; there are: {', '.join(sorted(files))}"
    for name, own in mapping_in(section, "alerts").items():
        if name not in alerts:
            yield ("alerts", name), _unknown("alert", name, alerts)
        elif isinstance(own, Mapping):
            yield from _wrong_thresholds(name, own, pack.thresholds.get(name, {}))
    if pack.files and not _anything(pack, section):
        yield (
            (),
            "leaves no rule at all; remove what is under disable or files, or take the rules away: rules sync --prune",
        )


def _anything(pack: Pack, section: Mapping[str, Any]) -> bool:
    """Whether anything is left."""
    disabled = {name for name in list_in(section, "disable") if isinstance(name, str)}
    left = (file for file in pack.files if not _left_out(file, mapping_in(section, "files")))
    return any(
        rule.kind == "record" or rule.name not in disabled
        for file in left
        for group in file.groups
        for rule in group.rules
    )


def _unknown(kind: str, name: object, known: Iterable[str]) -> str:
    return f"there is no {kind} {show(name)}{did_you_mean(str(name), known)}"


def _wrong_thresholds(alert: str, own: Mapping[str, Any], table: Mapping[str, Threshold]) -> Iterator[Wrong]:
    for name, value in mapping_in(own, "thresholds").items():
        path: Path = ("alerts", alert, "thresholds", name)
        if name not in table:
            others = f"it has: {', '.join(table)}" if table else "it has none"
            yield path, f"{_unknown('threshold', name, table)} of {alert}; {others}"
            continue
        known, number = table[name], _number(value)
        if number is None:
            continue
        if known.value >= 0 > number:
            yield path, f"{number:g} is below 0, which it never is ({known.meaning}; {known.value:g} as shipped)"
        elif known.unit == "ratio" and known.value <= 1 < number:
            yield path, f"{number:g} is over 1, and it is a ratio: 0.9 for 90 % ({known.meaning})"


def _number(value: object) -> float | None:
    """A number that can be compared; text of variables is, too, where it spells one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def empty(pack: Pack) -> list[str]:
    """The languages of which nothing is left."""
    return [language for language in LANGUAGES if not pack.groups(language)]
