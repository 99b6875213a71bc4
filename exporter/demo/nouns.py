"""
What the simulated account is made of, each thing with its whole life in time.

A volume does not hold a state: it holds the instants at which it was made, attached, detached and deleted, and says
what AWS would call its state at any instant. That keeps the world a function of time: asking twice, or in another
order, changes nothing. Pure values; the estate fills them, `world` reads them.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace

NEVER = math.inf
GENESIS = 1_735_689_600
"""2025-01-01T00:00:00Z: what has always been there was made in the weeks after this instant (unix seconds)."""

GIB = 2**30
MIB = 2**20
KIB = 2**10
TIB = 2**40

Tags = tuple[tuple[str, str], ...]


def identifier(prefix: str, seed: int, name: str, digits: int = 17) -> str:
    """An AWS-like id, such as ``vol-0…`` with *digits* hexadecimal digits, always the same for a seed and a name."""
    digest = hashlib.blake2b(f"{seed}|{prefix}|{name}".encode(), digest_size=16).hexdigest()
    return f"{prefix}-0{digest[: digits - 1]}"


def uuid_of(seed: int, name: str) -> str:
    """A UUID (version 4 in form), always the same for a seed and a name."""
    text = hashlib.blake2b(f"{seed}|uuid|{name}".encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:32]}"


@dataclass(frozen=True, slots=True)
class Claim:
    """The Kubernetes claim a volume or access point was made for."""

    namespace: str
    name: str
    persistentvolume: str
    storageclass: str


@dataclass(frozen=True, slots=True)
class InstanceType:
    """
    EBS facts of an instance type; bandwidth in Mbps, throughput in decimal MB/s, as DescribeInstanceTypes says them.

    `hypervisor` is ``nitro``, ``xen`` or ``""`` (AWS leaves the field out for bare metal).
    """

    name: str
    hypervisor: str
    baseline_bandwidth: int
    baseline_throughput: float
    baseline_iops: int
    maximum_bandwidth: int
    maximum_throughput: float
    maximum_iops: int
    attachments: int
    attachment_limit_type: str
    vcpus: int

    @property
    def bare_metal(self) -> bool:
        """Whether there is no hypervisor at all."""
        return not self.hypervisor

    @property
    def nitro(self) -> bool:
        """Whether AWS publishes what it publishes for Nitro only (bare metal of today is Nitro as well)."""
        return self.hypervisor != "xen"

    @property
    def bursts(self) -> bool:
        """Whether the type has an EBS burst bucket: its maximum is above its baseline."""
        return self.maximum_iops > self.baseline_iops


@dataclass(frozen=True, slots=True)
class Instance:
    """A node of the cluster."""

    instance_id: str
    name: str
    type: InstanceType
    zone: str
    zone_id: str
    address: str
    launched: float
    detailed: bool = False
    tags: Tags = ()
    stopping: float = NEVER
    terminated: float = NEVER

    def state(self, at: float) -> str | None:
        """AWS's word for the instance's state at *at*; None before its launch and an hour after its end."""
        if at < self.launched or at >= self.terminated + 3600:
            return None
        if at >= self.terminated:
            return "terminated"
        return "shutting-down" if at >= self.stopping else "running"

    def runs(self, at: float) -> bool:
        """Whether it publishes metrics: it runs or is on its way down."""
        return self.launched <= at < self.terminated


@dataclass(frozen=True, slots=True)
class Attachment:
    """
    One attachment: asked for at `since`, usable from `attached`, given up at `detaching`, gone at `until`.

    From `dark` on nothing passes through it, though AWS still lists it.
    """

    instance_id: str
    device: str
    since: float
    attached: float
    detaching: float = NEVER
    until: float = NEVER
    busy: bool = False
    delete_on_termination: bool = False
    dark: float = NEVER

    def state(self, at: float) -> str | None:
        """AWS's word for the state at *at*, None while there is no such attachment."""
        if not self.since <= at < self.until:
            return None
        if at >= self.detaching:
            return "busy" if self.busy else "detaching"
        return "attached" if at >= self.attached else "attaching"

    def carries(self, minute: float) -> bool:
        """Whether I/O can pass in the minute that starts at *minute*: attached at its start, not yet gone."""
        return self.attached <= minute < min(self.until, self.dark)


@dataclass(frozen=True, slots=True)
class Load:
    """The ordinary work of a volume: operations per second, KiB per operation, milliseconds each, day swing (0-1)."""

    read_iops: float = 20.0
    write_iops: float = 40.0
    read_kib: float = 16.0
    write_kib: float = 16.0
    read_ms: float = 0.55
    write_ms: float = 0.85
    swing: float = 0.5
    idle_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Modification:
    """A change of a volume; it begins anew every `every` seconds (0: once, at `offset`) and takes `duration`."""

    state: str
    progress: int
    target: tuple[tuple[str, int | str], ...]
    original: tuple[tuple[str, int | str], ...]
    offset: float
    every: float = 0.0
    duration: float = NEVER

    def start(self, at: float) -> float:
        """When the change seen at *at* began, unix seconds."""
        if not self.every:
            return self.offset
        settled = self.duration if math.isfinite(self.duration) else 0.0
        return (at - self.offset - settled) // self.every * self.every + self.offset


@dataclass(frozen=True, slots=True)
class Schedule:
    """Snapshots of a volume: one every `every` seconds at `offset`, complete after `takes`, the newest `keep` kept."""

    every: int
    offset: int
    takes: int
    keep: int


@dataclass(frozen=True, slots=True)
class Volume:
    """An EBS volume; size in GiB, throughput in MiB/s (0: AWS does not say), instants in unix seconds."""

    volume_id: str
    name: str
    type: str
    size: int
    iops: int
    throughput: int
    zone: str
    zone_id: str
    created: float
    attachments: tuple[Attachment, ...] = ()
    tags: Tags = ()
    encrypted: bool = True
    multi_attach: bool = False
    snapshot_id: str = ""
    claim: Claim | None = None
    load: Load = Load()
    modification: Modification | None = None
    snapshots: Schedule | None = None
    ready: float = 0.0
    deleting: float = NEVER
    deleted: float = NEVER
    failed: float = NEVER

    def exists(self, at: float) -> bool:
        """Whether DescribeVolumes knows it at *at*."""
        return self.created <= at < self.deleted

    def held(self, at: float) -> tuple[Attachment, ...]:
        """The attachments AWS lists at *at*, in whatever state."""
        return tuple(item for item in self.attachments if item.state(at) is not None)

    def carriers(self, minute: float) -> tuple[Attachment, ...]:
        """The attachments through which I/O passes in a minute; none means no datapoints."""
        if not self.exists(minute):
            return ()
        return tuple(item for item in self.attachments if item.carries(minute))

    def state(self, at: float) -> str:
        """AWS's word for the state at *at*."""
        if at >= self.failed:
            return "error"
        if at >= self.deleting:
            return "deleting"
        if at < self.ready:
            return "creating"
        return "in-use" if self.held(at) else "available"


def leave(volume: Volume, at: float, takes: float, instance_id: str | None = None) -> Volume:
    """The volume with its attachments (to *instance_id*, or all) given up at *at*, gone *takes* seconds later."""
    ended = tuple(
        replace(item, detaching=min(item.detaching, at), until=min(item.until, at + takes))
        if item.until > at and (instance_id is None or item.instance_id == instance_id)
        else item
        for item in volume.attachments
    )
    return replace(volume, attachments=ended)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One EBS snapshot as it stands at the instant it was asked for; size in GiB."""

    snapshot_id: str
    volume_id: str
    size: int
    owner_id: str
    started: float
    state: str
    progress: str
    completed: float | None
    encrypted: bool
    full_size_bytes: int
    tags: Tags = ()
    tier: str = "standard"
    description: str = ""


@dataclass(frozen=True, slots=True)
class FastRestore:
    """A snapshot enabled for fast restore in a zone."""

    snapshot_id: str
    zone: str
    zone_id: str
    state: str
    enabled: float
    capacity: int


@dataclass(frozen=True, slots=True)
class MountTarget:
    """An address of a file system in one zone; as of `failed` it does not answer."""

    mount_target_id: str
    zone: str
    zone_id: str
    subnet_id: str
    interface_id: str
    address: str
    state: str = "available"
    failed: float = NEVER

    def state_at(self, at: float) -> str:
        """AWS's word for the state at *at*."""
        return "error" if at >= self.failed else self.state


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """An EFS access point; the CSI driver makes one per claim with the volume's name as `client_token`."""

    access_point_id: str
    client_token: str
    path: str
    uid: int
    gid: int
    tags: Tags = ()
    name: str = ""
    claim: Claim | None = None
    state: str = "available"
    created: float = GENESIS
    deleted: float = NEVER


@dataclass(frozen=True, slots=True)
class Replication:
    """Where a file system is replicated to, and how often (seconds)."""

    destination_id: str
    region: str
    status: str = "ENABLED"
    every: int = 900


@dataclass(frozen=True, slots=True)
class FileLoad:
    """The ordinary work of a file system: bytes per second of data read and written, metadata operations, clients."""

    read: float
    write: float
    metadata_ops: float
    clients: int
    swing: float = 0.5
    idle_share: float = 0.0


@dataclass(frozen=True, slots=True)
class FileSystem:
    """An EFS file system; sizes in bytes at `GENESIS`, growth in bytes per day (Standard class)."""

    file_system_id: str
    name: str
    token: str
    created: float
    performance_mode: str
    throughput_mode: str
    encrypted: bool
    standard: int
    load: FileLoad
    infrequent: int = 0
    archive: int = 0
    growth: int = 0
    provisioned_mibps: float | None = None
    zone: str = ""
    zone_id: str = ""
    mount_targets: tuple[MountTarget, ...] = ()
    access_points: tuple[AccessPoint, ...] = ()
    lifecycle: tuple[tuple[str, str], ...] = ()
    backup: str | None = None
    replication: Replication | None = None
    tags: Tags = ()
    kms_key_id: str = ""
    tls_only: bool = False
    state: str = "available"
    deleted: float = NEVER

    def exists(self, at: float) -> bool:
        """Whether DescribeFileSystems knows it at *at*."""
        return self.created <= at < self.deleted

    def sizes(self, at: float) -> dict[str, int]:
        """Bytes per storage class at *at*, as CloudWatch spells the classes; metered on the hour."""
        hours = max(0, int(at // 3600) - GENESIS // 3600)
        standard = self.standard + self.growth * (hours % (24 * 90)) // 24
        sizes = {"Standard": standard}
        if self.infrequent:
            sizes |= {"IA": self.infrequent, "IASizeOverhead": self.infrequent // 400}
        if self.archive:
            sizes |= {"Archive": self.archive, "ArchiveSizeOverhead": self.archive // 300}
        return {"Total": standard + self.infrequent + self.archive, **sizes}
