"""
By hand: `python -m tests.rules.tried SCENARIO DELIVERY MINUTES [RULE FILE…]` tells what alerts do, minute by minute.

ASK in the environment are expressions, a line each, that are asked at the end.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

import pytest

from tests.rules.scene import MINUTE, Delivery, scene


async def _tell(scenario: str, delivery: Delivery, minutes: int, paths: list[Path]) -> None:
    say = sys.stdout.write
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        begun = time.perf_counter()
        async with scene(Path(folder), patch, delivery, paths, lenient=True) as it:
            say(f"{len(it.stepper.rules)} rules; all is well after {time.perf_counter() - begun:.1f} s\n")
            for change in it.changes:
                say(f"  before: {change.state:8} {_labels(dict(change.alert.labels))}\n")
            it.begin(scenario)
            begun = time.perf_counter()
            for _ in range(minutes):
                for change in await it.minutes(1):
                    after = (change.at - it.began) / MINUTE
                    say(f"{after:6.0f} {change.state:8} {_labels(dict(change.alert.labels))}\n")
            say(f"{(time.perf_counter() - begun) / minutes:.2f} s a minute\n")
            for name, text in it.stepper.refused.items():
                say(f"refused: {name}: {text.splitlines()[0][:300]}\n")
            for expression in os.environ.get("ASK", "").splitlines():
                for found in it.prometheus.ask(expression, it.now):
                    say(f"{expression}: {found.value} {dict(found.labels)}\n")
            for each in it.posted("critical", "warning"):
                say(f"{each['labels']['alertname']}: {each['annotations'].get('summary')}\n")


def _labels(labels: dict[str, str]) -> str:
    name, severity = labels.pop("alertname"), labels.pop("severity", "")
    for each in ("project", "component", "cluster", "account_id", "region"):
        labels.pop(each, "")
    return f"{severity:8} {name} {labels}"


if __name__ == "__main__":
    asyncio.run(
        _tell(sys.argv[1], cast("Delivery", sys.argv[2]), int(sys.argv[3]), [Path(each) for each in sys.argv[4:]])
    )
