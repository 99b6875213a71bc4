"""A running server for tests, what it is told, a client for it, and certificates."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from exporter import logs
from exporter.exposition import Rendered
from exporter.telemetry import Telemetry
from exporter.web import Web

GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}


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
    world: World | None = None,
    *,
    config_file: Path | None = None,
    recheck: float = 3600.0,
    scheme: str = "http",
    telemetry: Telemetry | None = None,
) -> AsyncIterator[Served]:
    """A running server and a client that does not unpack what it gets."""
    world = World() if world is None else world
    server = Web(
        host="127.0.0.1",
        port=0,
        config_file=config_file,
        page=lambda: world.page,
        telemetry=telemetry or Telemetry("1.2.3"),
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
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.02)


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """What is logged from now on, as JSON lines."""
    root, ours = logging.getLogger(), logging.getLogger(logs.ROOT)
    handlers, levels = root.handlers[:], (root.level, ours.level)
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    try:
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        ours.setLevel(levels[1])
        logging.captureWarnings(capture=False)


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
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
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
