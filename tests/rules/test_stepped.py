"""The clock that is moved minute by minute, the hurried rule files, the stories' table, and what neighbours show."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml

from exporter.demo import SCENARIOS, World, WorldClock
from exporter.engine import PASS_EVERY
from exporter.scheduler import next_turn, phase
from tests.harness import T
from tests.rules.alertmanager import shipped
from tests.rules.hurried import hurried
from tests.rules.neighbours import kubelet, state_metrics
from tests.rules.scene import SHIPPED
from tests.rules.stepped import SteppedClock
from tests.rules.stories import GROUP_WAIT, STORIES

JOB = "ebs/somewhere"


async def _job(clock: SteppedClock, ran: list[float]) -> None:
    """As the scheduler: work, then wait for the next turn."""
    while True:
        started = clock.time()
        await asyncio.sleep(0.001)
        ran.append(clock.time())
        turn = next_turn(started, PASS_EVERY, phase(JOB, PASS_EVERY))
        await clock.sleep(turn - clock.time())


async def test_jobs_run_at_their_turns_and_time_waits_for_them() -> None:
    """Once at the start, then at each turn of their grid; a leap makes one pass, however long it is."""
    clock, ran = SteppedClock(T), list[float]()
    task = asyncio.create_task(_job(clock, ran), name=JOB)
    await clock.move(T + 180, lambda: [JOB])
    first = next_turn(T, PASS_EVERY, phase(JOB, PASS_EVERY))
    assert ran == pytest.approx([T, first, first + 60, first + 120], abs=0.01)
    await clock.leap(T + 4000, lambda: [JOB])
    assert ran[4:] == [T + 4000]
    assert clock.time() == T + 4000
    task.cancel()


async def test_others_wait_for_either_time() -> None:
    """A pause ends when it is over by this clock, or in real time as fast as that is hurried; a pace too."""
    clock = SteppedClock(T, hurry=1000.0)
    await asyncio.wait_for(clock.sleep(5.0), 20)
    slow = SteppedClock(T)
    waiting = asyncio.create_task(slow.sleep(3600.0))
    await asyncio.sleep(0)
    before = slow.monotonic()
    await slow.move(T + 3600, list)
    await asyncio.wait_for(waiting, 20)
    assert slow.monotonic() - before >= 3600
    slow.hasten(50.0)
    assert 3600 <= slow.monotonic() - before < 3600 + 60


async def test_a_turn_that_is_about_to_come_is_one_turn() -> None:
    """A job that begins a hair before its turn runs at it once, not again and again in the same moment."""
    turn = next_turn(T, PASS_EVERY, phase(JOB, PASS_EVERY))
    clock, ran = SteppedClock(turn - 5e-4), list[float]()
    task = asyncio.create_task(_job(clock, ran), name=JOB)
    await clock.move(turn + 70, lambda: [JOB])
    assert ran == pytest.approx([turn, turn, turn + 60], abs=0.01)
    task.cancel()


async def test_a_job_that_ends_leaves_nobody_waiting() -> None:
    """One takes the place of another of the same name, as in a rollout, and has its turns."""
    clock, ran = SteppedClock(T), list[float]()
    first = asyncio.create_task(_job(clock, []), name=JOB)
    await clock.rest(lambda: [JOB])
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.create_task(_job(clock, ran), name=JOB)
    await asyncio.wait_for(clock.move(T + 130, lambda: [JOB]), 20)
    assert len(ran) == 3
    second.cancel()


def test_hurried_rules_differ_in_their_times_only() -> None:
    """Intervals and waits are short; expressions, labels and texts are those that are shipped."""
    for file in SHIPPED.glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        given, made = yaml.safe_load(text), yaml.safe_load(hurried(text, 10))
        for before, after in zip(given["groups"], made["groups"], strict=True):
            assert after["interval"] == "2s"
            for one, other in zip(before["rules"], after["rules"], strict=True):
                times = {"for", "keep_firing_for"}
                assert {k: v for k, v in one.items() if k not in times} == {
                    k: v for k, v in other.items() if k not in times
                }
                if one.get("for") == "2m":
                    assert other["for"] == "12000ms"


def test_every_story_is_of_a_scenario_and_of_an_alert_that_is_shipped() -> None:
    """Scenarios, alerts with their severities, receivers and what Alertmanager waits are those there are."""
    alerts = {
        rule["alert"]: rule["labels"]["severity"]
        for file in SHIPPED.glob("*.yaml")
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    config = shipped()
    receivers = {each["name"] for each in config["receivers"]}
    for story in STORIES.values():
        assert story.scenario in SCENARIOS
        assert story.receiver in receivers
        assert alerts[story.alert] == ("critical" if story.receiver.endswith("page") else "warning")
        assert all(alerts[name] == "critical" for name in story.also)
        assert all(Path(SHIPPED, f"{name}.yaml").exists() for name in story.files)
    assert config["route"]["routes"][0]["group_wait"] == f"{60 * GROUP_WAIT:.0f}s"


def test_neighbours_show_nodes_and_claims() -> None:
    """Nodes are ready until their instance is silent, and go with it; kubelets tell of the claims of their pods."""
    world = World(1, WorldClock(T))
    ready = 'condition="Ready",status="true"} 1'
    assert state_metrics(world, T).count(ready) == len(world.instances())
    assert 'persistentvolumeclaim="data-postgres-0"' in kubelet(world, T)
    world.scenario("zone-loss", T)
    assert state_metrics(world, T + 60).count(ready) == len(world.instances()) - 3
    assert state_metrics(world, T + 600).count("\n") == 3 * (len(world.instances()) - 3)
    assert 'persistentvolumeclaim="data-postgres-0"' not in kubelet(world, T + 60)
    assert 'persistentvolumeclaim="data-postgres-1"' in kubelet(world, T + 60)
