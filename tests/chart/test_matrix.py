"""Every case of the values matrix: lint, schemas of three Kubernetes versions and of custom resources, invariants."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chart import invariants, kinds
from tests.chart.matrix import Case, case, cases, ci_files
from tests.chart.rendering import CHART, Object, helm, one, render


# One test, not two: where tests run in several processes each render is made in one of them.
@pytest.mark.parametrize("given", cases(), ids=lambda each: each.name)
def test_case(given: Case) -> None:
    """
    The oldest, a middle and the newest Kubernetes take each object, custom resources have only our fields.

    And what must hold of every render holds of this one.
    """
    objects = given.objects()
    assert [line for version in kinds.VERSIONS for each in objects for line in kinds.faults(each, version)] == []
    assert invariants.wrong(invariants.Scene(objects, given.effective())) == []


@pytest.mark.parametrize("name", ["everything", "nothing", "sync"])
def test_lint(name: str) -> None:
    """Helm's own lint, strict, has nothing to say; the files of the ci folder have a test of their own."""
    given = case(name)
    said = helm("lint", "--strict", CHART, "--values", "-", text=json.dumps(given.values))
    assert "1 chart(s) linted, 0 chart(s) failed" in said
    assert "[WARNING]" not in said


def test_names_of_cases() -> None:
    """No name twice: a golden file bears it. The chart has example values, and each is a case."""
    names = [each.name for each in cases()]
    assert len(names) == len(set(names))
    assert len(ci_files()) >= 5
    assert {f"ci-{path.name.removesuffix('-values.yaml')}" for path in ci_files()} <= set(names)
    assert {each.base for each in cases()} <= set(names)


def test_another_release() -> None:
    """A release of another name in another namespace is the same with those names, and has no name in common."""
    ours, theirs = case("default").objects(), case("other-release").objects()
    names = [{(each["kind"], each["metadata"]["name"]) for each in objects} for objects in (ours, theirs)]
    assert names[0] & names[1] == set()
    text = (
        json.dumps(theirs).replace("second-storage-exporter", "storage-exporter").replace("second", "storage-exporter")
    )
    again: list[Object] = json.loads(text.replace("observability", "monitoring"))
    for objects in (ours, again):
        del one(objects, "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for each in objects:  # texts of rules and dashboards hold "second" as a word
            each.pop("data", None)
            each.get("spec", {}).pop("groups", None)
    assert sorted(again, key=_key) == sorted(ours, key=_key)


def test_two_releases_of_one_namespace() -> None:
    """Two releases beside each other have no object in common, nor does one take the other's pods."""
    values = case("lean").values
    first, second = render(values, release="first"), render(values, release="second")
    assert {_key(each) for each in first} & {_key(each) for each in second} == set()
    both = [each for each in [*first, *second] if each["kind"] in {"Deployment", "Service", "PodDisruptionBudget"}]
    lines = invariants.wrong(invariants.Scene(both, case("default").effective()))
    assert [line for line in lines if "takes" in line] == []


CHANGES: list[dict[str, Any]] = [
    {"config": {"log": {"level": "debug"}}},
    {"config": {"cluster": "production"}},
    {"sources": {"ebsCsiNvme": True}},
    {"replicas": 1},
    {"port": 9200},
    {"aws": {"identity": "none"}},
]


@pytest.mark.parametrize("values", CHANGES, ids=str)
def test_checksum_follows_the_configuration(values: dict[str, Any]) -> None:
    """What changes the configuration rolls the pods."""
    base = case("lean")
    before = _checksum(base.objects())
    assert _checksum(Case("changed", {**base.values, **values}).objects()) != before


@pytest.mark.parametrize("values", [{"podDisruptionBudget": {"enabled": False}}, {"commonLabels": {"a": "b"}}], ids=str)
def test_checksum_stays_without(values: dict[str, Any]) -> None:
    """What does not change the configuration leaves the checksum as it is."""
    base = case("lean")
    assert _checksum(Case("changed", {**base.values, **values}).objects()) == _checksum(base.objects())


def _checksum(objects: list[Object]) -> str:
    found: str = one(objects, "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
    return found


def _key(each: Object) -> tuple[str, str, str]:
    return each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]
