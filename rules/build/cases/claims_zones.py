"""Zones without nodes, and pods that wait for a volume there."""

from __future__ import annotations

from rules.build.cases.claims_drivers import ready
from rules.build.cases.claims_places import instance, node, zones_of_others
from rules.build.cases.claims_world import (
    CLAIM,
    DASHBOARD,
    OWNER,
    WORLD,
    ZONE_A,
    claim_info,
    during,
    pod,
    volume_claim,
    volume_info,
)
from rules.build.cases.shapes import Case, Reading, S, Variant, step

_DASHBOARD = "/d/storage-exporter-overview?var-cluster=production&var-region=ap-southeast-3"

_LOST_POD = (
    *WORLD[2:],
    claim_info(),
    S(
        "kubernetes_pod_persistentvolumeclaim_info",
        pod(phase="Pending", node="").labels,
        step(2, None, 1),
        during(2, 7),
    ),
)


CASES = [
    Case(
        alert="StorageZoneWithoutNodes",
        among="clusters",
        severity="warning",
        component="claims",
        series=[
            *WORLD,
            instance(1),
            instance(2, "b"),
            node(1, values=during(0, 2), good=lambda minute: 1 if minute < 2 or minute >= 17 else float("inf")),
            node(2, "b"),
            node(3, values=step(99, None, 1)),
        ],
        fires_at=17,
        keeps=15,
        missing=True,
        labels=ZONE_A,
        summary="Zone ap-southeast-3a: 1 claims and no node",
        description="1 claims have their EBS volume in ap-southeast-3a, where no ready node has the EBS driver. When their pods start "
        "again they stay Pending. Bring a node there, or look why it went: kubectl get nodes -L topology.kubernetes.io/zone",
        dashboard=_DASHBOARD,
        variants={
            "a node is there": Variant(fires=False, series=[node(1), node(2, "b")]),
            "its node is not ready": Variant(
                fires=True, series=[node(1), node(2, "b"), ready(step(2, 1, 0), "node-a1")]
            ),
            "its node has only the driver of EFS": Variant(
                fires=True, series=[node(1, driver="efs.csi.aws.com"), node(2, "b")], at=18
            ),
            "its node ends": Variant(
                fires=True,
                series=[instance(1, state="shutting-down"), instance(2, "b"), node(1), node(2, "b")],
                at=18,
            ),
            "it is not known where a node is": Variant(fires=False, series=[node(7), node(2, "b")]),
            "a node that is not ready, wherever it is": Variant(
                fires=True, series=[node(7), node(2, "b"), ready(0, "node-a7")], at=18
            ),
            "others have zones of that name, with nodes": Variant(
                fires=True,
                series=[*WORLD, instance(1), instance(2, "b"), node(2, "b"), *zones_of_others("Running")],
                whole=True,
            ),
            "no nodes are known at all": Variant(fires=False, drop=["kubernetes_csinode_driver_info"]),
            "no pod uses the claim": Variant(fires=False, series=[pod(persistentvolumeclaim="other")]),
            "nobody reads pods": Variant(fires=True, drop=["kubernetes_pod_persistentvolumeclaim_info"]),
            "nobody claims the volume": Variant(fires=False, drop=["aws_ebs_volume_persistentvolumeclaim_info"]),
            "a node is replaced by one that takes five minutes": Variant(
                fires=False,
                series=[
                    node(
                        1,
                        values=lambda minute: float("inf") if minute == 2 else 1 if minute < 2 or minute > 7 else None,
                    ),
                    node(2, "b"),
                ],
            ),
        },
    ),
    Case(
        alert="StoragePodZoneMismatch",
        among="clusters",
        severity="critical",
        component="claims",
        series=[
            *WORLD[2:],
            claim_info(),
            S(
                "kubernetes_pod_persistentvolumeclaim_info",
                pod(phase="Pending", node="").labels,
                step(2, None, 1),
                during(2, 7),
            ),
            instance(2, "b"),
            node(2, "b"),
        ],
        fires_at=7,
        keeps=10,
        labels=OWNER,
        summary="Claim databases/data-postgres-0: no node in ap-southeast-3a, its pod cannot start",
        description="StatefulSet/postgres has waited for 5m 0s: volume vol-0a1 is in ap-southeast-3a, and there is no ready node with "
        "the EBS driver. The volume cannot leave its zone: bring a node there (node group, NodePool: requirement "
        "topology.kubernetes.io/zone). See what the scheduler says: kubectl -n databases get events --field-selector "
        "reason=FailedScheduling",
        dashboard=DASHBOARD,
        variants={
            "another claim's zone has no node": Variant(
                fires=False,
                series=[
                    volume_info(zone="b"),
                    volume_info("vol-a5"),
                    volume_claim(),
                    volume_claim("vol-a5", {**CLAIM, "persistentvolumeclaim": "data-postgres-5"}),
                    pod(phase="Pending", node=""),
                    pod(persistentvolumeclaim="data-postgres-5"),
                ],
            ),
            "others have zones of that name, with nodes": Variant(
                fires=True,
                series=[*_LOST_POD, instance(2, "b"), node(2, "b"), *zones_of_others("Pending")],
                whole=True,
            ),
            "a node is there": Variant(fires=False, series=[instance(1), instance(2, "b"), node(1), node(2, "b")]),
            "its node is not ready": Variant(
                fires=True, series=[instance(1), instance(2, "b"), node(1), node(2, "b"), ready(0, "node-a1")]
            ),
            "a node comes after three minutes": Variant(
                fires=False, series=[instance(1), instance(2, "b"), node(1, values=step(5, None, 1)), node(2, "b")]
            ),
            "the pod has a node": Variant(fires=False, series=[pod(phase="Pending")]),
            "the pod runs": Variant(fires=False, series=[pod(node="")]),
            "its volume is in the other zone": Variant(fires=False, series=[volume_info(zone="b")]),
        },
    ),
]

READINGS = [
    Reading(
        name="nodes with the driver of EBS, by zone",
        series=[
            instance(1), instance(2), instance(3, state="stopping"), node(1), node(2), node(3),
            node(1, driver="efs.csi.aws.com"), ready(0, "node-a2"), ready(1, "node-a1"),
        ],
        expr="zone:kubernetes_csi_nodes:count",
        at=3,
        samples={
            'zone:kubernetes_csi_nodes:count{account_id="123456789012", availability_zone="ap-southeast-3a",'
            ' cluster="production", region="ap-southeast-3"}': 1
        },
    ),
]  # fmt: skip
