"""The configurations that are measured, made from the services' own tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from exporter.model import MetricRow, Tier
from exporter.services.registry import SERVICES
from tests.bench.estate import COMPONENT

EVERY = 300
"""Seconds between two questions of everything that may be asked that often: at a minute a period, five datapoints."""

ASKED_BY_NAME = ("VolumeQueueLength", "VolumeIdleTime", "VolumeTotalWriteTime")
"""Rows of EBS that are asked beside its usual tiers: twelve a volume."""

_NEVER = "7d"


def sweep(*, get_metric_data_per_second: float, aws_concurrency: int) -> str:
    """
    Everything due every five minutes, and discovery so rarely that a sweep is plan, fetch, convert, keep and render.

    Rows of periods above five minutes, and those published once a day, keep their own intervals.
    """
    services = {}
    for name, service in SERVICES.items():
        tiers = [Tier.ESSENTIAL, Tier.STANDARD] + ([] if name == "ebs" else [Tier.ON_REQUEST])
        by_name = ASKED_BY_NAME if name == "ebs" else ()
        asked = [row for row in service.rows if row.tier in tiers or row.source in by_name]
        rows: dict[str, dict[str, Any]] = {source: {"enabled": True} for source in by_name}
        for family, those in _by_family(asked).items():
            if all(row.every > EVERY >= row.period and not row.retry for row in those):
                rows[family] = {"every": EVERY}
        discovery = {operation.name: _NEVER for operation in service.operations}
        services[name] = {"tiers": [str(tier.value) for tier in tiers], "rows": rows, "discovery": discovery}
    limits = {
        "get_metric_data_per_second": get_metric_data_per_second,
        "aws_concurrency": aws_concurrency,
        "describe_per_second": 1000,
        "max_series": 10_000_000,
        "pass_deadline": "10m",
    }
    return _text(services=services, limits=limits, log="error")


def usual(*, hurried: bool = False, log: str = "error") -> str:
    """
    The defaults, with the observability stack's buckets named.

    Args:
        hurried: at a pace at which a pass takes seconds rather than minutes, for simulated time.
    """
    services = {"s3": {"components": {COMPONENT.format("(?P<component>[a-z-]+)"): "${component}"}}}
    limits: dict[str, Any] = {"max_series": 10_000_000}
    if hurried:
        limits |= {"describe_per_second": 200, "get_metric_data_per_second": 50}
    return _text(services=services, limits=limits, log=log)


def _by_family(rows: Iterable[MetricRow]) -> dict[str, list[MetricRow]]:
    found: dict[str, list[MetricRow]] = {}
    for row in rows:
        found.setdefault(row.family.name, []).append(row)
    return found


def _text(*, services: Mapping[str, Any], limits: Mapping[str, Any], log: str) -> str:
    return yaml.safe_dump(
        {
            "cluster": "production",
            "services": services,
            "limits": limits,
            "web": {"listen": "127.0.0.1:0"},
            "log": {"level": log},
        },
        sort_keys=False,
    )
