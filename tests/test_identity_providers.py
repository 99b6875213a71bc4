"""Other providers than the pod's agent: IRSA, both at once, static keys, profiles, a process of one's own."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.demo.agent import ROLE
from exporter.demo.sigv4 import Key
from exporter.demo.sts import granted
from exporter.errors import CredentialsError
from tests.aws_wire import until
from tests.pods import Pod, a_pod, ask, calls, identities, put

HALF_HOUR = 1801
EXCHANGE = "AssumeRoleWithWebIdentity"


@pytest.fixture
async def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Pod]:
    """A pod without an association; what it logs and measures is searched for secrets afterwards."""
    async with a_pod(monkeypatch, tmp_path, caplog, injected=False) as made:
        yield made


@pytest.fixture
def web_token(pod: Pod, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of a pod whose service account has a role (IRSA); its token is the one AWS takes."""
    file = tmp_path / "web-token"
    file.write_text("web-identity-0")
    pod.server.world.web_identities[ROLE] = "web-identity-0"
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    return file


def rotate(pod: Pod, file: Path, token: str) -> None:
    """A new token in the file, the only one AWS takes; the old one's time is over."""
    pod.server.world.ended_web_identities.add(pod.server.world.web_identities[ROLE])
    pod.server.world.web_identities[ROLE] = token
    file.write_text(token)


def exchanges(pod: Pod) -> list[tuple[str, str]]:
    """The token and the error of each exchange."""
    made = [call for call in pod.server.calls if call.operation == EXCHANGE]
    return [(call.parameters["WebIdentityToken"], call.error) for call in made]


# ---- IRSA ----------------------------------------------------------------------------------------------------------


async def test_irsa_reads_its_rotating_token_at_each_refresh(pod: Pod, web_token: Path) -> None:
    """One exchange for many calls; at half the session's hour another, with the token of by then."""
    async with pod.runtime(provider="irsa") as runtime:
        access = runtime.open(None)
        await access.identify()
        await calls(access, 30)
        rotate(pod, web_token, "web-identity-1")
        await pod.clock.advance(HALF_HOUR)
        await until(lambda: len(exchanges(pod)) == 2)
        await calls(access, 30)
    assert exchanges(pod) == [("web-identity-0", ""), ("web-identity-1", "")]
    assert identities(pod.telling) == [(pod.server.world.account_id, "assume-role-with-web-identity")]
    assert pod.expiry > time.time() + 1800


async def test_an_ended_web_token_keeps_the_session_and_is_counted_by_awss_code(pod: Pod, web_token: Path) -> None:
    """A kubelet that no longer rotates is seen before the session ends."""
    async with pod.runtime() as runtime:
        access = runtime.open(None)
        await ask(access)
        rotate(pod, web_token, "web-identity-1")
        put(web_token, "web-identity-0")
        await pod.clock.advance(HALF_HOUR)
        await until(lambda: pod.failures == {"ExpiredTokenException": 1})
        await calls(access, 10)


@pytest.mark.usefixtures("web_token")
async def test_sts_that_fails_while_exchanging(pod: Pod) -> None:
    """At the start: a clear error, then found. Later: counted, and nobody waits."""
    rule = pod.server.faults.add("error-500", service="sts", operation=EXCHANGE)
    async with pod.runtime() as runtime:
        access = runtime.open(None)
        with pytest.raises(CredentialsError, match=r"InternalFailure.*the way to STS"):
            await ask(access)
        assert pod.failures == {"InternalFailure": 1}
        pod.server.faults.clear()
        await pod.clock.advance(6)
        await ask(access)
        rule = pod.server.faults.add("error-500", service="sts", operation=EXCHANGE)
        await pod.clock.advance(HALF_HOUR)
        await until(lambda: pod.failures == {"InternalFailure": 2})
        await calls(access, 10)
        assert rule.hit >= 1
        pod.server.faults.clear()
        await pod.clock.advance(301)
        await until(lambda: exchanges(pod)[-1] == ("web-identity-0", ""))


@pytest.mark.parametrize("content", ["", "stolen-token", None])
async def test_a_web_token_that_is_no_good_is_a_credentials_error(
    pod: Pod, web_token: Path, content: str | None
) -> None:
    """Empty, another's, not there: one class, the next step, no token."""
    put(web_token, content)
    async with pod.runtime() as runtime:
        with pytest.raises(CredentialsError, match="trust policy of the service account's role") as raised:
            await ask(runtime.open(None))
    assert "stolen-token" not in str(raised.value)


@pytest.mark.usefixtures("web_token")
async def test_with_both_injected_irsa_wins_and_is_named(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Metric and log say which; the agent is not asked; where pod-identity was meant, nothing is read."""
    for name, value in pod.agent.environment().items():
        monkeypatch.setenv(name, value)
    async with pod.runtime() as runtime:
        await runtime.open(None).identify()
    assert identities(pod.telling) == [(pod.server.world.account_id, "assume-role-with-web-identity")]
    (line,) = [each for each in caplog.records if getattr(each, "event", "") == "aws_identity"]
    assert "credentials from assume-role-with-web-identity" in line.getMessage()
    async with pod.runtime(provider="pod-identity") as runtime:
        with pytest.raises(CredentialsError, match="pod-identity, but assume-role-with-web-identity answered first"):
            await ask(runtime.open(None))
    assert pod.agent.calls == 0


async def test_pod_identity_without_its_variables_says_what_became_of_the_association(pod: Pod) -> None:
    """The trap of a pod that is older than its association (chart.md 3.1); no other provider is tried."""
    async with pod.runtime(provider="pod-identity") as runtime:
        with pytest.raises(CredentialsError, match=r"association is missing, or was made after this pod.*recreate"):
            await ask(runtime.open(None))
    assert pod.server.calls == []


# ---- keys and profiles ---------------------------------------------------------------------------------------------


async def test_static_keys_do_not_expire(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    """No expiry is shown, nothing is refreshed, however much time passes."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, pod.server.environment()[name])
    async with pod.runtime(provider="static") as runtime:
        access = runtime.open(None)
        await access.identify()
        await pod.clock.advance(86_400)
        await calls(access, 10)
    assert pod.telling.labels("credentials_expiry_timestamp_seconds") == []
    assert identities(pod.telling) == [(pod.server.world.account_id, "env")]


def new_key(pod: Pod, number: int, seconds: float = 3600) -> Key:
    """A session that AWS knows."""
    key = granted(ROLE, "process", seconds, number, pod.clock.time())
    pod.server.add_key(key)
    return key


async def test_a_rotated_profile_is_read_after_the_refusal(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Keys of a file have no expiry; AWS's refusal of the old ones is what makes it read again."""
    file = tmp_path / "credentials"

    def write(key: Key) -> None:
        names = {"aws_access_key_id": key.access_key_id, "aws_secret_access_key": key.secret_access_key}
        pairs = {**names, "aws_session_token": key.session_token}
        file.write_text("[platform]\n" + "".join(f"{name} = {value}\n" for name, value in pairs.items()))

    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "platform")
    old, new = new_key(pod, 1), new_key(pod, 2)
    write(old)
    async with pod.runtime(provider="profile") as runtime:
        access = runtime.open(None)
        await access.identify()
        write(new)
        await pod.clock.advance(60)
        await calls(access, 5)
        pod.server.add_key(replace(old, expires=0.0))
        await calls(access, 10)
    assert pod.server.calls[-1].access_key_id == new.access_key_id
    assert identities(pod.telling) == [(pod.server.world.account_id, "shared-credentials-file")]


async def test_a_profile_may_assume_a_role_from_another(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """role_arn and source_profile: botocore asks STS, once an hour's half, in a thread."""
    role = "arn:aws:iam::210987654321:role/reader"
    pod.server.world.roles[role] = "sesame"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "reader")
    (tmp_path / "config").write_text(
        f"[profile base]\naws_access_key_id = {pod.server.access_key_id}\n"
        f"aws_secret_access_key = {pod.server.secret_access_key}\n"
        f"[profile reader]\nrole_arn = {role}\nsource_profile = base\nexternal_id = sesame\n"
    )
    async with pod.runtime(provider="profile") as runtime:
        access = runtime.open(None)
        assert (await access.identify()).account_id == "210987654321"
        await calls(access, 20)
        await pod.clock.advance(HALF_HOUR)
        await until(lambda: [call.operation for call in pod.server.calls].count("AssumeRole") == 2)
        await calls(access, 20)
    assert [call.operation for call in pod.server.calls].count("AssumeRole") == 2
    assert identities(pod.telling) == [("210987654321", "assume-role")]
    assert pod.expiry > time.time()


async def test_a_credential_process_is_run_once_a_half_life(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also where its sessions live a quarter of an hour; when it fails, the session it gave lives on."""
    answer, runs = tmp_path / "answer", tmp_path / "runs"

    def write(number: int) -> None:
        key = new_key(pod, number, 900)
        told = {"Version": 1, "AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key}
        expires = datetime.fromtimestamp(key.expires or 0, UTC).isoformat()
        answer.write_text(json.dumps({**told, "SessionToken": key.session_token, "Expiration": expires}))

    (tmp_path / "process").write_text(f"echo run >> {runs}\ncat {answer}\n")
    (tmp_path / "config").write_text(f"[default]\ncredential_process = sh {tmp_path / 'process'}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    write(1)
    async with pod.runtime(provider="profile") as runtime:
        access = runtime.open(None)
        await access.identify()
        first = pod.expiry
        await calls(access, 20)
        assert runs.read_text().count("run") == 1
        await pod.clock.advance(1)
        write(2)
        await pod.clock.advance(450)
        await until(lambda: pod.expiry > first)
        assert runs.read_text().count("run") == 2
        answer.unlink()
        await pod.clock.advance(451)
        await until(lambda: pod.failures == {"CredentialRetrievalError": 1})
        await calls(access, 20)
    assert identities(pod.telling) == [(pod.server.world.account_id, "custom-process")]
