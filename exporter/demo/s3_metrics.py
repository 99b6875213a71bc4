"""
What CloudWatch has of S3: daily sizes, request metrics of configured filters, replication metrics (aws-facts 1.4).

Absence is a fact here: an empty bucket has no sizes, a minute without DELETE has no `DeleteRequests`, a rule without
metrics has none, and three of the replication metrics are in the destination's region. Sources: S3 User Guide,
"Metrics and dimensions" and "Monitoring progress with replication metrics". Times of publishing are made up: AWS
documents none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from statistics import NormalDist

from exporter.demo.buckets import DAY, TYPES_OF_REQUESTS, Bucket, MetricsConfiguration, ReplicationRule
from exporter.demo.curves import MINUTE, Curves
from exporter.demo.estate import Estate
from exporter.demo.metrics import Datum, Dimensions, Source
from exporter.demo.nouns import KIB

SPACE = "AWS/S3"
STARTS = 900
"""Seconds from a configuration to its first datapoint (about 15 minutes, S3 User Guide)."""

_EARLIEST, _LATEST = 2 * 3600, 20 * 3600
_SAMPLE = 128
_FAILING = 0.3
"""The share of requests S3 fails while a scenario lets it."""

_KINDS = {f"{kind}Requests": kind for kind in TYPES_OF_REQUESTS}
_BYTES: Mapping[str, tuple[str, ...]] = {
    "BytesDownloaded": ("Get",),
    "BytesUploaded": ("Put", "Post"),
    "SelectBytesScanned": ("Select",),
    "SelectBytesReturned": ("Select",),
}
_ERRORS = ("4xxErrors", "5xxErrors")
_LATENCIES = ("FirstByteLatency", "TotalRequestLatency")
REQUESTS = ("AllRequests", *_KINDS, *_BYTES, *_ERRORS, *_LATENCIES)
"""Under ``{BucketName, FilterId}``."""

_AT_DESTINATION = ("ReplicationLatency", "BytesPendingReplication", "OperationsPendingReplication")
_AT_SOURCE = "OperationsFailedReplication"


class S3Metrics:
    """
    What is published of S3 in one region.

    Args:
        estate: the region's own buckets.

        curves: the noise, and what a scenario does.

        region: its name.

        account_buckets: every bucket of the account, for replication between regions.
    """

    def __init__(
        self, estate: Estate, curves: Curves, region: str, account_buckets: Callable[[], list[Bucket]]
    ) -> None:
        self._estate = estate
        self._curves = curves
        self._region = region
        self._account_buckets = account_buckets

    def source(self, namespace: str, metric: str, dimensions: Dimensions) -> Source | None:
        """The metric under exactly these dimensions, or None when AWS has no such metric here."""
        if namespace != SPACE:
            return None
        given = dict(dimensions)
        names = frozenset(given)
        bucket = self._estate.buckets.get(given.get("BucketName", ""))
        if bucket and names == {"BucketName", "StorageType"}:
            return self._daily(bucket, metric, given["StorageType"])
        if bucket and names == {"BucketName", "FilterId"} and metric in REQUESTS:
            chosen = next((item for item in bucket.metrics if item.filter_id == given["FilterId"]), None)
            return self._requests(bucket, chosen, metric) if chosen else None
        if names == {"SourceBucket", "DestinationBucket", "RuleId"}:
            for origin, rule in self._rules():
                if (origin.name, rule.destination, rule.rule_id) == (
                    given["SourceBucket"],
                    given["DestinationBucket"],
                    given["RuleId"],
                ):
                    return self._replication(origin, rule, metric)
        return None

    def catalog(self) -> Iterator[tuple[str, str, Dimensions]]:
        """Every (namespace, metric, dimensions) there ever was here, to be asked by `source`."""
        for bucket in self._estate.buckets.values():
            own = ("BucketName", bucket.name)
            for storage_type in bucket.storage:
                yield SPACE, "BucketSizeBytes", frozenset({own, ("StorageType", storage_type)})
            yield SPACE, "NumberOfObjects", frozenset({own, ("StorageType", "AllStorageTypes")})
            for item in bucket.metrics:
                for metric in REQUESTS:
                    yield SPACE, metric, frozenset({own, ("FilterId", item.filter_id)})
        for origin, rule in self._rules():
            pair = {("SourceBucket", origin.name), ("DestinationBucket", rule.destination), ("RuleId", rule.rule_id)}
            for metric in (*_AT_DESTINATION, _AT_SOURCE):
                yield SPACE, metric, frozenset(pair)

    # --- once a day ------------------------------------------------------------------------------------------------

    def _daily(self, bucket: Bucket, metric: str, storage_type: str) -> Source | None:
        """As measured at the end of the day the datapoint is of."""
        if metric == "BucketSizeBytes" and storage_type in bucket.storage:

            def value(at: float) -> float:
                return float(bucket.sizes(at)[storage_type])
        elif metric == "NumberOfObjects" and storage_type == "AllStorageTypes" and bucket.storage:

            def value(at: float) -> float:
                return float(bucket.count(at))
        else:
            return None

        def at(day: int) -> Datum | None:
            end = day + DAY - 1
            return Datum.of(float(int(value(end) * self._surge(bucket, end)))) if bucket.exists(end) else None

        chance = self._curves.chance(f"s3-daily|{bucket.name}", 0)[0]
        return Source(DAY, at, lateness=_EARLIEST + (_LATEST - _EARLIEST) * chance)

    def _surge(self, bucket: Bucket, at: float) -> float:
        began = self._curves.effects.swollen.get(bucket.name, math.inf)
        return 1.0 + 9.0 * min(1.0, max(0.0, at - began) / DAY)

    # --- requests --------------------------------------------------------------------------------------------------

    def _requests(self, bucket: Bucket, chosen: MetricsConfiguration, metric: str) -> Source | None:
        load = bucket.load
        kinds = (_KINDS[metric],) if metric in _KINDS else _BYTES.get(metric, TYPES_OF_REQUESTS)
        if not any(load.rates[kind] for kind in kinds):
            return None
        begins = max(chosen.since, bucket.created) + STARTS

        def at(minute: int) -> Datum | None:
            if minute < begins or not bucket.exists(minute):
                return None
            counts = self._counts(bucket, chosen, minute)
            of_these, all_of_them = sum(counts[kind] for kind in kinds), sum(counts.values())
            if not of_these:
                return None
            if metric in _ERRORS:
                return self._errors(bucket, chosen, metric, minute, all_of_them)
            if metric in _LATENCIES:
                return self._latency(bucket, metric, minute, all_of_them)
            if metric in _BYTES:
                return self._bytes(bucket, metric, minute, of_these)
            return Datum(float(of_these), float(of_these), 1.0, 1.0)

        return Source(MINUTE, at)

    def _counts(self, bucket: Bucket, chosen: MetricsConfiguration, minute: int) -> dict[str, int]:
        """Requests of a minute by kind, under one filter; never more than of the whole bucket."""
        load = bucket.load
        chances = self._curves.chance(f"s3|{bucket.name}", minute)
        parts = self._curves.chance(f"s3|{bucket.name}|{chosen.filter_id}", minute)
        day = max(0.0, self._curves.day(minute, load.swing))
        idle = chances[7] < load.idle_share
        counts = {}
        for number, (kind, rate) in enumerate(load.rates.items()):
            usual = 0.0 if idle else rate * MINUTE * day * (0.8 + 0.4 * chances[(number + 1) % 7])
            whole = int(usual + chances[number]) if usual else 0
            counts[kind] = whole if chosen.share >= 1.0 else int(whole * chosen.share + parts[number]) if whole else 0
        return counts

    def _fails(self, bucket: Bucket, minute: int) -> bool:
        return self._curves.effects.during(self._curves.effects.failing, bucket.name, minute)

    def _errors(self, bucket: Bucket, chosen: MetricsConfiguration, metric: str, minute: int, requests: int) -> Datum:
        """Every request is an observation of 0 or 1, so Average is the rate and SampleCount the requests."""
        load = bucket.load
        share = load.client_errors if metric == "4xxErrors" else load.server_errors
        if metric == "5xxErrors" and self._fails(bucket, minute):
            share = _FAILING
        chance = self._curves.chance(f"s3|{bucket.name}|{chosen.filter_id}|{metric}", minute)[0]
        failed = min(requests, int(requests * share + chance))
        return Datum(float(failed), float(requests), float(failed == requests), float(failed > 0))

    def _bytes(self, bucket: Bucket, metric: str, minute: int, requests: int) -> Datum:
        load = bucket.load
        kib = {
            "BytesDownloaded": load.get_kib,
            "BytesUploaded": load.put_kib,
            "SelectBytesScanned": load.select_kib,
            "SelectBytesReturned": load.select_kib / 10,
        }[metric]
        chance = self._curves.chance(f"s3|{bucket.name}|bytes", minute)[0]
        each = int(kib * KIB * (0.7 + 0.6 * chance))
        return Datum(float(each * requests), float(requests), float(each), float(each))

    def _latency(self, bucket: Bucket, metric: str, minute: int, requests: int) -> Datum:
        """Milliseconds, spread about the median; a request's total is never below its first byte."""
        load = bucket.load
        slower = (0.85 + 0.3 * self._curves.chance(f"s3|{bucket.name}|latency", minute)[0]) * (
            4.0 if self._fails(bucket, minute) else 1.0
        )
        body = max(0.0, load.total_ms - load.first_byte_ms) if metric == "TotalRequestLatency" else 0.0
        sample = tuple(
            slower * (load.first_byte_ms * math.exp(0.6 * z) + body * math.exp(0.9 * z))
            for z in _spread(min(requests, _SAMPLE))
        )
        return Datum(requests * sum(sample) / len(sample), float(requests), sample[0], sample[-1], sample)

    # --- replication -----------------------------------------------------------------------------------------------

    def _rules(self) -> Iterator[tuple[Bucket, ReplicationRule]]:
        for bucket in self._account_buckets():
            for rule in bucket.replication:
                if rule.metrics and rule.enabled:
                    yield bucket, rule

    def _replication(self, origin: Bucket, rule: ReplicationRule, metric: str) -> Source | None:
        regions = {item.name: item.region for item in self._account_buckets()}
        here = origin.region if metric == _AT_SOURCE else regions.get(rule.destination)
        if here != self._region or metric not in {*_AT_DESTINATION, _AT_SOURCE}:
            return None
        begins = max(rule.since, origin.created) + STARTS

        def at(minute: int) -> Datum | None:
            if minute < begins or not origin.exists(minute):
                return None
            chances = self._curves.chance(f"s3|{origin.name}|{rule.rule_id}", minute)
            day = max(0.0, self._curves.day(minute, origin.load.swing))
            operations = int(rule.operations * MINUTE * day * (0.5 + chances[0]) + chances[1])
            if metric == _AT_SOURCE:
                failed = min(operations, int(operations * rule.failing + chances[2]))
                low, high = float(failed == operations), float(failed > 0)
                return Datum(float(failed), float(operations), low, high) if operations else None
            latency = rule.latency * (0.6 + 0.8 * chances[3])
            pending = int(operations * latency / MINUTE)
            size = origin.load.put_kib * KIB
            values = (latency, float(int(pending * size)), float(pending))
            return Datum.of(dict(zip(_AT_DESTINATION, values, strict=True))[metric])

        return Source(MINUTE, at)


@cache
def _spread(number: int) -> tuple[float, ...]:
    """*number* values of a standard normal distribution at even steps of probability, in order."""
    normal = NormalDist()
    return tuple(normal.inv_cdf((step + 0.5) / number) for step in range(number))
