"""
Hours on which people work and nothing is broken: nobody is woken, in either delivery mode, by any rule.

A node is replaced and its volumes move, a backup reads for twenty minutes, CloudWatch is half an hour late for a while,
the exporter is rolled out anew, and once it is away for a minute.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.scene import BLANK, Delivery, scene

pytestmark = pytest.mark.binary


@pytest.mark.parametrize(("delivery", "minutes"), [("scrape", 125), ("push", 125)])
async def test_nobody_is_woken(
    delivery: Delivery, minutes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No critical alert fires in hours of a busy day, whose last trouble is over after two."""
    async with scene(tmp_path, monkeypatch, delivery, blank=BLANK, severities=["critical"]) as it:
        it.begin("busy-day")
        await it.minutes(40)
        await it.start("storage-exporter-6d5f7c9b4d-q8w2m")  # a rollout
        await it.minutes(70)
        await it.stop()
        await it.minutes(2)  # its node is drained
        await it.start("storage-exporter-6d5f7c9b4d-9zv4c")
        await it.minutes(minutes - 112)
        woken = {
            (each.alert.name, round((each.at - it.began) / 60), each.alert.labels)
            for each in it.changes
            if each.state == "firing" and each.alert.label("severity") == "critical"
        }
        assert not woken
