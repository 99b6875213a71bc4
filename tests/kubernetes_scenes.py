"""What the exporter shows of the demo's cluster and account in one trouble after another, each at its own instant.

The program runs as it does in a cluster: it finds the API by its configuration, takes the Lease and reads both sides.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from exporter.app import App
from exporter.clock import FixedClock
from exporter.demo import DemoServer, KubernetesServer, World, WorldClock
from exporter.demo.kubernetes_objects import cluster_of
from tests.calls import remember
from tests.harness import T, config_of

APART = 1200
"""Seconds between two scenes: more than any expression looks back."""

PATIENCE = 60.0
NAMESPACE = "monitoring"
_KNOWN = re.compile(r"^storage_exporter_kubernetes_kind_known\{.*\} 1\.0$", re.MULTILINE)
_PASSED = re.compile(r"^storage_exporter_job_success\{.*\} 1\.0$", re.MULTILINE)
_SERIES = re.compile(r"^(?:aws|kubernetes)_", re.MULTILINE)

EVERYTHING = tuple(
    f"\nkubernetes_{about}_info{{"
    for about in (
        "persistentvolume",
        "persistentvolumeclaim",
        "storageclass",
        "volumeattachment",
        "csinode_driver",
        "csidriver",
        "pod_persistentvolumeclaim",
    )
)
"""A family of each kind, as a page has it."""

Arrange = Callable[[KubernetesServer, World], None]


def _as_it_is(_api: KubernetesServer, _world: World) -> None:
    """Nothing."""


@dataclass(frozen=True)
class Plot:
    """
    What a scene is made of.

    Args:
        name: of it.

        scenario: of the demo.

        since: seconds ago at which that began.

        arrange: changes the cluster or its permissions.

        replicas: names of the pods; the first of them leads.

        leads: whether any does.

        known: how many kinds of Kubernetes are.

        config: sections beside the usual ones.

        shows: what is on the page of the first in the end.
    """

    name: str
    scenario: str = "quiet"
    since: float = 600
    arrange: Arrange = _as_it_is
    replicas: tuple[str, ...] = ("storage-exporter-0",)
    leads: bool = True
    known: int = 7
    config: Mapping[str, Any] | None = None
    shows: tuple[str, ...] = EVERYTHING


@dataclass(frozen=True)
class Scene:
    """What was shown at the instant `at`: the page of each replica by pod, and who asked Kubernetes for what."""

    plot: Plot
    at: float
    pages: Mapping[str, str]
    asked: frozenset[tuple[str, str]]


async def play(plots: Sequence[Plot], folder: Path, setenv: Callable[[str, str], None]) -> list[Scene]:
    """
    Every scene, one after the other.

    Args:
        plots: of them.

        folder: for files.

        setenv: sets a variable of the environment.
    """
    world = World(1, WorldClock(at=T))
    scenes = []
    async with DemoServer(world) as aws:
        for name, value in aws.environment().items():
            setenv(name, value)
        for number, plot in enumerate(plots):
            scenes.append(await _scene(plot, T + number * APART, world, folder))
        remember(aws.calls)
    return scenes


async def _scene(plot: Plot, at: float, world: World, folder: Path) -> Scene:
    clock = world.now
    assert isinstance(clock, WorldClock)
    clock.set(at, 0)
    world.scenario(plot.scenario, at - plot.since)
    token = folder / "token"
    async with KubernetesServer(cluster_of(world), tick=PATIENCE) as api:
        api.cluster.refresh()
        plot.arrange(api, world)
        await asyncio.to_thread(token.write_text, api.token, encoding="ascii")
        pages = {}
        async with contextlib.AsyncExitStack() as stack:
            for pod in plot.replicas:  # the first has the Lease before there is another
                url, whole = await stack.enter_async_context(_running(pod, plot, at, api.url, token))
                pages[pod] = await _page(url, whole, plot, first=pod == plot.replicas[0])
        return Scene(plot, at, pages, frozenset((call.kind, call.verb) for call in api.calls))


@contextlib.asynccontextmanager
async def _running(
    pod: str, plot: Plot, at: float, api: str, token: Path
) -> AsyncIterator[tuple[str, Callable[[str], bool]]]:
    """The program as *pod*; its url, and whether a page holds everything it has read."""
    config = config_of(
        web={"listen": "127.0.0.1:0"},
        log={"level": "error"},
        limits={"get_metric_data_per_second": 1000, "deadline": "20s"},
        services={
            "ebs": {"tiers": ["essential"], "rows": {"VolumeAvgReadLatency": {"enabled": True}}},
            "efs": {"tiers": ["essential"]},
            **{name: {"enabled": False} for name in ("s3", "elasticache", "protection")},
        },
        kubernetes={
            "url": api,
            "token_file": str(token),
            "pods": True,
            "csi_drivers": True,
            "leader_election": True,
            "lease": {"namespace": NAMESPACE},
        },
        **(plot.config or {}),
    )
    environ = {**os.environ, "POD_NAME": pod, "POD_UID": f"uid-of-{pod}"}
    app = App(config, read=lambda: config, source="the test", environ=environ, clock=FixedClock(at))
    address: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(app.run(lambda host, port: address.set_result((host, port))))
    try:
        either: set[asyncio.Future[Any]] = {task, address}
        await asyncio.wait(either, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        assert not task.done(), task.exception()
        host, port = address.result()
        yield f"http://{host}:{port}", lambda page: len(_SERIES.findall(page)) == app.store.snapshot(at).series
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _page(url: str, whole: Callable[[str], bool], plot: Plot, *, first: bool) -> str:
    """The page, once everything was read and is on it; of one that does not lead, once it knows the cluster."""
    leads, shows = plot.leads and first, plot.shows if first else ()
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE):
        while True:
            async with session.get(f"{url}/metrics") as answer:
                page = await answer.text()
            known, passed = len(_KNOWN.findall(page)), len(_PASSED.findall(page))
            told = f"\nstorage_exporter_leader {float(leads)}\n" in page and known == plot.known
            if told and passed == 2 * leads and all(each in page for each in shows) and whole(page):
                return page
            await asyncio.sleep(0.05)
