"""The LogQL alerts' words: Grafana's grammar, summaries as promtool renders them, runbooks."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import promql_parser
import pytest
import yaml

from exporter.printing import catalogue
from exporter.services.registry import SERVICES
from tests.rules.logql_grammar import grammar_faults
from tests.rules.loki_rules import ROOT, Rule, expected, fixture, rules
from tests.tools import binary

ALL = rules()
each_rule = pytest.mark.parametrize("rule", ALL, ids=[rule.alert for rule in ALL])


@pytest.mark.binary
def test_grafanas_grammar_takes_every_expression() -> None:
    """All of them, and it does find faults: one that is broken is told with its place."""
    broken = 'sum by (a) (count_over_time({a="b"} |~ `x` [5m]) > 1'
    found = grammar_faults([*(rule.text for rule in ALL), broken])
    assert [ALL[fault["index"]].alert for fault in found if fault["index"] < len(ALL)] == []
    assert {fault["index"] for fault in found} == {len(ALL)}
    assert all(fault["from"] >= len(broken) - 2 for fault in found)


def test_the_grammar_is_pinned_and_names_no_registry() -> None:
    """Exact versions, with a checksum each, and no address: npm's own setting says where from."""
    folder = ROOT / "tools" / "logql"
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
    lock = (folder / "package-lock.json").read_text(encoding="utf-8")
    packages = {name.removeprefix("node_modules/"): each for name, each in json.loads(lock)["packages"].items() if name}
    assert {name: each["version"] for name, each in packages.items()} == wanted
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert "http" not in lock


# ---- texts ----------------------------------------------------------------------------------------------------------


@pytest.mark.binary
def test_summaries_name_the_thing(tmp_path: Path) -> None:
    """Rendered by promtool over the labels that a real line gives, each summary is the text that the fixture says."""
    shown, groups, tests = [], [], []
    for number, rule in enumerate(ALL):
        series, alerts = [], []
        for said in fixture(rule.alert).match:
            if said.summary:
                labels = expected(fixture(rule.alert), said)
                selector = ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(labels.items()))
                series.append({"series": f"lines{{{selector}}}", "values": "7 7"})
                alerts.append({"exp_labels": labels | dict(rule.labels), "exp_annotations": {"summary": said.summary}})
                shown.append(said.summary)
        assert alerts, rule.alert
        annotations = {"summary": rule.annotations["summary"]}
        alert = {"alert": rule.alert, "expr": "lines > 0", "labels": dict(rule.labels), "annotations": annotations}
        (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [alert]}]}))
        tests.append(tmp_path / f"test-{number}.yaml")
        case = {"eval_time": "1m", "alertname": rule.alert, "exp_alerts": alerts}
        body = {"interval": "1m", "input_series": series, "alert_rule_test": [case]}
        document = {"rule_files": [f"{number}.yaml"], "evaluation_interval": "1m", "tests": [body]}
        tests[-1].write_text(yaml.safe_dump(document))
        whole = {"alert": rule.alert, "expr": "lines > 0", "annotations": dict(rule.annotations)}
        groups.append({"name": rule.alert, "rules": [whole]})
    assert [text for text in shown if len(text) > 100 or "no value" in text] == []
    (tmp_path / "whole.yaml").write_text(yaml.safe_dump({"groups": groups}))
    promtool = str(binary("promtool"))
    for command in (
        [promtool, "check", "rules", "whole.yaml"],
        [promtool, "test", "rules", *(path.name for path in tests)],
    ):
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert run.returncode == 0, run.stdout + run.stderr


@each_rule
def test_texts_are_short_and_say_what_to_run(rule: Rule) -> None:
    """A summary in one line, a description of two to six sentences with a number or a command."""
    description = rule.annotations["description"]
    assert "\n" not in rule.annotations["summary"]
    assert len(description) <= 700
    assert "\n" not in description.strip()
    if rule.labels["severity"] == "critical":
        assert re.search(r"kubectl|aws |storage-exporter", description)


@each_rule
def test_every_alert_has_its_runbook(rule: Rule) -> None:
    """All six parts, each with words, and three queries or commands in code blocks."""
    text = _runbook(rule)
    places = [
        text.find(f"**{part}.**") for part in ("Means", "How bad", "False alarms", "Look", "Do now", "Do for good")
    ]
    assert -1 not in places
    assert places == sorted(places)
    look = text[places[3] : places[4]]
    assert look.count("```") == 6
    assert "```" not in text[: places[3]]


@pytest.mark.binary
def test_queries_of_the_runbooks_are_logql() -> None:
    """Each of an alert of this file is one that Grafana's grammar takes."""
    found = [text for rule in ALL for text in re.findall(r"```logql\n(.*?)```", _runbook(rule), re.DOTALL)]
    assert len(found) == len(ALL)
    assert [found[fault["index"]] for fault in grammar_faults(found)] == []


def test_queries_of_the_runbooks_ask_for_what_is_there() -> None:
    """PromQL that parses, of families that the exporter has, by labels that they have."""
    families = {each["name"]: each for each in catalogue(SERVICES.values())["families"]}
    for rule in ALL:
        [query] = re.findall(r"```promql\n(.*?)```", _runbook(rule), re.DOTALL)
        promql_parser.parse(query)
        asked = re.findall(r"\b((?:aws|storage_exporter|kubernetes)_[a-z0-9_]+)(?:\{([^}]*)\})?", query)
        for name, selector in asked:
            if not name.startswith("aws_ebs_csi_"):  # the driver's own
                assert name in families, rule.alert
                assert set(re.findall(r"([a-z_]+)[=!]", selector)) <= set(families[name]["labels"]), rule.alert


def _runbook(rule: Rule) -> str:
    """The alert's part of the runbooks."""
    section = re.search(rf"^### {rule.alert}\n(.*?)(?=^### |^## |\Z)", _runbooks(), re.MULTILINE | re.DOTALL)
    assert section is not None, rule.alert
    return section[1]


def _runbooks() -> str:
    """The runbooks, in their own file or where they were moved to."""
    for name in ("runbook-loki.md", "README.md"):
        path = ROOT / "rules" / name
        if path.exists():
            return path.read_text(encoding="utf-8")
    raise AssertionError("there are no runbooks")
