"""Whether an exporter lives, leads and stands by its configuration."""

from __future__ import annotations

from rules.build.cases.shapes import Case, S, Values, Variant, between, flat, step

C = {"cluster": "production"}
BOARD = "/d/storage-exporter-exporter?var-cluster=production"
WHO = "Exporter of cluster production"
VOLUME = {**C, "account_id": "123456789012", "region": "ap-southeast-3", "volume_id": "vol-0a1"}

BUILD = S("storage_exporter_build_info", {**C, "version": "1"})
_LEADER = "storage_exporter_leader"
_STALLS, _LAG = "storage_exporter_event_loop_stalls_total", "storage_exporter_event_loop_lag_seconds"
_FAILURES = "prometheus_rule_evaluation_failures_total"
_RULES = {**C, "rule_group": "storage-exporter;storage-exporter.ebs.stalled"}
_VOLUME_INFO = {**VOLUME, "volume_type": "gp3", "availability_zone": "ap-southeast-3a", "state": "in-use"}


def replicas(*leads: float | None, name: str = _LEADER) -> list[S]:
    """A series of each replica, with pods of their own."""
    return [
        S(name, {**C, "pod": f"exporter-{n}", "instance": f"10.0.0.{n}:9116"}, flat(value))
        for n, value in enumerate(leads)
    ]


def _failures(name: str, good: Values | None = None) -> list[S]:
    """Evaluations that fail at minute 5 on two of the ruler's pods: three on one, two on the other."""
    return [S(name, {**_RULES, "pod": pod}, step(5, 0, count), good) for pod, count in (("ruler-0", 3), ("ruler-1", 2))]


_LEADERS = [
    S(_LEADER, {**C, "pod": pod, "instance": instance, "replica": replica})
    for pod, instance, replica in (("a", "x", ""), ("b", "x", ""), ("b", "y", ""), ("b", "y", "r"))
]
"""Four, any two of which differ in one label alone."""

_GONE = (
    "No exporter of production has been seen for 10 minutes: no other page about EBS, EFS, S3, Valkey or claims can"
    " come. First: `kubectl -n monitoring get pods -l app.kubernetes.io/name=storage-exporter`. Pods run: is it scraped (or"
    " does it push), has the token of remote write expired? Pods do not run: `kubectl -n monitoring logs -l"
    " app.kubernetes.io/name=storage-exporter --tail=50`."
)

_STALLED = (
    ": collections and answers come late. First: is its CPU limit reached (`kubectl -n monitoring top pods`)? It needs a"
    " twentieth of a core; a limit below 200m throttles it."
)
_FAILING = (
    " evaluations failed in 15 minutes. First: read the error of the group in the ruler's list of rules, then"
    " `storage-exporter rules diff` to see whether the rules that are loaded are the ones shipped."
)

ALIVE = [
    Case(
        alert="StorageExporterWatchdog",
        severity="none",
        component="exporter",
        series=[BUILD],
        fires_at=0,
        labels={},
        missing=True,
        ends=False,
        restarts=False,
        summary="Dead man's switch: the rules are evaluated and Alertmanager hears them",
        description="This alert always fires. The receiver that expects it raises the alarm when it stops coming: then the ruler,"
        " Alertmanager or the way between them is broken, and no page about storage can arrive.",
    ),
    Case(
        alert="StorageExporterDown",
        severity="critical",
        component="exporter",
        # Stops being scraped at minute 10: seen for five minutes more, as Prometheus looks back.
        series=[S("storage_exporter_build_info", {**C, "version": "1"}, step(10, 1, None), flat(1))],
        fires_at=20,
        waits=5,
        labels=C,
        ends=False,
        restarts=False,
        summary=f"{WHO} is gone: storage is not watched",
        description=_GONE,
        dashboard=BOARD,
        variants={
            "a new version takes over": Variant(
                fires=False,
                series=[
                    S("storage_exporter_build_info", {**C, "version": "1"}, step(10, 1, None)),
                    S("storage_exporter_build_info", {**C, "version": "2"}, step(14, None, 1)),
                ],
            ),
            "the exporter of another cluster lives": Variant(
                fires=True,
                series=[
                    S("storage_exporter_build_info", {**C, "version": "1"}, step(10, 1, None)),
                    S("storage_exporter_build_info", {"cluster": "staging", "version": "1"}, flat(1)),
                ],
            ),
        },
    ),
    Case(
        alert="StorageExporterNoLeader",
        severity="critical",
        component="exporter",
        series=[
            *replicas(0),
            S(_LEADER, {**C, "pod": "exporter-9", "instance": "10.0.0.9:9116"}, step(10, 1, 0), flat(1)),
            *replicas(1, 1, name="storage_exporter_shards"),
        ],
        fires_at=13,
        waits=3,
        keeps=5,
        labels=C,
        restarts=False,
        missing=True,
        summary=f"{WHO}: no replica asks AWS",
        description="Replicas run, but 0 of them holds the Lease, fewer than there are shards: nothing is read from AWS and values"
        " end within minutes. First: `kubectl -n monitoring get lease -l app.kubernetes.io/name=storage-exporter -o wide` and look"
        " for `lease` in the log: mostly RBAC on leases, or an API server that does not answer.",
        dashboard=BOARD,
        variants={
            "one of two shards has no leader": Variant(
                fires=True, series=[*replicas(1, 0, 0, 0), *replicas(2, 2, 2, 2, name="storage_exporter_shards")]
            ),
            # Told apart by the pod, by where it is scraped, by the label of what is pushed.
            "each of four shards has one": Variant(
                fires=False, series=[*_LEADERS, *replicas(4, name="storage_exporter_shards")]
            ),
            "both shards have one": Variant(
                fires=False, series=[*replicas(1, 0, 1, 0), *replicas(2, 2, 2, 2, name="storage_exporter_shards")]
            ),
            "a hand-over of two minutes": Variant(
                fires=False,
                series=[
                    *replicas(0),
                    S(_LEADER, {**C, "pod": "b", "instance": "b"}, between(11, 13, 0, 1)),
                    *replicas(1, 1, name="storage_exporter_shards"),
                ],
            ),
        },
    ),
    Case(
        alert="StorageExporterSeveralLeaders",
        severity="warning",
        component="exporter",
        series=[
            *replicas(1),
            S(_LEADER, {**C, "pod": "exporter-9", "instance": "10.0.0.9:9116"}, step(5, 0, 1), flat(0)),
            *replicas(1, 1, name="storage_exporter_shards"),
        ],
        fires_at=15,
        waits=10,
        labels=C,
        restarts=False,
        summary=f"{WHO}: several replicas ask AWS",
        description="2 replicas ask AWS where there should be one a shard: CloudWatch is paid for more than once. Mostly two releases"
        " in one cluster, or leader election switched off with more than one replica. First: `kubectl get pods -A -l"
        " app.kubernetes.io/name=storage-exporter`.",
        dashboard=BOARD,
        variants={
            "two shards": Variant(
                fires=False, series=[*replicas(1, 1), *replicas(2, 2, name="storage_exporter_shards")]
            ),
            "four where there are three shards": Variant(
                fires=True, series=[*_LEADERS, *replicas(3, name="storage_exporter_shards")]
            ),
        },
    ),
    Case(
        alert="StorageExporterConfigReloadFailed",
        severity="warning",
        component="exporter",
        series=[S("storage_exporter_config_last_reload_successful", C, step(5, 1, 0), flat(1))],
        fires_at=10,
        waits=5,
        labels=C,
        restarts=False,
        summary=f"{WHO}: the new configuration was refused",
        description="The exporter goes on with the configuration it had. A restart would fail. First: `storage-exporter check"
        " --config FILE` names every mistake at once.",
        dashboard=BOARD,
        variants={
            "one of two replicas refused it": Variant(
                fires=True, series=replicas(0, 1, name="storage_exporter_config_last_reload_successful")
            )
        },
    ),
    Case(
        alert="StorageExporterEventLoopStalled",
        severity="warning",
        component="exporter",
        series=[S(_STALLS, C, flat(0)), S(_LAG, C, step(10, 0.1, 5.5), flat(4.5))],
        fires_at=12,
        waits=2,
        keeps=15,
        labels=C,
        restarts=False,
        summary=f"{WHO} stands still again and again",
        description="Everything in the process waited 6 s or more" + _STALLED,
        dashboard=BOARD,
        variants={
            # A stall counts for 15 minutes, to minute 19, and is told for 15 more.
            "counted stalls": Variant(
                fires=True,
                series=[S(_STALLS, C, step(5, 0, 2)), S(_LAG, C, flat(0.1))],
                at=30,
                description="Everything in the process waited 15 s or more" + _STALLED,
            ),
            "stalls long ago": Variant(
                fires=False, series=[S(_STALLS, C, step(5, 0, 1)), S(_LAG, C, flat(0.1))], at=40
            ),
        },
    ),
    Case(
        alert="StorageExporterKubernetesBlind",
        severity="warning",
        component="exporter",
        series=[
            S("storage_exporter_kubernetes_kind_known", {**C, "kind": "persistentvolumes"}, step(5, 1, 0), flat(1))
        ],
        fires_at=20,
        waits=15,
        restarts=False,
        labels={**C, "kind": "persistentvolumes"},
        summary=f"{WHO}: persistentvolumes of Kubernetes are not known",
        description="The Kubernetes API has not told of persistentvolumes for 15 minutes: pages name volumes by what AWS's tags say,"
        " and alerts about claims and attachments are blind. First: `kubectl auth can-i list persistentvolumes"
        " --as=system:serviceaccount:monitoring:monitoring-sa`.",
        dashboard=BOARD,
        variants={
            "another replica knows them": Variant(
                fires=False,
                series=[
                    S(
                        "storage_exporter_kubernetes_kind_known",
                        {**C, "kind": "persistentvolumes", "pod": pod},
                        flat(known),
                    )
                    for pod, known in (("a", 0), ("b", 1))
                ],
            )
        },
    ),
    Case(
        alert="StorageExporterVolumesWithoutOwner",
        severity="warning",
        component="exporter",
        series=[
            S("aws_ebs_volume_info", _VOLUME_INFO),
            S("aws_ebs_volume_info", {**_VOLUME_INFO, "volume_id": "vol-0a2"}),
            S("volume:aws_ebs_owner:info", {**VOLUME, "volume_id": "vol-0a2"}, step(10, 1, None), flat(1)),
            S("volume:aws_ebs_owner:info", {**VOLUME, "namespace": "databases"}, step(10, 1, None), flat(1)),
        ],
        fires_at=25,
        waits=10,
        missing=True,
        labels=C,
        restarts=False,
        summary=f"{WHO}: pages about 2 volumes would be lost",
        description="2 volumes have no series volume:aws_ebs_owner:info, which every alert about a volume joins. The rule group"
        " storage-exporter.ebs.owners fails or is not loaded. First: look at it in the ruler's list of rules (Grafana: Alerting,"
        " Alert rules) for its error.",
        dashboard=BOARD,
    ),
    Case(
        alert="StorageExporterRulesFailing",
        severity="warning",
        component="exporter",
        source="client",
        series=_failures(_FAILURES, flat(0)),
        fires_at=10,
        waits=5,
        keeps=15,
        labels=_RULES,
        restarts=False,
        summary="Rule group storage-exporter;storage-exporter.ebs.stalled fails: its pages may not come",
        description="5" + _FAILING,
        dashboard=BOARD,
        ends=False,
        variants={
            "Mimir's ruler": Variant(
                fires=True, drop=[_FAILURES], series=_failures(f"cortex_{_FAILURES}"), description="5" + _FAILING
            ),
            "Loki's ruler": Variant(
                fires=True, drop=[_FAILURES], series=_failures(f"loki_{_FAILURES}"), description="5" + _FAILING
            ),
            # They count for 15 minutes, and are told for 15 more.
            "all three, long ago": Variant(
                fires=False,
                series=[each for ruler in ("", "cortex_", "loki_") for each in _failures(ruler + _FAILURES)],
                at=45,
            ),
            "somebody else's group": Variant(
                fires=False, series=[S(_FAILURES, {**C, "rule_group": "kubernetes-storage"}, step(5, 0, 3))]
            ),
        },
    ),
    # The same by the hour: it is forgotten a day after it was uninstalled.
    Case(
        alert="StorageExporterDown",
        severity="critical",
        component="exporter",
        series=[S("storage_exporter_build_info", {**C, "version": "1"}, step(60, 1, None), flat(1))],
        fires_at=120,
        waits=5,
        labels=C,
        ends=False,
        restarts=False,
        step=60,
        summary=f"{WHO} is gone: storage is not watched",
        description=_GONE,
        dashboard=BOARD,
        variants={
            "it was uninstalled a day ago": Variant(
                fires=False,
                series=[S("storage_exporter_build_info", {**C, "version": "1"}, step(60, 1, None))],
                at=1500,
            ),
            "it is gone for twenty hours": Variant(
                fires=True,
                series=[S("storage_exporter_build_info", {**C, "version": "1"}, step(60, 1, None))],
                at=1200,
            ),
        },
    ),
]
