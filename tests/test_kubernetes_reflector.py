"""One kind kept up to date against the simulated API: lists, watches, objects that are left out."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from exporter.demo.kubernetes import KubernetesServer
from exporter.kubernetes.kinds import Kind
from exporter.kubernetes.reflector import HUGE, Reflector
from tests.kubernetes_reflecting import PVC, Kept, keep, listed, reflecting, running, volume
from tests.kubernetes_side import PATIENCE, VOLUMES, until
from tests.serving import logged

# ---- what it has ----------------------------------------------------------------------------------------------------


async def test_what_there_is_is_listed_and_what_happens_is_followed() -> None:
    """By name; additions, changes and deletions arrive, and each makes a new version."""
    async with running(volume("a"), volume("b")) as side:
        await listed(side)
        assert side.sizes() == {"a": "1Gi", "b": "1Gi"}
        version = side.reflector.version
        side.cluster.put("persistentvolumes", volume("c"))
        side.cluster.patch("persistentvolumes", "a", {"spec": {"size": "2Gi"}})
        side.cluster.delete("persistentvolumes", "b")
        await until(lambda: side.sizes() == {"a": "2Gi", "c": "1Gi"})
        assert side.reflector.version == version + 3
        assert side.verbs() == ["list", "watch"]


async def test_objects_of_a_namespace_are_known_by_both_names() -> None:
    """Two claims of one name are two claims."""
    claims = [{"metadata": {"name": "data", "namespace": each}, "spec": {"size": each}} for each in ("one", "two")]
    async with running(*claims, kind=PVC) as side:
        await listed(side)
        assert side.sizes() == {"one/data": "one", "two/data": "two"}
        side.cluster.delete("persistentvolumeclaims", "one/data")
        await until(lambda: side.sizes() == {"two/data": "two"})


async def test_names_of_any_kind_are_names() -> None:
    """Unicode, quotes and what else JSON escapes."""
    async with running(volume("größe-\U0001f4be"), volume('a"\\b')) as side:
        await listed(side)
        assert set(side.sizes()) == {"größe-\U0001f4be", 'a"\\b'}


async def test_an_empty_cluster_is_known_to_be_empty() -> None:
    """That is a fact too, and not the same as not knowing."""
    async with running() as side:
        assert (side.reflector.listed, side.reflector.version, side.reflector.contact) == (False, 0, 0.0)
        await listed(side)
        assert (side.reflector.listed, side.reflector.version) == (True, 1)
        assert side.reflector.objects == {}


async def test_what_is_not_kept_of_an_object_makes_no_news() -> None:
    """An object that changed in fields we do not read keeps the very record it had, and the version stays."""
    async with running(volume("a"), volume("b")) as side:
        await listed(side)
        record, version = side.reflector.objects["a"], side.reflector.version
        side.cluster.patch("persistentvolumes", "a", {"status": {"phase": "Bound"}})
        side.cluster.patch("persistentvolumes", "b", {"spec": {"size": "2Gi"}})
        await until(lambda: side.sizes()["b"] == "2Gi")
        assert side.reflector.objects["a"] is record
        assert side.reflector.version == version + 1


async def test_whoever_waits_for_a_change_is_woken() -> None:
    """All of them, with the new version; who is behind already is not made to wait."""
    async with running() as side:
        await listed(side)
        version = side.reflector.version
        waiting = [asyncio.create_task(side.reflector.changed(version)) for _ in range(3)]
        await asyncio.sleep(0)
        assert not any(each.done() for each in waiting)
        side.cluster.put("persistentvolumes", volume("a"))
        async with asyncio.timeout(PATIENCE):
            assert await asyncio.gather(*waiting) == [version + 1] * 3
            assert await side.reflector.changed(version) == version + 1


# ---- objects that are left out --------------------------------------------------------------------------------------


async def test_objects_are_left_out_with_a_reason_and_counted_once() -> None:
    """A later version that can be read is no longer counted, and one that cannot be any more ends the record."""
    async with running(volume("a"), volume("b", driver="other"), {"metadata": {"name": "c"}, "spec": 7}) as side:
        await listed(side)
        assert side.sizes() == {"a": "1Gi"}
        assert side.reflector.skipped == {"other_driver": 1, "malformed": 1}
        side.cluster.patch("persistentvolumes", "c", {"spec": None})
        side.cluster.patch("persistentvolumes", "b", {"spec": {"driver": "ours"}})
        await until(lambda: side.reflector.skipped == {"malformed": 1})
        side.cluster.put("persistentvolumes", volume("c"))
        await until(lambda: not side.reflector.skipped)
        assert set(side.sizes()) == {"a", "b", "c"}
        side.cluster.patch("persistentvolumes", "a", {"spec": {"driver": "other"}})
        await until(lambda: side.reflector.skipped == {"other_driver": 1})
        assert set(side.sizes()) == {"b", "c"}
        side.cluster.delete("persistentvolumes", "a")
        await until(lambda: not side.reflector.skipped)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_is_no_object_at_all_costs_nothing_else(when: str) -> None:
    """Listed or told of: no name, no metadata, not even a mapping, names that are no words."""
    odd: list[Any] = [
        None,
        7,
        "x",
        [],
        {},
        {"metadata": 7},
        {"metadata": {"name": ""}},
        {"metadata": {"name": {"a": 1}}},
    ]

    def prepare(server: KubernetesServer) -> None:
        for number, value in enumerate(odd):
            server.cluster.put_verbatim("persistentvolumes", f"odd-{number}", json.dumps(value).encode())

    async with running(volume("a"), prepare=prepare if when == "before" else lambda server: None) as side:
        await listed(side)
        if when == "after":
            prepare(side.server)
        side.cluster.put("persistentvolumes", volume("b"))
        await until(lambda: set(side.sizes()) == {"a", "b"} and side.reflector.skipped == {"unnamed": len(odd)})
        assert side.reflector.error == ""
        for number in range(len(odd)):
            side.cluster.delete("persistentvolumes", f"odd-{number}")
        await until(lambda: not side.reflector.skipped)
        assert set(side.sizes()) == {"a", "b"}


async def test_a_huge_object_is_left_out_by_its_size() -> None:
    """It is not even read; the same object, smaller, is."""
    huge = volume("huge", blob="x" * HUGE)
    async with running(volume("a"), huge) as side:
        await listed(side)
        assert (set(side.sizes()), side.reflector.skipped) == ({"a"}, {"huge": 1})
        side.cluster.put("persistentvolumes", volume("huge"))
        await until(lambda: set(side.sizes()) == {"a", "huge"})
        side.cluster.put("persistentvolumes", huge)
        await until(lambda: side.reflector.skipped == {"huge": 1})
        side.cluster.put("persistentvolumes", volume("b"))
        await until(lambda: set(side.sizes()) == {"a", "b"})


async def test_a_mistake_in_keep_costs_one_object() -> None:
    """It is counted as malformed and logged once, by the object's name."""
    with logged() as lines:
        async with running(volume("a"), volume("b", "a mistake"), volume("c", "a mistake")) as side:
            await listed(side)
            assert (set(side.sizes()), side.reflector.skipped) == ({"a"}, {"malformed": 2})
    assert lines.getvalue().count("kubernetes_object_unread") == 1
    assert "ZeroDivisionError" in lines.getvalue()


async def test_deleting_what_is_not_known_is_nothing() -> None:
    """A deletion may be told of an object that was never told of."""
    events = [
        {"type": "DELETED", "object": {"metadata": {"name": "never", "resourceVersion": "8"}}},
        {"type": "ADDED", "object": volume("a")},
    ]
    async with by_hand([], [events]) as reflector:
        await until(lambda: set(reflector.objects) == {"a"})
        assert not reflector.skipped


async def test_versions_are_handed_back_and_not_compared() -> None:
    """They are words; events may come in any order of them, and the newest told of is where a watch goes on."""
    first = [
        {"type": "ADDED", "object": {"metadata": {"name": "a", "resourceVersion": "z9"}, "spec": {"size": "new"}}},
        {"type": "MODIFIED", "object": {"metadata": {"name": "a", "resourceVersion": "b1"}, "spec": {"size": "older"}}},
        {"type": "SOMETHING NEW", "object": {"metadata": {"name": "x"}}},
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "k5"}}},
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": 7}}},
    ]
    asked: list[str] = []
    async with by_hand([], [first, []], asked) as reflector:
        await until(lambda: len(asked) >= 2)
        assert asked[:2] == ["list-version", "k5"]
        assert reflector.objects == {"a": Kept("older")}


@asynccontextmanager
async def by_hand(
    items: list[Any], watches: list[list[Any]], asked: list[str] | None = None
) -> AsyncIterator[Reflector]:
    """A reflector of a server that lists *items* and answers each watch with the next of *watches*; the last stays."""
    left = list(watches)

    async def answer(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            metadata = {"resourceVersion": "list-version"}
            return web.json_response({"kind": "PersistentVolumeList", "metadata": metadata, "items": items})
        if asked is not None:
            asked.append(request.query["resourceVersion"])
        stream = web.StreamResponse()
        await stream.prepare(request)
        for event in left[0]:
            await stream.write(json.dumps(event).encode() + b"\n")
        if len(left) > 1:
            left.pop(0)
        else:
            await asyncio.sleep(3600)
        return stream

    async with reflecting(answer) as reflector:
        yield reflector


# ---- the whole again ------------------------------------------------------------------------------------------------


async def test_after_a_new_list_what_vanished_is_gone_and_what_stayed_is_the_same() -> None:
    """All at once: nobody sees a set in which some of the old and some of the new is missing."""
    async with running(*(volume(f"v{number}") for number in range(20))) as side:
        await listed(side)
        before = dict(side.reflector.objects)
        side.server.faults.add("hang", verb="watch", count=1, seconds=0.2)
        side.server.drop_watches()
        for number in range(10):
            side.cluster.delete("persistentvolumes", f"v{number}")
        side.cluster.put("persistentvolumes", volume("new"))
        side.cluster.compact()
        states = {len(side.reflector.objects)}
        while "new" not in side.reflector.objects:
            states.add(len(side.reflector.objects))
            await asyncio.sleep(0)
        assert states == {20}
        assert set(side.sizes()) == {f"v{number}" for number in range(10, 20)} | {"new"}
        assert all(side.reflector.objects[f"v{number}"] is before[f"v{number}"] for number in range(10, 20))
        assert side.reflector.error == ""


async def test_a_list_that_begins_anew_half_way_has_nothing_of_the_first_half() -> None:
    """What was deleted meanwhile is not taken over from the pages of before, nor what was left out."""
    lists = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal lists
        if "watch" in request.query:
            await asyncio.sleep(3600)
        if "continue" in request.query:
            return web.json_response({"kind": "Status", "code": 410}, status=410)
        lists += 1
        metadata = {"resourceVersion": "7"} | ({"continue": "more"} if lists == 1 else {})
        items = [volume("a"), volume("b", driver="other")] if lists == 1 else [volume("c")]
        return web.json_response({"kind": "PersistentVolumeList", "metadata": metadata, "items": items})

    async with reflecting(answer) as reflector:
        await until(lambda: reflector.listed)
        assert (set(reflector.objects), reflector.skipped) == ({"c"}, {})


async def test_a_new_list_of_the_same_is_no_news() -> None:
    """Whoever waits for changes is left in peace."""
    async with running(volume("a"), volume("b", driver="other")) as side:
        await listed(side)
        version = side.reflector.version
        side.server.faults.add("gone-410", verb="watch", count=2)
        side.server.drop_watches()
        await until(lambda: side.verbs().count("list") >= 3)
        await until(lambda: side.server.watching == 1)
        assert side.reflector.version == version


def whole_in_pages(count: int) -> Iterator[bytes]:
    """The pages of a list of volumes, as large as real ones."""
    for start in range(0, count, 500):
        items = [volume(f"pv-{number}", pad="x" * 3000) for number in range(start, start + 500)]
        metadata = {"resourceVersion": "7"} | ({"continue": str(start // 500 + 1)} if start + 500 < count else {})
        yield json.dumps({"kind": "PersistentVolumeList", "metadata": metadata, "items": items}).encode()


async def test_a_large_list_lets_others_work_and_is_never_held_as_a_whole() -> None:
    """Not many objects are taken over in one turn of the event loop, and no page outlives the next."""
    pages, taken, most = list(whole_in_pages(5000)), 0, 0

    async def answer(request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            stream = web.StreamResponse()
            await stream.prepare(request)
            await asyncio.sleep(3600)
        return web.Response(body=pages[int(request.query.get("continue", 0))])

    def counted(raw: bytes) -> Kept:
        nonlocal taken
        taken += 1
        return keep(raw)

    kind = Kind("persistentvolumes", VOLUMES, counted)
    async with reflecting(answer, kind) as reflector:
        tracemalloc.start()
        try:
            while not reflector.listed:
                before = taken
                await asyncio.sleep(0)
                most = max(most, taken - before)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(reflector.objects) == 5000
    assert 0 < most <= 150
    assert peak < 3.2 * len(pages[0]), f"{peak / len(pages[0]):.1f} of {len(pages)} pages were held at once"
