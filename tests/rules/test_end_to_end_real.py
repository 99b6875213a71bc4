"""
The whole chain in real time, once a delivery mode: the program in a process of its own, Prometheus with the shipped
rule files in its rule manager, Alertmanager with the shipped configuration, and the page.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.demo import World, cluster_of, run_in_thread, run_kubernetes_in_thread
from tests.calls import remember
from tests.processes import until
from tests.prometheus import Prometheus, serving
from tests.rules import alertmanager
from tests.rules.alertmanager import Alertmanager
from tests.rules.endings import texts
from tests.rules.hurried import hurried
from tests.rules.scene import SHIPPED

pytestmark = pytest.mark.binary

SPEED = 10
"""World seconds a real one where the exporter is scraped: how long a stall lasts, and what is waited for."""

ONLY = {name: {"enabled": False} for name in ("efs", "s3", "elasticache", "protection")}


@contextlib.contextmanager
def _prometheus(folder: Path, server: Alertmanager, scraped: str = "", times: float = SPEED) -> Iterator[Prometheus]:
    """One that has all rules and tells *server*; it scrapes *scraped*, or takes what is pushed."""
    rules = folder / "rules"
    rules.mkdir()
    for file in SHIPPED.glob("*.yaml"):
        (rules / file.name).write_text(hurried(file.read_text(encoding="utf-8"), times), encoding="utf-8")
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "2s"},
        "rule_files": [str(rules / "*.yaml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [server.address]}]}]},
    }
    if scraped:
        labels = {"namespace": "monitoring", "service": "storage-exporter", "pod": "storage-exporter-0"}
        targets = [{"targets": [scraped.removeprefix("http://")], "labels": labels}]
        config["scrape_configs"] = [
            {"job_name": "storage-exporter", "honor_labels": True, "static_configs": targets},
        ]
    flags = () if scraped else ("--web.enable-remote-write-receiver",)
    with serving(folder, folder / "data", yaml.safe_dump(config), flags) as found:
        yield found


def _unwell(prometheus: Prometheus) -> list[str]:
    """The rules that could not be evaluated, with what was said of them."""
    groups = prometheus.get("/api/v1/rules")["groups"]
    assert groups
    return [
        f"{rule['name']}: {rule.get('lastError')}"
        for group in groups
        for rule in group["rules"]
        if rule["health"] == "err"
    ]


@contextlib.contextmanager
def _alertmanager(folder: Path) -> Iterator[Alertmanager]:
    place = folder / "alertmanager"
    place.mkdir()
    with alertmanager.running(place, alertmanager.compressed(alertmanager.shipped())) as server:
        yield server


def _page(server: Alertmanager, name: str, claim: str) -> None:
    """Wait for the page about a claim."""

    def there() -> bool:
        return any(claim in text for text in texts(server, "storage-page", name))

    server.until(f"{name} about {claim}", there)


def test_scraped(tmp_path: Path) -> None:
    """The demo is started, a volume stalls, and somebody is paged about its claim; no rule is ill."""
    file = tmp_path / "config.yaml"
    rows = {"rows": {"VolumeStalledIOCheck": {"every": "60s"}}}
    file.write_text(yaml.safe_dump({"cluster": "demo", "services": {"ebs": rows, **ONLY}}), encoding="utf-8")
    words = [sys.executable, "-m", "exporter", "demo", "--port", "0", "--speed", str(SPEED), "--config", str(file)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            url, aws = _addresses(process)
            with _alertmanager(tmp_path) as server, _prometheus(tmp_path, server, url) as prometheus:
                until("the claims are known", lambda: bool(prometheus.ask("volume:aws_ebs_owner:info")))
                until(
                    "stalls are asked for",
                    lambda: bool(prometheus.ask("count_over_time(volume:aws_ebs_stalled_io:ratio20m[1m])")),
                )
                assert not texts(server, "storage-page", "AwsEbsVolumeStalledIO")
                _post(f"{aws}/_demo/scenario", {"name": "volume-stalled"})
                _page(server, "AwsEbsVolumeStalledIO", "databases/data-postgres-0")
                assert not _unwell(prometheus)
        finally:
            process.terminate()
            process.wait(60)


def test_pushed(tmp_path: Path) -> None:
    """An exporter that pushes, and a volume that has not been attached for a quarter of an hour: the page."""
    world = World(1, time.time)
    world.scenario("attach-stuck", time.time() - 900)
    with (
        run_in_thread(world) as aws,
        run_kubernetes_in_thread(cluster_of(world)) as kubernetes,
        _alertmanager(tmp_path) as server,
        _prometheus(tmp_path, server) as prometheus,
    ):
        token = tmp_path / "token"
        token.write_text(kubernetes.token, encoding="ascii")
        push = {
            "url": f"{prometheus.url}/api/v1/write",
            "outbox": {"path": str(tmp_path / "outbox")},
            "held_every": "15s",
        }
        config = {
            "cluster": "demo",
            "web": {"listen": "127.0.0.1:0"},
            "services": {"ebs": {}, **ONLY},
            "kubernetes": {"url": kubernetes.url, "token_file": str(token), "pods": True, "leader_election": False},
            "delivery": {"mode": "push", "push": push},
        }
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        environ = {**os.environ, **aws.environment()}
        with (tmp_path / "exporter.log").open("wb") as log:
            words = [sys.executable, "-m", "exporter", "run", "--config", str(file)]
            process = subprocess.Popen(words, env=environ, stderr=log, stdout=log)
        try:
            _page(server, "StorageAttachmentStuck", "databases/data-mongodb-0")
            assert not _unwell(prometheus)
        finally:
            process.terminate()
            process.wait(60)
        remember(aws.calls)


def _addresses(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Of the exporter and the simulated AWS, from what the demo greets with."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "Ctrl-C" in line:
            break
    found = re.search(r"metrics +(http://\S+)/metrics", said), re.search(r"simulated AWS +(http://\S+)/_demo/", said)
    assert found[0], said
    assert found[1], said
    return found[0][1], found[1][1]


def _post(url: str, body: Mapping[str, Any]) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
