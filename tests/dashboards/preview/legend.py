"""Legends of panels over time: a list below, or a table beside, with what has no room counted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tests.dashboards.preview.asking import Line
from tests.dashboards.preview.canvas import Canvas, number
from tests.dashboards.preview.markup import Markup, cut, join, tag, width_of
from tests.dashboards.preview.model import Look

Named = tuple[Line, str, Look]

ROW = 22.0
_TITLES = {"lastNotNull": "Last *", "last": "Last", "mean": "Mean", "max": "Max", "min": "Min", "sum": "Total"}


def calculated(line: Line, calc: str) -> float | None:
    """A series as one number."""
    values = [value for _, value in line.points if math.isfinite(value)]
    if not values:
        return None
    match calc:
        case "lastNotNull" | "last":
            return values[-1]
        case "mean":
            return sum(values) / len(values)
        case "max":
            return max(values)
        case "min":
            return min(values)
        case "sum":
            return sum(values)
    raise ValueError(f"the preview does not know the calculation {calc}")


def listed(names: Sequence[Named], canvas: Canvas, width: float, most: float) -> tuple[Markup, float]:
    """Names below the drawing in as many lines as there is room for, and their height."""
    lines: list[list[Markup]] = [[]]
    room = max(1, int(most / ROW))
    left = width
    for place, (line, shade, _) in enumerate(names):
        name = cut(line.name, width - 40, 12)
        wide = width_of(name, 12) + 34
        if wide > left and lines[-1]:
            lines.append([])
            left = width
        if len(lines) > room:
            lines.pop()
            lines[-1][-1] = tag("span", f"+ {len(names) - place + 1} more", class_="more")
            canvas.odd.append(f"{len(names)} names in the legend, {len(names) - place + 1} need scrolling")
            break
        lines[-1].append(_name(name, shade, line.name))
        left -= wide
    rows = [tag("div", join(each), class_="legend", style=f"height:{ROW:.0f}px") for each in lines]
    return join(rows), ROW * len(rows)


def _name(name: str, shade: str, title: str) -> Markup:
    return tag("span", tag("i", style=f"background:{shade}"), name, class_="series", title=title)


def table_width(names: Sequence[Named], canvas: Canvas, options: Mapping[str, Any]) -> float:
    """Pixels of a legend that stands beside the drawing."""
    longest = max(width_of(line.name, 12) for line, _, _ in names) + 48
    return min(canvas.width * 0.55, longest + 78 * len(options.get("calcs", [])))


def table(names: Sequence[Named], canvas: Canvas, options: Mapping[str, Any], width: float, height: float) -> Markup:
    """Names with their calculated values, sorted as the panel says."""
    calcs = list(options.get("calcs", []))
    by = next((calc for calc in calcs if _TITLES[calc] == options.get("sortBy")), None)
    order = list(names)
    if by:
        order.sort(key=lambda each: calculated(each[0], by) or 0.0, reverse=bool(options.get("sortDesc")))
    room = max(1, int((height - ROW) / ROW))
    cut_off = len(order) > room
    if cut_off:
        canvas.odd.append(f"{len(order)} names in the legend, {len(order) - room + 1} need scrolling")
        room -= 1
    head = tag("tr", tag("th", "Name"), *(tag("th", _TITLES[calc], class_="number") for calc in calcs))
    rows = []
    for line, shade, look in order[:room]:
        values = [calculated(line, calc) for calc in calcs]
        cells = [tag("td", "" if value is None else number(canvas, look, value), class_="number") for value in values]
        name = cut(line.name, width - 44 - 78 * len(calcs), 12)
        if name != line.name:
            canvas.odd.append(f"the name “{line.name}” is cut off in the legend")
        rows.append(tag("tr", tag("td", _name(name, shade, line.name)), *cells))
    more = tag("div", f"+ {len(order) - room} more", class_="more") if cut_off else Markup("")
    made = tag("table", head, join(rows), class_="legendtable")
    return tag("div", made, more, style=f"width:{width:.0f}px")
