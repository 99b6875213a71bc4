"""
The counters of the EBS CSI driver's node pods (aws-facts 6.5), read from the volume's own NVMe log page: free, second by
second, and therefore the first source wherever somebody scrapes them. They have ``instance_id`` and ``volume_id``, both
unique in all of AWS, and whatever the scrape adds; account, region and cluster come from the inventory.

A first recording that has both sources is ``first_of(NVMe form, CloudWatch form)``.
"""

from __future__ import annotations

from rules.build.identity import INSTANCE, VOLUME, listed

_VOLUMES = f"group by ({listed(VOLUME)}) (aws_ebs_volume_info)"
_INSTANCES = f"group by ({listed(INSTANCE)}) (aws_ebs_instance_info)"


def rate(counter: str) -> str:
    """A counter of one attachment, a second; several scrapes of one driver pod are one."""
    return f"max by (volume_id, instance_id) (rate({counter}[5m]))"


def of_volume(expr: str) -> str:
    """*expr*, which has one series a ``volume_id``, with the identity of the volume."""
    return f"({_VOLUMES} * on (volume_id) group_left () ({expr}))"


def of_instance(expr: str) -> str:
    """*expr*, which has one series an ``instance_id``, with the identity of the instance."""
    return f"({_INSTANCES} * on (instance_id) group_left () ({expr}))"


def worst(counter: str, window: str = "5m") -> str:
    """The counter's rate of a volume, at the worst of its attachments."""
    return of_volume(f"max by (volume_id) (rate({counter}[{window}]))")


def total(*counters: str) -> str:
    """The rate of several counters of a volume together, over all of its attachments."""
    rates = " or ".join(f'label_replace({rate(each)}, "counter", "{each}", "", "")' for each in counters)
    return of_volume(f"sum by (volume_id) ({rates})")


def mean(seconds: str, operations: str) -> str:
    """Seconds that one operation of a volume took, over all of its attachments; nothing where there was none."""
    return of_volume(f"sum by (volume_id) ({rate(seconds)}) / (sum by (volume_id) ({rate(operations)}) > 0)")


def first_of(nvme: str, cloudwatch: str) -> str:
    """What the driver says, and CloudWatch's where the driver says nothing; both have the identity's labels and no other."""
    return f"{nvme}\nor\n({cloudwatch})"
