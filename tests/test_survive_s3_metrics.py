"""What CloudWatch tells of S3, over the wire: the right values, no more questions than need be, in the right region."""

from __future__ import annotations

from collections import Counter
from statistics import fmean
from typing import Any

import pytest

from exporter.config import Config
from exporter.demo import World, WorldClock
from exporter.demo.buckets import Bucket, MetricsConfiguration, ReplicationRule, RequestLoad
from tests.harness import Line, T, config_of, line

DAY = 86_400
HOUR = 3600
MIDNIGHT = T // DAY * DAY
FAR = "ap-southeast-1"
LOKI = "acme-loki"
SIZE = "aws_s3_bucket_size_bytes"
LOAD = RequestLoad(get=3.0, put=1.0, head=0.5, listing=0.2, client_errors=0.05, server_errors=0.02)
ENTIRE = (MetricsConfiguration(),)


def patient(**s3: Any) -> Config:
    """Nothing here is about calls that hang."""
    limits = {"deadline": "20s", "pass_deadline": "120s", "describe_per_second": 1000}
    return config_of(limits=limits, services={"s3": s3} if s3 else {})


def small_world() -> World:
    """The stack's own bucket, an application's with replication, one with sizes only, and an empty one."""
    world = World.empty(1, WorldClock(at=T))
    world.add_bucket(
        LOKI,
        at=T - 90 * DAY,
        storage={"StandardStorage": 10**13, "StandardIAStorage": 10**11},
        objects=10**6,
        growth=10**9,
        metrics=ENTIRE,
        load=LOAD,
    )
    rules = (
        ReplicationRule("away", "replica", metrics=True, failing=0.2),
        ReplicationRule("near", "sizes-only", metrics=True, time_control=True),
        ReplicationRule("quiet", "replica"),
        ReplicationRule("off", "replica", enabled=False, metrics=True),
        ReplicationRule("foreign", "of-another-account", metrics=True),
    )
    world.add_bucket(
        "uploads",
        at=T - 90 * DAY,
        storage={"StandardStorage": 10**12},
        objects=10**5,
        metrics=(*ENTIRE, MetricsConfiguration("Part", share=0.5)),
        load=LOAD,
        replication=rules,
    )
    world.add_bucket("sizes-only", at=T - 90 * DAY, storage={"GlacierStorage": 10**12}, objects=7)
    world.add_bucket("empty", at=T - 90 * DAY, metrics=ENTIRE)
    return world


def far_world(world: World) -> World:
    """The same account in the region of the replica."""
    far = World.empty(1, world.now, region=FAR)
    far.add_bucket(Bucket("replica", FAR, T - 90 * DAY))
    return far


def dimensions(**given: str) -> frozenset[tuple[str, str]]:
    return frozenset(given.items())


def put(world: World, metric: str, given: frozenset[tuple[str, str]], stat: str, start: int, end: int) -> list[float]:
    """What the world's CloudWatch has of periods in [start, end)."""
    return [value for _, value in world.points("AWS/S3", metric, given, stat, 60, start, end)]


def asked(over: Line) -> Counter[tuple[str, str, str]]:
    """(metric, statistic, bucket) → how often CloudWatch was asked."""
    return Counter(
        (query.metric, query.stat, dict(query.dimensions).get("BucketName", ""))
        for call in over.asked()
        if call.request is not None
        for query in call.request.queries
    )


async def test_values_are_those_of_cloudwatch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes by storage type, shares of errors, rates over the minutes that had requests, milliseconds as seconds."""
    world = small_world()
    async with line(monkeypatch, world=world, config=patient()) as over:
        feeds = await over.run(T, only="s3")
        assert feeds["s3"].report.ok
        newest = over.value("aws_s3_bucket_newest_datapoint_timestamp_seconds", bucket=LOKI)
        assert newest in {MIDNIGHT, MIDNIGHT - DAY}
        day = int(newest or 0) - DAY
        for kind in ("StandardStorage", "StandardIAStorage"):
            given = dimensions(BucketName=LOKI, StorageType=kind)
            ((_, value),) = world.points("AWS/S3", "BucketSizeBytes", given, "Average", DAY, day, day + DAY)
            assert over.value("aws_s3_bucket_size_bytes", bucket=LOKI, storage_type=kind) == value
        assert over.value("aws_s3_bucket_size_bytes", bucket="sizes-only", storage_type="GlacierStorage") == 10**12
        assert over.value("aws_s3_bucket_objects", bucket="sizes-only") == 7

        end = (T - 180) // 60 * 60
        of_loki = dimensions(BucketName=LOKI, FilterId="EntireBucket")
        first = {LOKI: end - 300, "uploads": end - 900}  # how far the first window looks back
        whole = {"bucket": LOKI, "filter_id": "EntireBucket"}
        for name, metric in (("server", "5xxErrors"), ("client", "4xxErrors")):
            shares = put(world, metric, of_loki, "Average", first[LOKI], end)
            assert shares
            assert over.value(f"aws_s3_bucket_{name}_errors_ratio", **whole) == pytest.approx(fmean(shares))
        requests = put(world, "AllRequests", of_loki, "Sum", first[LOKI], end)
        assert over.value("aws_s3_bucket_requests_per_second", **whole) == pytest.approx(fmean(requests) / 60)
        assert over.value("aws_s3_bucket_filter_newest_datapoint_timestamp_seconds", **whole) == end

        part = {"bucket": "uploads", "filter_id": "Part"}
        given = dimensions(BucketName="uploads", FilterId="Part")
        for suffix, stat in (("", "Average"), ("_p99", "p99"), ("_max", "Maximum")):
            slowest = max(put(world, "FirstByteLatency", given, stat, first["uploads"], end)) / 1000
            assert over.value(f"aws_s3_bucket_first_byte_latency{suffix}_seconds", **part) == pytest.approx(slowest)
        errors = put(world, "5xxErrors", given, "Sum", first["uploads"], end)
        assert over.value("aws_s3_bucket_server_errors_per_second", **part) == pytest.approx(fmean(errors) / 60)
        assert "aws_s3_bucket_get_requests_per_second" not in over.names()  # on request only


async def test_an_empty_bucket_is_not_asked_for_what_it_cannot_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudWatch lists no storage type of it; only its filter is asked about, for requests may begin."""
    async with line(monkeypatch, world=small_world(), config=patient()) as over:
        over.server.faults.add("small-pages", service="cloudwatch", operation="ListMetrics", size=1)
        await over.run(T, only="s3")
        assert sum(call.operation == "ListMetrics" for call in over.server.calls) == over.names()[SIZE] == 4
        of_empty = {metric for metric, _, bucket in asked(over) if bucket == "empty"}
        assert of_empty.isdisjoint({"BucketSizeBytes", "NumberOfObjects"})
        assert "AllRequests" in of_empty
        assert "aws_s3_bucket_objects" in over.names()
        assert not [name for name, labels in over.series() if ("bucket", "empty") in labels and "objects" in name]


@pytest.mark.parametrize("kind", ["denied", "error-500", "truncated"])
async def test_without_the_list_of_metrics_the_usual_is_asked(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it was never read: standard storage and objects. Where it once was: what it said then."""
    async with line(monkeypatch, world=small_world(), config=patient(discovery={"ListMetrics": "5m"})) as over:
        rule = over.server.faults.add(kind, service="cloudwatch", operation="ListMetrics")
        feeds = await over.run(T, only="s3")
        assert set(feeds["s3"].report.failures) == {"ListMetrics"}
        types = {dict(labels)["storage_type"] for name, labels in over.series() if name == "aws_s3_bucket_size_bytes"}
        assert types == {"StandardStorage"}
        assert over.names()["aws_s3_bucket_objects"] == 3
        assert rule.hit >= 1
        over.server.faults.clear()
        feeds = await over.run(T + 300, only="s3")
        assert feeds["s3"].report.ok
        assert over.names()["aws_s3_bucket_size_bytes"] == 4
        over.server.faults.add(kind, service="cloudwatch", operation="ListMetrics")
        for later in (600, 2 * HOUR):  # by then the list is too old to stand in for itself
            feeds = await over.run(T + later, only="s3")
            assert set(feeds["s3"].report.failures) == {"ListMetrics"}
            assert over.names()["aws_s3_bucket_size_bytes"] == 4


async def test_the_daily_values_are_asked_until_they_are_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over two days of passes: a few questions a metric and day, never one a pass; the value never has a gap."""
    off = {"4xxErrors": {"enabled": False}, "5xxErrors": {"enabled": False}, "AllRequests": {"enabled": False}}
    config = patient(select={"ids": [LOKI, "sizes-only"]}, rows=off | {"FirstByteLatency": {"enabled": False}})
    async with line(monkeypatch, world=small_world(), config=config) as over:
        await over.run(MIDNIGHT, only="s3")
        over.server.clear_calls()
        seen: list[float] = []
        for passed in range(1200, 2 * DAY + 1, 1200):
            await over.run(MIDNIGHT + passed, only="s3")
            seen.append(over.value("aws_s3_bucket_newest_datapoint_timestamp_seconds", bucket=LOKI) or 0)
            assert over.names()["aws_s3_bucket_size_bytes"] == 3
        daily = {key: count for key, count in asked(over).items() if key[0] in {"BucketSizeBytes", "NumberOfObjects"}}
        assert len(daily) == 4  # two metrics of two buckets; storage types of one bucket count together
        assert daily["NumberOfObjects", "Average", LOKI] <= 2 * 6
        assert daily["BucketSizeBytes", "Average", LOKI] == 2 * daily["NumberOfObjects", "Average", LOKI]
        assert seen == sorted(seen)
        assert len(set(seen)) == 3  # the day before and each of the two, as they came


async def test_replication_is_asked_where_the_replica_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """How far it is, in the region of the destination; what failed, in that of the source; of rules with metrics."""
    world = small_world()
    far = far_world(world)
    async with line(monkeypatch, world=world, config=patient(select={"ids": ["uploads"]})) as over:
        over.server.add_world(far)
        feeds = await over.run(T, only="s3")
        assert feeds["s3"].report.ok
        end = (T - 180) // 60 * 60
        away = dimensions(SourceBucket="uploads", DestinationBucket="replica", RuleId="away")
        near = dimensions(SourceBucket="uploads", DestinationBucket="sizes-only", RuleId="near")
        for name, metric in (
            ("latency_seconds", "ReplicationLatency"),
            ("pending_bytes", "BytesPendingReplication"),
            ("pending_operations", "OperationsPendingReplication"),
        ):
            assert put(world, metric, away, "Maximum", end - 900, end) == []
            for where, given, rule in ((far, away, "away"), (world, near, "near")):
                expected = put(where, metric, given, "Maximum", end - 900, end)
                assert over.value(f"aws_s3_bucket_replication_{name}", rule_id=rule) == max(expected)
        failed = put(world, "OperationsFailedReplication", away, "Sum", end - 900, end)
        assert sum(failed) > 0
        assert over.value("aws_s3_bucket_replication_failed_operations", rule_id="away") == max(failed)
        rules = {
            (query.metric, dict(query.dimensions)["RuleId"])
            for call in over.asked()
            if call.request is not None
            for query in call.request.queries
            if "RuleId" in dict(query.dimensions)
        }
        assert {rule for _, rule in rules} == {"away", "near", "foreign"}
        # Where a bucket of another account is, is not known; asking in the wrong region would be billed for nothing.
        assert {metric for metric, rule in rules if rule == "foreign"} == {"OperationsFailedReplication"}
        assert over.value("aws_s3_bucket_replication_failed_operations", rule_id="foreign") is not None
        assert over.own("storage_exporter_resources", resource_type="bucket-of-another-region") == 1
        assert over.value("aws_s3_bucket_replication_rule_info", rule_id="away", destination_region=FAR) == 1
        assert over.own("storage_exporter_aws_billable_metrics_total", region=FAR) == 3


async def test_the_stack_is_asked_every_minute_and_others_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors and requests of a component's bucket are essential; a bucket that is none has them every 15 minutes."""
    config = patient(select={"ids": [LOKI, "uploads"]})
    async with line(monkeypatch, world=small_world(), config=config) as over:
        for number in range(16):
            await over.run(T + 60 * number, only="s3")
        counts = asked(over)
        assert counts["5xxErrors", "Average", LOKI] == 16
        assert counts["AllRequests", "Sum", LOKI] == 16
        assert counts["FirstByteLatency", "p99", LOKI] == 2
        assert counts["5xxErrors", "Average", "uploads"] == 2 * 2  # two filters
        for bucket in (LOKI, "uploads"):
            labels = {"bucket": bucket, "filter_id": "EntireBucket"}
            assert over.value("aws_s3_bucket_server_errors_ratio", **labels) is not None
