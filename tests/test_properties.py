"""For all histories: windows, batches, folds and the text we write hold what the line relies on."""

from __future__ import annotations

from array import array
from collections import Counter
from itertools import pairwise

import orjson
from hypothesis import given
from hypothesis import strategies as st

from exporter import exposition
from exporter.cloudwatch.batch import DATAPOINTS, MEMBERS, batches, body, members
from exporter.cloudwatch.convert import fold, points
from exporter.cloudwatch.grid import Grid
from exporter.cloudwatch.nouns import Part
from exporter.cloudwatch.plan import LOOKBACK, plan, ready_until
from exporter.cloudwatch.rows import ActiveRow
from exporter.model import (
    Absent,
    Block,
    Family,
    Fold,
    MetricRow,
    Resource,
    ResourceKind,
    Scope,
    Snapshot,
    Tier,
    Window,
)
from exporter.naming import label_set
from tests.harness import parsed, parsed_openmetrics

SCOPE = Scope("123456789012", "eu-west-1")
KIND = ResourceKind("thing", "ebs", "AWS/EBS", (("VolumeId", "volume_id"),), ("volume_id",))
START = 1_790_000_000


def row(**fields: object) -> MetricRow:
    """A row of the usual kind; *fields* differ from it."""
    usual: dict[str, object] = {
        "kind": KIND,
        "source": "VolumeReadBytes",
        "statistic": "Sum",
        "family": Family("aws_thing_bytes", "Help.", ("account_id", "region", "volume_id")),
        "tier": Tier.STANDARD,
        "every": 60,
        "fold": Fold.MEAN,
    }
    return MetricRow(**{**usual, **fields})  # type: ignore[arg-type]


def resources(count: int) -> list[Resource]:
    return [Resource(KIND, SCOPE, (f"vol-{number:017x}",)) for number in range(count)]


def never(_: Resource) -> bool:
    return False


def grid_of(count: int, *rows: MetricRow) -> Grid:
    return Grid(resources(count), [ActiveRow(one, one.every) for one in rows], never)


@given(
    period=st.sampled_from([60, 300, 900]),
    times=st.integers(1, 30),
    gaps=st.lists(st.integers(1, 1200), min_size=1, max_size=60),
    lateness=st.lists(st.integers(0, 1500), min_size=1, max_size=20),
    lost=st.lists(st.booleans(), min_size=1, max_size=20),
)
def test_windows_never_overlap_skip_or_reach_the_future(
    period: int, times: int, gaps: list[int], lateness: list[int], lost: list[bool]
) -> None:
    """
    Over any history of passes, late datapoints and lost answers: each window starts at the end of the newest period
    received, ends at the newest finished one, and no period that arrives within the look-back is taken twice or passed
    over, unless a later one came first.
    """
    one = row(period=period, every=period * times)
    grid = grid_of(1, one)
    born = START // period * period
    taken: list[int] = []
    first = 0
    now = START
    for number, gap in enumerate(gaps):
        now += gap
        windows = plan(grid, now).windows
        assert len(windows) <= 1
        for window in windows:
            assert window.start % period == 0
            assert window.end == ready_until(one, now) <= now - one.delay
            assert window.start < window.end
            longest = max(LOOKBACK, one.every, 5 * period)
            if taken:
                assert window.start == max(taken[-1], window.end - longest // period * period)
            first = first or window.start
            visible = [
                end
                for end in range(window.start + period, window.end + 1, period)
                if end > born and end + lateness[(end // period) % len(lateness)] <= now
            ]
            if lost[number % len(lost)]:
                continue  # the answer never came: nothing moves, and the next pass asks again
            assert not set(visible) & set(taken)
            taken += visible
            grid.cursors.answered(0, window, visible[-1] if visible else 0, now)
    assert all(before < after for before, after in pairwise(taken))
    for before, after in pairwise(taken):
        # What lies between was not visible yet when the later one came, or fell out of the look-back.
        for between in range(before + period, after, period):
            late = lateness[(between // period) % len(lateness)]
            assert late > 0 or after - between > LOOKBACK - one.every - one.delay - period


@given(
    queries=st.integers(1, 1300),
    statistics=st.integers(1, 6),
    length=st.integers(1, 3000),
    second=st.integers(0, 300),
)
def test_batches_keep_the_limits_and_metrics_together(queries: int, statistics: int, length: int, second: int) -> None:
    """At most 500 members and 100,800 datapoints, one window; a metric's statistics in one request; nothing lost."""
    names = ["Sum", "Average", "Minimum", "Maximum", "SampleCount", "p99"][:statistics]
    rows = [row(statistic=name, family=Family(f"aws_thing_{index}", "", ())) for index, name in enumerate(names)]
    rows = [row(statistic=each.statistic, family=Family(each.family.name, "", ("a", "b", "c"))) for each in rows]
    grid = grid_of(queries, *rows)
    wide, narrow, other = Window(0, 60 * length, 60), Window(60, 120, 60), Window(0, 120, 60)
    (group,) = grid.groups
    first, rest = range(min(second, queries)), [*range(min(second, queries), queries)]
    asked = {
        window: [Part(group, each) for each in parts if each]
        for window, parts in ((wide, [rest, first]), (narrow, [first]), (other, [rest[::3], rest[1::3], first]))
        if any(parts)
    }
    made = list(batches(SCOPE, asked))
    for batch in made:
        count = len(members(batch))
        assert count == batch.size <= MEMBERS
        assert count * batch.window.points <= DATAPOINTS or count == statistics
        sent = orjson.loads(body(batch) + b"}")["MetricDataQueries"]
        assert [member["Id"] for member in sent] == [f"q{number}" for number in range(count)]
        for (part, member, one), each in zip(members(batch), sent, strict=True):
            assert each["ReturnData"] is True
            assert each["MetricStat"] == {
                "Metric": {
                    "Namespace": "AWS/EBS",
                    "MetricName": one.source,
                    "Dimensions": [{"Name": "VolumeId", "Value": part.group.resources[member].id[0]}],
                },
                "Period": one.period,
                "Stat": one.statistic,
            }
        # A metric's statistics are together: AWS bills them as one.
        assert Counter(each["MetricStat"]["Metric"]["Dimensions"][0]["Value"] for each in sent) == {
            part.group.resources[member].id[0]: statistics for part in batch.parts for member in part.members
        }
    for window, parts in asked.items():
        sent_of = [piece.members for batch in made if batch.window == window for piece in batch.parts]
        assert [member for piece in sent_of for member in piece] == [m for part in parts for m in part.members]


@given(
    st.lists(
        st.tuples(st.integers(-5, 25), st.one_of(st.floats(), st.sampled_from(["NaN", "Infinity"]), st.none())),
        max_size=40,
    ),
    st.sampled_from(list(Fold)),
    st.sampled_from(list(Absent)),
)
def test_only_numbers_of_the_window_are_folded(
    raw: list[tuple[int, float | str | None]], how: Fold, absent: Absent
) -> None:
    """Whatever CloudWatch sends, points are finite, inside the window, ascending, once each; folds stay within them."""
    one = row(fold=how, absent=absent)
    window = Window(0, 20 * 60, 60)
    found = points(one, [60 * index for index, _ in raw], [value for _, value in raw], window)
    assert all(0 < end <= window.end for end in found.ends)
    assert all(before < after for before, after in pairwise(found.ends))
    assert len(found.ends) + found.refused == len(raw)
    folded = fold(one, found, window)
    if folded is None:
        assert not found.values
        assert absent is Absent.NOTHING
        return
    value, end = folded
    assert end in {*found.ends, window.end}
    bounds = [*found.values, *([0.0] if absent is Absent.ZERO else [])]
    low, high = min(bounds), max(bounds)
    assert low - abs(low) * 1e-9 <= value <= high + abs(high) * 1e-9


LABEL_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    st.lists(st.tuples(LABEL_TEXT, LABEL_TEXT), min_size=1, max_size=20, unique=True),
    st.lists(st.floats(allow_nan=False), min_size=20, max_size=20),
)
def test_what_is_written_parses_back(labels: list[tuple[str, str]], values: list[float]) -> None:
    """Any label text and any number survive both formats, read by prometheus_client's parsers."""
    family = Family("aws_thing_bytes", 'Help with "quotes", \\ and\nlines.', ("a", "b"), "gauge", "bytes")
    rendered = [label_set(family.labels, pair) for pair in labels]
    block = Block(family, rendered, array("d", values[: len(labels)]), 100, 60)
    snapshot = Snapshot(100.0, ((family, (block,)),), len(labels))
    expected = {
        ("aws_thing_bytes", frozenset({("a", a), ("b", b)})): value
        for (a, b), value in zip(labels, values, strict=False)
    }
    assert parsed(exposition.plain(snapshot).decode()) == expected
    rich = exposition.plain(snapshot, "openmetrics").decode() + "# EOF\n"
    assert parsed_openmetrics(rich) == expected
