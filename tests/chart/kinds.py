"""
Schemas of what the chart renders: Kubernetes' own (kubernetes-validate, strict) and ours of the custom resources.

Ours hold exactly the fields that we render, by their public names, and nothing else. Where the environment variable
CRDS names a folder of real CustomResourceDefinitions (YAML), those are used too, made strict. Enums, names and labels,
which the schemas of Kubernetes leave open, are the part of tests/chart/invariants.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
from referencing import Registry, Resource

from tests.chart.rendering import Object, parsed

VERSIONS = ("1.27", "1.32", "1.37")  # the oldest that the chart takes, one between, the newest there is a schema of

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
ANY_TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
DURATION: Schema = {
    "type": "string",
    "pattern": r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$",
}
WHOLE: Schema = {"type": "integer", "minimum": 0}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
PORT_TEXT: Schema = {"type": "string", "pattern": "^[0-9]{1,5}$"}
PROTOCOL: Schema = {"enum": ["TCP", "UDP"]}


def closed(*needed: str, **fields: Schema) -> Schema:
    """An object of these *fields* and no other, *needed* among them."""
    return {"type": "object", "additionalProperties": False, "required": list(needed), "properties": fields}


def many(item: Schema, least: int = 1) -> Schema:
    """A list of *item*, not empty."""
    return {"type": "array", "items": item, "minItems": least}


def one_of(*words: str) -> Schema:
    """One of these words."""
    return {"enum": list(words)}


SELECTOR = closed(
    matchLabels=TEXTS,
    matchExpressions=many(
        closed("key", "operator", key=TEXT, operator=one_of("In", "NotIn", "Exists", "DoesNotExist"), values=many(TEXT))
    ),
)
RELABELING = closed(
    sourceLabels=many(TEXT),
    separator=ANY_TEXT,
    regex=TEXT,
    modulus=WHOLE,
    targetLabel=TEXT,
    replacement=ANY_TEXT,
    action=one_of("replace", "keep", "drop", "hashmod", "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase"),
)
ENDPOINT = {
    **closed(
        "port",
        "path",
        "interval",
        "scrapeTimeout",
        "honorLabels",
        "honorTimestamps",
        "metricRelabelings",
        port=TEXT,
        path=TEXT,
        scheme=one_of("http", "https"),
        interval=DURATION,
        scrapeTimeout=DURATION,
        honorLabels=FLAG,
        honorTimestamps=FLAG,
        relabelings=many(RELABELING),
        metricRelabelings=many(RELABELING),
    )
}
NAMESPACES = closed("matchNames", matchNames=many(TEXT))
RULE = {
    **closed(
        "expr",
        record={"type": "string", "pattern": "^[a-zA-Z_:][a-zA-Z0-9_:]*$"},
        alert=TEXT,
        expr={"type": ["string", "integer"], "minLength": 1},
        labels=TEXTS,
        annotations=TEXTS,
        keep_firing_for=DURATION,
        **{"for": DURATION},
    ),
    "oneOf": [{"required": ["record"]}, {"required": ["alert"]}],
}
GROUP = closed(
    "name", "rules", name=TEXT, interval=DURATION, query_offset=DURATION, limit=WHOLE, labels=TEXTS, rules=many(RULE)
)
MATCHER = closed("name", "value", name=TEXT, value=ANY_TEXT, matchType=one_of("=", "!=", "=~", "!~"))
ROUTE = closed(
    receiver=TEXT,
    groupBy=many(TEXT),
    groupWait=DURATION,
    groupInterval=DURATION,
    repeatInterval=DURATION,
    matchers=many(MATCHER),
    routes=many({"$ref": "#/$defs/route"}),
    **{"continue": FLAG},
)
RECEIVER = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": TEXT},
    "patternProperties": {"^[a-z]+Configs$": many({"type": "object"})},  # the user's own, as they stand
    "additionalProperties": False,
}
INHIBITION = closed(
    "sourceMatch", "targetMatch", sourceMatch=many(MATCHER), targetMatch=many(MATCHER), equal=many(TEXT)
)
CILIUM_PORTS = many(
    closed(
        "ports",
        ports=many(closed("port", "protocol", port=PORT_TEXT, protocol=PROTOCOL)),
        rules=closed("dns", dns=many(closed("matchPattern", matchPattern=TEXT))),
    )
)
CILIUM_ENTITIES = one_of(
    "host", "remote-node", "kube-apiserver", "cluster", "world", "all", "ingress", "health", "init", "none"
)
# Cilium's selectors name labels with their source, such as k8s:app.kubernetes.io/name.
CILIUM_INGRESS = closed(
    "toPorts", fromEndpoints=many(SELECTOR), fromEntities=many(CILIUM_ENTITIES), toPorts=CILIUM_PORTS
)
CILIUM_EGRESS = closed(
    toEndpoints=many(SELECTOR),
    toEntities=many(CILIUM_ENTITIES),
    toCIDR=many(TEXT),
    toCIDRSet=many(closed("cidr", cidr=TEXT, **{"except": many(TEXT)})),
    toFQDNs=many(closed(matchName=TEXT, matchPattern=TEXT)),
    toPorts=CILIUM_PORTS,
)

SPECS: Mapping[tuple[str, str], Schema] = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): closed(
        "endpoints",
        "selector",
        endpoints={**many(ENDPOINT), "maxItems": 1},
        selector=SELECTOR,
        namespaceSelector=NAMESPACES,
        jobLabel=TEXT,
        targetLabels=many(TEXT),
        podTargetLabels=many(TEXT),
    ),
    ("monitoring.coreos.com/v1", "PodMonitor"): closed(
        "podMetricsEndpoints",
        "selector",
        podMetricsEndpoints={**many(ENDPOINT), "maxItems": 1},
        selector=SELECTOR,
        namespaceSelector=NAMESPACES,
        jobLabel=TEXT,
        podTargetLabels=many(TEXT),
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): closed("groups", groups=many(GROUP)),
    ("monitoring.coreos.com/v1alpha1", "AlertmanagerConfig"): closed(
        "route", "receivers", route=ROUTE, receivers=many(RECEIVER), inhibitRules=many(INHIBITION)
    ),
    ("grafana.integreatly.org/v1beta1", "GrafanaDashboard"): closed(
        "instanceSelector",
        "configMapRef",
        instanceSelector=SELECTOR,
        configMapRef=closed("name", "key", name=TEXT, key=TEXT),
        folder=TEXT,
        allowCrossNamespaceImport=FLAG,
        resyncPeriod=DURATION,
        datasources=many(closed("inputName", "datasourceName", inputName=TEXT, datasourceName=TEXT)),
    ),
    ("cilium.io/v2", "CiliumNetworkPolicy"): closed(
        "endpointSelector",
        "ingress",
        "egress",
        description=TEXT,
        endpointSelector=SELECTOR,
        ingress=many(CILIUM_INGRESS),
        egress=many(CILIUM_EGRESS),
    ),
}


def faults(given: Object, version: str = VERSIONS[-1]) -> tuple[str, ...]:
    """What Kubernetes *version* or the schema of its custom resource refuses in an object; empty: nothing."""
    metadata = given.get("metadata") or {}
    if (
        given.get("apiVersion"),
        given.get("kind"),
    ) in SPECS:  # which have no versions of ours, and metadata as they like
        version, given = VERSIONS[-1], {**given, "metadata": {}}
    about = f"{given.get('kind')}/{metadata.get('name')} {version}"
    return tuple(f"{about}: {line}" for line in _faults(json.dumps(given, sort_keys=True), version))


def forget() -> None:
    """Read the folder CRDS anew."""
    _faults.cache_clear()
    _validators.cache_clear()


@functools.cache
def _faults(text: str, version: str) -> tuple[str, ...]:
    given = json.loads(text)
    found = [
        f"{'.'.join(str(part) for part in error.absolute_path) or 'object'}: {error.message[:300]}"
        for validator in _validators(str(given.get("apiVersion")), str(given.get("kind")), version)
        for error in validator.iter_errors(given)
    ]
    return tuple(found)


@functools.cache
def _validators(api: str, kind: str, version: str) -> list[Any]:
    """Those of a kind; one that nobody knows is refused by a schema that refuses everything."""
    own = SPECS.get((api, kind))
    if own:
        whole = closed(
            "apiVersion", "kind", "metadata", "spec", apiVersion={"const": api}, kind={"const": kind}, spec=own
        )
        whole["properties"]["metadata"] = {"type": "object"}
        real = _real(os.environ.get("CRDS", "")).get((api, kind))
        return [_validator({**schema, "$defs": {"route": ROUTE}}) for schema in (whole, real) if schema]
    folder = f"kubernetes-json-schema/v{version}.0-local-strict"
    group, _, number = api.rpartition("/")
    file = f"{kind.lower()}-{group.partition('.')[0]}{'-' if group else ''}{number}.json"
    place = importlib.resources.files("kubernetes_validate") / folder
    if not (place / file).is_file():
        return [_validator({"not": {}, "description": f"no kind of {version}"})]
    return [jsonschema.Draft202012Validator(json.loads((place / file).read_text()), registry=_definitions(version))]


def _validator(schema: Schema) -> Any:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@functools.cache
def _definitions(version: str) -> Any:
    """What the schemas of one version refer to, read once: kubernetes_validate itself reads it for each object."""
    place = importlib.resources.files("kubernetes_validate") / f"kubernetes-json-schema/v{version}.0-local-strict"
    return Resource.from_contents(json.loads((place / "_definitions.json").read_text())) @ Registry()


@functools.cache
def _real(folder: str) -> Mapping[tuple[str, str], Schema]:
    """Schemas of the CustomResourceDefinitions in a folder, made strict, by apiVersion and kind."""
    found: dict[tuple[str, str], Schema] = {}
    for path in sorted(Path(folder).rglob("*.y*ml")) if folder else []:
        for crd in parsed(path.read_text()):
            spec = crd.get("spec") or {}
            for version in spec.get("versions", []) if crd["kind"] == "CustomResourceDefinition" else []:
                schema = strict(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}
                found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return found


def strict(schema: Any, *, outer: bool = True) -> Any:
    """
    A CRD's schema as JSON schema in which an unknown key is an error.

    Lost on the way: formats, defaults and what is written in CEL.

    Args:
        outer: whether it says all that an object has; what stands under anyOf and its like says a part.
    """
    if isinstance(schema, list):
        return [strict(each, outer=outer) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: strict(value, outer=outer and key not in {"anyOf", "allOf", "oneOf", "not"})
        for key, value in schema.items()
        if not _dropped(key)
    }
    if isinstance(schema.get("properties"), dict):  # names of fields are no keywords
        made["properties"] = {name: strict(value, outer=outer) for name, value in schema["properties"].items()}
        if outer and "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            made["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        rest = {key: value for key, value in made.items() if key not in {"type", "anyOf"}}
        made = {"anyOf": [{"type": "integer"}, {"type": "string", **rest}]}
    if schema.get("nullable") and "type" in made:
        made["type"] = [made["type"], "null"]
    return made


def _dropped(key: str) -> bool:
    return key in {"format", "nullable", "default", "example", "properties"} or key.startswith("x-kubernetes-")
