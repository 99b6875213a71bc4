"""
Durations as Prometheus, Mimir, Cortex and Loki write them: ``90s``, ``1h30m``, ``5m0s``, ``1d``. Pure.
"""

from __future__ import annotations

import re

_UNITS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[ywdhms])", re.ASCII)
_WHOLE = re.compile(rf"(?:{_PART.pattern})+|0", re.ASCII)


def milliseconds(text: object) -> int | None:
    """What a duration stands for; None where *text* is none."""
    if not isinstance(text, str) or not _WHOLE.fullmatch(text):
        return None
    return round(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)))
