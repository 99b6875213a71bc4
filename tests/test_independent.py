"""
The exporter against an independent witness: the same worlds read once by the whole line and once by plain boto3.

The witness (`tests.independent`) is a table written by hand from AWS's documentation and a reader that shares no code
with the exporter. What the two do not agree about is printed, a series a line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from exporter import exposition
from exporter.app import App
from exporter.cli import main
from exporter.clock import FixedClock
from exporter.demo import DemoServer, run_in_thread
from tests.calls import remember
from tests.harness import config_of, limits_for, parsed
from tests.independent.comparing import Series, checksum, differences
from tests.independent.reader import Reader
from tests.independent.tables import DIMENSIONS, INVENTORY, LABELS, METRICS, OF_KUBERNETES
from tests.independent_cases import CASES, SERVICES, Case

BY_CLASS = {"StorageBytes", "BucketSizeBytes", "NumberOfObjects"}
"""What there is for each class of storage that holds something."""


def cases_of(*names: str) -> list[Case]:
    """Cases by name."""
    found = [case for case in CASES if case.name in names]
    assert len(found) == len(names)
    return found


async def by_exporter(case: Case) -> Series:
    """What `/metrics` shows of AWS after one pass of the whole line."""
    config = config_of(**{"limits": limits_for(), **case.config})
    app = App(config, read=lambda: config, source="test", environ=os.environ, clock=FixedClock(case.at))
    feeds = await app.once()
    assert {feed.name: dict(feed.report.failures) for feed in feeds} == {feed.name: {} for feed in feeds}
    return parsed(exposition.plain(app.store.snapshot(case.at)).decode())


def by_witness(case: Case, read: Callable[[Reader], Any] = Reader.read) -> Any:
    reader = Reader(case.at, case.wanted)
    try:
        return read(reader)
    finally:
        reader.close()


def questions(server: DemoServer) -> list[tuple[str, str, frozenset[tuple[str, str]], int, float, float]]:
    """Everything asked of GetMetricData: metric, statistic, dimensions, period, start and end of the window."""
    remember(server.calls)
    return [
        (query.metric, query.stat, query.dimensions, query.period, call.request.start, call.request.end)
        for call in server.calls
        if call.request is not None
        for query in call.request.queries
    ]


@contextmanager
def simulated(case: Case, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoServer]:
    """The case's AWS, to which AWS's own variables lead."""
    world, *worlds = case.worlds()
    with run_in_thread(world, worlds=worlds) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_exporter_and_the_witness_read_the_same(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same series, nothing missing, nothing extra; every value to twelve digits; one checksum over all."""
    with simulated(case, monkeypatch) as server:
        ours = await by_exporter(case)
        asked = questions(server)
        server.clear_calls()
        theirs = by_witness(case)
        possible = questions(server)
    found = differences(ours, theirs)
    counts = f"{len(found)} differences between {len(ours)} and {len(theirs)} series"
    assert not found, "\n".join([counts, *found[:60]])
    assert checksum(ours) == checksum(theirs)
    assert len(theirs) > 200
    # Asking is what costs: nothing is asked that cannot be, twice, or over another window.
    assert Counter(asked) - Counter(possible) == Counter()
    # The witness asks for every storage class and type, the exporter for those that can hold something.
    assert {metric for (metric, *_) in set(possible) - set(asked)} <= BY_CLASS


async def test_a_whole_reading_has_every_family(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a few situations each family of the table is seen at least once: none is compared in name only."""
    cases = cases_of(
        "cluster, tags, pins and components",
        "volume-stalled",
        "two regions and another account",
        "kms-disabled, to be deleted",
    )
    seen: set[str] = set()
    for case in cases:
        with simulated(case, monkeypatch):
            seen |= {name for name, _ in by_witness(case)}
    # A node's key stands at its group; a cluster that stands alone has a key that AWS does not tell (aws-facts 3.5).
    assert {*INVENTORY, *(metric.family for metric in METRICS)} - seen == set()


@pytest.mark.parametrize(
    "case",
    cases_of("all tiers, another seed and instant", "old and shared disks", "caches in trouble", "buckets in trouble"),
    ids=lambda case: case.name,
)
def test_what_the_table_rules_out_is_not_published(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for everything else, CloudWatch has nothing: no condition of the table hides a metric."""
    with simulated(case, monkeypatch):
        assert by_witness(case, Reader.read_what_cannot_be) == []


def test_the_witness_is_independent() -> None:
    """All of the witness can be imported without anything of the exporter."""
    code = "import sys, tests.independent.reader; print(sorted(name for name in sys.modules if 'exporter' in name))"
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout == "[]\n"


def test_the_published_table_says_what_the_witness_does() -> None:
    """`metrics --json`: the same families, labels, sources, folds and intervals as in the hand-made tables."""
    result = CliRunner().invoke(main, ["metrics", "--json"])
    assert result.exit_code == 0
    listed = {family["name"]: family for family in json.loads(result.stdout)["families"]}
    told = {name: family for name, family in listed.items() if family["service"] in SERVICES}
    scope = ["account_id", "region"]
    expected: dict[str, dict[str, Any]] = {
        name: {"labels": [*scope, *labels]} for name, labels in {**INVENTORY, **OF_KUBERNETES}.items()
    }
    # Where some things are asked more often than others, the slowest is the family's and the others stand beside it.
    for metric in sorted(METRICS, key=lambda each: -each.span):
        if metric.family in expected:
            expected[metric.family]["also"].append({"every": metric.every, "tier": metric.tier})
            continue
        expected[metric.family] = {
            "labels": [*scope, *LABELS[metric.subject]],
            "source": {
                "namespace": metric.namespace,
                "metric": metric.metric,
                "statistic": metric.statistic,
            },
            "dimensions": set(DIMENSIONS[metric.subject]),
            "scale": metric.multiply,
            "per_second": metric.per_second,
            "fold": metric.fold,
            "period": metric.period,
            "delay": metric.delay,
            "every": metric.every,
            "span": metric.span,
            "absent": "zero" if metric.sparse else "nothing",
            "tier": metric.tier,
            "also": [],
        }
    shown: dict[str, dict[str, Any]] = {}
    for name, family in told.items():
        source = family.get("source")
        shown[name] = {key: family[key] for key in expected.get(name, {}) if key in family}
        if source:
            shown[name]["source"] = {key: source[key] for key in ("namespace", "metric", "statistic")}
            shown[name]["dimensions"] = set(source["dimensions"])
            shown[name]["also"] = [{"every": also["every"], "tier": also["tier"]} for also in family["also"]]
            own = {label for label in source["dimensions"].values() if label}
            assert own <= set(family["labels"]), f"{name}: dimensions become labels that it does not have"
    assert {name: shown.get(name) for name in expected if shown.get(name) != expected[name]} == {}
    assert shown.keys() == expected.keys()
