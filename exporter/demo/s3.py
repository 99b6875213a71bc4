"""
S3 in its REST-XML dialect, for the settings of buckets (aws-facts 3.4; S3 API Reference, the operations named below).

Buckets are named by the path or by the host. A bucket of another region than the one signed for is answered with 301
`PermanentRedirect`, but for GetBucketLocation, which works from everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, unquote

import orjson

from exporter.demo import s3_bodies
from exporter.demo.buckets import Bucket
from exporter.demo.s3_bodies import Content, Tree
from exporter.demo.wire import (
    REQUEST_ID,
    S3,
    XML_HEAD,
    Reply,
    Request,
    Tweaks,
    WireError,
    cut_page,
    iso,
    namespace,
    refusal,
)
from exporter.demo.world import World

METRICS_PAGE = 100
_SUBRESOURCES = {
    "location": "GetBucketLocation",
    "versioning": "GetBucketVersioning",
    "encryption": "GetBucketEncryption",
    "lifecycle": "GetBucketLifecycleConfiguration",
    "publicAccessBlock": "GetPublicAccessBlock",
    "policyStatus": "GetBucketPolicyStatus",
    "policy": "GetBucketPolicy",
    "tagging": "GetBucketTagging",
    "logging": "GetBucketLogging",
    "replication": "GetBucketReplication",
    "metrics": "ListBucketMetricsConfigurations",
}
_VIRTUAL = re.compile(r"(?P<bucket>.+?)\.(?:s3[.-](?:[a-z0-9-]+\.)*amazonaws\.com(?:\.cn)?|localhost|127\.0\.0\.1)")


def bucket_of(request: Request) -> tuple[str, str]:
    """The bucket and the key a request names, by its host or its path; ``""`` each where it names none."""
    host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
    virtual = _VIRTUAL.fullmatch(host)
    path = unquote(request.path).removeprefix("/")
    if virtual:
        return virtual["bucket"], path
    bucket, _, key = path.partition("/")
    return bucket, key


def operation_of(request: Request) -> str:
    """AWS's name of the operation a request means, ``""`` when it is none of those here."""
    bucket, key = bucket_of(request)
    if request.method != "GET" or key:
        return ""
    given = _parameters(request)
    if not bucket:
        return "ListBuckets"
    if "id" in given:
        return ""
    return next((operation for name, operation in _SUBRESOURCES.items() if name in given), "")


def resource_of(request: Request) -> str:
    """The ARN of what a request is about, as IAM names it."""
    bucket, key = bucket_of(request)
    return f"arn:aws:s3:::{bucket or '*'}" + (f"/{key}" if key else "")


def handle(world: World, request: Request, operation: str, tweaks: Tweaks) -> Reply:
    """
    The answer to one S3 call.

    Raises:
        WireError: as AWS would answer.
    """
    if operation == "ListBuckets":
        return _answer("ListAllMyBucketsResult", _list_buckets(world, request, tweaks))
    if operation not in _HANDLERS and operation != "GetBucketPolicy":
        raise refusal(S3, "unknown-operation", operation=operation)
    bucket = _bucket(world, request, operation)
    if operation == "ListBucketMetricsConfigurations":
        return _answer("ListMetricsConfigurationsResult", _metrics(bucket, request, tweaks))
    if operation == "GetBucketPolicy":
        return Reply(200, "application/json", _policy(bucket), {"x-amz-request-id": REQUEST_ID})
    root, make = _HANDLERS[operation]
    headers: dict[str, str] = {}
    if operation == "GetBucketLifecycleConfiguration":
        headers["x-amz-transition-default-minimum-object-size"] = "all_storage_classes_128K"
    return _answer(root, make(bucket), headers)


def _answer(root: str, content: Content, headers: Mapping[str, str] | None = None) -> Reply:
    body = f'{XML_HEAD}<{root} xmlns="{namespace(S3)}">{s3_bodies.render(content)}</{root}>'
    return Reply(200, "application/xml", body.encode(), {"x-amz-request-id": REQUEST_ID, **(headers or {})})


def _parameters(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.query, keep_blank_values=True))


def _bucket(world: World, request: Request, operation: str) -> Bucket:
    name, _ = bucket_of(request)
    now = world.now()
    found = next((item for item in world.account_buckets() if item.name == name and item.exists(now)), None)
    if found is None:
        message = "The specified bucket does not exist"
        raise WireError("NoSuchBucket", message, 404, details={"BucketName": name})
    if found.region != request.region and operation != "GetBucketLocation":
        raise WireError(
            "PermanentRedirect",
            "The bucket you are attempting to access must be addressed using the specified endpoint. "
            "Please send all future requests to this endpoint.",
            301,
            details={"Endpoint": f"{name}.s3.{found.region}.amazonaws.com", "Bucket": name},
            headers={"x-amz-bucket-region": found.region},
        )
    return found.settings(now)


# --- lists -----------------------------------------------------------------------------------------------------------


def _list_buckets(world: World, request: Request, tweaks: Tweaks) -> Tree:
    given, now = _parameters(request), world.now()
    region = given.get("bucket-region")
    # "Requests made to a Regional endpoint that is different from the bucket-region parameter are not supported"; the
    # code AWS refuses them with is not documented.
    if region not in {None, request.region}:
        raise _invalid("The bucket-region parameter is not that of this endpoint.", "bucket-region", region or "")
    size = given.get("max-buckets")
    if size is not None and not (size.isdigit() and 1 <= int(size) <= 10_000):
        raise _invalid("Argument max-buckets must be an integer between 1 and 10000.", "max-buckets", size)
    prefix = given.get("prefix", "")
    found = sorted(
        (
            item
            for item in world.account_buckets()
            if item.exists(now) and item.name.startswith(prefix) and region in {None, item.region}
        ),
        key=lambda item: item.name,
    )
    token = given.get("continuation-token")
    shown, following = cut_page(found, token, int(size) if size else None, tweaks, code="InvalidArgument")
    with_region = any(name in given for name in ("max-buckets", "continuation-token", "bucket-region", "prefix"))
    buckets: Tree = [("Bucket", _entry(item, with_region=with_region)) for item in shown]
    owner: Tree = [("ID", s3_bodies.owner_id(world.account_id))]
    return [
        ("Owner", owner),
        ("Buckets", buckets),
        ("ContinuationToken", following),
        ("Prefix", given.get("prefix")),
    ]


def _entry(bucket: Bucket, *, with_region: bool) -> Tree:
    region = bucket.region if with_region else None
    return [("Name", bucket.name), ("CreationDate", iso(bucket.created)), ("BucketRegion", region)]


def _invalid(message: str, name: str, value: str) -> WireError:
    return WireError("InvalidArgument", message, 400, details={"ArgumentName": name, "ArgumentValue": value})


def _metrics(bucket: Bucket, request: Request, tweaks: Tweaks) -> Tree:
    token = _parameters(request).get("continuation-token")
    ordered = sorted(bucket.metrics, key=lambda item: item.filter_id)
    shown, following = cut_page(ordered, token, METRICS_PAGE, tweaks, code="InvalidArgument")
    return [
        *(("MetricsConfiguration", s3_bodies.metrics_configuration(item)) for item in shown),
        ("IsTruncated", following is not None),
        ("ContinuationToken", token),
        ("NextContinuationToken", following),
    ]


# --- settings --------------------------------------------------------------------------------------------------------


def _absent(code: str, message: str, bucket: Bucket) -> WireError:
    return WireError(code, message, 404, details={"BucketName": bucket.name})


def _lifecycle(bucket: Bucket) -> Tree:
    if not bucket.lifecycle:
        raise _absent("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", bucket)
    return [("Rule", s3_bodies.lifecycle_rule(rule)) for rule in bucket.lifecycle]


def _access_block(bucket: Bucket) -> Tree:
    block = bucket.public_access_block
    if block is None:
        message = "The public access block configuration was not found"
        raise _absent("NoSuchPublicAccessBlockConfiguration", message, bucket)
    return s3_bodies.access_block(block)


def _policy_status(bucket: Bucket) -> Tree:
    if bucket.policy is None:
        raise _absent("NoSuchBucketPolicy", "The bucket policy does not exist", bucket)
    return [("IsPublic", bucket.policy)]


def _policy(bucket: Bucket) -> bytes:
    """The policy itself, a JSON document rather than XML (S3 API Reference, GetBucketPolicy)."""
    if bucket.policy is None:
        raise _absent("NoSuchBucketPolicy", "The bucket policy does not exist", bucket)
    resources = [bucket.arn, f"{bucket.arn}/*"]
    statements: list[dict[str, object]] = []
    if bucket.policy:
        reading = {"Sid": "Everybody", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
        statements.append({**reading, "Resource": resources[1]})
    if bucket.tls_only:
        plain = {"Bool": {"aws:SecureTransport": "false"}}
        refusal_of_all = {"Sid": "OnlyTls", "Effect": "Deny", "Principal": "*", "Action": "s3:*"}
        statements.append({**refusal_of_all, "Resource": resources, "Condition": plain})
    return orjson.dumps({"Version": "2012-10-17", "Statement": statements})


def _tagging(bucket: Bucket) -> Tree:
    if not bucket.tags:
        raise _absent("NoSuchTagSet", "The TagSet does not exist", bucket)
    return [("TagSet", s3_bodies.tags(bucket.tags))]


def _replication(bucket: Bucket) -> Tree:
    if not bucket.replication:
        message = "The replication configuration was not found"
        raise _absent("ReplicationConfigurationNotFoundError", message, bucket)
    return s3_bodies.replication(bucket)


_HANDLERS: dict[str, tuple[str, Callable[[Bucket], Content]]] = {
    "GetBucketLocation": ("LocationConstraint", s3_bodies.location),
    "GetBucketVersioning": ("VersioningConfiguration", s3_bodies.versioning),
    "GetBucketEncryption": ("ServerSideEncryptionConfiguration", s3_bodies.encryption),
    "GetBucketLifecycleConfiguration": ("LifecycleConfiguration", _lifecycle),
    "GetPublicAccessBlock": ("PublicAccessBlockConfiguration", _access_block),
    "GetBucketPolicyStatus": ("PolicyStatus", _policy_status),
    "GetBucketTagging": ("Tagging", _tagging),
    "GetBucketLogging": ("BucketLoggingStatus", s3_bodies.logging),
    "GetBucketReplication": ("ReplicationConfiguration", _replication),
    "ListBucketMetricsConfigurations": ("ListMetricsConfigurationsResult", lambda _: []),
}
