"""The mission's other regions and its second account: small estates beside the one in `estate`. Pure."""

from __future__ import annotations

from collections.abc import Callable

from exporter.demo import bucket_rows, cache_rows
from exporter.demo.buckets import Bucket
from exporter.demo.estate import Estate, claim_tags
from exporter.demo.keys import keys_of
from exporter.demo.nouns import (
    GENESIS,
    GIB,
    AccessPoint,
    Attachment,
    Claim,
    FileLoad,
    FileSystem,
    Instance,
    Load,
    MountTarget,
    Schedule,
    Volume,
    identifier,
    uuid_of,
)
from exporter.demo.tables import DAY, INSTANCE_TYPES
from exporter.demo.world import World

SECOND_REGION = "ap-southeast-1"
SECOND_ACCOUNT = "210987654321"
EXTERNAL_ID = "officeless"
SECOND_ROLE = f"arn:aws:iam::{SECOND_ACCOUNT}:role/storage-exporter"


def mission_worlds(seed: int, now: Callable[[], float]) -> list[World]:
    """
    The main account and region first, then the same account in its second region, then the second account there.

    The second account's role may be assumed from the main one with the external id.
    """
    main = World(seed, now)
    sibling = World(seed, now, estate=_replicas(seed), region=SECOND_REGION)
    other = World(seed, now, estate=_subsidiary(seed), account_id=SECOND_ACCOUNT, region=SECOND_REGION)
    main.roles[SECOND_ROLE] = EXTERNAL_ID
    return [main, sibling, other]


def _replicas(seed: int) -> Estate:
    """The same account elsewhere: the replica of the shared files, and a node with its volumes."""
    replica = FileSystem(
        identifier("fs", seed, "eks_production-replica"),
        "eks_production-replica",
        "eks-production-replica",
        GENESIS + 2 * DAY,
        "generalPurpose",
        "bursting",
        encrypted=True,
        standard=210 * GIB,
        growth=GIB // 4,
        load=FileLoad(0.2e6, 0.9e6, 20.0, 1, 0.2),
        mount_targets=_targets(seed, "replica", 30, "ab"),
        backup="DISABLED",
        tags=(("Name", "eks_production-replica"), ("team", "platform")),
        kms_key_id=f"arn:aws:kms:{SECOND_REGION}:123456789012:key/{uuid_of(seed, 'efs-key')}",
    )
    estate = _estate(seed, "standby", (("data-standby-0", 100), ("data-standby-1", 100)), [replica])
    estate.buckets = {item.name: item for item in bucket_rows.of_region(seed, SECOND_REGION)}
    estate.caches = cache_rows.pair(seed)
    return estate


def _subsidiary(seed: int) -> Estate:
    """A small company of the group: one node, three claims, one file system."""
    claim = Claim("office", "shared", f"pvc-{uuid_of(seed, 'subsidiary-shared')}", "efs")
    shared = FileSystem(
        identifier("fs", seed, "subsidiary"),
        "subsidiary",
        "subsidiary-efs",
        GENESIS + 5 * DAY,
        "generalPurpose",
        "bursting",
        encrypted=True,
        standard=35 * GIB,
        load=FileLoad(0.9e6, 0.4e6, 40.0, 2, 0.7),
        mount_targets=_targets(seed, "subsidiary", 40, "a"),
        access_points=(
            AccessPoint(
                identifier("fsap", seed, "subsidiary"),
                claim.persistentvolume,
                f"/{claim.persistentvolume}",
                50_000,
                50_000,
                (("efs.csi.aws.com/cluster", "true"),),
                claim=claim,
            ),
        ),
        backup="ENABLED",
        tags=(("Name", "subsidiary"),),
        kms_key_id=f"arn:aws:kms:{SECOND_REGION}:{SECOND_ACCOUNT}:key/{uuid_of(seed, 'efs-key')}",
    )
    estate = _estate(seed, "office", (("data-office-0", 60), ("data-office-1", 60), ("data-ledger-0", 20)), [shared])
    buckets = (
        Bucket(
            "subsidiary-documents",
            SECOND_REGION,
            GENESIS + 8 * DAY,
            versioning="Enabled",
            policy=False,
            tags=(("team", "office"),),
            storage={"StandardStorage": 90 * GIB},
            objects=210_000,
            growth=GIB // 8,
        ),
        Bucket("subsidiary-scratch", SECOND_REGION, GENESIS + 9 * DAY, public_access_block=None),
    )
    estate.buckets = {item.name: item for item in buckets}
    estate.caches = cache_rows.pair(seed, SECOND_ACCOUNT, SECOND_REGION, names=("office-sessions", "office-edge"))
    return estate


def _zone(letter: str) -> tuple[str, str]:
    return f"{SECOND_REGION}{letter}", f"apse1-az{'abc'.index(letter) + 1}"


def _targets(seed: int, name: str, third: int, letters: str) -> tuple[MountTarget, ...]:
    return tuple(
        MountTarget(
            identifier("fsmt", seed, name + letter),
            *_zone(letter),
            identifier("subnet", seed, name + letter),
            identifier("eni", seed, name + letter),
            f"10.30.{third}.{50 + order}",
        )
        for order, letter in enumerate(letters)
    )


def _estate(seed: int, name: str, claims: tuple[tuple[str, int], ...], systems: list[FileSystem]) -> Estate:
    """One node that holds a volume a claim, and file systems."""
    zone, zone_id = _zone("a")
    node = Instance(
        identifier("i", seed, f"node-{name}"),
        f"node-{name}",
        INSTANCE_TYPES["m6i.xlarge"],
        zone,
        zone_id,
        "10.30.1.10",
        GENESIS + DAY,
    )
    volumes = []
    for number, (label, size) in enumerate(claims):
        claim = Claim(name, label, f"pvc-{uuid_of(seed, label)}", "gp3-sc")
        born = GENESIS + 6 * DAY + 977.0 * number
        attached = Attachment(node.instance_id, f"/dev/xvdb{'abc'[number]}", born + 9, born + 20)
        volumes.append(
            Volume(
                identifier("vol", seed, label),
                label,
                "gp3",
                size,
                3000,
                125,
                zone,
                zone_id,
                born,
                (attached,),
                (*claim_tags(claim), ("team", name)),
                claim=claim,
                load=Load(12, 60),
                snapshots=Schedule(DAY, 20 * 3600 + number * 60, 900, 3),
            )
        )
    return Estate(
        instances={node.instance_id: node},
        volumes={item.volume_id: item for item in volumes},
        file_systems={item.file_system_id: item for item in systems},
        keys=keys_of(seed),
    )
