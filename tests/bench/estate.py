"""
Estates of any size, with everything the Describe operations tell of them. Pure.

EBS, which grows with the size, is rendered here, an item once (EC2 API Reference, the operations named below); the few
things beside it are the demo's nouns, which the demo's own handlers put into AWS's words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from exporter.demo import cache_rows, file_rows
from exporter.demo.buckets import Bucket, Encryption, LifecycleRule, MetricsConfiguration
from exporter.demo.estate import Estate
from exporter.demo.keys import BackupPlan, keys_of
from exporter.demo.nouns import GENESIS, GIB, identifier, uuid_of
from exporter.demo.tables import ACCOUNT, REGION, zone
from exporter.demo.wire import iso
from exporter.demo.world import World

NOW = 1_790_000_040
"""The instant the simulated account stands at, and the exporter's clock starts at: unix seconds."""

COMPONENT = "officeless-{}-production"
"""Names of buckets that a part of the observability stack lives on."""

_COMPONENTS = ("mimir", "mimir-alertmanager", "mimir-ruler", "loki-chunks", "loki-ruler", "tempo")
_SEED = 1
_DAY = 86_400

EC2Set = Literal["volumes", "statuses", "modifications", "snapshots", "instances"]


@dataclass(frozen=True, slots=True)
class Size:
    """How many there are of each; *components* of the buckets belong to the observability stack."""

    volumes: int
    nodes: int
    file_systems: int
    buckets: int
    components: int
    cache_nodes: int


def size_of(series: int) -> Size:
    """The estate of issue 4 in the proportion that makes about *series* CloudWatch series (see `configs.sweep`)."""
    share = series / 100_000
    some = {name: max(1, round(count * share)) for name, count in _FULL.items()}
    return Size(**some, components=min(len(_COMPONENTS), some["buckets"]))


_FULL = {"volumes": 7000, "nodes": 280, "file_systems": 20, "buckets": 200, "cache_nodes": 200}

PLATFORM = Size(volumes=300, nodes=40, file_systems=2, buckets=60, components=6, cache_nodes=12)
"""The platform whose bill the issue names."""


def volume_id(number: int) -> str:
    """The id of the *number*-th volume."""
    return identifier("vol", _SEED, f"bench-{number}")


def instance_id(number: int) -> str:
    """The id of the *number*-th node."""
    return identifier("i", _SEED, f"bench-{number}")


def node_of(size: Size, number: int) -> int:
    """The node that holds the *number*-th volume."""
    return number * size.nodes // size.volumes


def world(size: Size) -> World:
    """The account but for its EBS: keys, file systems, buckets, caches, and backups of all of it."""
    estate = Estate(keys=keys_of(_SEED))
    for number in range(size.file_systems):
        pattern = file_rows.file_systems(_SEED)[number % 3]
        name = f"bench-{number}"
        item = replace(pattern, file_system_id=identifier("fs", _SEED, name), name=name, token=name)
        points = tuple(
            replace(point, access_point_id=identifier("fsap", _SEED, f"{name}-{order}"))
            for order, point in enumerate(item.access_points)
        )
        targets = tuple(
            replace(target, mount_target_id=identifier("fsmt", _SEED, f"{name}-{order}"))
            for order, target in enumerate(item.mount_targets)
        )
        estate.file_systems[item.file_system_id] = replace(
            item, access_points=points, mount_targets=targets, replication=None
        )
    for number in range(size.buckets):
        bucket = _bucket(size, number)
        estate.buckets[bucket.name] = bucket
    for number, nodes in enumerate(_groups(size.cache_nodes)):
        cache = cache_rows.group(
            f"bench-{number:04}", "cache.r7g.large", replicas=nodes - 1, automatic_failover="enabled", at_rest=True
        )
        estate.caches[cache.name] = replace(
            cache, kms_key_id=cache_rows.key_arn(_SEED), retention=7, tags=(("team", f"team-{number % 9}"),)
        )
    for number in range(0, size.volumes, 70):
        arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:volume/{volume_id(number)}"
        estate.backups[arn] = BackupPlan("EBS", arn, 18 * 3600 + number)
    return World(_SEED, lambda: float(NOW), estate=estate)


def _bucket(size: Size, number: int) -> Bucket:
    component = number < size.components
    name = COMPONENT.format(_COMPONENTS[number]) if component else f"officeless-bench-{number:05}"
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{uuid_of(_SEED, 's3-key')}"
    return Bucket(
        name,
        REGION,
        GENESIS + 60.0 * number,
        versioning="Enabled",
        encryption=Encryption("aws:kms", key, bucket_key=True) if number % 2 else Encryption(),
        lifecycle=(
            LifecycleRule("abort-incomplete-uploads", abort_days=7),
            LifecycleRule("expire", days=30 + number % 300, noncurrent_days=7),
        ),
        policy=False,
        tls_only=True,
        tags=(("team", f"team-{number % 9}"), ("data-classification", "internal")),
        metrics=(MetricsConfiguration(),) if component or number % 4 == 0 else (),
        storage={"StandardStorage": 40 * GIB * (number + 1), "StandardIAStorage": 4 * GIB * (number + 1)},
        objects=1000 * (number + 1),
    )


def _groups(nodes: int) -> list[int]:
    """Replication groups of three nodes, and the rest in one."""
    return [3] * (nodes // 3) + ([nodes % 3] if nodes % 3 else [])


# ---- EBS -------------------------------------------------------------------------------------------------------------


def ec2_sets(size: Size) -> dict[EC2Set, dict[str, str]]:
    """Each list of EC2 as items of XML by id, in the order AWS lists them."""
    volumes = sorted((volume_id(number), number) for number in range(size.volumes))
    held: dict[int, list[str]] = {}
    for name, number in volumes:
        held.setdefault(node_of(size, number), []).append(name)
    return {
        "volumes": {name: _volume(size, name, number) for name, number in volumes},
        "statuses": {name: _status(size, name, number) for name, number in volumes},
        "modifications": {name: _modification(name, number) for name, number in volumes if number % 50 == 7},
        "snapshots": {
            snapshot: _snapshot(snapshot, name, number)
            for name, number in volumes
            if number % 2 == 0
            for snapshot in [identifier("snap", _SEED, f"bench-{number}")]
        },
        "instances": {
            name: _instance(name, number, held.get(number, []))
            for name, number in sorted((instance_id(number), number) for number in range(size.nodes))
        },
    }


def _zone(size: Size, number: int) -> tuple[str, str]:
    return zone("abc"[node_of(size, number) % 3])


def _device(order: int) -> str:
    return f"/dev/xvd{chr(ord('b') + order // 26)}{chr(ord('a') + order % 26)}"


def _volume(size: Size, name: str, number: int) -> str:
    where, where_id = _zone(size, number)
    born = iso(GENESIS + 60.0 * number)
    pv = f"pvc-{uuid_of(_SEED, f'bench-{number}')}"
    tags = {
        "CSIVolumeName": pv,
        "ebs.csi.aws.com/cluster": "true",
        "kubernetes.io/created-for/pv/name": pv,
        "kubernetes.io/created-for/pvc/name": f"data-database-{number}",
        "kubernetes.io/created-for/pvc/namespace": f"namespace-{number % 97}",
        "kubernetes.io/cluster/production": "owned",
        "KubernetesCluster": "production",
        "Name": f"production-dynamic-{pv}",
        "team": f"team-{number % 9}",
    }
    tag_set = "".join(f"<item><key>{key}</key><value>{value}</value></item>" for key, value in tags.items())
    return (
        f"<item><volumeId>{name}</volumeId><size>{20 + number % 480}</size><snapshotId></snapshotId>"
        f"<availabilityZone>{where}</availabilityZone><availabilityZoneId>{where_id}</availabilityZoneId>"
        f"<status>in-use</status><createTime>{born}</createTime><attachmentSet><item><volumeId>{name}</volumeId>"
        f"<instanceId>{instance_id(node_of(size, number))}</instanceId><device>{_device(number % 100)}</device>"
        f"<status>attached</status><attachTime>{born}</attachTime><deleteOnTermination>false</deleteOnTermination>"
        f"</item></attachmentSet><tagSet>{tag_set}</tagSet><volumeType>gp3</volumeType><iops>3000</iops>"
        f"<encrypted>true</encrypted><kmsKeyId>arn:aws:kms:{REGION}:{ACCOUNT}:key/{uuid_of(_SEED, 'ebs-key')}"
        "</kmsKeyId><multiAttachEnabled>false</multiAttachEnabled><throughput>125</throughput></item>"
    )


def _status(size: Size, name: str, number: int) -> str:
    where, where_id = _zone(size, number)
    return (
        f"<item><volumeId>{name}</volumeId><availabilityZone>{where}</availabilityZone>"
        f"<availabilityZoneId>{where_id}</availabilityZoneId><volumeStatus><status>ok</status><details><item>"
        "<name>io-enabled</name><status>passed</status></item><item><name>io-performance</name><status>normal</status>"
        "</item></details></volumeStatus></item>"
    )


def _modification(name: str, number: int) -> str:
    start = iso(NOW - 3 * _DAY - number)
    return (
        f"<item><volumeId>{name}</volumeId><modificationState>completed</modificationState>"
        f"<targetSize>{20 + number % 480}</targetSize><targetIops>3000</targetIops>"
        "<targetVolumeType>gp3</targetVolumeType><targetThroughput>125</targetThroughput>"
        "<originalSize>10</originalSize><originalIops>3000</originalIops><originalVolumeType>gp3</originalVolumeType>"
        f"<originalThroughput>125</originalThroughput><progress>100</progress><startTime>{start}</startTime>"
        f"<endTime>{iso(NOW - 3 * _DAY)}</endTime></item>"
    )


def _snapshot(snapshot: str, name: str, number: int) -> str:
    return (
        f"<item><snapshotId>{snapshot}</snapshotId><volumeId>{name}</volumeId><status>completed</status>"
        f"<startTime>{iso(NOW - 3600.0 - number)}</startTime><progress>100%</progress><ownerId>{ACCOUNT}</ownerId>"
        f"<volumeSize>{20 + number % 480}</volumeSize><description>nightly</description><encrypted>true</encrypted>"
        "<storageTier>standard</storageTier></item>"
    )


def _instance(name: str, number: int, held: list[str]) -> str:
    where, where_id = zone("abc"[number % 3])
    launched = iso(GENESIS + 60.0 * number)
    mapping = "".join(
        f"<item><deviceName>{_device(order)}</deviceName><ebs><volumeId>{volume}</volumeId><status>attached</status>"
        f"<attachTime>{launched}</attachTime><deleteOnTermination>false</deleteOnTermination></ebs></item>"
        for order, volume in enumerate(held)
    )
    tags = {"Name": f"production-node-{number}", "kubernetes.io/cluster/production": "owned"}
    tag_set = "".join(f"<item><key>{key}</key><value>{value}</value></item>" for key, value in tags.items())
    return (
        f"<item><reservationId>r-{name[2:]}</reservationId><ownerId>{ACCOUNT}</ownerId><groupSet/><instancesSet><item>"
        f"<instanceId>{name}</instanceId><imageId>ami-0f1e2d3c4b5a69788</imageId>"
        "<instanceState><code>16</code><name>running</name></instanceState><instanceType>m6i.4xlarge</instanceType>"
        f"<launchTime>{launched}</launchTime><placement><availabilityZone>{where}</availabilityZone>"
        f"<availabilityZoneId>{where_id}</availabilityZoneId><tenancy>default</tenancy></placement>"
        "<monitoring><state>disabled</state></monitoring><architecture>x86_64</architecture>"
        f"<rootDeviceType>ebs</rootDeviceType><blockDeviceMapping>{mapping}</blockDeviceMapping>"
        f"<hypervisor>xen</hypervisor><ebsOptimized>true</ebsOptimized><tagSet>{tag_set}</tagSet></item></instancesSet>"
        "</item>"
    )
