"""
The values matrix: cases by name, each of which every schema, every invariant and a golden render is held to.

A case is here because a template branches on it. Every file of helm/storage-exporter/ci is a case too.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.chart.rendering import CHART, LEAN, NAMESPACE, RELEASE, Object, merged, render

VALUES: Mapping[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())

ROLE = "arn:aws:iam::111122223333:role/storage-exporter"
PUSH = {
    "cluster": "production",
    "delivery": {
        "mode": "push",
        "push": {
            "url": "http://mimir-distributor.mimir.svc:8080/api/v1/push",
            "tenant": "platform",
            "auth": {
                "basic": {"username": "exporter", "password_file": "/etc/storage-exporter/secrets/mimir/password"}
            },
        },
    },
}
RULERS = {
    "rules": {
        "mimir": {"url": "http://mimir-ruler.mimir.svc:8080", "tenant": "platform"},
        "loki": {"url": "http://loki-backend.loki.svc:3100"},
    }
}
RECEIVERS = [
    {"name": "page", "pagerdutyConfigs": [{"routingKey": {"name": "pagerduty", "key": "routing-key"}}]},
    {"name": "tickets", "webhookConfigs": [{"urlSecret": {"name": "tickets", "key": "url"}}]},
    {"name": "list", "webhookConfigs": [{"url": "http://list.monitoring.svc/alerts"}]},
    {"name": "dead-man", "webhookConfigs": [{"urlSecret": {"name": "dead-man", "key": "url"}}]},
]


@dataclass(frozen=True)
class Case:
    """One way to install: values, and the files that they come after. *base*: the case that it is a change of."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    release: str = RELEASE
    namespace: str = NAMESPACE
    base: str = "default"

    def objects(self, chart: Path = CHART) -> list[Object]:
        """What helm renders of it, from a *chart* of these names."""
        return render(self.values, files=self.files, release=self.release, namespace=self.namespace, chart=chart)

    def effective(self) -> dict[str, Any]:
        """The values as templates see them: the chart's, the files' and its own over one another."""
        made: dict[str, Any] = copy.deepcopy(dict(VALUES))
        for layer in (*(yaml.safe_load(file.read_text()) or {} for file in self.files), self.values):
            made = merged(made, layer)
        return made


@functools.cache
def cases() -> tuple[Case, ...]:
    """Every case, those of the ci folder last; names are unique."""
    found = [Case(f"ci-{path.name.removesuffix('-values.yaml')}", files=(path,)) for path in ci_files()]
    return (*_OWN, *found)


def ci_files() -> list[Path]:
    """The chart's own example values, in order of their names."""
    return sorted((CHART / "ci").glob("*-values.yaml"))


def case(name: str) -> Case:
    """The case of a name."""
    return next(each for each in cases() if each.name == name)


def _lean(name: str, values: Mapping[str, Any] | None = None, **more: Any) -> Case:
    return Case(name, merged(LEAN, values or {}), base="lean", **more)


def _push(**more: Any) -> dict[str, Any]:
    return {"config": PUSH, "secretFiles": ["mimir"], **more}


_EVERYTHING: dict[str, Any] = {
    "nameOverride": "se",
    "fullnameOverride": "watcher",
    "namespaceOverride": "elsewhere",
    "commonLabels": {"team": "storage"},
    "commonAnnotations": {"contact": "storage@example.com"},
    "global": {"imageRegistry": "mirror.example.com", "imagePullSecrets": ["global-pull"]},
    "imagePullSecrets": ["pull"],
    "image": {"digest": "sha256:" + "0123456789abcdef" * 4},
    "serviceAccount": {"annotations": {"owner": "storage"}, "name": "watcher-account"},
    "aws": {"region": "eu-central-1", "roleArn": ROLE, "stsRegional": False, "fips": True},
    "config": {"kubernetes": {"pods": True, "csi_drivers": True}, "cluster": "production"},
    "sources": {"ebsCsiNvme": True, "kubeStateMetrics": False, "kubelet": False, "logs": False},
    "port": 9200,
    "service": {"port": 9201, "annotations": {"note": "metrics"}, "type": "NodePort"},
    "scrape": {
        "labels": {"release": "prometheus"},
        "annotations": {"note": "monitor"},
        "namespace": "scrapers",
        "interval": "60s",
        "timeout": "50s",
        "relabelings": [{"targetLabel": "cluster", "replacement": "production"}],
        "metricRelabelings": [{"sourceLabels": ["__name__"], "regex": "aws_s3_.*", "action": "drop"}],
    },
    "rules": {
        "mimir": {
            "labels": {"release": "prometheus"},
            "annotations": {"note": "rules"},
            "namespace": "rules",
            "evaluatedBy": "mimir",
        },
        "loki": {
            "delivery": "prometheusRule",
            "labels": {"loki": "yes"},
            "annotations": {"note": "logs"},
            "namespace": "rules",
        },
    },
    "dashboards": {
        "labels": {"grafana_dashboard": "1", "team": "storage"},
        "annotations": {"grafana_folder": "Storage"},
        "namespace": "grafana",
        "datasources": {"prometheus": "mimir", "loki": "logs"},
        "operator": {"enabled": True, "allowCrossNamespaceImport": True},
    },
    "networkPolicy": {
        "enabled": True,
        "ingress": {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "scrapers"}}}]},
        "egress": {
            "https": ["10.0.0.0/8", "fd00::/8"],
            "kubernetesPort": 6443,
            "extra": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 9443, "protocol": "TCP"}]}],
        },
    },
    "podDisruptionBudget": {"maxUnavailable": 2},
    "replicas": 3,
    "podLabels": {"injected": "no"},
    "podAnnotations": {"note": "pod"},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "storage", "effect": "NoSchedule"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "arm", "operator": "DoesNotExist"}]}]
            }
        }
    },
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"},
        {
            "maxSkew": 2,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "storage-exporter"}},
        },
    ],
    "updateStrategy": {"type": "Recreate"},
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": ["192.0.2.53"]},
    "secretFiles": ["tenant"],
    "extraArgs": ["--log.level", "debug"],
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}],
    "extraEnvFrom": [{"configMapRef": {"name": "more-environment"}}, {"secretRef": {"name": "more-secrets"}}],
    "extraVolumes": [{"name": "certificates", "configMap": {"name": "company-certificates"}}],
    "extraVolumeMounts": [{"name": "certificates", "mountPath": "/etc/certificates", "readOnly": True}],
    "extraInitContainers": [
        {
            "name": "wait",
            "image": "registry.example.com/wait:1.0",
            "resources": {"requests": {"memory": "8Mi"}, "limits": {"memory": "16Mi"}},
            "securityContext": VALUES["securityContext"],
        }
    ],
    "extraContainers": [
        {
            "name": "proxy",
            "image": "registry.example.com/proxy:1.0",
            "resources": {"requests": {"memory": "8Mi"}, "limits": {"memory": "16Mi"}},
            "securityContext": VALUES["securityContext"],
        }
    ],
    "extraObjects": [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "more", "namespace": "elsewhere"},
            "data": {"a": "b"},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "{{ .Release.Name }}-again"},
            "data": {"a": "b"},
        },
    ],
    "test": {"annotations": {"note": "test"}},
}

_NOTHING: dict[str, Any] = {
    "rbac": {"create": False},
    "service": {"enabled": False},
    "scrape": {"by": "none"},
    "rules": {"mimir": {"delivery": "none"}},
    "dashboards": {"enabled": False},
    "podDisruptionBudget": {"enabled": False},
    "test": {"enabled": False},
    "topologySpreadConstraints": [],
    "config": {"kubernetes": {"enabled": False}},
    "replicas": 1,
}

_OWN = (
    Case("default"),
    Case("other-release", release="second", namespace="observability"),
    _lean("lean"),
    Case("long-release", release="a-release-with-the-longest-name-that-helm-takes-heree".ljust(53, "x")),
    Case("everything", _EVERYTHING),
    Case("nothing", _NOTHING),
    _lean("one-replica", {"replicas": 1}),
    _lean("shards", {"mode": "shards", "shards": {"total": 3}}),
    _lean("shards-twice", {"mode": "shards", "shards": {"total": 2, "sets": 2}, "networkPolicy": {"enabled": True}}),
    _lean(
        "persistence",
        {
            "persistence": {"enabled": True, "size": "8Gi", "storageClass": "gp3", "annotations": {"note": "claim"}},
            "networkPolicy": {"enabled": True},
            "rules": {"loki": {"delivery": "prometheusRule"}},
        },
    ),
    _lean("push", _push(networkPolicy={"enabled": True, "egress": {"receivers": {"app": "mimir"}}})),
    _lean("push-cilium", _push(networkPolicy={"enabled": True, "flavor": "cilium"})),
    _lean(
        "push-persistence-shards",
        _push(mode="shards", persistence={"enabled": True}, aws={"identity": "none"}),
    ),
    _lean("pod-monitor", {"scrape": {"by": "podMonitor", "namespace": "scrapers"}, "service": {"enabled": False}}),
    _lean("pod-monitor-plain", {"scrape": {"by": "podMonitor", "labels": {"release": "x"}, "annotations": {"a": "b"}}}),
    _lean("annotations", {"scrape": {"by": "annotations"}, "podAnnotations": {"note": "pod"}}),
    _lean("irsa", {"aws": {"identity": "irsa", "roleArn": ROLE}, "networkPolicy": {"enabled": True}}),
    _lean(
        "secret",
        {
            "aws": {
                "identity": "secret",
                "region": "eu-central-1",
                "existingSecret": {"name": "aws-keys", "sessionTokenKey": "aws_session_token"},
            },
            "networkPolicy": {"enabled": True, "flavor": "cilium"},
        },
    ),
    _lean(
        "external",
        {
            "serviceAccount": {"create": False, "name": "monitoring-sa"},
            "rbac": {"existingClusterRole": "reader-of-volumes"},
            "existingConfigMap": {"name": "own-config", "key": "exporter.yaml"},
        },
    ),
    Case(
        "config-maps",
        {
            "rules": {
                "mimir": {"delivery": "configMap", "labels": {"mimir_rule": "1"}, "annotations": {"a": "b"}},
                "loki": {"delivery": "configMap", "labels": {"loki_rule": "1"}, "folder": "/rules/platform"},
            },
            "alertmanager": {"example": True},
        },
    ),
    _lean(
        "sync",
        {
            "config": RULERS,
            "rules": {
                "mimir": {"delivery": "sync"},
                "loki": {"delivery": "sync"},
                "sync": {"prune": True, "annotations": {"argocd.argoproj.io/hook": "PostSync"}},
            },
            "networkPolicy": {"enabled": True},
        },
    ),
    _lean(
        "sync-mimir",
        {
            "config": {"rules": {"mimir": RULERS["rules"]["mimir"]}},
            "rules": {"mimir": {"delivery": "sync"}},
            "networkPolicy": {"enabled": True, "flavor": "cilium"},
        },
    ),
    _lean(
        "alertmanager",
        {
            "alertmanager": {
                "config": {
                    "enabled": True,
                    "labels": {"alertmanager": "main"},
                    "annotations": {"a": "b"},
                    "receivers": RECEIVERS,
                    "routes": {"critical": "page", "warning": "tickets", "info": "list", "watchdog": "dead-man"},
                }
            }
        },
    ),
    _lean(
        "alertmanager-critical",
        {"alertmanager": {"config": {"enabled": True, "receivers": RECEIVERS[:1], "routes": {"critical": "page"}}}},
    ),
    _lean("cilium", {"networkPolicy": {"enabled": True, "flavor": "cilium", "egress": {"kubernetesPort": 6443}}}),
    _lean(
        "cilium-from",
        {
            "aws": {"identity": "irsa", "roleArn": ROLE},
            "networkPolicy": {
                "enabled": True,
                "flavor": "cilium",
                "ingress": {"from": [{"matchLabels": {"k8s:io.kubernetes.pod.namespace": "scrapers"}}]},
                "egress": {"extra": [{"toFQDNs": [{"matchName": "proxy.example.com"}]}]},
            },
        },
    ),
    # With a web configuration file the chart does not know whether a probe would be let in.
    _lean(
        "web-config",
        {"config": {"web": {"config_file": "/etc/storage-exporter/secrets/web/web.yaml"}}, "secretFiles": ["web"]},
    ),
    _lean("lease-elsewhere", {"config": {"kubernetes": {"lease": {"namespace": "leases", "duration": "30s"}}}}),
    Case("grafana-operator", {"rules": {"mimir": {"delivery": "none"}}, "dashboards": {"operator": {"enabled": True}}}),
    _lean("no-identity", {"aws": {"identity": "none"}, "networkPolicy": {"enabled": True}}),
    _lean("no-identity-cilium", {"aws": {"identity": "none"}, "networkPolicy": {"enabled": True, "flavor": "cilium"}}),
    _lean("external-policy", {"existingConfigMap": {"name": "own"}, "networkPolicy": {"enabled": True}}),
    _lean("name-override", {"nameOverride": "watcher"}),
    _lean("ebs-nvme", {"sources": {"ebsCsiNvme": True}, "config": {"covered": ["ebs-nvme"]}}),
)
