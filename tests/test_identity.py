"""EKS Pod Identity: the exporter, the node's agent and AWS on one event loop, which therefore cannot stall unseen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from exporter.demo.agent import ROLE
from exporter.errors import CredentialsError
from tests.aws_wire import until, volumes
from tests.harness import config_of
from tests.pods import HALF_LIFE, Pod, a_pod, ask, calls, identities

AGENT = "look at the EKS Pod Identity agent on this node"


@pytest.fixture
async def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Pod]:
    """A pod with an association; what it logs and measures is searched for secrets afterwards."""
    async with a_pod(monkeypatch, tmp_path, caplog) as made:
        yield made


def _in_use(pod: Pod, times: int) -> bool:
    """Whether the agent has given credentials so many times, and the last ones are in use."""
    return len(pod.agent.granted) == times and pod.expiry == int(pod.agent.granted[-1].expires or 0)


# ---- asked as little as possible -----------------------------------------------------------------------------------


async def test_fifty_calls_are_one_question_to_the_agent(pod: Pod) -> None:
    """Who and until when is in the metrics, and is what the agent said."""
    async with pod.runtime() as runtime:
        access = runtime.open(None)
        await access.identify()
        for _ in range(50):
            await ask(access)
    assert pod.agent.calls == 1
    assert pod.expiry == int(pod.agent.granted[0].expires or 0)
    assert identities(pod.telling) == [(pod.server.world.account_id, "container-role")]
    assert pod.failures == {}


async def test_fifty_first_calls_at_one_time_are_one_question(pod: Pod) -> None:
    """Where botocore itself would ask fifty times; other regions share the answer."""
    async with pod.runtime() as runtime:
        regions = [runtime.open(None), runtime.open("eu-west-1")]
        await asyncio.gather(*(calls(access, 25) for access in regions))
    assert pod.agent.calls == 1
    assert sum(call.operation == "GetCallerIdentity" and call.status == 200 for call in pod.server.calls) == 50


@pytest.mark.parametrize(("life", "half"), [(6 * 3600, 3 * 3600), (900, 450), (300, 150), (20, 10)])
async def test_short_lives_are_one_question_a_half_life(pod: Pod, life: int, half: int) -> None:
    """Not one a use, nor two a refresh, however much shorter than botocore's own margin of 15 minutes a life is."""
    pod.agent.life = life
    async with pod.runtime() as runtime:
        access = runtime.open(None)
        await access.identify()
        for times in (1, 2, 3):
            await calls(access, 30)
            assert pod.agent.calls == times
            await pod.clock.advance(half + 1)
            await until(partial(_in_use, pod, times + 1))


# ---- tokens --------------------------------------------------------------------------------------------------------


async def test_a_rotated_token_is_read_at_the_next_refresh(pod: Pod) -> None:
    """The agent takes the token of the file as it is by then, and no older one."""
    async with pod.runtime() as runtime:
        access = runtime.open(None)
        await access.identify()
        pod.agent.rotate("eks-pod-identity-token-1")
        await pod.clock.advance(HALF_LIFE)
        await until(partial(_in_use, pod, 2))
        await ask(access)
    assert pod.agent.tokens == ["eks-pod-identity-token-0", "eks-pod-identity-token-1"]


@pytest.mark.parametrize("rest", ["\n", "\nsecond-line", "\r\n"])
async def test_a_token_of_more_than_a_line_is_a_clear_error_until_it_is_right(pod: Pod, rest: str) -> None:
    """The provider's bare ValueError is our one class; the token is not in it; the file is read again."""
    token = pod.agent.token_file.read_text()
    pod.agent.token_file.write_text(token + rest)
    async with pod.runtime() as runtime:
        access = runtime.open(None)
        with pytest.raises(CredentialsError, match=r"not a legal header value.*token file") as raised:
            await ask(access)
        assert not pod.shown(str(raised.value))
        assert pod.agent.calls == 0
        assert pod.failures == {"ValueError": 1}
        pod.agent.token_file.write_text(token)
        await pod.clock.advance(6)
        await ask(access)


# ---- troubles while there are credentials --------------------------------------------------------------------------

TROUBLES = [
    ("503", "CredentialRetrievalError", 6 * 3600),
    ("400", "CredentialRetrievalError", 900),
    ("malformed", "CredentialRetrievalError", 6 * 3600),
    ("missing", "KeyError", 6 * 3600),
    ("hang", "CredentialRetrievalError", 900),
]


@pytest.mark.parametrize(("trouble", "code", "life"), TROUBLES)
async def test_troubles_of_the_agent_do_not_reach_calls_until_aws_refuses(
    pod: Pod, trouble: str, code: str, life: int
) -> None:
    """
    Each failure is counted and the expiry stays the old one's; the session's end is what ends calls; then they end with
    the agent named, and go on as soon as it is well again.
    """
    pod.agent.life = life
    async with pod.runtime() as runtime:
        access = runtime.open(None)
        await access.identify()
        expiry = pod.expiry
        pod.agent.trouble = trouble
        await pod.clock.advance(life / 2 + 1)
        await until(lambda: pod.failures == {code: 1})
        # AWS is the judge: also past the named expiry, as long as it takes them.
        for _ in range(3):
            await calls(access, 5)
            assert pod.expiry == expiry
            await pod.clock.advance(life / 4)
        await until(lambda: pod.failures[code] >= 2)
        pod.agent.end_sessions()
        with pytest.raises(CredentialsError, match=AGENT) as raised:
            await ask(access)
        assert not pod.shown(str(raised.value))
        assert pod.expiry == expiry
        pod.agent.trouble = ""
        await pod.clock.advance(301)
        await until(lambda: pod.expiry > expiry)
        await ask(access)


async def test_calls_are_answered_while_the_agent_hangs(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    """Agent, AWS and exporter are on one loop: forty answers between a question to the agent and its end."""
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.TIMEOUT_SECONDS", 30)
    async with pod.runtime() as runtime:
        access = runtime.open(None)
        await ask(access)
        pod.agent.trouble = "hang"
        await pod.clock.advance(HALF_LIFE)
        await until(lambda: pod.agent.calls == 2)
        before = len(pod.server.calls)
        for _ in range(40):
            await ask(access)
        assert len(pod.server.calls) == before + 40
        assert (pod.agent.calls, pod.agent.answers, pod.failures) == (2, [200], {})


async def test_ended_sessions_are_renewed_after_the_refusal(pod: Pod) -> None:
    """Thirty calls are refused at one time: one question to the agent, and all of them get their answer."""
    async with pod.runtime() as runtime:
        access = runtime.open(None)
        await ask(access)
        await pod.clock.advance(60)
        pod.agent.end_sessions()
        await calls(access, 30)
    assert pod.agent.calls == 2
    assert pod.failures == {}


# ---- troubles before there are any ---------------------------------------------------------------------------------


async def test_an_agent_that_comes_after_the_pod_is_found(pod: Pod) -> None:
    """Absent, the error names it; there, the next call after five seconds works."""
    await pod.agent.stop()
    async with pod.runtime() as runtime:
        access = runtime.open(None)
        for _ in range(3):
            with pytest.raises(CredentialsError, match=AGENT):
                await ask(access)
        assert pod.failures == {"CredentialRetrievalError": 1}
        await pod.agent.start()
        await pod.clock.advance(6)
        await calls(access, 5)
    assert pod.agent.calls == 1


async def test_an_agent_that_hangs_at_the_start_costs_each_call_its_own_deadline(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked once for all of them, and what it says at last is used."""
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.TIMEOUT_SECONDS", 30)
    pod.agent.trouble = "hang"
    async with pod.runtime() as runtime:
        access = runtime.open(None)
        waiting = [asyncio.create_task(ask(access, deadline=0.1)) for _ in range(10)]
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(outcome, CredentialsError)
            assert "has not answered" in str(outcome)
        # A thread speaks to it, which on a busy machine may come to that after all of them have given up.
        await until(lambda: pod.agent.calls > 0)
        assert pod.agent.calls == 1
        pod.agent.trouble = ""
        await pod.agent.stop()
        await pod.agent.start()
        await ask(access)
    assert len(pod.agent.granted) == 1


@pytest.mark.parametrize("host", ["10.1.2.3", "169.254.169.254", "agent.example.com"])
async def test_an_address_that_is_no_agents_is_refused_by_name(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """The pod's token is sent to nobody else."""
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://{host}/v1/credentials")
    async with pod.runtime() as runtime:
        with pytest.raises(CredentialsError, match=f"Unsupported host '{host}'"):
            await ask(runtime.open(None))
    assert pod.failures == {"ValueError": 1}


# ---- who -----------------------------------------------------------------------------------------------------------

ACCOUNT = "123456789012"
MONITORING = f"arn:aws:iam::{ACCOUNT}:role/monitoring"
ELSEWHERE = "arn:aws:iam::210987654321:role/storage-exporter"


async def _refreshed(pod: Pod, role: str) -> None:
    """The association has another role, and the agent's next credentials are of it."""
    pod.agent.role = role
    known = len(pod.agent.granted)
    await pod.clock.advance(HALF_LIFE)
    await until(partial(_in_use, pod, known + 1))


def _asked_who(pod: Pod) -> int:
    return [call.operation for call in pod.server.calls].count("GetCallerIdentity")


async def test_another_role_at_a_refresh_is_shown(pod: Pod) -> None:
    """STS is asked once for each new credentials, and identity_info is what it says."""
    async with pod.runtime() as runtime:
        access = runtime.open(None)
        await access.identify()
        await _refreshed(pod, MONITORING)
        await asyncio.gather(*(volumes(access) for _ in range(10)))
        (labels,) = pod.telling.labels("identity_info")
        assert labels["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/monitoring/eks-production-pod"
    assert _asked_who(pod) == 2


@pytest.mark.parametrize(
    ("identity", "role", "reason"),
    [
        ({"role": ROLE}, MONITORING, r"assumed-role/monitoring/.* not as the role .*identity\.role asks for"),
        ({}, ELSEWHERE, f"in another account than {ACCOUNT}"),
    ],
)
async def test_credentials_that_come_later_and_will_not_do_are_read_nothing_with(
    pod: Pod, identity: dict[str, str], role: str, reason: str
) -> None:
    """Not identity.role, or not the account that all series are labelled with; corrected, reading goes on."""
    async with pod.runtime(**identity) as runtime:
        access = runtime.open(None)
        await access.identify()
        await _refreshed(pod, role)
        for _ in range(3):
            with pytest.raises(CredentialsError, match=reason):
                await volumes(access)
        assert _asked_who(pod) == 2
        assert "DescribeVolumes" not in {call.operation for call in pod.server.calls}
        pod.agent.role = ROLE
        await pod.clock.advance(61)
        await volumes(access)
        assert access.scope.account_id == ACCOUNT


async def test_a_wrong_role_at_the_start_that_is_corrected_needs_no_restart(pod: Pod) -> None:
    """The next look asks the agent anew, however long the wrong credentials would live."""
    pod.agent.role = MONITORING
    async with pod.runtime(role=ROLE) as runtime:
        access = runtime.open(None)
        with pytest.raises(CredentialsError, match="not as the role"):
            await access.identify()
        pod.agent.role = ROLE
        await pod.clock.advance(60)
        await access.identify()
    assert pod.agent.calls == 2


async def test_sts_that_does_not_say_whose_new_credentials_are_does_not_end_reading(pod: Pod) -> None:
    """They are taken for what the old ones were, and it is asked again when a minute is over, not with each call."""
    async with pod.runtime(clock=pod.clock) as runtime:
        access = runtime.open(None)
        await access.identify()
        pod.server.faults.add("error", service="sts", code="ValidationError", status=400)
        await _refreshed(pod, ROLE)
        for _ in range(5):
            await volumes(access)
        assert _asked_who(pod) == 2
        pod.server.faults.clear()
        await pod.clock.advance(61)
        await volumes(access)
        await volumes(access)
        assert _asked_who(pod) == 3


async def test_no_role_is_assumed_with_credentials_that_will_not_do(pod: Pod) -> None:
    """Neither at the start nor once the association has another role; the old session of the chain lives on."""
    hub = config_of(scopes=[{"roles": [{"arn": "arn:aws:iam::210987654321:role/hub"}]}]).scopes[0].roles
    pod.server.world.roles[hub[0].arn] = None
    expiry = partial(pod.telling.value, "credentials_expiry_timestamp_seconds", account_id=ACCOUNT)
    pod.agent.life = 1200
    async with pod.runtime(role=ROLE) as runtime:
        access = runtime.open(None, hub)
        await access.identify()
        pod.agent.role, pod.agent.life = MONITORING, 6 * 3600
        await pod.clock.advance(601)
        await until(lambda: len(pod.agent.granted) == 2 and expiry() == int(pod.agent.granted[1].expires or 0))
        # The session of the chain is due at half an hour; time goes slowly then, because calls have deadlines.
        await pod.clock.advance(1190)
        for _ in range(25):
            await pod.clock.advance(1)
            await ask(access)
        await until(lambda: pod.failures.get("NoCredentials", 0) >= 1)
        await ask(access)
    asked = [call.access_key_id for call in pod.server.calls if call.operation == "AssumeRole"]
    assert asked == [pod.agent.granted[0].access_key_id]
