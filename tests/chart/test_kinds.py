"""The schemas refuse what Kubernetes and the operators would, and what we do not render."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart import kinds
from tests.chart.matrix import case
from tests.chart.rendering import one
from tests.chart.test_invariants import DELETE, change

# Case, kind, path, value: each is refused.
REFUSED: list[tuple[str, str, str, Any]] = [
    ("lean", "Deployment", "spec.template.spec.containers.0.portz", []),
    ("lean", "Deployment", "spec.replicas", "two"),
    ("lean", "Service", "spec.selecto", {}),
    ("lean", "Deployment", "apiVersion", "apps/v1beta1"),
    ("lean", "Role", "kind", "Rôle"),
    ("lean", "ServiceMonitor", "spec.joblabel", "x"),
    ("lean", "ServiceMonitor", "spec.selector.matchlabels", {}),
    ("lean", "ServiceMonitor", "spec.endpoints.0.interval", "60ss"),
    ("lean", "ServiceMonitor", "spec.endpoints.0.honourLabels", True),
    ("lean", "ServiceMonitor", "spec.endpoints", []),
    ("lean", "ServiceMonitor", "spec.endpoints.0.metricRelabelings.0.action", "pin"),
    ("lean", "ServiceMonitor", "spec.endpoints.0.metricRelabelings.0.sourceLabels", "__name__"),
    ("lean", "ServiceMonitor", "apiVersion", "monitoring.coreos.com/v1beta1"),
    ("pod-monitor", "PodMonitor", "spec.podMetricEndpoints", []),
    ("pod-monitor", "PodMonitor", "spec.podMetricsEndpoints.0.port", DELETE),
    ("default", "PrometheusRule", "spec.groups.0.rules.0.expr", DELETE),
    ("default", "PrometheusRule", "spec.groups.0.rules.0.for", "15 minutes"),
    ("default", "PrometheusRule", "spec.groups.0.rules.0.record", "a-b"),
    ("default", "PrometheusRule", "spec.groups.0.rules.+", {"expr": "up", "record": "a", "alert": "B"}),
    ("default", "PrometheusRule", "spec.groups.0.rules.+", {"expr": "up"}),
    ("default", "PrometheusRule", "spec.groups.0.rules.+", {"expr": "up", "record": "a", "labels": {"a": 1}}),
    ("default", "PrometheusRule", "spec.groups", []),
    ("grafana-operator", "GrafanaDashboard", "spec.configMapRef.file", "x"),
    ("grafana-operator", "GrafanaDashboard", "spec.instanceSelector", DELETE),
    ("grafana-operator", "GrafanaDashboard", "spec.resyncPeriod", "ten minutes"),
    ("alertmanager", "AlertmanagerConfig", "spec.route.groupby", ["a"]),
    ("alertmanager", "AlertmanagerConfig", "spec.route.routes.0.matchers.0.matchType", "~"),
    ("alertmanager", "AlertmanagerConfig", "spec.receivers.0.name", DELETE),
    ("alertmanager", "AlertmanagerConfig", "spec.inhibitRules.0.targetMatch", DELETE),
    ("cilium", "CiliumNetworkPolicy", "spec.podSelector", {}),
    ("cilium", "CiliumNetworkPolicy", "spec.egress.0.toPorts.0.ports.0.port", 53),
    ("cilium", "CiliumNetworkPolicy", "spec.egress.0.toPorts.0.ports.0.protocol", "udp"),
    ("cilium", "CiliumNetworkPolicy", "spec.egress.+", {"toEntities": ["api-server"]}),
]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: f"{row[1]}-{row[2]}")
def test_refused(row: tuple[str, str, str, Any]) -> None:
    """A field nobody knows, a wrong type and a missing part are each told, with the object's name."""
    name, kind, path, value = row
    given = next(each for each in case(name).objects() if each["kind"] == kind)
    assert kinds.faults(given) == ()
    change(given, path, value)
    assert kinds.faults(given) != ()
    assert all(given["metadata"]["name"] in line for line in kinds.faults(given))


def test_old_versions_differ() -> None:
    """The schemas are those of the version: a field of 1.30 is none of 1.27."""
    given = one(case("lean").objects(), "Deployment")
    given["spec"]["template"]["spec"]["securityContext"]["appArmorProfile"] = {"type": "RuntimeDefault"}
    assert kinds.faults(given, "1.27") != ()
    assert kinds.faults(given, "1.32") == kinds.faults(given, "1.37") == ()


def test_real_definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CustomResourceDefinitions of the folder CRDS are used beside ours, made strict."""
    endpoint = {"type": "object", "properties": {"port": {"type": "string"}}}
    spec = {"type": "object", "properties": {"endpoints": {"type": "array", "items": endpoint}}}
    schema = {
        "type": "object",
        "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "spec": spec},
    }
    versions = [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]
    names = {"group": "monitoring.coreos.com", "names": {"kind": "ServiceMonitor"}, "versions": versions}
    (tmp_path / "crd.yaml").write_text(yaml.safe_dump({"kind": "CustomResourceDefinition", "spec": names}))
    given = one(case("lean").objects(), "ServiceMonitor")
    monkeypatch.setenv("CRDS", str(tmp_path))
    kinds.forget()
    try:
        lines = kinds.faults(given)
    finally:
        monkeypatch.undo()
        kinds.forget()
    assert any("honorLabels" in line for line in lines), lines
    assert any("selector" in line for line in lines), lines
    assert kinds.faults(given) == ()


def test_strict() -> None:
    """Objects are closed unless they say otherwise, a part under anyOf is not, and Kubernetes' words are translated."""
    leaf = {"type": "string", "nullable": True, "format": "x"}
    assert kinds.strict({"type": "object", "properties": {"type": leaf}}) == {
        "type": "object",
        "properties": {"type": {"type": ["string", "null"]}},
        "additionalProperties": False,
    }
    open_ = {"properties": {"a": {}}, "x-kubernetes-preserve-unknown-fields": True}
    assert kinds.strict(open_) == {"properties": {"a": {}}}
    assert kinds.strict({"anyOf": [{"properties": {"a": {}}}]}) == {"anyOf": [{"properties": {"a": {}}}]}
    amount = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True, "pattern": "x"}
    assert kinds.strict(amount) == {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "x"}]}
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    assert kinds.strict(texts) == texts
