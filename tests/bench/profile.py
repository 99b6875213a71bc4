"""
Where the CPU goes, by part: `python -m tests.bench.profile start` or `steady`, of the platform of 300 volumes.

Prints a table in Markdown, of which PROFILE.md shows one run. Looking costs CPU too (a tenth and more), so the shares
count, and the sums are those of RESULTS.md.
"""

from __future__ import annotations

import argparse
import pickle
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import configs, parts
from tests.bench.estate import PLATFORM
from tests.bench.measures import check, simulated
from tests.bench.processes import exporter, simulated_aws
from tests.bench.starting import start

_LATENCY = 0.03
_SETTLING = 900.0
_SMALL = 0.004
"""Share of all below which a part is not worth a line."""


def main() -> None:
    """Sample what the command line names and print it."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.profile", description=__doc__)
    parser.add_argument("what", choices=("start", "steady"))
    parser.add_argument("--runs", type=int, default=3, help="of a start; their sum is shown, divided by them")
    parser.add_argument("--minutes", type=int, default=30, help="simulated minutes of steady state")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.what == "start":
            paths = [Path(folder) / f"{run}.samples" for run in range(given.runs)]
            for path in paths:
                start(PLATFORM, _LATENCY, path)
            _print(paths, given.runs, "a start")
        else:
            path = Path(folder) / "samples"
            seconds = _steady(path, given.minutes * 60)
            _print([path], seconds / 60, "a minute")


def _steady(path: Path, seconds: float) -> float:
    """The simulated seconds that were sampled."""
    with simulated_aws(PLATFORM, _LATENCY) as aws, exporter(configs.usual(hurried=True), aws, path) as side:
        side.ask("settle")
        check(side.first["url"])
        simulated(side, _SETTLING)
        side.process.send_signal(signal.SIGUSR1)
        _, done = simulated(side, seconds)
        side.process.send_signal(signal.SIGUSR2)
        while not path.exists():
            time.sleep(0.05)
        return done


def _print(paths: list[Path], over: float, of: str) -> None:
    sums: dict[str, float] = {}
    whole = 0.0
    for path in paths:
        stacks, seconds = pickle.loads(path.read_bytes())
        whole += seconds
        for name, spent in parts.by_part(stacks).items():
            sums[name] = sums.get(name, 0.0) + spent
    small = {name for name, spent in sums.items() if spent < _SMALL * whole}
    rest = sum(sums.pop(name) for name in small)
    sums["smaller parts"] = rest
    lines = [f"| {name} | {1000 * spent / over:.1f} | {spent / whole:.1%} |\n" for name, spent in _sorted(sums)]
    sys.stdout.write(f"| part | ms CPU of {of} | share |\n|---|---|---|\n{''.join(lines)}")
    sys.stdout.write(f"| all | {1000 * whole / over:.1f} | |\n")


def _sorted(sums: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(sums.items(), key=lambda each: -each[1])


if __name__ == "__main__":
    main()
