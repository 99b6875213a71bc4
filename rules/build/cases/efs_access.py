"""What the alerts about operations, mount targets, clients, replication, growth and access points of EFS must do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from rules.build.cases.efs_world import CLAIMS, CONSOLE, DASHBOARD, FILE_SYSTEM, INFO, NAMED, OWNED, WORLD, pod
from rules.build.cases.shapes import Case, Reading, S, Values, Variant, between, ramp, step

_case = partial(Case, component="efs", labels=NAMED, dashboard=DASHBOARD, console=CONSOLE)

ELASTIC = "`aws efs update-file-system --region ap-southeast-3 --file-system-id fs-0a1 --throughput-mode elastic`"
TARGETS = "`aws efs describe-mount-targets --region ap-southeast-3 --file-system-id fs-0a1`"
ZONE = {"availability_zone": "ap-southeast-3a"}
DAY = 1440


def operations(bad: Values | float, good: Values | float | None = None) -> S:
    """Share of the operations limit."""
    return S("aws_efs_file_system_io_limit_ratio", FILE_SYSTEM, bad=bad, good=good)


def clients(bad: Values | float, good: Values | float | None = None) -> S:
    """Clients connected."""
    return S("aws_efs_file_system_client_connections", FILE_SYSTEM, bad=bad, good=good)


def told(bad: Values | float = 104857600) -> S:
    """What CloudWatch tells of every file system in every minute."""
    return S("aws_efs_file_system_permitted_throughput_bytes_per_second", FILE_SYSTEM, bad=bad)


def available(bad: Values | float, good: Values | float | None = None) -> S:
    """Whether the zone's mount target works."""
    return S("aws_efs_mount_target_available", {**FILE_SYSTEM, **ZONE}, bad=bad, good=good)


def target(state: str) -> S:
    """The mount target in a state."""
    return S("aws_efs_mount_target_info", {**FILE_SYSTEM, **ZONE, "mount_target_id": "fsmt-1", "state": state})


def size(bad: Values | float, good: Values | float | None = None, storage_class: str = "Standard") -> S:
    """Bytes in a storage class."""
    return S("aws_efs_file_system_size_bytes", {**FILE_SYSTEM, "storage_class": storage_class}, bad=bad, good=good)


def growing(last_day: float, per_day: float = 1e10, days: int = 9) -> Values:
    """So much a day, and in the last one, from day *days* on, *last_day*."""

    def at(minute: int) -> float:
        return 1e12 + per_day * min(minute / DAY, days) + last_day * min(max(minute / DAY - days, 0), 1)

    return at


PODS = (pod("web-1", "node-a1"), pod("web-2", "node-b1"))

CASES = [
    _case(
        alert="AwsEfsIoLimitReached",
        severity="critical",
        # Two means, of 5 and of 10 minutes: at 0.95 twelve minutes after the step from 0.5 to 1.
        series=[*WORLD, operations(step(20, 0.5, 1), good=0.93)],
        fires_at=32,
        keeps=15,
        summary="File system eks_production: at its limit of operations a second",
        description="fs-0a1 does 95% of the operations a second that General Purpose mode allows: every client waits. "
        f"{CLAIMS}Stop the client that lists or touches many small files; more operations come with {ELASTIC}.",
        variants={
            "one backup of ten minutes": Variant(fires=False, series=[operations(between(20, 30, 1, 0.5))], at=32),
        },
    ),
    _case(
        alert="AwsEfsIoLimitNear",
        severity="warning",
        series=[*WORLD, operations(step(10, 0.1, 0.88), good=0.75)],
        fires_at=45,
        waits=30,
        keeps=30,
        summary="File system eks_production: 88% of its limit of operations",
        description="fs-0a1 has done 88% of the operations a second that General Purpose mode allows, for half an hour; at "
        f"100 % every client waits. {CLAIMS}Find who lists or touches many small files; more operations come with {ELASTIC}.",
    ),
    _case(
        alert="AwsEfsMountTargetUnavailable",
        severity="critical",
        series=[*WORLD, available(step(5, 1, 0), good=1), target("error")],
        labels={**NAMED, **ZONE},
        fires_at=7,
        waits=2,
        keeps=10,
        summary="File system eks_production: mount target in ap-southeast-3a is down",
        description="fs-0a1 has no working mount target in ap-southeast-3a: pods in that zone hang on their mounts, new ones "
        f"do not start. {CLAIMS}See its state: {TARGETS}.",
        variants={
            "it is being made": Variant(fires=False, series=[target("creating")]),
            "it is being deleted": Variant(fires=False, series=[target("deleting")]),
            "it is being moved": Variant(fires=True, series=[target("updating")]),
            "another zone's is being made": Variant(
                fires=True,
                series=[
                    S(
                        "aws_efs_mount_target_info",
                        {**FILE_SYSTEM, "availability_zone": "ap-southeast-3b", "state": "creating"},
                    )
                ],
            ),
        },
    ),
    _case(
        alert="AwsEfsClientsGone",
        severity="critical",
        # The mean of five minutes is below half a client when all of them are 0.
        series=[*WORLD, *PODS, told(), clients(step(60, 3, 0), good=3)],
        fires_at=66,
        waits=1,
        keeps=15,
        summary="File system eks_production: no client is connected any more",
        description=f"fs-0a1 had 3 clients and has none, though pods that use it are running: they hang in I/O. {CLAIMS}"
        f"Look at the security group of its mount targets (TCP 2049 from the nodes) and at routes: {TARGETS}.",
        variants={
            "CloudWatch tells of no clients any more": Variant(fires=True, series=[clients(step(60, 3, None))]),
            "CloudWatch is late": Variant(
                fires=False, series=[clients(step(60, 3, None)), told(step(60, 104857600, None))], at=75
            ),
            "pods are not known": Variant(fires=False, drop=["kubernetes_pod_persistentvolumeclaim_info"], at=75),
            "the claim is of another cluster": Variant(
                fires=False,
                series=[replace(each, labels={**each.labels, "cluster": "staging"}) for each in PODS],
                at=75,
            ),
            "they are done": Variant(fires=False, series=[pod("web-1", "node-a1", "Succeeded")], at=75),
            "one client is left": Variant(fires=False, series=[clients(step(60, 3, 1))], at=75),
            "it had one client": Variant(fires=False, series=[clients(step(60, 1, 0))], at=75),
            "it had two": Variant(fires=True, series=[clients(step(60, 2, 0))]),
            "it seldom has any": Variant(fires=False, series=[clients(between(30, 40, 5, 0))], at=75),
            "a deploy lets go for three minutes": Variant(fires=False, series=[clients(between(60, 63, 0, 3))], at=75),
            "most of six hours later": Variant(fires=False, series=[clients(step(230, 3, 0))], at=450),
            "hours later": Variant(fires=True, at=110),
        },
    ),
    _case(
        alert="AwsEfsClientConnectionsDropped",
        severity="warning",
        series=[*WORLD, told(), clients(step(60, 9, 4), good=5)],
        # Of nine: the mean of five minutes is 4 when all are new; half an hour ago it was 9.
        fires_at=70,
        waits=5,
        keeps=30,
        summary="File system eks_production: more than half of its clients are gone",
        description=f"fs-0a1 had 9 clients half an hour ago and has lost more than half of them. {CLAIMS}If nothing was scaled "
        f"down, look for nodes of one zone that hang, then at security groups and mount targets: {TARGETS}.",
        variants={
            "pods still run on more nodes": Variant(
                fires=True, series=[pod(f"web-{n}", f"node-{n}") for n in range(5)]
            ),
            "a night's scale-down": Variant(
                fires=False, series=[pod(f"web-{n}", f"node-{n}") for n in range(4)], at=80
            ),
            "pods on one node are one client": Variant(
                fires=False, series=[pod(f"web-{n}", "node-1") for n in range(9)], at=80
            ),
            "none is left, and no pod": Variant(
                fires=False,
                series=[clients(step(60, 9, 0)), pod("web-1", "node-a1", "Succeeded")],
                at=80,
            ),
            "three clients are few": Variant(fires=False, series=[clients(step(60, 3, 1))], at=80),
            "four are enough": Variant(fires=True, series=[clients(step(60, 4, 1))]),
            "a little more than half is left": Variant(fires=False, series=[clients(step(60, 9, 5))], at=80),
            "CloudWatch is late": Variant(
                fires=False, series=[clients(step(60, 9, None)), told(step(60, 104857600, None))], at=80
            ),
        },
    ),
    _case(
        alert="AwsEfsReplicationLagging",
        severity="warning",
        series=[
            *WORLD,
            S(
                "aws_efs_file_system_time_since_last_sync_seconds",
                {**FILE_SYSTEM, "destination_file_system_id": "fs-0b2"},
                bad=step(5, 600, 3900),
                good=3420,
            ),
        ],
        labels={**NAMED, "destination_file_system_id": "fs-0b2"},
        fires_at=20,
        waits=15,
        keeps=30,
        summary="File system eks_production: its replica is 1h 5m 0s behind",
        description="fs-0a1 was last copied to fs-0b2 1h 5m 0s ago; usual is 15 minutes. What was written since would be lost "
        "with it. See the state: `aws efs describe-replication-configurations --region ap-southeast-3 --file-system-id "
        "fs-0a1`.",
    ),
    _case(
        alert="AwsEfsStorageGrowthAnomaly",
        severity="warning",
        step=30,
        # 1.2e10 a day, then 1.1e11 in the tenth day: three times a busy day after six hours.
        series=[
            *WORLD,
            size(growing(1.1e11, per_day=1.2e10), good=growing(3.4e10, per_day=1.2e10)),
            size(2e11, storage_class="IA"),
        ],
        fires_at=9 * DAY + 480,
        waits=120,
        keeps=120,
        summary="File system eks_production: grew by 41.63GiB in a day",
        description=f"fs-0a1 grew by 41.63GiB in 24 hours, more than three times a busy day of the last week. {CLAIMS}"
        "Find the directory: `du -xd1 /mount | sort -n | tail` in a pod that mounts it. EFS has no limit: it only costs.",
        variants={
            "small beside what is usual": Variant(
                fires=False, series=[size(growing(7.7e10, per_day=2.6e10))], at=10 * DAY
            ),
            "small": Variant(fires=False, series=[size(growing(2.9e10, per_day=1e9))], at=10 * DAY),
            "a little more": Variant(fires=True, series=[size(growing(3.3e10, per_day=1e9))], at=10 * DAY),
            "files that move to a cheaper class": Variant(
                fires=False,
                series=[
                    size(ramp(9 * DAY, 1e12, -5e7)),
                    size(ramp(9 * DAY, 2e11, 5e7), storage_class="IA"),
                ],
                at=10 * DAY,
            ),
        },
    ),
    _case(
        alert="AwsEfsAccessPointsNearLimit",
        severity="warning",
        series=[*WORLD, S("aws_efs_file_system_access_points", FILE_SYSTEM, bad=step(5, 700, 850), good=790)],
        fires_at=15,
        waits=10,
        summary="File system eks_production: 85% of its access points are used",
        description="fs-0a1 has 85% of the access points it can have (the smaller of the CSI driver's limit and AWS's quota). "
        "At 100 % new claims stay Pending. Make a second file system with its own StorageClass, or delete access points "
        "without a claim.",
    ),
    _case(
        alert="AwsEfsUnused",
        severity="info",
        step=60,
        series=[*WORLD, told(), clients(step(240, 1, 0), good=step(240, 0, 0.2))],
        fires_at=7 * DAY + 300,
        waits=60,
        missing=True,
        summary="File system eks_production: nobody mounted it for a week",
        description="fs-0a1 had no client for seven days and costs money all the same. If nobody misses it, take a backup and "
        "delete it: `aws efs delete-file-system --region ap-southeast-3 --file-system-id fs-0a1`.",
        variants={
            "CloudWatch tells of no clients at all": Variant(
                fires=True, drop=["aws_efs_file_system_client_connections"]
            ),
            "it is younger than a week": Variant(
                fires=False, series=[clients(step(420, None, 0)), told(step(420, None, 1e8))]
            ),
        },
    ),
]

_LABELS = 'account_id="123456789012", cluster="production", file_system_id="fs-0a1", region="ap-southeast-3"'

READINGS: list[Reading] = [
    Reading(
        name="it has no clients, though CloudWatch told of it three minutes ago for the last time",
        series=[INFO, told(lambda minute: 104857600 if minute < 28 else float("inf") if minute == 28 else None)],
        expr="filesystem:aws_efs_client_connections:sum",
        at=30,
        samples={f"filesystem:aws_efs_client_connections:sum{{{_LABELS}}}": 0},
    ),
    Reading(
        name="all storage classes are one size",
        series=[INFO, size(3e11), size(1e11, storage_class="IA")],
        expr="filesystem:aws_efs_storage:bytes",
        at=5,
        samples={f"filesystem:aws_efs_storage:bytes{{{_LABELS}}}": 4e11},
    ),
    Reading(
        name="nodes with running pods are counted once",
        series=[INFO, OWNED, *PODS, pod("web-3", "node-b1"), pod("web-4", "node-c1", "Pending")],
        expr="filesystem:kubernetes_nodes_using:count",
        at=5,
        samples={f"filesystem:kubernetes_nodes_using:count{{{_LABELS}}}": 2},
    ),
    Reading(
        name="no node where pods are known and none uses it",
        series=[INFO, OWNED, pod("web-1", "node-a1", "Succeeded")],
        expr="filesystem:kubernetes_nodes_using:count",
        at=5,
        samples={f"filesystem:kubernetes_nodes_using:count{{{_LABELS}}}": 0},
    ),
    Reading(
        name="nothing is said of nodes where pods are not known",
        series=[INFO, OWNED],
        expr="filesystem:kubernetes_nodes_using:count",
        at=5,
        samples={},
    ),
    Reading(
        name="claims of access points and of whole file systems",
        series=[
            INFO,
            OWNED,
            *(
                S(
                    "aws_efs_file_system_persistentvolumeclaim_info",
                    {**FILE_SYSTEM, **there, "path": "/", "namespace": "shared", "persistentvolumeclaim": "whole"},
                )
                for there in ({}, {"account_id": "2"}, {"region": "r"}, {"cluster": "c"}, {"file_system_id": "fs-9"})
            ),
        ],
        expr="count by (persistentvolumeclaim) (filesystem:aws_efs_claim:info)",
        at=5,
        samples={'{persistentvolumeclaim="uploads"}': 1, '{persistentvolumeclaim="whole"}': 5},
    ),
    Reading(
        name="a file system without a name",
        series=[S("aws_efs_file_system_info", {**FILE_SYSTEM, "throughput_mode": "elastic"})],
        expr="filesystem:aws_efs_owner:info",
        at=5,
        samples={f"filesystem:aws_efs_owner:info{{{_LABELS}}}": 1},
    ),
]
