"""The claim of the cases: databases/data-postgres-0 on vol-0a1 in zone a, used by StatefulSet postgres on node-a1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rules.build.cases.shapes import Case, S, Values, Variant

CLUSTER = {"cluster": "production"}
SCOPE = {**CLUSTER, "account_id": "123456789012", "region": "ap-southeast-3"}
CLAIM = {**CLUSTER, "namespace": "databases", "persistentvolumeclaim": "data-postgres-0"}
VOLUME = {**SCOPE, "volume_id": "vol-0a1"}
ZONE_A = {**SCOPE, "availability_zone": "ap-southeast-3a"}
ZONE_B = {**SCOPE, "availability_zone": "ap-southeast-3b"}

DASHBOARD = (
    "/d/storage-exporter-ebs-volume?var-cluster=production&var-namespace=databases"
    "&var-persistentvolumeclaim=data-postgres-0"
)
VOLUME_DASHBOARD = (
    "/d/storage-exporter-ebs-volume?var-cluster=production&var-account_id=123456789012"
    "&var-region=ap-southeast-3&var-volume_id=vol-0a1"
)
VOLUME_CONSOLE = (
    "https://ap-southeast-3.console.aws.amazon.com/ec2/home?region=ap-southeast-3#VolumeDetails:volumeId=vol-0a1"
)


def claim_info(**changed: str) -> S:
    """What Kubernetes says the claim is."""
    labels = {"persistentvolume": "pvc-1", "csi_driver": "ebs.csi.aws.com", "storageclass": "gp3-sc"}
    more = {"reclaim_policy": "Delete", "access_mode": "ReadWriteOnce", "volume_mode": "Filesystem"}
    return S("kubernetes_persistentvolumeclaim_info", {**CLAIM, **labels, **more, **changed})


def pod(**changed: str) -> S:
    """The pod that uses the claim."""
    labels = {"pod_name": "postgres-0", "node": "node-a1", "owner_kind": "StatefulSet", "owner_name": "postgres"}
    return S("kubernetes_pod_persistentvolumeclaim_info", {**CLAIM, **labels, "phase": "Running", **changed})


def volume_info(volume_id: str = "vol-0a1", zone: str = "a") -> S:
    """The volume in AWS."""
    place = {"availability_zone": f"ap-southeast-3{zone}"}
    return S("aws_ebs_volume_info", {**SCOPE, "volume_id": volume_id, "volume_type": "gp3", "state": "in-use", **place})


def volume_claim(volume_id: str = "vol-0a1", claim: Mapping[str, str] | None = None) -> S:
    """Whose the volume is."""
    labels = {"persistentvolume": "pvc-1", "storageclass": "gp3-sc", **(CLAIM if claim is None else claim)}
    return S("aws_ebs_volume_persistentvolumeclaim_info", {**SCOPE, "volume_id": volume_id, **labels})


def storage_class(**changed: str) -> S:
    """Its class."""
    labels = {"storageclass": "gp3-sc", "volume_binding_mode": "WaitForFirstConsumer", "allow_expansion": "true"}
    return S("kubernetes_storageclass_info", {**CLUSTER, **labels, **changed})


WORLD = (claim_info(), pod(), volume_info(), volume_claim(), storage_class())
OWNER = {
    **CLAIM,
    **VOLUME,
    "availability_zone": "ap-southeast-3a",
    "storageclass": "gp3-sc",
    "workload": "StatefulSet/postgres",
}


def during(start: int, end: int, value: float = 1) -> Values:
    """A series that is there from minute *start* until before *end*, and is marked as ended then."""
    return lambda minute: value if start <= minute < end else float("inf") if minute == end else None


def again(then: int, value: float = 1) -> Values:
    """A series that is there for three minutes from minute 2 on, and from minute *then* on."""
    return lambda minute: value if 2 <= minute < 5 or minute >= then else float("inf") if minute == 5 else None


_NEXT = ({"cluster": "elsewhere"}, {"namespace": "other"}, {"persistentvolumeclaim": "data-postgres-1"})
_THEIRS = ("volume_id", "persistentvolume", "volumeattachment", "access_point_id")


def neighbours(series: Sequence[S]) -> list[S]:
    """Claims that differ from ours in one word, each with its own volume, and nothing wrong."""
    found = {}
    for number, other in enumerate(_NEXT):
        for each in series:
            own = {key: f"{each.labels[key]}-{number}" for key in _THEIRS if each.labels.get(key)}
            there = {key: value for key, value in other.items() if key in each.labels}
            labels = {**each.labels, **own, **there}
            if labels != each.labels:
                found[each.name, frozenset(labels.items())] = replace(
                    each, labels=labels, bad=each.bad if each.good is None else each.good
                )
    return list(found.values())


def beside(case: Case) -> Case:
    """The case, also among neighbours."""
    world = [*case.series, *neighbours(case.series)]
    among = {"claims beside it are well": Variant(fires=True, series=world, whole=True)}
    return replace(case, variants={**case.variants, **among})
