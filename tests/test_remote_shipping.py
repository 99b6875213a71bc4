"""When what has no stamps of its own is written: against a receiver on loopback that protobuf's classes read for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest

from exporter.remote.shipping import Holder
from exporter.remote.tenants import Tenants
from exporter.remote.wire import STALE, Encoder
from tests.held_world import EVERY, FIRST, ONE, TWO, Jumping, Receiver, Ticking, World, instants, run_until
from tests.write_request import bits, decode, samples_of


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Receiver().running() as receiver, aiohttp.ClientSession() as session:
        yield World(receiver, session, Ticking())


async def test_all_is_written_at_each_instant_of_the_grid(world: World) -> None:
    """Every interval, stamped with the instant: facts and own metrics; nothing for the instant before the start."""
    await run_until(world, world.holder(), FIRST + 4 * EVERY + 30)
    samples = world.receiver.samples()
    assert samples == {
        "aws_a1": [(at, bits(1.0)) for at in instants(5)],
        "storage_exporter_up": [(at, bits(1.0)) for at in instants(5)],
    }
    assert world.taken == instants(5)


async def test_a_start_on_the_grid_waits_for_the_next_instant(world: World) -> None:
    """Another process may have written this one a moment ago, with other values."""
    world.clock.at = FIRST
    await run_until(world, world.holder(), FIRST + EVERY + 1)
    assert world.receiver.samples()["aws_a1"] == [(FIRST + EVERY, bits(1.0))]


async def test_an_instant_that_was_missed_is_not_made_up(world: World) -> None:
    """After a stretch in which nothing ran the write is of the newest instant, and the next one is on the grid."""
    world.clock = Jumping({2: 140.0})
    await run_until(world, world.holder(), FIRST + 2 * EVERY + 1)
    stamps = [at for at, _ in world.receiver.samples()["aws_a1"]]
    assert stamps == [FIRST, FIRST + 3 * EVERY, FIRST + 4 * EVERY]


async def test_replica_and_external_labels(world: World) -> None:
    """Facts carry the external labels, the exporter's own metrics the replica beside them."""
    await world.holder().write(FIRST)
    labels = {dict(each)["__name__"]: dict(each) for _, body in world.receiver.got for each in samples_of(body)}
    assert labels["storage_exporter_up"] == {"__name__": "storage_exporter_up", "env": "e", "replica": "pod-0"}
    assert labels["aws_a"] == {"__name__": "aws_a", "env": "e", "account_id": ONE, "region": "eu-west-1", "id": "1"}


async def test_what_ends_is_marked_once_and_not_lost_in_an_outage(world: World) -> None:
    """A resource that goes while the receiver is down is marked when it is back, and only then."""
    holder = world.holder()
    world.facts["aws_a"]["2"] = 2.0
    await holder.write(FIRST)
    del world.facts["aws_a"]["2"]
    world.receiver.down.add("")
    await holder.write(FIRST + 60)
    world.receiver.down.clear()
    await holder.write(FIRST + 120)
    await holder.write(FIRST + 180)
    assert world.receiver.samples()["aws_a2"] == [(FIRST, bits(2.0)), (FIRST + 120, bits(STALE))]
    assert [at for at, _ in world.receiver.samples()["aws_a1"]] == [FIRST, FIRST + 120, FIRST + 180]


async def test_own_series_that_go_are_marked(world: World) -> None:
    """The same for what the exporter says of itself."""
    holder = world.holder()
    await holder.write(FIRST)
    world.own = {"storage_exporter_other": 2.0}
    await holder.write(FIRST + 60)
    await holder.write(FIRST + 120)
    assert world.receiver.samples()["storage_exporter_up"] == [(FIRST, bits(1.0)), (FIRST + 60, bits(STALE))]


async def test_a_follower_writes_only_of_itself(world: World) -> None:
    """No facts and nothing of their metadata, and no snapshot is taken; whatever its outbox holds of another term."""
    world.leading = False
    world.fence = True
    world.since[""] = FIRST - 10_000
    await run_until(world, world.holder(), FIRST + 2 * EVERY + 1)
    assert world.receiver.samples() == {"storage_exporter_up": [(at, bits(1.0)) for at in instants(3)]}
    assert world.receiver.metadata() == ["storage_exporter_up"]
    assert world.taken == []


async def test_a_new_term_ends_nothing_of_the_last_one(world: World) -> None:
    """Another leader wrote in between: what is not there any more when this one leads again is not its to end."""
    holder = world.holder()
    world.facts["aws_a"]["2"] = 2.0
    await holder.write(FIRST)
    world.leading = False
    await holder.write(FIRST + 60)
    world.leading = True
    del world.facts["aws_a"]["2"]
    await holder.write(FIRST + 120)
    assert world.receiver.samples()["aws_a2"] == [(FIRST, bits(2.0))]


async def test_a_term_between_two_writes_can_be_told(world: World) -> None:
    """The same where this replica led again before it wrote."""
    holder = world.holder()
    world.facts["aws_a"]["2"] = 2.0
    await holder.write(FIRST)
    holder.forget()
    del world.facts["aws_a"]["2"]
    await holder.write(FIRST + 60)
    assert world.receiver.samples()["aws_a2"] == [(FIRST, bits(2.0))]


async def test_a_fence_holds_the_facts_alone(world: World) -> None:
    """Where the Lease is lost in the middle of a write, the exporter's own metrics still go."""
    world.fence = True
    holder = world.holder()
    await holder.write(FIRST)
    assert world.receiver.samples() == {"storage_exporter_up": [(FIRST, bits(1.0))]}
    world.fence = False
    await holder.write(FIRST + 60)
    assert world.receiver.samples()["aws_a1"] == [(FIRST + 60, bits(1.0))]


@pytest.mark.parametrize(("waits", "written"), [(0.0, True), (60.0, True), (61.0, False), (4000.0, False)])
async def test_nothing_is_written_while_the_receiver_is_behind(world: World, waits: float, written: bool) -> None:
    """With requests on disk for longer than an interval, values of now would be in the way of what waits."""
    world.clock.at = FIRST
    world.since[""] = FIRST - waits
    await world.holder().write(FIRST)
    assert bool(world.receiver.got) is written
    assert bool(world.taken) is written


async def test_it_is_said_once_that_values_are_skipped(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """One line an outage, not one an interval."""
    caplog.set_level(logging.INFO, "exporter")
    holder = world.holder()
    world.clock.at = FIRST
    for minutes, since, lines in ((0, -100.0, 1), (1, -100.0, 1), (2, None, 1), (3, -100.0, 2)):
        world.since = {} if since is None else {"": FIRST + since}
        await holder.write(FIRST + 60 * minutes)
        said = [each for each in caplog.records if getattr(each, "event", "") == "held_values_skipped"]
        assert len(said) == lines


async def test_one_tenant_does_not_hold_the_others(world: World) -> None:
    """One that is behind and one that cannot be reached get nothing more, the rest gets all of its own."""
    world.facts = {"aws_a": {"1": 1.0, "7": 7.0}, "aws_b": {"1": 1.0, "7": 7.0}}
    holder = world.holder(Tenants("rest", {ONE: "one", TWO: "two"}))
    world.clock.at = FIRST
    world.since["one"] = FIRST - 100
    world.receiver.down.add("two")
    await holder.write(FIRST)
    assert world.receiver.samples("rest") == {"storage_exporter_up": [(FIRST, bits(1.0))]}
    assert world.receiver.samples("one") == {}
    world.since.clear()
    world.receiver.down.clear()
    await holder.write(FIRST + 60)
    assert world.receiver.samples("one") == {name: [(FIRST + 60, bits(1.0))] for name in ("aws_a1", "aws_b1")}
    assert world.receiver.samples("two") == {name: [(FIRST + 60, bits(7.0))] for name in ("aws_a7", "aws_b7")}


async def test_a_receiver_that_is_down_is_tried_once_a_write(world: World) -> None:
    """Each further attempt might take the whole of its time again: the rest of the write is left to the next."""
    world.own = {f"storage_exporter_{n}": 1.0 for n in range(4500)}
    world.receiver.down.add("")
    await world.holder().write(FIRST)
    assert world.receiver.posts == 1


async def test_metadata_go_at_the_start_and_every_five_minutes(world: World) -> None:
    """Own families and all that are written by whichever way; again when it could not be delivered."""
    world.receiver.down.add("")
    holder = world.holder()
    await run_until(world, holder, FIRST + 1)
    assert world.receiver.metadata() == []
    world.receiver.down.clear()
    await run_until(world, holder, FIRST + 11 * EVERY + 1)
    each = ["storage_exporter_up", "aws_a", "aws_cloudwatch_bytes"]
    assert world.receiver.metadata() == each * 3
    described = [samples_at for samples_at, (_, body) in enumerate(world.receiver.got) if decode(body).metadata]
    # Two bodies of samples a write, and two of metadata in the first, the sixth and the eleventh.
    assert described == [1, 3, 13, 15, 25, 27]
    kinds = {said.metric_family_name: said for _, body in world.receiver.got for said in decode(body).metadata}
    assert (kinds["aws_cloudwatch_bytes"].unit, kinds["aws_cloudwatch_bytes"].type) == ("bytes", 2)


async def test_metadata_that_are_not_taken_hold_nothing_up(world: World) -> None:
    """They are written again the next time; samples go all the same."""
    holder = world.holder()
    world.receiver.metadata_down = True
    await holder.write(FIRST)
    assert world.receiver.metadata() == []
    assert world.receiver.samples()["aws_a1"] == [(FIRST, bits(1.0))]
    world.receiver.metadata_down = False
    await holder.write(FIRST + 60)
    await holder.write(FIRST + 120)
    assert world.receiver.metadata() == ["storage_exporter_up", "aws_a", "aws_cloudwatch_bytes"]


async def test_every_tenant_is_told_the_metadata(world: World) -> None:
    """A tenant without series as yet, too: they may come by the outbox."""
    await world.holder(Tenants("rest", {ONE: "one", TWO: "two"})).write(FIRST)
    for tenant in ("rest", "one", "two"):
        assert world.receiver.metadata(tenant) == ["storage_exporter_up", "aws_a", "aws_cloudwatch_bytes"]


async def test_a_clock_that_was_never_set_stamps_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A node whose clock begins in 1970 says so once, and writes as soon as it is set."""
    holder = world.holder()
    await holder.write(120)
    await holder.write(180)
    assert world.receiver.posts == 0
    assert [getattr(each, "event", "") for each in caplog.records] == ["clock_not_set"]
    await holder.write(FIRST)
    assert world.receiver.samples()["aws_a1"] == [(FIRST, bits(1.0))]


async def test_a_clock_that_goes_back_a_little_is_waited_for(world: World) -> None:
    """No stamp comes twice and none is older than the one before: the receiver would refuse them."""
    world.clock = Jumping({3: -150.0})
    await run_until(world, world.holder(), FIRST + 4 * EVERY + 151)
    assert [at for at, _ in world.receiver.samples()["aws_a1"]] == instants(5)


async def test_a_clock_that_goes_far_back_is_believed(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """What lay that far ahead no receiver has taken: the grid begins anew, and it is said."""
    world.clock = Jumping({3: -86_400.0})
    await run_until(world, world.holder(), FIRST + 4 * EVERY + 1)
    assert [getattr(each, "event", "") for each in caplog.records] == ["clock_went_back"]
    stamps = [at for at, _ in world.receiver.samples()["aws_a1"]]
    assert stamps == [FIRST, FIRST + EVERY, *instants(2, FIRST + 3 * EVERY - 86_400)]


async def test_the_loop_turns_while_much_is_written(world: World) -> None:
    """Twenty thousand facts leave others their turn again and again, also before the first request."""
    world.own = {}
    labels = {f"{n}": float(n) for n in range(2000)}
    world.facts = {f"aws_{n:02}": labels for n in range(10)}
    turns = [0]

    async def turning() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(turning())
    before = 0
    deliver = world.deliver

    async def first(body: bytes, tenant: str, *, fenced: bool, samples: int) -> bool:
        nonlocal before
        before = before or turns[0]
        return await deliver(body, tenant, fenced=fenced, samples=samples)

    holder = Holder(Encoder(), Tenants(None, {}), "pod-0", source=world, deliver=first, every=EVERY, clock=world.clock)
    await holder.write(FIRST)
    other.cancel()
    assert before > 10
    assert len(world.receiver.samples()) == 20_000
