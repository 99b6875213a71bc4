"""Roles and bindings in the simulated Kubernetes API: what they allow, and what a client hears of the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from exporter.demo import Cluster, KubernetesServer, run_kubernetes_in_thread
from exporter.demo.kubernetes_access import GROUP, Access, Request, groups_of, request_of
from tests.demo_kubernetes import LEASES, Official, ask, claim, kubernetes, lease, names, official, volume

USER = "system:serviceaccount:monitoring:reader"
ACCOUNT = {"kind": "ServiceAccount", "name": "reader", "namespace": "monitoring"}


def role(*rules: dict[str, Any], namespace: str = "", name: str = "r") -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"kind": "Role" if namespace else "ClusterRole", "metadata": metadata, "rules": list(rules)}


def rule(verbs: str, resources: str, group: str = "", only: Sequence[str] = ()) -> dict[str, Any]:
    named = {"resourceNames": list(only)} if only else {}
    return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split(), **named}


def binding(
    *, kind: str = "ClusterRole", namespace: str = "", name: str = "r", to: Sequence[dict[str, Any]] = (ACCOUNT,)
) -> dict[str, Any]:
    metadata = {"name": "b", **({"namespace": namespace} if namespace else {})}
    reference = {"apiGroup": GROUP, "kind": kind, "name": name}
    made = "RoleBinding" if namespace else "ClusterRoleBinding"
    return {"kind": made, "metadata": metadata, "roleRef": reference, "subjects": list(to)}


def may(access: Access, text: str, user: str = USER) -> bool:
    """Whether the user may do what "METHOD path?query" says."""
    method, _, rest = text.partition(" ")
    path, _, query = rest.partition("?")
    return access.allows(user, request_of(method, path, dict(pair.split("=", 1) for pair in query.split("&") if pair)))


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("GET /api/v1/pods", ("list", "", "pods", "", "", "")),
        ("GET /api/v1/pods?watch=true", ("watch", "", "pods", "", "", "")),
        ("GET /api/v1/watch/pods", ("watch", "", "pods", "", "", "")),
        ("GET /api/v1/namespaces/a/pods/b", ("get", "", "pods", "", "a", "b")),
        ("GET /api/v1/namespaces/a/pods/b/log", ("get", "", "pods", "log", "a", "b")),
        ("GET /api/v1/namespaces/a", ("get", "", "namespaces", "", "a", "a")),
        ("PUT /api/v1/namespaces/a/status", ("update", "", "namespaces", "status", "a", "a")),
        ("GET /api/v1/namespaces", ("list", "", "namespaces", "", "", "")),
        ("GET /api/v1/secrets?fieldSelector=metadata.name=x", ("list", "", "secrets", "", "", "x")),
        ("GET /api/v1/secrets?watch=1&fieldSelector=metadata.name==x", ("watch", "", "secrets", "", "", "x")),
        ("GET /api/v1/secrets?fieldSelector=metadata.name!=x", ("list", "", "secrets", "", "", "")),
        ("GET /api/v1/secrets?fieldSelector=type=y,metadata.name=x", ("list", "", "secrets", "", "", "x")),
        ("POST " + LEASES, ("create", "coordination.k8s.io", "leases", "", "monitoring", "")),
        ("DELETE " + LEASES, ("deletecollection", "coordination.k8s.io", "leases", "", "monitoring", "")),
        ("DELETE " + LEASES + "/x", ("delete", "coordination.k8s.io", "leases", "", "monitoring", "x")),
        ("PATCH /apis/apps/v1/namespaces/a/deployments/b/scale", ("patch", "apps", "deployments", "scale", "a", "b")),
        ("GET /apis/apps/v1", ("get", "", "", "", "", "")),
        ("GET /metrics", ("get", "", "", "", "", "")),
        ("POST /", ("post", "", "", "", "", "")),
    ],
)
def test_requests_are_read_as_kubernetes_reads_them(asked: str, wanted: tuple[str, ...]) -> None:
    """Verb, group, resource, part, namespace and name come from method, path and query."""
    method, _, rest = asked.partition(" ")
    path, _, query = rest.partition("?")
    found = request_of(method, path, dict(pair.split("=", 1) for pair in query.split("&") if pair))
    assert (found.verb, found.group, found.resource, found.subresource, found.namespace, found.name) == wanted


def test_a_rule_allows_its_verbs_resources_and_groups_only() -> None:
    """Each of the three must fit; a part of an object is another resource than the object."""
    access = Access([role(rule("list watch", "pods storageclasses", "storage.k8s.io")), binding()])
    assert may(access, "GET /apis/storage.k8s.io/v1/storageclasses")
    assert may(access, "GET /apis/storage.k8s.io/v1/storageclasses?watch=true")
    assert not may(access, "GET /apis/storage.k8s.io/v1/storageclasses/gp3")
    assert not may(access, "GET /api/v1/pods")
    assert not may(access, "GET /apis/storage.k8s.io/v1/csinodes")
    assert not may(access, "GET /apis/storage.k8s.io/v1/storageclasses", "system:serviceaccount:other:reader")
    parts = Access([role(rule("get", "pods/log")), binding()])
    assert may(parts, "GET /api/v1/namespaces/a/pods/b/log")
    assert not may(parts, "GET /api/v1/namespaces/a/pods/b")


def test_stars() -> None:
    """A star is every verb, group, resource or path; with a part it is that part of everything."""
    verbs = Access([role({"apiGroups": ["*"], "resources": ["pods"], "verbs": ["*"]}), binding()])
    assert may(verbs, "DELETE /apis/x/v1/pods")
    assert not may(verbs, "GET /apis/x/v1/nodes")
    resources = Access([role(rule("get", "*")), binding()])
    assert may(resources, "GET /api/v1/namespaces/a/pods/b/log")
    assert not may(resources, "GET /apis/apps/v1/namespaces/a/deployments/b")
    assert not may(resources, "GET /metrics")
    scales = Access([role(rule("get", "*/scale", "apps")), binding()])
    assert may(scales, "GET /apis/apps/v1/namespaces/a/deployments/b/scale")
    assert not may(scales, "GET /apis/apps/v1/namespaces/a/deployments/b")
    paths = Access([role({"nonResourceURLs": ["/metrics", "/debug/*"], "verbs": ["get"]}), binding()])
    assert may(paths, "GET /metrics")
    assert may(paths, "GET /debug/pprof/heap")
    assert not may(paths, "POST /metrics")
    assert not may(paths, "GET /metrics/more")
    assert not may(paths, "GET /api/v1/metrics")


def test_names_bind_where_the_request_has_one() -> None:
    """A rule of names allows those; a creation and a list of all have no name, a list of one by field has."""
    access = Access([role(rule("get list watch update create delete", "secrets", only=["x", "y"])), binding()])
    one = "/api/v1/namespaces/a/secrets"
    assert may(access, f"GET {one}/x")
    assert may(access, f"PUT {one}/y")
    assert may(access, f"GET {one}?fieldSelector=metadata.name=x")
    assert may(access, f"GET {one}?watch=true&fieldSelector=metadata.name=y")
    assert may(access, f"DELETE {one}/x")
    for refused in (f"GET {one}/z", f"GET {one}", f"GET {one}?fieldSelector=metadata.name=z", f"POST {one}"):
        assert not may(access, refused)


def test_a_binding_in_a_namespace_allows_there_only() -> None:
    """Of a Role or a ClusterRole alike; nothing outside, nothing in the whole cluster, and no paths."""
    for kind, namespace in (("Role", "a"), ("ClusterRole", "")):
        access = Access([role(rule("*", "pods"), namespace=namespace), binding(kind=kind, namespace="a")])
        assert may(access, "GET /api/v1/namespaces/a/pods")
        assert not may(access, "GET /api/v1/namespaces/b/pods")
        assert not may(access, "GET /api/v1/pods")
    elsewhere = Access([role(rule("*", "pods"), namespace="b"), binding(kind="Role", namespace="a")])
    assert not may(elsewhere, "GET /api/v1/namespaces/a/pods")
    assert not may(elsewhere, "GET /api/v1/namespaces/b/pods")
    paths = Access([role({"nonResourceURLs": ["*"], "verbs": ["*"]}), binding(namespace="a")])
    assert not may(paths, "GET /metrics")


def test_subjects() -> None:
    """A user, a group that one is in by name, and a service account, which in a RoleBinding may be of its namespace."""
    user, group = {"kind": "User", "apiGroup": GROUP}, {"kind": "Group", "apiGroup": GROUP}
    for subject, whose in (
        ({**user, "name": "ann"}, {"ann"}),
        ({**user, "name": USER}, {USER}),
        ({**group, "name": "system:authenticated"}, {"ann", USER, "system:serviceaccount:other:x"}),
        ({**group, "name": "system:serviceaccounts"}, {USER, "system:serviceaccount:other:x"}),
        ({**group, "name": "system:serviceaccounts:monitoring"}, {USER}),
        (ACCOUNT, {USER}),
    ):
        access = Access([role(rule("list", "pods")), binding(to=[subject])])
        for who in ("ann", USER, "system:serviceaccount:other:x"):
            assert may(access, "GET /api/v1/pods", who) is (who in whose)
    near = binding(namespace="monitoring", to=[{"kind": "ServiceAccount", "name": "reader"}])
    assert may(Access([role(rule("list", "pods")), near]), "GET /api/v1/namespaces/monitoring/pods")
    assert groups_of("system:serviceaccount:odd") == {"system:authenticated"}


def test_whoever_has_a_name_may_ask_what_there_is() -> None:
    """Discovery and version need no rule; nothing else is free."""
    nothing = Access([])
    for path in ("/version", "/api", "/api/v1", "/apis", "/apis/apps/v1", "/openapi/v3", "/livez"):
        assert may(nothing, f"GET {path}")
    for path in ("/metrics", "/api/v1/pods", "/apis/apps/v1/deployments", "/"):
        assert not may(nothing, f"GET {path}")


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (role({"verbs": ["get"], "resources": ["pods"]}), "has no apiGroups"),
        (role({"verbs": ["get"], "apiGroups": [""]}), "has no resources"),
        (role({"apiGroups": [""], "resources": ["pods"]}), "has no verbs"),
        (role({"apiGroups": [""], "resources": "pods", "verbs": ["get"]}), "resources is not a list"),
        (role({"apiGroups": [""], "resource": ["pods"], "verbs": ["get"]}), "has resource, which no rule has"),
        (role({"nonResourceURLs": ["/x"], "verbs": ["get"]}, namespace="a"), "only a rule of their own"),
        (role({"nonResourceURLs": ["/x"], "verbs": ["get"], "resources": ["pods"]}), "only a rule of their own"),
        ({**role(), "aggregationRule": {"clusterRoleSelectors": []}}, "aggregationRule"),
        ({**role(), "kind": "Role"}, "it has no namespace"),
        (binding(kind="Role"), "its roleRef is no ClusterRole of"),
        ({**binding(), "roleRef": {"kind": "ClusterRole", "name": "r"}}, "its roleRef is no"),
        ({**binding(), "roleRef": {"kind": "ClusterRole", "apiGroup": GROUP}}, "its roleRef is no"),
        (binding(to=[{"kind": "ServiceAccount", "name": "x"}]), "has no namespace"),
        (binding(to=[{"kind": "User", "name": "x", "apiGroup": "apps"}]), "is no subject"),
        (binding(to=[{"kind": "Pod", "name": "x"}]), "is no subject"),
        (binding(to=[{"kind": "User"}]), "is no subject"),
    ],
)
def test_what_the_real_api_would_not_store_is_refused(item: dict[str, Any], words: str) -> None:
    """A mistake in a role is said, not passed over as a role that allows less."""
    with pytest.raises(ValueError, match=words):
        Access([item])


_WORD = some.sampled_from(["", "a", "b", "*"])
_REQUEST = some.builds(
    Request,
    some.sampled_from(["get", "list", "create"]),
    some.just("/x"),
    some.sampled_from(["", "apps"]),
    some.just("v1"),
    some.sampled_from(["pods", "secrets"]),
    some.sampled_from(["", "log"]),
    some.sampled_from(["", "one", "two"]),
    some.sampled_from(["", "n", "m"]),
)
_RULE = some.fixed_dictionaries(
    {
        "verbs": some.lists(some.sampled_from(["get", "list", "create", "*"]), min_size=1, max_size=2),
        "apiGroups": some.lists(some.sampled_from(["", "apps", "*"]), min_size=1, max_size=2),
        "resources": some.lists(
            some.sampled_from(["pods", "secrets", "pods/log", "*", "*/log"]), min_size=1, max_size=2
        ),
    },
    optional={"resourceNames": some.lists(some.sampled_from(["n", "m"]), max_size=2)},
)


@given(some.lists(_RULE, max_size=3), some.lists(_RULE, max_size=2), _REQUEST)
def test_rules_only_add(rules: list[dict[str, Any]], more: list[dict[str, Any]], request: Request) -> None:
    """More rules never take away; what a set allows, one of its rules allows alone; names only narrow."""

    def allows(*given: dict[str, Any]) -> bool:
        return Access([role(*given), binding()]).allows(USER, request)

    assert allows(*rules) is any(allows(each) for each in rules)
    assert allows(*rules, *more) is (allows(*rules) or allows(*more))
    for each in rules:
        free = {field: value for field, value in each.items() if field != "resourceNames"}
        assert allows(free) or not allows(each)
    assert not Access([role(*rules)]).allows(USER, request)


# --- the server ------------------------------------------------------------------------------------------------------

ROLES = [
    role(rule("list watch", "persistentvolumes"), name="cluster"),
    binding(name="cluster"),
    role(
        rule("create", "leases", "coordination.k8s.io"),
        rule("get update", "leases", "coordination.k8s.io", ["mine"]),
        namespace="monitoring",
    ),
    binding(kind="Role", namespace="monitoring"),
]


@pytest.fixture
def server() -> Iterator[KubernetesServer]:
    cluster = Cluster()
    cluster.put("persistentvolumes", volume("a"))
    cluster.put("persistentvolumeclaims", claim("monitoring", "c"))
    with run_kubernetes_in_thread(cluster, tokens={"t": USER, "o": "other"}, roles=ROLES) as running:
        yield running


@pytest.fixture
def apis(server: KubernetesServer) -> Iterator[Official]:
    with official(server) as made:
        yield made


def refused(call: Any, *given: Any, **more: Any) -> str:
    """The words of the 403 the official client raises."""
    with pytest.raises(kubernetes.client.ApiException) as caught:
        call(*given, **more)
    assert (caught.value.status, caught.value.reason) == (403, "Forbidden")
    return str(caught.value.body)


def test_the_official_client_gets_what_the_roles_allow(apis: Official) -> None:
    """Lists, watches and its own Lease, with the official client's own paths and bodies."""
    assert names(apis.core.list_persistent_volume().items) == ["a"]
    events = kubernetes.watch.Watch().stream(apis.core.list_persistent_volume, timeout_seconds=1)
    assert [event["type"] for event in events] == ["ADDED"]
    made = apis.coordination.create_namespaced_lease("monitoring", lease("mine"))
    made.spec.holder_identity = "b"
    apis.coordination.replace_namespaced_lease("mine", "monitoring", made)
    assert apis.coordination.read_namespaced_lease("mine", "monitoring").spec.holder_identity == "b"
    assert kubernetes.client.VersionApi(apis.api).get_code().major == "1"


def test_the_official_client_is_refused_the_rest(apis: Official, server: KubernetesServer) -> None:
    """In Kubernetes' words; kinds that do not exist are refused before they are looked for."""
    assert (
        f'persistentvolumeclaims is forbidden: User \\"{USER}\\" cannot list resource \\"persistentvolumeclaims\\" in '
        'API group \\"\\" at the cluster scope'
    ) in refused(apis.core.list_persistent_volume_claim_for_all_namespaces)
    assert (
        f'leases.coordination.k8s.io \\"yours\\" is forbidden: User \\"{USER}\\" cannot get resource \\"leases\\" in '
        'API group \\"coordination.k8s.io\\" in the namespace \\"monitoring\\"'
    ) in refused(apis.coordination.read_namespaced_lease, "yours", "monitoring")
    refused(apis.core.read_persistent_volume, "a")
    refused(apis.core.list_secret_for_all_namespaces)
    refused(apis.core.list_node)
    refused(apis.core.create_namespaced_pod, "monitoring", {})
    refused(apis.coordination.create_namespaced_lease, "default", lease("mine"))
    refused(apis.coordination.list_namespaced_lease, "monitoring")
    refused(apis.coordination.list_namespaced_lease, "monitoring", field_selector="metadata.name=mine")
    refused(apis.coordination.delete_namespaced_lease, "mine", "monitoring")
    refused(apis.coordination.delete_collection_namespaced_lease, "monitoring")
    assert server.cluster.get("leases", "monitoring/mine") is None
    assert ask(server, "GET", "/metrics").json["message"] == f'forbidden: User "{USER}" cannot get path "/metrics"'
    assert ask(server, "GET", "/api/v1/persistentvolumes", token="o").status == 403
    assert ask(server, "GET", "/api/v1/persistentvolumes", token="nobody").status == 401


def test_roles_can_be_changed_taken_away_and_narrowed(apis: Official, server: KubernetesServer) -> None:
    """New roles hold from the next request on; `deny` takes from them; without roles everybody may do all."""
    server.deny("persistentvolumes", verb="list")
    refused(apis.core.list_persistent_volume)
    server.allow("persistentvolumes", verb="list")
    apis.core.list_persistent_volume()
    server.enforce([])
    refused(apis.core.list_persistent_volume)
    server.enforce(None)
    apis.core.list_persistent_volume()
    apis.core.list_persistent_volume_claim_for_all_namespaces()
