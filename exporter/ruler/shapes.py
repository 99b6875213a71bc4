"""
What rules are: files of groups of rules, for Mimir or for Loki. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Language = Literal["mimir", "loki"]
"""Whose rules: PromQL for Mimir, Cortex and Prometheus; LogQL for Loki. Also the folder of the pack they are in."""

LANGUAGES: tuple[Language, ...] = ("mimir", "loki")

MOST_RULES = 20
"""Rules a group may have: Mimir's default limit."""

MOST_GROUPS = 70
"""Groups a tenant may have: Mimir's default limit."""


@dataclass(frozen=True, slots=True)
class Rule:
    """
    An alert or a recording.

    ``lasting`` is the rule's ``for``; like ``keep_firing_for`` it is a duration, or ``""`` for none.
    """

    kind: Literal["alert", "record"]
    name: str
    expr: str
    lasting: str = ""
    keep_firing_for: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def severity(self) -> str:
        """Of an alert; ``""`` for none."""
        return self.labels.get("severity", "") if self.kind == "alert" else ""

    def data(self) -> dict[str, Any]:
        """
        As it is handed on, without what is empty.

        Whitespace around the expression means nothing to PromQL and LogQL, but rulers that keep a first line which
        begins with it write YAML that nobody can read.
        """
        whole = {
            self.kind: self.name,
            "expr": self.expr.strip(),
            "for": self.lasting,
            "keep_firing_for": self.keep_firing_for,
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
        }
        return {key: value for key, value in whole.items() if value}


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after another, every `interval`."""

    name: str
    interval: str
    rules: tuple[Rule, ...]
    query_offset: str = ""

    @property
    def pages(self) -> bool:
        """Whether it wakes somebody."""
        return any(rule.severity == "critical" for rule in self.rules)

    def data(self) -> dict[str, Any]:
        """As it is handed on, without what is empty."""
        whole = {"name": self.name, "interval": self.interval, "query_offset": self.query_offset}
        return {key: value for key, value in whole.items() if value} | {"rules": [rule.data() for rule in self.rules]}


@dataclass(frozen=True, slots=True)
class File:
    """The groups of one file of the pack: ``mimir/efs.yaml`` is the file ``efs`` of ``mimir``."""

    language: Language
    name: str
    groups: tuple[Group, ...]

    @property
    def path(self) -> str:
        """In the pack."""
        return f"{self.language}/{self.name}.yaml"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number in an alert's expression that may be another: its unit, and what it means."""

    value: float
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Pack:
    """Every file, and the thresholds by alert and name."""

    files: tuple[File, ...]
    thresholds: Mapping[str, Mapping[str, Threshold]]

    def groups(self, language: Language) -> tuple[Group, ...]:
        """The groups for one language, in the order of the files."""
        return tuple(group for file in self.files if file.language == language for group in file.groups)

    def alerts(self) -> Iterator[Rule]:
        """Every alert; several may have one name."""
        for file in self.files:
            for group in file.groups:
                yield from (rule for rule in group.rules if rule.kind == "alert")
