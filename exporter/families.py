"""
The exporter's metrics about itself, as a table (design.md 6.1). Pure.

`telemetry` makes the metrics from its rows and METRICS.md lists them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from exporter.model import SCOPE_LABELS
from exporter.naming import unit_of


@dataclass(frozen=True, slots=True)
class SelfFamily:
    """One metric about the exporter: as `model.Family`, and counters' names carry ``_total``."""

    name: str
    help: str
    type: Literal["gauge", "counter", "info"]
    labels: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash(self.name)  # each look at the table of metrics takes it

    @property
    def unit(self) -> str:
        """The unit the name ends in (before ``_total``), ``""`` for none."""
        return unit_of(self.name.removesuffix("_total"))


SERVICE = (*SCOPE_LABELS, "aws_service")
JOB = (*SERVICE, "job_name")
CALL = (*SERVICE, "operation")


def _gauge(name: str, text: str, *labels: str) -> SelfFamily:
    return SelfFamily(f"storage_exporter_{name}", text, "gauge", labels)


def _counter(name: str, text: str, *labels: str) -> SelfFamily:
    return SelfFamily(f"storage_exporter_{name}_total", text, "counter", labels)


def _info(name: str, text: str, *labels: str) -> SelfFamily:
    return SelfFamily(f"storage_exporter_{name}_info", text, "info", labels)


BUILD = _info("build", "Version of the exporter and of the Python it runs on.", "version", "python_version")
RELOAD_OK = _gauge("config_last_reload_successful", "Whether the last reading of the configuration succeeded.")
RELOAD_AT = _gauge(
    "config_last_reload_timestamp_seconds", "When the configuration now in force was read, in unix seconds."
)
JOB_OK = _gauge("job_success", "Whether the last pass of the job read everything it had to read.", *JOB)
JOB_SECONDS = _gauge("job_duration_seconds", "How long the last pass of the job took.", *JOB)
JOB_EVERY = _gauge("job_interval_seconds", "Seconds between two passes of the job, as configured.", *JOB)
JOB_AT = _gauge(
    "job_last_success_timestamp_seconds", "When the last pass that read everything ended, in unix seconds.", *JOB
)
JOB_MISSED = _counter("job_missed", "Passes that did not start because the one before still ran.", *JOB)
LOOP_LAG = _gauge(
    "event_loop_lag_seconds", "By how much the event loop was late at most in the last minute: what held up everything."
)
LOOP_STALLS = _counter("event_loop_stalls", "Times that the event loop stood still for 15 seconds or more.")
NEWEST = _gauge(
    "newest_datapoint_timestamp_seconds",
    "End of the newest period that CloudWatch gave a datapoint for, in unix seconds.",
    *SERVICE,
)
AGE_LIMIT = _gauge(
    "data_age_limit_seconds", "The age from which on the newest datapoint means that something is wrong.", *SERVICE
)
RESOURCES = _gauge("resources", "Resources that discovery knows.", *SERVICE, "resource_type")
DISCOVERY_OK = _gauge("discovery_success", "Whether the last call of the describing operation succeeded.", *CALL)
DISCOVERY_AT = _gauge(
    "discovery_last_success_timestamp_seconds", "When the describing operation last succeeded, in unix seconds.", *CALL
)
SERIES = _gauge("series", "Series in the last snapshot, without those about the exporter itself.")
DROPPED = _counter(
    "series_dropped",
    "Series left out of a snapshot: of a label set that another series had first, over limits.max_series, or of a "
    "family that exists with other labels.",
    "reason",
)
REQUESTS = _counter("aws_requests", "Requests sent to an AWS API, each attempt counted.", *CALL)
RETRIES = _counter("aws_retries", "Requests that repeated one that had failed.", *CALL)
ERRORS = _counter("aws_errors", "Requests that failed, by AWS's error code or our word for none.", *CALL, "code")
QUERIES = _counter(
    "aws_queries", "Metric queries (metric and statistic of one resource) that CloudWatch answered, each once.", *CALL
)
BILLABLE = _counter(
    "aws_billable_metrics",
    "Metrics that CloudWatch bills for what it answered: the usage type CW:GMD-Metrics, from below.",
    *CALL,
)
COST = _counter(
    "aws_cost_dollars",
    "What the requests answered cost at the list price, in US dollars, free amounts of an account not taken off.",
    *CALL,
)
UNCONFIRMED_QUERIES = _counter(
    "aws_unconfirmed_queries",
    "Metric queries in requests of which AWS does not say whether they are billed: failed, throttled, or for a further "
    "page of an answer.",
    *CALL,
    "reason",
)
UNCONFIRMED_BILLABLE = _counter(
    "aws_unconfirmed_billable_metrics",
    "Metrics in such requests: with the billable metrics they bound CW:GMD-Metrics from above.",
    *CALL,
    "reason",
)
RESULTS = _counter(
    "aws_results",
    "Metric queries answered: complete, empty, partial, internal_error, forbidden or malformed.",
    *SERVICE,
    "status",
)
PROJECTED = _gauge(
    "aws_projected_dollars_per_month", "What the present plan costs in a month, in US dollars.", *SERVICE, "tier"
)
OFFERED = _gauge(
    "aws_projected_full_dollars_per_month",
    "What asking everything costs in a month, with what the budget defers, in US dollars.",
    *SERVICE,
    "tier",
)
BUDGET = _gauge("aws_budget_dollars_per_month", "The configured budget, in US dollars; absent where none is set.")
DEFERRED = _gauge(
    "deferred_rows",
    "Series (rows of resources) not asked for as often as the table says: budget (the tier is deferred), starting (the "
    "budget is not reckoned yet), silent (never answered, asked less often).",
    *SERVICE,
    "tier",
    "reason",
)
CREDENTIALS_UNTIL = _gauge(
    "credentials_expiry_timestamp_seconds",
    "When the credentials in use expire, in unix seconds; absent where they do not.",
    *SCOPE_LABELS,
)
CREDENTIALS_FAILED = _counter(
    "credentials_refresh_failures", "Times that fresh credentials could not be had.", *SCOPE_LABELS, "code"
)
IDENTITY = _info("identity", "Who AWS says we are, and which provider answered.", *SCOPE_LABELS, "arn", "provider")
LEADER = _gauge("leader", "Whether this replica is the one that asks AWS.")
LEASE = _counter("lease_transitions", "Times that this replica became the leader.")
LEASE_AT = _gauge("lease_last_renew_timestamp_seconds", "When this replica last had the Lease, unix seconds.")
LEASE_SECONDS = _gauge("lease_renew_duration_seconds", "How long the last taking or renewing of the Lease took.")
LEASE_FAILED = _counter("lease_failures", "Attempts to read, take or renew the Lease that failed, by reason.", "code")
SHARD = _gauge("shard_ordinal", "Which of the exporters that share the scopes this is, from 0.")
SHARDS = _gauge("shards", "How many exporters share the scopes.")
KINDS_KNOWN = _gauge(
    "kubernetes_kind_known",
    "Whether the objects of a kind are known and fresh; where not, AWS's tags say what they can.",
    "kind",
)
OBJECTS = _gauge("kubernetes_objects", "Objects of a kind that are kept.", "kind")
SKIPPED = _gauge("kubernetes_skipped_objects", "Objects that are there and left out, by reason.", "kind", "reason")
CONTACT = _gauge(
    "kubernetes_last_contact_timestamp_seconds",
    "When the API last said anything of a kind (a list, an event, a bookmark), in unix seconds.",
    "kind",
)
KUBERNETES_REQUESTS = _counter(
    "kubernetes_requests", "Requests to the Kubernetes API, by verb, kind and how they ended.", "verb", "kind", "code"
)
CLAIMS = _gauge(
    "claims",
    "Volumes, access points and buckets whose claim is known, by the source that told it: kubernetes, tags (the CSI "
    "driver's), client_token (of an access point).",
    *SERVICE,
    "source",
)
SENT = _counter("remote_write_samples", "Samples that the receiver accepted (push mode).")
SENT_BYTES = _counter("remote_write_bytes", "Bytes of the requests that the receiver accepted, compressed (push mode).")
POSTED = _counter(
    "remote_write_requests", "Requests to the receiver, by HTTP status or our word for no answer (push mode).", "code"
)
SEND_FAILED = _counter("remote_write_failures", "Requests to the receiver that failed (push mode).")
SEND_RETRIED = _counter(
    "remote_write_retries", "Requests that repeated one that the receiver could not take then (push mode)."
)
SEND_DROPPED = _counter(
    "remote_write_dropped",
    "Samples given up (push mode): refused as out_of_order, duplicate, too_old, limits or invalid, or with a request "
    "that was rejected; or lost from the outbox: max_bytes, max_age, disk_full, corrupt, superseded.",
    "reason",
)
SENT_AT = _gauge(
    "remote_write_last_success_timestamp_seconds",
    "When the receiver last accepted a request, unix seconds (push mode).",
)
UNSENT = _gauge(
    "remote_write_oldest_unsent_timestamp_seconds",
    "Stamp of the oldest sample not yet accepted, unix seconds; now where nothing waits (push mode).",
)
OUTBOX = _gauge("remote_write_outbox_bytes", "Bytes of finished requests waiting on disk (push mode).")
OUTBOX_REQUESTS = _gauge("remote_write_outbox_requests", "Finished requests waiting on disk (push mode).")
OUTBOX_AGE = _gauge(
    "remote_write_outbox_age_seconds", "For how long the oldest finished request has waited on disk (push mode)."
)
OUTBOX_LIMIT = _gauge("remote_write_outbox_limit_bytes", "How many bytes may wait on disk (push mode).")
KEEP_FAILED = _counter(
    "remote_write_outbox_failures",
    "Times that finished requests could not be written to disk; their datapoints are asked again (push mode).",
)

# fmt: off
SELF_FAMILIES: tuple[SelfFamily, ...] = (
    BUILD, RELOAD_OK, RELOAD_AT,
    JOB_OK, JOB_SECONDS, JOB_EVERY, JOB_AT, JOB_MISSED,
    LOOP_LAG, LOOP_STALLS,
    NEWEST, AGE_LIMIT, RESOURCES, DISCOVERY_OK, DISCOVERY_AT, SERIES, DROPPED,
    REQUESTS, RETRIES, ERRORS, QUERIES, BILLABLE, COST, UNCONFIRMED_QUERIES, UNCONFIRMED_BILLABLE, RESULTS,
    PROJECTED, OFFERED, BUDGET, DEFERRED,
    CREDENTIALS_UNTIL, CREDENTIALS_FAILED, IDENTITY,
    LEADER, LEASE, LEASE_AT, LEASE_SECONDS, LEASE_FAILED, SHARD, SHARDS,
    KINDS_KNOWN, OBJECTS, SKIPPED, CONTACT, KUBERNETES_REQUESTS, CLAIMS,
    SENT, SENT_BYTES, POSTED, SEND_FAILED, SEND_RETRIED, SEND_DROPPED, SENT_AT,
    UNSENT, OUTBOX, OUTBOX_REQUESTS, OUTBOX_AGE, OUTBOX_LIMIT, KEEP_FAILED,
)
# fmt: on
"""Every family the exporter has about itself, by subject."""
