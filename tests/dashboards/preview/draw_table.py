"""Tables: rows merged as Grafana does it, cells with colours, bars and links, columns as wide as Grafana has them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.dashboards.preview.canvas import Canvas, Words, anchor, empty, words
from tests.dashboards.preview.markup import Markup, cut, join, tag, width_of
from tests.dashboards.preview.merging import Cell, Frame, Row, frames, ordered, transformed
from tests.dashboards.preview.model import Look

ROW = 30.0
HEAD = 30.0
LEAST = 150.0
"""Pixels of a column that has no width of its own; where there is less room Grafana scrolls sideways."""


@dataclass(frozen=True)
class Shown:
    """A column: the field's name, its heading, how it looks, pixels, whether it stands to the right."""

    name: str
    heading: str
    look: Look
    width: float
    right: bool


def draw(canvas: Canvas) -> Markup:
    """The rows that have room, and how many have not."""
    frame = transformed(frames(canvas.answer.lines), canvas.panel.source.get("transformations", []))
    columns = shown(canvas, frame)
    # Grafana sorts by columns that are seen.
    seen = {column.heading for column in columns}
    sorting = canvas.panel.options.get("sortBy", [])
    rows = ordered(frame, [each for each in sorting if each["displayName"] in seen])
    if not rows:
        return empty(canvas)
    canvas.odd += [
        f"it is sorted by {each['displayName']}, which it does not show"
        for each in sorting
        if each["displayName"] not in seen
    ]
    _check(canvas, frame, rows)
    across = sum(column.width for column in columns)
    if across > canvas.width + 1:
        canvas.odd.append(
            f"{len(columns)} columns need {across:.0f} of {canvas.width:.0f} pixels: the last are off to the right"
        )
    room = int((canvas.height - HEAD) / ROW)
    cut_off = len(rows) > room
    if cut_off:
        room = int((canvas.height - HEAD - 16) / ROW)
    head = tag("tr", *(_head(canvas, column) for column in columns))
    body = [tag("tr", *(_cell(canvas, column, row) for column in columns)) for row in rows[:room]]
    made = tag("table", head, join(body), class_="rows", style=f"width:{across:.0f}px")
    more = tag("div", f"+ {len(rows) - room} more rows", class_="more") if cut_off else Markup("")
    return tag("div", made, more, class_="table")


def _check(canvas: Canvas, frame: Frame, rows: list[Row]) -> None:
    """Rows that should have met and did not: the same first labels twice."""
    values = [name for name in frame.fields if not name.startswith("Value")]
    seen = [tuple(row.get(name) for name in values) for row in rows]
    if len(set(seen)) < len(seen):
        canvas.odd.append(f"{len(seen) - len(set(seen))} rows did not meet: the same labels stand twice")


def shown(canvas: Canvas, frame: Frame) -> list[Shown]:
    """The columns that are seen: those without a width share what is left."""
    looks = [(name, canvas.panel.look(name, frame.called(name))) for name in frame.fields]
    seen = [(name, look) for name, look in looks if not look.of("custom.hidden")]
    free = [look for _, look in seen if not look.of("custom.width")]
    left = canvas.width - sum(float(look.of("custom.width", 0)) for _, look in seen)
    share = max(LEAST, left / len(free)) if free else 0.0
    numbers = {name for name, _ in seen if any(isinstance(row.get(name), float) for row in frame.rows)}
    return [
        Shown(name, frame.called(name), look, float(look.of("custom.width", share)), name in numbers)
        for name, look in seen
    ]


def _head(canvas: Canvas, column: Shown) -> Markup:
    text = cut(column.heading, column.width - 14, 12)
    if text != column.heading:
        canvas.odd.append(f"the heading “{column.heading}” is cut off")
    return tag(
        "th", text, class_="number" if column.right else None, style=f"width:{column.width:.0f}px", title=column.heading
    )


def _cell(canvas: Canvas, column: Shown, row: Row) -> Markup:
    value: Cell = row.get(column.name)
    said = words(canvas, column.look, value)
    options = column.look.of("custom.cellOptions", {})
    if options.get("type") == "gauge" and isinstance(value, float):
        return tag("td", _gauge(column, value, said), class_="number")
    text = cut(said.text, column.width - 14, 13)
    if text != said.text and "cells are cut off" not in " ".join(canvas.odd):
        canvas.odd.append(f"cells are cut off in “{column.heading}”, such as “{said.text}”")
    coloured = options.get("type") == "color-text"
    inside: Markup = tag(
        "span", text, style=f"color:{said.colour}" if coloured else None, title=said.text if text != said.text else None
    )
    labels = {name: cell for name, cell in row.items() if isinstance(cell, str)}
    links = column.look.links
    if links and said.text:
        inside = anchor(canvas, links[0], labels, inside)
        more = [anchor(canvas, link, labels, "↗") for link in links[1:]]
        inside = join([inside, *(part for link in more for part in (" ", link))])
    fill = f"background:{said.colour}" if options.get("type") == "color-background" else None
    return tag("td", inside, class_="number" if column.right else None, style=fill)


def _gauge(column: Shown, value: float, said: Words) -> Markup:
    low, high = float(column.look.of("min", 0.0)), float(column.look.of("max", 1.0))
    part = min(1.0, max(0.0, (value - low) / ((high - low) or 1.0)))
    wide = max(20.0, column.width - width_of(said.text, 13) - 26)
    bar = tag("i", style=f"width:{part * wide:.0f}px;background:{said.colour}")
    return tag(
        "span",
        tag("b", bar, style=f"width:{wide:.0f}px"),
        tag("em", said.text, style=f"color:{said.colour}"),
        class_="gauge",
    )
