"""Who the exporter must be: the provider that has to answer, and the role the credentials have to be of."""

from __future__ import annotations

import pytest

from exporter.aws.identity import missing, unwanted, wrong_role

ROLE = "arn:aws:iam::123456789012:role/team/storage-exporter"


@pytest.mark.parametrize(
    ("wanted", "environ", "says"),
    [
        ("auto", {}, ""),
        ("profile", {}, ""),
        ("pod-identity", {}, "made after this pod"),
        ("pod-identity", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"}, ""),
        ("irsa", {}, "eks.amazonaws.com/role-arn"),
        ("irsa", {"AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}, ""),
        ("static", {"AWS_ACCESS_KEY_ID": ""}, "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_a_provider_that_cannot_answer_is_named_with_the_next_step(
    wanted: str, environ: dict[str, str], says: str
) -> None:
    """The timing trap of Pod Identity shows before botocore wanders off to the next provider."""
    told = missing(wanted, environ)
    assert says in told
    assert bool(told) is bool(says)


@pytest.mark.parametrize(
    ("wanted", "method", "taken"),
    [
        ("auto", "iam-role", True),
        ("pod-identity", "container-role", True),
        ("pod-identity", "assume-role-with-web-identity", False),
        ("pod-identity", "env", False),
        ("irsa", "assume-role-with-web-identity", True),
        ("irsa", "container-role", False),
        ("profile", "shared-credentials-file", True),
        ("profile", "sso", True),
        ("profile", "iam-role", False),
        ("static", "env", True),
    ],
)
def test_another_provider_than_the_wanted_one_is_refused(wanted: str, method: str, taken: bool) -> None:
    """Whichever botocore tries first."""
    told = unwanted(wanted, method)
    assert bool(told) is not taken
    assert taken or (method in told and wanted in told)


@pytest.mark.parametrize(
    ("arn", "right"),
    [
        ("arn:aws:sts::123456789012:assumed-role/storage-exporter/eks-production-monitoring", True),
        ("arn:aws:sts::123456789012:assumed-role/storage-exporter-2/x", False),
        ("arn:aws:sts::210987654321:assumed-role/storage-exporter/x", False),
        ("arn:aws:iam::123456789012:user/storage-exporter", False),
        ("arn:aws:iam::123456789012:role/team/storage-exporter", False),
        ("", False),
    ],
)
def test_the_role_is_the_wanted_one_in_account_and_name(arn: str, right: bool) -> None:
    """An assumed role's ARN has lost the path of the role."""
    assert (wrong_role(ROLE, arn) == "") is right
    assert wrong_role(None, arn) == ""
