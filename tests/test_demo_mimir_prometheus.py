"""
The simulated remote-write receiver beside Debian's Prometheus: one that writes into it, one that receives the same.
"""

from __future__ import annotations

import collections
import json
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from exporter.demo import MimirServer, is_stale, run_mimir_in_thread
from tests.demo_mimir import Answer, Points, body, labels, push
from tests.prometheus import Prometheus, serving
from tests.write_request import bits

pytestmark = pytest.mark.binary
PATIENCE = 60.0
MINUTE = 60_000
PAGE = b"""# HELP odd Odd values.
# TYPE odd gauge
odd{kind="nan"} NaN
odd{kind="infinite"} -Inf
odd{kind="small",Zone="upper",_a="\xc3\xa9 \\"quoted\\" \\\\ \\n"} 5e-324
# HELP passing It will go.
# TYPE passing counter
passing_total 7
"""


class Page(BaseHTTPRequestHandler):
    """What is scraped: the text of its server."""

    def do_GET(self) -> None:
        """Answer with it."""
        text: bytes = self.server.text  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def page() -> Iterator[Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.text = PAGE  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join(30)
    server.server_close()


def until(holds: Callable[[], bool]) -> None:
    """Wait until *holds* does."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def config(server: MimirServer, port: int) -> str:
    """A Prometheus that scrapes the page and writes it; without a tenant, for Debian's sends no own headers."""
    write = {
        "url": server.push_url,
        "basic_auth": {"username": "me", "password": "secret"},
        "queue_config": {
            "batch_send_deadline": "200ms",
            "min_backoff": "30ms",
            "max_backoff": "1s",
            "retry_on_http_429": True,
        },
        "metadata_config": {"send_interval": "1s"},
    }
    targets = [{"targets": [f"127.0.0.1:{port}"]}]
    return json.dumps(
        {
            "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms", "external_labels": {"cluster": "demo"}},
            "scrape_configs": [{"job_name": "page", "static_configs": targets}],
            "remote_write": [write],
        }
    )


def test_prometheus_writes_into_it(tmp_path: Path, page: Any) -> None:
    """
    Through outages and rate limits nothing of it is refused, and what is stored is what Prometheus itself has: stamps,
    values to the bit, labels; the marker of a series that went; types and helps.
    """
    with run_mimir_in_thread(basic={"me": "secret"}, multitenant=False) as server:
        server.faults.add("error-503", after=2, count=2)
        server.faults.add("too-many-429", after=4, count=2, seconds=1)
        with serving(tmp_path, tmp_path / "data", config(server, page.server_address[1])) as real:
            until(lambda: sum(each.status == 200 and each.samples > 0 for each in server.requests) >= 4)
            page.text = PAGE[: PAGE.index(b"# HELP passing")]
            passing = frozenset(labels("passing_total", cluster="demo", instance=_instance(page), job="page"))
            until(lambda: any(is_stale(value) for _, value in server.series().get(passing, [])))
            stored = server.series()
            _compare(real, stored)
        assert not server.refusals
        assert {each.status for each in server.requests} >= {200, 503, 429}
        assert server.metadata()["odd"][1:] == ("gauge", "Odd values.", "")
        assert {each.headers["user-agent"].partition("/")[0] for each in server.requests} == {"Prometheus"}
        (odd,) = (key for key in stored if ("kind", "small") in key)
        assert {("Zone", "upper"), ("_a", 'é "quoted" \\ \n')} <= odd


def _instance(page: Any) -> str:
    return f"127.0.0.1:{page.server_address[1]}"


def _compare(real: Prometheus, stored: Any) -> None:
    """Each sample is Prometheus's own; staleness markers and external labels it does not show."""
    names = {dict(key)["__name__"] for key in stored}
    assert {"up", "odd", "passing_total"} <= names
    for name in names:
        own = {
            frozenset(each["metric"].items()): {round(at * 1000): float(value) for at, value in each["values"]}
            for each in real.get("/api/v1/query", query=f"{name}[10m]")["result"]
        }
        for key, samples in stored.items():
            if dict(key)["__name__"] != name:
                continue
            values = own[key - {("cluster", "demo")}]
            fresh = [(at, value) for at, value in samples if not is_stale(value)]
            assert fresh
            for at, value in fresh:
                assert value == values[at] or (math.isnan(value) and math.isnan(values[at]))


# --- the same requests to both ----------------------------------------------------------------------------------------


def ours(answer: Answer) -> tuple[int, str]:
    """Status and text; newer ones have 400 where Debian's Prometheus answers a sample beyond the window with 500."""
    return (400 if answer.text == "too old sample\n" else answer.status), answer.text


@pytest.mark.parametrize("window", [0, 1800, 7200])
def test_it_judges_as_prometheus_does(tmp_path: Path, window: int) -> None:
    """
    Hundreds of requests of a few series, in order, repeated, changed, late, very late: the same status and the same
    words each time, and in the end the same samples.

    Left out is where it is stricter by intent (order within a request, another value for an older stamp with a window)
    or newer than Debian's (the future).
    """
    chance = random.Random(window)
    base = int(time.time()) * 1000
    told: collections.Counter[str] = collections.Counter()
    said = json.dumps({"storage": {"tsdb": {"out_of_order_time_window": f"{window}s"}}})
    flags = ["--web.enable-remote-write-receiver"]
    with (
        run_mimir_in_thread(atomic=True, out_of_order_window=float(window)) as server,
        serving(tmp_path, tmp_path / "data", said, flags) as real,
    ):
        for data in _requests(chance, base, changed=not window):
            answers = [push(url, data, None, path="/api/v1/write") for url in (real.url, server.url)]
            assert ours(answers[0]) == ours(answers[1])
            told[ours(answers[0])[1].partition(":")[0].strip()] += 1
        for number in range(SERIES):
            name = f"series_{number}"
            (found,) = real.get("/api/v1/query", query=f"{name}[5h]", time=str(base / 1000 + 3600))["result"]
            theirs = [(round(float(at) * 1000), bits(float(value))) for at, value in found["values"]]
            assert theirs == [(at, bits(value)) for at, value in server.series()[frozenset(labels(name))]]
    wanted = {"", "too old sample"} if window else {"", "out of order sample", "duplicate sample for timestamp"}
    assert set(told) == (wanted if window else wanted | {"out of bounds"})
    assert min(told.values()) >= 5


SERIES = 5


def _requests(chance: random.Random, base: int, *, changed: bool) -> Iterator[bytes]:
    """
    Bodies that stay within what both judge alike.

    Args:
        chance: what decides.

        base: the first stamp, milliseconds.

        changed: whether a stamp may come with another value.
    """
    yield body(*((labels(f"series_{number}"), [(base, base % 97)]) for number in range(SERIES)))
    for turn in range(300):
        newest = base + turn * 1000
        series = []
        for number in sorted(chance.sample(range(SERIES), chance.randint(1, 3))):
            stamps = {newest + chance.randint(0, 2) * 500 for _ in range(chance.randint(1, 2))}
            if chance.random() < 0.15:
                stamps.add(newest - chance.choice((1, 10, 29, 31, 59, 61, 119, 121)) * MINUTE)
            other = changed and chance.random() < 0.2
            points: Points = [(at, at % 97 + 0.5 * other) for at in sorted(stamps)]
            series.append((labels(f"series_{number}"), points))
        yield body(*series)
