"""What is published once a day, what another region publishes, and what only speaks when something happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from exporter.cloudwatch.batch import batches, members
from exporter.cloudwatch.cursors import LONGEST_ESSENTIAL_SILENCE, LONGEST_SILENCE, SILENT_PASSES
from exporter.cloudwatch.grid import Grid
from exporter.cloudwatch.plan import plan, projected
from exporter.cloudwatch.rows import ActiveRow
from exporter.model import Family, Fold, MetricRow, Resource, ResourceKind, Scope, Tier, Window
from exporter.printing import catalogue

DAY = 86_400
MIDNIGHT = 1_789_948_800
"""A midnight UTC, unix seconds."""

SCOPE = Scope("123456789012", "ap-southeast-3")
KIND = ResourceKind("bucket", "s3", "AWS/S3", (("BucketName", "bucket"),), ("bucket",))
FAMILY = Family("aws_bucket_bytes", "Help.", ("account_id", "region", "bucket"), "gauge", "bytes")
DAILY = MetricRow(
    KIND, "BucketSizeBytes", "Average", FAMILY, Tier.STANDARD, DAY, Fold.NEWEST,
    period=DAY, delay=4 * 3600, retry=4 * 3600,
)  # fmt: skip


def grid_of(row: MetricRow, *resources: Resource) -> Grid:
    return Grid(resources or (Resource(KIND, SCOPE, ("b",)),), [ActiveRow(row, row.every)], lambda _: False)


def a_life(published: Callable[[int], float], days: int) -> list[tuple[float, Window, bool]]:
    """Passes a minute apart over *days*: (when, window, whether the day's value was in it) of each question."""
    grid = grid_of(DAILY)
    asked: list[tuple[float, Window, bool]] = []
    for now in range(MIDNIGHT, MIDNIGHT + days * DAY, 60):
        for window in plan(grid, now).windows:
            ends = [end for end in range(window.start + DAY, window.end + 1, DAY) if now >= end + published(end // DAY)]
            asked.append((now, window, bool(ends) and ends[-1] == window.end))
            grid.cursors.answered(0, window, ends[-1] if ends else 0, now)
    return asked


@pytest.mark.parametrize(("hour", "questions"), [(1, 1), (5, 2), (11, 3), (19, 5), (23.9, 6)])
def test_a_daily_value_is_asked_until_it_is_in(hour: float, questions: int) -> None:
    """From four hours after midnight, then every four hours until it is there: a few times a day, never 1,440."""
    asked = a_life(lambda _: hour * 3600, 9)
    days: dict[int, list[bool]] = {}
    for now, _, found in asked:
        days.setdefault(int(now - 4 * 3600) // DAY, []).append(found)
    settled = [looks for day, looks in sorted(days.items())][2:-2]
    assert settled
    for looks in settled:
        assert looks == [False] * (questions - 1) + [True]


def test_the_first_question_looks_back_three_days_and_a_hole_is_asked_again() -> None:
    """72 hours find the newest value of an odd publisher; a day that came late is not skipped."""
    first = a_life(lambda _: 3600, 1)[0][1]
    assert first.end - first.start == 3 * DAY
    assert first.period == DAY
    late = a_life(lambda day: 30 * 3600 if day == MIDNIGHT // DAY + 3 else 3600, 8)
    starts = [window for _, window, _ in late]
    assert any(window.points == 2 for window in starts)
    assert all(window.points <= 3 for window in starts)


def test_a_daily_value_is_held_until_two_more_should_have_come() -> None:
    """The span covers a day's interval, its delay and two periods: no gap while AWS is a day late, none for ever."""
    assert DAILY.span == DAY + 4 * 3600 + 2 * DAY


def test_the_bill_of_a_daily_value_counts_the_looks_for_it() -> None:
    """Reckoned as found half-way through the day: three questions."""
    (dollars,) = projected(grid_of(DAILY)).values()
    assert dollars == pytest.approx(0.00001 * 730 / 8)


def test_another_regions_metrics_are_asked_there() -> None:
    """One window, two regions: two requests, each for one region, with the labels of the resource's own scope."""
    here = Resource(KIND, SCOPE, ("here",))
    there = Resource(KIND, SCOPE, ("there",), published_in="ap-southeast-1")
    row = replace(DAILY, period=60, every=60, delay=120, retry=0)
    grid = grid_of(row, here, there)
    made = list(batches(SCOPE, plan(grid, MIDNIGHT).windows))
    assert [
        (batch.scope.region, [part.group.resources[member].id for part, member, _ in members(batch)]) for batch in made
    ] == [
        ("ap-southeast-3", [("here",)]),
        ("ap-southeast-1", [("there",)]),
    ]
    assert there.label_values() == ("123456789012", "ap-southeast-3", "there")


@pytest.mark.parametrize(
    ("tier", "longest"), [(Tier.ESSENTIAL, LONGEST_ESSENTIAL_SILENCE), (Tier.STANDARD, LONGEST_SILENCE)]
)
def test_what_is_essential_is_never_left_alone_for_hours(tier: Tier, longest: int) -> None:
    """A row that never spoke backs off, an essential one a quarter of an hour at most."""
    grid = grid_of(replace(DAILY, tier=tier, period=60, every=60, delay=120, retry=0))
    for _ in range(SILENT_PASSES + 30):
        grid.cursors.count_silence([0])
    assert grid.interval(grid.groups[0], 0) == longest


def test_a_family_of_two_rows_is_listed_once() -> None:
    """What matters more is asked more often; the catalogue shows the longest span, which rules need, and the other."""
    other = replace(KIND, name="component-bucket")
    slow = replace(DAILY, period=60, every=900, delay=120, retry=0)
    fast = replace(slow, kind=other, every=60, tier=Tier.ESSENTIAL)

    class Service:
        name, families, members, rows = "s3", (), (), (fast, slow)

    (listed,) = [one for one in catalogue([Service])["families"] if one["name"] == FAMILY.name]  # type: ignore[list-item]
    assert (listed["every"], listed["span"], listed["tier"]) == (900, slow.span, "standard")
    assert listed["also"] == [{"resource_kind": "component-bucket", "every": 60, "tier": "essential"}]
