"""Why data is old, service by service: what the recordings behind StorageExporterDataStale count, and for how long."""

from __future__ import annotations

from rules.build.cases.exporter_freshness import EFS, ERRORS, LIMIT, NEWEST, QUERIES, A
from rules.build.cases.shapes import Reading, S, Values, flat, step

_NOW = 30
_COUNTED = "service:storage_exporter_{}:increase{}"
_READ, _OTHER = "GetMetricData", "DescribeFileSystems"


def _selector(name: str, **labels: str) -> str:
    pairs = ", ".join(f'{key}="{value}"' for key, value in sorted({**A, **labels}.items()))
    return f"{name}{{{pairs}}}"


def _counter(name: str, counts: Values, service: str, operation: str = _READ, **labels: str) -> S:
    return S(name, {**A, "aws_service": service, "operation": operation, **labels}, counts)


def _twice(first: int, then: int) -> tuple[tuple[str, Values], ...]:
    """Two pods' counters: 100 and 1000 more at minute *first*, 5 and 3 more at minute *then*."""
    return tuple(
        (pod, lambda minute, old=old, new=new: float(old * (minute >= first) + new * (minute >= then)))
        for pod, old, new in (("a", 100, 5), ("b", 1000, 3))
    )


_COUNTS = [
    *(
        _counter(ERRORS, values, "efs", code=code, pod=pod)
        for code in ("Throttling", "AccessDenied", "TIMEOUT")
        for pod, values in _twice(12, 22)
    ),
    *(_counter(QUERIES, values, "efs", pod=pod) for pod, values in _twice(8, 18)),
]

_RECENT, _LONG_AGO = step(22, 0, 1), step(15, 0, 1)
"""A failure eight minutes ago, which counts, and one 15 minutes ago, which does not any more."""

_WHY: dict[str, tuple[str, list[S]]] = {
    "a": ("denied", [_counter(ERRORS, _RECENT, "a", code="AccessDenied"), _counter(QUERIES, _RECENT, "a")]),
    "b": ("throttled", [_counter(ERRORS, _RECENT, "b", code="Throttling"), _counter(QUERIES, _RECENT, "b")]),
    "c": ("failing", [_counter(ERRORS, _RECENT, "c", code="TIMEOUT"), _counter(QUERIES, _RECENT, "c")]),
    "d": ("empty", [_counter(QUERIES, step(18, 0, 1), "d")]),
    "e": ("not_asked", [_counter(QUERIES, step(13, 0, 1), "e")]),
    "f": ("denied", [_counter(ERRORS, _RECENT, "f", _OTHER, code="AccessDenied")]),
    "g": ("throttled", [_counter(ERRORS, _RECENT, "g", _OTHER, code="Throttling")]),
    "h": ("not_asked", [_counter(ERRORS, _LONG_AGO, "h", _OTHER, code="AccessDenied")]),
    "i": ("not_asked", [_counter(ERRORS, _LONG_AGO, "i", _OTHER, code="Throttling")]),
}
"""Service to its reason and what tells it. All of them are 20 minutes old."""

_ELSEWHERE = {**A, "account_id": "2"}
_CAUGHT_UP = [
    # Fresh now, but not twenty minutes ago; the other was fresh then, and is not now.
    S(NEWEST, {**_ELSEWHERE, "aws_service": "x"}, step(20, 200, 1700)),
    S(LIMIT, {**_ELSEWHERE, "aws_service": "x"}, flat(300)),
    S(NEWEST, {**_ELSEWHERE, "aws_service": "y"}, flat(600)),
    S(LIMIT, {**_ELSEWHERE, "aws_service": "y"}, flat(300)),
    S(QUERIES, {**_ELSEWHERE, "aws_service": "y", "operation": _READ}, float),
    # Not asked: it is not late, whatever the others are.
    S(NEWEST, {**_ELSEWHERE, "aws_service": "z"}, flat(600)),
    S(LIMIT, {**_ELSEWHERE, "aws_service": "z"}, flat(300)),
]

REASON_READINGS = [
    Reading(
        name="the age is that of the newest, whichever pod told it",
        series=[
            S(NEWEST, {**EFS, "pod": "a"}, flat(60)),
            S(NEWEST, {**EFS, "pod": "b"}, flat(360)),
        ],
        expr="service:storage_exporter_data_age:seconds",
        at=10,
        samples={_selector("service:storage_exporter_data_age:seconds", aws_service="efs"): 240},
    ),
    Reading(
        name="what was asked and what failed is counted for its minutes, over all pods",
        series=_COUNTS,
        expr=" or ".join(
            f'label_replace({_COUNTED.format(what, window)}, "of", "{what}", "", "")'
            for what, window in (("throttled", "10m"), ("denied", "10m"), ("failed", "10m"), ("asked", "15m"))
        ),
        at=_NOW,
        samples={
            _selector(_COUNTED.format(what, window), aws_service="efs", of=what): 8
            for what, window in (("throttled", "10m"), ("denied", "10m"), ("failed", "10m"), ("asked", "15m"))
        },
    ),
    Reading(
        name="each service of an account has its own reason",
        series=[
            *(
                each
                for service, (_, told) in _WHY.items()
                for each in (
                    S(NEWEST, {**A, "aws_service": service}, flat(600)),
                    S(LIMIT, {**A, "aws_service": service}, flat(300)),
                    *told,
                )
            ),
            S(NEWEST, {**A, "aws_service": "fresh"}, lambda minute: 60.0 * minute),
            S(LIMIT, {**A, "aws_service": "fresh"}, flat(300)),
            *_CAUGHT_UP,
        ],
        expr="service:storage_exporter_data_stale:reason",
        at=_NOW,
        samples={
            **{
                _selector("service:storage_exporter_data_stale:reason", aws_service=service, reason=reason): 1200
                for service, (reason, _) in _WHY.items()
            },
            **{
                _selector(
                    "service:storage_exporter_data_stale:reason", account_id="2", aws_service=service, reason=reason
                ): 1200
                for service, reason in (("y", "late"), ("z", "not_asked"))
            },
        },
    ),
]
