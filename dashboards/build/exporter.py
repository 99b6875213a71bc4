"""The storage exporter itself: the page and its first screen; the rows below are in ``exporter_reading`` and so on."""

from __future__ import annotations

from dashboards.build import exporter_delivery, exporter_process, exporter_reading
from dashboards.build.alert_board import firing
from dashboards.build.exporter_terms import (
    AGE,
    AGE_LIMIT,
    BY_JOB,
    BY_SERVICE,
    CREDENTIALS_LIMIT,
    LAG_LIMIT,
    MISSED_LIMIT,
    ONE,
    ONE_GRAVE,
    REPLICA,
    SILENCE_LIMIT,
    WAIT_LIMIT,
    grown,
    here,
    once,
    rules_failed,
)
from dashboards.build.page import Change, Page
from dashboards.build.panels import Query, Row, Series, Stat, State, Table, Timeline
from dashboards.build.queries import where
from dashboards.build.thresholds import Limit, high

_SEEN = "storage_exporter_build_info"


def page() -> Page:
    """The dashboard."""
    return Page(
        uid="exporter",
        title="Storage exporter",
        says=(
            "Whether the exporter itself is well: while it is not, everything else here is blind. How old the data is and "
            "why, what AWS refuses, what it costs, and whether it arrives."
        ),
        changes=_changes(),
        rows=[
            Row(title="Is the exporter well?", panels=[*_stats(), _firing()]),
            Row(title="Age of the data", panels=_freshness()),
            *exporter_reading.rows(),
            *exporter_process.rows(),
            exporter_delivery.row(),
        ],
    )


def _stat(title: str, says: str, unit: str, expr: str, *states: State, limit: Limit | None, empty: str) -> Stat:
    decimals = 0 if unit == "s" else None
    return Stat(
        title=title,
        says=says,
        unit=unit,
        queries=[Query(expr)],
        states=states,
        limit=limit,
        decimals=decimals,
        empty=empty,
        width=3,
        height=3,
    )


def _none(word: str = "none") -> State:
    return State(0, word, "green")


def _stats() -> list[Stat]:
    return [*_reading_stats(), *_own_stats()]


def _reading_stats() -> list[Stat]:
    ever = f"group by (cluster) (last_over_time({here(_SEEN)}[1d]))"
    gone = f"count({ever} unless on (cluster) group by (cluster) ({here(_SEEN)})) or 0 * group({ever})"
    leaders = f"sum by (cluster) (max by ({REPLICA}) ({here('storage_exporter_leader')}))"
    off = f"({leaders} - on (cluster) {once('shards')})"
    return [
        _stat(
            "Clusters blind",
            "Clusters whose exporter was there within a day and is not now. Good: none. Else look at its pods first.",
            "short",
            gone,
            _none(),
            limit=ONE_GRAVE,
            empty="no exporter",
        ),
        _stat(
            "Leader",
            "Whether as many replicas ask AWS as there are shards. None: nothing is read. Too many: AWS is paid twice.",
            "short",
            f"(min({off}) < 0) or max({off})",
            State(0, "one leads", "green"),
            State(-1000, "none leads", "red", upto=-1),
            State(1, "too many", "orange", upto=1000),
            limit=None,
            empty="no exporter",
        ),
        _stat(
            "Replicas",
            "Exporters that run, those that wait to lead too. Good: two or more a cluster.",
            "short",
            f"count(max by ({REPLICA}) ({here(_SEEN)}))",
            limit=None,
            empty="none",
        ),
        _stat(
            "Old data",
            "Services whose newest datapoint is older than it may be. Good: none. Which and why stands below.",
            "short",
            f"sum({AGE} > bool on ({BY_SERVICE}) {AGE_LIMIT})",
            _none("all fresh"),
            limit=ONE_GRAVE,
            empty="no data",
        ),
        _stat(
            "Passes that fail",
            "Services whose last pass did not read everything. Good: none.",
            "short",
            f"sum({where('job:storage_exporter_success:max')} == bool 0)",
            _none(),
            limit=ONE,
            empty="no pass",
        ),
        _stat(
            "Missed in an hour",
            "Of the worst service within an hour: passes that did not start because the one before still ran.",
            "short",
            f"max(round({grown('job_missed', *BY_JOB.split(', '), scoped=True, span='1h')}))",
            _none(),
            limit=MISSED_LIMIT,
            empty="no pass",
        ),
        _stat(
            "AWS refuses",
            "Requests that AWS denied within 10 minutes. Good: none. Else a right is missing: see the errors below.",
            "short",
            f"sum(round({where('service:storage_exporter_denied:increase10m')})) or {_asked_nothing_wrong()}",
            _none(),
            limit=ONE,
            empty="no data",
        ),
        _stat(
            "AWS throttles",
            "Requests that AWS throttled within 10 minutes. Good: none; a few are repeated without loss.",
            "short",
            f"sum(round({where('service:storage_exporter_throttled:increase10m')})) or {_asked_nothing_wrong()}",
            _none(),
            limit=ONE,
            empty="no data",
        ),
    ]


def _asked_nothing_wrong() -> str:
    # The recordings have no series where no such error was ever counted.
    return f"0 * group({where('job:storage_exporter_success:max')})"


def _own_stats() -> list[Stat]:
    silence = f"max(time() - {once('remote_write_last_success_timestamp_seconds')})"
    return [
        _stat(
            "Credentials end in",
            "Time until the first credentials expire; they are renewed long before. Good: over 10 minutes, or no end.",
            "s",
            f"min({once('credentials_expiry_timestamp_seconds', scoped=True)} - time())",
            State(None, "no end", "green"),
            limit=CREDENTIALS_LIMIT,
            empty="no end",
        ),
        _stat(
            "Kinds unknown",
            "Kinds of Kubernetes objects that are not known or not fresh: claims, volumes, pods. Good: none.",
            "short",
            f"sum({once('kubernetes_kind_known', 'kind')} == bool 0)",
            _none("all known"),
            limit=ONE,
            empty="not watched",
        ),
        _stat(
            "Configuration",
            "Whether the file on disk is what is in force. Refused: it goes on with the old one, and a restart would fail.",
            "short",
            f"min({here('storage_exporter_config_last_reload_successful')})",
            State(1, "in force", "green"),
            State(0, "refused", "red"),
            limit=None,
            empty="no exporter",
        ),
        _stat(
            "Process late by",
            "By how much the process was late at most in the last minute. Good: well under a second.",
            "s",
            f"max({here('storage_exporter_event_loop_lag_seconds')})",
            limit=LAG_LIMIT,
            empty="no exporter",
        ),
        _stat(
            "Last push",
            "Since when no request of remote write was accepted. Good: under a minute.",
            "s",
            silence,
            limit=SILENCE_LIMIT,
            empty="is scraped",
        ),
        _stat(
            "Waits on disk",
            "For how long the oldest request of remote write has waited. Good: nothing waits.",
            "s",
            f"max({here('storage_exporter_remote_write_outbox_age_seconds')})",
            _none("nothing"),
            limit=WAIT_LIMIT,
            empty="is scraped",
        ),
        _stat(
            "Planned, a month",
            "What AWS's APIs cost a month under the present plan. The budget and what is really spent stand below.",
            "currencyUSD",
            f"sum({once('aws_projected_dollars_per_month', 'aws_service', 'tier', scoped=True)})",
            limit=None,
            empty="no data",
        ),
        _stat(
            "Rules failing",
            "Rule groups of this project that failed to evaluate within an hour. Good: none: their pages would not come.",
            "short",
            f"sum(({rules_failed('1h')}) > bool 0)",
            _none(),
            limit=ONE,
            empty="ruler not seen",
        ),
    ]


def _firing() -> Table:
    return firing(
        "Firing now",
        "Alerts about the exporter, pages first, and for how long each fired within a day. Good: none. A name leads to its runbook.",
        'component="exporter"',
        height=5,
        empty="nothing fires for the exporter",
    )


_REASONS = {
    "denied": State(6, "AWS refuses", "red"),
    "not_asked": State(5, "not asked", "red"),
    "failing": State(4, "requests fail", "red"),
    "empty": State(3, "no datapoints", "orange"),
    "throttled": State(2, "throttled", "orange"),
    "late": State(1, "CloudWatch is late", "yellow"),
}


def _freshness() -> list[Timeline | Series]:
    stale = f" or on ({BY_SERVICE}) ".join(
        f"({state.value:g} + 0 * {where('service:storage_exporter_data_stale:reason', also=_reason(reason))})"
        for reason, state in _REASONS.items()
    )
    return [
        Timeline(
            title="Is the data fresh, and why not",
            says=(
                "A band a service. Fresh: its newest datapoint is younger than its limit. Else what the exporter sees: it "
                "is refused, not asked, fails, is throttled, or CloudWatch is late. Good: green throughout."
            ),
            queries=[
                Query(
                    # One band a service: the reason is in the value, its label would make a band of each.
                    f"max by ({BY_SERVICE}) ({stale} or on ({BY_SERVICE}) 0 * {AGE})",
                    "{{aws_service}} {{region}} {{account_id}}",
                )
            ],
            states=[State(0, "fresh", "green"), *_REASONS.values()],
            width=12,
            height=7,
        ),
        Series(
            title="Age of the newest datapoint, of what is allowed",
            says=(
                "By service: its age over the age from which on something is wrong (minutes; for S3's sizes, which come "
                "once a day, days). Good: under 100 %."
            ),
            unit="percentunit",
            queries=[
                Query(
                    f"max by (aws_service) ({AGE} / on (cluster, account_id, region, aws_service) {AGE_LIMIT})",
                    "{{aws_service}}",
                )
            ],
            limit=high(critical=1.0),
            least=0,
            width=12,
            height=7,
        ),
    ]


def _reason(reason: str) -> str:
    return f'reason="{reason}"'


def _changes() -> list[Change]:
    reloaded = once("config_last_reload_timestamp_seconds")
    return [
        Change(
            name="New configuration",
            expr=f"{reloaded} > time() - 60",
            title="Configuration in force on {{cluster}}",
            text="The exporter read its configuration",
            colour="blue",
        ),
        Change(
            name="New version",
            expr=f"group by (cluster, version) ({here(_SEEN)}) unless group by (cluster, version) ({here(_SEEN)} offset 10m)",
            title="Version {{version}} on {{cluster}}",
            colour="purple",
        ),
    ]
