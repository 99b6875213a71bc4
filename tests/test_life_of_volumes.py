"""A volume appears, moves, detaches and is deleted; odd tags and twins; ages: the inventory decides life."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise

import pytest

from exporter.cloudwatch.grid import Grid
from exporter.cloudwatch.plan import plan
from exporter.cloudwatch.rows import ActiveRow
from exporter.demo import World, WorldClock
from exporter.model import Family, Fold, MetricRow, Resource, ResourceKind, Scope, Tier
from exporter.services.registry import SERVICES
from tests.harness import T, config_of, limits_for, line

READ = "aws_ebs_volume_read_bytes_per_second"
STALLED = "aws_ebs_volume_stalled_io"
PINNED = {"pins": {"tags": {"pin": "yes"}}, "tags": ["pin"], "limits": limits_for()}


async def test_a_volume_appears_moves_detaches_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its series begin with its datapoints, follow it to its new instance, stop asking when it is detached, and end."""
    world = World(1, WorldClock(at=T))
    config = config_of(**PINNED)
    async with line(monkeypatch, world=world, config=config) as over:
        await over.run(T, only="ebs")
        volume = world.add_volume("fresh", instance="node-a1", at=T + 10, tags=(("pin", "yes"),)).volume_id
        first, second = (world.instance(name).instance_id for name in ("node-a1", "node-a2"))

        await over.run(T + 300, only="ebs")
        assert over.value("aws_ebs_volume_info", volume_id=volume, state="in-use") == 1
        assert over.value("aws_ebs_volume_attachment_info", volume_id=volume, instance_id=first) == 1
        await over.run(T + 420, only="ebs")
        assert over.value(STALLED, volume_id=volume) == 0
        age = over.value("aws_ebs_volume_newest_datapoint_timestamp_seconds", volume_id=volume)
        assert age is not None
        assert T + 180 <= age <= T + 300

        # It moves between two full listings: the fast look of each minute sees it in motion, and where it arrived.
        world.detach("fresh", T + 430, takes=20)
        world.attach("fresh", "node-a2", T + 455, takes=30)
        await over.run(T + 480, only="ebs")
        assert (
            over.value("aws_ebs_volume_attachment_info", volume_id=volume, state="attaching", instance_id=second) == 1
        )
        await over.run(T + 540, only="ebs")
        assert over.value("aws_ebs_volume_attachment_info", volume_id=volume, state="attached") == 1
        for minute in range(10, 16):
            over.server.clear_calls()
            await over.run(T + 60 * minute, only="ebs")
        asked = {
            query.dimensions
            for call in over.asked()
            if call.request is not None
            for query in call.request.queries
            if query.metric == "VolumeStalledIOCheck" and ("VolumeId", volume) in query.dimensions
        }
        assert asked == {frozenset({("InstanceId", second), ("VolumeId", volume)})}
        assert over.value(STALLED, volume_id=volume) == 0

        world.detach("fresh", T + 910)
        over.server.clear_calls()
        await over.run(T + 1200, only="ebs")
        assert over.value("aws_ebs_volume_info", volume_id=volume, state="available") == 1
        assert over.value(READ, volume_id=volume) is None
        assert over.value("aws_ebs_volume_newest_datapoint_timestamp_seconds", volume_id=volume) is None
        assert not any(
            ("VolumeId", volume) in query.dimensions
            for call in over.asked()
            if call.request is not None
            for query in call.request.queries
        )

        world.delete_volume("fresh", T + 1210)
        await over.run(T + 1500, only="ebs")
        assert not [labels for _, labels in over.series() if ("volume_id", volume) in labels]


async def test_an_attachment_that_never_ends_keeps_its_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume stuck in attaching shows since when, so that a rule can page; nothing is asked of CloudWatch for it."""
    world = World(1, WorldClock(at=T))
    volume = world.add_volume("stuck", at=T - 900).volume_id
    world.attach("stuck", "node-a1", T - 600, takes=math.inf)
    async with line(monkeypatch, world=world) as over:
        await over.run(T, only="ebs")
        begun = over.value("aws_ebs_volume_attachment_start_timestamp_seconds", volume_id=volume, state="attaching")
        assert begun == T - 600
        assert over.value(READ, volume_id=volume) is None


@pytest.mark.parametrize("text", ['quo"te', "back\\slash", "new\nline", "ünï€ode 日本", "", "a=b,c={d}"])
async def test_odd_tag_values_survive(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in a tag comes out of the exposition as it is, on the info family and nowhere else."""
    world = World(1, WorldClock(at=T))
    volume = world.add_volume("odd", at=T - 900, tags=(("Owner-Team", text),)).volume_id
    config = config_of(tags=["Owner-Team"])
    async with line(monkeypatch, world=world, config=config) as over:
        await over.run(T, only="ebs")
        assert over.value("aws_ebs_volume_info", volume_id=volume, tag_owner_team=text) == 1
        assert {name for name, labels in over.series() if ("tag_owner_team", text) in labels and text} <= {
            "aws_ebs_volume_info"
        }


async def test_the_same_volume_twice_makes_one_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that lists a volume twice is read as one volume."""
    world = World(1, WorldClock(at=T))
    world.repeat_volume("data-postgres-0")
    async with line(monkeypatch, world=world) as over:
        feeds = await over.run(T, only="ebs")
        assert feeds["ebs"].report.ok
        assert over.value("aws_ebs_volume_size_bytes", volume_id=world.volume("data-postgres-0").volume_id) is not None


async def test_two_scopes_of_one_account_make_one_series_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """One account and region by the credentials and by a role: each series is there once."""
    role = "arn:aws:iam::123456789012:role/storage-exporter"
    scopes = [{"regions": ["ap-southeast-3"]}, {"regions": ["ap-southeast-3"], "roles": [{"arn": role}]}]
    async with line(monkeypatch, config=config_of(scopes=scopes)) as over:
        await over.run(T)
        assert len(over.engine.feeds) == 2 * len(SERVICES)
        assert over.value("aws_ebs_volume_size_bytes", volume_id=over.server.world.volume("data-postgres-0").volume_id)
        assert over.names()["aws_ebs_volume_size_bytes"] == len(over.server.world.volumes())


async def test_values_go_when_they_are_outlived(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing heard any more a value stands for its row's span, facts for their age limit; then they go."""
    async with line(monkeypatch) as over:
        await over.run(T)
        balance = "aws_efs_file_system_burst_credit_balance_bytes"
        assert over.names()[balance] == 1
        over.server.faults.add("error-500")
        over.at(T + 240)
        assert over.names()[balance] == 0  # 60 + 120 + 2 x 60 s after the end of its period
        assert over.names()[READ] > 20  # 900 + 120 + 2 x 60 s
        assert over.names()["aws_ebs_volume_info"] > 20
        over.at(T + 901)
        assert over.names()["aws_ebs_volume_info"] == 0
        over.at(T + 7200)
        assert {name for name, _ in over.series()} == {"aws_s3_bucket_objects", "aws_s3_bucket_size_bytes"}  # daily
        over.at(T + 4 * 86_400)
        assert over.series() == {}


async def test_last_good_facts_end_at_their_age_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """While DescribeVolumes is denied, volumes are shown for a quarter of an hour and no longer; then asked no more."""
    async with line(monkeypatch) as over:
        await over.run(T, only="ebs")
        over.server.faults.add("denied", service="ec2", operation="DescribeVolumes")
        await over.run(T + 840, only="ebs")
        assert over.names()["aws_ebs_volume_info"] > 20
        over.server.clear_calls()
        await over.run(T + 960, only="ebs")
        assert over.names()["aws_ebs_volume_info"] == 0
        assert not over.asked()


async def test_a_pass_that_is_cut_off_makes_facts_no_younger(monkeypatch: pytest.MonkeyPatch) -> None:
    """While discovery hangs past each pass's deadline, what it told last ends at its age limit all the same."""
    name = "aws_efs_file_system_info"
    async with line(monkeypatch) as over:
        feeds = await over.run(T, only="efs")
        assert over.names()[name] == 3
        over.server.faults.add("hang", service="elasticfilesystem")
        for minute, files in ((5, 3), (10, 3), (14, 3), (16, 0)):
            over.at(T + 60 * minute)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await feeds["efs"].run()
            assert over.names()[name] == files


def test_what_comes_back_goes_on_where_it_was() -> None:
    """A volume detached for half an hour is asked from where it stood; after more than an hour it is a new one."""
    kind = ResourceKind("thing", "ebs", "AWS/EBS", (("VolumeId", "volume_id"),), ("volume_id",))
    family = Family("aws_thing_bytes", "Help.", ("account_id", "region", "volume_id"))
    rows = [ActiveRow(MetricRow(kind, "VolumeReadBytes", "Sum", family, Tier.STANDARD, 900, Fold.MEAN), 900)]
    scope = Scope("123456789012", "eu-west-1")

    def grid_of(*names: str) -> Grid:
        return Grid([Resource(kind, scope, (name,)) for name in names], rows, lambda _: False)

    def windows_after(away: int) -> list[tuple[str, int]]:
        grid = grid_of("vol-1", "vol-2")
        (window,) = plan(grid, T).windows
        for slot in (0, 1):
            grid.cursors.answered(slot, window, window.end - 120, T)
        gone = grid_of("vol-1")
        gone.take_over(grid, T + 60)
        between = grid_of("vol-1")
        between.take_over(gone, T + away - 60)
        back = grid_of("vol-0", "vol-1", "vol-2")
        back.take_over(between, T + away)
        return [
            (part.group.resources[member].id[0], window.end - asked.start)
            for asked, parts in plan(back, T + away).windows.items()
            for part in parts
            for member in part.members
        ]

    stood = 120  # what was missing at its last answer is asked again
    assert dict(windows_after(1800)) == {"vol-1": stood, "vol-2": stood, "vol-0": 900 - 1800}
    assert dict(windows_after(7200))["vol-2"] == 900 - 7200


async def test_a_late_cloudwatch_shows_its_age_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty minutes late: nothing old is shown as now, the age stands still; then one question takes it all."""
    world = World(1, WorldClock(at=T))
    async with line(monkeypatch, world=world) as over:
        await over.run(T, only="efs")
        before = over.own("storage_exporter_newest_datapoint_timestamp_seconds", aws_service="efs")
        world.scenario("cloudwatch-late", T + 60)
        for minute in range(8, 13):
            await over.run(T + 60 * minute, only="efs")
        assert over.own("storage_exporter_newest_datapoint_timestamp_seconds", aws_service="efs") <= before + 120
        assert over.own("storage_exporter_data_age_limit_seconds", aws_service="efs") == 300
        assert over.names()["aws_efs_file_system_burst_credit_balance_bytes"] == 0
        world.scenario("quiet")
        over.server.clear_calls()
        await over.run(T + 60 * 13, only="efs")
        (request,) = [
            call.request
            for call in over.asked()
            if call.request is not None and any(query.metric == "BurstCreditBalance" for query in call.request.queries)
        ]
        assert request.end - request.start >= 600
        assert over.names()["aws_efs_file_system_burst_credit_balance_bytes"] == 1


def test_a_silent_row_is_asked_less_and_again_when_the_volume_changes() -> None:
    """What never answered while others did is asked ever more rarely, at least every six hours, until it changes."""
    kind = ResourceKind("thing", "ebs", "AWS/EBS", (("VolumeId", "volume_id"),), ("volume_id",))
    family = Family("aws_thing_bytes", "Help.", ("account_id", "region", "volume_id"))
    row = MetricRow(kind, "VolumeReadBytes", "Sum", family, Tier.STANDARD, 60, Fold.MEAN)
    scope = Scope("123456789012", "eu-west-1")

    def grid_of(size: int) -> Grid:
        return Grid([Resource(kind, scope, ("vol-1",), {"size": size})], [ActiveRow(row, 60)], lambda _: False)

    grid = grid_of(1)
    asked, now = [], float(T)
    while now < T + 2 * 86400:
        for window in plan(grid, now).windows:
            asked.append(now)
            grid.cursors.answered(0, window, 0, 0)
            grid.cursors.count_silence([0])
        now += 60
    gaps = [int(after - before) for before, after in pairwise(asked)]
    assert gaps[:2] == [60, 60]
    assert gaps == sorted(gaps)
    assert gaps[-1] == 6 * 3600
    assert len(asked) < 25
    same, changed = grid_of(1), grid_of(2)
    same.take_over(grid)
    changed.take_over(grid)
    later = asked[-1] + 120
    assert not plan(same, later).windows
    assert plan(changed, later).windows
