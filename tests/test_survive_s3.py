"""What may befall S3, at the wire: each failure costs its own facts, buckets come and go, a hundred are no burst."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from exporter.config import Config
from exporter.demo import World, WorldClock
from exporter.demo.buckets import MetricsConfiguration
from exporter.services.reader import MOST_SPREAD
from exporter.services.s3_rows import ROWS
from tests.harness import Line, Series, T, config_of, limits_for, line

HOUR = 3600
QUARTER = 900
"""Seconds after which the stack's own buckets are read again; what was listed then is just not too old."""
LOKI = "officeless-loki-chunks-production"
UPLOADS = "officeless-uploads-production"

OWN: dict[str, tuple[str, ...]] = {
    "GetBucketVersioning": ("versioning_enabled",),
    "GetBucketEncryption": ("encryption_enabled",),
    "GetBucketLifecycleConfiguration": ("lifecycle_",),
    "GetPublicAccessBlock": ("public_access_block",),
    "GetBucketPolicyStatus": ("public{",),
    "GetBucketPolicy": ("transit_encryption_required",),
    "GetBucketLogging": ("logging_enabled",),
    "GetBucketReplication": ("replication_",),
    "ListBucketMetricsConfigurations": ("metrics_configuration",),
    "GetBucketTagging": (),
}
"""Operation → how the series begin that it alone tells, after ``aws_s3_bucket_``."""

MEASURED = {row.family.name for row in ROWS}

CALL_FAULTS = ["throttle-503", "error-500", "denied", "cut", "truncated", "malformed", "empty-body", "hang"]


def brisk(kind: str = "", **sections: Any) -> Config:
    """As fast as can be, where *kind* befalls calls; CloudWatch is not asked."""
    limits = {**limits_for(kind), "describe_per_second": 1000}
    return config_of(limits=limits, services={"s3": {"tiers": [], **sections.pop("s3", {})}}, **sections)


def facts(over: Line) -> Series:
    """What S3's own operations told, by family and labels; info families without what they say."""
    found: Series = {}
    for (name, labels), value in over.series().items():
        if name == "aws_s3_bucket_info":
            found[name, frozenset(pair for pair in labels if pair[0] == "bucket")] = value
        elif name.startswith("aws_s3_bucket_") and "_datapoint_" not in name and name not in MEASURED:
            found[name, labels] = value
    return found


def told_by(operation: str, series: Series) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    """The keys of *series* that only *operation* tells."""
    begins = tuple(f"aws_s3_bucket_{word}" for word in OWN[operation])
    return {key for key in series if begins and f"{key[0]}{{".startswith(begins)}


def calls(over: Line, operation: str) -> int:
    return sum(call.operation == operation for call in over.server.calls)


@pytest.mark.parametrize("operation", OWN)
async def test_a_denied_operation_costs_its_own_facts(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the start: what it alone tells is absent, never zero; all else is as it would be; it is named, and heals."""
    async with line(monkeypatch, config=brisk()) as over:
        over.server.faults.add("denied", service="s3", operation=operation)
        feeds = await over.run(T, only="s3")
        without = facts(over)
        assert set(feeds["s3"].report.failures) == {operation}
        assert calls(over, operation) <= 6  # three refusals, and those under way meanwhile
        assert over.own("storage_exporter_discovery_success", operation=operation) == 0
        over.server.faults.clear()
        feeds = await over.run(T + HOUR, only="s3")
        assert feeds["s3"].report.ok
        whole = facts(over)
        own = told_by(operation, whole)
        assert bool(own) == bool(OWN[operation])
        assert without.keys() == whole.keys() - own


@pytest.mark.parametrize("kind", CALL_FAULTS)
async def test_what_was_known_stays(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever befalls an operation later, what it told before stays; it fails alone and is named."""
    failing = {"ListBuckets", "GetBucketVersioning"}
    async with line(monkeypatch, config=brisk(kind)) as over:
        await over.run(T, only="s3")
        before = facts(over)
        for operation in failing:
            if kind == "empty-body":
                over.server.faults.add("error", service="s3", operation=operation, status=200, code="x", message="")
            else:
                over.server.faults.add(kind, service="s3", operation=operation, seconds=30)
        feeds = await over.run(T + QUARTER, only="s3")
        assert set(feeds["s3"].report.failures) == failing
        assert facts(over) == before
        assert over.own("storage_exporter_job_success", aws_service="s3") == 0
        for operation in failing:
            assert over.own("storage_exporter_aws_errors_total", operation=operation) >= 1


async def test_half_an_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that breaks off tells nothing and takes nothing away, whichever it is."""
    async with line(monkeypatch, config=brisk()) as over:
        await over.run(T, only="s3")
        before = facts(over)
        for operation in OWN:
            over.server.faults.add("truncated", service="s3", operation=operation)
        feeds = await over.run(T + QUARTER, only="s3")
        assert set(feeds["s3"].report.failures) == set(OWN)
        assert facts(over) == before


async def test_what_is_old_is_no_more_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three readings long an old answer stands in; then its facts end, and only they."""
    async with line(monkeypatch, config=brisk()) as over:
        await over.run(T, only="s3")
        before = facts(over)
        over.server.faults.add("denied", service="s3", operation="GetBucketVersioning")
        for passed in range(HOUR, 3 * HOUR + 1, HOUR):
            await over.run(T + passed, only="s3")
            # The stack's own buckets are read every quarter of an hour, so what is said of them is never so old.
            assert over.value("aws_s3_bucket_versioning_enabled", bucket=UPLOADS) == 1
            assert over.value("aws_s3_bucket_versioning_enabled", bucket=LOKI) is None
        await over.run(T + 3 * HOUR + 60, only="s3")
        assert facts(over).keys() == before.keys() - told_by("GetBucketVersioning", before)


async def test_one_bucket_that_refuses_costs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket's own policy may deny us: the others are as they were, and the bucket's other facts are there."""
    async with line(monkeypatch, config=brisk()) as over:
        over.server.faults.add("denied", service="s3", operation="GetBucketEncryption", count=1)
        feeds = await over.run(T, only="s3")
        assert set(feeds["s3"].report.failures) == {"GetBucketEncryption"}
        buckets = over.names()["aws_s3_bucket_info"]
        assert calls(over, "GetBucketEncryption") == buckets
        assert over.names()["aws_s3_bucket_encryption_enabled"] == buckets - 1
        assert over.names()["aws_s3_bucket_versioning_enabled"] == buckets


async def test_buckets_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new bucket is whole at the next listing; of a deleted one nothing is left, and its loss is no failure."""
    async with line(monkeypatch, config=brisk("hang")) as over:
        world = over.server.world
        await over.run(T, only="s3")
        before = over.names()["aws_s3_bucket_info"]
        world.add_bucket("made-later", at=T + 60, versioning="Enabled", tags=(("team", "web"),))
        await over.run(T + 300, only="s3")
        assert over.value("aws_s3_bucket_versioning_enabled", bucket="made-later") == 1
        assert over.value("aws_s3_bucket_lifecycle_rules", bucket="made-later") == 0
        assert over.value("aws_s3_bucket_created_timestamp_seconds", bucket="made-later") == T + 60
        assert over.own("storage_exporter_resources", resource_type="bucket") == before + 1

        # Listed still, gone already: the calls about it find nobody, which is nobody's failure, and no fact.
        await over.run(T + HOUR - 600, only="s3")
        world.delete_bucket(UPLOADS, at=T + HOUR - 300)
        over.server.faults.add("hang", service="s3", operation="ListBuckets", seconds=30)
        feeds = await over.run(T + HOUR, only="s3")
        assert set(feeds["s3"].report.failures) == {"ListBuckets"}
        of_it = [name for name, labels in over.series() if ("bucket", UPLOADS) in labels]
        assert "aws_s3_bucket_info" in of_it
        assert not [name for name in of_it if "versioning" in name or "lifecycle" in name or "public" in name]

        over.server.faults.clear()
        feeds = await over.run(T + HOUR + 300, only="s3")
        assert feeds["s3"].report.ok
        assert not [name for name, labels in over.series() if ("bucket", UPLOADS) in labels]


async def test_only_what_is_selected_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a tag, and not by another; of what is left out only the tags were asked."""
    select = {"tags": {"team": "observability|documents"}, "exclude": {"tags": {"component": "tempo"}}}
    async with line(monkeypatch, config=brisk(s3={"select": select}, tags=["team"])) as over:
        await over.run(T, only="s3")
        shown = {dict(labels)["bucket"] for name, labels in over.series() if name == "aws_s3_bucket_info"}
        assert LOKI in shown
        assert UPLOADS in shown
        assert "officeless-tempo-production" not in shown
        assert "legacy-cron-output" not in shown
        assert calls(over, "GetBucketVersioning") == len(shown) < calls(over, "GetBucketTagging")
        assert over.value("aws_s3_bucket_info", bucket=LOKI, tag_team="observability") == 1


async def test_pages_of_one_bucket_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets and metrics configurations are read to their ends."""
    async with line(monkeypatch, config=brisk()) as over:
        await over.run(T, only="s3")
        whole = over.series()
    async with line(monkeypatch, config=brisk()) as over:
        over.server.faults.add("small-pages", service="s3", size=1)
        await over.run(T, only="s3")
        assert over.series() == whole
        assert calls(over, "ListBuckets") == over.names()["aws_s3_bucket_info"]
        assert calls(over, "ListBucketMetricsConfigurations") > over.names()["aws_s3_bucket_info"]


@pytest.mark.parametrize("operation", ["ListBuckets", "ListBucketMetricsConfigurations"])
async def test_an_endless_page_ends(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same token for ever is an error of that operation, not a loop."""
    async with line(monkeypatch, config=brisk()) as over:
        over.server.faults.add("token-loop", service="s3", operation=operation)
        feeds = await over.run(T, only="s3")
        assert set(feeds["s3"].report.failures) == {operation}


async def test_an_account_without_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing there, nothing asked, nothing wrong."""
    async with line(monkeypatch, world=World.empty(1, WorldClock(at=T)), config=brisk()) as over:
        feeds = await over.run(T, only="s3")
        assert feeds["s3"].report.ok
        assert over.series() == {}
        assert over.own("storage_exporter_resources", resource_type="bucket") == 0
        assert {call.operation for call in over.server.calls} == {"GetCallerIdentity", "ListBuckets"}


async def test_a_hundred_buckets_are_spread_over_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many calls a pass, the stack's own buckets in the first; in the end each call was made once."""
    world = World(1, WorldClock(at=T))
    for number in range(100):
        world.add_bucket(f"app-{number:03}", at=T - HOUR, metrics=(MetricsConfiguration(),))
    async with line(monkeypatch, world=world, config=brisk()) as over:
        feeds = await over.run(T, only="s3")
        total = int(over.own("storage_exporter_resources", resource_type="bucket"))
        assert total > 110
        assert feeds["s3"].report.waiting > 0
        assert feeds["s3"].report.ok
        assert over.value("aws_s3_bucket_versioning_enabled", bucket=LOKI) == 1
        assert over.value("aws_s3_bucket_lifecycle_rules", bucket=LOKI) == 2
        passes = 1
        while feeds["s3"].report.waiting:
            made = [call for call in over.server.calls if call.service == "s3"]
            assert len(made) <= passes * (MOST_SPREAD + 1)
            feeds = await over.run(T + 60 * passes, only="s3")
            passes += 1
        asked = Counter(
            (call.operation, call.parameters["Bucket"])
            for call in over.server.calls
            if call.service == "s3" and call.operation != "ListBuckets"
        )
        assert passes == -(-len(asked) // MOST_SPREAD)
        assert set(asked.values()) == {1}
        assert len(asked) == len(OWN) * total
        assert over.names()["aws_s3_bucket_versioning_enabled"] == total
        assert over.names()["aws_s3_bucket_metrics_configurations"] == total
