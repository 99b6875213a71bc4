"""
Candidates for one Lease in virtual time, over a network that delays and loses, with clocks that differ.

The Lease is kept and checked by the simulated API's own store, without its HTTP: what is tried here is who may lead.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from exporter.demo import Cluster
from exporter.demo.kubernetes_kinds import RESOURCES
from exporter.demo.kubernetes_leases import admitted
from exporter.demo.kubernetes_status import ApiError
from exporter.demo.kubernetes_wire import single
from exporter.kubernetes.lease import Elector, Timing

KIND = RESOURCES["leases"]
NAMESPACE, NAME = "monitoring", "storage-exporter"
KEY = f"{NAMESPACE}/{NAME}"
WORDS = {404: "not_found", 409: "conflict"}


class RefusedError(Exception):
    """An answer of the API that is no success."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.code = WORDS.get(status, "failed")


@dataclass
class SkewedClock:
    """Clocks: when the monotonic one began, how fast it runs, and how wrong the wall clock is (or jumps)."""

    offset: float = 0.0
    rate: float = 1.0
    wrong: float = 0.0
    jumps: bool = False

    def monotonic(self) -> float:
        return self.offset + self.rate * asyncio.get_running_loop().time()

    def time(self) -> float:
        at = asyncio.get_running_loop().time()
        return 1_800_000_000.0 + self.wrong + at + (1e12 * (int(at) % 3 - 1) if self.jumps else 0)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self.rate)


class StoppedClock(SkewedClock):
    """Of a process that was stopped meanwhile: time has passed, and no timer has rung yet."""

    lost = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.lost


@dataclass(frozen=True)
class Weather:
    """What a network does to a message: the longest delay each way, the share lost each way, of errors, of garbage."""

    delay: float = 0.0
    lost: float = 0.0
    errors: float = 0.0
    garbage: float = 0.0


FAIR = Weather()


class Network:
    """A candidate's way to the API (a `LeaseApi`): the client that heeds no timeout of its own."""

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        self.cluster = cluster
        self.chance = chance
        self.weather = FAIR
        self.cut = False
        self.asked = 0

    async def get(self, path: str, *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
        return await self._through(lambda: self._get(path.rpartition("/")[2]))

    async def create(self, path: str, body: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
        sent = orjson.dumps(body)
        return await self._through(lambda: self.cluster.create(KIND, admitted(KIND, sent, NAMESPACE)))

    async def replace(self, path: str, body: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
        sent, name = orjson.dumps(body), path.rpartition("/")[2]
        return await self._through(lambda: self.cluster.update(KIND, admitted(KIND, sent, NAMESPACE, name))[0])

    def _get(self, name: str) -> Any:
        found = self.cluster.get(KIND.name, f"{NAMESPACE}/{name}")
        if found is None:
            raise RefusedError(404, "no such Lease")
        return found

    async def _through(self, act: Callable[[], Any]) -> dict[str, Any]:
        """The request arrives later than its sender may wait for, or its answer does; what arrives is done."""
        self.asked += 1
        weather, chance = self.weather, self.chance
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        there, back = (chance.uniform(0, weather.delay) for _ in range(2))
        fate = chance.random()
        if not (self.cut or chance.random() < weather.lost):
            asyncio.get_running_loop().call_later(there, self._arrive, act, answer, back, fate)
        return cast("dict[str, Any]", await answer)

    def _arrive(self, act: Callable[[], Any], answer: asyncio.Future[Any], back: float, fate: float) -> None:
        weather = self.weather
        result: Any
        if fate < weather.errors / 2:
            result = RefusedError(500, "an internal error")  # before anything was done
        else:
            try:
                result = orjson.loads(orjson.dumps(single(KIND, act())))
            except ApiError as error:
                result = RefusedError(error.code, error.message)
            except RefusedError as error:
                result = error
            if fate < weather.errors:
                result = ConnectionResetError("after it was done")
            elif fate < weather.errors + weather.garbage:
                result = self.chance.choice(
                    [None, [], "<html>", {"kind": "Status"}, {"metadata": {}}, {"kind": "Lease"}]
                )
        if self.cut or self.chance.random() < weather.lost:
            return
        asyncio.get_running_loop().call_later(back, _settle, answer, result)


def _settle(answer: asyncio.Future[Any], result: Any) -> None:
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)


@dataclass
class Witness:
    """Told by every elector; notes whenever two of them lead. That can begin only when one of them wrote the Lease."""

    electors: list[Elector] = field(default_factory=list)
    doubles: list[str] = field(default_factory=list)
    terms: int = 0
    renewals: int = 0
    renewed_at: float = 0.0
    failures: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        leading = [each for each in self.electors if each.valid()]
        if len(leading) > 1:
            self.doubles.append(f"{len(leading)} lead at {asyncio.get_running_loop().time():.3f}")

    def leader(self, leads: bool) -> None:
        self.look()

    def transition(self) -> None:
        self.terms += 1

    def renewed(self, seconds: float) -> None:
        self.renewals += 1
        self.renewed_at = asyncio.get_running_loop().time() - seconds
        self.look()

    def failed(self, code: str) -> None:
        self.failures[code] = self.failures.get(code, 0) + 1


@dataclass
class Worker:
    """The protected work: acts in short steps while it is the leader's turn. `acts` are (begun, ended) by the loop."""

    elector: Elector
    acts: list[tuple[float, float]] = field(default_factory=list)
    running: bool = False
    ends_after: float | None = None
    step: float = 0.2
    pause: float = 0.3

    async def work(self) -> None:
        loop = asyncio.get_running_loop()
        begun, self.running = loop.time(), True
        try:
            while self.ends_after is None or loop.time() < begun + self.ends_after:
                if self.elector.valid():
                    at = loop.time()
                    try:
                        await asyncio.sleep(self.step)
                    finally:
                        self.acts.append((at, loop.time()))
                await asyncio.sleep(self.pause)
            raise RuntimeError("the work failed")
        finally:
            self.running = False


def overlaps(acts: Sequence[Sequence[tuple[float, float]]]) -> list[str]:
    """Acts (begun, ended) of two candidates at one time; *acts* are each candidate's."""
    found, latest = [], (-math.inf, -1)
    for begun, ended, number in sorted((*act, number) for number, each in enumerate(acts) for act in each):
        if number != latest[1] and begun < latest[0]:
            found.append(f"{number} at {begun:.3f}, while {latest[1]} acts until {latest[0]:.3f}")
        latest = max(latest, (ended, number))
    return found


class Model:
    """One Lease, its API and its candidates."""

    def __init__(self, seed: int = 0, cluster: Cluster | None = None) -> None:
        self.cluster = cluster if cluster is not None else Cluster(now=lambda: 1_800_000_000.0)
        self.chance = random.Random(seed)
        self.witness = Witness()
        self.networks: list[Network] = []
        self.workers: list[Worker] = []
        self.tasks: list[asyncio.Task[None]] = []

    def add(
        self,
        identity: str = "",
        *,
        timing: Timing | None = None,
        clock: SkewedClock | None = None,
        grace: float = 5.0,
        network: Network | None = None,
        work: Callable[[], Awaitable[None]] | None = None,
    ) -> int:
        """Let another candidate stand; its number."""
        network = network or Network(self.cluster, self.chance)
        elector = Elector(
            network,
            namespace=NAMESPACE,
            name=NAME,
            identity=identity or f"pod-{len(self.workers)}",
            timing=timing or Timing(),
            clock=clock or SkewedClock(),
            told=self.witness,
            jitter=self.chance.random,
            grace=grace,
        )
        worker = Worker(elector)
        self.networks.append(network)
        self.witness.electors.append(elector)
        self.workers.append(worker)
        self.tasks.append(asyncio.create_task(elector.run(work or worker.work)))
        return len(self.workers) - 1

    @property
    def leaders(self) -> list[int]:
        """Who leads now."""
        return [number for number, each in enumerate(self.witness.electors) if each.valid()]

    @property
    def spec(self) -> dict[str, Any]:
        """Of the Lease as the API has it."""
        found = self.cluster.get(KIND.name, KEY)
        return dict(found["spec"]) if found is not None else {}

    def overlaps(self) -> list[str]:
        """Acts of two candidates at one time."""
        return overlaps([worker.acts for worker in self.workers])

    async def leave(self, number: int) -> None:
        """Ask one to go, and wait until it has."""
        self.tasks[number].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.tasks[number]

    async def close(self) -> None:
        """Ask all to go."""
        for number in range(len(self.tasks)):
            await self.leave(number)
