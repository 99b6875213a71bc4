"""A table's rows as Grafana makes them: a frame a query, `merge`, `organize`, sorted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.dashboards.preview.asking import Line

Cell = str | float | None
Row = dict[str, Cell]


@dataclass
class Frame:
    """
    Rows with named fields.

    Args:
        fields: names in their order.

        rows: a field that is missing has no value.

        names: what a field is called by a transformation, where that is not its own name.
    """

    fields: list[str]
    rows: list[Row]
    names: dict[str, str] = field(default_factory=dict)

    def called(self, name: str) -> str:
        """The name that is shown."""
        return self.names.get(name, name)


def frames(answers: Mapping[str, Sequence[Line]]) -> list[Frame]:
    """
    Answers to instant queries in format `table`: time, labels by name, value.

    Args:
        answers: by the queries' letters.
    """
    found = []
    for ref, lines in answers.items():
        value = f"Value #{ref}" if len(answers) > 1 else "Value"
        labels = list(dict.fromkeys(name for line in lines for name in sorted(line.labels)))
        rows = [_row(line, labels, value) for line in lines if line.points]
        found.append(Frame(["Time", *labels, value], rows))
    return found


def _row(line: Line, labels: Sequence[str], value: str) -> Row:
    at, number = line.points[-1]
    found: Row = {"Time": at, value: number}
    found |= {name: line.labels.get(name, "") for name in labels}
    return found


def merge(given: Sequence[Frame]) -> Frame:
    """One frame: rows meet where all that both know is equal; a row that contradicts stays a row of its own."""
    if len(given) == 1:
        return given[0]
    names = list(dict.fromkeys(name for frame in given for name in frame.fields))
    keys = [name for name in names if all(name in frame.fields for frame in given)]
    rows: list[Row] = []
    by_key: dict[tuple[Cell, ...], list[Row]] = {}
    for frame in given:
        for row in frame.rows:
            same = by_key.setdefault(tuple(row.get(name) for name in keys), [])
            met = [each for each in same if _agree(each, row)]
            for each in met:
                each.update(row)
            if not met:
                new = dict(row)
                same.append(new)
                rows.append(new)
    return Frame(names, rows)


def _agree(one: Row, other: Row) -> bool:
    return all(one.get(name) is None or one[name] == value for name, value in other.items())


def organize(frame: Frame, options: Mapping[str, Any]) -> Frame:
    """Fields left out, put in order and renamed; those without a place stand behind the others."""
    excluded: Mapping[str, bool] = options.get("excludeByName", {})
    order: Mapping[str, int] = options.get("indexByName", {})
    kept = [name for name in frame.fields if not excluded.get(name)]
    kept.sort(key=lambda name: order.get(name, math.inf))
    renamed = {old: new for old, new in options.get("renameByName", {}).items() if new}
    return Frame(kept, frame.rows, {**frame.names, **{name: renamed[name] for name in kept if name in renamed}})


def transformed(given: Sequence[Frame], steps: Iterable[Mapping[str, Any]]) -> Frame:
    """
    All transformations of a panel.

    Raises:
        ValueError: one that is not known here.
    """
    found = list(given)
    for each in steps:
        match each["id"]:
            case "merge":
                found = [merge(found)]
            case "organize":
                found = [organize(frame, each.get("options", {})) for frame in found]
            case other:
                raise ValueError(f"the preview does not know the transformation {other}")
    return found[0] if found else Frame([], [])


def ordered(frame: Frame, sorting: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Rows as the table's `sortBy` has them; empty cells stand at the end in either direction."""
    rows = list(frame.rows)
    for each in reversed(sorting):
        name = next((name for name in frame.fields if each["displayName"] in (name, frame.called(name))), None)
        if name is None:
            continue
        falling = bool(each.get("desc"))
        there = [row for row in rows if row.get(name) is not None]
        there.sort(key=lambda row: _sortable(row[name]), reverse=falling)
        rows = there + [row for row in rows if row.get(name) is None]
    return rows


def _sortable(cell: Cell) -> tuple[float, str]:
    if isinstance(cell, float):
        return (-math.inf if math.isnan(cell) else cell, "")
    return (0.0, str(cell).lower())
