"""A container of a rendered pod as a process of this machine: arguments, environment and mounts, without an image."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.chart.rendering import Object
from tests.tools import ROOT

Find = Callable[[str, str], Object]
"""From kind and name to the object in the pod's namespace; raises where there is none."""


def run(pod: Object, find: Find, folder: Path, name: str = "pod") -> subprocess.CompletedProcess[str]:
    """
    Run a pod's only container to its end.

    Its mounts are folders in *folder*, and paths of mounts in its arguments, variables and ConfigMaps are of those; but
    for that it gets what the kubelet would give it, and nothing of this process's environment but what Python needs.

    Args:
        pod: metadata and spec, or the template of a Job.

        name: of the pod.
    """
    spec = pod["spec"]
    (container,) = spec["containers"]
    places = {mount["mountPath"]: folder / mount["mountPath"].lstrip("/") for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in spec["volumes"]}

    def here(text: str) -> str:
        for path in sorted(places, key=len, reverse=True):
            if path != "/tmp":  # the folder itself may be below it
                text = text.replace(path, str(places[path]))
        return text

    for mount in container["volumeMounts"]:
        place = places[mount["mountPath"]]
        place.mkdir(parents=True, exist_ok=True)
        for file, content in _content(volumes[mount["name"]], find).items():
            (place / file).write_bytes(here(content.decode()).encode())
    facts = {"metadata.name": name, "metadata.namespace": "a-namespace", "metadata.uid": "a-uid"}
    given = {each["name"]: here(_value(each, facts, find)) for each in container.get("env", [])}
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "exporter", *map(here, container["args"])],
        env={**base, **given},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _content(volume: Object, find: Find) -> dict[str, bytes]:
    """File to bytes of a volume."""
    if "configMap" in volume:
        data = find("ConfigMap", volume["configMap"]["name"])["data"]
        items = volume["configMap"].get("items") or [{"key": key, "path": key} for key in data]
        return {item["path"]: data[item["key"]].encode() for item in items}
    if "secret" in volume:
        return _secret(find("Secret", volume["secret"]["secretName"]))
    assert "emptyDir" in volume, volume
    return {}


def _secret(item: Object) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in item["data"].items()}


def _value(variable: Object, facts: Mapping[str, str], find: Find) -> str:
    if "value" in variable:
        return str(variable["value"])
    source = variable["valueFrom"]
    if "fieldRef" in source:
        return facts[source["fieldRef"]["fieldPath"]]
    wanted = source["secretKeyRef"]
    return _secret(find("Secret", wanted["name"]))[wanted["key"]].decode()
