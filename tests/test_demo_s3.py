"""The simulated S3 over its wire, read by plain boto3: settings, absences, pages, redirects, signatures, faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest

from exporter.demo import DemoServer, World, WorldClock, run_in_thread
from exporter.demo.bucket_rows import REPLICA, REPLICA_REGION, key_arn, of_region
from exporter.demo.buckets import Bucket, Filter, MetricsConfiguration, PublicAccessBlock
from exporter.demo.tables import AWKWARD_TAGS, REGION
from tests.demo_clients import NOW, clients, refused
from tests.demo_s3 import ANALYTICS, ARCHIVE, BACKUPS, LEGACY, UPLOADS, WEBSITE, code_of, raw, two_regions


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


# --- lists -----------------------------------------------------------------------------------------------------------


def test_every_bucket_of_the_account_is_listed_without_its_region(s3: Any) -> None:
    """ListBuckets knows the account, whichever region is asked; a region comes only with a paging parameter."""
    listed = s3.list_buckets()["Buckets"]
    known = {item.name: item for item in (*of_region(1), *of_region(1, REPLICA_REGION))}
    assert [item["Name"] for item in listed] == sorted(known)
    assert {item["Name"]: item["CreationDate"].timestamp() for item in listed} == {
        name: item.created for name, item in known.items()
    }
    assert all("BucketRegion" not in item for item in listed)
    names = {f"officeless-{name}-production" for name in ("mimir", "mimir-alertmanager", "mimir-ruler")}
    names |= {f"officeless-{name}-production" for name in ("loki-chunks", "loki-ruler", "tempo")}
    assert names < set(known)


def test_a_parameter_of_paging_or_choice_brings_the_region(server: DemoServer, s3: Any) -> None:
    """max-buckets pages with a token, bucket-region and prefix choose; each answer then names regions."""
    pages = list(s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 4}))
    listed = [item for page in pages for item in page["Buckets"]]
    assert [len(page["Buckets"]) for page in pages] == [4, 4, 4, 4]
    assert {item["BucketRegion"] for item in listed} == {REGION, REPLICA_REGION}
    assert len({item["Name"] for item in listed}) == 16
    assert all(call.operation == "ListBuckets" for call in server.calls)
    here = s3.list_buckets(BucketRegion=REGION)["Buckets"]
    assert len(here) == 15
    chosen = s3.list_buckets(Prefix="officeless-mimir")
    assert chosen["Prefix"] == "officeless-mimir"
    assert [item["BucketRegion"] for item in chosen["Buckets"]] == [REGION] * 3
    with clients(server, "s3", region_name=REPLICA_REGION) as (other,):
        assert [item["Name"] for item in other.list_buckets(BucketRegion=REPLICA_REGION)["Buckets"]] == [REPLICA]
        assert len(other.list_buckets()["Buckets"]) == 16


@pytest.mark.parametrize(
    "wrong", [{"MaxBuckets": 10_001}, {"BucketRegion": "eu-west-1"}, {"ContinuationToken": "none-of-ours"}]
)
def test_wrong_parameters_of_list_buckets_are_refused(s3: Any, wrong: dict[str, Any]) -> None:
    """InvalidArgument: too large a page, another endpoint's region, a foreign token."""
    assert refused(lambda: s3.list_buckets(**wrong)) == ("InvalidArgument", 400)


def test_buckets_come_and_go() -> None:
    """A bucket is listed and answers from its creation to its end, no longer."""
    clock = WorldClock(NOW)
    with run_in_thread(World(1, clock)) as server, clients(server, "s3") as (s3,):
        server.world.add_bucket("fresh", at=NOW + 60, versioning="Enabled")
        server.world.delete_bucket("fresh", NOW + 120)
        seen = []
        for offset in (0, 60, 120):
            clock.set(NOW + offset)
            listed = "fresh" in {item["Name"] for item in s3.list_buckets()["Buckets"]}
            seen.append((listed, refused_or(lambda: s3.get_bucket_versioning(Bucket="fresh")["Status"])))
    assert seen == [(False, "NoSuchBucket"), (True, "Enabled"), (False, "NoSuchBucket")]


def refused_or(call: Callable[[], str]) -> str:
    got: list[str] = []
    try:
        return refused(lambda: got.append(call()))[0]
    except AssertionError:
        return got[0]


def test_metrics_configurations_come_in_pages_of_a_hundred(server: DemoServer, s3: Any) -> None:
    """230 configurations: three pages, each once, with their filters."""
    many = tuple(MetricsConfiguration(f"F{number:03d}", Filter(f"p{number}/")) for number in range(230))
    server.world.add_bucket(Bucket("many-filters", REGION, metrics=many))
    found: dict[str, str] = {}
    sizes: list[int] = []
    token: dict[str, str] = {}
    while True:
        page = s3.list_bucket_metrics_configurations(Bucket="many-filters", **token)
        sizes.append(len(page["MetricsConfigurationList"]))
        found |= {item["Id"]: item["Filter"]["Prefix"] for item in page["MetricsConfigurationList"]}
        assert page["IsTruncated"] is ("NextContinuationToken" in page)
        if not page["IsTruncated"]:
            break
        token = {"ContinuationToken": page["NextContinuationToken"]}
    server.world.delete_bucket("many-filters", NOW - 1)
    assert sizes == [100, 100, 30]
    assert found == {item.filter_id: item.filter.prefix for item in many}


# --- settings --------------------------------------------------------------------------------------------------------


def test_versioning_and_location(s3: Any) -> None:
    """Enabled with MFA, suspended, never: then there is no status at all."""
    status = {name: s3.get_bucket_versioning(Bucket=name) for name in (BACKUPS, ARCHIVE, LEGACY, UPLOADS)}
    assert (status[BACKUPS]["Status"], status[BACKUPS]["MFADelete"]) == ("Enabled", "Enabled")
    assert (status[ARCHIVE]["Status"], status[ARCHIVE]["MFADelete"]) == ("Suspended", "Disabled")
    assert "Status" not in status[LEGACY]
    assert "MFADelete" not in status[UPLOADS]
    assert s3.get_bucket_location(Bucket=LEGACY)["LocationConstraint"] == REGION


def test_encryption(s3: Any) -> None:
    """AES256, the own key with a bucket key, AWS's key (no id), double encryption."""

    def of(name: str) -> tuple[str, str | None, bool]:
        (rule,) = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        default = rule["ApplyServerSideEncryptionByDefault"]
        return default["SSEAlgorithm"], default.get("KMSMasterKeyID"), rule["BucketKeyEnabled"]

    assert of(LEGACY) == ("AES256", None, False)
    assert of(UPLOADS) == ("aws:kms", key_arn(1), True)
    assert of(BACKUPS) == ("aws:kms", None, False)
    assert of(ARCHIVE) == ("aws:kms:dsse", None, False)
    assert of("officeless-mimir-production") == ("aws:kms", key_arn(1), True)


def test_lifecycle(s3: Any) -> None:
    """Rules with their filters, transitions, ends of noncurrent versions and of uploads; dates; the old form."""
    answer = s3.get_bucket_lifecycle_configuration(Bucket=UPLOADS)
    assert answer["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    rules = {item["ID"]: item for item in answer["Rules"]}
    assert [item["Status"] for item in rules.values()] == ["Enabled", "Enabled", "Enabled", "Disabled"]
    assert rules["abort-incomplete-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert rules["abort-incomplete-uploads"]["Filter"] == {}
    noncurrent = rules["old-versions"]["NoncurrentVersionExpiration"]
    assert noncurrent == {"NoncurrentDays": 30, "NewerNoncurrentVersions": 3}
    scans = rules["scans"]
    assert scans["Filter"]["And"]["Prefix"] == "scans/"
    assert scans["Filter"]["And"]["Tags"] == [{"Key": "kind", "Value": "scan"}, {"Key": "keep", "Value": "no"}]
    assert [(item["Days"], item["StorageClass"]) for item in scans["Transitions"]] == [
        (30, "STANDARD_IA"),
        (90, "GLACIER"),
    ]
    assert scans["Expiration"] == {"Days": 730}
    assert rules["previews"]["Filter"] == {"Tag": {"Key": "kind", "Value": "preview"}}
    dated, tier = s3.get_bucket_lifecycle_configuration(Bucket=ARCHIVE)["Rules"]
    assert dated["Expiration"]["Date"].timestamp() % 86_400 == 0
    assert tier["Expiration"] == {"ExpiredObjectDeleteMarker": True}
    old = s3.get_bucket_lifecycle_configuration(Bucket=ANALYTICS)["Rules"][0]
    assert (old["Prefix"], "Filter" in old) == ("tmp/", False)


def test_access_policy_tags_and_logging(s3: Any) -> None:
    """Full and partial blocks, public and other policies, tags to the last character, logs on and off."""
    block = s3.get_public_access_block(Bucket=WEBSITE)["PublicAccessBlockConfiguration"]
    assert [block[name] for name in sorted(block)] == [True, False, True, False]
    assert all(s3.get_public_access_block(Bucket=UPLOADS)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_policy_status(Bucket=WEBSITE)["PolicyStatus"] == {"IsPublic": True}
    assert s3.get_bucket_policy_status(Bucket=UPLOADS)["PolicyStatus"] == {"IsPublic": False}
    tags = s3.get_bucket_tagging(Bucket=WEBSITE)["TagSet"]
    assert tuple((item["Key"], item["Value"]) for item in tags) == AWKWARD_TAGS
    logging = s3.get_bucket_logging(Bucket=UPLOADS)["LoggingEnabled"]
    assert logging == {"TargetBucket": "officeless.access.logs", "TargetPrefix": "uploads/"}
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=LEGACY)


def test_replication_and_metrics_configurations(s3: Any) -> None:
    """One rule with RTC and metrics, one without; filters of metrics, none for the whole bucket."""
    first, second = s3.get_bucket_replication(Bucket=UPLOADS)["ReplicationConfiguration"]["Rules"]
    assert first["Destination"]["Bucket"] == f"arn:aws:s3:::{REPLICA}"
    assert first["Destination"]["Metrics"] == {"Status": "Enabled", "EventThreshold": {"Minutes": 15}}
    assert first["Destination"]["ReplicationTime"]["Status"] == "Enabled"
    assert not {"Metrics", "ReplicationTime"} & set(second["Destination"])
    configurations = s3.list_bucket_metrics_configurations(Bucket=UPLOADS)["MetricsConfigurationList"]
    assert {item["Id"]: item.get("Filter") for item in configurations} == {
        "EntireBucket": None,
        "Exports": {"Prefix": "exports/"},
        "Scans": {"And": {"Prefix": "scans/", "Tags": [{"Key": "kind", "Value": "scan"}]}},
    }
    assert "MetricsConfigurationList" not in s3.list_bucket_metrics_configurations(Bucket=BACKUPS)


OPERATIONS = (
    "get_bucket_location",
    "get_bucket_versioning",
    "get_bucket_encryption",
    "get_bucket_lifecycle_configuration",
    "get_public_access_block",
    "get_bucket_policy_status",
    "get_bucket_tagging",
    "get_bucket_logging",
    "get_bucket_replication",
    "list_bucket_metrics_configurations",
)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_there_is_no_such_bucket(server: DemoServer, s3: Any, operation: str) -> None:
    """Every operation says so, and is written down under AWS's name with the bucket."""
    assert refused(lambda: getattr(s3, operation)(Bucket="no-such-bucket")) == ("NoSuchBucket", 404)
    call = server.calls[-1]
    assert (call.service, call.operation) == ("s3", s3.meta.method_to_api_mapping[operation])
    assert (call.status, call.parameters["Bucket"]) == (404, "no-such-bucket")


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_public_access_block", "NoSuchPublicAccessBlockConfiguration"),
        ("get_bucket_policy_status", "NoSuchBucketPolicy"),
        ("get_bucket_tagging", "NoSuchTagSet"),
        ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
    ],
)
def test_what_is_not_set_is_404(s3: Any, operation: str, code: str) -> None:
    """Each absence has its own code (aws-facts 3.4)."""
    assert refused(lambda: getattr(s3, operation)(Bucket=LEGACY)) == (code, 404)


def test_a_bucket_can_be_changed(server: DemoServer, s3: Any) -> None:
    """What a test changes is answered from then on."""
    before = server.world.bucket(LEGACY)
    server.world.update_bucket(LEGACY, public_access_block=PublicAccessBlock(block_acls=False), tags=(("a", "b"),))
    try:
        block = s3.get_public_access_block(Bucket=LEGACY)["PublicAccessBlockConfiguration"]
        assert (block["BlockPublicAcls"], block["BlockPublicPolicy"]) == (False, True)
        assert s3.get_bucket_tagging(Bucket=LEGACY)["TagSet"] == [{"Key": "a", "Value": "b"}]
    finally:
        server.world.add_bucket(before)


# --- regions, addresses, signatures ----------------------------------------------------------------------------------


def test_another_regions_bucket_is_redirected(server: DemoServer) -> None:
    """301 with the bucket's region in a header, which boto3 follows; GetBucketLocation works from everywhere."""
    status, headers, body = raw(server, f"/{REPLICA}?versioning")
    assert (status, code_of(body), headers["x-amz-bucket-region"]) == (301, "PermanentRedirect", REPLICA_REGION)
    assert ET.fromstring(body).findtext("Endpoint") == f"{REPLICA}.s3.{REPLICA_REGION}.amazonaws.com"
    server.clear_calls()
    with clients(server, "s3", region_name="eu-west-1") as (far,):
        assert far.get_bucket_versioning(Bucket=ARCHIVE)["Status"] == "Suspended"
        assert far.get_bucket_location(Bucket=REPLICA)["LocationConstraint"] == REPLICA_REGION
    assert [call.status for call in server.calls] == [301, 200, 200]


def test_buckets_are_named_by_path_or_host(server: DemoServer) -> None:
    """Both ways of addressing reach the same bucket, names with dots as well."""
    for name, status in ((UPLOADS, "Enabled"), ("officeless.access.logs", None)):
        hosts = ("", f"{name}.s3.{REGION}.amazonaws.com", f"{name}.localhost:{urlsplit(server.url).port}")
        bodies = [raw(server, "/?versioning" if host else f"/{name}?versioning", host=host)[2] for host in hosts]
        assert len(set(bodies)) == 1
        assert ET.fromstring(bodies[0]).findtext("{*}Status") == status
    assert {call.operation for call in server.calls} == {"GetBucketVersioning"}
    listed = raw(server, "/", host=f"s3.{REGION}.amazonaws.com")
    assert (listed[0], server.calls[-1].operation) == (200, "ListBuckets")
