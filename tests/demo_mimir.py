"""What the tests of the simulated remote-write receiver share: bodies by protobuf's own classes, and a bare client."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.write_request import encode, message

NOW = 1_750_000_000
"""The receiver's time in the tests that set it; a whole minute."""

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
    "User-Agent": "tests/1.0",
}
Pairs = Sequence[tuple[str, str]]
Points = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    text: str
    headers: Mapping[str, str]


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)


def labels(name: str = "up", **others: str) -> list[tuple[str, str]]:
    """Labels in their order."""
    return sorted({"__name__": name, **others}.items())


def request(*series: tuple[Pairs, Points], metadata: Sequence[tuple[int, str, str, str]] = ()) -> Any:
    """A WriteRequest; stamps in milliseconds, metadata as type, family, help and unit."""
    made = message()()
    for pairs, points in series:
        each = made.timeseries.add()
        for name, text in pairs:
            each.labels.add(name=name, value=text)
        for at, value in points:
            each.samples.add(timestamp=at, value=value)
    for kind, family, text, unit in metadata:
        made.metadata.add(type=kind, metric_family_name=family, help=text, unit=unit)
    return made


def body(*series: tuple[Pairs, Points], metadata: Sequence[tuple[int, str, str, str]] = ()) -> bytes:
    """The same, as it is sent."""
    return encode(request(*series, metadata=metadata))


def push(
    url: str,
    data: bytes,
    tenant: str | None = "acme",
    *,
    path: str = "/api/v1/push",
    headers: Mapping[str, str | None] | None = None,
    timeout: float = 30.0,
) -> Answer:
    """Post *data*; headers of None are left out."""
    sent = {**HEADERS, "X-Scope-OrgID": tenant, **(headers or {})}
    asked = urllib.request.Request(
        f"{url}{path}", data, {name: value for name, value in sent.items() if value is not None}, method="POST"
    )
    return _open(asked, timeout)


def get(url: str, path: str, tenant: str | None = None, **query: str) -> Answer:
    """Ask for a page."""
    words = f"?{urllib.parse.urlencode(query)}" if query else ""
    headers = {} if tenant is None else {"X-Scope-OrgID": tenant}
    return _open(urllib.request.Request(f"{url}{path}{words}", headers=headers), 30.0)


def ask(url: str, path: str, tenant: str | None = None, **query: str) -> Any:
    """The JSON of a page."""
    return json.loads(get(url, path, tenant, **query).text)


def send(url: str, method: str, path: str, given: object = None) -> Answer:
    """Another method, with JSON."""
    data = None if given is None else json.dumps(given).encode()
    return _open(urllib.request.Request(f"{url}{path}", data, method=method), 30.0)


def basic(user: str, password: str) -> str:
    """An Authorization header."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _open(asked: urllib.request.Request, timeout: float) -> Answer:
    try:
        with _OPENER.open(asked, timeout=timeout) as answer:
            return Answer(answer.status, answer.read().decode(), dict(answer.headers))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read().decode(), dict(error.headers))
