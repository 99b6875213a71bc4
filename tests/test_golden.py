"""
The exposition of each service from the whole line, at a fixed seed and clock, as files to be reviewed as a diff.

UPDATE_GOLDEN=1 writes them anew.
"""

from __future__ import annotations

import difflib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from exporter import exposition
from exporter.demo import World, WorldClock
from exporter.services.registry import SERVICES
from tests.harness import T, config_of, line, parsed, parsed_openmetrics
from tests.tools import binary

GOLDEN = Path(__file__).parent / "golden"
SITUATIONS = {
    "ebs": (("ebs",), "quiet", 0),
    "efs": (("efs",), "quiet", 0),
    "s3": (("s3",), "quiet", 0),
    "elasticache": (("elasticache",), "quiet", 0),
    "protection": (("efs", "s3", "elasticache", "protection"), "quiet", 0),
    "volume-stalled": (("ebs",), "volume-stalled", 300),
    "efs-credits": (("efs",), "efs-credits", 5 * 3600),
    "s3-errors": (("s3",), "s3-errors", 900),
    "valkey-failover": (("elasticache",), "valkey-failover", 300),
    "kms-disabled": (("efs", "protection"), "kms-disabled", 7200),
}
"""Name to the services that are on, the scenario, and for how many seconds it has been going on."""

ONLY = {
    "protection": ("aws_kms_", "aws_backup_", "_kms_key_info", "_backup"),
    "kms-disabled": ("aws_kms_", "aws_backup_", "_kms_key_info", "_backup"),
}
"""What of a situation is looked at, where other files hold the rest: parts of families' names."""


async def written(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The situation as text and as OpenMetrics."""
    enabled, scenario, ago = SITUATIONS[name]
    world = World(1, WorldClock(at=T))
    world.scenario(scenario, T - ago)
    services = {each: {"enabled": each in enabled} for each in SERVICES}
    config = config_of(services=services, tags=["team"], pins={"tags": {"team": "payments"}})
    async with line(monkeypatch, world=world, config=config) as over:
        await over.run(T)
        snapshot = over.parts.store.snapshot(T)
    if name in ONLY:
        kept = tuple(pair for pair in snapshot.families if any(part in pair[0].name for part in ONLY[name]))
        snapshot = replace(snapshot, families=kept)
    return exposition.plain(snapshot).decode(), exposition.plain(snapshot, "openmetrics").decode() + "# EOF\n"


@pytest.mark.parametrize("name", SITUATIONS)
async def test_the_exposition_is_as_reviewed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """World in, text out; both formats parse back to the same samples."""
    text, rich = await written(name, monkeypatch)
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(text)
    changed = list(
        difflib.unified_diff(file.read_text().splitlines(), text.splitlines(), "golden", "now", lineterm="", n=0)
    )
    assert changed == []
    assert parsed(text) == parsed_openmetrics(rich)
    assert len(parsed(text)) == sum(not each.startswith("#") for each in text.splitlines())


@pytest.mark.binary
@pytest.mark.parametrize("name", SITUATIONS)
def test_promtool_finds_nothing(name: str) -> None:
    """`promtool check metrics` is clean."""
    done = subprocess.run(
        [binary("promtool"), "check", "metrics"],
        input=(GOLDEN / f"{name}.txt").read_text(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
