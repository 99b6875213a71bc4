"""What Helm refuses before anything reaches the cluster, and that the line it says names the value."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.chart.rendering import CHART, HELM, HelmError, helm

IRSA = {"identity": "irsa", "roleArn": "arn:aws:iam::123456789012:role/storage-exporter"}
PUSH = {"mode": "push", "push": {"url": "http://mimir:8080/api/v1/push"}}

SHAPES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("typo at the root", {"replicaz": 3}, ["Additional property replicaz is not allowed"]),
    ("typo in a section", {"image": {"tga": "1"}}, ["- image: Additional property tga"]),
    ("typo three levels down", {"rules": {"loki": {"deliver": "sync"}}}, ["- rules.loki: Additional property deliver"]),
    ("typo in a probe", {"livenessProbe": {"periodSecond": 5}}, ["- livenessProbe: ", "periodSecond"]),
    ("typo in the configuration", {"config": {"services": {"ebss": {}}}}, ["- config.services: ", "ebss"]),
    (
        "typo deep in the configuration",
        {"config": {"cluster": "c", "delivery": {**PUSH, "push": {**PUSH["push"], "urll": "x"}}}},  # type: ignore[dict-item]
        ["- config.delivery.push: Additional property urll"],
    ),
    ("digest", {"image": {"digest": "sha256:abc"}}, ["- image.digest: ", "sha256:[0-9a-f]{64}"]),
    ("port out of range", {"port": 70000}, ["- port: Must be less than or equal to 65535"]),
    ("port of root's", {"port": 80}, ["- port: Must be greater than or equal to 1024"]),
    ("port as text", {"service": {"port": "http"}}, ["- service.port: Invalid type. Expected: integer"]),
    ("word", {"aws": {"identity": "pod-identity"}}, ["- aws.identity: ", '"podIdentity", "irsa", "secret", "none"']),
    ("switch as text", {"persistence": {"enabled": "yes"}}, ["- persistence.enabled: Invalid type. Expected: boolean"]),
    ("duration", {"scrape": {"interval": "30"}}, ["- scrape.interval: Does not match pattern"]),
    ("quantity", {"resources": {"limits": {"memory": "1GiB"}}}, ["- resources.limits.memory: Does not match pattern"]),
    ("null for a section", {"podDisruptionBudget": None}, ["podDisruptionBudget is required"]),
    ("null for a map", {"config": None}, ["config is required"]),
    ("null for a text", {"scrape": {"interval": None}}, ["- scrape: interval is required"]),
    ("label that is a number", {"podLabels": {"version": 1}}, ["- podLabels.version: Invalid type. Expected: string"]),
    ("root", {"podSecurityContext": {"runAsUser": 0}}, ["- podSecurityContext.runAsUser: Must be greater"]),
    (
        "capability",
        {"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}},
        ["- securityContext.capabilities.add.0"],
    ),
    (
        "no network",
        {"networkPolicy": {"egress": {"https": []}}},
        ["- networkPolicy.egress.https: Array must have at least 1"],
    ),
    ("value of the configuration", {"config": {"log": {"level": "loud"}}}, ["- config.log.level: ", '"debug"']),
    ("list of the configuration", {"config": {"tags": "team"}}, ["- config.tags: Invalid type"]),
    ("mode as a variable", {"config": {"delivery": {"mode": "${MODE}"}}}, ["- config.delivery.mode: "]),
    (
        "keys in values",
        {"aws": {"existingSecret": {"secretAccessKey": "x"}}},
        ["- aws.existingSecret: Additional property"],
    ),
]
"""Refused by the schema: name, values, words of the message."""

MEANING: list[tuple[str, dict[str, Any], list[str]]] = [
    ("no secret", {"aws": {"identity": "secret"}}, ["aws.existingSecret.name is empty", "set it to the Secret"]),
    ("no role", {"aws": {"identity": "irsa"}}, ["aws.roleArn is empty", "such as arn:aws:iam::"]),
    ("a secret nobody reads", {"aws": {"existingSecret": {"name": "a"}}}, ["reads no Secret"]),
    ("listen", {"config": {"web": {"listen": ":80"}}}, ["config.web.listen", "set port"]),
    ("provider", {"config": {"identity": {"provider": "irsa"}}}, ["config.identity.provider", "set aws.identity"]),
    ("role", {"config": {"identity": {"role": IRSA["roleArn"]}}}, ["config.identity.role", "set aws.roleArn"]),
    ("shards", {"config": {"shards": {"total": 2}}}, ["config.shards", "set mode: shards"]),
    ("election", {"config": {"kubernetes": {"leader_election": True}}}, ["leader_election", "set replicas"]),
    ("Lease", {"config": {"kubernetes": {"lease": {"name": "x"}}}}, ["lease.name", "fullnameOverride"]),
    (
        "two configurations",
        {"config": {"cluster": "a"}, "existingConfigMap": {"name": "b"}},
        ["existingConfigMap.name (b)"],
    ),
    ("push without a cluster", {"config": {"delivery": PUSH}}, ["config.cluster is empty"]),
    ("push without a receiver", {"config": {"cluster": "a", "delivery": {"mode": "push"}}}, ["delivery.push.url"]),
    ("pods without claims", {"config": {"kubernetes": {"enabled": False, "pods": True}}}, ["config.kubernetes.pods"]),
    ("no account", {"serviceAccount": {"create": False}}, ["serviceAccount.name is empty"]),
    (
        "two identities",
        {"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": IRSA["roleArn"]}}},
        ["IRSA would win", "aws.identity: irsa"],
    ),
    ("monitor without a Service", {"service": {"enabled": False}}, ["scrape.by is serviceMonitor", "podMonitor"]),
    ("selectors", {"podLabels": {"app.kubernetes.io/name": "x"}}, ["podLabels has app.kubernetes.io/name"]),
    ("timeout", {"scrape": {"timeout": "40s"}}, ["scrape.timeout", "scrape.interval"]),
    ("sync to nowhere", {"rules": {"mimir": {"delivery": "sync"}}}, ["config.rules.mimir.url"]),
    (
        "alert that is none",
        {"config": {"rules": {"disable": ["AwsEfsUnusedd"]}}},
        ["config.rules.disable[0]", "AwsEfsUnusedd"],
    ),
    ("strategy", {"updateStrategy": {"type": "OnDelete"}}, ["updateStrategy.type", "RollingUpdate"]),
]
"""Refused by templates, since the fault lies between values."""


@pytest.mark.parametrize(("values", "words"), [pytest.param(*case[1:], id=case[0]) for case in SHAPES + MEANING])
def test_refused(values: dict[str, Any], words: list[str]) -> None:
    """Nothing is rendered; one line has the key and the way out; nothing of Go's own words is in it."""
    with pytest.raises(HelmError) as refused:
        helm("template", "storage-exporter", CHART, "--values", "-", text=json.dumps(values))
    said = str(refused.value)
    lines = [line for line in said.splitlines() if all(word in line for word in words)]
    assert len(lines) == 1, said
    for mark in ("nil pointer", "<nil>", "interface {}", "%!", "map["):
        assert mark not in said


@pytest.mark.parametrize(
    ("case", "refuses"),
    [(SHAPES[0], True), (SHAPES[5], True), (MEANING[0], False), (MEANING[3], False)],
    ids=lambda case: case[0] if isinstance(case, tuple) else "",
)
def test_lint_says_it_too(case: tuple[str, dict[str, Any], list[str]], refuses: bool) -> None:
    """Whoever only lints, in a pipeline, sees the same words. Helm's lint only reports what templates refuse."""
    _, values, words = case
    done = subprocess.run(
        [HELM, "lint", CHART, "--values", "-"], input=json.dumps(values), capture_output=True, text=True, check=False
    )
    assert (done.returncode != 0) == refuses
    said = done.stdout if refuses else done.stderr
    assert any(all(word in line for word in words) for line in said.splitlines()), said
