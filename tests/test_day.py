"""
The bill of a whole day: what CloudWatch counts for the demo's estate, against what the tables of rows come to by hand.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from exporter.clock import FixedClock
from exporter.cloudwatch.budget import Budget
from exporter.collect import Collector
from exporter.demo import World, WorldClock
from exporter.model import Inventory, MetricRow, Scope
from exporter.report import Report
from exporter.services.base import Member, Service
from exporter.services.neighbours import Neighbours
from exporter.services.reader import Operation, Reader
from exporter.services.registry import SERVICES
from exporter.settings import sections, settings_of, wishes_of
from tests.harness import config_of, line
from tests.light_cloudwatch import environment, light_cloudwatch

START = 1_789_999_320
"""14:02 UTC; CloudWatch is believed up to 14:00, a multiple of every interval: each has whole turns in a day."""

DAY = 86_400

EXPECTED = {
    # 38 attached volumes: 7 roots, 24 claims, 7 others (the orphan is detached). 37 attachments on Nitro: one volume
    # has two, and the two volumes of the Xen node have none there. Exceeded checks: not of the standard volume nor of
    # the two attachments of the shared one. Burst buckets: the small gp2 and the st1. 6 Nitro nodes.
    #   each minute (1,440):     6 attached-EBS checks                                  =  8,640
    #   each 5 minutes (288):   37 stalled checks                                       = 10,656
    #   each 15 minutes (96):   4 x 38 flow + 2 x 37 latency + 2 x 34 exceeded + 2 burst = 296 x 96 = 28,416
    "AWS/EBS + AWS/EC2": 8_640 + 10_656 + 28_416,
    # 3 file systems: clients, metered, permitted of each; %IO of the two that are General Purpose; credits of the one
    # that bursts: 12. Sizes by storage class: 3 x 3. One replication.
    "AWS/EFS": 12 * 1_440 + (9 + 1) * 96,
    # 6 components: 3 metrics of errors and requests each minute, 2 latencies each 15 minutes. 8 other filters: all 5
    # each 15 minutes. Failed operations of one replication. 32 sizes and 14 object counts: at the start, and when the
    # next day's are due at four in the morning.
    "AWS/S3": 6 * 3 * 1_440 + (6 * 2 + 8 * 5 + 1) * 96 + (32 + 14) * 2,
    # 15 Valkey nodes: 7 metrics; lag of the 10 that may be replicas; 5 metrics of 2 serverless caches. And each 15
    # minutes: 12 of the host for these and 2 Memcached nodes, 13 of the engine, durability of 6, capacity of 2 that
    # tier, credits of 1 T4g, 10 of the serverless caches.
    "AWS/ElastiCache": (15 * 7 + 10 + 5 * 2) * 1_440 + (17 * 12 + 15 * 13 + 6 + 2 + 1 + 10 * 2) * 96,
}


class Standing:
    """A service whose estate stands still: what it found at first, it finds again, without asking AWS each minute."""

    def __init__(self, service: Service, inventory: Inventory) -> None:
        self.name = service.name
        self.rows: tuple[MetricRow, ...] = service.rows
        self.operations: tuple[Operation, ...] = service.operations
        self.families = service.families
        self.members: tuple[Member, ...] = service.members
        self.arns = service.arns
        self.follows = service.follows
        self._inventory = inventory

    async def discover(self, reader: Reader, scope: Scope) -> Inventory:
        return self._inventory


async def test_a_day_costs_what_the_tables_come_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    1,440 passes of every service, a minute apart: real discovery once, then the real line against a CloudWatch that
    answers at once and counts what it would bill: metrics a request, five statistics of one counting once.
    """
    world = World(1, WorldClock(at=START))
    config = config_of(limits={"get_metric_data_per_second": 1000})
    async with light_cloudwatch() as light, line(monkeypatch, world, config, environment(light)) as over:
        light.behind = over.server.url
        over.at(START)
        clock = FixedClock(START)
        collectors = []
        for feed in over.engine.feeds:
            if not SERVICES[feed.service].rows:
                continue
            scope = await feed.access.identify()
            section = sections(config)[feed.service]
            settings = settings_of(SERVICES[feed.service], section, config)
            service = SERVICES[feed.service](wishes_of(settings, section, config))
            reader = Reader(feed.access, feed.service, clock, {}, lambda _operation, _error: None)
            reader.start_pass()
            inventory = await service.discover(reader, scope)
            assert not inventory.failures
            assert not inventory.waiting
            standing = replace(inventory, samples=())  # facts cost nothing
            collectors.append(
                Collector(
                    Standing(service, standing),
                    scope,
                    feed.access,
                    settings,
                    store=over.parts.store,
                    telemetry=over.parts.telemetry,
                    clock=clock,
                    budget=Budget(None),
                    neighbours=Neighbours(),
                )
            )
        for minute in range(DAY // 60):
            clock.at = START + 60 * minute
            reports = [Report() for _ in collectors]
            await asyncio.gather(*(each.run(report) for each, report in zip(collectors, reports, strict=True)))
            assert all(report.ok for report in reports)
        told = sum(EXPECTED.values())
        found = {names: light.billed(*names.split(" + ")) for names in EXPECTED}
        assert found == EXPECTED
        # The exporter's own counts say the same, and its dollars are theirs: $0.01 for 1,000.
        assert over.own("storage_exporter_aws_billable_metrics_total") == told
        assert over.own("storage_exporter_aws_queries_total") == sum(light.queries.values())
        dollars = over.own("storage_exporter_aws_cost_dollars_total", operation="GetMetricData")
        assert dollars == pytest.approx(told / 100_000)
        assert over.own("storage_exporter_aws_unconfirmed_billable_metrics_total") == 0
