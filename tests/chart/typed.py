"""Commands as documents and notes have them: read as a shell reads them, and judged without the programs they name."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import OperationModel, Shape
from botocore.validate import ParamValidator

from tests.chart.api_kinds import KINDS

_GLOBAL = {"query", "output", "region", "profile", "endpoint-url", "no-cli-pager"}
_ROLE = "arn:aws:iam::123456789012:role/substituted"
_SHORT = {"pvc", "svc", "sa", "cm", "crd", "deploy", "sts", "pod", "po", "ns"}
_OTHERS = {"prometheus", "alertmanager", "daemonset", "node", "nodes", "events", "validatingwebhookconfigurations"}
_VERBS = {
    *("annotate", "create", "delete", "describe", "exec", "get", "label", "logs", "port-forward", "rollout", "run"),
    *("scale", "auth", "apply", "patch"),
}


@dataclass(frozen=True)
class Command:
    """One command: its words, and the file its output goes to (``""``: none)."""

    words: Sequence[str]
    into: str = ""

    @property
    def program(self) -> str:
        """What is run."""
        return self.words[0]


def blocks(text: str) -> list[str]:
    """The blocks of shell in a Markdown text."""
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[Command]:
    """
    The commands of a text of shell, those in ``$(...)`` before the one they stand in; of a pipe only the first.

    Raises:
        ValueError: a quote is not closed.
    """
    pending = ""
    for line in text.splitlines():
        pending += line
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        try:
            shlex.split(pending, comments=True)
        except ValueError:
            pending += "\n"
            continue
        yield from _read(pending)
        pending = ""
    if pending.strip():
        raise ValueError(f"it does not end: {pending}")


def _read(text: str) -> Iterator[Command]:
    for inner in re.findall(r"\$\(([^()]*)\)", text):
        yield from _read(inner)
    lexer = shlex.shlex(re.sub(r"\$\([^()]*\)", _ROLE, text), posix=True, punctuation_chars="|&;>")
    lexer.whitespace_split = True
    words: list[str] = []
    tokens = iter(lexer)
    into = ""
    for token in tokens:
        if token == ">":
            into = next(tokens)
        elif set(token) <= set("|&;"):
            break
        else:
            words.append(token)
    if words:
        yield Command(words, into)


def options(words: Sequence[str]) -> dict[str, list[str]]:
    """Option to its values; ``""`` has the words that belong to none."""
    found: dict[str, list[str]] = {"": []}
    name = ""
    for word in words:
        if word.startswith("--"):
            name, sign, value = word[2:].partition("=")
            found[name] = [value] if sign else []
        else:
            found[name].append(word)
    return found


def aws_faults(command: Command, folder: Path) -> list[str]:
    """
    What is wrong with a command of the AWS CLI, by the service's own description.

    Args:
        folder: where ``file://`` is looked for.
    """
    service, operation, *rest = command.words[1:]
    session = botocore.session.Session()
    if service not in session.get_available_services():
        return [f"there is no service {service}"]
    model = session.get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in names:
        return [f"{service} has no operation {operation}"]
    return _call_faults(model.operation_model(names[operation]), options(rest), folder)


def _call_faults(operation: OperationModel, given: Mapping[str, list[str]], folder: Path) -> list[str]:
    shape = operation.input_shape
    members = {xform_name(name, "-"): name for name in (shape.members if shape else {})}
    faults = [f"{operation.name} takes no word {word}" for word in given[""]]
    faults += [f"{operation.name} has no --{name}" for name in given if name and name not in {*members, *_GLOBAL}]
    if shape is None or faults:
        return faults
    values = {members[name]: words for name, words in given.items() if name in members}
    many = [name for name, words in values.items() if len(words) > 1 and shape.members[name].type_name != "list"]
    if many:
        return [f"{operation.name} takes one word for {name}" for name in many]
    read = {name: _value(shape.members[name], words, folder) for name, words in values.items()}
    report = ParamValidator().validate(read, shape)
    return [report.generate_report()] if report.has_errors() else []


def _value(shape: Shape, words: Sequence[str], folder: Path) -> Any:
    if shape.type_name == "boolean":
        return not words
    text = " ".join(words)
    if text.startswith("file://"):
        text = (folder / text.removeprefix("file://")).read_text()
    if shape.type_name in {"structure", "map"}:
        return json.loads(text)
    if shape.type_name == "list":
        return json.loads(text) if text.startswith("[") else list(words)
    if "document" in shape.name.lower():
        assert json.loads(text)["Version"] == "2012-10-17"
    return text


def kubectl_faults(command: Command) -> list[str]:
    """What is wrong with a command of kubectl: its verb, or a kind that no cluster with our needs has."""
    words = [word for word in command.words[1:] if not word.startswith("-")]
    given = options(command.words[1:])
    places = {each for name in ("namespace", "selector") for each in given.get(name, [])[:1]}
    skipped = {
        following
        for word, following in zip(command.words, command.words[1:], strict=False)
        if word in {"-n", "-l", "-o"}
    }
    verb, *rest = [word for word in words if word not in places | skipped] or [""]
    if verb not in _VERBS:
        return [f"kubectl has no {verb}"]
    if verb in {"logs", "exec", "run", "port-forward", "auth", "apply"}:
        return []
    kind = rest[1 if verb == "rollout" else 0]
    known = {each.kind.lower() for each in KINDS} | {each.plural for each in KINDS} | _SHORT | _OTHERS
    return [f"kubectl knows no {each}" for each in kind.partition("/")[0].split(",") if each not in known]
