"""
From a file and an environment to a `Config`, or to every fault of it at once.

    read the text ─► put variables in ─► check types ─► check rules between keys ─► Config, or ConfigError(all faults)

Each stage hands on what it can, so that one run of ``check`` shows all there is to mend. ``${NAME}`` and
``${NAME:-default}`` in values (never in keys) come from the environment; ``$${`` is a plain ``${``. In the values of
services.s3.components a name in lower case is a group of the pattern instead. The only reader of a file here is `load`.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

import yaml
from pydantic import ValidationError

from exporter.config import document
from exporter.config.document import Path, spell
from exporter.config.node import Node
from exporter.config.tree import Config
from exporter.config.values import Expanded, did_you_mean, show
from exporter.errors import ConfigError, Fault

_VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_GROUP = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)
_COMPONENTS = ("services", "s3", "components")
_DEEPEST = 40

_Faults = list[tuple[Path, str]]


Known = Callable[[Mapping[str, Any]], Iterable[tuple[Path, str]]]
"""Faults that only somebody sees who knows more than the tree does: of what a file gives, with types not checked."""


def load(path: str | None, environ: Mapping[str, str], known: Known | None = None) -> Config:
    """
    The configuration of the file *path*, or the defaults where there is none.

    Args:
        path: as the user gave it, it names the source in messages; None for the defaults.

        environ: where ``${VARIABLE}`` comes from.

        known: finds more faults, to be said together with the rest.

    Raises:
        `ConfigError`: with every fault, in the order of the file.
    """
    if path is None:
        return Config()
    try:
        text = FilePath(path).read_bytes().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        fault = _unreadable(error)
    else:
        return parse(text, environ, path, known)
    raise ConfigError(path, [fault])


def _unreadable(error: OSError | ValueError) -> Fault:
    if isinstance(error, UnicodeDecodeError):
        good = error.object[: error.start].decode()
        where = document.place(good, len(good))
        return Fault("", f"is not UTF-8 text ({where} holds a byte of no character); save it as UTF-8")
    reason = (
        (error.strerror or "the name is not one of a file")
        if isinstance(error, OSError)
        else "the name is not one of a file"
    )
    return Fault("", f"cannot be read: {reason}; check the path and that the exporter's user may read it")


def parse(text: str, environ: Mapping[str, str], source: str, known: Known | None = None) -> Config:
    """The configuration that the YAML *text* holds; *source* names it in messages. Raises as `load` does."""
    try:
        read = document.read(text)
    except yaml.YAMLError as error:
        fault = document.problem(error, text)
    except (document.TooLargeError, RecursionError):
        fault = Fault(
            "", "is nested too deeply, or its aliases (*name) repeat without end; a configuration has nine levels"
        )
    else:
        return build(read, environ, source, known)
    raise ConfigError(source, [fault])


def build(read: document.Document, environ: Mapping[str, str], source: str, known: Known | None = None) -> Config:
    """The configuration that a document's plain data holds; see `parse`."""
    faults: _Faults = list(read.faults)
    if read.data is not None and not isinstance(read.data, Mapping):
        kind = "a list" if isinstance(read.data, list) else "a single value"
        fault = Fault("", f"holds {kind} where keys such as `services:` belong; see the README for an example")
        raise ConfigError(source, [fault])
    data = _expand(read.data or {}, (), environ, faults)
    config, mistyped = _typed(data)
    broken = {path for path, _ in faults}
    faults += [fault for fault in mistyped if fault[0] not in broken]
    broken |= {path for path, _ in mistyped}
    faults += [fault for fault in _rules(Config, data, ()) if fault[0] not in broken]
    broken |= {path for path, _ in faults}
    faults += [fault for fault in (known(data) if known else ()) if fault[0] not in broken]
    if config is None or faults:
        raise ConfigError(source, _in_order(faults, data, read.lines))
    return config


# --- variables


def _expand(value: Any, path: Path, environ: Mapping[str, str], faults: _Faults) -> Any:
    """*value* as plain data with variables filled in; what cannot be is a fault, and stays as the file has it."""
    if len(path) > _DEEPEST:
        faults.append((path[:_DEEPEST], "is nested too deeply; a configuration has nine levels"))
        return None
    if isinstance(value, str):
        return _expand_text(value, path, environ, faults)
    if isinstance(value, list | tuple):
        return [_expand(item, (*path, index), environ, faults) for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        out: dict[str, Any] = {}
        for key, entry in value.items():
            name = key if isinstance(key, str) else show(key)
            out[name] = _expand(entry, (*path, name), environ, faults)
        return out
    return value


def _expand_text(text: str, path: Path, environ: Mapping[str, str], faults: _Faults) -> str:
    groups = path[:3] == _COMPONENTS
    wrong: list[str] = []

    def fill(found: re.Match[str]) -> str:
        inside, closed = found[1], found[2]
        if inside is None:
            if groups:
                wrong.append("$${ has no meaning in a component's name; use ${group} or plain text")
            return "${"
        name, colon, default = inside.partition(":-")
        if groups and not colon and (_GROUP.fullmatch(inside) or f"(?P<{inside}>" in str(path[3])):
            return found[0]
        if not closed:
            wrong.append("${ has no closing }; add it, or write $${ for a plain ${")
        elif not _NAME.fullmatch(name):
            wrong.append(
                "${…} has to hold a variable's name (letters, digits and _); mend it, or write $${ for a plain ${"
            )
        elif colon:
            return environ.get(name) or default
        elif name in environ:
            return environ[name]
        else:
            wrong.append(
                f"the environment variable {name} is not set; set it, or give a default as ${{{name}:-default}}"
            )
        return found[0]

    out = _VARIABLE.sub(fill, text)
    faults.extend((path, message) for message in dict.fromkeys(wrong))
    return text if wrong or out == text else Expanded(out, text)


def escape(text: str) -> str:
    """*text* as it has to stand in a file so that no variable is looked for in it."""
    return text.replace("${", "$${")


# --- types


def _typed(data: Mapping[str, Any]) -> tuple[Config | None, _Faults]:
    """The typed tree, or what is of the wrong type, unknown or missing."""
    try:
        return Config.model_validate(data), []
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
    return None, [
        _plain(problem["loc"], problem["type"], problem["msg"], problem.get("ctx", {})) for problem in problems
    ]


def _plain(loc: Path, kind: str, said: str, context: Mapping[str, Any]) -> tuple[Path, str]:
    """One of pydantic's errors in plain words."""
    path = loc[:-1] if loc and loc[-1] == "[key]" else loc
    if kind == "value_error":
        return path, str(context["error"])
    if kind == "extra_forbidden":
        return path, _unknown(path)
    if kind == "missing":
        section = _section_at(path[:-1])
        what = (section.model_fields[str(path[-1])].description or "") if section else ""
        return path, f"is missing and has no default; give {what[:1].lower()}{what[1:].rstrip('.')}"
    return path, said


def _unknown(path: Path) -> str:
    section, key = _section_at(path[:-1]), str(path[-1])
    allowed = list(section.model_fields) if section else []
    elsewhere = [spelled for spelled in _everywhere(Config, ()) if spelled.rpartition(".")[2] == key]
    exact = f" (did you mean {' or '.join(elsewhere)}?)" if 0 < len(elsewhere) <= 3 else ""
    hint = exact or did_you_mean(key, allowed)
    return f"unknown key{hint}; allowed here: {', '.join(allowed)}"


def _everywhere(section: type[Node], path: Path) -> Iterator[str]:
    """Every key of the tree that has one place, as a dotted path."""
    for name, field in section.model_fields.items():
        yield spell((*path, name))
        inner = _strip(field.annotation)
        if isinstance(inner, type) and issubclass(inner, Node):
            yield from _everywhere(inner, (*path, name))


def _strip(annotation: Any) -> Any:
    """*annotation* without its metadata and without ``| None``."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif origin in (typing.Union, types.UnionType):
            annotation = next(part for part in typing.get_args(annotation) if part is not type(None))
        else:
            return annotation


def _below(annotation: Any, part: str | int) -> Any:
    """The annotation of what stands under *part* in a value of *annotation*; None where nothing may."""
    inner = _strip(annotation)
    if isinstance(inner, type) and issubclass(inner, Node):
        field = inner.model_fields.get(str(part))
        return field.annotation if field else None
    parts = typing.get_args(inner)
    return (parts[0] if isinstance(part, int) else parts[-1]) if parts else None


def _section_at(path: Path) -> type[Node] | None:
    annotation: Any = Config
    for part in path:
        annotation = _below(annotation, part)
    inner = _strip(annotation)
    return inner if isinstance(inner, type) and issubclass(inner, Node) else None


# --- rules between keys, and the order of faults


def _rules(annotation: Any, value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """What the `across` of every section in *value* finds."""
    if annotation is None:
        return
    if isinstance(value, Mapping):
        inner = _strip(annotation)
        if isinstance(inner, type) and issubclass(inner, Node):
            yield from (((*path, *below), message) for below, message in inner.across(value))
        for key, entry in value.items():
            yield from _rules(_below(annotation, key), entry, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _rules(_below(annotation, index), item, (*path, index))


def _in_order(faults: _Faults, data: Any, lines: Mapping[Path, int]) -> list[Fault]:
    """The faults in the order of the file, each once, with the line where it is known."""
    order = {path: place for place, path in enumerate(_paths(data, ()))}

    def place(fault: tuple[Path, str]) -> int:
        path = fault[0]
        while path not in order:
            path = path[:-1]
        return order[path]

    out = []
    for path, message in sorted(dict.fromkeys(faults), key=place):
        where = ""
        if path in lines:
            where = f" (line {lines[path]})"
        elif len(path) > 1:  # a key that is missing: say where its section is
            section = next((path[:length] for length in range(len(path) - 1, 0, -1) if path[:length] in lines), ())
            where = f" (in the section on line {lines[section]})" if section else ""
        out.append(Fault(spell(path), message + where))
    return out


def _paths(value: Any, path: Path) -> Iterator[Path]:
    yield path
    entries: Any = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from _paths(entry, (*path, key))


# --- out


def dump(config: Config) -> str:
    """The effective configuration as YAML that `load` reads back: defaults included, secrets as ``<hidden>``."""
    data = config.effective()
    components = data["services"]["s3"].pop("components")
    data = _escaped(data)
    data["services"]["s3"]["components"] = components  # their ${group} is no variable
    text: str = yaml.dump(data, Dumper=document.Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return {key: _escaped(entry) for key, entry in value.items()} if isinstance(value, dict) else value
