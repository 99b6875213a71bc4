"""Where an axis has its marks, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.dashboards.preview import units

_TIMES = (
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10800,
    21600,
    43200,
    86400,
    172800,
    432000,
    604800,
    1209600,
    2592000,
)


def step(span: float, most: int, *, binary: bool = False) -> float:
    """The smallest round step with at most *most* of them in *span*."""
    raw = span / max(1, most)
    if raw <= 0:
        return 1.0
    if binary and raw >= 1:
        return 2.0 ** math.ceil(math.log2(raw) - 1e-9)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * times for times in (1, 2, 2.5, 5, 10) if power * times >= raw * (1 - 1e-9))


def ticks(low: float, high: float, most: int, *, binary: bool = False) -> list[float]:
    """Round values from *low* to *high*, ends included where they are round."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low]
    each = step(high - low, most, binary=binary)
    first, last = math.ceil(low / each - 1e-9), math.floor(high / each + 1e-9)
    return [number * each for number in range(first, last + 1)]


def decades(low: float, high: float) -> list[float]:
    """Powers of ten within a logarithmic axis."""
    return [10.0**power for power in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)]


def labels(values: Sequence[float], unit: str, decimals: int | None = None) -> list[str]:
    """Values as the marks of one axis: all with the fewest digits that tell them apart."""
    if decimals is not None:
        return [units.shown(value, unit, decimals) for value in values]
    found: list[str] = []
    for places in range(3):
        found = [units.shown(value, unit, places) for value in values]
        if len(set(found)) == len(found) and all(
            map(_exact, values, found, [unit] * len(found), [places] * len(found))
        ):
            break
    return [_short(text) for text in found]


def _exact(value: float, text: str, unit: str, places: int) -> bool:
    finer = units.shown(value, unit, places + 2)
    return _short(finer) == _short(text)


def _short(text: str) -> str:
    """Without zeros that say nothing."""
    number, mark, rest = text.partition(" ") if " " in text else (text, "", "")
    tail = ""
    while number and not number[-1].isdigit():
        number, tail = number[:-1], number[-1] + tail
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return number + tail + mark + rest


def times(start: float, end: float, most: int) -> list[tuple[float, str]]:
    """Round instants between two (unix seconds), each with its words: the clock, or the day where there are days."""
    each = next((seconds for seconds in _TIMES if (end - start) / seconds <= most), _TIMES[-1])
    first = math.ceil(start / each)
    found = [number * each for number in range(first, math.floor(end / each) + 1)]
    clock = "%H:%M" if end - start < 86400 else "%m/%d %H:%M" if each < 86400 else "%m/%d"
    return [(at, datetime.fromtimestamp(at, UTC).strftime(clock)) for at in found]
