"""What the tests of the Reflector share: a kind of object to keep, and a Reflector that runs against a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from exporter.demo.kubernetes import TOKEN, KubernetesServer
from exporter.demo.kubernetes_store import Cluster
from exporter.kubernetes.api import Api
from exporter.kubernetes.kinds import Kind, Skipped
from exporter.kubernetes.reflector import Reflector
from exporter.kubernetes.server import Server
from tests.kubernetes_side import AGENT, PATIENCE, VOLUMES, Bearer, Handler, HurriedClock, answering, plain

CLAIMS = "/api/v1/persistentvolumeclaims"


class Kept(msgspec.Struct, frozen=True):
    """What is kept of a volume or claim here."""

    size: str


class _Spec(msgspec.Struct):
    size: str
    driver: str = "ours"


class _Volume(msgspec.Struct):
    spec: _Spec


def keep(raw: bytes) -> Kept:
    try:
        spec = msgspec.json.decode(raw, type=_Volume).spec
    except msgspec.DecodeError:
        raise Skipped("malformed") from None
    if spec.driver != "ours":
        raise Skipped("other_driver")
    if spec.size == "a mistake":
        raise ZeroDivisionError("of whoever wrote keep")
    return Kept(spec.size)


PV = Kind("persistentvolumes", VOLUMES, keep)
PVC = Kind("persistentvolumeclaims", CLAIMS, keep)


def volume(name: str, size: str = "1Gi", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"size": size, **more}}


@dataclass
class Side:
    """A reflector that runs, and what it runs against."""

    server: KubernetesServer
    reflector: Reflector
    clock: HurriedClock
    task: asyncio.Task[None]

    @property
    def cluster(self) -> Cluster:
        return self.server.cluster

    def sizes(self) -> dict[str, str]:
        return {key: record.size for key, record in self.reflector.objects.items() if isinstance(record, Kept)}

    def verbs(self) -> list[str]:
        return [call.verb for call in self.server.calls]


@asynccontextmanager
async def running(
    *objects: dict[str, Any],
    kind: Kind = PV,
    prepare: Callable[[KubernetesServer], object] = lambda server: None,
    seconds: float = 60.0,
    timeout: float = PATIENCE,  # noqa: ASYNC109
    bookmarks: float = 60.0,
) -> AsyncIterator[Side]:
    """A reflector of *kind* against a simulated cluster with *objects*; *prepare* may put that into trouble before."""
    clock = HurriedClock()
    async with KubernetesServer(bookmarks=bookmarks) as server:
        server.cluster.fill({kind.name: list(objects)})
        prepare(server)
        api = Api(Server(server.url, Bearer(TOKEN), "the test"), user_agent=AGENT, clock=clock, grace=0.2)
        async with api:
            reflector = Reflector(api, kind, clock, jitter=lambda: 0.5, seconds=seconds / 1.5, timeout=timeout)
            task = asyncio.create_task(reflector.run())
            try:
                yield Side(server, reflector, clock, task)
                assert not task.done(), "a reflector runs until it is cancelled"
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def listed(side: Side) -> None:
    async with asyncio.timeout(PATIENCE):
        await side.reflector.wait_listed()


@asynccontextmanager
async def reflecting(answer: Handler, kind: Kind = PV) -> AsyncIterator[Reflector]:
    """A reflector that runs against a server of one's own."""
    clock = HurriedClock()
    async with answering(answer) as url, Api(plain(url), user_agent=AGENT, clock=clock) as api:
        reflector = Reflector(api, kind, clock, jitter=lambda: 0.5)
        task = asyncio.create_task(reflector.run())
        try:
            yield reflector
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
