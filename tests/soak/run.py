"""One soak: the exporter in a process of its own, the simulated AWS in this one, and everything going wrong in turn."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from exporter.demo import KINDS, DemoServer, World, WorldClock, mission_worlds
from exporter.demo.faults import RESULTS
from exporter.demo.regions import EXTERNAL_ID, SECOND_REGION, SECOND_ROLE
from exporter.demo.tables import REGION
from tests.harness import parsed
from tests.soak.shown import Series, Trouble
from tests.soak.taken import Taken

OPTIONS: dict[str, dict[str, Any]] = {
    "hang": {"seconds": 30},
    "slow": {"seconds": 1.5},
    "small-pages": {"size": 300},
    "error": {"code": "InternalFailure", "message": "a demo fault", "status": 500},
    "messages": {"code": "Soak", "value": "a message"},
}
TROUBLED = ("node-loss", "cloudwatch-late", "volume-stalled", "volume-lifecycle", "attach-stuck", "valkey-failover")
"""Scenarios that are played on, one after the other; each a change of what exists or of what is published."""

CONFIG = """
web: {{listen: '127.0.0.1:0'}}
log: {{level: info}}
limits: {{deadline: {call}s, pass_deadline: {whole}s, describe_per_second: 200, get_metric_data_per_second: 100}}
scopes:
  - regions: [{first}, {second}]
  - {{regions: [{second}], roles: [{{arn: '{role}', external_id: {external}}}]}}
tags: [{tags}]
"""


@dataclass(frozen=True)
class Plan:
    """
    How long and how hard.

    Args:
        seconds: real ones, for all of it.

        speed: seconds of the world per real second; a pass is made every 60 of the world's.

        seed: of the world and of the mix.

        kinds: faults to put in, each once.

        settle: real seconds without faults at the end.
    """

    seconds: float
    speed: float
    seed: int
    kinds: tuple[str, ...] = tuple(KINDS)
    settle: float = 30.0

    @property
    def a_pass(self) -> float:
        """Real seconds between two passes."""
        return 60 / self.speed


@dataclass
class Told:
    """What was seen of a soak."""

    plan: Plan
    taken: Taken
    troubles: list[Trouble] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    scrapes: int = 0
    slowest: float = 0.0
    unhealthy: list[str] = field(default_factory=list)
    forgiven: list[tuple[float, float]] = field(default_factory=list)
    moved: set[str] = field(default_factory=set)
    reloads: int = 0
    changes: int = 0
    calls: int = 0
    page: Series = field(default_factory=dict)
    healthy: str = ""
    end: float = 0.0
    code: int | None = None
    log: list[str] = field(default_factory=list)
    world: World | None = None


_PATIENCE = 10
"""Passes for which a fault stays beyond its time where no metric shows it yet."""


class Soak:
    """
    A running soak.

    Args:
        plan: of it.

        folder: for the configuration.

        say: told of what is done, for people.
    """

    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._file = folder / "config.yaml"
        self._say = say
        self._random = random.Random(plan.seed)  # a mix that can be had again
        self._wall = time.time()
        # The world ends about now: sessions that AWS grants end in real time, and must not seem to be over.
        self._start = self._wall - plan.seconds * plan.speed
        self._worlds = mission_worlds(plan.seed, WorldClock(self._start, plan.speed))
        self._server = DemoServer(self._worlds[0], worlds=self._worlds[1:])
        self.told = Told(plan, Taken(self._worlds, slack=plan.speed), world=self._worlds[0])
        self._url = ""
        self._made: list[str] = []
        self._held = self._attached()

    @property
    def _now(self) -> float:
        return self._worlds[0].now()

    async def run(self) -> Told:
        """All of it."""
        self._configure("team")
        async with self._server, aiohttp.ClientSession() as self._client, self._exporter() as process:
            sampling = asyncio.create_task(self._sample(process.pid))
            try:
                await self._warm_up()
                await self._trouble()
                await self._settle()
            finally:
                sampling.cancel()
                await asyncio.gather(sampling, return_exceptions=True)
        return self.told

    # ---- the exporter ----------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _exporter(self) -> AsyncIterator[asyncio.subprocess.Process]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environ |= {**self._server.environment(), "AWS_CONFIG_FILE": os.devnull}
        environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
        arguments = (str(self._file), repr(self._wall), repr(self._start), repr(self._plan.speed))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.soak.program", *arguments),
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=2**20,
        )
        reading = asyncio.create_task(self._read(process.stderr))
        try:
            assert process.stdout
            self._url = f"http://127.0.0.1:{int(await process.stdout.readline())}"
            self._process = process
            yield process
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                self.told.code = await asyncio.wait_for(process.wait(), 20)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await reading

    async def _read(self, stream: asyncio.StreamReader | None) -> None:
        assert stream
        while line := await stream.readline():
            self.told.log.append(line.decode("utf-8", "replace").rstrip())

    def _configure(self, *tags: str, more: str = "") -> None:
        whole = max(4, int(self._plan.a_pass))
        text = CONFIG.format(
            call=whole // 2,
            whole=whole,
            first=REGION,
            second=SECOND_REGION,
            role=SECOND_ROLE,
            external=EXTERNAL_ID,
            tags=", ".join(tags),
        )
        self._file.write_text(text + more)

    # ---- looking ---------------------------------------------------------------------------------------------------

    async def _get(self, path: str) -> tuple[int, str]:
        timeout = aiohttp.ClientTimeout(total=10)
        async with self._client.get(self._url + path, timeout=timeout) as answer:
            return answer.status, await answer.text()

    async def _scrape(self) -> Series:
        begun = time.monotonic()
        _, text = await self._get("/metrics")
        self.told.slowest = max(self.told.slowest, time.monotonic() - begun)
        self.told.scrapes += 1
        return parsed(text)

    async def _sample(self, pid: int) -> None:
        """Once a second: memory, health, and a scrape for whoever has a trouble under way."""
        while True:
            await asyncio.sleep(1.0)
            self.told.memory.append((time.monotonic(), _resident(pid)))
            status, text = await self._get("/-/healthy")
            if status != 200:
                self.told.unhealthy.append(text.strip())
            self._drain()

    def _drain(self) -> None:
        calls = self._server.calls
        self._server.clear_calls()  # nothing comes between: both are on this loop
        self.told.calls += len(calls)
        self.told.taken.note(calls)
        now = self._attached()
        self.told.moved |= {name for name, held in self._held.items() if now.get(name) != held}
        self._held = {**now, **self._held}

    def _attached(self) -> dict[str, tuple[str, ...]]:
        """Each volume and where it is attached."""
        at = self._now
        world = self._worlds[0]
        return {item.volume_id: tuple(one.instance_id for one in item.held(at)) for item in world.volumes(at)}

    # ---- what happens ----------------------------------------------------------------------------------------------

    async def _warm_up(self) -> None:
        async with asyncio.timeout(60):
            while (await self._get("/-/ready"))[0] != 200:
                await asyncio.sleep(0.2)
        await asyncio.sleep(2 * self._plan.a_pass)
        self._say(
            f"ready after {time.time() - self._wall:.0f} s; {len(self._plan.kinds)} kinds of faults, as far as they fit"
        )

    async def _trouble(self) -> None:
        """Two faults at one time, one of CloudWatch and one of a describing API, and something else beside them."""
        results = [kind for kind in self._plan.kinds if kind in RESULTS]
        others = [kind for kind in self._plan.kinds if kind not in RESULTS]
        self._random.shuffle(results)
        self._random.shuffle(others)
        pairs: list[list[tuple[str, str]]] = []
        while results or others:
            pair = [(results.pop(), "cloudwatch")] if results else [(others.pop(), "cloudwatch")]
            if others:
                pair.append((others.pop(), self._random.choice(["ec2", "ec2", "efs", "elasticache"])))
            pairs.append(pair)
        self._random.shuffle(pairs)
        left = self._plan.seconds - self._plan.settle - (time.time() - self._wall)
        fit = max(1, int(left / (2.2 * self._plan.a_pass)))  # a fault has to last for a pass to be seen
        del pairs[fit:]
        each = left / len(pairs)
        for number, pair in enumerate(pairs):
            await self._one(pair, each, number)

    async def _one(self, pair: Sequence[tuple[str, str]], seconds: float, number: int) -> None:
        """
        The faults of *pair* for the most of *seconds*, then a pass without them. They stay for longer where no call
        has met them yet, for the machine may be busy.
        """
        troubles = [Trouble(kind, service) for kind, service in pair]
        self._say(f"  {self._now - self._start:6.0f} s  " + ", ".join(f"{kind} at {name}" for kind, name in pair))
        first, began, until = await self._scrape(), self._now, time.monotonic() + seconds
        await self._control("POST", [self._rule(trouble) for trouble in troubles])
        scrapes = [first]
        await self._beside(number)
        for trouble in troubles:
            trouble.scrapes = scrapes
        late = until + _PATIENCE * self._plan.a_pass
        while (now := time.monotonic()) < until - 1.2 * self._plan.a_pass or (now < late and not _seen(troubles)):
            await asyncio.sleep(min(1.0, self._plan.a_pass / 3))
            scrapes.append(await self._scrape())
            for trouble, rule in zip(troubles, await self._control("GET"), strict=True):
                trouble.hit = rule["hit"]
        rules = await self._control("GET")
        await self._control("DELETE")
        until = max(until, time.monotonic() + 1.2 * self._plan.a_pass)
        while time.monotonic() < until:
            await asyncio.sleep(0.5)
        scrapes.append(await self._scrape())
        for trouble, rule in zip(troubles, rules, strict=True):
            trouble.hit = rule["hit"]
            if trouble.kind == "empty" and trouble.service != "cloudwatch":
                # Known again by the next full discovery; its first window then looks back five minutes or more.
                self.told.forgiven.append((began - 900, self._now + 900))
        self.told.troubles += troubles

    @staticmethod
    def _rule(trouble: Trouble) -> dict[str, Any]:
        match = {"service": trouble.service, "operation": None}
        return {"match": match, "kind": trouble.kind, "options": OPTIONS.get(trouble.kind, {})}

    async def _control(self, method: str, body: Any = None) -> list[dict[str, Any]]:
        async with self._client.request(method, f"{self._server.url}/_demo/faults", json=body) as answer:
            assert answer.status == 200, await answer.text()
            found: list[dict[str, Any]] = await answer.json()
            return found

    async def _beside(self, number: int) -> None:
        """A reload, another scenario, or a volume that comes, moves or goes."""
        world = self._worlds[0]
        self._drain()  # what was seen is judged by the world as it was
        if number % 3 == 0:
            bad = number % 2 == 1
            self._configure(*(("team", "rpo") if number % 4 else ("team",)), more="servces: {}\n" if bad else "")
            self._process.send_signal(signal.SIGHUP)
            self.told.reloads += 1
        elif number % 3 == 1:
            name = TROUBLED[number // 3 % len(TROUBLED)]
            world.scenario(name if world.active[0] == "quiet" else "quiet")
            self.told.changes += 1
        else:
            name = f"soak-{number}"
            world.add_volume(name, instance="node-b1")
            self._made.append(name)
            if len(self._made) > 1:
                world.detach(self._made[-2])
                world.attach(self._made[-2], "node-c1", self._now + 60)
            if len(self._made) > 2:
                world.delete_volume(self._made[-3])
            self.told.changes += 1

    async def _settle(self) -> None:
        self._drain()
        self._worlds[0].scenario("quiet")
        self._configure("team")
        self._process.send_signal(signal.SIGHUP)
        self._say(f"  {self._now - self._start:6.0f} s  no more faults; {self._plan.settle:g} s to settle")
        await asyncio.sleep(self._plan.settle)
        self.told.page = await self._scrape()
        self.told.healthy = (await self._get("/-/healthy"))[1].strip()
        self.told.end = self._now
        self._drain()


def _seen(troubles: Sequence[Trouble]) -> bool:
    return all(trouble.hit and trouble.evidence() for trouble in troubles)


def _resident(pid: int) -> int:
    """KiB of a process that are in memory (Linux)."""
    return next(
        int(line.split()[1])
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    )


def memory_growth(samples: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """Medians, in KiB, of the first and the last third of *samples* (seconds, KiB) after their first quarter."""
    warm = [value for _, value in samples[len(samples) // 4 :]]
    third = max(1, len(warm) // 3)
    return statistics.median(warm[:third]), statistics.median(warm[-third:])
