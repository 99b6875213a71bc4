"""What rules/alertmanager/README.md says to type works, and what it says of receivers is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.rules import alertmanager
from tests.rules.test_alertmanager import walk
from tests.tools import binary

README = (alertmanager.FOLDER / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_receivers_of_the_table_are_those_of_the_configuration() -> None:
    """The table names every receiver, and none that is not there."""
    table = README.partition("## Who hears of what")[2].partition("## What is left unsaid")[0]
    cells = [row.split("|")[2] for row in table.splitlines() if row.startswith("|") and "---" not in row][1:]
    named = {name for cell in cells for name in re.findall(r"`([a-z-]+)`", cell)}
    assert named == {each["name"] for each in alertmanager.shipped()["receivers"]}


@pytest.mark.binary
def test_checks_work_as_written(tmp_path: Path) -> None:
    """Every amtool line that needs no server runs in the folder and finds nothing wrong."""
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("amtool ")]
    offline = [line for line in lines if "--alertmanager.url" not in line]
    assert len(offline) == 5
    path = f"{binary('amtool').parent}{os.pathsep}{os.environ['PATH']}"
    script = "set -e\n" + "\n".join(offline)
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=alertmanager.FOLDER,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.binary
def test_a_test_page_reaches_the_pager(tmp_path: Path) -> None:
    """The line that sends a test alert to a running Alertmanager makes a page."""
    (line,) = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("amtool alert add")]
    with alertmanager.running(tmp_path, alertmanager.compressed(alertmanager.shipped())) as am:
        there = line.replace("http://localhost:9093", am.url).replace("amtool", str(binary("amtool")), 1)
        subprocess.run(["/bin/sh", "-c", there], check=True, capture_output=True, timeout=60)
        am.until("the page", lambda: am.got("storage-page", "pagerduty"))
        assert "please acknowledge" in am.got("storage-page", "pagerduty")[0].text


@pytest.mark.binary
def test_object_for_mimir(tmp_path: Path) -> None:
    """The script makes an object without any file key, with every secret's value, that loads with its templates."""
    (script,) = blocks("python")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    config = alertmanager.shipped()
    names = {Path(value).name for _, key, value in walk(config) if key.endswith("_file")}
    for name in names:
        (secrets / name).write_text(f"https://secret.example/{name}\n", encoding="utf-8")
    program = tmp_path / "object.py"
    program.write_text(script, encoding="utf-8")
    words = [sys.executable, str(program), str(secrets)]
    done = subprocess.run(words, cwd=alertmanager.FOLDER, check=True, capture_output=True, text=True, timeout=60)
    made = yaml.safe_load(done.stdout)
    assert set(made) == {"alertmanager_config", "template_files"}
    turned = yaml.safe_load(made["alertmanager_config"])
    assert [key for _, key, _ in walk(turned) if key.endswith("_file")] == []
    values = {value for _, _, value in walk(turned) if isinstance(value, str)}
    assert {f"https://secret.example/{name}" for name in names} <= values
    assert (turned["route"], turned["inhibit_rules"]) == (config["route"], config["inhibit_rules"])
    # Mimir keeps the templates beside the configuration, below the names of the object.
    assert turned["templates"] == list(made["template_files"]) == ["storage.tmpl"]
    (tmp_path / "config.yaml").write_text(made["alertmanager_config"], encoding="utf-8")
    (tmp_path / "storage.tmpl").write_text(made["template_files"]["storage.tmpl"], encoding="utf-8")
    checked = subprocess.run(
        [str(binary("amtool")), "check-config", str(tmp_path / "config.yaml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
