"""
The simulated account: what exists, what is published of it, and when it can be seen.

A `World` is a function of (seed, instant, scenario, changes made by hand): reading it changes nothing, and the order
of questions does not matter. It knows no wire: `ec2`, `efs`, `s3`, `cloudwatch` and `sts` put it into AWS's dialects.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from exporter.demo import estate as estates
from exporter.demo import scenarios
from exporter.demo.bucket_world import BucketWorld
from exporter.demo.cache_metrics import CachePublisher
from exporter.demo.cache_world import CacheWorld
from exporter.demo.clock import WorldClock
from exporter.demo.curves import Curves, Effects
from exporter.demo.estate import Estate
from exporter.demo.key_world import KeyWorld
from exporter.demo.metrics import Datum, Dimensions, Publisher, Source
from exporter.demo.nouns import (
    GENESIS,
    GIB,
    AccessPoint,
    Attachment,
    FileSystem,
    Instance,
    Snapshot,
    Volume,
    identifier,
    leave,
)
from exporter.demo.percentiles import percentile
from exporter.demo.s3_metrics import S3Metrics
from exporter.demo.tables import ACCOUNT, DAY, REGION, zone


class World(BucketWorld, CacheWorld, KeyWorld):
    """
    One AWS account and region.

    Args:
        seed: makes ids and noise.

        now: the instant, unix seconds; a `WorldClock` can be set through the server's control pages.

        estate: what exists; None for the estate of the mission.

        account_id: of the account.

        region: AWS region name.

    ``roles`` are those anybody may assume, of any account, each with its external id or None; of them,
    ``untagged_roles`` lack sts:TagSession in their trust policies. ``web_identities`` is role ARN to the token that
    is good for it, ``ended_web_identities`` are tokens whose time is over.
    """

    def __init__(
        self,
        seed: int = 1,
        now: Callable[[], float] | None = None,
        *,
        estate: Estate | None = None,
        account_id: str = ACCOUNT,
        region: str = REGION,
    ) -> None:
        self.seed = seed
        self.now: Callable[[], float] = now if now is not None else WorldClock()
        self.account_id = account_id
        self.region = region
        self.roles: dict[str, str | None] = {f"arn:aws:iam::{account_id}:role/storage-exporter": None}
        self.untagged_roles: set[str] = set()
        self.web_identities: dict[str, str] = {}
        self.ended_web_identities: set[str] = set()
        self.active: tuple[str, float] = ("quiet", 0.0)
        self.account_buckets = self.own_buckets
        self._base = estate if estate is not None else estates.mission(seed)
        self._put: dict[tuple[str, str, Dimensions], dict[int, float]] = {}
        self._rebuild()

    @classmethod
    def empty(
        cls, seed: int = 1, now: Callable[[], float] | None = None, *, account_id: str = ACCOUNT, region: str = REGION
    ) -> World:
        """An account with nothing in it."""
        return cls(seed, now, estate=Estate(), account_id=account_id, region=region)

    def _rebuild(self) -> None:
        name, start = self.active
        self.estate, effects = scenarios.apply(name, start, self._base, lambda item: identifier("vol", self.seed, item))
        self.effects: Effects = effects
        self.curves = Curves(self.seed, effects)
        s3 = S3Metrics(self.estate, self.curves, self.region, self._of_account)
        self._publisher = Publisher(self.estate, self.curves, (s3, CachePublisher(self.estate, self.curves)))

    def scenario(self, name: str, start: float | None = None) -> None:
        """
        Put the world into a scenario that began at *start* (now); ``quiet`` ends it.

        Raises:
            ValueError: there is no such scenario.
        """
        began = self.now() if start is None else start
        scenarios.apply(name, began, self._base, lambda item: item)
        self.active = (name, began)
        self._rebuild()

    # --- what exists -----------------------------------------------------------------------------------------------

    def volumes(self, at: float | None = None) -> list[Volume]:
        """The volumes DescribeVolumes knows, by id; one that was repeated is there twice."""
        instant = self._at(at)
        found = [item for item in self.estate.volumes.values() if item.exists(instant)]
        found += [item for item in found if item.volume_id in self.estate.repeated]
        return sorted(found, key=lambda item: item.volume_id)

    def volume(self, name: str) -> Volume:
        """One volume by id or by the estate's name (``data-postgres-0``), whatever its state. KeyError if none."""
        found = self.estate.volumes.get(name) or next(
            (item for item in self.estate.volumes.values() if item.name == name), None
        )
        if found is None:
            raise KeyError(name)
        return found

    def instances(self, at: float | None = None) -> list[Instance]:
        """The instances DescribeInstances knows, by id."""
        instant = self._at(at)
        found = (item for item in self.estate.instances.values() if item.state(instant) is not None)
        return sorted(found, key=lambda item: item.instance_id)

    def instance(self, name: str) -> Instance:
        """One instance by id or name (``node-a1``). KeyError if none."""
        found = self.estate.instances.get(name) or next(
            (item for item in self.estate.instances.values() if item.name == name), None
        )
        if found is None:
            raise KeyError(name)
        return found

    def file_systems(self, at: float | None = None) -> list[FileSystem]:
        """The file systems DescribeFileSystems knows, by id."""
        instant = self._at(at)
        found = (item for item in self.estate.file_systems.values() if item.exists(instant))
        return sorted(found, key=lambda item: item.file_system_id)

    def file_system(self, name: str) -> FileSystem:
        """One file system by id or name (``eks_production``). KeyError if none."""
        found = self.estate.file_systems.get(name) or next(
            (item for item in self.estate.file_systems.values() if item.name == name), None
        )
        if found is None:
            raise KeyError(name)
        return found

    def snapshots(self, at: float | None = None) -> list[Snapshot]:
        """Own snapshots and those others have made public, by id."""
        instant = self._at(at)
        made = [item for volume in self.estate.volumes.values() for item in self._snapshots_of(volume, instant)]
        made += [
            Snapshot(
                item.snapshot_id,
                identifier("vol", self.seed, "image-builder"),
                20,
                self.account_id,
                GENESIS,
                "completed",
                "100%",
                GENESIS + 400.0,
                encrypted=True,
                full_size_bytes=4 * GIB,
                tags=(("Name", "golden-image"),),
            )
            for item in self.estate.fast_restores
        ]
        return sorted([*made, *self.estate.foreign_snapshots], key=lambda item: item.snapshot_id)

    def _snapshots_of(self, volume: Volume, instant: float) -> Iterator[Snapshot]:
        plan = volume.snapshots
        if plan is None:
            return
        newest = (min(instant, volume.deleted) - plan.offset) // plan.every * plan.every + plan.offset
        for number in range(plan.keep):
            started = newest - number * plan.every
            if started < volume.created:
                return
            done = instant >= started + plan.takes
            name = f"snapcontent-{identifier('x', self.seed, f'{volume.volume_id}{started:.0f}')[2:]}"
            yield Snapshot(
                identifier("snap", self.seed, f"{volume.volume_id}{started:.0f}"),
                volume.volume_id,
                volume.size,
                self.account_id,
                started,
                "completed" if done else "pending",
                "100%" if done else f"{int(100 * (instant - started) / plan.takes)}%",
                started + plan.takes if done else None,
                volume.encrypted,
                volume.size * GIB * 2 // 5,
                (("CSIVolumeSnapshotName", name), ("ebs.csi.aws.com/cluster", "true")),
            )

    def volume_status(self, volume: Volume, at: float | None = None) -> tuple[str, str]:
        """The status of a volume and of its I/O performance, in AWS's words."""
        instant = self._at(at)
        if Effects.during(self.effects.stalled, volume.volume_id, instant):
            return "impaired", "stalled"
        if Effects.during(self.effects.degraded, volume.volume_id, instant):
            return "warning", "degraded"
        return "ok", "normal"

    # --- what is published -----------------------------------------------------------------------------------------

    def points(
        self,
        namespace: str,
        metric: str,
        dimensions: Dimensions,
        stat: str,
        period: int,
        start: float,
        end: float,
        at: float | None = None,
    ) -> list[tuple[int, float]]:
        """
        The datapoints GetMetricData gives: (start of the period, value), oldest first, empty when there is nothing.

        Args:
            dimensions: exactly the metric's own.

            stat: ``Sum``, ``Average``, ``Minimum``, ``Maximum``, ``SampleCount``, and ``p…`` where the metric has
                percentiles; others give nothing.

            period: seconds.

            start: unix seconds, rounded down as CloudWatch does; `end` is exclusive.

            at: the instant of asking; None for now. What is published later than it is not seen.
        """
        instant = self._at(at)
        source = self._source(namespace, metric, dimensions)
        if source is None:
            return []
        first = _rounded(start, instant)
        kept = instant - (15 * DAY if period < 300 else 63 * DAY if period < 3600 else 455 * DAY)
        identity = f"{namespace}|{metric}|{sorted(dimensions)}"
        usual = 90.0 + 60.0 * self.curves.chance(identity, 0)[0] if source.lateness is None else source.lateness
        buckets: dict[int, list[Datum]] = {}
        begin = math.ceil(max(first, kept) / source.period) * source.period
        for stamp in range(begin, math.ceil(min(end, instant)), source.period):
            if not self._visible(stamp + source.period, usual, instant):
                break
            datum = source.at(stamp)
            if datum is not None:
                buckets.setdefault(first + (stamp - first) // period * period, []).append(datum)
        folded = ((stamp, _fold(data, stat)) for stamp, data in buckets.items())
        return [(stamp, value) for stamp, value in folded if value is not None]

    def metrics(self, namespace: str = "", at: float | None = None) -> Iterator[tuple[str, str, Dimensions, float]]:
        """
        What ListMetrics lists: (namespace, metric, dimensions, start of the newest datapoint).

        A metric is listed from 15 minutes after its first datapoint until two weeks after its last.
        """
        instant = self._at(at)
        for space, metric, dimensions in [*self._publisher.catalog(), *self._put]:
            if namespace and space != namespace:
                continue
            source = self._source(space, metric, dimensions)
            newest = _newest(source, instant) if source else None
            if newest is not None:
                yield space, metric, dimensions, newest

    def _source(self, namespace: str, metric: str, dimensions: Dimensions) -> Source | None:
        given = self._put.get((namespace, metric, dimensions))
        if given is not None:
            return Source(60, lambda stamp: Datum.of(given[stamp]) if stamp in given else None)
        return self._publisher.source(namespace, metric, dimensions)

    def _visible(self, finished: float, usual: float, instant: float) -> bool:
        begin, end, by = self.effects.late
        if begin <= finished + usual < end:
            return instant >= max(finished + usual, min(finished + by, end))
        return instant >= finished + usual

    # --- changes by hand -------------------------------------------------------------------------------------------

    def _at(self, at: float | None) -> float:
        return self.now() if at is None else at

    def _keep(self, volume: Volume) -> Volume:
        self._base.volumes[volume.volume_id] = volume
        self._rebuild()
        return self.estate.volumes[volume.volume_id]

    def _own(self, name: str) -> Volume:
        return self._base.volumes[self.volume(name).volume_id]

    def add_volume(self, name: str, *, instance: str | None = None, at: float | None = None, **fields: Any) -> Volume:
        """
        A new volume, made (and attached to *instance*, if given) at *at* (now).

        Args:
            fields: of `Volume` that shall differ from 100 GiB of gp3 (3000 IOPS, 125 MiB/s).
        """
        instant = self._at(at)
        zone_name, zone_id = zone("a")
        host = self.instance(instance) if instance else None
        given: dict[str, Any] = {
            "volume_id": identifier("vol", self.seed, name),
            "name": name,
            "type": "gp3",
            "size": 100,
            "iops": 3000,
            "throughput": 125,
            "zone": host.zone if host else zone_name,
            "zone_id": host.zone_id if host else zone_id,
            "created": instant,
            "tags": (("Name", name),),
        }
        self._keep(Volume(**{**given, **fields}))
        return self.attach(name, instance, instant) if instance else self.volume(name)

    def attach(self, volume: str, instance: str, at: float | None = None, *, takes: float = 0.0) -> Volume:
        """Attach a volume (id or name); it is `attaching` for *takes* seconds (``math.inf``: for ever)."""
        instant, own = self._at(at), self._own(volume)
        device = f"/dev/xvdz{chr(ord('a') + len(own.attachments) % 26)}"
        new = Attachment(self.instance(instance).instance_id, device, instant, instant + takes)
        return self._keep(replace(own, attachments=(*own.attachments, new)))

    def detach(
        self, volume: str, at: float | None = None, *, takes: float = 0.0, instance: str | None = None
    ) -> Volume:
        """Detach a volume (from *instance*, or from all); it is `detaching` for *takes* seconds."""
        host = self.instance(instance).instance_id if instance else None
        return self._keep(leave(self._own(volume), self._at(at), takes, host))

    def delete_volume(self, volume: str, at: float | None = None) -> None:
        """Detach a volume and delete it; DescribeVolumes does not know it from that instant."""
        instant = self._at(at)
        self._keep(replace(leave(self._own(volume), instant, 0.0), deleted=instant))

    def update_volume(self, volume: str, **fields: Any) -> Volume:
        """Change fields of a volume as if they had always been so."""
        return self._keep(replace(self._own(volume), **fields))

    def repeat_volume(self, volume: str) -> None:
        """From now on DescribeVolumes gives this volume twice: two resources that would make the same series."""
        self._base.repeated = (*self._base.repeated, self.volume(volume).volume_id)
        self._rebuild()

    def add_file_system(self, system: FileSystem) -> None:
        """Put a file system into the account, or another one in the place of the same id."""
        self._base.file_systems[system.file_system_id] = system
        self._rebuild()

    def update_file_system(self, name: str, **fields: Any) -> FileSystem:
        """Change fields of a file system as if they had always been so."""
        changed = replace(self._base.file_systems[self.file_system(name).file_system_id], **fields)
        self.add_file_system(changed)
        return changed

    def add_access_point(self, file_system: str, point: AccessPoint) -> None:
        """Put an access point on a file system."""
        known = self.file_system(file_system)
        self.update_file_system(file_system, access_points=(*known.access_points, point))

    def put_points(
        self, namespace: str, metric: str, dimensions: Mapping[str, str], points: Mapping[int, float]
    ) -> None:
        """Replace a metric's curve by given 1-minute datapoints: start of the minute (unix seconds) to value."""
        self._put[namespace, metric, frozenset(dimensions.items())] = dict(points)


def _newest(source: Source, instant: float) -> float | None:
    """The newest datapoint listed at *instant*, looked for at steps over two weeks; None when there is none."""
    seen = instant - (900 if source.lateness is None else source.period + source.lateness)
    top, oldest = int(seen // source.period) * source.period, int(instant - 14 * DAY)
    near = range(top, max(top - 40 * source.period, oldest), -source.period)
    far = range(top // 3600 * 3600, oldest, -3600) if source.period <= 3600 else ()
    return next((float(stamp) for stamp in (*near, *far) if source.at(stamp) is not None), None)


def _rounded(start: float, instant: float) -> int:
    """StartTime as CloudWatch rounds it down: to a minute, five minutes or an hour, by its age (GetMetricData)."""
    age = instant - start
    step = 60 if age < 15 * DAY else 300 if age < 63 * DAY else 3600
    return int(start // step) * step


def _fold(data: list[Datum], stat: str) -> float | None:
    """One statistic over the raw datapoints of a period."""
    if stat.startswith("p"):
        return percentile(data, stat)
    fold = _FOLDS.get(stat)
    return fold(data) if fold is not None else None


def _average(data: list[Datum]) -> float | None:
    count = sum(item.count for item in data)
    return sum(item.total for item in data) / count if count else None


_FOLDS: dict[str, Callable[[list[Datum]], float | None]] = {
    "Sum": lambda data: sum(item.total for item in data),
    "SampleCount": lambda data: sum(item.count for item in data),
    "Average": _average,
    "Minimum": lambda data: min((item.low for item in data if item.low is not None), default=None),
    "Maximum": lambda data: max((item.high for item in data if item.high is not None), default=None),
}
