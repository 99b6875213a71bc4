"""The cluster as a whole: kinds fail and age alone, facts come and go, and a slow API holds nobody up for long."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from exporter.clock import Clock, SystemClock
from exporter.cluster_telemetry import ClusterTelemetry
from exporter.demo import Cluster as DemoCluster
from exporter.demo import KubernetesServer, World, WorldClock
from exporter.demo.kubernetes_objects import cluster_of
from exporter.kubernetes.api import Api
from exporter.kubernetes.cluster import JOB, Cluster
from exporter.kubernetes.server import Nobody, Server
from exporter.model import NO_CLAIMS
from exporter.store import Store
from exporter.telemetry import Telemetry
from tests.harness import T

MYSQL = "databases/data-mysql-0"


@dataclass(frozen=True)
class Wanted:
    pods: bool = False
    csi_drivers: bool = False


@dataclass
class Watched:
    """A cluster, the API it reads, and what is measured."""

    cluster: Cluster
    kubernetes: KubernetesServer
    telemetry: Telemetry

    def measured(self, name: str) -> dict[str, float]:
        """A gauge by kind."""
        text = self.telemetry.render(openmetrics=False).decode()
        lines = [line for line in text.splitlines() if line.startswith(f"storage_exporter_kubernetes_{name}{{")]
        return {line.split('kind="')[1].split('"')[0]: float(line.rpartition(" ")[2]) for line in lines}


@contextlib.asynccontextmanager
async def watched(
    prepare: Callable[[KubernetesServer], None] = lambda _: None,
    wanted: Wanted = Wanted(),
    age_limit: float = 900,
    clock: Clock | None = None,
) -> AsyncIterator[Watched]:
    telemetry = Telemetry("1.2.3")
    of_cluster = ClusterTelemetry(telemetry)
    clock = clock or SystemClock()
    async with KubernetesServer(cluster_of(World(1, WorldClock(at=T))), anonymous="anybody", tick=0.1) as kubernetes:
        prepare(kubernetes)
        server = Server(kubernetes.url, Nobody(), "the test")
        async with Api(server, user_agent="test", clock=clock, observed=of_cluster.request) as api:
            cluster = Cluster(api, wanted, clock, of_cluster, age_limit)
            running = asyncio.create_task(cluster.run())
            try:
                yield Watched(cluster, kubernetes, telemetry)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.05)


async def test_a_kind_that_is_denied_fails_alone() -> None:
    """Claims are known without classes and attachments; troubles say what to grant, a metric says what is known."""

    def deny(kubernetes: KubernetesServer) -> None:
        kubernetes.deny("storageclasses")
        kubernetes.deny("volumeattachments")

    async with watched(deny) as it:
        await it.cluster.settled(20)
        assert it.cluster.claims.known
        assert "data-mysql-0" in {claim.persistentvolumeclaim for claim in it.cluster.claims.volumes.values()}
        assert set(it.cluster.troubles) == {"storageclasses", "volumeattachments"}
        assert all("list" in text and "storage.k8s.io" in text for text in it.cluster.troubles.values())
        await until(lambda: it.measured("kind_known").get("csinodes") == 1)
        assert it.measured("kind_known") == {
            "persistentvolumes": 1,
            "persistentvolumeclaims": 1,
            "csinodes": 1,
            "storageclasses": 0,
            "volumeattachments": 0,
        }
        store = Store(10**6, lambda *_: None)
        await it.cluster.keep_facts(store, ())
        names = {family.name for family, _ in store.snapshot(SystemClock().time()).families}
        assert "kubernetes_persistentvolume_info" in names
        assert not {name for name in names if "storageclass_" in name or "volumeattachment_" in name}


async def test_an_api_that_hangs_holds_up_nothing_for_long() -> None:
    """Settling ends at its time, with what is known by then; what hangs is known later, when it answers."""

    def hang(kubernetes: KubernetesServer) -> None:
        kubernetes.faults.add("hang", resource="persistentvolumes", count=1, seconds=5)

    async with watched(hang) as it:
        await it.cluster.settled(1)
        assert not it.cluster.claims.known
        await until(lambda: it.cluster.claims.known)


async def test_facts_follow_changes_and_end_with_publishing() -> None:
    """A change is in the store without anybody asking; the claims stay the same object while none of them changes."""
    async with watched() as it:
        await it.cluster.settled(20)
        store = Store(10**6, lambda *_: None)
        publishing = asyncio.create_task(it.cluster.publish(store, (("cluster", "blue"),)))

        def deleting() -> list[bytes]:
            families = store.snapshot(SystemClock().time()).families
            name = "kubernetes_persistentvolumeclaim_deletion_timestamp_seconds"
            return [
                label
                for family, blocks in families
                if family.name == name
                for block in blocks
                for label in block.labels
            ]

        await until(lambda: store.snapshot(SystemClock().time()).series > 100)
        claims, version = it.cluster.claims, it.cluster.version
        assert deleting() == []
        change = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
        it.kubernetes.cluster.patch("persistentvolumeclaims", MYSQL, change)
        await until(deleting)
        assert deleting() == [b'{cluster="blue",namespace="databases",persistentvolumeclaim="data-mysql-0"}']
        assert it.cluster.version > version
        assert it.cluster.claims is claims  # whose the volumes are has not changed
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        assert store.snapshot(SystemClock().time()).series == 0
        assert JOB == "kubernetes"


class _Quick(SystemClock):
    """A clock of a demo that lets 600 seconds pass in one."""

    def time(self) -> float:
        return T + 600 * self.monotonic()

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 600)


async def test_facts_are_repeated_before_they_are_too_old_by_their_own_clock() -> None:
    """Nothing changes, and a quarter of an hour passes in a second and a half: the facts are there all the time."""
    clock = _Quick()
    async with watched(clock=clock) as it:
        await it.cluster.settled(20)
        store = Store(10**6, lambda *_: None)
        publishing = asyncio.create_task(it.cluster.publish(store, ()))
        await until(lambda: store.snapshot(clock.time()).series > 100)
        end = clock.time() + 3600
        await until(lambda: clock.time() > end)
        # A machine that stood still for a moment may have missed a turn; a minute of its own would be ten hours here.
        await until(lambda: store.snapshot(clock.time()).series > 100)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)


async def test_what_was_not_heard_of_for_too_long_is_not_known() -> None:
    """With the API gone, claims and facts are kept up to their age, then withdrawn; and come back with it."""
    async with watched(age_limit=2.0) as it:
        await it.cluster.settled(20)
        assert it.cluster.claims.known
        await it.kubernetes.stop()
        assert it.cluster.claims.known
        await until(lambda: it.cluster.claims is NO_CLAIMS)
        assert set(it.measured("kind_known").values()) == {0}
        store = Store(10**6, lambda *_: None)
        await it.cluster.keep_facts(store, ())
        assert store.snapshot(SystemClock().time()).series == 0
        await it.kubernetes.start()
        await until(lambda: it.cluster.claims.known)


async def test_more_kinds_by_option() -> None:
    """Pods and CSI drivers are asked for where that is wanted, and only there."""
    async with watched() as it:
        await it.cluster.settled(20)
        assert {call.kind for call in it.kubernetes.calls}.isdisjoint({"pods", "csidrivers"})
    async with watched(wanted=Wanted(pods=True, csi_drivers=True)) as it:
        await it.cluster.settled(20)
        assert {"pods", "csidrivers"} <= {call.kind for call in it.kubernetes.calls}
        store = Store(10**6, lambda *_: None)
        await it.cluster.keep_facts(store, ())
        names = {family.name for family, _ in store.snapshot(SystemClock().time()).families}
        assert {"kubernetes_pod_persistentvolumeclaim_info", "kubernetes_csidriver_info"} <= names


async def test_an_empty_cluster_is_known_to_be_empty() -> None:
    """No volumes is a fact, other than not knowing any."""
    telemetry = ClusterTelemetry(Telemetry("1.2.3"))
    async with KubernetesServer(DemoCluster(), anonymous="anybody") as kubernetes:
        server = Server(kubernetes.url, Nobody(), "the test")
        async with Api(server, user_agent="test", clock=SystemClock()) as api:
            cluster = Cluster(api, Wanted(), SystemClock(), telemetry)
            running = asyncio.create_task(cluster.run())
            await cluster.settled(20)
            assert cluster.claims.known
            assert not cluster.claims.volumes
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
