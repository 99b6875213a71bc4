"""The troubles that the simulated remote-write receiver can make, as a bare client sees them."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from exporter.demo import MIMIR_KINDS, MimirServer, run_mimir_in_thread
from tests.demo_mimir import HEADERS, NOW, Answer, body, labels, push

MS = NOW * 1000
PATIENCE = 60.0
UP = body((labels("up", job="a"), [(MS, 1.0)]), (labels("down"), [(MS, 1.0)]))


@pytest.fixture(scope="module")
def running() -> Iterator[MimirServer]:
    with run_mimir_in_thread(now=lambda: float(NOW)) as server:
        yield server


@pytest.fixture
def server(running: MimirServer) -> Iterator[MimirServer]:
    yield running
    running.faults.clear()
    running.clear()


def until(holds: Any) -> None:
    """Wait until *holds* does."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("kind", "options", "status", "headers"),
    [
        ("error-500", {}, 500, {"Retry-After": None}),
        ("error-503", {}, 503, {"Retry-After": None}),
        ("error-503", {"seconds": 3}, 503, {"Retry-After": "3"}),
        ("html-502", {}, 502, {"Content-Type": "text/html"}),
        ("too-many-429", {}, 429, {"Retry-After": "1"}),
        ("too-many-429", {"seconds": 7}, 429, {"Retry-After": "7"}),
        ("too-many-429", {"seconds": None}, 429, {"Retry-After": None}),
        (
            "too-many-429",
            {"date": "Sun, 06 Nov 1994 08:49:37 GMT"},
            429,
            {"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"},
        ),
        ("unauthorized", {}, 401, {}),
        ("forbidden", {}, 403, {}),
        ("not-found", {}, 404, {}),
        ("redirect", {}, 308, {"Location": "/elsewhere"}),
        ("redirect", {"location": "http://127.0.0.1:1/"}, 308, {"Location": "http://127.0.0.1:1/"}),
        ("too-large-413", {}, 413, {}),
        ("bad-request-400", {"text": "no reason"}, 400, {}),
    ],
)
def test_refusals_are_statuses(
    server: MimirServer, kind: str, options: dict[str, Any], status: int, headers: dict[str, str | None]
) -> None:
    """Once; nothing is stored, nothing is remembered as wrong, and the request says what hit it. Then all is well."""
    server.faults.add(kind, count=1, **options)
    answer = push(server.url, UP, f"refused-{kind}")
    assert (answer.status, {name: answer.headers.get(name) for name in headers}) == (status, headers)
    assert answer.text.strip() == options.get("text", answer.text.strip())
    assert f"refused-{kind}" not in server.tenants
    assert push(server.url, UP).status == 200
    assert [(each.faults, each.status) for each in server.requests] == [((kind,), status), ((), 200)]
    assert not server.refusals


@pytest.mark.parametrize(("kind", "error"), [("reset", ConnectionResetError), ("down", http.client.RemoteDisconnected)])
@pytest.mark.parametrize("applied", [False, True])
def test_connections_that_break(server: MimirServer, kind: str, error: type[Exception], applied: bool) -> None:
    """A reset is seen as one, a close as an end without an answer; with `applied` all the same it is stored."""
    tenant = f"{kind}-{applied}"
    server.faults.add(kind, count=1, applied=applied)
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=PATIENCE)
    connection.request("POST", "/api/v1/push", UP, {**HEADERS, "X-Scope-OrgID": tenant})
    with pytest.raises(error):
        connection.getresponse()
    connection.close()
    assert (len(server.series(tenant)), [each.status for each in server.requests]) == (2 * applied, [0])
    assert push(server.url, UP, tenant).status == 200
    assert server.tenants[tenant].repeats == 2 * applied


def test_a_request_that_is_stored_and_not_answered(server: MimirServer) -> None:
    """It hangs after it was stored; when the client leaves, it is let go, and never has a status."""
    server.faults.add("hang", count=1, applied=True)
    with pytest.raises(TimeoutError):
        push(server.url, UP, "hung", timeout=0.5)
    assert len(server.series("hung")) == 2
    server.faults.add("error-500", count=1, applied=True)
    assert push(server.url, UP, "late").status == 500
    assert len(server.series("late")) == 2
    assert [each.status for each in server.requests] == [0, 500]


def test_slow_and_hanging_answers(server: MimirServer) -> None:
    """A slow answer is right but late; one that hangs has stored nothing when its client leaves."""
    server.faults.add("slow", count=1, seconds=0.2)
    begun = time.monotonic()
    assert push(server.url, UP).status == 200
    assert time.monotonic() - begun >= 0.2
    rule = server.faults.add("hang", held=True)
    with pytest.raises(TimeoutError):
        push(server.url, UP, "gone", timeout=0.3)
    until(lambda: server.requests[-1].ended)
    server.faults.remove(rule)
    assert "gone" not in server.tenants
    assert server.requests[-1].status == 0
    assert push(server.url, UP).status == 200


def test_a_request_that_is_held_is_let_go(server: MimirServer) -> None:
    """With `held` it waits for the rule to be taken away, and is then judged."""
    rule = server.faults.add("hang", held=True)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(push, server.url, UP, "held")
        until(lambda: rule.hit)
        assert "held" not in server.tenants
        server.faults.remove(rule)
        assert late.result(PATIENCE).status == 200
    assert len(server.series("held")) == 2


def test_stopping_lets_go_what_hangs() -> None:
    """A server that stops does not wait for it."""
    answers: list[Answer | OSError] = []

    def ask(url: str) -> None:
        try:
            answers.append(push(url, UP))
        except OSError as error:
            answers.append(error)

    with run_mimir_in_thread(now=lambda: float(NOW)) as server:
        rule = server.faults.add("hang", seconds=600)
        client = threading.Thread(target=ask, args=(server.url,))
        client.start()
        until(lambda: rule.hit)
    client.join(PATIENCE)
    assert len(answers) == 1


def test_a_rule_for_large_bodies_spares_the_small(server: MimirServer) -> None:
    """By the size as sent."""
    server.faults.add("too-large-413", bytes=len(UP) - 1)
    assert push(server.url, UP).status == 413
    assert push(server.url, body((labels("down"), [(MS, 1.0)]))).status == 200
    server.faults.clear()
    server.faults.add("too-large-413", bytes=len(UP))
    assert push(server.url, UP).status == 200


def test_rules_choose_tenants_and_series(server: MimirServer) -> None:
    """A rule hits requests of its tenant that hold a series it finds; the first are spared, then some are hit."""
    rule = server.faults.add("error-500", tenant="acme", series='job="a"', after=1, count=1)
    down = body((labels("down"), [(MS, 1.0)]))
    assert [push(server.url, data, who).status for data, who in ((UP, "other"), (down, "acme"), (b"", "acme"))] == [
        *(200, 200, 400)
    ]
    assert [push(server.url, UP).status for _ in range(3)] == [200, 500, 200]
    assert (rule.matched, rule.hit) == (3, 1)
    with pytest.raises(ValueError, match="error-500"):
        server.faults.add("error-501")
    with pytest.raises(ValueError, match="regular expression"):
        server.faults.add("error-500", series="(")


def test_series_that_are_refused(server: MimirServer) -> None:
    """Those that match, for the reason that is wanted; the others are stored. It is a fault, so nothing was wrong."""
    server.faults.add("series-400", tenant="some", series="down")
    answer = push(server.url, UP, "some")
    assert (answer.status, "(err-mimir-max-series-per-user)" in answer.text) == (400, True)
    assert [dict(key)["__name__"] for key in server.series("some")] == ["up"]
    assert not server.refusals
    assert push(server.url, body((labels("up", job="a"), [(MS + 1, 2.0)])), "some").status == 200
    server.faults.clear()
    server.faults.add("series-400", reason="err-mimir-sample-duplicate-timestamp")
    assert "duplicate-timestamp" in push(server.url, UP, "none").text
    assert server.series("none") == {}


def test_prometheus_refuses_all_for_one_series() -> None:
    """In its manner a series that is refused takes the others with it."""
    with run_mimir_in_thread(now=lambda: float(NOW), atomic=True) as server:
        server.faults.add("series-400", series="down", reason="err-mimir-sample-out-of-order")
        answer = push(server.url, UP)
        assert (answer.status, answer.text) == (400, "out of order sample\n")
        assert (server.series(), server.refusals) == ({}, [])


def test_every_kind_is_tried_here() -> None:
    """The list of faults and this module agree."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert [kind for kind in MIMIR_KINDS if f'"{kind}"' not in text] == []
