"""Volumes in trouble, from AWS's wire to the page: real exporter, Prometheus and Alertmanager on a past clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.rules.endings import ends_well
from tests.rules.scene import BLANK, Delivery
from tests.rules.stories import STORIES, play

pytestmark = pytest.mark.binary
BOTH = pytest.mark.parametrize("delivery", ["scrape", "push"])


@BOTH
async def test_a_volume_that_stalls(delivery: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight minutes without I/O page while they last, and name the claim."""
    await ends_well("volume-stalled", delivery, tmp_path, monkeypatch)


async def test_a_volume_at_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume that wants more than it may pages, and names the claim; with labels as the chart leaves them."""
    await ends_well("ebs-saturated", "scrape", tmp_path, monkeypatch, blank=BLANK)


@pytest.mark.parametrize("delivery", ["scrape"])
async def test_an_attachment_that_is_stuck(delivery: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ticket after three minutes, a page after ten; both from Kubernetes and from AWS, once."""
    told = await ends_well("attach-stuck", delivery, tmp_path, monkeypatch)
    assert "StorageAttachmentSlow" in {each["labels"]["alertname"] for each in told.firing}


async def test_bursts_give_the_same_alerts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stall that is asked for every minute, every five and every fifteen is the same page, of the same volume."""
    found: list[tuple[set[str], list[dict[str, str]]]] = []
    for every in ("60s", "300s", "900s"):
        folder = tmp_path / every
        folder.mkdir()
        rows: dict[str, Any] = {"VolumeStalledIOCheck": {"every": every}}
        only = {name: {"enabled": False} for name in ("efs", "s3", "elasticache", "protection")}
        more = {"services": {"ebs": {"rows": rows}, **only}}
        story = STORIES["volume-stalled"]
        told = await play(story, "push", folder, monkeypatch, more=more, within=22)
        labels = [dict(each["labels"]) for each in told.firing if each["labels"]["alertname"] == story.alert]
        found.append((set(told.pages), labels))
    assert found[0] == found[1] == found[2]
