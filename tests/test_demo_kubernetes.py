"""The simulated Kubernetes API: lists and watches, as the official client and bare requests see them."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import orjson
import pytest

from exporter.demo import Cluster, KubernetesServer, World, WorldClock, run_kubernetes_in_thread
from exporter.demo.kubernetes_many import many
from exporter.demo.kubernetes_objects import cluster_of
from tests.demo_kubernetes import LEASES, Official, ask, claim, kubernetes, lease, names, official, refusal, volume
from tests.demo_worlds import NOW

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


# --- lists -----------------------------------------------------------------------------------------------------------


def test_a_list_is_shaped_as_the_real_one(server: KubernetesServer, cluster: Cluster) -> None:
    """The list has kind and version, its items have neither; they carry ids, ages and managed fields."""
    cluster.put("persistentvolumes", volume("b"))
    cluster.put("persistentvolumes", volume("a"))
    answer = ask(server, "GET", VOLUMES)
    assert answer.headers["Content-Type"] == "application/json"
    given = answer.json
    assert (given["kind"], given["apiVersion"]) == ("PersistentVolumeList", "v1")
    assert given["metadata"] == {"resourceVersion": str(cluster.version)}
    assert [item["metadata"]["name"] for item in given["items"]] == ["a", "b"]
    for item in given["items"]:
        assert not {"kind", "apiVersion"} & item.keys()
        assert item["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:csi"]["f:driver"] == {}
        assert datetime.fromisoformat(item["metadata"]["creationTimestamp"]).tzinfo is not None
        assert len(item["metadata"]["uid"]) == 36


def test_pages_show_one_moment(apis: Official, cluster: Cluster) -> None:
    """A continued list goes on with what was there when it began, and says how many are left."""
    for letter in "abcde":
        cluster.put("persistentvolumes", volume(letter))
    first = apis.core.list_persistent_volume(limit=2)
    version = first.metadata.resource_version
    assert (names(first.items), first.metadata.remaining_item_count) == (["a", "b"], 3)
    cluster.delete("persistentvolumes", "c")
    cluster.put("persistentvolumes", volume("bb"))
    second = apis.core.list_persistent_volume(limit=2, _continue=first.metadata._continue)
    third = apis.core.list_persistent_volume(limit=2, _continue=second.metadata._continue)
    assert (names(second.items), second.metadata.remaining_item_count) == (["c", "d"], 1)
    assert (names(third.items), third.metadata._continue, third.metadata.remaining_item_count) == (["e"], None, None)
    assert {item.metadata.resource_version for item in (second, third)} == {version}
    assert names(apis.core.list_persistent_volume().items) == ["a", "b", "bb", "d", "e"]


def test_a_page_after_compaction_is_gone(apis: Official, cluster: Cluster) -> None:
    """What continues a forgotten list is 410 Expired; what never was a token, or comes with a version, is 400."""
    for letter in "abc":
        cluster.put("persistentvolumes", volume(letter))
    token = apis.core.list_persistent_volume(limit=1).metadata._continue
    lists = apis.core.list_persistent_volume
    assert refusal(lists, _continue=token, resource_version=str(cluster.version)) == (400, "BadRequest")
    cluster.delete("persistentvolumes", "c")
    cluster.compact()
    assert refusal(lists, _continue=token) == (410, "Expired")
    assert refusal(lists, _continue="nonsense") == (400, "BadRequest")
    assert names(lists(limit=5).items) == ["a", "b"]


def test_versions_of_a_list(apis: Official, cluster: Cluster) -> None:
    """A list from the cache (version 0) has no pages; one that shall be newer than the newest is a Timeout."""
    for letter in "abc":
        cluster.put("persistentvolumes", volume(letter))
    lists = apis.core.list_persistent_volume
    assert names(lists(limit=1, resource_version="0").items) == ["a", "b", "c"]
    assert names(lists(resource_version=str(cluster.version)).items) == ["a", "b", "c"]
    assert refusal(lists, resource_version=str(cluster.version + 1)) == (504, "Timeout")
    assert refusal(lists, resource_version="new") == (400, "BadRequest")


def test_namespaces_and_selectors(server: KubernetesServer, apis: Official, cluster: Cluster) -> None:
    """Lists of one namespace, by labels in every grammar, and by the fields a kind offers."""
    cluster.put("persistentvolumeclaims", claim("x", "one", labels={"team": "a", "tier": "db"}))
    cluster.put("persistentvolumeclaims", claim("x", "two", labels={"team": "b"}))
    cluster.put("persistentvolumeclaims", claim("xy", "three"))
    lists = apis.core.list_persistent_volume_claim_for_all_namespaces
    assert names(apis.core.list_namespaced_persistent_volume_claim("x").items) == ["one", "two"]
    for selector, found in {
        "team=a": ["one"],
        "team==a,tier": ["one"],
        "team!=a": ["two", "three"],
        "team in (a, b),!tier": ["two"],
        "team notin (a)": ["two", "three"],
        "!team": ["three"],
    }.items():
        assert names(lists(label_selector=selector).items) == found, selector
    assert names(lists(field_selector="metadata.name=two").items) == ["two"]
    assert names(lists(field_selector="metadata.namespace!=x").items) == ["three"]
    page = lists(label_selector="team", limit=1)
    assert page.metadata._continue
    assert page.metadata.remaining_item_count is None  # of a selection nobody counts
    assert refusal(lists, field_selector="spec.volumeName=v") == (400, "BadRequest")
    assert refusal(lists, label_selector="team in a") == (400, "BadRequest")
    pod = {"metadata": {"namespace": "x", "name": "p"}, "spec": {"nodeName": "n", "containers": [{"name": "c"}]}}
    cluster.put("pods", pod)
    pods = apis.core.list_pod_for_all_namespaces
    assert names(pods(field_selector="spec.nodeName=n").items) == ["p"]
    assert names(pods(field_selector="spec.nodeName=m").items) == []


def test_single_objects_and_what_is_not_there(server: KubernetesServer, apis: Official, cluster: Cluster) -> None:
    """A single object has kind and version; everything else is a Status of its own."""
    cluster.put("persistentvolumes", volume("a"))
    given = ask(server, "GET", f"{VOLUMES}/a").json
    assert (given["kind"], given["apiVersion"], given["metadata"]["name"]) == ("PersistentVolume", "v1", "a")
    assert apis.core.read_persistent_volume("a").spec.csi.volume_handle == "vol-a"
    assert refusal(apis.core.read_persistent_volume, "b") == (404, "NotFound")
    missing = ask(server, "GET", f"{VOLUMES}/b").json
    assert missing["details"] == {"name": "b", "kind": "persistentvolumes"}
    assert (missing["kind"], missing["status"], missing["code"]) == ("Status", "Failure", 404)
    for path in ("/api/v1/secrets", "/apis/storage.k8s.io/v1/persistentvolumes", "/apis/apps/v1", "/nothing"):
        answer = ask(server, "GET", path)
        assert (answer.status, answer.json["reason"]) == (404, "NotFound"), path


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_only_leases_can_be_written(server: KubernetesServer, cluster: Cluster, method: str) -> None:
    """Whatever would change another kind, or a Lease in a way nobody needs, is 405."""
    cluster.put("persistentvolumes", volume("a"))
    paths = {"POST": (VOLUMES, f"{LEASES}/a"), "PATCH": (f"{VOLUMES}/a", f"{LEASES}/a")}
    for path in (*paths.get(method, (f"{VOLUMES}/a", LEASES)), "/version"):
        answer = ask(server, method, path, lease("a"))
        assert (answer.status, answer.json["reason"]) == (405, "MethodNotAllowed"), path
    assert cluster.get("persistentvolumes", "a")["metadata"]["name"] == "a"


def test_five_thousand_volumes_in_pages(server: KubernetesServer, apis: Official, cluster: Cluster) -> None:
    """A large cluster comes in pages of real size, and compressed for those who ask for that."""
    cluster.fill(many(5000))
    found: list[str] = []
    token = None
    while token is not None or not found:
        page = orjson.loads(apis.core.list_persistent_volume(limit=500, _continue=token, _preload_content=False).data)
        found += [item["spec"]["csi"]["volumeHandle"] for item in page["items"]]
        token = page["metadata"].get("continue")
    assert len(found) == len(set(found)) == 5000
    answer = ask(server, "GET", f"{VOLUMES}?limit=500", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    body = gzip.decompress(answer.body)
    assert len(orjson.loads(body)["items"]) == 500
    assert len(body) / 500 > 1500  # bytes each, most of it noise
    assert refusal(apis.core.list_persistent_volume, resource_version="999999") == (504, "Timeout")


# --- watches ---------------------------------------------------------------------------------------------------------


def test_a_watch_tells_every_change(apis: Official, cluster: Cluster) -> None:
    """What is there, then what comes, changes and goes, each with its version, until the time is over."""
    cluster.put("persistentvolumes", volume("a"))
    told = []
    for change in kubernetes.watch.Watch().stream(apis.core.list_persistent_volume, timeout_seconds=60):
        told.append((change["type"], change["object"].metadata.name, change["object"].status.phase))
        if told[-1][:2] == ("ADDED", "a"):
            cluster.put("persistentvolumes", volume("b"))
            cluster.patch("persistentvolumes", "a", {"status": {"phase": "Released"}})
            cluster.put("persistentvolumeclaims", claim("x", "of-no-interest"))
            cluster.delete("persistentvolumes", "a")
        if change["type"] == "DELETED":
            assert change["object"].metadata.resource_version == str(cluster.version)
            break
    assert told == [
        ("ADDED", "a", "Bound"),
        ("ADDED", "b", "Bound"),
        ("MODIFIED", "a", "Released"),
        ("DELETED", "a", "Released"),
    ]


def test_a_watch_is_woken_by_each_change(apis: Official, cluster: Cluster) -> None:
    """Changes that come one by one, each only after the one before was told, are told at once."""
    cluster.put("persistentvolumes", volume("v0"))
    told: list[str] = []
    for change in kubernetes.watch.Watch().stream(apis.core.list_persistent_volume, timeout_seconds=60):
        told.append(change["object"].metadata.name)
        if len(told) == 30:
            break
        cluster.put("persistentvolumes", volume(f"v{len(told)}"))
    assert told == [f"v{number}" for number in range(30)]


def test_ids_and_ages_last() -> None:
    """An object that is put again keeps its id and the instant it was made; one that was deleted is another."""
    clock = WorldClock(NOW)
    cluster = Cluster(now=clock)
    first = cluster.put("persistentvolumes", volume("a"))["metadata"]
    clock.advance(60)
    again = cluster.put("persistentvolumes", volume("a"))["metadata"]
    assert (again["uid"], again["creationTimestamp"]) == (first["uid"], "2026-08-23T10:00:00Z")
    assert int(again["resourceVersion"]) > int(first["resourceVersion"])
    cluster.delete("persistentvolumes", "a")
    other = cluster.put("persistentvolumes", volume("a"))["metadata"]
    assert other["uid"] != first["uid"]
    assert other["creationTimestamp"] == "2026-08-23T10:01:00Z"


def test_a_watch_goes_on_from_a_version(server: KubernetesServer, cluster: Cluster) -> None:
    """From a version only what came later; lines are JSON with kind and version; the server ends in time."""
    cluster.put("persistentvolumes", volume("a"))
    version = cluster.version
    cluster.put("persistentvolumes", volume("b"))
    answer = ask(server, "GET", f"{VOLUMES}?watch=true&resourceVersion={version}&timeoutSeconds=1")
    events = [orjson.loads(line) for line in answer.body.splitlines()]
    assert [(item["type"], item["object"]["metadata"]["name"]) for item in events] == [("ADDED", "b")]
    assert (events[0]["object"]["kind"], events[0]["object"]["apiVersion"]) == ("PersistentVolume", "v1")
    everything = ask(server, "GET", f"{VOLUMES}?watch=1&resourceVersion=0&timeoutSeconds=1")
    assert len(everything.body.splitlines()) == 2


def test_a_watch_too_old(server: KubernetesServer, apis: Official, cluster: Cluster) -> None:
    """A forgotten version is HTTP 200 with an ERROR event of code 410; that of the last list still works."""
    cluster.put("persistentvolumes", volume("a"))
    version = cluster.version
    cluster.put("persistentvolumes", volume("b"))
    cluster.compact()
    answer = ask(server, "GET", f"{VOLUMES}?watch=1&resourceVersion={version}")
    (event,) = [orjson.loads(line) for line in answer.body.splitlines()]
    assert (answer.status, event["type"]) == (200, "ERROR")
    assert (event["object"]["kind"], event["object"]["reason"], event["object"]["code"]) == ("Status", "Expired", 410)
    fresh = ask(server, "GET", f"{VOLUMES}?watch=1&resourceVersion={cluster.version}&timeoutSeconds=1")
    assert fresh.body == b""
    watch = kubernetes.watch.Watch()
    stream = watch.stream(apis.core.list_persistent_volume, resource_version=str(version), timeout_seconds=5)
    with pytest.raises(kubernetes.client.ApiException) as caught:
        list(stream)
    assert caught.value.status == 410


def test_bookmarks(apis: Official, cluster: Cluster) -> None:
    """Who allows them is told the newest version, though none of the kind's objects changed."""
    cluster.put("persistentvolumes", volume("a"))
    watch, others = kubernetes.watch.Watch(), 0
    for change in watch.stream(apis.core.list_persistent_volume, allow_watch_bookmarks=True, timeout_seconds=60):
        if change["type"] == "ADDED":
            cluster.put("persistentvolumeclaims", claim("x", "another-kind"))
            others += 1
        elif change["raw_object"]["metadata"]["resourceVersion"] == str(cluster.version):
            assert change["type"] == "BOOKMARK"
            assert change["raw_object"]["kind"] == "PersistentVolume"
            break
    assert others == 1


def test_no_bookmarks_unless_allowed(server: KubernetesServer) -> None:
    """A watch that did not ask for them sees none."""
    assert ask(server, "GET", f"{VOLUMES}?watch=1&timeoutSeconds=1").body == b""
    assert b"BOOKMARK" in ask(server, "GET", f"{VOLUMES}?watch=1&timeoutSeconds=1&allowWatchBookmarks=true").body


def test_a_watch_of_a_selection(server: KubernetesServer, cluster: Cluster) -> None:
    """An object that begins to match is ADDED, one that ceases to is DELETED; other namespaces are not told of."""
    version = cluster.version
    cluster.put("persistentvolumeclaims", claim("x", "one"))
    cluster.put("persistentvolumeclaims", claim("xy", "two", labels={"team": "a"}))
    cluster.patch("persistentvolumeclaims", "x/one", {"metadata": {"labels": {"team": "a"}}})
    cluster.patch("persistentvolumeclaims", "x/one", {"metadata": {"labels": {"size": "l"}}})
    cluster.patch("persistentvolumeclaims", "x/one", {"metadata": {"labels": {"team": None}}})
    query = f"watch=1&resourceVersion={version}&timeoutSeconds=1&labelSelector=team%3Da"
    answer = ask(server, "GET", f"/api/v1/namespaces/x/persistentvolumeclaims?{query}")
    events = [orjson.loads(line) for line in answer.body.splitlines()]
    assert [(item["type"], item["object"]["metadata"]["name"]) for item in events] == [
        ("ADDED", "one"),
        ("MODIFIED", "one"),
        ("DELETED", "one"),
    ]


def test_watches_end_and_outages_pass(server: KubernetesServer, apis: Official, cluster: Cluster) -> None:
    """A server that is replaced ends its watches; while it is away nothing listens, and then it is where it was."""
    cluster.put("persistentvolumes", volume("a"))
    url = server.url
    for _ in kubernetes.watch.Watch().stream(apis.core.list_persistent_volume, timeout_seconds=60, _request_timeout=30):
        assert server.watching == 1
        server.drop_watches()
        break_after = server.calls[-1]
        break
    assert break_after.status == 200
    server.run(server.stop())
    with pytest.raises(OSError, match="refused"):
        ask(server, "GET", VOLUMES)
    server.run(server.start())
    assert server.url == url
    assert names(apis.core.list_persistent_volume().items) == ["a"]


# --- a cluster that follows a world -----------------------------------------------------------------------------------


def test_the_server_follows_the_world() -> None:
    """A request sees the world as it is at that moment; a watch is told soon after, though nobody asks anything."""
    asked = World(1, WorldClock(NOW))
    with run_kubernetes_in_thread(cluster_of(asked), tick=0.02) as server, official(server) as apis:
        asked.scenario("claim-terminating")
        found = apis.core.read_namespaced_persistent_volume_claim("data-mysql-0", "databases")
        assert found.metadata.deletion_timestamp is not None
        version = apis.storage.list_csi_node().metadata.resource_version
        told = []
        stream = kubernetes.watch.Watch().stream(
            apis.storage.list_csi_node, resource_version=version, timeout_seconds=60, allow_watch_bookmarks=False
        )

        def happen() -> None:
            while not server.watching:
                time.sleep(0.005)
            asked.scenario("csi-driver-missing")

        with ThreadPoolExecutor(1) as pool:
            happened = pool.submit(happen)
            for change in stream:
                told.append((change["type"], len(change["object"].spec.drivers)))
                break
            happened.result(30)
        assert told == [("MODIFIED", 2)]
