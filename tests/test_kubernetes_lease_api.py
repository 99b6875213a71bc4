"""The election over HTTP: every fault an API can have, for the leader or for all; and the Lease as others read it."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import kubernetes.client
import pytest

from exporter.demo import KubernetesServer
from exporter.kubernetes.lease import Timing
from tests.lease_model import KEY, NAME, NAMESPACE, Witness
from tests.lease_side import FAST, NAMES, Standing, faultless, simulated, spec_of, two, until

FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("error-500", {}),
    ("error-500", {"applied": True}),
    ("html-502", {}),
    ("reset", {}),
    ("reset", {"applied": True}),
    ("down", {}),
    ("hang", {}),
    ("hang", {"applied": True}),
    ("slow", {"seconds": 0.8}),
    ("forbidden", {}),
    ("unauthorized", {}),
    ("too-many-429", {}),
    ("malformed", {}),
    ("truncated", {}),
    ("cut", {}),
]


def case(fault: tuple[str, dict[str, Any]]) -> str:
    return "-".join([fault[0], *(f"{name}" for name in fault[1])])


async def endure(kind: str, options: dict[str, Any]) -> None:
    """The API is broken for the leader: what follows."""
    witness = Witness()
    async with simulated() as server, two(server, witness) as (leader, follower):
        # The write alone where it is done before it suffers: what is looked at then is well.
        verb = "update" if options.get("applied") else None
        broken = server.faults.add(kind, user=leader.name, verb=verb, **options)
        await until(lambda: not leader.elector.valid(), "the fence of the leader falls")
        await until(lambda: not leader.worker.running, "its work ends")
        await until(follower.elector.valid, "the follower leads")
        assert spec_of(server)["holderIdentity"] == follower.name
        assert broken.hit > 0
        server.faults.clear()
        await until(lambda: leader.elector.leader_identity == follower.name, "the first sees that")
        assert leader.task is not None
        assert not leader.task.done()
        await follower.leave()
        await until(leader.elector.valid, "the first leads again")
        assert leader.elector.term >= 2
        assert spec_of(server)["leaseTransitions"] >= 2
        assert faultless(witness, leader, follower) == []
    assert (spec_of(server)["holderIdentity"], spec_of(server)["leaseDurationSeconds"]) == ("", 1)


@pytest.mark.parametrize("some", [FAULTS[0::3], FAULTS[1::3], FAULTS[2::3]], ids=lambda some: "+".join(map(case, some)))
async def test_a_leader_with_a_broken_api_stops_and_another_takes_over(some: list[tuple[str, dict[str, Any]]]) -> None:
    """
    Its fence falls within the deadline, its work ends, the other one leads after the duration. When the API is well
    again the first follows, and leads again as soon as the other one goes. A few faults at a time, each with an API
    and candidates of its own: most of it is waiting.
    """
    ends = await asyncio.gather(*(endure(*fault) for fault in some), return_exceptions=True)
    assert {case(fault): end for fault, end in zip(some, ends, strict=True) if end is not None} == {}


async def test_an_api_that_is_slow_but_heard_in_time_costs_no_term() -> None:
    """Answers later than the retry period: the leader stays."""
    witness, timing = Witness(), Timing(30.0, 20.0, 0.3)
    async with simulated() as server, two(server, witness, timing) as (leader, follower):
        server.faults.add("slow", user=leader.name, seconds=0.5)
        renewals = witness.renewals
        await until(lambda: witness.renewals > renewals + 5, "it renews")
        assert (leader.elector.term, follower.elector.term, faultless(witness, leader, follower)) == (1, 0, [])


async def test_an_outage_for_all_leaves_nobody_leading_and_ends_well() -> None:
    """Without an API nobody may lead; when it is back one does, and it is one only."""
    witness = Witness()
    async with simulated() as server, two(server, witness) as (leader, follower):
        await server.stop()
        await until(lambda: not leader.worker.running, "the work ends")
        assert not leader.elector.valid()
        await until(lambda: witness.failures.get("unreachable", 0) > 5, "both try on")
        assert [each for each in (leader, follower) if each.worker.running] == []
        await server.start()
        await until(lambda: leader.elector.valid() or follower.elector.valid(), "one leads again")
        assert faultless(witness, leader, follower) == []


async def test_a_leader_that_is_asked_to_go_hands_over() -> None:
    """Its work has ended and the Lease is free when it has gone; the other one need not wait for a duration."""
    witness = Witness()
    async with simulated() as server, two(server, witness) as (leader, follower):
        await leader.leave()
        assert not leader.worker.running
        gone = asyncio.get_running_loop().time()
        await until(follower.elector.valid, "the follower leads")
        await until(lambda: bool(follower.worker.acts), "it works")
        assert follower.worker.acts[0][0] >= gone - FAST.retry_period
        assert spec_of(server)["leaseTransitions"] == 1
        released = [call for call in server.calls if (call.user, call.verb) == (leader.name, "update")][-1]
        taken = next(call for call in server.calls if (call.user, call.verb) == (follower.name, "update"))
        assert released.ended is not None
        looks = [call.at for call in server.calls if (call.user, call.verb) == (follower.name, "get")]
        assert sum(released.ended < at <= taken.at for at in looks) == 1, "the first look after the release takes it"
        assert faultless(witness, leader, follower) == []


async def test_work_that_raises_hands_over_and_stands_again() -> None:
    """The second is elected; when its work is over too, the first has its turn again."""
    witness = Witness()
    async with simulated() as server, two(server, witness) as (leader, follower):
        leader.worker.ends_after = 0.0
        await until(follower.elector.valid, "the second leads")
        assert not leader.worker.running
        leader.worker.ends_after = None
        follower.worker.ends_after = 0.0
        await until(lambda: leader.elector.valid() and leader.elector.term > 1, "the first has another term")
        assert spec_of(server)["leaseTransitions"] >= 2
        assert faultless(witness, leader, follower) == []


async def test_a_lease_that_another_program_takes_ends_the_term() -> None:
    """By force and against all rules: whoever led stops at the next look, and waits its duration."""
    witness = Witness()
    async with simulated() as server, two(server, witness) as (leader, follower):
        server.cluster.patch("leases", KEY, {"spec": {"holderIdentity": "intruder", "renewTime": "no time"}})
        await until(lambda: not leader.worker.running, "the work ends")
        assert spec_of(server)["holderIdentity"] == "intruder"
        await until(lambda: leader.elector.valid() or follower.elector.valid(), "one leads again")
        assert spec_of(server)["leaseTransitions"] == 1
        assert faultless(witness, leader, follower) == []


@pytest.mark.parametrize(
    "found",
    [
        {"metadata": {"namespace": NAMESPACE, "name": NAME}},
        {"metadata": {"namespace": NAMESPACE, "name": NAME}, "spec": {}},
        {"metadata": {"namespace": NAMESPACE, "name": NAME}, "spec": {"holderIdentity": "", "leaseTransitions": 3}},
        {
            "metadata": {"namespace": NAMESPACE, "name": NAME},
            "spec": {"holderIdentity": "dead", "leaseDurationSeconds": 1, "renewTime": "2027-01-15T08:00:00Z"},
        },
        {
            "metadata": {"namespace": NAMESPACE, "name": NAME},
            "spec": {"holderIdentity": "dead", "leaseDurationSeconds": -5, "acquireTime": "x", "leaseTransitions": "y"},
        },
    ],
    ids=["no-spec", "empty-spec", "nobody", "dead", "absurd"],
)
async def test_a_lease_that_is_there_before_is_taken(found: dict[str, Any]) -> None:
    """Made by hand or left behind, in whatever state: it is ours in the end, in the form the API wants."""
    witness = Witness()
    async with simulated() as server:
        server.cluster.put("leases", found)
        async with Standing(server.url, "pod-a", witness) as candidate:
            await until(candidate.elector.valid, "it leads")
            spec = spec_of(server)
            assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == ("pod-a", 2)
            before = found.get("spec", {}).get("leaseTransitions", 0)
            assert spec["leaseTransitions"] == (before if isinstance(before, int) else 0) + 1


async def test_of_five_that_are_created_at_once_one_leads() -> None:
    """They race to create the Lease; the others lost a round, which is no failure."""
    witness = Witness()
    async with simulated() as server:
        candidates = [Standing(server.url, name, witness, timing=Timing(30.0, 20.0, 0.3)) for name in NAMES]
        # All of them have looked before the first of them creates it.
        server.faults.add("slow", verb="create", seconds=1.0)
        await asyncio.gather(*(each.__aenter__() for each in candidates))
        try:
            await until(lambda: all(each.elector.seen for each in candidates), "all have seen the Lease")
            assert sum(each.elector.valid() for each in candidates) == 1
            statuses = sorted(call.status for call in server.calls if call.verb == "create")
            assert statuses == [201, 409, 409, 409, 409]
            assert spec_of(server)["leaseTransitions"] == 0
            assert witness.failures == {}
        finally:
            await asyncio.gather(*(each.__aexit__(None, None, None) for each in candidates))
        assert faultless(witness, *candidates) == []


def spec_by_the_official_client(server: KubernetesServer) -> kubernetes.client.V1LeaseSpec:
    configuration = kubernetes.client.Configuration(host=server.url)
    configuration.api_key["authorization"] = f"Bearer {server.token}"
    with kubernetes.client.ApiClient(configuration) as client:
        lease = kubernetes.client.CoordinationV1Api(client).read_namespaced_lease(NAME, NAMESPACE)
    assert isinstance(lease, kubernetes.client.V1Lease)
    assert isinstance(lease.spec, kubernetes.client.V1LeaseSpec)
    return lease.spec


async def test_the_official_client_reads_the_lease() -> None:
    """Typed, at each stage: created, renewed, released. The times are of now, and in UTC."""
    witness = Witness()
    async with simulated() as server:
        async with Standing(server.url, "pod-a", witness) as candidate:
            await until(candidate.elector.valid, "it leads")
            created = await asyncio.to_thread(spec_by_the_official_client, server)
            renewals = witness.renewals
            await until(lambda: witness.renewals > renewals + 1, "it renews")
            renewed = await asyncio.to_thread(spec_by_the_official_client, server)
        released = await asyncio.to_thread(spec_by_the_official_client, server)
    now = dt.datetime.now(dt.UTC)
    times = []
    for spec in (created, renewed, released):
        assert isinstance(spec.acquire_time, dt.datetime)
        assert isinstance(spec.renew_time, dt.datetime)
        assert dt.timedelta() <= now - spec.acquire_time < dt.timedelta(minutes=2)
        assert spec.acquire_time <= spec.renew_time <= now
        assert spec.lease_transitions == 0
        times.append(spec.renew_time)
    assert created.holder_identity == renewed.holder_identity == "pod-a"
    assert (created.lease_duration_seconds, released.lease_duration_seconds) == (2, 1)
    assert created.acquire_time == renewed.acquire_time == released.acquire_time
    assert times[0] < times[1] < times[2]
    assert released.holder_identity == ""
