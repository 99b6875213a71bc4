"""
What will run out first: the time to exhaustion over all services in one vector, with the labels kind (of what), name (of
the thing), page and ask (its dashboard and variable).
"""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.build.links import ROW
from dashboards.build.panels import Column, Key, Table
from dashboards.build.queries import where
from dashboards.build.thresholds import DAY, TIME_LEFT, number
from dashboards.build.volumes import by_id, named

_SOON = 4 * 3600
"""A short trend counts only when its end is near: over half an hour almost everything grows or shrinks a little."""
_FAR = 30 * DAY
"""What ends later is no news at night."""

_CLUSTER = ("cluster",)
_FILE_SYSTEM = "cluster, account_id, region, file_system_id"
_NODE = "cluster, account_id, region, replication_group_id, cache_cluster_id, cache_node_id"


def soonest() -> str:
    """Seconds until something is exhausted, one series a thing; what does not run out has none."""
    branches = [each() for each in (_credits, _bursts, _claims, _caches, _keys)]
    return f"({' or '.join(branches)}) < {_FAR:g}"


def table(*, width: int, height: int) -> Table:
    """The table, the soonest end first."""
    return Table(
        title="What will run out first",
        says=(
            "Time until something is exhausted if it goes on as lately: EFS and EBS bursts, space, cache memory, keys. "
            "Good is empty or weeks; red ends within a day."
        ),
        keys=(
            Key(label="name", name="What", links=(ROW,)),
            Key(label="kind", name="Of", width=170),
            Key(label="page"),
            Key(label="ask"),
        ),
        columns=(Column(name="Runs out in", expr=soonest(), unit="s", decimals=1, limit=TIME_LEFT, width=120),),
        sort="Runs out in",
        empty="nothing runs out within 30 days",
        width=width,
        height=height,
    )


def _branch(expr: str, kind: str, page: str, names: Sequence[str], ask: str, label: str, pattern: str = "(.+)") -> str:
    """
    A part of the union.

    Args:
        expr: seconds.

        kind: words.

        page: uid of the dashboard, without the prefix.

        names: labels with the thing's name, the best last.

        ask: the dashboard's variables, with ``$1`` and so on for what `pattern` finds in `label`.

        label: see there.

        pattern: see there.
    """
    made = f'label_replace(label_replace({expr}, "kind", "{kind}", "", ""), "page", "{page}", "", "")'
    for name in names:
        made = f'label_replace({made}, "name", "$1", "{name}", "(.+)")'
    return f'min by (kind, name, page, ask) (label_replace({made}, "ask", "{ask}", "{label}", "{pattern}"))'


def _either(long: str, short: str) -> str:
    """The end by the long trend, and that by the short one where it is near; a label tells the two apart."""
    far = f'label_replace({long}, "trend", "long", "", "")'
    near = f'label_replace({short} < {_SOON}, "trend", "short", "", "")'
    return f"({far} or {near})"


def _credits() -> str:
    ends = _either(
        where("filesystem:aws_efs_burst_credits:seconds_to_zero_6h"),
        where("filesystem:aws_efs_burst_credits:seconds_to_zero_30m"),
    )
    owners = f"group by ({_FILE_SYSTEM}, file_system_name) ({where('filesystem:aws_efs_owner:info')})"
    known = f"{ends} * on ({_FILE_SYSTEM}) group_left (file_system_name) {owners}"
    names = ("file_system_id", "file_system_name")
    return _branch(known, "EFS burst credits", "efs", names, "var-file_system_id=$1", "file_system_id")


def _bursts() -> str:
    ends = named(by_id(where("volume:aws_ebs_burst_balance:eta_seconds")))
    return _branch(ends, "EBS burst balance", "ebs-volume", (), "var-volume_id=$1", "volume_id")


def _claims() -> str:
    kubelet = _either(
        where("claim:kubelet_full:eta6h_seconds", place=_CLUSTER),
        where("claim:kubelet_full:eta20m_seconds", place=_CLUSTER),
    )
    filling = number("ObservabilityFlushFailingDiskFilling", "time", of="seconds")
    stack = f"{where('claim:observability_volume:seconds_to_full', place=_CLUSTER)} < {filling:g}"
    both = f'{kubelet} or label_replace({stack}, "trend", "observability", "", "")'
    joined = f'label_join({both}, "claim", "/", "namespace", "persistentvolumeclaim")'
    ask = "var-namespace=$1&var-persistentvolumeclaim=$2"
    return _branch(joined, "space in the claim", "ebs-volume", ("claim",), ask, "claim", "(.+)/(.+)")


def _caches() -> str:
    ends = _either(
        where("node:aws_elasticache_data_usage:seconds_to_full_1h"),
        where("node:aws_elasticache_data_usage:seconds_to_full_10m"),
    )
    # A cache that may evict any key is always full; that is its work.
    known = f"{ends} unless on ({_NODE}) {where('node:aws_elasticache_evicts_any_key:info')}"
    ask = "var-replication_group_id=$1"
    return _branch(known, "Valkey memory", "valkey", ("cache_cluster_id",), ask, "replication_group_id")


def _keys() -> str:
    used = f"on (cluster, account_id, region, key_id) ({where('key:aws_kms_resources:sum')} > 0)"
    gone = f"{where('aws_kms_key_deletion_timestamp_seconds')} - time() and {used}"
    expired = f"{where('aws_kms_key_material_expiry_timestamp_seconds')} - time() and {used}"
    branches = [
        _branch(gone, "key: deleted", "overview", ("key_id",), "", "key_id"),
        _branch(expired, "key: material expires", "overview", ("key_id",), "", "key_id"),
    ]
    return " or ".join(branches)
