"""
What silences what, by hand: alerts of one thing, where the first silences each of the others.

`variants` makes the near misses of such a pair: the second alert of another thing, or without the label that says which
thing it is, and both alerts without it, which Alertmanager takes for equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

Labels = Mapping[str, str]

_SEVERITIES = {"c": "critical", "w": "warning", "i": "info", "n": "none"}


@dataclass(frozen=True)
class Pair:
    """Two alerts that fire at once, and whether the second is silenced."""

    title: str
    source: Labels
    target: Labels
    silenced: bool


@dataclass(frozen=True)
class Case:
    """A pair that must silence: two alerts of one thing."""

    source: Labels
    target: Labels
    shared: Labels
    """What both carry and what tells the thing from another: any other value is a stranger."""
    pins: Sequence[str]
    """Those of `shared` without which nobody can tell which thing it is: missing on both must not silence."""


def said(words: str) -> dict[str, str]:
    """An alert's own labels from words such as `AwsEfsUnused i efs source=exporter`."""
    name, severity, component, *others = words.split()
    labels = {"alertname": name, "severity": _SEVERITIES[severity], "component": component}
    return labels | dict(other.split("=") for other in others)


def over(source: str, targets: str, shared: Labels, *pins: str) -> list[Case]:
    """One alert over several (a line each); without `pins` every label of `shared` is one."""
    lines = [line for line in targets.strip().splitlines() if line.strip()]
    return [Case(said(source), said(line), shared, pins or tuple(shared)) for line in lines]


ACCOUNT = {"cluster": "prod", "account_id": "111122223333", "region": "eu-central-1"}
VOLUME = {**ACCOUNT, "volume_id": "vol-0a"}
FILE_SYSTEM = {**ACCOUNT, "file_system_id": "fs-0a"}
BUCKET = {**ACCOUNT, "bucket": "logs"}
GROUP = {**ACCOUNT, "replication_group_id": "sessions"}
NODE = {**GROUP, "cache_cluster_id": "sessions-001", "cache_node_id": "0001"}
SERVERLESS = {**ACCOUNT, "serverless_cache": "carts"}
CLAIM = {"cluster": "prod", "namespace": "databases", "persistentvolumeclaim": "data-postgres-0"}
ZONE = {"cluster": "prod", "region": "eu-central-1", "availability_zone": "eu-central-1a"}
CLUSTER = {"cluster": "prod"}
ON_NODE = {"cluster": "prod", "node": "ip-10-0-1-2"}
STACK = {"cluster": "prod", "namespace": "mimir"}
DRIVER = {"cluster": "prod", "csi_driver": "efs.csi.aws.com"}

_SILENT = """
    AwsElastiCacheNodeSilent c elasticache cache_cluster_id=sessions-001
    AwsElastiCacheServerlessSilent c elasticache serverless_cache=carts
"""
_ATTACHMENTS = """
    StorageAttachmentStuck c claims
    StorageAttachmentSlow w claims
"""
_OLD = ("StorageExporterDataStale c exporter reason=late", "StorageExporterCloudWatchLate w exporter")
_NAMED = ("account_id", "region")

ONE_RESOURCE: Sequence[Case] = [
    *over("AwsEbsVolumeStalledIO c ebs", "AwsEbsVolumeLatencyHigh w ebs", VOLUME, "volume_id"),
    *over("AwsEbsVolumeThrottled c ebs", "AwsEbsVolumeSaturationForecast i ebs", VOLUME, "volume_id"),
    *over("AwsEfsClientsGone c efs", "AwsEfsClientConnectionsDropped w efs", FILE_SYSTEM, "file_system_id"),
    *over("AwsEfsIoLimitReached c efs", "AwsEfsUnused i efs", FILE_SYSTEM, "file_system_id"),
    *over("AwsS3ServerErrors c s3", "AwsS3ServerErrorsSlow w s3", BUCKET, "bucket"),
    *over("AwsS3ServerErrors c s3", "X i s3", BUCKET, "bucket"),
    *over(
        "AwsElastiCacheNoPrimary c elasticache",
        "AwsElastiCacheConnectionsNearLimit w elasticache\nAwsElastiCacheHitRatioDropped i elasticache",
        GROUP,
        "replication_group_id",
        *_NAMED,
    ),
    *over("AwsElastiCacheMemoryFull c elasticache", "AwsElastiCacheEvictions w elasticache", NODE, *_NAMED),
    *over(
        "AwsElastiCacheMemoryFull c elasticache",
        "AwsElastiCacheEvictions w elasticache\nAwsElastiCacheUpdateOverdue i elasticache",
        {**ACCOUNT, "cache_cluster_id": "alone", "cache_node_id": "0001"},
        "cache_cluster_id",
        *_NAMED,
    ),
    *over(
        "AwsElastiCacheServerlessDataNearLimit c elasticache",
        "AwsElastiCacheServerlessEcpuNearLimit w elasticache\nX i elasticache",
        SERVERLESS,
        "serverless_cache",
        *_NAMED,
    ),
    *over("StorageClaimFull c claims", "StorageClaimFillingUp w claims\nX i claims", CLAIM),
]

TWO_PAGES: Sequence[Case] = [
    *over(
        "AwsEfsBurstCreditsDepleted c efs",
        "AwsEfsBurstCreditsExhaustingFast c efs\nAwsEfsPermittedThroughputCollapsed c efs",
        FILE_SYSTEM,
        "file_system_id",
    ),
    *over(
        "AwsEfsPermittedThroughputCollapsed c efs",
        "AwsEfsBurstCreditsExhaustingFast c efs",
        FILE_SYSTEM,
        "file_system_id",
    ),
    *over("AwsEbsVolumeImpaired c ebs", "AwsEbsVolumeStalledIO c ebs", VOLUME, "volume_id"),
    *over("AwsEbsVolumeThrottled c ebs", "AwsEbsBurstBalanceExhausting c ebs", VOLUME, "volume_id"),
    *over(
        "AwsEbsNodeVolumesUnreachable c ebs instance_id=i-1",
        "AwsEbsVolumeStalledIO c ebs volume_id=vol-0a\nAwsEbsVolumeImpaired c ebs volume_id=vol-0a",
        ON_NODE,
    ),
    *over("StorageClaimFull c claims", "StorageClaimFullWithinHour c claims", CLAIM),
    *over("StorageClaimVolumeGone c claims", _ATTACHMENTS, CLAIM),
    *over("StorageCsiDriverMissingOnNode c claims csi_driver=ebs.csi.aws.com", _ATTACHMENTS, ON_NODE),
    *over(
        "StorageCsiControllerDown c claims csi_driver=ebs.csi.aws.com",
        f"{_ATTACHMENTS}\nStorageClaimGrowNotApplied w claims\nStorageClaimResizeFailed w claims",
        CLUSTER,
    ),
    *over("StorageCsiControllerDown c claims", "StorageCsiDriverDegraded w claims", DRIVER),
    *over(
        "AwsElastiCacheMemoryFull c elasticache",
        "AwsElastiCacheMemoryExhausting c elasticache",
        NODE,
        "cache_cluster_id",
        *_NAMED,
    ),
    *over(
        "AwsElastiCacheNodeUnavailable c elasticache",
        "AwsElastiCacheNodeSilent c elasticache",
        NODE,
        "cache_cluster_id",
        *_NAMED,
    ),
    *(
        case
        for wide in (
            "AwsElastiCacheNoPrimary c elasticache node_group_id=0001",
            "AwsElastiCacheShardUnavailable c elasticache",
        )
        for case in over(
            wide,
            """
            AwsElastiCacheNodeSilent c elasticache cache_cluster_id=sessions-001
            AwsElastiCacheNodeUnavailable c elasticache cache_cluster_id=sessions-001
            AwsElastiCachePrimaryLinkDown w elasticache cache_cluster_id=sessions-001
            AwsElastiCacheFailover w elasticache
            """,
            GROUP,
            "replication_group_id",
            *_NAMED,
        )
    ),
    *over(
        "AwsElastiCacheServerlessUnavailable c elasticache",
        "AwsElastiCacheServerlessSilent c elasticache",
        SERVERLESS,
        "serverless_cache",
        *_NAMED,
    ),
    *over(
        "ObservabilityS3Denied c observability",
        "ObservabilityS3RequestsFailing c observability",
        {**STACK, "job": "mimir/store-gateway"},
        "cluster",
        "namespace",
    ),
    *over("AwsS3LifecycleShorterThanRetention c s3", "AwsS3LifecycleShortened w s3", BUCKET, "bucket"),
    *over("StorageExporterCostBudgetBurnFast c exporter", "StorageExporterCostOverBudget w exporter", CLUSTER),
    *over(
        "StorageExporterPushFailing c exporter",
        """
        StorageExporterPushBacklog w exporter
        StorageExporterPushRejectedLogged c exporter reason=old
        StorageExporterPushWaitingLogged c exporter
        """,
        CLUSTER,
    ),
]

WIDE_CAUSES: Sequence[Case] = [
    *over(
        "StorageZoneLost c claims source=exporter",
        """
        AwsEbsVolumeStalledIO c ebs volume_id=vol-0a
        AwsEfsMountTargetUnavailable c efs file_system_id=fs-0a
        StorageZoneWithoutNodes w claims
        AwsElastiCacheNodeSilent c elasticache cache_cluster_id=sessions-001
        StorageClaimFull c claims source=client
        """,
        ZONE,
    ),
    *over(
        "StorageExporterDown c exporter source=exporter",
        """
        AwsEbsVolumeStalledIO c ebs source=exporter volume_id=vol-0a
        AwsEfsUnused i efs source=exporter file_system_id=fs-0a
        StorageClaimPending w claims source=exporter
        AwsKmsKeyDisabled c protection source=exporter
        StorageExporterDataStale c exporter source=exporter
        StorageExporterNoLeader c exporter source=exporter
        StorageExporterSilent w exporter source=logs
        """,
        CLUSTER,
    ),
    *over(
        "StorageExporterNoLeader c exporter",
        f"""{_SILENT}
        AwsS3StorageMetricsStale w s3
        StorageExporterDataStale c exporter aws_service=efs
        StorageExporterCloudWatchLate w exporter aws_service=efs
        StorageExporterMemberStale w exporter volume_id=vol-0a
        StorageExporterJobFailing w exporter
        """,
        CLUSTER,
    ),
    *(
        case
        for old in _OLD
        for service, targets in (
            ("elasticache", _SILENT),
            ("s3", "AwsS3StorageMetricsStale w s3 bucket=logs\nStorageExporterMemberStale w exporter bucket=logs"),
            ("efs", "StorageExporterMemberStale w exporter file_system_id=fs-0a"),
            ("ebs", "StorageExporterMemberStale w exporter volume_id=vol-0a"),
        )
        for case in over(f"{old} aws_service={service}", targets, ACCOUNT)
    ),
    *(
        case
        for reason, target in (
            ("late", "StorageExporterCloudWatchLate w exporter"),
            ("throttled", "StorageExporterApiThrottled w exporter"),
            ("denied", "StorageExporterAccessDenied w exporter operation=GetMetricData"),
        )
        for case in over(
            f"StorageExporterDataStale c exporter reason={reason}", target, {**ACCOUNT, "aws_service": "efs"}
        )
    ),
    *over(
        "StorageExporterDataStale c exporter reason=denied aws_service=efs",
        "StorageExporterAccessDeniedLogged c exporter",
        ACCOUNT,
    ),
]

TWINS: Sequence[Case] = [
    *over(
        "StorageAttachmentStuck c claims",
        "EbsCsiAttachFailing c ebs source=logs",
        {"cluster": "prod", "volume_id": "vol-0a"},
    ),
    *over(
        "ObservabilityS3Denied c observability",
        """
        ObservabilityObjectStoreDenied c observability
        ObservabilityObjectStoreFailing c observability
        """,
        STACK,
    ),
    *over("ObservabilityS3RequestsFailing c observability", "ObservabilityObjectStoreFailing c observability", STACK),
    *over("ObservabilityS3SlowDown w observability", "ObservabilityObjectStoreSlowDown w observability", STACK),
    *over("StoragePodZoneMismatch c claims", "KubeSchedulingVolumeConflict c claims", STACK),
]

CASES: Sequence[Case] = [*ONE_RESOURCE, *TWO_PAGES, *WIDE_CAUSES, *TWINS]


def variants(case: Case) -> Iterator[Pair]:
    """The pair that silences, and the near misses of it that must not."""
    words = f"{case.source['alertname']} over {case.target['alertname']}"
    pair = Pair(words, {**case.source, **case.shared}, {**case.target, **case.shared}, True)
    yield pair
    for label, value in case.shared.items():
        another = {**pair.target, label: f"{value}-b"}
        yield replace(pair, title=f"{words}, another {label}", target=another, silenced=False)
        yield replace(pair, title=f"{words}, no {label}", target=without(pair.target, label), silenced=False)
    for label in case.pins:
        one, other = without(pair.source, label), without(pair.target, label)
        yield replace(pair, title=f"{words}, nobody has {label}", source=one, target=other, silenced=False)
    foreign = {**pair.target, "project": "another"}
    yield replace(pair, title=f"{words}, of another project", target=foreign, silenced=False)
    foreign = {**pair.source, "project": "another"}
    yield replace(pair, title=f"{words}, by another project", source=foreign, silenced=False)


def without(labels: Labels, label: str) -> Labels:
    """The same labels but one."""
    return {key: value for key, value in labels.items() if key != label}
