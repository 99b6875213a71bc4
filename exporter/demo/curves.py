"""
The work the estate does, minute by minute: operations, bytes, times, credits.

Each value is a function of (seed, resource, minute) through a hash, so no value depends on which were asked before;
the caches only save work. Values of one resource agree with each other: bytes are operations times a size, the queue
follows from the times (Little's law), metered I/O is writes plus a third of reads, credits follow the I/O. What is
published of it, and when, is the business of `metrics`.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from exporter.demo.nouns import GIB, KIB, MIB, TIB, FileSystem, Volume

MINUTE = 60
HOUR = 3600
DAY = 86_400
_LOCAL_HOURS = 7  # Jakarta
_CACHE_LIMIT = 400_000

GP2_BUCKET = 5_400_000
"""I/O credits of a gp2 volume (EBS User Guide, General Purpose SSD volumes)."""

COPIED_BYTES = 40.0 * MIB
"""Bytes a second that a backup reads beside the ordinary work."""

EFS_LEVEL = 1.2 * TIB
"""Where the credit balance of a bursting file system stands in ordinary days, bytes."""


@dataclass(frozen=True, slots=True)
class Effects:
    """
    What a scenario does to the curves: per volume id, file system id or bucket, the instants between which it holds.

    `late` is between which instants CloudWatch publishes how many seconds late; by the second it has caught up.
    """

    throttled: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    stalled: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    degraded: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    drained: Mapping[str, float] = field(default_factory=dict)
    failing: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    swollen: Mapping[str, float] = field(default_factory=dict)
    late: tuple[float, float, float] = (math.inf, math.inf, 0.0)
    filling: Mapping[str, float] = field(default_factory=dict)
    saturated: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    silent: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    copied: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @staticmethod
    def during(table: Mapping[str, tuple[float, float]], key: str, minute: float) -> bool:
        """Whether the effect holds in the minute that starts at *minute*."""
        span = table.get(key)
        return span is not None and span[0] <= minute < span[1]


@dataclass(frozen=True, slots=True)
class VolumeMinute:
    """One minute of a volume: counts, bytes, total seconds of the operations, mean queue, idle seconds, 0/1 checks."""

    read_ops: int
    write_ops: int
    read_bytes: int
    write_bytes: int
    read_seconds: float
    write_seconds: float
    idle_seconds: float
    iops_exceeded: int
    throughput_exceeded: int
    stalled: int

    @property
    def queue(self) -> float:
        """Operations under way, on the mean of the minute."""
        return (self.read_seconds + self.write_seconds) / MINUTE + (4.0 if self.stalled else 0.0)


@dataclass(frozen=True, slots=True)
class FileMinute:
    """One minute of a file system: bytes and operations by kind, clients, what is permitted (bytes/s) and credits."""

    read_bytes: int
    read_ops: int
    write_bytes: int
    write_ops: int
    meta_read_ops: int
    meta_write_ops: int
    clients: int
    permitted: float
    credits: float
    io_limit: float

    META_BYTES = 4 * KIB

    @property
    def metered(self) -> int:
        """Bytes as EFS meters them: reads at one third (EFS User Guide, performance specifications)."""
        reads = self.read_bytes + self.meta_read_ops * self.META_BYTES
        return self.write_bytes + self.meta_write_ops * self.META_BYTES + reads // 3


class Curves:
    """
    The curves of one seed under one set of effects.

    Args:
        seed: makes the noise.

        effects: of the scenario; with other effects make another object, the caches hold for these only.
    """

    def __init__(self, seed: int, effects: Effects) -> None:
        self.seed = seed
        self.effects = effects
        self._volumes: dict[tuple[str, int], VolumeMinute] = {}
        self._files: dict[tuple[str, int], FileMinute] = {}
        self._hours: dict[tuple[str, int], tuple[float, ...]] = {}

    def chance(self, name: str, instant: float) -> tuple[float, ...]:
        """Eight numbers of [0, 1), always the same for a name and an instant."""
        digest = hashlib.blake2b(f"{self.seed}|{name}|{instant}".encode(), digest_size=32).digest()
        return tuple(number / 2**32 for number in struct.unpack("<8I", digest))

    def day(self, minute: float, swing: float) -> float:
        """The rhythm of office hours: about 1 on the mean of a day, higher in the local afternoon."""
        phase = (minute / HOUR + _LOCAL_HOURS - 14.0) / 24.0
        return 1.0 + swing * math.cos(2 * math.pi * phase)

    # --- EBS -------------------------------------------------------------------------------------------------------

    def volume(self, volume: Volume, minute: int) -> VolumeMinute:
        """The minute that starts at *minute* (unix seconds), whether or not the volume is attached then."""
        key = (volume.volume_id, minute)
        known = self._volumes.get(key)
        if known is None:
            if len(self._volumes) > _CACHE_LIMIT:
                self._volumes.clear()
            known = self._volumes[key] = self._volume(volume, minute)
        return known

    def _volume(self, volume: Volume, minute: int) -> VolumeMinute:
        dice = self.chance(volume.volume_id, minute)
        if Effects.during(self.effects.stalled, volume.volume_id, minute):
            return VolumeMinute(0, 0, 0, 0, 0.0, 0.0, 0.0, 0, 0, 1)
        load = volume.load
        if Effects.during(self.effects.copied, volume.volume_id, minute):
            load = replace(load, read_iops=load.read_iops + COPIED_BYTES / (64 * KIB), read_kib=64.0)
        rate = self.day(minute, load.swing) * (0.7 + 0.6 * dice[0])
        if dice[1] < 0.015:
            rate *= 2.6  # a checkpoint, a compaction
        if dice[7] < load.idle_share:
            rate = 0.0
        if Effects.during(self.effects.throttled, volume.volume_id, minute):
            rate = 1.25 * max(1, volume.iops) / (load.read_iops + load.write_iops)
        wanted = rate * (load.read_iops + load.write_iops)
        read_size, write_size = (_size(load.read_kib, dice[2]), _size(load.write_kib, dice[3]))
        iops_limit, byte_limit = _limits(volume)
        iops_exceeded = int(wanted > iops_limit)
        rate *= min(1.0, iops_limit / wanted) if wanted else 1.0
        flow = rate * (load.read_iops * read_size + load.write_iops * write_size)
        throughput_exceeded = int(flow > byte_limit)
        rate *= min(1.0, byte_limit / flow) if flow else 1.0
        read_ops, write_ops = int(rate * load.read_iops * MINUTE), int(rate * load.write_iops * MINUTE)
        full = min(1.0, (read_ops + write_ops) / MINUTE / iops_limit)
        slow = (1.0 + 3.0 * full**4) * (9.0 if iops_exceeded or throughput_exceeded else 1.0)
        if Effects.during(self.effects.degraded, volume.volume_id, minute):
            slow *= 6.0
        reading = read_ops * load.read_ms * (0.85 + 0.3 * dice[4]) * slow / 1000
        writing = write_ops * load.write_ms * (0.85 + 0.3 * dice[5]) * slow / 1000
        idle = MINUTE * math.exp(-(reading + writing) / MINUTE)
        return VolumeMinute(
            read_ops,
            write_ops,
            read_ops * read_size,
            write_ops * write_size,
            reading,
            writing,
            idle,
            iops_exceeded,
            throughput_exceeded,
            0,
        )

    def burst_balance(self, volume: Volume, minute: int) -> float:
        """Percent of the burst bucket of a gp2, st1 or sc1 volume at the end of a minute; it is full at 0:00 UTC."""
        capacity, earned = _bucket(volume)

        def step(balance: float, at: int) -> float:
            work = self.volume(volume, at)
            spent = work.read_bytes + work.write_bytes if volume.type != "gp2" else work.read_ops + work.write_ops
            return min(capacity, max(0.0, balance + earned * MINUTE - spent))

        start = minute // DAY * DAY
        hour = minute // HOUR * HOUR
        balance = capacity
        for begin in range(start, hour + 1, HOUR):
            key = ("burst:" + volume.volume_id, begin)
            if key not in self._hours:
                values = []
                for at in range(begin, begin + HOUR, MINUTE):
                    balance = step(balance, at)
                    values.append(balance)
                self._hours[key] = tuple(values)
            balance = self._hours[key][-1]
        return 100.0 * self._hours["burst:" + volume.volume_id, hour][(minute - hour) // MINUTE] / capacity

    # --- EFS -------------------------------------------------------------------------------------------------------

    def files(self, system: FileSystem, minute: int) -> FileMinute:
        """The minute of a file system that starts at *minute* (unix seconds)."""
        key = (system.file_system_id, minute)
        known = self._files.get(key)
        if known is None:
            if len(self._files) > _CACHE_LIMIT:
                self._files.clear()
            credits_left, permitted = self._credits(system, minute)
            known = self._files[key] = self._file_minute(system, minute, credits_left, permitted)
        return known

    def _file_minute(self, system: FileSystem, minute: int, credits_left: float, permitted: float) -> FileMinute:
        dice = self.chance(system.file_system_id, minute)
        load = system.load
        if Effects.during(self.effects.copied, system.file_system_id, minute):
            load = replace(load, read=load.read + COPIED_BYTES)
        rate = self.day(minute, load.swing) * (0.75 + 0.5 * dice[0])
        if dice[7] < load.idle_share:
            rate = 0.0
        drained = self.effects.drained.get(system.file_system_id)
        if drained is not None and minute >= drained:
            rate = 97.0 * MIB * (0.98 + 0.04 * dice[0]) / (load.write + load.read / 3)
        meta = int(load.metadata_ops * min(rate, 2.0) * MINUTE)
        meta_writes = meta // 4
        wanted = rate * (load.write + load.read / 3) * MINUTE
        room = max(0.0, permitted * MINUTE - (meta_writes + (meta - meta_writes) / 3) * FileMinute.META_BYTES)
        rate *= min(1.0, room / wanted) if wanted else 1.0
        read_ops, write_ops = _operations(load.read * rate, 64, dice[1]), _operations(load.write * rate, 48, dice[2])
        read_bytes = int(load.read * rate * MINUTE) if read_ops else 0
        write_bytes = int(load.write * rate * MINUTE) if write_ops else 0
        # General Purpose in bursting mode: 35,000 read and 7,000 write operations a second (EFS performance page).
        io_limit = 100.0 * ((read_ops + meta - meta_writes) / 35_000 + (write_ops + meta_writes) / 7_000) / MINUTE
        clients = load.clients if rate else 0
        return FileMinute(
            read_bytes,
            read_ops,
            write_bytes,
            write_ops,
            meta - meta_writes,
            meta_writes,
            clients,
            permitted,
            credits_left,
            min(100.0, io_limit),
        )

    def _credits(self, system: FileSystem, minute: int) -> tuple[float, float]:
        """Credit balance (bytes, at the start of the minute) and permitted throughput (bytes per second)."""
        standard = system.sizes(minute)["Standard"]
        baseline = max(float(MIB), standard / GIB * 50 * KIB)
        burst = 100.0 * MIB * max(1.0, standard / TIB)
        if system.throughput_mode == "elastic":
            return 0.0, 1024.0 * MIB
        if system.throughput_mode == "provisioned":
            return 0.0, max(baseline, (system.provisioned_mibps or 1.0) * MIB)
        drained = self.effects.drained.get(system.file_system_id, math.inf)
        if minute >= drained + DAY:
            return 0.0, baseline
        start = int(drained // MINUTE * MINUTE) if minute >= drained else minute // DAY * DAY
        balance = EFS_LEVEL
        hour = start
        while True:
            key = (f"credits:{system.file_system_id}:{start}", hour)
            if key not in self._hours:
                self._hours[key] = self._credit_hour(system, hour, balance, baseline, burst)
            if minute < hour + HOUR:
                balance = self._hours[key][(minute - hour) // MINUTE]
                return balance, burst if balance > 0 else baseline
            balance = self._hours[key][-1]
            hour += HOUR

    def _credit_hour(
        self, system: FileSystem, hour: int, balance: float, baseline: float, burst: float
    ) -> tuple[float, ...]:
        """The balance at the start of each minute of an hour, and at its end (61 values)."""
        cap = 2.1 * TIB * max(1.0, system.sizes(hour)["Standard"] / TIB)
        values = [balance]
        for minute in range(hour, hour + HOUR, MINUTE):
            work = self._file_minute(system, minute, balance, burst if balance > 0 else baseline)
            balance = min(cap, max(0.0, balance + baseline * MINUTE - work.metered))
            if balance < baseline:
                balance = 0.0  # what a second of baseline brings is spent as it comes
            values.append(balance)
        return tuple(values)


def _size(mean_kib: float, dice: float) -> int:
    """The mean bytes per operation of a minute: within a tenth of *mean_kib*, whole sectors."""
    return max(512, round(mean_kib * KIB * (0.9 + 0.2 * dice) / 512) * 512)


def _operations(bytes_per_second: float, kib: float, dice: float) -> int:
    return round(bytes_per_second * MINUTE / (kib * KIB * (0.8 + 0.4 * dice)))


def _limits(volume: Volume) -> tuple[float, float]:
    """What the volume gives at most: operations per second, bytes per second (EBS User Guide, volume types)."""
    if volume.type in {"st1", "sc1"}:
        return 500.0, 250.0 * MIB * max(1.0, volume.size / 1024)
    if volume.type == "standard":
        return 200.0, 90.0 * MIB
    if volume.type == "gp2":
        return max(3000.0, volume.iops), 250.0 * MIB
    if volume.type in {"io1", "io2"}:
        return float(volume.iops or 100), 1000.0 * MIB
    return float(volume.iops or 3000), (volume.throughput or 125) * MIB


def _bucket(volume: Volume) -> tuple[float, float]:
    """Size of the burst bucket and what it earns a second: I/O credits for gp2, bytes for st1 and sc1."""
    if volume.type == "gp2":
        return float(GP2_BUCKET), 3.0 * volume.size
    per_tib = {"st1": 40, "sc1": 12}[volume.type] * MIB
    return TIB * volume.size / 1024, per_tib * volume.size / 1024
