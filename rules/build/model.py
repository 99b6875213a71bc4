"""
What a rule file is made of, and how it is written down: plain YAML, the same text each time.

Thresholds are written into an alert's expression as ``$name``; in the file they are a number with the name as a
comment behind it, so that an override finds it without any template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import dedent
from typing import Any, Literal

import promql_parser
import yaml

Severity = Literal["critical", "warning", "info", "none"]
Source = Literal["exporter", "client", "logs"]

PROJECT = "storage-exporter"
RUNBOOKS = "https://github.com/officeless/storage-exporter/blob/main/rules/README.md"

_NAME = re.compile(r"\$([a-z][a-z0-9_]*)")
_STAND = re.compile(r"\b77700[0-9]{2}\b")


@dataclass(frozen=True, slots=True)
class Threshold:
    """
    A number that users may change.

    Args:
        value: in *unit*.

        unit: ratio, bytes, seconds, per_second, count, iops, bytes_per_second or dollars.

        meaning: one line: what is compared with it.
    """

    value: float
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A recording rule: ``level:metric:operation`` and its expression."""

    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As the file has it."""
        rule: dict[str, Any] = {"record": self.name, "expr": laid_out(self.expr)}
        return {**rule, "labels": dict(self.labels)} if self.labels else rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """
    An alerting rule.

    Args:
        name: of the condition; its runbook's heading.

        severity: critical pages, warning makes a ticket, info is listed.

        component: what it is about.

        expr: with ``$name`` for each of *thresholds*.

        summary: one line that begins with the thing (Go template).

        description: what happens, the number, the time left, the first thing to do (Go template).

        wait: ``for``; "" for none.

        keep: ``keep_firing_for``; "" for none.

        source: who saw it: the exporter's series, a client's own metrics, or logs. An exporter that is down makes
            blind only what it saw.

        dashboard: path of the dashboard with its variables.

        console: address of the resource in AWS's console.

        thresholds: by name.

        labels: more of them.
    """

    name: str
    severity: Severity
    component: str
    expr: str
    summary: str
    description: str
    wait: str = ""
    keep: str = ""
    source: Source = "exporter"
    dashboard: str = ""
    console: str = ""
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As the file has it."""
        rule: dict[str, Any] = {"alert": self.name, "expr": laid_out(self.expr, self.thresholds)}
        if self.wait:
            rule["for"] = self.wait
        if self.keep:
            rule["keep_firing_for"] = self.keep
        rule["labels"] = {
            "severity": self.severity,
            "component": self.component,
            "project": PROJECT,
            "source": self.source,
            **self.labels,
        }
        rule["annotations"] = {
            "summary": " ".join(self.summary.split()),
            "description": " ".join(self.description.split()),
            "runbook_url": f"{RUNBOOKS}#{self.name.lower()}",
            **({"dashboard_url": self.dashboard} if self.dashboard else {}),
            **({"console_url": self.console} if self.console else {}),
        }
        return rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rules that run one after another, at most 20."""

    topic: str
    rules: Sequence[Record | Alert]
    interval: str = "1m"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """One file of ``rules/mimir``: its name without the ending, what stands on top of it, its groups."""

    name: str
    about: str
    groups: Sequence[Group]

    def alerts(self) -> list[Alert]:
        """All of them, in their order."""
        return [rule for group in self.groups for rule in group.rules if isinstance(rule, Alert)]

    def text(self) -> str:
        """The file."""
        groups = [
            {
                "name": f"{PROJECT}.{self.name}.{group.topic}",
                "interval": group.interval,
                "rules": [rule.as_dict() for rule in group.rules],
            }
            for group in self.groups
        ]
        head = "".join(f"# {line}".rstrip() + "\n" for line in dedent(self.about).strip().splitlines())
        return f"# Written by `make rules` from rules/build/{self.name}.py.\n{head}\n{dumped({'groups': groups})}"


def laid_out(expr: str, thresholds: Mapping[str, Threshold] | None = None) -> str:
    """
    An expression as files have it: laid out the way the parser does it, a number and its name where ``$name`` stood.

    Raises:
        ValueError: it cannot be parsed, a threshold is not used, or a name is not declared.
    """
    known = thresholds or {}
    names = set(_NAME.findall(expr))
    if names != set(known):
        raise ValueError(f"thresholds declared {sorted(known)}, used {sorted(names)}: {expr}")
    # The parser knows numbers only: each name goes through it as one that nobody writes.
    stands = {name: f"77700{place:02d}" for place, name in enumerate(sorted(names))}
    names_of = {stand: name for name, stand in stands.items()}
    plain = _NAME.sub(lambda found: stands[found[1]], " ".join(dedent(expr).split()))
    try:
        pretty = promql_parser.parse(plain).prettify()
    except ValueError as error:
        raise ValueError(f"{error}: {expr}") from error
    lines: list[str] = []
    for line in pretty.splitlines():
        rest = line
        indent = " " * (len(line) - len(line.lstrip()))
        while found := next((match for match in _STAND.finditer(rest) if match[0] in names_of), None):
            name = names_of[found[0]]
            lines.append(f"{rest[: found.start()]}{number(known[name].value)}  # {name}")
            after = rest[found.end() :].strip()
            rest = after and f"{indent}{after}"
        if rest.strip():
            lines.append(rest)
    # A first line that begins with a space makes a block that some YAML readers cannot take back.
    return "\n".join(lines).strip() + "\n"


def number(value: float) -> str:
    """A number as PromQL and YAML both read it."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


class _Dumper(yaml.SafeDumper):
    """Block text for what has lines, and lists indented as people do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        return super().increase_indent(flow, False)  # noqa: FBT003


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def dumped(document: Any) -> str:
    """YAML in the order given, block style, no line folded."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
