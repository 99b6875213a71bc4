"""
Everything one configuration makes: the way to AWS and a feed for each service in each scope.

An engine is built whole and replaced whole; when its feeds run is the application's.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.aws.api import Access, Runtime
from exporter.clock import Clock
from exporter.cloudwatch.budget import Budget
from exporter.cloudwatch.plan import SCRAPED
from exporter.collect import Collector, Settings
from exporter.config import Config, Role
from exporter.errors import ExporterError
from exporter.model import NO_CLAIMS, Claims, Scope, Target
from exporter.report import Report
from exporter.scheduler import Job, Outcome
from exporter.services.base import Wishes
from exporter.services.neighbours import Neighbours
from exporter.services.registry import SERVICES
from exporter.settings import sections, settings_of, wishes_of
from exporter.shards import ALONE, Shard
from exporter.store import Store
from exporter.telemetry import Telemetry

if TYPE_CHECKING:
    from exporter.cargo import Cargo, Shipping

PASS_EVERY = 60
"""Seconds between two passes of a service: the fastest row and the fast part of discovery (design.md 6.2)."""

IDENTIFY = "GetCallerIdentity"


@dataclass(frozen=True, slots=True)
class Parts:
    """
    What outlives an engine.

    Args:
        environ: the environment, for the region.

        clock: time.

        store: where values go.

        telemetry: where they are measured.

        claims: whose the volumes are, as Kubernetes says now.

        permitted: whether AWS may be asked now; of several replicas one may.

        shard: which of several exporters that share the scopes this is.

        shipping: where datapoints go that are pushed, None where only the newest values are shown.
    """

    environ: Mapping[str, str]
    clock: Clock
    store: Store
    telemetry: Telemetry
    claims: Callable[[], Claims] = lambda: NO_CLAIMS
    permitted: Callable[[], bool] = lambda: True
    shard: Shard = ALONE
    shipping: Shipping | None = None


class Feed:
    """
    One service in one region and role chain: finds out whose AWS it is, then makes passes.

    Args:
        name: the job's.

        service: the service's name.

        access: need not be identified yet.

        deadline: seconds of one pass.

        make: from the access, once it is identified, to its collector.

        follows: whether its first pass waits for those of the other services.
    """

    def __init__(
        self,
        name: str,
        service: str,
        access: Access,
        deadline: float,
        make: Callable[[Access], Collector],
        *,
        follows: bool = False,
    ) -> None:
        self.name = name
        self.service = service
        self.access = access
        self.follows = follows
        self.collector: Collector | None = None
        self.report = Report()
        self._deadline = deadline
        self._make = make
        self._before: Collector | None = None

    def job(self, *, survey: bool = False) -> Job:
        """The feed as the scheduler runs it; with *survey* what is only discovered."""
        return Job(self.name, self.service, PASS_EVERY, self._deadline, self.survey if survey else self.run)

    def take_over(self, old: Feed) -> None:
        """Begin with what *old*, of the same name, had: a reload must not cost a gap."""
        self._before = old.collector

    @property
    def targets(self) -> tuple[Target, ...] | None:
        """Addresses for probes as last known, None before they ever were."""
        return self.collector.targets if self.collector is not None else None

    async def end(self) -> None:
        """Withdraw what it kept and measured: nobody reads this service here any more."""
        if self.collector is not None:
            await self.collector.end()

    def withdraw(self) -> None:
        """Withdraw what it kept: another replica shows it now. What it knows stays, for a later term."""
        if self.collector is not None:
            self.collector.withdraw()

    async def run(self) -> Outcome:
        """One pass. Raises `ExporterError` where it is not even known whose AWS this is."""
        # The pass fills this very report, so that one cut off at its deadline still tells what it met.
        await (await self._begin()).run(self.report)
        return Outcome(self.report.ok, self.access.scope)

    async def survey(self) -> Outcome:
        """What a pass discovers, without asking CloudWatch's metrics. Raises as `run`."""
        await (await self._begin()).survey(self.report)
        return Outcome(self.report.ok, self.access.scope)

    async def _begin(self) -> Collector:
        self.report = Report()
        if self.collector is None:
            try:
                await self.access.identify()
            except ExporterError as error:
                self.report.failures[IDENTIFY] = error
                raise
            self.collector = self._make(self.access)
            if self._before is not None and self._before.name == self.collector.name:
                self.collector.take_over(self._before)
            self._before = None
        return self.collector


@dataclass(frozen=True, slots=True)
class Engine:
    """A configuration at work."""

    config: Config
    feeds: tuple[Feed, ...]
    budget: Budget


@contextlib.asynccontextmanager
async def engine(config: Config, parts: Parts) -> AsyncIterator[Engine]:
    """
    The objects of *config*, closed afterwards. Nothing is asked of AWS before a feed runs.

    Raises:
        `ConfigError`: where no region is known. `CredentialsError`: where AWS's own settings cannot be read.
    """
    runtime = Runtime(
        environ=parts.environ,
        limits_config=config.limits,
        telemetry=parts.telemetry,
        clock=parts.clock,
        user_agent=f"storage-exporter/{__version__}",
        identity=config.identity,
        permitted=parts.permitted,
    )
    own = [place for place in places(config) if parts.shard.owns(_account(place[1]), place[0] or "")]
    asking = sum(bool(settings_of(SERVICES[name], section, config).rows) for name, section in sections(config).items())
    dollars = config.budget.dollars_per_month
    if dollars is not None and parts.shard.total > 1:
        dollars *= len(own) / len(list(places(config)))  # the others have their part of it
    budget = Budget(
        dollars,
        essential=config.budget.essential == "defer",
        feeds=asking * len(own),
        now=parts.clock.monotonic(),
    )
    parts.telemetry.budget(dollars)
    shared = _Shared(parts, budget, Neighbours())
    async with runtime:
        feeds = tuple(
            feed for region, roles in own for feed in _feeds(config, shared, runtime.open(region, roles), roles)
        )
        yield Engine(config, feeds, budget)


def places(config: Config) -> Iterator[tuple[str | None, Sequence[Role]]]:
    """Each (region, role chain) the configuration names; None for the credentials' own region."""
    if not config.scopes:
        yield None, ()
    for scope in config.scopes:
        for region in scope.regions or (None,):
            yield region, scope.roles


def _account(roles: Sequence[Role]) -> str:
    """The account that a chain of roles leads to, ``""`` for the credentials' own."""
    return roles[-1].arn.split(":")[4] if roles else ""


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all feeds of an engine share."""

    parts: Parts
    budget: Budget
    neighbours: Neighbours


def _feeds(config: Config, shared: _Shared, access: Access, roles: Sequence[Role]) -> Iterator[Feed]:
    account = _account(roles)
    for name, section in sections(config).items():
        settings = settings_of(SERVICES[name], section, config)
        wishes = replace(wishes_of(settings, section, config, shared.neighbours.of), claims=shared.parts.claims)
        make = partial(_collector, shared, name, settings, wishes)
        job = "/".join(part for part in (name, account, access.scope.region) if part)
        yield Feed(job, name, access, config.limits.pass_deadline, make, follows=SERVICES[name].follows)


def _collector(shared: _Shared, name: str, settings: Settings, wishes: Wishes, access: Access) -> Collector:
    shipping = shared.parts.shipping
    if shipping is None:  # a single pass of a configuration that pushes shows the newest values, as a scrape does
        settings = replace(settings, back=SCRAPED)
    return Collector(
        SERVICES[name](wishes),
        access.scope,
        access,
        settings,
        store=shared.parts.store,
        telemetry=shared.parts.telemetry,
        clock=shared.parts.clock,
        budget=shared.budget,
        neighbours=shared.neighbours,
        cargo=_cargo(shipping, access.scope) if shipping is not None else None,
    )


def _cargo(shipping: Shipping, scope: Scope) -> Cargo:
    from exporter.cargo import Cargo  # noqa: PLC0415 - for those who push

    return Cargo(shipping, scope.account_id, scope.region)
