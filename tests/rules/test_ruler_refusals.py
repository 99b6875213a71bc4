"""Rulers that refuse, are in trouble or are not there: what is said, what still goes through, how long it is tried."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.clock import Clock, SystemClock
from exporter.config import MimirRuler
from exporter.demo import RulerLimits, RulerServer, run_ruler_in_thread
from exporter.errors import RulerError
from exporter.ruler.client import RulerClient
from tests.rules.ruler_side import CREDITS, GROWTH, OURS, UNUSED, Side, alert, configured, promql
from tests.serving import Authority

TENANT = "officeless"


@pytest.fixture
def side(tmp_path: Path) -> Side:
    return Side(tmp_path)


@pytest.fixture
def mimir() -> Iterator[RulerServer]:
    with run_ruler_in_thread("mimir", judge=promql) as server:
        yield server


def to(server: RulerServer, **more: Any) -> dict[str, Any]:
    return {"mimir": {"url": server.url, "tenant": TENANT, **more}}


def names(server: RulerServer) -> list[str]:
    return [group["name"] for group in server.groups(TENANT).get(OURS, [])]


def test_a_refused_group_does_not_keep_the_others_back(side: Side, mimir: RulerServer) -> None:
    """The ruler's reason is given with the group and what to do; nothing is deleted; exit code 1."""
    mimir.put(OURS, {"name": "old", "interval": "1m", "rules": [{"record": "a:b", "expr": "up"}]}, TENANT)
    side.change("mimir/efs.yaml", lambda data: data["groups"][1]["rules"][0].update(expr="sum(rate(x)) > 0"))
    side.configure(to(mimir))
    done = side("sync")
    assert done.exit_code == 1
    assert sorted(names(mimir)) == ["old", CREDITS, GROWTH]
    assert "mimir: 2 groups set, 0 deleted, 2 NOT done" in done.stdout
    first, second = done.stderr.splitlines()[-2:]
    assert first.startswith(f"rules.mimir: POST of group {UNUSED}: HTTP 400, 'rule 0, AwsEfsUnused: could not parse")
    assert "rules.disable" in first
    assert second == "rules.mimir: nothing is deleted while anything is refused: old"


def test_limits_of_the_ruler_are_explained(side: Side) -> None:
    """Both limits, with the setting that raises them."""
    with run_ruler_in_thread("mimir", limits=RulerLimits(rules_per_group=2, groups=1)) as server:
        side.configure(to(server))
        done = side("sync")
        assert done.exit_code == 1
        assert "per-user rules per rule group limit (limit: 2 actual: 3) exceeded'" in done.stderr
        assert "raise ruler_max_rules_per_rule_group" in done.stderr
        assert "per-user rule groups limit (limit: 1 actual: 2) exceeded'" in done.stderr
        assert "raise ruler_max_rule_groups_per_tenant" in done.stderr
        assert names(server) == [UNUSED]


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"tenant": None}, ["HTTP 401, 'no org id'", "set rules.mimir.tenant"]),
        ({"prefix": "/api/v1/rules"}, ["HTTP 404", "below /api/v1/rules", "/prometheus/config/v1/rules", "Cortex's"]),
        ({"prefix": "/prometheus/config/v1"}, ["HTTP 404", "set rules.mimir.prefix"]),
    ],
)
def test_a_wrong_address_or_tenant_is_explained(
    side: Side, mimir: RulerServer, rules: dict[str, Any], words: list[str]
) -> None:
    """At once, for asking again would change nothing; diff and sync alike."""
    side.configure(to(mimir, **rules))
    for command in ("diff", "sync"):
        done = side(command, "--timeout", "5")
        assert done.exit_code == 1
        assert [word for word in words if word not in done.stderr] == [], done.stderr
    assert len(mimir.requests) == 2


def test_wrong_credentials_are_told_from_none(side: Side) -> None:
    """401 with and without auth."""
    with run_ruler_in_thread("mimir", bearer=["right-token"]) as server:
        side.configure(to(server))
        assert "it wants to know us: set rules.mimir.auth" in side("sync").stderr
        side.configure(to(server, auth={"bearer_token": "wrong-token"}))
        done = side("sync")
        assert "it does not know us: correct rules.mimir.auth" in done.stderr
        assert "wrong-token" not in done.output


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("forbidden", ["HTTP 403, 'the tenant is not yours'", "rules.mimir.tenant"]),
        ("redirect", ["HTTP 302", "give the final address as rules.mimir.url"]),
        ("other-api", ['does not answer with groups of rules but with \'{"status"']),
        ("sign-in", ["does not answer with groups of rules but with '<html>", "past every sign-in page"]),
    ],
)
def test_what_answers_in_place_of_a_ruler(side: Side, mimir: RulerServer, fault: str, words: list[str]) -> None:
    """A gateway, a proxy, a page to sign in on."""
    mimir.faults.add(fault)
    side.configure(to(mimir))
    done = side("sync", "--timeout", "5")
    assert done.exit_code == 1
    assert [word for word in words if word not in done.stderr] == [], done.stderr
    assert not mimir.changes()
    assert len(mimir.requests) == 1


@pytest.mark.parametrize("fault", ["error-503", "error-500", "html-502", "too-many-429", "reset", "down"])
def test_trouble_that_passes_is_waited_out(side: Side, mimir: RulerServer, fault: str) -> None:
    """Of the look and of each group; the end is as if nothing had been."""
    mimir.faults.add(fault, count=1)
    mimir.faults.add(fault, method="POST", count=1, after=1)
    side.configure(to(mimir))
    done = side("sync")
    assert done.exit_code == 0, done.output
    assert len(names(mimir)) == 3
    assert len(mimir.requests) == 6


def test_trouble_that_does_not_pass_is_given_up(side: Side, mimir: RulerServer) -> None:
    """One group is tried until the time is used up, the others not at all: they would end the same."""
    mimir.faults.add("error-503", method="POST")
    side.configure(to(mimir))
    done = side("sync", "--timeout", "1")
    assert done.exit_code == 1
    assert "HTTP 503, 'the ruler is not ready'; it was tried until the time was used up" in done.stderr
    assert f"rules.mimir: not tried any more: {UNUSED}, {GROWTH}" in done.stderr
    assert {request.body.split("\n")[0] for request in mimir.changes()} == {f"name: {CREDITS}"}
    assert "0 groups set, 0 deleted, 3 NOT done" in done.stdout


def test_a_dead_server_is_named(side: Side) -> None:
    """Address and next step; within the time that was given."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        side.configure({"mimir": {"url": f"http://127.0.0.1:{port}", "tenant": TENANT}})
        done = side("diff", "--timeout", "1")
    assert done.exit_code == 1
    assert f"rules.mimir: 127.0.0.1:{port}: " in done.stderr
    assert "does the ruler run there, and is rules.mimir.url its port?" in done.stderr


def test_a_server_that_hangs_is_left(side: Side, mimir: RulerServer) -> None:
    """After the time for a request it is tried again, until the time for all attempts is used up."""
    mimir.faults.add("hang")
    side.configure(to(mimir, timeout=1))
    done = side("diff", "--timeout", "3")
    assert done.exit_code == 1
    assert "no whole answer within 1 s" in done.stderr
    assert len(mimir.requests) > 1


def test_one_ruler_in_trouble_does_not_keep_the_other_back(side: Side, mimir: RulerServer) -> None:
    """Loki gets its rules while Mimir refuses; the exit code says that not all is well."""
    mimir.faults.add("forbidden")
    with run_ruler_in_thread("loki") as loki:
        side.configure({**to(mimir), "loki": {"url": loki.url, "tenant": TENANT}})
        done = side("sync")
        assert done.exit_code == 1
        assert len(loki.groups(TENANT)[OURS]) == 1
        done = side("diff")
        assert done.exit_code == 1
        assert "loki: namespace storage-exporter: nothing to do" in done.stdout
        loki.faults.add("forbidden", method="DELETE")
        mimir.faults.clear()
        mimir.put(OURS, {"name": "old", "interval": "1m", "rules": [{"record": "a:b", "expr": "up"}]}, TENANT)
        done = side("sync", "--prune")
        assert done.exit_code == 1
        assert not mimir.groups(TENANT)
        assert len(loki.groups(TENANT)[OURS]) == 1
        assert "rules.loki: DELETE of namespace storage-exporter: HTTP 403" in done.stderr


def test_loki_with_rules_in_files_is_explained(side: Side) -> None:
    """It answers 500 for ever: said at once, with the way that works."""
    with run_ruler_in_thread("loki", read_only=True) as loki:
        side.configure({"loki": {"url": loki.url, "tenant": TENANT}})
        done = side("sync", "--timeout", "5")
        assert done.exit_code == 1
        assert "give it a ConfigMap (rules render --format configmap)" in done.stderr
        assert len(loki.changes()) == 1


def test_promql_in_loki_and_logql_in_mimir_are_refused(side: Side, mimir: RulerServer) -> None:
    """What happens when the two are mixed up: neither ruler takes it."""
    with run_ruler_in_thread("loki") as loki:
        side.change("loki/drivers.yaml", lambda data: data["groups"][0]["rules"].append(alert("A", "up == 0")))
        log_line = 'sum(count_over_time({a="b"} |= "c" [5m])) > 0'
        side.change("mimir/s3.yaml", lambda data: data["groups"][0]["rules"].append(alert("B", log_line)))
        side.configure({**to(mimir), "loki": {"url": loki.url, "tenant": TENANT}})
        done = side("sync")
        assert done.exit_code == 1
        assert "rules.loki: POST of group storage-exporter.drivers.attach: HTTP 400, 'rule 1, A:" in done.stderr
        assert "rules.mimir: POST of group storage-exporter.s3.growth: HTTP 400, 'rule 1, B:" in done.stderr


def test_a_group_that_vanished_meanwhile_is_deleted(side: Side, mimir: RulerServer) -> None:
    """Somebody else was faster; that is what was wanted."""

    async def delete() -> None:
        ruler = configured(f"{{mimir: {{url: '{mimir.url}', tenant: {TENANT}}}}}").rules.mimir
        assert isinstance(ruler, MimirRuler)
        async with client_of(ruler) as client:
            await client.delete("never-there")
            await client.delete_namespace()
            with pytest.raises(RulerError, match="HTTP 400"):
                await client.put({"name": "x", "rules": []})

    asyncio.run(delete())
    assert [request.status for request in mimir.requests] == [404, 404, 400]


class Watched(SystemClock):
    """Time that is not waited for, and how long it would have been."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def test_a_certificate_that_is_not_trusted_is_not_tried_again(tmp_path: Path) -> None:
    """It would be the same; a server that is not there yet may come."""
    Authority(tmp_path).issue("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    clock = Watched()

    async def look(url: str) -> str:
        ruler = configured(f"{{mimir: {{url: '{url}'}}}}").rules.mimir
        assert isinstance(ruler, MimirRuler)
        async with client_of(ruler, patience=0.9, clock=clock) as client:
            with pytest.raises(RulerError) as caught:
                await client.groups()
        return str(caught.value)

    with run_ruler_in_thread("mimir", ssl=context) as server:
        assert "TLS failed" in asyncio.run(look(server.url))
        assert not clock.slept
    asyncio.run(look(server.url))
    assert clock.slept


def test_a_ruler_says_how_long_it_wants_to_be_left_alone(mimir: RulerServer) -> None:
    """Longer than we have: given up at once; else waited for, and a little more."""
    ruler = configured(f"{{mimir: {{url: '{mimir.url}', tenant: {TENANT}}}}}").rules.mimir
    assert isinstance(ruler, MimirRuler)
    clock = Watched()

    async def look(seconds: int) -> None:
        mimir.faults.add("too-many-429", count=1, seconds=seconds)
        async with client_of(ruler, clock=clock) as client:
            await client.groups()

    asyncio.run(look(7))
    (pause,) = clock.slept
    assert 7 <= pause < 10
    with pytest.raises(RulerError, match="HTTP 429"):
        asyncio.run(look(11))
    assert len(clock.slept) == 1


def client_of(ruler: MimirRuler, patience: float = 10.0, clock: Clock | None = None) -> RulerClient:
    return RulerClient(
        "mimir",
        ruler,
        OURS,
        user_agent="storage-exporter/test",
        patience=patience,
        clock=clock or SystemClock(),
        jitter=lambda: 0.5,
        environ={},
    )


def test_long_answers_are_cut_and_made_printable(side: Side, mimir: RulerServer) -> None:
    """What a ruler says cannot fill a screen or move its cursor."""
    mimir.faults.add("error-500", text="bad \x07\x1b[2J" + "x" * 5000)
    side.configure(to(mimir))
    done = side("sync", "--timeout", "1")
    assert done.exit_code == 1
    assert done.stderr.replace("\n", "").isprintable()
    assert len(done.stderr) < 1200
