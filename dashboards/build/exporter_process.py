"""Rows about the exporter's own life: logs, replicas, process, Kubernetes' API, configuration and rules."""

from __future__ import annotations

from dashboards.build.exporter_terms import LAG_LIMIT, REPLICA, grown, here, once, rules_failed
from dashboards.build.links import to
from dashboards.build.panels import Column, Key, Logs, Panel, Query, Row, Series, State, Table, Timeline
from dashboards.build.queries import where
from dashboards.build.thresholds import high, low, number

_STREAM = '{container="storage-exporter", cluster=~"$cluster"}'
_CRASHES = (
    r"^\s*(?:\+ Exception Group )?Traceback \(most recent call last\):|^Fatal Python error: |^storage-exporter: |"
    r"^\S+\.ya?ml: "
)
_SELF = f"group by ({REPLICA}) ({here('storage_exporter_build_info')})"
_NAME = "{{pod}}{{replica}}"


def rows() -> list[Row]:
    """In reading order."""
    return [
        Row(title="What it logs", panels=_logs()),
        Row(title="Replicas and process", panels=[*_replicas(), *_process()]),
        Row(title="Kubernetes", panels=_kubernetes(), folded=True),
        Row(title="Configuration, identity and rules", panels=_configuration(), folded=True),
    ]


def _logs() -> list[Logs]:
    return [
        Logs(
            title="Errors, warnings and crashes",
            says="What the exporter calls an error or a warning, and tracebacks. Good: nothing; each line says the next step.",
            expr=f'{_STREAM} |~ `"level":"(?:error|warning)"|{_CRASHES}`',
            height=9,
        ),
    ]


def _replicas() -> list[Panel]:
    leader = f"max by ({REPLICA}) ({here('storage_exporter_leader')})"
    return [
        Timeline(
            title="Who leads",
            says="A band a replica. One leads (one a shard) and asks AWS, the others wait. Good: one blue band, few changes.",
            queries=[Query(leader, _NAME)],
            states=[State(1, "leads", "blue"), State(0, "waits", "green")],
            width=12,
            height=6,
        ),
        Series(
            title="The Lease",
            empty="No election: one replica, or Kubernetes is not asked.",
            says=(
                "Since when the leader last renewed it, how long that takes, and attempts that failed. Good: seconds; else "
                "the API server is slow or RBAC on leases is missing. Empty where there is no election."
            ),
            unit="s",
            queries=[
                Query(f"time() - {once('lease_last_renew_timestamp_seconds')}", "{{cluster}} last renewed"),
                Query(once("lease_renew_duration_seconds"), "{{cluster}} renewing takes"),
            ],
            width=6,
            height=6,
        ),
        Series(
            title="Changes of leader",
            says="Times that a replica became the leader, and attempts on the Lease that failed. Good: only with a roll-out.",
            unit="short",
            queries=[
                Query(grown("lease_transitions", "cluster"), "{{cluster}} new leader", "bars"),
                Query(grown("lease_failures", "cluster", "code"), "{{cluster}} failed: {{code}}", "bars"),
            ],
            width=6,
            height=6,
        ),
    ]


def _process() -> list[Series]:
    # The families of a process are those of every program: only what the exporter's replicas say is taken.
    own = f"and on ({REPLICA}) {_SELF}"
    memory = here("process_resident_memory_bytes")
    cpu = here("process_cpu_seconds_total")
    return [
        Series(
            title="Memory",
            says="Resident memory of each replica. Good: level after the first hour; a rise without end is a leak.",
            unit="bytes",
            queries=[Query(f"max by ({REPLICA}) ({memory} {own})", _NAME)],
            width=6,
            height=7,
        ),
        Series(
            title="CPU",
            says="CPUs that each replica uses. Good: a twentieth of one; at its limit all answers come late.",
            unit="short",
            queries=[Query(f"max by ({REPLICA}) (rate({cpu}[$__rate_interval]) {own})", _NAME)],
            width=6,
            height=7,
        ),
        Series(
            title="Event loop late",
            says="By how much the process was late at most in a minute, and how often it stood still for 15 s. Good: neither.",
            unit="s",
            queries=[
                Query(once("event_loop_lag_seconds"), "{{cluster}} late by"),
                Query(grown("event_loop_stalls", "cluster"), "{{cluster}} stood still", "right", "short"),
            ],
            limit=LAG_LIMIT,
            width=6,
            height=7,
        ),
        Series(
            title="Duration of scrapes",
            empty="It pushes, or whoever scrapes it does not say.",
            says="How long it takes to read the page, as whoever scrapes it says. Good: under a second. Empty where it pushes.",
            unit="s",
            queries=[Query(f"max by (cluster) ({here('scrape_duration_seconds')} {own})", "{{cluster}}")],
            width=6,
            height=7,
        ),
    ]


def _kubernetes() -> list[Panel]:
    contact = f"time() - {once('kubernetes_last_contact_timestamp_seconds', 'kind')}"
    return [
        Timeline(
            title="Kinds known",
            says="A band a kind of object. Not known: pages name volumes by AWS's tags, and alerts about it are blind.",
            queries=[Query(once("kubernetes_kind_known", "kind"), "{{cluster}} {{kind}}")],
            states=[State(1, "known", "green"), State(0, "not known", "red")],
            width=12,
            height=7,
        ),
        Series(
            title="Since the API last spoke of a kind",
            says="Lists, events and bookmarks. Good: some minutes; watches bring a bookmark about once a minute.",
            unit="s",
            queries=[Query(f"clamp_min(max by (kind) ({contact}), 0)", "{{kind}}")],
            width=12,
            height=7,
        ),
        Series(
            title="Objects kept",
            says="Of each kind. Good: as many as the cluster has.",
            unit="short",
            queries=[Query(f"sum by (kind) ({once('kubernetes_objects', 'kind')})", "{{kind}}")],
            width=8,
            height=7,
        ),
        Series(
            title="Objects left out",
            says="By reason: another driver's are left out rightly; unreadable ones are not. Good: no growth.",
            unit="short",
            queries=[
                Query(
                    f"sum by (kind, reason) ({once('kubernetes_skipped_objects', 'kind', 'reason')})",
                    "{{kind}}: {{reason}}",
                )
            ],
            width=8,
            height=7,
        ),
        Series(
            title="Requests to Kubernetes",
            says="By how they ended. Good: ok; 403 is a missing right, 429 and timeouts an API server under load.",
            unit="short",
            queries=[Query(grown("kubernetes_requests", "code"), "{{code}}", "bars")],
            width=8,
            height=7,
        ),
    ]


def _configuration() -> list[Panel]:
    fresh = once("config_last_reload_timestamp_seconds")
    return [
        Timeline(
            title="Configuration in force",
            says="Whether the last reading of the file succeeded. Refused: the old one stays in force, a restart would fail.",
            queries=[
                Query(f"min by (cluster) ({here('storage_exporter_config_last_reload_successful')})", "{{cluster}}")
            ],
            states=[State(1, "in force", "green"), State(0, "refused", "red")],
            width=12,
            height=5,
        ),
        Table(
            title="Versions",
            says="What runs where, and since when its configuration is in force. Good: one version everywhere.",
            keys=[
                Key(label="cluster", name="Cluster", links=[to("overview", "cluster")]),
                Key(label="version", name="Version"),
                Key(label="python_version", name="Python"),
            ],
            columns=[
                Column(
                    name="Configuration of",
                    expr=f"1000 * ({fresh} * on (cluster) group_right () group by (cluster, version, python_version) "
                    f"({here('storage_exporter_build_info')}))",
                    unit="dateTimeFromNow",
                ),
            ],
            sort="Cluster",
            empty="no exporter",
            width=12,
            height=5,
        ),
        Table(
            title="Accounts and who asks",
            says="As whom AWS knows the exporter, and when those credentials end. Good: a role, no user; no end or over an hour.",
            keys=[
                Key(label="cluster", name="Cluster"),
                Key(label="account_id", name="Account", links=[to("overview", "cluster", "account_id", "region")]),
                Key(label="region", name="Region"),
                Key(label="provider", name="Credentials from"),
                Key(label="arn", name="Identity"),
            ],
            columns=[
                Column(
                    name="Known",
                    expr=f"group by ({_IDENTITY}) ({where('storage_exporter_identity_info')})",
                    states=[State(1, "yes", "green")],
                    width=80,
                ),
                Column(
                    name="End in",
                    expr=f"({once('credentials_expiry_timestamp_seconds', scoped=True)} - time()) "
                    f"* on (cluster, account_id, region) group_right () group by ({_IDENTITY}) "
                    f"({where('storage_exporter_identity_info')})",
                    unit="s",
                    limit=low(critical=number("StorageExporterCredentialsExpiring", "left", of="seconds")),
                    decimals=0,
                    width=120,
                ),
            ],
            sort="Cluster",
            empty="not known to AWS",
            height=5,
        ),
        Series(
            title="Credentials that could not be renewed",
            empty="None failed.",
            says="Attempts that failed, by code. Good: none.",
            unit="short",
            queries=[
                Query(
                    grown("credentials_refresh_failures", "account_id", "code", scoped=True),
                    "{{account_id}} {{code}}",
                    "bars",
                )
            ],
            width=12,
            height=6,
        ),
        Series(
            title="Rule evaluations that failed",
            empty="No ruler says how it is.",
            says="By rule group of this project, as the rulers of Mimir, Prometheus and Loki count. Good: none.",
            unit="short",
            queries=[Query(rules_failed("$__rate_interval"), "{{rule_group}}", "bars")],
            limit=high(warning=1),
            width=12,
            height=6,
        ),
    ]


_IDENTITY = "cluster, account_id, region, provider, arn"
