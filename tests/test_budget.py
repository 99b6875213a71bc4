"""The budget: which tiers it leaves out, that it holds from the start, and that it does not go to and fro."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import permutations

import pytest

from exporter.cloudwatch.budget import LONGEST_START, Budget
from exporter.demo import World, WorldClock
from exporter.model import Scope, Tier
from tests.estates import platform
from tests.harness import T, config_of, line, log_lines

HERE = Scope("123456789012", "ap-southeast-3")
COSTS = {Tier.ESSENTIAL: 60.0, Tier.STANDARD: 30.0, Tier.ON_REQUEST: 20.0}


def budget_of(dollars: float | None, costs: Mapping[Tier, float] = COSTS, *, essential: bool = False) -> Budget:
    budget = Budget(dollars, essential=essential, feeds=1)
    budget.project(HERE, "ebs", costs)
    return budget


@pytest.mark.parametrize(
    ("dollars", "deferred"),
    [
        (None, set()),
        (110, set()),
        (109.99, {Tier.ON_REQUEST}),
        (90, {Tier.ON_REQUEST}),
        (89.99, {Tier.ON_REQUEST, Tier.STANDARD}),
        (0, {Tier.ON_REQUEST, Tier.STANDARD}),
    ],
)
def test_the_lowest_tier_goes_first_and_essential_stays(dollars: float | None, deferred: set[Tier]) -> None:
    """On request, then standard; what is essential is asked even where it alone costs more."""
    assert budget_of(dollars).decide(0).deferred == deferred


def test_essential_goes_only_where_the_configuration_says_so() -> None:
    """`budget.essential: defer` blinds the pager: nothing is left where nothing fits; above 60 it stays."""
    assert budget_of(59, essential=True).decide(0).deferred == set(Tier)
    assert budget_of(60, essential=True).decide(0).deferred == {Tier.ON_REQUEST, Tier.STANDARD}
    assert "essential alone" in budget_of(59).decide(0).change
    assert "essential alone" not in budget_of(60).decide(0).change


def test_an_estate_at_the_limit_does_not_go_to_and_fro() -> None:
    """Out at 110 of 109 dollars; back in only at 95 % of them, 103.55; said once each time."""
    budget = budget_of(109)
    said = []
    for standard in (30, 29, 28, 24, 23.5, 28, 29, 29.1):
        budget.project(HERE, "ebs", {**COSTS, Tier.STANDARD: standard})
        decision = budget.decide(0)
        said.append((decision.deferred == {Tier.ON_REQUEST}, bool(decision.change)))
    assert said == [
        (True, True),  # 110
        (True, False),  # 109 fits, but without room
        (True, False),
        (True, False),  # 104
        (False, True),  # 103.5
        (False, False),  # 108 still fits
        (False, False),  # 109
        (True, True),  # 109.1
    ]


@pytest.mark.parametrize("order", list(permutations(["ebs", "efs", "s3"])))
def test_it_does_not_matter_who_discovers_first(order: tuple[str, ...]) -> None:
    """Before all have said what they cost, only what is essential is asked; then what they cost together counts."""
    budget = Budget(200, feeds=3)
    for service in order:
        decision = budget.decide(1)
        assert decision.reason == "starting"
        assert decision.deferred == {Tier.STANDARD, Tier.ON_REQUEST}
        budget.project(HERE, service, COSTS)
    assert budget.decide(1).reason == "budget"
    assert budget.decide(1).deferred == {Tier.STANDARD, Tier.ON_REQUEST}  # 330: 270 without the lowest is too much too


def test_one_that_cannot_be_discovered_holds_the_others_a_minute() -> None:
    """Then what is known counts; and what comes to light later counts when it does."""
    budget = Budget(200, feeds=2, now=1000)
    budget.project(HERE, "ebs", COSTS)
    budget.project(HERE, "efs", {}, whole=False)
    assert budget.decide(1000 + LONGEST_START - 1).reason == "starting"
    assert budget.decide(1000 + LONGEST_START).deferred == set()
    budget.project(HERE, "efs", COSTS)
    assert budget.decide(1000 + LONGEST_START).deferred == {Tier.ON_REQUEST}


async def test_the_budget_holds_before_the_first_service_spends(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    At the wire: EBS discovers first and may ask only what is essential; its rest waits for the others' word, and is
    deferred by it. A metric and one log line say so.
    """
    config = config_of(
        services={name: {"enabled": False} for name in ("s3", "protection", "elasticache")},
        budget={"dollars_per_month": 4},
    )
    # 8 volumes on 2 nodes: stalled 8 x $0.0876 + checks 2 x $0.438 = $1.58; 8 x 8 x $0.0292 = $1.87 of standard; EFS
    # 5 x $0.438 = $2.19 and 3 sizes at $0.0292: together above $4, each service alone below.
    world = World(1, WorldClock(at=T), estate=platform(volumes=8, nodes=2, systems=1, buckets=0, pairs=0))
    with log_lines() as lines:
        async with line(monkeypatch, world, config) as over:
            first, second = over.engine.feeds
            await over.scheduler.once(first.job())
            assert over.names()["aws_ebs_volume_stalled_io"] == 8
            assert over.names()["aws_ebs_volume_read_bytes_per_second"] == 0
            own = "storage_exporter_deferred_rows"
            assert over.own(own, aws_service="ebs", tier="standard", reason="starting") == 8 * 8
            await over.scheduler.once(second.job())
            over.at(T + 60)
            for feed in (first, second):
                await over.scheduler.once(feed.job())
            assert over.names()["aws_ebs_volume_read_bytes_per_second"] == 0
            assert over.own(own, aws_service="ebs", tier="standard", reason="starting") == 0
            assert over.own(own, aws_service="ebs", tier="standard", reason="budget") == 8 * 8
            assert over.own("storage_exporter_aws_projected_dollars_per_month", tier="standard") == 0
            full = over.own("storage_exporter_aws_projected_full_dollars_per_month", tier="standard")
            assert full == pytest.approx(8 * 8 * 0.0292 + 3 * 0.0292)
            assert over.own("storage_exporter_aws_budget_dollars_per_month") == 4
    said = [entry for each in lines.getvalue().splitlines() if (entry := json.loads(each))["event"] == "budget"]
    assert [entry["msg"] for entry in said] == ["the budget of 4 dollars a month defers: standard"]
