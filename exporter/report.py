"""
How a pass went, and what a person should be told of it. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.errors import CredentialsError, DeniedError, RequestError
from exporter.services.base import Service

GET_METRIC_DATA = "GetMetricData"


@dataclass(slots=True)
class Report:
    """
    How a pass went.

    Args:
        failures: what could not be read, by operation.

        queries: members of ``MetricDataQueries`` that were answered.

        billable: what CloudWatch bills for them, in metrics.

        dollars: what that costs.

        waiting: calls that are put off to the next pass.
    """

    failures: dict[str, Exception] = field(default_factory=dict)
    queries: int = 0
    billable: int = 0
    dollars: float = 0.0
    waiting: int = 0

    def add(self, other: Report) -> None:
        """Count in a pass that went on where this one stopped."""
        self.failures |= other.failures
        self.queries += other.queries
        self.billable += other.billable
        self.dollars += other.dollars
        self.waiting = other.waiting

    @property
    def ok(self) -> bool:
        """Whether everything that was due was read."""
        return not self.failures


def action_of(service: Service | type[Service], operation: str) -> str:
    """The IAM action that allows *operation* to *service*, ``""`` where none is known."""
    if operation == GET_METRIC_DATA:
        return "cloudwatch:GetMetricData"
    return next((each.action for each in service.operations if each.name == operation), "")


def explain(error: Exception, action: str) -> str:
    """A sentence for people: what failed, and what to do about it."""
    if isinstance(error, DeniedError):
        return f"not allowed: {error}; grant {action or error.operation}, as `storage-exporter policy` prints"
    if isinstance(error, CredentialsError):
        return f"credentials: {error}"
    if isinstance(error, RequestError):
        return f"AWS refuses or does not know the request: {error}; what depends on it stays absent"
    return f"failed for now: {error}; the last good answer is kept up to its age limit and it is asked again"
