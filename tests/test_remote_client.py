"""One request to a receiver: what goes over the wire, who may send, certificates and secrets, no answers."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from aiohttp import web

from exporter.clock import FixedClock
from exporter.errors import UnsentError
from exporter.remote.replies import Reply
from exporter.remote.trial import try_receiver
from tests.aws_wire import serving
from tests.kubernetes_side import raw
from tests.receivers import BODY, Counts, client_of, failure, prometheus, pushing, receiving
from tests.write_request import samples_of

# ---- what is sent --------------------------------------------------------------------------------------------------


async def test_a_request_is_what_the_specification_asks_for() -> None:
    """Headers and body of remote write 1.0, to the configured path, with the configured headers."""
    counts = Counts()
    async with receiving(prometheus) as server:
        push = pushing(f"{server.url}?x=1", headers={"X-Own": "mine", "user-AGENT2": "y"})
        async with client_of(push, counts=counts) as client:
            assert await client.post(BODY, "team-a") == Reply(204)
    [request] = server.requests
    assert request.method == "POST"
    assert request.raw_path == "/api/v1/push?x=1"
    headers = request.headers
    assert headers["Content-Encoding"] == "snappy"
    assert headers["Content-Type"] == "application/x-protobuf"
    assert headers["X-Prometheus-Remote-Write-Version"] == "0.1.0"
    assert headers["User-Agent"] == "storage-exporter/0"
    assert headers["X-Scope-OrgID"] == "team-a"
    assert headers["X-Own"] == "mine"
    assert headers["Content-Length"] == str(len(BODY))
    assert "Authorization" not in headers
    assert "Accept-Encoding" not in headers
    assert samples_of(server.bodies[0]) == {frozenset({("__name__", "one")}): [(1_000, 1.5)]}
    assert counts.codes == {"204": 1}
    assert counts.failures == 0


async def test_without_a_tenant_there_is_no_header() -> None:
    """Mimir without tenants and Prometheus want none."""
    async with receiving(prometheus) as server, client_of(pushing(server.url)) as client:
        await client.post(BODY, "")
    assert "X-Scope-OrgID" not in server.requests[0].headers


async def test_connections_are_kept() -> None:
    """Ten requests one after the other take one connection, whatever is answered."""
    ports = set()

    async def answer(request: web.Request) -> web.Response:
        ports.add(request.transport.get_extra_info("peername")[1] if request.transport else 0)
        await request.read()
        return web.Response(status=400, text="x" * 10_000)

    async with serving(answer) as url, client_of(pushing(url)) as client:
        for _ in range(10):
            reply = await client.post(BODY, "")
            assert reply.status == 400
            assert len(reply.text) == 2048
    assert len(ports) == 1


async def test_a_long_answer_is_not_read_to_its_end() -> None:
    """Two KiB are kept, and a connection that goes on and on is closed."""
    closed = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(status=400)
        await response.prepare(request)
        try:
            while True:
                await response.write(b"\xff" * 65536)
        except (ConnectionError, asyncio.CancelledError):
            closed.set()
            raise

    async with serving(endless) as url, client_of(pushing(url)) as client:
        reply = await client.post(BODY, "")
        assert reply.status == 400
        assert len(reply.text) <= 2048
        async with asyncio.timeout(60):
            await closed.wait()


async def test_a_redirect_is_an_answer() -> None:
    """Secrets are sent to nobody who was not configured."""

    async def elsewhere(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/else"})

    async with serving(elsewhere) as url, client_of(pushing(f"{url}/here")) as client:
        assert (await client.post(BODY, "")).status == 307


async def test_the_receivers_wish_to_wait() -> None:
    """As seconds, and as a date by our clock."""

    async def busy(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": request.headers["X-Wish"]}, text="slow down")

    counts = Counts()
    async with serving(busy) as url:
        for wish, seconds in (("17", 17.0), ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0)):
            push = pushing(url, headers={"X-Wish": wish})
            async with client_of(push, clock=FixedClock(1_800_000_000.0), counts=counts) as client:
                assert await client.post(BODY, "") == Reply(429, "slow down", seconds)
    assert counts.codes == {"429": 2}
    assert counts.failures == 2


async def test_requests_go_through_the_proxy_of_the_environment() -> None:
    """HTTP_PROXY is asked for the whole url, unless NO_PROXY names the host."""
    asked = []

    async def proxy(request: web.Request) -> web.Response:
        asked.append(str(request.url))
        return web.Response(status=204)

    async with serving(proxy) as url:
        push = pushing("http://mimir.test:8080/api/v1/push")
        async with client_of(push, environ={"HTTP_PROXY": url}) as client:
            await client.post(BODY, "")
        assert asked == ["http://mimir.test:8080/api/v1/push"]
        async with client_of(pushing(url), environ={"http_proxy": "http://127.0.0.1:1"}) as client:
            await client.post(BODY, "")  # loopback never goes through it
    assert len(asked) == 2


# ---- who may send --------------------------------------------------------------------------------------------------


async def test_who_does_not_lead_sends_nothing() -> None:
    """Not even a connection is made; what is not fenced goes out all the same."""
    counts = Counts()
    async with (
        receiving(prometheus) as server,
        client_of(pushing(server.url), counts=counts, permitted=lambda: False) as client,
    ):
        with pytest.raises(UnsentError, match="does not lead"):
            await client.post(BODY, "")
        assert server.requests == []
        assert not counts.codes
        assert (await client.post(BODY, "", fenced=False)).status == 204
    assert len(server.requests) == 1


async def test_the_last_look_is_right_before_the_wire() -> None:
    """Leadership that ends while a connection is made: nothing is sent, and the connection serves the next term."""
    looks = iter([True, False, True, True])
    counts = Counts()
    async with (
        receiving(prometheus) as server,
        client_of(pushing(server.url), counts=counts, permitted=lambda: next(looks)) as client,
    ):
        with pytest.raises(UnsentError):
            await client.post(BODY, "")
        assert server.requests == []
        assert (counts.codes, counts.failures) == ({}, 0)
        assert (await client.post(BODY, "")).status == 204


# ---- no answer -----------------------------------------------------------------------------------------------------


async def test_a_receiver_that_never_answers() -> None:
    """The whole exchange has its time: silence, and an answer that trickles."""

    async def silent(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def trickling(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=503)
        await response.prepare(request)
        while True:
            await response.write(b".")
            await asyncio.sleep(0.05)

    for handler in (silent, trickling):
        async with serving(handler) as url:
            error = await failure(url, timeout=1)
        assert error.code == "timeout"
        assert "within 1 s" in str(error)


async def test_success_is_success_before_its_words() -> None:
    """2xx whose body never ends, or is cut off: the receiver has the request."""

    async def trickling(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        await response.write(b"o")
        await asyncio.Event().wait()
        raise AssertionError

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()

    async with serving(trickling) as url, client_of(pushing(url, timeout=1)) as client:
        assert await client.post(BODY, "") == Reply(200)
    async with raw(cut) as url, client_of(pushing(url)) as client:
        assert await client.post(BODY, "") == Reply(200)


async def test_broken_connections() -> None:
    """Refused, closed without a word, cut in the middle, not HTTP: one kind of failure, which names the host."""

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async def cutting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()

    async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()

    for reply in (closing, cutting, babbling):
        async with raw(reply) as url:
            error = await failure(url)
        assert error.code == "connection"
        assert "127.0.0.1" in str(error)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        error = await failure(f"http://127.0.0.1:{free.getsockname()[1]}")
    assert error.code == "connection"


async def test_a_name_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is told from a receiver that is down."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = await failure("http://mimir.test/api/v1/push")
    assert error.code == "name"
    assert "mimir.test" in str(error)


# ---- check --connect -----------------------------------------------------------------------------------------------


async def tried(url: str, **more: object) -> str | None:
    return await try_receiver(pushing(url, **more), user_agent="storage-exporter/0", clock=FixedClock(0), environ={})


async def test_a_receiver_that_takes_an_empty_request() -> None:
    """Nothing is the matter; each tenant was tried, by a request that holds nothing."""
    async with receiving(prometheus) as server:
        assert await tried(server.url) is None
        assert [request.headers.get("X-Scope-OrgID") for request in server.requests] == [None]
        server.requests.clear()
        assert await tried(server.url, tenant="b", tenants={"123456789012": "a", "210987654321/eu-west-1": "b"}) is None
        assert [request.headers.get("X-Scope-OrgID") for request in server.requests] == ["b", "a"]
    assert all(samples_of(body) == {} for body in server.bodies)


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (404, "404 page not found", "correct delivery.push.url"),
        (405, "", "correct delivery.push.url"),
        (302, "", "redirects"),
        (401, "no org id", "set delivery.push.tenant"),
        (401, "bad token", "delivery.push.auth"),
        (403, "", "delivery.push.tenant"),
        (400, "what is that?", "it says: what is that?"),
        (500, "", "failed (500)"),
    ],
)
async def test_a_receiver_that_does_not(status: int, text: str, words: str) -> None:
    """One sentence: which address, what is wrong, the next step."""

    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=status, text=text)

    async with serving(refuse) as url:
        said = await tried(url, tenant="someone")
        assert said is not None
        assert words in said
        assert url in said
        assert "someone" in said


async def test_a_receiver_that_cannot_be_reached_or_asked(tmp_path: Path) -> None:
    """Down, and a secret that is not there: words, never an exception."""
    said = await tried("http://127.0.0.1:1/push")
    assert said is not None
    assert "http://127.0.0.1:1/push" in said
    assert "does the receiver run there" in said
    said = await tried("http://127.0.0.1:1", auth={"bearer_token_file": str(tmp_path / "no")})
    assert said is not None
    assert "bearer_token_file" in said
