"""Rows about what the exporter reads: its passes, AWS's APIs, what they cost, and what is found."""

from __future__ import annotations

from dashboards.build.exporter_terms import BY_SERVICE, THROTTLE_LIMIT, grown, here, once, per_second
from dashboards.build.links import runbook
from dashboards.build.panels import Column, Key, Panel, Query, Row, Series, State, Table, Timeline
from dashboards.build.queries import where

_PLACE = (Key(label="cluster"), Key(label="account_id", name="Account"), Key(label="region", name="Region"))
_THROTTLED = (
    'code=~"Throttl.*|.*Throttled.*|RequestLimitExceeded|TooManyRequests.*|SlowDown|LimitExceededException|'
    'BandwidthLimitExceeded|ProvisionedThroughputExceeded.*|PriorRequestNotComplete"'
)


def rows() -> list[Row]:
    """In reading order."""
    return [
        Row(title="Passes", panels=_passes()),
        Row(title="Requests to AWS", panels=_requests()),
        Row(title="Cost", panels=_cost()),
        Row(title="What it finds", panels=_found(), folded=True),
    ]


def _passes() -> list[Panel]:
    interval = f"min by (job_name) ({where('storage_exporter_job_interval_seconds')})"
    return [
        Timeline(
            title="Passes that read everything",
            says="A band a pass: complete, or with gaps. Good: green; a gap now and then is caught up by the next pass.",
            queries=[
                Query(f"min by (job_name) ({where('job:storage_exporter_success:max')})", "{{job_name}}"),
            ],
            states=[State(1, "complete", "green"), State(0, "gaps", "red")],
            width=8,
            height=7,
        ),
        Series(
            title="Duration of passes",
            says="How long the last pass took, all its calls together; dashed how often it begins. Good: far under that.",
            unit="s",
            queries=[
                Query(f"max by (job_name) ({where('storage_exporter_job_duration_seconds')})", "{{job_name}}"),
                Query(f"min({interval})", "shortest interval", "limit"),
            ],
            log=True,
            width=8,
            height=7,
        ),
        Series(
            title="Passes missed",
            says="Passes that did not start because the one before still ran. Good: none.",
            unit="short",
            queries=[Query(grown("job_missed", "job_name", scoped=True), "{{job_name}}", "bars")],
            width=8,
            height=7,
        ),
        Table(
            title="Describing calls",
            says="What discovery last asked of AWS, those that fail and the oldest first. Good: all answer, within an hour or two.",
            keys=[
                Key(label="aws_service", name="Service", width=120),
                Key(label="operation", name="Operation", links=[runbook("StorageExporterJobFailing")]),
                *_PLACE,
            ],
            columns=[
                Column(
                    name="Last call",
                    expr=once("discovery_success", "aws_service", "operation", scoped=True),
                    states=[State(1, "answered", "green"), State(0, "failed", "red")],
                    width=110,
                ),
                Column(
                    name="Last success",
                    expr="time() - "
                    + once("discovery_last_success_timestamp_seconds", "aws_service", "operation", scoped=True),
                    unit="s",
                    decimals=0,
                    width=140,
                ),
            ],
            sort="-Last success",
            empty="nothing asked yet",
            height=7,
        ),
    ]


def _requests() -> list[Panel]:
    errors = where("storage_exporter_aws_errors_total")
    share = (
        f"{grown('aws_errors', *BY_SERVICE.split(', '), scoped=True, also=_THROTTLED)} / "
        f"({grown('aws_requests', *BY_SERVICE.split(', '), scoped=True)} > 0)"
    )
    asked = f"0 * {grown('aws_requests', *BY_SERVICE.split(', '), scoped=True)}"
    return [
        Series(
            title="Requests",
            says="Requests a second to AWS's APIs, by service, each attempt counted. Good: steady.",
            unit="reqps",
            queries=[Query(per_second("aws_requests", "aws_service", scoped=True), "{{aws_service}}")],
            stacked=True,
            width=8,
            height=7,
        ),
        Series(
            title="Errors by code",
            says=(
                "Answers that are errors, a second. Codes such as NoSuchBucketPolicy are plain answers: there is none. "
                "AccessDenied, Throttling and timeouts are trouble."
            ),
            unit="reqps",
            queries=[Query(per_second("aws_errors", "code", scoped=True), "{{code}}")],
            width=8,
            height=7,
        ),
        Series(
            title="Share that AWS throttles",
            says="Of all requests of a service. Good: 0 %, and never over the line: then data comes late.",
            unit="percentunit",
            queries=[
                Query(f"max by (aws_service) ({share} or on ({BY_SERVICE}) {asked})", "{{aws_service}}"),
            ],
            limit=THROTTLE_LIMIT,
            least=0,
            width=8,
            height=7,
        ),
        Table(
            title="Errors within the time shown",
            says="Which operation got which error, how often. Good: only codes that say that there is nothing.",
            keys=[
                Key(label="aws_service", name="Service", width=120),
                Key(label="operation", name="Operation", links=[runbook("StorageExporterAccessDenied")]),
                Key(label="code", name="Code", width=270),
                *(Key(label=each) for each in ("cluster", "account_id", "region")),
            ],
            columns=[
                Column(
                    name="Errors",
                    expr=f"round(sum by ({BY_SERVICE}, operation, code) (increase({errors}[$__range]))) > 0",
                    unit="short",
                    decimals=0,
                    width=110,
                )
            ],
            sort="-Errors",
            empty="no error",
            width=12,
            height=8,
        ),
        Series(
            title="Metric queries by what came back",
            says="CloudWatch's answers a second. Good: mostly complete; empty is usual for idle resources; the rest is trouble.",
            unit="ops",
            queries=[Query(per_second("aws_results", "status", scoped=True), "{{status}}")],
            stacked=True,
            width=6,
            height=8,
        ),
        Series(
            title="Requests repeated",
            empty="None was repeated.",
            says="Attempts after a failed one, a second. Good: none or few.",
            unit="reqps",
            queries=[Query(per_second("aws_retries", "aws_service", scoped=True), "{{aws_service}}")],
            width=6,
            height=8,
        ),
    ]


def _cost() -> list[Panel]:
    budget = f"sum({once('aws_budget_dollars_per_month')})"
    plan = once("aws_projected_dollars_per_month", "aws_service", "tier", scoped=True)
    full = once("aws_projected_full_dollars_per_month", "aws_service", "tier", scoped=True)
    deferred = once("deferred_rows", "aws_service", "tier", "reason", scoped=True)
    return [
        Series(
            title="Cost of a month against the budget",
            says=(
                "What the plan costs a month, what was really spent in the last day and hour as a month, and the budget "
                "(dashed, where one is set). Good: under it. In its first day the pace of a day is still too low."
            ),
            unit="currencyUSD",
            queries=[
                Query(f"sum({plan})", "planned"),
                Query(f"sum({full})", "with everything that is left out"),
                Query(f"sum({here('cluster:storage_exporter_cost:dollars_per_month_1d')})", "pace of the last day"),
                Query(f"sum({here('cluster:storage_exporter_cost:dollars_per_month_1h')})", "pace of the last hour"),
                Query(budget, "budget", "limit"),
            ],
        ),
        Series(
            title="Planned cost by service and tier",
            says="What each service's tiers cost a month at list price. The dearest tier is what to ask for less often.",
            unit="currencyUSD",
            queries=[Query(f"sum by (aws_service, tier) ({plan}) > 0", "{{aws_service}} {{tier}}")],
            stacked=True,
        ),
        Series(
            title="Series asked for less often",
            says=(
                "Why: budget (the plan would cost more than allowed), silent (never answered), starting. Good: none for "
                "the budget; what is deferred has old values and its alerts come late."
            ),
            unit="short",
            queries=[Query(f"sum by (aws_service, reason) ({deferred})", "{{aws_service}}: {{reason}}")],
            width=8,
            height=7,
        ),
        Series(
            title="Spent on AWS's APIs",
            says="Dollars a month at the present pace, by service, list price. Good: steady; a jump is a new region or resource.",
            unit="currencyUSD",
            queries=[
                Query(
                    f"{per_second('aws_cost_dollars', 'aws_service', scoped=True)} * {_MONTH}",
                    "{{aws_service}}",
                )
            ],
            stacked=True,
            width=8,
            height=7,
        ),
        Series(
            title="Billed metrics",
            says="Metrics a second that CloudWatch bills. With what may be billed as well (failed requests, further pages).",
            unit="ops",
            queries=[
                Query(per_second("aws_billable_metrics", "aws_service", scoped=True), "{{aws_service}}"),
                Query(
                    per_second("aws_unconfirmed_billable_metrics", "aws_service", scoped=True),
                    "{{aws_service}} perhaps",
                ),
            ],
            width=8,
            height=7,
        ),
    ]


_MONTH = 2628000
"""Seconds of a month, as the rules on cost count."""


def _found() -> list[Panel]:
    resources = once("resources", "aws_service", "resource_type", scoped=True)
    return [
        Series(
            title="Resources found",
            says="What discovery knows, by type. Good: no sudden fall: that is a lost right or a wrong filter, not a clean-up.",
            unit="short",
            queries=[Query(f"sum by (aws_service, resource_type) ({resources})", "{{aws_service}} {{resource_type}}")],
            table=True,
        ),
        Series(
            title="Owners known from",
            says="Volumes, access points and buckets whose claim is known, by who told it. Good: kubernetes, not only tags.",
            unit="short",
            queries=[
                Query(
                    f"sum by (aws_service, source) ({once('claims', 'aws_service', 'source', scoped=True)})",
                    "{{aws_service}} from {{source}}",
                )
            ],
        ),
        Series(
            title="Series delivered",
            says="Series of the last page, without those about the exporter. Good: steady, below limits.max_series.",
            unit="short",
            queries=[Query(f"max by (cluster) ({here('storage_exporter_series')})", "{{cluster}}")],
        ),
        Series(
            title="Series left out",
            says="Over limits.max_series, or twice the same labels. Good: none; what is left out is not watched.",
            unit="short",
            queries=[Query(grown("series_dropped", "cluster", "reason"), "{{cluster}} {{reason}}", "bars")],
        ),
    ]
