"""Bar gauges: a horizontal bar a series, in the order of the answer, as Grafana has them."""

from __future__ import annotations

from tests.dashboards.preview.canvas import Canvas, empty, label, svg, words
from tests.dashboards.preview.draw_stat import last
from tests.dashboards.preview.markup import Markup, cut, tag, width_of

HIGHEST = 36.0
LOWEST = 18.0
"""Pixels of a bar with the gap below it."""


def draw(canvas: Canvas) -> Markup:
    """The bars, as many as there is room for."""
    panel = canvas.panel
    known = [(line, value) for line in canvas.answer.all() if (value := last(line)) is not None]
    if not known:
        return empty(canvas)
    each = min(HIGHEST, max(LOWEST, canvas.height / len(known)))
    room = int(canvas.height / each + 1e-9)
    if room < len(known):
        canvas.odd.append(f"{len(known) - room} of {len(known)} bars are below the edge")
        room = int((canvas.height - 16) / each)
    looks = [panel.look(line.name, ref=line.ref) for line, _ in known]
    said = [words(canvas, look, value) for look, (_, value) in zip(looks, known, strict=True)]
    names = min(canvas.width * 0.4, max(width_of(line.name, 12) for line, _ in known) + 10)
    values = max(width_of(each_said.text, 13) for each_said in said) + 12
    # Without ends of its own a bar is measured against all that are there.
    low = float(looks[0].of("min", min(0.0, *(value for _, value in known))))
    high = float(looks[0].of("max", max(value for _, value in known)))
    span = (high - low) or 1.0
    full = canvas.width - names - values
    drawn: list[Markup] = []
    for place, ((line, value), one) in enumerate(zip(known[:room], said, strict=False)):
        top, thick = place * each, each - 5
        length = min(1.0, max(0.0, (value - low) / span)) * full
        middle = top + thick / 2 + 4
        name = cut(line.name, names - 8, 12)
        if name != line.name:
            canvas.odd.append(f"the name “{line.name}” is cut off")
        drawn += [
            tag("g", tag("title", line.name), label(names - 8, middle, name, anchor_="end")),
            tag("rect", x=float(names), y=float(top), width=float(full), height=float(thick), fill="#22252B"),
            tag("rect", x=float(names), y=float(top), width=float(length), height=float(thick), fill=one.colour),
            label(names + full + 6, middle, one.text, fill=one.colour, size=13),
        ]
    if room < len(known):
        drawn.append(label(names, room * each + 12, f"+ {len(known) - room} more", fill="#8E8E99", size=11))
    return svg(canvas.width, canvas.height, *drawn)
