"""S3 against moto's server, an AWS somebody else wrote: settings and values come back as put through boto3."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.moto_aws import REGION, client, moto, once, put, values_of

__all__ = ["moto"]

AWAY = "us-east-1"
DAY = 86400
LACKING = {"ListBucketMetricsConfigurations"}
"""moto 5 has no metrics configurations and answers with a list of objects: that is no answer."""
CONFIG = """
tags: [team]
services:
  ebs: {enabled: false}
  efs: {enabled: false}
  protection: {enabled: false}
  elasticache: {enabled: false}
  s3:
    components: {"acme-(?P<part>loki|tempo)": "${part}"}
    select: {exclude: {tags: {skip: "yes"}}}
"""


def set_up(s3: Any, far: Any) -> None:
    """A bucket with everything set, one with nothing, one that is left out, one in another region."""
    here = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
    for name in ("acme-loki", "plain", "skipped", "logs", "tls-only"):
        s3.create_bucket(Bucket=name, **here)
    far.create_bucket(Bucket="acme-far")
    far.put_bucket_versioning(Bucket="acme-far", VersioningConfiguration={"Status": "Enabled"})
    loki = {"Bucket": "acme-loki"}
    s3.put_bucket_versioning(**loki, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_versioning(Bucket="logs", VersioningConfiguration={"Status": "Suspended"})
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": f"arn:aws:kms:{REGION}:123456789012:key/k"}
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(**loki, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_public_access_block(
        **loki,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": False,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_public_access_block(
        Bucket="logs",
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    plain = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::tls-only", "arn:aws:s3:::tls-only/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket="tls-only", Policy=json.dumps({"Version": "2012-10-17", "Statement": [plain]}))
    everyone = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::acme-loki/*"}
    s3.put_bucket_policy(**loki, Policy=json.dumps({"Version": "2012-10-17", "Statement": [everyone]}))
    s3.put_bucket_tagging(**loki, Tagging={"TagSet": [{"Key": "team", "Value": 'ob"s\\€'}]})
    s3.put_bucket_tagging(Bucket="skipped", Tagging={"TagSet": [{"Key": "skip", "Value": "yes"}]})
    delivery = 'uri="http://acs.amazonaws.com/groups/s3/LogDelivery"'
    s3.put_bucket_acl(Bucket="logs", GrantWrite=delivery, GrantReadACP=delivery)
    s3.put_bucket_logging(
        **loki, BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "logs", "TargetPrefix": "loki/"}}
    )
    s3.put_bucket_lifecycle_configuration(
        **loki,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "expire",
                    "Status": "Enabled",
                    "Filter": {"And": {"Prefix": "fake/", "Tags": [{"Key": "a", "Value": "b"}]}},
                    "Expiration": {"Days": 31},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
                },
                {
                    "ID": "abort",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
                },
                {"ID": "off", "Status": "Disabled", "Filter": {"Prefix": "x"}, "Expiration": {"Days": 1}},
            ]
        },
    )
    s3.put_bucket_replication(
        **loki,
        ReplicationConfiguration={
            "Role": "arn:aws:iam::123456789012:role/replicate",
            "Rules": [
                {
                    "ID": "copy",
                    "Priority": 1,
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "DeleteMarkerReplication": {"Status": "Disabled"},
                    "Destination": {
                        "Bucket": "arn:aws:s3:::acme-far",
                        "StorageClass": "STANDARD_IA",
                        "Metrics": {"Status": "Enabled"},
                    },
                }
            ],
        },
    )


def test_once_against_moto(moto: str, tmp_path: Any) -> None:
    """Settings and datapoints come back as they were put; what moto lacks fails alone and is named."""
    set_up(client(moto, "s3"), client(moto, "s3", AWAY))
    here, there = client(moto, "cloudwatch"), client(moto, "cloudwatch", AWAY)
    day, minute = int(time.time()) // DAY * DAY - 2 * DAY, int(time.time()) // 60 * 60 - 300
    bucket = {"BucketName": "acme-loki"}
    size = ("AWS/S3", "BucketSizeBytes")
    put(here, size, {**bucket, "StorageType": "StandardStorage"}, [5e12, 6e12], day, period=DAY)
    put(here, size, {**bucket, "StorageType": "StandardIAStorage"}, [7.5e9], day, period=DAY)
    put(
        here,
        ("AWS/S3", "NumberOfObjects"),
        {**bucket, "StorageType": "AllStorageTypes"},
        [1e6, 1234567.0],
        day,
        period=DAY,
    )
    rule = {"SourceBucket": "acme-loki", "DestinationBucket": "acme-far", "RuleId": "copy"}
    put(there, ("AWS/S3", "ReplicationLatency"), rule, [12.0, 3.0, 4.5], minute, period=60)
    put(there, ("AWS/S3", "BytesPendingReplication"), rule, [1e6, 5e8, 0.0], minute, period=60)
    put(here, ("AWS/S3", "BytesPendingReplication"), rule, [9e9], minute, period=60)  # where nobody must look
    put(here, ("AWS/S3", "OperationsFailedReplication"), rule, [2.0], minute, period=60)

    code, answer, stderr = once(moto, tmp_path, config=CONFIG)

    values = values_of(answer)

    loki = {"bucket": "acme-loki", "region": REGION, "account_id": "123456789012"}
    copied = {**loki, "destination_bucket": "acme-far", "rule_id": "copy"}
    expiring = {**loki, "rule_id": "expire", "prefix": "fake/", "filter": "tag:a=b"}
    expected: list[tuple[str, dict[str, str], float]] = [
        ("aws_s3_bucket_size_bytes", {**loki, "storage_type": "StandardStorage"}, 6e12),
        ("aws_s3_bucket_size_bytes", {**loki, "storage_type": "StandardIAStorage"}, 7.5e9),
        ("aws_s3_bucket_objects", loki, 1234567),
        ("aws_s3_bucket_newest_datapoint_timestamp_seconds", loki, day + DAY),
        ("aws_s3_bucket_versioning_enabled", loki, 1),
        ("aws_s3_bucket_versioning_enabled", {"bucket": "plain"}, 0),
        ("aws_s3_bucket_versioning_enabled", {"bucket": "logs"}, 0),
        ("aws_s3_bucket_encryption_enabled", loki, 1),
        ("aws_s3_bucket_encryption_enabled", {"bucket": "plain"}, 0),
        ("aws_s3_bucket_public", loki, 1),
        ("aws_s3_bucket_public", {"bucket": "plain"}, 0),
        ("aws_s3_bucket_transit_encryption_required", loki, 0),
        ("aws_s3_bucket_transit_encryption_required", {"bucket": "tls-only"}, 1),
        ("aws_s3_bucket_transit_encryption_required", {"bucket": "plain"}, 0),
        ("aws_s3_bucket_public_access_blocked", loki, 0),
        ("aws_s3_bucket_public_access_blocked", {"bucket": "logs"}, 1),
        ("aws_s3_bucket_public_access_block_setting", {**loki, "setting": "block_public_acls"}, 1),
        ("aws_s3_bucket_public_access_block_setting", {**loki, "setting": "block_public_policy"}, 0),
        ("aws_s3_bucket_logging_enabled", loki, 1),
        ("aws_s3_bucket_logging_enabled", {"bucket": "logs"}, 0),
        ("aws_s3_bucket_replication_enabled", loki, 1),
        ("aws_s3_bucket_replication_enabled", {"bucket": "plain"}, 0),
        ("aws_s3_bucket_lifecycle_rules", loki, 2),
        ("aws_s3_bucket_lifecycle_rules", {"bucket": "plain"}, 0),
        ("aws_s3_bucket_lifecycle_expiration_seconds", expiring, 31 * DAY),
        ("aws_s3_bucket_lifecycle_noncurrent_expiration_seconds", expiring, 7 * DAY),
        ("aws_s3_bucket_lifecycle_abort_incomplete_seconds", {**loki, "prefix": "", "filter": ""}, 3 * DAY),
        ("aws_s3_bucket_lifecycle_shortest_expiration_seconds", loki, 31 * DAY),
        ("aws_s3_bucket_lifecycle_rule_info", {**loki, "rule_id": "off", "status": "Disabled", "prefix": "x"}, 1),
        ("aws_s3_bucket_replication_latency_seconds", copied, 12),
        ("aws_s3_bucket_replication_pending_bytes", copied, 5e8),
        ("aws_s3_bucket_replication_failed_operations", copied, 2),
        (
            "aws_s3_bucket_replication_rule_info",
            {**copied, "destination_region": AWAY, "status": "Enabled", "storage_class": "STANDARD_IA"},
            1,
        ),
        ("aws_s3_bucket_replication_rule_info", {"metrics_enabled": "true", "time_control_enabled": "false"}, 1),
        (
            "aws_s3_bucket_info",
            {
                **loki,
                "bucket_component": "loki",
                "versioning": "enabled",
                "encryption": "aws:kms",
                "kms_key_id": f"arn:aws:kms:{REGION}:123456789012:key/k",
                "bucket_key_enabled": "true",
                "logging_target_bucket": "logs",
                "tag_team": 'ob"s\\€',
            },
            1,
        ),
        ("aws_s3_bucket_info", {"bucket": "plain", "bucket_component": "", "versioning": "never", "encryption": ""}, 1),
        ("aws_s3_bucket_info", {"bucket": "logs", "versioning": "suspended"}, 1),
    ]
    for name, labels, value in expected:
        assert values(name, **labels) == [value], (name, labels)

    created = {each["labels"]["bucket"]: each["value"] for each in answer["samples"] if "_created_" in each["name"]}
    assert created.keys() == {"acme-loki", "plain", "logs", "tls-only"}
    assert all(abs(at - time.time()) < 3600 for at in created.values())
    # Nobody put these, so nobody shows them: no size of another region's bucket, no rule that is off, no zero.
    assert values("aws_s3_bucket_replication_pending_operations") == []
    assert values("aws_s3_bucket_lifecycle_expiration_seconds", rule_id="off") == []
    assert values("aws_s3_bucket_size_bytes", bucket="acme-far") == []
    assert values("aws_s3_bucket_info", bucket="skipped") == []
    assert values("aws_s3_bucket_metrics_configurations") == []

    assert {each["operation"] for each in answer["failures"]} == LACKING
    assert code == 1
    assert "ListBucketMetricsConfigurations: " in stderr
