"""Series for the encoder of remote write, drawn at random; and what protobuf's classes found, in a form to compare."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st
from pysnappy.core import uncompress  # type: ignore[import-untyped]

from exporter.naming import label_set
from exporter.remote.wire import Series
from tests.write_request import bits

NOW = 1_790_000_000
LABELS = label_set(("account_id", "region"), ("123456789012", "eu-central-1"))

Given = list[tuple[str, dict[str, str], list[int], list[float]]]
"""Name, labels, ends and values of each."""

names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,5}", fullmatch=True).filter(lambda name: name != "__name__")
texts = st.text(st.characters(codec="utf-8"), max_size=200)
label_sets = st.dictionaries(names, texts, max_size=6)
stamps = st.one_of(
    st.integers(NOW - 10_000, NOW), st.integers(0, 10_000_000_000), st.integers(-(1 << 53), 1 << 53), st.just(1 << 35)
)
values = st.one_of(
    st.floats(), st.integers(0, (1 << 64) - 1).map(lambda number: struct.unpack("<d", number.to_bytes(8, "little"))[0])
)
ends = st.sets(stamps, max_size=7).map(sorted)


@st.composite
def given_series(draw: st.DrawFn) -> Given:
    """Some series that share label sets and windows, as a pass hands them over."""
    sets = draw(st.lists(label_sets, min_size=1, max_size=3))
    windows = draw(st.lists(ends, min_size=1, max_size=3))
    made = []
    for _ in range(draw(st.integers(0, 8))):
        window = draw(st.sampled_from(windows))
        points = draw(st.lists(values, min_size=len(window), max_size=len(window)))
        made.append((draw(st.sampled_from(("a", "aws_b_bytes", "Z"))), draw(st.sampled_from(sets)), window, points))
    return made


def rendered(series: Sequence[tuple[str, Mapping[str, str], list[int], list[float]]]) -> list[Series]:
    known: dict[int, bytes] = {}
    for _, labels, _, _ in series:
        known.setdefault(id(labels), label_set(tuple(labels), tuple(labels.values())))
    return [Series(name, known[id(labels)], ends, points) for name, labels, ends, points in series]


def in_bits(series: Any) -> list[tuple[list[tuple[str, str]], list[tuple[int, int]]]]:
    """A decoded request's series in its order."""
    return [
        ([(each.name, each.value) for each in one.labels], [(each.timestamp, bits(each.value)) for each in one.samples])
        for one in series
    ]


def raw(data: bytes) -> bytes:
    whole: bytes = uncompress(data)
    return whole
