"""Whether what was read arrives."""

from __future__ import annotations

from rules.build.cases.exporter_freshness import counts
from rules.build.cases.exporter_replicas import BOARD, C
from rules.build.cases.shapes import Case, S, Variant, flat, step

_SENT, _FAILED = (
    "storage_exporter_remote_write_last_success_timestamp_seconds",
    "storage_exporter_remote_write_failures_total",
)
_AGE, _BYTES = "storage_exporter_remote_write_outbox_age_seconds", "storage_exporter_remote_write_outbox_bytes"
_LIMIT = "storage_exporter_remote_write_outbox_limit_bytes"
_DROPPED = "storage_exporter_remote_write_dropped_total"

DELIVERY = [
    Case(
        alert="StorageExporterPushFailing",
        severity="critical",
        component="exporter",
        series=[
            S(_SENT, C, lambda minute: 60.0 * min(minute, 10), lambda minute: 60.0 * max(minute - 5, 0)),
            S(_FAILED, C, counts(2, 10)),
        ],
        # More than 300 s from minute 16 on.
        fires_at=18,
        waits=2,
        keeps=10,
        labels=C,
        restarts=False,
        ends=False,
        summary="Exporter of production cannot push: nothing arrived for 8m 0s",
        description="Datapoints wait on disk and are not lost until the outbox is full or the receiver finds them too old (mostly an"
        " hour). First: `storage-exporter check --connect --config FILE` says what the receiver answers; then its distributor's"
        " log, the tenant and the token.",
        dashboard=BOARD,
        variants={
            "nothing to send": Variant(fires=False, series=[S(_SENT, C, flat(600)), S(_FAILED, C, flat(3))]),
            "it failed once, six minutes ago": Variant(
                fires=True, series=[S(_SENT, C, lambda minute: 60.0 * min(minute, 10)), S(_FAILED, C, step(12, 0, 1))]
            ),
            # A failure counts for ten minutes, to minute 21, and is told for ten more.
            "nothing to send since a failure long ago": Variant(
                fires=False,
                series=[S(_SENT, C, lambda minute: 60.0 * min(minute, 10)), S(_FAILED, C, step(12, 0, 1))],
                at=35,
            ),
            "another replica sends": Variant(
                fires=False,
                series=[
                    S(_SENT, {**C, "pod": "a"}, flat(600)),
                    S(_SENT, {**C, "pod": "b"}, lambda minute: 60.0 * minute),
                    S(_FAILED, C, counts(2, 10)),
                ],
            ),
        },
    ),
    Case(
        alert="StorageExporterPushBacklog",
        severity="warning",
        component="exporter",
        series=[S(_AGE, C, step(10, 0, 960), flat(840)), S(_BYTES, C, flat(4e8)), S(_LIMIT, C, flat(1e9))],
        fires_at=15,
        waits=5,
        keeps=10,
        labels=C,
        restarts=False,
        summary="Exporter of production: requests wait on disk",
        description="The receiver takes less than is sent, or nothing. Alerts see the past. At the outbox's limit the oldest are dropped."
        " First: storage_exporter_remote_write_requests_total by code; 429 means the tenant's ingestion limit.",
        dashboard=BOARD,
        variants={
            "more than half full": Variant(
                fires=True, series=[S(_AGE, C, flat(60)), S(_BYTES, C, flat(5.5e8)), S(_LIMIT, C, flat(1e9))]
            ),
            "not half full": Variant(
                fires=False, series=[S(_AGE, C, flat(60)), S(_BYTES, C, flat(4.5e8)), S(_LIMIT, C, flat(1e9))]
            ),
        },
    ),
    Case(
        alert="StorageExporterPushDropping",
        severity="warning",
        component="exporter",
        series=[S(_DROPPED, {**C, "reason": "too_old"}, step(10, 0, 30), flat(0))],
        fires_at=12,
        waits=2,
        keeps=30,
        labels={**C, "reason": "too_old"},
        restarts=False,
        ends=False,
        summary="Exporter of production gave up samples (too_old)",
        description="30 samples were given up in 30 minutes. out_of_order and duplicate: two exporters write the same series. too_old: raise"
        " the receiver's out-of-order window. limits: its series limit. max_age, max_bytes, disk_full: the outbox.",
        dashboard=BOARD,
        variants={
            "a new leader starts anew": Variant(
                fires=False, series=[S(_DROPPED, {**C, "reason": "superseded"}, step(10, 0, 30))]
            ),
            # It counts to minute 39, and is told for half an hour more.
            "a single one, not long ago": Variant(
                fires=True, series=[S(_DROPPED, {**C, "reason": "too_old"}, step(10, 0, 1))], at=60
            ),
            "half an hour ago": Variant(
                fires=False, series=[S(_DROPPED, {**C, "reason": "too_old"}, step(10, 0, 30))], at=90
            ),
        },
    ),
    Case(
        alert="StorageExporterOutboxFailing",
        severity="warning",
        component="exporter",
        series=[S("storage_exporter_remote_write_outbox_failures_total", C, step(10, 0, 2), flat(0))],
        fires_at=15,
        waits=5,
        keeps=15,
        labels=C,
        restarts=False,
        ends=False,
        summary="Exporter of production cannot write its outbox",
        description="Datapoints are asked again, and paid again, until the disk takes them. First: `kubectl -n monitoring exec"
        " deploy/storage-exporter -- df -h` and the volume's mount.",
        dashboard=BOARD,
        variants={
            "an hour ago": Variant(
                fires=False,
                series=[S("storage_exporter_remote_write_outbox_failures_total", C, step(10, 0, 2))],
                at=60,
            )
        },
    ),
]
