"""Chart.yaml: the facts that Artifact Hub shows, held to what the chart and the repository have."""

from __future__ import annotations

import tomllib
from typing import Any

import yaml

from tests.chart.rendering import CHART, all_of, render
from tests.tools import ROOT

PREFIX = "artifacthub.io/"


def chart() -> dict[str, Any]:
    """Chart.yaml."""
    read: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    return read


def shown(name: str) -> Any:
    """An annotation for Artifact Hub, which is YAML in a text."""
    return yaml.safe_load(chart()["annotations"][PREFIX + name])


def test_versions_are_the_programs() -> None:
    """Chart and program are released together, under the program's license."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert chart()["version"] == chart()["appVersion"] == project["version"]
    assert shown("license") == project["license"]


def test_the_image_shown_is_the_one_that_runs() -> None:
    """Of the default values."""
    [image] = shown("images")
    [deployment] = all_of(render(), "Deployment")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image["image"]
    assert image["platforms"] == ["linux/amd64", "linux/arm64"]


def test_links_lead_to_files_that_are_there() -> None:
    """In the repository that the chart names as its source."""
    [source] = chart()["sources"]
    links = [link["url"] for link in shown("links")]
    assert len(links) == 3
    for url in links:
        path = url.removeprefix(f"{source}/blob/main/")
        assert path != url
        assert (ROOT / path).is_file(), path


def test_changes_are_of_kinds_that_are_known() -> None:
    """Artifact Hub refuses others; a prerelease says so in words it knows."""
    changes = shown("changes")
    assert changes
    assert {change["kind"] for change in changes} <= {"added", "changed", "deprecated", "removed", "fixed", "security"}
    assert all(change["description"] for change in changes)
    assert chart()["annotations"][PREFIX + "prerelease"] in ("true", "false")
    assert chart()["annotations"][PREFIX + "category"] == "monitoring-logging"
