"""Caches in trouble, from AWS's wire to the page, on a past clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.endings import ends_well
from tests.rules.scene import Delivery

pytestmark = pytest.mark.binary


@pytest.mark.parametrize("delivery", ["scrape"])
async def test_memory_that_fills(delivery: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From half to all of it within half an hour: the page comes minutes before it is full."""
    told = await ends_well("valkey-memory", delivery, tmp_path, monkeypatch)
    assert told.story.impact - told.page > 10


async def test_a_primary_that_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failover that is over in a minute is a ticket while the former primary is still down; it wakes nobody."""
    await ends_well("valkey-failover", "scrape", tmp_path, monkeypatch)


@pytest.mark.parametrize("delivery", ["scrape", "push"])
async def test_a_node_that_falls_silent(delivery: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One replica of many publishes nothing any more, though AWS lists it as available: it is named."""
    await ends_well("silent-node", delivery, tmp_path, monkeypatch)
