"""What an invariant looks at: the objects of one render, the values they came of, and the pods among them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tests.chart.rendering import Object

WORKLOADS = ("Deployment", "StatefulSet")
MAIN = "storage-exporter"  # name of the container that matters
SECRETS = "/etc/storage-exporter/secrets"
CLUSTER_SCOPED = frozenset({"ClusterRole", "ClusterRoleBinding"})


@dataclass(frozen=True)
class Pod:
    """A pod that an object makes, or is."""

    owner: Object
    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]

    @property
    def about(self) -> str:
        """Kind and name of what makes it."""
        return about(self.owner)

    @property
    def labels(self) -> Mapping[str, str]:
        """The pod's own."""
        return self.metadata.get("labels") or {}

    @property
    def namespace(self) -> str:
        """Where it runs."""
        return str(self.owner["metadata"].get("namespace"))

    @property
    def works(self) -> bool:
        """Whether it is one of the exporter's, rather than a hook's or a test's."""
        return self.owner["kind"] in WORKLOADS

    def containers(self) -> list[Mapping[str, Any]]:
        """Every container, those of the start too."""
        return [*(self.spec.get("initContainers") or []), *self.spec.get("containers", [])]

    def main(self) -> Mapping[str, Any]:
        """The container of the exporter; empty: there is none."""
        return next((each for each in self.spec.get("containers", []) if each.get("name") == MAIN), {})

    def volumes(self) -> dict[str, Mapping[str, Any]]:
        """By name; a claim of a StatefulSet's template stands as ``claim``."""
        claims = self.owner["spec"].get("volumeClaimTemplates") or [] if self.works else []
        named = {each["metadata"]["name"]: {"claim": each} for each in claims}
        return named | {each["name"]: each for each in self.spec.get("volumes") or []}


@dataclass(frozen=True)
class Scene:
    """One render. *values* are the effective ones: the chart's own with what was given laid over them."""

    objects: Sequence[Object]
    values: Mapping[str, Any]

    def of(self, *kinds: str) -> list[Object]:
        """The objects of these kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def ours(self) -> list[Object]:
        """All but what extraObjects add, which stand as they were given."""
        names = [
            str(each["metadata"]["name"]) if isinstance(each, Mapping) else re.findall(r"name: *(.+)", each)[0]
            for each in self.values["extraObjects"]
        ]
        forms = [re.sub(r"\\\{\\\{.*?\\\}\\\}", ".*", re.escape(name)) for name in names]
        return [
            each for each in self.objects if not any(re.fullmatch(form, each["metadata"]["name"]) for form in forms)
        ]

    def find(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """The object of a kind and name, in a namespace."""
        for each in self.of(kind):
            if each["metadata"]["name"] == name and namespace in (None, each["metadata"].get("namespace")):
                return each
        return None

    def pods(self) -> list[Pod]:
        """Every pod, of hooks and tests too."""
        return list(_pods(self.objects))

    def workers(self) -> list[Pod]:
        """The exporter's own."""
        return [each for each in self.pods() if each.works]

    @property
    def config(self) -> Mapping[str, Any] | None:
        """The exporter's configuration that is rendered; None: it comes from elsewhere."""
        for each in self.of("ConfigMap"):
            if "config.yaml" in (each.get("data") or {}):
                return _read(each["data"]["config.yaml"])
        return None

    @property
    def pushes(self) -> bool:
        """Whether series are pushed rather than scraped."""
        return bool((((self.config or {}).get("delivery")) or {}).get("mode") == "push")

    @property
    def joined(self) -> bool:
        """Whether the cluster's objects are read."""
        return ((self.config or {}).get("kubernetes") or {}).get("enabled") is not False

    @property
    def elected(self) -> bool:
        """Whether one of several replicas leads; without a configuration of ours their number says so."""
        if self.config is None:
            return self.replicas > 1
        return bool((self.config.get("kubernetes") or {}).get("leader_election") is True)

    @property
    def replicas(self) -> int:
        """Replicas that share an ordinal: of the Deployment, or StatefulSets that stand beside one another."""
        return int(self.values["shards"]["sets"] if self.values["mode"] == "shards" else self.values["replicas"])


@functools.lru_cache(maxsize=256)
def _read(text: str) -> Mapping[str, Any]:
    return yaml.safe_load(text) or {}


def about(each: Object) -> str:
    """Kind and name."""
    return f"{each.get('kind')}/{(each.get('metadata') or {}).get('name')}"


def noted(each: Mapping[str, Any]) -> Mapping[str, str]:
    """Those of an object."""
    return (each.get("metadata") or {}).get("annotations") or {}


def labels(each: Mapping[str, Any]) -> Mapping[str, str]:
    """Those of an object."""
    return (each.get("metadata") or {}).get("labels") or {}


def hooks(each: Mapping[str, Any]) -> list[str]:
    """Helm hooks that an object is for."""
    return [part.strip() for part in noted(each).get("helm.sh/hook", "").split(",") if part.strip()]


def selects(selector: Mapping[str, Any], having: Mapping[str, str]) -> bool:
    """Whether a selector (matchLabels, matchExpressions) takes these labels; an empty one takes all."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if having.get(key) != value:
            return False
    for each in selector.get("matchExpressions") or []:
        held, listed = having.get(each["key"]), each.get("values") or []
        if not {
            "In": held in listed,
            "NotIn": held not in listed,
            "Exists": held is not None,
            "DoesNotExist": held is None,
        }[each["operator"]]:
            return False
    return True


def port_number(pod: Pod, port: str | int | None) -> int | None:
    """A port of the pod's containers by its name or number; None: they open none like it."""
    for container in pod.containers():
        for each in container.get("ports") or []:
            if port in (each.get("name"), each["containerPort"]):
                return int(each["containerPort"])
    return None


def walk(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value within, with its path."""
    yield path, value
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from walk(each, (*path, str(key)))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from walk(each, (*path, str(place)))


_UNITS = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def quantity(text: object) -> float | None:
    """A Kubernetes quantity; None: it is none."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]{0,2})", str(text))
    return float(found[1]) * _UNITS[found[2]] if found and found[2] in _UNITS else None


def _pods(objects: Sequence[Object]) -> Iterator[Pod]:
    for each in objects:
        spec = each.get("spec") or {}
        if each["kind"] == "Pod":
            yield Pod(each, each["metadata"], spec)
        elif each["kind"] in {*WORKLOADS, "DaemonSet", "Job"}:
            yield Pod(each, spec["template"].get("metadata") or {}, spec["template"]["spec"])
