"""The whole program with a pod's identity: chains over accounts, the wrong role, ends in mid-pass, and no secrets."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from botocore.utils import ContainerMetadataFetcher

from exporter.config.services import Services
from exporter.demo import DemoServer, World, WorldClock
from exporter.demo.agent import Agent
from tests.aws_wire import until
from tests.harness import Line, T, config_of, limits_for, line, log_lines
from tests.running import has, running

HERE, OTHER, THIRD = "ap-southeast-3", "eu-west-1", "us-east-1"
HUB = "arn:aws:iam::210987654321:role/hub"
LEAF = "arn:aws:iam::333344445555:role/team/leaf"
SHUT = "arn:aws:iam::444455556666:role/shut"
ONLY_EBS = {name: {"enabled": False} for name in Services.model_fields if name not in {"ebs", "jobs"}}


def only(server: DemoServer, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pod with the agent's identity alone."""
    assert server.url
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in agent.environment().items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def in_a_pod(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **sections: object
) -> AsyncIterator[tuple[Line, Agent]]:
    """The line with the identity of a pod."""
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0.01)
    config = config_of(services=ONLY_EBS, limits=limits_for(), **sections)
    async with line(monkeypatch, config=config) as made, Agent(made.server, tmp_path / "pod-token") as agent:
        only(made.server, agent, monkeypatch)
        yield made, agent


def roles(*arns: str) -> list[dict[str, str]]:
    """A chain of roles; each has its own external id."""
    return [{"arn": arn, "external_id": f"id-of-{arn.rpartition('/')[2]}"} for arn in arns]


def accounts(made: Line, name: str = "aws_ebs_volume_size_bytes") -> set[tuple[str, str]]:
    """(account_id, region) of the series of *name*."""
    return {(dict(own)["account_id"], dict(own)["region"]) for each, own in made.series() if each == name}


def _asked_more(agent: Agent, times: int) -> bool:
    """Whether the agent has answered more often than that."""
    return len(agent.answers) > times


# ---- chains --------------------------------------------------------------------------------------------------------


async def test_chains_over_accounts_and_regions_and_one_that_is_shut(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """
    Own account, one hop, two hops with external ids, two regions: each scope's series carry its own account. The role
    that refuses the pod's tags costs its own scope only, and the error names it, TagSession and the trust policy.
    """
    scopes = [
        {"regions": [HERE]},
        {"regions": [HERE, OTHER], "roles": roles(HUB)},
        {"regions": [OTHER, THIRD], "roles": roles(HUB, LEAF)},
        {"regions": [HERE], "roles": roles(HUB, SHUT)},
    ]
    async with in_a_pod(monkeypatch, tmp_path, scopes=scopes) as (made, agent):
        world = made.server.world
        world.roles.update({HUB: "id-of-hub", LEAF: "id-of-leaf", SHUT: "id-of-shut"})
        world.untagged_roles.add(SHUT)
        for seed, (account, region) in enumerate(
            [("210987654321", HERE), ("210987654321", OTHER), ("333344445555", OTHER), ("333344445555", THIRD)], 2
        ):
            made.server.add_world(World(seed, WorldClock(at=T), account_id=account, region=region))
        with log_lines() as lines:
            await made.run()
        assert accounts(made) == {
            (world.account_id, HERE),
            ("210987654321", HERE),
            ("210987654321", OTHER),
            ("333344445555", OTHER),
            ("333344445555", THIRD),
        }
        failed = [each for each in lines.getvalue().splitlines() if '"job_failed"' in each]
        assert len(failed) == 1
        for word in (SHUT, "sts:TagSession", "trust policy", "444455556666"):
            assert word in failed[0]
        assert made.own("storage_exporter_credentials_refresh_failures_total", account_id="444455556666") >= 1
        # The hop is shared by the chains of a region, and the agent's answer by all.
        assert agent.calls == 1
        asked = [call.parameters["RoleArn"] for call in made.server.calls if call.operation == "AssumeRole"]
        assert (asked.count(HUB), asked.count(LEAF)) == (3, 2)


async def test_sts_that_fails_while_chaining_costs_that_scope_one_pass(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Four tries within the call's deadline; the own account is read meanwhile, the chain at the next pass."""
    scopes = [{"regions": [HERE]}, {"regions": [HERE], "roles": roles(HUB)}]
    async with in_a_pod(monkeypatch, tmp_path, scopes=scopes) as (made, _):
        made.server.world.roles[HUB] = "id-of-hub"
        made.server.add_world(World(2, WorldClock(at=T), account_id="210987654321"))
        made.server.faults.add("error-500", service="sts", operation="AssumeRole")
        with log_lines() as lines:
            await made.run()
        assert accounts(made) == {(made.server.world.account_id, HERE)}
        assert f"role {HUB} cannot be assumed" in lines.getvalue()
        assert made.own("storage_exporter_credentials_refresh_failures_total", code="InternalFailure") == 1
        made.server.faults.clear()
        # A provider that has just failed is left alone for some seconds; the next pass comes later than that.
        monkeypatch.setattr("exporter.aws.session.LEAST_REFRESH", 0.0)
        await made.run(T + 60)
        assert accounts(made) == {(made.server.world.account_id, HERE), ("210987654321", HERE)}


async def test_a_session_that_ends_in_mid_pass_costs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is refused is asked again with the credentials the agent gives next; the pass is whole."""
    monkeypatch.setattr("exporter.aws.session.REFUSED_INTERVAL", 0.0)
    async with in_a_pod(monkeypatch, tmp_path) as (made, agent):
        slow = made.server.faults.add("slow", service="ec2", seconds=0.3, count=1)
        passing = asyncio.create_task(made.run())
        await until(lambda: slow.hit == 1)
        agent.end_sessions()
        feeds = await passing
        assert feeds["ebs"].report.failures == {}
        assert feeds["ebs"].report.ok
        assert agent.calls == 2
        assert any(call.error in {"ExpiredToken", "RequestExpired"} for call in made.server.calls)


# ---- the wrong role ------------------------------------------------------------------------------------------------


async def test_with_the_wrong_role_nothing_is_read_and_it_never_becomes_ready(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says whom AWS knows and whom identity.role wants; AWS is asked for nothing else, by any scope."""
    wanted = "arn:aws:iam::123456789012:role/storage-exporter"
    text = (
        f"identity: {{role: '{wanted}'}}\nscopes: [{{regions: [{HERE}]}}, "
        f"{{regions: [{HERE}], roles: [{{arn: '{HUB}'}}]}}]\n"
    )
    async with running(monkeypatch, tmp_path, text) as run:
        run.server.world.roles[HUB] = None
        await run.until(lambda page: "no scope has working credentials" in page, "/-/ready")
        status, _ = await run.get("/-/ready")
        assert status == 503
        assert {call.operation for call in run.server.calls} == {"GetCallerIdentity"}
        assert "\naws_" not in (await run.get("/metrics"))[1]
    said = [each.getMessage() for each in caplog.records if getattr(each, "event", "") == "job_failed"]
    assert said
    assert all("user/demo" in each and wanted in each for each in said)


async def test_once_says_the_wrong_role_on_stderr(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process of its own, asked of the agent on this loop: exit code 1, the reason, and no series."""
    async with in_a_pod(monkeypatch, tmp_path) as (made, agent):
        agent.role = "arn:aws:iam::123456789012:role/monitoring"
        file = tmp_path / "config.yaml"
        wanted = "arn:aws:iam::123456789012:role/storage-exporter"
        put = f"identity: {{provider: pod-identity, role: '{wanted}'}}\n"
        await asyncio.to_thread(file.write_text, put)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "exporter", "once", "--config", str(file)),
            env={**os.environ, **agent.environment()},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = (each.decode() for each in await asyncio.wait_for(process.communicate(), 60))
        assert process.returncode == 1
        assert "assumed-role/monitoring/" in err
        assert wanted in err
        assert "identity.role" in err
        assert out == ""
        assert {call.operation for call in made.server.calls} == {"GetCallerIdentity"}


# ---- nothing secret ------------------------------------------------------------------------------------------------


async def test_nothing_secret_is_shown_whatever_goes_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Log at level debug with tracebacks, metrics, landing page and readiness, in good days and bad: no secret key, no
    session token, no token of a file.
    """
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="exporter")
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0.01)
    agents: list[Agent] = []

    async def before(server: DemoServer) -> None:
        server.world.roles.update({HUB: "id-of-hub", SHUT: None})
        server.world.untagged_roles.add(SHUT)
        server.add_world(World(2, WorldClock(at=T), account_id="210987654321"))
        agents.append(Agent(server, tmp_path / "pod-token"))
        await agents[0].start()
        only(server, agents[0], monkeypatch)

    text = (
        f"scopes: [{{regions: [{HERE}]}}, {{regions: [{HERE}], roles: [{{arn: '{HUB}', external_id: id-of-hub}}]}}, "
        f"{{regions: [{HERE}], roles: [{{arn: '{SHUT}'}}]}}]\nservices: {json.dumps(ONLY_EBS)}\n"
    )
    async with running(monkeypatch, tmp_path, text, before=before) as run:
        agent = agents[0]
        try:
            pages = [
                await run.until(has("aws_ebs_volume_size_bytes")),
                await run.until(lambda page: page.strip() == "ready", "/-/ready"),
            ]
            for trouble in ("malformed", "missing", "400"):
                asked = len(agent.answers)
                agent.trouble = trouble
                agent.end_sessions()
                assert (await run.reload())[0] == 200
                await until(partial(_asked_more, agent, asked))
            await run.until(lambda page: 'code="KeyError"' in page and 'code="CredentialRetrievalError"' in page)
            pages += [(await run.get(path))[1] for path in ("/metrics", "/", "/-/ready", "/-/healthy")]
        finally:
            await agent.stop()
        secrets = {*agent.tokens, await asyncio.to_thread(agent.token_file.read_text)}
        for key in run.server.keys:
            secrets |= {key.secret_access_key, key.session_token or ""}
    whole = "\n".join([*pages, caplog.text])
    assert "assumed-role/hub/storage-exporter" in whole
    assert "sts:TagSession" in caplog.text
    assert len(secrets) > 6
    assert [secret for secret in secrets if secret and secret in whole] == []
