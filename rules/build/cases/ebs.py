"""What the alerts about EBS must do: all cases, and those about I/O that does not complete."""

from __future__ import annotations

from dataclasses import replace

from rules.build.cases import ebs_counters, ebs_life, ebs_limits, ebs_readings
from rules.build.cases.ebs_world import (
    ATTACHED,
    ATTACHMENT,
    INFO,
    INSTANCE,
    NOBODYS,
    NODE,
    NODE_CONSOLE,
    NODE_EFS,
    NODE_INFO,
    NODE_NAME,
    NODE_PAGE,
    OWNED,
    OWNER,
    POD,
    USER,
    VOLUME,
    VOLUME_CONSOLE,
    VOLUME_PAGE,
    WORLD,
    driver,
)
from rules.build.cases.shapes import Case, Reading, S, Values, Variant, between, step
from rules.build.cases.twins import with_twins

CHECK = "aws_ebs_volume_stalled_io"


def _check(values: Values | float) -> S:
    return S(CHECK, VOLUME, bad=values)


def _known(values: Values, until: int, start: int = 0) -> Values:
    """*values*, of which nothing is known before *start* and from *until* on."""
    return lambda minute: values(minute) if start <= minute < until else None


def _waiting(start: int) -> S:
    return replace(driver("volume_queue_length", 0), bad=step(start, 0, 4))


def _ops(until: int) -> tuple[S, S]:
    return driver("read_ops_total", 600, until), driver("write_ops_total", 300, until)


def _status_check(check: str, status: str, start: int = 20) -> S:
    return S("aws_ebs_volume_status_check_info", {**VOLUME, "check": check, "status": status}, bad=step(start, None, 1))


_STALLED = Case(
    alert="AwsEbsVolumeStalledIO",
    severity="critical",
    component="ebs",
    series=[*WORLD, S(CHECK, VOLUME, bad=step(20, 0, 1), good=between(20, 22, 1, 0))],
    fires_at=22,
    keeps=10,
    labels=OWNER,
    summary="Claim databases/data-postgres-0: I/O has stalled",
    description=f"{USER}, could not complete I/O in 3 of the last 20 minutes. Processes that use it hang until it "
    "answers. If there is a replica, fail over to it now. See what AWS says: aws ec2 describe-volume-status --region "
    "ap-southeast-3 --volume-ids vol-0a1. If it does not come back within 10 minutes, delete the pod so that the "
    "volume is attached to another node.",
    dashboard=VOLUME_PAGE,
    console=VOLUME_CONSOLE,
    variants={
        # Rows every 300 s, scraped: one value, the share of the five minutes, stands for five minutes.
        "3 bad of 5 minutes, folded": Variant(fires=True, series=[_check(between(20, 25, 0.6, 0))], at=24),
        "2 bad of 5 minutes, folded": Variant(fires=False, series=[_check(between(20, 25, 0.4, 0))], at=25),
        # The same every 900 s, where the driver's counters are there and CloudWatch is only a witness.
        "3 bad of 15 minutes, folded": Variant(fires=True, series=[_check(between(20, 35, 0.2, 0))], at=34),
        "2 bad of 15 minutes, folded": Variant(fires=False, series=[_check(between(20, 35, 2 / 15, 0))], at=34),
        # Pushed: minutes come in bursts, and the newest are not there yet.
        "3 bad minutes, the newest five missing": Variant(
            fires=True, series=[_check(_known(step(20, 0, 1), 23))], at=27
        ),
        "2 bad minutes, the newest six missing": Variant(
            fires=False, series=[_check(_known(step(21, 0, 1), 23))], at=28
        ),
        "2 bad minutes apart": Variant(fires=False, series=[_check(lambda minute: float(minute in {12, 21}))], at=22),
        "3 bad minutes apart": Variant(fires=True, series=[_check(lambda minute: float(minute in {8, 13, 21}))], at=22),
        "3 bad minutes, one of them long ago": Variant(
            fires=False, series=[_check(lambda minute: float(minute in {1, 13, 22}))], at=22
        ),
        "2 bad minutes and few others": Variant(
            fires=False, series=[_check(_known(step(21, 0, 1), 99, start=11))], at=22
        ),
        "the driver's counters say nothing of it": Variant(fires=True, series=[_waiting(99), *_ops(99)]),
        "only the driver's counters stand still": Variant(
            fires=True, series=[_check(0), _waiting(20), *_ops(20)], at=23
        ),
        "only they, and CloudWatch says nothing": Variant(
            fires=True, series=[_waiting(20), *_ops(20)], drop=[CHECK], at=23
        ),
        "they stand still for two minutes": Variant(fires=False, series=[_check(0), _waiting(20), *_ops(20)], at=22),
        "they stand still and nothing waits": Variant(fires=False, series=[_check(0), _waiting(99), *_ops(20)], at=24),
        "operations wait and complete": Variant(fires=False, series=[_check(0), _waiting(20), *_ops(99)], at=30),
        "only writes complete": Variant(
            fires=False,
            series=[_check(0), _waiting(20), driver("read_ops_total", 9, 20), driver("write_ops_total", 9)],
            at=30,
        ),
        "AWS's status says so for six minutes": Variant(
            fires=True, series=[_check(0), _status_check("io-performance", "stalled")], at=25
        ),
        "AWS's status says so for five": Variant(
            fires=False, series=[_check(0), _status_check("io-performance", "stalled")], at=24
        ),
        "two bad minutes, and AWS's status for three": Variant(
            fires=False,
            series=[_check(between(20, 22, 1, 0)), _status_check("io-performance", "stalled")],
            at=22,
        ),
        "AWS's status says something else": Variant(
            fires=False, series=[_check(0), _status_check("io-performance", "degraded")], at=30
        ),
        "another check says so": Variant(fires=False, series=[_check(0), _status_check("io-x", "stalled")], at=30),
        "it is nobody's": Variant(
            fires=True, drop=["aws_ebs_volume_persistentvolumeclaim_info"], labels={**OWNER, **NOBODYS}
        ),
        "nothing is known of pods": Variant(
            fires=True,
            drop=["kubernetes_pod_persistentvolumeclaim_info", "kubernetes_volumeattachment_info"],
            labels={"workload": "", "node": ""},
        ),
    },
)

_STATUS = "aws_ebs_volume_status"


def _status(status: str, bad: Values | float, good: float | None = None) -> S:
    return S(_STATUS, {**VOLUME, "status": status}, bad=bad, good=good)


_IMPAIRED = Case(
    alert="AwsEbsVolumeImpaired",
    severity="critical",
    component="ebs",
    series=[
        *WORLD,
        _status("impaired", step(20, 0, 1), 0),
        _status("ok", step(20, 1, 0), 1),
        _status_check("io-enabled", "failed"),
        S("aws_ebs_volume_status_check_info", {**VOLUME, "check": "io-performance", "status": "normal"}),
    ],
    fires_at=22,
    waits=2,
    keeps=10,
    labels=OWNER,
    summary="Claim databases/data-postgres-0: AWS reports the volume impaired",
    description=f"{USER}, is impaired: its data may be inconsistent and AWS may have switched off its I/O. Not passed: "
    "io-enabled is failed. Stop what writes to it, take a snapshot, check the file system. Switch I/O on again with "
    "aws ec2 enable-volume-io --region ap-southeast-3 --volume-id vol-0a1.",
    dashboard=VOLUME_PAGE,
    console=VOLUME_CONSOLE,
    variants={
        "because it has stalled, which pages": Variant(
            fires=False, series=[_status_check("io-performance", "stalled")]
        ),
        "only a warning": Variant(fires=False, series=[_status("warning", 1)]),
        "it is nobody's": Variant(
            fires=True, drop=["aws_ebs_volume_persistentvolumeclaim_info"], labels={**OWNER, **NOBODYS}
        ),
    },
)

_DEGRADED = Case(
    alert="AwsEbsVolumeDegraded",
    severity="warning",
    component="ebs",
    series=[*WORLD, _status("warning", step(20, 0, 1), 0), _status_check("io-performance", "degraded")],
    fires_at=35,
    keeps=15,
    labels=OWNER,
    summary="Claim databases/data-postgres-0: AWS reports the volume slower than it should be",
    description=f"{USER}, has been below its provisioned performance for 15 minutes, by AWS's own word. Not passed: "
    "io-performance is degraded. A volume just made from a snapshot is slow until it is read once; else watch it, and "
    "move to a replica or a new volume if it lasts.",
    dashboard=VOLUME_PAGE,
    console=VOLUME_CONSOLE,
    variants={
        "impaired, which pages": Variant(fires=False, series=[_status("impaired", 1)]),
        "for ten minutes": Variant(fires=False, series=[_status("warning", step(25, 0, 1))]),
        "from the start": Variant(fires=True, series=[_status("warning", 1)], at=14),
        "for fourteen minutes": Variant(fires=False, series=[_status("warning", 1)], at=13),
    },
)

_FAILED = "aws_ebs_instance_attached_ebs_check_failed"
_OTHER = {**VOLUME, "volume_id": "vol-0b2"}
_UNREACHABLE = Case(
    alert="AwsEbsNodeVolumesUnreachable",
    severity="critical",
    component="ebs",
    series=[
        *WORLD,
        NODE_INFO,
        NODE_NAME,
        NODE_EFS,
        ATTACHMENT,
        S("aws_ebs_volume_attachment_info", {**_OTHER, "instance_id": "i-0a1", "state": "attached"}),
        S(
            "aws_ebs_volume_persistentvolumeclaim_info",
            {**_OTHER, "namespace": "cache", "persistentvolumeclaim": "data-b", "persistentvolume": "pvc-2"},
        ),
        S(_FAILED, INSTANCE, bad=step(20, 0, 1), good=between(20, 22, 1, 0)),
    ],
    fires_at=22,
    keeps=10,
    labels=NODE,
    summary="Node node-a1: volumes cannot be reached",
    description="i-0a1 in ap-southeast-3a could not reach its volumes in 3 of the last 20 minutes. Claims that have "
    "their volumes there: 2. Among them cache/data-b, databases/data-postgres-0. Move the pods away: kubectl drain "
    "node-a1 --ignore-daemonsets --delete-emptydir-data. If that hangs, stop the instance: aws ec2 stop-instances "
    "--force --region ap-southeast-3 --instance-ids i-0a1.",
    dashboard=NODE_PAGE,
    console=NODE_CONSOLE,
    variants={
        "the newest five minutes missing": Variant(
            fires=True, series=[S(_FAILED, INSTANCE, bad=_known(step(20, 0, 1), 23))], at=27
        ),
        "2 bad minutes, the newest six missing": Variant(
            fires=False, series=[S(_FAILED, INSTANCE, bad=_known(step(21, 0, 1), 23))], at=28
        ),
        "one of its volumes has stalled, which pages": Variant(fires=False, series=[_check(step(20, 0, 1))]),
        "one of its volumes is impaired, which pages": Variant(fires=False, series=[_status("impaired", 1)]),
        "a volume elsewhere is impaired": Variant(
            fires=True, series=[_status("impaired", 1)], drop=["aws_ebs_volume_attachment_info"]
        ),
        "a volume attached to no node has stalled": Variant(
            fires=True, series=[S(_STATUS, {**VOLUME, "volume_id": "vol-0c3", "status": "impaired"})]
        ),
        "its volumes are well": Variant(fires=True, series=[_status("impaired", 0), _status("ok", 1), _check(0)]),
        "nothing is known of Kubernetes": Variant(
            fires=True, drop=["kubernetes_csinode_driver_info"], labels={"node": ""}
        ),
        "two nodes say they are it": Variant(
            fires=True,
            series=[NODE_NAME, replace(NODE_NAME, labels={**NODE_NAME.labels, "node": "node-z9"})],
            labels={"node": ""},
        ),
    },
)

CASES = [
    with_twins(case) for case in (_STALLED, _IMPAIRED, _DEGRADED, _UNREACHABLE, *ebs_life.CASES, *ebs_limits.CASES)
]

READINGS: list[Reading] = [
    Reading(
        name="a volume's owner is its claim, its workload and its node",
        series=WORLD,
        expr="volume:aws_ebs_owner:info",
        at=5,
        samples={
            'volume:aws_ebs_owner:info{account_id="123456789012", availability_zone="ap-southeast-3a", cluster="production",'
            ' namespace="databases", node="node-a1", persistentvolumeclaim="data-postgres-0", region="ap-southeast-3",'
            ' storageclass="gp3-sc", volume_id="vol-0a1", volume_type="gp3", workload="StatefulSet/postgres"}': 1
        },
    ),
    Reading(
        name="where two claims, two workloads and two nodes are found for a volume, none is taken",
        series=[
            INFO,
            OWNED,
            POD,
            ATTACHED,
            replace(OWNED, labels={**OWNED.labels, "persistentvolumeclaim": "data-postgres-1"}),
            replace(ATTACHED, labels={**ATTACHED.labels, "node": "node-b2"}),
            replace(INFO, labels={**INFO.labels, "volume_id": "vol-0z9"}),
            replace(OWNED, labels={**OWNED.labels, "volume_id": "vol-0z9", "persistentvolumeclaim": "data-z"}),
            replace(ATTACHED, labels={**ATTACHED.labels, "volume_id": "vol-0z9", "node": "node-z9"}),
        ],
        expr="volume:aws_ebs_owner:info",
        at=5,
        samples={
            'volume:aws_ebs_owner:info{account_id="123456789012", availability_zone="ap-southeast-3a", cluster="production",'
            ' namespace="several", persistentvolumeclaim="several", region="ap-southeast-3",'
            ' volume_id="vol-0a1", volume_type="gp3"}': 1,
            'volume:aws_ebs_owner:info{account_id="123456789012", availability_zone="ap-southeast-3a", cluster="production",'
            ' namespace="databases", node="node-z9", persistentvolumeclaim="data-z", region="ap-southeast-3",'
            ' storageclass="gp3-sc", volume_id="vol-0z9", volume_type="gp3"}': 1,
        },
    ),
    Reading(
        name="a claim that two classes are told of is not known",
        series=[INFO, OWNED, replace(OWNED, labels={**OWNED.labels, "storageclass": "gp2"})],
        expr="volume:aws_ebs_claim:info",
        at=5,
        samples={
            'volume:aws_ebs_claim:info{account_id="123456789012", cluster="production", namespace="several",'
            ' persistentvolumeclaim="several", region="ap-southeast-3", volume_id="vol-0a1"}': 1
        },
    ),
    Reading(
        name="a claim of two workloads has none",
        series=[*WORLD, replace(POD, labels={**POD.labels, "owner_name": "pgbouncer", "owner_kind": "ReplicaSet"})],
        expr="claim:kubernetes_workload:info or volume:aws_ebs_owner:info",
        at=5,
        samples={
            'volume:aws_ebs_owner:info{account_id="123456789012", availability_zone="ap-southeast-3a", cluster="production",'
            ' namespace="databases", node="node-a1", persistentvolumeclaim="data-postgres-0", region="ap-southeast-3",'
            ' storageclass="gp3-sc", volume_id="vol-0a1", volume_type="gp3"}': 1
        },
    ),
    *ebs_readings.READINGS,
    *ebs_counters.READINGS,
]
