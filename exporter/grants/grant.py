"""
A role for the exporter as data: what it may do, and who may have it.

Trust is as narrow as AWS lets it be: one service account of one cluster, or the role before it in a chain. Under EKS
Pod Identity session tags go along through every hop, so every trust policy allows `sts:TagSession` too (chart.md 3.7);
in statements of its own where an external id is asked for, which is no condition key of that action. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from exporter.config import Config
from exporter.policy import document

Identity = Literal["pod-identity", "irsa"]

_ARN = re.compile(r"arn:(?P<partition>[a-z-]+):iam::(?P<account>\d{12}):role(?P<path>/(?:.+/)?)(?P<name>[^/]*)")


@dataclass(frozen=True, slots=True)
class Pod:
    """Where the exporter runs: names of the EKS cluster, the namespace and the service account."""

    cluster: str
    namespace: str
    service_account: str


@dataclass(frozen=True, slots=True)
class Role:
    """
    A role's name, where it is in the account, and the account.

    Args:
        path: begins and ends with ``/``.

        account: ``""`` where it is not known; then there is no `arn`.
    """

    name: str
    path: str = "/"
    account: str = ""
    partition: str = "aws"

    @property
    def arn(self) -> str:
        """``""`` where the account is not known."""
        return f"arn:{self.partition}:iam::{self.account}:role{self.path}{self.name}" if self.account else ""

    @staticmethod
    def of(arn: str) -> Role:
        """The role of an ARN that the configuration takes."""
        found = _ARN.fullmatch(arn)
        if found is None:
            raise ValueError(f"{arn} is no role's ARN")
        return Role(**found.groupdict())


@dataclass(frozen=True, slots=True)
class Grant:
    """
    One role, whole.

    Args:
        permissions: its policy.

        trust: who may have it.

        identity: how the pod comes to it; None for a role that another role assumes.

        pod: that it is given to; None likewise.
    """

    role: Role
    permissions: Mapping[str, Any]
    trust: Mapping[str, Any]
    identity: Identity | None = None
    pod: Pod | None = None


def pod_identity_trust(pod: Pod) -> dict[str, Any]:
    """The trust policy of a role that EKS Pod Identity gives to *pod*, and to no other."""
    tags = {
        "eks-cluster-name": pod.cluster,
        "kubernetes-namespace": pod.namespace,
        "kubernetes-service-account": pod.service_account,
    }
    return document(
        {
            "Sid": "PodIdentity",
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {"StringEquals": {f"aws:RequestTag/{name}": value for name, value in tags.items()}},
        }
    )


def irsa_trust(pod: Pod, provider: str, issuer: str) -> dict[str, Any]:
    """
    The trust policy of a role that *pod* gets for its service account's token (IRSA).

    Args:
        provider: ARN of the account's OIDC provider for the cluster.

        issuer: the provider's address without ``https://``.
    """
    wanted = {
        f"{issuer}:aud": "sts.amazonaws.com",
        f"{issuer}:sub": f"system:serviceaccount:{pod.namespace}:{pod.service_account}",
    }
    return document(
        {
            "Sid": "ServiceAccount",
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": ["sts:AssumeRoleWithWebIdentity"],
            "Condition": {"StringEquals": wanted},
        }
    )


def chain_trust(
    sources: Sequence[str], external_ids: Sequence[str] = (), service_account: str = "", organization: str = ""
) -> dict[str, Any]:
    """
    The trust policy of a role that other roles assume.

    Args:
        sources: ARNs of the roles that may.

        external_ids: of which one has to be said; none where none is.

        service_account: that the session began with, by the tag EKS Pod Identity put on it; ``""`` for any.

        organization: id of the AWS organization the source has to be of; ``""`` for any.
    """
    every = {
        name: value
        for name, value in (
            ("aws:PrincipalTag/kubernetes-service-account", service_account),
            ("aws:PrincipalOrgID", organization),
        )
        if value
    }
    assume = {"sts:ExternalId": _one_or_many(external_ids)} | every if external_ids else every
    return document(
        *(
            _chained(sid, sources, action, wanted)
            for sid, action, wanted in (("Assume", "sts:AssumeRole", assume), ("Tags", "sts:TagSession", every))
        )
    )


def _chained(sid: str, sources: Sequence[str], action: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    who = {"Sid": sid, "Effect": "Allow", "Principal": {"AWS": _one_or_many(sources)}, "Action": [action]}
    return who | ({"Condition": {"StringEquals": dict(wanted)}} if wanted else {})


def _one_or_many(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


def assumed_by(config: Config, arn: str, own: str) -> tuple[list[str], list[str]]:
    """
    Who assumes the role *arn* in the scopes of *config*, and with which external ids.

    Args:
        own: ARN of the exporter's own role, where chains begin.

    Returns:
        ARNs of roles, sorted; external ids, sorted, none where one of the chains gives none. Both empty where no scope
        has the role.
    """
    sources: set[str] = set()
    ids: set[str | None] = set()
    for scope in config.scopes:
        before = own
        for role in scope.roles:
            if role.arn == arn:
                sources.add(before)
                ids.add(role.external_id)
            before = role.arn
    return sorted(sources), sorted(each for each in ids if each is not None) if None not in ids else []
