"""The simulated AWS lets in what is signed as it should be, in each dialect, and nothing else."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.parsers import create_parser

from exporter.demo import DemoServer, World, WorldClock, run_in_thread
from exporter.demo.sigv4 import Key
from tests.demo_clients import NOW, client, clients, refused

CALLS = {
    "ec2": "describe_regions",
    "efs": "describe_file_systems",
    "cloudwatch": "list_metrics",
    "sts": "get_caller_identity",
}


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with run_in_thread(World(1, WorldClock(NOW))) as running:
        yield running


def code(server: DemoServer, service: str, **changes: Any) -> tuple[str, int]:
    """What botocore makes of the refusal of a call with these credentials."""
    with clients(server, service, **changes) as (made,):
        return refused(getattr(made, CALLS[service]))


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("ec2", ("AuthFailure", 401)),
        ("efs", ("InvalidSignatureException", 403)),
        ("cloudwatch", ("SignatureDoesNotMatch", 403)),
        ("sts", ("SignatureDoesNotMatch", 403)),
    ],
)
def test_a_wrong_secret_is_refused(server: DemoServer, service: str, expected: tuple[str, int]) -> None:
    """Each service in its own words."""
    assert code(server, service, aws_secret_access_key="wrong") == expected


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("ec2", ("AuthFailure", 401)),
        ("efs", ("UnrecognizedClientException", 403)),
        ("cloudwatch", ("InvalidClientTokenId", 403)),
        ("sts", ("InvalidClientTokenId", 403)),
    ],
)
def test_an_unknown_key_is_refused(server: DemoServer, service: str, expected: tuple[str, int]) -> None:
    """Each service in its own words; a session token that is not the key's is as bad as an unknown key."""
    assert code(server, service, aws_access_key_id="AKIAUNKNOWN") == expected
    assert code(server, service, aws_session_token="another") == expected


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("ec2", ("RequestExpired", 400)),
        ("efs", ("ExpiredTokenException", 403)),
        ("cloudwatch", ("ExpiredToken", 403)),
        ("sts", ("ExpiredToken", 403)),
    ],
)
def test_a_session_that_ended_is_refused(server: DemoServer, service: str, expected: tuple[str, int]) -> None:
    """Sessions work until their end, by the real clock, whatever the world's says."""
    arn = "arn:aws:sts::123456789012:assumed-role/a/b"
    account = server.world.account_id
    server.add_key(Key("ASIALIVING", "secret", account, arn, "token", time.time() + 60))
    server.add_key(Key("ASIAENDED", "secret", account, arn, "token", time.time() - 1))
    session = {"aws_secret_access_key": "secret", "aws_session_token": "token"}
    with clients(server, service, aws_access_key_id="ASIALIVING", **session) as (made,):
        getattr(made, CALLS[service])()
    assert code(server, service, aws_access_key_id="ASIAENDED", **session) == expected


@pytest.mark.parametrize("off", [-901, 901])
def test_a_request_of_another_time_is_refused(off: float) -> None:
    """A signature holds for 15 minutes before and after its date."""
    with run_in_thread(World.empty(), wall=lambda: time.time() + off) as server:
        assert code(server, "sts") == ("SignatureDoesNotMatch", 403)


def signed(
    server: DemoServer,
    service: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: str = "",
    tamper: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a request signed by botocore's signer; *tamper* changes headers after signing."""
    request = AWSRequest(method, server.url + path, data=body, headers=headers)
    credentials = Credentials(server.access_key_id, server.secret_access_key)
    SigV4Auth(credentials, service, server.world.region).add_auth(request)
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=5)
    try:
        connection.request(method, path, body.encode(), {**dict(request.headers.items()), **(tamper or {})})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


def test_what_was_signed_is_what_came(server: DemoServer) -> None:
    """A body, query or header changed on the way is noticed."""
    body = "Action=GetCallerIdentity&Version=2011-06-15"
    headers = {**FORM, "X-Amz-Meta": "  two   blanks "}
    assert signed(server, "sts", "POST", "/", headers, body)[0] == 200
    for tamper in ({"X-Amz-Meta": "other"}, {"X-Amz-Date": "20260101T000000Z"}, {"X-Amz-Added": "unsigned"}):
        assert signed(server, "sts", "POST", "/", headers, body, tamper)[0] == 403
    assert signed(server, "sts", "POST", "/", headers, body, {"Authorization": "Basic abc"})[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/2015-02-01/resource-tags/arn%3Aaws%3Aelasticfilesystem%3Aap-southeast-3%3A123456789012%3Afile-system%2F{id}",
        "/2015-02-01/file-systems?MaxItems=2&FileSystemId={id}",
        "/2015-02-01/file-systems?FileSystemId={id}&CreationToken=a%20b%2Bc%2Fd~e",
    ],
)
def test_paths_and_queries_are_canonical(server: DemoServer, path: str) -> None:
    """Escaped paths and unsorted, escaped queries verify as botocore signs them."""
    system = server.world.file_system("media").file_system_id
    status, _, _ = signed(server, "elasticfilesystem", "GET", path.format(id=system), {})
    assert status == 200


@pytest.mark.parametrize(
    ("path", "headers", "body", "error"),
    [
        ("/", FORM, "Action=DescribeVolumes&Version=2016-11-15", b"<Code>MissingAuthenticationToken</Code>"),
        ("/", FORM, "Action=GetCallerIdentity&Version=2011-06-15", b"<Code>MissingAuthenticationToken</Code>"),
        ("/2015-02-01/file-systems", {}, "", b'"ErrorCode":"MissingAuthenticationTokenException"'),
        ("/", {"X-Amz-Target": "GraniteServiceVersion20100801.ListMetrics"}, "{}", b"MissingAuthenticationTokenExc"),
    ],
)
def test_unsigned_requests_are_refused_in_the_dialect_they_speak(
    server: DemoServer, path: str, headers: dict[str, str], body: str, error: bytes
) -> None:
    """Without a scope the service is known by the request's shape."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=5)
    try:
        connection.request("POST" if body else "GET", path, body, headers)
        answer = connection.getresponse()
        assert answer.status == 403
        assert error in answer.read()
    finally:
        connection.close()


def cloudwatch_parsed(operation: str, status: int, headers: dict[str, str], body: bytes) -> Any:
    """An answer in the query dialect, read by botocore's parser of that dialect."""
    model = botocore.session.get_session().get_service_model("cloudwatch").operation_model(operation)
    answer = {"status_code": status, "headers": headers, "body": body}
    assert model.output_shape
    return create_parser("query").parse(answer, model.output_shape)


def test_cloudwatch_also_speaks_query(server: DemoServer) -> None:
    """GetMetricData, ListMetrics and errors in the dialect of older clients say the same as in JSON."""
    volume = server.world.volume("data-postgres-0").volume_id
    head = "MetricDataQueries.member.1."
    asked = {
        "Action": "GetMetricData",
        "Version": "2010-08-01",
        "StartTime": "2026-08-23T09:50:00Z",
        "EndTime": "2026-08-23T10:00:00Z",
        "ScanBy": "TimestampAscending",
        f"{head}Id": "m0",
        f"{head}MetricStat.Metric.Namespace": "AWS/EBS",
        f"{head}MetricStat.Metric.MetricName": "VolumeIdleTime",
        f"{head}MetricStat.Metric.Dimensions.member.1.Name": "VolumeId",
        f"{head}MetricStat.Metric.Dimensions.member.1.Value": volume,
        f"{head}MetricStat.Period": "60",
        f"{head}MetricStat.Stat": "Sum",
    }
    answer = cloudwatch_parsed("GetMetricData", *signed(server, "monitoring", "POST", "/", FORM, urlencode(asked)))
    (result,) = answer["MetricDataResults"]
    known = server.world.points(
        "AWS/EBS", "VolumeIdleTime", frozenset({("VolumeId", volume)}), "Sum", 60, NOW - 600, NOW
    )
    stamps = [stamp.timestamp() for stamp in result["Timestamps"]]
    assert list(zip(stamps, result["Values"], strict=True)) == known
    listed = {
        "Action": "ListMetrics",
        "Version": "2010-08-01",
        "Namespace": "AWS/EBS",
        "Dimensions.member.1.Name": "VolumeId",
        "Dimensions.member.1.Value": volume,
    }
    answer = cloudwatch_parsed("ListMetrics", *signed(server, "monitoring", "POST", "/", FORM, urlencode(listed)))
    made = client(server, "cloudwatch")
    spoken = made.list_metrics(Namespace="AWS/EBS", Dimensions=[{"Name": "VolumeId", "Value": volume}])
    made.close()
    assert answer["Metrics"] == spoken["Metrics"]
    wrong = {**asked, f"{head}MetricStat.Period": "7"}
    status, headers, body = signed(server, "monitoring", "POST", "/", FORM, urlencode(wrong))
    assert cloudwatch_parsed("GetMetricData", status, headers, body)["Error"]["Code"] == "ValidationError"
