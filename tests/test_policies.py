"""Which resource policies require TLS: AWS's own wordings, near misses, and whatever else may stand there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.services.policies import requires_tls

DENY: dict[str, Any] = {
    "Sid": "OnlyTls",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def policy(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"AWS": ["*"]}},
        {"Action": "*"},
        {"Action": ["elasticfilesystem:*"]},
        {"Condition": {"Bool": {"aws:securetransport": ["false"]}}},
        {"Condition": {"Bool": {"AWS:SecureTransport": False}}},
    ],
)
def test_everybody_is_denied_everything_without_tls(change: dict[str, Any]) -> None:
    """As consoles, documentation and Terraform modules write it."""
    assert requires_tls(policy({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}, {**DENY, **change}))
    assert requires_tls(json.dumps({"Statement": {**DENY, **change}}))


@pytest.mark.parametrize(
    "change",
    [
        {"Effect": "Allow"},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Principal": {"Service": "*"}},
        {"NotPrincipal": "*", "Principal": None},
        {"Action": "s3:PutObject"},
        {"Action": None, "NotAction": "s3:*"},
        {"Condition": None},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": ["false", "true"]}}},
        {"Condition": {"BoolIfExists": {"aws:SecureTransport": "false"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": "false"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": "false", "aws:PrincipalIsAWSService": "false"}}},
        {"Condition": {"NumericLessThan": {"s3:TlsVersion": 1.2}}},
    ],
)
def test_what_leaves_a_way_around_does_not_require_it(change: dict[str, Any]) -> None:
    """Somebody, something or some place is spared."""
    assert not requires_tls(policy({**DENY, **change}))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', '{"Statement": "x"}', '{"Statement": [1, null, []]}'])
def test_what_is_no_policy_requires_nothing(text: str) -> None:
    """It is never an error."""
    assert not requires_tls(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["*", "Deny", "false"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*DENY, "Bool", "aws:SecureTransport", "AWS"]), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(_JSON, st.text())
def test_nothing_raises(statement: object, text: str) -> None:
    """Whatever stands in a policy, or instead of one."""
    assert requires_tls(policy(statement)) in {True, False}
    assert requires_tls(text) in {True, False}
