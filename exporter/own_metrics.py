"""
The exporter's metrics about itself as data, for those who write them in another form than a page. Pure.

What has them is `telemetry`; the metrics are seen here by their shape alone, so that only one module knows the library
they are made with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

Type = Literal["gauge", "counter", "info", "unknown"]
_TYPES: Mapping[str, Type] = {"gauge": "gauge", "counter": "counter", "info": "info"}


class _Sample(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def value(self) -> float: ...


class _Metric(Protocol):
    @property
    def type(self) -> str: ...
    @property
    def documentation(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def samples(self) -> Sequence[_Sample]: ...


class OwnFamily(NamedTuple):
    """
    One metric about the exporter.

    Args:
        name: of its series, with ``_total`` of a counter and ``_info`` of an info.

        type: what it is.

        help: for people.

        unit: the name's ending, ``""`` for none.

        samples: labels and value of each series.
    """

    name: str
    type: Type
    help: str
    unit: str
    samples: Sequence[tuple[Mapping[str, str], float]]


def families_of(metrics: Iterable[_Metric]) -> list[OwnFamily]:
    """What a registry collects, in its order; a metric whose series have several names is a family for each name."""
    found = []
    for metric in metrics:
        series: dict[str, list[tuple[Mapping[str, str], float]]] = {}
        for sample in metric.samples:
            series.setdefault(sample.name, []).append((sample.labels, sample.value))
        kind = _TYPES.get(metric.type, "unknown")
        found += [OwnFamily(name, kind, metric.documentation, metric.unit, each) for name, each in series.items()]
    return found
