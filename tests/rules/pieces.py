"""
The promtool tests of the pack, alert by alert: each runs with its own rule and the recordings that it reads, cut out of
the shipped file. Whole files say the same and take ten times as long, for promtool evaluates every rule at every step.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.tools import binary

ROOT = Path(__file__).resolve().parents[2] / "rules"

_ENVIRONMENT = {**os.environ, "GOMAXPROCS": "1", "GOGC": "400"}
"""Several promtools run at a time: on one thread each, and collecting garbage less often: a third less CPU."""

Rule = dict[str, Any]
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


@dataclass(frozen=True)
class Piece:
    """
    What belongs to one alert (or one recording that is read by itself).

    Args:
        name: of the alert or the reading.

        groups: the rules it needs, in their order, as a rule file has them.

        tests: as a file of promtool's has them.

        step: evaluation interval.
    """

    name: str
    groups: Sequence[Mapping[str, Any]]
    tests: Sequence[Mapping[str, Any]]
    step: str

    def write(self, folder: Path, stem: str) -> Path:
        """Both files, into *folder*; the path of the tests."""
        rules, tests = folder / f"{stem}.rules.yaml", folder / f"{stem}.yaml"
        rules.write_text(json.dumps({"groups": list(self.groups)}))  # JSON is YAML, and quick to write
        order = [group["name"] for group in self.groups]
        suite = {
            "rule_files": [rules.name],
            "evaluation_interval": self.step,
            "group_eval_order": order,
            "tests": list(self.tests),
        }
        tests.write_text(json.dumps(suite))
        return tests


def load(path: Path) -> Any:
    """A YAML file, by the quick loader where there is one."""
    return yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def names_in(expr: str) -> set[str]:
    """Words of an expression that may be names of recordings."""
    return {word for word in _NAME.findall(expr) if ":" in word}


def mimir_files() -> list[Path]:
    """The shipped files of PromQL rules."""
    return sorted((ROOT / "mimir").glob("*.yaml"))


def pieces(document: Mapping[str, Any]) -> Iterator[Piece]:
    """The pieces of a file of tests, with the rules as they are shipped."""
    groups = [group for file in document["rule_files"] for group in load(ROOT / file.removeprefix("../"))["groups"]]
    by_name: dict[str, list[Any]] = {}
    for test in document["tests"]:
        by_name.setdefault(test["name"].partition(": ")[0], []).append(test)
    for name, tests in by_name.items():
        asked = {name} | {
            word
            for test in tests
            for one in test.get("promql_expr_test", [])
            for word in names_in(one["expr"])
            if not one["expr"].startswith("ALERTS")
        }
        yield Piece(name, needed(groups, asked), tests, document["evaluation_interval"])


def needed(groups: Iterable[Mapping[str, Any]], names: set[str]) -> list[dict[str, Any]]:
    """The groups with only the alerts and recordings of *names*, and what these read."""
    kept, found = list(groups), set(names)
    while True:
        chosen = [rule for group in kept for rule in group["rules"] if name_of(rule) in found]
        words = {word for rule in chosen for word in names_in(_text(rule))}
        if words <= found:
            break
        found |= words
    cut = ({**group, "rules": [rule for rule in group["rules"] if name_of(rule) in found]} for group in kept)
    return [group for group in cut if group["rules"]]


def name_of(rule: Mapping[str, Any]) -> str:
    """Of an alert or a recording."""
    return str(rule.get("alert") or rule["record"])


def _text(rule: Mapping[str, Any]) -> str:
    """What of a rule may read recordings: its expression, and the queries of its texts."""
    return "\n".join([rule["expr"], *rule.get("annotations", {}).values()])


def run(paths: Sequence[Path], timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """``promtool test rules`` over files of tests."""
    command = [str(binary("promtool")), "test", "rules", *(str(path) for path in paths)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=_ENVIRONMENT)
