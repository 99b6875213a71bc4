"""The bill: what AWS counts, and what a month of it costs."""

from __future__ import annotations

import pytest

from exporter.aws import prices


@pytest.mark.parametrize(("statistics", "metrics"), [(0, 0), (1, 1), (2, 1), (5, 1), (6, 2), (10, 2), (11, 3)])
def test_up_to_five_statistics_of_a_metric_in_one_request_are_billed_as_one(statistics: int, metrics: int) -> None:
    """AWS's price page: five statistics of the same metric in a single request count once; further ones anew."""
    assert prices.billable(statistics) == metrics


def test_a_thousand_metrics_cost_one_cent() -> None:
    """GetMetricData: $0.01 per 1,000 metrics requested."""
    assert prices.dollars(1000) == pytest.approx(0.01)


@pytest.mark.parametrize(("metrics", "every", "dollars"), [(100, 60, 43.8), (100, 300, 8.76), (1000, 900, 29.2)])
def test_a_month_has_730_hours(metrics: int, every: int, dollars: float) -> None:
    """A hundred metrics each minute are 4.38 million metrics a month: $43.80."""
    assert prices.dollars_per_month(metrics, every) == pytest.approx(dollars)


@pytest.mark.parametrize(
    ("operation", "dollars"),
    [("ListMetrics", 0.00001), ("GetMetricStatistics", 0.00001), ("GetMetricData", 0.0), ("DescribeVolumes", 0.0)],
)
def test_only_some_calls_are_billed_by_the_call(operation: str, dollars: float) -> None:
    """ListMetrics costs by request, GetMetricData by metric, Describe nothing."""
    assert prices.request_dollars(operation) == dollars
