"""
A large cluster, for tests of memory and of paging: nothing but volumes and claims, as noisy as real ones. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from exporter.demo import kubernetes_volumes as volumes
from exporter.demo.kubernetes_claims import EBS, EFS, MANY, ONCE, Holding
from exporter.demo.kubernetes_kinds import Object
from exporter.demo.nouns import GENESIS, identifier, uuid_of
from exporter.demo.tables import zone
from exporter.demo.world import World

_NOTE = "Kept for the auditors until the end of the year; ask the owner before it is changed in any way."


def many(count: int, seed: int = 1) -> Mapping[str, list[Object]]:
    """
    *count* PersistentVolumes, each bound to one of as many claims, for `Cluster.fill`.

    Of ten, one is an EFS access point and the others are EBS volumes, in all three zones and some hundred namespaces.
    """
    world, held = World.empty(seed), list(_holdings(count, seed))
    return {
        "persistentvolumes": volumes.persistent_volumes(world, held),
        "persistentvolumeclaims": volumes.persistent_volume_claims(world, held, GENESIS),
    }


def _holdings(count: int, seed: int) -> Iterator[Holding]:
    for number in range(count):
        namespace, claim = f"team-{number % 100:03d}", f"data-service-{number // 100:04d}-0"
        uid, made = uuid_of(seed, f"many|{number}"), GENESIS + 60.0 * number
        shared = number % 10 == 9
        handle = identifier("vol", seed, f"many-{number}")
        if shared:
            handle = f"{identifier('fs', seed, 'many')}::{identifier('fsap', seed, f'many-{number}')}"
        attributes = {"storage.kubernetes.io/csiProvisionerIdentity": f"1735689600{number % 1000:03d}-8081-ebs"}
        source = {"driver": EFS if shared else EBS, "volumeHandle": handle, "volumeAttributes": attributes}
        yield Holding(
            namespace,
            claim,
            f"pvc-{uid}",
            "efs" if shared else "gp3-sc",
            {"csi": source if shared else {**source, "fsType": "ext4"}},
            EFS if shared else EBS,
            "20Gi",
            "20Gi",
            (MANY if shared else ONCE,),
            uid,
            made,
            made + 5,
            zone="" if shared else zone("abc"[number % 3])[0],
            labels=(("team", namespace), ("app.kubernetes.io/instance", claim), ("helm.sh/chart", "service-4.2.1")),
            annotations=(("office.example/note", _NOTE), ("office.example/cost-centre", f"{4000 + number % 100}")),
        )
