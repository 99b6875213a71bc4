"""Claims that run full."""

from __future__ import annotations

from dataclasses import replace

from rules.build.cases.claims_world import (
    CLAIM,
    DASHBOARD,
    OWNER,
    WORLD,
    claim_info,
    during,
    neighbours,
    pod,
    storage_class,
)
from rules.build.cases.claims_world import VOLUME as VOLUME_IDENTITY
from rules.build.cases.shapes import Case, Reading, S, Values, Variant, between, flat, ramp, step

GIB = 2.0**30
_KUBELET = {"job": "kubelet", "metrics_path": "/metrics", "endpoint": "https-metrics", "service": "kubelet"}


def stats(what: str, bad: Values | float, good: Values | float | None = None, node: str = "node-a1", **more: str) -> S:
    """A series of the kubelet of a node."""
    return S(f"kubelet_volume_stats_{what}", {**CLAIM, **_KUBELET, "node": node, **more}, bad=bad, good=good)


def space(available: Values | float, good: Values | float | None = None, capacity: float = 100 * GIB) -> tuple[S, ...]:
    """Bytes that are free of a claim that is in use."""
    used = stats("used_bytes", 20 * GIB)
    return stats("available_bytes", available, good), stats("capacity_bytes", capacity), used


def _moved(at: int, free: Values) -> tuple[S, ...]:
    """The pod moves to another node at a minute, and another kubelet tells of the claim."""
    series: list[S] = []
    for name, values in (
        ("available_bytes", free),
        ("capacity_bytes", flat(100 * GIB)),
        ("used_bytes", flat(20 * GIB)),
    ):
        series.append(stats(name, _until(at, values)))
        series.append(stats(name, _since(at, values), node="node-a2"))
    return tuple(series)


def _until(at: int, values: Values) -> Values:
    return lambda minute: values(minute) if minute < at else float("inf") if minute == at else None


def _since(at: int, values: Values) -> Values:
    return lambda minute: values(minute) if minute >= at else None


_PATCH = (
    "Grow it: kubectl -n databases patch pvc data-postgres-0 -p "
    '\'{"spec":{"resources":{"requests":{"storage":"150Gi"}}}}\''
)
_ANONYMOUS = {
    "account_id": "",
    "region": "",
    "volume_id": "",
    "availability_zone": "",
    "workload": "",
    "storageclass": "",
}

_MODIFIED = S("aws_ebs_volume_modification_start_timestamp_seconds", {**VOLUME_IDENTITY, "state": "optimizing"}, bad=0)

_EXPORTER = tuple({each.name for each in WORLD})

_OTHERS = ({"cluster": "elsewhere"}, {"namespace": "other"}, {"persistentvolumeclaim": "data-postgres-1"})


def _unclear() -> list[S]:
    """Other claims, each with two volumes, two classes and two makers of its pods, beside ours."""
    found = list(WORLD)
    for number, other in enumerate(_OTHERS):
        cluster = {"cluster": other.get("cluster", "production")}
        for twice in (1, 2):
            volume = {**cluster, "volume_id": f"vol-{number}{twice}"}
            changed = {
                "storageclass": f"class-{twice}",
                "owner_name": f"maker-{twice}",
                "persistentvolume": f"pvc-{number}{twice}",
            }
            for each, more in (
                (WORLD[0], other),
                (WORLD[1], other),
                (WORLD[2], volume),
                (WORLD[3], {**other, **volume}),
            ):
                known = {key: value for key, value in changed.items() if key in each.labels}
                found.append(replace(each, labels={**each.labels, **known, **more}))
    return found


_SINKING = ramp(0, 28.3 * GIB, -0.4 * GIB)

CASES = [
    Case(
        alert="StorageClaimFull",
        among="clusters",
        severity="critical",
        component="claims",
        source="client",
        series=[*WORLD, *space(step(10, 20 * GIB, 2.8 * GIB), step(10, 20 * GIB, 3.2 * GIB))],
        fires_at=11,
        waits=1,
        keeps=10,
        labels=OWNER,
        summary="Claim databases/data-postgres-0: full, 2.8% left",
        description="Volume vol-0a1, used by StatefulSet/postgres, has 2.8GiB of 100GiB left. Writes fail when it is full. "
        f"The class may grow it. {_PATCH}",
        dashboard=DASHBOARD,
        variants={
            "only others are known": Variant(
                fires=True,
                series=neighbours(WORLD),
                labels=_ANONYMOUS,
            ),
            "a huge claim has enough bytes, others have few": Variant(
                fires=False,
                series=[
                    *space(step(10, 900 * GIB, 54 * GIB), capacity=2000 * GIB),
                    *neighbours(space(5 * GIB, capacity=10 * GIB)),
                ],
            ),
            "others are on EFS, and only read": Variant(
                fires=True,
                series=[
                    claim_info(),
                    *neighbours([claim_info(csi_driver="efs.csi.aws.com", access_mode="ReadOnlyMany")]),
                ],
            ),
            "the exporter is not there, and the page comes all the same": Variant(
                fires=True, drop=_EXPORTER, labels=_ANONYMOUS
            ),
            "a huge claim has enough bytes": Variant(
                fires=False, series=space(step(10, 900 * GIB, 54 * GIB), capacity=2000 * GIB)
            ),
            "a huge claim has few bytes": Variant(
                fires=True, series=space(step(10, 900 * GIB, 46 * GIB), capacity=2000 * GIB)
            ),
            "it is only read": Variant(fires=False, series=[claim_info(access_mode="ReadOnlyMany")]),
            "it is on EFS": Variant(fires=False, series=[claim_info(csi_driver="efs.csi.aws.com")]),
            "its driver is not known": Variant(fires=True, series=[claim_info(csi_driver="")]),
            "it is a block device": Variant(fires=False, series=[stats("used_bytes", 0)]),
            "two volumes are found for the claim": Variant(
                fires=True,
                series=[
                    replace(WORLD[2], labels={**WORLD[2].labels, "volume_id": "vol-0b2"}),
                    replace(WORLD[3], labels={**WORLD[3].labels, "volume_id": "vol-0b2"}),
                    WORLD[2],
                    WORLD[3],
                ],
                labels={"account_id": "", "region": "", "volume_id": "", "availability_zone": ""},
            ),
            "nothing is clear of others": Variant(fires=True, series=_unclear()),
            "only the tags in AWS tell whose it is": Variant(
                fires=True, drop=["kubernetes_persistentvolumeclaim_info"]
            ),
            "two classes are told of it": Variant(
                fires=True,
                series=[claim_info(), claim_info(storageclass="io2-sc")],
                labels={"workload": "StatefulSet/postgres"},
            ),
            "it is full for a moment": Variant(fires=False, series=space(between(10, 11, 2.8 * GIB, 20 * GIB))),
        },
    ),
    Case(
        alert="StorageClaimFullWithinHour",
        among="clusters",
        severity="critical",
        component="claims",
        source="client",
        # full 70.75 minutes after the start: less than 60 are left from minute 11 on
        series=[*WORLD, _MODIFIED, *space(_SINKING, ramp(0, 28.3 * GIB, -0.27 * GIB))],
        fires_at=14,
        waits=3,
        keeps=10,
        labels=OWNER,
        summary="Claim databases/data-postgres-0: full in 57m 0s",
        description="Volume vol-0a1, used by StatefulSet/postgres, has 22.7GiB of 100GiB left and is full in 57m 0s at the "
        "pace of the last 20 minutes. The class may grow it. AWS may refuse: the volume was changed less than 6 hours ago; "
        f"the next change is allowed in 5h 46m 0s. {_PATCH}",
        dashboard=DASHBOARD,
        variants={
            "it has more than a quarter, others less": Variant(
                fires=False,
                series=[*space(ramp(0, 37 * GIB, -0.7 * GIB)), *neighbours(space(ramp(0, 20 * GIB, -0.01 * GIB)))],
                at=16,
            ),
            "it has stopped, others go on slowly": Variant(
                fires=False,
                series=[
                    *space(ramp(0, 28.3 * GIB, -0.8 * GIB, least=24 * GIB)),
                    *neighbours(space(ramp(0, 20 * GIB, -0.01 * GIB))),
                ],
            ),
            "the exporter is not there, and the page comes all the same": Variant(
                fires=True, drop=_EXPORTER, labels=_ANONYMOUS
            ),
            "the pod moves to another node": Variant(fires=True, series=_moved(7, _SINKING)),
            "it has a little more than an hour": Variant(fires=False, series=space(ramp(0, 28.3 * GIB, -0.37 * GIB))),
            "it has more than a quarter": Variant(fires=False, series=space(ramp(0, 37 * GIB, -0.7 * GIB)), at=16),
            "it has a little less than a quarter": Variant(
                fires=True, series=space(ramp(0, 37 * GIB, -0.7 * GIB)), at=22
            ),
            "it has stopped": Variant(fires=False, series=space(ramp(0, 28.3 * GIB, -0.8 * GIB, least=24 * GIB))),
            "the kubelet has only begun to tell": Variant(
                fires=False, series=space(lambda minute: (24.0 - 2 * (minute - 3)) * GIB if minute >= 3 else None)
            ),
        },
    ),
    Case(
        alert="StorageClaimInodesFull",
        among="clusters",
        severity="critical",
        component="claims",
        source="client",
        series=[
            *WORLD,
            *space(30 * GIB),
            stats("inodes_free", step(10, 500_000, 28_000), step(10, 500_000, 32_000)),
            stats("inodes", 1_000_000),
        ],
        fires_at=11,
        waits=1,
        keeps=10,
        labels=OWNER,
        summary="Claim databases/data-postgres-0: out of inodes, 2.8% left",
        description="Volume vol-0a1, used by StatefulSet/postgres, has room but hardly any inodes: no new file can be made, "
        "programs say 'No space left on device'. Find the directory with very many small files and delete what is not "
        "needed: kubectl -n databases exec POD -- sh -c 'du --inodes -xd3 MOUNT | sort -n | tail'. On ext4 growing the "
        "claim adds inodes.",
        dashboard=DASHBOARD,
        variants={
            "others are on EFS": Variant(
                fires=True, series=[claim_info(), *neighbours([claim_info(csi_driver="efs.csi.aws.com")])]
            ),
            "others are full of bytes": Variant(fires=True, series=[*space(30 * GIB), *neighbours(space(2.8 * GIB))]),
            "it is full of bytes, which is said": Variant(fires=False, series=space(2.8 * GIB)),
            "it is nearly full of bytes": Variant(fires=True, series=space(3.2 * GIB)),
            "the exporter is not there": Variant(fires=True, drop=_EXPORTER, labels=_ANONYMOUS),
            "the file system does not count inodes": Variant(
                fires=False, series=[stats("inodes_free", 0), stats("inodes", 0)]
            ),
            "it is on EFS": Variant(fires=False, series=[claim_info(csi_driver="efs.csi.aws.com")]),
        },
    ),
    Case(
        alert="StorageClaimFillingUp",
        among="clusters",
        severity="warning",
        component="claims",
        source="client",
        # 24 GiB are gone in 2 days at 0.5 GiB an hour
        series=[
            *WORLD[:-1],
            storage_class(allow_expansion="false"),
            *space(ramp(0, 24 * GIB, -0.55 * GIB / 60), ramp(0, 24 * GIB, -0.43 * GIB / 60)),
        ],
        fires_at=59,
        waits=30,
        keeps=15,
        labels=OWNER,
        summary="Claim databases/data-postgres-0: full in about 1d 19h 0m 0s",
        description="Volume vol-0a1, used by StatefulSet/postgres, has 23.46GiB of 100GiB left and is full in about "
        "1d 19h 0m 0s at the pace of the last 6 hours. Its class gp3-sc does not allow growing: set allowVolumeExpansion: "
        f"true on the class first, or make room. {_PATCH}",
        dashboard=DASHBOARD,
        variants={
            "it has more than a quarter, others less": Variant(
                fires=False,
                series=[
                    *space(ramp(0, 27 * GIB, -0.7 * GIB / 60)),
                    *neighbours(space(ramp(0, 20 * GIB, -0.01 * GIB / 60))),
                ],
            ),
            "it has more than a quarter": Variant(fires=False, series=space(ramp(0, 27 * GIB, -0.7 * GIB / 60))),
            "the exporter is not there": Variant(fires=True, drop=_EXPORTER, labels=_ANONYMOUS),
            "it has less than a quarter since half an hour": Variant(
                fires=True, series=space(ramp(0, 25.3 * GIB, -0.7 * GIB / 60))
            ),
        },
    ),
]

_THE_CLAIM = '{cluster="production", namespace="databases", persistentvolumeclaim="data-postgres-0"}'

_OF_TWO = {
    "claim:kubelet_available:bytes": 10 * GIB,
    "claim:kubelet_capacity:bytes": 50 * GIB,
    "claim:kubelet_available:ratio": 0.2,
    "claim:kubelet_inodes_free:ratio": 0.1,
}
_OWNED = (
    '{account_id="123456789012", availability_zone="ap-southeast-3a", cluster="production", csi_driver="ebs.csi.aws.com",'
    ' namespace="databases", persistentvolume="pvc-1", persistentvolumeclaim="data-postgres-0", region="ap-southeast-3",'
    ' storageclass="gp3-sc", volume_id="vol-0a1", workload="StatefulSet/postgres"}'
)

READINGS = [
    *(
        Reading(
            name=f"what a kubelet says of a claim, {name}",
            series=[*WORLD, *space(30 * GIB), stats("inodes_free", 250), stats("inodes", 1000)],
            expr=name,
            at=5,
            samples={f"{name}{_THE_CLAIM}": value},
        )
        for name, value in {
            "claim:kubelet_available:bytes": 30 * GIB,
            "claim:kubelet_capacity:bytes": 100 * GIB,
            "claim:kubelet_available:ratio": 0.3,
            "claim:kubelet_inodes_free:ratio": 0.25,
        }.items()
    ),
    Reading(
        name="a claim that goes from one kubelet to another has what the new one says when less",
        series=[
            *_moved(99, flat(30 * GIB)),
            stats("inodes_free", 250),
            stats("inodes", 1000),
            *[
                replace(each, labels={**each.labels, "node": "b"})
                for each in (*space(10 * GIB, capacity=50 * GIB), stats("inodes_free", 30), stats("inodes", 300))
            ],
        ],
        expr=" or ".join(f'label_replace({name}, "of", "{name}", "", "")' for name in _OF_TWO),
        at=5,
        samples={
            f'{name}{{cluster="production", namespace="databases", of="{name}", persistentvolumeclaim="data-postgres-0"}}': value
            for name, value in _OF_TWO.items()
        },
    ),
    Reading(
        name="the time until a claim is full needs minutes of it",
        series=space(ramp(0, 60 * GIB, -1 * GIB)),
        expr="claim:kubelet_full:eta20m_seconds",
        at=8,
        samples={},
    ),
    Reading(
        name="the time until a claim is full is what is left at the pace of twenty minutes",
        series=space(ramp(0, 60 * GIB, -1 * GIB)),
        expr="claim:kubelet_full:eta20m_seconds",
        at=30,
        samples={f"claim:kubelet_full:eta20m_seconds{_THE_CLAIM}": 1800},
    ),
    Reading(
        name="the pace of twenty minutes is half of what it is since ten minutes",
        series=space(ramp(20, 60 * GIB, -1 * GIB)),
        expr="claim:kubelet_full:eta20m_seconds",
        at=30,
        samples={f"claim:kubelet_full:eta20m_seconds{_THE_CLAIM}": 6000},
    ),
    Reading(
        name="the pace of hours is that of all minutes known",
        series=space(ramp(50, 60 * GIB, -0.5 * GIB)),
        expr="claim:kubelet_full:eta6h_seconds",
        at=100,
        samples={f"claim:kubelet_full:eta6h_seconds{_THE_CLAIM}": 8400},
    ),
    Reading(
        name="what is behind a claim",
        series=WORLD,
        expr="claim:kubernetes_owner:info",
        at=5,
        samples={f"claim:kubernetes_owner:info{_OWNED}": 1},
    ),
    Reading(
        name="claims that only a kubelet or a pod tells of",
        series=[stats("capacity_bytes", GIB), pod(persistentvolumeclaim="data-postgres-1")],
        expr="claim:storage_owner:info",
        at=5,
        samples={
            'claim:storage_owner:info{cluster="production", namespace="databases", '
            f'persistentvolumeclaim="data-postgres-{number}"}}': 1
            for number in (0, 1)
        },
    ),
    Reading(
        name="what is behind a claim is remembered ten minutes later",
        series=[replace(each, bad=during(0, 5)) for each in WORLD],
        expr="claim:storage_owner:info",
        at=15,
        samples={f"claim:storage_owner:info{_OWNED}": 1},
    ),
    Reading(
        name="what the owner recordings remember ends after a quarter of an hour",
        series=[replace(each, bad=during(0, 5)) for each in WORLD],
        expr="claim:storage_owner:info",
        at=26,
        samples={},
    ),
]
