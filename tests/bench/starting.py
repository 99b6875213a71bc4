"""How long a start takes: the command itself, from its beginning to a page with everything on it."""

from __future__ import annotations

import compileall
import gzip
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

import orjson

from tests.bench import configs, sampler
from tests.bench.aws import environment
from tests.bench.estate import Size
from tests.bench.measures import page
from tests.bench.processes import ROOT, BenchError, simulated_aws

_POLL = 0.05
_LONGEST = 300.0
_TICKS = os.sysconf("SC_CLK_TCK")


def start(size: Size, latency: float, sampled: Path | None = None) -> dict[str, float]:
    """
    Seconds from the start of ``python -m exporter run`` on, with CPU seconds, until it listens and until all volumes,
    with their values, and all cache nodes are on the page. Default limits.

    Args:
        size: of the account.

        latency: of AWS, in seconds.

        sampled: a file for where its CPU went by then (`sampler`), which costs CPU itself; None for not to look.
    """
    compileall.compile_dir(ROOT / "exporter", quiet=1)  # as it is where it was installed
    program = ["-m", "exporter"] if sampled is None else sampler.command(sampled, "exporter")
    with (
        simulated_aws(size, latency) as aws,
        tempfile.NamedTemporaryFile("w", suffix=".yaml") as file,
    ):
        file.write(configs.usual(log="info"))
        file.flush()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *program, "run", "--config", file.name],
            cwd=ROOT,
            env={**clean, **environment(aws.first["url"])},
            stderr=subprocess.PIPE,
        )
        try:
            assert process.stderr is not None
            url = _listening(process.stderr)
            listening = {"listening": time.perf_counter() - begun, "listening_cpu": _cpu(process.pid)}
            threading.Thread(target=process.stderr.read, daemon=True).start()
            while not _complete(url, size):
                if time.perf_counter() - begun > _LONGEST:
                    raise BenchError(f"no complete page within {_LONGEST:g} s of a start")
                time.sleep(_POLL)
            found = {
                **listening,
                "complete": time.perf_counter() - begun,
                "complete_cpu": _cpu(process.pid),
                "calls": float(sum(aws.ask("counts")["calls"].values())),
            }
            if sampled is not None:
                process.send_signal(signal.SIGUSR2)
                while not sampled.exists():
                    time.sleep(_POLL)
            return found
        finally:
            process.terminate()
            process.wait(30)


def _listening(stderr: IO[bytes]) -> str:
    for line in stderr:
        said: dict[str, Any] = orjson.loads(line)
        if said.get("event") == "listening":
            return f"http://{said['msg'].rpartition(' ')[2]}"
    raise BenchError("the exporter ended before it listened")


def _cpu(pid: int) -> float:
    """CPU seconds of a process and its threads so far (proc(5), utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _complete(url: str, size: Size) -> bool:
    body = gzip.decompress(page(url))
    wanted = {
        b"\naws_ebs_volume_info{": size.volumes,
        b"\naws_ebs_volume_write_bytes_per_second{": size.volumes,
        b"\naws_ebs_volume_stalled_io{": size.volumes,
        b"\naws_elasticache_node_memory_usage_ratio{": size.cache_nodes,
    }
    return all(body.count(name) == count for name, count in wanted.items())
