"""Helm itself, offline: what the chart renders for some values, and what it says where it refuses them."""

from __future__ import annotations

import copy
import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.tools import ROOT

CHART = ROOT / "helm" / "storage-exporter"
HELM = Path(sys.executable).parent / "helm"  # of the package helm-binary
RELEASE, NAMESPACE, KUBERNETES = "storage-exporter", "monitoring", "1.33.0"

Object = dict[str, Any]
Values = Mapping[str, Any]

LEAN: Values = {"dashboards": {"enabled": False}, "rules": {"mimir": {"delivery": "none"}}}
"""Without rules and dashboards, which take three quarters of a render: for what is beside them."""


class HelmError(Exception):
    """What helm printed on stderr when it refused."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as Kubernetes reads it, and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        assert not twice, f"{node.start_mark}: given twice: {sorted(twice)}"
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))


def helm(*arguments: str | Path, text: str = "", environ: Mapping[str, str] | None = None) -> str:
    """
    Run helm with a home of its own and no cluster.

    Returns:
        Its standard output.

    Raises:
        HelmError: it ended with another code than 0.
    """
    with tempfile.TemporaryDirectory() as home:
        places = {f"HELM_{kind}_HOME": f"{home}/{kind.lower()}" for kind in ("CACHE", "CONFIG", "DATA")}
        done = subprocess.run(
            [HELM, *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "HOME": home,
                "KUBECONFIG": "/nonexistent",
                "GOGC": "400",  # a fifth less CPU for what lives half a second
                **places,
                **(environ or {}),
            },
        )
    if done.returncode:
        raise HelmError(done.stderr.strip())
    return done.stdout


def render(
    values: Values | None = None,
    *,
    files: Sequence[Path] = (),
    release: str = RELEASE,
    namespace: str = NAMESPACE,
    kubernetes: str = KUBERNETES,
    chart: Path = CHART,
) -> list[Object]:
    """
    The objects that `helm template` gives, hooks among them; each call has objects of its own.

    Args:
        files: of values (``-f``), before *values*.
    """
    text = _rendered(json.dumps(values or {}, ensure_ascii=False), tuple(files), release, namespace, kubernetes, chart)
    return copy.deepcopy(_objects(text))


def bare(values: Values | None = None, **options: Any) -> list[Object]:
    """`render`, with neither rules nor dashboards where *values* do not ask for them."""
    return render(merged(LEAN, values or {}), **options)


def merged(under: Values, over: Values) -> dict[str, Any]:
    """*over* laid over *under*, as helm does: maps by key, all else whole, and null takes away what is there."""
    made = dict(under)
    for key, value in over.items():
        old = made.get(key)
        if value is None and key in made:
            del made[key]
        elif isinstance(old, Mapping) and isinstance(value, Mapping):
            made[key] = merged(old, value)
        else:
            made[key] = value
    return made


def parsed(text: str) -> list[Object]:
    """The objects of a stream of YAML; AssertionError for a key that is given twice."""
    return [each for each in yaml.load_all(text, _Loader) if each]


def one(objects: Sequence[Object], kind: str, name: str = "") -> Object:
    """The only object of *kind*, or that of this *name* among them."""
    found = [each for each in objects if each["kind"] == kind and name in ("", each["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} of {kind} {name}: {[each['metadata']['name'] for each in found]}"
    return found[0]


def all_of(objects: Sequence[Object], kind: str) -> list[Object]:
    """The objects of *kind*."""
    return [each for each in objects if each["kind"] == kind]


@functools.lru_cache(maxsize=256)
def _rendered(values: str, files: tuple[Path, ...], release: str, namespace: str, kubernetes: str, chart: Path) -> str:
    more = [part for file in files for part in ("--values", str(file))]
    options = ["--namespace", namespace, "--kube-version", kubernetes, "--values", "-"]
    return helm("template", release, chart, *more, *options, text=values)


@functools.lru_cache(maxsize=64)
def _objects(text: str) -> list[Object]:
    return parsed(text)
