"""What a process is to its cluster: whether it reads Kubernetes and elects, who it is, where its Lease stands."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.cluster_telemetry import ClusterTelemetry
from exporter.config import Config
from exporter.demo import KubernetesServer, World, WorldClock
from exporter.demo.kubernetes_objects import cluster_of
from exporter.errors import ConfigError
from exporter.replica import elects, identity, reads_kubernetes, replica
from exporter.shards import ALONE, Shard
from exporter.telemetry import Telemetry
from tests.harness import T, config_of
from tests.serving import Authority, logged

URL = {"url": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("section", "in_pod", "reads", "leads"),
    [
        ({}, False, False, False),
        ({}, True, True, True),
        (URL, False, True, False),
        ({"kubeconfig": "k"}, False, True, False),
        ({"context": "c"}, False, True, False),
        ({"enabled": True}, False, True, False),
        ({"enabled": False}, True, False, False),
        ({"enabled": False, "leader_election": True}, False, False, True),
        ({"leader_election": False}, True, True, False),
        ({"leader_election": True}, False, False, True),
    ],
)
def test_what_is_read_and_whether_there_is_an_election(
    section: dict[str, Any], in_pod: bool, reads: bool, leads: bool
) -> None:
    """Auto is for pods, and for an API that is named; what is said is done."""
    kubernetes = config_of(kubernetes=section).kubernetes
    assert reads_kubernetes(kubernetes, in_pod=in_pod) is reads
    assert elects(kubernetes, in_pod=in_pod) is leads


def test_who_a_process_is() -> None:
    """The pod's name and uid; without them the host's name and a number that no other process has."""
    number = uuid.UUID(int=7)
    assert identity({"POD_NAME": "exporter-0", "POD_UID": "u1"}) == "exporter-0_u1"
    assert identity({"POD_NAME": "exporter-0"}, lambda: number) == f"exporter-0_{number}"
    assert identity({}) != identity({})


async def watching(config: Config, environ: dict[str, str], folder: Path, own: Shard = ALONE) -> int:
    """How many volumes an exporter in a pod knows the claims of, once it leads."""
    telemetry = ClusterTelemetry(Telemetry("1.2.3"))
    async with replica(
        config, environ, SystemClock(), telemetry, own=own, source="the test", directory=folder
    ) as found:
        assert found.cluster is not None
        assert found.elector is not None
        cluster, elector = found.cluster, found.elector
        running = asyncio.create_task(cluster.run())
        leading = asyncio.Event()

        async def lead() -> None:
            leading.set()
            await asyncio.Event().wait()

        electing = asyncio.create_task(elector.run(lead))
        await cluster.settled(20)
        async with asyncio.timeout(60):
            await leading.wait()
        assert elector.valid()
        known = len(cluster.claims.volumes)
        for task in (electing, running):
            task.cancel()
        await asyncio.gather(electing, running, return_exceptions=True)
    return known


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    """The folder that a kubelet fills for a pod's service account."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "namespace").write_text("monitoring")
    return folder


async def test_in_a_pod_everything_is_found_by_itself(pod: Path, tmp_path: Path) -> None:
    """No configuration at all: the API by its variables, over TLS, the token, the namespace; a Lease of each shard."""
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue("server")
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    world = World(1, WorldClock(at=T))
    async with KubernetesServer(cluster_of(world), ssl=context) as kubernetes:
        (pod / "token").write_text(kubernetes.token)
        (pod / "ca.crt").write_bytes(authority.path.read_bytes())
        host, _, port = kubernetes.url.removeprefix("https://").rpartition(":")
        environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port, "POD_NAME": "exporter-1"}
        assert await watching(Config(), environ, pod) > 20
        assert kubernetes.cluster.get("leases", "monitoring/storage-exporter")["spec"]["holderIdentity"] == ""
        await watching(Config(), {**environ, "POD_NAMESPACE": "elsewhere"}, pod, Shard(1, 3))
        assert kubernetes.cluster.get("leases", "elsewhere/storage-exporter-1") is not None


async def test_a_pod_without_a_token_is_alone(pod: Path) -> None:
    """Where no token is mounted, Kubernetes is not to be asked: no election, and the log says that pins pin nothing."""
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}
    config = config_of(pins={"annotations": {"team": "x"}})
    telemetry = ClusterTelemetry(Telemetry("1.2.3"))
    with logged() as lines:
        async with replica(
            config, environ, SystemClock(), telemetry, own=ALONE, source="the test", directory=pod
        ) as found:
            assert found.cluster is None
            assert found.elector is None
    assert "pin nothing" in lines.getvalue()


async def test_a_lease_needs_a_namespace(tmp_path: Path) -> None:
    """Outside of a cluster nothing tells where the Lease stands: said at start, with the key."""
    config = config_of(kubernetes={**URL, "leader_election": True})
    telemetry = ClusterTelemetry(Telemetry("1.2.3"))
    with pytest.raises(ConfigError, match=r"config.yaml: kubernetes\.lease\.namespace: is needed"):
        async with replica(config, {}, SystemClock(), telemetry, own=ALONE, source="config.yaml", directory=tmp_path):
            pass
    async with replica(
        config, {}, SystemClock(), telemetry, own=ALONE, source="config.yaml", directory=tmp_path, election=False
    ) as found:
        assert found.elector is None


@pytest.mark.parametrize(
    "section", ["", "kubernetes: {url: 'http://127.0.0.1:9', leader_election: true, lease: {namespace: x}}"]
)
def test_a_configuration_that_cannot_be_built_ends_the_program_in_words(section: str, tmp_path: Path) -> None:
    """No region: alone or as one of several replicas, `run` says what to set and leaves with 2, without a traceback."""
    file = tmp_path / "config.yaml"
    file.write_text(f"web: {{listen: '127.0.0.1:0'}}\n{section}\n")
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "run", "--config", file],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "no region: set scopes[].regions" in done.stderr
    assert "Traceback" not in done.stderr
