"""The file systems of the mission's estate, as rows. Pure."""

from __future__ import annotations

from exporter.demo.nouns import (
    GENESIS,
    GIB,
    AccessPoint,
    Claim,
    FileLoad,
    FileSystem,
    MountTarget,
    Replication,
    identifier,
    uuid_of,
)
from exporter.demo.tables import ACCOUNT, DAY, REGION, SHARED_CLAIMS, zone


def file_systems(seed: int) -> list[FileSystem]:
    """The file systems, with their mount targets and an access point a shared claim."""

    def targets(name: str, third: int, letters: str) -> tuple[MountTarget, ...]:
        return tuple(
            MountTarget(
                identifier("fsmt", seed, name + letter),
                *zone(letter),
                identifier("subnet", seed, letter),
                identifier("eni", seed, name + letter),
                f"10.20.{third}.{50 + order}",
            )
            for order, letter in enumerate(letters)
        )

    shared = []
    for number, (name, namespace, uid) in enumerate(SHARED_CLAIMS):
        claim = Claim(namespace, name, f"pvc-{uuid_of(seed, 'efs-' + name)}", "efs")
        shared.append(
            AccessPoint(
                identifier("fsap", seed, name),
                claim.persistentvolume,
                f"/{claim.persistentvolume}",
                uid,
                uid,
                (("efs.csi.aws.com/cluster", "true"),),
                claim=claim,
                created=GENESIS + 9 * DAY + number * 600.0,
            )
        )
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{uuid_of(seed, 'efs-key')}"
    return [
        FileSystem(
            identifier("fs", seed, "eks_production"),
            "eks_production",
            "eks-production-efs",
            GENESIS + DAY,
            "generalPurpose",
            "bursting",
            encrypted=True,
            standard=210 * GIB,
            infrequent=95 * GIB,
            growth=GIB // 4,
            load=FileLoad(7.1e6, 8.3e6, 260.0, 9, 0.6),
            mount_targets=targets("eks_production", 10, "abc"),
            access_points=tuple(shared),
            lifecycle=(("TransitionToIA", "AFTER_30_DAYS"),),
            backup="ENABLED",
            replication=Replication(identifier("fs", seed, "eks_production-replica"), "ap-southeast-1"),
            tls_only=True,
            tags=(("Name", "eks_production"), ("team", "platform"), ("data-classification", "confidential")),
            kms_key_id=key,
        ),
        FileSystem(
            identifier("fs", seed, "media"),
            "media",
            "media-efs",
            GENESIS + 2 * DAY,
            "generalPurpose",
            "elastic",
            encrypted=True,
            standard=1300 * GIB,
            infrequent=2600 * GIB,
            archive=900 * GIB,
            growth=2 * GIB,
            load=FileLoad(38.0e6, 9.0e6, 120.0, 4, 0.8),
            mount_targets=targets("media", 11, "abc"),
            access_points=(
                AccessPoint(
                    identifier("fsap", seed, "media"),
                    "media-console",
                    "/media",
                    1000,
                    1000,
                    (("Name", "media"),),
                    name="media",
                ),
            ),
            lifecycle=(
                ("TransitionToIA", "AFTER_30_DAYS"),
                ("TransitionToArchive", "AFTER_90_DAYS"),
                ("TransitionToPrimaryStorageClass", "AFTER_1_ACCESS"),
            ),
            tags=(("Name", "media"), ("team", "web")),
            kms_key_id=key,
        ),
        FileSystem(
            identifier("fs", seed, "scratch"),
            "scratch",
            "scratch-efs",
            GENESIS + 4 * DAY,
            "maxIO",
            "provisioned",
            encrypted=False,
            standard=60 * GIB,
            load=FileLoad(1.1e6, 0.8e6, 30.0, 1, 0.9, idle_share=0.35),
            provisioned_mibps=64.0,
            zone=zone("a")[0],
            zone_id=zone("a")[1],
            mount_targets=targets("scratch", 12, "a"),
            backup="DISABLED",
            tags=(("Name", "scratch"),),
        ),
    ]
