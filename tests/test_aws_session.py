"""Credentials: found once, refreshed ahead of need, kept when a refresh fails, and never shown."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from exporter.aws.clients import Botocore
from exporter.aws.session import Frozen, Keeper, find_credentials
from exporter.errors import CredentialsError
from tests.aws_wire import REGION, VirtualClock, serving

FIRST = Frozen("AKIAFIRST", "secret-one", "token-one", None, "env")
SECRET, TOKEN = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00", "eks-pod-identity-token"


class Provider:
    """A provider chain whose answers are set by the test."""

    def __init__(self, clock: VirtualClock, life: float | None) -> None:
        self.clock = clock
        self.life = life
        self.error = ""
        self.asked: list[float] = []
        self.hung: asyncio.Event | None = None

    async def fetch(self) -> Frozen:
        self.asked.append(self.clock.monotonic())
        if self.hung is not None:
            await self.hung.wait()
        if self.error:
            raise CredentialsError(self.error)
        expiry = None if self.life is None else self.clock.time() + self.life
        return replace(FIRST, access_key=f"AKIA{len(self.asked)}", expiry=expiry)


class Ears:
    """Hears what a keeper tells."""

    def __init__(self) -> None:
        self.changed: list[str] = []
        self.failed: list[str] = []

    def credentials_changed(self, frozen: Frozen) -> None:
        self.changed.append(frozen.access_key)

    def credentials_failed(self, code: str) -> None:
        self.failed.append(code)


def _keeper(
    life: float | None, jitter: Callable[[], float] = lambda: 0.0
) -> tuple[Keeper, Provider, VirtualClock, Ears]:
    clock, ears = VirtualClock(), Ears()
    provider = Provider(clock, life)
    keeper = Keeper(provider.fetch, name="the default chain", clock=clock, jitter=jitter)
    keeper.watch(ears)
    return keeper, provider, clock, ears


async def test_fifty_first_uses_at_one_time_ask_the_provider_once() -> None:
    """Nobody needs more than one answer, and agents do not take kindly to fifty questions."""
    keeper, provider, _, ears = _keeper(None)
    found = await asyncio.gather(*(keeper.current(5) for _ in range(50)))
    assert {frozen.access_key for frozen in found} == {"AKIA1"}
    assert len(provider.asked) == 1
    assert ears.changed == ["AKIA1"]
    await keeper.close()


@pytest.mark.parametrize(("life", "due"), [(3600, 1800), (900, 450), (6 * 3600, 3 * 3600)])
async def test_credentials_are_refreshed_at_half_of_their_life_without_being_asked_for(life: int, due: int) -> None:
    """A call then never waits for a provider: it takes what the background has found."""
    keeper, provider, clock, _ = _keeper(life)
    await keeper.current(5)
    await clock.advance(due - 1)
    assert provider.asked == [0]
    await clock.advance(2)
    assert provider.asked == [0, due]
    assert (await keeper.current(0)).access_key == "AKIA2"
    await keeper.close()


async def test_replicas_do_not_refresh_in_step() -> None:
    """Jitter takes up to a tenth off."""
    keeper, provider, clock, _ = _keeper(3600, jitter=lambda: 1.0)
    await keeper.current(5)
    await clock.advance(1700)
    assert provider.asked == [0, pytest.approx(1620)]
    await keeper.close()


async def test_a_failing_refresh_keeps_the_old_credentials_and_is_repeated_with_growing_pauses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Old credentials live on; each failure is counted, the same reason is logged once, the recovery once."""
    caplog.set_level(logging.INFO, logger="exporter")
    keeper, provider, clock, ears = _keeper(3600)
    await keeper.current(5)
    provider.error = "the agent answers 503"
    await clock.advance(3000)
    assert (await keeper.current(0)).access_key == "AKIA1"
    pauses = [later - early for early, later in zip(provider.asked[1:], provider.asked[2:], strict=False)]
    assert pauses[:5] == [10, 20, 40, 80, 160]
    assert max(pauses) <= 300
    assert len(ears.failed) == len(provider.asked) - 1
    provider.error = ""
    await clock.advance(400)
    assert (await keeper.current(0)).access_key == f"AKIA{len(provider.asked)}"
    events = [getattr(record, "event", "") for record in caplog.records]
    assert events == ["credentials_refresh_failed", "credentials_recovered"]
    await keeper.close()


async def test_a_provider_that_hangs_is_waited_for_as_long_as_the_caller_can_and_asked_once() -> None:
    """Each caller gets an error at its own deadline; when the answer comes at last, it is used."""
    keeper, provider, _, _ = _keeper(None)
    provider.hung = asyncio.Event()
    for _ in range(3):
        with pytest.raises(CredentialsError, match="has not answered"):
            await keeper.current(0.01)
    assert len(provider.asked) == 1
    provider.hung.set()
    assert (await keeper.current(5)).access_key == "AKIA1"
    await keeper.close()


async def test_a_caller_that_goes_away_does_not_take_the_answer_along() -> None:
    """The others wait for the same question."""
    keeper, provider, _, _ = _keeper(None)
    provider.hung = asyncio.Event()
    impatient, patient = (asyncio.create_task(keeper.current(5)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    provider.hung.set()
    assert (await patient).access_key == "AKIA1"
    assert len(provider.asked) == 1
    await keeper.close()


async def test_without_any_credentials_the_provider_is_not_asked_again_at_once() -> None:
    """Many jobs that fail in the same second ask once; five seconds later it is tried anew."""
    keeper, provider, clock, _ = _keeper(None)
    provider.error = "no provider has any"
    for _ in range(4):
        with pytest.raises(CredentialsError, match="no provider has any"):
            await keeper.current(5)
    assert len(provider.asked) == 1
    provider.error = ""
    await clock.advance(5)
    assert (await keeper.current(5)).access_key == "AKIA2"
    await keeper.close()


async def test_refused_credentials_are_looked_for_once_however_many_calls_they_failed() -> None:
    """Ten refused calls: one question; what another call has found meanwhile is taken as it is."""
    keeper, provider, clock, _ = _keeper(None)
    old = await keeper.current(5)
    await clock.advance(60)
    found = await asyncio.gather(*(keeper.renew(old, 5) for _ in range(10)))
    assert {frozen.access_key for frozen in found} == {"AKIA2"}
    assert (await keeper.renew(old, 5)).access_key == "AKIA2"
    assert len(provider.asked) == 2
    await keeper.close()


async def test_credentials_refused_right_after_they_were_found_are_not_looked_for_again() -> None:
    """Wrong keys in a file must not make each call of each pass read it."""
    keeper, provider, clock, _ = _keeper(None)
    bad = await keeper.current(5)
    assert await keeper.renew(bad, 5) is bad
    assert len(provider.asked) == 1
    await clock.advance(30)
    assert (await keeper.renew(bad, 5)).access_key == "AKIA2"
    await keeper.close()


def test_credentials_do_not_show_themselves() -> None:
    """Whoever prints them sees where they came from, nothing else."""
    assert repr(FIRST) == "Frozen(expiry=None, provider='env')"


# ---- botocore's provider chain, for real ---------------------------------------------------------------------------


async def _find() -> Frozen:
    return await asyncio.to_thread(lambda: find_credentials(lambda: Botocore("storage-exporter/0").session(REGION)))


async def test_keys_of_the_environment_are_found_and_do_not_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first provider of the chain."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert await _find() == Frozen("AKIAENV", SECRET, "", None, "env")


async def test_a_changed_credentials_file_is_seen_by_the_next_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Rotated keys of a profile need no restart."""
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "platform")
    for key in ("AKIAOLD", "AKIANEW"):
        file.write_text(f"[platform]\naws_access_key_id = {key}\naws_secret_access_key = {SECRET}\n")
        found = await _find()
        assert (found.access_key, found.provider) == (key, "shared-credentials-file")


async def test_pod_identity_gives_expiring_credentials_of_the_container_role(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The node's agent is asked with the token of the file; expiry and provider are what it says."""
    expiry = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=6)
    tokens: list[str] = []

    async def agent(request: web.Request) -> web.Response:
        tokens.append(request.headers["Authorization"])
        given = {"AccessKeyId": "ASIAPOD", "SecretAccessKey": SECRET, "Token": "session", "AccountId": "111122223333"}
        return web.json_response({**given, "Expiration": expiry.strftime("%Y-%m-%dT%H:%M:%SZ")})

    (tmp_path / "token").write_text(TOKEN)
    async with serving(agent) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/v1/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
        found = await _find()
    assert found == Frozen("ASIAPOD", SECRET, "session", expiry.timestamp(), "container-role")
    assert set(tokens) == {TOKEN}


async def test_irsa_exchanges_the_service_account_token_at_the_scopes_sts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A web identity token file and a role: STS answers, and its expiry is known."""

    async def sts(request: web.Request) -> web.Response:
        form = await request.post()
        assert form["Action"] == "AssumeRoleWithWebIdentity"
        assert form["WebIdentityToken"] == TOKEN
        body = (
            '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            "<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAIRSA</AccessKeyId>"
            f"<SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>session</SessionToken>"
            "<Expiration>2033-05-18T03:33:20Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
            "</AssumeRoleWithWebIdentityResponse>"
        )
        return web.Response(text=body, content_type="text/xml")

    (tmp_path / "token").write_text(TOKEN)
    async with serving(sts) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/storage-exporter")
        found = await _find()
    assert found == Frozen("ASIAIRSA", SECRET, "session", 2_000_000_000.0, "assume-role-with-web-identity")


async def test_a_token_file_with_a_newline_is_a_credentials_error_that_shows_no_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Providers raise a bare ValueError there (chart.md 3.3); ours names the agent and keeps the token to itself."""
    (tmp_path / "token").write_text(f"{TOKEN}\nsecond line\n")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(CredentialsError, match="Pod Identity agent") as raised:
        await _find()
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize("body", ["[]", '{"AccessKeyId": "ASIA"}'])
async def test_an_agent_that_answers_nonsense_is_a_credentials_error(
    monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    """Whatever class the provider raises, callers see one."""

    async def agent(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    async with serving(agent) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/v1/credentials")
        with pytest.raises(CredentialsError, match="no AWS credentials: "):
            await _find()


@pytest.mark.parametrize(
    ("environment", "step"),
    [
        ({}, "set AWS_PROFILE"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "recreate the pod"),
        ({"AWS_PROFILE": "nobody"}, "nobody"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/no/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"}, "trust policy"),
    ],
)
async def test_without_credentials_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], step: str
) -> None:
    """The next step depends on where we run."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CredentialsError, match=step):
        await _find()


async def test_a_credential_process_is_asked_and_its_words_on_failure_are_short(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A profile's process gives credentials with their expiry; when it fails, only its first line is repeated."""
    answer = {"Version": 1, "AccessKeyId": "ASIAPROC", "SecretAccessKey": SECRET, "SessionToken": "session"}
    (tmp_path / "answer").write_text(json.dumps({**answer, "Expiration": "2033-05-18T03:33:20Z"}))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    (tmp_path / "config").write_text(f"[default]\ncredential_process = cat {tmp_path / 'answer'}\n")
    found = await _find()
    assert found == Frozen("ASIAPROC", SECRET, "session", 2_000_000_000.0, "custom-process")
    (tmp_path / "config").write_text("[default]\ncredential_process = cat /no/such/file\n")
    with pytest.raises(CredentialsError) as raised:
        await _find()
    assert "\n" not in str(raised.value)
