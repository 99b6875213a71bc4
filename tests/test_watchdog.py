"""A loop that is stuck, and parts that are stuck while it turns: seen, said, counted, and over when they are over."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.clock import SystemClock
from exporter.demo import World, WorldClock, run_in_thread
from exporter.scheduler import Job, Outcome, Scheduler, next_turn, phase
from exporter.telemetry import Telemetry
from exporter.watchdog import Expectations, Longest, Watchdog
from tests.aws_wire import VirtualClock, told
from tests.calls import remember
from tests.harness import T, parsed
from tests.running import running

PROGRAM = """
import asyncio, os, signal, sys, time
from exporter import logs
from exporter.app import App, read_config
from exporter.clock import SystemClock

def stuck_in_a_callback():
    time.sleep(5)

async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, stuck_in_a_callback)
    config = read_config(sys.argv[1], os.environ)
    logs.configure("json", "info")
    app = App(config, read=lambda: config, source="test", environ=os.environ, clock=SystemClock(), stalled=2.0)
    await app.run(lambda host, port: print(port, flush=True))

asyncio.run(main())
"""


def _get(port: int, path: str, seconds: float) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=seconds) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_stuck_loop_fails_its_probe_and_says_where_it_stands(tmp_path: Path) -> None:
    """A callback that sleeps five seconds: the probe times out, the log has its stack, one stall, well again after."""
    config = tmp_path / "config.yaml"
    config.write_text("web: {listen: '127.0.0.1:0'}\n")
    lines: list[str] = []
    with (
        run_in_thread(World.empty(1, WorldClock())) as server,
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **server.environment()},
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout
            assert process.stderr
            reader = threading.Thread(target=_read, args=(process.stderr, lines), daemon=True)
            reader.start()
            _stick_and_recover(process, int(process.stdout.readline()))
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            reader.join(5)
        finally:
            process.kill()
        remember(server.calls)
    said = [json.loads(line) for line in lines]
    stalls = [each for each in said if each["event"] == "loop_stalled"]
    assert len(stalls) == 1
    assert "stuck_in_a_callback" in stalls[0]["stack"]
    assert [each["event"] for each in said].count("loop_turns") == 1


def _stick_and_recover(process: subprocess.Popen[str], port: int) -> None:
    assert _get(port, "/-/healthy", 5) == (200, "healthy\n")
    before = parsed(_get(port, "/metrics", 5)[1])
    assert before["storage_exporter_event_loop_stalls_total", frozenset()] == 0
    assert ("storage_exporter_event_loop_lag_seconds", frozenset()) in before
    process.send_signal(signal.SIGUSR1)
    time.sleep(0.5)
    with pytest.raises(TimeoutError):
        _get(port, "/-/healthy", 1)  # as a kubelet asks
    assert _get(port, "/-/healthy", 20) == (200, "healthy\n")
    time.sleep(0.5)
    after = parsed(_get(port, "/metrics", 5)[1])
    assert after["storage_exporter_event_loop_stalls_total", frozenset()] == 1
    assert after["storage_exporter_event_loop_lag_seconds", frozenset()] > 4


def _read(stream: IO[str], lines: list[str]) -> None:
    lines.extend(stream)


@pytest.mark.parametrize(("alive", "says"), [(0.6, True), (600.0, False)])
async def test_it_says_now_and_then_that_it_runs(caplog: pytest.LogCaptureFixture, alive: float, says: bool) -> None:
    """A line when its time has come and again after it, none before: also a quiet exporter is not silent."""
    caplog.set_level("INFO", "exporter")
    beats: list[logging.LogRecord] = []
    expectations = Expectations(SystemClock())
    with Watchdog(Telemetry("test"), expectations, alive=alive).watching():
        begun = time.monotonic()
        while len(beats) < 2 and time.monotonic() - begun < (20 if says else 1.5):
            await asyncio.sleep(0.05)
            beats = [each for each in caplog.records if getattr(each, "event", "") == "alive"]
        assert len(beats) == (2 if says else 0)
        assert not says or beats[1].created - beats[0].created > 0.55


async def test_a_pass_that_does_not_heed_its_deadline_is_named_until_it_ends() -> None:
    """asyncio.timeout asks in vain: the job is overdue; once the pass ends it is not, and its end is a failure."""
    telling, clock = told(), SystemClock()
    expectations = Expectations(clock, grace=0.1)
    release = asyncio.Event()

    async def stubborn() -> Outcome:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return Outcome(ok=True)

    scheduler = Scheduler(telling.telemetry, clock, expectations)
    task = asyncio.create_task(scheduler.forever(Job("ebs/here", "ebs", 60, 0.05, stubborn)))
    await asyncio.sleep(0.1)
    assert expectations.overdue() == []  # within the grace
    await asyncio.sleep(0.15)
    (said,) = expectations.overdue()
    assert said == "ebs/here: a pass did not end, though its deadline of 0.05 s is over"
    release.set()
    await asyncio.sleep(0.05)
    assert expectations.overdue() == []
    assert telling.value("job_success") == 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert expectations.overdue() == []


class Deaf(VirtualClock):
    """Its sleepers are never woken."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


async def test_a_pass_that_does_not_begin_at_its_turn_is_named() -> None:
    """A timer that never fires: overdue once the turn and the grace are over, by both clocks."""
    telling, clock = told(), Deaf(T)
    expectations = Expectations(clock, grace=30)

    async def quick() -> Outcome:
        return Outcome(ok=True)

    scheduler = Scheduler(telling.telemetry, clock, expectations)
    task = asyncio.create_task(scheduler.forever(Job("efs/here", "efs", 60, 5, quick)))
    await asyncio.sleep(0.01)
    clock.at = next_turn(T, 60, phase("efs/here", 60)) + 29
    assert expectations.overdue() == []
    clock.at += 2
    assert expectations.overdue() == ["efs/here: the next pass did not begin at its turn"]
    expectations.resumed()  # the loop itself stood still: all of it gets the grace once more
    assert expectations.overdue() == []
    clock.at += 31
    assert len(expectations.overdue()) == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert expectations.overdue() == []


class Stepped(VirtualClock):
    """Wall time that somebody sets."""

    step = 0.0

    def time(self) -> float:
        return self.at + self.step


def test_a_wall_clock_that_is_set_makes_nothing_overdue() -> None:
    """An hour forward: the sleeper still has its minute. Both clocks must be past the turn."""
    clock = Stepped(T)
    expectations = Expectations(clock, grace=30)
    expectations.expect("a", "late", 60, by=clock.time() + 60)
    clock.step = 3600
    assert expectations.overdue() == []
    clock.at += 91
    assert expectations.overdue() == ["a: late"]
    clock.step = -3600
    assert expectations.overdue() == []


async def test_health_names_what_is_overdue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """503 with what is wrong, 200 when it is over; readiness stays as it was."""
    async with running(monkeypatch, tmp_path) as over:
        await over.until(lambda state: state == "ready\n", "/-/ready")
        assert await over.get("/-/healthy") == (200, "healthy\n")
        over.app.expectations.expect("publish", "the page was not rendered again", -1000)
        assert await over.get("/-/healthy") == (503, "publish: the page was not rendered again\n")
        assert (await over.get("/-/ready"))[0] == 200
        over.app.store.put("nudge", [])  # the publisher's next turn says so itself
        async with asyncio.timeout(60):
            while (await over.get("/-/healthy"))[0] != 200:
                await asyncio.sleep(0.05)


@given(st.lists(st.tuples(st.floats(0, 40), st.floats(0, 100)), min_size=1))
def test_the_longest_lag_is_that_of_the_last_minute(steps: list[tuple[float, float]]) -> None:
    """Never less than the largest of the last 60 s, never more than that of the last 70 s."""
    longest, now, noted = Longest(60), 1000.0, []
    for step, value in steps:
        now += step
        noted.append((now, value))
        shown = longest.note(now, value)
        assert shown >= max(value for at, value in noted if at >= now - 60)
        assert shown <= max(value for at, value in noted if at >= now - 70)
        assert math.isfinite(shown)


async def test_passes_that_fail_run_over_or_are_missed_show() -> None:
    """A pass cut at its deadline, longer than its interval: success 0, missed counted, last success stands still."""
    telling, clock = told(), SystemClock()
    ways = iter(("well", "cut"))

    async def run() -> Outcome:
        if next(ways, "well") == "cut":
            await asyncio.sleep(60)
        return Outcome(ok=True)

    scheduler = Scheduler(telling.telemetry, clock)
    job = Job("ebs/here", "ebs", 1, 2.2, run)
    task = asyncio.create_task(scheduler.forever(job))
    try:
        async with asyncio.timeout(60):
            while not telling.value("job_success"):
                await asyncio.sleep(0.01)
        assert telling.labels("job_missed_total")  # there before anything was missed, so that the first one is seen
        assert telling.value("job_missed_total") == 0
        first = telling.value("job_last_success_timestamp_seconds")
        async with asyncio.timeout(60):
            while telling.value("job_success"):
                await asyncio.sleep(0.01)
        assert telling.value("job_last_success_timestamp_seconds") == first
        assert telling.value("job_missed_total") >= 1
        assert telling.value("job_duration_seconds") >= 2.2
        async with asyncio.timeout(60):
            while not telling.value("job_success"):
                await asyncio.sleep(0.01)
        assert telling.value("job_last_success_timestamp_seconds") > first
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
