"""
Whose each volume of the demo's account is: claims, the volumes behind them, and who uses them. Pure.

A `Holding` is what PersistentVolume, PersistentVolumeClaim, VolumeAttachments and pods are made of, in modules of their
own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from exporter.demo.claim_scenarios import GONE, ORPHANED
from exporter.demo.kubernetes_kinds import Object
from exporter.demo.nouns import GENESIS, NEVER, FileSystem, Instance, Volume, uuid_of
from exporter.demo.tables import DAY
from exporter.demo.world import World

EBS, EFS, S3, NFS = "ebs.csi.aws.com", "efs.csi.aws.com", "s3.csi.aws.com", "nfs.csi.k8s.io"
IN_TREE = "kubernetes.io/aws-ebs"
ONCE, MANY = "ReadWriteOnce", "ReadWriteMany"
GROWN = "data-cassandra-0"
"""Its volume has grown from 400 GiB; the file system on it has not."""

_PROVISION, _BIND = 4.0, 5.0
_BUCKET = "officeless-uploads-production"


@dataclass(frozen=True, slots=True)
class Holding:
    """
    A claim and the persistent volume behind it.

    `volume` is the latter's name, `source` what of its spec names the storage, `provisioner` who made it (``""``: a
    person), `size` what is asked for and the volume has, `usable` what the file system on it has (quantities), `modes`
    the access modes, `zone` is ``""`` where any will do.
    `claimed` and `made` are the instants of claim and volume; `phase` is Bound, Released (the claim is gone) or Pending
    (no volume yet). `disk` is the EBS volume.
    """

    namespace: str
    claim: str
    volume: str
    storageclass: str
    source: Object
    provisioner: str
    usable: str
    size: str
    modes: tuple[str, ...]
    uid: str
    claimed: float
    made: float
    policy: str = "Delete"
    phase: str = "Bound"
    zone: str = ""
    disk: Volume | None = None
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """``namespace/name`` of the claim."""
        return f"{self.namespace}/{self.claim}"

    @property
    def workload(self) -> str:
        """What uses it: of ``data-postgres-0`` the pod ``postgres-0``, else what is named like the claim."""
        first, _, rest = self.claim.partition("-")
        return rest if first in {"data", "storage"} and self.claim[-1].isdigit() else self.claim


def host(world: World, instance: Instance) -> str:
    """The node's name: EKS names nodes after their addresses."""
    return f"ip-{instance.address.replace('.', '-')}.{world.region}.compute.internal"


def under(world: World, scenario: str, at: float) -> bool:
    """Whether the scenario runs and has begun."""
    name, start = world.active
    return name == scenario and at >= start


def holdings(world: World, at: float) -> list[Holding]:
    """Every claim and persistent volume of the cluster at *at* (unix seconds)."""
    found = [*_disks(world, at), *_shared(world, at), *_by_hand(world, at), *_pending(world)]
    return [item for item in found if at >= item.claimed]


def _disks(world: World, at: float) -> Iterator[Holding]:
    """What the EBS driver made."""
    for real in world.estate.volumes.values():
        disk = _believed(world, real, at)
        claim = disk.claim
        if claim is None or not disk.created - _PROVISION <= at < disk.deleted:
            continue
        if disk.name == ORPHANED and under(world, "volume-orphaned", at):
            continue
        change = disk.modification if disk.name == GROWN else None
        before = dict(change.original).get("Size", disk.size) if change else disk.size
        tags = dict(disk.tags)
        yield Holding(
            claim.namespace,
            claim.name,
            claim.persistentvolume,
            claim.storageclass,
            {
                "csi": {
                    "driver": EBS,
                    "volumeHandle": disk.volume_id,
                    "fsType": "ext4",
                    "volumeAttributes": _identity(EBS, world.seed),
                }
            },
            EBS,
            f"{before}Gi",
            f"{disk.size}Gi",
            (ONCE,),
            claim.persistentvolume.removeprefix("pvc-"),
            disk.created - _PROVISION,
            disk.created + _BIND,
            phase="Bound" if at >= disk.created + _BIND else "Pending",
            zone=disk.zone,
            disk=disk,
            labels=tuple((name, tags[name]) for name in ("team",) if name in tags),
            annotations=tuple((name, tags[name]) for name in ("monitoring",) if name in tags),
        )


def _believed(world: World, disk: Volume, at: float) -> Volume:
    """The volume as Kubernetes has it, which nobody tells of what is done to it behind its back."""
    if disk.name != GONE or not under(world, "volume-gone", at):
        return disk
    start = world.active[1]
    lasting = (
        replace(item, detaching=NEVER, until=NEVER) if item.until == start else item for item in disk.attachments
    )
    return replace(disk, attachments=tuple(lasting), deleted=NEVER)


def _shared(world: World, at: float) -> Iterator[Holding]:
    """What the EFS driver made: an access point a claim."""
    for system in world.file_systems(at):
        for point in system.access_points:
            claim = point.claim
            if claim is None or not point.created <= at < point.deleted:
                continue
            handle = f"{system.file_system_id}::{point.access_point_id}"
            yield Holding(
                claim.namespace,
                claim.name,
                claim.persistentvolume,
                claim.storageclass,
                {"csi": {"driver": EFS, "volumeHandle": handle, "volumeAttributes": _identity(EFS, world.seed)}},
                EFS,
                "5Gi",
                "5Gi",
                (MANY,),
                claim.persistentvolume.removeprefix("pvc-"),
                point.created - 3,
                point.created + 2,
            )


def _static(
    world: World, namespace: str, claim: str, source: Object, size: str, *modes: str, volume: str = ""
) -> Holding:
    """What a person made: no class, and kept when the claim goes."""
    uid, made = uuid_of(world.seed, f"claim|{namespace}/{claim}"), GENESIS + 10 * DAY
    return Holding(namespace, claim, volume or claim, "", source, "", size, size, modes, uid, made, made, "Retain")


def _by_hand(world: World, at: float) -> Iterator[Holding]:
    """Migrated, released, shared by path, a bucket, another driver's."""
    disks = {item.name: item for item in world.volumes(at)}
    systems = {item.name: item for item in world.file_systems(at)}
    if (wiki := disks.get("wiki")) is not None:
        source: Object = {"awsElasticBlockStore": {"volumeID": f"aws://{wiki.zone}/{wiki.volume_id}", "fsType": "ext4"}}
        found = _static(world, "web", "data-wiki-0", source, f"{wiki.size}Gi", ONCE)
        found = replace(found, claimed=wiki.created, made=wiki.created, zone=wiki.zone, disk=wiki, policy="Delete")
        yield replace(found, volume=f"pvc-{found.uid}", storageclass="gp2", provisioner=IN_TREE)
    if (kept := disks.get("orphan")) is not None:
        source = {"csi": {"driver": EBS, "volumeHandle": kept.volume_id, "fsType": "ext4"}}
        found = _static(world, "reporting", "old-reporting", source, f"{kept.size}Gi", ONCE)
        yield replace(found, phase="Released", storageclass="gp3-sc", zone=kept.zone, disk=kept)
    if (media := systems.get("media")) is not None:
        yield from _media(world, media)
    if _BUCKET in {item.name for item in world.buckets(at)}:
        source = {"csi": {"driver": S3, "volumeHandle": "s3-uploads", "volumeAttributes": {"bucketName": _BUCKET}}}
        yield _static(world, "officeless", "uploads-bucket", source, "1200Gi", MANY, volume="s3-uploads")
    if systems:
        where = {"server": "nfs.office.example", "share": "/export/scans"}
        source = {
            "csi": {"driver": NFS, "volumeHandle": "nfs.office.example#export/scans##", "volumeAttributes": where}
        }
        yield replace(_static(world, "documents", "scans", source, "2Ti", MANY), storageclass="nfs-office")


def _media(world: World, media: FileSystem) -> Iterator[Holding]:
    """A path of a file system, and an access point that two claims share."""
    source: Object = {"csi": {"driver": EFS, "volumeHandle": f"{media.file_system_id}:/assets"}}
    yield _static(world, "web", "media-assets", source, "1Gi", MANY)
    for point in media.access_points:
        source = {"csi": {"driver": EFS, "volumeHandle": f"{media.file_system_id}::{point.access_point_id}"}}
        for namespace in ("web", "documents"):
            yield _static(world, namespace, "media-console", source, "1Gi", MANY, volume=f"media-console-{namespace}")


def _pending(world: World) -> Iterator[Holding]:
    """A claim that waits for a pod, which nobody starts."""
    if any(item.name == "data-postgres-0" for item in world.estate.volumes.values()):
        found = _static(world, "databases", "data-reporting-0", {}, "50Gi", ONCE)
        yield replace(found, volume="", storageclass="gp3-sc", provisioner=EBS, phase="Pending", policy="Delete")


def _identity(driver: str, seed: int) -> dict[str, str]:
    return {"storage.kubernetes.io/csiProvisionerIdentity": f"17{seed % 10**11:011d}-8081-{driver}"}
