"""A release of the chart in the stand-in API server, as somebody at a terminal makes it with helm."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.chart.api_objects import plain
from tests.chart.api_server import ApiServer
from tests.chart.rendering import CHART, NAMESPACE, RELEASE, Object, Values, helm

Called = tuple[str, str, str]
"""Kind, namespace and name."""


class Release:
    """
    One release.

    Args:
        folder: for the kubeconfig.

        chart: a folder or package.
    """

    def __init__(self, server: ApiServer, folder: Path, chart: Path = CHART, namespace: str = NAMESPACE) -> None:
        self.server, self.chart, self.namespace = server, chart, namespace
        # helm would wait, so as to spare a real server, and Go collects garbage more often than a short life needs
        limits = {"HELM_BURST_LIMIT": "10000", "HELM_QPS": "10000", "GOGC": "400"}
        self.environ = {"KUBECONFIG": str(server.kubeconfig(folder / "kubeconfig", namespace)), **limits}

    def helm(self, *arguments: str | Path, text: str = "") -> str:
        """Any command. Raises `HelmError`."""
        return self.helm_alone(*arguments, "--namespace", self.namespace, text=text)

    def helm_alone(self, *arguments: str | Path, text: str = "") -> str:
        """Any command, that says its namespace itself. Raises `HelmError`."""
        return helm(*arguments, text=text, environ=self.environ)

    def install(self, values: Values | None = None, *options: str) -> str:
        """``helm install``."""
        return self._put("install", values, options)

    def upgrade(self, values: Values | None = None, *options: str, chart: Path | None = None) -> str:
        """``helm upgrade``, to another chart where one is given."""
        return self._put("upgrade", values, options, chart)

    def _put(self, word: str, values: Values | None, options: Sequence[str], chart: Path | None = None) -> str:
        given = json.dumps(values or {})
        return self.helm(word, RELEASE, chart or self.chart, "--values", "-", *options, text=given)

    def versions(self) -> dict[Called, str]:
        """The version of each object but for releases: the same as long as nothing is changed."""
        found = [item for item in self.server.objects.everything() if item["kind"] != "Secret"]
        return {called(item): item["metadata"]["resourceVersion"] for item in found}

    def record_size(self) -> int:
        """Bytes of the largest of helm's records of this release, as the API counts them against `SIZE`."""
        return max(len(base64.b64decode(item["data"]["release"])) for item in self.server.releases())


def light(folder: Path) -> Path:
    """A copy of the chart without dashboards, which helm packs into every record: only slow where none is rendered."""
    chart = folder / RELEASE
    shutil.copytree(CHART, chart, ignore=shutil.ignore_patterns("dashboards"))
    return chart


def called(item: Object) -> Called:
    """What an object is known by."""
    return item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]


def hooked(item: Object) -> bool:
    """Whether helm runs the object at some moment and it is no part of the release."""
    return "helm.sh/hook" in item["metadata"].get("annotations", {})


def same(server: ApiServer, wanted: Sequence[Object]) -> None:
    """What exists is what was rendered, but for hooks, whose moment is over."""
    expected = {called(item): item for item in map(plain, wanted) if not hooked(item)}
    found = {called(item): item for item in server.found()}
    assert found.keys() == expected.keys()
    for name, item in expected.items():
        assert found[name] == item, name
