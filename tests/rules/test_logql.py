"""The LogQL rules: real log lines that must and must not match, mutants, their shape, their thresholds."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from tests.rules.logql import Compare, LineFilter, Range, SetOf, Sum
from tests.rules.logql_run import Line, pipeline, takes_streams_without_labels
from tests.rules.loki_rules import (
    LOGS,
    ROOT,
    RULES,
    Rule,
    faults,
    fixture,
    parts,
    queries,
    rules,
    thresholds,
)
from tests.rules.mutants_logql import caught, mutants

ALL = rules()
each_rule = pytest.mark.parametrize("rule", ALL, ids=[rule.alert for rule in ALL])

RUNBOOK = "https://github.com/officeless/storage-exporter/blob/main/rules/README.md#"
DASHBOARDS = {"overview", "ebs-fleet", "ebs-volume", "efs", "s3", "valkey", "capacity", "exporter"}
VARIABLES = {
    "cluster",
    "account_id",
    "region",
    "volume_id",
    "file_system_id",
    "bucket",
    "replication_group_id",
    "namespace",
    "persistentvolumeclaim",
}
COMPONENTS = {"ebs", "efs", "elasticache", "claims", "exporter", "observability", "nodes"}


# ---- lines ----------------------------------------------------------------------------------------------------------


@each_rule
def test_real_lines_fire_and_noise_does_not(rule: Rule) -> None:
    """Everything the alert's fixture says holds: what fires, with which labels, from where, how often, and what not."""
    found = fixture(rule.alert)
    assert found.match
    assert found.fires
    assert list(faults(rule, found)) == []


def test_every_alert_has_a_fixture_and_no_fixture_is_left_over() -> None:
    """A renamed alert does not leave its lines behind."""
    assert {path.stem for path in LOGS.iterdir()} == {rule.alert for rule in ALL}


@each_rule
def test_nothing_in_a_rule_is_free_to_change(rule: Rule) -> None:
    """Each alternative of a regular expression, filter, threshold, range and label is needed by some line."""
    assert [what for what, mutant in mutants(rule) if not caught(mutant)] == []


@each_rule
def test_quiet_and_noise_are_there(rule: Rule) -> None:
    """A fixture that only fires proves little."""
    found = fixture(rule.alert)
    assert found.quiet
    assert found.noise or any(case.fires is None for case in found.cases)


def test_a_query_that_is_logged_does_not_fire_its_own_alert() -> None:
    """Loki and Grafana log queries. Where a rule reads all workloads or the stack, its own text must not match."""
    for rule in ALL:
        for query in queries(rule.expr):
            if any(m.name == "namespace" and m.op == "=~" for m in query.selector):
                excluded = [s.text for s in query.stages if isinstance(s, LineFilter) and s.op == "!~"]
                assert any("count_over_time" in text for text in excluded), rule.alert


def test_no_alert_matches_what_is_said_of_an_alert() -> None:
    """Webhooks and chat bots log the alerts they pass on: their texts must not be the next alert."""
    words = ["StorageExporterAccessDenied", "ObservabilityS3SlowDown"]
    for path in sorted([*RULES.glob("*.yaml"), *(ROOT / "rules" / "mimir").glob("*.yaml")]):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for each in (each for group in document["groups"] for each in group["rules"] if "alert" in each):
            passed_on = {"alertname": each["alert"], "labels": each["labels"], "annotations": each["annotations"]}
            words += [each["alert"], f'param_query="{each["expr"]}"', json.dumps(passed_on, ensure_ascii=False)]
    assert len(words) > 3 * len(ALL)
    streams = [{"namespace": "shop", "container": "bot"}, {"namespace": "monitoring", "container": "alertmanager"}]
    for rule in ALL:
        if rule.file in {"observability", "valkey"} or rule.alert == "WorkloadNoSpaceLeft":
            for query in queries(rule.expr):
                for stream in streams:
                    said = [
                        text
                        for text in words
                        if pipeline(query, Line(stream, text.replace("\n", " "), 0.0)) is not None
                    ]
                    assert said == [], rule.alert


# ---- shape ----------------------------------------------------------------------------------------------------------


def test_groups_are_named_after_their_file_and_small_enough_for_mimirs_and_lokis_limits() -> None:
    """`storage-exporter.<file>.<topic>`, at most 20 rules, evaluated each minute, nothing that Loki does not know."""
    names: list[str] = []
    for path in sorted(RULES.glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert set(document) == {"groups"}
        for group in document["groups"]:
            assert set(group) == {"name", "interval", "rules"}
            assert re.fullmatch(rf"storage-exporter\.{path.stem}\.[a-z]+", group["name"])
            assert group["interval"] == "1m"
            assert 0 < len(group["rules"]) <= 20
            names.append(group["name"])
            for rule in group["rules"]:
                assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert len(names) == len(set(names))
    assert len({rule.alert for rule in ALL}) == len(ALL)


@each_rule
def test_labels_and_annotations_are_those_of_every_rule_here(rule: Rule) -> None:
    """Severity, component, source; summary, description, runbook and a dashboard with variables that it has."""
    assert set(rule.labels) == {"severity", "component", "project", "source"}
    assert rule.labels["severity"] in {"critical", "warning", "info"}
    assert rule.labels["component"] in COMPONENTS
    assert set(rule.annotations) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert rule.annotations["runbook_url"] == RUNBOOK + rule.alert.lower()
    path, _, variables = rule.annotations["dashboard_url"].partition("?")
    assert path.removeprefix("/d/storage-exporter-") in DASHBOARDS
    for variable in variables.split("&"):
        name, _, value = variable.partition("=")
        assert name.removeprefix("var-") in VARIABLES
        assert value == f"{{{{ $labels.{name.removeprefix('var-')} }}}}"


@each_rule
def test_texts_use_only_labels_that_the_alert_has(rule: Rule) -> None:
    """A label that no element can have prints nothing at three in the morning."""
    has = {label for part in parts(rule.expr) if isinstance(part, Sum) for label in part.by}
    used = {name for text in rule.annotations.values() for name in re.findall(r"\$labels\.([a-z_]+)", text)}
    assert used - {"account_id"} <= has
    assert "cluster" in has
    assert not has & {"pod", "instance", "level", "stream", "filename"}


@each_rule
def test_pages_come_quickly_also_after_a_restart_of_the_ruler(rule: Rule) -> None:
    """The ruler keeps `for` in memory: five minutes at most; longer faults are counted over ranges."""
    assert re.fullmatch(r"[0-5]m", rule.wait)


@each_rule
def test_selectors_are_not_of_negations_alone(rule: Rule) -> None:
    """One selector that streams without labels would pass stops every rule of the tenant in Loki."""
    for query in queries(rule.expr):
        assert not takes_streams_without_labels(query.selector)


def test_selectors_are_few() -> None:
    """Who labels streams otherwise replaces each of these; each is named in the head of its file."""
    selectors: dict[str, set[str]] = {}
    for rule in ALL:
        for text in re.findall(r"\{[a-z]+(?:=|!=|=~|!~)\"[^}]*\}", rule.text):
            selectors.setdefault(rule.file, set()).add(text)
    for file, found in selectors.items():
        head = (RULES / f"{file}.yaml").read_text(encoding="utf-8").partition("groups:")[0]
        for selector in found:
            assert f"#   {selector}" in head
    assert len(set().union(*selectors.values())) <= 8


@each_rule
def test_every_number_has_a_name_and_stands_in_the_table(rule: Rule) -> None:
    """Each comparison ends its line with `# name`; the table has the same numbers, with unit and meaning."""
    named = thresholds(rule.text)
    compared = [part for part in parts(rule.expr) if isinstance(part, Compare)]
    assert {part.name: part.number for part in compared} == named
    assert len(compared) == len(named) > 0
    table = yaml.safe_load((ROOT / "rules/build/loki_thresholds.yaml").read_text(encoding="utf-8"))
    assert {name: each["value"] for name, each in table[rule.alert].items()} == named
    for each in table[rule.alert].values():
        assert set(each) == {"value", "unit", "meaning"}
        assert each["unit"] == "count"
        assert 10 < len(each["meaning"]) <= 120
    assert set(table) == {each.alert for each in ALL}


@each_rule
def test_a_rule_asks_the_same_before_as_now(rule: Rule) -> None:
    """Both counts of a lasting fault are of the same query by the same labels, else they never meet."""
    for part in parts(rule.expr):
        if isinstance(part, SetOf) and part.op == "and":
            sums = [each for each in parts(part) if isinstance(each, Sum)]
            assert len({each.by for each in sums}) == 1
            assert len({each.inner.query for each in sums}) == 1
            now, before = (each.inner for each in sums)
            assert now.offset == 0 < before.offset
            assert now.seconds <= before.offset


def test_thresholds_above_none_mean_one_line() -> None:
    """Counts are whole numbers: nothing compares with a fraction, and nothing with equality."""
    for rule in ALL:
        for part in parts(rule.expr):
            if isinstance(part, Compare):
                assert part.op == ">"
                assert part.number == int(part.number) >= 0


def test_ranges_look_back_a_day_at_most() -> None:
    """A rule that runs each minute reads its whole range each minute."""
    for rule in ALL:
        for part in parts(rule.expr):
            if isinstance(part, Range):
                assert part.seconds + part.offset <= 86400
