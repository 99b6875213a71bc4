"""The exporter that sees nothing: one page with the reason, from AWS's refusal to the receiver, on a past clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.endings import ends_well
from tests.rules.scene import Delivery, scene
from tests.rules.stories import STORIES

pytestmark = pytest.mark.binary


@pytest.mark.parametrize("delivery", ["scrape", "push"])
async def test_denied(delivery: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GetMetricData is refused: the page says so, and goes to those who run the exporter."""
    await ends_well("denied", delivery, tmp_path, monkeypatch)


async def test_throttled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call is throttled: the page says so."""
    await ends_well("throttled", "scrape", tmp_path, monkeypatch)


async def test_cloudwatch_is_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudWatch is two hours late: a ticket first, for nothing of ours is broken; one page after an hour, with why."""
    story = STORIES["cloudwatch-late"]
    async with scene(tmp_path, monkeypatch, "scrape", story.files, more=story.sections) as it:
        it.begin(story.scenario)
        ticket = await it.until(story.alert, story.within)
        page = await it.until("StorageExporterDataStale", 110, {"reason": "late"})
        assert ticket < 60 < page
        assert it.fired("critical") == {"StorageExporterDataStale"}


@pytest.mark.parametrize("delivery", ["scrape"])
async def test_a_rollout_in_the_middle(delivery: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter's pod is another one before the page is out: the page comes as it would, once."""
    story = STORIES["volume-stalled"]
    async with scene(tmp_path, monkeypatch, delivery, story.files, more=story.sections) as it:
        it.begin(story.scenario)
        await it.minutes(3)
        await it.start("storage-exporter-6d5f7c9b4d-q8w2m")
        await it.until(story.alert, story.within + 2)
        await it.minutes(5)
        assert [each.state for each in it.changes if each.alert.name == story.alert] == ["firing"]
        assert it.fired("critical") == {story.alert}
