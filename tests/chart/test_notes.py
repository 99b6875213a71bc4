"""NOTES.txt, first half: credentials and series; what is missing for the values given, and commands to paste."""

from __future__ import annotations

import re

import pytest

from tests.chart.noting import Notes, commands, item, printer
from tests.chart.rendering import CHART, Values

ROLE = "arn:aws:iam::123456789012:role/team/storage-exporter-production"
SHARED = {"create": False, "name": "monitoring-sa"}
IRSA = {"identity": "irsa", "roleArn": ROLE}
SECRET = {"identity": "secret", "existingSecret": {"name": "aws-keys", "sessionTokenKey": "session"}}
PUSH = {"cluster": "c", "delivery": {"mode": "push", "push": {"url": "https://mimir.example.com/api/v1/push"}}}
SIGNED = {"tenant": "platform", "auth": {"bearer_token_file": "/etc/storage-exporter/secrets/push/token"}}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Notes:
    """What is printed for some values."""
    return printer(tmp_path_factory.mktemp("notes"))


# --- credentials


def test_pod_identity_says_the_association_and_the_restart(notes: Notes) -> None:
    """With the names of this release; and how the role is made where none is given."""
    found = item(notes(), "Credentials: the Pod Identity association")
    create, restart = "aws eks create-pod-identity-association --cluster-name CLUSTER", "rollout restart deploy/"
    account = "--namespace monitoring --service-account storage-exporter"
    assert f"{create} {account} --role-arn arn:aws:iam::ACCOUNT:role/storage-exporter" in found
    assert "aws iam create-role --role-name storage-exporter --assume-role-policy-document '{" in found
    assert '"Action":["sts:AssumeRole","sts:TagSession"]' in found
    assert f"kubectl -n monitoring {restart}storage-exporter" in found
    assert found.index(create) < found.index(restart)
    named = item(notes({"aws": {"roleArn": ROLE}}), "Credentials: the Pod Identity association")
    assert f"--role-arn {ROLE}" in named
    assert "create-role" not in named


def test_names_of_the_release_are_in_the_commands(notes: Notes) -> None:
    """Another release, namespace and kind of workload."""
    text = notes({"mode": "shards", "shards": {"sets": 2}, "namespaceOverride": "other"}, release="blue")
    assert "storage-exporter 0.1.0 is the release blue in namespace other: 2 shards, each" in text
    assert "--namespace other --service-account blue-storage-exporter " in text
    restart = "kubectl -n other rollout restart sts/blue-storage-exporter sts/blue-storage-exporter-b"
    assert restart in commands(text)
    assert "kubectl -n other port-forward sts/blue-storage-exporter 9116 &" in commands(text)
    assert "helm test blue -n monitoring" in commands(text)
    assert "sts/blue-storage-exporter\n" in notes({"persistence": {"enabled": True}}, release="blue")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "2 replicas, of which one at a time reads AWS."),
        ({"replicas": 1}, "one replica."),
        ({"replicas": 0}, "no replica, so nothing is read."),
        ({"mode": "shards", "shards": {"total": 3}}, "3 shards."),
        ({"mode": "shards", "shards": {"sets": 2}}, "2 shards, each with a second replica."),
    ],
)
def test_the_first_line_says_what_runs(notes: Notes, values: Values, said: str) -> None:
    """How many, and who of them reads."""
    assert re.sub(r"\s+", " ", notes(values).split("\n\n")[0]).endswith(said)


def test_a_shared_account_says_what_it_means(notes: Notes) -> None:
    """For whom the role and the ClusterRole then are, and what association there may be already."""
    text = notes({"serviceAccount": SHARED})
    association = item(text, "Credentials: the Pod Identity association of monitoring-sa")
    assert "aws eks list-pod-identity-associations --cluster-name CLUSTER --namespace monitoring" in association
    assert "--service-account monitoring-sa --role-arn" in association
    assert "create-role" not in text
    assert "--role-name ROLE --policy-name" in text
    said = item(text, "The service account monitoring-sa is not the exporter's own")
    assert "The exporter may do all that its role may, writing among it." in said
    assert "Every other pod on it may read what our ClusterRole reads, and do what the policy allows." in said
    assert "serviceAccount.create: true gives it one, and so a role, of its own." in said
    bare = {"serviceAccount": SHARED, "aws": SECRET, "rbac": {"create": False}}
    assert item(notes(bare), "The service account").endswith("own serviceAccount.create: true gives it one of its own.")
    assert not item(notes(), "The service account")


def test_irsa_says_the_trust_or_the_annotation(notes: Notes) -> None:
    """The chart annotates its own account; another one is for its owner."""
    own = item(notes({"aws": IRSA}), "Credentials: the role's trust (IRSA)")
    assert "system:serviceaccount:monitoring:storage-exporter." in own
    assert "aws iam get-role --role-name storage-exporter-production --query" in own
    other = item(notes({"aws": IRSA, "serviceAccount": SHARED}), "Credentials: the annotation on monitoring-sa (IRSA)")
    assert f"annotate serviceaccount monitoring-sa eks.amazonaws.com/role-arn={ROLE}" in other
    assert "rollout restart" in other
    assert "association" not in notes({"aws": IRSA})


def test_a_secret_is_made_of_files_with_its_keys(notes: Notes) -> None:
    """And the region is missing, for keys bring none; the policy is a user's."""
    text = notes({"aws": SECRET})
    files = "--from-file=aws_access_key_id=FILE --from-file=aws_secret_access_key=FILE --from-file=session=FILE"
    assert f"kubectl -n monitoring create secret generic aws-keys {files}" in commands(text)
    assert "Set aws.region" in item(text, "The region")
    assert "aws iam put-user-policy --user-name USER --policy-name" in item(text, "What it may do")
    with_region = {"aws": {**SECRET, "region": "eu-central-1"}}
    assert not item(notes(with_region), "The region")
    plain = notes({"aws": {"identity": "secret", "existingSecret": {"name": "k", "accessKeyIdKey": "id"}}})
    assert plain.count("--from-file=") == 2
    assert "--from-file=id=FILE" in plain


def test_the_nodes_role_is_named_as_such(notes: Notes) -> None:
    """With identity none it may be anything."""
    text = notes({"aws": {"identity": "none"}})
    assert "it may be the node's role" in item(text, "Credentials: whatever the SDK finds")
    assert item(text, "The region")
    assert not item(notes(), "The region")
    assert not item(notes({"aws": {"identity": "none"}, "existingConfigMap": {"name": "x"}}), "The region")


def test_the_policy_is_printed_by_the_release_and_by_its_image(notes: Notes) -> None:
    """With the configuration from a pod, or before there is one; and put to the role given."""
    found = item(notes({"aws": {"roleArn": ROLE}, "image": {"tag": "1.2"}}), "What it may do: the policy")
    inside = (
        "exec deploy/storage-exporter -c storage-exporter -- python -m exporter policy --config /etc/storage-exporter"
    )
    assert f"{inside}/config/config.yaml > policy.json" in found
    assert "docker run --rm ghcr.io/officeless/storage-exporter:1.2 policy > policy.json" in found
    assert "put-role-policy --role-name storage-exporter-production --policy-name storage-exporter" in found
    assert "--role-name storage-exporter --policy-name" in item(notes(), "What it may do")


def test_missing_roles_of_kubernetes_are_said(notes: Notes) -> None:
    """Only where somebody needs them."""
    assert "rbac.create is false" in item(notes({"rbac": {"create": False}}), "Roles in Kubernetes")
    alone = {"rbac": {"create": False}, "replicas": 1, "config": {"kubernetes": {"enabled": False}}}
    assert not item(notes(alone), "Roles in Kubernetes")
    assert not item(notes(), "Roles in Kubernetes")


def test_a_policy_for_kubernetes_warns_of_cilium(notes: Notes) -> None:
    """Where credentials would hang there: with Pod Identity."""
    on = {"networkPolicy": {"enabled": True}}
    assert "set networkPolicy.flavor: cilium" in item(notes(on), "Network policy")
    others: list[Values] = [
        {"aws": IRSA},
        {"networkPolicy": {"enabled": True, "flavor": "cilium"}},
        {"networkPolicy": {}},
    ]
    for other in others:
        assert not item(notes({**on, **other}), "Network policy")


# --- series


def test_push_says_where_as_whom_and_how_to_try(notes: Notes) -> None:
    """Without a tenant or a password, that is said; nobody is told to scrape."""
    bare = notes({"config": PUSH})
    said = item(bare, "Series are pushed")
    assert "To https://mimir.example.com/api/v1/push, without a tenant, which Mimir answers with 401" in said
    assert "config.delivery.push.tenant" in said
    assert "It signs in nowhere" in said
    assert "exporter check --connect --config" in said
    assert "Monitor" not in bare
    assert "servicemonitors" not in bare
    full = {"mode": "push", "push": {**PUSH["delivery"]["push"], **SIGNED}}  # type: ignore[index]
    signed = notes({"config": {**PUSH, "delivery": full}, "secretFiles": ["push", "ca"]})
    assert "/push, as tenant platform. Whether it takes them:" in item(signed, "Series are pushed")
    assert "signs in nowhere" not in signed
    assert "kubectl -n monitoring get secret push ca" in item(signed, "Secrets: push, ca")
    assert not item(bare, "Secrets")


def test_a_config_map_of_the_users_says_what_it_has_to_say(notes: Notes) -> None:
    """The port, the Lease and the shards, which the chart would have written."""
    own = {"existingConfigMap": {"name": "mine", "key": "a.yaml"}, "port": 9200}
    said = item(notes(own), "The ConfigMap mine, key a.yaml")
    assert 'web.listen ":9200"; kubernetes.leader_election true; kubernetes.lease.name storage-exporter. ' in said
    assert "check --connect" in said
    sharded = item(notes({**own, "mode": "shards", "shards": {"total": 3}}), "The ConfigMap")
    assert "leader_election false; kubernetes.lease.name storage-exporter; shards.total 3." in sharded
    for title in ("No budget", "The cluster's name", "The ServiceMonitor"):
        assert not item(notes(own), title)


@pytest.mark.parametrize(
    ("by", "title", "words"),
    [
        ("none", "Nobody scrapes", "Scrape port 9116 of the pods, path /metrics, with honor_labels: true"),
        ("annotations", "Scraped by the annotations", "must drop pod and instance"),
        ("serviceMonitor", "The ServiceMonitor has no label of yours", "jsonpath='{..serviceMonitorSelector}'"),
        ("podMonitor", "The PodMonitor has no label of yours", "jsonpath='{..podMonitorSelector}'"),
    ],
)
def test_who_scrapes_and_what_that_needs(notes: Notes, by: str, title: str, words: str) -> None:
    """Each way has its trap."""
    assert words in item(notes({"scrape": {"by": by}}), title)
    labelled = notes({"scrape": {"by": by, "labels": {"release": "prometheus"}}})
    assert bool(item(labelled, title)) == (by in ("none", "annotations"))


def test_the_page_that_notes_point_at_exists(notes: Notes) -> None:
    """A section of the chart's README, by its title."""
    readme = (CHART / "README.md").read_text()
    text = re.sub(r"\s+", " ", notes({"scrape": {"by": "none"}}) + notes({"scrape": {"by": "annotations"}}))
    sections = re.findall(r'README, "([^"]+)"', text)
    assert len(sections) == 2
    for section in sections:
        assert f"\n## {section}\n" in readme
