"""Pods: restricted Pod Security (written anew, not read from the templates), resources, probes, mounts, images."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.chart.invariants.scene import MAIN, SECRETS, Scene, hooks, noted, port_number, quantity, selects

_VOLUMES = {
    "configMap",
    "downwardAPI",
    "emptyDir",
    "projected",
    "secret",
    "persistentVolumeClaim",
    "csi",
    "ephemeral",
    "claim",
}
_CAPABILITIES = {"NET_BIND_SERVICE"}
_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
}
_SECRETIVE = re.compile(r"(SECRET|TOKEN|PASSWORD|PASSWD|ACCESS_KEY|CREDENTIAL)", re.IGNORECASE)
_PATHS = {"startupProbe": "/-/healthy", "livenessProbe": "/-/healthy", "readinessProbe": "/-/ready"}
_START = 60  # seconds that the exporter may take to start on a node that is busy


def restricted(scene: Scene) -> Iterator[str]:
    """Pod Security Standards, level restricted, for every pod, of hooks and tests too."""
    for pod in scene.pods():
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.spec.get(key):
                yield f"{pod.about}: {key}"
        for name, volume in pod.volumes().items():
            if not set(volume) - {"name"} <= _VOLUMES:
                yield f"{pod.about}: volume {name} is of {sorted(set(volume) - {'name'} - _VOLUMES)}"
        context = pod.spec.get("securityContext") or {}
        for each in context.get("sysctls") or []:
            if each["name"] not in _SYSCTLS:
                yield f"{pod.about}: sysctl {each['name']}"
        for container in pod.containers():
            where = f"{pod.about} {container['name']}"
            yield from (f"{where}: {wrong}" for wrong in _restricted(container, context))


def _restricted(container: Mapping[str, Any], above: Mapping[str, Any]) -> Iterator[str]:
    own = container.get("securityContext") or {}
    both = {**above, **own}
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if own.get("privileged"):
        yield "privileged"
    if "ALL" not in ((own.get("capabilities") or {}).get("drop") or []):
        yield "capabilities.drop has no ALL"
    if not set((own.get("capabilities") or {}).get("add") or []) <= _CAPABILITIES:
        yield "capabilities are added"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    if both.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if both.get("runAsUser") == 0:
        yield "runAsUser is 0"
    if (both.get("seccompProfile") or {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "no seccompProfile"
    if not set(both.get("seLinuxOptions") or {}) <= {"type", "level"}:
        yield "seLinuxOptions"
    if any("hostPort" in port for port in container.get("ports") or []):
        yield "hostPort"


def hardened(scene: Scene) -> Iterator[str]:
    """Our image's root cannot be written, its users are numbers, and a pod says whether it has a token."""
    for pod in scene.pods():
        context = pod.spec.get("securityContext") or {}
        if "automountServiceAccountToken" not in pod.spec:
            yield f"{pod.about}: does not say automountServiceAccountToken"
        if not all(isinstance(context.get(key), int) for key in ("runAsUser", "runAsGroup", "fsGroup")):
            yield f"{pod.about}: runAsUser, runAsGroup and fsGroup are not all numbers"
        if not pod.main():
            yield f"{pod.about}: has no container {MAIN}"
        elif (pod.main().get("securityContext") or {}).get("readOnlyRootFilesystem") is not True:
            yield f"{pod.about}: readOnlyRootFilesystem is not true"
        if pod.spec.get("enableServiceLinks") is not False:
            yield f"{pod.about}: enableServiceLinks is not false, so Services of the namespace are in its environment"
        if pod.works and pod.spec.get("automountServiceAccountToken") != (scene.joined or scene.elected):
            yield f"{pod.about}: automountServiceAccountToken is not {scene.joined or scene.elected}"


def resources(scene: Scene) -> Iterator[str]:
    """Memory is asked for and bounded, CPU asked for and not bounded."""
    for pod in scene.pods():
        for container in pod.containers():
            where = f"{pod.about} {container['name']}"
            asked = (container.get("resources") or {}).get("requests") or {}
            bound = (container.get("resources") or {}).get("limits") or {}
            sizes = [quantity(each.get("memory")) for each in (asked, bound)]
            if None in sizes:
                yield f"{where}: no request or no limit of memory"
            elif (sizes[0] or 0) > (sizes[1] or 0):
                yield f"{where}: asks for more memory than its limit"
            if "cpu" in bound:
                yield f"{where}: a limit of CPU stalls the event loop"
            if container["name"] == MAIN and quantity(asked.get("cpu")) is None:
                yield f"{where}: no request of CPU"


def probes(scene: Scene) -> Iterator[str]:
    """Three probes on a port that is there; AWS is in none that restarts."""
    for pod in scene.workers():
        container = pod.main()
        names = [port["name"] for port in container.get("ports") or []]
        for kind, path in _PATHS.items():
            probe = container.get(kind) or {}
            # A web configuration file may ask for TLS or a password, which a probe has not.
            behind = bool(((scene.config or {}).get("web") or {}).get("config_file"))
            get = probe.get("tcpSocket" if behind else "httpGet") or {}
            where = f"{pod.about}: {kind}"
            if get.get("path") != (None if behind else path):
                yield f"{where}: path {get.get('path')} in place of {path}"
            if get.get("port") not in names:
                yield f"{where}: port {get.get('port')} is none of {names}"
            numbers = {key: probe.get(key) for key in ("periodSeconds", "failureThreshold", "timeoutSeconds")}
            given = {key: scene.values[kind][key] for key in numbers}
            if numbers != given:
                yield f"{where}: {numbers} in place of {given}"
        start = container.get("startupProbe") or {}
        if start.get("periodSeconds", 0) * start.get("failureThreshold", 0) < _START:
            yield f"{pod.about}: startupProbe: gives it less than {_START} s"
        if not pod.spec.get("terminationGracePeriodSeconds", 0) >= 30:
            yield f"{pod.about}: terminationGracePeriodSeconds is less than 30 s"


def mounts(scene: Scene) -> Iterator[str]:
    """Each mount has a volume, each volume a mount; no place twice; nothing by subPath, which is never updated."""
    for pod in scene.pods():
        volumes = pod.volumes()
        used: set[str] = set()
        listed = [each["name"] for each in pod.spec.get("volumes") or []]
        yield from (f"{pod.about}: volume {name} twice" for name, count in Counter(listed).items() if count > 1)
        for container in pod.containers():
            where = f"{pod.about} {container['name']}"
            places = [mount["mountPath"] for mount in container.get("volumeMounts") or []]
            yield from (f"{where}: {place} twice" for place, count in Counter(places).items() if count > 1)
            for mount in container.get("volumeMounts") or []:
                used.add(mount["name"])
                if mount["name"] not in volumes:
                    yield f"{where}: mount {mount['name']} has no volume"
                elif set(volumes[mount["name"]]) & {"configMap", "secret"} and mount.get("readOnly") is not True:
                    yield f"{where}: mount {mount['name']} is not readOnly"
                if "subPath" in mount or "subPathExpr" in mount:
                    yield f"{where}: mount {mount['name']} by subPath"
        yield from (f"{pod.about}: volume {name} is mounted nowhere" for name in sorted(set(volumes) - used))
        for name, volume in volumes.items():
            if "emptyDir" in volume and quantity((volume["emptyDir"] or {}).get("sizeLimit")) is None:
                yield f"{pod.about}: emptyDir {name} has no sizeLimit"


def places(scene: Scene) -> Iterator[str]:
    """The configuration is mounted where it is read, secretFiles too; /tmp and the data can be written."""
    for pod in scene.pods():
        if not pod.main():
            continue
        at = {mount["mountPath"]: mount for mount in pod.main().get("volumeMounts") or []}
        volumes = pod.volumes()
        arguments = pod.main().get("args") or []
        file = next((arguments[i + 1] for i, word in enumerate(arguments[:-1]) if word == "--config"), "")
        folder, _, name = file.rpartition("/")
        source = (volumes.get(at[folder]["name"]) or {}).get("configMap") if folder in at else None
        if source is None:
            yield f"{pod.about}: --config {file} is in no mounted ConfigMap"
        else:
            made = scene.find("ConfigMap", source["name"], pod.namespace)
            given = [item["path"] for item in source.get("items") or []] or list(((made or {}).get("data")) or {})
            if name not in given:
                yield f"{pod.about}: --config {file}: ConfigMap {source['name']} gives {given}"
        for place in ("/tmp", *(["/var/lib/storage-exporter"] if pod.works else [])):
            mount = at.get(place) or {}
            if not set(volumes.get(mount.get("name", "")) or {}) & {"emptyDir", "claim"} or mount.get("readOnly"):
                yield f"{pod.about}: {place} cannot be written"
        for secret in scene.values["secretFiles"]:
            name = secret["name"] if isinstance(secret, Mapping) else secret
            mount = at.get(f"{SECRETS}/{name}") or {}
            if ((volumes.get(mount.get("name", "")) or {}).get("secret") or {}).get("secretName") != name:
                yield f"{pod.about}: Secret {name} is not at {SECRETS}/{name}"


def images(scene: Scene) -> Iterator[str]:
    """An image has a registry, and a tag or digest that stays."""
    for pod in scene.pods():
        for container in pod.containers():
            image = str(container.get("image"))
            where = f"{pod.about} {container['name']}: image {image}"
            found = re.fullmatch(r"([\w.-]+(?::\d+)?)/([a-z0-9/._-]+)(?::([\w.-]+)|@(sha256:[0-9a-f]{64}))", image)
            if not found or "." not in found[1]:
                yield f"{where}: not registry/name:tag or @sha256:..."
            elif found[3] == "latest":
                yield f"{where}: latest is another one tomorrow"
            if container["name"] == MAIN and container.get("imagePullPolicy") != scene.values["image"]["pullPolicy"]:
                yield f"{where}: imagePullPolicy is not the value's"
    used = {str(pod.main().get("image")) for pod in scene.pods()}
    if len(used) > 1:
        yield f"different images of the exporter: {sorted(used)}"


def environment(scene: Scene) -> Iterator[str]:
    """No secret as a plain value, and no variable twice but to override by extraEnv."""
    extra = {each["name"] for each in scene.values["extraEnv"]}
    for pod in scene.pods():
        for container in pod.containers():
            env = container.get("env") or []
            for name, count in Counter(each["name"] for each in env).items():
                if count > 1 and name not in extra:
                    yield f"{pod.about} {container['name']}: {name} twice"
            for each in env:
                if "value" in each and _SECRETIVE.search(each["name"]) and not each["name"].endswith("_FILE"):
                    yield f"{pod.about} {container['name']}: {each['name']} has a plain value"
                if "value" not in each and not each.get("valueFrom"):
                    yield f"{pod.about} {container['name']}: {each['name']} has no value"


def rolled(scene: Scene) -> Iterator[str]:
    """A change of our ConfigMap rolls the pods; so does none of another's, which the exporter reloads."""
    for pod in scene.workers():
        held = noted({"metadata": pod.metadata}).get("checksum/config")
        if scene.config is None:
            if held is not None:
                yield f"{pod.about}: checksum/config without a ConfigMap of ours"
        elif not re.fullmatch("[0-9a-f]{64}", str(held)):
            yield f"{pod.about}: checksum/config is {held}"


def spread(scene: Scene) -> Iterator[str]:
    """A spread counts this release's pods; a rolling update goes one more at a time and none fewer."""
    for pod in scene.workers():
        for each in pod.spec.get("topologySpreadConstraints") or []:
            selector = each.get("labelSelector")
            if not selector or not selects(selector, pod.labels):
                yield f"{pod.about}: topologySpreadConstraints: the labelSelector does not take the pod"
        spec = pod.owner["spec"]
        if pod.owner["kind"] == "Deployment" and not scene.values["updateStrategy"]:
            wanted = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
            if spec.get("strategy") != wanted:
                yield f"{pod.about}: strategy is {spec.get('strategy')}"
        if pod.owner["kind"] == "StatefulSet" and spec.get("podManagementPolicy") != "Parallel":
            yield f"{pod.about}: pods wait for one another: podManagementPolicy is not Parallel"
        if spec.get("revisionHistoryLimit") != scene.values["revisionHistoryLimit"]:
            yield f"{pod.about}: revisionHistoryLimit is not the value's"


def elected(scene: Scene) -> Iterator[str]:
    """Replicas that share an ordinal elect one; a single one asks nobody. Shards know how many they are."""
    config = scene.config
    if config is None:
        return
    said = (config.get("kubernetes") or {}).get("leader_election")
    if said is not (scene.replicas > 1):
        yield f"leader_election is {said} with {scene.replicas} replicas of an ordinal"
    count = {pod.owner["spec"].get("replicas") for pod in scene.workers()}
    wanted = scene.values["shards"]["total"] if scene.values["mode"] == "shards" else scene.values["replicas"]
    if count != {wanted}:
        yield f"replicas are {sorted(map(str, count))} in place of {wanted}"
    if scene.values["mode"] == "shards":
        if (config.get("shards") or {}).get("total") != wanted:
            yield f"config.shards.total is {(config.get('shards') or {}).get('total')} in place of {wanted}"
        if len(scene.workers()) != scene.values["shards"]["sets"]:
            yield f"{len(scene.workers())} StatefulSets in place of {scene.values['shards']['sets']}"
    elif len(scene.workers()) != 1:
        yield f"{len(scene.workers())} workloads in place of 1"
    listen = str((config.get("web") or {}).get("listen"))
    for pod in scene.workers():
        if port_number(pod, "metrics") != scene.values["port"] or not listen.endswith(f":{scene.values['port']}"):
            yield f"{pod.about}: port metrics and web.listen {listen} are not both {scene.values['port']}"


def jobs(scene: Scene) -> Iterator[str]:
    """A Job ends: by a deadline, and not by restarts without end. A pod of a test runs once, and both are hooks."""
    for pod in scene.pods():
        if pod.works:
            continue
        if not hooks(pod.owner):
            yield f"{pod.about}: is no hook of Helm"
        if pod.spec.get("restartPolicy") not in ({"Never"} if pod.owner["kind"] == "Pod" else {"Never", "OnFailure"}):
            yield f"{pod.about}: restartPolicy is {pod.spec.get('restartPolicy')}"
        if pod.owner["kind"] == "Job":
            for key in ("activeDeadlineSeconds", "backoffLimit"):
                if pod.owner["spec"].get(key) != scene.values["rules"]["sync"][key]:
                    yield f"{pod.about}: {key} is not the value's"
