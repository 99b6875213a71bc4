"""The simulated identity, asked by plain botocore: the pod's agent, the exchange of a web identity, chains of roles."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, CredentialRetrievalError
from botocore.session import Session
from botocore.utils import ContainerMetadataFetcher

from exporter.demo import DemoServer
from exporter.demo.agent import ROLE, Agent
from exporter.demo.tables import ACCOUNT

READER = "arn:aws:iam::210987654321:role/team/reader"
ONCE = Config(retries={"total_max_attempts": 1})


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DemoServer]:
    """The simulated AWS and the way to it, without any credentials; botocore's pauses for the agent are short."""
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0.01)
    async with DemoServer() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        yield running


@pytest.fixture
async def agent(server: DemoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Agent]:
    """The agent of this pod's node."""
    async with Agent(server, tmp_path / "token") as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


async def call(operation: str, session: Session | None = None, **params: Any) -> Any:
    """One call to STS by a session of its own, in a thread."""

    def made() -> Any:
        client = (session or Session()).create_client("sts", config=ONCE)
        return getattr(client, operation)(**params)

    return await asyncio.to_thread(made)


async def arn(session: Session | None = None) -> str:
    """Who a session is."""
    return str((await call("get_caller_identity", session))["Arn"])


async def refused(operation: str, session: Session | None = None, **params: Any) -> tuple[str, str]:
    """Code and message of the error."""
    with pytest.raises(ClientError) as raised:
        await call(operation, session, **params)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def session_of(given: dict[str, Any]) -> Session:
    """A session with the credentials in an answer of STS."""
    session = Session()
    session.set_credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    return session


# ---- the agent -----------------------------------------------------------------------------------------------------


async def test_a_pods_credentials_are_those_of_its_role(agent: Agent) -> None:
    """Botocore's container provider takes them, signs with them, and asks the agent once for many calls."""
    session = Session()
    for _ in range(3):
        assert await arn(session) == f"arn:aws:sts::{ACCOUNT}:assumed-role/storage-exporter/eks-production-pod"
    assert (agent.calls, agent.answers, agent.tokens) == (1, [200], ["eks-pod-identity-token-0"])


async def test_sessions_end_and_the_role_may_change(agent: Agent) -> None:
    """Ended sessions are refused as AWS does; a new one is of the role the association has by then."""
    session = Session()
    await arn(session)
    agent.end_sessions()
    assert (await refused("get_caller_identity", session))[0] == "ExpiredToken"
    agent.role = READER
    assert await arn() == "arn:aws:sts::210987654321:assumed-role/reader/eks-production-pod"


async def test_the_token_must_be_the_one_in_the_file(agent: Agent) -> None:
    """An old token is refused once it was rotated away, unless the switch says otherwise."""
    agent.rotate("second")
    async with aiohttp.ClientSession() as http:
        for accepts_old, token, status in ((False, "second", 200), (False, "eks-pod-identity-token-0", 400),
                                           (True, "eks-pod-identity-token-0", 200), (True, "stolen", 400)):  # fmt: skip
            agent.accepts_old = accepts_old
            async with http.get(agent.url, headers={"Authorization": token}) as answer:
                assert answer.status == status
    assert agent.answers == [200, 400, 200, 400]


@pytest.mark.parametrize(
    ("trouble", "error", "words", "calls"),
    [
        ("503", CredentialRetrievalError, "503", 3),
        ("400", CredentialRetrievalError, "does not have permissions", 3),
        ("malformed", CredentialRetrievalError, "Unable to parse JSON", 3),
        ("missing", KeyError, "Token", 1),
    ],
)
async def test_each_trouble_of_the_agent(
    agent: Agent, trouble: str, error: type[Exception], words: str, calls: int
) -> None:
    """As botocore sees it: three tries, or a bare KeyError."""
    agent.trouble = trouble
    with pytest.raises(error, match=words):
        await arn()
    assert agent.calls == calls


async def test_an_agent_that_hangs_lets_go_when_the_client_leaves_or_it_stops(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every try is counted as it comes, none is answered."""
    monkeypatch.setattr(ContainerMetadataFetcher, "TIMEOUT_SECONDS", 0.1)
    agent.trouble = "hang"
    with pytest.raises(CredentialRetrievalError):
        await arn()
    assert (agent.calls, agent.answers) == (3, [])


async def test_the_agent_comes_back_on_the_same_port(agent: Agent) -> None:
    """So a pod's variables stay true."""
    await agent.stop()
    with pytest.raises(CredentialRetrievalError):
        await arn()
    await agent.start()
    assert await arn()


async def test_lives_are_as_chosen(agent: Agent) -> None:
    """The expiry it names is the session's at AWS."""
    agent.life = 900
    credentials = await asyncio.to_thread(Session().get_credentials)
    assert credentials is not None
    assert agent.calls == 1
    assert agent.granted[0].expires == pytest.approx(time.time() + 900, abs=60)
    await asyncio.to_thread(credentials.get_frozen_credentials)
    assert agent.calls == 2  # botocore's advisory window is as long as that life, so each use asks again


# ---- web identities ------------------------------------------------------------------------------------------------


async def test_a_web_identity_is_exchanged_without_a_signature(
    server: DemoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Botocore's provider reads the file and asks STS unsigned; the session works."""
    (tmp_path / "web-token").write_text("valid")
    server.world.web_identities[ROLE] = "valid"
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "pod")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "web-token"))
    assert await arn() == f"arn:aws:sts::{ACCOUNT}:assumed-role/storage-exporter/pod"
    assert [(each.operation, each.status) for each in server.calls] == [
        ("AssumeRoleWithWebIdentity", 200),
        ("GetCallerIdentity", 200),
    ]


async def test_web_identities_are_refused_as_sts_does(server: DemoServer) -> None:
    """Another's token, an ended one, a role without that trust, a session too short; nothing else goes unsigned."""
    server.world.web_identities[ROLE] = "valid"
    server.world.ended_web_identities.add("ended")
    config = Config(signature_version=UNSIGNED, parameter_validation=False, retries={"total_max_attempts": 1})

    def made(operation: str, **params: Any) -> str:
        client = Session().create_client("sts", config=config)
        try:
            getattr(client, operation)(**params)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    async def exchanged(role: str, token: str, seconds: int = 3600) -> str:
        params = {"RoleArn": role, "RoleSessionName": "pod", "WebIdentityToken": token, "DurationSeconds": seconds}
        return await asyncio.to_thread(made, "assume_role_with_web_identity", **params)

    assert await exchanged(ROLE, "valid") == ""
    assert await exchanged(ROLE, "stolen") == "InvalidIdentityToken"
    assert await exchanged(ROLE, "ended") == "ExpiredTokenException"
    assert await exchanged(READER, "valid") == "AccessDenied"
    assert await exchanged(ROLE, "valid", 899) == "ValidationError"
    assert await asyncio.to_thread(made, "get_caller_identity") == "MissingAuthenticationToken"


async def test_faults_hit_the_exchange_as_any_other_call(server: DemoServer) -> None:
    """Rules name it by its operation."""
    server.world.web_identities[ROLE] = "valid"
    rule = server.faults.add("error-500", service="sts", operation="AssumeRoleWithWebIdentity")
    params = {"RoleArn": ROLE, "RoleSessionName": "pod", "WebIdentityToken": "valid"}
    session = Session()
    session.set_credentials("unused", "unused")
    assert (await refused("assume_role_with_web_identity", session, **params))[0] == "InternalFailure"
    assert rule.hit == 1


# ---- chains --------------------------------------------------------------------------------------------------------


async def test_a_chain_with_an_external_id_over_accounts(server: DemoServer, agent: Agent) -> None:
    """Pod, role of another account, role of a third; each wants its own external id; an hour is the most."""
    third = "arn:aws:iam::333344445555:role/last"
    server.world.roles.update({READER: "one", third: "two"})
    named: dict[str, Any] = {"RoleSessionName": "tests", "RoleArn": READER}
    assert (await refused("assume_role", **named))[0] == "AccessDenied"
    code, message = await refused("assume_role", **named, ExternalId="one", DurationSeconds=7200)
    assert (code, "1 hour session limit" in message) == ("ValidationError", True)
    first = await call("assume_role", **named, ExternalId="one", DurationSeconds=900)
    second = await call(
        "assume_role", session_of(first["Credentials"]), RoleArn=third, RoleSessionName="tests", ExternalId="two"
    )
    assert await arn(session_of(second["Credentials"])) == "arn:aws:sts::333344445555:assumed-role/last/tests"
    assert first["Credentials"]["Expiration"].timestamp() == pytest.approx(time.time() + 900, abs=60)
    assert agent.calls > 0


async def test_a_role_without_tag_session_refuses_pods_only(
    server: DemoServer, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pod Identity's tags go along through each hop, and the error names TagSession; static keys have none."""
    server.world.roles.update({READER: None, ROLE: None})
    server.world.untagged_roles.add(READER)
    named: dict[str, Any] = {"RoleSessionName": "tests", "RoleArn": READER}
    hop = await call("assume_role", RoleSessionName="hop", RoleArn=ROLE)
    for session in (Session(), session_of(hop["Credentials"])):
        code, message = await refused("assume_role", session, **named)
        assert code == "AccessDenied"
        assert f"is not authorized to perform: sts:TagSession on resource: {READER}" in message
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_access_key)
    assert (await call("assume_role", **named))["AssumedRoleUser"]["Arn"].endswith("assumed-role/reader/tests")
    assert agent.answers == [200] * 2
