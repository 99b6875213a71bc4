"""Dashboards as the texts that are committed: variables, marks, links, ids and places around the panels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.build import fields, models
from dashboards.build.links import PREFIX, Link
from dashboards.build.page import Change, Page, Place, Variable, laid_out
from dashboards.build.panels import Panel
from dashboards.build.queries import PLACE
from rules.build.model import RUNBOOKS

TAG = "storage-exporter"

_PLACES = {"cluster": "Cluster", "account_id": "Account", "region": "Region"}
_SOURCE = "service:storage_exporter_data_age:seconds"


def pages() -> tuple[Page, ...]:
    """All dashboards, in the order of the menu."""
    from dashboards.build import capacity, ebs_fleet, ebs_volume, efs, exporter, overview, s3, valkey  # noqa: PLC0415

    return tuple(each.page() for each in (overview, ebs_fleet, ebs_volume, efs, s3, valkey, capacity, exporter))


def everything() -> Mapping[str, str]:
    """Name of the file to its text."""
    return {f"{page.uid}.json": text(page) for page in pages()}


def text(page: Page) -> str:
    """A dashboard as JSON."""
    document = json.loads(JSONEncoder(sort_keys=True).encode(_dashboard(page).build()))
    # Grafana's Prometheus annotations know titles and texts, the SDK's model of annotations does not.
    for known in document["annotations"]["list"]:
        for change in page.changes:
            if known["name"] == change.name:
                known.update(titleFormat=change.title, textFormat=change.text, tagKeys="", step="60s")
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _dashboard(page: Page) -> build.Dashboard:
    made = (
        build.Dashboard(page.title)
        .uid(PREFIX + page.uid)
        .description(page.says)
        .tags([TAG])
        .readonly()
        .timezone("browser")
        .time(page.since, "now")
        .refresh(page.refresh)
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .variables([*_sources(page), *(_variable(each) for each in (*_place(), *page.variables))])
        .annotations([_change(each) for each in page.changes])
        .link(_menu())
        .link(fields.head_link(Link("Runbooks", RUNBOOKS, new=True)))
    )
    number = 0
    top = 0
    for row in page.rows:
        number += 1
        heading = build.Row(row.title).id(number).collapsed(row.folded)
        heading.grid_pos(model.GridPos(h=1, w=24, x=0, y=top))
        placed = list(laid_out(row.panels, top + 1))
        panels = []
        for panel, place in placed:
            number += 1
            panels.append(_placed(panel, place, number))
        if row.folded:
            for each in panels:
                heading.with_panel(each)
        made.with_row(heading)
        if not row.folded:
            for each in panels:
                made.with_panel(each)
        top = max((place.y + place.height for _, place in placed), default=top + 1) if not row.folded else top + 1
    return made


def _placed(panel: Panel, place: Place, number: int) -> Any:
    made: Any = models.panel(panel)
    return made.id(number).grid_pos(model.GridPos(h=place.height, w=place.width, x=place.x, y=place.y))


def _menu() -> build.DashboardLink:
    return (
        build.DashboardLink("Storage")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
        .icon("dashboard")
    )


def _sources(page: Page) -> Iterator[build.DatasourceVariable]:
    yield build.DatasourceVariable("prometheus_datasource").label("Prometheus data source").type("prometheus")
    if page.loki:
        yield build.DatasourceVariable("loki_datasource").label("Loki data source").type("loki")


def _place() -> Iterator[Variable]:
    before: list[str] = []
    for name in PLACE:
        matchers = ",".join(f'{each}=~"${each}"' for each in before)
        yield Variable(name=name, title=_PLACES[name], metric=f"{_SOURCE}{{{matchers}}}" if matchers else _SOURCE)
        before.append(name)


def _variable(given: Variable) -> build.QueryVariable:
    label = given.label or given.name
    made = (
        build.QueryVariable(given.name)
        .label(given.title)
        .query({"query": f"label_values({given.metric}, {label})", "refId": given.name})
        .datasource(models.PROMETHEUS)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(given.many)
        .include_all(given.many)
    )
    if given.hidden:
        made.hide(model.VariableHide.HIDE_VARIABLE)
    if given.many:
        # Everything, also what has no such label at all.
        made.all_value(".*").current(model.VariableOption(text=["All"], value=["$__all"], selected=True))
    return made


def _change(given: Change) -> build.AnnotationQuery:
    return (
        build.AnnotationQuery()
        .name(given.name)
        .datasource(models.PROMETHEUS)
        .enable(given.shown)
        .icon_color(given.colour)
        .expr(given.expr)
    )


__all__ = ["TAG", "everything", "pages", "text"]
