"""What runs the pods and what hangs on it: Deployment, StatefulSets, Services, budget, account, roles, names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.chart.partial import partial
from tests.chart.rendering import Object, Values, all_of, one
from tests.chart.rendering import bare as render

ROLE = "arn:aws:iam::123456789012:role/storage-exporter"
SELECTOR = {
    "app.kubernetes.io/name": "storage-exporter",
    "app.kubernetes.io/instance": "storage-exporter",
    "app.kubernetes.io/component": "exporter",
}
LONG = "r" * 53
CLUSTER_WIDE = ("ClusterRole", "ClusterRoleBinding")
RUNNING = ("Deployment", "StatefulSet", "Service", "ServiceAccount", "PodDisruptionBudget", "Pod", "ConfigMap")
OURS = (*RUNNING, "Role", "RoleBinding", *CLUSTER_WIDE)


def sets(values: Values) -> list[Object]:
    """The StatefulSets."""
    return all_of(render(values), "StatefulSet")


def matches(pods: Object, selector: Object) -> bool:
    """Whether the labels of a workload's pods are what *selector* wants."""
    wanted = selector.get("matchLabels", selector)
    return bool(wanted.items() <= pods["spec"]["template"]["metadata"]["labels"].items())


# --- mode leader


def test_two_replicas_are_replaced_one_by_one() -> None:
    """A Deployment, one more pod at a time and none fewer, whose selector never changes."""
    objects = render({"revisionHistoryLimit": 5})
    spec = one(objects, "Deployment", "storage-exporter")["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"]) == (2, 5)
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert spec["selector"] == {"matchLabels": SELECTOR}
    assert not all_of(objects, "StatefulSet")
    assert [each["metadata"]["name"] for each in all_of(objects, "Service")] == ["storage-exporter"]
    strategy = {"type": "Recreate"}
    changed = one(render({"replicas": 5, "updateStrategy": strategy}), "Deployment")["spec"]
    assert (changed["replicas"], changed["strategy"]) == (5, strategy)


def test_with_persistence_each_replica_has_a_claim() -> None:
    """A StatefulSet in the Deployment's place: pods of a Deployment would wait for one another's volume."""
    claims = {"enabled": True, "size": "5Gi", "annotations": {"a": "b"}}
    objects = render({"replicas": 3, "persistence": claims, "commonLabels": {"x": "y"}})
    assert not all_of(objects, "Deployment")
    found = one(objects, "StatefulSet", "storage-exporter")["spec"]
    assert (found["replicas"], found["serviceName"]) == (3, "storage-exporter-headless")
    [claim] = found["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "data"
    assert claim["metadata"]["annotations"] == {"a": "b"}
    assert "x" not in claim["metadata"]["labels"], "it cannot be changed later"
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}}
    pod = found["template"]["spec"]
    assert [each["name"] for each in pod["volumes"]] == ["config", "tmp"]
    assert {"name": "data", "mountPath": "/var/lib/storage-exporter"} in pod["containers"][0]["volumeMounts"]
    [other] = sets({"persistence": {"enabled": True, "storageClass": "gp3"}})
    assert other["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] == "gp3"
    assert "annotations" not in other["spec"]["volumeClaimTemplates"][0]["metadata"]


# --- mode shards


def test_shards_are_ordinals_of_a_statefulset() -> None:
    """All start at a time, each with its name; `replicas` is of the other mode."""
    objects = render({"mode": "shards", "replicas": 7, "shards": {"total": 3}, "revisionHistoryLimit": 4})
    assert not all_of(objects, "Deployment")
    found = one(objects, "StatefulSet", "storage-exporter")["spec"]
    assert (found["replicas"], found["podManagementPolicy"], found["revisionHistoryLimit"]) == (3, "Parallel", 4)
    assert found["updateStrategy"] == {"type": "RollingUpdate"}
    assert "volumeClaimTemplates" not in found
    assert [each["name"] for each in found["template"]["spec"]["volumes"]] == ["config", "data", "tmp"]
    changed = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    assert sets({"mode": "shards", "updateStrategy": changed})[0]["spec"]["updateStrategy"] == changed


def test_with_two_sets_each_ordinal_has_a_second_replica() -> None:
    """Two StatefulSets that are alike but for their names and their own label, and do not take each other's pods."""
    objects = render({"mode": "shards", "shards": {"total": 3, "sets": 2}, "persistence": {"enabled": True}})
    first, second = all_of(objects, "StatefulSet")
    assert [each["metadata"]["name"] for each in (first, second)] == ["storage-exporter", "storage-exporter-b"]
    for mine, other in ((first, second), (second, first)):
        assert matches(mine, mine["spec"]["selector"])
        assert not matches(other, mine["spec"]["selector"])
        mine["spec"].pop("selector")
    for each in (first, second):
        each["spec"]["template"]["metadata"]["labels"].pop("storage-exporter.io/set")
        each["spec"]["volumeClaimTemplates"][0]["metadata"]["labels"].pop("storage-exporter.io/set")
    assert first["spec"] == second["spec"]
    assert first["spec"]["replicas"] == 3


def test_what_a_statefulset_cannot_change_does_not_change() -> None:
    """Between modes, sets, labels, configurations: selector, service, policy and claims of the first set stay."""

    def fixed(values: Values) -> Object:
        spec = one(render({**values, "persistence": {"enabled": True}}), "StatefulSet", "storage-exporter")["spec"]
        return {key: spec[key] for key in ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates")}

    others: list[dict[str, Any]] = [
        {"mode": "shards"},
        {"mode": "shards", "shards": {"sets": 2}},
        {"commonLabels": {"a": "b"}, "podLabels": {"c": "d"}, "commonAnnotations": {"e": "f"}},
        {"config": {"cluster": "c"}, "image": {"tag": "x"}},
    ]
    for values in others:
        assert fixed(values) == fixed({}), values


# --- Services, budget


def test_the_service_has_all_pods_and_only_them() -> None:
    """Its port may differ from the pods'; a headless one names those of StatefulSets, and no monitor takes it."""
    values = {"port": 8080, "service": {"port": 80, "type": "NodePort", "annotations": {"a": "b"}}}
    values |= {"mode": "shards", "shards": {"total": 2, "sets": 2}}
    objects = render(values)
    main, headless = one(objects, "Service", "storage-exporter"), one(objects, "Service", "storage-exporter-headless")
    assert main["spec"]["type"] == "NodePort"
    assert main["metadata"]["annotations"] == {"a": "b"}
    assert main["spec"]["ports"] == [{"name": "metrics", "port": 80, "targetPort": "metrics", "protocol": "TCP"}]
    assert headless["spec"]["ports"] == [{"name": "metrics", "port": 8080, "targetPort": "metrics", "protocol": "TCP"}]
    assert (headless["spec"]["clusterIP"], headless["spec"]["publishNotReadyAddresses"]) == ("None", True)
    for service in (main, headless):
        assert service["spec"]["selector"] == SELECTOR
        assert all(matches(each, service["spec"]["selector"]) for each in all_of(objects, "StatefulSet"))
    assert SELECTOR.items() <= main["metadata"]["labels"].items()
    assert not SELECTOR.items() <= headless["metadata"]["labels"].items()
    ruler = {"rules": {"mimir": {"url": "http://mimir:8080"}}}
    syncing = render({"rules": {"mimir": {"delivery": "sync"}}, "config": ruler})
    assert not matches(one(syncing, "Job"), SELECTOR), "a Job's pod would be a target, and count in the budget"
    without = render({"service": {"enabled": False}, "scrape": {"by": "none"}})
    assert not all_of(without, "Service")


@pytest.mark.parametrize(
    ("values", "made"),
    [
        ({}, True),
        ({"replicas": 1}, False),
        ({"replicas": 0}, False),
        ({"replicas": 1, "persistence": {"enabled": True}}, False),
        ({"podDisruptionBudget": {"enabled": False}}, False),
        ({"mode": "shards", "replicas": 1, "shards": {"total": 3}}, True),
        ({"mode": "shards", "shards": {"total": 1, "sets": 2}}, True),
        ({"mode": "shards", "replicas": 3, "shards": {"total": 1, "sets": 1}}, False),
    ],
)
def test_a_budget_is_made_where_there_are_two_pods(values: dict[str, Any], *, made: bool) -> None:
    """One alone could never be drained."""
    assert len(all_of(render(values), "PodDisruptionBudget")) == made


def test_the_budget_is_over_all_sets() -> None:
    """So never both replicas of an ordinal go at a time; pods that are not ready may always go."""
    objects = render({"mode": "shards", "shards": {"sets": 2}, "podDisruptionBudget": {"maxUnavailable": "25%"}})
    spec = one(objects, "PodDisruptionBudget", "storage-exporter")["spec"]
    assert spec["maxUnavailable"] == "25%"
    assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert all(matches(each, spec["selector"]) for each in all_of(objects, "StatefulSet"))
    assert one(render(), "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


# --- account and roles


def test_the_account_is_ours_or_theirs() -> None:
    """With IRSA the role is annotated; an account that exists is used and not written."""
    objects = render({"serviceAccount": {"name": "reader", "annotations": {"a": "b"}}})
    assert one(objects, "ServiceAccount", "reader")["metadata"]["annotations"] == {"a": "b"}
    assert one(objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "reader"
    irsa = {"aws": {"identity": "irsa", "roleArn": ROLE}, "serviceAccount": {"annotations": {"a": "b"}}}
    annotations = one(render(irsa), "ServiceAccount", "storage-exporter")["metadata"]["annotations"]
    assert annotations == {"a": "b", "eks.amazonaws.com/role-arn": ROLE}
    with_role = one(render({"aws": {"roleArn": ROLE}}), "ServiceAccount")
    assert "annotations" not in with_role["metadata"]
    theirs = render({"serviceAccount": {"create": False, "name": "monitoring-sa"}})
    assert not all_of(theirs, "ServiceAccount")
    assert one(theirs, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "monitoring-sa"
    for binding in all_of(theirs, "ClusterRoleBinding") + all_of(theirs, "RoleBinding"):
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "monitoring-sa", "namespace": "monitoring"}]


def granted(values: Values) -> set[tuple[str, str, str]]:
    """(resource, verb, name or "") of all roles."""
    objects = render(values)
    rules = [rule for role in all_of(objects, "ClusterRole") + all_of(objects, "Role") for rule in role["rules"]]
    return {
        (f"{group}/{resource}", verb, name)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


def watched(*resources: str) -> set[tuple[str, str, str]]:
    """What it takes to list and watch *resources*."""
    return {(resource, verb, "") for resource in resources for verb in ("list", "watch")}


def held(*names: str) -> set[tuple[str, str, str]]:
    """What it takes to hold the Leases of these *names*."""
    lease = "coordination.k8s.io/leases"
    return {(lease, "create", "")} | {(lease, verb, name) for verb in ("get", "update") for name in names}


JOIN = watched("/persistentvolumes", "/persistentvolumeclaims") | watched(
    *(f"storage.k8s.io/{kind}" for kind in ("storageclasses", "volumeattachments", "csinodes"))
)


@pytest.mark.parametrize(
    ("values", "rights"),
    [
        ({}, JOIN | held("storage-exporter")),
        ({"replicas": 1}, JOIN),
        ({"config": {"kubernetes": {"enabled": False}}}, held("storage-exporter")),
        ({"replicas": 1, "config": {"kubernetes": {"enabled": False}}}, set()),
        ({"replicas": 1, "config": {"kubernetes": {"pods": True}}}, JOIN | watched("/pods")),
        ({"replicas": 1, "config": {"kubernetes": {"pods": "${PODS}"}}}, JOIN | watched("/pods")),
        (
            {"replicas": 1, "config": {"kubernetes": {"csi_drivers": True, "pods": False}}},
            JOIN | watched("storage.k8s.io/csidrivers"),
        ),
        ({"mode": "shards"}, JOIN),
        ({"mode": "shards", "shards": {"sets": 2}}, JOIN | held("storage-exporter-0", "storage-exporter-1")),
        ({"mode": "shards", "shards": {"total": 1, "sets": 2}}, JOIN | held("storage-exporter")),
        ({"rbac": {"existingClusterRole": "theirs"}}, held("storage-exporter")),
        ({"rbac": {"create": False}}, set()),
        ({"replicas": 1, "existingConfigMap": {"name": "theirs"}}, JOIN | held("storage-exporter")),
    ],
)
def test_rights_are_what_the_configuration_needs(values: dict[str, Any], rights: set[tuple[str, str, str]]) -> None:
    """Exactly these: a kind where it is watched, the Lease by its name, nothing where nothing is asked."""
    assert granted(values) == rights


def test_each_role_is_bound_to_the_account() -> None:
    """Cluster-wide names hold the namespace, so that two releases do not fight; others' roles take ours' place."""
    objects = render({"config": {"kubernetes": {"lease": {"namespace": "leases"}}}}, namespace="observed")
    subject = [{"kind": "ServiceAccount", "name": "storage-exporter", "namespace": "observed"}]
    wide = one(objects, "ClusterRoleBinding", "observed-storage-exporter")
    assert wide["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": one(objects, "ClusterRole")["metadata"]["name"],
    }
    assert "namespace" not in wide["metadata"]
    narrow, role = one(objects, "RoleBinding", "storage-exporter"), one(objects, "Role")
    assert narrow["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "Role",
        "name": role["metadata"]["name"],
    }
    assert narrow["metadata"]["namespace"] == role["metadata"]["namespace"] == "leases"
    assert wide["subjects"] == narrow["subjects"] == subject
    theirs = one(render({"rbac": {"existingClusterRole": "theirs"}}), "ClusterRoleBinding")
    assert theirs["roleRef"]["name"] == "theirs"
    variable = render({"config": {"kubernetes": {"lease": {"namespace": "${POD_NAMESPACE}"}}}})
    assert one(variable, "Role")["metadata"]["namespace"] == "monitoring"
    unbound = render({"rbac": {"create": False}})
    assert not [each for each in unbound if each["kind"] in ("ClusterRoleBinding", "RoleBinding")]


# --- names, labels, the rest


def test_names_follow_release_and_overrides() -> None:
    """As everywhere: a release that is called like the chart has one name, another has both."""

    def name(values: Values, release: str = "storage-exporter") -> str:
        return str(one(render(values, release=release), "Deployment")["metadata"]["name"])

    assert name({}) == "storage-exporter"
    assert name({}, "aws") == "aws-storage-exporter"
    assert name({}, "my-storage-exporter") == "my-storage-exporter"
    assert name({}, "a.b") == "a-b-storage-exporter"
    assert name({"nameOverride": "disks"}, "aws") == "aws-disks"
    assert name({"fullnameOverride": "disks"}, "aws") == "disks"
    assert name({"fullnameOverride": "d" * 49 + "-x"}) == "d" * 49


@pytest.mark.parametrize("mode", ["leader", "shards"])
def test_long_names_are_cut_and_go_together(mode: str) -> None:
    """With the longest release name each name has at most 63 characters, and the StatefulSets' hash still has room."""
    objects = render({"mode": mode, "shards": {"sets": 2}}, release=LONG)
    ours = [each for each in objects if each["kind"] in OURS and each["kind"] not in ("ConfigMap", *CLUSTER_WIDE)]
    assert len(ours) >= 6
    assert max(len(each["metadata"]["name"]) for each in ours) <= 63
    full = "r" * 50
    assert one(objects, "ClusterRole")["metadata"]["name"] == f"monitoring-{full}"
    for each in all_of(objects, "StatefulSet"):
        assert len(each["metadata"]["name"]) + len("-0123456789") <= 63
        assert each["spec"]["serviceName"] == f"{full}-headless"
    if mode == "shards":
        one(objects, "Service", f"{full}-headless")
    [pods] = [
        each["spec"]["template"]["spec"]
        for each in objects
        if each["metadata"]["name"] == full and "template" in each.get("spec", {})
    ]
    assert pods["serviceAccountName"] == full
    one(objects, "ConfigMap", pods["volumes"][0]["configMap"]["name"])


def test_labels_and_annotations_for_all_objects() -> None:
    """The recommended ones and the user's, which do not take the place of ours; the namespace may be another."""
    values: dict[str, Any] = {
        "commonLabels": {"team": "x", "app.kubernetes.io/managed-by": "me"},
        "commonAnnotations": {"note": "y", "own": "y"},
        "namespaceOverride": "elsewhere",
        "service": {"annotations": {"own": "x"}},
    }
    recommended = {"name", "instance", "version", "part-of", "managed-by"}
    objects = [each for each in render(values) if each["kind"] in OURS]
    assert len({each["kind"] for each in objects}) >= len(OURS) - 1
    for each in objects:
        labels = each["metadata"]["labels"]
        assert {f"app.kubernetes.io/{key}" for key in recommended} | {"helm.sh/chart", "team"} <= set(labels)
        assert labels["app.kubernetes.io/name"] == "storage-exporter"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert each["metadata"]["annotations"]["own"] == ("x" if each["kind"] == "Service" else "y")
        assert each["metadata"]["annotations"]["note"] == "y"
        if each["kind"] not in CLUSTER_WIDE:
            assert each["metadata"]["namespace"] == "elsewhere"
    assert one(objects, "ClusterRoleBinding")["subjects"][0]["namespace"] == "elsewhere"
    named = one(render({"nameOverride": "disks"}), "Deployment")
    assert named["metadata"]["labels"]["app.kubernetes.io/name"] == "storage-exporter"


def test_versions_are_made_labels(tmp_path: Path) -> None:
    """Those of a build have a +, which no label may have, and may be longer than the 63 characters of one."""
    chart = partial(tmp_path / "storage-exporter", ["serviceaccount.yaml"])
    file = chart / "Chart.yaml"
    told = yaml.safe_load(file.read_text()) | {
        "version": f"1.2.3+{'c' * 39}-{'d' * 9}",
        "appVersion": f"4.5.6+{'a' * 56}-{'b' * 9}",
    }
    file.write_text(yaml.safe_dump(told))
    labels = one(render(chart=chart), "ServiceAccount")["metadata"]["labels"]
    assert labels["app.kubernetes.io/version"] == f"4.5.6_{'a' * 56}"
    assert labels["helm.sh/chart"] == f"storage-exporter-1.2.3_{'c' * 39}"
    told |= {"version": f"1.2.3+{'c' * 90}", "appVersion": f"4.5.6+{'a' * 90}"}
    file.write_text(yaml.safe_dump(told))
    labels = one(render({"replicas": 3}, chart=chart), "ServiceAccount")["metadata"]["labels"]
    assert labels["app.kubernetes.io/version"] == f"4.5.6_{'a' * 57}"
    assert labels["helm.sh/chart"] == f"storage-exporter-1.2.3_{'c' * 40}"


def test_more_objects_are_templates() -> None:
    """What stands between braces is the chart's; braces that are meant are written as a template of themselves."""
    more = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": '{{ include "storage-exporter.fullname" . }}-more',
            "annotations": {"a": '{{ "{{" }} $labels.x }}', "b": "x"},
        },
    }
    assert one(render({"extraObjects": [more]}), "Endpoints") == {
        **more,
        "metadata": {"name": "storage-exporter-more", "annotations": {"a": "{{ $labels.x }}", "b": "x"}},
    }


VALID: list[dict[str, Any]] = [
    {},
    {"replicas": 1},
    {"persistence": {"enabled": True, "storageClass": "gp3"}},
    {"mode": "shards", "shards": {"total": 3, "sets": 2}},
    {"aws": {"identity": "secret", "existingSecret": {"name": "keys"}}, "secretFiles": ["a"]},
    {"config": {"web": {"config_file": "/x"}, "kubernetes": {"pods": True}}, "global": {"imagePullSecrets": ["a"]}},
    {"existingConfigMap": {"name": "theirs"}, "scrape": {"by": "annotations"}},
]


@pytest.mark.parametrize("version", ["1.27.0", "1.37.0"])
def test_objects_are_of_kubernetes(version: str) -> None:
    """No key that Kubernetes does not know, on the oldest and the newest version."""
    for values in VALID:
        for each in render(values, kubernetes=version):
            if each["kind"] in OURS:
                kubernetes_validate.validate(each, version.removesuffix(".0"), strict=True)
