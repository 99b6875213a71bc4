"""From the outbox to a receiver: in order, once, for as long as it takes; what is rejected. Pauses are cut short."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web

from exporter.remote.sender import LONGEST_PAUSE, Sender
from exporter.remote.wire import Encoder, Meta
from tests.kubernetes_side import until
from tests.receivers import Server, client_of, pushing
from tests.sending import KINDS, answering, frame, joined, receiving_by, scene, window
from tests.serving import logged

# ---- all is well ---------------------------------------------------------------------------------------------------


@KINDS
async def test_frames_arrive_in_order_and_once(tmp_path: Path, *, whole: bool) -> None:
    """Also those appended while it runs; started again, nothing is sent again."""
    windows = [window(1_000_000 + 300 * each) for each in range(12)]
    async with scene(tmp_path, whole=whole) as it:
        await it.put(*(body for body, _ in windows[:8]))
        await it.empty()
        await it.put(*(body for body, _ in windows[8:]))
        await it.empty()
        assert it.server.tenant().has == joined(*(truth for _, truth in windows))
        assert it.server.bodies == [body for body, _ in windows]
        assert it.counts.codes == {"204": 12}
        assert it.counts.taken == 12 * 100
        assert it.counts.size == sum(len(body) for body, _ in windows)
        assert abs(it.counts.at - time.time()) < 600
        assert (it.counts.retries, it.counts.failures, it.counts.lost) == (0, 0, {})
    async with scene(tmp_path) as it:
        await it.put(windows[0][0])
        await it.empty()
        assert len(it.server.bodies) == 1


async def test_one_request_at_a_time_in_each_lane(tmp_path: Path) -> None:
    """Lanes go side by side, the frames of one never do; each has its tenant."""
    under_way: dict[str, int] = {"a": 0, "b": 0}
    most = {"a": 0, "b": 0, "both": 0}

    async with scene(tmp_path, lanes=("a", "b"), running=False) as it:
        inner = it.server.answer

        async def slow(request: web.Request) -> web.StreamResponse:
            tenant = request.headers["X-Scope-OrgID"]
            under_way[tenant] += 1
            most[tenant] = max(most[tenant], under_way[tenant])
            most["both"] = max(most["both"], sum(under_way.values()))
            deadline = time.monotonic() + 20
            while most["both"] < 2 and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
            try:
                return await inner(request)
            finally:
                under_way[tenant] -= 1

        async with receiving_by(slow) as url, client_of(pushing(url), counts=it.counts, clock=it.clock) as client:
            for lane in "ab":
                await it.put(*(window(1_000_000 + 300 * each)[0] for each in range(5)), lane=lane)
            sender = Sender(client, it.outbox, it.clock, it.counts, lambda lane: lane, lambda: True)
            task = asyncio.create_task(sender.run(["a", "b"]))
            await it.empty()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    assert most == {"a": 1, "b": 1, "both": 2}
    assert set(it.server.tenants) == {"a", "b"}
    assert it.server.tenants["a"].has == it.server.tenants["b"].has


@KINDS
async def test_a_frame_that_was_sent_before_the_kill(tmp_path: Path, *, whole: bool) -> None:
    """Between the 2xx and the note of it: the receiver has it already, nothing counts as lost, the next one goes on."""
    windows = [window(1_000_000 + 300 * each) for each in range(3)]
    async with scene(tmp_path, whole=whole) as it:
        await it.put(windows[0][0], windows[1][0], windows[1][0], windows[2][0])
        await it.empty()
        assert it.server.tenant().has == joined(*(truth for _, truth in windows))
        assert it.counts.lost == {}


@KINDS
async def test_a_frame_that_another_leader_has_overtaken(tmp_path: Path, *, whole: bool) -> None:
    """The receiver has something newer of every series: it is given up, counted, and the next one goes on."""
    windows = [window(1_000_000 + 300 * each) for each in range(3)]
    async with scene(tmp_path, whole=whole) as it:
        await it.put(windows[1][0], windows[0][0], windows[2][0])
        await it.empty()
        assert it.server.tenant().has == joined(windows[1][1], windows[2][1])
        assert it.counts.lost == {"out_of_order": 100}


# ---- not now -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_receiver_that_cannot_now_is_asked_again(tmp_path: Path, status: int) -> None:
    """The same body, after ever longer pauses, up to a minute, for as long as it takes."""
    body, truth = window(1_000_000)
    answers = iter([web.Response(status=status, text="busy") for _ in range(9)])
    with logged() as log:
        async with scene(tmp_path, prepare=answering(answers)) as it:
            await it.put(body)
            await it.empty()
            assert it.server.tenant().has == truth
    assert it.server.bodies == [body] * 10
    assert it.counts.codes == {str(status): 9, "204": 1}
    assert (it.counts.retries, it.counts.failures, it.counts.lost, it.counts.taken) == (9, 9, {}, 100)
    assert it.clock.pauses[:9] == [1.25, 2.5, 5.0, 10.0, 20.0, 40.0, 75.0, 75.0, 75.0]
    assert LONGEST_PAUSE * 1.25 == 75.0
    assert log.getvalue().count('"remote_write_waiting"') == 1
    assert log.getvalue().count('"remote_write_recovered"') == 1


async def test_a_fault_that_comes_and_goes_is_said_once(tmp_path: Path) -> None:
    """One line an hour, and one when it is over, not one for each request."""
    with logged() as log:
        async with scene(tmp_path) as it:
            it.server.meddle = lambda count: web.Response(status=503) if count % 2 else None
            await it.put(*(window(1_000_000 + 300 * each)[0] for each in range(6)))
            await it.empty()
    assert it.counts.retries == 6
    assert log.getvalue().count('"remote_write_waiting"') == 1
    assert log.getvalue().count('"remote_write_recovered"') == 1


async def test_the_receivers_own_wish_is_heeded(tmp_path: Path) -> None:
    """Retry-After instead of our pause, and a little more; the next trouble begins with short pauses again."""
    wishes = ["120", "0", "7200"]
    answers = iter([web.Response(status=429, headers={"Retry-After": wish}) for wish in wishes])
    async with scene(tmp_path, prepare=answering(answers)) as it:
        await it.put(window(1_000_000)[0])
        await it.empty()
        assert it.clock.pauses[:3] == [150.0, 1.25, 4500.0]
        busy = iter([web.Response(status=503)])
        it.server.meddle = lambda _: next(busy, None)
        it.clock.pauses.clear()
        await it.put(window(1_000_300)[0])
        await it.empty()
        assert it.clock.pauses[0] == 1.25


async def test_a_receiver_that_is_down(tmp_path: Path) -> None:
    """Nothing is lost; what arrives meanwhile stands behind."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        url = f"http://127.0.0.1:{port}/api/v1/push"
        async with scene(tmp_path, url=url) as it:
            await it.put(window(1_000_000)[0])
            await until(lambda: it.counts.retries >= 3)
            await it.put(window(1_000_300)[0])
            assert it.counts.codes.keys() == {"connection"}
            taken.close()
            runner = web.AppRunner(app_of(it.server), access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            try:
                await it.empty()
            finally:
                await runner.cleanup()
            assert it.server.tenant().has == joined(window(1_000_000)[1], window(1_000_300)[1])
    assert it.counts.lost == {}


def app_of(server: Server) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    return app


async def test_a_lane_that_waits_holds_no_other(tmp_path: Path) -> None:
    """One tenant is over its limit for good, another gets everything; that is said once, and no recovery."""
    with logged() as log:
        await one_of_two_waits(tmp_path)
    assert log.getvalue().count('"remote_write_waiting"') == 1
    assert '"tenant":"limited"' in log.getvalue()
    assert "remote_write_recovered" not in log.getvalue()


async def one_of_two_waits(tmp_path: Path) -> None:
    async with scene(tmp_path, lanes=("limited", "good"), running=False) as it:

        async def limited(request: web.Request) -> web.StreamResponse:
            if request.headers["X-Scope-OrgID"] == "limited":
                await request.read()
                return web.Response(status=429)
            return await it.server.answer(request)

        async with (
            receiving_by(limited) as url,
            client_of(pushing(url), counts=it.counts, clock=it.clock) as client,
        ):
            sender = Sender(client, it.outbox, it.clock, it.counts, lambda lane: lane, lambda: True)
            for lane in ("limited", "good"):
                await it.put(*(window(1_000_000 + 300 * each)[0] for each in range(3)), lane=lane)
            task = asyncio.create_task(sender.run(["limited", "good"]))
            await until(lambda: it.outbox.requests == 3)
            await until(lambda: it.counts.codes["429"] > 5)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    assert it.server.bodies == [window(1_000_000 + 300 * each)[0] for each in range(3)]
    assert set(it.server.tenants) == {"good"}


async def test_a_frame_that_is_dropped_while_it_waits_is_not_sent(tmp_path: Path) -> None:
    """A new term begins without the old backlog: the next attempt looks what is first by then."""
    async with scene(tmp_path) as it:
        it.server.meddle = lambda _: web.Response(status=503)
        await it.put(window(1_000_000)[0])
        await until(lambda: it.counts.retries >= 2)
        await it.outbox.discard("superseded")
        await it.put(window(1_000_300)[0])
        seen = len(it.server.bodies)
        await until(lambda: len(it.server.bodies) > seen + 2)
        it.server.meddle = lambda _: None
        await it.empty()
        assert it.server.bodies[-1] == window(1_000_300)[0]
        assert it.server.tenant().has == window(1_000_300)[1]
    assert it.counts.lost == {"superseded": 100}


# ---- never ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 415])
async def test_a_request_that_is_rejected_is_given_up(tmp_path: Path, status: int) -> None:
    """Counted by the status and said once, with the next step; the rest goes on, not faster than a person can act."""
    windows = [window(1_000_000 + 300 * each) for each in range(4)]
    answers = iter([web.Response(status=status, text=f"nonsense {each}") for each in range(3)])
    with logged() as log:
        async with scene(tmp_path, prepare=answering(answers)) as it:
            await it.put(*(body for body, _ in windows))
            await it.empty()
            assert it.server.tenant().has == windows[3][1]
    assert len(it.server.bodies) == 4
    assert it.counts.lost == {f"rejected_{status}": 300}
    assert it.clock.pauses[:3] == [1.25, 2.5, 5.0]
    assert log.getvalue().count('"remote_write_rejected"') == 1
    assert str(status) in log.getvalue()


async def test_a_refusal_of_what_has_no_samples(tmp_path: Path) -> None:
    """Metadata that a receiver does not like: rejected, and no sample is counted."""
    body = Encoder().metadata([Meta("aws_thing", "gauge", "Help.", "")]).data
    answers = iter([web.Response(status=400, text="what metadata?")])
    async with scene(tmp_path, prepare=answering(answers)) as it:
        await it.outbox.append("", [frame(body, samples=0)])
        await it.empty()
        assert it.counts.lost == {"rejected_400": 0}
        assert it.counts.codes == {"400": 1}


async def test_a_frame_that_is_no_request(tmp_path: Path) -> None:
    """Refused, and not to be read by us either: given up as invalid, said, and the next one goes."""
    answers = iter([web.Response(status=400, text="snappy: corrupt input")])
    with logged() as log:
        async with scene(tmp_path, prepare=answering(answers)) as it:
            await it.put(b"\xff\xff\xff\xff\x0fnonsense", window(1_000_000)[0])
            await it.empty()
            assert it.server.tenant().has == window(1_000_000)[1]
    assert it.counts.lost == {"invalid": 100}
    assert "please report this" in log.getvalue()
