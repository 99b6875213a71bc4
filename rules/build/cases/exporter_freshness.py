"""How old the data is, and why."""

from __future__ import annotations

from collections.abc import Mapping

from rules.build.cases.exporter_replicas import BOARD, C
from rules.build.cases.shapes import Case, S, Values, Variant, flat, step

A = {**C, "account_id": "123456789012", "region": "ap-southeast-3"}
EFS, EBS = {**A, "aws_service": "efs"}, {**A, "aws_service": "ebs"}
NEWEST, LIMIT = "storage_exporter_newest_datapoint_timestamp_seconds", "storage_exporter_data_age_limit_seconds"
ERRORS, QUERIES = "storage_exporter_aws_errors_total", "storage_exporter_aws_queries_total"
FILE_SYSTEM = {**A, "file_system_id": "fs-0a1"}


def until(minute: int, behind: int = 4) -> Values:
    """The newest datapoint, *behind* minutes old, and none newer from *minute* on."""
    return lambda now: 60 * (min(now, minute) - behind)


def counts(slope: float, start: int = 0) -> Values:
    """A counter that grows from minute *start* on."""
    return lambda now: slope * max(now - start, 0)


def asked(service: Mapping[str, str], slope: float = 10) -> S:
    """Queries that CloudWatch answers."""
    return S(QUERIES, {**service, "operation": "GetMetricData"}, counts(slope))


def errors(service: Mapping[str, str], code: str, operation: str = "GetMetricData", start: int = 10) -> S:
    """Requests that fail."""
    return S(ERRORS, {**service, "operation": operation, "code": code}, counts(2, start))


FRESH_EBS = [S(NEWEST, EBS, until(9999)), S(LIMIT, EBS, flat(300)), asked(EBS)]
LATE_EBS = [S(NEWEST, EBS, until(10)), S(LIMIT, EBS, flat(300)), asked(EBS)]


def efs(newest: Values, *more: S, fresh: list[S] | None = None) -> list[S]:
    """The world: EFS, and EBS beside it."""
    return [
        S(NEWEST, EFS, newest),
        S(LIMIT, EFS, flat(300)),
        asked(EFS),
        *more,
        *(FRESH_EBS if fresh is None else fresh),
    ]


def idle(*more: S) -> list[S]:
    """The world in which nothing of EFS is asked any more, and EBS goes on."""
    return [S(NEWEST, EFS, until(10)), S(LIMIT, EFS, flat(300)), asked(EFS, 0), *more, *FRESH_EBS]


def bucket(**info: str) -> list[S]:
    """A bucket whose filter has been silent since minute 6; *info* is what else is known of it."""
    filtered = {**A, "bucket": "b", "filter_id": "f"}
    return [
        S("aws_s3_bucket_filter_newest_datapoint_timestamp_seconds", filtered, until(10)),
        S("aws_s3_bucket_info", {**A, "bucket": "b", **info}),
    ]


def stale(reason: str) -> dict[str, str]:
    """Labels of the alert."""
    return {**EFS, "reason": reason}


_BLIND = "Alerts about efs in ap-southeast-3 are blind until it comes again. "

FRESHNESS = [
    Case(
        alert="StorageExporterDataStale",
        severity="critical",
        component="exporter",
        series=[
            S(NEWEST, EFS, until(10), until(9999)),
            S(LIMIT, EFS, flat(300)),
            asked(EFS),
            errors(EFS, "Throttling"),
            *FRESH_EBS,
        ],
        # The newest datapoint ends at minute 6: older than 300 s from minute 12 on.
        fires_at=17,
        waits=5,
        keeps=10,
        labels=stale("throttled"),
        summary="efs in ap-southeast-3 (123456789012): data is 11m 0s old (throttled)",
        description=_BLIND
        + "AWS throttles us: the account's CloudWatch or Describe quota is used up, maybe by others. Lower"
        " limits.get_metric_data_per_second or find who else asks.",
        dashboard=BOARD,
        restarts=False,
        variants={
            "denied": Variant(
                whole=True, fires=True, series=efs(until(10), errors(EFS, "AccessDenied")), labels=stale("denied")
            ),
            "discovery denied": Variant(
                whole=True,
                fires=True,
                series=idle(errors(EFS, "AccessDeniedException", "DescribeFileSystems")),
                labels=stale("denied"),
            ),
            "discovery throttled": Variant(
                whole=True,
                fires=True,
                series=idle(errors(EFS, "RequestLimitExceeded", "DescribeFileSystems")),
                labels=stale("throttled"),
            ),
            "a policy may not be read while CloudWatch is late": Variant(
                whole=True,
                fires=False,
                series=efs(
                    until(10),
                    errors(EFS, "AccessDeniedException", "DescribeFileSystemPolicy"),
                    errors(EFS, "PolicyNotFound", "DescribeFileSystemPolicy"),
                    fresh=LATE_EBS,
                ),
                at=45,
            ),
            "denied before throttled": Variant(
                whole=True,
                fires=True,
                series=efs(until(10), errors(EFS, "Throttling"), errors(EFS, "UnauthorizedOperation")),
                labels=stale("denied"),
            ),
            "no answer": Variant(
                whole=True, fires=True, series=efs(until(10), errors(EFS, "TIMEOUT")), labels=stale("failing")
            ),
            "throttled long ago": Variant(
                whole=True,
                fires=True,
                series=efs(
                    until(38), S(ERRORS, {**EFS, "operation": "GetMetricData", "code": "Throttling"}, step(3, 0, 9))
                ),
                labels=stale("empty"),
                at=50,
            ),
            "empty answers": Variant(whole=True, fires=True, series=efs(until(38)), labels=stale("empty"), at=45),
            "late with all others": Variant(whole=True, fires=False, series=efs(until(10), fresh=LATE_EBS), at=60),
            "late with all others for an hour": Variant(
                whole=True,
                fires=True,
                series=efs(until(10), fresh=[S(NEWEST, EBS, until(10)), asked(EBS)]),
                at=72,
                labels=stale("late"),
            ),
            "all others have just caught up": Variant(
                whole=True,
                fires=False,
                series=efs(
                    until(10),
                    fresh=[S(NEWEST, EBS, lambda now: 60 * (now - 4 if now > 30 else min(now, 10) - 4)), asked(EBS)],
                ),
                at=45,
            ),
            "only the other account is fresh": Variant(
                whole=True,
                fires=False,
                series=efs(until(38), fresh=[S(NEWEST, {**EBS, "account_id": "2"}, until(9999))]),
                at=45,
            ),
            "nothing is asked": Variant(
                whole=True,
                fires=True,
                series=[S(NEWEST, EFS, until(10)), S(LIMIT, EFS, flat(300)), asked(EFS, 0), *FRESH_EBS],
                labels=stale("not_asked"),
            ),
            "young enough for what it is": Variant(
                whole=True,
                fires=False,
                series=[S(NEWEST, EFS, until(10)), S(LIMIT, EFS, flat(1200)), asked(EFS), *FRESH_EBS],
            ),
            "just inside the limit": Variant(
                whole=True,
                fires=False,
                series=[S(NEWEST, EFS, until(9999, 5)), S(LIMIT, EFS, flat(301)), asked(EFS), *FRESH_EBS],
            ),
        },
    ),
    Case(
        alert="StorageExporterCloudWatchLate",
        severity="warning",
        component="exporter",
        series=[
            S(NEWEST, EFS, until(10), until(9999)),
            S(LIMIT, EFS, flat(300)),
            asked(EFS),
        ],
        # Older than 900 s from minute 22 on.
        fires_at=27,
        waits=5,
        among=False,  # another service that is well is what tells that CloudWatch is not late
        keeps=10,
        labels=stale("late"),
        summary="efs in ap-southeast-3 (123456789012): CloudWatch is 21m 0s late",
        description="Every service of the account is late, so it is CloudWatch, not us. Alerts see what happened that long ago."
        " Nothing to do yet; it pages when it lasts an hour. Watch health.aws.amazon.com.",
        dashboard=BOARD,
        restarts=False,
        variants={"another service is fresh": Variant(whole=True, fires=False, series=efs(until(10)))},
    ),
    Case(
        alert="StorageExporterMemberStale",
        severity="warning",
        component="exporter",
        series=[S("aws_efs_file_system_newest_datapoint_timestamp_seconds", FILE_SYSTEM, until(10), until(9999, 19))],
        # Ends at minute 6: older than 1200 s from minute 27 on.
        fires_at=32,
        waits=5,
        restarts=False,
        keeps=15,
        labels=FILE_SYSTEM,
        summary="File system fs-0a1: CloudWatch has told nothing for 26m 0s",
        description="Others of its kind are fresh, so this one alone is silent: its alerts are blind. Is it detached, deleted, unused,"
        " or (a bucket) did its request-metrics configuration change? First: look at it in the AWS console.",
        dashboard=BOARD,
        variants={
            "all of EFS is stale": Variant(
                fires=False,
                series=[
                    S("aws_efs_file_system_newest_datapoint_timestamp_seconds", FILE_SYSTEM, until(10)),
                    *efs(until(10)),
                ],
            ),
            "a pinned volume": Variant(
                fires=True,
                whole=True,
                series=[S("aws_ebs_volume_newest_datapoint_timestamp_seconds", {**A, "volume_id": "vol-1"}, until(10))],
                at=43,
                labels={"file_system_id": "", "volume_id": "vol-1"},
            ),
            "a pinned volume, not yet": Variant(
                fires=False,
                whole=True,
                series=[S("aws_ebs_volume_newest_datapoint_timestamp_seconds", {**A, "volume_id": "vol-1"}, until(10))],
                at=40,
            ),
            "a pinned volume while EBS is stale": Variant(
                fires=False,
                whole=True,
                series=[
                    S("aws_ebs_volume_newest_datapoint_timestamp_seconds", {**A, "volume_id": "vol-1"}, until(10)),
                    *LATE_EBS,
                ],
                at=43,
            ),
            "a component bucket": Variant(
                fires=True,
                whole=True,
                series=bucket(bucket_component="loki-chunks"),
                at=132,
                labels={"file_system_id": "", "bucket": "b", "filter_id": "f"},
            ),
            "a component bucket, not yet": Variant(
                fires=False,
                whole=True,
                series=bucket(bucket_component="loki-chunks"),
                at=128,
            ),
            "a component bucket while S3 is stale": Variant(
                fires=False,
                whole=True,
                series=[
                    *bucket(bucket_component="loki-chunks"),
                    S(NEWEST, {**A, "aws_service": "s3"}, until(10)),
                    S(LIMIT, {**A, "aws_service": "s3"}, flat(300)),
                ],
                at=132,
            ),
            "a bucket of nobody's": Variant(
                fires=False,
                whole=True,
                series=bucket(),
                at=132,
            ),
        },
    ),
]
