"""What the first recordings about caches must say: the row's operation over its span, once for two pods."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from rules.build.cases.elasticache_world import INFO, NODE, SERVERLESS, SERVERLESS_INFO
from rules.build.cases.shapes import Reading, S, Values

_AT = 30
_SECOND = {"pod": "exporter-b", "instance": "exporter-b:9116"}

# What a value that falls from 100 by one each minute is at minute 30 (windows of Prometheus 2 hold both ends).
_NEWEST, _MEAN_5, _MEAN_19, _MAX_5, _MAX_19 = 70.0, 72.5, 79.5, 75.0, 89.0
# And one that rises from nought.
_MIN_19 = 11.0

_NODES: Mapping[str, tuple[str, float]] = {
    "node:aws_elasticache_memory_usage:ratio": ("aws_elasticache_node_memory_usage_ratio", _NEWEST),
    "node:aws_elasticache_is_primary:newest": ("aws_elasticache_node_is_primary", _NEWEST),
    "node:aws_elasticache_evictions:per_second": ("aws_elasticache_node_evictions_per_second", _MEAN_5),
    "node:aws_elasticache_engine_cpu_utilization:ratio": ("aws_elasticache_node_engine_cpu_utilization_ratio", _MEAN_5),
    "node:aws_elasticache_connections:max": ("aws_elasticache_node_connections", _MAX_5),
    "node:aws_elasticache_rejected_connections:per_second": (
        "aws_elasticache_node_rejected_connections_per_second",
        _MEAN_5,
    ),
    "node:aws_elasticache_replication_lag:seconds": ("aws_elasticache_node_replication_lag_seconds", _MAX_5),
    "node:aws_elasticache_errors:per_second": ("aws_elasticache_node_errors_per_second", _MEAN_19),
    "node:aws_elasticache_cpu_utilization:ratio": ("aws_elasticache_node_cpu_utilization_ratio", _MEAN_19),
    "node:aws_elasticache_swap_usage:bytes": ("aws_elasticache_node_swap_usage_bytes", _MAX_19),
    "node:aws_elasticache_freeable_memory:bytes": ("aws_elasticache_node_freeable_memory_bytes", _MIN_19),
    "node:aws_elasticache_primary_link_healthy:ratio": ("aws_elasticache_node_primary_link_healthy", _MEAN_19),
    "node:aws_elasticache_authentication_failures:per_second": (
        "aws_elasticache_node_authentication_failures_per_second",
        _MEAN_19,
    ),
    "node:aws_elasticache_hits:per_second": ("aws_elasticache_node_hits_per_second", _MEAN_19),
    "node:aws_elasticache_misses:per_second": ("aws_elasticache_node_misses_per_second", _MEAN_19),
}
_SERVERLESS: Mapping[str, tuple[str, float]] = {
    "serverless:aws_elasticache_used:bytes": ("aws_elasticache_serverless_used_bytes", _NEWEST),
    "serverless:aws_elasticache_ecpus:per_second": ("aws_elasticache_serverless_ecpus_per_second", _MEAN_5),
    "serverless:aws_elasticache_throttled_commands:per_second": (
        "aws_elasticache_serverless_throttled_commands_per_second",
        _MEAN_5,
    ),
    "serverless:aws_elasticache_authentication_failures:per_second": (
        "aws_elasticache_serverless_authentication_failures_per_second",
        _MEAN_19,
    ),
}
_HELD: Mapping[str, tuple[str, Mapping[str, str], float]] = {
    "node:aws_elasticache_memory_usage:ratio": ("aws_elasticache_node_memory_usage_ratio", NODE, 0.7),
    "node:aws_elasticache_is_primary:newest": ("aws_elasticache_node_is_primary", NODE, 1),
    "serverless:aws_elasticache_used:bytes": ("aws_elasticache_serverless_used_bytes", SERVERLESS, 7e9),
}
_ALLOWANCES = ("bandwidth_in", "bandwidth_out", "packets", "conntrack", "link_local")


def _told_until_28(value: float) -> Values:
    return lambda minute: value if minute < 28 else inf if minute == 28 else None


def _twice(family: str, labels: Mapping[str, str], times: float = 1.0, *, rises: bool = False) -> tuple[S, S]:
    """The same of two pods."""

    def values(minute: int) -> float:
        return times * (minute if rises else 100 - minute)

    return S(family, labels, values), S(family, {**labels, **_SECOND}, values)


def _selector(labels: Mapping[str, str], **more: str) -> str:
    return "{" + ", ".join(f'{key}="{value}"' for key, value in sorted({**labels, **more}.items()) if value) + "}"


READINGS: list[Reading] = [
    *(
        Reading(
            name=f"{recording} keeps to its row",
            series=[info, *_twice(family, labels, rises=value == _MIN_19)],
            expr=recording,
            at=_AT,
            samples={f"{recording}{_selector(labels)}": value},
        )
        for info, labels, table in ((INFO, NODE, _NODES), (SERVERLESS_INFO, SERVERLESS, _SERVERLESS))
        for recording, (family, value) in table.items()
    ),
    Reading(
        name="what is newest is held when it is not told now",
        series=[
            INFO,
            SERVERLESS_INFO,
            *(
                S(family, labels, _told_until_28(value))
                for family, labels, value in (*_HELD.values(), ("aws_elasticache_node_capacity_usage_ratio", NODE, 0.6))
            ),
        ],
        expr=" or ".join(f'sum by (of) (label_replace({name}, "of", "{name}", "", ""))' for name in _HELD),
        at=_AT,
        samples={f'{{of="{name}"}}': value for name, (_, _, value) in _HELD.items()},
    ),
    Reading(
        name="each allowance keeps to its row",
        series=[
            INFO,
            *(
                each
                for place, name in enumerate(_ALLOWANCES)
                for each in _twice(
                    f"aws_elasticache_node_network_{name}_allowance_exceeded_per_second", NODE, place + 1
                )
            ),
        ],
        expr="node:aws_elasticache_network_allowance_exceeded:per_second",
        at=_AT,
        samples={
            f"node:aws_elasticache_network_allowance_exceeded:per_second{_selector(NODE, allowance=name)}": _MEAN_19
            * (place + 1)
            for place, name in enumerate(_ALLOWANCES)
        },
    ),
]
