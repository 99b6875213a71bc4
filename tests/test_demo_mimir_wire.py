"""The simulated receiver reads remote write 1.0 as protobuf's own classes and another snappy do."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.demo import STALE_BITS, bits_of, is_stale
from exporter.demo.mimir_wire import Metadata, WireError, decode, decompress
from tests.demo_mimir import body, request
from tests.write_request import bits, encode, message

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.integers(0, 2**64 - 1).map(lambda number: struct.unpack("<d", struct.pack("<Q", number))[0])
STAMPS = st.integers(-(2**63), 2**63 - 1)
SERIES = st.tuples(
    st.lists(st.tuples(TEXTS, TEXTS), max_size=4), st.lists(st.tuples(STAMPS, VALUES | st.floats()), max_size=4)
)
METADATA = st.tuples(st.integers(0, 7), TEXTS, TEXTS, TEXTS)
MANY = 2**20


@given(st.lists(SERIES, max_size=4), st.lists(METADATA, max_size=3))
def test_requests_are_read_as_protobuf_wrote_them(
    series: list[tuple[list[tuple[str, str]], list[tuple[int, float]]]], metadata: list[tuple[int, str, str, str]]
) -> None:
    """Labels in their order, stamps with their signs, values to the bit (every NaN), metadata; the size in bytes."""
    made = request(*series, metadata=metadata)
    found = decode(decompress(encode(made), MANY))
    assert [list(each.labels) for each in found.series] == [pairs for pairs, _ in series]
    assert [[(at, bits_of(value)) for at, value in each.samples] for each in found.series] == [
        [(at, bits(value)) for at, value in points] for _, points in series
    ]
    kinds = ("unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")
    assert found.metadata == [Metadata(family, kinds[kind], text, unit) for kind, family, text, unit in metadata]
    assert found.size == len(made.SerializeToString())


@given(st.lists(SERIES, min_size=1, max_size=2), st.data())
def test_broken_messages_are_said_to_be(
    series: list[tuple[list[tuple[str, str]], list[tuple[int, float]]]], data: st.DataObject
) -> None:
    """Cut anywhere, or with any byte changed, a message is a WireError only where protobuf does not read it either."""
    whole = request(*series).SerializeToString()
    where = data.draw(st.integers(0, len(whole)))
    broken = whole[:where] + data.draw(st.binary(max_size=1)) + whole[where + data.draw(st.integers(0, 1)) :]
    for text in (whole[:where], broken):
        try:
            message().FromString(text)
            good = True
        except Exception:  # noqa: BLE001  protobuf's own error, wherever this version has it
            good = False
        try:
            decode(text)
        except WireError:
            assert not good


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Neither snappy nor protobuf raise anything but what is promised, and nothing large is unpacked."""
    try:
        decode(decompress(data, 1000))
    except (WireError, OverflowError):
        return
    assert decompress(data, 1000) is not None


def test_messages_that_are_too_large_are_not_unpacked() -> None:
    """The size that a block announces is looked at first: a few bytes cannot ask for a gigabyte."""
    data = body(([("__name__", "x" * 5000)], []))
    assert len(data) < 500
    with pytest.raises(OverflowError, match="50"):
        decompress(data, 5000)
    size = len(decompress(data, 6000))
    assert size > 5000
    assert len(decompress(data, size)) == size
    with pytest.raises(OverflowError):
        decompress(data, size - 1)
    with pytest.raises(OverflowError):
        decompress(b"\xff\xff\xff\xff\x0f", 6000)


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x05abc", b"\x0a\x00", b"\xff" * 12, b"\x04\x0cabcdtail"])
def test_what_is_no_snappy(data: bytes) -> None:
    """Empty, cut, with a wrong size or with something behind it."""
    with pytest.raises(WireError, match="snappy"):
        decompress(data, 2**62)


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",  # a length is missing
        b"\x0a\x05ab",  # shorter than its length
        b"\x00\x00",  # field 0
        b"\x0b",  # a group, which proto3 has not
        b"\x08\x01",  # timeseries as a number
        b"\x0a" + b"\xff" * 11,  # a varint without end
        b"\x78" + b"\xff" * 10 + b"\x01",  # a varint of 71 bits
        b"\x0a\x03\x12\x01\x10",  # a sample whose stamp is missing
        b"\x0a\x04\x12\x02\x08\x01",  # a value as a varint
        b"\x0a\x06\x12\x04\x12\x02ab",  # a stamp as text
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    """Every shape of nonsense has the one error."""
    with pytest.raises(WireError):
        decode(data)


def test_fields_of_later_versions_are_passed_over() -> None:
    """Exemplars, histograms and unknown fields of each wire type change nothing."""
    known = request(([("__name__", "up")], [(1, 2.0)])).timeseries[0].SerializeToString()
    exemplar, histogram = b"\x1a\x02ab", b"\x22\x03abc"
    unknown = b"\x78\x01" + b"\x79" + b"8 bytes!" + b"\x7d" + b"four" + b"\x7a\x01x"
    series = known + exemplar + histogram + unknown
    found = decode(b"\x12\x01z" + unknown + b"\x0a" + bytes([len(series)]) + series)
    assert found.series == decode(request(([("__name__", "up")], [(1, 2.0)])).SerializeToString()).series


def test_text_that_is_no_utf_8_is_kept_to_be_judged() -> None:
    """Names and values of any bytes are read; what is wrong with them is not the wire's business."""
    (series,) = decode(b"\x0a\x08\x0a\x06\x0a\x01a\x12\x01\xff").series
    assert series.labels == (("a", "\udcff"),)


def test_staleness_is_one_nan_of_many() -> None:
    """The marker is known by its bits alone."""
    stale = struct.unpack("<d", struct.pack("<Q", STALE_BITS))[0]
    assert is_stale(stale)
    assert not is_stale(float("nan"))
    assert not is_stale(0.0)
    (series,) = decode(decompress(body(([("__name__", "up")], [(1, stale), (2, float("nan"))])), MANY)).series
    assert [is_stale(value) for _, value in series.samples] == [True, False]
