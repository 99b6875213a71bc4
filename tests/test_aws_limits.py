"""The pace: no faster than allowed, in order, within the deadline, slower when AWS asks for it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.aws.limits import GET_METRIC_DATA, LEAST_SHARE, Gate, Limits, TokenBucket
from tests.aws_wire import Limits as Configured
from tests.aws_wire import VirtualClock

FAR = 1e9


async def _times(bucket: TokenBucket, clock: VirtualClock, calls: int) -> list[float]:
    seen: list[float] = []

    async def one() -> None:
        await bucket.take(FAR)
        seen.append(clock.monotonic())

    tasks = [asyncio.create_task(one()) for _ in range(calls)]
    await clock.advance(1000)
    await asyncio.gather(*tasks)
    return seen


async def test_calls_are_let_through_at_the_configured_rate_after_the_burst() -> None:
    """Five at once, then ten a second."""
    clock = VirtualClock()
    times = await _times(TokenBucket(10, 5, clock), clock, 25)
    assert times[:5] == [0.0] * 5
    assert times[5:] == pytest.approx([i / 10 for i in range(1, 21)])


@given(rate=st.floats(0.1, 500), burst=st.floats(0.5, 50), calls=st.integers(1, 60))
def test_no_stretch_of_time_sees_more_calls_than_rate_and_burst_allow(rate: float, burst: float, calls: int) -> None:
    """For any two calls i < j: at least (j - i - burst) / rate seconds lie between them."""

    async def check() -> None:
        clock = VirtualClock()
        times = await _times(TokenBucket(rate, burst, clock), clock, calls)
        allowed = max(1.0, burst)
        assert len(times) == calls
        for i, early in enumerate(times):
            for j in range(i + 1, len(times)):
                assert times[j] - early >= (j - i - allowed) / rate - 1e-6

    asyncio.run(check())


async def test_a_turn_that_would_come_too_late_is_refused_at_once_and_takes_nothing() -> None:
    """Who cannot be served in time does not make those behind wait longer."""
    clock = VirtualClock()
    bucket = TokenBucket(1, 1, clock)
    await bucket.take(FAR)
    with pytest.raises(TimeoutError):
        await bucket.take(0.5)
    later = asyncio.create_task(bucket.take(1.0))
    await clock.advance(1.0)
    assert later.done()
    await later


async def test_a_cancelled_wait_gives_its_turn_back() -> None:
    """After a cancelled call the next one is as early as if it had never been asked."""
    clock = VirtualClock()
    bucket = TokenBucket(1, 1, clock)
    await bucket.take(FAR)
    waiting = asyncio.create_task(bucket.take(FAR))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await clock.advance(1.0)
    await asyncio.wait_for(bucket.take(clock.monotonic()), 60)


async def test_a_throttled_answer_halves_the_pace_which_is_back_after_a_minute() -> None:
    """Halved at once, recovered linearly; several throttled answers of one burst count once."""
    clock = VirtualClock()
    bucket = TokenBucket(20, 20, clock)
    for _ in range(5):
        bucket.throttled()
    assert bucket.rate == 10
    await clock.advance(15)
    assert bucket.rate == pytest.approx(15)
    await clock.advance(30)
    assert bucket.rate == 20


async def test_throttled_again_and_again_the_pace_never_ends() -> None:
    """The slowest pace is a thirty-second of the configured one."""
    clock = VirtualClock()
    bucket = TokenBucket(32, 1, clock)
    for _ in range(100):
        bucket.throttled()
        await clock.advance(1.0)
    bucket.throttled()
    assert 32 * LEAST_SHARE <= bucket.rate < 2


async def test_a_gate_never_has_more_calls_in_flight_than_configured_and_serves_in_order() -> None:
    """Twelve callers, two slots: two at a time, first come first served."""
    clock = VirtualClock()
    gate = Gate(TokenBucket(1000, 1000, clock), 2, clock)
    inside, most, order = 0, 0, []

    async def one(number: int) -> None:
        nonlocal inside, most
        async with gate.enter(FAR):
            inside += 1
            most = max(most, inside)
            order.append(number)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(one(number) for number in range(12)))
    assert most == 2
    assert order == list(range(12))


async def test_a_gate_gives_up_at_the_deadline_and_leaves_the_slot_to_others() -> None:
    """Waiting for a slot ends with TimeoutError; the slot is free again as soon as its holder leaves."""
    clock = VirtualClock()
    gate = Gate(TokenBucket(1000, 1000, clock), 1, clock)
    async with gate.enter(FAR):
        with pytest.raises(TimeoutError):
            async with gate.enter(0.02):
                pytest.fail("entered a gate that was full")
    async with asyncio.timeout(60), gate.enter(FAR):
        pass


async def test_a_failing_call_and_a_refused_turn_leave_no_slot_behind() -> None:
    """Neither an exception inside nor a pace that is used up costs a slot."""
    clock = VirtualClock()
    gate = Gate(TokenBucket(0.1, 1, clock), 1, clock)
    with pytest.raises(ZeroDivisionError):
        async with gate.enter(FAR):
            raise ZeroDivisionError
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with gate.enter(1.0):
                pytest.fail("the pace allows one call in ten seconds")
    await clock.advance(10)
    async with asyncio.timeout(60), gate.enter(FAR):
        pass


async def test_the_limits_of_an_api_hold_for_whoever_asks() -> None:
    """One gate for an account, region and API; others have their own."""
    limits = Limits(Configured(get_metric_data_per_second=25, describe_per_second=10), VirtualClock())
    gate = limits.gate("1", "r", "ec2")
    assert limits.gate("1", "r", "ec2") is gate
    others = [limits.gate("2", "r", "ec2"), limits.gate("1", "s", "ec2"), limits.gate("1", "r", "efs")]
    assert gate not in others
    assert gate.bucket.rate == 10
    assert limits.gate("1", "r", GET_METRIC_DATA).bucket.rate == 25


async def test_an_answer_of_many_datapoints_counts_for_more_calls() -> None:
    """At 25 calls a second, answers that each use up a fifth of a second of AWS's datapoints come five a second."""
    clock = VirtualClock()
    gate = Gate(TokenBucket(25, 1, clock), 10, clock)
    seen: list[float] = []

    async def one(seconds: float) -> None:
        async with gate.enter(FAR, seconds):
            seen.append(clock.monotonic())

    tasks = [asyncio.create_task(one(seconds)) for seconds in (0.2, 0.2, 0.2, 0.0, 0.001, 0.0)]
    await clock.advance(100)
    await asyncio.gather(*tasks)
    assert seen == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.64, 0.68])
