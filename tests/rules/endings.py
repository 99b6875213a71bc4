"""What every story must end in: the alert in time, a notification that names the thing, the right receiver, no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.rules import alertmanager
from tests.rules.alertmanager import Alertmanager
from tests.rules.scene import Delivery
from tests.rules.stories import STORIES, Told, play


async def ends_well(
    scenario: str, delivery: Delivery, folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any
) -> Told:
    """
    Play a story and check its end.

    Args:
        scenario: its name.

        delivery: how series come to Prometheus.

        folder: for files.

        monkeypatch: sets AWS's variables.

        more: for `stories.play`.
    """
    story = STORIES[scenario]
    told = await play(story, delivery, folder, monkeypatch, **more)
    others = told.pages - story.also - {story.alert}
    assert not others, f"pages about something else: {sorted(others)}"
    assert told.before <= story.also | {story.alert}
    place = folder / "alertmanager"
    place.mkdir()
    with alertmanager.running(place, alertmanager.compressed(alertmanager.shipped())) as server:
        server.post(told.firing)
        server.until(f"{story.alert} arrives", lambda: texts(server, story.receiver, story.alert))
        for word in story.about:
            assert any(word in text for text in texts(server, story.receiver, story.alert)), (word, told.firing)
    return told


def texts(server: Alertmanager, receiver: str, name: str) -> list[str]:
    """What a receiver has been told of an alert."""
    return [each.text for each in server.got(receiver) if name in each.text]


def uninhibited(server: Alertmanager, severity: str) -> set[str]:
    """Names of the alerts of a severity that Alertmanager holds and that no other one inhibits."""
    held = server.alerts(f'severity="{severity}"')
    return {each["labels"]["alertname"] for each in held if not each["status"]["inhibitedBy"]}
