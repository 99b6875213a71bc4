"""
Pushing while things fail: a receiver that is down, that says when to come back, that refuses a series; an outbox cut
off in the middle. What is good of it arrives, to the last minute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from exporter.demo import run_mimir_in_thread
from tests.harness import T, parsed
from tests.processes import Process, until
from tests.prometheus import free_port, serving
from tests.pushing import (
    MINUTE,
    RECEIVES,
    SPEED,
    Stage,
    a_chance,
    arrived,
    codes,
    differences,
    dropped,
    events,
    has_datapoints,
    key_of,
    kill,
    own,
    proxy_to,
    stage,
)
from tests.write_request import decode, encode

SERVICES = ("ebs", "efs")
TIERS = ("essential", "standard")
SINCE = T - 8 * MINUTE
BAD = "aws_ebs_volume_read_bytes_per_second"


def begin(it: Stage, exporter: Process) -> None:
    """The first pass, of the look-back, and from then on the time runs."""
    until("a pass is through", lambda: exporter.get("/-/ready") == "ready\n")
    it.time.set(it.time(), SPEED)


def end(it: Stage, exporter: Process) -> float:
    """Two minutes more, which is where the truth ends, and then a time in which all have their turn."""
    it.pass_by(2 * MINUTE, exporter)
    up_to = it.time()
    it.time.advance(18 * MINUTE)
    return up_to


def waiting(exporter: Process) -> Callable[[], bool]:
    return lambda: own(exporter).get("outbox_requests", 0) > 0


def collects(exporter: Process) -> bool:
    """Whether every job has read all it should the last time."""
    jobs = [value for (name, _), value in parsed(exporter.get("/metrics")).items() if name.endswith("_job_success")]
    return bool(jobs) and all(value == 1 for value in jobs)


@pytest.mark.binary
def test_a_receiver_that_was_down_has_everything_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus is stopped for minutes and started on the same data: collection goes on, and nothing is missing."""
    port, data = free_port(), tmp_path / "data"
    with stage(tmp_path, monkeypatch, SERVICES, tiers=TIERS) as it:
        url = f"http://127.0.0.1:{port}/api/v1/write"
        with it.exporter(url) as exporter:
            with serving(tmp_path, data, flags=RECEIVES, port=port) as prometheus:
                begin(it, exporter)
                it.pass_by(2 * MINUTE, exporter)
            it.pass_by(4 * MINUTE, exporter)
            until("something waits", waiting(exporter))
            assert collects(exporter)
            with serving(tmp_path, data, flags=RECEIVES, port=port) as prometheus:
                up_to = end(it, exporter)
                it.complete(prometheus, SINCE, up_to)
            assert dropped(exporter) == {}
            assert {"204", "connection"} <= codes(exporter)
            assert own(exporter)["retries_total"] >= 1
            assert len(events(exporter, "remote_write_waiting")) == 1
            assert len(events(exporter, "remote_write_recovered")) == 1


@pytest.mark.binary
def test_a_receiver_that_wants_to_be_left_alone_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three requests are answered 429, for half a minute, or 503: it is waited for, and nothing is missing."""
    answers: list[tuple[float, bytes, int]] = []
    count = 0
    with (
        stage(tmp_path, monkeypatch, SERVICES, tiers=TIERS) as it,
        serving(tmp_path, tmp_path / "data", flags=RECEIVES) as prometheus,
        proxy_to(prometheus.url) as proxy,
        it.exporter(f"{proxy.url}/api/v1/write") as exporter,
    ):

        def answer(body: bytes) -> tuple[int, Mapping[str, str]] | None:
            nonlocal count
            if not has_datapoints(body):
                return None
            count += 1
            told = {0: None, 1: (429, {"Retry-After": "30"}), 2: (503, {})}[count % 3]
            answers.append((it.time(), body, told[0] if told else 0))
            return told

        it.time.set(T, 1)
        proxy.answer = answer
        begin(it, exporter)
        up_to = end(it, exporter)
        it.complete(prometheus, SINCE, up_to)
        assert dropped(exporter) == {}
        assert codes(exporter) == {"204", "429", "503"}
        assert own(exporter)["retries_total"] >= 2
    again = list(pairwise(answers))
    assert all(before[1] == after[1] for before, after in again if before[2])  # in order: nothing overtakes
    left_alone = [after[0] - before[0] for before, after in again if before[2] == 429]
    assert left_alone
    assert min(left_alone) >= 30


@pytest.mark.binary
def test_what_was_cut_off_the_outbox_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The receiver is down, the exporter is killed, and the end of its outbox is lost, in the middle of a frame: the
    cursors are no further than what is left, so what is lost is asked of CloudWatch once more.
    """
    chance = a_chance()
    with (
        stage(tmp_path, monkeypatch, SERVICES, tiers=TIERS) as it,
        serving(tmp_path, tmp_path / "data", flags=RECEIVES) as prometheus,
        proxy_to(prometheus.url) as proxy,
    ):
        url = f"{proxy.url}/api/v1/write"
        proxy.answer = lambda _: (503, {})
        with it.exporter(url, lookback="30m") as first:
            begin(it, first)
            until("several requests wait", lambda: own(first).get("outbox_requests", 0) >= 6)
            kill(first)
        segments = sorted(it.outbox().rglob("*.frames"))
        assert segments
        size = segments[-1].stat().st_size
        with segments[-1].open("r+b") as file:
            file.truncate(int(size * chance.uniform(0.2, 0.95)))
        it.time.advance(2 * MINUTE)
        proxy.answer = lambda _: None
        with it.exporter(url, lookback="30m") as second:
            until("a pass is through", lambda: second.get("/-/ready") == "ready\n")
            up_to = end(it, second)
            it.complete(prometheus, SINCE, up_to)
            it.rest(second)
            assert set(dropped(second)) <= {"dropped_total{reason=corrupt}"}
            assert len(events(second, "outbox_cut")) == 1
            assert codes(second) == {"204"}


@pytest.mark.binary
def test_one_refused_series_does_not_cost_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus stores nothing of a request that has one bad sample; all but that one arrive, and it is told of."""
    with (
        stage(tmp_path, monkeypatch, SERVICES, tiers=TIERS) as it,
        serving(tmp_path, tmp_path / "data", flags=RECEIVES) as prometheus,
        proxy_to(prometheus.url) as proxy,
        it.exporter(f"{proxy.url}/api/v1/write") as exporter,
    ):
        begin(it, exporter)
        it.rest(exporter)
        spoilt: set[frozenset[tuple[str, str]]] = set()

        def spoil(body: bytes) -> bytes:
            """Of the volume whose id is the first, one series has stamps of long ago."""
            request = decode(body)
            for series in request.timeseries:
                labels = {label.name: label.value for label in series.labels}
                if labels["__name__"] != BAD:
                    continue
                spoilt.add(frozenset(labels.items()))
                for sample in series.samples if labels["volume_id"] == min(volumes) else ():
                    sample.timestamp = 1000 * MINUTE
            return encode(request)

        volumes = {dict(labels)["volume_id"] for _, labels in arrived(prometheus, it.time(), [BAD])}
        assert len(volumes) == 3
        proxy.change = spoil
        it.time.set(it.time(), SPEED)
        up_to = end(it, exporter)
        truth = it.truth(SINCE, up_to)
        (bad,) = [key for key in truth if key[0] == BAD and ("volume_id", min(volumes)) in key[1]]
        families = {name for name, _ in truth}
        expected = {key: points for key, points in truth.items() if key != bad}
        until(
            "everything else is there",
            lambda: (
                not differences(
                    expected,
                    {key: points for key, points in arrived(prometheus, it.time(), families).items() if key != bad},
                    SINCE,
                    up_to,
                )
            ),
        )
        it.rest(exporter)
        lost = dropped(exporter)
        assert set(lost) == {"dropped_total{reason=too_old}"}
        had = arrived(prometheus, it.time(), [BAD])[bad]
        assert max(had) <= T
        assert lost["dropped_total{reason=too_old}"] >= len([stamp for stamp in truth[bad] if stamp > max(had)])
        assert codes(exporter) == {"204", "400"}
        (line,) = events(exporter, "remote_write_dropped")
        assert min(volumes) in line


def test_of_a_receiver_that_keeps_the_rest_the_others_are_there_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mimir stores what is good of a request and answers 400 all the same: nothing is sent in pieces for long."""
    with stage(tmp_path, monkeypatch, SERVICES, tiers=TIERS) as it, run_mimir_in_thread(now=it.time) as mimir:
        mimir.faults.add("series-400", series=BAD)
        with it.exporter(mimir.push_url, tenant="one") as exporter:
            begin(it, exporter)
            up_to = end(it, exporter)
            truth = it.truth(SINCE, up_to)
            expected = {key: points for key, points in truth.items() if key[0] != BAD}
            assert len(expected) < len(truth)

            def found() -> list[str]:
                stored = {key_of(dict(labels)): points for labels, points in facts(mimir.series("one")).items()}
                return differences(expected, {key: stored[key] for key in stored if key in expected}, SINCE, up_to)

            until("everything else is there", lambda: not found())
            it.rest(exporter)
            assert set(dropped(exporter)) == {"dropped_total{reason=limits}"}
            assert not any(dict(labels)["__name__"] == BAD for labels in mimir.series("one"))
            assert len(events(exporter, "remote_write_dropped")) == 1
            reasons = {each.reason for each in mimir.refusals}
            assert reasons <= {"err-mimir-max-series-per-user", "err-mimir-sample-out-of-order"}


def facts(
    series: Mapping[frozenset[tuple[str, str]], list[tuple[int, float]]],
) -> dict[frozenset[tuple[str, str]], dict[int, float]]:
    """What is said of AWS, its stamps in seconds."""
    return {
        labels: {at // 1000: value for at, value in samples}
        for labels, samples in series.items()
        if dict(labels)["__name__"].startswith("aws_")
    }
