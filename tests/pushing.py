"""
Pushing seen from outside: exporters in processes of their own, a time they share with the simulated AWS, what a
receiver must have in the end, and what it has.

What must be there comes from AWS's side by plain boto3, by the tables written by hand (`tests.independent`): a sample
for every datapoint, at the end of its period, in the family's unit.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.demo import DemoServer, mission_worlds, run_in_thread
from exporter.demo.sigv4 import Key
from tests.calls import remember
from tests.harness import T, parsed
from tests.independent.metric import Metric
from tests.independent.place import Place, Wanted
from tests.independent.points import Question, ask
from tests.independent.reader import SERVICES
from tests.independent.tables import LABELS, METRICS
from tests.processes import PATIENCE, Process, until
from tests.prometheus import Prometheus
from tests.push_process import SharedTime
from tests.write_request import samples_of

Series = tuple[str, frozenset[tuple[str, str]]]
"""A series: its name and its labels, without those that are put on every series."""

Points = dict[int, float]
"""Samples: stamp (unix seconds) to value."""

HOUR = 3600
MINUTE = 60
SPEED = 60
"""Simulated seconds a real one, as a rule."""

RECEIVES = ("--web.enable-remote-write-receiver",)
ALL_TIERS = ["essential", "standard", "on-request"]
EXTERNAL = {"env": "test"}
EVERYWHERE = {"cluster": "one", **EXTERNAL}
"""What every series that is pushed must carry."""

KINDS = ("ebs", "efs", "elasticache")


@dataclass
class Stage:
    """
    A simulated AWS with its time, and what is configured against it.

    Args:
        aws: the server.

        time: of the world, and of the exporters.

        wanted: what the exporters read, for the witness.

        folder: of files.

    ``more`` goes into the configuration, ``keys`` into the environment of exporters that are started from then on.
    """

    aws: DemoServer
    time: SharedTime
    wanted: Wanted
    folder: Path
    more: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def exporter(self, url: str, name: str = "one", **push: Any) -> Iterator[Process]:
        """
        An exporter that pushes to *url*, with an outbox of its name, which is there again when it is started again.

        Args:
            push: more keys of ``delivery.push``.
        """
        file, log = self.folder / f"{name}.yaml", self.folder / f"{name}.log"
        file.write_text(yaml.safe_dump(self.config(url, name, **push)))
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.push_process", file, self.folder / "time"],
                env={**os.environ, **self.aws.environment(), **self.keys, "POD_NAME": name},
                stderr=stream,
            )
        try:
            yield Process(name, process, log)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(30)

    def config(self, url: str, name: str, **push: Any) -> dict[str, Any]:
        """The configuration of an exporter called *name*."""
        enabled = {service: {"enabled": service in self.wanted.services} for service in SERVICES}
        for service in self.wanted.services:
            if service != "protection":
                enabled[service]["tiers"] = list(self.wanted.tiers)  # type: ignore[assignment]
        push = {
            "url": url,
            "external_labels": EXTERNAL,
            "lookback": "10m",
            "outbox": {"path": str(self.outbox(name))},
            **push,
        }
        return {
            "cluster": EVERYWHERE["cluster"],
            "web": {"listen": "127.0.0.1:0"},
            "limits": {"deadline": "10s", "describe_per_second": 1000, "get_metric_data_per_second": 1000},
            "kubernetes": {"enabled": False},
            "services": enabled,
            "delivery": {"mode": "push", "push": push},
            **self.more,
        }

    def outbox(self, name: str = "one") -> Path:
        return self.folder / f"outbox-{name}"

    def pass_by(self, seconds: float, *alive: Process) -> None:
        """Wait until it is *seconds* later; *alive* must be so meanwhile."""
        instant = self.time() + seconds

        def holds() -> bool:
            assert all(each.process.poll() is None for each in alive), [each.log.read_text() for each in alive]
            return self.time() >= instant

        until(f"it is {seconds} s later", holds)

    def rest(self, *processes: Process) -> None:
        """Let the time stand still, and wait until nobody has anything to do: nothing is asked, nothing waits."""
        self.time.set(self.time(), 0)
        known, since = -1, 0.0

        def holds() -> bool:
            nonlocal known, since
            calls = len(self.aws.calls)
            if calls != known or not all("nothing waits" in each.get("/") for each in processes):
                known, since = calls, time.monotonic()
            return time.monotonic() - since > 0.5

        until("everything is at rest", holds)

    def complete(self, server: Prometheus, since: float, up_to: float) -> dict[Series, Points]:
        """
        Wait until *server* has exactly what it must have after *since* and up to *up_to*.

        Returns:
            What that is.
        """
        truth = self.truth(since, up_to)
        families = {name for name, _ in truth}
        assert len({name.split("_")[1] for name in families}) == len(self.wanted.services), families
        lines = [""]
        end = time.monotonic() + PATIENCE
        while lines and time.monotonic() < end:
            time.sleep(0.2)
            lines = differences(truth, arrived(server, self.time(), families), since, up_to)
        assert not lines, "\n".join([f"{len(lines)} differences", *lines[:40]])
        return truth

    def truth(self, since: float, up_to: float) -> dict[Series, Points]:
        """What a receiver must have with stamps after *since* and up to *up_to*, both included."""
        found: dict[Series, Points] = {}
        for scope in self.wanted.scopes:
            place = Place(scope, self.time(), self.wanted, {})
            try:
                for name in self.wanted.services:
                    SERVICES[name](place)
                for key, points in _truth(place, int(since), int(up_to)):
                    known = found.setdefault(key, {})
                    for stamp, value in points.items():  # several attachments of a volume: the worst
                        known[stamp] = max(value, known.get(stamp, value))
            finally:
                place.close()
        return found


def _truth(place: Place, since: int, up_to: int) -> Iterator[tuple[Series, Points]]:
    def stamped(metric: Metric) -> bool:
        """Whether its datapoints are told with their stamps: what comes once a day is held."""
        return metric.period < HOUR and metric.tier in place.wanted.tiers and metric.service in place.wanted.services

    questions = [
        Question(metric, subject, since // metric.period * metric.period, up_to // metric.period * metric.period)
        for metric in METRICS
        for subject in place.subjects
        if metric.subject == subject.kind
        and stamped(metric)
        and metric.may_exist(subject.facts)
        and metric.is_wanted(subject.facts)
    ]
    everywhere = {"account_id": place.account, "region": place.region}
    for question, points in zip(questions, ask(place.client, questions), strict=True):
        metric, subject = question.metric, question.subject
        own_labels = dict(zip(LABELS[subject.kind], subject.labels, strict=True))
        labels = everywhere | {name: value for name, value in own_labels.items() if value}
        zeroes = dict.fromkeys(range(question.start, question.end, metric.period), 0.0) if metric.sparse else {}
        per = metric.period if metric.per_second else 1
        told = {**zeroes, **points}
        ours = {start + metric.period: value * metric.multiply / per for start, value in told.items()}
        inside = {stamp: value for stamp, value in ours.items() if since < stamp <= up_to}
        if inside:
            yield (metric.family, frozenset(labels.items())), inside


@contextlib.contextmanager
def stage(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    services: Sequence[str] = KINDS,
    *,
    tiers: Sequence[str] = ALL_TIERS,
    keys: Sequence[Key] = (),
) -> Iterator[Stage]:
    """The mission's smallest account, its time standing at `T`, and AWS's variables leading there."""
    clock = SharedTime(folder / "time")
    clock.set(T, 0)
    world = mission_worlds(1, clock)[2]
    with run_in_thread(world, keys=keys) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield Stage(server, clock, Wanted(tuple(tiers), services=tuple(services)), folder)
        remember(server.calls)


def a_chance() -> random.Random:
    """A generator that is another in each run; its seed is shown where a test fails."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201
    return random.Random(seed)


def write_to(server: Prometheus) -> str:
    """Where *server* takes remote write."""
    return f"{server.url}/api/v1/write"


def has_datapoints(body: bytes) -> bool:
    """Whether a request holds CloudWatch's datapoints, not only what is held."""
    names = {name for metric in METRICS if metric.period < HOUR for name in (metric.family,)}
    return any(dict(labels)["__name__"] in names for labels in samples_of(body))


# ---- what has arrived -----------------------------------------------------------------------------------------------


def key_of(labels: Mapping[str, str], everywhere: Mapping[str, str] = EVERYWHERE) -> Series:
    """The series of *labels*, the name among them; AssertionError where a label is missing that each must carry."""
    rest = dict(labels)
    name = rest.pop("__name__")
    for label, value in everywhere.items():
        assert rest.pop(label, None) == value, f"{labels} has not {label}={value}"
    return name, frozenset(rest.items())


def arrived(server: Prometheus, at: float, families: Iterable[str], *, reach: int = 3 * HOUR) -> dict[Series, Points]:
    """All samples of *families* that a Prometheus has of the *reach* seconds before *at*, by its query API."""
    pattern = "|".join(sorted(set(families)))
    data = server.get("/api/v1/query", query=f'{{__name__=~"{pattern}"}}[{reach}s]', time=str(at))
    found: dict[Series, Points] = {}
    for each in data["result"]:
        points = found.setdefault(key_of(each["metric"]), {})
        for stamp, value in each["values"]:
            assert float(stamp) == int(stamp), "stamps are whole seconds, or they are not CloudWatch's"
            assert int(stamp) not in points, f"{each['metric']} has {stamp} twice"
            points[int(stamp)] = float(value)
    return found


def differences(
    truth: Mapping[Series, Points], found: Mapping[Series, Points], since: float, up_to: float
) -> list[str]:
    """What is not as it must be after *since* and up to *up_to*, a line each."""
    lines = [f"{key} is not there at all" for key in truth.keys() - found.keys()]
    for key, points in found.items():
        inside = {stamp: value for stamp, value in points.items() if since < stamp <= up_to}
        known = truth.get(key, {})
        lines += [f"{key} lacks {stamp - T:+}" for stamp in known.keys() - inside.keys() if key in truth]
        lines += [f"{key} has {stamp - T:+}, which is not" for stamp in inside.keys() - known.keys()]
        lines += [
            f"{key} at {stamp - T:+} is {inside[stamp]!r}, not {known[stamp]!r}"
            for stamp in inside.keys() & known.keys()
            if inside[stamp] != pytest.approx(known[stamp], rel=1e-12, abs=0)
        ]
    return sorted(lines)


def own(process: Process) -> dict[str, float]:
    """What an exporter says of its pushing: metric without prefix, labels as the page has them, to value."""
    found = {}
    for (name, labels), value in parsed(process.get("/metrics")).items():
        short = name.removeprefix("storage_exporter_remote_write_")
        if short != name:
            words = ",".join(f"{key}={text}" for key, text in sorted(labels) if key not in EVERYWHERE)
            found[f"{short}{{{words}}}" if words else short] = value
    return found


def dropped(process: Process) -> dict[str, float]:
    """The samples that were given up, by reason, where there are any."""
    found = {key: value for key, value in own(process).items() if key.startswith("dropped_total")}
    assert found, "the metrics could not be read"
    return {key: value for key, value in found.items() if value}


def codes(process: Process) -> set[str]:
    """How the receiver has answered."""
    return {match[1] for key in own(process) if (match := re.match(r"requests_total\{code=(.*)\}", key))}


def events(process: Process, *names: str) -> list[str]:
    """The lines of the log about some events."""
    lines = process.log.read_text().splitlines()
    return [line for line in lines if any(f'"{name}"' in line for name in names)]


def kill(process: Process) -> None:
    """As a node that loses power does, but for the disk."""
    process.signal(signal.SIGKILL)
    process.process.wait(30)


# ---- between the exporter and the receiver --------------------------------------------------------------------------


class Proxy:
    """
    Stands before a receiver and hands on, unless told otherwise. ``statuses`` are its answers.

    Args:
        target: where the receiver is.

    ``change`` is applied to each body before it is handed on. ``answer`` may answer it in the receiver's place: status
    and headers. ``after`` is called with it when the receiver has answered, before that is passed on.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.change: Callable[[bytes], bytes] = lambda body: body
        self.answer: Callable[[bytes], tuple[int, Mapping[str, str]] | None] = lambda _: None
        self.after: Callable[[bytes], None] = lambda _: None
        self.url = ""
        self.statuses: list[int] = []

    def handle(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """The answer to one request."""
        told = self.answer(body)
        if told is not None:
            status, more = told
            self.statuses.append(status)
            return status, more, b"the proxy's own answer\n"
        kept = {name: value for name, value in headers.items() if name.lower() not in ("host", "content-length")}
        request = urllib.request.Request(self.target + path, self.change(body), kept, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read()
        except OSError:
            status, text = 502, b"no receiver\n"
        self.statuses.append(status)
        self.after(body)
        return status, {}, text


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Hand on."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        proxy: Proxy = self.server.proxy  # type: ignore[attr-defined]
        status, headers, text = proxy.handle(self.path, dict(self.headers.items()), body)
        with contextlib.suppress(OSError):  # who asked may be dead
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(0 if status == 204 else len(text)))
            self.end_headers()
            if status != 204:
                self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        """Who asked has gone."""


@contextlib.contextmanager
def proxy_to(target: str) -> Iterator[Proxy]:
    """A proxy that runs."""
    proxy = Proxy(target)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.proxy = proxy  # type: ignore[attr-defined]
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()
