"""The wire itself: signatures, endpoints, proxies, certificates, and answers that are not what they seem."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from exporter.aws.clients import Endpoint
from exporter.aws.metricdata import body_of, signed_headers
from exporter.aws.session import Frozen
from exporter.errors import ConfigError, DeadlineError, TransientError
from tests.aws_wire import OPERATION, PLANES, REGION, both_planes, running, serving, simulated_aws, told, volumes

GOOD = {
    "ec2": b"<DescribeVolumesResponse><volumeSet/></DescribeVolumesResponse>",
    "cloudwatch": b'{"MetricDataResults": [], "Messages": []}',
}


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


# ---- what is sent --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (None, {"MetricDataQueries": [], "StartTime": 60, "EndTime": 120}),
        ('a"b\\', {"MetricDataQueries": [], "StartTime": 60, "EndTime": 120, "NextToken": 'a"b\\'}),
    ],
)
def test_the_body_is_the_head_with_times_and_token(token: str | None, expected: object) -> None:
    """Whole seconds as AWS's JSON takes them; a token with any characters."""
    assert orjson.loads(body_of(b'{"MetricDataQueries":[]', 60, 120, token)) == expected


@pytest.mark.parametrize("session", ["", "IQoJsession"])
def test_the_signature_is_that_of_sigv4_over_what_is_sent(session: str) -> None:
    """Signed again from the headers as sent, by botocore's signer in the same second, it is byte-equal."""
    endpoint = Endpoint("https://monitoring.ap-southeast-3.amazonaws.com/", REGION, "monitoring")
    body = body_of(b'{"MetricDataQueries":[]', 60, 120, None)
    credentials = Frozen("AKIAIOSFODNN7EXAMPLE", "secret", session, None, "env")
    for _ in range(3):  # the second may turn between the two signatures
        sent = signed_headers(endpoint, body, credentials, "storage-exporter/0")
        kept = {name: value for name, value in sent.items() if name not in {"Authorization", "X-Amz-Date"}}
        request = AWSRequest("POST", endpoint.url, headers=kept, data=body)
        keys = ReadOnlyCredentials("AKIAIOSFODNN7EXAMPLE", "secret", session or None)
        SigV4Auth(keys, "monitoring", REGION).add_auth(request)
        if request.headers["X-Amz-Date"] == sent["X-Amz-Date"]:
            break
    assert request.headers["Authorization"] == sent["Authorization"]
    assert sent.get("X-Amz-Security-Token", "") == session
    assert sent["X-Amz-Target"] == "GraniteServiceVersion20100801.GetMetricData"


async def test_every_request_names_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's logs show who asks, on both planes."""
    async with simulated_aws(monkeypatch) as demo:
        async with running() as runtime:
            access = runtime.open(REGION)
            for call in PLANES.values():
                await call(access)
        assert len(demo.calls) == 2
        assert all("storage-exporter/0" in call.user_agent for call in demo.calls)


async def test_a_service_can_have_an_endpoint_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_ENDPOINT_URL is for all, AWS_ENDPOINT_URL_CLOUDWATCH and a path below it for one."""
    paths: list[str] = []

    async def cloudwatch(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(body=GOOD["cloudwatch"])

    async with simulated_aws(monkeypatch) as demo, serving(cloudwatch) as url, running() as runtime:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", f"{url}/vpce")
        access = runtime.open(REGION)
        for call in PLANES.values():
            assert await call(access)
        assert [call.operation for call in demo.calls] == ["DescribeVolumes"]
    assert paths == ["/vpce/"]


@both_planes
async def test_requests_go_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch, plane: str) -> None:
    """HTTP_PROXY is asked for the whole URL; a host in NO_PROXY is asked directly."""
    asked: list[str] = []

    async def proxy(request: web.Request) -> web.Response:
        asked.append(str(request.url))
        return web.Response(body=GOOD[plane])

    async def direct(_: web.Request) -> web.Response:
        return web.Response(body=GOOD[plane])

    async with serving(proxy) as proxy_url, serving(direct) as direct_url:
        monkeypatch.setenv("HTTP_PROXY", proxy_url)
        monkeypatch.setenv("http_proxy", proxy_url)
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://aws.test:8080")
        async with running() as runtime:
            assert await PLANES[plane](runtime.open(REGION))
        assert asked == ["http://aws.test:8080/"]
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", direct_url)
        async with running() as runtime:
            assert await PLANES[plane](runtime.open(REGION))
    assert len(asked) == 1


# ---- certificates --------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 nobody has signed, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


@both_planes
async def test_an_endpoint_with_a_certificate_of_its_own_needs_aws_ca_bundle(
    monkeypatch: pytest.MonkeyPatch, plane: str, certificate: Path
) -> None:
    """Without the bundle the error says so; with it both planes trust it."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=GOOD[plane])

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with serving(answer, ssl_context=context) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        async with running() as runtime:
            with pytest.raises(TransientError, match="AWS_CA_BUNDLE"):
                await PLANES[plane](runtime.open(REGION))
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
        async with running() as runtime:
            assert await PLANES[plane](runtime.open(REGION))


async def test_a_bundle_that_cannot_be_read_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked, with the file's name."""
    monkeypatch.setenv("AWS_CA_BUNDLE", "/no/such/bundle.pem")
    with pytest.raises(ConfigError, match=r"/no/such/bundle\.pem"):
        async with running():
            pytest.fail("started without its certificates")


# ---- what comes back -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plane", "body"),
    [
        ("cloudwatch", b""),
        ("cloudwatch", b"{}"),
        ("cloudwatch", b"[]"),
        ("cloudwatch", b"null"),
        ("cloudwatch", b'{"MetricDataResults": {}}'),
        ("cloudwatch", b'{"MetricDataResults": [{"Id": "q0", "Val'),
        ("cloudwatch", b"<html>sign in</html>"),
        ("ec2", b""),
        ("ec2", b"<html><body>sign in</body></html>"),
        ("ec2", b"<DescribeVolumesResponse><volumeSet><item><volumeId>vol-1"),
        ("ec2", b"<DescribeSnapshotsResponse><snapshotSet/></DescribeSnapshotsResponse>"),
        ("ec2", b"{}"),
    ],
)
async def test_a_success_that_is_no_answer_is_never_an_empty_one(
    monkeypatch: pytest.MonkeyPatch, plane: str, body: bytes
) -> None:
    """An empty account is a fact; a sign-in page, another's answer or half an answer is not."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    telling = told()
    async with serving(answer) as url, running(telling) as runtime:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(TransientError) as raised:
            await PLANES[plane](runtime.open(REGION))
    assert raised.value.code == "Malformed"
    assert telling.value("aws_errors_total", operation=OPERATION[plane], code="Malformed") == 4


@pytest.mark.parametrize("body", [b"", b"null", b'{"FileSystems": [{"FileSystemId": "fs-1"', b"<html/>"])
async def test_half_a_json_list_is_never_an_empty_one(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """Botocore itself reads what is no JSON as an answer without members."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async with serving(answer) as url, running() as runtime:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(TransientError, match="Malformed"):
            await runtime.open(REGION).read_all("efs", "DescribeFileSystems", "FileSystems", {}, aws_service="efs")


S3_GOOD = {
    "ListBuckets": b"<ListAllMyBucketsResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><Buckets/>"
    b"</ListAllMyBucketsResult>",
    "GetBucketLocation": b'<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint/>',
    "GetBucketVersioning": b"<VersioningConfiguration/>",
    "GetBucketTagging": b"<Tagging><TagSet/></Tagging>",
    "GetBucketEncryption": b"<ServerSideEncryptionConfiguration><Rule/></ServerSideEncryptionConfiguration>",
    "GetBucketLifecycleConfiguration": b"<LifecycleConfiguration/>",
    "GetPublicAccessBlock": b"<s3:PublicAccessBlockConfiguration xmlns:s3='x'/>",
    "GetBucketPolicy": b'{"Version": "2012-10-17", "Statement": []}',
    "GetBucketPolicyStatus": b"<PolicyStatus><IsPublic>true</IsPublic></PolicyStatus>",
    "GetBucketLogging": b"<!-- off -->\n<BucketLoggingStatus/>",
    "GetBucketReplication": b"<ReplicationConfiguration><Role>r</Role></ReplicationConfiguration>",
    "ListBucketMetricsConfigurations": b"<ListMetricsConfigurationsResult/>",
}


async def _s3(bodies: list[bytes], operation: str, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What one call each makes of *bodies*: the answer, or the error's code."""
    body = b""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/xml")

    params = {} if operation == "ListBuckets" else {"Bucket": "loki"}
    found: list[object] = []
    async with serving(answer) as url, running() as runtime:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        for body in bodies:  # noqa: B007 - the server reads it
            try:
                found.append(await runtime.open(REGION).call("s3", operation, params, aws_service="s3"))
            except TransientError as error:
                found.append(error.code)
    return found


@pytest.mark.parametrize("operation", S3_GOOD)
async def test_a_success_of_s3_is_its_own_document_or_none(monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    """
    A bucket without versioning, logging or a region's name is a fact that S3 tells with an empty document. An empty
    body, a sign-in page, another operation's document or half of one is not.
    """
    good = S3_GOOD[operation]
    half = good.partition(b"?>\n")[2] or good.partition(b"-->\n")[2] or good
    cut = half.replace(b"/>", b">").partition(b">")[0] + b"><Rule><Stat"
    other = b"[]" if operation == "GetBucketPolicy" else b"{}"
    bad = [b"", b" ", other, b"<!doctype html><html><body>sign in", b"<html/>", b"<ListBucketResult/>", b"half", cut]
    first, *others, last = await _s3([good, *bad, good], operation, monkeypatch)
    assert isinstance(first, dict)
    assert others == ["Malformed"] * len(bad)
    assert last == first


async def test_what_documents_of_s3_hold_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the answer is one member, and where the document is one text."""
    status = await _s3([S3_GOOD["GetBucketPolicyStatus"]], "GetBucketPolicyStatus", monkeypatch)
    assert status == [{"PolicyStatus": {"IsPublic": True}}]
    stand_in = b"<GetBucketVersioningResponse><Status>Enabled</Status></GetBucketVersioningResponse>"
    assert await _s3([stand_in], "GetBucketVersioning", monkeypatch) == [{"Status": "Enabled"}]
    where = b"<LocationConstraint xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>EU</LocationConstraint>"
    found = await _s3([where, b"<LocationConstraint/>"], "GetBucketLocation", monkeypatch)
    assert found == [{"LocationConstraint": "EU"}, {"LocationConstraint": None}]


@both_planes
@pytest.mark.parametrize(("status", "code"), [(500, "HTTP500"), (502, "HTTP502"), (503, "HTTP503"), (504, "HTTP504")])
async def test_a_gateway_that_fails_in_html_keeps_its_status(
    monkeypatch: pytest.MonkeyPatch, plane: str, status: int, code: str
) -> None:
    """What stands before AWS does not speak its dialects; the status is what there is to count."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text="<!doctype html><p>down", content_type="text/html")

    async with serving(answer) as url, running() as runtime:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(TransientError) as raised:
            await PLANES[plane](runtime.open(REGION))
    assert (type(raised.value), raised.value.code) == (TransientError, code)


@both_planes
async def test_an_answer_that_trickles_is_cut_off_in_time(monkeypatch: pytest.MonkeyPatch, plane: str) -> None:
    """A byte now and then keeps any read timeout alive; the call is over all the same, and so is the exchange."""
    left = asyncio.Event()

    async def trickle(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Length": "100000"})
        await stream.prepare(request)
        try:
            while True:
                await stream.write(b" ")
                await asyncio.sleep(0.02)
        finally:
            left.set()

    async with serving(trickle) as url, running(deadline=0.9) as runtime:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        async with asyncio.timeout(60):
            with pytest.raises(DeadlineError) as raised:
                await PLANES[plane](runtime.open(REGION))
            assert raised.value.code == "Timeout"
            await asyncio.wait_for(left.wait(), 60)


async def test_nobody_listening_is_a_connection_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the host in the message, after four attempts."""

    async def never(_: web.Request) -> web.Response:
        return web.Response()

    async with serving(never) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    async with running() as runtime:
        with pytest.raises(TransientError, match=r"Connection: 127\.0\.0\.1"):
            await volumes(runtime.open(REGION))


async def test_thirty_two_threads_are_enough_for_two_hundred_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls beyond the pool wait for a thread, not for ever."""
    async with simulated_aws(monkeypatch), running(aws_concurrency=200) as runtime:
        access = runtime.open(REGION)
        answers = await asyncio.gather(
            *(access.call("sts", "GetCallerIdentity", {}, aws_service="sts") for _ in range(200))
        )
    assert len({answer["Account"] for answer in answers}) == 1
