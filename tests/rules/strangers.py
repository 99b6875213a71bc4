"""Pairs of alerts where the first must not silence the second although they are near, by hand."""

from __future__ import annotations

from collections.abc import Sequence

from tests.rules.silencing import (
    ACCOUNT,
    BUCKET,
    CLAIM,
    CLUSTER,
    FILE_SYSTEM,
    GROUP,
    NODE,
    ON_NODE,
    SERVERLESS,
    STACK,
    VOLUME,
    ZONE,
    Labels,
    Pair,
    said,
)

_SEVERAL = {"cluster": "prod", "namespace": "several", "persistentvolumeclaim": "several"}
_DOWN = "StorageExporterDown c exporter source=exporter"
_STALE = "StorageExporterDataStale c exporter"
_LOST = "StorageZoneLost c claims source=exporter"
_KEY = {**ACCOUNT, "key_id": "1234"}
_ZONE_A = {"availability_zone": "eu-central-1a"}

_NEAR: Sequence[tuple[str, str, Labels, str, Labels]] = (
    # One resource and a part of it, or another component of it.
    (
        "a mount target's page, its file system's ticket",
        *("AwsEfsMountTargetUnavailable c efs", {**FILE_SYSTEM, **_ZONE_A}),
        *("AwsEfsBurstCreditsLow w efs", FILE_SYSTEM),
    ),
    (
        "a mount target's page, another's ticket",
        *("AwsEfsMountTargetUnavailable c efs", {**FILE_SYSTEM, **_ZONE_A}),
        *("X w efs", {**FILE_SYSTEM, "availability_zone": "eu-central-1b"}),
    ),
    (
        "one node's trouble with a file system, another node's",
        *("EfsMountFailing c efs node=ip-1", FILE_SYSTEM),
        *("EfsTunnelUnhealthy w efs node=ip-2", FILE_SYSTEM),
    ),
    (
        "one claim of a file system, another claim of it",
        *("X c efs namespace=shop persistentvolumeclaim=a", FILE_SYSTEM),
        *("Y w efs namespace=shop persistentvolumeclaim=b", FILE_SYSTEM),
    ),
    (
        "one namespace's claim of a file system, another's of the same name",
        *("X c efs namespace=shop persistentvolumeclaim=a", FILE_SYSTEM),
        *("Y w efs namespace=bank persistentvolumeclaim=a", FILE_SYSTEM),
    ),
    (
        "a cache node's page, its group's ticket",
        *("AwsElastiCacheNodeSilent c elasticache", NODE),
        *("AwsElastiCacheFailover w elasticache", GROUP),
    ),
    (
        "a group's page, its node's ticket",
        *("AwsElastiCacheNoPrimary c elasticache", GROUP),
        *("AwsElastiCacheSwapping w elasticache", NODE),
    ),
    (
        "a shard's page, another shard's ticket",
        *("AwsElastiCacheNoPrimary c elasticache node_group_id=0001", GROUP),
        *("X w elasticache node_group_id=0002", GROUP),
    ),
    (
        "a shard's page, a ticket of another of the same single node",
        *("X c elasticache node_group_id=0001 cache_cluster_id=a", ACCOUNT),
        *("Y w elasticache node_group_id=0002 cache_cluster_id=a", ACCOUNT),
    ),
    (
        "a volume's page, its backup",
        "AwsEbsVolumeStalledIO c ebs",
        VOLUME,
        "AwsEbsVolumeBackupTooOld w protection",
        VOLUME,
    ),
    (
        "a file system's page, its backup",
        "AwsEfsIoLimitReached c efs",
        FILE_SYSTEM,
        "AwsEfsBackupTooOld w protection",
        FILE_SYSTEM,
    ),
    ("a bucket's page, its backup", "AwsS3ServerErrors c s3", BUCKET, "AwsS3BackupTooOld w protection", BUCKET),
    (
        "a group's page, its backup",
        "AwsElastiCacheNoPrimary c elasticache",
        GROUP,
        "AwsElastiCacheBackupTooOld w protection",
        GROUP,
    ),
    (
        "a node's page, its backup",
        "AwsElastiCacheMemoryFull c elasticache",
        NODE,
        "AwsElastiCacheBackupTooOld w protection",
        NODE,
    ),
    (
        "a serverless cache's page, its backup",
        *("AwsElastiCacheServerlessThrottled c elasticache", SERVERLESS),
        *("AwsElastiCacheBackupTooOld w protection", SERVERLESS),
    ),
    ("a claim's page, its backup", "StorageClaimFull c claims", CLAIM, "StorageClaimWithoutBackup w protection", CLAIM),
    ("a claim's page of its volume, its ticket as a claim", "X c ebs", CLAIM, "StorageClaimFillingUp w claims", CLAIM),
    ("two pages of one volume", "AwsEbsVolumeStalledIO c ebs", VOLUME, "AwsEbsVolumeThrottled c ebs", VOLUME),
    ("a ticket and a page", "AwsEbsVolumeLatencyHigh w ebs", VOLUME, "AwsEbsVolumeStalledIO c ebs", VOLUME),
    ("a ticket and a note", "AwsEbsVolumeLatencyHigh w ebs", VOLUME, "AwsEbsVolumeUnattached i ebs", VOLUME),
    *(
        (f"a ticket and another, {shared}", f"X w {component}", shared, f"Y w {component}", shared)
        for component, shared in (
            *(("efs", FILE_SYSTEM), ("s3", BUCKET), ("elasticache", GROUP), ("elasticache", NODE)),
            *(("elasticache", SERVERLESS), ("claims", CLAIM)),
        )
    ),
    # What says nothing about the rest.
    ("a public bucket, its errors", "AwsS3BucketPublic c s3", BUCKET, "AwsS3ServerErrorsSlow w s3", BUCKET),
    (
        "a short lifecycle, its errors",
        "AwsS3LifecycleShorterThanRetention c s3",
        BUCKET,
        "AwsS3ClientErrors w s3",
        BUCKET,
    ),
    (
        "a disabled key, its ticket",
        "AwsKmsKeyDisabled c protection",
        _KEY,
        "AwsKmsKeyMaterialExpiring w protection",
        _KEY,
    ),
    ("two with several claims", "StorageClaimFull c claims", _SEVERAL, "StorageClaimFillingUp w claims", _SEVERAL),
    (
        "two pages with several claims",
        "StorageClaimFull c claims",
        _SEVERAL,
        "StorageClaimFullWithinHour c claims",
        _SEVERAL,
    ),
    (
        "two attachments with several claims",
        "StorageClaimVolumeGone c claims",
        _SEVERAL,
        "StorageAttachmentStuck c claims",
        _SEVERAL,
    ),
    (
        "the exporter's page and ticket",
        "StorageExporterCredentialsExpiring c exporter",
        ACCOUNT,
        "StorageExporterJobFailing w exporter",
        ACCOUNT,
    ),
    (
        "the stack's page and ticket",
        "ObservabilityBlocksNotShipped c observability",
        STACK,
        "ObservabilityS3SlowDown w observability",
        STACK,
    ),
    (
        "EFS's driver is missing",
        "StorageCsiDriverMissingOnNode c claims csi_driver=efs.csi.aws.com",
        ON_NODE,
        "StorageAttachmentStuck c claims",
        ON_NODE,
    ),
    (
        "EFS's controller is down",
        "StorageCsiControllerDown c claims csi_driver=efs.csi.aws.com",
        CLUSTER,
        "StorageAttachmentStuck c claims",
        CLUSTER,
    ),
    (
        "the driver is degraded",
        "StorageCsiDriverDegraded w claims csi_driver=ebs.csi.aws.com",
        CLUSTER,
        "StorageAttachmentStuck c claims",
        CLUSTER,
    ),
    (
        "nothing arrives, data is dropped",
        "StorageExporterPushFailing c exporter",
        CLUSTER,
        "StorageExporterPushDropping w exporter",
        CLUSTER,
    ),
    # No exporter, and who sees on his own.
    ("no exporter, a client's metric", _DOWN, CLUSTER, "ObservabilityS3Denied c observability source=client", STACK),
    ("no exporter, the kubelet's metric", _DOWN, CLUSTER, "StorageClaimFull c claims source=client", CLAIM),
    ("no exporter, logs", _DOWN, CLUSTER, "NodeBlockIoErrors c nodes source=logs", ON_NODE),
    ("no exporter, its own logs", _DOWN, CLUSTER, "StorageExporterCrashed w exporter source=logs", CLUSTER),
    ("no exporter, who does not say what he reads", _DOWN, CLUSTER, "X c ebs", VOLUME),
    (
        "no exporter, the dead man's switch",
        _DOWN,
        CLUSTER,
        "StorageExporterWatchdog n exporter source=exporter",
        CLUSTER,
    ),
    ("no exporter, a lost zone", _DOWN, CLUSTER, _LOST, ZONE),
    ("no exporter, no exporter", f"{_DOWN} job=a", CLUSTER, f"{_DOWN} job=b", CLUSTER),
    # A zone.
    ("a lost zone, itself", _LOST, ZONE, f"{_LOST} account_id=1", ZONE),
    ("a lost zone, the whole region's", _LOST, ZONE, "AwsEfsBurstCreditsDepleted c efs", FILE_SYSTEM),
    (
        "a zone without nodes",
        "StorageZoneWithoutNodes w claims",
        ZONE,
        "AwsEbsVolumeStalledIO c ebs volume_id=vol-0a",
        ZONE,
    ),
    # Old data.
    *(
        (f"{old.split()[0]}: {what}", old, ACCOUNT, other, ACCOUNT)
        for old in (f"{_STALE} reason=empty", "StorageExporterCloudWatchLate w exporter")
        for what, other in (
            ("no service, a node", "AwsElastiCacheNodeSilent c elasticache cache_cluster_id=a"),
            ("no service, a bucket", "AwsS3StorageMetricsStale w s3 bucket=logs"),
            ("no service, a member", "StorageExporterMemberStale w exporter volume_id=vol-0a"),
        )
    ),
    *(
        (f"old data of {service}, {other}", f"{_STALE} reason=empty aws_service={service}", ACCOUNT, other, ACCOUNT)
        for service, other in (
            ("efs", "AwsElastiCacheNodeSilent c elasticache cache_cluster_id=a"),
            ("ebs", "AwsS3StorageMetricsStale w s3 bucket=logs"),
            ("ebs", "StorageExporterMemberStale w exporter file_system_id=fs-0a"),
            ("efs", "StorageExporterMemberStale w exporter bucket=logs"),
            ("s3", "StorageExporterMemberStale w exporter volume_id=vol-0a"),
            ("elasticache", "AwsElastiCacheNodeUnavailable c elasticache cache_cluster_id=a"),
            ("elasticache", "StorageExporterJobFailing w exporter aws_service=elasticache"),
        )
    ),
    *(
        (
            f"old data by {reason}, {other}",
            f"{_STALE} aws_service=efs reason={reason}",
            ACCOUNT,
            f"{other} aws_service=efs",
            ACCOUNT,
        )
        for reason, other in (
            ("denied", "StorageExporterApiThrottled w exporter"),
            ("throttled", "StorageExporterAccessDenied w exporter"),
            ("throttled", "StorageExporterCloudWatchLate w exporter"),
            ("late", "StorageExporterAccessDeniedLogged c exporter"),
        )
    ),
    *(
        (
            f"old data of {service}, a page of what is known",
            f"{_STALE} reason=empty aws_service={service}",
            ACCOUNT,
            *page,
        )
        for service, page in (
            ("efs", ("AwsEfsBurstCreditsDepleted c efs", FILE_SYSTEM)),
            ("ebs", ("AwsEbsVolumeStalledIO c ebs", VOLUME)),
            ("s3", ("AwsS3ServerErrors c s3", BUCKET)),
        )
    ),
    *(
        (f"another ticket about {service}, {other}", f"X w exporter aws_service={service}", ACCOUNT, other, ACCOUNT)
        for service, other in (
            ("elasticache", "AwsElastiCacheNodeSilent c elasticache cache_cluster_id=a"),
            ("s3", "AwsS3StorageMetricsStale w s3 bucket=logs"),
            ("s3", "StorageExporterMemberStale w exporter bucket=logs"),
            ("efs", "StorageExporterMemberStale w exporter file_system_id=fs-0a"),
            ("ebs", "StorageExporterMemberStale w exporter volume_id=vol-0a"),
        )
    ),
    *(
        (
            f"another ticket for {reason}, {other}",
            f"X w exporter aws_service=efs reason={reason}",
            ACCOUNT,
            f"{other} aws_service=efs",
            ACCOUNT,
        )
        for reason, other in (
            ("late", "StorageExporterCloudWatchLate w exporter"),
            ("throttled", "StorageExporterApiThrottled w exporter"),
            ("denied", "StorageExporterAccessDenied w exporter"),
        )
    ),
    (
        "late, and so late that it is a page",
        *("StorageExporterCloudWatchLate w exporter aws_service=efs reason=late", ACCOUNT),
        *(f"{_STALE} aws_service=efs reason=late", ACCOUNT),
    ),
    (
        "a ticket about a denial for that reason, in the log",
        *("StorageExporterAccessDenied w exporter aws_service=efs reason=denied", ACCOUNT),
        *("StorageExporterAccessDeniedLogged c exporter", ACCOUNT),
    ),
)

STRANGERS: Sequence[Pair] = [
    Pair(title, {**said(source), **of_source}, {**said(target), **of_target}, False)
    for title, source, of_source, target, of_target in _NEAR
]
