"""Identities in the simulated AWS: web identity, role chains, a Pod Identity agent, used by real botocore sessions."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import orjson
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import CredentialRetrievalError

from exporter.demo import DemoServer, PodIdentityAgent, World, WorldClock, run_agent_in_thread, run_in_thread
from tests.demo_clients import NOW, client, refused

ROLE = "arn:aws:iam::123456789012:role/storage-exporter"
HOP = "arn:aws:iam::123456789012:role/teams/hop"


class Wall:
    """A real clock that a test moves."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def server(wall: Wall) -> Iterator[DemoServer]:
    with run_in_thread(World(1, WorldClock(NOW)), wall=wall) as running:
        running.world.roles[HOP] = None
        running.world.identities.web_tokens[ROLE] = "jwt-of-the-pod"
        yield running


def pod(monkeypatch: pytest.MonkeyPatch, server: DemoServer, **variables: str) -> Any:
    """A botocore session that has nothing but the variables of a pod."""
    for name, value in {"AWS_ENDPOINT_URL": server.url, "AWS_REGION": server.world.region, **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", server.world.region)
    return botocore.session.Session()


def caller(session: Any) -> dict[str, str]:
    """What GetCallerIdentity says of a session's credentials."""
    sts = session.create_client("sts", config=Config(retries={"total_max_attempts": 1}))
    try:
        answer = sts.get_caller_identity()
    finally:
        sts.close()
    return {name: answer[name] for name in ("Arn", "Account", "UserId")}


def unsigned(server: DemoServer) -> Any:
    """An STS client without any credentials."""
    made = botocore.session.Session()
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    return made.create_client("sts", region_name=server.world.region, endpoint_url=server.url, config=config)


# --- web identity ----------------------------------------------------------------------------------------------------


def test_a_pod_with_irsa_is_the_role(monkeypatch: pytest.MonkeyPatch, server: DemoServer, tmp_path: Path) -> None:
    """A real session trades the token of its file for the role, unsigned; the token is not kept in the calls."""
    (tmp_path / "token").write_text("jwt-of-the-pod")
    given = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token")}
    session = pod(monkeypatch, server, **given, AWS_ROLE_SESSION_NAME="exporter-0")
    identity = caller(session)
    assert identity["Arn"] == "arn:aws:sts::123456789012:assumed-role/storage-exporter/exporter-0"
    assert identity["Account"] == "123456789012"
    assert identity["UserId"].startswith("AROA")
    assert identity["UserId"].endswith(":exporter-0")
    asked, used = server.calls
    assert (asked.operation, asked.access_key_id, asked.status) == ("AssumeRoleWithWebIdentity", "", 200)
    assert "jwt-of-the-pod" not in str(asked.parameters)
    assert used.access_key_id.startswith("ASIA")


@pytest.mark.parametrize(
    ("role", "token", "code", "status"),
    [
        (ROLE, "forged", "InvalidIdentityToken", 400),
        (HOP, "jwt-of-the-pod", "AccessDenied", 403),
        (ROLE, "jwt-of-yesterday", "ExpiredTokenException", 400),
        ("arn:aws:iam::123456789012:user/nobody-x", "jwt-of-the-pod", "ValidationError", 400),
    ],
)
def test_web_identity_is_refused_as_aws_does(server: DemoServer, role: str, token: str, code: str, status: int) -> None:
    """A forged token, a token for another role, one whose time is over, and what is no role."""
    server.world.identities.expired_tokens.add("jwt-of-yesterday")
    sts = unsigned(server)
    call = lambda: sts.assume_role_with_web_identity(  # noqa: E731
        RoleArn=role, RoleSessionName="tests", WebIdentityToken=token
    )
    assert refused(call) == (code, status)
    sts.close()


def test_only_web_identity_needs_no_signature(server: DemoServer) -> None:
    """An unsigned AssumeRole and an unsigned GetCallerIdentity are not answered."""
    sts = unsigned(server)
    assert refused(sts.get_caller_identity) == ("MissingAuthenticationToken", 403)
    assert refused(lambda: sts.assume_role(RoleArn=ROLE, RoleSessionName="tests"))[0] == "MissingAuthenticationToken"
    sts.close()


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [("throttle-400", "Throttling", 400), ("error-500", "InternalFailure", 500), ("denied", "AccessDenied", 403)],
)
def test_faults_hit_sts_operations(server: DemoServer, kind: str, code: str, status: int) -> None:
    """A rule may choose one operation of STS, signed or not; the others go on."""
    server.faults.add(kind, service="sts", operation="AssumeRoleWithWebIdentity", count=1)
    server.faults.add(kind, service="sts", operation="AssumeRole", count=1)
    web, signed = unsigned(server), client(server, "sts")
    asked = {"RoleArn": ROLE, "RoleSessionName": "tests"}
    assert signed.get_caller_identity()["Account"] == "123456789012"
    assert refused(lambda: web.assume_role_with_web_identity(**asked, WebIdentityToken="jwt-of-the-pod")) == (
        code,
        status,
    )
    assert refused(lambda: signed.assume_role(**asked)) == (code, status)
    assert web.assume_role_with_web_identity(**asked, WebIdentityToken="jwt-of-the-pod")["Credentials"]
    assert signed.assume_role(**asked)["Credentials"]
    web.close()
    signed.close()


# --- lives of sessions -----------------------------------------------------------------------------------------------


def test_sessions_are_as_long_as_asked(server: DemoServer, wall: Wall) -> None:
    """From 900 seconds to the role's maximum are granted; one second less or more is refused."""
    session: Any = botocore.session.Session()
    sts = session.create_client(
        "sts",
        endpoint_url=server.url,
        region_name=server.world.region,
        aws_access_key_id=server.access_key_id,
        aws_secret_access_key=server.secret_access_key,
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )

    def ask(seconds: int) -> float:
        given = sts.assume_role(RoleArn=ROLE, RoleSessionName="tests", DurationSeconds=seconds)
        return float(given["Credentials"]["Expiration"].timestamp())

    server.world.identities.maximum[ROLE] = 7200
    assert ask(900) == pytest.approx(wall() + 900, abs=5)
    assert ask(7200) == pytest.approx(wall() + 7200, abs=5)
    assert refused(lambda: ask(899)) == ("ValidationError", 400)
    assert refused(lambda: ask(7201)) == ("ValidationError", 400)
    sts.close()


def test_sessions_may_be_made_short_and_end(server: DemoServer, wall: Wall) -> None:
    """`session_seconds` is the life in truth, whatever is asked; when it is over the session is refused."""
    server.world.identities.session_seconds = 600
    sts = client(server, "sts")
    given = sts.assume_role(RoleArn=ROLE, RoleSessionName="tests", DurationSeconds=3600)["Credentials"]
    assert given["Expiration"].timestamp() == pytest.approx(wall() + 600, abs=5)
    sts.close()
    session = client(server, "sts", **_keys(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]))
    assert session.get_caller_identity()["Arn"].endswith("assumed-role/storage-exporter/tests")
    wall.ahead = 601.0
    assert refused(session.get_caller_identity) == ("ExpiredToken", 403)
    session.close()


def _keys(access_key_id: str, secret: str, token: str) -> dict[str, str]:
    """Credentials as `client` takes them."""
    return {"aws_access_key_id": access_key_id, "aws_secret_access_key": secret, "aws_session_token": token}


# --- the agent -------------------------------------------------------------------------------------------------------


@pytest.fixture
def agent(server: DemoServer, wall: Wall, tmp_path: Path) -> Iterator[PodIdentityAgent]:
    with run_agent_in_thread(server, tmp_path / "token", role=ROLE, session="pod-0", wall=wall) as running:
        yield running


def test_a_pod_with_an_association_is_the_role(
    monkeypatch: pytest.MonkeyPatch, server: DemoServer, agent: PodIdentityAgent
) -> None:
    """A real session asks the agent once and is the agent's role at every service."""
    session = pod(monkeypatch, server, **agent.environment())
    assert caller(session)["Arn"] == "arn:aws:sts::123456789012:assumed-role/storage-exporter/pod-0"
    assert session.get_credentials().method == "container-role"
    caches = session.create_client("elasticache")
    assert len(caches.describe_cache_clusters()["CacheClusters"]) == 16
    caches.close()
    assert agent.calls == [200]


def _ask(agent: PodIdentityAgent, token: str) -> tuple[int, bytes]:
    """Status and body of the agent for a token, by a bare connection."""
    place = urlsplit(agent.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=5)
    connection.request("GET", "/v1/credentials", headers={"Authorization": token} if token else {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_the_answer_of_the_agent(server: DemoServer, agent: PodIdentityAgent, wall: Wall) -> None:
    """Keys, token, account and an ISO instant of expiry six hours on; other keys at each call."""
    token = agent.token_file.read_text()
    status, body = _ask(agent, token)
    first, second = orjson.loads(body), orjson.loads(_ask(agent, token)[1])
    assert status == 200
    assert set(first) == {"AccessKeyId", "SecretAccessKey", "Token", "AccountId", "Expiration"}
    assert datetime.fromisoformat(first["Expiration"]).timestamp() == pytest.approx(wall() + 21_600, abs=5)
    assert first["AccessKeyId"] != second["AccessKeyId"]


def test_a_rotated_token_is_needed(agent: PodIdentityAgent) -> None:
    """After the file has another token, the old one and none at all are refused with HTTP 400."""
    old = agent.token_file.read_text()
    new = agent.rotate()
    assert (_ask(agent, old)[0], _ask(agent, "")[0], _ask(agent, new)[0]) == (400, 400, 200)
    assert b"InvalidTokenException" in _ask(agent, old)[1]
    assert agent.calls == [400, 400, 200, 400]


@pytest.mark.parametrize(
    ("trouble", "status", "text"),
    [
        ("unavailable", 503, b"ServiceUnavailableException"),
        ("denied", 400, b"AccessDeniedException"),
        ("malformed", 200, b"AccessKeyId"),
        ("missing-member", 200, b"AccessKeyId"),
    ],
)
def test_troubles_of_the_agent(agent: PodIdentityAgent, trouble: str, status: int, text: bytes) -> None:
    """Each trouble is what a client may meet; without it the agent answers again."""
    token = agent.token_file.read_text()
    agent.trouble = trouble
    answered, body = _ask(agent, token)
    assert answered == status
    assert text in body
    assert b"SecretAccessKey" not in body or trouble == "malformed"
    if trouble == "malformed":
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(body)
    agent.trouble = ""
    assert _ask(agent, token)[0] == 200


def test_an_agent_that_hangs(agent: PodIdentityAgent) -> None:
    """No answer comes while the client waits; the call is counted."""
    agent.trouble = "hang"
    place = urlsplit(agent.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=0.3)
    connection.request("GET", "/v1/credentials", headers={"Authorization": agent.token_file.read_text()})
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()
    assert agent.calls == [0]


def test_a_real_session_meets_a_denial(
    monkeypatch: pytest.MonkeyPatch, server: DemoServer, agent: PodIdentityAgent
) -> None:
    """A session gives up with CredentialRetrievalError, and the agent's text is in it."""
    agent.trouble, agent.denial = "denied", "the association is gone"
    session = pod(monkeypatch, server, **agent.environment())
    monkeypatch.setattr("botocore.utils.time.sleep", lambda _: None)
    with pytest.raises(CredentialRetrievalError, match="the association is gone"):
        session.get_credentials()
    assert set(agent.calls) == {400}


def test_short_lived_credentials_end(server: DemoServer, agent: PodIdentityAgent, wall: Wall) -> None:
    """The life is chosen; when it is over, the server refuses the signature's session."""
    agent.life = 120
    given = orjson.loads(_ask(agent, agent.token_file.read_text())[1])
    keys = _keys(given["AccessKeyId"], given["SecretAccessKey"], given["Token"])
    sts = client(server, "sts", **keys)
    assert sts.get_caller_identity()["Account"] == "123456789012"
    wall.ahead = 121.0
    assert refused(sts.get_caller_identity) == ("ExpiredToken", 403)
    sts.close()


def test_a_chain_from_pod_identity_needs_tag_session(server: DemoServer, agent: PodIdentityAgent) -> None:
    """Transitive tags make the role's missing sts:TagSession matter; a caller without tags is not hindered."""
    server.world.identities.no_tag_session.add(HOP)
    given = orjson.loads(_ask(agent, agent.token_file.read_text())[1])
    keys = _keys(given["AccessKeyId"], given["SecretAccessKey"], given["Token"])
    tagged, plain = client(server, "sts", **keys), client(server, "sts")
    with pytest.raises(tagged.exceptions.ClientError, match=r"assumed-role/storage-exporter/pod-0 .* sts:TagSession"):
        tagged.assume_role(RoleArn=HOP, RoleSessionName="tests")
    assert plain.assume_role(RoleArn=HOP, RoleSessionName="tests")["Credentials"]
    server.world.identities.no_tag_session.clear()
    hop = tagged.assume_role(RoleArn=HOP, RoleSessionName="tests")
    assert hop["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/hop/tests"
    assert refused(lambda: tagged.assume_role(RoleArn=HOP, RoleSessionName="tests", DurationSeconds=3601)) == (
        "ValidationError",
        400,
    )
    tagged.close()
    plain.close()
