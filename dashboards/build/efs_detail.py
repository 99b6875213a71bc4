"""EFS, further down the page: operations and clients, storage, claims, logs, encryption."""

from __future__ import annotations

from dashboards.build.efs_terms import LEGEND, F, chosen, named
from dashboards.build.links import FILE_SYSTEM_CONSOLE, KEY_CONSOLE, Link, runbook, to
from dashboards.build.panels import PLACE_KEYS, Bars, Column, Key, Logs, Query, Row, Series, State, Table, Timeline
from dashboards.build.queries import most, where
from dashboards.build.thresholds import high, low, number
from rules.build.identity import CLAIM, listed
from rules.build.identity import KEY as KMS_KEY

C, K = listed(CLAIM), listed(KMS_KEY)

_ACCESS_POINT_CONSOLE = Link(
    "AWS console",
    "https://${__data.fields.region}.console.aws.amazon.com/efs/home?region=${__data.fields.region}"
    "#/access-points/${__data.fields.access_point_id}",
    new=True,
)
_NFS = '{job=~".*journal.*",cluster=~"$cluster"}'
_DRIVER = '{namespace="kube-system",container="efs-plugin",cluster=~"$cluster"}'
_NAME = Key(label="file_system_name", name="File system", links=[FILE_SYSTEM_CONSOLE], width=160)
_UP = (State(0, "down", "red"), State(1, "up", "green"))
_YES = (State(0, "no", "orange"), State(1, "yes", "green"))


def rows() -> list[Row]:
    """The rows."""
    return [_clients(), _logs(), _storage(), _claims(), _protection()]


def _clients() -> Row:
    return Row(
        title="Operations, clients, mount targets",
        panels=[
            Series(
                title="Operations",
                says="Operations against what General Purpose mode allows. Good: below 80 %; at 100 % every client waits.",
                unit="percentunit",
                queries=[Query(named(chosen("filesystem:aws_efs_io_limit:ratio")), LEGEND)],
                limit=high(
                    warning=number("AwsEfsIoLimitNear", "limit", of="ratio"),
                    critical=number("AwsEfsIoLimitReached", "limit", of="ratio"),
                ),
                least=0,
                most=1,
                width=7,
                links=[runbook("AwsEfsIoLimitReached")],
            ),
            Series(
                title="Clients over time",
                says=(
                    "Mounts that AWS counts, and (dashed) nodes that run pods with a claim on it. Good: at least as many "
                    "clients as nodes. A sudden drop: security group or mount target."
                ),
                unit="none",
                queries=[
                    Query(named(chosen("filesystem:aws_efs_client_connections:sum")), f"{LEGEND} clients"),
                    Query(named(chosen("filesystem:kubernetes_nodes_using:count")), f"{LEGEND} nodes", "limit"),
                ],
                least=0,
                width=7,
                links=[runbook("AwsEfsClientsGone")],
            ),
            Timeline(
                title="Mount targets",
                says="One band a file system and zone. Red: pods of that zone hang on their mounts.",
                queries=[
                    Query(
                        named(most(chosen("aws_efs_mount_target_available"), F, "availability_zone")),
                        "{{file_system_name}} {{availability_zone}}",
                    )
                ],
                states=_UP,
                width=10,
                links=[runbook("AwsEfsMountTargetUnavailable")],
            ),
        ],
    )


def _logs() -> Row:
    return Row(
        title="What nodes and the driver say",
        panels=[
            Logs(
                title="NFS lines of the nodes' kernels",
                says="What is 'not responding' is an outage of that mount, 'OK' its end. Good: nothing.",
                expr=f"{_NFS} |~ `nfs: server \\S+ (?:not responding|OK|still trying)|NFS: .*(?:error|failed)`",
                width=12,
                links=[runbook("NodeNfsServerNotResponding")],
            ),
            Logs(
                title="Complaints of the EFS CSI driver",
                says="Mounts, access points and TLS tunnels that fail. Good: nothing.",
                expr=(
                    f"{_DRIVER} |~ `Could not mount|Failed to |AccessPointLimitExceeded|File System does not exist|"
                    "Access Denied|Describe File System failed|TLS tunnel|[Ss]tunnel|efs-proxy|amazon-efs-mount-watchdog`"
                ),
                width=12,
                links=[runbook("EfsMountFailing")],
            ),
        ],
    )


def _storage() -> Row:
    limit = number("AwsEfsAccessPointsNearLimit", "driver_limit", of="count")
    share = number("AwsEfsAccessPointsNearLimit", "share", of="ratio")
    size = most(f"last_over_time({chosen('aws_efs_file_system_size_bytes')}[1h])", F, "storage_class")
    return Row(
        title="What is stored, and where it goes",
        panels=[
            Series(
                title="Stored, by class",
                says="Bytes by storage class; AWS tells them four times an hour. IA and Archive are cheaper and slower.",
                unit="bytes",
                queries=[Query(named(size), "{{file_system_name}} {{storage_class}}", "steps")],
                connect=True,
                stacked=True,
                least=0,
                links=[to("capacity", title="Capacity and cost")],
            ),
            Series(
                title="Growth of a day",
                says=(
                    "Bytes more than 24 hours ago. Good: like the days before. EFS has no limit, it only costs. "
                    "Needs a day of data."
                ),
                unit="bytes",
                queries=[Query(named(chosen("filesystem:aws_efs_storage:delta1d")), LEGEND, "steps")],
                limit=high(warning=number("AwsEfsStorageGrowthAnomaly", "least", of="bytes")),
                connect=True,
                links=[runbook("AwsEfsStorageGrowthAnomaly")],
                empty="Not known before a day of data.",
            ),
            Bars(
                title=f"Access points, of the {limit:.0f} there may be",
                says=(
                    f"The CSI driver makes one a claim and no more than {limit:.0f} a file system. Good: below {share:.0%}; "
                    "at 100 % new claims stay Pending."
                ),
                unit="percentunit",
                queries=[Query(named(f"{chosen('filesystem:aws_efs_access_points:count')} / {limit:.0f}"), LEGEND)],
                limit=high(warning=share),
                most=1,
                decimals=1,
                links=[runbook("AwsEfsAccessPointsNearLimit")],
            ),
            Series(
                title="Replica is behind by",
                says="Age of the replica's last complete copy; usual is 15 minutes. What is newer would be lost with it.",
                unit="s",
                queries=[
                    Query(
                        named(chosen("filesystem:aws_efs_time_since_last_sync:seconds")),
                        "{{file_system_name}} to {{destination_file_system_id}}",
                    )
                ],
                limit=high(warning=number("AwsEfsReplicationLagging", "age", of="seconds")),
                least=0,
                links=[runbook("AwsEfsReplicationLagging")],
                empty="No file system here is replicated.",
            ),
        ],
    )


def _claims() -> Row:
    labels = f"{F}, namespace, persistentvolumeclaim"
    named_claim = 'persistentvolumeclaim!=""'
    point = chosen("aws_efs_access_point_persistentvolumeclaim_info", named_claim)
    whole = chosen("aws_efs_file_system_persistentvolumeclaim_info", named_claim)
    claims = (
        f"(group by ({labels}, access_point_id) ({point}) or "
        f'label_replace(group by ({labels}) ({whole}), "access_point_id", "(none)", "", ""))'
    )
    workload = where("claim:kubernetes_workload:info", place=("cluster",))
    pods = where("kubernetes_pod_persistentvolumeclaim_info", also='phase="Running"', place=("cluster",))
    owned = f"({claims} * on ({C}) group_left (workload) ({workload} or on ({C}) group by ({C}) {claims}))"
    return Row(
        title="Claims on it",
        panels=[
            Table(
                title="Claims on these file systems",
                says="Who is hurt when the file system is slow: claims, their access points, and what runs with them.",
                keys=[
                    *PLACE_KEYS,
                    Key(label="namespace", name="Namespace", width=160),
                    Key(label="persistentvolumeclaim", name="Claim", width=220),
                    Key(label="workload", name="Used by", width=300),
                    Key(label="file_system_name", name="File system", width=180),
                    Key(label="file_system_id"),
                    Key(label="access_point_id", name="Access point", links=[_ACCESS_POINT_CONSOLE], width=220),
                ],
                columns=[
                    Column(name="claims", expr=named(owned), hidden=True),
                    Column(
                        name="Running pods",
                        expr=named(
                            f"{owned} * on ({C}) group_left () count by ({C}) (group by ({C}, pod_name) ({pods}))",
                        ),
                        decimals=0,
                    ),
                    Column(
                        name="Nodes",
                        expr=named(f"{owned} * on ({C}) group_left () count by ({C}) (group by ({C}, node) ({pods}))"),
                        decimals=0,
                    ),
                ],
                sort="Namespace",
                empty="No claim is on these file systems.",
                height=10,
            )
        ],
    )


def _protection() -> Row:
    keyed = f"group by ({F}, key_id) ({chosen('aws_efs_file_system_kms_key_info')})"

    def of_key(family: str) -> str:
        return named(f"({keyed} * on ({K}) group_left () {most(where(family), K)})")

    return Row(
        title="Encryption, backup, mount targets one by one",
        panels=[
            Table(
                title="Encryption and backup",
                says="Good: encrypted, TLS demanded, backups on. Off may be meant for scratch data.",
                keys=[
                    *PLACE_KEYS,
                    _NAME,
                    Key(label="file_system_id"),
                ],
                columns=[
                    Column(
                        name="Encrypted",
                        expr=named(most(chosen("aws_efs_file_system_encrypted"), F)),
                        states=_YES,
                        width=105,
                    ),
                    Column(
                        name="TLS demanded",
                        expr=named(most(chosen("aws_efs_file_system_transit_encryption_required"), F)),
                        states=_YES,
                        width=120,
                    ),
                    Column(
                        name="Backups",
                        expr=named(most(chosen("aws_efs_file_system_backup_enabled"), F)),
                        states=_YES,
                        width=100,
                    ),
                    Column(
                        name="Failed backup jobs",
                        expr=named(most(chosen("aws_efs_file_system_failed_backup_jobs"), F)),
                        limit=high(warning=1),
                        decimals=0,
                        width=150,
                    ),
                ],
                width=12,
                empty="No file system is known here.",
                height=6,
            ),
            Table(
                title="Keys of these file systems",
                says="The KMS keys they are encrypted with. A key that is disabled or deleted takes the data with it.",
                keys=[
                    *PLACE_KEYS,
                    _NAME,
                    Key(label="file_system_id"),
                    Key(label="key_id", name="Key", links=[KEY_CONSOLE], width=310),
                ],
                columns=[
                    Column(
                        name="Usable",
                        expr=of_key("aws_kms_key_enabled"),
                        states=(State(0, "no", "red"), State(1, "yes", "green")),
                        width=75,
                    ),
                    Column(
                        name="Deleted in",
                        expr=f"{of_key('aws_kms_key_deletion_timestamp_seconds')} - time()",
                        unit="s",
                        limit=low(critical=number("AwsKmsKeyPendingDeletion", "horizon", of="seconds")),
                        width=110,
                    ),
                ],
                width=12,
                empty="No key is known.",
                height=6,
            ),
            Table(
                title="Mount targets one by one",
                says="Where each zone reaches the file system: the address that nodes mount, port TCP 2049.",
                keys=[
                    *PLACE_KEYS,
                    _NAME,
                    Key(label="file_system_id", name="Id"),
                    Key(label="availability_zone", name="Zone"),
                    Key(label="ip_address", name="Address"),
                    Key(label="mount_target_id", name="Mount target"),
                    Key(label="subnet_id", name="Subnet"),
                    Key(label="state", name="AWS says"),
                ],
                columns=[
                    Column(
                        name="mount targets",
                        expr=named(
                            f"group by ({F}, availability_zone, ip_address, mount_target_id, subnet_id, state) "
                            f"({chosen('aws_efs_mount_target_info')})"
                        ),
                        hidden=True,
                    )
                ],
                sort="Id",
                empty="No mount target is known.",
                height=7,
            ),
        ],
        folded=True,
    )
