"""What the alerts about auto scaling and service updates must do."""

from __future__ import annotations

from rules.build.cases.elasticache_world import GROUP, PLACE, case
from rules.build.cases.shapes import Case, Reading, S, Variant, between, step

_TARGET = {**GROUP, "cache_cluster_id": "", "scalable_dimension": "NodeGroups"}
_REPLICAS = {**_TARGET, "scalable_dimension": "Replicas"}
_SUSPENDED = "aws_elasticache_scalable_target_suspended"
_MAXIMUM = "aws_elasticache_scalable_target_maximum_capacity"
_SHARDS = "aws_elasticache_replication_group_shards"
_MEMBERS = "aws_elasticache_replication_group_members"
_APPLY_BY = "aws_elasticache_update_action_apply_by_timestamp_seconds"
_OUT = {**_TARGET, "scaling": "dynamic_out"}
_UPDATE = {**GROUP, "cache_cluster_id": "", "service_update": "elasticache-1"}
_ACTION = S("aws_elasticache_update_action_info", {**_UPDATE, "severity": "important", "action_status": "not-applied"})
_LONE = {"replication_group_id": "", "cache_cluster_id": "flags"}
_REGISTER = (
    "aws application-autoscaling register-scalable-target --region ap-southeast-3 --service-namespace elasticache"
    " --resource-id replication-group/sessions --scalable-dimension elasticache:replication-group:NodeGroups"
)


CASES: list[Case] = [
    case(
        "AwsElastiCacheScalingSuspended",
        "warning",
        series=[
            S(_SUSPENDED, _OUT, step(20, 0, 1), between(20, 79, 1, 0)),
            S(_SUSPENDED, {**_TARGET, "scaling": "dynamic_in"}, 0, 0),
            S(_SUSPENDED, {**_REPLICAS, "scaling": "dynamic_out"}, 0, 0),
        ],
        fires_at=79,
        keeps=15,
        labels=_OUT,
        summary="Replication group sessions: auto scaling is suspended (dynamic_out)",
        description="Scaling of NodeGroups (dynamic_out) has been switched off for an hour, so the cache does not follow"
        f" its load. If nobody works on it, switch it on: {_REGISTER} --suspended-state"
        " DynamicScalingInSuspended=false,DynamicScalingOutSuspended=false,ScheduledScalingSuspended=false.",
        variants={
            "it is on again": Variant(fires=False, series=[S(_SUSPENDED, _OUT, between(10, 69, 1, 0))]),
            "it was off before": Variant(
                fires=False,
                series=[S(_SUSPENDED, _OUT, lambda minute: float(minute < 40 or minute >= 170))],
                at=210,
            ),
            "off, on, off": Variant(
                fires=True,
                series=[S(_SUSPENDED, _OUT, lambda minute: float(minute < 40 or minute >= 90))],
                at=110,
            ),
        },
    ),
    case(
        "AwsElastiCacheScalingAtMaximum",
        "info",
        series=[
            S(_MAXIMUM, _REPLICAS, 9),
            S(_MEMBERS, GROUP, 12),
            S(_MAXIMUM, _TARGET, 6),
            S(_SHARDS, GROUP, step(20, 5, 6), step(20, 4, 5)),
        ],
        fires_at=79,
        keeps=15,
        labels=_TARGET,
        summary="Replication group sessions: auto scaling is at its maximum of NodeGroups",
        description="It can grow no further by itself. Look at engine CPU and memory on the dashboard; if they are high,"
        f" raise the target's maximum: {_REGISTER} --max-capacity NUMBER.",
        variants={
            "replicas are at their maximum": Variant(
                fires=True,
                series=[S(_MAXIMUM, _REPLICAS, 2), S(_SHARDS, GROUP, 3), S(_MEMBERS, GROUP, step(20, 6, 9))],
                labels={"scalable_dimension": "Replicas"},
            ),
            "replicas can be more": Variant(
                fires=False,
                series=[S(_MAXIMUM, _REPLICAS, 3), S(_SHARDS, GROUP, 3), S(_MEMBERS, GROUP, 9)],
            ),
            "replicas have just come to their maximum too": Variant(
                fires=True,
                series=[
                    S(_MAXIMUM, _TARGET, 6),
                    S(_SHARDS, GROUP, step(20, 5, 6)),
                    S(_MAXIMUM, _REPLICAS, 2),
                    S(_MEMBERS, GROUP, step(78, 12, 18)),
                ],
            ),
            "it has shrunk again": Variant(fires=False, series=[S(_SHARDS, GROUP, between(10, 69, 6, 5))]),
            "it was there before": Variant(
                fires=False,
                series=[S(_SHARDS, GROUP, lambda minute: 6.0 if minute < 40 or minute >= 170 else 5.0)],
                at=210,
            ),
            "there, not there, there": Variant(
                fires=True,
                series=[S(_SHARDS, GROUP, lambda minute: 6.0 if minute < 40 or minute >= 90 else 5.0)],
                at=110,
            ),
        },
    ),
    case(
        "AwsElastiCacheUpdateOverdue",
        "info",
        series=[S(_APPLY_BY, _UPDATE, 15 * 60, 90 * 60), _ACTION],
        # Half an hour late is rounded to an hour.
        fires_at=45,
        keeps=60,
        labels=_UPDATE,
        summary="Replication group sessions: service update elasticache-1 is overdue",
        description="It should have been applied 1h 0m 0s ago; AWS may apply it in the next maintenance window by itself,"
        " with a failover. Choose the hour yourself: aws elasticache batch-apply-update-action --region ap-southeast-3"
        " --service-update-name elasticache-1 --replication-group-ids sessions.",
        variants={
            "it is done": Variant(fires=False, drop=[_ACTION.name]),
            "a cluster that stands alone": Variant(
                fires=True,
                series=[
                    S(_APPLY_BY, {**_UPDATE, **_LONE}, 15 * 60),
                    S(_ACTION.name, {**_UPDATE, **_LONE}),
                ],
                labels=_LONE,
            ),
            "another update is open": Variant(
                fires=False, series=[S(_ACTION.name, {**_UPDATE, "service_update": "elasticache-2"})]
            ),
            "the same of another account is open": Variant(
                fires=False, series=[S(_ACTION.name, {**_UPDATE, **PLACE, "account_id": "999999999999"})]
            ),
        },
    ),
]

READINGS: list[Reading] = []
