"""Whether reading AWS works, and what it costs."""

from __future__ import annotations

from rules.build.cases.exporter_freshness import EFS, ERRORS, A, counts
from rules.build.cases.exporter_replicas import BOARD, C, replicas
from rules.build.cases.shapes import Case, S, Variant, between, flat, ramp, step

JOB = {**EFS, "job_name": "efs/123456789012/ap-southeast-3"}
WHERE = "efs in ap-southeast-3 (123456789012)"
_REFUSED = {**EFS, "operation": "DescribeFileSystems", "code": "AccessDeniedException"}
_REQUESTS = "storage_exporter_aws_requests_total"
_MISSED = "storage_exporter_job_missed_total"
_RESOURCES = "storage_exporter_resources"
_COST, _BUDGET = "storage_exporter_aws_cost_dollars_total", "storage_exporter_aws_budget_dollars_per_month"
_DEFERRED = "storage_exporter_deferred_rows"
_MONTH = 730 * 60.0
"""Minutes."""

READING = [
    Case(
        alert="StorageExporterJobFailing",
        severity="warning",
        component="exporter",
        # From minute 30 on nothing succeeds: of the 31 values of the window less than half are good from minute 46 on.
        series=[S("storage_exporter_job_success", JOB, step(30, 1, 0), lambda minute: float(minute % 2 == 0))],
        fires_at=55,
        waits=10,
        restarts=False,
        keeps=15,
        labels=JOB,
        ends=False,
        summary=f"{WHERE}: passes do not read everything",
        description="Only 16.13% of the last 30 minutes were without a fault. What is known stays for its age and then ends. First: which"
        " operation, by `storage_exporter_discovery_success == 0`, and why, in the exporter's log (job"
        " efs/123456789012/ap-southeast-3).",
        dashboard=BOARD,
        variants={
            "fails every other pass": Variant(
                fires=False, series=[S("storage_exporter_job_success", JOB, lambda m: float(m % 2))]
            )
        },
    ),
    Case(
        alert="StorageExporterAccessDenied",
        severity="warning",
        component="exporter",
        # One every nine minutes, over three operations' codes and two pods; well is one every twenty.
        series=[
            S(ERRORS, {**_REFUSED, "pod": "a"}, lambda m: float((m + 8) // 18), lambda m: float(m // 20)),
            S(ERRORS, {**_REFUSED, "pod": "b", "code": "AccessDenied"}, lambda m: float((m + 17) // 18), flat(0)),
        ],
        fires_at=24,
        waits=5,
        keeps=30,
        labels={**EFS, "operation": "DescribeFileSystems"},
        ends=False,
        summary=f"{WHERE}: AWS refuses DescribeFileSystems",
        description="3 requests were refused in 30 minutes. First: `storage-exporter policy` prints what the role needs; then look for"
        " a changed role, Pod Identity association, key policy or service control policy.",
        dashboard=BOARD,
        restarts=False,
        variants={
            "once or twice": Variant(fires=False, series=[S(ERRORS, _REFUSED, step(10, 0, 2))]),
            "throttled is not refused": Variant(
                fires=False, series=[S(ERRORS, {**_REFUSED, "code": "Throttling"}, step(10, 0, 9))]
            ),
            "expired credentials": Variant(
                fires=True, series=[S(ERRORS, {**_REFUSED, "code": "ExpiredTokenException"}, step(10, 0, 9))]
            ),
            "long ago": Variant(fires=False, series=[S(ERRORS, _REFUSED, step(10, 0, 3))], at=90),
        },
    ),
    Case(
        alert="StorageExporterApiThrottled",
        severity="warning",
        component="exporter",
        series=[
            S(_REQUESTS, {**EFS, "operation": "GetMetricData"}, counts(100)),
            S(ERRORS, {**EFS, "operation": "GetMetricData", "code": "Throttling"}, counts(5.5), counts(4.5)),
        ],
        # The first increase needs two values.
        fires_at=11,
        waits=10,
        keeps=15,
        labels=EFS,
        ends=False,
        summary=f"{WHERE}: AWS throttles 5.5% of requests",
        description="Nothing is lost yet: what was missed is asked in the next pass. Others in the account use the same quota. First:"
        " lower limits.get_metric_data_per_second, or ask AWS for more in Service Quotas (GetMetricData, ec2 Describe).",
        dashboard=BOARD,
        restarts=False,
        variants={
            "other faults": Variant(
                fires=False,
                series=[
                    S(_REQUESTS, {**EFS, "operation": "GetMetricData"}, counts(100)),
                    S(ERRORS, {**EFS, "operation": "GetMetricData", "code": "TIMEOUT"}, counts(50)),
                ],
            ),
            "many more were asked until half an hour ago": Variant(
                fires=True,
                series=[
                    S(
                        _REQUESTS,
                        {**EFS, "operation": "GetMetricData"},
                        lambda m: 1000.0 * min(m, 20) + 100 * max(m - 20, 0),
                    ),
                    S(ERRORS, {**EFS, "operation": "GetMetricData", "code": "Throttling"}, counts(5.5)),
                ],
                at=50,
            ),
            "EC2's word for it": Variant(
                fires=True,
                series=[
                    S(_REQUESTS, {**EFS, "operation": "GetMetricData"}, counts(100)),
                    S(ERRORS, {**EFS, "operation": "DescribeVolumes", "code": "RequestLimitExceeded"}, counts(6)),
                ],
            ),
        },
    ),
    Case(
        alert="StorageExporterPassesMissed",
        severity="warning",
        component="exporter",
        series=[S(_MISSED, JOB, step(10, 0, 6), step(10, 0, 5))],
        fires_at=20,
        waits=10,
        keeps=30,
        labels=JOB,
        restarts=False,
        ends=False,
        summary="Job efs/123456789012/ap-southeast-3: passes take longer than their interval",
        description="6 passes of the last hour did not start, for the one before still ran. Values get older than they should. First:"
        " storage_exporter_job_duration_seconds beside storage_exporter_job_interval_seconds; then throttling, and"
        " limits.aws_concurrency.",
        dashboard=BOARD,
        variants={
            "an hour ago": Variant(fires=False, series=[S(_MISSED, JOB, step(10, 0, 6))], at=115),
            # They count to minute 69, and are told for half an hour more.
            "not long ago": Variant(fires=True, series=[S(_MISSED, JOB, step(10, 0, 6))], at=90),
        },
    ),
    Case(
        alert="StorageExporterDiscoveryDropped",
        severity="warning",
        component="exporter",
        series=[
            S(_RESOURCES, {**EFS, "resource_type": "file_system"}, step(70, 6, 2), step(70, 6, 3)),
            S(_RESOURCES, {**EFS, "resource_type": "access_point"}, step(70, 4, 2), step(70, 4, 2)),
        ],
        fires_at=80,
        waits=10,
        keeps=60,
        labels=EFS,
        restarts=False,
        ends=False,
        summary=f"{WHERE}: only 4 resources are left",
        description="More than half of the resources of an hour ago are gone. A planned teardown does that. If there was none: a changed"
        " select in the configuration, a permission, or somebody deletes. First: `storage-exporter plan` lists what is"
        " discovered; CloudTrail says who deleted.",
        dashboard=BOARD,
        variants={
            "a small estate": Variant(
                fires=False, series=[S(_RESOURCES, {**EFS, "resource_type": "file_system"}, step(70, 3, 1))]
            ),
            "four were there": Variant(
                fires=True, series=[S(_RESOURCES, {**EFS, "resource_type": "file_system"}, step(70, 4, 1))]
            ),
            "the pods say the same": Variant(
                fires=False,
                series=[
                    S(_RESOURCES, {**EFS, "resource_type": "file_system", "pod": "a"}, step(70, 6, None)),
                    S(_RESOURCES, {**EFS, "resource_type": "file_system", "pod": "b"}, flat(6)),
                ],
            ),
        },
    ),
    Case(
        alert="StorageExporterSeriesDropped",
        severity="warning",
        component="exporter",
        series=[S("storage_exporter_series_dropped_total", {**C, "reason": "over_limit"}, step(10, 0, 30), flat(0))],
        fires_at=15,
        waits=5,
        keeps=30,
        labels={**C, "reason": "over_limit"},
        restarts=False,
        ends=False,
        summary="Exporter of production leaves out series (over_limit)",
        description="30 series were left out in 15 minutes; alerts on them are blind. First: over_limit wants a larger limits.max_series;"
        " duplicates are named in the exporter's log.",
        dashboard=BOARD,
        variants={
            "an hour ago": Variant(
                fires=False,
                series=[S("storage_exporter_series_dropped_total", {**C, "reason": "over_limit"}, step(10, 0, 30))],
                at=75,
            )
        },
    ),
    Case(
        alert="StorageExporterCredentialsExpiring",
        severity="critical",
        component="exporter",
        series=[S("storage_exporter_credentials_expiry_timestamp_seconds", A, flat(1800), flat(3600))],
        # Less than 600 s from minute 21 on.
        fires_at=23,
        waits=2,
        keeps=5,
        labels=A,
        summary="Account 123456789012, ap-southeast-3: credentials end in 7m 0s",
        description="New ones cannot be had; when these end, nothing of the account is read any more. First: `kubectl -n monitoring logs"
        " -l app.kubernetes.io/name=storage-exporter | grep credentials` names the provider and AWS's answer; then the Pod Identity"
        " agent (`kubectl -n kube-system get ds eks-pod-identity-agent`) and the role's trust policy.",
        dashboard=BOARD,
        variants={
            "renewed at half their life": Variant(
                fires=False,
                series=[
                    S("storage_exporter_credentials_expiry_timestamp_seconds", A, lambda m: 3600.0 + m // 30 * 1800)
                ],
            ),
            "another replica's are younger": Variant(
                fires=False,
                series=[
                    S("storage_exporter_credentials_expiry_timestamp_seconds", {**A, "pod": "a"}, flat(1800)),
                    S("storage_exporter_credentials_expiry_timestamp_seconds", {**A, "pod": "b"}, flat(9000)),
                ],
            ),
        },
    ),
]


def dollars(month: float) -> S:
    """Costs that come to so many dollars a month."""
    return S(_COST, {**EFS, "operation": "GetMetricData"}, lambda minute: minute * month / _MONTH)


def _spent(bad: float, good: float) -> S:
    return S(_COST, {**EFS, "operation": "GetMetricData"}, dollars(bad).bad, dollars(good).bad)


MONEY = [
    Case(
        alert="StorageExporterCostBudgetBurnFast",
        severity="critical",
        component="exporter",
        series=[_spent(2100, 1900), *replicas(200, 200, name=_BUDGET)],
        fires_at=73,
        waits=15,
        keeps=30,
        labels=C,
        restarts=False,
        ends=False,
        summary="Exporter of production: the last hour comes to $2100 a month",
        description="That is more than ten times the budget: a bug, a much larger estate, or every interval set to a minute. First:"
        " `curl -H 'Accept: text/plain' http://EXPORTER:9116/-/plan` says what is asked and what it costs; stop the exporter if in"
        " doubt.",
        dashboard=BOARD,
        variants={
            "no budget": Variant(fires=False, series=[dollars(2100)], drop=[_BUDGET]),
            "cheap again for an hour": Variant(
                fires=False, series=[S(_COST, EFS, lambda minute: min(minute, 60) * 2100 / _MONTH)], at=240
            ),
        },
    ),
    Case(
        alert="StorageExporterCostOverBudget",
        severity="warning",
        component="exporter",
        series=[_spent(230, 210), S(_BUDGET, C, flat(200))],
        fires_at=1440,
        step=60,
        waits=60,
        keeps=360,
        labels=C,
        restarts=False,
        ends=False,
        summary="Exporter of production: the last day comes to $230 a month, over budget",
        description="What is essential alone costs more than the budget, or it was raised by pins. First: /-/plan of the exporter, then fewer"
        " pins, `covered: [ebs-nvme]` where the CSI driver's counters are scraped, or a larger budget.",
        dashboard=BOARD,
        variants={
            "no budget": Variant(fires=False, series=[dollars(2100)], drop=[_BUDGET]),
            "an expensive hour of a cheap day": Variant(
                fires=False,
                series=[S(_COST, EFS, ramp(600, 0, 1000 / _MONTH, most=60 * 1000 / _MONTH))],
                at=1800,
            ),
        },
    ),
    Case(
        alert="StorageExporterRowsDeferred",
        severity="warning",
        component="exporter",
        series=[S(_DEFERRED, {**EFS, "tier": "standard", "reason": "budget"}, step(10, 0, 12), flat(0))],
        fires_at=70,
        waits=60,
        restarts=False,
        keeps=60,
        labels={**EFS, "tier": "standard"},
        summary="efs in ap-southeast-3: the budget leaves out 12 series (standard)",
        description="Dashboards and alerts that read them are blind. First: `storage-exporter plan` prints what a larger budget, fewer pins"
        " or a dropped tier would change.",
        dashboard=BOARD,
        variants={
            "they never answered": Variant(
                fires=False, series=[S(_DEFERRED, {**EFS, "tier": "standard", "reason": "silent"}, flat(12))]
            ),
            "for a while": Variant(
                fires=False,
                series=[S(_DEFERRED, {**EFS, "tier": "standard", "reason": "budget"}, between(10, 60, 12, 0))],
            ),
        },
    ),
]
