"""`once` against moto's server, an AWS somebody else wrote: every value equals what was put there through boto3."""

from __future__ import annotations

import math
import time
from typing import Any

from exporter.services.registry import SERVICES
from tests.moto_aws import REGION, client, moto, once, put, values_of

__all__ = ["moto"]

LACKING = {"DescribeVolumeStatus"}
"""What moto 5 does not have; more of these may come and go with its releases."""


class Estate:
    """Two volumes (one attached), two file systems, and datapoints for them, all made through boto3."""

    def __init__(self, url: str) -> None:
        ec2, efs, self.cloudwatch = (client(url, service) for service in ("ec2", "efs", "cloudwatch"))
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        self.instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="m5.large")["Instances"][
            0
        ]["InstanceId"]
        tags = [{"ResourceType": "volume", "Tags": [{"Key": "team", "Value": 'pay"ments\\\n€'}]}]
        self.attached = ec2.create_volume(
            AvailabilityZone=f"{REGION}a", Size=50, VolumeType="gp3", Iops=4000, Throughput=250, TagSpecifications=tags
        )["VolumeId"]
        self.detached = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=8, VolumeType="gp2")["VolumeId"]
        ec2.attach_volume(VolumeId=self.attached, InstanceId=self.instance, Device="/dev/xvdf")
        self.snapshot = ec2.create_snapshot(VolumeId=self.attached)["SnapshotId"]
        self.bursting = efs.create_file_system(CreationToken="a", Encrypted=True, ThroughputMode="bursting")[
            "FileSystemId"
        ]
        self.provisioned = efs.create_file_system(
            CreationToken="b", ThroughputMode="provisioned", ProvisionedThroughputInMibps=64
        )["FileSystemId"]
        efs.create_access_point(FileSystemId=self.bursting, ClientToken="pvc-1", RootDirectory={"Path": "/pvc-1"})
        self.newest = int(time.time()) // 60 * 60 - 180  # the start of a period that is finished for the exporter too

    def put(self, namespace: str, metric: str, dimensions: dict[str, str], values: list[float], unit: str) -> None:
        """One datapoint a minute, the last at `newest`."""
        put(self.cloudwatch, (namespace, metric), dimensions, values, self.newest, unit=unit)


def test_once_against_moto(moto: str, tmp_path: Any) -> None:
    """Facts and datapoints come back as they were put; what moto lacks fails alone and is named."""
    estate = Estate(moto)
    volume, pair = {"VolumeId": estate.attached}, {"InstanceId": estate.instance, "VolumeId": estate.attached}
    burst, node = {"FileSystemId": estate.bursting}, {"InstanceId": estate.instance}
    estate.put("AWS/EBS", "VolumeReadBytes", volume, [6e6, 12e6, 0.0], "Bytes")
    estate.put("AWS/EBS", "VolumeWriteOps", volume, [600.0, 1234.0, 66.0], "Count")
    estate.put("AWS/EBS", "VolumeAvgReadLatency", pair, [1.5, 7.25, 0.0], "Milliseconds")
    estate.put("AWS/EBS", "VolumeStalledIOCheck", pair, [0.0, 1.0, 0.0, 0.0], "None")
    estate.put("AWS/EC2", "StatusCheckFailed_AttachedEBS", node, [0.0, 0.0, 1.0, 1.0], "Count")
    estate.put("AWS/EFS", "BurstCreditBalance", burst, [2.3e12, 2.2e12, 2.1e12], "Bytes")
    estate.put("AWS/EFS", "MeteredIOBytes", burst, [60e6, 120e6, 30e6], "Bytes")
    estate.put("AWS/EFS", "PercentIOLimit", burst, [57.0, 57.0], "Percent")
    estate.put("AWS/EFS", "ClientConnections", burst, [3.0, 5.0], "Count")

    code, answer, stderr = once(moto, tmp_path)

    values = values_of(answer)

    attached = {"volume_id": estate.attached, "region": REGION, "account_id": "123456789012"}
    expected: dict[str, tuple[dict[str, str], float]] = {
        "aws_ebs_volume_size_bytes": (attached, 50 * 2**30),
        "aws_ebs_volume_provisioned_iops": (attached, 4000),
        "aws_ebs_volume_provisioned_throughput_bytes_per_second": (attached, 250 * 2**20),
        "aws_ebs_volume_read_bytes_per_second": (attached, (6e6 + 12e6 + 0) / 3 / 60),
        "aws_ebs_volume_write_ops_per_second": (attached, (600 + 1234 + 66) / 3 / 60),
        "aws_ebs_volume_read_latency_seconds": (attached, 0.00725),
        "aws_ebs_volume_stalled_io": (attached, 0.25),
        "aws_ebs_instance_attached_ebs_check_failed": ({"instance_id": estate.instance}, 0.5),
        "aws_efs_file_system_burst_credit_balance_bytes": ({"file_system_id": estate.bursting}, 2.1e12),
        "aws_efs_file_system_metered_io_bytes_per_second": ({"file_system_id": estate.bursting}, 70e6 / 60),
        "aws_efs_file_system_io_limit_ratio": ({"file_system_id": estate.bursting}, 0.57),
        "aws_efs_file_system_client_connections": ({"file_system_id": estate.bursting}, 4.0),
        "aws_efs_file_system_provisioned_throughput_bytes_per_second": (
            {"file_system_id": estate.provisioned},
            64 * 2**20,
        ),
        "aws_efs_file_system_access_points": ({"file_system_id": estate.bursting}, 1),
    }
    for name, (labels, value) in expected.items():
        found = values(name, **labels)
        assert len(found) == 1, (name, labels, found)
        assert math.isclose(found[0], value, rel_tol=1e-12), (name, found, value)

    assert values("aws_ebs_volume_info", tag_team='pay"ments\\\n€', **attached) == [1]
    assert values("aws_ebs_volume_attachment_info", state="attached", instance_id=estate.instance, **attached) == [1]
    assert values("aws_ebs_volume_info", volume_id=estate.detached, state="available") == [1]
    assert values("aws_ebs_volume_newest_snapshot_start_timestamp_seconds", snapshot_id=estate.snapshot) != []
    # Nobody put these, so nobody shows them: no zero is made up, nothing is asked of a detached volume.
    assert values("aws_ebs_volume_write_bytes_per_second") == []
    assert values("aws_ebs_volume_read_bytes_per_second", volume_id=estate.detached) == []
    assert values("aws_efs_file_system_metered_io_bytes_per_second", file_system_id=estate.provisioned) == []
    assert values("aws_ebs_volume_status") == []

    failed = {each["operation"] for each in answer["failures"]}
    assert failed >= LACKING
    assert code == 1
    for operation in failed:
        assert f": {operation}: " in stderr


def test_once_without_what_moto_lacks_is_well(moto: str, tmp_path: Any) -> None:
    """EFS alone: exit code 0 where everything could be read, or each failure is an operation that moto has not."""
    off = ", ".join(f"{name}: {{enabled: false}}" for name in SERVICES if name != "efs")
    config = f"services: {{{off}}}\n"
    code, answer, stderr = once(moto, tmp_path, config=config)
    assert {each["operation"] for each in answer["failures"]} <= {
        *("DescribeReplicationConfigurations", "DescribeFileSystemPolicy"),
    }
    assert code == (1 if answer["failures"] else 0), stderr
    assert not [each for each in answer["samples"] if each["name"].startswith("aws_ebs_")]
