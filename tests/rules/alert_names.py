"""
Which alerts are promised, written by hand from the agreement between their authors: name to severity and component.

An independent witness beside the rule files, for what a page is must not follow from a file that somebody edits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.tools import ROOT


@dataclass(frozen=True)
class Named:
    """An alert by what routes look at."""

    name: str
    severity: str
    component: str


_METRICS: Mapping[tuple[str, str], str] = {
    ("critical", "claims"): """
        StorageClaimFull StorageClaimFullWithinHour StorageClaimInodesFull StorageClaimTerminatingUnderDelete
        StorageClaimVolumeGone StorageAttachmentStuck StorageCsiDriverMissingOnNode StorageCsiControllerDown
        StorageZoneLost StoragePodZoneMismatch
    """,
    ("critical", "ebs"): """
        AwsEbsVolumeStalledIO AwsEbsVolumeImpaired AwsEbsNodeVolumesUnreachable AwsEbsVolumeThrottled
        AwsEbsBurstBalanceExhausting
    """,
    ("critical", "efs"): """
        AwsEfsBurstCreditsExhaustingFast AwsEfsBurstCreditsDepleted AwsEfsPermittedThroughputCollapsed
        AwsEfsIoLimitReached AwsEfsMountTargetUnavailable AwsEfsClientsGone
    """,
    ("critical", "elasticache"): """
        AwsElastiCacheMemoryExhausting AwsElastiCacheMemoryFull AwsElastiCacheEngineCpuSaturated
        AwsElastiCacheNoPrimary AwsElastiCacheClientsOnOldPrimary AwsElastiCacheNodeSilent
        AwsElastiCacheNodeUnavailable AwsElastiCacheShardUnavailable AwsElastiCacheConnectionsRejected
        AwsElastiCacheServerlessDataNearLimit AwsElastiCacheServerlessThrottled AwsElastiCacheServerlessUnavailable
        AwsElastiCacheServerlessSilent
    """,
    ("critical", "exporter"): """
        StorageExporterDown StorageExporterDataStale StorageExporterCostBudgetBurnFast
        StorageExporterCredentialsExpiring StorageExporterNoLeader StorageExporterPushFailing
    """,
    ("critical", "observability"): """
        ObservabilityS3RequestsFailing ObservabilityS3Denied ObservabilityBlocksNotShipped
        ObservabilityFlushFailingDiskFilling
    """,
    ("critical", "protection"): """
        AwsKmsKeyDisabled AwsKmsKeyPendingDeletion
    """,
    ("critical", "s3"): """
        AwsS3ServerErrors AwsS3LifecycleShorterThanRetention AwsS3BucketPublic
    """,
    ("info", "claims"): """
        StorageVolumeOrphaned
    """,
    ("info", "ebs"): """
        AwsEbsVolumeSaturationForecast AwsEbsVolumeUnattached
    """,
    ("info", "efs"): """
        AwsEfsUnused
    """,
    ("info", "elasticache"): """
        AwsElastiCacheHitRatioDropped AwsElastiCacheScalingAtMaximum AwsElastiCacheUpdateOverdue
    """,
    ("warning", "claims"): """
        StorageClaimFillingUp StorageClaimGrowNotApplied StorageClaimResizeFailed StorageClaimPending
        StorageAttachmentSlow StorageCsiDriverDegraded StorageZoneWithoutNodes
    """,
    ("warning", "ebs"): """
        AwsEbsVolumeDegraded AwsEbsVolumeThrottledSometimes AwsEbsVolumeSaturated AwsEbsInstanceThrottled
        AwsEbsBurstBalanceLow AwsEbsVolumeLatencyHigh AwsEbsVolumeModificationStuck
    """,
    ("warning", "efs"): """
        AwsEfsBurstCreditsExhaustingSlow AwsEfsBurstCreditsLow AwsEfsThroughputSaturated AwsEfsIoLimitNear
        AwsEfsClientConnectionsDropped AwsEfsReplicationLagging AwsEfsStorageGrowthAnomaly
        AwsEfsAccessPointsNearLimit
    """,
    ("warning", "elasticache"): """
        AwsElastiCacheMemoryExhaustionPredicted AwsElastiCacheMemoryHigh AwsElastiCacheEvictions
        AwsElastiCacheEngineCpuHigh AwsElastiCacheHostCpuHigh AwsElastiCacheReplicationLagHigh
        AwsElastiCachePrimaryLinkDown AwsElastiCacheFailover AwsElastiCacheSwapping
        AwsElastiCacheConnectionsNearLimit AwsElastiCacheNetworkThrottled AwsElastiCacheTrafficManagementActive
        AwsElastiCacheAuthenticationFailures AwsElastiCacheServerlessEcpuNearLimit
        AwsElastiCacheServerlessSlotNearLimit AwsElastiCacheScalingSuspended
    """,
    ("warning", "exporter"): """
        StorageExporterCloudWatchLate StorageExporterMemberStale StorageExporterJobFailing
        StorageExporterAccessDenied StorageExporterApiThrottled StorageExporterCostOverBudget
        StorageExporterRowsDeferred StorageExporterDiscoveryDropped StorageExporterSeriesDropped
        StorageExporterPassesMissed StorageExporterConfigReloadFailed StorageExporterSeveralLeaders
        StorageExporterKubernetesBlind StorageExporterVolumesWithoutOwner StorageExporterOutboxFailing
        StorageExporterEventLoopStalled StorageExporterPushBacklog StorageExporterPushDropping
        StorageExporterRulesFailing
    """,
    ("warning", "observability"): """
        ObservabilityS3SlowDown
    """,
    ("warning", "protection"): """
        AwsKmsKeyMaterialExpiring StorageClaimWithoutBackup AwsEbsVolumeBackupTooOld AwsEfsBackupTooOld
        AwsElastiCacheBackupTooOld AwsS3BackupTooOld AwsBackupJobsFailing
    """,
    ("warning", "s3"): """
        AwsS3BucketGrowthAnomaly AwsS3BucketShrankSharply AwsS3StorageMetricsStale AwsS3LifecycleShortened
        AwsS3ServerErrorsSlow AwsS3ClientErrors AwsS3FirstByteLatencyHigh AwsS3ReplicationLagging
        AwsS3ReplicationFailing AwsS3BucketVersioningOff
    """,
}

_LOGS: Mapping[tuple[str, str], str] = {
    ("critical", "claims"): """
        WorkloadNoSpaceLeft KubeSchedulingVolumeConflict
    """,
    ("critical", "ebs"): """
        EbsCsiAttachFailing EbsCsiDenied
    """,
    ("critical", "efs"): """
        EfsAccessPointLimitReached EfsMountFailing
    """,
    ("critical", "elasticache"): """
        ValkeyOutOfMemoryLogged ValkeyReadonlyClients ValkeyUnreachable ValkeyPersistenceFailing
    """,
    ("critical", "exporter"): """
        StorageExporterAccessDeniedLogged StorageExporterPushRejectedLogged StorageExporterPushWaitingLogged
    """,
    ("critical", "nodes"): """
        NodeNfsServerNotResponding NodeBlockIoErrors NodeFilesystemReadOnly
    """,
    ("critical", "observability"): """
        ObservabilityObjectStoreFailing ObservabilityObjectStoreDenied ObservabilityDataLoss ObservabilityWalFull
    """,
    ("warning", "claims"): """
        KubeVolumeEventsFailing
    """,
    ("warning", "ebs"): """
        EbsCsiProvisioningFailing EbsCsiResizeFailing
    """,
    ("warning", "efs"): """
        EfsCsiProvisioningFailing EfsTunnelUnhealthy
    """,
    ("warning", "elasticache"): """
        ValkeyCredentialsRefused ValkeyEngineTrouble
    """,
    ("warning", "exporter"): """
        StorageExporterErrorsLogged StorageExporterCrashed StorageExporterSilent
    """,
    ("warning", "observability"): """
        ObservabilityObjectStoreSlowDown ObservabilityCompactionFailing
    """,
}

WATCHDOG = Named("StorageExporterWatchdog", "none", "exporter")
"""The dead man's switch."""


def promised() -> list[Named]:
    """Every alert but the dead man's switch."""
    tables = (_METRICS, _LOGS)
    return [
        Named(name, severity, component)
        for table in tables
        for (severity, component), names in table.items()
        for name in names.split()
    ]


def written(folder: Path = ROOT / "rules") -> Iterator[Named]:
    """Every alert of the rule files."""
    for file in sorted([*folder.glob("mimir/*.yaml"), *folder.glob("loki/*.yaml")]):
        for group in yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    labels = rule["labels"]
                    yield Named(rule["alert"], labels["severity"], labels["component"])
