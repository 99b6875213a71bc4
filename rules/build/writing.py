"""Every file that is built, as text. Which rule files there are stands here."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from rules.build.cases.shapes import Case, Reading, test_of, tests_of
from rules.build.model import PROJECT, RuleFile, dumped

NAMES = ("ebs", "efs", "s3", "elasticache", "claims", "protection", "exporter")
"""The files of ``rules/mimir``; each is a module here with ``FILE`` and one in cases with ``CASES`` and ``READINGS``."""

NEEDS = {"claims": ("ebs",), "protection": ("ebs", "efs")}
"""Files whose recordings another file reads: its tests load them too."""

_LOKI = Path(__file__).with_name("loki_thresholds.yaml")


def everything() -> dict[str, str]:
    """Path below ``rules/`` to text."""
    files = [rule_file(name) for name in NAMES]
    found = {f"mimir/{file.name}.yaml": file.text() for file in files}
    found["thresholds.yaml"] = _thresholds(files)
    return found


def suite_names() -> list[str]:
    """What the files of promtool's tests are called: a rule file's name, with the minutes between two steps behind it."""
    return [_suite_name(name, step) for name in NAMES for step in _steps(name)]


def suite(wanted: str) -> dict[str, Any]:
    """
    A file of promtool's tests, as it would stand in ``rules/tests``. All of them are eight megabytes that say what the
    cases say, so each is built where it is wanted, and none is kept.
    """
    name = wanted.partition("-")[0]
    step = next(step for step in _steps(name) if _suite_name(name, step) == wanted)
    cases, readings = cases_of(name)
    tests = [test for case in cases if case.step == step for test in tests_of(case)]
    tests += [test_of(reading) for reading in readings if reading.step == step]
    files = (*NEEDS.get(name, ()), name)
    return {
        "rule_files": [f"../mimir/{each}.yaml" for each in files],
        "evaluation_interval": f"{step}m",
        # The order of groups is random unless it is said.
        "group_eval_order": [f"{PROJECT}.{each}.{group.topic}" for each in files for group in rule_file(each).groups],
        "tests": tests,
    }


def _steps(name: str) -> list[int]:
    cases, readings = cases_of(name)
    return sorted({case.step for case in cases} | {reading.step for reading in readings})


def _suite_name(name: str, step: int) -> str:
    return name if step == 1 else f"{name}-{step}m"


def suite_text(name: str, document: dict[str, Any]) -> str:
    """A file of promtool's tests."""
    return f"# Written by `make rules`, not committed: promtool test rules rules/tests/{name}.yaml\n{dumped(document)}"


def rule_file(name: str) -> RuleFile:
    """The rule file of that name."""
    file: RuleFile = import_module(f"rules.build.{name}").FILE
    return file


def cases_of(name: str) -> tuple[list[Case], list[Reading]]:
    """What the alerts of a file must do, and what its recordings must say."""
    module = import_module(f"rules.build.cases.{name}")
    return list(module.CASES), list(module.READINGS)


def _thresholds(files: list[RuleFile]) -> str:
    table: dict[str, Any] = {
        alert.name: {
            name: {"value": each.value, "unit": each.unit, "meaning": each.meaning}
            for name, each in alert.thresholds.items()
        }
        for file in files
        for alert in file.alerts()
        if alert.thresholds
    }
    if _LOKI.is_file():
        table |= yaml.safe_load(_LOKI.read_text())
    head = "# Written by `make rules`: every number of the alerts that may be set otherwise (rules.alerts.<name>.thresholds).\n"
    return head + dumped(dict(sorted(table.items())))
