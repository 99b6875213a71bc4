"""The benchmark's other processes, each spoken to in lines of JSON."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from tests.bench import sampler
from tests.bench.aws import arguments, environment
from tests.bench.estate import Size

ROOT = Path(__file__).parents[2]


class BenchError(Exception):
    """A measurement that means nothing: something failed that should not."""


class Talker:
    """A process that answers each line with a line."""

    def __init__(self, arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        self._arguments = arguments
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**clean, **(environ or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.first = self._read()

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Give a command and return its answer."""
        self.tell(do, **more)
        return self._read()

    def tell(self, do: str, **more: Any) -> None:
        """Give a command whose answer is fetched later, by `heard`."""
        assert self.process.stdin is not None
        self.process.stdin.write(orjson.dumps({"do": do, **more}) + b"\n")
        self.process.stdin.flush()

    def heard(self) -> dict[str, Any]:
        """The answer to what was told."""
        return self._read()

    def close(self) -> None:
        """End the process by ending its input."""
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate(timeout=30)

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise BenchError(f"{' '.join(self._arguments)} ended with {self.process.wait()}; what it said is above")
        said: dict[str, Any] = orjson.loads(line)
        if "error" in said:
            raise BenchError(said["error"])
        return said


@contextlib.contextmanager
def talker(arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> Iterator[Talker]:
    """A process that lives as long as the block."""
    process = Talker(arguments, environ)
    try:
        yield process
    finally:
        process.close()


@contextlib.contextmanager
def simulated_aws(size: Size, latency: float = 0.03) -> Iterator[Talker]:
    """A simulated AWS; ``first["url"]`` says where."""
    with talker(arguments(size, latency)) as aws:
        yield aws


@contextlib.contextmanager
def exporter(config: str, aws: Talker, sampled: Path | None = None) -> Iterator[Talker]:
    """
    The exporter against *aws*; ``first`` has its ``url`` and the CPU seconds until it listened.

    With *sampled*, a file, it can be told by signals to say where its CPU goes (`sampler`).
    """
    module = "tests.bench.exporter_side"
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(config)
        file.flush()
        program = ["-m", module] if sampled is None else sampler.command(sampled, module)
        with talker([*program, file.name], environment(aws.first["url"])) as side:
            yield side


def run(arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What a process says that does one thing and ends."""
    with talker(arguments, environ) as process:
        return process.first
