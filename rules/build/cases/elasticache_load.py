"""What the alerts about a node's work must do: engine, host, connections, network, lag, logins, hits."""

from __future__ import annotations

from rules.build.cases.elasticache_world import (
    ALONE,
    GROUP,
    INFO,
    NODE,
    OTHER,
    PLACE,
    SERVERLESS,
    SERVERLESS_INFO,
    ZONE,
    away,
    case,
    info,
    scattered,
)
from rules.build.cases.shapes import Case, Reading, S, Values, Variant, between, step

_IN = "sessions-001 of sessions in ap-southeast-3a"
_ENGINE = "aws_elasticache_node_engine_cpu_utilization_ratio"
_HOST = "aws_elasticache_node_cpu_utilization_ratio"
_CONNECTIONS = "aws_elasticache_node_connections"
_REJECTED = "aws_elasticache_node_rejected_connections_per_second"
_LAG = "aws_elasticache_node_replication_lag_seconds"
_LINK = "aws_elasticache_node_primary_link_healthy"
_SWAP = "aws_elasticache_node_swap_usage_bytes"
_FREEABLE = "aws_elasticache_node_freeable_memory_bytes"
_MANAGED = "aws_elasticache_node_traffic_management_active"
_HITS = "aws_elasticache_node_hits_per_second"
_MISSES = "aws_elasticache_node_misses_per_second"
_LIMIT = S(
    "aws_elasticache_parameter_group_connections_limit",
    {**PLACE, "parameter_group": "sessions-valkey8"},
    20_000,
    stays=True,
)


def _exceeded(allowance: str, bad: Values | float, good: Values | float | None = None) -> S:
    return S(f"aws_elasticache_node_network_{allowance}_allowance_exceeded_per_second", NODE, bad, good)


def _host(node_type: str, value: float) -> tuple[S, S]:
    return info(node_type=node_type), S(_HOST, NODE, step(20, 0.1, value))


CASES: list[Case] = [
    case(
        "AwsElastiCacheEngineCpuSaturated",
        "critical",
        # The mean of five minutes is above 95 % in the third bad one; five such minutes.
        series=[INFO, S(_ENGINE, NODE, step(20, 0.9, 0.99), step(20, 0.9, 0.945))],
        fires_at=27,
        keeps=10,
        summary="Cache node sessions-001: engine at 99% CPU",
        description=f"The engine of {_IN} has no time left: commands queue, clients time out. Find the expensive commands:"
        " valkey-cli SLOWLOG GET 25. Stop what began last (a job, KEYS, a big Lua script), send reads to replicas, or"
        " add shards.",
        variants={
            "a short peak": Variant(fires=False, series=[S(_ENGINE, NODE, between(22, 26, 1, 0.9))]),
            "it comes and goes": Variant(
                fires=False, series=[S(_ENGINE, NODE, scattered((9, 14), 27, 0.99, 0.9))], at=32
            ),
        },
    ),
    case(
        "AwsElastiCacheEngineCpuHigh",
        "warning",
        series=[INFO, S(_ENGINE, NODE, step(20, 0.7, 0.85), step(20, 0.7, 0.79))],
        fires_at=33,
        keeps=15,
        summary="Cache node sessions-001: engine at 85% CPU",
        description=f"The engine of {_IN} is close to its limit, which is one thread for commands: a larger node of the"
        " same family does not help, more shards or replicas do. Look for expensive commands first: valkey-cli SLOWLOG"
        " GET 25.",
        variants={
            "it comes and goes": Variant(
                fires=False, series=[S(_ENGINE, NODE, scattered((5, 12), 28, 0.85, 0.7))], at=36
            ),
            # Two minutes, two more for which the last is taken, and five: nine.
            "the node was away for a while": Variant(
                fires=False, series=[away(20, 26), S(_ENGINE, NODE, step(16, 0.7, 0.95))], at=30
            ),
            # Nine minutes half an hour ago, five of the last fifteen.
            "it goes and comes": Variant(
                fires=False, series=[S(_ENGINE, NODE, scattered((5, 13), 40, 0.95, 0.7))], at=46
            ),
        },
    ),
    case(
        "AwsElastiCacheConnectionsRejected",
        "critical",
        series=[INFO, _LIMIT, S(_REJECTED, NODE, step(20, 0, 0.5), step(20, 0, 0.09))],
        fires_at=26,
        keeps=10,
        summary="Cache node sessions-001: refuses clients, maxclients is reached",
        description=f"{_IN} refuses 0.5 connections a second: all 20000 are in use. See who holds them: valkey-cli CLIENT"
        " LIST. Restart the application that leaks, or free them: CONFIG SET is not allowed here, so set timeout (300)"
        " in the parameter group; it works at once.",
        variants={
            "a few": Variant(fires=False, series=[S(_REJECTED, NODE, between(21, 23, 0.16, 0))]),
            "it comes and goes": Variant(
                fires=False, series=[S(_REJECTED, NODE, scattered((8, 10), 24, 0.35, 0))], at=29
            ),
            "more than a few": Variant(fires=True, series=[S(_REJECTED, NODE, step(20, 0, 0.115))], at=30),
        },
    ),
    case(
        "AwsElastiCacheConnectionsNearLimit",
        "warning",
        series=[INFO, _LIMIT, S(_CONNECTIONS, NODE, step(20, 9000, 17_000), step(20, 9000, 15_500))],
        fires_at=29,
        keeps=15,
        summary="Cache node sessions-001: 85% of its connections are in use",
        description=f"{_IN} has 17000 connections of 20000. When none is left, new clients are refused. See who holds"
        " them: valkey-cli CLIENT LIST; a client without a pool, or one that does not close, is the usual cause.",
        variants={
            "its parameters are not known": Variant(fires=False, drop=[_LIMIT.name]),
            "nor are they here, and it has many": Variant(
                fires=True,
                drop=[_LIMIT.name],
                series=[S(_CONNECTIONS, NODE, step(20, 9000, 53_000))],
            ),
            "nor are they here, and it has nearly many": Variant(
                fires=False,
                drop=[_LIMIT.name],
                series=[S(_CONNECTIONS, NODE, step(20, 9000, 51_000))],
            ),
            "it comes and goes": Variant(
                fires=False, series=[S(_CONNECTIONS, NODE, scattered((5, 9), 28, 17_000, 9000))], at=36
            ),
        },
    ),
    case(
        "AwsElastiCacheHostCpuHigh",
        "warning",
        # The mean of 19 minutes.
        series=[INFO, S(_HOST, NODE, step(20, 0.4, 0.52), step(20, 0.4, 0.44))],
        fires_at=28,
        keeps=20,
        summary="Cache node sessions-001: host at 45% CPU",
        description=f"The host of {_IN} has been at 45% for 15 minutes. On two vCPUs 45 % is what one engine thread can"
        " use: it is full. Compare with the engine's CPU on the dashboard. If that is low, it is TLS, snapshots or many"
        " new connections; else use a larger node or more shards.",
        variants={
            "two CPUs, a burstable node": Variant(fires=True, series=_host("cache.t4g.micro", 0.48), at=45),
            "two CPUs, an older burstable node": Variant(fires=True, series=_host("cache.t3.medium", 0.48), at=45),
            "two CPUs, T2": Variant(fires=True, series=_host("cache.t2.medium", 0.48), at=45),
            "two CPUs, a network node": Variant(fires=True, series=_host("cache.c7gn.large", 0.48), at=45),
            "one CPU": Variant(fires=False, series=_host("cache.t2.small", 0.88), at=45),
            "four CPUs": Variant(fires=False, series=_host("cache.r7g.xlarge", 0.87), at=45),
            "four CPUs at the end": Variant(fires=True, series=_host("cache.r7g.xlarge", 0.95), at=45),
            "sixteen CPUs": Variant(fires=False, series=_host("cache.m7g.4xlarge", 0.87), at=45),
        },
    ),
    case(
        "AwsElastiCacheSwapping",
        "warning",
        series=[INFO, S(_SWAP, NODE, step(20, 0, 3.2e8), step(20, 0, 2.8e8)), S(_FREEABLE, NODE, 2e8)],
        fires_at=20,
        keeps=20,
        summary="Cache node sessions-001: swaps 305.2MiB",
        description=f"The host of {_IN} swaps more than it has free memory (191MiB). Latency becomes erratic, and a"
        " snapshot may fail. Raise reserved-memory-percent in the parameter group (25, for small nodes 30 to 50), or use"
        " a larger node.",
        variants={
            "there is more free memory": Variant(fires=False, series=[S(_FREEABLE, NODE, 3.4e8)]),
            "it is not known": Variant(fires=False, drop=[_FREEABLE]),
            "free memory was low for a minute": Variant(
                fires=True, series=[S(_FREEABLE, NODE, between(10, 11, 2e8, 9e8))]
            ),
        },
    ),
    case(
        "AwsElastiCacheNetworkThrottled",
        "warning",
        series=[INFO, _exceeded("packets", step(20, 0, 2), step(20, 0, 0.45)), _exceeded("bandwidth_in", 0)],
        fires_at=25,
        keeps=20,
        labels={**NODE, **ZONE, "allowance": "packets"},
        summary="Cache node sessions-001: network allowance packets exceeded",
        description=f"0.6 packets a second of {_IN} are queued or dropped because its instance may not send or receive"
        " more (packets). Clients see slow answers and timeouts. Look for large values (valkey-cli --bigkeys) and hot"
        " keys; else use a larger node or more replicas.",
        variants={
            **{
                f"it is {name}": Variant(
                    fires=True,
                    drop=[_exceeded("packets", 0).name],
                    series=[_exceeded(name, step(20, 0, 2))],
                    labels={"allowance": name},
                )
                for name in ("bandwidth_in", "bandwidth_out", "conntrack", "link_local")
            },
            "a little more than allowed": Variant(fires=True, series=[_exceeded("packets", step(20, 0, 0.55))], at=45),
        },
    ),
    case(
        "AwsElastiCacheTrafficManagementActive",
        "warning",
        series=[INFO, S(_MANAGED, NODE, step(20, 0, 1), lambda minute: float(minute >= 20 and minute % 5 in {0, 2}))],
        fires_at=30,
        keeps=15,
        summary="Cache node sessions-001: ElastiCache holds its traffic back",
        description=f"In 52% of the last 20 minutes more commands came to {_IN} than its engine could do, and"
        " ElastiCache slowed the clients to keep it alive. Send fewer or cheaper commands (valkey-cli SLOWLOG GET 25),"
        " or use a larger node or more shards.",
        variants={
            "nine of twenty minutes": Variant(fires=False, series=[S(_MANAGED, NODE, between(20, 29, 1, 0))]),
        },
    ),
    case(
        "AwsElastiCacheReplicationLagHigh",
        "warning",
        series=[INFO, S(_LAG, NODE, step(20, 0.01, 11), step(20, 0.01, 9.5))],
        fires_at=29,
        keeps=15,
        summary="Cache node sessions-001: replica is 11s behind its primary",
        description=f"{_IN} is 11 seconds behind: reads from it are old, and a failover to it loses what it has not got."
        " Look at the writes and the network of the primary, and whether a snapshot is running (SaveInProgress). If"
        " writes are the cause, use more shards or a larger node.",
        variants={
            "during a snapshot": Variant(fires=False, series=[S(_LAG, NODE, between(22, 25, 30, 0.01))]),
            "in every fifth minute": Variant(
                fires=True, series=[S(_LAG, NODE, lambda minute: 11.0 if minute >= 20 and minute % 5 == 0 else 0.01)]
            ),
            "it comes and goes": Variant(fires=False, series=[S(_LAG, NODE, scattered((5, 9), 29, 30, 0.01))], at=36),
        },
    ),
    case(
        "AwsElastiCachePrimaryLinkDown",
        "warning",
        series=[INFO, S(_LINK, NODE, step(20, 1, 0), step(20, 1, 0.55))],
        fires_at=30,
        keeps=20,
        summary="Cache node sessions-001: not in sync with its source",
        description=f"{_IN} was in sync with its source in 45% of the last 15 minutes only. Its data is old, and it should"
        " not become primary. See the engine log (Connection with primary lost, full resync) and, in a migration,"
        " whether the source can be reached.",
        variants={"most of the time it is not": Variant(fires=True, series=[S(_LINK, NODE, step(20, 1, 0.45))], at=45)},
    ),
    case(
        "AwsElastiCacheAuthenticationFailures",
        "warning",
        series=[
            INFO,
            S("aws_elasticache_node_authentication_failures_per_second", NODE, step(20, 0, 0.4), step(20, 0, 0.09)),
        ],
        fires_at=25,
        keeps=20,
        summary="Cache node sessions-001: clients fail to log in",
        description="0.1 logins a second fail. Either a client has an old password (was one rotated? search the logs for"
        " WRONGPASS and NOAUTH), or somebody tries. See from where: valkey-cli ACL LOG shows address and user. Repair the"
        " client's secret and restart it.",
        console="",
        variants={
            "a little more": Variant(
                fires=True,
                series=[S("aws_elasticache_node_authentication_failures_per_second", NODE, step(20, 0, 0.115))],
                at=45,
            )
        },
    ),
    case(
        "AwsElastiCacheAuthenticationFailures",
        "warning",
        series=[
            SERVERLESS_INFO,
            S(
                "aws_elasticache_serverless_authentication_failures_per_second",
                SERVERLESS,
                step(20, 0, 0.4),
                step(20, 0, 0.09),
            ),
        ],
        fires_at=25,
        keeps=20,
        labels=SERVERLESS,
        summary="Serverless cache fragments: clients fail to log in",
        description="0.1 logins a second fail. Either a client has an old password (was one rotated? search the logs for"
        " WRONGPASS and NOAUTH), or somebody tries. See from where: valkey-cli ACL LOG shows address and user. Repair the"
        " client's secret and restart it.",
        console="",
        variants={
            "a little more": Variant(
                fires=True,
                series=[
                    S("aws_elasticache_serverless_authentication_failures_per_second", SERVERLESS, step(20, 0, 0.115))
                ],
                at=45,
            )
        },
    ),
    case(
        "AwsElastiCacheHitRatioDropped",
        "info",
        # 90 % of lookups hit for a day, then 60 %: two thirds of usual.
        series=[
            INFO,
            info(OTHER),
            S(_HITS, NODE, step(1800, 90, 60), step(1800, 90, 64)),
            S(_MISSES, NODE, step(1800, 10, 40), step(1800, 10, 36)),
        ],
        fires_at=1800,
        keeps=0,
        labels=GROUP,
        step=60,
        summary="Replication group sessions: hit ratio fell to 60%",
        description="60% of lookups find a key, usually much more: the database behind it gets the rest. Was the cache"
        " emptied (failover, FLUSHALL, evictions), or did a deploy change keys or TTLs?",
        variants={
            "hardly anybody asks": Variant(
                fires=False, series=[S(_HITS, NODE, step(1800, 8.5, 5.4)), S(_MISSES, NODE, step(1800, 0.9, 4))]
            ),
            "few ask": Variant(
                fires=True, series=[S(_HITS, NODE, step(1800, 10.8, 6.5)), S(_MISSES, NODE, step(1800, 1.1, 5))]
            ),
            "a replica makes up for it": Variant(
                fires=False,
                series=[
                    S(_HITS, NODE, step(1800, 90, 60)),
                    S(_MISSES, NODE, step(1800, 10, 40)),
                    S(_HITS, OTHER, step(1800, 90, 200)),
                    S(_MISSES, OTHER, step(1800, 10, 40)),
                ],
            ),
            "it was so all day": Variant(fires=False, series=[S(_HITS, NODE, 60), S(_MISSES, NODE, 40)]),
            "it was good two days ago": Variant(
                fires=False,
                series=[S(_HITS, NODE, step(300, 95, 60)), S(_MISSES, NODE, step(300, 5, 40))],
            ),
        },
    ),
]

READINGS: list[Reading] = [
    Reading(
        name="hits of all nodes of a group over what all were asked",
        series=[
            INFO,
            info(OTHER),
            *(
                S(name, labels, value)
                for labels, hits, misses in ((NODE, 30, 5), (OTHER, 10, 5))
                for name, value in ((_HITS, hits), (_MISSES, misses))
            ),
        ],
        expr="sum(replication_group:aws_elasticache_hit:ratio)",
        at=20,
        samples={"{}": 0.8},
    ),
    Reading(
        name="nodes that stand alone make no hit ratio together",
        series=[info(ALONE), S(_HITS, ALONE, 90), S(_MISSES, ALONE, 10)],
        expr="replication_group:aws_elasticache_hit:ratio",
        at=20,
        samples={},
    ),
    Reading(
        name="each node has its limit of connections, known or not",
        series=[INFO, info(ALONE, parameter_group="other"), _LIMIT],
        expr="sum by (cache_cluster_id) (node:aws_elasticache_connections_limit:count)",
        at=20,
        samples={'{cache_cluster_id="sessions-001"}': 20_000, '{cache_cluster_id="flags"}': 65_000},
    ),
    Reading(
        name="minutes are counted over both pods of a rollout",
        series=[
            INFO,
            S(_MANAGED, NODE, lambda minute: 1.0 if minute < 15 else None),
            S(
                _MANAGED,
                {**NODE, "pod": "exporter-b"},
                lambda minute: None if minute < 15 else float(minute >= 28),
            ),
        ],
        expr="round(sum(node:aws_elasticache_traffic_management:ratio20m) * 21)",
        at=30,
        samples={"{}": 8},
    ),
]
