"""
What AWS bills for the questions asked of CloudWatch, in US dollars. Pure.

List prices of us-east-1, the lowest there are; some regions bill more, which is why dollars are an estimate and
billable metrics are counted beside them. Which questions are worth their price is decided in `cloudwatch.plan`.
"""

from __future__ import annotations

STATISTICS_PER_METRIC = 5
"""Statistics of one metric in one GetMetricData request that are billed as one metric (aws-facts 2.3)."""

GET_METRIC_DATA_DOLLARS = 0.00001
"""One metric requested with GetMetricData: $0.01 per 1,000, no free tier, whatever the window (aws-facts 2.3)."""

REQUEST_DOLLARS = 0.00001
"""One other CloudWatch request, such as ListMetrics: $0.01 per 1,000 (aws-facts 2.3)."""

DESCRIBE_DOLLARS = 0.0
"""A Describe call of EC2, EFS, ElastiCache or KMS: not billed."""

month_seconds = 730 * 3600
"""A month as AWS's own price pages count it: 730 hours."""

_BILLED_BY_REQUEST = frozenset({"ListMetrics", "GetMetricStatistics", "ListDashboards", "DescribeAlarms"})


def billable(statistics: int) -> int:
    """How many metrics AWS counts for one metric asked in one request with that many statistics."""
    return -(-statistics // STATISTICS_PER_METRIC)


def dollars(metrics: int) -> float:
    """What that many billable metrics of GetMetricData cost."""
    return metrics * GET_METRIC_DATA_DOLLARS


def dollars_per_month(metrics: int, every: float) -> float:
    """What that many billable metrics cost in a month, asked each *every* seconds."""
    return dollars(metrics) * month_seconds / every


def request_dollars(operation: str) -> float:
    """What one call of *operation* costs apart from the metrics in it: 0 for Describe calls and GetMetricData."""
    return REQUEST_DOLLARS if operation in _BILLED_BY_REQUEST else DESCRIBE_DOLLARS
