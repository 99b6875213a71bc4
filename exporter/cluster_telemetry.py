"""
The exporter's metrics about the cluster it runs in: who leads, what the Kubernetes API says.
"""

from __future__ import annotations

from collections.abc import Mapping

from exporter import families
from exporter.telemetry import Telemetry


class ClusterTelemetry:
    """
    What `telemetry` is for AWS.

    Args:
        telemetry: where the series are.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    # ---- who leads ---------------------------------------------------------------------------------------------

    def leader(self, leads: bool) -> None:  # noqa: FBT001 - a state, not an option
        """Whether this replica asks AWS."""
        self._telemetry.gauge(families.LEADER, leads)
        self._telemetry.counter(families.LEASE, 0)

    def lease_transition(self) -> None:
        """This replica became the leader."""
        self._telemetry.counter(families.LEASE, 1)

    def lease_renewed(self, seconds: float, at: float) -> None:
        """The Lease was taken or renewed in *seconds*, at *at*, unix seconds."""
        self._telemetry.gauge(families.LEASE_SECONDS, seconds)
        self._telemetry.gauge(families.LEASE_AT, at)

    def lease_failed(self, code: str) -> None:
        """An attempt to read, take or renew the Lease failed."""
        self._telemetry.counter(families.LEASE_FAILED, 1, code)

    def shard(self, ordinal: int, total: int) -> None:
        """Which of the exporters that share the scopes this is."""
        self._telemetry.gauge(families.SHARD, ordinal)
        self._telemetry.gauge(families.SHARDS, total)

    # ---- the API -----------------------------------------------------------------------------------------------

    def request(self, verb: str, kind: str, code: str, _seconds: float) -> None:
        """A request to the Kubernetes API ended."""
        self._telemetry.counter(families.KUBERNETES_REQUESTS, 1, verb, kind, code)

    def kind(self, kind: str, *, known: bool, objects: int, skipped: Mapping[str, int], contact: float) -> None:
        """
        How a kind of object stands.

        Args:
            kind: such as ``persistentvolumes``.

            known: whether its objects are listed and fresh.

            objects: how many are kept.

            skipped: how many are left out, by reason; reasons that are gone disappear.

            contact: unix seconds of the API's last word on it, 0 for none.
        """
        self._telemetry.gauge(families.KINDS_KNOWN, known, kind)
        self._telemetry.gauge(families.OBJECTS, objects, kind)
        self._telemetry.forget(families.SKIPPED, skipped, kind=kind)
        for reason, count in skipped.items():
            self._telemetry.gauge(families.SKIPPED, count, kind, reason)
        if contact:
            self._telemetry.gauge(families.CONTACT, contact, kind)
