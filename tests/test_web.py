"""The server as a client sees it: real requests over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import socket
import threading
from array import array

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as strict_parse
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition import plain, render
from exporter.model import Block, Family, Snapshot
from exporter.naming import label_set
from exporter.telemetry import Telemetry
from exporter.web import WRITE_SIZE, Web
from tests.serving import GZIP, PLAIN, World, logged, serving, until

OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}


def snapshot(count: int = 3) -> Snapshot:
    family = Family("aws_thing_bytes", "Help.", ("id",), "gauge", "bytes")
    labels = [label_set(("id",), (f"vol-{number:017x}",)) for number in range(count)]
    values = array("d", [math.sqrt(number) for number in range(count)])
    return Snapshot(1000.0, ((family, (Block(family, labels, values, 1000, 100),)),), count)


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
        quick = await asyncio.wait_for(served.get(), 60)
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


async def test_the_exporters_own_metrics_are_written_once_for_all_who_ask_meanwhile() -> None:
    """Off the event loop, for each format; who comes later gets fresh ones, and a client that goes takes nothing."""
    entered, leave = threading.Event(), threading.Event()

    class Slow(Telemetry):
        renders = 0

        def render(self, openmetrics: bool) -> bytes:
            self.renders += 1
            entered.set()
            leave.wait(10)
            return super().render(openmetrics)

    telemetry = Slow("1")
    async with serving(World(page=await render(snapshot())), telemetry=telemetry) as served:
        going = asyncio.create_task(served.get())
        asking = [asyncio.create_task(served.get(headers=GZIP)) for _ in range(3)]
        await asyncio.to_thread(entered.wait, 10)
        going.cancel()
        assert (await served.get("/-/healthy")).status == 200  # the loop is free
        assert telemetry.renders == 1
        leave.set()
        answers = await asyncio.gather(*asking)
        assert all(b"storage_exporter_build_info" in gzip.decompress(each.body) for each in answers)
        renders = telemetry.renders
        telemetry.series(77)
        assert "storage_exporter_series 77.0" in (await served.get()).text
        assert telemetry.renders == renders + 1


async def test_half_a_page_is_never_taken_for_a_whole_one() -> None:
    """Where the exporter's own metrics fail the connection breaks, so that a scraper knows; the log says why."""

    class Broken(Telemetry):
        def render(self, openmetrics: bool) -> bytes:
            raise RuntimeError("inner workings")

    with logged() as log:
        async with serving(World(page=await render(snapshot())), telemetry=Broken("1")) as served:
            with pytest.raises(aiohttp.ClientError):
                await served.get(headers=GZIP)
            assert (await served.get("/-/healthy")).status == 200
    (line,) = [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == "request_failed"]
    assert line["error"] == "RuntimeError: inner workings"


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


async def test_a_fault_of_ours_shows_nothing_of_our_insides() -> None:
    """One line for the client, the error in the log, and the server goes on."""
    with logged() as log:
        async with serving(World(broken=True)) as served:
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


async def test_a_plan_that_is_not_known_yet_is_no_empty_plan() -> None:
    """503 before any service knows what there is."""
    async with serving() as served:
        answer = await served.get("/-/plan")
    assert answer.status == 503
    assert "no service knows" in answer.text
