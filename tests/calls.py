"""What the exporter calls, held to the IAM policy it prints: whatever a test lets it ask must be allowed there."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import yaml

from exporter.config import Config, parse
from exporter.demo.server import Call
from exporter.model import Tier
from exporter.policy import policy
from exporter.services.registry import SERVICES

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


@functools.cache
def allowed() -> frozenset[str]:
    """The actions of the policy for everything, and what needs none of it."""
    # Who may assume a role is for that role to say; whoever has credentials may ask whose they are.
    by_trust = {"sts:GetCallerIdentity", "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"}
    return frozenset(actions_of(parse(yaml.safe_dump({"services": EVERYTHING}), {}, "the test")) | by_trust)


def remember(calls: Iterable[Call]) -> None:
    """Fail where the exporter has called what its policy does not allow."""
    ours = [call for call in calls if "storage-exporter/" in call.user_agent and call.operation]  # "": was not let in
    made = {allowed_by(call.service, call.operation) for call in ours}
    assert made <= allowed(), f"not in the policy: {', '.join(sorted(made - allowed()))}"
