"""
From datapoints to requests on disk: everything goes out once, in order, whatever fails in between.

A made-up CloudWatch whose datapoints appear when they like answers what the planner asks; what is kept is read by
protobuf's own classes.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.cargo import POINTS, Cargo, Shipping
from exporter.cloudwatch.batch import batches, members
from exporter.cloudwatch.convert import SETTLED
from exporter.cloudwatch.grid import Grid
from exporter.cloudwatch.plan import Back, plan
from exporter.cloudwatch.rows import ActiveRow
from exporter.cloudwatch.taking import take
from exporter.errors import OutboxError
from exporter.model import Absent, Family, Fold, MetricRow, Resource, ResourceKind
from exporter.remote.frames import Frame
from tests.test_properties import SCOPE, START, never, resources, row
from tests.write_request import samples_of

PERIOD = 60
BORN = START // PERIOD * PERIOD - 1800
"""When the made-up things were made."""

STALE = 0x7FF0000000000002

ATTACHMENT = ResourceKind("attached", "ebs", "AWS/EBS", (("InstanceId", ""), ("VolumeId", "volume_id")), ("volume_id",))

Key = tuple[str, str]
"""Family and volume."""


@dataclass
class Disk:
    """What is kept, in order; refuses while *full*."""

    frames: list[tuple[str, Frame]] = field(default_factory=list)
    full: bool = False

    async def append(self, lane: str, frames: Sequence[Frame]) -> None:
        await asyncio.sleep(0)
        if self.full:
            raise OutboxError("the disk is full")
        self.frames += [(lane, frame) for frame in frames]

    def marks(self) -> dict[str, dict[bytes, int]]:
        """How far each series has come, as the outbox would say it."""
        found: dict[str, dict[bytes, int]] = {}
        for _, frame in self.frames:
            for labels, reached in frame.marks:
                for family, end in reached:
                    known = found.setdefault(family, {})
                    known[labels] = max(end, known.get(labels, 0))
        return found

    def samples(self) -> dict[Key, list[tuple[int, float]]]:
        """Milliseconds and values of each series in the order in which they would be sent."""
        found: dict[Key, list[tuple[int, float]]] = {}
        for _, frame in self.frames:
            for labels, samples in samples_of(frame.body).items():
                named = dict(labels)
                found.setdefault((named["__name__"], named["volume_id"]), []).extend(samples)
        return found


@dataclass
class Cloud:
    """Datapoints by (family, volume): the end of the period → value; each can be seen *late* seconds after its end."""

    values: Mapping[Key, Mapping[int, float]]
    late: Mapping[int, int] = field(default_factory=dict)

    def answer(self, one: MetricRow, resource: Resource, window: Any, now: float, most: int | None) -> dict[str, Any]:
        known = self.values.get((one.family.name, resource.id[-1]), {})
        seen = [
            (end - PERIOD, known[end])
            for end in range(window.start + PERIOD, window.end + 1, PERIOD)
            if end in known and end + self.late.get(end, 0) <= now
        ]
        partial = most is not None and most < len(seen)
        seen = seen[:most]
        return {
            "Timestamps": [start for start, _ in seen],
            "Values": [value for _, value in seen],
            "StatusCode": "PartialData" if partial else "Complete",
        }


def rows() -> list[MetricRow]:
    """Two statistics of one metric, and one whose absence means zero."""
    labels = row().family.labels
    return [
        row(family=Family("aws_sum", "", labels)),
        row(family=Family("aws_max", "", labels), statistic="Maximum", fold=Fold.MAX),
        row(source="Failed", family=Family("aws_failed", "", labels), absent=Absent.ZERO, fold=Fold.MAX),
    ]


class Line:
    """The part of a pass that is looked at here, over and over."""

    def __init__(self, disk: Disk, cloud: Cloud, asked: Sequence[MetricRow], *, any_order: bool = False) -> None:
        self.disk, self.cloud, self.rows, self.any_order = disk, cloud, asked, any_order
        self.start()

    def start(self) -> None:
        """The program starts: it knows what is on disk, and nothing else."""
        shipping = Shipping(self.disk, (), lambda *_: "lane", self.disk.marks(), self.any_order)
        self.cargo = Cargo(shipping, SCOPE.account_id, SCOPE.region)
        self.grid = Grid((), [ActiveRow(one, one.every) for one in self.rows], never)

    def discover(self, found: Sequence[Resource], now: float) -> None:
        grid = Grid(found, [ActiveRow(one, one.every) for one in self.rows], never)
        grid.take_over(self.grid, now)
        self.cargo.resume(grid)
        self.cargo.turn_to(grid)
        self.grid = grid

    async def run(self, now: float, broken: Mapping[int, int | None] = {}) -> None:
        """
        A pass at *now*.

        Args:
            broken: members of which only so many datapoints come, or nothing (None).
        """
        back = Back(3600, 3600, SETTLED if self.any_order else 0)
        for batch in batches(SCOPE, plan(self.grid, now, back=back).windows):
            results: list[dict[str, Any] | None] = []
            for number, (part, member, one) in enumerate(members(batch)):
                if number in broken and broken[number] is None:
                    results.append(None)
                else:
                    resource = part.group.resources[member]
                    results.append(self.cloud.answer(one, resource, batch.window, now, broken.get(number)))
            self.cargo.note(batch, take(self.grid, batch, results, self.cargo), now)
        try:
            await self.cargo.ship()
        except OutboxError:
            assert self.disk.full


@st.composite
def clouds(draw: st.DrawFn) -> Cloud:
    """An hour and a half of three volumes, with holes, and datapoints that appear late, but one after the other."""
    ends = range(BORN + PERIOD, BORN + 5400 + 1, PERIOD)
    values: dict[Key, dict[int, float]] = {}
    for volume in resources(3):
        holes = draw(st.sets(st.sampled_from(ends), max_size=20))
        for family in ("aws_sum", "aws_max"):
            values[family, volume.id[0]] = {end: float(end % 7919) for end in ends if end not in holes}
        failed = draw(st.sets(st.sampled_from(ends), max_size=5))
        values["aws_failed", volume.id[0]] = dict.fromkeys(failed, 3.0)
    late, last = {}, 0
    for end in ends:
        last = max(draw(st.sampled_from([0, 0, 0, 200, 290])) + end, last)
        late[end] = last - end
    return Cloud(values, late)


@settings(max_examples=60, deadline=None)
@given(
    cloud=clouds(),
    gaps=st.lists(st.integers(20, 400), min_size=10, max_size=25),
    events=st.lists(st.sampled_from(["", "", "", "full", "kill", "broken", "empty"]), min_size=25, max_size=25),
    broken=st.dictionaries(st.integers(0, 8), st.one_of(st.none(), st.integers(0, 3)), max_size=4),
)
async def test_every_datapoint_goes_out_once_and_in_order(
    cloud: Cloud, gaps: list[int], events: list[str], broken: dict[int, int | None]
) -> None:
    """
    Over any history of passes, with answers that break off, disks that are full and programs that are killed: per
    series strictly ascending stamps, each with CloudWatch's own value, none left out up to where the series has come.
    """
    disk = Disk()
    line = Line(disk, cloud, rows())
    now = float(BORN + 600)
    line.discover(resources(3), now)
    for gap, event in zip(gaps, events, strict=False):
        now += gap
        disk.full = event == "full"
        if event == "kill":
            line.start()
            line.discover(resources(3), now)
        await line.run(now, broken if event == "broken" else {})
    disk.full = False
    for _ in range(3):
        now += 1000
        await line.run(now)

    found = disk.samples()
    for volume in resources(3):
        for family in ("aws_sum", "aws_max", "aws_failed"):
            sent = found.get((family, volume.id[0]), [])
            assert all(one < other for (one, _), (other, _) in pairwise(sent)), (family, sent)
            truth = cloud.values[family, volume.id[0]]
            for stamp, value in sent:
                assert value == truth.get(stamp // 1000, 0.0 if family == "aws_failed" else math.nan)
            got = {stamp // 1000 for stamp, _ in sent}
            assert got >= {end for end in truth if got and min(got) <= end <= max(got)}
            if family != "aws_failed" and truth:
                # All of it, from where the first window began.
                newest = max(end for end in truth if end <= now - 120 and end + cloud.late[end] <= now)
                assert max(got) == newest
                if events[0] in ("", "kill", "empty"):
                    assert min(got) == min(truth)


async def test_absence_that_means_zero_is_written_when_it_is_sure() -> None:
    """A period without a datapoint is a zero three periods later, or as soon as a later one has a datapoint."""
    disk, now = Disk(), float(BORN + 1200)
    failed = BORN + 600
    line = Line(disk, Cloud({("aws_failed", resources(1)[0].id[0]): {failed: 2.0}}), rows()[2:])
    line.discover(resources(1), now)
    await line.run(now)
    ((_, sent),) = disk.samples().items()
    ready = int(now - 120) // PERIOD * PERIOD
    assert [stamp // 1000 for stamp, _ in sent] == list(range(ready - 3600 + PERIOD, ready - 3 * PERIOD + 1, PERIOD))
    assert [stamp // 1000 for stamp, value in sent if value] == [failed]
    # A later one shows that those before it have none.
    line.cloud = Cloud({("aws_failed", resources(1)[0].id[0]): {failed: 2.0, ready + PERIOD: 5.0}})
    await line.run(now + 60)
    ((_, sent),) = disk.samples().items()
    assert sent[-4:] == [((ready + PERIOD * back) * 1000, 5.0 if back == 1 else 0.0) for back in (-2, -1, 0, 1)]


async def test_what_comes_late_follows_where_the_receiver_takes_it() -> None:
    """Once, within three periods; where it does not, never."""
    volume = resources(1)[0].id[0]
    ends = list(range(BORN + PERIOD, BORN + 1201, PERIOD))
    slow = ends[14]
    for any_order in (False, True):
        disk = Disk()
        cloud = Cloud({("aws_sum", volume): dict.fromkeys(ends, 1.0)}, {slow: 240})
        line = Line(disk, cloud, rows()[:1], any_order=any_order)
        now = float(slow + 180)
        line.discover(resources(1), now)
        for _ in range(5):
            await line.run(now)
            now += 60
        sent = [stamp // 1000 for stamp, _ in disk.samples()["aws_sum", volume]]
        assert len(sent) == len(set(sent))
        assert (slow in sent) is any_order
        if any_order:
            assert sent.index(slow) > sent.index(slow + PERIOD)
        assert {*sent, slow} == {end for end in ends if end <= max(sent)}


async def test_several_attachments_make_one_series_of_the_worst() -> None:
    """Minute by minute the worst of them, in one request; and it goes on when the volume moves to another instance."""
    family = Family("aws_stalled", "", ("account_id", "region", "volume_id"))
    one = row(kind=ATTACHMENT, family=family, statistic="Maximum", fold=Fold.MAX)
    first, second, third = (Resource(ATTACHMENT, SCOPE, (instance, "vol-1")) for instance in ("i-1", "i-2", "i-3"))
    ends = list(range(BORN + PERIOD, BORN + 1801, PERIOD))

    class Split(Cloud):
        def answer(self, one: MetricRow, resource: Resource, window: Any, now: float, most: int | None) -> Any:
            known = {end: float(end // PERIOD % 2 == (resource.id[0] == "i-1")) for end in ends}
            if resource.id[0] == "i-3":
                known = {end: 7.0 for end in ends if end > BORN + 1200}
            return Cloud({("aws_stalled", "vol-1"): known}).answer(one, resource, window, now, most)

    disk = Disk()
    line = Line(disk, Split({}), [one])
    now = float(BORN + 1320)
    line.discover([first, second], now)
    await line.run(now)
    line.discover([third], now + 180)
    await line.run(now + 180)
    sent = disk.samples()["aws_stalled", "vol-1"]
    assert sent == [(end * 1000, 1.0 if end <= BORN + 1200 else 7.0) for end in ends if end <= BORN + 1380]


async def test_series_that_are_one_count_towards_what_is_collected() -> None:
    """Or a long look-back of many attachments would be held in memory whole."""
    family = Family("aws_stalled", "", ("account_id", "region", "volume_id"))
    one = row(kind=ATTACHMENT, family=family, statistic="Maximum", fold=Fold.MAX)
    line = Line(Disk(), Cloud({}), [one])
    line.discover([Resource(ATTACHMENT, SCOPE, (instance, "vol-1")) for instance in ("i-1", "i-2")], float(BORN))
    (group,) = line.grid.groups
    add = line.cargo.of(group, 0)
    assert add is not None
    for start in range(0, POINTS, 1000):
        assert not line.cargo.full
        ends = range(BORN + start * PERIOD, BORN + (start + 500) * PERIOD, PERIOD)
        for member in range(2):
            add(member, ends, [1.0] * 500)
    assert line.cargo.full


async def test_a_series_ends_when_its_resource_does() -> None:
    """One staleness marker right behind its last datapoint, also after a disk that was full; and it can come back."""
    volume = resources(1)[0].id[0]
    ends = list(range(BORN + PERIOD, BORN + 3601, PERIOD))
    disk = Disk()
    line = Line(disk, Cloud({("aws_sum", volume): dict.fromkeys(ends, 1.0)}), rows()[:1])
    now = float(BORN + 1200)
    line.discover(resources(1), now)
    await line.run(now)
    last = disk.samples()["aws_sum", volume][-1][0]
    line.discover((), now + 60)
    disk.full = True
    await line.run(now + 60)
    assert disk.samples()["aws_sum", volume][-1][0] == last
    disk.full = False
    await line.run(now + 120)
    await line.run(now + 180)
    *_, (before, _), (stamp, value) = disk.samples()["aws_sum", volume]
    assert (before, stamp) == (last, last + 1000)
    assert math.isnan(value)
    line.discover(resources(1), now + 240)
    await line.run(now + 240)
    sent = disk.samples()["aws_sum", volume]
    assert sent[len(sent) - 4 :] == [(last + PERIOD * 1000 * number, 1.0) for number in (1, 2, 3, 4)]
    assert disk.marks()["aws_sum"] == {
        b'{account_id="123456789012",region="eu-west-1",volume_id="' + volume.encode() + b'"}': sent[-1][0] // 1000
    }


async def test_all_series_end_where_nobody_asks_them_any_more() -> None:
    """A service that is configured no more: a marker behind the last datapoint of each series, once."""
    ends = list(range(BORN + PERIOD, BORN + 3601, PERIOD))
    values = {("aws_sum", each.id[0]): dict.fromkeys(ends, 1.0) for each in resources(3)}
    disk = Disk()
    line = Line(disk, Cloud(values), rows()[:1])
    now = float(BORN + 1200)
    line.discover(resources(3), now)
    await line.run(now)
    before = disk.samples()
    line.cargo.end(line.grid, now)
    await line.cargo.ship()
    await line.cargo.ship()
    for key, sent in disk.samples().items():
        *others, (stamp, value) = sent
        assert others == before[key]
        assert stamp == others[-1][0] + 1000
        assert math.isnan(value)


async def test_a_pass_that_is_cancelled_while_it_writes_sends_nothing_twice() -> None:
    """At its deadline, at a reload or when the term ends: what is on disk then is known, and not asked again."""

    class Slow(Disk):
        writing: asyncio.Event

        async def append(self, lane: str, frames: Sequence[Frame]) -> None:
            self.writing.set()
            await asyncio.sleep(0.05)
            await super().append(lane, frames)

    disk = Slow()
    disk.writing = asyncio.Event()
    volume = resources(1)[0].id[0]
    ends = list(range(BORN + PERIOD, BORN + 3601, PERIOD))
    line = Line(disk, Cloud({("aws_sum", volume): dict.fromkeys(ends, 1.0)}), rows()[:1])
    now = float(BORN + 1200)
    line.discover(resources(1), now)
    one = asyncio.create_task(line.run(now))
    await disk.writing.wait()
    one.cancel()
    await asyncio.gather(one, return_exceptions=True)
    assert one.cancelled()
    assert len(disk.frames) == 1
    await line.run(now + 120)
    sent = [stamp // 1000 for stamp, _ in disk.samples()["aws_sum", volume]]
    assert sent == [end for end in ends if end <= BORN + 1200]


async def test_a_full_disk_costs_no_more_questions() -> None:
    """What could not be kept is asked again at its next turn, with what follows it: the bill stays what it is."""
    volume = resources(1)[0].id[0]
    ends = list(range(BORN + PERIOD, BORN + 5401, PERIOD))
    disk = Disk(full=True)
    slow = row(family=Family("aws_sum", "", row().family.labels), every=900)
    line = Line(disk, Cloud({("aws_sum", volume): dict.fromkeys(ends, 1.0)}), [slow])
    now = float(BORN + 1200)
    line.discover(resources(1), now)
    asked = []
    for minute in range(40):
        disk.full = minute < 25
        asked.append(plan(line.grid, now, back=Back(3600, 3600)).billable)
        await line.run(now)
        now += 60
    assert [minute for minute, count in enumerate(asked) if count] == [0, 15, 30]
    sent = [stamp // 1000 for stamp, _ in disk.samples()["aws_sum", volume]]
    assert sent == [end for end in ends if end <= BORN + 1200 + 30 * 60 - 120]


async def test_what_is_held_does_not_go_this_way() -> None:
    """Daily values have no use for their stamps, and are not collected."""
    daily = row(period=86_400, every=3600, delay=0)
    disk = Disk()
    line = Line(disk, Cloud({}), [daily])
    line.discover(resources(1), START)
    await line.run(float(START))
    assert disk.frames == []
    assert line.grid.cursors.asked[0] > 0


async def test_a_resource_goes_one_way() -> None:
    """All series of a label set are in requests of one lane, and different lanes fail by themselves."""

    class Half(Disk):
        async def append(self, lane: str, frames: Sequence[Frame]) -> None:
            if lane == "bad" and self.full:
                raise OutboxError("no room")
            self.frames += [(lane, frame) for frame in frames]

    disk = Half(full=True)
    ends = list(range(BORN + PERIOD, BORN + 3601, PERIOD))
    volumes = [each.id[0] for each in resources(4)]
    cloud = Cloud({(family, each): dict.fromkeys(ends, 1.0) for family in ("aws_sum", "aws_max") for each in volumes})
    line = Line(disk, cloud, rows()[:2])
    shipping = Shipping(disk, (), lambda _a, _r, labels: "bad" if volumes[0].encode() in labels else "good", {})
    line.cargo = Cargo(shipping, SCOPE.account_id, SCOPE.region)
    now = float(BORN + 900)
    line.discover(resources(4), now)
    await line.run(now)
    assert {lane for lane, _ in disk.frames} == {"good"}
    assert {volume for _, volume in disk.samples()} == set(volumes[1:])
    disk.full = False
    await line.run(now + 60)
    for key, sent in disk.samples().items():
        assert [stamp // 1000 for stamp, _ in sent] == [end for end in ends if end <= now + 60 - 120], key
    for lane, frame in disk.frames:
        found = {dict(labels)["volume_id"] for labels in samples_of(frame.body)}
        assert found == {volumes[0]} if lane == "bad" else volumes[0] not in found
