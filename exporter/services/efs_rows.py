"""
What CloudWatch publishes about EFS, as rows (aws-facts 1.3). A table, nothing else.

No row is read as zero when it is missing: whether AWS publishes the byte metrics of an idle file system is not
confirmed (aws-facts 8), and a zero would hide a CloudWatch that is late.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from exporter.model import Fold, MetricRow, Resource, ResourceKind, Tier
from exporter.services.base import gauge, member

FILE_SYSTEM = ResourceKind(
    "efs-file-system", "efs", "AWS/EFS", (("FileSystemId", "file_system_id"),), ("file_system_id",)
)
STORAGE_CLASS = ResourceKind(
    "efs-storage-class",
    "efs",
    "AWS/EFS",
    (("FileSystemId", "file_system_id"), ("StorageClass", "storage_class")),
    ("file_system_id", "storage_class"),
)
TOTAL = ResourceKind(  # apart from its classes, so that a sum over the classes is right
    "efs-total", "efs", "AWS/EFS", (("FileSystemId", "file_system_id"), ("StorageClass", "")), ("file_system_id",)
)
REPLICATION = ResourceKind(
    "efs-replication",
    "efs",
    "AWS/EFS",
    (("FileSystemId", "file_system_id"), ("DestinationFileSystemId", "destination_file_system_id")),
    ("file_system_id", "destination_file_system_id"),
)


def bursting(resource: Resource) -> bool:
    """Bursting throughput: elsewhere credits are not confirmed to be published."""
    return resource.facts.get("throughput_mode") == "bursting"


def general_purpose(resource: Resource) -> bool:
    """General Purpose performance: PercentIOLimit is of that mode only."""
    return resource.facts.get("performance_mode") == "generalPurpose"


def _row(
    kind: ResourceKind, source: str, statistic: str, name: str, text: str, tier: Tier, every: int, **more: Any
) -> MetricRow:
    help_text = f"{text} Source: AWS/EFS {source} ({statistic})."
    return MetricRow(kind, source, statistic, gauge(name, help_text, kind.labels), tier, every, **more)


_file_system = partial(_row, FILE_SYSTEM)
_ESSENTIAL = (Tier.ESSENTIAL, 60)
_STANDARD = (Tier.STANDARD, 900)
_ASKED = (Tier.ON_REQUEST, 900)
_rate: dict[str, Any] = {"per_second": True, "fold": Fold.MEAN}

ROWS: tuple[MetricRow, ...] = (
    _file_system(
        "BurstCreditBalance", "Minimum", "aws_efs_file_system_burst_credit_balance_bytes",
        "Credits left to spend above the baseline (bursting mode).", *_ESSENTIAL, fold=Fold.NEWEST, applies=bursting,
    ),
    _file_system(
        "PermittedThroughput", "Average", "aws_efs_file_system_permitted_throughput_bytes_per_second",
        "Throughput the file system may drive now.", *_ESSENTIAL, fold=Fold.NEWEST,
    ),
    _file_system(
        "MeteredIOBytes", "Sum", "aws_efs_file_system_metered_io_bytes_per_second",
        "Metered throughput, reads at one third: compare with what is permitted.", *_ESSENTIAL, **_rate,
    ),
    _file_system(
        "PercentIOLimit", "Average", "aws_efs_file_system_io_limit_ratio",
        "How close to the operations limit of General Purpose mode.", *_ESSENTIAL,
        fold=Fold.MEAN, scale=0.01, applies=general_purpose,
    ),
    _file_system(
        "ClientConnections", "Sum", "aws_efs_file_system_client_connections",
        "Clients connected: the minute's sum is their mean number.", *_ESSENTIAL, fold=Fold.MEAN,
    ),
    _row(
        STORAGE_CLASS, "StorageBytes", "Average", "aws_efs_file_system_size_bytes",
        "Bytes stored in a storage class.", *_STANDARD, fold=Fold.NEWEST, period=900,
    ),
    _row(
        REPLICATION, "TimeSinceLastSync", "Maximum", "aws_efs_file_system_time_since_last_sync_seconds",
        "Time since the replica was last made the same.", *_STANDARD, fold=Fold.NEWEST,
    ),
    _row(
        TOTAL, "StorageBytes", "Average", "aws_efs_file_system_total_size_bytes",
        "Bytes stored over all storage classes, as AWS sums them.", *_ASKED, fold=Fold.NEWEST, period=900,
    ),
    _file_system(
        "TotalIOBytes", "Sum", "aws_efs_file_system_total_io_bytes_per_second",
        "Bytes of all operations a second, reads not discounted.", *_ASKED, **_rate,
    ),
    _file_system(
        "TotalIOBytes", "SampleCount", "aws_efs_file_system_total_io_ops_per_second",
        "Operations of all kinds a second.", *_ASKED, **_rate,
    ),
    _file_system(
        "DataReadIOBytes", "Sum", "aws_efs_file_system_data_read_io_bytes_per_second",
        "Bytes read a second.", *_ASKED, **_rate,
    ),
    _file_system(
        "DataReadIOBytes", "SampleCount", "aws_efs_file_system_data_read_io_ops_per_second",
        "Data reads a second.", *_ASKED, **_rate,
    ),
    _file_system(
        "DataWriteIOBytes", "Sum", "aws_efs_file_system_data_write_io_bytes_per_second",
        "Bytes written a second.", *_ASKED, **_rate,
    ),
    _file_system(
        "DataWriteIOBytes", "SampleCount", "aws_efs_file_system_data_write_io_ops_per_second",
        "Data writes a second.", *_ASKED, **_rate,
    ),
    _file_system(
        "MetadataIOBytes", "Sum", "aws_efs_file_system_metadata_io_bytes_per_second",
        "Bytes of metadata operations a second.", *_ASKED, **_rate,
    ),
    _file_system(
        "MetadataIOBytes", "SampleCount", "aws_efs_file_system_metadata_io_ops_per_second",
        "Metadata operations a second.", *_ASKED, **_rate,
    ),
    _file_system(
        "MetadataReadIOBytes", "Sum", "aws_efs_file_system_metadata_read_io_bytes_per_second",
        "Bytes of metadata reads a second.", *_ASKED, **_rate,
    ),
    _file_system(
        "MetadataReadIOBytes", "SampleCount", "aws_efs_file_system_metadata_read_io_ops_per_second",
        "Metadata reads a second.", *_ASKED, **_rate,
    ),
    _file_system(
        "MetadataWriteIOBytes", "Sum", "aws_efs_file_system_metadata_write_io_bytes_per_second",
        "Bytes of metadata writes a second.", *_ASKED, **_rate,
    ),
    _file_system(
        "MetadataWriteIOBytes", "SampleCount", "aws_efs_file_system_metadata_write_io_ops_per_second",
        "Metadata writes a second.", *_ASKED, **_rate,
    ),
)  # fmt: skip

NEWEST_DATAPOINT = member(
    FILE_SYSTEM,
    "End of the newest period CloudWatch has told of this file system, unix seconds.",
    "aws_efs_file_system",
)
