"""Series as remote write has them, from labels and from the text of a scrape with its target's labels."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import cramjam

from exporter.remote.wire import STALE

_PAIR = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
_SAMPLE = 18
"""Bytes of a sample whose stamp takes six."""

_DOUBLE = struct.Struct("<d")


def head(labels: Mapping[str, str]) -> bytes:
    """The beginning of a series of one sample: its labels; one without a value is none."""
    pieces = []
    for name, value in sorted(labels.items()):
        if value:
            pair = _field(1, name.encode()) + _field(2, value.encode())
            pieces.append(_field(1, pair))
    given = b"".join(pieces)
    return b"\x0a" + _varint(len(given) + _SAMPLE) + given


def row(start: bytes, value: float, at: float) -> bytes:
    """A sample of the series with that head, *at* in unix seconds."""
    return start + _VALUE + _DOUBLE.pack(value) + stamp(at)


def stamp(at: float) -> bytes:
    """The end of every row at *at*, unix seconds."""
    found = b"\x10" + _varint(round(at * 1000))
    assert len(found) == 7, f"{at} is no instant of our time"
    return found


def body(rows: Iterable[bytes]) -> bytes:
    """A request of remote write."""
    return bytes(cramjam.snappy.compress_raw(b"".join(rows)))


_VALUE = b"\x12\x10\x09"


def _field(number: int, data: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found += bytes((number & 127 | 128,))
        number >>= 7
    return found + bytes((number,))


@dataclass
class Target:
    """
    What a Prometheus operator's scrape makes of a page.

    Args:
        labels: of the target; where the page has one of the same name, the page's wins (``honorLabels``).

        blank: names of labels that are taken away from the series of AWS, as the chart's ServiceMonitor does.

    A series that was on the last page and is not on this one ends with a stale marker, as all do where the target is
    gone.
    """

    labels: Mapping[str, str]
    blank: frozenset[str] = frozenset()
    _heads: dict[str, bytes] = field(default_factory=dict)
    _shown: set[bytes] = field(default_factory=set)

    def rows(self, page: str, at: float) -> list[bytes]:
        """What a scrape at *at* (unix seconds) writes, ``up`` included."""
        heads, pack, end = self._heads, _DOUBLE.pack, stamp(at)
        found: list[bytes] = []
        shown: set[bytes] = set()
        for line in page.splitlines():
            if line[:1] in {"", "#"}:
                continue
            series, _, value = line.rpartition(" ")
            start = heads.get(series)
            if start is None:
                start = heads[series] = self._head(series)
            shown.add(start)
            found.append(start + _VALUE + pack(float(value)) + end)
        found += [row(start, STALE, at) for start in self._shown - shown]
        self._shown = shown
        return [*found, row(self._up(), 1.0, at)]

    def gone(self, at: float) -> list[bytes]:
        """What is written once the target is no more: everything ends."""
        ended = {*self._shown, self._up()}
        self._shown = set()
        return [row(start, STALE, at) for start in ended]

    def failed(self, at: float) -> list[bytes]:
        """What is written where the target does not answer."""
        ended, self._shown = self._shown, set()
        return [*(row(start, STALE, at) for start in ended), row(self._up(), 0.0, at)]

    def _up(self) -> bytes:
        return head({"__name__": "up", **self.labels})

    def _head(self, series: str) -> bytes:
        name, _, rest = series.partition("{")
        own = {key: _plain(value) for key, value in _PAIR.findall(rest)}
        labels = {**self.labels, **{key: value for key, value in own.items() if value}}
        if name.startswith("aws_"):
            labels = {key: value for key, value in labels.items() if key not in self.blank}
        return head({"__name__": name, **labels})


def _plain(value: str) -> str:
    return re.sub(r'\\[\\"n]', lambda found: _ESCAPED[found[0]], value) if "\\" in value else value
