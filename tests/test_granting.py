"""`policy`: what stands in a role's policy and in its trust, for the exporter's own role and along a chain."""

from __future__ import annotations

import fnmatch
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from policy_sentry.querying.actions import get_action_data

from exporter.config import Config
from exporter.grants.grant import Pod, assumed_by, chain_trust, pod_identity_trust
from exporter.policy import policy, policy_of
from tests.calls import EVERYTHING
from tests.granting_side import ACCOUNT, CHAINS, HUB, ISSUER, LEAF, OWN, chains, cli, parameters, run_by_sh, said, shell
from tests.harness import config_of

__all__ = ["chains", "shell"]


def _documents(config: Config) -> list[dict[str, Any]]:
    found = [policy(config), *(policy_of(config, arn) for arn in (HUB, LEAF))]
    return [*found, policy(config_of(services=EVERYTHING))]


def _about(action: str, arn: str) -> bool:
    """Whether AWS's table lets *action* be limited to resources such as *arn*."""
    service, _, name = action.partition(":")
    forms = [re.sub(r"\$\{[^}]*\}", "x", row["resource_arn_format"]) for row in get_action_data(service, name)[service]]
    wild = re.sub(r"^arn:aws:|:\d{12}:role/.*", lambda found: "arn:x:" if found[0] == "arn:aws:" else ":x:role/x", arn)
    return any(fnmatch.fnmatch(form.replace("arn:aws:", "arn:x:"), wild) for form in forms)


def test_every_action_is_allowed_on_what_it_is_about() -> None:
    """By AWS's own table: each action exists, only reads (or assumes a role), and can be limited to its resource."""
    for statement in itertools.chain(*(document["Statement"] for document in _documents(config_of(**CHAINS)))):
        on = [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
        for action in statement["Action"]:
            service, _, name = action.partition(":")
            levels = {row["access_level"] for row in get_action_data(service, name)[service]}
            assert levels <= {"Read", "List"} or statement["Sid"] == "Chain", action
            assert on == ["*"] or any(_about(action, arn) for arn in on), (action, on)
        assert on == ["*"] or all(any(_about(action, arn) for action in statement["Action"]) for arn in on)
    assert not _about("s3:ListAllMyBuckets", "arn:aws:s3:::*")
    assert not _about("kms:DescribeKey", "arn:aws:kms:*:*:alias/*")


def test_policies_fit_into_a_role() -> None:
    """IAM takes 10,240 characters of inline policies a role, 6,144 in a managed one, and 2,048 of trust."""
    sizes = [len(json.dumps(each, separators=(",", ":"))) for each in _documents(config_of(**CHAINS))]
    assert max(sizes) < 2500
    trusts = (
        pod_identity_trust(Pod("c" * 100, "n" * 63, "s" * 253)),
        chain_trust([OWN], ["i" * 64], "s" * 63, "o-" + "x" * 32),
    )
    assert all(len(json.dumps(each, separators=(",", ":"))) < 2048 for each in trusts)


def test_the_role_is_for_one_service_account_of_one_cluster() -> None:
    """EKS's service may assume it and put its tags on the session, for these three names only."""
    (only,) = json.loads(said("--trust", "--cluster", "blue", "--namespace", "a", "--service-account", "b"))[
        "Statement"
    ]
    tags = {"eks-cluster-name": "blue", "kubernetes-namespace": "a", "kubernetes-service-account": "b"}
    assert only == {
        "Sid": "PodIdentity",
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {"StringEquals": {f"aws:RequestTag/{name}": value for name, value in tags.items()}},
    }


def test_a_chain_is_trusted_link_by_link(chains: str) -> None:
    """Each role trusts the one before it, by its external id; tags may go along, which have no external id."""
    words = ("--config", chains, "--account-id", ACCOUNT, "--trust", "--for-role")
    hub = json.loads(said(*words, HUB, "--org-id", "o-abcdefghij"))["Statement"]
    tag = {"aws:PrincipalTag/kubernetes-service-account": "storage-exporter", "aws:PrincipalOrgID": "o-abcdefghij"}
    assert [(each["Principal"], each["Action"], each["Condition"]["StringEquals"]) for each in hub] == [
        ({"AWS": OWN}, ["sts:AssumeRole"], {"sts:ExternalId": "for-hub", **tag}),
        ({"AWS": OWN}, ["sts:TagSession"], tag),
    ]
    leaf = json.loads(said(*words, LEAF, "--identity", "irsa"))["Statement"]
    assert [(each["Principal"], "Condition" in each) for each in leaf] == [({"AWS": HUB}, False)] * 2
    keys = {
        key.partition("/")[0] for row in get_action_data("sts", "AssumeRole")["sts"] for key in row["condition_keys"]
    }
    assert "sts:ExternalId" in keys
    assert "sts:ExternalId" not in str(get_action_data("sts", "TagSession"))


def test_a_role_of_a_chain_may_do_its_part_only() -> None:
    """The exporter's own too: each assumes what comes next, and reads only where a chain ends with it."""
    config = config_of(**CHAINS)
    own, hub, leaf = policy(config), policy_of(config, HUB), policy_of(config, LEAF)
    chain = {"Sid": "Chain", "Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"]}
    assert hub["Statement"] == [*leaf["Statement"], {**chain, "Resource": LEAF}]
    assert own["Statement"] == [*leaf["Statement"], {**chain, "Resource": HUB}]
    through = config_of(scopes=[{"roles": [{"arn": HUB}, {"arn": LEAF}]}])
    assert policy(through)["Statement"] == [{**chain, "Resource": HUB}]
    assert policy_of(through, HUB)["Statement"] == [{**chain, "Resource": LEAF}]
    both = config_of(scopes=[{"roles": [{"arn": HUB}, {"arn": LEAF}]}, {"roles": [{"arn": LEAF}]}])
    assert policy(both)["Statement"] == [{**chain, "Resource": [HUB, LEAF]}]


def test_who_assumes_a_role() -> None:
    """Roles and external ids of every scope; where one gives no external id none can be asked for."""
    config = config_of(**CHAINS)
    assert assumed_by(config, HUB, OWN) == ([OWN], ["for-hub"])
    assert assumed_by(config, LEAF, OWN) == ([HUB], [])
    more = {"regions": ["eu-west-3"], "roles": [{"arn": LEAF, "external_id": "bb"}, {"arn": HUB}]}
    mixed = config_of(**{**CHAINS, "scopes": [*CHAINS["scopes"], more]})
    assert assumed_by(mixed, HUB, OWN) == (sorted([OWN, LEAF]), [])
    assert assumed_by(mixed, LEAF, OWN) == (sorted([HUB, OWN]), [])
    assert assumed_by(config, "arn:aws:iam::1:role/x", OWN) == ([], [])


def test_the_configuration_says_what_the_command_line_does_not(tmp_path: Path, shell: Path) -> None:
    """Provider, role, account and cluster; the command line wins."""
    file = tmp_path / "c.yaml"
    role = f"arn:aws:iam::{ACCOUNT}:role/apps/reader"
    file.write_text(f"cluster: blue\nidentity: {{provider: irsa, role: '{role}'}}\n", encoding="utf-8")
    words = ("--config", str(file), "--format", "commands", "--oidc-provider", ISSUER)
    make, _, annotate, _ = run_by_sh(shell, said(*words))
    assert (parameters(make[3:])["role-name"], parameters(make[3:])["path"]) == ("reader", "/apps/")
    assert annotate[-1] == f"eks.amazonaws.com/role-arn={role}"
    make, _, give, _ = run_by_sh(shell, said(*words, "--identity", "pod-identity", "--role-name", "other"))
    assert "path" not in parameters(make[3:])
    assert parameters(give[3:])["role-arn"] == f"arn:aws:iam::{ACCOUNT}:role/other"
    assert parameters(give[3:])["cluster-name"] == "blue"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--trust",), "--cluster is needed"),
        (("--format", "commands"), "--cluster is needed"),
        (("--trust", "--identity", "irsa"), "aws eks describe-cluster --name CLUSTER"),
        (("--trust", "--identity", "irsa", "--oidc-provider", ISSUER), "--account-id is needed"),
        (("--trust", "--format", "terraform"), "has the trust policy in it"),
        (("--for-role", HUB), "there is none"),
        (("--config", "chains", "--for-role", OWN), f"those are {HUB}, {LEAF}"),
        (("--config", "chains", "--for-role", HUB, "--trust"), "--account-id is needed"),
        (("--account-id", "12"), "is not an account id (12 digits)"),
        (("--cluster", "a b"), "is not a cluster's name"),
        (("--namespace", "A"), "is not a namespace"),
        (("--service-account", "-a"), "is not a service account's name"),
        (("--role-name", "a/b"), "is not a role's name"),
        (("--oidc-provider", "http://x"), "is not an issuer's address"),
        (("--org-id", "abc"), "is not an organization's id"),
        (("--partition", 'aws"x'), "is not an AWS partition"),
        (("--config", "chains", "--partition", "aws-cn"), "the roles of the configuration are in aws;"),
    ],
)
def test_what_is_missing_or_wrong_is_said(words: tuple[str, ...], text: str, chains: str) -> None:
    """With exit code 2 and, where it can be found out, the command that does."""
    done = cli(*(chains if word == "chains" else word for word in words))
    assert done.exit_code == 2
    assert text in " ".join(done.stderr.split())
    assert done.stdout == ""


@pytest.mark.parametrize("named", ["identity", "scopes"])
def test_the_partition_is_that_of_the_roles(tmp_path: Path, named: str) -> None:
    """IAM refuses a policy with ARNs of another partition; where no role is named it is aws, unless said."""
    role = "arn:aws-cn:iam::210987654321:role/hub"
    file = tmp_path / "c.yaml"
    text = {"identity": f"identity: {{role: '{role}'}}", "scopes": f"scopes: [{{}}, {{roles: [{{arn: '{role}'}}]}}]"}
    file.write_text(text[named], encoding="utf-8")
    assert set(re.findall("arn:[a-z-]*", said("--config", str(file)))) == {"arn:aws-cn"}
    assert set(re.findall("arn:[a-z-]*", said("--config", str(file), "--format", "terraform"))) == {"arn:aws-cn"}
    if named == "scopes":
        words = ("--config", str(file), "--account-id", ACCOUNT, "--for-role", role, "--format", "commands")
        assert set(re.findall("arn:[a-z-]*", said(*words))) == {"arn:aws-cn"}
    assert set(re.findall("arn:[a-z-]*", said())) == {"arn:aws"}
    assert set(re.findall("arn:[a-z-]*", said("--partition", "aws-us-gov"))) == {"arn:aws-us-gov"}


def test_a_label_that_no_cluster_can_have_is_no_clusters_name(tmp_path: Path) -> None:
    """`cluster` of the configuration may be any text."""
    file = tmp_path / "c.yaml"
    file.write_text("cluster: 'blue, eu'\n", encoding="utf-8")
    done = cli("--trust", "--config", str(file))
    assert done.exit_code == 2
    assert "--cluster is needed" in done.stderr


def test_a_bad_configuration_is_refused(tmp_path: Path) -> None:
    """Every fault, in the program's words, those of the services' tables too."""
    file = tmp_path / "c.yaml"
    file.write_text("services: {ebs: {rows: {Nothing: {enabled: true}}}}\n", encoding="utf-8")
    done = cli("--config", str(file))
    assert done.exit_code == 2
    assert "services.ebs.rows.Nothing" in done.stderr
