"""Who may do what: roles within a list, bindings to the one service account, the Lease by its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.chart.invariants.scene import Scene, about

Right = tuple[str, str, str]

READ = ("list", "watch")
ALWAYS = (
    ("", "persistentvolumes"),
    ("", "persistentvolumeclaims"),
    ("storage.k8s.io", "storageclasses"),
    ("storage.k8s.io", "volumeattachments"),
    ("storage.k8s.io", "csinodes"),
)
LEASES = "coordination.k8s.io", "leases"
ALLOWED: frozenset[Right] = frozenset(
    [
        *((group, resource, verb) for group, resource in (*ALWAYS, ("", "pods")) for verb in READ),
        *(("storage.k8s.io", "csidrivers", verb) for verb in READ),
        *((*LEASES, verb) for verb in ("create", "get", "update")),
    ]
)


def within_the_list(scene: Scene) -> Iterator[str]:
    """No right but those of chart.md 2.1, no wildcard, no URL."""
    for role in scene.of("Role", "ClusterRole"):
        for rule in role.get("rules") or []:
            yield from (f"{about(role)}: may {right}" for right in sorted(_rights(rule) - ALLOWED))
            if rule.get("nonResourceURLs"):
                yield f"{about(role)}: may reach URLs {rule['nonResourceURLs']}"


def leases(scene: Scene) -> Iterator[str]:
    """A Lease is the release's own, of the name that the configuration has; only create cannot be held to a name."""
    name = (((scene.config or {}).get("kubernetes") or {}).get("lease") or {}).get("name")
    for role in scene.of("Role", "ClusterRole"):
        for rule in role.get("rules") or []:
            verbs = {verb for group, resource, verb in _rights(rule) if (group, resource) == LEASES}
            if not verbs:
                continue
            if role["kind"] == "ClusterRole":
                yield f"{about(role)}: Leases of every namespace"
            names = rule.get("resourceNames") or []
            if verbs == {"create"}:
                if names:
                    yield f"{about(role)}: create is never granted by name"
            elif len(names) == 0 or "create" in verbs:
                yield f"{about(role)}: {sorted(verbs)} on every Lease"
            elif name is not None and not all(each == name or each.startswith(f"{name}-") for each in names):
                yield f"{about(role)}: Leases {names}, where the configuration's is {name}"


def as_configured(scene: Scene) -> Iterator[str]:
    """What the configuration reads is granted, and nothing that it does not read."""
    if scene.config is None or not scene.values["rbac"]["create"]:
        return
    asked = scene.config.get("kubernetes") or {}
    kinds = [*ALWAYS] if scene.joined else []
    kinds += [("", "pods")] if asked.get("pods") else []
    kinds += [("storage.k8s.io", "csidrivers")] if asked.get("csi_drivers") else []
    wanted = {(group, resource, verb) for group, resource in kinds for verb in READ}
    if scene.values["rbac"]["existingClusterRole"]:
        wanted = set()
    given = {right for role in scene.of("ClusterRole") for rule in role["rules"] for right in _rights(rule)}
    yield from (f"ClusterRole: may not {right}" for right in sorted(wanted - given))
    yield from (f"ClusterRole: may {right} without need" for right in sorted(given - wanted))
    held = {right for role in scene.of("Role") for rule in role["rules"] for right in _rights(rule)}
    wanted = {(*LEASES, verb) for verb in ("create", "get", "update")} if scene.elected else set()
    yield from (f"Role: may not {right}" for right in sorted(wanted - held))
    yield from (f"Role: may {right} without need" for right in sorted(held - wanted))


def bindings(scene: Scene) -> Iterator[str]:
    """A binding points at a role that is there, and at the pods' service account; every role is bound."""
    accounts = {(pod.spec.get("serviceAccountName"), pod.namespace) for pod in scene.workers()}
    known = {("ClusterRole", scene.values["rbac"]["existingClusterRole"])}
    known |= {(each["kind"], each["metadata"]["name"]) for each in scene.of("Role", "ClusterRole")}
    bound: set[tuple[str, str]] = set()
    for binding in scene.of("RoleBinding", "ClusterRoleBinding"):
        ref = binding["roleRef"]
        bound.add((ref["kind"], ref["name"]))
        if (ref["kind"], ref["name"]) not in known or not ref["name"]:
            yield f"{about(binding)}: there is no {ref['kind']} {ref['name']}"
        if ref.get("apiGroup") != "rbac.authorization.k8s.io":
            yield f"{about(binding)}: roleRef.apiGroup is {ref.get('apiGroup')}"
        if ref["kind"] == "ClusterRole" and binding["kind"] == "RoleBinding":
            yield f"{about(binding)}: a ClusterRole within one namespace cannot read volumes"
        given = {(each.get("name"), each.get("namespace")) for each in binding.get("subjects") or []}
        if given != accounts or any(each.get("kind") != "ServiceAccount" for each in binding.get("subjects") or []):
            yield f"{about(binding)}: binds {sorted(given, key=str)} in place of {sorted(accounts, key=str)}"
    for role in scene.of("Role", "ClusterRole"):
        if (role["kind"], role["metadata"]["name"]) not in bound:
            yield f"{about(role)}: is bound to nobody"
    existing = scene.values["rbac"]["existingClusterRole"]
    if scene.values["rbac"]["create"] and existing and ("ClusterRole", existing) not in bound:
        yield f"ClusterRole {existing} of the values is bound to nobody"


def accounts(scene: Scene) -> Iterator[str]:
    """One service account for all pods; its token is where a pod asks for it; the role is on it with IRSA only."""
    used = {(pod.spec.get("serviceAccountName"), pod.namespace) for pod in scene.pods()}
    if len(used) != 1:
        yield f"service accounts of pods: {sorted(used, key=str)}"
    made = scene.of("ServiceAccount")
    if bool(made) is not bool(scene.values["serviceAccount"]["create"]):
        yield f"serviceAccount.create is {scene.values['serviceAccount']['create']}, and {len(made)} are made"
    for each in made:
        if each.get("automountServiceAccountToken") is not False:
            yield f"{about(each)}: automountServiceAccountToken is not false"
        role = (each["metadata"].get("annotations") or {}).get("eks.amazonaws.com/role-arn")
        irsa = scene.values["aws"]["identity"] == "irsa"
        if role != (scene.values["aws"]["roleArn"] if irsa else None):
            yield f"{about(each)}: annotated with role {role}"


def _rights(rule: Mapping[str, Any]) -> set[Right]:
    return {
        (group, resource, verb)
        for group in rule.get("apiGroups") or []
        for resource in rule.get("resources") or []
        for verb in rule.get("verbs") or []
    }
