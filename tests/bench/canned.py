"""
GetMetricData from canned pieces: what CloudWatch answers, for a fraction of a millisecond a call.

Every value is a function of the series and the period's number, so that an answer is right whoever asks for whatever
window, and a test can tell what the exporter has to show. Values are read out of one table of texts: a series begins at
a place of its own and goes on from period to period, so a run of datapoints is one slice of the table's text, kept.
"""

from __future__ import annotations

import hashlib
import random
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from exporter.demo.wire import WireError

_TABLE = 4096
_MOST_DATAPOINTS = 100_800
_MOST_QUERIES = 500


def _texts() -> list[bytes]:
    """Numbers as CloudWatch gives them: sums that are whole, averages with all their digits, and zeroes."""
    chance = random.Random(7)
    kinds = (
        lambda: 0.0,
        lambda: float(chance.randrange(100)),
        lambda: float(chance.randrange(10**6)),
        lambda: float(chance.randrange(10**9)),
        chance.random,
        lambda: chance.random() * 100,
        lambda: chance.expovariate(0.001),
        lambda: chance.expovariate(2.0),
    )
    return [orjson.dumps(kinds[chance.randrange(len(kinds))]()) for _ in range(_TABLE)]


_TEXTS = _texts()
_VALUES = [float(text) for text in _TEXTS]


def value_of(metric: str, dimensions: Sequence[str], statistic: str, start: int, period: int) -> float:
    """
    The datapoint of a series.

    Args:
        metric: CloudWatch's name.

        dimensions: values, in the order the request names them.

        statistic: such as ``Sum``.

        start: of the period, unix seconds; *period*: seconds.
    """
    return _VALUES[(_place(metric, dimensions, statistic) + start // period) % _TABLE]


def _place(metric: str, dimensions: Sequence[str], statistic: str) -> int:
    return zlib.crc32("|".join((metric, *dimensions, statistic)).encode())


@dataclass(frozen=True, slots=True)
class _Asked:
    """The queries of one request: for each, its result up to the timestamps, and its place in the table."""

    heads: tuple[bytes, ...]
    places: tuple[int, ...]
    period: int


class Canned:
    """
    Answers GetMetricData in AWS JSON.

    ``queries`` counts what was asked, ``calls`` how often; ``record`` keeps the bodies in ``bodies``.
    """

    def __init__(self) -> None:
        self.queries = 0
        self.calls = 0
        self.record = False
        self.bodies: list[bytes] = []
        self._known: dict[bytes, _Asked] = {}
        self._runs: dict[int, list[bytes | None]] = {}

    def answer(self, body: bytes) -> bytes:
        """
        The body of the answer to *body*.

        Raises:
            WireError: where CloudWatch would refuse it, or this stand-in cannot answer it.
        """
        begin, end = body.find(b'"MetricDataQueries"'), body.rfind(b"]")
        if begin < 0 or end < 0:
            raise WireError("ValidationError", "There are no MetricDataQueries.")
        part = body[begin : end + 1]
        digest = hashlib.sha1(part, usedforsecurity=False).digest()
        asked = self._known.get(digest)
        if asked is None:
            asked = self._known[digest] = _asked(orjson.loads(b"{" + part + b"}")["MetricDataQueries"])
        rest = orjson.loads(body[:begin] + b'"_":[' + body[end:])
        self.calls += 1
        self.queries += len(asked.heads)
        if self.record:
            self.bodies.append(body)
        return self._write(asked, rest)

    def _write(self, asked: _Asked, rest: Mapping[str, Any]) -> bytes:
        period = asked.period
        first, stop = int(rest["StartTime"]) // period, -(-int(rest["EndTime"]) // period)
        count = stop - first
        if not 0 < count * len(asked.heads) <= _MOST_DATAPOINTS:
            raise WireError("ValidationError", f"{count} periods of {len(asked.heads)} queries fit no page.")
        runs = self._runs.setdefault(count, [None] * _TABLE)
        ascending = rest.get("ScanBy") == "TimestampAscending"
        if not ascending:
            runs = self._runs.setdefault(-count, [None] * _TABLE)
        numbers = range(first, stop) if ascending else range(stop - 1, first - 1, -1)
        middle = b'"Timestamps":[' + b",".join(b"%d" % (number * period) for number in numbers) + b'],"Values":['
        pieces: list[bytes] = []
        for head, begin in zip(asked.heads, asked.places, strict=True):
            place = (begin + first) % _TABLE
            run = runs[place]
            if run is None:
                run = runs[place] = _run(place, count, ascending=ascending)
            pieces += (head, middle, run)
        return b'{"MetricDataResults":[' + b"".join(pieces)[1:] + b'],"Messages":[]}'


def _run(place: int, count: int, *, ascending: bool) -> bytes:
    """*count* values from *place* on, and the end of a result."""
    texts = [_TEXTS[(place + number) % _TABLE] for number in range(count)]
    return b",".join(texts if ascending else reversed(texts)) + b'],"StatusCode":"Complete"}'


def _asked(queries: Sequence[Mapping[str, Any]]) -> _Asked:
    if not 0 < len(queries) <= _MOST_QUERIES:
        raise WireError("ValidationError", f"{len(queries)} queries: there may be {_MOST_QUERIES}.")
    heads, places, periods = [], [], set()
    for query in queries:
        stat = query["MetricStat"]
        metric = stat["Metric"]
        values = [part["Value"] for part in metric.get("Dimensions", ())]
        head = orjson.dumps({"Id": query["Id"], "Label": metric["MetricName"]})
        heads.append(b"," + head[:-1] + b",")
        places.append(_place(metric["MetricName"], values, stat["Stat"]))
        periods.add(int(stat["Period"]))
    if len(periods) != 1:
        raise WireError("ValidationError", f"This stand-in answers one period a call, not {sorted(periods)}.")
    if len(set(heads)) != len(heads):
        raise WireError("ValidationError", "The ids of the queries are not unique.")
    return _Asked(tuple(heads), tuple(places), periods.pop())
