"""
Rules about a cache's room for data: filling fast, filling slowly, full, evicting.

What the room is: memory (maxmemory), and with data tiering memory and disk. Only primaries are judged, for replicas
follow them. Only a policy of ``allkeys-*`` excuses a full cache: under the default, volatile-lru, keys without a TTL
are never evicted, and a cache full of those refuses writes.

AWS recommends an alarm on DatabaseMemoryUsagePercentage without a number: it is AwsElastiCacheMemoryHigh and
AwsElastiCacheMemoryFull here. DatabaseMemoryUsageCountedForEvictPercentage is asked rarely, and differs by buffers.
"""

from __future__ import annotations

from rules.build import words
from rules.build.elasticache_terms import (
    ACCOUNTS,
    IS_PRIMARY,
    NODE_IN,
    NODE_INFO,
    NODES,
    TIERED,
    minutes_of,
    number_now,
    owned,
)
from rules.build.first import first
from rules.build.identity import NODE
from rules.build.model import Alert, Group, Record, Threshold

USAGE = "node:aws_elasticache_data_usage:ratio"
GROWTH = "node:aws_elasticache_data_usage:growth5m"
FAST = "node:aws_elasticache_data_usage:seconds_to_full_10m"
SLOW = "node:aws_elasticache_data_usage:seconds_to_full_1h"
EVICTS_ANY = "node:aws_elasticache_evicts_any_key:info"
EVICTIONS = "node:aws_elasticache_evictions:per_second"
MEMORY = "node:aws_elasticache_memory_usage:ratio"

_EARLIER = f"last_over_time({GROWTH}[2m] offset 5m)"
_PARAMETERS = f"{ACCOUNTS}, parameter_group"
_JUDGED = f"unless on ({NODES}) {EVICTS_ANY} unless on ({NODES}) ({IS_PRIMARY} == 0)"
_NOW = number_now(USAGE, NODE, "humanizePercentage")
_ROOM = (
    "Make room: delete what may go, set TTLs, or scale up: aws elasticache modify-replication-group "
    "--region {{ $labels.region }} --replication-group-id {{ $labels.replication_group_id }} --apply-immediately "
    "--cache-node-type LARGER."
)

_RECORDS = [
    Record(name=MEMORY, expr=first("aws_elasticache_node_memory_usage_ratio")),
    Record(
        name=USAGE,
        expr=f"""
            ({MEMORY} unless on ({NODES}) {TIERED})
            or on ({NODES})
            (({first("aws_elasticache_node_capacity_usage_ratio")}) and on ({NODES}) {TIERED})
        """,
    ),
    Record(
        name=EVICTS_ANY,
        expr=f"""
            group by ({NODES}) (
              group by ({NODES}, parameter_group) ({NODE_INFO})
              and on ({_PARAMETERS}) aws_elasticache_parameter_group_info{{maxmemory_policy=~"allkeys-.+"}}
            )
        """,
    ),
    Record(name=GROWTH, expr=f"{USAGE} - last_over_time({USAGE}[2m] offset 5m)"),
    # At the pace of the newest five minutes, where the five before them grew at least a third as much: a bulk load that
    # came at once, or is over, has only one of them.
    Record(
        name=FAST,
        expr=f"""
            clamp_min(1 - {USAGE}, 0) / ({GROWTH} > 0) * 300
            and on ({NODES}) ({_EARLIER} * 3 >= {GROWTH})
        """,
    ),
    Record(
        name=SLOW,
        expr=f"clamp_min(1 - {USAGE}, 0) / ((deriv({USAGE}[1h]) and count_over_time({USAGE}[1h]) >= 40) > 0)",
    ),
]

_ALERTS = [
    Alert(
        name="AwsElastiCacheMemoryExhausting",
        severity="critical",
        component="elasticache",
        expr=owned(f"round({FAST} < $eta, 60) and on ({NODES}) ({USAGE} > $usage) {_JUDGED}"),
        thresholds={
            "eta": Threshold(1800, "seconds", "time until full at the pace of the last 10 minutes"),
            "usage": Threshold(0.6, "ratio", "share of the room for data that is in use at the least"),
        },
        wait="1m",
        keep="15m",
        summary=f"{words.CACHE_NODE}: memory full in {{{{ $value | humanizeDuration }}}}",
        description=f"""
            {NODE_IN} is {_NOW} full and has been filling for 10 minutes; at this pace it is full in
            {{{{ $value | humanizeDuration }}}}. Then it refuses writes (OOM) or evicts keys. Find what writes:
            valkey-cli --bigkeys, and which deploy or job began. {_ROOM}
        """,
        dashboard=words.CACHE_DASHBOARD,
        console=words.CACHE_GROUP_CONSOLE,
    ),
    Alert(
        name="AwsElastiCacheMemoryFull",
        severity="critical",
        component="elasticache",
        expr=owned(f"{minutes_of(USAGE, '>= bool $usage', 5, nearest='0.01')} {_JUDGED}"),
        thresholds={
            "usage": Threshold(0.98, "ratio", "share of the room for data that is in use"),
            "minutes": Threshold(2, "count", "minutes of the last 5 in which it was so full"),
        },
        keep="10m",
        summary=f"{words.CACHE_NODE}: memory is full ({{{{ $value | humanizePercentage }}}})",
        description=f"""
            {NODE_IN} has no room left and its policy does not evict every key: writes fail with OOM, or keys with
            a TTL are thrown away before their time. {_ROOM}
        """,
        dashboard=words.CACHE_DASHBOARD,
        console=words.CACHE_GROUP_CONSOLE,
    ),
    Alert(
        name="AwsElastiCacheMemoryExhaustionPredicted",
        severity="warning",
        component="elasticache",
        expr=owned(f"round({minutes_of(SLOW, '< bool $eta', 15)}, 60) and on ({NODES}) ({USAGE} > $usage) {_JUDGED}"),
        thresholds={
            "eta": Threshold(14400, "seconds", "time until full at the pace of the last hour"),
            "usage": Threshold(0.7, "ratio", "share of the room for data that is in use at the least"),
            "minutes": Threshold(10, "count", "minutes of the last 15 in which the forecast was so near"),
        },
        keep="30m",
        summary=f"{words.CACHE_NODE}: memory full in {{{{ $value | humanizeDuration }}}} at this pace",
        description=f"""
            {NODE_IN} is {_NOW} full; at the pace of the last hour it is full in {{{{ $value | humanizeDuration }}}}.
            Look at items and TTLs on the dashboard: do keys come without an expiry? {_ROOM}
        """,
        dashboard=words.CACHE_DASHBOARD,
        console=words.CACHE_GROUP_CONSOLE,
    ),
    Alert(
        name="AwsElastiCacheMemoryHigh",
        severity="warning",
        component="elasticache",
        expr=owned(f"{minutes_of(USAGE, '> bool $usage', 15, nearest='0.01')} {_JUDGED}"),
        thresholds={
            "usage": Threshold(0.85, "ratio", "share of the room for data that is in use"),
            "minutes": Threshold(10, "count", "minutes of the last 15 in which it was so full"),
        },
        keep="15m",
        summary=f"{words.CACHE_NODE}: memory is {{{{ $value | humanizePercentage }}}} full",
        description=f"""
            {NODE_IN} is nearly full, and its policy does not evict every key: when it is full, writes fail with OOM.
            {_ROOM}
        """,
        dashboard=words.CACHE_DASHBOARD,
        console=words.CACHE_GROUP_CONSOLE,
    ),
    Alert(
        name="AwsElastiCacheEvictions",
        severity="warning",
        component="elasticache",
        expr=owned(f"{minutes_of(EVICTIONS, '> bool $evictions', 15)} {_JUDGED}"),
        thresholds={
            "evictions": Threshold(1, "per_second", "keys evicted a second, mean of 5 minutes"),
            "minutes": Threshold(10, "count", "minutes of the last 15 in which it evicted so many"),
        },
        keep="15m",
        summary=f'{words.CACHE_NODE}: evicts {{{{ printf "%.0f" $value }}}} keys a second',
        description=f"""
            {NODE_IN} ({_NOW} full) throws keys away before their TTL is over, and is not set up as a cache that may
            lose any key (allkeys-*). What is lost: sessions, locks, queue entries. {_ROOM}
        """,
        dashboard=words.CACHE_DASHBOARD,
        console=words.CACHE_GROUP_CONSOLE,
    ),
]

MEMORY_GROUP = Group(
    topic="memory",
    rules=[
        *_RECORDS,
        Record(name=EVICTIONS, expr=first("aws_elasticache_node_evictions_per_second")),
        *_ALERTS,
    ],
)
