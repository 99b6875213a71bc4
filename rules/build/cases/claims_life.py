"""Claims that wait, grow, fail to grow, go; storage that is gone or left over."""

from __future__ import annotations

from rules.build.cases.claims_space import GIB, space
from rules.build.cases.claims_world import (
    CLAIM,
    DASHBOARD,
    OWNER,
    SCOPE,
    VOLUME,
    VOLUME_CONSOLE,
    VOLUME_DASHBOARD,
    WORLD,
    again,
    claim_info,
    during,
    neighbours,
    pod,
    storage_class,
    volume_claim,
    volume_info,
)
from rules.build.cases.shapes import Case, S, Values, Variant, step


def fact(what: str, bad: Values | float, good: Values | float | None = None, **labels: str) -> S:
    """Something that Kubernetes says of the claim."""
    return S(f"kubernetes_persistentvolumeclaim_{what}", {**CLAIM, **labels}, bad=bad, good=good)


_DESCRIBE = "kubectl -n databases describe pvc data-postgres-0"
_PENDING_POD = pod(phase="Pending", node="")
_MISSING_VOLUME = {**VOLUME, **CLAIM, "persistentvolume": "pvc-1", "storageclass": "gp3-sc"}
_MISSING_POINT = {
    **SCOPE, **CLAIM, "file_system_id": "fs-1", "access_point_id": "fsap-1", "persistentvolume": "pvc-1", "storageclass": "efs-sc",
}  # fmt: skip
_KUBELET = tuple(f"kubelet_volume_stats_{name}" for name in ("available_bytes", "capacity_bytes", "used_bytes"))
_STATUS = "kubernetes_persistentvolumeclaim_resize_status"
_GONE_VOLUME = (claim_info(), pod(), storage_class())

CASES = [
    Case(
        alert="StorageClaimGrowNotApplied",
        among="clusters",
        severity="warning",
        component="claims",
        series=[
            *WORLD,
            *space(30 * GIB),
            fact("requested_bytes", step(2, 100 * GIB, 150 * GIB)),
            fact("capacity_bytes", 100 * GIB, step(31, 100 * GIB, 150 * GIB)),
        ],
        fires_at=32,
        keeps=15,
        labels=OWNER,
        summary="Claim databases/data-postgres-0: grown, but its file system is not",
        description="For 30m 0s the claim has had less room than it asks for (150GiB asked for, 100GiB there). It will not get it "
        f"before this is mended. See why: {_DESCRIBE}",
        dashboard=DASHBOARD,
        variants={
            "pods run with claims of that name elsewhere": Variant(
                fires=False, series=neighbours([pod()]), drop=_KUBELET
            ),
            "claims of that name are mounted elsewhere": Variant(
                fires=False,
                series=neighbours(space(30 * GIB)),
                drop=["kubernetes_pod_persistentvolumeclaim_info"],
            ),
            "no pod has it mounted: it waits for one": Variant(
                fires=False, series=[pod(phase="Pending")], drop=_KUBELET
            ),
            "a pod runs, and no kubelet is scraped": Variant(fires=True, drop=_KUBELET),
            "the pods are not read, the kubelet is": Variant(
                fires=True, drop=["kubernetes_pod_persistentvolumeclaim_info"], labels={"workload": ""}
            ),
            "EC2 has grown it and the kubelet knows nothing of it": Variant(
                fires=True,
                series=[
                    fact("requested_bytes", 100 * GIB),
                    S("aws_ebs_volume_size_bytes", VOLUME, bad=step(2, 100 * GIB, 112 * GIB)),
                ],
            ),
            # What was more than an hour ago does not count.
            "for three minutes, and again an hour later": Variant(
                fires=True,
                series=[
                    fact("requested_bytes", lambda minute: (150 if 2 <= minute < 5 or minute >= 65 else 100) * GIB)
                ],
                at=95,
            ),
            "the file system is a little smaller than its volume": Variant(
                fires=False,
                series=[fact("requested_bytes", 100 * GIB), S("aws_ebs_volume_size_bytes", VOLUME, bad=108 * GIB)],
            ),
        },
    ),
    Case(
        alert="StorageClaimResizeFailed",
        among="clusters",
        severity="warning",
        component="claims",
        series=[
            *WORLD,
            fact("resize_status", step(2, None, 1), during(2, 12), status="ControllerResizeInfeasible"),
        ],
        fires_at=12,
        keeps=15,
        labels=OWNER,
        summary="Claim databases/data-postgres-0: resize failed",
        description="Kubernetes says ControllerResizeInfeasible. The claim has the size it had, and has waited for 10m 0s. Often AWS "
        f"refuses: a volume may be changed again only after 6 hours. See the reason: {_DESCRIBE}",
        dashboard=DASHBOARD,
        variants={
            "a condition says it": Variant(
                fires=True,
                series=[fact("status_condition", step(2, None, 1), condition="NodeResizeError")],
                drop=[_STATUS],
            ),
            "for three minutes, and again half an hour later": Variant(
                fires=True, series=[fact("resize_status", again(35), status="ControllerResizeInfeasible")], at=45
            ),
            "it is resizing": Variant(
                fires=False,
                series=[
                    fact("status_condition", 1, condition="Resizing"),
                    fact("resize_status", 1, status="NodeResizePending"),
                ],
            ),
        },
    ),
    Case(
        alert="StorageClaimPending",
        among="clusters",
        severity="warning",
        component="claims",
        series=[
            claim_info(persistentvolume=""),
            storage_class(),
            _PENDING_POD,
            fact("status_phase", step(2, None, 1), during(2, 17), phase="Pending"),
        ],
        fires_at=17,
        keeps=10,
        labels={**CLAIM, "storageclass": "gp3-sc", "workload": "StatefulSet/postgres"},
        summary="Claim databases/data-postgres-0: pending, it gets no volume",
        description="For 15m 0s the claim has waited for a volume of class gp3-sc. Its pods do not start. See why: "
        f"{_DESCRIBE}",
        dashboard=DASHBOARD,
        variants={
            "a pod wants one of that name elsewhere": Variant(fires=False, series=neighbours([_PENDING_POD])),
            "a class of that name elsewhere does not wait": Variant(
                fires=False,
                series=[storage_class(), storage_class(cluster="elsewhere", volume_binding_mode="Immediate")],
                drop=["kubernetes_pod_persistentvolumeclaim_info"],
            ),
            "another claim's class does not wait": Variant(
                fires=False,
                series=[
                    claim_info(persistentvolume=""),
                    *neighbours([claim_info(storageclass="io2-sc")]),
                    storage_class(),
                    storage_class(storageclass="io2-sc", volume_binding_mode="Immediate"),
                ],
                drop=["kubernetes_pod_persistentvolumeclaim_info"],
            ),
            "nobody wants it yet": Variant(
                fires=False, drop=["kubernetes_pod_persistentvolumeclaim_info"], labels={"workload": ""}
            ),
            "its class does not wait for a pod": Variant(
                fires=True,
                series=[storage_class(volume_binding_mode="Immediate")],
                drop=["kubernetes_pod_persistentvolumeclaim_info"],
                labels={"workload": ""},
            ),
            "another class does not wait for a pod": Variant(
                fires=False,
                series=[storage_class(volume_binding_mode="Immediate", storageclass="io2-sc"), storage_class()],
                drop=["kubernetes_pod_persistentvolumeclaim_info"],
            ),
            "for three minutes, and again half an hour later": Variant(
                fires=True, series=[fact("status_phase", again(35), phase="Pending")], at=50
            ),
            "it has a volume that it is not bound to": Variant(
                fires=True, series=[volume_info(), volume_claim()], labels=OWNER
            ),
            "it is bound": Variant(fires=False, series=[fact("status_phase", 1, phase="Bound")]),
            "a pod has it already": Variant(fires=False, series=[pod()]),
        },
    ),
    Case(
        alert="StorageClaimTerminatingUnderDelete",
        among="clusters",
        severity="critical",
        component="claims",
        series=[
            *WORLD,
            fact("deletion_timestamp_seconds", step(2, None, 75), during(2, 3, 75)),
            fact("deletion_timestamp_seconds", step(2, None, 75), during(2, 3, 75), pod="exporter-b"),
        ],
        fires_at=3,
        keeps=10,
        labels={**OWNER, "persistentvolume": "pvc-1"},
        summary="Claim databases/data-postgres-0: being deleted, its data goes with it",
        description="Somebody deleted the claim 2m 0s ago; only the pod that uses it holds it. As soon as that pod ends, EBS volume "
        "vol-0a1 will be deleted with all its data. No backup of it is known. To keep the data, now: kubectl patch pv pvc-1 -p "
        '\'{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}\' - and do not restart StatefulSet/postgres before.',
        dashboard=DASHBOARD,
        variants={
            "its volume is kept, others are not": Variant(
                fires=False, series=[claim_info(reclaim_policy="Retain"), *neighbours([claim_info()])]
            ),
            "its volume is kept": Variant(fires=False, series=[claim_info(reclaim_policy="Retain")]),
            "for seventy seconds": Variant(
                fires=True, series=[fact("deletion_timestamp_seconds", step(2, None, 50))], at=2
            ),
            "another claim's volume goes": Variant(
                fires=False,
                series=[claim_info(reclaim_policy="Retain"), claim_info(persistentvolumeclaim="data-postgres-1")],
            ),
            "it is on EFS": Variant(
                fires=True,
                series=[claim_info(csi_driver="efs.csi.aws.com", storageclass="efs-sc")],
                drop=["aws_ebs_volume_info", "aws_ebs_volume_persistentvolumeclaim_info"],
                labels={
                    "account_id": "",
                    "region": "",
                    "volume_id": "",
                    "availability_zone": "",
                    "storageclass": "efs-sc",
                },
            ),
        },
    ),
    Case(
        alert="StorageClaimTerminatingUnderDelete",
        among="clusters",
        severity="critical",
        component="claims",
        series=[
            claim_info(),
            volume_info(),
            volume_claim(),
            fact("deletion_timestamp_seconds", step(2, None, 75), during(2, 3, 75)),
            S("aws_ebs_volume_last_snapshot_timestamp_seconds", VOLUME, bad=-3600),
            S("aws_ebs_volume_last_backup_timestamp_seconds", VOLUME, bad=-7200),
        ],
        fires_at=3,
        keeps=10,
        labels={**OWNER, "persistentvolume": "pvc-1", "workload": ""},
        summary="Claim databases/data-postgres-0: being deleted, its data goes with it",
        description="Somebody deleted the claim 2m 0s ago; only the pod that uses it holds it. As soon as that pod ends, EBS volume "
        "vol-0a1 will be deleted with all its data. The newest backup is 1h 3m 0s old. To keep the data, now: kubectl patch pv "
        'pvc-1 -p \'{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}\' - and do not restart its pod before.',
        dashboard=DASHBOARD,
    ),
    Case(
        alert="StorageClaimVolumeGone",
        among="clusters",
        severity="critical",
        component="claims",
        series=[*_GONE_VOLUME, S("aws_ebs_volume_missing_info", _MISSING_VOLUME, step(2, None, 1), during(2, 4))],
        fires_at=4,
        keeps=10,
        labels={**VOLUME, **CLAIM, "storageclass": "gp3-sc", "workload": "StatefulSet/postgres"},
        summary="Claim databases/data-postgres-0: its storage is gone in AWS",
        description="EBS volume vol-0a1 does not exist any more; the claim still names it. StatefulSet/postgres fails or cannot start "
        "again. Who deleted it and when: aws cloudtrail lookup-events --region ap-southeast-3 --lookup-attributes "
        "AttributeKey=ResourceName,AttributeValue=vol-0a1. Then bring it back from the newest backup (look in the Recycle Bin "
        "first).",
        dashboard=DASHBOARD,
        variants={
            "an access point": Variant(
                fires=True,
                series=[S("aws_efs_access_point_missing_info", _MISSING_POINT, step(2, None, 1))],
                drop=["aws_ebs_volume_missing_info"],
                labels={"volume_id": "", "file_system_id": "fs-1", "access_point_id": "fsap-1"},
            ),
            "nobody claims the volume": Variant(
                fires=False,
                series=[S("aws_ebs_volume_missing_info", {**VOLUME, "persistentvolume": "pvc-1"}, step(2, None, 1))],
            ),
            "nobody claims the access point": Variant(
                fires=False,
                series=[
                    S(
                        "aws_efs_access_point_missing_info",
                        {**SCOPE, "file_system_id": "fs-1", "access_point_id": "fsap-1"},
                    )
                ],
                drop=["aws_ebs_volume_missing_info"],
            ),
            "for three minutes, and again ten minutes later": Variant(
                fires=True, series=[S("aws_ebs_volume_missing_info", _MISSING_VOLUME, again(15))], at=17
            ),
            "nothing is known of the claim": Variant(
                fires=True,
                series=[S("aws_ebs_volume_missing_info", _MISSING_VOLUME, step(2, None, 1))],
                whole=True,
                labels={"storageclass": "", "workload": ""},
            ),
            "Kubernetes says nothing of the claim": Variant(
                fires=True, drop=["kubernetes_persistentvolumeclaim_info"], labels={"storageclass": "", "workload": ""}
            ),
        },
    ),
    Case(
        alert="StorageVolumeOrphaned",
        severity="info",
        component="claims",
        series=[
            volume_info(),
            S("aws_ebs_volume_size_bytes", VOLUME, bad=100 * GIB),
            S("aws_ebs_volume_size_bytes", {**VOLUME, "pod": "exporter-b"}, bad=100 * GIB),
            S("aws_ebs_volume_orphaned_info", {**VOLUME, **CLAIM}, step(2, None, 1), during(2, 62)),
        ],
        fires_at=62,
        labels=VOLUME,
        summary="Volume vol-0a1: nobody has it any more (100GiB)",
        description="A CSI driver made it for this cluster, no persistent volume names it and nothing uses it. It is still paid for. "
        "Its tags say that it was databases/data-postgres-0. Where clusters share the account without a cluster tag it may be "
        "another one's: look, take a snapshot, delete it.",
        dashboard=VOLUME_DASHBOARD,
        console=VOLUME_CONSOLE,
        variants={
            "for three minutes, and again two hours later": Variant(
                fires=True, series=[S("aws_ebs_volume_orphaned_info", {**VOLUME, **CLAIM}, again(125))], at=185
            ),
        },
    ),
]
