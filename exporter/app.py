"""
From a configuration to a running program: one task group, the order of start and stop, reload, health.

Listening comes first, so that a probe and a scrape are answered while AWS is not; then one job a service and scope, as
soon as this replica leads (`working`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter import __version__, logs
from exporter.billing import Statement, as_json, as_text
from exporter.clock import Clock
from exporter.cluster_telemetry import ClusterTelemetry
from exporter.config import Config, load
from exporter.config_file import EVERY, ConfigFile, watch
from exporter.engine import Engine, Feed, Parts, engine
from exporter.errors import ConfigError, ExporterError, Fault
from exporter.garbage import Garbage
from exporter.model import Target
from exporter.passes import statement, survey, whole_pass
from exporter.publishing import Publisher
from exporter.replica import replica, shard
from exporter.report import Report
from exporter.scheduler import Scheduler
from exporter.settings import constant_of, faults_between, fixed_faults, pushes
from exporter.telemetry import Telemetry
from exporter.watchdog import STALLED, Expectations, Watchdog
from exporter.web import Web
from exporter.working import PATIENCE, Replica, Working

if TYPE_CHECKING:
    from exporter.pushing import Pushing

_LOG = logs.logger(__name__)


def read_config(path: str | None, environ: Mapping[str, str]) -> Config:
    """
    The configuration of *path* (None: the defaults), checked against what this version can do.

    Raises:
        `ConfigError`: with every fault.
    """
    config = load(path, environ)
    faults = faults_between(config)
    if faults:
        raise ConfigError(path or "defaults", faults)
    return config


class App:
    """
    The program.

    Args:
        config: in force at first, from `read_config`.

        read: reads it again, for reloads; raises `ConfigError`.

        source: where it comes from, for people.

        environ: the environment, for the region.

        clock: time.

        stalled: seconds without a turn of the event loop that are told of as a stall.

        file: what `read` reads, to be looked at again and again; None where nobody looks.

        every: seconds between two looks at it.

    ``troubles``: what a single pass could not read of Kubernetes, by kind.
    """

    def __init__(
        self,
        config: Config,
        *,
        read: Callable[[], Config],
        source: str,
        environ: Mapping[str, str],
        clock: Clock,
        stalled: float = STALLED,
        file: ConfigFile | None = None,
        every: float = EVERY,
    ) -> None:
        self._config = config
        self.telemetry = Telemetry(__version__, cluster=config.cluster)
        self.expectations = Expectations(clock)
        self._garbage = Garbage()
        self._publisher = Publisher(config.limits.max_series, self.telemetry, clock, self.expectations, self._garbage)
        self.store = self._publisher.store
        self.scheduler = Scheduler(self.telemetry, clock, self.expectations)
        self._watchdog = Watchdog(self.telemetry, self.expectations, stalled)
        self._read = read
        self._source = source
        self._file = file
        self._every = every
        self._clock = clock
        self._environ = environ
        self._shard = shard(config, environ, source)
        self._reloading = asyncio.Lock()
        self._latched = False
        self._working: Working | None = None
        self._pushing: Pushing | None = None
        self.troubles: Mapping[str, str] = {}

    # ---- one pass and out ------------------------------------------------------------------------------------------

    @property
    def config(self) -> Config:
        """In force now."""
        return self._working.config if self._working is not None else self._config

    @property
    def _engine(self) -> Engine | None:
        return self._working.engine if self._working is not None else None

    async def once(
        self,
        told: Callable[[str, Report], None] = lambda _name, _report: None,
        warned: Callable[[str], None] = lambda _text: None,
    ) -> tuple[Feed, ...]:
        """
        One pass of everything, side by side. With a budget everything is discovered first, so that it holds.

        Args:
            told: called with the name and report of each feed as it ends.

            warned: called with what the budget leaves out, before anything is asked of CloudWatch.

        Returns:
            The feeds, each with its report; the values are in the store.
        """

        async def one(feed: Feed) -> None:
            await whole_pass(feed, self.scheduler)
            told(feed.name, feed.report)

        async with self._beside_kubernetes() as parts, engine(self.config, parts) as built:
            if built.budget.dollars is not None:
                await survey(built, self.scheduler)
                if verdict := built.budget.verdict():
                    warned(verdict)
            for following in (False, True):
                await asyncio.gather(*(one(feed) for feed in built.feeds if feed.follows is following))
            return built.feeds

    async def survey(self) -> Statement:
        """
        Discover everything, ask CloudWatch for no metric, and say what asking would cost.

        Raises:
            `ConfigError`: where no region is known.
        """
        async with self._beside_kubernetes() as parts, engine(self.config, parts) as built:
            await survey(built, self.scheduler)
            return await statement(built, self.telemetry, self._clock)

    @contextlib.asynccontextmanager
    async def _beside_kubernetes(self) -> AsyncIterator[Parts]:
        """What a single pass needs, with the claims as Kubernetes says them; its own facts are kept at the end."""
        async with self._replica(election=False) as found:
            cluster = found.cluster
            if cluster is None:
                yield self._parts(found)
                return
            watching = asyncio.create_task(cluster.run())
            try:
                await cluster.settled(PATIENCE)
                yield self._parts(found)
                await cluster.keep_facts(self.store, constant_of(self.config))
                self.troubles = cluster.troubles
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    def _replica(self, *, election: bool) -> contextlib.AbstractAsyncContextManager[Replica]:
        return replica(
            self.config,
            self._environ,
            self._clock,
            ClusterTelemetry(self.telemetry),
            own=self._shard,
            source=self._source,
            election=election,
        )

    def _parts(self, found: Replica) -> Parts:
        parts = Parts(self._environ, self._clock, self.store, self.telemetry, shard=self._shard)
        if (cluster := found.cluster) is not None:
            parts = replace(parts, claims=lambda: cluster.claims)
        return parts if found.elector is None else replace(parts, permitted=found.elector.valid)

    async def plan(self, form: str) -> str | None:
        """The bill of what runs, as ``json`` or ``text``; None before a service knows what there is."""
        if self._engine is None or not any(feed.collector for feed in self._engine.feeds):
            return None
        found = await statement(self._engine, self.telemetry, self._clock, running=True)
        return as_text(found) if form == "text" else json.dumps(as_json(found), indent=1) + "\n"

    # ---- for good --------------------------------------------------------------------------------------------------

    async def run(self, started: Callable[[str, int], None] = lambda _host, _port: None) -> None:
        """
        Serve until SIGTERM or SIGINT, or until cancelled; SIGHUP reloads, and so does a file that has changed.

        Args:
            started: called with the address once it is listening.

        Raises:
            `ConfigError`: where the web configuration file is bad, or no region is known. OSError: where the address is
            taken.
        """
        self._garbage.begin()
        sys.setswitchinterval(0.001)  # a thread that parses must not hold the loop for long (performance.md 3.4)
        host, port = self.config.web.address()
        web = Web(
            host=host,
            port=port,
            config_file=self.config.web.config_file,
            page=lambda: self._publisher.page,
            telemetry=self.telemetry,
            ready=self.ready,
            healthy=self.healthy,
            reload=self.reload,
            landing=self._landing,
            targets=self._targets,
            plan=self.plan,
        )
        bound_host, bound_port = await web.start()
        try:
            logs.log(_LOG, "info", "listening", f"storage-exporter {__version__} listens on {bound_host}:{bound_port}")
            started(bound_host, bound_port)
            self.telemetry.config_reloaded(ok=True, at=self._clock.time())
            stop = asyncio.Event()
            with self._signals(stop), self._watchdog.watching():
                async with (
                    self._replica(election=True) as found,
                    self._pushes(found) as self._pushing,
                    asyncio.TaskGroup() as group,
                ):
                    sending = self._pushing
                    parts = replace(self._parts(found), shipping=sending.shipping if sending is not None else None)
                    self._working = Working(
                        self.config, parts, found, self.scheduler, self.expectations, self._garbage, sending
                    )
                    working = [group.create_task(self._working.run())]
                    if self._file is not None:
                        looking = watch(self._file, self.reload, self._clock, self._every)
                        working.append(group.create_task(looking))
                    if sending is None:
                        working.append(group.create_task(self._publisher.run()))
                    else:
                        await self._publisher.show_nothing()
                        working.append(group.create_task(sending.run()))
                    await stop.wait()
                    logs.log(_LOG, "info", "stopping", "asked to stop: nothing more is asked of AWS")
                    for task in working:
                        task.cancel()
        except BaseExceptionGroup as group:
            raise _refusal(group) from group
        finally:
            await web.stop()

    @contextlib.asynccontextmanager
    async def _pushes(self, found: Replica) -> AsyncIterator[Pushing | None]:
        """What sends, where datapoints are pushed."""
        push = self.config.delivery.push
        if push is None or not pushes(self.config):
            yield None
            return
        from exporter.pushing import Values, pushing  # noqa: PLC0415 - for those who push

        permitted = found.elector.valid if found.elector is not None else lambda: True
        values = Values(self._publisher.take, lambda: self._engine is not None, permitted)
        async with pushing(self.config, push, self.telemetry, self._clock, values, self._environ) as sending:
            yield sending

    async def reload(self) -> list[str]:
        """
        Read the configuration again and put it in force, or say every fault and change nothing.

        Returns:
            The faults; empty where the new configuration is in force.
        """
        async with self._reloading:
            try:
                if self._working is None:
                    raise ConfigError(self._source, [Fault("", "the exporter is still starting; try again")])
                config = await asyncio.to_thread(self._read)
                if faults := fixed_faults(self.config, config):
                    raise ConfigError(self._source, faults)
                await self._working.replace(config)
            except ExporterError as error:
                self.telemetry.config_reloaded(ok=False, at=self._clock.time())
                logs.log(_LOG, "error", "reload_failed", f"the configuration in force stays: {error}")
                if isinstance(error, ConfigError):
                    return [f"{error.source}: {fault}" for fault in error.faults]
                return [str(error)]
            self.telemetry.config_reloaded(ok=True, at=self._clock.time())
            logs.log(_LOG, "info", "reloaded", "the new configuration is in force")
            return []

    def ready(self) -> tuple[bool, str]:
        """Latched: once the Lease was seen, or every job has made a pass, an outage does not take it back."""
        if self._working is not None and (leader := self._working.follows):
            self._latched = True
            return True, f"ready: follows {leader}"
        if not self._latched:
            feeds = self._engine.feeds if self._engine else None
            if feeds is None:
                return False, "starting" if self._working is None else self._working.waits
            waiting = [feed.name for feed in feeds if feed.name not in self.scheduler.finished]
            if waiting:
                return False, f"waiting for the first pass of {', '.join(waiting)}"
            if feeds and not any(feed.collector for feed in feeds):
                return False, "no scope has working credentials yet; the log says why"
            self._latched = True
        return True, "ready"

    def healthy(self) -> tuple[bool, str]:
        """
        Whether every job that should run does, begins its passes at their turns and ends them, and pages are rendered.

        That this is answered at all shows that the loop turns; where it does not, a probe times out, which is a failure
        too, and `watchdog` logs where it stands. AWS's failures are no matter of it: a restart would not mend them.
        """
        feeds = self._engine.feeds if self._engine else ()
        living = self.scheduler.living
        # In the moment of a reload the old engine's jobs are ending: how long that may take is expected elsewhere.
        swapping = self._working is not None and self._working.swapping
        wrong = [f"{feed.name}: not running" for feed in feeds if feed.name not in living and not swapping]
        wrong += self.expectations.overdue()
        return (False, "; ".join(wrong)) if wrong else (True, "healthy")

    # ---- working ---------------------------------------------------------------------------------------------------

    def _targets(self, service: str) -> list[Target] | None:
        """The addresses of *service* in all scopes, None before any is known."""
        if self._engine is None:
            return None
        feeds = [feed for feed in self._engine.feeds if feed.service == service]
        known = [feed.targets for feed in feeds if feed.targets is not None]
        constant = constant_of(self.config)
        if feeds and not known:
            return None
        return [Target(each.address, (*constant, *each.labels)) for targets in known for each in targets]

    def _landing(self) -> Mapping[str, str]:
        """What the landing page tells: heading to text."""
        feeds = self._engine.feeds if self._engine else ()
        facts = {"version": __version__, "configuration": self._source, "ready": self.ready()[1]}
        if self._working is not None and (leader := self._working.follows):
            facts["leader"] = f"{leader}; this replica asks AWS nothing"
        if self._pushing is not None:
            facts["remote write"] = self._pushing.summary
        if self._working is not None and (troubles := self._working.troubles) is not None:
            facts["kubernetes"] = f"failing: {', '.join(troubles)}" if troubles else "reading"
        for feed in feeds:
            failing = ", ".join(feed.report.failures)
            facts[feed.name] = f"failing: {failing}" if failing else "reading" if feed.collector else "starting"
        return facts

    @contextlib.contextmanager
    def _signals(self, stop: asyncio.Event) -> Iterator[None]:
        """SIGTERM and SIGINT stop, SIGHUP reloads; where the loop cannot have signals (a thread), nothing."""
        loop = asyncio.get_running_loop()
        reloads: set[asyncio.Task[list[str]]] = set()

        def hang_up() -> None:
            task = loop.create_task(self.reload())
            reloads.add(task)  # the loop itself keeps no hold of a task
            task.add_done_callback(reloads.discard)

        handlers = {signal.SIGTERM: stop.set, signal.SIGINT: stop.set, signal.SIGHUP: hang_up}
        installed = []
        for number, handler in handlers.items():
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, handler)
                installed.append(number)
        try:
            yield
        finally:
            for number in installed:
                loop.remove_signal_handler(number)


def _refusal(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What ended the tasks of the program: a refusal of ours by itself, anything else as it is."""
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first if isinstance(first, ExporterError) and group.split(ExporterError)[1] is None else group
