"""State timelines: a band a series, in the colours of its states."""

from __future__ import annotations

from collections.abc import Sequence

from tests.dashboards.preview.canvas import QUIET, Canvas, Words, empty, label, svg, words
from tests.dashboards.preview.canvas import number as number_of
from tests.dashboards.preview.markup import Markup, cut, tag, width_of
from tests.dashboards.preview.model import Look, colour
from tests.dashboards.preview.ticks import times

FOOT = 22.0
LOWEST = 16.0


def draw(canvas: Canvas) -> Markup:
    """The bands above an axis of time."""
    lines = [line for line in canvas.answer.all() if line.points]
    if not lines:
        return empty(canvas)
    left = min(canvas.width * 0.35, max(width_of(line.name, 12) for line in lines) + 12)
    full = canvas.width - left - 6
    room = canvas.height - FOOT
    each = max(LOWEST, room / len(lines))
    fit = int(room / each + 1e-9)
    if fit < len(lines):
        canvas.odd.append(f"{len(lines) - fit} of {len(lines)} bands are squeezed below {LOWEST:.0f} pixels in Grafana")
        fit -= 1
    window = canvas.window
    scale = full / (window.end - window.start)
    drawn: list[Markup] = []
    for place, line in enumerate(lines[:fit]):
        look = canvas.panel.look(line.name, ref=line.ref)
        top, thick = place * each + each * 0.075, each * 0.85
        drawn.append(
            tag(
                "g",
                tag("title", line.name),
                label(left - 8, top + thick / 2 + 4, cut(line.name, left - 10, 12), anchor_="end"),
            )
        )
        if width_of(line.name, 12) > left - 10:
            canvas.odd.append(f"the name “{line.name}” is cut off")
        for start, end, value in bands(line.points, window.step):
            said = state(canvas, look, value)
            x, wide = left + (start - window.start) * scale, max(1.0, (end - start) * scale)
            parts = [
                tag("title", said.text),
                tag(
                    "rect",
                    x=float(x),
                    y=float(top),
                    width=float(wide),
                    height=float(thick),
                    fill=said.colour,
                    fill_opacity="0.8",
                ),
            ]
            if width_of(said.text, 12) < wide - 8 and thick >= 14:
                parts.append(label(x + wide / 2, top + thick / 2 + 4, said.text, anchor_="middle", fill="#111217"))
            drawn.append(tag("g", *parts))
    if fit < len(lines):
        drawn.append(label(left, fit * each + 13, f"+ {len(lines) - fit} more", fill=QUIET, size=11))
    for at, text in times(window.start, window.end, max(2, int(full / 90))):
        x = left + (at - window.start) * scale
        if x + width_of(text, 12) / 2 <= canvas.width:
            drawn.append(label(x, canvas.height - 6, text, anchor_="middle", fill=QUIET))
    return svg(canvas.width, canvas.height, *drawn)


def state(canvas: Canvas, look: Look, value: float) -> Words:
    """
    The word and the colour of a value.

    Where values are merged and coloured by threshold Grafana has no values any more, only the thresholds' own texts:
    words that a mapping gives are lost.
    """
    if look.of("color", {}).get("mode") != "thresholds" or not canvas.panel.options.get("mergeValues", True):
        return words(canvas, look, value)
    steps = look.steps
    if look.of("mappings") and (what := "its words are lost: values are merged by threshold") not in canvas.odd:
        canvas.odd.append(what)
    place = max(number for number, (least, _) in enumerate(steps) if value >= least)
    first = place == 0 and len(steps) > 1
    text = f"< {number_of(canvas, look, steps[1][0])}" if first else f"{number_of(canvas, look, steps[place][0])}+"
    return Words(text, colour(steps[place][1]))


def bands(points: Sequence[tuple[float, float]], step: float) -> list[tuple[float, float, float]]:
    """Equal values that follow each other as one: from, to, value. A gap ends a band."""
    found: list[tuple[float, float, float]] = []
    for at, value in points:
        if found and found[-1][2] == value and at - found[-1][1] <= step * 0.5:
            found[-1] = (found[-1][0], at + step, value)
        else:
            found.append((at, at + step, value))
    last = points[-1][0] if points else 0.0
    return [(start, min(end, last), value) for start, end, value in found if start < last]
