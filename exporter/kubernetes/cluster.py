"""
The cluster as it is known now: its kinds kept up to date side by side, whose each volume is, and the facts of all.

Each kind fails alone: what is not allowed, or was not heard of for too long, is not known, and everybody goes on with
the rest. What it is made of is in `reflector` (how objects come), `claims` and `facts` (what they mean).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from exporter.clock import Clock, SystemClock
from exporter.cluster_telemetry import ClusterTelemetry
from exporter.facts import LEAST_AGE_LIMIT, Constant
from exporter.kubernetes.api import Api
from exporter.kubernetes.claims import gather, renewed
from exporter.kubernetes.facts import Said
from exporter.kubernetes.objects import DEFAULT, kinds
from exporter.kubernetes.reflector import Reflector
from exporter.model import NO_CLAIMS, Block, Claims
from exporter.store import Store

JOB = "kubernetes"
"""The job whose values the facts are, in the store."""

_LOOK = 0.5
"""Seconds between two looks at whether anything has changed."""

_SHARE = 20
"""Of its time, at most one in so many parts is spent on changes, however many there are."""

_REPEAT = 60.0
"""Seconds after which facts that have not changed are put again: they are as fresh as the API's last word."""


class Wanted(Protocol):
    """What of the configuration decides which kinds there are."""

    @property
    def pods(self) -> bool:
        """Whether pods are watched."""
        ...

    @property
    def csi_drivers(self) -> bool:
        """Whether CSIDriver objects are watched."""
        ...


class Cluster:
    """
    One cluster.

    Args:
        api: of it.

        wanted: which kinds beyond the usual.

        clock: whose instants the facts carry. What is waited for is waited for in real time.

        telemetry: told how each kind stands.

        age_limit: seconds after the API's last word from which on a kind is not known any more.

    ``claims`` is whose the volumes are, the same object while nothing has changed; ``version`` grows with each change.
    """

    def __init__(
        self,
        api: Api,
        wanted: Wanted,
        clock: Clock,
        telemetry: ClusterTelemetry,
        age_limit: float = LEAST_AGE_LIMIT,
    ) -> None:
        self._clock = clock
        self._real = SystemClock()
        self._telemetry = telemetry
        self._age_limit = age_limit
        self._annotations: frozenset[str] = frozenset()
        names = (*DEFAULT, *(("pods",) if wanted.pods else ()), *(("csidrivers",) if wanted.csi_drivers else ()))
        self._reflectors = {
            kind.name: Reflector(api, kind, self._real, jitter=random.random)
            for kind in kinds(names, lambda key: key in self._annotations)
        }
        self._taken: dict[str, tuple[int, bool]] = {}
        self._state: dict[str, Mapping[str, Any] | None] = dict.fromkeys(self._reflectors)
        self._versions = dict.fromkeys(self._reflectors, 0)
        self._left_out: Mapping[str, int] = {}
        self._said = Said()
        self._changed = asyncio.Condition()
        self._group: asyncio.TaskGroup | None = None
        self._running: dict[str, asyncio.Task[None]] = {}
        self.claims: Claims = NO_CLAIMS
        self.version = 0

    def keep(self, annotations: Collection[str]) -> None:
        """Keep these annotations of claims from now on; claims are read again where that needs others than before."""
        fresh = frozenset(annotations) - self._annotations
        self._annotations = frozenset(annotations)
        reflector = self._reflectors["persistentvolumeclaims"]
        if fresh and self._group is not None:
            self._running[reflector.kind.name].cancel()
            reflector.forget()
            self._running[reflector.kind.name] = self._group.create_task(reflector.run())

    @property
    def troubles(self) -> Mapping[str, str]:
        """What is the matter with each kind that has not been well since it was last asked for, by kind."""
        return {name: each.trouble for name, each in self._reflectors.items() if each.trouble}

    async def run(self) -> None:
        """Keep up with the API until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._running = {name: group.create_task(each.run()) for name, each in self._reflectors.items()}
            group.create_task(self._keep_up())

    async def settled(self, seconds: float) -> None:
        """Return when each kind is listed or has failed and what they mean is known, or after *seconds*."""
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(each.answered() for each in self._reflectors.values()))
                await self._look()
        except TimeoutError:
            return

    async def keep_facts(self, store: Store, constant: Constant) -> None:
        """Put the facts of now into *store*."""
        store.put(JOB, await self._blocks(constant), at=int(self._clock.time()))

    async def publish(self, store: Store, constant: Constant) -> None:
        """Keep the facts in *store* up to date until cancelled, and withdraw them then."""
        try:
            while True:
                version = self.version
                await self.keep_facts(store, constant)
                await self._wait(version)
        finally:
            store.remove(JOB)

    async def _wait(self, version: int) -> None:
        """
        Return when something has changed since *version*, or when it is time to repeat: by the clock that facts are
        stamped and aged by, which a demo may let run faster than the machine's.
        """
        waits = [asyncio.create_task(each) for each in (self._change(version), self._clock.sleep(_REPEAT))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _change(self, version: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.version != version)

    async def _blocks(self, constant: Constant) -> list[Block]:
        facts = await self._said.facts(self._state, self._versions, constant)
        return facts.blocks(int(self._clock.time()))

    async def _keep_up(self) -> None:
        """Look at what has changed; the more there is to do, the rarer."""
        monotonic = self._real.monotonic
        while True:
            began = monotonic()
            await self._look()
            await asyncio.sleep(max(_LOOK, _SHARE * (monotonic() - began)))

    async def _look(self) -> None:
        """Take over what the reflectors have, and say what it means."""
        before = dict(self._taken)
        for name, reflector in self._reflectors.items():
            known = reflector.listed and self._real.time() - reflector.contact <= self._age_limit
            if self._taken.get(name) != (reflector.version, known):
                self._taken[name] = (reflector.version, known)
                self._state[name] = reflector.objects if known else None
                self._versions[name] += 1
        if self._taken != before:
            claims, self._left_out = await gather(self._state)
            self.claims = renewed(self.claims, claims)
            self.version += 1
            async with self._changed:
                self._changed.notify_all()
        for name, reflector in self._reflectors.items():
            self._measure(name, reflector, known=self._state[name] is not None)

    def _measure(self, name: str, reflector: Reflector, *, known: bool) -> None:
        skipped = Counter(reflector.skipped)
        skipped.update(self._said.left_out.get(name, {}))
        if name == "persistentvolumes":
            skipped.update(self._left_out)
        self._telemetry.kind(
            name, known=known, objects=len(reflector.objects), skipped=skipped, contact=reflector.contact
        )
