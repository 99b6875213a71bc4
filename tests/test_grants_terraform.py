"""`policy --format terraform`: it says what the JSON says, as somebody else's reader of it understands it."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import hcl2
import pytest

from exporter.config import Config
from exporter.grants.grant import Grant, Pod, Role, chain_trust
from exporter.grants.terraform import terraform
from exporter.policy import policy
from tests.granting_side import ACCOUNT, ISSUER, LEAF, OWN, PROVIDER, chains, said

__all__ = ["chains"]


class Module:
    """A file of Terraform as another reader understands it, its references followed."""

    def __init__(self, text: str, **given: str) -> None:
        self.blocks: dict[str, Any] = hcl2.loads(text)
        self.text = text
        self.variables = {_bare(name): told for each in self.blocks["variable"] for name, told in each.items()}
        defaults = {name: _bare(told["default"]) for name, told in self.variables.items() if "default" in told}
        self.known = {f"var.{name}": value for name, value in (defaults | given).items()}
        self.known["data.aws_iam_openid_connect_provider.cluster.arn"] = PROVIDER
        self.known["local.issuer"] = ISSUER

    def of(self, kind: str, type_: str, name: str = "storage_exporter") -> dict[str, Any]:
        for each in self.blocks[kind]:
            for found, inner in each.items():
                if _bare(found) == type_ and f'"{name}"' in inner:
                    return {key: value for key, value in inner[f'"{name}"'].items() if key != "__is_block__"}
        return {}

    def value(self, text: str) -> str:
        """A string with what its references stand for."""
        inner = re.sub(r"(?<!\$)\$\{([a-z_.0-9]+)\}", lambda found: self.known[found[1]], _bare(text))
        return inner.replace("$${", "${").replace("%%{", "%{")

    def document(self, name: str) -> dict[str, Any]:
        """What the data source gives: as AWS would store it."""
        statements = []
        for each in self.of("data", "aws_iam_policy_document", name)["statement"]:
            found: dict[str, Any] = {"Sid": self.value(each["sid"]), "Effect": "Allow"}
            for who in each.get("principals", []):
                found["Principal"] = {self.value(who["type"]): _few([self.value(one) for one in who["identifiers"]])}
            found["Action"] = [self.value(one) for one in each["actions"]]
            if "resources" in each:
                found["Resource"] = _few([self.value(one) for one in each["resources"]])
            for wanted in each.get("condition", []):
                test = found.setdefault("Condition", {}).setdefault(self.value(wanted["test"]), {})
                test[self.value(wanted["variable"])] = _few([self.value(one) for one in wanted["values"]])
            statements.append(found)
        return {"Version": "2012-10-17", "Statement": statements}


def _bare(text: str) -> str:
    return text[1:-1].replace('\\"', '"').replace("\\\\", "\\") if text.startswith('"') else text


def _few(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


@pytest.mark.parametrize(
    ("words", "more"),
    [
        (("--identity", "pod-identity"), ()),
        (("--identity", "irsa"), ("--oidc-provider", PROVIDER)),
        (("--namespace", "storage", "--service-account", "monitoring-sa", "--role-name", "a.b@c"), ()),
        (("--partition", "aws-us-gov"), ()),
    ],
)
def test_terraform_says_what_the_json_says(words: tuple[str, ...], more: tuple[str, ...]) -> None:
    """The same statements, read by somebody else's reader; and what gives the role to the pod."""
    words = (*words, "--cluster", "blue")
    module = Module(said("--format", "terraform", *words))
    assert module.document("storage_exporter") == json.loads(said(*words))
    assert module.document("storage_exporter_trust") == json.loads(said("--trust", *words, *more))
    role = module.of("resource", "aws_iam_role")
    assert role["assume_role_policy"] == "${data.aws_iam_policy_document.storage_exporter_trust.json}"
    assert module.of("resource", "aws_iam_role_policy")["policy"] == (
        "${data.aws_iam_policy_document.storage_exporter.json}"
    )
    given = module.of("resource", "aws_eks_pod_identity_association")
    if "irsa" in words:
        assert given == {}
        url = module.of("data", "aws_iam_openid_connect_provider", "cluster")["url"]
        assert url == "${data.aws_eks_cluster.cluster.identity[0].oidc[0].issuer}"
    else:
        assert given.pop("role_arn") == "${aws_iam_role.storage_exporter.arn}"
        pod = {name: module.value(value) for name, value in given.items()}
        wanted = dict(zip(words[::2], words[1::2], strict=True))
        assert pod == {
            "cluster_name": "blue",
            "namespace": wanted.get("--namespace", "monitoring"),
            "service_account": wanted.get("--service-account", "storage-exporter"),
        }
    assert module.value(role["name"]) == ("a.b@c" if "a.b@c" in words else "storage-exporter")


def test_terraform_for_a_role_of_a_chain(chains: str) -> None:
    """No pod and no variable but its name; its own path."""
    words = ("--config", chains, "--account-id", ACCOUNT, "--for-role", LEAF)
    module = Module(said("--format", "terraform", *words))
    assert set(module.variables) == {"role_name"}
    assert module.document("storage_exporter") == json.loads(said(*words))
    assert module.document("storage_exporter_trust") == json.loads(said("--trust", *words))
    assert module.of("resource", "aws_eks_pod_identity_association") == {}
    assert _bare(module.of("resource", "aws_iam_role")["path"]) == "/teams/a/"


def test_a_cluster_that_is_not_said_is_asked_for_by_terraform() -> None:
    """A variable without a default; every other has one, and every one a description."""
    module = Module(said("--format", "terraform"))
    assert [name for name, told in module.variables.items() if "default" not in told] == ["cluster_name"]
    assert all(told["description"] for told in module.variables.values())


def test_terraform_is_laid_out_as_its_own_formatter_does() -> None:
    """Two blanks a level, no trailing blank, signs of equality of neighbours one below the other."""
    for identity in ("pod-identity", "irsa"):
        lines = said("--format", "terraform", "--identity", identity).split("\n")
        assert lines[-1] == ""
        assert lines[-2] == "}"
        level = 0
        for before, line in itertools.pairwise(["", *lines]):
            level -= line.strip()[:1] in ("}", "]")
            assert line == "" or line.startswith("#") or line == "  " * level + line.strip()
            level += line[-1:] in ("{", "[")
            both = [re.match(r"( +\w+ +)= (?![\[{]$)", each) for each in (before, line)]
            if all(both):
                assert len({len(found[1]) for found in both if found}) == 1, (before, line)
        assert level == 0


def test_texts_stand_in_terraform_as_they_are() -> None:
    """Quotes, backslashes and what would be a template."""
    pod = Pod("${var.cluster_name}", "n", "s")
    grant = Grant(Role("r"), policy(Config()), chain_trust([OWN], ['a"b\\\\c'], "${x}%{y}"), "pod-identity", pod)
    text = terraform(grant, {})
    assert Module(text, cluster_name="c").document("storage_exporter_trust") == grant.trust
    assert 'values   = ["$${x}%%{y}"]' in text
