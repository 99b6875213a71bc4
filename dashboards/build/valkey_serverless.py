"""The row about Valkey's serverless caches, which have no nodes: what they hold and do, and their own limits."""

from __future__ import annotations

from dashboards.build.links import SERVERLESS_CONSOLE, to
from dashboards.build.panels import PLACE_KEYS, Column, Key, Panel, Query, Row, Series, State, Table, Timeline
from dashboards.build.thresholds import high, number
from dashboards.build.valkey_terms import BY_SERVERLESS, THROTTLED_LIMIT, serverless

CACHE = Key(
    label="serverless_cache",
    name="Serverless cache",
    links=(to("valkey", "serverless_cache", title="Only this cache"), SERVERLESS_CONSOLE),
)
_DATA_LIMIT = high(critical=number("AwsElastiCacheServerlessDataNearLimit", "usage", of="ratio"))
_ECPU_LIMIT = high(warning=number("AwsElastiCacheServerlessEcpuNearLimit", "usage", of="ratio"))


def row() -> Row:
    """The row."""
    limit = f"max by ({BY_SERVERLESS}) ({serverless('aws_elasticache_serverless_data_storage_limit_bytes')})"
    ecpu_limit = f"max by ({BY_SERVERLESS}) ({serverless('aws_elasticache_serverless_ecpu_limit_per_second')})"
    name = "{{serverless_cache}}"
    unavailable = serverless("serverless:aws_elasticache_unavailable:max")
    latency = "max by (serverless_cache) (last_over_time({}[19m]))"

    def each(recording: str) -> str:
        return f"max by ({BY_SERVERLESS}) ({serverless(recording)})"

    panels: list[Panel] = [
        Table(
            title="Serverless caches",
            says="Each cache, what it holds and does, and how much of its own limits. Without a limit there is no share.",
            height=5,
            keys=[CACHE, *PLACE_KEYS],
            columns=[
                Column(
                    name="State",
                    expr=each("serverless:aws_elasticache_unavailable:max"),
                    states=[State(0, "available", "green"), State(1, "not available", "red")],
                ),
                Column(name="Data", expr=each("serverless:aws_elasticache_used:bytes"), unit="bytes"),
                Column(name="Data limit", expr=limit, unit="bytes"),
                Column(
                    name="Of it",
                    expr=each("serverless:aws_elasticache_data_usage:ratio"),
                    unit="percentunit",
                    limit=_DATA_LIMIT,
                    decimals=0,
                ),
                Column(name="ECPU/s", expr=each("serverless:aws_elasticache_ecpus:per_second"), unit="cps"),
                Column(name="ECPU/s limit", expr=ecpu_limit, unit="cps"),
                Column(
                    name="Of that",
                    expr=each("serverless:aws_elasticache_ecpu_utilization:ratio"),
                    unit="percentunit",
                    limit=_ECPU_LIMIT,
                    decimals=0,
                ),
                Column(
                    name="Throttled",
                    expr=each("serverless:aws_elasticache_throttled_commands:per_second"),
                    unit="cps",
                    limit=THROTTLED_LIMIT,
                ),
            ],
            sort="Serverless cache",
            empty="no serverless cache",
        ),
        Series(
            title="Data held by serverless caches",
            says=(
                "Bytes held, in 4 hours at the pace of the last 6 (dotted), and the limit (dashed). Good: under it; at "
                "the limit keys with a TTL are evicted, then writes fail."
            ),
            unit="bytes",
            queries=[
                Query(serverless("serverless:aws_elasticache_used:bytes"), name),
                Query(
                    f"clamp_min(predict_linear({serverless('serverless:aws_elasticache_used:bytes')}[6h], 4 * 3600), 0)",
                    f"{name} in 4 h",
                    "forecast",
                ),
                Query(limit, f"{name} limit", "limit"),
            ],
            width=8,
        ),
        Series(
            title="Use of the ECPU limit",
            says="Processing units used, of how many the cache may use. Good: under the line; at 100 % it throttles.",
            unit="percentunit",
            queries=[Query(serverless("serverless:aws_elasticache_ecpu_utilization:ratio"), name)],
            limit=_ECPU_LIMIT,
            least=0,
            most=1,
            width=8,
        ),
        Series(
            title="Throttled commands",
            says="Commands a second that wait or fail since the load grew too fast or is over the limit. Good: none.",
            unit="cps",
            queries=[Query(serverless("serverless:aws_elasticache_throttled_commands:per_second"), name)],
            limit=THROTTLED_LIMIT,
            width=8,
        ),
        Timeline(
            title="Serverless caches available",
            says="What AWS says of each cache; changes by order are left out. Good: green throughout.",
            queries=[Query(unavailable, name)],
            states=[State(0, "available", "green"), State(1, "not available", "red")],
            width=12,
            height=6,
        ),
        Series(
            title="Latency of serverless caches (p99)",
            says="How long the slowest hundredth of commands takes. Good: flat; a jump with throttling is the same fault.",
            unit="s",
            queries=[
                Query(
                    latency.format(serverless("aws_elasticache_serverless_read_latency_p99_seconds")), f"{name} reads"
                ),
                Query(
                    latency.format(serverless("aws_elasticache_serverless_write_latency_p99_seconds")), f"{name} writes"
                ),
            ],
            width=12,
            height=6,
        ),
    ]
    return Row(title="Serverless caches", panels=panels)
