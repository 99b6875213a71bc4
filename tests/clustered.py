"""The program as one of several replicas: a simulated Kubernetes API with its Lease, beside the simulated AWS."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.demo import DemoServer
from exporter.demo.kubernetes import KubernetesServer
from exporter.demo.kubernetes_store import Cluster
from tests.running import Running, running

LEASE = "{namespace: monitoring, duration: 6s, renew_deadline: 5s, retry_period: 1s, identity: %s}"
HOLDER = ("leases", "monitoring/storage-exporter")


@dataclass
class Replica:
    """A running replica and the API it knows."""

    over: Running
    kubernetes: KubernetesServer

    @property
    def holder(self) -> str:
        """Who holds the Lease, ``""`` for nobody."""
        lease = self.kubernetes.cluster.get(*HOLDER)
        return str(lease["spec"].get("holderIdentity", "")) if lease else ""


def section(kubernetes: KubernetesServer, folder: Path, identity: str) -> str:
    """The configuration's section for that API, with a Lease that is quick."""
    token = folder / "kubernetes-token"
    token.write_text(kubernetes.token)
    election = f"leader_election: true, lease: {LEASE % identity}"
    return f"kubernetes: {{url: '{kubernetes.url}', token_file: {token}, {election}}}\n"


@contextlib.asynccontextmanager
async def replica(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    text: str = "",
    *,
    cluster: Cluster | None = None,
    held_by: str = "",
    before: Callable[[DemoServer], Awaitable[None]] | None = None,
) -> AsyncIterator[Replica]:
    """
    The program with configuration *text*, electing by a Lease.

    Args:
        cluster: what exists; an empty one when None.

        held_by: who holds the Lease already.

        before: is called with the simulated AWS before the program starts.
    """
    async with KubernetesServer(cluster, tick=0.1) as kubernetes:
        if held_by:
            hold(kubernetes, held_by)
        async with running(monkeypatch, tmp_path, section(kubernetes, tmp_path, "me") + text, before=before) as over:
            yield Replica(over, kubernetes)


def hold(kubernetes: KubernetesServer, identity: str) -> None:
    """Let *identity* hold the Lease (again): a renewal of another replica's, as far as anybody sees."""
    now = kubernetes.cluster.version
    spec = {"holderIdentity": identity, "leaseDurationSeconds": 6, "leaseTransitions": now}
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "storage-exporter", "namespace": "monitoring"},
        "spec": spec,
    }
    kubernetes.cluster.put("leases", lease)
