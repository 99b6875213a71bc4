"""
Series as bodies of Prometheus remote write 1.0: a WriteRequest in protobuf, compressed as one snappy block; and what a
body holds, read again. Pure. Which series are sent, when and to whom is for others.

A stamp of milliseconds between 1971 and 2109 is a varint of six bytes, which makes a sample 18 bytes. So the samples of
a body are laid out by their stamps alone, and the values are put between them in eight strided copies. The labels of a
series are encoded once a label set, and kept while they are used (performance.md 4).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate, pairwise
from typing import Final, Literal, NamedTuple

import cramjam

from exporter.naming import labels_of
from exporter.remote.protobuf import (
    DELIMITED,
    FIXED64,
    VARINT,
    delimited,
    double_at,
    fields,
    number_at,
    signed,
    varint,
)

STALE: Final[float] = struct.unpack("<d", (0x7FF0000000000002).to_bytes(8, "little"))[0]
"""The NaN that says: this series has ended. Told apart by its bits, so it must only be moved, never computed with."""

_NAME = "__name__"
_TIMESERIES, _METADATA = 1, 3
_LABELS, _SAMPLES = 1, 2
_VALUE, _STAMP = 1, 2

_SAMPLE = 18
"""Bytes of a sample whose stamp takes six: tag and length, tag and value, tag and stamp."""

_VALUE_AT = 3
_USUAL_STAMPS = range(1 << 35, 1 << 42)
"""Milliseconds whose varint has six bytes: from February 1971 until May 2109."""

_USES = 16
"""How often, on average, label sets are used until those are forgotten that were not."""

_FEWEST = 256
_KEPT_AT_MOST = 1 << 16
"""Label sets in the younger half of the cache."""

_MANY = 4096
"""Windows, names and lengths that are remembered; there are far fewer."""

_EXPANDS_TO = 64
"""A copy of snappy's takes two bytes at least and makes 64 at most, so no block holds more than this times its size."""

_SHORT = 0x7F - 4
"""Bytes of a label's name and value up to which each of its lengths is one byte."""

_TYPES = {"unknown": 0, "counter": 1, "gauge": 2, "info": 6}


class Series(NamedTuple):
    """
    Points of one series.

    Args:
        name: the metric's.

        labels: as `naming.label_set` renders them; the same object again for the next series of a resource is cheapest.

        ends: unix seconds, strictly ascending; the same object for all series of a window is cheapest.

        values: one each.
    """

    name: str
    labels: bytes
    ends: Sequence[int]
    values: Sequence[float]


class Meta(NamedTuple):
    """What is said of a metric; *name* as in its type line, *unit* or ``""``."""

    name: str
    type: Literal["gauge", "counter", "info", "unknown"]
    help: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """
    One WriteRequest, ready to be posted.

    Args:
        data: a snappy block.

        series: how many it holds, those without points not counted.

        samples: how many it holds.

        oldest: unix seconds of the oldest sample, 0 where there is none; *newest* alike.

        start: it holds ``series[start:stop]`` of what was given.
    """

    data: bytes
    series: int = 0
    samples: int = 0
    oldest: int = 0
    newest: int = 0
    start: int = 0
    stop: int = 0


class Sample(NamedTuple):
    """One point as it stands in a body: unix milliseconds, and the value with every bit of it."""

    at: int
    value: float


class Row(NamedTuple):
    """One series of a body; *labels* are its encoded label fields as they stand there."""

    labels: bytes
    samples: tuple[Sample, ...]


class _Window(NamedTuple):
    """
    Stamps that series share.

    Args:
        ends: the very object, held so that its identity names no other.

        blank: the samples, their values zero; no value changes their length.

        usual: whether each is `_SAMPLE` bytes long.
    """

    ends: Sequence[int]
    blank: bytes
    usual: bool


class _Labels(NamedTuple):
    """The encoded labels of a set, on both sides of ``__name__``."""

    before: bytes
    after: bytes


class _Heads(dict[int, bytes]):
    """What stands before the content of a TimeSeries, by the content's length."""

    def __missing__(self, length: int) -> bytes:
        if len(self) >= _MANY:
            self.clear()
        return self.setdefault(length, varint(_TIMESERIES << 3 | DELIMITED) + varint(length))


class _Names(dict[str, bytes]):
    """The label ``__name__`` of each metric."""

    def __missing__(self, name: str) -> bytes:
        if len(self) >= _MANY:
            self.clear()
        return self.setdefault(name, _label(_NAME, name))


class Encoder:
    """
    Makes bodies, and remembers what it will need again. For one thread at a time.

    Args:
        external: labels that every series gets which has none of that name.

        series: of a body, at most.

        samples: of a body, at most; only a series that has more for itself makes a larger one.
    """

    def __init__(self, external: Mapping[str, str] = {}, *, series: int = 2000, samples: int = 10_000) -> None:
        self._external = {name: value for name, value in external.items() if value}
        self._most_series = series
        self._most_samples = samples
        self._names = _Names()
        self._heads = _Heads()
        self._young: dict[bytes, _Labels] = {}
        self._old: dict[bytes, _Labels] = {}
        self._uses = 0

    def bodies(self, series: Sequence[Series]) -> Iterator[Body]:
        """
        *series* in the order given, which should be resource by resource: neighbours with equal labels compress well.

        Between two bodies the loop may turn; making one takes about 2 ms. Series without points are passed over.

        Raises:
            ValueError: where a series has not one value for each stamp.
        """
        windows: dict[int, _Window] = {}
        sheet = BytesIO()  # written again for each body: its memory is mapped already
        start = 0
        while start < len(series):
            body = self._body(series, start, windows, sheet)
            if body.series:
                yield body
            start = body.stop

    def metadata(self, families: Iterable[Meta]) -> Body:
        """Types, helps and units, without a sample."""
        return Body(_snappy(b"".join(delimited(_METADATA, _metadata(family)) for family in families)))

    def empty(self) -> Body:
        """A request of nothing, which every receiver takes that takes anything."""
        return Body(_snappy(b""))

    def halves(self, rendered: bytes) -> tuple[bytes, bytes]:
        """A label set as `bodies` writes it, external labels included: what stands before the name, and what after."""
        return self._labels(rendered)

    def _body(self, series: Sequence[Series], start: int, windows: dict[int, _Window], sheet: BytesIO) -> Body:
        heads, names, most = self._heads, self._names, self._most_samples
        rendered: bytes | None = None
        ends: Sequence[int] | None = None
        before = after = blank = b""
        expected = size = samples = 0
        used: list[_Window] = []
        pieces: list[bytes] = []
        numbers: list[float] = []
        stop = start
        for name, text, stamps, values in series[start : start + self._most_series]:
            count = len(values)
            if samples + count > most and samples:
                break
            if text is not rendered:
                rendered, (before, after) = text, self._labels(text)
                size = len(before) + len(after) + len(blank)
            if stamps is not ends:
                ends, window = stamps, windows.get(id(stamps)) or _window(stamps, windows)
                expected, blank = len(stamps), window.blank
                size = len(before) + len(after) + len(blank)
                used.append(window)
            if count != expected:
                raise ValueError(f"{name}{text.decode(errors='replace')}: {count} values for {expected} stamps")
            if count:
                named = names[name]
                pieces += (heads[size + len(named)], before + named, after, blank)
                numbers += values
                samples += count
            stop += 1
        if not pieces:
            return Body(b"", start=start, stop=stop)
        if all(each.usual for each in used):
            pieces[3::4] = _filled(pieces[3::4], numbers)
        else:
            pieces[3::4] = _spelled(series[start:stop])
        sheet.seek(0)
        sheet.writelines(pieces)
        with sheet.getbuffer() as whole, whole[: sheet.tell()] as message:
            data = _snappy(message)
        stamped = [each.ends for each in used if each.ends]
        oldest, newest = min(each[0] for each in stamped), max(each[-1] for each in stamped)
        return Body(data, len(pieces) // 4, samples, oldest, newest, start, stop)

    def _labels(self, rendered: bytes) -> _Labels:
        """
        Encoded labels, which are forgotten when they were not asked for in a while: whatever the younger half of the
        cache has is kept when it becomes the older half, and that happens after some uses of all of it.
        """
        self._uses += 1
        young = self._young
        enough = _USES * max(len(young), len(self._old), _FEWEST)
        if self._uses > enough or len(young) >= _KEPT_AT_MOST:
            self._old, self._young, self._uses = young, {}, 0
            young = self._young
        found = young.get(rendered)
        if found is None:
            found = young[rendered] = self._old.get(rendered) or _halves(rendered, self._external)
        return found


def read(data: bytes) -> list[Row]:
    """
    The series of a body, ours or anybody's; what else it may hold (metadata, exemplars, histograms) is passed over.

    Raises:
        ValueError: what is wrong with it.
    """
    try:
        claimed = cramjam.snappy.decompress_raw_len(data)
        if claimed > _EXPANDS_TO * len(data):
            raise ValueError(f"{len(data)} bytes of snappy cannot hold the {claimed} they claim")
        message = bytes(cramjam.snappy.decompress_raw(data))
    except cramjam.DecompressionError as error:
        raise ValueError(str(error)) from None
    return [
        _row(message, at, end)
        for number, kind, _, at, end in fields(message, 0, len(message))
        if number == _TIMESERIES and kind == DELIMITED
    ]


def write(rows: Iterable[Row]) -> bytes:
    """A body of *rows*, in that order."""
    return _snappy(
        b"".join(
            delimited(_TIMESERIES, labels + b"".join(_sample(value, at) for at, value in samples))
            for labels, samples in rows
        )
    )


def labels_of_row(row: Row) -> dict[str, str]:
    """The labels of a row, ``__name__`` among them, for people to read."""
    labels = {}
    data = row.labels
    for _, _, _, start, stop in fields(data, 0, len(data)):
        texts = {1: "", 2: ""}
        for number, kind, _, at, end in fields(data, start, stop):
            if kind == DELIMITED:
                texts[number] = data[at:end].decode(errors="replace")
        labels[texts[1]] = texts[2]
    return labels


def _row(data: bytes, start: int, stop: int) -> Row:
    labels = []
    samples = []
    for number, kind, begin, at, end in fields(data, start, stop):
        if kind == DELIMITED and number == _LABELS:
            labels.append(data[begin:end])
        elif kind == DELIMITED and number == _SAMPLES:
            samples.append(_sample_at(data, at, end))
    return Row(b"".join(labels), tuple(samples))


def _sample_at(data: bytes, start: int, stop: int) -> Sample:
    stamp, value = 0, 0.0
    for number, kind, _, at, end in fields(data, start, stop):
        if number == _VALUE and kind == FIXED64:
            value = double_at(data, at)
        elif number == _STAMP and kind == VARINT:
            stamp = signed(number_at(data, at, end)[0])
    return Sample(stamp, value)


def _window(ends: Sequence[int], windows: dict[int, _Window]) -> _Window:
    if len(windows) >= _MANY:
        windows.clear()
    blank = b"".join(_sample(0.0, 1000 * end) for end in ends)
    usual = all(1000 * end in _USUAL_STAMPS for end in ends)
    return windows.setdefault(id(ends), _Window(ends, blank, usual))


def _sample(value: float, stamp: int) -> bytes:
    return delimited(_SAMPLES, struct.pack("<BdB", _VALUE << 3 | FIXED64, value, _STAMP << 3 | VARINT) + varint(stamp))


def _filled(blanks: Sequence[bytes], numbers: Sequence[float]) -> list[bytes]:
    """The samples of each series with their values, all of them `_SAMPLE` bytes long."""
    raw = struct.pack(f"<{len(numbers)}d", *numbers)
    buffer = bytearray().join(blanks)
    for byte in range(8):
        buffer[_VALUE_AT + byte :: _SAMPLE] = raw[byte::8]
    whole = bytes(buffer)
    return [whole[start:stop] for start, stop in pairwise(accumulate(map(len, blanks), initial=0))]


def _spelled(series: Sequence[Series]) -> list[bytes]:
    """The same sample by sample, for stamps of any length."""
    return [
        b"".join(_sample(value, 1000 * end) for end, value in zip(each.ends, each.values, strict=True))
        for each in series
        if len(each.ends)
    ]


def _halves(rendered: bytes, external: dict[str, str]) -> _Labels:
    own = {name: value for name, value in labels_of(rendered).items() if value}
    texts = sorted((external | own).items())
    before = b"".join([_label(name, value) for name, value in texts if name < _NAME])
    after = b"".join([_label(name, value) for name, value in texts if name > _NAME])
    return _Labels(before, after)


def _label(name: str, value: str) -> bytes:
    named, text = name.encode(), value.encode("utf-8", "replace")
    if len(named) + len(text) <= _SHORT:
        return b"\n%c\n%c%b\x12%c%b" % (len(named) + len(text) + 4, len(named), named, len(text), text)
    return delimited(_LABELS, delimited(1, named) + delimited(2, text))


def _metadata(family: Meta) -> bytes:
    texts = ((2, family.name), (4, family.help), (5, family.unit))
    kind = bytes((1 << 3 | VARINT, _TYPES[family.type]))
    return kind + b"".join(delimited(field, text.encode()) for field, text in texts if text)


def _snappy(data: bytes | memoryview) -> bytes:
    return bytes(cramjam.snappy.compress_raw(data))
