"""The server as a client sees it: real requests over real sockets, with and without TLS and users."""

from __future__ import annotations

import asyncio
import base64
import datetime
import gzip
import io
import json
import logging
import math
import os
import socket
import ssl
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import bcrypt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client.openmetrics.parser import text_string_to_metric_families as strict_parse
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter import logs, webconfig
from exporter.errors import ConfigError
from exporter.exposition import Rendered, plain, render
from exporter.model import Block, Family, Snapshot
from exporter.naming import label_set
from exporter.telemetry import Telemetry
from exporter.web import WRITE_SIZE, Web

OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}


def snapshot(count: int = 3) -> Snapshot:
    family = Family("aws_thing_bytes", "Help.", ("id",), "gauge", "bytes")
    labels = [label_set(("id",), (f"vol-{number:017x}",)) for number in range(count)]
    values = array("d", [math.sqrt(number) for number in range(count)])
    return Snapshot(1000.0, ((family, (Block(family, labels, values, 1000, 100),)),), count)


@dataclass
class World:
    """What the server is told; a test changes it while the server runs."""

    page: Rendered | None = None
    ready: tuple[bool, str] = (True, "ready")
    healthy: tuple[bool, str] = (True, "healthy")
    faults: list[str] = field(default_factory=list)
    reloads: int = 0
    landing: dict[str, str] = field(default_factory=lambda: {"version": "1.2.3"})
    broken: bool = False

    async def reload(self) -> list[str]:
        self.reloads += 1
        return self.faults

    def facts(self) -> Mapping[str, str]:
        if self.broken:
            raise RuntimeError("inner workings")
        return self.landing


@dataclass
class Served:
    web: Web
    port: int
    client: aiohttp.ClientSession
    scheme: str = "http"

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    async def get(self, path: str = "/metrics", headers: Mapping[str, str] | None = None, **more: object) -> Answer:
        return await self.ask("GET", path, headers, **more)

    async def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: object) -> Answer:
        request = self.client.request(method, self.url(path), headers=headers, **more)  # type: ignore[arg-type]
        async with request as response:
            return Answer(response.status, dict(response.headers), await response.read())


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@asynccontextmanager
async def serving(
    world: World | None = None, *, config_file: Path | None = None, recheck: float = 3600.0, scheme: str = "http"
) -> AsyncIterator[Served]:
    """A running server and a client that does not unpack what it gets."""
    world = World() if world is None else world
    server = Web(
        host="127.0.0.1",
        port=0,
        config_file=config_file,
        page=lambda: world.page,
        telemetry=Telemetry("1.2.3"),
        ready=lambda: world.ready,
        healthy=lambda: world.healthy,
        reload=world.reload,
        landing=world.facts,
        recheck=recheck,
    )
    _, port = await server.start()
    try:
        async with aiohttp.ClientSession(
            auto_decompress=False, headers=PLAIN, timeout=aiohttp.ClientTimeout(total=20)
        ) as client:
            yield Served(server, port, client, scheme)
    finally:
        await server.stop()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return when *condition* holds; fail after ten seconds."""
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.02)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged from now on, as JSON lines."""
    root, ours = logging.getLogger(), logging.getLogger(logs.ROOT)
    handlers, levels = root.handlers[:], (root.level, ours.level)
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.captureWarnings(capture=False)


# ---- /metrics --------------------------------------------------------------------------------------------------------


async def test_port_0_is_any_free_one() -> None:
    """The address that is listened on is told."""
    async with serving() as first, serving() as second:
        assert first.port != second.port
        assert (await first.get()).status == (await second.get()).status == 200


async def test_before_any_data_the_page_is_the_exporter_itself() -> None:
    """200 with the exporter's own metrics and nothing of AWS."""
    async with serving() as served:
        for headers in (PLAIN, GZIP, {**OPENMETRICS, **GZIP}):
            answer = await served.get(headers=headers)
            body = gzip.decompress(answer.body) if headers != PLAIN else answer.body
            assert answer.status == 200
            assert b"storage_exporter_build_info" in body
            assert b"aws_thing" not in body


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
@pytest.mark.parametrize("count", [3, 30_000], ids=["small", "large"])
async def test_a_page_is_the_data_and_the_exporter_itself(count: int, openmetrics: bool, zipped: bool) -> None:
    """In the format and coding the client asked for; parsers accept it; OpenMetrics ends once."""
    data = snapshot(count)
    async with serving(World(page=await render(data))) as served:
        answer = await served.get(headers={**(OPENMETRICS if openmetrics else {}), **(GZIP if zipped else PLAIN)})
    assert answer.status == 200
    assert answer.headers.get("Content-Encoding") == ("gzip" if zipped else None)
    assert answer.headers["Content-Type"] == (
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
        if openmetrics
        else "text/plain; version=0.0.4; charset=utf-8"
    )
    assert "Accept-Encoding" in answer.headers["Vary"]
    text = (gzip.decompress(answer.body) if zipped else answer.body).decode()
    head = plain(data, "openmetrics" if openmetrics else "text").decode()
    assert text.startswith(head)
    assert text.count("# EOF") == (1 if openmetrics else 0)
    if openmetrics:
        assert text.endswith("# EOF\n")
        families = list(strict_parse(text))  # type: ignore[no-untyped-call]
    else:
        families = list(parse_text(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert sum(len(family.samples) for family in families if family.name == "aws_thing_bytes") == count


async def test_a_client_without_any_header_gets_plain_text() -> None:
    """A bare socket and HTTP/1.1: the oldest client there is."""
    async with serving(World(page=await render(snapshot()))) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = await reader.read()
        writer.close()
    assert received.startswith(b"HTTP/1.1 200")
    assert b"\naws_thing_bytes{" in received
    assert b"Content-Encoding" not in received


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("br;q=1.0, gzip;q=0.8", True),
        ("GZIP", True),
        ("*", True),
        ("identity", False),
        ("deflate, br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("*, gzip;q=0", False),
    ],
)
async def test_gzip_is_for_who_takes_it(accepted: str, zipped: bool) -> None:
    """By Accept-Encoding with its weights; what is said of gzip counts more than what is said of all."""
    async with serving() as served:
        answer = await served.get(headers={"Accept-Encoding": accepted})
    assert (answer.headers.get("Content-Encoding") == "gzip") == zipped


async def test_head_is_get_without_a_body() -> None:
    """Same status and headers, for probes and curl -I."""
    async with serving(World(page=await render(snapshot()))) as served:
        for path in ("/metrics", "/", "/-/healthy", "/-/ready"):
            answer = await served.ask("HEAD", path)
            assert (answer.status, answer.body) == (200, b"")
            assert answer.headers["Content-Type"] == (await served.get(path)).headers["Content-Type"]
        assert (await served.ask("HEAD", "/metrics", GZIP)).headers["Content-Encoding"] == "gzip"
        assert (await served.get()).status == 200  # the connection is still good


async def test_a_page_being_sent_stays_what_it_was() -> None:
    """A client that reads slowly gets one snapshot whole, though the next is there and others are served."""
    data = snapshot(60_000)
    world = World(page=await render(data))
    async with serving(world) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1 << 12)
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        first = await reader.read(1000)
        world.page = await render(snapshot(1))
        quick = await asyncio.wait_for(served.get(), 5)
        assert quick.text.count("\naws_thing_bytes{") == 1
        rest = await reader.read()
        writer.close()
    body = first + rest
    assert plain(data) in body


async def test_a_scrape_does_not_wait_for_a_reload() -> None:
    """While a reload hangs, pages and probes are answered."""
    hanging = asyncio.Event()

    class Slow(World):
        async def reload(self) -> list[str]:
            self.reloads += 1
            await hanging.wait()
            return []

    world = Slow(page=await render(snapshot()))
    async with serving(world) as served:
        reload = asyncio.create_task(served.ask("POST", "/-/reload"))

        async def begun() -> bool:
            return world.reloads == 1

        await until(begun)
        assert [(await served.get(path)).status for path in ("/metrics", "/-/healthy", "/-/ready")] == [200] * 3
        assert not reload.done()
        hanging.set()
        assert (await reload).status == 200


async def test_large_bodies_go_out_in_few_writes() -> None:
    """Each write is at most 256 KB; nothing is lost or doubled between them."""
    from exporter import web

    pieces = [b"a" * 10, b"b" * (WRITE_SIZE * 2 + 5), b"", b"c" * (WRITE_SIZE - 1), b"d", b"e" * 3]
    writes = [bytes(each) for each in web._together(iter(pieces))]
    assert b"".join(writes) == b"".join(pieces)
    assert max(map(len, writes)) <= WRITE_SIZE
    assert len(writes) <= math.ceil(sum(map(len, pieces)) / WRITE_SIZE) + 2


# ---- health, reload, landing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/-/ready", "/-/healthy"])
async def test_a_probe_says_whether_and_why_not(path: str) -> None:
    """200 or 503, with the reason as text."""
    world = World()
    async with serving(world) as served:
        assert (await served.get(path)).status == 200
        world.ready = world.healthy = (False, "waiting for the first pass of ebs")
        answer = await served.get(path)
    assert (answer.status, answer.text) == (503, "waiting for the first pass of ebs\n")
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_reload_says_what_came_of_it(method: str) -> None:
    """200 where the new configuration is in force, 500 with every fault where it is not."""
    world = World()
    async with serving(world) as served:
        assert (await served.ask(method, "/-/reload")).status == 200
        world.faults = ["config.yaml: scopes: is no list", "config.yaml: tagz: is unknown"]
        answer = await served.ask(method, "/-/reload")
    assert (answer.status, world.reloads) == (500, 2)
    assert answer.text == "config.yaml: scopes: is no list\nconfig.yaml: tagz: is unknown\n"


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_looking_at_a_page_reloads_nothing(method: str) -> None:
    """A link or a crawler must not: 405."""
    world = World()
    async with serving(world) as served:
        assert (await served.ask(method, "/-/reload")).status == 405
    assert world.reloads == 0


async def test_the_landing_page_escapes_what_it_tells() -> None:
    """Names of feeds and paths are text, whatever is in them."""
    world = World(landing={"<b>": '<script>alert("x")</script>&'})
    async with serving(world) as served:
        answer = await served.get("/")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<script>" not in answer.text
    assert "<b>" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert 'href="metrics"' in answer.text


async def test_a_fault_of_ours_shows_nothing_of_our_insides(log: io.StringIO) -> None:
    """One line for the client, the error in the log, and the server goes on."""
    world = World(broken=True)
    async with serving(world) as served:
        answer = await served.get("/")
        assert answer.status == 500
        assert "Traceback" not in answer.text
        assert "inner workings" not in answer.text
        assert (await served.get("/metrics")).status == 200
    (line,) = [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == "request_failed"]
    assert line["error"] == "RuntimeError: inner workings"
    assert "GET /" in line["msg"]


async def test_an_unknown_page_is_404() -> None:
    """And no more than that."""
    async with serving() as served:
        assert (await served.get("/etc/passwd")).status == 404


async def test_an_address_that_is_taken_is_named() -> None:
    """The error says which, and where it is configured."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        web = Web(
            host="127.0.0.1",
            port=port,
            config_file=None,
            page=lambda: None,
            telemetry=Telemetry("1"),
            ready=lambda: (True, ""),
            healthy=lambda: (True, ""),
            reload=World().reload,
            landing=dict,
        )
        with pytest.raises(OSError, match=rf"127\.0\.0\.1:{port} \(web\.listen\)"):
            await web.start()


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


@dataclass
class Authority:
    """Signs certificates for 127.0.0.1 into PEM files."""

    folder: Path
    name: str = "ca"

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(self.name, self.key, ca=True)
        self.path = self.folder / f"{self.name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, encryption: serialization.KeySerializationEncryption | None = None) -> int:
        """Write <name>.crt and <name>.key; return the serial number."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(name, key, ca=False)
        (self.folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (self.folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                encryption or serialization.NoEncryption(),
            )
        )
        return certificate.serial_number

    def _sign(self, name: str, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        issuer = subject if ca else x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, self.name)])
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def trusting(self, client: str | None = None) -> ssl.SSLContext:
        """A client's context that trusts this authority, with the certificate of *client*."""
        context = ssl.create_default_context(cafile=self.path)
        if client:
            context.load_cert_chain(self.folder / f"{client}.crt", self.folder / f"{client}.key")
        return context


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
    """A scraper pays bcrypt's price once, not each time: a hundred scrapes cost less than three hashings."""
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
        with pytest.raises(aiohttp.ClientSSLError):
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


async def test_a_changed_file_is_in_force_without_a_restart(tmp_path: Path, log: io.StringIO) -> None:
    """A new password and a renewed certificate are taken up by themselves, on the same port."""
    authority = Authority(tmp_path)
    authority.issue("server")
    users = "basic_auth_users: {{a: {}}}\n"
    path = write(tmp_path, TLS + users.format(hashed("old")))
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


async def test_a_bad_file_changes_nothing_and_is_named_once(tmp_path: Path, log: io.StringIO) -> None:
    """The old users stay in force; a reload answers with the faults; the log has one line, not one a look."""
    path = write(tmp_path, f"basic_auth_users: {{a: {hashed('old')}}}\n")
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
    """htpasswd writes $2y$, others $2a$ or $2b$; long passwords count with their first 72 bytes, as everywhere."""
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
