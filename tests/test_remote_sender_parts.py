"""What the sender does about requests that are refused in part, terms that end, and bodies that are in no outbox."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web

from exporter.remote.sender import Sender
from tests import prometheus as debian
from tests.kubernetes_side import HurriedClock, until
from tests.receivers import Counts, Receiver, Server, client_of, pushing, receiving
from tests.sending import KINDS, Truth, frame, joined, keeping, named, receiving_by, scene, window
from tests.serving import logged

# ---- in part -------------------------------------------------------------------------------------------------------


@KINDS
async def test_one_series_that_is_refused_costs_no_other(tmp_path: Path, *, whole: bool) -> None:
    """The rest arrives in order; it is counted, and said once with the series and the receiver's words."""
    windows = [window(1_000_000 + 300 * each) for each in range(3)]

    def prepare(server: Server) -> None:
        server.tenant().bad[named(7)] = "limits"

    with logged() as log:
        async with scene(tmp_path, whole=whole, prepare=prepare) as it:
            await it.put(*(body for body, _ in windows))
            await it.empty()
            truth = joined(*(each for _, each in windows))
            del truth[named(7)]
            assert it.server.tenant().has == truth
    assert it.counts.lost == {"limits": 15}
    if whole:
        assert it.counts.taken == 285
    assert log.getvalue().count('"remote_write_dropped"') == 1
    assert 'aws_thing{volume_id=\\"vol-7\\"}' in log.getvalue()
    assert it.server.tenant().words("limits") in log.getvalue()


@KINDS
async def test_an_outage_in_the_middle_of_taking_a_request_apart(tmp_path: Path, *, whole: bool) -> None:
    """Every third request finds the receiver busy or gone: it comes to the same."""
    body, truth = window(1_000_000)
    del truth[named(13)]

    def prepare(server: Server) -> None:
        server.tenant().bad[named(13)] = "invalid"
        server.meddle = lambda count: web.Response(status=503) if count % 3 == 0 else None

    async with scene(tmp_path, whole=whole, prepare=prepare) as it:
        await it.put(body)
        await it.empty()
        assert it.server.tenant().has == truth
        assert it.counts.lost == {"invalid": 5}
        assert it.counts.retries == it.counts.codes["503"] > 0
        assert set(it.clock.pauses) == {1.25}  # each outage begins with the first pause


async def test_a_token_that_ends_in_the_middle_of_it(tmp_path: Path) -> None:
    """What cannot be placed any more is counted with the status."""

    def prepare(server: Server) -> None:
        server.tenant().bad[named(13)] = "invalid"
        server.meddle = lambda count: web.Response(status=401) if count > 5 else None

    async with scene(tmp_path, prepare=prepare) as it:
        await it.put(window(1_000_000)[0])
        await it.empty()
        stored = sum(map(len, it.server.tenant().has.values()))
        assert it.counts.lost["rejected_401"] > 0
        assert 100 - 8 <= stored + it.counts.lost.total() <= 100 + 8


async def test_an_older_prometheus_that_calls_it_its_own_error(tmp_path: Path) -> None:
    """500 "too old sample" would be sent again for ever, and hold all that comes after it."""
    (old_body, _), (body, truth) = window(1_000_000), window(1_000_300)
    async with scene(tmp_path, running=False) as it:
        it.server.tenant().oldest = 1_000_420_000

        async def old(request: web.Request) -> web.StreamResponse:
            answer = await it.server.answer(request)
            return web.Response(status=500, text="too old sample\n") if answer.status == 400 else answer

        async with (
            receiving_by(old) as url,
            client_of(pushing(url), counts=it.counts, clock=it.clock) as client,
        ):
            sender = Sender(client, it.outbox, it.clock, it.counts, lambda lane: lane, lambda: True)
            await it.put(old_body, body)
            task = asyncio.create_task(sender.run([""]))
            await it.empty()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    assert it.server.tenant().has == {labels: points[2:] for labels, points in truth.items()}
    assert it.counts.lost == {"too_old": 100}


# ---- who may ------------------------------------------------------------------------------------------------------


async def test_who_does_not_lead_sends_nothing_from_the_outbox(tmp_path: Path) -> None:
    """It stays there, and is sent in the next term."""
    leads = False
    body, truth = window(1_000_000)
    async with scene(tmp_path, permitted=lambda: leads) as it:
        await it.put(body)
        await until(lambda: len(it.clock.pauses) > 5)
        assert it.server.bodies == []
        assert it.outbox.requests == 1
        leads = True
        await it.empty()
        assert it.server.tenant().has == truth
        assert it.counts.failures == 0


@KINDS
async def test_a_term_that_ends_in_the_middle_of_taking_a_request_apart(tmp_path: Path, *, whole: bool) -> None:
    """The frame is not done; in the next term it is placed again, and each bad sample is counted once."""
    looks = 0

    def permitted() -> bool:
        nonlocal looks
        looks += 1
        return not 24 <= looks <= 27

    def prepare(server: Server) -> None:
        server.tenant().bad[named(13)] = "invalid"

    body, truth = window(1_000_000)
    del truth[named(13)]
    async with scene(tmp_path, whole=whole, permitted=permitted, prepare=prepare) as it:
        await it.put(body)
        await it.empty()
        assert it.server.tenant().has == truth
        assert it.counts.lost == {"invalid": 5}
        assert looks > 40


async def test_a_mistake_of_ours_ends_no_lane(tmp_path: Path) -> None:
    """Whatever is raised: said, and tried again."""
    failing = 3

    class Broken(Counts):
        def sent(self, samples: int, size: int, at: float) -> None:
            nonlocal failing
            failing -= 1
            if failing >= 0:
                raise ZeroDivisionError
            super().sent(samples, size, at)

    clock, counts = HurriedClock(), Broken()
    with logged() as log:
        async with (
            receiving(lambda: Receiver(whole=True)) as server,
            keeping(tmp_path, clock, counts) as outbox,
            client_of(pushing(server.url), clock=clock) as client,
        ):
            sender = Sender(client, outbox, clock, counts, lambda lane: lane, lambda: True)
            await outbox.append("", [frame(window(1_000_000)[0])])
            task = asyncio.create_task(sender.run([""]))
            await until(lambda: outbox.requests == 0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    assert server.tenant().has == window(1_000_000)[1]
    assert log.getvalue().count('"remote_write_lane_failed"') == 1


# ---- without the outbox --------------------------------------------------------------------------------------------


async def test_a_body_that_is_delivered_at_once(tmp_path: Path) -> None:
    """One attempt: True where the receiver has it."""
    body, truth = window(1_000_000)
    async with scene(tmp_path) as it:
        assert await it.sender.deliver(body, "t", samples=100)
        assert it.server.tenant("t").has == truth
        assert (it.counts.taken, it.counts.size) == (100, len(body))


@pytest.mark.parametrize("status", [503, 429, 401, 404])
async def test_a_body_that_cannot_be_delivered_now(tmp_path: Path, status: int) -> None:
    """One attempt: False, without a pause."""
    async with scene(tmp_path, running=False) as it:
        it.server.meddle = lambda _: web.Response(status=status, headers={"Retry-After": "60"})
        assert not await it.sender.deliver(window(1_000_000)[0], "", samples=100)
        assert it.counts.codes == {str(status): 1}
        assert it.counts.lost == ({f"rejected_{status}": 100} if status < 429 else {})
        assert it.counts.retries == 0
        assert it.clock.pauses == []


async def test_a_body_for_a_receiver_that_is_down(tmp_path: Path) -> None:
    """False, never an exception."""
    async with scene(tmp_path, running=False, url="http://127.0.0.1:1") as it:
        assert not await it.sender.deliver(window(1_000_000)[0], "")
        assert it.counts.codes == {"connection": 1}


@KINDS
async def test_a_body_that_is_delivered_in_part(tmp_path: Path, *, whole: bool) -> None:
    """Refusals are placed as those of the outbox; an outage meanwhile ends it."""
    body, truth = window(1_000_000)
    del truth[named(3)]

    def prepare(server: Server) -> None:
        server.tenant().bad[named(3)] = "invalid"

    async with scene(tmp_path, whole=whole, running=False, prepare=prepare) as it:
        it.server.meddle = lambda count: web.Response(status=503) if count == 3 else None
        assert not await it.sender.deliver(body, "")
        assert it.counts.lost == {}
        assert await it.sender.deliver(body, "")
        assert it.server.tenant().has == truth
        assert it.counts.lost == {"invalid": 5}


async def test_followers_deliver_only_what_is_not_fenced(tmp_path: Path) -> None:
    """Their own metrics."""
    async with scene(tmp_path, running=False, permitted=lambda: False) as it:
        assert not await it.sender.deliver(window(1_000_000)[0], "")
        assert it.server.bodies == []
        assert await it.sender.deliver(window(1_000_000)[0], "", fenced=False)
        assert len(it.server.bodies) == 1


# ---- a real one ----------------------------------------------------------------------------------------------------


def stored(server: debian.Prometheus, now: int) -> Truth:
    """All samples of the last two hours."""
    answer = server.get("/api/v1/query", query='{__name__="aws_thing"}[2h]', time=str(now))
    return {
        frozenset(each["metric"].items()): [(round(1000 * at), float(value)) for at, value in each["values"]]
        for each in answer["result"]
    }


@pytest.mark.binary
@pytest.mark.parametrize("config", ["{}", "storage: {tsdb: {out_of_order_time_window: 3m}}"], ids=["plain", "window"])
async def test_a_real_prometheus_takes_all_that_is_good(tmp_path: Path, config: str) -> None:
    """Frames sent twice, overlapping with what another sent, and too old: every good sample is there, in order."""
    now = int(time.time()) // 60 * 60
    first, second, third = window(now - 1800), window(now - 1500), window(now - 900)
    overlap, old = window(now - 1320, samples=7), window(now - 20_000)
    with debian.serving(tmp_path, tmp_path / "data", config, ["--web.enable-remote-write-receiver"]) as server:
        async with scene(tmp_path, url=f"{server.url}/api/v1/write") as it:
            await it.put(first[0], second[0], second[0], overlap[0], old[0], third[0])
            await it.empty()
            beyond = {labels: points[2:] for labels, points in overlap[1].items()}
            found = await asyncio.to_thread(stored, server, now)
            assert found == joined(first[1], second[1], beyond, third[1])
            assert it.counts.lost == {"too_old": 100}
            assert it.counts.retries == 0
            if config == "{}":
                assert set(it.counts.codes) == {"204", "400"}
            else:
                assert set(it.counts.codes) == {"204", "500"}
