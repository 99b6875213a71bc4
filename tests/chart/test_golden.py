"""Golden renders: each case is what it was, and what no upgrade can change is what was released."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from tests.chart import golden
from tests.chart.matrix import Case, case, cases
from tests.chart.rendering import one

HOW = "If it is meant: `python -m tests.chart.golden`, and read `git diff tests/chart/golden`."


@pytest.mark.parametrize("given", cases(), ids=lambda each: each.name)
def test_golden(given: Case) -> None:
    """
    Selectors, claims and what else the API server refuses to change are those of the last release, and what is rendered
    is what was recorded.
    """
    objects = given.objects()
    assert golden.released(objects) == _released().get(given.name), "an upgrade cannot change this"
    if given.name in golden.WITHOUT:
        return
    path = golden.path_of(given)
    assert path.is_file(), f"{path.name} is missing. {HOW}"
    assert golden.record(given, objects) == golden.read(path.read_text()), HOW


@functools.cache
def _released() -> dict[str, Any]:
    held: dict[str, Any] = golden.read(golden.RELEASED.read_text())
    return held


def test_files() -> None:
    """There is no file of a case that is gone, and none is so large that nobody reads its difference."""
    names = {path.name for path in golden.HERE.glob("*.yaml")}
    assert names == {golden.RELEASED.name, *(golden.path_of(each).name for each in golden.recorded())}
    assert max(path.stat().st_size for path in golden.HERE.glob("*.yaml")) < 60_000


CHANGES: list[tuple[str, Any]] = [
    ("spec.replicas", 7),
    ("spec.template.spec.containers.storage-exporter.env.POD_NAME.valueFrom.fieldRef.fieldPath", "spec.nodeName"),
    ("spec.template.metadata.labels.more", "x"),
    ("metadata.annotations", {"a": "b"}),
]


@pytest.mark.parametrize(("path", "value"), CHANGES, ids=str)
@pytest.mark.parametrize("name", ["lean", "irsa"])
def test_a_change_shows(name: str, path: str, value: Any) -> None:
    """One thing changed, and the record is another; in a case that stands as changes it is the one line more."""
    from tests.chart.test_invariants import change

    objects = case(name).objects()
    before = golden.record(case(name), objects)
    change(one(objects, "Deployment"), path, value)
    after = golden.record(case(name), objects)
    assert after != before
    if name == "irsa":
        lines = [golden.written(each).splitlines() for each in (before, after)]
        assert 1 <= len([line for line in lines[1] if line not in lines[0]]) <= 2


def test_what_has_a_test_of_its_own_does_not_show() -> None:
    """Neither a rule's text nor a dashboard's nor the hash of the configuration is in a record."""
    objects = case("default").objects()
    before = golden.record(case("default"), objects)
    one(objects, "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"] = "0" * 64
    next(each for each in objects if each["kind"] == "PrometheusRule")["spec"]["groups"][0]["rules"].pop()
    one(objects, "ConfigMap", "storage-exporter-dashboard-efs")["data"]["storage-exporter-efs.json"] = "{}"
    assert golden.record(case("default"), objects) == before
