"""
A group of rules as rulers read it, refuse it, keep it and give it back.

Each kind has its manners: Mimir takes a ``query_offset`` of zero for none, Loki keeps neither ``keep_firing_for`` nor
the whitespace around an expression, and all write durations their own way and leave out what is empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

RulerKind = Literal["mimir", "cortex", "loki"]
Judge = Callable[[str], str]
"""What is wrong with an expression, ``""`` for nothing."""

_GROUP: Mapping[RulerKind, frozenset[str]] = {
    "mimir": frozenset(
        {"name", "interval", "rules", "query_offset", "evaluation_delay", "source_tenants"}
        | {"align_evaluation_time_on_interval"}
    ),
    "cortex": frozenset({"name", "interval", "rules", "query_offset", "limit", "labels", "source_tenants"}),
    "loki": frozenset({"name", "interval", "rules", "limit", "remote_write"}),
}
_RULE = frozenset({"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"})
_UNITS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_SPAN = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_SPANS = ("interval", "query_offset", "evaluation_delay")


class BadGroupError(Exception):
    """A group that is refused, in the ruler's words."""


@dataclass(slots=True)
class Kept:
    """A group as it was understood; durations in milliseconds."""

    name: str
    data: dict[str, Any]

    def given(self, *, long_spans: bool) -> dict[str, Any]:
        """
        The group as the API gives it back.

        Args:
            long_spans: durations as Go writes them (``5m0s``), else as Prometheus does (``5m``).
        """
        spell = _go_span if long_spans else _span
        group = {key: spell(value) if key in _SPANS else value for key, value in self.data.items() if key != "rules"}
        rules = [
            {key: spell(value) if key in ("for", "keep_firing_for") else value for key, value in sorted(rule.items())}
            for rule in self.data["rules"]
        ]
        return {**dict(sorted(group.items())), "rules": rules}


def read(body: bytes, kind: RulerKind, judge: Judge) -> Kept:
    """
    The group that a request holds.

    Raises:
        BadGroupError: it is none, or one that a ruler of this kind refuses.
    """
    try:
        data = yaml.safe_load(body)
    except (yaml.YAMLError, UnicodeDecodeError):
        data = None
    if not isinstance(data, dict):
        raise BadGroupError("unable to decoded rule group")
    if unknown := sorted(set(data) - _GROUP[kind]):
        raise BadGroupError(f"unable to decoded rule group: field {unknown[0]} not found in type rulefmt.RuleGroup")
    name, rules = data.get("name"), data.get("rules")
    if not isinstance(name, str) or not name:
        raise BadGroupError("invalid rules config: rule group name must not be empty")
    if not isinstance(rules, list) or not rules:
        raise BadGroupError(f"invalid rules config: rule group '{name}' has no rules")
    kept: dict[str, Any] = {key: _milliseconds(data[key]) for key in _SPANS if key in data}
    if kind == "mimir" and not kept.get("query_offset"):
        kept.pop("query_offset", None)
    kept |= {key: value for key, value in data.items() if key not in (*_SPANS, "rules") and value}
    kept["rules"] = [_rule(rule, index, kind, judge) for index, rule in enumerate(rules)]
    return Kept(name, kept)


def _rule(data: Any, index: int, kind: RulerKind, judge: Judge) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise BadGroupError("unable to decoded rule group")
    if unknown := sorted(set(data) - _RULE):
        raise BadGroupError(f"unable to decoded rule group: field {unknown[0]} not found in type rulefmt.RuleNode")
    name, expr = data.get("alert") or data.get("record"), data.get("expr")
    if not name or ("alert" in data) == ("record" in data):
        raise BadGroupError(f"invalid rules config: rule {index}: one of 'record' or 'alert' must be set")
    if not isinstance(expr, str) or not expr.strip():
        raise BadGroupError(f"invalid rules config: rule {index}, {name}: field 'expr' must be set in rule")
    if "record" in data and any(key in data for key in ("for", "keep_firing_for", "annotations")):
        raise BadGroupError(f"invalid rules config: rule {index}, {name}: invalid field in recording rule")
    if said := judge(expr):
        raise BadGroupError(f"rule {index}, {name}: could not parse expression: {said}")
    rule = {key: value for key, value in data.items() if value not in (None, "", {})}
    for key in ("for", "keep_firing_for"):
        if key in rule:
            rule[key] = _milliseconds(rule[key])
    if kind == "loki":
        rule["expr"] = expr.strip()
        rule.pop("keep_firing_for", None)
    return {key: value for key, value in rule.items() if value}


def plain_judge(kind: RulerKind) -> Judge:
    """What can be told without a parser: PromQL from LogQL, and brackets that are not closed."""

    def judge(expr: str) -> str:
        bare = re.sub(r"`[^`]*`|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|#[^\n]*", "", expr)
        if any(bare.count(one) != bare.count(other) for one, other in ("()", "[]", "{}")):
            return "parse error: unclosed bracket"
        logs = re.search(r"(?:^|[^\w:\s])\s*\{", bare) is not None
        if kind == "loki":
            return (
                "" if logs or "vector(" in bare else "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER"
            )
        return "parse error: unexpected character: '|'" if logs and "|" in bare else ""

    return judge


def _milliseconds(value: Any) -> int:
    found = _SPAN.fullmatch(value) if isinstance(value, str) and value else None
    if value == "0":
        return 0
    if found is None:
        raise BadGroupError(f'unable to decoded rule group: not a valid duration string: "{value}"')
    return sum(int(number or 0) * unit for number, unit in zip(found.groups(), _UNITS.values(), strict=True))


def _span(value: int) -> str:
    """As Prometheus writes a duration: weeks and years only when they are whole."""
    if not value:
        return "0s"
    out = ""
    for unit, size in _UNITS.items():
        if unit in "yw" and value % size:
            continue
        if count := value // size:
            out += f"{count}{unit}"
            value -= count * size
    return out


def _go_span(value: int) -> str:
    """As Go writes a duration: 5m0s, 1h0m0s."""
    hours, rest = divmod(value, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    seconds = f"{rest / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds
