"""Sizes and instants as Kubernetes writes them: exactly, or not at all."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kubernetes.amounts import bytes_of, instant_of


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("100Gi", 107374182400),
        ("1.5G", 1500000000),
        ("1.5Gi", 1610612736),
        ("128974848", 128974848),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("12e-1", 2),
        ("100m", 1),
        ("2000m", 2),
        ("1u", 1),
        ("1n", 1),
        ("0", 0),
        ("0Gi", 0),
        (".5Ki", 512),
        ("5.Ki", 5120),
        ("+1k", 1000),
        ("0.1Gi", 107374183),  # 107374182.4
        ("8Ei", 2**63),
        ("9007199254740993", 2**53 + 1),
        ("1125899906842624.000000001Ki", 2**60 + 1),
        (107374182400, 107374182400),
        (1.5, 2),
    ],
)
def test_quantities(quantity: object, expected: int) -> None:
    """Binary and decimal suffixes, exponents, fractions; rounded up to whole bytes; beyond what a float can hold."""
    assert bytes_of(quantity) == expected


@pytest.mark.parametrize(
    "quantity",
    [
        *("", ".", "Gi", "+", "-1", "-1Gi", "1 Gi", " 1", "1\n", "1gi", "1GI", "1K", "1GiB", "1e", "1e3Gi", "0x10"),
        *("1e999999999", "1e-999999999", "9" * 31, "1e90", "9" * 20 + "Ei", "inf", "nan", "١", "1_000"),
        *(None, True, False, [], {}, ["1Gi"], math.inf, -math.inf, math.nan, -1, 10**80, 1e300),
    ],
)
def test_what_is_no_quantity(quantity: object) -> None:
    """Is not known, and costs nothing to find out."""
    assert bytes_of(quantity) is None


@given(
    st.integers(0, 10**6),
    st.text(alphabet="0123456789", max_size=6),
    st.sampled_from(["", *"numkMGTP", *(f"{letter}i" for letter in "KMGTP")]),
)
def test_quantities_are_exact(whole: int, part: str, suffix: str) -> None:
    """As decimal arithmetic of a hundred digits has it."""
    text = f"{whole}.{part}" if part else str(whole)
    scale = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15}
    with localcontext() as context:
        context.prec = 100
        factor = (
            Decimal(1024) ** (1 + "KMGTP".index(suffix[0])) if suffix.endswith("i") else Decimal(10) ** scale[suffix]
        )
        assert bytes_of(text + suffix) == math.ceil(Decimal(text) * factor)


@given(st.text(max_size=12) | st.floats() | st.integers() | st.none())
def test_no_quantity_raises(quantity: object) -> None:
    """Whatever stands there."""
    size = bytes_of(quantity)
    assert size is None or 0 <= size <= 2**80


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", 1767323045),
        ("2026-01-02T03:04:05.999999Z", 1767323045),
        ("2026-01-02T03:04:05.1Z", 1767323045),
        ("2026-01-02T03:04:05.123456789Z", 1767323045),
        ("2026-01-02T10:04:05+07:00", 1767323045),
        ("2026-01-01T19:34:05.5-07:30", 1767323045),
        ("1970-01-01T00:00:01Z", 1),
        ("9999-12-31T23:59:59Z", 253402300799),
    ],
)
def test_instants(text: str, expected: int) -> None:
    """Kubernetes' Time and MicroTime, and any other RFC 3339; whole seconds."""
    assert instant_of(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "yesterday", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z"),
        *("2026-02-30T00:00:00Z", "2026-01-01T24:00:01Z", "2026-01-01T00:00:60Z", "2026-13-01T00:00:00Z"),
        *("2026-01-02", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-W01-1T00:00:00Z", "20260102T030405Z"),
        *("2026-01-02T03:04:05Z\n", "2026-01-02T03:04:05+99:99", "٢٠٢٦-01-02T03:04:05Z", "0001-01-01T00:00:00+23:59"),
    ],
)
def test_what_is_no_instant(text: str | None) -> None:
    """Is not known; Go's zero time, the year 1, neither."""
    assert instant_of(text) is None


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1)),  # noqa: DTZ001 - the zone comes with the other argument
    st.integers(-14 * 60, 14 * 60),
)
def test_instants_are_exact(naive: datetime, minutes: int) -> None:
    """Whatever the offset."""
    at = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert instant_of(at.isoformat()) == math.floor((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
