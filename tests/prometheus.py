"""Debian's Prometheus over samples of chosen instants: written as blocks, asked over HTTP."""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.tools import binary

PATIENCE = 60.0
"""Seconds a server may take to answer."""


@dataclass(frozen=True)
class Sample:
    """One value of a series; `at` in unix seconds."""

    at: float
    name: str
    labels: Mapping[str, str]
    value: float

    def line(self) -> str:
        """As OpenMetrics writes it; a label without a value is none."""
        pairs = ",".join(f"{key}={_quoted(value)}" for key, value in sorted(self.labels.items()) if value)
        return f"{self.name}{{{pairs}}} {self.value!r} {self.at!r}"


@dataclass(frozen=True)
class Result:
    """One element of the answer to an instant query."""

    labels: Mapping[str, str]
    value: float

    def of(self, *names: str) -> tuple[str, ...]:
        """The values of some labels, ``""`` for one it has not."""
        return tuple(self.labels.get(name, "") for name in names)


class RefusedError(Exception):
    """Prometheus refused the expression, with its own words."""


class Prometheus:
    """A running server at *url*."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **query: str) -> Any:
        """The data of an answer of the API."""
        words = f"?{urllib.parse.urlencode(query)}" if query else ""
        try:
            with urllib.request.urlopen(f"{self.url}{path}{words}", timeout=PATIENCE) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise RefusedError(json.load(error)["error"]) from error

    def ask(self, expression: str, at: float | None = None) -> list[Result]:
        """
        Evaluate *expression* at an instant, or now.

        Raises:
            RefusedError: it cannot be parsed or evaluated.
        """
        when = {} if at is None else {"time": str(at)}
        data = self.get("/api/v1/query", query=expression, **when)
        if data["resultType"] == "scalar":
            return [Result({}, float(data["result"][1]))]
        return [Result(each["metric"], float(each["value"][1])) for each in data["result"]]


def write_blocks(samples: Iterable[Sample], folder: Path) -> Path:
    """Turn *samples* into blocks below *folder*; answers the folder of the data."""
    text = folder / "samples.om"
    ordered = sorted(samples, key=lambda each: each.at)
    text.write_text("".join(f"{each.line()}\n" for each in ordered) + "# EOF\n", encoding="utf-8")
    words = [str(binary("promtool")), "tsdb", "create-blocks-from", "--quiet", "openmetrics"]
    subprocess.run([*words, str(text), str(folder / "data")], check=True, capture_output=True, timeout=PATIENCE)
    return folder / "data"


@contextlib.contextmanager
def serving(
    folder: Path, data: Path, config: str = "{}", flags: Sequence[str] = (), port: int = 0
) -> Iterator[Prometheus]:
    """A Prometheus over *data* with *config* (YAML) and *flags*, which are its own; logs go below *folder*."""
    port = port or free_port()
    file, log = folder / "prometheus.yml", folder / "prometheus.log"
    file.write_text(config, encoding="utf-8")
    words = [f"--config.file={file}", f"--storage.tsdb.path={data}", "--storage.tsdb.retention.time=100y", *flags]
    with log.open("w") as stream:
        process = subprocess.Popen(
            [str(binary("prometheus")), *words, f"--web.listen-address=127.0.0.1:{port}"],
            stdout=stream,
            stderr=stream,
            # Small data, asked thousands of times: collecting garbage less often takes a fifth of the CPU away.
            env={**os.environ, "GOGC": "400"},
        )
    try:
        server = Prometheus(f"http://127.0.0.1:{port}")
        until = time.monotonic() + PATIENCE
        while not _ready(server):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(PATIENCE)


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _ready(server: Prometheus) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{server.url}/-/ready", timeout=5):
        return True
    return False


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def close(one: float, other: float) -> bool:
    """Whether two values are the same but for rounding."""
    return math.isclose(one, other, rel_tol=1e-9)
