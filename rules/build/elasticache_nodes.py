"""
Rules about nodes, shards and roles: a silent node, one that AWS calls unavailable, a shard without nodes or without a
primary, a failover and the clients that did not follow it.

A node is silent when its newest datapoint is older than the exporter's limit while CloudWatch has fresh ones of other
caches of the same account and region: where all are old, CloudWatch or the exporter is, and StorageExporterDataStale
says so, once. A primary that is silent counts as none, though its last word (``is_primary`` 1) is held for minutes;
one that AWS calls unavailable does not yet, for a replica that took over is seen only when its first datapoint is.
"""

from __future__ import annotations

from rules.build import words
from rules.build.elasticache_terms import (
    ACCOUNTS,
    DESCRIBE,
    GROUP_INFO,
    GROUPS,
    IS_PRIMARY,
    NODE_IN,
    NODE_INFO,
    NODES,
    SHARDS,
    names_now,
    owned,
)
from rules.build.first import first
from rules.build.identity import GROUP
from rules.build.model import Alert, Group, Record, Threshold

NEWEST = "node:aws_elasticache_newest_datapoint:timestamp_seconds"
AGE = "node:aws_elasticache_datapoint_age:seconds"
OVERDUE = "node:aws_elasticache_datapoint_overdue:seconds"
UNAVAILABLE = "node:aws_elasticache_unavailable:max"
DEAD = "node:aws_elasticache_dead:info"
ALIVE = "shard:aws_elasticache_nodes_alive:count"
ZONE = "shard:aws_elasticache_zone:info"
PRIMARIES = "shard:aws_elasticache_primaries_alive:count"
PROMOTED = "node:aws_elasticache_promoted:info"
DEMOTED = "node:aws_elasticache_demoted:info"
ERRORS = "node:aws_elasticache_errors:per_second"

_LIMIT = f'max by ({ACCOUNTS}) (storage_exporter_data_age_limit_seconds{{aws_service="elasticache"}})'
_ANY = f'max by ({ACCOUNTS}) (storage_exporter_newest_datapoint_timestamp_seconds{{aws_service="elasticache"}})'
LIMIT = f"({_LIMIT} and on ({ACCOUNTS}) (time() - {_ANY} <= {_LIMIT}))"
"""The exporter's limit, where CloudWatch's newest datapoint of any cache of the account and region keeps to it."""

# AWS says the roles at once where cluster mode is disabled; CloudWatch some minutes later, and always.
_ROLE = "aws_elasticache_node_role_info{role='primary',@}"
_NEW = names_now(f"{PROMOTED}{{@}} or {_ROLE}", GROUP, "cache_cluster_id", "not known yet")
_OLD = names_now(
    f"""
    {DEMOTED}{{@}}
    or ({IS_PRIMARY}{{@}} == 1 unless on ({NODES}) {_ROLE} and on ({GROUPS}) {_ROLE})
    """,
    GROUP,
    "cache_cluster_id",
    "not known yet",
)

_SLACK = 60
"""Seconds above the limit for which a datapoint may be late."""

_SEAT = "aws_elasticache_node_shard_info"
_SEATS = f"group by ({NODES}, node_group_id) ({_SEAT})"
_SEAT_ZONES = f"group by ({SHARDS}, availability_zone) ({owned(_SEATS)})"

_RECORDS = [
    Record(
        name=NEWEST,
        expr=f"max by ({NODES}) (aws_elasticache_node_newest_datapoint_timestamp_seconds) and on ({NODES}) {NODE_INFO}",
    ),
    # An exporter that began after the node died has no datapoint of it: what was known before counts for six hours.
    Record(
        name=AGE,
        expr=f"""
            time() - max_over_time({NEWEST}[6h])
            and on ({NODES}) {NODE_INFO}{{engine!="memcached"}}
            unless on ({NODES}) {NODE_INFO}{{node_status=~"creating|deleting"}}
            unless on ({NODES}) {NODE_INFO}{{cluster_status="deleting"}}
            unless on ({NODES}) (time() - max by ({NODES}) (aws_elasticache_node_created_timestamp_seconds) < 900)
        """,
    ),
    Record(
        name=OVERDUE,
        expr=f"{AGE} - on ({ACCOUNTS}) group_left () {LIMIT}",
    ),
    Record(
        name=UNAVAILABLE,
        expr=f"""
            1 - min by ({NODES}) (aws_elasticache_node_available)
            unless on ({NODES}) {NODE_INFO}{{node_status=~"creating|deleting"}}
            unless on ({NODES}) {NODE_INFO}{{cluster_status="deleting"}}
        """,
    ),
    Record(name=DEAD, expr=f"group by ({NODES}) ({OVERDUE} > {_SLACK} or on ({NODES}) {UNAVAILABLE} == 1)"),
    Record(name=IS_PRIMARY, expr=first("aws_elasticache_node_is_primary")),
    Record(
        name=ALIVE,
        expr=f"count by ({SHARDS}) ({_SEATS} unless on ({NODES}) {DEAD}) or on ({SHARDS}) 0 * group by ({SHARDS}) ({_SEAT})",
    ),
    Record(name=ZONE, expr=f"{_SEAT_ZONES} unless on ({SHARDS}) (count by ({SHARDS}) ({_SEAT_ZONES}) > 1)"),
    Record(
        name=PRIMARIES,
        expr=f"""
            count by ({SHARDS}) (
              {_SEATS} and on ({NODES}) ({IS_PRIMARY} == 1) unless on ({NODES}) ({OVERDUE} > {_SLACK})
            )
            or on ({SHARDS})
            0 * group by ({SHARDS}) ({_SEAT} and on ({NODES}) {IS_PRIMARY})
        """,
    ),
    Record(
        name=PROMOTED,
        expr=f"""
            {_SEATS}
            and on ({NODES}) ({IS_PRIMARY} == 1)
            and on ({NODES}) (min_over_time({IS_PRIMARY}[20m]) == 0)
        """,
    ),
    Record(
        name=DEMOTED,
        expr=f"""
            {_SEATS}
            and on ({NODES}) (max_over_time({IS_PRIMARY}[20m]) == 1)
            and on ({SHARDS}) {PROMOTED}
            unless on ({NODES}) {PROMOTED}
        """,
    ),
    Record(name=ERRORS, expr=first("aws_elasticache_node_errors_per_second")),
]

_ALERTS = [
    Alert(
        name="AwsElastiCacheNodeSilent",
        severity="critical",
        component="elasticache",
        # A node that is back reports again some minutes later.
        expr=owned(
            f"""
            round({AGE}, 60)
            and on ({NODES}) ({OVERDUE} > $over)
            unless on ({NODES}) (max_over_time({UNAVAILABLE}[10m]) == 1)
            """
        ),
        thresholds={"over": Threshold(60, "seconds", "age of the node's newest datapoint above the exporter's limit")},
        wait="1m",
        keep="15m",
        summary=f"{words.CACHE_NODE}: silent for {{{{ $value | humanizeDuration }}}}",
        description=f"""
            {NODE_IN} has published nothing for {{{{ $value | humanizeDuration }}}}, though AWS calls it available and
            other caches report. It is probably dead. Ask it: valkey-cli -h NODE_ADDRESS --tls PING. No answer: if it is
            the primary, force the failover (runbook), else delete and add the replica.
        """,
        dashboard=words.CACHE_DASHBOARD,
        console=words.CACHE_GROUP_CONSOLE,
    ),
    Alert(
        name="AwsElastiCacheNodeUnavailable",
        severity="critical",
        component="elasticache",
        expr=owned(
            f"""
            (
              sum_over_time(last_over_time({UNAVAILABLE}[2m])[20m:1m]) >= $minutes
              or
              sum_over_time(last_over_time({UNAVAILABLE}{{replication_group_id=""}}[2m])[20m:1m]) >= $alone_minutes
            )
            and on ({NODES}) ({UNAVAILABLE} == 1)
            """
        ),
        thresholds={
            "minutes": Threshold(10, "count", "minutes of the last 20 in which a group's node was not available"),
            "alone_minutes": Threshold(3, "count", "the same for a node that no other stands in for"),
        },
        keep="10m",
        summary=f"{words.CACHE_NODE}: not available",
        description=f"""
            AWS calls {NODE_IN} not available in {{{{ printf "%.0f" $value }}}} of the last 20 minutes.
            {{{{ if $labels.replication_group_id }}}}The others of its shard carry its load, and one more failure may
            stop writes.{{{{ else }}}}It stands alone: its clients have no cache.{{{{ end }}}}
            See why: aws elasticache describe-events --region {{{{ $labels.region }}}} --source-type cache-cluster
            --source-identifier {{{{ $labels.cache_cluster_id }}}} --duration 60.
        """,
        dashboard=words.CACHE_DASHBOARD,
        console=words.CACHE_GROUP_CONSOLE,
    ),
    Alert(
        name="AwsElastiCacheShardUnavailable",
        severity="critical",
        component="elasticache",
        # With the zone of a shard that stands in one zone alone: a lost zone (StorageZoneLost) says it better.
        expr=f"""
            ({ALIVE} == 0 unless on ({GROUPS}) {GROUP_INFO}{{status=~"creating|deleting|create-failed"}})
            * on ({SHARDS}) group_left (availability_zone) ({ZONE} or on ({SHARDS}) group by ({SHARDS}) ({_SEATS}))
        """,
        wait="2m",
        keep="10m",
        summary=f"{words.CACHE_GROUP}: no node of shard {{{{ $labels.node_group_id }}}} is alive",
        description=f"""
            Every node of shard {{{{ $labels.node_group_id }}}} is silent or not available: its keys can be neither read
            nor written. See what AWS says: {DESCRIBE}. Open a case with AWS now; if the data may be lost, restore the
            newest snapshot into a new group (runbook).
        """,
        dashboard=words.CACHE_DASHBOARD,
        console=words.CACHE_GROUP_CONSOLE,
    ),
    Alert(
        name="AwsElastiCacheNoPrimary",
        severity="critical",
        component="elasticache",
        expr=f"""
            {PRIMARIES} == 0
            and on ({SHARDS}) (sum_over_time((last_over_time({PRIMARIES}[2m]) == bool 0)[6m:1m]) >= $minutes)
            and on ({SHARDS}) ({ALIVE} > 0)
            unless on ({GROUPS}) aws_elasticache_replication_group_global_datastore_info{{role=~"(?i)secondary"}}
        """,
        thresholds={"minutes": Threshold(3, "count", "minutes of the last 6 in which no living node was primary")},
        keep="10m",
        summary=f"{words.CACHE_GROUP}: shard {{{{ $labels.node_group_id }}}} has no primary",
        description=f"""
            No living node of shard {{{{ $labels.node_group_id }}}} is primary: writes fail (READONLY or no answer),
            reads may work. No failover has happened by itself. Look: {DESCRIBE}. Force one: aws elasticache
            test-failover --region {{{{ $labels.region }}}} --replication-group-id {{{{ $labels.replication_group_id }}}}
            --node-group-id {{{{ $labels.node_group_id }}}}; without automatic failover see the runbook.
        """,
        dashboard=words.CACHE_DASHBOARD,
        console=words.CACHE_GROUP_CONSOLE,
    ),
    Alert(
        name="AwsElastiCacheFailover",
        severity="warning",
        component="elasticache",
        expr=f"""
            group by ({GROUPS}) (
              label_replace(
                time() - max by ({ACCOUNTS}, source) (
                  aws_elasticache_event_timestamp_seconds{{event="failover-complete", source_type="replication-group"}}
                ) < $recent,
                "replication_group_id", "$1", "source", "(.+)"
              )
              and on ({GROUPS}) {GROUP_INFO}
            )
            or on ({GROUPS})
            group by ({GROUPS}) ({PROMOTED})
        """,
        thresholds={"recent": Threshold(1200, "seconds", "time since AWS reported the failover")},
        keep="10m",
        summary=f"{words.CACHE_GROUP}: failed over to another primary",
        description=f"""
            New primary:{_NEW}. Old primary:{_OLD}. AWS says: {DESCRIBE}. Writes of the last seconds before it may be lost. Check that clients followed: search their logs for
            READONLY, restart those that still write to the old one.
        """,
        dashboard=words.CACHE_DASHBOARD,
        console=words.CACHE_GROUP_CONSOLE,
    ),
    # Errors are asked every 15 minutes, and the minute of the failover itself shows for up to 34: only what lasts
    # longer is known to be clients that stay. The first witness is the log alert ValkeyReadonlyClients (2 minutes).
    Alert(
        name="AwsElastiCacheClientsOnOldPrimary",
        severity="critical",
        component="elasticache",
        expr=owned(
            f"""
            {ERRORS}
            and on ({NODES}) (sum_over_time((last_over_time({ERRORS}[2m]) > bool $errors)[45m:1m]) >= $minutes)
            and on ({NODES}) ({IS_PRIMARY} == 0)
            and on ({NODES}) (max_over_time({IS_PRIMARY}[3h]) == 1)
            unless on ({NODES}) ({ERRORS} < 3 * avg_over_time({ERRORS}[1h] offset 3h))
            """
        ),
        thresholds={
            "errors": Threshold(1, "per_second", "failed commands a second on the node that was primary"),
            "minutes": Threshold(40, "count", "minutes of the last 45 in which so many failed"),
        },
        keep="20m",
        summary=f"{words.CACHE_NODE}: clients still write to the old primary",
        description=f"""
            {NODE_IN} is a replica since a failover, and {{{{ printf "%.0f" $value }}}} commands a second fail on it,
            three times as many as before: clients hold connections or a cached address (READONLY). Restart the clients,
            or cut them off: reboot the node with aws elasticache reboot-cache-cluster --region {{{{ $labels.region }}}}
            --cache-cluster-id {{{{ $labels.cache_cluster_id }}}} --cache-node-ids-to-reboot
            {{{{ $labels.cache_node_id }}}}.
        """,
        dashboard=words.CACHE_DASHBOARD,
        console=words.CACHE_GROUP_CONSOLE,
    ),
]

NODES_GROUP = Group(topic="nodes", rules=[*_RECORDS, *_ALERTS])
