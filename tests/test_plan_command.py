"""The bill before it is run up: what `plan` says of an estate, what the budget does to it, and that it asks nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exporter import billing, cli
from exporter.app import App
from exporter.aws import prices
from exporter.clock import FixedClock
from exporter.config import Config
from exporter.demo import DemoServer, World, WorldClock, run_in_thread
from exporter.model import Tier
from tests.calls import remember
from tests.estates import platform
from tests.harness import T, config_of
from tests.running import running

COMPONENTS = {"officeless-(?P<component>[a-z-]+)-production": "${component}"}


async def surveyed(monkeypatch: pytest.MonkeyPatch, world: World, config: Config) -> billing.Statement:
    """What `plan` finds of *world*, by its own code path; fails where CloudWatch was asked for a metric."""
    async with DemoServer(world) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        app = App(config, read=lambda: config, source="test", environ=os.environ, clock=FixedClock(T))
        found = await app.survey()
        remember(server.calls)
    assert not [call for call in server.calls if call.operation == "GetMetricData"]
    return found


def sized(**sections: Any) -> Config:
    services = {"s3": {"components": COMPONENTS}, "protection": {"enabled": False}}
    return config_of(services=services, **sections)


@pytest.mark.parametrize(("covered", "at_most", "exactly"), [([], 190, 174.96), (["ebs-nvme"], 95, 87.36)])
async def test_three_hundred_volumes_cost_no_more_than_they_may(
    covered: list[str], at_most: float, exactly: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    300 gp3 volumes on 40 nodes, 2 file systems, 60 buckets of which 6 are components', 12 cache nodes (issue 4).

    By hand, a metric of one resource a month being $0.438 each 60 s, $0.0876 each 300 s, $0.0292 each 900 s:

    ==========================================================  ==============  =======
    VolumeStalledIOCheck                                        300 at 300 s    $26.28
    flow 4, latency 2, exceeded 2 of a volume                   2,400 at 900 s  $70.08
    StatusCheckFailed_AttachedEBS                               40 at 60 s      $17.52
    EFS credits, permitted, metered, %IO, clients               10 at 60 s      $4.38
    EFS sizes by storage class (Standard, IA, Archive)          6 at 900 s      $0.18
    S3 4xx, 5xx, all requests of the 6 components               18 at 60 s      $7.88
    S3 latencies of the 6 components (2)                        12 at 900 s     $0.35
    S3 size and objects, thrice a day                           120 at 8 h      $0.11
    Valkey 7 of every node, lag of the 6 replicas               90 at 60 s      $39.42
    Valkey's rest: 12 of the host, 13 of the engine             300 at 900 s    $8.76
    ==========================================================  ==============  =======

    With the driver's NVMe counters the 2,400 are not asked, and the 300 are witnesses at 900 s: $8.76.
    """
    world = World(1, WorldClock(at=T), estate=platform())
    found = await surveyed(monkeypatch, world, sized(covered=covered))
    assert not found.failures
    assert found.projected == pytest.approx(exactly, abs=0.01)
    assert found.projected <= at_most
    # Everything a gp3 volume publishes, 15 metrics of 300 volumes, each every five minutes: 4,500 x $0.0876.
    ebs = [line for line in found.lines if line.kind in {"ebs-volume", "ebs-attachment"}]
    rest = [each for each in found.left_out if each.kind in {"ebs-volume", "ebs-attachment"}]
    assert {line.resources for line in ebs} | {each.resources for each in rest} == {300}
    assert len(ebs) + len(rest) == 15
    assert prices.dollars_per_month(15 * 300, 300) == pytest.approx(394.20)
    assert found.flat > 394.20
    if covered:
        (witness,) = ebs
        assert (witness.metric, witness.every) == ("VolumeStalledIOCheck", 900)
        assert {each.reason for each in rest if each.tier is Tier.STANDARD} == {"covered"}


@pytest.mark.parametrize(
    ("budget", "deferred", "left"),
    [
        (500, [], 174.96),  # everything fits
        (100, ["standard"], 95.48),  # 26.28 + 17.52 + 4.38 + 7.884 + 39.42
        (50, ["standard"], 95.48),  # essential alone is above it, and is asked all the same
    ],
)
async def test_the_budget_is_said_before_anything_is_spent(
    budget: int,
    deferred: list[str],
    left: float,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`plan` tells which tiers would be deferred, lowest first, and that what is essential stays; on a terminal too."""
    world = World(1, WorldClock(at=T), estate=platform())
    found = await surveyed(monkeypatch, world, sized(budget={"dollars_per_month": budget}))
    said = billing.as_json(found)
    assert said["budget"]["deferred"] == deferred
    assert said["dollars_per_month"]["projected"] == pytest.approx(left, abs=0.01)
    assert ("defers: " in found.verdict) is bool(deferred)
    assert ("essential alone" in found.verdict) is (budget == 50)
    cli.show(found)
    shown = " ".join(capsys.readouterr().out.split())
    assert f"${left:,.2f}" in shown
    assert ("standard (deferred)" in shown) is bool(deferred)
    assert (found.verdict[1:] or "everything fits into the budget"[1:]) in shown


def test_plan_prints_tables_and_json(tmp_path: Path) -> None:
    """The command against the demo: exit code 0, no metric asked for, the same numbers in both forms."""
    file = tmp_path / "config.yaml"
    file.write_text("limits: {describe_per_second: 1000}\n")
    with run_in_thread(World(1, WorldClock())) as server:
        server.faults.add("denied", service="efs", operation="DescribeFileSystems")
        texts = []
        for words in ([], ["--json"]):
            done = subprocess.run(
                [sys.executable, "-m", "exporter", "plan", "--config", str(file), *words],
                env={**server.environment(), "HOME": "/nonexistent"},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 1
            assert "elasticfilesystem:DescribeFileSystems" in done.stderr
            texts.append(done.stdout)
        remember(server.calls)
        assert not [call for call in server.calls if call.operation == "GetMetricData"]
    text, said = texts[0], json.loads(texts[1])
    assert said["version"] == 1
    projected = said["dollars_per_month"]["projected"]
    assert f"${projected:,.2f}" in text
    assert projected == pytest.approx(sum(line["dollars_per_month"] for line in said["lines"]))
    for word in ("CW:GMD-Metrics", "without standard", "ListMetrics", "every 300 s"):
        assert word in text
    assert {line["aws_service"] for line in said["lines"]} == {"ebs", "s3", "elasticache"}
    assert said["failures"][0]["operation"] == "DescribeFileSystems"
    assert any(each["operation"] == "ListMetrics" and each["dollars"] > 0 for each in said["counted_dollars"])


async def test_a_running_exporter_shows_its_plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`/-/plan`: JSON, or text for who asks for that; what is due, what is not asked and why; linked on the front."""
    text = "services: {s3: {enabled: false}, elasticache: {enabled: false}, protection: {enabled: false}}\n"
    async with running(monkeypatch, tmp_path, text + "covered: [ebs-nvme]\n") as over:
        await over.until(lambda answer: "\naws_ebs_volume_stalled_io{" in answer)
        await over.until(lambda answer: "\naws_efs_file_system_client_connections{" in answer)
        status, answer = await over.get("/-/plan")
        assert status == 200
        said = json.loads(answer)
        assert said["running"] is True
        asked = {line["metric"]: line for line in said["lines"]}
        stalled = asked["VolumeStalledIOCheck"]
        # Asked a moment ago up to T - 120, and 900 s after that a period has ended that is due 120 s later.
        assert (stalled["every"], stalled["due"], stalled["next_due"]) == (900, 0, T + 900)
        reasons = {each["metric"]: each["reason"] for each in said["not_asked"]}
        assert reasons["VolumeReadBytes"] == "covered"
        assert reasons["EBSReadOps"] == "tier"
        counted = {each["aws_service"]: each["dollars"] for each in said["counted_dollars"]}
        assert set(counted) == {"ebs", "efs"}
        _, page = await over.get("/-/plan", Accept="text/plain")
        assert "Where it stands" in page
        assert "covered" in page
        assert '<a href="-/plan">' in (await over.get("/"))[1]
