"""The benchmark of issues 4 and 6, speed and size: `make bench`, or `python -m tests.bench --help`."""

from __future__ import annotations

import argparse
import sys
import time

from tests.bench import measures, report
from tests.bench.estate import PLATFORM, size_of
from tests.bench.measures import Plan, Sheet
from tests.bench.processes import BenchError
from tests.bench.starting import start

PARTS = ("sweep", "paced", "steady", "start", "push", "growth")
_SMALLER = (1_000, 10_000)
_LARGEST = 1_000_000


def main() -> int:
    """Run what the command line names and write the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--series", type=int, default=100_000, help="of the estate; 1000000 runs its sweep once")
    parser.add_argument("--runs", type=int, default=5, help="of each measure")
    parser.add_argument("--minutes", type=int, default=60, help="simulated minutes of steady state")
    parser.add_argument("--quick", action="store_true", help="two runs and 2 minutes: to see that it works")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be given several times")
    given = parser.parse_args()
    plan = Plan(series=given.series, runs=given.runs, minutes=given.minutes)
    if given.quick:
        plan.runs, plan.minutes, plan.rest = 2, 2, 8.0
    parts = tuple(given.only or PARTS)
    if given.series >= _LARGEST:
        parts = ("growth",)
    begun = time.perf_counter()
    sheets: dict[str, Sheet] = {}
    try:
        for part in parts:
            _run(part, plan, sheets)
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    text = report.page(plan, sheets, seconds=time.perf_counter() - begun)
    sys.stdout.write(text)
    whole = parts == PARTS and not given.quick and plan.series == 100_000
    report.write(text, whole=whole, largest=given.series >= _LARGEST)
    return 0


def _run(part: str, plan: Plan, sheets: dict[str, Sheet]) -> None:
    sys.stderr.write(f"{part} ...\n")
    sheet = sheets.setdefault(part, Sheet())
    match part:
        case "sweep":
            measures.sweeps(plan, sheet)
        case "paced":
            measures.paced(plan, sheet)
        case "steady":
            measures.steady(plan, sheet)
        case "start":
            for name, size in (("platform", PLATFORM), ("full", size_of(plan.series))):
                for _ in range(plan.runs):
                    sheet.note(**{f"{name}_{key}": value for key, value in start(size, plan.latency).items()})
        case "push":
            measures.pushes(plan, sheet)
        case "growth":
            sizes = (plan.series,) if plan.series >= _LARGEST else (*_SMALLER, plan.series)
            runs = 1 if plan.series >= _LARGEST else plan.runs
            for series in sizes:
                own = Plan(series=series, runs=runs, latency=plan.latency)
                measures.growth(series, own, sheets.setdefault(f"growth {series}", Sheet()))


if __name__ == "__main__":
    sys.exit(main())
