"""What the tests of `exporter.aws` share: a clock that skips pauses, a small server of one's own, a running Runtime."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from exporter.aws.api import Access, Runtime
from exporter.demo.server import DemoServer
from exporter.telemetry import Telemetry
from tests.calls import remember

REGION = "ap-southeast-3"


@dataclass(frozen=True)
class Limits:
    """The configuration's limits, as far as AWS is concerned."""

    aws_concurrency: int = 10
    get_metric_data_per_second: float = 1000.0
    describe_per_second: float = 1000.0
    deadline: float = 30.0


class SkippingClock:
    """
    A pause between attempts is over at once and the clock is as much later.

    Args:
        stands: whether no other time passes, for who asks how long pauses are; else the real one does.
    """

    LONGEST = 10.0  # longer ones are the background's, which would run away with the clock

    def __init__(self, *, stands: bool = False) -> None:
        self.skipped = 0.0
        self._stood = (time.time(), time.monotonic()) if stands else None

    def time(self) -> float:
        return (self._stood[0] if self._stood else time.time()) + self.skipped

    def monotonic(self) -> float:
        return (self._stood[1] if self._stood else time.monotonic()) + self.skipped

    async def sleep(self, seconds: float) -> None:
        if seconds > self.LONGEST:
            await asyncio.sleep(seconds)
            return
        self.skipped += max(0.0, seconds)
        await asyncio.sleep(0)


class VirtualClock:
    """Time that stands still until the test lets it pass."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at
        self._start = at
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def time(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at - self._start

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # However short, it ends later than now, or a sleeper would be woken for ever.
        self._sleepers.append((max(self.at + seconds, math.nextafter(self.at, math.inf)), waiting))
        await waiting

    async def advance(self, seconds: float) -> None:
        """Let time pass, waking each sleeper at its own instant."""
        until = self.at + seconds
        while True:
            for _ in range(20):
                await asyncio.sleep(0)
            due = [at for at, waiting in self._sleepers if at <= until and not waiting.done()]
            if not due:
                break
            self.at = max(self.at, min(due))
            for at, waiting in self._sleepers:
                if at <= self.at and not waiting.done():
                    waiting.set_result(None)
            self._sleepers = [(at, waiting) for at, waiting in self._sleepers if not waiting.done()]
        self.at = until


@dataclass
class Told:
    """The exporter's metrics about itself, and how to read one."""

    telemetry: Telemetry
    registry: CollectorRegistry

    def value(self, name: str, **labels: str) -> float:
        """The sum over all series of that name with at least those labels."""
        return sum(
            sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == f"storage_exporter_{name}" and labels.items() <= sample.labels.items()
        )

    def labels(self, name: str) -> list[dict[str, str]]:
        """The label sets of all series of that name."""
        return [
            dict(sample.labels)
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == f"storage_exporter_{name}"
        ]


def told() -> Told:
    """A telemetry of one's own."""
    registry = CollectorRegistry()
    return Told(Telemetry("0", registry), registry)


@asynccontextmanager
async def running(
    telling: Told | None = None, *, clock: Any = None, permitted: Callable[[], bool] = lambda: True, **limits: Any
) -> AsyncIterator[Runtime]:
    """A Runtime on the environment of the process; pauses between attempts are skipped."""
    async with Runtime(
        environ=os.environ,
        limits_config=Limits(**limits),
        telemetry=(telling or told()).telemetry,
        clock=clock or SkippingClock(),
        user_agent="storage-exporter/0",
        jitter=lambda: 1.0,
        permitted=permitted,
    ) as runtime:
        yield runtime


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Awaitable[web.StreamResponse]], **site: Any) -> AsyncIterator[str]:
    """The URL of a server of one's own on a free port of 127.0.0.1."""
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, **site).start()
        yield f"{'https' if site else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def simulated_aws(environment: pytest.MonkeyPatch) -> AsyncIterator[DemoServer]:
    """The demo's AWS, and the environment that leads to it."""
    async with DemoServer() as server:
        for name, value in server.environment().items():
            environment.setenv(name, value)
        yield server
        remember(server.calls)


async def volumes(access: Access, **more: Any) -> Any:
    """One call by botocore."""
    return await access.call("ec2", "DescribeVolumes", {}, aws_service="ebs", **more)


async def metrics(access: Access, **more: Any) -> Any:
    """One thin call."""
    end = 1_787_479_200
    return await access.get_metric_data(head, end - 600, end, aws_service="ebs", **more)


PLANES = {"ec2": volumes, "cloudwatch": metrics}
OPERATION = {"ec2": "DescribeVolumes", "cloudwatch": "GetMetricData"}
both_planes = pytest.mark.parametrize("plane", list(PLANES))


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Return as soon as *condition* holds; fail where it does not within *seconds*."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def head(volume: str = "vol-1", metric: str = "VolumeReadOps", statistic: str = "Sum") -> bytes:
    """A GetMetricData request with one query, without times and closing brace."""
    dimensions = [{"Name": "VolumeId", "Value": volume}]
    stat = {
        "Metric": {"Namespace": "AWS/EBS", "MetricName": metric, "Dimensions": dimensions},
        "Period": 60,
        "Stat": statistic,
    }
    return orjson.dumps({"MetricDataQueries": [{"Id": "q0", "MetricStat": stat}]})[:-1]
