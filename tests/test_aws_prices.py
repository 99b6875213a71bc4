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
    ("api", "operation", "dollars"),
    [
        ("cloudwatch", "ListMetrics", 0.00001),
        ("cloudwatch", "GetMetricStatistics", 0.00001),
        ("cloudwatch", "GetMetricData", 0.0),
        ("ec2", "DescribeVolumes", 0.0),
        ("s3", "ListBuckets", 0.000005),
        ("s3", "GetBucketVersioning", 0.0000004),
        ("kms", "DescribeKey", 0.000003),
        ("sts", "GetCallerIdentity", 0.0),
    ],
)
def test_only_some_calls_are_billed_by_the_call(api: str, operation: str, dollars: float) -> None:
    """ListMetrics, S3 and KMS cost by request, GetMetricData by metric, Describe nothing."""
    assert prices.request_dollars(api, operation) == dollars


def test_requests_of_cloudwatch_and_kms_are_free_up_to_a_number() -> None:
    """The free tier of an account: a million CloudWatch requests, twenty thousand of KMS, none of S3."""
    assert [prices.free_requests(api) for api in ("cloudwatch", "kms", "s3")] == [1_000_000, 20_000, 0]
