"""
One scenario from its cause to the alerts: simulated AWS and Kubernetes, the program, a real Prometheus, our rule files.

Everything stands on a past clock that is moved minute by minute, so hours pass in seconds and the same way each time.
Where the exporter is scraped we do what a ServiceMonitor's Prometheus does with its page; where it pushes it does so
itself, into the same Prometheus.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from exporter.demo import World, mission_worlds
from tests.harness import T
from tests.prometheus import Prometheus, serving
from tests.rules.exporting import CLUSTER, Exporter, Ground, exporter, ground
from tests.rules.neighbours import KUBELET, STATE_METRICS, kubelet, state_metrics
from tests.rules.pipelined import Pipelines, pipelines
from tests.rules.rows import Target
from tests.rules.stepped import SteppedClock
from tests.rules.stepper import Change, Rule, Stepper, feeding, load
from tests.rules.templates import element, render
from tests.tools import ROOT

Delivery = Literal["scrape", "push"]

MINUTE = 60
BEFORE = 20 * MINUTE
"""Seconds for which everything is well before a scenario begins: what rules look back over is filled."""

SCRAPED = 10.0
"""Seconds before an evaluation at which the exporter is scraped."""

HURRY = 20.0
"""How fast pauses pass for an exporter that pushes: its sender looks once a second whether there is something."""

SHIPPED = ROOT / "rules" / "mimir"
BLANK = frozenset({"pod", "instance", "container", "endpoint"})
"""Labels of the target that the chart's ServiceMonitor takes away from AWS's series."""


def target_of(pod: str) -> dict[str, str]:
    """The labels that a Prometheus operator gives an exporter's target."""
    number = sum(pod.encode()) % 200 + 10
    return {
        "job": "storage-exporter",
        "namespace": "monitoring",
        "service": "storage-exporter",
        "pod": pod,
        "container": "exporter",
        "endpoint": "http",
        "instance": f"10.20.1.{number}:9116",
    }


@dataclass
class Scene:
    """
    A scenario under way.

    ``began`` is when it began (unix seconds). ``changes`` are those of alerts since the start of everything.
    """

    ground: Ground
    delivery: Delivery
    prometheus: Prometheus
    ways: Pipelines
    stepper: Stepper
    blank: frozenset[str]
    began: float = 0.0
    running: Exporter | None = None
    others: list[tuple[Target, Callable[[float], str]]] = field(default_factory=list)
    more: Mapping[str, Any] = field(default_factory=dict)
    _target: Target | None = None
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    @property
    def now(self) -> float:
        """The instant, unix seconds."""
        return self.ground.clock.time()

    @property
    def changes(self) -> list[Change]:
        """What alerts did so far."""
        return self.stepper.changes

    async def start(self, pod: str) -> None:
        """Begin an exporter as *pod*; one that ran ends first, as in a rollout of one replica."""
        await self.stop()
        push = f"{self.prometheus.url}/api/v1/write" if self.delivery == "push" else ""
        made = exporter(self.ground, pod, push=push, more=self.more)
        self.running = await self._stack.enter_async_context(made)
        self._target = Target(target_of(pod), self.blank)

    async def stop(self) -> None:
        """End the exporter; its target is gone."""
        await self._stack.aclose()
        self.running = None
        if self._target is not None and self.delivery == "scrape":
            self.ways.write(self._target.gone(self.now))
        self._target = None

    def begin(self, scenario: str, ago: float = 0.0) -> None:
        """Let a scenario begin now, or be as if it had begun *ago* seconds before."""
        self.began = self.now
        self.ground.world.scenario(scenario, self.now - ago)

    async def minutes(self, number: int, each: int = MINUTE) -> list[Change]:
        """
        Let time pass, scrape each minute and evaluate; what alerts did meanwhile.

        Args:
            number: minutes.

            each: seconds between two evaluations, whole minutes.
        """
        known = len(self.changes)
        for minute in range(1, number + 1):
            at = self.now + MINUTE
            await self.ground.move(at - SCRAPED)
            await self._scrape(at - SCRAPED)
            await self.ground.move(at)
            if minute * MINUTE % each == 0:
                self.stepper.step(at)
        return self.changes[known:]

    async def hours(self, number: int, at_once: int) -> list[Change]:
        """Let hours pass, *at_once* together: only the last minute of them is lived through, for what goes by days."""
        known = len(self.changes)
        for _ in range(number // at_once):
            await self.ground.leap(self.now + 3600 * at_once - MINUTE)
            await self.minutes(1)
        return self.changes[known:]

    async def until(self, name: str, minutes: float, labels: Mapping[str, str] | None = None) -> float:
        """Minutes from the scenario's beginning until an alert with *labels* fires, which must be within *minutes*."""
        wanted = labels or {}
        while self.now < self.began + minutes * MINUTE:
            await self.minutes(1)
            if any(wanted.items() <= found.items() for found in self.firing().get(name, ())):
                return (self.now - self.began) / MINUTE
        raise AssertionError(f"{name} {wanted} does not fire within {minutes} min; what does: {sorted(self.firing())}")

    async def _scrape(self, at: float) -> None:
        if self.running is not None and self._target is not None and self.delivery == "scrape":
            self.ways.write(self._target.rows(await self.running.page(at), at))
        for target, page in self.others:
            self.ways.write(target.rows(page(at), at))

    # ---- what there is to see ----------------------------------------------------------------------------------

    def firing(self, *severities: str) -> dict[str, list[dict[str, str]]]:
        """Names of the alerts that fire to the labels of each; of some severities only."""
        found: dict[str, list[dict[str, str]]] = {}
        for _, each in self.stepper.firing():
            if not severities or each.label("severity") in severities:
                found.setdefault(each.name, []).append(dict(each.labels))
        return found

    def fired(self, *severities: str) -> set[str]:
        """Names of the alerts that have ever fired."""
        return {
            each.alert.name
            for each in self.changes
            if each.state == "firing" and (not severities or each.alert.label("severity") in severities)
        }

    def posted(self, *severities: str) -> list[dict[str, Any]]:
        """What fires, as Prometheus posts it to Alertmanager, annotations included."""
        return [
            {"labels": dict(each.labels), "annotations": self._annotations(rule, each.labels, each.value)}
            for rule, each in self.stepper.firing()
            if not severities or each.label("severity") in severities
        ]

    def _annotations(self, rule: Rule, labels: Sequence[tuple[str, str]], value: float) -> dict[str, str]:
        at = self.now

        def query(expression: str) -> list[Any]:
            return [element(each.labels, each.value) for each in self.prometheus.ask(expression, at)]

        return {name: render(text, dict(labels), value, query) for name, text in rule.annotations.items()}


def neighbours(world: World) -> list[tuple[Target, Callable[[float], str]]]:
    """What else is scraped: kube-state-metrics and the kubelets, with the cluster that a user's Prometheus puts on."""
    return [
        (Target({**STATE_METRICS, "cluster": CLUSTER}), lambda instant: state_metrics(world, instant)),
        (Target({**KUBELET, "cluster": CLUSTER}), lambda instant: kubelet(world, instant)),
    ]


@contextlib.asynccontextmanager
async def scene(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    delivery: Delivery,
    rules: Sequence[str | Path] = (),
    *,
    blank: frozenset[str] = frozenset(),
    more: Mapping[str, Any] | None = None,
    at: float = T,
    lenient: bool = False,
    severities: Sequence[str] = (),
) -> AsyncIterator[Scene]:
    """
    A scene in which everything is well, `BEFORE` after its start.

    Args:
        folder: for files.

        monkeypatch: sets AWS's variables.

        delivery: how the exporter's series come to Prometheus.

        rules: names of the shipped files, or paths; none for all that is shipped.

        blank: labels of the target that are taken away from AWS's series.

        more: sections of the exporter's configuration.

        at: unix seconds of the start.

        lenient: go on where a rule cannot be evaluated.

        severities: of the alerts that are evaluated, with the recordings they need; none for all.
    """
    paths = [SHIPPED / f"{each}.yaml" if isinstance(each, str) else each for each in rules]
    clock = SteppedClock(at, HURRY if delivery == "push" else 1.0)
    world = mission_worlds(1, clock)[0]
    async with ground(world, clock, folder, monkeypatch) as found:
        with (
            serving(folder, folder / "data", flags=["--web.enable-remote-write-receiver"]) as prometheus,
            pipelines(prometheus.url) as ways,
        ):
            loaded = load(paths or sorted(SHIPPED.glob("*.yaml")))
            stepper = Stepper(ways, feeding(loaded, severities) if severities else loaded, lenient=lenient)
            made = Scene(found, delivery, prometheus, ways, stepper, blank, more=more or {})
            made.others = neighbours(world)
            try:
                await made.start("storage-exporter-6d5f7c9b4d-x2x7k")
                await made.minutes(BEFORE // MINUTE)
                made.began = made.now
                yield made
            finally:
                await made.stop()
