"""
The rules for those who take them otherwise than by the ruler's API: files, PrometheusRule objects, ConfigMaps. Pure.

What is written is the same for the same rules: no instants, no chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from exporter.errors import RulesError
from exporter.ruler.shapes import File, Group, Language, Pack
from exporter.ruler.writing import dumped

Target = Literal["prometheus", "mimir", "loki"]
Form = Literal["files", "prometheusrule", "configmap"]

AT_ONCE = "1s"
"""
How far in the past Mimir evaluates a group that pages. Its default is a minute, of which a page has none to lose.

Mimir takes ``0s`` for nothing said and keeps its default, so it is the least that counts for something.
"""

DIALECT_LABEL = "storage-exporter.io/rules"
"""Label that tells PromQL (``promql``) from LogQL (``logql``), for selectors: neither loads the other."""

FOLDER_ANNOTATION = "k8s-sidecar-target-directory"
"""Annotation by which the sidecar of Grafana's charts puts a file into a folder: for Loki, that of the tenant."""

LARGEST = 2**20
"""Bytes an object may have in Kubernetes."""

_LONGEST_NAME = 200  # of an object 253, and ours are longer by the name of the file
_OBJECT = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?", re.ASCII)
_LABEL = re.compile(r"(?:[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)?", re.ASCII)
_KEY = re.compile(r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Options:
    """
    How objects of Kubernetes are called and marked.

    Args:
        name: what names begin with, also those of files.

        namespace: ``""``: none is written.

        labels, annotations: put on every object.

        folder: for ConfigMaps, the value of `FOLDER_ANNOTATION`, ``""`` for none.
    """

    name: str = "storage-exporter"
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""


def language_of(target: Target) -> Language:
    """Which rules *target* evaluates."""
    return "loki" if target == "loki" else "mimir"


def groups_for(target: Target, groups: tuple[Group, ...]) -> tuple[Group, ...]:
    """*groups* with what only this target understands."""
    if target != "mimir":
        return groups
    return tuple(replace(group, query_offset=AT_ONCE) if group.pages else group for group in groups)


def rendered(pack: Pack, target: Target, form: Form, options: Options | None = None) -> dict[str, str]:
    """
    Name of a file to its text, one for each file of the pack.

    Raises:
        RulesError: there is nothing for this target, or Kubernetes would not take an object.
    """
    options = options or Options()
    if form != "files" and (said := "; ".join(_unfit(options))):
        raise RulesError(f"Kubernetes would refuse the objects: {said}")
    files = [file for file in pack.files if file.language == language_of(target)]
    if not files:
        raise RulesError(f"there are no rules for {target}; look at rules.disable and rules.files")
    made = {}
    for file in files:
        name = _name(file, options)
        groups = {"groups": [group.data() for group in groups_for(target, file.groups)]}
        data = groups if form == "files" else _object(form, target, name, groups, options)
        text = dumped(data)
        if form != "files" and len(text.encode()) > LARGEST:
            raise RulesError(f"{name}: the object has {len(text.encode())} bytes, and Kubernetes takes {LARGEST}")
        made[f"{name}.yaml"] = text
    return made


def stream(pack: Pack, target: Target, form: Form, options: Options | None = None) -> str:
    """All of it as one text: one file of rules, or objects one after the other, as kubectl reads them."""
    texts = rendered(pack, target, form, options)
    if form != "files":
        return "---\n".join(texts.values())
    groups = groups_for(target, pack.groups(language_of(target)))
    return dumped({"groups": [group.data() for group in groups]})


def _unfit(options: Options) -> Iterator[str]:
    """What of *options* no object may have."""
    if not _OBJECT.fullmatch(options.name) or len(options.name) > _LONGEST_NAME:
        yield f"the name {options.name!r} is not of small letters, digits and -, at most {_LONGEST_NAME}"
    if options.namespace and not _OBJECT.fullmatch(options.namespace):
        yield f"the namespace {options.namespace!r} is not of small letters, digits and -"
    for key, value in options.labels.items():
        if not _KEY.fullmatch(key) or not _LABEL.fullmatch(value):
            yield f"{key}={value} is no label (letters, digits, -, _ and ., at most 63)"
    yield from (f"{key} is no name of an annotation" for key in options.annotations if not _KEY.fullmatch(key))


def _name(file: File, options: Options) -> str:
    """Distinct in one folder: mimir and loki both have files called exporter."""
    return f"{options.name}-{'logs-' if file.language == 'loki' else ''}{file.name}"


def _object(form: Form, target: Target, name: str, groups: Mapping[str, Any], options: Options) -> dict[str, Any]:
    logql = target == "loki"
    labels = {
        "app.kubernetes.io/name": "storage-exporter",
        "app.kubernetes.io/part-of": "storage-exporter",
        DIALECT_LABEL: "logql" if logql else "promql",
    }
    annotations = dict(options.annotations)
    if form == "configmap":
        labels |= {"loki": {"loki_rule": ""}, "mimir": {"mimir_rules": "1"}, "prometheus": {}}[target]
        annotations |= {FOLDER_ANNOTATION: options.folder} if options.folder else {}
    metadata: dict[str, Any] = {"name": name}
    if options.namespace:
        metadata["namespace"] = options.namespace
    whole = labels | dict(options.labels) | {DIALECT_LABEL: labels[DIALECT_LABEL]}
    metadata["labels"] = dict(sorted(whole.items()))
    if annotations:
        metadata["annotations"] = dict(sorted(annotations.items()))
    if form == "configmap":
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {f"{name}.yaml": dumped(groups)}}
    return {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": metadata, "spec": groups}
