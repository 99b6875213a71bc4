"""
The estate of the mission: an EKS platform's nodes, volumes, snapshots and file systems in one account and region.

Made of the rows in `tables`, and of what a platform gathers beside its claims. Pure: the same seed gives the same ids
for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from exporter.demo import bucket_rows, cache_rows, file_rows
from exporter.demo.buckets import Bucket
from exporter.demo.caches import Cache, ServerlessCache
from exporter.demo.keys import BackupPlan, Key, keys_of
from exporter.demo.nouns import (
    GENESIS,
    GIB,
    NEVER,
    Attachment,
    Claim,
    FastRestore,
    FileSystem,
    Instance,
    Load,
    Modification,
    Schedule,
    Snapshot,
    Tags,
    Volume,
    identifier,
    uuid_of,
)
from exporter.demo.tables import (
    ACCOUNT,
    CLAIMS,
    CLUSTER,
    DAY,
    INSTANCE_TYPES,
    NODES,
    OTHER_OWNER,
    QUIET,
    REGION,
    SMALL,
    zone,
)


@dataclass(slots=True)
class Estate:
    """Everything in the account, by id. What has ended stays in the table: its own instants say so."""

    instances: dict[str, Instance] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    file_systems: dict[str, FileSystem] = field(default_factory=dict)
    foreign_snapshots: list[Snapshot] = field(default_factory=list)
    fast_restores: list[FastRestore] = field(default_factory=list)
    repeated: tuple[str, ...] = ()
    keys: dict[str, Key] = field(default_factory=dict)
    backups: dict[str, BackupPlan] = field(default_factory=dict)
    caches: dict[str, Cache] = field(default_factory=dict)
    serverless_caches: dict[str, ServerlessCache] = field(default_factory=dict)
    buckets: dict[str, Bucket] = field(default_factory=dict)

    def copy(self) -> Estate:
        """The same things in tables of their own, so that a scenario may change them."""
        return Estate(
            dict(self.instances),
            dict(self.volumes),
            dict(self.file_systems),
            list(self.foreign_snapshots),
            list(self.fast_restores),
            self.repeated,
            dict(self.keys),
            dict(self.backups),
            dict(self.caches),
            dict(self.serverless_caches),
            dict(self.buckets),
        )


def claim_tags(claim: Claim) -> Tags:
    """The tags EBS CSI v1.42 sets on a volume (aws-ebs-csi-driver, docs/tagging.md and `--extra-create-metadata`)."""
    return (
        ("CSIVolumeName", claim.persistentvolume),
        ("ebs.csi.aws.com/cluster", "true"),
        ("kubernetes.io/created-for/pv/name", claim.persistentvolume),
        ("kubernetes.io/created-for/pvc/name", claim.name),
        ("kubernetes.io/created-for/pvc/namespace", claim.namespace),
        (f"kubernetes.io/cluster/{CLUSTER}", "owned"),
        ("KubernetesCluster", CLUSTER),
        ("Name", f"{CLUSTER}-dynamic-{claim.persistentvolume}"),
    )


def mission(seed: int) -> Estate:
    """The whole estate, with ids of *seed*."""
    estate = Estate()
    nodes = {item.name: item for item in _instances(seed)}
    estate.instances = {item.instance_id: item for item in nodes.values()}
    made = [*_root_volumes(seed, nodes), *_claim_volumes(seed, nodes), *_special_volumes(seed, nodes)]
    estate.volumes = {item.volume_id: item for item in made}
    estate.file_systems = {item.file_system_id: item for item in file_rows.file_systems(seed)}
    estate.foreign_snapshots = [
        Snapshot(
            identifier("snap", seed, f"public-{number}"),
            identifier("vol", seed, f"public-{number}"),
            8,
            OTHER_OWNER,
            GENESIS - DAY * number,
            "completed",
            "100%",
            GENESIS - DAY * number + 300,
            encrypted=False,
            full_size_bytes=3 * GIB,
            description="Public image of somebody else",
        )
        for number in range(1, 4)
    ]
    estate.keys = keys_of(seed)
    estate.backups = {plan.resource: plan for plan in _backups(estate)}
    estate.caches, estate.serverless_caches = cache_rows.mission(seed)
    image = identifier("snap", seed, "golden-image")
    estate.buckets = {item.name: item for item in bucket_rows.of_region(seed)}
    estate.fast_restores = [FastRestore(image, *zone("a"), "enabled", GENESIS + DAY, 10)]
    return estate


def _backups(estate: Estate) -> list[BackupPlan]:
    """What AWS Backup protects: databases, the shared files, two buckets; some of it without luck of late."""
    volumes = {item.name: item.volume_id for item in estate.volumes.values()}
    systems = {item.name: item.file_system_id for item in estate.file_systems.values()}
    recent = GENESIS + 120 * DAY

    def volume(name: str, hour: int, ends: str = "FAILED", failing: float = NEVER) -> BackupPlan:
        arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:volume/{volumes[name]}"
        return BackupPlan("EBS", arn, hour * 3600, ends, failing)

    def system(name: str, hour: int) -> BackupPlan:
        return BackupPlan(
            "EFS", f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system/{systems[name]}", hour * 3600
        )

    return [
        volume("data-postgres-0", 18),
        volume("data-postgres-1", 18),
        volume("data-mysql-0", 19),
        volume("data-mongodb-0", 19, failing=recent),
        volume("data-neo4j-0", 20, "EXPIRED", recent),
        volume("data-cassandra-0", 20, "ABORTED", recent),
        system("eks_production", 17),
        BackupPlan("S3", "arn:aws:s3:::officeless-mimir-production", 21 * 3600, "PARTIAL", recent),
        BackupPlan("S3", "arn:aws:s3:::officeless-uploads-production", 21 * 3600),
        BackupPlan("RDS", f"arn:aws:rds:{REGION}:{ACCOUNT}:db:billing", 22 * 3600),
    ]


def attachment(node: Instance, number: int, since: float, *, root: bool = False) -> Attachment:
    """The lasting attachment of a volume to *node*, as the *number*-th device."""
    device = "/dev/xvda" if root else f"/dev/xvd{chr(ord('a') + number // 26 + 1)}{chr(ord('a') + number % 26)}"
    return Attachment(node.instance_id, device, since, since + 12, delete_on_termination=root)


def _instances(seed: int) -> list[Instance]:
    made = []
    for number, (name, type_name, letter, detailed) in enumerate(NODES):
        tags = (
            ("Name", f"{CLUSTER}-{name}"),
            (f"kubernetes.io/cluster/{CLUSTER}", "owned"),
            ("eks:cluster-name", CLUSTER),
        )
        made.append(
            Instance(
                identifier("i", seed, name),
                name,
                INSTANCE_TYPES[type_name],
                *zone(letter),
                f"10.20.{number}.11",
                GENESIS + 3600.0 * number,
                detailed=detailed,
                tags=tags,
            )
        )
    return made


def _root_volumes(seed: int, nodes: dict[str, Instance]) -> list[Volume]:
    made = []
    for node in nodes.values():
        tags = (("Name", f"{CLUSTER}-{node.name}-root"),) if node.name != "node-c1" else ()
        made.append(
            Volume(
                identifier("vol", seed, f"root-{node.name}"),
                f"root-{node.name}",
                "gp3",
                80,
                3000,
                125,
                node.zone,
                node.zone_id,
                node.launched,
                (attachment(node, 0, node.launched, root=True),),
                tags,
                snapshot_id=identifier("snap", seed, "golden-image"),
                load=Load(4, 14, 16, 24, swing=0.3),
            )
        )
    return made


def _claim_volumes(seed: int, nodes: dict[str, Instance]) -> list[Volume]:
    made = []
    for number, (name, namespace, node_name, size, iops, throughput, load, tags) in enumerate(CLAIMS):
        node = nodes[node_name]
        claim = Claim(namespace, name, f"pvc-{uuid_of(seed, name)}", "gp3-sc")
        born = GENESIS + 7 * DAY + 1711.0 * number
        made.append(
            Volume(
                identifier("vol", seed, name),
                name,
                "gp3",
                size,
                iops,
                throughput,
                node.zone,
                node.zone_id,
                born,
                (attachment(node, number, born + 9),),
                claim_tags(claim) + tags,
                claim=claim,
                load=load,
                snapshots=_schedule(name, number),
                modification=_modification(name, size),
            )
        )
    return made


def _schedule(name: str, number: int) -> Schedule | None:
    if name == "data-loki-ingester-0":  # its newest snapshot is always still pending
        return Schedule(6 * 3600, 300, 6 * 3600, 4)
    if name.startswith("data-postgres"):
        return Schedule(3600, 120 + number * 60, 540, 6)
    return Schedule(DAY, 19 * 3600 + number * 60, 900, 5) if name.startswith("data-") else None


def _modification(name: str, size: int) -> Modification | None:
    """Cassandra's volume grows and stands at 42 %; MySQL's grew in the first hour of the week."""
    if name == "data-cassandra-0":
        return Modification(
            "optimizing",
            42,
            (("Size", size), ("Iops", 12000), ("VolumeType", "gp3"), ("Throughput", 500)),
            (("Size", 400), ("Iops", 3000), ("VolumeType", "gp3"), ("Throughput", 125)),
            3600.0,
            DAY,
        )
    if name == "data-mysql-0":
        return Modification(
            "completed",
            100,
            (("Size", size), ("Iops", 3000), ("VolumeType", "gp3"), ("Throughput", 125)),
            (("Size", 50), ("Iops", 150), ("VolumeType", "gp2")),
            1800.0,
            7 * DAY,
            2700.0,
        )
    return None


def _special_volumes(seed: int, nodes: dict[str, Instance]) -> list[Volume]:
    """What a platform gathers beside its claims: other types, shared, detached, untagged, awkward."""
    born = GENESIS + 3 * DAY

    def one(name: str, kind: str, size: int, iops: int, hosts: tuple[str, ...], load: Load, tags: Tags = ()) -> Volume:
        first = nodes[hosts[0]] if hosts else nodes["node-b1"]
        return Volume(
            identifier("vol", seed, name),
            name,
            kind,
            size,
            iops,
            0,
            first.zone,
            first.zone_id,
            born,
            tuple(attachment(nodes[host], 60 + order, born + 60) for order, host in enumerate(hosts)),
            tags,
            multi_attach=len(hosts) > 1,
            load=load,
        )

    orphan = one("orphan", "gp3", 300, 3000, (), QUIET, (("Name", "old-reporting"), ("owner", "nobody")))
    return [
        one("wiki", "gp2", 100, 300, ("node-b2",), Load(80, 140, 16, 16, swing=0.9), (("Name", "wiki"),)),
        one("archive", "gp2", 1500, 4500, ("node-c1",), Load(30, 40, 64, 64), (("Name", "archive"),)),
        one("backup-staging", "st1", 2048, 0, ("node-a2",), Load(8, 60, 512, 1024, 4.0, 6.0, 0.8), (("rpo", "24h"),)),
        one("redo", "io2", 200, 8000, ("node-c1",), Load(900, 1500, 16, 8, 0.25, 0.3), (("team", "payments"),)),
        one("quorum", "io2", 20, 1000, ("node-a1", "node-a2"), Load(20, 35, 4, 4, 0.25, 0.3), (("team", "platform"),)),
        one("museum", "standard", 40, 0, ("node-b2",), Load(3, 5, 16, 16, 8.0, 12.0), ()),
        replace(one("untagged", "gp3", 25, 3000, ("node-c1",), SMALL), throughput=125),
        replace(orphan, throughput=125),
    ]
