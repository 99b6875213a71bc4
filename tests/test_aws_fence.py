"""The fence of one leader among several: what it stops, at which moment, and that nothing gets past it to the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from exporter.aws.faults import NoAnswerError
from exporter.aws.transport import Transport
from exporter.clock import SystemClock
from exporter.demo.server import DemoServer
from exporter.errors import FencedError
from tests.aws_wire import OPERATION, PLANES, REGION, both_planes, running, simulated_aws, told, until


@pytest.fixture
async def demo(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DemoServer]:
    """The simulated AWS, with the environment that leads to it."""
    async with simulated_aws(monkeypatch) as server:
        yield server


class Fence:
    """Open until it has been asked so often; None for ever."""

    def __init__(self, opens: int | None = None) -> None:
        self.left = opens

    def __call__(self) -> bool:
        if self.left is None:
            return True
        self.left -= 1
        return self.left >= 0


@both_planes
async def test_who_does_not_lead_asks_nothing(demo: DemoServer, plane: str) -> None:
    """Nothing is sent or counted, not even whose credentials these are is asked; the error says why."""
    telling = told()
    async with running(telling, permitted=Fence(0)) as runtime:
        with pytest.raises(FencedError, match="does not lead"):
            await PLANES[plane](runtime.open(REGION))
    assert demo.calls == []
    assert telling.labels("aws_requests_total") == []
    assert telling.labels("aws_errors_total") == []


@both_planes
async def test_leadership_that_ends_between_two_attempts(demo: DemoServer, plane: str) -> None:
    """A call that would be repeated is not: the other replica asks it."""
    fence = Fence()
    demo.faults.add("error-500", service=plane)
    telling = told()
    async with running(telling, clock=SystemClock(), permitted=fence) as runtime:
        asking = asyncio.create_task(PLANES[plane](runtime.open(REGION)))
        await until(lambda: len([call for call in demo.calls if call.operation == OPERATION[plane]]) == 1)
        fence.left = 0
        with pytest.raises(FencedError):
            await asking
    assert len([call for call in demo.calls if call.operation == OPERATION[plane]]) == 1


@both_planes
async def test_leadership_that_ends_while_a_call_waits_for_its_turn(demo: DemoServer, plane: str) -> None:
    """The look before the wait for a turn is not the last one."""
    fence = Fence()
    demo.faults.add("slow", service=plane, seconds=1.0, count=1)
    async with running(told(), permitted=fence, aws_concurrency=1) as runtime:
        access = runtime.open(REGION)
        await access.identify()
        first = asyncio.create_task(PLANES[plane](access))
        await until(lambda: any(rule.hit for rule in demo.faults.rules()))
        second = asyncio.create_task(PLANES[plane](access))
        await asyncio.sleep(0.1)
        fence.left = 0
        await first  # it was on its way
        with pytest.raises(FencedError):
            await second
    assert len([call for call in demo.calls if call.operation == OPERATION[plane]]) == 1


async def test_the_last_look_is_right_before_the_wire(demo: DemoServer) -> None:
    """Whatever looked before: a connection is handed out to who still leads, and to nobody else."""
    fence = Fence()
    transport = Transport(None, fence)
    await transport.open()
    try:
        assert (await transport.send("GET", f"{demo.url}/_demo/clock", {}, b"", 5.0)).status == 200
        fence.left = 0
        demo.clear_calls()
        with pytest.raises(NoAnswerError, match="does not lead any more"):
            await transport.send("GET", f"{demo.url}/", {}, b"", 5.0)
        assert demo.calls == []
        fence.left = None
        assert (await transport.send("GET", f"{demo.url}/_demo/clock", {}, b"", 5.0)).status == 200
    finally:
        await transport.close()
