"""Answers no Kubernetes API should give, and those it gives in odd ways: bytes, sizes, pieces, connections."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from exporter.kubernetes.api import Api
from exporter.kubernetes.faults import (
    Asked,
    KubernetesError,
    MalformedError,
    RejectedError,
    ServerError,
    TooLargeError,
    UnreachableError,
    from_answer,
)
from exporter.kubernetes.wire import MOST_OF_A_LINE, MOST_OF_AN_ANSWER, Event
from tests.kubernetes_side import AGENT, PATIENCE, VOLUMES, answering, client, raw

MIB = 1024**2
CODES = frozenset(
    {
        *("unauthorized", "forbidden", "not_found", "conflict", "gone", "throttled", "rejected"),
        *("server_error", "unreachable", "timeout", "malformed"),
    }
)


def listing(items: list[Any] | None, version: str = "7", more: str = "") -> dict[str, Any]:
    metadata = {"resourceVersion": version} | ({"continue": more} if more else {})
    return {"kind": "PersistentVolumeList", "apiVersion": "v1", "metadata": metadata, "items": items}


@asynccontextmanager
async def saying(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> AsyncIterator[Api]:
    """A client of a server that says always the same."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    async with answering(answer) as url, client(url) as api:
        yield api


async def sizes(api: Api, limit: int = 500) -> list[int]:
    return [len(page.items) async for page in api.pages(VOLUMES, limit)]


async def events_of(api: Api, seen: list[Event] | None = None) -> list[Event]:
    seen = [] if seen is None else seen
    async with api.watch(VOLUMES, "7", 5.0) as events:
        async for event in events:
            seen.append(event)
    return seen


# ---- lists ----------------------------------------------------------------------------------------------------------


async def test_a_list_of_nothing_may_be_null() -> None:
    """Go writes an empty slice so where nobody made it."""
    async with saying(json.dumps(listing(None)).encode()) as api:
        assert await sizes(api) == [0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<html>sign in</html>",
        b'{"kind": "Status", "metadata": {}, "status": "Success", "items": []}',
        b'{"kind": "PersistentVolume", "metadata": {"resourceVersion": "7"}, "items": []}',
        b'{"kind": "PersistentVolumeList", "metadata": {"resourceVersion": ""}, "items": []}',
        b'{"kind": "PersistentVolumeList", "metadata": {"resourceVersion": "7"}}',
        b'{"kind": "PersistentVolumeList", "metadata": {"resourceVersion": "7"}, "items": {}}',
        b'{"kind": "PersistentVolumeList", "metadata": {"resourceVersion": "7"}, "items": [{"a": 1}, {]}',
        b'{"kind": "PersistentVolumeList", "metadata": {"resourceVersion": "7"}, "items": [' + b"[" * 100_000,
        b'\xff\xfe{"kind"',
    ],
)
async def test_success_that_is_no_list_is_malformed(body: bytes) -> None:
    """Nothing would be a fact: that there are no volumes. So it is an error."""
    async with saying(body) as api:
        with pytest.raises(MalformedError):
            await sizes(api)


async def test_a_page_that_is_too_large_comes_as_smaller_ones() -> None:
    """Objects of a mebibyte each fit no page of 500; every one of them arrives nevertheless, once."""
    blob = "x" * MIB
    asked: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        limit, start = int(request.query["limit"]), int(request.query.get("continue", 0))
        asked.append(limit)
        assert len(asked) < 20
        items = [{"metadata": {"name": f"pv-{n}"}, "blob": blob} for n in range(start, min(start + limit, 40))]
        more = str(start + limit) if start + limit < 40 else ""
        body = gzip.compress(json.dumps(listing(items, more=more)).encode(), 1)
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    async with answering(answer) as url, client(url) as api:
        assert sum(await sizes(api)) == 40
    assert asked[:2] == [500, 62]
    assert all(limit < MOST_OF_AN_ANSWER // MIB for limit in asked[2:])


async def test_an_object_larger_than_we_can_hold_is_an_error() -> None:
    """Small on the way, it is measured as it unpacks, and never held."""
    bomb = gzip.compress(b'{"kind": "' + b"x" * (MOST_OF_AN_ANSWER + MIB) + b'"}', 1)
    async with saying(bomb, headers={"Content-Encoding": "gzip"}) as api:
        with pytest.raises(TooLargeError):
            await sizes(api, limit=1)
        with pytest.raises(TooLargeError):
            await api.get(VOLUMES, timeout=PATIENCE)


async def test_a_list_that_goes_in_a_circle_ends() -> None:
    """A server that names the same next page again and again is not asked for ever."""
    async with saying(json.dumps(listing([{}], more="next")).encode()) as api:
        with pytest.raises(MalformedError, match="does not go on"):
            async with asyncio.timeout(PATIENCE):
                await sizes(api)


# ---- any request ----------------------------------------------------------------------------------------------------


async def test_what_is_sent() -> None:
    """JSON is wanted, packed if the server likes; cookies are not kept, redirects not followed, no proxy is asked."""
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        response = web.json_response({"kind": "Lease"}, status=201 if request.method == "POST" else 200)
        response.set_cookie("a", "b")
        return response

    # By name: of an address no client keeps cookies.
    async with answering(answer) as url, client(url.replace("127.0.0.1", "localhost")) as api:
        await api.get("/a", timeout=PATIENCE)
        await api.create("/a", {"kind": "Lease"}, timeout=PATIENCE)
        await api.replace("/a/b", {"kind": "Lease"}, timeout=PATIENCE)
    assert [request.method for request in seen] == ["GET", "POST", "PUT"]
    for request in seen:
        assert request.headers["Accept"] == "application/json"
        assert request.headers["Accept-Encoding"] == "gzip"
        assert request.headers["User-Agent"] == AGENT
        assert "Cookie" not in request.headers
        assert "Authorization" not in request.headers
    assert [request.headers.get("Content-Type") for request in seen[1:]] == ["application/json"] * 2


async def test_connections_are_used_again() -> None:
    """One handshake for many requests, and after a refusal too."""
    peers = set()
    count = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.json_response({"kind": "Status", "code": 404}, status=404 if count == 3 else 200)

    async with answering(answer) as url, client(url) as api:
        for number in range(6):
            if number == 2:
                with pytest.raises(KubernetesError):
                    await api.get("/a", timeout=PATIENCE)
            else:
                await api.get("/a", timeout=PATIENCE)
    assert (count, len(peers)) == (6, 1)


async def test_the_environments_proxy_is_not_the_clients_affair(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which proxy there is was decided when the server was found."""
    async with saying(b'{"kind": "Lease"}') as api:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert await api.get("/a", timeout=PATIENCE) == {"kind": "Lease"}


async def test_a_redirect_is_not_followed() -> None:
    """It may lead anywhere, and the token would go with it."""
    followed: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        followed.append(request.path)
        raise web.HTTPFound("/login")

    async with answering(answer) as url, client(url) as api:
        with pytest.raises(MalformedError, match="302"):
            await api.get("/a", timeout=PATIENCE)
    assert followed == ["/a"]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"", UnreachableError),
        (b"SSH-2.0-OpenSSH_9.6\r\n", MalformedError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", UnreachableError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{", KubernetesError),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", UnreachableError),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", MalformedError),
        (b"HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\nhalf", ServerError),
        (b"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", ServerError),
        (b"\x15\x03\x01\x00\x02\x02\x46", MalformedError),
    ],
)
async def test_what_is_no_whole_answer_is_an_error(said: bytes, kind: type[KubernetesError]) -> None:
    """Other protocols, halves, broken packing."""

    async def reply(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()

    async with raw(reply) as url, client(url) as api:
        with pytest.raises(kind):
            await api.get("/a", timeout=PATIENCE)


async def test_what_a_proxy_says_in_html_is_not_repeated() -> None:
    """A page may quote the request; the text has the status and the next step."""
    async with saying(b"<html>Authorization: Bearer abcdefgh</html>", 503) as api:
        with pytest.raises(ServerError) as caught:
            await api.get("/a", timeout=PATIENCE)
    assert "503" in str(caught.value)
    assert "html" not in str(caught.value)


async def test_what_is_no_status_is_not_repeated() -> None:
    """Whoever answers in the API's place may say anything, also in JSON."""
    async with saying(b'{"kind": "Page", "message": "your password"}', 503) as api:
        with pytest.raises(ServerError) as caught:
            await api.get("/a", timeout=PATIENCE)
    assert "password" not in str(caught.value)


async def test_what_the_server_says_is_cut_and_cleaned() -> None:
    """One line of it, not too long, and nothing that looks like a token."""
    status = {"kind": "Status", "message": f"Bearer abcdefghijkl {'x' * 1000}\nsecond line", "code": 422}
    async with saying(json.dumps(status).encode(), 422) as api:
        with pytest.raises(RejectedError) as caught:
            await api.get("/a", timeout=PATIENCE)
    text = str(caught.value)
    assert "abcdefghijkl" not in text
    assert "second" not in text
    assert len(text) < 600


# ---- watches --------------------------------------------------------------------------------------------------------

LINES: list[dict[str, Any]] = [
    {"type": "ADDED", "object": {"metadata": {"name": "a", "resourceVersion": "8"}}},
    {"type": "MODIFIED", "object": {"metadata": {"name": "ключ \U0001f511\u2028", "resourceVersion": "9"}}},
    {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "10"}}},
    {"type": "SOMETHING NEW", "object": 7, "beside": []},
]
STREAM = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in LINES)


def chunked(pieces: list[bytes], *, end: bool = True) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + body + (b"0\r\n\r\n" if end else b"")


@asynccontextmanager
async def streaming(parts: list[bytes]) -> AsyncIterator[Api]:
    """A client of a server that sends *parts* of an answer one after the other, then closes."""

    async def reply(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()

    async with raw(reply) as url, client(url) as api:
        yield api


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, len(STREAM) - 1), max_size=12), ends=st.sampled_from([b"\n", b"\r\n", b"\n\n \n"]))
async def test_a_stream_may_come_in_any_pieces(cuts: list[int], ends: bytes) -> None:
    """Within a character, an object, a line's end: the events are the same."""
    stream = STREAM.replace(b"\n", ends)
    places = [0, *sorted(set(cuts)), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(places)]
    async with streaming(
        [
            chunked([piece], end=False).partition(b"\r\n\r\n")[2] if n else chunked([piece], end=False)
            for n, piece in enumerate(pieces)
        ]
        + [b"0\r\n\r\n"]
    ) as api:
        seen = await events_of(api)
    assert [(event.type, json.loads(bytes(event.object))) for event in seen] == [
        (line["type"], line["object"]) for line in LINES
    ]


async def test_a_stream_that_ends_properly_within_an_event_is_no_end() -> None:
    """What came before was told; the half is not."""
    seen: list[Event] = []
    async with streaming([chunked([STREAM[:-5]])]) as api:
        with pytest.raises(UnreachableError, match="within an event"):
            await events_of(api, seen)
    assert len(seen) == 3


async def test_a_stream_that_breaks_off_is_no_end() -> None:
    """Even where a line had just ended."""
    seen: list[Event] = []
    async with streaming([chunked([STREAM], end=False)]) as api:
        with pytest.raises(UnreachableError, match="broke the answer off"):
            await events_of(api, seen)
    assert len(seen) == 4


async def test_an_event_larger_than_we_can_hold_is_an_error() -> None:
    """It is given up when the bound is passed, not when it has come in; what came before was told."""
    seen: list[Event] = []
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        stream = web.StreamResponse()
        await stream.prepare(request)
        await stream.write(STREAM + b'{"type": "ADDED", "object": "')
        while True:
            await stream.write(b"x" * MIB)
            sent += MIB

    async with answering(endless) as url, client(url) as api:
        with pytest.raises(TooLargeError):
            await events_of(api, seen)
    assert len(seen) == 4
    assert MOST_OF_A_LINE - 2 * MIB <= sent <= MOST_OF_A_LINE + 16 * MIB


async def test_a_long_stream_of_large_events_is_none_that_is_too_large() -> None:
    """Each event counts for itself."""
    line = json.dumps({"type": "ADDED", "object": "x" * MIB}).encode() + b"\n"
    count = 2 * MOST_OF_A_LINE // MIB
    async with streaming([chunked([line * count])]) as api:
        assert len(await events_of(api)) == count


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}', "gone"),
        (b'{"type": "ERROR", "object": {"kind": "Status", "code": 500}}', "server_error"),
        (b'{"type": "ERROR", "object": {"kind": "Status", "code": 429}}', "throttled"),
        (b'{"type": "ERROR", "object": {}}', "malformed"),
        (b'{"type": "ERROR", "object": null}', "malformed"),
        (b'{"type": "ADDED"}', "malformed"),
        (b'{"type": 7, "object": {}}', "malformed"),
        (b'{"kind": "PersistentVolumeList", "items": []}', "malformed"),
        (b"<html>", "malformed"),
        (b'"', "malformed"),
    ],
)
async def test_a_line_that_is_no_event_is_an_error(line: bytes, code: str) -> None:
    """With the code that says what to do; what came before was told."""
    seen: list[Event] = []
    async with streaming([chunked([STREAM, line, b"\n"])]) as api:
        with pytest.raises(KubernetesError) as caught:
            await events_of(api, seen)
    assert caught.value.code == code
    assert len(seen) == 4


# ---- whatever comes -------------------------------------------------------------------------------------------------


@given(body=st.binary(max_size=200), status=st.integers(200, 599))
async def test_whatever_is_answered_only_our_errors_come_of_it(body: bytes, status: int) -> None:
    """Lists, watches and verbs either succeed or raise one of ours, with a code that a label knows."""
    async with saying(body, status) as api:
        for ask in (sizes(api), events_of(api), api.get("/a", timeout=PATIENCE)):
            try:
                await ask
            except KubernetesError as error:
                assert error.code in CODES  # noqa: PT017 - success is as good


@given(
    status=st.integers(100, 999),
    body=st.binary(max_size=100) | st.just(b'{"kind": "Status", "message": "words", "code": 7}'),
    after=st.text(max_size=12) | st.integers(0, 10**6).map(str),
)
@example(status=429, body=b"", after="²")
@example(status=429, body=b"", after="9" * 400)
def test_every_status_is_an_error_with_a_code(status: int, body: bytes, after: str) -> None:
    """Whatever stands in it; Retry-After is seconds or nothing."""
    error = from_answer(Asked("list", VOLUMES), status, {"Retry-After": after}, body)
    assert error.code in CODES
    assert 0 <= error.retry_after < 10**9
    assert str(error).startswith("list persistentvolumes: ")


@pytest.mark.parametrize(
    ("path", "group", "namespace", "kind", "name"),
    [
        ("/api/v1/persistentvolumes", "", "", "persistentvolumes", ""),
        ("/api/v1/persistentvolumes/pv-1", "", "", "persistentvolumes", "pv-1"),
        ("/api/v1/namespaces/billing/pods", "", "billing", "pods", ""),
        ("/api/v1/namespaces/billing/pods/a%2Fb", "", "billing", "pods", "a/b"),
        ("/api/v1/namespaces", "", "", "namespaces", ""),
        ("/api/v1/namespaces/billing", "", "", "namespaces", "billing"),
        ("/apis/storage.k8s.io/v1/csinodes", "storage.k8s.io", "", "csinodes", ""),
        ("/apis/coordination.k8s.io/v1/namespaces/m/leases/l", "coordination.k8s.io", "m", "leases", "l"),
        ("/version", "", "", "/version", ""),
        ("/", "", "", "/", ""),
        ("/apis", "", "", "/apis", ""),
    ],
)
def test_what_is_asked_is_read_from_the_path(path: str, group: str, namespace: str, kind: str, name: str) -> None:
    """As roles spell it."""
    asked = Asked("get", path)
    assert (asked.group, asked.namespace, asked.kind, asked.name) == (group, namespace, kind, name)
