"""
The command `policy`: words in, words out. What a role may do is in `policy`, the rest of a role in `grants`.

Exit codes: 0 well, 2 the configuration or the command is wrong.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import click

from exporter.app import read_config
from exporter.config import Config
from exporter.errors import ConfigError
from exporter.grants.grant import (
    Grant,
    Identity,
    Pod,
    Role,
    assumed_by,
    chain_trust,
    irsa_trust,
    pod_identity_trust,
)
from exporter.grants.shell import commands
from exporter.grants.terraform import ISSUER, POD, PROVIDER, role_for, terraform
from exporter.policy import policy as permissions
from exporter.policy import policy_of

NAME = "storage-exporter"


def _form(what: str, form: str) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """A reader of an option whose value wholly matches *form*."""
    wanted = re.compile(form, re.ASCII)

    def read(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
        if value is not None and not wanted.fullmatch(value):
            raise click.BadParameter(f"{value!r} is not {what}")
        return value

    return read


_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_CLUSTER = r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
_ACCOUNT = r"\d{12}"
_PARTITION = r"aws(-[a-z]+)*"
_ISSUER = r"[a-z0-9.-]+(/[A-Za-z0-9._-]+)*"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for; ``""`` for what was not said."""

    partition: str
    identity: str
    cluster: str
    namespace: str
    service_account: str
    role_name: str
    account_id: str
    oidc_provider: str
    organization: str
    for_role: str


@click.command()
@click.option("--config", "config_path", metavar="FILE", help="Configuration (YAML); what it reads needs permission.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "terraform", "commands"]),
    default="json",
    show_default=True,
    help="json: the policy alone. terraform, commands: the whole role and what gives it to the pod.",
)
@click.option("--trust", is_flag=True, help="As JSON, who may have the role, instead of what it may do.")
@click.option(
    "--identity",
    type=click.Choice(["pod-identity", "irsa"]),
    help="How the pod comes to its role.  [default: identity.provider of the configuration, else pod-identity]",
)
@click.option(
    "--cluster",
    callback=_form("a cluster's name", _CLUSTER),
    help="Name of the EKS cluster.  [default: `cluster` of the configuration]",
)
@click.option(
    "--namespace", default="monitoring", show_default=True, callback=_form("a namespace", _LABEL), help="Of the pod."
)
@click.option(
    "--service-account",
    default=NAME,
    show_default=True,
    callback=_form("a service account's name", r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"),
    help="Of the pod.",
)
@click.option(
    "--role-name",
    callback=_form("a role's name (at most 64 letters, digits and _+=,.@-)", r"[\w+=,.@-]{1,64}"),
    help="[default: that of identity.role of the configuration, else storage-exporter]",
)
@click.option(
    "--account-id",
    callback=_form("an account id (12 digits)", _ACCOUNT),
    help="Account of the exporter's role.  [default: that of identity.role]",
)
@click.option(
    "--oidc-provider",
    metavar="ISSUER",
    callback=_form(
        "an issuer's address, or an OIDC provider's ARN",
        rf"(https://|arn:{_PARTITION}:iam::{_ACCOUNT}:oidc-provider/)?{_ISSUER}",
    ),
    help="For irsa: the cluster's issuer, or the ARN of the account's provider for it.",
)
@click.option(
    "--for-role",
    metavar="ARN",
    help="The role of another account, one of `scopes` of the configuration, in place of the exporter's own.",
)
@click.option(
    "--org-id",
    "organization",
    callback=_form("an organization's id (o-...)", r"o-[a-z0-9]{10,32}"),
    help="With --for-role: only roles of this AWS organization may assume it.",
)
@click.option(
    "--partition",
    callback=_form("an AWS partition (aws, aws-cn, aws-us-gov, ...)", _PARTITION),
    help="Of the ARNs.  [default: that of the configuration's roles, else aws]",
)
def policy(config_path: str | None, form: str, trust: bool, **said: str | None) -> None:  # noqa: FBT001 - click's way
    """
    Print the least-privilege IAM policy for the configuration. Every action only reads; the exporter writes nothing.

    \b
    storage-exporter policy                                              (what the role may do)
    storage-exporter policy --trust --cluster production                 (who may have it)
    storage-exporter policy --format commands --cluster production       (aws and kubectl commands to paste)
    storage-exporter policy --format terraform > storage-exporter.tf     (the same as Terraform)
    storage-exporter policy --config FILE --for-role ARN --format terraform   (a role it assumes elsewhere)
    """  # noqa: D301 - click reads \b as: do not wrap
    try:
        config = read_config(config_path, os.environ)
    except ConfigError as error:
        for fault in error.faults:
            click.echo(f"{error.source}: {fault}", err=True)
        sys.exit(2)
    if trust and form != "json":
        raise click.UsageError(f"--trust is for --format json; --format {form} has the trust policy in it")
    wanted = Wanted(**{name: value or "" for name, value in said.items()})
    if form == "json":
        found = _trust(config, wanted) if trust else _permissions(config, wanted)
        click.echo(json.dumps(found, indent=2))
    elif form == "commands":
        click.echo(commands(_grant(config, wanted)), nl=False)
    else:
        click.echo(_terraform(config, wanted), nl=False)


# ---- what is asked for, as data ------------------------------------------------------------------------------------


def _grant(config: Config, wanted: Wanted) -> Grant:
    trust = _trust(config, wanted)
    if wanted.for_role:
        return Grant(Role.of(wanted.for_role), _permissions(config, wanted), trust)
    pod = _pod(config, wanted)
    return Grant(_own(config, wanted), _permissions(config, wanted), trust, _identity(config, wanted), pod)


def _terraform(config: Config, wanted: Wanted) -> str:
    """The names of the pod and of the role are variables, so nothing has to be known of them."""
    if wanted.for_role:
        grant = _grant(config, wanted)
        return terraform(Grant(role_for(grant.role), grant.permissions, grant.trust), {"role_name": grant.role.name})
    own, identity = _own(config, wanted), _identity(config, wanted)
    trust = pod_identity_trust(POD) if identity == "pod-identity" else irsa_trust(POD, PROVIDER, ISSUER)
    defaults = {
        "cluster_name": _cluster(config, wanted),
        "namespace": wanted.namespace,
        "service_account": wanted.service_account,
        "role_name": own.name,
    }
    return terraform(Grant(role_for(own), _permissions(config, wanted), trust, identity, POD), defaults)


def _permissions(config: Config, wanted: Wanted) -> dict[str, Any]:
    if not wanted.for_role:
        return permissions(config, _partition(config, wanted))
    _sources(config, wanted)
    return policy_of(config, wanted.for_role, _partition(config, wanted))


def _trust(config: Config, wanted: Wanted) -> dict[str, Any]:
    identity = _identity(config, wanted)
    if wanted.for_role:
        sources, ids = _sources(config, wanted)
        if "" in sources:
            raise click.UsageError(
                "--account-id is needed: the role is assumed by the exporter's own, whose account is not known (aws "
                "sts get-caller-identity --query Account --output text), or give identity.role in the configuration"
            )
        tagged = wanted.service_account if identity == "pod-identity" else ""
        return chain_trust(sources, ids, tagged, wanted.organization)
    pod = _pod(config, wanted)
    return pod_identity_trust(pod) if identity == "pod-identity" else irsa_trust(pod, *_provider(config, wanted))


def _sources(config: Config, wanted: Wanted) -> tuple[list[str], list[str]]:
    """Who assumes the role that was asked for."""
    sources, ids = assumed_by(config, wanted.for_role, _own(config, wanted).arn)
    if not sources:
        known = sorted({role.arn for scope in config.scopes for role in scope.roles})
        there = f"those are {', '.join(known)}" if known else "there is none; give a configuration that has it"
        raise click.UsageError(f"--for-role {wanted.for_role} is no role of the configuration's scopes: {there}")
    return sources, ids


def _identity(config: Config, wanted: Wanted) -> Identity:
    told = wanted.identity or config.identity.provider
    return cast("Identity", told) if told in ("pod-identity", "irsa") else "pod-identity"


def _own(config: Config, wanted: Wanted) -> Role:
    """The exporter's own role: what the command line says of it, then the configuration."""
    told = Role.of(config.identity.role) if config.identity.role else Role(NAME, partition=_partition(config, wanted))
    named = wanted.role_name and wanted.role_name != told.name
    return Role(
        wanted.role_name or told.name,
        "/" if named else told.path,
        wanted.account_id or told.account,
        told.partition,
    )


def _partition(config: Config, wanted: Wanted) -> str:
    """Roles assume roles of their own partition only, so one that the configuration names says it."""
    named = [config.identity.role, *(role.arn for scope in config.scopes for role in scope.roles)]
    known = {Role.of(arn).partition for arn in named if arn}
    if len(known | {wanted.partition} - {""}) > 1:
        found = " and ".join(sorted(known))
        raise click.UsageError(
            f"--partition: the roles of the configuration are in {found}; a role is assumed from its own partition only"
        )
    return wanted.partition or next(iter(known), "aws")


def _cluster(config: Config, wanted: Wanted) -> str:
    """Name of the EKS cluster, ``""`` for none: the label of the configuration where it may be one."""
    return wanted.cluster or (config.cluster if re.fullmatch(_CLUSTER, config.cluster) else "")


def _pod(config: Config, wanted: Wanted) -> Pod:
    cluster = _cluster(config, wanted)
    if not cluster and _identity(config, wanted) == "pod-identity":
        raise click.UsageError("--cluster is needed: the name of the EKS cluster whose pods may have the role")
    return Pod(cluster, wanted.namespace, wanted.service_account)


def _provider(config: Config, wanted: Wanted) -> tuple[str, str]:
    """ARN of the OIDC provider, and its issuer."""
    if not wanted.oidc_provider:
        name = _cluster(config, wanted) or "CLUSTER"
        ask = f"aws eks describe-cluster --name {name} --query cluster.identity.oidc.issuer --output text"
        raise click.UsageError(f"--oidc-provider is needed for irsa: what `{ask}` says")
    issuer = wanted.oidc_provider.removeprefix("https://")
    if issuer.startswith("arn:"):
        return issuer, issuer.partition("/")[2]
    own = _own(config, wanted)
    if not own.account:
        raise click.UsageError(
            "--account-id is needed with an issuer's address (aws sts get-caller-identity --query Account --output "
            "text), or give --oidc-provider as an ARN"
        )
    return f"arn:{own.partition}:iam::{own.account}:oidc-provider/{issuer}", issuer
