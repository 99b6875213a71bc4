"""
Passes of all feeds side by side, outside of their turns: discovery alone, and the bill that comes of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from exporter.billing import Statement
from exporter.clock import Clock
from exporter.engine import Engine, Feed
from exporter.report import Report, action_of, explain
from exporter.scheduler import Scheduler
from exporter.services.registry import SERVICES
from exporter.telemetry import Telemetry


async def whole_pass(feed: Feed, scheduler: Scheduler, *, survey: bool = False) -> None:
    """
    A whole pass of *feed*: what one pass puts off is read by another, as long as that gets on. Its report has it all.

    Args:
        survey: only discover.
    """
    whole, left = Report(), -1
    while whole.waiting != left:
        left = whole.waiting
        await scheduler.once(feed.job(survey=survey))
        whole.add(feed.report)
        if not whole.waiting:
            break
    feed.report = whole
    if feed.name in scheduler.errors and not feed.report.failures:
        feed.report.failures["pass"] = scheduler.errors[feed.name]


async def survey(built: Engine, scheduler: Scheduler) -> None:
    """Let all feeds discover what there is, ask CloudWatch for no metric, and reckon the budget."""
    for following in (False, True):
        feeds = [feed for feed in built.feeds if feed.follows is following]
        await asyncio.gather(*(whole_pass(feed, scheduler, survey=True) for feed in feeds))
    built.budget.reckon()


async def statement(built: Engine, telemetry: Telemetry, clock: Clock, *, running: bool = False) -> Statement:
    """The bill of all feeds that know what there is; *running* where they ask in their turns."""
    bills = [await feed.collector.bill() for feed in built.feeds if feed.collector is not None]
    decision = built.budget.look(clock.monotonic())
    return Statement(
        clock.time(),
        tuple(bills),
        built.budget.dollars,
        decision.deferred,
        decision.reason,
        built.budget.verdict(),
        telemetry.costs(),
        failures_of(built.feeds),
        running,
    )


def failures_of(feeds: Sequence[Feed]) -> dict[str, dict[str, str]]:
    """What *feeds* could not read: operation → what to do about it, by job."""
    return {
        feed.name: {
            operation: explain(error, action_of(SERVICES[feed.service], operation))
            for operation, error in feed.report.failures.items()
        }
        for feed in feeds
        if feed.report.failures
    }
