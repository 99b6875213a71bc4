"""
The scenarios that must end in a page (or a ticket), as a table; and how one is played from its cause to the alert.

What is measured is simulated time: from the instant at which something breaks in AWS or Kubernetes until the alert
fires. Alertmanager's group_wait is added where a page is meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.rules.scene import MINUTE, Delivery, Scene, scene

GROUP_WAIT = 0.5
"""Minutes that Alertmanager waits before it tells of a new group: `group_wait` as shipped."""

ALL_SERVICES = ("ebs", "efs", "s3", "elasticache", "protection")


@dataclass(frozen=True, kw_only=True)
class Story:
    """
    A scenario and what must come of it.

    Args:
        scenario: of the demo.

        alert: the name of the alert that tells of it.

        within: simulated minutes from cause to alert, at most.

        about: what the notification must name: claims as ``namespace/name``, buckets, caches.

        receiver: of Alertmanager, who must get it.

        files: rule files that are loaded, by name; none for all.

        services: that the exporter reads.

        also: other critical alerts that may fire, for they are consequences.

        labels: that the alert must have.

        impact: minutes from the cause until users feel it; 0 where they do at once.

        ago: minutes before which the scenario began; what is measured begins now.

        watched: minutes that are watched after the alert.

        catalogue: what incidents.md says of it, for the scorecard.

        hurry: of pauses once it has begun, for calls are repeated until their deadline.

        limits: of the exporter's configuration.
    """

    scenario: str
    alert: str
    within: int
    about: tuple[str, ...]
    receiver: str = "storage-page"
    files: tuple[str, ...] = ()
    services: tuple[str, ...] = ALL_SERVICES
    also: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    impact: float = 0.0
    ago: float = 0.0
    watched: int = 5
    catalogue: str = ""
    hurry: float = 0.0
    limits: Mapping[str, str] = field(default_factory=dict)

    @property
    def sections(self) -> dict[str, Any]:
        """Of the exporter's configuration."""
        enabled = {name: {"enabled": name in self.services} for name in ALL_SERVICES}
        return {"services": enabled, "limits": dict(self.limits)}


@dataclass(frozen=True)
class Told:
    """
    What came of a story.

    Args:
        minutes: from the cause until the alert fired.

        firing: all alerts that fire then, as they are posted to Alertmanager.

        pages: names of all critical alerts that have fired since the cause.

        before: names of the critical alerts that fired before it.

        later: all that fire when no more is watched, as `firing`.
    """

    story: Story
    delivery: Delivery
    minutes: float
    firing: Sequence[Mapping[str, Any]]
    pages: frozenset[str]
    before: frozenset[str]
    later: Sequence[Mapping[str, Any]]

    @property
    def page(self) -> float:
        """Minutes from the cause until the notification."""
        return self.minutes + GROUP_WAIT


async def play(
    story: Story,
    delivery: Delivery,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    more: Mapping[str, Any] | None = None,
    blank: frozenset[str] = frozenset(),
    rules: Sequence[str | Path] = (),
    within: float = 0,
) -> Told:
    """
    From a world in which everything is well to the alert, and a little further.

    Args:
        story: which.

        delivery: how series come to Prometheus.

        folder: for files.

        monkeypatch: sets AWS's variables.

        more: sections of the exporter's configuration beside the story's.

        blank: labels of the target that are taken away from AWS's series.

        rules: files instead of the story's.

        within: minutes instead of the story's.

    Raises:
        AssertionError: the alert did not fire in time.
    """
    sections = {**story.sections, **(more or {})}
    given: dict[str, Any] = {"blank": blank, "more": sections}
    async with scene(folder, monkeypatch, delivery, rules or story.files, **given) as it:
        assert not it.fired("critical"), f"a page before anything is wrong: {sorted(it.fired('critical'))}"
        it.begin(story.scenario, ago=story.ago * MINUTE)
        if story.hurry:
            it.ground.clock.hasten(story.hurry)
        minutes = await it.until(story.alert, within or story.within, story.labels)
        before = frozenset(
            each.alert.name
            for each in it.changes
            if each.state == "firing" and each.at < it.now and each.alert.label("severity") == "critical"
        )
        firing = it.posted()
        await it.minutes(story.watched)
        pages = frozenset(_since(it, "critical"))
        return Told(story, delivery, minutes, firing, pages, before, it.posted("critical", "warning"))


def _since(it: Scene, severity: str) -> set[str]:
    return {
        each.alert.name
        for each in it.changes
        if each.state == "firing" and each.at > it.began and each.alert.label("severity") == severity
    }


SWOLLEN = "officeless-loki-chunks-production"
ONLY_S3 = {"services": {name: {"enabled": name == "s3"} for name in ALL_SERVICES}}


async def swell(it: Scene) -> int:
    """Play `s3-growth` in a scene of S3 alone, which goes by days: hours from its beginning until the ticket."""
    await it.hours(28, at_once=4)  # what was a day ago must be known
    it.begin("s3-growth")
    for hour in range(4, 72, 4):
        await it.hours(4, at_once=4)
        if any(found["bucket"] == SWOLLEN for found in it.firing().get("AwsS3BucketGrowthAnomaly", ())):
            return hour
    raise AssertionError(f"no ticket within three days; what fires: {sorted(it.firing())}")


_CLAIM = "databases/data-postgres-0"

STORIES = {
    story.scenario: story
    for story in (
        Story(
            scenario="volume-stalled",
            alert="AwsEbsVolumeStalledIO",
            within=8,
            about=(_CLAIM,),
            files=("ebs", "exporter"),
            services=("ebs",),
            catalogue="sudden fault: 12/15 as first written, good <= 8/10, best <= 4/6",
        ),
        Story(
            scenario="ebs-saturated",
            alert="AwsEbsVolumeThrottled",
            within=25,
            about=(_CLAIM,),
            files=("ebs", "exporter"),
            services=("ebs",),
            catalogue="29 as first written; 6-7 with the CSI driver's NVMe counters",
        ),
        Story(
            scenario="attach-stuck",
            alert="StorageAttachmentStuck",
            within=13,
            about=("databases/data-mongodb-0",),
            files=("ebs", "claims", "exporter"),
            services=("ebs", "efs"),
            catalogue="15+ as first written; page at 10",
        ),
        Story(
            scenario="zone-loss",
            alert="StorageZoneLost",
            within=8,
            about=("ap-southeast-3a",),
            catalogue="100 pages or 1; good <= 3, best 1",
        ),
        Story(
            scenario="efs-credits",
            alert="AwsEfsBurstCreditsExhaustingFast",
            within=60,
            about=("eks_production",),
            files=("efs", "exporter"),
            services=("efs",),
            impact=240,
            catalogue="lead +4 h",
        ),
        Story(
            scenario="valkey-memory",
            alert="AwsElastiCacheMemoryExhausting",
            within=18,
            about=("sessions",),
            files=("elasticache", "exporter"),
            services=("elasticache",),
            impact=30,
            catalogue="page at 39, lead -9 as first written; 13, lead +17 proposed",
        ),
        Story(
            scenario="valkey-failover",
            alert="AwsElastiCacheFailover",
            within=4,
            about=("sessions",),
            receiver="storage-ticket",
            files=("elasticache", "exporter"),
            services=("elasticache",),
            catalogue="9/11 as first written, as info; 3-4 proposed, a page where READONLY lasts more than two minutes",
        ),
        Story(
            scenario="silent-node",
            alert="AwsElastiCacheNodeSilent",
            within=10,
            about=("sessions-002",),
            files=("elasticache", "exporter"),
            services=("elasticache",),
            catalogue="25+ as first written; good <= 8/10",
        ),
        Story(
            scenario="kms-disabled",
            alert="AwsKmsKeyDisabled",
            within=12,
            about=("build/jenkins-home",),
            files=("protection", "efs", "exporter"),
            services=("efs", "protection"),
            impact=60,
            catalogue="never as first written; 5 proposed, lead hours to days",
        ),
        Story(
            scenario="throttled",
            alert="StorageExporterDataStale",
            within=25,
            about=("throttled",),
            receiver="observability-page",
            files=("ebs", "efs", "exporter"),
            services=("ebs", "efs"),
            labels={"reason": "throttled"},
            hurry=30.0,
            limits={"deadline": "6s"},
        ),
        Story(
            scenario="denied",
            alert="StorageExporterDataStale",
            within=25,
            about=("denied",),
            receiver="observability-page",
            files=("ebs", "efs", "exporter"),
            services=("ebs", "efs"),
            labels={"reason": "denied"},
        ),
        Story(
            scenario="cloudwatch-late",
            alert="StorageExporterCloudWatchLate",
            within=45,
            about=("CloudWatch",),
            receiver="observability-ticket",
            files=("ebs", "efs", "exporter"),
            services=("ebs", "efs"),
            catalogue="late CloudWatch = 1 page",
        ),
    )
}
"""By scenario."""
