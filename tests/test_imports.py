"""What a start imports: `run` carries nothing that only other commands, or parts that are switched off, need."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter.cli import main

ROOT = Path(__file__).parents[1]

_RUNNING = """
import asyncio, os, sys
from exporter.cli import main
from exporter.app import App, read_config
from exporter.clock import SystemClock

async def built():
    config = read_config(sys.argv[1], os.environ)
    app = App(config, read=lambda: config, source="test", environ=os.environ, clock=SystemClock())
    running = asyncio.create_task(app.run())
    failed = False
    while not failed and not running.done():
        await asyncio.sleep(0.01)
        failed = app._engine is not None and any(feed.report.failures for feed in app._engine.feeds)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return failed

assert asyncio.run(built())
print("\\n".join(sys.modules))
"""

CONFIG = """
web: {listen: "127.0.0.1:0"}
limits: {deadline: 1s, pass_deadline: 5s}
log: {level: error}
"""

OFF = ("exporter.kubernetes.", "kubernetes.", "exporter.remote.", "exporter.pushing", "exporter.cargo")
"""What Kubernetes and remote write take."""

ELSEWHERE = (
    "exporter.demo",
    "exporter.grant",
    "exporter.policy",
    "exporter.ruler",
    "exporter.ruling",
    "exporter.printing",
    "rich.",
    "boto3.",
    "moto.",
)
"""What other commands take."""


def _modules_of_a_run(tmp_path: Path, config: str) -> list[str]:
    """The modules of a process that has served, found out nothing about its AWS, and ended."""
    path = tmp_path / "config.yaml"
    path.write_text(config)
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # nobody listens there
    }
    done = subprocess.run(
        [sys.executable, "-c", _RUNNING, str(path)],
        check=False,
        capture_output=True,
        text=True,
        env=environ,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


async def test_a_run_imports_what_it_uses(tmp_path: Path) -> None:
    """With Kubernetes and remote write off, nothing of theirs; never the demo, the rulers, terminals or tables."""
    modules = await asyncio.to_thread(_modules_of_a_run, tmp_path, CONFIG + "kubernetes: {enabled: false}\n")
    assert {"exporter.aws.models", "aiohttp.web"} <= set(modules)
    carried = [name for name in modules if f"{name}.".startswith((*OFF, *ELSEWHERE))]
    assert carried == ["exporter.kubernetes", "exporter.kubernetes.inside"]  # whether this is a pod


async def test_a_run_that_reads_kubernetes_imports_that(tmp_path: Path) -> None:
    """The same look finds what is switched on, so that the other test says something."""
    kubernetes = "kubernetes: {url: 'http://127.0.0.1:9'}\n"
    modules = await asyncio.to_thread(_modules_of_a_run, tmp_path, CONFIG + kubernetes)
    assert "exporter.kubernetes.cluster" in modules
    assert not [name for name in modules if f"{name}.".startswith(ELSEWHERE)]


@pytest.mark.parametrize("name", ["check", "demo", "metrics", "once", "plan", "policy", "rules", "run"])
def test_every_command_is_listed_and_answers(name: str) -> None:
    """Also the one that is imported when it is asked for."""
    assert f"\n  {name} " in CliRunner().invoke(main, ["--help"]).output
    helped = CliRunner().invoke(main, [name, "--help"])
    assert helped.exit_code == 0
    assert f"storage-exporter {name}" in helped.output or f"main {name}" in helped.output


def test_an_unknown_command_is_refused() -> None:
    """With click's own words and exit code."""
    refused = CliRunner().invoke(main, ["rule"])
    assert refused.exit_code == 2
    assert "No such command 'rule'" in refused.output
