"""Pins by claims: what an annotation or a StorageClass pins is asked every minute, and no longer than that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from exporter.cloudwatch.grid import Grid
from exporter.collect import Settings
from exporter.model import Claim, Claims, Inventory
from exporter.services.registry import SERVICES
from exporter.settings import sections, settings_of, wishes_of
from tests.claims_scene import Scene, by_access_point, by_volume, known, scene
from tests.harness import T, config_of

PINS = {"annotations": {"monitoring/pin": "yes"}, "storage_classes": ["io2-sc"], "tags": {"pin": "yes"}}


@asynccontextmanager
async def pinning(monkeypatch: pytest.MonkeyPatch, name: str) -> AsyncIterator[tuple[Scene, Settings]]:
    """A service with a configuration that pins, and what a pass of it is told."""
    config = config_of(pins=PINS)
    section = sections(config)[name]
    settings = settings_of(SERVICES[name], section, config)
    async with scene(monkeypatch, name, wishes_of(settings, section, config)) as over:
        yield over, settings


def pinned(inventory: Inventory, settings: Settings) -> dict[str, set[tuple[str, ...]]]:
    """What a grid of the inventory asks every minute because of a pin: ids by kind."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for group in Grid(inventory.resources, settings.rows, settings.pinned).groups:
        if group.pinned:
            assert group.every == max(60, group.rows[0].period)
            found.setdefault(group.rows[0].kind.name, set()).update(each.id for each in group.resources)
    return found


async def test_a_claim_pins_its_volume_while_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """By annotation, by class, by the volume's own tag; and not any more when Kubernetes does not say so any more."""
    async with pinning(monkeypatch, "ebs") as (over, settings):
        world = over.world
        first, second = (world.volume(name) for name in ("data-postgres-0", "data-mongodb-0"))
        tagged = world.add_volume("tagged", instance="node-a1", at=T - 3600, tags=(("pin", "yes"),))
        volumes = by_volume(world)

        def expected(*names: str) -> dict[str, set[tuple[str, ...]]]:
            held = [each for each in world.volumes() if each.name in names]
            return {
                "ebs-volume": {(each.volume_id,) for each in held},
                "ebs-attachment": {(host.instance_id, each.volume_id) for each in held for host in each.held(T)},
            }

        over.claims = known(volumes)
        assert pinned(await over.look(), settings) == expected("tagged")
        annotated = replace(volumes[first.volume_id], annotations={"monitoring/pin": "yes", "other": "x"})
        over.claims = known({**volumes, first.volume_id: annotated})
        inventory = await over.look(T + 60)
        assert pinned(inventory, settings) == expected("tagged", first.name)
        fast = replace(volumes[second.volume_id], storageclass="io2-sc")
        over.claims = known({**volumes, first.volume_id: annotated, second.volume_id: fast, "vol-elsewhere": fast})
        assert pinned(await over.look(T + 120), settings) == expected("tagged", first.name, second.name)
        over.claims = known({**volumes, second.volume_id: fast})
        assert pinned(await over.look(T + 180), settings) == expected("tagged", second.name)
        over.claims = Claims({**volumes, second.volume_id: fast})  # Kubernetes is not known any more
        assert pinned(await over.look(T + 240), settings) == expected("tagged")
        assert tagged.volume_id in {each.id[-1] for each in inventory.resources}


async def test_a_pin_costs_the_resources_it_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    """All others stay the very same objects and go on sharing their facts; a claim that pins nothing costs none."""
    async with pinning(monkeypatch, "ebs") as (over, _):
        volume = over.world.volume("data-postgres-0").volume_id
        volumes = by_volume(over.world)
        over.claims = known(volumes)
        before = await over.look()
        over.claims = known({**volumes, volume: replace(volumes[volume], storageclass="io2-sc")})
        after = await over.look(T + 60)
        changed = [(a, b) for a, b in zip(before.resources, after.resources, strict=True) if a is not b]
        assert {(b.kind.name, b.id[-1]) for _, b in changed} == {("ebs-volume", volume), ("ebs-attachment", volume)}
        assert all("pinned" not in a.facts and b.facts == {**a.facts, "pinned": True} for a, b in changed)
        over.claims = known({**volumes, volume: replace(volumes[volume], annotations={"monitoring/pin": "no"})})
        last = await over.look(T + 120)
        assert all(a.facts == b.facts for a, b in zip(before.resources, last.resources, strict=True))


async def test_any_claim_of_a_file_system_pins_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an access point or of a path; its storage classes and replication go with it, other file systems do not."""
    async with pinning(monkeypatch, "efs") as (over, settings):
        shared, media = (over.world.file_system(name).file_system_id for name in ("eks_production", "media"))
        points = by_access_point(over.world)
        over.claims = known({}, access_points=points)
        assert pinned(await over.look(), settings) == {}
        point = list(points)[3]
        claim = replace(points[point][0], annotations={"monitoring/pin": "yes"})
        over.claims = known({}, access_points={**points, point: [points[point][0], claim]})
        inventory = await over.look(T + 60)
        assert {each.id[0] for each in inventory.resources if settings.pinned(each)} == {shared}
        assert all(map(settings.pinned, (each for each in inventory.resources if each.id[0] == shared)))
        assert set(pinned(inventory, settings)) == {"efs-file-system", "efs-storage-class", "efs-replication"}
        over.claims = known({}, access_points=points, file_systems={media: [Claim("pv", storageclass="io2-sc")]})
        found = pinned(await over.look(T + 120), settings)
        assert {name for ids in found.values() for name, *_ in ids} == {media}
        over.claims = replace(over.claims, known=False)
        assert pinned(await over.look(T + 180), settings) == {}


async def test_a_claim_pins_its_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything CloudWatch is asked about it, and nothing of another bucket."""
    async with pinning(monkeypatch, "s3") as (over, settings):
        before = await over.look()
        kinds: dict[str, set[str]] = {}
        for resource in before.resources:
            kinds.setdefault(resource.id[0], set()).add(resource.kind.name)
        bucket = max(sorted(kinds), key=lambda name: len(kinds[name]))
        assert len(kinds[bucket]) > 2
        mounting = Claim("pv", "models", "ml", annotations={"monitoring/pin": "yes"})
        over.claims = known({}, buckets={bucket: [Claim("other"), mounting], "elsewhere": [mounting]})
        found = await over.look(T + 60)
        assert {resource.id[0] for resource in found.resources if settings.pinned(resource)} == {bucket}
        assert {resource.kind.name for resource in found.resources if settings.pinned(resource)} == kinds[bucket]
        assert {name for ids in pinned(found, settings).values() for name, *_ in ids} == {bucket}
        over.claims = replace(over.claims, known=False)
        assert not any(map(settings.pinned, (await over.look(T + 120)).resources))
