"""The simulated account by itself: what is published of what, when, and that asking changes nothing."""

from __future__ import annotations

import math

import pytest

from exporter.demo import SCENARIOS, World, WorldClock
from exporter.demo.nouns import MIB

NOW = 1_787_479_200.0  # 2026-08-23T10:00:00Z
Pairs = dict[str, str]


def world(at: float = NOW, seed: int = 1) -> World:
    return World(seed, WorldClock(at))


def points(
    of: World,
    metric: str,
    given: Pairs,
    stat: str = "Average",
    *,
    space: str = "AWS/EBS",
    period: int = 60,
    back: float = 900,
) -> list[tuple[int, float]]:
    now = of.now()
    return of.points(space, metric, frozenset(given.items()), stat, period, now - back, now)


def of_volume(of: World, name: str, *, paired: bool = False) -> Pairs:
    volume = of.volume(name)
    host = {"InstanceId": volume.held(of.now())[0].instance_id} if paired else {}
    return {"VolumeId": volume.volume_id, **host}


# Volume of the estate, metric, dimension set: published or not (aws-facts 1.1).
EBS_FACTS = [
    ("data-postgres-0", "VolumeReadBytes", "one", True),
    ("data-postgres-0", "VolumeIdleTime", "one", True),
    ("data-postgres-0", "BurstBalance", "one", False),
    ("data-postgres-0", "VolumeThroughputPercentage", "one", False),
    ("data-postgres-0", "VolumeConsumedReadWriteOps", "one", False),
    ("data-postgres-0", "VolumeStalledIOCheck", "one", False),
    ("data-postgres-0", "VolumeStalledIOCheck", "pair", True),
    ("data-postgres-0", "VolumeIOPSExceededCheck", "pair", True),
    ("data-postgres-0", "VolumeAvgReadLatency", "pair", True),
    ("data-postgres-0", "VolumeAvgReadLatency", "one", False),
    ("data-postgres-0", "VolumeReadBytes", "pair", False),
    ("wiki", "BurstBalance", "one", True),
    ("archive", "BurstBalance", "one", False),
    ("backup-staging", "BurstBalance", "one", True),
    ("redo", "VolumeThroughputPercentage", "one", True),
    ("redo", "VolumeConsumedReadWriteOps", "one", True),
    ("redo", "BurstBalance", "one", False),
    ("quorum", "VolumeReadOps", "one", True),
    ("quorum", "VolumeQueueLength", "one", True),
    ("quorum", "VolumeConsumedReadWriteOps", "one", True),
    ("quorum", "VolumeTotalReadTime", "one", False),
    ("quorum", "VolumeIdleTime", "one", False),
    ("quorum", "VolumeThroughputPercentage", "one", False),
    ("quorum", "VolumeIOPSExceededCheck", "pair", False),
    ("quorum", "VolumeStalledIOCheck", "pair", True),
    ("museum", "VolumeIOPSExceededCheck", "pair", False),
    ("museum", "VolumeThroughputExceededCheck", "pair", False),
    ("museum", "VolumeStalledIOCheck", "pair", True),
    ("museum", "VolumeReadBytes", "one", True),
    ("data-legacy-cron-0", "VolumeReadOps", "one", True),
    ("data-legacy-cron-0", "VolumeAvgIOPS", "pair", False),
    ("data-legacy-cron-0", "VolumeStalledIOCheck", "pair", False),
    ("data-cassandra-2", "VolumeAvgIOPS", "pair", True),
    ("untagged", "VolumeWriteOps", "one", True),
    ("orphan", "VolumeReadBytes", "one", False),
    ("orphan", "VolumeIdleTime", "one", False),
]


@pytest.mark.parametrize(("name", "metric", "shape", "published"), EBS_FACTS)
def test_ebs_metrics_exist_only_as_aws_publishes_them(name: str, metric: str, shape: str, published: bool) -> None:
    """Type, hypervisor, attachment and the exact dimension set decide whether an EBS metric has datapoints."""
    asked = world()
    given = of_volume(asked, name, paired=shape == "pair")
    assert bool(points(asked, metric, given, "Maximum" if "Check" in metric else "Average")) is published


INSTANCE_FACTS = [
    ("node-a1", "EBSReadOps", True),
    ("node-a1", "EBSIOBalance%", True),
    ("node-b2", "EBSByteBalance%", True),
    ("node-a2", "EBSIOBalance%", False),
    ("node-a2", "InstanceEBSIOPSExceededCheck", True),
    ("node-a2", "StatusCheckFailed_AttachedEBS", True),
    ("node-a3", "EBSReadOps", False),
    ("node-a3", "EBSIOBalance%", False),
    ("node-a3", "StatusCheckFailed", True),
    ("node-a3", "StatusCheckFailed_AttachedEBS", False),
    ("node-a3", "InstanceEBSThroughputExceededCheck", False),
    ("node-c2", "EBSWriteBytes", False),
    ("node-c2", "EBSByteBalance%", False),
    ("node-c2", "StatusCheckFailed", True),
    ("node-c2", "InstanceEBSIOPSExceededCheck", False),
]


@pytest.mark.parametrize(("name", "metric", "published"), INSTANCE_FACTS)
def test_instance_metrics_exist_only_as_aws_publishes_them(name: str, metric: str, published: bool) -> None:
    """Xen, bare metal and sizes without a burst bucket lack the metrics AWS says they lack (aws-facts 1.2)."""
    asked = world()
    given = {"InstanceId": asked.instance(name).instance_id}
    assert bool(points(asked, metric, given, "Maximum", space="AWS/EC2", back=1800)) is published


FILE_FACTS = [
    ("eks_production", "BurstCreditBalance", {}, True),
    ("eks_production", "PermittedThroughput", {}, True),
    ("eks_production", "PercentIOLimit", {}, True),
    ("eks_production", "MeteredIOBytes", {}, True),
    ("media", "BurstCreditBalance", {}, False),
    ("media", "PercentIOLimit", {}, True),
    ("media", "PermittedThroughput", {}, True),
    ("scratch", "BurstCreditBalance", {}, False),
    ("scratch", "PercentIOLimit", {}, False),
    ("scratch", "PermittedThroughput", {}, True),
    ("eks_production", "StorageBytes", {}, False),
    ("eks_production", "StorageBytes", {"StorageClass": "Total"}, True),
    ("eks_production", "StorageBytes", {"StorageClass": "IA"}, True),
    ("eks_production", "StorageBytes", {"StorageClass": "Archive"}, False),
    ("media", "StorageBytes", {"StorageClass": "ArchiveSizeOverhead"}, True),
    ("eks_production", "TimeSinceLastSync", {}, False),
]


@pytest.mark.parametrize(("name", "metric", "more", "published"), FILE_FACTS)
def test_efs_metrics_exist_only_as_aws_publishes_them(name: str, metric: str, more: Pairs, published: bool) -> None:
    """The throughput and performance modes and the storage classes decide (aws-facts 1.3)."""
    asked = world()
    given = {"FileSystemId": asked.file_system(name).file_system_id, **more}
    assert bool(points(asked, metric, given, "Maximum", space="AWS/EFS", back=3600)) is published


def test_time_since_last_sync_needs_the_destination() -> None:
    """Replication lag is found under both file systems and only there; it is the age of the last sync."""
    asked = world()
    system = asked.file_system("eks_production")
    assert system.replication
    given = {"FileSystemId": system.file_system_id, "DestinationFileSystemId": system.replication.destination_id}
    found = points(asked, "TimeSinceLastSync", given, "Maximum", space="AWS/EFS")
    assert found
    assert all(0 <= value < 900 for _, value in found)


def test_native_periods() -> None:
    """Also at period 60: basic monitoring each 5 minutes, detailed each minute, StorageBytes each 15."""
    asked = world()

    def stamps(metric: str, given: Pairs, space: str) -> set[int]:
        return {stamp for stamp, _ in points(asked, metric, given, space=space, back=3600)}

    basic = stamps("EBSReadOps", {"InstanceId": asked.instance("node-a1").instance_id}, "AWS/EC2")
    detailed = stamps("EBSReadOps", {"InstanceId": asked.instance("node-a2").instance_id}, "AWS/EC2")
    total = {"FileSystemId": asked.file_system("media").file_system_id, "StorageClass": "Total"}
    sizes = stamps("StorageBytes", total, "AWS/EFS")
    assert {stamp % 300 for stamp in basic} == {0}
    assert {stamp % 60 for stamp in detailed} == {0}
    assert len(detailed) > 4 * len(basic) > 4 * len(sizes) > 0
    assert {stamp % 900 for stamp in sizes} == {0}


def test_publication_delay() -> None:
    """A minute can be seen 90 to 150 seconds after its end, and what has been seen stays as it was."""
    clock = WorldClock(NOW)
    asked = World(1, clock)
    given = of_volume(asked, "data-mysql-0")
    seen: dict[int, tuple[float, float]] = {}
    for step in range(40):
        clock.set(NOW + step * 10)
        for stamp, value in asked.points(
            "AWS/EBS", "VolumeReadOps", frozenset(given.items()), "Sum", 60, NOW, NOW + 600
        ):
            first, known = seen.setdefault(stamp, (clock(), value))
            assert known == value
            assert 90 <= first - (stamp + 60) <= 160
    assert len(seen) == 4


def test_windows_are_half_open_and_rounded_down() -> None:
    """StartTime is rounded down to the minute and inclusive, EndTime is exclusive."""
    asked = world()
    given = frozenset(of_volume(asked, "data-mysql-0").items())
    found = asked.points("AWS/EBS", "VolumeReadOps", given, "Sum", 60, NOW - 3599, NOW - 3000)
    assert [stamp for stamp, _ in found] == list(range(int(NOW) - 3600, int(NOW) - 3000, 60))


def test_longer_periods_fold_the_minutes() -> None:
    """Five-minute statistics are those of the five minutes."""
    asked = world()
    given = frozenset(of_volume(asked, "data-mysql-0").items())
    start, end = NOW - 3600, NOW - 3300
    minutes = [v for _, v in asked.points("AWS/EBS", "VolumeWriteOps", given, "Sum", 60, start, end)]
    expected = {
        "Sum": sum(minutes),
        "Average": sum(minutes) / 5,
        "Minimum": min(minutes),
        "Maximum": max(minutes),
        "SampleCount": 5,
    }
    for stat, value in expected.items():
        assert asked.points("AWS/EBS", "VolumeWriteOps", given, stat, 300, start, end) == [(start, value)]


def test_xen_counts_operations_and_falls_silent_when_idle() -> None:
    """On Xen the average of bytes is the operation's size, Minimum is not kept, and idle minutes have no datapoint."""
    asked = world()
    given = frozenset(of_volume(asked, "data-legacy-cron-0").items())

    def hours(metric: str, stat: str) -> dict[int, float]:
        return dict(asked.points("AWS/EBS", metric, given, stat, 60, NOW - 7200, NOW - 600))

    sums, counts = hours("VolumeReadBytes", "Sum"), hours("VolumeReadBytes", "SampleCount")
    assert counts == hours("VolumeReadOps", "Sum")
    assert hours("VolumeReadBytes", "Average") == {stamp: sums[stamp] / counts[stamp] for stamp in sums}
    assert 20 < len(sums) < 100
    assert len(hours("VolumeIdleTime", "Sum")) == 110
    assert hours("VolumeReadBytes", "Minimum") == {}


def test_values_of_a_volume_agree() -> None:
    """Rate, throughput, latency and queue are those of the sums of the same minute."""
    asked = world()
    one, pair = of_volume(asked, "data-postgres-0"), of_volume(asked, "data-postgres-0", paired=True)

    def value(metric: str, given: Pairs, stat: str) -> float:
        now = asked.now()
        return asked.points("AWS/EBS", metric, frozenset(given.items()), stat, 60, now - 600, now - 540)[0][1]

    reads, writes = (value(name, one, "Sum") for name in ("VolumeReadOps", "VolumeWriteOps"))
    moved = sum(value(name, one, "Sum") for name in ("VolumeReadBytes", "VolumeWriteBytes"))
    times = [value(name, one, "Sum") for name in ("VolumeTotalReadTime", "VolumeTotalWriteTime")]
    assert value("VolumeAvgIOPS", pair, "Average") == pytest.approx((reads + writes) / 60)
    assert value("VolumeAvgThroughput", pair, "Average") == pytest.approx(moved / 60 / 1024)
    assert value("VolumeAvgReadLatency", pair, "Average") == pytest.approx(times[0] / reads * 1000)
    assert value("VolumeQueueLength", one, "Average") == pytest.approx(sum(times) / 60)
    assert 0 <= value("VolumeIdleTime", one, "Sum") <= 60


def test_metered_io_is_writes_and_a_third_of_reads() -> None:
    """EFS meters reads at one third, data and metadata alike."""
    asked = world()
    given = {"FileSystemId": asked.file_system("eks_production").file_system_id}
    now = asked.now()

    def total(metric: str) -> float:
        return asked.points("AWS/EFS", metric, frozenset(given.items()), "Sum", 60, now - 600, now - 540)[0][1]

    reads = total("DataReadIOBytes") + total("MetadataReadIOBytes")
    writes = total("DataWriteIOBytes") + total("MetadataWriteIOBytes")
    assert total("MeteredIOBytes") == pytest.approx(writes + reads / 3, abs=1)
    assert total("TotalIOBytes") == reads + writes


def test_a_world_is_a_function_of_seed_and_instant() -> None:
    """Two worlds asked in opposite order say the same; another seed says otherwise."""
    first, second, other = world(), world(), world(seed=2)
    asked = [("wiki", "BurstBalance"), ("data-mysql-0", "VolumeReadOps"), ("redo", "VolumeIdleTime")]
    forward = [points(first, metric, of_volume(first, name)) for name, metric in asked]
    backward = [points(second, metric, of_volume(second, name)) for name, metric in reversed(asked)]
    assert forward == backward[::-1]
    assert [item.volume_id for item in first.volumes()] == [item.volume_id for item in second.volumes()]
    assert forward[1] != points(other, "VolumeReadOps", of_volume(other, "data-mysql-0"))


def test_every_value_is_finite() -> None:
    """Whatever ListMetrics lists has finite values in every statistic, and something has a fraction."""
    asked = world()
    values = [
        value
        for space, metric, dimensions, _ in asked.metrics()
        for stat in ("Sum", "Average", "Maximum")
        for _, value in asked.points(space, metric, dimensions, stat, 300, NOW - 1200, NOW)
    ]
    assert len(values) > 2000
    assert all(math.isfinite(value) for value in values)
    assert sum(value % 1 != 0 for value in values) > 500


def test_listed_metrics_are_those_with_datapoints() -> None:
    """ListMetrics names nothing that AWS does not publish, and forgets nothing that it does."""
    asked = world()
    listed = {(metric, dimensions) for _, metric, dimensions, _ in asked.metrics("AWS/EBS")}
    for name, metric, shape, published in EBS_FACTS:
        given = frozenset(of_volume(asked, name, paired=shape == "pair").items())
        assert ((metric, given) in listed) is published


# --- scenarios and changes ------------------------------------------------------------------------------------------


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


def test_ebs_throttle_shows_in_the_checks() -> None:
    """At its IOPS limit the volume's check is 1, its rate the provisioned one, its latency up."""
    asked = world()
    given, latency = of_volume(asked, "data-postgres-0", paired=True), "VolumeAvgWriteLatency"
    before = points(asked, latency, given)[0][1]
    asked.scenario("ebs-throttle", NOW - 3600)
    assert {value for _, value in points(asked, "VolumeIOPSExceededCheck", given, "Maximum")} == {1.0}
    assert points(asked, "VolumeAvgIOPS", given)[0][1] == pytest.approx(3000, rel=0.01)
    assert points(asked, latency, given)[0][1] > 5 * before


def test_ebs_stall_lasts_eight_minutes() -> None:
    """Eight minutes of VolumeStalledIOCheck = 1, and the volume's status is impaired for as long."""
    asked = world(NOW + 3600)
    volume = asked.volume("data-postgres-0")
    asked.scenario("ebs-stall", NOW)
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


def test_stuck_attachment_stays() -> None:
    """The volume is still attaching a day later, and publishes nothing."""
    asked = world(NOW + 86_400)
    asked.scenario("stuck-attachment", NOW)
    volume = asked.volume("data-mongodb-0")
    assert [item.state(asked.now()) for item in volume.held(asked.now())] == ["attaching"]
    assert volume.state(asked.now()) == "in-use"
    assert points(asked, "VolumeReadOps", of_volume(asked, volume.name), "Sum") == []


def test_late_cloudwatch_hides_nothing_that_was_seen() -> None:
    """From the start on points come half an hour late; those that were there stay."""
    clock = WorldClock(NOW)
    asked = World(1, clock)
    given = of_volume(asked, "data-mysql-0")
    before = points(asked, "VolumeReadOps", given, "Sum", back=1200)
    asked.scenario("late-cloudwatch", NOW)
    assert points(asked, "VolumeReadOps", given, "Sum", back=1200) == before
    clock.set(NOW + 1200)
    assert points(asked, "VolumeReadOps", given, "Sum", back=2400) == before
    clock.set(NOW + 3600)
    assert len(points(asked, "VolumeReadOps", given, "Sum", back=4800)) == 50


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
