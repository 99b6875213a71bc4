"""The simulated account by itself: what is published of what, when, and that asking changes nothing."""

from __future__ import annotations

import math

import pytest

from exporter.demo import World, WorldClock
from tests.demo_worlds import NOW, Pairs, of_volume, points, world

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
