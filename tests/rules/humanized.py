"""The functions that Prometheus 2.42 gives its templates, and Go's way to print numbers. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_SMALL, _LARGE, _BINARY = "munpfazy", "kMGTPEZY", ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_SHORTEST = 6
"""From this power of ten on Go prints an exponent."""

_VERB = re.compile(r"%(?:%|([-+ 0#]*)(\d*)(\.\d+)?([a-zA-Z]))")


class Element(dict[str, Any]):
    """An element of a query's answer: ``Labels`` and ``Value``."""


def printed(value: object) -> str:
    """A value as Go prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, (str, int)):
        return str(value)
    raise ValueError(f"{value!r} has no text here")


def _float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, power = Decimal(repr(value)).normalize().as_tuple()
    text, exponent = "".join(map(str, digits)), len(digits) - 1 + int(power)
    minus = "-" if sign else ""
    if not -5 < exponent < _SHORTEST:
        mantissa = text[0] + (f".{text[1:]}" if text[1:] else "")
        return f"{minus}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02}"
    return f"{minus}{Decimal(repr(abs(value))).normalize():f}"


def number(value: object) -> float:
    """A number, or a text that is one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def printf(form: object, *values: object) -> str:
    """Go's Sprintf for the verbs that are used: s, v, d, f, g, e, q."""
    rest = list(values)

    def one(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        flags, width, precision, verb = found[1], found[2], found[3] or "", found[4]
        value = rest.pop(0)
        if verb in "feg" and isinstance(value, float):
            return f"%{flags}{width}{precision}{verb}" % value
        if verb == "d" and isinstance(value, int) and not isinstance(value, bool):
            return f"%{flags}{width}d" % value
        if verb in "sv" and not precision and (verb == "v" or isinstance(value, str)):
            return f"%{flags}{width}s" % printed(value)
        if verb == "q" and isinstance(value, str):
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        raise ValueError(f"printf: {found[0]} of {value!r} is not known here")

    text = _VERB.sub(one, str(form))
    if rest:
        raise ValueError(f"printf: {form!r} has too few verbs")
    return text


def humanize(value: object) -> str:
    """Metric prefixes."""
    amount = number(value)
    if amount == 0 or not math.isfinite(amount):
        return f"{amount:.4g}"
    prefix = ""
    if abs(amount) >= 1:
        for each in _LARGE:
            if abs(amount) < 1000:
                break
            prefix, amount = each, amount / 1000
    else:
        for each in _SMALL:
            if abs(amount) >= 1:
                break
            prefix, amount = each, amount * 1000
    return f"{amount:.4g}{prefix}"


def humanize1024(value: object) -> str:
    """Binary prefixes."""
    amount = number(value)
    if abs(amount) <= 1 or not math.isfinite(amount):
        return f"{amount:.4g}"
    prefix = ""
    for each in _BINARY:
        if abs(amount) < 1024:
            break
        prefix, amount = each, amount / 1024
    return f"{amount:.4g}{prefix}"


def humanize_duration(value: object) -> str:
    """Days, hours, minutes and seconds."""
    amount = number(value)
    if not math.isfinite(amount):
        return f"{amount:.4g}"
    if amount == 0:
        return "0s"
    if abs(amount) < 1:
        prefix = ""
        for each in _SMALL:
            if abs(amount) >= 1:
                break
            prefix, amount = each, amount * 1000
        return f"{amount:.4g}{prefix}s"
    sign, amount = ("-", -amount) if amount < 0 else ("", amount)
    whole = int(amount)
    days, hours, minutes, rest = whole // 86_400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {rest}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {rest}s"
    return f"{sign}{minutes}m {rest}s" if minutes else f"{sign}{amount:.4g}s"


def humanize_percentage(value: object) -> str:
    """Of a ratio."""
    return f"{number(value) * 100:.4g}%"


def humanize_timestamp(value: object) -> str:
    """Unix seconds as an instant."""
    instant = number(value)
    if not math.isfinite(instant):
        return f"{instant:.4g}"
    found = datetime.fromtimestamp(instant, UTC)
    parts = f"{found:%Y-%m-%d %H:%M:%S}"
    fraction = f".{found.microsecond // 1000:03}".rstrip("0") if found.microsecond else ""
    return f"{parts}{fraction} +0000 UTC"


def _first(elements: object) -> Element:
    if not isinstance(elements, Sequence) or not elements:
        raise ValueError("first of nothing")
    found = elements[0]
    assert isinstance(found, Element)
    return found


def _sort(name: object, elements: Sequence[Element]) -> list[Element]:
    return sorted(elements, key=lambda each: str(each["Labels"].get(str(name), "")))


def _compare(*values: object) -> bool:
    first, *others = values
    return any(first == each for each in others)


def _all(*values: object) -> object:
    return next((each for each in values if not true(each)), values[-1])


def _any(*values: object) -> object:
    return next((each for each in values if true(each)), values[-1])


def true(value: object) -> bool:
    """Whether Go's templates hold a value for true."""
    return bool(value)


def _replace(pattern: object, by: object, text: object) -> str:
    return re.sub(str(pattern), re.sub(r"\$\{?(\w+)\}?", r"\\g<\1>", str(by)), str(text))


def _length(value: Sequence[object] | Mapping[str, object]) -> int:
    return len(value)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "printf": printf,
    "print": lambda *values: "".join(printed(each) for each in values),
    "humanize": humanize,
    "humanize1024": humanize1024,
    "humanizeDuration": humanize_duration,
    "humanizePercentage": humanize_percentage,
    "humanizeTimestamp": humanize_timestamp,
    "first": _first,
    "value": lambda element: element["Value"],
    "label": lambda name, element: element["Labels"].get(name, ""),
    "sortByLabel": _sort,
    "reReplaceAll": _replace,
    "match": lambda pattern, text: re.search(pattern, text) is not None,
    "toUpper": lambda text: str(text).upper(),
    "toLower": lambda text: str(text).lower(),
    "len": _length,
    "eq": _compare,
    "ne": lambda one, other: one != other,
    "lt": lambda one, other: one < other,
    "le": lambda one, other: one <= other,
    "gt": lambda one, other: one > other,
    "ge": lambda one, other: one >= other,
    "not": lambda value: not true(value),
    "and": _all,
    "or": _any,
}
"""By the names templates use; ``query`` belongs to who renders."""
