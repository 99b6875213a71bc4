"""The client of the Kubernetes API against the simulated one: lists, watches, a Lease's verbs, every fault."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from exporter.demo.kubernetes import TOKEN, KubernetesServer
from exporter.kubernetes.api import Api, Page
from exporter.kubernetes.faults import (
    ConflictError,
    ForbiddenError,
    GoneError,
    KubernetesError,
    NotFoundError,
    ThrottledError,
    TimedOutError,
    UnreachableError,
)
from exporter.kubernetes.server import Server
from exporter.kubernetes.wire import Event
from tests.kubernetes_side import FAULTS, PATIENCE, SECRET, VOLUMES, Bearer, client, listed, until

LEASES = "/apis/coordination.k8s.io/v1/namespaces/monitoring/leases"
LEASE = f"{LEASES}/storage-exporter"


def known(cluster: KubernetesServer, token: str = TOKEN) -> Server:
    """The simulated cluster to one who has a token."""
    return Server(cluster.url, Bearer(token), "the test")


def volume(number: int, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": f"pv-{number:04}"}, "spec": {"capacity": {"storage": "1Gi"}, **more}}


async def whole(api: Api, path: str = VOLUMES, limit: int = 500, timeout: float = PATIENCE) -> list[Page]:  # noqa: ASYNC109
    return [page async for page in api.pages(path, limit, timeout=timeout)]


async def watched(
    api: Api,
    version: str,
    seconds: float,
    seen: list[Event],
    timeout: float = PATIENCE,  # noqa: ASYNC109
) -> None:
    """Watch the volumes to the end; *seen* has the events, also where it fails."""
    async with api.watch(VOLUMES, version, seconds, timeout=timeout) as events:
        async for event in events:
            seen.append(event)  # noqa: PERF401 - what came before a failure counts


def names(items: list[Any]) -> list[str]:
    return re.findall(r'"name":"(pv-\d+)"', " ".join(bytes(item).decode() for item in items))


# ---- lists ----------------------------------------------------------------------------------------------------------


async def test_a_list_comes_in_pages() -> None:
    """Every object once, each page of the same version, and only the first says it is the first."""
    async with KubernetesServer() as cluster:
        cluster.cluster.fill({"persistentvolumes": [volume(number) for number in range(25)]})
        async with client(known(cluster)) as api:
            pages = await whole(api, limit=10)
        assert [names(page.items) for page in pages] == [
            [f"pv-{number:04}" for number in range(start, min(start + 10, 25))] for start in (0, 10, 20)
        ]
        assert [page.first for page in pages] == [True, False, False]
        assert {page.version for page in pages} == {str(cluster.cluster.version)}
        # With resourceVersion=0 the server would send everything at once.
        assert [call.query.get("resourceVersion") for call in cluster.calls] == [None] * 3
        assert [call.query["limit"] for call in cluster.calls] == ["10"] * 3


async def test_the_rest_of_a_list_that_is_too_old_begins_it_anew() -> None:
    """The page after is the first of another list, and that is said."""
    async with KubernetesServer() as cluster, client(known(cluster)) as api:
        cluster.cluster.fill({"persistentvolumes": [volume(number) for number in range(25)]})
        seen: list[tuple[bool, int]] = []
        async for page in api.pages(VOLUMES, 10):
            seen.append((page.first, len(page.items)))
            if len(seen) == 1:
                cluster.cluster.put("persistentvolumes", volume(99))
                cluster.cluster.compact()
        assert seen == [(True, 10), (True, 10), (False, 10), (False, 6)]


async def test_a_list_that_is_always_too_old_is_given_up() -> None:
    """It is begun anew once; a second time it is for later."""
    async with KubernetesServer() as cluster, client(known(cluster)) as api:
        cluster.cluster.fill({"persistentvolumes": [volume(number) for number in range(25)]})
        pages = api.pages(VOLUMES, 10)
        for _ in range(2):
            assert (await anext(pages)).first
            cluster.cluster.put("persistentvolumes", volume(99))
            cluster.cluster.compact()
        with pytest.raises(GoneError):
            await anext(pages)
        assert [("continue" in call.query) for call in cluster.calls] == [False, True, False, True]


async def test_an_empty_list_is_a_page() -> None:
    """It has a version to watch from."""
    async with KubernetesServer() as cluster, client(known(cluster)) as api:
        pages = await whole(api)
        assert [(page.items, page.version) for page in pages] == [([], str(cluster.cluster.version))]


# ---- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "code"), FAULTS.items())
async def test_every_fault_of_a_list_is_an_error_with_a_code(fault: str, code: str) -> None:
    """The telemetry is told the code and the kind; when the fault is over, the same client lists again."""
    told: list[tuple[str, str, str]] = []
    async with KubernetesServer() as cluster:
        cluster.cluster.fill({"persistentvolumes": [volume(number) for number in range(25)]})
        cluster.faults.add(fault, verb="list")
        hook = lambda verb, kind, code, seconds: told.append((verb, kind, code))  # noqa: E731
        async with client(known(cluster), observed=hook) as api:
            with pytest.raises(KubernetesError, match="list persistentvolumes: ") as caught:
                await whole(api, timeout=1.0 if fault == "hang" else PATIENCE)
            assert caught.value.code == code
            assert TOKEN not in str(caught.value)
            assert "<html>" not in str(caught.value)
            cluster.faults.clear()
            assert [len(page.items) for page in await whole(api)] == [25]
    assert told == [("list", "persistentvolumes", code), ("list", "persistentvolumes", "ok")]


async def test_a_slow_answer_is_waited_for() -> None:
    """As long as the time allows."""
    async with KubernetesServer() as cluster, client(known(cluster)) as api:
        rule = cluster.faults.add("slow", seconds=0.3)
        assert [len(page.items) for page in await whole(api)] == [0]
        assert rule.hit == 1


async def test_nobody_there_is_an_error() -> None:
    """Of the address, with the address in it; when the server is back, the client reaches it."""
    async with KubernetesServer() as cluster, client(known(cluster)) as api:
        await api.get(VOLUMES, timeout=PATIENCE)
        await cluster.stop()
        with pytest.raises(UnreachableError, match=re.escape(cluster.url.removeprefix("http://"))):
            await api.get(VOLUMES, timeout=PATIENCE)
        await cluster.start()
        await api.get(VOLUMES, timeout=PATIENCE)


async def test_what_is_forbidden_names_the_missing_permission() -> None:
    """Verb, resource, group and the role to put them into, so that nobody has to search."""
    async with KubernetesServer() as cluster, client(known(cluster)) as api:
        cluster.deny()
        with pytest.raises(ForbiddenError) as caught:
            await whole(api, "/apis/storage.k8s.io/v1/csinodes")
        text = str(caught.value)
        assert 'the verb "list" on the resource "csinodes" of the API group "storage.k8s.io" by a ClusterRole' in text
        assert "cannot list resource" in text  # the server's own words
        with pytest.raises(
            ForbiddenError, match=r'"update" on the resource "leases" .* by a Role of namespace monitoring'
        ):
            await api.replace(LEASE, {"metadata": {"name": "storage-exporter"}}, timeout=PATIENCE)


async def test_a_slower_pace_is_asked_for_with_its_seconds() -> None:
    """What Retry-After says is on the error."""
    async with KubernetesServer() as cluster, client(known(cluster)) as api:
        cluster.faults.add("too-many-429", seconds=7)
        with pytest.raises(ThrottledError) as caught:
            await api.get(VOLUMES, timeout=PATIENCE)
        assert caught.value.retry_after == 7.0


async def test_a_token_the_cluster_does_not_know_is_in_no_text() -> None:
    """Neither in the error nor in what its traceback would print."""
    async with KubernetesServer() as cluster:
        for fault in ("", "malformed", "cut", "reset", "hang"):
            cluster.faults.clear()
            if fault:
                cluster.faults.add(fault)
            async with client(known(cluster, SECRET)) as api:
                with pytest.raises(KubernetesError) as caught:
                    await api.get(VOLUMES, timeout=0.5)
                assert SECRET not in str(caught.value)
                assert caught.value.__cause__ is None
                assert caught.value.__suppress_context__ or caught.value.__context__ is None


async def test_a_cancelled_request_is_no_error_and_no_request_told_of() -> None:
    """Whoever cancels knows why."""
    told: list[str] = []
    async with KubernetesServer() as cluster:
        cluster.faults.add("hang")
        async with client(known(cluster), observed=lambda *what: told.append(what[2])) as api:
            asking = asyncio.create_task(api.get(VOLUMES, timeout=PATIENCE))
            await until(lambda: len(cluster.calls) == 1)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
    assert told == []


# ---- watches --------------------------------------------------------------------------------------------------------


async def test_a_watch_tells_what_happens() -> None:
    """Additions, changes, deletions and bookmarks, from the version on; then it ends as the server ends it."""
    async with KubernetesServer(bookmarks=0.2) as cluster, client(known(cluster)) as api:
        cluster.cluster.fill({"persistentvolumes": [volume(1)]})
        version = str(cluster.cluster.version)
        cluster.cluster.put("persistentvolumes", volume(2))
        async with api.watch(VOLUMES, version, 1.0) as events:
            cluster.cluster.patch("persistentvolumes", "pv-0002", {"spec": {"nodeAffinity": None}})
            cluster.cluster.delete("persistentvolumes", "pv-0001")
            seen = [(event.type, names([event.object])) async for event in events]
        assert seen[:3] == [("ADDED", ["pv-0002"]), ("MODIFIED", ["pv-0002"]), ("DELETED", ["pv-0001"])]
        assert seen[-1] == ("BOOKMARK", [])
        asked = cluster.calls[-1].query
        assert (asked["allowWatchBookmarks"], asked["timeoutSeconds"]) == ("true", "1")


@pytest.mark.parametrize(
    ("fault", "options", "code"),
    [
        ("gone-410", {}, "gone"),
        ("gone-410", {"http": True}, "gone"),
        ("error-500", {}, "server_error"),
        ("html-502", {}, "server_error"),
        ("reset", {}, "unreachable"),
        ("down", {}, "unreachable"),
        ("hang", {}, "timeout"),
        ("silent", {}, "timeout"),
        ("unauthorized", {}, "unauthorized"),
        ("forbidden", {}, "forbidden"),
        ("too-many-429", {}, "throttled"),
        ("malformed", {}, "malformed"),
        ("truncated", {}, "unreachable"),
        ("cut", {"events": 1}, "unreachable"),
    ],
)
async def test_every_fault_of_a_watch_is_an_error_with_a_code(fault: str, options: dict[str, Any], code: str) -> None:
    """On opening or in mid-stream; what came before it was told."""
    told: list[tuple[str, str, str]] = []
    async with KubernetesServer() as cluster:
        version = str(cluster.cluster.version)
        cluster.cluster.put("persistentvolumes", volume(1))
        cluster.faults.add(fault, verb="watch", **options)
        seen: list[Event] = []
        hook = lambda verb, kind, code, seconds: told.append((verb, kind, code))  # noqa: E731
        async with client(known(cluster), observed=hook, grace=0.2) as api:
            with pytest.raises(KubernetesError, match="watch persistentvolumes: ") as caught:
                await watched(api, version, 1.0, seen, timeout=1.0 if fault == "hang" else PATIENCE)
        assert caught.value.code == code
        assert told[-1] == ("watch", "persistentvolumes", code)
        assert [event.type for event in seen] == (["ADDED"] if fault == "cut" else [])


async def test_a_watch_from_before_the_servers_memory_is_gone() -> None:
    """The server's own 410, not a rule's."""
    async with KubernetesServer() as cluster, client(known(cluster)) as api:
        version = str(cluster.cluster.version)
        cluster.cluster.put("persistentvolumes", volume(1))
        cluster.cluster.compact()
        with pytest.raises(GoneError):
            await watched(api, version, 5.0, [])


async def test_leaving_a_watch_ends_it() -> None:
    """Also in the middle, by an error or by cancellation; nothing stays open."""
    async with KubernetesServer() as cluster, client(known(cluster)) as api:
        version = str(cluster.cluster.version)
        cluster.cluster.put("persistentvolumes", volume(1))
        async with api.watch(VOLUMES, version, 60.0) as events:
            await anext(events)
            assert cluster.watching == 1
        await until(lambda: cluster.watching == 0, "the server notices")
        watching = asyncio.create_task(watched(api, version, 60.0, []))
        await until(lambda: cluster.watching == 1)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
        await until(lambda: cluster.watching == 0, "the server notices")


async def test_a_slow_reader_loses_nothing() -> None:
    """The time of a watch is the server's; while we are busy with an event nothing is interrupted."""
    async with KubernetesServer() as cluster, client(known(cluster), grace=0.1) as api:
        version = str(cluster.cluster.version)
        for number in range(5):
            cluster.cluster.put("persistentvolumes", volume(number))
        seen: list[str] = []
        async with api.watch(VOLUMES, version, 1.0) as events:
            async for event in events:
                seen += names([event.object])
                await asyncio.sleep(0.3)
        assert seen == [f"pv-{number:04}" for number in range(5)]


# ---- one object -----------------------------------------------------------------------------------------------------


def lease(holder: str, version: str = "") -> dict[str, Any]:
    metadata = {"name": "storage-exporter", "namespace": "monitoring"} | (
        {"resourceVersion": version} if version else {}
    )
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


async def test_a_lease_is_made_read_and_replaced() -> None:
    """What is given back is what the server has, its version included."""
    async with KubernetesServer() as cluster, client(known(cluster)) as api:
        made = await api.create(LEASES, lease("a"), timeout=PATIENCE)
        assert await api.get(LEASE, timeout=PATIENCE) == made
        version = made["metadata"]["resourceVersion"]
        replaced = await api.replace(LEASE, lease("b", version), timeout=PATIENCE)
        assert replaced["spec"]["holderIdentity"] == "b"
        assert replaced["metadata"]["resourceVersion"] != version
        assert [(call.verb, call.status) for call in cluster.calls] == [("create", 201), ("get", 200), ("update", 200)]


async def test_who_was_second_is_told_so() -> None:
    """A Lease that exists cannot be made, one that changed cannot be replaced, one that is not there is not found."""
    async with KubernetesServer() as cluster, client(known(cluster)) as api:
        with pytest.raises(
            NotFoundError, match=r"get leases storage-exporter in namespace monitoring: .*no such object"
        ):
            await api.get(LEASE, timeout=PATIENCE)
        made = await api.create(LEASES, lease("a"), timeout=PATIENCE)
        with pytest.raises(ConflictError):
            await api.create(LEASES, lease("b"), timeout=PATIENCE)
        version = made["metadata"]["resourceVersion"]
        await api.replace(LEASE, lease("a", version), timeout=PATIENCE)
        with pytest.raises(ConflictError):
            await api.replace(LEASE, lease("b", version), timeout=PATIENCE)
        assert (await api.get(LEASE, timeout=PATIENCE))["spec"]["holderIdentity"] == "a"


async def test_a_kind_the_cluster_does_not_serve_is_not_found() -> None:
    """With the group in the text: older clusters lack some."""
    async with KubernetesServer() as cluster, client(known(cluster)) as api:
        with pytest.raises(NotFoundError, match=r'does not serve it in "storage\.k8s\.io"'):
            await whole(api, "/apis/storage.k8s.io/v1/volumeattributesclasses")


async def test_the_time_for_a_verb_is_kept() -> None:
    """A Lease is lost while one waits."""
    async with KubernetesServer() as cluster, client(known(cluster)) as api:
        cluster.faults.add("hang")
        asked: list[Any] = [
            api.get(LEASE, timeout=0.2),
            api.create(LEASES, lease("a"), timeout=0.2),
            api.replace(LEASE, lease("a"), timeout=0.2),
        ]
        for each in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(each, TimedOutError)
            assert "within 0.2 s" in str(each)


async def test_a_client_that_is_closed_says_so() -> None:
    """Before it is opened and after."""
    async with KubernetesServer() as cluster:
        async with client(known(cluster)) as api:
            assert await listed(known(cluster)) == 0
        assert isinstance(api, Api)
        with pytest.raises(UnreachableError, match="closed"):
            await api.get(LEASE, timeout=PATIENCE)
