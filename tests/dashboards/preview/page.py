"""A dashboard as one page: heading, variables, rows, and every panel in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.dashboards.preview import draw_bars, draw_series, draw_stat, draw_table, draw_text, draw_timeline, samples
from tests.dashboards.preview.asking import Desk
from tests.dashboards.preview.canvas import Canvas, anchor
from tests.dashboards.preview.draw_series import Marked
from tests.dashboards.preview.markup import Markup, cut, join, tag, width_of
from tests.dashboards.preview.model import Board, Panel
from tests.dashboards.preview.style import STYLE

COLUMNS = 24
CELL, GAP, MARGIN = 30, 8, 16
TITLE = 34
"""Pixels of a panel's title."""
MANY = 200
"""Series that a panel may have."""


@dataclass
class Drawn:
    """A page, and what is odd about its panels: the panel's title and what it is."""

    html: str
    odd: list[tuple[str, str]] = field(default_factory=list)


def draw(desk: Desk, width: int = 1440, aside: str = "") -> Drawn:
    """
    The page of a dashboard.

    Args:
        desk: asks its queries.

        width: of the page, pixels.

        aside: what is said beside the time, such as where the data is from.
    """
    board = desk.board
    found = Drawn("")
    marks = list(desk.marks())
    lines = samples.samples() if any(panel.kind == "logs" for panel in board.panels) else []
    cell = (width - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
    parts: list[Markup] = []
    for named, top, folded in board.rows:
        title = desk.filled(named)
        text = f"▸ {title} (folded in Grafana, opened here)" if folded else f"▾ {title}"
        parts.append(tag("div", text, class_="row", style=f"top:{top * (CELL + GAP)}px"))
    for panel in board.panels:
        x, y, wide, tall = panel.place
        box = (x * (cell + GAP), y * (CELL + GAP), wide * cell + (wide - 1) * GAP, tall * CELL + (tall - 1) * GAP)
        parts.append(_panel(desk, panel, box, marks, lines, found))
    height = board.height * (CELL + GAP)
    grid = tag("div", join(parts), class_="grid", style=f"height:{height}px")
    body = tag("body", _heading(desk, aside), grid, style=f"width:{width - 2 * MARGIN}px")
    head = tag("head", tag("meta", charset="utf-8"), tag("title", board.title), tag("style", Markup(STYLE)))
    found.html = "<!DOCTYPE html>\n" + tag("html", head, body, lang="en") + "\n"
    return found


def _heading(desk: Desk, aside: str) -> Markup:
    board = desk.board
    chosen = [
        tag("span", tag("label", each.title), tag("b", desk.chosen[each.name].text), class_="variable")
        for each in board.variables
        if not each.hidden
    ]
    chosen += [tag("span", tag("label", "Marks"), tag("b", mark.name), class_="variable") for mark in board.marks]
    links = [
        tag("a", f"{link.title} ↗" if link.new else f"{link.title} ▾", href=desk.filled(link.url) or "#", class_="head")
        for link in board.links
    ]
    first = tag(
        "div",
        tag("h1", board.title),
        tag("span", board.says, class_="says"),
        tag("span", aside, class_="time"),
        class_="first",
    )
    return tag("header", first, tag("div", join(chosen), tag("span", class_="fill"), join(links), class_="second"))


def _panel(
    desk: Desk,
    panel: Panel,
    box: tuple[float, float, float, float],
    marks: Sequence[Marked],
    lines: Sequence[samples.Sample],
    found: Drawn,
) -> Markup:
    x, y, width, height = box
    answer = desk.answer(panel) if panel.kind not in {"logs", "text"} else desk.nothing()
    canvas = Canvas(panel, answer, width - 18, height - TITLE - 8, desk.shown(panel), address=desk.filled)
    canvas.odd += answer.wrong
    if (count := len(answer.all())) > MANY:
        canvas.odd.append(f"{count} series")
    if answer.lines and not answer.all():
        canvas.odd.append("no data")
    for ref, some in answer.lines.items():
        if not some and answer.all():
            canvas.odd.append(f"query {ref} has no data")
    own = tag("span", f"Last {panel.span}", class_="own") if panel.span else Markup("")
    links = join([own, *(anchor(canvas, link, {}, f"{link.title} ↗") for link in panel.links)])
    beside = [link.title for link in panel.links] + ([f"Last {panel.span} "] if panel.span else [])
    room = width - 50 - width_of(" ".join(beside), 12)
    whole = desk.filled(panel.title)
    title = cut(whole, room, 14)
    if title != whole:
        canvas.odd.append("its title is cut off")
    body = _inside(desk, canvas, marks, lines)
    says = tag("span", "i", class_="info", title=panel.says) if panel.says else Markup("")
    head = tag("div", tag("h2", title, title=whole), says, tag("span", links, class_="links"), class_="title")
    found.odd += [(panel.title, each) for each in dict.fromkeys(canvas.odd)]
    style = f"left:{x:.1f}px;top:{y:.0f}px;width:{width:.1f}px;height:{height:.0f}px"
    return tag(
        "section", head, tag("div", body, class_="body"), class_="panel", id=f"panel-{panel.number}", style=style
    )


_KINDS: dict[str, Callable[[Canvas], Markup]] = {
    "stat": draw_stat.draw,
    "table": draw_table.draw,
    "bargauge": draw_bars.draw,
    "state-timeline": draw_timeline.draw,
    "text": draw_text.draw,
}


def _inside(desk: Desk, canvas: Canvas, marks: Sequence[Marked], lines: Sequence[samples.Sample]) -> Markup:
    match canvas.panel.kind:
        case "timeseries":
            return draw_series.draw(canvas, marks)
        case "logs":
            try:
                found = samples.chosen(desk.filled(canvas.panel.targets[0].expr), lines)
            except samples.LogQLError as error:
                canvas.odd.append(str(error))
                found = []
            return draw_text.logs(canvas, [(desk.window.end - 37.0 * place, text) for place, text in enumerate(found)])
        case kind if kind in _KINDS:
            return _KINDS[kind](canvas)
    raise ValueError(f"{canvas.panel.title}: the preview does not know panels of kind {canvas.panel.kind}")


def remarks(board: Board, drawn: Drawn) -> list[str]:
    """What is odd, a line each."""
    return [f"{board.uid}: {title}: {what}" for title, what in drawn.odd]
