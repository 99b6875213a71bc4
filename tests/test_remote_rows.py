"""What a body of remote write holds, read and written again: ours and anybody's, whole, torn and damaged."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from pysnappy.core import compress  # type: ignore[import-untyped]

from exporter.naming import label_set
from exporter.remote.wire import Encoder, Row, Sample, Series, labels_of_row, read, write
from tests.remote_series import LABELS, NOW, Given, given_series, in_bits, raw, rendered, texts, values
from tests.write_request import bits, decode, encode, message, samples_of

any_sample = st.tuples(st.integers(-(1 << 63), (1 << 63) - 1), values)
any_series = st.tuples(st.lists(st.tuples(texts, texts), max_size=5), st.lists(any_sample, max_size=5))


def request_of(series: Sequence[tuple[Sequence[tuple[str, str]], Sequence[tuple[int, float]]]]) -> Any:
    request = message()()
    for labels, samples in series:
        made = request.timeseries.add()
        for name, value in labels:
            made.labels.add(name=name, value=value)
        for at, point in samples:
            made.samples.add(timestamp=at, value=point)
    return request


@given(st.lists(any_series, max_size=5))
def test_anybodys_body_is_read_and_written_again(
    series: list[tuple[list[tuple[str, str]], list[tuple[int, float]]]],
) -> None:
    """What protobuf writes (it leaves out what is zero or empty) is read whole, and what is written of it is equal."""
    request = request_of(series)
    rows = read(encode(request))
    found = [[(at, bits(value)) for at, value in row.samples] for row in rows]
    assert found == [[(at, bits(value)) for at, value in samples] for _, samples in series]
    assert [labels_of_row(row) for row in rows] == [dict(labels) for labels, _ in series]
    assert in_bits(decode(write(rows)).timeseries) == in_bits(request.timeseries)


@given(given_series())
def test_our_own_body_is_written_again_byte_for_byte(
    series: Given,
) -> None:
    """Halving a body that was refused changes nothing of what is in it."""
    for body in Encoder().bodies(rendered(series)):
        rows = read(body.data)
        assert raw(write(rows)) == raw(body.data)
        assert sum(len(row.samples) for row in rows) == body.samples
        half = len(rows) // 2
        assert raw(write(rows[:half])) + raw(write(rows[half:])) == raw(body.data)


def test_rows_made_by_hand_are_written() -> None:
    """Fewer samples of a row, and rows of other bodies together."""
    bodies = Encoder(series=1).bodies([Series(name, LABELS, [NOW, NOW + 60], [1.0, 2.0]) for name in ("a", "b")])
    rows = [Row(row.labels, row.samples[-1:]) for body in bodies for row in read(body.data)]
    assert rows[0].samples == (Sample(1000 * (NOW + 60), 2.0),)
    found = {dict(labels)["__name__"]: points for labels, points in samples_of(write(rows)).items()}
    assert found == {name: [(1000 * (NOW + 60), 2.0)] for name in ("a", "b")}
    assert write([]) == Encoder().empty().data


def test_what_we_do_not_know_is_passed_over() -> None:
    """Unknown fields of every wire type, at every level; the labels stay as they stand, also torn apart."""
    unknown = b"\x78\x96\x01" + b"\x79" + bytes(8) + b"\x7a\x03abc" + b"\x7d" + bytes(4)
    label = b"\x0a\x01a\x12\x01b" + unknown
    other = b"\x0a\x01c\x12\x01d"
    sample = unknown + b"\x10\x07" + b"\x09" + struct.pack("<d", 2.5)
    series = b"\x0a" + bytes([len(label)]) + label + b"\x12" + bytes([len(sample)]) + sample + unknown
    series += b"\x0a" + bytes([len(other)]) + other
    (row,) = read(compress(unknown + b"\x0a" + bytes([len(series)]) + series + unknown))
    assert row.samples == (Sample(7, 2.5),)
    assert labels_of_row(row) == {"a": "b", "c": "d"}
    assert row.labels == b"\x0a" + bytes([len(label)]) + label + b"\x0a" + bytes([len(other)]) + other


def test_fields_of_another_type_than_ours_are_passed_over() -> None:
    """A varint where a message belongs is an unknown field, as protobuf has it."""
    series = b"\x08\x01" + b"\x10\x02" + b"\x12\x04" + b"\x08\x05" + b"\x12\x00"
    data = compress(b"\x08\x05" + b"\x0a" + bytes([len(series)]) + series)
    assert read(data) == [Row(b"", (Sample(0, 0.0),))]
    assert [(each.timestamp, each.value) for each in decode(data).timeseries[0].samples] == [(0, 0.0)]
    assert labels_of_row(Row(b"\x0a\x05\x08\x61\x12\x01b", ())) == {"": "b"}


def test_the_longest_number_is_cut_to_64_bits() -> None:
    """Ten bytes hold 70 bits; what is over is no part of it."""
    stamp = b"\x10" + b"\xff" * 9 + b"\x7f"
    assert read(compress(b"\x0a\x0d\x12\x0b" + stamp)) == [Row(b"", (Sample(-1, 0.0),))]


@pytest.mark.parametrize(
    ("message_bytes", "wrong"),
    [
        (b"\x0a", "the number at byte 1 is cut off"),
        (b"\x0a\x05abc", "field 1 at byte 0 is cut off"),
        (b"\x0a\x02\x12\x05", "field 2 at byte 2 is cut off"),
        (b"\x09\x00", "field 1 at byte 0 is cut off"),
        (b"\x0d\x00", "field 1 at byte 0 is cut off"),
        (b"\x08", "the number at byte 1 is cut off"),
        (b"\x08\x80", "the number at byte 1 is cut off"),
        (b"\x08" + b"\xff" * 11, "the number at byte 1 never ends"),
        (b"\x08" + b"\x80" * 10 + b"\x01", "the number at byte 1 never ends"),
        (b"\x0b", "wire type 3 at byte 0"),
        (b"\x00\x01", "field 0 at byte 0"),
    ],
)
def test_bytes_that_are_no_request_are_an_error(message_bytes: bytes, wrong: str) -> None:
    """It says what is wrong, and where."""
    with pytest.raises(ValueError, match=wrong):
        read(compress(message_bytes))


@pytest.mark.parametrize("data", [b"", b"\x05abc", b"\xff\xff\xff\xff\xff\xff", b"not snappy at all", b"\x03\x08abcd"])
def test_bytes_that_are_no_snappy_are_an_error(data: bytes) -> None:
    """Anything else than a block of it."""
    with pytest.raises(ValueError, match="snappy"):
        read(data)


def test_a_block_that_claims_gigabytes_is_an_error_before_they_are_taken() -> None:
    """Four billion bytes cannot come out of five."""
    with pytest.raises(ValueError, match="cannot hold the 4294967295 they claim"):
        read(b"\xff\xff\xff\xff\x0f" + bytes(100))


def test_the_densest_block_is_read() -> None:
    """A request of one long run of the same byte, which compresses best, is not taken for a false claim."""
    (body,) = Encoder().bodies([Series("m", label_set(("a",), ("x" * 4_000_000,)), [NOW], [1.0])])
    assert labels_of_row(read(body.data)[0])["a"] == "x" * 4_000_000


def test_a_body_cut_at_any_byte_is_an_error_or_whole_series() -> None:
    """Nothing else than ValueError comes out of a torn body, and never a part of a series."""
    (body,) = Encoder().bodies([Series(name, LABELS, [NOW, NOW + 60], [1.0, 2.0]) for name in ("a", "b")])
    whole = raw(body.data)
    rows = read(body.data)
    good = set()
    for cut in range(len(whole)):
        try:
            found = read(compress(whole[:cut]))
        except ValueError:
            continue
        assert found == rows[: len(found)]
        good.add(len(found))
    assert good == {0, 1}
    for cut in range(len(body.data)):
        with pytest.raises(ValueError, match="snappy"):
            read(body.data[:cut])


@settings(max_examples=300)
@given(st.lists(any_series, min_size=1, max_size=3), st.data())
def test_damaged_bytes_are_read_as_protobuf_reads_them_or_refused(
    series: list[tuple[list[tuple[str, str]], list[tuple[int, float]]]], data: st.DataObject
) -> None:
    """Whatever a few changed bytes make of a request: ValueError, or what protobuf makes of it, where it takes it."""
    damaged = bytearray(request_of(series).SerializeToString())
    for at in data.draw(st.lists(st.integers(0, max(0, len(damaged) - 1)), max_size=3)):
        damaged[at : at + 1] = data.draw(st.binary(max_size=2))
    body = compress(bytes(damaged))
    try:
        rows = read(body)
        labels = [labels_of_row(row) for row in rows]
    except ValueError:
        return
    try:
        request = decode(body)
    except DecodeError:  # it also wants its texts to be utf-8
        return
    assert [[(at, bits(value)) for at, value in row.samples] for row in rows] == [
        points for _, points in in_bits(request.timeseries)
    ]
    assert labels == [dict(names) for names, _ in in_bits(request.timeseries)]
