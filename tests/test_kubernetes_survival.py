"""A Reflector under every fault of the API: what it has stays, what it missed is caught up, and nobody is hammered."""

from __future__ import annotations

import asyncio
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from exporter.demo.kubernetes import USER, KubernetesServer
from exporter.kubernetes.reflector import FIRST_PAUSE, LONGEST_PAUSE, ROLES_PAUSE, Pace, Reflector
from tests.kubernetes_reflecting import PV, Kept, Side, listed, reflecting, running, volume
from tests.kubernetes_side import FAULTS, HurriedClock, Where, client, until
from tests.serving import logged

# Before the first list there is nothing that could be gone.
FAULTS_OF_A_START = {fault: code for fault, code in FAULTS.items() if fault != "gone-410"}


def timeout_of(fault: str) -> float:
    """Seconds a request may take: short where *fault* takes as long, else long enough for a busy machine."""
    return 0.5 if fault in {"hang", "silent"} else 30.0


@pytest.mark.parametrize(("fault", "code"), FAULTS_OF_A_START.items())
async def test_before_the_first_list_every_fault_passes(fault: str, code: str) -> None:
    """Nothing is known and that is said, with the reason; when the fault is over, everything is there."""
    with logged() as lines:
        async with running(
            volume("a"), prepare=lambda server: server.faults.add(fault, verb="list"), timeout=timeout_of(fault)
        ) as side:
            await until(lambda: side.verbs().count("list") >= 3, "it is tried again")
            assert side.reflector.error == code
            assert (side.reflector.listed, side.reflector.contact, side.reflector.version) == (False, 0.0, 0)
            side.server.faults.clear()
            await until(lambda: side.sizes() == {"a": "1Gi"} and side.reflector.error == "")
            assert side.reflector.contact > 0
            assert "kubernetes_recovered" not in lines.getvalue(), "a moment is not enough"
            side.clock.ahead += 10.0
            side.cluster.put("persistentvolumes", volume("b"))
            await until(lambda: set(side.sizes()) == {"a", "b"})
            assert lines.getvalue().count('"kubernetes_failed"') == 1, "a fault that lasts is logged once"
            assert lines.getvalue().count('"kubernetes_recovered"') == 1
            side.server.deny()
            side.server.drop_watches()
            await until(lambda: side.reflector.error == "forbidden")
            assert lines.getvalue().count('"kubernetes_failed","msg":"watch') == 1, "the next fault is said at once"


@pytest.mark.parametrize("fault", [*FAULTS_OF_A_START, "gone-410", "silent"])
async def test_while_it_watches_every_fault_passes(fault: str) -> None:
    """What it has stays; what happened meanwhile is there afterwards, deletions included."""
    code = {"truncated": "unreachable"}.get(fault) or FAULTS_OF_A_START.get(fault, "")
    async with running(volume("a"), volume("b"), timeout=timeout_of(fault), seconds=1.0) as side:
        await until(lambda: side.server.watching == 1)
        rule = side.server.faults.add(fault, verb="watch")
        side.server.drop_watches()
        await until(lambda: rule.hit >= 3, "it is tried again")
        assert side.sizes() == {"a": "1Gi", "b": "1Gi"}
        if code:
            await until(lambda: side.reflector.error == code)
        side.cluster.delete("persistentvolumes", "a")
        side.cluster.put("persistentvolumes", volume("c"))
        side.server.faults.clear()
        await until(lambda: side.sizes() == {"b": "1Gi", "c": "1Gi"} and side.reflector.error == "")


async def test_a_server_that_is_away_is_caught_up_with() -> None:
    """Its outage is known by the error and by the age of the last contact."""
    async with running(volume("a")) as side:
        await until(lambda: side.server.watching == 1)
        await side.server.stop()
        await until(lambda: side.reflector.error == "unreachable")
        contact = side.reflector.contact
        side.cluster.put("persistentvolumes", volume("b"))
        side.cluster.delete("persistentvolumes", "a")
        assert (set(side.sizes()), side.reflector.contact) == ({"a"}, contact)
        side.clock.ahead += 1000.0
        await side.server.start()
        await until(lambda: set(side.sizes()) == {"b"} and side.reflector.error == "")
        assert side.reflector.contact >= contact + 1000.0


async def test_a_watch_goes_on_where_it_was() -> None:
    """One that ends is opened again from the last version told of; there is no list again."""
    async with running(volume("a"), seconds=1.0, bookmarks=0.1) as side:
        await until(lambda: side.verbs().count("watch") >= 3)
        side.cluster.put("persistentvolumes", volume("b"))
        await until(lambda: set(side.sizes()) == {"a", "b"})
        assert side.verbs().count("list") == 1
        assert side.reflector.error == ""


async def test_bookmarks_keep_a_quiet_watch_young() -> None:
    """Changes of other kinds are forgotten by the server; a watch that was told how far it is need not list again."""
    async with running(volume("a"), bookmarks=0.05) as side:
        await until(lambda: side.server.watching == 1)
        for number in range(5):
            side.cluster.put("csinodes", {"metadata": {"name": f"n{number}"}, "spec": {"drivers": []}})
        contact = side.reflector.contact
        side.clock.ahead += 10.0
        await until(lambda: side.reflector.contact > contact + 9.0, "a bookmark")
        known = side.cluster.version
        await until(lambda: side.reflector._from == str(known), "a bookmark of now")
        side.cluster.compact()
        side.server.drop_watches()
        side.cluster.put("persistentvolumes", volume("b"))
        await until(lambda: set(side.sizes()) == {"a", "b"})
        assert side.verbs().count("list") == 1


async def test_a_version_that_is_too_old_is_listed_again() -> None:
    """That is how it goes, and no error."""
    with logged() as lines:
        async with running(volume("a")) as side:
            await until(lambda: side.server.watching == 1)
            rule = side.server.faults.add("hang", verb="watch", count=1, seconds=0.1)
            side.server.drop_watches()
            await until(lambda: rule.hit == 1)
            side.cluster.put("persistentvolumes", volume("b"))
            side.cluster.compact()
            await until(lambda: set(side.sizes()) == {"a", "b"})
            assert side.verbs().count("list") == 2
            assert side.reflector.error == ""
    assert "kubernetes_failed" not in lines.getvalue()


async def test_a_list_that_is_always_too_old_is_an_error() -> None:
    """Not to know is one."""
    async with running(volume("a"), prepare=lambda server: server.faults.add("gone-410", verb="list")) as side:
        await until(lambda: side.reflector.error == "gone")
        side.server.faults.clear()
        await until(lambda: side.reflector.error == "" and side.reflector.listed)


async def test_where_only_lists_are_allowed_lists_are_made() -> None:
    """A role without the verb watch makes it slower, not blind."""
    async with running(volume("a"), prepare=lambda server: server.deny(verb="watch")) as side:
        await listed(side)
        side.cluster.put("persistentvolumes", volume("b"))
        await until(lambda: set(side.sizes()) == {"a", "b"})
        assert side.reflector.error == "forbidden"
        assert min(side.clock.pauses) >= ROLES_PAUSE


async def test_what_takes_a_person_is_asked_for_once_a_minute() -> None:
    """A missing permission, or a kind the cluster does not serve."""
    async with running(prepare=lambda server: server.deny(verb="list")) as side:
        await until(lambda: len(side.clock.pauses) >= 3)
        assert all(ROLES_PAUSE <= pause <= 1.25 * ROLES_PAUSE for pause in side.clock.pauses)
        side.server.allow(verb="list")
        await listed(side)

    async def nothing(_: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "code": 404}, status=404)

    async with reflecting(nothing) as reflector:
        await until(lambda: reflector.error == "not_found")


async def test_a_servers_wish_for_a_slower_pace_is_heeded() -> None:
    """For as long as it says, within reason."""
    async with running(prepare=lambda server: server.faults.add("too-many-429", seconds=45, count=1)) as side:
        await listed(side)
        assert 45.0 <= side.clock.pauses[0] <= 60.0
    async with running(prepare=lambda server: server.faults.add("too-many-429", seconds=10**6, count=1)) as side:
        await listed(side)
        assert 120.0 <= side.clock.pauses[0] <= 150.0


async def test_a_server_that_fails_is_asked_ever_more_rarely() -> None:
    """From half a second to half a minute, and from the beginning after it has been well."""
    async with running(prepare=lambda server: server.faults.add("error-500", verb="list")) as side:
        await until(lambda: len(side.clock.pauses) >= 10)
        assert side.clock.pauses[:9] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
        side.server.faults.clear()
        await until(lambda: side.server.watching == 1 and side.reflector.error == "")  # both ends know that it is well
        side.clock.pauses.clear()
        side.clock.ahead += 60.0
        side.server.faults.add("error-500", count=1)
        side.server.drop_watches()
        await until(lambda: side.server.watching == 1 and len(side.clock.pauses) >= 1)
        assert side.clock.pauses[0] == FIRST_PAUSE


@pytest.mark.parametrize("tells", [True, False])
async def test_watches_that_end_at_once_do_not_spin(tells: bool) -> None:
    """Though each of them is a success, and may even have told something, there is an ever longer pause."""
    event = json.dumps({"type": "ADDED", "object": volume("a")}).encode() + b"\n"
    watches = 0

    async def hasty(request: web.Request) -> web.Response:
        nonlocal watches
        if "watch" not in request.query:
            metadata = {"resourceVersion": "7"}
            return web.json_response({"kind": "PersistentVolumeList", "metadata": metadata, "items": []})
        watches += 1
        return web.Response(body=event if tells else b"")

    async with reflecting(hasty) as reflector:
        clock = reflector._clock
        assert isinstance(clock, HurriedClock)
        await until(lambda: len(clock.pauses) >= 8)
        assert clock.pauses[:8] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
        assert watches <= len(clock.pauses) + 1
        assert reflector.error == ""


async def test_a_watch_that_says_nonsense_again_and_again_does_not_spin() -> None:
    """Each time there is a list, so nothing is missed, but ever more rarely."""
    with logged() as lines:
        async with running(volume("a"), prepare=lambda server: server.faults.add("malformed", verb="watch")) as side:
            await until(lambda: len(side.clock.pauses) >= 8)
            assert side.clock.pauses[:8] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
            side.cluster.put("persistentvolumes", volume("b"))
            await until(lambda: set(side.sizes()) == {"a", "b"})
    assert lines.getvalue().count('"event":"kubernetes_') == 1, "nor in the log"


@pytest.mark.parametrize("how", ["ends", "breaks off"])
async def test_a_quiet_watch_that_was_long_open_ends_a_fault(how: str) -> None:
    """Though it told nothing: that the fault is over is logged when the watch ends, before what comes next."""
    watches, enough = 0, asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal watches
        if "watch" not in request.query:
            metadata = {"resourceVersion": "7"}
            return web.json_response({"kind": "PersistentVolumeList", "metadata": metadata, "items": []})
        watches += 1
        if watches == 1:
            return web.Response(status=500)
        stream = web.StreamResponse()
        await stream.prepare(request)
        await enough.wait()
        if how == "breaks off" and request.transport is not None:
            request.transport.abort()
        return stream

    with logged() as lines:
        async with reflecting(answer) as reflector:
            await until(lambda: reflector.listed and reflector.error == "" and watches == 2)
            clock = reflector._clock
            assert isinstance(clock, HurriedClock)
            contact = reflector.contact
            clock.ahead += 10.0
            enough.set()
            await until(lambda: reflector.contact > contact + 9.0, "a watch that opens is contact")
    told = re.findall('"event":"(kubernetes_[a-z]+)"', lines.getvalue())
    usual = ["kubernetes_failed", "kubernetes_recovered"]
    assert told[: len(usual) + 1] == (usual if how == "ends" else [*usual, "kubernetes_failed"])


async def test_a_token_that_rotates_is_nobodys_trouble(tmp_path: Path) -> None:
    """The watch that is open stays, the next one has the new token, and no failure is seen."""
    file, clock = tmp_path / "token", HurriedClock()
    file.write_text("old")
    async with (
        KubernetesServer(tokens={"old": USER}) as server,
        client(Where(server.url, file), clock=clock) as api,
    ):
        reflector = Reflector(api, PV, clock, jitter=random.random)
        with logged() as lines:
            task = asyncio.create_task(reflector.run())
            await until(lambda: server.watching == 1)
            file.write_text("new")
            server.tokens = {"new": USER}
            server.drop_watches()
            await until(lambda: [call.status for call in server.calls].count(401) == 1)
            await until(lambda: server.watching == 1)
            server.cluster.put("persistentvolumes", volume("a"))
            await until(lambda: "a" in reflector.objects)
            task.cancel()
            await asyncio.wait({task})
        assert "kubernetes_" not in lines.getvalue()


async def test_a_mistake_of_ours_is_survived() -> None:
    """Such as a hook that raises: it is logged with the wish to hear of it, and tried again."""
    clock, left = HurriedClock(), ["list", "watch"]

    def hook(verb: str, *_: object) -> None:
        if left and left[0] == verb:
            left.pop(0)
            raise ZeroDivisionError("of a hook")

    async with KubernetesServer(anonymous=USER) as server:
        server.cluster.put("persistentvolumes", volume("a"))
        async with client(server.url, clock=clock, observed=hook) as api:
            reflector = Reflector(api, PV, clock, jitter=random.random)
            with logged() as lines:
                task = asyncio.create_task(reflector.run())
                await until(lambda: not left and server.watching == 1 and len(server.calls) == 5)
                task.cancel()
                await asyncio.wait({task})
        # What a mistake within a watch has cost, only a list tells.
        assert [call.verb for call in server.calls] == ["list", "list", "watch", "list", "watch"]
        assert "a" in reflector.objects
        assert len(clock.pauses) == 2
        assert "ZeroDivisionError" in lines.getvalue()
        assert "please report" in lines.getvalue()


# ---- the pace -------------------------------------------------------------------------------------------------------


@given(chances=st.lists(st.floats(0, 1), min_size=40, max_size=40))
def test_pauses_grow_to_the_longest_and_are_never_alike(chances: list[float]) -> None:
    """A quarter more or less, so that all who lost a server do not come back at once."""
    pace = Pace(iter(chances).__next__)
    for number, chance in enumerate(chances):
        usual = min(LONGEST_PAUSE, FIRST_PAUSE * 2**number)
        assert pace.pause(0.0) == pytest.approx(usual * (0.75 + 0.5 * chance))


@given(chance=st.floats(0, 1), before=st.integers(0, 10_000), well=st.floats(0, 10_000), least=st.floats(0.5, 10_000))
def test_a_failure_is_never_followed_at_once(chance: float, before: int, well: float, least: float) -> None:
    """Whatever was before; and the server's own wish is the least."""
    pace = Pace(lambda: chance)
    for _ in range(min(before, 40)):
        pace.pause(0.0)
    assert pace.pause(well, least) >= least
    assert pace.pause(0.0) >= 0.75 * FIRST_PAUSE


def test_after_a_good_watch_the_next_one_is_at_once() -> None:
    """And the pauses begin anew."""
    pace = Pace(lambda: 0.5)
    assert [pace.pause(0.0) for _ in range(3)] == [0.5, 1.0, 2.0]
    assert pace.pause(300.0) == 0.0
    assert pace.pause(0.0) == 0.5


# ---- any history ----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
STEPS = st.one_of(
    st.tuples(st.just("put"), NAMES, st.sampled_from(["1Gi", "2Gi", "a mistake"])),
    st.tuples(st.just("other"), NAMES, st.just("")),
    st.tuples(st.just("odd"), NAMES, st.sampled_from(["7", '{"metadata": {}}', '{"spec": []}'])),
    st.tuples(st.just("patch"), NAMES, st.sampled_from(["3Gi", "4Gi"])),
    st.tuples(st.just("delete"), NAMES, st.just("")),
    st.tuples(st.just("compact"), st.just(""), st.just("")),
    st.tuples(st.just("drop"), st.just(""), st.just("")),
    st.tuples(st.just("wait"), st.just(""), st.just("")),
    st.tuples(
        st.just("fault"),
        st.sampled_from(["list", "watch"]),
        st.sampled_from([*(fault for fault in FAULTS_OF_A_START if fault != "hang"), "gone-410"]),
    ),
)


def step(side: Side, what: str, which: str, how: str) -> None:
    cluster = side.cluster
    if what == "put":
        cluster.put("persistentvolumes", volume(which, how))
    elif what == "other":
        cluster.put("persistentvolumes", volume(which, driver="other"))
    elif what == "odd":
        cluster.put_verbatim("persistentvolumes", which, how.encode())
    elif what == "patch" and isinstance(cluster.get("persistentvolumes", which), dict):
        cluster.patch("persistentvolumes", which, {"metadata": {"name": which}, "spec": {"size": how}})
    elif what == "delete" and cluster.get("persistentvolumes", which) is not None:
        cluster.delete("persistentvolumes", which)
    elif what == "compact":
        cluster.compact()
    elif what == "drop":
        side.server.drop_watches()
    elif what == "fault":
        side.server.faults.add(how, verb=which, count=1)


def truth(side: Side) -> tuple[dict[str, Kept], int]:
    """What the server has that is to be kept, and how many objects are to be left out."""
    kept: dict[str, Kept] = {}
    items = side.cluster.objects("persistentvolumes")
    for item in items:
        spec: Any = item.get("spec") if isinstance(item, dict) else None
        if isinstance(spec, dict) and spec.get("driver", "ours") == "ours" and spec["size"] != "a mistake":
            kept[item["metadata"]["name"]] = Kept(spec["size"])
    return kept, len(items) - len(kept)


@settings(max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # each failure takes its patience
@given(history=st.lists(STEPS, max_size=25))
async def test_whatever_happens_it_ends_with_what_the_server_has(history: list[tuple[str, str, str]]) -> None:
    """Changes, oddities, compaction, ended watches and faults in any order; then everything is as the server has it."""
    async with running(volume("a"), volume("b", driver="other"), timeout=5.0) as side:
        for what, which, how in history:
            if what == "wait":
                await until(lambda: side.server.watching == 1)
            step(side, what, which, how)
            await asyncio.sleep(0)
        side.server.faults.clear()
        # One more change, so that a watch that is open has something to tell when it is through.
        side.cluster.put("persistentvolumes", volume("last"))
        await until(lambda: side.reflector.objects == truth(side)[0], "what the server has")
        side.server.drop_watches()
        side.cluster.put("csinodes", {"metadata": {"name": "n"}, "spec": {"drivers": []}})
        side.cluster.compact()
        rule = side.server.faults.add("gone-410", verb="watch", count=1)
        await until(lambda: rule.hit == 1 and side.server.watching == 1, "a new list")
        kept, left = truth(side)
        assert side.reflector.objects == kept
        assert side.reflector.skipped.total() == left
