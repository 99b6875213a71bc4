"""Exporters in processes of their own, and what they answer."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from tests.harness import parsed

PATIENCE = 60.0
"""Seconds anything may take on a machine that has other things to do."""


@dataclass
class Process:
    """An exporter in a process of its own."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """Where it listens, as its log says."""
        for line in self.log.read_bytes().splitlines():
            if b'"listening"' in line:
                return "http://" + str(orjson.loads(line)["msg"]).rpartition(" ")[2]
        return ""

    def get(self, path: str) -> str:
        """The text of an answer, ``""`` where there is none (yet)."""
        url = self.url
        with contextlib.suppress(OSError):
            try:
                if not url:
                    return ""
                with urllib.request.urlopen(url + path, timeout=10) as answer:
                    return str(answer.read().decode())
            except urllib.error.HTTPError as error:
                return error.read().decode()
        return ""

    def leads(self) -> bool:
        return 1.0 in (
            value for (name, _), value in parsed(self.get("/metrics")).items() if name == "storage_exporter_leader"
        )

    def shows_aws(self) -> bool:
        return any(name.startswith(("aws_", "kubernetes_")) for name, _ in parsed(self.get("/metrics")))

    def follows(self, other: Process) -> bool:
        return self.get("/-/ready") == f"ready: follows {other.name}\n"

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


def until(what: str, holds: Callable[[], bool]) -> None:
    """Return as soon as it holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE:g} s"
        time.sleep(0.05)
