"""`policy --format commands`: operations and options of AWS's own, and the real sh reads them as meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.config import Config
from exporter.grants.grant import Grant, Pod, Role, pod_identity_trust
from exporter.grants.shell import commands
from exporter.policy import policy
from tests.granting_side import (
    ACCOUNT,
    HUB,
    ISSUER,
    LEAF,
    OWN,
    PROVIDER,
    chains,
    held_to_the_model,
    parameters,
    run_by_sh,
    said,
    shell,
)
from tests.moto_aws import client, moto

__all__ = ["chains", "moto", "shell"]


@pytest.mark.parametrize("known", [True, False])
def test_commands_for_pod_identity(shell: Path, known: bool) -> None:
    """Role, policy, association, restart; where the account is not known AWS is asked for the role's ARN."""
    words = ("--cluster", "blue", "--namespace", "storage", *(("--account-id", ACCOUNT) if known else ()))
    calls = run_by_sh(shell, said("--format", "commands", *words))
    asked = [] if known else [calls.pop(2)]
    assert [held_to_the_model(each)[0] for each in asked] == ([] if known else ["get-role"])
    (make, role), (put, inline), (give, pod) = map(held_to_the_model, calls[:3])
    assert (make, put, give) == ("create-role", "put-role-policy", "create-pod-identity-association")
    assert json.loads(role["AssumeRolePolicyDocument"]) == json.loads(said("--trust", *words))
    assert json.loads(inline["PolicyDocument"]) == json.loads(said())
    assert role["RoleName"] == inline["RoleName"] == "storage-exporter"
    arn = OWN if known else "arn:aws:iam::999999999999:role/found"
    assert pod == {"clusterName": "blue", "namespace": "storage", "serviceAccount": "storage-exporter", "roleArn": arn}
    assert calls[3:] == [
        [
            "kubectl",
            "rollout",
            "restart",
            "deployment,statefulset",
            "--namespace",
            "storage",
            "--selector",
            "app.kubernetes.io/name=storage-exporter",
        ]
    ]


def test_commands_for_irsa(shell: Path) -> None:
    """The trust is that of one service account, which is annotated."""
    words = ("--identity", "irsa", "--oidc-provider", f"https://{ISSUER}", "--account-id", ACCOUNT)
    make, _, annotate, restart = run_by_sh(shell, said("--format", "commands", *words))
    trust = json.loads(held_to_the_model(make)[1]["AssumeRolePolicyDocument"])["Statement"][0]
    assert trust["Principal"] == {"Federated": PROVIDER}
    assert trust["Condition"]["StringEquals"] == {
        f"{ISSUER}:aud": "sts.amazonaws.com",
        f"{ISSUER}:sub": "system:serviceaccount:monitoring:storage-exporter",
    }
    assert annotate == [
        "kubectl",
        "annotate",
        "serviceaccount",
        "storage-exporter",
        "--namespace",
        "monitoring",
        "--overwrite",
        f"eks.amazonaws.com/role-arn={OWN}",
    ]
    assert restart[1:3] == ["rollout", "restart"]


def test_commands_for_a_role_of_a_chain(shell: Path, chains: str) -> None:
    """Its role and its policy, in its own account; nothing of a pod."""
    words = ("--config", chains, "--account-id", ACCOUNT, "--for-role", LEAF)
    text = said("--format", "commands", *words)
    (make, role), (put, _) = map(held_to_the_model, run_by_sh(shell, text))
    assert (make, put, role["RoleName"], role["Path"]) == ("create-role", "put-role-policy", "leaf", "/teams/a/")
    assert "333344445555" in text.partition("\n")[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
def test_sh_reads_any_name_as_it_is(shell: Path, name: str) -> None:
    """A cluster's label may hold quotes, dollars and blanks; none of it is run."""
    pod = Pod(name, "n", "it's $(touch x)")
    grant = Grant(Role("r", account=ACCOUNT), policy(Config()), pod_identity_trust(pod), "pod-identity", pod)
    calls = run_by_sh(shell, commands(grant))
    assert parameters(calls[2][3:])["cluster-name"] == name
    assert parameters(calls[2][3:])["service-account"] == "it's $(touch x)"
    tags = json.loads(parameters(calls[0][3:])["assume-role-policy-document"])["Statement"][0]["Condition"]
    assert tags["StringEquals"]["aws:RequestTag/eks-cluster-name"] == name


def test_moto_takes_the_role_and_gives_it_back(moto: str, shell: Path, chains: str) -> None:
    """Each grant's documents pass another's checks of policies, and come back as they were put."""
    iam = client(moto, "iam")
    options = [
        ("--cluster", "blue"),
        ("--identity", "irsa", "--oidc-provider", PROVIDER, "--role-name", "by-irsa"),
        ("--config", chains, "--account-id", ACCOUNT, "--for-role", HUB, "--org-id", "o-abcdefghij"),
        ("--config", chains, "--account-id", ACCOUNT, "--for-role", LEAF),
    ]
    for words in options:
        calls = run_by_sh(shell, said("--format", "commands", *words))[:2]
        for operation, told in map(held_to_the_model, calls):
            getattr(iam, operation.replace("-", "_"))(**told)
        name = held_to_the_model(calls[0])[1]["RoleName"]
        assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == json.loads(said("--trust", *words))
        stored = iam.get_role_policy(RoleName=name, PolicyName="storage-exporter")["PolicyDocument"]
        assert stored == json.loads(said(*words))
