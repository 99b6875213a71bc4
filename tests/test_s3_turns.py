"""Whose turn it is among more buckets than can be read in time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from exporter.clock import FixedClock
from exporter.model import Scope
from exporter.services.base import Wishes
from exporter.services.reader import MOST_SPREAD, Reader
from exporter.services.s3 import S3

BUCKETS = 120
OPERATIONS = len(S3.operations) - len({"ListBuckets", "GetBucketLocation", "ListMetrics"})
EVERY = 120
"""Seconds the configuration wants between two readings: a third of the calls can be made in that time."""


class Aws:
    """An account with many buckets in which nothing is set; it notes when each call was made."""

    def __init__(self, clock: FixedClock) -> None:
        self.clock = clock
        self.made: dict[tuple[str, str], list[float]] = {}

    async def call(self, service: str, operation: str, params: Mapping[str, Any], *, aws_service: str) -> Any:
        self.made.setdefault((operation, params["Bucket"]), []).append(self.clock.time())
        return {}

    async def read_all(
        self, service: str, operation: str, result_key: str, params: Mapping[str, Any], **_: Any
    ) -> list[Any]:
        if operation == "ListBuckets":
            made = datetime(2026, 1, 1, tzinfo=UTC)
            names = [f"app-{number:03}" for number in range(BUCKETS)]
            return [{"Name": name, "BucketRegion": "eu-west-1", "CreationDate": made} for name in names]
        self.made.setdefault((operation, params["Bucket"]), []).append(self.clock.time())
        return []


async def test_each_bucket_has_its_turn() -> None:
    """Those not read for longest come first, so that the last of the list are not left out for ever."""
    clock = FixedClock(1_790_000_000)
    aws = Aws(clock)
    service = S3(Wishes())
    settings = {operation.name: EVERY for operation in S3.operations if operation.name != "ListBuckets"}
    reader = Reader(aws, "s3", clock, settings, lambda *_: None)
    calls = BUCKETS * OPERATIONS
    round_of_all = 60 * (calls // MOST_SPREAD)
    counts = []
    for _ in range(3 * round_of_all // 60 + 10):
        reader.start_pass()
        inventory = await service.discover(reader, Scope("123456789012", "eu-west-1"))
        counts.append(inventory.counts["bucket"])
        clock.at += 60
    assert set(counts) == {BUCKETS}
    assert sum(map(len, aws.made.values())) == len(counts) * MOST_SPREAD
    assert len(aws.made) == calls
    assert min(times[-1] for times in aws.made.values()) >= clock.at - 1.5 * round_of_all


async def test_a_pass_in_which_nothing_is_due_makes_no_tasks() -> None:
    """What is known of a bucket is told from memory: ten tasks a bucket and minute were most of what S3 cost."""
    clock = FixedClock(1_790_000_000)
    service = S3(Wishes())
    reader = Reader(Aws(clock), "s3", clock, {}, lambda *_: None)
    scope = Scope("123456789012", "eu-west-1")
    while True:
        reader.start_pass()
        whole = await service.discover(reader, scope)
        if not whole.waiting:
            break
        clock.at += 60
    clock.at += 60
    reader.start_pass()
    loop, made = asyncio.get_running_loop(), 0

    def note(running: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        nonlocal made
        made += 1
        return asyncio.Task(work, loop=running, **options)

    loop.set_task_factory(note)
    again = await service.discover(reader, scope)
    loop.set_task_factory(None)
    assert again.resources is whole.resources
    assert again.counts == whole.counts == {"bucket": BUCKETS, "bucket-of-another-region": 0}
    assert made < BUCKETS / 10
