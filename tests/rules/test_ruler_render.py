"""`rules render`: files that promtool loads, objects that Kubernetes takes, the same text every time."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.errors import RulesError
from exporter.ruler import render
from exporter.ruler.render import AT_ONCE, DIALECT_LABEL, FOLDER_ANNOTATION, Options
from exporter.ruler.shapes import File, Group, Pack, Rule
from tests.rules.ruler_side import ATTACH, CREDITS, GROWTH, OURS, UNUSED, Side, small
from tests.tools import binary

CRD_GROUP = {"name", "interval", "limit", "partial_response_strategy", "query_offset", "labels", "rules"}
CRD_RULE = {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


@pytest.fixture
def side(tmp_path: Path) -> Side:
    return Side(tmp_path)


def objects(text: str) -> list[Any]:
    return list(yaml.safe_load_all(text))


def offsets(groups: list[dict[str, Any]]) -> dict[str, Any]:
    return {group["name"]: group.get("query_offset") for group in groups}


@pytest.mark.binary
def test_promtool_loads_the_files_for_prometheus(side: Side, tmp_path: Path) -> None:
    """Debian's 2.42, with every lint; overrides are in them."""
    side.configure({"alerts": {"AwsEfsBurstCreditsLow": {"thresholds": {"credits": 0.5}, "for": "1d"}}})
    out = tmp_path / "out"
    done = side("render", "--target", "prometheus", "-o", str(out))
    assert done.exit_code == 0, done.output
    written = sorted(out.iterdir())
    assert [file.name for file in written] == ["storage-exporter-efs.yaml", "storage-exporter-s3.yaml"]
    command = [str(binary("promtool")), "check", "rules", "--lint=all", "--lint-fatal", *map(str, written)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "< 0.5  # credits" in written[0].read_text()
    assert "for: 1d" in written[0].read_text()


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("prometheus", {CREDITS: None, UNUSED: None, GROWTH: None}),
        ("mimir", {CREDITS: AT_ONCE, UNUSED: None, GROWTH: None}),
        ("loki", {ATTACH: None}),
    ],
)
def test_a_query_offset_is_for_mimir_only(side: Side, target: str, expected: dict[str, Any]) -> None:
    """On groups that page; Prometheus 2.42 and Loki would refuse the whole file for it."""
    done = side("render", "--target", target)
    assert done.exit_code == 0
    assert offsets(yaml.safe_load(done.stdout)["groups"]) == expected


def test_prometheusrule_objects(side: Side) -> None:
    """One a file, with the fields of the CRD and nothing else; labels and annotations as asked."""
    done = side(
        *("render", "--target", "mimir", "--format", "prometheusrule", "--namespace", "monitoring"),
        *("--name", "blue", "--label", "release=prometheus", "--annotation", "a.io/b=c d", "--label", "empty="),
    )
    assert done.exit_code == 0, done.output
    found = objects(done.stdout)
    assert [each["metadata"]["name"] for each in found] == ["blue-efs", "blue-s3"]
    for each in found:
        assert set(each) == {"apiVersion", "kind", "metadata", "spec"}
        assert (each["apiVersion"], each["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
        sound(each["metadata"])
        assert each["metadata"]["namespace"] == "monitoring"
        assert each["metadata"]["labels"]["release"] == "prometheus"
        assert each["metadata"]["labels"]["empty"] == ""
        assert each["metadata"]["labels"][DIALECT_LABEL] == "promql"
        assert each["metadata"]["annotations"] == {"a.io/b": "c d"}
        assert set(each["spec"]) == {"groups"}
        for group in each["spec"]["groups"]:
            assert set(group) <= CRD_GROUP
            assert all(set(rule) <= CRD_RULE for rule in group["rules"])
    assert offsets(found[0]["spec"]["groups"])[CREDITS] == AT_ONCE


def sound(metadata: dict[str, Any]) -> None:
    """What the API server checks of names and labels."""
    assert NAME.fullmatch(metadata["name"])
    assert all(LABEL.fullmatch(value) for value in metadata["labels"].values())
    assert all(isinstance(value, str) for value in metadata.get("annotations", {}).values())


def test_logql_objects_are_asked_for_twice(side: Side) -> None:
    """And have a label of their own, which cannot be set otherwise."""
    words = ("render", "--target", "loki", "--format", "prometheusrule")
    done = side(*words)
    assert done.exit_code == 2
    assert "--logql-prometheusrule" in done.stderr
    done = side(*words, "--logql-prometheusrule", "--label", f"{DIALECT_LABEL}=promql")
    (found,) = objects(done.stdout)
    assert found["metadata"]["name"] == "storage-exporter-logs-drivers"
    assert found["metadata"]["labels"][DIALECT_LABEL] == "logql"


@pytest.mark.parametrize(
    ("target", "label"),
    [("loki", {"loki_rule": ""}), ("mimir", {"mimir_rules": "1"}), ("prometheus", {})],
)
def test_configmaps(side: Side, target: str, label: dict[str, str]) -> None:
    """One a file, found by the label of its sidecar; what is in it is a file of rules."""
    done = side("render", "--target", target, "--format", "configmap", "--tenant-folder", "/rules/fake")
    assert done.exit_code == 0, done.output
    for each in objects(done.stdout):
        assert set(each) == {"apiVersion", "kind", "metadata", "data"}
        assert (each["apiVersion"], each["kind"]) == ("v1", "ConfigMap")
        sound(each["metadata"])
        assert "namespace" not in each["metadata"]
        labels = {key: each["metadata"]["labels"].get(key) for key in ("loki_rule", "mimir_rules")}
        assert {key: value for key, value in labels.items() if value is not None} == label
        assert each["metadata"]["annotations"] == {FOLDER_ANNOTATION: "/rules/fake"}
        (key,) = each["data"]
        assert key == f"{each['metadata']['name']}.yaml"
        assert all(group["rules"] for group in yaml.safe_load(each["data"][key])["groups"])
    assert "annotations:\n    k8s" not in side("render", "--target", target, "--format", "configmap").stdout


def test_files_of_both_languages_fit_into_one_folder(side: Side, tmp_path: Path) -> None:
    """Both have a file called exporter; and what is left from an earlier render is pointed at, not deleted."""
    side.change("loki/drivers.yaml", lambda data: data["groups"][0].update(name="storage-exporter.efs.attach"))
    (side.pack / "loki" / "drivers.yaml").rename(side.pack / "loki" / "efs.yaml")
    out = tmp_path / "out"
    for target in ("mimir", "loki"):
        assert side("render", "--target", target, "-o", str(out)).exit_code == 0
    assert sorted(file.name for file in out.iterdir()) == [
        "storage-exporter-efs.yaml",
        "storage-exporter-logs-efs.yaml",
        "storage-exporter-s3.yaml",
    ]
    side.configure({"files": {"s3": False}})
    done = side("render", "--target", "mimir", "-o", str(out))
    assert done.exit_code == 0
    assert f"note: {out / 'storage-exporter-s3.yaml'} is not among these" in done.stderr
    assert (out / "storage-exporter-s3.yaml").exists()


def test_the_same_rules_give_the_same_text(tmp_path: Path) -> None:
    """For reviews and for GitOps: no instants, no chance, labels sorted; and it reads back as it was."""
    found = small(tmp_path)
    for form in ("files", "prometheusrule", "configmap"):
        options = [Options(labels=dict(pairs)) for pairs in ([("b", "1"), ("a", "2")], [("a", "2"), ("b", "1")])]
        texts = [render.stream(found, "mimir", form, each) for each in options]
        assert texts[0] == texts[1]
    read = yaml.safe_load(render.stream(found, "prometheus", "files"))
    assert read == {"groups": [group.data() for group in found.groups("mimir")]}
    assert "expr: |" in render.stream(found, "prometheus", "files")


@pytest.mark.parametrize(
    "words",
    [
        ("--name", "Blue"),
        ("--name", "x" * 201),
        ("--namespace", "a_b"),
        ("--label", "a b=c"),
        ("--label", "a=" + "x" * 64),
        ("--annotation", "A/b=c"),
    ],
)
def test_names_that_kubernetes_refuses_are_refused_here(side: Side, words: tuple[str, str]) -> None:
    """Before anything is written, with what would be right."""
    done = side("render", "--target", "mimir", "--format", "configmap", *words)
    assert done.exit_code == 1
    assert "Kubernetes would refuse the objects" in done.stderr
    assert done.stdout == ""


def test_words_that_do_not_go_together(side: Side) -> None:
    """A folder for something that has none, a label without =, a target that is none."""
    for words in (
        ("--target", "mimir", "--tenant-folder", "/x"),
        ("--target", "mimir", "--label", "x"),
        ("--target", "cortex"),
        (),
    ):
        assert side("render", *words).exit_code == 2


def test_a_target_without_rules_is_refused(side: Side) -> None:
    """An empty file would delete rules where it is applied."""
    side.configure({"files": {"drivers": False}})
    done = side("render", "--target", "loki")
    assert done.exit_code == 1
    assert "there are no rules for loki" in done.stderr


def test_an_object_that_is_too_large_is_refused() -> None:
    """Kubernetes takes 1 MiB; as plain files they may be larger."""
    lines = ("x" * 200 + "\n") * 300

    def of(number: int) -> Pack:
        rules = tuple(Rule("record", f"a:b{each}", lines) for each in range(number))
        return Pack((File("mimir", "efs", (Group("storage-exporter.efs.a", "1m", rules),)),), {})

    fits = render.rendered(of(15), "mimir", "configmap")["storage-exporter-efs.yaml"]
    assert 0.9 * render.LARGEST < len(fits) <= render.LARGEST
    assert render.rendered(of(17), "mimir", "files")
    with pytest.raises(RulesError, match="storage-exporter-efs: the object has"):
        render.rendered(of(17), "mimir", "configmap")


def test_the_program_itself(side: Side, tmp_path: Path) -> None:
    """As a person starts it, in a process of its own."""
    command = [sys.executable, "-m", "exporter", "rules", "render", "--target", "mimir", "--pack", str(side.pack)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(yaml.safe_load(done.stdout)["groups"]) == 3
    assert OURS in done.stdout
