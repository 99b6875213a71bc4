"""Whether what was read arrives (push mode)."""

from __future__ import annotations

from rules.build import words
from rules.build.model import Alert, Group, Threshold

_WHO = "Exporter of {{ $labels.cluster }}"

DELIVERY = Group(
    topic="delivery",
    rules=[
        # What is pushed cannot tell that pushing fails: this sees it where the exporter is scraped as well. Where it is
        # not, StorageExporterDown fires for want of its series, and the LogQL twin names the cause.
        Alert(
            name="StorageExporterPushFailing",
            severity="critical",
            component="exporter",
            expr="""
                time() - max by (cluster) (storage_exporter_remote_write_last_success_timestamp_seconds) > $silence
                and on (cluster) sum by (cluster) (increase(storage_exporter_remote_write_failures_total[10m])) > 0
            """,
            thresholds={"silence": Threshold(300, "seconds", "since the receiver last accepted anything")},
            wait="2m",
            keep="10m",
            summary=f"{_WHO} cannot push: nothing arrived for {{{{ $value | humanizeDuration }}}}",
            description="""
                Datapoints wait on disk and are not lost until the outbox is full or the receiver finds them too old (mostly an
                hour). First: `storage-exporter check --connect --config FILE` says what the receiver answers; then its
                distributor's log, the tenant and the token.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterPushBacklog",
            severity="warning",
            component="exporter",
            expr="""
                max by (cluster) (storage_exporter_remote_write_outbox_age_seconds) > $age
                or
                max by (cluster) (storage_exporter_remote_write_outbox_bytes / (storage_exporter_remote_write_outbox_limit_bytes > 0)) > $fill
            """,
            thresholds={
                "age": Threshold(900, "seconds", "how long the oldest request has waited on disk"),
                "fill": Threshold(0.5, "ratio", "how full the outbox is"),
            },
            wait="5m",
            keep="10m",
            summary=f"{_WHO}: requests wait on disk",
            description="""
                The receiver takes less than is sent, or nothing. Alerts see the past. At the outbox's limit the oldest are dropped. First:
                storage_exporter_remote_write_requests_total by code; 429 means the tenant's ingestion limit.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterPushDropping",
            severity="warning",
            component="exporter",
            expr="""
                sum by (cluster, reason) (increase(storage_exporter_remote_write_dropped_total{reason!="superseded"}[30m])) > $samples
            """,
            thresholds={"samples": Threshold(0, "count", "samples given up in 30 minutes")},
            wait="2m",
            keep="30m",
            summary=f"{_WHO} gave up samples ({{{{ $labels.reason }}}})",
            description="""
                {{ printf "%.0f" $value }} samples were given up in 30 minutes. out_of_order and duplicate: two exporters write the same series.
                too_old: raise the receiver's out-of-order window. limits: its series limit. max_age, max_bytes, disk_full: the outbox.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterOutboxFailing",
            severity="warning",
            component="exporter",
            expr="sum by (cluster) (increase(storage_exporter_remote_write_outbox_failures_total[15m])) > 0",
            wait="5m",
            keep="15m",
            summary=f"{_WHO} cannot write its outbox",
            description="""
                Datapoints are asked again, and paid again, until the disk takes them. First:
                `kubectl -n monitoring exec deploy/storage-exporter -- df -h` and the volume's mount.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
    ],
)
