"""Numbers as Grafana writes them: units by their ids, digits behind the point where none are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

_SI = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")
_IEC = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_SHORT = ("", " K", " Mil", " Bil", " Tri", " Quadr", " Quint", " Sext", " Sept")
_COUNT = ("", "K", "M", "B", "T")

_DURATIONS = (
    (31536000.0, 31556900.0, "year"),
    (604800.0, 604800.0, "week"),
    (86400.0, 86400.0, "day"),
    (3600.0, 3600.0, "hour"),
    (60.0, 60.0, "min"),
    (1.0, 1.0, "s"),
    (1e-3, 1e-3, "ms"),
    (1e-6, 1e-6, "µs"),
)
_PLURAL = frozenset({"hour", "day", "week", "year"})

Shown = Callable[[float, int | None], str]


class UnknownUnitError(KeyError):
    """No such unit here."""


def shown(value: float, unit: str = "", decimals: int | None = None) -> str:
    """
    A value in its unit.

    Args:
        value: the number.

        unit: Grafana's id, such as ``bytes``.

        decimals: digits behind the point; None for as many as Grafana takes.

    Raises:
        UnknownUnitError: no such unit here.
    """
    if unit not in _UNITS:
        raise UnknownUnitError(unit)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return _UNITS[unit](value, decimals)


def known(unit: str) -> bool:
    """Whether values of this unit can be shown."""
    return unit in _UNITS


def binary(unit: str) -> bool:
    """Whether a scale of this unit has its ticks at powers of two."""
    return unit in {"bytes", "kbytes", "mbytes", "gbytes", "binBps", "binbps"}


def fixed(value: float, decimals: int | None = None) -> str:
    """Digits; trailing zeros stay, as Grafana has them."""
    places = digits(value) if decimals is None else decimals
    # Halves go up, as in JavaScript.
    scale = 10.0**places
    rounded = math.floor(value * scale + 0.5) / scale
    return f"{rounded:.{places}f}" if rounded else f"{0:.{places}f}"


def digits(value: float) -> int:
    """How many digits behind the point Grafana shows of a value: three that count, two below zero."""
    if value == math.floor(value):
        return 0
    if abs(value) < 1e-9:
        return 0
    places = 1 - math.floor(math.log10(abs(value)))
    if value * 10.0**places > 2.25:
        places += 1
    return max(0, places)


def _scaled(
    step: float, names: Sequence[str], unit: str = "", gap: str = " ", start: int = 0, before: str = ""
) -> Shown:
    def format_(value: float, decimals: int | None) -> str:
        power = 0 if value == 0 else math.floor(math.log(abs(value)) / math.log(step) + 1e-12)
        power = min(max(power, -start), len(names) - 1 - start)
        return f"{before}{fixed(value / step**power, decimals)}{gap}{names[power + start]}{unit}".rstrip()

    return format_


def _count(unit: str) -> Shown:
    plain = _scaled(1000, _COUNT, gap="")
    return lambda value, decimals: f"{plain(value, decimals)} {unit}"


def _plain(after: str = "", factor: float = 1.0) -> Shown:
    return lambda value, decimals: fixed(value * factor, decimals) + after


def _seconds(factor: float) -> Shown:
    def format_(value: float, decimals: int | None) -> str:
        size = value * factor
        for least, length, name in _DURATIONS:
            if abs(size) >= least:
                text = fixed(size / length, decimals)
                return f"{text} {name}{'s' if name in _PLURAL and text != '1' else ''}"
        return f"{fixed(size * 1e9, decimals)} ns" if size else f"{fixed(0, decimals)} s"

    return format_


def _words(value: float, decimals: int | None) -> str:
    """``3 hours, 2 minutes``."""
    left = abs(value)
    found: list[str] = []
    if not left:
        return "0 seconds"
    steps = [(31536000, "year"), (2592000, "month"), (604800, "week"), (86400, "day"), (3600, "hour"), (60, "minute")]
    for length, name in [*steps, (1, "second")]:
        if len(found) > (decimals or 0) or (not found and left < length):
            continue
        number = int(left // length)
        found.append(f"{number} {name}{'' if number == 1 else 's'}")
        left %= length
    return ", ".join(found) + (" ago" if value < 0 else "")


def ago(seconds: float) -> str:
    """How long ago something was, in words; what lies ahead is negative."""
    size = abs(seconds)
    for least, length, name in (
        (86400 * 26, 2592000, "month"),
        (79200, 86400, "day"),
        (2700, 3600, "hour"),
        (45, 60, "minute"),
    ):
        if size >= least:
            count = max(1, round(size / length))
            words = f"{count} {name}s" if count > 1 else f"an {name}" if name == "hour" else f"a {name}"
            break
    else:
        words = "a few seconds"
    return f"{words} ago" if seconds >= 0 else f"in {words}"


def _instant(value: float, decimals: int | None) -> str:
    return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _comma(value: float, decimals: int | None) -> str:
    text = f"{value:,.{3 if decimals is None else decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals is None else text


def _si(unit: str, start: int = 0) -> Shown:
    return _scaled(1000, _SI, unit, start=start)


def _iec(unit: str, start: int = 0) -> Shown:
    return _scaled(1024, _IEC, unit, start=start)


_UNITS: Mapping[str, Shown] = {
    "": _plain(),
    "none": _plain(),
    "string": _plain(),
    "short": _scaled(1000, _SHORT, gap=""),
    "locale": _comma,
    "percent": _plain("%"),
    "percentunit": _plain("%", 100.0),
    "currencyUSD": _scaled(1000, _COUNT, gap="", before="$"),
    "bytes": _iec("B"),
    "decbytes": _si("B"),
    "kbytes": _iec("B", 1),
    "mbytes": _iec("B", 2),
    "gbytes": _iec("B", 3),
    "Bps": _si("B/s"),
    "binBps": _iec("B/s"),
    "bps": _si("b/s"),
    "binbps": _iec("b/s"),
    "hertz": _si("Hz"),
    "iops": _count("io/s"),
    "ops": _count("ops/s"),
    "reqps": _count("req/s"),
    "rps": _count("rd/s"),
    "wps": _count("wr/s"),
    "cps": _count("c/s"),
    "mps": _count("mess/s"),
    "opm": _count("ops/m"),
    "ns": _seconds(1e-9),
    "µs": _seconds(1e-6),
    "ms": _seconds(1e-3),
    "s": _seconds(1.0),
    "m": _seconds(60.0),
    "h": _seconds(3600.0),
    "d": _seconds(86400.0),
    "dtdurations": _words,
    "dateTimeAsIso": _instant,
    "dateTimeAsSystem": _instant,
    "bool_yes_no": lambda value, decimals: "Yes" if value else "No",
    "bool_on_off": lambda value, decimals: "On" if value else "Off",
    "bool": lambda value, decimals: "True" if value else "False",
}
