"""Bodies of remote write: what protobuf's own classes and another snappy read of them is what was given."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import overload

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.naming import label_set
from exporter.remote.wire import STALE, Body, Encoder, Meta, Series, read, write
from tests.remote_series import LABELS, NOW, Given, given_series, in_bits, label_sets, rendered
from tests.write_request import bits, decode, message, samples_of


@given(given_series(), label_sets, st.integers(1, 5), st.integers(1, 12))
def test_every_label_stamp_and_bit_arrives(series: Given, external: dict[str, str], most: int, samples: int) -> None:
    """Labels sorted, none empty, external ones beneath a series' own; samples in order, each bit of their values."""
    expected = []
    for name, labels, window, points in series:
        if window:
            whole = {name: value for name, value in external.items() if value}
            whole |= {name: value for name, value in labels.items() if value}
            whole["__name__"] = name
            at = [(1000 * end, bits(value)) for end, value in zip(window, points, strict=True)]
            expected.append((sorted(whole.items(), key=lambda pair: pair[0].encode()), at))
    bodies = list(Encoder(external, series=most, samples=samples).bodies(rendered(series)))
    assert [each for body in bodies for each in in_bits(decode(body.data).timeseries)] == expected


@given(given_series(), st.integers(1, 5), st.integers(1, 12))
def test_a_body_says_what_it_holds(series: Given, most: int, samples: int) -> None:
    """Its numbers are those of what was given between start and stop; bodies follow each other; limits are kept."""
    bodies = list(Encoder(series=most, samples=samples).bodies(rendered(series)))
    stop = 0
    for body in bodies:
        assert stop <= body.start < body.stop <= len(series)
        assert not any(window for _, _, window, _ in series[stop : body.start]), (
            "only series without points are left out"
        )
        held = [window for _, _, window, _ in series[body.start : body.stop] if window]
        assert body.series == len(held) == len(decode(body.data).timeseries) <= most
        assert body.samples == sum(map(len, held))
        assert body.samples <= samples or body.series == 1
        following = [window for _, _, window, _ in series[body.stop :]]
        room = body.stop - body.start < most and not any(window for _, _, window, _ in series[stop : body.start])
        assert not (room and following and body.samples + len(following[0]) <= samples), "as much as fits"
        assert body.oldest == min(window[0] for window in held)
        assert body.newest == max(window[-1] for window in held)
        stop = body.stop
    assert not any(window for _, _, window, _ in series[stop:])


def test_a_body_is_cut_where_the_next_series_does_not_fit() -> None:
    """Exactly as many samples as may be are one body; a longer series than any body stands alone, whole."""
    series = [Series("m", LABELS, range(NOW, NOW + count), [1.0] * count) for count in (5, 5, 5, 4, 2, 11, 1, 9)]
    bodies = list(Encoder(samples=10).bodies(series))
    assert [(body.start, body.stop, body.samples) for body in bodies] == [
        (0, 2, 10),
        (2, 4, 9),
        (4, 5, 2),
        (5, 6, 11),
        (6, 8, 10),
    ]


@given(given_series())
def test_sharing_is_for_speed_alone(series: Given) -> None:
    """The same bytes whether windows and label sets are the same objects or equal ones, and from a used encoder."""
    used = Encoder()
    shared = list(used.bodies(rendered(series)))
    apart = [
        Series(each.name, bytes(bytearray(each.labels)), tuple(each.ends), tuple(each.values))
        for each in rendered(series)
    ]
    assert list(Encoder().bodies(apart)) == shared
    assert list(used.bodies(apart)) == shared


class Passing(Sequence[Series]):
    """Series that are made when they are looked at, and gone at once."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> Series: ...

    @overload
    def __getitem__(self, at: slice) -> list[Series]: ...

    def __getitem__(self, at: int | slice) -> Series | list[Series]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(self._count))]
        return Series("m", LABELS, [NOW + at], [float(at)])


def test_a_window_is_not_taken_for_another_that_lies_where_it_was() -> None:
    """Lists that come and go get each other's identity; their stamps are their own all the same."""
    bodies = Encoder(series=1).bodies(Passing(200))
    held = [point for body in bodies for points in samples_of(body.data).values() for point in points]
    assert held == [(1000 * (NOW + number), float(number)) for number in range(200)]


def test_more_windows_and_names_than_are_remembered() -> None:
    """Forgetting what is remembered changes nothing."""
    series = [Series(f"m{number}", LABELS, [NOW + number], [number]) for number in range(10_000)]
    found = [
        (
            one.labels[0].value,
            one.samples[0].timestamp,
            one.samples[0].value,
        )
        for body in Encoder().bodies(series)
        for one in decode(body.data).timeseries
    ]
    assert found == [(f"m{number}", 1000 * (NOW + number), float(number)) for number in range(10_000)]


def test_lengths_of_every_size() -> None:
    """Series of one to thousands of samples: lengths of one, two and three bytes."""
    series = [Series("m", LABELS, range(NOW, NOW + count), [1.5] * count) for count in (1, 2, 5, 6, 7, 900, 1000, 5000)]
    (body,) = Encoder(samples=100_000).bodies(series)
    found = [[each.timestamp for each in one.samples] for one in decode(body.data).timeseries]
    assert found == [[1000 * at for at in each.ends] for each in series]


def test_lengths_of_more_kinds_than_are_remembered() -> None:
    """A label for each of 5,000 lengths."""
    series = [Series("m", label_set(("a",), ("x" * size,)), [NOW], [1.0]) for size in range(1, 5001)]
    found = [len(one.labels[1].value) for body in Encoder().bodies(series) for one in decode(body.data).timeseries]
    assert found == list(range(1, 5001))


@pytest.mark.parametrize("power", [7, 14, 21, 28, 35, 42, 49, 56])
def test_stamps_of_every_length(power: int) -> None:
    """Milliseconds on both sides of where a varint grows by a byte, alone and beside those of our days."""
    edge = (1 << power) // 1000
    for stamps in ([edge], [edge + 1], [edge - 1, edge, edge + 1, edge + 2]):
        series = [Series("m", LABELS, stamps, [1.5] * len(stamps)), Series("n", LABELS, [NOW], [2.5])]
        found = [
            [(each.timestamp, each.value) for each in one.samples]
            for body in Encoder().bodies(series)
            for one in decode(body.data).timeseries
        ]
        assert found == [[(1000 * at, 1.5) for at in stamps], [(1000 * NOW, 2.5)]]


@pytest.mark.parametrize("size", [100, 110, 115, 116, 117, 120, 121, 122, 123, 126, 127, 128, 130, 300, 16_384])
def test_label_texts_of_every_length(size: int) -> None:
    """Lengths of one, two and three bytes, of the value and of the whole label."""
    (body,) = Encoder().bodies([Series("m", label_set(("label",), ("x" * size,)), [NOW], [1.0])])
    assert list(samples_of(body.data)) == [frozenset({("__name__", "m"), ("label", "x" * size)})]


def test_text_that_is_no_unicode_costs_a_character() -> None:
    """Half a pair of surrogates, which a configuration can spell, becomes a question mark."""
    (body,) = Encoder({"a": "x\ud800y"}).bodies([Series("m", b"", [NOW], [1.0])])
    assert list(samples_of(body.data)) == [frozenset({("__name__", "m"), ("a", "x?y")})]


def test_upper_case_and_underscored_labels_stand_around_the_name() -> None:
    """Sorted bytewise, as receivers want it: capitals before __name__, small letters after it."""
    labels = label_set(("zone", "_b", "_A", "Zone", "__a", "__z", "a"), tuple("1234567"))
    (body,) = Encoder({"AZ": "x"}).bodies([Series("m", labels, [NOW], [1])])
    found = [each.name for each in decode(body.data).timeseries[0].labels]
    assert found == ["AZ", "Zone", "_A", "__a", "__name__", "__z", "_b", "a", "zone"]


def test_a_label_called_name_is_the_metrics_own() -> None:
    """Neither a label set nor an external label can give a series a second name."""
    labels = label_set(("__name__", "a"), ("other", "1"))
    (body,) = Encoder({"__name__": "third"}).bodies([Series("m", labels, [NOW], [1])])
    assert samples_of(body.data) == {frozenset({("__name__", "m"), ("a", "1")}): [(1000 * NOW, 1.0)]}


def test_external_labels_are_put_on_where_the_series_has_none() -> None:
    """An empty label is none; an external label without a value is none either."""
    encoder = Encoder({"cluster": "c", "region": "r", "stage": ""})
    series = [
        Series("m", label_set(("cluster", "region"), ("", "own")), [NOW], [1]),
        Series("m", b"", [NOW], [2]),
        Series("m", label_set(("stage",), ("s",)), [NOW], [3]),
    ]
    (body,) = encoder.bodies(series)
    found = {dict(labels)["region"] + dict(labels).get("stage", ""): dict(labels) for labels in samples_of(body.data)}
    assert found == {
        "own": {"__name__": "m", "cluster": "c", "region": "own"},
        "r": {"__name__": "m", "cluster": "c", "region": "r"},
        "rs": {"__name__": "m", "cluster": "c", "region": "r", "stage": "s"},
    }


def test_the_stale_marker_keeps_its_bits() -> None:
    """Prometheus knows the end of a series by one NaN of many."""
    assert bits(STALE) == 0x7FF0000000000002
    (body,) = Encoder().bodies([Series("m", b"", [NOW, NOW + 60], [float("nan"), STALE])])
    ((plain, stale),) = samples_of(body.data).values()
    assert bits(plain[1]) == bits(float("nan"))
    assert bits(stale[1]) == 0x7FF0000000000002
    ((_, again),) = (row.samples for row in read(write(read(body.data))))
    assert bits(again.value) == 0x7FF0000000000002


@pytest.mark.parametrize("points", [[], [1.0], [1.0, 2.0, 3.0]])
def test_values_that_are_not_one_for_each_stamp_are_an_error(points: list[float]) -> None:
    """It names the series; values must never slide under another's stamps."""
    series = [Series("good", LABELS, [NOW], [1.0]), Series("aws_bad", LABELS, [NOW, NOW + 60], points)]
    with pytest.raises(ValueError, match=rf'aws_bad{{account_id="123456789012".*{len(points)} values for 2 stamps'):
        list(Encoder().bodies(series))


def test_metadata_and_nothing() -> None:
    """Types, helps and units as the receiver's classes have them; an empty write is a request of nothing."""
    families = [
        Meta("aws_a_bytes", "gauge", "Ä help.\n", "bytes"),
        Meta("b_total", "counter", ""),
        Meta("c_info", "info", "C."),
        Meta("d", "unknown", "D."),
    ]
    body = Encoder({"cluster": "x"}).metadata(families)
    request = decode(body.data)
    kinds = message("MetricMetadata").DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number
    found = [(each.metric_family_name, kinds[each.type].name, each.help, each.unit) for each in request.metadata]
    assert found == [
        ("aws_a_bytes", "GAUGE", "Ä help.\n", "bytes"),
        ("b_total", "COUNTER", "", ""),
        ("c_info", "INFO", "C.", ""),
        ("d", "UNKNOWN", "D.", ""),
    ]
    assert body == Body(body.data)
    assert not request.timeseries
    assert decode(Encoder().empty().data) == message()()
    assert decode(Encoder().metadata([]).data) == message()()
    assert read(body.data) == []


def test_label_sets_are_forgotten_when_they_are_no_longer_used() -> None:
    """A resource that vanished does not stay in memory for ever; one that is used stays known."""
    gone, used = label_set(("id",), ("gone" * 10,)), label_set(("id",), ("used" * 10,))
    before = sys.getrefcount(gone), sys.getrefcount(used)
    encoder = Encoder()
    list(encoder.bodies([Series("m", gone, [NOW], [1.0])]))
    assert sys.getrefcount(gone) > before[0], "it was kept at all"
    other = label_set(("id",), ("other",))
    known = encoder._labels(used)
    for _ in range(20_000):
        for body in encoder.bodies([Series("m", used, [NOW], [1.0]), Series("m", other, [NOW], [1.0])]):
            assert body.series == 2
    assert sys.getrefcount(gone) == before[0]
    assert sys.getrefcount(used) > before[1]
    assert encoder._labels(used) is known, "it was not encoded again"


def test_label_sets_are_bounded_where_each_is_new() -> None:
    """A flood of resources that are seen once costs a bounded amount of memory."""
    first = label_set(("id",), ("first" * 10,))
    before = sys.getrefcount(first)
    encoder = Encoder()
    flood = [Series("m", label_set(("id",), (f"{number}",)), [NOW], [1.0]) for number in range(140_000)]
    for _ in encoder.bodies([Series("m", first, [NOW], [1.0]), *flood]):
        pass
    assert sys.getrefcount(first) == before
