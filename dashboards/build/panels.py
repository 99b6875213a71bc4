"""
Panels as plain data: what is asked, in which unit, against which thresholds, and what the reader is told. Nothing here
knows Grafana's JSON; `models` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dashboards.build.links import Link
from dashboards.build.queries import PLACE
from dashboards.build.thresholds import Limit

Look = Literal["line", "limit", "forecast", "bars", "steps", "right", "area"]
"""
How a query is drawn: a line; a provisioned limit (dashed, red); a forecast (dotted); bars; a step line for daily values;
a line with its own axis on the right; a filled area.
"""

Colour = Literal["green", "yellow", "orange", "red", "blue", "purple", "text", "gray"]


@dataclass(frozen=True, slots=True)
class Query:
    """
    A PromQL query of a panel.

    Args:
        expr: the expression. Panels of a moment ask it as an instant query, panels over time over the dashboard's range.

        legend: of its series, such as ``{{bucket}}``; plain words where there is one series.

        look: how it is drawn.

        unit: where it is not the panel's (with ``look="right"``).
    """

    expr: str
    legend: str = ""
    look: Look = "line"
    unit: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """
    A value (or the values from *value* to *upto*) shown as a word in a colour.

    Args:
        value: the number; None for no value at all.

        text: the word.

        colour: of it.

        upto: the last of a range.
    """

    value: float | None
    text: str
    colour: Colour = "text"
    upto: float | None = None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """
    What all panels have.

    Args:
        title: a few words.

        says: what it shows and what good looks like, a sentence or two; shown at the panel's ⓘ.

        width: of 24 columns.

        height: in rows of the grid (30 pixels).

        links: at the panel's head.

        span: its own range up to now, such as ``24h``, where the dashboard's is too long for it; a range that somebody
            picks by the mouse holds all the same.
    """

    title: str
    says: str
    width: int = 12
    height: int = 8
    links: Sequence[Link] = ()
    span: str = ""


@dataclass(frozen=True, kw_only=True)
class Stat(Panel):
    """
    One number (or a few), now.

    Args:
        unit: Grafana's name of it, such as ``bytes``.

        queries: instant.

        limit: colours of the value.

        states: words in place of values.

        decimals: digits behind the point.

        empty: shown where there is no value.

        spark: whether its course over the dashboard's range is drawn behind it (asked over the range then).

        leads: where a click on the value leads; links at the head would take the title's room.
    """

    unit: str
    queries: Sequence[Query]
    limit: Limit | None = None
    states: Sequence[State] = ()
    decimals: int | None = None
    empty: str = "–"
    spark: bool = False
    leads: Sequence[Link] = ()
    width: int = 4
    height: int = 4


@dataclass(frozen=True, kw_only=True)
class Series(Panel):
    """
    Lines over time.

    Args:
        unit: of the left axis.

        queries: over the range.

        limit: drawn as dashed lines at the alerts' thresholds.

        least, most: ends of the axis.

        stacked: areas on top of each other.

        table: the legend is a table with last, mean and maximum; else a list.

        quiet: no legend, for there are many lines: the pointer names them, the highest first.

        connect: draw over gaps (only for values by the day).

        log: a logarithmic axis.

        empty: shown where there is no series; "" for Grafana's "No data".
    """

    unit: str
    queries: Sequence[Query]
    limit: Limit | None = None
    least: float | None = None
    most: float | None = None
    stacked: bool = False
    table: bool = False
    quiet: bool = False
    connect: bool = False
    log: bool = False
    empty: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """
    A value of a table's rows.

    Args:
        name: the heading.

        expr: instant; its labels must be the table's `keys` and nothing else (``max by (…)``), or rows do not meet.

        unit: Grafana's.

        limit: colours the cell.

        states: words in place of values.

        decimals: digits behind the point.

        bar: draw the cell as a bar from 0 to `limit`'s last value.

        width: pixels.

        hidden: not shown; it only makes the row exist.
    """

    name: str
    expr: str
    unit: str = "none"
    limit: Limit | None = None
    states: Sequence[State] = ()
    decimals: int | None = None
    bar: bool = False
    width: int | None = None
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """
    A label that is a column of a table.

    Args:
        label: its name.

        name: the heading; "" hides it (it can still be used in links).

        links: of its cells; the first is the way to the detail.

        states: not used for labels; words by exact text.

        width: pixels.
    """

    label: str
    name: str = ""
    links: Sequence[Link] = ()
    texts: Mapping[str, tuple[str, Colour]] = field(default_factory=dict)
    width: int | None = None


PLACE_KEYS = tuple(Key(label=label) for label in PLACE)
"""The labels of the place, hidden: links of other cells read them."""


@dataclass(frozen=True, kw_only=True)
class Table(Panel):
    """
    A row a resource: labels first, then values, merged over all columns.

    Args:
        keys: the labels, in their order; what a column's series has beside them is hidden.

        columns: the values, in their order. The first must have a series for each row.

        sort: heading of the column to sort by; with a minus before it the highest first.

        empty: shown where there is no row, which may be good news.
    """

    keys: Sequence[Key]
    columns: Sequence[Column]
    sort: str = ""
    empty: str = "nothing"
    width: int = 24


@dataclass(frozen=True, kw_only=True)
class Bars(Panel):
    """
    A horizontal bar a resource, now.

    Args:
        unit: Grafana's.

        queries: instant.

        limit: colours.

        least, most: ends of the bars.

        empty: shown where there is none.
    """

    unit: str
    queries: Sequence[Query]
    limit: Limit | None = None
    least: float | None = None
    most: float | None = None
    decimals: int | None = None
    empty: str = "nothing"


@dataclass(frozen=True, kw_only=True)
class Timeline(Panel):
    """
    A band a resource over time, in the colours of its states.

    Args:
        queries: over the range.

        states: words and colours by value.

        limit: colours by value where there are no states.

        unit: of values without a word.

        empty: shown where there is no series, which may be good news; "" for Grafana's "No data".
    """

    queries: Sequence[Query]
    states: Sequence[State] = ()
    limit: Limit | None = None
    unit: str = "none"
    empty: str = ""
    width: int = 24


@dataclass(frozen=True, kw_only=True)
class Logs(Panel):
    """
    Lines of Loki.

    Args:
        expr: LogQL.
    """

    expr: str
    width: int = 24


@dataclass(frozen=True, kw_only=True)
class Text(Panel):
    """
    Words.

    Args:
        markdown: the text.
    """

    markdown: str
    width: int = 24
    height: int = 3


@dataclass(frozen=True, kw_only=True)
class Row:
    """
    A heading and what stands under it, laid out from left to right.

    Args:
        title: of the row.

        panels: in reading order; a line is full at 24 columns and as high as its highest panel.

        folded: closed until somebody opens it.
    """

    title: str
    panels: Sequence[Panel]
    folded: bool = False
