"""
The rule files as data: those that come with the program, or a folder of the same form.

Reading is strict: what is no rule of Prometheus 2.42 is a fault, and every fault is found at once. What our own rules
keep to besides is in `conventions`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal

import yaml

from exporter.errors import Fault
from exporter.ruler.shapes import LANGUAGES, File, Group, Language, Pack, Rule, Threshold

THRESHOLDS = "thresholds.yaml"

_GROUP = ("name", "interval", "rules")
_RULE = ("expr", "for", "keep_firing_for", "labels", "annotations")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C, where PyYAML has it


class _Strict(_Loader):  # type: ignore[misc]
    """Refuses a key that is given twice, as promtool does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
            seen.add(key.value)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


def built_in() -> Traversable:
    """The folder of the rules that come with the program."""
    return resources.files("exporter.ruler").joinpath("pack")


def read(folder: Traversable) -> tuple[Pack, list[Fault]]:
    """
    Everything in *folder*.

    Returns:
        What could be read, and all that is wrong with it.
    """
    faults: list[Fault] = []
    files = [file for language in LANGUAGES for file in _files(folder, language, faults)]
    if not files:
        faults.append(Fault("", f"{folder}: holds no rule file; name a folder with mimir/ and loki/"))
    data = _parsed(folder.joinpath(THRESHOLDS), THRESHOLDS, faults)
    return Pack(tuple(files), dict(_thresholds(data, faults))), faults


def _files(folder: Traversable, language: Language, faults: list[Fault]) -> Iterator[File]:
    below = folder.joinpath(language)
    if not below.is_dir():
        return
    for entry in sorted(below.iterdir(), key=lambda each: each.name):
        if not entry.name.endswith(".yaml"):
            continue
        path = f"{language}/{entry.name}"
        data = _parsed(entry, path, faults)
        if data is None:
            continue
        if set(data) != {"groups"} or not isinstance(data["groups"], list):
            faults.append(Fault(path, "holds something else than one key, groups, with a list"))
            continue
        groups = [_group(each, path, index, faults) for index, each in enumerate(data["groups"])]
        yield File(language, entry.name.removesuffix(".yaml"), tuple(group for group in groups if group))


def _parsed(file: Traversable, path: str, faults: list[Fault]) -> Mapping[str, Any] | None:
    try:
        data = yaml.load(file.read_text(encoding="utf-8"), _Strict)  # noqa: S506 - a safe loader
    except (OSError, ValueError) as error:
        faults.append(Fault(path, f"cannot be read: {getattr(error, 'strerror', None) or error}"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        faults.append(Fault(path, f"is not YAML: {getattr(error, 'problem', None) or error}{where}"))
    else:
        if isinstance(data, Mapping):
            return data
        faults.append(Fault(path, "holds no keys with values"))
    return None


def _group(data: Any, path: str, index: int, faults: list[Fault]) -> Group | None:
    if not isinstance(data, Mapping) or not isinstance(data.get("name"), str):
        faults.append(Fault(path, f"groups[{index}] has no name"))
        return None
    where = f"{path}: {data['name']}"
    faults.extend(_unknown(where, data, _GROUP))
    interval, rules = data.get("interval"), data.get("rules")
    if not isinstance(interval, str):
        faults.append(Fault(where, "has no interval; write it (1m, or 5m for daily values)"))
        interval = "1m"
    if not isinstance(rules, list) or not rules:
        faults.append(Fault(where, "has no rules"))
        rules = []
    made = [_rule(each, where, number, faults) for number, each in enumerate(rules)]
    return Group(data["name"], interval, tuple(rule for rule in made if rule))


def _rule(data: Any, where: str, index: int, faults: list[Fault]) -> Rule | None:
    kinds: list[Literal["alert", "record"]] = (
        [kind for kind in ("alert", "record") if kind in data] if isinstance(data, Mapping) else []
    )
    if len(kinds) != 1 or not isinstance(data[kinds[0]], str):
        faults.append(Fault(where, f"rules[{index}] is neither an alert nor a record, or both"))
        return None
    kind, name = kinds[0], data[kinds[0]]
    where = f"{where}: {name}"
    faults.extend(_unknown(where, data, (kind, *_RULE) if kind == "alert" else (kind, "expr", "labels")))
    texts = {}
    for key in ("expr", "for", "keep_firing_for"):
        texts[key] = data.get(key, "")
        if not isinstance(texts[key], str):
            faults.append(Fault(where, f"{key} is not text"))
            texts[key] = ""
    maps = {key: _texts(data.get(key), where, key, faults) for key in ("labels", "annotations")}
    return Rule(kind, name, texts["expr"], texts["for"], texts["keep_firing_for"], maps["labels"], maps["annotations"])


def _texts(data: Any, where: str, key: str, faults: list[Fault]) -> dict[str, str]:
    if data is None:
        return {}
    if not isinstance(data, Mapping) or not all(isinstance(each, str) for pair in data.items() for each in pair):
        faults.append(Fault(where, f"{key} are not names with texts"))
        return {}
    return dict(data)


def _unknown(where: str, data: Mapping[str, Any], allowed: tuple[str, ...]) -> Iterator[Fault]:
    if unknown := [str(key) for key in data if key not in allowed]:
        yield Fault(where, f"{', '.join(unknown)}: not a key of these files; allowed: {', '.join(allowed)}")


def _thresholds(data: Mapping[str, Any] | None, faults: list[Fault]) -> Iterator[tuple[str, dict[str, Threshold]]]:
    for alert, entries in (data or {}).items():
        made = {}
        for name, entry in entries.items() if isinstance(entries, Mapping) else ():
            fields = entry if isinstance(entry, Mapping) else {}
            unit, meaning = fields.get("unit"), fields.get("meaning")
            number = _number(fields.get("value"))
            if number is None or not isinstance(unit, str) or not isinstance(meaning, str):
                faults.append(Fault(THRESHOLDS, f"{alert}: {name} is not {{value: number, unit: text, meaning: text}}"))
            else:
                made[str(name)] = Threshold(number, unit, meaning)
        if not isinstance(entries, Mapping):
            faults.append(Fault(THRESHOLDS, f"{alert}: holds no thresholds"))
        yield str(alert), made


def _number(value: Any) -> float | None:
    """A finite number; a text such as 1e+10 is one too, which YAML 1.1 takes for text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
