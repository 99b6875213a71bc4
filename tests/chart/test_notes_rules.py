"""NOTES.txt, second half: who evaluates, who is told, who shows, and what is blind."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from exporter.cli import main
from tests.chart.noting import WRAPPED, Notes, commands, item, printer, well_formed
from tests.chart.rendering import CHART, HelmError, Values, helm, render

ROLE = "arn:aws:iam::123456789012:role/team/storage-exporter-production"
RULERS = {"rules": {"mimir": {"url": "http://mimir:8080", "tenant": "platform"}, "loki": {"url": "http://loki:3100"}}}
PUSH = {"cluster": "c", "delivery": {"mode": "push", "push": {"url": "https://mimir.example.com/api/v1/push"}}}
SETTLED: Values = {
    "aws": {"roleArn": ROLE, "region": "eu-central-1"},
    "config": {"cluster": "production", "budget": {"dollars_per_month": 0}},
    "sources": {"ebsCsiNvme": True},
    "scrape": {"labels": {"release": "prometheus"}},
    "rules": {"mimir": {"labels": {"release": "prometheus"}}, "loki": {"delivery": "configMap"}},
}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Notes:
    """What is printed for some values."""
    return printer(tmp_path_factory.mktemp("notes"))


# --- rules, dashboards, pages


def rules(mimir: str = "none", loki: str = "none", **more: Any) -> dict[str, Any]:
    """Values with rules that travel so; *more* of PromQL's."""
    return {"rules": {"mimir": {"delivery": mimir, **more}, "loki": {"delivery": loki}}, "config": RULERS}


def test_promql_rules_say_who_evaluates_them(notes: Notes) -> None:
    """And what that wants: a label, Alloy, a sidecar, a Job; or that nobody does."""
    assert "Nobody evaluates them, so nothing alerts." in item(notes(rules()), "PromQL rules: none")
    bare = item(notes(rules("prometheusRule")), "PromQL rules: prometheusRule")
    assert "rules.mimir.labels.release" in bare
    assert "kubectl get prometheus -A -o jsonpath='{..ruleSelector}'" in bare
    labelled = item(notes(rules("prometheusRule", labels={"release": "x"})), "PromQL rules")
    assert "evaluates them if its ruleSelector matches:" in labelled
    assert "rules.mimir.labels" not in labelled
    alloy = item(notes(rules("prometheusRule", evaluatedBy="mimir", namespace="r")), "PromQL rules")
    assert "Alloy's mimir.rules.kubernetes" in alloy
    assert "watch namespace r, and select storage-exporter.io/rules=promql. They are:" in alloy
    assert "kubectl -n r get prometheusrules -l storage-exporter.io/rules=promql,app.kubernetes.io/instance=" in alloy
    chosen = rules("prometheusRule", evaluatedBy="mimir", labels={"a": "b"})
    assert "rules=promql or a label of rules.mimir.labels." in item(notes(chosen), "PromQL rules")
    files = item(notes(rules("configMap")), "PromQL rules: configMap")
    assert "A sidecar must bring the ConfigMaps of namespace monitoring" in files
    elsewhere = {**rules("prometheusRule"), "config": PUSH}
    assert "The series are pushed elsewhere, though" in item(notes(elsewhere), "PromQL rules")
    assert "set rules.mimir.evaluatedBy: mimir" in item(notes(elsewhere), "PromQL rules")


def test_logql_rules_say_who_evaluates_them(notes: Notes) -> None:
    """And of whom they must be kept away."""
    assert "Alerts on logs are not evaluated." in item(notes(rules()), "LogQL rules: none")
    assert not item(notes({**rules(), "sources": {"logs": False}}), "LogQL rules")
    objects = item(notes(rules(loki="prometheusRule")), "LogQL rules: prometheusRule")
    assert "Alloy's loki.rules.kubernetes must watch namespace monitoring" in objects
    assert "the operator's admission webhook (objectSelector)" in objects
    files = item(notes(rules(loki="configMap")), "LogQL rules: configMap")
    assert "writes them to /rules/fake" in files
    assert "ours are in monitoring" in files
    assert "ruler storage local" in files


def test_sync_says_where_to_and_how_to_look(notes: Notes) -> None:
    """The Job, the ruler, the tenant."""
    text = notes(rules("sync", "sync"))
    mimir, loki = item(text, "PromQL rules: sync"), item(text, "LogQL rules: sync")
    assert "To http://mimir:8080, tenant platform, by the Job storage-exporter-rules-sync" in mimir
    assert "rules diff --only mimir --config" in mimir
    assert "To http://loki:3100, without a tenant (config.rules.loki.tenant), by" in loki
    assert "rules diff --only loki --config" in loki
    unknown = {"existingConfigMap": {"name": "x"}, "rules": {"mimir": {"delivery": "sync"}}}
    assert "To the ruler that the ConfigMap names, by the Job" in item(notes(unknown), "PromQL rules: sync")


def test_nobody_is_told_until_somebody_says_who(notes: Notes) -> None:
    """Mimir's Alertmanager starts empty; the operator's adds a namespace that no alert of AWS has."""
    evaluated = rules("prometheusRule", evaluatedBy="mimir")
    said = item(notes(evaluated), "Who is told")
    assert "tells nobody until the tenant's configuration is uploaded" in said
    assert "alertmanager.example: true makes one" in said
    example = item(notes({**evaluated, "alertmanager": {"example": True}}), "Who is told")
    assert "get configmap storage-exporter-alertmanager-example -o yaml" in example
    for other in (rules("prometheusRule"), rules(evaluatedBy="mimir")):
        assert not item(notes(other), "Who is told")
    config = {"enabled": True, "receivers": [{"name": "a"}], "routes": {"critical": "a"}}
    strategy = notes({**evaluated, "alertmanager": {"config": config}})
    assert "alertmanagerConfigMatcherStrategy.type: None" in item(strategy, "AlertmanagerConfig")
    assert not item(strategy, "Who is told")


def test_dashboards_say_how_grafana_finds_them(notes: Notes) -> None:
    """By a label in a namespace; by the operator's selector."""
    assert "with the label grafana_dashboard=1; it must look into namespace monitoring" in item(notes(), "Dashboards")
    operator = {"enabled": True, "instanceSelector": {"matchLabels": {"dashboards": "main"}}}
    labels = {"grafana_dashboard": None, "a": "b", "c": "d"}
    other = notes({"dashboards": {"labels": labels, "namespace": "grafana", "operator": operator}})
    said = item(other, "Dashboards")
    assert "the label a=b,c=d; it must look into namespace grafana" in said
    assert '"dashboards":"main"}}, of the same namespace.' in said
    operator["allowCrossNamespaceImport"] = True
    assert "same namespace" not in item(notes({"dashboards": {"operator": operator}}), "Dashboards")
    assert "grafanadashboards.grafana.integreatly.org" in item(other, "Kinds")
    unlabelled = {"dashboards": {"labels": {"grafana_dashboard": None}}}
    hidden = item(notes(unlabelled), "Dashboards")
    assert hidden.endswith("no label of yours (dashboards.labels), so Grafana's sidecar does not find them.")
    assert not item(notes({"dashboards": {"enabled": False}}), "Dashboards")


# --- what is blind


def test_each_source_that_is_off_names_its_alerts(notes: Notes) -> None:
    """How many and which; none for a source that is on."""
    table = yaml.safe_load((CHART / "files" / "sources.yaml").read_text())
    off = {"ebsCsiNvme": False, "kubeStateMetrics": False, "kubelet": False, "logs": False}
    text = notes({"sources": off})
    assert set(table) == set(off)
    for source, found in table.items():
        said = item(text, f"Without {source}")
        assert f"(sources.{source})." in said
        for verdict, words in (("blind", "alerts see nothing: "), ("partly", "see less: ")):
            if names := found[verdict]:
                assert f" {len(names)} {words}{', '.join(names)}." in said
            else:
                assert words not in said
    assert len(item(text, "Without logs")) > 500
    assert "Without" not in notes({"sources": dict.fromkeys(off, True)})


def test_kinds_of_others_are_named_where_they_are_used(notes: Notes) -> None:
    """Exactly the kinds that the whole chart renders and Kubernetes does not have."""
    plurals = {
        "ServiceMonitor": "servicemonitors.monitoring.coreos.com",
        "PodMonitor": "podmonitors.monitoring.coreos.com",
        "PrometheusRule": "prometheusrules.monitoring.coreos.com",
        "AlertmanagerConfig": "alertmanagerconfigs.monitoring.coreos.com",
        "GrafanaDashboard": "grafanadashboards.grafana.integreatly.org",
        "CiliumNetworkPolicy": "ciliumnetworkpolicies.cilium.io",
    }
    for name in ("default", "everything", "push", "minimal"):
        file = CHART / "ci" / f"{name}-values.yaml"
        kinds = {each["kind"] for each in render(files=[file])}
        said = item(notes(files=[file]), "Kinds that others define")
        wanted = {plural for kind, plural in plurals.items() if kind in kinds}
        assert set(re.findall(r"\w+\.[\w.]+(?:com|org|io)", said)) == wanted, name


def test_a_missing_budget_and_name_are_said(notes: Notes) -> None:
    """And not when they are there, were it no dollar at all."""
    bare, settled = notes(), notes(SETTLED)
    assert "exporter plan --config" in item(bare, "No budget for CloudWatch")
    assert "config.cluster is empty" in item(bare, "The cluster's name")
    for title in ("No budget", "The cluster's name", "Without", "The ServiceMonitor", "The region"):
        assert not item(settled, title), title
    assert item(notes({"config": {"budget": None}}), "No budget")
    assert not item(notes({"config": {"budget": {"dollars_per_month": "${BUDGET}"}}}), "No budget")


def test_how_to_look(notes: Notes) -> None:
    """The port, TLS, and the test where there is one."""
    assert commands(notes())[-3:] == [
        "kubectl -n monitoring port-forward deploy/storage-exporter 9116 &",
        "curl -s localhost:9116/-/ready",
        "helm test storage-exporter -n monitoring",
    ]
    other = {"port": 9200, "test": {"enabled": False}, "config": {"web": {"config_file": "/etc/web.yaml"}}}
    assert commands(notes(other))[-1] == "curl -sk https://localhost:9200/-/ready"


@pytest.mark.parametrize("file", sorted((CHART / "ci").glob("*.yaml")), ids=lambda file: file.stem)
def test_commands_of_every_case_are_the_programs(notes: Notes, file: Path) -> None:
    """Whatever is run in a pod, the program's command line takes."""
    text = notes(files=[file])
    runs = re.findall(r"-- python -m exporter (.+)", text)
    assert runs
    for run in {run.split(" > ")[0] for run in runs}:
        done = CliRunner().invoke(main, [*run.split(), "--help"])
        assert done.exit_code == 0, (run, done.output)
    for line in commands(text):
        assert line.split()[0] in ("aws", "kubectl", "docker", "helm", "curl"), line


def test_the_whole_chart_prints_them_too(tmp_path: Path) -> None:
    """Not only the part of it that is tested here: with every template; and a broken table of sources is named."""
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    (chart / "templates" / "zz-notes.yaml").write_text(WRAPPED)
    printed = helm("template", "storage-exporter", chart, "--namespace", "monitoring", "-s", "templates/zz-notes.yaml")
    well_formed(yaml.safe_load(printed)["data"]["notes"])
    (chart / "files" / "sources.yaml").write_text("a: [")
    with pytest.raises(HelmError, match=r"files/sources\.yaml: is not in the chart, or not YAML"):
        helm("template", "storage-exporter", chart)
