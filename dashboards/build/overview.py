"""
Storage overview: is storage well? `overview_first` has what runs out, `overview_rows` the services, the data's age, the
money and the exporter, `overview_backups` recovery points and keys.
"""

from __future__ import annotations

from dashboards.build import overview_backups, overview_first, overview_rows
from dashboards.build.alert_board import alerts, firing
from dashboards.build.links import to
from dashboards.build.page import Change, Page
from dashboards.build.panels import Query, Row, Stat, State, Table
from dashboards.build.queries import where
from dashboards.build.thresholds import TIME_LEFT, high, number

_SAYS = (
    "Is storage well? What fires, what will run out first, how old the data is, and one block a service. Everything "
    "leads to the dashboard that explains it."
)


def page() -> Page:
    """The dashboard."""
    return Page(
        uid="overview",
        title="Storage overview",
        says=_SAYS,
        rows=(
            Row(title="Is storage well?", panels=(*_words(), _alerts(), overview_first.table(width=9, height=9))),
            Row(title="The services", panels=overview_rows.services()),
            Row(title="How old is the data?", panels=overview_rows.ages()),
            *overview_backups.rows(),
            Row(title="Spend on AWS's API", panels=overview_rows.money()),
            Row(title="The exporter's own errors", panels=overview_rows.errors(), folded=True),
        ),
        changes=_changes(),
    )


# The labels by which alerts are of one thing; others, such as a node, may change while the alert goes on.
_THING = (
    "alertname, cluster, account_id, region, namespace, persistentvolumeclaim, volume_id, instance_id, file_system_id, "
    "bucket, replication_group_id, cache_cluster_id, serverless_cache, key_id, aws_service, job_name, resource_type, "
    "availability_zone, csi_driver"
)


def _firing(title: str, says: str, severity: str, colour: str) -> Stat:
    # The watchdog always fires: without it no rule is evaluated, and nothing firing means nothing.
    bad = alerts(f'severity="{severity}"')
    alive = alerts('alertname="StorageExporterWatchdog"')
    return Stat(
        title=title,
        says=says,
        unit="none",
        queries=(Query(f"count(group by ({_THING}) ({bad})) or 0 * count({alive})"),),
        limit=high(critical=1) if colour == "red" else high(warning=1),
        states=(State(0, "none", "green"), State(None, "rules do not run", "red")),
        empty="rules do not run",
        width=3,
    )


def _words() -> tuple[Stat, ...]:
    age = where("service:storage_exporter_data_age:seconds")
    by = "cluster, account_id, region, aws_service"
    limit = f"max by ({by}) ({where('storage_exporter_data_age_limit_seconds')})"
    return (
        _firing("Pages", "Alerts that page somebody and fire now. Good is none.", "critical", "red"),
        _firing("Tickets", "Alerts that make a ticket and fire now. Good is none or known ones.", "warning", "orange"),
        Stat(
            title="Data",
            says=(
                "Fresh, or the age of the worst service whose newest datapoint is older than its limit. While data is "
                "old, other panels and alerts are blind."
            ),
            unit="s",
            decimals=0,
            queries=(Query(f"max({age} > on ({by}) {limit}) or 0 * max({age})"),),
            limit=high(
                warning=number("StorageExporterCloudWatchLate", "age", of="seconds"),
                critical=number("StorageExporterDataStale", "late_age", of="seconds"),
            ),
            states=(State(0, "fresh", "green"), State(None, "no data at all", "red")),
            empty="no data at all",
            width=3,
        ),
        Stat(
            title="Runs out first",
            says="The soonest end of a credit, balance, space, memory or key. Good is nothing, or weeks.",
            unit="s",
            decimals=1,
            queries=(Query(f"min({overview_first.soonest()})"),),
            limit=TIME_LEFT,
            states=(State(None, "nothing does", "green"),),
            empty="nothing does",
            width=3,
        ),
        Stat(
            title="Backups too old",
            says="Volumes, file systems, buckets and caches whose newest backup is older than two days. Good is none.",
            unit="none",
            queries=(Query(overview_backups.too_old()),),
            limit=high(warning=1),
            states=(State(0, "none", "green"), State(None, "no backup at all", "orange")),
            empty="no backup at all",
            width=3,
        ),
        Stat(
            title="Not backed up",
            says="Claims on volumes that nothing has ever backed up. Good is only those that can be lost.",
            unit="none",
            queries=(Query(overview_backups.without()),),
            limit=high(warning=1),
            states=(State(0, "none", "green"), State(None, "no claims known", "gray")),
            empty="no claims known",
            width=3,
        ),
        Stat(
            title="Exporter",
            says="Whether a replica of the exporter asks AWS. Good is works; else no number here moves.",
            unit="none",
            queries=(Query(f"max({where('storage_exporter_leader', place=('cluster',))})"),),
            states=(State(1, "works", "green"), State(0, "no leader", "red"), State(None, "not seen", "red")),
            empty="not seen",
            leads=(to("exporter", title="Open exporter"),),
            width=3,
        ),
        Stat(
            title="AWS API / month",
            says="What a month of asking AWS costs, as the last hour went. Good is below the budget.",
            unit="currencyUSD",
            decimals=0,
            queries=(Query(f"sum({overview_rows.spent('1h')})"),),
            empty="not known",
            leads=(to("exporter", title="Open exporter"),),
            width=3,
        ),
    )


def _alerts() -> Table:
    return firing(
        "What fires now",
        "All alerts that fire, pages first, and for how long within the last day. Good is nothing. An alert leads to its runbook, a thing to its dashboard.",
        width=15,
        height=9,
        empty="nothing fires",
    )


def _changes() -> tuple[Change, ...]:
    pods = where("kubernetes_pod_persistentvolumeclaim_info", place=("cluster",), also='owner_kind!="Job"')
    by = "cluster, namespace, pod_name, owner_kind, owner_name"
    going_on = where("aws_ebs_volume_modification_info", also='state=~"modifying|failed"')
    reload = where("storage_exporter_config_last_reload_timestamp_seconds", place=("cluster",))
    builds = where("storage_exporter_build_info", place=("cluster",))
    new_pods = f"group by ({by}) ({pods}) unless group by ({by}) ({pods} offset 10m)"
    return (
        Change(
            name="Rollouts of workloads with claims",
            # Where nothing was known ten minutes ago, everything would be new.
            expr=(
                f"count by (namespace, owner_kind, owner_name) ({new_pods} "
                f"and on (cluster) group by (cluster) ({pods} offset 10m))"
            ),
            title="New pods of {{owner_kind}} {{namespace}}/{{owner_name}}",
            text="A rollout, a restart or a move to another node",
            colour="green",
        ),
        Change(
            name="Volume modifications",
            expr=f"group by (volume_id, state, original_volume_type, target_volume_type) ({going_on})",
            title="Volume {{volume_id}}: {{state}}",
            text="from {{original_volume_type}} to {{target_volume_type}}",
            colour="purple",
        ),
        Change(
            name="Cache failovers",
            expr=f"group by (replication_group_id, cache_cluster_id) ({where('node:aws_elasticache_promoted:info')})",
            title="{{cache_cluster_id}} became primary of {{replication_group_id}}",
            colour="orange",
        ),
        Change(
            name="Exporter's configuration",
            expr=f"time() - max by (cluster) ({reload}) < 120",
            title="The exporter of {{cluster}} read its configuration",
            colour="blue",
        ),
        Change(
            name="Exporter's version",
            expr=(
                f"group by (cluster, version) ({builds}) unless group by (cluster, version) ({builds} offset 10m) "
                f"and on (cluster) group by (cluster) ({builds} offset 10m)"
            ),
            title="Exporter {{version}} in {{cluster}}",
            colour="blue",
        ),
    )
