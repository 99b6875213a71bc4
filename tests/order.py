"""
In which order tests begin: the longest first, one to each worker, so that none is left for the end, when others have
nothing more to do; and then files as chance has it, so that who waits stands beside who computes. Pure.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

LONG = (
    "tests/dashboards/test_evaluated.py::test_scraped",
    "tests/rules/test_end_to_end_quiet.py::test_nobody_is_woken",
    "tests/test_soak.py::test_a_short_soak_holds",
    "tests/test_day.py::test_a_day_costs_what_the_tables_come_to",
    "tests/rules/test_end_to_end_real.py::test_scraped",
    "tests/rules/test_end_to_end_exporter.py::test_cloudwatch_is_late",
    "tests/rules/test_end_to_end_disks.py::test_bursts_give_the_same_alerts",
    "tests/rules/test_end_to_end_files.py::test_a_bucket_that_swells",
    "tests/test_push_mimir.py::test_a_new_leader_leaves_no_hole",
)
"""Tests of half a minute and more, the longest first, without what stands in brackets."""


def _chance(name: str) -> int:
    """The same for all tests of a file, which stay together, and the same in every process."""
    return zlib.crc32(name.partition("::")[0].encode())


def ordered(names: Sequence[str], workers: int) -> list[int]:
    """
    The order of tests for *workers* of which each takes the next equal part (`--dist worksteal`).

    Args:
        names: of the tests, as they were collected.

    Returns:
        Their indices.
    """
    long = [index for one in LONG for index, name in enumerate(names) if name.partition("[")[0] == one]
    begun = set(long)
    rest = sorted((index for index in range(len(names)) if index not in begun), key=lambda index: _chance(names[index]))
    found: list[int] = []
    left = len(names)
    for worker in range(workers):
        size = left // (workers - worker)
        begins = long[worker::workers]
        share = len(rest) if worker == workers - 1 else max(0, size - len(begins))
        found += begins + rest[:share]
        rest = rest[share:]
        left -= size
    return found
