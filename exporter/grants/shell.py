"""
A grant as commands of the AWS CLI and kubectl, to be pasted into a shell. Pure.

Each is one command over several lines, its words quoted for sh. What is asked of AWS is written as it is; nothing
depends on a variable of the shell.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from exporter.grants.grant import Grant, Pod, Role

POLICY = "storage-exporter"
"""Name of the inline policy in the role."""


def commands(grant: Grant) -> str:
    """The commands that make *grant*, in their order, with a comment before each."""
    return "\n\n".join(f"# {said}\n{command}" for said, command in _steps(grant)) + "\n"


def _steps(grant: Grant) -> Iterator[tuple[str, str]]:
    role, pod = grant.role, grant.pod
    where = {"--path": role.path} if role.path != "/" else {}
    make = {"--role-name": role.name, **where, "--assume-role-policy-document": _inline(grant.trust)}
    elsewhere = f", in account {role.account}: with its credentials, and after the role that assumes it exists"
    yield f"The role, and who may have it{'' if pod else elsewhere}.", _command("aws iam create-role", make)
    put = {"--role-name": role.name, "--policy-name": POLICY, "--policy-document": _inline(grant.permissions)}
    yield (
        "What it may do. Run this one again when the configuration has changed.",
        _command("aws iam put-role-policy", put),
    )
    if pod is None:
        return
    if grant.identity == "pod-identity":
        give = {"--cluster-name": pod.cluster, "--namespace": pod.namespace, "--service-account": pod.service_account}
        yield (
            "What gives it to the pod, by the add-on eks-pod-identity-agent. EKS looks for it only when a pod is made.",
            _command("aws eks create-pod-identity-association", give, f"--role-arn {_arn(role)}"),
        )
    else:
        start = f"kubectl annotate serviceaccount {shlex.quote(pod.service_account)}"
        yield (
            "What gives it to the pod. With the Helm chart set aws.identity irsa and aws.roleArn in place of this.",
            _command(start, {"--namespace": pod.namespace}, f"--overwrite eks.amazonaws.com/role-arn={_arn(role)}"),
        )
    yield "Pods that run are without it until they are made anew.", _restart(pod)


def _restart(pod: Pod) -> str:
    return _command(
        "kubectl rollout restart deployment,statefulset",
        {"--namespace": pod.namespace, "--selector": "app.kubernetes.io/name=storage-exporter"},
    )


def _arn(role: Role) -> str:
    """The role's ARN as a word of sh; asked of AWS where the account is not known."""
    if role.arn:
        return shlex.quote(role.arn)
    ask = f"aws iam get-role --role-name {shlex.quote(role.name)} --query Role.Arn --output text"
    return f'"$({ask})"'


def _command(start: str, options: Mapping[str, str], last: str = "") -> str:
    lines = [start, *(f"{name} {shlex.quote(value)}" for name, value in options.items()), *([last] if last else [])]
    return " \\\n  ".join(lines)


def _inline(policy: Mapping[str, Any]) -> str:
    """Without a space: AWS counts characters, though it does not count those."""
    return json.dumps(policy, separators=(",", ":"))
