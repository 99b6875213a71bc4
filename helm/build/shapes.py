"""
What a value of the chart may be, beyond the type of its default: words, patterns, and Kubernetes' own shapes.

Written for Helm's validator: draft-07, Go's regular expressions, and messages that repeat the schema's words. Shapes
are closed wherever the list of keys is short and old; only what Kubernetes extends with every version is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_QUALIFIED = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
_QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e[0-9]+)?$"
_IPV4 = r"[0-9]{1,3}(\.[0-9]{1,3}){3}/([0-9]|[12][0-9]|3[0-2])"
_IPV6 = r"[0-9a-f:]*:[0-9a-f:]*/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8])"
_ARN = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[^\s]+$"


def text(pattern: str = "", *, empty: bool = False, most: int = 0) -> Schema:
    """A text that wholly matches *pattern*, or is *empty* where that may be."""
    made: Schema = {"type": "string"}
    if pattern:
        made["pattern"] = f"^({pattern})?$" if empty else f"^({pattern})$"
    elif not empty:
        made["minLength"] = 1
    return made | ({"maxLength": most} if most else {})


def words(*allowed: str) -> Schema:
    """One of *allowed*."""
    return {"type": "string", "enum": list(allowed)}


def whole(low: int, high: int = 0) -> Schema:
    """A whole number from *low* to *high*; 0: without an end."""
    return {"type": "integer", "minimum": low} | ({"maximum": high} if high else {})


def many(items: Schema, **more: Any) -> Schema:
    """A list."""
    return {"type": "array", "items": items, **more}


def mapping(values: Schema, names: str = "") -> Schema:
    """Keys that users choose, with alike values."""
    made: Schema = {"type": "object", "additionalProperties": values}
    return made | ({"propertyNames": {"pattern": names}} if names else {})


def closed(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    """Exactly these keys."""
    made: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return made | ({"required": list(required)} if required else {})


def opened(*required: str, **properties: Schema) -> Schema:
    """A shape of Kubernetes that goes on growing: these keys are held to, others pass."""
    return {"type": "object", "properties": properties, "required": list(required)}


STRING: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
PORT = whole(1, 65_535)
COUNT_OR_SHARE: Schema = {"anyOf": [whole(0), {"type": "string", "pattern": "^[0-9]{1,3}%$"}]}
NAME = text(_SUBDOMAIN, most=253)
NAME_OR_EMPTY = text(_SUBDOMAIN, empty=True, most=253)
NAMESPACE_OR_EMPTY = text(_LABEL, empty=True, most=63)
DURATION = text("([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?") | {"minLength": 2}
CIDR = text(f"{_IPV4}|{_IPV6}")
LABELS = mapping(
    {"type": "string", "pattern": r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$", "maxLength": 63}, _QUALIFIED
)
ANNOTATIONS = mapping(STRING, _QUALIFIED)
QUANTITY: Schema = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _QUANTITY}]}
SELECTOR = closed(
    matchLabels=LABELS,
    matchExpressions=many(
        closed(
            ("key", "operator"),
            key=STRING,
            operator=words("In", "NotIn", "Exists", "DoesNotExist"),
            values=many(STRING),
        )
    ),
)
PEER = closed(
    podSelector=SELECTOR,
    namespaceSelector=SELECTOR,
    ipBlock=closed(("cidr",), cidr=CIDR, **{"except": many(CIDR)}),
) | {"minProperties": 1}
ENDPOINTS = closed(
    matchLabels=mapping(STRING), matchExpressions=SELECTOR["properties"]["matchExpressions"]
)  # with keys such as k8s:io.kubernetes.pod.namespace
CILIUM_EGRESS = (
    *("toEndpoints", "toCIDR", "toCIDRSet", "toEntities", "toFQDNs", "toServices", "toGroups", "toNodes", "toRequires"),
    *("toPorts", "icmps", "authentication"),
)
RELABELING = closed(
    sourceLabels=many(text("[a-zA-Z_][a-zA-Z0-9_]*")),
    separator=STRING,
    targetLabel=STRING,
    regex=STRING,
    modulus=whole(1),
    replacement=STRING,
    action=words(
        *("replace", "Replace", "keep", "Keep", "drop", "Drop", "hashmod", "HashMod", "labelmap", "LabelMap"),
        *("labeldrop", "LabelDrop", "labelkeep", "LabelKeep", "lowercase", "Lowercase", "uppercase", "Uppercase"),
        *("keepequal", "KeepEqual", "dropequal", "DropEqual"),
    ),
)
CONTAINER = opened("name", "image", name=text(_LABEL), image=text())
MOUNT = closed(
    ("name", "mountPath"),
    name=text(_LABEL),
    mountPath=text("/[^:]*"),
    readOnly=FLAG,
    recursiveReadOnly=STRING,
    subPath=STRING,
    subPathExpr=STRING,
    mountPropagation=words("None", "HostToContainer", "Bidirectional"),
)
PROFILE = closed(("type",), type=words("RuntimeDefault", "Localhost"), localhostProfile=STRING)
SELINUX = closed(level=STRING, role=STRING, type=STRING, user=STRING)

LEAVES: Mapping[str, Schema] = {
    "nameOverride": NAMESPACE_OR_EMPTY,
    "fullnameOverride": NAMESPACE_OR_EMPTY,
    "namespaceOverride": NAMESPACE_OR_EMPTY,
    "commonLabels": LABELS,
    "commonAnnotations": ANNOTATIONS,
    # Shared with other charts, some of which write them as pods do.
    "global.imagePullSecrets": many({"anyOf": [NAME, closed(("name",), name=NAME)]}),
    "mode": words("leader", "shards"),
    "replicas": whole(0, 10),
    "shards.total": whole(1, 1000),
    "shards.sets": whole(1, 2),
    "image.registry": text(r"[a-z0-9]([-a-z0-9._]*[a-z0-9])?(:[0-9]+)?(/[-a-z0-9._/]+)?", empty=True),
    "image.repository": text(r"[a-z0-9]+([-._/a-z0-9]*[a-z0-9])?"),
    "image.tag": text(r"[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}", empty=True),
    "image.digest": text("sha256:[0-9a-f]{64}", empty=True),
    "image.pullPolicy": words("Always", "IfNotPresent", "Never"),
    "imagePullSecrets": many(NAME),
    "serviceAccount.name": NAME_OR_EMPTY,
    "serviceAccount.annotations": ANNOTATIONS,
    "rbac.existingClusterRole": STRING,
    "aws.identity": words("podIdentity", "irsa", "secret", "none"),
    "aws.region": text("[a-z]{2}(-[a-z]+)+-[0-9]", empty=True),
    "aws.roleArn": {"type": "string", "pattern": f"^$|{_ARN}"},
    "aws.existingSecret.name": NAME_OR_EMPTY,
    "aws.existingSecret.accessKeyIdKey": text("[-._a-zA-Z0-9]+"),
    "aws.existingSecret.secretAccessKeyKey": text("[-._a-zA-Z0-9]+"),
    "aws.existingSecret.sessionTokenKey": text("[-._a-zA-Z0-9]+", empty=True),
    "existingConfigMap.name": NAME_OR_EMPTY,
    "existingConfigMap.key": text("[-._a-zA-Z0-9]+"),
    "secretFiles": many(NAME, uniqueItems=True),
    "port": whole(1024, 65_535),
    "service.type": words("ClusterIP", "NodePort", "LoadBalancer"),
    "service.port": PORT,
    "service.annotations": ANNOTATIONS,
    "scrape.by": words("serviceMonitor", "podMonitor", "annotations", "none"),
    "scrape.interval": DURATION,
    "scrape.timeout": DURATION,
    "scrape.labels": LABELS,
    "scrape.annotations": ANNOTATIONS,
    "scrape.namespace": NAMESPACE_OR_EMPTY,
    "scrape.relabelings": many(RELABELING),
    "scrape.metricRelabelings": many(RELABELING),
    "rules.mimir.delivery": words("prometheusRule", "configMap", "sync", "none"),
    "rules.mimir.evaluatedBy": words("prometheus", "mimir"),
    "rules.mimir.labels": LABELS,
    "rules.mimir.annotations": ANNOTATIONS,
    "rules.mimir.namespace": NAMESPACE_OR_EMPTY,
    "rules.loki.delivery": words("prometheusRule", "configMap", "sync", "none"),
    "rules.loki.labels": LABELS,
    "rules.loki.annotations": ANNOTATIONS,
    "rules.loki.namespace": NAMESPACE_OR_EMPTY,
    "rules.loki.folder": text("/.+"),
    "rules.sync.activeDeadlineSeconds": whole(10),
    "rules.sync.backoffLimit": whole(0, 20),
    "rules.sync.annotations": ANNOTATIONS,
    "dashboards.labels": LABELS,
    "dashboards.annotations": ANNOTATIONS,
    "dashboards.namespace": NAMESPACE_OR_EMPTY,
    "dashboards.operator.instanceSelector": SELECTOR,
    "dashboards.operator.resyncPeriod": DURATION,
    "alertmanager.config.labels": LABELS,
    "alertmanager.config.annotations": ANNOTATIONS,
    "alertmanager.config.receivers": many(opened("name", name=text())),
    "networkPolicy.flavor": words("kubernetes", "cilium"),
    "networkPolicy.ingress.from": many({"type": "object", "minProperties": 1}),
    "networkPolicy.egress.https": many(CIDR, minItems=1),
    "networkPolicy.egress.kubernetesPort": whole(0, 65_535),
    "networkPolicy.egress.receivers": LABELS,
    "networkPolicy.egress.receiverPorts": many(PORT, minItems=1, uniqueItems=True),
    "networkPolicy.egress.extra": many({"type": "object", "minProperties": 1}),
    "podDisruptionBudget.maxUnavailable": COUNT_OR_SHARE,
    "persistence.size": QUANTITY,
    "persistence.annotations": ANNOTATIONS,
    "dataVolume.sizeLimit": QUANTITY,
    "tmpVolume.sizeLimit": QUANTITY,
    "resources": closed(
        requests=mapping(QUANTITY),
        limits=mapping(QUANTITY),
        claims=many(closed(("name",), name=text(), request=STRING)),
    ),
    "podSecurityContext": closed(
        runAsNonRoot={"type": "boolean", "enum": [True]},
        runAsUser=whole(1),
        runAsGroup=whole(0),
        fsGroup=whole(0),
        fsGroupChangePolicy=words("OnRootMismatch", "Always"),
        supplementalGroups=many(whole(0)),
        supplementalGroupsPolicy=words("Merge", "Strict"),
        seccompProfile=PROFILE,
        seLinuxOptions=SELINUX,
        seLinuxChangePolicy=STRING,
        appArmorProfile=PROFILE,
        sysctls=many(closed(("name", "value"), name=STRING, value=STRING)),
    ),
    "securityContext": closed(
        ("allowPrivilegeEscalation", "capabilities"),
        allowPrivilegeEscalation={"type": "boolean", "enum": [False]},
        privileged={"type": "boolean", "enum": [False]},
        readOnlyRootFilesystem=FLAG,
        runAsNonRoot={"type": "boolean", "enum": [True]},
        runAsUser=whole(1),
        runAsGroup=whole(0),
        capabilities=closed(
            ("drop",), drop=many(STRING, contains={"enum": ["ALL"]}), add=many(words("NET_BIND_SERVICE"))
        ),
        seccompProfile=PROFILE,
        seLinuxOptions=SELINUX,
        appArmorProfile=PROFILE,
        procMount=words("Default"),
    ),
    **{
        f"{probe}.{key}": whole(1)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        for key in ("periodSeconds", "failureThreshold", "timeoutSeconds")
    },
    "terminationGracePeriodSeconds": whole(10),
    "podLabels": LABELS,
    "podAnnotations": ANNOTATIONS,
    "nodeSelector": LABELS,
    "tolerations": many(
        closed(
            key=STRING,
            operator=words("Exists", "Equal"),
            value=STRING,
            effect=words("NoSchedule", "PreferNoSchedule", "NoExecute"),
            tolerationSeconds=whole(0),
        )
    ),
    "affinity": closed(
        nodeAffinity={"type": "object"}, podAffinity={"type": "object"}, podAntiAffinity={"type": "object"}
    ),
    "topologySpreadConstraints": many(
        closed(
            ("maxSkew", "topologyKey", "whenUnsatisfiable"),
            maxSkew=whole(1),
            topologyKey=text(),
            whenUnsatisfiable=words("DoNotSchedule", "ScheduleAnyway"),
            labelSelector=SELECTOR,
            minDomains=whole(1),
            nodeAffinityPolicy=words("Honor", "Ignore"),
            nodeTaintsPolicy=words("Honor", "Ignore"),
            matchLabelKeys=many(STRING),
        )
    ),
    "revisionHistoryLimit": whole(0),
    "updateStrategy": closed(
        type=words("RollingUpdate", "Recreate", "OnDelete"),
        rollingUpdate=closed(maxSurge=COUNT_OR_SHARE, maxUnavailable=COUNT_OR_SHARE, partition=whole(0)),
    ),
    "dnsPolicy": words("", "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "dnsConfig": closed(
        nameservers=many(STRING), searches=many(STRING), options=many(closed(("name",), name=STRING, value=STRING))
    ),
    "extraArgs": many(STRING),
    "extraEnv": many(
        closed(("name",), name=text("[-._a-zA-Z][-._a-zA-Z0-9]*"), value=STRING, valueFrom={"type": "object"})
    ),
    "extraEnvFrom": many(closed(configMapRef={"type": "object"}, secretRef={"type": "object"}, prefix=STRING)),
    "extraVolumes": many(opened("name", name=text(_LABEL))),
    "extraVolumeMounts": many(MOUNT),
    "extraInitContainers": many(CONTAINER),
    "extraContainers": many(CONTAINER),
    "extraObjects": many(opened("apiVersion", "kind", apiVersion=text(), kind=text())),
    "test.annotations": ANNOTATIONS,
}
"""By the path of the leaf. A text, a number or a switch that is not here is held to the type of its default."""


def _peers(peer: Schema) -> Schema:
    return {"properties": {"from": many(peer)}}


def _rules(*keys: str) -> Schema:
    return {"properties": {"extra": many({"propertyNames": {"enum": list(keys)}})}}


OPEN = frozenset({"global"})
"""Sections in which other keys may stand: an umbrella chart shares them."""

SECTIONS: Mapping[str, Schema] = {
    "networkPolicy": {
        "if": {"properties": {"flavor": {"enum": ["kubernetes"]}}},
        "then": {"properties": {"ingress": _peers(PEER), "egress": _rules("to", "ports")}},
        "else": {"properties": {"ingress": _peers(ENDPOINTS), "egress": _rules(*CILIUM_EGRESS)}},
    },
}
"""What lies between keys of one section."""
