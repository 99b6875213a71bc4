"""What has fallen behind is asked oldest first, after what has not, and goes on where an earlier run had come to."""

from __future__ import annotations

from exporter.cloudwatch.cursors import LONGEST_WINDOW
from exporter.cloudwatch.grid import Grid
from exporter.cloudwatch.nouns import Batch
from exporter.cloudwatch.plan import Back, plan
from exporter.cloudwatch.rows import ActiveRow
from exporter.cloudwatch.taking import move, take
from exporter.model import Family, Resource, Tier, Window
from tests.test_properties import KIND, SCOPE, START, grid_of, never, resources, row

NOW = START // 60 * 60 + 17.0
READY = int(NOW - 120) // 60 * 60
LABELS = row().family.labels


def labels_of(grid: Grid) -> tuple[bytes, ...]:
    return grid.labels(0)


def test_what_is_new_is_asked_before_what_has_fallen_behind() -> None:
    """Also where it matters less: an hour of datapoints of one metric must not delay all the others."""
    urgent = row(source="Urgent", family=Family("aws_urgent", "", LABELS), tier=Tier.ESSENTIAL)
    usual = row(source="Usual", family=Family("aws_usual", "", LABELS), tier=Tier.STANDARD)
    grid = grid_of(2, urgent, usual)
    for group in grid.groups:
        behind = 3000 if group.tier is Tier.ESSENTIAL else 120
        for member in range(2):
            grid.cursors.answered(group.slot + member, Window(READY - 6000, READY - behind, 60), READY - behind, NOW)
    chosen = plan(grid, NOW, back=Back(3600, 3600))
    assert [window.end - window.start for window in chosen.windows] == [120, 3000]
    assert [parts[0].group.tier for parts in chosen.windows.values()] == [Tier.STANDARD, Tier.ESSENTIAL]
    assert chosen.billable == 4


def test_a_window_of_both_is_asked_once() -> None:
    """What is late for one interval is usual for another; the same window is one batch's."""
    quick = row(source="Quick", family=Family("aws_quick", "", LABELS), every=60)
    slow = row(source="Slow", family=Family("aws_slow", "", LABELS), every=900)
    grid = grid_of(1, quick, slow)
    for group in grid.groups:
        grid.cursors.answered(group.slot, Window(READY - 6000, READY - 900, 60), READY - 900, NOW)
    chosen = plan(grid, NOW, back=Back(3600, 3600))
    assert [(window, [part.group.every for part in parts]) for window, parts in chosen.windows.items()] == [
        (Window(READY - 900, READY, 60), [900, 60])
    ]


def test_a_day_without_datapoints_does_not_hold_up_the_next() -> None:
    """A window that was cut at its length has nothing more to wait for, whether anything came or not."""
    grid = grid_of(2, row())
    back = Back(5 * 86_400, 5 * 86_400)
    begun = READY - 5 * 86_400
    for day in range(3):
        ((window, (part,)),) = plan(grid, NOW + 60 * day, back=back).windows.items()
        assert (window.start, window.points) == (begun + day * 86_400, LONGEST_WINDOW)
        assert list(part.members) == [0, 1]
        batch = Batch(SCOPE, window, (part,))
        some = {"Timestamps": [window.start], "Values": [1.0], "StatusCode": "Complete"}
        none = {"Timestamps": [], "Values": [], "StatusCode": "Complete"}
        move(grid, batch, take(grid, batch, [some, none]), NOW)


def test_a_restart_goes_on_where_the_series_furthest_behind_is() -> None:
    """Of two statistics that travel together; a resource of which one is not known begins anew."""
    grid = grid_of(
        3, row(family=Family("aws_sum", "", LABELS)), row(family=Family("aws_max", "", LABELS), statistic="Maximum")
    )
    first, second, third = labels_of(grid)
    grid.resume(
        {"aws_sum": {first: READY - 600, second: READY - 60}, "aws_max": {first: READY - 300, third: READY - 60}}
    )
    assert list(grid.cursors.heard) == [READY - 600, 0, 0]
    assert [list(until) for until in grid.shipped.until] == [[READY - 600, READY - 60, 0], [READY - 300, 0, READY - 60]]
    windows = plan(grid, NOW, back=Back(3600, 3600)).windows
    assert {window.end - window.start: [list(part.members) for part in parts] for window, parts in windows.items()} == {
        600: [[0]],
        3600: [[1, 2]],
    }


def test_a_restart_moves_nothing_that_stands() -> None:
    """Marks are for what has no cursor of its own yet."""
    grid = grid_of(1, row())
    grid.cursors.answered(0, Window(READY - 120, READY, 60), READY, NOW)
    grid.resume({"aws_thing_bytes": {labels_of(grid)[0]: READY - 600}})
    assert grid.cursors.heard[0] == READY


def test_another_replica_had_all_series_as_far_as_it_says() -> None:
    """What our own disk says of a series counts where that is further."""
    grid = grid_of(2, row())
    own = {"aws_thing_bytes": {labels_of(grid)[0]: READY - 60}}
    grid.resume(own, {"aws_thing_bytes": READY - 300, "aws_other": READY})
    assert list(grid.cursors.heard) == [READY - 60, READY - 300]


def test_a_pinned_resource_keeps_its_place() -> None:
    """Groups are by how they are asked, columns by family: both are found."""
    volumes = resources(4)
    grid = Grid(volumes, [ActiveRow(row(every=900), 900)], lambda one: one in (volumes[1], volumes[3]))
    named = dict(zip([each.id for each in volumes], (READY - 60 * number for number in range(4)), strict=True))
    by_label = {label: named[("vol-" + label.decode().rpartition("vol-")[2][:17],)] for label in labels_of(grid)}
    grid.resume({"aws_thing_bytes": by_label})
    for group in grid.groups:
        for member, resource in enumerate(group.resources):
            assert grid.cursors.heard[group.slot + member] == named[resource.id]


def test_only_what_is_held_is_shown() -> None:
    """Where datapoints are pushed, the snapshot has the daily values and not the rest."""
    daily = row(source="Daily", period=86_400, every=21_600, family=Family("aws_daily_bytes", "", LABELS))
    grid = Grid([Resource(KIND, SCOPE, ("vol-1",))], [ActiveRow(daily, 21_600), ActiveRow(row(), 60)], never)
    assert [block.family.name for block in grid.blocks(held=True)] == ["aws_daily_bytes"]
    assert len(grid.blocks()) == 2
