"""The real line against a simulated AWS on loopback: passes at chosen instants, and what came out of them."""

from __future__ import annotations

import contextlib
import functools
import io
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from exporter import exposition, logs
from exporter.clock import FixedClock
from exporter.config import Config, parse
from exporter.demo import DemoServer, World, WorldClock
from exporter.demo.server import Call
from exporter.engine import Engine, Feed, Parts, engine
from exporter.scheduler import Scheduler
from exporter.store import Store
from exporter.telemetry import Telemetry
from tests.calls import remember

T = 1_790_000_040
"""A made-up now: unix seconds, a whole minute, no multiple of five."""

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Series:
    """Name and labels → value, by prometheus_client's own parser."""
    return dict(_parsed(text))


@functools.lru_cache(maxsize=4)
def _parsed(text: str) -> Series:
    """Of a page that many ask of one after the other; to read it is much of what a test costs."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def parsed_openmetrics(text: str) -> Series:
    """The same of the other format, by its own parser."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in openmetrics(text)  # type: ignore[no-untyped-call]
        for sample in family.samples
    }


def config_of(**sections: Any) -> Config:
    """A configuration from keyword sections, read as a file would be; Describe calls are not paced by default."""
    limits = {"describe_per_second": 1000, **(sections.pop("limits", None) or {})}
    return parse(yaml.safe_dump({**sections, "limits": limits}), {}, "test.yaml")


class Line:
    """An engine against a world, with the world's clock and the exporter's moved together."""

    def __init__(self, server: DemoServer, clock: FixedClock, parts: Parts, built: Engine) -> None:
        self.server = server
        self.clock = clock
        self.parts = parts
        self.engine = built
        self.scheduler = Scheduler(parts.telemetry, clock)

    def at(self, instant: float) -> None:
        """Put both clocks at *instant*."""
        self.clock.at = instant
        world_clock = self.server.world.now
        assert isinstance(world_clock, WorldClock)
        world_clock.set(instant, 0)

    async def run(self, instant: float | None = None, only: str | None = None) -> dict[str, Feed]:
        """One pass of every feed (or of the service *only*), one after the other; feeds by service."""
        if instant is not None:
            self.at(instant)
        for feed in self.engine.feeds:
            if only in {None, feed.service}:
                await self.scheduler.once(feed.job())
        return {feed.service: feed for feed in self.engine.feeds}

    def series(self) -> Series:
        """What /metrics would show of AWS now."""
        return parsed(exposition.plain(self.parts.store.snapshot(self.clock.time())).decode())

    def names(self) -> Counter[str]:
        """How many series each family has."""
        return Counter(name for name, _ in self.series())

    def value(self, name: str, **labels: str) -> float | None:
        """The value of the only series of *name* with *labels*, None where there is none."""
        found = [
            value
            for (each, own), value in self.series().items()
            if each == name and labels.items() <= dict(own).items()
        ]
        assert len(found) <= 1, f"{len(found)} series of {name} {labels}"
        return found[0] if found else None

    def own(self, name: str, **labels: str) -> float:
        """The sum of the exporter's own series of *name* with *labels*, 0 where there is none."""
        series = parsed(self.parts.telemetry.render(openmetrics=False).decode())
        return sum(
            value for (each, own), value in series.items() if each == name and labels.items() <= dict(own).items()
        )

    def asked(self) -> list[Call]:
        """GetMetricData calls that were answered, oldest first."""
        return [call for call in self.server.calls if call.operation == "GetMetricData" and call.status == 200]


def limits_for(kind: str = "") -> dict[str, str]:
    """
    Limits under which a machine that is busy makes nobody give up.

    Args:
        kind: a fault of calls. One that takes as long as a call may take leaves it a few seconds.
    """
    lasts = kind == "hang" or kind.startswith("throttle")
    return {"deadline": "4s" if lasts else "60s", "pass_deadline": "120s"}


@contextlib.asynccontextmanager
async def line(
    monkeypatch: pytest.MonkeyPatch,
    world: World | None = None,
    config: Config | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[Line]:
    """The line at instant `T`, which gives up late unless *config* differs."""
    clock = FixedClock(T)
    world = world or World(1, WorldClock(at=T))
    config = config or config_of(limits=limits_for())
    async with DemoServer(world) as server:
        for name, value in {**server.environment(), **(environ or {})}.items():
            monkeypatch.setenv(name, value)
        telemetry = Telemetry("test")
        store = Store(config.limits.max_series, lambda reason, n, _example: telemetry.series_dropped(reason, n))
        parts = Parts(os.environ, clock, store, telemetry)
        async with engine(config, parts) as built:
            try:
                yield Line(server, clock, parts, built)
            finally:
                remember(server.calls)


@contextlib.contextmanager
def log_lines() -> Iterator[io.StringIO]:
    """Everything logged meanwhile, one JSON line each."""
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    try:
        yield stream
    finally:
        logs.configure("json", "warning")
