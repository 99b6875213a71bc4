"""
The line, written out as a line: one pass of one service in one scope.

*discover* what there is, *plan* what is due, *fetch* it, *convert* it, *keep* it. Everything a pass learned before
something failed is kept; what failed is reported, by name, and asked again. When passes run is the scheduler's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from exporter import logs
from exporter.aws import prices
from exporter.clock import Clock
from exporter.cloudwatch.batch import batches
from exporter.cloudwatch.budget import Budget
from exporter.cloudwatch.convert import Points, fold, points
from exporter.cloudwatch.fetch import Access as MetricAccess
from exporter.cloudwatch.fetch import Fetched, fetch
from exporter.cloudwatch.grid import Grid
from exporter.cloudwatch.plan import billable, plan, projected, tier_of
from exporter.cloudwatch.rows import ActiveRow
from exporter.columns import age_blocks, fact_blocks
from exporter.errors import TransientError
from exporter.model import (
    Absent,
    Batch,
    Block,
    Inventory,
    Plan,
    Query,
    Resource,
    Scope,
    Series,
    Target,
    Tier,
    Window,
)
from exporter.report import GET_METRIC_DATA, Report, action_of, explain
from exporter.services.base import Service
from exporter.services.neighbours import Neighbours
from exporter.services.reader import Access, Operation, Reader
from exporter.store import Store
from exporter.telemetry import Telemetry

_LOG = logs.logger(__name__)

_STATUS = {
    "Complete": "complete",
    "PartialData": "partial",
    "InternalError": "internal_error",
    "Forbidden": "forbidden",
}


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
    """

    rows: tuple[ActiveRow, ...]
    pinned: Callable[[Resource], bool]
    intervals: Mapping[str, int] = field(default_factory=dict)
    constant: tuple[tuple[str, str], ...] = ()


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
        self.targets: tuple[Target, ...] | None = None
        self._reader = Reader(access, service.name, clock, settings.intervals, self._read)
        self._grid = Grid((), settings.rows, settings.pinned, settings.constant)
        self._resources: tuple[Resource, ...] = ()
        self._facts: list[Block] = []
        self._once = logs.Once(_LOG, 3600, clock.monotonic)
        self._deferred: frozenset[Tier] = frozenset()
        self._failing: dict[str, type[Exception]] = {}
        self.name = f"{service.name}/{scope.account_id}/{scope.region}"

    def take_over(self, old: Collector) -> None:
        """Begin where *old*, of the same name, stopped: a new configuration must not cost a gap."""
        self._grid = old._grid
        self._facts = old._facts
        self._reader.take_over(old._reader)
        self.targets = old.targets

    def remove(self) -> None:
        """Withdraw all values and measurements of this service in this scope."""
        self._store.remove(self.name)
        self._neighbours.forget(self._scope, self._service.name)
        self._telemetry.forget_service(self._scope, self._service.name)

    async def run(self, report: Report) -> None:
        """One pass, noted in *report*. Raises nothing of AWS's; a pass that is cancelled keeps what it has."""
        try:
            self._reader.start_pass()
            inventory = await self._service.discover(self._reader, self._scope)
            report.failures.update(inventory.failures)
            report.waiting = inventory.waiting
            self._take(inventory)
            self._keep()  # facts first: they are served even if CloudWatch hangs
            chosen = self._plan()
            await self._fetch(chosen, report)
        finally:
            self._keep()
            self._measure()
        self._tell(report)

    # ---- discover ----

    def _read(self, operation: Operation, error: Exception | None) -> None:
        self._telemetry.operation_read(
            self._scope, self._service.name, operation.name, error is None, self._clock.time()
        )

    def _take(self, inventory: Inventory) -> None:
        """Make the inventory the one in force; a new generation only where something changed."""
        self._telemetry.resources(self._scope, self._service.name, inventory.counts)
        self._facts, twice = fact_blocks(inventory.samples, self._settings.constant, int(self._clock.time()))
        self._dropped(twice)
        self._neighbours.note(self._scope, self._service.name, inventory.assets)
        if inventory.targets is not None:
            self.targets = inventory.targets
        if inventory.resources == self._resources:
            return
        grid = Grid(inventory.resources, self._settings.rows, self._settings.pinned, self._settings.constant)
        grid.take_over(self._grid)
        self._dropped([str(resource.id) for resource in grid.duplicates])
        self._grid, self._resources = grid, inventory.resources

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

    def _plan(self) -> Plan:
        costs = projected(self._grid)
        self._budget.project(self._scope, self._service.name, costs)
        deferred = self._budget.deferred()
        for tier in Tier:
            asked = 0.0 if tier in deferred else costs.get(tier, 0.0)
            self._telemetry.projected(self._scope, self._service.name, tier.value, asked)
            left_out = sum(len(query.rows) for query in self._grid.queries if tier_of(query) is tier)
            self._telemetry.deferred(
                self._scope, self._service.name, tier.value, "budget", left_out if tier in deferred else 0
            )
        if deferred != self._deferred:
            self._deferred = deferred
            names = ", ".join(sorted(tier.value for tier in deferred)) or "nothing"
            logs.log(
                _LOG,
                "warning" if deferred else "info",
                "budget",
                f"the budget of {self._budget.dollars} dollars a month defers: {names}",
                scope=self._scope,
                aws_service=self._service.name,
            )
        return plan(self._grid, self._clock.time(), deferred=deferred)

    # ---- fetch, convert ----

    async def _fetch(self, chosen: Plan, report: Report) -> None:
        """Ask everything planned; what arrives goes into the generation it was planned for, batch by batch."""
        grid, heard = self._grid, _Heard()

        async def one(batch: Batch) -> None:
            here = batch.scope.region == self._scope.region
            access = self._access if here else self._access.elsewhere(batch.scope.region)
            answer = await fetch(access, batch, aws_service=self._service.name)
            self._convert(grid, batch, answer, heard)
            self._account(batch, answer, report)

        async with asyncio.TaskGroup() as group:
            for batch in batches(self._scope, chosen.windows):
                group.create_task(one(batch))
        grid.cursors.count_silence(heard.silent())

    def _convert(self, grid: Grid, batch: Batch, answer: Fetched, heard: _Heard) -> None:
        """Put what *answer* says into *grid* and move the cursors as far as it reaches."""
        said: dict[int, list[Series]] = {}
        statuses: dict[str, int] = {"malformed": answer.malformed} if answer.malformed else {}
        for series in answer.series:
            said.setdefault(series.query.slot, []).append(series)
        for query in batch.queries:
            answers = said.get(query.slot, [])
            newest = 0
            for series in answers:
                row = query.rows[series.index]
                found = points(series, batch.window)
                value = fold(row, found, _told(series, found, batch.window))
                if value is not None:
                    grid.put(query.series[series.index], *value)
                newest = max(newest, found.ends[-1] if found.ends else 0)
                status = _STATUS.get(series.code, "unknown") if series.values or not series.complete else "empty"
                statuses[status] = statuses.get(status, 0) + 1
                if found.refused:
                    statuses["refused"] = statuses.get("refused", 0) + found.refused
            if len(answers) == len(query.rows) and all(series.complete for series in answers):
                grid.cursors.answered(query.slot, batch.window.start, batch.window.end, newest, self._clock.time())
            else:
                grid.cursors.cut_short(query.slot, newest)
            if newest or query.rows[0].absent is not Absent.ZERO:  # where absence means zero, nothing is no silence
                heard.note(query, spoke=bool(newest))
        for status, count in statuses.items():
            self._telemetry.results(self._scope, self._service.name, status, count)

    def _account(self, batch: Batch, answer: Fetched, report: Report) -> None:
        """Count what CloudWatch bills, and report what it did not answer."""
        if answer.error is None or answer.series:
            members = sum(len(query.rows) for query in batch.queries)
            metrics = sum(billable(query) for query in batch.queries)
            dollars = prices.dollars(metrics)
            self._telemetry.asked(batch.scope, self._service.name, queries=members, billable=metrics, dollars=dollars)
            report.queries += members
            report.billable += metrics
            report.dollars += dollars
        broken = sorted({series.code for series in answer.series if not series.complete})
        if answer.error is not None:
            report.failures[GET_METRIC_DATA] = answer.error
        elif broken or answer.malformed:
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

    # ---- keep ----

    def _keep(self) -> None:
        """Put facts, values and ages into the store, in place of the last ones."""
        ages = age_blocks(self._service.members, self._grid, self._settings.constant, int(self._clock.time()))
        self._store.put(self.name, [*self._facts, *self._grid.blocks(), *ages])

    def _measure(self) -> None:
        # What is published now and then only says nothing of how late CloudWatch is.
        queries = [query for query in self._grid.queries if not query.rows[0].sparse]
        newest = self._grid.newest(queries)
        if newest:
            self._telemetry.newest_datapoint(self._scope, self._service.name, newest)
        if queries:
            limit = min(row.span for query in queries for row in query.rows)
            self._telemetry.data_age_limit(self._scope, self._service.name, limit)

    def _tell(self, report: Report) -> None:
        """A line when an operation begins to fail, fails otherwise, or is well again; one an hour while it lasts."""
        for operation in set(self._failing) - set(report.failures):
            self._say("info", "operation_recovered", operation, "it answers again")
        for operation, error in report.failures.items():
            if self._failing.get(operation) is not type(error):
                self._once.forget(operation)
            self._once.log(
                operation,
                "warning",
                "operation_failed",
                explain(error, action_of(self._service, operation)),
                scope=self._scope,
                error=error,
                job=self.name,
                aws_service=self._service.name,
                operation=operation,
            )
        self._failing = {operation: type(error) for operation, error in report.failures.items()}

    def _say(self, level: str, event: str, operation: str, text: str) -> None:
        logs.log(
            _LOG,
            level,
            event,
            f"{operation}: {text}",
            scope=self._scope,
            job=self.name,
            aws_service=self._service.name,
            operation=operation,
        )


@dataclass(slots=True)
class _Heard:
    """Which queries of a pass were answered with datapoints and which were not."""

    empty: list[Query] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)
    resources: set[int] = field(default_factory=set)

    def note(self, query: Query, *, spoke: bool) -> None:
        if spoke:
            self.sources.add(query.rows[0].source)
            self.resources.add(id(query.resource))
        else:
            self.empty.append(query)

    def silent(self) -> list[int]:
        """
        The slots whose silence counts: where CloudWatch told the same metric of another resource, or something else of
        this one. Otherwise it is CloudWatch that says nothing, and asking less would only prolong that.
        """
        return [
            query.slot
            for query in self.empty
            if query.rows[0].source in self.sources or id(query.resource) in self.resources
        ]


def _told(series: Series, found: Points, window: Window) -> Window:
    """The part of *window* that *series* tells of: all of it, or up to the newest datapoint before it broke off."""
    if series.complete:
        return window
    return Window(window.start, found.ends[-1] if found.ends else window.start, window.period)
