"""Up to where each series has been written out: over generations, restarts, and with holes that are filled later."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from exporter.cloudwatch.shipped import LOOKED_BACK, Ended, Shipped

PERIOD = 60


@dataclass(frozen=True)
class Column:
    """One family and its label sets."""

    name: str
    labels: tuple[bytes, ...]


def test_a_new_generation_goes_on_where_the_old_one_stands() -> None:
    """By family and label set, wherever they stand now; what is new begins at nothing."""
    old = Shipped([Column("reads", (b"a", b"b", b"c")), Column("writes", (b"a",))])
    for index in range(3):
        old.wrote(0, index, [60, 120 + 60 * index])
    old.wrote(1, 0, [600])
    new = Shipped([Column("writes", (b"a", b"x")), Column("reads", (b"c", b"a", b"y")), Column("lag", (b"a",))])
    new.take_over(old, 0)
    assert [list(each) for each in new.until] == [[600, 0], [240, 120, 0], [0]]
    assert new.ended == [Ended("reads", b"b", 180)]


def test_a_family_that_is_not_asked_any_more_ends() -> None:
    """All its series are told to have ended, those never written are not."""
    old = Shipped([Column("reads", (b"a", b"b")), Column("writes", (b"a",))])
    old.wrote(0, 1, [60])
    new = Shipped([Column("writes", (b"a",))])
    new.take_over(old, 0)
    assert new.ended == [Ended("reads", b"b", 60)]


def test_what_comes_back_does_not_go_back_in_time() -> None:
    """A volume that is detached and attached again goes on behind what was written; after an hour it begins anew."""
    first = Shipped([Column("reads", (b"a", b"b"))])
    first.wrote(0, 0, [6000])
    first.wrote(0, 1, [3000])
    gone = Shipped([Column("reads", ())])
    gone.take_over(first, 2000)
    assert {each.labels for each in gone.ended} == {b"a", b"b"}
    still = Shipped([Column("reads", ())])
    still.take_over(gone, 4000)
    assert still.ended == []
    back = Shipped([Column("reads", (b"b", b"a"))])
    back.take_over(still, 4000)
    assert list(back.until[0]) == [0, 6000]


def test_an_earlier_run_is_gone_on_with_once() -> None:
    """Marks fill what stands nowhere, and move nothing that stands somewhere."""
    shipped = Shipped([Column("reads", (b"a", b"b", b"c")), Column("lag", (b"a",))])
    shipped.wrote(0, 0, [600])
    shipped.resume({"reads": {b"a": 300, b"b": 360}, "other": {b"a": 1}})
    assert list(shipped.until[0]) == [600, 360, 0]
    assert list(shipped.until[1]) == [0]


def test_an_unchanged_family_keeps_its_holes() -> None:
    """In the next generation too, in the same place or in another."""
    old = Shipped([Column("reads", (b"a", b"b"))])
    old.wrote_some(0, 1, [60, 180], PERIOD)
    for labels in ((b"a", b"b"), (b"b",)):
        new = Shipped([Column("reads", labels)])
        new.take_over(old, 0)
        assert list(new.missing(0, labels.index(b"b"), [60, 120, 180], PERIOD)) == [1]


@given(st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=6, unique=True).map(sorted), max_size=8))
def test_each_datapoint_is_written_once(passes: list[list[int]]) -> None:
    """Whatever came in whatever pass: what is new or was missing is written, in order within a pass, nothing twice."""
    shipped = Shipped([Column("reads", (b"a",))])
    written: list[int] = []
    first = None
    for each in passes:
        ends = [6000 + PERIOD * number for number in each]
        until = shipped.until[0][0]
        new = [ends[place] for place in shipped.missing(0, 0, ends, PERIOD)] + [end for end in ends if end > until]
        if first is None:
            first = ends[0]
        # Before the first one nothing is known to be missing.
        assert new == [end for end in ends if end not in written and (end >= first)]
        if new:
            shipped.wrote_some(0, 0, new, PERIOD)
            written += new
    assert len(written) == len(set(written))


def test_holes_are_forgotten_after_some_periods() -> None:
    """What is missing for longer than that will not come, and memory is not for ever."""
    shipped = Shipped([Column("reads", (b"a",))])
    shipped.wrote_some(0, 0, [60, 180], PERIOD)
    shipped.wrote_some(0, 0, list(range(240, 240 + PERIOD * (LOOKED_BACK - 3), PERIOD)), PERIOD)
    assert list(shipped.missing(0, 0, [120], PERIOD)) == [0]
    newest = shipped.until[0][0]
    shipped.wrote_some(0, 0, [newest + 60, newest + 120], PERIOD)
    assert list(shipped.missing(0, 0, [120], PERIOD)) == []
    assert not shipped._holes


def test_a_column_of_its_own_size() -> None:
    """One entry a label set, four bytes each."""
    assert Shipped([Column("reads", (b"a",) * 5)]).until == [array("I", [0] * 5)]
