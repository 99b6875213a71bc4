"""The simulated Kubernetes API: Leases, and who may do what, as the official client and bare requests see them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.demo import Cluster, KubernetesServer, run_kubernetes_in_thread
from tests.demo_kubernetes import LEASES, Official, ask, claim, kubernetes, lease, names, official, refusal

VOLUMES = "/api/v1/persistentvolumes"
OTHER = "another-token"


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def server(cluster: Cluster) -> Iterator[KubernetesServer]:
    tokens = {"first-token": "system:serviceaccount:monitoring:one", OTHER: "system:serviceaccount:monitoring:two"}
    with run_kubernetes_in_thread(cluster, tokens=tokens, bookmarks=0.05) as running:
        yield running


@pytest.fixture
def apis(server: KubernetesServer) -> Iterator[Official]:
    with official(server) as made:
        yield made


# --- Leases ----------------------------------------------------------------------------------------------------------


def test_the_life_of_a_lease(server: KubernetesServer, apis: Official) -> None:
    """Made once, changed only by who read it last, deleted once; the server keeps id and age."""
    models, leases = kubernetes.client, apis.coordination
    now = datetime.now(UTC).replace(microsecond=123456)
    spec = models.V1LeaseSpec(holder_identity="a", lease_duration_seconds=15, renew_time=now, lease_transitions=0)
    wanted = models.V1Lease(metadata=models.V1ObjectMeta(name="leader"), spec=spec)
    made = leases.create_namespaced_lease("monitoring", wanted)
    assert (made.spec.holder_identity, made.spec.renew_time) == ("a", now)
    assert refusal(leases.create_namespaced_lease, "monitoring", wanted) == (409, "AlreadyExists")
    made.spec.holder_identity = "b"
    changed = leases.replace_namespaced_lease("leader", "monitoring", made)
    assert changed.metadata.uid == made.metadata.uid
    assert changed.metadata.creation_timestamp == made.metadata.creation_timestamp
    assert int(changed.metadata.resource_version) > int(made.metadata.resource_version)
    assert refusal(leases.replace_namespaced_lease, "leader", "monitoring", made) == (409, "Conflict")
    assert leases.read_namespaced_lease("leader", "monitoring").spec.holder_identity == "b"
    assert names(leases.list_namespaced_lease("monitoring").items) == ["leader"]
    assert names(leases.list_namespaced_lease("elsewhere").items) == []
    assert leases.delete_namespaced_lease("leader", "monitoring")["status"] == "Success"
    assert refusal(leases.delete_namespaced_lease, "leader", "monitoring") == (404, "NotFound")
    assert refusal(leases.replace_namespaced_lease, "leader", "monitoring", changed) == (404, "NotFound")
    again = leases.create_namespaced_lease("monitoring", wanted)
    assert again.metadata.uid != made.metadata.uid
    changed.metadata.resource_version = again.metadata.resource_version
    assert refusal(leases.replace_namespaced_lease, "leader", "monitoring", changed) == (409, "Conflict")


def test_times_of_a_lease_are_kept_as_written(server: KubernetesServer) -> None:
    """Microseconds and zone of the holder stand there when it is read; an empty holder is no fault."""
    wanted = lease("l", holderIdentity="", renewTime="2026-08-23T12:00:00.000000+02:00", acquireTime=None, later="x")
    wanted["metadata"] |= {"annotations": {"a": "b"}}
    stored = ask(server, "POST", LEASES, wanted).json
    assert (stored["kind"], stored["apiVersion"]) == ("Lease", "coordination.k8s.io/v1")
    assert stored["spec"]["renewTime"] == "2026-08-23T12:00:00.000000+02:00"
    assert stored["spec"]["holderIdentity"] == ""
    assert "acquireTime" not in stored["spec"]
    assert ask(server, "GET", f"{LEASES}/l").json == stored


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"kind": "Pod"}, 400),
        ({"apiVersion": "v1"}, 400),
        ({"metadata": {}}, 422),
        ({"metadata": None}, 422),
        ({"metadata": {"name": "Not A Name"}}, 422),
        ({"metadata": {"name": "l", "namespace": "elsewhere"}}, 400),
        ({"metadata": {"name": "l", "resourceVersion": "12"}}, 400),
        ({"spec": {"renewTime": "2026-08-23T12:00:00Z"}}, 400),
        ({"spec": {"renewTime": "2026-08-23T12:00:00.000Z"}}, 400),
        ({"spec": {"renewTime": 1_787_479_200}}, 400),
        ({"spec": {"holderIdentity": 1}}, 400),
        ({"spec": {"leaseDurationSeconds": "15"}}, 400),
        ({"spec": {"leaseDurationSeconds": True}}, 400),
        ({"spec": {"leaseDurationSeconds": 0}}, 422),
        ({"spec": {"leaseTransitions": -1}}, 422),
        ({"spec": "none"}, 400),
    ],
)
def test_a_lease_that_is_none(server: KubernetesServer, cluster: Cluster, change: dict[str, Any], status: int) -> None:
    """What the real API would refuse is refused, and nothing is stored."""
    answer = ask(server, "POST", LEASES, {**lease("l"), **change})
    assert (answer.status, answer.json["code"]) == (status, status)
    assert cluster.objects("leases") == []


def test_updates_name_their_lease_and_its_version(server: KubernetesServer, cluster: Cluster) -> None:
    """An update without a version is 422, of another name 400, of no JSON 400; of a version that never was 409."""
    stored = ask(server, "POST", LEASES, lease("l")).json
    assert ask(server, "PUT", f"{LEASES}/l", lease("l")).status == 422
    assert ask(server, "PUT", f"{LEASES}/l", {**stored, "metadata": {**stored["metadata"], "name": "m"}}).status == 400
    assert ask(server, "PUT", f"{LEASES}/l", b"{").status == 400
    assert ask(server, "PUT", f"{LEASES}/l", b"[]").status == 400
    never = {**stored, "metadata": {**stored["metadata"], "resourceVersion": "1"}}
    assert ask(server, "PUT", f"{LEASES}/l", never).status == 409
    assert cluster.get("leases", "monitoring/l")["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]


def test_an_update_may_make_a_lease(server: KubernetesServer, cluster: Cluster) -> None:
    """Told to, the server is as the real one: a PUT of a Lease that is gone makes it, unless it has the id of one."""
    cluster.create_on_update = True
    wanted = lease("l")
    wanted["metadata"]["resourceVersion"] = "7"
    assert ask(server, "PUT", f"{LEASES}/l", {**wanted, "metadata": {**wanted["metadata"], "uid": "x"}}).status == 409
    assert ask(server, "PUT", f"{LEASES}/l", wanted).status == 201
    assert cluster.get("leases", "monitoring/l")["spec"]["holderIdentity"] == "a"


# --- who may ---------------------------------------------------------------------------------------------------------


def test_tokens_and_permissions(server: KubernetesServer, apis: Official) -> None:
    """Nobody without a good token; a user may lose a kind or a verb and get it back; a token may be replaced."""
    lists = apis.core.list_persistent_volume
    for token in ("", "wrong", "wrong first-token"):
        answer = ask(server, "GET", VOLUMES, token=token)
        assert (answer.status, answer.json["reason"]) == (401, "Unauthorized")
    assert ask(server, "GET", VOLUMES, headers={"Authorization": "Basic first-token"}).status == 401
    server.deny("persistentvolumes", user="system:serviceaccount:monitoring:one")
    assert refusal(lists) == (403, "Forbidden")
    assert "cannot list resource" in ask(server, "GET", VOLUMES).json["message"]
    assert ask(server, "GET", VOLUMES, token=OTHER).status == 200
    assert ask(server, "GET", "/apis/storage.k8s.io/v1/csinodes").status == 200
    server.allow("persistentvolumes", user="system:serviceaccount:monitoring:one")
    assert lists().items == []
    server.deny(verb="create")
    assert refusal(apis.coordination.create_namespaced_lease, "monitoring", lease("l")) == (403, "Forbidden")
    assert ask(server, "GET", f"{LEASES}/l").status == 404
    server.tokens["rotated"] = server.tokens.pop("first-token")
    assert refusal(lists) == (401, "Unauthorized")
    assert ask(server, "GET", VOLUMES, token="rotated").status == 200


def test_anonymous_only_where_allowed(cluster: Cluster) -> None:
    """For kubectl without TLS, which sends no token, a server may know a user without one."""
    with run_kubernetes_in_thread(cluster, anonymous="system:anonymous") as running:
        assert ask(running, "GET", VOLUMES, headers={"Authorization": ""}).status == 200
        assert ask(running, "GET", VOLUMES, token="wrong").status == 401
        assert [call.user for call in running.calls] == ["system:anonymous", ""]


def test_calls_are_written_down(server: KubernetesServer, cluster: Cluster) -> None:
    """Verb, kind, name, user and status of each, oldest first, also by the control page; no token anywhere."""
    cluster.put("persistentvolumeclaims", claim("x", "one"))
    ask(server, "GET", "/api/v1/namespaces/x/persistentvolumeclaims/one")
    ask(server, "POST", LEASES, lease("l"), token=OTHER)
    ask(server, "GET", f"{VOLUMES}?watch=1&timeoutSeconds=1", headers={"User-Agent": "me"})
    seen = [(call.verb, call.kind, call.namespace, call.name, call.user[-3:], call.status) for call in server.calls]
    assert seen == [
        ("get", "persistentvolumeclaims", "x", "one", "one", 200),
        ("create", "leases", "monitoring", "", "two", 201),
        ("watch", "persistentvolumes", "", "", "one", 200),
    ]
    page = ask(server, "GET", "/_demo/kubernetes/calls")
    assert [item["verb"] for item in page.json] == ["get", "create", "watch"]
    assert page.json[2]["user_agent"] == "me"
    assert page.json[2]["query"]["timeoutSeconds"] == "1"
    assert b"token" not in page.body
    server.clear_calls()
    assert server.calls == []
