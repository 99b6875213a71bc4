"""GetMetricData and ListMetrics of the simulated AWS, read by plain boto3: points, pages, bills and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from exporter.demo import DemoServer, World, WorldClock, run_in_thread
from tests.demo_clients import NOW, clients, query


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with run_in_thread(World(1, WorldClock(NOW))) as running:
        yield running


@pytest.fixture(scope="module")
def aws(server: DemoServer) -> Iterator[dict[str, Any]]:
    with clients(server, "cloudwatch") as (made,):
        yield {"cloudwatch": made}


def test_datapoints_arrive_as_the_world_has_them(server: DemoServer, aws: dict[str, Any]) -> None:
    """For every listed metric, both scan orders give the world's points, to the last bit."""
    listed = [item for page in aws["cloudwatch"].get_paginator("list_metrics").paginate() for item in page["Metrics"]]
    assert len(listed) > 500
    chosen = listed[:: len(listed) // 150]
    queries = [
        query(
            f"m{number}",
            item["Namespace"],
            item["MetricName"],
            {part["Name"]: part["Value"] for part in item["Dimensions"]},
            "Average",
            300,
        )
        for number, item in enumerate(chosen)
    ]
    for order in ("TimestampDescending", "TimestampAscending"):
        answer = aws["cloudwatch"].get_metric_data(
            MetricDataQueries=queries, StartTime=NOW - 3600, EndTime=NOW, ScanBy=order
        )
        assert "NextToken" not in answer
        results = {item["Id"]: item for item in answer["MetricDataResults"]}
        for number, item in enumerate(chosen):
            result = results[f"m{number}"]
            pairs = frozenset((part["Name"], part["Value"]) for part in item["Dimensions"])
            known = server.world.points(item["Namespace"], item["MetricName"], pairs, "Average", 300, NOW - 3600, NOW)
            stamps = [stamp.timestamp() for stamp in result["Timestamps"]]
            found = list(zip(stamps, result["Values"], strict=True))
            assert found == (known if order == "TimestampAscending" else known[::-1])
            assert found or item["MetricName"] in {"BucketSizeBytes", "NumberOfObjects"}  # once a day
            assert result["StatusCode"] == "Complete"
    assert server.calls[-1].queries == server.calls[-1].billed == len(queries)


def test_no_data_is_an_empty_complete_result(server: DemoServer, aws: dict[str, Any]) -> None:
    """A metric that is not published is no error."""
    volume = {"VolumeId": server.world.volume("data-postgres-0").volume_id}
    answer = aws["cloudwatch"].get_metric_data(
        MetricDataQueries=[query("m", "AWS/EBS", "BurstBalance", volume)], StartTime=NOW - 600, EndTime=NOW
    )
    (result,) = answer["MetricDataResults"]
    assert (result["Values"], result["Timestamps"], result["StatusCode"]) == ([], [], "Complete")


def test_get_metric_data_pages_by_datapoints(server: DemoServer, aws: dict[str, Any]) -> None:
    """MaxDatapoints cuts within a result (PartialData, then the rest); put together nothing is lost or twice."""
    names = ("data-postgres-0", "orphan", "data-mysql-0", "redo")
    queries = [
        query(f"m{number}", "AWS/EBS", "VolumeReadOps", {"VolumeId": server.world.volume(name).volume_id})
        for number, name in enumerate(names)
    ]
    asked = {"MetricDataQueries": queries, "StartTime": NOW - 900, "EndTime": NOW}
    whole = {item["Id"]: item["Values"] for item in aws["cloudwatch"].get_metric_data(**asked)["MetricDataResults"]}
    pages = list(aws["cloudwatch"].get_paginator("get_metric_data").paginate(**asked, MaxDatapoints=5))
    joined: dict[str, list[float]] = {}
    for page in pages:
        assert sum(len(item["Values"]) for item in page["MetricDataResults"]) <= 5
        for item in page["MetricDataResults"]:
            joined.setdefault(item["Id"], []).extend(item["Values"])
    assert joined == whole
    assert len(pages) == -(-sum(len(values) for values in whole.values()) // 5)
    states = [[item["StatusCode"] for item in page["MetricDataResults"]] for page in pages]
    assert states[0] == ["PartialData"]
    assert states[-1][-1] == "Complete"


def test_pages_of_one_answer_agree_although_time_passes() -> None:
    """A datapoint published between two pages does not shift what the second one holds."""
    clock = WorldClock(NOW)
    with run_in_thread(World(1, clock)) as server, clients(server, "cloudwatch") as (cloudwatch,):
        volume = {"VolumeId": server.world.volume("data-mysql-0").volume_id}
        asked = {
            "MetricDataQueries": [query("m", "AWS/EBS", "VolumeReadOps", volume)],
            "StartTime": NOW - 600,
            "EndTime": NOW + 600,
        }
        whole = cloudwatch.get_metric_data(**asked)["MetricDataResults"][0]["Values"]
        first = cloudwatch.get_metric_data(**asked, MaxDatapoints=3)
        clock.advance(120)
        rest = cloudwatch.get_metric_data(**asked, NextToken=first["NextToken"])
        assert first["MetricDataResults"][0]["Values"] + rest["MetricDataResults"][0]["Values"] == whole


def test_statistics_of_one_metric_are_billed_once(server: DemoServer, aws: dict[str, Any]) -> None:
    """Up to five statistics of a metric in one request cost one metric."""
    volume = {"VolumeId": server.world.volume("data-postgres-0").volume_id}
    stats = ("Sum", "Average", "Minimum", "Maximum", "SampleCount", "p90")
    queries = [query(f"m{number}", "AWS/EBS", "VolumeReadOps", volume, stat) for number, stat in enumerate(stats)]
    for number, billed in ((5, 1), (6, 2)):
        aws["cloudwatch"].get_metric_data(MetricDataQueries=queries[:number], StartTime=NOW - 600, EndTime=NOW)
        assert (server.calls[-1].queries, server.calls[-1].billed) == (number, billed)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"Id": "M0"}, "Id"),
        ({"Id": "0"}, "Id"),
        ({"MetricStat": {"Period": 90}}, "multiple of 60"),
        ({"MetricStat": {"Stat": "Mean"}}, "Stat"),
        ({"Id": "b"}, "not unique"),
        ({"StartTime": NOW}, "less than"),
        ({"MetricDataQueries": 501}, "500"),
    ],
)
def test_get_metric_data_is_validated(aws: dict[str, Any], change: dict[str, Any], why: str) -> None:
    """What CloudWatch refuses is refused, and the message says why (aws-facts 2.1)."""
    one, other = (query(name, "AWS/EBS", "VolumeReadOps", {"VolumeId": "vol-1"}) for name in "ab")
    queries = [one, other]
    if "Id" in change:
        one["Id"] = change["Id"]
    one["MetricStat"].update(change.get("MetricStat", {}))
    if "MetricDataQueries" in change:
        queries = [query(f"m{number}", "AWS/EBS", "X", {"VolumeId": "v"}) for number in range(501)]
    asked = {"MetricDataQueries": queries, "StartTime": change.get("StartTime", NOW - 600), "EndTime": NOW}
    with pytest.raises(aws["cloudwatch"].exceptions.ClientError, match=why) as caught:
        aws["cloudwatch"].get_metric_data(**asked)
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_list_metrics_filters(server: DemoServer, aws: dict[str, Any]) -> None:
    """A dimension filter also finds metrics with further dimensions."""
    volume_id = server.world.volume("data-postgres-0").volume_id
    chosen = [{"Name": "VolumeId", "Value": volume_id}]
    listed = aws["cloudwatch"].list_metrics(Namespace="AWS/EBS", Dimensions=chosen)["Metrics"]
    shapes = {tuple(sorted(part["Name"] for part in item["Dimensions"])) for item in listed}
    assert shapes == {("VolumeId",), ("InstanceId", "VolumeId")}
    assert "BurstBalance" not in {item["MetricName"] for item in listed}
    recent = aws["cloudwatch"].list_metrics(Namespace="AWS/EFS", MetricName="StorageBytes", RecentlyActive="PT3H")[
        "Metrics"
    ]
    assert {item["MetricName"] for item in recent} == {"StorageBytes"}
