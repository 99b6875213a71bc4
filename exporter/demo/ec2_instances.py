"""EC2 instances, their types, and the regions and zones they are in, as EC2's dialect says them."""

from __future__ import annotations

from typing import Any

from exporter.demo.ec2_lists import Given, by_id, filtered, page, tag_set
from exporter.demo.nouns import Instance, InstanceType
from exporter.demo.tables import INSTANCE_TYPES, zone
from exporter.demo.wire import Tweaks, WireError, cut_page, iso, numbered
from exporter.demo.world import World


def instances(world: World, given: Given, tweaks: Tweaks) -> dict[str, Any]:
    """The answer to DescribeInstances, as a tree."""
    now = world.now()
    found = by_id(
        world.instances(),
        given,
        "InstanceId",
        lambda item: item.instance_id,
        "InvalidInstanceID.NotFound",
        "instance ID",
    )
    found = filtered(
        found,
        given,
        {
            "instance-id": lambda item: [item.instance_id],
            "instance-type": lambda item: [item.type.name],
            "instance-state-name": lambda item: [item.state(now) or ""],
            "availability-zone": lambda item: [item.zone],
            "private-ip-address": lambda item: [item.address],
        },
        lambda item: item.tags,
    )
    shown, token = page(found, given, tweaks, ids="InstanceId")
    return {
        "reservationSet": [
            {
                "reservationId": f"r-{item.instance_id[2:]}",
                "ownerId": world.account_id,
                "groupSet": [],
                "instancesSet": [_instance(world, item)],
            }
            for item in shown
        ],
        "nextToken": token,
    }


_STATE_CODES = {"running": 16, "shutting-down": 32, "terminated": 48}


def _instance(world: World, item: Instance) -> dict[str, Any]:
    now = world.now()
    state = item.state(now) or "terminated"
    host = f"ip-{item.address.replace('.', '-')}.{world.region}.compute.internal"
    return {
        "instanceId": item.instance_id,
        "imageId": "ami-0f1e2d3c4b5a69788",
        "instanceState": {"code": _STATE_CODES[state], "name": state},
        "privateDnsName": host,
        "instanceType": item.type.name,
        "launchTime": iso(item.launched),
        "placement": {"availabilityZone": item.zone, "availabilityZoneId": item.zone_id, "tenancy": "default"},
        "monitoring": {"state": "enabled" if item.detailed else "disabled"},
        "privateIpAddress": item.address,
        "architecture": "x86_64",
        "rootDeviceType": "ebs",
        "rootDeviceName": "/dev/xvda",
        "blockDeviceMapping": [
            {
                "deviceName": held.device,
                "ebs": {
                    "volumeId": volume.volume_id,
                    "status": held.state(now),
                    "attachTime": iso(held.since),
                    "deleteOnTermination": held.delete_on_termination,
                },
            }
            for volume in world.volumes()
            for held in volume.held(now)
            if held.instance_id == item.instance_id
        ],
        "virtualizationType": "hvm",
        "hypervisor": "xen",  # EC2 says xen here for Nitro instances too (API Reference, Instance)
        "ebsOptimized": True,
        "tagSet": tag_set(item.tags),
    }


def instance_types(_: World, given: Given, tweaks: Tweaks) -> dict[str, Any]:
    """The answer to DescribeInstanceTypes, as a tree."""
    wanted = numbered(given, "InstanceType")
    unknown = [name for name in wanted if name not in INSTANCE_TYPES]
    if unknown:
        raise WireError(
            "InvalidInstanceType", f"The following supplied instance types do not exist: [{', '.join(unknown)}]"
        )
    size = given.get("MaxResults")
    if size is not None and not (size.isdigit() and 5 <= int(size) <= 100):
        raise WireError("InvalidParameterValue", f"Value ({size}) for parameter MaxResults is invalid.")
    found = filtered(
        INSTANCE_TYPES.values(),
        given,
        {
            "instance-type": lambda item: [item.name],
            "hypervisor": lambda item: [item.hypervisor],
            "bare-metal": lambda item: [str(item.bare_metal).lower()],
        },
    )
    found = [item for item in found if not wanted or item.name in wanted]
    shown, token = cut_page(found, given.get("NextToken"), int(size) if size else 100, tweaks)
    return {"instanceTypeSet": [_instance_type(item) for item in shown], "nextToken": token}


def _instance_type(item: InstanceType) -> dict[str, Any]:
    return {
        "instanceType": item.name,
        "currentGeneration": item.nitro,
        "bareMetal": item.bare_metal,
        "hypervisor": item.hypervisor or None,
        "vCpuInfo": {"defaultVCpus": item.vcpus},
        "ebsInfo": {
            "ebsOptimizedSupport": "default",
            "encryptionSupport": "supported",
            "ebsOptimizedInfo": {
                "baselineBandwidthInMbps": item.baseline_bandwidth,
                "baselineThroughputInMBps": item.baseline_throughput,
                "baselineIops": item.baseline_iops,
                "maximumBandwidthInMbps": item.maximum_bandwidth,
                "maximumThroughputInMBps": item.maximum_throughput,
                "maximumIops": item.maximum_iops,
            },
            "nvmeSupport": "required" if item.nitro else "unsupported",
            "maximumEbsAttachments": item.attachments,
            "attachmentLimitType": item.attachment_limit_type,
        },
    }


def regions(world: World, given: Given, _: Tweaks) -> dict[str, Any]:
    """The answer to DescribeRegions, as a tree."""
    wanted = numbered(given, "RegionName")
    names = [name for name in (world.region, "ap-southeast-1", "us-east-1") if not wanted or name in wanted]
    return {
        "regionInfo": [
            {"regionName": name, "regionEndpoint": f"ec2.{name}.amazonaws.com", "optInStatus": "opted-in"}
            for name in names
        ]
    }


def zones(world: World, _given: Given, _: Tweaks) -> dict[str, Any]:
    """The answer to DescribeAvailabilityZones, as a tree."""
    named = [zone(letter) for letter in "abc"]
    return {
        "availabilityZoneInfo": [
            {"zoneName": name, "zoneId": identity, "zoneState": "available", "regionName": world.region}
            for name, identity in named
        ]
    }
