"""
The life of alerts as Prometheus 2.42 has it: pending, firing, kept firing, resolved. Pure.

What a rule's expression gives at one instant goes in; instants are unix seconds and only grow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

REMEMBERED = 15 * 60
"""Seconds for which an alert that is over is still told to Alertmanager."""

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Alert:
    """One alert of a rule; `since` is when its expression became true, 0 for instants that have not come."""

    labels: Labels
    value: float
    since: float
    state: str = "pending"
    fired: float = 0.0
    resolved: float = 0.0
    kept: float = 0.0
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its ``alertname``."""
        return self.label("alertname")

    def label(self, name: str) -> str:
        """The value of a label, ``""`` for none."""
        return dict(self.labels).get(name, "")


class States:
    """
    The alerts of one rule.

    Args:
        wait: ``for``, in seconds.

        keep: ``keep_firing_for``, in seconds.
    """

    def __init__(self, wait: float = 0.0, keep: float = 0.0) -> None:
        self._wait, self._keep = wait, keep
        self._active: dict[Labels, Alert] = {}

    def active(self) -> list[Alert]:
        """Those that are pending or firing."""
        return [each for each in self._active.values() if each.state != "resolved"]

    def told(self) -> list[Alert]:
        """Those Alertmanager is told of: firing, or over for a short time."""
        return [each for each in self._active.values() if each.state != "pending"]

    def evaluated(self, found: Iterable[tuple[Labels, float]], at: float) -> list[Alert]:
        """
        Take what the expression gives at *at*; the alerts whose state has changed.

        Raises:
            ValueError: two elements have the same labels.
        """
        seen: dict[Labels, float] = {}
        for labels, value in found:
            if labels in seen:
                message = f"two elements would be the same alert: {dict(labels)}"
                raise ValueError(message)
            seen[labels] = value
        changed = []
        for labels, value in seen.items():
            known = self._active.get(labels)
            if known is not None and known.state != "resolved":
                known.value = value
            else:
                known = self._active[labels] = Alert(labels, value, at)
                changed.append(known)
        for labels, alert in list(self._active.items()):
            if labels not in seen:
                if self._stays(alert, at):
                    continue
                if alert.state == "pending" or (alert.resolved and at - alert.resolved > REMEMBERED):
                    del self._active[labels]
                    continue
                if alert.state != "resolved":
                    alert.state, alert.resolved = "resolved", at
                    changed.append(alert)
                continue
            alert.kept = 0.0
            if alert.state == "pending" and at - alert.since >= self._wait:
                alert.state, alert.fired = "firing", at
                if alert not in changed:
                    changed.append(alert)
        return changed

    def _stays(self, alert: Alert, at: float) -> bool:
        """Whether the alert is kept firing though its expression is no more true."""
        if alert.state != "firing" or not self._keep:
            return False
        if not alert.kept:
            alert.kept = at
        return at - alert.kept < self._keep
