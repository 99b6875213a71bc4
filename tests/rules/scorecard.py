"""
The minutes from cause to page, written down: `python -m tests.rules.scorecard [SCENARIO…]` writes RESULTS.md anew.

Every story in both delivery modes, in simulated time; beside what incidents.md says of it. It asserts nothing: the
bounds are the tests'.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import get_args

import pytest

from tests.rules.scene import Delivery, scene
from tests.rules.stories import GROUP_WAIT, ONLY_S3, STORIES, Told, play, swell

RESULTS = Path(__file__).with_name("RESULTS.md")
_DAYS = "s3-growth"

_HEAD = f"""# Minutes from cause to page

Written by `python -m tests.rules.scorecard`. Each scenario of the demo on a past clock, with the real exporter, a real
Prometheus and the shipped rules: simulated minutes from the instant at which something breaks until the alert fires,
plus the {60 * GROUP_WAIT:.0f} s that Alertmanager waits (`group_wait`). The exporter asks as it does by default, is
scraped once a minute or pushes, and rules are evaluated once a minute. CloudWatch publishes 90 to 150 s late.
EBS checks come from CloudWatch here, asked every 5 or 15 minutes: the CSI driver's own counters would be first.

Lead is what is left until users feel it; where they feel it at once it is the page with a minus.

| scenario | alert | scraped | pushed | lead | also pages | incidents.md |
|---|---|---|---|---|---|---|
"""


async def _measured(names: Iterable[str]) -> dict[str, dict[str, Told | str]]:
    found: dict[str, dict[str, Told | str]] = {}
    for name in names:
        for delivery in get_args(Delivery):
            begun = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
                try:
                    told: Told | str = await play(STORIES[name], delivery, Path(folder), patch)
                except AssertionError as error:
                    told = str(error)
            found.setdefault(name, {})[delivery] = told
            said = told if isinstance(told, str) else f"{told.page:.1f} min"
            sys.stdout.write(f"{name:16} {delivery:7} {said}  ({time.perf_counter() - begun:.0f} s)\n")
    return found


async def _days() -> str:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        async with scene(Path(folder), patch, "scrape", ["s3"], more=ONLY_S3) as it:
            return f"{await swell(it)} h"


def _row(name: str, told: Mapping[str, Told | str]) -> str:
    story = STORIES[name]
    pages = {each.page for each in told.values() if isinstance(each, Told)}
    others = {page for each in told.values() if isinstance(each, Told) for page in each.pages} - {story.alert}
    times = [f"{each.page:.1f}" if isinstance(each, Told) else "not in time" for each in told.values()]
    lead = f"{story.impact - max(pages):+.1f}" if pages else ""
    also = ", ".join(sorted(others)) + (" (inhibited)" if others and name == "zone-loss" else "")
    alert = f"{story.alert} (ticket)" if story.receiver.endswith("ticket") else story.alert
    return f"| {name} | {alert} | {times[0]} | {times[1]} | {lead} | {also} | {story.catalogue} |\n"


def main(names: list[str]) -> None:
    """Measure and write."""
    rows = asyncio.run(_measured(names or list(STORIES)))
    text = _HEAD + "".join(_row(name, told) for name, told in rows.items())
    if not names or _DAYS in names:
        hours = asyncio.run(_days())
        known = "sizes are told a day late, and that is how late one knows"
        text += f"| {_DAYS} | AwsS3BucketGrowthAnomaly (ticket) | {hours} | | | | {known} |\n"
    RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
