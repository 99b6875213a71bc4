"""The IAM policy: every action exists and only reads, and the calls of the whole test run are within it."""

from __future__ import annotations

import pytest
from policy_sentry.querying.actions import get_actions_for_service, get_actions_with_access_level

from exporter.config import Config
from exporter.model import Tier
from exporter.policy import policy
from exporter.services.registry import SERVICES
from tests.harness import SEEN, config_of

EVERYTHING = {name: {"tiers": [tier.value for tier in Tier]} for name in SERVICES}
IAM_PREFIX = {"monitoring": "cloudwatch"}
"""Where IAM's prefix is not the name requests are signed for."""

S3_ACTIONS = {
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "ListBucketMetricsConfigurations": "GetMetricsConfiguration",
    "ListBuckets": "ListAllMyBuckets",
}
"""S3 operations that IAM calls otherwise (Service Authorization Reference; aws-facts 3.4)."""


def allowed_by(service: str, operation: str) -> str:
    """The IAM action that allows an operation, by the name its requests are signed for."""
    name = S3_ACTIONS.get(operation, operation) if service == "s3" else operation
    return f"{IAM_PREFIX.get(service, service)}:{name}"


def actions_of(config: Config) -> set[str]:
    return {action for statement in policy(config)["Statement"] for action in statement["Action"]}


PREFIXES = sorted({action.partition(":")[0] for action in actions_of(config_of(services=EVERYTHING))})


@pytest.mark.parametrize("prefix", PREFIXES)
def test_actions_exist_and_only_read(prefix: str) -> None:
    """AWS's own table of actions knows each of them, at access level Read or List."""
    ours = {action for action in actions_of(config_of(services=EVERYTHING)) if action.startswith(f"{prefix}:")}
    assert ours <= set(get_actions_for_service(prefix))
    reading = {action for level in ("Read", "List") for action in get_actions_with_access_level(prefix, level)}
    assert ours <= reading


def test_what_is_off_needs_no_permission() -> None:
    """A service that is disabled, or a kind nobody asks about, is not in the policy."""
    only_efs = actions_of(config_of(services={name: {"enabled": name == "efs"} for name in SERVICES}))
    assert {action.split(":")[0] for action in only_efs} == {"cloudwatch", "elasticfilesystem"}
    assert "ec2:DescribeFastSnapshotRestores" not in actions_of(Config())
    assert "ec2:DescribeFastSnapshotRestores" in actions_of(config_of(services=EVERYTHING))


def test_partitions() -> None:
    """The ARNs follow the partition."""
    resources = [statement["Resource"] for statement in policy(Config(), "aws-cn")["Statement"]]
    assert [
        "arn:aws-cn:elasticfilesystem:*:*:file-system/*",
        "arn:aws-cn:elasticfilesystem:*:*:access-point/*",
    ] in resources


def test_statements_are_named_and_as_narrow_as_aws_allows() -> None:
    """Every Sid once; what is about buckets or keys is allowed on buckets and keys, only lists on everything."""
    statements = {each["Sid"]: each for each in policy(Config())["Statement"]}
    assert len(statements) == len(policy(Config())["Statement"])
    assert statements["S3"]["Resource"] == "arn:aws:s3:::*"
    assert statements["S3Listing"]["Action"] == ["cloudwatch:ListMetrics", "s3:ListAllMyBuckets"]
    assert statements["ProtectionKms"]["Resource"] == "arn:aws:kms:*:*:key/*"
    assert statements["ProtectionKms"]["Action"] == ["kms:DescribeKey"]
    # Nothing inside a bucket is ever read.
    assert not {"s3:GetObject", "s3:ListBucket"} & actions_of(config_of(services=EVERYTHING))


@pytest.mark.last
def test_the_calls_of_the_whole_run_are_within_the_policy(request: pytest.FixtureRequest) -> None:
    """Every operation the servers of this run were asked by the exporter is allowed by the policy for everything."""
    # Who may assume a role is for that role to say; whoever has credentials may ask whose they are.
    by_trust = {"sts:GetCallerIdentity", "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"}
    allowed = actions_of(config_of(services=EVERYTHING)) | by_trust
    made = {allowed_by(service, operation) for service, operation in SEEN}
    assert made <= allowed
    if any(item.path.name == "test_survive_faults.py" for item in request.session.items):
        assert made >= {"ec2:DescribeVolumes", "elasticfilesystem:DescribeMountTargets", "cloudwatch:GetMetricData"}
