"""What the cases about zones are made of: volumes, instances, mount targets, cache nodes, each with its place."""

from __future__ import annotations

from dataclasses import replace

from rules.build.cases.claims_world import CLAIM, CLUSTER, SCOPE, pod, volume_claim, volume_info
from rules.build.cases.shapes import S, Values, step

LOST = step(3, 0, 1)


def claim_of(number: int) -> dict[str, str]:
    """One of the claims."""
    return {**CLAIM, "persistentvolumeclaim": f"data-postgres-{number}"}


def volume(number: int, zone: str = "a") -> tuple[S, ...]:
    """A volume, and whose it is."""
    volume_id = f"vol-{zone}{number}"
    return volume_info(volume_id, zone), volume_claim(volume_id, claim_of(number))


def attached(number: int, instance: int, zone: str = "a", state: str = "attached", values: Values | float = 1) -> S:
    """To which instance a volume is attached."""
    labels = {**SCOPE, "volume_id": f"vol-{zone}{number}", "instance_id": f"i-{zone}{instance}", "state": state}
    return S("aws_ebs_volume_attachment_info", labels, bad=values)


def impaired(number: int, bad: Values | float = LOST, good: Values | float | None = None, zone: str = "a") -> S:
    """Whether AWS calls a volume impaired."""
    labels = {**SCOPE, "volume_id": f"vol-{zone}{number}", "status": "impaired"}
    return S("aws_ebs_volume_status", labels, bad=bad, good=good)


def stalled(number: int, bad: Values | float) -> S:
    """Whether a volume's I/O stalls."""
    return S("aws_ebs_volume_stalled_io", {**SCOPE, "volume_id": f"vol-a{number}"}, bad=bad)


def instance(number: int, zone: str = "a", state: str = "running") -> S:
    """An instance, and its zone."""
    place = {"instance_id": f"i-{zone}{number}", "availability_zone": f"ap-southeast-3{zone}"}
    return S("aws_ebs_instance_info", {**SCOPE, **place, "state": state, "instance_type": "m7i.xlarge"})


def unreachable(number: int, bad: Values | float) -> S:
    """Whether an instance does not reach a volume of its."""
    labels = {**SCOPE, "instance_id": f"i-a{number}"}
    return S("aws_ebs_instance_attached_ebs_check_failed", labels, bad=bad)


def target(bad: Values | float, zone: str = "a", system: str = "fs-1") -> S:
    """Whether the mount target of a zone is available."""
    place = {"file_system_id": system, "availability_zone": f"ap-southeast-3{zone}"}
    return S("aws_efs_mount_target_available", {**SCOPE, **place}, bad=bad)


def target_info(state: str) -> S:
    """The state of the mount target of zone a."""
    place = {"file_system_id": "fs-1", "availability_zone": "ap-southeast-3a", "state": state}
    return S("aws_efs_mount_target_info", {**SCOPE, **place})


_CACHE = {**SCOPE, "replication_group_id": "sessions", "cache_node_id": "0001"}


def cache(number: int, status: str = "available", zone: str = "a") -> S:
    """A cache node, and its zone."""
    more = {"node_status": status, "availability_zone": f"ap-southeast-3{zone}"}
    return S("aws_elasticache_node_info", {**_CACHE, "cache_cluster_id": f"sessions-00{number}", **more})


def cache_available(number: int, bad: Values | float) -> S:
    """Whether AWS calls a cache node available."""
    return S("aws_elasticache_node_available", {**_CACHE, "cache_cluster_id": f"sessions-00{number}"}, bad=bad)


def cache_told(number: int, bad: Values) -> S:
    """When CloudWatch told of a cache node last."""
    name = "aws_elasticache_node_newest_datapoint_timestamp_seconds"
    return S(name, {**_CACHE, "cache_cluster_id": f"sessions-00{number}"}, bad=bad)


def node(
    number: int,
    zone: str = "a",
    values: Values | float = 1,
    good: Values | float | None = None,
    driver: str = "ebs.csi.aws.com",
) -> S:
    """A node that has the driver, and its instance."""
    labels = {"node": f"node-{zone}{number}", "csi_driver": driver, "instance_id": f"i-{zone}{number}"}
    return S("kubernetes_csinode_driver_info", {**CLUSTER, **labels}, bad=values, good=good)


def now(minute: int) -> float:
    """The time at a minute."""
    return 60.0 * minute


_PLACES = ({"cluster": "elsewhere"}, {"account_id": "999999999999"}, {"region": "eu-west-1"})


def elsewhere(*series: S) -> list[S]:
    """The same in another cluster, account and region."""
    return [
        replace(each, labels={**each.labels, **{key: value for key, value in there.items() if key in each.labels}})
        for there in _PLACES
        for each in series
    ]


def zones_of_others(phase: str) -> list[S]:
    """Zones of that name elsewhere: each with a claim, its volume, a pod in that phase, and a node for it."""
    found: list[S] = []
    for number, there in enumerate(_PLACES, 5):
        theirs = [*volume(number), instance(number), node(number)]
        theirs.append(pod(persistentvolumeclaim=f"data-postgres-{number}", phase=phase, node=""))
        for each in theirs:
            own = {key: value for key, value in there.items() if key in each.labels}
            found.append(replace(each, labels={**each.labels, **own}))
    return found
