"""No key of values.yaml is dead: changing any one of them changes what is rendered, in a case where it matters."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.chart.matrix import PUSH, RECEIVERS, ROLE, RULERS, VALUES
from tests.chart.partial import partial
from tests.chart.rendering import CHART, helm, merged

NOTES = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data: {notes: {{ include (print $.Template.BasePath "/NOTES.txt") . | toJson }}}
"""
ONLY_IN_NOTES = {"sources.kubeStateMetrics", "sources.kubelet", "sources.logs"}

_POLICY = {"networkPolicy": {"enabled": True}}
_SECRET = {"aws": {"identity": "secret", "existingSecret": {"name": "keys"}}}
_CLAIM = {"persistence": {"enabled": True}}
_LOKI = {"rules": {"loki": {"delivery": "configMap"}}}
_SYNC = {"config": RULERS, "rules": {"mimir": {"delivery": "sync"}}}
_READY = {"alertmanager": {"config": {"receivers": RECEIVERS, "routes": {"critical": "page"}}}}
_GRAFANA = {"dashboards": {"operator": {"enabled": True}}}
_ELSEWHERE = {"existingConfigMap": {"name": "own"}}
_OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}, "data": {"a": "b"}}
_CONTAINER = {"name": "more", "image": "registry.example.com/more:1"}
_RELABELING = {"targetLabel": "cluster", "replacement": "x"}

WHERE: list[tuple[str, Mapping[str, Any]]] = [
    ("shards", {"mode": "shards"}),
    ("aws.existingSecret", _SECRET),
    ("service.enabled", {"scrape": {"by": "none"}}),
    ("serviceAccount.create", {"serviceAccount": {"name": "account"}}),
    ("aws.roleArn", {"aws": {"identity": "irsa", "roleArn": f"{ROLE}-other"}}),
    ("existingConfigMap.key", _ELSEWHERE),
    ("networkPolicy.flavor", _POLICY),
    ("networkPolicy.ingress", _POLICY),
    ("networkPolicy.egress.receiver", {**_POLICY, "config": PUSH}),
    ("networkPolicy.egress", _POLICY),
    ("persistence.size", _CLAIM),
    ("persistence.storageClass", _CLAIM),
    ("persistence.annotations", _CLAIM),
    ("rules.loki.folder", _LOKI),
    ("rules.loki.labels", _LOKI),
    ("rules.loki.annotations", _LOKI),
    ("rules.loki.namespace", _LOKI),
    ("rules.sync", _SYNC),
    ("dashboards.operator.enabled", {}),
    ("dashboards.operator", _GRAFANA),
    ("alertmanager.config.enabled", _READY),
    ("alertmanager.config", merged(_READY, {"alertmanager": {"config": {"enabled": True}}})),
    ("sources.ebsCsiNvme", {"scrape": {"by": "none"}}),
]
"""Where a key matters, by how it begins: the first that fits. All others matter by default."""

OTHER: dict[str, Any] = {
    "mode": "shards",
    "global.imagePullSecrets": ["pull"],
    "imagePullSecrets": ["pull"],
    "image.digest": "sha256:" + "0" * 64,
    "image.pullPolicy": "Always",
    "rbac.existingClusterRole": "reader",
    "serviceAccount.create": False,
    "aws.identity": "none",
    "aws.roleArn": ROLE,
    "config": {"log": {"level": "debug"}},
    "secretFiles": ["secret"],
    "service.type": "NodePort",
    "scrape.by": "podMonitor",
    "scrape.interval": "45s",
    "scrape.timeout": "20s",
    "scrape.relabelings": [_RELABELING],
    "scrape.metricRelabelings": [_RELABELING],
    "rules.mimir.delivery": "configMap",
    "rules.mimir.evaluatedBy": "mimir",
    "rules.loki.delivery": "configMap",
    "rules.loki.folder": "/rules/other",
    "dashboards.operator.resyncPeriod": "5m",
    "alertmanager.config.receivers": RECEIVERS[:1],
    "alertmanager.config.routes.critical": "tickets",
    "alertmanager.config.routes.warning": "tickets",
    "alertmanager.config.routes.info": "list",
    "alertmanager.config.routes.watchdog": "dead-man",
    "networkPolicy.flavor": "cilium",
    "networkPolicy.ingress.from": [{"podSelector": {"matchLabels": {"a": "b"}}}],
    "networkPolicy.egress.https": ["10.0.0.0/8"],
    "networkPolicy.egress.kubernetesPort": 6443,
    "networkPolicy.egress.receiverPorts": [9009],
    "networkPolicy.egress.extra": [{"ports": [{"port": 1, "protocol": "TCP"}]}],
    "persistence.size": "9Gi",
    "dataVolume.sizeLimit": "9Gi",
    "tmpVolume.sizeLimit": "9Mi",
    "resources.requests.cpu": "99m",
    "resources.requests.memory": "99Mi",
    "resources.limits.memory": "999Mi",
    "podSecurityContext.fsGroupChangePolicy": "Always",
    "podSecurityContext.seccompProfile.type": "Localhost",
    "securityContext.capabilities.drop": ["ALL", "CHOWN"],
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
    "topologySpreadConstraints": [],
    "updateStrategy": {"type": "Recreate"},
    "dnsPolicy": "Default",
    "dnsConfig": {"nameservers": ["192.0.2.1"]},
    "extraArgs": ["--more"],
    "extraEnv": [{"name": "MORE", "value": "x"}],
    "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
    "extraVolumes": [{"name": "more", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "tmp", "mountPath": "/more"}],
    "extraInitContainers": [_CONTAINER],
    "extraContainers": [_CONTAINER],
    "extraObjects": [_OBJECT],
}
"""Another value for a key, where none follows from its type."""


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every key that has a value of its own, with it; an empty map is one."""
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from leaves(each, (*path, str(key)))
    else:
        yield ".".join(path), value


LEAVES = dict(leaves(VALUES))


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    The chart with all its templates, one file of rules of each kind and one dashboard, so that a render is quick.

    It has no schema: that some of the other values are refused (a pod that is not restricted) is not what is asked.
    """
    names = [str(path.relative_to(CHART / "templates")) for path in (CHART / "templates").rglob("*.yaml")]
    made = partial(tmp_path_factory.mktemp("dead") / "chart", names)
    for name in ("mimir/efs.yaml", "loki/exporter.yaml", "dashboards/efs.json", "thresholds.yaml"):
        (made / "files" / name).parent.mkdir(exist_ok=True)
        shutil.copy(CHART / "files" / name, made / "files" / name)
    shutil.copytree(CHART / "files" / "alertmanager", made / "files" / "alertmanager")
    (made / "values.schema.json").unlink()
    return made


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart's notes as an object."""
    return partial(tmp_path_factory.mktemp("notes") / "chart", ["NOTES.txt"], {"notes.yaml": NOTES})


@pytest.mark.parametrize("key", sorted(LEAVES))
def test_used(key: str, chart: Path, notes: Path) -> None:
    """Another value of the key gives another render; a key that only NOTES reads, other notes."""
    base = next((values for start, values in WHERE if key.startswith(start)), {})
    place = notes if key in ONLY_IN_NOTES else chart
    assert rendered(place, _set(base, key, other(key))) != rendered(place, base)


@pytest.mark.parametrize("key", sorted(ONLY_IN_NOTES))
def test_only_in_notes(key: str, chart: Path) -> None:
    """What is said to be read by NOTES alone is, so the list cannot hide a dead key."""
    assert rendered(chart, _set({}, key, other(key))) == rendered(chart, {})


def test_tables_fit() -> None:
    """Every key of the tables is one of values.yaml."""
    assert set(OTHER) | ONLY_IN_NOTES <= set(LEAVES)
    for start, values in WHERE:
        assert any(key.startswith(start) for key in LEAVES), start
        merged(VALUES, values)


def other(key: str) -> Any:
    """A value that the key does not have by default."""
    if key in OTHER:
        return OTHER[key]
    value = LEAVES[key]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return f"{value}-other" if value else "other"
    assert value == {}, f"{key}: needs a line in OTHER"
    return {"other": "value"}


def rendered(chart: Path, values: Mapping[str, Any]) -> str:
    """The text that helm gives."""
    return _rendered(chart, json.dumps(values, sort_keys=True))


@functools.cache
def _rendered(chart: Path, values: str) -> str:
    return helm("template", "release", chart, "--namespace", "monitoring", "--values", "-", text=values)


def _set(values: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    head, _, rest = key.partition(".")
    made = dict(values)
    made[head] = _set(made.get(head) or {}, rest, value) if rest else value
    return made
