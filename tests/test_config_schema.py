"""The JSON schema of the configuration: it takes what the program takes, and refuses what has the wrong shape."""

from __future__ import annotations

import contextlib
import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from exporter.config import (
    HIDDEN,
    Config,
    delivery,
    dump,
    json_schema,
    kubernetes,
    leaves,
    parse,
    rules,
    services,
    tree,
)
from exporter.config.document import Document, TooLargeError, read
from exporter.config.leaves import Leaf
from exporter.config.reading import build
from exporter.errors import ConfigError
from tests.chart.rendering import HelmError, helm
from tests.test_config import BAD, ENVIRON, EXAMPLE, GOOD, places, replaced

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)

NO_SHAPE = {
    *("auth-empty", "auth-twice", "deadline-longer-than-pass", "header-and-auth", "kubernetes-off-but-used"),
    *("push-without-cluster", "push-without-section", "scope-twice"),
    *("tls-half", "tls-trust-twice"),
    *("component-escape", "component-group-capital", "component-group-unknown", "component-variable"),
    *("variable-misnamed", "variable-missing", "secret-empty", "variable-unclosed", "variable-wrong-value"),
    *("component-pattern-wrong", "regex-ambiguous", "regex-as-glob", "regex-too-large", "regex-wrong"),
    *("duration-out-of-range", "outbox-small"),
}
"""Bad files whose fault lies between keys, in a variable, in a regular expression, or in a number in words."""

LEAVES: dict[str, Leaf] = {
    name: made.__metadata__[0]
    for module in (delivery, kubernetes, leaves, rules, services, tree)
    for name, made in vars(module).items()
    if isinstance(getattr(made, "__metadata__", (None,))[0], Leaf)
}


def told(data: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(data)]


def patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for each in schema:
            yield from patterns(each)


def leaves_of(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of a single value in *schema*, with its place."""
    for each in schema.get("anyOf", [schema]):
        kinds = [each.get("type")] if isinstance(each.get("type"), str) else each.get("type", [])
        if "object" in kinds:
            for name, below in each.get("properties", {}).items():
                yield from leaves_of(below, f"{path}.{name}")
            if isinstance(below := each.get("additionalProperties"), dict):
                yield from leaves_of(below, f"{path}.*")
                yield from leaves_of(each["propertyNames"], f"{path} (key)")
        elif "array" in kinds:
            yield from leaves_of(each["items"], f"{path}[]")
        elif "$ref" not in each and kinds != ["null"]:
            yield path, each


def test_it_is_a_schema_whose_every_value_has_a_type_and_a_limit() -> None:
    """Texts have a form or a length or are words of a list, numbers a range; only regular expressions are any text."""
    Draft202012Validator.check_schema(SCHEMA)
    found = [(name, one) for name, each in {"": SCHEMA, **SCHEMA["$defs"]}.items() for one in leaves_of(each, name)]
    assert len(found) > 150
    free = set()
    for _, (path, one) in found:
        kind = one["type"]
        limited = {"integer": "minimum", "number": "minimum", "boolean": "type", "string": "pattern"}[kind]
        if limited not in one and "enum" not in one:
            assert kind == "string", path
            free.add(path)
    assert {re.sub(r".*\.(tags|annotations|select|components)\b", r"\1", path) for path in free} == {
        *("tags.*", "annotations.*", "select.*", "components (key)")
    }


def test_its_patterns_mean_the_same_everywhere() -> None:
    """No looking around, no classes that differ, no large counts: helm reads them by RE2, editors by ECMA 262."""
    for pattern in patterns(SCHEMA):
        assert "(?" not in pattern
        assert set(re.findall(r"\\([A-Za-z0-9])", pattern)) <= {"d", "w", "S", "x"}
        assert all(int(most) <= 1000 for most in re.findall(r"\{[0-9]*,?([0-9]+)\}", pattern))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_every_good_file_is_taken(path: Path) -> None:
    """As it stands, with its variables; and so is the whole effective configuration."""
    text = path.read_text(encoding="utf-8")
    assert told(read(text).data) == []
    effective = dump(parse(text, ENVIRON, "good")).replace(HIDDEN, "x")
    assert told(read(effective).data) == []


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_shapes_are_refused(path: Path) -> None:
    """Every bad file, but for those that are no YAML and those whose fault no schema can say."""
    try:
        document = read(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, TooLargeError, RecursionError):
        document = Document(faults=[((), "none")])
    if not document.faults:
        assert (path.stem in NO_SHAPE) is (told(document.data) == [])


def test_a_file_without_values_and_one_that_is_empty() -> None:
    """A section, list or mapping with nothing in it is the same as none."""
    for name, told_of in SCHEMA["properties"].items():
        section = "$ref" in told_of or "array" in told_of.get("type", [])
        assert (told({name: None}) == []) is section
    assert told(None) == []


VALUES: list[Any] = [
    *(None, True, False, 0, 1, 5, 60, 90, 3600, -1, 0.5, 10**9, "", "a", "auto", "push", "${X}", "${X:-5}", "$${x}"),
    *("5m", "1d2h", "10", "1h1", "s", "512MiB", "1 GiB", "0x1", "..", ".", "...", "__a", "_", "_a", "a{{b", "{", "a{b"),
    *(
        "http://a",
        "HTTPS://a:1/b",
        "http://",
        "http://u@h",
        "ftp://a",
        ":9116",
        "[::1]:80",
        ":65536",
        "a:00080",
        "\x00",
    ),
    *("arn:aws:iam::123456789012:role/x", "eu-west-1", "x" * 1100, [], ["a"], ["a", "a"], {}, {"a": "b"}, [None]),
    *("critical", "essential", "/a", "/a//b", "/a/", "123456789012/eu-west-1", "<hidden>", "p99.9", "é", "a b"),
]


@given(
    st.sampled_from(sorted(places(EXAMPLE), key=str)),
    st.sampled_from(VALUES) | st.text(max_size=12) | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
)
@example(("limits", "aws_concurrency"), "${X}")
def test_what_the_program_takes_the_schema_takes(place: tuple[Any, ...], value: Any) -> None:
    """Whatever is put in the place of any value of a large configuration."""
    data = replaced(EXAMPLE, place, value)
    try:
        build(Document(data=data), {**ENVIRON, "X": "5", "x": "a"}, "test")
    except ConfigError:
        return
    assert told(data) == []


def _taken(leaf: Leaf, value: Any) -> bool:
    try:
        leaf.read(value)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", [name for name in LEAVES if name not in ("BucketPattern", "Pattern")])
@given(data=st.data())
def test_single_values_are_taken_by_both_or_by_neither(name: str, data: st.DataObject) -> None:
    """Texts, numbers and switches without a variable; what only the reader can refuse is a number in words."""
    leaf = LEAVES[name]
    near = [st.from_regex(f"^(?:{each})$").map(lambda text: text[:2000]) for each in patterns(dict(leaf.schema))]
    value = data.draw(st.one_of(st.sampled_from(VALUES), st.text(max_size=9), st.integers(), *near))
    plain = not isinstance(value, str) or (value.isascii() and "${" not in value and not value.endswith("\n"))
    if not plain:
        return
    by_schema = Draft202012Validator(dict(leaf.schema)).is_valid(value)
    in_words = isinstance(value, str) and "integer" in {one.get("type") for one in leaf.schema.get("anyOf", ())}
    if in_words or name.endswith("Address"):
        assert by_schema or not _taken(leaf, value)
    else:
        assert by_schema is _taken(leaf, value)


def test_an_address_by_what_it_looks_like() -> None:
    """A scheme and a host, and nothing of a password."""
    address = Draft202012Validator(dict(leaves.url().schema))
    good = ("http://mimir:8080/api", "HTTPS://[::1]/", "http://${HOST}/x", "${URL}", "http://a?b=c")
    assert [
        text
        for text in (*good, "http://", "ftp://a", "a:80", "http://u:p@h/", "http:// a", "http:///x")
        if address.is_valid(text)
    ] == list(good)


def test_helm_takes_and_refuses_the_same(tmp_path: Path) -> None:
    """The real helm reads every pattern, takes every good file, and names the place of what is bad."""
    whole = copy.deepcopy(SCHEMA)
    definitions = whole.pop("$defs")
    chart = tmp_path / "probe"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: probe, version: 0.1.0}", encoding="utf-8")
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "$defs": {**definitions, "Config": whole}}
    schema["additionalProperties"] = {"$ref": "#/$defs/Config"}
    (chart / "values.schema.json").write_text(json.dumps(schema), encoding="utf-8")

    def render(values: dict[str, Any]) -> None:
        helm("template", "x", chart, "--values", "-", text=json.dumps(values))

    render({path.stem: read(path.read_text(encoding="utf-8")).data or {} for path in GOOD})
    bad: list[tuple[str, str, Any]] = [
        *(("log", "format", "xml"), ("limits", "deadline", "5 minutes"), ("limits", "aws_concurrency", "4")),
        *(("web", "listen", ":65536"), ("kubernetes", "podz", True), ("identity", "role", "arn:aws:iam::1:role/x")),
        *(("tags", "", ["a", "a"]), ("pins", "annotations", {"a b": "x"}), ("delivery", "push", {"url": "a:80"})),
    ]
    for section, key, value in bad:
        with pytest.raises(HelmError, match=section):
            render({"bad": {section: {key: value} if key else value}})


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({"period": 120}, True),
        ({"period": 90}, False),
        ({"every": "600"}, True),
        ({"every": "10m30s"}, True),
        ({"every": "30s10m"}, False),
        ({"every": "600.0"}, False),
        (None, False),
    ],
)
def test_jobs_as_the_program_takes_them(change: dict[str, Any] | None, good: bool) -> None:
    """Whole minutes, durations in words, and at least one metric."""
    metric = {"name": "x", "statistic": "Sum", "every": 600}
    data = {"services": {"jobs": [{"namespace": "A/B", "metrics": [] if change is None else [{**metric, **change}]}]}}
    assert (told(data) == []) is good
    with contextlib.nullcontext() if good else pytest.raises(ConfigError):
        build(Document(data=data), {}, "test")


def test_a_key_has_no_variable() -> None:
    """The program fills in values only, so a key of a wrong form is wrong whatever the environment holds."""
    for key, good in (("${X}", False), ("a.b/c", True)):
        data = {"pins": {"annotations": {key: "x"}}}
        assert (told(data) == []) is good
        with contextlib.nullcontext() if good else pytest.raises(ConfigError):
            build(Document(data=data), {"X": "a"}, "test")


def test_defaults_are_of_their_own_schema() -> None:
    """Nobody is refused for writing down what holds anyway."""
    assert told(Config().effective()) == []
