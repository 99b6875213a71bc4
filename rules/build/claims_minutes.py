"""How long something has lasted, told so that a change of the exporter's pod does not begin the count anew."""

from __future__ import annotations


def seen(expr: str) -> str:
    """The expression of a recording that `lasting` reads: the time at which each series of *expr* was there."""
    return f"({expr}) * 0 + time()"


def lasting(record: str, minutes: int) -> str:
    """
    For how many seconds what *record* (made by `seen`) tells of has lasted, up to *minutes*.

    It must be there now, and have been there in four of five minutes since it was first seen: a `for` would begin anew
    with each minute that is missing, and two short faults are not a long one.
    """
    window = f"{record}[{minutes}m]"
    since = f"(time() - min_over_time({window}))"
    return f"({since} <= 75 * count_over_time({window}) and {record})"
