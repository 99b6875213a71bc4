"""
Golden renders: what each case gave when somebody last looked, so that a change of templates shows what it changes.

The cases ``default`` and ``lean`` stand whole, every other one as what it changes of one of these. Left out are the
bodies of rules and dashboards (their names stay; their own tests hold them to their source), hashes, the chart's
version, and the recommended labels of objects where they are as recommended.

``python -m tests.chart.golden`` writes them anew, and ``git diff`` is then to be read. ``released.yaml`` holds what an
upgrade cannot change in a workload; only ``--replaces-workloads`` writes that, for it breaks every upgrade.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.chart.matrix import Case, case, cases
from tests.chart.rendering import CHART, Object

HERE = Path(__file__).parent
RELEASED = HERE / "released.yaml"
BASES = ("default", "lean")
# Other names make every line another; that nothing but names changes has a test of its own.
WITHOUT = ("other-release", "long-release")

_IMMUTABLE = ("selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy")
_VERSION = str(yaml.safe_load((CHART / "Chart.yaml").read_text())["version"])
_LABELS = {
    "helm.sh/chart": "storage-exporter-VERSION",
    "app.kubernetes.io/version": "VERSION",
    "app.kubernetes.io/managed-by": "Helm",
    "app.kubernetes.io/part-of": "storage-exporter",
    "app.kubernetes.io/name": "storage-exporter",
    "app.kubernetes.io/instance": "storage-exporter",
}
_MISSING = "(not there)"


def recorded() -> list[Case]:
    """The cases that have a file."""
    return [each for each in cases() if each.name not in WITHOUT]


def path_of(given: Case) -> Path:
    """Its file."""
    return HERE / f"{given.name}.yaml"


def record(given: Case, objects: list[Object]) -> dict[str, Any]:
    """What the file of a case holds, for what it renders."""
    own = _shown(objects)
    if given.name in BASES:
        return own
    return _changes(_shown(case(given.base).objects()), own)


def released(objects: list[Object]) -> dict[str, Any]:
    """What an upgrade cannot change, of each workload."""
    return {
        f"{each['kind']}/{each['metadata']['name']}": {
            key: each["spec"][key] for key in _IMMUTABLE if key in each["spec"]
        }
        for each in objects
        if each["kind"] in {"Deployment", "StatefulSet"}
    }


def read(text: str) -> Any:
    """YAML, by the parser that is written in C where there is one: the files are many."""
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def written(content: Mapping[str, Any]) -> str:
    """As the text of a file."""
    text: str = yaml.safe_dump(content, sort_keys=True, width=120, allow_unicode=True, default_flow_style=None)
    return text


def _shown(objects: list[Object]) -> dict[str, Any]:
    """Objects by kind and name, without what changes for reasons of its own."""
    shown: dict[str, Any] = {}
    for each in objects:
        text = json.dumps(each).replace(f"storage-exporter-{_VERSION}", "storage-exporter-VERSION")
        made = json.loads(text.replace(f'"{_VERSION}"', '"VERSION"').replace(f":{_VERSION}", ":VERSION"))
        if made["kind"] == "ConfigMap":
            made["data"] = {key: _body(key, value) for key, value in (made.get("data") or {}).items()}
        if made["kind"] == "PrometheusRule":
            made["spec"]["groups"] = [group["name"] for group in made["spec"]["groups"]]
        held = made["metadata"].get("labels") or {}
        made["metadata"]["labels"] = {key: held[key] for key in held if held[key] != _LABELS.get(key)}
        for held in (made["metadata"], made.get("spec", {}).get("template", {}).get("metadata", {})):
            if "checksum/config" in held.get("annotations", {}):
                held["annotations"]["checksum/config"] = "(a hash)"
        shown[f"{made['kind']}/{made['metadata']['name']}"] = made
    return shown


def _body(key: str, text: str) -> Any:
    if not key.endswith((".yaml", ".yml")):
        return "(a text of its own)"
    try:
        content = read(text)
    except yaml.YAMLError:
        return "(cannot be read)"
    if isinstance(content, dict) and "groups" in content:
        return [group["name"] for group in content["groups"]]
    return content if key == "config.yaml" else "(a text of its own)"


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "less": sorted(set(before) - set(after)),
        "more": {key: after[key] for key in after if key not in before},
        "other": {},
    }
    for key in sorted(set(before) & set(after)):
        old, new = dict(_leaves(before[key])), dict(_leaves(after[key]))
        places = sorted(place for place in {*old, *new} if old.get(place, _MISSING) != new.get(place, _MISSING))
        if places:
            made["other"][key] = {place: new.get(place, _MISSING) for place in places}
    return {key: value for key, value in made.items() if value}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its place; items that have names are named, so that one more does not move the others."""
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _leaves(each, f"{path}.{key}".removeprefix("."))
    elif isinstance(value, list) and value:
        names = [each.get("name", each.get("mountPath")) if isinstance(each, dict) else None for each in value]
        named = None not in names and len(set(names)) == len(names)
        for place, each in enumerate(value):
            yield from _leaves(each, f"{path}[{names[place] if named else place}]")
    else:
        yield path, value
