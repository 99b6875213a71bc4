"""Zones that are lost: one page for all of it."""

from __future__ import annotations

from rules.build.cases.claims_drivers import ready
from rules.build.cases.claims_places import (
    attached,
    cache,
    cache_available,
    cache_told,
    elsewhere,
    impaired,
    instance,
    node,
    now,
    stalled,
    target,
    target_info,
    unreachable,
    volume,
)
from rules.build.cases.claims_world import ZONE_A, during, volume_info
from rules.build.cases.shapes import Case, Reading, Values, Variant, flat, step

_DASHBOARD = "/d/storage-exporter-overview?var-cluster=production&var-region=ap-southeast-3"

_THREE = (*volume(1), *volume(2), *volume(3), attached(1, 1), attached(2, 1), attached(3, 2))


def _untold_at(gap: int) -> Values:
    return lambda minute: float("inf") if minute == gap else 1


_QUIET = [impaired(number, 0) for number in (1, 2, 3)]
_STATUS, _ATTACHED = "aws_ebs_volume_status", "aws_ebs_volume_attachment_info"

CASES = [
    Case(
        alert="StorageZoneLost",
        severity="critical",
        component="claims",
        series=[*_THREE, impaired(1), impaired(2), impaired(3, good=0)],
        fires_at=4,
        waits=1,
        keeps=15,
        labels=ZONE_A,
        summary="Zone ap-southeast-3a: its storage is failing",
        description="In trouble there: 3 EBS volumes. This page stands for all others of the zone. Look at "
        "https://health.aws.amazon.com and keep pods away: kubectl cordon -l topology.kubernetes.io/zone=ap-southeast-3a. Then "
        "see that every database has a primary in another zone; its volumes cannot leave this one.",
        dashboard=_DASHBOARD,
        variants={
            "all of them on one instance: a node, not a zone": Variant(
                fires=False, series=[attached(1, 1), attached(2, 1), attached(3, 1)]
            ),
            "the third one in another zone": Variant(
                fires=False,
                series=[
                    *volume(1),
                    *volume(2),
                    *volume(3, "b"),
                    attached(1, 1),
                    attached(2, 2),
                    attached(3, 2, "b"),
                    impaired(1),
                    impaired(2),
                    impaired(3, zone="b"),
                ],
            ),
            "they have stalled for three minutes": Variant(
                fires=True, series=[*_QUIET, *(stalled(number, step(20, 0, 1)) for number in (1, 2, 3))], at=23
            ),
            "they have stalled for two minutes": Variant(
                fires=False, series=[*_QUIET, *(stalled(number, step(21, 0, 1)) for number in (1, 2, 3))], at=23
            ),
            "their instances cannot reach them": Variant(
                fires=True,
                series=[
                    *_QUIET,
                    instance(1),
                    instance(2),
                    *(unreachable(number, step(20, 0, 1)) for number in (1, 2)),
                ],
                at=23,
            ),
            "their instances could not for two minutes": Variant(
                fires=False,
                series=[
                    *_QUIET,
                    instance(1),
                    instance(2),
                    *(unreachable(number, step(21, 0, 1)) for number in (1, 2)),
                ],
                at=23,
            ),
            "their nodes are not ready": Variant(
                fires=True,
                series=[
                    *_QUIET,
                    instance(1),
                    instance(2),
                    node(1),
                    node(2),
                    ready(step(2, 1, 0), "node-a1"),
                    ready(step(2, 1, 0), "node-a2"),
                ],
                at=6,
            ),
            "their nodes have not been ready for two minutes": Variant(
                fires=False,
                series=[
                    *_QUIET,
                    instance(1),
                    instance(2),
                    node(1),
                    node(2),
                    ready(step(3, 1, 0), "node-a1"),
                    ready(step(3, 1, 0), "node-a2"),
                ],
                at=6,
            ),
            "drained nodes that are not ready hold only their own disks": Variant(
                fires=False,
                series=[
                    *_QUIET,
                    volume_info("vol-a1"),
                    volume_info("vol-a2"),
                    volume_info("vol-a3"),
                    instance(1),
                    instance(2),
                    node(1),
                    node(2),
                    ready(step(2, 1, 0), "node-a1"),
                    ready(step(2, 1, 0), "node-a2"),
                ],
                drop=["aws_ebs_volume_persistentvolumeclaim_info"],
                at=8,
            ),
            "they do not come off two instances for five minutes": Variant(
                fires=True,
                series=[
                    *_QUIET,
                    *(attached(number, number, state="detaching", values=step(2, None, 1)) for number in (1, 2, 3)),
                ],
                at=8,
            ),
            "they do not come off two instances for four minutes": Variant(
                fires=False,
                series=[
                    *_QUIET,
                    *(attached(number, number, state="detaching", values=step(3, None, 1)) for number in (1, 2, 3)),
                ],
                at=8,
            ),
            "one node is lost and its volumes do not get to three others": Variant(
                fires=False,
                series=[
                    *_QUIET,
                    *(attached(number, 1, state="detaching", values=step(2, None, 1)) for number in (1, 2, 3)),
                    *(
                        attached(number, 5 + number, state="attaching", values=step(2, None, 1))
                        for number in (1, 2, 3)
                    ),
                ],
                at=10,
            ),
            "one volume and a mount target": Variant(fires=True, series=[impaired(1), target(step(3, 1, 0))]),
            "one volume and a mount target that is made": Variant(
                fires=False, series=[impaired(1), target(step(3, 1, 0)), target_info("creating")]
            ),
            "one volume, and a mount target of another zone": Variant(
                fires=False, series=[impaired(1), target(step(3, 1, 0), "b"), target(1)]
            ),
            "mount targets alone": Variant(fires=False, series=[*_QUIET, target(0), target(0, system="fs-2")]),
            "a mount target and a cache node": Variant(
                fires=True, series=[*_QUIET, target(step(3, 1, 0)), cache(1), cache_available(1, step(3, 1, 0))]
            ),
            "a mount target, and a cache node that is changed": Variant(
                fires=False,
                series=[*_QUIET, target(step(3, 1, 0)), cache(1, "modifying"), cache_available(1, step(3, 1, 0))],
            ),
            "a mount target and a silent cache node": Variant(
                fires=True,
                series=[
                    *_QUIET,
                    target(0),
                    cache(1),
                    cache_available(1, 1),
                    cache(2, zone="b"),
                    cache_told(1, lambda minute: now(min(minute, 3))),
                    cache_told(2, now),
                ],
                at=10,
            ),
            "a mount target, and CloudWatch is newer elsewhere": Variant(
                fires=False,
                series=[
                    *_QUIET,
                    target(0),
                    cache(1),
                    cache_available(1, 1),
                    cache_told(1, lambda minute: now(min(minute, 3))),
                    *elsewhere(cache_told(2, now)),
                ],
                at=10,
            ),
            "a mount target while all of CloudWatch is late": Variant(
                fires=False,
                series=[
                    *_QUIET,
                    target(0),
                    cache(1),
                    cache_available(1, 1),
                    cache(2, zone="b"),
                    cache_told(1, lambda minute: now(min(minute, 3))),
                    cache_told(2, lambda minute: now(min(minute, 3))),
                ],
                at=10,
            ),
            "volumes of those names elsewhere are in trouble": Variant(
                fires=False,
                series=[*_THREE, *_QUIET, *elsewhere(*(impaired(number, 1) for number in (1, 2, 3)))],
                at=8,
            ),
            "volumes of those names elsewhere have stalled": Variant(
                fires=False,
                series=[
                    *_THREE,
                    *_QUIET,
                    *elsewhere(*(volume_info(f"vol-a{number}") for number in (1, 2, 3))),
                    *elsewhere(*(stalled(number, 1) for number in (1, 2, 3))),
                ],
                at=18,
            ),
            "instances of those names elsewhere do not reach their volumes": Variant(
                fires=False,
                series=[
                    *_QUIET,
                    instance(1),
                    instance(2),
                    *elsewhere(instance(1), instance(2)),
                    *elsewhere(unreachable(1, 1), unreachable(2, 1)),
                ],
                at=18,
            ),
            "other volumes are in trouble, on one instance": Variant(
                fires=False,
                series=[
                    *_THREE,
                    *volume(7),
                    *volume(8),
                    *volume(9),
                    *(attached(number, 1) for number in (1, 2, 3)),
                    *(attached(number, 2) for number in (7, 8, 9)),
                    *_QUIET,
                    *(impaired(number) for number in (7, 8, 9)),
                ],
                at=8,
            ),
            "for a moment": Variant(fires=False, series=[impaired(1), impaired(2), impaired(3, during(3, 4))]),
        },
    ),
]  # fmt: skip

READINGS = [
    *(
        Reading(
            name=f"what is in trouble in a zone is counted once, {name}",
            series=[*_THREE, attached(1, 9), impaired(1, 1), stalled(1, flat(1)), impaired(2, 1), impaired(3, 0)],
            expr=name,
            at=20,
            samples={
                f'{name}{{account_id="123456789012", availability_zone="ap-southeast-3a", cluster="production",'
                f' region="ap-southeast-3"}}': value
            },
        )
        for name, value in {
            "zone:storage_trouble_volumes:count": 2,
            "zone:storage_trouble_instances:count": 2,
            "zone:storage_trouble_kinds:count": 1,
            "zone:storage_claims:count": 3,
        }.items()
    ),
    Reading(
        name="volumes that are detaching for ten minutes, of which one was not told",
        series=[*volume(1), attached(1, 1, state="detaching", values=_untold_at(5)), *volume(2), attached(2, 1)],
        expr="volume:storage_trouble:info",
        at=10,
        samples={
            'volume:storage_trouble:info{account_id="123456789012", availability_zone="ap-southeast-3a", cluster="production",'
            ' instance_id="i-a1", region="ap-southeast-3", volume_id="vol-a1"}': 1
        },
    ),
]  # fmt: skip
