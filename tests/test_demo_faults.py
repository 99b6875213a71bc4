"""The troubles the simulated AWS can make, as plain boto3 and a bare connection see them, and its control pages."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.parsers import ResponseParserError

from exporter.demo import KINDS, SCENARIOS, DemoServer, World, WorldClock, run_in_thread
from tests.demo_clients import NOW, clients, query, refused


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with run_in_thread(World(1, WorldClock(NOW))) as running:
        yield running


@pytest.fixture(scope="module")
def aws(server: DemoServer) -> Iterator[dict[str, Any]]:
    names = ("ec2", "efs", "cloudwatch", "sts")
    with clients(server, *names) as made:
        yield dict(zip(names, made, strict=True))


@pytest.fixture(autouse=True)
def _calm(server: DemoServer) -> Iterator[None]:
    yield
    server.faults.clear()
    server.clear_calls()


CALLS = {
    "ec2": "describe_volumes",
    "efs": "describe_file_systems",
    "cloudwatch": "list_metrics",
    "sts": "get_caller_identity",
}

SPELLINGS = [
    ("ec2", "throttle-400", "Throttling", 400),
    ("ec2", "throttle-503", "RequestLimitExceeded", 503),
    ("ec2", "error-500", "InternalError", 500),
    ("ec2", "denied", "UnauthorizedOperation", 403),
    ("ec2", "expired", "RequestExpired", 400),
    ("ec2", "unknown-operation", "InvalidAction", 400),
    ("efs", "throttle-400", "ThrottlingException", 400),
    ("efs", "throttle-503", "ThrottlingException", 503),
    ("efs", "error-500", "InternalServerError", 500),
    ("efs", "denied", "AccessDeniedException", 403),
    ("efs", "expired", "ExpiredTokenException", 403),
    ("cloudwatch", "throttle-400", "Throttling", 400),
    ("cloudwatch", "throttle-503", "Throttling", 503),
    ("cloudwatch", "error-500", "InternalServiceError", 500),
    ("cloudwatch", "denied", "AccessDenied", 403),
    ("cloudwatch", "expired", "ExpiredToken", 403),
    ("sts", "throttle-400", "Throttling", 400),
    ("sts", "error-500", "InternalFailure", 500),
    ("sts", "denied", "AccessDenied", 403),
    ("sts", "expired", "ExpiredToken", 403),
]


@pytest.mark.parametrize(("service", "kind", "code", "status"), SPELLINGS)
def test_errors_are_spelled_as_the_service_spells_them(
    server: DemoServer, aws: dict[str, Any], service: str, kind: str, code: str, status: int
) -> None:
    """The rule hits its service only, and botocore reads the code and status."""
    server.faults.add(kind, service=service)
    assert refused(getattr(aws[service], CALLS[service])) == (code, status)
    assert (server.calls[-1].error, server.calls[-1].status) == (code, status)
    other = next(name for name in CALLS if name != service)
    getattr(aws[other], CALLS[other])()


def test_rules_choose_operations_and_count(server: DemoServer, aws: dict[str, Any]) -> None:
    """The first `after` calls are spared, `count` are hit, others are not matched at all."""
    rule = server.faults.add("error-500", service="ec2", operation="DescribeVolumes", after=1, count=2)
    aws["ec2"].describe_regions()
    outcomes = []
    for _ in range(4):
        try:
            aws["ec2"].describe_volumes(MaxResults=5)
            outcomes.append("")
        except aws["ec2"].exceptions.ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
    assert outcomes == ["", "InternalError", "InternalError", ""]
    assert (rule.matched, rule.hit) == (4, 2)


def test_any_error_can_be_made(server: DemoServer, aws: dict[str, Any]) -> None:
    """Code, message and status as given."""
    server.faults.add("error", code="KMS.Disabled", message="The key is disabled.", status=409)
    assert refused(aws["efs"].describe_file_systems) == ("KMS.Disabled", 409)


def signed_get(server: DemoServer, path: str, timeout: float = 5) -> http.client.HTTPConnection:
    """A connection on which a signed GET to EFS was sent."""
    request = AWSRequest("GET", server.url + path)
    credentials = Credentials(server.access_key_id, server.secret_access_key)
    SigV4Auth(credentials, "elasticfilesystem", server.world.region).add_auth(request)
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=timeout)
    connection.request("GET", path, headers=dict(request.headers.items()))
    return connection


def test_cut_truncated_and_malformed_bodies(server: DemoServer) -> None:
    """Cut: fewer bytes than promised. Truncated: half a body as promised. Malformed: something else, as promised."""
    bodies: dict[str, bytes] = {}
    for kind in ("", "cut", "truncated", "malformed"):
        server.faults.clear()
        if kind:
            server.faults.add(kind)
        connection = signed_get(server, "/2015-02-01/file-systems")
        answer = connection.getresponse()
        assert answer.status == 200
        try:
            bodies[kind] = answer.read()
        except http.client.IncompleteRead as error:
            bodies[kind] = error.partial
            assert kind == "cut"
        else:
            assert kind != "cut"
        connection.close()
    assert orjson.loads(bodies[""])["FileSystems"]
    assert bodies["cut"] == bodies["truncated"] == bodies[""][: len(bodies[""]) // 2]
    for kind in ("truncated", "malformed"):
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(bodies[kind])


@pytest.mark.parametrize("kind", ["cut", "truncated", "malformed"])
def test_botocore_notices_broken_xml(server: DemoServer, aws: dict[str, Any], kind: str) -> None:
    """Broken EC2 answers raise; what botocore does with broken JSON is the exporter's to guard against."""
    server.faults.add(kind, operation="DescribeVolumes")
    with pytest.raises(ResponseParserError):
        aws["ec2"].describe_volumes()


def test_hang_ends_when_the_client_leaves(server: DemoServer) -> None:
    """No answer comes; the call is written down without a status once the client has gone."""
    server.faults.add("hang", operation="DescribeFileSystems", count=1)
    connection = signed_get(server, "/2015-02-01/file-systems", timeout=0.2)
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()
    until = time.monotonic() + 5
    while not server.calls and time.monotonic() < until:
        time.sleep(0.01)
    (call,) = server.calls
    assert (call.operation, call.status, call.faults) == ("DescribeFileSystems", 0, ("hang",))


def test_slow_is_late_and_right(server: DemoServer, aws: dict[str, Any]) -> None:
    """The answer comes after the delay."""
    server.faults.add("slow", seconds=0.15)
    began = time.monotonic()
    assert aws["sts"].get_caller_identity()["Account"] == server.world.account_id
    assert time.monotonic() - began >= 0.15


def test_empty_account(server: DemoServer, aws: dict[str, Any]) -> None:
    """Every list is empty, and none is an error."""
    server.faults.add("empty")
    assert aws["ec2"].describe_volumes()["Volumes"] == []
    assert aws["efs"].describe_file_systems()["FileSystems"] == []
    assert aws["cloudwatch"].list_metrics()["Metrics"] == []


def test_small_pages(server: DemoServer, aws: dict[str, Any]) -> None:
    """Pages are small although the client did not ask for small ones."""
    whole = aws["efs"].describe_access_points()["AccessPoints"]
    server.faults.add("small-pages", size=2)
    pages = list(aws["efs"].get_paginator("describe_access_points").paginate())
    assert [len(page["AccessPoints"]) for page in pages] == [2, 2, 2, 2, 1]
    assert [item for page in pages for item in page["AccessPoints"]] == whole
    volumes = aws["ec2"].get_paginator("describe_volumes").paginate(PaginationConfig={"PageSize": 500})
    assert max(len(page["Volumes"]) for page in volumes) == 2


def test_token_loop(server: DemoServer, aws: dict[str, Any]) -> None:
    """The same token comes back whatever is asked."""
    server.faults.add("token-loop")
    first = aws["ec2"].describe_volumes(MaxResults=5)
    second = aws["ec2"].describe_volumes(MaxResults=5, NextToken=first["NextToken"])
    assert (first["NextToken"], first["Volumes"]) == (second["NextToken"], second["Volumes"])


# --- faults of single results ----------------------------------------------------------------------------------------


def asked(server: DemoServer) -> dict[str, Any]:
    names = {"a": "data-postgres-0", "b": "data-mysql-0", "c": "redo"}
    queries = [
        query(name, "AWS/EBS", "VolumeReadOps", {"VolumeId": server.world.volume(volume).volume_id})
        for name, volume in names.items()
    ]
    return {"MetricDataQueries": queries, "StartTime": NOW - 900, "EndTime": NOW}


def results(answer: Any) -> dict[str, tuple[str, list[Any]]]:
    return {item["Id"]: (item["StatusCode"], item["Values"]) for item in answer["MetricDataResults"]}


def test_partial_data_is_completed_on_the_next_page(server: DemoServer, aws: dict[str, Any]) -> None:
    """Half of the chosen result now, the other half with the token; the others are complete at once."""
    given = asked(server)
    whole = results(aws["cloudwatch"].get_metric_data(**given))
    server.faults.add("partial-data", ids=["b"], count=1)
    first = aws["cloudwatch"].get_metric_data(**given)
    second = aws["cloudwatch"].get_metric_data(**given, NextToken=first["NextToken"])
    assert {name: state for name, (state, _) in results(first).items()} == {
        "a": "Complete",
        "b": "PartialData",
        "c": "Complete",
    }
    assert set(results(second)) == {"b"}
    assert "NextToken" not in second
    assert results(first)["b"][1] + results(second)["b"][1] == whole["b"][1]
    assert results(first)["a"] == whole["a"]


@pytest.mark.parametrize(
    ("kind", "state"),
    [("partial-data-no-token", "PartialData"), ("internal-error", "InternalError"), ("forbidden-result", "Forbidden")],
)
def test_results_fail_alone(server: DemoServer, aws: dict[str, Any], kind: str, state: str) -> None:
    """Only the chosen result has the state, no token is offered, the rest is whole."""
    given = asked(server)
    whole = results(aws["cloudwatch"].get_metric_data(**given))
    server.faults.add(kind, value=server.world.volume("redo").volume_id)
    answer = aws["cloudwatch"].get_metric_data(**given)
    assert "NextToken" not in answer
    assert results(answer)["c"][0] == state
    assert len(results(answer)["c"][1]) < len(whole["c"][1])
    assert {name: results(answer)[name] for name in "ab"} == {name: whole[name] for name in "ab"}


def test_messages_order_and_nan(server: DemoServer, aws: dict[str, Any]) -> None:
    """A top-level message, results in another order, a value that is no number."""
    given = asked(server)
    usual = [item["Id"] for item in aws["cloudwatch"].get_metric_data(**given)["MetricDataResults"]]
    server.faults.add("messages", code="TooMuch", value="less, please")
    server.faults.add("shuffled")
    server.faults.add("nan-strings", metric="VolumeReadOps", ids=["a"])
    answer = aws["cloudwatch"].get_metric_data(**given)
    assert answer["Messages"] == [{"Code": "TooMuch", "Value": "less, please"}]
    order = [item["Id"] for item in answer["MetricDataResults"]]
    assert sorted(order) == sorted(usual)
    assert order != usual
    assert str(results(answer)["a"][1][0]).lower() == "nan"


# --- control pages ---------------------------------------------------------------------------------------------------


def control(server: DemoServer, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=5)
    try:
        connection.request(method, f"/_demo/{path}", None if body is None else orjson.dumps(body))
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, orjson.loads(text) if "json" in answer.headers["Content-Type"] else text.decode()
    finally:
        connection.close()


def test_control_pages(aws: dict[str, Any]) -> None:
    """Clock, scenario, faults and calls can be read and set over HTTP, unsigned; mistakes are named."""
    with run_in_thread(World(1, WorldClock(NOW))) as server:
        assert control(server, "GET", "clock")[1]["now"] == NOW
        assert control(server, "POST", "clock", {"at": NOW + 60})[1]["now"] == NOW + 60
        assert abs(control(server, "POST", "clock", {"at": None})[1]["now"] - time.time()) < 5
        assert control(server, "POST", "clock", {"at": NOW, "speed": 10})[1]["speed"] == 10
        assert set(control(server, "GET", "scenario")[1]["scenarios"]) == set(SCENARIOS)
        assert (
            control(server, "POST", "scenario", {"name": "volume-stalled", "start": NOW})[1]["name"] == "volume-stalled"
        )
        assert server.world.active == ("volume-stalled", NOW)
        status, said = control(server, "POST", "scenario", {"name": "ebs-stahl"})
        assert (status, "volume-stalled" in said["error"]) == (400, True)
        rule = {"match": {"service": "efs"}, "kind": "denied", "count": 1}
        assert control(server, "POST", "faults", rule)[1][0]["kind"] == "denied"
        with clients(server, "efs") as (efs,):
            assert refused(efs.describe_file_systems)[0] == "AccessDeniedException"
        (call,) = control(server, "GET", "calls")[1]
        assert (call["operation"], call["error"]) == ("DescribeFileSystems", "AccessDeniedException")
        assert control(server, "DELETE", "faults")[1] == []
        assert control(server, "POST", "faults", {"kind": "plague"})[0] == 400
        page = control(server, "GET", "")[1]
        assert all(name in page for name in (*SCENARIOS, *KINDS))


def test_scenarios_refuse_calls_while_they_run(server: DemoServer, aws: dict[str, Any]) -> None:
    """
    `denied` refuses GetMetricData, `throttled` whatever describes and measures; from their start on, until another
    scenario. They are none of the faults made by hand.
    """
    asked = [query("q", "AWS/EBS", "VolumeReadOps", {"VolumeId": "vol-1"}, "Sum", 60)]
    span = {"StartTime": NOW - 600, "EndTime": NOW}
    try:
        server.world.scenario("denied", NOW + 60)
        aws["cloudwatch"].get_metric_data(MetricDataQueries=asked, **span)
        server.world.scenario("denied", NOW)
        assert refused(lambda: aws["cloudwatch"].get_metric_data(MetricDataQueries=asked, **span))[0] == "AccessDenied"
        assert server.calls[-1].faults == ("denied",)
        aws["cloudwatch"].list_metrics()
        assert aws["ec2"].describe_volumes()["Volumes"]
        server.world.scenario("throttled", NOW)
        assert refused(aws["ec2"].describe_volumes)[0] == "Throttling"
        assert refused(aws["efs"].describe_file_systems)[0] == "ThrottlingException"
        assert refused(lambda: aws["cloudwatch"].get_metric_data(MetricDataQueries=asked, **span))[0] == "Throttling"
        assert aws["sts"].get_caller_identity()["Account"] == server.world.account_id
        assert server.faults.rules() == []
    finally:
        server.world.scenario("quiet")
    assert aws["ec2"].describe_volumes()["Volumes"]
