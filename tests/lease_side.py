"""Candidates for a Lease over HTTP: the exporter's client, the simulated API, each candidate with its own token."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from exporter.clock import SystemClock
from exporter.demo import KubernetesServer
from exporter.kubernetes.api import Api
from exporter.kubernetes.lease import Elector, Timing
from exporter.kubernetes.server import Server
from tests.kubernetes_side import Bearer
from tests.lease_model import KEY, NAME, NAMESPACE, Witness, Worker, overlaps

FAST = Timing(1.5, 1.0, 0.3)
NAMES = ("pod-a", "pod-b", "pod-c", "pod-d", "pod-e")


def simulated(**options: Any) -> KubernetesServer:
    """An API that knows the candidates by their names."""
    return KubernetesServer(tokens={name: name for name in NAMES}, **options)


def spec_of(server: KubernetesServer) -> dict[str, Any]:
    """Of the Lease as the API has it."""
    found = server.cluster.get("leases", KEY)
    return dict(found["spec"]) if found is not None else {}


class Standing:
    """
    A candidate; use it as an async context manager, leaving which is leaving politely.

    Args:
        name: one of `NAMES`.

        work: acts in short steps where None.
    """

    def __init__(
        self,
        url: str,
        name: str,
        witness: Witness,
        *,
        timing: Timing = FAST,
        work: Callable[[], Awaitable[None]] | None = None,
        grace: float = 5.0,
    ) -> None:
        clock = SystemClock()
        self.name = name
        self.api = Api(Server(url, Bearer(name), "the test"), user_agent="storage-exporter/0", clock=clock)
        self.elector = Elector(
            self.api,
            namespace=NAMESPACE,
            name=NAME,
            identity=name,
            timing=timing,
            clock=clock,
            told=witness,
            grace=grace,
        )
        self.worker = Worker(self.elector, step=0.02, pause=0.01)
        self.work = work or self.worker.work
        self.task: asyncio.Task[None] | None = None
        witness.electors.append(self.elector)

    async def __aenter__(self) -> Self:
        await self.api.__aenter__()
        self.task = asyncio.create_task(self.elector.run(self.work))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()
        await self.api.__aexit__(kind, error, trace)

    async def leave(self) -> None:
        """Go politely."""
        if self.task is not None:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task


@contextlib.asynccontextmanager
async def two(
    server: KubernetesServer, witness: Witness, timing: Timing = FAST
) -> AsyncIterator[tuple[Standing, Standing]]:
    """A leader and a follower that has seen the Lease."""
    async with Standing(server.url, "pod-a", witness, timing=timing) as leader:
        await until(leader.elector.valid, "the first leads")
        async with Standing(server.url, "pod-b", witness, timing=timing) as follower:
            await until(lambda: follower.elector.seen, "the second has seen the Lease")
            yield leader, follower


async def until(condition: Callable[[], bool], what: str) -> None:
    """Return when *condition* holds; a loaded machine is slow, not wrong."""
    try:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"it does not come to be that {what}") from None


def faultless(witness: Witness, *candidates: Standing) -> list[str]:
    """What was seen that must not be: two that lead, two that act."""
    return witness.doubles + overlaps([each.worker.acts for each in candidates])
