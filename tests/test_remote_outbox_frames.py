"""The bytes of the outbox: frames, records and marks come back as they were, or not at all."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.remote import marks
from exporter.remote.frames import (
    HEADER_BYTES,
    RECORD_BYTES,
    SLOT_BYTES,
    Frame,
    Position,
    pack,
    pack_marks,
    pack_record,
    read_header,
    read_record,
)

STAMPS = st.integers(-(2**63), 2**63 - 1)
LABELS = st.one_of(st.binary(max_size=12), st.sampled_from([b"", b'{a="1"}', b'{a="2"}', b'{a="3"}']))
FAMILIES = st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), st.sampled_from("abc"))
ENDS = st.lists(st.tuples(FAMILIES, STAMPS), max_size=4).map(tuple)
MARKS = st.lists(st.tuples(LABELS, ENDS), max_size=12)


def newest_of(given_marks: list[tuple[bytes, marks.Ends]]) -> dict[str, dict[bytes, int]]:
    """The same by the plainest means."""
    families: dict[str, dict[bytes, int]] = {}
    for labels, ends in given_marks:
        for family, end in ends:
            known = families.setdefault(family, {})
            known[labels] = max(end, known.get(labels, end))
    return families


@given(MARKS)
def test_marks_come_back(some: list[tuple[bytes, marks.Ends]]) -> None:
    """Packed and unpacked, each label set has the ends it had."""
    back = [(labels, ends) for ends, sharing in marks.unpack(marks.pack(marks.shared(some))) for labels in sharing]
    assert sorted(back) == sorted(some)


@given(st.lists(MARKS, max_size=5))
def test_a_table_has_the_newest(frames: list[list[tuple[bytes, marks.Ends]]]) -> None:
    """Whatever frames say in whatever order, the newest end of every series stays, also packed and read again."""
    table = marks.Table()
    for some in frames:
        table.add(marks.pack(marks.shared(some)))
    expected = newest_of([each for some in frames for each in some])
    assert table.by_family() == expected
    assert table.newest == max((end for ends in expected.values() for end in ends.values()), default=None)
    again = marks.Table()
    for packed in table.packed():
        again.add(packed)
    assert again.by_family() == expected


@given(st.lists(MARKS, max_size=4), STAMPS)
def test_a_table_forgets(frames: list[list[tuple[bytes, marks.Ends]]], before: int) -> None:
    """Ends older than asked for go, those of the very second stay, and families and label sets without any are gone."""
    table = marks.Table()
    for some in frames:
        table.add(marks.pack(marks.shared(some)))
    table.forget(before)
    expected = {
        family: left
        for family, ends in newest_of([each for some in frames for each in some]).items()
        if (left := {labels: end for labels, end in ends.items() if end >= before})
    }
    assert table.by_family() == expected


def test_same_label_sets_shared_otherwise() -> None:
    """The same label sets in the same order, but shared out otherwise, are told apart."""
    table = marks.Table()
    table.add(marks.pack({(("a", 1),): [b"x"], (("a", 2),): [b"y", b"z"]}))
    table.add(marks.pack({(("a", 5),): [b"x", b"y"], (("a", 1),): [b"z"]}))
    assert table.by_family() == {"a": {b"x": 5, b"y": 5, b"z": 2}}


def test_many_label_sets_in_pieces() -> None:
    """A table of many series is written in several pieces, which together are all of it."""
    names = [b"%d" % number for number in range(40_000)]
    table = marks.Table()
    table.add(marks.pack({(("a", 7),): names}))
    pieces = list(table.packed())
    assert len(pieces) == 3
    assert sorted(labels for piece in pieces for _, sharing in marks.unpack(piece) for labels in sharing) == sorted(
        names
    )


@given(st.binary(max_size=200))
def test_other_bytes_are_no_marks(data: bytes) -> None:
    """Bytes that nobody packed raise ValueError, and a table stays as it was."""
    table = marks.Table()
    table.add(marks.pack({(("a", 7),): [b"x"]}))
    before = table.by_family()
    for read in (marks.unpack, table.add):
        with pytest.raises(ValueError, match="no marks"):
            read(data)
    assert table.by_family() == before


@given(MARKS.filter(bool), st.data())
def test_cut_or_changed_marks(some: list[tuple[bytes, marks.Ends]], data: st.DataObject) -> None:
    """Cut short anywhere, packed marks raise ValueError; with counts that contradict each other too."""
    packed = marks.pack(marks.shared(some))
    with pytest.raises(ValueError, match="no marks"):
        marks.unpack(packed[: data.draw(st.integers(0, len(packed) - 1))])
    more = marks.pack({(("a", 1),): [b"x", b"y"]})
    fewer = marks.pack({(("a", 1),): [b"x"]})
    size = int.from_bytes(more[:4], "little")
    mixed = more[: 4 + size] + fewer[4 + int.from_bytes(fewer[:4], "little") :]
    for read in (marks.unpack, marks.Table().add):
        with pytest.raises(ValueError, match="no marks"):
            read(mixed)


@given(st.binary(max_size=300), st.integers(0, 2**63), STAMPS, STAMPS, MARKS, st.floats(allow_nan=False))
def test_a_frame_comes_back(
    body: bytes, samples: int, oldest: int, newest: int, some: list[tuple[bytes, marks.Ends]], at: float
) -> None:
    """A frame's head says what it has, where its parts are, and their checksums."""
    header, data = pack(Frame(body, samples, oldest, newest, some), at)
    assert read_header(data) == header
    assert (header.samples, header.oldest, header.newest, header.at) == (samples, oldest, newest, at)
    packed = data[HEADER_BYTES : HEADER_BYTES + header.marks]
    assert data[HEADER_BYTES + header.marks :] == body
    assert header.size == len(data)
    assert (zlib.crc32(packed), zlib.crc32(body)) == (header.marks_sum, header.body_sum)
    assert sorted((labels, ends) for ends, each in marks.unpack(packed) for labels in each) == sorted(some)


@given(st.data())
def test_a_changed_head_is_none(data: st.DataObject) -> None:
    """One changed bit anywhere in a head, or a byte less, and it is none."""
    _, packed = pack(Frame(b"body", 3, 4, 5, [(b"x", (("a", 6),))]), 7.0)
    bit = data.draw(st.integers(0, HEADER_BYTES * 8 - 1))
    head = bytearray(packed[:HEADER_BYTES])
    head[bit // 8] ^= 1 << bit % 8
    assert read_header(bytes(head)) is None
    assert read_header(packed[: data.draw(st.integers(0, HEADER_BYTES - 1))]) is None


def test_marks_alone_are_a_frame() -> None:
    """Packed marks without a body have a head that says so."""
    packed = marks.pack({(("a", 7),): [b"x"]})
    data = pack_marks(packed)
    header = read_header(data)
    assert header is not None
    assert (header.size, header.marks, header.body) == (len(data), len(packed), 0)
    assert data[HEADER_BYTES:] == packed
    assert header.marks_sum == zlib.crc32(packed)


@given(st.integers(0, 2**64 - 2), st.data())
def test_the_newer_record_that_is_whole(count: int, data: st.DataObject) -> None:
    """Of two slots the newer one tells; where one of them is torn, the other does."""
    slots = bytearray(RECORD_BYTES)
    for number in (count, count + 1):
        record = pack_record(Position(number, 5), number)
        slots[number % 2 * SLOT_BYTES : number % 2 * SLOT_BYTES + len(record)] = record
    newer, older = (Position(count + 1, 5), count + 1), (Position(count, 5), count)
    assert read_record(bytes(slots)) == newer
    record = pack_record(Position(1, 1), 1)
    torn = data.draw(st.integers(0, len(record) - 1))
    slots[(count + 1) % 2 * SLOT_BYTES + torn] ^= 0x55
    assert read_record(bytes(slots)) == older
    slots[count % 2 * SLOT_BYTES + torn] ^= 0x55
    assert read_record(bytes(slots)) is None


@pytest.mark.parametrize("data", [b"", bytes(RECORD_BYTES), b"x" * RECORD_BYTES, bytes(10)])
def test_no_record(data: bytes) -> None:
    """Nothing, zeros and other bytes are no record; nor is a frame's head."""
    assert read_record(data) is None
    assert read_record(pack_marks(b"")[:HEADER_BYTES]) is None
