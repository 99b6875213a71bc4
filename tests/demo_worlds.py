"""What the tests of the simulated account share: a world at a fixed instant, and short ways to ask it."""

from __future__ import annotations

from exporter.demo import World, WorldClock

NOW = 1_787_479_200.0  # 2026-08-23T10:00:00Z
Pairs = dict[str, str]


def world(at: float = NOW, seed: int = 1) -> World:
    return World(seed, WorldClock(at))


def points(
    of: World,
    metric: str,
    given: Pairs,
    stat: str = "Average",
    *,
    space: str = "AWS/EBS",
    period: int = 60,
    back: float = 900,
) -> list[tuple[int, float]]:
    now = of.now()
    return of.points(space, metric, frozenset(given.items()), stat, period, now - back, now)


def of_volume(of: World, name: str, *, paired: bool = False) -> Pairs:
    volume = of.volume(name)
    host = {"InstanceId": volume.held(of.now())[0].instance_id} if paired else {}
    return {"VolumeId": volume.volume_id, **host}
