"""The chart's README: every value, once; commands and files that do what they say."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from exporter import config
from exporter.cli import main
from helm.build import __main__ as building
from helm.build import entries, readme
from tests.chart.rendering import CHART, helm, one, render

README = (CHART / "README.md").read_text()
TREE = entries.read((CHART / "values.yaml").read_text())
QUIET = {"dashboards": {"enabled": False}, "rules": {"mimir": {"delivery": "none"}}}


def blocks(language: str) -> list[str]:
    """Blocks of code."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_readme_schema_and_values_name_the_same_keys() -> None:
    """In the same order, each once."""
    named = re.findall(r"^\| `([^`]+)` \| ", README.split("## Values")[1], re.MULTILINE)
    assert named == [leaf.name for leaf in TREE.leaves()]
    schema = json.loads((CHART / "values.schema.json").read_text())
    for name in named:
        node: Mapping[str, Any] = schema
        for key in name.split("."):
            node = node["properties"][key]


def test_rows_say_type_default_and_text() -> None:
    """Words where there are few; text that a table can hold."""
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", README, re.MULTILINE))
    assert rows["mode"].startswith("`leader`, `shards` | `leader` | leader: replicas of one exporter")
    assert rows["replicas"].startswith("number | `2` | ")
    assert rows["image.tag"] == 'text | `""` | Tag; empty: the chart\'s appVersion.'
    assert rows["scrape.interval"].startswith("duration | `30s`")
    assert rows["persistence.size"].startswith("quantity | `2Gi`")
    assert rows["podDisruptionBudget.maxUnavailable"].startswith("number or share | `1`")
    assert rows["networkPolicy.egress.receiverPorts"].startswith("list | `[80, 443, 8080, 3100]`")
    assert rows["dashboards.labels"].startswith('map | `{"grafana_dashboard": "1"}`')
    assert rows["serviceAccount.create"].startswith("switch | `true`")
    assert rows["podSecurityContext"].startswith("map | see values.yaml | ")
    assert "secrets/&lt;name>/" in rows["secretFiles"]
    bars = readme.text(entries.read('# -- One | two.\na: "x|y"\n'), "")
    assert "| `a` | text | `x\\|y` | One \\| two. |" in bars


def anchors(page: str) -> set[str]:
    """What a link to a section of *page* may end with."""
    titles = re.findall("^## (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_lead_somewhere() -> None:
    """A package holds no other page: links are whole, or to a section of this one."""
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target.startswith("https://github.com/officeless/storage-exporter/blob/main/") or target[1:] in anchors(
            README
        )
        if "#" in target and target.startswith("https"):
            page = (CHART.parent.parent / target.split("/main/")[1].split("#")[0]).read_text()
            wanted = target.split("#")[1]
            assert wanted in anchors(page)
    for file in re.findall(r"`(?:ci/)?([a-z]+-values\.yaml)`", README):
        assert (CHART / "ci" / file).is_file()


@pytest.mark.parametrize("number", range(len(blocks("yaml"))))
def test_values_that_are_shown_render(number: int) -> None:
    """As they stand, and the configuration in them is one."""
    values = yaml.safe_load(blocks("yaml")[number])
    text = one(render({**QUIET, **values, "rules": QUIET["rules"]}), "ConfigMap")["data"]["config.yaml"]
    assert config.parse(text, {}, "README").cluster == "production"


def test_values_named_in_the_text_exist() -> None:
    """What stands in backticks and looks like a path of values is one, or a path of the program's file."""
    known = {leaf.name for leaf in TREE.leaves()}
    parts = {".".join(leaf.path[:depth]) for leaf in TREE.leaves() for depth in range(1, len(leaf.path) + 1)}
    head = README.split("## Values")[0]
    sections = "|".join(entry.path[0] for entry in TREE.entries)
    words = set(re.findall(rf"`((?:{sections})(?:\.[A-Za-z]+)+)(?::[^`]*)?`", head))
    assert {"scrape.by", "rules.mimir.evaluatedBy", "dataVolume.sizeLimit"} <= words
    assert {word for word in words if not word.startswith(("config.", "loki.rules", "mimir.rules"))} <= known | parts


def test_commands_are_the_programs_and_helms() -> None:
    """The policy is printed, chart and release are named alike, and Helm knows each option."""
    lines = [line.split(" #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    assert {line.split()[0] for line in lines} == {"aws", "storage-exporter", "helm", "kubectl"}
    for line in lines:
        words = shlex.split(line.split(" > ")[0])
        if words[0] == "storage-exporter":
            assert CliRunner().invoke(main, [*words[1:], "--help"]).exit_code == 0
        if words[0] == "helm":
            assert words[2] == "storage-exporter"
            options = helm(words[1], "--help")
            for option in [word for word in words if word.startswith("--")]:
                assert f" {option} " in options or f" {option}\n" in options, option
    grants = next(line for line in lines if "policy --format commands" in line)
    account = one(render(QUIET), "ServiceAccount")["metadata"]
    assert f"--namespace {account['namespace']} --service-account {account['name']}" in grants
    assert lines.index(grants) < next(index for index, line in enumerate(lines) if line.startswith("helm install"))


def test_what_is_left_behind_is_named_rightly() -> None:
    """The Lease by its name, and the claims by a label that they have."""
    objects = render({**QUIET, "persistence": {"enabled": True}})
    lease = yaml.safe_load(one(objects, "ConfigMap")["data"]["config.yaml"])["kubernetes"]["lease"]["name"]
    assert f"delete lease {lease}\n" in README
    (claim,) = one(objects, "StatefulSet")["spec"]["volumeClaimTemplates"]
    key, value = re.findall(r"delete pvc --selector ([^=]+)=(\S+)", README)[0]
    assert claim["metadata"]["labels"][key] == value


def test_the_builder_writes_what_differs_and_only_checks_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make chart`, and what a pipeline asks."""
    monkeypatch.setattr(building, "CHART", tmp_path)
    (tmp_path / "README.md").write_text(README)

    def run(*arguments: str) -> tuple[int, list[str]]:
        monkeypatch.setattr("sys.argv", ["helm.build", *arguments])
        code = building.main()
        return code, capsys.readouterr().out.splitlines()

    missing = [f"differs: helm/storage-exporter/{path}" for path in ("values.schema.json", "files/sources.yaml")]
    assert run("--check") == (1, missing)
    assert not (tmp_path / "files").exists()
    assert run() == (0, [line.replace("differs", "written") for line in missing])
    assert (tmp_path / "values.schema.json").read_text() == (CHART / "values.schema.json").read_text()
    assert run("--check") == (0, [])
