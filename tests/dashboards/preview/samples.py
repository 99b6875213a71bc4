"""Log lines to show where there is no Loki: those of the rules' tests that a panel's query selects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.rules.logql import LogQLError, Query, Range, Sum, parse
from tests.rules.logql_run import Line, pipeline
from tests.tools import ROOT

FOLDER = ROOT / "tests" / "rules" / "logs"


@dataclass(frozen=True)
class Sample:
    """A line of a stream: its labels and its text."""

    labels: dict[str, str]
    text: str


def samples(folder: Path = FOLDER) -> list[Sample]:
    """All lines that make a rule fire, in the order of the files."""
    found = []
    for path in sorted(folder.glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for each in document.get("match") or []:
            labels = {**document.get("labels", {}), **each.get("labels", {})}
            found.append(Sample({key: str(value) for key, value in labels.items()}, str(each["line"]).strip()))
    return found


def chosen(expr: str, known: Sequence[Sample], most: int = 12) -> list[str]:
    """
    The lines that come out of a query.

    Args:
        expr: LogQL, variables filled in.

        known: what there is.

        most: at most so many.

    Raises:
        LogQLError: neither the query nor its selector can be read.
    """
    query = _query(expr)
    found = [each.text for each in known if pipeline(query, Line(each.labels, each.text, 0.0)) is not None]
    return list(dict.fromkeys(found))[:most]


def _query(expr: str) -> Query:
    """A log query; without its stages where they are beyond the rules' subset."""
    for text in (expr, (re.match(r"\s*\{[^}]*\}", expr) or [expr])[0]):
        try:
            tree = parse(f"sum by (x) (count_over_time({text} [1m])) > 0 # lines")
        except LogQLError:
            continue
        inner = getattr(tree, "inner", tree)
        if isinstance(inner, Sum):
            inner = inner.inner
        if isinstance(inner, Range):
            return inner.query
    raise LogQLError(f"not a query of lines that can be read here: {expr}")


__all__ = ["LogQLError", "Sample", "chosen", "samples"]
