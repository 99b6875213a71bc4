"""The IAM policy: every action exists and only reads, and the calls of every test are within it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from policy_sentry.querying.actions import get_actions_for_service, get_actions_with_access_level

from exporter.config import Config
from exporter.demo.server import Call
from exporter.policy import policy
from exporter.services.registry import SERVICES
from tests.calls import EVERYTHING, actions_of, allowed, allowed_by, remember
from tests.harness import T, config_of, line

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


async def test_the_calls_of_a_pass_are_within_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pass calls is what the policy allows; every test with a server is held to that too (`remember`)."""
    async with line(monkeypatch) as over:
        await over.run(T)
        made = {allowed_by(call.service, call.operation) for call in over.server.calls}
    assert made >= {"ec2:DescribeVolumes", "elasticfilesystem:DescribeMountTargets", "cloudwatch:GetMetricData"}
    assert made <= allowed()


def test_a_call_beyond_the_policy_fails_the_test_that_made_it() -> None:
    """A call that is not allowed is named; one of another program, or one that was not let in, is not ours."""
    call = Call("s3", "GetObject", 200, "storage-exporter/0", "AKIA", 0.0, 0.0)
    with pytest.raises(AssertionError, match="s3:GetObject"):
        remember([call])
    remember([replace(call, user_agent="aws-cli/2"), replace(call, operation="")])
