"""
What an instance's type gives it on EBS, from DescribeInstanceTypes (aws-facts 3.2). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.model import Fact
from exporter.services.base import text_of
from exporter.services.ebs_facts import (
    ATTACHMENT_LIMIT,
    BASELINE_IOPS,
    BASELINE_THROUGHPUT,
    MAXIMUM_IOPS,
    MAXIMUM_THROUGHPUT,
)
from exporter.services.ebs_lists import times
from exporter.services.items import Item


@dataclass(frozen=True, slots=True)
class Sized:
    """
    What an instance's type gives it.

    Args:
        facts: what rows select on.

        limits: by the family that shows it.

        limit_type: whether volumes share their limit with network interfaces, in AWS's word.
    """

    facts: Mapping[str, Fact]
    limits: Mapping[str, float]
    limit_type: str


def sized_by(item: Item) -> Sized:
    """What DescribeInstanceTypes says of EBS. `*ThroughputInMBps` is decimal megabytes (aws-facts 3.2)."""
    ebs = item.get("EbsInfo") or {}
    optimized = ebs.get("EbsOptimizedInfo") or {}
    metal = bool(item.get("BareMetal"))
    facts: dict[str, Fact] = {"bare_metal": metal}
    if metal or item.get("Hypervisor"):
        facts["nitro"] = metal or item.get("Hypervisor") == "nitro"
    limits = {
        BASELINE_IOPS.name: optimized.get("BaselineIops"),
        MAXIMUM_IOPS.name: optimized.get("MaximumIops"),
        BASELINE_THROUGHPUT.name: times(optimized.get("BaselineThroughputInMBps"), 1e6),
        MAXIMUM_THROUGHPUT.name: times(optimized.get("MaximumThroughputInMBps"), 1e6),
        ATTACHMENT_LIMIT.name: ebs.get("MaximumEbsAttachments"),
    }
    if optimized:
        facts["burstable"] = any(
            (limits[most.name] or 0) > (limits[always.name] or 0)
            for always, most in ((BASELINE_IOPS, MAXIMUM_IOPS), (BASELINE_THROUGHPUT, MAXIMUM_THROUGHPUT))
        )
    known = {name: float(value) for name, value in limits.items() if value is not None}
    return Sized(facts, known, text_of(ebs.get("AttachmentLimitType")))
