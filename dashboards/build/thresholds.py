"""Colours change where the alerts do: the numbers come from ``rules/thresholds.yaml``, which the rules are built with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

TABLE = Path(__file__).resolve().parents[2] / "rules" / "thresholds.yaml"


@cache
def _table() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    loaded: Mapping[str, Mapping[str, Mapping[str, Any]]] = yaml.safe_load(TABLE.read_text())
    return loaded


def number(alert: str, threshold: str, of: str = "") -> float:
    """
    A threshold of an alert.

    Args:
        alert: its name.

        threshold: which of its numbers.

        of: the unit that the panel counts in, checked against the table's where it is given.

    Raises:
        KeyError: the alert has no such threshold.

        ValueError: it is in another unit.
    """
    try:
        entry = _table()[alert][threshold]
    except KeyError:
        there = sorted(_table().get(alert, {}))
        raise KeyError(f"{alert} has no threshold {threshold}; rules/thresholds.yaml has {there}") from None
    if of and entry["unit"] != of:
        raise ValueError(f"{alert}.{threshold} is in {entry['unit']}, not in {of}")
    return float(entry["value"])


@dataclass(frozen=True, slots=True)
class Limit:
    """
    Where a value stops to be good.

    Args:
        warning: from here on orange; None for no such step.

        critical: from here on red; None for no such step.

        bad: whether high or low values are bad.
    """

    warning: float | None = None
    critical: float | None = None
    bad: Literal["high", "low"] = "high"

    def __post_init__(self) -> None:
        if self.warning is None and self.critical is None:
            raise ValueError("a limit without a number")
        if self.warning is not None and self.critical is not None:
            order = self.warning < self.critical if self.bad == "high" else self.warning > self.critical
            if not order:
                raise ValueError(f"warning {self.warning} and critical {self.critical} are in the wrong order")

    def steps(self) -> list[tuple[float | None, str]]:
        """From which value on which colour holds, ascending; the first has no value."""
        given = [(self.warning, "orange"), (self.critical, "red")]
        known = [(value, colour) for value, colour in given if value is not None]
        if self.bad == "high":
            return [(None, "green"), *known]
        # What is below a value is bad: read from the lowest, each colour holds up to its own value.
        rising = sorted(known)
        colours = [colour for _, colour in rising]
        return [(None, colours[0]), *zip([value for value, _ in rising], [*colours[1:], "green"], strict=True)]


def high(warning: float | None = None, critical: float | None = None) -> Limit:
    """High values are bad."""
    return Limit(warning, critical, "high")


def low(warning: float | None = None, critical: float | None = None) -> Limit:
    """Low values are bad."""
    return Limit(warning, critical, "low")


DAY = 86400.0
TIME_LEFT = low(warning=7 * DAY, critical=DAY)
"""Time to exhaustion where several services stand in one panel: red within a day, orange within a week."""
