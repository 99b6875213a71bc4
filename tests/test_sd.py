"""The addresses of mount targets as Prometheus discovers them: known, kept, never an empty list by mistake."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.demo_clients import clients
from tests.harness import T
from tests.running import Running, running
from tests.tools import binary

EFS = "/-/sd/efs"


async def targets(over: Running, path: str = EFS) -> dict[str, dict[str, str]]:
    """Address → labels, once they are known."""
    await over.until(lambda text: text.startswith("["), path)
    _, text = await over.get(path)
    return {group["targets"][0]: group["labels"] for group in json.loads(text)}


async def test_mount_targets_are_discovered_with_the_nfs_port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One group an address, with the identity labels of the mount target and what describes it under __meta_."""
    async with running(monkeypatch, tmp_path, "cluster: blue\n") as over:
        found = await targets(over)
        world = over.server.world
        expected = {
            f"{target.address}:2049": (system.file_system_id, target.zone, target.mount_target_id)
            for system in world.file_systems()
            for target in system.mount_targets
        }
        assert {
            address: (
                labels["file_system_id"],
                labels["availability_zone"],
                labels["__meta_storage_exporter_mount_target_id"],
            )
            for address, labels in found.items()
        } == expected
        some = next(iter(found.values()))
        assert {name for name in some if not name.startswith("__meta_")} == {
            *("cluster", "account_id", "region", "file_system_id", "availability_zone"),
        }


async def test_every_cache_endpoint_is_discovered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each node and serverless cache as plain boto3 lists them, with its identity and whether it speaks TLS."""
    async with running(monkeypatch, tmp_path) as over:
        found = await targets(over, "/-/sd/elasticache")
        expected = await asyncio.to_thread(_endpoints, over)
    assert {address: labels["__meta_storage_exporter_tls"] for address, labels in found.items()} == expected
    groups = {labels.get("replication_group_id") for labels in found.values()}
    assert {"sessions", "catalog", ""} <= groups
    serverless = [labels["serverless_cache"] for labels in found.values() if "serverless_cache" in labels]
    assert sorted(serverless) == ["events-buffer", "web-fragments"]


def _endpoints(over: Running) -> dict[str, str]:
    """Address → whether TLS is spoken there, by boto3."""
    with clients(over.server, "elasticache") as (caches,):
        told = {}
        for cluster in caches.describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]:
            for node in cluster["CacheNodes"]:
                if "Endpoint" in node:
                    address = f"{node['Endpoint']['Address']}:{node['Endpoint']['Port']}"
                    told[address] = str(cluster["TransitEncryptionEnabled"]).lower()
        for cache in caches.describe_serverless_caches()["ServerlessCaches"]:
            told[f"{cache['Endpoint']['Address']}:{cache['Endpoint']['Port']}"] = "true"
    return told


async def test_before_they_are_known_the_answer_is_503(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty list would make Prometheus drop every probe; an error makes it keep what it had."""
    async with running(monkeypatch, tmp_path) as over:
        over.server.faults.add("hang", seconds=60)
        await over.until(
            lambda text: "waiting for the first pass" in text, "/-/ready"
        )  # the jobs exist and know nothing
        status, text = await over.get(EFS)
        assert status == 503
        assert "not known here; " in text


async def test_a_failing_api_takes_no_address_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Addresses stay as last known; a service that is disabled has none, which is known."""
    async with running(monkeypatch, tmp_path) as over:
        before = await targets(over)
        over.server.faults.add("denied", service="efs")
        over.app._clock.at = T + 7200  # type: ignore[attr-defined]
        await over.reload()
        assert await targets(over) == before
        over.server.faults.clear()
        over.file.write_text(over.file.read_text() + "services: {efs: {enabled: false}}\n")
        assert (await over.reload())[0] == 200
        async with asyncio.timeout(60):
            while await targets(over):
                await asyncio.sleep(0.05)


@pytest.mark.binary
async def test_a_real_prometheus_finds_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Debian's Prometheus with http_sd_configs: as many targets, with the labels a blackbox probe needs."""
    program = binary("prometheus")
    async with running(monkeypatch, tmp_path) as over:
        expected = await targets(over)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        file = tmp_path / "prometheus.yml"
        file.write_text(
            "scrape_configs:\n"
            "  - job_name: nfs\n"
            "    scrape_interval: 1h\n"
            f"    http_sd_configs: [{{url: '{over.url}{EFS}', refresh_interval: 1s}}]\n"
            "    relabel_configs:\n"
            "      - {source_labels: [__address__], target_label: instance}\n"
            "      - {target_label: __address__, replacement: '127.0.0.1:1'}\n"
        )
        words = [f"--config.file={file}", f"--storage.tsdb.path={tmp_path / 'data'}"]
        server = _start([str(program), *words, f"--web.listen-address=127.0.0.1:{port}"], tmp_path / "log")
        try:
            found = await asyncio.to_thread(_discovered, f"http://127.0.0.1:{port}/api/v1/targets", len(expected))
        finally:
            server.terminate()
            server.wait(20)
    assert {each["labels"]["instance"]: each["labels"]["file_system_id"] for each in found} == {
        address: labels["file_system_id"] for address, labels in expected.items()
    }


def _start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("w") as stream:
        return subprocess.Popen(command, stdout=stream, stderr=stream)


def _discovered(url: str, count: int) -> list[dict[str, Any]]:
    """The active targets, once there are so many; gives up after two minutes."""
    found: list[dict[str, Any]] = []
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            found = json.load(answer)["data"]["activeTargets"]
            if len(found) >= count:
                break
        time.sleep(0.2)
    return found
