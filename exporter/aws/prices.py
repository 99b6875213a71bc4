"""
What AWS bills for what the exporter asks, in US dollars, and the quotas it must stay below. Pure.

List prices of us-east-1, the lowest there are; some regions bill more, which is why dollars are an estimate and
billable metrics are counted beside them. On the bill, GetMetricData is the usage type ``CW:GMD-Metrics`` (with the
region's prefix), in metrics; ListMetrics is in ``CW:Requests``. Which questions are worth their price is decided in
`cloudwatch.plan`.

Sources: aws-facts 2.1 (CloudWatch quotas) and 2.3 (billing), which quote the CloudWatch pages; prices there are
secondary, so check the bill. S3: the request prices of its price page, of which third parties quote $0.005 per 1,000
for LIST and $0.0004 per 1,000 for "GET and all other"; that reading a bucket's settings is the latter is not confirmed.
KMS: its price page counts every API request, 20,000 a month free, $0.03 per 10,000.
"""

from __future__ import annotations

STATISTICS_PER_METRIC = 5
"""Statistics of one metric in one GetMetricData request that are billed as one metric (aws-facts 2.3)."""

GET_METRIC_DATA_DOLLARS = 0.00001
"""One metric requested with GetMetricData: $0.01 per 1,000, no free tier, whatever the window (aws-facts 2.3)."""

REQUEST_DOLLARS = 0.00001
"""One other CloudWatch request, such as ListMetrics: $0.01 per 1,000 (aws-facts 2.3)."""

FREE_REQUESTS = 1_000_000
"""Other CloudWatch requests of an account that are free each month (aws-facts 2.3); the counters do not know of it."""

DESCRIBE_DOLLARS = 0.0
"""A Describe call of EC2, EFS, ElastiCache, Application Auto Scaling or AWS Backup: not billed."""

S3_LIST_DOLLARS = 0.000005
"""One ListBuckets or List… of a bucket's settings: as LIST, $0.005 per 1,000 (secondary)."""

S3_GET_DOLLARS = 0.0000004
"""One request for a setting of a bucket: as "GET and all other requests", $0.0004 per 1,000 (secondary)."""

KMS_DOLLARS = 0.000003
"""One KMS request such as DescribeKey: $0.03 per 10,000 (KMS price page)."""

KMS_FREE_REQUESTS = 20_000
"""KMS requests of an account that are free each month; the counters do not know of it."""

MEMBERS_PER_REQUEST = 500
"""``MetricDataQueries`` of one GetMetricData request (aws-facts 2.1)."""

DATAPOINTS_PER_REQUEST = 100_800
"""Datapoints of one GetMetricData answer, over all its queries; more come in pages (aws-facts 2.1)."""

REQUESTS_PER_SECOND = 50
"""GetMetricData requests of an account and region a second; newer accounts have 500 (aws-facts 2.1: plan for 50)."""

DATAPOINTS_PER_SECOND = 180_000
"""Datapoints of an account and region a second, the start of the window within the last three hours (aws-facts 2.1)."""

month_seconds = 730 * 3600
"""A month as AWS's own price pages count it: 730 hours."""

_CLOUDWATCH = frozenset({"ListMetrics", "GetMetricStatistics", "ListDashboards", "DescribeAlarms"})


def billable(statistics: int) -> int:
    """How many metrics AWS counts for one metric asked in one request with that many statistics."""
    return -(-statistics // STATISTICS_PER_METRIC)


def dollars(metrics: int) -> float:
    """What that many billable metrics of GetMetricData cost."""
    return metrics * GET_METRIC_DATA_DOLLARS


def dollars_per_month(metrics: int, every: float) -> float:
    """What that many billable metrics cost in a month, asked each *every* seconds."""
    return dollars(metrics) * month_seconds / every


def request_dollars(api: str, operation: str) -> float:
    """
    What one request costs at the list price, apart from the metrics in it: 0 for Describe calls and GetMetricData.

    Args:
        api: botocore's name of the API, such as ``cloudwatch``.

        operation: as AWS spells it.
    """
    match api:
        case "cloudwatch":
            return REQUEST_DOLLARS if operation in _CLOUDWATCH else 0.0
        case "s3":
            return S3_LIST_DOLLARS if operation.startswith("List") else S3_GET_DOLLARS
        case "kms":
            return KMS_DOLLARS
        case _:
            return DESCRIBE_DOLLARS


def free_requests(api: str) -> int:
    """Requests to *api* (as `request_dollars` has it) of an account that are free each month."""
    return {"cloudwatch": FREE_REQUESTS, "kms": KMS_FREE_REQUESTS}.get(api, 0)
