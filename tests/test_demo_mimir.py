"""The simulated remote-write receiver over HTTP: what it demands, what it stores, what it remembers, what it shows."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator

import pytest

from exporter.demo import ANONYMOUS, MimirLimits, MimirServer, Refusal, WorldClock, is_stale, run_mimir_in_thread
from exporter.demo.mimir_checks import DUPLICATE, OUT_OF_ORDER, UNSORTED
from exporter.demo.mimir_query import Matcher, QueryError, parse, spell
from exporter.demo.mimir_wire import Metadata
from tests.demo_mimir import HEADERS, NOW, ask, basic, body, get, labels, push, send
from tests.write_request import bits

MS = NOW * 1000
STALE: float = struct.unpack("<d", struct.pack("<Q", 0x7FF0_0000_0000_0002))[0]


@pytest.fixture
def clock() -> WorldClock:
    return WorldClock(NOW)


@pytest.fixture
def server(clock: WorldClock) -> Iterator[MimirServer]:
    with run_mimir_in_thread(now=clock) as running:
        yield running


@pytest.fixture
def prometheus(clock: WorldClock) -> Iterator[MimirServer]:
    with run_mimir_in_thread(now=clock, atomic=True) as running:
        yield running


# --- manners ----------------------------------------------------------------------------------------------------------

MIXED = body((labels("a"), [(MS, 1.0), (MS - 1, 1.0)]), (labels("b"), [(MS, 2.0)]), metadata=[(2, "a", "Help.", "")])


def test_good_requests_are_stored_by_tenant(server: MimirServer) -> None:
    """On both paths; each tenant has its own series, and its own word about families."""
    said = [(2, "up", "Whether.", "")]
    assert push(server.url, body((labels(), [(MS, 1.0)]), metadata=said)).status == 200
    assert push(server.url, body((labels(), [(MS, 2.0)])), "other", path="/api/v1/write").status == 200
    assert server.series("acme") == {frozenset(labels()): [(MS, 1.0)]}
    assert server.series("other") == {frozenset(labels()): [(MS, 2.0)]}
    assert (server.series(), server.series("nobody")) == ({}, {})
    assert server.metadata("acme") == {"up": Metadata("up", "gauge", "Whether.", "")}
    assert server.metadata("other") == server.metadata("nobody") == {}
    assert not server.refusals
    assert server.push_url == f"{server.url}/api/v1/push"


def test_mimir_stores_what_is_good(server: MimirServer) -> None:
    """The rest is answered with 400 and the first error, and every error is remembered."""
    answer = push(server.url, MIXED)
    assert answer.status == 400
    assert f"({OUT_OF_ORDER})" in answer.text
    assert server.series("acme") == {frozenset(labels("a")): [(MS, 1.0)], frozenset(labels("b")): [(MS, 2.0)]}
    assert set(server.metadata("acme")) == {"a"}
    assert server.refusals == [Refusal(OUT_OF_ORDER, '{__name__="a"}', MS - 1)]
    two = body((labels("a"), [(MS, 9.0)]), ([("__name__", "x"), ("b", "1"), ("a", "1")], [(MS, 1.0)]))
    assert f"({DUPLICATE})" in push(server.url, two).text
    assert [refusal.reason for refusal in server.refusals] == [OUT_OF_ORDER, DUPLICATE, UNSORTED]
    server.clear()
    assert (server.refusals, server.requests) == ([], [])
    assert len(server.series("acme")) == 2


def test_prometheus_stores_nothing_of_a_bad_request(prometheus: MimirServer) -> None:
    """One wrong sample and none of it is there, not even a tenant; without it all is."""
    answer = push(prometheus.url, MIXED, None, path="/api/v1/write")
    assert (answer.status, answer.text) == (400, "out of order sample\n")
    assert (prometheus.series(), prometheus.metadata(), prometheus.tenants) == ({}, {}, {})
    assert prometheus.refusals == [Refusal(OUT_OF_ORDER, '{__name__="a"}', MS - 1)]
    assert push(prometheus.url, body((labels("b"), [(MS, 2.0)])), None, path="/api/v1/write").status == 204
    assert prometheus.series() == {frozenset(labels("b")): [(MS, 2.0)]}
    assert prometheus.push_url == f"{prometheus.url}/api/v1/write"


def test_prometheus_knows_only_the_first_error(prometheus: MimirServer) -> None:
    """For it never looks at the rest."""
    bad = body((labels("a"), [(MS, 1.0), (MS, 2.0)]), (labels("b"), [(MS, 1.0), (MS - 1, 2.0)]))
    assert push(prometheus.url, bad, None).text.startswith("duplicate sample")
    assert [refusal.reason for refusal in prometheus.refusals] == [DUPLICATE]


def test_prometheus_has_no_tenants(prometheus: MimirServer) -> None:
    """Whoever writes is the one without a name, whatever the header."""
    assert push(prometheus.url, body((labels(), [(MS, 2.0)])), "acme").status == 204
    assert list(prometheus.tenants) == [ANONYMOUS]


def test_an_empty_request_is_accepted(server: MimirServer) -> None:
    """As a sender asks whether all is well."""
    assert push(server.url, body()).status == 200
    assert (server.series("acme"), server.refusals) == ({}, [])


def test_the_window_and_the_clock_are_arguments() -> None:
    """Of an hour, by the clock that was given."""
    with run_mimir_in_thread(now=lambda: float(NOW), out_of_order_window=3600.0) as server:
        assert server.limits == MimirLimits(out_of_order=3600.0)
        assert push(server.url, body((labels(), [(MS, 1.0)]))).status == 200
        assert push(server.url, body((labels(), [(MS - 3_600_000, 1.0)]))).status == 200
        assert "too old" in push(server.url, body((labels(), [(MS - 3_600_001, 1.0)]))).text
        assert push(server.url, body((labels(), [(MS + 600_001, 1.0)]))).status == 400
        assert [at for at, _ in server.series("acme")[frozenset(labels())]] == [MS - 3_600_000, MS]


def test_staleness_markers_arrive_as_they_are(server: MimirServer) -> None:
    """To the bit, told apart from an ordinary NaN."""
    assert push(server.url, body((labels(), [(MS, float("nan")), (MS + 1, STALE)]))).status == 200
    ((_, ordinary), (_, marker)) = server.series("acme")[frozenset(labels())]
    assert (is_stale(ordinary), is_stale(marker), bits(marker)) == (False, True, 0x7FF0_0000_0000_0002)


# --- what a request must be -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"X-Scope-OrgID": None}, 401, "tenant"),
        ({"X-Scope-OrgID": "a b"}, 400, "tenant"),
        ({"X-Scope-OrgID": "a|b"}, 400, "tenant"),
        ({"X-Scope-OrgID": ".."}, 400, "tenant"),
        ({"X-Scope-OrgID": "x" * 151}, 400, "tenant"),
        ({"Content-Type": "text/plain"}, 415, "content-type"),
        ({"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}, 415, "content-type"),
        ({"Content-Encoding": None}, 415, "content-encoding"),
        ({"Content-Encoding": "zstd"}, 415, "content-encoding"),
        ({"X-Prometheus-Remote-Write-Version": None}, 400, "version-header"),
        ({"X-Prometheus-Remote-Write-Version": "2.0.0"}, 400, "version-header"),
        ({"User-Agent": ""}, 400, "user-agent"),
        ({"User-Agent": "curl"}, 400, "user-agent"),
    ],
)
def test_headers_that_are_wrong(server: MimirServer, headers: dict[str, str | None], status: int, reason: str) -> None:
    """Each is refused and remembered; nothing is stored."""
    assert push(server.url, body((labels(), [(MS, 1.0)])), headers=headers).status == status
    assert server.refusals == [Refusal(reason)]
    assert server.tenants == {}


def test_headers_that_are_right(server: MimirServer) -> None:
    """The message may be named, and tenants have odd letters."""
    headers = {"Content-Type": "application/x-protobuf; proto=prometheus.WriteRequest"}
    assert push(server.url, body(), "a!-_.*'()9", headers=headers).status == 200
    assert push(server.url, body(), "x" * 150).status == 200
    assert not server.refusals


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "snappy"), (b"\x05abc", "snappy"), (b"\x02\x04\x0a\x09", "protobuf")]
)
def test_bodies_that_are_wrong(server: MimirServer, data: bytes, reason: str) -> None:
    """400, said and remembered."""
    answer = push(server.url, data)
    assert answer.status == 400
    assert server.refusals == [Refusal(reason)]
    assert [(each.status, each.size, each.series) for each in server.requests] == [(400, len(data), 0)]


def test_a_message_that_is_too_large(server: MimirServer) -> None:
    """By the size it announces."""
    answer = push(server.url, b"\xff\xff\xff\xff\x07")
    assert answer.status == 413
    assert [refusal.reason for refusal in server.refusals] == ["err-mimir-distributor-max-write-message-size"]


def test_other_pages_and_methods(server: MimirServer) -> None:
    """404 and 405; they are requests that went wrong, but nothing was written that could be refused."""
    assert push(server.url, body(), path="/api/v1/pusch").status == 404
    answer = get(server.url, "/api/v1/push")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert [(each.method, each.path, each.status) for each in server.requests] == [
        ("POST", "/api/v1/pusch", 404),
        ("GET", "/api/v1/push", 405),
    ]
    assert not server.refusals


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (None, 401),
        (basic("me", "secret"), 200),
        (basic("me", "wrong"), 401),
        (basic("you", "secret"), 401),
        ("Basic me:secret", 401),
        ("Basic bWU=", 401),
        ("Basic /w==", 401),
        ("Bearer token", 200),
        ("bearer token", 200),
        ("Bearer other", 401),
        ("Digest token", 401),
    ],
)
def test_credentials(shown: str | None, status: int) -> None:
    """Basic or bearer, one of those that are known; a wrong one is no refusal of what was written."""
    with run_mimir_in_thread(basic={"me": "secret"}, bearer=["token"]) as server:
        answer = push(server.url, body(), headers={"Authorization": shown})
        assert answer.status == status
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)
        assert [each.status for each in server.requests] == [status]
        assert not server.refusals


def test_credentials_may_change(server: MimirServer) -> None:
    """While it runs, as rotated secrets do; so may the tenants."""
    assert push(server.url, body(), headers={"Authorization": "Bearer any"}).status == 200
    server.bearer.add("new")
    assert push(server.url, body(), headers={"Authorization": "Bearer any"}).status == 401
    assert push(server.url, body(), headers={"Authorization": "Bearer new"}).status == 200
    server.bearer.clear()
    server.allowed = {"acme"}
    assert [push(server.url, body(), tenant).status for tenant in ("acme", "other")] == [200, 403]
    assert not server.refusals


def test_credentials_of_a_user_without_password() -> None:
    """A user nobody knows has no password, which is not the empty one."""
    with run_mimir_in_thread(basic={"me": ""}) as server:
        assert push(server.url, body(), headers={"Authorization": basic("you", "")}).status == 401
        assert push(server.url, body(), headers={"Authorization": basic("me", "")}).status == 200


# --- what is remembered -----------------------------------------------------------------------------------------------


def test_requests_are_remembered(server: MimirServer) -> None:
    """Their sizes, counts, headers and answers."""
    data = body((labels("a"), [(MS, 1.0), (MS + 1, 1.0)]), (labels("b"), [(MS, 1.0)]), metadata=[(2, "a", "", "")])
    push(server.url, data)
    push(server.url, MIXED)
    good, bad = server.requests
    assert (good.method, good.path, good.tenant, good.at) == ("POST", "/api/v1/push", "acme", NOW)
    assert (good.size, good.series, good.samples, good.metadata) == (len(data), 2, 3, 1)
    assert good.message > len(data) / 2
    assert {name: good.headers[name.lower()] for name in HEADERS} == HEADERS
    assert (good.status, good.text, good.faults) == (200, "", ())
    assert good.ended is not None
    assert good.began <= good.ended <= bad.began
    assert bad.status == 400
    assert f"({DUPLICATE})" in push(server.url, body((labels("a"), [(MS + 1, 2.0)]))).text
    assert bad.text.startswith("failed pushing to ingester")


def test_an_outage_and_what_was_before_it(server: MimirServer) -> None:
    """Stopped, nobody listens; started again, it has the same address and all it had."""
    url = server.url
    push(url, body((labels(), [(MS, 1.0)])))
    server.run(server.stop())
    with pytest.raises(OSError, match="refused"):
        push(url, body())
    server.run(server.start())
    assert server.url == url
    assert push(url, body((labels(), [(MS + 1, 2.0)]))).status == 200
    assert server.series("acme") == {frozenset(labels()): [(MS, 1.0), (MS + 1, 2.0)]}


def test_only_so_much_is_kept() -> None:
    """Where asked for: what is an hour older than the newest goes, once a minute of the receiver's time."""
    clock = WorldClock(NOW)
    with run_mimir_in_thread(now=clock, keep=3600.0) as server:
        push(server.url, body((labels("a"), [(MS - 1000, 1.0)]), (labels("b"), [(MS, 1.0)])))
        clock.set(NOW + 3600)
        push(server.url, body((labels("b"), [(MS + 3_600_000, 2.0)])))
        assert server.series("acme") == {frozenset(labels("b")): [(MS, 1.0), (MS + 3_600_000, 2.0)]}
        clock.set(NOW + 3630)
        push(server.url, body((labels("b"), [(MS + 3_630_000, 3.0)])))
        assert len(server.series("acme")[frozenset(labels("b"))]) == 3
        clock.set(NOW + 3660)
        push(server.url, body())
        assert [at for at, _ in server.series("acme")[frozenset(labels("b"))]] == [MS + 3_600_000, MS + 3_630_000]


def test_reading_while_it_writes(server: MimirServer) -> None:
    """From another thread, what is read is whole: it waits for the request that is being stored."""
    push(server.url, body((labels(), [(MS, 1.0)])))
    read = threading.Event()

    def reading() -> None:
        assert server.series("acme")
        read.set()

    with server.tenants["acme"].lock:
        reader = threading.Thread(target=reading)
        reader.start()
        assert not read.wait(0.3)
    assert read.wait(30)
    reader.join(30)


# --- queries ----------------------------------------------------------------------------------------------------------


def test_instant_queries(server: MimirServer, clock: WorldClock) -> None:
    """The newest sample of five minutes, none after a staleness marker; as Mimir and as Prometheus ask."""
    push(
        server.url,
        body(
            (labels("up", job="a"), [(MS - 300_000, 1.0), (MS - 60_000, 1.5)]),
            (labels("up", job="b"), [(MS - 299_999, float("inf"))]),
            (labels("up", job="c"), [(MS - 60_000, 3.0), (MS - 1, STALE)]),
            (labels("up", job="d"), [(MS - 300_000, 4.0)]),
        ),
    )
    for path in ("/prometheus/api/v1/query", "/api/v1/query"):
        data = ask(server.url, path, "acme", query="up")["data"]
        assert data["resultType"] == "vector"
        assert {each["metric"]["job"]: each["value"] for each in data["result"]} == {
            "a": [NOW, "1.5"],
            "b": [NOW, "+Inf"],
        }
    at = ask(server.url, "/api/v1/query", query="up", time=f"{NOW - 60}")["data"]["result"]
    assert {each["metric"]["job"]: each["value"][1] for each in at} == {
        "a": "1.5",
        "b": "+Inf",
        "c": "3",
        "d": "4",
    }
    stamp = "2025-06-15T15:05:40+00:00"  # the same instant
    assert ask(server.url, "/api/v1/query", query="up", time=stamp)["data"]["result"] == at
    found = send(server.url, "POST", f"/api/v1/query?query=up&time={NOW - 60}")
    assert found.status == 200
    assert '"3"' in found.text
    assert ask(server.url, "/api/v1/query", "other", query="up")["data"]["result"] == []


def test_range_queries(server: MimirServer) -> None:
    """At each step what an instant would say; a step without a value is left out."""
    push(server.url, body((labels(), [(MS, 1.0), (MS + 600_000, float("nan"))])))
    asked = {"query": "up", "start": str(NOW), "end": str(NOW + 720), "step": "120s"}
    (each,) = ask(server.url, "/prometheus/api/v1/query_range", "acme", **asked)["data"]["result"]
    assert each["metric"] == {"__name__": "up"}
    assert each["values"] == [[NOW, "1"], [NOW + 120, "1"], [NOW + 240, "1"], [NOW + 600, "NaN"], [NOW + 720, "NaN"]]
    for wrong in ({"step": "0"}, {"step": "x"}, {"end": str(NOW - 1)}, {"step": "0.0001"}, {"start": "noon"}):
        answer = get(server.url, "/api/v1/query_range", "acme", **{**asked, **wrong})
        assert (answer.status, '"bad_data"' in answer.text) == (400, True)


def test_selectors(server: MimirServer) -> None:
    """Each kind of condition, quotes and escapes."""
    push(
        server.url,
        body((labels("up", job='say "x"', zone="a1"), [(MS, 1.0)]), (labels("down", zone="b1"), [(MS, 2.0)])),
    )

    def names(query: str) -> set[str]:
        return {each["metric"]["__name__"] for each in ask(server.url, "/api/v1/query", query=query)["data"]["result"]}

    assert names("up") == names(" up {} ") == names('{__name__="up"}') == {"up"}
    assert names(r'{job="say \"x\""}') == names("{job='say \"x\"'}") == {"up"}
    assert names('{zone=~".1"}') == names('{zone!="x",}') == {"up", "down"}
    assert names('{zone=~".1", zone!~"a.*"}') == names('{zone!="a1"}') == names('{__name__!="up"}') == {"down"}
    assert names('{zone=~"1"}') == set()
    assert names('{job=""}') == names('{job!~".+"}') == {"down"}
    for wrong in ("", "{}", "sum(up)", "up{", "up{zone}", 'up{zone="a" job="b"}', 'up{zone=~"("}', "up[5m]", "up + 1"):
        assert get(server.url, "/api/v1/query", query=wrong).status == 400, wrong
    with pytest.raises(QueryError, match="no plain selector"):
        parse("rate(up[5m])")
    assert parse('a{b!="c\\n"}') == [Matcher("__name__", "=", "a"), Matcher("b", "!=", "c\n")]


def test_values_are_spelled_as_numbers() -> None:
    """Whole ones without a point, the rest so that they can be read back."""
    assert [spell(value) for value in (1.0, -0.5, 1e300, float("nan"), float("-inf"), 0.1 + 0.2)] == [
        *("1", "-0.5", "1e+300", "NaN", "-Inf", "0.30000000000000004")
    ]


def test_metadata_of_a_tenant(server: MimirServer) -> None:
    """As Prometheus's API has it."""
    push(server.url, body(metadata=[(6, "x_info", "What.", ""), (1, "a_total", "How many.", "bytes")]))
    assert ask(server.url, "/prometheus/api/v1/metadata", "acme")["data"] == {
        "a_total": [{"type": "counter", "help": "How many.", "unit": "bytes"}],
        "x_info": [{"type": "info", "help": "What.", "unit": ""}],
    }


def test_people_need_no_tenant_where_there_is_one(server: MimirServer) -> None:
    """With two they have to say which."""
    push(server.url, body((labels(), [(MS, 1.0)])))
    assert len(ask(server.url, "/api/v1/query", query="up")["data"]["result"]) == 1
    push(server.url, body((labels(), [(MS, 1.0)])), "other")
    assert ask(server.url, "/api/v1/query", query="up")["data"]["result"] == []
    assert len(ask(server.url, "/api/v1/query", "other", query="up")["data"]["result"]) == 1


# --- control pages ----------------------------------------------------------------------------------------------------


def test_control_pages(server: MimirServer) -> None:
    """State, requests and refusals as JSON, without secrets; a page for a browser."""
    push(server.url, MIXED, headers={"Authorization": "Bearer hidden", "X-Key": "hidden"})
    push(server.url, body((labels("b"), [(MS, 2.0)])))
    assert ask(server.url, "/_demo/state") == {
        "now": NOW,
        "tenants": {"acme": {"series": 2, "samples": 2, "newest": MS, "repeats": 1, "families": 1}},
        "requests": 2,
        "refusals": 1,
    }
    first, _ = ask(server.url, "/_demo/requests")
    assert (first["status"], first["samples"], first["headers"]["user-agent"]) == (400, 3, "tests/1.0")
    assert "hidden" not in get(server.url, "/_demo/requests").text
    assert ask(server.url, "/_demo/refusals") == [{"reason": OUT_OF_ORDER, "series": '{__name__="a"}', "at": MS - 1}]
    for path in ("/", "/_demo", "/_demo/"):
        page = get(server.url, path)
        assert page.headers["Content-Type"].startswith("text/html")
        assert "acme" in page.text


def test_faults_by_hand(server: MimirServer) -> None:
    """Added, shown and ended over HTTP; what is no rule is said to be none."""
    rule = {"match": {"tenant": "acme"}, "kind": "error-503", "count": 1}
    assert send(server.url, "POST", "/_demo/faults", rule).status == 200
    assert [push(server.url, body(), tenant).status for tenant in ("other", "acme", "acme")] == [200, 503, 200]
    (shown,) = ask(server.url, "/_demo/faults")
    assert (shown["kind"], shown["match"], shown["hit"]) == ("error-503", {"tenant": "acme", "series": None}, 1)
    many = [{"kind": "forbidden"}, {"kind": "slow", "options": {"seconds": 0}}]
    assert send(server.url, "POST", "/_demo/faults", many).status == 200
    assert len(ask(server.url, "/_demo/faults")) == 3
    for wrong in ({"kind": "error-504"}, {"kind": "slow", "match": {"series": "("}}, "x", {"match": 7}):
        answer = send(server.url, "POST", "/_demo/faults", wrong)
        assert (answer.status, '"error"' in answer.text) == (400, True)
    assert send(server.url, "DELETE", "/_demo/faults").text == "[]"
    assert push(server.url, body()).status == 200
