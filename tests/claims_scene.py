"""One service's discovery against the simulated AWS, beside claims as a test makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from exporter.aws.api import Access
from exporter.clock import FixedClock
from exporter.demo import DemoServer, World, WorldClock
from exporter.model import NO_CLAIMS, Claim, Claims, Inventory, Scope
from exporter.services.base import Wishes
from exporter.services.reader import Reader
from exporter.services.registry import SERVICES
from tests.aws_wire import REGION, running
from tests.calls import remember
from tests.harness import T

SCOPE = Scope("123456789012", REGION)
NO_WISHES = Wishes()


class Scene:
    """One service in one scope of a simulated AWS; the test says what Kubernetes says, and when a pass is."""

    def __init__(self, server: DemoServer, access: Access, name: str, wishes: Wishes) -> None:
        self.server = server
        self.world = server.world
        self.claims = NO_CLAIMS
        self.asked: Callable[[], None] = lambda: None
        self._clock = FixedClock(T)
        self._reader = Reader(access, name, self._clock, {}, lambda *_: None)
        kinds = wishes.kinds or frozenset(row.kind.name for row in SERVICES[name].rows)
        self._service = SERVICES[name](replace(wishes, kinds=kinds, claims=self._of_now))

    def _of_now(self) -> Claims:
        self.asked()
        return self.claims

    async def look(self, at: float = T) -> Inventory:
        """A pass of discovery at an instant."""
        self._clock.at = at
        clock = self.world.now
        assert isinstance(clock, WorldClock)
        clock.set(at, 0)
        self._reader.start_pass()
        return await self._service.discover(self._reader, SCOPE)

    async def said(self, family: str, at: float = T) -> set[tuple[str, ...]]:
        """What a pass says of a family: label values after those of the scope."""
        return said(await self.look(at), family)


def said(inventory: Inventory, family: str) -> set[tuple[str, ...]]:
    """What is said of a family: label values after those of the scope."""
    found = [sample.labels[2:] for sample in inventory.samples if sample.family.name == family]
    assert len(found) == len(set(found))
    return set(found)


def alike(one: Inventory, other: Inventory) -> bool:
    """Whether resources and assets are the very same objects."""
    pairs = [*zip(one.resources, other.resources, strict=True), *zip(one.assets, other.assets, strict=True)]
    return all(a is b for a, b in pairs)


@asynccontextmanager
async def scene(monkeypatch: pytest.MonkeyPatch, name: str, wishes: Wishes = NO_WISHES) -> AsyncIterator[Scene]:
    """The service, with *wishes* but for their claims, which are the test's."""
    async with DemoServer(World(1, WorldClock(at=T))) as server, running() as runtime:
        for key, value in server.environment().items():
            monkeypatch.setenv(key, value)
        access = runtime.open(REGION)
        await access.identify()
        yield Scene(server, access, name, wishes)
        remember(server.calls)


def by_volume(world: World) -> dict[str, Claim]:
    """The persistent volumes of the world's claims, by volume."""
    return {
        volume.volume_id: Claim(
            volume.claim.persistentvolume,
            volume.claim.name,
            volume.claim.namespace,
            volume.claim.storageclass,
            zone=volume.zone,
            created=int(volume.created) + 3,
        )
        for volume in world.volumes()
        if volume.claim is not None
    }


def by_access_point(world: World) -> dict[str, list[Claim]]:
    """The persistent volumes of the world's claims, by access point."""
    return {
        point.access_point_id: [
            Claim(
                point.claim.persistentvolume,
                point.claim.name,
                point.claim.namespace,
                point.claim.storageclass,
                created=int(point.created) + 3,
                file_system_id=system.file_system_id,
            )
        ]
        for system in world.file_systems()
        for point in system.access_points
        if point.claim is not None
    }


def known(volumes: Mapping[str, Claim], **more: Any) -> Claims:
    return Claims(volumes, **more, known=True)
