"""
`make soak`: minutes of everything going wrong, then what must still be true. Exit code 1 where a check fails.

The exporter runs in a process of its own, in the time of a world ten times as fast, against the simulated AWS of this
process, on loopback only. Arguments: `--minutes`, `--seed`, `--speed`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from tests.soak.run import Plan, Soak
from tests.soak.verdict import checks, table


def say(text: str) -> None:
    """A line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run it, print the tables; 0 where every check holds."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=10.0, help="seconds of the world per real second")
    given = parser.parse_args()
    plan = Plan(given.minutes * 60, given.speed, given.seed, settle=max(30.0, given.minutes * 60 / 6))
    say(f"soak: {given.minutes:g} minutes, seed {given.seed}, world {given.speed:g} times as fast")
    # A client that leaves while a fault is under way is no matter of the simulated AWS.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        told = asyncio.run(Soak(plan, Path(folder), say).run())
    say("\n" + "\n".join(table(told)))
    say(f"\n{told.calls} calls answered, {told.reloads} reloads, {told.changes} changes of the estate or scenario\n")
    failed = []
    for check in checks(told):
        say(f"{'ok    ' if check.holds else 'FAILED'} {check.name:<18} {check.says}")
        if not check.holds:
            failed.append(check.name)
    say(f"\nfailed: {', '.join(failed)}" if failed else "\nall checks hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
