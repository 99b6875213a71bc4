"""The web configuration file: what it asks for is done, over real sockets, and each mistake in it is named."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from pathlib import Path

import aiohttp
import bcrypt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from exporter import webconfig
from exporter.errors import ConfigError
from tests.serving import Authority, Served, World, logged, serving, until

# ---- the web configuration file --------------------------------------------------------------------------------------


def write(folder: Path, text: str) -> Path:
    path = folder / "web.yml"
    path.write_text(text)
    return path


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def basic(user: str, password: str | bytes) -> dict[str, str]:
    raw = password if isinstance(password, bytes) else password.encode()
    return {"Authorization": "Basic " + base64.b64encode(user.encode() + b":" + raw).decode()}


TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"


async def test_who_knows_the_password_reads(tmp_path: Path) -> None:
    """Every page asks; a wrong password, an unknown user and no header are 401."""
    path = write(tmp_path, f"basic_auth_users:\n  alice: {hashed('right')}\n  bob: {hashed('other')}\n")
    async with serving(config_file=path) as served:
        for page in ("/metrics", "/", "/-/healthy", "/nowhere"):
            answer = await served.get(page)
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Basic")
            assert "storage_exporter" not in answer.text
        cases = [
            (basic("alice", "right"), 200),
            (basic("bob", "other"), 200),
            (basic("alice", "wrong"), 401),
            (basic("alice", "other"), 401),
            (basic("carol", "right"), 401),
            (basic("", ""), 401),
            (basic("alice", "right\0"), 401),
            (basic("alice", b"\xff\xfe"), 401),
            (basic("alice", "x" * 200), 401),
            ({"Authorization": "Basic !!!"}, 401),
            ({"Authorization": "Basic " + base64.b64encode(b"alice").decode()}, 401),
            ({"Authorization": basic("alice", "right")["Authorization"].replace("Basic", "Bearer")}, 401),
        ]
        for _ in range(2):  # the second time from memory
            assert [(await served.get("/metrics", headers)).status for headers, _ in cases] == [s for _, s in cases]
        reload = await served.ask("POST", "/-/reload")
        assert reload.status == 401


async def test_a_password_is_hashed_once(tmp_path: Path) -> None:
    """A scraper pays bcrypt's price once, not each time: one that is known costs less than half of the first."""
    path = write(tmp_path, f"basic_auth_users: {{alice: {bcrypt.hashpw(b'right', bcrypt.gensalt(10)).decode()}}}\n")
    loop = asyncio.get_running_loop()
    async with serving(config_file=path) as served:
        began = loop.time()
        assert (await served.get("/-/ready", basic("alice", "right"))).status == 200
        first = loop.time() - began
        began = loop.time()
        for _ in range(20):
            assert (await served.get("/-/ready", basic("alice", "right"))).status == 200
        assert (loop.time() - began) / 20 < first / 2


async def test_an_unknown_user_costs_what_a_known_one_does(tmp_path: Path) -> None:
    """The time of an answer does not tell which names exist."""
    path = write(tmp_path, f"basic_auth_users: {{alice: {bcrypt.hashpw(b'right', bcrypt.gensalt(10)).decode()}}}\n")
    loop = asyncio.get_running_loop()

    async def best(served: Served, user: str) -> float:
        times = []
        for attempt in range(5):
            began = loop.time()
            assert (await served.get("/-/ready", basic(user, f"wrong {attempt}"))).status == 401
            times.append(loop.time() - began)
        return min(times)

    async with serving(config_file=path) as served:
        known, unknown = await best(served, "alice"), await best(served, "nobody")
    assert 1 / 3 < known / unknown < 3


async def test_a_password_is_checked_beside_the_loop(tmp_path: Path) -> None:
    """While a dear hash is computed, who is known already is served."""
    dear = bcrypt.hashpw(b"right", bcrypt.gensalt(12)).decode()
    path = write(tmp_path, f"basic_auth_users: {{alice: {hashed('right')}, slow: {dear}}}\n")
    async with serving(config_file=path) as served:
        await served.get("/-/ready", basic("alice", "right"))
        slow = asyncio.create_task(served.get("/-/ready", basic("slow", "wrong")))
        await asyncio.sleep(0.02)
        assert (await served.get("/-/ready", basic("alice", "right"))).status == 200
        assert not slow.done()
        assert (await slow).status == 401


async def test_tls_serves_tls_only(tmp_path: Path) -> None:
    """A client that trusts the authority reads; plain HTTP and old versions get nothing."""
    authority = Authority(tmp_path)
    authority.issue("server")
    async with serving(config_file=write(tmp_path, TLS), scheme="https") as served:
        assert (await served.get(ssl=authority.trusting())).status == 200
        with pytest.raises(aiohttp.ClientError):
            await served.client.get(f"http://127.0.0.1:{served.port}/metrics")
        newest = authority.trusting()
        newest.minimum_version = ssl.TLSVersion.TLSv1_3
        assert (await served.get(ssl=newest)).status == 200


async def test_min_version_refuses_older(tmp_path: Path) -> None:
    """TLS13 means that TLS 1.2 is not spoken."""
    authority = Authority(tmp_path)
    authority.issue("server")
    text = "tls_server_config: {cert_file: server.crt, key_file: server.key, min_version: TLS13}\n"
    older = authority.trusting()
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serving(config_file=write(tmp_path, text), scheme="https") as served:
        with pytest.raises(aiohttp.ClientConnectorError):
            await served.get(ssl=older)
        assert (await served.get(ssl=authority.trusting())).status == 200


@pytest.mark.parametrize(
    ("policy", "without", "signed"),
    [("RequireAndVerifyClientCert", False, True), ("VerifyClientCertIfGiven", True, True)],
)
async def test_clients_show_a_certificate_that_is_verified(
    tmp_path: Path, policy: str, without: bool, signed: bool
) -> None:
    """One signed by the authority reads, one signed by another never does."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger-ca")
    authority.issue("server")
    authority.issue("client")
    stranger.issue("stranger")
    text = (
        "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: ca.pem,"
        f" client_auth_type: {policy}}}\n"
    )

    async def reads(served: Served, client: str | None) -> bool:
        try:
            return (await served.get(ssl=authority.trusting(client))).status == 200
        except (aiohttp.ClientError, OSError):
            return False

    async with serving(config_file=write(tmp_path, text), scheme="https") as served:
        assert await reads(served, "client") == signed
        assert await reads(served, None) == without
        assert not await reads(served, "stranger")


async def test_headers_of_the_file_are_on_every_answer(tmp_path: Path) -> None:
    """Also on 401, 404 and 405; never the versions of our libraries."""
    headers = "{X-Frame-Options: deny, Strict-Transport-Security: max-age=1, X-XSS-Protection: ''}"
    world = World(broken=True)
    path = write(tmp_path, f"http_server_config: {{http2: false, headers: {headers}}}\n")
    async with serving(world, config_file=path) as served:
        for page, status in (("/metrics", 200), ("/nowhere", 404), ("/-/reload", 405), ("/-/ready", 200), ("/", 500)):
            answer = await served.get(page)
            assert answer.status == status
            assert (answer.headers["X-Frame-Options"], answer.headers["Strict-Transport-Security"]) == (
                "deny",
                "max-age=1",
            )
            assert "X-XSS-Protection" not in answer.headers
            assert "aiohttp" not in answer.headers.get("Server", "")
    path = write(tmp_path, f"http_server_config: {{headers: {headers}}}\nbasic_auth_users: {{a: {hashed('b')}}}\n")
    async with serving(config_file=path) as served:
        answer = await served.get()
        assert (answer.status, answer.headers["X-Frame-Options"]) == (401, "deny")


async def test_a_changed_file_is_in_force_without_a_restart(tmp_path: Path) -> None:
    """A new password and a renewed certificate are taken up by themselves, on the same port."""
    authority = Authority(tmp_path)
    authority.issue("server")
    users = "basic_auth_users: {{a: {}}}\n"
    path = write(tmp_path, TLS + users.format(hashed("old")))
    with logged() as log:
        async with serving(config_file=path, recheck=0.05, scheme="https") as served:

            async def status(password: str) -> int:
                return (await served.get(headers=basic("a", password), ssl=authority.trusting())).status

            assert await status("old") == 200
            write(tmp_path, TLS + users.format(hashed("new")))

            async def taken_up() -> bool:
                return await status("new") == 200

            await until(taken_up)
            assert await status("old") == 401
            serial = authority.issue("server")

            async def renewed() -> bool:
                _, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=authority.trusting())
                certificate = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(True))
                writer.close()
                return certificate.serial_number == serial

            await until(renewed)
            assert await status("new") == 200
            write(tmp_path, users.format(hashed("new")))
            await served.web.refresh()
            served.scheme = "http"
            assert (await served.get(headers=basic("a", "new"))).status == 200
        assert "web_config_failed" not in log.getvalue()


async def test_a_bad_file_changes_nothing_and_is_named_once(tmp_path: Path) -> None:
    """The old users stay in force; a reload answers with the faults; the log has one line, not one a look."""
    path = write(tmp_path, f"basic_auth_users: {{a: {hashed('old')}}}\n")
    with logged() as log:
        async with serving(config_file=path, recheck=0.02) as served:
            write(tmp_path, "basic_auth_users: {a: hunter2}\n")

            async def noticed() -> bool:
                return "web_config_failed" in log.getvalue()

            await until(noticed)
            await asyncio.sleep(0.2)
            assert (await served.get(headers=basic("a", "old"))).status == 200
            answer = await served.ask("POST", "/-/reload", basic("a", "old"))
            assert answer.status == 500
            assert "web.yml: basic_auth_users.a: is no bcrypt hash" in answer.text
            assert "hunter2" not in answer.text + log.getvalue()
            assert log.getvalue().count("web_config_failed") == 1
            write(tmp_path, f"basic_auth_users: {{a: {hashed('new')}}}\n")
            assert (await served.ask("POST", "/-/reload", basic("a", "old"))).status == 200
            assert (await served.get(headers=basic("a", "new"))).status == 200


async def test_a_fault_in_a_file_it_names_is_over_when_that_file_is(tmp_path: Path) -> None:
    """A certificate that arrives after the file that names it is taken up, though that file did not change again."""
    authority = Authority(tmp_path)
    async with serving(config_file=write(tmp_path, "")) as served:
        write(tmp_path, TLS)
        (fault, _) = await served.web.refresh()
        assert "tls_server_config.cert_file: 'server.crt' cannot be read" in fault
        assert (await served.get()).status == 200
        authority.issue("server")
        assert await served.web.refresh() == []
        served.scheme = "https"
        assert (await served.get(ssl=authority.trusting())).status == 200


async def test_a_bad_file_stops_the_start(tmp_path: Path) -> None:
    """Nothing is served with less protection than was asked for, and the port is free again."""
    path = write(tmp_path, TLS)
    with pytest.raises(ConfigError, match=r"web\.yml: tls_server_config\.cert_file"):
        async with serving(config_file=path):
            pytest.fail("it started")


HASH = "$2y$10$" + "a" * 53


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[]", "has to be a mapping"),
        ("a: [", "not valid YAML"),
        ("tls_server_confg: {}", "did you mean 'tls_server_config'"),
        ("rate_limit: {burst: 1}", "rate_limit: is not supported"),
        ("basic_auth_users: [alice]", "basic_auth_users: has to be a mapping"),
        ("basic_auth_users: {alice: hunter2}", "basic_auth_users.alice: is no bcrypt hash"),
        ("basic_auth_users: {alice: }", "basic_auth_users.alice: is no bcrypt hash"),
        (f"basic_auth_users: {{'a:b': '{HASH}'}}", "is no user name"),
        (f"basic_auth_users: {{a: '{HASH}', a: '{HASH}'}}", "is given twice"),
        (f"basic_auth_users: {{a: '{HASH}hunter2'}}", "basic_auth_users.a: is no bcrypt hash"),
        ("tls_server_config: {cert_file: server.crt}", "tls_server_config.key_file: is needed"),
        ("tls_server_config: {key_file: server.key}", "tls_server_config.cert_file: is needed"),
        ("tls_server_config: {cert_file: no.crt, key_file: server.key}", "cert_file: 'no.crt' cannot be read"),
        ("tls_server_config: {cert_file: ca.pem, key_file: server.key}", "does not belong to key_file"),
        ("tls_server_config: {cert_file: server.key, key_file: server.key}", "is no PEM certificate chain"),
        ("tls_server_config: {cert_file: locked.crt, key_file: locked.key}", "key_file: is encrypted"),
        (TLS.replace("}", ", min_version: TLS11}"), "min_version: has to be one of TLS12, TLS13, not 'TLS11'"),
        (TLS.replace("}", ", min_version: TLS13, max_version: TLS12}"), "min_version: is later than max_version"),
        (TLS.replace("}", ", client_auth_type: RequireAnyClientCert}"), "protects nothing"),
        (TLS.replace("}", ", client_auth_type: RequireAndVerifyClientCert}"), "client_ca_file: is needed"),
        (TLS.replace("}", ", client_ca_file: ca.pem}"), "client_auth_type: is needed"),
        (
            TLS.replace("}", ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: server.key}"),
            "client_ca_file: holds no PEM certificate",
        ),
        (TLS.replace("}", ", cipher_suites: [x]}"), "cipher_suites: is not supported"),
        (TLS.replace("}", ", cert_fil: x}"), "did you mean 'cert_file'"),
        (TLS.replace("server.crt", "7"), "cert_file: has to be text, not 7"),
        ("http_server_config: {http2: maybe}", "http2: has to be true or false"),
        ("http_server_config: {headers: [x]}", "headers: has to be a mapping"),
        ("http_server_config: {headers: {X-Frame-Option: deny}}", "did you mean 'X-Frame-Options'"),
        ("http_server_config: {headers: {X-Frame-Options: allow}}", "has to be deny or sameorigin"),
        ('http_server_config: {headers: {Content-Security-Policy: "a\\r\\nb: c"}}', "has to be text in one line"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, text: str, fault: str) -> None:
    """Where it is, what is wrong; and no message repeats a password that stands where a hash should."""
    authority = Authority(tmp_path)
    authority.issue("server")
    authority.issue("locked", serialization.BestAvailableEncryption(b"hunter2"))
    with pytest.raises(ConfigError) as caught:
        webconfig.load(write(tmp_path, text))
    assert fault in str(caught.value)
    assert "web.yml" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    """A file is mended in one go."""
    text = "tls_server_config: {cert_file: a}\nhttp_server_config: {http2: 1}\nbasic_auth_users: {x: y}\nmore: 1\n"
    with pytest.raises(ConfigError) as caught:
        webconfig.load(write(tmp_path, text))
    assert {fault.path for fault in caught.value.faults} == {
        "tls_server_config.cert_file",
        "tls_server_config.key_file",
        "http_server_config.http2",
        "basic_auth_users.x",
        "more",
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", "tls_server_config:\nbasic_auth_users:\nhttp_server_config: {}\n"])
def test_an_empty_file_asks_for_nothing(tmp_path: Path, text: str) -> None:
    """Plain HTTP for everyone, as with other exporters."""
    config = webconfig.load(write(tmp_path, text))
    assert (config.tls, config.users, config.headers) == (None, {}, {})


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """By its path, with the reason."""
    with pytest.raises(ConfigError, match=r"missing\.yml: cannot be read: No such file"):
        webconfig.load(tmp_path / "missing.yml")
    (tmp_path / "web.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        webconfig.load(tmp_path / "web.yml")


def test_hashes_are_not_printed(tmp_path: Path) -> None:
    """A configuration in a log or a debugger shows no hash."""
    assert HASH not in repr(webconfig.load(write(tmp_path, f"basic_auth_users: {{a: '{HASH}'}}\n")))


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
async def test_every_kind_of_bcrypt_hash_works(tmp_path: Path, prefix: str) -> None:
    """By htpasswd it is $2y$, by others $2a$ or $2b$; long passwords count with their first 72 bytes, as everywhere."""
    path = write(tmp_path, f"basic_auth_users: {{a: {hashed('x' * 72).replace('$2b$', prefix)}}}\n")
    async with serving(config_file=path) as served:
        assert (await served.get(headers=basic("a", "x" * 100))).status == 200
        assert (await served.get(headers=basic("a", "x" * 71))).status == 401


def test_a_swapped_link_is_a_change(tmp_path: Path) -> None:
    """ConfigMaps and Secrets change by swapping a link; the time of the file may even be older."""
    for name, text in (("new", "a"), ("old", "b")):
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (1000, 1000))
    link = tmp_path / "web.yml"
    link.symlink_to("new")
    before = webconfig.digest([link])
    link.unlink()
    link.symlink_to("old")
    after = webconfig.digest([link])
    link.unlink()
    assert len({before, after, webconfig.digest([link])}) == 3
