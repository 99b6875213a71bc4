"""The kinds of objects the stand-in API server of the chart's tests has, and what it says of them. Pure; a table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

VERSION = {
    "major": "1",
    "minor": "33",
    "gitVersion": "v1.33.4-eks-ea8e3cb",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2025-08-13T00:00:00Z",
    "goVersion": "go1.24.5",
    "compiler": "gc",
    "platform": "linux/amd64",
}


@dataclass(frozen=True)
class Kind:
    """
    One kind.

    `fixed` are dotted paths of fields that never change once an object exists; `free`, where there are any, are those
    fields of spec that alone may change.
    """

    kind: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    fixed: Sequence[str] = ()
    free: Sequence[str] = ()
    custom: bool = False

    @property
    def group_version(self) -> str:
        """As in ``apiVersion``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def called(self) -> str:
        """As messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_RBAC, _MONITORING = "rbac.authorization.k8s.io", "monitoring.coreos.com"
_SET = ("replicas", "ordinals", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy")

KINDS: Sequence[Kind] = (
    Kind("Namespace", "namespaces", namespaced=False),
    Kind("ConfigMap", "configmaps"),
    Kind("Secret", "secrets", fixed=("type",)),
    Kind("Service", "services", fixed=("spec.clusterIP",)),
    Kind("ServiceAccount", "serviceaccounts"),
    Kind("Pod", "pods", free=("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")),
    Kind("PersistentVolumeClaim", "persistentvolumeclaims", free=("resources", "volumeAttributesClassName")),
    Kind("Deployment", "deployments", "apps", fixed=("spec.selector",)),
    Kind("ReplicaSet", "replicasets", "apps", fixed=("spec.selector",)),
    Kind("DaemonSet", "daemonsets", "apps", fixed=("spec.selector",)),
    Kind("StatefulSet", "statefulsets", "apps", free=(*_SET, "minReadySeconds", "revisionHistoryLimit")),
    Kind(
        "Job",
        "jobs",
        "batch",
        fixed=("spec.template", "spec.selector", "spec.completions", "spec.completionMode", "spec.podFailurePolicy"),
    ),
    Kind("PodDisruptionBudget", "poddisruptionbudgets", "policy"),
    Kind("NetworkPolicy", "networkpolicies", "networking.k8s.io"),
    Kind("Lease", "leases", "coordination.k8s.io"),
    Kind("Role", "roles", _RBAC),
    Kind("RoleBinding", "rolebindings", _RBAC, fixed=("roleRef",)),
    Kind("ClusterRole", "clusterroles", _RBAC, namespaced=False),
    Kind("ClusterRoleBinding", "clusterrolebindings", _RBAC, namespaced=False, fixed=("roleRef",)),
    Kind("CustomResourceDefinition", "customresourcedefinitions", "apiextensions.k8s.io", namespaced=False),
    Kind("ServiceMonitor", "servicemonitors", _MONITORING, custom=True),
    Kind("PodMonitor", "podmonitors", _MONITORING, custom=True),
    Kind("PrometheusRule", "prometheusrules", _MONITORING, custom=True),
    Kind("AlertmanagerConfig", "alertmanagerconfigs", _MONITORING, "v1alpha1", custom=True),
    Kind("GrafanaDashboard", "grafanadashboards", "grafana.integreatly.org", "v1beta1", custom=True),
    Kind("CiliumNetworkPolicy", "ciliumnetworkpolicies", "cilium.io", "v2", custom=True),
)
"""Every kind the chart may render, and what comes of them."""


def known(without: Collection[str] = ()) -> list[Kind]:
    """The kinds of a cluster that lacks the groups *without*."""
    return [kind for kind in KINDS if kind.group not in without]


def said(kinds: Sequence[Kind], path: str) -> Any:
    """What discovery says at *path*, OpenAPI's part among it for those whose fields the server shall validate."""
    if path == "/version":
        return VERSION
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        names = dict.fromkeys(kind.group for kind in kinds if kind.group)
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(kinds, name) for name in names]}
    places = {f"{'apis' if kind.group else 'api'}/{kind.group_version}": kind.group_version for kind in kinds}
    if path == "/openapi/v2":
        return ""  # protobuf of a description of nothing: kinds that are not in it are not validated by the client
    if path == "/openapi/v3":
        return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}?hash=1"} for place in places}}
    if path.startswith("/openapi/v3/") and (found := places.get(path.removeprefix("/openapi/v3/"))):
        return _paths([kind for kind in kinds if kind.group_version == found])
    if found := places.get(path.strip("/")):
        listed = [_resource(kind) for kind in kinds if kind.group_version == found]
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": found, "resources": listed}
    return None


def _group(kinds: Sequence[Kind], name: str) -> Any:
    versions = dict.fromkeys(kind.version for kind in kinds if kind.group == name)
    told = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": told, "preferredVersion": told[0]}


def _resource(kind: Kind) -> Any:
    return {
        "name": kind.plural,
        "singularName": kind.kind.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    }


def _paths(kinds: Sequence[Kind]) -> Any:
    """A description of nothing but that ``fieldValidation`` is understood, which is all helm looks for."""
    paths = {}
    for kind in kinds:
        place = f"/{'apis' if kind.group else 'api'}/{kind.group_version}/{kind.plural}/{{name}}"
        paths[place] = {
            "patch": {
                "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
                "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
                "responses": {},
            }
        }
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]}, "paths": paths}
