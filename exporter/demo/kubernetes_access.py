"""
Who may do what in the simulated Kubernetes API, by roles and bindings as RBAC has them. Pure.

A request is read here as Kubernetes' own authorization reads it, before anybody asks whether there is such a kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.demo.kubernetes_kinds import Object

GROUP = "rbac.authorization.k8s.io"
_VERBS = {"POST": "create", "PUT": "update", "DELETE": "delete", "PATCH": "patch", "GET": "get", "HEAD": "get"}
_SELECTING = frozenset({"list", "watch", "deletecollection"})
_TRUE = frozenset({"1", "t", "true", "T", "TRUE", "True"})
_NAMED = re.compile(r"^\s*metadata\.name\s*==?\s*([^\s=!,]+)\s*$")
_USER = "system:serviceaccount:"

BUILT_IN: Sequence[Object] = (
    {
        "kind": "ClusterRole",
        "metadata": {"name": "system:discovery"},
        "rules": [
            {
                "nonResourceURLs": [
                    *("/healthz", "/livez", "/readyz", "/version", "/version/"),
                    *("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"),
                ],
                "verbs": ["get"],
            }
        ],
    },
    {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "system:discovery"},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "system:discovery"},
        "subjects": [{"apiGroup": GROUP, "kind": "Group", "name": "system:authenticated"}],
    },
)
"""What every cluster has: whoever has a name may ask what there is."""


@dataclass(frozen=True, slots=True)
class Request:
    """
    What somebody wants to do.

    `resource` is ``""`` for a path that is no object's; then `verb` is the method in small letters. `name` is that of a
    field selector too, where a list or watch has one that can match a single name.
    """

    verb: str
    path: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def called(self) -> str:
        """Resource and subresource, as rules name them."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def request_of(method: str, path: str, query: Mapping[str, str]) -> Request:
    """A request as authorization sees it."""
    steps = [step for step in path.split("/") if step]
    begin = {"api": 2, "apis": 3}.get(steps[0] if steps else "", 0)
    rest = steps[begin:]
    if not begin or not rest:
        return Request(method.lower(), path)
    group, version = ("", steps[1]) if begin == 2 else (steps[1], steps[2])
    verb = _VERBS.get(method, method.lower())
    if rest[0] == "watch" and len(rest) > 1:
        verb, rest = "watch", rest[1:]
    namespace = rest[1] if rest[0] == "namespaces" and len(rest) > 1 else ""
    if namespace and len(rest) > 2 and rest[2] not in {"status", "finalize"}:
        rest = rest[2:]
    resource, name, subresource = (*rest[:3], "", "", "")[:3]
    if not name and verb in {"get", "delete"}:
        verb = "deletecollection" if verb == "delete" else "watch" if query.get("watch", "") in _TRUE else "list"
    if not name and verb in _SELECTING:
        name = _selected(query.get("fieldSelector", ""))
    return Request(verb, path, group, version, resource, subresource, namespace, name)


def groups_of(user: str) -> frozenset[str]:
    """The groups a user is in by being who it is."""
    found = {"system:authenticated"}
    if user.startswith(_USER) and user.count(":") == 3:
        found |= {"system:serviceaccounts", f"system:serviceaccounts:{user.split(':')[2]}"}
    return frozenset(found)


class Access:
    """
    What roles and bindings allow, and nothing else.

    Args:
        objects: Role, ClusterRole, RoleBinding and ClusterRoleBinding as manifests have them; others are passed over. A
            binding of a role that is not among them allows nothing.

    Raises:
        ValueError: the real API would not store one of them.
    """

    def __init__(self, objects: Iterable[Object]) -> None:
        self._rules: dict[tuple[str, str, str], Sequence[Object]] = {}
        self._bindings: list[tuple[str, Object]] = []
        for item in (*BUILT_IN, *objects):
            kind, metadata = item.get("kind"), item.get("metadata") or {}
            namespace = metadata.get("namespace", "") if kind in {"Role", "RoleBinding"} else ""
            if kind in {"Role", "RoleBinding"} and not namespace:
                raise ValueError(f"{kind} {metadata.get('name')}: it has no namespace")
            if kind in {"Role", "ClusterRole"}:
                self._rules[kind, namespace, metadata["name"]] = _rules(item)
            elif kind in {"RoleBinding", "ClusterRoleBinding"}:
                self._bindings.append((namespace, _binding(item)))

    def allows(self, user: str, request: Request) -> bool:
        """Whether *user* may do that."""
        return self.granting(user, request) is not None

    def granting(self, user: str, request: Request) -> Object | None:
        """The first rule by which *user* may do that; None where there is none."""
        groups = groups_of(user)
        for namespace, binding in self._bindings:
            if namespace and (namespace != request.namespace or not request.resource):
                continue
            if not any(_is(subject, user, groups, namespace) for subject in binding.get("subjects") or ()):
                continue
            role = binding["roleRef"]
            of = namespace if role["kind"] == "Role" else ""
            for rule in self._rules.get((role["kind"], of, role["name"]), ()):
                if _covers(rule, request):
                    return rule
        return None


def _selected(selector: str) -> str:
    for term in selector.split(","):
        if found := _NAMED.match(term):
            return found[1]
    return ""


def _is(subject: Object, user: str, groups: frozenset[str], namespace: str) -> bool:
    """Whether a subject of a binding in *namespace* (``""``: in the whole cluster) is the user."""
    kind, name = subject["kind"], subject["name"]
    if kind == "ServiceAccount":
        return user == f"{_USER}{subject.get('namespace') or namespace}:{name}"
    return name in groups if kind == "Group" else bool(name == user)


def _covers(rule: Object, request: Request) -> bool:
    if not _listed(rule, "verbs", request.verb):
        return False
    if not request.resource:
        return any(_path(pattern, request.path) for pattern in rule.get("nonResourceURLs") or ())
    resources = rule.get("resources") or ()
    named = rule.get("resourceNames") or ()
    return (
        _listed(rule, "apiGroups", request.group)
        and ("*" in resources or request.called in resources or _part(resources, request))
        and (not named or request.name in named)
    )


def _listed(rule: Object, field: str, value: str) -> bool:
    given = rule.get(field) or ()
    return "*" in given or value in given


def _part(resources: Sequence[str], request: Request) -> bool:
    return bool(request.subresource) and f"*/{request.subresource}" in resources


def _path(pattern: str, path: str) -> bool:
    return path == pattern or (pattern.endswith("*") and path.startswith(pattern[:-1]))


def _rules(role: Object) -> Sequence[Object]:
    name = f"{role['kind']} {role['metadata']['name']}"
    if role.get("aggregationRule"):
        raise ValueError(f"{name}: it has an aggregationRule, whose controller is not simulated")
    found: Sequence[Object] = role.get("rules") or []
    for number, rule in enumerate(found):
        _strings(f"{name}: rule {number}", rule)
        urls = bool(rule.get("nonResourceURLs"))
        wanted = ["verbs"] if urls else ["verbs", "apiGroups", "resources"]
        missing = [field for field in wanted if not rule.get(field)]
        if missing:
            raise ValueError(f"{name}: rule {number} has no {missing[0]}")
        if urls and (role["kind"] == "Role" or any(rule.get(field) for field in ("resources", "apiGroups"))):
            raise ValueError(f"{name}: rule {number} has nonResourceURLs, which only a rule of their own may have")
    return found


def _strings(where: str, rule: Object) -> None:
    known = {"verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"}
    for field, given in rule.items():
        if field not in known:
            raise ValueError(f"{where} has {field}, which no rule has")
        if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
            raise ValueError(f"{where}: {field} is not a list of strings")


def _binding(item: Object) -> Object:
    name = f"{item['kind']} {item['metadata']['name']}"
    role: Mapping[str, Any] = item.get("roleRef") or {}
    kinds = {"ClusterRole"} if item["kind"] == "ClusterRoleBinding" else {"Role", "ClusterRole"}
    if role.get("apiGroup") != GROUP or role.get("kind") not in kinds or not role.get("name"):
        raise ValueError(f"{name}: its roleRef is no {' or '.join(sorted(kinds))} of {GROUP}")
    for subject in item.get("subjects") or ():
        wanted = {"ServiceAccount": "", "User": GROUP, "Group": GROUP}.get(subject.get("kind", ""))
        if wanted is None or subject.get("apiGroup", wanted) != wanted or not subject.get("name"):
            raise ValueError(f"{name}: {dict(subject)} is no subject")
        lone = subject["kind"] == "ServiceAccount" and item["kind"] == "ClusterRoleBinding"
        if lone and not subject.get("namespace"):
            raise ValueError(f"{name}: the service account {subject['name']} has no namespace")
    return item
