"""The package that ``helm package`` makes: real files, equal to their one source, and the release of the folder."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.chart.api_server import api_server
from tests.chart.releases import Release, same
from tests.chart.rendering import CHART, LEAN, NAMESPACE, RELEASE, helm, render
from tests.tools import ROOT

SOURCES: Mapping[str, str] = {
    r"files/(mimir|loki)/[a-z0-9]+\.yaml": "rules",
    r"files/thresholds\.yaml": "rules",
    r"files/alertmanager/(alertmanager\.yaml|templates/storage\.tmpl)": "rules",
    r"files/dashboards/[a-z0-9-]+\.json": "",
}
"""Pattern of files of the package to the folder of the repository that has them under the same name."""

OWN = (
    r"Chart\.yaml|values\.yaml|values\.schema\.json|README\.md|\.helmignore|files/sources\.yaml|"
    r"templates/NOTES\.txt|templates/_[a-z]+\.tpl|templates/(tests/)?[a-z-]+\.yaml"
)
"""What is the chart's own."""

WHOLE = {"rules": {"loki": {"delivery": "configMap"}}, "alertmanager": {"example": True}}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the chart."""
    folder = tmp_path_factory.mktemp("package")
    helm("package", CHART, "--destination", folder)
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="module")
def files(package: Path) -> dict[str, bytes]:
    """Path in the chart to bytes."""
    found = {}
    with tarfile.open(package) as archive:
        for member in archive:
            assert member.isfile(), f"{member.name} is no file"
            content = archive.extractfile(member)
            assert content is not None
            found[member.name.removeprefix(f"{RELEASE}/")] = content.read()
    return found


def test_it_is_named_after_the_program(package: Path) -> None:
    """Chart, version and appVersion are those of the program."""
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    program = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert program is not None
    assert package.name == f"storage-exporter-{program[1]}.tgz"
    assert (about["version"], about["appVersion"]) == (program[1], program[1])


def test_it_holds_what_it_needs_and_nothing_else(files: dict[str, bytes]) -> None:
    """No builder, test, preview or scene of rules and dashboards; no Python; no values of tests."""
    known = re.compile("|".join((OWN, *SOURCES)))
    assert [name for name in files if not known.fullmatch(name)] == []
    assert {"Chart.yaml", "values.yaml", "values.schema.json", "README.md", "templates/NOTES.txt"} <= files.keys()


def test_rules_and_dashboards_are_those_of_the_repository(files: dict[str, bytes]) -> None:
    """Every one of them, byte by byte, and what Alertmanager is told."""
    wanted: dict[str, Path] = {}
    for language in ("mimir", "loki"):
        wanted |= {f"files/{language}/{path.name}": path for path in (ROOT / "rules" / language).glob("*.yaml")}
    wanted |= {f"files/dashboards/{path.name}": path for path in (ROOT / "dashboards").glob("*.json")}
    wanted |= {"files/thresholds.yaml": ROOT / "rules" / "thresholds.yaml"}
    alertmanager = [path for path in (ROOT / "rules" / "alertmanager").rglob("*") if path.suffix in {".yaml", ".tmpl"}]
    wanted |= {f"files/{path.relative_to(ROOT / 'rules')}": path for path in alertmanager}
    packed = {name for name in files if re.fullmatch("|".join(SOURCES), name)}
    assert packed == wanted.keys()
    for name, path in wanted.items():
        assert files[name] == path.read_bytes(), name


def test_helm_finds_no_fault_in_it(package: Path) -> None:
    """Lint, in its strict way."""
    assert "0 chart(s) failed" in helm("lint", "--strict", package)


def test_it_renders_what_the_folder_renders(package: Path) -> None:
    """The same objects, rules and dashboards among them."""
    assert render(WHOLE, chart=package) == render(WHOLE)


def test_it_is_installed_as_the_folder_is(package: Path, tmp_path: Path) -> None:
    """From the archive, against a cluster."""
    with api_server(NAMESPACE) as server:
        Release(server, tmp_path, package).install(LEAN)
        same(server, render(LEAN))
