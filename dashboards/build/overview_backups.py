"""Overview: recovery points of all services, what has none, the jobs that make them and the keys they need."""

from __future__ import annotations

from dashboards.build.links import KEY_CONSOLE, ROW, runbook
from dashboards.build.panels import Column, Key, Row, State, Table
from dashboards.build.queries import where
from dashboards.build.thresholds import high, number
from dashboards.build.volumes import by_id, named

_EBS = number("AwsEbsVolumeBackupTooOld", "max_age", of="seconds")
_EFS = number("AwsEfsBackupTooOld", "max_age", of="seconds")
_S3 = number("AwsS3BackupTooOld", "max_age", of="seconds")
_CACHE = number("AwsElastiCacheBackupTooOld", "max_age", of="seconds")
_FILE_SYSTEM = "cluster, account_id, region, file_system_id"

_STAMPS = (
    ("volume:aws_ebs_last_backup:timestamp", "cluster, account_id, region, volume_id", _EBS),
    ("filesystem:aws_efs_last_backup:timestamp", _FILE_SYSTEM, _EFS),
    ("bucket:aws_s3_last_backup:timestamp", "cluster, account_id, region, bucket", _S3),
    (
        "cache:aws_elasticache_last_snapshot:timestamp",
        "cluster, account_id, region, replication_group_id, serverless_cache, cache_cluster_id",
        _CACHE,
    ),
)
"""Recording, identity and the alert's age."""


def rows() -> tuple[Row, ...]:
    """The rows in reading order."""
    return (Row(title="Backups and recovery points", panels=(_points(), _never(), _jobs(), _keys())),)


def too_old() -> str:
    """How many things have a backup that is too old; 0 where there are backups and none is."""
    late = [f"group by ({by}) (time() - {where(name)} > {age:g})" for name, by, age in _STAMPS]
    known = " or ".join(f"group by ({by}) ({where(name)})" for name, by, _ in _STAMPS)
    return f"count({' or '.join(late)}) or 0 * count({known})"


def without() -> str:
    """How many claims are on volumes that have never been backed up; 0 where there are claims and all have been."""
    claimed = where("volume:aws_ebs_claim:info", also='persistentvolumeclaim!=""')
    never = f"{claimed} unless on (cluster, account_id, region, volume_id) {_backed_up()}"
    return f"count({never}) or 0 * count({claimed})"


def _backed_up() -> str:
    return by_id(where("volume:aws_ebs_last_backup:timestamp"))


def _thing(expr: str, kind: str, page: str, names: tuple[str, ...], ask: str, label: str) -> str:
    """A value a thing with the labels name, kind, page and ask."""
    made = f'label_replace(label_replace({expr}, "kind", "{kind}", "", ""), "page", "{page}", "", "")'
    for name in names:
        made = f'label_replace({made}, "name", "$1", "{name}", "(.+)")'
    return f'label_replace({made}, "ask", "{ask}", "{label}", "(.+)")'


def _each(volumes: str, systems: str, buckets: str, caches: str) -> str:
    """One vector of all things, the highest where a name stands twice."""
    owners = f"group by ({_FILE_SYSTEM}, file_system_name) ({where('filesystem:aws_efs_owner:info')})"
    caches_names = ("cache_cluster_id", "serverless_cache", "replication_group_id")
    named_systems = f"({systems}) * on ({_FILE_SYSTEM}) group_left (file_system_name) {owners}"
    names = ("file_system_id", "file_system_name")
    parts = [
        _thing(named(volumes), "EBS volume", "ebs-volume", (), "var-volume_id=$1", "volume_id"),
        _thing(named_systems, "EFS file system", "efs", names, "var-file_system_id=$1", "file_system_id"),
    ]
    if buckets:
        parts.append(_thing(buckets, "S3 bucket", "s3", ("bucket",), "var-bucket=$1", "bucket"))
    if caches:
        # A serverless cache is another variable of its dashboard than a group.
        made = _thing(caches, "cache", "valkey", caches_names, "var-replication_group_id=$1", "replication_group_id")
        parts.append(f'label_replace({made}, "ask", "var-serverless_cache=$1", "serverless_cache", "(.+)")')
    return f"max by (kind, name, page, ask) ({' or '.join(parts)})"


_NAMED = (
    Key(label="name", name="What", links=(ROW,)),
    Key(label="kind", name="Kind", width=130),
    Key(label="page"),
    Key(label="ask"),
)


def _points() -> Table:
    ages = [f"time() - {where(name)}" for name, _, _ in _STAMPS]
    return Table(
        title="Newest recovery point of each thing",
        says=(
            "Age of the newest backup of everything that is backed up, the oldest first. Good is less than two days; "
            "a thing that is never backed up stands in the next table."
        ),
        keys=_NAMED,
        columns=(
            Column(
                name="Age",
                expr=_each(by_id(ages[0]), ages[1], ages[2], ages[3]),
                unit="s",
                decimals=1,
                limit=high(warning=min(_EBS, _EFS, _S3, _CACHE)),
                width=120,
            ),
        ),
        sort="-Age",
        empty="no backup is known",
        width=12,
        height=10,
    )


def _never() -> Table:
    claimed = where("volume:aws_ebs_claim:info", also='persistentvolumeclaim!=""')
    on_id = "on (cluster, account_id, region, volume_id)"
    volumes = (
        f"({by_id(where('aws_ebs_volume_created_timestamp_seconds'))} and {on_id} {claimed}) unless {_backed_up()}"
    )
    created = f"max by ({_FILE_SYSTEM}) ({where('aws_efs_file_system_created_timestamp_seconds')})"
    off = f"max by ({_FILE_SYSTEM}) ({where('aws_efs_file_system_backup_enabled')}) == 0"
    unknown = f"{where('filesystem:aws_efs_last_backup:timestamp')}"
    return Table(
        title="Never backed up",
        says=(
            "Claims on volumes, and file systems, that no recovery point is known of, with their age. Good is only what "
            "can be lost."
        ),
        keys=_NAMED,
        columns=(
            Column(
                name="Exists for",
                expr=f"time() - {_each(volumes, f'{created} and ({off}) unless {unknown}', '', '')}",
                unit="s",
                decimals=0,
                width=120,
            ),
        ),
        sort="-Exists for",
        empty="everything has a recovery point",
        width=12,
        height=10,
    )


def _jobs() -> Table:
    return Table(
        title="Backup jobs that failed today",
        says="Jobs of AWS Backup that ended badly in the last day, by kind. Good is none.",
        keys=(
            Key(label="resource_type", name="Kind", links=(runbook("AwsBackupJobsFailing"),)),
            Key(label="state", name="Ended", width=110),
        ),
        columns=(
            Column(
                name="Jobs",
                expr=f"max by (resource_type, state) ({where('aws_backup_failed_jobs')}) > 0",
                decimals=0,
                limit=high(warning=number("AwsBackupJobsFailing", "jobs", of="count")),
            ),
        ),
        sort="-Jobs",
        empty="no job failed",
        width=8,
        height=7,
    )


def _keys() -> Table:
    keys = ("account_id", "cluster", "key_id", "region")
    used = f"max by ({', '.join(keys)}) ({where('key:aws_kms_resources:sum')}) > 0"

    def column(name: str, family: str, unit: str, width: int, times: int = 1, states: tuple[State, ...] = ()) -> Column:
        value = f"max by ({', '.join(keys)}) ({where(family)})"
        return Column(name=name, expr=f"{times} * {value} and ({used})", unit=unit, states=states, width=width)

    return Table(
        title="Keys that storage is encrypted with",
        says=(
            "A key that is disabled or deleted takes everything with it. Good is enabled, and no date in the other "
            "columns."
        ),
        keys=(
            Key(label="key_id", name="Key", links=(KEY_CONSOLE,), width=310),
            Key(label="cluster"),
            Key(label="account_id", name="Account", width=115),
            Key(label="region"),
        ),
        columns=(
            column(
                "State",
                "aws_kms_key_enabled",
                "none",
                95,
                states=(State(1, "enabled", "green"), State(0, "cannot be used", "red")),
            ),
            column("Resources", "key:aws_kms_resources:sum", "none", 80),
            column("Deleted at", "aws_kms_key_deletion_timestamp_seconds", "dateTimeAsIso", 155, 1000),
            column("Material expires", "aws_kms_key_material_expiry_timestamp_seconds", "dateTimeAsIso", 155, 1000),
        ),
        sort="State",
        empty="no key is known",
        width=16,
        height=7,
    )
