"""
What a ruler has beside what it should have: which groups to set, which to delete, and what is other in them. Pure.

Rulers give back what they have understood, not the text they were sent: keys in another order, ``5m0s`` for ``5m``,
defaults written out, empty values left out, expressions without the whitespace around them. None of that is a
difference. Loki's rulers forget ``keep_firing_for``, so where it is missing there nobody has changed it.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from exporter.ruler.shapes import Language
from exporter.ruler.spans import milliseconds

What = Literal["create", "update", "delete", "unchanged"]

_SPANS = frozenset({"interval", "for", "keep_firing_for", "query_offset", "evaluation_delay"})
_DEFAULTS = {"interval": 60_000, "for": 0, "keep_firing_for": 0, "limit": 0}
_SIGNS: Mapping[What, str] = {"create": "+", "update": "~", "delete": "-", "unchanged": "="}
_SHORT = 60  # characters of a value that is shown beside the old one in one line
_MISSING = "(nothing)"


@dataclass(frozen=True, slots=True)
class Field:
    """A value that is other: texts, ``""`` for none."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule that comes, goes or changes."""

    kind: str
    name: str
    what: What
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """
    What happens to one group.

    ``fields`` are those of the group itself; ``rules`` only those with a difference; ``size`` the rules it will have.
    """

    group: str
    what: What
    size: int
    fields: tuple[Field, ...] = ()
    rules: tuple[RuleChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done in our namespace of one ruler."""

    language: Language
    namespace: str
    changes: tuple[Change, ...]

    def of(self, *what: What) -> list[Change]:
        """The changes of these kinds."""
        return [change for change in self.changes if change.what in what]

    @property
    def differs(self) -> bool:
        """Whether anything is to be done."""
        return any(change.what != "unchanged" for change in self.changes)


def plan(
    language: Language, namespace: str, there: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]
) -> Plan:
    """
    Compare groups by their names.

    Args:
        there: groups as the ruler gives them.

        wanted: groups as they should be.
    """
    has = {str(group.get("name", "")): group for group in there}
    changes = [_change(language, has.get(group["name"]), group) for group in wanted]
    names = {group["name"] for group in wanted}
    changes += [Change(name, "delete", len(_rules(group))) for name, group in has.items() if name not in names]
    return Plan(language, namespace, tuple(sorted(changes, key=lambda change: change.group)))


def _change(language: Language, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Change:
    size = len(_rules(after))
    if before is None:
        return Change(after["name"], "create", size)
    fields = _fields(before, after, without="rules", forgets=())
    forgets = ("keep_firing_for",) if language == "loki" else ()
    olds, news = _named(_rules(before)), _named(_rules(after))
    rules = [
        RuleChange(kind, name, "update" if number in olds else "create", found)
        for number, rule in news.items()
        for kind, name, _ in [number]
        if (found := _fields(olds.get(number, {}), rule, without="", forgets=forgets)) or number not in olds
    ]
    rules += [RuleChange(kind, name, "delete") for kind, name, index in olds if (kind, name, index) not in news]
    if not fields and not rules and list(olds) != list(news):
        fields = (Field("order", "another", "ours"),)
    return Change(after["name"], "update" if fields or rules else "unchanged", size, fields, tuple(rules))


def _rules(group: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rules = group.get("rules")
    return [rule for rule in rules if isinstance(rule, Mapping)] if isinstance(rules, list) else []


def _named(rules: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, int], Mapping[str, Any]]:
    """Rules by kind, name and which of that name, in their order."""
    seen: Counter[tuple[str, str]] = Counter()
    out = {}
    for rule in rules:
        key = ("alert", str(rule["alert"])) if rule.get("alert") else ("record", str(rule.get("record", "")))
        out[*key, seen[key]] = rule
        seen[key] += 1
    return out


def _fields(
    before: Mapping[str, Any], after: Mapping[str, Any], *, without: str, forgets: Sequence[str]
) -> tuple[Field, ...]:
    """What differs; fields that the ruler *forgets* only where it has them."""
    if not before:
        return ()
    olds, news = (dict(_flat(each, without)) for each in (before, after))
    names = [*news, *(name for name in olds if name not in news)]
    return tuple(
        Field(name, _shown(olds.get(name)), _shown(news.get(name)))
        for name in names
        if olds.get(name) != news.get(name) and not (name in forgets and name not in olds)
    )


def _flat(data: Mapping[str, Any], without: str) -> Iterator[tuple[str, Any]]:
    """Names and comparable values, those of mappings as ``labels.team``; nothing that means the same as nothing."""
    for key, value in data.items():
        if key == without or value is None or value is False or value in ("", {}, []):
            continue
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", str(text)) for name, text in value.items() if text not in (None, ""))
            continue
        span = milliseconds(str(value)) if key in _SPANS else None
        same: Any = span if span is not None else value.strip() if key == "expr" and isinstance(value, str) else value
        if same != _DEFAULTS.get(key):
            yield key, _Span(str(value), span) if span is not None else same


class _Span(str):
    """A duration as it was written, equal to others of the same length."""

    __slots__ = ("length",)
    length: int

    def __new__(cls, text: str, length: int) -> Self:
        self = super().__new__(cls, text)
        self.length = length
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Span) and other.length == self.length

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.length)


def _shown(value: Any) -> str:
    return "" if value is None else str(value)


# --- for people and for programs


def lines(made: Plan) -> Iterator[str]:
    """The plan as text: a line that counts, then every group with a difference and what it is."""
    words: Mapping[What, str] = {"create": "to create", "update": "to change", "delete": "to delete"}
    said = ", ".join(f"{len(found)} {word}" for what, word in words.items() if (found := made.of(what)))
    same = len(made.of("unchanged"))
    yield f"{made.language}: namespace {made.namespace}: {said or 'nothing to do'}, {same} unchanged"
    for change in made.of("create", "update", "delete"):
        rules = f" ({change.size} rule{'s' * (change.size != 1)})" if change.what != "update" else ""
        yield f"  {_SIGNS[change.what]} group {change.group}{rules}"
        yield from _field_lines(change.fields, "      ")
        for rule in change.rules:
            yield f"    {_SIGNS[rule.what]} {rule.kind} {rule.name}"
            yield from _field_lines(rule.fields, "        ")


def _field_lines(fields: Iterable[Field], indent: str) -> Iterator[str]:
    for each in fields:
        if max(len(each.before), len(each.after)) <= _SHORT and "\n" not in each.before + each.after:
            yield f"{indent}{each.name}: {each.before or _MISSING} → {each.after or _MISSING}"
            continue
        yield f"{indent}{each.name}:"
        told = difflib.unified_diff(each.before.splitlines(), each.after.splitlines(), n=1, lineterm="")
        yield from (f"{indent}  {line}" for line in list(told)[2:] if not line.startswith("@@"))


def as_json(made: Plan) -> dict[str, Any]:
    """The plan for programs."""
    return {
        "target": made.language,
        "namespace": made.namespace,
        "differs": made.differs,
        "groups": [
            {
                "name": change.group,
                "change": change.what,
                "rules": change.size,
                "fields": [each.name for each in change.fields],
                "changed": [
                    {
                        "kind": rule.kind,
                        "name": rule.name,
                        "change": rule.what,
                        "fields": [each.name for each in rule.fields],
                    }
                    for rule in change.rules
                ],
            }
            for change in made.changes
        ],
    }
