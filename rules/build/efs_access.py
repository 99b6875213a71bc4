"""
Whether EFS file systems can be reached and take more: operations limit, mount targets, clients, replication, growth,
access points.

AWS recommends one alarm here (PercentIOLimit ≥ 100 for 15 minutes): AwsEfsIoLimitReached is a little below and a little
earlier. A wrong security group changes no state of a mount target: what shows it is that clients are gone.
"""

from __future__ import annotations

from functools import partial

from rules.build import words
from rules.build.first import first
from rules.build.identity import CLAIM, CLUSTER, FILE_SYSTEM, MOUNT_TARGET, listed
from rules.build.model import Alert, Group, Record, Threshold
from rules.build.owners import FILE_SYSTEM_CLAIM, owned_file_system

F, _M, _C = listed(FILE_SYSTEM), listed(MOUNT_TARGET), listed(CLAIM)

IO_LIMIT = "filesystem:aws_efs_io_limit:ratio"
CLIENTS = "filesystem:aws_efs_client_connections:sum"
NODES = "filesystem:kubernetes_nodes_using:count"
ACCESS_POINTS = "filesystem:aws_efs_access_points:count"
STORAGE = "filesystem:aws_efs_storage:bytes"
GROWTH = "filesystem:aws_efs_storage:delta1d"
SYNC_AGE = "filesystem:aws_efs_time_since_last_sync:seconds"

_alert = partial(Alert, component="efs", dashboard=words.FILE_SYSTEM_DASHBOARD, console=words.FILE_SYSTEM_CONSOLE)
_ELASTIC = (
    "`aws efs update-file-system --region {{ $labels.region }} --file-system-id {{ $labels.file_system_id }} "
    "--throughput-mode elastic`"
)
_TARGETS = (
    "`aws efs describe-mount-targets --region {{ $labels.region }} --file-system-id {{ $labels.file_system_id }}`"
)
# Of several claims the one on most nodes stands for all: nodes that two of them share are not counted twice.
_USERS = f"""
    max by ({F}) (
      {FILE_SYSTEM_CLAIM} * on ({_C}) group_left ()
      count by ({_C}) (group by ({_C}, node) (kubernetes_pod_persistentvolumeclaim_info{{phase="Running"}}))
    )
"""

IO = Group(
    topic="operations",
    rules=[
        Record(name=IO_LIMIT, expr=first("aws_efs_file_system_io_limit_ratio")),
        _alert(
            name="AwsEfsIoLimitReached",
            severity="critical",
            expr=owned_file_system(f"round(avg_over_time({IO_LIMIT}[10m]) >= $limit, 0.01)"),
            keep="15m",
            thresholds={
                "limit": Threshold(0.95, "ratio", "of the operations limit of General Purpose mode, mean of 15 minutes")
            },
            summary=f"{words.FILE_SYSTEM}: at its limit of operations a second",
            description=f"""
                {{{{ $labels.file_system_id }}}} does {{{{ $value | humanizePercentage }}}} of the operations a second that
                General Purpose mode allows: every client waits. {words.FILE_SYSTEM_CLAIMS}Stop the client that lists or touches many small files; more operations come with {_ELASTIC}.
            """,
        ),
        _alert(
            name="AwsEfsIoLimitNear",
            severity="warning",
            expr=owned_file_system(f"round({IO_LIMIT} >= $limit, 0.01)"),
            wait="30m",
            keep="30m",
            thresholds={"limit": Threshold(0.8, "ratio", "of the operations limit of General Purpose mode")},
            summary=f"{words.FILE_SYSTEM}: {{{{ $value | humanizePercentage }}}} of its limit of operations",
            description=f"""
                {{{{ $labels.file_system_id }}}} has done {{{{ $value | humanizePercentage }}}} of the operations a second
                that General Purpose mode allows, for half an hour; at 100 % every client waits.
                {words.FILE_SYSTEM_CLAIMS}Find who lists or touches many small files; more operations come with {_ELASTIC}.
            """,
        ),
    ],
)

CLIENT = Group(
    topic="clients",
    rules=[
        # A minute in which CloudWatch tells of the file system but of no client is one without clients. Where it tells
        # nothing (late, throttled), nothing is said of clients either.
        Record(
            name=CLIENTS,
            expr=f"""
                ({first("aws_efs_file_system_client_connections")})
                or on ({F})
                0 * group by ({F}) ({first("aws_efs_file_system_permitted_throughput_bytes_per_second")})
            """,
        ),
        # Known only with `kubernetes.pods`; then a file system whose pods are all gone has 0 nodes.
        Record(
            name=NODES,
            expr=f"""
                {_USERS}
                or on ({F})
                0 * group by ({F}) (
                  {FILE_SYSTEM_CLAIM} and on ({CLUSTER}) group by ({CLUSTER}) (kubernetes_pod_persistentvolumeclaim_info)
                )
            """,
        ),
        _alert(
            name="AwsEfsMountTargetUnavailable",
            severity="critical",
            expr=owned_file_system(f"""
                max by ({_M}) (aws_efs_mount_target_available) == 0
                unless on ({_M}) aws_efs_mount_target_info{{state=~"creating|deleting|deleted"}}
            """),
            wait="2m",
            keep="10m",
            summary=f"{words.FILE_SYSTEM}: mount target in {{{{ $labels.availability_zone }}}} is down",
            description=f"""
                {{{{ $labels.file_system_id }}}} has no working mount target in {{{{ $labels.availability_zone }}}}: pods in
                that zone hang on their mounts, new ones do not start. {words.FILE_SYSTEM_CLAIMS}See its state: {_TARGETS}.
            """,
        ),
        _alert(
            name="AwsEfsClientsGone",
            severity="critical",
            expr=owned_file_system(f"""
                round(quantile_over_time(0.5, {CLIENTS}[6h] offset 10m)) >= $clients
                and on ({F}) {CLIENTS} < 0.5
                and on ({F}) {NODES} > 0
            """),
            wait="1m",
            keep="15m",
            thresholds={"clients": Threshold(2, "count", "clients it had, median of six hours")},
            summary=f"{words.FILE_SYSTEM}: no client is connected any more",
            description=f"""
                {{{{ $labels.file_system_id }}}} had {{{{ printf "%.0f" $value }}}} clients and has none, though pods that use
                it are running: they hang in I/O. {words.FILE_SYSTEM_CLAIMS}Look at the security group of its mount
                targets (TCP 2049 from the nodes) and at routes: {_TARGETS}.
            """,
        ),
        _alert(
            name="AwsEfsClientConnectionsDropped",
            severity="warning",
            expr=owned_file_system(f"""
                round({CLIENTS} offset 30m) >= $clients
                and on ({F}) {CLIENTS} < $left * ({CLIENTS} offset 30m)
                unless on ({F}) ({CLIENTS} >= 0.9 * {NODES})
            """),
            wait="5m",
            keep="30m",
            thresholds={
                "clients": Threshold(4, "count", "clients it had half an hour ago"),
                "left": Threshold(0.5, "ratio", "share of the clients of half an hour ago that is left"),
            },
            summary=f"{words.FILE_SYSTEM}: more than half of its clients are gone",
            description=f"""
                {{{{ $labels.file_system_id }}}} had {{{{ printf "%.0f" $value }}}} clients half an hour ago and has lost more
                than half of them. {words.FILE_SYSTEM_CLAIMS}If nothing was scaled down, look for nodes of one zone that
                hang, then at security groups and mount targets: {_TARGETS}.
            """,
        ),
    ],
)

UPKEEP = Group(
    topic="upkeep",
    interval="5m",
    rules=[
        Record(name=SYNC_AGE, expr=first("aws_efs_file_system_time_since_last_sync_seconds")),
        Record(name=STORAGE, expr=f"sum by ({F}) ({first('aws_efs_file_system_size_bytes')})"),
        Record(name=GROWTH, expr=f"{STORAGE} - ({STORAGE} offset 1d)"),
        Record(name=ACCESS_POINTS, expr=f"max by ({F}) (aws_efs_file_system_access_points)"),
        _alert(
            name="AwsEfsReplicationLagging",
            severity="warning",
            expr=owned_file_system(f"round({SYNC_AGE} > $age, 60)"),
            wait="15m",
            keep="30m",
            thresholds={"age": Threshold(3600, "seconds", "age of the replica's last complete copy")},
            summary=f"{words.FILE_SYSTEM}: its replica is {{{{ $value | humanizeDuration }}}} behind",
            description="""
                {{ $labels.file_system_id }} was last copied to {{ $labels.destination_file_system_id }} {{ $value |
                humanizeDuration }} ago; usual is 15 minutes. What was written since would be lost with it. See the state:
                `aws efs describe-replication-configurations --region {{ $labels.region }} --file-system-id
                {{ $labels.file_system_id }}`.
            """,
        ),
        _alert(
            name="AwsEfsStorageGrowthAnomaly",
            severity="warning",
            expr=owned_file_system(f"""
                round({GROWTH} > $least and {GROWTH} > $times * quantile_over_time(0.9, {GROWTH}[7d] offset 1d), 1e8)
            """),
            wait="2h",
            keep="2h",
            thresholds={
                "least": Threshold(3e10, "bytes", "growth in 24 hours"),
                "times": Threshold(3, "ratio", "of the growth of a busy day (90 % of the last seven days were below)"),
            },
            summary=f"{words.FILE_SYSTEM}: grew by {{{{ $value | humanize1024 }}}}B in a day",
            description=f"""
                {{{{ $labels.file_system_id }}}} grew by {{{{ $value | humanize1024 }}}}B in 24 hours, more than three times a
                busy day of the last week. {words.FILE_SYSTEM_CLAIMS}Find the directory: `du -xd1 /mount | sort -n | tail` in
                a pod that mounts it. EFS has no limit: it only costs.
            """,
        ),
        _alert(
            name="AwsEfsAccessPointsNearLimit",
            severity="warning",
            # Two limits, each its own threshold: the smaller one gives the greater share.
            expr=owned_file_system(f"""
                round(max by ({F}) (
                  label_replace({ACCESS_POINTS} / $driver_limit, "limit", "driver", "", "")
                  or
                  label_replace({ACCESS_POINTS} / $quota, "limit", "quota", "", "")
                ), 0.001) >= $share
            """),
            wait="10m",
            thresholds={
                "driver_limit": Threshold(
                    1000, "count", "access points that the EFS CSI driver makes on a file system"
                ),
                "quota": Threshold(10000, "count", "AWS's quota of access points on a file system"),
                "share": Threshold(0.8, "ratio", "access points over the smaller of the two limits"),
            },
            summary=f"{words.FILE_SYSTEM}: {{{{ $value | humanizePercentage }}}} of its access points are used",
            description="""
                {{ $labels.file_system_id }} has {{ $value | humanizePercentage }} of the access points it can have (the
                smaller of the CSI driver's limit and AWS's quota). At 100 % new claims stay Pending. Make a second file
                system with its own StorageClass, or delete access points without a claim.
            """,
        ),
        _alert(
            name="AwsEfsUnused",
            severity="info",
            expr=owned_file_system(f"""
                max_over_time({CLIENTS}[7d]) == 0 and {CLIENTS} offset 7d
            """),
            wait="1h",
            summary=f"{words.FILE_SYSTEM}: nobody mounted it for a week",
            description="""
                {{ $labels.file_system_id }} had no client for seven days and costs money all the same. If nobody misses it,
                take a backup and delete it: `aws efs delete-file-system --region {{ $labels.region }} --file-system-id
                {{ $labels.file_system_id }}`.
            """,
        ),
    ],
)
