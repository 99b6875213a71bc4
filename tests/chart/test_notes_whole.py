"""NOTES.txt as it is read: every title and every command of whole notes, word for word."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from tests.chart.noting import Notes, commands, item, printer
from tests.chart.rendering import CHART, Values

_RUN = "kubectl -n monitoring exec {0} -c storage-exporter -- python -m exporter {1} --config {2}"
_ROLE = "arn:aws:iam::123456789012:role/storage-exporter"
_ASSOCIATION = (
    "aws eks create-pod-identity-association --cluster-name CLUSTER --namespace monitoring "
    "--service-account storage-exporter --role-arn {0}"
)
_TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},'
    '"Action":["sts:AssumeRole","sts:TagSession"]}]}'
)
_CREATE_ROLE = f"aws iam create-role --role-name storage-exporter --assume-role-policy-document '{_TRUST}'"
_PUT = "--policy-name storage-exporter --policy-document file://policy.json"
_PUT_ROLE = f"aws iam put-role-policy --role-name {{0}} {_PUT}"
_PUT_USER = f"aws iam put-user-policy --user-name USER {_PUT}"
_SELECTOR = "kubectl get prometheus -A -o jsonpath='{{..{0}Selector}}'"
_KINDS = "kubectl get crd"
_TEST = "helm test storage-exporter -n monitoring"
_SHARED = {"create": False, "name": "monitoring-sa"}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Notes:
    """What is printed for some values."""
    return printer(tmp_path_factory.mktemp("notes"))


def program(command: str, workload: str = "deploy") -> str:
    """A command of the program in a pod."""
    return _RUN.format(f"{workload}/storage-exporter", command, "/etc/storage-exporter/config/config.yaml")


def policy(put: str, workload: str = "deploy", image: str = "ghcr.io/officeless/storage-exporter:0.1.0") -> list[str]:
    """What writes the policy and what puts it."""
    return [
        f"{program('policy', workload)} > policy.json",
        f"docker run --rm {image} policy > policy.json",
        put,
    ]


def restart(*names: str) -> str:
    """What makes the pods anew."""
    return f"kubectl -n monitoring rollout restart {' '.join(names)}"


def look(workload: str = "deploy", *, test: bool = True) -> list[str]:
    """The last commands."""
    return [
        f"kubectl -n monitoring rollout status {workload}/storage-exporter",
        f"kubectl -n monitoring port-forward {workload}/storage-exporter 9116 &",
        "curl -s localhost:9116/-/ready",
        *([_TEST] if test else []),
    ]


OPERATORS = f"{_KINDS} prometheusrules.monitoring.coreos.com servicemonitors.monitoring.coreos.com"
WHOLE: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "default": (
        (
            "Credentials: the Pod Identity association",
            "What it may do: the policy",
            "The ServiceMonitor has no label of yours",
            "PromQL rules: prometheusRule",
            "LogQL rules: none",
            "Dashboards",
            "Kinds that others define",
            "The cluster's name",
            "No budget for CloudWatch",
            "Without ebsCsiNvme",
        ),
        (
            _CREATE_ROLE,
            _ASSOCIATION.format("arn:aws:iam::ACCOUNT:role/storage-exporter"),
            restart("deploy/storage-exporter"),
            *policy(_PUT_ROLE.format("storage-exporter")),
            _SELECTOR.format("serviceMonitor"),
            _SELECTOR.format("rule"),
            OPERATORS,
            program("plan"),
            *look(),
        ),
    ),
    "everything": (
        (
            "Credentials: the Pod Identity association",
            "What it may do: the policy",
            "Secrets: rulers",
            "PromQL rules: sync",
            "LogQL rules: sync",
            "AlertmanagerConfig",
            "Dashboards",
            "Kinds that others define",
        ),
        (
            _ASSOCIATION.format(_ROLE),
            restart("sts/storage-exporter"),
            *policy(_PUT_ROLE.format("storage-exporter"), "sts"),
            "kubectl -n monitoring get secret rulers",
            program("rules diff --only mimir", "sts"),
            program("rules diff --only loki", "sts"),
            "kubectl get alertmanager -A -o jsonpath='{..alertmanagerConfigMatcherStrategy}'",
            (
                f"{_KINDS} podmonitors.monitoring.coreos.com alertmanagerconfigs.monitoring.coreos.com"
                " grafanadashboards.grafana.integreatly.org ciliumnetworkpolicies.cilium.io"
            ),
            *look("sts"),
        ),
    ),
    "external": (
        (
            "Credentials: the Secret storage-exporter-aws",
            "What it may do: the policy",
            "The service account storage-reader is not the exporter's own",
            "The ConfigMap storage-exporter-settings, key storage-exporter.yaml",
            "PromQL rules: none",
            "LogQL rules: none",
            "Without ebsCsiNvme",
        ),
        (
            (
                "kubectl -n monitoring create secret generic storage-exporter-aws --from-file=id=FILE"
                " --from-file=key=FILE --from-file=token=FILE"
            ),
            restart("deploy/storage-exporter"),
            *policy(_PUT_USER, image="registry.example.com/officeless/storage-exporter:0.1.0"),
            program("check --connect"),
            *look(),
        ),
    ),
    "irsa": (
        (
            "Credentials: the role's trust (IRSA)",
            "What it may do: the policy",
            "PromQL rules: prometheusRule",
            "LogQL rules: none",
            "Dashboards",
            "Kinds that others define",
            "No budget for CloudWatch",
            "Without ebsCsiNvme",
        ),
        (
            "aws iam get-role --role-name storage-exporter --query Role.AssumeRolePolicyDocument",
            *policy(
                _PUT_ROLE.format("storage-exporter"),
                image=f"ghcr.io/officeless/storage-exporter@sha256:{'0123456789abcdef' * 4}",
            ),
            _SELECTOR.format("rule"),
            OPERATORS,
            program("plan"),
            *look(),
        ),
    ),
    "minimal": (
        (
            "Credentials: whatever the SDK finds",
            "The region",
            "What it may do: the policy",
            "Scraped by the annotations prometheus.io/scrape",
            "PromQL rules: none",
            "The cluster's name",
            "No budget for CloudWatch",
            *(f"Without {source}" for source in ("ebsCsiNvme", "kubeStateMetrics", "kubelet", "logs")),
        ),
        (*policy(_PUT_ROLE.format("ROLE")), program("plan"), *look(test=False)),
    ),
    "officeless": (
        (
            "Credentials: the Pod Identity association of monitoring-sa",
            "What it may do: the policy",
            "The service account monitoring-sa is not the exporter's own",
            "The ServiceMonitor has no label of yours",
            "PromQL rules: sync",
            "LogQL rules: sync",
            "Who is told",
            "Dashboards",
            "Kinds that others define",
            "No budget for CloudWatch",
            "Without ebsCsiNvme",
        ),
        (
            (
                "aws eks list-pod-identity-associations --cluster-name CLUSTER --namespace monitoring"
                " --service-account monitoring-sa"
            ),
            (
                "aws eks create-pod-identity-association --cluster-name CLUSTER --namespace monitoring"
                " --service-account monitoring-sa --role-arn arn:aws:iam::ACCOUNT:role/storage-exporter"
            ),
            restart("deploy/storage-exporter"),
            *policy(_PUT_ROLE.format("ROLE")),
            _SELECTOR.format("serviceMonitor"),
            program("rules diff --only mimir"),
            program("rules diff --only loki"),
            f"{_KINDS} servicemonitors.monitoring.coreos.com",
            program("plan"),
            *look(),
        ),
    ),
    "push": (
        (
            "Credentials: the Pod Identity association",
            "What it may do: the policy",
            "Network policy, flavor kubernetes",
            "Secrets: mimir-push",
            "Series are pushed",
            "PromQL rules: prometheusRule",
            "LogQL rules: none",
            "Who is told",
            "Dashboards",
            "Kinds that others define",
            "Without ebsCsiNvme",
        ),
        (
            _ASSOCIATION.format(_ROLE),
            restart("deploy/storage-exporter"),
            *policy(_PUT_ROLE.format("storage-exporter")),
            "kubectl get daemonset -A -l k8s-app=cilium",
            "kubectl -n monitoring get secret mimir-push",
            program("check --connect"),
            (
                "kubectl -n monitoring get prometheusrules"
                " -l storage-exporter.io/rules=promql,app.kubernetes.io/instance=storage-exporter"
            ),
            f"{_KINDS} prometheusrules.monitoring.coreos.com",
            *look(),
        ),
    ),
    "shards": (
        (
            "Credentials: the Pod Identity association",
            "What it may do: the policy",
            "PromQL rules: prometheusRule",
            "LogQL rules: none",
            "Dashboards",
            "Kinds that others define",
            "No budget for CloudWatch",
            "Without ebsCsiNvme",
        ),
        (
            _CREATE_ROLE,
            _ASSOCIATION.format("arn:aws:iam::ACCOUNT:role/storage-exporter"),
            restart("sts/storage-exporter", "sts/storage-exporter-b"),
            *policy(_PUT_ROLE.format("storage-exporter"), "sts"),
            _SELECTOR.format("rule"),
            OPERATORS,
            program("plan", "sts"),
            *look("sts"),
        ),
    ),
}


@pytest.mark.parametrize("name", sorted(path.stem.removesuffix("-values") for path in (CHART / "ci").glob("*.yaml")))
def test_titles_and_commands_of_a_case_are_these(notes: Notes, name: str) -> None:
    """In this order and no others: what is pasted in a terminal has no word too many."""
    text = notes(files=[CHART / "ci" / f"{name}-values.yaml"])
    titles, pasted = WHOLE[name]
    assert re.findall(r"^\* (.+)$", text, re.MULTILINE) == list(titles)
    assert commands(text) == list(pasted)


@pytest.mark.parametrize(
    ("values", "pasted"),
    [
        (
            {"aws": {"identity": "irsa", "roleArn": _ROLE}, "serviceAccount": _SHARED},
            [
                f"kubectl -n monitoring annotate serviceaccount monitoring-sa eks.amazonaws.com/role-arn={_ROLE}",
                restart("deploy/storage-exporter"),
            ],
        ),
        ({"scrape": {"by": "podMonitor"}}, [_SELECTOR.format("podMonitor")]),
        (
            {"rules": {"loki": {"delivery": "prometheusRule"}}},
            ["kubectl get validatingwebhookconfigurations -o name | grep -i prometheus"],
        ),
        (
            {"rules": {"mimir": {"evaluatedBy": "mimir"}}, "alertmanager": {"example": True}},
            ["kubectl -n monitoring get configmap storage-exporter-alertmanager-example -o yaml"],
        ),
    ],
    ids=("the annotation of IRSA", "PodMonitor", "LogQL", "an example"),
)
def test_commands_of_what_no_case_has(notes: Notes, values: Values, pasted: list[str]) -> None:
    """They follow one another."""
    assert "\n".join(pasted) in "\n".join(commands(notes(values)))


def test_a_subject_is_a_title_a_paragraph_and_its_commands(notes: Notes) -> None:
    """All of them apart by one line; commands stand four columns in, for what is pasted starts where the eye is."""
    text = notes()
    first, *parts = text.split("\n\n")
    assert first.startswith("storage-exporter 0.1.0 is the release storage-exporter in namespace monitoring:\n")
    heads = [part for part in parts if not part.startswith(("* ", "    "))]
    assert heads == ["Before it reads anything:", "Before it alerts and shows:", "Is it well?"]
    for part in parts:
        assert re.fullmatch(r"\* .+\n(  \S.*\n?)+(    \S.*\n?)*|(    \S.*\n?)+|\S.*[:?]", part), part


def test_sentences_of_shared_accounts(notes: Notes) -> None:
    """Whole, in each of their forms."""
    said = [
        item(notes({"serviceAccount": _SHARED, **more}), "The service account").partition(" own ")[2]
        for more in (
            {},
            {"rbac": {"create": False}},
            {"aws": {"identity": "none"}},
            {"aws": {"identity": "none"}, "rbac": {"create": False}},
        )
    ]
    role = "The exporter may do all that its role may, writing among it."
    every, create = "Every other pod on it may", "serviceAccount.create: true gives it one"
    both = "read what our ClusterRole reads, and do what the policy allows"
    assert said == [
        f"{role} {every} {both}. {create}, and so a role, of its own.",
        f"{role} {every} do what the policy allows. {create}, and so a role, of its own.",
        f"{every} read what our ClusterRole reads. {create} of its own.",
        f"{create} of its own.",
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"dashboards": {"enabled": False, "operator": {"enabled": True}}},
        {"networkPolicy": {"enabled": False, "flavor": "cilium"}},
        {"networkPolicy": {"enabled": True, "flavor": "kubernetes"}},
    ],
    ids=str,
)
def test_kinds_that_are_not_rendered_are_not_asked_for(notes: Notes, values: Values) -> None:
    """A switch below one that is off, or another flavor, says nothing."""
    assert OPERATORS in commands(notes(values))
