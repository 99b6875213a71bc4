"""What the tests of the simulated S3 share: the account in two regions, and one request signed by hand."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from exporter.demo import DemoServer, World, WorldClock, run_in_thread
from exporter.demo.bucket_rows import REPLICA_REGION, of_region
from exporter.demo.estate import Estate
from exporter.demo.tables import REGION
from tests.demo_clients import NOW

UPLOADS, ARCHIVE, LEGACY = "officeless-uploads-production", "officeless-archive", "legacy-cron-output"
WEBSITE, BACKUPS, ANALYTICS = "www.officeless.example", "officeless-backups", "officeless-analytics"
MIMIR, LOKI = "officeless-mimir-production", "officeless-loki-chunks-production"


def two_worlds(at: float = NOW) -> tuple[World, World]:
    """Jakarta with the mission's buckets, Singapore with the replica; both know the whole account."""
    clock = WorldClock(at)
    jakarta = World(1, clock)
    replica = {item.name: item for item in of_region(1, REPLICA_REGION)}
    singapore = World(1, clock, estate=Estate(buckets=replica), region=REPLICA_REGION)
    jakarta.account_buckets = singapore.account_buckets = lambda: [*jakarta.own_buckets(), *singapore.own_buckets()]
    return jakarta, singapore


@contextmanager
def two_regions() -> Iterator[DemoServer]:
    """A server of both worlds."""
    jakarta, singapore = two_worlds()
    with run_in_thread(jakarta) as running:
        running.add_world(singapore)
        yield running


def raw(
    server: DemoServer,
    target: str,
    *,
    signer: Callable[..., Any] = S3SigV4Auth,
    region: str = REGION,
    host: str = "",
    timeout: float = 5.0,
    headers: dict[str, str] | None = None,
    spoil: Callable[[str], str] = lambda header: header,
) -> tuple[int, dict[str, str], str]:
    """One GET as it is signed by hand: status, headers (lower case) and body."""
    where = urlsplit(server.url).netloc
    request = AWSRequest("GET", f"http://{host or where}{target}", headers=headers or {})
    signer(Credentials(server.access_key_id, server.secret_access_key), "s3", region).add_auth(request)
    sent = {**dict(request.headers.items()), "Host": host or where}
    sent["Authorization"] = spoil(sent["Authorization"])
    with closing(http.client.HTTPConnection(where, timeout=timeout)) as connection:
        connection.request("GET", target, headers=sent)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()


def code_of(body: str) -> str:
    """The code of an error's body."""
    return ET.fromstring(body).findtext("Code") or ""
