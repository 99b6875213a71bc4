"""What the alerts about keys and backups must do: all cases, and those about backups."""

from __future__ import annotations

from dataclasses import replace

from rules.build.cases import keys
from rules.build.cases.ebs_world import ACCOUNT, NOBODYS, OWNER, USER, VOLUME, VOLUME_CONSOLE, VOLUME_PAGE, WORLD
from rules.build.cases.keys import AGED, DAY, FRESH, FS, FS_CLAIM, FS_INFO, NAMED_FS, OVERVIEW
from rules.build.cases.shapes import Case, S, Variant, flat, step
from rules.build.cases.twins import with_twins

_SNAPSHOT, _BACKUP = "aws_ebs_volume_last_snapshot_timestamp_seconds", "aws_ebs_volume_last_backup_timestamp_seconds"
_PROTECTED = "aws_ebs_volume_backup_protected"
_UNCLAIMED = "aws_ebs_volume_persistentvolumeclaim_info"


def _cache_series(level: str, identity: dict[str, str], last: float | None, retention: float = DAY) -> list[S]:
    """A cache that has been there for ten days, with its newest snapshot."""
    name = f"aws_elasticache_{level}"
    found = [
        S(f"{name}_created_timestamp_seconds", identity, bad=-10 * DAY),
        S(f"{name}_snapshot_retention_seconds", identity, bad=retention),
    ]
    return found if last is None else [*found, S(f"{name}_last_snapshot_timestamp_seconds", identity, bad=last)]


def _read(aws_service: str, operation: str, at: float = 0) -> S:
    """When a list was last read."""
    labels = {**ACCOUNT, "aws_service": aws_service, "operation": operation}
    return S("storage_exporter_discovery_last_success_timestamp_seconds", labels, bad=at)


GROUP = {**ACCOUNT, "replication_group_id": "sessions"}
_NO_GROUP = {"replication_group_id": ""}
_GROUP_SNAPSHOT = "aws_elasticache_replication_group_last_snapshot_timestamp_seconds"
_BUCKET = {**ACCOUNT, "bucket": "uploads"}
_EFS_BACKUP = "aws_efs_file_system_last_backup_timestamp_seconds"
_JOBS = "aws_backup_failed_jobs"


def _jobs(state: str, count: float, **more: str) -> S:
    labels = {**ACCOUNT, "resource_type": "EBS", "state": state, **more}
    return S(_JOBS, labels, bad=step(20, None, count), good=flat(None))


_OLD = [
    Case(
        alert="AwsEbsVolumeBackupTooOld",
        severity="warning",
        component="protection",
        series=[*WORLD, S(_PROTECTED, VOLUME, bad=0), S(_SNAPSHOT, VOLUME, bad=AGED, good=FRESH)],
        fires_at=21,
        keeps=60,
        labels=OWNER,
        summary="Claim databases/data-postgres-0: the newest backup is too old",
        description=f"The newest snapshot or recovery point of {USER}, is 2d 0h 0m 0s old. See what failed: aws backup "
        "list-backup-jobs --region ap-southeast-3 --by-resource-type EBS --by-state FAILED. Make one now: aws ec2 "
        "create-snapshot --region ap-southeast-3 --volume-id vol-0a1.",
        dashboard=VOLUME_PAGE,
        console=VOLUME_CONSOLE,
        variants={
            "nobody's, in no plan": Variant(fires=False, drop=[_UNCLAIMED]),
            "nobody's, in a plan": Variant(
                fires=True, series=[S(_PROTECTED, VOLUME, bad=1)], drop=[_UNCLAIMED], labels={**OWNER, **NOBODYS}
            ),
            "AWS Backup made a newer one": Variant(fires=False, series=[S(_BACKUP, VOLUME, bad=FRESH)]),
            "only AWS Backup ever made one": Variant(
                fires=True,
                series=[S(_BACKUP, VOLUME, bad=AGED), S(_PROTECTED, VOLUME, bad=1)],
                drop=[_SNAPSHOT],
            ),
            "a claim's, forgotten six days ago": Variant(fires=True, series=[S(_SNAPSHOT, VOLUME, bad=-6.5 * DAY)]),
            "a claim's, forgotten eight days ago": Variant(fires=False, series=[S(_SNAPSHOT, VOLUME, bad=-7.5 * DAY)]),
            "in a plan, eight days ago": Variant(
                fires=True, series=[S(_SNAPSHOT, VOLUME, bad=-7.5 * DAY), S(_PROTECTED, VOLUME, bad=1)]
            ),
        },
    ),
    Case(
        alert="AwsEfsBackupTooOld",
        severity="warning",
        component="protection",
        series=[FS_INFO, S(_EFS_BACKUP, FS, bad=AGED, good=FRESH)],
        fires_at=21,
        keeps=60,
        labels=NAMED_FS,
        summary="File system shared: the newest backup is too old",
        description="AWS Backup has made no recovery point of fs-0a1 for 2d 0h 0m 0s. See what failed: aws backup "
        "list-backup-jobs --region ap-southeast-3 --by-resource-type EFS --by-state FAILED. Start one by hand in the "
        "console: AWS Backup, Create on-demand backup.",
        dashboard="/d/storage-exporter-efs?var-cluster=production&var-account_id=123456789012&var-region=ap-southeast-3"
        "&var-file_system_id=fs-0a1",
        console="https://ap-southeast-3.console.aws.amazon.com/efs/home?region=ap-southeast-3#/file-systems/fs-0a1",
        variants={
            "a policy, and never a recovery point": Variant(
                fires=True,
                series=[
                    S("aws_efs_file_system_created_timestamp_seconds", FS, bad=AGED),
                    S("aws_efs_file_system_backup_enabled", FS, bad=1),
                    S("aws_efs_file_system_backup_protected", FS, bad=0),
                ],
                drop=[_EFS_BACKUP],
            ),
            "no policy": Variant(
                fires=False,
                series=[
                    S("aws_efs_file_system_created_timestamp_seconds", FS, bad=AGED),
                    S("aws_efs_file_system_backup_enabled", FS, bad=0),
                    S("aws_efs_file_system_backup_protected", FS, bad=0),
                ],
                drop=[_EFS_BACKUP],
            ),
            "a policy, and AWS Backup is not known": Variant(
                fires=False,
                series=[
                    S("aws_efs_file_system_created_timestamp_seconds", FS, bad=AGED),
                    S("aws_efs_file_system_backup_enabled", FS, bad=1),
                ],
                drop=[_EFS_BACKUP],
            ),
            "old, with a fresh recovery point": Variant(
                fires=False,
                series=[
                    S("aws_efs_file_system_created_timestamp_seconds", FS, bad=-90 * DAY),
                    S("aws_efs_file_system_backup_enabled", FS, bad=1),
                    S("aws_efs_file_system_backup_protected", FS, bad=1),
                    S(_EFS_BACKUP, FS, bad=FRESH),
                ],
            ),
        },
    ),
    Case(
        alert="AwsElastiCacheBackupTooOld",
        severity="warning",
        component="protection",
        series=[
            *_cache_series("replication_group", GROUP, None),
            S(_GROUP_SNAPSHOT, GROUP, bad=AGED, good=FRESH, stays=False),
            _read("elasticache", "DescribeSnapshots"),
        ],
        fires_at=21,
        keeps=60,
        labels=GROUP,
        missing=True,  # no snapshot at all since it was made
        summary="Cache sessions: the newest snapshot is too old",
        description="Automatic snapshots are on, but the newest one of sessions is 2d 0h 0m 0s old, or there is none "
        "since it was made. See why: aws elasticache describe-events --region ap-southeast-3 --duration 2880. A node "
        "short of memory cannot make snapshots.",
        dashboard="/d/storage-exporter-valkey?var-cluster=production&var-account_id=123456789012"
        "&var-region=ap-southeast-3&var-replication_group_id=sessions",
        variants={
            "snapshots are off": Variant(
                fires=False, series=[S("aws_elasticache_replication_group_snapshot_retention_seconds", GROUP, bad=0)]
            ),
            "no snapshot, and the list could not be read": Variant(
                fires=False, series=[_read("elasticache", "DescribeSnapshots", -7 * 3600)], drop=[_GROUP_SNAPSHOT]
            ),
            "no snapshot, and another list was read": Variant(
                fires=False, series=[_read("ebs", "DescribeSnapshots")], drop=[_GROUP_SNAPSHOT]
            ),
            "an old snapshot, and the list could not be read": Variant(
                fires=True, drop=["storage_exporter_discovery_last_success_timestamp_seconds"]
            ),
            "a serverless cache": Variant(
                fires=True,
                whole=True,
                series=_cache_series("serverless", {**ACCOUNT, "serverless_cache": "carts"}, AGED),
                labels={**_NO_GROUP, "serverless_cache": "carts"},
            ),
            "a serverless cache without any": Variant(
                fires=True,
                whole=True,
                series=[
                    *_cache_series("serverless", {**ACCOUNT, "serverless_cache": "carts"}, None),
                    _read("elasticache", "DescribeServerlessCacheSnapshots"),
                ],
                labels={**_NO_GROUP, "serverless_cache": "carts"},
            ),
            "a cluster that stands alone": Variant(
                fires=True,
                whole=True,
                series=_cache_series("cluster", {**ACCOUNT, "cache_cluster_id": "old-1"}, AGED),
                labels={**_NO_GROUP, "cache_cluster_id": "old-1"},
            ),
            "a fresh snapshot of each": Variant(
                fires=False,
                whole=True,
                series=[
                    *_cache_series("cluster", {**ACCOUNT, "cache_cluster_id": "old-1"}, FRESH),
                    *_cache_series("serverless", {**ACCOUNT, "serverless_cache": "carts"}, FRESH),
                    _read("elasticache", "DescribeSnapshots"),
                ],
            ),
        },
    ),
    Case(
        alert="AwsS3BackupTooOld",
        severity="warning",
        component="protection",
        series=[S("aws_s3_bucket_last_backup_timestamp_seconds", _BUCKET, bad=AGED, good=FRESH)],
        fires_at=21,
        keeps=60,
        labels=_BUCKET,
        summary="Bucket uploads: the newest backup is too old",
        description="AWS Backup has made no recovery point of uploads for 2d 0h 0m 0s. See what failed: aws backup "
        "list-backup-jobs --region ap-southeast-3 --by-resource-type S3 --by-state FAILED. Versioning must be on, and "
        "the role must be allowed to read the bucket.",
        dashboard="/d/storage-exporter-s3?var-cluster=production&var-account_id=123456789012&var-region=ap-southeast-3"
        "&var-bucket=uploads",
        console="https://s3.console.aws.amazon.com/s3/buckets/uploads?region=ap-southeast-3",
    ),
    Case(
        alert="AwsBackupJobsFailing",
        severity="warning",
        component="protection",
        series=[_jobs("FAILED", 2), _jobs("FAILED", 2, pod="exporter-z"), _jobs("EXPIRED", 1)],
        fires_at=20,
        keeps=60,
        labels={**ACCOUNT, "resource_type": "EBS"},
        summary="AWS Backup of EBS: 3 jobs ended badly",
        description="In the last 24 hours jobs ended badly for EBS resources of ap-southeast-3. How: EXPIRED 1, FAILED "
        "2. Read the reasons: aws backup list-backup-jobs --region ap-southeast-3 --by-resource-type EBS. Mostly it is "
        "the role's permissions, a disabled key or a window too short.",
        dashboard=OVERVIEW,
        console="https://ap-southeast-3.console.aws.amazon.com/backup/home?region=ap-southeast-3#/jobs/backup",
        variants={
            "one job": Variant(fires=True, series=[_jobs("PARTIAL", 1)]),
            "none any more": Variant(fires=False, series=[_jobs("PARTIAL", 0)]),
        },
    ),
]

_CREATED, _FS_CREATED = "aws_ebs_volume_created_timestamp_seconds", "aws_efs_file_system_created_timestamp_seconds"
_READ = "storage_exporter_discovery_last_success_timestamp_seconds"
_FS_PROTECTED, _FS_POLICY = "aws_efs_file_system_backup_protected", "aws_efs_file_system_backup_enabled"


_WITHOUT_VOLUME = Case(
    alert="StorageClaimWithoutBackup",
    severity="warning",
    component="protection",
    series=[
        *WORLD,
        S(_CREATED, VOLUME, bad=AGED, good=FRESH),
        S(_PROTECTED, VOLUME, bad=0),
        _read("ebs", "DescribeSnapshots"),
    ],
    fires_at=21,
    keeps=60,
    labels=OWNER,
    summary="Claim databases/data-postgres-0: has no backup",
    description="vol-0a1, used by StatefulSet/postgres, has no snapshot of the last days and is in no backup plan: "
    "what is deleted is lost. Add it to a plan by its tags in AWS Backup, or now: aws ec2 create-snapshot --region "
    "ap-southeast-3 --volume-id vol-0a1. If it needs none, silence this by its claim.",
    dashboard=OVERVIEW,
    variants={
        "it is nobody's": Variant(fires=False, drop=[_UNCLAIMED]),
        "AWS Backup has made one": Variant(fires=False, series=[S(_PROTECTED, VOLUME, bad=1)]),
        "AWS Backup is not known": Variant(fires=False, drop=[_PROTECTED]),
        "a snapshot of six days": Variant(fires=False, series=[S(_SNAPSHOT, VOLUME, bad=-6.5 * DAY)]),
        "a snapshot of eight days": Variant(fires=True, series=[S(_SNAPSHOT, VOLUME, bad=-7.5 * DAY)]),
        "the snapshots are not known": Variant(fires=False, drop=[_READ]),
        "the snapshots were read long ago": Variant(fires=False, series=[_read("ebs", "DescribeSnapshots", -6 * 3600)]),
        "other snapshots were read": Variant(fires=False, series=[_read("elasticache", "DescribeSnapshots")]),
        "the snapshots were read five hours ago": Variant(
            fires=True, series=[_read("ebs", "DescribeSnapshots", -5 * 3600)]
        ),
    },
)

_WITHOUT_FILES = Case(
    alert="StorageClaimWithoutBackup",
    severity="warning",
    component="protection",
    series=[
        FS_INFO,
        FS_CLAIM,
        S(_FS_CREATED, FS, bad=AGED, good=FRESH),
        S(_FS_PROTECTED, FS, bad=0),
        S(_FS_POLICY, FS, bad=0),
    ],
    fires_at=21,
    keeps=60,
    labels=NAMED_FS,
    summary="File system shared: has no backup",
    description="fs-0a1 has no recovery point and no backup policy. Claims on it: files/uploads. Switch it on: aws efs "
    "put-backup-policy --region ap-southeast-3 --file-system-id fs-0a1 --backup-policy Status=ENABLED. If it needs "
    "none, silence this by its claim.",
    dashboard=OVERVIEW,
    variants={
        "it has a recovery point": Variant(fires=False, series=[S(_FS_PROTECTED, FS, bad=1)]),
        "it has a policy": Variant(fires=False, series=[S(_FS_POLICY, FS, bad=1)]),
        "no claim is on it": Variant(fires=False, drop=[FS_CLAIM.name]),
        "AWS Backup is not known": Variant(fires=False, drop=[_FS_PROTECTED]),
        "its policy is not known": Variant(fires=False, drop=[_FS_POLICY]),
    },
)

_EFS_OLD = next(case for case in _OLD if case.alert == "AwsEfsBackupTooOld")
_CACHE_OLD = next(case for case in _OLD if case.alert == "AwsElastiCacheBackupTooOld")
_NEVER = replace(
    _EFS_OLD,
    series=[
        FS_INFO,
        S(_FS_CREATED, FS, bad=AGED, good=FRESH),
        S(_FS_POLICY, FS, bad=1),
        S(_FS_PROTECTED, FS, bad=0),
    ],
    variants={
        "no policy": Variant(fires=False, series=[S(_FS_POLICY, FS, bad=0)]),
        "a recovery point": Variant(fires=False, series=[S(_FS_PROTECTED, FS, bad=1)]),
        "a fresh one": Variant(fires=False, series=[S(_EFS_BACKUP, FS, bad=FRESH)]),
    },
)


def _cache(level: str, label: str, operation: str, *, made: bool) -> Case:
    """The alert about a cache of a level: its newest snapshot is old, or none was made."""
    identity = {**ACCOUNT, label: "carts"}
    name = f"aws_elasticache_{level}"
    created, last = f"{name}_created_timestamp_seconds", f"{name}_last_snapshot_timestamp_seconds"
    retention = f"{name}_snapshot_retention_seconds"
    aged = S(last if made else created, identity, bad=AGED, good=FRESH)
    return replace(
        _CACHE_OLD,
        series=[
            aged,
            *([S(created, identity, bad=-10 * DAY)] if made else []),
            S(retention, identity, bad=DAY),
            _read("elasticache", operation),
        ],
        labels=identity,
        missing=made,
        summary=_CACHE_OLD.summary.replace("sessions", "carts"),
        description=_CACHE_OLD.description.replace("sessions", "carts"),
        dashboard=_CACHE_OLD.dashboard.replace("sessions", "carts" if label == "replication_group_id" else ""),
        variants={
            "no snapshots are wanted": Variant(fires=False, series=[S(retention, identity, bad=0)]),
            **(
                {}
                if made
                else {
                    "the list was read long ago": Variant(
                        fires=False, series=[_read("elasticache", operation, -7 * 3600)]
                    )
                }
            ),
        },
    )


_CACHES = [
    _cache(level, label, operation, made=made)
    for level, label, operation in (
        ("replication_group", "replication_group_id", "DescribeSnapshots"),
        ("serverless", "serverless_cache", "DescribeServerlessCacheSnapshots"),
        ("cluster", "cache_cluster_id", "DescribeSnapshots"),
    )
    for made in (True, False)
]

CASES = [with_twins(case) for case in (*keys.CASES, *_OLD, _NEVER, *_CACHES, _WITHOUT_VOLUME, _WITHOUT_FILES)]

READINGS = keys.READINGS
