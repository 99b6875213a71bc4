"""Terms of a leader in virtual time: how they begin and end, and what becomes of the Lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from exporter.kubernetes.lease import Timing
from exporter.kubernetes.lease_record import RUN
from tests.lease_model import (
    KEY,
    KIND,
    NAME,
    NAMESPACE,
    Model,
    Network,
    RefusedError,
    SkewedClock,
    StoppedClock,
    Weather,
)
from tests.virtual_loop import run_virtually

TIMING = Timing()


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.__dict__["event"] for record in caplog.records if hasattr(record, "event")]


def test_five_that_begin_together_elect_one() -> None:
    """Only one creates the Lease; for the others that is a lost round, no failure."""

    async def main() -> None:
        model = Model()
        for _ in range(5):
            model.networks[model.add()].weather = Weather(delay=0.01)
        await asyncio.sleep(1)
        assert len(model.leaders) == 1
        assert model.spec["holderIdentity"] == f"pod-{model.leaders[0]}"
        assert model.spec["leaseTransitions"] == 0
        assert model.witness.terms == 1
        await asyncio.sleep(60)
        assert (len(model.leaders), model.witness.terms, model.witness.doubles) == (1, 1, [])
        assert model.witness.failures == {}
        assert all(
            each.seen and each.leader_identity == model.spec["holderIdentity"] for each in model.witness.electors
        )
        await model.close()

    run_virtually(main())


def test_who_goes_politely_hands_over_within_a_retry() -> None:
    """The work has ended when the Lease is released; the next one need not wait for it to run out."""

    async def main() -> None:
        model = Model()
        model.add()
        await asyncio.sleep(30)
        acquired = model.spec["acquireTime"]
        assert model.spec["renewTime"] > acquired
        model.add()
        await asyncio.sleep(30)
        assert (model.leaders, model.spec["acquireTime"]) == ([0], acquired)
        await model.leave(0)
        assert not model.workers[0].running
        assert model.spec["holderIdentity"] == ""
        assert model.spec["leaseDurationSeconds"] == 1
        assert model.witness.electors[0].leader_identity == ""
        await asyncio.sleep(TIMING.retry_period * 1.2 + 0.01)
        assert model.leaders == [1]
        assert model.spec["holderIdentity"] == "pod-1"
        assert model.spec["leaseTransitions"] == 1
        assert model.overlaps() == []
        await model.close()

    run_virtually(main())


def test_a_leader_that_is_cut_off_stops_before_another_begins() -> None:
    """The fence falls a deadline after its last renewal was sent; the other one begins a duration after that."""

    async def main() -> None:
        model = Model()
        model.add()
        await asyncio.sleep(5)
        model.add()
        await asyncio.sleep(5)
        model.networks[0].cut = True
        cut, asked = asyncio.get_running_loop().time(), model.networks[0].asked
        while model.leaders:
            await asyncio.sleep(0.01)
        fallen, tried = asyncio.get_running_loop().time(), model.networks[0].asked - asked
        await asyncio.sleep(0.02)
        assert not model.workers[0].running
        while not model.leaders:
            await asyncio.sleep(0.01)
        begun = asyncio.get_running_loop().time()
        assert model.leaders == [1]
        assert fallen - cut <= TIMING.renew_deadline + 0.02
        assert fallen + 4 < begun <= cut + TIMING.duration + TIMING.retry_period * 1.2 + 0.02
        assert tried >= 2, "a request that hangs leaves time for another"
        model.networks[0].cut = False
        await asyncio.sleep(30)
        assert model.leaders == [1]
        assert model.witness.electors[0].leader_identity == "pod-1"
        await model.close()

    run_virtually(main())


def test_answers_that_are_lost_after_the_write_do_not_end_a_term() -> None:
    """What a leader wrote without hearing of it is its own record, and is renewed from there."""

    async def main() -> None:
        model = Model()

        class Lossy(Network):
            """Every other write is done, and its answer lost."""

            written = 0

            async def replace(self, path: str, body: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
                answer = await super().replace(path, body, timeout=timeout)
                self.written += 1
                if self.written % 2:
                    raise ConnectionResetError("the answer is lost")
                return answer

        model.add(network=Lossy(model.cluster, model.chance))
        await asyncio.sleep(300)
        assert model.witness.failures["error"] > 50
        assert (model.leaders, model.witness.terms, model.spec["leaseTransitions"]) == ([0], 1, 0)
        await model.close()

    run_virtually(main())


def test_who_never_hears_of_its_writes_does_not_keep_the_others_away() -> None:
    """All its renewals are done, and all their answers lost: it cannot lead, so it must not hold the Lease either."""

    async def main() -> None:
        model = Model()

        class Mute(Network):
            """Writes are done, and their answers are lost."""

            mute = False

            async def replace(self, path: str, body: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
                answer = await super().replace(path, body, timeout=timeout)
                if self.mute:
                    raise ConnectionResetError("the answer is lost")
                return answer

        network = Mute(model.cluster, model.chance)
        model.add(network=network)
        await asyncio.sleep(5)
        model.add()
        await asyncio.sleep(5)
        network.mute = True
        await asyncio.sleep(TIMING.renew_deadline + 2 * TIMING.duration)
        assert model.leaders == [1]
        await asyncio.sleep(100)
        assert (model.leaders, model.witness.terms, model.witness.doubles) == ([1], 2, [])
        await model.leave(1)
        await asyncio.sleep(60)
        network.mute = False
        await asyncio.sleep(2 * TIMING.duration + 5)
        assert model.leaders == [0]
        await model.close()

    run_virtually(main())


def test_a_container_that_starts_again_in_its_pod_waits_for_what_it_does_not_remember() -> None:
    """The identity is the same, the process is not: the one before may still be at work."""

    async def main() -> None:
        model = Model()
        model.add("pod-x")
        await asyncio.sleep(5)
        model.networks[0].cut = True
        model.add("pod-x", clock=SkewedClock(offset=77.0))
        begun = asyncio.get_running_loop().time()
        while model.leaders != [1]:
            assert model.leaders in ([0], [])
            await asyncio.sleep(0.1)
        assert asyncio.get_running_loop().time() - begun >= TIMING.duration
        assert model.spec["leaseTransitions"] == 0, "the holder did not change"
        model.networks[0].cut = False
        await asyncio.sleep(20)
        assert (model.leaders, model.witness.doubles) == ([1], [])
        await model.close()

    run_virtually(main())


def test_a_lease_taken_by_another_ends_the_term_at_the_next_look() -> None:
    """By whom and how does not matter; what is taken back is counted as a change of holder."""

    async def main() -> None:
        model = Model()
        model.add()
        await asyncio.sleep(5)
        model.cluster.patch(KIND.name, KEY, {"spec": {"holderIdentity": "intruder", "leaseTransitions": 7}})
        await asyncio.sleep(TIMING.retry_period * 1.2 + 0.01)
        assert (model.leaders, model.workers[0].running) == ([], False)
        assert model.witness.electors[0].leader_identity == "intruder"
        await asyncio.sleep(TIMING.duration - TIMING.retry_period * 1.2)
        assert model.leaders == []
        await asyncio.sleep(TIMING.retry_period * 2.4)
        assert model.leaders == [0]
        assert (model.spec["leaseTransitions"], model.witness.electors[0].term) == (8, 2)
        await model.close()

    run_virtually(main())


def test_a_lease_that_is_deleted_makes_no_second_leader() -> None:
    """The leader makes it again; while it cannot, those who saw it wait as if it were there."""

    async def main() -> None:
        model = Model()
        model.add()
        await asyncio.sleep(1)
        model.add()
        await asyncio.sleep(5)
        model.cluster.patch(KIND.name, KEY, {"spec": {"leaseTransitions": 3}})
        await asyncio.sleep(3)
        model.cluster.delete(KIND.name, KEY)
        await asyncio.sleep(3)
        assert (model.leaders, model.spec["holderIdentity"], model.spec["leaseTransitions"]) == ([0], "pod-0", 3)
        assert model.witness.electors[0].term == 1
        model.networks[0].cut = True
        await asyncio.sleep(1)
        model.cluster.delete(KIND.name, KEY)
        await asyncio.sleep(4)
        assert (model.leaders, model.witness.electors[1].leader_identity) == ([0], "")
        await asyncio.sleep(20)
        assert (model.leaders, model.spec["holderIdentity"], model.witness.doubles) == ([1], "pod-1", [])
        await model.close()

    run_virtually(main())


def test_writes_that_fail_while_the_lease_is_another_s_are_tried_on() -> None:
    """A dead one's Lease keeps nobody away: whoever can write first takes it, without standing back."""

    async def main() -> None:
        model = Model()

        class Full(Network):
            """The API can be read, and not be written to."""

            full = True

            async def replace(self, path: str, body: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
                if self.full:
                    raise RefusedError(500, "no space left")
                return await super().replace(path, body, timeout=timeout)

        named = {"metadata": {"namespace": NAMESPACE, "name": NAME}, "spec": {"holderIdentity": "dead"}}
        model.cluster.put(KIND.name, named)
        network = Full(model.cluster, model.chance)
        model.add(network=network)
        await asyncio.sleep(60)
        assert model.witness.failures["failed"] > 10
        network.full = False
        await asyncio.sleep(TIMING.retry_period * 1.2 + 0.01)
        assert model.leaders == [0]
        await model.close()

    run_virtually(main())


def test_a_lease_won_too_late_is_not_led() -> None:
    """The process was stopped between the request and its answer: the time it was won for is over."""

    async def main() -> None:
        model = Model()
        clock = StoppedClock()

        class Stopping(Network):
            async def create(self, path: str, body: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
                answer = await super().create(path, body, timeout=timeout)
                clock.lost = TIMING.renew_deadline
                return answer

        model.add(clock=clock, network=Stopping(model.cluster, model.chance))
        await asyncio.sleep(0.1)
        assert (model.spec["holderIdentity"], model.leaders, model.witness.terms) == ("pod-0", [], 0)
        assert not model.workers[0].running
        await asyncio.sleep(3)
        assert (model.leaders, model.witness.terms) == ([0], 1)
        await model.close()

    run_virtually(main())


def test_what_another_holds_is_not_released_and_what_was_never_written_is_not_read() -> None:
    """A follower that goes leaves the Lease alone; so does a leader whose Lease was taken."""

    async def main() -> None:
        model = Model()
        model.add()
        await asyncio.sleep(5)
        model.add()
        await asyncio.sleep(5)
        await model.leave(1)
        assert (model.leaders, model.spec["holderIdentity"]) == ([0], "pod-0")
        model.cluster.patch(KIND.name, KEY, {"spec": {"holderIdentity": "intruder"}})
        await model.leave(0)
        assert model.spec["holderIdentity"] == "intruder"

    run_virtually(main())


def test_a_release_that_meets_a_late_renewal_is_tried_again() -> None:
    """The renewal that was under way when the leader was asked to go may arrive in between."""

    async def main() -> None:
        model = Model()

        class Late(Network):
            """Another write of ours arrives between the look and the release."""

            once = True

            async def replace(self, path: str, body: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
                if body["spec"]["holderIdentity"] == "" and self.once:
                    self.once = False
                    self.cluster.patch(KIND.name, KEY, {"spec": {"renewTime": "2027-01-15T08:00:00.000000Z"}})
                return await super().replace(path, body, timeout=timeout)

        model.add(network=Late(model.cluster, model.chance))
        await asyncio.sleep(5)
        await model.leave(0)
        assert model.spec["holderIdentity"] == ""

    run_virtually(main())


def test_a_release_that_cannot_be_has_an_end(caplog: pytest.LogCaptureFixture) -> None:
    """The API is away: who goes does not wait for it."""

    async def main() -> None:
        model = Model()
        model.add()
        await asyncio.sleep(5)
        model.networks[0].cut = True
        begun = asyncio.get_running_loop().time()
        await model.leave(0)
        assert asyncio.get_running_loop().time() - begun <= 5.3
        assert model.spec["holderIdentity"] == "pod-0"

    run_virtually(main())
    assert "lease_not_released" in events(caplog)


class _Stray(Network):
    """A client whose requests are cancelled from within, as when its session is closed under it."""

    async def _through(self, act: Callable[[], Any]) -> dict[str, Any]:
        if self.chance.random() < 0.5:
            raise asyncio.CancelledError
        return await super()._through(act)


def test_a_cancellation_of_the_client_s_own_is_one_failed_attempt() -> None:
    """It must not look as if the election had been asked to end."""

    async def main() -> None:
        model = Model(seed=5)
        model.add(network=_Stray(model.cluster, model.chance))
        await asyncio.sleep(200)
        assert not model.tasks[0].done()
        assert model.witness.renewals > 10
        assert model.witness.failures["error"] > 10
        await model.close()

    run_virtually(main())


def test_an_answer_that_is_not_what_was_written_does_not_make_a_leader() -> None:
    """Such as another's Lease out of some cache between: what is not known to be written is not."""

    async def main() -> None:
        model = Model()

        class Cached(Network):
            async def create(self, path: str, body: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
                answer = await super().create(path, body, timeout=timeout)
                return {**answer, "metadata": {**answer["metadata"], "annotations": {RUN: "another"}}}

            async def replace(self, path: str, body: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
                answer = await super().replace(path, body, timeout=timeout)
                return {**answer, "spec": {**answer["spec"], "holderIdentity": "another"}}

        model.add(network=Cached(model.cluster, model.chance))
        await asyncio.sleep(30)
        assert (model.leaders, model.witness.terms) == ([], 0)
        assert model.witness.failures["malformed"] == 3
        await model.close()

    run_virtually(main())


def test_a_follower_is_known_to_have_seen_the_lease_once_it_did() -> None:
    """Not before, not by an API that fails; and who leads is said."""

    async def main() -> None:
        model = Model()
        model.add()
        await asyncio.sleep(1)
        follower = model.witness.electors[model.add()]
        model.networks[1].cut = True
        await asyncio.sleep(20)
        assert (follower.seen, follower.leader_identity) == (False, "")
        model.networks[1].cut = False
        await asyncio.sleep(10)
        assert (follower.seen, follower.leader_identity, follower.valid()) == (True, "pod-0", False)
        await model.close()

    run_virtually(main())
