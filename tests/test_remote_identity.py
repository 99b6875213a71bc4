"""Who we are to a receiver and whom we trust to be it: certificates and secrets, and what happens as they change."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization

from exporter.errors import ConfigError
from tests.aws_wire import serving
from tests.kubernetes_side import served_by
from tests.receivers import BODY, Counts, client_of, failure, prometheus, pushing, receiving
from tests.serving import Authority, logged

# ---- certificates --------------------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Signs the receiver's certificate."""
    return Authority(tmp_path)


async def test_a_receiver_whose_authority_is_not_known(authority: Authority) -> None:
    """The error names the setting; with it, or without verification, it is trusted."""
    async with receiving(prometheus, ssl_context=served_by(authority)) as server:
        error = await failure(server.url)
        assert error.code == "tls"
        assert "delivery.push.tls.ca_file" in str(error)
        for tls in ({"ca_file": str(authority.path)}, {"insecure_skip_verify": True}):
            async with client_of(pushing(server.url, tls=tls)) as client:
                assert (await client.post(BODY, "")).status == 204


async def test_our_own_certificate_is_read_again_when_it_changes(authority: Authority, tmp_path: Path) -> None:
    """With what is under way going on over the old one; a half-written pair changes nothing."""
    serials = []
    hold, entered = asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        serials.append(int(request.transport.get_extra_info("peercert")["serialNumber"], 16))
        if request.headers.get("X-Scope-OrgID") == "held":
            entered.set()
            await hold.wait()
        return web.Response(status=204)

    first = authority.issue("we")
    tls = {
        "ca_file": str(authority.path),
        "cert_file": str(tmp_path / "we.crt"),
        "key_file": str(tmp_path / "we.key"),
    }
    context = served_by(authority, client_ca=authority.path)
    async with serving(answer, ssl_context=context) as url, client_of(pushing(url, tls=tls)) as client:
        await client.post(BODY, "")
        under_way = asyncio.create_task(client.post(BODY, "held"))
        async with asyncio.timeout(60):
            await entered.wait()
        second = authority.issue("new")
        with logged() as log:
            shutil.copy(tmp_path / "new.crt", tmp_path / "we.crt")
            await client.post(BODY, "")  # the key is still that of the first
            await client.post(BODY, "")
        assert log.getvalue().count("remote_write_files_unread") == 1
        shutil.copy(tmp_path / "new.key", tmp_path / "we.key")
        await client.post(BODY, "")
        hold.set()
        assert (await under_way).status == 204
    assert serials == [first, first, first, first, second]


@pytest.mark.parametrize(
    ("write_it", "key"),
    [
        (lambda folder: {"ca_file": str(folder / "missing.pem")}, "delivery.push.tls.ca_file"),
        (lambda folder: {"ca_file": written(folder / "bad.pem", "no certificate")}, "delivery.push.tls.ca_file"),
        (
            lambda folder: {"cert_file": str(folder / "missing.crt"), "key_file": str(folder / "missing.key")},
            "delivery.push.tls",
        ),
    ],
)
async def test_certificates_that_cannot_be_used_are_a_fault_at_start(
    tmp_path: Path, write_it: Callable[[Path], dict[str, str]], key: str
) -> None:
    """Named with the setting and the file."""
    push = pushing("https://127.0.0.1:1", tls=write_it(tmp_path))
    with pytest.raises(ConfigError) as caught:
        await client_of(push).__aenter__()
    [fault] = caught.value.faults
    assert fault.path == key
    assert str(tmp_path) in fault.message


async def test_a_key_that_wants_a_password_is_a_fault_at_start(authority: Authority, tmp_path: Path) -> None:
    """Nobody is asked for one on the terminal."""
    authority.issue("we", serialization.BestAvailableEncryption(b"secret"))
    tls = {"cert_file": str(tmp_path / "we.crt"), "key_file": str(tmp_path / "we.key")}
    with pytest.raises(ConfigError, match=r"delivery\.push\.tls"):
        await client_of(pushing("https://127.0.0.1:1", tls=tls)).__aenter__()


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


# ---- secrets -------------------------------------------------------------------------------------------------------


class Guarded:
    """A receiver that wants one value of Authorization."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        self.seen: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append(request.headers.get("Authorization", ""))
        good = self.seen[-1] == self.wanted
        return web.Response(status=204 if good else 401, text="" if good else "who are you?")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"basic": {"username": "ü", "password": "p:ä ss"}}, basic("ü", "p:ä ss")),
        ({"bearer_token": "abc.def"}, "Bearer abc.def"),
    ],
)
async def test_who_we_are_by_the_configuration(auth: dict[str, object], header: str) -> None:
    """User and password in UTF-8, or a token."""
    guarded = Guarded(header)
    async with serving(guarded.answer) as url, client_of(pushing(url, auth=auth)) as client:
        assert (await client.post(BODY, "")).status == 204


@pytest.mark.parametrize("kind", ["basic", "bearer"])
async def test_a_secret_in_a_file_that_is_rotated(tmp_path: Path, kind: str) -> None:
    """It is read again when it changes; the newline at its end is not part of it."""
    file = tmp_path / "secret"
    auth: dict[str, object] = (
        {"basic": {"username": "u", "password_file": str(file)}}
        if kind == "basic"
        else {"bearer_token_file": str(file)}
    )

    def header(secret: str) -> str:
        return basic("u", secret) if kind == "basic" else f"Bearer {secret}"

    file.write_text("first\n")
    guarded = Guarded(header("first"))
    async with serving(guarded.answer) as url, client_of(pushing(url, auth=auth)) as client:
        assert (await client.post(BODY, "")).status == 204
        file.write_text("another\n")
        guarded.wanted = header("another")
        assert (await client.post(BODY, "")).status == 204
        assert guarded.seen == [header("first"), header("another")]


async def test_a_secret_that_is_refused_is_read_again_whatever_its_file_looks_like(tmp_path: Path) -> None:
    """Same size, time and number: a 401 makes us look into it, and ask once more only where it is another."""
    file = tmp_path / "token"
    file.write_text("first")
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    counts = Counts()
    guarded = Guarded("Bearer first")
    push_auth = {"bearer_token_file": str(file)}
    async with serving(guarded.answer) as url, client_of(pushing(url, auth=push_auth), counts=counts) as client:
        await client.post(BODY, "")
        file.write_text("other")
        os.utime(file, ns=times)
        guarded.wanted = "Bearer other"
        assert (await client.post(BODY, "")).status == 204
        assert guarded.seen == ["Bearer first", "Bearer first", "Bearer other"]
        guarded.wanted = "Bearer third"
        assert (await client.post(BODY, "")).status == 401
        assert len(guarded.seen) == 4
    assert counts.codes == {"204": 2, "401": 2}


async def test_a_request_that_is_taken_is_sent_once(tmp_path: Path) -> None:
    """Also where the secret's file holds something else by then."""
    file = tmp_path / "token"
    file.write_text("first")
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    guarded = Guarded("Bearer first")
    async with (
        serving(guarded.answer) as url,
        client_of(pushing(url, auth={"bearer_token_file": str(file)})) as client,
    ):
        file.write_text("other")
        os.utime(file, ns=times)
        assert (await client.post(BODY, "")).status == 204
    assert guarded.seen == ["Bearer first"]


async def test_a_secret_that_cannot_be_read_again_stays(tmp_path: Path) -> None:
    """Said once, and again after it was well; nothing of the secret is in what is said."""
    file = tmp_path / "token"
    file.write_text("hushhush")
    guarded = Guarded("Bearer hushhush")
    with logged() as log:
        async with (
            serving(guarded.answer) as url,
            client_of(pushing(url, auth={"bearer_token_file": str(file)})) as client,
        ):
            assert (await client.post(BODY, "")).status == 204
            for text in ("", "hush hush\nhush"):
                file.write_text(text)
                assert (await client.post(BODY, "")).status == 204
            file.unlink()
            assert (await client.post(BODY, "")).status == 204
            assert log.getvalue().count("remote_write_files_unread") == 1
            file.write_text("hushhush")
            assert (await client.post(BODY, "")).status == 204
            file.unlink()
            assert (await client.post(BODY, "")).status == 204
    assert log.getvalue().count("remote_write_files_unread") == 2
    assert str(file) in log.getvalue()
    assert "hush" not in log.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [(None, "No such file"), (b"", "empty"), (b" \n", "empty"), (b"a b", "no token"), (b"\xff\xfe", "UTF-8")],
)
async def test_a_secret_that_cannot_be_used_is_a_fault_at_start(
    tmp_path: Path, content: bytes | None, what: str
) -> None:
    """With the setting, the file and what is wrong with it."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        await client_of(pushing("http://127.0.0.1:1", auth={"bearer_token_file": str(file)})).__aenter__()
    [fault] = caught.value.faults
    assert fault.path == "delivery.push.auth.bearer_token_file"
    assert str(file) in fault.message
    assert what in fault.message
    push = pushing("http://127.0.0.1:1", auth={"basic": {"username": "u", "password_file": str(tmp_path / "no")}})
    with pytest.raises(ConfigError, match=r"delivery\.push\.auth\.basic\.password_file"):
        await client_of(push).__aenter__()
