"""What AWS does to a client, at the wire: the rest goes on, what was known stays, metrics say so."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from exporter.config import Config
from exporter.demo import World, WorldClock
from exporter.services.registry import SERVICES
from tests.harness import Line, T, config_of, limits_for, line, log_lines

CALL_FAULTS = [
    "throttle-400",
    "throttle-503",
    "error-500",
    "denied",
    "expired",
    "cut",
    "truncated",
    "malformed",
    "hang",
]
READ = "aws_ebs_volume_read_bytes_per_second"


def volumes_and_files(kind: str = "") -> Config:
    """Without the other services, which survive in files of their own; *kind* befalls calls."""
    return config_of(limits=limits_for(kind), services={name: {"enabled": name in {"ebs", "efs"}} for name in SERVICES})


async def passes(over: Line, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        await over.run(T + 60 * number)


@pytest.mark.parametrize("kind", CALL_FAULTS)
async def test_describe_volumes_fails_alone(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever befalls DescribeVolumes, volumes stay as known, EFS is whole, and metrics name the operation."""
    async with line(monkeypatch, config=volumes_and_files(kind)) as over:
        await over.run(T)
        before, families = over.series(), over.names()
        over.server.faults.add(kind, service="ec2", operation="DescribeVolumes", seconds=30)
        with log_lines() as log:
            feeds = await over.run(T + 300)
        assert set(feeds["ebs"].report.failures) == {"DescribeVolumes"}
        assert feeds["efs"].report.ok
        assert families["aws_ebs_volume_size_bytes"] == over.names()["aws_ebs_volume_size_bytes"]
        assert {key for key in before if "_info" in key[0]} == {key for key in over.series() if "_info" in key[0]}
        assert over.own("storage_exporter_job_success", aws_service="ebs") == 0
        assert over.own("storage_exporter_job_success", aws_service="efs") == 1
        assert over.own("storage_exporter_aws_errors_total", operation="DescribeVolumes") >= 1
        assert over.own("storage_exporter_discovery_success", operation="DescribeVolumes") == 0
        told = [json.loads(text) for text in log.getvalue().splitlines()]
        assert [each["operation"] for each in told if each["event"] == "operation_failed"] == ["DescribeVolumes"]


@pytest.mark.parametrize("kind", CALL_FAULTS)
async def test_get_metric_data_fails_alone_and_leaves_no_hole(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While GetMetricData fails facts go on; the first answer afterwards covers every period of the outage."""
    async with line(monkeypatch, config=volumes_and_files(kind)) as over:
        await over.run(T)
        over.server.clear_calls()
        over.server.faults.add(kind, service="cloudwatch", seconds=30)
        feeds = await over.run(T + 60)
        assert set(feeds["efs"].report.failures) == {"GetMetricData"}
        assert over.own("storage_exporter_job_success", aws_service="efs") == 0
        assert over.value("aws_ebs_volume_size_bytes", volume_id=_volume(over)) is not None
        system = over.server.world.file_system("eks_production").file_system_id
        assert over.value("aws_efs_file_system_metered_io_bytes_per_second", file_system_id=system) is not None  # kept
        over.server.faults.clear()
        over.server.clear_calls()
        feeds = await over.run(T + 240)
        assert feeds["efs"].report.ok
        asked = [
            (request.start, request.end)
            for request in (call.request for call in over.asked())
            if request is not None
            for query in request.queries
            if query.metric == "MeteredIOBytes" and ("FileSystemId", system) in query.dimensions
        ]
        # One question, from the end of the newest period that had arrived (CloudWatch was 3 minutes behind).
        assert asked == [(T - 180, T + 120)]


def _volume(over: Line) -> str:
    return over.server.world.volume("data-postgres-0").volume_id


async def test_a_denied_service_costs_the_other_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that lacks EFS: EBS is whole, EFS says nothing, each operation is named with its action, once."""
    async with line(monkeypatch, config=volumes_and_files()) as over:
        over.server.faults.add("denied", service="efs")
        with log_lines() as log:
            for number in range(3):
                feeds = await over.run(T + 60 * number)
        assert feeds["ebs"].report.ok
        assert set(feeds["efs"].report.failures) == {
            "DescribeFileSystems",
            "DescribeReplicationConfigurations",
        } or not (feeds["efs"].report.failures)
        assert not [name for name in over.names() if name.startswith("aws_efs_")]
        told = [json.loads(text) for text in log.getvalue().splitlines()]
        failed = [each for each in told if each["event"] == "operation_failed"]
        assert sorted(each["operation"] for each in failed) == [
            "DescribeFileSystems",
            "DescribeReplicationConfigurations",
        ]
        assert "grant elasticfilesystem:DescribeFileSystems" in failed[0]["msg"] + failed[1]["msg"]


async def test_a_hang_of_one_operation_does_not_hold_the_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """DescribeVolumeStatus that never answers costs its deadline once, and its own facts only."""
    async with line(monkeypatch, config=volumes_and_files("hang")) as over:
        over.server.faults.add("hang", service="ec2", operation="DescribeVolumeStatus", seconds=60)
        began = asyncio.get_running_loop().time()
        feeds = await over.run(T, only="ebs")
        took = asyncio.get_running_loop().time() - began
        assert set(feeds["ebs"].report.failures) == {"DescribeVolumeStatus"}
        assert took < 12
        assert over.names()[READ] > 20
        assert "aws_ebs_volume_status" not in over.names()


async def test_a_pass_that_is_cut_off_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that reaches its deadline is a failure; facts it had read by then are served."""
    config = config_of(limits={"deadline": "10s", "pass_deadline": "10s"})
    async with line(monkeypatch, config=config) as over:
        over.server.faults.add("slow", service="cloudwatch", seconds=30)
        await over.run(T, only="ebs")
        assert over.own("storage_exporter_job_success", aws_service="ebs") == 0
        assert over.names()["aws_ebs_volume_size_bytes"] > 20
        assert READ not in over.names()


@pytest.mark.parametrize(
    ("kind", "options", "status", "whole"),
    [
        ("partial-data", {}, "complete", True),
        ("partial-data-no-token", {}, "partial", False),
        ("internal-error", {"metric": "VolumeReadBytes"}, "internal_error", False),
        ("forbidden-result", {"metric": "VolumeReadBytes"}, "forbidden", False),
        ("nan-strings", {"metric": "VolumeReadBytes"}, "refused", True),
        ("shuffled", {}, "complete", True),
    ],
)
async def test_results_that_are_not_whole(
    kind: str, options: dict[str, Any], status: str, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result that is partial, failed or odd costs itself only, is counted by its status, and is asked again."""
    async with line(monkeypatch, config=volumes_and_files()) as right:
        await right.run(T, only="ebs")
        good = right.series()
    async with line(monkeypatch, config=volumes_and_files()) as over:
        over.server.faults.add(kind, service="cloudwatch", **options)
        feeds = await over.run(T, only="ebs")
        assert over.own("storage_exporter_aws_results_total", status=status) > 0
        assert feeds["ebs"].report.ok == whole
        assert over.series().keys() <= good.keys()
        if kind in {"partial-data", "shuffled"}:
            assert over.series() == good
        if not whole:
            over.server.faults.clear()
            feeds = await over.run(T + 60, only="ebs")
            assert feeds["ebs"].report.ok
            assert over.series().keys() == good.keys()


async def test_pages_of_one_item_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every paginated call is read to its end: pages of three items tell what one page tells."""
    async with line(monkeypatch, config=volumes_and_files()) as one:
        await one.run(T)
        good = one.series()
    async with line(monkeypatch, config=volumes_and_files()) as over:
        over.server.faults.add("small-pages", size=3, service="ec2")
        over.server.faults.add("small-pages", size=1, service="efs")
        over.server.faults.add("small-pages", size=200, service="cloudwatch")
        await over.run(T)
        assert over.series() == good
        assert len(over.server.calls) > 30


async def test_an_endless_page_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same NextToken for ever is an error of that operation, not a loop."""
    async with line(monkeypatch, config=volumes_and_files()) as over:
        over.server.faults.add("token-loop", service="ec2", operation="DescribeSnapshots")
        feeds = await over.run(T, only="ebs")
        assert set(feeds["ebs"].report.failures) == {"DescribeSnapshots"}
        assert over.names()[READ] > 20


async def test_an_operation_aws_does_not_know_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation a stand-in lacks is named and costs its own facts only."""
    async with line(monkeypatch, config=volumes_and_files()) as over:
        over.server.faults.add("unknown-operation", service="ec2", operation="DescribeVolumesModifications")
        feeds = await over.run(T, only="ebs")
        assert set(feeds["ebs"].report.failures) == {"DescribeVolumesModifications"}
        assert over.names()["aws_ebs_volume_status"] > 0


async def test_an_empty_account_is_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing there: both jobs succeed, nothing is asked of CloudWatch, no series of AWS."""
    async with line(monkeypatch, world=World.empty(1, WorldClock(at=T))) as over:
        feeds = await over.run(T)
        assert all(feed.report.ok for feed in feeds.values())
        assert over.series() == {}
        assert not over.asked()
        assert over.own("storage_exporter_resources", resource_type="volume") == 0


async def test_messages_of_cloudwatch_are_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What CloudWatch says about a request reaches the log with its code, and not every minute."""
    async with line(monkeypatch, config=volumes_and_files()) as over:
        over.server.faults.add("messages", service="cloudwatch", code="Truncated", value="too many metrics")
        with log_lines() as log:
            await passes(over, 3)
        told = [json.loads(text) for text in log.getvalue().splitlines()]
        said = [each for each in told if each["event"] == "cloudwatch_message" and each["aws_service"] == "efs"]
        assert [each["msg"] for each in said] == ["CloudWatch says Truncated: too many metrics"]


async def test_no_credentials_is_said_and_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused credentials: no series, a failing job without an account; once they work the job has its account."""
    async with line(monkeypatch, config=volumes_and_files()) as over:
        over.server.faults.add("expired", service="sts")
        feeds = await over.run(T)
        assert "GetCallerIdentity" in feeds["ebs"].report.failures
        assert over.own("storage_exporter_job_success", account_id="", job_name="ebs/ap-southeast-3") == 0
        assert over.series() == {}
        over.server.faults.clear()
        await over.run(T + 60)
        assert over.own("storage_exporter_job_success", account_id="123456789012", aws_service="ebs") == 1
        assert (
            'storage_exporter_job_success{account_id=""' not in over.parts.telemetry.render(openmetrics=False).decode()
        )
