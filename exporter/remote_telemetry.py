"""
The exporter's metrics about remote write: what was sent, what waits, what was given up.
"""

from __future__ import annotations

from exporter import families
from exporter.telemetry import Telemetry

_REASONS = (
    *("out_of_order", "duplicate", "too_old", "limits", "invalid"),
    *("max_bytes", "max_age", "disk_full", "corrupt", "superseded"),
)
"""Why samples are given up, but for ``rejected_<status>``: counters that a rule watches for a first increase."""


class RemoteTelemetry:
    """
    What `telemetry` is for AWS. The families of push mode exist from here on; nothing is unsent before something is.

    Args:
        telemetry: where the series are.

        limit: bytes that may wait on disk.
    """

    def __init__(self, telemetry: Telemetry, limit: int) -> None:
        self._telemetry = telemetry
        telemetry.gauge(families.OUTBOX_LIMIT, limit)
        for counter in (
            families.SENT,
            families.SENT_BYTES,
            families.SEND_FAILED,
            families.SEND_RETRIED,
            families.KEEP_FAILED,
        ):
            telemetry.counter(counter, 0)
        for reason in (
            "out_of_order",
            "duplicate",
            "too_old",
            "limits",
            "invalid",
            "max_bytes",
            "max_age",
            "disk_full",
        ):
            telemetry.counter(families.SEND_DROPPED, 0, reason)

    # ---- sending -----------------------------------------------------------------------------------------------

    def posted(self, code: str) -> None:
        """A request ended, with this HTTP status or our word for no answer."""
        self._telemetry.counter(families.POSTED, 1, code)

    def retried(self) -> None:
        """A request repeats one that the receiver could not take."""
        self._telemetry.counter(families.SEND_RETRIED, 1)

    def failed(self) -> None:
        """A request failed."""
        self._telemetry.counter(families.SEND_FAILED, 1)

    def sent(self, samples: int, size: int, at: float) -> None:
        """The receiver accepted *samples* in *size* bytes, at *at*, unix seconds."""
        self._telemetry.counter(families.SENT, samples)
        self._telemetry.counter(families.SENT_BYTES, size)
        self._telemetry.gauge(families.SENT_AT, at)

    def dropped(self, reason: str, samples: int) -> None:
        """*samples* were given up."""
        self._telemetry.counter(families.SEND_DROPPED, samples, reason)

    # ---- keeping -----------------------------------------------------------------------------------------------

    def keeping_failed(self) -> None:
        """Finished requests could not be written to disk."""
        self._telemetry.counter(families.KEEP_FAILED, 1)

    def waiting(self, size: int, requests: int, *, oldest: int | None, since: float | None, now: float) -> None:
        """
        What waits on disk.

        Args:
            size: bytes.

            requests: how many finished requests.

            oldest: stamp of the oldest sample, unix seconds; None where nothing waits.

            since: when the oldest request was written, unix seconds; None where nothing waits.

            now: unix seconds.
        """
        self._telemetry.gauge(families.OUTBOX, size)
        self._telemetry.gauge(families.OUTBOX_REQUESTS, requests)
        self._telemetry.gauge(families.UNSENT, now if oldest is None else oldest)
        self._telemetry.gauge(families.OUTBOX_AGE, 0 if since is None else max(0.0, now - since))
