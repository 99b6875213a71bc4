"""CSI drivers that are not there."""

from __future__ import annotations

from dataclasses import replace

from rules.build.cases.claims_world import CLUSTER, during
from rules.build.cases.shapes import Case, Reading, S, Values, Variant, flat, ramp, step

_EBS = "ebs.csi.aws.com"
_NODE = {**CLUSTER, "node": "node-b1", "csi_driver": _EBS}


def registered(bad: Values | float, good: Values | float | None = None, **more: str) -> S:
    """Whether a driver has registered with a node's kubelet."""
    return S("kubernetes_csinode_driver_registered", {**_NODE, **more}, bad=bad, good=good)


def ready(status: Values | float, node: str = "node-b1") -> S:
    """Whether kube-state-metrics calls the node ready."""
    labels = {**CLUSTER, "node": node, "condition": "Ready", "status": "true", "job": "kube-state-metrics"}
    return S("kube_node_status_condition", {**labels, "namespace": "monitoring"}, bad=status)


def pods(
    number: Values | float,
    good: Values | float | None = None,
    component: str = "controller",
    driver: str = _EBS,
    version: str = "v1.42.0",
) -> S:
    """How many pods of a part of the driver there are."""
    labels = {**CLUSTER, "csi_driver": driver, "component": component, "version": version}
    return S("kubernetes_csi_driver_pods", labels, bad=number, good=good)


def ready_pods(
    number: Values | float,
    good: Values | float | None = None,
    component: str = "controller",
    driver: str = _EBS,
    version: str = "v1.42.0",
) -> S:
    """How many of them are ready."""
    labels = {**CLUSTER, "csi_driver": driver, "component": component, "version": version}
    return S("kubernetes_csi_driver_ready_pods", labels, bad=number, good=good)


_DASHBOARD = "/d/storage-exporter-overview?var-cluster=production"
_BOTH = "kubernetes_csi_driver_pods", "kubernetes_csi_driver_ready_pods"

CASES = [
    Case(
        alert="StorageCsiDriverMissingOnNode",
        severity="critical",
        component="claims",
        series=[
            registered(step(2, 1, 0), lambda minute: 0 if 2 <= minute < 7 else 1),
            registered(1, node="node-a1"),
            ready(1),
        ],
        fires_at=7,
        keeps=10,
        labels=_NODE,
        summary="Node node-b1: ebs.csi.aws.com is not registered",
        description="For 5m 0s the kubelet of node-b1 has not known ebs.csi.aws.com. Pods that get there wait in "
        "ContainerCreating; pods that end there keep their volumes. Keep new ones away: kubectl cordon node-b1. Then look at "
        "the driver's pod: kubectl -n kube-system get pods -o wide --field-selector spec.nodeName=node-b1",
        dashboard=_DASHBOARD,
        variants={
            "another cluster's node of that name has it": Variant(
                fires=True,
                series=[
                    registered(step(2, 1, 0)),
                    S("kubernetes_csinode_driver_info", {**_NODE, "cluster": "elsewhere"}),
                ],
            ),
            "another cluster's node of that name is not ready": Variant(
                fires=True, series=[ready(1), replace(ready(0), labels={**ready(0).labels, "cluster": "elsewhere"})]
            ),
            "kube-state-metrics is not scraped": Variant(fires=True, drop=["kube_node_status_condition"]),
            "the node is not ready": Variant(fires=False, series=[ready(0)]),
            "another node is not ready": Variant(fires=True, series=[ready(1), ready(0, "node-a1")]),
            "a new node takes two minutes": Variant(fires=False, series=[registered(lambda minute: None if minute < 2 else minute > 3)]),
            "for three minutes, and again a quarter of an hour later": Variant(
                fires=True, series=[registered(lambda minute: 0 if 2 <= minute < 5 or minute >= 20 else 1), registered(1, node="node-a1")], at=25
            ),
            "a node is replaced": Variant(fires=False, series=[registered(during(2, 5, 0))]),
            "one of Fargate's": Variant(fires=False, series=[registered(step(2, 1, 0), node="fargate-ip-10-0-1-2")]),
            "one of Auto Mode's": Variant(
                fires=False,
                series=[
                    registered(0),
                    S("kubernetes_csinode_driver_info", {**_NODE, "csi_driver": "ebs.csi.eks.amazonaws.com"}),
                ],
            ),
            "the driver of EFS, though that of EBS is there": Variant(
                fires=True,
                series=[
                    registered(step(2, 1, 0), csi_driver="efs.csi.aws.com"),
                    S("kubernetes_csinode_driver_info", _NODE),
                ],
                labels={"csi_driver": "efs.csi.aws.com"},
            ),
            "another node has it": Variant(
                fires=True, series=[registered(step(2, 1, 0)), S("kubernetes_csinode_driver_info", {**_NODE, "node": "node-a1"})]
            ),
            "the driver of S3": Variant(fires=False, series=[registered(0, csi_driver="s3.csi.aws.com")]),
            "two short absences": Variant(fires=False, series=[registered(lambda minute: 0 if minute in {2, 6, 7} else 1)]),
        },
    ),
    Case(
        alert="StorageCsiControllerDown",
        severity="critical",
        component="claims",
        series=[
            pods(2),
            ready_pods(step(2, 2, 0), lambda minute: 0 if 2 <= minute < 7 else 2),
            pods(6, component="node"),
            ready_pods(6, component="node"),
        ],
        fires_at=7,
        keeps=10,
        labels={**CLUSTER, "csi_driver": _EBS},
        summary="Driver ebs.csi.aws.com: no controller is ready",
        description="For 5m 0s ebs.csi.aws.com has had no ready controller. No volume is made, attached, detached or grown; a pod "
        "that moves to another node stays without its data. Mounted volumes go on. Look: kubectl -n kube-system get pods -l "
        "'app in (ebs-csi-controller,efs-csi-controller)' -o wide",
        dashboard=_DASHBOARD,
        variants={
            "there is none at all, but another cluster has one": Variant(
                fires=True,
                series=[
                    pods(6, component="node"),
                    replace(pods(2), labels={**pods(2).labels, "cluster": "elsewhere"}),
                    replace(ready_pods(2), labels={**ready_pods(2).labels, "cluster": "elsewhere"}),
                ],
                at=7,
            ),
            "a deploy of two versions": Variant(
                fires=False, series=[ready_pods(step(2, 2, 0)), ready_pods(step(2, None, 1), version="v1.43.0")]
            ),
            "for three minutes, and again a quarter of an hour later": Variant(
                fires=True, series=[pods(2), ready_pods(lambda minute: 0 if 2 <= minute < 5 or minute >= 20 else 2)], at=25
            ),
            "there is none at all": Variant(
                fires=True, series=[pods(during(0, 2, 2)), ready_pods(during(0, 2, 2)), pods(6, component="node")]
            ),
            "EFS without a controller, on purpose": Variant(
                fires=False, series=[pods(6, component="node", driver="efs.csi.aws.com"), ready_pods(6, component="node", driver="efs.csi.aws.com")]
            ),
            "that of EFS": Variant(
                fires=True,
                series=[pods(2, driver="efs.csi.aws.com"), ready_pods(step(2, 2, 0), driver="efs.csi.aws.com")],
                labels={"csi_driver": "efs.csi.aws.com"},
            ),
            "that of S3": Variant(
                fires=False, series=[pods(2, driver="s3.csi.aws.com"), ready_pods(step(2, 2, 0), driver="s3.csi.aws.com")]
            ),
        },
    ),
    Case(
        alert="StorageCsiDriverDegraded",
        severity="warning",
        component="claims",
        series=[
            pods(6, component="node"),
            ready_pods(step(2, 6, 4), lambda minute: 4 if 2 <= minute < 17 else 6, component="node"),
            pods(2),
            ready_pods(2),
        ],
        fires_at=17,
        labels={**CLUSTER, "csi_driver": _EBS, "part": "node"},
        summary="Driver ebs.csi.aws.com: 2 node pods not ready",
        description="2 node pods of ebs.csi.aws.com are not ready, and some have not been for 15 minutes. A node without a ready "
        "driver cannot mount volumes; one controller less is one failure from none. Look: kubectl -n kube-system get pods -o "
        "wide | grep -e ebs-csi -e efs-csi",
        dashboard=_DASHBOARD,
        variants={
            "one controller of two": Variant(
                fires=True, series=[pods(2), ready_pods(step(2, 2, 1))], labels={"part": "controller"}
            ),
            "one controller of two, and another cluster has none": Variant(
                fires=True,
                series=[
                    pods(2),
                    ready_pods(step(2, 2, 1)),
                    replace(pods(2), labels={**pods(2).labels, "cluster": "elsewhere"}),
                    replace(ready_pods(0), labels={**ready_pods(0).labels, "cluster": "elsewhere"}),
                ],
                labels={"part": "controller"},
            ),
            "no controller, which is another alert": Variant(fires=False, series=[pods(2), ready_pods(step(2, 2, 0))]),
            "a rotation, one node after the other": Variant(
                fires=False, series=[pods(6, component="node"), ready_pods(lambda minute: 6 - (minute % 3 == 0), component="node")]
            ),
            "for three minutes, and again half an hour later": Variant(
                fires=True,
                series=[pods(6, component="node"), ready_pods(lambda minute: 4 if 2 <= minute < 5 or minute >= 35 else 6, component="node")],
                at=50,
            ),
            "it gets worse": Variant(
                fires=True, series=[pods(6, component="node"), ready_pods(ramp(2, 5, -0.25, least=2), component="node")]
            ),
            "a deploy that ends well": Variant(
                fires=False,
                series=[pods(step(9, 6, 0), component="node"), ready_pods(step(9, 5, 0), component="node"),
                 pods(step(9, 0, 6), component="node", version="v1.43.0"), ready_pods(step(9, 0, 6), component="node", version="v1.43.0")],
            ),
            "of S3": Variant(fires=False, series=[pods(6, driver="s3.csi.aws.com"), ready_pods(flat(3), driver="s3.csi.aws.com")]),
        },
    ),
]  # fmt: skip

READINGS = [
    Reading(
        name="pods of two versions that are not ready",
        series=[
            pods(6, component="node"),
            ready_pods(4, component="node"),
            pods(3, component="node", version="v1.43.0"),
            ready_pods(2, component="node", version="v1.43.0"),
        ],
        expr="driver:kubernetes_csi_unready_pods:count",
        at=5,
        samples={
            'driver:kubernetes_csi_unready_pods:count{cluster="production", csi_driver="ebs.csi.aws.com", part="node"}': 3
        },
    ),
]
