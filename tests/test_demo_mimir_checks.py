"""What the simulated receiver lets through and what it refuses, sample by sample."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.demo.mimir_checks import (
    BAD_LABEL,
    BAD_NAME,
    BAD_VALUE,
    DUPLICATE,
    FUTURE,
    LONG_FAMILY,
    LONG_LABEL,
    LONG_VALUE,
    MANY_LABELS,
    MANY_SERIES,
    NO_FAMILY,
    NO_NAME,
    OUT_OF_ORDER,
    TOO_OLD,
    TWICE,
    UNSORTED,
    Limits,
    Refusal,
    Verdict,
    judge,
)
from exporter.demo.mimir_store import Tenant
from exporter.demo.mimir_wire import decode
from tests.demo_mimir import NOW, Pairs, Points, labels, request

HOUR = 3_600_000
MS = NOW * 1000


def told(tenant: Tenant, *series: tuple[Pairs, Points], limits: Limits | None = None, **more: Any) -> Verdict:
    """What is thought of a request; what is good of it is stored."""
    wanted = decode(request(*series, **more).SerializeToString())
    verdict = judge(wanted, tenant, limits or Limits(), NOW)
    verdict.store(tenant)
    return verdict


def reasons(verdict: Verdict) -> list[tuple[str, int]]:
    """Why, and the stamps."""
    return [(refusal.reason, refusal.at) for refusal in verdict.refusals]


def stored(tenant: Tenant) -> list[list[tuple[int, float]]]:
    """The samples of all series."""
    return [each.samples() for each in tenant.all_series()]


def test_samples_in_order_are_stored() -> None:
    """Of several series, over several requests."""
    tenant = Tenant("acme")
    assert not told(tenant, (labels("a"), [(MS, 1.0), (MS + 1, 2.0)]), (labels("b"), [(MS, 3.0)])).refusals
    assert not told(tenant, (labels("a"), [(MS + 2, 1.0)])).refusals
    assert stored(tenant) == [[(MS, 1.0), (MS + 1, 2.0), (MS + 2, 1.0)], [(MS, 3.0)]]
    assert (tenant.newest, tenant.count(), tenant.active) == (MS + 2, 4, 2)


def test_a_sample_older_than_the_newest_is_out_of_order() -> None:
    """Also within one request, and also where it is there already: Prometheus only forgives the newest."""
    tenant = Tenant("acme")
    told(tenant, (labels(), [(MS, 1.0), (MS + 60_000, 2.0)]))
    verdict = told(tenant, (labels(), [(MS + 1, 5.0), (MS, 1.0), (MS + 70_000, 3.0), (MS + 65_000, 4.0)]))
    assert reasons(verdict) == [(OUT_OF_ORDER, MS + 1), (OUT_OF_ORDER, MS), (OUT_OF_ORDER, MS + 65_000)]
    assert stored(tenant) == [[(MS, 1.0), (MS + 60_000, 2.0), (MS + 70_000, 3.0)]]
    assert verdict.first == Refusal(OUT_OF_ORDER, '{__name__="up"}', MS + 1)


def test_the_newest_may_be_repeated_but_not_changed() -> None:
    """Equal to the bit it is silently accepted, over requests and within one; another value is a duplicate."""
    tenant = Tenant("acme")
    nan = float("nan")
    told(tenant, (labels(), [(MS, nan)]))
    same = told(tenant, (labels(), [(MS, nan), (MS + 1, 0.0), (MS + 1, 0.0)]))
    assert (same.refusals, same.repeats, tenant.repeats) == ([], 2, 2)
    assert reasons(told(tenant, (labels(), [(MS + 1, -0.0)]))) == [(DUPLICATE, MS + 1)]
    assert reasons(told(tenant, (labels(), [(MS + 2, 1.0), (MS + 2, 2.0)]))) == [(DUPLICATE, MS + 2)]
    assert [at for at, _ in stored(tenant)[0]] == [MS, MS + 1, MS + 2]


def test_a_series_that_stands_twice_in_a_request_is_one() -> None:
    """The second part goes on where the first ended."""
    tenant = Tenant("acme")
    verdict = told(tenant, (labels(), [(MS, 1.0)]), (labels(), [(MS, 2.0), (MS + 1, 1.0)]))
    assert reasons(verdict) == [(DUPLICATE, MS)]
    assert stored(tenant) == [[(MS, 1.0), (MS + 1, 1.0)]]


def test_age_is_measured_by_the_tenants_newest_before_the_request() -> None:
    """More than an hour behind it is too old, for a new series too; a request's own samples do not move the bound."""
    tenant = Tenant("acme")
    first = (labels("a"), [(MS - 3 * HOUR, 1.0), (MS, 1.0)]), (labels("c"), [(MS - 4 * HOUR, 1.0)])
    assert reasons(told(tenant, *first)) == []
    assert reasons(told(tenant, (labels("b"), [(MS - HOUR - 1, 1.0), (MS - HOUR, 1.0)]))) == [(TOO_OLD, MS - HOUR - 1)]
    assert reasons(told(tenant, (labels("a"), [(MS - HOUR - 1, 1.0)]))) == [(TOO_OLD, MS - HOUR - 1)]
    fresh = Tenant("new")
    assert reasons(
        told(fresh, (labels("a"), [(MS, 1.0)]), (labels("b"), [(MS - HOUR - 1, 1.0), (MS - HOUR, 2.0)]))
    ) == [(TOO_OLD, MS - HOUR - 1)]


def test_an_out_of_order_window_lets_older_samples_in() -> None:
    """Behind the tenant's newest, each stamp once; what is there may be repeated; beyond the window it is too old."""
    tenant, limits = Tenant("acme"), Limits(out_of_order=2 * 3600)
    told(tenant, (labels(), [(MS - 600_000, 1.0), (MS, 2.0)]), limits=limits)
    older = [(MS - 2 * HOUR, 5.0), (MS - 300_000, 3.0), (MS - 600_000, 1.0), (MS - 300_000, 3.0)]
    verdict = told(tenant, (labels(), older), limits=limits)
    assert (verdict.refusals, verdict.repeats) == ([], 2)
    assert stored(tenant) == [[(MS - 2 * HOUR, 5.0), (MS - 600_000, 1.0), (MS - 300_000, 3.0), (MS, 2.0)]]
    bad = told(tenant, (labels(), [(MS - 300_000, 4.0), (MS - 600_000, 7.0), (MS - 2 * HOUR - 1, 1.0)]), limits=limits)
    assert reasons(bad) == [(DUPLICATE, MS - 300_000), (DUPLICATE, MS - 600_000), (TOO_OLD, MS - 2 * HOUR - 1)]
    short = Limits(out_of_order=60)
    assert reasons(told(tenant, (labels(), [(MS - 60_001, 1.0), (MS - 60_000, 1.0)]), limits=short)) == [
        (TOO_OLD, MS - 60_001)
    ]


def test_ten_minutes_of_the_future_are_accepted() -> None:
    """By the receiver's clock."""
    tenant = Tenant("acme")
    assert reasons(told(tenant, (labels(), [(MS + 600_000, 1.0), (MS + 600_001, 1.0)]))) == [(FUTURE, MS + 600_001)]
    assert stored(tenant) == [[(MS + 600_000, 1.0)]]


LONG = "x" * 1025


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([], NO_NAME),
        ([("job", "x")], NO_NAME),
        ([("__name__", "")], BAD_NAME),
        ([("__name__", "1up")], BAD_NAME),
        ([("__name__", "a-b")], BAD_NAME),
        ([("__name__", "up"), ("a", "1"), ("a", "1")], TWICE),
        ([("__name__", "up"), ("a", "1"), ("b", "1"), ("a", "2")], TWICE),
        ([("__name__", "up"), ("b", "1"), ("a", "1")], UNSORTED),
        ([("__name__", "up"), ("Zone", "1")], UNSORTED),
        ([("__name__", "up"), ("", "1")], UNSORTED),
        ([("", "1"), ("__name__", "up")], BAD_LABEL),
        ([("__name__", "up"), ("a-b", "1")], BAD_LABEL),
        ([("__name__", "up"), ("a:b", "1")], BAD_LABEL),
        ([("__name__", "up"), ("aé", "1")], BAD_LABEL),
        ([("__name__", "up"), ("a", "")], BAD_VALUE),
        ([("__name__", "up"), (LONG, "1")], LONG_LABEL),
        ([("__name__", "up"), ("a", "é" * 2049)], LONG_VALUE),
        ([("__name__", "up"), *((f"l{number:02}", "1") for number in range(30))], MANY_LABELS),
    ],
)
def test_series_that_are_wrong(pairs: Pairs, reason: str) -> None:
    """Each for its reason; the good series beside it is stored."""
    tenant = Tenant("acme")
    verdict = told(tenant, (pairs, [(MS, 1.0), (MS + 1, 1.0)]), (labels("good"), [(MS, 1.0)]))
    assert reasons(verdict) == [(reason, MS)]
    assert [dict(each.labels)["__name__"] for each in tenant.all_series()] == ["good"]


@pytest.mark.parametrize(
    "pairs",
    [
        [("Zone", "1"), ("__name__", "up"), ("a", "1")],  # an upper-case letter sorts before the name
        [("__name__", "a:b_c9")],
        [("__name__", "up"), ("a", "é" * 2048), ("b", "\n\"\\'")],
        [("__name__", "up"), (LONG[1:], "1")],
        [("__name__", "up"), *((f"l{number:02}", "1") for number in range(29))],
    ],
)
def test_series_at_the_limits_are_right(pairs: Pairs) -> None:
    """What is just allowed is stored as it is."""
    tenant = Tenant("acme")
    assert not told(tenant, (pairs, [(MS, 1.0)])).refusals
    assert [list(each.labels) for each in tenant.all_series()] == [list(pairs)]


def test_values_must_be_utf_8() -> None:
    """Bytes of another encoding are refused, and can be said."""
    tenant = Tenant("acme")
    text = request((labels("up", a="~"), [(MS, 1.0)])).SerializeToString().replace(b"~", b"\xe4")
    (refusal,) = judge(decode(text), tenant, Limits(), NOW).refusals
    assert refusal.reason == BAD_VALUE
    assert refusal.text("acme").encode()


def test_a_tenant_has_so_many_series() -> None:
    """New ones are refused once there are as many as there may be, those that are known go on."""
    tenant, limits = Tenant("acme"), Limits(series=2)
    told(tenant, (labels("a"), [(MS, 1.0)]), limits=limits)
    verdict = told(
        tenant,
        *((labels(name), [(MS + 1, 1.0)]) for name in ("b", "c", "a", "b")),
        limits=limits,
    )
    assert reasons(verdict) == [(MANY_SERIES, MS + 1)]
    assert [dict(each.labels)["__name__"] for each in tenant.all_series()] == ["a", "b"]


def test_metadata_name_their_family() -> None:
    """Others are refused; the newest word about a family holds."""
    tenant = Tenant("acme")
    said = [(2, "up", "old", ""), (1, "up", "new", "bytes"), (2, "", "x", ""), (2, LONG, "x", "")]
    assert [each.reason for each in told(tenant, metadata=said).refusals] == [NO_FAMILY, LONG_FAMILY]
    assert [tuple(each) for each in tenant.metadata.values()] == [("up", "counter", "new", "bytes")]


def test_a_request_of_nothing_is_right() -> None:
    """It stores nothing."""
    tenant = Tenant("acme")
    assert (told(tenant).refusals, tenant.active, tenant.newest) == ([], 0, None)
    assert (told(tenant, (labels(), [])).refusals, tenant.active) == ([], 0)


def test_judging_stores_nothing() -> None:
    """Only `store` does."""
    tenant = Tenant("acme")
    verdict = judge(decode(request((labels(), [(MS, 1.0)])).SerializeToString()), tenant, Limits(), NOW)
    assert (verdict.samples, tenant.active, tenant.newest) == (1, 0, None)


def test_what_is_said_names_the_error() -> None:
    """Mimir's by its id, the series and the stamp; Prometheus's in its few words."""
    refusal = Refusal(OUT_OF_ORDER, '{__name__="up"}', MS + 7)
    text = refusal.text("acme")
    for part in ("user=acme", f"({OUT_OF_ORDER})", "2025-06-15T15:06:40.007Z", '{__name__="up"}'):
        assert part in text
    assert refusal.text("acme", prometheus=True) == "out of order sample"
    assert Refusal(DUPLICATE).text("", prometheus=True) == "duplicate sample for timestamp"
    assert Refusal(TOO_OLD).text("", prometheus=True) == "out of bounds"
    assert Refusal(TOO_OLD).text("", prometheus=True, window=60) == "too old sample"
    assert Refusal(TWICE).text("", prometheus=True).startswith("invalid labels: ")
    assert f"({NO_FAMILY})" in Refusal(NO_FAMILY).text("acme")


def test_what_is_old_is_forgotten() -> None:
    """Samples before an instant, and series that have no others."""
    tenant = Tenant("acme")
    told(tenant, (labels("a"), [(MS, 1.0), (MS + 1, 2.0)]), (labels("b"), [(MS, 1.0)]))
    tenant.forget(MS + 1)
    assert [(each.text, each.samples()) for each in tenant.all_series()] == [('{__name__="a"}', [(MS + 1, 2.0)])]


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), max_size=6), max_size=6),
    st.booleans(),
)
def test_what_is_stored_is_what_a_simple_receiver_would_have(sent: list[list[tuple[int, int]]], window: bool) -> None:
    """Only what is newer than all before it, or with a window the first value of a stamp; each sample has a fate."""
    tenant, limits = Tenant("acme"), Limits(out_of_order=3600.0 if window else 0.0)
    wanted: dict[int, float] = {}
    for points in sent:
        verdict = told(tenant, (labels(), [(MS + at, float(value)) for at, value in points]), limits=limits)
        assert verdict.samples + verdict.repeats + len(verdict.refusals) == len(points)
        for at, value in points:
            if window or at > max(wanted, default=-1):
                wanted.setdefault(at, float(value))
    assert stored(tenant) == ([[(MS + at, wanted[at]) for at in sorted(wanted)]] if wanted else [])
