"""Plain panels as the models of Grafana's SDK."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    logs,
    loki,
    prometheus,
    stat,
    statetimeline,
    text,
    timeseries,
)
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus as prometheus_model
from grafana_foundation_sdk.models.text import TextMode

from dashboards.build import fields
from dashboards.build.fields import override
from dashboards.build.panels import Bars, Logs, Look, Panel, Query, Series, Stat, State, Table, Text, Timeline
from dashboards.build.tables import table

PROMETHEUS = model.DataSourceRef(type_val="prometheus", uid="${prometheus_datasource}")
LOKI = model.DataSourceRef(type_val="loki", uid="${loki_datasource}")

AnyPanel = Any
"""A panel's builder; each kind is a class of its own with the same first methods."""


def panel(given: Panel) -> Builder[model.Panel]:
    """
    The builder of a panel, without id and place.

    Raises:
        TypeError: there is no such kind.
    """
    made = _kind(given)
    made.title(given.title).description(given.says).links([fields.head_link(link) for link in given.links])
    if given.span:
        made.time_from(given.span)
    if isinstance(given, Logs):
        made.datasource(LOKI)
    elif not isinstance(given, Text):
        made.datasource(PROMETHEUS)
    done: Builder[model.Panel] = made
    return done


def _kind(given: Panel) -> AnyPanel:
    match given:
        case Stat():
            return _stat(given)
        case Series():
            return _series(given)
        case Table():
            return table(given, [target(column.expr, place, "table") for place, column in enumerate(given.columns)])
        case Bars():
            return _bars(given)
        case Timeline():
            return _timeline(given)
        case Logs():
            return _logs(given)
        case Text():
            return text.Panel().mode(TextMode.MARKDOWN).content(given.markdown)
    raise TypeError(f"{given.title}: no kind of panel for {type(given).__name__}")


def ref(place: int) -> str:
    """A, B, … Z, AA, …"""
    return (chr(64 + place // 26) if place >= 26 else "") + chr(65 + place % 26)


def target(expr: str, place: int, how: str, legend: str = "") -> prometheus.Dataquery:
    """
    A query.

    Args:
        expr: PromQL.

        place: from 0, for its letter.

        how: ``range``, ``instant``, or ``table`` (instant, labels as columns).

        legend: of its series.
    """
    made = prometheus.Dataquery().expr(expr).ref_id(ref(place)).datasource(PROMETHEUS)
    made.editor_mode(prometheus_model.QueryEditorMode.CODE)
    if how == "range":
        made.range()
    else:
        made.instant()
    if how == "table":
        made.format(prometheus_model.PromQueryFormat.TABLE)
    if legend:
        made.legend_format(legend)
    return made


def _targets(queries: Sequence[Query], how: str) -> list[Builder[variants.Dataquery]]:
    return [target(query.expr, place, how, query.legend or "__auto") for place, query in enumerate(queries)]


def _reduced(calc: str = "lastNotNull") -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs([calc]).values(False)


def _stat(given: Stat) -> stat.Panel:
    made = (
        stat.Panel()
        .targets(_targets(given.queries, "range" if given.spark else "instant"))
        .unit(given.unit)
        .thresholds(fields.steps(given.limit, "text"))
        .color_scheme(fields.by_threshold())
        .mappings(fields.mappings(_with_none(given)))
        .no_value(given.empty)
        .reduce_options(_reduced())
        .graph_mode(kinds.BigValueGraphMode.AREA if given.spark else kinds.BigValueGraphMode.NONE)
        .color_mode(kinds.BigValueColorMode.VALUE)
        .text_mode(kinds.BigValueTextMode.VALUE_AND_NAME if len(given.queries) > 1 else kinds.BigValueTextMode.VALUE)
    )
    if given.leads:
        made.data_links([fields.head_link(link) for link in given.leads])
    return made if given.decimals is None else made.decimals(given.decimals)


def _with_none(given: Stat) -> list[State]:
    # Without a value Grafana takes the colour of the lowest threshold: nothing known would be green, or red.
    known = any(each.value is None for each in given.states)
    return [*given.states, *([] if known else [State(None, given.empty, "text")])]


_DASHES = {"limit": ("dash", [10.0, 6.0]), "forecast": ("dot", [2.0, 6.0])}


def _look(look: Look, unit: str, *, fixed: bool) -> list[fields.Override]:
    """The properties of a query's series where it is not a plain line."""
    found = [override("unit", unit)] if unit else []
    match look:
        case "limit" | "forecast":
            fill, dash = _DASHES[look]
            found += [
                override("custom.lineStyle", {"fill": fill, "dash": dash}),
                override("custom.fillOpacity", 0),
                override("custom.stacking", {"mode": "none", "group": "A"}),
            ]
            if look == "limit" and fixed:
                found.append(override("color", {"mode": "fixed", "fixedColor": "red"}))
        case "bars":
            found += [override("custom.drawStyle", "bars"), override("custom.fillOpacity", 60)]
        case "steps":
            found.append(override("custom.lineInterpolation", "stepAfter"))
        case "right":
            found.append(override("custom.axisPlacement", "right"))
        case "area":
            found.append(override("custom.fillOpacity", 25))
    return found


def _series(given: Series) -> timeseries.Panel:
    legend = common.VizLegendOptions().show_legend(not given.quiet).placement(kinds.LegendPlacement.BOTTOM)
    if given.table:
        legend.display_mode(kinds.LegendDisplayMode.TABLE).placement(kinds.LegendPlacement.RIGHT)
        legend.calcs(["lastNotNull", "mean", "max"]).sort_by("Last *").sort_desc(True)
    else:
        legend.display_mode(kinds.LegendDisplayMode.LIST).calcs([])
    made = (
        timeseries.Panel()
        .targets(_targets(given.queries, "range"))
        .unit(given.unit)
        .thresholds(fields.lines(given.limit))
        .color_scheme(fields.by_series())
        .legend(legend)
        .tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING))
        .line_width(1)
        .fill_opacity(20 if given.stacked else 0)
        .show_points(kinds.VisibilityMode.NEVER)
        .span_nulls(given.connect)
        .axis_soft_min(0)
    )
    if given.empty:
        made.no_value(given.empty)
    if given.stacked:
        made.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A"))
    if given.limit:
        made.thresholds_style(common.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.DASHED))
        if first := given.limit.warning or given.limit.critical:
            # A line that is outside the axis does not say how far away it is.
            made.axis_soft_max(first * 1.05)
    if given.log:
        made.scale_distribution(common.ScaleDistributionConfig().type(kinds.ScaleDistribution.LOG).log(10))
    if given.least is not None:
        made.min(given.least)
    if given.most is not None:
        made.max(given.most)
    for place, query in enumerate(given.queries):
        if properties := _look(query.look, query.unit, fixed="{{" not in query.legend):
            made.override_by_query(ref(place), properties)
    return made


def _bars(given: Bars) -> bargauge.Panel:
    made = (
        bargauge.Panel()
        .targets(_targets(given.queries, "instant"))
        .unit(given.unit)
        .thresholds(fields.steps(given.limit, "blue"))
        .color_scheme(fields.by_threshold())
        .orientation(kinds.VizOrientation.HORIZONTAL)
        .display_mode(kinds.BarGaugeDisplayMode.BASIC)
        .reduce_options(_reduced())
        .show_unfilled(True)
        .no_value(given.empty)
        .min(0 if given.least is None else given.least)
    )
    if given.decimals is not None:
        made.decimals(given.decimals)
    return made if given.most is None else made.max(given.most)


def _timeline(given: Timeline) -> statetimeline.Panel:
    made = (
        statetimeline.Panel()
        .targets(_targets(given.queries, "range"))
        .unit(given.unit)
        .thresholds(fields.steps(given.limit))
        # By threshold, Grafana would show each step's number in place of the words.
        .color_scheme(fields.by_series() if given.states else fields.by_threshold())
        .mappings(fields.mappings(given.states))
        .merge_values(True)
        .show_value(kinds.VisibilityMode.AUTO)
        .row_height(0.85)
        .fill_opacity(80)
        .line_width(0)
        .legend(common.VizLegendOptions().show_legend(False))
    )
    return made.no_value(given.empty) if given.empty else made


def _logs(given: Logs) -> logs.Panel:
    asked = loki.Dataquery().expr(given.expr).ref_id("A").datasource(LOKI).max_lines(200).query_type("range")
    return (
        logs.Panel()
        .targets([asked])
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(kinds.LogsSortOrder.DESCENDING)
    )
