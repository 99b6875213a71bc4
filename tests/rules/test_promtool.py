"""Every alert against promtool, in each of its shapes (rules/build/cases/shapes.py)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from rules.build.writing import suite, suite_names
from tests.rules.pieces import ROOT, load, mimir_files, pieces, run
from tests.tools import binary

_PARTS = [(name, part, of) for name in suite_names() for of in (1 if "-" in name else 4,) for part in range(of)]
"""Files of tests, those by the minute in four parts, for several to run at a time."""

_QUIET = re.compile(r"SUCCESS|Unit Testing|^\s*$")

pytestmark = pytest.mark.binary


@pytest.mark.parametrize(("name", "part", "of"), _PARTS)
def test_the_alerts_do_what_their_cases_say(name: str, part: int, of: int, tmp_path: Path) -> None:
    """Each alert, with the recordings it reads, over its cases."""
    found = list(pieces(suite(name)))[part::of]
    files = [piece.write(tmp_path, f"{number:03d}") for number, piece in enumerate(found)]
    assert files
    done = run(files)
    told = [line for line in (done.stderr + done.stdout).splitlines() if not _QUIET.search(line)]
    assert done.returncode == 0, "\n".join(told)[-6000:]


@pytest.mark.parametrize("file", mimir_files(), ids=lambda path: path.stem)
def test_promtool_finds_no_fault(file: Path) -> None:
    """``promtool check rules`` with every lint."""
    command = [str(binary("promtool")), "check", "rules", "--lint=all", "--lint-fatal", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_six_tests() -> None:
    """An alert without a test, or a test without an alert, is a fault; each has one of a kind that fires."""
    alerts = {
        rule["alert"]
        for file in mimir_files()
        for group in load(file)["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    tested: dict[str, set[str]] = {}
    for each in suite_names():
        for test in suite(each)["tests"]:
            name, _, what = test["name"].partition(": ")
            if what and name[0].isupper():  # readings are called what they show
                tested.setdefault(name, set()).add(what)
    assert alerts == set(tested), f"{sorted(alerts ^ set(tested))} in one place only; rules under {ROOT}"
    for name, what in tested.items():
        assert {"fires", "has no data", "its datapoints come late"} <= what, name
