"""What is done with whole answers at once is what is said of single ones; answers of every odd shape are survived."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isnan
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cloudwatch.batch import batches, members
from exporter.cloudwatch.convert import filled, fold, points
from exporter.cloudwatch.fetch import fetch
from exporter.cloudwatch.grid import Grid
from exporter.cloudwatch.nouns import Batch, Group, Part
from exporter.cloudwatch.rows import ActiveRow
from exporter.cloudwatch.taking import Add, Heard, move, take
from exporter.model import Absent, Family, Fold, MetricRow, Window
from tests.test_properties import SCOPE, START, grid_of, never, resources, row

PERIOD = 60
BEGIN = START // PERIOD * PERIOD
WINDOW = Window(BEGIN, BEGIN + 4 * PERIOD, PERIOD)


def batch_of(grid: Grid, window: Window = WINDOW) -> Batch:
    (batch,) = batches(SCOPE, {window: [Part(group, range(len(group))) for group in grid.groups]})
    return batch


class Cloud:
    """CloudWatch's side of `fetch`: one page after the other, whatever is in them."""

    def __init__(self, *pages: Mapping[str, Any]) -> None:
        self.pages = list(pages)
        self.datapoints: list[int] = []

    async def get_metric_data(
        self,
        body_head: Callable[[], bytes],
        start: int,
        end: int,
        *,
        aws_service: str,
        next_token: str | None = None,
        queries: int = 0,
        billable: int = 0,
        datapoints: int = 0,
    ) -> Mapping[str, Any]:
        """The next page, through JSON as on the wire."""
        self.datapoints.append(datapoints)
        answer: Mapping[str, Any] = orjson.loads(orjson.dumps(self.pages.pop(0)))
        return answer


NUMBER = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**40), 2**40),
    st.sampled_from(["NaN", "Infinity", None, 1.7e308]),
)
WHOLE = [BEGIN + index * PERIOD for index in range(4)]
STARTS = st.one_of(
    st.sampled_from([WHOLE, WHOLE[:3], WHOLE[1:], WHOLE[:1], [], WHOLE[::-1], [*WHOLE, BEGIN + 4 * PERIOD]]),
    st.lists(st.sampled_from([*WHOLE, BEGIN - PERIOD, BEGIN + 4 * PERIOD, BEGIN + 0.0]), max_size=6),
)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    starts = draw(STARTS)
    values = draw(st.lists(NUMBER, min_size=len(starts), max_size=len(starts)))
    code = draw(st.sampled_from(["Complete", "Complete", "Complete", "PartialData", "InternalError", "Odd"]))
    return {"Timestamps": starts, "Values": values, "StatusCode": code}


@given(
    st.lists(answers(), min_size=6, max_size=6),
    st.sampled_from(list(Fold)),
    st.sampled_from(list(Absent)),
    st.sampled_from([(1.0, False), (0.01, False), (1024.0, True)]),
    st.randoms(),
)
async def test_a_whole_answer_comes_to_what_its_single_answers_mean(
    said: list[dict[str, Any]], how: Fold, absent: Absent, unit: tuple[float, bool], chance: Any
) -> None:
    """Three resources of two statistics: values, ends and cursors are those of `points` and `fold`, each by each."""
    scale, per_second = unit
    rows = [
        row(
            statistic=statistic,
            family=Family(f"aws_thing_{statistic.lower()}", "", row().family.labels),
            fold=how,
            absent=absent,
            scale=scale,
            per_second=per_second,
        )
        for statistic in ("Sum", "Maximum")
    ]
    grid = grid_of(3, *rows)
    batch = batch_of(grid)
    order = list(range(6))
    chance.shuffle(order)
    results = [{"Id": f"q{number}", "Label": "x", **said[number]} for number in order]
    answer = await fetch(Cloud({"MetricDataResults": results}), batch, aws_service="ebs")
    told = Told()
    taken = take(grid, batch, answer.results, told)
    assert not any(grid.cursors.asked)
    move(grid, batch, taken, START + 600)

    newest = [0, 0, 0]
    whole = [True, True, True]
    reaches: list[list[int]] = [[], [], []]
    for (_, member, one), (number, single) in zip(members(batch), enumerate(said), strict=True):
        complete = single["StatusCode"] == "Complete"
        found = points(one, single["Timestamps"], single["Values"], WINDOW)
        whole_of = WINDOW if complete else Window(BEGIN, found.ends[-1] if found.ends else BEGIN, PERIOD)
        expected = fold(one, found, whole_of)
        every = filled(one, found, whole_of)
        ends, values = told.series.get((number // 3, member), ((), ()))
        assert ends == every.ends
        assert values == pytest.approx(every.values, rel=1e-12)
        place = grid.groups[0].series[number // 3] + member
        if expected is None:
            assert isnan(grid.values[place])
            assert grid.ends[place] == 0
        else:
            assert grid.values[place] == pytest.approx(expected[0], rel=1e-12)
            assert grid.ends[place] == expected[1]
        newest[member] = max(newest[member], found.ends[-1] if found.ends else 0)
        whole[member] = whole[member] and complete
        if found.ends or not complete:
            reaches[member].append(found.ends[-1] if found.ends else 0)
    for member in range(3):
        assert grid.cursors.asked[member] == (WINDOW.end if whole[member] else 0)
        reach = min(reaches[member], default=0)  # what one statistic lacks is asked again, with the other
        assert grid.cursors.heard[member] == (reach or (BEGIN if whole[member] else 0))
        assert bool(grid.cursors.spoke[member]) is bool(newest[member])
    assert taken.newest[0][1] == newest
    assert taken.codes == {single["StatusCode"] for single in said} - {"Complete"}
    assert sum(count for status, count in taken.statuses.items() if status != "refused") == 6


class Told:
    """Every datapoint that was told, by statistic and place."""

    def __init__(self) -> None:
        self.series: dict[tuple[int, int], tuple[tuple[int, ...], tuple[float, ...]]] = {}

    def of(self, _: Group, statistic: int) -> Add:
        def add(member: int, ends: Sequence[int], values: Sequence[float]) -> None:
            assert (statistic, member) not in self.series
            self.series[statistic, member] = (tuple(ends), tuple(values))

        return add


def test_series_of_a_window_share_their_stamps() -> None:
    """One list for all that have the same, whole or cut short: what writes them makes each stamp once."""
    grid = grid_of(4, row(fold=Fold.NEWEST))
    batch = batch_of(grid)
    shared: list[Sequence[int]] = []

    class Listening:
        def of(self, _: Group, __: int) -> Add:
            return lambda _, ends, __: shared.append(ends)

    whole: dict[str, Any] = {"Timestamps": WHOLE, "Values": [1, 2, 3, 4], "StatusCode": "Complete"}
    short: dict[str, Any] = {"Timestamps": WHOLE[:2], "Values": [1, 2], "StatusCode": "Complete"}
    take(grid, batch, [whole, short, dict(whole), dict(short)], Listening())
    assert [list(each) for each in shared] == [[start + PERIOD for start in WHOLE[:count]] for count in (4, 2, 4, 2)]
    assert shared[0] is shared[2]
    assert shared[1] is shared[3]


ODD: Sequence[Any] = (
    None,
    "text",
    {},
    {"Id": 7},
    {"Id": "m1"},
    {"Id": "q99", "Timestamps": WHOLE, "Values": [1, 2, 3, 4]},
    {"Id": "q0", "Timestamps": WHOLE, "Values": [1.0]},
    {"Id": "q0", "Timestamps": ["2026"], "Values": [1.0]},
    {"Id": "q0", "Timestamps": "2026", "Values": "1234"},
    {"Id": "q0", "Timestamps": {}, "Values": [1]},
    {"Id": "q0", "Values": [1.0]},
)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("alone", [True, False])
async def test_a_result_that_cannot_be_read_costs_only_itself(odd: Any, alone: bool) -> None:
    """It is counted, its query is asked again, and the others' values are taken."""
    grid = grid_of(2, row(fold=Fold.NEWEST))
    batch = batch_of(grid)
    good = {"Id": "q1", "Timestamps": WHOLE, "Values": [1, 2, 3, 4], "StatusCode": "Complete"}
    results = [odd, good] if alone else [good, odd]
    answer = await fetch(Cloud({"MetricDataResults": results}), batch, aws_service="ebs")
    taken = take(grid, batch, answer.results)
    move(grid, batch, taken, START)
    assert answer.malformed + taken.statuses.get("malformed", 0) == 1
    assert grid.values[1] == 4
    assert isnan(grid.values[0])
    assert (grid.cursors.asked[0], grid.cursors.asked[1]) == (0, WINDOW.end)


async def test_pages_are_put_together() -> None:
    """A member's datapoints over two pages, the first of which looked whole, are one answer; a broken one is not."""
    grid = grid_of(3, row(fold=Fold.MAX))
    batch = batch_of(grid)
    first: list[dict[str, Any]] = [
        {"Id": f"q{number}", "Timestamps": WHOLE[:2], "Values": [9, 1], "StatusCode": "PartialData"}
        for number in range(3)
    ]
    first[2] = {"Id": "q2", "Timestamps": "?", "Values": 0, "StatusCode": "PartialData"}
    second = [
        {"Id": f"q{number}", "Timestamps": WHOLE[2:], "Values": [2, 3], "StatusCode": "Complete"} for number in range(3)
    ]
    pages = {"MetricDataResults": first, "NextToken": "t"}, {"MetricDataResults": second}
    cloud = Cloud(*pages)
    answer = await fetch(cloud, batch, aws_service="ebs")
    assert cloud.datapoints == [3 * 4] * 2  # what AWS's quota of datapoints is told of each request
    take(grid, batch, answer.results)
    assert list(grid.values) == [9, 9, 3]
    assert list(grid.ends) == [WINDOW.end] * 3


def test_only_silence_beside_others_counts() -> None:
    """Where CloudWatch told the same metric of another resource, an empty answer is silence; else it is CloudWatch."""

    def silent_after(*values: list[float]) -> list[int]:
        grid = grid_of(len(values), row())
        batch = batch_of(grid)
        heard = Heard()
        results = [
            {"Id": f"q{number}", "Timestamps": WHOLE[: len(each)], "Values": each, "StatusCode": "Complete"}
            for number, each in enumerate(values)
        ]
        heard.note(take(grid, batch, results))
        return heard.silent()

    assert silent_after([], [], []) == []
    assert silent_after([1.0], [], []) == [1, 2]
    assert silent_after([1.0], [2.0]) == []


def test_blocks_stay_the_same_object_until_something_is_written() -> None:
    """What has not changed need not be rendered again: the store tells it by identity."""
    rows: list[MetricRow] = [
        row(),
        row(source="Other", family=Family("aws_b", "", row().family.labels)),
    ]
    grid = Grid(resources(2), [ActiveRow(one, one.every) for one in rows], never)
    before = grid.blocks()
    assert all(one is two for one, two in zip(before, grid.blocks(), strict=True))
    grid.put(grid.groups[0].series[0], grid.groups[0].columns[0], 5.0, WINDOW.end)
    after = grid.blocks()
    assert after[0] is not before[0]
    assert after[1] is before[1]
    assert after[0].values[0] == 5.0
    assert isnan(before[0].values[0])
