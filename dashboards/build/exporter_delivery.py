"""The row about remote write: what was sent, what waits, what was lost. Empty where the exporter is scraped."""

from __future__ import annotations

from dashboards.build.exporter_terms import DROPS, FILL_LIMIT, SILENCE_LIMIT, WAIT_LIMIT, grown, here, once, per_second
from dashboards.build.panels import Query, Row, Series

_NONE = "It is scraped: nothing is pushed."


def row() -> Row:
    """The row."""
    silence = f"time() - {once('remote_write_last_success_timestamp_seconds')}"
    backlog = f"time() - {once('remote_write_oldest_unsent_timestamp_seconds')}"
    fill = (
        f"max by (cluster) ({here('storage_exporter_remote_write_outbox_bytes')} / "
        f"({here('storage_exporter_remote_write_outbox_limit_bytes')} > 0))"
    )
    panels = [
        Series(
            title="Since the last accepted push",
            empty=_NONE,
            says="How long ago the receiver last took a request. Good: under a minute; at the line all alerts here are blind.",
            unit="s",
            queries=[Query(silence, "{{cluster}}")],
            limit=SILENCE_LIMIT,
            width=8,
            height=7,
        ),
        Series(
            title="Backlog",
            empty=_NONE,
            says="Age of the oldest sample not yet accepted, and of the oldest request on disk. Good: seconds, and none.",
            unit="s",
            queries=[
                Query(f"clamp_min({backlog}, 0)", "{{cluster}} oldest sample"),
                Query(once("remote_write_outbox_age_seconds"), "{{cluster}} oldest on disk"),
            ],
            limit=WAIT_LIMIT,
            width=8,
            height=7,
        ),
        Series(
            title="Samples given up",
            empty=_NONE,
            says="Refused by the receiver or lost from the outbox, by reason. Good: none: they are gone.",
            unit="short",
            queries=[
                Query(grown("remote_write_dropped", "cluster", "reason", also=DROPS), "{{cluster}} {{reason}}", "bars")
            ],
            width=8,
            height=7,
        ),
        Series(
            title="Requests by answer",
            empty=_NONE,
            says="Requests a second by HTTP status. Good: 200 or 204; 429 is a limit of the receiver, 4xx else is lost.",
            unit="reqps",
            queries=[Query(per_second("remote_write_requests", "code"), "{{code}}")],
            stacked=True,
            width=8,
            height=7,
        ),
        Series(
            title="Failures, repeats, outbox errors",
            empty=_NONE,
            says="Requests that failed, that were sent again, and writes to disk that failed. Good: none of them.",
            unit="short",
            queries=[
                Query(grown("remote_write_failures", "cluster"), "{{cluster}} failed", "bars"),
                Query(grown("remote_write_retries", "cluster"), "{{cluster}} sent again", "bars"),
                Query(grown("remote_write_outbox_failures", "cluster"), "{{cluster}} disk", "bars"),
            ],
            width=8,
            height=7,
        ),
        Series(
            title="Samples accepted",
            empty=_NONE,
            says="Samples a second that the receiver took. Good: steady; after an outage a hill while it catches up.",
            unit="ops",
            queries=[Query(per_second("remote_write_samples", "cluster"), "{{cluster}}")],
            width=8,
            height=7,
        ),
        Series(
            title="Outbox on disk",
            empty=_NONE,
            says="Bytes that wait, and dashed how many may. Good: none; at the limit the oldest are given up.",
            unit="bytes",
            queries=[
                Query(once("remote_write_outbox_bytes"), "{{cluster}}"),
                Query(once("remote_write_outbox_limit_bytes"), "{{cluster}} limit", "limit"),
            ],
            width=8,
            height=7,
        ),
        Series(
            title="Outbox, used of its limit",
            empty=_NONE,
            says="Share of the disk that the outbox may take. Good: 0 %; at the line it is half full.",
            unit="percentunit",
            queries=[Query(fill, "{{cluster}}")],
            limit=FILL_LIMIT,
            least=0,
            width=8,
            height=7,
        ),
        Series(
            title="Bytes sent",
            empty=_NONE,
            says="Compressed bytes a second of accepted requests. Good: steady.",
            unit="binBps",
            queries=[Query(per_second("remote_write_bytes", "cluster"), "{{cluster}}")],
            width=8,
            height=7,
        ),
    ]
    return Row(title="Remote write (push mode)", panels=panels, folded=True)
