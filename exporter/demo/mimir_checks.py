"""
What Mimir refuses, and what it says then; and Prometheus, which refuses a whole request for one sample.

The rules are those of Mimir's distributor (labels, limits, the future) and of Prometheus's head block, which Mimir's
ingester has too (order, duplicates, age). Where a real receiver mends what the protocol forbids (unsorted labels, empty
values) or sees it only half (order within a request), this one refuses: it is a witness. Pure, but for what it is told
to store.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from exporter.demo.mimir_store import Series, Tenant, text_of
from exporter.demo.mimir_wire import Labels, Metadata, Sample, TimeSeries, WriteRequest, bits_of

_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

OUT_OF_ORDER = "err-mimir-sample-out-of-order"
DUPLICATE = "err-mimir-sample-duplicate-timestamp"
TOO_OLD = "err-mimir-sample-timestamp-too-old"
FUTURE = "err-mimir-too-far-in-future"
NO_NAME = "err-mimir-missing-metric-name"
BAD_NAME = "err-mimir-metric-name-invalid"
BAD_LABEL = "err-mimir-label-invalid"
BAD_VALUE = "err-mimir-label-value-invalid"
LONG_LABEL = "err-mimir-label-name-too-long"
LONG_VALUE = "err-mimir-label-value-too-long"
TWICE = "err-mimir-duplicate-label-names"
UNSORTED = "err-mimir-labels-not-sorted"
MANY_LABELS = "err-mimir-max-label-names-per-series"
MANY_SERIES = "err-mimir-max-series-per-user"
NO_FAMILY = "err-mimir-metadata-missing-metric-name"
LONG_FAMILY = "err-mimir-metric-name-too-long"

_SAID = {
    OUT_OF_ORDER: "the sample is rejected: a more recent one is there and out-of-order samples are not allowed",
    DUPLICATE: "the sample is rejected: another value has been ingested for the same timestamp",
    TOO_OLD: "the sample is rejected: its timestamp is too old",
    FUTURE: "the timestamp of the sample is too far in the future",
    NO_NAME: "the series has no metric name",
    BAD_NAME: "the metric name is invalid",
    BAD_LABEL: "the name of a label is invalid",
    BAD_VALUE: "the value of a label is empty or no UTF-8",
    LONG_LABEL: "the name of a label is too long",
    LONG_VALUE: "the value of a label is too long",
    TWICE: "a label stands there twice",
    UNSORTED: "the labels are not sorted by name",
    MANY_LABELS: "the series has too many labels",
    MANY_SERIES: "the tenant has as many series as it may have",
    NO_FAMILY: "the metadata name no metric",
    LONG_FAMILY: "the metric name of the metadata is too long",
}
_SAID_BY_PROMETHEUS = {
    OUT_OF_ORDER: "out of order sample",
    DUPLICATE: "duplicate sample for timestamp",
    TOO_OLD: "out of bounds",
    FUTURE: "out of bounds: timestamp is too far in the future",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    What a tenant may send, by Mimir's own defaults.

    `labels` counts the metric name; `label_name` and `label_value` are characters; `ahead` seconds of the future;
    `behind` seconds behind the tenant's newest sample; `out_of_order` seconds behind it for a sample older than its
    series' newest, 0 for none; `series` None for any number.
    """

    labels: int = 30
    label_name: int = 1024
    label_value: int = 2048
    ahead: float = 600.0
    behind: float = 3600.0
    out_of_order: float = 0.0
    series: int | None = None


class Refusal(NamedTuple):
    """
    What was refused.

    Args:
        reason: Mimir's id of the error, or a word for what is wrong with a whole request.

        series: as PromQL writes it, ``""`` where it is about no series.

        at: stamp of the sample in milliseconds, 0 where it is about no sample.
    """

    reason: str
    series: str = ""
    at: int = 0

    def text(self, tenant: str, *, prometheus: bool = False, window: float = 0.0) -> str:
        """What the receiver says about it; *window* is that of out-of-order samples, in seconds."""
        if prometheus:
            if self.reason == TOO_OLD and window:
                return "too old sample"
            return _SAID_BY_PROMETHEUS.get(self.reason, f"invalid labels: {_SAID.get(self.reason, self.reason)}")
        said = _SAID.get(self.reason, "the series is rejected")
        about = f" The affected series is {self.series}." if self.series else ""
        if self.at:
            stamp = datetime.fromtimestamp(self.at / 1000, UTC).isoformat(timespec="milliseconds")
            about = (
                f" The affected sample has timestamp {stamp.replace('+00:00', 'Z')} and is from series {self.series}"
            )
        return f"failed pushing to ingester mimir-ingester-0: user={tenant}: {said} ({self.reason}).{about}"


class Pending:
    """What one request adds to a series: new stamps to values; `newest` is that of both together."""

    __slots__ = ("newest", "samples", "series")

    def __init__(self, series: Series) -> None:
        self.series = series
        self.samples: dict[int, float] = {}
        self.newest = series.newest

    def value_at(self, at: int) -> float | None:
        """The value with that stamp, in the request or before it."""
        return self.samples[at] if at in self.samples else self.series.value_at(at)


@dataclass(slots=True)
class Verdict:
    """
    What is to become of one request.

    `refusals` is what it did wrong; `spoiled` is what a fault makes the receiver refuse; `first` of both; `repeats`
    are samples that are there already, which is nothing wrong.
    """

    refusals: list[Refusal] = field(default_factory=list)
    spoiled: list[Refusal] = field(default_factory=list)
    first: Refusal | None = None
    repeats: int = 0
    metadata: list[Metadata] = field(default_factory=list)
    pending: dict[Labels, Pending] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """How many may be stored."""
        return sum(len(each.samples) for each in self.pending.values())

    def store(self, tenant: Tenant) -> None:
        """Store what may be."""
        for each in self.pending.values():
            if each.samples:
                tenant.add(each.series, (Sample(at, value) for at, value in each.samples.items()))
        tenant.metadata.update({each.family: each for each in self.metadata})
        tenant.repeats += self.repeats

    def refuse(self, refusal: Refusal, *, spoiled: bool = False) -> None:
        """Note that something is not stored."""
        (self.spoiled if spoiled else self.refusals).append(refusal)
        self.first = self.first or refusal


def judge(
    request: WriteRequest, tenant: Tenant, limits: Limits, now: float, spoils: Callable[[str], str] = lambda _: ""
) -> Verdict:
    """
    Decide about each sample of a request; stores nothing.

    Args:
        request: what was sent.

        tenant: by whom.

        limits: of that tenant.

        now: the receiver's time, unix seconds.

        spoils: the reason for which a fault refuses a series (as PromQL writes it), ``""`` for none.
    """
    verdict = Verdict()
    newest, made = tenant.newest, 0
    for each in request.series:
        at = each.samples[0].at if each.samples else 0
        pending = verdict.pending.get(each.labels)
        series = pending.series if pending else tenant.find(each.labels)
        text = series.text if series else text_of(each.labels)
        if series is None and (reason := wrong_labels(each.labels, limits)):
            verdict.refuse(Refusal(reason, text, at))
            continue
        if reason := spoils(text):
            verdict.refuse(Refusal(reason, text, at), spoiled=True)
            continue
        if series is None:
            if limits.series is not None and tenant.active + made >= limits.series:
                verdict.refuse(Refusal(MANY_SERIES, text, at))
                continue
            series, made = Series(each.labels), made + 1
        if pending is None:
            pending = verdict.pending[each.labels] = Pending(series)
        newest = _samples(each, pending, verdict, limits, now, newest)
    for item in request.metadata:
        if not item.family or len(item.family) > limits.label_name:
            verdict.refuse(Refusal(LONG_FAMILY if item.family else NO_FAMILY, item.family[:200]))
        else:
            verdict.metadata.append(item)
    return verdict


def _samples(
    sent: TimeSeries, pending: Pending, verdict: Verdict, limits: Limits, now: float, newest: int | None
) -> int | None:
    """Judge the samples of one series; answers the newest stamp that age is measured by from here on."""
    for sample in sent.samples:
        reason = wrong_sample(sample, pending.newest, pending.value_at, limits, now, newest)
        if reason is None:
            verdict.repeats += 1
        elif reason:
            verdict.refuse(Refusal(reason, pending.series.text, sample.at))
        else:
            pending.samples[sample.at] = sample.value
            if pending.newest is None or sample.at > pending.newest.at:
                pending.newest = sample
            newest = sample.at if newest is None else newest  # an empty head begins with its first sample
    return newest


def wrong_sample(
    sample: Sample,
    last: Sample | None,
    value_at: Callable[[int], float | None],
    limits: Limits,
    now: float,
    newest: int | None,
) -> str | None:
    """
    Why a sample cannot be stored: ``""`` where it can, None where it need not be since it is there already.

    Args:
        sample: what was sent.

        last: the newest of its series.

        value_at: the value its series has for a stamp.

        limits: of the tenant.

        now: the receiver's time, unix seconds.

        newest: stamp (ms) of the newest sample of the tenant before this request.
    """
    if sample.at > (now + limits.ahead) * 1000:
        return FUTURE
    floor = sample.at if newest is None else newest - round(limits.behind * 1000)
    if sample.at >= floor:
        if last is None or sample.at > last.at:
            return ""
        if sample.at == last.at:
            return None if bits_of(sample.value) == bits_of(last.value) else DUPLICATE
    if limits.out_of_order and newest is not None and sample.at >= newest - round(limits.out_of_order * 1000):
        there = value_at(sample.at)
        if there is None:
            return ""
        return None if bits_of(there) == bits_of(sample.value) else DUPLICATE
    return TOO_OLD if sample.at < floor or limits.out_of_order else OUT_OF_ORDER


def wrong_labels(labels: Labels, limits: Limits) -> str:
    """Why a series cannot be stored, ``""`` where it can."""
    names = [name for name, _ in labels]
    if "__name__" not in names:
        return NO_NAME
    if len(set(names)) < len(names):
        return TWICE
    if names != sorted(names):
        return UNSORTED
    if len(names) > limits.labels:
        return MANY_LABELS
    for name, value in labels:
        if reason := _wrong_pair(name, value, limits):
            return reason
    return ""


def _wrong_pair(name: str, value: str, limits: Limits) -> str:
    if len(name) > limits.label_name:
        return LONG_LABEL
    if not _LABEL.fullmatch(name):
        return BAD_LABEL
    if len(value) > limits.label_value:
        return LONG_VALUE
    if name == "__name__" and not _METRIC.fullmatch(value):
        return BAD_NAME
    if not value or any("\ud800" <= each <= "\udfff" for each in value):
        return BAD_VALUE
    return ""
