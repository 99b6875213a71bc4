"""The named troubles of the simulated account, changes made by hand, and its clock."""

from __future__ import annotations

import pytest

from exporter.demo import SCENARIOS, World, WorldClock
from exporter.demo.nouns import MIB
from tests.demo_worlds import NOW, of_volume, points, world


def test_scenarios_are_named_and_unknown_ones_refused() -> None:
    """Every scenario can be entered and left; a wrong name lists the right ones."""
    asked = world()
    for name in SCENARIOS:
        asked.scenario(name, NOW - 600)
        assert asked.volumes()
    with pytest.raises(ValueError, match="efs-credits"):
        asked.scenario("efs-credit")


def test_efs_credits_drain_and_then_throughput_falls() -> None:
    """The balance falls to zero in about four hours; what is permitted falls from the burst to the baseline rate."""
    asked = world()
    given = {"FileSystemId": asked.file_system("eks_production").file_system_id}
    asked.scenario("efs-credits", NOW - 6 * 3600)
    balances = points(asked, "BurstCreditBalance", given, "Minimum", space="AWS/EFS", back=6 * 3600)
    permitted = points(asked, "PermittedThroughput", given, "Minimum", space="AWS/EFS", back=6 * 3600)
    empty = next(stamp for stamp, value in balances if value == 0)
    assert 3.5 * 3600 < empty - (NOW - 6 * 3600) < 4.5 * 3600
    assert permitted[0][1] == 100 * MIB
    assert permitted[-1][1] < 15 * MIB
    assert balances[-1][1] == 0


def test_ebs_saturated_shows_in_the_checks() -> None:
    """At its IOPS limit the volume's check is 1, its rate the provisioned one, its latency up."""
    asked = world()
    given, latency = of_volume(asked, "data-postgres-0", paired=True), "VolumeAvgWriteLatency"
    before = points(asked, latency, given)[0][1]
    asked.scenario("ebs-saturated", NOW - 3600)
    assert {value for _, value in points(asked, "VolumeIOPSExceededCheck", given, "Maximum")} == {1.0}
    assert points(asked, "VolumeAvgIOPS", given)[0][1] == pytest.approx(3000, rel=0.01)
    assert points(asked, latency, given)[0][1] > 5 * before


def test_volume_stalled_lasts_eight_minutes() -> None:
    """Eight minutes of VolumeStalledIOCheck = 1, and the volume's status is impaired for as long."""
    asked = world(NOW + 3600)
    volume = asked.volume("data-postgres-0")
    asked.scenario("volume-stalled", NOW)
    stalled = points(asked, "VolumeStalledIOCheck", of_volume(asked, volume.name, paired=True), "Maximum", back=5400)
    assert [stamp for stamp, value in stalled if value == 1] == list(range(int(NOW), int(NOW) + 480, 60))
    states = [asked.volume_status(volume, NOW + offset)[0] for offset in (-1, 0, 479, 480)]
    assert states == ["ok", "impaired", "impaired", "ok"]


def test_node_loss_moves_volumes_to_another_instance() -> None:
    """After the node is gone its volumes publish under the new instance, and nothing in between."""
    asked = world(NOW + 1800)
    volume_id = asked.volume("data-postgres-0").volume_id
    asked.scenario("node-loss", NOW)
    old, new = (asked.instance(name).instance_id for name in ("node-a1", "node-a2"))
    before = points(asked, "VolumeStalledIOCheck", {"VolumeId": volume_id, "InstanceId": old}, "Maximum", back=3600)
    after = points(asked, "VolumeStalledIOCheck", {"VolumeId": volume_id, "InstanceId": new}, "Maximum", back=3600)
    assert before[-1][0] < NOW + 300 < NOW + 360 <= after[0][0]
    volume = asked.volume(volume_id)
    states = [[item.state(NOW + offset) for item in volume.held(NOW + offset)] for offset in (0, 100, 320, 365, 400)]
    assert states == [["attached"], ["detaching"], [], ["attaching"], ["attached"]]
    assert asked.instance("node-a1").state(NOW + 100) == "terminated"


def test_attach_stuck_stays() -> None:
    """The volume is still attaching a day later, and publishes nothing."""
    asked = world(NOW + 86_400)
    asked.scenario("attach-stuck", NOW)
    volume = asked.volume("data-mongodb-0")
    assert [item.state(asked.now()) for item in volume.held(asked.now())] == ["attaching"]
    assert volume.state(asked.now()) == "in-use"
    assert points(asked, "VolumeReadOps", of_volume(asked, volume.name), "Sum") == []


def test_cloudwatch_late_hides_nothing_that_was_seen() -> None:
    """From the start on points come two hours late; those that were there stay."""
    clock = WorldClock(NOW)
    asked = World(1, clock)
    given = of_volume(asked, "data-mysql-0")
    before = points(asked, "VolumeReadOps", given, "Sum", back=1200)
    asked.scenario("cloudwatch-late", NOW)
    assert points(asked, "VolumeReadOps", given, "Sum", back=1200) == before
    clock.set(NOW + 6900)
    assert points(asked, "VolumeReadOps", given, "Sum", back=8100) == before
    clock.set(NOW + 9000)
    assert len(points(asked, "VolumeReadOps", given, "Sum", back=10_200)) == 50


def test_volume_lifecycle() -> None:
    """The volume appears, attaches, detaches and is gone, each at its instant."""
    asked = world()
    asked.scenario("volume-lifecycle", NOW)
    volume_id = asked.volume("data-batch-0").volume_id

    def state(offset: float) -> str:
        found = [item.state(NOW + offset) for item in asked.volumes(NOW + offset) if item.volume_id == volume_id]
        return found[0] if found else "absent"

    offsets = (0, 65, 80, 600, 1900, 2680, 2701)
    assert [state(item) for item in offsets] == [
        "absent",
        "creating",
        "available",
        "in-use",
        "available",
        "deleting",
        "absent",
    ]


def test_zone_loss_takes_everything_of_one_zone() -> None:
    """Nodes end, volumes stay `detaching` and publish nothing, targets fail, caches follow elsewhere; others go on."""
    asked = world(NOW + 3600)
    asked.scenario("zone-loss", NOW)
    later = NOW + 3600
    gone = {item.name for item in asked.estate.instances.values() if item.state(NOW + 301) == "terminated"}
    assert gone == {"node-a1", "node-a2", "node-a3"}
    for volume in asked.volumes(later):
        states = {item.state(later) for item in volume.held(later)}
        lost = volume.zone == "ap-southeast-3a"
        assert states <= ({"detaching"} if lost else {"attached", "attaching"}), volume.name
        assert asked.volume_status(volume, later)[0] == ("impaired" if lost else "ok")
    dead, alive = of_volume(asked, "data-postgres-0"), of_volume(asked, "data-postgres-1")
    assert max(stamp for stamp, _ in points(asked, "VolumeReadOps", dead, "Sum", back=7200)) == NOW - 60
    assert max(stamp for stamp, _ in points(asked, "VolumeReadOps", alive, "Sum", back=7200)) > NOW + 3000
    targets = asked.file_system("eks_production").mount_targets
    assert [item.state_at(NOW - 1) for item in targets] == ["available"] * 3
    assert {item.zone[-1]: item.state_at(NOW) for item in targets} == {"a": "error", "b": "available", "c": "available"}
    for cache in asked.caches():
        for shard in cache.shards():
            members = [item for item in cache.nodes if item.shard == shard]
            if any(item.zone[-1] != "a" for item in members):
                first = asked.cache_node(cache.primary(shard, NOW + 61))
                assert first.zone[-1] != "a", cache.name
                assert not first.down(later)


def test_a_busy_day_breaks_nothing() -> None:
    """The old node is emptied onto the new one; what CloudWatch held back is there by the time it has caught up."""
    clock = WorldClock(NOW + 6)
    asked = World(1, clock)
    asked.scenario("busy-day", NOW)
    old, new = asked.instance("node-b2"), asked.instance("node-b3")
    moved = [item for item in asked.volumes() if any(each.instance_id == old.instance_id for each in item.held(NOW))]
    assert len(moved) >= 5
    for volume in moved:
        if volume.name == "root-node-b2":
            assert not volume.exists(NOW + 3600)
            continue
        assert [item.instance_id for item in volume.held(NOW + 3600)] == [new.instance_id]
        assert all(item.state(NOW + 3600) == "attached" for item in volume.held(NOW + 3600))
    assert old.state(NOW + 3600) == "terminated"
    given = of_volume(asked, "data-mysql-1")
    clock.set(NOW + 6600)
    assert max(stamp for stamp, _ in points(asked, "VolumeReadOps", given, "Sum", back=7200)) < NOW + 5400
    clock.set(NOW + 7200)
    assert max(stamp for stamp, _ in points(asked, "VolumeReadOps", given, "Sum", back=7200)) > NOW + 6900


def test_backups_read_without_reaching_a_limit_for_long() -> None:
    """While a backup reads, a volume and the shared files read much more; the checks are 1 only now and then."""
    asked = world(NOW + 7200)
    asked.scenario("busy-day", NOW)
    given = of_volume(asked, "data-postgres-0")
    reads = dict(points(asked, "VolumeReadBytes", given, "Sum", back=7200))
    before, during = reads[int(NOW) + 3000], reads[int(NOW) + 4200]
    assert during > 5 * before
    pair = of_volume(asked, "data-postgres-0", paired=True)
    checks = dict(points(asked, "VolumeThroughputExceededCheck", pair, "Maximum", back=7200))
    assert sum(value for stamp, value in checks.items() if stamp >= NOW + 3600) <= 4


def test_changes_by_hand() -> None:
    """A test can make a volume, move it, take it away, repeat it and give it exact datapoints."""
    clock = WorldClock(NOW)
    asked = World(1, clock)
    made = asked.add_volume("test-0", instance="node-a1", at=NOW - 3600, size=7)
    assert made in asked.volumes()
    assert points(asked, "VolumeReadOps", {"VolumeId": made.volume_id}, "Sum")
    asked.detach("test-0", NOW - 600)
    asked.attach("test-0", "node-a2", NOW - 300)
    assert [item.instance_id for item in asked.volume("test-0").held(NOW)] == [asked.instance("node-a2").instance_id]
    assert asked.volume("test-0").state(NOW - 400) == "available"
    asked.repeat_volume("test-0")
    assert [item.volume_id for item in asked.volumes()].count(made.volume_id) == 2
    minute = int(NOW) - 600
    asked.put_points("AWS/EBS", "VolumeReadOps", {"VolumeId": made.volume_id}, {minute: 12.5})
    assert points(asked, "VolumeReadOps", {"VolumeId": made.volume_id}, "Sum") == [(minute, 12.5)]
    asked.delete_volume("test-0", NOW)
    assert made.volume_id not in {item.volume_id for item in asked.volumes()}


def test_an_empty_account_has_nothing() -> None:
    """Nothing exists, nothing is listed, and every scenario can still be entered."""
    asked = World.empty(1, WorldClock(NOW))
    for name in SCENARIOS:
        asked.scenario(name, NOW)
        if name != "volume-lifecycle":
            assert not [*asked.volumes(), *asked.instances(), *asked.file_systems(), *asked.snapshots()]
        assert list(asked.metrics()) == []


def test_the_clock_stands_runs_and_jumps() -> None:
    """A set clock stands still unless told a speed; without an instant it is the real time."""
    real = [100.0]
    clock = WorldClock(NOW, wall=lambda: real[0])
    real[0] = 110.0
    assert clock() == NOW
    clock.set(NOW, speed=60)
    real[0] = 111.0
    assert clock() == NOW + 60
    clock.advance(5)
    assert clock() == NOW + 65
    clock.set()
    assert clock() == 111.0
