"""The simulated rulers, asked by another client: paths, codes and manners as Mimir, Cortex and Loki have them."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from exporter.demo import RULER_FAULTS, RulerServer, run_ruler_in_thread
from exporter.demo.ruler_groups import BadGroupError, RulerKind, plain_judge, read

GROUP: dict[str, Any] = {
    "name": "a/b",
    "interval": "1m",
    "rules": [{"alert": "A", "expr": " up == 0\n", "for": "90m", "keep_firing_for": "10m", "labels": {"x": "y"}}],
}
LOGS = {**GROUP, "rules": [{**GROUP["rules"][0], "expr": ' count_over_time({a="b"} |= "c" [5m]) > 0\n'}]}


def ask(server: RulerServer, method: str, path: str, body: Any = None, tenant: str | None = "t") -> tuple[int, str]:
    """Status and text of one request below the prefix."""
    data = None if body is None else yaml.safe_dump(body).encode() if not isinstance(body, bytes) else body
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    try:
        connection.request(method, path, data, {} if tenant is None else {"X-Scope-OrgID": tenant})
        response = connection.getresponse()
        return response.status, response.read().decode().strip()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [("mimir", "/prometheus/config/v1/rules"), ("cortex", "/api/v1/rules"), ("loki", "/loki/api/v1/rules")],
)
def test_the_life_of_a_group(kind: RulerKind, prefix: str) -> None:
    """Set, listed, replaced, deleted; a namespace without groups is gone."""
    group = LOGS if kind == "loki" else GROUP
    with run_ruler_in_thread(kind) as server:
        assert ask(server, "GET", f"{prefix}/ns") == (404, "no rule groups found")
        assert ask(server, "POST", f"{prefix}/ns", group)[0] == 202
        status, text = ask(server, "GET", f"{prefix}/ns")
        assert status == 200
        (found,) = yaml.safe_load(text)["ns"]
        assert (found["name"], found["interval"], found["rules"][0]["for"]) == ("a/b", "1m", "1h30m")
        assert ("keep_firing_for" in found["rules"][0]) == (kind != "loki")
        assert found["rules"][0]["expr"][0].isspace() == (kind != "loki")
        assert ask(server, "POST", f"{prefix}/other", {**group, "name": "c"})[0] == 202
        assert set(yaml.safe_load(ask(server, "GET", prefix)[1])) == {"ns", "other"}
        assert ask(server, "DELETE", f"{prefix}/ns/a")[0] == 404
        assert ask(server, "DELETE", f"{prefix}/ns/a%2Fb")[0] == 202
        assert ask(server, "GET", f"{prefix}/ns")[0] == 404
        assert ask(server, "DELETE", f"{prefix}/other")[0] == 202
        assert ask(server, "DELETE", f"{prefix}/other") == (404, "group namespace does not exist")
        assert server.groups("t") == {}
        assert ask(server, "GET", "/elsewhere") == (404, "404 page not found")
        assert ask(server, "PUT", f"{prefix}/ns")[0] == 405


def test_tenants_are_told_apart() -> None:
    """Without one nothing is answered; a ruler without tenants has one of its own."""
    with run_ruler_in_thread("mimir") as server:
        assert ask(server, "POST", f"{server.prefix}/ns", GROUP, None) == (401, "no org id")
        assert ask(server, "POST", f"{server.prefix}/ns", GROUP, "one")[0] == 202
        assert ask(server, "GET", f"{server.prefix}/ns", tenant="two")[0] == 404
    with run_ruler_in_thread("cortex", multitenant=False) as server:
        assert ask(server, "POST", f"{server.prefix}/ns", GROUP, None)[0] == 202
        assert set(server.groups()) == set(server.groups("fake")) == {"ns"}


def test_limits_of_mimir() -> None:
    """20 rules a group, 70 groups a tenant; a group that is replaced is not counted twice."""
    with run_ruler_in_thread("mimir") as server:
        path = f"{server.prefix}/ns"
        rules = GROUP["rules"] * 20
        for number in range(70):
            assert ask(server, "POST", path, {**GROUP, "name": f"g{number}", "rules": rules})[0] == 202
        assert ask(server, "POST", path, {**GROUP, "name": "g70"}) == (
            400,
            "per-user rule groups limit (limit: 70 actual: 71) exceeded",
        )
        assert ask(server, "POST", path, {**GROUP, "name": "g0"})[0] == 202
        assert ask(server, "POST", path, {**GROUP, "name": "g0", "rules": [*rules, *GROUP["rules"]]}) == (
            400,
            "per-user rules per rule group limit (limit: 20 actual: 21) exceeded",
        )
    with run_ruler_in_thread("loki") as server:
        assert ask(server, "POST", f"{server.prefix}/ns", {**LOGS, "rules": LOGS["rules"] * 21})[0] == 202


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("mimir", {"query_offset": "1s", "labels": {}}, "field labels not found"),
        ("loki", {"query_offset": "1s"}, "field query_offset not found"),
        ("mimir", {"name": ""}, "name must not be empty"),
        ("mimir", {"rules": []}, "has no rules"),
        ("mimir", {"rules": [{"alert": "A"}]}, "'expr' must be set"),
        ("mimir", {"rules": [{"expr": "1"}]}, "one of 'record' or 'alert'"),
        ("mimir", {"rules": [{"alert": "A", "record": "b", "expr": "1"}]}, "one of 'record' or 'alert'"),
        ("mimir", {"rules": [{"record": "a", "expr": "1", "for": "1m"}]}, "invalid field in recording rule"),
        ("mimir", {"rules": [{"alert": "A", "expr": "1", "severity": "x"}]}, "field severity not found"),
        ("mimir", {"rules": [{"alert": "A", "expr": "1", "for": "5 m"}]}, "not a valid duration"),
        ("mimir", {"rules": [{"alert": "A", "expr": "sum(up"}]}, "could not parse expression"),
        ("loki", {"rules": [{"alert": "A", "expr": "sum by (a) (up{b='c'}) > 0"}]}, "could not parse expression"),
        ("mimir", {"rules": LOGS["rules"]}, "could not parse expression"),
    ],
)
def test_what_is_no_group_is_refused(kind: RulerKind, change: dict[str, Any], words: str) -> None:
    """In the rulers' words, with 400."""
    with pytest.raises(BadGroupError, match=words):
        read(yaml.safe_dump({**(LOGS if kind == "loki" else GROUP), **change}).encode(), kind, plain_judge(kind))


def test_an_offset_of_zero_is_nothing_to_mimir() -> None:
    """And something to Cortex."""
    body = yaml.safe_dump({**GROUP, "query_offset": "0s"}).encode()
    given = {kind: read(body, kind, lambda _: "").given(long_spans=False) for kind in ("mimir", "cortex")}
    assert "query_offset" not in given["mimir"]
    assert given["cortex"]["query_offset"] == "0s"


@pytest.mark.parametrize("kind", sorted(set(RULER_FAULTS) - {"reset", "down", "hang"}))
def test_trouble_is_answered_once(kind: str) -> None:
    """Where it is asked for, and the next request goes well."""
    with run_ruler_in_thread("mimir") as server:
        server.faults.add(kind, method="POST", count=1)
        assert ask(server, "GET", server.prefix)[0] == 404
        first = ask(server, "POST", f"{server.prefix}/ns", GROUP)
        assert first[0] != 202
        assert server.groups("t") == {}
        assert ask(server, "POST", f"{server.prefix}/ns", GROUP)[0] == 202
        assert [request.status for request in server.changes()] == [first[0], 202]
        with pytest.raises(ValueError, match="no fault of kind"):
            server.faults.add("rain")
