"""A dashboard as plain data: its rows, variables and annotations, and where each panel stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dashboards.build.panels import Panel, Row

COLUMNS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """
    A variable whose values are those of a label.

    Args:
        name: of it.

        title: shown before it.

        metric: a selector; it may use the variables that stand before it.

        label: whose values; the variable's name unless given.

        many: several values, or all; else exactly one.

        hidden: it follows from others, and is not shown.
    """

    name: str
    title: str
    metric: str
    label: str = ""
    many: bool = True
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    Something that happened, as a mark over all panels: an annotation.

    Args:
        name: of the mark, such as ``Failovers``.

        expr: PromQL; its series show the mark where they have a value.

        title: of a mark, with ``{{label}}``.

        text: of a mark, with ``{{label}}``.

        colour: of it.

        shown: from the start; else it can be switched on.
    """

    name: str
    expr: str
    title: str
    text: str = ""
    colour: str = "blue"
    shown: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """
    A dashboard.

    Args:
        uid: without the prefix; also the file's name.

        title: shown.

        says: what it answers, a sentence or two.

        rows: in reading order.

        variables: beside data sources and the place.

        changes: marks.

        since: the range at first, such as ``now-6h``.

        refresh: how often it is asked anew; "" for never.

        loki: whether it has panels of logs.
    """

    uid: str
    title: str
    says: str
    rows: Sequence[Row]
    variables: Sequence[Variable] = ()
    changes: Sequence[Change] = ()
    since: str = "now-6h"
    refresh: str = "1m"
    loki: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """A panel's place: columns and rows of the grid."""

    x: int
    y: int
    width: int
    height: int


def laid_out(panels: Sequence[Panel], top: int) -> Iterator[tuple[Panel, Place]]:
    """
    Panels from left to right, from row *top* of the grid on; a line ends where the next panel has no room. All panels
    of a line are as high as the highest.

    Raises:
        ValueError: a panel is wider than the page.
    """
    line: list[Panel] = []
    for panel in panels:
        if not 0 < panel.width <= COLUMNS:
            raise ValueError(f"{panel.title}: a width of {panel.width}")
        if sum(each.width for each in line) + panel.width > COLUMNS:
            yield from _line(line, top)
            top += max(each.height for each in line)
            line = []
        line.append(panel)
    yield from _line(line, top)


def _line(line: Sequence[Panel], top: int) -> Iterator[tuple[Panel, Place]]:
    left = 0
    height = max((each.height for each in line), default=0)
    for panel in line:
        yield panel, Place(left, top, panel.width, height)
        left += panel.width
