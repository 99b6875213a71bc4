"""Backups: too old, failing, and claims that have none."""

from __future__ import annotations

from rules.build import words
from rules.build.ebs_words import CLAIM_OF_EACH, named
from rules.build.identity import ACCOUNT, BUCKET, CACHE_CLUSTER, FILE_SYSTEM, GROUP, SERVERLESS, VOLUME, listed
from rules.build.model import Alert, Group, Record, Threshold
from rules.build.owners import FILE_SYSTEM_CLAIM, owned_file_system, owned_volume

_A, _V, _F, _B = listed(ACCOUNT), listed(VOLUME), listed(FILE_SYSTEM), listed(BUCKET)
_DAYS2 = 172800.0
_AGE = "how old the newest backup may be; for weekly plans a week and a day"

_VOLUME_BACKUP = "volume:aws_ebs_last_backup:timestamp"
_FILE_SYSTEM_BACKUP = "filesystem:aws_efs_last_backup:timestamp"
_BUCKET_BACKUP = "bucket:aws_s3_last_backup:timestamp"
_CACHE_BACKUP = "cache:aws_elasticache_last_snapshot:timestamp"
_CLAIMED = 'volume:aws_ebs_claim:info{persistentvolumeclaim!=""}'
_PROTECTED = f"(max by ({_V}) (aws_ebs_volume_backup_protected) == 1)"


def _known(aws_service: str, operation: str) -> str:
    """Where a list was read within six hours: without it nobody knows whether there is a snapshot, and nothing is said."""
    return (
        f"max by ({_A}) (storage_exporter_discovery_last_success_timestamp_seconds"
        f'{{aws_service="{aws_service}",operation="{operation}"}}) > time() - 21600'
    )


def _newest(by: str, *families: str) -> str:
    """The newest of several instants of a resource."""
    union = " or ".join(
        f'label_replace(max by ({by}) ({name}), "source", "{place}", "", "")' for place, name in enumerate(families)
    )
    return f"max by ({by}) ({union})"


def _cache(level: str, identity: tuple[str, ...], operation: str) -> str:
    """The newest snapshot of caches that are to have some; since they were made where there is none yet."""
    by = listed(identity)
    prefix = f"aws_elasticache_{level}"
    return f"""
        (
          max by ({by}) ({prefix}_last_snapshot_timestamp_seconds)
          or (max by ({by}) ({prefix}_created_timestamp_seconds) and on ({_A}) ({_known("elasticache", operation)}))
        )
        and (max by ({by}) ({prefix}_snapshot_retention_seconds) > 0)
    """


_RECORDS = (
    # AWS Backup's recovery points of volumes are snapshots too.
    Record(
        name=_VOLUME_BACKUP,
        expr=_newest(
            _V, "aws_ebs_volume_last_snapshot_timestamp_seconds", "aws_ebs_volume_last_backup_timestamp_seconds"
        ),
    ),
    Record(
        name=_FILE_SYSTEM_BACKUP,
        expr=f"""
            max by ({_F}) (aws_efs_file_system_last_backup_timestamp_seconds)
            or (
              max by ({_F}) (aws_efs_file_system_created_timestamp_seconds)
              and (max by ({_F}) (aws_efs_file_system_backup_enabled) == 1)
              and (max by ({_F}) (aws_efs_file_system_backup_protected) == 0)
            )
        """,
    ),
    Record(name=_BUCKET_BACKUP, expr=f"max by ({_B}) (aws_s3_bucket_last_backup_timestamp_seconds)"),
    Record(
        name=_CACHE_BACKUP,
        expr=" or ".join(
            _cache(level, identity, operation)
            for level, identity, operation in (
                ("replication_group", GROUP, "DescribeSnapshots"),
                ("serverless", SERVERLESS, "DescribeServerlessCacheSnapshots"),
                ("cluster", CACHE_CLUSTER, "DescribeSnapshots"),
            )
        ),
    ),
)


def _age(recording: str) -> str:
    """Seconds since the instant."""
    return f"time() - {recording}"


def _hours(expr: str) -> str:
    """To the hour: a text that changes each minute is sent again each minute."""
    return f"round({expr}, 3600)"


_OLD = (
    Alert(
        name="AwsEbsVolumeBackupTooOld",
        severity="warning",
        component="protection",
        expr=owned_volume(
            f"{_hours(f'{_age(_VOLUME_BACKUP)} > $max_age')} "
            f"and on ({_V}) ({_PROTECTED} or ({_CLAIMED} and on ({_V}) {_age(_VOLUME_BACKUP)} < $forgotten))"
        ),
        thresholds={
            "max_age": Threshold(_DAYS2, "seconds", _AGE),
            "forgotten": Threshold(
                604800, "seconds", "snapshots older than this are no backup; StorageClaimWithoutBackup says so"
            ),
        },
        keep="1h",
        summary=f"{words.VOLUME}: the newest backup is too old",
        description=f"""
            The newest snapshot or recovery point of {words.VOLUME_USER}, is {{{{ humanizeDuration $value }}}} old. See
            what failed: aws backup list-backup-jobs --region {{{{ $labels.region }}}} --by-resource-type EBS --by-state
            FAILED. Make one now: aws ec2 create-snapshot --region {{{{ $labels.region }}}} --volume-id {{{{
            $labels.volume_id }}}}.
        """,
        dashboard=words.VOLUME_DASHBOARD,
        console=words.VOLUME_CONSOLE,
    ),
    Alert(
        name="AwsEfsBackupTooOld",
        severity="warning",
        component="protection",
        expr=owned_file_system(_hours(f"{_age(_FILE_SYSTEM_BACKUP)} > $max_age")),
        thresholds={"max_age": Threshold(_DAYS2, "seconds", _AGE)},
        keep="1h",
        summary=f"{words.FILE_SYSTEM}: the newest backup is too old",
        description="""
            AWS Backup has made no recovery point of {{ $labels.file_system_id }} for {{ humanizeDuration $value }}. See
            what failed: aws backup list-backup-jobs --region {{ $labels.region }} --by-resource-type EFS --by-state
            FAILED. Start one by hand in the console: AWS Backup, Create on-demand backup.
        """,
        dashboard=words.FILE_SYSTEM_DASHBOARD,
        console=words.FILE_SYSTEM_CONSOLE,
    ),
    Alert(
        name="AwsElastiCacheBackupTooOld",
        severity="warning",
        component="protection",
        expr=_hours(f"{_age(_CACHE_BACKUP)} > $max_age"),
        thresholds={"max_age": Threshold(_DAYS2, "seconds", _AGE)},
        keep="1h",
        summary="Cache {{ $labels.replication_group_id }}{{ $labels.serverless_cache }}{{ $labels.cache_cluster_id }}: "
        "the newest snapshot is too old",
        description="""
            Automatic snapshots are on, but the newest one of {{ $labels.replication_group_id }}{{
            $labels.serverless_cache }}{{ $labels.cache_cluster_id }} is {{ humanizeDuration $value }} old, or there is
            none since it was made. See why: aws elasticache describe-events --region {{ $labels.region }} --duration
            2880. A node short of memory cannot make snapshots.
        """,
        dashboard=words.CACHE_DASHBOARD,
    ),
    Alert(
        name="AwsS3BackupTooOld",
        severity="warning",
        component="protection",
        expr=_hours(f"{_age(_BUCKET_BACKUP)} > $max_age"),
        thresholds={"max_age": Threshold(_DAYS2, "seconds", _AGE)},
        keep="1h",
        summary=f"{words.BUCKET}: the newest backup is too old",
        description="""
            AWS Backup has made no recovery point of {{ $labels.bucket }} for {{ humanizeDuration $value }}. See what
            failed: aws backup list-backup-jobs --region {{ $labels.region }} --by-resource-type S3 --by-state FAILED.
            Versioning must be on, and the role must be allowed to read the bucket.
        """,
        dashboard=words.BUCKET_DASHBOARD,
        console=words.BUCKET_CONSOLE,
    ),
    Alert(
        name="AwsBackupJobsFailing",
        severity="warning",
        component="protection",
        expr=f"""
            sum by ({_A}, resource_type) (max by ({_A}, resource_type, state) (aws_backup_failed_jobs)) >= $jobs
        """,
        thresholds={"jobs": Threshold(1, "count", "jobs of a type of resource that ended badly in 24 hours")},
        keep="1h",
        summary='AWS Backup of {{ $labels.resource_type }}: {{ printf "%.0f" $value }} jobs ended badly',
        description="In the last 24 hours jobs ended badly for {{ $labels.resource_type }} resources of {{ "
        "$labels.region }}."
        + named(
            'max by (state) (aws_backup_failed_jobs{account_id="%s",region="%s",resource_type="%s"})',
            "$labels.account_id $labels.region $labels.resource_type",
            " How: ",
            '{{ $each.Labels.state }} {{ printf "%.0f" $each.Value }}',
            "state",
        )
        + " Read the reasons: aws backup list-backup-jobs --region {{ $labels.region }} --by-resource-type "
        "{{ $labels.resource_type }}. Mostly it is the role's permissions, a disabled key or a window too short.",
        dashboard=words.OVERVIEW_DASHBOARD,
        console="https://{{ $labels.region }}.console.aws.amazon.com/backup/home?region={{ $labels.region }}#/jobs/backup",
    ),
)

_FILE_SYSTEM_CLAIMS = named(
    f'topk(5, {FILE_SYSTEM_CLAIM}{{file_system_id="%s"}})',
    "$labels.file_system_id",
    " Claims on it: ",
    CLAIM_OF_EACH,
    "persistentvolumeclaim",
)

_WITHOUT = (
    Alert(
        name="StorageClaimWithoutBackup",
        severity="warning",
        component="protection",
        # Two of one kind: a claim's own volume, and a file system that many claims share, once.
        expr=f"""
            {
            owned_volume(f'''
              {_age(f"max by ({_V}) (aws_ebs_volume_created_timestamp_seconds)")} > $older
              and on ({_V}) {_CLAIMED}
              and (max by ({_V}) (aws_ebs_volume_backup_protected) == 0)
              and on ({_A}) ({_known("ebs", "DescribeSnapshots")})
              unless {_age(_VOLUME_BACKUP)} < $snapshot_age
            ''')
        }
            or
            {
            owned_file_system(f'''
              {_age(f"max by ({_F}) (aws_efs_file_system_created_timestamp_seconds)")} > $older
              and on ({_F}) {FILE_SYSTEM_CLAIM}
              and (max by ({_F}) (aws_efs_file_system_backup_protected) == 0)
              and (max by ({_F}) (aws_efs_file_system_backup_enabled) == 0)
            ''')
        }
        """,
        thresholds={
            "older": Threshold(_DAYS2, "seconds", "age of the volume or file system from which it needs a backup"),
            "snapshot_age": Threshold(604800, "seconds", "a snapshot younger than this is a backup"),
        },
        keep="1h",
        summary=f"{{{{ if $labels.file_system_id }}}}{words.FILE_SYSTEM}{{{{ else }}}}{words.VOLUME}{{{{ end }}}}: "
        "has no backup",
        description=f"""
            {{{{ if $labels.file_system_id }}}}{{{{ $labels.file_system_id }}}} has no recovery point and no backup
            policy.{_FILE_SYSTEM_CLAIMS} Switch it on: aws efs put-backup-policy --region {{{{ $labels.region }}}}
            --file-system-id {{{{ $labels.file_system_id }}}} --backup-policy Status=ENABLED.{{{{ else }}}}{{{{
            $labels.volume_id }}}}{{{{ if $labels.workload }}}}, used by {{{{ $labels.workload }}}},{{{{ end }}}} has no
            snapshot of the last days and is in no backup plan: what is deleted is lost. Add it to a plan by its tags in
            AWS Backup, or now: aws ec2 create-snapshot --region {{{{ $labels.region }}}} --volume-id {{{{
            $labels.volume_id }}}}.{{{{ end }}}} If it needs none, silence this by its claim.
        """,
        dashboard=words.OVERVIEW_DASHBOARD,
    ),
)

BACKUPS = Group(topic="backups", rules=[*_RECORDS, *_OLD, *_WITHOUT])
