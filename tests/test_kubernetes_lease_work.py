"""The work of a leader in virtual time: it ends with its term, and its term with it; no second one beside it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable
from typing import Any

import pytest

from exporter.kubernetes.lease import Timing
from tests.lease_model import Model, Network, StoppedClock
from tests.virtual_loop import run_virtually

TIMING = Timing()


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.__dict__["event"] for record in caplog.records if hasattr(record, "event")]


@pytest.mark.parametrize("raises", [True, False], ids=["raises", "returns"])
def test_work_that_ends_by_itself_lets_another_lead(raises: bool, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, the Lease is released, the other one gets it; the first stands again, later each time."""
    caplog.set_level(logging.INFO, "exporter")

    async def main() -> None:
        model = Model()
        begun: list[float] = []

        async def work() -> None:
            begun.append(asyncio.get_running_loop().time())
            await asyncio.sleep(0.5)
            if raises:
                raise ValueError("no good")

        model.add(work=work)
        await asyncio.sleep(0.1)
        assert model.leaders == [0]
        model.add()
        await asyncio.sleep(0.5)
        assert (model.leaders, model.spec["holderIdentity"]) == ([], "")
        await asyncio.sleep(TIMING.retry_period * 1.2)
        assert model.leaders == [1]
        await model.leave(1)
        await asyncio.sleep(1000)
        pauses = [later - earlier for earlier, later in itertools.pairwise(begun)]
        assert model.witness.electors[0].term == len(begun) >= 10
        assert pauses[2] < pauses[3] < pauses[4], "each time later"
        assert max(pauses) <= 4 * TIMING.duration + 0.5 + 2 * TIMING.retry_period * 1.2, "but not for ever"
        await model.close()

    run_virtually(main())
    assert events(caplog).count("leader_work_ended") >= 10


def test_work_that_did_well_for_long_may_fail_once_more() -> None:
    """The pause after a failure grows with failures in a row, and is short again after a term that was none."""

    async def main() -> None:
        model = Model()
        terms = [1.0, 1.0, 1.0, 1.0, 100.0, 1.0]
        begun: list[float] = []

        async def work() -> None:
            begun.append(asyncio.get_running_loop().time())
            await asyncio.sleep(terms[len(begun) - 1] if len(begun) <= len(terms) else 1e9)

        model.add(work=work)
        await asyncio.sleep(1000)
        pauses = [later - earlier - term for earlier, later, term in zip(begun[:-1], begun[1:], terms, strict=True)]
        assert pauses[0] < pauses[1] < pauses[2] < pauses[3]
        assert pauses[4] < pauses[1]
        assert pauses[4] < pauses[5] < pauses[2]
        await model.close()

    run_virtually(main())


def test_work_whose_own_time_runs_out_as_the_fence_falls_ends() -> None:
    """A timeout within the work has cancelled it already, and takes that back: the end of the term counts as well."""

    async def main() -> None:
        model = Model()
        ended: list[float] = []
        off = asyncio.Event()

        async def work() -> None:
            try:
                await off.wait()
                with contextlib.suppress(TimeoutError):
                    # Within the resolution of the loop's clock: in the same turn of it, after the elector's timer.
                    async with asyncio.timeout_at(model.witness.renewed_at + TIMING.renew_deadline + 5e-10):
                        await asyncio.sleep(1e9)
                await asyncio.sleep(1e9)
            finally:
                ended.append(asyncio.get_running_loop().time())

        elector = model.witness.electors[model.add(work=work)]
        await asyncio.sleep(5)
        model.networks[0].cut = True
        off.set()
        while elector.valid():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        assert len(ended) == 1
        model.networks[0].cut = False
        await model.close()

    run_virtually(main())


def test_the_fence_has_fallen_when_a_stopped_process_wakes_up(caplog: pytest.LogCaptureFixture) -> None:
    """
    Before any timer of the elector rings: `valid` looks at the clock. Work that ends for that, such as a loop
    ``while valid()``, is no fault.
    """
    caplog.set_level(logging.INFO, "exporter")

    async def main() -> None:
        model = Model()
        clock = StoppedClock()
        ended: list[float] = []

        async def work() -> None:
            while elector.valid():
                await asyncio.sleep(0.01)
            ended.append(asyncio.get_running_loop().time())

        elector = model.witness.electors[model.add(clock=clock, work=work)]
        await asyncio.sleep(5)
        assert elector.valid()
        clock.lost = TIMING.renew_deadline
        assert not elector.valid()
        await asyncio.sleep(0.02)
        assert len(ended) == 1
        await asyncio.sleep(10)
        assert (model.leaders, elector.term) == ([0], 2)
        await model.close()

    run_virtually(main())
    assert "lease_lost" in events(caplog)
    assert "leader_work_ended" not in events(caplog)


class _Stuck:
    """Work that does not heed being cancelled: until it may end, or only the first time."""

    def __init__(self, *, heeds_the_second: bool) -> None:
        self.may_end = asyncio.Event()
        self.running = 0
        self.most = 0
        self._heeds = heeds_the_second

    async def work(self) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        asked = 0
        while not self.may_end.is_set() and not (self._heeds and asked > 1):
            try:
                await self.may_end.wait()
            except asyncio.CancelledError:
                asked += 1
        self.running -= 1


def test_work_that_does_not_end_keeps_its_process_from_leading_again(caplog: pytest.LogCaptureFixture) -> None:
    """The fence has fallen, others lead after the duration; until it ends there is no second work beside it."""
    caplog.set_level(logging.INFO, "exporter")

    async def main() -> None:
        model = Model()
        stuck = _Stuck(heeds_the_second=False)
        elector = model.witness.electors[model.add(work=stuck.work, grace=1.0)]
        await asyncio.sleep(5)
        model.networks[0].cut = True
        await asyncio.sleep(13)
        model.networks[0].cut = False
        assert (elector.valid(), stuck.running, elector.term) == (False, 1, 1)
        await asyncio.sleep(100)
        assert (elector.valid(), stuck.running, elector.term) == (False, 1, 1)
        number = model.add()
        await asyncio.sleep(100)
        assert model.leaders == [number]
        assert elector.leader_identity == f"pod-{number}", "it still looks"
        stuck.may_end.set()
        await asyncio.sleep(3)
        stuck.may_end.clear()
        await model.leave(number)
        await asyncio.sleep(3)
        assert (elector.valid(), elector.term, stuck.most) == (True, 2, 1)
        stuck.may_end.set()
        await model.close()

    run_virtually(main())
    assert events(caplog).count("leader_work_stuck") == 1


def test_work_that_loses_its_cancellation_is_asked_again() -> None:
    """The first one may have been swallowed on its way; then the next term can begin."""

    async def main() -> None:
        model = Model()
        stuck = _Stuck(heeds_the_second=True)
        elector = model.witness.electors[model.add(work=stuck.work, grace=1.0)]
        await asyncio.sleep(5)
        model.networks[0].cut = True
        await asyncio.sleep(20)
        assert stuck.running == 0
        model.networks[0].cut = False
        await asyncio.sleep(20)
        assert (elector.valid(), elector.term, stuck.most) == (True, 2, 1)
        stuck.may_end.set()
        await model.close()

    run_virtually(main())


def test_who_goes_while_its_work_goes_on_does_not_release() -> None:
    """The Lease keeps others away as long as it can."""

    async def main() -> None:
        model = Model()
        stuck = _Stuck(heeds_the_second=False)
        model.add(work=stuck.work, grace=1.0)
        await asyncio.sleep(5)
        await model.leave(0)
        assert (stuck.running, model.leaders, model.spec["holderIdentity"]) == (1, [], "pod-0")
        stuck.may_end.set()

    run_virtually(main())


def test_who_goes_while_it_waits_for_its_work_still_waits_and_releases() -> None:
    """Cancelled in the middle of losing the lead: the work's own end is not cut short, the Lease is let go."""

    async def main() -> None:
        model = Model()
        ended: list[float] = []

        async def work() -> None:
            try:
                await asyncio.sleep(1e9)
            finally:
                await asyncio.sleep(3)
                ended.append(asyncio.get_running_loop().time())

        model.add(work=work)
        await asyncio.sleep(5)
        model.networks[0].cut = True
        while model.leaders:
            await asyncio.sleep(0.1)
        model.networks[0].cut = False
        await asyncio.sleep(1)
        await model.leave(0)
        assert len(ended) == 1
        assert model.spec["holderIdentity"] == ""

    run_virtually(main())


class _Deaf(Network):
    """A client that heeds neither its timeout nor being cancelled, once its network is cut."""

    async def _through(self, act: Callable[[], Any]) -> dict[str, Any]:
        while self.cut:
            try:
                await asyncio.sleep(1e6)
            except asyncio.CancelledError:
                continue
        return await super()._through(act)


def test_a_client_that_heeds_no_timeout_cannot_keep_the_work_going() -> None:
    """The term ends at the deadline all the same."""

    async def main() -> None:
        model = Model()
        model.add(network=_Deaf(model.cluster, model.chance))
        await asyncio.sleep(5)
        model.networks[0].cut = True
        await asyncio.sleep(TIMING.renew_deadline + 0.1)
        found = (model.leaders, model.workers[0].running)
        model.networks[0].cut = False
        assert found == ([], False)

    run_virtually(main())
