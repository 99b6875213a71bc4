"""
The line, written out as a line: one pass of one service in one scope.

*discover* what there is, *plan* what is due, *fetch* it, *convert* it, *keep* it. Everything a pass learned before
something failed is kept; what failed is reported, by name, and asked again. When passes run is the scheduler's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from exporter import logs
from exporter.aws import prices
from exporter.clock import Clock
from exporter.cloudwatch.batch import batches
from exporter.cloudwatch.bill import Bill, Requests, bill_of
from exporter.cloudwatch.budget import Budget, Decision
from exporter.cloudwatch.fetch import Access as MetricAccess
from exporter.cloudwatch.fetch import Fetched, fetch
from exporter.cloudwatch.grid import Grid
from exporter.cloudwatch.nouns import Batch, Plan
from exporter.cloudwatch.plan import SCRAPED, Back, plan, projected
from exporter.cloudwatch.rows import ActiveRow
from exporter.cloudwatch.taking import Heard, Taken, move, take
from exporter.columns import age_blocks, fact_blocks
from exporter.errors import OutboxError, TransientError
from exporter.model import Block, Inventory, Resource, Scope, Target, Tier
from exporter.report import GET_METRIC_DATA, OUTBOX, Report, Teller
from exporter.services.base import Service
from exporter.services.neighbours import Neighbours
from exporter.services.reader import Access, Operation, Reader
from exporter.store import Store
from exporter.telemetry import Telemetry

if TYPE_CHECKING:
    from exporter.cargo import Cargo

_LOG = logs.logger(__name__)


_GIVES_UP = 5
"""Requests to CloudWatch that fail in a row, each after its repetitions, after which a pass asks no more of a region:
the next pass begins where this one stopped, and until then what is down is left alone."""


class Aws(Access, MetricAccess, Protocol):
    """What a pass needs of a scope's AWS."""

    def elsewhere(self, region: str) -> MetricAccess:
        """The same identity in another region."""
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What the configuration wants of a pass.

    Args:
        rows: those in force.

        pinned: whether a resource is asked every minute.

        intervals: operation → seconds between two readings, where it is not the table's.

        constant: labels every series carries, such as ``cluster``.

        concurrency: requests to CloudWatch that a pass has under way at one time.

        reasons: why not, of the metrics that are not asked: (kind, metric) → `rows.why_not`.

        back: how far windows may look back.
    """

    rows: tuple[ActiveRow, ...]
    pinned: Callable[[Resource], bool]
    intervals: Mapping[str, int] = field(default_factory=dict)
    constant: tuple[tuple[str, str], ...] = ()
    concurrency: int = 10
    reasons: Mapping[tuple[str, str], str] = field(default_factory=dict)
    back: Back = SCRAPED


class Collector:
    """
    One service in one scope.

    Args:
        service: a fresh one, for it remembers.

        scope: whose AWS.

        access: to that AWS.

        settings: what the configuration wants.

        store: where values are kept.

        telemetry: where the pass is measured.

        clock: time.

        budget: shared by all.

        neighbours: shared by all; told what was found here.

        cargo: takes the datapoints where they are pushed, None where only the newest values are shown.

    ``targets``: addresses for probes as last known, None before they ever were.
    """

    def __init__(
        self,
        service: Service,
        scope: Scope,
        access: Aws,
        settings: Settings,
        *,
        store: Store,
        telemetry: Telemetry,
        clock: Clock,
        budget: Budget,
        neighbours: Neighbours,
        cargo: Cargo | None = None,
    ) -> None:
        self._service = service
        self._scope = scope
        self._access = access
        self._settings = settings
        self._store = store
        self._telemetry = telemetry
        self._clock = clock
        self._budget = budget
        self._neighbours = neighbours
        self._cargo = cargo
        self.targets: tuple[Target, ...] | None = None
        self._reader = Reader(access, service.name, clock, settings.intervals, self._read)
        self._grid = Grid((), settings.rows, settings.pinned, settings.constant)
        self._resources: tuple[Resource, ...] = ()
        self._facts: list[Block] = []
        self._ages: list[Block] = []
        self._known_at = 0  # when discovery was last through: a pass cut off in it makes facts no younger
        self._once = logs.Once(_LOG, 3600, clock.monotonic)
        self.name = f"{service.name}/{scope.account_id}/{scope.region}"
        self._teller = Teller(self.name, service, scope, self._once)

    def take_over(self, old: Collector) -> None:
        """Begin where *old*, of the same name, stopped: a new configuration must not cost a gap."""
        self._grid = old._grid
        self._facts, self._known_at = old._facts, old._known_at
        self._reader.take_over(old._reader)
        self.targets = old.targets

    async def end(self) -> None:
        """Withdraw all values and measurements of this service in this scope; the receiver is told that series end."""
        if self._cargo is not None:
            self._cargo.end(self._grid, self._known_at)
            await self._ship(Report())
        self._store.remove(self.name)
        self._neighbours.forget(self._scope, self._service.name)
        self._telemetry.forget_service(self._scope, self._service.name)

    def withdraw(self) -> None:
        """Withdraw all values, and nothing of what is known."""
        self._store.remove(self.name)

    async def run(self, report: Report) -> None:
        """One pass, noted in *report*. Raises nothing of AWS's; a pass that is cancelled keeps what it has."""
        try:
            self._reader.start_pass()
            inventory = await self._service.discover(self._reader, self._scope)
            report.failures.update(inventory.failures)
            report.waiting = inventory.waiting
            await self._take(inventory)
            self._keep()  # facts first: they are served even if CloudWatch hangs
            chosen = await self._plan(whole=not inventory.failures and not inventory.waiting)
            await self._fetch(chosen, report)
        finally:
            self._keep()
            self._measure()
            await self._ship(report)  # what a pass has that is cut off goes out too
        self._teller.tell(report)

    # ---- discover ----

    def _read(self, operation: Operation, error: Exception | None) -> None:
        self._telemetry.operation_read(
            self._scope, self._service.name, operation.name, error is None, self._clock.time()
        )

    async def _take(self, inventory: Inventory) -> None:
        """Make the inventory the one in force; a new generation only where something changed."""
        self._telemetry.resources(self._scope, self._service.name, inventory.counts)
        self._telemetry.claims(self._scope, self._service.name, inventory.claims)
        self._known_at = int(self._clock.time())
        self._facts, twice = fact_blocks(inventory.samples, self._settings.constant, self._known_at)
        self._dropped(twice)
        self._neighbours.note(self._scope, self._service.name, inventory.assets)
        if inventory.targets is not None:
            self.targets = inventory.targets
        if inventory.resources is self._resources:
            return
        # In a thread, for a large one takes a while; nothing is under way that would write into the old one.
        grid = await asyncio.to_thread(self._generation, inventory.resources)
        if grid is not self._grid:
            self._dropped([str(resource.id) for resource in grid.duplicates])
        self._grid, self._resources = grid, inventory.resources
        if self._cargo is not None:
            self._cargo.turn_to(grid)

    def _generation(self, resources: tuple[Resource, ...]) -> Grid:
        if resources == self._resources:
            return self._grid
        grid = Grid(resources, self._settings.rows, self._settings.pinned, self._settings.constant)
        grid.take_over(self._grid, self._known_at)
        if self._cargo is not None:
            self._cargo.resume(grid)
        return grid

    def _dropped(self, twice: Sequence[str]) -> None:
        if twice:
            self._telemetry.series_dropped("duplicate", len(twice))
            self._once.log(
                "duplicate",
                "warning",
                "duplicate_series",
                f"{len(twice)} of what AWS lists would make a series that is already there, such as {twice[0]}; "
                "the first is kept",
                scope=self._scope,
                aws_service=self._service.name,
            )

    # ---- plan ----

    async def _plan(self, *, whole: bool) -> Plan:
        """What is due and within the budget; *whole* says whether the inventory is all there is."""
        costs = projected(self._grid)
        decision = self._weigh(costs, whole=whole)
        if decision.change:
            logs.log(_LOG, "warning" if decision.deferred else "info", "budget", decision.change)
        for tier in Tier:
            groups = [group for group in self._grid.groups if group.tier is tier]
            out = tier in decision.deferred
            count = sum(len(group) * len(group.rows) for group in groups)
            silent = sum(len(self._grid.backed_off(group)) * len(group.rows) for group in groups)
            self._telemetry.offered(self._scope, self._service.name, tier.value, costs.get(tier, 0.0))
            self._telemetry.projected(self._scope, self._service.name, tier.value, 0.0 if out else costs.get(tier, 0.0))
            for reason, rows in (
                ("budget", count if out and decision.reason == "budget" else 0),
                ("starting", count if out and decision.reason == "starting" else 0),
                ("silent", silent),
            ):
                self._telemetry.deferred(self._scope, self._service.name, tier.value, reason, rows)
        # In a thread: a hundred thousand queries that do not all stand alike take some milliseconds.
        back = self._settings.back
        return await asyncio.to_thread(plan, self._grid, self._clock.time(), deferred=decision.deferred, back=back)

    def _weigh(self, costs: Mapping[Tier, float], *, whole: bool) -> Decision:
        if self._settings.rows:
            self._budget.project(self._scope, self._service.name, costs, whole=whole)
        return self._budget.decide(self._clock.monotonic())

    # ---- the bill ----

    async def survey(self, report: Report) -> None:
        """Discover, and ask nothing of CloudWatch's metrics: what a pass would cost is then known. Raises as `run`."""
        self._reader.start_pass()
        inventory = await self._service.discover(self._reader, self._scope)
        report.failures.update(inventory.failures)
        report.waiting = inventory.waiting
        await self._take(inventory)
        self._budget.project(self._scope, self._service.name, projected(self._grid))

    async def bill(self) -> Bill:
        """What this service costs in this scope as it stands."""
        settings = self._settings
        apis = {operation.name: operation.api for operation in self._service.operations}
        requests = tuple(
            Requests(self._scope.account_id, self._service.name, apis[name], name, per_hour)
            for name, per_hour in self._reader.askings().items()
            if prices.request_dollars(apis[name], name)
        )
        bill = await asyncio.to_thread(  # a large one takes a while
            bill_of,
            self._grid,
            self._resources,
            self._service.rows,
            settings.reasons,
            self._scope,
            self._service.name,
            self._clock.time(),
        )
        return replace(bill, requests=requests)

    # ---- fetch, convert ----

    async def _fetch(self, chosen: Plan, report: Report) -> None:
        """Ask everything planned; what arrives goes into the generation it was planned for, batch by batch."""
        grid, heard = self._grid, Heard()
        waiting = batches(self._scope, chosen.windows)
        failed: dict[str, int] = {}  # region → requests in a row that failed

        async def ask(batch: Batch) -> None:
            here = batch.scope.region == self._scope.region
            access = self._access if here else self._access.elsewhere(batch.scope.region)
            answer = await fetch(access, batch, aws_service=self._service.name)
            failed[batch.scope.region] = failed.get(batch.scope.region, 0) + 1 if answer.error is not None else 0
            taken = take(grid, batch, answer.results, self._cargo)
            heard.note(taken)
            if self._cargo is None:
                move(grid, batch, taken, self._clock.time())
            else:
                self._cargo.note(batch, taken, self._clock.time())
                if self._cargo.full:
                    await self._ship(report)
            for status, count in taken.statuses.items():
                self._telemetry.results(self._scope, self._service.name, status, count)
            self._account(batch, answer, taken, report)

        async def asker() -> None:
            for batch in waiting:
                if failed.get(batch.scope.region, 0) < _GIVES_UP:
                    await ask(batch)  # a call of its own, so that nobody holds an answer while waiting for the next

        # A batch is made when somebody is free to ask it: its deadline begins then, and a large pass of one service
        # stands in the queue to CloudWatch with a few requests, not before all of everybody else's.
        async with asyncio.TaskGroup() as group:
            for _ in range(self._settings.concurrency):
                group.create_task(asker())
        grid.cursors.count_silence(heard.silent())

    def _account(self, batch: Batch, answer: Fetched, taken: Taken, report: Report) -> None:
        """Count what CloudWatch bills, and report what it did not answer."""
        malformed = answer.malformed + taken.statuses.get("malformed", 0)
        if answer.malformed:
            self._telemetry.results(self._scope, self._service.name, "malformed", answer.malformed)
        if answer.error is None or answer.answered:
            dollars = prices.dollars(batch.billable)
            self._telemetry.asked(
                batch.scope, self._service.name, queries=batch.size, billable=batch.billable, dollars=dollars
            )
            report.queries += batch.size
            report.billable += batch.billable
            report.dollars += dollars
        broken = sorted(taken.codes)
        if answer.error is not None:
            report.failures[GET_METRIC_DATA] = answer.error
        elif broken or malformed:
            what = ", ".join(broken) or "a malformed result"
            said = "; ".join(f"{code}: {text}" for code, text in answer.messages)
            report.failures.setdefault(
                GET_METRIC_DATA,
                TransientError("cloudwatch", GET_METRIC_DATA, what, said or "asked again in the next pass"),
            )
        for code, text in answer.messages:
            self._once.log(
                f"message {code}",
                "warning",
                "cloudwatch_message",
                f"CloudWatch says {code}: {text}",
                scope=self._scope,
                aws_service=self._service.name,
                operation=GET_METRIC_DATA,
            )

    async def _ship(self, report: Report) -> None:
        """Hand on what was collected. What cannot be kept is reported, and asked again."""
        if self._cargo is not None:
            try:
                await self._cargo.ship()
            except OutboxError as error:
                report.failures[OUTBOX] = error

    # ---- keep ----

    def _keep(self) -> None:
        """Put facts, values and ages into the store, in place of the last ones."""
        now = int(self._clock.time())
        self._ages = age_blocks(self._service.members, self._grid, self._settings.constant, now, self._ages)
        blocks = self._grid.blocks(held=self._cargo is not None)
        self._store.put(self.name, [*self._facts, *blocks, *self._ages], at=self._known_at)

    def _measure(self) -> None:
        # What is published now and then only says nothing of how late CloudWatch is.
        groups = [group for group in self._grid.groups if len(group) and not group.rows[0].sparse]
        newest = self._grid.newest(groups)
        if newest:
            self._telemetry.newest_datapoint(self._scope, self._service.name, newest)
        if groups:
            limit = min(row.span for group in groups for row in group.rows)
            self._telemetry.data_age_limit(self._scope, self._service.name, limit)
