"""Stat panels: a big value or a few, words in place of values, the course behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.dashboards.preview.asking import Line
from tests.dashboards.preview.canvas import Canvas, anchor, svg, words
from tests.dashboards.preview.markup import Markup, cut, join, tag, width_of
from tests.dashboards.preview.model import Look

LARGEST = 60.0
"""Pixels of the largest font."""


def last(line: Line) -> float | None:
    """The last value that there is."""
    return next((value for _, value in reversed(line.points) if not math.isnan(value)), None)


def draw(canvas: Canvas) -> Markup:
    """The values beside each other, or one below the other where the panel is narrow."""
    lines: list[Line | None] = [*canvas.answer.all()] or [None]
    across = canvas.width >= canvas.height
    width = canvas.width / (len(lines) if across else 1)
    height = canvas.height / (1 if across else len(lines))
    if width < 60 or height < 24:
        canvas.odd.append(f"{len(lines)} values in one stat have {width:.0f} × {height:.0f} pixels each")
    named = canvas.panel.options.get("textMode") in {"value_and_name", "name"} or (
        canvas.panel.options.get("textMode", "auto") == "auto" and len(lines) > 1
    )
    cells = [_value(canvas, line, width, height, named=named) for line in lines]
    return tag("div", join(cells), class_="stats", style=f"flex-direction:{'row' if across else 'column'}")


def _value(canvas: Canvas, line: Line | None, width: float, height: float, *, named: bool) -> Markup:
    look = canvas.panel.look(line.name, ref=line.ref) if line else canvas.panel.look()
    value = last(line) if line else None
    said = words(canvas, look, value)
    text = said.text or "No data"
    spark = line is not None and len(line.points) > 1 and canvas.panel.options.get("graphMode") == "area"
    room = height * (0.6 if spark else 1.0)
    name = line.name if line and named else ""
    small = min(16.0, room * 0.22)
    size = min(LARGEST, (room - (small + 8 if name else 0)) * 0.62, (width - 20) / max(width_of(text, 1.0), 0.5))
    if size < 15:
        canvas.odd.append(f"“{text}” is too long for the panel: {size:.0f} pixels high")
    parts = []
    if name:
        shown = cut(name, width - 16, small)
        if shown != name:
            canvas.odd.append(f"the name “{name}” is cut off")
        parts.append(tag("div", shown, class_="name", style=f"font-size:{small:.0f}px"))
    big: Markup | str = text
    if look.links:
        big = anchor(canvas, look.links[0], dict(line.labels) if line else {}, text)
    parts.append(tag("div", big, class_="value", style=f"font-size:{size:.0f}px;color:{said.colour}"))
    drawn = [tag("div", join(parts), class_="words", style=f"height:{room:.0f}px")]
    if spark and line:
        drawn.append(sparkline(line.points, look, said.colour, width, height - room))
    return tag("div", join(drawn), class_="stat", style=f"width:{width:.1f}px;height:{height:.1f}px")


def sparkline(points: Sequence[tuple[float, float]], look: Look, shade: str, width: float, height: float) -> Markup:
    """The course of a value, filled down to the ground."""
    there = [(at, value) for at, value in points if math.isfinite(value)]
    if len(there) < 2:
        return Markup("")
    start, end = there[0][0], there[-1][0]
    values = [value for _, value in there]
    low = float(look.of("min", min(values)))
    high = float(look.of("max", max(values)))
    span = (high - low) or 1.0
    course = " ".join(
        f"{(at - start) / (end - start) * width:.1f},{height - 2 - (value - low) / span * (height - 6):.1f}"
        for at, value in there
    )
    return svg(
        width,
        height,
        tag("polygon", points=f"0,{height:.1f} {course} {width:.1f},{height:.1f}", fill=shade, fill_opacity="0.2"),
        tag("polyline", points=course, fill="none", stroke=shade),
    )
