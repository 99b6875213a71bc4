"""The troubles the simulated Kubernetes API can make, as bare connections and the official client see them."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest

from exporter.demo import KUBERNETES_KINDS, Cluster, KubernetesServer, run_kubernetes_in_thread
from tests.demo_kubernetes import LEASES, ask, kubernetes, lease, official, volume

VOLUMES = "/api/v1/persistentvolumes"
PATIENCE = 60.0


@pytest.fixture(scope="module")
def running() -> Iterator[KubernetesServer]:
    tokens = {"first-token": "one", "second-token": "two"}
    with run_kubernetes_in_thread(Cluster(), tokens=tokens, bookmarks=0.05) as server:
        server.cluster.put("persistentvolumes", volume("a"))
        yield server


@pytest.fixture
def server(running: KubernetesServer) -> Iterator[KubernetesServer]:
    yield running
    running.faults.clear()
    running.clear_calls()
    for item in running.cluster.objects("leases"):
        running.cluster.delete("leases", f"monitoring/{item['metadata']['name']}")


def until(holds: Any) -> None:
    """Wait until *holds* does."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def lines(body: bytes) -> list[Any]:
    """The events of a watch that ended properly."""
    return [orjson.loads(line) for line in body.splitlines()]


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("error-500", 500, "InternalError"),
        ("unauthorized", 401, "Unauthorized"),
        ("forbidden", 403, "Forbidden"),
        ("too-many-429", 429, "TooManyRequests"),
        ("gone-410", 410, "Expired"),
    ],
)
def test_refusals_are_statuses(server: KubernetesServer, kind: str, status: int, reason: str) -> None:
    """Each is the Status the real API would send, once; then all is well, and the call says what hit it."""
    server.faults.add(kind, verb="list", count=1, seconds=7)
    answer = ask(server, "GET", VOLUMES)
    assert (answer.status, answer.json["kind"], answer.json["reason"], answer.json["code"]) == (
        status,
        "Status",
        reason,
        status,
    )
    assert answer.headers.get("Retry-After") == ("7" if status == 429 else None)
    assert ask(server, "GET", VOLUMES).status == 200
    assert [call.faults for call in server.calls] == [(kind,), ()]
    assert [call.status for call in server.calls] == [status, 200]


def test_a_load_balancer_speaks_html(server: KubernetesServer) -> None:
    """502 with a body that is no JSON."""
    server.faults.add("html-502", count=1)
    answer = ask(server, "GET", VOLUMES)
    assert (answer.status, answer.headers["Content-Type"]) == (502, "text/html")
    assert answer.body.startswith(b"<html>")


@pytest.mark.parametrize(("kind", "error"), [("reset", ConnectionResetError), ("down", http.client.RemoteDisconnected)])
def test_connections_that_break(server: KubernetesServer, kind: str, error: type[Exception]) -> None:
    """A reset is seen as one, a close as the end of a connection without an answer; the call has no status."""
    server.faults.add(kind, count=1)
    with pytest.raises(error):
        ask(server, "GET", VOLUMES)
    assert ask(server, "GET", VOLUMES).status == 200
    assert [call.status for call in server.calls] == [0, 200]


def test_bodies_that_are_wrong(server: KubernetesServer) -> None:
    """No JSON, half of it with a length that fits, and half of it with one that does not."""
    whole = ask(server, "GET", VOLUMES).body
    for kind in ("malformed", "truncated"):
        server.faults.add(kind, count=1)
        answer = ask(server, "GET", VOLUMES)
        assert answer.status == 200
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(answer.body)
    assert answer.body == whole[: len(whole) // 2]
    server.faults.add("cut", count=1)
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(server, "GET", VOLUMES)
    assert caught.value.partial == whole[: len(whole) // 2]


def test_slow_and_hanging_answers(server: KubernetesServer) -> None:
    """A slow answer is right but late; one that hangs is let go when its client leaves."""
    server.faults.add("slow", count=1, seconds=0.2)
    begun = time.monotonic()
    assert ask(server, "GET", VOLUMES).status == 200
    assert time.monotonic() - begun >= 0.2
    server.faults.add("hang", count=1)
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=0.3)
    connection.request("GET", VOLUMES, headers={"Authorization": "Bearer first-token"})
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()
    assert server.calls[-1].status == 0
    assert ask(server, "GET", VOLUMES).status == 200


def test_rules_choose_their_requests(server: KubernetesServer) -> None:
    """By verb, kind, name, and user or token; the first are spared, then some are hit."""
    server.cluster.put("leases", {**lease("l"), "metadata": {"namespace": "monitoring", "name": "l"}})
    hits: list[dict[str, Any]] = [
        {"verb": "get"},
        {"resource": "leases"},
        {"name": "l"},
        {"user": "one"},
        {"user": "first-token"},
    ]
    others: list[dict[str, Any]] = [
        {"verb": "list"},
        {"resource": "pods"},
        {"name": "m"},
        {"user": "two"},
        {"user": "second-token"},
    ]
    for match in hits:
        rule = server.faults.add("error-500", **match)
        assert ask(server, "GET", f"{LEASES}/l").status == 500, match
        server.faults.remove(rule)
        assert ask(server, "GET", f"{LEASES}/l").status == 200
    for match in others:
        rule = server.faults.add("error-500", **match)
        assert ask(server, "GET", f"{LEASES}/l").status == 200, match
        assert (rule.matched, rule.hit) == (0, 0)
    server.faults.clear()
    rule = server.faults.add("error-500", after=1, count=2)
    assert [ask(server, "GET", VOLUMES).status for _ in range(5)] == [200, 500, 500, 200, 200]
    assert (rule.matched, rule.hit) == (5, 2)
    with pytest.raises(ValueError, match="error-500"):
        server.faults.add("error-501")


def test_a_write_whose_answer_is_lost(server: KubernetesServer) -> None:
    """With `applied` the Lease is written before the answer is lost; without it nothing has happened."""
    server.faults.add("reset", verb="create", count=1)
    with pytest.raises(ConnectionResetError):
        ask(server, "POST", LEASES, lease("l"))
    assert server.cluster.objects("leases") == []
    server.faults.add("reset", verb="create", count=1, applied=True)
    with pytest.raises(ConnectionResetError):
        ask(server, "POST", LEASES, lease("l"))
    (made,) = server.cluster.objects("leases")
    server.faults.add("error-500", verb="update", count=1, applied=True)
    wanted = {**made, "spec": {**made["spec"], "holderIdentity": "b"}}
    assert ask(server, "PUT", f"{LEASES}/l", wanted).status == 500
    assert server.cluster.get("leases", "monitoring/l")["spec"]["holderIdentity"] == "b"
    assert ask(server, "PUT", f"{LEASES}/l", wanted).status == 409


def test_a_late_write_is_written_late(server: KubernetesServer) -> None:
    """An update that was held up is judged when it is done, not when it was sent: another's came first."""
    made = ask(server, "POST", LEASES, lease("l")).json
    rule = server.faults.add("hang", verb="update", user="one", held=True)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(ask, server, "PUT", f"{LEASES}/l", made)
        until(lambda: server.calls[-1].verb == "update")
        assert ask(server, "PUT", f"{LEASES}/l", made, token="second-token").status == 200
        server.faults.remove(rule)
        assert late.result(PATIENCE).status == 409


# --- watches ----------------------------------------------------------------------------------------------------------


def watched(server: KubernetesServer, version: int, seconds: int = 1) -> bytes:
    """The body of a watch."""
    return ask(server, "GET", f"{VOLUMES}?watch=1&resourceVersion={version}&timeoutSeconds={seconds}").body


def test_a_watch_that_is_gone(server: KubernetesServer) -> None:
    """As an event in a good answer, as the API usually says it; or as HTTP 410."""
    server.faults.add("gone-410", verb="watch", count=1)
    (event,) = lines(watched(server, server.cluster.version))
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    server.faults.add("gone-410", verb="watch", count=1, http=True)
    answer = ask(server, "GET", f"{VOLUMES}?watch=1")
    assert (answer.status, answer.json["reason"]) == (410, "Expired")
    server.faults.add("error-500", verb="watch", count=1)
    assert ask(server, "GET", f"{VOLUMES}?watch=1").status == 500


def test_a_watch_that_is_cut(server: KubernetesServer) -> None:
    """After so many events the connection breaks in the middle of a line."""
    version = server.cluster.version
    for phase in ("Available", "Bound", "Released"):
        server.cluster.patch("persistentvolumes", "a", {"status": {"phase": phase}})
    server.faults.add("cut", verb="watch", count=1, events=2)
    with pytest.raises(http.client.IncompleteRead) as caught:
        watched(server, version)
    *whole, half = caught.value.partial.splitlines()
    assert [orjson.loads(line)["object"]["status"]["phase"] for line in whole] == ["Available", "Bound"]
    assert half.startswith(b'{"type":"')
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(half)


def test_a_watch_that_ends_in_mid_line(server: KubernetesServer) -> None:
    """The answer ends as it should, but its last line is half a line."""
    version = server.cluster.version
    server.cluster.patch("persistentvolumes", "a", {"status": {"phase": "Bound"}})
    server.faults.add("truncated", verb="watch", count=1, events=1)
    whole, half = watched(server, version, 60).splitlines()
    assert orjson.loads(whole)["type"] == "MODIFIED"
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(half)


def test_a_watch_with_a_bad_line(server: KubernetesServer) -> None:
    """One line is no JSON, the next ones are."""
    version = server.cluster.version
    server.cluster.patch("persistentvolumes", "a", {"status": {"phase": "Bound"}})
    server.faults.add("malformed", verb="watch", count=1)
    bad, good = watched(server, version).splitlines()
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(bad)
    assert orjson.loads(good)["object"]["metadata"]["name"] == "a"


def test_a_watch_that_falls_silent(server: KubernetesServer) -> None:
    """The answer begins, and then neither changes nor bookmarks come."""
    server.faults.add("silent", verb="watch", count=1, seconds=0.5)
    version = server.cluster.version
    server.cluster.patch("persistentvolumes", "a", {"status": {"phase": "Bound"}})
    query = f"watch=1&resourceVersion={version}&timeoutSeconds=60&allowWatchBookmarks=1"
    begun = time.monotonic()
    answer = ask(server, "GET", f"{VOLUMES}?{query}")
    assert (answer.status, answer.body) == (200, b"")
    assert time.monotonic() - begun >= 0.5


def test_a_silent_watch_ends_with_the_server() -> None:
    """Neither a hanging call nor a silent watch keeps a server from stopping."""
    with run_kubernetes_in_thread() as server:
        server.faults.add("silent", verb="watch")
        server.faults.add("hang", verb="list")
        threads = [threading.Thread(target=ask, args=(server, "GET", path)) for path in (f"{VOLUMES}?watch=1", VOLUMES)]
        for thread in threads:
            thread.start()
        until(lambda: len(server.calls) == 2)
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_the_official_client_sees_a_watch_break(server: KubernetesServer) -> None:
    """It raises what it makes of a connection that ends in mid-stream, having given what came before."""
    server.faults.add("cut", verb="watch", count=1, events=1)
    seen: list[str] = []
    with official(server) as apis:
        stream = kubernetes.watch.Watch().stream(apis.core.list_persistent_volume, timeout_seconds=60)
        with pytest.raises(Exception, match=r"IncompleteRead|Response ended prematurely|Connection broken"):
            seen.extend(change["type"] for change in stream)
    assert seen == ["ADDED"]


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_control_pages(server: KubernetesServer) -> None:
    """Rules come, are shown and go by HTTP, one or several; nonsense is refused in words."""
    page = "/_demo/kubernetes/faults"
    rule = {"match": {"verb": "list", "kind": "persistentvolumes"}, "kind": "error-500", "count": 1}
    (shown,) = ask(server, "POST", page, rule, token="").json
    assert (shown["kind"], shown["match"]["kind"], shown["hit"]) == ("error-500", "persistentvolumes", 0)
    assert ask(server, "GET", VOLUMES).status == 500
    assert ask(server, "GET", page).json[0]["hit"] == 1
    several = [{"kind": "slow", "options": {"seconds": 0}}, {"kind": "hang", "after": 3, "match": {"user": "two"}}]
    assert [item["kind"] for item in ask(server, "POST", page, several).json] == ["error-500", "slow", "hang"]
    for nonsense in ({"kind": "none"}, [1], b"{"):
        answer = ask(server, "POST", page, nonsense)
        assert answer.status == 400
        assert answer.json["error"]
    assert ask(server, "DELETE", page).json == []
    assert ask(server, "GET", VOLUMES).status == 200


def test_objects_that_are_none(server: KubernetesServer) -> None:
    """What is put verbatim is served so: no object at all, or bytes that are no JSON."""
    cluster = server.cluster
    cluster.put_verbatim("csinodes", "odd", ["no", "object"])
    cluster.put_verbatim("csinodes", "plain", {"metadata": "none"})
    path = "/apis/storage.k8s.io/v1/csinodes"
    assert ask(server, "GET", path).json["items"] == [["no", "object"], {"metadata": "none"}]
    assert ask(server, "GET", f"{path}?labelSelector=a").json["items"] == []
    events = ask(server, "GET", f"{path}?watch=1&timeoutSeconds=1").body
    assert lines(events)[0]["object"] == ["no", "object"]
    cluster.put_verbatim("csinodes", "odd", b'{"metadata": {"name": "odd", "labels": 7e999}}')
    assert b"7e999" in ask(server, "GET", f"{path}/odd").body
    cluster.delete("csinodes", "odd")
    cluster.delete("csinodes", "plain")
    with pytest.raises(KeyError):
        cluster.delete("csinodes", "odd")


def test_every_fault_is_described() -> None:
    """Every kind has a line for people, and can be added."""
    assert all(text for text in KUBERNETES_KINDS.values())
    with run_kubernetes_in_thread() as server:
        assert [server.faults.add(kind).kind for kind in KUBERNETES_KINDS] == list(KUBERNETES_KINDS)
