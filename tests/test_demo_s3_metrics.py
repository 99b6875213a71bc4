"""What the simulated CloudWatch has of S3, present and absent as documented (aws-facts 1.4)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from exporter.demo import DemoServer, World
from exporter.demo.bucket_rows import REPLICA, REPLICA_REGION
from exporter.demo.buckets import DAY, MetricsConfiguration, ReplicationRule, RequestLoad
from exporter.demo.tables import REGION
from tests.demo_clients import NOW, clients, query
from tests.demo_s3 import ANALYTICS, ARCHIVE, LEGACY, LOKI, MIMIR, UPLOADS, two_regions, two_worlds
from tests.demo_worlds import Pairs, points, world

HOUR = 3600
MIDNIGHT = int(NOW) // DAY * DAY
KINDS = ("Get", "Put", "Delete", "Head", "Post", "Select", "List")
RULE = {"SourceBucket": UPLOADS, "DestinationBucket": REPLICA, "RuleId": "everything-to-singapore"}
AT_DESTINATION = ("ReplicationLatency", "BytesPendingReplication", "OperationsPendingReplication")


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with two_regions() as running:
        yield running


def size(bucket: str, storage_type: str = "StandardStorage") -> Pairs:
    return {"BucketName": bucket, "StorageType": storage_type}


def requests(bucket: str, filter_id: str = "EntireBucket") -> Pairs:
    return {"BucketName": bucket, "FilterId": filter_id}


def minutes(of: World, metric: str, given: Pairs, stat: str = "Sum", back: float = 900) -> dict[int, float]:
    return dict(points(of, metric, given, stat, space="AWS/S3", back=back))


def days(of: World, metric: str, given: Pairs, at: float = NOW, number: int = 5) -> list[tuple[int, float]]:
    start = at // DAY * DAY - number * DAY
    return of.points("AWS/S3", metric, frozenset(given.items()), "Average", DAY, start, at, at)


def listed(of: World, metric: str, at: float | None = None) -> list[Pairs]:
    return [dict(pairs) for _, name, pairs, _ in of.metrics("AWS/S3", at) if name == metric]


# --- once a day ------------------------------------------------------------------------------------------------------


def test_sizes_come_once_a_day_at_midnight_and_grow() -> None:
    """One datapoint a day, stamped at its midnight (UTC), each above the one before; objects grow with the bytes."""
    asked = world()
    for metric, given in (("BucketSizeBytes", size(MIMIR)), ("NumberOfObjects", size(MIMIR, "AllStorageTypes"))):
        found = days(asked, metric, given)
        assert len(found) >= 3
        assert all(stamp % DAY == 0 for stamp, _ in found)
        assert {later - stamp for (stamp, _), (later, _) in pairwise(found)} == {DAY}
        assert all(second > first for (_, first), (_, second) in pairwise(found))


def test_a_day_is_seen_two_to_twenty_hours_after_its_end() -> None:
    """Each bucket has its own hour, the same every day and for both metrics."""
    asked = world()
    hours = {}
    for bucket in asked.buckets():
        if not bucket.storage:
            continue
        first = next(iter(bucket.storage))
        delays = []
        for metric, given in (
            ("BucketSizeBytes", size(bucket.name, first)),
            ("NumberOfObjects", size(bucket.name, "AllStorageTypes")),
        ):
            for today in (MIDNIGHT, MIDNIGHT + DAY):
                seen = [
                    step
                    for step in range(0, DAY, 600)
                    if days(asked, metric, given, today + step)[-1:]
                    and days(asked, metric, given, today + step)[-1][0] == today - DAY
                ]
                assert seen == list(range(seen[0], DAY, 600))  # once there it stays
                delays.append(seen[0])
        assert len(set(delays)) == 1
        hours[bucket.name] = delays[0] / HOUR
    assert all(2 <= late <= 20.2 for late in hours.values())
    assert len(set(hours.values())) > 10


def test_only_the_storage_types_a_bucket_holds_are_published() -> None:
    """Intelligent-Tiering and Glacier types where they are; objects under AllStorageTypes only."""
    asked = world()
    types = {pair["StorageType"] for pair in listed(asked, "BucketSizeBytes") if pair["BucketName"] == ARCHIVE}
    assert types == set(asked.bucket(ARCHIVE).storage)
    assert {"IntelligentTieringFAStorage", "GlacierInstantRetrievalStorage", "IntAAObjectOverhead"} < types
    assert days(asked, "BucketSizeBytes", size(ARCHIVE)) == []
    assert days(asked, "NumberOfObjects", size(ARCHIVE, "GlacierInstantRetrievalStorage")) == []
    assert {pair["StorageType"] for pair in listed(asked, "NumberOfObjects")} == {"AllStorageTypes"}


def test_empty_new_and_deleted_buckets() -> None:
    """Nothing of an empty bucket; a new one from the end of its first day; a deleted one is listed for two weeks."""
    asked = world()
    assert days(asked, "NumberOfObjects", size("officeless-playground", "AllStorageTypes")) == []
    assert "officeless-playground" not in {pair["BucketName"] for pair in listed(asked, "NumberOfObjects")}
    asked.add_bucket("fresh", at=NOW, storage={"StandardStorage": 5000}, objects=7)
    assert days(asked, "BucketSizeBytes", size("fresh")) == []
    later = days(asked, "BucketSizeBytes", size("fresh"), NOW + 2 * DAY)
    assert later[0] == (MIDNIGHT, 5000.0)
    asked.delete_bucket("fresh", MIDNIGHT + 2 * DAY + HOUR)
    far = days(asked, "BucketSizeBytes", size("fresh"), NOW + 6 * DAY, 8)
    assert [stamp for stamp, _ in far] == [MIDNIGHT, MIDNIGHT + DAY]
    for offset, expected in ((4, True), (14, True), (17, False)):
        found = listed(asked, "BucketSizeBytes", NOW + offset * DAY)
        assert (size("fresh") in found) is expected


# --- requests --------------------------------------------------------------------------------------------------------


def test_request_metrics_exist_where_a_configuration_does() -> None:
    """Under the configuration's id and no other, from 15 minutes after it was made."""
    asked = world()
    assert len(minutes(asked, "AllRequests", requests(MIMIR))) > 10
    assert minutes(asked, "AllRequests", requests(LEGACY)) == {}
    assert minutes(asked, "AllRequests", requests(ANALYTICS)) == {}
    assert minutes(asked, "AllRequests", requests(ANALYTICS, "Curated"))
    assert minutes(asked, "AllRequests", {"BucketName": MIMIR}) == {}
    ids = {(pair["BucketName"], pair["FilterId"]) for pair in listed(asked, "AllRequests")}
    assert {(UPLOADS, "EntireBucket"), (UPLOADS, "Exports"), (UPLOADS, "Scans"), (ANALYTICS, "Raw")} < ids
    asked.update_bucket(LEGACY, load=RequestLoad(5.0), metrics=(MetricsConfiguration("All", since=NOW - 1500),))
    assert min(minutes(asked, "AllRequests", requests(LEGACY, "All"), back=3600)) == NOW - 600


def test_kinds_of_requests_are_there_only_when_they_happened() -> None:
    """AllRequests is their sum; a filter has a part of the whole; what never happens is not listed."""
    asked = world()
    whole = minutes(asked, "AllRequests", requests(ARCHIVE), back=6 * HOUR)
    kinds = {kind: minutes(asked, f"{kind}Requests", requests(ARCHIVE), back=6 * HOUR) for kind in KINDS}
    assert kinds["Delete"] == kinds["Select"] == {}
    assert 0 < len(kinds["List"]) < len(whole) < 360 - 5
    assert all(value >= 1 for found in kinds.values() for value in found.values())
    settled = {stamp: value for stamp, value in whole.items() if stamp < NOW - 600}
    assert settled == {stamp: sum(found.get(stamp, 0) for found in kinds.values()) for stamp in settled}
    entire, exports = (minutes(asked, "GetRequests", requests(UPLOADS, name)) for name in ("EntireBucket", "Exports"))
    assert all(exports[stamp] < entire[stamp] for stamp in set(exports) & set(entire))
    assert {pair["BucketName"] for pair in listed(asked, "SelectRequests")} == {ANALYTICS}


def test_bytes_follow_the_requests() -> None:
    """Bytes are there in the minutes of their requests; Select returns less than it scans."""
    asked = world()
    gets, downloaded = (minutes(asked, name, requests(MIMIR)) for name in ("GetRequests", "BytesDownloaded"))
    for stamp in set(gets) & set(downloaded):
        assert 100 * 1024 < downloaded[stamp] / gets[stamp] < 400 * 1024
    given = requests(ANALYTICS, "Raw")
    scanned, returned = (minutes(asked, f"SelectBytes{part}", given) for part in ("Scanned", "Returned"))
    both = set(scanned) & set(returned)
    assert both
    assert all(0 < returned[stamp] < scanned[stamp] for stamp in both)


def test_errors_are_rates_by_average_and_counts_by_sum() -> None:
    """SampleCount is the requests, Average their part that failed; zero where none did."""
    asked = world()
    asked.scenario("s3-errors", NOW - 600)
    given = requests(MIMIR)
    count, rate, number, whole = (
        minutes(asked, name, given, stat)
        for name, stat in (
            ("5xxErrors", "Sum"),
            ("5xxErrors", "Average"),
            ("5xxErrors", "SampleCount"),
            ("AllRequests", "Sum"),
        )
    )
    for stamp in set(whole) & set(count):
        assert number[stamp] == whole[stamp]
        assert rate[stamp] == pytest.approx(count[stamp] / number[stamp])
        assert rate[stamp] == pytest.approx(0.3, abs=0.01) if stamp >= NOW - 600 else rate[stamp] < 0.01
    other = minutes(asked, "5xxErrors", requests(LOKI), "Average")
    assert all(value < 0.01 for value in other.values())
    quiet = minutes(asked, "4xxErrors", requests(ARCHIVE), "Sum", back=HOUR)
    assert 0.0 in quiet.values()


def test_percentiles_are_in_order() -> None:
    """Minimum = p0 <= p50 <= p90 <= p99 <= p100 = Maximum, the mean among them; a total is above its first byte."""
    asked = world()
    names = ("Minimum", "p0", "p50", "p90", "p99", "p99.9", "p100", "Maximum")
    for period in (60, 300):
        totals = {}
        for metric in ("FirstByteLatency", "TotalRequestLatency"):
            rows = {}
            for stat in (*names, "Average"):
                rows[stat] = points(asked, metric, requests(MIMIR), stat, space="AWS/S3", period=period)
                totals[metric, stat] = rows[stat]
            assert rows["p50"]
            for number in range(len(rows["p50"])):
                values = [rows[stat][number][1] for stat in names]
                assert values == sorted(values)
                assert values[0] == values[1]
                assert values[-2] == values[-1]
                assert values[2] < values[3] < values[4] < values[6]
                assert values[0] < rows["Average"][number][1] < values[-1]
        pairs = zip(totals["FirstByteLatency", "p90"], totals["TotalRequestLatency", "p90"], strict=False)
        assert all(first < total for (_, first), (_, total) in pairs)


def test_percentiles_are_of_latencies_only() -> None:
    """Counts, sizes and the metrics of other services have none; neither has anything above p100."""
    asked = world()
    volume = {"VolumeId": asked.volume("data-postgres-0").volume_id}
    assert points(asked, "VolumeReadOps", volume, "p99") == []
    assert minutes(asked, "AllRequests", requests(MIMIR), "p99") == {}
    assert minutes(asked, "FirstByteLatency", requests(MIMIR), "p101") == {}
    assert minutes(asked, "FirstByteLatency", requests(MIMIR), "tm99") == {}


# --- replication -----------------------------------------------------------------------------------------------------


def test_replication_is_published_where_it_belongs() -> None:
    """Three metrics in the destination's region in every minute, failures in the source's; a rule without has none."""
    jakarta, singapore = two_worlds()
    for metric in AT_DESTINATION:
        assert len(minutes(singapore, metric, RULE, "Maximum")) >= 12
        assert minutes(jakarta, metric, RULE, "Maximum") == {}
        assert listed(singapore, metric) == [RULE]
        assert listed(jakarta, metric) == []
    failed = "OperationsFailedReplication"
    assert minutes(jakarta, failed, RULE)
    assert minutes(singapore, failed, RULE) == {}
    assert (listed(jakarta, failed), listed(singapore, failed)) == ([RULE], [])
    plain = {"SourceBucket": UPLOADS, "DestinationBucket": "officeless-backups", "RuleId": "exports-to-backups"}
    assert minutes(jakarta, failed, plain) == minutes(jakarta, "ReplicationLatency", plain, "Maximum") == {}
    assert world().points("AWS/S3", "ReplicationLatency", frozenset(RULE.items()), "Maximum", 60, NOW - 900, NOW) == []


def test_failures_are_published_only_where_something_was_replicated() -> None:
    """A slow rule has minutes without OperationsFailedReplication, and in those the latency is there all the same."""
    jakarta, singapore = two_worlds()
    slow = ReplicationRule("slow", REPLICA, metrics=True, operations=0.005, failing=1.0)
    jakarta.update_bucket(ARCHIVE, replication=(slow,))
    given = {"SourceBucket": ARCHIVE, "DestinationBucket": REPLICA, "RuleId": "slow"}
    failed = minutes(jakarta, "OperationsFailedReplication", given, back=2 * HOUR)
    counts = minutes(jakarta, "OperationsFailedReplication", given, "SampleCount", back=2 * HOUR)
    latency = minutes(singapore, "ReplicationLatency", given, "Maximum", back=2 * HOUR)
    assert failed == counts
    assert 0 < len(failed) < 110 < len(latency)
    assert all(value > 0 for value in latency.values())


# --- over the wire, and scenarios ------------------------------------------------------------------------------------


def test_the_wire_gives_the_same_and_lists_what_there_is(server: DemoServer) -> None:
    """GetMetricData with percentiles and days; ListMetrics by bucket; PT3H leaves the daily ones out."""
    with clients(server, "cloudwatch") as (cloudwatch,):
        answer = cloudwatch.get_metric_data(
            MetricDataQueries=[
                query("p", "AWS/S3", "TotalRequestLatency", requests(MIMIR), "p99", 60),
                query("d", "AWS/S3", "BucketSizeBytes", size(MIMIR), "Average", DAY),
            ],
            StartTime=MIDNIGHT - 3 * DAY,
            EndTime=MIDNIGHT + DAY,
            ScanBy="TimestampAscending",
        )
        found: dict[str, Any] = {item["Id"]: item for item in answer["MetricDataResults"]}
        assert len(found["p"]["Values"]) > 1000
        assert all(stamp.timestamp() % DAY == 0 for stamp in found["d"]["Timestamps"])
        assert found["d"]["Values"] == [
            value for _, value in days(server.world, "BucketSizeBytes", size(MIMIR), NOW, 3)
        ]
        chosen = [{"Name": "BucketName", "Value": UPLOADS}]
        pages = cloudwatch.get_paginator("list_metrics")

        def names(**given: Any) -> set[str]:
            listed_pages = pages.paginate(Namespace="AWS/S3", Dimensions=chosen, **given)
            return {item["MetricName"] for page in listed_pages for item in page["Metrics"]}

        assert {"BucketSizeBytes", "NumberOfObjects", "AllRequests", "TotalRequestLatency"} < names()
        recent = names(RecentlyActive="PT3H")
        assert "AllRequests" in recent
        assert not {"BucketSizeBytes", "NumberOfObjects"} & recent
    with clients(server, "cloudwatch", region_name=REPLICA_REGION) as (cloudwatch,):
        metrics = cloudwatch.list_metrics(Namespace="AWS/S3")["Metrics"]
        assert {item["MetricName"] for item in metrics} == {"BucketSizeBytes", "NumberOfObjects", *AT_DESTINATION}


def test_growth_is_ten_fold_in_a_day() -> None:
    """After a day of `s3-growth` the bucket is ten times as large; others are not."""
    asked = world(NOW + 3 * DAY)
    asked.scenario("s3-growth", MIDNIGHT)
    values = dict(days(asked, "BucketSizeBytes", size(LOKI), NOW + 3 * DAY))
    objects = dict(days(asked, "NumberOfObjects", size(LOKI, "AllStorageTypes"), NOW + 3 * DAY))
    for found in (values, objects):
        assert found[MIDNIGHT] / found[MIDNIGHT - DAY] == pytest.approx(10, rel=0.02)
        assert found[MIDNIGHT + DAY] / found[MIDNIGHT] < 1.02
    other = dict(days(asked, "BucketSizeBytes", size(MIMIR), NOW + 3 * DAY))
    assert other[MIDNIGHT] / other[MIDNIGHT - DAY] < 1.02


def test_a_bucket_becomes_public(server: DemoServer) -> None:
    """From the start of `bucket-public` the policy is public and nothing is blocked; before, and after its end, not."""
    with clients(server, "s3") as (s3,):

        def seen() -> tuple[bool, set[bool]]:
            block = s3.get_public_access_block(Bucket=UPLOADS)["PublicAccessBlockConfiguration"]
            return s3.get_bucket_policy_status(Bucket=UPLOADS)["PolicyStatus"]["IsPublic"], set(block.values())

        states = [seen()]
        for start in (NOW + 60, NOW - 60):
            server.world.scenario("bucket-public", start)
            states.append(seen())
        server.world.scenario("quiet")
        states.append(seen())
    assert states == [(False, {True}), (False, {True}), (True, {False}), (False, {True})]
    assert server.world.region == REGION
