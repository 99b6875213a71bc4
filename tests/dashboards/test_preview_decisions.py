"""What the preview decides as Grafana does: units, ticks, merged rows, colours, words in place of values."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dashboards.every_kind import NOW, STEP
from tests.dashboards.preview import (
    merging,
    model,
    ticks,
    units,
)
from tests.dashboards.preview.asking import Line, Window

HOUR = Window(NOW - 3600, NOW, STEP)

# ---- numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "text"),
    [
        (0.0, "bytes", None, "0 B"),
        (1023.0, "bytes", None, "1023 B"),
        (1024.0, "bytes", None, "1 KiB"),
        (2.1e12, "bytes", None, "1.91 TiB"),
        (2.0**40, "bytes", 1, "1.0 TiB"),
        (-3 * 2.0**30, "bytes", None, "-3 GiB"),
        (1.5e6, "Bps", None, "1.50 MB/s"),
        (1.5 * 2**20, "binBps", 0, "2 MiB/s"),
        (0.123456, "percentunit", None, "12.3%"),
        (0.98, "percentunit", 0, "98%"),
        (98.0, "percent", None, "98%"),
        (11_520.0, "s", None, "3.20 hours"),
        (3600.0, "s", None, "1 hour"),
        (90.0, "s", None, "1.50 min"),
        (0.0042, "s", None, "4.20 ms"),
        (0.0, "s", None, "0 s"),
        (8.0 * 86400, "s", 1, "1.1 weeks"),
        (-7200.0, "s", None, "-2 hours"),
        (250.0, "ms", None, "250 ms"),
        (1234.5, "currencyUSD", 2, "$1.23K"),
        (-12.0, "currencyUSD", None, "$-12"),
        (1234.0, "iops", None, "1.23K io/s"),
        (0.0, "reqps", None, "0 req/s"),
        (2_500_000.0, "short", None, "2.50 Mil"),
        (1e-3, "short", None, "0.00100"),
        (1234567.0, "locale", None, "1,234,567"),
        (42.0, "none", None, "42"),
        (math.inf, "s", None, "∞"),
        (-math.inf, "s", None, "-∞"),
        (3_723.0, "dtdurations", 1, "1 hour, 2 minutes"),
        (0.0, "dtdurations", None, "0 seconds"),
        (1_790_000_000_000.0, "dateTimeAsIso", None, "2026-09-21 14:13:20"),
    ],
)
def test_a_value_is_written_as_grafana_writes_it(value: float, unit: str, decimals: int | None, text: str) -> None:
    """Prefix, unit and digits of what our panels use."""
    assert units.shown(value, unit, decimals) == text


def test_a_unit_that_is_not_known_is_refused() -> None:
    """A new unit must be taught to the preview, not guessed."""
    assert not units.known("parsec")
    with pytest.raises(units.UnknownUnitError, match="parsec"):
        units.shown(1.0, "parsec")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (10, "a few seconds ago"),
        (60, "a minute ago"),
        (600, "10 minutes ago"),
        (3600, "an hour ago"),
        (90_000, "a day ago"),
        (-172_800, "in 2 days"),
        (86400 * 70, "2 months ago"),
    ],
)
def test_how_long_ago_is_said_in_words(seconds: float, text: str) -> None:
    """One unit, rounded."""
    assert units.ago(seconds) == text


@given(st.floats(-1e18, 1e18), st.sampled_from(["bytes", "Bps", "s", "short", "iops", "currencyUSD", "percentunit"]))
def test_a_value_is_a_number_and_its_unit(value: float, unit: str) -> None:
    """Every number has some digits and no exponent."""
    assert re.fullmatch(r"\$?-?\d[\d.]*( ?[A-Za-zµ%/][A-Za-z/]*){0,2}%?", units.shown(value, unit))


# ---- axes ----------------------------------------------------------------------------------------------------------


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 12), st.booleans())
def test_ticks_are_round_few_and_inside(low: float, span: float, most: int, binary: bool) -> None:
    """Ascending, equally far from each other, and one more than spaces at most."""
    high = low + span
    if span < abs(low) * 1e-6:
        return
    found = ticks.ticks(low, high, most, binary=binary)
    assert len(found) <= most + 1
    assert all(low - span * 1e-6 <= each <= high + span * 1e-6 for each in found)
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("span", "most", "binary", "step"),
    [
        (10, 10, False, 1),
        (10, 6, False, 2),
        (10, 4, False, 2.5),
        (10, 3, False, 5),
        (10, 1, False, 10),
        (3000, 4, True, 1024),
    ],
)
def test_a_step_is_the_smallest_round_one(span: float, most: int, binary: bool, step: float) -> None:
    """One, two, two and a half, five; powers of two where the unit has them."""
    assert ticks.step(span, most, binary=binary) == pytest.approx(step)


def test_bytes_have_ticks_at_powers_of_two() -> None:
    """Half a gibibyte is a round number of bytes."""
    found = ticks.ticks(0, 2.2e9, 5, binary=True)
    assert ticks.labels(found, "bytes") == ["0 B", "512 MiB", "1 GiB", "1.5 GiB", "2 GiB"]


def test_marks_of_an_axis_have_the_fewest_digits_that_tell_them_apart() -> None:
    """No zeros that say nothing, no two marks alike."""
    assert ticks.labels([0, 0.05, 0.1], "percentunit") == ["0%", "5%", "10%"]
    assert ticks.labels([0, 0.025, 0.05], "percentunit") == ["0%", "2.5%", "5%"]
    assert ticks.labels([0.0, 1.0], "percentunit", 1) == ["0.0%", "100.0%"]
    assert ticks.ticks(1, 1, 5) == [1]


def test_instants_of_an_axis_are_round() -> None:
    """The clock within a day, the date over many."""
    assert [text for _, text in ticks.times(NOW - 3600, NOW, 6)] == [
        "13:20",
        "13:30",
        "13:40",
        "13:50",
        "14:00",
        "14:10",
    ]
    assert [text for _, text in ticks.times(NOW - 10 * 86400, NOW, 6)] == ["09/12", "09/14", "09/16", "09/18", "09/20"]
    assert ticks.decades(0.01, 10) == pytest.approx([0.01, 0.1, 1, 10])


# ---- tables --------------------------------------------------------------------------------------------------------


def _line(value: float, **labels: str) -> Line:
    return Line(labels, [(NOW, value)])


def test_rows_of_equal_labels_meet() -> None:
    """One row a resource, empty where a query has none; values are numbered by their letters."""
    answers = {"A": [_line(1, id="x"), _line(2, id="y")], "B": [_line(7, id="y")], "C": []}
    frame = merging.merge(merging.frames(answers))
    assert frame.fields == ["Time", "id", "Value #A", "Value #B", "Value #C"]
    assert frame.rows == [
        {"Time": NOW, "id": "x", "Value #A": 1},
        {"Time": NOW, "id": "y", "Value #A": 2, "Value #B": 7},
    ]


def test_rows_that_contradict_do_not_meet() -> None:
    """A label too many, as in Grafana, makes two rows of one resource."""
    frame = merging.merge(merging.frames({"A": [_line(1, id="x", job="a")], "B": [_line(2, id="x", job="b")]}))
    assert len(frame.rows) == 2


def test_a_single_query_has_a_plain_value() -> None:
    """Grafana numbers values only where there are several queries."""
    assert merging.transformed(merging.frames({"A": [_line(1, id="x")]}), [{"id": "merge"}]).fields == [
        "Time",
        "id",
        "Value",
    ]


def test_fields_are_left_out_ordered_and_renamed() -> None:
    """What has no place stands behind; the old name stays the key."""
    frame = merging.Frame(["Time", "b", "a", "z"], [{"a": "1"}])
    options = {
        "excludeByName": {"Time": True},
        "indexByName": {"a": 0, "b": 1},
        "renameByName": {"a": "First", "b": ""},
    }
    done = merging.organize(frame, options)
    assert done.fields == ["a", "b", "z"]
    assert [done.called(name) for name in done.fields] == ["First", "b", "z"]


def test_an_unknown_transformation_is_refused() -> None:
    """It would be drawn wrong."""
    with pytest.raises(ValueError, match="groupBy"):
        merging.transformed([], [{"id": "groupBy"}])
    assert merging.transformed([], []).rows == []


def test_empty_cells_stand_at_the_end_in_either_direction() -> None:
    """Sorting by the name that is shown."""
    frame = merging.Frame(["v"], [{"v": 2.0}, {"v": None}, {"v": 3.0}, {}, {"v": 1.0}], {"v": "Used"})
    rising = [row.get("v") for row in merging.ordered(frame, [{"displayName": "Used"}])]
    falling = [row.get("v") for row in merging.ordered(frame, [{"displayName": "v", "desc": True}])]
    assert rising == [1, 2, 3, None, None]
    assert falling == [3, 2, 1, None, None]
    assert merging.ordered(frame, [{"displayName": "nobody"}]) == frame.rows


# ---- looks ---------------------------------------------------------------------------------------------------------


def _look(**properties: Any) -> model.Look:
    return model.Look(properties)


def test_the_colour_changes_at_the_threshold() -> None:
    """From the value on, not only above it; no value has the first colour."""
    steps = [{"value": None, "color": "green"}, {"value": 0.8, "color": "orange"}, {"value": 0.9, "color": "red"}]
    look = _look(thresholds={"steps": steps})
    assert [look.by_threshold(value) for value in (None, 0.79, 0.8, 0.9, 2)] == [
        "green",
        "green",
        "orange",
        "red",
        "red",
    ]
    assert _look().by_threshold(1.0) == "text"


def test_words_stand_in_place_of_values() -> None:
    """By value, by range, by text, for none and for an empty text."""
    mappings = [
        {"type": "value", "options": {"0": {"text": "all well", "color": "green"}, "critical": {"text": "page"}}},
        {"type": "range", "options": {"from": 1, "to": 5, "result": {"text": "a few", "color": "orange"}}},
        {"type": "special", "options": {"match": "null+nan", "result": {"text": "unknown"}}},
        {"type": "special", "options": {"match": "empty", "result": {"text": "(none)"}}},
        {"type": "regex", "options": {"pattern": ".*", "result": {"text": "never"}}},
    ]
    look = _look(mappings=mappings)
    assert look.mapped(0.0) == ("all well", "green")
    assert look.mapped("critical") == ("page", None)
    assert look.mapped(5.0) == ("a few", "orange")
    assert look.mapped(5.1) == (None, None)
    assert look.mapped(None) == ("unknown", None)
    assert look.mapped(math.nan) == ("unknown", None)
    assert look.mapped("") == ("(none)", None)


def test_overrides_hold_for_their_field_only() -> None:
    """By the name that is shown, by the own name, by the query's letter; the rest keeps the defaults."""
    overrides = [
        {"matcher": {"id": "byName", "options": "Used"}, "properties": [{"id": "unit", "value": "bytes"}]},
        {"matcher": {"id": "byFrameRefID", "options": "B"}, "properties": [{"id": "custom.lineWidth", "value": 3}]},
    ]
    config = {"defaults": {"unit": "s", "custom": {"lineWidth": 1}}, "overrides": overrides}
    panel = model.Panel(1, "timeseries", "", "", (0, 0, 1, 1), [], [], {"fieldConfig": config})
    assert panel.look("Value #A", "Used").unit == "bytes"
    assert panel.look("Used").of("custom.lineWidth") == 1
    assert panel.look("x", ref="B").of("custom.lineWidth") == 3
    assert panel.look("x", ref="A").unit == "s"


def test_what_stands_below_a_folded_row_moves_down_as_it_is_opened() -> None:
    """No panel covers another."""
    inside = [{"id": 2, "type": "text", "title": "in", "gridPos": {"x": 0, "y": 1, "w": 24, "h": 5}}]
    row = {"id": 1, "type": "row", "title": "Row", "collapsed": True, "gridPos": {"x": 0, "y": 0, "w": 24, "h": 1}}
    after = {"id": 3, "type": "row", "title": "Next", "collapsed": False, "gridPos": {"x": 0, "y": 1, "w": 24, "h": 1}}
    last = {"id": 4, "type": "text", "title": "out", "gridPos": {"x": 0, "y": 2, "w": 24, "h": 4}}
    found = model.board({"uid": "u", "title": "t", "panels": [{**row, "panels": inside}, after, last]})
    assert found.rows == [("Row", 0, True), ("Next", 6, False)]
    assert [panel.place[1] for panel in found.panels] == [1, 7]
    assert found.height == 11
