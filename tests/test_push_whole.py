"""
Pushing as a whole: an exporter in a process of its own, Debian's Prometheus as the receiver, simulated minutes that
pass in seconds. What Prometheus has in the end is what CloudWatch had, at every minute, whoever was killed meanwhile.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.harness import T
from tests.processes import Process, until
from tests.prometheus import serving
from tests.pushing import (
    KINDS,
    MINUTE,
    RECEIVES,
    SPEED,
    Stage,
    a_chance,
    codes,
    dropped,
    events,
    has_datapoints,
    kill,
    own,
    proxy_to,
    stage,
    write_to,
)

pytestmark = pytest.mark.binary


def test_every_minute_is_there_as_cloudwatch_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    EBS, EFS and ElastiCache, from the look-back on; killed, down for minutes and started again it goes on where it
    stopped: every period once, with its own stamp and value, and not one request that the receiver refuses.
    """
    with stage(tmp_path, monkeypatch) as it, serving(tmp_path, tmp_path / "data", flags=RECEIVES) as prometheus:
        url = write_to(prometheus)
        with it.exporter(url) as first:
            until("a pass is through", lambda: first.get("/-/ready") == "ready\n")
            it.time.set(T, SPEED)
            it.pass_by(5 * MINUTE, first)
            it.rest(first)
            assert codes(first) == {"204"}
            assert dropped(first) == {}
            kill(first)
        it.time.advance(7 * MINUTE)
        it.time.set(it.time(), SPEED)
        with it.exporter(url) as second:
            until("a pass is through", lambda: second.get("/-/ready") == "ready\n")
            it.pass_by(3 * MINUTE, second)
            up_to = it.time()
            it.time.advance(18 * MINUTE)  # what is asked each quarter of an hour has its turn
            since = T - 10 * MINUTE
            truth = it.complete(prometheus, since, up_to)
            assert len(truth) > 150
            assert {name.split("_")[1] for name, _ in truth} == set(KINDS)
            # Counted by Prometheus itself. Its ranges hold both their ends.
            end = int(up_to) // MINUTE * MINUTE
            for family in ("aws_ebs_volume_read_latency_seconds", "aws_efs_file_system_metered_io_bytes_per_second"):
                counted = prometheus.ask(f"sum(count_over_time({family}[{end - since - 1}s]))", end)
                assert counted[0].value == sum(len(points) for (name, _), points in truth.items() if name == family)
            it.rest(second)
            assert codes(second) == {"204"}
            assert dropped(second) == {}
            assert own(second)["samples_total"] > 1000
        assert not events(second, "remote_write_dropped", "remote_write_rejected", "remote_write_waiting")
        log = (tmp_path / "prometheus.log").read_text()
        assert "level=warn" not in log
        assert "level=error" not in log


def test_killed_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Killed again and again, wherever it stands: as it starts, as it reads, as it writes, and between the receiver's
    taking of a request and the answer to it. Nothing is missing, nothing is there twice, nothing is given up.

    The time stands while a process starts, and until the last one has sent what waited: a plain Prometheus refuses what
    is an hour older than its newest sample, and an hour passes in a minute of this time.
    """
    chance = a_chance()
    services = ("ebs", "efs")
    with (
        stage(tmp_path, monkeypatch, services, tiers=("essential", "standard")) as it,
        serving(tmp_path, tmp_path / "data", flags=RECEIVES) as prometheus,
        proxy_to(prometheus.url) as proxy,
    ):
        url = f"{proxy.url}/api/v1/write"
        for number in range(4):
            with it.exporter(url, lookback="30m") as exporter:
                until("it listens", lambda exporter=exporter: bool(exporter.url))  # type: ignore[misc]
                it.time.set(it.time(), SPEED)
                if number % 2:
                    time.sleep(chance.uniform(0, 2.5))
                    kill(exporter)
                else:
                    _killed_by(proxy, exporter, chance.randrange(1, 4), it)
                proxy.after = lambda _: None
            it.time.set(it.time() + chance.uniform(0, 4) * MINUTE, 0)
        with it.exporter(url, lookback="30m") as last:
            until("a pass is through", lambda: last.get("/-/ready") == "ready\n")
            it.time.set(it.time(), SPEED)
            it.pass_by(2 * MINUTE, last)
            it.rest(last)
            up_to = it.time()
            it.time.set(up_to + 18 * MINUTE, SPEED)
            truth = it.complete(prometheus, T - 8 * MINUTE, up_to)
            assert len(truth) > 30
            assert dropped(last) == {}
        assert set(proxy.statuses) <= {204, 400}
        assert not events(last, "remote_write_dropped", "remote_write_rejected", "remote_write_lane_failed")


def _killed_by(proxy: object, exporter: Process, after: int, it: Stage) -> None:
    """Kill *exporter* when the receiver has its request number *after* that has datapoints, before it is told so."""
    seen = 0

    def strike(body: bytes) -> None:
        nonlocal seen
        seen += has_datapoints(body)
        if seen == after:
            kill(exporter)

    proxy.after = strike  # type: ignore[attr-defined]
    until("it is killed", lambda: exporter.process.poll() is not None)
    assert seen >= after
