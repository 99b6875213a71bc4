"""
Parts of groups → batches: at most 500 members and 100,800 datapoints, one window each, a metric's statistics together.
Pure.

Limits of GetMetricData: aws-facts 2.1. A request is written when it is sent and not kept: from pieces that its rows
share, writing one takes less than half a millisecond, and a hundred thousand queries would weigh 23 MB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import orjson

from exporter.aws import prices
from exporter.cloudwatch.nouns import Batch, Part
from exporter.model import MetricRow, Resource, Scope, Window

MEMBERS = prices.MEMBERS_PER_REQUEST
"""Members of ``MetricDataQueries`` in one request."""

DATAPOINTS = prices.DATAPOINTS_PER_REQUEST
"""Datapoints one request may return over all members; kept within one page, for a page may be billed again."""

_IDS = [b'q%d"},' % number for number in range(MEMBERS)]


def batches(scope: Scope, windows: Mapping[Window, Sequence[Part]]) -> Iterator[Batch]:
    """
    The requests that ask *windows*, in the order of the windows and of the parts in them.

    What another region publishes about resources of *scope* is asked there, in requests of its own.
    """
    for window, parts in windows.items():
        room = max(1, min(MEMBERS, DATAPOINTS // max(1, window.points)))
        for region, mine in _by_region(scope, parts).items():
            where = scope if region == scope.region else replace(scope, region=region)
            chosen: list[Part] = []
            left = room
            for part in mine:
                for piece in _pieces(part, left, room):
                    if chosen and piece.size > left:
                        yield Batch(where, window, tuple(chosen))
                        chosen, left = [], room
                    chosen.append(piece)
                    left -= piece.size
            if chosen:
                yield Batch(where, window, tuple(chosen))


def _by_region(scope: Scope, parts: Sequence[Part]) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    for part in parts:
        found.setdefault(part.group.region or scope.region, []).append(part)
    return found


def _pieces(part: Part, left: int, room: int) -> Iterator[Part]:
    """*part* cut so that the first piece fills the *left* places of a request and each other one a whole request."""
    each = len(part.group.rows)
    start, count = 0, max(left // each, 0) or max(room // each, 1)
    while start < len(part.members):
        yield part if start == 0 and count >= len(part.members) else Part(part.group, part.members[start:][:count])
        start += count
        count = max(room // each, 1)


def body(batch: Batch) -> bytes:
    """
    The request without its times and its closing brace: those are appended last (performance.md 1.5).

    Member *n* has the id ``q<n>``. Oldest datapoints come first, so that an answer that breaks off is a prefix.
    """
    pieces: list[bytes] = []
    number = 0
    for part in batch.parts:
        count = len(part.members)
        resources = part.group.resources
        asked = [_dimensions(resources[member]) for member in part.members]
        for before, after in part.group.around:
            written = [before] * (4 * count)
            written[1::4] = asked
            written[2::4] = [after] * count
            written[3::4] = _ids(number, count)
            pieces += written
            number += count
    listed = b"".join(pieces)[:-1]
    return b'{"ScanBy":"TimestampAscending","MaxDatapoints":%d,"MetricDataQueries":[%b]' % (DATAPOINTS, listed)


def _dimensions(resource: Resource) -> bytes:
    """The dimensions of *resource* as JSON (aws-facts 2.4)."""
    pairs = zip(resource.kind.dimensions, resource.id, strict=True)
    return orjson.dumps([{"Name": name, "Value": value} for (name, _), value in pairs])


def _ids(first: int, count: int) -> list[bytes]:
    if first + count <= MEMBERS:
        return _IDS[first : first + count]
    return [b'q%d"},' % number for number in range(first, first + count)]  # one metric with more statistics than that


def members(batch: Batch) -> list[tuple[Part, int, MetricRow]]:
    """(part, place in its group, row) of each member, by its number."""
    return [(part, member, row) for part in batch.parts for row in part.group.rows for member in part.members]
