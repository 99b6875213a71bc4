"""Calls to the simulated AWS over the wire: signed, counted, repeated where that helps, over in time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from aiohttp import web

from exporter.demo.server import DemoServer
from exporter.errors import (
    ConfigError,
    CredentialsError,
    DeadlineError,
    RequestError,
    TransientError,
)
from exporter.model import Scope
from tests.aws_wire import (
    PLANES,
    REGION,
    both_planes,
    head,
    running,
    serving,
    simulated_aws,
    told,
    until,
    volumes,
)


@dataclass(frozen=True)
class Role:
    """A role as the configuration names it."""

    arn: str
    external_id: str | None = None
    session_name: str = "storage-exporter"


@pytest.fixture
async def demo(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DemoServer]:
    """The simulated AWS, with the environment that leads to it."""
    async with simulated_aws(monkeypatch) as server:
        yield server


# ---- who we are ----------------------------------------------------------------------------------------------------


async def test_the_scope_is_the_account_that_sts_names(demo: DemoServer, caplog: pytest.LogCaptureFixture) -> None:
    """Account and region from GetCallerIdentity, asked once; a metric and a log line say who and from where."""
    caplog.set_level(logging.INFO, logger="exporter")
    telling = told()
    async with running(telling) as runtime:
        access = runtime.open(None)
        scopes = await asyncio.gather(*(access.identify() for _ in range(5)))
        assert set(scopes) == {Scope(demo.world.account_id, demo.world.region)}
        assert access.scope == scopes[0]
    assert [call.operation for call in demo.calls] == ["GetCallerIdentity"]
    (labels,) = telling.labels("identity_info")
    assert (labels["account_id"], labels["provider"]) == (demo.world.account_id, "env")
    assert labels["arn"] == f"arn:aws:iam::{demo.world.account_id}:user/demo"
    (line,) = [record for record in caplog.records if getattr(record, "event", "") == "aws_identity"]
    assert labels["arn"] in line.getMessage()
    assert demo.secret_access_key not in caplog.text


async def test_roles_are_assumed_one_after_another(demo: DemoServer) -> None:
    """The last role's account is the scope; its session's expiry is a metric; its chain asked STS once a role."""
    arns = ["arn:aws:iam::210987654321:role/first", "arn:aws:iam::333344445555:role/second"]
    demo.world.roles.update({arns[0]: None, arns[1]: "external"})
    telling = told()
    async with running(telling) as runtime:
        access = runtime.open(REGION, [Role(arns[0]), Role(arns[1], "external")])
        assert access.scope.account_id == "333344445555"
        assert await access.identify() == Scope("333344445555", REGION, arns[1])
        assert await access.read_all("ec2", "DescribeVolumes", "Volumes", {}, aws_service="ebs") == []
        assert runtime.open(REGION, [Role(arns[0]), Role(arns[1], "external")]) is access
    assert [call.operation for call in demo.calls] == [
        "AssumeRole", "AssumeRole", "GetCallerIdentity", "DescribeVolumes",
    ]  # fmt: skip
    (labels,) = telling.labels("identity_info")
    assert labels["arn"] == "arn:aws:sts::333344445555:assumed-role/second/storage-exporter"
    assert labels["provider"] == "assume-role/assume-role/env"
    assert telling.value("credentials_expiry_timestamp_seconds", account_id="333344445555") > 0


async def test_a_role_that_may_not_be_assumed_names_both_actions_it_needs(demo: DemoServer) -> None:
    """Pod Identity's session tags need sts:TagSession on each role of the chain (chart.md 3.7)."""
    telling = told()
    async with running(telling) as runtime:
        with pytest.raises(CredentialsError, match=r"role/nobody may not be assumed.*sts:AssumeRole.*sts:TagSession"):
            await runtime.open(REGION, [Role("arn:aws:iam::210987654321:role/nobody")]).identify()
    assert telling.value("aws_errors_total", operation="AssumeRole", code="AccessDenied") == 1
    assert telling.value("credentials_refresh_failures_total", code="AccessDenied") == 1


@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
        ({}, "ap-south-1"),
    ],
)
async def test_the_default_region_is_aws_region_then_aws_default_region_then_the_profiles(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], region: str
) -> None:
    """The configuration need not name one."""
    (tmp_path / "config").write_text("[default]\nregion = ap-south-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with running() as runtime:
        assert runtime.open(None).scope.region == region


async def test_without_any_region_the_error_names_the_ways_to_set_one() -> None:
    """A configuration error, before anything is asked."""
    async with running() as runtime:
        with pytest.raises(ConfigError, match=r"scopes\[\]\.regions.*AWS_REGION.*AWS profile"):
            runtime.open(None)


async def test_a_profile_that_does_not_exist_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named in the error, before anything is asked."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(CredentialsError, match="nobody"):
        async with running():
            pytest.fail("started with a profile that does not exist")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>", "names no account"),
        ("<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>", "is no|are no"),
    ],
)
async def test_an_identity_without_an_account_is_no_identity(
    monkeypatch: pytest.MonkeyPatch, demo: DemoServer, answer: str, error: str
) -> None:
    """Series must not begin under an account that nobody named."""

    async def sts(_: web.Request) -> web.Response:
        return web.Response(text=answer)

    async with serving(sts) as url, running() as runtime:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        access = runtime.open(REGION)
        with pytest.raises(TransientError, match=error):
            await access.identify()
        assert access.scope.account_id == ""


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, "<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>"),
        (400, "<ErrorResponse><Error><Code>ValidationError</Code><Message>no</Message></Error></ErrorResponse>"),
    ],
)
async def test_a_role_that_sts_does_not_give_is_a_credentials_error_with_its_name(
    monkeypatch: pytest.MonkeyPatch, demo: DemoServer, status: int, answer: str
) -> None:
    """Whatever STS says instead of credentials."""

    async def sts(_: web.Request) -> web.Response:
        return web.Response(status=status, text=answer)

    async with serving(sts) as url, running() as runtime:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        with pytest.raises(CredentialsError, match="role/one"):
            await runtime.open(REGION, [Role("arn:aws:iam::210987654321:role/one")]).identify()


# ---- what comes back -----------------------------------------------------------------------------------------------


async def test_the_thin_call_gives_what_boto3_gives(demo: DemoServer) -> None:
    """The same values for the same query, from a server that verifies signatures."""
    async with running() as runtime:
        access = runtime.open(REGION)
        listed = await access.read_all("ec2", "DescribeVolumes", "Volumes", {}, aws_service="ebs", page_size=100)
        used = next(each for each in listed if each["Attachments"] and each["VolumeType"] == "gp3")
        end = int(demo.world.now()) // 60 * 60 - 600
        answer = await access.get_metric_data(lambda: head(used["VolumeId"]), end - 600, end, aws_service="ebs")
    client: Any = boto3.client("cloudwatch", region_name=REGION)
    query = {
        "Id": "q0",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/EBS",
                "MetricName": "VolumeReadOps",
                "Dimensions": [{"Name": "VolumeId", "Value": used["VolumeId"]}],
            },
            "Period": 60,
            "Stat": "Sum",
        },
    }
    theirs: Any = await asyncio.to_thread(
        lambda: client.get_metric_data(MetricDataQueries=[query], StartTime=end - 600, EndTime=end)
    )
    (ours,), (reference,) = answer["MetricDataResults"], theirs["MetricDataResults"]
    assert ours["Values"] == reference["Values"]
    assert len(ours["Values"]) == 10
    assert ours["Timestamps"] == [at.timestamp() for at in reference["Timestamps"]]


async def test_timestamps_of_describe_calls_are_datetimes(demo: DemoServer) -> None:
    """As botocore gives them, without its metadata."""
    async with running() as runtime:
        answer = await volumes(runtime.open(REGION))
    assert "ResponseMetadata" not in answer
    assert answer["Volumes"][0]["CreateTime"].timestamp() > 0


async def test_all_pages_are_read_and_each_is_a_counted_call(demo: DemoServer) -> None:
    """Pages of one item give the same list as one page, in the same order, on EC2 and on EFS."""
    telling = told()
    async with running(telling) as runtime:
        access = runtime.open(REGION)
        whole = await access.read_all("efs", "DescribeFileSystems", "FileSystems", {}, aws_service="efs")
        asked = telling.value("aws_requests_total", operation="DescribeFileSystems")
        paged = await access.read_all("efs", "DescribeFileSystems", "FileSystems", {}, aws_service="efs", page_size=1)
        assert [each["FileSystemId"] for each in paged] == [each["FileSystemId"] for each in whole]
        assert telling.value("aws_requests_total", operation="DescribeFileSystems") - asked >= len(whole) > 1
        volumes = await access.read_all("ec2", "DescribeVolumes", "Volumes", {}, aws_service="ebs")
        few = await access.read_all("ec2", "DescribeVolumes", "Volumes", {}, aws_service="ebs", page_size=7)
        assert [each["VolumeId"] for each in few] == [each["VolumeId"] for each in volumes]
    assert telling.value("aws_requests_total", operation="DescribeVolumes", aws_service="ebs") > len(volumes) / 7


async def test_a_token_that_comes_back_ends_the_reading(demo: DemoServer) -> None:
    """The same page for ever is AWS's mistake, not ours to repeat."""
    demo.faults.add("small-pages", service="ec2", size=5)
    demo.faults.add("token-loop", service="ec2")
    async with running() as runtime:
        with pytest.raises(RequestError, match="RepeatedToken"):
            await runtime.open(REGION).read_all("ec2", "DescribeVolumes", "Volumes", {}, aws_service="ebs", page_size=5)
    assert len(demo.calls) == 2


async def test_a_list_that_botocore_does_not_know_is_a_wrong_request(demo: DemoServer) -> None:
    """Nothing is sent."""
    async with running() as runtime:
        with pytest.raises(RequestError, match="UnknownOperation"):
            await runtime.open(REGION).read_all("ec2", "DescribeNothing", "Nothing", {}, aws_service="ebs")
    assert demo.calls == []


async def test_an_empty_page_with_a_token_is_not_the_last(monkeypatch: pytest.MonkeyPatch, demo: DemoServer) -> None:
    """EC2 and EFS filter after they have cut their pages (aws-facts 3.2)."""
    markers: list[str | None] = []

    async def efs(request: web.Request) -> web.Response:
        marker = request.query.get("Marker")
        markers.append(marker)
        page: dict[str, Any] = {"FileSystems": [{"FileSystemId": "fs-1"}] if marker == "b" else []}
        following = {None: "a", "a": "b"}.get(marker)
        return web.json_response(page | ({"NextMarker": following} if following else {}))

    async with serving(efs) as url, running() as runtime:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EFS", url)
        items = await runtime.open(REGION).read_all("efs", "DescribeFileSystems", "FileSystems", {}, aws_service="efs")
    assert [each["FileSystemId"] for each in items] == ["fs-1"]
    assert markers == [None, "a", "b"]


async def test_the_next_page_of_metric_data_is_asked_with_its_token(demo: DemoServer) -> None:
    """The same body with the token; the server that reads it understands both."""
    demo.faults.add("small-pages", service="cloudwatch", size=4)
    async with running() as runtime:
        access = runtime.open(REGION)
        listed = await access.read_all("ec2", "DescribeVolumes", "Volumes", {}, aws_service="ebs")
        used = next(each["VolumeId"] for each in listed if each["Attachments"] and each["VolumeType"] == "gp3")
        end = int(demo.world.now()) // 60 * 60 - 600
        values: list[float] = []
        token: str | None = None
        for _ in range(10):
            page = await access.get_metric_data(lambda: head(used), end - 600, end, aws_service="ebs", next_token=token)
            values += [value for result in page["MetricDataResults"] for value in result["Values"]]
            token = page.get("NextToken")
            if not token:
                break
    assert len(values) == 10


# ---- time and others -----------------------------------------------------------------------------------------------


async def test_one_hanging_api_leaves_the_others_alone(demo: DemoServer) -> None:
    """Forty callers of an API that hangs, in the end all told so; EFS answers meanwhile, and EC2 again afterwards."""
    demo.faults.add("hang", service="ec2")
    async with running(deadline=1.2) as runtime:
        access = runtime.open(REGION)
        hanging = [asyncio.create_task(volumes(access)) for _ in range(40)]
        await until(lambda: any(not task.done() for task in hanging))
        found = await access.read_all("efs", "DescribeFileSystems", "FileSystems", {}, aws_service="efs")
        assert found
        assert not any(task.done() for task in hanging)
        outcomes = await asyncio.gather(*hanging, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {DeadlineError}
        demo.faults.clear()
        assert await volumes(access)


async def test_the_concurrency_of_an_api_holds_over_all_callers_in_an_account(
    demo: DemoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two role chains into one account share its two slots."""
    arns = [f"arn:aws:iam::210987654321:role/{name}" for name in ("one", "two")]
    demo.world.roles.update(dict.fromkeys(arns))
    inside = most = 0

    async def ec2(request: web.Request) -> web.Response:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.02)
        inside -= 1
        return web.Response(text="<DescribeVolumesResponse><volumeSet/></DescribeVolumesResponse>")

    async with serving(ec2) as url, running(aws_concurrency=2) as runtime:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", url)
        accesses = [runtime.open(REGION, [Role(arn)]) for arn in arns]
        await asyncio.gather(*(volumes(access) for access in accesses for _ in range(6)))
    assert most == 2


@both_planes
async def test_a_cancelled_caller_leaves_at_once_and_the_exchange_ends(
    demo: DemoServer, plane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server sees the connection go, so no thread stays behind; cancellation is not turned into anything else."""
    begun, gone = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            gone.set()
        return web.Response()

    async with serving(hang) as url, running() as runtime:
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{plane.upper()}", url)
        calling = asyncio.create_task(PLANES[plane](runtime.open(REGION)))
        await asyncio.wait_for(begun.wait(), 60)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await asyncio.wait_for(gone.wait(), 60)


async def test_closing_ends_what_is_under_way(demo: DemoServer) -> None:
    """Whoever still waits when the program stops gets an error at once, and no thread is left waiting."""
    demo.faults.add("hang", service="ec2")
    async with running() as runtime:
        calling = asyncio.create_task(volumes(runtime.open(REGION)))
        await until(lambda: any(rule.hit for rule in demo.faults.rules()))
    with pytest.raises(TransientError):
        await asyncio.wait_for(calling, 60)
