"""A zone that is lost: one page, whatever stood in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules import alertmanager
from tests.rules.endings import texts, uninhibited
from tests.rules.stories import STORIES, play

pytestmark = pytest.mark.binary


async def test_a_zone_that_is_lost_is_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing pages before it, it names its zone, and it inhibits what else fires about that zone."""
    story = STORIES["zone-loss"]
    told = await play(story, "scrape", tmp_path, monkeypatch)
    assert told.before <= {story.alert}
    lost = [each for each in told.firing if each["labels"]["alertname"] == story.alert]
    assert [each["labels"]["availability_zone"] for each in lost] == ["ap-southeast-3a"]
    assert len(told.pages) > 3  # or nothing would be inhibited
    place = tmp_path / "alertmanager"
    place.mkdir()
    with alertmanager.running(place, alertmanager.compressed(alertmanager.shipped())) as server:
        server.post(told.later)
        server.until("the page", lambda: texts(server, story.receiver, story.alert))
        server.until("all of it", lambda: len(server.alerts()) == len(told.later))
        assert any("ap-southeast-3a" in text for text in texts(server, story.receiver, story.alert))
        # Also of the cache that stood in that zone alone, and is gone as a whole.
        assert uninhibited(server, "critical") == {story.alert}
