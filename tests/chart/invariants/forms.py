"""Forms that no schema holds: names, labels, enums, hooks; nothing empty or null, no secret, nothing too large."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

import yaml

from tests.chart.invariants.scene import CLUSTER_SCOPED, Scene, about, hooks, labels, noted, walk
from tests.chart.rendering import Object

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_FILES = {"ConfigMap", "PrometheusRule", "GrafanaDashboard"}  # no label ever holds their names
_LONG = 253
_HOOKS = {f"{when}-{what}" for when in ("pre", "post") for what in ("install", "upgrade", "delete", "rollback")} | {
    "test"
}
_POLICIES = {"before-hook-creation", "hook-succeeded", "hook-failed"}
_HELM = {"helm.sh/hook", "helm.sh/hook-weight", "helm.sh/hook-delete-policy", "helm.sh/resource-policy"}
_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/version", "helm.sh/chart")

ENUMS = {
    "whenUnsatisfiable": {"DoNotSchedule", "ScheduleAnyway"},
    "policyTypes": {"Ingress", "Egress"},
    "protocol": {"TCP", "UDP", "SCTP", "ANY"},
    "imagePullPolicy": {"Always", "IfNotPresent", "Never"},
    "restartPolicy": {"Always", "OnFailure", "Never"},
    "dnsPolicy": {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"},
    "fsGroupChangePolicy": {"OnRootMismatch", "Always"},
    "podManagementPolicy": {"OrderedReady", "Parallel"},
    "accessModes": {"ReadWriteOnce", "ReadWriteOncePod"},
    "unhealthyPodEvictionPolicy": {"IfHealthyBudget", "AlwaysAllow"},
    "effect": {"NoSchedule", "PreferNoSchedule", "NoExecute"},
    "terminationMessagePolicy": {"File", "FallbackToLogsOnError"},
    "whenDeleted": {"Retain", "Delete"},
    "whenScaled": {"Retain", "Delete"},
    "verbs": {"get", "list", "watch", "create", "update", "patch", "delete"},
    "concurrencyPolicy": {"Allow", "Forbid", "Replace"},
}
"""Words that a field may hold, which neither schemas nor the strict mode of kubernetes-validate look at."""
_TYPES = {
    "seccompProfile": {"RuntimeDefault", "Localhost", "Unconfined"},
    "strategy": {"RollingUpdate", "Recreate"},
    "updateStrategy": {"RollingUpdate", "OnDelete"},
}
# Where an empty map has a meaning: every pod, namespace or Grafana, a volume of defaults.
_EMPTY = {"instanceSelector", "podSelector", "namespaceSelector", "fromEndpoints", "toEndpoints", "emptyDir"}
_OBJECT_LIMIT, _ALL_LIMIT = 250_000, 1_500_000  # bytes: a client-side apply, and a release record of 1 MiB
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KEYS = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----")
_HIDDEN = re.compile(r"(password|bearer_token|secret_key)$")


def names(scene: Scene) -> Iterator[str]:
    """Names fit DNS and are the only ones of their kind; those of ports are short."""
    seen = Counter(
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in scene.objects
    )
    yield from (f"{kind}/{name} twice in {place}" for (kind, place, name), count in seen.items() if count > 1)
    for each in scene.objects:
        name, most = str(each["metadata"]["name"]), _LONG if each["kind"] in _FILES else 63
        if len(name) > most or not _NAME.fullmatch(name):
            yield f"{about(each)}: not a DNS label of at most {most} characters"
    for pod in scene.pods():
        given = [container["name"] for container in pod.containers()] + list(pod.volumes())
        yield from (f"{pod.about}: name {name}" for name in given if len(name) > 63 or not _NAME.fullmatch(name))
        if len(pod.containers()) != len({container["name"] for container in pod.containers()}):
            yield f"{pod.about}: two containers of one name"
        if pod.owner["kind"] == "StatefulSet" and len(pod.owner["metadata"]["name"]) > 52:
            yield f"{pod.about}: no room for ordinal and revision: a label of its pods would be longer than 63"
    for each in scene.objects:
        for path, value in walk(each.get("spec") or {}):
            if path[-1:] == ("ports",) and isinstance(value, list):
                for port in value:
                    word = str(port["name"]) if isinstance(port, dict) and "name" in port else "x"
                    if len(word) > 15 or not _NAME.fullmatch(word) or "--" in word:
                        yield f"{about(each)}: port's name {word} is not one of at most 15 characters"


def namespaces(scene: Scene) -> Iterator[str]:
    """Every object says its namespace, but what has none."""
    for each in scene.ours():
        if each["kind"] in CLUSTER_SCOPED:
            if "namespace" in each["metadata"]:
                yield f"{about(each)}: has no namespace, and says {each['metadata']['namespace']}"
        elif not each["metadata"].get("namespace"):
            yield f"{about(each)}: no namespace"


def labelled(scene: Scene) -> Iterator[str]:
    """Labels and annotations are valid, and each object that is ours has the recommended ones and the common ones."""
    for each in scene.objects:
        blocks = [each["metadata"]]
        blocks += [value for path, value in walk(each.get("spec") or {}) if path[-1:] == ("metadata",)]
        for block in blocks:
            for key, value in (block.get("labels") or {}).items():
                if not _KEY.fullmatch(str(key)) or not isinstance(value, str) or not _VALUE.fullmatch(value):
                    yield f"{about(each)}: label {key}: {value!r}"
            for key, value in (block.get("annotations") or {}).items():
                if not _KEY.fullmatch(str(key)) or not isinstance(value, str):
                    yield f"{about(each)}: annotation {key}: {value!r}"
    for each in scene.ours():
        yield from _recommended(each, scene)


def _recommended(each: Object, scene: Scene) -> Iterator[str]:
    held = labels(each)
    yield from (f"{about(each)}: no label {key}" for key in _LABELS if not held.get(key))
    if held.get("app.kubernetes.io/managed-by") != "Helm":
        yield f"{about(each)}: not managed by Helm"
    for kind, given, wanted in (
        ("label", held, scene.values["commonLabels"]),
        ("annotation", noted(each), scene.values["commonAnnotations"]),
    ):
        yield from (f"{about(each)}: {kind} {key} is missing" for key in wanted if given.get(key) != wanted[key])


def enums(scene: Scene) -> Iterator[str]:
    """Words are spelled as Kubernetes spells them."""
    for each in scene.objects:
        for path, value in walk({key: each[key] for key in ("spec", "rules") if key in each}):
            words = ENUMS.get(path[-1] if path else "")
            if words and path[0] != "annotations":
                for word in value if isinstance(value, list) else [value]:
                    if word not in words:
                        yield f"{about(each)}: {'.'.join(path)}: {word} is none of {sorted(words)}"
            if len(path) > 1 and path[-1] == "type" and path[-2] in _TYPES and value not in _TYPES[path[-2]]:
                yield f"{about(each)}: {'.'.join(path)}: {value} is none of {sorted(_TYPES[path[-2]])}"


def hooked(scene: Scene) -> Iterator[str]:
    """Hooks are spelled right, and a second run replaces the first."""
    for each in scene.objects:
        held = noted(each)
        for key in held:
            if "helm" in key.partition("/")[0].lower() and key not in _HELM:
                yield f"{about(each)}: annotation {key} is none of Helm's"
        yield from (f"{about(each)}: hook {hook} is none of Helm's" for hook in hooks(each) if hook not in _HOOKS)
        policies = [part.strip() for part in held.get("helm.sh/hook-delete-policy", "").split(",") if part.strip()]
        yield from (f"{about(each)}: delete policy {policy}" for policy in policies if policy not in _POLICIES)
        if hooks(each) and "before-hook-creation" not in policies:
            yield f"{about(each)}: a second run meets the first one's object"
        if policies and not hooks(each):
            yield f"{about(each)}: a delete policy without a hook"
        if not re.fullmatch(r"-?\d+", held.get("helm.sh/hook-weight", "0")):
            yield f"{about(each)}: hook-weight {held['helm.sh/hook-weight']}"


def nothing_empty(scene: Scene) -> Iterator[str]:
    """No null, no empty list or map but where it means something, no empty text."""
    for each in scene.objects:
        if (each["kind"], bool(each.get("data"))) == ("ConfigMap", False):
            yield f"{about(each)}: no data"
        for path, value in walk({key: value for key, value in each.items() if key != "data"}):
            where = f"{about(each)}: {'.'.join(path)}"
            named = [part for part in path if not part.isdigit()]
            if value is None:
                yield f"{where} is null"
            elif value in ({}, []) and isinstance(value, dict | list):
                if not named or named[-1] not in _EMPTY or value == []:
                    yield f"{where} is empty"
            elif value == "" and named[-1] not in {"apiGroups", "value", "replacement", "separator"}:
                yield f"{where} is an empty text"


def no_secret(scene: Scene) -> Iterator[str]:
    """No Secret is made, and none stands in anything."""
    for each in scene.objects:
        if each["kind"] == "Secret":
            yield f"{about(each)}: Secrets are the user's, by name"
        for path, value in walk(each):
            if isinstance(value, str) and _KEYS.search(value):
                yield f"{about(each)}: {'.'.join(path)} holds a key"
    for path, value in walk(scene.config or {}):
        if path and _HIDDEN.search(path[-1]) and not re.fullmatch(r"\$\{\w+\}", str(value)):
            yield f"config.{'.'.join(path)} is a secret in plain text"


def readable(scene: Scene) -> Iterator[str]:
    """What a ConfigMap holds as YAML or JSON is that, and something."""
    for each in scene.of("ConfigMap"):
        for key, text in (each.get("data") or {}).items():
            try:
                content = json.loads(text) if key.endswith(".json") else text
                content = yaml.load(text, _LOADER) if key.endswith((".yaml", ".yml")) else content
            except (ValueError, yaml.YAMLError):
                yield f"{about(each)}: {key} cannot be read"
            else:
                if not content:
                    yield f"{about(each)}: {key} holds nothing"


def sizes(scene: Scene) -> Iterator[str]:
    """ConfigMaps fit a client-side apply each, and a release record all of them."""
    total = 0
    for each in scene.of("ConfigMap"):
        size = sum(len(str(value).encode()) for value in (each.get("data") or {}).values())
        total += size
        if size > _OBJECT_LIMIT:
            yield f"{about(each)}: {size} bytes, more than {_OBJECT_LIMIT}"
    if total > _ALL_LIMIT:
        yield f"ConfigMaps: {total} bytes, more than {_ALL_LIMIT}"
