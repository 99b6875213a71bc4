"""Dashboards in the chart: the very dashboards of `dashboards/`, small enough, found by sidecar and operator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.chart.packed import copied
from tests.chart.rendering import CHART, HelmError, Object, all_of, one, parsed, render
from tests.tools import ROOT

WITHOUT = {"rules": {"mimir": {"delivery": "none"}}, "scrape": {"by": "none"}}
COMMITTED = {file.stem: json.loads(file.read_text()) for file in sorted((ROOT / "dashboards").glob("*.json"))}
OPERATOR = {
    "enabled": True,
    "folder": "AWS: storage",
    "instanceSelector": {"matchLabels": {"team": "a"}},
    "allowCrossNamespaceImport": True,
    "resyncPeriod": "5m",
}


def values(**dashboards: Any) -> dict[str, Any]:
    return {**WITHOUT, "dashboards": dashboards}


def maps(objects: list[Object], fullname: str = "storage-exporter") -> dict[str, Object]:
    """The ConfigMaps of dashboards, by the dashboard's name."""
    begins = f"{fullname}-dashboard-"
    return {
        each["metadata"]["name"].removeprefix(begins): each
        for each in all_of(objects, "ConfigMap")
        if each["metadata"]["name"].startswith(begins)
    }


def current(dashboard: dict[str, Any]) -> dict[str, Any]:
    """What is chosen of each kind of data source."""
    variables = dashboard["templating"]["list"]
    return {each["query"]: each.get("current") for each in variables if each["type"] == "datasource"}


def test_every_dashboard_is_the_committed_one() -> None:
    """As data: what Helm reads and writes changes no number and no text."""
    found = maps(render(WITHOUT))
    assert sorted(found) == sorted(COMMITTED)
    for name, each in found.items():
        ((file, text),) = each["data"].items()
        assert file == f"storage-exporter-{name}.json"
        assert json.loads(text) == COMMITTED[name]
        assert len(text) < 0.95 * len((ROOT / "dashboards" / f"{name}.json").read_text()), "not minified"


def test_every_map_can_be_applied() -> None:
    """Below 250 kB, for kubectl and Argo CD put the whole object into an annotation of 256 KiB."""
    for name, each in maps(render(WITHOUT)).items():
        assert len(json.dumps(each)) < 250_000, name


def test_a_dashboard_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """By name and size, before anything is installed; 250,000 bytes are not yet too large."""
    chart = copied(tmp_path)
    empty = len(json.dumps({"templating": {"list": []}, "title": ""}, separators=(",", ":")))

    def sized(size: int) -> list[Object]:
        dashboard = {"title": "x" * (size - empty), "templating": {"list": []}}
        (chart / "files" / "dashboards" / "efs.json").write_text(json.dumps(dashboard))
        return render(values(labels={"size": str(size)}), chart=chart)

    (text,) = maps(sized(250_000))["efs"]["data"].values()
    assert len(text.rstrip("\n")) == 250_000
    with pytest.raises(HelmError, match=r"files/dashboards/efs.json: is 250001 bytes"):
        sized(250_001)


def test_a_broken_dashboard_is_named(tmp_path: Path) -> None:
    """Helm's reader never fails: it would be a dashboard with one key, Error."""
    chart = copied(tmp_path)
    (chart / "files" / "dashboards" / "s3.json").write_text('{"title": ')
    with pytest.raises(HelmError, match=r"files/dashboards/s3\.json: is not JSON"):
        render(WITHOUT, chart=chart)


def test_the_data_sources_may_be_chosen() -> None:
    """In the variables, so that people can still choose another; nothing else of a dashboard is changed."""
    chosen = values(datasources={"prometheus": "mimir", "loki": "loki-prod"})
    for name, each in maps(render(chosen)).items():
        (text,) = each["data"].values()
        found = json.loads(text)
        assert current(found) == {
            "prometheus": {"text": "mimir", "value": "mimir"},
            "loki": {"text": "loki-prod", "value": "loki-prod"},
        }
        for variable in found["templating"]["list"]:
            if variable["type"] == "datasource":
                del variable["current"]
        assert found == COMMITTED[name]


def test_one_data_source_may_be_left_to_grafana() -> None:
    """The other's variable is as committed."""
    for name, each in maps(render(values(datasources={"loki": "logs"}))).items():
        (text,) = each["data"].values()
        assert current(json.loads(text)) == {
            "prometheus": current(COMMITTED[name])["prometheus"],
            "loki": {"text": "logs", "value": "logs"},
        }


def test_the_sidecar_finds_them() -> None:
    """By label, in a namespace of its own, with annotations; file names carry the release."""
    said = {
        "labels": {"grafana_dashboard": "yes"},
        "annotations": {"grafana_folder": "Storage"},
        "namespace": "grafana",
    }
    found = maps(render(values(**said), release="two"), "two-storage-exporter")
    assert sorted(found) == sorted(COMMITTED)
    for name, each in found.items():
        assert each["metadata"]["namespace"] == "grafana"
        assert each["metadata"]["labels"]["grafana_dashboard"] == "yes"
        assert each["metadata"]["annotations"]["grafana_folder"] == "Storage"
        assert list(each["data"]) == [f"two-storage-exporter-{name}.json"]
    assert maps(render(WITHOUT))["efs"]["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_none_where_none_are_wanted() -> None:
    """And no operator's objects by default."""
    objects = render(values(enabled=False))
    assert not maps(objects)
    assert not all_of(render(WITHOUT), "GrafanaDashboard")


def test_the_operators_objects_point_at_the_maps() -> None:
    """In the same namespace, for a reference has none; no second copy of the JSON."""
    objects = render(values(namespace="grafana", operator=OPERATOR))
    found = all_of(objects, "GrafanaDashboard")
    assert len(found) == len(COMMITTED)
    for each in found:
        spec = each["spec"]
        name = each["metadata"]["name"].removeprefix("storage-exporter-")
        reference = spec.pop("configMapRef")
        target = one(objects, "ConfigMap", reference["name"])
        assert reference["name"] == f"storage-exporter-dashboard-{name}"
        assert reference["key"] in target["data"]
        assert each["metadata"]["namespace"] == target["metadata"]["namespace"] == "grafana"
        wanted = {**OPERATOR, "instanceSelector": {"matchLabels": {"team": "a"}}}
        assert spec == {key: value for key, value in wanted.items() if key != "enabled"}


def test_the_operators_objects_need_the_maps() -> None:
    """They would point at nothing."""
    with pytest.raises(HelmError, match=r"set dashboards\.enabled, too"):
        render(values(enabled=False, operator={"enabled": True}))


def test_every_dashboard_is_linked() -> None:
    """A new dashboard of the repository is one of the chart; a link stays a link."""
    links = sorted((CHART / "files" / "dashboards").iterdir())
    assert [link.stem for link in links] == sorted(COMMITTED)
    assert all(link.is_symlink() and link.resolve().parent == ROOT / "dashboards" for link in links)
    for name in ("mimir", "loki", "alertmanager", "thresholds.yaml"):
        link = CHART / "files" / name
        assert link.is_symlink()
        assert link.resolve() == ROOT / "rules" / name
    assert parsed((CHART / "files" / "thresholds.yaml").read_text())
