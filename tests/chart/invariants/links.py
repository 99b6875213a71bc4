"""What one object says of another: references, selectors, Services and their ports, disruption budgets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.chart.invariants.scene import Pod, Scene, about, hooks, labels, port_number, selects, walk

# Labels that neither an upgrade nor a user changes, so a selector may hold them.
_STABLE = {
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/component",
    "storage-exporter.io/set",
}
_BEFORE = {"pre-install", "pre-upgrade"}

Reference = tuple[str, str, tuple[str, ...]]  # kind, name, keys


def references(scene: Scene) -> Iterator[str]:
    """ConfigMaps, Secrets, accounts and claims exist among the objects, or the values name them as there before."""
    before = _existing(scene.values)
    for pod in scene.pods():
        for kind, name, keys in _references(pod.spec):
            made = scene.find(kind, name, pod.namespace)
            if made is None and (kind, name) not in before:
                yield f"{pod.about}: {kind} {name} is neither made nor named as existing"
            elif made is not None:
                yield from (
                    f"{pod.about}: {kind} {name} has no {key}" for key in keys if key not in made.get("data", {})
                )
                if _BEFORE & set(hooks(pod.owner)) and not hooks(made):
                    yield f"{pod.about}: runs before {kind} {name} is made"
    for each in scene.of("GrafanaDashboard"):
        ref = each["spec"]["configMapRef"]
        made = scene.find("ConfigMap", ref["name"], each["metadata"].get("namespace"))
        if made is None or ref["key"] not in made["data"]:
            yield f"{about(each)}: no ConfigMap {ref['name']} with {ref['key']} in its namespace"


def _references(spec: Mapping[str, Any]) -> Iterator[Reference]:
    """Of a pod."""
    if spec.get("serviceAccountName"):
        yield "ServiceAccount", spec["serviceAccountName"], ()
    for path, value in walk(spec):
        if not path or not isinstance(value, Mapping):
            continue
        keys = tuple(item["key"] for item in value.get("items") or [])
        if path[-1] in {"configMap", "configMapRef"} and "name" in value:
            yield "ConfigMap", value["name"], keys
        elif path[-1] == "configMapKeyRef":
            yield "ConfigMap", value["name"], (value["key"],)
        elif path[-1] == "secret":
            yield "Secret", value.get("secretName", value.get("name")), keys
        elif path[-1] == "secretRef" or (len(path) > 1 and path[-2] == "imagePullSecrets"):
            yield "Secret", value["name"], ()
        elif path[-1] == "secretKeyRef":
            yield "Secret", value["name"], (value["key"],)
        elif path[-1] == "persistentVolumeClaim" and "claimName" in value:
            yield "PersistentVolumeClaim", value["claimName"], ()


def _existing(values: Mapping[str, Any]) -> set[tuple[str, str]]:
    """What the values say was there before."""
    secrets = [*values["secretFiles"], *values["imagePullSecrets"], *values["global"]["imagePullSecrets"]]
    found = {("Secret", each["name"] if isinstance(each, Mapping) else each) for each in secrets}
    found.add(("Secret", values["aws"]["existingSecret"]["name"]))
    found.add(("ConfigMap", values["existingConfigMap"]["name"]))
    if not values["serviceAccount"]["create"]:
        found.add(("ServiceAccount", values["serviceAccount"]["name"] or "default"))
    extra = {key: values[key] for key in values if key.startswith("extra") and key != "extraObjects"}
    found |= {(kind, name) for kind, name, _ in _references(extra)}
    return found - {("Secret", ""), ("ConfigMap", "")}


def selectors(scene: Scene) -> Iterator[str]:
    """A workload's selector takes its own pods, no other's, and holds nothing that an upgrade changes."""
    for pod in scene.workers():
        selector = pod.owner["spec"]["selector"]
        held = selector.get("matchLabels") or {}
        if not selects(selector, pod.labels):
            yield f"{pod.about}: the selector does not take its pods"
        if not {"app.kubernetes.io/name", "app.kubernetes.io/instance"} <= set(held) or set(held) - _STABLE:
            yield f"{pod.about}: the selector holds {sorted(held)}"
        for other in scene.pods():
            if other.owner is not pod.owner and selects(selector, other.labels):
                yield f"{pod.about}: the selector takes pods of {other.about} too"
        for key in ("helm.sh/chart", "app.kubernetes.io/version"):
            if key in selector.get("matchLabels", {}):
                yield f"{pod.about}: the selector holds {key}"
        wanted = {**scene.values["commonLabels"], **scene.values["podLabels"]}
        yield from (f"{pod.about}: pods have no label {key}" for key in wanted if pod.labels.get(key) != wanted[key])


def services(scene: Scene) -> Iterator[str]:
    """A Service takes the exporter's pods and no hook's, and its port leads to a port of theirs."""
    made = scene.of("Service")
    for each in made:
        taken = [pod for pod in scene.pods() if selects({"matchLabels": each["spec"]["selector"]}, pod.labels)]
        yield from _only_workers(about(each), taken, scene)
        for port in each["spec"].get("ports") or []:
            yield from (
                f"{about(each)}: targetPort {port.get('targetPort')} is no port of {pod.about}"
                for pod in taken
                if port_number(pod, port.get("targetPort")) is None
            )
            if port.get("name") != "metrics":
                yield f"{about(each)}: the port's name is {port.get('name')}"
            if each["spec"].get("clusterIP") != "None" and port.get("port") != scene.values["service"]["port"]:
                yield f"{about(each)}: port {port.get('port')} is not the value's"
    headed = [each for each in made if each["spec"].get("clusterIP") != "None"]
    if len(headed) != bool(scene.values["service"]["enabled"]):
        yield f"service.enabled is {scene.values['service']['enabled']}, and {len(headed)} are made"
    yield from (
        f"{about(each)}: type is {each['spec'].get('type')}"
        for each in headed
        if each["spec"].get("type") != scene.values["service"]["type"]
    )
    for pod in scene.workers():
        name = pod.owner["spec"].get("serviceName")
        if pod.owner["kind"] == "StatefulSet":
            held = scene.find("Service", str(name), pod.namespace)
            if held is None or held["spec"].get("clusterIP") != "None":
                yield f"{pod.about}: serviceName {name} is no headless Service"


def scraped(scene: Scene) -> Iterator[str]:
    """A monitor leads to exactly one Service, or the pods, and to a port of it; there is one of it or none."""
    by = "none" if scene.pushes else scene.values["scrape"]["by"]
    kinds = {"serviceMonitor": "ServiceMonitor", "podMonitor": "PodMonitor"}
    made = scene.of(*kinds.values())
    if [each["kind"] for each in made] != [kind for word, kind in kinds.items() if word == by]:
        yield f"scrape.by is {by}, and there are {[about(each) for each in made]}"
    for each in scene.of("ServiceMonitor"):
        spec = each["spec"]
        found = [one for one in scene.of("Service") if selects(spec["selector"], labels(one))]
        if len(found) != 1:
            yield f"{about(each)}: takes {[about(one) for one in found]}"
        for service in found:
            ports = [port.get("name") for port in service["spec"]["ports"]]
            yield from (
                f"{about(each)}: port {end['port']} is none of {ports}"
                for end in spec["endpoints"]
                if end["port"] not in ports
            )
            yield from _reached(each, service["metadata"].get("namespace"))
            if "jobLabel" in spec and spec["jobLabel"] not in labels(service):
                yield f"{about(each)}: jobLabel {spec['jobLabel']} is no label of {about(service)}"
    for each in scene.of("PodMonitor"):
        taken = [pod for pod in scene.pods() if selects(each["spec"]["selector"], pod.labels)]
        yield from _only_workers(about(each), taken, scene)
        for pod in taken:
            names = [port["name"] for port in pod.main().get("ports") or []]
            yield from (
                f"{about(each)}: port {end['port']} is none of {names}"
                for end in each["spec"]["podMetricsEndpoints"]
                if end["port"] not in names
            )
            yield from _reached(each, pod.namespace)
            if "jobLabel" in each["spec"] and each["spec"]["jobLabel"] not in pod.labels:
                yield f"{about(each)}: jobLabel {each['spec']['jobLabel']} is no label of {pod.about}"
    for pod in scene.pods():
        held = pod.metadata.get("annotations") or {}
        told = {key: held[key] for key in held if key.startswith("prometheus.io/")}
        wanted = {"scrape": "true", "port": str(scene.values["port"]), "path": "/metrics"}
        if told != ({f"prometheus.io/{k}": v for k, v in wanted.items()} if by == "annotations" and pod.works else {}):
            yield f"{pod.about}: scrape.by is {by}, annotated {told}"


def _reached(monitor: Mapping[str, Any], namespace: str | None) -> Iterator[str]:
    there = (monitor["spec"].get("namespaceSelector") or {}).get("matchNames")
    if namespace not in (there or [monitor["metadata"].get("namespace")]):
        yield f"{about(dict(monitor))}: looks in {there or 'its own namespace'}, the targets are in {namespace}"


def _only_workers(what: str, taken: list[Pod], scene: Scene) -> Iterator[str]:
    yield from (f"{what}: does not take {pod.about}" for pod in scene.workers() if pod not in taken)
    yield from (f"{what}: takes {pod.about} too" for pod in taken if not pod.works)


def drained(scene: Scene) -> Iterator[str]:
    """A node can be drained: a budget leaves a pod to go, and there is none where one replica is all."""
    made = scene.of("PodDisruptionBudget")
    total = sum(int(pod.owner["spec"].get("replicas", 1)) for pod in scene.workers())
    wanted = scene.values["podDisruptionBudget"]["enabled"] and total > 1
    if len(made) != wanted:
        yield f"{len(made)} disruption budgets for {total} pods"
    for each in made:
        taken = [pod for pod in scene.pods() if selects(each["spec"]["selector"], pod.labels)]
        yield from _only_workers(about(each), taken, scene)
        most, least = each["spec"].get("maxUnavailable"), each["spec"].get("minAvailable")
        if (most is None) is (least is None):
            yield f"{about(each)}: one of maxUnavailable and minAvailable"
        if most in {0, "0%"} or (isinstance(least, int) and least >= total) or least == "100%":
            yield f"{about(each)}: no pod of {total} may go: no node can be drained"
        if isinstance(most, int) and most >= total:
            yield f"{about(each)}: all {total} pods may go at once"
        if most != scene.values["podDisruptionBudget"]["maxUnavailable"]:
            yield f"{about(each)}: maxUnavailable {most} is not the value's"
