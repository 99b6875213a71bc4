"""
One world held still: a simulated AWS and Kubernetes with several troubles at once, the real exporter, our rules and a
real Prometheus that has all of it, for queries at its last instant.

Days go by first, by leaps from midnight to midnight, for what is compared by days; then most of an hour minute by
minute, which is what a dashboard shows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from exporter.demo import World, mission_worlds
from rules.build import first
from tests.prometheus import Prometheus, serving
from tests.rules.exporting import ground
from tests.rules.pipelined import pipelines
from tests.rules.rows import Target, head, row
from tests.rules.scene import HURRY, MINUTE, SHIPPED, Delivery, Scene, neighbours, target_of
from tests.rules.states import Alert
from tests.rules.stepped import SteppedClock
from tests.rules.stepper import Stepper, load

DAY = 86_400
MIDNIGHT = 20_718 * DAY
"""A midnight of UTC: subqueries by the day look there."""

WINDOW = 55 * MINUTE
"""Seconds of the range that is looked at: all that happens with everything there."""

KEPT = 25
"""Pages that are kept: as many minutes as a value of CloudWatch is shown."""

EACH = 2 * MINUTE
"""Seconds between two evaluations of the rules: within the five minutes for which Prometheus looks back."""

STRETCH = 6
"""Minutes after which every rule is evaluated, those of every five minutes as well."""

BUDGET = {"budget": {"dollars_per_month": 5000}}
"""More than it costs, so nothing is left out."""

SLOW = {
    "services": {
        **{name: {"enabled": False} for name in ("ebs", "elasticache", "protection")},
        "s3": {"tiers": ["essential"], "rows": {"BucketSizeBytes": {"enabled": True}}},
    }
}
"""The configuration while days go by: only what is compared by days."""


@dataclass(frozen=True)
class Plan:
    """
    What happens.

    Args:
        delivery: how series come to Prometheus.

        days: leaps before the minutes.

        quiet: minutes in which all is well, of those with everything.

        troubles: name of a scenario, seconds for which it has been so already, and minutes until the next.
    """

    delivery: Delivery
    days: int
    quiet: int
    troubles: Sequence[tuple[str, float, int]]

    @property
    def minutes(self) -> int:
        """Those with everything."""
        return self.quiet + sum(minutes for _, _, minutes in self.troubles)


SCRAPED = Plan(
    "scrape",
    9,
    6,
    # A scenario ends the one before; what is foretold by half an hour needs half an hour of the last.
    (("valkey-failover", 0, 8), ("ebs-saturated", 1800, 8), ("efs-credits", 9000, 34)),
)
PUSHED = Plan("push", 0, 6, (("ebs-saturated", 900, 4),))


@dataclass
class Held:
    """
    What there is to ask.

    Args:
        prometheus: has everything.

        world: the truth, as it is at `now`.

        now: the instant, unix seconds.

        alerts: pending and firing.

        pages: what the exporter showed last, with the instants.

        moments: the ends of the troubles, the last is `now`.

        began: when all was there for the first time. What is pushed is older, up to hours; who it is about is not.
    """

    prometheus: Prometheus
    world: World
    now: float
    alerts: list[Alert]
    pages: list[tuple[float, str]]
    moments: list[float]
    began: float = 0.0

    @property
    def firing(self) -> list[Alert]:
        """Alerts that fire."""
        return [each for each in self.alerts if each.state == "firing"]

    def second_replica(self) -> None:
        """
        Let another pod have shown the same all the time; what it counts itself it begins to count. (A series that is
        new may begin in the past.)
        """
        other = Target(target_of("storage-exporter-6d5f7c9b4d-second"))
        with pipelines(self.prometheus.url) as ways:
            for at, page in self.pages:
                ways.write(other.rows(_uncounted(page), at))


def _uncounted(page: str) -> str:
    """The page with counters at zero."""
    counters = {name for name, family in first.families().items() if family["type"] == "counter"}
    lines = []
    for line in page.splitlines():
        series, _, _ = line.rpartition(" ")
        lines.append(f"{series} 0" if series.partition("{")[0] in counters else line)
    return "\n".join(lines)


@contextlib.contextmanager
def held(folder: Path, plan: Plan) -> Iterator[Held]:
    """The world after *plan*, with files below *folder*."""
    flags = ["--web.enable-remote-write-receiver"]
    with serving(folder, folder / "data", flags=flags) as prometheus, pytest.MonkeyPatch.context() as patch:
        yield asyncio.run(_lived(folder, plan, prometheus, patch))


async def _lived(folder: Path, plan: Plan, prometheus: Prometheus, patch: pytest.MonkeyPatch) -> Held:
    start = MIDNIGHT if plan.days else MIDNIGHT - plan.minutes * MINUTE
    clock = SteppedClock(start, HURRY if plan.delivery == "push" else 1.0)
    world = mission_worlds(1, clock)[0]
    moments: list[float] = []
    with pipelines(prometheus.url) as ways:
        async with ground(world, clock, folder, patch) as found:
            stepper = Stepper(ways, load(sorted(SHIPPED.glob("*.yaml"))))
            scene = Recorded(found, plan.delivery, prometheus, ways, stepper, frozenset())
            scene.others = neighbours(world)
            try:
                await _days(scene, plan)
                await scene.start("storage-exporter-6d5f7c9b4d-x2x7k")
                await _minutes(scene, plan.quiet)
                for name, ago, minutes in plan.troubles:
                    scene.begin(name, ago)
                    await _minutes(scene, minutes)
                    moments.append(scene.now)
                now, alerts = scene.now, stepper.active()
                ways.write(_since(alerts, now))
                # What ends with the exporter ends after the instant that is looked at.
                await found.move(now + 1)
            finally:
                await scene.stop()
    return Held(prometheus, world, now, alerts, scene.pages, moments, now - (plan.minutes - 3) * MINUTE)


async def _days(scene: Scene, plan: Plan) -> None:
    """Midnights, the last of them not yet: the minutes end there."""
    if not plan.days:
        return
    scene.more = SLOW
    await scene.start("storage-exporter-6d5f7c9b4d-befor")
    await scene.hours(24 * (plan.days - 1), 24)
    await scene.ground.leap(scene.now + DAY - plan.minutes * MINUTE)
    scene.more = BUDGET


async def _minutes(scene: Scene, number: int) -> None:
    """Minutes; all rules are evaluated at the end."""
    for done in range(0, number, STRETCH):
        await scene.minutes(min(STRETCH, number - done) - 1, EACH)
        for rule in scene.stepper.rules:
            rule.due = 0.0
        await scene.minutes(1)


def _since(alerts: Sequence[Alert], now: float) -> list[bytes]:
    """``ALERTS_FOR_STATE``, which Prometheus writes beside ``ALERTS``."""
    return [row(head({"__name__": "ALERTS_FOR_STATE", **dict(each.labels)}), each.since, now) for each in alerts]


@dataclass
class Recorded(Scene):
    """A scene that keeps the exporter's last pages."""

    pages: list[tuple[float, str]] = field(default_factory=list)

    async def _scrape(self, at: float) -> None:
        await super()._scrape(at)
        if self.running is not None and self.delivery == "scrape":
            self.pages = [*self.pages, (at, await self.running.page(at))][-KEPT:]


def values(held: Held, selector: str, label: str) -> list[str]:
    """What ``label_values`` gives over the range."""
    path, start = f"/api/v1/label/{label}/values", held.now - WINDOW
    found: list[str] = held.prometheus.get(path, **{"match[]": selector, "start": str(start), "end": str(held.now)})
    return found


Result = tuple[Mapping[str, str], list[tuple[float, float]]]
"""A series: its labels, and its values with their instants."""


def instant(held: Held, expr: str, at: float | None = None) -> list[Result]:
    """An instant query, at the end unless *at* is given."""
    data = held.prometheus.get("/api/v1/query", query=expr, time=str(at or held.now))
    return [(labels, [value]) for labels, value in _vector(data)]


def over(held: Held, expr: str) -> list[Result]:
    """A query over the range, by the minute."""
    start = str(max(held.now - WINDOW, held.began))
    data = held.prometheus.get("/api/v1/query_range", query=expr, start=start, end=str(held.now), step="60")
    return [(each["metric"], [(at, float(value)) for at, value in each["values"]]) for each in data["result"]]


def _vector(data: Any) -> Iterator[tuple[Mapping[str, str], tuple[float, float]]]:
    if data["resultType"] == "scalar":
        yield {}, (float(data["result"][0]), float(data["result"][1]))
    else:
        yield from ((each["metric"], (each["value"][0], float(each["value"][1]))) for each in data["result"])
