"""How old the data is, and why: one page, with its reason, for whatever makes CloudWatch's values old."""

from __future__ import annotations

from rules.build import words
from rules.build.identity import ACCOUNT, BUCKET, FILE_SYSTEM, SERVICE, VOLUME, listed
from rules.build.model import Alert, Group, Record, Threshold

_S, _A = listed(SERVICE), listed(ACCOUNT)
THROTTLED = (
    "Throttl.*|.*Throttled.*|RequestLimitExceeded|TooManyRequests.*|SlowDown|LimitExceededException"
    "|BandwidthLimitExceeded|ProvisionedThroughputExceeded.*|PriorRequestNotComplete"
)
DENIED = (
    "AccessDenied.*|AuthorizationError.*|Forbidden|NotAuthorized.*|UnauthorizedOperation|OptInRequired"
    "|SubscriptionRequired.*|AuthFailure|ExpiredToken.*|IncompleteSignature.*|InvalidAccessKeyId|InvalidClientTokenId"
    "|InvalidSignature.*|InvalidToken|MissingAuthenticationToken.*|RequestExpired|RequestTimeTooSkewed"
    "|SignatureDoesNotMatch|TokenRefreshRequired|UnrecognizedClient.*"
)
"""AWS's error codes as exporter/aws/faults.py sorts them (a test holds them together)."""

_STALE, _AGE = "service:storage_exporter_data_stale:seconds", "service:storage_exporter_data_age:seconds"
_REASON = "service:storage_exporter_data_stale:reason"


def _because(reason: str, condition: str = "") -> str:
    return f'label_replace({_STALE} {condition}, "reason", "{reason}", "", "")'


def _errors(matcher: str) -> str:
    """
    Requests for metrics that failed in ten minutes. Of other operations an error says nothing of old data: that a
    bucket has no policy is an error too, and that one policy may not be read.
    """
    read = f'storage_exporter_aws_errors_total{{operation="GetMetricData", {matcher}}}'
    return f"sum by ({_S}) (increase({read}[10m]))"


def _any(matcher: str) -> str:
    """Whether requests of any kind failed in ten minutes: the reason where nothing is asked any more."""
    return f"and on ({_S}) sum by ({_S}) (increase(storage_exporter_aws_errors_total{{{matcher}}}[10m])) > 0"


_WHERE = "{{ $labels.aws_service }} in {{ $labels.region }} ({{ $labels.account_id }})"

FRESHNESS = Group(
    topic="freshness",
    rules=[
        Record(name=_AGE, expr=f"time() - max by ({_S}) (storage_exporter_newest_datapoint_timestamp_seconds)"),
        Record(name=_STALE, expr=f"{_AGE} > on ({_S}) max by ({_S}) (storage_exporter_data_age_limit_seconds)"),
        Record(name="service:storage_exporter_throttled:increase10m", expr=_errors(f'code=~"{THROTTLED}"')),
        Record(name="service:storage_exporter_denied:increase10m", expr=_errors(f'code=~"{DENIED}"')),
        Record(name="service:storage_exporter_failed:increase10m", expr=_errors(f'code!~"{THROTTLED}|{DENIED}"')),
        Record(
            name="service:storage_exporter_asked:increase15m",
            expr=f'sum by ({_S}) (increase(storage_exporter_aws_queries_total{{operation="GetMetricData"}}[15m]))',
        ),
        # Late is what holds for every service of an account and region at once: while another one's newest datapoint is
        # under five minutes old, and was twenty minutes ago, CloudWatch is not late, and empty answers have another cause.
        # (When it has caught up, what is asked every quarter of an hour is stale for that much longer.)
        Record(
            name=_REASON,
            expr=f"""
                {_because("denied", f"and on ({_S}) service:storage_exporter_denied:increase10m > 0")}
                or on ({_S})
                {_because("throttled", f"and on ({_S}) service:storage_exporter_throttled:increase10m > 0")}
                or on ({_S})
                {_because("failing", f"and on ({_S}) service:storage_exporter_failed:increase10m > 0")}
                or on ({_S})
                {_because("late", f"and on ({_S}) service:storage_exporter_asked:increase15m > 0 unless on ({_A}) ({_AGE} < 300 and on ({_S}) {_AGE} offset 20m < 300)")}
                or on ({_S})
                {_because("empty", f"and on ({_S}) service:storage_exporter_asked:increase15m > 0")}
                or on ({_S})
                {_because("denied", _any(f'code=~"{DENIED}"'))}
                or on ({_S})
                {_because("throttled", _any(f'code=~"{THROTTLED}"'))}
                or on ({_S})
                {_because("not_asked")}
            """,
        ),
        Alert(
            name="StorageExporterDataStale",
            severity="critical",
            component="exporter",
            expr=f'{_REASON}{{reason!="late"}} > 0 or {_REASON}{{reason="late"}} > $late_age',
            thresholds={
                "late_age": Threshold(3600, "seconds", "age from which on even CloudWatch's own lateness pages")
            },
            wait="5m",
            keep="10m",
            summary=f"{_WHERE}: data is {{{{ $value | humanizeDuration }}}} old ({{{{ $labels.reason }}}})",
            description="""
                Alerts about {{ $labels.aws_service }} in {{ $labels.region }} are blind until it comes again.
                {{ if eq $labels.reason "denied" }}AWS refuses our role: compare it with `storage-exporter policy` and look for a
                changed role, Pod Identity association or service control policy.
                {{- else if eq $labels.reason "throttled" }}AWS throttles us: the account's CloudWatch or Describe quota is used up,
                maybe by others. Lower limits.get_metric_data_per_second or find who else asks.
                {{- else if eq $labels.reason "late" }}Every service of the account is late: CloudWatch itself is behind. Watch
                health.aws.amazon.com, and look at the systems by hand meanwhile.
                {{- else if eq $labels.reason "empty" }}CloudWatch answers without datapoints while other services are fresh: are the
                resources stopped, or were they all replaced?
                {{- else if eq $labels.reason "not_asked" }}Nothing is asked: see StorageExporterPassesMissed and the exporter's log.
                {{- else }}Requests fail: see the code in storage_exporter_aws_errors_total; network, endpoint or AWS.{{ end }}
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterCloudWatchLate",
            severity="warning",
            component="exporter",
            expr=f'{_REASON}{{reason="late"}} > $age',
            thresholds={"age": Threshold(900, "seconds", "age of the newest datapoint while all services are late")},
            wait="5m",
            keep="10m",
            summary=f"{_WHERE}: CloudWatch is {{{{ $value | humanizeDuration }}}} late",
            description="""
                Every service of the account is late, so it is CloudWatch, not us. Alerts see what happened that long
                ago. Nothing to do yet; it pages when it lasts an hour. Watch health.aws.amazon.com.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        # Cache nodes have pages of their own (AwsElastiCacheNodeSilent). A filter of a bucket that nobody uses is silent
        # by nature; those of the observability stack are read every few minutes.
        Alert(
            name="StorageExporterMemberStale",
            severity="warning",
            component="exporter",
            expr=f"""
                (
                  time() - max by ({listed(FILE_SYSTEM)}) (aws_efs_file_system_newest_datapoint_timestamp_seconds) > $file_system
                  unless on ({_A}) {_STALE}{{aws_service="efs"}}
                )
                or
                (
                  time() - max by ({listed(VOLUME)}) (aws_ebs_volume_newest_datapoint_timestamp_seconds) > $volume
                  unless on ({_A}) {_STALE}{{aws_service="ebs"}}
                )
                or
                (
                  time() - max by ({listed(BUCKET)}, filter_id) (aws_s3_bucket_filter_newest_datapoint_timestamp_seconds) > $filter
                  and on ({listed(BUCKET)}) aws_s3_bucket_info{{bucket_component!=""}}
                  unless on ({_A}) {_STALE}{{aws_service="s3"}}
                )
            """,
            thresholds={
                "file_system": Threshold(1200, "seconds", "age of a file system's newest datapoint"),
                "volume": Threshold(1800, "seconds", "age of a pinned volume's newest datapoint"),
                "filter": Threshold(7200, "seconds", "age of the newest datapoint of a component bucket's filter"),
            },
            wait="5m",
            keep="15m",
            summary="""
                {{ if $labels.file_system_id }}File system {{ $labels.file_system_id }}{{- else if $labels.volume_id }}Volume
                {{ $labels.volume_id }}{{ else }}Bucket {{ $labels.bucket }}{{ end }}: CloudWatch has told nothing for
                {{ $value | humanizeDuration }}
            """,
            description="""
                Others of its kind are fresh, so this one alone is silent: its alerts are blind. Is it detached, deleted,
                unused, or (a bucket) did its request-metrics configuration{{ if $labels.filter_id }} {{ $labels.filter_id }}{{ end }} change? First: look at it in
                the AWS console.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
    ],
)
