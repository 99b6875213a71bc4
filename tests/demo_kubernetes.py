"""What the tests of the simulated Kubernetes API share: the official client, and bare requests beside it."""

from __future__ import annotations

import http.client
import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from exporter.demo import KubernetesServer, World
from exporter.demo.kubernetes_kinds import Object

kubernetes: Any = importlib.import_module("kubernetes")
"""The official client, which has no types for its functions."""

LEASES = "/apis/coordination.k8s.io/v1/namespaces/monitoring/leases"


@dataclass(frozen=True)
class Official:
    """The official client's APIs of one server and user."""

    api: Any
    core: Any
    storage: Any
    coordination: Any

    def lists(self) -> Mapping[str, Any]:
        """Plural to the function that lists a kind in the whole cluster."""
        return {
            "persistentvolumes": self.core.list_persistent_volume,
            "persistentvolumeclaims": self.core.list_persistent_volume_claim_for_all_namespaces,
            "pods": self.core.list_pod_for_all_namespaces,
            "storageclasses": self.storage.list_storage_class,
            "volumeattachments": self.storage.list_volume_attachment,
            "csinodes": self.storage.list_csi_node,
            "csidrivers": self.storage.list_csi_driver,
            "leases": self.coordination.list_lease_for_all_namespaces,
        }


@contextmanager
def official(server: KubernetesServer, token: str | None = None, *, retries: bool = False) -> Iterator[Official]:
    """The official client of *server*; it retries nothing unless told to, so that each fault is seen once."""
    configuration = kubernetes.client.Configuration(host=server.url)
    configuration.api_key = {"authorization": f"Bearer {server.token if token is None else token}"}
    if not retries:
        configuration.retries = False
    with kubernetes.client.ApiClient(configuration) as api:
        yield Official(
            api,
            kubernetes.client.CoreV1Api(api),
            kubernetes.client.StorageV1Api(api),
            kubernetes.client.CoordinationV1Api(api),
        )
        api.rest_client.pool_manager.clear()


def refusal(call: Any, *args: Any, **options: Any) -> tuple[int, str]:
    """The HTTP status and reason the official client makes of a call that must fail."""
    try:
        call(*args, **options)
    except kubernetes.client.ApiException as error:
        return error.status, orjson.loads(error.body)["reason"]
    raise AssertionError("the call was answered")


def names(items: Any) -> list[str]:
    """The names of typed objects."""
    return [item.metadata.name for item in items]


@dataclass(frozen=True)
class Answer:
    """A bare answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return orjson.loads(self.body)


def ask(
    server: KubernetesServer,
    method: str,
    path: str,
    body: Any = None,
    *,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request over a connection of its own; a body that is no bytes is sent as JSON."""
    given = {"Authorization": f"Bearer {server.token if token is None else token}", **(headers or {})}
    sent = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    try:
        connection.request(method, path, sent, given)
        response = connection.getresponse()
        return Answer(response.status, dict(response.headers.items()), response.read())
    finally:
        connection.close()


def volume(name: str, **fields: Any) -> dict[str, Any]:
    """A PersistentVolume; *fields* are of its metadata."""
    source = {"driver": "ebs.csi.aws.com", "volumeHandle": f"vol-{name}"}
    spec = {"capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"], "csi": source}
    return {"metadata": {"name": name, **fields}, "spec": spec, "status": {"phase": "Bound"}}


def claim(namespace: str, name: str, **fields: Any) -> dict[str, Any]:
    """A PersistentVolumeClaim; *fields* are of its metadata."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    return {"metadata": {"namespace": namespace, "name": name, **fields}, "spec": spec, "status": {"phase": "Bound"}}


def lease(name: str, **spec: Any) -> dict[str, Any]:
    """A Lease as a client sends it."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15, **spec},
    }


def by_name(found: Mapping[str, list[Object]], kind: str) -> dict[str, Object]:
    """Objects of a kind by name; no two have the same."""
    items = {item["metadata"]["name"]: item for item in found[kind]}
    assert len(items) == len(found[kind])
    return items


def of_claim(found: Mapping[str, list[Object]], name: str) -> Object:
    """The persistent volume whose claim has that name."""
    (item,) = [item for item in found["persistentvolumes"] if item["spec"]["claimRef"]["name"] == name]
    return item


def attachments(found: Mapping[str, list[Object]], asked: World, claim: str) -> dict[str, Object]:
    """Instance id to the attachment of a claim's volume to it."""
    name = of_claim(found, claim)["metadata"]["name"]
    return {
        item["metadata"]["annotations"]["csi.alpha.kubernetes.io/node-id"]: item
        for item in found["volumeattachments"]
        if item["spec"]["source"]["persistentVolumeName"] == name
    }


def pod(found: Mapping[str, list[Object]], name: str) -> Object:
    """The pod of that name, in whatever namespace."""
    (item,) = [item for item in found["pods"] if item["metadata"]["name"] == name]
    return item


def names_host(asked: World, name: str) -> str:
    """The node's name of an instance."""
    return f"ip-{asked.instance(name).address.replace('.', '-')}.{asked.region}.compute.internal"


def ready(item: Object) -> bool:
    """Whether a pod is."""
    return ("Ready", "True") in {(each["type"], each["status"]) for each in item["status"]["conditions"]}
