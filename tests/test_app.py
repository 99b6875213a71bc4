"""The program as it runs: listening first, a page from real passes, health, reload without a gap, a clean end."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from exporter.app import App
from exporter.clock import FixedClock
from exporter.config import Config
from exporter.model import Block, Family
from tests.harness import T, parsed, parsed_openmetrics
from tests.running import has, running


async def test_it_listens_before_aws_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With AWS hanging: alive, not ready and saying why, /metrics has the exporter's own series."""
    async with running(monkeypatch, tmp_path) as over:
        over.server.faults.add("hang", seconds=60)
        assert await over.get("/-/healthy") == (200, "healthy\n")
        status, text = await over.get("/-/ready")
        assert status == 503
        assert "waiting for the first pass" in text or "starting" in text
        status, text = await over.get("/metrics")
        assert status == 200
        assert "storage_exporter_build_info" in text


async def test_the_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Text and OpenMetrics hold the same AWS series, `cluster` is on every one, and a scrape asks AWS nothing."""
    async with running(monkeypatch, tmp_path, "cluster: blue\n") as over:
        text = await over.until(has("aws_ebs_volume_read_bytes_per_second", "aws_efs_file_system_size_bytes"))
        await over.until(lambda state: state == "ready\n", "/-/ready")
        for _ in range(20):  # a pass may end between the two, which is another page
            before, calls = over.app._publisher.page, len(over.server.calls)
            _, text = await over.get("/metrics")
            _, other = await over.get("/metrics", Accept="application/openmetrics-text;version=1.0.0")
            if over.app._publisher.page is before and len(over.server.calls) == calls:
                break
        else:
            raise AssertionError("each scrape asks AWS")
        assert other.endswith("# EOF\n")
        plain = {key: value for key, value in parsed(text).items() if key[0].startswith("aws_")}
        rich = {key: value for key, value in parsed_openmetrics(other).items() if key[0].startswith("aws_")}
        assert plain == rich
        assert plain
        own = {key: value for key, value in parsed(text).items() if key[0].startswith("storage_exporter_")}
        assert all(("cluster", "blue") in labels for _, labels in [*plain, *own])
        assert ("storage_exporter_leader", frozenset({("cluster", "blue")})) in own
        _, front = await over.get("/")
        assert "ebs/ap-southeast-3" in front


async def test_a_page_is_made_when_something_changes_and_when_something_is_outlived() -> None:
    """Not when the same is said again, nor while nothing happens; gone in the second in which it is outlived."""
    start = 1_000_000_000.0
    real = time.monotonic() - 0.01

    class Passing(FixedClock):
        def time(self) -> float:
            return self.at + time.monotonic() - real

    config = Config()
    app = App(config, read=lambda: config, source="none", environ={}, clock=Passing(start))
    labels = [b'{id="a"}', b'{id="b"}']
    brief = Block(Family("aws_brief_bytes", "Help.", ("id",)), labels, array("d", [1, 2]), int(start), 3)
    fact = Block(Family("aws_fact_bytes", "Help.", ("id",)), labels, array("d", [3, 4]), int(start), 100)

    def text() -> str:
        return b"".join(app._publisher.page.plain("text")).decode() if app._publisher.page else ""

    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.01)

    publishing = asyncio.create_task(app._publisher.run())
    try:
        app.store.put("j", [brief, fact])
        await until(lambda: "aws_brief_bytes" in text())
        page = app._publisher.page
        for _ in range(20):
            app.store.put("j", [brief, fact])
            await asyncio.sleep(0.03)
        assert app._publisher.page is page
        await until(lambda: "aws_brief_bytes" not in text())
        assert 4 <= app._clock.time() - start < 9  # not at the next look, 15 s later
        assert "aws_fact_bytes" in text()
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)


async def test_a_bad_reload_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """500 with every fault, a metric says so, the configuration in force and its series stay."""
    async with running(monkeypatch, tmp_path) as over:
        await over.until(has("aws_ebs_volume_size_bytes"))
        good = over.file.read_text()
        over.file.write_text(good + "servces: {}\nbudget: {dollars_per_month: -1}\n")
        status, text = await over.reload()
        assert status == 500
        assert "did you mean 'services'" in text
        assert "budget.dollars_per_month" in text
        page = await over.until(has("aws_ebs_volume_size_bytes"))
        assert "\nstorage_exporter_config_last_reload_successful 0.0\n" in page
        over.file.write_text(good)
        assert (await over.reload())[0] == 200
        assert "\nstorage_exporter_config_last_reload_successful 1.0\n" in (await over.get("/metrics"))[1]
        assert (await over.get("/-/reload"))[0] == 405


async def test_a_good_reload_leaves_no_gap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Values stand while the new engine starts, even where AWS is down by then; a service that is off goes."""
    async with running(monkeypatch, tmp_path, deadline="5s") as over:
        await over.until(has("aws_ebs_volume_read_bytes_per_second", "aws_efs_file_system_size_bytes"))
        await over.until(lambda state: state == "ready\n", "/-/ready")
        before = over.app.store.snapshot(T).series
        over.server.faults.add("throttle-503", service="ec2")
        over.server.faults.add("throttle-400", service="cloudwatch")
        over.file.write_text(over.file.read_text() + "services: {efs: {enabled: false}}\n")
        assert await over.reload() == (200, "reloaded\n")
        assert (await over.get("/-/ready"))[0] == 200  # latched
        page = await over.until(lambda text: "\naws_efs_" not in text)
        assert has("aws_ebs_volume_read_bytes_per_second", "aws_ebs_volume_info")(page)
        assert 'job_name="efs/ap-southeast-3"' not in page
        assert over.app.store.snapshot(T).series > before / 2


async def test_what_needs_a_restart_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A new address is no matter of a reload."""
    async with running(monkeypatch, tmp_path) as over:
        over.file.write_text(over.file.read_text().replace("127.0.0.1:0", "127.0.0.1:9"))
        status, text = await over.reload()
        assert status == 500
        assert "web.listen" in text
        assert "needs a restart" in text


def test_demo_command_serves_and_ends() -> None:
    """`storage-exporter demo` prints where to look, serves series, reloads on SIGHUP and ends well on SIGTERM."""
    command = [sys.executable, "-m", "exporter", "demo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            url = ""
            for text in process.stdout:
                if found := re.search(r"metrics +(http://\S+/metrics)", text):
                    url = found[1]
                    break
            assert url
            page = asyncio.run(_wait_for(url))
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGTERM)
            assert process.wait(40) == 0
        finally:
            process.kill()
    assert has("aws_ebs_volume_read_bytes_per_second", "aws_efs_file_system_burst_credit_balance_bytes")(page)


async def _wait_for(url: str) -> str:
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while True:
            async with session.get(url) as answer:
                text = await answer.text()
            if has("aws_ebs_volume_read_bytes_per_second", "aws_efs_file_system_burst_credit_balance_bytes")(text):
                return text
            await asyncio.sleep(0.1)
