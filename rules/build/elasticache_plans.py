"""Rules about what somebody has set up or put off: auto scaling and service updates."""

from __future__ import annotations

from rules.build import words
from rules.build.elasticache_terms import ACCOUNTS
from rules.build.model import Alert, Group, Record, Threshold

SUSPENDED = "scalable_target:aws_elasticache_suspended:max"
AT_MAXIMUM = "scalable_target:aws_elasticache_at_maximum:max"

_TARGETS = f"{ACCOUNTS}, replication_group_id, cache_cluster_id, scalable_dimension"
_GROUPS = f"{ACCOUNTS}, replication_group_id"
_UPDATES = f"{ACCOUNTS}, replication_group_id, cache_cluster_id, service_update"
_MAXIMUM = f"max by ({_TARGETS}) (aws_elasticache_scalable_target_maximum_capacity"
_SHARDS = f"max by ({_GROUPS}) (aws_elasticache_replication_group_shards)"
_MEMBERS = f"max by ({_GROUPS}) (aws_elasticache_replication_group_members)"
_THING = (
    "{{ if $labels.replication_group_id }}Replication group {{ $labels.replication_group_id }}"
    "{{ else }}Cache cluster {{ $labels.cache_cluster_id }}{{ end }}"
)

PLANS_GROUP = Group(
    topic="plans",
    rules=[
        Record(
            name=SUSPENDED,
            expr=f"max by ({_TARGETS}, scaling) (aws_elasticache_scalable_target_suspended)",
        ),
        Record(
            name=AT_MAXIMUM,
            expr=f"""
                ({_MAXIMUM}{{scalable_dimension="NodeGroups"}}) <= bool on ({_GROUPS}) group_left () {_SHARDS})
                or
                ({_MAXIMUM}{{scalable_dimension="Replicas"}}) <= bool on ({_GROUPS}) group_left () ({_MEMBERS} / ({_SHARDS} > 0) - 1))
            """,
        ),
        Alert(
            name="AwsElastiCacheScalingSuspended",
            severity="warning",
            component="elasticache",
            expr=f"""
                {SUSPENDED} == 1
                and on ({_TARGETS}, scaling) (sum_over_time(last_over_time({SUSPENDED}[2m])[2h:1m]) >= $minutes)
            """,
            thresholds={"minutes": Threshold(60, "count", "minutes of the last 2 hours in which it was suspended")},
            keep="15m",
            summary=f"{_THING}: auto scaling is suspended ({{{{ $labels.scaling }}}})",
            description="""
                Scaling of {{ $labels.scalable_dimension }} ({{ $labels.scaling }}) has been switched off for an hour, so the
                cache does not follow its load. If nobody works on it, switch it on: aws application-autoscaling
                register-scalable-target --region {{ $labels.region }} --service-namespace elasticache
                --resource-id replication-group/{{ $labels.replication_group_id }} --scalable-dimension
                elasticache:replication-group:{{ $labels.scalable_dimension }} --suspended-state
                DynamicScalingInSuspended=false,DynamicScalingOutSuspended=false,ScheduledScalingSuspended=false.
            """,
            dashboard=words.CACHE_DASHBOARD,
            console=words.CACHE_GROUP_CONSOLE,
        ),
        Alert(
            name="AwsElastiCacheScalingAtMaximum",
            severity="info",
            component="elasticache",
            expr=f"{AT_MAXIMUM} == 1 and on ({_TARGETS}) (sum_over_time(last_over_time({AT_MAXIMUM}[2m])[2h:1m]) >= $minutes)",
            thresholds={
                "minutes": Threshold(60, "count", "minutes of the last 2 hours in which it was at its maximum")
            },
            keep="15m",
            summary=f"{_THING}: auto scaling is at its maximum of {{{{ $labels.scalable_dimension }}}}",
            description="""
                It can grow no further by itself. Look at engine CPU and memory on the dashboard; if they are high, raise
                the target's maximum: aws application-autoscaling register-scalable-target --region {{ $labels.region }}
                --service-namespace elasticache --resource-id replication-group/{{ $labels.replication_group_id }}
                --scalable-dimension elasticache:replication-group:{{ $labels.scalable_dimension }}
                --max-capacity NUMBER.
            """,
            dashboard=words.CACHE_DASHBOARD,
            console=words.CACHE_GROUP_CONSOLE,
        ),
        Alert(
            name="AwsElastiCacheUpdateOverdue",
            severity="info",
            component="elasticache",
            expr=f"""
                round(time() - max by ({_UPDATES}) (aws_elasticache_update_action_apply_by_timestamp_seconds), 3600) > $overdue
                and on ({_UPDATES}) aws_elasticache_update_action_info
            """,
            thresholds={"overdue": Threshold(0, "seconds", "time since the date until which AWS wants it applied")},
            keep="1h",
            summary=f"{_THING}: service update {{{{ $labels.service_update }}}} is overdue",
            description="""
                It should have been applied {{ $value | humanizeDuration }} ago; AWS may apply it in the next maintenance
                window by itself, with a failover. Choose the hour yourself: aws elasticache batch-apply-update-action
                --region {{ $labels.region }} --service-update-name {{ $labels.service_update }}
                {{ if $labels.replication_group_id }}--replication-group-ids {{ $labels.replication_group_id }}
                {{- else }}--cache-cluster-ids {{ $labels.cache_cluster_id }}{{ end }}.
            """,
            dashboard=words.CACHE_DASHBOARD,
            console=words.CACHE_GROUP_CONSOLE,
        ),
    ],
)
