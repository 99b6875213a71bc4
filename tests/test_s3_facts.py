"""From S3's answers about a bucket to facts: what is said, what is none, what is not known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.model import Scope
from exporter.services.base import Findings
from exporter.services.items import Item
from exporter.services.reader import Answer, Operation
from exporter.services.s3_facts import (
    BUCKET_INFO,
    ENCRYPTION,
    FAMILIES,
    LIFECYCLE,
    LOGGING,
    METRICS,
    OPERATIONS,
    POLICY,
    POLICY_STATUS,
    PUBLIC_ACCESS,
    REPLICATION_RULES,
    TAGGING,
    VERSIONING,
)
from exporter.services.s3_reading import (
    About,
    default_key,
    filter_ids,
    held_for,
    region_of,
    replication_rules,
    say,
    storage_types,
    tags_in,
)

DAY = 86400
SETTINGS = (
    VERSIONING,
    ENCRYPTION,
    LIFECYCLE,
    PUBLIC_ACCESS,
    POLICY_STATUS,
    POLICY,
    LOGGING,
    REPLICATION_RULES,
    METRICS,
)
NONE: dict[Operation, Answer | None] = {
    operation: Answer([{}] if operation in {VERSIONING, LOGGING} else [], 0) for operation in SETTINGS
}
"""What a bucket with nothing set answers: two empty documents, codes for "none", an empty list."""

Said = dict[tuple[str, tuple[str, ...]], float]


def said(about: About, regions: dict[str, str] | None = None, tags: dict[str, str] | None = None) -> Said:
    """Family and labels (without account and region) → value."""
    found = Findings(Scope("123456789012", "eu-west-1"))
    say(found, about, BUCKET_INFO, tags or {}, regions or {})
    result: Said = {}
    for sample in found.samples:
        assert sample.labels[:2] == ("123456789012", "eu-west-1")
        key = (sample.family.name, sample.labels[2:])
        assert key not in result
        assert len(sample.labels) == len(sample.family.labels) or tags
        assert sample.family in FAMILIES
        result[key] = sample.value
    return result


def about(**answers: Any) -> About:
    """A bucket with nothing set but *answers*: by the operation's name, one document or a list of items."""
    by_name = {operation.name: operation for operation in SETTINGS}
    given = {
        by_name[name]: None if value is None else Answer(value if isinstance(value, list) else [value], 0)
        for name, value in answers.items()
    }
    item = {"Name": "loki", "CreationDate": datetime(2026, 1, 1, tzinfo=UTC)}
    return About("loki", item, "", {}, {**NONE, **given})


def rules(*items: Item) -> About:
    return about(GetBucketLifecycleConfiguration={"Rules": list(items)})


def test_a_bucket_with_nothing_set_is_known_to_have_nothing() -> None:
    """None is a fact: zeroes where rules ask whether, no series where there is nothing to tell of."""
    assert said(about()) == {
        ("aws_s3_bucket_info", ("loki", "", "never", "disabled", "", "", "", "")): 1,
        ("aws_s3_bucket_created_timestamp_seconds", ("loki",)): 1767225600,
        ("aws_s3_bucket_versioning_enabled", ("loki",)): 0,
        ("aws_s3_bucket_encryption_enabled", ("loki",)): 0,
        ("aws_s3_bucket_public", ("loki",)): 0,
        ("aws_s3_bucket_transit_encryption_required", ("loki",)): 0,
        ("aws_s3_bucket_public_access_blocked", ("loki",)): 0,
        ("aws_s3_bucket_public_access_block_setting", ("loki", "block_public_acls")): 0,
        ("aws_s3_bucket_public_access_block_setting", ("loki", "ignore_public_acls")): 0,
        ("aws_s3_bucket_public_access_block_setting", ("loki", "block_public_policy")): 0,
        ("aws_s3_bucket_public_access_block_setting", ("loki", "restrict_public_buckets")): 0,
        ("aws_s3_bucket_logging_enabled", ("loki",)): 0,
        ("aws_s3_bucket_replication_enabled", ("loki",)): 0,
        ("aws_s3_bucket_lifecycle_rules", ("loki",)): 0,
        ("aws_s3_bucket_metrics_configurations", ("loki",)): 0,
    }


def test_a_bucket_of_which_nothing_is_known_says_what_the_listing_says() -> None:
    """Denied or not read yet: no zero that would read as an answer."""
    nothing = said(About("loki", {"Name": "loki"}, "loki-chunks"))
    assert nothing == {("aws_s3_bucket_info", ("loki", "loki-chunks", "", "", "", "", "", "")): 1}


@pytest.mark.parametrize("unknown", SETTINGS, ids=lambda operation: operation.name)
def test_what_one_operation_does_not_tell_costs_its_own_facts(unknown: Operation) -> None:
    """Every family belongs to one operation; the others are as they were."""
    whole, less = said(about()), said(about(**{unknown.name: None}))
    own = {
        VERSIONING: {"aws_s3_bucket_versioning_enabled"},
        ENCRYPTION: {"aws_s3_bucket_encryption_enabled"},
        LIFECYCLE: {"aws_s3_bucket_lifecycle_rules"},
        PUBLIC_ACCESS: {"aws_s3_bucket_public_access_blocked", "aws_s3_bucket_public_access_block_setting"},
        POLICY_STATUS: {"aws_s3_bucket_public"},
        POLICY: {"aws_s3_bucket_transit_encryption_required"},
        LOGGING: {"aws_s3_bucket_logging_enabled"},
        REPLICATION_RULES: {"aws_s3_bucket_replication_enabled"},
        METRICS: {"aws_s3_bucket_metrics_configurations"},
    }[unknown]
    assert {name for name, _ in whole} - {name for name, _ in less} == own
    assert {key for key in whole if key[0] not in {*own, "aws_s3_bucket_info"}} < set(less)


@pytest.mark.parametrize(
    ("document", "word", "mfa", "enabled"),
    [
        ({"Status": "Enabled"}, "enabled", "disabled", 1),
        ({"Status": "Enabled", "MFADelete": "Enabled"}, "enabled", "enabled", 1),
        ({"Status": "Suspended", "MFADelete": "Disabled"}, "suspended", "disabled", 0),
        ({}, "never", "disabled", 0),
    ],
)
def test_versioning(document: Item, word: str, mfa: str, enabled: int) -> None:
    """Suspended is not never: what was versioned before still is."""
    facts = said(about(GetBucketVersioning=document))
    assert facts["aws_s3_bucket_info", ("loki", "", word, mfa, "", "", "", "")] == 1
    assert facts["aws_s3_bucket_versioning_enabled", ("loki",)] == enabled


@pytest.mark.parametrize(
    ("default", "key", "asset_key"),
    [
        ({"SSEAlgorithm": "AES256"}, "", ""),
        ({"SSEAlgorithm": "aws:kms"}, "", "alias/aws/s3"),
        ({"SSEAlgorithm": "aws:kms:dsse", "KMSMasterKeyID": "alias/mine"}, "alias/mine", "alias/mine"),
        ({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "arn:aws:kms:a:1:key/k"}, *["arn:aws:kms:a:1:key/k"] * 2),
    ],
)
def test_encryption_and_the_key_behind_it(default: Item, key: str, asset_key: str) -> None:
    """Without a key's name SSE-KMS means AWS's own key; SSE-S3 means none that could be lost."""
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": False}
    bucket = about(GetBucketEncryption={"ServerSideEncryptionConfiguration": {"Rules": [rule]}})
    facts = said(bucket)
    assert facts["aws_s3_bucket_encryption_enabled", ("loki",)] == 1
    labels = ("loki", "", "never", "disabled", default["SSEAlgorithm"], key, "false", "")
    assert facts["aws_s3_bucket_info", labels] == 1
    assert default_key(bucket) == asset_key


@pytest.mark.parametrize(
    "missing", ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]
)
def test_public_access_is_blocked_by_all_four_settings_only(missing: str) -> None:
    """Each of the four leaves a way open."""
    flags = dict.fromkeys(["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"], True)
    whole = said(about(GetPublicAccessBlock={"PublicAccessBlockConfiguration": flags}))
    assert whole["aws_s3_bucket_public_access_blocked", ("loki",)] == 1
    less = said(about(GetPublicAccessBlock={"PublicAccessBlockConfiguration": {**flags, missing: False}}))
    assert less["aws_s3_bucket_public_access_blocked", ("loki",)] == 0
    settings = {key: value for key, value in less.items() if key[0] == "aws_s3_bucket_public_access_block_setting"}
    assert sorted(settings.values()) == [0, 1, 1, 1]


@pytest.mark.parametrize(("document", "public"), [({"IsPublic": True}, 1), ({"IsPublic": False}, 0)])
def test_public_by_its_policy(document: Item, public: int) -> None:
    """S3 itself judges the policy."""
    assert said(about(GetBucketPolicyStatus={"PolicyStatus": document}))["aws_s3_bucket_public", ("loki",)] == public


def test_logging_names_its_target() -> None:
    """An empty document is logging that is off, see above; a target is logging that is on."""
    facts = said(about(GetBucketLogging={"LoggingEnabled": {"TargetBucket": "logs", "TargetPrefix": "x/"}}))
    assert facts["aws_s3_bucket_logging_enabled", ("loki",)] == 1
    assert ("aws_s3_bucket_info", ("loki", "", "never", "disabled", "", "", "", "logs")) in facts


def test_lifecycle_rules_that_are_on_say_when() -> None:
    """Each age by its rule and what it holds for, in seconds; the shortest expiry; a rule that is off only as info."""
    whole = {"ID": "whole", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 30}}
    narrow = {
        "ID": "narrow",
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": "fake/", "Tags": [{"Key": "a", "Value": "b"}], "ObjectSizeGreaterThan": 500}},
        "Expiration": {"Days": 7},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 3},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        "Transitions": [{"Days": 0, "StorageClass": "INTELLIGENT_TIERING"}, {"Days": 90, "StorageClass": "GLACIER"}],
    }
    off = {"ID": "off", "Status": "Disabled", "Prefix": "old/", "Expiration": {"Days": 1}}
    date = {
        "ID": "date",
        "Status": "Enabled",
        "Filter": {"Prefix": "d/"},
        "Expiration": {"Date": datetime(2027, 1, 1, tzinfo=UTC)},
    }
    marker = {"ID": "m", "Status": "Enabled", "Filter": {}, "Expiration": {"ExpiredObjectDeleteMarker": True}}
    lifecycle = {
        (name.removeprefix("aws_s3_bucket_lifecycle_"), labels): value
        for (name, labels), value in said(rules(whole, narrow, off, date, marker)).items()
        if "_lifecycle_" in name
    }
    narrowed = ("loki", "narrow", "fake/", "tag:a=b,size>500")
    assert lifecycle == {
        ("rules", ("loki",)): 4,
        ("shortest_expiration_seconds", ("loki",)): 7 * DAY,
        ("rule_info", ("loki", "whole", "", "", "Enabled", "")): 1,
        ("rule_info", (*narrowed, "Enabled", "")): 1,
        ("rule_info", ("loki", "off", "old/", "", "Disabled", "")): 1,
        ("rule_info", ("loki", "date", "d/", "", "Enabled", "")): 1,
        ("rule_info", ("loki", "m", "", "", "Enabled", "true")): 1,
        ("expiration_seconds", ("loki", "whole", "", "")): 30 * DAY,
        ("expiration_seconds", narrowed): 7 * DAY,
        ("noncurrent_expiration_seconds", narrowed): 2 * DAY,
        ("newer_noncurrent_versions", narrowed): 3,
        ("abort_incomplete_seconds", narrowed): DAY,
        ("transition_seconds", (*narrowed, "INTELLIGENT_TIERING")): 0,
        ("transition_seconds", (*narrowed, "GLACIER")): 90 * DAY,
        ("expiration_timestamp_seconds", ("loki", "date", "d/", "")): 1798761600,
    }


@pytest.mark.parametrize(
    ("rule", "holds_for"),
    [
        ({}, ("", "")),
        ({"Prefix": "old/"}, ("old/", "")),
        ({"Filter": {"Prefix": ""}}, ("", "")),
        ({"Filter": {"Prefix": "new/"}}, ("new/", "")),
        ({"Filter": {"Tag": {"Key": "a", "Value": ""}}}, ("", "tag:a=")),
        ({"Filter": {"ObjectSizeLessThan": 0}}, ("", "size<0")),
        ({"Filter": {"AccessPointArn": "arn:x"}}, ("", "access_point=arn:x")),
        (
            {"Filter": {"And": {"Prefix": "p", "Tags": [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]}}},
            ("p", "tag:a=1,tag:b=2"),
        ),
    ],
)
def test_what_a_rule_holds_for(rule: Item, holds_for: tuple[str, str]) -> None:
    """Both ways AWS writes it, one text for each; the order in which tags come does not matter."""
    assert held_for(rule) == holds_for


def replicating(**destination: Any) -> About:
    rule = {
        "ID": "copy",
        "Status": "Enabled",
        "Destination": {"Bucket": "arn:aws-cn:s3:::replica", **destination},
    }
    return about(GetBucketReplication={"ReplicationConfiguration": {"Role": "r", "Rules": [rule]}})


@pytest.mark.parametrize(
    ("destination", "metrics", "time_control"),
    [
        ({}, False, False),
        ({"Metrics": {"Status": "Enabled"}}, True, False),
        ({"Metrics": {"Status": "Disabled"}}, False, False),
        ({"ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}}}, True, True),
    ],
)
def test_replication(destination: Item, metrics: bool, time_control: bool) -> None:
    """Time control brings metrics along; the destination's region is known of the account's own buckets."""
    bucket = replicating(**destination)
    facts = said(bucket, {"replica": "cn-north-1"})
    words = [str(metrics).lower(), str(time_control).lower()]
    labels = ("loki", "copy", "replica", "cn-north-1", "Enabled", "", *words)
    assert facts["aws_s3_bucket_replication_rule_info", labels] == 1
    assert facts["aws_s3_bucket_replication_enabled", ("loki",)] == 1
    assert [rule.metrics for rule in replication_rules(bucket)] == [metrics]
    unknown = ("loki", "copy", "replica", "", "Enabled", "", *words)
    assert said(bucket)["aws_s3_bucket_replication_rule_info", unknown] == 1


def test_metrics_configurations_are_the_filters_of_cloudwatch() -> None:
    """Their ids are what CloudWatch is asked with."""
    items = [{"Id": "Entire"}, {"Id": "chunks", "Filter": {"Prefix": "fake/"}}]
    bucket = about(ListBucketMetricsConfigurations=items)
    facts = said(bucket)
    assert facts["aws_s3_bucket_metrics_configurations", ("loki",)] == 2
    assert facts["aws_s3_bucket_metrics_configuration_info", ("loki", "Entire", "", "")] == 1
    assert facts["aws_s3_bucket_metrics_configuration_info", ("loki", "chunks", "fake/", "")] == 1
    assert filter_ids(bucket) == ["Entire", "chunks"]
    assert filter_ids(about(ListBucketMetricsConfigurations=None)) == []


@pytest.mark.parametrize(
    ("constraint", "region"),
    [(None, "us-east-1"), ("", "us-east-1"), ("EU", "eu-west-1"), ("ap-southeast-3", "ap-southeast-3")],
)
def test_the_region_of_a_location(constraint: str | None, region: str) -> None:
    """The two oldest have names of their own."""
    assert region_of(constraint) == region


def test_storage_types_are_those_listed() -> None:
    """By bucket, each once; a metric of other dimensions is another metric."""

    def metric(**dimensions: str) -> Item:
        return {"Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()]}

    answer = Answer(
        [
            metric(BucketName="a", StorageType="StandardStorage"),
            metric(StorageType="GlacierStorage", BucketName="a"),
            metric(BucketName="a", StorageType="StandardStorage"),
            metric(BucketName="b", FilterId="Entire"),
            metric(BucketName="c", StorageType="StandardIAStorage"),
            {},
        ],
        0,
    )
    assert storage_types(answer) == {"a": ["GlacierStorage", "StandardStorage"], "c": ["StandardIAStorage"]}


def test_tags() -> None:
    """No tags, tags not known, and tags."""
    assert tags_in(None) == tags_in(Answer([], 0)) == {}
    assert tags_in(Answer([{"TagSet": [{"Key": "team", "Value": "a"}]}], 0)) == {"team": "a"}


def test_operations_name_iam_actions_as_iam_does() -> None:
    """They differ from the operations' names (aws-facts 3.4); what has no resource level is allowed on all."""
    assert {operation.name: operation.action for operation in OPERATIONS} == {
        "ListBuckets": "s3:ListAllMyBuckets",
        "GetBucketLocation": "s3:GetBucketLocation",
        "GetBucketTagging": "s3:GetBucketTagging",
        "GetBucketVersioning": "s3:GetBucketVersioning",
        "GetBucketEncryption": "s3:GetEncryptionConfiguration",
        "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
        "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
        "GetBucketPolicyStatus": "s3:GetBucketPolicyStatus",
        "GetBucketPolicy": "s3:GetBucketPolicy",
        "GetBucketLogging": "s3:GetBucketLogging",
        "GetBucketReplication": "s3:GetReplicationConfiguration",
        "ListBucketMetricsConfigurations": "s3:GetMetricsConfiguration",
        "ListMetrics": "cloudwatch:ListMetrics",
    }
    assert {operation.name for operation in OPERATIONS if operation.on == ("*",)} == {"ListBuckets", "ListMetrics"}
    assert all("NoSuchBucket" in each.gone for each in OPERATIONS if each.api == "s3" and each.name != "ListBuckets")
    assert TAGGING.absent == {"NoSuchTagSet"}
