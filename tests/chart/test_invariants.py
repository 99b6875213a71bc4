"""Each invariant tells an object that is broken on purpose: a real render in which one thing is changed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from tests.chart import invariants
from tests.chart.invariants import monitoring, network, scene
from tests.chart.invariants.scene import Scene
from tests.chart.matrix import case
from tests.chart.rendering import Object, one

DELETE = object()
_POD = "spec.template.spec"
_MAIN = f"{_POD}.containers.storage-exporter"
_END = "spec.endpoints.0"
_FIRST = "a" * 64
_KEY_OF_MAP = {"configMapKeyRef": {"name": "o", "key": "k"}}
_KEY_OF_SECRET = {"secretKeyRef": {"name": "o", "key": "k"}}
_CLAIMED = {"name": "o", "persistentVolumeClaim": {"claimName": "o"}}

# Case, kind, path (list items by place or name; + appends, - is the last), value, invariant, part of its line.
BROKEN: list[tuple[str, str, str, Any, str, str]] = [
    ("lean", "Deployment", "spec.template.spec.nodeSelector", None, "nothing_empty", "nodeSelector is null"),
    ("lean", "Deployment", f"{_POD}.tolerations", [], "nothing_empty", "tolerations is empty"),
    ("lean", "Deployment", f"{_POD}.affinity", {}, "nothing_empty", "affinity is empty"),
    ("lean", "Deployment", f"{_POD}.priorityClassName", "", "nothing_empty", "is an empty text"),
    ("lean", "ConfigMap", "data", {}, "nothing_empty", "no data"),
    ("lean", "Service", "metadata.name", "x" * 64, "names", "not a DNS label"),
    ("lean", "Service", "metadata.name", "Storage_Exporter", "names", "not a DNS label"),
    ("lean", "Deployment", f"{_MAIN}.name", "Main_", "names", "name Main_"),
    ("lean", "Deployment", f"{_MAIN}.ports.0.name", "metrics-of-storage", "names", "at most 15"),
    ("lean", "Service", "spec.ports.0.name", "Metrics", "names", "at most 15"),
    ("shards", "StatefulSet", "metadata.name", "x" * 53, "names", "no room for ordinal"),
    ("everything", "Deployment", f"{_POD}.containers.1.name", "storage-exporter", "names", "two containers"),
    ("lean", "Service", "metadata.namespace", DELETE, "namespaces", "no namespace"),
    ("lean", "ClusterRole", "metadata.namespace", "monitoring", "namespaces", "has no namespace, and says"),
    ("lean", "Service", "metadata.labels.team", 1, "labelled", "label team: 1"),
    ("lean", "Service", "metadata.labels.team", "x" * 100, "labelled", "label team"),
    ("lean", "Service", "metadata.annotations", {"a b": "c"}, "labelled", "annotation a b"),
    ("lean", "Deployment", "spec.template.metadata.annotations.n", True, "labelled", "annotation n: True"),
    ("lean", "Service", "metadata.labels.helm\\.sh/chart", DELETE, "labelled", "no label helm.sh/chart"),
    ("lean", "Service", "metadata.labels.app\\.kubernetes\\.io/managed-by", "me", "labelled", "not managed by Helm"),
    ("everything", "Service", "metadata.labels.team", DELETE, "labelled", "label team is missing"),
    ("everything", "Service", "metadata.annotations.contact", DELETE, "labelled", "annotation contact is missing"),
    (
        "lean",
        "Deployment",
        f"{_POD}.topologySpreadConstraints.0.whenUnsatisfiable",
        "ScheduleAnyways",
        "enums",
        "none of",
    ),
    ("lean", "Deployment", f"{_MAIN}.ports.0.protocol", "udp", "enums", "none of"),
    ("lean", "Deployment", f"{_MAIN}.imagePullPolicy", "ifNotPresent", "enums", "none of"),
    ("lean", "Deployment", "spec.strategy.type", "Rolling", "enums", "none of"),
    ("lean", "ClusterRole", "rules.0.verbs", ["lists"], "enums", "none of"),
    ("irsa", "NetworkPolicy", "spec.policyTypes", ["ingress", "Egress"], "enums", "none of"),
    ("sync", "Job", "metadata.annotations.helm\\.sh/hook", "post-instal", "hooked", "hook post-instal"),
    ("sync", "Job", "metadata.annotations.helm\\.sh/hok", "post-install", "hooked", "none of Helm's"),
    (
        "sync",
        "Job",
        "metadata.annotations.helm\\.sh/hook-delete-policy",
        "hook-done",
        "hooked",
        "delete policy hook-done",
    ),
    ("sync", "Job", "metadata.annotations.helm\\.sh/hook-delete-policy", DELETE, "hooked", "a second run"),
    ("sync", "Job", "metadata.annotations.helm\\.sh/hook-weight", "first", "hooked", "hook-weight first"),
    ("sync", "Job", "metadata.annotations.helm\\.sh/hook", DELETE, "hooked", "without a hook"),
    ("lean", "ConfigMap", "kind", "Secret", "no_secret", "the user's"),
    ("lean", "Service", "metadata.annotations", {"key": "AKIA" + "A" * 16}, "no_secret", "holds a key"),
    (
        "lean",
        "ConfigMap",
        "data.config\\.yaml",
        "delivery: {push: {auth: {bearer_token: x}}}",
        "no_secret",
        "plain text",
    ),
    ("lean", "ConfigMap", "data.more", "x" * 250_001, "sizes", "more than 250000"),
    ("lean", "ConfigMap", "data.more", "x" * 1_500_001, "sizes", "ConfigMaps: "),
    ("lean", "ConfigMap", "data.x\\.yaml", "a: [", "readable", "x.yaml cannot be read"),
    ("lean", "ConfigMap", "data.x\\.json", "{", "readable", "x.json cannot be read"),
    ("lean", "ConfigMap", "data.x\\.tmpl", "", "readable", "x.tmpl holds nothing"),
    ("lean", "Deployment", f"{_POD}.hostNetwork", True, "restricted", "hostNetwork"),
    ("lean", "Deployment", f"{_POD}.volumes.+", {"name": "x", "hostPath": {"path": "/"}}, "restricted", "hostPath"),
    ("lean", "Deployment", f"{_POD}.securityContext.sysctls", [{"name": "a", "value": "b"}], "restricted", "sysctl a"),
    ("lean", "Deployment", f"{_MAIN}.securityContext.allowPrivilegeEscalation", DELETE, "restricted", "Escalation"),
    ("lean", "Deployment", f"{_MAIN}.securityContext.privileged", True, "restricted", "privileged"),
    ("lean", "Deployment", f"{_MAIN}.securityContext.capabilities", DELETE, "restricted", "no ALL"),
    ("lean", "Deployment", f"{_MAIN}.securityContext.capabilities.add", ["SYS_ADMIN"], "restricted", "are added"),
    ("lean", "Deployment", f"{_MAIN}.securityContext.procMount", "Unmasked", "restricted", "procMount"),
    ("lean", "Deployment", f"{_MAIN}.securityContext.runAsNonRoot", False, "restricted", "runAsNonRoot"),
    ("lean", "Deployment", f"{_MAIN}.securityContext.runAsUser", 0, "restricted", "runAsUser is 0"),
    ("lean", "Deployment", f"{_POD}.securityContext.seccompProfile", DELETE, "restricted", "no seccompProfile"),
    ("lean", "Deployment", f"{_POD}.securityContext.seLinuxOptions", {"user": "x"}, "restricted", "seLinuxOptions"),
    ("lean", "Deployment", f"{_MAIN}.ports.0.hostPort", 9116, "restricted", "hostPort"),
    ("sync", "Job", f"{_POD}.hostPID", True, "restricted", "hostPID"),
    ("lean", "Pod", "spec.securityContext.runAsNonRoot", DELETE, "restricted", "runAsNonRoot"),
    ("lean", "Deployment", f"{_POD}.automountServiceAccountToken", DELETE, "hardened", "does not say"),
    ("lean", "Deployment", f"{_POD}.automountServiceAccountToken", False, "hardened", "is not True"),
    ("nothing", "Deployment", f"{_POD}.automountServiceAccountToken", True, "hardened", "is not False"),
    ("lean", "Deployment", f"{_POD}.securityContext.runAsGroup", DELETE, "hardened", "not all numbers"),
    ("lean", "Deployment", f"{_MAIN}.name", "main", "hardened", "has no container"),
    ("lean", "Deployment", f"{_MAIN}.securityContext.readOnlyRootFilesystem", False, "hardened", "readOnlyRoot"),
    ("lean", "Deployment", f"{_POD}.enableServiceLinks", DELETE, "hardened", "enableServiceLinks"),
    ("lean", "Deployment", f"{_MAIN}.resources.limits.memory", DELETE, "resources", "no limit of memory"),
    ("lean", "Deployment", f"{_MAIN}.resources.requests.memory", "1Gi", "resources", "more memory than its limit"),
    ("lean", "Deployment", f"{_MAIN}.resources.limits.cpu", "1", "resources", "a limit of CPU"),
    ("lean", "Deployment", f"{_MAIN}.resources.requests.cpu", DELETE, "resources", "no request of CPU"),
    ("lean", "Deployment", f"{_MAIN}.livenessProbe.httpGet.path", "/-/ready", "probes", "in place of /-/healthy"),
    ("lean", "Deployment", f"{_MAIN}.startupProbe", DELETE, "probes", "startupProbe"),
    ("lean", "Deployment", f"{_MAIN}.startupProbe.failureThreshold", 3, "probes", "less than 60 s"),
    ("lean", "Deployment", f"{_MAIN}.readinessProbe.httpGet.port", "http", "probes", "port http is none of"),
    ("lean", "Deployment", f"{_MAIN}.readinessProbe.periodSeconds", 6, "probes", "in place of"),
    ("lean", "Deployment", f"{_POD}.terminationGracePeriodSeconds", 10, "probes", "terminationGrace"),
    ("web-config", "Deployment", f"{_MAIN}.livenessProbe.tcpSocket", DELETE, "probes", "port None"),
    ("lean", "Deployment", f"{_MAIN}.volumeMounts.0.name", "other", "mounts", "mount other has no volume"),
    ("lean", "Deployment", f"{_MAIN}.volumeMounts.0", DELETE, "mounts", "is mounted nowhere"),
    ("lean", "Deployment", f"{_MAIN}.volumeMounts.1.mountPath", "/tmp", "mounts", "/tmp twice"),
    ("lean", "Deployment", f"{_MAIN}.volumeMounts.config.subPath", "config.yaml", "mounts", "by subPath"),
    ("lean", "Deployment", f"{_MAIN}.volumeMounts.config.readOnly", DELETE, "mounts", "is not readOnly"),
    ("lean", "Deployment", f"{_POD}.volumes.tmp.emptyDir", {}, "mounts", "no sizeLimit"),
    ("lean", "Deployment", f"{_POD}.volumes.+", {"name": "tmp", "emptyDir": {}}, "mounts", "volume tmp twice"),
    ("lean", "Deployment", f"{_MAIN}.args.2", "/etc/config.yaml", "places", "is in no mounted ConfigMap"),
    ("lean", "Deployment", f"{_POD}.volumes.config.configMap.items.0.path", "x.yaml", "places", "gives ['x.yaml']"),
    ("lean", "Deployment", f"{_MAIN}.volumeMounts.tmp.readOnly", True, "places", "/tmp cannot be written"),
    ("lean", "Deployment", f"{_MAIN}.volumeMounts.data.mountPath", "/data", "places", "cannot be written"),
    ("push", "Deployment", f"{_MAIN}.volumeMounts.secret-0.mountPath", "/etc/x", "places", "Secret mimir is not at"),
    ("lean", "Deployment", f"{_MAIN}.image", "ghcr.io/a/b:latest", "images", "latest"),
    ("lean", "Deployment", f"{_MAIN}.image", "storage-exporter:1.0", "images", "not registry/name:tag"),
    ("lean", "Deployment", f"{_MAIN}.image", "ghcr.io/a/b:", "images", "not registry/name:tag"),
    ("lean", "Deployment", f"{_MAIN}.image", "ghcr.io/a/b:1", "images", "different images"),
    ("lean", "Deployment", f"{_MAIN}.imagePullPolicy", "Always", "images", "is not the value's"),
    ("lean", "Deployment", f"{_MAIN}.env.+", {"name": "POD_NAME", "value": "x"}, "environment", "POD_NAME twice"),
    ("lean", "Deployment", f"{_MAIN}.env.+", {"name": "AWS_SECRET_ACCESS_KEY", "value": "x"}, "environment", "plain"),
    ("lean", "Deployment", f"{_MAIN}.env.+", {"name": "X"}, "environment", "X has no value"),
    ("lean", "Deployment", "spec.template.metadata.annotations.checksum/config", DELETE, "rolled", "is None"),
    ("external", "Deployment", "spec.template.metadata.annotations.checksum/config", _FIRST, "rolled", "without a"),
    ("lean", "Deployment", f"{_POD}.topologySpreadConstraints.0.labelSelector", DELETE, "spread", "does not take"),
    ("lean", "Deployment", "spec.strategy.rollingUpdate.maxUnavailable", 1, "spread", "strategy is"),
    ("lean", "Deployment", "spec.revisionHistoryLimit", DELETE, "spread", "revisionHistoryLimit"),
    ("shards", "StatefulSet", "spec.podManagementPolicy", "OrderedReady", "spread", "wait for one another"),
    ("lean", "ConfigMap", "data.config\\.yaml", "web: {listen: ':9116'}", "elected", "leader_election is None"),
    ("lean", "Deployment", "spec.replicas", 3, "elected", "replicas are"),
    ("lean", "Deployment", f"{_MAIN}.ports.0.containerPort", 80, "elected", "are not both 9116"),
    ("shards", "ConfigMap", "data.config\\.yaml", "shards: {total: 2}", "elected", "config.shards.total is 2"),
    ("shards", "StatefulSet", "kind", "DaemonSet", "elected", "0 StatefulSets in place of 1"),
    ("lean", "Deployment", "kind", "DaemonSet", "elected", "0 workloads in place of 1"),
    ("lean", "Pod", "metadata.annotations", DELETE, "jobs", "is no hook"),
    ("lean", "Pod", "spec.restartPolicy", "Always", "jobs", "restartPolicy is Always"),
    ("sync", "Job", "spec.backoffLimit", 6, "jobs", "backoffLimit is not the value's"),
    (
        "lean",
        "Deployment",
        f"{_POD}.volumes.config.configMap.name",
        "other",
        "references",
        "ConfigMap other is neither",
    ),
    ("lean", "Deployment", f"{_POD}.volumes.config.configMap.items.0.key", "x", "references", "has no x"),
    ("lean", "Deployment", f"{_POD}.serviceAccountName", "other", "references", "ServiceAccount other is neither"),
    ("lean", "Deployment", f"{_MAIN}.envFrom", [{"secretRef": {"name": "o"}}], "references", "Secret o is neither"),
    ("lean", "Deployment", f"{_MAIN}.env.+", {"name": "X", "valueFrom": _KEY_OF_MAP}, "references", "ConfigMap o is"),
    ("secret", "Deployment", f"{_MAIN}.env.+", {"name": "X", "valueFrom": _KEY_OF_SECRET}, "references", "Secret o is"),
    ("lean", "Deployment", f"{_POD}.volumes.+", _CLAIMED, "references", "PersistentVolumeClaim o is neither"),
    ("lean", "Deployment", f"{_POD}.imagePullSecrets", [{"name": "o"}], "references", "Secret o is neither"),
    ("sync", "Job", "metadata.annotations.helm\\.sh/hook", "pre-install", "references", "runs before"),
    ("grafana-operator", "GrafanaDashboard", "spec.configMapRef.key", "x.json", "references", "with x.json"),
    ("lean", "Deployment", "spec.selector.matchLabels.a", "b", "selectors", "does not take its pods"),
    ("lean", "Deployment", "spec.selector.matchLabels", {}, "selectors", "the selector holds []"),
    ("lean", "Deployment", "spec.selector.matchLabels.helm\\.sh/chart", "x", "selectors", "helm.sh/chart"),
    ("lean", "Pod", "metadata.labels", {}, "labelled", "no label"),
    ("everything", "Deployment", "spec.template.metadata.labels.injected", DELETE, "selectors", "no label injected"),
    ("lean", "Service", "spec.selector", {"app": "x"}, "services", "does not take Deployment"),
    ("lean", "Service", "spec.selector", {}, "services", "takes Pod/"),
    ("lean", "Service", "spec.ports.0.targetPort", "http", "services", "targetPort http is no port"),
    ("lean", "Service", "spec.ports.0.name", "http", "services", "the port's name is http"),
    ("lean", "Service", "spec.ports.0.port", 80, "services", "port 80 is not the value's"),
    ("lean", "Service", "spec.type", "NodePort", "services", "type is NodePort"),
    ("lean", "Service", "spec.clusterIP", "None", "services", "and 0 are made"),
    ("shards", "StatefulSet", "spec.serviceName", "storage-exporter", "services", "is no headless Service"),
    ("lean", "ServiceMonitor", "kind", "PodMonitor", "scraped", "scrape.by is serviceMonitor"),
    ("lean", "ServiceMonitor", "spec.selector.matchLabels.a", "b", "scraped", "takes []"),
    ("lean", "ServiceMonitor", f"{_END}.port", "http", "scraped", "port http is none of"),
    ("lean", "ServiceMonitor", "metadata.namespace", "scrapers", "scraped", "the targets are in monitoring"),
    ("lean", "ServiceMonitor", "spec.jobLabel", "nothing", "scraped", "jobLabel nothing"),
    (
        "shards",
        "ServiceMonitor",
        "spec.selector.matchLabels.app\\.kubernetes\\.io/component",
        DELETE,
        "scraped",
        "takes",
    ),
    ("pod-monitor", "PodMonitor", "spec.podMetricsEndpoints.0.port", "http", "scraped", "port http is none of"),
    ("pod-monitor", "PodMonitor", "spec.selector", {}, "scraped", "takes Pod/"),
    ("pod-monitor", "PodMonitor", "spec.namespaceSelector", DELETE, "scraped", "the targets are in monitoring"),
    ("pod-monitor", "PodMonitor", "spec.jobLabel", "nothing", "scraped", "jobLabel nothing"),
    (
        "annotations",
        "Deployment",
        "spec.template.metadata.annotations.prometheus\\.io/port",
        "1",
        "scraped",
        "annotated",
    ),
    ("lean", "PodDisruptionBudget", "spec.maxUnavailable", 0, "drained", "no node can be drained"),
    ("lean", "PodDisruptionBudget", "spec.maxUnavailable", 2, "drained", "all 2 pods may go"),
    ("lean", "PodDisruptionBudget", "spec.minAvailable", 2, "drained", "one of maxUnavailable"),
    ("lean", "PodDisruptionBudget", "spec.selector.matchLabels.a", "b", "drained", "does not take"),
    ("lean", "PodDisruptionBudget", "kind", "Other", "drained", "0 disruption budgets for 2 pods"),
    ("lean", "ClusterRole", "rules.0.verbs.+", "get", "within_the_list", "may ('', 'persistent"),
    ("lean", "ClusterRole", "rules.0.resources.+", "secrets", "within_the_list", "'secrets', 'list'"),
    ("lean", "ClusterRole", "rules.0.resources.+", "*", "within_the_list", "'*', 'list'"),
    ("lean", "ClusterRole", "rules.0.nonResourceURLs", ["/metrics"], "within_the_list", "may reach URLs"),
    ("lean", "Role", "rules.1.resourceNames", DELETE, "leases", "on every Lease"),
    ("lean", "Role", "rules.0.verbs.+", "update", "leases", "on every Lease"),
    ("lean", "Role", "rules.0.resourceNames", ["a"], "leases", "never granted by name"),
    ("lean", "Role", "rules.1.resourceNames", ["other"], "leases", "where the configuration's is"),
    ("lean", "Role", "kind", "ClusterRole", "leases", "Leases of every namespace"),
    ("lean", "ClusterRole", "rules.0.verbs", ["list"], "as_configured", "may not"),
    ("lean", "ClusterRole", "rules.0.resources.+", "pods", "as_configured", "without need"),
    ("lean", "Role", "rules.1.verbs", ["get"], "as_configured", "Role: may not"),
    ("one-replica", "ClusterRole", "kind", "Role", "as_configured", "Role: may"),
    ("lean", "RoleBinding", "roleRef.name", "other", "bindings", "there is no Role other"),
    ("lean", "RoleBinding", "roleRef.apiGroup", "rbac", "bindings", "apiGroup is rbac"),
    ("lean", "RoleBinding", "roleRef.kind", "ClusterRole", "bindings", "within one namespace"),
    ("lean", "ClusterRoleBinding", "subjects.0.namespace", "default", "bindings", "binds [("),
    ("lean", "ClusterRoleBinding", "subjects.0.kind", "User", "bindings", "binds [("),
    ("lean", "ClusterRoleBinding", "kind", "Other", "bindings", "is bound to nobody"),
    ("external", "ClusterRoleBinding", "kind", "Other", "bindings", "of the values is bound to nobody"),
    ("lean", "Pod", "spec.serviceAccountName", "default", "accounts", "service accounts of pods"),
    ("lean", "ServiceAccount", "automountServiceAccountToken", True, "accounts", "is not false"),
    ("irsa", "ServiceAccount", "metadata.annotations", DELETE, "accounts", "annotated with role None"),
    ("lean", "ServiceAccount", "metadata.annotations", {"eks.amazonaws.com/role-arn": "x"}, "accounts", "role x"),
    ("lean", "ServiceAccount", "kind", "Other", "accounts", "and 0 are made"),
    ("irsa", "NetworkPolicy", "kind", "CiliumNetworkPolicy", "policies", "networkPolicy is True kubernetes"),
    ("irsa", "NetworkPolicy", "spec.podSelector.matchLabels.a", "b", "policies", "does not take Deployment"),
    ("irsa", "NetworkPolicy", "spec.podSelector", {}, "policies", "takes every pod"),
    ("sync", "Job", "spec.template.metadata.labels", {}, "policies", "does not take Job/"),
    ("irsa", "NetworkPolicy", "spec.policyTypes", ["Ingress"], "policies", "policyTypes ['Ingress']"),
    ("irsa", "NetworkPolicy", "spec.ingress", DELETE, "policies", "nobody gets in"),
    ("irsa", "NetworkPolicy", "spec.ingress.0.ports", DELETE, "policies", "ingress on every port"),
    ("irsa", "NetworkPolicy", "spec.ingress.0.ports.0.port", "http", "policies", "ingress http/TCP is no port"),
    ("irsa", "NetworkPolicy", "spec.egress", DELETE, "policies", "no egress"),
    ("irsa", "NetworkPolicy", "spec.egress.+", {"to": []}, "policies", "egress on every port"),
    ("everything", "NetworkPolicy", "spec.egress.-", DELETE, "policies", "egress.extra is left out"),
    ("cilium", "CiliumNetworkPolicy", "spec.endpointSelector", {}, "policies", "takes every pod"),
    ("cilium", "CiliumNetworkPolicy", "spec.ingress.0.toPorts", DELETE, "policies", "ingress on every port"),
    ("lean", "ServiceMonitor", f"{_END}.honorLabels", DELETE, "honored", "honorLabels is not true"),
    ("lean", "ServiceMonitor", f"{_END}.honorTimestamps", False, "honored", "honorTimestamps"),
    ("lean", "ServiceMonitor", f"{_END}.path", "/", "honored", "path /"),
    ("lean", "ServiceMonitor", f"{_END}.interval", "60s", "honored", "interval and timeout"),
    ("everything", "ServiceMonitor", f"{_END}.relabelings", DELETE, "honored", "relabelings of the values"),
    ("everything", "ServiceMonitor", f"{_END}.metricRelabelings.-", DELETE, "honored", "are not the last"),
    ("lean", "ServiceMonitor", f"{_END}.metricRelabelings", DELETE, "pinned", "is another series after"),
    ("lean", "ServiceMonitor", f"{_END}.metricRelabelings.0.regex", ".*", "pinned", "is not what they say"),
    (
        "lean",
        "ServiceMonitor",
        f"{_END}.metricRelabelings.+",
        {"regex": "aws_.*", "sourceLabels": ["__name__"], "action": "drop"},
        "pinned",
        "is dropped",
    ),
    (
        "lean",
        "ServiceMonitor",
        f"{_END}.metricRelabelings.+",
        {"regex": "volume_id", "action": "labeldrop"},
        "pinned",
        "is no longer what it was",
    ),
]


@pytest.mark.parametrize("row", BROKEN, ids=lambda row: f"{row[4]}-{row[0]}-{row[1]}-{row[5]}")
def test_told(row: tuple[str, str, str, Any, str, str]) -> None:
    """The line that is expected is there after the change, and was not before."""
    name, kind, path, value, invariant, words = row
    given = case(name)
    objects = given.objects()
    values = given.effective()
    assert not _said(objects, values, invariant, words)
    change(next(each for each in objects if each["kind"] == kind), path, value)
    assert _said(objects, values, invariant, words), invariants.wrong(Scene(objects, values))


MISSING = (
    (
        "lean",
        "NetworkPolicy",
        ("169.254.170.23/32", "fd00:ec2::23/128", "DNS 53/UDP", "DNS 53/TCP", "0.0.0.0/0 443/TCP"),
    ),
    (
        "cilium",
        "CiliumNetworkPolicy",
        ("entity:host 80/TCP", "DNS 53/UDP", "kube-apiserver", "Kubernetes API 6443/TCP"),
    ),
    ("push", "NetworkPolicy", ("receivers 8080/TCP", "receivers 3100/TCP", "169.254.170.23/32")),
    ("sync", "NetworkPolicy", ("receivers 8080/TCP",)),
    ("everything", "NetworkPolicy", ("Kubernetes API 6443/TCP", "10.0.0.0/8 443/TCP", "fd00::/8 443/TCP")),
)


@pytest.mark.parametrize(("name", "kind", "words"), MISSING, ids=lambda each: str(each)[:20])
def test_egress_that_is_left_out(name: str, kind: str, words: tuple[str, ...]) -> None:
    """Each way out that the exporter needs is named where it is missing; none is where all are there."""
    given = case("persistence" if name == "lean" else name)
    objects, values = given.objects(), given.effective()
    one(objects, kind)["spec"]["egress"] = [{"ports": [{"port": 1, "protocol": "TCP"}]}]
    lines = [line for line in invariants.wrong(Scene(objects, values)) if line.startswith("policies")]
    for word in words:
        assert any(word in line for line in lines), (word, lines)


def test_egress_without_need() -> None:
    """The agent is no way out of a pod that has keys of its own, nor are receivers where nothing is pushed."""
    for name, keys, value in (
        ("persistence", ("aws", "identity"), "secret"),
        ("cilium", ("aws", "identity"), "irsa"),
        ("no-identity", ("aws", "identity"), "podIdentity"),
        ("push", ("config", "delivery"), {}),
    ):
        given = case(name)
        objects, values = given.objects(), given.effective()
        values[keys[0]] = {**values[keys[0]], keys[1]: value}
        if name == "push":
            one(objects, "ConfigMap")["data"]["config.yaml"] = "{}"
        lines = invariants.wrong(Scene(objects, values), [network.policies])
        assert any("without need" in line for line in lines), name


def test_every_invariant_is_tried() -> None:
    """No invariant is without a row."""
    assert {check.__name__ for check in invariants.ALL} == {row[4] for row in BROKEN}


def test_shapeless() -> None:
    """An object without a name ends the matter; a shape that no invariant can read is a line, not a crash."""
    given = case("lean")
    objects = given.objects()
    assert invariants.wrong(Scene([*objects, {"kind": "Service"}], given.effective())) == [
        "Service/None: no apiVersion, kind or metadata.name"
    ]
    one(objects, "Deployment")["spec"]["template"]["spec"]["containers"] = ["text"]
    assert any("not of the shape" in line for line in invariants.wrong(Scene(objects, given.effective())))


def test_selector() -> None:
    """Of labels and expressions all must hold."""
    assert scene.selects({}, {})
    assert not scene.selects({"matchLabels": {"a": "b"}}, {"a": "c"})
    for operator, values, taken in (
        ("In", ["b"], True),
        ("In", ["c"], False),
        ("NotIn", ["c"], True),
        ("NotIn", ["b"], False),
        ("Exists", None, True),
        ("DoesNotExist", None, False),
    ):
        rule: dict[str, Any] = {"key": "a", "operator": operator, **({"values": values} if values else {})}
        assert scene.selects({"matchExpressions": [rule]}, {"a": "b"}) is taken, operator


def test_quantity() -> None:
    """Kubernetes' amounts."""
    given = ["1", "50m", "64Mi", "2Gi", "1.5G", "", "1Xi", None]
    assert [scene.quantity(each) for each in given] == [1, 0.05, 2**26, 2**31, 1.5e9, None, None, None]


def test_relabelling() -> None:
    """As Prometheus does it: whole match, groups, defaults, an empty label is none."""
    sample = {"__name__": "aws_x", "pod": "p", "a": "1"}
    for rules, made in (
        ([{"sourceLabels": ["__name__"], "regex": "aws", "targetLabel": "pod", "replacement": "x"}], sample),
        ([{"sourceLabels": ["pod", "a"], "regex": "(.);(1)", "targetLabel": "b", "replacement": "${2}$1"}], {**sample, "b": "1p"}),  # noqa: E501
        ([{"sourceLabels": ["pod"], "targetLabel": "b"}], {**sample, "b": "p"}),
        ([{"targetLabel": "pod", "replacement": ""}], {"__name__": "aws_x", "a": "1"}),
        ([{"regex": "p.d", "action": "labeldrop"}], {"__name__": "aws_x", "a": "1"}),
        ([{"regex": "__name__", "action": "labelkeep"}], {"__name__": "aws_x"}),
        ([{"sourceLabels": ["a"], "regex": "2", "action": "keep"}], None),
        ([{"sourceLabels": ["a"], "regex": "2", "action": "drop"}], sample),
    ):  # fmt: skip
        assert monitoring.relabelled(sample, rules) == made, rules


def _said(objects: list[Object], values: Mapping[str, Any], invariant: str, words: str) -> bool:
    only = [check for check in invariants.ALL if check.__name__ == invariant]
    return any(words in line for line in invariants.wrong(Scene(objects, values), only))


def change(given: Object, path: str, value: Any) -> None:
    """Set, append to or take away one place of an object; a dot in a key is written with a backslash."""
    parts = [part.replace("\0", ".") for part in path.replace("\\.", "\0").split(".")]
    at: Any = given
    for part in parts[:-1]:
        at = at[_place(at, part)] if isinstance(at, list) else at.setdefault(part, {})
    last = parts[-1]
    if isinstance(at, list):
        if last == "+":
            at.append(copy.deepcopy(value))
        elif value is DELETE:
            del at[-1 if last == "-" else _place(at, last)]
        else:
            at[_place(at, last)] = value
    elif value is DELETE:
        del at[last]
    else:
        at[last] = value


def _place(items: list[Any], part: str) -> int:
    return int(part) if part.isdigit() else [each["name"] for each in items].index(part)
