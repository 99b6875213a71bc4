"""
Rendering a snapshot for the first time, and prometheus_client's way.

`python -m tests.bench.rendering SNAPSHOT KIND [PART]`: SNAPSHOT is a pickled one, KIND is ``ours`` or
``prometheus_client``; PART ``measured`` leaves only the families that CloudWatch's rows become. Each runs in a process
that has rendered nothing before. It says in a line of JSON: CPU seconds, series, bytes plain and compressed.
"""

from __future__ import annotations

import asyncio
import math
import pickle
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from exporter import exposition
from exporter.model import Snapshot
from exporter.services.registry import SERVICES
from tests.bench.lines import say

_Table = list[tuple[str, str, list[str], list[tuple[list[str], float]]]]


class _Ready(Collector):
    """What is known, as a collector of prometheus_client's yields it at each scrape."""

    def __init__(self, table: _Table) -> None:
        self._table = table

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, text, labels, rows in self._table:
            family = GaugeMetricFamily(name, text, labels=labels)
            for values, value in rows:
                family.add_metric(values, value)
            yield family


def _table(snapshot: Snapshot) -> _Table:
    table: _Table = []
    for family in text_string_to_metric_families(exposition.plain(snapshot).decode()):
        rows = [(list(sample.labels.values()), sample.value) for sample in family.samples]
        table.append((family.name, family.documentation, list(family.samples[0].labels), rows))
    return table


def _ours(snapshot: Snapshot) -> dict[str, Any]:
    async def cold() -> tuple[exposition.Rendered, float]:
        cpu = time.process_time()
        page = await exposition.render(snapshot)
        return page, time.process_time() - cpu

    page, cpu = asyncio.run(cold())
    return {"cpu": cpu, "plain": page.text.size, "gzip": sum(map(len, page.gzip("text")))}


def _prometheus_client(snapshot: Snapshot) -> dict[str, Any]:
    table = _table(snapshot)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ready(table))
    cpu = time.process_time()
    body = generate_latest(registry)
    return {"cpu": time.process_time() - cpu, "plain": len(body)}


def _measured(snapshot: Snapshot) -> Snapshot:
    known = {row.family.name for service in SERVICES.values() for row in service.rows}
    families = tuple((family, blocks) for family, blocks in snapshot.families if family.name in known)
    columns = [block.values for _, blocks in families for block in blocks]
    return Snapshot(snapshot.at, families, sum(not math.isnan(value) for column in columns for value in column))


def main() -> None:
    """Render once."""
    snapshot: Snapshot = pickle.loads(Path(sys.argv[1]).read_bytes())
    if sys.argv[3:] == ["measured"]:
        snapshot = _measured(snapshot)
    render = {"ours": _ours, "prometheus_client": _prometheus_client}[sys.argv[2]]
    say({"series": snapshot.series, **render(snapshot)})


if __name__ == "__main__":
    main()
