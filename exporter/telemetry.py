"""
Every metric of the exporter about itself, and the only place that knows prometheus_client.

The table is in `families`. What is measured and when is left to the callers; `scheduler` measures every job in one
place. A series exists from the first time something is
known of it (a budget that was never set is absent, not 0); counters that rules watch for a first increase start at 0.
Not pure: the registry is an argument.
"""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Info,
    Metric,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter import families
from exporter.model import SCOPE_LABELS, Scope
from exporter.naming import info_base
from exporter.own_metrics import OwnFamily, families_of

_LONGEST_VALUE = 256
"""Characters of a label value: an error code is whatever a server says, and must not grow a page."""


DROP_REASONS = ("conflict", "duplicate", "limit")
"""Why a series can be left out of a snapshot."""

_Made = Gauge | Counter | Info
_Kind = TypeVar("_Kind", Gauge, Counter, Info)


class _Page:
    """What a registry collects, by name, with the constant labels, without ``_created`` series that nobody reads."""

    def __init__(self, registry: CollectorRegistry, constant: Mapping[str, str]) -> None:
        self._registry = registry
        self._constant = constant

    def collect(self) -> Iterator[Metric]:
        for metric in sorted(self._registry.collect(), key=lambda each: each.name):
            metric.samples = [
                sample._replace(labels={**self._constant, **sample.labels}) if self._constant else sample
                for sample in metric.samples
                if metric.type != "counter" or not sample.name.endswith("_created")
            ]
            if metric.samples:
                yield metric


class Telemetry:
    """
    The exporter's metrics about itself. Safe from any thread.

    Args:
        version: of the exporter.

        registry: a fresh one where None.

        cluster: label on every series, ``""`` for none.
    """

    def __init__(self, version: str, registry: CollectorRegistry | None = None, *, cluster: str = "") -> None:
        self._registry = CollectorRegistry() if registry is None else registry
        self._constant = {"cluster": cluster} if cluster else {}
        self._lock = threading.Lock()
        self._made: dict[families.SelfFamily, _Made] = {}
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._describe(families.BUILD, (), version=version, python_version=platform.python_version())
        for reason in DROP_REASONS:
            self._count(families.DROPPED, (reason,), 0)

    # ---- the program -------------------------------------------------------------------------------------------

    def config_reloaded(self, ok: bool, at: float) -> None:  # noqa: FBT001 - reads as a sentence: reloaded(ok, when)
        """The configuration was read (or a bad one refused) at *at*, unix seconds."""
        self._set(families.RELOAD_OK, (), ok)
        if ok:
            self._set(families.RELOAD_AT, (), at)

    def job_finished(
        self,
        job_name: str,
        aws_service: str,
        scope: Scope | None,
        *,
        ok: bool,
        seconds: float,
        at: float,
        interval: float,
    ) -> None:
        """
        One pass of a job ended.

        Args:
            job_name: such as ``collect``.

            aws_service: the service module it works for, ``""`` for none.

            scope: whose, None for none.

            ok: whether everything it had to read was read.

            seconds: how long it took.

            at: unix seconds of its end.

            interval: seconds between two passes.
        """
        labels = (*_of(scope), aws_service, job_name)
        self._set(families.JOB_OK, labels, ok)
        self._set(families.JOB_SECONDS, labels, seconds)
        self._set(families.JOB_EVERY, labels, interval)
        self._count(families.JOB_MISSED, labels, 0)
        if ok:
            self._set(families.JOB_AT, labels, at)

    def job_missed(self, job_name: str, aws_service: str, scope: Scope | None) -> None:
        """A pass was due while the one before still ran."""
        self._count(families.JOB_MISSED, (*_of(scope), aws_service, job_name))

    def loop_lag(self, seconds: float) -> None:
        """By how much the event loop was late at most in the last minute."""
        self._set(families.LOOP_LAG, (), seconds)

    def loop_stalled(self, n: int) -> None:
        """The event loop stood still *n* times more; 0 makes the series exist."""
        self._count(families.LOOP_STALLS, (), n)

    def newest_datapoint(self, scope: Scope, aws_service: str, at: float) -> None:
        """The newest period with a datapoint ended at *at*, unix seconds."""
        self._set(families.NEWEST, (*_of(scope), aws_service), at)

    def data_age_limit(self, scope: Scope, aws_service: str, seconds: float) -> None:
        """From which age on, in seconds, the newest datapoint is too old."""
        self._set(families.AGE_LIMIT, (*_of(scope), aws_service), seconds)

    def resources(self, scope: Scope, aws_service: str, counts: Mapping[str, int]) -> None:
        """How many resources discovery knows, by type; types that are not in *counts* any more disappear."""
        here = {"account_id": scope.account_id, "region": scope.region, "aws_service": _text(aws_service)}
        self._forget(families.RESOURCES, here, but={_text(name) for name in counts})
        for name, count in counts.items():
            self._set(families.RESOURCES, (*_of(scope), aws_service, name), count)

    def claims(self, scope: Scope, aws_service: str, counts: Mapping[str, int]) -> None:
        """Of how many resources of a service the claim is known, by who told it."""
        here = {"account_id": scope.account_id, "region": scope.region, "aws_service": _text(aws_service)}
        self._forget(families.CLAIMS, here, but=counts)
        for source, count in counts.items():
            self._set(families.CLAIMS, (*_of(scope), aws_service, source), count)

    def operation_read(self, scope: Scope, aws_service: str, operation: str, ok: bool, at: float) -> None:  # noqa: FBT001
        """A describing operation was read, or could not be, at *at*, unix seconds."""
        labels = (*_of(scope), aws_service, operation)
        self._set(families.DISCOVERY_OK, labels, ok)
        if ok:
            self._set(families.DISCOVERY_AT, labels, at)

    def series(self, n: int) -> None:
        """How many series the newest snapshot has."""
        self._set(families.SERIES, (), n)

    def series_dropped(self, reason: str, n: int = 1) -> None:
        """*n* series were left out of a snapshot, for one of `DROP_REASONS`."""
        self._count(families.DROPPED, (reason,), n)

    # ---- AWS ---------------------------------------------------------------------------------------------------

    def request(self, scope: Scope, aws_service: str, operation: str) -> None:
        """One request was sent."""
        self._count(families.REQUESTS, (*_of(scope), aws_service, operation))

    def retry(self, scope: Scope, aws_service: str, operation: str) -> None:
        """The request just sent repeats one that had failed."""
        self._count(families.RETRIES, (*_of(scope), aws_service, operation))

    def error(self, scope: Scope, aws_service: str, operation: str, code: str) -> None:
        """One request failed with AWS's error code or our word for none."""
        self._count(families.ERRORS, (*_of(scope), aws_service, operation, code))

    def asked(
        self,
        scope: Scope,
        aws_service: str,
        *,
        queries: int,
        billable: int,
        dollars: float,
        operation: str = "GetMetricData",
    ) -> None:
        """What one request asked: *queries* members, *billable* metrics on the bill, *dollars* at the list price."""
        labels = (*_of(scope), aws_service, operation)
        self._count(families.QUERIES, labels, queries)
        self._count(families.BILLABLE, labels, billable)
        self._count(families.COST, labels, dollars)

    def cost(self, scope: Scope, aws_service: str, operation: str, dollars: float) -> None:
        """What one answered request costs by itself, at the list price."""
        if dollars:
            self._count(families.COST, (*_of(scope), aws_service, operation), dollars)

    def unconfirmed(
        self, scope: Scope, aws_service: str, operation: str, *, queries: int, billable: int, reason: str
    ) -> None:
        """One request of which AWS does not say whether it is billed: ``failed``, ``throttled`` or ``page``."""
        labels = (*_of(scope), aws_service, operation, reason)
        self._count(families.UNCONFIRMED_QUERIES, labels, queries)
        self._count(families.UNCONFIRMED_BILLABLE, labels, billable)

    def costs(self) -> dict[tuple[str, str, str, str], float]:
        """Dollars counted so far, by account id, region, aws_service and operation."""
        with self._lock:
            made = self._made.get(families.COST)
        return {
            (labels["account_id"], labels["region"], labels["aws_service"], labels["operation"]): sample.value
            for metric in (made.collect() if made is not None else ())
            for sample in metric.samples
            if sample.name == families.COST.name and (labels := sample.labels)
        }

    def results(self, scope: Scope, aws_service: str, status: str, n: int) -> None:
        """*n* queries were answered: complete, empty, partial, internal_error, forbidden or malformed."""
        self._count(families.RESULTS, (*_of(scope), aws_service, status), n)

    def projected(self, scope: Scope, aws_service: str, tier: str, dollars: float) -> None:
        """What the present plan costs in a month."""
        self._set(families.PROJECTED, (*_of(scope), aws_service, tier), dollars)

    def offered(self, scope: Scope, aws_service: str, tier: str, dollars: float) -> None:
        """What asking everything of the tier costs in a month, deferred or not."""
        self._set(families.OFFERED, (*_of(scope), aws_service, tier), dollars)

    def budget(self, dollars: float | None) -> None:
        """The configured budget a month; None for none."""
        if dollars is None:
            self._withdraw(families.BUDGET)
        else:
            self._set(families.BUDGET, (), dollars)

    def deferred(self, scope: Scope, aws_service: str, tier: str, reason: str, rows: int) -> None:
        """How many series are not asked for as the table says, for one reason; 0 says that it is over."""
        self._set(families.DEFERRED, (*_of(scope), aws_service, tier, reason), rows)

    def credentials(self, scope: Scope, expiry: float | None) -> None:
        """When the credentials in use expire, unix seconds; None where they do not."""
        if expiry is None:
            self._forget(families.CREDENTIALS_UNTIL, {"account_id": scope.account_id, "region": scope.region})
        else:
            self._set(families.CREDENTIALS_UNTIL, _of(scope), expiry)

    def credentials_refresh_failed(self, scope: Scope, code: str) -> None:
        """Fresh credentials could not be had."""
        self._count(families.CREDENTIALS_FAILED, (*_of(scope), code))

    def identity(self, scope: Scope, arn: str, provider: str) -> None:
        """Who AWS says we are; replaces what was said before."""
        self._describe(families.IDENTITY, _of(scope), arn=arn, provider=provider)

    # ---- what is no more ---------------------------------------------------------------------------------------

    def forget_scope(self, scope: Scope) -> None:
        """Remove every series of an account and region that is not configured any more."""
        here = {"account_id": scope.account_id, "region": scope.region}
        for family in families.SELF_FAMILIES:
            if family.labels[:2] == SCOPE_LABELS:
                self._forget(family, here)

    def forget_service(self, scope: Scope, aws_service: str) -> None:
        """Remove every series of a service that is not read any more in an account and region."""
        here = {"account_id": scope.account_id, "region": scope.region, "aws_service": aws_service}
        for family in families.SELF_FAMILIES:
            if family.labels[:3] == families.SERVICE:
                self._forget(family, here)

    def forget_job(self, job_name: str) -> None:
        """Remove the series of a job: it has ended, or it turned out whose AWS it reads."""
        for family in families.SELF_FAMILIES:
            if family.labels == families.JOB:
                self._forget(family, {"job_name": job_name})

    def at_rest(self) -> None:
        """AWS is asked no more: what was said of its present state is withdrawn, what was counted stays."""
        for family in families.SELF_FAMILIES:
            if family.labels[:2] == SCOPE_LABELS and family.type != "counter":
                self._withdraw(family)

    # ---- for those who know the families -----------------------------------------------------------------------

    def gauge(self, family: families.SelfFamily, value: float, *labels: str) -> None:
        """Set a gauge of the table."""
        self._set(family, labels, value)

    def counter(self, family: families.SelfFamily, n: float, *labels: str) -> None:
        """Add to a counter of the table; 0 makes the series exist."""
        self._count(family, labels, n)

    def forget(self, family: families.SelfFamily, but: Iterable[str] = (), **match: str) -> None:
        """Remove the series of a family whose labels include *match*, except those whose last label is in *but*."""
        self._forget(family, {name: _text(value) for name, value in match.items()}, {_text(each) for each in but})

    def render(self, openmetrics: bool) -> bytes:  # noqa: FBT001 - one of two formats
        """All of it as text 0.0.4, or as OpenMetrics 1.0, which ends with ``# EOF``."""
        page = _Page(self._registry, self._constant)
        if openmetrics:
            # prometheus_client leaves this one function without types.
            body: bytes = generate_openmetrics(page)  # type: ignore[no-untyped-call]
            return body
        return generate_latest(page)

    def own_families(self) -> list[OwnFamily]:
        """All of it as data, as `render` has it."""
        return families_of(_Page(self._registry, self._constant).collect())

    # ---- the table's metrics -----------------------------------------------------------------------------------

    def _metric(self, family: families.SelfFamily, kind: type[_Kind]) -> _Kind:
        with self._lock:
            if family not in self._made:
                self._made[family] = _make(family, self._registry)
            metric = self._made[family]
        if isinstance(metric, kind):
            return metric
        raise AssertionError(f"{family.name} is used as a {kind.__name__}")

    def _set(self, family: families.SelfFamily, labels: Iterable[str], value: float) -> None:
        metric = self._metric(family, Gauge)
        (metric.labels(*map(_text, labels)) if family.labels else metric).set(value)

    def _count(self, family: families.SelfFamily, labels: Iterable[str], n: float = 1) -> None:
        metric = self._metric(family, Counter)
        (metric.labels(*map(_text, labels)) if family.labels else metric).inc(n)

    def _describe(self, family: families.SelfFamily, labels: tuple[str, ...], **members: str) -> None:
        metric = self._metric(family, Info)
        child = metric.labels(*map(_text, labels)) if labels else metric
        child.info({name: _text(value) for name, value in members.items()})

    def _forget(self, family: families.SelfFamily, match: Mapping[str, str], but: Iterable[str] = ()) -> None:
        """Remove the series whose labels include *match*, except those whose last label is one of *but*."""
        kept = set(but)
        with self._lock:
            made = self._made.get(family)
        if made is None:
            return
        names = _variable_labels(family)
        found = {
            tuple(sample.labels[name] for name in names)
            for metric in made.collect()
            for sample in metric.samples
            if match.items() <= sample.labels.items()
        }
        for values in found:
            if values[-1] not in kept:
                made.remove(*values)

    def _withdraw(self, family: families.SelfFamily) -> None:
        with self._lock:
            made = self._made.pop(family, None)
        if made is not None:
            self._registry.unregister(made)


def _of(scope: Scope | None) -> tuple[str, str]:
    return ("", "") if scope is None else (scope.account_id, scope.region)


def _text(value: str) -> str:
    """A label value that every format can hold: no lone surrogates, of a bounded length."""
    return value[:_LONGEST_VALUE].encode("utf-8", "replace").decode()


def _variable_labels(family: families.SelfFamily) -> tuple[str, ...]:
    """The labels that tell series apart; an info's others change with what it says (and there is one such at most)."""
    if family.type != "info":
        return family.labels
    return SCOPE_LABELS if family.labels[:2] == SCOPE_LABELS else ()


def _make(family: families.SelfFamily, registry: CollectorRegistry) -> _Made:
    names = _variable_labels(family)
    if family.type == "info":
        return Info(info_base(family.name), family.help, names, registry=registry)
    if family.type == "counter":
        return Counter(family.name, family.help, names, registry=registry, unit=family.unit)
    return Gauge(family.name, family.help, names, registry=registry, unit=family.unit)
