"""
Pushing to where it cannot be, by the real program: what can be known at the start ends it with a clear text; else
collection goes on, one line says what is wrong, and the metrics show it.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.demo import DemoServer, MimirServer, mission_worlds, run_in_thread, run_mimir_in_thread
from exporter.demo.clock import WorldClock
from tests.calls import remember
from tests.harness import parsed
from tests.processes import Process, until
from tests.pushing import codes, dropped, events, own
from tests.serving import Authority


@pytest.fixture(scope="module")
def aws() -> Iterator[DemoServer]:
    with run_in_thread(mission_worlds(1, WorldClock())[2]) as server:
        yield server
        remember(server.calls)


def written(folder: Path, url: str, **push: Any) -> Path:
    """A configuration that pushes to *url*."""
    services = {name: {"enabled": name == "efs"} for name in ("ebs", "efs", "s3", "elasticache", "protection")}
    push = {"url": url, "outbox": {"path": str(folder / "outbox")}, **push}
    file = folder / "config.yaml"
    sections = {"cluster": "one", "web": {"listen": "127.0.0.1:0"}, "kubernetes": {"enabled": False}}
    file.write_text(yaml.safe_dump({**sections, "services": services, "delivery": {"mode": "push", "push": push}}))
    return file


def words(file: Path) -> list[str]:
    return [sys.executable, "-m", "exporter", "run", "--config", str(file)]


@contextlib.contextmanager
def running(folder: Path, aws: DemoServer, url: str, **push: Any) -> Iterator[Process]:
    """The program, and that it ends when it is asked to, whatever the receiver does."""
    log = folder / "log"
    with log.open("wb") as stream:
        environment = {**os.environ, **aws.environment()}
        process = subprocess.Popen(words(written(folder, url, **push)), env=environment, stderr=stream)
    try:
        yield Process("one", process, log)
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(30)


def collects(exporter: Process) -> bool:
    jobs = [value for (name, _), value in parsed(exporter.get("/metrics")).items() if name.endswith("_job_success")]
    return jobs == [1.0]


def shows(exporter: Process, code: str) -> None:
    """It collects, the metrics have *code*, and nothing of it makes the program ill."""
    until("a pass is through", lambda: exporter.get("/-/ready") == "ready\n")
    until("the receiver is known to be bad", lambda: code in codes(exporter))
    assert collects(exporter)
    assert exporter.get("/-/healthy") == "healthy\n"


def test_an_outbox_that_cannot_be_is_refused_at_the_start(tmp_path: Path, aws: DemoServer) -> None:
    """Below a file there is no directory: exit code 1, the path, and what to do."""
    tmp_path.joinpath("file").write_text("")
    path = tmp_path / "file" / "outbox"
    file = written(tmp_path, "http://127.0.0.1:9/api/v1/push", outbox={"path": str(path)})
    environment = {**os.environ, **aws.environment()}
    ended = subprocess.run(words(file), env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    *_, last = ended.stderr.strip().splitlines()
    assert last.startswith("storage-exporter: ")
    assert str(path) in last
    assert "Traceback" not in ended.stderr


def test_an_outbox_that_another_process_has_is_refused(tmp_path: Path, aws: DemoServer) -> None:
    """Two never share one: the second ends with exit code 1, and the first does not notice."""
    with run_mimir_in_thread() as mimir, running(tmp_path, aws, mimir.push_url, tenant="one") as exporter:
        until("it listens", lambda: bool(exporter.url))
        until("it has its outbox", lambda: bool(events(exporter, "pushing")))
        environment = {**os.environ, **aws.environment()}
        ended = subprocess.run(
            words(tmp_path / "config.yaml"), env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 1
        assert str(tmp_path / "outbox") in ended.stderr.strip().splitlines()[-1]
        until("something arrives", lambda: own(exporter)["samples_total"] > 0)


def test_a_wrong_address_is_told_of(tmp_path: Path, aws: DemoServer) -> None:
    """404: what was to be sent is given up and counted, one line says so, and collection goes on."""
    with (
        run_mimir_in_thread() as mimir,
        running(tmp_path, aws, f"{mimir.url}/api/v2/wrong", tenant="one") as exporter,
    ):
        shows(exporter, "404")
        until("it is counted", lambda: "dropped_total{reason=rejected_404}" in dropped(exporter))
        assert own(exporter)["failures_total"] >= 1
        (line,) = events(exporter, "remote_write_rejected")
        assert "404" in line
        assert mimir.series("one") == {}


def test_a_receiver_that_never_answers_is_told_of(tmp_path: Path, aws: DemoServer) -> None:
    """Each request is given up in time; the outbox waits, which the metrics show, and one line says so."""
    with run_mimir_in_thread() as mimir:
        mimir.faults.add("hang", seconds=600)
        with running(tmp_path, aws, mimir.push_url, tenant="one", timeout="1s") as exporter:
            shows(exporter, "timeout")
            until("it is tried again", lambda: own(exporter)["retries_total"] >= 2)
            until("the outbox is seen to wait", lambda: own(exporter)["outbox_requests"] >= 1)
            assert dropped(exporter) == {}
            assert len(events(exporter, "remote_write_waiting")) == 1


def test_a_bad_certificate_is_told_of(tmp_path: Path, aws: DemoServer) -> None:
    """Nobody we trust signed it: nothing is sent, the outbox waits, one line names the certificate."""
    authority = Authority(tmp_path)
    authority.issue("receiver")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "receiver.crt", tmp_path / "receiver.key")
    with run_mimir_in_thread(ssl=context) as mimir:
        with running(tmp_path, aws, mimir.push_url, tenant="one") as exporter:
            until("a pass is through", lambda: exporter.get("/-/ready") == "ready\n")
            until("it has been tried", lambda: own(exporter)["failures_total"] >= 1)
            shows(exporter, *codes(exporter))
            assert not codes(exporter) & {"200", "204"}
            until("the outbox is seen to wait", lambda: own(exporter)["outbox_requests"] >= 1)
            (line,) = events(exporter, "remote_write_waiting")
            assert "certificate" in line
        _trusted(tmp_path, aws, mimir, authority)


def _trusted(folder: Path, aws: DemoServer, mimir: MimirServer, authority: Authority) -> None:
    """With the authority that signed it, what waited goes out."""
    with running(folder, aws, mimir.push_url, tenant="one", tls={"ca_file": str(authority.path)}) as exporter:
        until("something arrives", lambda: own(exporter).get("samples_total", 0) > 0)
        assert codes(exporter) == {"200"}
        assert dropped(exporter) == {}
