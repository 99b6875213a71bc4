"""Words: text panels with a little Markdown, and log lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from tests.dashboards.preview.canvas import Canvas
from tests.dashboards.preview.markup import Markup, join, tag

_INLINE = re.compile(
    r"\*\*(?P<bold>.+?)\*\*|`(?P<code>[^`]+)`|\[(?P<words>[^\]]+)\]\((?P<url>[^)]+)\)|\*(?P<slant>[^*]+)\*"
)
LINE = 20.0
"""Pixels of a line."""


def draw(canvas: Canvas) -> Markup:
    """A text panel."""
    found = markdown(str(canvas.panel.options.get("content", "")), lambda url: canvas.address(url, {}))
    return tag("div", found, class_="markdown", style=f"height:{canvas.height:.0f}px")


def markdown(text: str, address: Callable[[str], str]) -> Markup:
    """Headings, lists, paragraphs, bold, code, links."""
    found: list[Markup] = []
    items: list[Markup] = []
    words: list[str] = []

    def end() -> None:
        if words:
            found.append(tag("p", inline(" ".join(words), address)))
            words.clear()
        if items:
            found.append(tag("ul", join(items)))
            items.clear()

    for line in [*text.strip().splitlines(), ""]:
        stripped = line.strip()
        if heading := re.match(r"(#{1,4}) (.+)", stripped):
            end()
            found.append(tag(f"h{len(heading[1]) + 1}", inline(heading[2], address)))
        elif item := re.match(r"(?:[-*]|\d+\.) (.+)", stripped):
            if words:
                end()
            items.append(tag("li", inline(item[1], address)))
        elif stripped:
            if items:
                end()
            words.append(stripped)
        else:
            end()
    return join(found)


def inline(text: str, address: Callable[[str], str]) -> Markup:
    """Bold, code and links within a line."""
    found: list[str | Markup] = []
    done = 0
    for each in _INLINE.finditer(text):
        found.append(text[done : each.start()])
        done = each.end()
        if each["bold"]:
            found.append(tag("b", inline(each["bold"], address)))
        elif each["code"]:
            found.append(tag("code", each["code"]))
        elif each["words"]:
            found.append(tag("a", each["words"], href=address(each["url"])))
        else:
            found.append(tag("i", each["slant"]))
    return join([*found, text[done:]])


def logs(canvas: Canvas, lines: Sequence[tuple[float, str]]) -> Markup:
    """Log lines with their instants, the newest first; what has no room is left out."""
    if not lines:
        return tag(
            "div",
            "No Loki in this rendering, and no line of the tests fits.",
            class_="nothing",
            style=f"height:{canvas.height:.0f}px",
        )
    shown = [
        tag("div", tag("span", datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S"), class_="at"), " ", text)
        for at, text in lines
    ]
    said = tag(
        "div", "No Loki in this rendering: lines of the rules' tests that fit this panel's query.", class_="aside"
    )
    return tag("div", said, join(shown), class_="logs", style=f"height:{canvas.height:.0f}px")
