"""Whether reading AWS works: jobs, permissions, throttling, coverage, credentials."""

from __future__ import annotations

from rules.build import words
from rules.build.exporter_freshness import DENIED, THROTTLED
from rules.build.identity import ACCOUNT, SERVICE, listed
from rules.build.model import Alert, Group, Record, Threshold

_S, _A = listed(SERVICE), listed(ACCOUNT)
_WHERE = "{{ $labels.aws_service }} in {{ $labels.region }} ({{ $labels.account_id }})"

READING = Group(
    topic="reading",
    rules=[
        Record(
            name="job:storage_exporter_success:max",
            expr=f"max by ({_S}, job_name) (storage_exporter_job_success)",
        ),
        Alert(
            name="StorageExporterJobFailing",
            severity="warning",
            component="exporter",
            expr="avg_over_time(job:storage_exporter_success:max[30m]) < $success",
            thresholds={
                "success": Threshold(0.5, "ratio", "share of the last 30 minutes in which passes read everything")
            },
            wait="10m",
            keep="15m",
            summary=f"{_WHERE}: passes do not read everything",
            description="""
                Only {{ $value | humanizePercentage }} of the last 30 minutes were without a fault. What is known stays
                for its age and then ends. First: which operation, by
                `storage_exporter_discovery_success == 0`, and why, in the exporter's log (job {{ $labels.job_name }}).
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterAccessDenied",
            severity="warning",
            component="exporter",
            expr=f'sum by ({_S}, operation) (increase(storage_exporter_aws_errors_total{{code=~"{DENIED}"}}[30m])) > $refusals',
            thresholds={"refusals": Threshold(2, "count", "refused requests in 30 minutes")},
            wait="5m",
            keep="30m",
            summary=f"{_WHERE}: AWS refuses {{{{ $labels.operation }}}}",
            description="""
                {{ printf "%.0f" $value }} requests were refused in 30 minutes. First: `storage-exporter policy` prints what the role needs;
                then look for a changed role, Pod Identity association, key policy or service control policy.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterApiThrottled",
            severity="warning",
            component="exporter",
            expr=f"""
                sum by ({_S}) (increase(storage_exporter_aws_errors_total{{code=~"{THROTTLED}"}}[15m]))
                / (sum by ({_S}) (increase(storage_exporter_aws_requests_total[15m])) > 0)
                > $share
            """,
            thresholds={"share": Threshold(0.05, "ratio", "share of requests that AWS throttles, over 15 minutes")},
            wait="10m",
            keep="15m",
            summary=f"{_WHERE}: AWS throttles {{{{ $value | humanizePercentage }}}} of requests",
            description="""
                Nothing is lost yet: what was missed is asked in the next pass. Others in the account use the same quota. First: lower
                limits.get_metric_data_per_second, or ask AWS for more in Service Quotas (GetMetricData, ec2 Describe).
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterPassesMissed",
            severity="warning",
            component="exporter",
            expr=f"sum by ({_S}, job_name) (increase(storage_exporter_job_missed_total[1h])) > $passes",
            thresholds={
                "passes": Threshold(5, "count", "passes in an hour that did not start, the one before still running")
            },
            wait="10m",
            keep="30m",
            summary="Job {{ $labels.job_name }}: passes take longer than their interval",
            description="""
                {{ printf "%.0f" $value }} passes of the last hour did not start, for the one before still ran. Values get older than they
                should. First: storage_exporter_job_duration_seconds beside storage_exporter_job_interval_seconds; then throttling,
                and limits.aws_concurrency.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Record(
            name="account:storage_exporter_resources:sum",
            expr=f"sum by ({_S}) (max by ({_S}, resource_type) (storage_exporter_resources))",
        ),
        Alert(
            name="StorageExporterDiscoveryDropped",
            severity="warning",
            component="exporter",
            expr="""
                account:storage_exporter_resources:sum < $share * (account:storage_exporter_resources:sum offset 1h)
                and (account:storage_exporter_resources:sum offset 1h) >= 4
            """,
            thresholds={"share": Threshold(0.5, "ratio", "what is left of the resources known an hour ago")},
            wait="10m",
            keep="1h",
            summary=f"{_WHERE}: only {{{{ $value }}}} resources are left",
            description="""
                More than half of the resources of an hour ago are gone. A planned teardown does that. If there was none: a changed
                select in the configuration, a permission, or somebody deletes. First: `storage-exporter plan` lists what is
                discovered; CloudTrail says who deleted.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterSeriesDropped",
            severity="warning",
            component="exporter",
            expr="sum by (cluster, reason) (increase(storage_exporter_series_dropped_total[15m])) > 0",
            wait="5m",
            keep="30m",
            summary="Exporter of {{ $labels.cluster }} leaves out series ({{ $labels.reason }})",
            description="""
                {{ printf "%.0f" $value }} series were left out in 15 minutes; alerts on them are blind. First: over_limit wants a larger
                limits.max_series; duplicates are named in the exporter's log.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterCredentialsExpiring",
            severity="critical",
            component="exporter",
            expr=f"max by ({_A}) (storage_exporter_credentials_expiry_timestamp_seconds) - time() < $left",
            thresholds={
                "left": Threshold(
                    600, "seconds", "until the credentials in use expire; they are renewed at half their life"
                )
            },
            wait="2m",
            keep="5m",
            summary="""
                Account {{ $labels.account_id }}, {{ $labels.region }}: credentials end
                {{ if gt $value 0.0 }}in {{ $value | humanizeDuration }}{{ else }}now{{ end }}
            """,
            description="""
                New ones cannot be had; when these end, nothing of the account is read any more. First:
                `kubectl -n monitoring logs -l app.kubernetes.io/name=storage-exporter | grep credentials` names the provider and AWS's
                answer; then the Pod Identity agent (`kubectl -n kube-system get ds eks-pod-identity-agent`) and the role's trust policy.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
    ],
)
