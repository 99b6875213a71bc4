"""What the alerts about a cache's room must do."""

from __future__ import annotations

from collections.abc import Callable

from rules.build.cases.elasticache_world import INFO, NODE, POLICY, away, case, info, policy, primary, scattered
from rules.build.cases.shapes import Case, Reading, S, Values, Variant, between, flat, ramp, step

_USAGE = "aws_elasticache_node_memory_usage_ratio"
_CAPACITY = "aws_elasticache_node_capacity_usage_ratio"
_WORLD = (INFO, POLICY)
_TIERED = info(node_type="cache.r6gd.xlarge")
_ROOM = (
    "Make room: delete what may go, set TTLs, or scale up: aws elasticache modify-replication-group --region"
    " ap-southeast-3 --replication-group-id sessions --apply-immediately --cache-node-type LARGER."
)


def _usage(bad: Values | float, good: Values | float | None = None) -> S:
    return S(_USAGE, NODE, bad, good)


def _bulk(minute: int) -> float:
    return 0.5 if minute < 24 else 0.85


def _excuses() -> dict[str, Variant]:
    return {
        "every key may be evicted": Variant(fires=False, series=[policy("allkeys-lru")]),
        "the same by another rule": Variant(fires=False, series=[policy("allkeys-lfu")]),
        "the policy is not known": Variant(fires=True, drop=["aws_elasticache_parameter_group_info"]),
        "it is a replica": Variant(fires=False, series=[primary(NODE, 0)]),
        "it is the primary": Variant(fires=True, series=[primary(NODE, 1)]),
    }


def _filling(start: float, slope: float) -> Callable[[int], float | None]:
    return ramp(20, start, slope)


CASES: list[Case] = [
    case(
        "AwsElastiCacheMemoryExhausting",
        "critical",
        # From half full to full in 30 minutes, from minute 20 on.
        series=[*_WORLD, _usage(_filling(0.5, 1 / 60), _filling(0.5, 0.0085))],
        fires_at=28,
        waits=1,
        keeps=15,
        summary="Cache node sessions-001: memory full in 22m 0s",
        description="sessions-001 of sessions in ap-southeast-3a is 63% full and has been filling for 10 minutes; at this"
        " pace it is full in 22m 0s. Then it refuses writes (OOM) or evicts keys. Find what writes: valkey-cli"
        f" --bigkeys, and which deploy or job began. {_ROOM}",
        variants={
            **_excuses(),
            "it fills a little too slowly": Variant(fires=False, series=[_usage(_filling(0.5, 0.013))]),
            "it is nearly half empty": Variant(fires=False, series=[_usage(_filling(0.43, 0.02))]),
            "a bulk load came": Variant(fires=False, series=[_usage(_bulk)], at=27),
            "a bulk load is over": Variant(fires=False, series=[_usage(_bulk)], at=31),
            "datapoints come in bursts of five": Variant(
                fires=True, series=[_usage(lambda minute: _filling(0.5, 1 / 60)(minute // 5 * 5))], at=32
            ),
            "memory is full by design": Variant(fires=False, series=[_TIERED]),
            "memory and disk fill": Variant(
                fires=True, series=[_TIERED, _usage(1), S(_CAPACITY, NODE, _filling(0.5, 1 / 60))]
            ),
        },
    ),
    case(
        "AwsElastiCacheMemoryFull",
        "critical",
        series=[*_WORLD, _usage(step(20, 0.9, 0.99), step(20, 0.9, 0.975))],
        fires_at=21,
        keeps=10,
        summary="Cache node sessions-001: memory is full (99%)",
        description="sessions-001 of sessions in ap-southeast-3a has no room left and its policy does not evict every key:"
        f" writes fail with OOM, or keys with a TTL are thrown away before their time. {_ROOM}",
        variants={
            **_excuses(),
            "it was for a minute only": Variant(fires=False, series=[_usage(between(21, 22, 0.99, 0.9))]),
            "twice in ten minutes": Variant(fires=False, series=[_usage(scattered((15, 16), 21, 0.99, 0.9))]),
        },
    ),
    case(
        "AwsElastiCacheMemoryExhaustionPredicted",
        "warning",
        series=[*_WORLD, _usage(ramp(0, 0.7, 0.0012), ramp(0, 0.7, 0.0009))],
        fires_at=48,
        keeps=30,
        summary="Cache node sessions-001: memory full in 3h 22m 0s at this pace",
        description="sessions-001 of sessions in ap-southeast-3a is 76% full; at the pace of the last hour it is full in"
        f" 3h 22m 0s. Look at items and TTLs on the dashboard: do keys come without an expiry? {_ROOM}",
        variants={
            **_excuses(),
            "there is much room": Variant(fires=False, series=[_usage(ramp(0, 0.6, 0.0019))]),
            "it shrinks": Variant(fires=False, series=[_usage(ramp(0, 0.9, -0.0012))]),
            "minutes are missing": Variant(
                fires=False,
                series=[_usage(lambda minute: None if 40 <= minute < 55 else 0.7 + 0.0012 * minute)],
                at=58,
            ),
        },
    ),
    case(
        "AwsElastiCacheMemoryHigh",
        "warning",
        series=[*_WORLD, _usage(step(20, 0.8, 0.88), step(20, 0.8, 0.84))],
        fires_at=29,
        keeps=15,
        summary="Cache node sessions-001: memory is 88% full",
        description="sessions-001 of sessions in ap-southeast-3a is nearly full, and its policy does not evict every key:"
        f" when it is full, writes fail with OOM. {_ROOM}",
        variants={
            **_excuses(),
            "it comes and goes": Variant(fires=False, series=[_usage(scattered((5, 14), 28, 0.88, 0.8))], at=34),
            # Two minutes, two more for which the last is taken, and five: nine.
            "it was away for a while": Variant(
                fires=False, series=[away(20, 26), POLICY, _usage(step(18, 0.8, 0.88))], at=30
            ),
        },
    ),
    case(
        "AwsElastiCacheEvictions",
        "warning",
        series=[
            *_WORLD,
            _usage(0.9),
            S("aws_elasticache_node_evictions_per_second", NODE, step(20, 0, 1.15), step(20, 0, 0.9)),
        ],
        fires_at=34,
        keeps=15,
        summary="Cache node sessions-001: evicts 1 keys a second",
        description="sessions-001 of sessions in ap-southeast-3a (90% full) throws keys away before their TTL is over, and"
        " is not set up as a cache that may lose any key (allkeys-*). What is lost: sessions, locks, queue entries."
        f" {_ROOM}",
        variants={
            **_excuses(),
            "it comes and goes": Variant(
                fires=False,
                series=[S("aws_elasticache_node_evictions_per_second", NODE, scattered((5, 9), 30, 5, 0))],
                at=36,
            ),
            "one burst": Variant(
                fires=False, series=[S("aws_elasticache_node_evictions_per_second", NODE, between(25, 26, 30, 0))]
            ),
        },
    ),
]

READINGS: list[Reading] = [
    Reading(
        name="at a steady level there is no time until full",
        series=[*_WORLD, _usage(flat(0.8))],
        expr="node:aws_elasticache_data_usage:seconds_to_full_1h or node:aws_elasticache_data_usage:seconds_to_full_10m",
        at=50,
        samples={},
    ),
    Reading(
        name="where it fills ever quicker, the newer five minutes tell until when",
        series=[
            *_WORLD,
            _usage(lambda minute: 0.5 + 0.01 * min(max(minute - 20, 0), 5) + 0.029 * max(minute - 25, 0)),
        ],
        expr="round(sum(node:aws_elasticache_data_usage:seconds_to_full_10m))",
        at=30,
        samples={"{}": 631},
    ),
    Reading(
        # What it grew by is known of minutes 15 and 21 and 22, not of 23 to 25.
        name="where it is not known how it grew five minutes ago, nothing is foretold",
        series=[away(16, 21), POLICY, _usage(ramp(5, 0.5, 0.01))],
        expr="node:aws_elasticache_data_usage:seconds_to_full_10m",
        at=30,
        samples={},
    ),
    Reading(
        name="where it began just now, nothing is foretold",
        series=[
            *_WORLD,
            _usage(lambda minute: 0.5 + 0.01 * min(max(minute - 20, 0), 5) + 0.031 * max(minute - 25, 0)),
        ],
        expr="node:aws_elasticache_data_usage:seconds_to_full_10m",
        at=30,
        samples={},
    ),
    Reading(
        name="where it fills ever more slowly, too",
        series=[
            *_WORLD,
            _usage(lambda minute: 0.5 + 0.03 * min(max(minute - 20, 0), 5) + 0.01 * max(minute - 25, 0)),
        ],
        expr="round(sum(node:aws_elasticache_data_usage:seconds_to_full_10m))",
        at=30,
        samples={"{}": 1800},
    ),
]
