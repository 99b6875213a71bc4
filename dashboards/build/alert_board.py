"""
The table of alerts that fire: which, how bad, of what, for how long, with the way to the runbook and to the dashboard of
the thing. `ALERTS` has no annotations, so the thing and its dashboard are found from the alert's labels here.
"""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.build.links import ROW, RUNBOOK
from dashboards.build.panels import Column, Key, State, Table

PROJECT = 'project="storage-exporter",alertstate="firing"'

# An alert may lack account and region (those of claims do), even the cluster; it is shown with every choice of them.
_PLACE = 'cluster=~"$cluster|",account_id=~"$account_id|",region=~"$region|"'

_COMPONENTS = {
    "ebs": "ebs-fleet",
    "claims": "ebs-fleet",
    "nodes": "ebs-fleet",
    "efs": "efs",
    "s3": "s3",
    "observability": "s3",
    "elasticache": "valkey",
    "protection": "overview",
    "exporter": "exporter",
}
"""Component of an alert to the dashboard that it leads to where no label names one thing."""

_THINGS = (
    ("namespace", ""),
    ("job", ""),
    ("rule_group", ""),
    ("operation", ""),
    ("availability_zone", ""),
    ("csi_driver", ""),
    ("node", ""),
    ("instance_id", ""),
    ("key_id", ""),
    ("resource_type", ""),
    ("aws_service", ""),
    ("job_name", ""),
    ("bucket", "s3"),
    ("replication_group_id", "valkey"),
    ("cache_cluster_id", ""),
    ("serverless_cache", "valkey"),
    ("file_system_id", "efs"),
    ("file_system_name", ""),
    ("volume_id", "ebs-volume"),
)
"""Labels that may name the thing, the best last, and the dashboard that has the variable of the label's name."""

_RANKS = (("critical", 3), ("warning", 2), ("info", 1))
SEVERITIES = (State(3, "page", "red"), State(2, "ticket", "orange"), State(1, "info", "blue"))


def alerts(*matchers: str) -> str:
    """
    What fires here.

    Args:
        matchers: further ones, such as ``component="ebs"``.
    """
    return f"ALERTS{{{','.join([PROJECT, _PLACE, *matchers])}}}"


def firing(
    title: str,
    says: str,
    *selections: str,
    scopes: Sequence[str] = (),
    width: int = 24,
    height: int = 6,
    empty: str = "",
) -> Table:
    """
    A table of the alerts that fire.

    Args:
        title: of the panel.

        says: of the panel.

        selections: matchers of `ALERTS`, such as ``component=~"ebs|claims"``; an alert is shown where all of one
            selection hold. None for every alert.

        scopes: PromQL behind a selection of alerts, such as ``and on (volume_id) x``; an alert is shown where one of
            them holds.

        width: of 24 columns.

        height: in rows of the grid.

        empty: shown where nothing fires.
    """
    ranks = " or ".join(
        f"{rank} * {_scoped(chosen(each, selections), scopes)}"
        for rank, each in ((rank, f'severity="{severity}"') for severity, rank in _RANKS)
    )
    # Not ALERTS_FOR_STATE: not every ruler writes it, and this tells of an alert that comes and goes, too.
    every = chosen('severity=~"critical|warning|info"', selections)
    fired = f"60 * {_scoped(f'count_over_time({every}[1d:1m])', scopes)} and {_scoped(every, scopes)}"
    return Table(
        title=title,
        says=says,
        keys=(
            Key(label="alertname", name="Alert", links=(RUNBOOK, ROW), width=310),
            Key(label="resource", name="What", links=(ROW, RUNBOOK)),
            Key(label="page"),
            Key(label="ask"),
        ),
        columns=(
            Column(name="Severity", expr=_named(ranks), states=SEVERITIES, width=75),
            Column(name="Fires for", expr=_named(fired), unit="s", decimals=0, width=95),
        ),
        sort="-Severity",
        empty=empty or "nothing fires",
        width=width,
        height=height,
    )


def chosen(matcher: str, selections: Sequence[str]) -> str:
    """Alerts for which *matcher* and all matchers of one of the *selections* hold."""
    found = " or ".join(alerts(matcher, each) for each in selections) if selections else alerts(matcher)
    return f"({found})" if len(selections) > 1 else found


def _scoped(selected: str, scopes: Sequence[str]) -> str:
    return f"({' or '.join(f'({selected} {scope})' for scope in scopes)})" if scopes else selected


def _named(expr: str) -> str:
    """The alerts of *expr* with the labels resource (words), page (of its dashboard) and ask (its variable there)."""
    for component, page in _COMPONENTS.items():
        expr = f'label_replace({expr}, "page", "{page}", "component", "{component}")'
    for label, page in _THINGS:
        expr = f'label_replace({expr}, "resource", "$1", "{label}", "(.+)")'
        if page:
            expr = f'label_replace({expr}, "page", "{page}", "{label}", ".+")'
            expr = f'label_replace({expr}, "ask", "var-{label}=$1", "{label}", "(.+)")'
    # A claim is what people know; its volume, where the alert has one, stays the better way to the dashboard.
    expr = f'label_join({expr}, "claim", "/", "namespace", "persistentvolumeclaim")'
    expr = f'label_replace({expr}, "resource", "$1", "claim", "(.+/.+)")'
    expr = f'label_join({expr}, "claim", "//", "volume_id", "file_system_id", "namespace", "persistentvolumeclaim")'
    expr = f'label_replace({expr}, "page", "ebs-volume", "claim", "////.+//.+")'
    asked = "var-namespace=$1&var-persistentvolumeclaim=$2"
    expr = f'label_replace({expr}, "ask", "{asked}", "claim", "////(.+)//(.+)")'
    return f"max by (alertname, resource, page, ask) ({expr})"
