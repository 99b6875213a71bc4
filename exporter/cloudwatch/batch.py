"""
Queries → batches: at most 500 members and 100,800 datapoints, one window each, a metric's statistics together. Pure.

Limits of GetMetricData: aws-facts 2.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from exporter.model import Batch, Query, Scope, Window

MEMBERS = 500
"""Members of ``MetricDataQueries`` in one request."""

DATAPOINTS = 100_800
"""Datapoints one request may return over all members; kept within one page, for a page may be billed again."""


def batches(scope: Scope, windows: Mapping[Window, Sequence[Query]]) -> Iterator[Batch]:
    """
    The requests that ask *windows*, in the order of the windows and of the queries in them.

    What another region publishes about resources of *scope* is asked there, in requests of its own.
    """
    for window in sorted(windows):
        room = max(1, min(MEMBERS, DATAPOINTS // max(1, window.points)))
        for region, queries in _by_region(scope, windows[window]).items():
            where = scope if region == scope.region else replace(scope, region=region)
            chosen: list[Query] = []
            members = 0
            for query in queries:
                if chosen and members + len(query.rows) > room:
                    yield Batch(where, window, tuple(chosen))
                    chosen, members = [], 0
                chosen.append(query)
                members += len(query.rows)
            if chosen:
                yield Batch(where, window, tuple(chosen))


def _by_region(scope: Scope, queries: Sequence[Query]) -> dict[str, list[Query]]:
    found: dict[str, list[Query]] = {}
    for query in queries:
        found.setdefault(query.resource.published_in or scope.region, []).append(query)
    return found


def body(batch: Batch) -> bytes:
    """
    The request without its times and its closing brace: those are appended last (performance.md 1.5).

    Member *n* has the id ``q<n>``; n counts over all rows of all queries of the batch. Oldest datapoints come first,
    so that an answer that breaks off is a prefix.
    """
    members = (member for query in batch.queries for member in query.body)
    listed = b",".join(b'{"Id":"q%d",%s' % (number, member) for number, member in enumerate(members))
    return b'{"ScanBy":"TimestampAscending","MaxDatapoints":%d,"MetricDataQueries":[%s]' % (DATAPOINTS, listed)


def members(batch: Batch) -> list[tuple[Query, int]]:
    """(query, index of its row) by member number."""
    return [(query, index) for query in batch.queries for index in range(len(query.rows))]
