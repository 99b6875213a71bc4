"""Whether an exporter lives, leads and stands by its configuration; and the dead man's switch."""

from __future__ import annotations

from rules.build import words
from rules.build.identity import VOLUME, listed
from rules.build.model import Alert, Group, Threshold

_POD = "Exporter of {{ if $labels.cluster }}cluster {{ $labels.cluster }}{{ else }}this cluster{{ end }}"
_LOGS = "`kubectl -n monitoring logs -l app.kubernetes.io/name=storage-exporter --tail=50`"

ALIVE = Group(
    topic="alive",
    rules=[
        Alert(
            name="StorageExporterWatchdog",
            severity="none",
            component="exporter",
            expr="vector(1)",
            summary="Dead man's switch: the rules are evaluated and Alertmanager hears them",
            description="""
                This alert always fires. The receiver that expects it raises the alarm when it stops coming: then
                the ruler, Alertmanager or the way between them is broken, and no page about storage can arrive.
            """,
        ),
        # Scrape and push alike; per cluster, for absent() is blind to one that is missing among several. An exporter
        # that was uninstalled is forgotten after a day.
        Alert(
            name="StorageExporterDown",
            severity="critical",
            component="exporter",
            expr="""
                group by (cluster) (last_over_time(storage_exporter_build_info[1d]))
                unless on (cluster) group by (cluster) (storage_exporter_build_info)
            """,
            wait="5m",
            summary=f"{_POD} is gone: storage is not watched",
            description=f"""
                No exporter of {{{{ $labels.cluster }}}} has been seen for 10 minutes: no other page about EBS, EFS, S3,
                Valkey or claims can come. First: `kubectl -n monitoring get pods -l app.kubernetes.io/name=storage-exporter`.
                Pods run: is it scraped (or does it push), has the token of remote write expired? Pods do not run: {_LOGS}.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterNoLeader",
            severity="critical",
            component="exporter",
            expr="""
                sum by (cluster) (max by (cluster, pod, instance, replica) (storage_exporter_leader))
                < on (cluster) max by (cluster) (storage_exporter_shards)
            """,
            wait="3m",
            keep="5m",
            summary=f"{_POD}: no replica asks AWS",
            description="""
                Replicas run, but {{ printf "%.0f" $value }} of them holds the Lease, fewer than there are shards: nothing
                is read from AWS and values end within minutes. First:
                `kubectl -n monitoring get lease -l app.kubernetes.io/name=storage-exporter -o wide` and look for
                `lease` in the log: mostly RBAC on leases, or an API server that does not answer.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterSeveralLeaders",
            severity="warning",
            component="exporter",
            expr="""
                sum by (cluster) (max by (cluster, pod, instance, replica) (storage_exporter_leader))
                > on (cluster) max by (cluster) (storage_exporter_shards)
            """,
            wait="10m",
            summary=f"{_POD}: several replicas ask AWS",
            description="""
                {{ printf "%.0f" $value }} replicas ask AWS where there should be one a shard: CloudWatch is paid for more
                than once. Mostly two releases in one cluster, or leader election switched off with more than one
                replica. First: `kubectl get pods -A -l app.kubernetes.io/name=storage-exporter`.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterConfigReloadFailed",
            severity="warning",
            component="exporter",
            expr="min by (cluster) (storage_exporter_config_last_reload_successful) == 0",
            wait="5m",
            summary=f"{_POD}: the new configuration was refused",
            description="""
                The exporter goes on with the configuration it had. A restart would fail. First:
                `storage-exporter check --config FILE` names every mistake at once.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        # What is counted is a stall of 15 seconds or more; the text tells seconds.
        Alert(
            name="StorageExporterEventLoopStalled",
            severity="warning",
            component="exporter",
            expr="""
                15 + 0 * (sum by (cluster) (increase(storage_exporter_event_loop_stalls_total[15m])) > 0)
                or
                max by (cluster) (storage_exporter_event_loop_lag_seconds) > $lag
            """,
            thresholds={"lag": Threshold(5, "seconds", "how long everything in the process stood still")},
            wait="2m",
            keep="15m",
            summary=f"{_POD} stands still again and again",
            description="""
                Everything in the process waited {{ printf "%.0f" $value }} s or more: collections and answers come late.
                First: is its CPU limit reached (`kubectl -n monitoring top pods`)? It needs a twentieth of a core; a
                limit below 200m throttles it.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterKubernetesBlind",
            severity="warning",
            component="exporter",
            expr="max by (cluster, kind) (storage_exporter_kubernetes_kind_known) == 0",
            wait="15m",
            summary=f"{_POD}: {{{{ $labels.kind }}}} of Kubernetes are not known",
            description="""
                The Kubernetes API has not told of {{ $labels.kind }} for 15 minutes: pages name volumes by what AWS's tags
                say, and alerts about claims and attachments are blind. First:
                `kubectl auth can-i list {{ $labels.kind }} --as=system:serviceaccount:monitoring:monitoring-sa`.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        # A join that fails would take the pages of these volumes with it, silently.
        Alert(
            name="StorageExporterVolumesWithoutOwner",
            severity="warning",
            component="exporter",
            expr=f"""
                count by (cluster) (
                  group by ({listed(VOLUME)}) (aws_ebs_volume_info)
                  unless on ({listed(VOLUME)}) volume:aws_ebs_owner:info
                ) > 0
            """,
            wait="10m",
            summary=f"{_POD}: pages about {{{{ $value }}}} volumes would be lost",
            description="""
                {{ $value }} volumes have no series volume:aws_ebs_owner:info, which every alert about a volume joins. The
                rule group storage-exporter.ebs.owners fails or is not loaded. First: look at it in the ruler's list of
                rules (Grafana: Alerting, Alert rules) for its error.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterRulesFailing",
            severity="warning",
            component="exporter",
            source="client",
            expr="""
                sum by (cluster, rule_group) (increase(cortex_prometheus_rule_evaluation_failures_total{rule_group=~".*storage-exporter[.].*"}[15m])) > 0
                or
                sum by (cluster, rule_group) (increase(prometheus_rule_evaluation_failures_total{rule_group=~".*storage-exporter[.].*"}[15m])) > 0
                or
                sum by (cluster, rule_group) (increase(loki_prometheus_rule_evaluation_failures_total{rule_group=~".*storage-exporter[.].*"}[15m])) > 0
            """,
            wait="5m",
            keep="15m",
            summary="Rule group {{ $labels.rule_group }} fails: its pages may not come",
            description="""
                {{ printf "%.0f" $value }} evaluations failed in 15 minutes. First: read the error of the group in the ruler's
                list of rules, then `storage-exporter rules diff` to see whether the rules that are loaded are the ones shipped.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
    ],
)
