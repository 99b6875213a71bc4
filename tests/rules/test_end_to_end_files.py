"""File systems, keys and buckets in trouble, from AWS's wire to the notification, on a past clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules import alertmanager
from tests.rules.endings import ends_well, texts
from tests.rules.scene import Delivery, scene
from tests.rules.stories import ONLY_S3, SWOLLEN, swell

pytestmark = pytest.mark.binary


@pytest.mark.parametrize("delivery", ["scrape", "push"])
async def test_burst_credits_that_run_out(delivery: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that will have spent its credits in four hours pages hours before."""
    told = await ends_well("efs-credits", delivery, tmp_path, monkeypatch)
    assert told.story.impact - told.page > 120


async def test_a_key_that_is_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says what is encrypted with the key, long before that stops working."""
    told = await ends_well("kms-disabled", "scrape", tmp_path, monkeypatch)
    assert told.story.impact - told.page > 30


async def test_a_bucket_that_swells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as large within a day: a ticket names the bucket on the day after, and nobody is woken."""
    async with scene(tmp_path, monkeypatch, "scrape", ["s3"], more=ONLY_S3) as it:
        hours = await swell(it)
        assert hours <= 60
        assert not it.fired("critical")
        (tmp_path / "alertmanager").mkdir()
        with alertmanager.running(tmp_path / "alertmanager", alertmanager.compressed(alertmanager.shipped())) as server:
            server.post(it.posted("warning"))
            name = "AwsS3BucketGrowthAnomaly"
            server.until("the ticket", lambda: texts(server, "storage-ticket", name))
            assert all(SWOLLEN in text for text in texts(server, "storage-ticket", name))
