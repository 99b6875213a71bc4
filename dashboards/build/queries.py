"""Selectors with the dashboards' variables in them."""

from __future__ import annotations

PLACE = ("cluster", "account_id", "region")
"""Variables of every dashboard: several values, or all."""


def where(name: str, *labels: str, also: str = "", place: tuple[str, ...] = PLACE) -> str:
    """
    A metric of the chosen place.

    Args:
        name: of a recording or family.

        labels: further variables, each the label of the same name, such as ``bucket``.

        also: further matchers as PromQL has them, such as ``storage_class!="Total"``.

        place: the variables of the place that the metric has as labels.
    """
    words = [f'{label}=~"${label}"' for label in (*place, *labels)]
    return f"{name}{{{','.join([*words, *([also] if also else [])])}}}"


def most(expr: str, *by: str) -> str:
    """The highest a resource, so replicas and duplicates do not double it."""
    return f"max by ({', '.join(by)}) ({expr})"


def least(expr: str, *by: str) -> str:
    """The lowest a resource."""
    return f"min by ({', '.join(by)}) ({expr})"
