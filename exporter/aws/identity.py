"""
Whether the credentials that were found are those the configuration wants: the provider, and the role. Pure.

botocore takes the first provider that answers. On EKS that may be another one than meant: static keys left in the
environment win over everything, IRSA wins over Pod Identity, and a pod made before its association exists would end up
with the node's role, which may see more than it should (chart.md 3.1, 3.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

_METHODS: Mapping[str, frozenset[str]] = {
    "pod-identity": frozenset({"container-role"}),
    "irsa": frozenset({"assume-role-with-web-identity"}),
    "static": frozenset({"env"}),
    "profile": frozenset(
        {"assume-role", "config-file", "custom-process", "login", "shared-credentials-file", "sso", "sso-provider"}
    ),
}
"""What `identity.provider` may say, to botocore's names of the providers that are meant."""

_NEEDS: Mapping[str, tuple[str, str]] = {
    "pod-identity": (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        (
            "the pod identity association is missing, or was made after this pod: create it for this service account, "
            "then recreate the pod"
        ),
    ),
    "irsa": (
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        (
            "the service account has no annotation eks.amazonaws.com/role-arn, or got it after this pod was made: "
            "annotate it, then recreate the pod"
        ),
    ),
    "static": ("AWS_ACCESS_KEY_ID", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
}

_ASSUMED = re.compile(r"arn:[a-z-]+:sts::(\d{12}):assumed-role/([^/]+)/.*")
_ROLE = re.compile(r"arn:[a-z-]+:iam::(\d{12}):role/(?:.*/)?([^/]+)")


class IdentityConfig(Protocol):
    """The configuration's `identity`."""

    @property
    def provider(self) -> str:
        """Which provider must answer, ``auto`` for any."""
        ...

    @property
    def role(self) -> str | None:
        """The ARN of the role it must be, None for any identity."""
        ...


def missing(wanted: str, environ: Mapping[str, str]) -> str:
    """Why the *wanted* provider cannot answer, as far as the environment shows; ``""`` where it may."""
    variable, step = _NEEDS.get(wanted, ("", ""))
    return (
        f"identity.provider is {wanted}, but {variable} is not set: {step}"
        if variable and not environ.get(variable)
        else ""
    )


def unwanted(wanted: str, method: str) -> str:
    """Why credentials of the provider *method* (botocore's name) are not taken; ``""`` where they are."""
    if wanted == "auto" or method in _METHODS[wanted]:
        return ""
    return (
        f"identity.provider is {wanted}, but {method} answered first: take its settings away from this process, "
        "or say what you want in identity.provider"
    )


def without_session(arn: str) -> str:
    """The ARN of an identity without the name of its session, which providers may choose anew each time."""
    return arn.rpartition("/")[0] if _ASSUMED.fullmatch(arn) else arn


def moved(account_id: str, before: str, arn: str) -> str:
    """
    Why credentials found later than others are not taken; ``""`` where they are.

    Args:
        account_id: of the new ones.

        before: the account of the old ones, which everything that was read is labelled with.

        arn: of the new ones.
    """
    if account_id == before:
        return ""
    return (
        f"the credentials are now those of {arn}, in another account than {before} as until now; nothing is read with "
        "them: give the old account back, or restart this process to read the new one"
    )


def wrong_role(wanted: str | None, arn: str) -> str:
    """
    Why the caller is not the *wanted* role; ``""`` where it is, or where any will do.

    Args:
        wanted: the role's ARN (``arn:aws:iam::…:role/path/name``).

        arn: as GetCallerIdentity says it; an assumed role's has neither the path nor ``iam`` in it.
    """
    if wanted is None:
        return ""
    role, caller = _ROLE.fullmatch(wanted), _ASSUMED.fullmatch(arn)
    if role is not None and caller is not None and role.groups() == caller.groups():
        return ""
    return (
        f"AWS knows this process as {arn}, not as the role {wanted} that identity.role asks for; nothing is read "
        "with it: correct the association or annotation of the service account, or identity.role"
    )
