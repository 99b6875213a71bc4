"""Volumes that are not attached or detached in time, told by EC2 or by Kubernetes."""

from __future__ import annotations

from rules.build.cases.claims_world import (
    CLUSTER,
    OWNER,
    VOLUME,
    VOLUME_CONSOLE,
    VOLUME_DASHBOARD,
    WORLD,
    during,
)
from rules.build.cases.shapes import Case, Reading, S, Values, Variant, flat, step


def ec2(state: str, bad: Values | float = 1, good: Values | float | None = None, instance: str = "i-0b2") -> S:
    """What EC2 says of the attachment."""
    labels = {**VOLUME, "instance_id": instance, "device": "/dev/xvdaa", "state": state}
    return S("aws_ebs_volume_attachment_info", labels, bad=bad, good=good)


def began(state: str, bad: Values | float, good: Values | float | None = None, instance: str = "i-0b2") -> S:
    """When attaching began, as EC2 says; it stays when the volume is detached again."""
    labels = {**VOLUME, "instance_id": instance, "state": state}
    return S("aws_ebs_volume_attachment_start_timestamp_seconds", labels, bad=bad, good=good)


def kubernetes(bad: Values | float, good: Values | float | None = None, operation: str = "attach", **more: str) -> S:
    """Since when Kubernetes waits."""
    labels = {"volumeattachment": "csi-1", "node": "node-b2", "persistentvolume": "pvc-1", "volume_id": "vol-0a1"}
    return S(
        "kubernetes_volumeattachment_unfinished_timestamp_seconds",
        {**CLUSTER, **labels, "operation": operation, **more},
        bad=bad,
        good=good,
    )


_ERROR = S(
    "kubernetes_volumeattachment_error_timestamp_seconds",
    {**CLUSTER, "volumeattachment": "csi-1", "node": "node-b2", "persistentvolume": "pvc-1", "volume_id": "vol-0a1",
     "operation": "attach", "reason": "timeout"},
    bad=step(4, None, 240),
)  # fmt: skip
_PERSISTENT_VOLUME = S(
    "kubernetes_persistentvolume_info",
    {**CLUSTER, "persistentvolume": "pvc-1", "csi_driver": "ebs.csi.aws.com", "volume_id": "vol-0a1"},
)
_NODE = S(
    "kubernetes_volumeattachment_info",
    {**CLUSTER, "volumeattachment": "csi-1", "node": "node-b2", "volume_id": "vol-0a1", "attached": "true"},
)

_HOLDER = (
    "Which node holds it: kubectl get volumeattachments | grep pvc-1. If that node is dead: kubectl taint nodes NODE "
    "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute, and end its instance."
)
_BLIND = {
    "namespace": "",
    "persistentvolumeclaim": "",
    "account_id": "",
    "region": "",
    "availability_zone": "",
    "storageclass": "",
    "workload": "",
    "node": "",
}
_WAITS = kubernetes(step(2, None, 120))
_NOT_AWS = ("aws_ebs_volume_info", "aws_ebs_volume_persistentvolumeclaim_info")
_EC2_ATTACHING = "aws_ebs_volume_attachment_start_timestamp_seconds"
_KUBERNETES = "kubernetes_volumeattachment_unfinished_timestamp_seconds"
_STATES = "aws_ebs_volume_attachment_info"


def _only(*series: S) -> Variant:
    return Variant(fires=True, series=series, drop=(_EC2_ATTACHING, _KUBERNETES))


def _moves(minute: int, name: str) -> tuple[S, ...]:
    """A drain: detached after one minute, attached to the next node after another one."""
    return (
        ec2("detaching", during(minute, minute + 1), instance="i-0a1"),
        ec2("attaching", during(minute + 1, minute + 2)),
        began("attaching", during(minute + 1, minute + 2, 60.0 * (minute + 1))),
        kubernetes(during(minute, minute + 1, 60.0 * minute), operation="detach", volumeattachment=f"old-{name}"),
        kubernetes(during(minute + 1, minute + 3, 60.0 * (minute + 1)), volumeattachment=f"new-{name}"),
    )


CASES = [
    Case(
        alert="StorageAttachmentStuck",
        severity="critical",
        component="claims",
        series=[
            *WORLD,
            _PERSISTENT_VOLUME,
            ec2("attaching", step(2, None, 1), step(2, None, 1)),
            began("attaching", step(2, None, 120), during(2, 11, 120)),
            kubernetes(step(2, None, 130), during(2, 12, 130)),
            _ERROR,
        ],
        fires_at=12,
        keeps=10,
        labels=OWNER,
        summary="Claim databases/data-postgres-0: not attached or detached for 10m 0s",
        description="vol-0a1 in ap-southeast-3a, used by StatefulSet/postgres: on its way for 10m 0s. It will not end by "
        "itself. EC2 says: attaching i-0b2. Kubernetes waits for: attach node-b2. Reason: timeout. StatefulSet/postgres waits "
        f"for it. {_HOLDER}",
        dashboard=VOLUME_DASHBOARD,
        console=VOLUME_CONSOLE,
        variants={
            "Kubernetes says it of another cluster's": Variant(
                fires=True,
                series=[kubernetes(step(2, None, 120), cluster="elsewhere")],
                drop=(_EC2_ATTACHING,),
                labels={**_BLIND, "cluster": "elsewhere"},
            ),
            "only EC2 says it": _only(began("attaching", step(2, None, 120))),
            "only Kubernetes says it": _only(kubernetes(step(2, None, 120))),
            "a moment later by Kubernetes alone": Variant(
                fires=False, series=[kubernetes(step(2, None, 190))], drop=(_EC2_ATTACHING,)
            ),
            "EC2 attached it long ago": Variant(fires=False, series=[began("attached", 0)], drop=(_KUBERNETES,)),
            "detaching, of which EC2 does not say since when": Variant(
                fires=True, series=[ec2("detaching", step(2, None, 1))], drop=(_EC2_ATTACHING, _KUBERNETES)
            ),
            "detaching, then busy": Variant(
                fires=True,
                series=[ec2("detaching", during(2, 6)), ec2("busy", step(6, None, 1))],
                drop=(_EC2_ATTACHING, _KUBERNETES),
            ),
            "detaching is over": Variant(
                fires=False, series=[ec2("detaching", during(2, 11))], drop=(_EC2_ATTACHING, _KUBERNETES)
            ),
            "detached from one instance after the other": Variant(
                fires=False,
                series=[ec2("detaching", during(2, 7)), ec2("detaching", step(7, None, 1), instance="i-0c3")],
                drop=(_EC2_ATTACHING, _KUBERNETES),
            ),
            "detached twice for two minutes": Variant(
                fires=False,
                series=[
                    ec2(
                        "detaching",
                        lambda minute: 1 if minute in {2, 3, 12, 13} else float("inf") if minute == 4 else None,
                    )
                ],
                drop=(_EC2_ATTACHING, _KUBERNETES),
                at=13,
            ),
            "detaching, with a minute that nobody saw": Variant(
                fires=True,
                series=[
                    ec2(
                        "detaching",
                        lambda minute: 1 if minute >= 2 and minute != 7 else float("inf") if minute == 7 else None,
                    )
                ],
                drop=(_EC2_ATTACHING, _KUBERNETES),
            ),
            "AWS says nothing of the volume": Variant(
                fires=True,
                series=[kubernetes(step(2, None, 120)), _PERSISTENT_VOLUME],
                drop=(*_NOT_AWS, _EC2_ATTACHING, _STATES),
                labels=_BLIND,
            ),
            "the volume is on a node by now": Variant(fires=True, series=[_NODE], labels={"node": "node-b2"}),
            "two operations of one volume are one alert": Variant(
                fires=True,
                series=[
                    kubernetes(step(2, None, 120)),
                    kubernetes(step(2, None, 0), operation="detach", node="node-a1"),
                ],
            ),
            "its handle is malformed": Variant(
                fires=False, series=[kubernetes(step(2, None, 120), volume_id="")], drop=(_EC2_ATTACHING,)
            ),
        },
    ),
    Case(
        alert="StorageAttachmentSlow",
        severity="warning",
        component="claims",
        series=[
            *WORLD,
            _PERSISTENT_VOLUME,
            ec2("attaching", step(2, None, 1), step(2, None, 1)),
            began("attaching", step(2, None, 100), during(2, 5, 130)),
        ],
        fires_at=5,
        keeps=10,
        labels=OWNER,
        summary="Claim databases/data-postgres-0: not attached or detached for 3m 0s",
        description="vol-0a1 in ap-southeast-3a, used by StatefulSet/postgres: on its way for 3m 0s. Usual is less than one "
        f"minute. EC2 says: attaching i-0b2. StatefulSet/postgres waits for it. {_HOLDER}",
        dashboard=VOLUME_DASHBOARD,
        console=VOLUME_CONSOLE,
        variants={
            "detaching for three minutes": Variant(
                fires=True, series=[ec2("detaching", step(2, None, 1))], drop=(_EC2_ATTACHING,)
            ),
            "detaching for two minutes": Variant(
                fires=False, series=[ec2("detaching", step(3, None, 1))], drop=(_EC2_ATTACHING,)
            ),
            "a drain moves it": Variant(fires=False, series=_moves(2, "a"), at=7),
            "a rotation moves it twice": Variant(fires=False, series=[*_moves(2, "a"), *_moves(8, "b")], at=13),
        },
    ),
]

READINGS = [
    Reading(
        name="how long an attachment has taken is the longest of what anybody says",
        series=[
            *WORLD,
            began("attaching", 60),
            ec2("detaching", flat(1), instance="i-0c3"),
            kubernetes(120, operation="detach"),
        ],
        expr="volume:storage_attachment_unfinished:seconds",
        at=9,
        samples={
            'volume:storage_attachment_unfinished:seconds{account_id="123456789012", cluster="production",'
            ' region="ap-southeast-3", volume_id="vol-0a1"}': 540
        },
    ),
    Reading(
        name="it tells up to twenty minutes of a detaching",
        series=[*WORLD, ec2("busy", flat(1))],
        expr="volume:storage_attachment_unfinished:seconds",
        at=25,
        samples={
            'volume:storage_attachment_unfinished:seconds{account_id="123456789012", cluster="production",'
            ' region="ap-southeast-3", volume_id="vol-0a1"}': 1200
        },
    ),
]
