"""
What CloudWatch has of the estate: which metrics under which dimensions, at which period, and how statistics fold.

Absence is a fact here: a detached volume, a gp3 volume's BurstBalance, a Xen instance's latency, `{VolumeId}` where AWS
publishes `{InstanceId, VolumeId}` give nothing. Sources: EBS User Guide "Amazon CloudWatch metrics for Amazon EBS",
EC2 User Guide "CloudWatch metrics that are available for your instances", EFS User Guide "CloudWatch metrics".
When a datapoint can be seen is decided in `world`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from exporter.demo.curves import MINUTE, Curves, Effects, FileMinute, VolumeMinute
from exporter.demo.estate import Estate
from exporter.demo.nouns import KIB, FileSystem, Instance, Volume

Dimensions = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Datum:
    """
    One raw datapoint as AWS keeps it; `low` and `high` are None where Minimum and Maximum do not exist.

    `sample` is observations in order, each for an equal part of `count`; empty where percentiles do not exist.
    """

    total: float
    count: float = 1.0
    low: float | None = None
    high: float | None = None
    sample: tuple[float, ...] = ()

    @staticmethod
    def of(value: float) -> Datum:
        """A datapoint of a single observation."""
        return Datum(value, 1.0, value, value)

    @staticmethod
    def of_many(samples: tuple[float, ...]) -> Datum:
        """A datapoint of many observations (ascending, at least one), of which percentiles exist."""
        return Datum(sum(samples), float(len(samples)), samples[0], samples[-1], samples)


@dataclass(frozen=True, slots=True)
class Source:
    """
    One metric: its own period (seconds), and the datapoint that starts at a multiple of it, None if unpublished.

    `lateness` is seconds from the end of a period until its datapoint can be seen; None: the usual.
    """

    period: int
    at: Callable[[int], Datum | None]
    lateness: float | None = None


@dataclass(frozen=True, slots=True)
class _VolumeMetric:
    value: Callable[[VolumeMinute, Volume], float]
    operations: Callable[[VolumeMinute], int] | None = None  # what Xen counts, and needs, to publish
    types: frozenset[str] | None = None
    shared: bool = True  # published for Multi-Attach volumes too


_IO = frozenset({"io1", "io2"})


def _consumed(minute: VolumeMinute, _: Volume) -> float:
    """Operations in units of 256 KiB (EBS User Guide)."""
    unit = 256 * KIB
    reads = minute.read_ops * -(-(minute.read_bytes // max(1, minute.read_ops)) // unit)
    return reads + minute.write_ops * -(-(minute.write_bytes // max(1, minute.write_ops)) // unit)


VOLUME: Mapping[str, _VolumeMetric] = {
    "VolumeReadBytes": _VolumeMetric(lambda m, _: m.read_bytes, lambda m: m.read_ops),
    "VolumeWriteBytes": _VolumeMetric(lambda m, _: m.write_bytes, lambda m: m.write_ops),
    "VolumeReadOps": _VolumeMetric(lambda m, _: m.read_ops, lambda m: m.read_ops),
    "VolumeWriteOps": _VolumeMetric(lambda m, _: m.write_ops, lambda m: m.write_ops),
    "VolumeTotalReadTime": _VolumeMetric(lambda m, _: m.read_seconds, lambda m: m.read_ops, shared=False),
    "VolumeTotalWriteTime": _VolumeMetric(lambda m, _: m.write_seconds, lambda m: m.write_ops, shared=False),
    "VolumeIdleTime": _VolumeMetric(lambda m, _: m.idle_seconds, shared=False),
    "VolumeQueueLength": _VolumeMetric(lambda m, _: m.queue),
    "VolumeThroughputPercentage": _VolumeMetric(
        lambda m, v: 100.0 * (m.read_ops + m.write_ops) / MINUTE / max(1, v.iops), types=_IO, shared=False
    ),
    "VolumeConsumedReadWriteOps": _VolumeMetric(_consumed, types=_IO),
    "BurstBalance": _VolumeMetric(lambda *_: 0.0, types=frozenset({"gp2", "st1", "sc1"})),
}
"""Under ``{VolumeId}``."""


@dataclass(frozen=True, slots=True)
class _PairMetric:
    value: Callable[[VolumeMinute, float], float]  # the minute, the share of this attachment
    check: bool = False  # an ExceededCheck: not for `standard`, not for Multi-Attach


def _mean_ms(seconds: float, operations: int) -> float:
    return 1000.0 * seconds / operations if operations else 0.0


PAIR: Mapping[str, _PairMetric] = {
    "VolumeAvgReadLatency": _PairMetric(lambda m, _: _mean_ms(m.read_seconds, m.read_ops)),
    "VolumeAvgWriteLatency": _PairMetric(lambda m, _: _mean_ms(m.write_seconds, m.write_ops)),
    "VolumeAvgIOPS": _PairMetric(lambda m, share: (m.read_ops + m.write_ops) * share / MINUTE),
    "VolumeAvgThroughput": _PairMetric(lambda m, share: (m.read_bytes + m.write_bytes) * share / MINUTE / KIB),
    "VolumeIOPSExceededCheck": _PairMetric(lambda m, _: m.iops_exceeded, check=True),
    "VolumeThroughputExceededCheck": _PairMetric(lambda m, _: m.throughput_exceeded, check=True),
    "VolumeStalledIOCheck": _PairMetric(lambda m, _: m.stalled),
}
"""Under ``{InstanceId, VolumeId}``, Nitro only."""

_TRAFFIC: Mapping[str, Callable[[VolumeMinute], int]] = {
    "EBSReadOps": lambda m: m.read_ops,
    "EBSWriteOps": lambda m: m.write_ops,
    "EBSReadBytes": lambda m: m.read_bytes,
    "EBSWriteBytes": lambda m: m.write_bytes,
}
_FAST_RESTORE = ("FastSnapshotRestoreCreditsBucketSize", "FastSnapshotRestoreCreditsBalance")
_BALANCES = ("EBSIOBalance%", "EBSByteBalance%")
_INSTANCE_CHECKS = ("InstanceEBSIOPSExceededCheck", "InstanceEBSThroughputExceededCheck")
_STATUS = (
    "StatusCheckFailed",
    "StatusCheckFailed_Instance",
    "StatusCheckFailed_System",
    "StatusCheckFailed_AttachedEBS",
)
INSTANCE = (*_TRAFFIC, *_BALANCES, *_INSTANCE_CHECKS, *_STATUS)
"""Under ``{InstanceId}``."""

FILE_SYSTEM: Mapping[str, Callable[[FileMinute], Datum | None]] = {
    "BurstCreditBalance": lambda m: Datum.of(m.credits),
    "PermittedThroughput": lambda m: Datum.of(m.permitted),
    "PercentIOLimit": lambda m: Datum.of(m.io_limit),
    "ClientConnections": lambda m: Datum.of(float(m.clients)),
    "MeteredIOBytes": lambda m: _bytes(m.metered, m.read_ops + m.write_ops + m.meta_read_ops + m.meta_write_ops),
    "TotalIOBytes": lambda m: _bytes(
        m.read_bytes + m.write_bytes + (m.meta_read_ops + m.meta_write_ops) * m.META_BYTES,
        m.read_ops + m.write_ops + m.meta_read_ops + m.meta_write_ops,
    ),
    "DataReadIOBytes": lambda m: _bytes(m.read_bytes, m.read_ops),
    "DataWriteIOBytes": lambda m: _bytes(m.write_bytes, m.write_ops),
    "MetadataIOBytes": lambda m: _bytes(
        (m.meta_read_ops + m.meta_write_ops) * m.META_BYTES, m.meta_read_ops + m.meta_write_ops
    ),
    "MetadataReadIOBytes": lambda m: _bytes(m.meta_read_ops * m.META_BYTES, m.meta_read_ops),
    "MetadataWriteIOBytes": lambda m: _bytes(m.meta_write_ops * m.META_BYTES, m.meta_write_ops),
}
"""Under ``{FileSystemId}``; an idle file system has no byte metrics."""


def _bytes(total: int, operations: int) -> Datum | None:
    return Datum(float(total), float(operations), total / operations, total / operations) if operations else None


class Published(Protocol):
    """What is published of one namespace, beside those `Publisher` knows itself."""

    def source(self, namespace: str, metric: str, dimensions: Dimensions) -> Source | None:
        """The metric under exactly these dimensions, or None when AWS has no such metric."""

    def catalog(self) -> Iterator[tuple[str, str, Dimensions]]:
        """Every (namespace, metric, dimensions) there ever was."""


class Publisher:
    """
    What is published of one estate.

    Args:
        estate: the resources with their lives.

        curves: what they do.

        others: further namespaces.
    """

    def __init__(self, estate: Estate, curves: Curves, others: Sequence[Published] = ()) -> None:
        self.estate = estate
        self.curves = curves
        self.others = others

    def source(self, namespace: str, metric: str, dimensions: Dimensions) -> Source | None:
        """The metric under exactly these dimensions, or None when AWS has no such metric."""
        given = dict(dimensions)
        names = frozenset(given)
        if namespace == "AWS/EBS":
            volume = self.estate.volumes.get(given.get("VolumeId", ""))
            if volume is not None and names == {"VolumeId"} and metric in VOLUME:
                return self._volume(volume, metric)
            if volume is not None and names == {"VolumeId", "InstanceId"} and metric in PAIR:
                return self._pair(volume, given["InstanceId"], metric)
            if metric in _FAST_RESTORE and names == {"SnapshotId", "AvailabilityZone"}:
                return self._fast_restore(given, metric)
        if namespace == "AWS/EC2" and names == {"InstanceId"}:
            instance = self.estate.instances.get(given["InstanceId"])
            return self._instance(instance, metric) if instance else None
        if namespace == "AWS/EFS":
            system = self.estate.file_systems.get(given.get("FileSystemId", ""))
            return self._file_system(system, metric, given) if system else None
        found = (other.source(namespace, metric, dimensions) for other in self.others)
        return next((item for item in found if item is not None), None)

    def catalog(self) -> Iterator[tuple[str, str, Dimensions]]:
        """Every (namespace, metric, dimensions) there ever was, to be asked by `source`."""
        for volume in self.estate.volumes.values():
            own = ("VolumeId", volume.volume_id)
            yield from _named("AWS/EBS", VOLUME, own)
            for host in dict.fromkeys(item.instance_id for item in volume.attachments):
                yield from _named("AWS/EBS", PAIR, own, ("InstanceId", host))
        for item in self.estate.fast_restores:
            yield from _named(
                "AWS/EBS", _FAST_RESTORE, ("SnapshotId", item.snapshot_id), ("AvailabilityZone", item.zone)
            )
        for instance in self.estate.instances.values():
            yield from _named("AWS/EC2", INSTANCE, ("InstanceId", instance.instance_id))
        for system in self.estate.file_systems.values():
            own = ("FileSystemId", system.file_system_id)
            yield from _named("AWS/EFS", FILE_SYSTEM, own)
            for storage_class in system.sizes(0.0):
                yield from _named("AWS/EFS", ("StorageBytes",), own, ("StorageClass", storage_class))
            if system.replication:
                other = ("DestinationFileSystemId", system.replication.destination_id)
                yield from _named("AWS/EFS", ("TimeSinceLastSync",), own, other)
        for further in self.others:
            yield from further.catalog()

    # --- EBS -------------------------------------------------------------------------------------------------------

    def _nitro(self, volume: Volume, minute: int) -> bool:
        hosts = (self.estate.instances.get(item.instance_id) for item in volume.carriers(minute))
        return any(host is not None and host.type.nitro for host in hosts)

    def _volume(self, volume: Volume, metric: str) -> Source | None:
        row = VOLUME[metric]
        if (row.types is not None and volume.type not in row.types) or (volume.multi_attach and not row.shared):
            return None

        def at(minute: int) -> Datum | None:
            if not volume.carriers(minute):
                return None
            nitro = self._nitro(volume, minute)
            if metric == "BurstBalance":
                return self._balance(volume, minute, nitro=nitro)
            work = self.curves.volume(volume, minute)
            value = float(row.value(work, volume))
            if nitro or row.operations is None:
                return Datum.of(value)
            operations = row.operations(work)
            return Datum(value, float(operations)) if operations else None

        return Source(MINUTE, at)

    def _balance(self, volume: Volume, minute: int, *, nitro: bool) -> Datum | None:
        if volume.type == "gp2" and volume.iops > 3000:
            return None if nitro else Datum.of(100.0)
        return Datum.of(self.curves.burst_balance(volume, minute))

    def _pair(self, volume: Volume, instance_id: str, metric: str) -> Source | None:
        row = PAIR[metric]
        instance = self.estate.instances.get(instance_id)
        if instance is None or not instance.type.nitro:
            return None
        if row.check and (volume.multi_attach or volume.type == "standard"):
            return None

        def at(minute: int) -> Datum | None:
            share = _share(volume, instance_id, minute)
            return Datum.of(float(row.value(self.curves.volume(volume, minute), share))) if share else None

        return Source(MINUTE, at)

    def _fast_restore(self, given: Mapping[str, str], metric: str) -> Source | None:
        for item in self.estate.fast_restores:
            if (item.snapshot_id, item.zone) == (given["SnapshotId"], given["AvailabilityZone"]):
                return _constant(item.capacity * (1.0 if metric.endswith("BucketSize") else 0.8), item.enabled)
        return None

    # --- EC2 -------------------------------------------------------------------------------------------------------

    def _instance(self, instance: Instance, metric: str) -> Source | None:
        kind = instance.type
        nitro_only = metric != "StatusCheckFailed" and metric not in {_STATUS[1], _STATUS[2]}
        if metric not in INSTANCE or (nitro_only and not kind.nitro):
            return None
        if kind.bare_metal and metric not in _STATUS:
            return None
        if metric in _BALANCES:
            balance = _published_while(instance, lambda minute: self._instance_balance(instance, metric, minute))
            return Source(300, balance) if kind.bursts else None
        if metric in _TRAFFIC:
            span = MINUTE if instance.detailed else 300
            return Source(span, _published_while(instance, lambda at: float(self._traffic(instance, metric, at, span))))
        return Source(MINUTE, _published_while(instance, lambda minute: self._instance_check(instance, metric, minute)))

    def _traffic(self, instance: Instance, metric: str, start: int, span: int) -> int:
        total = 0
        for minute in range(start, start + span, MINUTE):
            for volume in self.estate.volumes.values():
                share = _share(volume, instance.instance_id, minute)
                if share:
                    total += int(_TRAFFIC[metric](self.curves.volume(volume, minute)) * share)
        return total

    def _flow(self, instance: Instance, minute: int) -> tuple[float, float]:
        """Operations and bytes per second of all the instance's volumes in a minute."""
        read, write = (self._traffic(instance, name, minute, MINUTE) for name in ("EBSReadOps", "EBSWriteOps"))
        read_bytes, write_bytes = (
            self._traffic(instance, name, minute, MINUTE) for name in ("EBSReadBytes", "EBSWriteBytes")
        )
        return (read + write) / MINUTE, (read_bytes + write_bytes) / MINUTE

    def _instance_balance(self, instance: Instance, metric: str, start: int) -> float:
        """Percent of the bucket that half an hour at the maximum empties, after the hour before (5-minute steps)."""
        kind = instance.type
        base, top = (
            (float(kind.baseline_iops), float(kind.maximum_iops))
            if metric == _BALANCES[0]
            else (kind.baseline_throughput * 1e6, kind.maximum_throughput * 1e6)
        )
        capacity = (top - base) * 1800
        balance = capacity
        for minute in range(start - 3300, start + 1, 300):
            operations, flow = self._flow(instance, minute)
            used = operations if metric == _BALANCES[0] else flow
            balance = min(capacity, max(0.0, balance + (base - used) * 300))
        return 100.0 * balance / capacity

    def _instance_check(self, instance: Instance, metric: str, minute: int) -> float:
        if metric in _INSTANCE_CHECKS:
            operations, flow = self._flow(instance, minute)
            kind = instance.type
            over = (
                operations > kind.maximum_iops
                if metric == _INSTANCE_CHECKS[0]
                else flow > kind.maximum_throughput * 1e6
            )
            return float(over)
        stalled = any(
            _share(volume, instance.instance_id, minute) and self.curves.volume(volume, minute).stalled
            for volume in self.estate.volumes.values()
            if volume.volume_id in self.curves.effects.stalled
        )
        going = minute >= instance.stopping
        if metric == "StatusCheckFailed":
            return float(going or (stalled and instance.type.nitro))
        return float({_STATUS[1]: going, _STATUS[2]: going, _STATUS[3]: stalled}[metric])

    # --- EFS -------------------------------------------------------------------------------------------------------

    def _file_system(self, system: FileSystem, metric: str, given: Mapping[str, str]) -> Source | None:
        names = set(given)
        if metric == "StorageBytes" and names == {"FileSystemId", "StorageClass"}:
            storage_class = given["StorageClass"]
            if storage_class not in system.sizes(0.0):
                return None
            return Source(
                900, lambda at: Datum.of(float(system.sizes(at)[storage_class])) if system.exists(at) else None
            )
        if metric == "TimeSinceLastSync" and names == {"FileSystemId", "DestinationFileSystemId"}:
            replication = system.replication
            if replication is None or replication.destination_id != given["DestinationFileSystemId"]:
                return None
            return Source(MINUTE, lambda at: Datum.of(float(at - last_sync(system, at))) if system.exists(at) else None)
        if names != {"FileSystemId"} or metric not in FILE_SYSTEM:
            return None
        if metric == "BurstCreditBalance" and system.throughput_mode != "bursting":
            return None
        if metric == "PercentIOLimit" and system.performance_mode != "generalPurpose":
            return None
        row, silent = FILE_SYSTEM[metric], self.curves.effects.silent

        def at(minute: int) -> Datum | None:
            if not system.exists(minute) or Effects.during(silent, system.file_system_id, minute):
                return None
            return row(self.curves.files(system, minute))

        return Source(MINUTE, at)


def last_sync(system: FileSystem, at: float) -> int:
    """When replication last finished at *at*: 70 seconds after each turn of its period (unix seconds)."""
    every = system.replication.every if system.replication else 900
    return int((at - 70) // every * every + 70)


def _named(
    namespace: str, metrics: Iterable[str], *dimensions: tuple[str, str]
) -> Iterator[tuple[str, str, Dimensions]]:
    return ((namespace, metric, frozenset(dimensions)) for metric in metrics)


def _constant(value: float, since: float) -> Source:
    return Source(MINUTE, lambda minute: Datum.of(value) if minute >= since else None)


def _published_while(instance: Instance, value: Callable[[int], float]) -> Callable[[int], Datum | None]:
    return lambda at: Datum.of(value(at)) if instance.runs(at) else None


def _share(volume: Volume, instance_id: str, minute: int) -> float:
    """The part of a volume's work that passes through one instance; 0 when it is not attached there."""
    hosts = [item.instance_id for item in volume.carriers(minute)]
    if instance_id not in hosts:
        return 0.0
    return (len(hosts) - hosts.index(instance_id)) / (len(hosts) * (len(hosts) + 1) / 2)
