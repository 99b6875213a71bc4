"""
The exporter against an independent witness: the same worlds read once by the whole line and once by plain boto3.

The witness (`tests.independent`) is a table written by hand from AWS's documentation and a reader that shares no code
with the exporter. What the two do not agree about is printed, a series a line.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from click.testing import CliRunner

from exporter import exposition
from exporter.app import App
from exporter.cli import main
from exporter.clock import FixedClock
from exporter.demo import DemoServer, World, WorldClock, run_in_thread
from exporter.demo.nouns import AccessPoint
from tests.harness import T, config_of, parsed, remember
from tests.independent.comparing import Series, checksum, differences
from tests.independent.place import Scope, Wanted
from tests.independent.reader import Reader
from tests.independent.tables import DIMENSIONS, INVENTORY, LABELS, METRICS

ODD = T + 3 * 86_400 + 7 * 3600 + 1039
"""Three days later in the afternoon: no whole minute, and just behind a quarter of an hour."""

ALL = ("essential", "standard", "on-request")
SERVICES = ("ebs", "efs", "s3", "elasticache", "protection")
EVERYTHING = {"services": {name: {"tiers": list(ALL)} for name in SERVICES if name != "protection"}}


@dataclass(frozen=True)
class Case:
    """A world at an instant, and what is configured on both sides."""

    name: str
    seed: int = 1
    at: float = T
    scenario: tuple[str, float] = ("quiet", 0)  # and for how many seconds it has been going on
    config: dict[str, Any] = field(default_factory=dict)
    wanted: Wanted = field(default_factory=Wanted)
    change: Callable[[World], object] = lambda _: None

    def world(self) -> World:
        world = World(self.seed, WorldClock(at=self.at))
        name, since = self.scenario
        world.scenario(name, self.at - since)
        self.change(world)
        return world


def every_tier(name: str, **more: Any) -> Case:
    return Case(name, config=EVERYTHING, wanted=Wanted(tiers=ALL), **more)


def grow_old_disks(world: World) -> None:
    """A gp2 volume above its burst ceiling on Xen, where BurstBalance reads 100, one on Nitro, and one at it."""
    world.add_volume("huge-xen", instance="node-a3", at=T - 86_400, type="gp2", size=2000, iops=6000, throughput=0)
    world.add_volume("huge-nitro", instance="node-b1", at=T - 86_400, type="gp2", size=2000, iops=6000, throughput=0)
    world.add_volume("io1-shared", instance="node-a1", at=T - 86_400, type="io1", size=100, iops=5000, throughput=0)
    world.update_volume("io1-shared", multi_attach=True)
    world.attach("io1-shared", "node-a2", T - 80_000)


def trouble_files(world: World) -> None:
    """File systems in other states than the mission's: changing, idle, unprotected, half available."""
    media, scratch = world.file_system("media"), world.file_system("scratch")
    broken, *others = media.mount_targets
    world.update_file_system("media", mount_targets=(replace(broken, state="error"), *others), lifecycle=(), tags=())
    world.update_file_system("scratch", state="updating", backup="ENABLING", load=replace(scratch.load, idle_share=1.0))
    world.add_access_point(
        "scratch", AccessPoint("fsap-0f00000000000000f", "by-hand", '/a \\ "b"', 0, 0, state="creating")
    )
    old = world.file_system("eks_production").replication
    assert old is not None
    world.update_file_system("eks_production", replication=replace(old, status="PAUSED"))


CASES = (
    Case("default"),
    Case("default, another seed and instant", seed=7, at=ODD),
    every_tier("all tiers"),
    every_tier("all tiers, another seed and instant", seed=7, at=ODD),
    every_tier("ebs-throttle", scenario=("ebs-throttle", 1800)),
    every_tier("ebs-stall", scenario=("ebs-stall", 400)),
    every_tier("ebs-stall, over", seed=2, at=ODD, scenario=("ebs-stall", 700)),
    every_tier("ebs-degraded", scenario=("ebs-degraded", 1500)),
    every_tier("node-loss, detaching", scenario=("node-loss", 120)),
    every_tier("node-loss, detached", scenario=("node-loss", 330)),
    every_tier("node-loss, coming up", scenario=("node-loss", 365)),
    every_tier("node-loss, over", seed=3, at=ODD, scenario=("node-loss", 900)),
    every_tier("stuck-attachment", scenario=("stuck-attachment", 600)),
    every_tier("volume-lifecycle, young", scenario=("volume-lifecycle", 400)),
    every_tier("volume-lifecycle, detached", scenario=("volume-lifecycle", 2000)),
    every_tier("late-cloudwatch", scenario=("late-cloudwatch", 1200)),
    every_tier("efs-credits", scenario=("efs-credits", 7200)),
    every_tier("efs-credits, spent", seed=5, at=ODD, scenario=("efs-credits", 6 * 3600)),
    every_tier("old and shared disks", change=grow_old_disks),
    every_tier("files in trouble", at=ODD, change=trouble_files),
    Case(
        "cluster, tags and pins",
        at=ODD,
        config={
            **EVERYTHING,
            "cluster": "production",
            "tags": ["team", "data-classification", "rpo", 'note "quoted"', "lines", "unicode", "markup", "empty"],
            "pins": {"tags": {"monitoring": "pinned"}},
        },
        wanted=Wanted(
            tiers=ALL,
            cluster="production",
            tags=("team", "data-classification", "rpo", 'note "quoted"', "lines", "unicode", "markup", "empty"),
            pins={"monitoring": "pinned"},
        ),
    ),
)


async def by_exporter(case: Case) -> Series:
    """What `/metrics` shows of AWS after one pass of the whole line."""
    config = config_of(**case.config)
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


def point_at(server: DemoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_exporter_and_the_witness_read_the_same(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same series, nothing missing, nothing extra; every value to twelve digits; one checksum over all."""
    with run_in_thread(case.world()) as server:
        point_at(server, monkeypatch)
        ours = await by_exporter(case)
        asked = questions(server)
        server.clear_calls()
        theirs = by_witness(case)
        possible = questions(server)
    found = differences(ours, theirs)
    counts = f"{len(found)} differences between {len(ours)} and {len(theirs)} series"
    assert not found, "\n".join([counts, *found[:60]])
    assert checksum(ours) == checksum(theirs)
    assert len(theirs) > 400
    # Asking is what costs: nothing is asked that cannot be, twice, or over another window.
    assert Counter(asked) - Counter(possible) == Counter()
    # The witness asks for every storage class and type, the exporter for those that can hold something.
    assert {metric for (metric, *_) in set(possible) - set(asked)} <= {"StorageBytes", "BucketSizeBytes", "NumberOfObjects"}


async def test_a_whole_reading_has_every_family(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a few situations each family of the table is seen at least once: none is compared in name only."""
    cases = [case for case in CASES if case.name in {"cluster, tags and pins", "ebs-stall"}]
    seen: set[str] = set()
    for case in cases:
        with run_in_thread(case.world()) as server:
            point_at(server, monkeypatch)
            seen |= {name for name, _ in by_witness(case)}
    assert {*INVENTORY, *(metric.family for metric in METRICS)} - seen == set()


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name in {"all tiers", "old and shared disks"}], ids=lambda case: case.name
)
def test_what_the_table_rules_out_is_not_published(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for everything else, CloudWatch has nothing: no condition of the table hides a metric."""
    with run_in_thread(case.world()) as server:
        point_at(server, monkeypatch)
        assert by_witness(case, Reader.read_what_cannot_be) == []


def test_the_published_table_says_what_the_witness_does() -> None:
    """`metrics --json`: the same families, labels, sources, folds and intervals as in the hand-made tables."""
    result = CliRunner().invoke(main, ["metrics", "--json"])
    assert result.exit_code == 0
    listed = {family["name"]: family for family in json.loads(result.stdout)["families"]}
    told = {name: family for name, family in listed.items() if family["service"] in SERVICES}
    scope = ["account_id", "region"]
    expected: dict[str, dict[str, Any]] = {name: {"labels": [*scope, *labels]} for name, labels in INVENTORY.items()}
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
