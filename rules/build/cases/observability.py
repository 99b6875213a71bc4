"""What the alerts about the object storage of the observability stack must do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from rules.build.cases.shapes import Case, Reading, S, Values, Variant, ramp, step

LOKI = {"cluster": "production", "namespace": "loki", "job": "loki/ingester"}
TEMPO = {"cluster": "production", "namespace": "tempo", "job": "tempo/ingester"}
MIMIR = {"cluster": "production", "namespace": "mimir", "job": "mimir/ingester"}
CLAIM = {"cluster": "production", "namespace": "loki", "persistentvolumeclaim": "wal-loki-0"}

_case = partial(Case, component="observability", source="client")


def board(namespace: str) -> str:
    """The dashboard's path."""
    return f"/d/storage-exporter-s3?var-cluster=production&var-namespace={namespace}"


def counter(per_second: float, since: int = 0, before: float = 0) -> Values:
    """A counter that goes up so fast from minute *since* on, and so fast *before*."""
    return lambda minute: round(60 * (before * min(minute, since) + per_second * max(minute - since, 0)), 6)


def until(end: int, values: Values) -> Values:
    """Told until a minute."""
    return lambda minute: values(minute) if minute < end else None


def loki(code: str, bad: Values, good: Values | None = None, operation: str = "S3.PutObject", pod: str = "loki-0") -> S:
    """Requests of Loki's own S3 client."""
    labels = {**LOKI, "pod": pod, "operation": operation, "status_code": code}
    return S("loki_s3_request_duration_seconds_count", labels, bad=bad, good=good)


def tempo(code: str, bad: Values, good: Values | None = None, operation: str = "PUT") -> S:
    """Requests of Tempo's client."""
    labels = {**TEMPO, "pod": "tempo-0", "operation": operation, "status_code": code}
    return S("tempodb_backend_request_duration_seconds_count", labels, bad=bad, good=good)


def objstore(prefix: str, name: str, bad: Values, labels: dict[str, str] = MIMIR, operation: str = "upload") -> S:
    """Operations of objstore in a program that puts *prefix* before its names."""
    return S(f"{prefix}objstore_bucket_{name}_total", {**labels, "pod": "p-0", "operation": operation}, bad=bad)


def transport(code: str, bad: Values) -> S:
    """Requests of Loki's client on objstore."""
    labels = {**LOKI, "pod": "loki-0", "method": "PUT", "status_code": code}
    return S("loki_objstore_bucket_transport_requests_total", labels, bad=bad)


def free(bad: Values | float, good: Values | float | None = None) -> S:
    """Free bytes of the claim with the write-ahead log."""
    return S("kubelet_volume_stats_available_bytes", {**CLAIM, "instance": "node-a1"}, bad=bad, good=good)


CAPACITY = S("kubelet_volume_stats_capacity_bytes", {**CLAIM, "instance": "node-a1"}, bad=1e10)
_ALL = counter(10)
_WELL = loki("200", _ALL)
_NO_LOKI = ["loki_s3_request_duration_seconds_count"]


def _failing(prefix: str, labels: dict[str, str] = MIMIR, failures: float = 0.7) -> Variant:
    series = [
        objstore(prefix, "operations", _ALL, labels),
        objstore(prefix, "operation_failures", counter(failures, 10), labels),
    ]
    return Variant(fires=failures > 0.5, series=series, drop=_NO_LOKI, labels=labels, at=20)


CASES = [
    _case(
        alert="ObservabilityS3RequestsFailing",
        severity="critical",
        series=[_WELL, loki("500", counter(2, 10), good=counter(0.5, 10))],
        labels=LOKI,
        fires_at=14,
        waits=2,
        keeps=15,
        ends=False,  # a rate of five minutes goes on for five
        summary="loki/loki/ingester: 14% of requests to S3 fail",
        description="14% of the requests of loki/loki/ingester to its bucket fail: what it takes in stays on its disks until they "
        "are full. See why: `kubectl -n loki logs -l app.kubernetes.io/component=ingester --since=10m | grep -iE "
        "'s3|bucket|denied|slow'`. The same in Loki: ObservabilityObjectStoreFailing.",
        dashboard=board("loki"),
        variants={
            "its pods are gone": Variant(fires=False, series=[_WELL, loki("500", until(20, counter(2, 10)))], at=60),
            "Tempo": Variant(
                fires=True,
                series=[tempo("200", _ALL), tempo("503", counter(0.7, 10))],
                drop=_NO_LOKI,
                labels=TEMPO,
                at=20,
            ),
            "Mimir by thanos_": _failing("thanos_"),
            "Mimir by cortex_": _failing("cortex_"),
            "whoever by no prefix": _failing(""),
            "Loki by objstore": _failing("loki_", LOKI),
            "few fail": _failing("thanos_", failures=0.45),
            "what is not there": Variant(fires=False, series=[_WELL, loki("404", counter(2, 10))], at=20),
            "few of few": Variant(
                fires=False, series=[loki("200", counter(0.1)), loki("500", counter(0.025, 10))], at=20
            ),
            "some of few": Variant(
                fires=True, series=[loki("200", counter(0.1)), loki("500", counter(0.04, 10))], at=20
            ),
            "another program of the same job is well": Variant(
                fires=True,
                series=[_WELL, loki("500", counter(2, 10)), objstore("", "operations", counter(1000), LOKI)],
            ),
        },
    ),
    _case(
        alert="ObservabilityS3Denied",
        severity="critical",
        series=[tempo("200", _ALL), tempo("403", counter(0.5, 10), good=counter(0.018, 10))],
        labels=TEMPO,
        fires_at=13,
        waits=2,
        keeps=15,
        ends=False,  # a rate of five minutes goes on for five
        summary="tempo/tempo/ingester: S3 refuses it (403)",
        description="S3 refuses 0.3 requests a second of tempo/tempo/ingester: it lost its identity or a permission on bucket or "
        "key, and stores nothing. See which role it has: `aws eks list-pod-identity-associations --cluster-name production "
        "--namespace tempo`, then restart its pods. The same in Loki: ObservabilityObjectStoreDenied.",
        dashboard=board("tempo"),
        variants={
            "its pods are gone": Variant(fires=False, series=[tempo("403", until(20, counter(0.5, 10)))], at=60),
            "a little": Variant(fires=True, series=[tempo("403", counter(0.025, 10))], at=25),
            "not known": Variant(fires=True, series=[tempo("401", counter(0.5, 10))]),
            "what is not there": Variant(fires=False, series=[tempo("404", counter(0.5, 10))], at=25),
            "Loki": Variant(
                fires=True,
                series=[loki("403", counter(0.5, 10))],
                drop=["tempodb_backend_request_duration_seconds_count"],
                labels=LOKI,
            ),
            "Loki by objstore": Variant(
                fires=True,
                series=[transport("403", counter(0.5, 10))],
                drop=["tempodb_backend_request_duration_seconds_count"],
                labels=LOKI,
            ),
        },
    ),
    _case(
        alert="ObservabilityS3SlowDown",
        severity="warning",
        series=[tempo("200", _ALL), tempo("503", counter(0.4, 10), good=counter(0.09, 10))],
        labels=TEMPO,
        fires_at=17,
        waits=5,
        keeps=15,
        ends=False,  # a rate of five minutes goes on for five
        summary="tempo/tempo/ingester: S3 slows it down (503)",
        description="S3 answers 0.4 requests a second of tempo/tempo/ingester with 503 SlowDown: too many for one prefix. It scales "
        "within half an hour if the rate grows slowly. Lower the concurrency of queries and compaction. The same in Loki: "
        "ObservabilityObjectStoreSlowDown.",
        dashboard=board("tempo"),
        variants={
            "its pods are gone": Variant(fires=False, series=[tempo("503", until(20, counter(0.5, 10)))], at=60),
            "a little": Variant(fires=True, series=[tempo("503", counter(0.12, 10))], at=25),
            "too many requests": Variant(fires=True, series=[tempo("429", counter(0.4, 10))]),
            "a server's error": Variant(fires=False, series=[tempo("500", counter(0.4, 10))], at=25),
            "Loki by objstore": Variant(
                fires=True,
                series=[transport("503", counter(0.4, 10))],
                drop=["tempodb_backend_request_duration_seconds_count"],
                labels=LOKI,
            ),
        },
    ),
    _case(
        alert="ObservabilityBlocksNotShipped",
        severity="critical",
        # The clock of a test begins at 0; a block of minute 10 is an hour old in minute 71.
        series=[
            S(
                "cortex_ingester_oldest_unshipped_block_timestamp_seconds",
                {**MIMIR, "pod": "mimir-0"},
                bad=step(10, 0, 600),
                good=lambda minute: max(60.0 * minute - 3400, 0),
            ),
            S(
                "cortex_ingester_oldest_unshipped_block_timestamp_seconds",
                {**MIMIR, "pod": "mimir-1"},
                bad=lambda minute: 60.0 * minute,
            ),
        ],
        labels=MIMIR,
        fires_at=76,
        waits=5,
        keeps=15,
        summary="mimir/mimir/ingester: a block is not shipped since 1h 6m 0s",
        description="An ingester of mimir/mimir/ingester has a block of metrics that is 1h 6m 0s old and not in its bucket: queries "
        "miss it soon, and it is lost with the ingester's disk. See why: `kubectl -n mimir logs -l "
        "app.kubernetes.io/component=ingester --since=30m | grep -i ship`. Do not delete an ingester's claim now.",
        dashboard=board("mimir"),
        variants={
            "all are shipped": Variant(
                fires=False,
                series=[
                    S("cortex_ingester_oldest_unshipped_block_timestamp_seconds", {**MIMIR, "pod": "mimir-0"}, bad=0)
                ],
            )
        },
    ),
    _case(
        alert="ObservabilityFlushFailingDiskFilling",
        severity="critical",
        # 9e9 bytes, and 1.5e7 less each minute from minute 40 on: full within 12 hours when most of the half hour goes so.
        series=[
            _WELL,
            loki("500", counter(1, 40), good=counter(0.004, 40)),
            CAPACITY,
            free(ramp(40, 9e9, -1.5e7)),
        ],
        labels=CLAIM,
        fires_at=64,
        waits=2,
        keeps=15,
        summary="Claim loki/wal-loki-0: fills up, for its data does not reach S3",
        description="Writes from loki to its bucket fail, and wal-loki-0 is full in 10h 49m 0s: then new data is refused and lost. "
        "Mend the bucket first (ObservabilityS3Denied, ObservabilityS3RequestsFailing), or win time by growing the claim: "
        "`kubectl -n loki edit pvc wal-loki-0`. The same in Loki: ObservabilityWalFull.",
        dashboard="/d/storage-exporter-s3?var-cluster=production&var-namespace=loki",
        variants={
            "it has room for longer": Variant(fires=False, series=[free(ramp(0, 9e9, -1e7))], at=80),
            "nearly full": Variant(fires=True, series=[free(0.95e9)], at=60),
            "nearly full, and few writes fail": Variant(
                fires=True, series=[_WELL, loki("500", counter(0.006)), free(0.95e9)], at=60
            ),
            "not nearly full": Variant(fires=False, series=[free(1.05e9)], at=80),
            "reads fail": Variant(
                fires=False,
                series=[_WELL, loki("500", counter(1, 40), operation="S3.GetObject"), free(0.95e9)],
                at=60,
            ),
            "writes are refused": Variant(fires=True, series=[_WELL, loki("403", counter(1, 40)), free(0.95e9)], at=60),
            "all goes well": Variant(fires=False, series=[_WELL, free(0.95e9)], at=60),
            "the claim of another namespace": Variant(
                fires=False,
                series=[
                    S("kubelet_volume_stats_available_bytes", {**CLAIM, "namespace": "databases"}, bad=1e8),
                    S("kubelet_volume_stats_capacity_bytes", {**CLAIM, "namespace": "databases"}, bad=1e10),
                ],
                at=60,
            ),
            **{
                f"told by {name}": Variant(
                    fires=True,
                    series=[_WELL, S(name, {**LOKI, "pod": "p-0", **more}, bad=counter(1, 40)), free(0.95e9)],
                    at=60,
                )
                for name, more in {
                    "loki_ingester_chunks_flush_failures_total": {},
                    "tempo_ingester_failed_flushes_total": {},
                    "cortex_ingester_shipper_upload_failures_total": {},
                    "loki_objstore_bucket_operation_failures_total": {"operation": "upload"},
                    "thanos_objstore_bucket_operation_failures_total": {"operation": "upload"},
                    "cortex_objstore_bucket_operation_failures_total": {"operation": "upload"},
                    "objstore_bucket_operation_failures_total": {"operation": "upload"},
                    "tempodb_backend_request_duration_seconds_count": {"operation": "POST", "status_code": "503"},
                }.items()
            },
            **{
                f"not told by {name}": Variant(
                    fires=False,
                    series=[_WELL, S(name, {**LOKI, "pod": "p-0", **more}, bad=counter(1, 40)), free(0.95e9)],
                    at=60,
                )
                for name, more in {
                    "loki_objstore_bucket_operation_failures_total": {"operation": "get"},
                    "thanos_objstore_bucket_operation_failures_total": {"operation": "get"},
                    "tempodb_backend_request_duration_seconds_count": {"operation": "GET", "status_code": "503"},
                }.items()
            },
        },
    ),
]


def _pods(*series: S) -> list[S]:
    """Each by two pods."""
    return [*series, *(replace(each, labels={**each.labels, "pod": "other"}) for each in series)]


_ONE = counter(2, 10, before=1)
"""One a second, from minute 10 on two: 1.4 in minute 12 over five minutes."""
_LATER = counter(2, 20, before=1)
"""One a second, from minute 20 on two: 4/3 in minute 25 over 15 minutes."""
_L = 'cluster="production", job="loki/ingester", namespace="loki"'
_T = 'cluster="production", job="tempo/ingester", namespace="tempo"'
_M = 'cluster="production", job="mimir/ingester", namespace="mimir"'

READINGS: list[Reading] = [
    Reading(
        name="requests of all programs",
        series=_pods(
            loki("200", _ONE),
            tempo("200", _ONE),
            objstore("cortex_", "operations", _ONE),
            objstore("loki_", "operations", _ONE, LOKI),
        ),
        expr="round(job:observability_s3_requests:rate5m, 0.01)",
        at=12,
        samples={
            f'{{{_L}, program="loki"}}': 2.8,
            f'{{{_L}, program="loki-objstore"}}': 2.8,
            f'{{{_T}, program="tempo"}}': 2.8,
            f'{{{_M}, program="objstore"}}': 2.8,
        },
    ),
    Reading(
        name="failures of all programs",
        series=_pods(
            loki("500", _ONE),
            loki("404", _ONE),
            tempo("503", _ONE),
            tempo("404", _ONE),
            objstore("", "operation_failures", _ONE),
            objstore("loki_", "operation_failures", _ONE, LOKI),
        ),
        expr="round(job:observability_s3_failures:rate5m, 0.01)",
        at=12,
        samples={
            f'{{{_L}, program="loki"}}': 2.8,
            f'{{{_L}, program="loki-objstore"}}': 2.8,
            f'{{{_T}, program="tempo"}}': 2.8,
            f'{{{_M}, program="objstore"}}': 2.8,
        },
    ),
    *(
        Reading(
            name=f"{what} requests of all programs",
            series=_pods(loki(code, _ONE), transport(code, _ONE), tempo(other, _ONE), tempo("200", _ONE)),
            expr=f"round(job:observability_s3_{what}:rate5m, 0.01)",
            at=12,
            samples={f"{{{_L}}}": 5.6, f"{{{_T}}}": 2.8},
        )
        for what, code, other in (("denied", "403", "401"), ("slowdown", "503", "429"))
    ),
    Reading(
        name="failed writes of all programs",
        series=_pods(
            loki("500", _LATER),
            loki("500", _LATER, operation="S3.GetObject"),
            objstore("loki_", "operation_failures", _LATER, LOKI),
            *(
                objstore(prefix, "operation_failures", _LATER, {**LOKI, "job": f"{prefix}program"})
                for prefix in ("thanos_", "cortex_", "")
            ),
            *(
                S(name, {**LOKI, "pod": "p-0", **more}, bad=_LATER)
                for name, more in {
                    "loki_ingester_chunks_flush_failures_total": {},
                    "tempo_ingester_failed_flushes_total": {},
                    "cortex_ingester_shipper_upload_failures_total": {},
                    "tempodb_backend_request_duration_seconds_count": {"operation": "PUT", "status_code": "503"},
                }.items()
            ),
        ),
        expr="round(namespace:observability_flush_failures:rate15m, 0.01)",
        at=25,
        samples={'{cluster="production", namespace="loki"}': 24},
    ),
    Reading(
        name="requests of several pods and programs are counted side by side",
        series=[_WELL, loki("200", counter(5), pod="loki-1"), objstore("thanos_", "operations", counter(2))],
        expr="job:observability_s3_requests:rate5m",
        at=20,
        samples={
            'job:observability_s3_requests:rate5m{cluster="production", job="loki/ingester", namespace="loki", program="loki"}': 15,
            'job:observability_s3_requests:rate5m{cluster="production", job="mimir/ingester", namespace="mimir", '
            'program="objstore"}': 2,
        },
    ),
    Reading(
        name="a claim that moved to another node",
        series=[
            _WELL,
            free(5e9),
            S("kubelet_volume_stats_available_bytes", {**CLAIM, "instance": "node-b1"}, bad=4e9),
        ],
        expr="claim:observability_volume_available:bytes",
        at=5,
        samples={
            'claim:observability_volume_available:bytes{cluster="production", namespace="loki", '
            'persistentvolumeclaim="wal-loki-0"}': 4e9
        },
    ),
]
