"""The simulated AWS over its wire, read by plain boto3: what the world says arrives, in pages and checked as by AWS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from exporter.demo import DemoServer, World, WorldClock, run_in_thread
from exporter.demo.tables import AWKWARD_TAGS
from tests.demo_clients import NOW, clients, query, refused


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with run_in_thread(World(1, WorldClock(NOW))) as running:
        yield running


@pytest.fixture(scope="module")
def aws(server: DemoServer) -> Iterator[dict[str, Any]]:
    names = ("ec2", "efs", "cloudwatch", "sts")
    with clients(server, *names) as made:
        yield dict(zip(names, made, strict=True))


@pytest.fixture(autouse=True)
def _calm(server: DemoServer) -> None:
    server.faults.clear()
    server.clear_calls()


# --- EC2 -------------------------------------------------------------------------------------------------------------


def test_volumes_arrive_as_the_world_has_them(server: DemoServer, aws: dict[str, Any]) -> None:
    """Every volume, with its numbers, attachments and state; nothing more."""
    answered = {item["VolumeId"]: item for item in aws["ec2"].describe_volumes(MaxResults=500)["Volumes"]}
    known = {item.volume_id: item for item in server.world.volumes()}
    assert set(answered) == set(known)
    for volume_id, volume in known.items():
        item = answered[volume_id]
        assert (item["VolumeType"], item["Size"], item["State"]) == (volume.type, volume.size, volume.state(NOW))
        assert item.get("Iops", 0) == volume.iops
        assert item.get("Throughput", 0) == volume.throughput
        assert item["CreateTime"].timestamp() == volume.created
        held = {(part["InstanceId"], part["State"], part["AttachTime"].timestamp()) for part in item["Attachments"]}
        assert held == {(part.instance_id, part.state(NOW), part.since) for part in volume.held(NOW)}
        assert {part["Key"]: part["Value"] for part in item.get("Tags", [])} == dict(volume.tags)


def test_the_estate_has_what_the_mission_has(server: DemoServer) -> None:
    """24 volumes of the class gp3-sc beside two gp2 and two io2 (one of them shared), one detached, one untagged."""
    volumes = server.world.volumes()
    kinds = [item.type for item in volumes]
    assert sum(item.claim is not None and item.claim.storageclass == "gp3-sc" for item in volumes) == 24
    assert (kinds.count("gp2"), kinds.count("io2"), kinds.count("st1"), kinds.count("standard")) == (2, 2, 1, 1)
    assert [len(item.held(NOW)) for item in volumes if item.multi_attach] == [2]
    assert [item.name for item in volumes if item.state(NOW) == "available"] == ["orphan"]
    assert "untagged" in {item.name for item in volumes if not item.tags}


def test_awkward_tags_survive_the_wire(server: DemoServer, aws: dict[str, Any]) -> None:
    """Quotes, backslashes, newlines, carriage returns, markup and Unicode arrive as they are."""
    volume_id = server.world.volume("data-grafana-0").volume_id
    tags = aws["ec2"].describe_volumes(VolumeIds=[volume_id])["Volumes"][0]["Tags"]
    assert {(part["Key"], part["Value"]) for part in tags} >= set(AWKWARD_TAGS)


def test_tags_of_the_csi_driver(server: DemoServer, aws: dict[str, Any]) -> None:
    """A claim's volume names the claim, its namespace and its volume (aws-facts 6.4)."""
    chosen = [{"Name": "tag:kubernetes.io/created-for/pvc/name", "Values": ["data-postgres-0"]}]
    (volume,) = aws["ec2"].describe_volumes(Filters=chosen)["Volumes"]
    tags = {part["Key"]: part["Value"] for part in volume["Tags"]}
    assert tags["CSIVolumeName"].startswith("pvc-")
    assert tags["kubernetes.io/created-for/pv/name"] == tags["CSIVolumeName"]
    assert tags["kubernetes.io/created-for/pvc/namespace"] == "databases"
    assert tags["ebs.csi.aws.com/cluster"] == "true"


@pytest.mark.parametrize(
    ("name", "values", "number"),
    [
        ("status", ["available"], 1),
        ("attachment.status", ["attaching", "detaching", "busy"], 0),
        ("attachment.status", ["attached"], 38),
        ("volume-type", ["io?", "st1"], 3),
        ("tag-key", ["rpo"], 5),
        ("volume-id", ["vol-none"], 0),
    ],
)
def test_volume_filters(aws: dict[str, Any], name: str, values: list[str], number: int) -> None:
    """Filters choose by any of their values, with wildcards."""
    found = aws["ec2"].describe_volumes(Filters=[{"Name": name, "Values": values}])["Volumes"]
    assert len(found) == number


def test_volume_status(server: DemoServer, aws: dict[str, Any]) -> None:
    """All are ok; the I/O performance check is there for gp3, io1 and io2 only; a stalled one is impaired."""
    kinds = {item.volume_id: item.type for item in server.world.volumes()}
    answered = aws["ec2"].describe_volume_status()["VolumeStatuses"]
    assert {item["VolumeId"] for item in answered} == set(kinds)
    for item in answered:
        names = {part["Name"] for part in item["VolumeStatus"]["Details"]}
        assert item["VolumeStatus"]["Status"] == "ok"
        assert ("io-performance" in names) is (kinds[item["VolumeId"]] in {"gp3", "io1", "io2"})
    chosen = [{"Name": "volume-status.status", "Values": ["impaired", "warning"]}]
    assert aws["ec2"].describe_volume_status(Filters=chosen)["VolumeStatuses"] == []
    server.world.scenario("volume-stalled", NOW - 60)
    try:
        (item,) = aws["ec2"].describe_volume_status(Filters=chosen)["VolumeStatuses"]
    finally:
        server.world.scenario("quiet")
    assert item["VolumeId"] == server.world.volume("data-postgres-0").volume_id
    assert item["Events"][0]["EventType"] == "io-performance:stalled"


def test_modifications(aws: dict[str, Any]) -> None:
    """One is optimizing at 42 %, one is completed and has an end."""
    found = {
        item["ModificationState"]: item for item in aws["ec2"].describe_volumes_modifications()["VolumesModifications"]
    }
    assert set(found) == {"optimizing", "completed"}
    assert found["optimizing"]["Progress"] == 42
    assert "EndTime" not in found["optimizing"]
    assert found["optimizing"]["StartTime"].timestamp() <= NOW
    assert found["completed"]["EndTime"] > found["completed"]["StartTime"]


def test_snapshots_of_others_are_listed_unless_self_is_asked(server: DemoServer, aws: dict[str, Any]) -> None:
    """OwnerIds=self keeps to the own ones; several per volume, the newest of one still pending."""
    own = aws["ec2"].describe_snapshots(OwnerIds=["self"])["Snapshots"]
    everything = aws["ec2"].describe_snapshots()["Snapshots"]
    assert {item["OwnerId"] for item in own} == {server.world.account_id}
    assert len(everything) > len(own)
    pending = [item for item in own if item["State"] == "pending"]
    assert [item["VolumeId"] for item in pending] == [server.world.volume("data-loki-ingester-0").volume_id]
    assert "CompletionTime" not in pending[0]
    postgres = server.world.volume("data-postgres-0").volume_id
    assert sum(item["VolumeId"] == postgres for item in own) > 3


def test_instances_and_their_types(server: DemoServer, aws: dict[str, Any]) -> None:
    """Types carry hypervisor, bare metal and the EBS limits; bare metal has no hypervisor."""
    reservations = aws["ec2"].describe_instances(MaxResults=1000)["Reservations"]
    answered = {part["InstanceId"]: part for item in reservations for part in item["Instances"]}
    assert {key: item["InstanceType"] for key, item in answered.items()} == {
        item.instance_id: item.type.name for item in server.world.instances()
    }
    names = sorted({item["InstanceType"] for item in answered.values()})
    types = {
        item["InstanceType"]: item for item in aws["ec2"].describe_instance_types(InstanceTypes=names)["InstanceTypes"]
    }
    assert set(types) == set(names)
    assert types["m4.large"]["Hypervisor"] == "xen"
    assert types["m6i.xlarge"]["Hypervisor"] == "nitro"
    assert types["c5.metal"]["BareMetal"]
    assert "Hypervisor" not in types["c5.metal"]
    limits = types["m6i.xlarge"]["EbsInfo"]["EbsOptimizedInfo"]
    assert limits["BaselineIops"] < limits["MaximumIops"]
    assert limits["BaselineThroughputInMBps"] == 312.5


PAGED = [
    ("describe_volumes", "Volumes"),
    ("describe_volume_status", "VolumeStatuses"),
    ("describe_snapshots", "Snapshots"),
    ("describe_instances", "Reservations"),
    ("describe_instance_types", "InstanceTypes"),
]


@pytest.mark.parametrize(("operation", "result"), PAGED)
def test_pages_hold_everything_once(server: DemoServer, aws: dict[str, Any], operation: str, result: str) -> None:
    """Read page by page, each item comes once, and the answer is that of one page."""
    whole = getattr(aws["ec2"], operation)()[result]
    server.clear_calls()
    paged = aws["ec2"].get_paginator(operation).paginate(PaginationConfig={"PageSize": 5})
    assert [item for page in paged for item in page[result]] == whole
    assert len(server.calls) == -(-len(whole) // 5)


def test_ec2_refuses_what_ec2_refuses(server: DemoServer, aws: dict[str, Any]) -> None:
    """Unknown ids, filters and tokens, pages that are too small, and ids together with a page."""
    ec2 = aws["ec2"]
    unknown = [{"Name": "colour", "Values": ["red"]}]
    assert refused(lambda: ec2.describe_volumes(VolumeIds=["vol-1"])) == ("InvalidVolume.NotFound", 400)
    assert refused(lambda: ec2.describe_volumes(Filters=unknown)) == ("InvalidParameterValue", 400)
    assert refused(lambda: ec2.describe_volumes(NextToken="x")) == ("InvalidNextToken", 400)
    assert refused(lambda: ec2.describe_volumes(MaxResults=4)) == ("InvalidParameterValue", 400)
    both = {"InstanceIds": [server.world.instance("node-a1").instance_id], "MaxResults": 5}
    assert refused(lambda: ec2.describe_instances(**both)) == ("InvalidParameterCombination", 400)
    assert refused(lambda: ec2.describe_instances(InstanceIds=["i-1"])) == ("InvalidInstanceID.NotFound", 400)
    assert refused(lambda: ec2.describe_instance_types(InstanceTypes=["m9z.huge"])) == ("InvalidInstanceType", 400)
    assert refused(ec2.describe_vpcs) == ("InvalidAction", 400)


# --- EFS -------------------------------------------------------------------------------------------------------------


def test_file_systems_arrive_as_the_world_has_them(server: DemoServer, aws: dict[str, Any]) -> None:
    """Modes, sizes by class with their time, encryption, tags."""
    answered = {item["Name"]: item for item in aws["efs"].describe_file_systems()["FileSystems"]}
    assert set(answered) == {"eks_production", "media", "scratch"}
    for name, item in answered.items():
        system = server.world.file_system(name)
        sizes, said = system.sizes(NOW), item["SizeInBytes"]
        assert (said["Value"], said["ValueInStandard"]) == (sizes["Total"], sizes["Standard"])
        assert (said["ValueInIA"], said["ValueInArchive"]) == (sizes.get("IA", 0), sizes.get("Archive", 0))
        assert said["Value"] == said["ValueInStandard"] + said["ValueInIA"] + said["ValueInArchive"]
        assert 0 <= NOW - said["Timestamp"].timestamp() < 3600
        assert item["ThroughputMode"] == system.throughput_mode
        assert item["NumberOfMountTargets"] == len(system.mount_targets)
    production, scratch = answered["eks_production"], answered["scratch"]
    assert production["Encrypted"]
    assert ":key/" in production["KmsKeyId"]
    assert "AvailabilityZoneName" not in production
    assert (scratch["ProvisionedThroughputInMibps"], scratch["PerformanceMode"]) == (64.0, "maxIO")
    assert scratch["AvailabilityZoneName"] == "ap-southeast-3a"


def test_parts_of_a_file_system(server: DemoServer, aws: dict[str, Any]) -> None:
    """Three mount targets in three zones, an access point per claim, lifecycle, backup, replication, tags."""
    efs, system = aws["efs"], server.world.file_system("eks_production")
    chosen = {"FileSystemId": system.file_system_id}
    targets = efs.describe_mount_targets(**chosen)["MountTargets"]
    assert {item["AvailabilityZoneName"][-1] for item in targets} == {"a", "b", "c"}
    assert {item["LifeCycleState"] for item in targets} == {"available"}
    access = efs.describe_access_points(**chosen)["AccessPoints"]
    assert len(access) == 8
    for item in access:
        assert item["ClientToken"].startswith("pvc-")
        assert item["RootDirectory"]["Path"] == f"/{item['ClientToken']}"
        assert item["Tags"] == [{"Key": "efs.csi.aws.com/cluster", "Value": "true"}]
    assert efs.describe_lifecycle_configuration(**chosen)["LifecyclePolicies"] == [{"TransitionToIA": "AFTER_30_DAYS"}]
    assert efs.describe_backup_policy(**chosen)["BackupPolicy"] == {"Status": "ENABLED"}
    (replication,) = efs.describe_replication_configurations()["Replications"]
    destination = replication["Destinations"][0]
    assert (destination["Region"], destination["Status"]) == ("ap-southeast-1", "ENABLED")
    assert 0 <= NOW - destination["LastReplicatedTimestamp"].timestamp() < 900
    tags = efs.list_tags_for_resource(ResourceId=system.file_system_id)["Tags"]
    assert {(part["Key"], part["Value"]) for part in tags} == set(system.tags)


def test_efs_says_what_there_is_not(server: DemoServer, aws: dict[str, Any]) -> None:
    """No policy, no replication and no file system are errors of their own."""
    efs, media = aws["efs"], {"FileSystemId": server.world.file_system("media").file_system_id}
    none = {"FileSystemId": "fs-0123456789abcdef0"}
    assert refused(lambda: efs.describe_backup_policy(**media)) == ("PolicyNotFound", 404)
    assert refused(lambda: efs.describe_replication_configurations(**media)) == ("ReplicationNotFound", 404)
    assert refused(lambda: efs.describe_file_system_policy(**media)) == ("PolicyNotFound", 404)
    assert refused(lambda: efs.describe_mount_targets(**none)) == ("FileSystemNotFound", 404)
    assert refused(efs.describe_mount_targets) == ("BadRequest", 400)
    assert refused(lambda: efs.describe_access_points(AccessPointId="fsap-0123456789abcdef0")) == (
        "AccessPointNotFound",
        404,
    )
    assert (
        efs.describe_lifecycle_configuration(FileSystemId=server.world.file_system("scratch").file_system_id)[
            "LifecyclePolicies"
        ]
        == []
    )


def test_efs_pages(aws: dict[str, Any]) -> None:
    """Markers and tokens lead through everything once."""
    for operation, result in (("describe_file_systems", "FileSystems"), ("describe_access_points", "AccessPoints")):
        whole = getattr(aws["efs"], operation)()[result]
        paged = list(aws["efs"].get_paginator(operation).paginate(PaginationConfig={"PageSize": 2}))
        assert [item for page in paged for item in page[result]] == whole
        assert len(paged) == -(-len(whole) // 2) > 1


# --- accounts --------------------------------------------------------------------------------------------------------


def test_an_assumed_role_is_somebody_else(server: DemoServer, aws: dict[str, Any]) -> None:
    """The session's keys work, name the role, and its account is empty unless a world was added."""
    arn = "arn:aws:iam::210987654321:role/reader"
    server.world.roles[arn] = "sesame"
    sts = aws["sts"]
    assert refused(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="tests"))[0] == "AccessDenied"
    assert refused(lambda: sts.assume_role(RoleArn=arn[:-1], RoleSessionName="tests"))[0] == "AccessDenied"
    given = sts.assume_role(RoleArn=arn, RoleSessionName="tests", ExternalId="sesame")["Credentials"]
    session = {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }
    with clients(server, "sts", "ec2", **session) as (as_role, ec2):
        assert as_role.get_caller_identity()["Arn"] == "arn:aws:sts::210987654321:assumed-role/reader/tests"
        assert ec2.describe_volumes()["Volumes"] == []
        server.add_world(World(2, server.world.now, account_id="210987654321"))
        assert ec2.describe_volumes()["Volumes"]


def test_another_region_is_empty(server: DemoServer) -> None:
    """What is in one region is not seen from another."""
    with clients(server, "ec2", "efs", "cloudwatch", region_name="us-east-1") as (ec2, efs, cloudwatch):
        assert ec2.describe_volumes()["Volumes"] == []
        assert efs.describe_file_systems()["FileSystems"] == []
        assert cloudwatch.list_metrics()["Metrics"] == []


async def test_the_server_is_also_an_async_context_manager() -> None:
    """On a loop of one's own: it listens on a free port and says where."""
    async with DemoServer() as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert server.environment()["AWS_ENDPOINT_URL"] == server.url


def test_fast_snapshot_restores_and_their_credits(server: DemoServer, aws: dict[str, Any]) -> None:
    """An enabled snapshot is listed with its zone, and its credits are published under both."""
    enabled = [{"Name": "state", "Values": ["enabled"]}]
    (found,) = aws["ec2"].describe_fast_snapshot_restores(Filters=enabled)["FastSnapshotRestores"]
    given = {"SnapshotId": found["SnapshotId"], "AvailabilityZone": found["AvailabilityZone"]}
    queries = [
        query("size", "AWS/EBS", "FastSnapshotRestoreCreditsBucketSize", given, "Average"),
        query("left", "AWS/EBS", "FastSnapshotRestoreCreditsBalance", given, "Average"),
    ]
    answer = aws["cloudwatch"].get_metric_data(MetricDataQueries=queries, StartTime=NOW - 600, EndTime=NOW)
    size, left = ({*item["Values"]} for item in answer["MetricDataResults"])
    assert (size, left) == ({10.0}, {8.0})
    disabled = [{"Name": "state", "Values": ["disabling", "disabled"]}]
    assert aws["ec2"].describe_fast_snapshot_restores(Filters=disabled)["FastSnapshotRestores"] == []


def test_regions_and_zones(server: DemoServer, aws: dict[str, Any]) -> None:
    """The region is opted in and has the zones of the estate."""
    regions = aws["ec2"].describe_regions(RegionNames=[server.world.region])["Regions"]
    assert [item["OptInStatus"] for item in regions] == ["opted-in"]
    zones = {item["ZoneName"]: item["ZoneId"] for item in aws["ec2"].describe_availability_zones()["AvailabilityZones"]}
    assert zones == {item.zone: item.zone_id for item in server.world.instances()}


def test_file_systems_changed_by_hand_are_seen() -> None:
    """A test can add file systems and access points and change them while the server runs."""
    world = World(1, WorldClock(NOW))
    with run_in_thread(world) as server, clients(server, "efs") as (efs,):
        media = world.file_system("media")
        world.add_file_system(replace(media, file_system_id="fs-0feed", name="copy", mount_targets=()))
        world.update_file_system("scratch", state="error")
        world.add_access_point("scratch", replace(media.access_points[0], access_point_id="fsap-0feed"))
        states = {item["FileSystemId"]: item["LifeCycleState"] for item in efs.describe_file_systems()["FileSystems"]}
        scratch = world.file_system("scratch").file_system_id
        assert (states["fs-0feed"], states[scratch]) == ("available", "error")
        assert efs.describe_mount_targets(FileSystemId="fs-0feed")["MountTargets"] == []
        (point,) = efs.describe_access_points(FileSystemId=scratch)["AccessPoints"]
        assert point["AccessPointId"] == "fsap-0feed"
        target = world.file_system("scratch").mount_targets[0].mount_target_id
        assert efs.describe_mount_targets(MountTargetId=target)["MountTargets"][0]["FileSystemId"] == scratch
        tags = efs.list_tags_for_resource(ResourceId="fsap-0feed")["Tags"]
        assert tags == [{"Key": "Name", "Value": "media"}]
