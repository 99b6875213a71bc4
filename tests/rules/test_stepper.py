"""
The stepper beside Prometheus's own rule manager: the same rules over the same series give the same alerts, minute by
minute. promtool, which runs that manager on a clock of its own, is asked to find a difference.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.remote.wire import labels_of_row, read
from tests.harness import T
from tests.prometheus import serving
from tests.rules.pipelined import Pipelines, pipelines
from tests.rules.rows import Target, body, head, row
from tests.rules.stepper import RefusedRuleError, Stepper, feeding, load, seconds
from tests.tools import binary

pytestmark = pytest.mark.binary

RULES: dict[str, Any] = {
    "groups": [
        {
            "name": "first",
            "interval": "1m",
            "rules": [
                {"record": "level:m:max", "expr": "max by (id) (m)", "labels": {"made": "here"}},
                {"record": "level:twice:max", "expr": 'level:m:max{made="here"} * 2'},
                {"alert": "AtOnce", "expr": "level:twice:max > 1", "labels": {"severity": "critical"}},
                {"alert": "Waits", "expr": "level:m:max > 0.5", "for": "3m", "annotations": {"text": "{{ $value }}"}},
                {"alert": "Stays", "expr": "level:m:max > 0.5", "keep_firing_for": "4m"},
                {"alert": "Both", "expr": "m > 0.5", "for": "2m", "keep_firing_for": "3m", "labels": {"also": "x"}},
                {"alert": "Seldom", "expr": "count_over_time(level:m:max[5m]) < 4"},
            ],
        },
        {
            "name": "second",
            "rules": [{"alert": "Slow", "expr": "level:twice:max > 1", "for": "5m"}],
        },
    ]
}
MINUTES = 40


@pytest.fixture
def ways(tmp_path: Path) -> Iterator[Pipelines]:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    flags = ["--web.enable-remote-write-receiver"]
    with serving(folder, folder / "data", flags=flags) as server, pipelines(server.url) as made:
        yield made


def _runs(chance: random.Random) -> list[str]:
    """A series as promtool writes it: high, low, missing, for some minutes each."""
    values: list[str] = []
    while len(values) < MINUTES:
        values += [chance.choice(("0", "1", "1", "_"))] * chance.choice((1, 2, 3, 5, 7))
    return values[:MINUTES]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_alerts_are_those_of_the_rule_manager(ways: Pipelines, tmp_path: Path, seed: int) -> None:
    """Pending, firing, kept, resolved, for rules with every kind of wait, while series come, go and change."""
    chance = random.Random(seed)
    series = {f"id{number}": _runs(chance) for number in range(4)}
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(RULES))
    stepper = Stepper(ways, load([file]))
    cases: list[dict[str, Any]] = []
    names = [rule.alert for rule in stepper.rules if rule.alert]
    for minute in range(MINUTES):
        at = T + 60 * minute
        points = {name: values[minute] for name, values in series.items() if values[minute] != "_"}
        ways.write([row(head({"__name__": "m", "id": name}), float(value), at) for name, value in points.items()])
        stepper.step(at)
        for name in names:
            alerts = [dict(each.labels) for _, each in stepper.firing() if each.name == name]
            for each in alerts:
                del each["alertname"]
            texts = {"exp_annotations": {"text": "1"}} if name == "Waits" else {}
            cases.append(
                {
                    "eval_time": f"{minute}m",
                    "alertname": name,
                    "exp_alerts": [{"exp_labels": each, **texts} for each in alerts],
                }
            )
    assert {each["alertname"] for each in cases if each["exp_alerts"]} == set(names)
    given = [{"series": f'm{{id="{name}"}}', "values": " ".join(values)} for name, values in series.items()]
    found = _promtool(tmp_path, given, cases)
    assert found.returncode == 0, found.stdout + found.stderr
    # And promtool would have seen a difference.
    wrong = next(each for each in cases if each["exp_alerts"])
    wrong["exp_alerts"] = []
    assert _promtool(tmp_path, given, cases).returncode == 1


def _promtool(
    folder: Path, given: list[dict[str, str]], cases: list[dict[str, Any]]
) -> subprocess.CompletedProcess[str]:
    test = {"interval": "1m", "input_series": given, "alert_rule_test": cases}
    order = [group["name"] for group in RULES["groups"]]  # which is random unless it is said
    text = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "group_eval_order": order, "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(text))
    words = [str(binary("promtool")), "test", "rules", "test.yaml"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_rules_that_cannot_be_evaluated_are_named(ways: Pipelines, tmp_path: Path) -> None:
    """An expression Prometheus refuses, a recording with the same series twice, an alert that is twice the same."""
    ways.write([row(head({"__name__": "n", "id": name}), 1.0, T) for name in ("a", "b")])
    for given, said in (
        ({"record": "a:b:c", "expr": "sum by (id) (n"}, "a:b:c"),
        ({"record": "a:b:c", "expr": "n", "labels": {"id": ""}}, "twice the same series"),
        ({"alert": "Twice", "expr": "n", "labels": {"id": ""}}, "Twice.*the same alert"),
    ):
        file = tmp_path / "rules.yaml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [given]}]}))
        with pytest.raises(RefusedRuleError, match=said):
            Stepper(ways, load([file])).step(T)


def test_long_answers_and_many_questions(ways: Pipelines) -> None:
    """Answers in chunks, and more questions than the connections may hold, come whole and in their order."""
    at = T
    ways.write(
        [row(head({"__name__": "many", "id": f"{number:04}", "pad": "x" * 50}), 1.0, at) for number in range(900)]
    )
    answers = ways.ask([ways.query(f'many{{id=~"{number:02}.*"}}') for number in range(9)] * 9, at)
    assert [each.body.count(b'"id":"%02d' % (place % 9)) for place, each in enumerate(answers)] == [100] * 81
    assert ways.ask([ways.query("many")], at)[0].body.count(b"pad") == 900
    assert ways.ask([ways.query("many[")], at)[0].status == 400


def test_a_group_is_evaluated_at_its_interval(ways: Pipelines, tmp_path: Path) -> None:
    """One of five minutes every fifth time; a series it has recorded lasts until the next."""
    rules = [{"record": "a:b:c", "expr": "vector(time())"}]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "g", "interval": "5m", "rules": rules}]}))
    stepper = Stepper(ways, load([file]))
    seen = []
    for minute in range(11):
        stepper.step(T + 60 * minute)
        (answer,) = ways.ask([ways.query("a:b:c")], T + 60 * minute)
        seen.append((float(json.loads(answer.body)["data"]["result"][0]["value"][1]) - T) / 60)
    assert seen == [0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 10]


def test_durations() -> None:
    """Durations are read as rule files have them."""
    assert [seconds(each) for each in ("", "30s", "5m", "1h30m", "2d", "500ms")] == [0, 30, 300, 5400, 172_800, 0.5]


def test_levels(tmp_path: Path) -> None:
    """A rule is evaluated after what it needs, of whichever group before it; names in texts and comments are none."""
    file = tmp_path / "rules.yaml"
    rules = [
        {"record": "a:one:x", "expr": "m"},
        {"record": "a:two:x", "expr": "a:one:x + 1  # not a:three:x"},
        {"record": "a:three:x", "expr": 'm{about="a:two:x"}'},
        {"alert": "Sees", "expr": "a:two:x unless a:three:x"},
        {"alert": "Later", "expr": "a:last:x"},
        {"record": "a:last:x", "expr": "m"},
    ]
    file.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))
    assert [rule.level for rule in load([file])] == [0, 1, 0, 2, 0, 0]


# --- what a scrape writes --------------------------------------------------------------------------------------------

PAGE = """# HELP aws_x Something.
# TYPE aws_x gauge
aws_x{volume_id="vol-1",namespace="databases",note="a \\"b\\" \\\\ c"} 1
aws_x{volume_id="vol-2",namespace=""} 2.5
kubernetes_y 3
"""


def _said(rows: list[bytes]) -> dict[tuple[tuple[str, str], ...], str]:
    found = {}
    for each in read(body(rows)):
        labels = labels_of_row(each)
        (sample,) = each.samples
        found[tuple(sorted(labels.items()))] = repr(sample.value)
    return found


def _series(**labels: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def test_a_scrape_carries_the_labels_of_its_target() -> None:
    """The page's own labels win over the target's, an empty one is none; what the chart takes away of AWS's is gone."""
    target = Target({"job": "e", "namespace": "monitoring", "pod": "p"}, frozenset({"pod"}))
    note = 'a "b" \\ c'
    aws = {"__name__": "aws_x", "job": "e"}
    assert _said(target.rows(PAGE, T + 5)) == {
        _series(**aws, volume_id="vol-1", namespace="databases", note=note): "1.0",
        _series(**aws, volume_id="vol-2", namespace="monitoring"): "2.5",
        _series(__name__="kubernetes_y", job="e", namespace="monitoring", pod="p"): "3.0",
        _series(__name__="up", job="e", namespace="monitoring", pod="p"): "1.0",
    }


def test_what_vanishes_from_a_page_ends() -> None:
    """A stale marker for what the page before had; for all of it where the target is gone or does not answer."""
    target = Target({"job": "e"})
    first = _said(target.rows(PAGE, T + 5))
    second = _said(target.rows("kubernetes_y 4\n", T + 6))
    assert {labels for labels, value in second.items() if value == "nan"} == {
        labels for labels in first if dict(labels)["__name__"] == "aws_x"
    }
    up, other = _series(__name__="up", job="e"), _series(__name__="kubernetes_y", job="e")
    assert _said(target.failed(T + 7)) == {up: "0.0", other: "nan"}
    _said(target.rows("kubernetes_y 4\n", T + 8))
    assert _said(target.gone(T + 9)) == {up: "nan", other: "nan"}
    assert _said(target.rows("", T + 10)) == {up: "1.0"}


def test_what_feeds_a_page_is_kept(tmp_path: Path) -> None:
    """Alerts of a severity stay with all that they read, however far; others go with what only they read."""
    file = tmp_path / "rules.yaml"
    file.write_text(
        """
groups:
  - name: g
    rules:
      - {record: "a:b:c", expr: x}
      - {record: "a:b:d", expr: "a:b:c * 2"}
      - {record: "a:b:e", expr: y}
      - {alert: Page, expr: "a:b:d > 1", labels: {severity: critical}}
      - {alert: Ticket, expr: "a:b:e > 1", labels: {severity: warning}}
"""
    )
    kept = feeding(load([file]), ["critical"])
    assert [rule.record or rule.alert for rule in kept] == ["a:b:c", "a:b:d", "Page"]
