"""Tables of Valkey's nodes and groups: what there is, how it is protected, what happened to it."""

from __future__ import annotations

from dashboards.build.links import GROUP_CONSOLE, Link, to
from dashboards.build.panels import PLACE_KEYS, Column, Key, Row, State, Table
from dashboards.build.queries import where
from dashboards.build.thresholds import high, low, number
from dashboards.build.valkey_serverless import CACHE
from dashboards.build.valkey_terms import (
    BY_GROUP,
    BY_NODE,
    ENGINE_LIMIT,
    ETA_LIMIT,
    LAG_LIMIT,
    USAGE_LIMIT,
    engines,
    group,
    soon,
    stores,
)

_BACKUP_LIMIT = high(warning=number("AwsElastiCacheBackupTooOld", "max_age", of="seconds"))

_YES_NO = (State(1, "yes", "green"), State(0, "no", "orange"))
_GROUP_LINKS = (to("valkey", "replication_group_id", title="Only this group"), GROUP_CONSOLE)
_GROUP = Key(label="replication_group_id", name="Group", links=_GROUP_LINKS)

_EVENTS_CONSOLE = Link(
    "Events in the AWS console",
    "https://${__data.fields.region}.console.aws.amazon.com/elasticache/home?region=${__data.fields.region}#/events",
    new=True,
)
_EVENT = "aws_elasticache_event_timestamp_seconds"


def events(offset: str = "") -> str:
    """
    When the newest event of its kind happened to what is chosen, in unix seconds.

    Args:
        offset: PromQL's, such as ``offset 5m``.
    """
    # Nodes are named after their group; what happens to a cluster without a group is shown with all groups only.
    of_groups = where(_EVENT, also='source_type!~"serverless.*",source=~"$replication_group_id(-[0-9-]+)?"')
    of_caches = where(_EVENT, also='source_type=~"serverless.*",source=~"$serverless_cache"')
    by = "cluster, account_id, region, source_type, source, event"
    return f"max by ({by}) ({of_groups} {offset} or {of_caches} {offset})"


def nodes() -> Row:
    """A row a node."""
    owner = engines(group("node:aws_elasticache_owner:info"))
    # What may have two series for a moment (a shard, a text that changes) stands on the many side of a join.
    shards = f"max by ({BY_NODE}, node_group_id) ({group('aws_elasticache_node_shard_info')})"
    stands = f"({shards} * on ({BY_NODE}) group_left (availability_zone) ({owner}) or on ({BY_NODE}) ({owner}))"
    by = f"{BY_NODE}, node_group_id, availability_zone"

    def placed(expr: str) -> str:
        return f"max by ({by}) ({stands} * on ({BY_NODE}) group_left () ({expr}))"

    dead = group("node:aws_elasticache_dead:info")
    role = f"-1 * {dead} or on ({BY_NODE}) {group('node:aws_elasticache_is_primary:newest')} or on ({BY_NODE}) 2 * ({owner})"
    full = f"{soon()} or on ({BY_NODE}) {stores(group('node:aws_elasticache_data_usage:seconds_to_full_1h'))}"
    table = Table(
        title="Nodes",
        says=(
            "Each node, the fullest first. A group's name leads to this page for that group alone, and to AWS's console. "
            "Good: green, and a replica in another zone for each primary."
        ),
        height=9,
        keys=[
            Key(label="replication_group_id", name="Group", links=_GROUP_LINKS, width=150),
            Key(label="node_group_id", name="Shard", width=70),
            Key(label="cache_cluster_id", name="Node", width=170),
            Key(label="availability_zone", name="Zone", width=150),
            Key(label="cache_node_id"),
            *PLACE_KEYS,
        ],
        columns=[
            Column(
                name="Role",
                expr=placed(role),
                states=[
                    State(1, "primary", "blue"),
                    State(0, "replica", "green"),
                    State(-1, "silent", "red"),
                    State(2, "not known", "gray"),
                ],
                width=90,
            ),
            Column(
                name="Memory",
                expr=placed(group("node:aws_elasticache_data_usage:ratio")),
                unit="percentunit",
                limit=USAGE_LIMIT,
                decimals=0,
                width=90,
            ),
            Column(name="Full in", expr=placed(full), unit="s", limit=ETA_LIMIT, decimals=0, width=100),
            Column(
                name="Engine CPU",
                expr=placed(group("node:aws_elasticache_engine_cpu_utilization:ratio")),
                unit="percentunit",
                limit=ENGINE_LIMIT,
                decimals=0,
                width=100,
            ),
            Column(
                name="Connections",
                expr=placed(group("node:aws_elasticache_connections:max")),
                unit="short",
                decimals=0,
                width=110,
            ),
            Column(
                name="Of their limit",
                expr=placed(group("node:aws_elasticache_connections_utilization:ratio")),
                unit="percentunit",
                limit=high(warning=number("AwsElastiCacheConnectionsNearLimit", "usage", of="ratio")),
                decimals=0,
                width=110,
            ),
            Column(
                name="Lag",
                expr=placed(group("node:aws_elasticache_replication_lag:seconds")),
                unit="s",
                limit=LAG_LIMIT,
                width=80,
            ),
            Column(
                name="Evictions",
                expr=placed(group("node:aws_elasticache_evictions:per_second")),
                unit="cps",
                width=100,
            ),
        ],
        sort="-Memory",
        empty="no node",
    )
    return Row(title="Nodes", panels=[table])


def rows() -> list[Row]:
    """What changes by the day, in reading order."""
    return [
        Row(title="Events, backups and updates", panels=[_events(), _backups(), _updates()]),
        Row(title="Protection: encryption, logins, zones", panels=[_groups()], folded=True),
        Row(title="Auto scaling", panels=[_targets()], folded=True),
    ]


def _events() -> Table:
    return Table(
        title="Events",
        says="What ElastiCache did to groups, nodes and caches, the newest first; the last of each kind, for 14 days.",
        keys=[
            Key(label="source", name="What", links=[_EVENTS_CONSOLE], width=150),
            Key(label="event", name="Event"),
            Key(label="source_type", name="Kind"),
            *PLACE_KEYS,
        ],
        columns=[
            Column(
                name="When",
                expr=f"1000 * {events()}",
                unit="dateTimeFromNow",
                width=130,
            )
        ],
        sort="-When",
        empty="no event",
        width=12,
        height=9,
    )


def _backups() -> Table:
    kinds = ("replication_group_id", "serverless_cache", "cache_cluster_id")
    by = f"cluster, account_id, region, {', '.join(kinds)}"
    chosen = where("cache:aws_elasticache_last_snapshot:timestamp", "replication_group_id", "serverless_cache")
    kept = " or ".join(
        where(f"aws_elasticache_{kind}_snapshot_retention_seconds", *variables)
        for kind, variables in (
            ("replication_group", ("replication_group_id",)),
            ("serverless", ("serverless_cache",)),
            ("cluster", ()),
        )
    )
    return Table(
        title="Last backups",
        says=(
            "Age of the newest automatic snapshot, where they are on, and for how long they are kept. Good: under a day. "
            "What is not here has no backups."
        ),
        keys=[_GROUP, CACHE, Key(label="cache_cluster_id", name="Single cluster"), *PLACE_KEYS],
        columns=[
            Column(name="Age", expr=f"time() - max by ({by}) ({chosen})", unit="s", limit=_BACKUP_LIMIT, decimals=0),
            Column(
                name="Kept for",
                expr=f"max by ({by}) ({kept}) and max by ({by}) ({chosen})",
                unit="s",
                decimals=0,
            ),
        ],
        sort="-Age",
        empty="no cache has automatic backups",
        width=12,
        height=9,
    )


def _updates() -> Table:
    own = "cluster, account_id, region, replication_group_id, cache_cluster_id, service_update"
    words = f"{own}, severity, action_status, nodes_updated"
    info = f"max by ({words}) ({group('aws_elasticache_update_action_info')})"
    until = f"max by ({own}) ({group('aws_elasticache_update_action_apply_by_timestamp_seconds')})"
    left = f"{info} * on ({own}) group_left () ({until} - time())"
    return Table(
        title="Service updates",
        says=(
            "Updates that AWS offers, with the time left to apply them. Good: none overdue; after that AWS may apply them "
            "in a maintenance window by itself, with a failover."
        ),
        keys=[
            _GROUP,
            Key(label="cache_cluster_id", name="Single cluster"),
            Key(label="service_update", name="Update"),
            Key(label="severity", name="Severity"),
            Key(label="action_status", name="State"),
            Key(label="nodes_updated", name="Nodes done"),
            *PLACE_KEYS,
        ],
        columns=[
            Column(
                name="Time left",
                expr=left,
                unit="s",
                limit=low(warning=-number("AwsElastiCacheUpdateOverdue", "overdue", of="seconds")),
                decimals=0,
            )
        ],
        sort="Time left",
        empty="no update is offered",
        height=5,
    )


def _groups() -> Table:
    words = "node_type, status"
    by = f"{BY_GROUP}, {words}"
    info = f"max by ({by}) ({group('aws_elasticache_replication_group_info')})"

    def told(name: str) -> str:
        metric = group(f"aws_elasticache_replication_group_{name}")
        return f"{info} * on ({BY_GROUP}) group_left () max by ({BY_GROUP}) ({metric})"

    def answer(name: str, heading: str) -> Column:
        return Column(name=heading, expr=told(name), states=_YES_NO, width=100)

    # By a password of the group, or by users of groups.
    password = told("auth_token_enabled")
    login = f"clamp_max({told('user_groups')}, 1) > 0 or on ({BY_GROUP}) {password}"
    return Table(
        title="Replication groups",
        says="How each group is protected. Good: yes throughout; what is kept cannot be read on its way or at rest.",
        height=8,
        keys=[
            _GROUP,
            Key(label="node_type", name="Node type"),
            Key(label="status", name="State"),
            *PLACE_KEYS,
        ],
        columns=[
            Column(name="Shards", expr=told("shards"), width=80),
            Column(name="Nodes", expr=told("members"), width=80),
            answer("multi_az_enabled", "Several zones"),
            answer("automatic_failover_enabled", "Fails over"),
            answer("transit_encryption_required", "TLS only"),
            answer("at_rest_encryption_enabled", "Encrypted"),
            Column(name="Login needed", expr=login, states=_YES_NO, width=120),
            answer("backups_enabled", "Backups"),
            answer("auto_minor_version_upgrade_enabled", "New minors"),
        ],
        sort="Group",
        empty="no replication group",
    )


def _targets() -> Table:
    by = f"{BY_GROUP}, cache_cluster_id, scalable_dimension"

    def bound(end: str) -> str:
        return f"max by ({by}) ({group(f'aws_elasticache_scalable_target_{end}_capacity')})"

    return Table(
        title="Auto scaling targets",
        says="What may scale by itself, and between which ends. Good: not at its maximum, and not suspended.",
        keys=[
            _GROUP,
            Key(label="cache_cluster_id", name="Single cluster"),
            Key(label="scalable_dimension", name="What scales"),
            *PLACE_KEYS,
        ],
        columns=[
            Column(name="From", expr=bound("minimum")),
            Column(name="To", expr=bound("maximum")),
            Column(
                name="Room",
                expr=f"max by ({by}) ({group('scalable_target:aws_elasticache_at_maximum:max')})",
                states=[State(0, "has room", "green"), State(1, "at its maximum", "orange")],
            ),
            Column(
                name="Suspended",
                expr=f"max by ({by}) ({group('scalable_target:aws_elasticache_suspended:max')})",
                states=[State(0, "no", "green"), State(1, "suspended", "orange")],
            ),
        ],
        sort="Group",
        empty="nothing scales by itself",
        height=6,
    )
