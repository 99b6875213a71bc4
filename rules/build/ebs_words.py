"""Phrases of the alerts about volumes and nodes (Go templates), and whose an instance is."""

from __future__ import annotations

from rules.build import words
from rules.build.identity import CLUSTER, INSTANCE, listed
from rules.build.model import Alert, Record, Threshold

Rules = tuple[Record | Alert, ...]

BAD_MINUTES = Threshold(0.14, "ratio", "share of the last 20 minutes that were bad; 0.14 is 3 minutes, never 2")

NODE = "Node {{ if $labels.node }}{{ $labels.node }}{{ else }}{{ $labels.instance_id }}{{ end }}"
NODE_DASHBOARD = words.dashboard("ebs-fleet", "cluster", "account_id", "region")

INSTANCE_OWNER = "instance:aws_ebs_owner:info"
_I = listed(INSTANCE)
_NODES = f"group by ({CLUSTER}, instance_id, node) (kubernetes_csinode_driver_info)"


def instance_owners() -> list[Record]:
    """`INSTANCE_OWNER`: exactly one series an instance, with availability_zone, instance_type and the node it is."""
    return [
        Record(
            name="instance:kubernetes_node:info",
            expr=f"{_NODES} unless on ({CLUSTER}, instance_id) (count by ({CLUSTER}, instance_id) ({_NODES}) > 1)",
        ),
        Record(
            name=INSTANCE_OWNER,
            expr=f"""
                group by ({_I}, availability_zone, instance_type) (aws_ebs_instance_info)
                * on ({CLUSTER}, instance_id) group_left (node) (
                  instance:kubernetes_node:info
                  or on ({CLUSTER}, instance_id) group by ({CLUSTER}, instance_id) (aws_ebs_instance_info)
                )
            """,
        ),
    ]


def owned_instance(expr: str) -> str:
    """*expr* (one series an instance and limit) with the instance's zone and node; its value stays."""
    return f"({expr})\n* on ({_I}) group_left (availability_zone, node) {INSTANCE_OWNER}"


def lasted(recording: str, comparison: str, minutes: int, nearest: str = "0.01", over: str = "min_over_time") -> str:
    """
    *recording* as it is now, where it was so for all of the last *minutes*. This is what ``for`` says, but a minute
    without values (another pod of the exporter) does not begin it anew.

    Args:
        comparison: such as ``>= $share``.

        nearest: to what the value is rounded.

        over: ``min_over_time`` where more is worse, else ``max_over_time``.
    """
    return (
        f"round({recording}, {nearest}) and {over}({recording}[{minutes}m]) {comparison} "
        f"and {recording} offset {minutes - 1}m"
    )


def asked(query: str, words_with: str, words_without: str = "") -> str:
    """
    Words that need a second number: *words_with* where the query finds one (it is ``.``), else *words_without*.

    Args:
        query: PromQL with ``%s`` where the volume's id comes in.
    """
    otherwise = f"{{{{ else }}}}{words_without}" if words_without else ""
    return (
        f"{{{{ with query (printf `{query}` $labels.volume_id) }}}}{{{{ with first . | value }}}}"
        f"{words_with}{{{{ end }}}}{otherwise}{{{{ end }}}}"
    )


AWS_VOLUME = "--region {{ $labels.region }} --volume-id {{ $labels.volume_id }}"

PROVISIONED = (
    '{{ if eq $labels.limit "iops" }}'
    + asked(
        'max(aws_ebs_volume_provisioned_iops{volume_id="%s"})', ' It is provisioned for {{ printf "%.0f" . }} IOPS.'
    )
    + "{{ else }}"
    + asked(
        'max(aws_ebs_volume_provisioned_throughput_bytes_per_second{volume_id="%s"}) / 1048576',
        ' It is provisioned for {{ printf "%.0f" . }} MiB/s.',
    )
    + "{{ end }}"
)
"""What the limit in the alert's labels is."""

RAISE = (
    "Raise it online, nothing restarts: aws ec2 modify-volume "
    + AWS_VOLUME
    + '{{ if eq $labels.limit "iops" }}'
    + asked(
        'clamp_max(2 * max(aws_ebs_volume_provisioned_iops{volume_id="%s"}), 80000)', ' --iops {{ printf "%.0f" . }}'
    )
    + "{{ else }}"
    + asked(
        'clamp_max(2 * max(aws_ebs_volume_provisioned_throughput_bytes_per_second{volume_id="%s"}) / 1048576, 2000)',
        ' --throughput {{ printf "%.0f" . }}',
    )
    + "{{ end }} (gp2: --volume-type gp3 first)."
)
"""The first action against a limit: twice of what there is."""

_COOLDOWN = (
    "round(21600 - (time() - max(aws_ebs_volume_modification_start_timestamp_seconds"
    '{volume_id="%s",state!="failed"})), 60) > 0'
)
COOLDOWN = asked(
    _COOLDOWN,
    " It was changed less than 6 hours ago; AWS allows the next change in {{ humanizeDuration . }}.",
    " After a change AWS refuses the next one for 6 hours.",
)
"""Whether AWS allows a change now."""


def named(query: str, of: str, before: str, entry: str, by: str) -> str:
    """
    A sentence that names what a query finds, with commas between; nothing where it finds nothing.

    Args:
        query: PromQL, with ``%s`` for each of *of*.

        of: labels of the alert that come into the query, such as ``$labels.volume_id``.

        before: how the sentence begins.

        entry: one thing, as a template of ``$each``.

        by: label to sort by.
    """
    return (
        f"{{{{ with query (printf `{query}` {of}) }}}}{before}{{{{ range $place, $each := . | sortByLabel `{by}` }}}}"
        f"{{{{ if $place }}}}, {{{{ end }}}}{entry}{{{{ end }}}}.{{{{ end }}}}"
    )


CLAIM_OF_EACH = "{{ $each.Labels.namespace }}/{{ $each.Labels.persistentvolumeclaim }}"

STATUS_CHECKS = named(
    'max by (check, status) (aws_ebs_volume_status_check_info{volume_id="%s",status!~"passed|normal|completed"})',
    "$labels.volume_id",
    " Not passed: ",
    "{{ $each.Labels.check }} is {{ $each.Labels.status }}",
    "check",
)
"""Which checks of the volume's status do not pass."""

_ON_INSTANCE = (
    'group by (namespace, persistentvolumeclaim) (aws_ebs_volume_persistentvolumeclaim_info{persistentvolumeclaim!=""}'
    ' and on (account_id, region, volume_id) aws_ebs_volume_attachment_info{instance_id="%s"})'
)
CLAIMS_OF_INSTANCE = (
    f"{{{{ with query (printf `count({_ON_INSTANCE})` $labels.instance_id) }}}}"
    ' Claims that have their volumes there: {{ first . | value | printf "%.0f" }}.{{ end }}'
    + named(f"topk(5, {_ON_INSTANCE})", "$labels.instance_id", " Among them ", CLAIM_OF_EACH, "persistentvolumeclaim")
)
"""How many claims have a volume on the instance, and five of them."""
