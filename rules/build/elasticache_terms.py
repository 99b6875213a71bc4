"""What the rules about caches share: whose a node is, how bad minutes are counted, numbers and names for texts."""

from __future__ import annotations

from collections.abc import Sequence

from rules.build.identity import GROUP, NODE, SERVERLESS, listed
from rules.build.model import Record

SHARD = (*GROUP, "node_group_id")
"""Identity of a shard; a group with cluster mode disabled has one."""

NODES, GROUPS, SHARDS, CACHES = listed(NODE), listed(GROUP), listed(SHARD), listed(SERVERLESS)
ACCOUNTS = listed(("cluster", "account_id", "region"))

OWNER = "node:aws_elasticache_owner:info"
NODE_INFO, GROUP_INFO = "aws_elasticache_node_info", "aws_elasticache_replication_group_info"
SERVERLESS_INFO = "aws_elasticache_serverless_info"
IS_PRIMARY = "node:aws_elasticache_is_primary:newest"

TIERED = f'{NODE_INFO}{{node_type=~"cache[.][a-z]+[0-9]+gd[.].+"}}'
"""Nodes that keep cold values on disk: their memory is full by design, what counts is memory and disk."""

TWO_CPUS = r"cache[.](t[34]g?[.](micro|small|medium)|t2[.]medium|[a-z]+[0-9][a-z0-9]*[.]large)"
"""Node types of two vCPUs. Those with one (T2 micro and small, old mediums) are judged like large ones, at 90 %."""

_ZONES = f"group by ({NODES}, availability_zone) ({NODE_INFO})"


def owners() -> Record:
    """A series a node with its availability_zone; where two zones are told for a moment, or none, without."""
    return Record(
        name=OWNER,
        expr=f"({_ZONES} unless on ({NODES}) (count by ({NODES}) ({_ZONES}) > 1)) or on ({NODES}) group by ({NODES}) ({NODE_INFO})",
    )


def owned(expr: str) -> str:
    """*expr* (one series a node) with the node's zone; its value stays."""
    return f"({expr})\n* on ({NODES}) group_left (availability_zone) {OWNER}"


def minutes_of(recording: str, bad: str, window: int, by: str = NODES, nearest: str = "") -> str:
    """
    *recording* as it is now, where it was bad in at least ``$minutes`` of the last *window* minutes. A good minute or a
    missing one (another pod) does not begin the count anew, as ``for`` would.

    Args:
        bad: such as ``> bool $usage``.

        nearest: what the value is rounded to, for texts; "" for not.
    """
    value = f"round({recording}, {nearest})" if nearest else recording
    return f"{value}\nand on ({by}) (sum_over_time((last_over_time({recording}[2m]) {bad})[{window}m:1m]) >= $minutes)"


def matched(labels: Sequence[str]) -> tuple[str, str]:
    """A selector for templates' ``printf`` (``a='%s',…``), and its arguments."""
    return ",".join(f"{label}='%s'" for label in labels), " ".join(f"$labels.{label}" for label in labels)


def number_now(recording: str, labels: Sequence[str], form: str, nearest: str = "0.01") -> str:
    """The value of a recording now, for a text: *form* is a template's pipeline such as ``humanizePercentage``."""
    selector, given = matched(labels)
    return (
        f'{{{{ with printf "round({recording}{{{selector}}}, {nearest})" {given} | query }}}}'
        f"{{{{ . | first | value | {form} }}}}{{{{ end }}}}"
    )


def names_now(expr: str, labels: Sequence[str], name: str, unknown: str) -> str:
    """
    The names that an expression gives now, at most five, for a text.

    Args:
        expr: with ``@`` where matchers for *labels* belong; it may use no double quotes.

        name: the label.

        unknown: what stands there where it gives none.
    """
    selector, given = matched(labels)
    full = f"topk(5, group by ({name}) ({' '.join(expr.split())}))"
    arguments = " ".join([given] * full.count("@"))
    return (
        f'{{{{ with printf "{full.replace("@", selector)}" {arguments} | query }}}}'
        f'{{{{ range . | sortByLabel "{name}" }}}} {{{{ .Labels.{name} }}}}{{{{ end }}}}'
        f"{{{{ else }}}} {unknown}{{{{ end }}}}"
    )


DESCRIBE = (
    "aws elasticache describe-replication-groups --region {{ $labels.region }} "
    "--replication-group-id {{ $labels.replication_group_id }}"
)
NODE_IN = (
    "{{ $labels.cache_cluster_id }}{{ if $labels.replication_group_id }} of {{ $labels.replication_group_id }}{{ end }}"
    "{{ if $labels.availability_zone }} in {{ $labels.availability_zone }}{{ end }}"
)
"""A node, its group and its zone, for a description."""

SERVERLESS_CONSOLE = (
    "https://{{ $labels.region }}.console.aws.amazon.com/elasticache/home?region={{ $labels.region }}#/valkey"
)
