"""What the alerts about nodes, shards and roles must do."""

from __future__ import annotations

from math import inf

from rules.build.cases.elasticache_world import (
    ALONE,
    ANY,
    GROUP,
    GROUP_INFO,
    INFO,
    LIMIT,
    NODE,
    OTHER,
    OTHER_SEAT,
    PLACE,
    SEAT,
    SHARD,
    ZONE,
    case,
    fresh,
    info,
    primary,
    silent_from,
)
from rules.build.cases.shapes import Case, Reading, S, Variant, between, flat, step

_NEWEST = "aws_elasticache_node_newest_datapoint_timestamp_seconds"
_AVAILABLE = "aws_elasticache_node_available"
_ERRORS = "aws_elasticache_node_errors_per_second"
_CREATED = "aws_elasticache_node_created_timestamp_seconds"
_EVENT = "aws_elasticache_event_timestamp_seconds"
_ROLE = "aws_elasticache_node_role_info"
_FAILED_OVER = {**PLACE, "source_type": "replication-group", "source": "sessions", "event": "failover-complete"}
_OTHER_INFO = info(OTHER)
_THIRD = {**NODE, "cache_cluster_id": "sessions-003"}
_ONE_SHARD = (INFO, _OTHER_INFO, GROUP_INFO, SEAT, OTHER_SEAT)
_GROUP = (
    *_ONE_SHARD,
    # Another shard, which is well.
    info(_THIRD),
    S("aws_elasticache_node_shard_info", {**_THIRD, "node_group_id": "0002"}),
    S("aws_elasticache_node_is_primary", _THIRD, 1, 1),
)
_OLD = S(_CREATED, NODE, -86_400)
_DESCRIBE = "aws elasticache describe-replication-groups --region ap-southeast-3 --replication-group-id sessions"


def _newest(labels: dict[str, str], at: int) -> S:
    """The node's last datapoint ends at minute *at*."""
    return S(_NEWEST, labels, silent_from(at), fresh)


def _late(by: int) -> S:
    """CloudWatch as a whole is late by so many minutes."""
    return S(ANY.name, ANY.labels, lambda minute: minute * 60 - by * 60, stays=True)


def _seated(cluster: str, shard: str) -> tuple[S, ...]:
    """One more node, a primary, in a shard."""
    labels = {**NODE, "cache_cluster_id": cluster}
    return info(labels), S(SEAT.name, {**labels, "node_group_id": shard}), primary(labels, 1)


CASES: list[Case] = [
    case(
        "AwsElastiCacheNodeSilent",
        "critical",
        # Dead at minute 17: its last datapoint is older than 300 + 60 s in minute 24, and one minute more.
        series=[_OTHER_INFO, _OLD, LIMIT, ANY, _newest(OTHER, 17), S(_AVAILABLE, OTHER, 1)],
        fires_at=25,
        waits=1,
        keeps=15,
        labels={**OTHER, **ZONE},
        summary="Cache node sessions-002: silent for 8m 0s",
        description="sessions-002 of sessions in ap-southeast-3a has published nothing for 8m 0s, though AWS calls it"
        " available and other caches report. It is probably dead. Ask it: valkey-cli -h NODE_ADDRESS --tls PING. No"
        " answer: if it is the primary, force the failover (runbook), else delete and add the replica.",
        variants={
            "AWS knows that it is down": Variant(fires=False, series=[S(_AVAILABLE, OTHER, 0)]),
            "70 seconds above the limit": Variant(
                fires=True, series=[S(_NEWEST, OTHER, lambda minute: min(fresh(minute), 590))], at=17
            ),
            "AWS does not say": Variant(fires=True, drop=[_AVAILABLE]),
            "it has just come back": Variant(fires=False, series=[S(_AVAILABLE, OTHER, step(16, 0, 1))]),
            "it came back a while ago": Variant(fires=True, series=[S(_AVAILABLE, OTHER, step(14, 0, 1))]),
            "CloudWatch is late as a whole": Variant(fires=False, series=[_late(6)]),
            "CloudWatch is not asked at all": Variant(fires=False, drop=[ANY.name]),
            "CloudWatch is almost late": Variant(fires=True, series=[_late(5)]),
            "rows are asked every five minutes": Variant(
                fires=False, series=[S(LIMIT.name, LIMIT.labels, 540, stays=True)]
            ),
            "it is being deleted": Variant(fires=False, series=[info(OTHER, node_status="deleting")]),
            "its cluster is being deleted": Variant(fires=False, series=[info(OTHER, cluster_status="deleting")]),
            "it is being made": Variant(fires=False, series=[info(OTHER, node_status="creating")]),
            "it is new": Variant(fires=False, series=[S(_CREATED, OTHER, 15 * 60)]),
            "it is no longer new": Variant(fires=True, series=[S(_CREATED, OTHER, 5 * 60)]),
            "it keeps nothing": Variant(fires=False, series=[info(OTHER, engine="memcached")]),
            "the exporter began after it died": Variant(
                fires=True,
                series=[S(_NEWEST, OTHER, lambda minute: min(minute * 60 - 180, 17 * 60) if minute < 18 else None)],
            ),
            "it is four hours dead": Variant(
                fires=True,
                series=[S(_NEWEST, OTHER, lambda minute: 17 * 60 if minute < 18 else None)],
                at=17 + 240,
            ),
        },
    ),
    case(
        "AwsElastiCacheNodeUnavailable",
        "critical",
        series=[INFO, S(_AVAILABLE, NODE, step(20, 1, 0), between(20, 29, 0, 1))],
        fires_at=29,
        keeps=10,
        summary="Cache node sessions-001: not available",
        description="AWS calls sessions-001 of sessions in ap-southeast-3a not available in 10 of the last 20 minutes."
        " The others of its shard carry its load, and one more failure may stop writes. See why: aws elasticache"
        " describe-events --region ap-southeast-3 --source-type cache-cluster --source-identifier sessions-001"
        " --duration 60.",
        variants={
            "it is being made": Variant(fires=False, series=[info(node_status="creating")]),
            "it is being deleted": Variant(fires=False, series=[info(node_status="deleting")]),
            "its cluster is being deleted": Variant(fires=False, series=[info(cluster_status="deleting")]),
            "it is back": Variant(fires=False, series=[S(_AVAILABLE, NODE, between(17, 29, 0, 1))], at=41),
            "it comes and goes": Variant(
                fires=True, series=[S(_AVAILABLE, NODE, lambda minute: float(not (13 <= minute < 18 or minute >= 25)))]
            ),
            "it was away before": Variant(
                fires=False, series=[S(_AVAILABLE, NODE, lambda minute: float(not (3 <= minute < 8 or minute >= 25)))]
            ),
        },
    ),
    case(
        "AwsElastiCacheNodeUnavailable",
        "critical",
        series=[info(ALONE), S(_AVAILABLE, ALONE, step(20, 1, 0), between(20, 22, 0, 1))],
        fires_at=22,
        keeps=10,
        labels={**ALONE, **ZONE},
        summary="Cache node flags: not available",
        description="AWS calls flags in ap-southeast-3a not available in 3 of the last 20 minutes. It stands alone: its"
        " clients have no cache. See why: aws elasticache describe-events --region ap-southeast-3 --source-type"
        " cache-cluster --source-identifier flags --duration 60.",
    ),
    case(
        "AwsElastiCacheShardUnavailable",
        "critical",
        # One node silent from minute 12 on, the other not available from minute 20 on.
        series=[
            *_GROUP,
            _OLD,
            LIMIT,
            ANY,
            _newest(NODE, 12),
            S(_AVAILABLE, NODE, 1),
            S(_AVAILABLE, OTHER, step(20, 1, 0), 1),
        ],
        fires_at=22,
        waits=2,
        keeps=10,
        labels={**SHARD, **ZONE},
        summary="Replication group sessions: no node of shard 0001 is alive",
        description="Every node of shard 0001 is silent or not available: its keys can be neither read nor written. See"
        f" what AWS says: {_DESCRIBE}. Open a case with AWS now; if the data may be lost, restore the newest snapshot"
        " into a new group (runbook).",
        variants={
            "its nodes stand in two zones": Variant(
                fires=True,
                series=[info(), info(OTHER, availability_zone="ap-southeast-3b"), info(_THIRD)],
                labels={"availability_zone": ""},
            ),
            "one lives": Variant(fires=False, series=[S(_AVAILABLE, OTHER, 1), S(_AVAILABLE, NODE, 1)]),
            "the other one lives": Variant(fires=False, series=[S(_NEWEST, NODE, fresh)]),
            "the group is being deleted": Variant(
                fires=False, series=[S(GROUP_INFO.name, {**GROUP, "status": "deleting"})]
            ),
            "the group is being made": Variant(
                fires=False, series=[S(GROUP_INFO.name, {**GROUP, "status": "creating"})]
            ),
            "CloudWatch is late": Variant(fires=False, series=[_late(30)]),
            "the group is being modified": Variant(
                fires=True, series=[S(GROUP_INFO.name, {**GROUP, "status": "modifying"})]
            ),
        },
    ),
    case(
        "AwsElastiCacheNoPrimary",
        "critical",
        # The primary demotes itself, and no replica takes over.
        series=[
            *_GROUP,
            S("aws_elasticache_node_is_primary", NODE, step(20, 1, 0), step(20, 1, 0)),
            S("aws_elasticache_node_is_primary", OTHER, 0, step(20, 0, 1)),
        ],
        fires_at=22,
        keeps=10,
        labels=SHARD,
        summary="Replication group sessions: shard 0001 has no primary",
        description="No living node of shard 0001 is primary: writes fail (READONLY or no answer), reads may work. No"
        f" failover has happened by itself. Look: {_DESCRIBE}. Force one: aws elasticache test-failover --region"
        " ap-southeast-3 --replication-group-id sessions --node-group-id 0001; without automatic failover see the"
        " runbook.",
        variants={
            "it is a secondary of a Global Datastore": Variant(
                fires=False,
                series=[S("aws_elasticache_replication_group_global_datastore_info", {**GROUP, "role": "SECONDARY"})],
            ),
            "it is the primary of a Global Datastore": Variant(
                fires=True,
                series=[S("aws_elasticache_replication_group_global_datastore_info", {**GROUP, "role": "PRIMARY"})],
            ),
            "the replica takes over in two minutes": Variant(
                fires=False,
                series=[primary(NODE, step(20, 1, 0)), primary(OTHER, step(22, 0, 1))],
            ),
            "the replica took over at last": Variant(
                fires=False,
                series=[primary(NODE, step(18, 1, 0)), primary(OTHER, between(18, 20, 0, 1))],
            ),
            "without one now and then": Variant(
                fires=True, series=[primary(NODE, lambda minute: float(minute not in {17, 19, 22}))]
            ),
            "without one now and before": Variant(
                fires=False, series=[primary(NODE, lambda minute: float(minute not in {10, 12, 22}))]
            ),
            "no node is alive": Variant(fires=False, series=[S(_AVAILABLE, NODE, 0), S(_AVAILABLE, OTHER, 0)]),
            "its primary is down, as AWS says, and a replica may have taken over": Variant(
                fires=False, series=[primary(NODE, 1), primary(OTHER, 0), S(_AVAILABLE, NODE, step(10, 1, 0))]
            ),
            "another shard has none": Variant(
                fires=False,
                series=[
                    primary(NODE, 1),
                    primary(OTHER, 1),
                    S("aws_elasticache_node_shard_info", {**NODE, "node_group_id": "0002"}),
                    S("aws_elasticache_node_shard_info", {**OTHER, "node_group_id": "0001"}),
                ],
            ),
            "its primary is dead and still shown": Variant(
                fires=True,
                series=[primary(NODE, 1), primary(OTHER, 0), _newest(NODE, 13), LIMIT, ANY],
            ),
            "its primary is not dead for long": Variant(
                fires=False,
                series=[primary(NODE, 1), primary(OTHER, 0), _newest(NODE, 14), LIMIT, ANY],
            ),
        },
    ),
    case(
        "AwsElastiCacheFailover",
        "warning",
        series=[
            *_GROUP,
            S("aws_elasticache_node_is_primary", NODE, step(20, 1, 0), 1),
            S("aws_elasticache_node_is_primary", OTHER, step(20, 0, 1), 0),
        ],
        fires_at=20,
        keeps=10,
        labels=GROUP,
        summary="Replication group sessions: failed over to another primary",
        description="New primary: sessions-002. Old primary: sessions-001. AWS says:"
        f" {_DESCRIBE}. Writes of the last seconds before it may be lost. Check that clients followed: search their"
        " logs for READONLY, restart those that still write to the old one.",
        variants={
            "twenty minutes later it is still listed": Variant(fires=True, at=39),
            "it ends": Variant(fires=False, at=51),
            "the old one is dead, and its last word is shown": Variant(
                fires=True, series=[primary(NODE, 1), primary(OTHER, step(20, 0, 1))]
            ),
            "a first primary is no failover": Variant(fires=False, series=[primary(OTHER, step(20, None, 1))]),
            "AWS says so before CloudWatch does": Variant(
                fires=True,
                series=[primary(NODE, 1), S(_EVENT, _FAILED_OVER, step(20, None, 18 * 60))],
            ),
            "AWS said so half an hour ago": Variant(
                fires=True, series=[primary(NODE, 1), S(_EVENT, _FAILED_OVER, 0)], at=28
            ),
            "AWS said so more than half an hour ago": Variant(
                fires=False, series=[primary(NODE, 1), S(_EVENT, _FAILED_OVER, 0)], at=31
            ),
            "something else happened": Variant(
                fires=False,
                series=[primary(NODE, 1), S(_EVENT, {**_FAILED_OVER, "event": "modified"}, 18 * 60)],
            ),
            "it happened to a cluster of that name": Variant(
                fires=False,
                series=[primary(NODE, 1), S(_EVENT, {**_FAILED_OVER, "source_type": "cache-cluster"}, 18 * 60)],
            ),
            "it happened to a group that is gone": Variant(
                fires=False,
                series=[primary(NODE, 1), S(_EVENT, {**_FAILED_OVER, "source": "gone"}, 18 * 60)],
            ),
        },
    ),
    case(
        "AwsElastiCacheFailover",
        "warning",
        # Events and roles are fresh, CloudWatch still tells of the minutes before.
        series=[
            *_ONE_SHARD,
            primary(NODE, 1),
            primary(OTHER, 0),
            S(_ROLE, {**NODE, "role": "primary"}, lambda minute: 1 if minute < 19 else inf if minute == 19 else None),
            S(_EVENT, _FAILED_OVER, step(20, None, 19 * 60), -86_400),
            S(_ROLE, {**OTHER, "role": "primary"}, step(19, None, 1)),
        ],
        fires_at=20,
        keeps=10,
        labels=GROUP,
        among=False,
        summary="Replication group sessions: failed over to another primary",
        description="New primary: sessions-002. Old primary: sessions-001. AWS says:"
        f" {_DESCRIBE}. Writes of the last seconds before it may be lost. Check that clients followed: search their"
        " logs for READONLY, restart those that still write to the old one.",
    ),
    case(
        "AwsElastiCacheFailover",
        "warning",
        # With cluster mode enabled AWS does not say roles.
        series=[
            *_GROUP,
            primary(NODE, 1),
            primary(OTHER, 0),
            S(_EVENT, _FAILED_OVER, step(20, None, 19 * 60), -86_400),
        ],
        fires_at=20,
        keeps=10,
        labels=GROUP,
        among=False,
        summary="Replication group sessions: failed over to another primary",
        description="New primary: not known yet. Old primary: not known yet. AWS says:"
        f" {_DESCRIBE}. Writes of the last seconds before it may be lost. Check that clients followed: search their"
        " logs for READONLY, restart those that still write to the old one.",
    ),
    case(
        "AwsElastiCacheClientsOnOldPrimary",
        "critical",
        # A failover at minute 151; from then on two commands a second fail on the old primary, half of one before.
        series=[
            INFO,
            primary(NODE, step(151, 1, 0)),
            S(_ERRORS, NODE, step(151, 0.4, 1.5), step(151, 0.4, 0.9)),
        ],
        fires_at=200,
        keeps=20,
        summary="Cache node sessions-001: clients still write to the old primary",
        description="sessions-001 of sessions in ap-southeast-3a is a replica since a failover, and 2 commands a second"
        " fail on it, three times as many as before: clients hold connections or a cached address (READONLY). Restart"
        " the clients, or cut them off: reboot the node with aws elasticache reboot-cache-cluster --region"
        " ap-southeast-3 --cache-cluster-id sessions-001 --cache-node-ids-to-reboot 0001.",
        variants={
            "as many failed before": Variant(fires=False, series=[S(_ERRORS, NODE, step(151, 0.6, 1.5))]),
            # The mean of the hour three hours ago is 0.4.
            "fewer failed before, more long before": Variant(
                fires=True,
                series=[
                    primary(NODE, step(351, 1, 0)),
                    S(
                        _ERRORS,
                        NODE,
                        lambda minute: 0.9 if minute < 140 or 180 <= minute < 190 else 0.3 if minute < 351 else 1.5,
                    ),
                ],
                at=402,
            ),
            "for 25 minutes, and again for 37": Variant(
                fires=False,
                series=[S(_ERRORS, NODE, lambda minute: 1.5 if 151 <= minute < 175 or minute >= 215 else 0.4)],
                at=252,
            ),
            "it is still the primary": Variant(fires=False, series=[primary(NODE, 1)]),
            "it was never the primary": Variant(fires=False, series=[primary(NODE, 0)]),
            "only the minute of the failover": Variant(
                fires=False, series=[S(_ERRORS, NODE, between(151, 166, 40, 0))], at=185
            ),
        },
    ),
]

READINGS: list[Reading] = [
    Reading(
        name="who was primary and who is, once each",
        series=[*_GROUP, primary(NODE, step(20, 1, 0)), primary(OTHER, step(20, 0, 1))],
        expr="group by (is, cache_cluster_id) ("
        'label_replace(node:aws_elasticache_promoted:info, "is", "new", "", "") or '
        'label_replace(node:aws_elasticache_demoted:info, "is", "old", "", ""))',
        at=30,
        samples={
            '{cache_cluster_id="sessions-001", is="old"}': 1,
            '{cache_cluster_id="sessions-002", is="new"}': 1,
        },
    ),
    Reading(
        name="without a failover nobody was promoted or demoted",
        series=[*_GROUP, primary(NODE, 1), primary(OTHER, 0)],
        expr="node:aws_elasticache_promoted:info or node:aws_elasticache_demoted:info",
        at=30,
        samples={},
    ),
    Reading(
        name="how many nodes and primaries of a shard live",
        # Of the first shard one node is dead; the second has two nodes, both primary; the third none that lives.
        series=[
            *_GROUP,
            primary(NODE, 1),
            primary(OTHER, 0),
            S(_AVAILABLE, OTHER, 0),
            S(_AVAILABLE, NODE, flat(1)),
            *_seated("sessions-004", "0002"),
            *_seated("sessions-005", "0003"),
            S(_AVAILABLE, {**NODE, "cache_cluster_id": "sessions-005"}, 0),
        ],
        expr="sum by (of, node_group_id) ("
        'label_replace(shard:aws_elasticache_nodes_alive:count, "of", "nodes", "", "") or '
        'label_replace(shard:aws_elasticache_primaries_alive:count, "of", "primaries", "", ""))',
        at=30,
        samples={
            f'{{node_group_id="{shard}", of="{of}"}}': count
            for shard, nodes, primaries in (("0001", 1, 1), ("0002", 2, 2), ("0003", 0, 1))
            for of, count in (("nodes", nodes), ("primaries", primaries))
        },
    ),
    Reading(
        name="a node that two zones are told of has none",
        series=[INFO, info(OTHER), info(OTHER, availability_zone="ap-southeast-3b")],
        expr="node:aws_elasticache_owner:info",
        at=5,
        samples={
            'node:aws_elasticache_owner:info{account_id="123456789012", availability_zone="ap-southeast-3a",'
            ' cache_cluster_id="sessions-001", cache_node_id="0001", cluster="production", region="ap-southeast-3",'
            ' replication_group_id="sessions"}': 1,
            'node:aws_elasticache_owner:info{account_id="123456789012", cache_cluster_id="sessions-002",'
            ' cache_node_id="0001", cluster="production", region="ap-southeast-3", replication_group_id="sessions"}': 1,
        },
    ),
]
