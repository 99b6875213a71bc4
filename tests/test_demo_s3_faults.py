"""The simulated S3 refuses as S3 does: signatures over the path as it stands, and every kind of fault in its words."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth

from exporter.demo import KINDS, DemoServer
from exporter.demo.sigv4 import Key
from tests.demo_clients import clients, refused
from tests.demo_s3 import ARCHIVE, UPLOADS, code_of, raw, two_regions


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with two_regions() as running:
        yield running


@pytest.fixture(scope="module")
def s3(server: DemoServer) -> Iterator[Any]:
    with clients(server, "s3") as (made,):
        yield made


@pytest.fixture(autouse=True)
def _calm(server: DemoServer) -> None:
    server.faults.clear()
    server.clear_calls()


# --- signatures ------------------------------------------------------------------------------------------------------


def test_the_path_is_signed_as_it_stands(server: DemoServer) -> None:
    """S3 neither removes empty segments nor encodes twice; a signature that does is refused."""
    for target in ("/bucket//key", "/bucket/a/../b", "/bucket/one%20two%2Bthree"):
        status, _, body = raw(server, target)
        assert (status, code_of(body)) == (405, "MethodNotAllowed")  # let in; objects are not simulated
        with_hash = {"x-amz-content-sha256": hashlib.sha256(b"").hexdigest()}
        status, _, body = raw(server, target, signer=SigV4Auth, headers=with_hash)
        assert (status, code_of(body)) == (403, "SignatureDoesNotMatch")


def test_the_payload_hash_is_the_bodys_or_unsigned(server: DemoServer) -> None:
    """What x-amz-content-sha256 states is signed and then held against the body."""
    for stated, expected in (
        ("UNSIGNED-PAYLOAD", (200, None)),
        (hashlib.sha256(b"").hexdigest(), (200, None)),
        (hashlib.sha256(b"another").hexdigest(), (400, "XAmzContentSHA256Mismatch")),
    ):

        class Stating(S3SigV4Auth):
            def payload(self, _: Any, stated: str = stated) -> str:
                return stated

        status, _, body = raw(server, f"/{UPLOADS}?location", signer=Stating)
        assert (status, code_of(body) or None) == expected


def test_a_request_without_a_payload_hash_is_refused(server: DemoServer) -> None:
    """S3 needs the header x-amz-content-sha256."""
    assert raw(server, f"/{UPLOADS}?location", signer=SigV4Auth)[0] == 403


def test_wrong_signatures_and_credentials(server: DemoServer, s3: Any) -> None:
    """Each in S3's words: a spoiled signature, a wrong secret, an unknown key, an ended session, none at all."""
    status, _, body = raw(server, "/", spoil=lambda header: header[:-4] + "0000")
    assert (status, code_of(body)) == (403, "SignatureDoesNotMatch")
    server.add_key(Key("AKIAENDED", "secret", server.world.account_id, "arn", "token", time.time() - 1))
    for changes, expected in (
        ({"aws_secret_access_key": "wrong"}, ("SignatureDoesNotMatch", 403)),
        ({"aws_access_key_id": "AKIAUNKNOWN"}, ("InvalidAccessKeyId", 403)),
        (
            {"aws_access_key_id": "AKIAENDED", "aws_secret_access_key": "secret", "aws_session_token": "token"},
            ("ExpiredToken", 400),
        ),
    ):
        with clients(server, "s3", **changes) as (made,):
            assert refused(made.list_buckets) == expected
    status, _, body = raw(server, f"/{UPLOADS}?tagging", spoil=lambda _: "")
    assert (status, code_of(body)) == (403, "AccessDenied")
    assert s3.list_buckets()["Buckets"]


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle-400", "SlowDown", 503),
        ("throttle-503", "SlowDown", 503),
        ("error-500", "InternalError", 500),
        ("denied", "AccessDenied", 403),
        ("expired", "ExpiredToken", 400),
        ("unknown-operation", "MethodNotAllowed", 405),
    ],
)
def test_faults_are_spelled_as_s3_does(server: DemoServer, s3: Any, kind: str, code: str, status: int) -> None:
    """The rule hits S3 only, on lists as on settings, and the call is written down with it."""
    server.faults.add(kind, service="s3")
    assert refused(s3.list_buckets) == (code, status)
    assert refused(lambda: s3.get_bucket_tagging(Bucket=UPLOADS)) == (code, status)
    assert [(call.error, call.faults) for call in server.calls] == [(code, (kind,))] * 2
    with clients(server, "sts") as (sts,):
        assert sts.get_caller_identity()["Account"] == server.world.account_id


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("get_bucket_location", "s3:GetBucketLocation"),
        ("get_bucket_versioning", "s3:GetBucketVersioning"),
        ("get_bucket_encryption", "s3:GetEncryptionConfiguration"),
        ("get_bucket_lifecycle_configuration", "s3:GetLifecycleConfiguration"),
        ("get_public_access_block", "s3:GetBucketPublicAccessBlock"),
        ("get_bucket_policy_status", "s3:GetBucketPolicyStatus"),
        ("get_bucket_tagging", "s3:GetBucketTagging"),
        ("get_bucket_logging", "s3:GetBucketLogging"),
        ("get_bucket_replication", "s3:GetReplicationConfiguration"),
        ("list_bucket_metrics_configurations", "s3:GetMetricsConfiguration"),
        ("list_buckets", "s3:ListAllMyBuckets"),
    ],
)
def test_a_denial_names_user_action_and_resource(server: DemoServer, s3: Any, operation: str, action: str) -> None:
    """The action is IAM's, which is often not the operation's name (aws-facts 3.4)."""
    server.faults.add("denied", service="s3", operation=s3.meta.method_to_api_mapping[operation])
    given = {} if operation == "list_buckets" else {"Bucket": ARCHIVE}
    with pytest.raises(s3.exceptions.ClientError) as caught:
        getattr(s3, operation)(**given)
    message = caught.value.response["Error"]["Message"]
    resource = f"arn:aws:s3:::{ARCHIVE if given else '*'}"
    assert f"User: arn:aws:iam::{server.world.account_id}:user/demo is not" in message
    assert f'perform: {action} on resource: "{resource}"' in message


def test_faults_choose_operations_and_count(server: DemoServer, s3: Any) -> None:
    """A rule for one operation spares the others, and ends after its count."""
    server.faults.add("throttle-503", service="s3", operation="GetBucketEncryption", count=1)
    assert s3.get_bucket_logging(Bucket=UPLOADS)["LoggingEnabled"]
    assert refused(lambda: s3.get_bucket_encryption(Bucket=UPLOADS)) == ("SlowDown", 503)
    assert s3.get_bucket_encryption(Bucket=UPLOADS)["ServerSideEncryptionConfiguration"]


def test_small_pages_loops_and_an_empty_account(server: DemoServer, s3: Any) -> None:
    """Pages as small as asked lose nothing; the loop gives its token for ever; an empty account has no bucket."""
    server.faults.add("small-pages", service="s3", size=5)
    pages = list(s3.get_paginator("list_buckets").paginate())
    assert [len(page["Buckets"]) for page in pages] == [5, 5, 5, 1]
    first = s3.list_bucket_metrics_configurations(Bucket=UPLOADS)
    assert first["IsTruncated"] is False
    server.faults.clear()
    server.faults.add("small-pages", service="s3", size=2)
    first = s3.list_bucket_metrics_configurations(Bucket=UPLOADS)
    assert (first["IsTruncated"], len(first["MetricsConfigurationList"])) == (True, 2)
    server.faults.clear()
    server.faults.add("token-loop", service="s3")
    token = s3.list_buckets(MaxBuckets=3)["ContinuationToken"]
    assert s3.list_buckets(MaxBuckets=3, ContinuationToken=token)["ContinuationToken"] == token
    server.faults.clear()
    server.faults.add("empty", service="s3")
    assert s3.list_buckets().get("Buckets", []) == []
    assert refused(lambda: s3.get_bucket_tagging(Bucket=UPLOADS)) == ("NoSuchBucket", 404)


def test_broken_answers(server: DemoServer, s3: Any) -> None:
    """Cut, truncated and malformed bodies are no answers; a hanging one is given up, a slow one is the right one."""
    for kind in ("cut", "truncated", "malformed"):  # botocore takes an S3 body that is not XML for an internal error
        server.faults.add(kind, service="s3", count=1)
        assert refused(s3.list_buckets)[0] == "500"
    server.faults.add("slow", service="s3", count=1, seconds=0.2)
    begun = time.monotonic()
    assert s3.list_buckets()["Buckets"]
    assert time.monotonic() - begun >= 0.2
    server.faults.add("hang", service="s3", count=1, seconds=30)
    with pytest.raises(TimeoutError):
        raw(server, "/", timeout=0.2)
    server.faults.add("error", service="s3", count=1, code="OperationAborted", message="again", status=409)
    assert refused(s3.list_buckets) == ("OperationAborted", 409)
    assert {kind for call in server.calls for kind in call.faults} <= set(KINDS)
