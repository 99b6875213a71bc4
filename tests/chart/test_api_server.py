"""The stand-in API server does to objects and patches what Kubernetes does; the official client is a witness."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chart.api_kinds import KINDS, said
from tests.chart.api_objects import Objects, RefusedError, plain
from tests.chart.api_patch import merged, strategic
from tests.chart.api_protobuf import MAGIC, decoded
from tests.chart.api_server import ApiServer, Outcome, api_server

kubernetes: Any = importlib.import_module("kubernetes")

KIND = {kind.kind: kind for kind in KINDS}


def pod(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i", **fields}]}}


def deployment(**fields: Any) -> dict[str, Any]:
    spec = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": pod(), **fields}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


def config(name: str = "c", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **fields}, "data": {"k": "v"}}


# --- patches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "patch", "new"),
    [  # the examples of RFC 7386
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches(old: Any, patch: Any, new: Any) -> None:
    """As the standard has them."""
    assert merged(old, patch) == new


def test_strategic_patches_know_containers_by_name() -> None:
    """One container, variable, port or volume is changed, added or deleted, and the order is the one asked for."""
    old = {
        "containers": [
            {"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
            {"name": "b", "ports": [{"containerPort": 80, "name": "p"}]},
        ],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "tolerations": [{"key": "x"}],
    }
    patch = {
        "containers": [
            {"name": "c"},
            {"name": "a", "image": "2", "env": [{"name": "X", "$patch": "delete"}, {"name": "Z", "value": "3"}]},
            {"name": "b", "ports": [{"containerPort": 80, "name": "q"}, {"containerPort": 81}]},
        ],
        "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
        "volumes": [{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "m"}}],
        "tolerations": [{"key": "y"}],
    }
    assert strategic({"spec": {"template": {"spec": old}}}, {"spec": {"template": {"spec": patch}}}, "Deployment") == {
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {"name": "c"},
                        {"name": "b", "ports": [{"containerPort": 80, "name": "q"}, {"containerPort": 81}]},
                        {"name": "a", "image": "2", "env": [{"name": "Y", "value": "2"}, {"name": "Z", "value": "3"}]},
                    ],
                    "volumes": [{"name": "v", "configMap": {"name": "m"}}],
                    "tolerations": [{"key": "y"}],
                }
            }
        }
    }


def test_strategic_patches_of_other_lists() -> None:
    """Ports of a Service are known by their number, finalizers are a set, a list or map may be replaced as a whole."""
    service = {"spec": {"ports": [{"port": 1, "name": "a"}, {"port": 2}]}, "metadata": {"finalizers": ["x", "y"]}}
    patch = {
        "spec": {"ports": [{"port": 1, "name": "b"}, {"port": 2, "$patch": "delete"}]},
        "metadata": {"finalizers": ["z"], "$deleteFromPrimitiveList/finalizers": ["x"]},
    }
    assert strategic(service, patch, "Service") == {
        "spec": {"ports": [{"port": 1, "name": "b"}]},
        "metadata": {"finalizers": ["y", "z"]},
    }
    lists = {"containers": [{"$patch": "replace"}, {"name": "new"}]}
    assert strategic({"containers": [{"name": "old"}]}, lists, "Pod") == {"containers": [{"name": "new"}]}
    assert strategic({"selector": {"a": 1}}, {"selector": {"$patch": "replace", "b": 2}}, "X") == {"selector": {"b": 2}}
    policy = {"ingress": [{"ports": [{"port": 1}]}]}
    assert strategic({"ingress": [{"ports": [{"port": 2}]}]}, policy, "NetworkPolicy") == policy
    for unknown in ({"$patch": "merge"}, {"$odd": 1}):
        with pytest.raises(ValueError, match="directives"):
            strategic({}, unknown, "Pod")


# --- objects ---------------------------------------------------------------------------------------------------------


def refused(call: Any, *given: Any) -> tuple[int, str, str]:
    with pytest.raises(RefusedError) as caught:
        call(*given)
    return caught.value.code, caught.value.reason, str(caught.value)


@pytest.mark.parametrize(
    ("kind", "old", "field", "value", "words"),
    [
        ("Deployment", deployment()["spec"], "selector", {"matchLabels": {"a": "b", "c": "d"}}, "immutable"),
        ("StatefulSet", deployment()["spec"], "serviceName", "other", "other than 'replicas'"),
        ("StatefulSet", deployment()["spec"], "volumeClaimTemplates", [{"spec": {}}], "other than 'replicas'"),
        ("StatefulSet", deployment()["spec"], "podManagementPolicy", "Parallel", "other than 'replicas'"),
        ("Job", {"template": pod()}, "template", pod(image="j"), "immutable"),
        ("Service", {"clusterIP": "None"}, "clusterIP", "10.0.0.1", "immutable"),
        ("Pod", pod()["spec"], "serviceAccountName", "x", "updates to pod spec"),
    ],
)
def test_what_never_changes_is_refused(kind: str, old: Any, field: str, value: Any, words: str) -> None:
    """A change of an immutable field is 422; a change beside it is taken."""
    objects, of = Objects("n"), KIND[kind]
    base = {"apiVersion": of.group_version, "kind": kind, "metadata": {"name": "x"}, "spec": old}
    objects.create(of, "n", base)
    changed = {**base, "spec": {**old, field: value}}
    if kind == "Deployment":
        changed["spec"]["template"] = {"metadata": {"labels": {"a": "b", "c": "d"}}, "spec": {}}
    code, reason, text = refused(objects.update, of, "n", "x", changed)
    assert (code, reason) == (422, "Invalid")
    assert words in text
    beside = objects.update(of, "n", "x", {**base, "metadata": {"name": "x", "labels": {"l": "v"}}})
    assert beside["metadata"]["labels"] == {"l": "v"}


def test_names_labels_selectors_and_sizes_are_checked() -> None:
    """As Kubernetes checks them, so that a chart that cannot be applied does not pass."""
    objects = Objects("n")
    for name in ("", "A", "a_b", "-a", "a" * 254):
        assert refused(objects.create, KIND["ConfigMap"], "n", config(name))[0] == 422
    for labels in ({"a": "b c"}, {"a": 1}, {"a": "x" * 64}, {"a/b/c": "d"}):
        assert refused(objects.create, KIND["ConfigMap"], "n", config(labels=labels))[0] == 422
    assert refused(objects.create, KIND["ConfigMap"], "n", config(annotations={"a": 1}))[0] == 422
    big = {**config(), "data": {"k": "v" * ((1 << 20) + 1)}}
    assert "Too long" in refused(objects.create, KIND["ConfigMap"], "n", big)[2]
    other = deployment(selector={"matchLabels": {"a": "other"}})
    assert "does not match" in refused(objects.create, KIND["Deployment"], "n", other)[2]
    assert refused(objects.create, KIND["ConfigMap"], "absent", config())[:2] == (404, "NotFound")
    assert refused(objects.create, KIND["ConfigMap"], "n", config(namespace="other"))[0] == 400
    assert refused(objects.create, KIND["Secret"], "n", config())[0] == 400
    assert list(objects.everything()) == []


def test_versions_change_with_objects_only() -> None:
    """An update that changes nothing leaves the version; one that was read before another is a conflict."""
    objects, kind = Objects("n"), KIND["ConfigMap"]
    made = objects.create(kind, "n", config())
    assert objects.update(kind, "n", "c", config(annotations=None))["metadata"] == made["metadata"]
    objects.update(kind, "n", "c", {**config(), "data": {"k": "w"}})
    assert refused(objects.update, kind, "n", "c", {**made, "data": {}})[:2] == (409, "Conflict")
    assert refused(objects.create, kind, "n", config())[:2] == (409, "AlreadyExists")
    assert plain(objects.get(kind, "n", "c")) == {**config(namespace="n"), "data": {"k": "w"}}
    objects.delete(kind, "n", "c")
    assert refused(objects.get, kind, "n", "c")[:2] == (404, "NotFound")


def test_a_protobuf_of_another_kind_is_no_secret() -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="no protobuf"):
        decoded(b"{}")
    with pytest.raises(ValueError, match="kind Pod"):
        decoded(MAGIC + b"\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x00")


# --- over HTTP -------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with api_server("n", runs=lambda item: Outcome("bad" not in item["metadata"]["name"], "said")) as running:
        yield running


@pytest.fixture
def client(server: ApiServer) -> Iterator[Any]:
    with kubernetes.client.ApiClient(kubernetes.client.Configuration(host=server.url)) as made:
        yield made
        made.rest_client.pool_manager.clear()


def test_the_official_client_can_use_it(client: Any) -> None:
    """Create, read, list by label, patch, replace, delete, and an error it understands."""
    core = kubernetes.client.CoreV1Api(client)
    core.create_namespaced_config_map("n", config(labels={"a": "b"}))
    core.create_namespaced_config_map("n", config("other"))
    assert [item.metadata.name for item in core.list_namespaced_config_map("n", label_selector="a=b").items] == ["c"]
    assert core.patch_namespaced_config_map("c", "n", {"data": {"l": "w"}}).data == {"k": "v", "l": "w"}
    core.delete_namespaced_config_map("c", "n")
    with pytest.raises(kubernetes.client.ApiException) as caught:
        core.read_namespaced_config_map("c", "n")
    assert (caught.value.status, 'configmaps \\"c\\" not found' in caught.value.body) == (404, True)
    apps = kubernetes.client.AppsV1Api(client)
    apps.create_namespaced_deployment("n", deployment())
    assert apps.read_namespaced_deployment("d", "n").status.ready_replicas == 2
    assert len(apps.list_namespaced_replica_set("n").items) == 1
    apps.delete_namespaced_deployment("d", "n")
    assert apps.list_namespaced_replica_set("n").items == []


@pytest.mark.parametrize(("name", "condition"), [("good", "Complete"), ("bad", "Failed")])
def test_a_watch_sees_a_job_end(client: Any, server: ApiServer, name: str, condition: str) -> None:
    """The callback says how it ends; who watches is told."""
    batch = kubernetes.client.BatchV1Api(client)
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": pod()}}
    batch.create_namespaced_job("n", job)
    watch = kubernetes.watch.Watch()
    for event in watch.stream(batch.list_namespaced_job, "n", field_selector=f"metadata.name={name}"):
        if (status := event["object"].status) and status.conditions:
            assert [each.type for each in status.conditions] == [condition]
            watch.stop()
    assert [item["metadata"]["name"] for item in server.ran] == [name]


def test_discovery_names_every_kind_once() -> None:
    """Each kind is found by its group and version, and not without its group."""
    groups = {group["name"] for group in said(KINDS, "/apis")["groups"]}
    for kind in KINDS:
        place = f"/{'apis' if kind.group else 'api'}/{kind.group_version}"
        assert [each["kind"] for each in said(KINDS, place)["resources"]].count(kind.kind) == 1
        assert not kind.group or kind.group in groups
    assert said([kind for kind in KINDS if not kind.custom], "/apis/cilium.io/v2") is None
