"""The chart without rules and dashboards, which take three quarters of a render: for tests of what is beside them."""

from __future__ import annotations

from typing import Any

from tests.chart.rendering import Object, Values, render

WITHOUT: Values = {"rules": {"mimir": {"delivery": "none"}}, "dashboards": {"enabled": False}}


def bare(values: Values | None = None, **options: Any) -> list[Object]:
    """`render`, with neither rules nor dashboards where *values* say nothing of them."""
    return render({**WITHOUT, **(values or {})}, **options)
