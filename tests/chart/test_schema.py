"""values.schema.json: built of values.yaml and the program's model, closed, in words that Helm's validator knows."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from exporter import config
from helm.build import entries, program, schema, shapes
from helm.build.writing import everything
from tests.chart.rendering import CHART, HelmError, helm, merged
from tests.tools import ROOT

TEXT = (CHART / "values.yaml").read_text()
VALUES: Mapping[str, Any] = yaml.safe_load(TEXT)
TREE = entries.read(TEXT)
SCHEMA: Mapping[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALIDATOR = Draft7Validator(SCHEMA)
CONFIGS = ROOT / "tests" / "config"
GOOD, BAD = (sorted((CONFIGS / kind).glob("*.yaml")) for kind in ("good", "bad"))

OPEN_SHAPES = {
    "alertmanager.config.receivers[]",
    "extraContainers[]",
    "extraInitContainers[]",
    "extraObjects[]",
    "extraVolumes[]",
    "global",
}
"""Where Kubernetes' own shapes go on growing, and what an umbrella chart shares."""


def test_generated_files_are_what_is_built() -> None:
    """Nobody has changed them by hand, or values.yaml without `make chart`."""
    for path, text in everything().items():
        assert (CHART / path).read_text() == text, f"{path} differs: run `make chart`"


def schemas(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every schema in *node*, with the path of the value it is about."""
    yield path, node
    for key, value in node.get("properties", {}).items():
        yield from schemas(value, f"{path}.{key}".lstrip("."))
    for word in ("anyOf", "allOf"):
        for each in node.get(word, ()):
            yield from schemas(each, path)
    for word, mark in (("items", "[]"), ("additionalProperties", "{}"), ("propertyNames", "<>"), ("contains", "[?]")):
        if isinstance(node.get(word), Mapping):
            yield from schemas(node[word], path + mark)
    for word in ("if", "then", "else", "not"):
        if word in node:
            yield from schemas(node[word], f"{path}({word})")


def test_schema_holds_only_words_that_helm_obeys() -> None:
    """Draft-07, nothing fetched, nothing Helm takes and ignores, no regular expression it cannot read."""
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    known = {
        *("$schema", "title", "description", "default", "type", "enum", "not"),
        *("properties", "additionalProperties", "required", "propertyNames", "minProperties"),
        *("items", "minItems", "maxItems", "uniqueItems", "contains", "anyOf", "if", "then", "else"),
        *("pattern", "minLength", "maxLength", "minimum", "maximum", "multipleOf"),
    }
    for path, node in schemas(SCHEMA):
        assert not set(node) - known, (path, set(node) - known)
        assert not re.search(r"\(\?[=!<]", node.get("pattern", "")), path
    helm("lint", "--strict", CHART, "--set", "rules.mimir.delivery=none,dashboards.enabled=false")


def test_every_level_is_closed() -> None:
    """A key nobody knows is refused wherever it stands."""
    unclosed = {
        path
        for path, node in schemas(SCHEMA)
        if "properties" in node and node.get("additionalProperties") is not False and "(" not in path
    }
    assert unclosed == OPEN_SHAPES
    untold = {
        path
        for path, node in schemas(SCHEMA)
        if node.get("type") == "object" and not ({"properties", "additionalProperties"} & set(node))
    }
    assert untold == {
        *(f"affinity.{kind}" for kind in ("nodeAffinity", "podAffinity", "podAntiAffinity")),
        *("extraEnv[].valueFrom", "extraEnvFrom[].configMapRef", "extraEnvFrom[].secretRef"),
        *("networkPolicy.ingress.from[]", "networkPolicy.egress.extra[]"),
    }


def test_every_leaf_has_its_text_and_its_default() -> None:
    """The schema says of each value what values.yaml says: the comment, and the default; and asks for each."""
    for leaf in TREE.leaves():
        node: Mapping[str, Any] = SCHEMA
        default: Any = VALUES
        for key in leaf.path:
            assert key in node["required"], leaf.name
            node, default = node["properties"][key], default[key]
        assert node["description"] == leaf.text, leaf.name
        assert len(leaf.text) > 5, leaf.name
        assert node["default"] == leaf.default == default, leaf.name


def test_no_key_of_the_values_is_without_a_text() -> None:
    """Each scalar of values.yaml is a leaf, or stands in one."""
    leaves = {leaf.path for leaf in TREE.leaves()}

    def below(node: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if path in leaves:
            return
        assert isinstance(node, dict), path
        assert node, path
        for key, value in node.items():
            yield from below(value, (*path, key))

    assert list(below(VALUES, ())) == []


def test_the_defaults_pass() -> None:
    """Of course; and so do the values of each tested case, merged over them."""
    assert not list(VALIDATOR.iter_errors(VALUES))
    for file in sorted((CHART / "ci").glob("*.yaml")):
        given_values = yaml.safe_load(file.read_text()) or {}
        assert [error.message for error in VALIDATOR.iter_errors(merged(VALUES, given_values))] == [], file.name


def test_null_is_refused_for_every_leaf() -> None:
    """A default taken away leaves nothing for the templates to read."""
    for leaf in TREE.leaves():
        errors = [error.message for error in VALIDATOR.iter_errors(merged(VALUES, nested(leaf.path, None)))]
        assert errors == [f"'{leaf.path[-1]}' is a required property"], leaf.name


def nested(path: Sequence[str], value: Any) -> Any:
    """*value* under the keys of *path*."""
    for key in reversed(path):
        value = {key: value}
    return value


# --- the program's part


def load(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text())
    except (yaml.YAMLError, ValueError):
        return None


def without_owned_keys(given_config: dict[str, Any]) -> dict[str, Any]:
    """What a user of the chart would write of a configuration: the rest follows from other values."""
    made = copy.deepcopy(given_config)
    made.pop("shards", None)
    made.pop("identity", None)
    for section, key in (("web", "listen"), ("kubernetes", "leader_election")):
        (made.get(section) or {}).pop(key, None)
    return made


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_good_configurations_pass(file: Path) -> None:
    """What the program takes, with variables and sections without values, the chart takes too."""
    given_config = without_owned_keys(load(file) or {})
    errors = list(VALIDATOR.iter_errors({**VALUES, "config": given_config}))
    assert [error.message for error in errors] == []


def test_most_bad_configurations_are_refused() -> None:
    """All whose fault lies in one value; what lies between keys, the templates and the program say."""
    read = {file.stem: load(file) for file in BAD}
    parsed = {name: given_config for name, given_config in read.items() if given_config is not None}
    refused = {
        name for name, given_config in parsed.items() if not VALIDATOR.is_valid({**VALUES, "config": given_config})
    }
    assert len(refused) >= 50, sorted(set(parsed) - refused)
    wanted = {"unknown-key-near", "unknown-service", "duration-wrong", "push-url-wrong", "number-out-of-range"}
    assert wanted <= refused
    assert len(parsed) - len(refused) <= 28, sorted(set(parsed) - refused)


def test_variables_stand_where_the_program_takes_them() -> None:
    """Words, numbers and switches may be variables, but for the one that templates have to know."""
    assert config_passes({"log": {"level": "${LEVEL}"}, "limits": {"max_series": "${MOST}"}})
    assert config_passes({"kubernetes": {"pods": "${PODS:-true}"}, "services": {"ebs": {"enabled": "${EBS}"}}})
    assert config_passes({"delivery": {"mode": "scrape"}})
    assert not config_passes({"delivery": {"mode": "${MODE}"}})
    assert not config_passes({"log": {"level": "loud"}})


def config_passes(given_config: Mapping[str, Any]) -> bool:
    return VALIDATOR.is_valid({**VALUES, "config": given_config})


def test_the_programs_part_is_its_own_with_nothing_lost() -> None:
    """Every key of the model is there, under the same name, with its text."""

    def keys(model: Any, path: str = "") -> Iterator[tuple[str, str]]:
        for name, field in model.model_fields.items():
            yield f"{path}{name}", field.description
            if hasattr(field.annotation, "model_fields"):
                yield from keys(field.annotation, f"{path}{name}.")

    made = {path: node["description"] for path, node in schemas(program.schema()) if "description" in node}
    assert set(keys(config.Config)) <= set(made.items())
    assert made["kubernetes.lease"] == "The Lease that says which."
    push = program.schema()["properties"]["delivery"]["properties"]["push"]
    assert push["type"] == ["object", "null"]
    assert push["required"] == ["url"]
    assert push["description"].startswith("Where to push")


# --- the builder


def test_a_key_without_a_text_is_refused() -> None:
    """Who adds a value says what it is."""
    with pytest.raises(entries.ValuesError, match=r"^image\.tag: has no text"):
        entries.read("image:\n  # -- Name.\n  name: x\n\n  tag: x\n")
    with pytest.raises(entries.ValuesError, match="holds no keys"):
        entries.read("[]")


def test_a_comment_belongs_to_the_key_below_it() -> None:
    """Texts over several lines are one; a section may have one too; other comments are none."""
    tree = entries.read(
        "# A part.\npart:\n  # x\n  # -- One\n  # two.\n  a: [1]\n# -- Both.\nboth:\n  # -- In.\n  b: {}\n"
    )
    assert [(leaf.name, leaf.default, leaf.text) for leaf in tree.leaves()] == [
        ("part.a", [1], "One two."),
        ("both.b", {}, "In."),
    ]
    assert [entry.text for entry in tree.entries] == ["A part.", "Both."]


def test_tables_and_values_name_the_same_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shape for a key that is gone, and a list that nobody described, stop the build."""
    tree = entries.read(TEXT + "# -- More.\nmore: []\n")
    with pytest.raises(entries.ValuesError, match=r"^more: say in helm/build/shapes\.py what it may be"):
        schema.schema(tree)
    monkeypatch.setattr(shapes, "LEAVES", {**shapes.LEAVES, "gone": {"type": "string"}})
    with pytest.raises(entries.ValuesError, match=r"^gone: in helm/build/shapes\.py, but not in"):
        schema.schema(TREE)


# --- shapes that are easily got wrong


def takes(path: str, value: Any) -> bool:
    """Whether the value may be given."""
    return VALIDATOR.is_valid(merged(VALUES, nested(path.split("."), value)))


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("image.digest", ["", "sha256:" + "0a" * 32], ["sha256:0a", "0a" * 32, "sha256:" + "0A" * 32]),
        ("image.repository", ["exporter", "a/b-c/d_e"], ["", "A/b", "/a", "a:1"]),
        ("image.registry", ["", "localhost:5000", "a.example.com/x"], ["https://a", "a b"]),
        ("image.tag", ["", "1.2.3-rc.1_x"], ["a:b", "-a", "a" * 129]),
        ("replicas", [0, 1, 3], [-1, 1.5, "2", 11]),
        ("port", [1024, 65535], [0, 80, 65536, "9116"]),
        ("service.port", [1, 80], [0, 65536]),
        ("aws.roleArn", ["", "arn:aws-cn:iam::123456789012:role/a/b"], ["arn:aws:iam::1:role/a", "role/a"]),
        ("aws.region", ["", "ap-southeast-3", "us-gov-west-1"], ["ap-southeast-3a", "Frankfurt"]),
        ("scrape.interval", ["30s", "1m", "1m30s", "500ms"], ["", "30", "30 s", "60ss", "-1s"]),
        ("persistence.size", ["2Gi", "500M", 1e9, "1.5Ti"], ["2 Gi", "2GiB", "-1Gi", ""]),
        ("resources", [{}, {"limits": {"cpu": 1, "memory": "1Gi"}}], [{"limit": {}}, {"limits": {"cpu": "one"}}]),
        ("podDisruptionBudget.maxUnavailable", [0, 1, "25%"], ["25", -1, "x%"]),
        ("commonLabels", [{"a.b/c": "d"}, {"a": ""}], [{"a": 1}, {"a b": "c"}, {"a": "b c"}, {"a": "x" * 64}]),
        ("nodeSelector", [{"kubernetes.io/os": "linux"}], [{"a": True}]),
        ("podAnnotations", [{"a/b": "any thing: at all"}], [{"a": 1}, {"/a": "b"}]),
        (
            "networkPolicy.egress.https",
            [["10.0.0.0/8", "::/0", "fd00::/8"]],
            [[], ["10.0.0.0"], ["10.0.0.0/33"], ["a"]],
        ),
        ("networkPolicy.egress.receiverPorts", [[80]], [[], [0], ["80"], [80, 80]]),
        ("secretFiles", [["a", "b.c"]], [["a", "a"], ["A"], [{"name": "a"}], "a"]),
        (
            "podSecurityContext",
            [{"runAsUser": 1000}],
            [{"runAsUser": 0}, {"runAsNonRoot": False}, {"privileged": True}],
        ),
        (
            "securityContext",
            [{"runAsUser": 7}, {"capabilities": {"add": ["NET_BIND_SERVICE"]}}],
            [
                {"privileged": True},
                {"allowPrivilegeEscalation": True},
                {"capabilities": {"drop": ["NET_RAW"]}},
                {"capabilities": {"add": ["SYS_ADMIN"]}},
                {"capabilities": None},
            ],
        ),
        ("tolerations", [[{"operator": "Exists"}]], [[{"opertor": "Exists"}], [{"effect": "noSchedule"}]]),
        ("topologySpreadConstraints", [[]], [[{"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "Never"}], [{}]]),
        ("extraEnv", [[{"name": "A", "value": "1"}]], [[{"name": "A", "value": 1}], [{"value": "1"}], [{"name": "1"}]]),
        ("extraVolumes", [[{"name": "a", "emptyDir": {}}]], [[{"emptyDir": {}}], [{"name": "A"}]]),
        ("extraObjects", [[{"apiVersion": "v1", "kind": "A"}]], [[{"kind": "A"}], ["kind: A"], {}]),
        ("updateStrategy", [{"type": "Recreate"}], [{"type": "Rolling"}, {"rollingUpdate": {"surge": 1}}]),
        ("dnsConfig", [{"options": [{"name": "ndots", "value": "2"}]}], [{"option": []}]),
        ("scrape.relabelings", [[{"action": "drop"}]], [[{"joblabel": "a"}], [{"action": "remove"}]]),
        ("fullnameOverride", ["", "storage"], ["Storage", "a.b", "a" * 64, "-a"]),
        ("global", [{"other": {"any": 1}, "imageRegistry": "a"}], [{"imageRegistry": 1}, {"imagePullSecrets": None}]),
        ("global.imagePullSecrets", [["a"], [{"name": "a"}]], [[{"nam": "a"}], [""], "a"]),
        ("imagePullSecrets", [["a"]], [[{"name": "a"}]]),
        ("existingConfigMap.key", ["a.yaml"], ["", "a/b"]),
        ("terminationGracePeriodSeconds", [45], [5, "45"]),
    ],
)
def test_shapes(path: str, good: list[Any], bad: list[Any]) -> None:
    """What may be given, and what looks like it."""
    assert [value for value in good if not takes(path, value)] == []
    assert [value for value in bad if takes(path, value)] == []


def test_network_policies_are_in_the_words_of_their_flavor() -> None:
    """Peers and rules of one are not those of the other."""
    peers = [{"namespaceSelector": {"matchLabels": {"a": "b"}}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}]
    endpoints = [{"matchLabels": {"k8s:io.kubernetes.pod.namespace": "monitoring"}}]
    rules = [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 1}]}]
    cilium = [{"toFQDNs": [{"matchName": "example.com"}], "toPorts": []}]
    for flavor, good, bad in (
        ("kubernetes", (peers, rules), (endpoints, cilium)),
        ("cilium", (endpoints, cilium), (peers, rules)),
    ):
        assert takes("networkPolicy", {"flavor": flavor, "ingress": {"from": good[0]}, "egress": {"extra": good[1]}})
        assert not takes("networkPolicy", {"flavor": flavor, "ingress": {"from": bad[0]}})
        assert not takes("networkPolicy", {"flavor": flavor, "egress": {"extra": bad[1]}})


_KEYS = st.sampled_from(sorted({leaf.path for leaf in TREE.leaves() if leaf.path[0] != "global"}))


@given(_KEYS, st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=3), st.integers(0, 8))
def test_a_misspelt_key_is_refused(path: tuple[str, ...], letters: str, where: int) -> None:
    """Beside any value, at any level, a key with some letters too many does not pass."""
    depth = where % len(path)
    wrong = path[depth] + letters
    siblings: Any = VALUES
    for key in path[:depth]:
        siblings = siblings[key]
    misspelt = nested((*path[:depth], wrong), siblings[path[depth]])
    assert wrong in siblings or not VALIDATOR.is_valid(merged(VALUES, misspelt))


def test_helm_and_the_python_validator_agree() -> None:
    """What is tested here with a fast validator, Helm refuses too, and by name."""
    wrong = {
        "replicas": "2",
        "image": {"digest": "latest"},
        "config": {"limits": {"max_serie": 1}, "log": {"level": "loud"}, "tags": "team"},
        "networkPolicy": {"egress": {"https": []}},
        "securityContext": {"privileged": True},
        "extraEnv": [{"name": "A", "value": 1}],
    }
    with pytest.raises(HelmError) as refused:
        helm("template", "x", CHART, "--values", "-", text=json.dumps(wrong))
    said = str(refused.value)
    theirs = set(re.findall(r"^- ([^:]+): (?!Must validate)", said, re.MULTILINE))
    ours = {".".join(map(str, error.path)) for error in VALIDATOR.iter_errors(merged(VALUES, wrong))}
    assert theirs == ours
    assert len(ours) == 8
