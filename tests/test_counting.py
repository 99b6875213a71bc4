"""What the exporter counts of its own cost: answers, and apart from them what AWS may bill or not."""

from __future__ import annotations

import pytest

from exporter.demo import World, WorldClock
from tests.estates import platform
from tests.harness import T, config_of, line

OFF = {name: {"enabled": False} for name in ("efs", "elasticache", "protection")}
BILLABLE = "storage_exporter_aws_billable_metrics_total"
UNCONFIRMED = "storage_exporter_aws_unconfirmed_billable_metrics_total"


@pytest.mark.parametrize(
    ("kind", "reason"), [("throttle-400", "throttled"), ("error-500", "failed"), ("malformed", "failed")]
)
async def test_what_is_sent_again_is_counted_apart(kind: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A request that fails once and is answered at the second attempt: its metrics count once as billed and once as
    perhaps billed, with the dollars of the first only.
    """
    config = config_of(services={**OFF, "s3": {"enabled": False}})
    world = World(1, WorldClock(at=T), estate=platform(volumes=8, nodes=2, systems=0, buckets=0, pairs=0))
    async with line(monkeypatch, world, config) as over:
        over.server.faults.add(kind, service="cloudwatch", operation="GetMetricData", count=1)
        await over.run()
        asked = 9 * 8 + 2  # stalled, flow, latency and exceeded of 8 volumes; the checks of 2 nodes
        assert over.own(BILLABLE, aws_service="ebs") == asked
        assert over.own("storage_exporter_aws_queries_total") == asked
        assert over.own("storage_exporter_aws_cost_dollars_total") == pytest.approx(asked / 100_000)
        again = over.own(UNCONFIRMED, aws_service="ebs", operation="GetMetricData", reason=reason)
        assert 0 < again <= asked
        assert over.own(UNCONFIRMED) == again
        assert over.own("storage_exporter_aws_unconfirmed_queries_total") == again


async def test_what_is_never_answered_is_not_counted_as_billed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the attempts that failed stands among the unconfirmed; nothing among the billed, and no dollars."""
    config = config_of(services={**OFF, "s3": {"enabled": False}})
    world = World(1, WorldClock(at=T), estate=platform(volumes=8, nodes=2, systems=0, buckets=0, pairs=0))
    async with line(monkeypatch, world, config) as over:
        over.server.faults.add("error-500", service="cloudwatch", operation="GetMetricData")
        await over.run()
        assert over.own(BILLABLE) == 0
        assert over.own("storage_exporter_aws_cost_dollars_total") == 0
        attempts = over.own("storage_exporter_aws_requests_total", operation="GetMetricData")
        errors = over.own("storage_exporter_aws_errors_total", operation="GetMetricData")
        assert attempts == errors > 1
        assert over.own(UNCONFIRMED, reason="failed") >= attempts


async def test_requests_that_are_billed_by_themselves_have_their_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 by the request, a "there is none" included, ListMetrics too; Describe calls nothing."""
    config = config_of(services={**OFF, "s3": {"tiers": ["essential"]}})
    world = World(1, WorldClock(at=T), estate=platform(volumes=8, nodes=2, systems=0, buckets=7, pairs=0))
    cost = "storage_exporter_aws_cost_dollars_total"
    async with line(monkeypatch, world, config) as over:
        await over.run()
        assert over.own(cost, operation="ListBuckets") == pytest.approx(0.000005)
        assert over.own(cost, operation="ListBucketMetricsConfigurations") == pytest.approx(7 * 0.000005)
        asked = over.own("storage_exporter_aws_requests_total", operation="GetBucketLifecycleConfiguration")
        failed = over.own("storage_exporter_aws_errors_total", operation="GetBucketLifecycleConfiguration")
        assert asked == failed == 7  # none of them has a lifecycle, which AWS answers with a 404
        assert over.own(cost, operation="GetBucketLifecycleConfiguration") == pytest.approx(7 * 0.0000004)
        assert over.own(cost, operation="DescribeVolumes") == 0
    config = config_of(services={**OFF, "ebs": {"enabled": False}})
    async with line(monkeypatch, world, config) as over:
        await over.run()
        assert over.own(cost, operation="ListMetrics") > 0
