"""What all kinds of panels share: the room they have, the words of a value, what is odd about a picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.dashboards.preview import units
from tests.dashboards.preview.asking import Answer, Window
from tests.dashboards.preview.markup import Markup, tag
from tests.dashboards.preview.model import Link, Look, Panel, colour

PALETTE = (
    "#73BF69",
    "#F2CC0C",
    "#8AB8FF",
    "#FF780A",
    "#F2495C",
    "#5794F2",
    "#B877D9",
    "#705DA0",
    "#37872D",
    "#FADE2A",
    "#447EBC",
    "#C15C17",
    "#890F02",
    "#6D9ED6",
    "#D683CE",
    "#B7DBAB",
    "#F4D598",
    "#70DBED",
    "#F9BA8F",
    "#E5A8E2",
)
"""Colours of series in their order, as Grafana's classic palette has them."""

QUIET = "#8E8E99"
"""The colour of what is secondary."""


@dataclass
class Canvas:
    """
    One panel to be drawn.

    Args:
        width, height: pixels within its frame, below its title.

        odd: what somebody who looks should know and might not see.

        address: fills a link's variables with a row's labels.
    """

    panel: Panel
    answer: Answer
    width: float
    height: float
    window: Window
    odd: list[str] = field(default_factory=list)
    address: Callable[[str, dict[str, str]], str] = lambda url, labels: url


@dataclass(frozen=True)
class Words:
    """A value as it is shown: its words, the name of its colour, whether the colour was given by a mapping."""

    text: str
    colour: str


def words(canvas: Canvas, look: Look, value: float | str | None, empty: str | None = None) -> Words:
    """
    A value as words: by mapping, else in its unit.

    Args:
        canvas: notes what cannot be shown.

        look: of the field.

        value: None for none.

        empty: shown for no value; what the field says unless given.
    """
    text, mapped = look.mapped(value)
    if text is None:
        if value is None:
            text = str(look.of("noValue", "")) if empty is None else empty
        elif isinstance(value, str):
            text = value or str(look.of("noValue", ""))
        else:
            text = number(canvas, look, value)
    shade = mapped or look.by_threshold(value if isinstance(value, float) else None)
    return Words(text, colour(shade))


def number(canvas: Canvas, look: Look, value: float) -> str:
    """A number in its unit."""
    if math.isnan(value):
        canvas.odd.append("a value is not a number")
        return "–"
    if look.unit == "dateTimeFromNow":
        return units.ago(canvas.window.end - value / 1000)
    if not units.known(look.unit):
        canvas.odd.append(f"the preview does not know the unit {look.unit}")
        return f"{units.fixed(value)} {look.unit}"
    decimals = look.of("decimals")
    return units.shown(value, look.unit, None if decimals is None else int(decimals))


def anchor(canvas: Canvas, link: Link, labels: dict[str, str], inside: Markup | str) -> Markup:
    """A link around *inside*."""
    url = canvas.address(link.url, labels)
    return tag("a", inside, href=url, title=link.title, target="_blank" if link.new else None)


def svg(width: float, height: float, *inside: Markup, class_: str = "") -> Markup:
    """A drawing."""
    return tag(
        "svg",
        *inside,
        class_=class_ or None,
        width=float(width),
        height=float(height),
        viewBox=f"0 0 {width:.1f} {height:.1f}",
        xmlns="http://www.w3.org/2000/svg",
    )


def label(x: float, y: float, text: str, *, anchor_: str = "start", fill: str = "#CCCCDC", size: float = 12) -> Markup:
    """A text in a drawing."""
    return tag("text", text, x=float(x), y=float(y), fill=fill, font_size=size, text_anchor=anchor_)


def empty(canvas: Canvas, text: str = "") -> Markup:
    """A panel without data, in its own words."""
    said = text or str(canvas.panel.look().of("noValue", "No data"))
    return tag("div", said, class_="nothing", style=f"height:{canvas.height:.0f}px")
