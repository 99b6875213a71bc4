"""
Who asks AWS, and when: the engine in force, from the moment this replica leads until it does no more.

Alone, it leads for good. Of several replicas the one that holds the Lease does; the others watch Kubernetes, are ready
and show their own metrics only. A reload builds the new engine beside the one that runs, hands values over, and swaps:
a bad file changes nothing. What a term has put on the page is withdrawn when it ends, for another replica shows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter import logs
from exporter.cluster_telemetry import ClusterTelemetry
from exporter.config import Config
from exporter.engine import Engine, Parts
from exporter.errors import ExporterError
from exporter.garbage import Garbage
from exporter.running import Running
from exporter.scheduler import Scheduler
from exporter.settings import constant_of, notices
from exporter.watchdog import Expectations

if TYPE_CHECKING:  # what these take along is imported by whoever makes one
    from exporter.kubernetes.cluster import Cluster
    from exporter.kubernetes.lease import Elector, LeaseApi
    from exporter.pushing import Pushing

_LOG = logs.logger(__name__)

PATIENCE = 10.0
"""Seconds the first pass waits for Kubernetes, so that claims stand beside volumes from the beginning."""

REMEMBERED = 600.0
"""Seconds after which what an earlier term knew is too old to go on with: a new leader begins anew."""

_ATTEMPT = 120.0
"""Seconds within which an attempt at the Lease is to end, whatever the API does."""


@dataclass(frozen=True, slots=True)
class Replica:
    """
    What makes this process one of several.

    Args:
        cluster: the Kubernetes it reads, None for none.

        elector: decides whether it leads, None where it is alone.

        heeded: what the elector asks.
    """

    cluster: Cluster | None = None
    elector: Elector | None = None
    heeded: Heeded | None = None


class Working:
    """
    The engine in force, while this replica leads.

    Args:
        config: in force at first.

        parts: what outlives engines.

        replica: the cluster, and who leads.

        scheduler: runs the jobs.

        expectations: told what is to happen by when.

        garbage: the collector's, told when much is made.

        pushing: sends what is pushed, None where nothing is.

    ``engine`` is None while it does not lead; ``swapping`` is true in the moment of a reload.
    """

    def __init__(
        self,
        config: Config,
        parts: Parts,
        replica: Replica,
        scheduler: Scheduler,
        expectations: Expectations,
        garbage: Garbage,
        pushing: Pushing | None = None,
    ) -> None:
        self.config = config
        self.swapping = False
        self._parts = parts
        self._replica = replica
        self._scheduler = scheduler
        self._expectations = expectations
        self._garbage = garbage
        self._telemetry = ClusterTelemetry(parts.telemetry)
        self._running: Running | None = None
        self._before: tuple[float, Running] | None = None
        self._wanted: asyncio.Queue[tuple[Config, asyncio.Future[None]]] = asyncio.Queue()
        self._turn = asyncio.Lock()
        self._owner: object = None  # the term whose engine runs
        self._pushing = pushing
        self._others_led = False

    @property
    def engine(self) -> Engine | None:
        """The engine that asks, None while this replica does not lead."""
        return self._running.engine if self._running is not None else None

    @property
    def follows(self) -> str:
        """Whom this replica follows, ``""`` while it leads, is about to, or nobody is known to."""
        elector = self._replica.elector
        if elector is None or self._running is not None or elector.leader_identity == elector.identity:
            return ""
        return elector.leader_identity

    @property
    def troubles(self) -> Mapping[str, str] | None:
        """What is the matter with kinds of Kubernetes, by kind; None where it is not read."""
        return self._replica.cluster.troubles if self._replica.cluster is not None else None

    @property
    def waits(self) -> str:
        """What it waits for before it asks AWS, for people."""
        if self._replica.elector is not None and not self._replica.elector.seen:
            return "the Lease could not be read yet; the log says why"
        return "starting"

    async def run(self) -> None:
        """Work until cancelled."""
        cluster, elector = self._replica.cluster, self._replica.elector
        self._telemetry.shard(self._parts.shard.ordinal, self._parts.shard.total)
        if elector is not None:  # a configuration that cannot be built is said now, by every replica
            await (await Running.build(self.config, self._parts)).close()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._serve_reloads())
            if cluster is not None:
                group.create_task(cluster.run())
            if elector is None:
                self._telemetry.leader(leads=True)
                group.create_task(self._term())
            else:
                self._telemetry.leader(leads=False)
                if self._replica.heeded is not None:
                    self._replica.heeded.attempted = self._attempted
                self._attempted()
                group.create_task(elector.run(self._term))

    async def replace(self, config: Config) -> None:
        """
        Put *config* in force.

        Raises:
            `ExporterError`: where it cannot be; then nothing has changed.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wanted.put_nowait((config, done))
        await done

    def _attempted(self) -> None:
        """An attempt at the Lease has ended: the next one is to end in time too."""
        self._expectations.expect("lease", "no attempt to hold or take the Lease has ended", _ATTEMPT)
        elector = self._replica.elector
        if elector is not None and elector.leader_identity not in ("", elector.identity):
            self._others_led = True

    # ---- a term of leadership ----------------------------------------------------------------------------------

    async def _term(self) -> None:
        """Ask AWS until cancelled: what a leader does."""
        logs.log(_LOG, "info", "leading", "this replica asks AWS")
        cluster = self._replica.cluster
        term = object()
        beside: list[asyncio.Task[None]] = []
        try:
            if cluster is not None:
                await cluster.settled(PATIENCE)
                if self._parts.shard.ordinal == 0:  # the same facts are not shown by several exporters
                    publish = cluster.publish(self._parts.store, constant_of(self.config))
                    beside.append(asyncio.create_task(publish))
            if self._pushing is not None:
                from exporter.remote.handover import ANNOTATION  # noqa: PLC0415 - for those who push

                elector = self._replica.elector
                noted = elector.noted(ANNOTATION) if elector is not None else ""
                await self._pushing.begin(others_sent=self._others_led, noted=noted)
                self._others_led = False
                if elector is not None:
                    elector.note(self._pushing.notes)
                beside.append(asyncio.create_task(self._pushing.send()))
            async with self._turn:
                await self._stop()  # the term before this one, where it could not be ended in time
                running = await Running.build(self.config, self._parts)
                if self._before is not None and self._parts.clock.monotonic() - self._before[0] < REMEMBERED:
                    await running.take_over(self._before[1])
                self._before = None
                self._owner = term
                self._begin(running)
                del running
                self._garbage.freeze()
            if beside:
                await asyncio.gather(*beside)  # for good: what ends them is a fault of the program, or the term's end
            await asyncio.Event().wait()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            async with self._turn:  # a reload that is under way is through first; it asks nothing of AWS
                if self._owner is term:
                    await self._stop()
            logs.log(_LOG, "info", "not_leading", "this replica asks AWS no more")

    async def _stop(self) -> None:
        """Ask nothing more, and withdraw what was shown."""
        running, self._running = self._running, None
        if running is None:
            return
        await running.stop()
        for feed in running.engine.feeds:
            feed.withdraw()
            self._scheduler.forget(feed.name)
        await running.close()
        self._before = (self._parts.clock.monotonic(), running)
        self._parts.telemetry.at_rest()

    def _begin(self, running: Running) -> None:
        for notice in notices(running.engine.config):
            logs.log(_LOG, "warning", "configuration", notice)
        logs.configure(running.engine.config.log.format, running.engine.config.log.level)
        self._running = running
        running.start(self._scheduler)
        self.swapping = False

    # ---- reload ------------------------------------------------------------------------------------------------

    async def _serve_reloads(self) -> None:
        """Put another engine in the place of the one in force where a reload wants one."""
        while True:
            config, done = await self._wanted.get()
            try:
                async with self._turn:
                    await self._swap(config)
            except ExporterError as error:
                if not done.cancelled():  # by then nobody may be waiting for it
                    done.set_exception(error)
            else:
                if not done.cancelled():
                    done.set_result(None)

    async def _swap(self, config: Config) -> None:
        fresh = await Running.build(config, self._parts)
        running = self._running
        if running is None:  # a follower: good to know that it could be built; the next term builds it
            await fresh.close()
            self._in_force(config)
            return
        # From here on nothing can fail: what is asked stops, what is known is handed over, asking goes on.
        self.swapping = True
        self._expectations.expect("reload", "the jobs of the configuration before did not end", 0)
        await running.stop()
        for name in await fresh.take_over(running):
            self._scheduler.forget(name)
        self._in_force(config)
        self._begin(fresh)
        self._expectations.over("reload")
        await running.close()
        del running
        self._garbage.freeze()  # only now: what is frozen while it is still held is never let go

    def _in_force(self, config: Config) -> None:
        self.config = config
        if self._replica.cluster is not None:
            self._replica.cluster.keep(config.pins.annotations)


class Told:
    """What the elector tells goes into the metrics."""

    def __init__(self, telemetry: ClusterTelemetry, wall: Callable[[], float]) -> None:
        self._telemetry = telemetry
        self._wall = wall

    def leader(self, leads: bool) -> None:  # noqa: FBT001 - a state, not an option
        """This replica leads, or does no more."""
        self._telemetry.leader(leads)

    def transition(self) -> None:
        """This replica became the leader."""
        self._telemetry.lease_transition()

    def renewed(self, seconds: float) -> None:
        """The Lease was taken or renewed in *seconds*."""
        self._telemetry.lease_renewed(seconds, self._wall())

    def failed(self, code: str) -> None:
        """An attempt failed."""
        self._telemetry.lease_failed(code)


class Heeded:
    """The way to the Lease, with each attempt's end told: an election that hangs is a fault of the program."""

    def __init__(self, api: LeaseApi) -> None:
        self._api = api
        self.attempted: Callable[[], None] = lambda: None

    async def get(self, path: str, *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109 - the elector's own
        """As `Api.get`."""
        return await self._told(self._api.get(path, timeout=timeout))

    async def create(self, path: str, body: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
        """As `Api.create`."""
        return await self._told(self._api.create(path, body, timeout=timeout))

    async def replace(self, path: str, body: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
        """As `Api.replace`."""
        return await self._told(self._api.replace(path, body, timeout=timeout))

    async def _told(self, attempt: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        try:
            return await attempt
        finally:
            self.attempted()
