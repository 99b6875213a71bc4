"""The life of a release: helm itself against a stand-in API server, from install to uninstall."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart import matrix
from tests.chart.api_kinds import KINDS
from tests.chart.api_objects import SIZE, Objects, RefusedError, plain
from tests.chart.api_server import ApiServer, Outcome, api_server
from tests.chart.releases import Release, hooked, light, same
from tests.chart.rendering import CHART, LEAN, NAMESPACE, RELEASE, HelmError, Object, one, render

RECORD = SIZE * 4 // 5
"""Bytes a release's record may take of those that the API stores in a Secret."""

KIND = {kind.kind: kind for kind in KINDS}

OTHERWISE = {
    "replicas": 3,
    "port": 9200,
    "aws": {"region": "eu-central-1"},
    "config": {"kubernetes": {"pods": True}},
    "dashboards": {"enabled": False},
    "networkPolicy": {"enabled": True},
    "serviceAccount": {"annotations": {"a": "b"}},
    "rules": {"mimir": {"labels": {"release": "prometheus"}}},
}


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with api_server(NAMESPACE) as running:
        yield running


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return light(tmp_path_factory.mktemp("light"))


@pytest.fixture
def release(server: ApiServer, chart: Path, tmp_path: Path) -> Release:
    return Release(server, tmp_path, chart)


def test_a_release_from_install_to_uninstall(server: ApiServer, release: Release) -> None:
    """What exists is always what is rendered; nothing changes by nothing; back is back; and nothing is left."""
    release.install(LEAN)
    same(server, render(LEAN))
    before = release.versions()

    release.upgrade(LEAN)
    assert release.versions() == before

    release.upgrade(OTHERWISE)
    same(server, render(OTHERWISE))
    assert release.versions() != before

    release.helm("rollback", RELEASE, "1")
    same(server, render(LEAN))

    told = yaml.safe_load(release.helm("history", RELEASE, "--output", "yaml"))
    assert [each["revision"] for each in told] == [1, 2, 3, 4]
    assert [each["status"] for each in told] == ["superseded", "superseded", "superseded", "deployed"]
    assert told[-1]["description"] == "Rollback to 1"

    release.helm("uninstall", RELEASE)
    assert server.found(releases=True) == []


def test_a_release_of_everything(server: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With all that is optional a release becomes ready, fits its record, and leaves nothing."""
    everything = {
        "alertmanager": {"example": True, "config": {"enabled": True, **_receivers()}},
        "dashboards": {"operator": {"enabled": True}},
        "networkPolicy": {"enabled": True, "flavor": "cilium"},
        "rules": {"loki": {"delivery": "prometheusRule"}},
        "scrape": {"by": "podMonitor"},
    }
    release = Release(server, tmp_path)
    release.install(everything, "--wait", "--timeout", "60s")
    same(server, render(everything))
    size = release.record_size()
    assert size < RECORD
    with capsys.disabled():
        sys.stdout.write(f"\n[the record of a release takes {size:,} of {SIZE:,} bytes]\n")
    release.helm("uninstall", RELEASE)
    assert server.found(releases=True) == []


def _receivers() -> dict[str, Any]:
    return {"receivers": [{"name": "pager"}], "routes": {"critical": "pager"}}


def test_helm_test_runs_the_check_and_says_how_it_went(chart: Path, tmp_path: Path) -> None:
    """The pod of ``helm test`` is the rendered one, and is gone afterwards; where it fails, helm fails."""
    went = Outcome()
    with api_server(NAMESPACE, runs=lambda _: went) as server:
        release = Release(server, tmp_path, chart)
        release.install(LEAN)
        assert server.ran == []
        assert "Phase:          Succeeded" in release.helm("test", RELEASE)
        (pod,) = server.ran
        assert plain(pod) == plain(one(render(LEAN), "Pod"))
        assert [each for each in server.found() if each["kind"] == "Pod"] == []
        went = Outcome(succeeded=False, log="it is not well")
        with pytest.raises(HelmError, match=f"pod {RELEASE}-test-check failed"):
            release.helm("test", RELEASE)


def test_shards_grow_in_place_and_modes_change(server: ApiServer, release: Release) -> None:
    """
    Ordinals, sets, labels and resources change without a field that Kubernetes refuses; another mode is another object.
    What Kubernetes does refuse is said and undone.
    """
    small = {**LEAN, "mode": "shards", "shards": {"total": 2}}
    large = {
        **small,
        "shards": {"total": 4, "sets": 2},
        "resources": {"limits": {"memory": "1Gi"}},
        "podLabels": {"team": "storage"},
        "commonLabels": {"cost": "centre"},
    }
    release.upgrade(small, "--install")
    release.upgrade(large)
    same(server, render(large))
    with pytest.raises(HelmError, match=r"StatefulSet.*updates to statefulset spec for fields other than"):
        release.upgrade({**large, "persistence": {"enabled": True}})
    release.helm("rollback", RELEASE, "2")
    same(server, render(large))
    for values in (LEAN, {**LEAN, "persistence": {"enabled": True}, "replicas": 1}):
        release.upgrade(values)
        same(server, render(values))


def test_without_the_operator_nothing_is_left_half_done(chart: Path, tmp_path: Path) -> None:
    """Where the operator's kinds are absent, helm names the kind before it makes anything."""
    with api_server(NAMESPACE, without={"monitoring.coreos.com"}) as server:
        with pytest.raises(
            HelmError, match=r'no matches for kind "ServiceMonitor" in version "monitoring\.coreos\.com/v1"'
        ):
            Release(server, tmp_path, chart).install(LEAN)
        assert server.found(releases=True) == []


def test_a_bare_cluster_takes_what_needs_no_operator(tmp_path: Path) -> None:
    """Annotations, and rules and dashboards as ConfigMaps, need nothing that Kubernetes has not."""
    rules = {"mimir": {"delivery": "none"}, "loki": {"delivery": "configMap"}}
    values = {"scrape": {"by": "annotations"}, "rules": rules}
    without = {"monitoring.coreos.com", "grafana.integreatly.org", "cilium.io"}
    with api_server(NAMESPACE, without=without) as server:
        Release(server, tmp_path).install(values)
        same(server, render(values))


def test_two_releases_in_one_cluster_share_nothing(server: ApiServer, chart: Path, tmp_path: Path) -> None:
    """Of two releases in two namespaces neither takes an object of the other, cluster-wide ones among them."""
    server.objects.namespaces.add("other")
    for folder in (NAMESPACE, "other"):
        (tmp_path / folder).mkdir()
    first, second = (Release(server, tmp_path / of, chart, of) for of in (NAMESPACE, "other"))
    first.install(LEAN)
    second.install(LEAN)
    second.helm("uninstall", RELEASE)
    same(server, render(LEAN))


# --- from an older chart ---------------------------------------------------------------------------------------------

_YOUNG = ("sources", "podDisruptionBudget", "persistence", "dataVolume", "tmpVolume", "startupProbe", "test", "shards")
_YOUNG_PARTS = (("aws", "fips"), ("rules", "sync"), ("dashboards", "operator"), ("image", "digest"))


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A chart of version 0.0.9 that did not know some of today's values; what it makes is what today's makes."""
    chart = tmp_path / "older" / RELEASE
    (chart / "templates").mkdir(parents=True)
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump({**about, "version": "0.0.9", "appVersion": "0.0.9"}))
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for key in _YOUNG:
        del values[key]
    for section, key in _YOUNG_PARTS:
        del values[section][key]
    (chart / "values.yaml").write_text(yaml.safe_dump(values))
    items = [item for item in render(LEAN) if not hooked(item)]
    text = yaml.safe_dump_all(items).replace("app.kubernetes.io/version: 0.1.0", "app.kubernetes.io/version: 0.0.9")
    (chart / "templates" / "all.yaml").write_text(text)
    return chart


def test_an_upgrade_from_an_older_chart(server: ApiServer, release: Release, older: Path) -> None:
    """``--reset-then-reuse-values`` takes the user's values along to today's defaults."""
    given = {**LEAN, "replicas": 3}
    release.upgrade(given, "--install", chart=older)
    release.upgrade({}, "--reset-then-reuse-values")
    same(server, render(given))
    release.helm("rollback", RELEASE, "1")
    assert one(server.found(), "Deployment")["metadata"]["labels"]["app.kubernetes.io/version"] == "0.0.9"


def test_reused_values_of_an_older_chart_end_clearly(server: ApiServer, release: Release, older: Path) -> None:
    """``--reuse-values`` leaves out today's defaults: the error names each of them, and nothing is touched."""
    release.upgrade(LEAN, "--install", chart=older)
    before = release.versions()
    with pytest.raises(HelmError) as caught:
        release.upgrade({}, "--reuse-values")
    for section, key in (*(("(root)", key) for key in _YOUNG), *_YOUNG_PARTS):
        assert f"{section}: {key} is required" in str(caught.value)
    assert release.versions() == before


def test_the_chart_of_before_upgrades_to_that_of_now(
    server: ApiServer, release: Release, chart: Path, tmp_path: Path
) -> None:
    """Another version of the same chart changes labels and image, and no field that Kubernetes refuses."""
    earlier = tmp_path / "earlier" / RELEASE
    shutil.copytree(chart, earlier)
    for word in ("version", "appVersion"):
        text = (earlier / "Chart.yaml").read_text().splitlines()
        lines = [f"{word}: 0.0.9" if line.startswith(f"{word}:") else line for line in text]
        (earlier / "Chart.yaml").write_text("\n".join(lines))
    values = {**LEAN, "mode": "shards"}
    release.upgrade(values, "--install", chart=earlier)
    assert one(server.found(), "StatefulSet")["metadata"]["labels"]["app.kubernetes.io/version"] == "0.0.9"
    release.upgrade(values)
    same(server, render(values))


# --- from any values to any others -----------------------------------------------------------------------------------


def accepted(objects: Objects, items: Sequence[Object]) -> Iterator[tuple[str, str]]:
    """Put a release there as an upgrade does; kind and words of what is refused."""
    for item in items:
        kind = KIND[item["kind"]]
        namespace = item["metadata"].get("namespace", "") if kind.namespaced else ""
        objects.namespaces.add(namespace)
        try:
            try:
                objects.create(kind, namespace, item)
            except RefusedError as error:
                if error.reason != "AlreadyExists":
                    raise
                objects.update(kind, namespace, item["metadata"]["name"], item)
        except RefusedError as error:
            yield item["kind"], str(error)


@pytest.mark.parametrize("case", matrix.cases(), ids=lambda case: case.name)
def test_every_case_can_be_installed_and_upgraded_from_the_defaults(case: matrix.Case) -> None:
    """Names, labels, selectors and sizes are such that Kubernetes takes them, over the default release too."""
    items = [item for item in case.objects() if not hooked(item)]
    assert list(accepted(Objects(), items)) == []
    objects = Objects()
    assert list(accepted(objects, [item for item in render() if not hooked(item)])) == []
    assert list(accepted(objects, items)) == []
