"""Tables: several instant queries that meet in one row a resource."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import common, prometheus
from grafana_foundation_sdk.builders import table as build
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as model

from dashboards.build import fields
from dashboards.build.fields import override
from dashboards.build.panels import Column, Key, State, Table

_NOTHING = State(None, "–", "gray")
"""A cell without a value, which else has the words of an empty table, in the colour of the lowest step."""


def value_name(place: int, of: int) -> str:
    """The name of a column's value after the merge: Grafana numbers them by their letters where there are several."""
    return f"Value #{chr(65 + place)}" if of > 1 else "Value"


def table(given: Table, targets: Sequence[prometheus.Dataquery]) -> build.Panel:
    """
    The builder of a table.

    Args:
        given: the table.

        targets: the queries of its columns.
    """
    made = (
        build.Panel()
        .targets(list(targets))
        .unit("none")
        .thresholds(fields.steps(None, "text"))
        .no_value(given.empty)
        .cell_height(kinds.TableCellHeight.SM)
        .align(kinds.FieldTextAlignment.AUTO)
        .inspect(False)
        .show_header(True)
        .transformations([_merged(), _organized(given)])
    )
    if given.sort:
        name, falling = given.sort.removeprefix("-"), given.sort.startswith("-")
        made.sort_by([common.TableSortByFieldState().display_name(name).desc(falling)])
    for key in given.keys:
        if properties := _key(key):
            made.override_by_name(key.name or key.label, properties)
    for column in given.columns:
        made.override_by_name(column.name, [override("custom.hidden", True)] if column.hidden else _column(column))
    return made


def _merged() -> model.DataTransformerConfig:
    return model.DataTransformerConfig(id_val="merge", options={})


def _organized(given: Table) -> model.DataTransformerConfig:
    values = [value_name(place, len(given.columns)) for place in range(len(given.columns))]
    renamed = {key.label: key.name for key in given.keys if key.name}
    renamed |= {value: column.name for value, column in zip(values, given.columns, strict=True)}
    order = {key.label: place for place, key in enumerate(given.keys)}
    order |= {value: len(order) + place for place, value in enumerate(values)}
    return model.DataTransformerConfig(
        id_val="organize",
        options={"excludeByName": {"Time": True}, "renameByName": renamed, "indexByName": order},
    )


def _key(key: Key) -> list[fields.Override]:
    if not key.name:
        # Hidden, not excluded: links of other cells read it.
        return [override("custom.hidden", True)]
    # Else an empty label has the words of an empty table.
    found = [override("noValue", "–")]
    if key.links:
        found.append(override("links", fields.data_links(key.links)))
    if key.texts:
        found.append(override("mappings", [each.to_json() for each in fields.texts(dict(key.texts))]))
        found.append(override("custom.cellOptions", {"type": "color-text"}))
    if key.width:
        found.append(override("custom.width", key.width))
    return found


def _column(column: Column) -> list[fields.Override]:
    found = [override("unit", column.unit)]
    if column.decimals is not None:
        found.append(override("decimals", column.decimals))
    if column.limit:
        found.append(override("thresholds", fields.steps(column.limit, "text").build().to_json()))
        found.append(override("color", {"mode": "thresholds"}))
    found.append(override("mappings", [each.to_json() for each in fields.mappings([*column.states, _NOTHING])]))
    if column.bar:
        top = max(value for value, _ in column.limit.steps() if value is not None) if column.limit else 1.0
        found += [override("min", 0), override("max", top)]
        found.append(override("custom.cellOptions", {"type": "gauge", "mode": "basic"}))
    elif column.limit or column.states:
        found.append(override("custom.cellOptions", {"type": "color-text"}))
    if column.width:
        found.append(override("custom.width", column.width))
    return found
