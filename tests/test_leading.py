"""One of several replicas: who leads asks AWS and shows it; who follows is ready and shows itself only."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exporter import exposition
from exporter.app import App, read_config
from exporter.clock import FixedClock
from exporter.demo import Cluster, DemoServer, KubernetesServer, World, WorldClock
from exporter.demo.kubernetes_objects import cluster_of
from tests.calls import remember
from tests.clustered import Replica, hold, replica, section
from tests.harness import T, parsed
from tests.running import has, running


def aws_names(text: str) -> set[str]:
    """The families that are not about the exporter or its process."""
    return {name for name, _ in parsed(text) if name.startswith(("aws_", "kubernetes_"))}


def leads(text: str) -> bool:
    return "\nstorage_exporter_leader 1.0\n" in text


def follows(text: str) -> bool:
    return "\nstorage_exporter_leader 0.0\n" in text


@asynccontextmanager
async def held(it: Replica) -> AsyncIterator[None]:
    """Another replica renews the Lease meanwhile."""

    async def renew() -> None:
        while True:
            hold(it.kubernetes, "other-1")
            await asyncio.sleep(0.5)

    task = asyncio.create_task(renew())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_leader_holds_the_lease_and_lets_go_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It takes the Lease before it asks AWS anything, and releases it when it is stopped."""
    async with replica(monkeypatch, tmp_path) as it:
        await it.over.until(has("aws_ebs_volume_size_bytes"))
        assert it.holder == "me"
        text = await it.over.until(leads)
        assert parsed(text)["storage_exporter_lease_transitions_total", frozenset()] >= 1
        assert "\nstorage_exporter_lease_last_renew_timestamp_seconds " in text
        await it.over.until(lambda state: state == "ready\n", "/-/ready")
        cluster = it.kubernetes.cluster
    assert cluster.get("leases", "monitoring/storage-exporter")["spec"]["holderIdentity"] == ""


async def test_a_leader_is_not_ready_before_its_first_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It does not follow itself: while AWS hangs, a replica that has just taken the Lease has nothing to show."""

    async def hang(aws: DemoServer) -> None:
        aws.faults.add("hang", seconds=60)

    async with replica(monkeypatch, tmp_path, before=hang) as it:
        said: set[tuple[int, str]] = set()
        async with asyncio.timeout(60):
            while not (leads((await it.over.get("/metrics"))[1]) and "waiting for the first pass" in str(said)):
                said.add(await it.over.get("/-/ready"))
                await asyncio.sleep(0.01)
        assert {status for status, _ in said} == {503}, said


async def test_a_follower_is_ready_and_asks_aws_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ready as soon as it has seen the Lease; own metrics only; discovery and plan say that they are not here."""
    async with replica(monkeypatch, tmp_path, held_by="other-0") as it, held(it):
        await it.over.until(lambda state: state == "ready: follows other-1\n", "/-/ready")
        text = await it.over.until(follows)
        await asyncio.sleep(1.5)
        assert aws_names((await it.over.get("/metrics"))[1]) == set()
        assert it.over.server.calls == []
        for path in ("/-/sd/efs", "/-/plan"):
            status, said = await it.over.get(path)
            assert (status, said.rpartition("; ")[2]) == (503, "ready: follows other-1\n")
        assert await it.over.get("/-/healthy") == (200, "healthy\n")
        assert "other-1" in (await it.over.get("/"))[1]
        assert "storage_exporter_aws_requests_total" not in text


async def test_leadership_that_is_lost_takes_everything_along(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """When another takes the Lease, what was shown of AWS is withdrawn, counters stay, nothing more is asked."""
    async with replica(monkeypatch, tmp_path) as it:
        await it.over.until(has("aws_ebs_volume_read_bytes_per_second"))
        await it.over.until(lambda state: state == "ready\n", "/-/ready")
        async with held(it):
            text = await it.over.until(lambda page: follows(page) and not aws_names(page))
            asked = len(it.over.server.calls)
            assert has("storage_exporter_aws_requests_total", "storage_exporter_aws_billable_metrics_total")(text)
            assert "storage_exporter_job_success" not in text
            assert "storage_exporter_resources{" not in text
            assert "storage_exporter_newest_datapoint_timestamp_seconds{" not in text
            assert "storage_exporter_credentials_expiry" not in text
            assert (await it.over.get("/-/ready"))[0] == 200
            await asyncio.sleep(2)
            assert len(it.over.server.calls) == asked
        # The other one is gone: its Lease runs out, and the page is whole again, with what was known.
        text = await it.over.until(has("aws_ebs_volume_read_bytes_per_second", "aws_s3_bucket_info"))
        await it.over.until(leads)
        assert it.holder == "me"
        assert parsed(text)["storage_exporter_lease_transitions_total", frozenset()] >= 2


async def test_what_waits_when_another_has_led_is_given_up_and_asked_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Pushing, with a receiver that is away: the other one had it to send. A term that nobody interrupted keeps it."""
    push = f"push: {{url: 'http://127.0.0.1:9/', outbox: {{path: {tmp_path / 'outbox'}}}}}"
    prefix = "\nstorage_exporter_remote_write_"

    def number(page: str, name: str) -> float:
        return float((page.partition(prefix + name)[2].partition("\n")[0] or " 0").rpartition(" ")[2])

    async with replica(monkeypatch, tmp_path, f"cluster: blue\ndelivery: {{mode: push, {push}}}\n") as it:
        await it.over.until(lambda page: number(page, "outbox_requests{") > 0)
        assert number((await it.over.get("/metrics"))[1], 'dropped_total{cluster="blue",reason="superseded"}') == 0
        async with held(it):
            await it.over.until(lambda page: 'leader{cluster="blue"} 0.0' in page)
        text = await it.over.until(lambda page: number(page, 'dropped_total{cluster="blue",reason="superseded"}') > 0)
        assert 'leader{cluster="blue"} 1.0' in text
        await it.over.until(lambda page: number(page, "outbox_requests{") > 0)


@pytest.mark.parametrize("fault", ["hang", "forbidden"])
async def test_an_api_that_fails_ends_leadership(fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the Lease cannot be renewed, nothing is asked after the deadline, and all is well again afterwards."""
    async with replica(monkeypatch, tmp_path) as it:
        await it.over.until(has("aws_ebs_volume_size_bytes"))
        it.kubernetes.faults.add(fault, resource="leases")
        await it.over.until(lambda page: follows(page) and not aws_names(page))
        asked = len(it.over.server.calls)
        await asyncio.sleep(1)
        assert len(it.over.server.calls) == asked
        text = (await it.over.get("/metrics"))[1]
        assert has("storage_exporter_lease_failures_total")(text)
        assert await it.over.get("/-/healthy") == (200, "healthy\n")
        it.kubernetes.faults.clear()
        await it.over.until(has("aws_ebs_volume_size_bytes"))


async def test_a_follower_takes_a_new_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A reload is answered by a follower too: bad files are refused, good ones hold from the next term on."""
    async with replica(monkeypatch, tmp_path, held_by="other-0") as it:
        async with held(it):
            await it.over.until(lambda state: "follows" in state, "/-/ready")
            good = it.over.file.read_text()
            it.over.file.write_text(good + "servces: {}\n")
            assert (await it.over.reload())[0] == 500
            it.over.file.write_text(good + "services: {efs: {enabled: false}}\n")
            assert await it.over.reload() == (200, "reloaded\n")
            it.over.file.write_text(good.replace("duration: 6s", "duration: 7s"))
            status, said = await it.over.reload()
            assert status == 500
            assert "kubernetes: changes, which needs a restart" in said
            it.over.file.write_text(good + "services: {efs: {enabled: false}}\n")
            assert it.over.server.calls == []
        text = await it.over.until(has("aws_ebs_volume_size_bytes", "aws_s3_bucket_info"))
        assert "aws_efs_file_system_info" not in text
        assert not any(call.service == "elasticfilesystem" for call in it.over.server.calls)


async def test_without_the_lease_nobody_is_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A service account that may not read the Lease: never ready, which says why, and AWS is asked nothing."""
    cluster = Cluster()
    async with KubernetesServer(cluster) as kubernetes:
        kubernetes.deny("leases")
        async with running(monkeypatch, tmp_path, section(kubernetes, tmp_path, "me")) as over:
            await over.until(lambda state: "Lease could not be read" in state, "/-/ready")
            await over.until(has("storage_exporter_lease_failures_total"))
            assert (await over.get("/-/ready"))[0] == 503
            assert over.server.calls == []
            kubernetes.allow("leases")
            await over.until(lambda state: state == "ready\n", "/-/ready")
            await over.until(leads)


async def test_claims_stand_beside_volumes_and_pin_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the program as it runs: claims from the first page on, changes within a pass, pins by class, own facts."""
    world = World(1, WorldClock(at=T))
    cluster = cluster_of(world)
    text = "pins: {annotations: {storage-exporter.io/pin: 'yes'}}\n"
    async with replica(monkeypatch, tmp_path, text, cluster=cluster) as it:
        claim = 'persistentvolumeclaim="data-postgres-0",namespace="databases",storageclass="gp3-sc"'
        page = await it.over.until(lambda page: "aws_ebs_volume_persistentvolumeclaim_info{" in page)
        assert claim in page
        page = await it.over.until(has("kubernetes_persistentvolumeclaim_info"))
        assert 'aws_service="ebs",region="ap-southeast-3",source="kubernetes"' in page
        known = parsed(page)
        assert known["storage_exporter_kubernetes_kind_known", frozenset({("kind", "persistentvolumes")})] == 1
        # The claim is about to be deleted: seen in seconds, without AWS.
        it.kubernetes.cluster.patch(
            "persistentvolumeclaims",
            "databases/data-mysql-0",
            {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}},
        )
        labels = '{namespace="databases",persistentvolumeclaim="data-mysql-0"}'
        gone = f"kubernetes_persistentvolumeclaim_deletion_timestamp_seconds{labels}"
        await it.over.until(lambda page: gone in page)
        # An annotation that nobody looked at before comes with a reload: claims are read again.
        it.kubernetes.cluster.patch(
            "persistentvolumeclaims", "databases/data-postgres-0", {"metadata": {"annotations": {"team/slow": "1"}}}
        )
        lists = [call for call in it.kubernetes.calls if (call.verb, call.kind) == ("list", "persistentvolumeclaims")]
        assert len(lists) == 1
        it.over.file.write_text(it.over.file.read_text().replace("storage-exporter.io/pin: 'yes'", "team/slow: '1'"))
        assert await it.over.reload() == (200, "reloaded\n")
        age = "aws_ebs_volume_newest_datapoint_timestamp_seconds{"
        await it.over.until(lambda page: page.count(f"\n{age}") == 1)


async def test_the_first_page_waits_for_claims(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where Kubernetes is slow the first pass waits a little: no series of a claim without its class comes and goes."""
    world = World(1, WorldClock(at=T))
    async with KubernetesServer(cluster_of(world)) as kubernetes:
        kubernetes.faults.add("slow", resource="persistentvolumes", seconds=2.0, count=1)
        async with running(monkeypatch, tmp_path, section(kubernetes, tmp_path, "me")) as over:
            page = await over.until(has("aws_ebs_volume_persistentvolumeclaim_info"))
            assert 'storageclass="gp3-sc"' in page
            assert 'namespace="databases",storageclass=""' not in page


async def test_once_prints_claims_beside_volumes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One pass reads Kubernetes too, takes nobody's Lease, and goes on without what it may not read."""
    world = World(1, WorldClock(at=T))
    async with DemoServer(world) as server, KubernetesServer(cluster_of(world)) as kubernetes:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        kubernetes.deny("storageclasses")
        hold(kubernetes, "other-0")
        file = tmp_path / "config.yaml"
        file.write_text(section(kubernetes, tmp_path, "me"))
        config = read_config(str(file), os.environ)
        app = App(config, read=lambda: config, source="test", environ=os.environ, clock=FixedClock(T))
        feeds = await app.once()
        assert not any(feed.report.failures for feed in feeds)
        lines = exposition.plain(app.store.snapshot(T)).decode()
        remember(server.calls)
        calls = list(kubernetes.calls)
    assert 'persistentvolumeclaim="data-postgres-0"' in lines
    assert "\nkubernetes_persistentvolume_info{" in lines
    assert "kubernetes_storageclass_info" not in lines
    assert not [call for call in calls if call.kind == "leases"]


async def test_without_kubernetes_tags_say_whose_volumes_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where persistent volumes may not be read, the CSI driver's tags stand in, and a metric says so."""
    world = World(1, WorldClock(at=T))
    async with KubernetesServer(cluster_of(world)) as kubernetes:
        kubernetes.deny("persistentvolumes")
        async with running(monkeypatch, tmp_path, section(kubernetes, tmp_path, "me")) as over:
            page = await over.until(has("aws_ebs_volume_persistentvolumeclaim_info"))
            assert 'persistentvolumeclaim="data-postgres-0",namespace="databases",storageclass=""' in page
            known = parsed(page)
            assert known["storage_exporter_kubernetes_kind_known", frozenset({("kind", "persistentvolumes")})] == 0
            assert 'aws_service="ebs",region="ap-southeast-3",source="tags"' in page
