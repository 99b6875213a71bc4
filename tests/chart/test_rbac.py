"""The rendered roles are what the exporter uses: it is refused nothing, every rule is needed, no more is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.demo import KubernetesServer, World, WorldClock
from exporter.demo.kubernetes_access import Access, Request
from exporter.demo.kubernetes_control import KubernetesCall
from exporter.demo.kubernetes_objects import cluster_of
from tests.chart.rendering import LEAN, NAMESPACE, RELEASE, Object, all_of, one, render
from tests.demo_kubernetes import ask
from tests.harness import T
from tests.running import Running, running

TOKEN = "token-of-the-pod"
COORDINATION, STORAGE = "coordination.k8s.io", "storage.k8s.io"
QUICK = {"duration": "6s", "renew_deadline": "5s", "retry_period": "1s"}
FEW = {"services": {name: {"enabled": False} for name in ("efs", "s3", "elasticache")}}

Right = tuple[str, str, str, str]
"""Group, resource, verb, and name or ``""``."""


def reads(*kinds: str, group: str = "") -> set[Right]:
    return {(group, kind, verb, "") for kind in kinds for verb in ("list", "watch")}


USUAL = reads("persistentvolumes", "persistentvolumeclaims") | reads(
    "storageclasses", "volumeattachments", "csinodes", group=STORAGE
)


def leases(*names: str) -> set[Right]:
    """Making a Lease cannot be limited to a name."""
    return {(COORDINATION, "leases", "create", "")} | {
        (COORDINATION, "leases", verb, name) for name in names for verb in ("get", "update")
    }


@dataclass(frozen=True)
class Case:
    """Values, the rights they shall give, and the names of pods that use them, one after the other."""

    values: Mapping[str, Any]
    rights: set[Right]
    pods: tuple[str, ...] = (f"{RELEASE}-5d8f-x7k2p",)


def values(kubernetes: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {**LEAN, "config": {**FEW, "kubernetes": {"lease": QUICK, **(kubernetes or {})}}, **more}


CASES = {
    "defaults": Case(values(), USUAL | leases(RELEASE)),
    "pods and drivers": Case(
        values({"pods": True, "csi_drivers": True}),
        USUAL | reads("pods") | reads("csidrivers", group=STORAGE) | leases(RELEASE),
    ),
    "shards with a second set": Case(
        values(mode="shards", shards={"total": 2, "sets": 2}),
        USUAL | leases(f"{RELEASE}-0", f"{RELEASE}-1"),
        (f"{RELEASE}-0", f"{RELEASE}-b-1"),
    ),
    "one replica": Case(values(replicas=1), USUAL),
    "no join": Case(values({"enabled": False}), leases(RELEASE)),
    "another name and namespace": Case(
        values(fullnameOverride="eyes", serviceAccount={"name": "shared"}, namespaceOverride="watch"),
        USUAL | leases("eyes"),
    ),
}


def roles(objects: list[Object]) -> list[Object]:
    return [
        each for kind in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding") for each in all_of(objects, kind)
    ]


def pod_of(objects: list[Object]) -> tuple[str, str]:
    """Namespace and service account of the exporter's pods."""
    (item,) = [each for each in objects if each["kind"] in {"Deployment", "StatefulSet"}][:1]
    return item["metadata"]["namespace"], item["spec"]["template"]["spec"]["serviceAccountName"]


def granted(objects: list[Object]) -> set[Right]:
    """Every right in the rules of the roles."""
    return {
        (group, resource, verb, name)
        for role in (*all_of(objects, "Role"), *all_of(objects, "ClusterRole"))
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


def used(call: KubernetesCall) -> Right:
    """What a call needed."""
    steps = call.path.strip("/").split("/")
    named = call.kind == "leases" and call.verb != "create"
    return (steps[1] if steps[0] == "apis" else "", call.kind, call.verb, call.name if named else "")


@pytest.mark.parametrize("name", CASES)
async def test_the_exporter_may_do_what_it_does_and_needs_what_it_may(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With exactly the rendered roles the real program is refused nothing, and it uses every right."""
    case = CASES[name]
    objects = render(case.values)
    namespace, account = pod_of(objects)
    user = f"system:serviceaccount:{namespace}:{account}"
    cluster = cluster_of(World(1, WorldClock(at=T)))
    async with KubernetesServer(cluster, tokens={TOKEN: user}, roles=roles(objects), tick=0.1) as server:
        text = here(objects, server, tmp_path)
        for pod in case.pods:
            for variable, value in (("POD_NAME", pod), ("POD_NAMESPACE", namespace), ("POD_UID", f"uid-{pod}")):
                monkeypatch.setenv(variable, value)
            begun = len(server.calls)
            async with running(monkeypatch, tmp_path, text) as over:
                await busy(server, begun, case.rights)
                await well(over, objects)
        calls = [call for call in server.calls if call.status]  # without those that the end of a program cut off
    assert {call.status for call in calls} <= {200, 201, 404}  # 404: there is no Lease before the first
    assert {(call.verb, call.kind) for call in calls if call.status == 404} <= {("get", "leases")}
    assert granted(objects) == case.rights
    assert {used(call) for call in calls if call.status < 400} == case.rights


def here(objects: list[Object], server: KubernetesServer, folder: Path) -> str:
    """The rendered configuration, with nothing changed but where the API, our own port and AWS's credentials are."""
    config = yaml.safe_load(one(objects, "ConfigMap", f"{pod_name(objects)}-config")["data"]["config.yaml"])
    del config["web"], config["identity"]
    token = folder / "token"
    token.write_text(TOKEN)
    config["kubernetes"] |= {"url": server.url, "token_file": str(token)}
    return yaml.safe_dump(config)


def pod_name(objects: list[Object]) -> str:
    (item,) = [each for each in objects if each["kind"] in {"Deployment", "StatefulSet"}][:1]
    return str(item["metadata"]["name"])


async def busy(server: KubernetesServer, begun: int, wanted: set[Right]) -> None:
    """Return when the program watches every kind that it may, and has renewed the Lease of its own twice."""
    kinds = len({resource for _, resource, verb, _ in wanted if verb == "watch"})
    elected = any(resource == "leases" for _, resource, _, _ in wanted)

    def done() -> bool:
        renewals = [call for call in server.calls[begun:] if (call.verb, call.kind) == ("update", "leases")]
        return server.watching >= kinds and (len(renewals) >= 2 or not elected)

    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.02)


async def well(over: Running, objects: list[Object]) -> None:
    """Return when every probe of the rendered container would be content."""
    (item,) = [each for each in objects if each["kind"] in {"Deployment", "StatefulSet"}][:1]
    (container,) = item["spec"]["template"]["spec"]["containers"]
    paths = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    async with asyncio.timeout(60):
        while {(await over.get(path))[0] for path in paths} != {200}:
            await asyncio.sleep(0.05)


LEASES = f"/apis/{COORDINATION}/v1/namespaces/{NAMESPACE}/leases"
REFUSED = (
    "GET /api/v1/secrets",
    f"GET /api/v1/namespaces/{NAMESPACE}/secrets",
    f"GET /api/v1/namespaces/{NAMESPACE}/secrets/x",
    f"GET /api/v1/namespaces/{NAMESPACE}/secrets?fieldSelector=metadata.name=x",
    "GET /api/v1/configmaps",
    f"GET /api/v1/namespaces/{NAMESPACE}/configmaps/{RELEASE}-config",
    "GET /api/v1/nodes",
    "GET /api/v1/pods",
    f"GET /api/v1/namespaces/{NAMESPACE}/pods",
    f"POST /api/v1/namespaces/{NAMESPACE}/pods",
    f"POST /api/v1/namespaces/{NAMESPACE}/pods/x/exec",
    f"POST /api/v1/namespaces/{NAMESPACE}/serviceaccounts/{RELEASE}/token",
    f"POST /api/v1/namespaces/{NAMESPACE}/events",
    "GET /api/v1/persistentvolumes/x",
    "DELETE /api/v1/persistentvolumes/x",
    "PATCH /api/v1/persistentvolumes/x",
    "DELETE /api/v1/persistentvolumes",
    "DELETE /api/v1/namespaces/a/persistentvolumeclaims/x",
    "GET /api/v1/namespaces",
    "GET /apis/storage.k8s.io/v1/csidrivers",
    "GET /apis/apps/v1/deployments",
    "GET /apis/rbac.authorization.k8s.io/v1/clusterroles",
    f"GET {LEASES}",
    f"GET {LEASES}?watch=true",
    f"GET {LEASES}/another",
    f"PUT {LEASES}/another",
    f"PATCH {LEASES}/{RELEASE}",
    f"DELETE {LEASES}/{RELEASE}",
    f"DELETE {LEASES}",
    f"GET /apis/{COORDINATION}/v1/leases",
    f"POST /apis/{COORDINATION}/v1/namespaces/kube-system/leases",
    f"GET /apis/{COORDINATION}/v1/namespaces/kube-system/leases/{RELEASE}",
    f"GET /apis/{COORDINATION}/v1/namespaces/kube-node-lease/leases/x",
    "GET /metrics",
)


async def test_nothing_else_is_allowed() -> None:
    """Not what others of its kind read, nor what is one letter beside what it may: 403 each."""
    objects = render(LEAN)
    namespace, account = pod_of(objects)
    tokens = {
        TOKEN: f"system:serviceaccount:{namespace}:{account}",
        "other": f"system:serviceaccount:{namespace}:default",
    }
    async with KubernetesServer(tokens=tokens, roles=roles(objects)) as server:
        for each in REFUSED:
            method, _, path = each.partition(" ")
            answer = await asyncio.to_thread(ask, server, method, path, {})
            assert answer.status == 403, each
            assert answer.json["reason"] == "Forbidden"
        for path in ("/api/v1/persistentvolumes", f"{LEASES}/{RELEASE}"):
            assert (await asyncio.to_thread(ask, server, "GET", path)).status != 403
            assert (await asyncio.to_thread(ask, server, "GET", path, token="other")).status == 403


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({"rbac": {"create": False}}, set()),
        ({"replicas": 1, "config": {"kubernetes": {"enabled": False}}}, set()),
        ({"rbac": {"existingClusterRole": "theirs"}}, {"ClusterRoleBinding", "Role", "RoleBinding"}),
        ({"replicas": 1}, {"ClusterRole", "ClusterRoleBinding"}),
        ({"config": {"kubernetes": {"enabled": False}}}, {"Role", "RoleBinding"}),
    ],
)
def test_there_is_no_role_that_nobody_needs(given: Mapping[str, Any], kinds: set[str]) -> None:
    """What is switched off, or there already, is not made."""
    assert {each["kind"] for each in roles(render({**LEAN, **given}))} == kinds


def test_a_role_that_exists_is_bound_to_our_account() -> None:
    """``rbac.existingClusterRole`` gives its rights to the pods, in the whole cluster."""
    objects = render({**LEAN, "rbac": {"existingClusterRole": "theirs"}})
    namespace, account = pod_of(objects)
    rule = {"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": ["list"]}
    theirs = {"kind": "ClusterRole", "metadata": {"name": "theirs"}, "rules": [rule]}
    access = Access([*roles(objects), theirs])
    request = Request("list", "/api/v1/persistentvolumes", "", "v1", "persistentvolumes")
    assert access.allows(f"system:serviceaccount:{namespace}:{account}", request)


def test_two_releases_do_not_fight_over_a_role() -> None:
    """Objects of the whole cluster have names that hold namespace and release."""

    def names(release: str, namespace: str) -> set[str]:
        objects = roles(render(LEAN, release=release, namespace=namespace))
        return {each["metadata"]["name"] for each in objects if each["kind"].startswith("Cluster")}

    found = [names("a", "one"), names("a", "two"), names("b", "one")]
    assert len(set.union(*found)) == 3
