"""The values in ci/: each lints, renders, and gives a configuration that the program takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter import config
from tests.chart.rendering import CHART, all_of, helm, one, render

FILES = {file.stem.removesuffix("-values"): file for file in sorted((CHART / "ci").glob("*-values.yaml"))}
OBSERVABILITY = ("mimir", "mimir-alertmanager", "mimir-ruler", "loki-chunks", "loki-ruler", "tempo")


def configuration(file: Path) -> config.Config:
    """The configuration that the chart writes, as the program reads it."""
    (found,) = [each for each in render(files=[file]) if "config.yaml" in each.get("data", {})]
    return config.parse(found["data"]["config.yaml"], {}, file.name)


def test_each_case_is_there() -> None:
    """And nothing else, which no pipeline would pick up."""
    assert {*FILES} == {"default", "everything", "external", "irsa", "minimal", "officeless", "push", "shards"}
    assert {file.name for file in (CHART / "ci").iterdir()} == {file.name for file in FILES.values()}


@pytest.mark.parametrize("name", FILES)
def test_lint_finds_nothing(name: str) -> None:
    """Not even what it would only warn of."""
    assert "[WARNING]" not in helm("lint", "--strict", CHART, "--values", FILES[name])


@pytest.mark.parametrize("name", FILES)
def test_what_is_rendered_is_a_configuration(name: str) -> None:
    """Except where it is somebody else's."""
    if name == "external":
        assert not [each for each in render(files=[FILES[name]]) if "config.yaml" in each.get("data", {})]
        return
    given: Any = yaml.safe_load(FILES[name].read_text()) or {}
    read = configuration(FILES[name])
    assert read.web.listen == ":9116"
    assert read.cluster == given.get("config", {}).get("cluster", "")
    assert read.delivery.mode == ("push" if name == "push" else "scrape")
    assert (read.shards.total, read.identity.role) == (
        given.get("shards", {}).get("total", 1),
        given.get("aws", {}).get("roleArn"),
    )


def test_officeless_is_the_platform() -> None:
    """Its namespace, its shared account, its six buckets; rules by the rulers' API, since they are in S3."""
    objects = render(files=[FILES["officeless"]])
    assert {each["metadata"].get("namespace", "monitoring") for each in objects} == {"monitoring"}
    assert not all_of(objects, "ServiceAccount")
    assert one(objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "monitoring-sa"
    s3 = configuration(FILES["officeless"]).services.s3
    found = {name: s3.component(f"officeless-{name}-production") for name in OBSERVABILITY}
    assert found == {name: "mimir-blocks" if name == "mimir" else name for name in OBSERVABILITY}
    assert s3.component("officeless-uploads-production") == ""
    assert one(objects, "Job")["metadata"]["name"] == "storage-exporter-rules-sync"
    assert not all_of(objects, "PrometheusRule")
    assert configuration(FILES["officeless"]).kubernetes.pods


def test_minimal_is_little() -> None:
    """A configuration, an account, and one pod that nobody needs a role for."""
    kinds = [each["kind"] for each in render(files=[FILES["minimal"]])]
    assert sorted(kinds) == ["ConfigMap", "Deployment", "ServiceAccount"]


def test_everything_is_on() -> None:
    """Each kind that the chart knows, but for those that exclude one another."""
    kinds = {each["kind"] for each in render(files=[FILES["everything"]])}
    assert kinds == {
        *("StatefulSet", "Service", "ServiceAccount", "ConfigMap", "PodDisruptionBudget", "Pod", "Job"),
        *("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
        *("PodMonitor", "AlertmanagerConfig", "GrafanaDashboard", "CiliumNetworkPolicy"),
    }
