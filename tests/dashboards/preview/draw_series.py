"""Panels over time: lines, dashes, dots, steps, bars and areas between their axes, with a legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.dashboards.preview import legend, units
from tests.dashboards.preview.asking import Line, Window
from tests.dashboards.preview.canvas import PALETTE, QUIET, Canvas, empty, label, svg
from tests.dashboards.preview.markup import Markup, tag, width_of
from tests.dashboards.preview.model import Look, Mark, colour
from tests.dashboards.preview.ticks import decades, labels, ticks, times

GRID = "#2A2C32"
FOOT = 22.0
Marked = tuple[Mark, str, float, float]


@dataclass(frozen=True)
class Drawn:
    """A series as it is drawn: *points* lie above *floor* where series are stacked."""

    line: Line
    look: Look
    shade: str
    points: Sequence[tuple[float, float]]
    floor: Sequence[tuple[float, float]] | None = None

    @property
    def right(self) -> bool:
        """Whether its axis stands on the right."""
        return bool(self.look.of("custom.axisPlacement", "auto") == "right")


@dataclass(frozen=True)
class Scale:
    """An axis: its ends, its ticks with their words, whether it is logarithmic."""

    low: float
    high: float
    marks: Sequence[tuple[float, str]]
    log: bool = False

    def part(self, value: float) -> float:
        """Where a value lies: 0 at the low end, 1 at the high."""
        if self.log:
            value = max(value, self.low)
            return (math.log10(value) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        return (value - self.low) / (self.high - self.low)


def draw(canvas: Canvas, marks: Sequence[Marked] = ()) -> Markup:
    """The drawing and its legend."""
    known = [line for line in canvas.answer.all() if any(math.isfinite(value) for _, value in line.points)]
    if not known:
        return empty(canvas)
    if any(not math.isfinite(value) for line in known for _, value in line.points):
        canvas.odd.append("values that are not finite are left out")
    drawn = stacked([_drawn(canvas, line, place) for place, line in enumerate(known)])
    options = canvas.panel.options.get("legend", {})
    shown = bool(options.get("showLegend", True))
    names = [(each.line, each.shade, each.look) for each in drawn]
    if shown and options.get("placement") == "right":
        wide = legend.table_width(names, canvas, options)
        plot = _plot(canvas, drawn, canvas.width - wide - 8, canvas.height, marks)
        beside = legend.table(names, canvas, options, wide, canvas.height)
        return tag("div", plot, beside, class_="beside")
    below = legend.listed(names, canvas, canvas.width, canvas.height * 0.35) if shown else (Markup(""), 0.0)
    plot = _plot(canvas, drawn, canvas.width, canvas.height - below[1], marks)
    return tag("div", plot, below[0])


def _drawn(canvas: Canvas, line: Line, place: int) -> Drawn:
    look = canvas.panel.look(line.name, ref=line.ref)
    fixed = look.of("color", {})
    shade = colour(fixed["fixedColor"]) if fixed.get("mode") == "fixed" else PALETTE[place % len(PALETTE)]
    return Drawn(line, look, shade, [(at, value) for at, value in line.points if math.isfinite(value)])


def stacked(given: Sequence[Drawn]) -> list[Drawn]:
    """Series that are stacked, each on those before it."""
    heights: dict[float, float] = {}
    found = []
    for each in given:
        if each.look.of("custom.stacking", {}).get("mode", "none") == "none":
            found.append(each)
            continue
        floor = [(at, heights.get(at, 0.0)) for at, _ in each.points]
        points = [(at, below + value) for (at, value), (_, below) in zip(each.points, floor, strict=True)]
        heights |= dict(points)
        found.append(replace(each, points=points, floor=floor))
    return found


def scale(given: Sequence[Drawn], height: float) -> Scale:
    """The axis of some series: round marks, room above the highest, from zero where the panel says so."""
    look = given[0].look
    values = [value for each in given for _, value in each.points]
    low, high = min(values), max(values)
    log = look.of("custom.scaleDistribution", {}).get("type") == "log"
    if log:
        positive = [value for value in values if value > 0] or [1.0]
        low, high = 10.0 ** math.floor(math.log10(min(positive))), 10.0 ** math.ceil(math.log10(max(positive) * 1.0001))
        powers = decades(low, high)
        return Scale(
            low, high, list(zip(powers, [units.shown(each, look.unit) for each in powers], strict=True)), log=True
        )
    if (soft := look.of("custom.axisSoftMin")) is not None:
        low = min(low, float(soft))
    if (soft := look.of("custom.axisSoftMax")) is not None:
        high = max(high, float(soft))
    pad = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    low, high = (low if low == 0 else low - pad), high + pad
    low, high = float(look.of("min", low)), float(look.of("max", high))
    if high <= low:
        high = low + 1.0
    unit = look.unit if units.known(look.unit) else "short"
    found = ticks(low, high, max(2, int(height / 38)), binary=units.binary(unit))
    decimals = look.of("decimals")
    return Scale(low, high, list(zip(found, labels(found, unit, decimals), strict=True)))


def _plot(canvas: Canvas, drawn: Sequence[Drawn], width: float, height: float, marks: Sequence[Marked]) -> Markup:
    tall = height - FOOT - 6
    left_ones = [each for each in drawn if not each.right]
    right_ones = [each for each in drawn if each.right]
    units_left = {each.look.unit for each in left_ones}
    if len(units_left) > 1:
        canvas.odd.append(f"units {sorted(units_left)} share the left side: Grafana draws an axis each")
    left = scale(left_ones, tall) if left_ones else None
    right = scale(right_ones, tall) if right_ones else None
    before = max((width_of(text, 12) for _, text in left.marks), default=0) + 14 if left else 10
    after = max((width_of(text, 12) for _, text in right.marks), default=0) + 14 if right else 8
    frame = Frame(before, 6.0, width - before - after, tall, canvas.window)
    parts: list[Markup] = [*_grid(frame, left, right, width, height)]
    if left:
        parts += _thresholds(canvas, frame, left)
    parts += [_mark(frame, each) for each in marks]
    for each in drawn:
        axis = right if each.right else left
        if axis is not None:
            parts += [tag("g", tag("title", each.line.name), *_series(frame, axis, each))]
    return svg(width, height, tag("g", *parts))


@dataclass(frozen=True)
class Frame:
    """The room between the axes."""

    x: float
    y: float
    width: float
    height: float
    window: Window

    def across(self, at: float) -> float:
        """Where an instant stands."""
        return self.x + (at - self.window.start) / (self.window.end - self.window.start) * self.width

    def up(self, axis: Scale, value: float) -> float:
        """Where a value stands; what lies outside stands at the edge."""
        return self.y + (1 - min(1.0, max(0.0, axis.part(value)))) * self.height


def _grid(frame: Frame, left: Scale | None, right: Scale | None, width: float, height: float) -> list[Markup]:
    found: list[Markup] = []
    for axis, x, where in ((left, frame.x - 6, "end"), (right, frame.x + frame.width + 6, "start")):
        for value, text in axis.marks if axis else []:
            y = frame.up(axis, value) if axis else 0.0
            if axis is left or left is None:
                found.append(tag("line", x1=frame.x, y1=y, x2=frame.x + frame.width, y2=y, stroke=GRID))
            found.append(label(x, y + 4, text, anchor_=where, fill=QUIET))
    for at, text in times(frame.window.start, frame.window.end, max(2, int(frame.width / 90))):
        x = frame.across(at)
        found.append(tag("line", x1=x, y1=frame.y, x2=x, y2=frame.y + frame.height, stroke=GRID))
        if width_of(text, 12) / 2 <= min(x, width - x):
            found.append(label(x, height - 6, text, anchor_="middle", fill=QUIET))
    return found


def _thresholds(canvas: Canvas, frame: Frame, axis: Scale) -> list[Markup]:
    look = canvas.panel.look()
    style = look.of("custom.thresholdsStyle", {}).get("mode", "off")
    found: list[Markup] = []
    hidden = []
    for value, name in look.steps[1:]:
        if not axis.low <= value <= axis.high:
            hidden.append(value)
        elif style in {"line", "dashed", "line+area", "dashed+area"}:
            y = frame.up(axis, value)
            dash = "6 4" if "dashed" in style else None
            line = tag(
                "line", x1=frame.x, y1=y, x2=frame.x + frame.width, y2=y, stroke=colour(name), stroke_dasharray=dash
            )
            found.append(tag("g", tag("title", f"threshold {value:g}"), line))
    if hidden and style != "off" and len(hidden) == len(look.steps) - 1:
        canvas.odd.append(f"its thresholds {hidden} are outside the axis ({axis.low:g} to {axis.high:g}): not seen")
    return found


def _mark(frame: Frame, given: Marked) -> Markup:
    mark, words, start, end = given
    shade = colour(mark.colour)
    x, foot = frame.across(max(start, frame.window.start)), frame.y + frame.height
    parts = [tag("title", words or mark.name)]
    if end > start:
        wide = frame.across(min(end, frame.window.end)) - x
        parts.append(tag("rect", x=x, y=frame.y, width=wide, height=frame.height, fill=shade, fill_opacity="0.08"))
    parts.append(tag("line", x1=x, y1=frame.y, x2=x, y2=foot, stroke=shade, stroke_dasharray="3 3"))
    parts.append(
        tag("polygon", points=f"{x - 4:.1f},{foot + 5:.1f} {x + 4:.1f},{foot + 5:.1f} {x:.1f},{foot:.1f}", fill=shade)
    )
    return tag("g", *parts, class_="mark")


_DASH = {"dash": "10 6", "dot": "2 6"}


def _series(frame: Frame, axis: Scale, given: Drawn) -> list[Markup]:
    look = given.look
    fill = float(look.of("custom.fillOpacity", 0)) / 100
    if look.of("custom.drawStyle") == "bars":
        return _bars(frame, axis, given, fill)
    gap = math.inf if look.of("custom.spanNulls") is True else frame.window.gap
    steps = look.of("custom.lineInterpolation") == "stepAfter"
    style = look.of("custom.lineStyle", {}).get("fill", "solid")
    floor = dict(given.floor or [])
    found: list[Markup] = []
    for piece in pieces(given.points, gap):
        course = path([(frame.across(at), frame.up(axis, value)) for at, value in piece], steps=steps)
        if fill and len(piece) > 1:
            back = [(frame.across(at), frame.up(axis, floor.get(at, 0.0))) for at, _ in reversed(piece)]
            edge = " ".join(f"L{x:.1f} {y:.1f}" for x, y in back)
            found.append(
                tag("path", d=f"{course} {edge} Z", fill=given.shade, fill_opacity=f"{fill:.2f}", stroke="none")
            )
        dash, cap = _DASH.get(style), "round" if style == "dot" else None
        wide = max(float(look.of("custom.lineWidth", 1)), 1.0) * 1.3
        found.append(
            tag(
                "path",
                d=course,
                fill="none",
                stroke=given.shade,
                stroke_width=wide,
                stroke_dasharray=dash,
                stroke_linecap=cap,
            )
        )
    return found


def _bars(frame: Frame, axis: Scale, given: Drawn, fill: float) -> list[Markup]:
    floor = dict(given.floor or [])
    gaps = [later[0] - one[0] for one, later in zip(given.points, given.points[1:], strict=False)]
    wide = max(1.0, min([frame.window.step, *gaps]) / (frame.window.end - frame.window.start) * frame.width * 0.7)
    found = []
    for at, value in given.points:
        top, foot = frame.up(axis, value), frame.up(axis, floor.get(at, 0.0))
        y, tall = min(top, foot), abs(foot - top)
        found.append(
            tag(
                "rect",
                x=frame.across(at) - wide / 2,
                y=y,
                width=wide,
                height=tall,
                fill=given.shade,
                fill_opacity=f"{fill:.2f}",
            )
        )
    return found


def pieces(points: Sequence[tuple[float, float]], gap: float) -> list[list[tuple[float, float]]]:
    """Points without a gap longer than *gap* between them."""
    found: list[list[tuple[float, float]]] = []
    for at, value in points:
        if not found or at - found[-1][-1][0] > gap:
            found.append([])
        found[-1].append((at, value))
    return found


def path(points: Sequence[tuple[float, float]], *, steps: bool = False) -> str:
    """A course in SVG's letters; with *steps* a value holds until the next."""
    x, y = points[0]
    words = [f"M{x:.1f} {y:.1f}"]
    for x, y in points[1:]:
        words.append(f"H{x:.1f} V{y:.1f}" if steps else f"L{x:.1f} {y:.1f}")
    return " ".join(words)


__all__ = ["Drawn", "Scale", "draw", "path", "pieces", "scale", "stacked"]
