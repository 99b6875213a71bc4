"""Percentiles over datapoints that carry a sample of their observations (CloudWatch, "Percentiles"). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from exporter.demo.metrics import Datum

_PERCENTILE = re.compile(r"p(\d{1,3}(?:\.\d+)?)")


def percentile(data: Sequence[Datum], stat: str) -> float | None:
    """
    The smallest observation that at least the asked share of all is not above; None where there is none.

    Each sampled observation stands for an equal part of its datapoint's count.

    Args:
        stat: ``p50``, ``p99.9``, up to ``p100``; others give None.
    """
    asked = _PERCENTILE.fullmatch(stat)
    if asked is None or float(asked[1]) > 100 or not data or any(not item.sample for item in data):
        return None
    weighed = sorted((value, item.count / len(item.sample)) for item in data for value in item.sample)
    wanted = sum(weight for _, weight in weighed) * float(asked[1]) / 100
    reached = 0.0
    for value, weight in weighed:
        reached += weight
        if reached >= wanted - 1e-9:
            return value
    return weighed[-1][0]
