"""
The object storage of the observability stack, as its own programs see it: a minute old, free, and the twin of the LogQL
alerts ObservabilityObjectStore…, so neither the store of metrics nor that of logs is watched only by itself.

Where the names come from:

- aws-facts 6.11: loki_s3_request_duration_seconds, tempodb_backend_request_duration_seconds,
  objstore_bucket_operations_total, objstore_bucket_operation_failures_total with a prefix of the program that embeds it,
  cortex_ingester_oldest_unshipped_block_timestamp_seconds.
- Public, not confirmed at the stack's versions: the prefixes thanos_, cortex_ and loki_ of the former,
  loki_objstore_bucket_transport_requests_total, loki_ingester_chunks_flush_failures_total,
  tempo_ingester_failed_flushes_total, cortex_ingester_shipper_upload_failures_total. Each stands beside a confirmed name.

Loki's own S3 client (without `use_thanos_objstore`) says 500 for every failure, a refused one too: a lost identity of
Loki is then ObservabilityS3RequestsFailing here and ObservabilityObjectStoreDenied in the logs. objstore counts failures
without their reason: so is Mimir's.
"""

from __future__ import annotations

from functools import partial

from rules.build import words
from rules.build.identity import CLAIM, listed
from rules.build.model import Alert, Group, Record, Threshold

_JOB = "cluster, namespace, job"
_C = listed(CLAIM)

REQUESTS_RATE = "job:observability_s3_requests:rate5m"
FAILURES_RATE = "job:observability_s3_failures:rate5m"
FAILURES_RATIO = "job:observability_s3_failures:ratio5m"
DENIED_RATE = "job:observability_s3_denied:rate5m"
SLOWDOWN_RATE = "job:observability_s3_slowdown:rate5m"
UNSHIPPED = "job:observability_oldest_unshipped_block:timestamp"
FLUSH_FAILURES = "namespace:observability_flush_failures:rate15m"
AVAILABLE = "claim:observability_volume_available:bytes"
AVAILABLE_RATIO = "claim:observability_volume_available:ratio"
LEFT = "claim:observability_volume:seconds_to_full"

_PREFIXES = ("thanos_", "cortex_", "")

_alert = partial(
    Alert, component="observability", source="client", dashboard=words.dashboard("s3", "cluster", "namespace")
)
_WHO = "{{ $labels.namespace }}/{{ $labels.job }}"


def _rate(name: str, matchers: str = "", window: str = "5m") -> str:
    return f"rate({name}{{{matchers}}}[{window}])" if matchers else f"rate({name}[{window}])"


def _objstore(name: str, matchers: str = "", window: str = "5m") -> str:
    """A counter of objstore, whatever its prefix."""
    return " or ".join(_rate(f"{prefix}objstore_bucket_{name}_total", matchers, window) for prefix in _PREFIXES)


def _by_program(programs: dict[str, str], level: str = _JOB) -> str:
    """Sums by program, side by side: what has equal labels otherwise would hide what comes after it."""
    return " or ".join(
        f'label_replace(sum by ({level}) ({expr}), "program", "{program}", "", "")'
        for program, expr in programs.items()
    )


def _by_code(codes: str) -> dict[str, str]:
    """Requests that ended with such a status, by the clients that tell it."""
    matcher = f'status_code=~"{codes}"'
    return {
        "loki": _rate("loki_s3_request_duration_seconds_count", matcher),
        "loki-objstore": _rate("loki_objstore_bucket_transport_requests_total", matcher),
        "tempo": _rate("tempodb_backend_request_duration_seconds_count", matcher),
    }


REQUESTS = Group(
    topic="observability",
    rules=[
        Record(
            name=REQUESTS_RATE,
            expr=_by_program(
                {
                    "loki": _rate("loki_s3_request_duration_seconds_count"),
                    "loki-objstore": _rate("loki_objstore_bucket_operations_total"),
                    "tempo": _rate("tempodb_backend_request_duration_seconds_count"),
                    "objstore": _objstore("operations"),
                }
            ),
        ),
        Record(
            name=FAILURES_RATE,
            expr=_by_program(
                {
                    "loki": _rate("loki_s3_request_duration_seconds_count", 'status_code=~"5.."'),
                    "loki-objstore": _rate("loki_objstore_bucket_operation_failures_total"),
                    "tempo": _rate("tempodb_backend_request_duration_seconds_count", 'status_code=~"5.."'),
                    "objstore": _objstore("operation_failures"),
                }
            ),
        ),
        Record(name=FAILURES_RATIO, expr=f"{FAILURES_RATE} / ({REQUESTS_RATE} > 0)"),
        Record(name=DENIED_RATE, expr=f"sum by ({_JOB}) ({_by_program(_by_code('401|403'))})"),
        Record(name=SLOWDOWN_RATE, expr=f"sum by ({_JOB}) ({_by_program(_by_code('429|503'))})"),
        Record(
            name=UNSHIPPED,
            expr=f"min by ({_JOB}) (cortex_ingester_oldest_unshipped_block_timestamp_seconds > 0)",
        ),
        _alert(
            name="ObservabilityS3RequestsFailing",
            severity="critical",
            expr=f"round(max by ({_JOB}) ({FAILURES_RATIO} > $share and {FAILURES_RATE} > $failing), 0.01)",
            wait="2m",
            keep="15m",
            thresholds={
                "share": Threshold(0.05, "ratio", "of the requests to object storage that failed in 5 minutes"),
                "failing": Threshold(0.03, "per_second", "failing requests a second (9 in 5 minutes)"),
            },
            summary=f"{_WHO}: {{{{ $value | humanizePercentage }}}} of requests to S3 fail",
            description=f"""
                {{{{ $value | humanizePercentage }}}} of the requests of {_WHO} to its bucket fail: what it takes in stays on its
                disks until they are full. See why: `kubectl -n {{{{ $labels.namespace }}}} logs -l
                app.kubernetes.io/component=ingester --since=10m | grep -iE 's3|bucket|denied|slow'`. The same in Loki:
                ObservabilityObjectStoreFailing.
            """,
        ),
        _alert(
            name="ObservabilityS3Denied",
            severity="critical",
            expr=f"round({DENIED_RATE} > $denied, 0.01)",
            wait="2m",
            keep="15m",
            thresholds={"denied": Threshold(0.02, "per_second", "refused requests a second (6 in 5 minutes)")},
            summary=f"{_WHO}: S3 refuses it (403)",
            description=f"""
                S3 refuses {{{{ $value }}}} requests a second of {_WHO}: it lost its identity or a permission on bucket or key, and
                stores nothing. See which role it has: `aws eks list-pod-identity-associations --cluster-name
                {{{{ $labels.cluster }}}} --namespace {{{{ $labels.namespace }}}}`, then restart its pods. The same in Loki:
                ObservabilityObjectStoreDenied.
            """,
        ),
        _alert(
            name="ObservabilityS3SlowDown",
            severity="warning",
            expr=f"round({SLOWDOWN_RATE} > $slowed, 0.01)",
            wait="5m",
            keep="15m",
            thresholds={"slowed": Threshold(0.1, "per_second", "requests a second that S3 put off")},
            summary=f"{_WHO}: S3 slows it down (503)",
            description=f"""
                S3 answers {{{{ $value }}}} requests a second of {_WHO} with 503 SlowDown: too many for one prefix. It scales within
                half an hour if the rate grows slowly. Lower the concurrency of queries and compaction. The same in Loki:
                ObservabilityObjectStoreSlowDown.
            """,
        ),
        _alert(
            name="ObservabilityBlocksNotShipped",
            severity="critical",
            expr=f"round(time() - {UNSHIPPED} > $age, 60)",
            wait="5m",
            keep="15m",
            thresholds={"age": Threshold(3600, "seconds", "age of the oldest block that is not in the bucket")},
            summary=f"{_WHO}: a block is not shipped since {{{{ $value | humanizeDuration }}}}",
            description=f"""
                An ingester of {_WHO} has a block of metrics that is {{{{ $value | humanizeDuration }}}} old and not in its bucket:
                queries miss it soon, and it is lost with the ingester's disk. See why: `kubectl -n
                {{{{ $labels.namespace }}}} logs -l app.kubernetes.io/component=ingester --since=30m | grep -i ship`. Do not delete
                an ingester's claim now.
            """,
        ),
    ],
)

_CLAIMS_OF_STACK = f"and on (cluster, namespace) group by (cluster, namespace) ({REQUESTS_RATE})"

FLUSHES = Group(
    topic="observability-flushes",
    rules=[
        Record(
            name=FLUSH_FAILURES,
            expr="sum by (cluster, namespace) ("
            + _by_program(
                {
                    "loki": _rate(
                        "loki_s3_request_duration_seconds_count", 'operation=~".*Put.*", status_code=~"[45].."', "15m"
                    ),
                    "loki-flush": _rate("loki_ingester_chunks_flush_failures_total", "", "15m"),
                    "loki-objstore": _rate(
                        "loki_objstore_bucket_operation_failures_total", 'operation="upload"', "15m"
                    ),
                    "tempo": _rate(
                        "tempodb_backend_request_duration_seconds_count",
                        'operation=~"PUT|POST", status_code=~"[45].."',
                        "15m",
                    ),
                    "tempo-flush": _rate("tempo_ingester_failed_flushes_total", "", "15m"),
                    "objstore": _objstore("operation_failures", 'operation="upload"', "15m"),
                    "mimir-ship": _rate("cortex_ingester_shipper_upload_failures_total", "", "15m"),
                },
                "cluster, namespace",
            )
            + ")",
        ),
        Record(
            name=AVAILABLE,
            expr=f"min by ({_C}) (kubelet_volume_stats_available_bytes) {_CLAIMS_OF_STACK}",
        ),
        Record(
            name=AVAILABLE_RATIO,
            expr=f"{AVAILABLE} / on ({_C}) (max by ({_C}) (kubelet_volume_stats_capacity_bytes) > 0)",
        ),
        Record(name=LEFT, expr=f"{AVAILABLE} / -(deriv({AVAILABLE}[30m]) < 0)"),
        _alert(
            name="ObservabilityFlushFailingDiskFilling",
            severity="critical",
            # A claim that is nearly full has no time left, whatever its pace.
            expr=f"""
                round((0 * ({AVAILABLE_RATIO} < $left) or {LEFT} < $time), 60)
                and on (cluster, namespace) {FLUSH_FAILURES} > $failures
            """,
            wait="2m",
            keep="15m",
            thresholds={
                "left": Threshold(0.1, "ratio", "free space of the claim, whatever its pace"),
                "time": Threshold(12 * 3600, "seconds", "time until the claim is full, at the pace of 30 minutes"),
                "failures": Threshold(0.005, "per_second", "failed writes to the bucket a second (5 in 15 minutes)"),
            },
            summary=f"{words.CLAIM}: fills up, for its data does not reach S3",
            description="""
                Writes from {{ $labels.namespace }} to its bucket fail, and {{ $labels.persistentvolumeclaim }}
                {{ if eq $value 0.0 }}is nearly full{{ else }}is full in {{ $value | humanizeDuration }}{{ end }}: then new data
                is refused and lost. Mend the bucket first (ObservabilityS3Denied, ObservabilityS3RequestsFailing), or win time
                by growing the claim: `kubectl -n {{ $labels.namespace }} edit pvc {{ $labels.persistentvolumeclaim }}`. The same
                in Loki: ObservabilityWalFull.
            """,
        ),
    ],
)
