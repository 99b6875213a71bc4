"""Rules in the chart: the same objects as `storage-exporter rules render`, for the same configuration, as data."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from exporter.errors import ConfigError
from exporter.ruler import conventions
from exporter.ruler.render import DIALECT_LABEL, FOLDER_ANNOTATION, Options, Target
from exporter.ruler.shapes import MOST_RULES
from rules.build import first
from tests.chart.packed import RULES_ONLY, configured, copied, expected, shipped
from tests.chart.rendering import CHART, HelmError, Object, all_of, parsed, render

ALERTS = sorted({rule.name for rule in shipped().alerts()})
NODES = ["NodeNfsServerNotResponding", "NodeBlockIoErrors", "NodeFilesystemReadOnly", "WorkloadNoSpaceLeft"]
"""All that a file holds."""

OVERRIDES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "alerts left out": {"disable": ["AwsEbsVolumeThrottled", "AwsEfsBurstCreditsDepleted", "EbsCsiAttachFailing"]},
    "a whole group left out": {"disable": [rule.name for rule in shipped().groups("loki")[0].rules]},
    "every alert of a file left out": {"disable": NODES},
    "a whole file left out": {"files": {"s3": False, "exporter": False, "loki/exporter": True}},
    "one language's file": {"files": {"loki/exporter": False, "efs": True}},
    "severities": {
        "alerts": {
            "AwsEbsVolumeThrottled": {"severity": "critical"},
            "StorageClaimFull": {"severity": "info"},
            "AwsEbsVolumeImpaired": {"severity": "none"},
            "AwsEfsBurstCreditsLow": {"severity": "warning"},
        }
    },
    "durations": {
        "alerts": {
            "AwsEbsVolumeThrottled": {"for": "90m", "keep_firing_for": 7200},
            "StorageClaimFull": {"for": 0, "keep_firing_for": "0s"},
            "AwsEbsVolumeSaturated": {"for": "1d12h", "keep_firing_for": "010"},
            "AwsEfsBurstCreditsDepleted": {"for": "86400s", "keep_firing_for": 61},
            "AwsEbsVolumeLatencyHigh": {"for": "1d2h3m4s", "keep_firing_for": 2592000},
            "AwsEfsBurstCreditsLow": {"for": "30d", "keep_firing_for": "000000001h000000002m000000003s"},
            "AwsEbsBurstBalanceLow": {"for": "000000001d", "keep_firing_for": "000000060"},
        }
    },
    "numbers": {
        "alerts": {
            "AwsEbsVolumeThrottled": {"thresholds": {"now": 0.75, "lately": 1}},
            "AwsEfsBurstCreditsLow": {"thresholds": {}},
            "AwsEfsAccessPointsNearLimit": {"thresholds": {"quota": 123456789, "share": 0.00001, "driver_limit": 0}},
            "AwsEbsVolumeLatencyHigh": {"thresholds": {"latency": 0.0001, "ops": 1e16}},
            "AwsEbsVolumeModificationStuck": {"thresholds": {"modifying": 9007199254740993, "failed": 1.5e15}},
        }
    },
    "labels": {
        "labels": {"team": "storage", "tier": "gold"},
        "alerts": {"AwsEbsVolumeThrottled": {"labels": {"team": "databases", "on": "true"}, "severity": "critical"}},
    },
    "addresses": {"runbook_url": "https://wiki.example.com/storage", "grafana_url": "https://grafana.example.com/g//"},
    "a plain ${": {"labels": {"team": "$${not a variable}"}, "grafana_url": "https://x.example.com/$${a}"},
}


def values(rules: Mapping[str, Any], **delivery: Any) -> dict[str, Any]:
    return {**RULES_ONLY, "config": {"rules": dict(rules)}, "rules": delivery}


def groups(rendered: Object) -> Any:
    """What a PrometheusRule or a ConfigMap carries."""
    if rendered["kind"] == "PrometheusRule":
        return rendered["spec"]["groups"]
    (text,) = rendered["data"].values()
    return parsed(text)[0]["groups"]


def by_name(objects: list[Object], kind: str) -> dict[str, Object]:
    found = {each["metadata"]["name"]: each for each in all_of(objects, kind)}
    return {name: each for name, each in found.items() if DIALECT_LABEL in each["metadata"]["labels"]}


def same(rendered: dict[str, Object], wanted: dict[str, Object]) -> None:
    assert sorted(rendered) == sorted(wanted)
    for name, each in wanted.items():
        assert groups(rendered[name]) == groups(each), name


@pytest.mark.parametrize("rules", OVERRIDES.values(), ids=list(OVERRIDES))
def test_rules_are_those_of_the_program(rules: dict[str, Any]) -> None:
    """Every file, every group, every text of every rule, of both languages."""
    objects = render(values(rules, mimir={"evaluatedBy": "mimir"}, loki={"delivery": "configMap"}))
    same(by_name(objects, "PrometheusRule"), expected(rules, "mimir", "prometheusrule"))
    same(by_name(objects, "ConfigMap"), expected(rules, "loki", "configmap"))


@pytest.mark.parametrize("name", ["severities", "labels"])
def test_what_mimir_alone_understands_is_for_mimir_alone(name: str) -> None:
    """Prometheus 2.42 refuses query_offset. Which groups have it depends on what pages after the overrides."""
    rules = OVERRIDES[name]
    objects = render(values(rules, mimir={"delivery": "configMap"}, loki={"delivery": "prometheusRule"}))
    same(by_name(objects, "ConfigMap"), expected(rules, "prometheus", "configmap"))
    same(by_name(objects, "PrometheusRule"), expected(rules, "loki", "prometheusrule"))
    assert "query_offset" not in json.dumps(objects)
    assert expected(rules, "mimir", "prometheusrule") != expected({}, "mimir", "prometheusrule")


def test_languages_may_travel_alike() -> None:
    """Both have a file called exporter: in one folder of a sidecar neither overwrites the other."""
    objects = render(values({}, mimir={"delivery": "configMap"}, loki={"delivery": "configMap"}))
    same(by_name(objects, "ConfigMap"), expected({}, "prometheus", "configmap") | expected({}, "loki", "configmap"))
    files = [name for each in by_name(objects, "ConfigMap").values() for name in each["data"]]
    assert len(set(files)) == len(files)


def overridden() -> st.SearchStrategy[dict[str, Any]]:
    """What is other about some alerts: any number that the program takes, any duration."""

    def of(name: str) -> st.SearchStrategy[dict[str, Any]]:
        table = shipped().thresholds.get(name, {})
        most = {key: 1.0 if each.unit == "ratio" and each.value <= 1 else 1e18 for key, each in table.items()}
        numbers = {key: st.floats(0, top) | st.integers(0, min(int(top), 2**53)) for key, top in most.items()}
        seconds = st.integers(0, 30 * 86400)
        spans = seconds | st.integers(0, 29).map(lambda days: f"{days}d3h07m") | seconds.map(lambda each: f"{each}s")
        return st.fixed_dictionaries(
            {},
            optional={
                "severity": st.sampled_from(["critical", "warning", "info", "none"]),
                "for": spans,
                "keep_firing_for": spans,
                "thresholds": st.fixed_dictionaries({}, optional=numbers),
                "labels": st.dictionaries(
                    st.sampled_from(["team", "yes", "no"]), st.sampled_from(["a b", "1.10", "~"])
                ),
            },
        )

    chosen = st.lists(st.sampled_from(ALERTS), min_size=20, max_size=60, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: of(name) for name in names}))


# Without shrinking: each try is a run of helm.
@settings(
    max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
@given(alerts=overridden(), disable=st.lists(st.sampled_from(ALERTS), max_size=20, unique=True))
def test_any_overrides_are_read_as_the_program_reads_them(alerts: dict[str, Any], disable: list[str]) -> None:
    """Numbers of any size, durations of any spelling, labels that YAML would take for something else."""
    rules = {"alerts": alerts, "disable": disable}
    objects = render(values(rules, mimir={"evaluatedBy": "mimir"}, loki={"delivery": "prometheusRule"}))
    wanted = expected(rules, "mimir", "prometheusrule") | expected(rules, "loki", "prometheusrule")
    same(by_name(objects, "PrometheusRule"), wanted)


def test_objects_are_marked_for_those_who_look_for_them() -> None:
    """The dialect by our label, which nobody's labels change; the sidecar's label and folder; namespaces."""
    said = {
        "labels": {"release": "prometheus", DIALECT_LABEL: "mine"},
        "annotations": {"note": "x"},
        "namespace": "obs",
    }
    objects = render(values({}, mimir=said, loki={**said, "delivery": "configMap", "folder": "/rules/tenant"}))
    for kind, dialect in (("PrometheusRule", "promql"), ("ConfigMap", "logql")):
        for each in by_name(objects, kind).values():
            metadata = each["metadata"]
            assert metadata["namespace"] == "obs"
            assert metadata["labels"][DIALECT_LABEL] == dialect
            assert metadata["labels"]["release"] == "prometheus"
            assert metadata["labels"]["app.kubernetes.io/name"] == "storage-exporter"
            assert metadata["annotations"]["note"] == "x"
            assert (metadata["labels"].get("loki_rule") == "") == (kind == "ConfigMap")
            folder = "/rules/tenant" if kind == "ConfigMap" else None
            assert metadata["annotations"].get(FOLDER_ANNOTATION) == folder
            if kind == "ConfigMap":
                assert list(each["data"]) == [f"{metadata['name']}.yaml"]


@pytest.mark.parametrize(("evaluated", "wanted"), [("mimir", "1"), ("prometheus", None)])
def test_config_maps_for_mimir_have_the_label_people_choose(evaluated: Target, wanted: str | None) -> None:
    """As `rules render --target mimir --format configmap` writes them."""
    objects = render(values({}, mimir={"delivery": "configMap", "evaluatedBy": evaluated}))
    found = by_name(objects, "ConfigMap")
    assert found
    program = expected({}, evaluated, "configmap", Options())
    for name, each in found.items():
        assert each["metadata"]["labels"].get("mimir_rules") == wanted
        assert program[name]["metadata"]["labels"].get("mimir_rules") == wanted


def test_names_carry_the_release() -> None:
    """Two releases in a namespace do not overwrite each other's rules."""
    objects = render(values({}, loki={"delivery": "configMap"}), release="two")
    names = {*by_name(objects, "PrometheusRule"), *by_name(objects, "ConfigMap")}
    assert all(name.startswith("two-storage-exporter-") for name in names)
    assert len(names) == len(shipped().files)


def test_objects_are_small_enough_for_everybody() -> None:
    """250 kB can be applied by kubectl and Argo CD; a group of more than 20 rules is refused by Mimir."""
    rules = {"labels": {"team": "storage"}}
    objects = render(values(rules, mimir={"evaluatedBy": "mimir"}, loki={"delivery": "configMap"}))
    found = {**by_name(objects, "PrometheusRule"), **by_name(objects, "ConfigMap")}
    for name, each in found.items():
        assert len(json.dumps(each)) < 250_000, name
        assert all(len(group["rules"]) <= MOST_RULES for group in groups(each)), name


def test_nothing_is_rendered_where_nothing_is_wanted() -> None:
    """Delivery none; LogQL is off by default, for the operator's webhook would refuse the release."""
    objects = render(values({}, mimir={"delivery": "none"}))
    assert not by_name(objects, "PrometheusRule")
    assert not by_name(objects, "ConfigMap")
    assert not by_name(render(RULES_ONLY), "ConfigMap")
    assert len(by_name(render(RULES_ONLY), "PrometheusRule")) == 7


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "alert that is not there": ({"alerts": {"AwsEbsNope": {"for": "5m"}}}, "there is no alert 'AwsEbsNope'"),
    "disabled that is not there": ({"disable": ["AwsEfsUnused", "Nope"]}, "disable[1]: there is no alert 'Nope'"),
    "recording is no alert": ({"disable": ["volume:aws_ebs_claim:info"]}, "there is no alert 'volume:aws_ebs_claim"),
    "file that is not there": ({"files": {"loki/s3": False}}, "there is no file 'loki/s3'; there are: claims, drivers"),
    "threshold that is not there": (
        {"alerts": {"AwsEbsVolumeThrottled": {"thresholds": {"nope": 1}}}},
        "there is no threshold 'nope' of AwsEbsVolumeThrottled; it has: lately, mostly, now",
    ),
    "alert without thresholds": (
        {"alerts": {"StorageExporterWatchdog": {"thresholds": {"x": 1}}}},
        "there is no threshold 'x' of StorageExporterWatchdog; it has none",
    ),
    "below 0": (
        {"alerts": {"AwsEbsVolumeThrottled": {"thresholds": {"now": -1}}}},
        "thresholds.now: -1 is below 0",
    ),
    "percent": (
        {"alerts": {"AwsEbsVolumeThrottled": {"thresholds": {"now": 90}}}},
        "config.rules.alerts.AwsEbsVolumeThrottled.thresholds.now: 90 is over 1, and it is a ratio",
    ),
    "label of an identity": ({"labels": {"volume_id": "x"}}, "config.rules.labels.volume_id: the rules set this label"),
    "label of one alert": (
        {"alerts": {"AwsEbsVolumeThrottled": {"labels": {"severity": "info"}}}},
        "config.rules.alerts.AwsEbsVolumeThrottled.labels.severity: the rules set this label",
    ),
    "address with an anchor": ({"runbook_url": "https://wiki.example.com/#x"}, "config.rules.runbook_url holds # or ?"),
    "address with a query": (
        {"grafana_url": "https://a.example.com?a=b"},
        "config.rules.grafana_url holds # or ?",
    ),
    "too long": (
        {"alerts": {"AwsEbsVolumeThrottled": {"for": "31d"}}},
        "config.rules.alerts.AwsEbsVolumeThrottled.for: '31d' is out of range; give a duration from 0s to 30d",
    ),
    "a second too long": ({"alerts": {"AwsEbsVolumeThrottled": {"keep_firing_for": "2592001s"}}}, "from 0s to 30d"),
    "everything left out": ({"files": {file.name: False for file in shipped().files}}, "there are no rules"),
}


@pytest.mark.parametrize(("rules", "said"), REFUSED.values(), ids=list(REFUSED))
def test_what_the_program_refuses_is_refused(rules: dict[str, Any], said: str) -> None:
    """Before anything is installed, with a line that names the key; the program refuses the same configuration."""
    with pytest.raises(ConfigError):
        configured(rules)
    with pytest.raises(HelmError) as refused:
        render(values(rules))
    assert said in str(refused.value)
    assert "config.rules" in str(refused.value)


def test_labels_that_are_held_are_the_programs() -> None:
    """Every label that the rules carry, join by or set: the chart refuses those that the program refuses."""
    text = (CHART / "templates" / "_rules.tpl").read_text()
    held = set(re.findall(r'"([a-z_]+)"', text.partition("$held := list")[2].partition("-}}")[0]))
    assert len(held) > 20
    known = {label for rule in shipped().alerts() for label in rule.labels}
    known |= {label for family in first.families().values() for label in family["labels"]}
    for label in {"team", "alertname", "cluster", "workload"} | known | held:
        try:
            configured({"labels": {label: "x"}})
        except ConfigError:
            assert label in held, label
        else:
            assert label not in held, label


MISTYPED: dict[str, tuple[dict[str, Any], str]] = {
    "threshold in quotes": ({"alerts": {"AwsEbsVolumeThrottled": {"thresholds": {"now": "0.9"}}}}, "now"),
    "no duration": ({"alerts": {"AwsEbsVolumeThrottled": {"for": "5 minutes"}}}, "for"),
    "no severity": ({"alerts": {"AwsEbsVolumeThrottled": {"severity": "page"}}}, "severity"),
    "number as label": ({"labels": {"team": 5}}, "team"),
    "template in a label": ({"labels": {"team": "{{ $labels.team }}"}}, "team"),
    "${ as threshold": ({"alerts": {"AwsEbsVolumeThrottled": {"thresholds": {"now": "$${x"}}}}, "is not a number"),
    "${ as severity": ({"alerts": {"AwsEbsVolumeThrottled": {"severity": "$${x"}}}, "is not one of critical, warning"),
    "${ as duration": ({"alerts": {"AwsEbsVolumeThrottled": {"for": "$${x"}}}, "is not a duration"),
}


@pytest.mark.parametrize(("rules", "said"), MISTYPED.values(), ids=list(MISTYPED))
def test_values_of_other_types_are_refused(rules: dict[str, Any], said: str) -> None:
    """By the schema or by the templates: no rule is rendered that the program would not write."""
    with pytest.raises(ConfigError):
        configured(rules)
    with pytest.raises(HelmError, match=said):
        render(values(rules))


def test_variables_are_refused_where_they_change_rules() -> None:
    """The program knows its environment, the chart does not: it would write the variable's name into the rule."""
    for rules in ({"grafana_url": "https://${HOST}/"}, {"labels": {"team": "a${TEAM}"}}):
        with pytest.raises(HelmError, match="write the value itself"):
            render(values(rules))
    mimir = {"url": "http://${HOST}:8080", "tenant": "${TENANT}"}
    assert by_name(render(values({"mimir": mimir})), "PrometheusRule")


BROKEN = {
    "no YAML": ("groups: [\n", "files/mimir/s3.yaml: is not YAML: "),
    "no groups": ("groups: []\n", "files/mimir/s3.yaml: holds no groups of rules"),
    "another key": ("rules: [a]\n", "files/mimir/s3.yaml: holds no groups of rules"),
    "a group of nothing": ("groups: [{name: a.b, rules: []}]\n", "files/mimir/s3.yaml: a.b has no rules"),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=list(BROKEN))
def test_a_broken_file_of_rules_is_named(tmp_path: Path, text: str, said: str) -> None:
    """Helm's reader never fails: without the guard the alerts of a broken file would be gone, and nobody told."""
    chart = copied(tmp_path)
    (chart / "files" / "mimir" / "s3.yaml").write_text(text)
    with pytest.raises(HelmError) as refused:
        render(RULES_ONLY, chart=chart)
    assert said in str(refused.value)


@pytest.mark.parametrize(("text", "said"), [("a: [\n", "is not YAML"), ("", "is empty or not in the chart")])
def test_a_broken_table_of_thresholds_is_named(tmp_path: Path, text: str, said: str) -> None:
    """Where a threshold is looked up in it, and only there."""
    chart = copied(tmp_path)
    (chart / "files" / "thresholds.yaml").write_text(text)
    rules = {"alerts": {"AwsEbsVolumeThrottled": {"thresholds": {"now": 0.5}}}}
    with pytest.raises(HelmError, match=rf"files/thresholds\.yaml: {said}"):
        render(values(rules), chart=chart)
    assert render(values({"alerts": {"AwsEbsVolumeThrottled": {"for": "5m"}}}), chart=chart)


def test_the_runbooks_page_is_the_programs() -> None:
    """Where the prefix differed, config.rules.runbook_url would change nothing in the chart's rules."""
    rules = {"runbook_url": "https://wiki.example.com/x"}
    objects = render(values(rules, loki={"delivery": "configMap"}))
    urls = [
        rule["annotations"]["runbook_url"]
        for kind in ("PrometheusRule", "ConfigMap")
        for each in by_name(objects, kind).values()
        for group in groups(each)
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert len(urls) > 100
    assert not [url for url in urls if url.startswith(conventions.RUNBOOKS)]
    assert all(url.startswith("https://wiki.example.com/x#") for url in urls)
