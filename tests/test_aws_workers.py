"""Worker threads: one computes at a time, and waits for AWS beside the others."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from exporter.aws import workers
from exporter.aws.workers import Attempt, Workers

PATIENCE = 60.0


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread's turn comes however slow the machine is."""
    monkeypatch.setattr(workers, "_TURN", PATIENCE)


async def test_one_thread_computes_at_a_time() -> None:
    """Requests are written one after another: threads side by side are no faster, and the loop waits for each."""
    pool = Workers(time.monotonic)
    lock, here, most = threading.Lock(), 0, 0

    def work(_: Attempt) -> None:
        nonlocal here, most
        with lock:
            here += 1
            most = max(most, here)
        time.sleep(0.01)
        with lock:
            here -= 1

    try:
        await asyncio.gather(*(pool.run(work, PATIENCE) for _ in range(8)))
    finally:
        pool.close()
    assert most == 1


async def test_who_waits_for_aws_leaves_the_turn_to_others() -> None:
    """A call that hangs at AWS must not keep another from being written; its answer is read in a turn again."""
    pool, answered = Workers(time.monotonic), asyncio.Event()
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    async def exchange() -> str:
        asked.set()
        await answered.wait()
        return "late"

    try:
        slow = asyncio.create_task(pool.run(lambda attempt: attempt.wait(exchange(), loop), PATIENCE))
        await asyncio.wait_for(asked.wait(), PATIENCE)
        assert await asyncio.wait_for(pool.run(lambda _: "early", PATIENCE), PATIENCE) == "early"
        assert not slow.done()
        answered.set()
        assert await asyncio.wait_for(slow, PATIENCE) == "late"
        assert await asyncio.wait_for(pool.run(lambda _: "after", PATIENCE), PATIENCE) == "after"
    finally:
        pool.close()


async def test_a_call_that_fails_leaves_its_turn() -> None:
    """Whatever it raises reaches the caller, and the next one computes."""
    pool = Workers(time.monotonic)

    def fail(_: Attempt) -> None:
        raise ValueError("not well")

    try:
        with pytest.raises(ValueError, match="not well"):
            await pool.run(fail, PATIENCE)
        assert await asyncio.wait_for(pool.run(lambda _: "next", PATIENCE), PATIENCE) == "next"
    finally:
        pool.close()
