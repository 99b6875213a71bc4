"""Pauses that double up to a bound, keep to what the other side asks, and begin anew when it went well."""

from __future__ import annotations

from exporter.backoff import Backoff


def test_pauses_double_up_to_the_longest() -> None:
    """By chance a quarter less or more; what went well begins anew."""
    middle = Backoff(1.0, 10.0, lambda: 0.5)
    assert [middle.next() for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    middle.reset()
    assert middle.next() == 1.0
    assert Backoff(1.0, 10.0, lambda: 0.0).next() == 0.75
    assert Backoff(1.0, 10.0, lambda: 1.0).next() == 1.25


def test_at_least_as_long_as_is_known() -> None:
    """A longer pause stays longer."""
    pace = Backoff(1.0, 60.0, lambda: 0.0)
    assert [pace.next(3.0) for _ in range(4)] == [3.0, 3.0, 3.0, 6.0]


def test_what_is_asked_is_kept_to_and_is_a_failure_all_the_same() -> None:
    """Never less than the first pause; whoever says nothing afterwards is given longer."""
    pace = Backoff(1.0, 60.0, lambda: 0.0)
    assert [pace.asked(30.0), pace.asked(0.0)] == [30.0, 1.0]
    assert pace.next() == 3.0
    assert Backoff(1.0, 60.0, lambda: 1.0).asked(8.0) == 10.0


def test_a_thousand_failures_are_no_overflow() -> None:
    """An outage of days."""
    pace = Backoff(0.5, 30.0, lambda: 0.5)
    assert max(pace.next() for _ in range(5000)) == 30.0
