"""
A grant as one file of Terraform (HCL), as `terraform fmt` leaves it. Pure.

The statements are those of the grant; names that differ from place to place are variables, whose defaults are what was
given. A grant for it is made with `POD` and `role_for`, so that the variables stand where its names would.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from exporter.grants.grant import Grant, Pod, Role

POD = Pod("${var.cluster_name}", "${var.namespace}", "${var.service_account}")
"""A pod whose names are variables of the file."""

PROVIDER = "${data.aws_iam_openid_connect_provider.cluster.arn}"
ISSUER = "${local.issuer}"
"""The cluster's OIDC provider and issuer, as the file finds them."""

_NAME = "storage_exporter"
_REFERENCE = re.compile(r"\$\{((?:var|local|data)\.[a-z_.]+)\}")
_PRINCIPALS = {"Service": "Service", "Federated": "Federated", "AWS": "AWS"}
_DESCRIPTIONS = {
    "cluster_name": "Name of the EKS cluster.",
    "namespace": "Kubernetes namespace of storage-exporter.",
    "service_account": "Kubernetes service account of storage-exporter.",
    "role_name": "Name of the role.",
}


def role_for(role: Role) -> Role:
    """*role* with a variable for its name."""
    return replace(role, name="${var.role_name}")


def terraform(grant: Grant, defaults: Mapping[str, str]) -> str:
    """
    The file.

    Args:
        grant: with references for names.

        defaults: of variables, by name; one without a default has to be given to Terraform.
    """
    used = [name for name in _DESCRIPTIONS if grant.pod is not None or name == "role_name"]
    parts = [
        "# The role of storage-exporter: what it may read, and who may have it. Made by `storage-exporter policy`.",
        _block("terraform", [_block("required_providers", _attributes({"aws": _Raw(_AWS)}))]),
        *(_variable(name, defaults.get(name, "")) for name in used),
        *(_cluster() if grant.identity == "irsa" else ()),
        _document(_NAME, grant.permissions),
        _document(f"{_NAME}_trust", grant.trust),
        _role(grant),
        *_given(grant),
        _block(f'output "{_NAME}_role_arn"', _attributes({"value": _Raw(f"aws_iam_role.{_NAME}.arn")})),
    ]
    return "\n\n".join(parts) + "\n"


_AWS = '{\n  source  = "hashicorp/aws"\n  version = ">= 5.30"\n}'


class _Raw(str):
    """An expression, written as it is."""

    __slots__ = ()


def _variable(name: str, default: str) -> str:
    told = {"description": _DESCRIPTIONS[name], "type": _Raw("string")} | ({"default": default} if default else {})
    return _block(f'variable "{name}"', _attributes(told))


def _cluster() -> Iterator[str]:
    """What IRSA needs to know of the cluster: its OIDC provider in this account."""
    yield _block('data "aws_eks_cluster" "cluster"', _attributes({"name": "${var.cluster_name}"}))
    issuer = _Raw("data.aws_eks_cluster.cluster.identity[0].oidc[0].issuer")
    yield _block('data "aws_iam_openid_connect_provider" "cluster"', _attributes({"url": issuer}))
    bare = _Raw('replace(data.aws_eks_cluster.cluster.identity[0].oidc[0].issuer, "https://", "")')
    yield _block("locals", _attributes({"issuer": bare}))


def _role(grant: Grant) -> str:
    path = {"path": grant.role.path} if grant.role.path != "/" else {}
    trust = _Raw(f"data.aws_iam_policy_document.{_NAME}_trust.json")
    policy = {
        "name": "storage-exporter",
        "role": _Raw(f"aws_iam_role.{_NAME}.id"),
        "policy": _Raw(f"data.aws_iam_policy_document.{_NAME}.json"),
    }
    return "\n\n".join(
        (
            _block(
                f'resource "aws_iam_role" "{_NAME}"',
                _attributes({"name": grant.role.name, **path, "assume_role_policy": trust}),
            ),
            _block(f'resource "aws_iam_role_policy" "{_NAME}"', _attributes(policy)),
        )
    )


def _given(grant: Grant) -> Iterator[str]:
    """What gives the role to the pod."""
    if grant.pod is None:
        return
    if grant.identity == "irsa":
        yield (
            "# With the Helm chart: aws.identity irsa, and aws.roleArn the output below. Pods that run are without it\n"
            "# until they are made anew."
        )
        return
    given = {
        "cluster_name": grant.pod.cluster,
        "namespace": grant.pod.namespace,
        "service_account": grant.pod.service_account,
        "role_arn": _Raw(f"aws_iam_role.{_NAME}.arn"),
    }
    yield (
        "# Needs the add-on eks-pod-identity-agent. EKS looks for this only when a pod is made: restart older pods.\n"
        + _block(f'resource "aws_eks_pod_identity_association" "{_NAME}"', _attributes(given))
    )


def _document(name: str, policy: Mapping[str, Any]) -> str:
    return _block(
        f'data "aws_iam_policy_document" "{name}"',
        ["\n\n".join(_block("statement", _statement(each)) for each in policy["Statement"])],
    )


def _statement(statement: Mapping[str, Any]) -> Iterator[str]:
    on = {"resources": _listed(statement["Resource"])} if "Resource" in statement else {}
    yield from _attributes({"sid": statement["Sid"], "actions": _listed(statement["Action"]), **on})
    for kind, who in statement.get("Principal", {}).items():
        yield "\n" + _block("principals", _attributes({"type": _PRINCIPALS[kind], "identifiers": _listed(who)}))
    for test, wanted in statement.get("Condition", {}).items():
        for variable, values in wanted.items():
            told = {"test": test, "variable": variable, "values": _listed(values)}
            yield "\n" + _block("condition", _attributes(told))


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


# ---- HCL -----------------------------------------------------------------------------------------------------------


def _block(head: str, body: Iterable[str]) -> str:
    inside = "\n".join(f"  {line}" if line else "" for text in body for line in text.split("\n"))
    return f"{head} {{\n{inside}\n}}"


def _attributes(values: Mapping[str, str | list[str]]) -> Iterator[str]:
    """One attribute a line, signs of equality of neighbours one below the other; a list of several over lines."""
    run: list[tuple[str, str]] = []
    for name, value in values.items():
        text = _list(value) if isinstance(value, list) else _text(value)
        if "\n" not in text:
            run.append((name, text))
            continue
        yield from _aligned(run)
        run = []
        yield f"{name} = {text}"
    yield from _aligned(run)


def _aligned(run: Sequence[tuple[str, str]]) -> Iterator[str]:
    wide = max((len(name) for name, _ in run), default=0)
    for name, text in run:
        yield f"{name:<{wide}} = {text}"


def _list(values: Sequence[str]) -> str:
    if len(values) == 1:
        return f"[{_text(values[0])}]"
    return "[\n" + "".join(f"  {_text(value)},\n" for value in values) + "]"


def _text(value: str) -> str:
    """A string, or the bare reference that is all of it."""
    if isinstance(value, _Raw):
        return value
    if whole := _REFERENCE.fullmatch(value):
        return whole[1]
    return '"' + "".join(_escaped(part) for part in re.split(r"(\$\{(?:var|local|data)\.[a-z_.]+\})", value)) + '"'


def _escaped(part: str) -> str:
    if _REFERENCE.fullmatch(part):
        return part
    return json.dumps(part)[1:-1].replace("${", "$${").replace("%{", "%%{")
