"""
What a kubelet makes of a rendered pod: its command, environment, mounts and identity. Nothing is started here.

It knows what the chart uses, and refuses the rest: a field that is passed over would be a test that sees nothing.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from tests.chart.rendering import Object, all_of, one
from tests.image.dockerfile import Stage

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z0-9]+)\)")


@dataclass(frozen=True, slots=True)
class Mount:
    """
    One place in the container.

    Files are what a read-only volume holds, by path; None is an empty folder of at most *size* bytes.
    """

    path: str
    read_only: bool
    files: Mapping[str, str] | None = None
    size: int = 0


@dataclass(frozen=True, slots=True)
class Container:
    """What is to be started, and how."""

    command: list[str]
    environment: dict[str, str]
    mounts: list[Mount]
    user: int
    group: int
    volumes_group: int
    read_only_root: bool
    no_new_privileges: bool
    no_capabilities: bool
    memory: int
    grace: float
    probes: dict[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Node:
    """
    What is known where the pod runs.

    Args:
        token: of the service account, and
        authority: who signs the API server's certificate (PEM).
        api: host and port of the API server.
        injected: variables that EKS adds.
        injected_files: a folder that EKS mounts, and its files.
        objects: that are in the cluster beside those that are rendered: Secrets.
    """

    token: str
    authority: str
    api: tuple[str, str]
    injected: Mapping[str, str] = field(default_factory=dict)
    injected_files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    objects: Sequence[Object] = ()
    name: str = "ip-10-0-1-7.eu-central-1.compute.internal"


_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


class Kubelet:
    """
    Reads one pod.

    Args:
        template: a workload's pod template.
        objects: all that is rendered.
        image: the stage of the Dockerfile that is the image.
        node: where it runs.
        pod: its name.
    """

    def __init__(self, template: Object, objects: Sequence[Object], image: Stage, node: Node, pod: str) -> None:
        self._template, self._spec = template, template["spec"]
        self._objects = [*objects, *node.objects]
        self._image, self._node = image, node
        (self._container,) = [each for each in self._spec["containers"] if each["name"] == "storage-exporter"]
        account = self._spec["serviceAccountName"]
        self._fields = {
            "metadata.name": pod,
            "metadata.namespace": one(objects, "Service")["metadata"]["namespace"],
            "metadata.uid": "7f0c6a5e-53c4-4b1b-8d7e-0d5c3a2b1f00",
            "spec.nodeName": node.name,
            "spec.serviceAccountName": account,
            "status.podIP": "127.0.0.1",
        }

    def container(self) -> Container:
        """What is to be started."""
        pod, own = self._spec.get("securityContext", {}), self._container.get("securityContext", {})
        context = {**pod, **own}
        assert context["runAsNonRoot"], "the pod may run as root"
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, context
        given = {f"{kind}Probe": self._container[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")}
        environment = self._environment()
        return Container(
            command=[_expanded(word, environment) for word in self._command()],
            environment=environment,
            mounts=[*self._mounts()],
            user=context["runAsUser"],
            group=context["runAsGroup"],
            volumes_group=context["fsGroup"],
            read_only_root=context["readOnlyRootFilesystem"],
            no_new_privileges=not context["allowPrivilegeEscalation"],
            no_capabilities=context["capabilities"] == {"drop": ["ALL"]},
            memory=amount(self._container["resources"]["limits"]["memory"]),
            grace=float(self._spec["terminationGracePeriodSeconds"]),
            probes={name: self._probe(probe) for name, probe in given.items()},
        )

    def _command(self) -> list[str]:
        entry = self._container.get("command") or self._image.last("ENTRYPOINT")
        words: list[str] = self._container.get("args") or self._image.last("CMD")
        return [*entry, *words]

    def _probe(self, probe: Mapping[str, Any]) -> tuple[str, int]:
        asked = probe["httpGet"]
        ports = {each["name"]: each["containerPort"] for each in self._container["ports"]}
        return asked["path"], ports.get(asked["port"], asked["port"])

    # --- the environment -------------------------------------------------------------------------------------------

    def _environment(self) -> dict[str, str]:
        """That of the image, of the cluster, of the pod and of EKS, which leaves what the pod names."""
        host, port = self._node.api
        cluster = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port, "HOSTNAME": ""}
        cluster["HOSTNAME"] = self._fields["metadata.name"]
        found = {**self._image.pairs("ENV"), **cluster}
        for source in self._container.get("envFrom", []):
            ((kind, reference),) = source.items()
            found |= self._data({"configMapRef": "ConfigMap", "secretRef": "Secret"}[kind], reference["name"])
        own = self._container.get("env", [])
        for variable in own:
            value = self._value(variable["valueFrom"]) if "valueFrom" in variable else variable.get("value", "")
            found[variable["name"]] = _expanded(value, found)
        named = {variable["name"] for variable in own}
        return {**found, **{name: value for name, value in self._node.injected.items() if name not in named}}

    def _value(self, source: Mapping[str, Any]) -> str:
        ((kind, reference),) = source.items()
        if kind == "fieldRef":
            return str(self._fields[reference["fieldPath"]])
        data = self._data({"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}[kind], reference["name"])
        return data[reference["key"]]

    # --- the volumes -----------------------------------------------------------------------------------------------

    def _mounts(self) -> Iterator[Mount]:
        volumes = {each["name"]: each for each in self._spec["volumes"]}
        for mount in self._container["volumeMounts"]:
            assert not set(mount) - {"name", "mountPath", "readOnly"}, mount
            volume = {key: value for key, value in volumes[mount["name"]].items() if key != "name"}
            ((kind, source),) = volume.items()
            if kind == "emptyDir":
                size = amount(source["sizeLimit"])
                yield Mount(mount["mountPath"], mount.get("readOnly", False), size=size)
            else:
                yield Mount(mount["mountPath"], read_only=True, files=dict(self._files(kind, source)))
        if self._spec.get("automountServiceAccountToken", True):
            account = {"token": self._node.token, "ca.crt": self._node.authority}
            yield Mount(_ACCOUNT, True, {**account, "namespace": self._fields["metadata.namespace"]})
        for path, files in self._node.injected_files.items():
            yield Mount(path, read_only=True, files=files)

    def _files(self, kind: str, source: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        name = source["secretName"] if kind == "secret" else source["name"]
        data = self._data({"secret": "Secret", "configMap": "ConfigMap"}[kind], name)
        items = source.get("items") or [{"key": key, "path": key} for key in data]
        for item in items:
            assert not PurePosixPath(item["path"]).is_absolute(), item
            yield item["path"], data[item["key"]]

    def _data(self, kind: str, name: str) -> dict[str, str]:
        """What a ConfigMap or a Secret holds."""
        found = one(all_of(self._objects, kind), kind, name)
        data: dict[str, str] = found.get("data", {})
        if kind == "Secret":
            data = {key: base64.b64decode(value).decode() for key, value in data.items()}
        return {**data, **found.get("stringData", {})}


def amount(quantity: str) -> int:
    """Bytes of a quantity such as ``512Mi``."""
    match = re.fullmatch(r"(\d+)([A-Za-z]*)", quantity)
    assert match, quantity
    return int(match[1]) * _UNITS[match[2]]


def _expanded(text: str, environment: Mapping[str, str]) -> str:
    """``$(NAME)`` put in, where there is one of that name; ``$$`` is a dollar."""
    return _REFERENCE.sub(lambda found: "$" if found[0] == "$$" else environment.get(found[1], found[0]), text)
