"""Rule files for a Prometheus that has no time: evaluated every second or two, with waits as short. Pure."""

from __future__ import annotations

import copy
from typing import Any

import yaml

from tests.rules.stepper import seconds


def hurried(text: str, times: float, interval: str = "2s") -> str:
    """
    The same rules, evaluated every *interval*; ``for`` and ``keep_firing_for`` pass *times* as fast.

    Expressions, labels and texts stay as they are.
    """
    document: dict[str, Any] = copy.deepcopy(yaml.safe_load(text))
    for group in document["groups"]:
        group["interval"] = interval
        for rule in group["rules"]:
            for key in ("for", "keep_firing_for"):
                if key in rule:
                    rule[key] = f"{round(1000 * seconds(rule[key]) / times)}ms"
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
