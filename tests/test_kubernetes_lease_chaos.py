"""
Everything at once, and processes that are stopped or killed: never two leaders.

LEASE_CHAOS_SECONDS makes the chaos last longer than in the suite, LEASE_CHAOS_SEED another one; what was seen is shown
by ``--log-cli-level=info``.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.demo import KubernetesServer, run_kubernetes_in_thread
from tests.lease_model import KEY, Witness, Worker, overlaps
from tests.lease_side import NAMES, Standing, faultless, simulated, spec_of, until

SECONDS = float(os.environ.get("LEASE_CHAOS_SECONDS", "20"))
SEED = int(os.environ.get("LEASE_CHAOS_SEED", "1"))

TROUBLES: list[tuple[str, tuple[float, float], dict[str, Any]]] = [
    *[("hang", (0.5, 2.0), {})] * 4,  # a partition: requests go nowhere
    *[("hang", (0.5, 2.0), {"applied": True})] * 2,  # a partition one way: they are done, and nobody hears of it
    *[("slow", (0.5, 1.5), {"seconds": seconds}) for seconds in (0.05, 0.2, 0.45, 0.6)],
    ("reset", (0.2, 1.5), {}),
    ("reset", (0.2, 1.5), {"applied": True}),
    ("down", (0.2, 1.5), {}),
    ("html-502", (0.2, 1.5), {}),
    ("error-500", (0.2, 1.5), {"applied": True}),
    ("malformed", (0.2, 1.0), {}),
    ("cut", (0.2, 1.0), {}),
]


class Chaos:
    """Three candidates, one API, and trouble without end."""

    def __init__(self, server: KubernetesServer, seed: int) -> None:
        self.server = server
        self.chance = random.Random(seed)
        self.witness = Witness()
        self.standing: dict[str, Standing] = {}
        self.all: list[Standing] = []
        self.leaders: Counter[int] = Counter()
        self.hit: Counter[str] = Counter()

    async def join(self, name: str) -> None:
        self.standing[name] = Standing(self.server.url, name, self.witness)
        self.all.append(self.standing[name])
        await self.standing[name].__aenter__()

    async def leave(self, name: str) -> None:
        await self.standing.pop(name).__aexit__(None, None, None)

    async def sample(self) -> None:
        while True:
            self.leaders[sum(each.elector.valid() for each in self.all)] += 1
            await asyncio.sleep(0.002)

    async def trouble(self) -> None:
        """One thing after another for one of the candidates, sometimes for all; several may overlap."""
        chance = self.chance
        async with asyncio.TaskGroup() as under_way:
            while True:
                name = chance.choice(NAMES[:3])
                what = chance.random()
                if what < 0.8:
                    under_way.create_task(self.weather(name if what < 0.72 else None))
                elif what < 0.88:
                    with contextlib.suppress(KeyError):  # nobody has made it yet
                        note = {"metadata": {"annotations": {"note": str(what)}}}
                        self.server.cluster.patch("leases", KEY, note)
                elif what < 0.93:
                    under_way.create_task(self.fail(self.standing[name].worker))
                else:
                    await self.leave(name)
                    await self.join(name)
                await asyncio.sleep(chance.uniform(0.05, 0.5))

    async def fail(self, worker: Worker) -> None:
        """What it does now soon ends by itself."""
        worker.ends_after = 0.0
        await asyncio.sleep(0.3)
        worker.ends_after = None

    async def weather(self, user: str | None) -> None:
        kind, lasting, options = self.chance.choice(TROUBLES)
        rule = self.server.faults.add(kind, user=user, **options)
        await asyncio.sleep(self.chance.uniform(*lasting))
        self.server.faults.remove(rule)
        self.hit[kind] += rule.hit


async def test_chaos_never_makes_two_leaders() -> None:
    """
    Three candidates, partitions, delays, lost answers, 502s, restarts, failing work: in no sample two of them lead, no
    two act at one time, and nothing of it keeps one from leading when it is over.
    """
    async with simulated() as server:
        chaos = Chaos(server, SEED)
        for name in NAMES[:3]:
            await chaos.join(name)
        tasks = [asyncio.create_task(chaos.sample()), asyncio.create_task(chaos.trouble())]
        try:
            done, _ = await asyncio.wait(tasks, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
            assert [task.exception() for task in done] == []
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            server.faults.clear()
            for each in chaos.standing.values():
                each.worker.ends_after = None
            await until(lambda: sum(each.elector.valid() for each in chaos.all) == 1, "one leads when it is over")
            await until(
                lambda: [each for each in chaos.all if each.worker.running and not each.elector.valid()] == [],
                "only the leader works",
            )
        finally:
            for name in list(chaos.standing):
                await chaos.leave(name)
    seen = sum(chaos.leaders.values())
    shares = {count: round(100 * times / seen, 1) for count, times in sorted(chaos.leaders.items())}
    told = f"seed {SEED}: {shares} % of {seen} samples, {chaos.witness.terms} terms, {dict(chaos.hit)}"
    logging.getLogger(__name__).info(told)
    assert faultless(chaos.witness, *chaos.all) == [], told
    assert set(chaos.leaders) <= {0, 1}, told
    assert chaos.leaders[1] > 0, told
    assert chaos.witness.terms > 2, told
    assert sum(len(each.worker.acts) for each in chaos.all) > 50, told
    assert spec_of(server)["holderIdentity"] == "", told


class Process:
    """A candidate in a process of its own."""

    def __init__(self, server: KubernetesServer, name: str, folder: Path) -> None:
        self.file = folder / name
        self.file.touch()
        command = [sys.executable, "-m", "tests.lease_candidate", server.url, name, str(self.file)]
        self.process = subprocess.Popen(command)

    def acts(self, what: str = "led") -> list[float]:
        """Instants of whole lines."""
        whole = self.file.read_text().rpartition("\n")[0]
        return [float(line.split()[1]) for line in whole.splitlines() if line.startswith(what)]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def more(self, count: int = 10) -> None:
        """Return when it has acted *count* times more."""
        before = len(self.acts())
        await until(lambda: len(self.acts()) >= before + count, f"{self.file.name} acts")


@pytest.fixture
def server() -> Iterator[KubernetesServer]:
    """An API on a thread of its own."""
    with run_kubernetes_in_thread(tokens={name: name for name in NAMES}) as running:
        yield running


@pytest.fixture
def started(server: KubernetesServer, tmp_path: Path) -> Iterator[dict[str, Process]]:
    """Two candidates, the first of which leads; ended in any case."""
    processes: dict[str, Process] = {}
    try:
        for name in NAMES[:2]:
            processes[name] = Process(server, name, tmp_path)
        yield processes
    finally:
        for each in processes.values():
            each.process.kill()
            each.process.wait(30)


def changes(*candidates: Process) -> list[str]:
    """Who acted, one after the other: a name for each time that another one began."""
    acts = sorted((at, each.file.name) for each in candidates for at in each.acts())
    return [name for name, _ in itertools.groupby(acts, key=lambda act: act[1])]


async def roles(started: dict[str, Process]) -> tuple[Process, Process]:
    """The leader and the follower, once one of them leads."""
    first, second = started.values()
    await until(lambda: bool(first.acts() or second.acts()), "one leads")
    leader, follower = (first, second) if first.acts() else (second, first)
    await leader.more()
    return leader, follower


async def test_a_leader_that_was_stopped_does_not_act_when_it_goes_on(
    started: dict[str, Process], server: KubernetesServer
) -> None:
    """SIGSTOP, another takes over, SIGCONT: the first finds its fence fallen before it does anything, and follows."""
    leader, follower = await roles(started)
    await until(lambda: any(call.user == follower.file.name for call in server.calls), "the follower looks")
    leader.send(signal.SIGSTOP)
    try:
        await follower.more()
        assert spec_of(server)["holderIdentity"] == follower.file.name
        before = leader.acts()
    finally:
        leader.send(signal.SIGCONT)
    asked = sum(call.user == leader.file.name for call in server.calls)
    await until(lambda: sum(call.user == leader.file.name for call in server.calls) > asked + 3, "it goes on looking")
    await follower.more()
    assert leader.process.poll() is None
    # One act may have been allowed just before the stop, and is written after it: by its own instant, before.
    assert len(leader.acts()) <= len(before) + 1
    assert changes(leader, follower) == [leader.file.name, follower.file.name]
    follower.send(signal.SIGTERM)
    await leader.more()
    assert follower.process.wait(30) == 0
    assert changes(leader, follower) == [leader.file.name, follower.file.name, leader.file.name]
    assert overlaps([[(at, at) for at in each.acts()] for each in (leader, follower)]) == []


async def test_a_leader_that_is_killed_is_followed(started: dict[str, Process], server: KubernetesServer) -> None:
    """Kill -9 releases nothing: another leads when the Lease has run out. The name comes back, and follows."""
    leader, follower = await roles(started)
    await until(lambda: any(call.user == follower.file.name for call in server.calls), "the follower looks")
    leader.send(signal.SIGKILL)
    leader.process.wait(30)
    assert spec_of(server)["holderIdentity"] == leader.file.name
    await follower.more()
    assert changes(leader, follower) == [leader.file.name, follower.file.name]
    assert min(follower.acts()) - max(leader.acts()) > 0.5, "a duration less a deadline lies between, or more"
    assert spec_of(server)["leaseTransitions"] == 1
